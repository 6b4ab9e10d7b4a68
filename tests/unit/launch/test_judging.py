"""Who judges in a run: the policy, a function, a server, another model."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentgym.actors.scripted import ScriptedEngine
from agentgym.config import Choice
from agentgym.engine import Engine
from agentgym.errors import ConfigError, JudgeError, UserError
from agentgym.launch import judging, train
from agentgym.launch.judging import EngineJudge, FunctionJudge, appoint
from agentgym.launch.parts import assembled
from agentgym.launch.resolving import resolve
from agentgym.learn.policy import Policy
from agentgym.registry import plugins
from agentgym.rewards.rubric_judge import RubricJudge
from agentgym.types import Message
from tests.kit import BELL, chat, episode
from tests.openai_server import FakeServer

SMALL = {"model": {"id": "nano", "width": 16, "feed_forward": 8}}
QUESTION: list[Message] = [{"role": "system", "content": "Judge."}, {"role": "user", "content": "This."}]
TOKENIZER = chat()


def talking(text: str) -> ScriptedEngine:
    return ScriptedEngine(lambda prompt: [*TOKENIZER.encode_reply(text), TOKENIZER.stop_token_ids[0]])


def graded(judge: str, tmp_path: Path, engine: Engine | None = None) -> Any:
    """What a rubric-judge gives an episode of one turn, and the reward itself."""

    async def main() -> Any:
        async with contextlib.AsyncExitStack() as closing:
            rewards = [
                plugins("rewards").build("rubric-judge", {"rubric": "Be fair.", "judge": judge, "max_reply_tokens": 60})
                for _ in range(2)
            ]
            policy = Policy(None, TOKENIZER)
            await appoint(rewards, engine or talking("no"), policy, sessions=4, closing=closing)
            assert rewards[0]._judge is rewards[1]._judge
            return await rewards[0](episode(0.0)), rewards[0]

    return asyncio.run(main())


def test_the_policy_is_asked_greedily_in_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = talking("verdict")
    released: list[str] = []
    monkeypatch.setattr(engine, "release", released.append)
    judge = EngineJudge(engine, TOKENIZER)
    answer = asyncio.run(judge.ask(QUESTION, max_tokens=100))
    assert answer.text == "verdict"
    (prompt,) = engine.requests
    assert TOKENIZER.decode(prompt) == TOKENIZER.render(QUESTION)
    assert answer.num_tokens == len(prompt) + len("verdict") + 1
    asyncio.run(judge.ask(QUESTION, max_tokens=3))
    assert released == ["judge/0", "judge/1"]
    engine.policy_version = 5
    assert judge.version == 5


def test_a_policy_that_does_not_keep_to_the_form_gives_no_grade(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match=r"gave no verdict.*found 'no'"):
        graded("policy", tmp_path)


def test_a_function_judges(tmp_path: Path) -> None:
    file = tmp_path / "own_judges.py"
    file.write_text(
        "async def fair(messages):\n    return messages[-1]['content'].rpartition('\\n')[2].partition('with: ')[2]"
        ".partition('[')[0] + '[7]'\n\ndef mute(messages):\n    return None\n"
    )
    assert graded(f"{file}:fair", tmp_path)[0] == [0.7]
    with pytest.raises(JudgeError, match="the function that judges gave None, expected text"):
        graded(f"{file}:mute", tmp_path)
    with pytest.raises(UserError, match=r'has no "fare"\. Did you mean "fair"'):
        graded(f"{file}:fare", tmp_path)


def says(body: dict[str, Any]) -> dict[str, Any]:
    marks = re.findall(r"verdict ([0-9a-f]{16})", body["messages"][-1]["content"])
    return {"role": "assistant", "content": f"Fair.\nverdict {marks[-1]} [4]" if marks else "hello"}


def test_a_model_of_a_server_judges(tmp_path: Path) -> None:
    with FakeServer() as server:
        server.say = says
        earned, reward = graded(f"openai:{server.url}#tiny", tmp_path)
        (*_, body) = server.bodies("/v1/chat/completions")  # the first was to find out what the server can do
        assert earned == [0.4]
        assert (body["model"], body["temperature"], body["max_tokens"]) == ("tiny", 0.0, 60)
        assert 0 < reward.num_tokens < 1000
        with pytest.raises(UserError, match=r'the judge "openai:http.*#big" cannot be asked: .*big'):
            graded(f"openai:{server.url}#big", tmp_path)
    with pytest.raises(UserError, match=r'the judge "openai:localhost" has no address; type such as openai:http://'):
        graded("openai:localhost", tmp_path)


def test_another_model_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []

    def load(source: str) -> Policy:
        loaded.append(source)
        return Policy("its module", TOKENIZER)

    def around(choice: Choice, module: Any, *, sessions: int) -> Engine:
        loaded.extend((choice.id, module, sessions))
        return talking("yes")

    monkeypatch.setattr(judging, "load_policy", load)
    monkeypatch.setattr(judging, "make_engine", around)
    with pytest.raises(JudgeError, match=r"gave no verdict.*found 'yes'"):
        graded("models/judge", tmp_path)
    assert loaded == ["models/judge", "embedded", "its module", 4]


def test_a_run_has_its_judge_before_the_first_episode(tmp_path: Path) -> None:
    """Which is tried out: an episode of one turn is judged."""
    file, log = tmp_path / "rings.py", tmp_path / "asked.txt"
    file.write_text(
        "import re\n\ndef judge(messages):\n    text = messages[-1]['content']\n"
        f"    open({str(log)!r}, 'a').write(text)\n"
        "    return 'verdict ' + re.findall('verdict ([0-9a-f]{16})', text)[-1] + ' [1]'\n"
    )
    rubric = tmp_path / "rubric.md"
    rubric.write_text("Ring once.\n")
    options = {"rubric": str(rubric), "highest": 2, "judge": f"{file}:judge"}

    async def main() -> None:
        async with assembled(resolve({**SMALL, "env": BELL, "rewards": {"rubric-judge": options}})) as made:
            (weighted,) = [each for each in made.rollout.shapers if each.name == "rubric-judge"]
            assert isinstance(weighted.shaper, RubricJudge)
            assert weighted.shaper.num_calls == 1

    asyncio.run(main())
    assert log.read_text().startswith("What to judge by:\nRing once.\n\nbegin ")
    with pytest.raises(ConfigError, match=r'rewards\.rubric-judge\.rubric: there is no file "gone\.md"'):
        resolve({**SMALL, "env": BELL, "rewards": {"rubric-judge": {"rubric": "gone.md"}}})


def test_a_judge_that_does_not_keep_to_the_form_is_found_out_before_a_run(tmp_path: Path) -> None:
    file = tmp_path / "mumbles.py"
    file.write_text("def judge(messages):\n    return 'ten points'\n")
    rewards = {"pairwise-judge": {"rubric": "Ring once.", "judge": f"{file}:judge"}}
    with pytest.raises(
        UserError, match=r"gave no verdict: .*found 'ten points'; it was tried out on an episode of one"
    ):
        train({**SMALL, "env": BELL, "rewards": rewards, "output": tmp_path / "run"})
    assert not (tmp_path / "run").exists()


def test_a_function_may_be_plain() -> None:
    def echo(messages: Sequence[Message]) -> str:
        return str(messages[-1]["content"])

    assert asyncio.run(FunctionJudge(echo).ask(QUESTION, max_tokens=9)) == ("This.", 4)
