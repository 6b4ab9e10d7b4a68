"""A game: a domain, a problem and a grammar, as text; read from the files of the official release.

A grammar holds Python expressions, which TextWorld evaluates, so what a file says is not simply played. Two grammars of
the official release are known here by their hash and are taken as they are, apart from the sentence that tells the
task, which is checked to be plain words. In place of any other grammar stands the one that the installed package
brings, with that sentence. Games of the release say ``put X in/on Y``, the installed grammar says ``move X to Y``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from agentgym.environments.alfworld.packages import package_folder
from agentgym.errors import DataError

__all__ = ["UNKNOWN", "Game", "installed_domain", "installed_grammar", "read_game"]

_SENTENCE = re.compile(r'(?<="Your task is to: )[^"]*(?=")')
_PLAIN = re.compile(r"[A-Za-z0-9 ,'-]+\.?")
_KNOWN_GRAMMARS = {"3b181c19921c151a784666d0e3e72d38", "763474ec879673ecc9f8d7209e3b0805"}
"""Hashes of the grammars of json_2.1.1, with ``UNKNOWN`` in place of the sentence."""
UNKNOWN = "UNKNOWN GOAL."
"""What grammars have before a task is put in."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """What a world is made of."""

    origin: str
    """Where it comes from, for messages."""
    domain: str
    problem: str
    grammar: str
    """The grammar, with ``UNKNOWN`` where it tells the task."""
    sentence: str
    """The task, with the full stop."""
    walkthrough: tuple[str, ...] = ()
    """Commands that win, where they are known."""


def read_game(path: Path) -> Game:
    """The game in a ``game.tw-pddl``. Raises DataError, which names the file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no readable game ({error}); get it anew: alfworld-download") from error
    for key in ("pddl_domain", "pddl_problem", "grammar"):
        if not isinstance(data, dict) or not isinstance(data.get(key), str):
            raise DataError(f'{path} is no game: it has no text under "{key}"; get it anew: alfworld-download')
    return Game(
        origin=str(path),
        domain=data["pddl_domain"],
        problem=data["pddl_problem"],
        **_safe_grammar(data["grammar"], path),
        walkthrough=_commands(data.get("walkthrough")),
    )


def _commands(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _safe_grammar(grammar: str, path: Path) -> dict[str, str]:
    """Grammar and sentence, fit to be evaluated."""
    sentences = _SENTENCE.findall(grammar)
    if len(sentences) != 1 or not _PLAIN.fullmatch(sentences[0]):
        raise DataError(
            f'{path} does not tell its task in plain words: after "Your task is to:" it has {sentences!r:.200}; '
            "get it anew: alfworld-download"
        )
    skeleton = _SENTENCE.sub(UNKNOWN, grammar)
    known = hashlib.blake2b(skeleton.encode(), digest_size=16).hexdigest() in _KNOWN_GRAMMARS
    return {"grammar": skeleton if known else installed_grammar(), "sentence": sentences[0]}


def installed_grammar() -> str:
    """The installed package's grammar. Raises MissingExtraError."""
    return _SENTENCE.sub(UNKNOWN, _data_file("alfred.twl2"))


def installed_domain() -> str:
    """The installed package's domain. Raises MissingExtraError."""
    return _data_file("alfred.pddl")


@functools.cache
def _data_file(name: str) -> str:
    return (package_folder() / "data" / name).read_text(encoding="utf-8")
