"""A dictionary of a few thousand words: reading all of it takes longer than the tests that need a little."""

import pytest

from workbench.data import PronouncingDictionary, load_cmudict
from workbench.pronounce import experiment, training


@pytest.fixture(scope="session")
def few_words() -> PronouncingDictionary:
    whole = load_cmudict()
    train, test = (dict(list(part.items())[::step]) for part, step in ((whole.train, 60), (whole.test, 60)))
    return PronouncingDictionary(train, test)


@pytest.fixture
def small_dictionary(few_words, monkeypatch) -> PronouncingDictionary:
    """What `train` and `run` then take for cmudict."""
    for module in (training, experiment):
        monkeypatch.setattr(module, "load_cmudict", lambda: few_words)
    return few_words
