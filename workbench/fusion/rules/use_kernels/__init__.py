"""The rules that put in `kernels`, in the order in which they are applied.

What adds and normalizes goes before what only normalizes, which would else take its norm away.
"""

from __future__ import annotations

from workbench.fusion.rewrite import Rule
from workbench.fusion.rules.use_kernels.add_rms_norm import find as use_add_rms_norm
from workbench.fusion.rules.use_kernels.attention import find as use_attention
from workbench.fusion.rules.use_kernels.bias_gelu import find as use_bias_gelu
from workbench.fusion.rules.use_kernels.dropout_add import find as use_dropout_add
from workbench.fusion.rules.use_kernels.linear_cross_entropy import find as use_linear_cross_entropy
from workbench.fusion.rules.use_kernels.rms_norm import find as use_rms_norm
from workbench.fusion.rules.use_kernels.swiglu import find as use_swiglu

KERNEL_RULES: tuple[Rule, ...] = (
    use_add_rms_norm,
    use_rms_norm,
    use_bias_gelu,
    use_swiglu,
    use_attention,
    use_linear_cross_entropy,
    use_dropout_add,
)
