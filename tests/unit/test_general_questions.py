"""The questions that a pretrained model is asked before and after training."""

from __future__ import annotations

import pytest

from benchmarks.general import QUESTIONS, General


def paid(task: int, reply: str) -> float:
    env = General()
    question, _ = env.reset(seed=0, options={"task": task})
    assert question == QUESTIONS[task][0]
    _, reward, terminated, _, _ = env.step(reply)
    assert terminated
    return reward


@pytest.mark.parametrize("task", range(len(QUESTIONS)))
def test_each_answer_counts_and_ignorance_does_not(task: int) -> None:
    for answer in QUESTIONS[task][1].split("|"):
        assert paid(task, f"I think it is {answer.lower()}.") == 1
    assert paid(task, "I do not know.") == 0


def test_an_answer_is_a_word_of_its_own() -> None:
    rome = next(task for task, (_, answers) in enumerate(QUESTIONS) if answers == "Rome")
    assert paid(rome, "Romeo and Juliet") == 0


def test_no_question_is_learned_from() -> None:
    env = General()
    assert [len(env.tasks(split)) for split in ("train", "validation", "test")] == [0, 0, len(QUESTIONS)]
    assert len({question for question, _ in QUESTIONS}) == len(QUESTIONS)
