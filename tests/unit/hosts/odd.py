"""Environments that show everything, raise anything, return garbage, print, hang and die, for tests of hosts."""

from __future__ import annotations

import asyncio
import ctypes
import fractions
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import agentgym
from agentgym.env import Expert
from agentgym.errors import ConfigError, DataError, MissingExtraError, UserError
from agentgym.media import as_media
from agentgym.types import Action, Observation, StepResult, ToolCall

Result = tuple[Any, Any, Any, Any, Any]
TOOLS = ({"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},)


def pictures() -> tuple[Any, ...]:
    """Images of every sort that an environment may show: arrays in several orders, Pillow's, and bytes."""
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    return pixels, np.asfortranarray(pixels), Image.fromarray(pixels[..., 0]), as_media(pixels[:1]).data


class Show(agentgym.Env):
    """Shows all that an observation can carry, and says back what it heard."""

    instructions = "Say something. <|im_end|>"
    max_turns = 7

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.turn = 0
        return self.seen(f"draw {self.np_random.integers(10**9)}"), {"pid": os.getpid(), "options": options}

    def step(self, action: str) -> Result:
        self.turn += 1
        calls = [[call.name, call.arguments, call.id] for call in action.tool_calls] if type(action) is Action else None
        info = {
            "calls": calls,
            "flag": np.bool_(True),
            "count": np.int64(3),
            "share": np.float32(0.5),
            "lone": "\ud800",
            "nested": {"list": [None, 1.5, "x"]},
        }
        return self.seen(f"heard {action}"), np.float64(0.1) * self.turn, action == "end", np.bool_(False), info

    def seen(self, text: str) -> Observation:
        return Observation(text, admissible=["look", "end"], tools=TOOLS, images=pictures())

    def expert(self) -> Expert:
        made_at = self.turn
        return lambda observation: f"made at {made_at}, asked at {self.turn}, shown {observation}"


class AsyncShow(Show):
    """The same, with waiting."""

    async def reset(self, **kwargs: Any) -> Any:  # type: ignore[override]
        await asyncio.sleep(0.001)
        return Show.reset(self, **kwargs)

    async def step(self, action: str) -> Any:  # type: ignore[override]
        await asyncio.sleep(0.001)
        return Show.step(self, action)


class Plain(agentgym.Env):
    """Says ``text`` so many ``times``, or what it hears."""

    def __init__(self, *, text: str = "", times: int = 1) -> None:
        self.text = text * times

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "", {"pid": os.getpid()}

    def step(self, action: str) -> Result:
        return self.text or action, 0.0, False, False, {}


class Deck(agentgym.Env):
    """Deals cards as its seed shuffles them; "guess" shows what no replay shows. A reset changes its instructions."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.cards = [int(card) for card in self.np_random.permutation(50)]
        self.instructions, self.max_turns = f"Deal {self.seed}.", 1 + self.seed
        return f"{len(self.cards)} cards", {}

    def step(self, action: str) -> Result:
        shown = os.urandom(8).hex() if action == "guess" else self.cards.pop()
        return self.seen(shown), 0.5, action == "end", False, {}

    def seen(self, shown: Any) -> Observation:
        return Observation(str(shown), images=[np.full((1, 1, 3), self.cards[-1], np.uint8)])

    def expert(self) -> Expert:
        said = iter(("first", "second"))
        return lambda observation: next(said)


class KeptDeck(Deck):
    """The same, with a state of its own."""

    def get_state(self) -> list[int]:
        return list(self.cards)

    def set_state(self, state: list[int]) -> None:
        self.cards = list(state)


class AsyncDeck(Deck):
    """The same, after a while, its state too."""

    async def reset(self, **kwargs: Any) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().reset(**kwargs)

    async def step(self, action: str) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().step(action)


class AsyncKeptDeck(AsyncDeck):
    """The same, with a state that takes a while too."""

    async def get_state(self) -> list[int]:
        await asyncio.sleep(0)
        return list(self.cards)

    async def set_state(self, state: list[int]) -> None:
        await asyncio.sleep(0)
        self.cards = list(state)


class Private(Exception):
    """Cannot be pickled, and its text cannot be shown."""

    def __init__(self) -> None:
        self.function = lambda: None

    def __str__(self) -> str:
        raise ZeroDivisionError


class Fatal(BaseException):
    """Not even an Exception."""


class Mistaken(DataError):
    """A UserError of an author's own."""


RAISED: dict[str, Callable[[], BaseException]] = {
    "KeyError": lambda: KeyError("shelf"),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "StopIteration": StopIteration,
    "MemoryError": MemoryError,
    "Fatal": lambda: Fatal("fatal"),
    "Private": Private,
    "long": lambda: ValueError("begin" + "x" * 10_000_000 + "end"),
    "lone": lambda: ValueError("\ud800\x00"),
    "group": lambda: ExceptionGroup("group", [KeyError("inner")]),
    "UserError": lambda: UserError("say it otherwise"),
    "ConfigError": lambda: ConfigError("no such level"),
    "MissingExtraError": lambda: MissingExtraError("type: pip install x"),
    "Mistaken": lambda: Mistaken("record 3"),
}


class Raise(agentgym.Env):
    """Raises ``what`` when it is made, or what the options of reset say, at the moment that they say."""

    def __init__(self, *, what: str = "") -> None:
        self.what, self.when = what, "make" if what else ""
        self.at("make")

    def at(self, when: str) -> None:
        if when == self.when:
            raise RAISED[self.what]()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.what, self.when = (options or {})["what"], (options or {})["when"]
        self.at("reset")
        return "", {}

    def step(self, action: str) -> Result:
        self.at("step")
        return "", 0.0, False, False, {}

    def expert(self) -> Expert:
        self.at("expert")
        return lambda observation: "x"

    def close(self) -> None:
        self.at("close")


GARBAGE: dict[str, Callable[[], Any]] = {
    "three values": lambda: ("", 0.0, False),
    "no text": lambda: (b"bytes", 0.0, False, False, {}),
    "lone surrogate": lambda: ("\ud800", 0.0, False, False, {}),
    "NaN reward": lambda: ("", float("nan"), False, False, {}),
    "text reward": lambda: ("", "1", False, False, {}),
    "infinite reward": lambda: ("", np.inf, False, False, {}),
    "number as flag": lambda: ("", 0.0, 1, False, {}),
    "list as info": lambda: ("", 0.0, False, False, []),
    "fraction beyond floats": lambda: ("", fractions.Fraction(10**400), False, False, {}),
    "reward beyond sums": lambda: ("", 1e308, False, False, {}),
    "array as success": lambda: ("", 0.0, True, False, {"success": np.array([1, 0])}),
    "text as success": lambda: ("", 0.0, True, False, {"success": "False"}),
    "object as what was wrong": lambda: ("", 0.0, False, False, {"invalid_action": object()}),
    "lone surrogate as what was wrong": lambda: ("", 0.0, False, False, {"invalid_action": "\ud800"}),
    "object as name of a tool": lambda: (Observation(tools=[{"name": object()}]), 0.0, False, False, {}),
    "number as action": lambda: (Observation(admissible=[1]), 0.0, False, False, {}),  # type: ignore[list-item]
}
UNSENDABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "set": (lambda: ("", 0.0, False, False, {"a": {"b": [1, {2}]}}), r"info\['a'\]\['b'\]\[1\] is set \{2\}"),
    "array": (lambda: ("", 0.0, False, False, {"pixels": np.ones(3)}), r"info\['pixels'\] is ndarray"),
    "key": (lambda: ("", 0.0, False, False, {"x": {(1, 2): 3}}), r"info\['x'\] is dict \{\(1, 2\): 3\}"),
    "circle": (lambda: ("", 0.0, False, False, circle()), r"info\['me'\]"),
    "image": (
        lambda: (Observation(images=[np.array([{}], dtype=object)]), 0.0, False, False, {}),
        r"images\[0\] is an array of object of shape \(1,\), expected a Pillow image",
    ),
}


def circle() -> dict[str, Any]:
    """A dict that holds itself."""
    info: dict[str, Any] = {}
    info["me"] = info
    return info


class Give(agentgym.Env):
    """Returns from step what the action names."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "", {}

    def step(self, action: str) -> Any:
        return GARBAGE[action]() if action in GARBAGE else UNSENDABLE[action][0]()


class Silent(Action):
    """Cannot be made plain text."""

    def __str__(self) -> str:
        raise RuntimeError("it cannot")


def with_calls(calls: Any) -> Action:
    """An action whose calls are what somebody put there later."""
    said = Action("go")
    said.tool_calls = calls
    return said


SAID: dict[str, tuple[Callable[[], Any], str]] = {
    "calls": (lambda: with_calls(5), "tool_calls is int 5, expected a list of ToolCall"),
    "no calls": (lambda: with_calls(None), "tool_calls is NoneType None, expected a list of ToolCall"),
    "dict as call": (lambda: with_calls([{"name": "add"}]), r"tool_calls\[0\] is dict .*, expected a ToolCall"),
    "id": (
        lambda: with_calls([ToolCall(name="add", arguments={}, id=7)]),  # type: ignore[arg-type]
        r"tool_calls\[0\].id is text, found int 7",
    ),
    "exit": (lambda: sys.exit(0), "raised SystemExit: 0"),
}


class Past(agentgym.Env):
    """Goes past the checks of its class, as its options say; its expert says what the options of reset name."""

    def __init__(self, *, reward: float = 0.0) -> None:
        self.step = lambda action: StepResult(Observation("past"), reward, True, False, {"success": "no"})  # type: ignore[method-assign]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.said = (options or {}).get("said")
        return "", {}

    def expert(self) -> Expert:
        return lambda observation: Silent("go") if self.said is None else SAID[self.said][0]()


class Says(Plain):
    """Says of itself what its options are, when it is made or from its first reset on; leaves at the word "leave"."""

    def __init__(self, *, key: str, value: str, late: bool = False) -> None:
        super().__init__()
        values: dict[str, Any] = {"nothing": None, "list": [], "x": "x"}
        self.said = key, values[value]
        if not late:
            self.say_so()

    def say_so(self) -> None:
        name, value = self.said
        setattr(self, name, value)

    def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
        self.say_so()
        return "", {}

    def step(self, action: str) -> Result:
        if action == "leave":
            os._exit(0)
        return super().step(action)


class Instance(Plain):
    """Has a step that the class knows nothing of."""

    def __init__(self) -> None:
        super().__init__()
        self.step = lambda action: ("", 0.0, False, False, {})  # type: ignore[method-assign]


class Trouble(Plain):
    """Does what it is told, in the ways that end or hold up a process, whose name says what that is."""

    def step(self, action: str) -> Result:
        what, *arguments = action.split()
        if what != "ignore":
            self.say(what)
        getattr(self, what)(*arguments)
        return "done", 0.0, False, False, {}

    def say(self, what: str) -> None:
        """Be called that, by the system: what ``called`` of the kit reads."""
        Path("/proc/thread-self/comm").write_text(what)

    def leave(self, code: str) -> None:
        print("goodbye, said with code", code)
        os._exit(int(code))

    def signal(self, number: str) -> None:
        os.kill(os.getpid(), int(number))
        time.sleep(60)

    def segfault(self) -> None:
        ctypes.string_at(0)

    def sleep(self) -> None:
        time.sleep(10_000)

    def busy(self) -> None:
        while True:
            pass

    def block(self) -> None:
        ctypes.PyDLL(None).pause()  # in C, holding the interpreter's lock

    def ignore(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.say("ignore")
        self.sleep()

    def spawn(self) -> None:
        """A child that outlives it if nobody sees to it, and that holds its descriptors."""
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], close_fds=False)

    def spawn_apart(self) -> None:
        """A child in a session of its own, whose parent is dead."""
        code = "import subprocess as s; s.Popen(['sleep', '1000'], start_new_session=True)"
        subprocess.run([sys.executable, "-c", code], check=True)

    def fork(self) -> None:
        """A fork that holds the socket, and dies with the group only."""
        if not os.fork():
            time.sleep(1000)
            os._exit(0)

    def close_all(self) -> None:
        os.closerange(3, 100)
        self.sleep()

    def babble(self, megabytes: str) -> None:
        for _ in range(int(megabytes)):
            print("o" * (1 << 20))
        os.write(1, b"\xff\xfe raw \x00")
        os.write(2, b"raw")
        subprocess.run(["echo", "from another program"], check=True)


class Unclosable(Plain):
    """Takes its time to close; none, unless it is asked to, because whoever lists environments closes each."""

    def __init__(self, *, seconds: float = 0) -> None:
        super().__init__()
        self.seconds = seconds

    def close(self) -> None:
        time.sleep(self.seconds)
