"""What settings make: a policy, the engine that samples from it, a learner of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.config import Choice
from agentgym.engine import Prompt
from agentgym.env import Env
from agentgym.errors import ConfigError, DataError
from agentgym.launch import models
from agentgym.launch.models import (
    engine_of,
    is_served,
    make_engine,
    make_learner,
    make_policy,
    served_policy,
)
from agentgym.launch.resolving import resolve
from agentgym.learn.policy import Policy
from agentgym.learn.sources import policy_source
from agentgym.learn.trainer import TrainerSettings
from agentgym.registry import EnvFactory
from tests.kit import BELL, tiny_model
from tests.unit.launch.kit import Listening, a_policy, mark, marked

SMALL = {"width": 16, "feed_forward": 8}


def bell() -> Env:
    env: Env = EnvFactory(BELL)()
    return env


def made(model: Choice, *, seed: int = 0, policy_dir: Path | None = None) -> Policy:
    return asyncio.run(make_policy(model, bell(), seed=seed, policy_dir=policy_dir))


# -- the policy ------------------------------------------------------------------------------------------


def test_a_run_directory_means_its_trained_policy(tmp_path: Path) -> None:
    assert policy_source(tmp_path) == str(tmp_path)
    (tmp_path / "policy").mkdir()
    assert policy_source(str(tmp_path)) == str(tmp_path / "policy")
    assert policy_source("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"


def test_a_trained_policy_lies_in_its_run(tmp_path: Path) -> None:
    run, secret = tmp_path / "run", tmp_path / "secret"
    (run / "policies" / "000003").mkdir(parents=True)
    secret.mkdir()
    (run / "policy").symlink_to("policies/000003")
    (tmp_path / "link").symlink_to(run)
    assert policy_source(tmp_path / "link") == str(tmp_path / "link" / "policy")
    for target in (str(secret), "../secret", "policies/../../secret"):
        (run / "policy").unlink()
        (run / "policy").symlink_to(target)
        with pytest.raises(DataError, match=rf"is a link to .*secret, out of the run; .* type: --model {secret}"):
            policy_source(run)


def test_the_seed_decides_the_initial_weights_of_a_small_model() -> None:
    nano = Choice(id="nano", **SMALL)
    one, again, other = (next(made(nano, seed=seed).module.parameters()) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_small_model_goes_on_from_where_its_run_left_off(tmp_path: Path) -> None:
    policy = a_policy()
    mark(policy.module, 3.5)
    policy.save(tmp_path / "policy")
    assert marked(made(Choice(id="nano", **SMALL), policy_dir=tmp_path / "policy").module) == 3.5


@pytest.mark.parametrize("key", ["image_size", "patch_size", "vision_layers"])
def test_keys_of_pictures_are_refused_where_there_are_none(key: str) -> None:
    with pytest.raises(
        ConfigError, match=rf'model\.{key} has no effect: the environment "new_environment" shows no pictures'
    ):
        made(Choice(id="nano", **SMALL, **{key: 8}))


@pytest.mark.parametrize(
    ("options", "goes_on", "source", "rank"),
    [
        ({}, False, "some/model", None),
        ({"lora": True, "lora_rank": 4}, False, "some/model", 4),
        ({"lora": True, "lora_rank": 4}, True, "left", None),  # what was saved is the adapter
        ({}, True, "left", None),
    ],
)
def test_a_model_is_loaded_from_where_the_run_left_off_with_an_adapter_only_at_first(
    options: dict[str, Any], goes_on: bool, source: str, rank: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []

    def load(source: Any, **given: Any) -> Policy:
        asked.append((str(source), given))
        return a_policy()

    monkeypatch.setattr(models, "load_policy", load)
    chosen = Choice(id="some/model", **options, device="cpu", dtype="bfloat16")
    made(chosen, policy_dir=Path("left") if goes_on else None)
    assert asked == [(source, {"device": "cpu", "dtype": "bfloat16", "lora_rank": rank})]


# -- a learner -------------------------------------------------------------------------------------------


def test_a_learner_has_every_setting_of_its_trainer() -> None:
    module = tiny_model()
    settings = TrainerSettings(
        learning_rate=0.25,
        warmup_updates=3,
        schedule="linear",
        weight_decay=0.125,
        max_grad_norm=0.5,
        aggregation="constant",
        aggregation_tokens=77,
        max_microbatch_tokens=99,
        precision="bfloat16",
        gradient_checkpointing=True,
        share_prefixes="off",
    )
    learner = make_learner(module, settings, total_updates=8)
    assert (learner.learning_rate, learner.warmup_updates, learner.schedule) == (0.25, 3, "linear")
    assert (learner.max_grad_norm, learner.max_microbatch_tokens, learner.precision) == (0.5, 99, "bfloat16")
    assert (learner.aggregation, learner.max_tokens_constant, learner.total_updates) == ("constant", 77, 8)
    assert learner.optimizer.param_groups[0]["weight_decay"] == 0.125
    assert module.model.gradient_checkpointing
    assert learner.share_prefixes == "off"


def test_changes_have_the_last_word() -> None:
    learner = make_learner(tiny_model(), TrainerSettings(learning_rate=0.25), learning_rate=0.5, temperature=0.75)
    assert (learner.learning_rate, learner.temperature) == (0.5, 0.75)


# -- the engine ------------------------------------------------------------------------------------------


def shares(engine: Any, module: Any) -> bool:
    """Whether what it samples from changes with the module."""

    async def likely() -> list[float]:
        scored: list[float] = await engine.score(Prompt([1, 2, 3]))
        return scored

    before = asyncio.run(likely())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)
    return asyncio.run(likely()) != before


@pytest.mark.parametrize("ahead", [False, True])
def test_an_engine_that_plays_while_something_is_learned_has_weights_of_its_own(ahead: bool) -> None:
    module = tiny_model()
    engine = make_engine(Choice(id="embedded"), module, sessions=7, ahead=ahead)
    assert shares(engine, module) == (not ahead)


@pytest.mark.parametrize(("mode", "shared"), [("sync", True), ("async", False), ("fully-async", False)])
def test_the_mode_of_a_run_decides_whether_its_engine_does(mode: str, shared: bool) -> None:
    module = tiny_model()
    assert shares(engine_of(resolve({"env": BELL, "mode": mode}), module), module) == shared


ENGINE = """
from typing import Any

from agentgym.actors.scripted import ScriptedEngine


class Served(ScriptedEngine):
    has_own_model = True

    def __init__(self, module: Any = None, *, model: str = "", max_sessions: int = 1) -> None:
        super().__init__(lambda ids: [])
        self.module, self.model, self.max_sessions = module, model, max_sessions
"""


@pytest.fixture
def server(tmp_path: Path) -> str:
    """An engine of a server's, which keeps what it is told."""
    file = tmp_path / f"engine_of_{tmp_path.name.replace('-', '_')}.py"
    file.write_text(ENGINE)
    return f"{file}:Served"


def test_sessions_are_as_many_as_are_asked_for_unless_the_user_says_otherwise(server: str) -> None:
    for options, num in (({}, 7), ({"max_sessions": 3}, 3)):
        built: Any = make_engine(Choice(id=server, **options), "module", sessions=7, ahead=True)
        assert (built.max_sessions, built.module) == (num, "module")
    built = engine_of(resolve({"env": BELL, "engine": server, "rollout": {"concurrency": 5}}), "module")
    assert (built.max_sessions, built.module, built.model) == (5, "module", "")


def test_an_engine_without_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match='the engine "scripted" has no model behind it; type: --engine embedded'):
        make_engine(Choice(id="scripted"), None, sessions=1)


# -- a server's model --------------------------------------------------------------------------------------


def served(model: str, engine: str = "openai") -> bool:
    return is_served(resolve({"env": BELL, "model": model, "engine": engine}))


def test_a_model_is_the_servers_where_it_is_not_here(tmp_path: Path) -> None:
    assert served("some/model")
    assert not served("nano")
    assert not served(str(tmp_path))
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    assert not served(str(tmp_path / "tiny.gguf"))
    assert served("tiny.gguf")
    assert not served("some/model", "embedded")


def test_a_server_is_told_which_model_is_meant_unless_the_user_did(server: str) -> None:
    given = {"env": BELL, "model": "some/model"}
    for options, name in (({}, "some/model"), ({"model": "another"}, "another")):
        engine: Any = engine_of(resolve({**given, "engine": {"id": server, **options}}), None)
        assert engine.model == name


def test_a_server_that_speaks_text_has_its_bytes_on_record_and_one_of_tokens_needs_the_tokenizer(
    tmp_path: Path,
) -> None:
    engine = Listening()
    engine.speaks_text = True
    policy = served_policy("some/model", engine)
    assert policy.module is None
    assert len(policy.tokenizer.encode("abc")) == 3
    engine.speaks_text = False
    a_policy().save(tmp_path / "there")
    assert served_policy(str(tmp_path / "there"), engine).tokenizer.encode("abc") == policy.tokenizer.encode("abc")
    with pytest.raises(ConfigError, match=r"takes token ids, and the tokenizer of .* is not on this machine"):
        served_policy(str(tmp_path / "nowhere"), engine)
