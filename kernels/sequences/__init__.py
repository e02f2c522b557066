"""Operations along a sequence: what is added to a row, or read for it, depends on its place among the others."""

OPERATIONS = ()

__all__ = ["OPERATIONS"]
