"""Seats, ends, others' moves and tables over a game that is made by hand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("textarena", reason="the extra textarena is not installed")

from agentgym.environments.textarena import Table, TextArena, self_play
from agentgym.environments.textarena import env as env_module
from agentgym.environments.textarena import table as table_module
from agentgym.environments.textarena.game import Game
from agentgym.environments.textarena.players import best_in_nim, best_in_tic_tac_toe
from agentgym.errors import ConfigError, EnvError
from agentgym.types import Observation
from tests.kit import until


class Counting:
    """Seats say "[a]" or "[b]" in turn; the game is over after ``length`` moves, "[no]" is refused."""

    base, name, length = "Counting", "Counting-v0", 4

    def __init__(self, name: str = "", num_players: int | None = None) -> None:
        self.num_players = num_players or 2
        self.seeds: list[int] = []
        self.said: list[tuple[int, str]] = []
        self.over, self.to_move = False, 0

    def reset(self, seed: int) -> None:
        self.seeds.append(seed)
        self.said = []
        self.over, self.rewards, self.to_move = False, dict[int, float](), 0

    def play(self, action: str) -> str | None:
        if action == "[no]":
            return "this is refused"
        self.said.append((self.to_move, action))
        self.to_move = (self.to_move + 1) % self.num_players
        if len(self.said) == self.length:
            self.over, self.rewards = True, {0: 0.5, 1: -0.5}
        return None

    def seen_by(self, seat: int) -> Observation:
        return Observation(f"seat {seat} after {len(self.said)}", admissible=None if self.over else ["[a]", "[b]"])

    def copied(self) -> Any:
        return list(self.said), self.to_move, self.over

    def put_back(self, moment: Any) -> None:
        said, self.to_move, self.over = moment
        self.said = list(said)


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments and tables have that game; ``Game`` itself is the package's."""
    monkeypatch.setattr(env_module, "Game", Counting)
    monkeypatch.setattr(table_module, "Game", Counting)


def played(env: TextArena) -> Sequence[tuple[int, str]]:
    assert isinstance(env.game, Counting)
    return env.game.said


def test_the_seat_is_the_tasks_number_or_what_is_set() -> None:
    env = TextArena(num_players=3)
    assert [env.reset(seed=seed)[1]["seat"] for seed in (0, 1, 2, 5)] == [0, 1, 2, 2]
    fixed = TextArena(seat=0)
    assert [fixed.reset(seed=seed)[1]["seat"] for seed in (0, 1)] == [0, 0]
    for seat in (-1, 2):
        with pytest.raises(ConfigError, match=rf"seat is {seat}; TicTacToe-v0 has the seats 0 to 1"):
            TextArena(seat=seat)
    assert TextArena(seat=1).seat == 1


def test_the_others_move_before_and_between_the_policys_turns() -> None:
    env = TextArena(num_players=3, seat=1, opponent=lambda seen: f"[{seen}]")
    assert env.reset(seed=0) == ("seat 1 after 1", {"seat": 1})
    assert env.step("[x]")[:4] == ("seat 1 after 4", 0.5 * -1, True, False)
    assert played(env) == [(0, "[seat 0 after 0]"), (1, "[x]"), (2, "[seat 2 after 2]"), (0, "[seat 0 after 3]")]


def test_nobody_moves_after_the_end() -> None:
    env = TextArena(seat=0, opponent=lambda seen: "[a]")
    env.game.length = 3  # type: ignore[attr-defined]
    env.reset(seed=0)
    env.step("[a]")
    assert env.step("[b]")[1:] == (0.5, True, False, {"success": False, "seat": 0})
    assert len(played(env)) == 3


@pytest.mark.parametrize(
    ("options", "success"), [({}, False), ({"success_at": 0.5}, True), ({"success_at": 0.51}, False)]
)
def test_the_reward_from_which_on_it_is_a_success(options: dict[str, float], success: bool) -> None:
    env = TextArena(seat=0, opponent=lambda seen: "[a]", **options)  # type: ignore[arg-type]
    env.reset(seed=0)
    env.step("[a]")
    assert env.step("[a]")[1:] == (0.5, True, False, {"success": success, "seat": 0})


def test_a_refused_move_is_told_and_the_next_one_is_not() -> None:
    env = TextArena(seat=0, opponent=lambda seen: "[a]")
    env.reset(seed=0)
    assert env.step("[no]") == ("seat 0 after 0", 0.0, False, False, {"invalid_action": "this is refused"})
    assert env.step("[a]")[4] == {}


def test_brackets_are_added_to_what_is_listed_and_to_nothing_else() -> None:
    env = TextArena(seat=0, opponent=lambda seen: "[b]")
    env.reset(seed=0)
    env.step(" a ")
    env.step("c")
    assert played(env)[::2] == [(0, "[a]"), (0, "c")]


def test_chance_plays_any_of_the_listed_moves_by_the_episodes_seed() -> None:
    def others(seed: int) -> list[str]:
        env = TextArena(seat=0)
        env.game.length = 40  # type: ignore[attr-defined]
        env.reset(seed=seed)
        for _ in range(15):
            env.step("[a]")
        return [said for seat, said in played(env) if seat == 1]

    assert others(3) == others(3) != others(4)
    assert set(others(3)) == {"[a]", "[b]"}


def test_chance_needs_a_list_of_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning, when it is made; and later, where a game stops listing them."""
    env = TextArena(seat=1)
    monkeypatch.setattr(Counting, "seen_by", lambda self, seat: Observation("what now?"))
    with pytest.raises(EnvError, match='Counting-v0 lists no moves for opponent "random"'):
        env.reset(seed=0)
    with pytest.raises(ConfigError, match='lists no moves for opponent "random"; give a function as opponent, or'):
        TextArena(seat=1)
    assert TextArena(num_players=1).game.num_players == 1, "alone, it needs none"


def test_a_game_in_which_it_is_never_the_policys_turn_is_given_up() -> None:
    moves: list[str] = []
    env = TextArena(seat=1, opponent=lambda seen: moves.append("x") or "[no]")  # type: ignore[func-returns-value]
    with pytest.raises(EnvError, match="the others moved 1000 times, and it is not the policy's turn"):
        env.reset(seed=0)
    assert len(moves) == 1000


def test_a_snapshot_holds_the_seat_and_what_was_listed() -> None:
    env, other = TextArena(), TextArena()
    env.reset(seed=1)
    state = env.get_state()
    other.reset(seed=0)
    other.set_state(state)
    other.step("b")
    assert played(other)[1] == (1, "[b]"), "the brackets were missing, and the seat is the second"
    assert other.mine == 1
    assert TextArena(opponent=lambda seen: "[a]").get_state() is None


def test_turns() -> None:
    assert (TextArena().max_turns, TextArena(max_turns=4).max_turns) == (30, 4)
    assert "Play Counting." in TextArena().instructions


# -- players -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("board", "mark", "cell"),
    [
        ("OO.XX....", "O", 2),  # win
        ("OX.OX.X..", "X", 2),  # win, though 7 would win as well
        ("OO.X.....", "X", 2),  # block
        ("X.O.O.X..", "O", 3),  # block: 3 is between the two X of the left column
    ],
)
def test_tic_tac_toe(board: str, mark: str, cell: int) -> None:
    assert best_in_tic_tac_toe(tuple(one.replace(".", "") for one in board), mark) == cell


def test_against_chance_a_lost_game_is_played_for_the_other_to_err() -> None:
    """O threatens 3 and 8: X is lost wherever it marks. At 3 it blocks one of them and threatens 5, at 8 nothing."""
    lost = tuple(one.replace(".", "") for one in "OX..X.OO.")
    assert best_in_tic_tac_toe(lost, "X", against_chance=True) == 3
    assert best_in_tic_tac_toe(lost, "X") == 2, "the first, as all are lost"


@pytest.mark.parametrize(
    ("piles", "move"), [((3, 4, 5), (0, 2)), ((0, 4), (1, 4)), ((1, 2), (1, 1)), ((2, 2), (0, 1)), ((1, 3, 2), (1, 1))]
)
def test_nim(piles: tuple[int, ...], move: tuple[int, int]) -> None:
    """Of piles that cannot be won one is taken from the largest."""
    assert best_in_nim(piles) == move


# -- the package's games -----------------------------------------------------------------------------------


def test_moves_are_listed_until_the_end_and_each_seat_is_told_once() -> None:
    game = Game("TicTacToe-v0")
    game.reset(0)
    assert game.num_players == 2
    first = game.seen_by(0)
    assert first.admissible == tuple(f"[{cell}]" for cell in range(9))
    assert game.seen_by(0) == "", "it was told already"
    for cell in (0, 3, 1, 4):
        assert game.play(f"[{cell}]") is None
    assert game.moves() == ["[2]", "[5]", "[6]", "[7]", "[8]"]
    assert (game.over, game.rewards, game.to_move) == (False, {}, 0)
    assert game.play("[2]") is None
    assert (game.over, game.rewards) == (True, {0: 1.0, 1: -1.0})
    assert game.seen_by(1).admissible is None
    game.reset(0)
    assert (game.over, game.rewards, len(game.moves())) == (False, {}, 9)


def test_a_moment_of_a_game_is_not_changed_by_what_comes_after() -> None:
    game = Game("TicTacToe-v0")
    game.reset(0)
    game.play("[0]")
    moment = game.copied()
    for cell in (3, 1, 4, 2):
        game.play(f"[{cell}]")
    for _ in range(2):
        game.put_back(moment)
        assert (game.over, game.rewards, game.to_move) == (False, {}, 1)
        assert "[0]" not in game.moves()
        assert "[3]" in game.moves()
        game.play("[3]")


def test_the_random_numbers_of_a_game_are_those_of_its_seed_whatever_else_is_drawn() -> None:
    def cards(noise: int) -> list[str]:
        game, told = Game("KuhnPoker-v0"), []
        for seed in (1, 2, 3):
            game.reset(seed)
            random.seed(noise)
            told += [str(game.seen_by(0)), str(game.seen_by(1))]
        return told

    assert cards(1) == cards(2)
    random.seed(9)
    expected = random.random()
    random.seed(9)
    Game("KuhnPoker-v0").reset(4)
    assert random.random() == expected


def test_listed_moves_are_read_from_the_last_list_once_each() -> None:
    game = Game("KuhnPoker-v0")
    text = "Available moves: [a] [b]\nthen\nValid actions are: [c], [d] [c]"
    assert game.moves(text) == ["[c]", "[d]"]
    assert game.moves("say [a] or [b]") == []


# -- tables ------------------------------------------------------------------------------------------------


def test_a_table_begins_with_the_last_to_sit_down_and_goes_round() -> None:
    async def main() -> None:
        table = Table()
        one, other = table.seat(0), table.seat(1)
        assert one.name == "textarena:Counting-v0"
        second = asyncio.create_task(other.reset(seed=8))
        await until(lambda: table.seated == {1})
        assert not table.has_begun
        assert await one.reset(seed=8) == ("seat 0 after 0", {"seat": 0})
        assert table.game.seeds == [8]  # type: ignore[attr-defined]
        assert not second.done(), "it is the first one's turn"
        first = asyncio.create_task(one.step("[a]"))
        assert await second == ("seat 1 after 1", {"seat": 1})
        assert (await other.step("[no]"))[4] == {"invalid_action": "this is refused"}
        assert not first.done()
        waiting = asyncio.create_task(other.step("[b]"))
        assert (await first)[1:] == (0.0, False, False, {})
        last = asyncio.create_task(one.step("[a]"))
        await waiting
        assert (await other.step("[b]"))[1:] == (-0.5, True, False, {"success": False, "seat": 1})
        assert (await last)[1:] == (0.5, True, False, {"success": False, "seat": 0})

    asyncio.run(asyncio.wait_for(main(), 60))


def test_who_waits_for_one_that_left_waits_no_longer() -> None:
    async def main() -> None:
        table = Table()
        waiting = asyncio.create_task(table.sit_down(0, 0))
        await until(lambda: table.seated == {0})
        await table.leave(1)
        with pytest.raises(EnvError, match=r"Counting-v0 did not begin: seats \[1\] left"):
            await waiting
        table = Table()
        one = asyncio.create_task(table.seat(0).reset(seed=0))
        seat = table.seat(1)
        second = asyncio.create_task(seat.reset(seed=0))
        await one
        moving = asyncio.create_task(table.play(0, "[a]"))
        await second
        await table.leave(1)
        await moving
        assert table.left == {1}

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_seat_that_left_ends_the_game_for_the_others_as_cut() -> None:
    async def main() -> Any:
        async def short(make_env: Any) -> str:
            await make_env().reset(seed=0)
            return "gone"

        async def long(make_env: Any) -> Any:
            env = make_env()
            seen, _ = await env.reset(seed=0)
            return seen, await env.step("[b]")

        return await self_play(Table(), [short, long])

    gone, (seen, last) = asyncio.run(asyncio.wait_for(main(), 60))
    assert (gone, seen) == ("gone", "seat 1 after 0")
    assert last[1:] == (0.0, False, True, {"success": False, "seat": 1})


def test_a_player_that_fails_leaves_its_seat() -> None:
    tables: list[Table] = []

    async def main() -> None:
        async def failing(make_env: Any) -> None:
            raise RuntimeError("it failed")

        async def waiting(make_env: Any) -> None:
            with pytest.raises(EnvError, match="did not begin"):
                await make_env().reset(seed=0)

        tables.append(Table())
        await self_play(tables[0], [failing, waiting])

    with pytest.raises(RuntimeError, match="it failed"):
        asyncio.run(asyncio.wait_for(main(), 60))
    assert 0 in tables[0].left


def test_a_seat_is_taken_once_and_no_other_is_there() -> None:
    async def main() -> None:
        table = Table(num_players=3)
        for seat in (-1, 3):
            with pytest.raises(ConfigError, match=f"seat is {seat}; Counting-v0 has the seats 0 to 2"):
                table.seat(seat)
        assert table.seat(2).number == 2
        waiting = asyncio.create_task(table.sit_down(0, 0))
        await until(lambda: table.seated == {0})
        with pytest.raises(EnvError, match="seat 0 of Counting-v0 was played already"):
            await table.sit_down(0, 0)
        waiting.cancel()
        with pytest.raises(ConfigError, match="has 3 seats, found 2 players"):
            await self_play(table, [lambda make: table.leave(0)] * 2)

    asyncio.run(asyncio.wait_for(main(), 60))
