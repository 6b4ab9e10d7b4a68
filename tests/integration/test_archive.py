"""What a run keeps of its episodes, and what can be made of them."""

from __future__ import annotations

import collections
import contextlib
import signal
from pathlib import Path

import pytest

from agentgym import store
from agentgym.archive import Archive
from agentgym.errors import UserError
from agentgym.launch import evaluate, train
from agentgym.types import Trajectory
from tests.integration.finished import SETTINGS
from tests.kit import BELL, report
from tests.typed import Typed, agentgym

__all__ = ["agentgym"]


def kept(run: Path) -> list[Trajectory]:
    with Archive.open(run) as archive:
        return list(archive.episodes())


def test_every_episode_is_kept_and_says_where_it_belongs(finished: Path) -> None:
    counts = collections.Counter((each.stage, each.split, each.update) for each in kept(finished))
    with Archive.open(finished) as archive:
        (last,) = {card.update for card in archive.query(stage="after")}
    taught = range(1, report(finished)["stages"]["warm_start"]["updates"] + 1)
    assert sorted(counts.items()) == [
        (("after", "test", last), 12),
        (("before", "test", 0), 18),  # the expert plays them too
        *((("train", "train", update), 18) for update in (1, 2, 3, 4)),
        *((("train", "validation", update), 4) for update in (0, 2, 4)),
        *((("warm_start", "train", update), 8) for update in taught),
        *((("warm_start", "validation", update), 4) for update in taught if update in (4, 8, 12)),
    ]
    assert {each.role for each in kept(finished) if (each.stage, each.split) == ("warm_start", "train")} == {"expert"}
    names = [(each.stage, each.split, each.update, each.episode_id) for each in kept(finished)]
    assert len(set(names)) == len(names)


def test_tokens_carry_the_update_that_they_were_sampled_after(finished: Path) -> None:
    for each in kept(finished):
        if each.stage in ("train", "before", "after"):
            assert each.update is not None
            learned = each.update - (each.split == "train")  # an update learns from what was played before it
            versions = {int(v) for sample in each.samples for v in sample.policy_versions}
            assert versions <= {-1, learned}


def test_nothing_else_holds_episodes(finished: Path) -> None:
    assert [path.name for path in finished.iterdir() if "episodes" in path.name or "trajectories" in path.name] == [
        "episodes.sqlite"
    ]


def test_a_share_is_kept(finished: Path, tmp_path: Path) -> None:
    thin = train({**SETTINGS, "archive": {"keep": 0.4}, "output": tmp_path / "run"})
    few, all_of_them = kept(thin), kept(finished)
    assert 4 < len(few) < len(all_of_them)
    assert all(each in all_of_them for each in few)
    groups = collections.Counter(each.group_id for each in few if (each.stage, each.split) == ("train", "train"))
    assert set(groups.values()) == {6}
    assert sum((each.stage, each.split, each.update) == ("train", "validation", 0) for each in few) == 4


def test_episodes_are_taken_out_and_brought_in(agentgym: Typed, finished: Path) -> None:
    code, printed, errors = agentgym("export", finished, "--stage", "train", "--split", "train", "-o", "out.jsonl")
    assert (code, printed) == (0, "72 episodes are written to out.jsonl\n"), errors
    out = list(store.read(Path("out.jsonl")))
    assert out == [each for each in kept(finished) if (each.stage, each.split) == ("train", "train")]
    code, _, errors = agentgym("export", "out.jsonl", "--update", 2, "-o", "in")
    assert code == 0, errors
    assert kept(Path("in")) == [each for each in out if each.update == 2]
    code, printed, _ = agentgym("export", "in", "--failure")
    assert [Trajectory.model_validate_json(line) for line in printed.splitlines()] == [
        each for each in kept(Path("in")) if not each.success
    ]
    assert agentgym("export", "in", "-o", "in")[0] == 2
    code, _, errors = agentgym("export", "nowhere")
    assert code == 2
    assert "there is no nowhere; expected episodes: a run, or what agentgym record --output" in errors
    code, _, errors = agentgym("export", ".")
    assert code == 2
    assert "there are no episodes in .: it has no episodes.sqlite" in errors


def test_a_run_teaches_the_next_one(finished: Path, tmp_path: Path) -> None:
    if not any(each.success for each in kept(finished)):
        pytest.fail("the expert's episodes are successes")
    taught = train(
        {
            **{key: value for key, value in SETTINGS.items() if key != "warm_start"},
            "model": str(finished),
            "trainer": {"id": "sft", "data": str(finished), "batch_size": 2},
            "output": tmp_path / "taught",
        }
    )
    stages = {(each.stage, each.split) for each in kept(taught)}
    assert stages == {("before", "test"), ("train", "validation"), ("after", "test")}  # it played nothing to learn from


def test_an_interrupted_measurement_keeps_what_was_played(finished: Path, tmp_path: Path) -> None:
    class Impatient:
        def begin(self, stage: str, total: int, unit: str) -> None: ...

        def advance(self, done: int, values: object) -> None:
            if done == 4:
                signal.raise_signal(signal.SIGINT)

        def note(self, text: str) -> None: ...

    given = {"env": BELL, "rollout": {"max_reply_tokens": 3, "concurrency": 1}}
    for name in ("seen", "seen.jsonl"):
        with pytest.raises(KeyboardInterrupt):
            evaluate(given, str(finished), episodes=9, trajectories=tmp_path / name, reporter=Impatient())
        with contextlib.closing(store.opened(tmp_path / name)) as seen:
            names = [card.episode_id for card in seen.query(split="test")]
        assert 4 <= len(names) < 9
        assert names == [f"evaluate-{i}" for i in range(len(names))]


def test_places_that_cannot_be_written_are_refused_before_anything_is_played(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/below", "file/below.jsonl"):
        with pytest.raises(
            UserError, match=r"expected a directory for an archive|cannot write .*; choose another place"
        ):
            evaluate({"env": BELL}, str(finished), episodes=1, trajectories=tmp_path / place)
