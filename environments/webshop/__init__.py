"""WebShop: find and buy the product that an instruction asks for.

A re-implementation of the text environment of WebShop (Yao et al., 2022, https://arxiv.org/abs/2207.01206) from
the facts of its pages, actions and scores. It needs no Java, no spaCy model and no download:

- ``env`` is the environment, ``session`` what one shopper has done so far, ``pages`` and ``render`` what is seen;
- ``catalogue`` reads the original's three files, ``embedded`` invents a small shop where there are none;
- ``goals`` and ``reward`` say what is asked for and what a purchase is worth;
- ``search`` and ``nouns`` stand in for Lucene and spaCy, and may be replaced by the caller;
- ``expert`` solves nearly every goal through the pages.
"""

from agentgym.environments.webshop.env import WebShop

__all__ = ["WebShop"]
