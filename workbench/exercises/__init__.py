"""Exercises and questions as data: one file a track, each with its solution, its named mistakes and its hints."""

from workbench.exercises.exercise import Budget, Case, Exercise, Question
from workbench.exercises.grade import Counterexample, Result, grade
from workbench.exercises.kernel_run import KernelRun, xray
from workbench.exercises.prove import prove
from workbench.exercises.registry import all, find, for_lesson

__all__ = [
    "Budget",
    "Case",
    "Counterexample",
    "Exercise",
    "KernelRun",
    "Question",
    "Result",
    "all",
    "find",
    "for_lesson",
    "grade",
    "prove",
    "xray",
]
