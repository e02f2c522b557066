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
        "b": "It gives shares without meaning, as it has never met noise",
        "c": "It splits evenly, as it cannot tell the two apart",
        "d": "It turns them down a little, as noise looks like no category",
    },
    answer="b",
    why={
        "a": "It has the parts to do so, but training turns them only where that lowers the loss. On clean examples "
        "nothing was gained by looking out for noise.",
        "b": "What a network does on inputs unlike all it was trained on, nobody has decided. Spoil some examples in "
        "training, and there is something to learn.",
        "c": "An even split takes equal scores, and noise gives scores like any other input. Feature by feature the "
        "shares lie far from a half; only their mean may look even.",
        "d": "The gate is not told how sure anybody is of a category. Nothing in its training has tied 'looks like "
        "none of them' to a low score.",
    },
)

WHAT_CORRUPTION_TEACHES = Question(
    name="fusion.what_corruption_teaches",
    lesson=LESSON,
    prompt="A gate was trained with one modality spoiled in half of the examples, and does well on spoiled ones. What "
    "do you look at to find out whether the gate was needed for it?",
    options={
        "a": "The same training, with concatenation",
        "b": "The same gate, trained on clean examples",
        "c": "Its shares for a spoiled modality",
        "d": "The same gate, under noise of another kind",
    },
    answer="a",
    why={
        "a": "Two things were new, the joint and the training. With the training held fixed, over several seeds, what "
        "differs is due to the joint.",
        "b": "That shows what the spoiled examples did. The joint is the same in both, so it says nothing about the "
        "gate.",
        "c": "They show how this network does it. Concatenation may learn the same inside its next layer, out of "
        "sight.",
        "d": "That shows how far the lesson reaches. Without another joint beside it, it says nothing about who else "
        "could have learned it.",
    },
)

AVERAGE_WHAT = Question(
    name="fusion.average_what",
    lesson=LESSON,
    prompt="Five networks, trained from five seeds, each about equally good. Averaging their answers helps; averaging "
    "their weights ruins them. Why?",
    options={
        "a": "The networks disagree on the answers, and so do their weights",
        "b": "Weights that come from different seeds have different scales",
        "c": "Each has seen the data in another order",
        "d": "Unit 7 of one network is not unit 7 of another",
    },
    answer="d",
    why={
        "a": "Five copies of one function, each with its units in another order, agree on every answer, and the mean "
        "of their weights is just as bad.",
        "b": "Copies of one function hold the very same numbers, in another order, so their scales are equal. The mean "
        "of their weights is just as bad.",
        "c": "So have the five of one ancestor, after they parted, and the mean of their weights is good. What counts "
        "is what they had in common before.",
        "d": "Any order of the hidden units gives the same function, and each seed finds its own: the mean of two that "
        "mean different things means neither. Copies of one function with units in another order fail in the same "
        "way. Put the units of independent networks into the same order first (Git Re-Basin, arXiv 2209.04836), and "
        "most of the loss is gone.",
    },
)

FOLD_THEN_TRAIN = Question(
    name="fusion.fold_then_train",
    lesson=LESSON,
    prompt="You fold the batch normalization of a trained network, then train it on for a few epochs. What is true?",
    options={
        "a": "It trains on as before",
        "b": "It cannot be trained, as folded weights are constants",
        "c": "It trains on without normalization",
        "d": "The normalization comes back with .train()",
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

ONE_LIST_TWO_COUNTS = Question(
    name="fusion.one_list_two_counts",
    lesson=LESSON,
    prompt="Fused, your counter gives this list of operations the bytes of three matrices and the weight. The ledger "
    "of add_rms_norm says four matrices and the weight. Why?",
    options={
        "a": "The kernel goes over x twice: for the mean, then for the result",
        "b": "The mean needs a whole row, so the squares have to be stored",
        "c": "The ledger counts the weight once for every row",
        "d": "The list does not say that the sum is needed elsewhere",
    },
    answer="d",
    why={
        "a": "A kernel may do so, and a ledger would not count it: it holds the fewest bytes, with each input read "
        "once, and is written down before any kernel runs.",
        "b": "Each square is added to a running sum and forgotten. One number a row is what the mean needs to keep.",
        "c": "The weight stands in the ledger as one vector, beside four matrices. What belongs to all rows is stored "
        "once and counts once.",
        "d": "In the list only later steps read summed, so the counter lets it stay in registers. The next layer of a "
        "transformer reads it too, so it is written: a count is as good as its list.",
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

QUESTIONS: tuple[Question, ...] = (
    RECALL_JOINTS,
    RECALL_ROUND_TRIPS,
    WHEN_A_GATE_HELPS,
    WHAT_CORRUPTION_TEACHES,
    AVERAGE_WHAT,
    FOLD_THEN_TRAIN,
    ONE_LIST_TWO_COUNTS,
    PRICE_OF_MODULES,
)
