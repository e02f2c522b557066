"""Questions of the easy lesson: what each wrong choice shows, and why the right one is right."""

from __future__ import annotations

from workbench.exercises.exercise import Question

LESSON = "1_blocks/1_easy"

RECALL_FLOPS = Question(
    name="blocks.recall_flops",
    lesson=LESSON,
    prompt="From the start page: how many FLOPs does it take to multiply a 100 × 40 matrix by a 40 × 10 matrix?",
    options={"a": "4,400", "b": "40,000", "c": "80,000", "d": "1,000"},
    answer="c",
    why={
        "a": "That is how many numbers the two inputs hold. Each of them is used many times over.",
        "b": "There are 40,000 products to form, but each of them is added to a sum as well: two operations.",
        "c": "1,000 results, each a sum of 40 products, and a product with its addition counts as two operations.",
        "d": "That is how many results there are. Each of them is a sum of 40 products.",
    },
)

RECALL_ONE_EXAMPLE = Question(
    name="blocks.recall_one_example",
    lesson=LESSON,
    prompt="From the start page: a large linear layer is used on one single example. Each weight, four bytes, is "
    "read once and used for one multiplication and one addition. What sets the time?",
    options={
        "a": "How fast the machine calculates, for there is nothing but arithmetic here",
        "b": "How fast the weights come from memory",
        "c": "How many layers come after it",
        "d": "Nothing can be said without a measurement",
    },
    answer="b",
    why={
        "a": "Two operations for four bytes are half a FLOP a byte, far to the left of the bend of any roof. The "
        "adders wait.",
        "b": "Half a FLOP for each byte. With many examples at once a weight would be used many times for one trip, "
        "and that is one reason why one trains in batches.",
        "c": "What comes later has its own time. This layer's is set by its own bytes and FLOPs.",
        "d": "Seconds need a measurement; which of the two jobs is the slower one follows from two counts.",
    },
)

SAME_EVERYWHERE = Question(
    name="blocks.same_everywhere",
    lesson=LESSON,
    prompt="A convolution with 16 filters of 3 × 3 reads pictures of 28 × 28. Now the pictures are 56 × 56. How many "
    "weights must it have?",
    options={
        "a": "As many as before",
        "b": "Twice as many",
        "c": "Four times as many, as there are four times as many pixels",
        "d": "It cannot read them: a network is made for one size",
    },
    answer="a",
    why={
        "a": "The same small window is set down at more places. More arithmetic, not one weight more.",
        "b": "The sides have doubled, but a filter stays 3 × 3. It is only set down more often.",
        "c": "That is so for a linear layer, which has weights for each pixel. A filter does not know how many places "
        "there are.",
        "d": "A linear layer is made for one size. A convolution reads any picture that is at least as large as its "
        "window.",
    },
)

ORDER = Question(
    name="blocks.order",
    lesson=LESSON,
    prompt="Take the learned places out of our attention model, then swap two pieces of a signal. What happens to "
    "its answer?",
    options={
        "a": "It is reversed",
        "b": "It gets worse, by more the farther apart the two pieces are",
        "c": "It changes, as every piece is now read by other pieces than before",
        "d": "Nothing at all",
    },
    answer="d",
    why={
        "a": "Nothing in attention runs from left to right, so nothing can be reversed.",
        "b": "Far or near is the same to attention. It is the recurrent model that has to carry things far.",
        "c": "Each piece is read by all others, before and after. What they read from it depends on what it holds, not "
        "on where it stands.",
        "d": "Matches are between contents. Without places a signal is a bag of pieces, and a bag has no order.",
    },
)

MINDS = Question(
    name="blocks.minds",
    lesson=LESSON,
    prompt="Why did the MLP not mind the shuffling of the signals?",
    options={
        "a": "It had learned the order beforehand",
        "b": "Each input number has weights of its own, so any order is as good as any other",
        "c": "It is too small to see the difference, a larger one would mind",
        "d": "Shuffling loses nothing, so no network can mind it",
    },
    answer="b",
    why={
        "a": "It started from random weights both times, and never saw the other order.",
        "b": "Rename the inputs and rename the weights the same way: it is the same network. Order was never built in.",
        "c": "It holds for any size. Shuffle the columns of its first matrix along with the inputs, and every output "
        "stays what it was.",
        "d": "True, nothing is lost. But three models did mind: they had counted on neighbors being neighbors.",
    },
)

ALIGNED = Question(
    name="blocks.aligned",
    lesson=LESSON,
    prompt="You have photographs of one machine part, all taken by one camera on a fixed stand, and a few hundred "
    "labels. A colleague says: pictures, so we need a convolution. What do you answer?",
    options={
        "a": "Of course: convolutions are best for pictures",
        "b": "No: an MLP is always better with little data",
        "c": "Let us try an MLP beside it, as here each pixel always shows the same spot",
        "d": "We need attention, it has replaced both of them",
    },
    answer="c",
    why={
        "a": "It is best where the same pattern may turn up in many places. On a fixed stand it may not.",
        "b": "With little data it matters most that what a block takes for granted is true. For an MLP with pictures "
        "that move about, that goes badly.",
        "c": "Aligned pictures are what the MLP did well on. Which is better is a quick experiment, not a matter of "
        "faith.",
        "d": "Attention takes the least for granted of the three. That is its strength when there is very much data.",
    },
)

RESIDUAL = Question(
    name="blocks.residual",
    lesson=LESSON,
    prompt="What does a residual connection change, so that a deep stack can be trained?",
    options={
        "a": "It adds weights, and with them the power to learn",
        "b": "It makes the computation of each layer cheaper",
        "c": "It skips layers that are not needed and so makes the network shallower",
        "d": "It gives the error a way back on which nothing multiplies it",
    },
    answer="d",
    why={
        "a": "It has no weights. The plain stack and the residual one have exactly as many parameters.",
        "b": "It costs one more addition. Every layer is still computed, and takes as long as before.",
        "c": "All layers run, always. A layer may learn to add little, but it is never left out.",
        "d": "The output is x + f(x). Whatever f does to the error, the x hands it on unchanged, and both are added.",
    },
)
