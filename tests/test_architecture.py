"""The code keeps to the import table: data goes one way, and heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "arena"

L0 = {"arena.types", "arena.errors", "arena.markup"}
MODELS = {"numpy", "torch", "transformers", "bitsandbytes", "accelerate", "safetensors", "tokenizers"}
BASE = L0 | {"arena.config"}

# layer: (what of ours it may import besides itself, which libraries besides the standard one)
TABLE: dict[str, tuple[set[str], set[str]]] = {
    "arena.types": (set(), set()),
    "arena.errors": (set(), set()),
    "arena.markup": (set(), set()),
    "arena.config": (L0, {"pydantic", "pydantic_core", "yaml"}),
    "arena.ratings": (L0, {"numpy"}),
    "arena.engines": (BASE, {"openai", "huggingface_hub", "httpx2", "starlette", "uvicorn", "pynvml"}),
    "arena.battles": (BASE | {"arena.engines.base"}, set()),
    "arena.store": (L0, {"sqlalchemy", "alembic", "pyarrow", "cryptography"}),
    "arena.offline": (L0 | {"arena.config", "arena.ratings", "arena.store.files"}, set()),
    "arena.service": (
        BASE | {"arena.engines", "arena.ratings", "arena.battles", "arena.store"},
        {"numpy", "huggingface_hub", "packaging"},
    ),
    "arena.judge": (
        BASE | {"arena.service", "arena.engines.base", "arena.ratings", "arena.store"},
        {"yaml"},
    ),
    "arena.benchmarks": (
        L0 | {"arena.service", "arena.engines.base", "arena.ratings"},
        {"numpy", "pyarrow", "rouge_score", "razdel", "py3langid", "nltk", "pymorphy3", "huggingface_hub"},
    ),
    "arena.ui": (
        BASE
        | {"arena.service", "arena.judge", "arena.benchmarks", "arena.battles.stream", "arena.ratings"}
        | {"arena.store.records"},
        {"gradio", "plotly", "starlette", "numpy", "prometheus_client"},
    ),
    "arena.cli": (
        BASE
        | {
            "arena.service", "arena.judge", "arena.benchmarks", "arena.offline", "arena.ratings", "arena.store",
            "arena.ui.app",
        },
        {"typer", "rich"},
    ),
    "arena.__main__": ({"arena.cli"}, set()),
}  # fmt: skip
HEAVY = {"arena.engines.worker": MODELS, "arena.engines.toys": MODELS, "arena.engines.zerogpu": MODELS | {"spaces"},
         "arena.engines.selftest": MODELS}  # fmt: skip


@cache
def modules() -> tuple[tuple[str, Path], ...]:
    """Every module by its name, with its file."""
    names = {path: path.relative_to(ROOT.parent).with_suffix("").parts for path in sorted(ROOT.rglob("*.py"))}
    return tuple((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path) for path, parts in names.items())


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Every module a file imports, wherever in the file, except for type checking only."""
    found: list[str] = []
    left: list[ast.AST] = [tree_of(path)]
    while left:
        node = left.pop()
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            left += node.orelse
        elif not isinstance(node, ast.expr):  # no import stands within an expression
            left += ast.iter_child_nodes(node)
    return tuple(found)


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


def layer_of(module: str) -> str | None:
    return next((layer for layer in TABLE if within(module, {layer})), None)


def faults(module: str, path: Path) -> Iterator[str]:
    import sys

    layer = layer_of(module)
    assert layer is not None, f"{module} stands in no layer of the table"
    ours, libraries = TABLE[layer]
    heavy = next((extra for place, extra in HEAVY.items() if within(module, {place})), set())
    for name in imported(path):
        top = name.split(".")[0]
        if top == "arena":
            if not within(name, ours | {layer}) and name not in ("arena", "arena.__version__"):
                yield f"{module} imports {name}"
        elif top not in sys.stdlib_module_names and top not in libraries | heavy:
            yield f"{module} imports {name}"


@pytest.mark.parametrize("layer", TABLE)
def test_every_module_imports_only_what_its_layer_may(layer: str) -> None:
    """The table is the architecture; an import outside it is a change of plan that belongs into the table first."""
    found = [fault for module, path in modules() if layer_of(module) == layer for fault in faults(module, path)]
    assert not found, "\n".join(found)


def test_every_module_belongs_to_a_layer() -> None:
    """A new package is given its place before it is used."""
    homeless = [module for module, _ in modules() if module != "arena" and layer_of(module) is None]
    assert not homeless


def test_no_module_has_a_name_that_says_nothing() -> None:
    """What a file is for stands in its name."""
    empty_names = {"models", "utils", "common", "helpers", "misc"}
    assert not [module for module, _ in modules() if module.rpartition(".")[2] in empty_names - {"models"}]
    assert not (ROOT / "models.py").exists()


def test_every_module_says_what_it_is_for() -> None:
    """A module opens with what it does."""
    silent = [name for name, path in modules() if path.stat().st_size and not ast.get_docstring(tree_of(path))]
    assert not silent


def test_every_test_file_has_a_name_of_its_own() -> None:
    """Test files are imported by their names alone, so two of one name cannot run together."""
    names = [path.name for path in (ROOT.parent / "tests").rglob("test_*.py")]
    assert {name for name in names if names.count(name) > 1} == set()


def test_the_measurements_environment_brings_what_ratings_and_store_import() -> None:
    """perf/ratings.py runs where only perf/requirements.txt was installed; PostgreSQL's driver apart."""
    import sys

    needed = {
        name.split(".")[0]
        for module, path in modules()
        if layer_of(module) in ("arena.ratings", "arena.store")
        for name in imported(path)
    }
    brought = set(re.findall(r"^[\w-]+", (ROOT.parent / "perf" / "requirements.txt").read_text(), re.MULTILINE))
    assert needed - set(sys.stdlib_module_names) - {"arena", "psycopg"} <= brought
