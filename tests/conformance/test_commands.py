"""`vectors`, `check`, `conform` as typed: what they write, print and return, and bad input."""

import json
import shlex
import shutil

import numpy as np
import pytest
import torch

from unmask.spec.__main__ import main
from unmask.spec.conformance import constructions, hexfile, parameters, vectors
from unmask.spec.formats import from_float, to_float
from unmask.spec.pack import Shape, unpack
from unmask.spec.reference.argmax import tensor
from unmask.spec.reference.samplers import CONTRACTS

WRONG = "unmask.tests.conformance.wrong"
CONTRACT = "llada_low_confidence"
SMALL = ["--batch", "2", "--rows", "5", "--vocabulary", "37"]


def run(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All constructions and families."""
    path = tmp_path_factory.mktemp("vectors") / "new"
    assert (
        run("vectors", "--contract", "llada_low_confidence", "--out", path, "--k", 2, *SMALL) == 0
    )
    return path


def change_cases(folder, count):
    """Leave no more cases in the manifest."""
    about = json.loads((folder / "manifest.json").read_text())
    about["cases"] = about["cases"][:count]
    (folder / "manifest.json").write_text(json.dumps(about))


def array(folder, name):
    return np.load(folder / f"{name}.npy")


def test_vectors_say_what_the_contract_does(folder):
    about = json.loads((folder / "manifest.json").read_text())
    names = [case["name"] for case in about["cases"]]
    assert names == list(constructions.NAMES)
    logits, ids, mask = (array(folder, name) for name in ("logits", "ids", "mask"))
    assert (logits.dtype, ids.dtype, mask.dtype) == (np.uint16, np.int32, bool)
    assert logits.shape == (len(names), 2, 5, 37)
    transfers = array(folder, "expected_transfer")
    counts = {"count 0": 0, "count L": 5}
    for place, case in enumerate(about["cases"]):
        k = case["parameters"]["k"]
        assert k == counts.get(case["name"], 2)
        assert array(folder, "k")[place].tolist() == [k, k]
        step = CONTRACTS[CONTRACT].oracle(
            tensor(logits[place]),
            torch.from_numpy(ids[place].astype(np.int64)),
            torch.from_numpy(mask[place]),
            k=k,
        )
        assert (step.x.numpy() == array(folder, "expected_ids")[place]).all()
        assert (step.transfer.numpy() == transfers[place]).all()
    must, may = array(folder, "must"), array(folder, "may")
    assert (must <= may).all()
    near = names.index("near ties")
    assert (must[near] < may[near]).any()  # the border is inside the margin
    assert not (must < may)[names.index("exact ties")].any()


def test_every_construction_has_what_it_is_named_for(folder):
    names = list(constructions.NAMES)
    logits, mask = array(folder, "logits"), array(folder, "mask")
    values = {name: to_float(logits[place]) for place, name in enumerate(names)}
    masks = {name: mask[place] for place, name in enumerate(names)}
    assert (np.sort(values["exact ties"]) == np.sort(values["exact ties"])[0, 0]).all()
    assert len(np.unique(np.sort(values["near ties"]).reshape(10, -1), axis=0)) > 2
    assert np.isneginf(values["columns of -infinity"][..., ::3]).all()
    assert np.isneginf(values["rows of -infinity"]).all(axis=-1).any()
    for name in ("rows with NaN", "rows with a negative NaN"):
        assert np.isnan(values[name]).any()
    assert np.isposinf(values["rows with +infinity"]).any()
    assert (values["all negative"] < 0).all()
    assert (values["last column"].argmax(axis=-1) == 36).all()
    two = values["two greatest"]
    assert ((two == two.max(axis=-1, keepdims=True)).sum(axis=-1) >= 2).all()
    finite = np.isfinite(values["confidences 1, 1/2, 1/3"]).sum(axis=-1)
    assert finite.tolist() == [[1, 2, 3, 4, 5]] * 2
    assert set(logits[names.index("both zeros")].ravel().tolist()) == {0x0000, 0x8000}
    assert not masks["nothing masked"].any() and masks["all masked"].all()
    assert (masks["one masked"].sum(axis=-1) == 1).all()


def test_hex_files_hold_the_same(folder):
    about = json.loads((folder / "manifest.json").read_text())
    for name in about["files"]:
        if name.endswith(".hex"):
            wanted = array(folder, name.removesuffix(".hex"))
            assert list(wanted.shape) == about["files"][name]["shape"]
            assert (hexfile.read(folder / name, wanted.size) == wanted.ravel()).all()
    lines = (folder / "logits.hex").read_text().splitlines()
    assert lines[0] == "@0 // case 0, batch row 0, position 0 (exact ties)"
    assert lines[38] == "@25 // case 0, batch row 0, position 1 (exact ties)"
    assert lines[1] == f"{array(folder, 'logits')[0, 0, 0, 0]:04x}"


def test_the_command_in_the_manifest_writes_the_same(folder, tmp_path):
    about = json.loads((folder / "manifest.json").read_text())
    words = shlex.split(about["command"])[1:]
    words[words.index(str(folder))] = str(tmp_path)
    assert main(words) == 0
    again = json.loads((tmp_path / "manifest.json").read_text())
    assert again["files"] == about["files"]
    for name, described in about["files"].items():
        assert vectors._digest((tmp_path / name).read_bytes()) == described["sha256"]


@pytest.mark.parametrize("form", ["E4M3_B32", "E5M2_B8"])
def test_mx_arrays_are_an_image(tmp_path, form):
    contract = ["--contract", "fast_dllm_v2", "--tau", "0.5", "--family", "tied"]
    assert run("vectors", *contract, "--format", form, "--out", tmp_path, *SMALL) == 0
    elements, scales = array(tmp_path, "elements"), array(tmp_path, "scales")
    shape = Shape(form, 10, 37)
    assert elements.shape == (1, 2, 5, shape.pitch)
    assert scales.shape == (1, 2, 5, shape.pitch // shape.layout.block)
    image = np.zeros(shape.size, np.uint8)
    image[: elements.size] = elements.ravel()
    image[shape.scale : shape.scale + scales.size] = scales.ravel()
    codes = unpack(image, shape)
    assert (codes == array(tmp_path, "logits").reshape(10, 37)).all()
    assert not (codes == from_float(to_float(codes) + 1)).all()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_vectors_of_every_contract_judge_themselves_equal(contract, tmp_path, capsys):
    words = ["--family", "near ties", "--family", "rows with NaN", "--family", "count L"]
    assert run("vectors", "--contract", contract, "--out", tmp_path, *words, *SMALL) == 0
    assert run("check", tmp_path, tmp_path / "expected_ids.npy") == 0
    assert run("check", tmp_path, tmp_path / "expected_ids.hex") == 0
    assert capsys.readouterr().out.count("3 equal, 0 admissible, 0 wrong\n") == 2


def test_check_judges_each_case(tmp_path, capsys):
    names, folder = ["near ties", "gaussian", "exact ties"], tmp_path / "new"
    words = [word for name in names for word in ("--family", name)]
    contract = ["--contract", f"{CONTRACT}_fp64", "--k", 2]
    assert run("vectors", *contract, *words, "--out", folder, *SMALL) == 0
    ids, x = array(folder, "expected_ids"), array(folder, "ids")
    near, plain = names.index("near ties"), names.index("gaussian")
    # One position that is chosen for another that is not: inside the margin, and outside.
    tokens = tensor(array(folder, "logits")).argmax(dim=-1).numpy()
    must, may = array(folder, "must"), array(folder, "may")
    transfer = array(folder, "expected_transfer")
    row = int(np.flatnonzero((must[near] < may[near]).any(axis=1))[0])
    inside = transfer[near, row].copy()
    out = np.flatnonzero(inside & ~must[near, row])[0]
    inside[[out, np.flatnonzero(may[near, row] & ~inside)[0]]] = False, True
    ids[near, row] = np.where(inside, tokens[near, row], x[near, row])
    ids[plain, 1, 0] = 99
    np.save(tmp_path / "ids.npy", ids)
    assert run("check", folder, tmp_path / "ids.npy") == 1
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines[-1] == f"{len(names) - 2} equal, 1 admissible, 1 wrong"
    assert lines[0].startswith(f"case {near} (near ties): admissible: batch row {row}: position ")
    assert lines[0].endswith("inside the margin")
    assert f"case {plain} (gaussian): wrong: batch row 1: position 0 is 99, expected " in lines[1]
    assert run("check", folder, tmp_path / "ids.npy", "--error", "0") == 1
    assert " 0 admissible, 2 wrong" in capsys.readouterr().out


def test_conform(capsys, tmp_path):
    saved = tmp_path / "case.npz"
    words = ["--contract", "llada_low_confidence"]
    assert run("conform", f"{WRONG}:as_a_step", *words, "--examples", 20) == 0
    assert capsys.readouterr().out == (
        f"{WRONG}:as_a_step conforms to llada_low_confidence on 20 examples\n"
    )
    assert run("conform", f"{WRONG}:last_index_on_ties", *words, "--k", 1, "--out", saved) == 1
    text = capsys.readouterr().out
    assert "parameters  k = 1" in text and "logits 0 (0000), 0 (0000)" in text
    replay = shlex.split(text.splitlines()[-1].partition("unmask ")[2])
    assert run(*replay) == 1
    assert capsys.readouterr().out == text.rpartition("  replay")[0]
    assert run(*replay, "--ties", "any") == 0
    assert "the saved step" in capsys.readouterr().out
    raises = ["conform", f"{WRONG}:raises", *words, "--set", "k=2", "--examples", 20]
    assert run(*raises) == 1
    captured = capsys.readouterr()
    assert "raised RuntimeError: more than one (" in captured.out
    assert "Traceback" not in captured.out + captured.err


def test_failing_search_prints_how_to_repeat_it(capsys):
    words = ["--contract", CONTRACT, "--k", 1, "--examples", 30, "--seed", 7, "--draw", "block_end"]
    assert run("conform", f"{WRONG}:last_index_on_ties", *words, "--error", "0") == 1
    text = capsys.readouterr().out
    replay = shlex.split(text.splitlines()[-1].partition("unmask ")[2])
    assert run(*replay) == 1
    assert capsys.readouterr().out == text


def test_a_sampler_that_exits_does_not_conform(capsys):
    assert run("conform", f"{WRONG}:exits", "--contract", CONTRACT, "--examples", 5) == 1
    assert "raised SystemExit: 0 (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,2", [1, 2]),
        ("[1, 2]", [1, 2]),
        ("[3]", [3]),
        ("inf", np.inf),
        ("-Infinity", -np.inf),
        (".5", 0.5),
        ("true", True),
    ],
)
def test_values_are_written_as_in_json_or_shorter(text, value):
    assert parameters.parse([f"name={text}"]) == {"name": value}


VECTORS = ["vectors", "--contract", "llada_low_confidence", "--out", "OUT"]
LLADA2 = ["vectors", "--contract", "llada2", "--out", "OUT"]
CONFORM = ["conform", f"{WRONG}:raises", "--contract", "llada_low_confidence"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["vectors", "--contract", "none", "--out", "OUT"], "contract 'none'; there are"),
        ([*VECTORS, "--tau", "1"], "tau cannot be set for llada_low_confidence; it has k,"),
        ([*VECTORS, "--k", "x"], "k is 'x'; expected a number"),
        ([*VECTORS, "--k", "9", "--rows", "4"], "k is 9, expected an integer from 0 to 4"),
        ([*VECTORS, "--set", "k"], "'k' is not name=value"),
        ([*VECTORS, "--set", "k=1,2,3"], "k has 3 counts, expected one for each of 2 rows"),
        ([*VECTORS, "--family", "x"], "--family 'x'; there are exact ties, near ties,"),
        ([*VECTORS, "--rows", "0"], "--rows is 0; expected 1 or more"),
        ([*VECTORS, "--cases", "0"], "--cases is 0; expected 1 or more"),
        ([*VECTORS, "--vocabulary", "1"], "--vocabulary is 1; expected 2 to 2**18"),
        ([*VECTORS, "--cases", "99999", "--vocabulary", "99999"], "more than 1 GiB"),
        ([*VECTORS, "--format", "FP4"], "argument --format: invalid choice: 'FP4'"),
        ([*VECTORS[:-1], "FILE"], "FILE: cannot write: File exists"),
        (["check", "OUT", "FILE"], "OUT/manifest.json: cannot read: No such file"),
        (["check", "VECTORS", "none.npy"], "none.npy: cannot read: No such file"),
        (["check", "VECTORS", "VECTORS/mask.npy"], "bool of shape (31, 2, 5); expected integers"),
        (["check", "VECTORS", "VECTORS/k.npy"], "int32 of shape (31, 2); expected integers of "),
        (["check", "VECTORS", "VECTORS/k.hex"], "k.hex: no word at 0x3e; 310 are expected"),
        (["check", "VECTORS", "VECTORS/logits.hex"], "logits.hex:320: a word at 0x136; 310 are"),
        (["check", "VECTORS", "FILE"], "FILE:2: 'xx' is no hex word"),
        (["check", "VECTORS", "VECTORS/ids.npy", "--ties", "no"], "ties is 'no'; expected lowest"),
        (["check", "VECTORS", "VECTORS/ids.npy", "--error", "-1"], "error is -1.0; expected a fin"),
        ([*VECTORS, "--k", ""], "k is ''; expected a number"),
        ([*VECTORS, "--tau="], "tau is ''; expected a number"),
        ([*VECTORS, "--set", "k=[]"], "k is '[]'; expected a number"),
        ([*VECTORS, "--k", "2147483648"], "k is 2147483648; expected 2147483647 or less"),
        ([*LLADA2, "--set", "q=2147483648"], "q is 2147483648; expected 2147483647 or less"),
        ([*LLADA2, "--set", f"q=[1,{'9' * 20}]"], f"q is {'9' * 20}; expected 2147483647 or less"),
        ([*CONFORM, "--examples", "0"], "--examples is 0; expected an integer, 1 or more"),
        ([*CONFORM, "--k", "100000"], "k is 100000; expected 256 or less"),
        ([*CONFORM, "--k", "9" * 23], f"k is {'9' * 23}; expected 256 or less"),
        (
            ["conform", "unmask.tests.conformance.exits:f", "--contract", "c"],
            "cannot import 'unmask.tests.conformance.exits': raised SystemExit: 0 (",
        ),
        (["conform", "x", "--contract", "c"], "'x' is not package.module:name"),
        (["conform", "no.such:f", "--contract", "c"], "cannot import 'no.such': raised ModuleNot"),
        (["conform", f"{WRONG}:no", "--contract", "c"], f"'{WRONG}' has no 'no'"),
        (["conform", f"{WRONG}:not_callable", "--contract", "c"], "is ndarray, which cannot be ca"),
        (["conform", f"{WRONG}:raises", "--contract", "c"], "contract 'c'; there are"),
        ([*CONFORM, "--set", "tau=1"], "tau cannot be set for llada_low_confidence"),
        ([*CONFORM, "--k=-1"], "k is -1, expected an integer from 0"),
        ([*CONFORM, "--draw", "kk"], "kk cannot be set"),
        ([*CONFORM, "--replay", "FILE"], "FILE: no saved case:"),
        ([*CONFORM, "--replay", "none.npz"], "none.npz: cannot read: No such file"),
        ([*CONFORM, "--out", "no/such/case.npz"], "cannot write: there is no such folder"),
        ([*CONFORM, "--device", "nowhere"], "device 'nowhere'"),
    ],
)
def test_bad_input(words, text, folder, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("// nothing\n0 xx\n")
    places = {"OUT": tmp_path / "out", "FILE": file, "VECTORS": folder}

    def filled(word):
        for name, path in places.items():
            word = word.replace(name, str(path))
        return word

    assert run(*map(filled, words)) == 2
    captured = capsys.readouterr()
    assert filled(text) in captured.err
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err
    assert not captured.out


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda folder: (folder / "ids.npy").unlink(), "ids.npy: cannot read"),
        (
            lambda folder: np.save(folder / "logits.npy", array(folder, "logits") ^ 1),
            "logits.npy: is not the file that manifest.json describes",
        ),
        (lambda folder: (folder / "manifest.json").write_text("{"), "no manifest of vectors"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "no manifest of vectors"),
        (lambda folder: change_cases(folder, 0), "manifest.json: has no cases; expected 1 or more"),
        (
            lambda folder: change_cases(folder, 3),
            "manifest.json: has 3 cases, but logits.npy is of shape (31, 2, 5, 37)",
        ),
        (
            lambda folder: (folder / "manifest.json").write_text(
                (folder / "manifest.json").read_text().replace('"version": 1', '"version": 9')
            ),
            "manifest.json: version 9 of 'unmask vectors'; expected version 1",
        ),
    ],
)
def test_spoilt_vectors(change, text, folder, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    change(copy)
    assert run("check", copy, folder / "ids.npy") == 2
    error = capsys.readouterr().err
    assert text in error and str(copy) in error and error.count("\n") == 1
