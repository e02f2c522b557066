"""Whom to trust: the picture says what the scores say, for every knob, and refuses scores that lack something."""

import random

import pytest

from workbench.drawing.shapes import Circle, Text
from workbench.mixing import robust
from workbench.mixing.scores import Scores
from workbench.widgets import whom_to_trust
from workbench.widgets.whom_to_trust import ALONE, CONDITIONS, LEFT, NOISE, RIGHT, WAYS

METHODS = [fusion + training for fusion in robust.FUSIONS for training in ("", NOISE)]
INTACT = {"clean": 0.6, "picture": 0.6, "name": 0.5, "either": 0.55}


@pytest.fixture
def scores() -> Scores:
    chance = random.Random()
    keys = [(method, condition) for method in METHODS for condition in CONDITIONS]
    return Scores({key: [chance.uniform(0.1, 0.79) for _ in range(3)] for key in keys})


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("way", WAYS)
def test_every_mark_stands_at_its_mean(scores, condition, way):
    scene = whom_to_trust(scores, INTACT).figure(condition=condition, way=way)
    marks = [shape for shape in scene.shapes if isinstance(shape, Circle)][2:]  # the first two are the key's
    expected = [scores.mean(method, condition) for method in METHODS]
    assert [mark.x for mark in marks] == pytest.approx(
        [LEFT + (RIGHT - LEFT) * share / 0.8 for share in expected]
    )
    bold = {
        shape.text
        for shape in scene.shapes
        if isinstance(shape, Text) and shape.anchor == "end" and shape.weight == "bold"
    }
    assert bold == {f"{f.split()[0]}, {WAYS[way]}" for f in robust.FUSIONS if f.endswith(" " + way)}
    assert f"{ALONE[condition]} gets {100 * INTACT[condition]:.1f} %" in scene.alt


def test_the_alternative_text_names_the_best(scores):
    best = max(METHODS, key=lambda method: scores.mean(method, "name"))
    assert f"that of {best}," in whom_to_trust(scores, INTACT).figure(condition="name").alt


def test_refuses_what_is_missing(scores):
    with pytest.raises(ValueError, match="alone: expected an accuracy under either"):
        whom_to_trust(scores, {name: share for name, share in INTACT.items() if name != "either"})
    lacking = Scores(
        {key: values for key, values in scores.by_seed.items() if key != ("late gate" + NOISE, "name")}
    )
    with pytest.raises(ValueError, match="no score of 'late gate \\+ noise' under 'name'"):
        whom_to_trust(lacking, INTACT)
