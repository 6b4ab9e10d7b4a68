"""Which words of a product's title are nouns, guessed without a model.

The score only uses nouns to ask whether two titles name the same kind of product. Product titles are
mostly nouns and names, so a word counts as one unless it is a function word, a number or unit, a color,
a well-known adjective, or ends like an adjective or adverb. This is no part-of-speech tagger: it reads
words one by one, and calls verbs in titles nouns. For scores comparable to published ones pass spaCy's:

    WebShop(nouns=lambda text: [t.text.lower() for t in nlp(text) if t.pos_ in ("NOUN", "PROPN")])
"""

from __future__ import annotations

import re

from agentgym.environments.webshop.colors import COLORS

__all__ = ["guess_nouns"]

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_ADJECTIVE_ENDINGS = ("able", "ible", "ous", "ful", "less", "ish", "ive", "ical", "proof", "ly", "ed", "weight")

_OTHER_WORDS = """
a about above across after all also an and any are as at be been before below between both but by can each
either every for from had has have her his how if in inch inches into is it its just may more most my new no nor
not now of off on one only or other our out over own per plus same set so some such than that the their them
then there these they this those through to too two three four five six ten under until up use very was we were
what when where which while who why will with within without you your cm ft gb kg lb lbs mb ml mm oz pc pcs pack
anti automatic best big classic clean clear comfortable cool cozy cute deep digital double dry dual eco elegant
electric electronic ergonomic extra fast fine fit flat free fresh full funny general generic gentle good great
heavy high home hot huge ideal indoor large little long loose low manual medium mini modern multi natural non
old organic outdoor perfect personal portable premium pro professional pure quick real regular rustic safe short
simple single slim small smart soft solid special stainless standard strong super sweet tall thick thin tiny top
true ultra universal vegan vintage warm wet wide wild wireless wooden young
"""
_OTHER = frozenset(_OTHER_WORDS.split()) | frozenset(COLORS)


def guess_nouns(text: str) -> list[str]:
    """The words of ``text`` that look like nouns, in lower case and in order, duplicates kept.

    >>> guess_nouns("Alpine Waterproof Tent with 2 Doors, Blue")
    ['alpine', 'tent', 'doors']
    """
    return [word for word in _WORD.findall(text.lower()) if _looks_like_noun(word)]


def _looks_like_noun(word: str) -> bool:
    return len(word) > 1 and word not in _OTHER and not word.endswith(_ADJECTIVE_ENDINGS)
