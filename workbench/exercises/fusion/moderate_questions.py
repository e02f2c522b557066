"""Questions of the moderate lesson: fusing modules that see different data, and what it costs to keep them apart."""

from __future__ import annotations

from workbench.exercises.exercise import Question

LESSON = "3_fusion/2_moderate"

RECALL_JOINTS = Question(
    name="fusion.recall_joints",
    lesson=LESSON,
    prompt="From the easy lesson: two towers end in 32 numbers each, and the next block takes 32. Which joint fits "
    "without any change to that block?",
    options={
        "a": "Setting the two vectors side by side",
        "b": "Adding the two vectors, number by number",
        "c": "Both of them fit",
        "d": "Neither: two towers cannot share a block",
    },
    answer="b",
    why={
        "a": "Side by side the widths add up to 64, and a block that takes 32 refuses them.",
        "b": "32 numbers plus 32 numbers are 32 numbers. Adding needs equal widths and keeps them.",
        "c": "Only one of them keeps the width. Side by side, 32 and 32 numbers make 64.",
        "d": "They can share whatever stands above the joint. Only the shape has to fit.",
    },
)

RECALL_ROUND_TRIPS = Question(
    name="fusion.recall_round_trips",
    lesson=LESSON,
    prompt="From the easy lesson: six elementwise operations on n numbers are fused into one. How many numbers pass "
    "through memory, before and after?",
    options={"a": "6n, then n", "b": "12n, then 7n", "c": "12n, then 2n", "d": "7n, then 2n"},
    answer="c",
    why={
        "a": "Counts the reads only. Each result is written as well, also the last one.",
        "b": "The first count is right. Fused, values between two steps stay in registers and are not written.",
        "c": "Six reads and six writes become the first read and the last write.",
        "d": "The second count is right. One by one, what stands between two steps is written and read again.",
    },
)

WHEN_A_GATE_HELPS = Question(
    name="fusion.when_a_gate_helps",
    lesson=LESSON,
    prompt="A gate can turn a modality down. It was trained on clean examples only, and now the pictures are noise. "
    "What is to be expected?",
    options={
        "a": "It turns the pictures down, for that is what a gate is for",
        "b": "It has learned nothing about noise, so its shares may be anything",
        "c": "It splits evenly, as it cannot tell the two apart",
        "d": "It refuses to answer, as its softmax no longer sums to one",
    },
    answer="b",
    why={
        "a": "It has the parts to do so, but training turns them only where that lowers the loss. On clean examples "
        "nothing was gained by looking out for noise.",
        "b": "What a network does on inputs unlike all it was trained on, nobody has decided. Spoil some examples in "
        "training, and there is something to learn.",
        "c": "An even split would need scores that are equal. Noise gives scores like any other input, only arbitrary "
        "ones.",
        "d": "A softmax sums to one for any scores. The shares always look reasonable, and that is the danger.",
    },
)

WHAT_CORRUPTION_TEACHES = Question(
    name="fusion.what_corruption_teaches",
    lesson=LESSON,
    prompt="You train with one modality spoiled in half of the examples, at random. How do you find out whether it was "
    "the gate that made the difference?",
    options={
        "a": "Train plain concatenation on the same spoiled examples, over several seeds, and compare",
        "b": "Compare with the gate that was trained on clean examples",
        "c": "Look at the gate's shares: if they drop for the spoiled modality, it was the gate",
        "d": "Test it on spoiled pictures: a high accuracy is proof enough",
    },
    answer="a",
    why={
        "a": "Two things were changed, the joint and the training. Holding the training fixed shows what the joint "
        "does; the spread over seeds shows what luck does.",
        "b": "That shows what the spoiled examples did. The joint is the same in both, so it says nothing about the "
        "gate.",
        "c": "It shows how this network does it. Concatenation may learn the same inside its next layer, out of sight.",
        "d": "High compared with what? Some other joint with the same training may be just as high.",
    },
)

AVERAGE_WHAT = Question(
    name="fusion.average_what",
    lesson=LESSON,
    prompt="Five networks, trained from five seeds, each about equally good. Averaging their answers helps; averaging "
    "their weights ruins them. Why?",
    options={
        "a": "Weights are rounded, and rounding errors add up over five networks",
        "b": "The averaged network is too small to hold what five have learned",
        "c": "Averaged weights would need a lower learning rate",
        "d": "Hidden units have no fixed order: unit 7 of one is not unit 7 of another",
    },
    answer="d",
    why={
        "a": "Rounding changes the seventh digit. Here whole units are mixed with ones that mean something else.",
        "b": "It is as large as each of the five, and each of them alone is good. Size is not what is missing.",
        "c": "Nothing is being trained here. The average is taken once, afterwards.",
        "d": "Any order of the units gives the same network, and each seed finds its own. The average of two that mean "
        "different things means neither. From one common ancestor it can work.",
    },
)

PRICE_OF_MODULES = Question(
    name="fusion.price_of_modules",
    lesson=LESSON,
    prompt="A model of many small nested modules is rewritten as one flat function. Where is the gain in percent "
    "largest?",
    options={
        "a": "On one example with narrow layers",
        "b": "On a large batch with wide layers",
        "c": "It is the same everywhere: the calls saved are the same",
        "d": "Nowhere: Python's calls are free beside any arithmetic",
    },
    answer="a",
    why={
        "a": "Each call of a module costs about the same, whatever goes through it. Where there is little work, the "
        "calls are a large part of the time.",
        "b": "There the work takes so long that the calls vanish beside it. Modules cost next to nothing here.",
        "c": "The microseconds saved are the same, and the percentage is not: it depends on the work beside them.",
        "d": "A call takes about a microsecond, and so does a very small operation. They are free beside large ones "
        "only.",
    },
)

FOLD_THEN_TRAIN = Question(
    name="fusion.fold_then_train",
    lesson=LESSON,
    prompt="You fold the batch normalization of a trained network, then train it on for a few epochs. What is true?",
    options={
        "a": "It trains as before, for it computes the same function",
        "b": "It cannot be trained: its weights are frozen",
        "c": "It starts from the same function, but trains as a network without normalization",
        "d": "The normalization comes back as soon as .train() is called",
    },
    answer="c",
    why={
        "a": "It is the same function with fixed statistics. In training mode the original would take each batch's "
        "own, and its gradients are others.",
        "b": "The folded weights are ordinary parameters, and gradients reach them.",
        "c": "Same outputs now, another training from here on: nothing keeps the scale of the layers any more. So one "
        "folds when training is over.",
        "d": "The normalization is no longer in the network. .train() sets a mode; it cannot bring a layer back.",
    },
)

QUESTIONS: tuple[Question, ...] = (
    RECALL_JOINTS,
    RECALL_ROUND_TRIPS,
    WHEN_A_GATE_HELPS,
    WHAT_CORRUPTION_TEACHES,
    AVERAGE_WHAT,
    FOLD_THEN_TRAIN,
    PRICE_OF_MODULES,
)
