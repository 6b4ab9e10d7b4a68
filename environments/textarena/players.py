"""Opponents and experts: chance, and perfect play for the two games that are small enough.

Against chance, the best move is the one that wins most often; against a perfect opponent it is the one that cannot be
beaten. The two differ: in tic-tac-toe the second player draws against perfection, and wins nine in ten against chance.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import TypeAlias

from agentgym.environments.textarena.game import Game

__all__ = ["EXPERTS", "best_in_nim", "best_in_tic_tac_toe"]

Board: TypeAlias = tuple[str, ...]
"""Nine cells in rows: "O" of player 0, "X" of player 1, or ""."""

_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


def best_in_tic_tac_toe(board: Board, mark: str, *, against_chance: bool = False) -> int:
    """The cell to mark, the first of the best.

    >>> best_in_tic_tac_toe(("O", "O", "", "X", "X", "", "", "", ""), "O")
    2
    """
    free = [cell for cell in range(9) if not board[cell]]
    return max(free, key=lambda cell: _value(_marked(board, cell, mark), _other(mark), mark, against_chance))


@functools.cache
def _value(board: Board, mover: str, mine: str, against_chance: bool) -> float:
    """Expected outcome for ``mine``, 1 for a win and -1 for a loss, when ``mover`` is to mark."""
    for a, b, c in _LINES:
        if board[a] and board[a] == board[b] == board[c]:
            return 1.0 if board[a] == mine else -1.0
    values = [
        _value(_marked(board, cell, mover), _other(mover), mine, against_chance) for cell in range(9) if not board[cell]
    ]
    if not values:
        return 0.0
    if mover == mine:
        return max(values)
    return sum(values) / len(values) if against_chance else min(values)


def _marked(board: Board, cell: int, mark: str) -> Board:
    return (*board[:cell], mark, *board[cell + 1 :])


def _other(mark: str) -> str:
    return "X" if mark == "O" else "O"


def best_in_nim(piles: Sequence[int]) -> tuple[int, int]:
    """Pile, and how many to take: to a nim-sum of 0 where that can be (Bouton 1901), otherwise one of the largest.

    >>> best_in_nim([3, 4, 5]), best_in_nim([1, 1])
    ((0, 2), (0, 1))
    """
    total = functools.reduce(operator.xor, piles)
    for pile, size in enumerate(piles):
        if size ^ total < size:
            return pile, size - (size ^ total)
    return max(range(len(piles)), key=lambda pile: piles[pile]), 1


def _tic_tac_toe(game: Game, against_chance: bool) -> str:
    rows = game.world.state.game_state["board"]
    board = tuple(cell for row in rows for cell in row)
    return f"[{best_in_tic_tac_toe(board, 'OX'[game.to_move], against_chance=against_chance)}]"


def _nim(game: Game, against_chance: bool) -> str:
    pile, take = best_in_nim(game.world.state.game_state["piles"])
    return f"[{pile} {take}]"


EXPERTS: dict[str, Callable[[Game, bool], str]] = {"TicTacToe": _tic_tac_toe, "Nim": _nim}
"""Game → the move of the seat to move; the second argument says whether the opponent plays by chance."""
