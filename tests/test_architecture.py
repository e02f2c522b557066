"""The layout is the architecture: imports point down, there are no circles, and unsafe reading has no place."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("workbench", "kernels")
    for path in (ROOT / package).rglob("*.py")
}
# from the top down: a package may import itself and those below it, not those beside it
FLOORS = [
    {"workbench.__main__"},
    {"workbench.doctor", "workbench.lab"},
    {"workbench.learn"},
    {"workbench.exercises", "workbench.widgets"},
    {"workbench.mixing", "workbench.pronounce"},
    {"workbench.training", "workbench.fusion", "workbench.topologies"},
    {"workbench.fabric"},
    {"workbench.data", "workbench.blocks"},
    {"workbench.profiling", "workbench.drawing"},
    {"workbench.atomic", "kernels"},
]
# programs that stand on top of their package
EXCEPTIONS = {
    ("kernels.bench.race", "workbench.profiling"),  # the timer, for `python -m kernels.bench`
    ("kernels.bench.result", "workbench.profiling"),
    ("kernels.bench.plot", "workbench.drawing"),  # the house style
    (
        "workbench.fusion.__main__",
        "workbench.topologies",
    ),  # networks to fuse, for `python -m workbench.fusion`
    ("workbench.fusion.__main__", "workbench.training"),
}


def room(module: str) -> str:
    """The package (or single module) of the table above that a module belongs to."""
    names = [name for floor in FLOORS for name in floor if module == name or module.startswith(f"{name}.")]
    return max(names, key=len, default="")


def imports(path: Path) -> set[str]:
    """The modules of this project that a file imports, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import module` names a module, `from module import name` does not
            found |= {
                name if (name := f"{node.module}.{alias.name}") in FILES else node.module
                for alias in node.names
            }
    return {name for name in found if name.split(".")[0] in ("workbench", "kernels")}


@pytest.mark.parametrize("module", FILES)
def test_imports_point_down(module):
    if module == "workbench":
        assert not imports(FILES[module]), (
            "the package itself stays light: set-up imports it on a bare Python"
        )
        return
    own = room(module)
    assert own, f"{module} has no floor: add it to the table"
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    for imported in imports(FILES[module]):
        other = room(imported)
        if (module, other) in EXCEPTIONS or own == other or imported == "workbench":
            continue
        assert floor[other] > floor[own], f"{module} imports {imported}, which stands above or beside it"


def test_no_circles():
    graph = {module: imports(path) & FILES.keys() for module, path in FILES.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_the_set_up_needs_nothing_but_python():
    """`workbench.lab.install` runs before anything is installed."""
    waiting, seen = ["workbench", "workbench.lab", "workbench.lab.install"], set()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            outside = {name.split(".")[0] for name in names} - {"workbench"}
            assert outside <= sys.stdlib_module_names, f"{module} imports {outside}"
        waiting += [name for name in imports(FILES[module]) if name not in seen]


@pytest.mark.parametrize("module", FILES)
def test_nothing_is_unpickled(module):
    """A file from elsewhere must not be able to run code."""
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            assert not {"pickle", "dill", "joblib", "shelve"} & set(names)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load"):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            safe = options.get("weights_only") == "True" or options.get("allow_pickle") == "False"
            assert safe, f"{module}: {ast.unparse(node)}"
