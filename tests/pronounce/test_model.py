"""The model as a whole: it fits, takes any length, and ignores what stands behind a word."""

import pytest
import torch

from workbench.fabric import EdgeError
from workbench.pronounce import VARIANTS, build, make, speak, spell
from workbench.pronounce.encoders import recurrent
from workbench.pronounce.model import WIDTH, MaskedMean


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_edge_of_every_variant_fits(variant):
    checked = make(variant).check(time=8, steps=9)
    assert len(checked.edges) > 10
    assert checked.outputs[0].tensor.shape[1:] == (9, 40)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_word_is_said_the_same_in_any_company(variant):
    model = make(variant).double().eval()
    letters, mask = spell(["cat", "examples", "a"])
    said, _ = speak([("K", "AE", "T"), ("IH", "G", "Z"), ("AH",)])
    together = model(letters, mask, said)
    alone = model(letters[:1, :3], mask[:1, :3], said[:1])
    torch.testing.assert_close(together[:1], alone)


def test_an_encoder_of_another_width_is_refused_and_nothing_is_changed():
    model = build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(EdgeError, match="encoder") as error:
        model.swap("encoder", recurrent(32, WIDTH // 2))
    assert "48" in str(error.value)
    assert "96" in str(error.value)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_masked_mean_is_the_mean_of_what_is_there():
    mean = MaskedMean(4)
    memory = torch.randn(3, 5, 4)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False], [False] * 5])
    memory[1, 2:] = torch.nan
    expected = torch.stack([memory[0].mean(0), memory[1, :2].mean(0), torch.zeros(4)])
    torch.testing.assert_close(mean(memory, mask), expected)
