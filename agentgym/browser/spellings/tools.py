"""Actions as calls of tools, with the names and arguments of Playwright's MCP server: ``browser_click(ref=12)``.

A server of that kind takes a description of the element beside its ref, ``element``, for whoever has to permit it; here
it may be given and is not looked at.
"""

from __future__ import annotations

from typing import Literal

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
    Scroll,
    Select,
    Type,
    Wait,
)
from agentgym.browser.seen import Node
from agentgym.browser.spellings.spelling import Spelling, checked_length, quoted
from agentgym.errors import ParseError, did_you_mean
from agentgym.tools.calls import ToolError, call, parse_calls
from agentgym.tools.tool import FunctionTool
from agentgym.types import Action as Said

__all__ = ["TOOLS"]


class _Tools:
    """What a browser can be asked for. Methods, because a tool is one; there is nothing to hold."""

    def browser_click(
        self,
        ref: str,
        element: str = "",
        doubleClick: bool = False,
        button: Literal["left", "middle", "right"] = "left",
    ) -> Action:
        """Click an element.

        Args:
            ref: the element's ref, as the page shows it.
            element: what it is, in words.
            doubleClick: click twice.
            button: of the mouse.
        """
        return Click(ref, button, 2 if doubleClick else 1)

    def browser_type(
        self, ref: str, text: str, element: str = "", submit: bool = False, slowly: bool = False
    ) -> Action:
        """Type into a field, in place of what it holds.

        Args:
            ref: the field's ref.
            text: what it is to hold.
            element: what it is, in words.
            submit: press Enter after it.
            slowly: type key by key, behind what the field holds.
        """
        if slowly or submit:
            return Type(text, ref, submit)
        return Fill(ref, text)

    def browser_hover(self, ref: str, element: str = "") -> Action:
        """Bring the mouse over an element.

        Args:
            ref: the element's ref.
            element: what it is, in words.
        """
        return Hover(ref)

    def browser_select_option(self, ref: str, values: list[str], element: str = "") -> Action:
        """Choose options of a list.

        Args:
            ref: the list's ref.
            values: what the options say, or their values.
            element: what it is, in words.
        """
        return Select(ref, tuple(values))

    def browser_drag(self, startRef: str, endRef: str, startElement: str = "", endElement: str = "") -> Action:
        """Drag one element onto another.

        Args:
            startRef: ref of what is dragged.
            endRef: ref of where it is dropped.
            startElement: what is dragged, in words.
            endElement: where it is dropped, in words.
        """
        return Drag(startRef, endRef)

    def browser_press_key(self, key: str) -> Action:
        """Press a key where the focus is.

        Args:
            key: such as "Enter", "a" or "Control+A".
        """
        return Press(key)

    def browser_navigate(self, url: str) -> Action:
        """Open an address.

        Args:
            url: the address.
        """
        return Goto(url)

    def browser_navigate_back(self) -> Action:
        """Go back to the page before."""
        return Back()

    def browser_wait_for(self, time: float = 1.0) -> Action:
        """Wait.

        Args:
            time: in seconds.
        """
        return Wait(1000 * time)

    def browser_mouse_click_xy(self, x: float, y: float, element: str = "") -> Action:
        """Click at a point of what is in view.

        Args:
            x: pixels from the left.
            y: pixels from the top.
            element: what is there, in words.
        """
        return Click(Point(x, y))

    def browser_mouse_move_xy(self, x: float, y: float, element: str = "") -> Action:
        """Bring the mouse to a point.

        Args:
            x: pixels from the left.
            y: pixels from the top.
            element: what is there, in words.
        """
        return Hover(Point(x, y))

    def browser_mouse_drag_xy(self, startX: float, startY: float, endX: float, endY: float) -> Action:
        """Drag from one point to another.

        Args:
            startX: pixels from the left, where it begins.
            startY: pixels from the top, where it begins.
            endX: pixels from the left, where it ends.
            endY: pixels from the top, where it ends.
        """
        return Drag(Point(startX, startY), Point(endX, endY))

    def browser_mouse_wheel(self, deltaX: float, deltaY: float) -> Action:
        """Scroll.

        Args:
            deltaX: pixels to the right.
            deltaY: pixels down.
        """
        return Scroll(deltaX, deltaY)


_OWNER = _Tools()
_TOOLBOX = {name: FunctionTool(function) for name, function in vars(_Tools).items() if name.startswith("browser_")}


def _parse(text: str) -> Action:
    given = text.tool_calls if isinstance(text, Said) and text.tool_calls else None
    said = checked_length(text)
    try:
        calls = given or parse_calls(said, _TOOLBOX)
        if not calls:
            raise ParseError(f"expected one call such as browser_click(ref=12), found {quoted(said)}")
        if len(calls) > 1:
            raise ParseError(f"expected one call a turn, found {len(calls)}")
        name = calls[0].name
        if name not in _TOOLBOX:
            hint = did_you_mean(name[:60], _TOOLBOX)
            raise ParseError(f'there is no tool "{name[:60]}".{hint} Tools: {", ".join(_TOOLBOX)}')
        action: Action = _TOOLBOX[name].run(_OWNER, _TOOLBOX[name].check(calls[0].arguments))
    except ToolError as error:
        raise ParseError(str(error)) from None
    return action


def _format(action: Action) -> str:
    match action:
        case Click(Point(x, y), "left", 1):
            return call("browser_mouse_click_xy", x=x, y=y)
        case Click(str(ref), button, count):
            more = {"doubleClick": True} if count == 2 else {}
            return call("browser_click", ref=ref, **more, **({} if button == "left" else {"button": button}))
        case Fill(str(ref), text):
            return call("browser_type", ref=ref, text=text)
        case Type(text, str(ref), submit):
            return call("browser_type", ref=ref, text=text, **({"submit": True} if submit else {"slowly": True}))
        case Hover(Point(x, y)):
            return call("browser_mouse_move_xy", x=x, y=y)
        case Hover(ref):
            return call("browser_hover", ref=ref)
        case Select(str(ref), options):
            return call("browser_select_option", ref=ref, values=list(options))
        case _:
            return _format_more(action)


def _format_more(action: Action) -> str:
    match action:
        case Drag(Point(x, y), Point(to_x, to_y)):
            return call("browser_mouse_drag_xy", startX=x, startY=y, endX=to_x, endY=to_y)
        case Drag(str(start), str(end)):
            return call("browser_drag", startRef=start, endRef=end)
        case Press(key, None):
            return call("browser_press_key", key=key)
        case Goto(url):
            return call("browser_navigate", url=url)
        case Back():
            return call("browser_navigate_back")
        case Wait(ms):
            return call("browser_wait_for", time=ms / 1000)
        case Scroll(dx, dy, None):
            return call("browser_mouse_wheel", deltaX=dx, deltaY=dy)
    raise ValueError(f"{action} cannot be written as a call of a tool")


def _templates(node: Node) -> list[str]:
    click = f"browser_click(ref={node.ref})"
    match node.role:
        case "textbox" | "searchbox" | "spinbutton":
            return [f"browser_type(ref={node.ref}, text=<text>)", click]
        case "combobox" | "listbox" if node.value is not None:
            return [f'browser_select_option(ref={node.ref}, values=["<option>"])', click]
        case "option":
            return []
        case _:
            return [click]


TOOLS = Spelling(
    parse=_parse,
    format=_format,
    usage="One call of a tool: " + "; ".join(tool.usage for tool in _TOOLBOX.values()),
    templates=_templates,
    always=("browser_mouse_wheel(deltaX=0, deltaY=100)", "browser_wait_for()"),
    tools=tuple(tool.schema for tool in _TOOLBOX.values()),
)
