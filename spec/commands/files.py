"""Files that commands read and write: errors name them; outputs appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec import assembler
from unmask.spec.assembly.source import read_text
from unmask.spec.errors import UsageError
from unmask.spec.state import MEMORIES


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", str(path)) from None


def read_program(path: Path, most: int | None = None) -> list[int]:
    """The words of a program: `.bin` holds little-endian 32-bit words, else assembly text.

    Args:
        path: the file.
        most: words of instruction memory, if they are limited.
    """
    if path.suffix == ".bin":
        content = read_bytes(path)
        if len(content) % 4:
            raise UsageError(f"{len(content)} bytes are no whole number of words", str(path))
        words = np.frombuffer(content, "<u4").tolist()
    else:
        words = assembler.assemble(read_text(path), str(path))
    if most is not None and len(words) > most:
        raise UsageError(
            f"the program has {len(words)} words, instruction memory {most}; "
            f"--program-words {power_of_two(len(words))} would do",
            str(path),
        )
    return words


def power_of_two(least: int) -> int:
    """The first power of two that is not less."""
    return 1 << max(least - 1, 0).bit_length()


def read_npy(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that old versions wrote
            array = np.load(file, allow_pickle=False)
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror or first_line(error)}", str(path)) from None
    except Exception as error:  # of many types, none of which numpy documents
        raise UsageError(f"no .npy array: {first_line(error)}", str(path)) from None
    if not isinstance(array, np.ndarray):
        raise UsageError("several arrays (.npz), one is expected (.npy)", str(path))
    return array


def read_elements(memory: str, path: Path) -> NDArray[Any]:
    """What a file, .npy or little-endian elements, holds for a memory."""
    dtype = np.dtype(MEMORIES[memory])
    if path.suffix == ".npy":
        array = read_npy(path)
    else:
        content = read_bytes(path)
        if len(content) % dtype.itemsize:
            raise UsageError(
                f"{len(content)} bytes are no whole number of {memory} elements, "
                f"which have {dtype.itemsize} bytes",
                str(path),
            )
        array = np.frombuffer(content, dtype.newbyteorder("<"))
    if memory == "hbm" and array.dtype.itemsize != 1:
        # Values of wide elements that happen to be small would be taken for bytes.
        raise UsageError(
            f"hbm takes bytes, the array holds {array.dtype}; give a .bin, or view it as uint8",
            str(path),
        )
    return array


def first_line(error: BaseException) -> str:
    """What an exception says, without what it adds in further lines."""
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0]


def beside(path: Path, suffix: str) -> Path:
    """The name of an output that was given none: that of the input, with another suffix."""
    if not path.name:  # `.` or `/`
        raise UsageError("cannot read: Is a directory", str(path))
    return path.with_suffix(suffix)


def check_files(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Raise a UsageError before any work is done if an output cannot be written, or takes the place
    of an input or of another output."""
    for place, output in enumerate(outputs):
        check_writable(output)
        if _is_device(output):
            continue
        if any(_same(output, path) for path in inputs):
            raise UsageError("cannot write: it is an input; name another output", str(output))
        if any(_same(output, path) for path in outputs[:place]):
            raise UsageError("cannot write: it is another output too", str(output))


def _same(one: Path, other: Path) -> bool:
    """Whether two names are those of one file, which may be still to come."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _is_device(path: Path) -> bool:
    """Something to write into, not to put a file in the place of: /dev/stdout, a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_writable(path: Path) -> None:
    """Raise a UsageError early if a file cannot be written, before the work for it is done."""
    try:
        if path.is_dir():
            raise UsageError("cannot write: Is a directory", str(path))
        if _is_device(path):
            return
        if path.exists() and not os.access(path, os.W_OK):
            raise UsageError("cannot write: Permission denied", str(path))
        if not _target(path).parent.is_dir():
            raise UsageError("cannot write: there is no such folder", str(path))
        handle, name = _new_file(path)
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", str(path)) from None


def _target(path: Path) -> Path:
    """The file that a name means, behind all links."""
    with suppress(FileNotFoundError):  # it may be still to be made
        path.stat()  # says what `realpath` does not: links in a circle, a name too long
    return Path(os.path.realpath(path))


def _new_file(path: Path) -> tuple[int, str]:
    """An open file of another name in a file's folder; with its permissions, if it exists."""
    target = _target(path)
    name = str(target.parent / f".{secrets.token_hex(8)}.part")
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # as umask has it
    if target.exists():
        os.fchmod(handle, stat.S_IMODE(target.stat().st_mode))
    return handle, name


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write: who reads `path` sees the old one until all is written."""
    try:
        if _is_device(path):
            with path.open("wb") as file:
                yield file
            return
        handle, name = _new_file(path)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            os.replace(name, _target(path))
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", str(path)) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or the old one."""
    with written_whole(path) as file:
        file.write(content)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """A .npy file, or the elements alone, little-endian, where the name ends in .bin."""
    with written_whole(path) as file:
        if path.suffix == ".bin":
            file.write(array.astype(array.dtype.newbyteorder("<")).tobytes())
        else:
            np.save(file, array, allow_pickle=False)
