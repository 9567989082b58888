"""Planted bugs: a copy of a Verilog file with one piece of text replaced."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unmask.proofs.engine.obligation import Files
from unmask.spec.errors import UsageError


@dataclass(frozen=True)
class Mutation:
    """Replace `old`, which must stand exactly once in `file`, by `new`."""

    file: Path
    old: str
    new: str

    @contextmanager
    def applied(self, files: Files) -> Iterator[Files]:
        """Replacements in which the (possibly already replaced) file is the mutated copy.

        Raises:
            UsageError: if the text to replace is not there exactly once.
        """
        text = files.get(self.file, self.file).read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise UsageError(
                f"the twin's text to replace stands {times} times, expected once: {self.old!r}",
                str(self.file),
            )
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, self.file.name)
            copy.write_text(text.replace(self.old, self.new), encoding="utf-8")
            yield {**files, self.file: copy}
