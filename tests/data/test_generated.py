"""MNIST-1D is made the same every time, leaves no trace, and says what to install where it cannot be made."""

import random
import sys

import numpy as np
import pytest
import torch

from workbench.data import DataError, load_mnist1d

LABELS = [2, 6, 4, 5, 6, 6, 6, 0, 3, 1, 6, 9]
POINTS = [-0.332, -0.4719, -0.7787, -1.0097]


@pytest.fixture(scope="module")
def signals():
    pytest.importorskip("mnist1d")
    return load_mnist1d()


def test_has_the_documented_sizes_types_and_classes(signals):
    for part, count in ((signals.train, 4000), (signals.test, 1000)):
        assert part.signals.shape == (count, 40)
        assert part.signals.dtype == torch.float32
        assert part.labels.shape == (count,)
        assert part.labels.dtype == torch.int64
    labels = torch.cat([signals.train.labels, signals.test.labels])
    assert torch.bincount(labels).tolist() == [500] * 10
    assert signals.categories == [str(digit) for digit in range(10)]
    points = torch.cat([signals.train.signals, signals.test.signals])
    assert abs(points.mean()) < 1e-4
    assert abs(points.std() - 1) < 1e-4


def test_is_the_data_set_that_the_lessons_figures_come_from(signals):
    assert signals.train.labels[:12].tolist() == LABELS
    assert torch.allclose(signals.train.signals[0, :4], torch.tensor(POINTS), atol=1e-4)


def test_is_made_the_same_again_and_leaves_the_random_state_alone(signals):
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    expected = random.random(), np.random.random(), torch.rand(()).item()
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    again = load_mnist1d()
    assert (random.random(), np.random.random(), torch.rand(()).item()) == expected
    assert torch.equal(again.train.signals, signals.train.signals)
    assert torch.equal(again.test.labels, signals.test.labels)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(DataError, match=r"pip install mnist1d==0\.0\.2\.post1"):
        load_mnist1d()
