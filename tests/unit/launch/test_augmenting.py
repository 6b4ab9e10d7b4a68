"""Augmentations as they are typed and written, and what does not go with them."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from agentgym.config import long_form, read_toml
from agentgym.errors import ConfigError, UnknownIdError, UserError
from agentgym.flags import parse_flags
from agentgym.hosts import make_hosts
from agentgym.launch.places import absolute, code_of
from agentgym.launch.resolving import resolve, settings_for
from agentgym.launch.score import score
from agentgym.launch.scout import Scout, sent_ahead
from agentgym.launch.settings import TrainSettings
from agentgym.launch.written import as_given, resolved
from agentgym.manual import page
from agentgym.registry import EnvFactory
from tests.kit import episode


def settings(**given: Any) -> TrainSettings:
    return resolve({"env": "blocksworld", **given})


# -- as it is typed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("--augment noise", {"noise": {}}),
        ("--augment.noise", {"noise": {}}),
        ("--augment.noise.rate 0.2", {"noise": {"rate": 0.2}}),
        ("--augment noise --augment.noise.rate 0.2", {"noise": {"rate": 0.2}}),
        ("--augment.noise.rate 0.2 --augment noise", {"noise": {"rate": 0.2}}),
        ("--augment truncation --augment noise", {"truncation": {}, "noise": {}}),
        ('--augment ["truncation","noise"]', {"truncation": {}, "noise": {}}),
        ("--augment.error-hints.probability 0.5", {"error-hints": {"probability": 0.5}}),
        ("", {}),
    ],
)
def test_flags(typed: str, found: dict[str, Any]) -> None:
    chosen = settings(**parse_flags(typed.split())).augmentations
    assert (chosen, list(chosen)) == (found, list(found))  # the order is that around the environment


def test_a_file_of_ones_own() -> None:
    found = parse_flags(["--augment../mine.py:Own.rate", "1", "--augment", "./other.py"])
    assert found == {"augment": {"./mine.py:Own": {"rate": 1}, "./other.py": {}}}
    whole = absolute({"augment": {"./mine.py:Own": {"rate": 1}}})
    assert whole == {"augment": {f"{Path('mine.py').absolute()}:Own": {"rate": 1}}}
    assert code_of(whole) == [str(Path("mine.py").absolute())]


def test_toml(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('env = "blocksworld"\naugment_strength = 0.5\n[augment.noise]\nrate = 0.25\n[augment.truncation]\n')
    chosen = resolve(read_toml(file))
    assert (chosen.augmentations, chosen.augment_strength) == ({"noise": {"rate": 0.25}, "truncation": {}}, 0.5)
    for short in ("noise", ["noise"], {"noise": True}):
        assert long_form({"augment": short}) == {"augment": {"noise": {}}}


def test_what_a_run_writes_is_what_it_was_given() -> None:
    config = resolved(settings(augment={"noise": {"rate": 0.3}, "truncation": {}}))
    assert config["augment"] == {"noise": {"rate": 0.3}, "truncation": {"keep": 1000}}
    assert config["augment_strength"] == 1.0
    assert as_given(config)["augment"] == {"noise": {"rate": 0.3}, "truncation": {}}


def test_help_has_the_settings_of_what_is_named() -> None:
    plain = page(TrainSettings, {"env": "blocksworld"})
    assert "--augment ID" in plain
    assert "--augment.noise.rate" not in plain
    assert "With --augment noise" in page(TrainSettings, {"env": "blocksworld", "augment": "noise"})
    alone = page(TrainSettings, {"env": "blocksworld"}, topic="noise")
    assert "--augment.noise.rate NUMBER" in alone
    assert "--trainer" not in alone
    assert "error-hints" in page(TrainSettings, {"env": "blocksworld"}, topic="augment")


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"augment": "nois"}, r'unknown augmentation "nois"\. Did you mean "noise"\?'),
        (
            {"augment": {"noise": {"rat": 1}}},
            r'unknown key "augment\.noise\.rat"\. Did you mean (--augment\.noise\.)?"?rate',
        ),
        ({"augment": {"noise": {"rate": 2}}}, r"augment\.noise\.rate: .* less than or equal to 1, found 2"),
        ({"augment": {"noise": 3}}, r"augment\.noise: expected its options, found 3; to do without it, leave it out"),
        ({"augment": {"noise": False}}, r"augment\.noise: expected its options, found False"),
        ({"augment": 3}, r"augment: .*dictionary, found 3"),
        ({"augment": "noise", "augment_strength": 2}, r"augment_strength: .* less than or equal to 1, found 2"),
        ({"augment_strength": 0.5}, "augment_strength has no effect without augment"),
        (
            {"augment": "noise", "augment_strength": 0},
            "augment noise has no effect at augment_strength 0, which the curriculum uniform leaves at that",
        ),
        (
            {"augment": "noise", "trainer": {"id": "dpo", "data": "somewhere"}},
            "augment noise has no effect: the trainer dpo learns from recorded episodes",
        ),
        (
            {"trainer": {"id": "rloo", "clean_share": 0.5}},
            r"trainer\.clean_share has no effect where nothing is augmented; add --augment error-hints",
        ),
        ({"trainer": {"mix_strengths": True}}, r"trainer\.mix_strengths has no effect where nothing is augmented"),
        ({"augment": "noise", "trainer": {"id": "ppo", "clean_share": 0.5}}, r'unknown key "trainer\.clean_share"'),
    ],
)
def test_what_has_no_effect_or_is_not_there_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises((ConfigError, UnknownIdError), match=told):
        settings(**given)


def test_the_same_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'"augment\.noise" is given twice'):
        parse_flags(["--augment", "noise", "--augment", "noise"])


def test_a_curriculum_may_raise_it_from_0() -> None:
    chosen = settings(augment="noise", augment_strength=0, curriculum="frontier")
    assert chosen.augment_strength == 0


def test_only_training_takes_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='"augment" has no effect here, it is of training'):
        settings_for({"env": "blocksworld", "augment": "noise"}, str(tmp_path), seed=0)


def test_what_was_augmented_measures_nothing() -> None:
    plain = episode(1.0, task=1)
    assert score([plain]).reward == 1.0
    with pytest.raises(UserError, match=r"played with augmentations of strength 0\.25; what is measured is played at"):
        score([plain, episode(1.0, task=1, strength=0.25)])


# -- before a run ----------------------------------------------------------------------------------------


async def _look(factory: EnvFactory, *, is_augmented: bool = True) -> Scout:
    hosts = make_hosts("loop", factory)
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(hosts.close)
        scout = await closing.enter_async_context(sent_ahead(hosts, factory.id, None))
        scout.is_augmented = is_augmented
        await scout.look()
        return scout


def test_the_first_look_is_at_full_strength_too() -> None:
    with pytest.raises(UserError, match='"renamed-tools" does not fit the environment "blocksworld"'):
        asyncio.run(_look(EnvFactory("blocksworld", augment={"renamed-tools": {}})))
    scout = asyncio.run(_look(EnvFactory("blocksworld", augment={"noise": {}})))
    assert scout.strength == 0.0
    asyncio.run(_look(EnvFactory("blocksworld", augment={"renamed-tools": {}}), is_augmented=False))
