"""Files that commands read and write: errors name them; outputs appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec import assembler
from unmask.spec.assembly.source import read_text
from unmask.spec.errors import UsageError


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
        message = f"the program has {len(words)} words, instruction memory {most} (--program-words)"
        raise UsageError(message, str(path))
    return words


def read_npy(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror or first_line(error)}", str(path)) from None
    except (ValueError, EOFError, MemoryError, OverflowError) as error:
        raise UsageError(f"no .npy array: {first_line(error)}", str(path)) from None
    if not isinstance(array, np.ndarray):
        raise UsageError("several arrays (.npz), one is expected (.npy)", str(path))
    return array


def first_line(error: BaseException) -> str:
    """What an exception says, without what it adds in further lines."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _is_device(path: Path) -> bool:
    """Something to write into, not to put a file in the place of: /dev/stdout, a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_writable(path: Path) -> None:
    """Raise a UsageError early if a file cannot be written, before the work for it is done."""
    if path.is_dir():
        raise UsageError("cannot write: Is a directory", str(path))
    if _is_device(path):
        return
    if not path.parent.is_dir():
        raise UsageError("cannot write: there is no such folder", str(path))
    if not os.access(path.parent, os.W_OK):
        raise UsageError("cannot write: the folder is not writable", str(path))


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write: who reads `path` sees the old one until all is written."""
    try:
        if _is_device(path):
            with path.open("wb") as file:
                yield file
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            os.chmod(name, 0o644)
            os.replace(name, path)
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
