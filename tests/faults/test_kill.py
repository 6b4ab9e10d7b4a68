"""A run that is killed at any moment and resumed is, to the bit, the run that was not.

Sent is a real SIGKILL, at moments spread evenly over the time that the whole run takes, start-up and end included.
AGENTGYM_KILLS sets how many the slow test sends.
"""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.learn import checkpoint
from agentgym.ledger import audit
from agentgym.run import Run
from tests.faults.kit import SETTINGS, Nursery, assert_same, either, everywhere, kept, tensors
from tests.kit import ROOT, report

NUM_KILLS = int(os.environ.get("AGENTGYM_KILLS", "4"))


@dataclasses.dataclass
class Whole:
    """A run that nobody killed."""

    directory: Path
    seconds: float


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("log") / "log.txt")
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def whole(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    directory = tmp_path_factory.mktemp("whole") / "run"
    code, seconds = nursery.train(directory)
    assert code == 0, nursery.log.read_text()
    return Whole(directory, seconds)


def finish(nursery: Nursery, run: Path) -> None:
    code, _ = nursery.train(run)
    assert code == 0, nursery.log.read_text()[-3000:]


@pytest.mark.slow
def test_the_same_run_twice_is_the_same(nursery: Nursery, whole: Whole, tmp_path: Path) -> None:
    finish(nursery, tmp_path / "run")
    assert_same(tmp_path / "run", whole.directory)
    assert kept(whole.directory) == ["2-train-000003", "2-train-000004", "3-after-000000", "4-done-000000"]
    names = {name.partition("/")[2].partition("/")[2] for name in tensors(whole.directory) if "2-train" in name}
    assert names == {
        "policy/model.safetensors",
        "learners/policy/optimizer.safetensors",
        "learners/critic/optimizer.safetensors",
        "learners/critic/weights.safetensors",
        "modules/reference.safetensors",
    }


def kill_somewhere(nursery: Nursery, whole: Whole, parent: Path, num: int, *, seed: int) -> None:
    """Kill ``num`` runs once each, finish them and compare.

    A run that was over before it could be killed is compared too; its time is then the one to draw moments from, since
    the machine may have been busier when ``whole`` was measured.
    """
    rng, limit, num_over = random.Random(seed), whole.seconds, 0
    for index in range(num):
        run = parent / str(index)
        code, seconds = nursery.train(run, kill_after=rng.uniform(0, limit))
        while code == 0:
            assert_same(run, whole.directory)
            shutil.rmtree(run)
            num_over, limit = num_over + 1, min(limit, seconds)
            code, seconds = nursery.train(run, kill_after=rng.uniform(0, limit))
        assert code == -signal.SIGKILL, nursery.log.read_text()[-3000:]
        finish(nursery, run)
        assert_same(run, whole.directory)
        shutil.rmtree(run)
    print(f"{num} killed and resumed, {num_over} more were over before that; a run takes {limit:.1f} s")


@pytest.mark.slow
def test_killed_in_many_places(nursery: Nursery, whole: Whole, tmp_path: Path) -> None:
    kill_somewhere(nursery, whole, tmp_path, NUM_KILLS, seed=2)


TRAINERS: dict[str, dict[str, Any]] = {
    "grpo": {"groups": 8, "group_size": 2, "kl_coefficient": 0.05},
    "rloo": {"groups": 8, "group_size": 2},
    "ppo": {"episodes": 8},
    "dpo": {"groups": 8, "group_size": 2, "replay": 1, "reference": "model"},
    "mixed": {"groups": 8, "group_size": 2, "demonstrations": 2},
    "cory": {"groups": 8, "group_size": 2, "swap_every": 1},
    "agent-q": {"groups": 8, "group_size": 4, "replay": 1},
}


@pytest.mark.parametrize(("trainer", "hosts"), everywhere(TRAINERS))
def test_killed_whatever_the_trainer(trainer: str, hosts: str, nursery: Nursery, tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"trainer": {"id": trainer, **TRAINERS[trainer]}}
    chosen["rollout"] = {**SETTINGS["rollout"], "hosts": hosts}
    code, seconds = nursery.train(tmp_path / "whole", **chosen)
    assert code == 0, nursery.log.read_text()[-3000:]
    run = tmp_path / "run"
    for share in (0.4, 0.6, 0.8):
        nursery.train(run, kill_after=share * seconds, **chosen)
    finish(nursery, run)
    assert_same(run, tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("trainer", "mode"), either(["grpo", "rloo", "ppo", "dpo", "agent-q"]))  # no other plays ahead
def test_killed_while_playing_ahead(trainer: str, mode: str, nursery: Nursery, tmp_path: Path) -> None:
    """What is played ahead depends on the clock, so no two runs are the same; but nothing is lost or done twice."""
    chosen: dict[str, Any] = {"trainer": {"id": trainer, **TRAINERS[trainer]}, "mode": mode}
    run = tmp_path / "run"
    codes = [nursery.train(run, kill_after=seconds, **chosen)[0] for seconds in (3, 4, 5)]
    assert set(codes) <= {0, -signal.SIGKILL}, nursery.log.read_text()[-3000:]
    code, _ = nursery.train(run, **chosen)
    assert code == 0, nursery.log.read_text()[-3000:]
    seen = [line for line in Run.open(run).metrics() if line["stage"] == "train"]
    assert [line["update"] for line in seen] == list(range(1, SETTINGS["updates"] + 1))
    assert max(line["staleness_max"] for line in seen) <= (1 if mode == "async" else 2)
    num = 8 * SETTINGS["updates"]
    assert sum(audit(Run.open(run).ledger(), until=num).values()) == num


@pytest.mark.slow
def test_killed_again_and_again(nursery: Nursery, whole: Whole, tmp_path: Path) -> None:
    rng = random.Random(3)
    codes: list[int] = []
    while not codes or codes[-1]:
        limit = rng.uniform(0, whole.seconds) if len(codes) < 6 else None
        codes.append(nursery.train(tmp_path / "run", kill_after=limit)[0])
        assert codes[-1] in (0, -signal.SIGKILL), nursery.log.read_text()[-3000:]
    assert len(codes) > 1
    assert_same(tmp_path / "run", whole.directory)


LADDER = ROOT / "tests" / "integration" / "ladder.py"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["async", "fully-async"])
def test_killed_while_playing_ahead_it_plays_what_was_drawn(mode: str, nursery: Nursery, tmp_path: Path) -> None:
    """Of a curriculum that reacts, on an environment whose outcomes do not depend on the weights.

    Where every kill comes before training, nothing is pending: ``test_curricula`` interrupts at known updates.
    """
    changes: dict[str, Any] = {
        "env": str(LADDER),
        "curriculum": {"id": f"{LADDER}:Climbing"},
        "augment": "truncation",
        "trainer": {"id": "grpo", "groups": 3, "group_size": 2},
        "warm_start": {},
        "updates": 8,
        "mode": mode,
    }
    code, seconds = nursery.train(tmp_path / "whole", **changes)
    assert code == 0, nursery.log.read_text()[-3000:]
    whole, run, rng = draws(tmp_path / "whole"), tmp_path / "run", random.Random(4)
    expected: dict[int, tuple[object, ...]] = {}
    for limit in (*(rng.uniform(0.3, 1) * seconds for _ in range(4)), None):
        nursery.train(run, kill_after=limit, **changes)
        at = checkpoint.latest(run / "checkpoints")
        state = checkpoint.read_state(at) if at else {}
        if state.get("stage") == "train":  # what is pending may not be drawn again
            for group in state["state"]["loop"]["scheduler"]["pending"]:
                spec = group["specs"][0]
                expected[spec["ordinal"]] = (spec["task"], spec["options"], spec["level"], spec["strength"])
    found = draws(run)
    assert sorted(found) == list(range(24))
    assert {ordinal: found[ordinal] for ordinal in expected} == expected
    if mode == "async":  # else what an update takes depends on what has ended by then, and later draws on that
        assert found == whole


@pytest.mark.slow
def test_killed_in_the_middle_of_a_stage_it_goes_through_the_same_stages(nursery: Nursery, tmp_path: Path) -> None:
    """With looks at validation tasks, help that is taken away, and rewards of each stage."""
    stages = """[
        {name = "low", options = {rung = 0}, strength = 1, max_updates = 3},
        {name = "high", options = {rung = 2}, strength = 0.5, rewards = {turn-cost = 3.0}, max_updates = 4},
        {name = "all", strength = 0},
    ]"""
    changes: dict[str, Any] = {
        "env": str(LADDER),
        "curriculum": {"id": "staged", "stages": stages, "window": 2, "max_updates": 5},
        "augment": "truncation",
        "rewards": {"turn-cost": 0.5},
        "trainer": {"id": "grpo", "groups": 3, "group_size": 2},
        "warm_start": {},
        "updates": 20,
    }
    code, seconds = nursery.train(tmp_path / "whole", **changes)
    assert code == 0, nursery.log.read_text()[-3000:]
    run, rng = tmp_path / "run", random.Random(5)
    for limit in (*sorted(rng.uniform(0.4, 0.9) * seconds for _ in range(3)), None):
        nursery.train(run, kill_after=limit, **changes)
    assert draws(run) == draws(tmp_path / "whole")
    assert report(run)["curriculum"] == report(tmp_path / "whole")["curriculum"]
    assert [stage["strength"] for stage in report(run)["curriculum"]["stages"]] == [1, 0.5, 0]


def draws(run: Path) -> dict[int, tuple[object, ...]]:
    entries = Run.open(run).ledger()
    return {entry.ordinal: (entry.task, entry.options, entry.level, entry.strength) for entry in entries}


def test_the_warm_start_is_not_in_the_ledger(whole: Whole) -> None:
    run = Run.open(whole.directory)
    assert [entry.ordinal for entry in run.ledger()] == list(range(8 * SETTINGS["updates"]))
    assert {entry.update for entry in run.ledger()} == {1, 2, 3, 4}
    assert max(line["update"] for line in run.metrics() if line["stage"] == "warm_start") == 4
