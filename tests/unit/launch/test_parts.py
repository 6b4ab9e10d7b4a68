from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym import loops
from agentgym.errors import UserError
from agentgym.launch import train
from agentgym.launch.parts import Parts, assembled
from agentgym.launch.resolving import resolve
from agentgym.learn.policy import Policy
from tests.kit import BELL, FORGETFUL, byte_tokenizer, chat, tiny_model

EXAMPLES = Path(__file__).parents[2] / "contract" / "examples"
SMALL = {"model": {"id": "nano", "width": 16, "feed_forward": 8}}


def assemble(given: dict[str, Any]) -> Parts:
    async def main() -> Parts:
        async with assembled(resolve(given)) as parts:
            return parts

    return loops.run(main())


def test_an_asynchronous_environment_trains(tmp_path: Path) -> None:
    run = train(
        {
            **SMALL,
            "env": str(EXAMPLES / "async_counter.py"),
            "trainer": {"groups": 1, "group_size": 2},
            "warm_start": {"max_updates": 2},
            "eval": {"episodes": 2, "validation_episodes": 1},
            "rollout": {"max_reply_tokens": 2, "max_turns": 3},
            "updates": 1,
            "output": tmp_path / "run",
        }
    )
    assert (run / "report.json").is_file()


def test_a_template_that_rewrites_thoughts_is_told_before_a_run(tmp_path: Path) -> None:
    policy = Policy(tiny_model(vocab_size=len(byte_tokenizer()), max_position_embeddings=2048), chat(FORGETFUL))
    policy.save(tmp_path)
    parts = assemble({"env": BELL, "model": str(tmp_path), "protocol": "tools"})
    assert parts.warning == (
        "the chat template rewrites earlier replies (with a thought): after each of them the token stream forks, "
        "that is, the next turn begins another sample with the whole conversation"
    )
    rules = "<tool_call>"
    assert rules in parts.policy.tokenizer.render([{"role": "user", "content": parts.protocol.rules}])
    assert assemble({**SMALL, "env": BELL}).warning == ""


def test_the_tokenizer_knows_what_is_shown_and_said() -> None:
    vocabulary = assemble({**SMALL, "env": str(EXAMPLES / "guess_color.py")}).policy.tokenizer.hf.get_vocab()
    assert {"red", "green", "blue", "guess"} <= vocabulary.keys()


def test_the_first_observation_must_fit() -> None:
    with pytest.raises(UserError, match=r"the first observation takes \d+ tokens, the context holds 4"):
        assemble({**SMALL, "env": str(EXAMPLES / "guess_color.py"), "engine": {"max_context": 4}})


@pytest.mark.parametrize("kind", ["made", "loaded"])
def test_an_environment_that_breaks_at_once_is_refused(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"{kind}_breaks.py"
    model: dict[str, object] = {"id": "nano", "width": 16}
    if kind == "loaded":
        Policy(tiny_model(vocab_size=len(byte_tokenizer())), chat()).save(tmp_path / "model")
        model = {"id": str(tmp_path / "model")}
    file.write_text(
        "import agentgym\n\n\n@agentgym.register\nclass Breaks(agentgym.Env):\n"
        "    def reset(self, *, seed=None, options=None):\n        raise OSError('no server')\n"
    )
    with pytest.raises(UserError, match=r"breaks in its first episodes: .*no server"):
        assemble({**SMALL, "env": str(file), "model": model})


def test_a_run_that_does_not_fit_in_memory_says_what_to_lower(tmp_path: Path) -> None:
    """Checked before anything is written; one microbatch of so many tokens would take terabytes."""
    bell = str(EXAMPLES.parents[2] / "examples" / "new_environment.py")
    given = {"env": bell, "trainer": {"id": "grpo", "max_microbatch_tokens": 10**9}, "output": tmp_path / "run"}
    with pytest.raises(UserError, match=r"training needs about .* free on cpu: .*--trainer.max_microbatch_tokens"):
        train(given)
    given = {"env": bell, "rollout": {"concurrency": 10**7}, "output": tmp_path / "run"}
    with pytest.raises(UserError, match=r"lower --rollout.concurrency or --engine.max_context"):
        train(given)
    assert not (tmp_path / "run").exists()
