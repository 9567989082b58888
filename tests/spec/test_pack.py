"""Packed logits: what the machine reads from an image is what `unpack` says, and the numbers."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unmask.spec import mx
from unmask.spec.assembler import assemble
from unmask.spec.bits import ints
from unmask.spec.encoding import FORMATS, Trap
from unmask.spec.errors import UsageError
from unmask.spec.formats import NAN, to_float
from unmask.spec.machine import Machine
from unmask.spec.pack import Shape, pack, to_codes, unpack
from unmask.spec.state import Config
from unmask.spec.vectors import WHOLE
from unmask.tests.strategies import codes, logits

forms = st.sampled_from(list(FORMATS))
MX_FORMS = [form for form in FORMATS if form != "BF16"]


def drawn_codes(least=1, most=40):
    return st.integers(least, most).flatmap(
        lambda width: st.lists(logits(width, width), min_size=1, max_size=3)
    )


def run(shape, image, body, **sizes):
    """A machine that ran a program with the image at byte 64 of its memory."""
    config = Config(vlen=8, hbm_bytes=1 << 13, beat_bytes=shape.beat_bytes, **sizes)
    text = f"""
        {shape.equates("X")}
        S_ADDI_INT gp1, gp0, 64
        C_SET_ADDR_REG a0, gp0, gp1
        S_ADDI_INT gp2, gp0, X_PITCH
        C_SET_STRIDE_REG gp2
        C_SET_CSR SCALE, gp0, X_SCALE
        C_SET_CSR FMT0, gp0, X_FORMAT
        C_SET_CSR ROWS, gp0, X_ROWS
        C_SET_CSR VL, gp0, X_VOCABULARY
        {body}
        C_BREAK
    """
    machine = Machine(assemble(text), config, WHOLE)
    machine.state.load("hbm", image, 64)
    *_, last = machine.run()
    assert last.cause is Trap.NONE, last
    return machine.state


@given(rows=drawn_codes(), form=forms, beat=st.sampled_from([8, 32, 64]))
@settings(max_examples=60)
def test_prefetch_reads_what_unpack_says(rows, form, beat):
    packed = pack(np.array(rows, np.uint16), form, beat)
    state = run(packed.shape, packed.image, "H_PREFETCH_V gp0, gp0, a0, 1, 0")
    count, width = packed.shape.rows, packed.shape.vocabulary
    pitch = -(-width // 8) * 8  # rows begin on chunks in vector SRAM
    read = state.memories["vector"][: count * pitch].reshape(count, pitch)[:, :width]
    assert np.array_equal(read, unpack(packed.image, packed.shape))


@pytest.mark.parametrize("form", FORMATS)
def test_softmax_states_read_the_rows(form):
    rng = np.random.default_rng(1)
    values = rng.normal(0, 3, (3, 77)).astype(np.float32)
    packed = pack(to_codes(values)[0], form, 32)
    body = f"""
        C_LOOP_START gp5, X_ROWS
          H_RED_SM gp0, gp3, a0, gp0, {form}, 1
          S_SM_ST_IDX gp4, gp0
          S_ADD_INT gp3, gp3, gp2
          S_ADDI_INT gp4, gp4, 1
        C_LOOP_END gp5
    """
    state = run(packed.shape, packed.image, body)
    expected = to_float(unpack(packed.image, packed.shape)).argmax(axis=1)
    assert state.memories["int"][:3].tolist() == expected.tolist()


@pytest.mark.parametrize("form", FORMATS)
def test_store_writes_what_pack_does(form):
    """H_STORE_V of whole blocks leaves the image that `pack` makes."""
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 1 << 16, (2, 64)).astype(np.uint16)
    packed = pack(rows, form)
    again = run(
        Shape("BF16", 2, 64),
        pack(rows, "BF16").image,
        f"""
        H_PREFETCH_V gp0, gp0, a0, 1, 0
        S_ADDI_INT gp6, gp0, 4096
        C_SET_ADDR_REG a1, gp0, gp6
        C_SET_CSR FMT1, gp0, {FORMATS[form]}
        C_SET_CSR SCALE, gp0, {packed.shape.scale}
        H_STORE_V gp0, gp0, a1, 1, 1
        """,
    ).memories["hbm"]
    assert np.array_equal(again[4096 : 4096 + packed.shape.size], packed.image)


@given(rows=drawn_codes(), form=st.sampled_from(MX_FORMS))
@settings(max_examples=40)
def test_quantisation_is_the_specifications(rows, form):
    array = np.array(rows, np.uint16)
    packed = pack(array, form)
    layout, shape = packed.shape.layout, packed.shape
    assert layout.element is not None
    padded = np.zeros((shape.rows, shape.pitch), np.uint16)
    padded[:, : shape.vocabulary] = array
    changed = lost = 0
    for number, block in enumerate(padded.reshape(-1, layout.block)):
        scale, elements = mx.quantise_block([ints(16, int(x)) for x in block], layout.element)
        first = number * layout.block
        stored = packed.image[first : first + layout.block].tolist()
        assert stored == [element.as_int() for element in elements]
        assert packed.image[shape.scale + number] == scale.as_int()
        back = [mx.dequantise(x, scale, layout.element)[0].as_int() for x in elements]
        before, after = to_float(block), to_float(back)
        same = (before == after) | (np.isnan(before) & np.isnan(after))
        changed += int(np.count_nonzero(~same))
        lost += int(np.count_nonzero(np.isinf(before) & np.isnan(after)))
    assert (packed.changed, packed.lost) == (changed, lost)


def test_blocks_of_several_pieces_are_quantised_alike():
    rng = np.random.default_rng(3)
    row = rng.integers(0, 1 << 16, 70_000).astype(np.uint16)
    whole = unpack(*_image(row, "E5M2_B32"))
    for first in (0, 32_768, 65_536):
        part = row[first : first + 320]
        assert np.array_equal(unpack(*_image(part, "E5M2_B32"))[0], whole[0, first : first + 320])


def _image(row, form):
    packed = pack(row[None], form)
    return packed.image, packed.shape


@given(rows=drawn_codes(), beat=st.sampled_from([8, 128]))
def test_bf16_keeps_every_code(rows, beat):
    array = np.array(rows, np.uint16)
    packed = pack(array, "BF16", beat)
    assert np.array_equal(unpack(packed.image, packed.shape), array)
    assert (packed.changed, packed.lost, packed.shape.scale) == (0, 0, 0)


@pytest.mark.parametrize(
    ("shape", "pitch", "scale", "size"),
    [
        (Shape("BF16", 2, 5), 8, 0, 32),
        (Shape("BF16", 2, 5, 64), 32, 0, 128),
        (Shape("BF16", 1, 1), 4, 0, 8),
        (Shape("E4M3_B32", 2, 33), 64, 128, 136),
        (Shape("E4M3_B8", 2, 33), 40, 80, 96),
        (Shape("E5M2_B8", 3, 33, 64), 64, 192, 256),
        (Shape("E4M3_B32", 32, 126_464, 64), 126_464, 4_046_848, 4_173_312),
    ],
)
def test_layouts(shape, pitch, scale, size):
    assert (shape.pitch, shape.scale, shape.size) == (pitch, scale, size)
    assert shape.pitch * shape.layout.size % shape.beat_bytes == 0
    names = [".equ Z_ROWS", ".equ Z_VOCABULARY", ".equ Z_PITCH", ".equ Z_SCALE"]
    assert [line.partition(",")[0] for line in shape.equates("Z").splitlines()][:4] == names


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (("FP4", 1, 1), "format 'FP4'; there are BF16, E4M3_B32"),
        (("BF16", 0, 1), "rows is 0"),
        (("BF16", 1, -1), "vocabulary is -1"),
        (("BF16", 1, 1, 24), "beat_bytes is 24"),
        (("BF16", 1, 1, 256), "beat_bytes is 256"),
        (("E4M3_B8", 1 << 20, 1 << 13), "offsets have 32 bits"),
    ],
)
def test_impossible_layouts(numbers, message):
    with pytest.raises(UsageError, match=message):
        Shape(*numbers)


def test_a_short_image_is_refused():
    with pytest.raises(UsageError, match="has 135 bytes; 2 rows of 33 in E4M3_B32 take 136"):
        unpack(np.zeros(135, np.uint8), Shape("E4M3_B32", 2, 33))


# -- element types --


@given(
    values=hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        st.integers(1, 20),
        elements={"allow_subnormal": True},
    )
)
def test_floats_are_rounded_once(values):
    got, rounded = to_codes(values)
    inexact = 0
    for value, code in zip(values, got, strict=True):
        if np.isnan(value):
            assert code == NAN
            continue
        inexact += float(to_float([code])[0]) != float(value)
        assert code == nearest(float(value)), value
    assert rounded == inexact


def nearest(value):
    """The BF16 code of a number by exact fractions: the nearest, of two the even one."""
    sign = int(np.signbit(value)) << 15
    if np.isinf(value):
        return sign | 0x7F80
    size = abs(Fraction(value))
    low, high = 0, 0x7F80  # the code of infinity stands for 2**128 while rounding
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _exact(middle) <= size else (low, middle)
    below, above = size - _exact(low), _exact(high) - size
    return sign | (low if below < above or (below == above and low % 2 == 0) else high)


def _exact(code):
    return Fraction(2) ** 128 if code == 0x7F80 else Fraction(float(to_float([code])[0]))


def test_a_second_rounding_would_be_wrong():
    just_above_tie = 1 + 2.0**-8 + 2.0**-40  # as float32 it is the tie, which goes to even
    assert to_codes(np.array([just_above_tie]))[0].tolist() == [0x3F81]
    assert to_codes(np.array([2.0**200, -(2.0**200)]))[0].tolist() == [0x7F80, 0xFF80]
    assert to_codes(np.array([2.0**-200, -(2.0**-1000)]))[0].tolist() == [0x0000, 0x8000]


@given(row=st.lists(codes, min_size=1))
def test_codes_as_they_are_saved(row):
    array = np.array(row, np.uint16)
    for same in (array, array.astype(">u2"), array.view("V2"), array.view("V2")[:, None]):
        got, rounded = to_codes(same)
        assert got.ravel().tolist() == row and rounded == 0


def test_big_endian_floats_and_ml_dtypes():
    values = np.array([1.5, -3.0, np.nan, 1e-40], ">f4")
    assert to_codes(values)[0].tolist() == to_codes(values.astype("<f4"))[0].tolist()
    saved = np.array([1.5, -3.0], ml_dtypes.bfloat16).view("V2")
    assert to_codes(saved)[0].tolist() == [0x3FC0, 0xC040]


@pytest.mark.parametrize("dtype", ["i4", "u1", "i2", "u4", "?", "c8", "V3", "U2", "g", "M8[s]"])
def test_other_element_types_are_refused(dtype):
    with pytest.raises(UsageError, match="expected float16, float32, float64"):
        to_codes(np.zeros(3, dtype))
