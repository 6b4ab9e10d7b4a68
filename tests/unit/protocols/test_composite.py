"""A plan, a thought, a command and its explanation; and a conversation that has the newest page alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.conversation import LEFT_OUT
from agentgym.errors import ConfigError, ParseError
from agentgym.launch.sampling import refuse_overflow
from agentgym.launch.sections import EpisodeSettings
from agentgym.protocol import Protocol
from agentgym.protocols.composite import Composite
from agentgym.protocols.plain import Plain
from agentgym.rollout import Actor, EpisodeSpec, Limits, Rollout, engine_actor, expert_actor
from agentgym.types import Action, Trajectory
from tests.kit import chat

TOKENIZER = chat()
FIRST = (
    "PLAN:\n1. Find it.\n2. Book it.\nTHOUGHT: It is empty.\nCOMMANDS: TYPE[place][rome]\nSTATUS: CONTINUE\n"
    "EXPLANATION: I typed the place."
)
LATER = "THOUGHT: a\nCOMMANDS: CLICK[b]\nEXPLANATION: c"


# -- replies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        (FIRST, "TYPE[place][rome]"),
        (LATER, "CLICK[b]"),
        ("thought: a\n\ncommand: CLICK[b]\n\nexplanation: c\nand d", "CLICK[b]"),
        ("## THOUGHT\nno\n**THOUGHT:** a\n**COMMANDS:** CLICK[b]**\n**EXPLANATION:** c", "CLICK[b]"),
        ("THOUGHT: a\nCOMMANDS:\n  CLICK[b]  \nSTATUS: done.\nEXPLANATION: c", "CLICK[b]"),
        ("well,\nTHOUGHT: my plan: none\nCOMMANDS: ASK USER HELP\nEXPLANATION: c", "ASK USER HELP"),
        ("<think>COMMANDS: x</think>THOUGHT: a\nCOMMANDS: y\nEXPLANATION: c", "y"),
    ],
)
def test_the_command_is_what_is_done(reply: str, action: str) -> None:
    found = Composite().parse(reply)
    assert isinstance(found, Action)
    assert found == action


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "No command found"),
        ("CLICK[b]", "No command found"),
        ("THOUGHT: a\nCOMMANDS:\nEXPLANATION: c", "No command found"),
        ("THOUGHT: a\nCOMMANDS: CLICK[b]\nCLICK[c]\nEXPLANATION: c", "More than one command found"),
        (f"{LATER}\n{LATER}", "More than one thought found"),
        ("THOUGHT: a\nCOMMANDS: b\nCOMMAND: d\nEXPLANATION: c", "More than one command found"),
        ("COMMANDS: CLICK[b]\nTHOUGHT: a\nEXPLANATION: c", "The parts stand in another order"),
        ("THOUGHT: a\nPLAN: b\nCOMMANDS: CLICK[b]\nEXPLANATION: c", "The parts stand in another order"),
        ("COMMANDS: CLICK[b]\nEXPLANATION: c", "No thought found"),
        ("THOUGHT:\nCOMMANDS: CLICK[b]\nEXPLANATION: c", "No thought found"),
        ("THOUGHT: a\nCOMMANDS: CLICK[b]", "No explanation found"),
        ("THOUGHT: a\nCOMMANDS: CLICK[b]\nSTATUS: perhaps\nEXPLANATION: c", "The status is CONTINUE or DONE"),
        ("THOUGHT: a\nCOMMANDS: CLICK[b]\nSTATUS:\nEXPLANATION: c", "The status is CONTINUE or DONE"),
    ],
)
def test_what_is_wrong_with_a_reply_is_told_to_the_policy(reply: str, problem: str) -> None:
    with pytest.raises(ParseError, match=f"^{problem}"):
        Composite().parse(reply)


def test_where_a_command_will_do_it_still_is_one() -> None:
    short = Composite("command")
    assert short.parse("COMMANDS: CLICK[b]") == "CLICK[b]"
    assert short.parse(LATER) == "CLICK[b]"
    with pytest.raises(ParseError, match=r"^No command found"):
        short.parse("THOUGHT: a\nEXPLANATION: c")
    assert short.format(Action("CLICK[b]")) == short.first(Action("CLICK[b]")) == "COMMANDS: CLICK[b]"


def test_an_expert_says_all_parts_and_a_plan_at_first() -> None:
    action = Action("CLICK[b]")
    later = "THOUGHT: This comes next.\nCOMMANDS: CLICK[b]\nEXPLANATION: I did the next step."
    assert Composite().format(action) == later
    assert Composite().first(action) == f"PLAN:\n1. Do what the task asks for, step by step.\n{later}"
    assert Composite().example(action) == Composite("command").example(action) == Composite().first(action)
    for refused in ("", "a\nb", " look", "look*", "a\nTHOUGHT: b"):
        with pytest.raises(ConfigError, match=r"^the protocol composite cannot say the action '"):
            Composite().first(Action(refused))


def test_the_rules_name_the_parts_in_their_order() -> None:
    rules = Composite().opening("Book.")[0]["content"]
    assert rules.startswith("Book.\nReply with 'THOUGHT: <why>', then 'COMMANDS: <one command>', then 'EXPLANATION:")
    assert "'PLAN:'" in rules


# -- episodes --------------------------------------------------------------------------------------------


class Corridor(agentgym.Env):
    """Three steps to the end, and a guide."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.place = 0
        return "room 0", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.place += 1
        return f"room {self.place}", float(self.place == 3), self.place == 3, False, {}

    def expert(self) -> agentgym.env.Expert:
        return lambda observation: f"GO[{self.place + 1}]"


def played(actor: Actor, protocol: Protocol) -> Trajectory:
    rollout = Rollout(Corridor, TOKENIZER, protocol, limits=Limits(max_reply_tokens=300), max_context=4096)
    (trajectory,) = asyncio.run(rollout.run([EpisodeSpec(task=None, seed=0, episode_id="e")], actor))
    return trajectory


def heard(*replies: str, protocol: Protocol) -> tuple[Trajectory, list[str]]:
    """An episode with these replies, and what was to be seen before each."""
    told = iter(replies)
    engine = ScriptedEngine(lambda _: [*TOKENIZER.encode(next(told)), TOKENIZER.stop_token_ids[0]])
    trajectory = played(engine_actor(engine, temperature=1.0), protocol)
    return trajectory, [TOKENIZER.decode(prompt) for prompt in engine.requests]


def test_all_replies_stay_and_of_the_pages_the_newest() -> None:
    trajectory, prompts = heard(FIRST, LATER, LATER, protocol=Composite())
    assert trajectory.success
    for turn, prompt in enumerate(prompts):
        assert [room for room in range(4) if f"room {room}" in prompt] == [turn]
        assert prompt.count(LEFT_OUT) == turn
        assert prompt.count("I typed the place.") == (turn > 0)
        assert prompt.count("EXPLANATION: c") == max(0, turn - 1)
    assert "You see only the newest page." in prompts[2]


def test_each_turn_is_a_sample_of_its_own_and_each_reply_is_trained_once() -> None:
    trajectory, _ = heard(FIRST, LATER, LATER, protocol=Composite())
    trained = [sample.token_ids[sample.loss_mask].tolist() for sample in trajectory.samples]
    assert [TOKENIZER.decode_reply(ids) for ids in trained] == [FIRST, LATER, LATER]


def test_a_complaint_leaves_the_page_that_it_is_about_and_goes_with_it() -> None:
    _, prompts = heard("what?", FIRST, LATER, LATER, protocol=Composite())
    assert "room 0" in prompts[1]
    assert prompts[1].count("No command found") == 1
    assert LEFT_OUT not in prompts[1]
    assert "room 0" not in prompts[2]
    assert "No command found" not in prompts[2]
    assert "what?" in prompts[2]


def test_other_protocols_keep_every_page() -> None:
    _, prompts = heard("on", "on", "on", protocol=Plain())
    assert all(f"room {room}" in prompts[2] for room in range(3))


def test_an_expert_speaks_it_with_a_plan_in_its_first_reply_alone() -> None:
    trajectory = played(expert_actor(Composite()), Composite())
    assert trajectory.success
    assert [turn.action for turn in trajectory.turns] == ["GO[1]", "GO[2]", "GO[3]"]
    assert [turn.reply.startswith("PLAN:") for turn in trajectory.turns] == [True, False, False]


@pytest.mark.parametrize("on_overflow", ["keep-last", "summarize"])
def test_what_is_left_out_already_is_not_shortened_in_another_way(on_overflow: Any) -> None:
    settings = EpisodeSettings(on_overflow=on_overflow)
    with pytest.raises(ConfigError, match=f'"{on_overflow}" does not go with --protocol composite, which leaves out'):
        refuse_overflow(settings, Composite(), "composite")
    refuse_overflow(settings, Plain(), "plain")
    refuse_overflow(EpisodeSettings(), Composite(), "composite")
