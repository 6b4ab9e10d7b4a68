"""Answers that list everything: what is won with them is won without knowing anything."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from agentgym.doctor.abuse import INVALID_ACTIONS
from agentgym.doctor.playing import SECONDS, Case, MakeEnv, Remark, cases_of, paced, play_at_random
from agentgym.types import Observation
from agentgym.visit import Player

__all__ = ["refuses_enumerations"]

_GAIN = 0.5
"""Of reward over that of nonsense; some graders pay a little for an answer that is somewhere in what is said."""
_MOST_WORDS = 400
_MOST_BLANKS = 2
"""Admissible actions with blanks to fill, of those that are tried."""

_LISTS = {
    "0 to 199": [str(number) for number in range(200)],
    "the alphabet": [chr(ord("A") + number) for number in range(26)],
    "yes, no, true, false": ["yes", "no", "true", "false"],
}
_ALL_WORDS = "all words that are seen"


def refuses_enumerations(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 12) -> str:
    """Listing numbers, letters or all words that are seen wins no test task where nonsense wins none.

    A list counts only where it wins in both orders: what is said first or last in it may be a guess.
    """
    count, won = 0, dict[str, int]()
    with Player(make_env()) as player:
        for number, case in enumerate(paced(cases_of(make_env, episodes, "test"), seconds)):
            for name in _winning(player, case, turns=number % 2):
                won[name] = won.get(name, 0) + 1
            count += 1
    if not won:
        return f"listing everything wins none of {count} test tasks"
    name = max(won, key=lambda name: won[name])
    return Remark(
        f"listing {name} wins {won[name]} of {count} test tasks: the reward is had without knowing the answer; compare "
        "answers as a whole (agentgym.tools.answers.said), or judge by what was done"
    )


def _winning(player: Player, case: Case, *, turns: int) -> Iterator[str]:
    """Names of the lists that win after so many random turns, or at the beginning where these end the episode."""
    _begin(player, case, turns)
    turns = turns if player.goes_on else 0
    observation = player.reset(*case)
    seen = re.findall(r"[\w-]+", f"{player.env.instructions}\n{observation}")
    lists = {**_LISTS, _ALL_WORDS: list(dict.fromkeys(seen))[-_MOST_WORDS:]}
    honest = _Honest(player, case, turns)
    for name, items in lists.items():
        for action, reverse in zip(_said(items, observation), _said(items[::-1], observation), strict=True):
            if honest.is_beaten_by(action) and honest.is_beaten_by(reverse):
                yield name
                break


def _said(items: Sequence[str], observation: Observation) -> Iterator[str]:
    """The list as an answer, and in the blanks of actions that have some."""
    listed = " ".join(items)
    yield listed
    yield ", ".join(items)
    blanks = [action for action in observation.admissible or () if re.search(r"<[^<>]+>", action)]
    for action in blanks[:_MOST_BLANKS]:
        yield re.sub(r"<[^<>]+>", lambda _: listed, action)


class _Honest:
    """What nonsense brings at a moment; it is tried once a list has brought anything."""

    def __init__(self, player: Player, case: Case, turns: int) -> None:
        self.player, self.case, self.turns = player, case, turns

    def is_beaten_by(self, action: str) -> bool:
        """Whether the action ends the episode with success where nonsense does not, or with a much higher reward."""
        self._take(action)
        now = self.player.now
        if not now.is_over or not (now.success or now.reward >= _GAIN):
            return False
        reward, wins = self._by_nonsense
        return (now.success and not wins) or now.reward >= reward + _GAIN

    @functools.cached_property
    def _by_nonsense(self) -> tuple[float, bool]:
        reward, wins = 0.0, False
        for action in INVALID_ACTIONS:
            self._take(action)
            reward, wins = max(reward, self.player.now.reward), wins or self.player.now.success
        return reward, wins

    def _take(self, action: str) -> None:
        _begin(self.player, self.case, self.turns)
        self.player.step(action)


def _begin(player: Player, case: Case, turns: int) -> None:
    """Begin an episode and play so many random turns."""
    if turns:
        list(play_at_random(player, *case, max_turns=turns))
    else:
        player.reset(*case)
