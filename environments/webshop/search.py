"""The shop's search engine: BM25 over one text for each product.

Stands in for the original's Lucene index with the same text, parameters (k1 0.9, b 0.4) and stop words.
Departs from it in the stemmer (Snowball's English instead of Porter's) and in the tokenizer (runs of word
characters), so that ranks near each other may swap. Ties go to the product that comes first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import bm25s
import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_EN

from agentgym.environments.webshop.products import Product

__all__ = ["BM25Ranker", "Ranker", "document"]

Ranker: TypeAlias = Callable[[str, int], Sequence[str]]
"""(query, k) → the ids of at most k products, best first."""

_TOKEN = re.compile(r"\w+")
_STOP_WORDS = frozenset(STOPWORDS_EN)
_MAX_CACHED = 4096


def document(product: Product) -> str:
    """The text of a product that is searched."""
    options = ", and ".join(f"{group}: {', '.join(values)}" for group, values in product.options.items())
    first_bullet = product.bullets[0] if product.bullets else ""
    return " ".join((product.title, product.description, first_bullet, options)).lower()


class BM25Ranker:
    """A ``Ranker`` over ``products``. Many environments may share one, from many threads."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._asins = [product.asin for product in products]
        self._stem = Stemmer.Stemmer("english").stemWord
        self._index = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
        self._index.index([self._tokens(document(product)) for product in products], show_progress=False)
        self._cache: dict[tuple[str, int], list[str]] = {}

    def __call__(self, query: str, k: int) -> list[str]:
        """The ids of the ``k`` products that match best; fewer where fewer match at all."""
        if (query, k) not in self._cache:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[query, k] = self._rank(query, k)
        return self._cache[query, k]

    def _rank(self, query: str, k: int) -> list[str]:
        tokens = [token for token in self._tokens(query) if token in self._index.vocab_dict]
        if not tokens:
            return []
        return [self._asins[i] for i in _best(self._index.get_scores(tokens), k)]

    def _tokens(self, text: str) -> list[str]:
        return [self._stem(token) for token in _TOKEN.findall(text.lower()) if token not in _STOP_WORDS]


def _best(scores: Any, k: int) -> Any:
    """Indices of the ``k`` highest positive ``scores``, ties in index order."""
    matching = np.flatnonzero(scores > 0)
    if len(matching) > k:
        matching = matching[scores[matching] >= np.partition(scores[matching], -k)[-k]]
    return matching[np.argsort(-scores[matching], kind="stable")][:k]
