"""The core's sizes and the memory behind it, from TOML files that are checked field by field.

`Core` is what is built, `Profile` what it is connected to; both know nothing of a program. A name
without a slash or `.toml` means a file that comes along, in `model/cores` or `model/profiles`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from unmask.spec.errors import UsageError
from unmask.spec.state import Config

HERE = Path(__file__).parent
SEGMENT = 32  # stripes whose scales are asked for together, before their elements
LEAST_BLOCK = 8  # elements that share a scale, at least
MOST_BEATS = 1 << 16  # numerator of a rate in beats per cycle
MOST_HBM = 1 << 36  # bytes, as in Config
T = TypeVar("T", bound="Core | Profile")


class Bus(NamedTuple):
    """Numbers of the memory and of the core's side of the bus.

    Attributes:
        channels, beat: how HBM is striped; bytes of a beat.
        burst: most beats of a burst, which begins on a multiple of it or at the transfer's start.
        outstanding: transactions of a channel that may be under way.
        fifo: beats that a channel's FIFO holds.
        ring: scale beats that the core holds, of all channels.
        latency: cycles from an address to its first beat, at least 1.
        jitter: most cycles that are added to it, by ordinal of the burst.
        cycles, beats: a channel moves `beats` in `cycles`, evenly.
        refresh_period, refresh_cycles, refresh_shift: a channel moves nothing in the last
            `refresh_cycles` of each period, channel c `refresh_shift * c` cycles earlier.
        seed: of stalls and jitter.
    """

    channels: int
    beat: int
    burst: int
    outstanding: int
    fifo: int
    ring: int
    latency: int
    jitter: int
    cycles: int
    beats: int
    refresh_period: int
    refresh_cycles: int
    refresh_shift: int
    seed: int


@dataclass(frozen=True)
class Profile:
    """A memory: what its interface and its data sheet say.

    Attributes:
        title, source: what it is, and where its rate and latency come from.
        channels, beat_bits: AXI4 ports and their data width.
        gigabytes_per_second: of all channels together, 10**9 bytes; 0: a beat every cycle.
        latency_ns: from an address to its first data.
        outstanding: transactions that a port accepts before it answers the first.
        jitter_ns: most that the latency exceeds `latency_ns` by, at random.
        stall: share of cycles in which a port is held back at random besides.
        refresh_every_ns, refresh_ns: a port stands still, every so often; 0: never.
        refresh: "aligned": all channels at once; "staggered": one after the other.
        seed: of what is random; the same seed gives the same cycles.
        file: that it was read from; errors name it.
    """

    title: str
    source: str
    channels: int
    beat_bits: int
    gigabytes_per_second: float
    latency_ns: float
    outstanding: int = 64
    jitter_ns: float = 0
    stall: float = 0
    refresh_every_ns: float = 0
    refresh_ns: float = 0
    refresh: str = "aligned"
    seed: int = 0
    file: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_all(self)


@dataclass(frozen=True)
class Core:
    """A core: `spec.state.Config`'s sizes, its clock, and its side of the bus.

    Attributes:
        vlen, vector_rows, fp_words, key_words, int_words, program_words, loop_depth: as in Config.
        clock_ghz: of core and bus.
        channels, beat_bits: AXI4 masters and their width; 0: as the profile has them.
        burst: most beats of a burst, a power of two up to 32.
        outstanding: transactions that a channel may have under way; what is in flight waits in
            the memory, held off by RREADY, so these cost no SRAM.
        fifo: beats in each channel's FIFO.
        ring_bytes: of scales that are held, of all channels together.
        file: that it was read from; errors name it.
    """

    vlen: int
    vector_rows: int = 64
    fp_words: int = 1024
    key_words: int = 1024
    int_words: int = 4096
    program_words: int = 1024
    loop_depth: int = 8
    clock_ghz: float = 1
    channels: int = 0
    beat_bits: int = 0
    burst: int = 16
    outstanding: int = 16
    fifo: int = 16
    ring_bytes: int = 1 << 14
    file: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_all(self)

    def config(self, profile: Profile, hbm_bytes: int) -> Config:
        """Sizes for the interpreter, with at least `hbm_bytes` of memory behind them."""
        self.check(profile)
        if hbm_bytes > MOST_HBM:
            raise UsageError(f"{hbm_bytes} bytes of HBM: expected at most {MOST_HBM}")
        return Config(
            vlen=self.vlen,
            vector_rows=self.vector_rows,
            fp_words=self.fp_words,
            key_words=self.key_words,
            int_words=self.int_words,
            program_words=self.program_words,
            loop_depth=self.loop_depth,
            hbm_bytes=1 << max(10, (hbm_bytes - 1).bit_length()),
            channels=profile.channels,
            beat_bytes=profile.beat_bits // 8,
        )

    def check(self, profile: Profile) -> None:
        """Raises:
        UsageError: if the core's ports are not the profile's, or its ring holds no segment.
        """
        for name in ("channels", "beat_bits"):
            mine, theirs = getattr(self, name), getattr(profile, name)
            if mine not in (0, theirs):
                raise UsageError(
                    f"{name} is {mine}; {profile.title!r} has {theirs}", self.file or profile.file
                )
        # Its own, ends in two more beats, and the places that a piece leaves before its first.
        beats = SEGMENT * profile.channels // LEAST_BLOCK + 2 + profile.channels - 1
        needed = beats * profile.beat_bits // 8
        if self.ring_bytes < needed:
            raise UsageError(
                f"ring_bytes is {self.ring_bytes}; the scales of {SEGMENT} stripes of "
                f"{profile.title!r} need {needed}",
                self.file or profile.file,
            )

    def fifo_bytes(self, profile: Profile) -> int:
        """SRAM of the stream path: element FIFOs and scale ring."""
        return profile.channels * self.fifo * profile.beat_bits // 8 + self.ring_bytes

    def bus(self, profile: Profile) -> Bus:
        """The numbers that time a transfer, in cycles of this core.

        Raises:
            UsageError: if the two do not go together, or at this clock.
        """
        self.check(profile)

        def cycles(nanoseconds: float) -> int:
            return ceil(_exact(nanoseconds) * _exact(self.clock_ghz))

        rate = beats_per_cycle(self, profile)
        if rate.numerator > MOST_BEATS:
            raise UsageError(
                f"gigabytes_per_second is {profile.gigabytes_per_second!r}; at clock_ghz = "
                f"{self.clock_ghz!r} that is {rate} beats a cycle: expected fewer digits, so that "
                f"no more than {MOST_BEATS} come in whole cycles",
                profile.file,
            )
        period, length = cycles(profile.refresh_every_ns), cycles(profile.refresh_ns)
        if 2 * length > period:
            raise UsageError(
                f"refresh_ns is {profile.refresh_ns!r}; expected at most half of refresh_every_ns, "
                f"{profile.refresh_every_ns!r}: these are {length} of {period} cycles",
                profile.file,
            )
        staggered = length and profile.refresh == "staggered"
        return Bus(
            channels=profile.channels,
            beat=profile.beat_bits // 8,
            burst=self.burst,
            outstanding=min(self.outstanding, profile.outstanding),
            fifo=self.fifo,
            ring=self.ring_bytes * 8 // profile.beat_bits,
            latency=max(1, cycles(profile.latency_ns)),
            jitter=cycles(profile.jitter_ns),
            cycles=rate.denominator,
            beats=rate.numerator,
            refresh_period=max(period, 1),
            refresh_cycles=length,
            refresh_shift=period // profile.channels if staggered else 0,
            seed=profile.seed,
        )


def beats_per_cycle(core: Core, profile: Profile) -> Fraction:
    """Of one channel, when nothing but its rate holds it back: at most 1."""
    if not profile.gigabytes_per_second:
        return Fraction(1)
    beat = profile.channels * profile.beat_bits // 8 * _exact(core.clock_ghz)
    return min(Fraction(1), _exact(profile.gigabytes_per_second) / beat)


def _exact(value: float) -> Fraction:
    """A decimal number as it was written: 819.2, not the nearest binary fraction."""
    return Fraction(str(value))


# -- files --

_POWER = "a power of two"
_LIMITS: dict[str, tuple[float, float, str]] = {
    "vlen": (2, 2048, _POWER),
    "vector_rows": (2, 1 << 24, _POWER),
    "fp_words": (2, 1 << 24, _POWER),
    "key_words": (2, 1 << 24, _POWER),
    "int_words": (2, 1 << 24, _POWER),
    "program_words": (2, 1 << 24, _POWER),
    "loop_depth": (2, 1 << 24, _POWER),
    "clock_ghz": (0.001, 100, "a number"),
    "channels": (1, 64, _POWER),
    "beat_bits": (64, 1024, _POWER),
    "burst": (1, SEGMENT, _POWER),
    "outstanding": (1, 1024, "a whole number"),
    "fifo": (1, 4096, "a whole number"),
    "ring_bytes": (64, 1 << 20, _POWER),
    "gigabytes_per_second": (0.001, 1e6, "a number"),
    "latency_ns": (0, 1e6, "a number"),
    "jitter_ns": (0, 1e6, "a number"),
    "stall": (0, 0.7, "a number"),  # the kernel cuts longer stalls off
    "refresh_every_ns": (0, 1e9, "a number"),
    "refresh_ns": (0, 1e6, "a number"),
    "seed": (0, (1 << 16) - 1, "a whole number"),
}
_REFRESH = ("aligned", "staggered")


def _checked(item: Field[Any], value: Any, file: str) -> Any:
    """The value of a field; what it is by default is right.

    Raises:
        UsageError: names file, field, value and what was expected.
    """
    name = item.name
    if type(value) is type(item.default) and value == item.default:
        return value
    if name not in _LIMITS:
        expected = f"one of {', '.join(_REFRESH)}" if name == "refresh" else "a text"
        if not isinstance(value, str) or (name == "refresh" and value not in _REFRESH):
            raise UsageError(f"{name} is {value!r}; expected {expected}", file)
        return value
    least, most, kind = _LIMITS[name]
    if value == "unlimited" and name == "gigabytes_per_second":
        return 0
    number = type(value) is int or (type(value) is float and kind == "a number")
    fits = number and least <= value <= most
    if not fits or (kind == _POWER and value & (value - 1)):
        expected = f"{kind}, {least:g} to {most:g}"
        if name == "gigabytes_per_second":
            expected += ', or "unlimited"'
        raise UsageError(f"{name} is {value!r}; expected {expected}", file)
    return value


def _check_all(made: Core | Profile) -> None:
    """What was made without a file: as `_checked`."""
    for item in fields(made):
        value = getattr(made, item.name)
        if item.name != "gigabytes_per_second" or value != 0:
            _checked(item, value, "")


def known_fields(kind: type[T]) -> dict[str, Field[Any]]:
    """What a file of this kind may say."""
    return {item.name: item for item in fields(kind) if item.name != "file"}


def _made(kind: type[T], given: Mapping[str, Any], file: str) -> T:
    known = known_fields(kind)
    for name in given:
        if name not in known:
            raise UsageError(f"{name} is no field; there are {', '.join(known)}", file)
    for name, item in known.items():
        if item.default is MISSING and name not in given:
            raise UsageError(f"{name} is missing", file)
    return kind(
        **{name: _checked(known[name], value, file) for name, value in given.items()}, file=file
    )


def _read(kind: type[T], name: str, folder: str) -> T:
    path = Path(name)
    if "/" not in name and path.suffix != ".toml":
        own = HERE / folder / f"{name}.toml"
        path = own if own.exists() else path
        if not path.exists():
            raise UsageError(f"no {folder[:-1]} {name!r}; there are {', '.join(names(folder))}")
    try:
        given = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"is no TOML: {error}", str(path)) from None
    return _made(kind, given, str(path))


def names(folder: str) -> list[str]:
    """Files that come along: in "cores" or "profiles"."""
    return sorted(path.stem for path in (HERE / folder).glob("*.toml"))


def profile(name: str, **changes: Any) -> Profile:
    """A memory profile by name or path, with some of its fields changed.

    Raises:
        UsageError: names file, field, value and what was expected.
    """
    return _changed(_read(Profile, name, "profiles"), changes)


def core(name: str = "default", **changes: Any) -> Core:
    """A core by name or path, with some of its fields changed.

    Raises:
        UsageError: names file, field, value and what was expected.
    """
    return _changed(_read(Core, name, "cores"), changes)


def _changed(made: T, changes: Mapping[str, Any]) -> T:
    kept = {name: getattr(made, name) for name in known_fields(type(made))}
    if isinstance(made, Profile) and not made.gigabytes_per_second:
        kept["gigabytes_per_second"] = "unlimited"
    return replace(_made(type(made), {**kept, **changes}, ""), file=made.file)


# Fields that a core and a memory both have: which of them is changed by name.
_OF_CORE = ("outstanding",)


def changed(core: Core, profile: Profile, changes: Mapping[str, Any]) -> tuple[Core, Profile]:
    """Both with fields changed by name: ports are the memory's, `outstanding` is the core's.

    Raises:
        UsageError: names field, value and what was expected.
    """
    cores, profiles = known_fields(Core), known_fields(Profile)
    mine: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in cores and name not in profiles:
            raise UsageError(f"{name} is no field; there are {', '.join({**cores, **profiles})}")
        (mine if name not in profiles or name in _OF_CORE else theirs)[name] = value
    return _changed(core, mine), _changed(profile, theirs)
