"""The shop's search engine: BM25 over one text for each product.

Stands in for the original's Lucene index with the same text, parameters (k1 0.9, b 0.4) and stop words.
Departs from it in the stemmer (Snowball's English instead of Porter's) and in the tokenizer (runs of word
characters), so that ranks near each other may swap. Ties go to the product that comes first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from agentgym.environments.webshop.products import Product

__all__ = ["BM25Ranker", "Ranker", "document"]

Ranker: TypeAlias = Callable[[str, int], Sequence[str]]
"""(query, k) → the ids of at most k products, best first."""

_WORD = re.compile(r"\w+")


def document(product: Product) -> str:
    """The text of a product that is searched."""
    options = ", and ".join(f"{group}: {', '.join(values)}" for group, values in product.options.items())
    first_bullet = product.bullets[0] if product.bullets else ""
    return " ".join((product.title, product.description, first_bullet, options)).lower()


class BM25Ranker:
    """A ``Ranker`` over ``products``. Many environments may share one, from many threads."""

    def __init__(self, products: Sequence[Product]) -> None:
        import bm25s  # takes scipy along, which asking what the environment can be told has no time for
        import Stemmer
        from bm25s.stopwords import STOPWORDS_EN

        self._stop_words = frozenset(STOPWORDS_EN)
        self._asins = [product.asin for product in products]
        self._stem = Stemmer.Stemmer("english").stemWord
        self._stem_ids: dict[str, int] = {}
        self._index = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
        tokens = bm25s.tokenization.Tokenized(ids=self._encode(map(document, products)), vocab=self._stem_ids)
        self._index.index(tokens, show_progress=False)

    def __call__(self, query: str, k: int) -> list[str]:
        """The ids of the ``k`` products that match best; fewer where fewer match at all."""
        stems = (self._stem(word) for word in _WORD.findall(query.lower()) if word not in self._stop_words)
        known = [stem for stem in stems if stem in self._stem_ids]
        return [self._asins[i] for i in _best(self._index.get_scores(known), k)] if known else []

    def _encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The stems of each text by number, stop words left out. A word is stemmed once, not at each place."""
        ids: dict[str, int] = {}

        def id_of(word: str) -> int:
            stop = word in self._stop_words
            ids[word] = -1 if stop else self._stem_ids.setdefault(self._stem(word), len(self._stem_ids))
            return ids[word]

        numbered = ([ids[word] if word in ids else id_of(word) for word in _WORD.findall(text)] for text in texts)
        return [[number for number in numbers if number >= 0] for numbers in numbered]


def _best(scores: Any, k: int) -> Any:
    """Indices of the ``k`` highest positive ``scores``, ties in index order."""
    matching = np.flatnonzero(scores > 0)
    if len(matching) > k:
        matching = matching[scores[matching] >= np.partition(scores[matching], -k)[-k]]
    return matching[np.argsort(-scores[matching], kind="stable")][:k]
