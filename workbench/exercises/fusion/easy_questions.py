"""Questions of the easy lesson: what each wrong choice shows, and why the right one is right."""

from __future__ import annotations

from workbench.exercises.exercise import Question

LESSON = "3_fusion/1_easy"

RECALL_BYTES = Question(
    name="fusion.recall_bytes",
    lesson=LESSON,
    prompt="From the start page: a and b hold one million float32 numbers each. How many bytes must pass through "
    "memory for c = a + b?",
    options={"a": "1 million", "b": "4 million", "c": "8 million", "d": "12 million"},
    answer="d",
    why={
        "a": "Counts numbers added, not bytes. Each number takes four bytes, and three lists are touched.",
        "b": "Counts one list only. Besides a, the list b is read and the list c is written.",
        "c": "Forgets the write. The result has to go to memory too, and a write costs as much as a read.",
        "d": "Read a, read b, write c: three lists of four million bytes.",
    },
)

RECALL_LIMIT = Question(
    name="fusion.recall_limit",
    lesson=LESSON,
    prompt="From the start page: an operation does 1 FLOP for every 12 bytes. The roof of your machine bends at 10 "
    "FLOPs a byte. What sets the time of a long run?",
    options={
        "a": "The memory's bandwidth",
        "b": "The speed of calculation",
        "c": "The number of FLOPs, whatever the bytes",
        "d": "It cannot be said without running it",
    },
    answer="a",
    why={
        "a": "At 1/12 FLOP a byte it lies far left of the bend. The arithmetic is done long before the bytes arrive.",
        "b": "That is so to the right of the bend, above 10 FLOPs a byte. Here there are 120 times fewer.",
        "c": "FLOPs alone decide nothing. An operation takes at least as long as the slower of its two jobs.",
        "d": "The seconds cannot be said, the limit can. Two counts and the place of the bend are enough.",
    },
)

TOWER = Question(
    name="fusion.tower",
    lesson=LESSON,
    prompt="A tower of blocks: when can one block of a network be stacked on another?",
    options={
        "a": "When both have the same number of weights",
        "b": "When both were trained together from the start",
        "c": "When what leaves the lower one has the shape the upper one takes",
        "d": "Always: a framework such as torch cuts or stretches the data until it fits",
    },
    answer="c",
    why={
        "a": "Weights are inside a block; its neighbor never sees them. A block of ten weights may stand on one of a "
        "million.",
        "b": "Blocks trained apart can be joined, as long as the joint fits. Whether the joined network is any good is "
        "the next question, and more training answers it.",
        "c": "Only the joint counts: the shape (and the type) on its lower side must be the one on its upper side.",
        "d": "Torch stops with an error about shapes. Where it does stretch quietly (broadcasting), the result is "
        "often not what was meant.",
    },
)

EARLY_OR_LATE = Question(
    name="fusion.early_or_late",
    lesson=LESSON,
    prompt="A sign is a joke when name and picture disagree: the name says red and the picture is blue, or the "
    "other way round. One module sees the name, one the picture. Which fusion can learn to spot a joke?",
    options={
        "a": "Late: each module gives its own verdict, and the two are averaged",
        "b": "Early: the features of both are joined, and further layers see them together",
        "c": "Both: in the end the same information has gone in",
        "d": "Neither: one module would have to see name and picture from the start",
    },
    answer="b",
    why={
        "a": "Verdicts come too late here. The name alone says nothing about a joke, nor does the picture alone, and "
        "the average of two verdicts that know nothing knows nothing.",
        "b": "Whether two things agree can be seen only where both are in view. Layers after the join have both.",
        "c": "The same information goes in, but late fusion has thrown most of it away before the two meet. What is "
        "left of each side is a verdict.",
        "d": "Separate encoders are fine, as long as they pass on features and not verdicts. The layers after the "
        "join do the rest.",
    },
)

CHAIN_BYTES = Question(
    name="fusion.chain_bytes",
    lesson=LESSON,
    prompt="Four elementwise operations run one after another on n float32 numbers, for example ×2, +1, tanh, ×3. "
    "Fused into one, how many times fewer bytes pass through memory?",
    options={
        "a": "2 times fewer",
        "b": "4 times fewer",
        "c": "16 times fewer",
        "d": "No fewer: the arithmetic is the same",
    },
    answer="b",
    why={
        "a": "Each operation reads and writes, that is 8 passes over n numbers. Fused, 2 passes remain, not 4.",
        "b": "Eight passes (four reads, four writes) become two: the first read and the last write.",
        "c": "Squares the saving. Reads and writes shrink four times each, and so does their sum.",
        "d": "The arithmetic is indeed the same, and it was never the limit here. What fusing saves is the way to "
        "memory and back between the steps.",
    },
)

FOLD_WHEN = Question(
    name="fusion.fold_when",
    lesson=LESSON,
    prompt="Batch normalization after a convolution can be folded into the convolution's own weights. When?",
    options={
        "a": "When the network is in use, with its statistics fixed",
        "b": "During training too: it is the same formula",
        "c": "Never exactly: the folded network is a different, cheaper one",
        "d": "Whenever the convolution has no bias of its own",
    },
    answer="a",
    why={
        "a": "With fixed mean and variance, the normalization is one multiplication and one addition per channel. Both "
        "can be carried out on the weights, once, beforehand.",
        "b": "In training, mean and variance are those of the present batch. They change with every batch, so there is "
        "nothing fixed to fold in.",
        "c": "It is the same function, written with other weights. Only the last digits differ, by rounding.",
        "d": "A bias is no hindrance: it is shifted and scaled along with the rest. What matters is that the "
        "statistics stay as they are.",
    },
)

SAME_ANSWER = Question(
    name="fusion.same_answer",
    lesson=LESSON,
    prompt="Bias and GELU are fused into one operation. What happens to the results?",
    options={
        "a": "They are the same bit for bit: the formula has not changed",
        "b": "They get a little worse: speed is paid for with accuracy",
        "c": "They get better: the network learns with the fused form",
        "d": "They are the same but for rounding in the last digits",
    },
    answer="d",
    why={
        "a": "Nearly. The steps may round differently, for the value between them is no longer stored and read back.",
        "b": "Fusing leaves out trips to memory, not arithmetic. An approximate formula would be another change, with "
        "a name of its own.",
        "c": "The mathematics is the same, so there is nothing new to learn. What changes is where the value between "
        "the steps is kept.",
        "d": "The same mathematics, with other rounding on the way. A test with a small tolerance holds the two equal.",
    },
)

WHEN_NO_GAIN = Question(
    name="fusion.when_no_gain",
    lesson=LESSON,
    prompt="Each pair could be fused into one operation. Where is there the least time to gain, in percent?",
    options={
        "a": "Adding a bias to 16 million numbers, then GELU",
        "b": "Adding two long lists, then scaling the sum",
        "c": "Multiplying two 4096 × 4096 matrices, then adding a bias",
        "d": "Adding a residual to a long list, then a ReLU",
    },
    answer="c",
    why={
        "a": "Both steps wait for memory, and one of two round trips falls away. This is where fusing pays.",
        "b": "Both steps wait for memory. Fused, the sum is scaled before it ever leaves the processor.",
        "c": "The multiplication calculates 137 billion FLOPs, and that takes nearly all the time. The trip the bias "
        "saves is real, but small beside it.",
        "d": "Both steps do almost no arithmetic and wait for memory. Fused, five passes over the list become three.",
    },
)

QUESTIONS: tuple[Question, ...] = (
    RECALL_BYTES,
    RECALL_LIMIT,
    TOWER,
    EARLY_OR_LATE,
    CHAIN_BYTES,
    SAME_ANSWER,
    FOLD_WHEN,
    WHEN_NO_GAIN,
)
