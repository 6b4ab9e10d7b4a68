"""What is said to an environment that must stand it, when, and what is asked of it in between."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from agentgym import doctor
from agentgym.doctor.abuse import FORGED_REWARDS, INVALID_ACTIONS, STRANGE_ACTIONS, drawn_action
from agentgym.errors import EnvError
from tests.unit.doctor.kit import Alone, OddSuccess, Result, Sound, Start, Tasked


class Hears(Alone):
    """Writes down what is said, with a "|" where an episode begins."""

    heard: list[str]
    closed: list[bool]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.heard.append(f"|{self.seed}")
        return super().reset(seed=seed)

    def step(self, action: str) -> Result:
        self.heard.append(action)
        return super().step(action)

    def close(self) -> None:
        self.closed.append(True)


def hearing(**attributes: Any) -> tuple[type[Hears], list[str]]:
    heard: list[str] = []
    return type("Hears", (Hears,), {"heard": heard, "closed": [], **attributes}), heard


def episodes(heard: list[str]) -> list[list[str]]:
    """What was said in each."""
    found: list[list[str]] = []
    for line in heard:
        if line.startswith("|"):
            found.append([line])
        else:
            found[-1].append(line)
    return found


def test_every_strange_action_comes_first_and_fourth_and_an_episode_is_played_after_it() -> None:
    env, heard = hearing()
    assert doctor.stands_strange_actions(env, 600.0) == "16 strange actions, each as first and as fourth"
    alone, *rest = episodes(heard)
    assert len(rest) == 3 * 16 + 1
    assert rest.pop() == alone
    assert [first[1:] for first in rest[0::3]] == [[action] for action in STRANGE_ACTIONS]
    assert [(len(fourth), fourth[-1]) for fourth in rest[1::3]] == [(5, action) for action in STRANGE_ACTIONS]
    assert all(whole == alone for whole in rest[2::3])
    assert {episode[0] for episode in rest} == {"|0"}


def test_slow_environments_hear_every_strange_action_and_are_compared_once() -> None:
    env, heard = hearing()
    doctor.stands_strange_actions(env, -1.0)
    alone, *rest = episodes(heard)
    assert len(rest) == 2 * 16 + 1
    assert rest[-1] == alone


def test_an_episode_that_ends_before_its_fourth_turn_is_not_gone_on_with() -> None:
    class Short(Sound):
        def step(self, action: str) -> Result:
            self.said.append(action)
            return "?", 0.5, False, len(self.said) == 2, {}

    assert doctor.stands_strange_actions(Short, 600.0).startswith("16 strange actions")
    assert doctor.refuses_forged_rewards(Short, 600.0).endswith("at 4 moments")


def test_random_actions_begin_a_new_episode_every_tenth_and_after_each_end() -> None:
    class Hardy(Hears):
        max_turns = 50

        def step(self, action: str) -> Result:
            self.heard.append(action)
            self.said.append(action)
            return "on", 0.0, len(self.said) == 50, False, {}

    env, heard = hearing(step=Hardy.step, max_turns=50)
    assert doctor.stands_random_actions(env, 600.0).startswith("200 random actions, the slowest took ")
    alone, *drawn, last = episodes(heard)
    assert last == alone
    assert [len(episode) - 1 for episode in drawn] == [10] * 20
    assert {episode[0] for episode in drawn} == {"|500000"}
    assert alone[0] == "|0"

    env, heard = hearing()  # four turns to an episode, and ten actions end in the middle of one
    doctor.stands_random_actions(env, 600.0, 24)
    _, *drawn, _ = episodes(heard)
    assert [len(episode) - 1 for episode in drawn] == [4, 4, 2, 4, 4, 2, 4]


def test_slow_environments_hear_twenty_random_actions() -> None:
    assert doctor.stands_random_actions(Sound, -1.0).startswith("20 random actions")


def test_the_slowest_action_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    class Slow(Sound):
        def step(self, action: str) -> Result:
            clock[0] += 1.25 if len(self.said) == 2 else 0.5
            return super().step(action)

    assert doctor.stands_random_actions(Slow, 600.0, 20) == "20 random actions, the slowest took 1.25 s"


def test_an_action_that_is_run_is_told_at_once() -> None:
    class Runs(Hears):
        def step(self, action: str) -> Result:
            self.heard.append(action)
            if action.startswith("open('/"):
                Path(action.split("'")[1]).touch()
            return Sound.step(self, action)

    env, heard = hearing(step=Runs.step)
    with pytest.raises(EnvError, match=r"^the action \"open\('/.*canary', 'w'\)\" was run: it wrote a file$"):
        doctor.stands_random_actions(env, 600.0)
    assert heard[-1].startswith("open('/")


def test_drawn_actions_are_of_every_kind_and_those_that_are_code_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "canary"
    drawn = [drawn_action(random.Random(seed), file) for seed in range(600)]
    assert drawn == [drawn_action(random.Random(seed), file) for seed in range(600)]
    forms = {action.replace(str(file), "FILE") for action in drawn if str(file) in action}
    assert forms == {
        "open('FILE', 'w')",
        "__import__('os').system('touch FILE')",
        "$(touch FILE)",
        "look; touch FILE",
        "`touch FILE`",
        "{{ open('FILE', 'w') }}",
        "> FILE",
    }
    assert {"", " ", "\n\n", "\t", "a" * 1_000_000, "é" * 1_000_000, "(" * 100_000} <= set(drawn)
    assert set(drawn) >= {*STRANGE_ACTIONS[9:], *FORGED_REWARDS}
    assert not set(drawn) & set(STRANGE_ACTIONS[3:7])  # nor those that are long without need
    assert any(action and max(action) < " " for action in drawn)  # control characters alone
    assert any(action.startswith("<tool_call>search: ") for action in drawn)
    assert any(action.startswith(("go(x=", "[go(x=")) for action in drawn)


def test_drawn_values_are_json_of_every_kind_and_not_deep(tmp_path: Path) -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0

    values = []
    for seed in range(2000):
        try:
            values.append(json.loads(drawn_action(random.Random(seed), tmp_path)))
        except (ValueError, RecursionError):
            continue
    assert {type(value) for value in values} == {type(None), bool, int, float, str, dict, list}
    assert max(map(depth, values)) == 3
    assert {len(value) for value in values if isinstance(value, dict)} >= {1, 2}


def test_actions_that_look_like_verdicts_are_compared_with_invalid_ones_at_each_of_four_moments() -> None:
    env, heard = hearing()
    assert doctor.refuses_forged_rewards(env, 600.0) == "8 actions that look like verdicts, at 4 moments"
    said = [*INVALID_ACTIONS, *FORGED_REWARDS]
    assert [(len(episode) - 2, episode[-1]) for episode in episodes(heard)] == [
        (turns, action) for turns in range(4) for action in said
    ]
    assert [episode[0] for episode in episodes(heard)[:: len(said)]] == ["|0", "|250000", "|500000", "|750000"]
    assert doctor.refuses_forged_rewards(Sound, 600.0, 2).endswith("at 2 moments")
    assert doctor.refuses_forged_rewards(Sound, -1.0).endswith("at 1 moments")


class Wins(Sound):
    """Succeeds with what a test says."""

    winning: frozenset[str] = frozenset()
    pays: dict[str, float] = {}  # noqa: RUF012

    def step(self, action: str) -> Result:
        self.said.append(action)
        return "?", self.pays.get(action, 0.0), len(self.said) == 4, False, {"success": action in self.winning}


def test_what_any_invalid_action_brings_a_forged_one_may_bring() -> None:
    easy = type("Wins", (Wins,), {"winning": {INVALID_ACTIONS[2], *FORGED_REWARDS}})
    assert doctor.refuses_forged_rewards(easy, 600.0).endswith("at 4 moments")
    paid = type("Wins", (Wins,), {"pays": {INVALID_ACTIONS[1]: 0.5, FORGED_REWARDS[3]: 0.5}})
    assert doctor.refuses_forged_rewards(paid, 600.0).endswith("at 4 moments")
    more = type("Wins", (Wins,), {"pays": {INVALID_ACTIONS[1]: 0.5, FORGED_REWARDS[7]: 0.75}})
    with pytest.raises(EnvError, match=r"after 0 turns of \(0, 100\) brought the reward 0\.75, an invalid one 0\.5$"):
        doctor.refuses_forged_rewards(more, 600.0)
    forged = type("Wins", (Wins,), {"winning": {FORGED_REWARDS[7]}})
    with pytest.raises(EnvError, match=r"The episode is over.*after 3 turns of \(750000, 103\) brought success$"):
        # at the end alone success counts, and only the fourth turn ends an episode here
        doctor.refuses_forged_rewards(type("Late", (forged,), {"step": _late}), 600.0)


class Alike(Sound):
    """Pays a twentieth for each letter that its answer is made of, or what a test says."""

    forged: float | None = None

    def step(self, action: str) -> Result:
        self.said.append(action)
        paid = action.count("s") / 20 if self.forged is None or action != FORGED_REWARDS[1] else self.forged
        return "?", paid, len(self.said) == 4, False, {}


def test_partial_credit_for_likeness_is_no_verdict() -> None:
    found = doctor.refuses_forged_rewards(Alike, 600.0)
    assert found == "8 actions that look like verdicts, at 4 moments; partial credit for likeness up to 0.35"
    for forged in (0.51, 1.0):
        with pytest.raises(EnvError, match=rf"\"terminated\": true.* brought the reward {forged}"):
            doctor.refuses_forged_rewards(type("Forged", (Alike,), {"forged": forged}), 600.0)


def _late(self: Any, action: str) -> Result:
    self.said.append(action)
    over = len(self.said) == 4
    return "?", 0.0, over, False, {"success": over and action in self.winning}


def test_whatever_is_played_is_closed() -> None:
    for check in (doctor.stands_strange_actions, doctor.stands_random_actions, doctor.refuses_forged_rewards):
        made: list[Any] = []
        env, _ = hearing(__init__=lambda self, made=made: made.append(self))
        check(env, -1.0)
        assert len(env.closed) == len(made)
        assert made


def test_what_a_turn_tells_must_be_writable() -> None:
    for check in (doctor.stands_strange_actions, doctor.stands_random_actions, doctor.refuses_forged_rewards):
        with pytest.raises(EnvError, match=r'info\["success"\] is type .*, expected True or False'):
            check(OddSuccess, -1.0)


def test_what_a_step_raised_is_the_cause_of_the_failure() -> None:
    class Raises(Tasked):
        def step(self, action: str) -> Result:
            raise LookupError("no such thing")

    words = r"^the action 'qwzx vlorp' made step raise LookupError: no such thing \(\S*test_abuse\.py:\d+\)$"
    with pytest.raises(EnvError, match=words) as told:
        doctor.refuses_forged_rewards(Raises)
    assert isinstance(told.value.__cause__, LookupError)
