"""Where lines come from."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from agentgym.repl import terminal
from agentgym.repl.interrupt import Interrupt
from agentgym.repl.terminal import Suggestions, line_reader


def offered(line: str, *candidates: str) -> list[tuple[str, int]]:
    suggest = Suggestions(lambda typed: candidates if typed == line else ())
    return [(one.text, one.start_position) for one in suggest.get_completions(Document(line), CompleteEvent())]


def test_what_begins_with_the_line_is_offered_before_what_contains_it() -> None:
    assert offered("red", "click[red]", "redo", "blue", "REDS", "[red") == [
        ("redo", -3),
        ("REDS", -3),
        ("click[red]", -3),
        ("[red", -3),
    ]
    assert offered("RE", "redo", "are") == [("redo", -2), ("are", -2)]
    assert offered("", "b", "a") == [("b", 0), ("a", 0)]


def test_only_what_stands_before_the_cursor_is_completed() -> None:
    suggest = Suggestions(lambda typed: [f"{typed}!"])
    (found,) = suggest.get_completions(Document("abc", cursor_position=2), CompleteEvent())
    assert (found.text, found.start_position) == ("ab!", -2)


def read(source: Any, times: int, echoed: list[str], interrupt: Interrupt | None = None) -> list[str]:
    ask = line_reader(source, lambda _: (), echoed.append, interrupt or Interrupt())

    async def lines() -> list[str]:
        return [await ask(f"{i}> ", "") for i in range(times)]

    return asyncio.run(lines())


def test_lines_of_a_file_are_echoed_with_their_prompt() -> None:
    echoed: list[str] = []
    assert read(io.StringIO(" up \n\ndown"), 3, echoed) == [" up ", "", "down"]
    assert echoed == ["0>  up ", "1> ", "2> down"]


def test_the_end_of_a_file_is_the_end() -> None:
    echoed: list[str] = []
    with pytest.raises(EOFError):
        read(io.StringIO("up\n"), 2, echoed)
    assert echoed == ["0> up"]


def test_bytes_that_are_no_text_are_replaced() -> None:
    source = io.TextIOWrapper(io.BytesIO(b"a\xffb\n"), encoding="utf-8")
    assert read(source, 1, []) == ["a�b"]


def test_a_line_that_is_read_may_be_broken_off() -> None:
    interrupt = Interrupt()

    class Pressed(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
            interrupt()
            return "half"

    async def go() -> None:
        ask = line_reader(Pressed(), lambda _: (), lambda _: None, interrupt)
        with pytest.raises(KeyboardInterrupt):
            await ask("> ", "")

    asyncio.run(go())


class Session:
    """In place of prompt_toolkit's."""

    made: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        type(self).made = options

    async def prompt_async(self, prompt: str, **options: Any) -> str:
        assert options == {"default": "", "handle_sigint": False}
        return f"typed at {prompt}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("at", "shown"), [(True, True), (True, False), (False, True)])
def test_a_person_at_a_terminal_types_with_completion(at: bool, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PromptSession", Session)
    monkeypatch.setattr("sys.stdin", Terminal("read\n") if at else io.StringIO("read\n"))
    monkeypatch.setattr("sys.stdout", Terminal() if shown else io.StringIO())
    echoed: list[str] = []
    person = at and shown
    assert read(None, 1, echoed) == ["typed at 0> " if person else "read"]
    assert echoed == ([] if person else ["0> read"])
    assert read(io.StringIO("given\n"), 1, []) == ["given"]


def test_completion_at_a_terminal_offers_the_candidates_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PromptSession", Session)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout", Terminal())

    def candidates(line: str) -> Iterable[str]:
        return ["up", "down"]

    line_reader(None, candidates, print, Interrupt())
    assert Session.made["complete_while_typing"] is False
    found = Session.made["completer"].get_completions(Document("d"), CompleteEvent())
    assert [one.text for one in found] == ["down"]


def test_a_line_at_a_terminal_is_cancelled_by_the_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = asyncio.Event()

    class Waiting(Session):
        async def prompt_async(self, prompt: str, **options: Any) -> str:
            waits.set()
            await asyncio.Event().wait()
            return "never"

    monkeypatch.setattr(terminal, "PromptSession", Waiting)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout", Terminal())
    interrupt = Interrupt()

    async def go() -> None:
        ask = line_reader(None, lambda _: (), print, interrupt)

        async def asked() -> str:
            try:
                return await ask("> ", "")
            except KeyboardInterrupt:
                return "cancelled"

        line = asyncio.create_task(asked())
        await waits.wait()
        interrupt()
        assert await line == "cancelled"

    asyncio.run(go())
