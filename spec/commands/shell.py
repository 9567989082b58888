"""What a command says and returns when something goes wrong: one line on stderr, an exit code."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from contextlib import suppress

from unmask.spec.errors import UsageError

INTERRUPTED = 130  # as shells say it: 128 and the signal's number


def command(parser: ArgumentParser, argv: Sequence[str] | None) -> int:
    """The exit code of a command line whose sub-commands each set `call`."""

    def called() -> int:
        arguments = parser.parse_args(argv)
        return int(arguments.call(arguments))

    return guarded(called)


def guarded(call: Callable[[], int]) -> int:
    """The exit code of a call; what ends it early becomes one line and a code."""
    # A file's name may hold bytes that are no text.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    try:
        try:
            return call()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # while its errors are caught
    except UsageError as error:
        return _say(str(error))
    except MemoryError as error:
        return _say(f"out of memory: {error}")
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has seen enough
        _drop_output()
        return 1
    except OSError as error:
        reason = error.strerror or str(error)
        if error.filename is not None:
            return _say(f"{os.fsdecode(error.filename)}: {reason}")
        _drop_output()  # only files that are open have errors without a name
        return _say(f"standard output: cannot write: {reason}")


def _say(text: str, code: int = 2) -> int:
    with suppress(OSError):
        print(" ".join(text.splitlines()), file=sys.stderr)
    return code


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: Python would try again when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
