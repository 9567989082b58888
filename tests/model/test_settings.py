"""Profiles and cores from files: what they mean in cycles, and what is refused, by name."""

from __future__ import annotations

from fractions import Fraction

import pytest

from unmask.model import kernel
from unmask.model.settings import Core, beats_per_cycle, changed, core, names, profile
from unmask.spec.errors import UsageError


@pytest.mark.parametrize("name", names("profiles"))
def test_profiles_that_come_along(name):
    """Each says where its numbers come from, and fits the core."""
    made = profile(name)
    assert len(made.source) > 40
    bus = core().bus(made)
    assert Fraction(bus.beats, bus.cycles) == beats_per_cycle(core(), made)
    assert core().fifo_bytes(made) <= 32 * 1024


def test_numbers_become_cycles():
    bus = core().bus(profile("hbm2e-819"))
    assert (bus.channels, bus.beat, bus.latency, bus.beats, bus.cycles) == (32, 32, 120, 4, 5)
    bus = core(clock_ghz=1.5).bus(profile("hbm2e-819"))
    assert (bus.latency, bus.beats, bus.cycles) == (180, 8, 15)
    bus = core(clock_ghz=0.5).bus(profile("hbm2e-819"))
    assert (bus.latency, bus.beats, bus.cycles) == (60, 1, 1)
    bus = core().bus(profile("hbm2-460"))
    assert (bus.latency, bus.beats, bus.cycles) == (122, 115, 256)
    made = profile("hbm2e-819", refresh_every_ns=3900, refresh_ns=350.5, refresh="staggered")
    bus = core().bus(made)
    assert (bus.refresh_period, bus.refresh_cycles, bus.refresh_shift) == (3900, 351, 3900 // 32)
    assert core().bus(profile("hbm2e-819", outstanding=4)).outstanding == 4


GOOD = {"title": '"x"', "source": '"y"', "channels": "2", "beat_bits": "64",
        "gigabytes_per_second": '"unlimited"', "latency_ns": "1.5"}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("channels", "3", "channels is 3; expected a power of two, 1 to 64"),
        ("channels", '"two"', "channels is 'two'; expected a power of two, 1 to 64"),
        ("channels", "2.0", r"channels is 2\.0; expected a power of two"),
        ("channels", "true", "channels is True; expected a power of two"),
        ("beat_bits", "2048", "beat_bits is 2048; expected a power of two, 64 to 1024"),
        ("latency_ns", "-1", "latency_ns is -1; expected a number, 0 to"),
        ("latency_ns", "nan", "latency_ns is nan; expected a number, 0 to"),
        ("gigabytes_per_second", "0", 'is 0; expected a number, .* or "unlimited"'),
        ("gigabytes_per_second", '"fast"', """is 'fast'; expected a number, .* or "unlimited"$"""),
        ("stall", "0.71", "stall is 0.71; expected a number, 0 to 0.7"),
        ("refresh", '"never"', "refresh is 'never'; expected one of aligned, staggered"),
        ("refresh_ns", "100", "refresh_ns is 100; expected at most half of refresh_every_ns, 0"),
        ("gigabytes_per_second", "7.234567891", "is 7.234567891; at clock_ghz = 1.0 that is"),
        ("title", "1", "title is 1; expected a text"),
        ("chanels", "2", "chanels is no field; there are title, source, channels"),
        ("latency_ns", None, "latency_ns is missing"),
        ("latency_ns", "[", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, field, value, message):
    lines = {**GOOD, field: value}
    path = tmp_path / "mine.toml"
    path.write_text("".join(f"{k} = {v}\n" for k, v in lines.items() if v is not None))
    with pytest.raises(UsageError, match=rf"^{path}.*{message}"):
        core().bus(profile(str(path)))


def test_a_file_that_is_right(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("".join(f"{k} = {v}\n" for k, v in GOOD.items()))
    assert profile(str(path)).latency_ns == 1.5
    path.write_text("vlen = 128\nfifo = 32\n")
    assert core(str(path)) == Core(vlen=128, fifo=32)
    assert core(str(path), fifo=8) == Core(vlen=128, fifo=8)


def test_names_that_do_not_exist(tmp_path):
    with pytest.raises(UsageError, match="no profile 'hbm9'; there are hbm2-460, hbm2e-819"):
        profile("hbm9")
    with pytest.raises(UsageError, match="no core 'tiny'; there are default"):
        core("tiny")
    with pytest.raises(UsageError, match=r"nothing\.toml: cannot be read: No such file"):
        profile(str(tmp_path / "nothing.toml"))
    with pytest.raises(UsageError, match="vlen is 3; expected a power of two, 2 to 2048"):
        core(vlen=3)


def test_a_core_that_does_not_fit_its_memory(tmp_path):
    """The file that says it is named."""
    path = tmp_path / "mine.toml"
    path.write_text("vlen = 64\nchannels = 2\n")
    with pytest.raises(UsageError, match=rf"^{path}: channels is 2; 'HBM2e, 819 GB/s' has 32"):
        core(str(path), fifo=8).bus(profile("hbm2e-819"))
    path.write_text("vlen = 64\nring_bytes = 64\n")
    with pytest.raises(
        UsageError, match=rf"^{path}: ring_bytes is 64; the scales of 32 stripes .* need 5152"
    ):
        core(str(path)).bus(profile("hbm2e-819"))
    path.write_text(
        "".join(f"{k} = {v}\n" for k, v in {**GOOD, "channels": 64, "beat_bits": 1024}.items())
    )
    with pytest.raises(UsageError, match=r"default\.toml: ring_bytes is 16384; .* 'x' need \d{5}$"):
        core().bus(profile(str(path)))


def test_a_core_may_take_its_ports_from_the_memory(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("vlen = 64\nchannels = 0\nbeat_bits = 0\n")
    assert core(str(path)).bus(profile("hbm2e-819")).channels == 32
    path.write_text("vlen = 64\nchannels = false\n")
    with pytest.raises(UsageError, match="channels is False"):
        core(str(path))


@pytest.mark.parametrize(
    ("clock", "every", "length", "cycles"),
    [(1, 20, 10, (20, 10)), (1, 1, 0.5, None), (1, 21, 10.5, None), (1.5, 20, 10, (30, 15)),
     (1, 20, 10.5, None), (1, 0, 0, (1, 0)), (1, 40, 0, (40, 0))],
)  # fmt: skip
def test_refresh_takes_at_most_half_of_the_cycles(clock, every, length, cycles):
    """As the clock rounds it."""
    made = core(clock_ghz=clock)
    memory = profile("hbm2e-819", refresh_every_ns=every, refresh_ns=length)
    if cycles is None:
        with pytest.raises(UsageError, match=f"refresh_ns is {length}; expected at most half"):
            made.bus(memory)
    else:
        bus = made.bus(memory)
        assert (bus.refresh_period, bus.refresh_cycles) == cycles


def test_what_else_a_bus_is_told():
    bus = core().bus(profile("hbm2e-819", jitter_ns=40.0, seed=7))
    assert (bus.ring, bus.jitter, bus.seed, bus.burst, bus.fifo) == (512, 40, 7, 16, 16)
    bus = core(ring_bytes=1 << 15, clock_ghz=0.5).bus(profile("narrow-1x512", jitter_ns=9))
    assert (bus.ring, bus.jitter, bus.seed) == (512, 5, 0)


@pytest.mark.parametrize("name", ["fifo", "outstanding", "burst"])
def test_nothing_of_a_core_s_queues_is_empty(name):
    with pytest.raises(UsageError, match=f"{name} is 0; expected a .* 1 to"):
        changed(core(), profile("ideal"), {name: 0})


def test_fields_are_changed_by_name():
    """Ports are the memory's, `outstanding` is the core's."""
    changes = {"outstanding": 4, "channels": 8, "fifo": 9, "stall": 0.1}
    made, memory = changed(core(), profile("hbm2e-819"), changes)
    assert (made.outstanding, made.channels, made.fifo) == (4, 0, 9)
    assert (memory.outstanding, memory.channels, memory.stall) == (64, 8, 0.1)
    assert changed(core(), profile("ideal"), {}) == (core(), profile("ideal"))
    with pytest.raises(UsageError, match=r"^fifos is no field; there are vlen, .*, jitter_ns"):
        changed(core(), memory, {"fifos": 9})
    with pytest.raises(UsageError, match=r"^stall is 'much'; expected a number"):
        changed(core(), memory, {"stall": "much"})


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.7])
def test_a_beat_is_held_back_in_the_share_of_cycles_that_is_asked_for(share):
    """A beat takes a cycle, and before it one more with each cut's probability."""
    cuts = kernel.side(core().bus(profile("ideal")), share).cuts
    mean = sum(cuts) / (1 << 16)
    assert mean / (mean + 1) == pytest.approx(share, rel=0.01)
