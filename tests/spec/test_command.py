"""`python -m unmask.spec`: what a user types, and what bad input says."""

import numpy as np
import pytest

from unmask.spec.__main__ import main
from unmask.spec.programs.argmax import argmax_rows


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "argmax.asm"
    path.write_text(argmax_rows(1, 20, 8))
    return path


def test_assemble_disassemble_run(program, tmp_path, capsys):
    assert main(["asm", str(program)]) == 0
    image = program.with_suffix(".bin")
    assert image.stat().st_size == 4 * 12
    assert main(["disasm", str(image)]) == 0
    assert "V_RED_MAX_IDX gp2, gp1, gp4, f1" in capsys.readouterr().out
    row = np.full(20, 0xC000, np.uint16)
    row[13] = 0xBF80
    np.save(tmp_path / "row.npy", row)
    np.save(tmp_path / "fp.npy", np.array([0xFF80], np.uint16))
    words = ["run", str(image), "--trace", f"--load=vector={tmp_path}/row.npy"]
    words += [f"--load=fp={tmp_path}/fp.npy", f"--save=int={tmp_path}/out.npy"]
    assert main(words) == 0
    assert np.load(tmp_path / "out.npy")[0] == 13
    assert "int[0] = 0xd" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["asm", "none.asm"], "none.asm: cannot read"),
        (["asm", "bad.asm"], "bad.asm:1:1: unknown mnemonic"),
        (["disasm", "odd.bin"], "odd.bin: 3 bytes are no whole number of words"),
        (["asm", "latin.asm"], "neither UTF-8 text"),
        (["run", "good.asm", "--vlen", "7"], "vlen is 7"),
        (["run", "good.asm", "--load", "vram=x.npy"], "'vram=x.npy': expected MEMORY=FILE.npy"),
        (["run", "good.asm", "--load", "fp=odd.bin"], "odd.bin: no .npy array"),
        (["run", "good.asm", "--program-words", "2"], "the program has 3 words"),
        (["asm", "good.asm", "-o", "no/such/folder.bin"], "cannot write"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.asm").write_text("NOPE")
    (tmp_path / "good.asm").write_text("C_BREAK\n" * 3)
    (tmp_path / "odd.bin").write_bytes(b"abc")
    (tmp_path / "latin.asm").write_bytes(b"\xff\xfe\xfa")
    before = sorted(tmp_path.iterdir())
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
