"""What the agent sees, in text: as BabyAI-Text (arXiv 2302.02662) has it, in fewer words.

The package shows a square of 7 by 7 cells in front of the agent, who stands in the middle of its lower edge. Objects
are told nearest first, by where they are from the agent; of the walls, the first ahead, to the left and to the right::

    go to the ball. facing east. see red ball 1 left 2 forward, locked grey door 3 right, wall 4 forward. hold nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["described"]

_SIZE = 7
_AGENT = (3, 6)
"""Column and row of the agent in the view; forward is towards row 0."""

_KINDS = ("unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava", "agent")
_COLORS = ("red", "green", "blue", "purple", "yellow", "grey")
_DOOR_STATES = ("open", "closed", "locked")
_DIRECTIONS = ("east", "south", "west", "north")
_WALL = _KINDS.index("wall")
_FIRST_OBJECT = _KINDS.index("door")
_COLORLESS = ("goal", "lava")


def _where(column: int, row: int) -> str:
    """The way from the agent to a cell.

    >>> _where(1, 3), _where(3, 5)
    ('2 left 3 forward', '1 forward')
    """
    aside, ahead = column - _AGENT[0], _AGENT[1] - row
    sides = [f"{abs(aside)} {'left' if aside < 0 else 'right'}"] if aside else []
    return " ".join([*sides, *([f"{ahead} forward"] if ahead else [])])


_CELLS = sorted(
    ((column, row, _where(column, row)) for column in range(_SIZE) for row in range(_SIZE) if (column, row) != _AGENT),
    key=lambda cell: abs(cell[0] - _AGENT[0]) + abs(cell[1] - _AGENT[1]),
)
"""Every cell but the agent's, nearest first, and how it is told."""

_RAYS = (
    [(_AGENT[0], row, _where(_AGENT[0], row)) for row in range(_AGENT[1] - 1, -1, -1)],
    [(column, _AGENT[1], _where(column, _AGENT[1])) for column in range(_AGENT[0] - 1, -1, -1)],
    [(column, _AGENT[1], _where(column, _AGENT[1])) for column in range(_AGENT[0] + 1, _SIZE)],
)


def described(seen: dict[str, Any]) -> str:
    """Text for one of the package's observations: a uint8 ``image`` of 7 x 7 x (kind, color, state), a ``direction``
    and a ``mission``."""
    image = seen["image"].tolist()
    things = [
        f"{_named(*image[column][row])} {where}"
        for column, row, where in _CELLS
        if image[column][row][0] >= _FIRST_OBJECT
    ]
    for ray in _RAYS:
        wall = next((where for column, row, where in ray if image[column][row][0] == _WALL), None)
        if wall is not None:
            things.append(f"wall {wall}")
    held = image[_AGENT[0]][_AGENT[1]]
    hand = _named(*held) if held[0] >= _FIRST_OBJECT else "nothing"
    facing = _DIRECTIONS[int(seen["direction"])]
    return f"{seen['mission']}. facing {facing}. see {', '.join(things) or 'nothing'}. hold {hand}."


def _named(kind: int, color: int, state: int) -> str:
    name = _KINDS[kind]
    if name in _COLORLESS:
        return name
    told = f"{_COLORS[color]} {name}"
    return f"{_DOOR_STATES[state]} {told}" if name == "door" else told
