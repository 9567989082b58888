"""A second copy of the specification's modules, with the text of one of them changed.

Functions are captured when modules are imported (in the table's rows, in closures, in caches), so a
changed module is loaded anew, and with it all modules that import it, in their order. Meant for a
process of its own: `sys.modules` then names the copies.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType

import unmask.spec
from unmask.spec.errors import UsageError

PREFIX = "unmask.spec."
SPEC = Path(unmask.spec.__path__[0])


def path_of(module: str) -> Path:
    return SPEC.joinpath(*module.split(".")).with_suffix(".py")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


@cache
def code_of(module: str) -> CodeType:
    return compile(tree_of(module), str(path_of(module)), "exec")


def _imported(module: str) -> list[str]:
    """Modules of the specification that a module's import statements name."""
    found = []
    for node in tree_of(module).body:
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        for name in (node.module, *(f"{node.module}.{x.name}" for x in node.names)):
            short = name.removeprefix(PREFIX)
            if short != name and path_of(short).is_file():
                found.append(short)
    return found


@cache
def order() -> tuple[str, ...]:
    """What the interpreter is made of; a module comes after what it imports."""
    done: dict[str, None] = {}

    def visit(module: str) -> None:
        for name in _imported(module):
            if name not in done:
                visit(name)
        done[module] = None

    visit("machine")
    return tuple(done)


_TIMES = {name: path_of(name).stat().st_mtime_ns for name in order()}  # before they are loaded
importlib.import_module(PREFIX + "machine")


def check_unchanged() -> None:
    """Raise UsageError if a file changed since: its text is then not what was measured."""
    for name, time in _TIMES.items():
        if path_of(name).stat().st_mtime_ns != time:
            raise UsageError(
                "changed while its mutants were run; run them again", str(path_of(name))
            )


@cache
def affected(module: str) -> tuple[str, ...]:
    """The module and all that import it, directly or not, in order."""
    found = {module}
    for name in order():
        if found.intersection(_imported(name)):
            found.add(name)
    return tuple(name for name in order() if name in found)


def modules() -> dict[str, ModuleType]:
    """The specification as it is loaded now: short name -> module."""
    return {name: sys.modules[PREFIX + name] for name in order()}


def load(module: str, code: CodeType) -> dict[str, ModuleType]:
    """Load `code` in the place of a module, and anew what imports it; all modules by short name."""
    for name in affected(module):
        full = PREFIX + name
        spec = importlib.util.spec_from_file_location(full, path_of(name))
        assert spec is not None
        made = importlib.util.module_from_spec(spec)
        sys.modules[full] = made
        parent, _, last = full.rpartition(".")
        setattr(sys.modules[parent], last, made)
        exec(code if name == module else code_of(name), vars(made))
    return modules()
