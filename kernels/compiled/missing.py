"""What to say where NVIDIA's compiler is not installed."""

MEND = 'pip install "neuralfabric-workbench[compiler]", in a clone: pip install -e ".[compiler]"'


class CompilerMissing(RuntimeError):
    """NVIDIA's compiler wheels are not installed, or do not fit each other; the message says what to install."""
