"""What the user says of the prompt, and where it is told: options that each protocol has beside its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import pytest

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.errors import ConfigError, ParseError
from agentgym.prompt import Kept, PromptSettings, checked_shot, filled, listed, pieces, text_of_option
from agentgym.protocol import Protocol
from agentgym.protocols.plain import Plain
from agentgym.protocols.react import React
from agentgym.registry import plugins
from agentgym.repl.game import Game
from agentgym.rollout import EpisodeSpec, Rollout, engine_actor
from agentgym.types import Action, Message, Observation, Trajectory
from tests.kit import FORGETFUL, chat
from tests.unit.rollout.kit import timeless

RULES = "Reply with one line 'Thought: <why>' and one line 'Action: <one action>'."
SHOT: list[Message] = [{"role": "user", "content": "a wall"}, {"role": "assistant", "content": "turn"}]


P = TypeVar("P", bound=Protocol)


def told(protocol: P, **prompt: Any) -> P:
    protocol.take(PromptSettings(**prompt))
    return protocol


def system(protocol: Protocol, instructions: str = "Climb.", preface: str = "") -> str | None:
    opening = protocol.prologue(instructions, preface)
    return opening[0]["content"] if opening and opening[0]["role"] == "system" else None


# -- the system message ----------------------------------------------------------------------------------


def test_the_system_message_is_the_users_and_its_slots_stand_for_what_is_told_otherwise() -> None:
    assert system(React()) == f"Climb.\n{RULES}"
    assert system(told(React(), system="Be brief.")) == "Be brief."
    assert system(told(React(), system="{rules}\nNow: {instructions}")) == f"{RULES}\nNow: Climb."
    assert told(React(), system="").prologue("Climb.") == []
    assert system(told(Plain(), system='Say {"a": {b}} {c}.')) == 'Say {"a": {b}} {c}.'


def test_what_belongs_to_one_episode_is_told_in_any_case() -> None:
    assert system(React(), preface="Last time: up.") == f"Climb.\n\nLast time: up.\n{RULES}"
    assert system(told(React(), system="Be brief."), preface="Last time: up.") == "Be brief.\n\nLast time: up."
    assert system(told(Plain(), system="{instructions} Go."), preface="Before: up.") == "Climb.\n\nBefore: up. Go."


def test_a_slot_that_is_mistyped_is_told_and_other_braces_are_text() -> None:
    with pytest.raises(ConfigError, match=r'protocol\.system: found \{rule\}\. Did you mean "rules"\?'):
        plugins("protocols").checked("react", {"system": "{rule}"})
    assert plugins("protocols").build("react", {"system": "{x}"}).prompt.system == "{x}"
    assert pieces("a {rules} b{instructions}") == ["a ", " b", ""]
    assert filled("{a}{b}", a="{b}") == "{b}{b}"


def test_control_tokens_in_the_users_text_are_meant_and_one_word_alone_is_not_spared_elsewhere() -> None:
    assert told(React(), system="Think in <think> first. {rules}<think>").own_texts == [
        RULES,
        "Think in <think> first. ",
    ]
    assert React().own_texts == [RULES]


def test_the_text_may_be_in_a_file_and_a_file_that_is_not_there_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "system.txt"
    file.write_text("Be brief.\n{rules}\n")
    assert text_of_option(str(file)) == text_of_option(file) == "Be brief.\n{rules}"
    with pytest.raises(ConfigError, match=r'there is no file "other"'):
        text_of_option(Path("other"))
    (tmp_path / "odd.txt").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"cannot read \S+odd\.txt: 'utf-8' codec can't decode"):
        text_of_option(str(tmp_path / "odd.txt"))
    with pytest.raises(ConfigError, match=r'there is no file "\S+other\.md"; expected a text, or a file'):
        text_of_option(str(tmp_path / "other.md"))
    for text in ("/no_think", "Be brief. See a/b.txt", "x" * 2000, "a\nb.txt", "", 3):
        assert text_of_option(text) == text


# -- options -----------------------------------------------------------------------------------------------


class Own(Protocol):
    """Has an option of its own that is named like a shared one, and one of its own besides."""

    def __init__(self, example: int = 3, loud: bool = False) -> None:
        self.number, self.loud = example, loud

    def parse(self, reply: str) -> Action:
        return Action(reply)

    def format(self, action: Action) -> str:
        return str(action)


def test_every_protocol_takes_them_also_one_with_options_of_its_own() -> None:
    registry = plugins("protocols")
    for id in ("plain", "react", "tools"):
        made = registry.build(id, {"system": "Be brief.", "actions": "errors"})
        assert (made.prompt.system, made.prompt.actions, made.prompt.shots) == ("Be brief.", "errors", 0)
        assert registry.build(id).prompt == PromptSettings()
    assert registry.build("tools", {"form": "llama", "system": "x"}).form.name == "llama"


def test_an_authors_option_of_the_same_name_is_the_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = plugins("protocols")
    monkeypatch.setattr(registry, "_plugins", {"own": Own})
    made = registry.build("own", {"example": 5, "loud": True, "system": "x"})
    assert (made.number, made.loud, made.prompt.system, made.prompt.example) == (5, True, "x", "")
    assert registry.build("own").number == 3
    with pytest.raises(ConfigError, match=r'unknown key "protocol\.systm"\. Did you mean "system"\?'):
        registry.build("own", {"systm": "x"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots_from": "x.jsonl"}, r"shots_from has no effect without shots; add --protocol\.shots 2"),
        ({"system": "Hi.", "example": "go"}, r"example has no effect: .* system has no \{rules\}; add it"),
        ({"actions": "show"}, r'protocol\.actions is "show"\. Did you mean "shown"\? Known: hidden, errors, shown'),
        ({"shots": -1}, r"protocol\.shots: .* greater than or equal to 0, found -1"),
    ],
)
def test_options_without_effect_or_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plugins("protocols").checked("react", options)


# -- examples ----------------------------------------------------------------------------------------------


def test_a_worked_example_stands_behind_the_rules_in_the_form_of_the_protocol() -> None:
    worked = "Thought: This is what is to be done next.\nAction: go up"
    assert React().example(Action("go up")) == worked
    assert React().parse(worked) == "go up"
    assert Plain().example(Action("go up")) == "go up"
    kept = Kept(example=worked)
    assert system(told(React(), kept=kept)) == f"Climb.\n{RULES}\n\nFor example:\n{worked}"
    assert system(told(React(), kept=kept, system="{rules} Go.")) == f"{RULES}\nFor example:\n{worked} Go."
    assert system(told(Plain(), kept=Kept(example="up")), "") == "For example:\nup"


def test_whole_episodes_come_before_the_first_observation_and_are_said_to_be_examples() -> None:
    opening = told(Plain(), shots=2, kept=Kept(shots=[SHOT, SHOT])).prologue("Climb.")
    words = "This conversation begins with 2 whole episodes as an example; yours comes after that."
    assert opening == [{"role": "system", "content": f"Climb.\n\n{words}"}, *SHOT, *SHOT]
    one = told(Plain(), shots=1, kept=Kept(shots=[SHOT]))
    assert system(one, "") == words.replace("2 whole episodes", "a whole episode")
    own = told(Plain(), shots=1, system="Mine.", kept=Kept(shots=[SHOT]))
    assert own.prologue("Climb.") == [{"role": "system", "content": "Mine."}, *SHOT]
    own.prologue("Climb.")[1]["content"] = "changed"
    assert own.prologue("Climb.")[1] == SHOT[0]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], r"found \[\], expected messages of user and assistant in turn"),
        ("hi", "found 'hi', expected"),
        ([3], "message 0 is 3, expected"),
        ([{"role": "system", "content": "x"}], "message 0 is a system message, which is --protocol.system"),
        ([SHOT[1]], "message 0 has the role 'assistant'"),
        ([SHOT[0], SHOT[0]], "message 1 has the role 'user'"),
        ([{"role": "user", "content": None}, SHOT[1]], "message 0 has the role 'user' and the content None"),
        ([*SHOT, SHOT[0]], "the last message is the user's"),
    ],
)
def test_a_conversation_that_is_no_example_says_what_is_wrong(messages: Any, words: str) -> None:
    assert checked_shot([{**SHOT[0], "name": "x"}, SHOT[1]]) == SHOT
    with pytest.raises(ValueError, match=words):
        checked_shot(messages)


# -- listed actions ----------------------------------------------------------------------------------------

SEEN = Observation("a door", admissible=["open", "leave"])
LIST = "Possible actions:\n- open\n- leave"


@pytest.mark.parametrize(
    ("actions", "shown", "idle", "unread"),
    [
        ("hidden", "a door", "a door", "No."),
        ("errors", "a door", f"a door\n\n{LIST}", f"No.\n\n{LIST}"),
        ("shown", f"a door\n\n{LIST}", f"a door\n\n{LIST}", f"No.\n\n{LIST}"),
    ],
)
def test_when_the_policy_is_told_which_actions_there_are(actions: str, shown: str, idle: str, unread: str) -> None:
    made = told(Plain(), actions=actions)
    assert made.shown(SEEN)["content"] == shown
    assert made.shown(SEEN, had_no_effect=True)["content"] == idle
    assert made.refused("No.", SEEN)["content"] == unread
    assert made.shown(Observation("a wall"), had_no_effect=True)["content"] == "a wall"
    assert made.refused("No.", Observation("a wall"))["content"] == "No."


def test_a_list_may_be_empty_and_pictures_stay() -> None:
    assert listed(Observation("x", admissible=[])) == "Possible actions:\n- none"
    assert listed(Observation("x")) == ""
    content = told(Plain(), actions="shown").shown(Observation("", admissible=["go"], images=["picture"]))["content"]
    assert content == [{"type": "image", "image": "picture"}, {"type": "text", "text": "Possible actions:\n- go"}]


# -- in an episode -----------------------------------------------------------------------------------------


class Door(agentgym.Env):
    """ "open" ends it, "dance" has no effect."""

    instructions = "Open the door."

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return Observation("a door", admissible=["open"]), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        info = {"invalid_action": "no dancing"} if action == "dance" else {}
        return Observation(f"heard {action}", admissible=["open"]), 0.0, action == "open", False, info


class Strict(Plain):
    """Refuses what has a blank."""

    def parse(self, reply: str) -> Action:
        if " " in reply:
            raise ParseError("One word.")
        return super().parse(reply)


def an_episode(template: str, *replies: str, **prompt: Any) -> Trajectory:
    tokenizer, left = chat(template), list(replies)
    end = tokenizer.stop_token_ids[0]
    engine = ScriptedEngine(lambda ids: [*tokenizer.encode(left.pop(0)), end])
    rollout = Rollout(Door, tokenizer, told(Strict(), **prompt), max_context=4096)
    spec = EpisodeSpec(task=None, seed=0, episode_id="e")
    (played,) = timeless(rollout.run([spec], engine_actor(engine, temperature=1.0)))
    (sample,) = played.samples
    assert tokenizer.hf.decode(sample.token_ids[sample.loss_mask].tolist()) == "".join(
        f"{r}<|im_end|>" for r in replies
    )
    return played


def test_the_policy_learns_from_its_own_replies_and_not_from_those_of_the_examples() -> None:
    shots = [[{"role": "user", "content": "a gate"}, {"role": "assistant", "content": "<think>x</think>open"}]]
    played = an_episode(FORGETFUL, "dance", "a b", "open", shots=1, kept=Kept(shots=shots), actions="errors")
    (sample,) = played.samples
    assert chat().hf.decode(sample.token_ids.tolist()) == (
        "<|im_start|>system\nOpen the door.\n\nThis conversation begins with a whole episode as an example; yours "
        "comes after that.<|im_end|>\n<|im_start|>user\na gate<|im_end|>\n<|im_start|>assistant\nopen<|im_end|>\n"
        "<|im_start|>user\na door<|im_end|>\n<|im_start|>assistant\ndance<|im_end|>\n"
        "<|im_start|>user\nheard dance\n\nPossible actions:\n- open<|im_end|>\n<|im_start|>assistant\na b<|im_end|>\n"
        "<|im_start|>user\nOne word.\n\nPossible actions:\n- open<|im_end|>\n<|im_start|>assistant\nopen<|im_end|>"
    )
    assert sample.turn_index[sample.loss_mask].tolist() == [0] * 6 + [1] * 4 + [2] * 5
    assert [turn.observation for turn in played.turns] == ["a door", "heard dance", "heard dance"]
    assert played.turns[1].error == "One word."


def test_an_example_that_spells_the_end_of_a_turn_ends_none() -> None:
    shots = [[{"role": "user", "content": "a gate<|im_end|>"}, {"role": "assistant", "content": "op<|im_end|>en"}]]
    (sample,) = an_episode(FORGETFUL, "open", shots=1, kept=Kept(shots=shots)).samples
    ends = sample.token_ids.tolist().count(chat().stop_token_ids[0])
    assert ends == 5  # of the system message, both of the example, what is seen, what is said


def test_a_policy_that_is_watched_sees_the_same() -> None:
    protocol = told(Strict(), shots=1, kept=Kept(shots=[SHOT]), actions="errors", system="Mine.")

    async def go() -> list[Message]:
        game = Game(Door())
        await game.start()
        await game.act(Action("look"))
        await game.act(Action("dance"))
        await game.hear("a b", protocol)
        return game.conversation(protocol)

    assert [(message["role"], message["content"]) for message in timeless(go())] == [
        ("system", "Mine."),
        ("user", "a wall"),
        ("assistant", "turn"),
        ("user", "a door"),
        ("assistant", "look"),
        ("user", "heard look"),
        ("assistant", "dance"),
        ("user", "heard dance\n\nPossible actions:\n- open"),
        ("assistant", "a b"),
        ("user", "One word.\n\nPossible actions:\n- open"),
    ]
