"""Silero's voice activity detector: is anybody speaking in these 32 milliseconds? Convolutions, then one memory cell.

    samples ── Fourier transform ── magnitude ── 4 convolutions ── LSTM cell ── 1 number
    (576,)          (258, 4)         (129, 4)        (128, 1)        (128,)

The transform is a convolution too: its 258 fixed filters are the cosines and sines of 129 frequencies. The four that
follow have a bias and no normalization. In the authors' own file they are called `reparam_conv`: what was trained as
several branches with normalization has been merged into one convolution before it was published (as in RepVGG, Ding
et al., arXiv 2101.03697, §3.3). A real case for a fuser: it has to find that nothing is left to fold.

Source: github.com/snakers4/silero-vad (the model for 16 kHz; MIT license).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.data import load_silero

WINDOW, CONTEXT = 512, 64  # samples at 16 kHz: those asked about, and those heard just before
FREQUENCIES = 129
WIDTH = 128


class SileroVAD(nn.Module):
    """Samples (batch, 576) at 16 kHz and state (2, batch, 128) -> probability of speech (batch,), new state."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * FREQUENCIES, 256, stride=128, bias=False)
        self.conv1 = nn.Conv1d(FREQUENCIES, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, WIDTH, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(WIDTH, WIDTH)
        self.final_conv = nn.Conv1d(WIDTH, 1, 1)

    def forward(self, samples: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        waves = self.stft_conv(F.pad(samples.unsqueeze(1), (0, 64), mode="reflect"))  # (batch, 258, 4)
        cosines, sines = waves[:, :FREQUENCIES], waves[:, FREQUENCIES:]
        x = torch.sqrt(cosines**2 + sines**2)  # (batch, 129, 4)
        x = torch.relu(self.conv1(x))  # (batch, 128, 4)
        x = torch.relu(self.conv2(x))  # (batch, 64, 2)
        x = torch.relu(self.conv3(x))  # (batch, 64, 1)
        x = torch.relu(self.conv4(x)).squeeze(-1)  # (batch, 128)
        hidden, cell = self.lstm_cell(x, (state[0], state[1]))  # (batch, 128) each
        speech = torch.sigmoid(self.final_conv(torch.relu(hidden).unsqueeze(-1)))  # (batch, 1, 1)
        return speech.flatten(), torch.stack((hidden, cell))

    def listen(self, samples: Tensor) -> Tensor:
        """The probability of speech in each window of 512 samples (n,) at 16 kHz: (ceil(n / 512),)."""
        heard = F.pad(samples, (CONTEXT, -len(samples) % WINDOW))
        state, found = heard.new_zeros(2, 1, WIDTH), []
        for window in heard.unfold(0, CONTEXT + WINDOW, WINDOW):  # (576,)
            speech, state = self(window.unsqueeze(0), state)
            found.append(speech)
        return torch.cat(found)


def load_silero_vad() -> SileroVAD:
    """The trained detector in evaluation mode. Raises DataError when the asset is missing or damaged."""
    model = SileroVAD()
    model.load_state_dict(load_silero())
    return model.eval()
