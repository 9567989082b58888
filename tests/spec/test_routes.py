"""One row by many routes into a softmax state, as programs: the state must not tell which.

A row lies in memory, in any format. It is streamed (H_RED_SM) whole or in shards, or fetched into
vector SRAM (H_PREFETCH_V) in some chunks and taken in there (V_RED_SM) in these or others, in any
order. Only the flags of MX elements tell the two instructions apart.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec import mx
from unmask.spec.assembler import assemble
from unmask.spec.bits import ints
from unmask.spec.encoding import FORMATS, Trap
from unmask.spec.formats import order_key
from unmask.spec.instructions.memory import LAYOUTS
from unmask.spec.machine import Machine
from unmask.spec.state import EMPTY_SOFTMAX, Config, plain
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.strategies import logits

VLENS = (4, 8, 64)
ORIGIN, SCALE = 64, 1024  # byte of element 0; bytes from there to the first scale
BASE = 7  # index of a row's first element
STATE, REGISTER = 2, 6  # a state, and the value that names it
INDEX, FLAGS = 1, -1  # places in a plain state

formats = pytest.mark.parametrize("form", FORMATS)


@dataclass(frozen=True)
class Row:
    """A row of elements in memory.

    Attributes:
        form: a key of `FORMATS`.
        first: its first element's number, on a block.
        elements, scales: codes from element and block 0 on.
        banned: an index.
    """

    form: str
    first: int
    elements: list[int]
    scales: list[int]
    banned: int

    @property
    def layout(self):
        return LAYOUTS[FORMATS[self.form]]

    @property
    def length(self):
        return len(self.elements) - self.first

    def memory(self):
        image = np.zeros(1 << 11, np.uint8)
        elements = np.array(self.elements, f"<u{self.layout.size}").view(np.uint8)
        image[ORIGIN : ORIGIN + elements.size] = elements
        if self.layout.element:
            image[ORIGIN + SCALE : ORIGIN + SCALE + len(self.scales)] = self.scales
        return image

    def flags(self):
        """Of all its elements, banned or not."""
        found = 0
        if self.layout.element:
            for at in range(self.first, len(self.elements)):
                scale = ints(8, self.scales[at // self.layout.block])
                element = ints(8, self.elements[at])
                found |= mx.dequantise(element, scale, self.layout.element)[1].as_int()
        return found


@st.composite
def rows(draw, form, most):
    """Up to `most` elements; of MX rows some are finite, some all alike, some anything."""
    layout = LAYOUTS[FORMATS[form]]
    first = draw(st.integers(0, 1)) * layout.block
    if layout.element is None:
        elements = draw(logits(first + 1, most))
    else:
        largest = layout.element.largest
        kind = draw(
            st.sampled_from(
                [
                    lambda byte: byte & 0x80 | min(byte & 0x7F, largest),
                    lambda byte: (0x38, 0xB8, 0x39)[byte % 3],
                    lambda byte: byte,
                ]
            )
        )
        elements = [kind(byte) for byte in draw(st.binary(min_size=first + 1, max_size=most))]
    usual = [*range(118, 129)]
    rounded, saturated = [0, 0, 1, *usual], [254, 254, *usual]
    among = draw(st.sampled_from([usual, usual, rounded, saturated, [*usual, 0, 254, 255]]))
    blocks = -(-len(elements) // layout.block)
    drawn = draw(st.binary(min_size=blocks, max_size=blocks))
    scales = [among[byte % len(among)] for byte in drawn]
    banned = BASE + draw(st.integers(-1, len(elements)))
    return Row(form, first, elements, scales, banned)


@st.composite
def pieces(draw, length, unit, most=4):
    """(begin, end) of a row's pieces, in any order; they begin at multiples of `unit`."""
    places = st.sets(st.integers(0, (length - 1) // unit), max_size=most)
    cuts = sorted({0, length, *(unit * place for place in draw(places))})
    return draw(st.permutations(list(pairwise(cuts))))


def put(register, value):
    return f"S_ADDI_INT gp{register}, gp0, {value}"


def csr(name, value):
    return f"C_SET_CSR {name}, gp0, {value}"


def streamed(row, parts):
    """H_RED_SM of each piece; the first one empties the state."""
    lines = []
    for number, (begin, end) in enumerate(parts):
        lines += [csr("VL", end - begin), put(1, row.first + begin), put(3, BASE + begin)]
        lines.append(f"H_RED_SM gp6, gp1, a0, gp3, {row.form}, {int(number == 0)}")
    return lines


def padded(length, vlen):
    return -(-length // vlen) * vlen


def fetched(row, parts, vlen):
    """H_PREFETCH_V of each piece, then V_RED_SM of each, the other way round."""
    fetch: list[str] = []
    reduce: list[str] = []
    place = 0
    for begin, end in parts:
        size = [csr("VL", end - begin), put(2, place)]
        fetch += [*size, put(1, row.first + begin), "H_PREFETCH_V gp2, gp1, a0"]
        reduce = [*size, put(3, BASE + begin), "V_RED_SM gp6, gp2, gp3", *reduce]
        place += padded(end - begin, vlen)
    return [*fetch, "S_SM_CLEAR gp6", *reduce]


def fetched_as_rows(row, width, strided, parts, vlen):
    """One H_PREFETCH_V of `ROWS` rows of `width`, one of the rest; V_RED_SM of other pieces.

    Args:
        width: of whole blocks; each row begins on a chunk of vector SRAM.
        strided: 1 to find the rows by STRIDE, which is their width as well.
        parts: the same rows; or any pieces that begin on chunks, if `width` is of whole chunks.
    """
    whole, pitch = row.length // width, padded(width, vlen)
    lines = [csr("VL", width), csr("ROWS", whole), csr("STRIDE", width), put(1, row.first)]
    lines += [f"H_PREFETCH_V gp0, gp1, a0, {strided}"]
    lines += [csr("VL", row.length - whole * width), csr("ROWS", 1)]
    lines += [put(1, row.first + whole * width), put(2, whole * pitch)]
    lines += ["H_PREFETCH_V gp2, gp1, a0", "S_SM_CLEAR gp6"]
    for begin, end in parts:
        place = begin // width * pitch + begin % width
        lines += [csr("VL", end - begin), put(1, place), put(3, BASE + begin)]
        lines.append("V_RED_SM gp6, gp1, gp3")
    return lines


def run(row, lines, vlen, vectors, sram=()):
    """The state that a program leaves, as integers; the other states must stay empty."""
    head = [put(1, ORIGIN), "C_SET_ADDR_REG a0, gp0, gp1", put(6, REGISTER)]
    if row is not None:
        head += [csr("SCALE", SCALE), csr("FMT0", FORMATS[row.form]), csr("BAN2", row.banned)]
    config = Config(vlen=vlen, vector_rows=128, hbm_bytes=1 << 11)
    machine = Machine(assemble("\n".join([*head, *lines, "C_BREAK"])), config, vectors)
    if row is not None:
        machine.state.load("hbm", row.memory())
    if len(sram):
        machine.state.load("vector", np.array(sram, np.uint16))
    *_, last = machine.run()
    assert last.cause is Trap.NONE, last
    states = [plain(state) for state in machine.state.softmax]
    found = states.pop(STATE)
    assert states == [plain(EMPTY_SOFTMAX)] * 3
    return found


def whole_row(row):
    return [(0, row.length)]


@pytest.mark.parametrize(("vectors", "most"), [(EACH, 40), (WHOLE, 90)])
@formats
@settings(max_examples=12)
@given(data=st.data())
def test_streamed_is_fetched_but_for_flags(form, vectors, most, data):
    row = data.draw(rows(form, most))
    block = row.layout.block
    expected = run(row, streamed(row, whole_row(row)), 4, WHOLE)
    assert expected[FLAGS] == row.flags()
    for vlen in VLENS:
        assert run(row, streamed(row, whole_row(row)), vlen, vectors) == expected
        chunk = max(block, vlen)  # both are powers of two
        width, strided = chunk * data.draw(st.integers(1, 3)), data.draw(st.integers(0, 1))
        narrow = block * data.draw(st.integers(1, 9))
        own = [(at, min(at + narrow, row.length)) for at in range(0, row.length, narrow)]
        for lines in (
            fetched(row, whole_row(row), vlen),
            fetched(row, data.draw(pieces(row.length, block)), vlen),
            fetched_as_rows(row, width, strided, data.draw(pieces(row.length, vlen)), vlen),
            fetched_as_rows(row, narrow, strided, own, vlen),
        ):
            found = run(row, lines, vlen, vectors)
            assert found[:FLAGS] == expected[:FLAGS]
            assert found[FLAGS] == 0  # vector SRAM has no flags


@pytest.mark.parametrize(("vectors", "most"), [(EACH, 70), (WHOLE, 90)])
@formats
@settings(max_examples=12)
@given(data=st.data())
def test_shards_of_a_stream_in_any_order(form, vectors, most, data):
    row = data.draw(rows(form, most))
    expected = run(row, streamed(row, whole_row(row)), 8, WHOLE)
    for vlen in VLENS:
        parts = data.draw(pieces(row.length, row.layout.block))
        assert run(row, streamed(row, parts), vlen, vectors) == expected


@formats
@settings(max_examples=12)
@given(data=st.data())
def test_streamed_and_fetched_pieces_feed_one_state(form, data):
    row = data.draw(rows(form, 90))
    expected = run(row, streamed(row, whole_row(row)), 8, WHOLE)
    parts = data.draw(pieces(row.length, row.layout.block))
    lines = ["S_SM_CLEAR gp6"]
    for begin, end in parts:
        lines += [csr("VL", end - begin), put(1, row.first + begin), put(3, BASE + begin)]
        if data.draw(st.booleans()):
            lines += [f"H_RED_SM gp6, gp1, a0, gp3, {form}"]
        else:
            lines += ["H_PREFETCH_V gp0, gp1, a0", "V_RED_SM gp6, gp0, gp3"]
    found = run(row, lines, 8, WHOLE)
    assert found[:FLAGS] == expected[:FLAGS]
    assert found[FLAGS] | expected[FLAGS] == expected[FLAGS]


def test_flags_tell_a_stream_from_a_fetched_row():
    """A block that saturates and one that is rounded: two bits, and nothing else."""
    row = Row("E5M2_B8", 0, [0x7B] * 8 + [0x01] * 8, [254, 0], BASE - 1)
    stream = run(row, streamed(row, whole_row(row)), 4, EACH)
    assert stream[FLAGS] == mx.SATURATED | mx.INEXACT == 3
    assert run(row, streamed(row, [(0, 8)]), 4, EACH)[FLAGS] == mx.SATURATED
    assert run(row, streamed(row, [(8, 16)]), 4, EACH)[FLAGS] == mx.INEXACT
    assert run(row, fetched(row, whole_row(row), 4), 4, EACH) == (*stream[:FLAGS], 0)


@pytest.mark.parametrize("vlen", VLENS)
@pytest.mark.parametrize(("vectors", "most"), [(EACH, 20), (WHOLE, 60)])
@settings(max_examples=15)
@given(data=st.data())
def test_elements_in_any_order(vlen, vectors, most, data):
    """V_RED_SM one by one, each with its own index; then of a row that is permuted itself."""
    codes = data.draw(logits(1, most))
    length = len(codes)
    whole = [csr("VL", length), put(3, BASE), "V_RED_SM gp6, gp0, gp3, 1"]
    expected = run(None, whole, vlen, vectors, codes)
    order = data.draw(st.permutations(range(length)))
    loose = np.zeros(length * vlen, np.uint16)
    loose[::vlen] = codes
    lines = [csr("VL", 1)]
    for place in order:
        lines += [put(1, place * vlen), put(3, BASE + place), "V_RED_SM gp6, gp1, gp3"]
    assert run(None, lines, vlen, vectors, loose) == expected

    permuted = [codes[place] for place in order]
    found = run(None, whole, vlen, vectors, permuted)
    assert found[:INDEX] + found[INDEX + 1 :] == expected[:INDEX] + expected[INDEX + 1 :]
    keys = [order_key(ints(16, code)).as_int() for code in permuted]
    assert found[INDEX] == BASE + keys.index(max(keys))
