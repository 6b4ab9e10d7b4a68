"""Errors have hints in the environments that have some, as often as they are to."""

from __future__ import annotations

from typing import Any

import pytest

import agentgym
from agentgym.augmentations.error_hints import ErrorHints
from agentgym.env import Env
from agentgym.errors import UserError
from agentgym.hint import Hint


class Door(Env):
    """A locked door."""

    hints = (Hint("open", "locked", "A key is needed."),)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return agentgym.Observation("It is locked.", admissible=("open", "wait")), {}

    def step(self, action: str) -> Any:
        locked = {"invalid_action": "it is locked"} if action == "open" else {}
        return agentgym.Observation("A door.", admissible=("open", "wait")), 0.0, False, False, locked


def share_of_hints(strength: float, probability: float = 1.0, *, num: int = 2000, seed: int = 0) -> float:
    env = ErrorHints(Door(), probability=probability)
    env.reset(seed=seed, options={"strength": strength})
    return sum("Hint" in env.step("open")[0] for _ in range(num)) / num


def test_a_hint_is_added_to_what_is_seen_and_nothing_else_is_changed() -> None:
    env = ErrorHints(Door())
    seen, _ = env.reset(seed=0, options={"strength": 1})
    assert seen == "It is locked."  # nothing was said yet
    seen, reward, *_, info = env.step("open")
    assert seen == "A door.\nHint: A key is needed."
    assert seen.admissible == ("open", "wait")
    assert (reward, info) == (0.0, {"invalid_action": "it is locked"})
    assert env.step("wait")[0] == "A door."


@pytest.mark.parametrize(("strength", "probability", "share"), [(1, 1, 1), (0, 1, 0), (0.5, 1, 0.5), (0.5, 0.4, 0.2)])
def test_probability_times_strength_is_how_often(strength: float, probability: float, share: float) -> None:
    assert share_of_hints(strength, probability) == pytest.approx(share, abs=0.04)


def test_another_seed_has_hints_at_other_times() -> None:
    def when(seed: int) -> list[bool]:
        env = ErrorHints(Door())
        env.reset(seed=seed, options={"strength": 0.5})
        return ["Hint" in env.step("open")[0] for _ in range(64)]

    assert when(0) == when(0)
    assert when(0) != when(1)


def test_where_an_environment_has_no_hints_it_does_not_fit() -> None:
    env = ErrorHints(agentgym.make("countdown"))
    env.reset(seed=0)
    with pytest.raises(UserError, match=r'"error-hints" does not fit the environment "countdown": it has no hints'):
        env.reset(seed=0, options={"strength": 0.5})


@pytest.mark.parametrize(
    ("around", "said", "words"),
    [
        ("blocksworld", "jump", "one of the four forms"),
        ("blocksworld", "pick up nobody", "Only the blocks in the observation"),
        ("blocksworld", "put down a", "must be taken up first|Only the blocks"),
        ("webshop", "click[buy now]", "A product is bought on its own page"),
        ("webshop", "click[nothing]", "as on this page"),
        ("webshop", "buy it", "something in square brackets"),
        ("webshop", "search[<a> red]", "without a mark"),
        ("policydesk", "get_order(order='zzz')", "Which orders a customer has"),
        ("policydesk", "get_product(product='zzz')", "stands in the order"),
        ("policydesk", "find_customer(name='zzz', zip='0')", "by the whole name"),
        ("policydesk", "get_order()", "by its name"),
        ("policydesk", "no_tool(a=1)", "Only the listed tools"),
        ("policydesk", "get_order(ordr='x')", "no others"),
        ("policydesk", "get_order(order=", "stands alone"),
        ("policydesk", "", "a call or a message"),
        ("booking", "click the button", "one command alone"),
        ("booking", "CLICK[nobody]", "in brackets on this page"),
        ("booking", "SUBMIT[find]", "once each of its fields"),
    ],
)
def test_errors_of_ours_are_explained(around: str, said: str, words: str) -> None:
    env = ErrorHints(agentgym.make(around))
    env.reset(seed=0, options={"strength": 1})
    seen, *_ = env.step(said)
    _, is_there, hint = seen.partition("Hint: ")
    assert is_there, seen
    assert any(word in hint for word in words.split("|")), hint


def test_every_precondition_of_blocksworld_has_its_hint() -> None:
    env = ErrorHints(agentgym.make("blocksworld", level="b3"))
    start, _ = env.reset(seed=0, options={"strength": 1})
    blocks = sorted({action.split()[-1] for action in start.admissible or ()} | set("abcdefgh") & set(start.split()))
    pairs = [(one, other) for one in blocks for other in blocks if one != other]
    every = [f"{operator} {block}" for operator in ("pick up", "put down") for block in blocks]
    every += [f"stack {one} on {other}" for one, other in pairs] + [
        f"unstack {one} from {other}" for one, other in pairs
    ]
    explained = 0
    for doable in ("", *(start.admissible or ())):  # with an empty hand, and with a block in it
        env.reset(seed=0, options={"strength": 1})
        now = env.step(doable)[0] if doable else start
        for action in set(every) - {*(now.admissible or ())}:
            seen, *_, info = env.step(action)
            assert "Hint: " in seen, (action, info)
            explained += 1
    assert explained > 20
