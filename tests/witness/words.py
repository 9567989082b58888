"""Every instruction word, taken apart by shifts: what a decoder must accept.

A line: mnemonic, opcode, operands and fixed fields. An operand's kind is g (of 16 gp), f and a (of
8), i (an immediate of the field's width) or a number n (values 0 .. n - 1); `:n` fixes a field.
"""

from __future__ import annotations

from typing import NamedTuple

LISTING = """
V_ADD_VV        0D  rd=g rs1=g rs2=g rmask=2
V_ADD_VF        0E  rd=g rs1=g rs2=f rmask=2
V_SUB_VV        0F  rd=g rs1=g rs2=g rmask=2
V_SUB_VF        10  rd=g rs1=g rs2=f rmask=2 rorder=2
V_MUL_VV        11  rd=g rs1=g rs2=g rmask=2
V_MUL_VF        12  rd=g rs1=g rs2=f rmask=2
V_EXP_V         13  rd=g rs1=g rmask=2
V_RECI_V        14  rd=g rs1=g rmask=2
V_RED_SUM       15  rd=f rs1=g rmask=2
V_RED_MAX       16  rd=f rs1=g rmask=2
S_ADD_FP        17  rd=f rs1=f rs2=f
S_SUB_FP        18  rd=f rs1=f rs2=f
S_MAX_FP        19  rd=f rs1=f rs2=f
S_MUL_FP        1A  rd=f rs1=f rs2=f
S_EXP_FP        1B  rd=f rs1=f
S_RECI_FP       1C  rd=f rs1=f
S_SQRT_FP       1D  rd=f rs1=f
S_LD_FP         1E  rd=f rs1=g imm18=i
S_ST_FP         1F  rd=f rs1=g imm18=i
S_MAP_V_FP      20  rd=g rs1=g rs2=g imm14=i
S_ADD_INT       21  rd=g rs1=g rs2=g
S_ADDI_INT      22  rd=g rs1=g imm18=i
S_SUB_INT       23  rd=g rs1=g rs2=g
S_MUL_INT       24  rd=g rs1=g rs2=g
S_LUI_INT       25  rd=g imm22=i
S_LD_INT        26  rd=g rs1=g imm18=i
S_ST_INT        27  rd=g rs1=g imm18=i
H_PREFETCH_V    29  rd=g rs1=g rs2=a rstride=2 precision=2
H_STORE_V       2A  rd=g rs1=g rs2=a rstride=2 precision=2
C_SET_ADDR_REG  2B  rd=a rs1=g rs2=g
C_SET_SCALE_REG 2C  rd=g
C_SET_STRIDE_REG 2D rd=g
C_SET_V_MASK_REG 2E rd=g
C_LOOP_START    2F  rd=g imm22=i
C_LOOP_END      30  rd=g
V_RED_MAX_IDX   34  rd=g rs1=g rs2=g rs3=f
V_SELECT_VVM    35  rd=g rs1=g rs2=g rs3=g
V_TOPK_MASK     36  rd=g rs1=g rs2=g rs3=g rs4=g
S_SELECT_INT    37  rd=g rs1=g rs2=g rs3=g rs4=g
C_BREAK         38
C_SET_CSR       39  rd=14 rs1=g imm18=i
V_RED_SM        3A  rd=g rs1=g rs3=g clear=2
H_RED_SM        3B  rd=g rs1=g rs2=a rs3=g format=5 clear=2
S_SM_CLEAR      3C  rs1=g fn:0
S_SM_MAX        3C  rd=f rs1=g fn:1
S_SM_CONF       3C  rd=f rs1=g fn:2
S_SM_IDX        3C  rd=g rs1=g fn:3
S_SM_KEY        3C  rd=g rs1=g fn:4
S_SM_FLAGS      3C  rd=g rs1=g fn:5
S_SM_ST_KEY     3C  rd=g rs1=g fn:6
S_SM_ST_IDX     3C  rd=g rs1=g fn:7
S_LD_KEY        3C  rd=g rs1=g fn:8
S_ST_KEY        3C  rd=g rs1=g fn:9
V_KEY_MASK_QUOTA  3D rd=g rs1=g rs2=g rs3=g rs4=g fn:0
V_KEY_MASK_RULE   3D rd=g rs1=g rs2=g rs3=g rs4=g fn:1
V_KEY_MASK_FACTOR 3D rd=g rs1=g rs2=g rs3=g rs4=g fn:2
V_CMP_MASK_VV   3E  rd=g rs1=g rs2=g rs4=g relation=6 sources:0
V_CMP_MASK_VF   3E  rd=g rs1=g rs2=f rs4=g relation=6 sources:1
V_CMP_MASK_IG   3E  rd=g rs1=g rs2=g rs4=g relation=6 sources:2
V_CMP_MASK_II   3E  rd=g rs1=g rs2=g rs4=g relation=6 sources:3
H_LD_INT        3F  rd=g rs1=g rs2=a rs3=g fn:0
H_ST_INT        3F  rd=g rs1=g rs2=a rs3=g fn:1
H_LD_KEY        3F  rd=g rs1=g rs2=a rs3=g fn:2
H_ST_KEY        3F  rd=g rs1=g rs2=a rs3=g fn:3
"""

# Name -> (lowest bit, width).
PLACES = {
    "rd": (6, 4), "rs1": (10, 4), "rs2": (14, 4), "rs3": (18, 4), "rs4": (22, 4),
    "rmask": (18, 4), "rorder": (22, 4), "rstride": (18, 4), "precision": (22, 4),
    "format": (22, 4), "clear": (26, 1), "relation": (26, 3), "sources": (29, 3), "fn": (26, 6),
    "imm22": (10, 22), "imm18": (14, 18), "imm14": (18, 14),
}  # fmt: skip
LIMITS = {"g": 16, "f": 8, "a": 8}


class Layout(NamedTuple):
    """One line: `operands` name -> number of legal values; `kinds` name -> letter or number."""

    mnemonic: str
    opcode: int
    operands: dict[str, int]
    kinds: dict[str, str]
    fixed: dict[str, int]


def _layout(line: str) -> Layout:
    mnemonic, opcode, *items = line.split()
    kinds = dict(item.split("=") for item in items if "=" in item)
    fixed = {name: int(text) for name, text in (x.split(":") for x in items if ":" in x)}
    counts = {
        name: 1 << PLACES[name][1] if kind == "i" else LIMITS.get(kind) or int(kind)
        for name, kind in kinds.items()
    }
    return Layout(mnemonic, int(opcode, 16), counts, kinds, fixed)


LAYOUTS = {line.split()[0]: _layout(line) for line in LISTING.strip().splitlines()}


def encode(mnemonic: str, **values: int) -> int:
    """A word; operands left out are 0."""
    layout = LAYOUTS[mnemonic]
    fields = {**layout.fixed, **values}
    return layout.opcode + sum(value << PLACES[name][0] for name, value in fields.items())


def decode(word: int) -> tuple[str, dict[str, int]] | None:
    """(mnemonic, operand -> value of its field), or None where the word is illegal."""
    for layout in LAYOUTS.values():
        if word % 64 != layout.opcode:
            continue
        names = (*layout.operands, *layout.fixed)
        fields = {x: word >> PLACES[x][0] & (1 << PLACES[x][1]) - 1 for x in names}
        known = layout.opcode + sum(fields[x] << PLACES[x][0] for x in fields)
        if (
            known == word  # no bit besides
            and all(fields[x] == value for x, value in layout.fixed.items())
            and all(fields[x] < count for x, count in layout.operands.items())
        ):
            return layout.mnemonic, {x: fields[x] for x in layout.operands}
    return None
