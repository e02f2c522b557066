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
        "b": "A recurrent network, as it remembers what it has read",
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

CALLED_TWICE = Question(
    name="fusion.called_twice",
    lesson=LESSON,
    prompt="One convolution is called twice; after the second call comes batch normalization. A pass folds the "
    "normalization into the convolution's weights. What happens?",
    options={
        "a": "The result is right, as the normalization did belong to this convolution",
        "b": "An error, as a module cannot be changed after tracing",
        "c": "A wrong result without an error, as the first call is scaled too",
        "d": "Nothing changes before the graph is compiled again",
    },
    answer="c",
    why={
        "a": "It belonged to one call of it. A module is an object with weights; the graph calls it in two places.",
        "b": "Tracing keeps the module itself. Its weights can be replaced at any time, and nobody checks why.",
        "c": "Both calls use the new weights, and only one of them was normalized before. Nothing looks wrong but the "
        "numbers, so a pass must count the calls.",
        "d": "New weights count at the next call. Recompiling is needed where the graph was changed.",
    },
)

WHO_FUSED_IT = Question(
    name="fusion.who_fused_it",
    lesson=LESSON,
    prompt="Suppose your fused add + RMSNorm is well ahead of torch in eager mode and level with torch.compile. What "
    "is the likeliest reason?",
    options={
        "a": "torch.compile takes a faster, less exact square root",
        "b": "The compiler has fused the two by itself: elementwise chains are what it fuses best",
        "c": "It runs the graph on several machines at once",
        "d": "The timing is wrong, as no compiler can match code written by hand",
    },
    answer="b",
    why={
        "a": "It computes the same formula. A change of precision would have to be asked for.",
        "b": "It sees the graph, and makes one loop of neighboring elementwise operations. What stays for you are "
        "patterns that it does not know, and places where it cannot be used.",
        "c": "It compiles for the machine that it runs on. Nothing is sent elsewhere.",
        "d": "Both move the same few bytes, and bytes set the time here. There is nothing left by which to win.",
    },
)

COUNT_THE_REQUESTS = Question(
    name="fusion.count_the_requests",
    lesson=LESSON,
    prompt="32 lanes of a warp each load one float32 number. In kernel A they stand next to each other in a row, in "
    "kernel B below each other in a wide matrix. Both get 128 useful bytes. What does the memory move?",
    options={
        "a": "128 bytes in both, for that is what was asked for",
        "b": "128 bytes for A, 4,096 for B, as 32 numbers a lane come along",
        "c": "1,024 bytes in both, as each lane is served on its own",
        "d": "128 bytes for A and 1,024 for B",
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

ADABN = Question(
    name="fusion.adabn",
    lesson=LESSON,
    prompt="AdaBN adapts a trained network to pictures of another style. What does it change, and what does it need?",
    options={
        "a": "All weights, and labels of the new style",
        "b": "The statistics of the normalization layers, and pictures of the new style without labels",
        "c": "The last layer alone, and a few labels of the new style",
        "d": "The pictures, which are drawn over in the old style",
    },
    answer="b",
    why={
        "a": "That is fine-tuning. AdaBN trains nothing, so it needs no labels and no gradients.",
        "b": "Mean and variance of each channel are taken anew from the new pictures. Not one weight is changed.",
        "c": "A new last layer is another good method, but it has to be trained, on labels.",
        "d": "The pictures stay as they are. It is the channels inside the network that are brought to the old scale.",
    },
)

DANN_UNSTABLE = Question(
    name="fusion.dann_unstable",
    lesson=LESSON,
    prompt="Suppose domain-adversarial training gave one good run out of five; the others were worse than no "
    "adaptation. How should it be reported?",
    options={
        "a": "By the best run, for it shows what the method is able to do",
        "b": "Not at all: a method that fails four times is no method",
        "c": "By the best run, chosen by its accuracy on labels of the new domain",
        "d": "By mean and spread over all five, next to those of no adaptation",
    },
    answer="d",
    why={
        "a": "Whoever runs it next has one run, not the best of five. The best of five of anything looks good.",
        "b": "That it is unstable here is a result, and useful to the next reader. The page should say so.",
        "c": "With labels of the new domain to choose by, one could have trained on them. That is no longer adaptation "
        "without labels.",
        "d": "Two networks pull against each other, and where that ends depends on the seed. The spread is the "
        "finding.",
    },
)

QUESTIONS: tuple[Question, ...] = (
    RECALL_FOLD,
    RECALL_ATTENTION,
    CALLED_TWICE,
    COUNT_THE_REQUESTS,
    STREAMING_ATTENTION,
    WHO_FUSED_IT,
    ADABN,
    DANN_UNSTABLE,
)
