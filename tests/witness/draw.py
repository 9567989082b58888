"""Situations drawn by `random`, quickly: thousands for the price of a few from Hypothesis.

Hypothesis (`unmask.tests.scenes`) searches and shrinks. This fills a fixed corpus: every address is
drawn with its length in mind, so that ranges end at, before and behind the ends of memories, meet,
overlap or coincide; cores have lanes enough for MASK to wrap; MX rows have whole blocks.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import NamedTuple

from unmask.spec.state import MEMORIES, Config
from unmask.tests.scenes import BREAK, CONFIG, TOP, Scene, roles
from unmask.tests.strategies import SPECIAL_CODES
from unmask.tests.witness import softmax
from unmask.tests.witness.memory import FORMATS, transfers
from unmask.tests.witness.scalar import CSR_LIMITS, CSR_NAMES
from unmask.tests.witness.words import LAYOUTS, Layout, decode, encode
from unmask.tests.witness.world import Situation, World

WIDE = Config(
    vlen=64,
    vector_rows=4,
    fp_words=256,
    key_words=64,
    int_words=256,
    program_words=4,
    loop_depth=2,
    hbm_bytes=2048,
)
PAIRS = Config(
    vlen=2,
    vector_rows=16,
    fp_words=32,
    key_words=16,
    int_words=16,
    program_words=8,
    loop_depth=2,
    hbm_bytes=1024,
)
# Nothing but zeros, or -infinity, or what ties with half a unit of 1.0: what a lane that is off
# must not change.
PLAIN = ((0,), (0, 0x8000), (0, 0x8000), (0x8000,), (0xFF80,), (0x3F80, 0x3B80, 0x8000))


def situations(mnemonic: str, count: int, seed: int = 0) -> list[Situation]:
    random = Random(f"{mnemonic} {seed}")
    if mnemonic in ("C_LOOP_START", "C_LOOP_END"):
        return [_loops(mnemonic, random) for _ in range(count)]
    corners = _at_borders(mnemonic, random) if mnemonic.startswith("H_") else []
    if mnemonic == "H_RED_SM":
        corners.append(_last_scale())
    return [*corners, *(_situation(mnemonic, random) for _ in range(count))]


def _last_scale() -> Situation:
    """One block whose scale is the last byte of a beat; the next beat is faulty."""
    scene = _situation("S_ADD_INT", Random(0)).scene
    csrs = {**scene.csrs, "VL": 8, "SCALE": 7}
    word = encode("H_RED_SM", rd=0, rs1=0, rs2=0, rs3=0, format=2, clear=1)
    scene = replace(scene, word=word, csrs=csrs, a=(0,) * 8, window=(0, 1024))
    return Situation(scene, faulty=((8, 16),))


def _at_borders(mnemonic: str, random: Random) -> list[Situation]:
    """A transfer whose elements, or scales, begin or end at the window's border, or one beside."""
    plain = _situation("S_ADD_INT", Random(0)).scene
    words = mnemonic[2:5] in ("LD_", "ST_")
    first, end = 64, 512
    found = []
    for scales in (False,) if words else (False, True):
        for upper in (False, True):
            for by in (-1, 0, 1):
                kind = random.choice((1, 2, 3, 4) if scales else (0, 1, 2, 3, 4))
                size, block, _ = FORMATS[kind]
                size, length = (4, 3) if words else (size, max(8, block))
                if scales:
                    offset, base = 128, 0
                    scale = (end - length // block if upper else first) + by - offset // block
                else:
                    offset, scale = 0, 256
                    base = (end - length * size if upper else first) + by * size
                field = {"rd": 1, "rs1": 2, "rs2": 1}
                field |= {} if mnemonic in ("H_PREFETCH_V", "H_STORE_V") else {"rs3": 3}
                field |= {"format": kind} if mnemonic == "H_RED_SM" else {}
                csrs = {**plain.csrs, "VL": length, "ROWS": 1, "FMT0": kind, "SCALE": scale}
                scene = replace(
                    plain,
                    word=encode(mnemonic, **field),
                    gp=(0, 0, offset, length, *plain.gp[4:]),
                    a=(0, base, *plain.a[2:]),
                    csrs=csrs,
                    window=(first, end),
                )
                found.append(Situation(scene))
    return found


def codes(random: Random, count: int, family: int | None = None) -> list[int]:
    """BF16 of one family: anything, specials, one binade or a few, ties, masks, small numbers."""
    family = random.randrange(8) if family is None else family
    if family == 7:
        few = random.choice(PLAIN)
        return [random.choice(few) for _ in range(count)]
    center = random.randrange(0x0080, 0x7F00)
    tied = [random.choice(SPECIAL_CODES), random.randrange(1 << 16), random.randrange(1 << 16)]
    found = []
    for _ in range(count):
        if family == 0:
            code = random.randrange(1 << 16)
        elif family == 1:
            code = random.choice(SPECIAL_CODES)
        elif family == 2:
            code = (center + random.randrange(-0x500, 0x500)) % 0x7F80 | random.choice((0, 0x8000))
        elif family == 3:
            code = random.choice(tied)
        elif family == 4:
            code = random.choice((0, 0x3F80, 0x8000, 0x0001, 0x7FC0))
        elif family == 5:  # logits whose exponentials weigh something beside each other
            code = random.randrange(0x3F00, 0x4180) | random.choice((0, 0x8000))
        else:  # normal to the softmax, and just not
            code = random.randrange(0x4000, 0x4700) | random.choice((0, 0x8000))
        if random.random() < 0.05:
            code = random.choice(SPECIAL_CODES)
        found.append(code)
    return found


def state(random: Random) -> softmax.State:
    """A softmax state that a few elements gave."""
    count = random.choice((0, 1, 1, 2, 3, 6, 20))
    elements = [(code, random.randrange(20), random.choice((0, 0, 1, 2)))
                for code in codes(random, count)]  # fmt: skip
    return softmax.take(softmax.EMPTY, elements) if elements else softmax.EMPTY


def _any(random: Random) -> int:
    return random.choice((random.randrange(12), random.randrange(TOP), TOP - 1, TOP - 4, 1 << 31))


def _lengths(random: Random, mnemonic: str, block: int, config: Config) -> int:
    """Of a vector; whole blocks where a store wants them."""
    few = random.choice((0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, config.vlen, config.vlen - 1))
    length = random.choice((few, few, few, random.randrange(2 * config.vlen + 2), 33, 1, 0))
    if block > 1 and random.random() < 0.8:
        length = block * random.choice((0, 1, 1, 1, 2, 3))
        if mnemonic != "H_STORE_V":
            length += random.choice((0, 0, 1, block - 1))
    if random.random() < 0.04:
        length = random.choice((config.elements("vector") + 1, TOP - 1, 2**18, 2**18 - 3, 1 << 31))
    return length


def _keys(random: Random, count: int) -> list[int]:
    family = random.randrange(3)
    if family == 0:
        return [random.randrange(5) for _ in range(count)]
    if family == 1:
        return [random.choice((0, 1, 2, 40, TOP - 2, TOP - 1)) for _ in range(count)]
    return [random.randrange(TOP) for _ in range(count)]


def _pattern(random: Random, memory: str, size: int) -> tuple[int, ...]:
    if memory != "hbm":
        size = min(size, 96)
    if memory in ("vector", "fp"):
        half = size // 2  # two families, so that masks stand beside data
        return (*codes(random, half), *codes(random, half))
    if memory in ("key", "int"):
        return tuple(_keys(random, size))
    low, most = random.choice(((0, 256), (0, 256), (0x30, 80), (0x70, 80)))
    image = [low + x % most for x in random.randbytes(size // 2)]
    spread = random.choice((3, 10, 128))
    scales = [min(255, 127 - spread + x % (2 * spread + 1)) for x in random.randbytes(size // 2)]
    if random.random() < 0.4:  # what saturates, what is subnormal
        scales = [random.choice((0, 1, 3, 6, 127, 247, 250, 254)) for _ in scales]
    if random.random() < 0.3:
        scales[random.randrange(len(scales))] = 255
    return (*image, *[max(0, x) for x in scales])


class _Range(NamedTuple):
    """What an address operand is for: `span` elements of a memory, in steps of whole chunks."""

    memory: str
    size: int
    step: int
    span: int


def _addresses(random: Random, ranges: dict[str, _Range]) -> dict[str, int]:
    """All inside, aligned and apart or the same; or one of them not; or anything."""
    found: dict[str, int] = {}
    mode = random.random()
    for name, own in ranges.items():
        found[name] = _anywhere(random, own) if mode > 0.9 else _apart(random, own, ranges, found)
    if not ranges or mode < (0.45 if len(ranges) > 1 else 0.7) or mode > 0.9:
        return found
    name = random.choice(list(ranges))
    own, address = ranges[name], found[name]
    others = [x for x in ranges if x != name and ranges[x].memory == own.memory]
    fault = random.choice(("off", "outside", "outside", "across", "across", "across"))
    if fault == "across" and others:
        # Mostly by a chunk or an element, up to where the two just touch.
        most = max(1, -(-own.span // own.step))
        by = random.choice((1, random.randrange(1, most + 1), most)) * own.step
        address = found[random.choice(others)] + random.choice((by, -by))
    elif fault == "off" and own.step > 1:
        address += random.randrange(1, own.step)
    elif own.span <= own.size:
        address = (own.size - own.span) // own.step * own.step + own.step
    else:
        address = random.choice((own.size, own.size + own.step, TOP - own.step))
    found[name] = max(0, address) % TOP
    return found


def _apart(random: Random, own: _Range, ranges: dict[str, _Range], found: dict[str, int]) -> int:
    """Inside, and beside the ranges that there are, or the same as one of them."""
    last = max(0, own.size - own.span) // own.step
    taken = [(at, ranges[x].span) for x, at in found.items() if ranges[x].memory == own.memory]
    if taken and random.random() < 0.2:
        return random.choice(taken)[0]
    address = 0
    for _ in range(12):
        address = (last if random.random() < 0.2 else random.randrange(last + 1)) * own.step
        filled = -(-own.span // own.step) * own.step
        if all(address + filled <= at or at + max(n, filled) <= address for at, n in taken):
            break
    return address


def _anywhere(random: Random, own: _Range) -> int:
    edge = own.size - own.span + random.choice((0, 0, 1, -1, own.step))
    return random.choice((edge, random.randrange(own.size), _any(random))) % TOP


def _fields(random: Random, layout: Layout) -> dict[str, int]:
    """Operands of a legal word: few registers are shared, and few are gp0."""
    field: dict[str, int] = {}
    free = random.sample(range(1, 16), 5)
    for name, kind in layout.kinds.items():
        count = layout.operands[name]
        if kind == "i":
            field[name] = random.choice((0, 0, 1, 7, random.randrange(count), count - 1))
        elif kind == "g":
            field[name] = free.pop()
            if random.random() < 0.08:
                field[name] = random.choice((0, *(x for x in field.values() if x < 16)))
        else:
            field[name] = random.randrange(count)
    if random.random() < 0.3 and "rs4" in field:  # the length is VLEN
        field["rs4"] = 0
    if layout.mnemonic == "S_MAP_V_FP" and random.random() < 0.3:
        field["rs2"] = 0
    return field


def _ranges(
    mnemonic: str, role: dict[str, str], config: Config, length: int, rows: int
) -> dict[str, _Range]:
    """What the address operands stand for."""
    ranges = {}
    for name, what in role.items():
        if what in MEMORIES:
            step = config.vlen if what == "vector" else 1
            single = mnemonic.startswith(("S_LD", "S_ST", "S_SM"))
            span = 1 if single else length
            if mnemonic in ("H_PREFETCH_V", "H_STORE_V"):
                span = -(-length // config.vlen) * config.vlen * rows
            ranges[name] = _Range(what, config.elements(what), step, span)
    return ranges


def _other_value(random: Random, what: str, own: int, block: int) -> int:
    """What a gp that is no SRAM address holds; `own`: the length that an operand gives."""
    if what == "length":
        return own
    if what == "count":
        return random.choice((0, 1, 2, 3, 5, own, TOP - 1))
    if what == "token":
        return random.choice((0, 3, 10, 1000, TOP - 5, TOP - 1))
    if what == "offset":
        offset = block * random.choice((0, 0, 1, 2, 4, 8))
        return offset + random.choice((0,) * 9 + (1,))
    return _any(random)


def _csrs(
    random: Random, vl: int, rows: int, stride: int, scale: int, format_: int, token: int
) -> dict[str, int]:
    """`token`: of the first element, near which bans are."""
    csrs = {
        "VL": vl,
        "STRIDE": stride,
        "SCALE": scale,
        "MASK": random.choice((0, 1, 6, 15, random.randrange(TOP), TOP - 1)),
        "ROWS": rows,
        "FMT0": format_,
        "FMT1": format_ if random.random() < 0.5 else random.randrange(5),
        "NAN": random.randrange(2),
        "LIMIT": random.choice((0, 2, 3, 40, random.randrange(TOP), TOP - 1)),
        "KMAX": random.choice((0, 1, 2, 3, 5, TOP - 1)),
    }
    for i in range(4):
        inside = (token + random.randrange(max(1, vl % 300))) % TOP
        beside = (token + random.choice((-1, vl))) % TOP
        csrs[f"BAN{i}"] = random.choice((TOP - 1, TOP - 1, inside, inside, beside, _any(random)))
    return csrs


def _states(random: Random, mnemonic: str, vl: int) -> list[softmax.State]:
    states = [state(random) if "SM" in mnemonic else softmax.EMPTY for _ in range(4)]
    if mnemonic.endswith("RED_SM") and random.random() < 0.25:
        # About to be full: the greatest count that still takes this vector, or one more.
        count = 2**18 - vl + random.choice((0, 1))
        states = [(*x[:8], count % 2**19, x[9]) if x[8] else x for x in states]
    return states


def _situation(mnemonic: str, random: Random) -> Situation:
    layout = LAYOUTS[mnemonic]
    role = roles(mnemonic, [x for x, kind in layout.kinds.items() if kind == "g"])
    format_ = random.randrange(5)
    block = FORMATS[format_][1] if mnemonic[:2] == "H_" else 1
    config = random.choice((CONFIG, CONFIG, CONFIG, WIDE, PAIRS))
    config = random.choice((config, WIDE)) if block == 32 else config
    vl = _lengths(random, mnemonic, block, config)
    own = _lengths(random, mnemonic, 1, config)
    if random.random() < 0.1:
        own = config.elements("key") + random.choice((0, 1))
    field = _fields(random, layout)
    gp = [0, *(random.randrange(64) for _ in range(15))]
    length = vl
    if "length" in role.values():
        name = next(x for x, what in role.items() if what == "length")
        length = own if field[name] or name == "rs3" else config.vlen
    rows = random.choice((0, 1, 1, 1, 2, 3))
    chunks = -(-vl // config.vlen) * config.vlen
    if chunks * rows > config.elements("vector") and random.random() < 0.9:
        rows = max(1, config.elements("vector") // chunks)
    stride = random.choice((block * random.choice((0, 1, 2, 4)), 32, 1, 0, TOP - 32))
    ranges = _ranges(mnemonic, role, config, length, rows)
    if mnemonic in ("H_PREFETCH_V", "H_STORE_V") and random.random() < 0.06:
        # Rows of nothing, far apart: no byte is touched.
        vl, rows, stride = 0, random.choice((2, TOP - 1)), TOP - 32
        field["rstride"] = 1
    placed = _addresses(random, ranges)
    for name, what in role.items():
        if field[name] == 0:
            continue
        if name in placed:
            immediate = field.get("imm18", field.get("imm14", 0)) if name == "rs1" else 0
            gp[field[name]] = (placed[name] - immediate) % TOP
        else:
            gp[field[name]] = _other_value(random, what, own, block)
    gp[0] = 0
    bases, window, scale = _memory(random, mnemonic, field, gp, format_, length, config)
    token = gp[field.get("rs3", 0)] if mnemonic.endswith("RED_SM") else 0
    csrs = _csrs(random, vl, rows, stride, scale, format_, token)
    if "format" in field:
        field["format"] = format_
    if "precision" in field and csrs["FMT1"] != format_ and random.random() < 0.6:
        field["precision"] = 0
    if mnemonic == "C_SET_CSR":
        most = CSR_LIMITS.get(CSR_NAMES[field["rd"]], 5)
        field["imm18"] = random.choice((0, 1, most, most + 1, field["imm18"]))
        gp[field["rs1"]] = random.choice((0, 0, 1, TOP - 1, gp[field["rs1"]]))
        gp[0] = 0
    read = {*role.values(), "hbm" if mnemonic[:2] == "H_" else ""}
    states = _states(random, mnemonic, vl)
    memories = {x: _pattern(random, x, config.elements(x) if x in read else 8) for x in MEMORIES}
    if random.random() < 0.5:
        csrs["LIMIT"] = random.choice(memories["key"])
    if mnemonic == "V_CMP_MASK_IG" and field["rs2"] and random.random() < 0.5:
        gp[field["rs2"]] = random.choice(memories["int"])
    f = (0, *codes(random, 7))
    scene = Scene(
        encode(mnemonic, **field), tuple(gp), f, bases, csrs, tuple(states), memories, window
    )
    situation = Situation(_with_values(random, mnemonic, scene, config), config)
    if mnemonic[:2] == "H_" and random.random() < 0.25:
        situation = situation._replace(faulty=_faulty(random, mnemonic, situation))
    return situation


def _with_values(random: Random, mnemonic: str, scene: Scene, config: Config) -> Scene:
    """Values that an instruction is sensitive to, in some scenes."""
    memories = scene.memories
    if mnemonic == "V_RED_SM" and random.random() < 0.6:  # each element weighs something
        return replace(scene, memories={**memories, "vector": tuple(codes(random, 96, 5))})
    if mnemonic in ("V_RED_SUM", "V_RED_MAX") and random.random() < 0.4:
        few = random.choice(PLAIN)
        pattern = tuple(random.choice(few) for _ in range(config.elements("vector")))
        f = (0, *(random.choice(few) for _ in range(7)))
        return replace(scene, memories={**memories, "vector": pattern}, f=f)
    return _likely_equal(random, scene) if random.random() < 0.3 else scene


def _faulty(random: Random, mnemonic: str, situation: Situation) -> tuple[tuple[int, int], ...]:
    """A beat that answers with an error: the first, the last, or one beside what is moved."""
    world, beat = World.of(situation), situation.config.beat_bytes
    found = decode(situation.scene.word)
    assert found is not None
    parts = [part for part in transfers(world, mnemonic, found[1]) if part]
    if not parts:
        return ((0, beat),)
    part = random.choice(parts)
    byte = random.choice((part.start, part.start - 1, part.stop - 1, part.stop))
    first = max(0, byte // beat * beat)
    return ((first, first + beat),)


def _likely_equal(random: Random, scene: Scene) -> Scene:
    """f registers that also stand in memory, and opposites: comparisons and sums that cancel."""
    pattern = scene.memories["vector"]
    flip = random.choice((0, 0x8000))
    values = [random.choice(pattern) ^ random.choice((0, flip)) for _ in range(7)]
    return replace(scene, f=(0, *values))


def _memory(
    random: Random,
    mnemonic: str,
    field: dict[str, int],
    gp: list[int],
    format_: int,
    length: int,
    config: Config,
) -> tuple[tuple[int, ...], tuple[int, int], int]:
    """Base addresses, window and SCALE: the transfer inside, or at the window's borders."""
    hbm = config.hbm_bytes
    size = FORMATS[format_][0]
    if mnemonic[2:5] in ("LD_", "ST_"):
        size = 4
    bases = [random.choice((0, 64, 128, hbm // 4)) for _ in range(8)]
    window = random.choice(((0, hbm), (0, hbm), (0, hbm), (64, hbm), (0, hbm // 2), (64, 64)))
    scale = random.choice((hbm // 2, hbm // 2, hbm // 2, 0, 5, TOP - 1))
    if mnemonic[:2] == "H_" and random.random() < 0.4:
        offset = gp[field["rs1"]] * size
        first, end = window
        edge = random.choice((first - offset, end - offset - length * size))
        edge += random.choice((0, 0, size, -size, 1))
        if random.random() < 0.5:  # at the border by its scales
            window = random.choice((window, (64, hbm), (64, hbm // 2)))
            first, end = window
            block = FORMATS[format_][1]
            at = gp[field["rs1"]] // block
            blocks = -(-length // block)
            edge = random.choice((0, 64, 128))
            border = random.choice((first, end - blocks)) + random.choice((-1, 0, 0, 1))
            scale = (border - at - edge) % TOP
        bases[field["rs2"]] = edge % 2**64
    elif random.random() < 0.05:
        bases[field.get("rs2", 0) % 8] = random.choice((2**64 - 2, 2**64 - hbm, 1, 3))
    return tuple(bases), window, scale


# Behind a loop's start: ends that are its own, after none, one or two loops inside, or missing.
_SKIPPED = (
    "START END END",
    "START END START END END",
    "START START END END END END",
    "START START END END",
    "START END",
)


def _loops(mnemonic: str, random: Random) -> Situation:
    """A loop instruction in a program of loop instructions and others."""
    plain = _situation("S_ADD_INT", random)
    config = random.choice((CONFIG, PAIRS))
    size = random.randrange(1, config.program_words + 1)
    words = []
    for _ in range(size):
        which = random.choice(("C_LOOP_START", "C_LOOP_END", "C_LOOP_END", "C_BREAK"))
        fields = {"rd": random.choice((0, 1, 2, 7))}
        if which == "C_LOOP_START":
            fields["imm22"] = random.choice((0, 0, 1, 2, 2**22 - 1))
        words.append(encode(which, **fields) if which != "C_BREAK" else BREAK)
    pc = random.randrange(size)
    fields = {"rd": random.choice((0, 1, 2, 7))}
    if mnemonic == "C_LOOP_START":
        fields["imm22"] = random.choice((0, 0, 0, 1, 2, 2**22 - 1))
    words[pc] = encode(mnemonic, **fields)
    if mnemonic == "C_LOOP_START" and random.random() < 0.3:  # loops to skip, in a loop to skip
        fields["imm22"], pc = 0, random.randrange(2)
        inner = [encode(f"C_LOOP_{x}", rd=1, **({"imm22": 2} if x == "START" else {}))
                 for x in random.choice(_SKIPPED).split()]  # fmt: skip
        words = [BREAK] * pc + [encode(mnemonic, **fields), *inner, BREAK]
        config, size = replace(config, program_words=16), len(words)
    depth = random.choice((0, 1, 1, config.loop_depth))
    loops = tuple(
        (
            random.randrange(size),
            random.choice((1, 1, 2, 3, 2**22 - 1)),
            random.choice((0, 1, 2, 7)),
        )
        for _ in range(depth)
    )
    if loops and random.random() < 0.8:
        loops = (*loops[:-1], (*loops[-1][:2], fields["rd"]))
    return Situation(replace(plain.scene, loops=loops), config, tuple(words), pc)
