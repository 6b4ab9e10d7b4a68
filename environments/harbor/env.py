"""Harbor's tasks as an environment: a shell in the task's image, and the task's own tests for a reward.

``harbor:DIR`` plays one task directory or a folder of them, unchanged. The agent has a shell and submits; then its
sandbox is ended, and its files are graded in another one (see ``verifier``), whatever ``environment_mode`` says: a
verifier that shares the agent's container takes what the agent wrote for its own. There is no network, neither for the
agent nor for the tests; a task that needs one is refused where that is known beforehand (see ``form``).

Other than in Harbor commands run as a plain user, who owns the directories that may be written: the one that the image
works in, those of ``writable``, /tmp, /root and /logs. Everything else of the image is read-only.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from agentgym.env import SPLITS, Env, Expert
from agentgym.environments.harbor.cheats import cheats_at
from agentgym.environments.harbor.contents import contents_of
from agentgym.environments.harbor.demo import demo_dataset
from agentgym.environments.harbor.form import HarborTask, read_dataset
from agentgym.environments.harbor.images import Made, made_from
from agentgym.environments.harbor.verifier import SOLUTION, TESTS, Graded, carried, graded
from agentgym.errors import ConfigError, UserError, did_you_mean
from agentgym.registry import register
from agentgym.sandbox import Files, Limits, Sandbox, Spec, claim
from agentgym.sandbox.daemon import daemon
from agentgym.tools import ToolEnv, call, tool
from agentgym.types import Action, TaskId

__all__ = ["Harbor", "splits_of"]

_ALWAYS = ("/tmp", "/root", "/logs", TESTS, SOLUTION)
_MIB = 1 << 20
_DISK = 256 * _MIB
_MOST_SHOWN = 8000
_FEWEST = 3
_TURNS, _TURNS_OF_OURS = 30, 4
_SHARED = "each has all of them, and success in validation and test is that on tasks that were trained on"


@register
class Harbor(ToolEnv):
    """Do what a Harbor task asks for, at its shell.

    Example::

        env = Harbor(name="path/to/tasks")
        observation, info = env.reset(options={"task": "hello"})
        observation, reward, terminated, truncated, info = env.step('shell(command="echo hello > hello.txt")')
    """

    extra: ClassVar[str] = "docker"
    corpus_episodes: ClassVar[int] = 20
    max_turns = _TURNS_OF_OURS

    def __init__(
        self,
        *,
        name: str | None = None,
        writable: Sequence[str] = (),
        timeout: Annotated[float, Field(gt=0)] = 60.0,
        success_at: float = 1.0,
        offline: bool = True,
        max_turns: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        """Read the tasks.

        Args:
            name: a task directory, or a folder of them; none given: a small one of ours. The id ``harbor:DIR`` is short
                for it.
            writable: further directories of the image that may be written, such as '["/opt/data"]'.
            timeout: seconds that a command may take.
            success_at: reward from which on an episode is a success.
            offline: play tasks too that leave the internet on, as the format does by itself; there is none.
            max_turns: turns that an episode may have; none given: 30, and 4 for tasks of ours.

        Raises DataError for a malformed task, ConfigError for one that needs what is not here, MissingExtraError.
        """
        daemon()
        self.folder = demo_dataset() if name is None else Path(name).expanduser()
        found = read_dataset(self.folder)
        _must_fit(found, offline)
        self.splits = splits_of(found)
        self.all_tasks = {id: task for split in self.splits.values() for id, task in split.items()}
        if len(found) < _FEWEST:
            warnings.warn(
                f"{self.folder} has {len(found)} of the {_FEWEST} tasks that splits need: {_SHARED}", stacklevel=2
            )
        self.writable, self.timeout, self.success_at = tuple(writable), timeout, success_at
        self.max_turns = max_turns or (_TURNS_OF_OURS if name is None else _TURNS)
        self.instructions = f"Do what is asked for, then submit.\n{self.usage}"
        self._sandbox: Sandbox | None = None
        self._images: dict[str, Made] = {}

    # -- the episode ---------------------------------------------------------------------------------

    def start(self, task: TaskId) -> str:
        """Show the instruction of a task. Raises UserError."""
        self._begin(str(task))
        return self.job.instruction

    def _begin(self, task: str) -> None:
        self.close()
        if task not in self.all_tasks:
            hint = did_you_mean(task, map(str, self.all_tasks))
            raise UserError(f"task {task!r} does not exist.{hint} There are {len(self.all_tasks)} tasks")
        self.task, self.job = task, self.all_tasks[task]
        self.log: list[str] = []
        self.outcome: Graded | None = None
        self.files: Files | None = None
        self._is_dirty = False

    @property
    def image(self) -> Made:
        """The image of the task."""
        if self.job.id not in self._images:
            self._images[self.job.id] = made_from(self.job)
        return self._images[self.job.id]

    @property
    def workdir(self) -> str:
        """Where commands begin."""
        found = self.job.config.environment.workdir or self.image.workdir
        return "/app" if found == "/" else found

    @property
    def _folders(self) -> tuple[str, ...]:
        """What may be written."""
        own = "/" + self.workdir.strip("/").partition("/")[0]
        return tuple(dict.fromkeys((own, *self.writable, *_ALWAYS)))

    @property
    def _given(self) -> Files:
        """What the image has there."""
        return contents_of(self.image.id, self._folders, _DISK)

    def _made(self) -> Sandbox:
        settings = self.job.config.environment
        env = {**self.image.env, "HOME": "/root", **settings.env}
        limits = Limits(memory=(settings.memory_mb or 2048) * _MIB, cpus=settings.cpus or 1.0, disk=_DISK)
        return claim(Spec(image=self.image.id, workdir=self.workdir, writable=self._folders, env=env, limits=limits))

    def _ready(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = self._made()
            self._sandbox.restore(self.files or self._given)
        return self._sandbox

    def verdict(self) -> float:
        """The reward of what was submitted."""
        return 0.0 if self.outcome is None else self.outcome.reward

    def heard(self, words: str) -> str:
        """Words change nothing."""
        return f"Only calls do something. Tools: {', '.join(self.toolbox)}."

    async def _step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        seen, reward, is_over, is_truncated, info = await super()._step(action)
        if is_over and self.outcome is not None:
            info |= {"success": reward >= self.success_at, "rewards": self.outcome.rewards}
            if self.outcome.problem:
                info["verifier"] = f"{self.outcome.problem}: {self.outcome.said}"
        return seen, reward, is_over, is_truncated, info

    # -- tools ---------------------------------------------------------------------------------------

    @tool
    def shell(self, command: str) -> str:
        """Run a command.

        Args:
            command: for /bin/sh.
        """
        self.log.append(str(call("shell", command=command)))
        self._is_dirty = True
        result = self._ready().run(command, timeout=self._seconds)
        ended = f"stopped after {self._seconds:g} seconds" if result.timed_out else f"exit code {result.exit_code}"
        return f"{_cut(result.text.strip())}\n{ended}".strip()

    @property
    def _seconds(self) -> float:
        return min(self.timeout, self.job.config.agent.timeout_sec)

    @tool
    def submit(self) -> str:
        """Say that the task is done; this is the end."""
        self.finish()
        sandbox = self._ready()
        sandbox.halt()
        try:
            files = self._now()
        except OSError as error:
            self.outcome = Graded(0.0, {}, f"what was left cannot be graded: {error}", "")
            return f"this is not graded: {error}."
        self.close()
        with self._made() as judge:
            self.outcome = graded(judge, self.job, carried(files, self._given, self.image.env.get("PATH", "")))
        return f"reward {self.outcome.reward:g}."

    def _now(self) -> Files:
        if self._is_dirty and self._sandbox is not None:
            self.files, self._is_dirty = self._sandbox.snapshot(), False
        return self.files or self._given

    # -- the contract --------------------------------------------------------------------------------

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Ids of the tasks of a split (see ``splits_of``). Raises UserError."""
        Env.tasks(self, split)  # knows the splits
        return [*self.splits[split]]

    def expert(self) -> Expert | None:
        """The task's own solution, where it brings one."""
        return (lambda observation: self._next_step()) if self.job.has_solution else None

    def _next_step(self) -> Action:
        solve = call("shell", command=_solving(self.job))
        return call("submit") if str(solve) in self.log else solve

    def cheats(self) -> dict[str, list[Action]]:
        """Ways to a reward without the work, by name; none of them may pay."""
        return cheats_at()

    def get_state(self) -> dict[str, Any] | None:
        """The episode, with its files; None where these are too many to be kept."""
        try:
            files = self._now() if self._sandbox is not None else self.files
        except OSError:
            return None
        return {"task": self.task, "log": list(self.log), "files": files, "outcome": self.outcome}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self._begin(state["task"])
        self.log, self.files, self.outcome = list(state["log"]), state["files"], state["outcome"]

    def close(self) -> None:
        """End the sandbox."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


def _must_fit(tasks: Any, offline: bool) -> None:
    for task in tasks:
        needs = [*task.refusals, *(["the internet"] if task.wants_internet and not offline else [])]
        if needs:
            raise ConfigError(f"task {task.id} needs {' and '.join(needs)}, which there is not here")


def splits_of(tasks: Sequence[HarborTask]) -> dict[str, dict[TaskId, HarborTask]]:
    """The tasks of each split by their ids, in the order of their names' hashes: of ten, eight are for training.

    Fewer than three are in every split, and there each has an id of its own.
    """
    if len(tasks) < _FEWEST:
        return {
            split: {task.id if split == "train" else f"{task.id}@{split}": task for task in tasks} for split in SPLITS
        }
    ordered = sorted(tasks, key=lambda task: hashlib.blake2b(task.id.encode(), digest_size=8).digest())
    tenth = max(len(ordered) // 10, 1)
    train, validation = ordered[: -2 * tenth], ordered[-2 * tenth : -tenth]
    parts = {"train": train, "validation": validation, "test": ordered[-tenth:]}
    return {split: {task.id: task for task in part} for split, part in parts.items()}


def _solving(task: HarborTask) -> str:
    """The command that solves a task: its script, or where it brings more, all its files and the script's call."""
    env = "".join(f"{name}={shlex.quote(value)} " for name, value in task.config.solution.env.items())
    files = task.files("solution")
    if list(files) == ["solve.sh"]:
        return f"{env}bash -c {shlex.quote(files['solve.sh'].read_text(encoding='utf-8'))}"
    steps = []
    for path, file in files.items():
        place, text = shlex.quote(f"{SOLUTION}/{path}"), base64.b64encode(file.read_bytes()).decode()
        steps.append(f"mkdir -p $(dirname {place}) && echo {text} | base64 -d > {place}")
    return " && ".join([*steps, f"{env}bash {SOLUTION}/solve.sh"])


def _cut(text: str) -> str:
    if len(text) <= _MOST_SHOWN:
        return text
    half = _MOST_SHOWN // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"
