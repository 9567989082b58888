"""Units with a sequencer and ports of their own to the memories: one instruction is one request.

A binding file describes beats in and a result out. These units get the operands once and then read
and write the memories themselves, until the instruction retires; what they owe is the whole
instruction, to the cycle. So a description names their ports to the memories and says how operands
become request inputs; what must come of it is the instruction's own semantics and cycles.

Every unit has `clk`, `rst`, `in_valid` (the cycle of issue) and `out_valid` (of retirement).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from unmask.spec import isa
from unmask.spec.bits import Bits
from unmask.spec.encoding import Context, Instruction
from unmask.spec.instructions.masks import RANKED_AT_ONCE
from unmask.spec.instructions.rules import own_length
from unmask.spec.state import Config

Request = dict[str, Bits]


@dataclass(frozen=True)
class Access:
    """A port to a memory; data of a read are there in the next cycle and stay until the next.

    Attributes:
        memory: which.
        rows: whether a word is a row of VLEN elements, and not one element.
        enable: output that is high in the cycle of an access.
        address: output, the word's number.
        read: input that takes the data of reads, or None.
        written: output with the data of writes, or None.
        writes: output that tells writes from reads, where there are both.
        mask: output that says which lanes of a row are written, or None: all.
    """

    memory: str
    rows: bool
    enable: str
    address: str
    read: str | None = None
    written: str | None = None
    writes: str | None = None
    mask: str | None = None


@dataclass(frozen=True)
class Size:
    """Sizes of a unit: those of the core that it is in, and the comparators of the rank unit.

    The cycles of ranks in the specification are those of `RANKED_AT_ONCE` comparators; a unit with
    fewer is for checks that would take too long otherwise.
    """

    config: Config
    cells: int = RANKED_AT_ONCE


@dataclass(frozen=True)
class Sequenced:
    """A unit.

    Attributes:
        name: of its checks.
        top: its module.
        files: Verilog below `rtl`.
        sizes: module parameter -> the field of a `Config` that sets it, or "cells".
        ports: to the memories.
        mnemonics: the instructions that it executes.
        request: (instruction, its operands, the configuration) -> request input -> value.
    """

    name: str
    top: str
    files: tuple[str, ...]
    sizes: Mapping[str, str]
    ports: tuple[Access, ...]
    mnemonics: tuple[str, ...]
    request: Callable[[Instruction, Context, Config], Request]

    @property
    def rows(self) -> tuple[Instruction, ...]:
        """The instructions' rows of the table."""
        return tuple(isa.BY_MNEMONIC[name] for name in self.mnemonics)

    def parameters(self, size: Size) -> dict[str, int]:
        """Module parameters for a size."""
        return {
            name: size.cells if field == "cells" else getattr(size.config, field)
            for name, field in self.sizes.items()
        }


def _row(x: Context, operand: str, config: Config) -> Bits:
    """The row of vector SRAM in which an (aligned) address lies."""
    lanes, rows = config.vlen.bit_length() - 1, config.vector_rows.bit_length() - 1
    return x[operand].extract(lanes + rows - 1, lanes)


_RANKED = ("V_KEY_MASK_QUOTA", "V_KEY_MASK_RULE", "V_KEY_MASK_FACTOR", "V_TOPK_MASK")
_COMPARED = ("V_CMP_MASK_IG", "V_CMP_MASK_II")


def _rank(row: Instruction, x: Context, config: Config) -> Request:
    return {
        "in_kind": x["rs1"].const(2, _RANKED.index(row.mnemonic)),
        "in_length": own_length("rs4")(x),
        "in_row": _row(x, "rd", config),
        "in_mask_row": _row(x, "rs2", config),
        "in_conf_row": _row(x, "rs1", config),
        "in_key": x["rs1"],
        "in_k": x["rs3"],
        "in_limit": x.csr("LIMIT"),
        "in_kmax": x.csr("KMAX"),
    }


def _compare(row: Instruction, x: Context, config: Config) -> Request:
    return {
        "in_relation": x["rs1"].const(3, x.field("relation")),
        "in_two": x["rs1"].const(1, _COMPARED.index(row.mnemonic)),
        "in_length": own_length("rs4")(x),
        "in_row": _row(x, "rd", config),
        "in_first": x["rs1"],
        "in_second": x["rs2"],
    }


def _select(row: Instruction, x: Context, config: Config) -> Request:
    return {
        "in_length": own_length("rs4")(x),
        "in_to": x["rd"],
        "in_yes": x["rs1"],
        "in_no": x["rs2"],
        "in_mask_row": _row(x, "rs3", config),
    }


def _map(row: Instruction, x: Context, config: Config) -> Request:
    return {
        "in_length": own_length("rs2")(x),
        "in_row": _row(x, "rd", config),
        "in_source": x["rs1"] + x["imm14"],
    }


_LANES = {"VLEN": "vlen", "VECTOR_ROWS": "vector_rows"}
_MASK = Access("vector", True, "mask_enable", "mask_row", read="mask_data")
_ROW = Access("vector", True, "row_write", "row_address", written="row_data")

UNITS = {
    unit.name: unit
    for unit in (
        Sequenced(
            "rank",
            "unmask_rank",
            ("vector/unmask_rank.v", "vector/unmask_row_fill.v", "vector/unmask_order_key.v"),
            {**_LANES, "KEY_WORDS": "key_words", "CELLS": "cells"},
            (
                _MASK,
                Access("vector", True, "conf_enable", "conf_row", read="conf_data"),
                Access("key", False, "key_enable", "key_address", read="key_data"),
                _ROW,
            ),
            _RANKED,
            _rank,
        ),
        Sequenced(
            "int_compare",
            "unmask_int_compare",
            ("vector/unmask_int_compare.v", "vector/unmask_row_fill.v"),
            {**_LANES, "INT_WORDS": "int_words"},
            (Access("int", False, "int_enable", "int_address", read="int_data"), _ROW),
            _COMPARED,
            _compare,
        ),
        Sequenced(
            "select_int",
            "unmask_select_int",
            ("vector/unmask_select_int.v",),
            {**_LANES, "INT_WORDS": "int_words"},
            (
                Access(
                    "int",
                    False,
                    "int_enable",
                    "int_address",
                    read="int_data",
                    written="int_wdata",
                    writes="int_write",
                ),
                _MASK,
            ),
            ("S_SELECT_INT",),
            _select,
        ),
        Sequenced(
            "map",
            "unmask_map",
            ("vector/unmask_map.v",),
            {**_LANES, "FP_WORDS": "fp_words"},
            (
                Access("fp", False, "fp_enable", "fp_address", read="fp_data"),
                Access(
                    "vector",
                    True,
                    "row_write",
                    "row_address",
                    written="row_data",
                    mask="row_mask",
                ),
            ),
            ("S_MAP_V_FP",),
            _map,
        ),
    )
}
