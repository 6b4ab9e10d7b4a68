"""The engine without a model: what it says, where it is cut, and what it notes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from agentgym.actors.scripted import KEPT, ScriptedEngine
from agentgym.engine import Completion, Engine, Prompt, text_only
from agentgym.errors import EngineError
from agentgym.media import as_media
from tests.kit import sampling

END = 2


def counting(ids: Sequence[int]) -> list[int]:
    """As many tokens as the prompt has, the last of them an end."""
    return [*range(10, 10 + len(ids) - 1), END]


def said(engine: Engine, prompt: Sequence[int], **changes: Any) -> Completion:
    completion: Completion = asyncio.run(engine.generate(Prompt(prompt), sampling(**changes), session="s"))
    return completion


def test_it_says_what_the_function_replies_to_the_prompt() -> None:
    engine = ScriptedEngine(counting)
    assert said(engine, [7, 8, 9], stop_token_ids=(END,)) == Completion(
        token_ids=[10, 11, END], logprobs=[0.0] * 3, policy_versions=[0] * 3, finish_reason="stop"
    )
    said(engine, [7, 8])
    assert engine.requests == [[7, 8, 9], [7, 8]]


def test_the_last_prompts_are_kept() -> None:
    engine = ScriptedEngine(counting)
    for first in range(KEPT + 2):
        said(engine, [first])
    assert [prompt[0] for prompt in engine.requests] == list(range(2, KEPT + 2))


@pytest.mark.parametrize(("max_tokens", "ids", "reason"), [(3, [10, 11, END], "stop"), (2, [10, 11], "length")])
def test_max_tokens_cut_a_reply_before_its_end(max_tokens: int, ids: list[int], reason: str) -> None:
    completion = said(ScriptedEngine(counting), [7, 8, 9], max_tokens=max_tokens, stop_token_ids=(END,))
    assert (completion.token_ids, completion.finish_reason) == (ids, reason)


def test_nothing_said_was_not_stopped() -> None:
    assert said(ScriptedEngine(lambda _: []), [7], stop_token_ids=(END,)).finish_reason == "length"


def test_tokens_have_the_version_of_the_last_weights() -> None:
    engine = ScriptedEngine(counting)
    asyncio.run(engine.update_weights(4, []))
    assert said(engine, [7, 8]).policy_versions == [4, 4]
    assert engine.policy_version == 4


def test_it_thinks_everything_certain() -> None:
    assert asyncio.run(ScriptedEngine(counting).score(Prompt([1, 2, 3]))) == [0.0, 0.0, 0.0]


def test_an_engine_of_tokens_is_not_asked_in_messages() -> None:
    with pytest.raises(EngineError, match="ScriptedEngine takes token ids, not messages"):
        asyncio.run(ScriptedEngine(counting).chat([{"role": "user", "content": "hi"}], sampling()))


def test_a_prompt_with_images_is_more_than_text() -> None:
    assert text_only(Prompt([1, 2])) == [1, 2]
    with pytest.raises(EngineError, match="the prompt shows 1 images"):
        text_only(Prompt([1, 2], [as_media(np.zeros((2, 2, 3), np.uint8))]))
