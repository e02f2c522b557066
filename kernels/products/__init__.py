"""Products of matrices: each byte that is read can be used many times."""

OPERATIONS = ()

__all__ = ["OPERATIONS"]
