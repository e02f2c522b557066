"""The rules that put in `kernels`, in the order in which they are applied.

What adds and normalizes goes before what only normalizes, which would else take its norm away.
"""

from __future__ import annotations

from workbench.fusion.rewrite import Rule
from workbench.fusion.rules.use_add_rms_norm import find as use_add_rms_norm
from workbench.fusion.rules.use_attention import find as use_attention
from workbench.fusion.rules.use_bias_gelu import find as use_bias_gelu
from workbench.fusion.rules.use_dropout_add import find as use_dropout_add
from workbench.fusion.rules.use_linear_cross_entropy import find as use_linear_cross_entropy
from workbench.fusion.rules.use_rms_norm import find as use_rms_norm
from workbench.fusion.rules.use_swiglu import find as use_swiglu

KERNEL_RULES: tuple[Rule, ...] = (
    use_add_rms_norm,
    use_rms_norm,
    use_bias_gelu,
    use_swiglu,
    use_attention,
    use_linear_cross_entropy,
    use_dropout_add,
)
