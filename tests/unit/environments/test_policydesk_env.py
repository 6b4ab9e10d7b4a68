"""The desk as a whole: a visit by hand, what counts as success, customers who speak, cases and their splits, fuzz."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentgym
from agentgym.environments.policydesk import PolicyDesk
from agentgym.environments.policydesk.cases import Case, case_of_task, split_of
from agentgym.environments.policydesk.env import LEVELS, Level
from agentgym.environments.policydesk.user import opening, scripted
from agentgym.errors import ConfigError, UserError
from agentgym.tools import parse_calls
from agentgym.types import Message, Observation, StepResult
from tests.kit import answered

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


def step(env: PolicyDesk, action: str) -> StepResult:
    return StepResult(*env.step(action))  # type: ignore[arg-type]


def visited(request: str, *, refused: bool = False, level: Level = "p1", **options: Any) -> PolicyDesk:
    """An environment at the first case of a request that is decided so, for a customer who is found."""
    env = PolicyDesk(level=level, **options)
    for task in range(1000):
        env.reset(seed=0, options={"task": task})
        if env.case.request == request and env.decision.is_refusal == refused and env.decision.rules != (1,):
            return env
    raise AssertionError(f"no case of {request} among 1000")


def found(env: PolicyDesk) -> str:
    return f"find_customer(name={env.case.name}, zip={env.case.zip})"


# -- visits ----------------------------------------------------------------------------------------------


def test_a_return_by_hand() -> None:
    env = visited("return")
    case, order = env.case, env.case.tables["orders"][env.case.order]
    seen = Observation.of(env.reset(seed=0, options={"task": env.task})[0])
    reason = "it arrived broken" if case.broken else "it is not what i wanted"
    assert seen == (
        f"day {case.today}. customer: i am {case.name}, zip {case.zip}. please take back order {case.order}, {reason}."
    )
    assert len(seen.tools) == 10
    customer = case.tables["customers"]["c1"]
    told = step(env, found(env)).observation
    assert told.startswith(f"customer c1, tier {customer['tier']}, {customer['returns']} returns, ")
    assert told.endswith(".")
    assert case.order in told
    late = max(order["delivered"] - order["promised"], 0)
    assert step(env, f"get_order(order={case.order})").observation == (
        f"order {case.order} of c1: product {order['product']}, price {order['price']}, placed day {order['placed']}, "
        f"zip {order['zip']}, delivered {case.today - order['delivered']} days ago, {late} days after the promised day."
    )
    done = step(env, f"return_order(order={case.order}, refund={order['price']})")
    assert done[:4] == ("done.", 0.0, False, False)
    assert step(env, f"You get {order['price']} back.") == (
        "The episode is over. A reply without a call is the last.",
        1.0,
        True,
        False,
        {**answered(), "success": True},
    )


def test_a_refusal_by_hand() -> None:
    env = visited("return", refused=True)
    step(env, found(env))
    assert step(env, "I am sorry: that is refused by Rule 4.")[1:] == (
        1.0,
        True,
        False,
        {**answered(), "success": True},
    )


def lost(env: PolicyDesk, *actions: str) -> bool:
    results = [step(env, action) for action in actions]
    assert results[-1].terminated
    return results[-1].info == {**answered(), "success": False} and all(result.reward == 0 for result in results)


def test_what_is_no_success() -> None:
    env = visited("return", refused=True)
    start = env.snapshot()
    order = env.case.order
    assert lost(env, "refused by rule 4."), "without looking the customer up"
    for actions in (
        [found(env), "refused by rule 2."],
        [found(env), "refused."],
        [found(env), "rule 4 or rule 2."],
        [found(env), f"return_order(order={order}, refund=1)", "refused by rule 4."],
        [found(env), f"open_ticket(order={order}, team=fraud)", "refused by rule 4."],
        [f"change_zip(order={order}, zip={env.case.tables['orders'][order]['zip']})", found(env), "refused by rule 4."],
    ):
        env.restore(start)
        assert lost(env, *actions), actions
    env = visited("cancel")
    start, price = env.snapshot(), env.case.tables["orders"][env.case.order]["price"]
    cancel = f"cancel_order(order={env.case.order})"
    for actions in (
        [found(env), f"you get {price}."],
        [found(env), cancel, "done."],
        [found(env), cancel, f"you get {price}1."],
        [found(env), cancel, f"you get 1.{price}."],
        [found(env), cancel, f"you get {price}, 1, 2 or 3."],
        [found(env), cancel, f"refused, or you get {price}."],
        [cancel, found(env), f"you get {price}."],
    ):
        env.restore(start)
        assert lost(env, *actions), actions
    env.restore(start)
    assert not lost(env, found(env), cancel, f"you get {price}.")


def test_dense_rewards_by_hand() -> None:
    """Three parts: looked up, cancelled, told. What was gained is lost again with a change that must not be."""
    env = visited("cancel", reward="dense")
    start, price = env.snapshot(), env.case.tables["orders"][env.case.order]["price"]
    cancel, told = f"cancel_order(order={env.case.order})", f"you get {price}."
    good = [step(env, action).reward for action in (found(env), "get_order(order=none)", cancel, told)]
    assert good == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    env.restore(start)
    ticket = f"open_ticket(order={env.case.order}, team=fraud)"
    assert [step(env, action).reward for action in (found(env), ticket, cancel, told)] == pytest.approx(
        [1 / 3, -1 / 3, 0, 0]
    )
    env.restore(start)
    assert [step(env, action).reward for action in (cancel, found(env), told)] == [0, 0, 0]


@EVERY_LEVEL
@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_the_expert_serves_everybody_in_half_the_turns(level: Level, reward: Any) -> None:
    env = PolicyDesk(level=level, reward=reward)
    for task in env.tasks("test")[:100]:
        observation: str = env.reset(options={"task": task})[0]
        expert, total = env.expert(), 0.0
        for _ in range(LEVELS[level] // 2 + 1):
            observation, gained, over, _, info = env.step(expert(Observation.of(observation)))
            total += gained
            assert "invalid_action" not in info
            if over:
                break
        assert info == {**answered(), "success": True}
        assert total == pytest.approx(1)


def test_the_expert_goes_on_from_wherever_it_is() -> None:
    env = visited("return", level="p2")
    for action in ("what is the weather?", "get_product(product=p1)", "get_order(order=o00)", found(env)):
        step(env, action)
    expert, result = env.expert(), None
    for _ in range(8):
        result = step(env, expert(Observation("")))
        if result.terminated:
            break
    assert result is not None
    assert result.info == {**answered(), "success": True}


@EVERY_LEVEL
def test_requests_are_granted_and_refused_about_equally_often(level: Level) -> None:
    env = PolicyDesk(level=level)
    decisions = Counter()  # type: Counter[bool]
    for task in range(400):
        env.reset(options={"task": task})
        decisions[env.decision.is_refusal] += 1
    assert 0.35 < decisions[True] / 400 < 0.7


# -- tools -----------------------------------------------------------------------------------------------


def test_tools_change_what_they_say_and_nothing_else() -> None:
    env = visited("exchange", level="p3")
    order, target = env.case.order, env.case.target
    before = copy.deepcopy(env.desk.tables)
    stock = before["products"][target]["stock"]
    step(env, f"exchange_order(order={order}, product={target})")
    step(env, f"give_voucher(order={order}, amount=7)")
    step(env, f"open_ticket(order={order}, team=finance)")
    expected = copy.deepcopy(before)
    expected["orders"][order].update(status="exchanged", product=target, voucher=7)
    expected["products"][target]["stock"] = stock - 1
    expected["tickets"][f"{order}-finance"] = {"order": order, "team": "finance"}
    assert env.desk.tables == expected
    assert env.case.tables == before


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("get_order(order=o00)", "There is no order o00."),
        ("get_product(product=x)", "There is no product x."),
        ("cancel_order(order=o00)", "There is no order o00."),
        ("open_ticket(order=o00, team=sales)", 'open_ticket: the argument "team" is "sales"'),
        ("return_order(order=o00)", 'return_order: the argument "refund" is missing'),
        ("drop_table(name=orders)", 'There is no tool "drop_table"'),
    ],
)
def test_calls_that_cannot_be_carried_out(action: str, message: str) -> None:
    env = visited("return")
    before = copy.deepcopy(env.desk.tables)
    seen, reward, over, _, info = step(env, action)
    assert seen.startswith(message)
    assert (reward, over, info) == (0.0, False, {**answered(1, failed=1), "invalid_action": seen})
    assert env.desk.tables == before


def test_nobody_is_found_by_a_wrong_zip_code_and_case_does_not_matter_in_names() -> None:
    env = visited("return")
    assert (
        step(env, f"find_customer(name={env.case.name}, zip=00000)").observation == "nobody of that name and zip code."
    )
    assert not env.has_looked_up
    step(env, f"find_customer(name= {env.case.name.upper()} , zip={env.case.zip})")
    assert env.has_looked_up


@settings(max_examples=60, deadline=None)
@given(
    actions=st.lists(st.text(max_size=60) | st.sampled_from(["'; DROP TABLE orders; --", "cancel_order", "{}", "[]"]))
)
def test_what_is_no_call_changes_nothing(actions: list[str]) -> None:
    env = visited("return")
    before = copy.deepcopy(env.desk.tables)
    for action in actions:
        if step(env, action).terminated:
            break
    assert env.desk.tables == before


# -- customers -------------------------------------------------------------------------------------------


def held_back(*withheld: str) -> Case:
    return Case("return", "ada berg", "10000", "o10", "", True, withheld, 250, {})


def test_what_is_held_back_is_said_when_asked() -> None:
    assert opening(held_back()) == "i am ada berg, zip 10000. please take back order o10, it arrived broken."
    assert opening(held_back("order", "reason")) == "i am ada berg, zip 10000. please take back my order."
    assert scripted(held_back("order"), "Which order is it?") == "it is order o10."
    assert scripted(held_back(), "Why? And who are you?") == "it arrived broken. i am ada berg."
    assert scripted(held_back(), "What is your zip code?") == "zip 10000."
    assert scripted(held_back(), "Tea?") == "i do not know."
    assert scripted(held_back(), "No.") is None


def test_a_function_can_speak_for_the_customer() -> None:
    asked: list[tuple[str, Sequence[Message]]] = []

    def user(brief: str, conversation: Sequence[Message]) -> str | None:
        asked.append((brief, conversation))
        return "it is what i said." if len(asked) == 1 else None

    env = visited("return", refused=True, user=user)
    step(env, found(env))
    assert step(env, "really")[:3] == ("customer: it is what i said.", 0.0, False)
    assert step(env, "refused by rule 4.")[1:3] == (1.0, True)
    assert [message["role"] for message in asked[1][1]] == ["assistant", "user", "assistant", "user"]
    assert env.case.name in asked[0][0]
    assert env.case.order in asked[0][0]


# -- options, cases and states ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "p5"}, 'level is "p5". Did you mean "p'),
        ({"reward": "dence"}, 'reward is "dence". Did you mean "dense"?'),
        ({"user": "engine"}, 'env.user is "engine". Known: scripted, or callable'),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        agentgym.make("policydesk", **options)
    assert message in str(error.value)


def test_tasks_that_do_not_exist() -> None:
    with pytest.raises(UserError, match="unknown split"):
        PolicyDesk().tasks("tset")
    with pytest.raises(UserError, match="task 1002000 does not exist"):
        PolicyDesk().reset(options={"task": 1_002_000})


def test_the_policy_can_be_left_out_of_the_instructions() -> None:
    shown, hidden = PolicyDesk().instructions, PolicyDesk(show_policy=False).instructions
    assert PolicyDesk().policy.text in shown
    assert "rule 4" not in hidden
    assert "find_customer" in hidden


@EVERY_LEVEL
def test_every_case_belongs_to_its_split_and_is_a_function_of_its_task(level: Level) -> None:
    env = PolicyDesk(level=level)
    topics: dict[str, set[tuple[str, ...]]] = {}
    for split in ("train", "validation", "test"):
        topics[split] = set()
        for task in env.tasks(split)[:200]:
            case = case_of_task.__wrapped__(task, split, level, 0)
            first = next(iter(case.tables["orders"].values()))
            topic = (case.request, case.name, first["id"], case.tables["products"][first["product"]]["name"])
            assert split_of(*topic) == split
            topics[split].add(topic)
        assert json.dumps(case.tables) == json.dumps(case_of_task.__wrapped__(task, split, level, 0).tables)
        assert case.tables != case_of_task.__wrapped__(task, split, level, 1).tables
    assert not topics["train"] & topics["test"]
    assert not topics["train"] & topics["validation"]


def test_a_state_is_plain_json_and_comes_back() -> None:
    env = visited("cancel", reward="dense")
    step(env, found(env))
    state = json.loads(json.dumps(env.get_state()))
    rest = [f"cancel_order(order={env.case.order})", env.decision.answer]
    once = [step(env, action) for action in rest]
    other = PolicyDesk(reward="dense")
    other.reset(seed=9)
    other.set_state(state)
    assert [step(other, action) for action in rest] == once
    assert json.loads(json.dumps(state)) == state


def test_what_the_expert_says_is_a_call_or_words() -> None:
    env = visited("return", level="p2")
    expert, calls, over = env.expert(), [], False
    while not over:
        action = expert(Observation(""))
        calls.append([one.name for one in parse_calls(action) or []])
        over = step(env, action).terminated
    assert calls[-1] == []
    assert calls[0] == ["find_customer"]
