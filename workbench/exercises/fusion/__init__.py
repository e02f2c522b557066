"""Tasks of the track on fusion: of modules that see different data, and of operations."""

from workbench.exercises.exercise import Exercise, Question
from workbench.exercises.fusion.easy_exercises import FOLD_SCALES, FUSED_BYTES
from workbench.exercises.fusion.easy_questions import (
    CHAIN_BYTES,
    EARLY_OR_LATE,
    FOLD_WHEN,
    RECALL_BYTES,
    RECALL_LIMIT,
    SAME_ANSWER,
    TOWER,
    WHEN_NO_GAIN,
)

TASKS: tuple[Exercise | Question, ...] = (
    RECALL_BYTES,
    RECALL_LIMIT,
    TOWER,
    EARLY_OR_LATE,
    CHAIN_BYTES,
    SAME_ANSWER,
    FOLD_WHEN,
    WHEN_NO_GAIN,
    FUSED_BYTES,
    FOLD_SCALES,
)
