"""Examples for the prompt: from the expert, from a file, and kept with the run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.config import Choice
from agentgym.errors import ConfigError, DataError
from agentgym.launch.prompting import keep, prompted
from agentgym.launch.resolving import in_full, resolve, settings_for
from agentgym.launch.resuming import changed
from agentgym.prompt import Kept, PromptSettings
from agentgym.protocol import Protocol
from agentgym.protocols.composite import Composite
from agentgym.protocols.plain import Plain
from agentgym.protocols.react import React
from agentgym.store import append
from agentgym.types import Action, Message, Observation, Trajectory, Turn
from tests.kit import BELL


class Gate(agentgym.Env):
    """Say the number that is shown, twice; of odd tasks the expert does not know it."""

    knows = True

    def tasks(self, split: str) -> range:
        return range({"train": 0, "validation": 100, "test": 200}[split], 210)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.task, self.turn = (options or {})["task"], 0
        return Observation(f"say {self.task}", admissible=["<number>", "0", "1"]), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        right = action == str(self.task)
        return f"{self.turn} of 2", float(right), self.turn == 2, False, {"success": right}

    def expert(self) -> Any:
        return (lambda seen: str(self.task - self.task % 2)) if self.knows else None


class Lost(Gate):
    """Without an expert."""

    knows = False


class Blind(Lost):
    """And without a list of actions."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "say something", {}


def shot(*words: str) -> list[Message]:
    return [{"role": ("user", "assistant")[number % 2], "content": each} for number, each in enumerate(words)]


def made(env: agentgym.Env | None = None, protocol: Protocol | None = None, **prompt: Any) -> Kept | None:
    protocol = protocol or Plain()
    protocol.take(PromptSettings(**prompt))
    return asyncio.run(prompted(protocol, env or Gate())).prompt.kept


def shots(**prompt: Any) -> list[list[Message]]:
    kept = made(**prompt)
    assert kept is not None
    return kept.shots


# -- from the environment ----------------------------------------------------------------------------------


def test_the_experts_successes_of_the_first_training_tasks_are_the_examples() -> None:
    assert shots(shots=2) == [shot("say 0", "0", "1 of 2", "0"), shot("say 2", "2", "1 of 2", "2")]
    assert shots(shots=1, protocol=React()) == [shot("say 0", "Action: 0", "1 of 2", "Action: 0")]
    first, later = Composite().first(Action("0")), Composite().format(Action("0"))
    assert shots(shots=1, protocol=Composite()) == [shot("say 0", first, "1 of 2", later)]
    assert shots(shots=1, actions="shown")[0][0]["content"] == "say 0\n\nPossible actions:\n- <number>\n- 0\n- 1"


def test_nothing_is_made_that_was_not_asked_for_or_is_there() -> None:
    assert made(Lost()) is None
    kept = Kept(example="x", shots=[shot("a", "b")])
    assert made(Lost(), shots=3, example="auto", kept=kept) == kept


def test_a_worked_example_is_the_users_the_experts_or_one_that_is_listed() -> None:
    for env, example, told in ((Lost(), "7", "7"), (Gate(), "auto", "0"), (Lost(), "auto", "0")):
        assert made(env, example=example) == Kept(example=told)
    kept = made(protocol=React(), example="7")
    assert kept is not None
    assert kept.example == "Thought: This is what is to be done next.\nAction: 7"
    with pytest.raises(ConfigError, match=r'no expert\(\) and lists no actions .* --protocol\.example "ACTION"'):
        made(Blind(), example="auto")
    with pytest.raises(ConfigError, match="the protocol react cannot say the action"):
        made(protocol=React(), example="a\nb")


def test_where_there_are_no_examples_to_be_had_it_is_said_what_to_type() -> None:
    with pytest.raises(ConfigError, match=r'"Lost" has no expert\(\) .* --protocol\.shots_from FILE'):
        made(Lost(), shots=1)
    env = Gate()
    env.tasks = lambda split: range(36)  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=r"solved 18 of the first training tasks, protocol\.shots asks for 16000"):
        made(env, shots=16000)


# -- from a file -------------------------------------------------------------------------------------------


def test_conversations_of_a_file_are_taken_as_they_are(tmp_path: Path) -> None:
    lines, whole, bare = (tmp_path / name for name in ("a.jsonl", "b.json", "c.json"))
    one, other = shot("a", "b"), shot("c", "d", "e", "f")
    lines.write_text("".join(json.dumps({"messages": each}) + "\n\n" for each in (one, other)))
    whole.write_text(json.dumps([one, {"messages": other}]))
    bare.write_text(json.dumps(one))
    for file in (lines, whole):
        assert shots(shots=2, shots_from=file) == [one, other]
        assert shots(shots=1, shots_from=file) == [one]
    assert shots(shots=1, shots_from=bare) == [one]
    with pytest.raises(DataError, match=r"c\.json has 1 conversations .* protocol\.shots asks for 2; lower it"):
        made(shots=2, shots_from=bare)


def recorded(*turns: tuple[str, str, str | None], success: bool = True, split: str = "train") -> Trajectory:
    played = [Turn(observation=seen, reply=reply, action=action) for seen, reply, action in turns]
    return Trajectory(env="gate", task=0, seed=0, episode_id="e", turns=played, success=success, split=split)


def test_of_recorded_episodes_the_successes_are_told_in_this_protocols_form(tmp_path: Path) -> None:
    file = tmp_path / "played.jsonl"
    append(
        file,
        [
            recorded(("no", "no", "no"), success=False),
            recorded(("say 1", "Thought: hm\nAction: 1", "1"), ("say 2", "hm", None), ("say 2", "2", "2")),
        ],
    )
    said = shots(shots=1, shots_from=file, protocol=React())
    assert said == [shot("say 1", "Thought: hm\nAction: 1", "say 2", "Action: 2")]
    assert shots(shots=1, shots_from=file) == [shot("say 1", "1", "say 2", "2")]
    first, later = Composite().first(Action("1")), Composite().format(Action("2"))
    assert shots(shots=1, shots_from=file, protocol=Composite()) == [shot("say 1", first, "say 2", later)]
    with pytest.raises(DataError, match=r"has 1 conversations or successful episodes, protocol\.shots asks for 2"):
        made(shots=2, shots_from=file)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_episodes_of_held_out_tasks_are_no_examples(split: str, tmp_path: Path) -> None:
    append(tmp_path / "played.jsonl", [recorded(("say 1", "1", "1"), split=split)])
    with pytest.raises(DataError, match=rf"is of the split {split}, .* agentgym export \S+ --split train -o PATH"):
        made(shots=1, shots_from=tmp_path / "played.jsonl")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", r"a\.json is no JSON: "),
        ("a.jsonl", '{"messages": []}', r"a\.jsonl, line 1: found \[\], expected messages"),
        ("a.json", '[{"text": "x"}]', r"a\.json, conversation 1: found None, expected messages"),
        ("a.jsonl", "", r"a\.jsonl has 0 conversations"),
    ],
)
def test_a_file_that_is_none_is_told_with_the_place(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=words):
        made(shots=1, shots_from=tmp_path / name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no \S+a\.jsonl"):
        made(shots=1, shots_from=tmp_path / "a.jsonl")


# -- kept with the run -------------------------------------------------------------------------------------

KEPT = Kept(example="north", shots=[shot("a bell", "north")])


def a_run(folder: Path, **prompt: Any) -> Path:
    """A finished run with ``prompt``, as far as its settings go."""
    settings = resolve({"env": BELL, "protocol": {"id": "react", **prompt}})
    protocol = React()
    protocol.take(PromptSettings(**prompt, kept=KEPT))
    keep(settings, protocol)
    (folder / "policy").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(settings.model_dump(mode="json")))
    return folder


def test_what_was_made_is_in_the_runs_settings_and_a_run_without_it_has_none(tmp_path: Path) -> None:
    settings = resolve({"env": BELL})
    before = settings.model_copy(deep=True)
    keep(settings, Plain())
    assert settings == before
    run = a_run(tmp_path, shots=1, example="auto")
    assert json.loads((run / "config.json").read_text())["protocol"] == {
        "id": "react",
        "shots": 1,
        "example": "auto",
        "kept": {"example": "north", "shots": [shot("a bell", "north")]},
    }


def test_a_policy_of_a_run_is_played_with_the_runs_prompt_unless_another_is_asked_for(tmp_path: Path) -> None:
    run = str(a_run(tmp_path, shots=1, system="Listen."))

    def protocol(**given: Any) -> Choice:
        return settings_for({"protocol": given} if given else {}, run, seed=0).protocol

    same = {"shots": 1, "system": "Listen.", "kept": KEPT.model_dump()}
    assert protocol().options == same
    assert protocol(system="Look.").options == {**same, "system": "Look."}
    assert protocol(shots=2).options == {"shots": 2, "system": "Listen.", "kept": None}
    assert protocol(id="plain").options == {}


def test_going_on_with_another_prompt_is_refused_and_with_the_same_text_is_not(tmp_path: Path) -> None:
    file = tmp_path / "system.txt"
    file.write_text("Listen.\n")
    settings = resolve({"env": BELL, "protocol": {"system": str(file), "shots": 1}})
    assert settings.protocol.options == {"system": "Listen.", "shots": 1}
    protocol = Plain()
    protocol.take(PromptSettings(kept=KEPT))
    keep(settings, protocol)
    same = changed(settings, {"protocol": {"system": str(file), "shots": 1}}, run=tmp_path)
    assert same.protocol.options["kept"] == KEPT.model_dump()
    file.write_text("Look.\n")
    for given in ({"system": str(file)}, {"shots": 2}, {"actions": "shown"}):
        with pytest.raises(ConfigError, match=f"leave out protocol.{next(iter(given))}"):
            changed(settings, {"protocol": given}, run=tmp_path, force=True)


def test_a_file_that_is_meant_and_missing_is_refused_before_anything_is_made() -> None:
    with pytest.raises(ConfigError, match=r'protocol\.system: there is no file "prompts/no\.txt"'):
        in_full({"protocol": {"system": "prompts/no.txt"}})
