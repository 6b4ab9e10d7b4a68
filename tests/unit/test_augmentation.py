"""What every augmentation has from its base: a strength that the environment never sees, and nothing to do at 0."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.augmentation import Augmentation, is_augmented
from agentgym.env import Env, Expert
from agentgym.errors import ConfigError, UserError
from agentgym.registry import EnvFactory
from agentgym.types import Observation
from agentgym.wrapper import Wrapper


class Strict(Env):
    """Counts, and takes no option but its own."""

    instructions = "Say a number."

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if unknown := {*(options or {})} - {"task", "size"}:
            raise UserError(f"no such option: {unknown}")
        self.heard: list[str] = []
        return f"begin {(options or {}).get('size', 0)}", {}

    def step(self, action: str) -> Any:
        self.heard.append(action)
        return f"heard {action}", 0.5, len(self.heard) == 3, False, {}

    def expert(self) -> Expert:
        return lambda seen: f"after {seen}"


class Awaited(Strict):
    async def step(self, action: str) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return Strict.step.__wrapped__(self, action)  # type: ignore[attr-defined]


class Loud(Augmentation):
    """Shouts."""

    def observation(self, seen: Observation) -> str:
        return f"{seen.upper()} at {self.strength:g}"

    def action(self, said: str) -> str:
        return said.removeprefix("loud ")

    def said(self, expert: str) -> str:
        return f"loud {expert}"

    def reward(self, paid: float) -> float:
        return 2 * paid


class Plain(Wrapper):
    """Changes nothing."""


class Never(Augmentation):
    def misfit(self, seen: Observation) -> str:
        return f"it shows {seen}"


def test_the_environment_does_not_see_the_strength_and_the_augmentation_does() -> None:
    env = Loud(Strict())
    seen, _ = env.reset(seed=1, options={"strength": 0.5, "size": 3})
    assert (seen, env.strength) == ("BEGIN 3 at 0.5", 0.5)
    assert env.step("loud one")[:2] == ("HEARD ONE at 0.5", 1.0)
    assert vars(env.unwrapped)["heard"] == ["one"]
    assert env.expert()(Observation())  # type: ignore[misc]


def test_nested_ones_all_see_it_also_through_a_wrapper_that_is_none() -> None:
    env = Loud(Plain(Loud(Plain(Strict()))))
    seen, _ = env.reset(seed=1, options={"strength": 1, "size": 2})
    assert seen == "BEGIN 2 AT 1 at 1"
    inner = env.env.env  # type: ignore[attr-defined]
    assert (env.strength, inner.strength) == (1.0, 1.0)
    assert inner._options == {"strength": 1, "size": 2}
    assert env.unwrapped._options == {"size": 2}


@pytest.mark.parametrize("options", [None, {}, {"strength": 0}, {"strength": 0.0}])
def test_without_a_strength_nothing_is_changed(options: dict[str, Any] | None) -> None:
    env = Loud(Strict())
    assert env.reset(seed=1, options=options)[0] == "begin 0"
    assert env.strength == 0
    expert = env.expert()
    assert expert is not None
    assert expert(Observation()) == "after begin 0"
    assert env.step("loud one")[:2] == ("heard loud one", 0.5)


def test_the_next_episode_has_its_own() -> None:
    env = Loud(Strict())
    env.reset(seed=1, options={"strength": 1})
    assert env.reset(seed=1)[0] == "begin 0"


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan"), "all", None, [1]])
def test_what_is_no_strength_is_refused(strength: Any) -> None:
    with pytest.raises(UserError, match=r"strength is .*, expected a number from 0 to 1"):
        Loud(Strict()).reset(seed=1, options={"strength": strength})


def test_one_that_does_not_fit_says_why_unless_it_is_off() -> None:
    env = Never(Strict())
    env.reset(seed=1)
    with pytest.raises(
        UserError, match='the augmentation "Never" does not fit the environment "Strict": it shows begin'
    ):
        env.reset(seed=1, options={"strength": 0.1})


def test_the_expert_says_it_as_it_is_said_there() -> None:
    env = Loud(Strict())
    env.reset(seed=1, options={"strength": 1})
    expert = env.expert()
    assert expert is not None
    assert expert(Observation("whatever")) == "loud after begin 0"


def test_it_goes_by_the_environments_name_and_says_what_it_is() -> None:
    assert Loud(Loud(Strict())).name == "Strict"
    assert is_augmented(Plain(Loud(Strict())))
    assert not is_augmented(Plain(Strict()))


def test_around_an_async_environment() -> None:
    async def play() -> tuple[str, str]:
        env = Loud(Awaited())
        seen, _ = env.reset(seed=1, options={"strength": 1})
        result = await env.step("loud one")
        return seen, result.observation

    assert asyncio.run(play()) == ("BEGIN 0 at 1", "HEARD ONE at 1")


def test_a_moment_is_gone_back_to_with_its_strength() -> None:
    env, other = Loud(Strict()), Loud(Strict())
    env.reset(seed=1, options={"strength": 0.5})
    env.step("loud one")
    moment = env.snapshot()
    other.reset(seed=2)
    other.restore(moment)
    assert (other.strength, other.step("loud two")[0]) == (0.5, "HEARD TWO at 0.5")


def test_what_is_drawn_depends_on_seed_turn_and_depth_alone() -> None:
    env = Loud(Loud(Strict()))
    env.reset(seed=7, options={"strength": 1})

    def draws() -> list[float]:
        inner = env.env
        assert isinstance(inner, Augmentation)
        return [env.rng().random(), env.rng(0, 1).random(), inner.rng().random(), inner.rng(0, 1).random()]

    first = draws()
    assert draws() == first
    assert len({*first}) == 4
    env.step("one")
    second = draws()
    assert {*second} & {*first} == {first[1], first[3]}  # those of the episode
    env.reset(seed=8, options={"strength": 1})
    assert not {*draws()} & {*first, *second}


def test_a_factory_puts_them_around_in_order() -> None:
    env = EnvFactory("blocksworld", {"level": "b3"}, {"noise": {"rate": 1.0}, "truncation": {"keep": 20}})()
    assert (type(env).__name__, type(env.env).__name__, env.name) == ("Truncation", "Noise", "blocksworld")
    assert (env.keep, env.env.rate) == (20, 1.0)
    with pytest.raises(ConfigError, match=r"augment\.noise\.rate: Input should be greater than 0"):
        EnvFactory("blocksworld", augment={"noise": {"rate": 0}})()
    with pytest.raises(ConfigError, match=r'unknown key "augment\.noise\.rat"\. Did you mean "rate"'):
        EnvFactory("blocksworld", augment={"noise": {"rat": 0.5}})()


def test_a_file_of_ones_own_is_an_augmentation() -> None:
    assert agentgym.plugins("augmentations").one == "augmentation"
    assert "error-hints" in agentgym.plugins("augmentations").ids()


def test_the_examples_of_the_docs_do_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text()
    hints, own = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(hints, {"__name__": "hints"})
    assert capsys.readouterr().out == "Nothing moves.\nHint: Numbers are even.\nNothing moves.\n"
    found: dict[str, Any] = {"__name__": "own"}
    exec(own.replace("@agentgym.register\n", ""), found)  # which would be there for all tests
    assert found["Whispering"](Strict()).reset(seed=0, options={"strength": 1})[0] == "begin 0"


def test_the_docs_name_every_augmentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text()
    assert [id for id in agentgym.plugins("augmentations").ids() if f"| `{id}` |" not in page] == []
