"""`vectors`, `check`, `conform`: other people's designs against a contract. They need PyTorch."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from unmask.spec.commands.files import check_writable
from unmask.spec.commands.options import file_path, number
from unmask.spec.commands.progress import watched
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands
    from unmask.spec.conformance.judge import Judge
    from unmask.spec.conformance.parameters import Values

_DEFAULTS: dict[str, Any] = {"ties": "lowest", "error": 1.0, "device": "cpu"}


def vectors(arguments: argparse.Namespace) -> int:
    _need_torch("vectors")
    from unmask.spec.conformance import constructions
    from unmask.spec.conformance.plan import Plan
    from unmask.spec.conformance.vectors import write

    names = arguments.family or constructions.NAMES
    plan = Plan(
        arguments.contract,
        _given(arguments),
        arguments.family,
        (arguments.batch, arguments.rows, arguments.vocabulary),
        len(names) if arguments.cases is None else arguments.cases,
        arguments.seed,
        arguments.format,
    )
    count = write(plan, arguments.out)
    print(f"{arguments.out}: {plan.cases} cases of {plan.contract}, {count} files, manifest.json")
    return 0


def check(arguments: argparse.Namespace) -> int:
    _need_torch("check")
    from unmask.spec.conformance.vectors import read

    judge = _judge(arguments)
    known = read(arguments.vectors)
    results = known.results(arguments.results)
    count: Counter[str] = Counter()
    for place, case in enumerate(watched(iter(known.cases), True, noun="cases")):
        verdict = judge.verdict(case, results[place], known.expected[place])
        count[verdict.status] += 1
        if verdict.status != "equal":
            print(f"case {place} ({case.name}): {verdict.status}: {verdict.reason}")
    print(", ".join(f"{count[name]} {name}" for name in ("equal", "admissible", "wrong")))
    return 1 if count["wrong"] else 0


def conform(arguments: argparse.Namespace) -> int:
    _need_torch("conform")
    from unmask.spec.conformance import case, trial

    if arguments.out is not None:
        check_writable(arguments.out)
    tried = trial.Trial(
        trial.sampler(arguments.sampler),
        arguments.contract,
        _given(arguments),
        tuple(arguments.draw),
        _judge(arguments),
        arguments.device,
    )
    if arguments.replay is not None:
        saved = case.load(arguments.replay)
        if saved.contract != arguments.contract:
            raise UsageError(f"is a step of {saved.contract}", str(arguments.replay))
        failure, done = tried.failure(saved), "the saved step"
    else:
        failure = tried.search(arguments.examples, arguments.seed)
        done = f"{arguments.examples} examples"
    if failure is None:
        print(f"{arguments.sampler} conforms to {arguments.contract} on {done}")
        return 0
    print(failure)
    if arguments.out is not None:
        failure.case.save(arguments.out)
    if arguments.out is not None or arguments.replay is None:
        print(f"  replay      {_replay(arguments)}")
    return 1


def _replay(arguments: argparse.Namespace) -> str:
    """The command that fails again: on the saved step, or else by the same search."""
    words = ["unmask", "conform", arguments.sampler, "--contract", arguments.contract]
    for name in ("ties", "error", "device"):
        if (value := getattr(arguments, name)) != _DEFAULTS[name]:
            words += [f"--{name}", str(value)]
    if arguments.out is not None:
        return shlex.join([*words, "--replay", str(arguments.out)])
    for text in _settings(arguments):
        words += ["--set", text]
    for name in arguments.draw:
        words += ["--draw", name]
    return shlex.join(
        [*words, "--examples", str(arguments.examples), "--seed", str(arguments.seed)]
    )


def _need_torch(command: str) -> None:
    if find_spec("torch") is None:
        raise UsageError(f"{command} needs the package torch")


def _given(arguments: argparse.Namespace) -> Values:
    """The parameters of a command line."""
    from unmask.spec.conformance.parameters import parse

    return parse(_settings(arguments))


def _settings(arguments: argparse.Namespace) -> list[str]:
    """The parameters as texts, name=value."""
    short = {"k": arguments.k, "tau": arguments.tau}
    return [*(f"{x}={y}" for x, y in short.items() if y is not None), *arguments.set]


def _judge(arguments: argparse.Namespace) -> Judge:
    from unmask.spec.conformance.judge import Judge

    return Judge(arguments.ties, arguments.error)


def _add_contract(command: argparse.ArgumentParser) -> None:
    command.add_argument("--contract", required=True, metavar="NAME")
    command.add_argument("--k", metavar="N", help="short for --set k=N")
    command.add_argument("--tau", metavar="X", help="short for --set tau=X")
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a contract's parameter"
    )


def _add_judge(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--ties",
        default=_DEFAULTS["ties"],
        metavar="WHICH",
        help="lowest: of equal confidences the lowest position (default); any: as the source's "
        "ranking leaves it open",
    )
    command.add_argument(
        "--error",
        type=float,
        default=_DEFAULTS["error"],
        metavar="TIMES",
        help="how much of the error that theorem T1 allows is accepted: 1 (default); 0: nothing",
    )


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "vectors",
        help="write test vectors of a sampling contract",
        description="Write test vectors of a sampling contract, .npy and $readmemh, to a folder. "
        f"Formats of the logits: {', '.join(FORMATS)}.",
    )
    _add_contract(command)
    command.add_argument("--out", type=file_path, required=True, metavar="FOLDER")
    for name, default in (("batch", 2), ("rows", 8), ("vocabulary", 203), ("seed", 0)):
        command.add_argument(
            f"--{name}", type=number, default=default, metavar="N", help="default %(default)s"
        )
    command.add_argument(
        "--cases", type=number, metavar="N", help="default: one of each family and construction"
    )
    command.add_argument("--family", action="append", default=[], metavar="NAME")
    command.add_argument("--format", choices=tuple(FORMATS), default="BF16", metavar="FORMAT")
    command.set_defaults(call=vectors)

    command = commands.add_parser(
        "check",
        help="judge what a design made of test vectors",
        description="Judge what a design made of test vectors. Exit code 0, or 1 if a case is "
        "wrong.",
    )
    command.add_argument("vectors", type=file_path, help="the folder that `vectors` wrote")
    command.add_argument("results", type=file_path, help="ids (cases, B, L): .npy, or hex words")
    _add_judge(command)
    command.set_defaults(call=check)

    command = commands.add_parser(
        "conform",
        help="try a PyTorch sampler against a contract",
        description="Try a sampler, (logits (B, L, V) bfloat16, x, mask, **parameters) -> ids "
        "(B, L), on generated steps and show the least that it does wrong. Exit code 0, or 1.",
    )
    command.add_argument("sampler", metavar="PACKAGE.MODULE:NAME")
    _add_contract(command)
    _add_judge(command)
    command.add_argument("--examples", type=number, default=500, metavar="N")
    command.add_argument("--seed", type=number, default=0, metavar="N")
    command.add_argument(
        "--draw", action="append", default=[], metavar="NAME", help="an optional parameter to draw"
    )
    command.add_argument(
        "--device", default=_DEFAULTS["device"], metavar="NAME", help="of the tensors"
    )
    command.add_argument("--out", type=file_path, metavar="FILE", help=".npz for a failing step")
    command.add_argument("--replay", type=file_path, metavar="FILE", help="one saved step alone")
    command.set_defaults(call=conform)
