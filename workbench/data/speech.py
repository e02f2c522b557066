"""Speech: five sentences read aloud, and a trained network that hears whether anybody speaks."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from workbench.data.assets import read_asset


@dataclass(frozen=True)
class Clip:
    """A spoken sentence: `samples` is float32 (n,) in [-1, 1) at `rate` samples per second."""

    name: str
    samples: Tensor
    rate: int
    transcript: str


def load_silero() -> dict[str, Tensor]:
    """The state dict of Silero's voice activity detector for 16 kHz: 309,633 float32 parameters in 15 tensors."""
    return safetensors.torch.load(read_asset("data/silero_vad_16k.safetensors"))


def load_librivox() -> list[Clip]:
    """Five sentences of "Sense and Sensibility", read aloud, 16 kHz, with their transcripts, in the book's order."""
    lines = read_asset("data/librivox/transcription").decode("ascii").strip().splitlines()
    clips = []
    for line in lines:
        words, _, name = line.rstrip(")").rpartition(" (")  # "<s> he was not … </s> (file-name)"
        with wave.open(io.BytesIO(read_asset(f"data/librivox/{name}.wav"))) as file:
            pulses = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")  # 16-bit, one channel
            samples = torch.from_numpy(pulses.astype(np.float32) / 32768)
            clips.append(Clip(name, samples, file.getframerate(), words[len("<s> ") : -len(" </s>")]))
    return clips
