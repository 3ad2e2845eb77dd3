"""Content: products whose texts are alike, so that one nobody bought yet can be recommended.

Latin words are taken as words and as groups of letters (a model number is half known by its
series); Chinese has no spaces, so its texts are taken as single characters and pairs.
Source: G. Salton and C. Buckley, Inf. Process. Manage. 24 (1988) 513-523 (TF-IDF, cosine).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from recommendations.engines import cooccurrence, memory
from recommendations.engines.base import (
    Interactions,
    Items,
    no_tick,
)
from recommendations.engines.memory import Budgeted, Need, Size
from recommendations.engines.nearest import Product, nearest
from recommendations.engines.ranking import LinearModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORD = re.compile(r"[^\W_]+")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
SHORTEST, LONGEST = 3, 5
TERMS_OF_A_TEXT = 400  # a title and a paragraph


@dataclass(frozen=True)
class Content(Budgeted):
    """An item's neighbours are the `n_neighbours` whose texts have the greatest cosine."""

    as_of: int
    n_neighbours: int = 100
    half_life_days: float = 0

    @property
    def name(self) -> str:
        return "content"

    def fit(
        self,
        interactions: Interactions,
        items: Items,
        tick: Callable[[], None] = no_tick,
    ) -> LinearModel:
        memory.require(self, interactions)
        taken = cooccurrence.taken(
            interactions, half_life_days=self.half_life_days, as_of=self.as_of
        )
        tick()
        n_items = interactions.n_items
        vectors = vectors_of(items.texts or ("",) * n_items)
        near = nearest(Product.plain(vectors), self.n_neighbours, self.block, tick)
        weights = cooccurrence.sparse(near, n_items)
        return LinearModel(taken.owned, items, self.block, taken.history, weights)

    def need(self, size: Size) -> Need:
        data, near = memory.matrices(size), memory.neighbours(size.n_items, self.n_neighbours)
        terms = 4 * memory.BYTES_OF_PAIR * TERMS_OF_A_TEXT * size.n_items
        return Need(data.peak + terms + near.peak + 4 * self.block, data.kept + near.kept)


def vectors_of(texts: tuple[str, ...]) -> sp.csr_array:
    """Return texts x terms, TF-IDF of length 1; a text without words is a row of zeros."""
    terms = TfidfVectorizer(analyzer=terms_of, sublinear_tf=True, dtype=np.float32)
    try:
        return sp.csr_array(terms.fit_transform(texts))
    except ValueError:  # no text has a word
        return cooccurrence.empty(len(texts), 1)


def terms_of(text: str) -> Iterator[str]:
    """Yield the terms of a text: words and their letter groups, characters and their pairs."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    for run in CJK.findall(folded):
        yield from run
        yield from (run[at : at + 2] for at in range(len(run) - 1))
    for word in WORD.findall(CJK.sub(" ", folded)):
        yield word
        framed = f"<{word}>"
        for size in range(SHORTEST, LONGEST + 1):
            yield from (framed[at : at + size] for at in range(len(framed) - size + 1))
