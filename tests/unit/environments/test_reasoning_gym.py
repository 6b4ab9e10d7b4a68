"""Scores, attempts and splits over a dataset that is made by hand."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("reasoning_gym", reason="the extra reasoning-gym is not installed")

from agentgym.environments._questions import Questions
from agentgym.environments.reasoning_gym import ReasoningGym
from agentgym.errors import UserError
from agentgym.types import Observation


class Answers(Questions):
    """A dataset whose answers are scored by what they say, and which keeps what it is asked."""

    def __init__(self, answer: Any = "1") -> None:
        self.answer = answer
        self.asked: list[int] = []
        self.scored: list[str] = []

    def __getitem__(self, number: int) -> dict[str, Any]:
        self.asked.append(number)
        return {"question": f"question {number}", "answer": self.answer}

    def score_answer(self, answer: str, entry: dict[str, Any]) -> float:
        self.scored.append(answer)
        return float(answer)

    def what_is_wrong(self, entry: dict[str, Any]) -> None:
        return None


def made(answer: Any = "1", **options: Any) -> tuple[ReasoningGym, Answers]:
    env, answers = ReasoningGym(**options), Answers(answer)
    env.dataset = answers
    env.reset(options={"task": 4})
    return env, answers


@pytest.mark.parametrize(
    ("said", "reward", "success"),
    [
        ("1", 1.0, True),
        ("0.999", 0.999, False),
        ("0.25", 0.25, False),
        ("7", 1.0, True),
        ("-3", 0.0, False),
        ("x", 0.0, False),
    ],
)
def test_the_reward_is_the_score_from_0_to_1_and_1_is_success(said: str, reward: float, success: bool) -> None:
    env, _ = made()
    assert env.step(said)[1:] == (reward, True, False, {"success": success})


def test_attempts_are_counted_anew_in_every_episode_and_the_last_one_pays_its_score() -> None:
    env, _ = made(max_attempts=3)
    assert env.max_turns == 3
    for _ in range(2):
        told = [env.step(said) for said in ("0.5", "0.25", "0.75")]
        assert [step[1:3] for step in told] == [(0.0, False), (0.0, False), (0.75, True)]
        assert told[0][0] == "Score: 0.5, which is not right. Answer again; 2 of 3 answers left."
        assert told[1][0] == "Score: 0.25, which is not right. Answer again; 1 of 3 answers left."
        assert told[2][0] == "Score: 0.75"
        env.reset(options={"task": 5})
    assert env.step("1")[1:3] == (1.0, True), "one that is right ends it"


def test_what_stands_in_the_last_tags_is_scored() -> None:
    env, answers = made(max_attempts=9)
    for said in (
        "<answer>0.1</answer> no: <answer> 0.2 </answer> that is it",
        "0.3",
        " 0.4\n",
        "<answer>0.5",
        "0.6</answer>",
    ):
        env.step(said)
    assert answers.scored == ["0.2", "0.3", "0.4", "<answer>0.5", "0.6"]


def test_5000_characters_are_scored_and_no_more() -> None:
    env, answers = made(max_attempts=9)
    env.step("0" * 5000)
    assert len(answers.scored) == 1
    assert env.step("1" * 5001)[0].startswith("Score: 0,")
    assert len(answers.scored) == 1


@pytest.mark.parametrize(
    ("answer", "has_expert"), [("1", True), ("0.5", False), (1, False), (None, False), ("x", False)]
)
def test_there_is_an_expert_where_the_answer_is_scored_as_right(answer: Any, has_expert: bool) -> None:
    env, _ = made(answer)
    expert = env.expert()
    assert (expert is not None) is has_expert
    if expert is not None:
        assert expert(Observation("")) == answer


def test_tasks_and_what_is_drawn_without_one() -> None:
    env, answers = made()
    for task, split in ((0, "train"), (1_000_000, "validation"), (1_001_999, "test")):
        assert env.reset(options={"task": task})[0] == f"question {task}"
        assert task in env.tasks(split)
    assert answers.asked == [4, 0, 1_000_000, 1_001_999]
    for wrong in (-1, 1_002_000, "4"):
        with pytest.raises(UserError, match=f"task {wrong!r} does not exist: tasks are the numbers 0 to 1001999"):
            env.reset(options={"task": wrong})
    small = ReasoningGym(config={"size": 10})
    assert [small.tasks(split) for split in ("train", "validation", "test")] == [range(8), range(8, 9), range(9, 10)]
    small.dataset = drawn = Answers()
    for seed in range(80):
        small.reset(seed=seed)
    assert set(drawn.asked) == set(range(8))


def test_the_seed_shifts_the_questions() -> None:
    """Question n is drawn from seed + n, so the first with seed 3 is the fourth with seed 0."""
    one, other = ReasoningGym(), ReasoningGym(seed=3)
    assert one.reset(options={"task": 3})[0] == other.reset(options={"task": 0})[0]
    assert one.reset(options={"task": 0})[0] != other.reset(options={"task": 0})[0]


def test_a_snapshot_holds_the_question_and_the_attempts() -> None:
    env, _ = made(max_attempts=2)
    env.step("0.5")
    other, _ = made("2", max_attempts=2)
    other.set_state(env.get_state())
    assert other.entry == {"question": "question 4", "answer": "1"}
    assert other.step("0.5")[2] is True


def test_what_would_be_evaluated_is_scored_only_if_it_is_plain() -> None:
    env = ReasoningGym(name="countdown")
    env.reset(options={"task": 0})
    env.dataset = answers = Answers()
    for said in ("(1 + 2) * 3 - 4 / 5", "1" * 200, "1" * 201, "2**3", "2* *3", "print(1)", "1,2"):
        env.reset(options={"task": 0})
        env.step(said)
    assert answers.scored == ["(1 + 2) * 3 - 4 / 5", "1" * 200]
    env = ReasoningGym(name="spiral_matrix")
    env.dataset = answers = Answers()
    for said in ("1 2 3", "[1, 2]", "[[1], 'a']", "(1, 2)", "f(1)", "[f(1)]", ""):
        env.reset(options={"task": 0})
        env.step(said)
    assert answers.scored == ["1 2 3", "[1, 2]", "[[1], 'a']", ""]
