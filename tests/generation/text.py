"""The text that the tiny model learns, and its vocabulary.

The text is the prose of Python's language reference, which every Python carries for its `help`
(`pydoc_data.topics`). Releases differ in a few paragraphs, so the vocabulary is kept with the
checkpoint, and a paragraph is held out by its own words, whatever stands around it.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pydoc_data.topics import topics

import torch

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
END = "\n"  # of a paragraph
_PLAIN = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-"}  # quotes and dashes
_WORD = re.compile(r" ?[A-Za-z]+| ?[0-9]| ?[^A-Za-z0-9 ]| ")


def paragraphs(held_out: bool) -> list[str]:
    """Paragraphs of prose, each once and on one line: one in ten is held out from training."""
    found: dict[str, None] = {}
    for topic in topics.values():
        for block in topic.translate(_PLAIN).split("\n\n"):
            line = re.sub(r"\s+", " ", block).strip().removeprefix("* ")
            # A title's underline, a grammar or a table has few letters.
            letters = len(re.findall(r"[A-Za-z ]", line))
            if len(line) >= 60 and line.isascii() and letters > 0.85 * len(line):
                found[line] = None
    return [line for line in found if (zlib.crc32(line.encode()) % 10 == 0) == held_out]


def pieces(text: str, count: int) -> list[str]:
    """A vocabulary of `count` pieces of words by byte-pair encoding: characters, then merges."""
    words = {tuple(word): times for word, times in Counter(_WORD.findall(text)).items()}
    found = sorted(set(text))
    while len(found) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += times
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        found.append("".join(best))
        words = {_merged(word, best): times for word, times in words.items()}
    return found


def _merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    done: list[str] = []
    at = 0
    while at < len(word):
        both = word[at : at + 2] == pair
        done.append("".join(pair) if both else word[at])
        at += 2 if both else 1
    return tuple(done)


@dataclass(frozen=True)
class Vocabulary:
    """Ids and what they stand for.

    Ids count the pieces; then come one for unknown characters, and the mask. The ids from there to
    `size` stand for nothing, as in the padded vocabularies of published models.

    Attributes:
        pieces: text of each id.
        size: V, the ids that the model has logits for.
    """

    pieces: tuple[str, ...]
    size: int

    @property
    def mask_id(self) -> int:
        return len(self.pieces) + 1

    def encode(self, text: str) -> torch.Tensor:
        """Ids (n,) int64: the longest piece at every place."""
        ids = {piece: at for at, piece in enumerate(self.pieces)}
        longest = sorted(map(re.escape, self.pieces), key=len, reverse=True)
        found = re.findall("|".join([*longest, r"[\s\S]"]), text)
        return torch.tensor([ids.get(piece, len(self.pieces)) for piece in found])

    def words(self, ids: torch.Tensor, mask: str = "\N{FULL BLOCK}") -> list[str]:
        """Text of each of the ids (n,)."""
        shown = [*self.pieces, UNKNOWN, mask]
        return [shown[i] if i < len(shown) else UNKNOWN for i in ids.tolist()]
