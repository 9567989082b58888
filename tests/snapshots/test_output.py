"""What the user sees, word for word: a change of it must be meant.

`UNMASK_SNAPSHOTS=write` writes the files anew.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from unmask.spec.__main__ import main
from unmask.spec.programs.argmax import argmax_rows

HERE = Path(__file__).parent
MEMORY = """
.equ ROW, 12 ; elements
  C_SET_CSR VL, gp0, ROW
  H_PREFETCH_V gp0, gp0, a0
  H_RED_SM gp1, gp0, a0, gp0, E4M3_B8
  S_SM_MAX f1, gp1
loop: C_LOOP_START gp2, 1
  V_MUL_VF gp0, gp0, f1
C_LOOP_END gp2
  S_ADDI_INT gp3, gp0, 1 << 8
  C_SET_ADDR_REG a1, gp0, gp3
  H_ST_INT gp0, gp0, a1, gp2
  H_PREFETCH_V gp0, gp0, a1
  .word 0xFFFFFFFF
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("argmax.asm").write_text(argmax_rows(2, 20, 8, strip=8))
    Path("wrong.asm").write_text("C_BREAK\nS_ADDI_INT gp1, gp99, 3 ; no such register\n")
    Path("trap.asm").write_text("S_ADDI_INT gp1, gp0, 4\nV_RED_MAX_IDX gp2, gp1, gp0, f1\n")
    Path("memory.asm").write_text(MEMORY)
    np.save("bytes.npy", np.arange(64, dtype=np.uint8))
    rows = np.zeros(48, np.uint16)
    rows[[5, 24 + 19]] = 0x3F80, 0x4000
    np.save("rows.npy", rows)
    np.save("start.npy", np.array([0xFF80], np.uint16))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("disassembly", ["disasm", "argmax.asm"]),
        (
            "trace",
            ["run", "argmax.asm", "--trace", "--load=vector=rows.npy", "--load=fp=start.npy"],
        ),
        ("trap", ["run", "trap.asm", "--trace"]),
        ("words", ["disasm", "memory.asm"]),
        (
            "fatal",
            [
                "run",
                "memory.asm",
                "--trace",
                "--load=hbm=bytes.npy",
                "--faulty=264:272",
                "--late=2",
            ],
        ),
        ("error", ["asm", "wrong.asm"]),
    ],
)
def test_snapshot(program, name, words, capsys):
    code = main(words)
    shown = capsys.readouterr()
    text = f"$ unmask {' '.join(words)}\n{shown.out}{shown.err}exit code {code}\n"
    file = HERE / f"{name}.txt"
    if os.environ.get("UNMASK_SNAPSHOTS") == "write":
        file.write_text(text)
    assert text == file.read_text()
