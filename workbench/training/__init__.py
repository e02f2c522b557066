"""Training: one plain loop, its history, and checkpoints that survive a kill."""

from workbench.training.checkpoint import CheckpointError
from workbench.training.denormals import denormals_flushed
from workbench.training.history import Epoch, History
from workbench.training.loop import fit
from workbench.training.measure import evaluate
from workbench.training.seeding import seeded

__all__ = ["CheckpointError", "Epoch", "History", "denormals_flushed", "evaluate", "fit", "seeded"]
