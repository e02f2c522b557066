"""The detector hears speech where somebody speaks, and nothing in silence, noise or a tone."""

import pytest
import torch

from workbench.data import load_librivox
from workbench.topologies.silero_vad import WINDOW, SileroVAD, load_silero_vad


@pytest.fixture(scope="module", name="detector")
def _detector() -> SileroVAD:
    return load_silero_vad()


@torch.no_grad()
def test_it_hears_sentences(detector):
    for clip in load_librivox()[:2]:
        speech = detector.listen(clip.samples)
        assert len(speech) == -(-len(clip.samples) // WINDOW)
        assert (speech > 0.5).float().mean() > 0.8
        assert speech[:2].max() < 0.5  # the breath before


@torch.no_grad()
def test_it_hears_nobody_in_other_sounds(detector):
    seconds = torch.arange(16000) / 16000
    noise = 0.1 * torch.randn(16000, generator=torch.Generator().manual_seed(0))
    for sound in (torch.zeros(16000), noise, torch.sin(2 * torch.pi * 440 * seconds)):
        assert detector.listen(sound).max() < 0.2


@torch.no_grad()
def test_windows_are_heard_one_after_the_other(detector):
    """A batch of two listens as each alone; the state carries on, so what came before matters."""
    x, state = torch.randn(2, 576), torch.randn(2, 2, 128)
    speech, later = detector(x, state)
    for one in range(2):
        alone, its_state = detector(x[one : one + 1], state[:, one : one + 1])
        torch.testing.assert_close(alone, speech[one : one + 1])
        torch.testing.assert_close(its_state, later[:, one : one + 1])
    assert not torch.allclose(detector(x, later)[0], speech)
