"""Ladders: one result, computed by kernel after kernel, each with one new idea."""
