"""A directory of test vectors: `.npy` arrays, the same as `$readmemh` text, and a manifest.

Arrays have cases first, then batch rows B, positions L, vocabulary V. The manifest names each file
with its dtype, shape, meaning and SHA-256; it is written last, so what it describes is complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import unmask
from unmask.spec.commands import report
from unmask.spec.commands.files import first_line, read_bytes, read_npy, write_whole
from unmask.spec.conformance import hexfile, judge, parameters
from unmask.spec.conformance.case import Case
from unmask.spec.conformance.plan import Plan
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.reference.samplers import CONTRACTS

VERSION = 1
MANIFEST = "manifest.json"

# File -> (dtype, meaning). Those of MX formats and of parameters stand in the manifest if there.
_FILES = {
    "logits": ("uint16", "BF16 codes, as they are read after quantisation; (cases, B, L, V)"),
    "elements": ("uint8", "MX elements, filled up with zeros to the pitch; (cases, B, L, pitch)"),
    "scales": ("uint8", "E8M0 scales of MX blocks; (cases, B, L, pitch / block)"),
    "ids": ("int32", "token ids before the step; (cases, B, L)"),
    "mask": ("bool", "which positions are masked; (cases, B, L)"),
    "k": ("int32", "parameter k of each batch row; (cases, B)"),
    "q": ("int32", "parameter q of each batch row; (cases, B)"),
    "uniform": ("float32", "parameter uniform, .hex holds its bits; (cases, B, L)"),
    "prompt": ("bool", "parameter prompt; (cases, B, L)"),
    "expected_ids": ("int32", "ids after the oracle's step; (cases, B, L)"),
    "expected_transfer": ("bool", "positions that the source writes to; (cases, B, L)"),
    "must": ("bool", "positions that each admissible set has; (cases, B, L)"),
    "may": ("bool", "positions that some admissible set has; (cases, B, L)"),
}

_NOTES = (
    "Among equal confidences the expected step takes the lowest position.",
    "A set of positions is admissible if a core whose delta errs as T1 allows may choose it.",
    "must and may bound the admissible sets; not each between them is one: `unmask check` decides.",
    "`.hex` files are for $readmemh: one word a line, @address and a comment before each row.",
    "A result to check is an integer .npy of shape (cases, B, L), or .hex words in that order.",
)


def write(plan: Plan, folder: Path) -> int:
    """Write the vectors of a plan; how many files.

    Raises:
        UsageError: on a plan that does not fit, or a file that cannot be written.
    """
    cases, arrays = plan.draw()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", str(folder)) from None
    steps = [judge.expected(case) for case in cases]
    certificates = [judge.certificate(case) for case in cases]
    arrays |= {
        "logits": np.array([case.codes for case in cases]),
        "ids": np.array([case.x for case in cases]),
        "mask": np.array([case.mask for case in cases]),
        "expected_ids": np.array([step.x.numpy() for step in steps]),
        "expected_transfer": np.array([step.transfer.numpy() for step in steps]),
        "must": np.array([must for must, _, _ in certificates]),
        "may": np.array([may for _, may, _ in certificates]),
    }
    for name in (*parameters.COUNTS, *parameters.POSITIONS):
        if name in cases[0].parameters:
            like = plan.shape[:1] if name in parameters.COUNTS else plan.shape[:2]
            arrays[name] = np.array([np.broadcast_to(x.parameters[name], like) for x in cases])
    files: dict[str, Any] = {}
    for name, (dtype, meaning) in _FILES.items():
        if name in arrays:
            files |= _write_array(folder, name, arrays[name].astype(dtype), meaning, cases)
    proven = report.facts([x for _, _, x in certificates], Path("logits.npy"), plan.contract)
    text = json.dumps(proven, indent=1, allow_nan=False)
    write_whole(folder / "certificate.json", text.encode())
    files["certificate.json"] = {
        "sha256": _digest(text.encode()),
        "meaning": "what is proven of each position, by case",
    }
    write_whole(folder / MANIFEST, _manifest(plan, folder, cases, files).encode())
    return len(files) + 1


def _write_array(
    folder: Path, name: str, array: NDArray[Any], meaning: str, cases: Sequence[Case]
) -> dict[str, Any]:
    """Write both files of an array; what the manifest says of them."""

    def describe(index: tuple[int, ...]) -> str:
        axes = zip(("case", "batch row", "position"), index, strict=False)
        where = ", ".join(f"{axis} {number}" for axis, number in axes)
        return f"{where} ({cases[index[0]].name})"

    content = BytesIO()
    np.save(content, array, allow_pickle=False)
    words = array.view(np.uint32) if array.dtype == np.float32 else array
    found = {}
    about = {"dtype": str(array.dtype), "shape": array.shape, "meaning": meaning}
    for suffix, data in (
        ("npy", content.getvalue()),
        ("hex", hexfile.text(words, describe).encode()),
    ):
        write_whole(folder / f"{name}.{suffix}", data)
        found[f"{name}.{suffix}"] = {**about, "sha256": _digest(data)}
    return found


def _manifest(plan: Plan, folder: Path, cases: Sequence[Case], files: Mapping[str, Any]) -> str:
    batch, rows, vocabulary = plan.shape
    contract = CONTRACTS[plan.contract]
    plain = [
        {x: y for x, y in case.parameters.items() if x not in parameters.POSITIONS}
        for case in cases
    ]
    about = {
        "format": "unmask vectors",
        "version": VERSION,
        "command": plan.command(folder),
        "unmask": unmask.__version__,
        "torch": torch.__version__,
        "contract": contract.name,
        "source": contract.source,
        "cases": [
            {"name": case.name, "parameters": values}
            for case, values in zip(cases, plain, strict=True)
        ],
        "batch": batch,
        "rows": rows,
        "vocabulary": vocabulary,
        "logits": {"format": plan.form, "number": FORMATS[plan.form]},
        "seed": plan.seed,
        "files": files,
        "notes": _NOTES,
    }
    return json.dumps(about, indent=1) + "\n"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Vectors:
    """What `write` wrote: the cases, and the oracle's ids (cases, B, L)."""

    cases: list[Case]
    expected: NDArray[np.int64]

    def results(self, path: Path) -> NDArray[np.int64]:
        """Ids after the step, (cases, B, L), from an .npy file or from `$readmemh` text.

        Raises:
            UsageError: names the file, and the shape, dtype or word that is wrong.
        """
        shape = self.expected.shape
        if path.suffix != ".npy":
            return hexfile.read(path, self.expected.size).reshape(shape)
        array = read_npy(path)
        if array.dtype.kind not in "iu" or array.shape != shape:
            raise UsageError(
                f"{array.dtype} of shape {array.shape}; expected integers of shape {shape}",
                str(path),
            )
        return array.astype(np.int64)


def read(folder: Path) -> Vectors:
    """The vectors of a directory.

    Raises:
        UsageError: names the file, and what is wrong.
    """
    path = folder / MANIFEST
    content = read_bytes(path)
    try:
        about = json.loads(content)
        if about["format"] != "unmask vectors" or about["version"] != VERSION:
            found = f"version {about['version']} of {about['format']!r}"
            raise UsageError(f"{found}; expected version {VERSION} of 'unmask vectors'")
        files = about["files"]
        contract = parameters.contract_name(about["contract"])
        arrays = {}
        for name in _FILES:
            if f"{name}.npy" in files:
                arrays[name] = _checked(folder / f"{name}.npy", files[f"{name}.npy"]["sha256"])
        _check_count(len(about["cases"]), arrays)
        cases = []
        for number, case in enumerate(about["cases"]):
            values = dict(case["parameters"])
            values |= {x: arrays[x][number] for x in parameters.POSITIONS if x in arrays}
            ids, mask = arrays["ids"][number].astype(np.int64), arrays["mask"][number]
            codes = arrays["logits"][number]
            parameters.checked(contract, values, codes.shape)
            cases.append(Case(contract, codes, ids, mask, values, case["name"]))
        return Vectors(cases, arrays["expected_ids"].astype(np.int64))
    except UsageError as error:
        text = str(error)
        raise UsageError(text if text.startswith(str(folder)) else f"{path}: {text}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"no manifest of vectors: {first_line(error)}", str(path)) from None


def _check_count(cases: int, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise a UsageError if there are no cases, or not as many as an array has."""
    if not cases:
        raise UsageError("has no cases; expected 1 or more")
    for name, array in arrays.items():
        if array.shape[:1] != (cases,):
            shape = array.shape
            raise UsageError(f"has {cases} cases, but {name}.npy is of shape {shape}")


def _checked(path: Path, digest: str) -> NDArray[Any]:
    """The array of a file that is still what the manifest says."""
    if _digest(read_bytes(path)) != digest:
        raise UsageError("is not the file that manifest.json describes (SHA-256)", str(path))
    return read_npy(path)
