"""Questions of the hard lesson: graph passes, kernels, compilers, and adapting to another domain."""

from __future__ import annotations

from workbench.exercises.exercise import Question

LESSON = "3_fusion/3_hard"

RECALL_FOLD = Question(
    name="fusion.recall_fold",
    lesson=LESSON,
    prompt="From the moderate lesson: batch normalization with γ = 6, β = 5, μ = 2 and √(σ² + ε) = 3 follows a "
    "convolution with bias 4. What is the new bias?",
    options={"a": "9", "b": "5", "c": "13", "d": "7"},
    answer="a",
    why={
        "a": "The scale is 6/3 = 2, and 2·(4 − 2) + 5 = 9.",
        "b": "That is β alone, as if the old bias and the mean were the same. Here 4 − 2 is left, and it is scaled by "
        "2.",
        "c": "The mean was forgotten: 2·4 + 5 = 13. Normalization subtracts it first.",
        "d": "The old bias was not scaled: (4 − 2) + 5 = 7. It passes through the normalization like all the rest.",
    },
)

RECALL_ATTENTION = Question(
    name="fusion.recall_attention",
    lesson=LESSON,
    prompt="From the lesson on blocks: which block compares each place of a signal with every other place?",
    options={
        "a": "A convolution, as its window comes by everywhere",
        "b": "A recurrent network, as it has a memory",
        "c": "A linear layer after a flattening, as it has weights for all places",
        "d": "Attention, as each place asks all others",
    },
    answer="d",
    why={
        "a": "The window comes by everywhere, but it sees only what lies inside it, a few neighbors.",
        "b": "It reads from left to right. What lies behind is in its memory, in one vector; what lies ahead it never "
        "sees.",
        "c": "It reads all places, with fixed weights. It does not compare what stands in one place with another.",
        "d": "Each place forms a query and compares it with the keys of all, so with T places there are T·T scores.",
    },
)

READ_TWICE = Question(
    name="fusion.read_twice",
    lesson=LESSON,
    prompt="A network computes seen = conv(x) and returns norm(seen) + seen. A pass puts the folded convolution in the "
    "place of conv, takes norm out, and lets its readers read the convolution. What does the network return now?",
    options={
        "a": "The right result, as conv is called only once",
        "b": "norm(seen) + norm(seen), and nobody complains",
        "c": "The right result, as the addition keeps the old seen",
        "d": "An error, as a node is missing",
    },
    answer="b",
    why={
        "a": "One call, but two readers of its result. The addition wanted the value that was not normalized, and no "
        "layer of the new network computes it.",
        "b": "Both operands of the addition are the folded convolution now. Nothing looks wrong but the numbers, so a "
        "pass must ask who else reads the value (node.users).",
        "c": "A graph notes who reads what, and keeps no values. At each run the addition gets what the convolution "
        "returns, and that is normalized now.",
        "d": "Only norm was taken out, and nobody reads it any more. The graph is sound; it computes something else.",
    },
)

COUNT_THE_REQUESTS = Question(
    name="fusion.count_the_requests",
    lesson=LESSON,
    prompt="32 lanes of a warp each load one float32 number. In kernel A they stand next to each other in a row, in "
    "kernel B below each other in a wide matrix. Both get 128 useful bytes. What does the memory move?",
    options={
        "a": "128 bytes in both",
        "b": "128 bytes for A, 4,096 for B",
        "c": "1,024 bytes in both",
        "d": "128 bytes for A, 1,024 for B",
    },
    answer="d",
    why={
        "a": "Memory moves sectors of 32 bytes, not numbers. Below each other, every number lies in another sector.",
        "b": "The first is right. A lane that asks for one number is brought its sector of 32 bytes, not 128.",
        "c": "It is the warp's request that is served, not each lane's: neighbors share a sector.",
        "d": "Side by side, 32 numbers fill four sectors of 32 bytes. Below each other they lie in 32 sectors, and "
        "seven eighths of what is moved is thrown away.",
    },
)

WHAT_MERGING_SAVES = Question(
    name="fusion.what_merging_saves",
    lesson=LESSON,
    prompt="Three projections of one x become one product with a weight three times as tall. What becomes fewer?",
    options={
        "a": "Calls and FLOPs",
        "b": "Calls and the weights' bytes",
        "c": "Calls and reads of x",
        "d": "Calls, and nothing else",
    },
    answer="c",
    why={
        "a": "Each output is the same sum of products as before, and there are as many outputs. The FLOPs stay.",
        "b": "The new weight holds the rows of all three, and each row is read as before. Its bytes are theirs.",
        "c": "One call in place of three, and x passes once in place of three times. Every weight is still read, every "
        "output written, every product calculated.",
        "d": "Each of three products reads x for itself. The merged one reads it once, for all rows of the weight.",
    },
)

STREAMING_ATTENTION = Question(
    name="fusion.streaming_attention",
    lesson=LESSON,
    prompt="Attention can be computed tile by tile, with a running maximum and a running sum. The sequence becomes "
    "twice as long. What grows how?",
    options={
        "a": "Arithmetic four times, the extra memory not at all",
        "b": "Arithmetic two times, memory two times",
        "c": "Both four times: the scores have to be somewhere",
        "d": "Arithmetic two times, as each tile is looked at only once",
    },
    answer="a",
    why={
        "a": "All T·T scores are still computed, a tile at a time, and each tile is forgotten after use. Inputs and "
        "output grow with T, the work space does not.",
        "b": "That would need fewer scores. Every place still asks every other one; only the place to keep them is "
        "saved.",
        "c": "That is so if the whole matrix of scores is held. A running maximum and sum allow a tile to be dropped.",
        "d": "Each tile is looked at once, but there are four times as many tiles.",
    },
)

WHO_FUSED_IT = Question(
    name="fusion.who_fused_it",
    lesson=LESSON,
    prompt="Suppose that on a CPU, for 1024 × 1024 numbers, your fused add + RMSNorm is well ahead of torch in eager "
    "mode and level with torch.compile. What is the likeliest reason?",
    options={
        "a": "The compiler takes a faster, less exact square root",
        "b": "The compiler has made one loop of it too",
        "c": "The compiler saves Python's calls only",
        "d": "The timing is off, as code written by hand should win",
    },
    answer="b",
    why={
        "a": "There is one square root for each row of 1,024 numbers. Fast or slow, it is no part of the time worth "
        "speaking of.",
        "b": "Neighboring operations on the same numbers are what it merges best. No more than that follows, and it is "
        "only probable. Whether the bytes saved made both faster is another question: where compiled and eager are "
        "level although their bytes differ, bytes were not what took the time.",
        "c": "Calls cost microseconds, and at this size each loop takes hundreds of them. On tiny tensors that would "
        "be a good guess.",
        "d": "Code written by hand wins where it leaves out something that the compiler does. If both make one loop, "
        "neither does, and level is what to expect.",
    },
)

ADABN = Question(
    name="fusion.adabn",
    lesson=LESSON,
    prompt="Suppose the drawings of the other vendor that you have are all faces, about a hundred of them. AdaBN "
    "measures its statistics on these, and the network is then asked about all categories. How does it do on faces?",
    options={
        "a": "Best of all, as the statistics are their own",
        "b": "As before, as not one weight has been changed",
        "c": "Badly, as what makes a face is taken for style",
        "d": "A little better, as a hundred drawings are too few",
    },
    answer="c",
    why={
        "a": "Normalization takes away what all the drawings measured have in common. Here that is the vendor's style, "
        "and also that they are faces.",
        "b": "The weights are the same, and still every layer passes on other numbers, as it subtracts other means. "
        "That is how AdaBN helps, and how it harms.",
        "c": "A channel that answers to faces gets their mean as its new zero, so on a face it says nothing special. "
        "Hardly one is called a face any more. Statistics tell how things are drawn and also what is drawn, and AdaBN "
        "cannot tell the two apart.",
        "d": "As many drawings of all categories do about as well as the whole set. What counts is not how many there "
        "are but what is on them.",
    },
)

WHICH_STRENGTH = Question(
    name="fusion.which_strength",
    lesson=LESSON,
    prompt="The table has three strengths of DANN, five seeds each. You want to use one of them for a vendor whose "
    "drawings have no labels. Which strength is best?",
    options={
        "a": "None can be named: seeds differ as much as strengths",
        "b": "The one with the highest mean over the five seeds",
        "c": "The one whose seeds differ least, as the safest choice",
        "d": "The one whose features hide the vendor best, as DANN wants",
    },
    answer="a",
    why={
        "a": "No difference of two strengths is larger than the luck of five seeds explains. And the table took labels "
        "of the new vendor. Where there are none nobody can make it, so report all three, each with its spread.",
        "b": "Five other seeds may put another one on top: with spreads like these, the means have no order yet. And "
        "to know them takes labels that you do not have.",
        "c": "A small spread says that the next run will be like these, not that it will be good. And the spread of "
        "five runs is itself a rough estimate.",
        "d": "That can be measured without labels, but it is not the goal. Features that are the same for every "
        "drawing hide the vendor perfectly, and name no category.",
    },
)

QUESTIONS: tuple[Question, ...] = (
    RECALL_FOLD,
    RECALL_ATTENTION,
    READ_TWICE,
    COUNT_THE_REQUESTS,
    WHAT_MERGING_SAVES,
    STREAMING_ATTENTION,
    WHO_FUSED_IT,
    ADABN,
    WHICH_STRENGTH,
)
