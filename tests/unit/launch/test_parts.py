from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym import loops
from agentgym.errors import UserError
from agentgym.launch import parts, train
from agentgym.launch.parts import Parts, assembled
from agentgym.launch.resolving import resolve
from agentgym.launch.scout import Scout
from agentgym.launch.sections import RolloutSettings
from agentgym.learn import footprint
from agentgym.learn.policy import Policy
from agentgym.rollout import EpisodeSpec, Limits
from agentgym.types import StopReason, Trajectory
from tests.kit import BELL, FORGETFUL, byte_tokenizer, chat, episode, tiny_model
from tests.unit.launch.kit import Listening, a_policy, mark

EXAMPLES = Path(__file__).parents[2] / "contract" / "examples"
SMALL = {"model": {"id": "nano", "width": 16, "feed_forward": 8}}


def assemble(given: dict[str, Any]) -> Parts:
    async def main() -> Parts:
        async with assembled(resolve(given)) as made:
            return made

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


def test_the_prompt_is_what_the_user_says_and_what_it_leaves_out_is_told() -> None:
    given = {"system": "Listen. <think>now</think>", "shots": 1, "actions": "shown"}
    parts = assemble({**SMALL, "env": BELL, "protocol": {"id": "react", **given}})
    opening = parts.protocol.prologue(parts.env.instructions)
    assert opening[0] == {"role": "system", "content": "Listen. <think>now</think>"}
    assert [message["role"] for message in opening[1:]] == ["user", "assistant"] * 3
    assert opening[2]["content"].startswith("Action: ")
    assert parts.rollout.protocol is parts.protocol
    assert parts.policy.tokenizer.render(opening).count("<think>now</think>") == 1
    rules = "Reply with one line 'Thought: <why>' and one line 'Action: <one action>'."
    assert parts.warning.splitlines() == [
        f'protocol.system has no {{rules}}, so the policy is not told by us how to reply: "{rules}"',
        'protocol.actions "shown" shows nothing: "new_environment" lists no actions at first',
    ]


def test_the_first_observation_must_fit() -> None:
    with pytest.raises(UserError, match=r"the first observation takes \d+ tokens, the context holds 4"):
        assemble({**SMALL, "env": str(EXAMPLES / "guess_color.py"), "engine": {"max_context": 4}})
    shown = {"env": BELL, "engine": {"max_context": 30}, "protocol": {"id": "plain", "shots": 2}}
    with pytest.raises(UserError, match=r"the context holds 30; .*, or fewer examples: --protocol\.shots 1$"):
        assemble({**SMALL, **shown})


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


def test_a_run_that_does_not_fit_in_memory_says_what_to_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checked before anything is written; one microbatch of so many tokens would take terabytes."""
    bell = str(EXAMPLES.parents[2] / "examples" / "new_environment.py")
    given = {"env": bell, "trainer": {"id": "grpo", "max_microbatch_tokens": 10**9}, "output": tmp_path / "run"}
    with pytest.raises(UserError, match=r"training needs about .* free on cpu: .*--trainer.max_microbatch_tokens"):
        train(given)
    monkeypatch.setattr(footprint, "available", lambda device: 2**27)
    given = {"env": bell, "rollout": {"concurrency": 10**7}, "output": tmp_path / "run"}
    with pytest.raises(UserError, match=r"lower --rollout.concurrency or --engine.max_context"):
        train(given)
    assert not (tmp_path / "run").exists()


# -- what a run is made of, and that it goes -------------------------------------------------------------


class Recorded(Listening):
    """An engine that says when it is started and closed."""

    async def start(self) -> None:
        self.log.append("start")

    async def close(self) -> None:
        self.log.append("close engine")


class Making:
    """What ``assembled`` makes of the smallest environment, with an engine and a rollout that do nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, first: Trajectory | None = None, **given: Any) -> None:
        self.settings = resolve({**SMALL, "env": BELL, **given})
        self.log: list[str] = []
        self.engine = Recorded(self.log)
        self.asked: dict[str, Any] = {}
        self.tried: list[tuple[list[EpisodeSpec], Limits]] = []
        self.first = first or episode(0.0)
        making = self

        class Asked:
            def __init__(self, make_env: Any, tokenizer: Any, protocol: Any, **given: Any) -> None:
                making.asked = given
                self.protocol = protocol

            async def run(self, specs: list[EpisodeSpec], actor: Any, *, limits: Limits) -> list[Trajectory]:
                making.tried.append((specs, limits))
                return [making.first]

            async def close(self) -> None:
                making.log.append("close rollout")

        close = Scout.close

        async def closed(scout: Scout) -> None:
            if "close environment" not in making.log:
                making.log.append("close environment")
            await close(scout)

        monkeypatch.setattr(parts, "Rollout", Asked)
        monkeypatch.setattr(parts, "engine_of", lambda settings, module, cluster=None: self.engine)
        monkeypatch.setattr(Scout, "close", closed)

    def __call__(self, **given: Any) -> Parts:
        async def main() -> Parts:
            async with assembled(self.settings, **given) as made:
                self.log.append("made")
                return made

        return loops.run(main())


def test_parts_are_started_tried_out_and_closed_from_the_last_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    making = Making(monkeypatch, rollout={"max_turns": 5, "max_invalid_actions": 2})
    made = making()
    assert making.log == ["start", "made", "close environment", "close rollout", "close engine"]
    ((specs, limits),) = making.tried
    assert (len(specs), limits) == (1, dataclasses.replace(made.limits, max_turns=1))
    assert (made.limits.max_turns, made.limits.max_invalid_actions) == (5, 2)
    assert making.asked["limits"] == dataclasses.replace(made.limits, max_invalid_actions=None)


def test_what_does_not_start_is_closed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    making = Making(monkeypatch)

    async def start() -> None:
        raise UserError("no memory")

    making.engine.start = start  # type: ignore[method-assign]
    with pytest.raises(UserError, match="no memory"):
        making()
    assert making.log == ["close engine", "close environment"]


def test_a_rollout_is_told_how_many_play_where_and_what_shapes_their_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[int] = []
    making = Making(
        monkeypatch, rollout={"concurrency": 3, "hosts": "threads"}, rewards={"success": 0.25, "turn-cost": -0.5}
    )
    making(beat=lambda: beats.append(1))
    making.asked["beat"]()
    assert (making.asked["concurrency"], making.asked["where"], beats) == (3, "threads", [1])
    assert [(name, weight) for name, weight, _ in making.asked["shapers"]] == [("success", 0.25), ("turn-cost", -0.5)]


@pytest.mark.parametrize(("speaks_text", "context"), [(False, 100), (True, 400)])
def test_where_an_engine_speaks_text_its_context_is_counted_in_bytes(
    speaks_text: bool, context: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = Making(monkeypatch)
    making.engine.max_context, making.engine.speaks_text = 100, speaks_text
    making()
    assert making.asked["max_context"] == context


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (
            episode(0.0, stop=StopReason.ENV_ERROR, error="no server"),
            "breaks in its first episodes: no server",
        ),
        (episode(0.0, shaping_error="no judge"), "no judge; it was tried out on an episode of one turn"),
    ],
)
def test_what_breaks_or_cannot_be_judged_is_found_out_first(
    first: Trajectory, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=told):
        Making(monkeypatch, first=first)()


@pytest.mark.parametrize(
    ("rollout", "seconds"),
    [
        ({"step_seconds": 5, "shaping_seconds": 7}, 37),  # twice made, reset and stepped, and shaped
        ({"step_seconds": None}, None),
        ({"shaping_seconds": None}, None),
    ],
)
def test_a_first_turn_that_holds_up_its_own_deadline_has_a_last_resort(
    rollout: dict[str, Any], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[Any] = []

    @contextlib.contextmanager
    def armed(seconds: float | None) -> Iterator[None]:
        log.append(seconds)
        yield
        log.append(len(making.tried))

    making = Making(monkeypatch, rollout=rollout)
    monkeypatch.setattr(parts, "ended_by_force", armed)
    making()
    assert log == [seconds, 1]


def test_torch_has_the_threads_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    Making(monkeypatch, threads=3)()
    assert asked == [3]


def test_published_are_the_weights_as_they_are_under_their_version() -> None:
    policy, engine = a_policy(), Listening()
    other: Any = None
    mark(policy.module, 2.5)
    asyncio.run(Parts(other, policy, engine, other, other, Limits(), other).publish(7))
    assert engine.published == [(7, 2.5)]


def test_every_limit_of_the_settings_is_one_of_training() -> None:
    given: dict[str, Any] = {
        "max_turns": 3,
        "max_reply_tokens": 5,
        "max_invalid_actions": 7,
        "step_seconds": 11.0,
        "episode_seconds": 13.0,
        "shaping_seconds": 17.0,
        "context_tokens": 19,
        "on_overflow": "keep-last",
        "keep_observations": 23,
    }
    assert parts.training_limits(RolloutSettings(**given)) == Limits(**given)
