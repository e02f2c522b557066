"""Reading PTX: how wide its loads are, what it does in double precision, and which source line wrote what.

An instruction is an optional predicate, a name with modifiers, operands and a semicolon:

    @%p1 ld.global.nc.v4.f32  {%f1,%f2,%f3,%f4}, [%rd1];      16 bytes a lane: 4 of 32 bits

`.loc 1 52 1` says that what follows comes from line 52 of file 1; line 0 means that the compiler made it up.

Source: NVIDIA, PTX ISA, "Instruction Statements", "Data Movement Instructions: ld, st", "Debugging Directives: .loc".
"""

import re
from collections import Counter
from collections.abc import Iterator

# at the start of a text line: a location, a function, or an instruction up to its semicolon (a call takes more lines)
STATEMENT = re.compile(
    r"(?m)^[\s{]*(?:\.loc\s+\d+\s+(?P<line>\d+)|(?P<function>\.(?:visible|weak|func|entry)\b)"
    r"|(?P<instruction>(?:@!?%p\d+\s+)?[a-z][^;]*;))"
)
# the kernel's name as the linker sees it, a hundred letters and more, before the number of a parameter
MANGLED = re.compile(r"\b_Z\w+(?=_param_\d)")
NAME = re.compile(r"(?:@!?%p\d+\s+)?([\w.:]+)")
STATE_SPACES = {"const", "global", "local", "param", "shared", "tex"}


def instructions(ptx: str) -> Iterator[tuple[int, str]]:
    """Every instruction after the number of the source line that it comes from; 0 where it comes from none."""
    line = 0
    for found in STATEMENT.finditer(re.sub(r"//.*", "", ptx)):
        if not found["instruction"]:
            line = int(found["line"] or 0)  # a function begins without one
        else:
            yield line, MANGLED.sub("kernel", " ".join(found["instruction"].split()))


def widths(ptx: str, instruction: str, space: str) -> dict[int, int]:
    """How many `ld` or `st` of a state space move how many bytes a lane: {width: count}.

    An access that names no space is generic, decided by its address while it runs; it counts as "global".
    """
    counts: Counter[int] = Counter()
    for _, text in instructions(ptx):
        name, *modifiers = _name(text).split(".")
        named = {modifier.partition(":")[0] for modifier in modifiers} & STATE_SPACES or {"global"}
        if name == instruction and space in named:
            lanes = next((int(modifier[1:]) for modifier in modifiers if re.fullmatch(r"v\d", modifier)), 1)
            counts[lanes * int(modifiers[-1][1:]) // 8] += 1
    return dict(sorted(counts.items()))


def doubles(ptx: str) -> list[str]:
    """The instructions that work in double precision."""
    return [text for _, text in instructions(ptx) if ".f64" in _name(text)]


def _name(instruction: str) -> str:
    named = NAME.match(instruction)
    return named[1] if named else ""
