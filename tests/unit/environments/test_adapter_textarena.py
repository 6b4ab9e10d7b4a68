"""TextArena: games by hand, perfect play against brute force, seats, random numbers left alone, several policies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import agentgym
from agentgym.engine import Completion
from agentgym.env import Env
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.extras import require
from agentgym.protocols.plain import Plain
from agentgym.rollout import Actor, Episode, EpisodeSpec, Limits, Rollout
from agentgym.types import Observation, StopReason, Trajectory
from tests.kit import chat

pytest.importorskip("textarena", reason="the extra textarena is not installed")

from agentgym.environments.textarena import Table, TextArena, self_play
from agentgym.environments.textarena.players import best_in_nim, best_in_tic_tac_toe


def play(env: Env, task: int, choose: Callable[[Observation], str]) -> tuple[float, dict[str, Any]]:
    """Play to the end; returns (reward, info)."""
    observation = Observation.of(env.reset(options={"task": task})[0])
    while True:
        seen, reward, over, _, info = env.step(choose(observation))
        observation = Observation.of(seen)
        if over:
            return reward, info


def first(observation: Observation) -> str:
    """The first move that is listed."""
    assert observation.admissible
    return observation.admissible[0]


def advised(env: Env) -> Callable[[Observation], str]:
    """The expert, asked at every turn."""

    def choose(observation: Observation) -> str:
        expert = env.expert()
        assert expert is not None
        return str(expert(observation))

    return choose


def test_a_game_by_hand() -> None:
    """Seat 1 against an opponent who takes the first free cell: 0, then 1, then 2, which wins."""
    env = TextArena(opponent=first, seat=1)
    observation, info = env.reset(seed=0)
    assert info == {"seat": 1}
    assert observation.startswith("You are Player 1 in Tic Tac Toe.")
    assert "Player 0: [0]" in observation
    assert observation.count("Current Board") == 1, "of several boards the last"
    assert Observation.of(observation).admissible == tuple(f"[{cell}]" for cell in range(1, 9))
    assert env.step("8")[1:] == (0.0, False, False, {}), "only the brackets were missing"
    assert env.step("[7]")[1:] == (-1.0, True, False, {"success": False, "seat": 1})


def test_a_refused_move_is_told_once_and_then_loses() -> None:
    env = TextArena(opponent=first, seat=0)
    env.reset(seed=0)
    seen, reward, terminated, _, info = env.step("[99]")
    assert "Must be between 0 and 8" in info["invalid_action"]
    assert (reward, terminated) == (0.0, False)
    assert "Must be between 0 and 8" in seen
    assert env.step("nothing")[1:] == (-1.0, True, False, {"success": False, "seat": 0})


def test_seats_go_round_and_the_same_seed_is_the_same_game() -> None:
    env = TextArena()
    assert [env.reset(options={"task": task})[1]["seat"] for task in range(4)] == [0, 1, 0, 1]
    games = [play(TextArena(), 5, first), play(env, 5, first)]
    assert games[0] == games[1]


@pytest.mark.slow
def test_perfect_play_is_never_beaten_and_beats_chance() -> None:
    fair, perfect = TextArena(), TextArena(opponent="expert")
    won = 0
    for task in range(40):
        won += play(fair, task, advised(fair))[0] == 1
    assert won >= 36
    for task in range(4):
        found = play(perfect, task, advised(perfect))
        assert found == (0.0, {"success": True, "seat": task % 2}), "a draw is what there is to win"
    assert play(perfect, 0, first)[0] <= 0


def test_tic_tac_toe_by_hand() -> None:
    fork = ("X", "", "", "", "O", "", "", "", "X")
    assert best_in_tic_tac_toe(fork, "O") in (1, 3, 5, 7), "a corner would lose to a fork"
    assert best_in_tic_tac_toe(("X", "X", "", "O", "", "", "", "", "O"), "O") == 2


@pytest.mark.parametrize("piles", [(1, 2), (3, 4, 5), (2, 2, 1), (1, 1, 1), (4, 4)])
def test_nim_by_brute_force(piles: tuple[int, ...]) -> None:
    def wins(state: tuple[int, ...]) -> bool:
        return any(not wins((*state[:i], size - take, *state[i + 1 :])) for i, size in enumerate(state)
                   for take in range(1, size + 1))  # fmt: skip

    pile, take = best_in_nim(piles)
    assert 1 <= take <= piles[pile]
    after = (*piles[:pile], piles[pile] - take, *piles[pile + 1 :])
    assert wins(piles) == (not wins(after))


def test_nim_lists_its_moves_and_its_expert_wins_as_first() -> None:
    env = agentgym.make("textarena:Nim-v0", opponent="expert", seat=0)
    observation, _ = env.reset(seed=0)
    assert observation.admissible[:4] == ("[0 1]", "[0 2]", "[0 3]", "[1 1]")
    assert play(env, 0, advised(env)) == (1.0, {"success": True, "seat": 0})


def test_random_numbers_of_the_process_are_left_alone() -> None:
    random.seed(5)
    expected = [random.random() for _ in range(3)]
    random.seed(5)
    env, found = TextArena(name="KuhnPoker-v0", seat=0), []
    for seed in range(3):
        env.reset(seed=seed)
        found.append(random.random())
    assert found == expected


@pytest.mark.slow
def test_hidden_cards_are_those_of_the_seed() -> None:
    env = TextArena(name="KuhnPoker-v0", seat=0, opponent=lambda seen: "[check]")
    told = [env.reset(seed=seed)[0] for seed in range(12)]
    assert [env.reset(seed=seed)[0] for seed in range(12)] == told
    assert len(set(told)) > 1


def test_against_a_function_snapshots_are_replayed() -> None:
    env = TextArena(opponent=first, seat=0)
    env.reset(seed=0)
    env.step("[4]")
    snapshot = env.snapshot()
    assert snapshot.state is None
    after = env.step("[8]")
    env.restore(snapshot)
    assert env.step("[8]") == after


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "TicTacTo-v0"}, 'name is "TicTacTo-v0".*Did you mean "TicTacToe-v0"'),
        ({"opponent": "expret"}, 'env.opponent is "expret".*Did you mean "expert".*, or callable'),
        ({"name": "KuhnPoker-v0", "opponent": "expert"}, "plays TicTacToe, Nim, not KuhnPoker-v0"),
        ({"seat": 2}, "seat is 2; TicTacToe-v0 has the seats 0 to 1"),
    ],
)
def test_what_cannot_be_played_says_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        agentgym.make("textarena", **options)


def test_a_game_of_words_says_what_to_type() -> None:
    try:
        require("nltk", extra="textarena").data.find("corpora/words")
    except LookupError:
        with pytest.raises(UserError, match=r"Wordle-v0 needs word lists.*python -m nltk\.downloader words"):
            TextArena(name="Wordle-v0")
    else:
        pytest.skip("NLTK's word lists are installed")


# -- several policies ------------------------------------------------------------------------------------


def listed(index: int) -> Actor:
    """An actor that says the listed move of that index."""

    async def act(episode: Episode) -> Completion:
        assert episode.observation.admissible
        tokenizer = episode.stream.tokenizer
        ids = [*tokenizer.encode(episode.observation.admissible[index]), tokenizer.stop_token_ids[0]]
        return Completion(
            token_ids=ids, logprobs=[-0.5] * len(ids), policy_versions=[3] * len(ids), finish_reason="stop"
        )

    return act


def seated(actor: Actor, limits: Limits) -> Callable[[Callable[[], Any]], Awaitable[Trajectory]]:
    async def play_with(make_env: Callable[[], Any]) -> Trajectory:
        rollout = Rollout(make_env, chat(), Plain(), max_context=4096, limits=limits)
        [trajectory] = await rollout.run([EpisodeSpec(task=0, seed=0, episode_id="one")], actor)
        await rollout.close()
        return trajectory

    return play_with


def test_self_play_gives_a_trajectory_for_each_seat() -> None:
    """Player 0 takes cells 0, 1, 2 and wins; player 1 takes 8, 7. Every token is on record, of either seat."""
    limits = Limits(episode_seconds=60)

    async def main() -> list[Trajectory]:
        return await self_play(Table(), [seated(listed(0), limits), seated(listed(-1), limits)])

    one, other = asyncio.run(main())
    assert [turn.action for turn in one.turns] == ["[0]", "[1]", "[2]"]
    assert [turn.action for turn in other.turns] == ["[8]", "[7]"]
    assert (one.reward, one.success, one.stop_reason) == (1.0, True, StopReason.TERMINATED)
    assert (other.reward, other.success, other.stop_reason) == (-1.0, False, StopReason.TERMINATED)
    for trajectory in (one, other):
        assert sum(sample.num_trained for sample in trajectory.samples) == 4 * len(trajectory.turns)
    assert "Player 0: [0]" in other.turns[0].observation


def test_a_seat_that_leaves_ends_the_game_for_the_other() -> None:
    async def main() -> list[Trajectory]:
        short, long = Limits(max_turns=1, episode_seconds=60), Limits(episode_seconds=60)
        return await self_play(Table(), [seated(listed(0), short), seated(listed(-1), long)])

    one, other = asyncio.run(main())
    assert one.stop_reason is StopReason.TURN_LIMIT
    assert other.stop_reason is StopReason.TRUNCATED
    assert not other.success


def test_a_table_is_for_one_game_and_has_a_player_for_each_seat() -> None:
    async def main() -> None:
        table = Table()
        with pytest.raises(ConfigError, match="has 2 seats, found 1 player"):
            await self_play(table, [seated(listed(0), Limits())])
        table.seated.add(0)
        with pytest.raises(EnvError, match="a table is for one game"):
            await table.sit_down(0, 0)

    asyncio.run(main())
