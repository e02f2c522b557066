"""Losses over classes: what a row of logits says about the one class that is right."""

OPERATIONS = ()

__all__ = ["OPERATIONS"]
