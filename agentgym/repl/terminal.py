"""Where lines come from: prompt_toolkit at a terminal, plain reading from anything else."""

from __future__ import annotations

import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from agentgym.repl.interrupt import Interrupt

__all__ = ["Ask", "Suggestions", "line_reader"]

Ask = Callable[[str, str], Awaitable[str]]
"""Prompt, and what stands there to be changed → the next line.

Raises EOFError at the end, KeyboardInterrupt where a line was cancelled."""


class Suggestions(Completer):
    """Completes a whole line from ``candidates(line)``: those that begin with it first, then those that contain it."""

    def __init__(self, candidates: Callable[[str], Iterable[str]]) -> None:
        self.candidates = candidates

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        line = document.text_before_cursor
        known = [candidate for candidate in self.candidates(line) if line.lower() in candidate.lower()]
        for candidate in sorted(known, key=lambda candidate: not candidate.lower().startswith(line.lower())):
            yield Completion(candidate, start_position=-len(line))


def line_reader(
    stdin: TextIO | None, candidates: Callable[[str], Iterable[str]], echo: Callable[[str], Any], interrupt: Interrupt
) -> Ask:
    """Reads from ``stdin`` (None: the process's own), with editing and completion if a person sits there.

    ``echo`` is told each line that was read from a file or a pipe, with its prompt, so that a transcript is whole.
    ``interrupt`` cancels the line. An empty line from a file or a pipe leaves the text that stands there.
    """
    if stdin is None and sys.stdin.isatty() and sys.stdout.isatty():
        session: PromptSession[str] = PromptSession(completer=Suggestions(candidates), complete_while_typing=False)

        async def typed(prompt: str, text: str = "") -> str:
            # While prompt_toolkit takes its own handler of Ctrl-C back, a second one finds none.
            return await interrupt.turn(session.prompt_async(prompt, default=text, handle_sigint=False))

        return typed
    source = stdin or sys.stdin
    if isinstance(source, io.TextIOWrapper):
        source.reconfigure(errors="replace")

    async def ask(prompt: str, text: str = "") -> str:
        with interrupt.open():
            line = source.readline()
        if not line:
            raise EOFError
        line = line.rstrip("\n")
        echo(prompt + line)
        return line or text

    return ask
