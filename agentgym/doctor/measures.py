"""What an environment gives: rewards, sizes of observations, and what random actions reach."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from agentgym.doctor.playing import (
    SECONDS,
    Case,
    MakeEnv,
    Remark,
    cases_of,
    moment_of,
    paced,
    play,
    play_at_random,
    success_of,
)
from agentgym.visit import Player

__all__ = ["gives_sane_rewards", "plays_what_counts", "shows_sane_observations", "wins_at_random"]

_LARGE_REWARD = 1_000.0
_LARGE_OBSERVATION = 100_000


def plays_what_counts(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 5) -> str:
    """Whether what the other checks play does anything: without a list of actions or an expert they guess.

    An environment that refuses all that is guessed seems to repeat itself, whatever it would do after a real action.
    """
    with Player(make_env()) as player:
        seen: set[str] = set()
        for case in paced(cases_of(make_env, episodes), seconds):
            player.reset(*case)
            if player.now.observation.admissible or player.expert() is not None:
                return "actions are listed, or there is an expert()"
            seen |= {moment.observation for action, moment in play(player, case) if action}
    return Remark(
        f"actions are guessed: none are listed and there is no expert(), and {len(seen)} observations were all that "
        "came of them, so that what is said of repeats and snapshots may be of refused actions alone; list some in "
        "Observation(..., admissible=[...]), or write expert()"
    )


def wins_at_random(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 50) -> str:
    """How often random actions succeed on test tasks."""
    with Player(make_env()) as player:
        cases = paced(cases_of(make_env, episodes, "test"), seconds, least=3)
        won = [success_of(player, case, by_expert=False) for case in cases]
    found = f"random actions win {sum(won)} of {len(won)} episodes of test tasks"
    return Remark(f"{found}: there is nothing to learn") if all(won) else Remark(found)


def gives_sane_rewards(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 20) -> str:
    """Rewards are finite; their range, by random actions and by the expert, and sums outside -1 to 1 are told."""
    rewards: list[float] = []
    sums: list[float] = []
    with Player(make_env()) as player:
        for number, case in enumerate(paced(cases_of(make_env, episodes), seconds, least=2)):
            of_episode = [reward for reward, _ in _rewards_and_sizes(player, case, by_expert=number % 2 == 1)]
            rewards.extend(of_episode)
            sums.append(sum(of_episode))
    found = (
        f"rewards from {min(rewards):.3g} to {max(rewards):.3g}, "
        f"sums of an episode from {min(sums):.3g} to {max(sums):.3g} in {len(sums)} episodes"
    )
    if max(map(abs, rewards)) > _LARGE_REWARD:
        return Remark(f"{found}: rewards above {_LARGE_REWARD:.0f} drown everything else in a batch; scale them")
    outside = min(sums) < -1.001 or max(sums) > 1.001
    return Remark(f"{found}: sums outside -1 to 1; is that meant?") if outside else found


def shows_sane_observations(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 20) -> str:
    """Characters of observations: the median and the most."""
    sizes: list[int] = []
    with Player(make_env()) as player:
        for number, case in enumerate(paced(cases_of(make_env, episodes), seconds, least=2)):
            sizes.extend(size for _, size in _rewards_and_sizes(player, case, by_expert=number % 2 == 1))
    found = f"{statistics.median(sizes):.0f} characters in the median, {max(sizes)} at most, {len(sizes)} observations"
    if max(sizes) > _LARGE_OBSERVATION:
        return Remark(f"{found}: more than {_LARGE_OBSERVATION} characters fit few models' contexts; cut them")
    return found


def _rewards_and_sizes(player: Player, case: Case, *, by_expert: bool) -> Iterator[tuple[float, int]]:
    """Reward and characters of each turn, from the reset on; by random actions where there is no expert."""
    observation = player.reset(*case)
    action = player.expert() if by_expert else None
    if action is None:
        for _, moment in play_at_random(player, *case):
            yield moment.reward, len(moment.observation)
        return
    yield 0.0, len(observation)
    while action is not None:
        moment = moment_of(player.step(action))
        yield moment.reward, len(moment.observation)
        action = player.expert() if player.goes_on else None
