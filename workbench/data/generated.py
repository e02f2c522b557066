"""MNIST-1D: signals of 40 points that look like digits drawn in one line. Generated, not recorded.

Each of the ten classes has a template of 12 points. An example is its template, stretched, sheared, set down somewhere
in the signal, and covered with noise (Greydanus and Kobak, arXiv 2011.14439). What tells the classes apart is
therefore a *shape* whose place means nothing: the question for which convolutions were made, small enough for a CPU.

The package `mnist1d` (Apache-2.0) makes them from a fixed seed, the same on every machine; nothing is downloaded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.data.assets import DataError


@dataclass(frozen=True)
class SignalPart:
    """One side of a set of signals."""

    signals: Tensor  # float32 (n, 40), of mean 0 and variance 1 over the whole set
    labels: Tensor  # int64 (n,)


@dataclass(frozen=True)
class SignalSet:
    """Signals with one of ten classes each."""

    train: SignalPart
    test: SignalPart
    categories: list[str]


def load_mnist1d() -> SignalSet:
    """4,000 signals to train on and 1,000 to test on, made in a second or two; the caller's random state is untouched.

    Raises DataError, saying what to install, where the package is absent.
    """
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        raise DataError(
            "MNIST-1D is made by a package that is not installed here: pip install mnist1d==0.0.2.post1"
        ) from error

    # the package seeds the generators that everyone shares
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    train, test = _part(made["x"], made["y"]), _part(made["x_test"], made["y_test"])
    return SignalSet(train, test, [str(digit) for digit in range(10)])


def _part(signals: np.ndarray, labels: np.ndarray) -> SignalPart:
    return SignalPart(torch.from_numpy(signals.astype(np.float32)), torch.from_numpy(labels.astype(np.int64)))
