"""Softmax states and the beats that feed them, drawn so that their elements meet.

Codes of a transaction and of the state that it continues come from a few, so that ties, bins near
and far and every pair of classes occur; states are made by the specification from elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from unmask.spec.bits import ints
from unmask.spec.contracts.softmax import STATE_WIDTH, word_of
from unmask.spec.encoding import NO_TOKEN
from unmask.spec.softmax import SoftmaxState, State
from unmask.tests import strategies

NONE = SoftmaxState.empty(ints(1, 0))
WORD = 1 << 32

# Groups of codes whose terms meet in one state, bins between them: 0 to 2, up to 20, hundreds.
near = st.integers(0x3F00, 0x41A0) | st.integers(0xBF00, 0xC1A0)
spread = st.integers(0x4100, 0x4300) | st.integers(0xC100, 0xC300)
far = st.integers(0x4300, 0x467F) | st.integers(0xC300, 0xC67F)
big = st.integers(0x4680, 0x4682) | st.integers(0xC680, 0xC682) | st.integers(0x7F00, 0x7F7F)
odd = st.sampled_from([0x7F80, 0xFF80, 0xFF80, 0x7FC0, 0xFFC1, 0x0000, 0x8000, 0x467F, 0xC67F])
elements = near | near | spread | far | big | odd | strategies.codes


@dataclass(frozen=True)
class Element:
    """What a state has taken in: a code, its index, flags; and the state doubled so many times."""

    code: int
    index: int
    flags: int
    doubled: int


def word(history: Sequence[Element]) -> int:
    """The state of elements one after the other, as a word."""
    state: State = NONE
    for x in history:
        own = SoftmaxState.lane(ints(16, x.code), ints(32, x.index), flags=ints(2, x.flags))
        for _ in range(x.doubled):
            own = SoftmaxState.combine(own, own)
        state = SoftmaxState.combine(state, own)
    return word_of(state).as_int()


def indices(base: int) -> st.SearchStrategy[int]:
    """Indices near one, which wrap, and others."""
    return st.integers(-4, 40).map(lambda step: (base + step) % WORD) | st.integers(0, WORD - 1)


def masks(lanes: int) -> st.SearchStrategy[int]:
    """Active lanes: all, head, tail, any; hardly ever none."""
    whole, cuts = (1 << lanes) - 1, st.integers(0, lanes - 1)
    return (
        st.just(whole)
        | cuts.map(lambda cut: whole >> cut)
        | cuts.map(lambda cut: whole << cut & whole)
        | st.integers(0, whole)
    )


@st.composite
def beats(draw: st.DrawFn, lanes: int, most: int) -> list[dict[str, int]]:
    """The beats of a transaction of V_RED_SM, without the marks of the first and last."""
    few = draw(st.lists(elements, min_size=1, max_size=4))
    codes = st.sampled_from(few) | elements if draw(st.booleans()) else st.sampled_from(few)
    rows = st.lists(codes, min_size=lanes, max_size=lanes) | strategies.logits(lanes, lanes)
    # Small, such that the first beat holds the last index there is, or any.
    ends = st.integers(1, lanes).map(lambda back: WORD - back)
    base = draw(st.integers(0, 20) | ends | st.integers(0, WORD - 1))
    near_by = indices(base)
    history = draw(
        st.lists(
            st.builds(Element, codes, near_by, st.integers(0, 3), st.just(0) | st.integers(0, 16)),
            max_size=3,
        )
    )
    start = word(history)
    tokens = st.sampled_from([NO_TOKEN, NO_TOKEN]) | near_by
    drawn = []
    for place in range(draw(st.integers(1, most))):
        bans = draw(st.lists(tokens, min_size=4, max_size=4))
        first = base if draw(st.booleans()) else draw(near_by)
        drawn.append(
            {
                "data": sum(code << 16 * lane for lane, code in enumerate(draw(rows))),
                "active": draw(masks(lanes)),
                "flags": draw(st.just(0) | st.integers(0, (1 << 2 * lanes) - 1)),
                "base": (first + place * lanes) % WORD,
                "bans": sum(token << 32 * at for at, token in enumerate(bans)),
                # Read with the first beat only: afterwards anything may be there.
                "start": start if place == 0 else draw(st.integers(0, (1 << STATE_WIDTH) - 1)),
            }
        )
    return drawn


def _pool() -> list[int]:
    """States of few elements, made once: each class of maximum, beside near, far, equal ones."""
    numbers, made = Random(3), [word([])]
    special = [0x7F80, 0xFF80, 0x7FC0, 0xFFC1, 0x0000, 0x8000, 0x467F, 0xC67F, 0x4680, 0x7F7F]
    for code in special:
        for second in (None, code, *special, 0x3F80, 0xC000):
            codes = [code] if second is None else [code, second]
            made.append(word([Element(x, numbers.getrandbits(32), 0, 0) for x in codes]))
    for _ in range(200):
        first = numbers.choice([0x3F80, 0x41A0, 0x42C8, 0xC2C8, 0x4680, 0xC680])
        history = [
            Element(
                (first ^ numbers.getrandbits(numbers.choice([0, 3, 7, 10]))) & 0xFFFF,
                numbers.getrandbits(32),
                numbers.getrandbits(2),
                numbers.choice([0, 0, 1, 4]),
            )
            for _ in range(numbers.randint(1, 4))
        ]
        made.append(word(history))
    return made


# States of elements; any word at all, which a unit that reads states has to bear too.
words = st.deferred(lambda: st.sampled_from(_pool())) | st.integers(0, (1 << STATE_WIDTH) - 1)
