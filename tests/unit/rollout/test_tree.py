"""Episodes that are forked: what the lines of a tree share, and that a tree of degree one is a plain episode."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
import torch

import agentgym
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.actors.scripted import ScriptedEngine
from agentgym.errors import EngineError, EnvError, SnapshotError, UserError
from agentgym.hosts import Where
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.rows import rows_of
from agentgym.protocols.plain import Plain
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec, Limits, Rollout, Tree, engine_actor
from agentgym.snapshot import Mark
from agentgym.types import StopReason, Trajectory
from agentgym.visit import Player
from tests.kit import chat, one_thread, tiny_model
from tests.unit.rollout.kit import Stage, Stages, rollout_on, says, seen, spec, timeless

__all__ = ["one_thread"]

TOKENIZER = chat()
MODEL = tiny_model(vocab_size=len(TOKENIZER.hf), max_position_embeddings=2048)
EVERYWHERE = pytest.mark.parametrize("where", ["loop", "threads", "processes"])
BLOCKS = EnvFactory("blocksworld", {"level": "b3"})
LIMITS = Limits(max_turns=6, max_reply_tokens=8)


class Maze(agentgym.Env):
    """Ends at "out", breaks at "break"."""

    instructions = "Get out."

    def reset(self, **_: Any) -> Any:
        return f"room {self.np_random.integers(1000)}", {}

    def step(self, action: str) -> Any:
        if action == "break":
            raise ZeroDivisionError("wall")
        return f"room {self.np_random.integers(1000)}", 0.25, action == "out", False, {}


class OneWay(Maze):
    restored_by = "none"


def specs(num: int) -> list[EpisodeSpec]:
    return [
        EpisodeSpec(task=i // 3, seed=i // 3, member=i % 3, group_id=str(i // 3), episode_id=f"{i // 3}-{i % 3}")
        for i in range(num)
    ]


def rollout_of(make_env: Any, where: Where = "loop", **options: Any) -> Rollout:
    return Rollout(make_env, TOKENIZER, Plain(), **{"limits": LIMITS, "max_context": 2048, "where": where, **options})


def tree_of(rollout: Rollout, engine: EmbeddedEngine | ScriptedEngine, degree: int, *turns: int) -> Tree:
    actor = engine_actor(engine, temperature=1.0)
    return Tree(rollout=rollout, actor=actor, degree=degree, turns=turns, release=engine.release, fork=engine.fork)


def script(*replies: str) -> ScriptedEngine:
    """Says the replies one after another, whatever it is asked."""
    left = iter(replies)
    return ScriptedEngine(lambda prompt: [*TOKENIZER.encode(next(left)), TOKENIZER.stop_token_ids[0]])


def grown(engine: Any, degree: int, *turns: int, env: Any = Maze, limits: Limits = LIMITS) -> list[Trajectory]:
    async def go() -> list[Trajectory]:
        rollout = rollout_of(env, limits=limits)
        try:
            return await tree_of(rollout, engine, degree, *turns).play(specs(1)[0])
        finally:
            await rollout.close()

    return asyncio.run(go())


@dataclasses.dataclass
class Sessions:
    """Which sessions a tree opens, forks and releases."""

    forked: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    released: list[str] = dataclasses.field(default_factory=list)

    async def fork(self, session: str, new: str) -> None:
        self.forked.append((session, new))
        assert len(self.forked) < 50, "it branches for ever"

    def tree(self, stages: Stages, degree: int, *turns: int, actor: Any = None, **limits: Any) -> Tree:
        rollout = rollout_on(stages, limits=Limits(**{"max_turns": 4, **limits}))
        return Tree(
            rollout=rollout,
            actor=actor or says(),
            degree=degree,
            turns=turns,
            release=self.released.append,
            fork=self.fork,
        )


def test_a_mark_is_forgotten_once_its_last_fork_was_played_and_not_before() -> None:
    forgotten: list[list[str]] = []

    class Watched(Stage):
        async def load(self, mark: Mark) -> Any:
            forgotten.append(list(self.forgotten))
            return await super().load(mark)

    sessions, stage = Sessions(), Watched(seen())
    lines = timeless(sessions.tree(Stages(stage), 3, 2, 1, max_turns=3).play(spec()))
    names = ["e", "e.2-1", "e.2-2", "e.1-1", "e.1-1.2-1", "e.1-1.2-2", "e.1-2", "e.1-2.2-1", "e.1-2.2-2"]
    assert [line.episode_id for line in lines] == names
    assert [line.branch_turn for line in lines] == [None, 2, 2, 1, 2, 2, 1, 2, 2]
    assert stage.loaded == ["mark 2", "mark 2", "mark 1", "mark 3", "mark 3", "mark 1", "mark 4", "mark 4"]
    two, three, one = [["mark 2"], ["mark 2", "mark 3"], ["mark 2", "mark 3", "mark 1"]]
    assert forgotten == [[], [], two, two, two, three, one, one]
    assert stage.forgotten == ["mark 2", "mark 3", "mark 1", "mark 4"]
    assert sorted(sessions.released) == sorted(f"{name}/0" for name in names)
    assert sessions.forked[:2] == [("e/0", "e.1-2/0"), ("e/0", "e.1-1/0")]
    assert len(stage.resets) == 1


def test_forks_sample_each_in_their_own_way() -> None:
    members: list[tuple[str, int]] = []
    actor = says()

    async def act(episode: Any) -> Any:
        members.append((episode.spec.episode_id, episode.spec.member))
        return await actor(episode)

    timeless(Sessions().tree(Stages(Stage(seen())), 2, 0, 1, actor=act, max_turns=2).play(spec(member=4)))
    assert len(set(dict(members).values())) == 4
    assert dict(members)["e"] == 4
    assert len({name for name, _ in members}) == 4


def test_a_branch_right_after_the_reset_shares_nothing_but_what_is_seen() -> None:
    sessions = Sessions()
    lines = timeless(sessions.tree(Stages(Stage(seen())), 2, 0, max_turns=1).play(spec()))
    assert [(line.episode_id, line.branch_turn, len(line.turns)) for line in lines] == [("e", None, 1), ("e.0-1", 0, 1)]


def test_a_summary_just_before_a_branch_moves_it_and_a_turn_that_was_passed_is_left_out() -> None:
    """The second reply is a summary and an action at once: where two turns were asked for, three are on record."""
    told: dict[str, Any] = {"context_tokens": 280, "on_overflow": "summarize", "max_turns": 5}
    stage = Stage(seen("a"), first="long" * 60)
    lines = timeless(Sessions().tree(Stages(stage), 2, 2, 3, **told).play(spec()))
    assert [turn.is_summary for turn in lines[0].turns] == [False, True, False, False, False]
    assert [(line.episode_id, line.branch_turn) for line in lines] == [("e", None), ("e.3-1", 3)]


def test_what_was_put_aside_is_released_though_it_is_not_played() -> None:
    sessions = Sessions()
    stages = Stages(Stage(seen(), EnvError("broke")))
    (line,) = timeless(sessions.tree(stages, 3, 1).play(spec()))
    assert line.stop_reason is StopReason.ENV_ERROR
    assert sorted(sessions.released) == ["e.1-1/0", "e.1-2/0", "e/0"]
    (stage,) = stages.opened
    assert (stage.num_killed, stage.loaded, stage.forgotten) == (1, [], [])


def test_forks_that_were_made_before_one_failed_are_released() -> None:
    class Full(Sessions):
        async def fork(self, session: str, new: str) -> None:
            if self.forked:
                raise EngineError("no room")
            await super().fork(session, new)

    sessions = Full()
    with pytest.raises(EngineError, match="no room"):
        timeless(sessions.tree(Stages(Stage(seen())), 3, 1).play(spec()))
    assert sessions.forked == [("e/0", "e.1-2/0")]
    assert sorted(sessions.released) == ["e.1-2/0", "e/0"]


def test_a_moment_of_a_host_that_is_killed_is_not_forgotten_there() -> None:
    stage = Stage(seen(), seen(over=True), EnvError("broke"))
    lines = timeless(Sessions().tree(Stages(stage), 2, 1).play(spec()))
    assert [line.stop_reason for line in lines] == [StopReason.TERMINATED, StopReason.ENV_ERROR]
    assert (stage.loaded, stage.forgotten, stage.num_killed) == (["mark 1"], [], 1)
    assert [line.attempt for line in lines] == [0, 0]


def test_a_host_that_does_not_forget_in_time_is_killed_and_its_lines_stay() -> None:
    class Keeps(Stage):
        async def forget(self, *marks: Mark) -> None:
            await asyncio.sleep(10**6)

    stage = Keeps(seen(), seen(over=True))
    lines = timeless(Sessions().tree(Stages(stage), 2, 1).play(spec()))
    assert [line.stop_reason for line in lines] == [StopReason.TERMINATED, StopReason.TERMINATED]
    assert stage.num_killed == 1


def test_a_mistake_in_a_tree_kills_the_host_and_releases_all() -> None:
    sessions = Sessions()
    stages = Stages(Stage(seen(), UserError("no")))
    with pytest.raises(UserError, match="no"):
        timeless(sessions.tree(stages, 2, 1).play(spec()))
    assert sorted(sessions.released) == ["e.1-1/0", "e/0"]
    assert stages.opened[0].num_killed == 1


def test_a_tree_gives_its_host_back() -> None:
    async def go() -> None:
        stages = Stages(Stage(seen()))
        tree = Sessions().tree(stages, 2, 1)
        await tree.play(spec("a"))
        await tree.play(spec("b"))
        (stage,) = stages.opened
        assert (len(stage.resets), stage.num_killed) == (2, 0)

    timeless(go())


def test_a_tree_of_degree_one_saves_nothing() -> None:
    stage = Stage(seen())
    (line,) = timeless(Sessions().tree(Stages(stage), 1, 0, 1).play(spec()))
    assert (len(line.turns), stage.saved, stage.loaded) == (4, 0, [])


def test_a_tree_of_degree_one_is_a_plain_episode_to_the_bit() -> None:
    async def flat() -> list[Trajectory]:
        engine, rollout = EmbeddedEngine(MODEL, max_sessions=9), rollout_of(BLOCKS)
        return await rollout.run(specs(9), engine_actor(engine, temperature=1.0), release=engine.release)

    async def branched() -> list[Trajectory]:
        tree = tree_of(rollout_of(BLOCKS), EmbeddedEngine(MODEL, max_sessions=9), 1, 0, 1, 2)
        return [line for lines in await asyncio.gather(*map(tree.play, specs(9))) for line in lines]

    expected, found = asyncio.run(flat()), asyncio.run(branched())
    assert [line.model_dump_json() for line in found] == [line.model_dump_json() for line in expected]
    assert len({trajectory.samples[0].token_ids[-1] for trajectory in found}) > 1
    for one, other in zip(batches(found), batches(expected), strict=True):
        for field in dataclasses.fields(one):
            ours, theirs = getattr(one, field.name), getattr(other, field.name)
            assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs


def batches(trajectories: list[Trajectory]) -> list[Microbatch]:
    rows = [row for number, trajectory in enumerate(trajectories) for row in rows_of(trajectory, float(number))]
    return list(microbatches(rows, [1.0 / len(rows)] * len(rows), max_tokens=2000))


@EVERYWHERE
def test_lines_share_what_was_before_and_go_on_by_themselves(where: Where) -> None:
    async def go() -> list[Trajectory]:
        rollout, engine = rollout_of(BLOCKS, where), EmbeddedEngine(MODEL, max_sessions=3)
        lines = await tree_of(rollout, engine, 3, 0, 2).play(specs(1)[0])
        assert rollout.num_running == 0
        await rollout.close()
        return lines

    lines = asyncio.run(go())
    by_id = {line.episode_id: line for line in lines}
    assert list(by_id) == [
        *("0-0", "0-0.2-1", "0-0.2-2"),
        *("0-0.0-1", "0-0.0-1.2-1", "0-0.0-1.2-2"),
        *("0-0.0-2", "0-0.0-2.2-1", "0-0.0-2.2-2"),
    ]
    assert len({tuple(turn.reply for turn in line.turns) for line in lines}) == len(lines)
    with Player(BLOCKS()) as player:
        for line in lines:
            seen = [player.reset(line.task, line.seed)]
            for turn in line.turns:
                result = player.step(turn.action or "")
                seen.append(result.observation)
                assert result.reward == turn.reward
            assert [*(turn.observation for turn in line.turns), line.final_observation] == seen
    for line in lines[1:]:
        parent, at = by_id[line.parent_id or ""], line.branch_turn
        assert at in (0, 2)
        assert line.turns[:at] == parent.turns[:at]
        assert line.turns[at].reply != parent.turns[at].reply
        ours, theirs = line.samples[0], parent.samples[0]
        shared = sum(index < at for index in ours.turn_index)
        assert list(ours.token_ids[:shared]) == list(theirs.token_ids[:shared])
        assert list(ours.logprobs[:shared]) == list(theirs.logprobs[:shared])
    assert (lines[0].parent_id, lines[0].branch_turn) == (None, None)


def test_an_episode_that_ends_before_a_branch_has_none() -> None:
    (line,) = grown(script("a", "out"), 4, 2, 3)
    assert (line.stop_reason, len(line.turns)) == (StopReason.TERMINATED, 2)


def test_a_branch_that_breaks_is_void_and_ends_the_tree() -> None:
    lines = grown(script("a", "out", "break"), 3, 1)
    assert [line.stop_reason for line in lines] == [StopReason.TERMINATED, StopReason.ENV_ERROR]
    assert [[turn.reply for turn in line.turns] for line in lines] == [["a", "out"], ["a", "break"]]
    assert "ZeroDivisionError: wall" in str(lines[1].error)
    assert lines[1].branch_turn == 1


def test_what_cannot_be_saved_cannot_branch() -> None:
    with pytest.raises(SnapshotError, match="OneWay cannot be saved: there is no way back"):
        grown(script("a"), 2, 1, env=OneWay)
    assert len(grown(script("a", "out"), 1, 1, env=OneWay)) == 1
    with pytest.raises(ValueError, match="degree is 0, expected 1 or more"):
        grown(script("a"), 0, 1)


def test_a_play_is_taken_turn_by_turn_and_forked_onto_another_host() -> None:
    async def go() -> None:
        rollout, engine = rollout_of(Maze, concurrency=2), script("a", "b", "out", "c", "out")
        actor = engine_actor(engine, temperature=1.0)
        async with rollout.seat() as one, rollout.seat() as two:
            assert rollout.num_running == 2
            play = rollout.play(one.host, specs(1)[0], actor, release=engine.release)
            await play.begin()
            assert await play.turn() is False
            fork = play.fork(EpisodeSpec(task=0, seed=0, episode_id="fork"), two.host, await play.save())
            assert [await play.turn() for _ in range(2)] == [False, True]
            with pytest.raises(ValueError, match="episode 0-0 is over: there is nothing to go on with"):
                play.fork(fork.spec, two.host, fork.mark)  # type: ignore[arg-type]
            await fork.run()
        assert rollout.num_running == 0
        await play.run()  # nothing is left to do but to write down the tokens
        first, second = play.trajectory, fork.trajectory
        assert [turn.reply for turn in first.turns] == ["a", "b", "out"]
        assert [turn.reply for turn in second.turns] == ["a", "c", "out"]
        assert [turn.observation for turn in first.turns] == [turn.observation for turn in second.turns]
        assert (second.parent_id, second.branch_turn, second.reward) == ("0-0", 1, 0.75)

    asyncio.run(go())
