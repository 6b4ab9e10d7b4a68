"""Episodes that measure: what is counted, what is asked for, and who is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ConfigError, UserError
from agentgym.launch import evaluation
from agentgym.launch.evaluation import measure, play_tasks
from agentgym.launch.resolving import resolve
from agentgym.launch.score import Score, score
from agentgym.rollout import EpisodeSpec, Limits
from agentgym.store import read
from agentgym.types import StopReason, Trajectory
from tests.kit import BELL, Notes, episode
from tests.unit.launch.kit import Listening, Stand, stand_of, workbench


def test_a_score_by_hand() -> None:
    won = episode(0.0, 1.0, success=True, shaped=0.5)
    lost = [episode(0.25, task=task) for task in (1, 2, 3)]
    void = episode(8.0, 8.0, 8.0, success=True, stop=StopReason.ENV_ERROR)
    assert score([void, won, *lost]) == Score(
        success=0.25,
        ci95=(0.0456, 0.6994),  # Wilson, 1 of 4
        reward=0.4375,  # 1 and three times 0.25, whatever the shaper adds
        episodes=4,
        tasks=4,
        void=1,
        turns=1.25,
        unread_turns=0.0,
        invalid_turns=0.0,
        stop_reasons={"terminated": 4, "env_error": 1},
        temperature=None,
    )


def test_success_is_what_the_episode_says_and_not_its_reward() -> None:
    assert score([episode(1.0), episode(1.0)]).success == 0.0
    assert score([episode(0.0, success=True)]).success == 1.0


@pytest.mark.parametrize("stop", [StopReason.ABORTED, StopReason.DEADLINE, StopReason.ENV_ERROR])
def test_where_nothing_counts_there_is_no_score(stop: StopReason) -> None:
    with pytest.raises(
        UserError, match="nothing to measure: its environment broke in every episode, so that none counts; no server"
    ):
        score([episode(1.0, stop=stop), episode(1.0, stop=stop, error="no server")])
    with pytest.raises(UserError, match=r"^nothing to measure: there were no episodes$"):
        score([])


def stand(play: Any = lambda spec: episode(0.0)) -> tuple[Any, Listening]:
    engine = Listening()
    return Stand(engine, play), engine


def test_each_task_is_played_by_all_samples_from_seeds_of_its_own() -> None:
    rollout, engine = stand()
    asyncio.run(play_tasks(rollout, engine, [4, 9], name="look", split="test", samples=2, seed=3))
    (played,) = rollout.played
    told = [(spec.task, spec.member, spec.group_id, spec.episode_id, spec.split) for spec in played.specs]
    assert told == [
        (4, 0, "look-0", "look-0", "test"),
        (4, 1, "look-0", "look-0-1", "test"),
        (9, 0, "look-1", "look-1", "test"),
        (9, 1, "look-1", "look-1-1", "test"),
    ]
    seeds = [spec.seed for spec in played.specs]
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert (played.shaped, played.limits) == (False, None)
    assert {asked.temperature for asked in engine.asked} == {0.0}


def test_a_tasks_seed_depends_on_the_seed_and_the_task_and_not_on_its_place() -> None:
    rollout, engine = stand()
    for tasks, seed in (([4, 9], 3), ([9], 3), ([9], 4)):
        asyncio.run(play_tasks(rollout, engine, tasks, seed=seed, name=str(seed)))
    first, again, other = ([spec.seed for spec in played.specs] for played in rollout.played)
    assert first[1:] == again != other


def test_how_tokens_are_drawn_and_what_limits_there_are_is_passed_on() -> None:
    rollout, engine = stand()
    limits, ended = Limits(max_turns=7), list[Trajectory]()
    draw: dict[str, Any] = {"temperature": 0.7, "top_p": 0.9, "top_k": 5, "min_p": 0.1}
    played = asyncio.run(play_tasks(rollout, engine, [1], limits=limits, on_episode=ended.append, **draw))
    assert rollout.played[0].limits is limits
    assert rollout.played[0].release == engine.release
    assert ended == played
    (asked,) = engine.asked
    assert {name: getattr(asked, name) for name in draw} == draw


# -- agentgym.evaluate -----------------------------------------------------------------------------------


class Measured:
    """A call of ``measure`` on hand-made parts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, play: Any = None, **given: Any) -> None:
        self.bench = workbench(folder, play or (lambda spec: episode(1.0, success=True)))
        self.settings = resolve({"env": BELL, "seed": 5})
        self.settings.rollout = self.settings.rollout.model_copy(update=given)
        self.settings.rollout.__pydantic_fields_set__ = set(given)
        self.notes, self.warning = Notes(), ""

        @contextlib.asynccontextmanager
        async def assembled(settings: Any) -> AsyncIterator[Any]:
            yield self.bench.parts

        monkeypatch.setattr(evaluation, "assembled", assembled)

    def __call__(self, **changes: Any) -> tuple[Score, list[Trajectory]]:
        asked: dict[str, Any] = {"episodes": 3, "split": "test", "temperature": 0.0, "samples": 1, "trajectories": None}
        return asyncio.run(measure(self.settings, **{**asked, **changes}, reporter=self.notes))


def test_the_first_tasks_of_the_split_are_measured_and_every_episode_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Measured(tmp_path, monkeypatch)
    found, episodes = measured(samples=2, temperature=0.5)
    assert (found.episodes, found.success) == (6, 1.0)
    assert [each.task for each in episodes] == [200, 200, 201, 201, 202, 202]
    assert {each.split for each in episodes} == {"test"}
    assert measured.notes.begun == [("test tasks", 6, "episodes")]
    assert [done for _, done, _ in measured.notes.advanced] == [1, 2, 3, 4, 5, 6]
    told, sample = measured.notes.notes[1], measured.notes.notes[0].splitlines()
    assert told == (
        "success 1.000 [0.439, 1.000], reward 1.000, 6 episodes, 1.0 turns each; 0.0% of the replies could not be "
        "read, 0.0% of the actions had no effect; ended: terminated 6"
    )
    assert sample == [
        "one of them, task 200: success, reward 1, ended by the environment",
        "  1 seen: seen 0",
        "    said: said 0",
    ]
    assert [values for _, _, values in measured.notes.advanced][-1] == {"success": 1.0, "reward": 1.0}
    engine: Any = measured.bench.parts.engine
    assert {asked.temperature for asked in engine.asked} == {0.5}


def test_the_seed_of_the_settings_decides_and_too_few_tasks_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Measured(tmp_path, monkeypatch)
    measured(episodes=9)
    assert not any(note.startswith("the split") for note in measured.notes.notes)
    measured.settings.seed = 6
    measured(episodes=10)
    assert [note for note in measured.notes.notes if note.startswith("the split")] == ["the split test has 9 tasks"]
    one, other = ([spec.seed for spec in played.specs] for played in stand_of(measured.bench).played)
    assert not set(one) & set(other)


def test_filters_hold_where_something_is_sampled_and_are_refused_where_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Measured(tmp_path, monkeypatch, top_p=0.5, min_p=0.25)
    measured(temperature=1.0, episodes=1)
    engine: Any = measured.bench.parts.engine
    (asked,) = engine.asked
    assert (asked.top_p, asked.min_p, asked.top_k) == (0.5, 0.25, 0)
    with pytest.raises(ConfigError, match=r"rollout\.min_p has no effect at temperature 0"):
        measured()


def test_episodes_are_written_as_they_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "played.jsonl"

    def play(spec: EpisodeSpec) -> Trajectory:
        if spec.task == 202:
            raise KeyboardInterrupt
        return episode(1.0)

    measured = Measured(tmp_path, monkeypatch, play)
    with pytest.raises(KeyboardInterrupt):
        measured(trajectories=file)
    assert [each.task for each in read(file)] == [200, 201]
    assert measured.notes.notes == [
        "interrupted after 2 of 3 episodes: success 0.000 [0.000, 0.658], reward 1.000, 2 episodes, 1.0 turns each; "
        "0.0% of the replies could not be read, 0.0% of the actions had no effect; ended: terminated 2; "
        f"they are in {file}"
    ]


def test_an_interruption_before_the_first_episode_says_how_to_keep_what_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(spec: EpisodeSpec) -> Trajectory:
        raise KeyboardInterrupt

    measured = Measured(tmp_path, monkeypatch, play)
    with pytest.raises(KeyboardInterrupt):
        measured()
    assert measured.notes.notes == ["interrupted after 0 of 3 episodes; add --trajectories PATH to keep what is played"]


@pytest.mark.parametrize(("number", "kind"), [(28, UserError), (2, OSError)])
def test_a_disk_that_refuses_is_told_and_other_troubles_are_not_hidden(
    number: int, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(spec: EpisodeSpec) -> Trajectory:
        raise OSError(number, "trouble")

    with pytest.raises(kind, match="make room, or choose another place" if kind is UserError else "trouble"):
        Measured(tmp_path, monkeypatch, play)(trajectories=tmp_path / "played.jsonl")
