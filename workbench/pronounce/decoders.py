"""Two decoders behind one contract: what was said, a first state and a memory go in, scores of each sound come out.

`all_steps` (Luong, Pham and Manning, arXiv 1508.04025, §3): the states follow from what was said alone. So a GRU runs
first, then all states ask the memory at once.

    said ── embed ── GRU ──┬── attention(memory) ──┬── known ── scores
                           └───────────────────────┘

`step_by_step` (Bahdanau, Cho and Bengio, arXiv 1409.0473, §3): what the state of the step before found in the memory
goes into the next state, so every step has to wait for the one before: a `Loop`.

    said ── embed ─────────────────────────────────────────┐
    state ── query ── attention(memory) ── context ──┬── joined ── cell ── state
                                                     └───────────────────────┴── known ── scores

The second can do more and costs more: its body runs whole at each step, and so does whatever the attention makes of
the memory (U m in the additive one), although it is the same every time. Trained alike, it took 1.5 times the processor
time and was no better (`load_results` in `experiment.py`), so the model is built with the first.
"""

from __future__ import annotations

from torch import nn

from workbench.blocks.attention import AdditiveAttention
from workbench.blocks.convert import Flatten
from workbench.blocks.embedding import Embedding
from workbench.blocks.linear import MLP
from workbench.blocks.merge import Concat
from workbench.blocks.recurrent import GRU, GRUCell
from workbench.fabric import Block, Fabric, Loop
from workbench.pronounce.data import SOUNDS


def all_steps(embedded: int, width: int) -> Fabric:
    """A GRU along what was said, then attention for all its states at once."""
    return Fabric(
        f"said = batch steps: int64, state = batch {width}, memory = batch time {width}, mask = batch time: bool "
        f"-> scores = batch steps {len(SOUNDS)}, state = batch {width}",
        embed=("said", Embedding(len(SOUNDS), embedded)),
        states=("embed", "state", GRU(embedded, width)),
        attention=("states.outputs", "memory", "mask", AdditiveAttention(width, width, hidden=width)),
        known=("states.outputs", "attention", Concat()),
        scores=MLP([2 * width, width, len(SOUNDS)], nn.Tanh),
        returns=("scores", "states.last"),
    )


def step_by_step(embedded: int, width: int) -> Loop:
    """A loop over time: each state sees what the one before it found in the memory."""
    body = Fabric(
        f"said = batch: int64, state = batch {width}, memory = batch time {width}, mask = batch time: bool "
        f"-> scores = batch {len(SOUNDS)}, state = batch {width}",
        embed=("said", Embedding(len(SOUNDS), embedded)),
        query=("state", Block(nn.Unflatten(1, (1, width)), f"batch {width} -> batch 1 {width}")),
        attention=("query", "memory", "mask", AdditiveAttention(width, width, hidden=width)),
        context=Flatten(),
        joined=("embed", "context", Concat()),
        cell=("joined", "state", GRUCell(embedded + width, width)),
        known=("cell", "context", Concat()),
        scores=MLP([2 * width, width, len(SOUNDS)], nn.Tanh),
        returns=("scores", "cell"),
    )
    return Loop(body, over="said", carry={"state": "state"})
