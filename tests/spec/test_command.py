"""`python -m unmask.spec`: what a user types, and what bad input says."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from unmask.spec.__main__ import main
from unmask.spec.commands.files import written_whole
from unmask.spec.formats import from_float, to_float
from unmask.spec.programs.argmax import argmax_rows
from unmask.spec.state import Config

ROOT = Path(__file__).parents[2]
LONG = "x" * 300


def contents(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def npy_header(text):
    """A .npy file with this header."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "argmax.asm"
    path.write_text(argmax_rows(1, 20, 8))
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def test_a_disassembly_assembles(here):
    words = np.array([0x38, 0, 0xFFFFFFFF, 0x39], "<u4")
    Path("a.bin").write_bytes(words.tobytes())
    run = subprocess.run(
        [sys.executable, "-m", "unmask.spec", "disasm", here / "a.bin"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    Path("a.asm").write_text("".join(line[17:] + "\n" for line in run.stdout.splitlines()))
    assert main(["asm", "a.asm", "-o", "b.bin"]) == 0
    assert Path("b.bin").read_bytes() == words.tobytes()


# -- run --


def test_memories_from_and_to_parts_of_files(here):
    Path("a.asm").write_text(
        "S_ADDI_INT gp1, gp0, 2\nC_SET_CSR VL, gp0, 4\nH_PREFETCH_V gp0, gp0, a0\n"
        "H_LD_INT gp1, gp0, a0, gp1\nS_ST_KEY gp1, gp1\nC_BREAK"
    )
    Path("hbm@1.bin").write_bytes(bytes(range(16)))
    np.save("x@y.npy", np.array([[1, 2], [3, 4]], np.int64))
    words = ["run", "a.asm", "--load=hbm=hbm@1.bin@0x0", "--load=vector=x@y.npy@6"]
    words += ["--save=int=a.bin@2:4", "--save=vector=v.npy@0:11", "--save=key=k.npy"]
    assert main(words) == 0
    assert Path("a.bin").read_bytes() == bytes(range(8))
    loaded = [0x0100, 0x0302, 0x0504, 0x0706]
    assert np.load("v.npy").tolist() == [*loaded, 0, 0, 1, 2, 3, 4, 0]
    keys = np.load("k.npy")
    assert keys.dtype == np.uint32 and keys.shape == (1024,) and keys[2] == 2


TRACED = """
S_ADDI_INT gp1, gp0, 8
C_SET_ADDR_REG a1, gp1, gp1
C_SET_CSR MASK, gp0, 5
S_ADDI_INT gp2, gp0, 0x3F80
S_ST_INT gp2, gp0, 0
V_ADD_VV gp1, gp0, gp0, 1
C_SET_VL gp1, 4
V_RED_SM gp1, gp0, gp0, 1
S_SM_MAX f1, gp1
V_RECI_V gp1, gp1
S_SM_CLEAR gp1
H_ST_INT gp0, gp0, a0, gp1
.word 7
"""


@pytest.mark.parametrize("integers", [[], ["--integers"]])
def test_trace_says_what_each_instruction_wrote(here, capsys, integers):
    Path("a.asm").write_text(TRACED)
    np.save("v.npy", from_float([3, 1, 7, 0, 0, 7, 0, 0, 2]))
    words = ["run", "a.asm", "--load=vector=v.npy", *integers]
    assert main([*words, "--trace"]) == 1
    shown = [line[50:] for line in capsys.readouterr().out.splitlines()]
    eight = "3e2b 7f80 3d92 7f80 7f80 7f80 7f80 7f80"
    assert shown[:-1] == [
        "gp1 = 0x8",
        "a1 = 0x800000008",
        "MASK = 5",
        "gp2 = 0x3f80",
        "int[0] = 0x3f80",
        "vector[8:16] = 40c0 ---- 4160 ---- ---- ---- ---- ----",
        "VL = 12",
        "state 0 = max 14 at 10 of 12",
        "f1 = 0x4160",
        f"vector[8:20] = {eight} ...",
        "state 0 = empty",
        ", ".join(
            f"hbm[{byte}:{byte + 29}:4] = {first:02x} 00 00 00 00 00 00 00"
            for byte, first in enumerate((0x80, 0x3F, 0, 0))
        ),
        "trap ILLEGAL",
    ]
    assert main([*words, "--trace", "t.txt"]) == 1
    in_full = Path("t.txt").read_text().splitlines()
    assert [line[50:] for line in in_full[:9]] == shown[:9] and len(in_full) == 13
    assert in_full[9][50:] == f"vector[8:20] = {eight} 7f80 7f80 7f80 7f80"
    assert "trap ILLEGAL at pc 12 after 12 words: " in capsys.readouterr().out


def test_windows_and_bus_errors(here, capsys):
    Path("a.asm").write_text("H_PREFETCH_V gp0, gp0, a0\nC_SET_VL gp0\nC_SET_VL gp0, 8\nC_BREAK")
    assert main(["run", "a.asm"]) == 0
    assert capsys.readouterr().out == "stopped after 4 words\n"
    for window in ("0:0", "0:8", "16:64", "0x10:0x40"):
        assert main(["run", "a.asm", "--window", window]) == 1
        assert capsys.readouterr().out.startswith("trap WINDOW at pc 0 after 0 words: a memory")
    assert main(["run", "a.asm", "--window", "0:16"]) == 0
    words = ["run", "a.asm", "--faulty", "64:72", "--faulty", "8:16"]
    refused = "the memory refused byte 0x8 (byte 0x8 of channel 0); vector[0:8] may hold anything"
    for late, lines in ((0, 2), (1, 3), (2, 4)):
        capsys.readouterr()
        assert main([*words, "--late", str(late), "--trace"]) == 1
        shown = capsys.readouterr().out.splitlines()
        assert shown[-1] == f"FATAL at pc 0 after 0 words: {refused}" and len(shown) == lines + 1
        assert shown[-2].endswith(f"FATAL, {refused}")


def test_a_bus_error_names_the_channel(here, capsys):
    Path("a.asm").write_text("H_PREFETCH_V gp0, gp0, a0\nC_BREAK")
    words = ["run", "a.asm", "--vlen=64", "--beat-bytes=16", "--faulty", "96:112", "--trace"]
    for channels, where in ((1, "0x60 of channel 0"), (2, "0x30 of channel 0"), (4, "0x10 of ch")):
        assert main([*words, "--channels", str(channels)]) == 1
        shown = capsys.readouterr().out.splitlines()
        retired, *refused = shown
        assert all(f"the memory refused byte 0x60 (byte {where}" in line for line in refused)
        assert "refused" not in retired and len(refused) == 2
    assert "(byte 0x10 of channel 2)" in shown[2]


def test_memory_is_as_large_as_the_files_that_it_is_loaded_with(here, capsys):
    Path("a.asm").write_text("C_BREAK")
    Path("big.bin").write_bytes(bytes(70_000))
    words = ["run", "a.asm", "--load=hbm=big.bin@100000", "--save=hbm=o.bin"]
    for more, size in (([], 1 << 18), (["--load=hbm=big.bin@200000"], 1 << 19)):
        assert main([*words, *more]) == 0
        assert Path("o.bin").stat().st_size == size
    assert main(["run", "a.asm", "--save=hbm=o.bin"]) == 0
    assert Path("o.bin").stat().st_size == Config.hbm_bytes
    capsys.readouterr()
    for line, remedy in (
        ("hbm=big.bin --hbm-bytes 65536", "--hbm-bytes 131072 would do"),
        ("hbm=big.bin@0xFFFFFFFFF", "--hbm-bytes cannot be as large as that takes"),
        ("vector=big.bin --vlen 16", "--vector-rows 4096 would do"),
        ("fp=big.bin", "--fp-words 65536 would do"),
        ("key=big.bin", "--key-words 32768 would do"),
        ("int=big.bin@20000000", "--int-words cannot be as large as that takes"),
    ):
        assert main(["run", "a.asm", "--load", *line.split()]) == 2
        error = capsys.readouterr().err
        assert error.startswith("big.bin: ") and error.endswith(f"; {remedy}\n")
        option, least = remedy.split()[:2]
        if least.isdigit():
            words = ["run", "a.asm", "--load", *line.split(), option, least]
            assert main(words) == 0
            assert main([*words[:-1], str(int(least) // 2)]) == 2
            capsys.readouterr()


def test_a_run_that_takes_too_long_leaves_what_it_did(here, capsys):
    Path("a.asm").write_text("C_LOOP_START gp1, 9\nS_ADDI_INT gp2, gp2, 1\nC_LOOP_END gp1\nC_BREAK")
    assert main(["run", "a.asm", "--max-instructions", "28"]) == 0
    assert main(["run", "a.asm", "--max-instructions", "9", "--trace", "t.txt"]) == 2
    error = capsys.readouterr().err
    assert error == "a.asm: not done after 9 instructions, at pc 1 (--max-instructions)\n"
    assert len(Path("t.txt").read_text().splitlines()) == 9


def test_a_file_is_written_whole_or_not_at_all(here):
    old = Path("t.txt")
    old.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_whole(old) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert old.read_text() == "old" and list(here.iterdir()) == [here / "t.txt"]
    with written_whole(old) as file:
        file.write(b"new")
        assert old.read_text() == "old"
    assert old.read_text() == "new" and list(here.iterdir()) == [here / "t.txt"]


def test_a_file_behind_a_link_is_the_one_that_is_written(here):
    Path("a.asm").write_text("C_BREAK")
    Path("folder").mkdir()
    Path("link.bin").symlink_to("folder/real.bin")
    for _ in range(2):  # the file is not there yet, then it is
        assert main(["asm", "a.asm", "-o", "link.bin"]) == 0
        assert Path("link.bin").is_symlink()
        assert Path("folder/real.bin").read_bytes() == bytes([0x38, 0, 0, 0])
    assert sorted(path.name for path in Path("folder").iterdir()) == ["real.bin"]


def test_permissions_are_those_of_the_old_file_or_of_the_umask(here):
    Path("a.asm").write_text("C_BREAK")
    old = os.umask(0o027)
    try:
        for mode in (0o640, 0o604):
            assert main(["asm", "a.asm"]) == 0
            assert Path("a.bin").stat().st_mode & 0o777 == mode
            Path("a.bin").chmod(0o604)
    finally:
        os.umask(old)


def test_output_into_a_pipe_leaves_the_pipe(here):
    Path("a.asm").write_text("C_BREAK")
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert main(["asm", "a.asm", "-o", "pipe"]) == 0
    assert os.read(reader, 100) == bytes([0x38, 0, 0, 0])
    os.close(reader)
    assert Path("pipe").is_fifo()


def test_progress_only_on_a_terminal(here):
    Path("a.asm").write_text(
        "C_LOOP_START gp1, 200000\nS_ADD_INT gp2, gp2, gp1\nC_LOOP_END gp1\nC_BREAK"
    )
    command = [sys.executable, "-m", "unmask.spec", "run", here / "a.asm"]
    quiet = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    assert quiet.stderr == b"" and quiet.stdout == b"stopped after 400002 words\n"
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    watched = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=theirs, check=True, cwd=ROOT, env=environment
    )
    # Read before its last end is closed, after which what was written may be gone.
    assert select.select([ours], [], [], 10)[0], "nothing was shown"
    shown = os.read(ours, 1 << 16)
    os.close(theirs)
    os.close(ours)
    assert watched.stdout == quiet.stdout
    assert b"instructions" in shown and b"a second" in shown


def test_without_rich_there_is_no_progress(here, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    Path("a.asm").write_text("C_BREAK")
    assert main(["run", "a.asm"]) == 0
    assert capsys.readouterr().out == "stopped after 1 words\n"


# -- pack and unpack --


def test_pack_run_unpack(here, capsys):
    values = np.random.default_rng(0).normal(0, 3, (2, 3, 50)).astype(np.float32)
    values[0, 0, 0] = -np.inf
    np.save("l.npy", values)
    layout = ["--format", "E4M3_B32", "--beat-bytes", "64"]
    assert main(["pack", "l.npy", *layout, "--include", "l.inc", "--prefix", "L"]) == 0
    shown = capsys.readouterr().out
    assert "l.bin: 6 rows of 50 in E4M3_B32, 448 bytes" in shown
    assert "pitch 64 elements, scales at byte 384" in shown
    assert "were not exactly BF16" in shown and "changed by quantisation" in shown
    assert "1 of these were infinities, and are NaN" in shown
    words = ["unpack", "l.bin", *layout, "--rows", "6", "--vocabulary", "50"]
    assert main(words) == 0
    again = np.load("l.npy")
    assert again.shape == (6, 50) and again.dtype == np.float32
    assert np.isnan(again[0, 0])
    assert np.allclose(again[1:], values.reshape(6, 50)[1:], rtol=0.1, atol=0.05)
    Path("a.asm").write_text(
        '.include "l.inc"\nC_SET_CSR SCALE, gp0, L_SCALE\nC_SET_CSR VL, gp0, L_VOCABULARY\n'
        "S_ADDI_INT gp1, gp0, 5 * L_PITCH\nH_RED_SM gp0, gp1, a0, gp0, 1\n"
        "S_SM_ST_IDX gp0, gp0\nC_BREAK"
    )
    run = ["run", "a.asm", "--load=hbm=l.bin", "--beat-bytes=64", "--save=int=o.npy@0:1"]
    assert main(run) == 0
    assert np.load("o.npy")[0] == again[5].argmax()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_pack_tensors(here, dtype):
    values = torch.arange(24, dtype=dtype).reshape(2, 3, 4).transpose(0, 1) / 8
    torch.save(values, "l.pt")
    assert main(["pack", "l.pt"]) == 0
    assert main(["unpack", "l.bin", "--rows", "6", "--vocabulary", "4", "-o", "u.npy"]) == 0
    assert np.array_equal(np.load("u.npy"), values.float().numpy().reshape(6, 4))


def test_pack_without_torch(here, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    np.save("l.npy", np.zeros(4, np.float32))
    assert main(["pack", "l.npy"]) == 0
    assert main(["pack", "l.pt"]) == 2
    assert capsys.readouterr().err == "l.pt: a .pt file needs PyTorch; or save a .npy\n"


def test_unpacked_values_are_those_of_the_codes(here):
    codes = np.arange(0, 1 << 16, 7, dtype=np.uint16)
    np.save("c.npy", codes)
    assert main(["pack", "c.npy"]) == 0
    assert main(["unpack", "c.bin", "--rows", "1", "--vocabulary", str(codes.size)]) == 0
    assert np.load("c.npy").tobytes() == to_float(codes).tobytes()


# -- bad input --


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 and no archive",
        b"\x93NUMPY\x01\x00\x10\x00{((((((((((((((",
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4)}"),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}"),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1 << 70, )}"),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1180591620717411303424,)}"),
        npy_header("{'descr': 'Q;;', 'fortran_order': False, 'shape': (4,)}"),
        npy_header("{'descr': " + "(" * 900),
        npy_header("\0"),
    ],
)
def test_arrays_that_numpy_fails_at(content, here, capsys):
    Path("a.npy").write_bytes(content + bytes(64))
    Path("a.asm").write_text("C_BREAK")
    for words in (["pack", "a.npy"], ["run", "a.asm", "--load=fp=a.npy"]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("a.npy: no .npy array: ") and error.count("\n") == 1


def test_tensors_that_are_views_are_packed(here):
    numbers = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    negated = torch.complex(numbers, numbers).conj().imag
    assert negated.is_neg()
    torch.save(negated, "l.pt")
    assert main(["pack", "l.pt"]) == 0
    assert main(["unpack", "l.bin", "--rows", "3", "--vocabulary", "4", "-o", "u.npy"]) == 0
    assert np.array_equal(np.load("u.npy"), -numbers.numpy())


def odd_tensors():
    """What is saved, and what is said of it."""
    dense = torch.ones(2, 3)
    yield torch.complex(dense, dense).conj(), "elements of type torch.complex64; expected"
    yield dense.to_sparse(), "holds a tensor of layout torch.sparse_coo"
    yield dense.to_sparse_csr(), "holds a tensor of layout torch.sparse_csr"
    yield torch.empty(2, device="meta"), "holds a meta tensor"
    yield torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "holds a nested tensor"
    yield torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8), "holds a quantized tensor"
    yield torch.ones(2, dtype=torch.bool), "elements of type torch.bool"
    yield [dense], "holds a list; expected one dense tensor"


@pytest.mark.filterwarnings("ignore")
def test_other_tensors_are_refused(here):
    messages = []
    for number, (value, message) in enumerate(odd_tensors()):
        torch.save(value, f"{number}.pt")
        messages.append(f"{number}.pt: {message}")
    # In a process of its own, where torch says what it warns of.
    call = "import sys; from unmask.spec.__main__ import main"
    call += f"; sys.exit(sum(main(['pack', f'{{n}}.pt']) for n in range({len(messages)})))"
    run = subprocess.run(
        [sys.executable, "-c", call],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 2 * len(messages) and run.stdout == ""
    for line, message in zip(run.stderr.splitlines(), messages, strict=True):
        assert line.startswith(message)


@pytest.mark.parametrize(
    "line",
    ["disasm a.asm", "run a.asm --trace", "asm a.asm", "header", "--help", "run --help"],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output_that_is_full(line, unbuffered, here):
    Path("a.asm").write_text("C_BREAK")
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "unmask.spec", *line.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
        )
    assert run.stderr == "standard output: cannot write: No space left on device\n"
    assert run.returncode == 2


def test_names_that_are_no_text(here):
    name = os.fsdecode(b"a\xff.asm")
    Path(name).write_text("C_BREAK")
    command = [sys.executable, "-m", "unmask.spec", "asm", name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == "a\\udcff.bin: 1 words\n" and run.stderr == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("nope", "invalid choice: 'nope'"),
        ("asm none.asm", "none.asm: cannot read"),
        ("asm .", ".: cannot read: Is a directory"),
        ("asm bad.asm", "bad.asm:1:1: unknown mnemonic"),
        ("asm includes.asm", "includes.asm:2:1: .include: none.inc: cannot read"),
        ("disasm odd.bin", "odd.bin: 3 bytes are no whole number of words"),
        ("disasm latin.asm", "latin.asm: not UTF-8 text"),
        ("asm good.asm --program-words 2", "good.asm: the program has 3 words"),
        ("asm good.asm --program-words -1", "argument --program-words: "),
        ("asm good.asm -o no/such/folder.bin", "no/such/folder.bin: cannot write: there is"),
        ("asm good.asm -o .", ".: cannot write: "),
        ("run good.asm --vlen 7", "vlen is 7"),
        ("run good.asm --vlen nan", "argument --vlen: 'nan' is not an unsigned number"),
        ("run good.asm --vlen -8", "argument --vlen: '-8' is not"),
        ("run good.asm --hbm-bytes 1e6", "argument --hbm-bytes: '1e6' is not"),
        ("run good.asm --vlen 2048 --vector-rows 0x1000000", "vector_rows is 16777216"),
        ("run good.asm --program-words 2", "good.asm: the program has 3 words"),
        ("run good.asm --load vram=v.npy", "argument --load: 'vram=v.npy' is not MEMORY=FILE"),
        ("run good.asm --load vector", "argument --load: 'vector' is not MEMORY=FILE"),
        ("run good.asm --load vector=", "argument --load: 'vector=' is not MEMORY=FILE"),
        ("run good.asm --load vector=v.txt", "v.txt: the name must end in .npy or .bin"),
        ("run good.asm --load vector=v.npy@x", "argument --load: 'x' is not an unsigned number"),
        ("run good.asm --load vector=v.npy@", "a number is expected after @"),
        ("run good.asm --load vector=v.npy@508", "v.npy: 8 elements at 508 do not fit the vector"),
        ("run good.asm --load fp=odd.bin", "odd.bin: 3 bytes are no whole number of fp elements"),
        ("run good.asm --load fp=none.bin", "none.bin: cannot read"),
        ("run good.asm --load fp=none.npy", "none.npy: cannot read: No such file"),
        ("run good.asm --load fp=text.npy", "text.npy: no .npy array"),
        ("run good.asm --load fp=empty.npy", "empty.npy: no .npy array"),
        ("run good.asm --load fp=folder.npy", "folder.npy: cannot read: Is a directory"),
        ("run good.asm --load fp=objects.npy", "objects.npy: no .npy array"),
        ("run good.asm --load fp=many.npy", "many.npy: several arrays"),
        ("run good.asm --load fp=f4.npy", "f4.npy: fp memory takes bit patterns"),
        ("run good.asm --load hbm=v.npy", "v.npy: hbm takes bytes, the array holds uint16"),
        ("run good.asm --save int=o.npy@1", "argument --save: '1' is not FIRST:END"),
        ("run good.asm --save int=o.npy@5:", "argument --save: '5:' is not FIRST:END"),
        ("run good.asm --save int=o.npy@5:4", "--save int: 5:4 is not within 0:4096"),
        ("run good.asm --save int=o.npy@0:4097", "--save int: 0:4097 is not within"),
        ("run good.asm --save int=no/o.npy", "no/o.npy: cannot write: there is no such folder"),
        ("run good.asm --save int=folder.npy", "folder.npy: cannot write: Is a directory"),
        ("run good.asm --trace no/t.txt", "no/t.txt: cannot write"),
        ("run good.asm --window 8", "argument --window: '8' is not FIRST:END"),
        ("run good.asm --window 8:a", "argument --window: 'a' is not an unsigned number"),
        ("run good.asm --window 16:8", "window 16:8: expected multiples"),
        ("run good.asm --window 1:8", "window 1:8: expected multiples"),
        ("run good.asm --window 0:65544", "up to hbm_bytes = 65536"),
        ("run good.asm --faulty 8:12", "faulty range 8:12"),
        ("run good.asm --late two", "argument --late: 'two' is not"),
        ("run good.asm --vl 8", "unrecognized arguments: --vl 8"),
        ("run", "the following arguments are required: program"),
        ("pack none.npy", "none.npy: cannot read"),
        ("pack folder.npy", "folder.npy: cannot read: Is a directory"),
        ("pack i4.npy", "i4.npy: elements of type int32; expected float16, float32"),
        ("pack zero.npy", "zero.npy: an array of shape (0, 5)"),
        ("pack scalar.npy", "scalar.npy: an array of shape ()"),
        ("pack text.npy", "text.npy: no .npy array"),
        ("pack none.pt", "none.pt: cannot read: No such file"),
        ("pack text.pt", "text.pt: no tensor of PyTorch"),
        ("pack dict.pt", "dict.pt: holds a dict; expected one dense tensor"),
        ("pack i8.pt", "i8.pt: elements of type torch.int64"),
        ("pack f8.pt", "f8.pt: elements of type torch.float8_e4m3fn"),
        ("pack f4.npy --format FP4", "argument --format: invalid choice: 'FP4'"),
        ("pack f4.npy --beat-bytes 24", "f4.npy: beat_bytes is 24"),
        ("pack f4.npy --beat-bytes many", "argument --beat-bytes: 'many' is not"),
        ("pack f4.npy -o no/x.bin", "no/x.bin: cannot write"),
        ("pack f4.npy --include no/x.inc", "no/x.inc: cannot write"),
        ("pack .", ".: cannot read: Is a directory"),
        ("pack /", "/: cannot read: Is a directory"),
        ("unpack . --rows 1 --vocabulary 2", ".: cannot read: Is a directory"),
        (f"asm good.asm -o {LONG}", f"{LONG}: cannot write: File name too long"),
        (f"asm {LONG}", "File name too long"),
        (f"disasm {LONG}", f"{LONG}: cannot read: File name too long"),
        (f"run good.asm --trace {LONG}", f"{LONG}: cannot write: File name too long"),
        ("asm good.asm -o ring", "ring: cannot write: Too many levels of symbolic links"),
        ("asm good.asm -o /proc/x", "/proc/x: cannot write: "),
        ("run endless.asm --trace folder.npy", "folder.npy: cannot write: Is a directory"),
        ("run endless.asm --trace /proc/x", "/proc/x: cannot write: "),
        ("manual --output good.asm", "good.asm: cannot write: File exists"),
        ("manual --output /proc/x", "/proc/x: cannot write: "),
        (f"manual --output {LONG}", f"{LONG}: cannot write: File name too long"),
        (f"manual --check --output {LONG}", "File name too long"),
        ("manual --check --output pages", "pages: holds a page that is not UTF-8 text"),
        ("pack logits.bin", "logits.bin: cannot write: it is an input"),
        ("pack f4.npy -o ./f4.npy", "f4.npy: cannot write: it is an input"),
        ("pack f4.npy -o hard.bin", "hard.bin: cannot write: it is an input"),
        ("pack f4.npy -o soft.bin", "soft.bin: cannot write: it is an input"),
        ("pack f4.npy -o same --include ./same", "same: cannot write: it is another output too"),
        ("unpack f4.npy --rows 1 --vocabulary 4", "f4.npy: cannot write: it is an input"),
        ("asm odd.bin", "odd.bin: cannot write: it is an input"),
        ("run good.asm --save int=x.npy --save fp=x.npy", "x.npy: cannot write: it is another"),
        ("run good.asm --save int=x.npy --trace x.npy", "x.npy: cannot write: it is another"),
        ("run good.asm --load fp=v.npy --save fp=v.npy", "v.npy: cannot write: it is an input"),
        ("run good.asm --trace good.asm", "good.asm: cannot write: it is an input"),
        ("run good.asm --save int=o.npy@0:4097", "within 0:4096; --int-words 8192 would do"),
        ("asm good.asm --program-words 2", "instruction memory 2; --program-words 4 would do"),
        ("pack f4.npy --prefix 1X", "argument --prefix: '1X' is no name"),
        ("unpack odd.bin --rows 1", "the following arguments are required: --vocabulary"),
        ("unpack odd.bin --rows 1 --vocabulary x", "argument --vocabulary: 'x' is not"),
        ("unpack odd.bin --rows 0 --vocabulary 4", "rows is 0"),
        ("unpack odd.bin --rows 1 --vocabulary 4", "odd.bin: the image has 3 bytes"),
        ("unpack none.bin --rows 1 --vocabulary 4", "none.bin: cannot read"),
        ("unpack odd.bin --rows 70000 --vocabulary 70000", "offsets have 32 bits"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(line, message, here, capsys):
    Path("bad.asm").write_text("NOPE")
    Path("good.asm").write_text("C_BREAK\n" * 3)
    Path("includes.asm").write_text('C_BREAK\n.include "none.inc"')
    Path("odd.bin").write_bytes(b"abc")
    Path("latin.asm").write_bytes(b"\xff\xfe\xfa")
    Path("text.npy").write_text("text")
    Path("empty.npy").write_text("")
    Path("text.pt").write_text("text")
    Path("endless.asm").write_text("C_LOOP_START gp1, 200000\nC_LOOP_END gp1\nC_BREAK")
    Path("ring").symlink_to("ring")
    Path("pages").mkdir()
    Path("pages/isa.md").write_bytes(b"\xff")
    Path("folder.npy").mkdir()
    np.save("v.npy", np.zeros(8, np.uint16))
    np.save("f4.npy", np.zeros(8, np.float32))
    Path("logits.bin").write_bytes(Path("f4.npy").read_bytes())
    Path("hard.bin").hardlink_to("f4.npy")
    Path("soft.bin").symlink_to("f4.npy")
    np.save("i4.npy", np.zeros(8, np.int32))
    np.save("zero.npy", np.zeros((0, 5), np.float32))
    np.save("scalar.npy", np.float32(1))
    np.save("objects.npy", np.array([None, {}]), allow_pickle=True)
    with Path("many.npy").open("wb") as file:
        np.savez(file, a=np.zeros(1), b=np.zeros(1))
    torch.save({"a": torch.zeros(3)}, "dict.pt")
    torch.save(torch.zeros(3, dtype=torch.int64), "i8.pt")
    torch.save(torch.zeros(3).to(torch.float8_e4m3fn), "f8.pt")
    before = contents(here)
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert contents(here) == before


@pytest.mark.parametrize("text", ["", "a\0b"])
@pytest.mark.parametrize(
    "line", ["asm @", "pack @", "run @", "asm a.asm -o @", "manual --output @"]
)
def test_what_is_no_name_of_a_file(line, text, here, capsys):
    assert main([word.replace("@", text) for word in line.split()]) == 2
    error = capsys.readouterr().err
    assert f"{text!r} is no name of a file" in error and error.count("\n") == 1
