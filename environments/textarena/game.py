"""One game of the package ``textarena`` (MIT, arXiv 2504.11442), seen from any of its seats.

The package draws from the process's random numbers, and seeds them. Here each game has a state of them of its own,
which is put in for the time of a call and taken out again, one call at a time: games do not disturb each other.
"""

from __future__ import annotations

import contextlib
import copy
import platform
import random
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from agentgym.environments._quiet import hush
from agentgym.environments.textarena.moves import candidates
from agentgym.errors import AgentGymError, ConfigError, UserError, did_you_mean
from agentgym.extras import require
from agentgym.types import Observation

__all__ = ["REFUSED", "Game"]

_ON_THE_WEB = "a model on the web plays in it, so that no seed repeats an episode"

REFUSED = {
    **dict.fromkeys(("Debate", "GuessWho", "ScenarioPlanning", "TwentyQuestions"), _ON_THE_WEB),
    "CharacterConclave": "the package's code fails at the first message",
    "Klondike": "the package's source of it is no Python",
    "Tak": "the package's code fails when somebody wins",
}
"""Game → why it is not played. Others say it themselves when they are made."""

_RANDOM = threading.Lock()
_LISTED = re.compile(
    r"(?:(?:available|valid|legal|viable) (?:moves|actions|targets)(?: are)?|your remaining (?:hand|money cards)):",
    re.IGNORECASE,
)
_NO_MOVE = "[pass]"
_LONGEST_ACTION = 5_000
"""Characters that a game is given. Some look for a move by patterns whose time grows with the square of the length."""
_MOVE = re.compile(r"\[[^\[\]\n]{1,60}\]")
_PLAYERS = (2, 1, 3, 4, 5, 6)
"""Numbers of players to try, the likeliest first: the package's registry does not tell them."""


class Game:
    """A game by its id, such as "TicTacToe-v0", begun with the seed 0.

    One that cannot be played says so here, with the reason. Raises ConfigError, UserError, MissingExtraError.
    """

    def __init__(self, name: str, num_players: int | None = None) -> None:
        self.name, self.base = name, name.partition("-v")[0]
        self._random = random.Random(0).getstate()
        self._arena = require("textarena", extra="textarena")
        self.num_players = self._least_players(_PLAYERS if num_players is None else (num_players,))

    def reset(self, seed: int) -> None:
        """Begin anew, in a fresh object: some games keep things from the one before."""
        self._random = random.Random(seed).getstate()
        self.world = self._made()
        with self._own_random():
            try:
                self.world.reset(num_players=self.num_players, seed=seed)
            except LookupError as error:
                raise self._needs_words() from error
        self.over = False
        self.rewards: dict[int, float] = {}

    @property
    def to_move(self) -> int:
        """The seat whose turn it is."""
        return int(self.world.state.current_player_id)

    def play(self, action: str) -> str | None:
        """An action of the seat to move. Returns what was wrong with it where the same seat is asked again.

        Of a very long one the game is given the end, where the move stands.
        """
        state, mover = self.world.state, self.to_move
        errors = getattr(state, "error_count", 0)
        with self._own_random():
            done, _ = self.world.step(action[-_LONGEST_ACTION:])
        if done:
            self.over, rewards = True, self.world.close()[0] or {}
            self.rewards = {int(seat): _number(value) for seat, value in rewards.items()}
            return None
        if self.to_move == mover and getattr(state, "error_count", 0) > errors:
            return self._last_words(mover) or "this is no move now"
        return None

    def seen_by(self, seat: int) -> Observation:
        """What a seat was told since it last looked; of several boards the last."""
        kinds = self._arena.ObservationType
        told = [one for one in self.world.state.observations[seat] if not _is_echo(one, seat, kinds)]
        self.world.state.observations[seat] = []
        boards = [i for i, (_, _, kind) in enumerate(told) if kind is kinds.GAME_BOARD]
        kept = [one for i, one in enumerate(told) if i not in boards[:-1]]
        lines = [f"Player {sender}: {text}" if sender >= 0 else text for sender, text, _ in kept]
        seen = "\n".join(lines).strip().encode("utf-8", "replace").decode()
        moves = [] if self.over else self.moves(seen)
        return Observation(seen, admissible=moves or None)

    def moves(self, seen: str = "") -> list[str]:
        """What the seat to move may say, where it is known: from the game's state, or as ``seen`` lists them last."""
        if self.base == "Nim":
            piles = self.world.state.game_state["piles"]
            return [f"[{pile} {take}]" for pile, size in enumerate(piles) for take in range(1, size + 1)]
        if self.base == "TicTacToe":
            board = self.world.state.game_state["board"]
            return [f"[{3 * r + c}]" for r in range(3) for c in range(3) if not board[r][c]]
        _, *listed = _LISTED.split(seen)
        return list(dict.fromkeys(_MOVE.findall(listed[-1]))) if listed else []

    def takes(self, action: str) -> bool:
        """Whether the game would take the action from the seat to move, and not refuse it or punish it as no move."""
        now, world = self._random, copy.deepcopy(self.world)
        before = _num_refused(world.state)
        try:
            with self._own_random():
                world.step(action)
        finally:
            self._random = now
        return all(after <= one for after, one in zip(_num_refused(world.state), before, strict=True))

    def drawn_move(self, rng: np.random.Generator) -> str:
        """What the seat to move may say, by chance, in a game of ``CANDIDATES``.

        Where the game takes none of it, because there is no move left, it gets what it will not take; where there is
        none to begin with, as for who must skip a turn in Othello, something, which the game does not read.
        """
        known = candidates(self.base, self.world, rng)
        return next(filter(self.takes, known), known[0] if known else _NO_MOVE)

    def copied(self) -> tuple[Any, ...]:
        """All that ``put_back`` needs to come back to this moment."""
        return copy.deepcopy(self.world), self._random, self.over, dict(self.rewards)

    def put_back(self, moment: tuple[Any, ...]) -> None:
        """Go back to what ``copied`` gave."""
        world, self._random, self.over, rewards = moment
        self.world, self.rewards = copy.deepcopy(world), dict(rewards)

    # -- the package -----------------------------------------------------------------------------------

    def _made(self) -> Any:
        known = require("textarena.envs.registration", extra="textarena").ENV_REGISTRY
        if self.name not in known:
            raise ConfigError(
                f'name is "{self.name}".{did_you_mean(self.name, known)} TextArena has {len(known)} ids such as '
                "TicTacToe-v0, Nim-v0 and KuhnPoker-v0"
            )
        if self.base in REFUSED:
            raise self._cannot(REFUSED[self.base])
        if self._words_are_missing():
            raise self._needs_words()
        try:
            with self._own_random():
                world = self._arena.make(self.name)
        except LookupError as error:
            raise self._needs_words() from error
        hush("textarena")
        while isinstance(world, self._arena.Wrapper):
            world = world.env  # wrappers fold the messages into one text; they are wanted apart
        return world

    def _words_are_missing(self) -> bool:
        """Whether a game of words lacks its lists: importing it would try to download them."""
        if not self.base.startswith(_WORD_GAMES):
            return False
        try:
            require("nltk", extra="textarena").data.find("corpora/words")
        except LookupError:
            return True
        return False

    def _needs_words(self) -> UserError:
        return UserError(
            f"{self.name} needs word lists that are downloaded apart; type: "
            "python -m nltk.downloader words averaged_perceptron_tagger_eng"
        )

    def _least_players(self, numbers: Sequence[int]) -> int:
        for number in numbers:
            self.num_players = number
            try:
                self.reset(0)
            except AgentGymError:
                raise
            except SyntaxError as error:
                raise self._cannot(f"Python {platform.python_version()} is too old for its source: {error}") from error
            except (AssertionError, ValueError, KeyError, IndexError) as error:
                refused = error
            except Exception as error:  # a game may fail in any way, and no other number of players would help
                raise self._cannot(f"{type(error).__name__}: {error}") from error
            else:
                return number
        raise ConfigError(
            f"{self.name} does not begin with {' or '.join(map(str, numbers))} players: {type(refused).__name__}: "
            f"{refused}; give num_players"
        )

    def _cannot(self, why: str) -> UserError:
        return UserError(f"{self.name} cannot be played: {why}")

    def _last_words(self, seat: int) -> str:
        """Why the last action was refused, as the game told the seat."""
        admin = self._arena.ObservationType.GAME_ADMIN
        told = [text for _, text, kind in self.world.state.observations[seat] if kind is admin]
        return str(told[-1]).encode("utf-8", "replace").decode() if told else ""

    @contextlib.contextmanager
    def _own_random(self) -> Iterator[None]:
        with _RANDOM:
            outside = random.getstate()
            random.setstate(self._random)
            try:
                yield
            finally:
                self._random = random.getstate()
                random.setstate(outside)


_WORD_GAMES = (
    "Codenames",
    "Crosswords",
    "DontSayIt",
    "Hangman",
    "LetterAuction",
    "SpellingBee",
    "WordChains",
    "WordLadder",
    "WordSearch",
    "Wordle",
)


def _is_echo(message: tuple[Any, Any, Any], seat: int, kinds: Any) -> bool:
    sender, _, kind = message
    if sender is kinds.PLAYER_ACTION:  # some games of one player give the three in another order
        return True
    return bool(sender == seat and kind is kinds.PLAYER_ACTION)


def _num_refused(state: Any) -> tuple[int, int]:
    """Moves that were refused to the seat to move, and seats that were punished for one."""
    punished = sum(bool(info.get("invalid_move")) for info in state.game_info.values())
    return getattr(state, "error_count", 0), punished


def _number(reward: Any) -> float:
    """The reward; one game puts into its place what was wrong with the move, which it means to pay nothing for."""
    return 0.0 if isinstance(reward, str) else float(reward)
