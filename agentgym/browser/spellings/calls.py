"""Actions as calls in Python's syntax, the names and arguments those of BrowserGym::

    click('12')    fill('12', 'a text')    mouse_click(30, 40)    scroll(0, 200)

They are read, never evaluated. Beside BrowserGym's there is ``keyboard_type`` at an element: ``type('12', 'text')``.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from typing import Any, get_args

from agentgym.browser.actions import (
    Action,
    Back,
    Button,
    Click,
    Drag,
    Fill,
    Forward,
    Goto,
    Hover,
    Point,
    Press,
    Say,
    Scroll,
    Select,
    Type,
    Wait,
)
from agentgym.browser.seen import Node
from agentgym.browser.spellings.spelling import Spelling, checked_length, quoted
from agentgym.errors import ParseError, did_you_mean

__all__ = ["CALLS"]


def _parse(text: str) -> Action:
    call = _call_in(checked_length(text))
    assert isinstance(call.func, ast.Name)
    name = call.func.id
    if name not in _KNOWN:
        raise ParseError(
            f'there is no action "{name[:40]}".{did_you_mean(name[:40], _KNOWN)} Known: {", ".join(_KNOWN)}'
        )
    make = _KNOWN[name]
    try:
        positional = [ast.literal_eval(argument) for argument in call.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        bound = inspect.signature(make).bind(*positional, **named)
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ParseError(f"{_usage(name)} was expected: {str(error)[:80]}") from None
    for argument, value in bound.arguments.items():
        _check(name, argument, value)
    return make(*bound.args, **bound.kwargs)


def _call_in(text: str) -> ast.Call:
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)):
        raise ParseError(f"expected one call such as click('12'), found {quoted(text)}")
    return tree


_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("x", "y", "to_x", "to_y", "delta_x", "delta_y", "wait_ms"), (int, float)),
    "options": (str, list),
    "modifiers": (list,),
}
_FARTHEST = 1e6


def _check(name: str, argument: str, value: Any) -> None:
    kinds = _KINDS.get(argument, (str,))
    fits = isinstance(value, kinds) and not isinstance(value, bool)
    if isinstance(value, int | float):
        fits = fits and abs(value) <= _FARTHEST  # also no NaN
    if isinstance(value, list):
        fits = fits and all(isinstance(each, str) for each in value)
    if argument == "button":
        fits = value in get_args(Button)
    if argument == "modifiers" and value:
        raise ParseError(f"{name}: modifiers are not supported")
    if not fits:
        raise ParseError(f"{_usage(name)} was expected, found {argument}={quoted(repr(value))}")


def _usage(name: str) -> str:
    return f"{name}({', '.join(inspect.signature(_KNOWN[name]).parameters)})"


# -- the actions by name; parameters are named as BrowserGym names them ----------------------------------


def _click(bid: str, button: Button = "left", modifiers: Sequence[str] = ()) -> Action:
    return Click(bid, button)


def _dblclick(bid: str, button: Button = "left", modifiers: Sequence[str] = ()) -> Action:
    return Click(bid, button, 2)


def _fill(bid: str, value: str) -> Action:
    return Fill(bid, value)


def _type(bid: str, text: str) -> Action:
    return Type(text, bid)


def _clear(bid: str) -> Action:
    return Fill(bid, "")


def _hover(bid: str) -> Action:
    return Hover(bid)


def _press(bid: str, key_comb: str) -> Action:
    return Press(key_comb, bid)


def _select_option(bid: str, options: str | list[str]) -> Action:
    return Select(bid, (options,) if isinstance(options, str) else tuple(options))


def _drag_and_drop(from_bid: str, to_bid: str) -> Action:
    return Drag(from_bid, to_bid)


def _scroll(delta_x: float, delta_y: float) -> Action:
    return Scroll(delta_x, delta_y)


def _keyboard_press(key: str) -> Action:
    return Press(key)


def _keyboard_type(text: str) -> Action:
    return Type(text)


def _mouse_click(x: float, y: float, button: Button = "left") -> Action:
    return Click(Point(x, y), button)


def _mouse_dblclick(x: float, y: float, button: Button = "left") -> Action:
    return Click(Point(x, y), button, 2)


def _mouse_move(x: float, y: float) -> Action:
    return Hover(Point(x, y))


def _mouse_drag_and_drop(x: float, y: float, to_x: float, to_y: float) -> Action:
    return Drag(Point(x, y), Point(to_x, to_y))


def _goto(url: str) -> Action:
    return Goto(url)


def _go_back() -> Action:
    return Back()


def _go_forward() -> Action:
    return Forward()


def _noop(wait_ms: float = 1000) -> Action:
    return Wait(wait_ms)


def _send_msg_to_user(text: str) -> Action:
    return Say(text)


_KNOWN: dict[str, Callable[..., Action]] = {
    function.__name__.removeprefix("_"): function
    for function in (
        *(_click, _dblclick, _fill, _type, _clear, _hover, _press, _select_option, _drag_and_drop, _scroll),
        *(_keyboard_press, _keyboard_type, _mouse_click, _mouse_dblclick, _mouse_move, _mouse_drag_and_drop),
        *(_goto, _go_back, _go_forward, _noop, _send_msg_to_user),
    )
}


# -- writing ---------------------------------------------------------------------------------------------


def _format(action: Action) -> str:
    match action:
        case Click(Point(x, y), button, count):
            return _written("mouse_click" if count == 1 else "mouse_dblclick", x, y, *_unless_left(button))
        case Click(at, button, count):
            return _written("click" if count == 1 else "dblclick", at, *_unless_left(button))
        case Fill(str(at), text):
            return _written("fill", at, text) if text else _written("clear", at)
        case Select(str(at), options):
            return _written("select_option", at, options[0] if len(options) == 1 else list(options))
        case Drag(Point(x, y), Point(to_x, to_y)):
            return _written("mouse_drag_and_drop", x, y, to_x, to_y)
        case Drag(str(start), str(end)):
            return _written("drag_and_drop", start, end)
        case _:
            return _format_more(action)


def _format_more(action: Action) -> str:
    match action:
        case Type(text, None, False):
            return _written("keyboard_type", text)
        case Type(text, str(at), False):
            return _written("type", at, text)
        case Press(key, None):
            return _written("keyboard_press", key)
        case Press(key, str(at)):
            return _written("press", at, key)
        case Hover(Point(x, y)):
            return _written("mouse_move", x, y)
        case Hover(at):
            return _written("hover", at)
        case Scroll(dx, dy, None):
            return _written("scroll", dx, dy)
        case _:
            return _format_simple(action)


def _format_simple(action: Action) -> str:
    match action:
        case Goto(url):
            return _written("goto", url)
        case Back():
            return _written("go_back")
        case Forward():
            return _written("go_forward")
        case Wait(ms):
            return _written("noop", ms)
        case Say(text):
            return _written("send_msg_to_user", text)
    raise ValueError(f"{action} cannot be written as a call")


def _unless_left(button: Button) -> tuple[Button, ...]:
    return () if button == "left" else (button,)


def _written(name: str, *arguments: Any) -> str:
    return f"{name}({', '.join(repr(_plain(argument)) for argument in arguments)})"


def _plain(value: Any) -> Any:
    """A whole number without its point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _templates(node: Node) -> list[str]:
    match node.role:
        case "textbox" | "searchbox" | "spinbutton":
            return [f"fill({node.ref!r}, '<text>')", f"click({node.ref!r})"]
        case "combobox" | "listbox" if node.value is not None:
            return [f"select_option({node.ref!r}, '<option>')", f"click({node.ref!r})"]
        case "option":
            return []
        case _:
            return [f"click({node.ref!r})"]


CALLS = Spelling(
    parse=_parse,
    format=_format,
    usage=(
        "One call: click('ref'), dblclick('ref'), hover('ref'), fill('ref', 'text') replaces what a field holds, "
        "type('ref', 'text') adds to it, press('ref', 'Enter'), select_option('ref', 'option'), "
        "drag_and_drop('ref', 'ref'), scroll(dx, dy), goto('url'), go_back(), noop(); at a point: mouse_click(x, y), "
        "mouse_drag_and_drop(x, y, to_x, to_y), and with the focus: keyboard_type('text'), keyboard_press('Control+A')."
    ),
    templates=_templates,
    always=("scroll(0, 100)", "noop()"),
)
