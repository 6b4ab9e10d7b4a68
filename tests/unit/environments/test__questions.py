"""Questions of reasoning-gym: drawn once, and in the end; which of them are wrong, worked out by hand."""

from __future__ import annotations

import pickle
import resource
import threading
from typing import Any

import pytest

package = pytest.importorskip("reasoning_gym", reason="the extra reasoning-gym is not installed")

from agentgym.environments._questions import WRONG_QUESTIONS, Questions  # noqa: E402
from agentgym.environments.reasoning_gym import ReasoningGym  # noqa: E402
from agentgym.errors import ConfigError  # noqa: E402

SETTINGS = {"seed": 0, "size": 1_002_000}


def test_a_question_is_drawn_once_for_all_and_each_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(package.create_dataset("leg_counting", seed=0, size=10))
    drawn: list[int] = []
    draw = kind.__getitem__

    def counted(self: Any, number: int) -> Any:
        drawn.append(number)
        return draw(self, number)

    monkeypatch.setattr(kind, "__getitem__", counted)
    one, other = (Questions("leg_counting", {**SETTINGS, "seed": 77}) for _ in range(2))
    first = one[5]
    first["metadata"].clear()
    assert other[5] == pickle.loads(pickle.dumps(one))[5] != first
    assert other[5]["metadata"]
    assert drawn == [5]
    assert Questions("leg_counting", {**SETTINGS, "seed": 78})[5] != one[5], "other settings, other questions"
    assert drawn == [5, 5]


def test_datasets_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = package.create_dataset

    def counted(name: str, **settings: Any) -> Any:
        made.append(name)
        return make(name, **settings)

    monkeypatch.setattr(package, "create_dataset", counted)
    for _ in range(3):
        ReasoningGym(name="gcd", seed=991)
    assert made == ["gcd"]
    for _ in range(2):
        with pytest.raises(ConfigError, match="does not take"):
            ReasoningGym(name="gcd", config={"legs": 3})
    assert made == ["gcd", "gcd", "gcd"], "what fails is not kept"


@pytest.mark.parametrize(
    ("task", "question"), [(163, "-9, -9, -18, -27, -45, ?"), (0, "10, 10, 20, 30, 50, 80, 130, 210, ?")]
)
def test_a_sequence_that_outgrows_the_memory_ends(task: int, question: str) -> None:
    """Number 163 squares its terms again and again before it is thrown away; the others are the package's own."""
    seen: list[str] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    thread = threading.Thread(
        target=lambda: seen.append(Questions("number_sequence", SETTINGS)[task]["question"]), daemon=True
    )
    thread.start()
    thread.join(10)
    assert seen == [question]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


# -- wrong questions ---------------------------------------------------------------------------------------


def logic(*premises: str, variables: str = "PQ") -> dict[str, Any]:
    return {"answer": None, "metadata": {"premises": list(premises), "variables": list(variables)}}


@pytest.mark.parametrize(
    ("premises", "is_wrong"),
    [
        (("P", "¬P"), True),
        (("(P → Q)", "P", "¬Q"), True),
        (("¬Q", "(Q ∧ P)", "(P ∧ P)"), True),
        (("(P ↔ ¬P)",), True),
        (("(P → Q)", "P"), False),
        (("(P → Q)", "¬Q"), False),
        (("(P ∧ Q)", "Q"), False),
    ],
)
def test_premises_that_contradict_each_other(premises: tuple[str, ...], is_wrong: bool) -> None:
    told = Questions("propositional_logic", SETTINGS).what_is_wrong(logic(*premises))
    assert told == (WRONG_QUESTIONS["propositional_logic"][1] if is_wrong else None)


ALL_ANTS = "All ants are bees"


@pytest.mark.parametrize(
    ("premises", "conclusion", "answer", "is_wrong"),
    [
        ((ALL_ANTS, "Some bees are not cats"), "Some ants are not cats", "Yes", True),
        ((ALL_ANTS, "Some bees are not cats"), "Some ants are not cats", "No", False),
        ((ALL_ANTS, "Some bees are cats"), "Some ants are cats", "Yes", True),
        ((ALL_ANTS, "All bees are cats"), "All ants are cats", "Yes", False),
        ((ALL_ANTS, "All bees are cats"), "All ants are cats", "No", True),
        ((ALL_ANTS, "No bees are cats"), "No ants are cats", "Yes", False),
        (("Some ants are bees", "All bees are cats"), "Some ants are cats", "No", True),
        (("Some ants are bees", "No bees are cats"), "Some ants are not cats", "Yes", False),
        (("No ants are bees", "All bees are cats"), "No ants are cats", "Yes", True),
        ((ALL_ANTS, "Some bees are cats"), "Some bees are ants", "Yes", False),
        ((ALL_ANTS, "Some bees are cats"), "Some bees are ants", "No", False),
        ((ALL_ANTS, "no form that is known"), "All ants are bees", "No", False),
    ],
)
def test_fallacies(premises: tuple[str, str], conclusion: str, answer: str, is_wrong: bool) -> None:
    """Whether "All ants are bees" says that there are ants, logicians disagree: then either answer is let stand."""
    facts = {"premise1": premises[0], "premise2": premises[1], "conclusion": conclusion}
    told = Questions("syllogism", SETTINGS).what_is_wrong({"answer": answer, "metadata": facts})
    assert (told is not None) is is_wrong


@pytest.mark.parametrize(
    ("pieces", "is_possible", "is_wrong"),
    [
        (".BB.ww.", False, True),
        (".BB.ww.", True, False),
        (".B..w..", False, True),
        ("wwwwBBB", False, False),
    ],
)
def test_knights_that_may_not_make_a_move_that_is_shown(pieces: str, is_possible: bool, is_wrong: bool) -> None:
    """From C3, D2 and B1, B3 they swap so: C3-A2 B1-C3 A2-C1 C3-A2 D2-B1 B3-D2 C1-B3 A2-C3."""
    names = ["A2", "B1", "B3", "C1", "C3", "D2", "D3"]
    facts = {
        "board": {name: [] for name in names},
        "pieces": {name: None if piece == "." else piece for name, piece in zip(names, pieces, strict=True)},
        "start_turn": "w",
        "is_possible": is_possible,
    }
    told = Questions("knight_swap", SETTINGS).what_is_wrong({"answer": "No", "metadata": facts})
    assert (told is not None) is is_wrong


@pytest.mark.parametrize("name", ["propositional_logic", "syllogism"])
def test_wrong_questions_are_told_or_left_out(name: str) -> None:
    """Another question takes the place, which no other place has; those that are not wrong stay."""
    whole, good = ReasoningGym(name=name), ReasoningGym(name=name, leave_out_wrong=True)
    asked = [whole.reset(options={"task": task}) for task in range(40)]
    instead = [good.reset(options={"task": task}) for task in range(40)]
    wrong = [info for _, info in asked if info]
    assert 3 < len(wrong) < 20
    assert wrong[0] == {"wrong_question": WRONG_QUESTIONS[name][1]}
    assert not any(info for _, info in instead)
    changed = [before != after for (before, _), (after, _) in zip(asked, instead, strict=True)]
    assert changed == [bool(info) for _, info in asked]
    task = changed.index(True)
    good.reset(options={"task": task})
    assert good.entry["metadata"]["source_index"] % 1_002_000 == task
    assert good.entry["metadata"]["source_index"] > task
