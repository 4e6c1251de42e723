"""Ranks passages against a question with Okapi BM25.

A collection of this size needs no vectors: BM25 is a page of arithmetic, explains itself, and
finds what shares words with the question. It honestly finds nothing when no word is shared.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.collection import Passage

# The usual constants: how fast a repeated word stops counting, and how much length matters.
K1 = 1.5
B = 0.75

WORD = re.compile(r"[a-z0-9]+")
STOP_WORDS = frozenset(
    "a an and are as at be by can do does for from has have how i if in is it its my not of on or "
    "that the their then there this to was what when where which who why will with you your".split()
)


@dataclass(frozen=True)
class Hit:
    """A passage that shares words with the question. Higher scores are better; 0 is never a hit."""

    passage: Passage
    score: float


def words(text: str) -> list[str]:
    """Lower-case words without stop words, with the plain plural `s` taken off."""
    found = (word for word in WORD.findall(text.lower()) if word not in STOP_WORDS)
    return [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in found]


class Index:
    """Word counts of all passages, computed once."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = tuple(passages)
        # The title counts as part of each passage: a paragraph rarely repeats its subject.
        self._counts = [Counter(words(f"{p.title} {p.text}")) for p in self._passages]
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean_length = sum(self._lengths) / len(self._lengths) if self._lengths else 0.0
        holding = Counter(word for counts in self._counts for word in counts)
        total = len(self._passages)
        self._rarity = {w: math.log(1 + (total - n + 0.5) / (n + 0.5)) for w, n in holding.items()}

    def search(self, question: str, limit: int) -> list[Hit]:
        """The best passages, best first, at most `limit`; ties keep the collection's order."""
        terms = set(words(question))
        hits = [
            Hit(passage, score)
            for passage, counts, length in zip(self._passages, self._counts, self._lengths)
            if (score := self._score(terms, counts, length)) > 0
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def _score(self, terms: set[str], counts: Counter[str], length: int) -> float:
        # Summed in a fixed order, because a set's order differs between runs and sums of floats do too.
        return sum(
            self._rarity[term] * counts[term] * (K1 + 1)
            / (counts[term] + K1 * (1 - B + B * length / self._mean_length))
            for term in sorted(terms)
            if counts[term]
        )
