"""`import zoo` is light, and imports between the rooms only ever point down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import sys
{imports}
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""


def imported_by(imports: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(imports=imports)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def needed() -> set[str]:
    """What the four libraries that `zoo` needs bring in themselves."""
    return imported_by("import jax, flax, optax, numpy; from flax import nnx")


def test_import_zoo_imports_nothing_but_what_it_needs(needed):
    added = imported_by("import zoo") - needed
    assert added - set(sys.stdlib_module_names) == {"zoo"}


def test_so_do_the_rooms_that_need_more_once_they_are_used(needed):
    rooms = "zoo.data, zoo.explain, zoo.models, zoo.reports"
    added = imported_by(f"import {rooms}") - needed
    assert added - set(sys.stdlib_module_names) == {"zoo"}


# The rooms from the top down, and the rooms that each may import. `zoo.errors` is open to all.
ALL = {"data", "explain", "functional", "keras", "layers", "models", "reports", "training"}
MAY_IMPORT = {
    "recipes": ALL,
    "benchmarks": ALL,
    "reports": set(),
    "explain": {"layers"},
    # What an example and a split are, how a batch is cut, which layers gain by it; never a model.
    "training": {"data", "functional", "layers"},
    "keras": {"functional", "layers"},
    "models": {"layers"},
    "data": set(),
    "layers": {"functional"},
    "functional": set(),
}
# The facade gathers what users meet first.
FACADE = ROOT / "zoo" / "__init__.py"


def room_of(module: str) -> str:
    """`zoo.data.hub` belongs to `data`, `recipes.readme` to `recipes`."""
    parts = module.split(".")
    return parts[1] if parts[0] == "zoo" and len(parts) > 1 else parts[0]


def imports_of(file: Path, names: tuple[str, ...] = ("zoo", "recipes", "benchmarks")) -> set[str]:
    """The modules of `names` that a file imports, wherever in it; `from zoo import a` is `zoo.a`.

    A relative import is resolved by where the file is.
    """
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = file.parent.relative_to(ROOT).parts
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            found |= (
                {f"{module}.{alias.name}" for alias in node.names} if module in names else {module}
            )
    return {module for module in found if module.split(".")[0] in names}


def files() -> list[Path]:
    paths = [
        path for room in ("zoo", "recipes", "benchmarks") for path in ROOT.glob(f"{room}/**/*.py")
    ]
    return [path for path in paths if path != FACADE]


def test_every_room_is_listed():
    rooms = {path.parent.name for path in ROOT.glob("zoo/*/__init__.py")}
    assert rooms == ALL == set(MAY_IMPORT) - {"recipes", "benchmarks"}


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_arrows_point_down(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    room = room_of(".".join(parts))
    allowed = {"errors"} if room == "errors" else MAY_IMPORT[room] | {room, "errors"}
    if room in ("recipes", "benchmarks"):
        allowed |= {"create_model", "list_models", "register_model", "summary", "zoo"}
    forbidden = {module for module in imports_of(file) if room_of(module) not in allowed}
    assert not forbidden


def test_the_list_itself_points_down():
    order = list(MAY_IMPORT)
    for room, others in MAY_IMPORT.items():
        assert all(order.index(other) > order.index(room) for other in others)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import zoo.data.hub", {"zoo.data.hub"}),
        ("from zoo import functional as F, errors", {"zoo.functional", "zoo.errors"}),
        ("def f():\n    from zoo.models import weights_of", {"zoo.models"}),
        ("from .hub import hub_tables", {"zoo.data.hub"}),
        ("from ..models import create_model", {"zoo.models"}),
        ("from recipes.command import run\nimport numpy", {"recipes.command"}),
        ("from benchmarks import cases", {"benchmarks.cases"}),
    ],
)
def test_no_import_is_overlooked(tmp_path, monkeypatch, text, found):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "zoo" / "data" / "module.py"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert imports_of(file) == found
