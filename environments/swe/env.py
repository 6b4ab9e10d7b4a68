"""Software tasks after the pattern of SWE-Gym: a repository with a bug, an issue, and tests that nobody sees.

The agent has a sandbox with the repository in it, a history of one commit, and no network; it looks around, changes
files, runs what it likes and submits. Then its sandbox is ended, the Python files of its source folder go onto a clean
copy of all else, and hidden tests run on them in a fresh sandbox (see ``judge``). Repositories, bugs and issues are
generated (see ``tasks``); all is ours, and nothing is fetched.
"""

from __future__ import annotations

import posixpath
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments._options import task_and_split
from agentgym.environments.swe.artifact import RefusedError, artifact_of
from agentgym.environments.swe.cheats import cheats_at
from agentgym.environments.swe.checkout import Checkout
from agentgym.environments.swe.hints import HINTS
from agentgym.environments.swe.judge import ROOT, Verdict, judged, unchanged
from agentgym.environments.swe.tasks import LEVELS, Level, Repair, Task, task_of
from agentgym.errors import UserError
from agentgym.registry import register
from agentgym.sandbox import Limits, Sandbox, Spec, claim
from agentgym.sandbox.images import ensure
from agentgym.tools import ToolEnv, ToolError, call, tool
from agentgym.types import Action, TaskId

__all__ = ["SWE"]

Reward: TypeAlias = Literal["binary", "ratio"]

_MOST_SHOWN = 4000
"""Characters of what a command says: the beginning and the end."""
_MOST_LINES = 200


@register
class SWE(ToolEnv):
    """Repair a repository until hidden tests pass.

    Example::

        env = SWE(level="s1")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("read(path=toolbox/money.py)")
    """

    extra: ClassVar[str] = "docker"
    corpus_episodes: ClassVar[int] = 40
    max_turns = LEVELS["s1"]
    hints = HINTS

    def __init__(
        self,
        *,
        level: Level = "s1",
        reward: Reward = "binary",
        image: str | None = None,
        timeout: Annotated[float, Field(gt=0)] = 20.0,
        task_seed: int = 0,
        unsafe_local: bool = False,
    ) -> None:
        """Choose the tasks and how they are paid.

        Args:
            level: "s1" one module, named in the issue; "s2" two modules; "s3" four, and an issue in words; "s4" six
                modules and two bugs.
            reward: "binary" is 1 where all hidden tests pass; "ratio" the share of the failing ones that was won.
            image: name of an image that the engine has, with python3 and git; none given: one made here.
            timeout: seconds that a command of the shell may take.
            task_seed: seed of what tasks stand for.
            unsafe_local: run commands as plain processes of this machine, without any isolation.

        Raises MissingExtraError where there is no engine.
        """
        self.level, self.reward, self.timeout, self.task_seed = level, reward, timeout, task_seed
        self.image, self.unsafe_local, self.max_turns = image, unsafe_local, LEVELS[level]
        if not unsafe_local:
            _engine()
        self.instructions = f"Repair the repository in {ROOT}, then submit. Hidden tests decide.\n{self.usage}"
        self._checkout: Checkout | None = None

    # -- the episode ---------------------------------------------------------------------------------

    def start(self, task: TaskId) -> str:
        """Give the issue of a task. Raises UserError."""
        self._begin(int(task))
        files = " ".join(path for path in self.job.files if self.job.files[path])
        return f"issue: {self.job.issue}\nfiles: {files}"

    def _begin(self, task: int) -> None:
        self.close()
        self.task, split = task_and_split(task, self.np_random)
        self.job: Task = task_of(self.task, split, self.level, self.task_seed)
        self.log: list[str] = []
        self.outcome: Verdict | None = None
        self._checkout = Checkout(self.job.files, ROOT, self._sandbox)

    def _sandbox(self) -> Sandbox:
        image = self.image or ("" if self.unsafe_local else ensure())
        spec = Spec(
            image=image, workdir=ROOT, writable=(ROOT, "/tmp"), env={"HOME": "/tmp"}, limits=Limits(output=1 << 18)
        )
        return claim(spec, unsafe_local=self.unsafe_local)

    @property
    def checkout(self) -> Checkout:
        """The agent's copy of the repository."""
        assert self._checkout is not None
        return self._checkout

    def heard(self, words: str) -> str:
        """Words change nothing."""
        return f"Only calls do something. {self._known}"

    @property
    def _known(self) -> str:
        return f"Tools: {', '.join(self.toolbox)}."

    def verdict(self) -> float:
        """Of what was submitted: the share of the failing tests that was won, or 1 for all and otherwise nothing."""
        if self.outcome is None:
            return 0.0
        return self.outcome.gain if self.reward == "ratio" else float(self.outcome.after == 0)

    async def _step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        seen, reward, is_over, is_truncated, info = await super()._step(action)
        if is_over and self.outcome is not None:
            info["channels"] |= {"tests": self.outcome.passed, "gain": self.outcome.gain}
        return seen, reward, is_over, is_truncated, info

    # -- tools ---------------------------------------------------------------------------------------

    @tool
    def shell(self, command: str) -> str:
        """Run a command in the repository.

        Args:
            command: for /bin/sh.
        """
        self._note("shell", command=command)
        result = self.checkout.run(command, self.timeout)
        said = _cut(result.text.strip())
        ended = f"stopped after {self.timeout:g} seconds" if result.timed_out else f"exit code {result.exit_code}"
        return f"{said}\n{ended}".strip()

    @tool
    def read(self, path: str, first: int = 1) -> str:
        """Show a file's lines, with their numbers.

        Args:
            path: in the repository.
            first: line to begin with.
        """
        self._note("read", path=path)
        lines = self._text(path).split("\n")
        shown = lines[max(first, 1) - 1 :][:_MOST_LINES]
        numbered = [f"{number} {line}" for number, line in enumerate(shown, max(first, 1))]
        left = len(lines) - max(first, 1) + 1 - len(shown)
        return "\n".join([*numbered, *([f"and {left} more lines"] if left > 0 else [])])

    @tool
    def search(self, pattern: str, path: str = ".") -> str:
        """Find lines in files.

        Args:
            pattern: a regular expression, as grep -E has it.
            path: file or folder to look in.
        """
        self._note("search", pattern=pattern, path=path)
        command = ["grep", "-rnIE", "--exclude-dir=.git", "--", pattern, posixpath.relpath(self._whole(path), ROOT)]
        found = self.checkout.look(lambda sandbox: _of_grep(sandbox, command)).decode("utf-8", "replace").splitlines()
        ordered = sorted(found, key=lambda line: line.partition(":")[0])  # folders have no order of their own
        return _cut("\n".join(line.removeprefix("./") for line in ordered)) or "nothing is found."

    @tool
    def edit(self, path: str, old: str, new: str) -> str:
        """Replace a text in a file; it must stand there exactly once.

        Args:
            path: in the repository.
            old: the text.
            new: what stands there instead.
        """
        self._note("edit", path=path, old=old, new=new)
        text = self._text(path)
        if (times := text.count(old) if old else 0) != 1:
            raise ToolError(f"old must stand in {path} exactly once, found {times} times.")
        self._write(path, text.replace(old, new))
        return "done."

    @tool
    def submit(self) -> str:
        """Hand the repository in; this is the end."""
        self.finish()
        try:
            files = self.checkout.hand_in()
            artifact = None if files is None else artifact_of(files, ROOT, self.job.source)
        except (RefusedError, OSError) as error:
            self.outcome = unchanged(self.job)
            return f"this is not judged: {error}."
        self.outcome = unchanged(self.job) if artifact is None else judged(self.job, artifact, self._sandbox)
        return f"{self.outcome.after} of {self.outcome.tests} tests fail."

    def _text(self, path: str) -> str:
        try:
            return self.checkout.look(lambda sandbox: sandbox.read(self._whole(path))).decode()
        except UnicodeDecodeError:
            raise ToolError(f"{path[:200]} is no text.") from None
        except (OSError, ValueError) as error:
            raise ToolError(f"{path[:200]} cannot be read: {_reason(error)}.") from None

    def _write(self, path: str, text: str) -> None:
        try:
            self.checkout.write(self._whole(path), text.encode())
        except (OSError, ValueError) as error:
            raise ToolError(f"{path[:200]} cannot be written: {_reason(error)}.") from None

    def _whole(self, path: str) -> str:
        """The absolute path; the sandbox holds whom it leads where."""
        if "\0" in path:
            raise ToolError("a path has no null character.")
        return posixpath.normpath(posixpath.join(ROOT, path))

    def _note(self, name: str, /, **arguments: Any) -> None:
        self.log.append(str(call(name, **arguments)))

    # -- the contract --------------------------------------------------------------------------------

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": each stands for bugs of its split. Raises UserError.

        Tasks are draws, so two of one split may have the same bug; two of different splits never do.
        """
        found = Env.tasks(self, split)
        assert isinstance(found, range)
        return found

    def expert(self) -> Expert:
        """Who knows the repair: the first step of it that was not made yet."""
        return lambda observation: next(step for step in self._plan() if str(step) not in self.log)

    def _plan(self) -> list[Action]:
        steps: list[Action] = []
        for repair in self.job.repairs:
            old, new = _shortest(repair, self.job.files[repair.path])
            steps += [call("read", path=repair.path), call("edit", path=repair.path, old=old, new=new)]
        return [*steps, call("submit")]

    def cheats(self) -> dict[str, list[Action]]:
        """Ways to a reward without the repair, by name; none of them may pay. Raises UserError without a container."""
        if self.unsafe_local:
            raise UserError("cheats attack whatever they run on, here this machine; leave out --env.unsafe_local")
        return cheats_at(self.job)

    def get_state(self) -> dict[str, Any] | None:
        """The episode, with the files of the repository; None where these are too many to be kept."""
        try:
            files = self.checkout.files()
        except OSError:
            return None
        return {"task": self.task, "log": list(self.log), "files": files, "outcome": self.outcome}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self._begin(state["task"])
        self.log, self.outcome = list(state["log"]), state["outcome"]
        self.checkout.come_back_to(state["files"])

    def close(self) -> None:
        """End the sandbox."""
        if self._checkout is not None:
            self._checkout.close()


def _engine() -> None:
    from agentgym.sandbox.daemon import daemon

    daemon()


def _of_grep(sandbox: Sandbox, command: list[str]) -> bytes:
    result = sandbox.run(command, cwd=ROOT)
    if result.exit_code > 1:
        raise ToolError(_cut(result.stderr.decode("utf-8", "replace").strip()) or f"exit code {result.exit_code}")
    return result.stdout


def _shortest(repair: Repair, text: str) -> tuple[str, str]:
    """What to replace, without the blanks around a single line where it stands there once even so."""
    old, new = repair.old.strip(), repair.new.strip()
    if "\n" in repair.old or "\n" in repair.new or text.count(old) != 1 or not new:
        return repair.old, repair.new
    return old, new


def _cut(text: str) -> str:
    if len(text) <= _MOST_SHOWN:
        return text
    half = _MOST_SHOWN // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
