"""A training process killed by the operating system, again and again, ends with the bits of one left in peace."""

import random
import subprocess
import sys
import time

import pytest
import torch

SCRIPT = """
import sys
import torch
from torch import nn
from workbench.training import fit

torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 5))
x = torch.randn(160, 20)
fit(model, (x, x[:, :5].argmax(-1)), epochs=50, batch=8, learning_rate=0.01, checkpoint=sys.argv[1], progress=False)
torch.save(model.state_dict(), sys.argv[2])
"""


def start(folder) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(folder / "checkpoint.pt"), str(folder / "final.pt")]
    return subprocess.Popen(command)


def kill_while_training(folder, pause: float) -> bytes:
    """Starts or resumes, waits for a new checkpoint, then kills `pause` seconds later: the checkpoint that is left."""
    checkpoint = folder / "checkpoint.pt"
    before = checkpoint.read_bytes() if checkpoint.exists() else None
    process = start(folder)
    while process.poll() is None and (not checkpoint.exists() or checkpoint.read_bytes() == before):
        time.sleep(0.005)
    time.sleep(pause)  # some part of an epoch, or of saving it
    process.kill()
    assert process.wait(timeout=60) != 0, "it had ended before it was killed"
    return checkpoint.read_bytes()


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    undisturbed = start(whole)  # beside the others: it must not matter
    pauses = random.Random(0)
    left = {kill_while_training(killed, pauses.uniform(0, 0.05)) for _ in range(3)}
    assert len(left) == 3  # each went on from where the one before was killed
    assert start(killed).wait(timeout=120) == 0
    assert undisturbed.wait(timeout=120) == 0
    expected, found = (torch.load(folder / "final.pt", weights_only=True) for folder in (whole, killed))
    assert all(torch.equal(expected[name], found[name]) for name in expected | found)
    assert not [path.name for path in killed.iterdir() if path.suffix == ".tmp"]
