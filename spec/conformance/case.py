"""One step to be judged: a contract with its logits, ids, mask and parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec.commands.files import first_line, read_bytes, write_whole
from unmask.spec.conformance.parameters import Values, checked, contract_name
from unmask.spec.conformance.parameters import tensors as tensors_of
from unmask.spec.errors import UsageError
from unmask.spec.reference import check
from unmask.spec.reference.argmax import tensor
from unmask.spec.reference.contract import Contract
from unmask.spec.reference.samplers import CONTRACTS


@dataclass(frozen=True)
class Case:
    """A step before it is done.

    Attributes:
        contract: a name of `CONTRACTS`.
        codes: (B, L, V) uint16, the logits as BF16 codes.
        x: (B, L) int64, the ids.
        mask: (B, L) bool, which of them are masked.
        parameters: of the contract; those for each position are arrays.
        name: where it comes from.
    """

    contract: str
    codes: NDArray[np.uint16]
    x: NDArray[np.int64]
    mask: NDArray[np.bool_]
    parameters: Values = field(default_factory=dict)
    name: str = ""

    @property
    def rule(self) -> Contract:
        return CONTRACTS[self.contract]

    @property
    def shape(self) -> tuple[int, int, int]:
        """B, L, V."""
        batch, rows, vocabulary = self.codes.shape
        return batch, rows, vocabulary

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Values]:
        """Logits (bfloat16), x (int64), mask (bool) and parameters, all of them copies."""
        x, mask = torch.from_numpy(self.x.copy()), torch.from_numpy(self.mask.copy())
        return tensor(self.codes), x, mask, tensors_of(self.parameters)

    def row(self, row: int) -> Case:
        """The batch row as a step of its own."""
        part = slice(row, row + 1)
        own = {
            name: value[part] if isinstance(value, np.ndarray | list) else value
            for name, value in self.parameters.items()
        }
        return replace(
            self, codes=self.codes[part], x=self.x[part], mask=self.mask[part], parameters=own
        )

    def without(self, position: int) -> Case:
        """The step without one of its positions; counts stay."""
        own = {
            name: np.delete(value, position, 1) if isinstance(value, np.ndarray) else value
            for name, value in self.parameters.items()
        }
        return replace(
            self,
            codes=np.delete(self.codes, position, 1),
            x=np.delete(self.x, position, 1),
            mask=np.delete(self.mask, position, 1),
            parameters=own,
        )

    def save(self, path: Path) -> None:
        """Write an .npz file that `load` reads."""
        arrays = {x: y for x, y in self.parameters.items() if isinstance(y, np.ndarray)}
        plain = {x: y for x, y in self.parameters.items() if x not in arrays}
        about = json.dumps({"contract": self.contract, "parameters": plain, "name": self.name})
        content = BytesIO()
        np.savez_compressed(
            content,
            allow_pickle=False,
            about=np.array(about),
            codes=self.codes,
            x=self.x,
            mask=self.mask,
            **{f"parameter_{name}": value for name, value in arrays.items()},
        )
        write_whole(path, content.getvalue())


def load(path: Path) -> Case:
    """A case from an .npz file that `Case.save` wrote.

    Raises:
        UsageError: names the file and what is wrong with it.
    """
    content = BytesIO(read_bytes(path))
    try:
        with np.load(content, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            found: dict[str, Any] = dict(about["parameters"])
            for name in file.files:
                if name.startswith("parameter_"):
                    found[name.removeprefix("parameter_")] = file[name]
            case = Case(
                contract_name(about["contract"]),
                file["codes"],
                file["x"],
                file["mask"],
                found,
                about["name"],
            )
        check.step(*case.tensors()[:3])
        checked(case.contract, found, case.shape)
    except UsageError as error:
        raise UsageError(str(error), str(path)) from None
    except Exception as error:  # of many types, none of which numpy documents
        raise UsageError(f"no saved case: {first_line(error)}", str(path)) from None
    return case
