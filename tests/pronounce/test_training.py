"""The recipe: same seed, same bits; it learns; what is not counted does not count."""

import pytest
import torch
from torch.nn import functional

from workbench.pronounce import (
    Recipe,
    build,
    choose,
    examples,
    measure,
    sound_loss,
    train,
    train_on,
    training,
)
from workbench.pronounce.data import IGNORED

TINY = Recipe(words=300, batch=32, legs=((1, 5e-3), (1, 5e-4)))


def test_a_seed_gives_the_same_model_again(small_dictionary):
    first, again, other = (train("dot-product", seed, TINY) for seed in (0, 0, 1))
    weights, same, different = (trained.model.state_dict() for trained in (first, again, other))
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not torch.equal(weights["embed.module.weight"], different["embed.module.weight"])
    assert first.loss == again.loss
    assert first.cpu_seconds > 0
    assert not first.model.training


def test_no_two_legs_see_the_words_in_one_order(monkeypatch, few_words):
    orders = []

    def fit(model, seen, *, seed, **options):
        orders.append(seed)  # it settles the order of the examples
        return fitted(model, seen, seed=seed, **options)

    fitted = training.fit
    monkeypatch.setattr(training, "fit", fit)
    words = examples(choose(few_words.train, 40))
    for seed in range(3):
        train_on(build(), words, seed, TINY)
    assert len(set(orders)) == len(orders) == 3 * len(TINY.legs)


def test_it_learns_words_by_heart(few_words):
    words = choose(few_words.train, 60)
    torch.manual_seed(0)
    recipe = Recipe(words=60, batch=20, legs=((60, 5e-3),))
    model = train_on(build(), examples(words), recipe=recipe).model
    assert measure(model, words).phoneme < 0.1


def test_the_loss_is_the_mean_over_the_steps_that_count():
    torch.manual_seed(0)
    scores, target = torch.randn(2, 3, 40), torch.tensor([[5, 0, IGNORED], [0, IGNORED, IGNORED]])
    counted = [functional.cross_entropy(scores[i, j], target[i, j]) for i, j in ((0, 0), (0, 1), (1, 0))]
    torch.testing.assert_close(sound_loss(scores, target), torch.stack(counted).mean())


def test_an_unknown_variant_is_refused(small_dictionary):
    with pytest.raises(ValueError, match="variant: expected one of"):
        train("telepathy", 0, TINY)
