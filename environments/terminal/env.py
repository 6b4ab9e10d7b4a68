"""The shell as an environment: a turn is a command, and the episode ends with ``done``.

Every command is run by a shell of its own, in the same directory; files stay, and so do programs that were left running
in the background, but ``cd`` and variables do not. What a command prints is shown, cut in its middle where it is long.

An episode is judged by what is there at its end. Once the policy says that it is done, the programs that were there at
the beginning are looked for, everything that runs is ended, and the files are read from outside; what the policy has
printed counts for nothing. All goals of the task must hold, and files that no goal names must be as they were.

A plain reply and a call of the tool ``shell`` are the same.
"""

from __future__ import annotations

import functools
import signal
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments._options import task_and_split
from agentgym.environments.terminal.goals import Stopped, World, untouched
from agentgym.environments.terminal.hints import HINTS
from agentgym.environments.terminal.screen import shown
from agentgym.environments.terminal.task import Task
from agentgym.environments.terminal.tasks import Level, task_of
from agentgym.errors import EnvError
from agentgym.registry import register
from agentgym.sandbox import Files, Limits, Sandbox, Spec, claim
from agentgym.sandbox.images import ensure
from agentgym.tools import ToolEnv, ToolError, parse_calls, tool
from agentgym.types import Action, TaskId, ToolCall

__all__ = ["TURNS", "Terminal"]

TURNS: dict[Level, int] = {"t1": 4, "t2": 5, "t3": 7, "t4": 10}
"""Level → turns that an episode may have: about twice what the expert takes, and a look around."""

Reward: TypeAlias = Literal["sparse", "dense"]

_ROOT = "/work"
_SECONDS = 60.0
"""For what the environment itself runs."""
_GRACE_SECONDS = 2.0
"""For a program that was told to end, and is about to."""
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM)
"""What ends the programs, which have no traps."""
_MAX_COMMAND = 20_000
_DONE = "done"


@register
class Terminal(ToolEnv):
    """Do what is asked for at a shell.

    Example::

        env = Terminal(level="t1")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("ls -l")
    """

    kind: ClassVar[str] = "terminal"
    extra: ClassVar[str] = "docker"
    hints = HINTS
    max_turns = TURNS["t1"]
    instructions = (
        "Do the task at a shell. A reply is one command for /bin/sh, which begins in the directory of the task; "
        "when all is as the task asks, the reply is: done"
    )

    def __init__(
        self,
        *,
        level: Level = "t1",
        reward: Reward = "sparse",
        image: str = "",
        timeout: Annotated[float, Field(gt=0, le=600)] = 10.0,
        max_output: Annotated[int, Field(ge=200)] = 4000,
        unsafe_local: bool = False,
        task_seed: int = 0,
    ) -> None:
        """Choose the level and where commands run.

        Args:
            level: "t1" one plain command, "t2" one with an option or a pipe, "t3" archives, processes, many files,
                "t4" several steps.
            reward: "sparse" is 1 for a success; "dense" pays, as they come, shares that add up to 1 for a success.
            image: an image that the engine has, with /bin/sh and python3; none given: one is made.
            timeout: seconds that a command may take.
            max_output: bytes of output, and of errors, that are shown.
            unsafe_local: run commands as plain processes of yours, without any container: they can do what you can.
            task_seed: seed of the tasks.
        """
        self.level, self.reward, self.timeout, self.task_seed = level, reward, timeout, task_seed
        self.max_turns, self.unsafe_local = TURNS[level], unsafe_local
        limits = Limits(output=max_output)
        self._spec = Spec(image="" if unsafe_local else image or ensure(), workdir=_ROOT, limits=limits)
        self._sandbox: Sandbox | None = None
        self._started: dict[str, int] = {}

    # -- the episode ---------------------------------------------------------------------------------

    def start(self, task: TaskId) -> str:
        """Put the files of a task there. Raises UserError for a task that there is not."""
        self._begin(int(task))
        self.sandbox.restore(self._first_files())
        self._started = self._start_programs()
        self.said: list[str] = []
        self.paid = 0.0
        return f"task: {self.task.text}"

    def _begin(self, number: int) -> None:
        self.number, split = task_and_split(number, self.np_random)
        self.task: Task = task_of(self.number, split, self.level, self.task_seed)

    @property
    def sandbox(self) -> Sandbox:
        """Where commands run: the same container for all episodes, emptied between them."""
        if self._sandbox is None or not self._sandbox.is_open:
            self._sandbox = claim(self._spec, unsafe_local=self.unsafe_local)
        return self._sandbox

    def _first_files(self) -> Files:
        files = {f"{_ROOT}/{path}": data for path, data in self.task.files.items()}
        folders = [f"{_ROOT}/{path}" for path in self.task.folders]
        return Files.of(files, folders=folders)

    def _start_programs(self) -> dict[str, int]:
        """Start the programs of the task; their process numbers. Raises EnvError."""
        started = {}
        for path in self.task.programs:
            pid = f"{path.removesuffix('.sh')}.pid"
            result = self.sandbox.run(f"sh {path} >/dev/null 2>&1 & echo $! | tee {pid}", timeout=_SECONDS)
            started[path] = number = int(result.stdout) if result.stdout.strip().isdigit() else -1
            if not _comes(functools.partial(self._runs, path, number), _SECONDS):
                raise EnvError(f"the program {path} of the task does not start: {result.text}")
        return started

    @tool
    def shell(self, command: str) -> str:
        """Run a command by /bin/sh."""
        return self._typed(command)

    @tool
    def done(self) -> None:
        """Say that the task is done, which ends the episode."""
        self.finish()

    def heard(self, words: str) -> str | None:
        """Run a command, or end the episode."""
        return None if words.lower() == _DONE else self._typed(words)

    def _typed(self, command: str) -> str:
        if len(command) > _MAX_COMMAND:
            return f"this command has {len(command)} characters; one may have {_MAX_COMMAND}"
        self.said.append(command)
        return shown(self.sandbox.run(command, timeout=self.timeout), self.timeout)

    def _written(self, text: str) -> Sequence[ToolCall]:
        """The call that a text is, if it is one of ours; what else it may be is a command."""
        try:
            calls = parse_calls(text, self.toolbox) or ()
        except ToolError:
            return ()
        return calls if all(call.name in self.toolbox for call in calls) else ()

    def admissible(self) -> None:
        """What can be typed has no list."""
        return

    # -- the verdict ---------------------------------------------------------------------------------

    def verdict(self) -> float:
        """1 where all goals hold and nothing else was changed."""
        world = self._last_world()
        return float(world is not None and self._share(world) == 1.0)

    def reward_of(self, verdict: float | None) -> float:
        """The verdict; or what the potential of dense rewards has gained, which is the verdict's in the end.

        The potential is the share of the goals that hold, and 0 where something else was changed. A turn pays Φ(s') -
        Φ(s) (Ng, Harada & Russell 1999 with γ = 1).
        """
        if self.reward == "sparse":
            return verdict or 0.0
        before = self.paid
        self.paid = self._progress() if verdict is None or verdict == 1.0 else 0.0
        return self.paid - before

    def _progress(self) -> float:
        world = self._world()
        return 0.0 if world is None else self._share(world)

    def _share(self, world: World) -> float:
        goals = self.task.goals
        named = frozenset(goal.path for goal in goals)
        if not untouched(world, self.task.files, named) or not self._others_run(world):
            return 0.0
        return sum(goal.holds(world) for goal in goals) / len(goals)

    def _others_run(self, world: World) -> bool:
        return all(path in world.running for path in self.task.programs if path not in self._to_stop)

    @property
    def _to_stop(self) -> set[str]:
        return {goal.path for goal in self.task.goals if isinstance(goal, Stopped)}

    def _last_world(self) -> World | None:
        """The state after everything that runs was ended."""
        _comes(lambda: not self._to_stop & self._running(), _GRACE_SECONDS)
        running = self._running()
        self.sandbox.halt()
        return self._world(running)

    def _world(self, running: frozenset[str] | None = None) -> World | None:
        """The state now; None where there is more than can be looked at, which is the policy's doing."""
        try:
            files = self.sandbox.snapshot()
        except OSError:
            return None
        return World(files, _ROOT, self._running() if running is None else running)

    def _running(self) -> frozenset[str]:
        """Programs of the task that still run, as root sees it."""
        return frozenset(path for path, pid in self._started.items() if self._runs(path, pid))

    def _runs(self, path: str, pid: int) -> bool:
        """Whether it is there, and no signal is on its way to it that ends it."""
        try:
            told, status = [self.sandbox.read(f"/proc/{pid}/{file}", user="root") for file in ("cmdline", "status")]
        except OSError:
            return False
        return told.split(b"\0")[:2] == [b"sh", path.encode()] and not _is_ending(status)

    # -- the contract --------------------------------------------------------------------------------

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": each stands for a draw of its split. Raises UserError.

        Two tasks of one split may be about the same; two of different splits never are.
        """
        found = Env.tasks(self, split)
        assert isinstance(found, range)
        return found

    def expert(self) -> Expert:
        """Somebody who types the solution, and then says that it is done."""
        return lambda observation: self._next_step()

    def _next_step(self) -> Action:
        steps = [step for step in self.task.solution if step not in self.said]
        if steps:
            return Action(steps[0], tool_calls=[ToolCall(name="shell", arguments={"command": steps[0]})])
        return Action(_DONE, tool_calls=[ToolCall(name="done", arguments={})])

    def get_state(self) -> dict[str, Any] | None:
        """The files, and what was said; None where programs run that belong to the task: they cannot be kept."""
        if self.task.programs:
            return None
        try:
            files = self.sandbox.snapshot()
        except OSError:
            return None
        return {"number": self.number, "files": files, "said": tuple(self.said), "paid": self.paid}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave, there or in another container. What ran there does not run any more."""
        self._begin(state["number"])
        self.sandbox.restore(state["files"])
        self._started = {}
        self.said, self.paid = list(state["said"]), state["paid"]

    def close(self) -> None:
        """End the container."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


def _is_ending(status: bytes) -> bool:
    """Whether a process of this ``/proc/PID/status`` is to end as soon as it gets the processor."""
    fields = dict(line.split(b":", 1) for line in status.splitlines() if b":" in line)
    pending = sum(int(fields.get(field, b"0"), 16) for field in (b"SigPnd", b"ShdPnd"))
    return bool(pending & sum(1 << number - 1 for number in _ENDING))


def _comes(true: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes to be true in that time."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True
