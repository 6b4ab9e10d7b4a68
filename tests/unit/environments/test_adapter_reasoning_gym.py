"""reasoning-gym: questions and scores are the package's, splits share no draw, attempts, and no word is evaluated."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import agentgym
from agentgym.errors import ConfigError, UserError

package = pytest.importorskip("reasoning_gym", reason="the extra reasoning-gym is not installed")

from agentgym.environments.reasoning_gym import ReasoningGym  # noqa: E402

EVERY_KIND = ("leg_counting", "countdown", "puzzle24", "n_queens", "spiral_matrix", "basic_arithmetic", "word_sorting")


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_question_is_the_package_s_and_its_answer_is_right(name: str) -> None:
    env = agentgym.make(f"reasoning-gym:{name}")
    bare = package.create_dataset(name, seed=0, size=1_002_000)
    for task in (0, 7, 1_000_003, 1_001_999):
        observation, _ = env.reset(options={"task": task})
        assert observation == bare[task]["question"]
        expert = env.expert()
        assert expert is not None
        assert env.step(expert(observation)) == ("Score: 1", 1.0, True, False, {"success": True})


def test_the_default_is_a_short_sum() -> None:
    env = ReasoningGym()
    observation, _ = env.reset(options={"task": 5})
    numbers = env.entry["metadata"]["expression"].split()
    assert " ".join(numbers) in observation
    total = _sum_of(numbers)
    assert env.step(f"I add: <answer> {total} </answer>")[1] == 1.0


def _sum_of(words: list[str]) -> int:
    total = int(words[0])
    for sign, number in zip(words[1::2], words[2::2], strict=True):
        total += int(number) if sign == "+" else -int(number)
    return total


def test_answers_may_be_given_again() -> None:
    env = ReasoningGym(max_attempts=2)
    env.reset(seed=0)
    right = env.entry["answer"]
    told, reward, terminated, _, _ = env.step("-77777")
    assert told == "Score: 0, which is not right. Answer again; 1 of 2 answers left."
    assert (reward, terminated) == (0.0, False)
    assert env.step(right)[1:] == (1.0, True, False, {"success": True})
    env.reset(seed=0)
    env.step("-77777")
    assert env.step("-77777")[1:] == (0.0, True, False, {"success": False})


def test_what_is_nearly_right_is_scored_by_the_package() -> None:
    """In a countdown, numbers that miss the target are worth 0.05."""
    env = ReasoningGym(name="countdown")
    env.reset(seed=0)
    numbers = env.entry["metadata"]["numbers"]
    wrong = " - ".join(map(str, sorted(numbers)))
    assert env.step(wrong)[1] == 0.05


def test_a_size_is_cut_in_three() -> None:
    env = ReasoningGym(config={"size": 25})
    assert [env.tasks(split) for split in ("train", "validation", "test")] == [range(21), range(21, 23), range(23, 25)]
    env.reset(options={"task": 24})
    with pytest.raises(UserError, match="task 25 does not exist: tasks are the numbers 0 to 24"):
        env.reset(options={"task": 25})


@pytest.mark.parametrize("name", ["countdown", "puzzle24", "n_queens", "string_insertion", "spiral_matrix"])
@pytest.mark.parametrize(
    "answer",
    [
        "__import__('os').environ.update(AGENTGYM_EVALUATED='1')",
        "[__import__('os').environ.update(AGENTGYM_EVALUATED='1')]",
        "9**9**9**9**9",
        "9* *9* *9* *9",
        "[" * 3_000,
        "9" * 100_000,
    ],
)
def test_no_word_of_a_policy_is_evaluated(name: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.delenv("AGENTGYM_EVALUATED", raising=False)
    env = ReasoningGym(name=name)
    env.reset(seed=0)
    monkeypatch.setattr(env.dataset, "score_answer", lambda answer, entry: 1.0)
    assert env.step(answer)[1] == 0.0, "it does not even reach the scoring"
    assert "AGENTGYM_EVALUATED" not in os.environ


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "leg_countin"}, 'name is "leg_countin".*Did you mean "leg_counting"'),
        ({"name": "simple_integration"}, "evaluates the policy's answer as code"),
        ({"name": "list_functions"}, "no seed repeats them"),
        ({"config": {"size": 9}}, "size in config is 9"),
        ({"name": "composite"}, "name one of its parts"),
        ({"name": "leg_counting", "config": {"legs": 3}}, "leg_counting.*does not take.*legs"),
        ({"config": '{"max_terms": 0}'}, "max_terms must be >= min_terms"),
        ({"config": "{"}, "which is no JSON"),
        ({"config": "3"}, "expected settings"),
        ({"max_attempts": 0}, "env.max_attempts: .*found 0"),
    ],
)
def test_what_cannot_be_asked_says_why(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        agentgym.make("reasoning-gym", **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["isomorphic_strings", "ransom_note"])
def test_questions_are_the_same_in_every_process(name: str) -> None:
    """Both draw from a set of letters, whose order the process chooses."""
    program = f"import agentgym; print(agentgym.make('reasoning-gym:{name}').reset(options={{'task': 3}})[0])"
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert len(told[0]) > 100
