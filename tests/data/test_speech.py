"""Clips are sound at 16 kHz with their sentence; the detector's weights are the documented ones."""

import torch

from workbench.data import load_librivox, load_silero


def test_clips_hold_sound_and_their_sentence():
    clips = load_librivox()
    assert len(clips) == 5
    assert clips[1].transcript == "he was not an ill disposed young man"
    for clip in clips:
        assert clip.rate == 16000
        assert clip.samples.dtype == torch.float32
        assert clip.samples.dim() == 1
        assert 0.05 < clip.samples.abs().max() < 1
        assert (
            5 < len(clip.transcript) / (len(clip.samples) / clip.rate) < 30
        )  # letters a second, as people speak


def test_the_detector_has_its_parameters():
    weights = load_silero()
    assert len(weights) == 15
    assert sum(tensor.numel() for tensor in weights.values()) == 309_633
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in weights.values())
