"""From spelling to sound: a real model whose parts are swapped one by one, and what each swap does to it.

Read in this order: `data.py`, `model.py` with `encoders.py` and `decoders.py`, `variants.py` (the swaps),
`experiment.py` (the table).
"""

from workbench.pronounce.data import PHONEMES, SOUNDS, choose, examples, read, speak, spell
from workbench.pronounce.decode import Errors, edit_distance, greedy, measure, pronounce
from workbench.pronounce.model import build
from workbench.pronounce.results import Results, Run
from workbench.pronounce.training import RECIPE, Recipe, Trained, sound_loss, train, train_on
from workbench.pronounce.variants import BASE, VARIANTS, NoAttention, make

__all__ = [
    "BASE",
    "PHONEMES",
    "RECIPE",
    "SOUNDS",
    "VARIANTS",
    "Errors",
    "NoAttention",
    "Recipe",
    "Results",
    "Run",
    "Trained",
    "build",
    "choose",
    "edit_distance",
    "examples",
    "greedy",
    "make",
    "measure",
    "pronounce",
    "read",
    "sound_loss",
    "speak",
    "spell",
    "train",
    "train_on",
]
