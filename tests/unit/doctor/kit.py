"""A sound environment, one that writes down what is done to it, and environments that break one promise each."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, ClassVar

import gymnasium

import agentgym
from agentgym.doctor.abuse import FORGED_REWARDS
from agentgym.env import Expert

Start = tuple[str, dict[str, Any]]
Result = tuple[str, float, bool, bool, dict[str, Any]]

TOLD = tuple(task for split in ("train", "validation", "test") for task in (f"{split} {i}" for i in range(20)))


class Sound(agentgym.Env):
    """Fulfils the contract; the environments below break it in one point each."""

    max_turns = 4

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.said: list[str] = []
        return f"start {self.np_random.integers(1000)}", {}

    def step(self, action: str) -> Result:
        self.said.append(action)
        return f"{self.np_random.integers(1000)}", 0.5, len(self.said) == 4, False, {}

    def expert(self) -> Expert | None:
        return lambda observation: "anything"


def written_down(**attributes: Any) -> tuple[type[Sound], list[str]]:
    """A sound environment with these attributes, and the list of what is done to its instances, which have numbers."""
    log: list[str] = []
    numbers = itertools.count(1)

    class WrittenDown(Sound):
        def __init__(self) -> None:
            self.number = next(numbers)

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            log.append(f"{self.number} begins {self.seed}")
            return super().reset(seed=seed, options=options)

        def step(self, action: str) -> Result:
            log.append(f"{self.number} steps")
            return super().step(action)

        def close(self) -> None:
            log.append(f"{self.number} closes")

    for name, value in attributes.items():
        setattr(WrittenDown, name, value)
    return WrittenDown, log


class Tasked(Sound):
    """Has twenty named tasks in each split, and is told which it plays."""

    def tasks(self, split: str) -> list[str]:
        return [task for task in TOLD if task.startswith(split)]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.task = (options or {}).get("task", "train 0")
        return super().reset(seed=seed)


# -- what is seen, and on what it depends -------------------------------------------------------------------


class GlobalRandom(Sound):
    """Draws from what everybody draws from."""

    def step(self, action: str) -> Result:
        _, *rest = super().step(action)
        return f"{random.random()}", *rest  # type: ignore[return-value]


class RandomRewards(Sound):
    """Pays by chance, and enough to win."""

    def step(self, action: str) -> Result:
        seen, _, *rest = super().step(action)
        return seen, 0.5 + random.random(), *rest  # type: ignore[return-value]


class Remembers(Sound):
    """Counts the episodes of an instance."""

    resets = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.said, self.resets = [], self.resets + 1
        return f"start {self.resets}", {}


class KnowsTheSeedAgain(Sound):
    """An instance greets a seed that it had before, unless it was the last one."""

    def __init__(self) -> None:
        self.had: list[int] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.said = []
        again = self.seed in self.had[:-1]
        self.had.append(self.seed)
        return f"welcome {'back' if again else ''}", {}


class SharesAcrossInstances(Sound):
    """One clock for all."""

    clock = itertools.count()

    def step(self, action: str) -> Result:
        _, *rest = super().step(action)
        return f"{next(self.clock)}", *rest  # type: ignore[return-value]


class StopsOthers(Sound):
    """Closing one instance ends all that were begun."""

    closed = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.begun = StopsOthers.closed
        return super().reset(seed=seed)

    def step(self, action: str) -> Result:
        seen, *rest = super().step(action)
        return f"{seen} {StopsOthers.closed - self.begun}", *rest  # type: ignore[return-value]

    def close(self) -> None:
        StopsOthers.closed += 1


class OneAtATime(Sound):
    """What is begun last is what all play."""

    last = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        OneAtATime.last = self.seed
        return super().reset(seed=seed)

    def step(self, action: str) -> Result:
        seen, *rest = super().step(action)
        return f"{seen} {OneAtATime.last}", *rest  # type: ignore[return-value]


class KnowsItsThread(Sound):
    """Plays another game outside of the main thread."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        return f"{super().reset()[0]} {threading.current_thread() is threading.main_thread()}", {}


class LeaksWhenLeft(Sound):
    """What was said in an episode that did not end goes on in the next."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        if len(getattr(self, "said", [])) in (0, 4):
            self.said = []
        return "start", {}


class LeaksWhenLeftLate(Sound):
    """An episode that was left at its third turn shows in the next one."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        late = len(getattr(self, "said", [])) == 3
        self.said = []
        return f"start {late}", {}


# -- moments ------------------------------------------------------------------------------------------------


class SharesState(Sound):
    """``get_state`` hands out the list that later turns append to."""

    def get_state(self) -> list[str]:
        return self.said

    def set_state(self, state: list[str]) -> None:
        self.said = state


class ForgetsState(Sound):
    """Comes back to where it is."""

    def get_state(self) -> int:
        return 1

    def set_state(self, state: int) -> None:
        self.said = getattr(self, "said", [])


class KeepsStateAtHome(Sound):
    """The state stays with the instance; what another one gets is a number."""

    def __init__(self) -> None:
        self.kept: list[list[str]] = []

    def get_state(self) -> int:
        self.kept.append(list(self.said))
        return len(self.kept) - 1

    def set_state(self, state: int) -> None:
        self.said = list(self.kept[state]) if state < len(self.kept) else []


class RestoresElsewhereOnly(Sound):
    """Comes back on every instance but its own."""

    def get_state(self) -> tuple[Sound, list[str]]:
        return self, list(self.said)

    def set_state(self, state: tuple[Sound, list[str]]) -> None:
        owner, said = state
        if owner is not self:
            self.said = list(said)


class RestoresNothingLate(Sound):
    """Goes on well for three turns after it was brought back to the first."""

    def get_state(self) -> tuple[str, ...]:
        return tuple(self.said)

    def set_state(self, state: tuple[str, ...]) -> None:
        self.said, self.was_restored = list(state), True

    def step(self, action: str) -> Result:
        seen, *rest = super().step(action)
        late = len(self.said) == 4 and getattr(self, "was_restored", False)
        return f"{seen} {late}", *rest  # type: ignore[return-value]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.was_restored = False
        return super().reset(seed=seed)


# -- tasks, experts, rewards --------------------------------------------------------------------------------


class Overlaps(Sound):
    """The first training tasks are for validation as well."""

    def tasks(self, split: str) -> range:
        return range(10, 20) if split == "test" else range(11)


class OverlapsInOne(Sound):
    """Validation and test share their last task, which ranges alone would not tell."""

    def tasks(self, split: str) -> list[int]:
        return {"train": [1, 2], "validation": [3, 9], "test": [4, 9]}[split]


class NoTestTasks(Sound):
    """Nothing to test on."""

    def tasks(self, split: str) -> list[str]:
        return [] if split == "test" else [split]


class OddTasks(Sound):
    """Tasks are neither numbers nor text."""

    def tasks(self, split: str) -> Any:
        return [(split, i) for i in range(20)]


class Loses(Sound):
    """Nobody wins, the expert neither."""

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "lost", 0.0, len(self.said) == 4, False, {}


class LosesHalf(Tasked):
    """The expert wins every other task."""

    def step(self, action: str) -> Result:
        self.said.append(action)
        won = len(self.said) == 4 and int(self.task.split()[1]) % 2 == 0
        return "?", 0.25 * won, len(self.said) == 4, False, {"success": won}


class WinsInTrainingOnly(Tasked):
    """The expert knows the training tasks."""

    def step(self, action: str) -> Result:
        self.said.append(action)
        won = len(self.said) == 4 and self.task.startswith("train")
        return "?", 0.25 * won, len(self.said) == 4, False, {"success": won}


class PaysInfinity(Sound):
    """The last turn has a reward that is no number to learn from."""

    def step(self, action: str) -> Result:
        seen, reward, over, *rest = super().step(action)
        return seen, float("inf") if over else reward, over, *rest  # type: ignore[return-value]


class Numbers(Sound):
    """Shows what is no text."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return 7, {}


class OtherSpace(Sound):
    """Says that it shows one of two numbers."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Discrete(2)  # type: ignore[assignment]


class Alone(Sound):
    """Sound, and has no expert."""

    def expert(self) -> Expert | None:
        return None


# -- what a policy may say ----------------------------------------------------------------------------------


class Fragile(Sound):
    """Takes what begins like JSON for JSON."""

    def step(self, action: str) -> Result:
        if action.startswith("[["):
            json.loads(action[:4])
        return super().step(action)


class FragileLate(Fragile):
    """The same, from the fourth turn on."""

    def step(self, action: str) -> Result:
        return super().step(action if len(self.said) == 3 else "")


class Leaks(Sound):
    """A long action shows in the next episode."""

    greeting = "start"

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        super().reset(seed=seed)
        return self.greeting, {}

    def step(self, action: str) -> Result:
        if len(action) == 100_000 and action[0] == "a":
            self.greeting = action[:5]
        return super().step(action)


class LeaksTheRandom(Sound):
    """A very long action shows in the next episode."""

    greeting = "start"

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        super().reset(seed=seed)
        return self.greeting, {}

    def step(self, action: str) -> Result:
        if len(action) > 500_000:
            self.greeting = action[:5]
        return super().step(action)


class Credulous(Alone):
    """Takes what looks like a verdict for one, and pays nothing for it."""

    def step(self, action: str) -> Result:
        seen, _, over, truncated, _ = super().step(action)
        won = '"success": true' in action
        return seen, 0.0, over or won, truncated, {"success": won}


class CredulousLate(Alone):
    """The same, at the third turn alone."""

    def step(self, action: str) -> Result:
        seen, _, over, truncated, _ = super().step(action)
        won = len(self.said) == 3 and '"success": true' in action
        return seen, 0.0, over or won, truncated, {"success": won}


class Generous(Alone):
    """Pays for the word."""

    def step(self, action: str) -> Result:
        (
            seen,
            _,
            *_,
        ) = super().step(action)
        return seen, 0.6 * ("reward" in action), len(self.said) == 4, False, {"success": False}


class Forgiving(Alone):
    """Takes something for an action that it does not know, and nothing for one that looks like a verdict."""

    def step(self, action: str) -> Result:
        seen, _, *_ = super().step(action)
        return seen, -0.1 * (action not in FORGED_REWARDS), len(self.said) == 4, False, {"success": False}


class Obedient(Sound):
    """Does what a shell would do with redirections."""

    def step(self, action: str) -> Result:
        if action.startswith("> /"):
            Path(action[2:]).touch()
        return super().step(action)


class ObedientLater(Sound):
    """Does so when the next episode of another task begins."""

    file = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        if self.file and self.seed != 500_000:
            Path(self.file).touch()
        return super().reset(seed=seed)

    def step(self, action: str) -> Result:
        if action.startswith("> /"):
            self.file = action[2:]
        return super().step(action)


class Unwary(Sound):
    """Reads JSON without a thought for what stands in it."""

    def step(self, action: str) -> Result:
        try:
            call = json.loads(action) if action[:1] == "[" else {"name": ""}
        except (ValueError, RecursionError):
            call = {"name": ""}
        call["name"]
        return super().step(action)


class OddSuccess(Sound):
    """What it says of success cannot be written down."""

    def step(self, action: str) -> Result:
        *rest, _ = super().step(action)
        return *rest, {"success": agentgym.Env}  # type: ignore[return-value]


# -- what stays behind --------------------------------------------------------------------------------------


class KeepsFiles(Sound):
    """Opens a file an instance."""

    kept: ClassVar[list[Any]] = []

    def __init__(self) -> None:
        self.kept.append(open(os.devnull))  # noqa: SIM115


class KeepsFilesWhenLeft(Sound):
    """Closes its file at the end of an episode alone."""

    kept: ClassVar[list[Any]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.file = open(os.devnull)  # noqa: SIM115
        self.kept.append(self.file)
        return super().reset(seed=seed)

    def step(self, action: str) -> Result:
        result = super().step(action)
        if result[2]:
            self.file.close()
        return result


class KeepsThreads(Sound):
    """Has a thread an instance."""

    ends: ClassVar[list[threading.Event]] = []

    def __init__(self) -> None:
        self.ends.append(threading.Event())
        threading.Thread(target=self.ends[-1].wait, daemon=True).start()


class KeepsProcesses(Sound):
    """Has a process an instance."""

    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def __init__(self) -> None:
        self.started.append(subprocess.Popen(["sleep", "60"]))


class KeepsTemporaryFiles(Sound):
    """Makes a folder an episode."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        tempfile.mkdtemp()
        return super().reset(seed=seed)


def end_what_was_left() -> None:
    """End what the environments here leave behind on purpose."""
    for file in KeepsFiles.kept + KeepsFilesWhenLeft.kept:
        file.close()
    for end in KeepsThreads.ends:
        end.set()
    for process in KeepsProcesses.started:
        process.kill()
        process.wait()
    lists: tuple[list[Any], ...] = (
        KeepsFiles.kept,
        KeepsFilesWhenLeft.kept,
        KeepsThreads.ends,
        KeepsProcesses.started,
    )
    for kept in lists:
        kept.clear()
