"""Tasks of the track on fusion: of modules that see different data, and of operations."""

from workbench.exercises.exercise import Exercise, Question
from workbench.exercises.fusion import easy_questions, hard_questions, moderate_questions
from workbench.exercises.fusion.easy_exercises import FOLD_SCALES, FUSED_BYTES
from workbench.exercises.fusion.hard_add_rms_norm import ADD_RMS_NORM_KERNEL
from workbench.exercises.fusion.hard_bias_gelu import BIAS_GELU_KERNEL
from workbench.exercises.fusion.hard_merge_pieces import MERGE_PIECES
from workbench.exercises.fusion.hard_passes import FOLD_ALL
from workbench.exercises.fusion.hard_projections import FUSE_QKV
from workbench.exercises.fusion.hard_row_sum import ROW_SUM
from workbench.exercises.fusion.moderate_bytes import BYTES_OF_CHAIN
from workbench.exercises.fusion.moderate_fold import FOLD
from workbench.exercises.fusion.moderate_gate import GATE
from workbench.exercises.fusion.moderate_noisy_step import NOISY_STEP

TASKS: tuple[Exercise | Question, ...] = (
    *easy_questions.QUESTIONS,
    FUSED_BYTES,
    FOLD_SCALES,
    *moderate_questions.QUESTIONS,
    GATE,
    NOISY_STEP,
    FOLD,
    BYTES_OF_CHAIN,
    *hard_questions.QUESTIONS,
    FOLD_ALL,
    BIAS_GELU_KERNEL,
    ROW_SUM,
    ADD_RMS_NORM_KERNEL,
    FUSE_QKV,
    MERGE_PIECES,
)
