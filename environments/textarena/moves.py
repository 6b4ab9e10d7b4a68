"""What an opponent that plays by chance may say in games that do not list their moves.

Each game has candidates, made from patterns or from the game's state. Not all of them are moves at every moment: the
game itself is asked, on a copy, and takes the first that it does not refuse.

In a pattern ``<ab>`` stands for a letter, ``<1..4>`` for a number, ``<yes|no>`` for a word.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

__all__ = ["CANDIDATES", "candidates", "expanded"]

_SLOT = re.compile(r"<([^<>]+)>")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Candidates: TypeAlias = tuple[str, ...] | Callable[[Any, np.random.Generator], Iterable[str]]
"""Patterns, or what makes texts from the package's environment."""


def expanded(pattern: str) -> list[str]:
    """All texts of a pattern.

    >>> expanded("[<ab><1..2>] <yes|no>")[:3]
    ['[a1] yes', '[a1] no', '[a2] yes']
    """
    pieces = _SLOT.split(pattern)
    choices = [[piece] if number % 2 == 0 else _choices(piece) for number, piece in enumerate(pieces)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _choices(slot: str) -> list[str]:
    if ".." in slot:
        first, _, last = slot.partition("..")
        return [str(number) for number in range(int(first), int(last) + 1)]
    return slot.split("|") if "|" in slot else list(slot)


def candidates(base: str, world: Any, rng: np.random.Generator) -> list[str]:
    """What may be a move of a game of ``CANDIDATES`` now, in any order."""
    known = CANDIDATES[base]
    texts = known(world, rng) if callable(known) else itertools.chain.from_iterable(map(expanded, known))
    found = list(texts)
    return [found[i] for i in rng.permutation(len(found))]


def _state(world: Any) -> Any:
    return world.state.game_state


def _battleship(world: Any, rng: np.random.Generator) -> Iterable[str]:
    size = len(_state(world)["board"][0])
    return expanded(f"[<{_LETTERS[:size]}><0..{size - 1}>]")


def _breakthrough(world: Any, rng: np.random.Generator) -> Iterable[str]:
    size = len(_state(world)["board"])
    for column, row, aside, ahead in itertools.product(range(size), range(size), (-1, 0, 1), (-1, 1)):
        if 0 <= column + aside < size and 0 <= row + ahead < size:
            there = f"{_LETTERS[column + aside].lower()}{row + ahead + 1}"
            yield f"[{_LETTERS[column].lower()}{row + 1}{there}]"


def _checkers(world: Any, rng: np.random.Generator) -> Iterable[str]:
    """From a piece of one's own, a step or a jump along a diagonal."""
    board, mine = _state(world)["board"], "rb"[world.state.current_player_id]
    for row, column, down, right in itertools.product(range(8), range(8), (-2, -1, 1, 2), (-2, -1, 1, 2)):
        if board[row][column].lower() == mine and abs(down) == abs(right):
            yield f"[{row} {column} {row + down} {column + right}]"


def _colonel_blotto(world: Any, rng: np.random.Generator) -> Iterable[str]:
    """All units, cut in as many parts as there are fields."""
    names = [field["name"] for field in _state(world)["fields"]]
    units = max(player["units_remaining"] for player in _state(world)["player_states"].values())
    for _ in range(20):
        ends = [0, *sorted(int(cut) for cut in rng.integers(units + 1, size=len(names) - 1)), units]
        parts = [after - before for before, after in itertools.pairwise(ends)]
        yield f"[{' '.join(f'{name}{part}' for name, part in zip(names, parts, strict=True))}]"


def _connect_four(world: Any, rng: np.random.Generator) -> Iterable[str]:
    return expanded(f"[col <0..{len(_state(world)['board'][0]) - 1}>]")


def _lines_of_action(world: Any, rng: np.random.Generator) -> Iterable[str]:
    """From a piece of one's own in a straight line; how far is for the game to say."""
    board, mine = _state(world)["board"], "OX"[world.state.current_player_id]
    for row, column, down, right, far in itertools.product(range(8), range(8), (-1, 0, 1), (-1, 0, 1), range(1, 8)):
        to = row + far * down, column + far * right
        if board[row][column] == mine and (down or right) and 0 <= to[0] < 8 and 0 <= to[1] < 8:
            yield f"[{world.rc_to_coord(row, column)}{world.rc_to_coord(*to)}]"


def _memory(world: Any, rng: np.random.Generator) -> Iterable[str]:
    rows, columns = len(_state(world)["board"]), len(_state(world)["board"][0])
    return expanded(f"[{' '.join([f'<0..{rows - 1}> <0..{columns - 1}>'] * 2)}]")


def _othello(world: Any, rng: np.random.Generator) -> Iterable[str]:
    return [f"[{row}, {column}]" for row, column in _state(world)["valid_moves"]]


def _santorini(world: Any, rng: np.random.Generator) -> Iterable[str]:
    return re.findall(r"\[\w+\]", _state(world)["valid_moves"])


def _settlers(world: Any, rng: np.random.Generator) -> Iterable[str]:
    """One of the numbered actions; of a negotiation, somebody to talk to, and no more."""
    match _state(world)["turn_phase"]:
        case "action":
            return expanded(f"[<1..{len(world.game_moves)}>]")
        case "negotiation_start":
            return expanded(f"[<0..{world.state.num_players - 1}>]")
    return ["[done]", "[deny]"]


_BIDDING = ("[check]", "[call]", "[fold]", "[bet <1|2|5|20|40>]", "[raise <1|2|5|20|40>]")
_STEERING = ("[<up|down|left|right>]",)

CANDIDATES: dict[str, Candidates] = {
    "Alquerque": ("[<abcde><1..5> <abcde><1..5>]",),
    "Battleship": _battleship,
    "Breakthrough": _breakthrough,
    "Briscola": ("[play <1..3>]",),
    "Checkers": _checkers,
    "Chopsticks": ("[attack <01> <01>]", "[split <0..8> <0..8>]"),
    "ColonelBlotto": _colonel_blotto,
    "ConnectFour": _connect_four,
    "GameOfPureStrategy": ("[<A23456789JQK>]", "[10]"),
    "GermanWhist": ("[play <1..13>]",),
    "Golf": ("[<draw|take|discard|knock>]", "[<swap|peek> <1..3> <1..4>]"),
    "HighSociety": ("[<1..11>]",),
    "IndianPoker": _BIDDING,
    "IteratedMatchingPennies": ("[<heads|tails>]",),
    "IteratedPrisonersDilemma": ("[<Cooperate|Defect>]",),
    "IteratedRockPaperScissors": ("[<rock|paper|scissors>]",),
    "IteratedStagHunt": ("[<Stag|Hare>]",),
    "IteratedTwoThirdsAverage": ("[<0..100>]",),
    "IteratedUltimatumGame": ("[Offer: $<0..50>]", "[<Accept|Reject>]"),
    "LiarsDice": ("[Bid: <1..12>, <1..6>]", "[Call]"),
    "LinesOfAction": _lines_of_action,
    "MarketEntryGame": ("{Hello.} [<ES>]",),
    "MemoryGame": _memory,
    "NewRecruit": ("I propose this. [Propose] <ABCDE> B <ABCDE> D <ABCDE> A C E", "As you like. [<Accept|Reject>]"),
    "Othello": _othello,
    "Poker": _BIDDING,
    "PublicGoodsGame": ("{Hello.} [<0..20>]",),
    "QuantumTicTacToe": ("[<0..8>,<0..8>]",),
    "SantoriniBaseFixed": _santorini,
    "SecretMafia": ("[Player <0..5>]",),
    "SettlersOfCatan": _settlers,
    "SimpleBlindAuction": ("[Bid on Item <0..2>: <0|50|100|200>]",),
    "SimpleNegotiation": ("[<Accept|Deny>]", "I offer nothing."),
    "Snake": _STEERING,
    "Surround": _STEERING,
    "Taboo": ("It is a thing.", "[thing]"),
    "ThreePlayerGOPS": ("[<A23456789JQK>]", "[10]"),
    "ThreePlayerIPD": ("[0 <cooperate|defect>] [1 <cooperate|defect>] [2 <cooperate|defect>]",),
    "TruthAndDeception": ("I am sure. [Fact <12>]",),
    "TwoDollar": ("This is fair. [Propose] $<0.50|0.80|1.00|1.20|1.50>", "As you like. [<Accept|Reject>]"),
    "UltimateTicTacToe": ("[<0..8> <0..8>]",),
}
"""Game → candidates for the seat to move."""
