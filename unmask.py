"""The import name `unmask`: the folders beside this file are its sub-packages.

In a plain checkout and in an editable install this module *is* the package (its `__path__` is
the folder it lies in), so `from unmask.spec import isa` works without building anything. A wheel
carries the same text as `unmask/__init__.py`.
"""

import os
from typing import Any

__path__ = [os.path.dirname(os.path.abspath(__file__))]
__version__ = "0.1.0"

# Console sub-command -> module whose `main(argv)` runs it, and one line of help.
COMMANDS = {
    "asm": ("unmask.spec.__main__", "assemble a program"),
    "disasm": ("unmask.spec.__main__", "print the instructions of a program image"),
    "run": ("unmask.spec.__main__", "run a program on the executable specification"),
    "pack": ("unmask.spec.__main__", "logits to an image of HBM"),
    "unpack": ("unmask.spec.__main__", "an image of HBM to logits"),
    "certify": ("unmask.spec.__main__", "what is proven of the tokens that logits lead to"),
    "vectors": ("unmask.spec.__main__", "test vectors of a sampling contract for any simulator"),
    "check": ("unmask.spec.__main__", "judge what a design made of test vectors"),
    "conform": ("unmask.spec.__main__", "try a PyTorch sampler against a contract"),
    "header": ("unmask.spec.__main__", "print the Verilog constants of the instruction table"),
    "model": ("unmask.model.__main__", "cycles of programs: run, trace, lint, compare, sweep"),
    "proofs": ("unmask.proofs.__main__", "prove the theorems and print the ledger"),
}

# Public names that need PyTorch, and the module of each: imported when first used.
LAZY = {
    "certify": "unmask.spec.certificates.certificate",
    "sample_step": "unmask.spec.sampler.step",
}


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module 'unmask' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(LAZY[name]), name)


def main() -> int:
    """Run `unmask COMMAND ...`; returns the exit code (0, 1 a check failed, 2 bad input)."""
    import importlib
    import sys

    words = sys.argv[1:]
    if not words or words[0] not in COMMANDS:
        from unmask.spec.commands.shell import guarded

        return guarded(lambda: _usage(words))
    module = importlib.import_module(COMMANDS[words[0]][0])
    # The specification's commands share one parser, so they see their own name again.
    arguments = words if module.__name__ == "unmask.spec.__main__" else words[1:]
    return int(module.main(arguments))


def _usage(words: list[str]) -> int:
    print("usage: unmask COMMAND ...\n")
    for name, (_, text) in COMMANDS.items():
        print(f"  {name:8} {text}")
    return 0 if words in ([], ["-h"], ["--help"]) else 2
