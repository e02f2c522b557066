"""What returns its input is left out, in evaluation; what draws at random stays."""

import pytest
import torch
from torch import nn
from torch.nn import functional

X = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(1))
KINDS = [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout]


class Does(nn.Module):
    def __init__(self, does):
        super().__init__()
        self.does = does

    def forward(self, x):
        return self.does(self, x)


@pytest.mark.parametrize("kind", [nn.Identity, *KINDS])
def test_modules(exact, kind):
    x = X[0] if kind is nn.Dropout1d else X
    model = nn.Sequential(nn.ReLU(), kind(), nn.Tanh(), kind())
    report = exact(model.eval(), x)
    assert [rewrite.where for rewrite in report.rewrites] == ["1", "3"]
    assert [node.name for node in report.model.graph.nodes if node.op == "call_module"] == ["_0", "_2"]
    report = exact(model.train(), x)
    assert len(report.rewrites) == (2 if kind is nn.Identity else 0)
    if kind is not nn.Identity:
        assert {refusal.why for refusal in report.refused} == {
            "in training mode it sets numbers to zero at random"
        }


@pytest.mark.parametrize(
    ("does", "dropped"),
    [
        (lambda m, x: functional.dropout(x, 0.5, m.training), True),
        (lambda m, x: functional.dropout(x, training=m.training, inplace=True), True),
        (lambda m, x: functional.dropout(input=x, p=0.0), True),
        (lambda m, x: functional.alpha_dropout(x, 0.3), True),  # whose training is False unless said
        (lambda m, x: functional.dropout2d(x, 0.3, False), True),
        (lambda m, x: functional.dropout(x), False),  # whose training is True, also in evaluation
        (lambda m, x: functional.dropout2d(x, 0.3), False),
    ],
)
def test_functions(exact, does, dropped):
    report = exact(Does(does).eval(), X)
    assert len(report.rewrites) == dropped
    assert len(report.refused) == (not dropped)


def test_no_probability_is_no_dropout_in_training_either(exact):
    report = exact(nn.Sequential(nn.Tanh(), nn.Dropout(0.0), nn.Dropout(0.5)).train(), X)
    assert [rewrite.where for rewrite in report.rewrites] == ["1"]


def test_hooks_keep_an_identity(exact):
    model = nn.Sequential(nn.Tanh(), nn.Identity()).eval()
    model[1].register_forward_hook(lambda module, inputs, output: output + 1)
    report = exact(model, X)
    assert not report.rewrites
    assert "1 has hooks" in report.refused[0].why


def test_a_model_that_is_nothing_else(exact):
    report = exact(nn.Identity(), X)
    assert report.model(X) is X


def test_writing_into_what_an_identity_returned_still_writes_into_its_input(exact):
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.identity = nn.Identity()

        def forward(self, x):
            y = torch.relu(x)
            z = self.identity(y)
            z.add_(1)
            return y * z

    report = exact(Writes(), X)
    assert len(report.rewrites) == 1
    torch.testing.assert_close(report.model(X), (torch.relu(X) + 1).square())
