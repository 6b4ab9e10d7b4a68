"""The commands of Agent Q (arXiv 2408.07199) for a web page: what can be said, and how it is read."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["UNREADABLE", "Command", "parse_command"]

UNREADABLE = (
    "expected CLICK[id], TYPE[id][text], CLEAR[id], SUBMIT[id], GOTO[url], SCROLL[up], SCROLL[down] or ASK USER HELP"
)

_ONE = re.compile(r"(CLICK|GOTO|SUBMIT|CLEAR|SCROLL) ?\[([^\[\]]+)\]", re.IGNORECASE)
_TWO = re.compile(r"(TYPE) ?\[([^\[\]]+)\] ?\[(.+)\]", re.IGNORECASE)
_ASK = re.compile(r"(ASK) USER HELP", re.IGNORECASE)
_LONGEST = 300
"""Characters; what is longer is no command."""


class Command(NamedTuple):
    """A verb in lower case, what it is about, and what is typed."""

    verb: str
    target: str = ""
    text: str = ""


def parse_command(action: str) -> Command | None:
    """The command that ``action`` is, or None. Case and runs of blanks do not matter, in ids neither.

    >>> parse_command("TYPE[Place][Rome]"), parse_command("ask user help"), parse_command("CLICK[]")
    (Command(verb='type', target='place', text='Rome'), Command(verb='ask', target='', text=''), None)
    """
    if len(action) > _LONGEST or not action.strip().isprintable():
        return None
    words = " ".join(action.split())
    found = _ONE.fullmatch(words) or _TWO.fullmatch(words) or _ASK.fullmatch(words)
    if found is None:
        return None
    verb, target, text = (*found.groups(), "", "")[:3]
    target = target.strip() if verb.lower() == "goto" else target.strip().lower()
    command = Command(verb.lower(), target, text.strip())
    is_whole = command.verb == "ask" or (command.target and (command.verb != "type" or command.text))
    return command if is_whole else None
