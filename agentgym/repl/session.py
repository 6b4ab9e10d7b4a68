"""A game in Python: ``s = agentgym.play("webshop")``, then ``s.go(3)``, ``s.undo()`` and the other commands.

It is what ``agentgym play`` plays, without a prompt: each method is a command, and gives what that would show. Where a
command would complain, it raises. ``s.run()`` opens the prompt on the same game, and comes back at ``:quit``.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import io
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from agentgym.env import Env
from agentgym.media import data_url
from agentgym.repl.game import Game, GameError, Moment
from agentgym.repl.pictures import saved
from agentgym.repl.playing import table
from agentgym.repl.policy import Policy, Reply
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell
from agentgym.types import Action, Media, TaskId

__all__ = ["Session", "Shown", "play"]

T = TypeVar("T")

_WIDTH = 100


class Shown(str):
    """What a command shows, as text; in a notebook in color and with its images."""

    html: str

    def __new__(cls, text: str, html: str = "") -> Shown:
        self = super().__new__(cls, text)
        self.html = html
        return self

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html or f"<pre>{html.escape(self)}</pre>"


class Session:
    """A game that is played from Python, with whoever is watched in it; close it, or use it in a ``with``.

    Everything of it runs in a thread of its own, so that it works where an event loop runs too. Ctrl-C ends what is
    being played, never the session.
    """

    def __init__(
        self,
        env: Env | str | Mapping[str, Any],
        *,
        model: str | None = None,
        task: TaskId | None = None,
        split: str | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        policy: Policy | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agentgym-play", daemon=True)
        self._thread.start()
        self._closing = contextlib.AsyncExitStack()
        self._shell: Shell | None = None

        async def begin() -> Shell:
            at = table(env, model=model, policy=policy, seed=seed, temperature=temperature)
            made, watched, opens = await self._closing.enter_async_context(at)
            shell = Shell(Game(made, task=task, split=split, seed=seed), _Paper(), watched, opens=opens)
            self._closing.push_async_callback(shell.close)
            await shell.begin()
            return shell

        try:
            self._shell = self._call(begin())
        except BaseException:
            self.close()
            raise

    # -- the moment ------------------------------------------------------------------------------------

    @property
    def game(self) -> Game:
        """The game itself: its moments, its branches."""
        return self._open.game

    @property
    def now(self) -> Moment:
        """The present moment: ``now.observation``, ``now.standing.total``, …"""
        return self.game.now

    def __repr__(self) -> str:
        return str(self.look()) if self._shell is not None else "a session that is closed"

    def _repr_html_(self) -> str:
        return self.look()._repr_html_() if self._shell is not None else f"<pre>{self!r}</pre>"

    # -- playing ---------------------------------------------------------------------------------------

    def act(self, action: str) -> Shown:
        """Play one turn by hand: text, an ``Action``, or the text of an admissible one."""
        return self._shown(self._act(action))

    def go(self, what: int | str = 1, who: str = "") -> Shown:
        """So many turns by the policy, or else the expert; an action is played as it is."""
        return self.act(what) if isinstance(what, str) else self._shown(self._open.go(what, who))

    def auto(self, who: str = "") -> Shown:
        """Let the policy, or else the expert, play to the end."""
        return self._shown(self._open.go(None, who))

    def propose(self) -> Reply:
        """What the policy says here; nothing is played."""
        reply: Reply = self._call(self._turn(self._open.propose(self._open.watched())))
        return reply

    def say(self, reply: str | Reply) -> Shown:
        """Play a reply, as the policy or you worded it, in the policy's protocol."""
        spoken = reply if isinstance(reply, Reply) else None

        async def hear() -> None:
            text = spoken.text if spoken is not None else str(reply)
            await self.game.hear(text, self._open.watched().protocol, spoken=spoken)
            self._open.do_look()

        return self._shown(hear())

    def undo(self, n: int = 1) -> Shown:
        """Take turns back."""
        return self("undo", n)

    def restart(self) -> Shown:
        """Begin the same episode again."""
        return self("restart")

    def branch(self, name: str) -> Shown:
        """Keep this moment under a name."""
        return self("branch", name)

    def goto(self, name: str | int) -> Shown:
        """Go back to a kept moment, or to a moment of ``tree()`` by its number."""
        return self("goto", f"#{name}" if isinstance(name, int) else name)

    # -- looking ---------------------------------------------------------------------------------------

    def look(self) -> Shown:
        """This moment."""
        return self("look")

    def hint(self) -> Shown:
        """What the expert would do, and what the environment says of an error."""
        return self("hint")

    def why(self) -> Shown:
        """What each turn was rewarded for."""
        return self("why")

    def tree(self) -> Shown:
        """Every moment that was played."""
        return self("tree")

    def history(self) -> Shown:
        """The turns so far."""
        return self("history")

    def odds(self) -> Shown:
        """How likely the policy is to say each admissible action."""
        return self("odds")

    def tokens(self) -> Shown:
        """The tokens of the last reply, with what might have stood there."""
        return self("tokens")

    def prompt(self) -> Shown:
        """What the policy is sent."""
        return self("prompt")

    def compare(self, model: str = "", n: int = 1) -> Shown:
        """What another policy makes of this moment."""
        return self("compare", *([model, n] if model else []))

    def policy(self, model: str = "") -> Shown:
        """Watch another policy."""
        return self("policy", *([model] if model else []))

    def search(self, id: str = "mcts", lines: int = 8) -> Shown:
        """Search from this moment."""
        return self("search", id, lines)

    def save(self, file: str | Path) -> Shown:
        """Write this episode to a file."""
        return self("save", file)

    def replay(self, file: str | Path) -> Shown:
        """Play a file of ``save`` again, and see that it comes to the same."""
        return self("replay", file)

    def __call__(self, command: str, *arguments: Any) -> Shown:
        """Any command of the prompt by its name: ``s("seed", 3)``; :help lists them. Raises GameError."""
        name = command.removeprefix(":")
        if name in ("quit", "edit"):
            raise GameError({"quit": "in Python: s.close()", "edit": "in Python: s.say(TEXT), or s.run()"}[name])
        return self._shown(self._open.command(name, *map(str, arguments)))

    # -- the prompt, and the end -----------------------------------------------------------------------

    def run(self) -> None:
        """Open the prompt on this game, until ``:quit``."""
        from agentgym.repl.pictures import terminal_form

        paper = self._open.screen
        self._open.screen = Screen(Console(highlight=False), form=terminal_form())

        async def read() -> None:
            self._open.do_look()
            await self._open.read()

        try:
            self._call(read(), goes_on=True)
        finally:
            self._open.screen = paper

    def close(self) -> None:
        """Close the environment and the policies."""
        if self._loop.is_closed():
            return
        self._shell = None
        try:
            self._call(self._closing.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside ----------------------------------------------------------------------------------------

    @property
    def _open(self) -> Shell:
        if self._shell is None:
            raise GameError("the session is closed; begin another one: agentgym.play(ENV)")
        return self._shell

    async def _act(self, action: str) -> None:
        await self.game.act(Action.of(action))
        self._open.do_look()

    async def _turn(self, work: Coroutine[Any, Any, T]) -> T:
        return await self.game.interrupt.turn(work)

    def _shown(self, work: Coroutine[Any, Any, None]) -> Shown:
        """What is shown while ``work`` is done."""
        paper = self._open.screen
        if not isinstance(paper, _Paper):
            work.close()
            raise GameError("the prompt of this session is open; leave it first: :quit")
        paper.clear()
        self._call(self._turn(work))
        return paper.shown()

    def _call(self, work: Coroutine[Any, Any, T], *, goes_on: bool = False) -> T:
        """What ``work`` comes to, in the session's thread; Ctrl-C there is the prompt's where that ``goes_on``."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while True:
            try:
                return future.result()
            except KeyboardInterrupt:
                if future.done():
                    raise
                if self._shell is None:
                    self._loop.call_soon_threadsafe(future.cancel)
                    raise
                self._loop.call_soon_threadsafe(self._shell.game.interrupt)
                if not goes_on:
                    with contextlib.suppress(KeyboardInterrupt, GameError):
                        future.result()
                    raise


class _Paper(Screen):
    """A screen whose contents are taken off it."""

    def __init__(self) -> None:
        super().__init__(Console(file=io.StringIO(), width=_WIDTH, highlight=False, record=True))
        self._pictures: list[Media] = []

    def pictures(self, images: Any) -> None:
        self._pictures += images
        for image in images:
            self.say(f"picture: {saved(image, self.folder)}")

    def clear(self) -> None:
        """An empty sheet."""
        self.console.export_text(clear=True)
        self._pictures.clear()

    def shown(self) -> Shown:
        """What is on it, which is taken off."""
        text = self.console.export_text(clear=False).rstrip()
        body = self.console.export_html(inline_styles=True, code_format="{code}", clear=True)
        images = "".join(f'<img alt="picture" src="{data_url(image)}">' for image in self._pictures)
        return Shown(text, f"<pre>{body}</pre>{images}")


def play(
    env: Env | str | Mapping[str, Any],
    *,
    model: str | None = None,
    task: TaskId | None = None,
    split: str | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    policy: Policy | None = None,
) -> Session:
    """Play an environment from Python: a session, whose ``run()`` opens the prompt of ``agentgym play``.

    Raises UserError or EnvError when no first episode can be begun.

    Args:
        env: an environment, which is closed with the session; its id or path; or settings as for ``evaluate``.
        model: a policy to watch: a run directory, a model directory, a Hugging Face id, or openai:URL.
        task: the task to play; the environment's own choice unless ``task`` or ``split`` is given.
        split: "train", "validation" or "test".
        seed: of the first episode.
        temperature: of the model; 0 is greedy.
        policy: a policy to watch, in place of a model.

    Example::

        s = agentgym.play("webshop", split="test", task=0)
        s.go(3)
        s.undo()
    """
    return Session(env, model=model, task=task, split=split, seed=seed, temperature=temperature, policy=policy)
