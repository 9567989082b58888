"""How often a step's set is the exact one: a core's keys, PyTorch, the published numerics.

    python -m unmask.spec.manual.agreement                   measures all, writes agreement.md, .svg
    python -m unmask.spec.manual.agreement --check FAMILY    exit code 1 if its lines would change
    python -m unmask.spec.manual.agreement --steps 20        fewer steps, on the terminal only

A step is 32 rows of one family at V = 126,464 and a quota k, drawn anew; so steps are independent,
and the share of them that a column counts has a 95 % interval (Wilson's). Exact sets come from
`unmask.spec.certificates.exact`, which shares no line with the softmax state.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec import numerics
from unmask.spec.bits import arrays
from unmask.spec.certificates import exact
from unmask.spec.certificates.keys import keys_of
from unmask.spec.formats import order_key, to_float
from unmask.spec.manual.published_error import VLEN, published
from unmask.spec.pack import pack, unpack
from unmask.spec.reference import families

FOLDER = Path(__file__).parent
TABLE, PLOT = FOLDER / "agreement.md", FOLDER / "agreement.svg"
VOCABULARY, ROWS, STEPS = 126_464, 32, 60
QUOTAS = (1, 2, 4, 8, 16)
WAYS = ("keys", "FP64", "FP32", "BF16", "published")
FORMATS = ("E4M3_B8", "E4M3_B32", "E5M2_B8", "E5M2_B32")
QUANTISED_STEPS = 10

Order = list[int]


@dataclass
class Tally:
    """Counts of one family.

    Attributes:
        steps: steps counted.
        certified: sets that the keys alone prove to be the exact ones.
        wrong: of those, the ones that are not; always 0.
        same: way -> sets equal to the exact one.
        keys_as: way -> sets of the keys equal to the way's.
        published_as: the same of the published numerics' sets.
        token_rows, tokens: rows, and those of them where the published token is the exact one.
        quantised: steps that were counted for formats.
        argmax, sets: format -> rows whose token changes, steps whose exact set changes.
    """

    steps: int = 0
    certified: int = 0
    wrong: int = 0
    same: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    keys_as: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    published_as: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    token_rows: int = 0
    tokens: int = 0
    quantised: int = 0
    argmax: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FORMATS, 0))
    sets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FORMATS, 0))


def exact_order(codes: NDArray[np.uint16]) -> Order:
    """Positions from the least delta to the greatest, the lower one first among equals."""
    deltas: list[Any] = [exact.delta(row) for row in codes]
    return sorted(range(len(codes)), key=lambda place: (deltas[place], place))


def stable(confidences: Any) -> Order:
    """The order of confidences, descending, the lower position first among equals."""
    return np.argsort(-np.asarray(confidences), kind="stable").tolist()


def softmax(codes: NDArray[np.uint16], dtype: torch.dtype) -> NDArray[np.float64]:
    """What PyTorch on this machine makes of the greatest probability of each row."""
    logits = torch.from_numpy(codes.view(np.int16)).view(torch.bfloat16).to(dtype)
    return torch.softmax(logits, dim=-1).amax(dim=-1).double().numpy()


def certify(tally: Tally, codes: NDArray[np.uint16], k: int) -> tuple[set[int], set[int]]:
    """Count what the keys choose and prove in a step of a quota k; the exact set, and theirs."""
    keys = keys_of(list(codes))
    wanted, found = set(exact_order(codes)[:k]), set(np.argsort(keys, kind="stable")[:k].tolist())
    tally.steps += 1
    ranked = np.sort(keys)
    if numerics.certified(int(ranked[k - 1]), int(ranked[k]), VOCABULARY):
        tally.certified += 1
        tally.wrong += found != wanted
    tally.same["keys"] += found == wanted
    return wanted, found


def compare(
    tally: Tally, codes: NDArray[np.uint16], k: int, wanted: set[int], found: set[int]
) -> None:
    """Count what PyTorch and the published numerics choose in the same step."""
    sampled = published(codes, VLEN)
    orders = {
        "FP64": stable(softmax(codes, torch.float64)),
        "FP32": stable(softmax(codes, torch.float32)),
        "BF16": stable(softmax(codes, torch.bfloat16)),
        "published": stable(order_key(arrays(16, sampled.confidence)).value),
    }
    sets = {way: set(order[:k]) for way, order in orders.items()}
    for way, chosen in sets.items():
        tally.same[way] += chosen == wanted
        tally.keys_as[way] += chosen == found
        tally.published_as[way] += chosen == sets["published"]
    tally.token_rows += len(codes)
    tally.tokens += int((sampled.tokens == np.argmax(to_float(codes), axis=1)).sum())


def quantise(tally: Tally, codes: NDArray[np.uint16], k: int) -> None:
    """Count what MX formats change: tokens, and the exact set of a quota k."""
    tally.quantised += 1
    wanted, tokens = set(exact_order(codes)[:k]), np.argmax(to_float(codes), axis=1)
    for name in FORMATS:
        packed = pack(codes, name)
        read = unpack(packed.image, packed.shape)
        tally.argmax[name] += int((np.argmax(to_float(read), axis=1) != tokens).sum())
        tally.sets[name] += set(exact_order(read)[:k]) != wanted


def measure(family: str, steps: int = STEPS, keys_alone: bool = False) -> Tally:
    """The counts of a family; the same on every machine but for what PyTorch's sums do there."""
    tally = Tally()
    for seed in range(steps):
        codes = families.rows(family, VOCABULARY, ROWS, seed)
        k = QUOTAS[seed % len(QUOTAS)]
        sets = certify(tally, codes, k)
        if keys_alone:
            continue
        compare(tally, codes, k, *sets)
        if seed < QUANTISED_STEPS:
            quantise(tally, codes, k)
    return tally


def wilson(count: int, total: int) -> tuple[float, float]:
    """Wilson's interval for a share, 95 %."""
    z, share = 1.959964, count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(count: int, total: int) -> str:
    """Count, and the interval in per cent."""
    low, high = wilson(count, total)
    return f"{count} ({100 * low:.0f}-{100 * high:.0f})"


HEAD = f"""\
How often is a step's set of positions the one that exact arithmetic selects? A step is {ROWS} rows
of a family of synthetic logits (`spec/reference/families.py`) at V = {VOCABULARY:,}, in BF16, and
a quota k of {", ".join(map(str, QUOTAS))} in turn; of equals the lowest position is first.
`python -m unmask.spec.manual.agreement` makes this page.

Certified: the keys of the softmax states prove that their set is the exact one. Keys: it is the
exact one. FP64, FP32, BF16: that of `torch.softmax` in this dtype is, with a stable ranking.
Published: that of the published numerics (BF16, two passes, VLEN = {VLEN}, from -infinity). Each a
count of steps, and in brackets the 95 % interval of the share, in per cent (Wilson).

What keys cannot prove: rows that are equally confident (all of "equal"), as nothing in a key tells
permuted rows from rows a little apart; there the lowest position is chosen, as it should be. And
confidences nearer to 1 than 2**-47 or so, where the error bound's absolute part is what remains.

"""
COMPARED = """
The same sets against PyTorch's, which are not always the exact ones: steps in which the keys', and
the published, set is that of `torch.softmax` in each dtype.

"""
QUANTISED = """
What a quantised format does to the logits is another matter than what a core does with them: rows
whose token, and steps whose exact set, is not that of the logits in BF16. Of logits that become
equal the first is the token. E4M3 has no infinity: a banned token's -infinity becomes NaN there,
which is greater than all; in that format tokens are to be banned by the CSRs BAN0 to BAN3.

"""


def text(tallies: Mapping[str, Tally]) -> str:
    """The page."""
    lines = [HEAD, _row("logits", "steps", "certified", *WAYS), _rule(2 + 1 + len(WAYS))]
    for family, tally in tallies.items():
        counts = (tally.certified, *(tally.same[way] for way in WAYS))
        shares = [rate(count, tally.steps) for count in counts]
        lines.append(_row(family, str(tally.steps), *shares))
    dtypes = WAYS[1:4]
    heads = (*(f"keys = {x}" for x in dtypes), *(f"published = {x}" for x in dtypes))
    lines += [COMPARED, _row("logits", *heads, "published tokens"), _rule(2 + len(heads))]
    for family, tally in tallies.items():
        counts = (*(tally.keys_as[x] for x in dtypes), *(tally.published_as[x] for x in dtypes))
        tokens = f"{tally.tokens} of {tally.token_rows}"
        lines.append(_row(family, *(rate(count, tally.steps) for count in counts), tokens))
    heads = (*(f"tokens {x}" for x in FORMATS), *(f"sets {x}" for x in FORMATS))
    lines += [QUANTISED, _row("logits", "rows, steps", *heads), _rule(2 + len(heads))]
    for family, tally in tallies.items():
        total = tally.quantised * ROWS
        shares = [rate(tally.argmax[x], total) for x in FORMATS]
        shares += [rate(tally.sets[x], tally.quantised) for x in FORMATS]
        lines.append(_row(family, f"{total}, {tally.quantised}", *shares))
    return "".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _rule(columns: int) -> str:
    return _row("---", *["--:"] * (columns - 1))


def plot(tallies: Mapping[str, Tally], path: Path) -> None:
    """Shares of exact sets with their intervals, by family and way, as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "unmask"  # the same picture, the same file
    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    colours = ("#0b6e4f", "#4c78a8", "#72a0d0", "#b0c8e8", "#d1495b")
    for number, way in enumerate(WAYS):
        places = [family + (number - 2) * 0.15 for family in range(len(tallies))]
        shares = [100 * x.same[way] / x.steps for x in tallies.values()]
        ends = [wilson(x.same[way], x.steps) for x in tallies.values()]
        bars = [[abs(share - 100 * end[i]) for share, end in zip(shares, ends, strict=True)]
                for i in (0, 1)]  # fmt: skip
        axes.errorbar(places, shares, yerr=bars, fmt="o", ms=5, lw=1, color=colours[number],
                      label={"keys": "keys of softmax states"}.get(way, way))  # fmt: skip
    axes.set_xticks(range(len(tallies)), list(tallies), rotation=40, ha="right")
    axes.set_ylim(-3, 103)
    axes.set_ylabel("steps whose set is the exact one, %")
    axes.set_title(f"V = {VOCABULARY:,}, {ROWS} positions, BF16 logits; bars: 95 % intervals")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(WAYS), frameon=False)
    figure.savefig(path, metadata={"Date": None})


def check(family: str) -> bool:
    """Whether the page has what keys prove and choose in a family."""
    tally, page = measure(family, keys_alone=True), TABLE.read_text(encoding="utf-8").splitlines()
    found = [line.split(" | ") for line in page if line.startswith(f"| {family} |")]
    counts = (tally.certified, tally.same["keys"])
    wanted = [str(tally.steps), *(rate(count, tally.steps) for count in counts)]
    return tally.wrong == 0 and len(found) == 3 and found[0][1:4] == wanted


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m unmask.spec.manual.agreement", description=__doc__
    )
    parser.add_argument("--check", choices=tuple(families.FAMILIES), metavar="FAMILY")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    arguments = parser.parse_args(argv)
    if arguments.check is not None:
        same = check(arguments.check)
        print(f"{TABLE}: {'as measured' if same else 'differs from what is measured'}")
        return 0 if same else 1
    names = tuple(families.FAMILIES)
    tallies = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        found = pool.map(measure, names, [arguments.steps] * len(names))
        for name, tally in zip(names, found, strict=True):
            tallies[name] = tally
            print(f"{name}: {tally}", file=sys.stderr, flush=True)
    if arguments.steps != STEPS:
        print(text(tallies))
        return 0
    TABLE.write_text(text(tallies), encoding="utf-8")
    plot(tallies, PLOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
