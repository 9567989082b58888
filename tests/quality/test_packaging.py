"""The import name `unmask` works from a checkout, an editable install and a wheel; and the layout.

Installs go into fresh virtual environments, without network: pip comes from this environment.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from unmask.spec import isa

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_path("platlib"))

# Which sub-packages the files of each may import.
MAY_IMPORT = {
    "spec": {"spec"},
    "model": {"spec", "model"},
    "rtl": {"rtl"},
    "proofs": {"spec", "model", "proofs"},
    "tests": {"spec", "model", "rtl", "proofs", "tests"},
    "ci": {"spec", "model", "rtl", "proofs", "tests", "ci"},
}


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed, without a PYTHONPATH that could hide a fault."""
    clean = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pip(*arguments: str | Path, cwd: Path) -> None:
    call(sys.executable, "-m", "pip", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a checkout holds, free of caches and of this environment."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in MAY_IMPORT:
        shutil.copytree(
            ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "sim_build")
        )
    for file in ("unmask.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    return copy


def environment(folder: Path, *, visible: Iterable[Path]) -> Path:
    """A virtual environment that sees these packages of ours; its Python."""
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    for path in visible:
        (site / path.name).symlink_to(path)
    return folder / "bin" / "python"


def check_import(python: Path | str, cwd: Path, package: Path) -> None:
    """`unmask` imported in that folder is this package and holds the whole table."""
    code = "import unmask; from unmask.spec import isa; print(unmask.__path__[0], len(isa.TABLE))"
    path, length = call(python, "-c", code, cwd=cwd).split()
    assert Path(path).resolve() == package.resolve()
    assert int(length) == len(isa.TABLE)
    assert "usage" in call(python, "-m", "unmask.spec", "--help", cwd=cwd)


def check_console(python: Path, cwd: Path) -> None:
    script = python.parent / "unmask"
    assert "usage" in call(script, "--help", cwd=cwd)
    assert "usage" in call(script, "disasm", "--help", cwd=cwd)


def test_plain_checkout(checkout):
    check_import(sys.executable, checkout, checkout)


def test_editable_install(checkout, tmp_path):
    python = environment(tmp_path / "venv", visible=SITE.iterdir())
    install = ("install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    pip("--python", python, *install, "--editable", checkout, cwd=tmp_path)
    check_import(python, tmp_path, checkout)
    check_console(python, tmp_path)


def test_wheel(checkout, tmp_path):
    build = ("wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    pip(*build, "--wheel-dir", tmp_path, checkout, cwd=tmp_path)
    (wheel,) = tmp_path.glob("unmask-*.whl")

    # numpy is all that the distribution asks for, so it is all that this one sees.
    python = environment(tmp_path / "venv", visible=SITE.glob("numpy*"))
    pip("--python", python, "install", "--quiet", "--no-index", wheel, cwd=tmp_path)
    (site,) = tmp_path.glob("venv/lib/*/site-packages")
    check_import(python, tmp_path, site / "unmask")
    check_console(python, tmp_path)

    def sources(package: Path) -> set[Path]:
        kinds = {".v", ".vh", ".sv", ".toml"}
        found = (package / "rtl").rglob("*")
        return {path.relative_to(package) for path in found if path.suffix in kinds}

    assert any(path.suffix == ".v" for path in sources(checkout))
    assert sources(site / "unmask") == sources(checkout)


def imported(path: Path) -> Iterator[str]:
    """The full names that a file's import statements name."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_dependency_direction(folder):
    faults = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in imported(path):
            first, *rest = name.split(".")
            if name == "unmask":  # its version and public names
                continue
            if first == "unmask":
                wrong = rest[0] in MAY_IMPORT and rest[0] not in MAY_IMPORT[folder]
                # pytest loads test files by path; importing one makes a second copy of it
                wrong |= rest[0] == "tests" and any(part.startswith("test_") for part in rest[:-1])
            else:
                wrong = first in MAY_IMPORT or first == ""
            if wrong:
                faults.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not faults


def test_layout():
    assert [name for name in MAY_IMPORT if not (ROOT / name).is_dir()] == []


def test_nothing_generated_is_tracked():
    listing = call("git", "ls-files", "--cached", "--ignored", "--exclude-standard", cwd=ROOT)
    assert listing.splitlines() == []


def test_lock_is_exact_and_agrees_with_pyproject():
    lines = (ROOT / "ci/requirements.lock").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    locked = dict(line.lower().replace("_", "-").split("==") for line in lines)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
        name, _, exact = requirement.partition("==")
        name = name.partition(">=")[0]
        assert name in locked
        assert exact in ("", locked[name])
