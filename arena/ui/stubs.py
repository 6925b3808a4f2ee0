"""Keeps Gradio from parsing and rewriting its own type stubs at every start: a third of what its import costs.

`import gradio` reads the source of each of its 76 components to bring a `.pyi` beside it up to date, for editors.
A server needs none, may not write there, and is to take votes again within seconds of a crash.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

_MODULE, _FUNCTION = "gradio.component_meta", "create_or_modify_pyi"


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if hasattr(module, _FUNCTION):
            setattr(module, _FUNCTION, lambda *_: None)


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == _MODULE else None
        if spec is not None and spec.origin:
            spec.loader = _Loader(name, spec.origin)
        return spec


def skip_stubs() -> None:
    """Have effect on a Gradio that is not imported yet."""
    if _MODULE not in sys.modules:
        sys.meta_path.insert(0, _Finder())
