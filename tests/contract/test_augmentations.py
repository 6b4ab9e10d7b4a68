"""Every augmentation around small environments of every sort: nothing at strength 0, the same episode every time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import agentgym
from agentgym.augmentation import Augmentation
from agentgym.env import Env
from agentgym.errors import MissingExtraError, UserError
from agentgym.hosts import Where, make_hosts
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec
from agentgym.types import Action, StepResult

AUGMENTATIONS = agentgym.plugins("augmentations").ids()
ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "blocksworld": {"level": "b4"},
    "countdown": {},
    "policydesk": {},
    "webshop": {},
    "bfcl": {},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "truncation": {"keep": 60},
    "noise": {"rate": 0.5},
    "briefing": {"text": "Be kind."},
}
"""Of those that would do little here otherwise."""
EVERYWHERE = list(itertools.product(AUGMENTATIONS, ENVIRONMENTS))
MISTAKES = ('[{"name": "no_such_tool", "arguments": {}}]', "", "ls(", "put red on red")


def settings_of(augmentations: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {each: SETTINGS.get(each, {}) for each in augmentations}


def made(around: str, *augmentations: str) -> Env:
    try:
        env: Env = EnvFactory(around, ENVIRONMENTS[around], settings_of(augmentations))()
    except MissingExtraError as error:
        pytest.skip(str(error))
    return env


def options_of(env: Env, strength: float) -> dict[str, Any]:
    return EpisodeSpec(task=env.tasks("train")[0], seed=0, strength=strength).reset_options or {}


def told(result: Any) -> tuple[Any, ...]:
    """All that is to be seen of a result."""
    seen, *rest = result
    return str(seen), seen.admissible, seen.tools, len(seen.images), *map(repr, rest)


def episode(env: Env, strength: float, *, seed: int = 3, with_mistakes: bool = True) -> Iterator[StepResult]:
    """What the expert does, with a mistake before each of its first turns."""
    env.reset(seed=seed, options=options_of(env, strength))
    expert = env.expert()
    assert expert is not None
    for turn in range(env.max_turns):
        if with_mistakes and turn < len(MISTAKES):
            result = StepResult(*env.step(MISTAKES[turn]))  # type: ignore[arg-type]  # it is one
            yield result
            if result.terminated or result.truncated:
                return
        assert env._seen is not None
        result = StepResult(*env.step(expert(env._seen)))  # type: ignore[arg-type]
        yield result
        if result.terminated or result.truncated:
            return


def fits(augmentation: str, around: str) -> bool:
    """Whether an augmentation has something to do in an environment; it says so at the first reset."""
    env = made(around, augmentation)
    try:
        env.reset(seed=3, options=options_of(env, 0.5))
    except UserError as error:
        assert str(error).startswith(f'the augmentation "{augmentation}" does not fit the environment "{around}": ')  # noqa: PT017
        return False
    return True


@pytest.mark.parametrize(("augmentation", "around"), EVERYWHERE)
def test_at_strength_0_it_is_the_plain_environment(augmentation: str, around: str) -> None:
    plain, augmented = made(around), made(around, augmentation)
    assert isinstance(augmented, Augmentation)
    for name in ("name", "instructions", "max_turns", "kind", "restored_by", "hints", "corpus_episodes"):
        assert getattr(augmented, name) == getattr(plain, name) or name == "restored_by"
    assert list(augmented.tasks("test")) == list(plain.tasks("test"))
    for strength, begun in ((0.0, plain.reset(seed=3, options=options_of(plain, 0))), (0, None)):
        again = augmented.reset(seed=3, options={**options_of(plain, 0), "strength": strength})
        assert begun is None or told(again) == told(begun)
    assert list(map(told, episode(augmented, 0))) == list(map(told, episode(plain, 0)))
    assert augmented._digests == plain._digests


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize(("augmentation", "around"), EVERYWHERE)
def test_the_same_seed_is_the_same_episode(augmentation: str, around: str, strength: float) -> None:
    if not fits(augmentation, around):
        return
    env, other = made(around, augmentation), made(around, augmentation)
    list(episode(other, strength, seed=4))  # what was played before does not matter
    assert list(map(told, episode(env, strength))) == list(map(told, episode(other, strength)))


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize(("augmentation", "around"), EVERYWHERE)
def test_the_expert_does_as_well_as_ever(augmentation: str, around: str, strength: float) -> None:
    if not fits(augmentation, around):
        return
    env, plain = made(around, augmentation), made(around)
    *_, last = (result[1:4] for result in episode(env, strength, with_mistakes=False))
    *_, expected = (result[1:4] for result in episode(plain, 0, with_mistakes=False))
    assert last == expected
    assert env._actions or plain._actions


@pytest.mark.parametrize(("augmentation", "around"), EVERYWHERE)
def test_a_moment_is_come_back_to(augmentation: str, around: str) -> None:
    if not fits(augmentation, around):
        return
    env, other = made(around, augmentation), made(around, augmentation)
    moments, results = [], []
    for result in episode(env, 1.0):
        moments.append(env.snapshot())
        results.append(told(result))
    actions = [Action.of(action) for action in env._actions]
    assert len(actions) == len(results)
    for place in (env, other):
        for turn, moment in enumerate(moments[:4], start=1):
            seen, _ = place.restore(moment)
            assert isinstance(place, Augmentation)
            assert place.strength == 1.0
            assert told((seen,)) == results[turn - 1][:4]
            assert [told(place.step(action)) for action in actions[turn:]] == results[turn:]
    other.replay(moments[0])
    assert told((other._seen,)) == results[0][:4]


@pytest.mark.parametrize(("around", "strength"), [("blocksworld", 0.0), ("blocksworld", 1.0), ("bfcl", 1.0)])
def test_in_a_process_it_is_what_it_is_here(around: str, strength: float) -> None:
    """All that fit, one around another."""
    fitting = settings_of(each for each in AUGMENTATIONS if fits(each, around))
    assert len(fitting) >= 3
    factory = EnvFactory(around, ENVIRONMENTS[around], fitting)
    options = options_of(factory(), strength)

    async def play(where: Where) -> list[Any]:
        hosts = make_hosts(where, factory)
        host = await hosts.open()
        try:
            begun = await host.reset(3, options)
            found: list[Any] = [told(begun), host.instructions, host.name]
            for mistake in MISTAKES[:2]:
                said = await host.expert(begun[0])
                found += [said, told(await host.step(Action.of(mistake)))]
            return found
        finally:
            await host.close()
            await hosts.close()

    here = asyncio.run(play("loop"))
    assert asyncio.run(play("processes")) == here
    assert here[2] == around


def test_each_changes_something_somewhere() -> None:
    """At strength 1, in one of the environments here."""
    idle = {*AUGMENTATIONS}
    for augmentation, around in EVERYWHERE:
        if augmentation in idle and fits(augmentation, around):
            plain, env = made(around), made(around, augmentation)
            begun = [told(each.reset(seed=3, options=options_of(each, float(each is env)))) for each in (env, plain)]
            if begun[0] != begun[1] or list(map(told, episode(env, 1.0))) != list(map(told, episode(plain, 0))):
                idle.remove(augmentation)
    assert idle == set()
