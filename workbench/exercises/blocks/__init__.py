"""Tasks of the track on blocks: what they cost, what they take for granted, and how a deep stack hears its error."""

from workbench.exercises.blocks.easy_exercises import CONVOLUTION_PARAMETERS, OUTPUT_LENGTH
from workbench.exercises.blocks.easy_questions import (
    ALIGNED,
    MINDS,
    ORDER,
    RECALL_FLOPS,
    RECALL_ONE_EXAMPLE,
    RESIDUAL,
    SAME_EVERYWHERE,
)
from workbench.exercises.exercise import Exercise, Question

TASKS: tuple[Exercise | Question, ...] = (
    RECALL_FLOPS,
    RECALL_ONE_EXAMPLE,
    SAME_EVERYWHERE,
    MINDS,
    ORDER,
    ALIGNED,
    RESIDUAL,
    CONVOLUTION_PARAMETERS,
    OUTPUT_LENGTH,
)
