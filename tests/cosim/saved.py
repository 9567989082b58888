"""What a file with a saved counterexample must say, so that its replay tells of the hardware alone.

Such files are edited by hand, and moved between checkouts: whatever in one cannot have been saved
is named, with its key and value, before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from unmask.spec.errors import UsageError
from unmask.spec.state import MEMORIES, Config


class Needed(NamedTuple):
    """Keys that a test module reads of its options and of each case."""

    options: tuple[str, ...] = ()
    case: tuple[str, ...] = ()


# Test module -> what a counterexample of it has.
PROGRAMS = Needed(("config", "core"), ("words", "memories"))
NEEDED = {
    "units": Needed(("binding", "lanes"), ("transactions",)),
    "core": PROGRAMS,
    "fuzz": PROGRAMS,
    "aimed": PROGRAMS,
    "block": Needed(),  # it saves none: a block is drawn from its sizes
    "vector_jobs": Needed(("unit", "config", "cells"), ("requests",)),
    "read_engine": Needed(("sizes",), ("fetches", "base", "bus", "stall", "faults")),
    "read_slave": Needed(("sizes",), ("fetches", "base", "bus", "stall", "faults")),
    "write_engine": Needed(("config", "built"), ("stores", "base", "bus", "stall", "faults")),
    "write_slave": Needed(("config", "built"), ("stores", "base", "bus", "stall", "faults")),
    "host": Needed(("words",), ("accesses", "pauses")),
}
SIMULATORS = {"icarus": "iverilog", "verilator": "verilator"}  # name -> program
_TEXT, _TEXTS, _TABLE = "a text", "a list of texts", "a table"
_JOB = {
    "name": _TEXT, "module": _TEXT, "top": _TEXT, "files": _TEXTS, "include": _TEXTS,
    "simulator": _TEXT, "parameters": _TABLE, "options": _TABLE,
}  # fmt: skip
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_WORD = 1 << 32


def check(saved: Any) -> None:
    """Whether a counterexample's JSON can be run.

    Raises:
        UsageError: names the first key that is wrong, and its value.
    """
    if not isinstance(saved, dict) or not {"job", "case"} <= saved.keys():
        raise UsageError("not a counterexample that a cosimulation saved")
    job = _table("job", saved["job"])
    for key, expected in _JOB.items():
        value = _key("job", job, key)
        fits = {
            _TEXT: isinstance(value, str) and value != "",
            _TEXTS: isinstance(value, list) and all(isinstance(text, str) for text in value),
            _TABLE: isinstance(value, dict),
        }
        if not fits[expected]:
            raise UsageError(f"job.{key} is {value!r}; expected {expected}")
    for key, choices in (("module", NEEDED), ("simulator", SIMULATORS)):
        if job[key] not in choices:
            raise UsageError(f"job.{key} is {job[key]!r}; expected one of {', '.join(choices)}")
    for key in ("parameters", "defines"):
        for name, value in _table(f"job.{key}", job.get(key, {})).items():
            if not _IDENTIFIER.fullmatch(name) or type(value) is not int or value < 0:
                raise UsageError(f"job.{key}.{name} is {value!r}; expected an unsigned number")
    needed, options = NEEDED[job["module"]], job["options"]
    for key in needed.options:
        _numbers(f"job.options.{key}", _key("job.options", options, key))
    config = _config(options["config"], job["parameters"]) if "config" in options else None
    cases = saved.get("before", [])
    if not isinstance(cases, list):
        raise UsageError(f"before is {cases!r}; expected a list of cases")
    named = [(f"before[{number}]", case) for number, case in enumerate(cases)]
    for name, case in [*named, ("case", saved["case"])]:
        for key in needed.case:
            _key(name, _table(name, case), key)
        _numbers(name, case)
        if needed is PROGRAMS and config is not None:
            _program(name, case, config)


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{name} is {value!r}; expected a table")
    return value


def _key(name: str, table: Mapping[str, Any], key: str) -> Any:
    if key not in table:
        raise UsageError(f"{name}.{key} is missing")
    return table[key]


def _numbers(name: str, value: Any) -> None:
    """No number is negative or in quotes; a fraction is a share of cycles."""
    if isinstance(value, dict):
        for key, item in value.items():
            _numbers(f"{name}.{key}", item)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            if isinstance(item, str):
                raise UsageError(f"{name}[{place}] is {item!r}; expected an unsigned number")
            _numbers(f"{name}[{place}]", item)
    elif isinstance(value, float) and not 0 <= value < 1:
        raise UsageError(f"{name} is {value!r}; expected a share of cycles, 0 to less than 1")
    elif isinstance(value, int) and value < 0:
        raise UsageError(f"{name} is {value!r}; expected an unsigned number")


def _config(options: Any, parameters: Mapping[str, int]) -> Config:
    """The core's sizes, which its Verilog is built with too."""
    sizes = _table("job.options.config", options)
    try:
        config = Config(**sizes)
    except UsageError as error:
        raise UsageError(f"job.options.config: {error}") from None
    except TypeError:
        unknown = next(name for name in sizes if name not in Config.__dataclass_fields__)
        raise UsageError(f"job.options.config.{unknown} is no size of a core") from None
    owed = {name.upper(): value for name, value in vars(config).items()}
    owed["BEAT_BITS"] = 8 * config.beat_bytes
    for name, value in parameters.items():
        if value != owed.get(name, value):
            raise UsageError(
                f"job.parameters.{name} is {value}, but job.options.config says {owed[name]}"
            )
    return config


def _program(name: str, case: Mapping[str, Any], config: Config) -> None:
    """Words fit the program memory, elements their memories."""
    lists = {"words": (case["words"], config.program_words, _WORD)}
    for memory, values in _table(f"{name}.memories", case["memories"]).items():
        if memory not in MEMORIES:
            raise UsageError(
                f"{name}.memories.{memory}: there are {', '.join(MEMORIES)}, no such memory"
            )
        end = 1 << 8 * np.dtype(MEMORIES[memory]).itemsize
        lists[f"memories.{memory}"] = (values, config.elements(memory), end)
    for key, (values, most, end) in lists.items():
        if not isinstance(values, list) or len(values) > most:
            raise UsageError(f"{name}.{key}: expected a list of at most {most} numbers")
        for place, value in enumerate(values):
            if type(value) is not int or value >= end:
                raise UsageError(f"{name}.{key}[{place}] is {value!r}; expected 0 to {end - 1}")
