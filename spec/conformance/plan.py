"""Which steps a directory of test vectors holds, and the command that writes them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.conformance import constructions, parameters
from unmask.spec.conformance.case import Case
from unmask.spec.errors import UsageError
from unmask.spec.pack import pack, unpack

_MOST_BYTES = 1 << 30  # of logits: more is a slip of the keyboard


@dataclass(frozen=True)
class Plan:
    """What to write: contract, parameters that are given, names of steps, sizes, seed."""

    contract: str
    given: Mapping[str, Any]
    families: Sequence[str]
    shape: tuple[int, int, int]
    cases: int
    seed: int = 0
    form: str = "BF16"

    def command(self, folder: Path) -> str:
        """The command that writes the same again."""
        batch, rows, vocabulary = self.shape
        words: list[object] = [
            "unmask",
            "vectors",
            "--contract",
            self.contract,
            "--out",
            str(folder),
        ]
        words += ["--batch", batch, "--rows", rows, "--vocabulary", vocabulary]
        words += ["--cases", self.cases, "--seed", self.seed, "--format", self.form]
        for name in self.families:
            words += ["--family", name]
        for name, value in self.given.items():
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            words += ["--set", f"{name}={text.lower()}"]
        return shlex.join(map(str, words))

    def draw(self) -> tuple[list[Case], dict[str, NDArray[np.uint8]]]:
        """The cases, and the MX arrays that their logits are read from.

        Raises:
            UsageError: on a name or a number that does not fit.
        """
        parameters.contract_name(self.contract)
        parameters.known(self.contract, list(self.given))
        for name in self.families:
            if name not in constructions.NAMES:
                wanted = ", ".join(constructions.NAMES)
                raise UsageError(f"--family {name!r}; there are {wanted}")
        self._check_counts()
        batch, rows, vocabulary = self.shape
        for name, size, least in (("batch", batch, 1), ("rows", rows, 1), ("cases", self.cases, 1)):
            if size < least:
                raise UsageError(f"--{name} is {size}; expected {least} or more")
        if not 2 <= vocabulary <= 1 << 18:
            raise UsageError(f"--vocabulary is {vocabulary}; expected 2 to 2**18")
        if 2 * self.cases * batch * rows * vocabulary > _MOST_BYTES:
            raise UsageError(f"the logits of {self.cases} cases would take more than 1 GiB")
        names = self.families or constructions.NAMES
        cases, parts = [], []
        for number in range(self.cases):
            name, again = names[number % len(names)], number // len(names)
            case = constructions.step(
                name, self.contract, self.shape, self.given, self.seed + again
            )
            parameters.checked(self.contract, case.parameters, self.shape)
            quantised, part = _quantised(case, self.form)
            cases.append(quantised)
            parts.append(part)
        return cases, {name: np.array([part[name] for part in parts]) for name in parts[0]}

    def _check_counts(self) -> None:
        """Raise a UsageError for a count that its file, of int32, cannot hold."""
        most = np.iinfo(np.int32).max
        for name in parameters.COUNTS:
            value = self.given.get(name, 0)
            for count in value if isinstance(value, list) else [value]:
                if count > most:
                    raise UsageError(f"{name} is {count}; expected {most} or less")


def _quantised(case: Case, form: str) -> tuple[Case, dict[str, NDArray[np.uint8]]]:
    """A case with its logits as they are read from a format, and the arrays that hold them."""
    batch, rows, vocabulary = case.shape
    packed = pack(case.codes.reshape(-1, vocabulary), form)
    shape = packed.shape
    codes = unpack(packed.image, shape).reshape(case.shape)
    read = replace(case, codes=codes)
    if shape.layout.element is None:
        return read, {}
    count = batch * rows * shape.pitch
    blocks = shape.pitch // shape.layout.block
    scales = packed.image[shape.scale : shape.scale + count // shape.layout.block]
    return read, {
        "elements": packed.image[:count].reshape(batch, rows, shape.pitch),
        "scales": scales.reshape(batch, rows, blocks),
    }
