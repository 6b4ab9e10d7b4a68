"""A curriculum that reacts: a run that was interrupted plays the draws of one that was not, in every mode."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentgym import store
from agentgym.archive import Archive
from agentgym.errors import ConfigError, UserError
from agentgym.launch import evaluate, resume, train
from agentgym.learn import checkpoint
from agentgym.ledger import Entry
from agentgym.run import Run
from tests.integration.finished import SETTINGS
from tests.kit import Notes, report

LADDER = Path(__file__).with_name("ladder.py")
CLIMBING: dict[str, Any] = {
    **SETTINGS,
    "env": f"{LADDER}:Ladder",
    "curriculum": f"{LADDER}:Climbing",
    "augment": {"truncation": {}},
    "warm_start": {},
    "trainer": {"id": "grpo", "groups": 3, "group_size": 2},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 9},
    "updates": 6,
    "checkpoint_seconds": 0,
}
MODES = ("sync", "async", "fully-async")


def draws(entries: list[Entry]) -> dict[int, tuple[Any, ...]]:
    return {entry.ordinal: (entry.task, entry.options, entry.level, entry.strength) for entry in entries}


def position(run: Path) -> dict[str, Any]:
    """What the newest checkpoint holds of the loop."""
    at = checkpoint.latest(run / "checkpoints")
    assert at is not None
    state: dict[str, Any] = checkpoint.read_state(at)["state"]["loop"]
    return state


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Entry]]:
    """The ledger of a run that nobody interrupted, for each mode."""
    directory = tmp_path_factory.mktemp("whole")
    return {mode: Run.open(train({**CLIMBING, "mode": mode, "output": directory / mode})).ledger() for mode in MODES}


@pytest.mark.slow
def test_draws_react_as_soon_as_the_mode_lets_them(whole: Mapping[str, list[Entry]]) -> None:
    for mode, delay in zip(MODES, (1, 2, 3), strict=True):  # updates between an outcome and what it can change
        rungs = [draw[1]["rung"] for _, draw in sorted(draws(whole[mode]).items())]
        assert rungs[: 3 * delay] == [0] * 3 * delay
        assert rungs[3 * delay :: 3][0] == 1
        assert {(entry.level, entry.strength) for entry in whole[mode]} == {(n, 1 / (n + 1)) for n in {*rungs}}


@pytest.mark.parametrize("at", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", MODES)
def test_interrupted_and_resumed_it_plays_what_the_whole_run_played(
    mode: str, at: int, whole: Mapping[str, list[Entry]], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train({**CLIMBING, "mode": mode, "output": run}, reporter=Notes("training", at))
    saved = position(run)
    resume(run)
    found = draws(Run.open(run).ledger())
    assert sorted(found) == list(range(18))
    for group in saved["scheduler"]["pending"] if mode != "sync" else ():
        (spec, *_) = group["specs"]
        assert found[spec["ordinal"]] == (spec["task"], spec["options"], spec["level"], spec["strength"])
    if mode != "fully-async":  # where updates take groups as they end, and so what is learned from when
        assert found == draws(whole[mode])


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_it_learns_from_every_ordinal_once(mode: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train({**CLIMBING, "mode": mode, "output": run}, reporter=Notes("training", 1))
    for at in (2, 3, 5):
        with pytest.raises(KeyboardInterrupt):
            resume(run, reporter=Notes("training", at))
        heard = position(run)["curriculum"]["heard"]
        assert len(heard) == len({*heard}) == 3 * at
        assert all(heard[n : n + 3] == sorted(heard[n : n + 3]) for n in range(0, 3 * at, 3))
        assert sorted(heard) == sorted(entry.ordinal for entry in Run.open(run).ledger())


@pytest.mark.parametrize("mode", ["async", "fully-async"])
def test_what_was_pending_is_not_drawn_again_by_a_curriculum_that_has_moved_on(mode: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train({**CLIMBING, "mode": mode, "output": run}, reporter=Notes("training", 1))
    saved = position(run)
    pending = {spec["options"]["rung"] for group in saved["scheduler"]["pending"] for spec in group["specs"]}
    assert pending == {0}
    assert saved["curriculum"]["rung"] == 1


def test_metrics_have_level_and_strength_where_there_are_any(tmp_path: Path) -> None:
    run = train({**CLIMBING, "updates": 2, "output": tmp_path / "run"})
    lines = [line for line in Run.open(run).metrics() if line["stage"] == "train"]
    assert [(line["level"], line["strength"]) for line in lines] == [(0, 1), (1, 0.5)]
    plain = train({**CLIMBING, "curriculum": "uniform", "augment": {}, "updates": 1, "output": tmp_path / "plain"})
    assert not any({"level", "strength"} & {*line} for line in Run.open(plain).metrics())
    _, episodes = evaluate({}, str(run), episodes=2)
    for episode in episodes:
        assert (episode.split, episode.options, episode.level, episode.strength) == ("test", {}, None, 0)


@pytest.mark.parametrize("mode", ["sync", pytest.param("async", marks=pytest.mark.slow)])
def test_a_horizon_holds_in_training_alone_and_is_on_record(mode: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    horizon = {"id": "horizon", "start": 1, "step": 1, "phase": 6, "phases": 2}
    settings = {**CLIMBING, "env": f"{LADDER}:Stairs", "curriculum": horizon, "mode": mode, "output": run}
    with pytest.raises(KeyboardInterrupt):
        train(settings, reporter=Notes("training", 1))
    resume(run)
    limits = {n: 1 if n < 6 else 2 if n < 12 else None for n in range(18)}
    assert {entry.ordinal: entry.max_turns for entry in Run.open(run).ledger()} == limits
    with Archive.open(run) as archive:
        episodes = list(archive.episodes())
    seen = {(e.split, e.ordinal is not None and e.max_turns, len(e.turns)) for e in episodes if e.role == "policy"}
    assert {(split, limit) for split, limit, _ in seen if split != "train"} == {("validation", False), ("test", False)}
    assert {(limit, turns) for split, limit, turns in seen if split == "train"} == {(1, 1), (2, 2), (None, 4)}
    assert {turns for split, _, turns in seen if split != "train"} == {4}
    lines = [line for line in Run.open(run).metrics() if line["stage"] == "train"]
    assert [line.get("turn_limit") for line in lines] == [1, 1, 2, 2, None, None]


def test_another_curriculum_is_another_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train({**CLIMBING, "curriculum": "frontier", "output": run}, reporter=Notes("training", 1))
    for changed, key in (({"curriculum": "uniform"}, "curriculum.id"), ({"curriculum": {"replay": 0.1}}, "replay")):
        with pytest.raises(ConfigError, match=rf"what decides which run it is cannot change; leave out .*{key}"):
            resume(run, changed, force=True)


def test_an_option_that_the_environment_refuses_ends_the_run(tmp_path: Path) -> None:
    file = tmp_path / "wrong_options.py"
    file.write_text(
        "from agentgym.curriculum import Curriculum\nfrom agentgym.draw import Draw\n"
        "class Wrong(Curriculum):\n"
        "    def draw(self, ordinal): return Draw(task=self.order[ordinal], options={'rnug': 1})\n"
    )
    with pytest.raises(UserError, match="ladder has no option rnug; known: rung"):
        train({**CLIMBING, "curriculum": f"{file}:Wrong", "output": tmp_path / "run"})


STAGES: list[dict[str, Any]] = [
    {"name": "low", "options": {"rung": 0}, "rewards": {"turn-cost": 5.0}, "max_updates": 2},
    {"name": "high", "options": {"rung": 2}, "rewards": {"success": 0.0}, "max_updates": 3},
    {"name": "all"},
]
STAGED: dict[str, Any] = {
    **CLIMBING,
    "curriculum": {"id": "staged", "stages": STAGES, "max_updates": 9, "window": 2, "unsteady": 100.0},
    "rewards": {"success": 1.0, "turn-cost": 0.5},
    "trainer": {"id": "grpo", "groups": 3, "group_size": 2},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 1},
    "updates": 20,
}


@pytest.mark.slow
def test_stages_are_gone_through_and_told_and_an_interruption_changes_nothing(tmp_path: Path) -> None:
    runs = tmp_path / "whole", tmp_path / "broken"
    train({**STAGED, "output": runs[0]})
    with pytest.raises(KeyboardInterrupt):
        train({**STAGED, "output": runs[1]}, reporter=Notes("training", 3))
    assert position(runs[1])["curriculum"]["at"] == 1, "in the middle of the second"
    resume(runs[1])
    told = [report(run)["curriculum"] for run in runs]
    assert told[0] == told[1]
    assert [(stage["name"], stage["updates"]) for stage in told[0]["stages"][:2]] == [("low", 2), ("high", 3)]
    assert told[0]["stages"][2]["ended"] == "9 updates, the most it may have", (
        "where nothing is learned nothing is calm"
    )
    ledgers = [Run.open(run).ledger() for run in runs]
    assert ledgers[0] == ledgers[1]
    assert len(ledgers[0]) == 3 * 14, "when the last stage ends, training does"
    assert [entry.options for entry in ledgers[0][::3]] == [{"rung": 0}] * 2 + [{"rung": 2}] * 3 + [{}] * 9


def test_a_stage_pays_by_its_own_factors(tmp_path: Path) -> None:
    run = train({**STAGED, "output": tmp_path / "run"})
    paid: dict[float | None, dict[str, set[float]]] = {}
    with contextlib.closing(store.opened(run)) as episodes:
        for episode in episodes.episodes(stage="train", split="train"):
            for channel, value in episode.turns[0].breakdown.items():
                paid.setdefault(episode.level, {}).setdefault(channel, set()).add(value)
    assert paid[0] == {"environment": {1.0}, "success": {1.0}, "turn-cost": {-2.5}}
    assert paid[1].keys() == {"environment", "turn-cost"}
    assert (paid[1]["turn-cost"], paid[2]["turn-cost"]) == ({-0.5}, {-0.5})


def test_a_stage_that_pays_by_a_reward_that_the_run_has_not_is_told(tmp_path: Path) -> None:
    stages = [{"name": "first", "rewards": {"potential": 2.0}}]
    with pytest.raises(UserError, match=r'a factor for the reward "potential", which this run has not; .*turn-cost'):
        train({**STAGED, "curriculum": {"id": "staged", "stages": stages}, "output": tmp_path / "run"})


def test_an_expert_begins_and_the_policy_goes_on_and_only_in_training(tmp_path: Path) -> None:
    settings = {
        **CLIMBING,
        "env": {"id": "blocksworld", "level": "b3"},
        "curriculum": {"id": "reverse", "start": 2, "every": 3},
        "warm_start": {"enabled": False},
        "updates": 1,
    }
    run = train({**settings, "output": tmp_path / "run"})
    with contextlib.closing(store.opened(run)) as episodes:
        found = list(episodes.episodes(role="policy"))
    begun = {(each.stage, each.ordinal % 3 if each.ordinal is not None else None, len(each.shown)) for each in found}
    trained = {each for each in begun if each[0] == "train" and each[1] is not None}
    assert trained == {("train", 0, 2), ("train", 1, 2), ("train", 2, 0)}
    assert {each[2] for each in begun - trained} == {0}
    assert report(run)["curriculum"]["shown_turns"] == {"first": 2, "last": 2}


def test_who_has_no_expert_begins_at_the_beginning(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'has no expert\(\) to begin episodes for the curriculum "reverse"'):
        train({**CLIMBING, "curriculum": "reverse", "output": tmp_path / "run"})
