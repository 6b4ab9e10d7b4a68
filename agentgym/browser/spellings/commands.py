"""Actions as the commands of Agent Q (arXiv 2408.07199), a verb with what it is about in brackets::

    CLICK[12]    TYPE[12][a text]    GOTO[/cart]    SCROLL[down]

Beyond the paper's there are DOUBLE, HOVER, FILL, SELECT, DRAG, PRESS and WAIT, and a point ``x,y`` in place of a ref.
TYPE adds to what a field holds, as at a keyboard; FILL replaces it, CLEAR empties it, SUBMIT presses Enter in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agentgym.browser.actions import (
    Action,
    Back,
    Click,
    Drag,
    Fill,
    Goto,
    Hover,
    Point,
    Press,
    Say,
    Scroll,
    Select,
    Target,
    Type,
    Wait,
)
from agentgym.browser.seen import Node
from agentgym.browser.spellings.spelling import Spelling, checked_length, quoted
from agentgym.errors import ParseError, did_you_mean

__all__ = ["COMMANDS"]

_HEAD = re.compile(r"([A-Za-z]+) ?(?=\[|\Z)")
_ASK = "ASK USER HELP"
_POINT = re.compile(r"(-?\d+(?:\.\d+)?) ?, ?(-?\d+(?:\.\d+)?)")
_SCREEN = 400
"""Pixels that SCROLL moves by."""
_WAYS = {"up": (0, -_SCREEN), "down": (0, _SCREEN), "left": (-_SCREEN, 0), "right": (_SCREEN, 0)}


def _parse(text: str) -> Action:
    said = checked_length(text)
    if " ".join(said.upper().split()) == _ASK:
        return Say(_ASK)
    head = _HEAD.match(said)
    if head is None or (verb := head.group(1).upper()) not in _KNOWN:
        hint = did_you_mean(head.group(1).upper(), _KNOWN) if head else ""
        raise ParseError(f"expected one of {', '.join(_KNOWN)} with [...], found {quoted(said)}.{hint}")
    count, make = _KNOWN[verb]
    parts = _parts(said[head.end() :], count)
    if parts is None:
        raise ParseError(f"expected {_usage(verb)}, found {quoted(said)}")
    return make(*parts)


def _parts(text: str, count: int) -> list[str] | None:
    """What stands in ``count`` brackets; the last pair may hold brackets itself."""
    pattern = r" ?".join([r"\[([^\[\]]*)\]"] * (count - 1) + [r"\[(.*)\]"] * (count > 0))
    found = re.fullmatch(pattern, text, re.DOTALL)
    return None if found is None else list(found.groups())


def _target(text: str) -> Target:
    point = _POINT.fullmatch(text.strip())
    if not text.strip():
        raise ParseError("expected a ref or a point x,y in the brackets, found nothing")
    return Point(float(point.group(1)), float(point.group(2))) if point else text.strip()


def _scroll(way: str) -> Action:
    if way.strip().lower() not in _WAYS:
        raise ParseError(f"expected SCROLL[up], SCROLL[down], SCROLL[left] or SCROLL[right], found {quoted(way)}")
    return Scroll(*_WAYS[way.strip().lower()])


def _press(key: str) -> Action:
    if not key.strip():
        raise ParseError("expected a key such as PRESS[Enter], found nothing")
    return Press(key.strip())


def _wait(ms: str) -> Action:
    if not re.fullmatch(r"\d{1,6}", ms.strip()):
        raise ParseError(f"expected milliseconds such as WAIT[500], found {quoted(ms)}")
    return Wait(float(ms))


_KNOWN: dict[str, tuple[int, Callable[..., Action]]] = {
    "CLICK": (1, lambda at: Click(_target(at))),
    "DOUBLE": (1, lambda at: Click(_target(at), count=2)),
    "HOVER": (1, lambda at: Hover(_target(at))),
    "TYPE": (2, lambda at, text: Type(text, _target(at))),
    "FILL": (2, lambda at, text: Fill(_target(at), text)),
    "CLEAR": (1, lambda at: Fill(_target(at), "")),
    "SUBMIT": (1, lambda at: Press("Enter", _target(at))),
    "SELECT": (2, lambda at, option: Select(_target(at), (option,))),
    "DRAG": (2, lambda start, end: Drag(_target(start), _target(end))),
    "PRESS": (1, _press),
    "SCROLL": (1, _scroll),
    "GOTO": (1, lambda url: Goto(url.strip())),
    "BACK": (0, Back),
    "WAIT": (1, _wait),
}
"""Verb → how many brackets it has, and what they make."""

_BLANKS = {"TYPE": "[ref][text]", "FILL": "[ref][text]", "SELECT": "[ref][option]", "DRAG": "[ref][ref]"} | {
    "PRESS": "[key]",
    "SCROLL": "[down]",
    "GOTO": "[url]",
    "BACK": "",
    "WAIT": "[ms]",
}


def _usage(verb: str) -> str:
    return verb + _BLANKS.get(verb, "[ref]")


def _format(action: Action) -> str:
    match action:
        case Click(at, "left", count):
            return f"{'CLICK' if count == 1 else 'DOUBLE'}[{_place(at)}]"
        case Hover(at):
            return f"HOVER[{_place(at)}]"
        case Type(text, str() as at, False):
            return f"TYPE[{_place(at)}][{text}]"
        case Fill(at, text):
            return f"FILL[{_place(at)}][{text}]" if text else f"CLEAR[{_place(at)}]"
        case Press("Enter", str() as at):
            return f"SUBMIT[{_place(at)}]"
        case Select(at, (option,)):
            return f"SELECT[{_place(at)}][{option}]"
        case Drag(start, end):
            return f"DRAG[{_place(start)}][{_place(end)}]"
        case _:
            return _format_more(action)


def _format_more(action: Action) -> str:
    match action:
        case Press(key, None):
            return f"PRESS[{key}]"
        case Scroll(dx, dy, None) if (dx, dy) in _WAYS.values():
            return f"SCROLL[{next(way for way, moved in _WAYS.items() if moved == (dx, dy))}]"
        case Goto(url):
            return f"GOTO[{url}]"
        case Back():
            return "BACK"
        case Wait(ms):
            return f"WAIT[{round(ms)}]"
        case Say("ASK USER HELP"):
            return _ASK
    raise ValueError(f"{action} cannot be written as a command")


def _place(at: Target) -> str:
    return f"{at.x:g},{at.y:g}" if isinstance(at, Point) else at


def _templates(node: Node) -> list[str]:
    match node.role:
        case "textbox" | "searchbox" | "spinbutton":
            return [f"TYPE[{node.ref}][<text>]", f"CLICK[{node.ref}]"] + ([f"CLEAR[{node.ref}]"] if node.value else [])
        case "combobox" | "listbox" if node.value is not None:
            return [f"SELECT[{node.ref}][<option>]", f"CLICK[{node.ref}]"]
        case "option":
            return []
        case _:
            return [f"CLICK[{node.ref}]"]


COMMANDS = Spelling(
    parse=_parse,
    format=_format,
    usage=f"One command: {', '.join(_usage(verb) for verb in _KNOWN)}; a point x,y may stand for a ref.",
    templates=_templates,
    always=("SCROLL[down]", "BACK"),
)
