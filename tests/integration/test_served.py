"""A model that is a server's and not on this machine: it can be measured, not trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.errors import ConfigError, UserError
from agentgym.launch import evaluate, train
from tests.kit import BELL
from tests.openai_server import FakeServer


def settings(server: FakeServer, **more: object) -> dict[str, object]:
    return {"env": BELL, "engine": {"id": "openai", "base_url": server.url}, **more}


def hears(body: dict[str, object]) -> dict[str, object]:
    """Goes where the bell rings."""
    messages = body["messages"]
    assert isinstance(messages, list)
    return {"role": "assistant", "content": f"Action: {messages[-1]['content'].rstrip('.').split()[-1]}"}


def test_a_served_model_is_measured_in_text() -> None:
    with FakeServer() as server:
        server.returns_token_ids = False
        server.models[0]["max_model_len"] = 4096
        server.say = hears
        score, episodes = evaluate(settings(server), "tiny", episodes=5)
    assert (score.success, score.episodes, score.void) == (1.0, 5, 0)
    assert [len(episode.turns) for episode in episodes] == [3] * 5
    assert {version for e in episodes for s in e.samples for version in s.policy_versions} == {-1}  # nobody's tokens
    assert server.num_in_flight == 0


def test_training_with_it_is_refused_with_the_reason_and_nothing_is_written(tmp_path: Path) -> None:
    with FakeServer() as server:
        server.returns_token_ids = False
        server.models[0]["max_model_len"] = 4096
        server.say = hears
        with pytest.raises(UserError, match=r"this engine is for evaluation: .*token ids"):
            train({**settings(server, model="tiny"), "output": tmp_path / "run"})
    assert not (tmp_path / "run").exists()


def test_token_ids_without_their_tokenizer_are_refused() -> None:
    with FakeServer() as server, pytest.raises(ConfigError, match=r'the tokenizer of "tiny" is not on this machine'):
        evaluate(settings(server), "tiny", episodes=1)


@pytest.mark.parametrize(("filters", "told"), [({"top_p": 0.5}, "rollout.top_p"), ({"top_k": 3}, "rollout.top_k")])
def test_filters_without_effect_are_refused(filters: dict[str, float], told: str) -> None:
    with FakeServer() as server, pytest.raises(ConfigError, match=rf"{told} has no effect at temperature 0"):
        evaluate(settings(server, rollout=filters), "tiny", episodes=1)


def test_filters_reach_the_server() -> None:
    with FakeServer() as server:
        server.returns_token_ids = False
        server.models[0]["max_model_len"] = 4096
        server.say = hears
        evaluate(settings(server, rollout={"top_p": 0.5}), "tiny", episodes=1, temperature=0.7)
        (first, *_) = server.bodies("/v1/chat/completions")[-3:]
    assert (first["top_p"], first["temperature"]) == (0.5, 0.7)
