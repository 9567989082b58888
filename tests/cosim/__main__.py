"""`python -m unmask.tests.cosim replay FILE`: run a counterexample again, with a waveform."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from unmask.spec.errors import UsageError
from unmask.tests.cosim.runner import load_counterexample, simulate


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m unmask.tests.cosim", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    command = commands.add_parser("replay", help="run a saved counterexample, write a waveform")
    command.add_argument("file", type=Path)
    arguments = parser.parse_args(argv)
    try:
        outcome = simulate(load_counterexample(arguments.file))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    print(outcome.failure or "hardware and specification agree on this case")
    print(f"waveform: {outcome.waveform}")
    return 1 if outcome.failure else 0


if __name__ == "__main__":
    sys.exit(main())
