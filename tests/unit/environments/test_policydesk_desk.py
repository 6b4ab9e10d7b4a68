"""The desk's database change by change, what counts as said, and whom the customer is taken for."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agentgym.environments.policydesk import PolicyDesk
from agentgym.environments.policydesk.cases import Case, split_of
from agentgym.environments.policydesk.desk import Desk, Tables, Write, copied
from agentgym.environments.policydesk.policy import Decision
from agentgym.environments.policydesk.user import brief, opening, scripted
from agentgym.tools import ToolError
from agentgym.types import StepResult
from tests.kit import answered


def tables() -> Tables:
    def customer(id: str, name: str, zip: str) -> dict[str, Any]:
        return {"id": id, "name": name, "zip": zip, "tier": "basic", "returns": 2, "watched": False}

    def order(id: str, owner: str) -> dict[str, Any]:
        return {
            "id": id,
            "customer": owner,
            "product": "p1",
            "price": 100,
            "status": "delivered",
            "placed": 200,
            "promised": 240,
            "delivered": 238,
            "zip": "10000",
            "refund": 0,
            "voucher": 0,
        }

    def product(id: str, stock: int) -> dict[str, Any]:
        return {"id": id, "name": "lamp", "category": "home", "price": 80, "stock": stock}

    return {
        "customers": {"c1": customer("c1", "ada berg", "20000"), "c2": customer("c2", "ada berg", "10000")},
        "products": {"p1": product("p1", 3), "p2": product("p2", 1)},
        "orders": {"o10": order("o10", "c2"), "o11": order("o11", "c1"), "o12": order("o12", "c2")},
        "tickets": {},
    }


def case(request: str = "return", **changes: Any) -> Case:
    given = {
        "request": request,
        "name": "ada berg",
        "zip": "10000",
        "order": "o10",
        "target": "",
        "broken": False,
        "withheld": (),
        "today": 250,
        "tables": tables(),
    }
    return Case(**{**given, **changes})


# -- the database ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "changed"),
    [
        (Write("cancel_order", {"order": "o10"}), {"status": "cancelled", "refund": 100}),
        (Write("change_zip", {"order": "o10", "zip": "30000"}), {"zip": "30000"}),
        (Write("return_order", {"order": "o10", "refund": 90}), {"status": "returned", "refund": 90}),
        (Write("give_voucher", {"order": "o10", "amount": 7}), {"voucher": 7}),
    ],
)
def test_a_change_of_an_order_is_made_to_it_alone(write: Write, changed: dict[str, Any]) -> None:
    desk = Desk(tables())
    desk.apply(write)
    wanted = tables()
    wanted["orders"]["o10"].update(changed)
    assert desk.tables == wanted
    assert Desk(tables()).changes(desk) == desk.changes(Desk(tables())) == {("orders", "o10")}


def test_an_exchange_takes_one_from_the_stock_of_the_new_product() -> None:
    desk = Desk(tables())
    desk.apply(Write("exchange_order", {"order": "o10", "product": " P2 "}))
    wanted = tables()
    wanted["orders"]["o10"].update(status="exchanged", product="p2")
    wanted["products"]["p2"]["stock"] = 0
    assert desk.tables == wanted
    assert desk.changes(Desk(tables())) == {("orders", "o10"), ("products", "p2")}


def test_an_order_may_have_a_ticket_for_each_team() -> None:
    desk = Desk(tables())
    desk.apply(Write("open_ticket", {"order": " O10", "team": "fraud"}))
    desk.apply(Write("open_ticket", {"order": "o10", "team": "finance"}))
    assert desk.tables["tickets"] == {
        "o10-fraud": {"order": "o10", "team": "fraud"},
        "o10-finance": {"order": "o10", "team": "finance"},
    }
    new = {("tickets", "o10-fraud"), ("tickets", "o10-finance")}
    assert desk.changes(Desk(tables())) == Desk(tables()).changes(desk) == new


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (Write("cancel_order", {"order": "o99"}), r"^There is no order o99\.$"),
        (Write("exchange_order", {"order": "o10", "product": "p9"}), r"^There is no product p9\.$"),
        (Write("exchange_order", {"order": "o99", "product": "p2"}), r"^There is no order o99\.$"),
        (Write("open_ticket", {"order": "x" * 30, "team": "fraud"}), rf"^There is no order {'x' * 20}\.$"),
    ],
)
def test_a_change_of_what_there_is_not_changes_nothing(write: Write, problem: str) -> None:
    desk = Desk(tables())
    with pytest.raises(ToolError, match=problem):
        desk.apply(write)
    assert desk.tables == tables()


def test_a_desk_has_tables_of_its_own() -> None:
    given = tables()
    one, other = Desk(given), Desk(given)
    one.apply(Write("cancel_order", {"order": "o10"}))
    assert other.tables == given == tables()
    twice = copied(given)
    twice["orders"]["o10"]["zip"] = "x"
    twice["tickets"]["t"] = {}
    assert given == tables()


@pytest.mark.parametrize(
    ("name", "zip", "found"),
    [
        ("ada berg", "10000", "c2"),  # the second of the name
        ("  Ada   BERG ", " 10000 ", "c2"),
        ("ada berg", "20000", "c1"),
        ("ada berg", "30000", None),
        ("ada", "10000", None),
        ("", "", None),
    ],
)
def test_a_customer_is_found_by_name_and_zip_code_together(name: str, zip: str, found: str | None) -> None:
    assert Desk(tables()).find_customer(name, zip) == found


# -- the environment at a case by hand -------------------------------------------------------------------


def at(monkeypatch: pytest.MonkeyPatch, given: Case, decision: Decision | None = None, **options: Any) -> PolicyDesk:
    """An environment at the beginning of a case, which its policy decides so; by default it takes the order back."""
    env = PolicyDesk(**options)
    monkeypatch.setattr("agentgym.environments.policydesk.env.case_of_task", lambda *task: given)
    takes_back = Decision((Write("return_order", {"order": "o10", "refund": 90}),), told="90", fee=10)
    monkeypatch.setattr(env.policy, "decide", lambda given: decision or takes_back)
    env.reset(seed=0, options={"task": 0})
    return env


def last(env: PolicyDesk, *actions: str) -> StepResult:
    for action in actions:
        result = StepResult(*env.step(action))  # type: ignore[arg-type]
    return result


FIND = "find_customer(name=ada berg, zip=10000)"
TAKE = "return_order(order=o10, refund=90)"
REFUSES = Decision(rules=(4, 7))


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("done: 90.", True),
        ("you get 90", True),
        ("190 or 900", False),
        ("you get it back", False),
        ("90, but it is refused", False),
    ],
)
def test_the_amount_must_be_said(monkeypatch: pytest.MonkeyPatch, words: str, right: bool) -> None:
    result = last(at(monkeypatch, case()), FIND, TAKE, words)
    assert (result.reward, result.terminated, result.info) == (float(right), True, {**answered(), "success": right})


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("refused by rule 4.", True),
        ("refused by rule 7.", True),
        ("RULE 7 and rule 4", True),
        ("rule4", True),
        ("refused by rule 1.", False),
        ("rule 4 and rule 1", False),
        ("rule 47", False),
        ("4", False),
        ("overrule 4", False),
    ],
)
def test_only_rules_that_forbid_it_may_be_named(monkeypatch: pytest.MonkeyPatch, words: str, right: bool) -> None:
    assert last(at(monkeypatch, case(), REFUSES), FIND, words).reward == float(right)


@pytest.mark.parametrize(
    ("actions", "right"),
    [
        ([FIND, TAKE], True),
        ([FIND, "return_order(order=o10, refund=80)", TAKE], True),  # mended
        ([TAKE, FIND], False),  # changed before anybody was looked up
        ([TAKE], False),
        ([FIND], False),  # nothing was done
        ([FIND, "return_order(order=o10, refund=91)"], False),
        ([FIND, TAKE, "give_voucher(order=o12, amount=1)"], False),  # somebody else's order as well
        (["find_customer(name=ada berg, zip=20000)", TAKE], False),  # another customer of that name
        (["find_customer(name=eve, zip=10000)", TAKE], False),
        (["get_order(order=o10)", FIND, "get_product(product=p1)", TAKE, "why?"], True),
    ],
)
def test_the_customer_comes_first_and_the_database_must_be_right(
    monkeypatch: pytest.MonkeyPatch, actions: list[str], right: bool
) -> None:
    assert last(at(monkeypatch, case()), *actions, "done: 90.").reward == float(right)


def test_a_visit_knows_nothing_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    env = at(monkeypatch, case(), reward="dense")
    for actions in ([FIND], [FIND, TAKE], [TAKE, FIND, "done: 90."]):
        last(env, *actions)
        env.reset(seed=0, options={"task": 0})
        assert [last(env, action).reward for action in (FIND, TAKE, "done: 90.")] == pytest.approx([1 / 3] * 3)
        env.reset(seed=0, options={"task": 0})
    env.reset(seed=0, options={"task": 0})
    assert last(env, TAKE, "done: 90.").info == {**answered(), "success": False}


def test_dense_rewards_are_gains_and_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four parts: looked up, order and ticket as they must be, told; a stray change costs all, and its undoing pays."""
    decision = Decision((Write("return_order", {"order": "o10", "refund": 90}), ticket("finance")), told="90")
    env = at(monkeypatch, case(), decision, reward="dense")
    actions = [
        FIND,
        "open_ticket(order=o10, team=finance)",
        "give_voucher(order=o12, amount=5)",
        "give_voucher(order=o12, amount=0)",
        "which one?",
        TAKE,
        "done: 90.",
    ]
    assert [last(env, action).reward for action in actions] == pytest.approx([0.25, 0.25, -0.5, 0.5, 0, 0.25, 0.25])
    env.reset(seed=0, options={"task": 0})
    assert [last(env, action).reward for action in (FIND, "done: 90.")] == pytest.approx([0.25, 0.25])


def ticket(team: str) -> Write:
    return Write("open_ticket", {"order": "o10", "team": team})


def test_what_the_tools_that_read_say(monkeypatch: pytest.MonkeyPatch) -> None:
    env = at(monkeypatch, case())
    before = copy.deepcopy(env.desk.tables)
    assert last(env, FIND).observation == "customer c2, tier basic, 2 returns, not watched, orders o10 o12."
    assert last(env, "get_order(order=O10)").observation == (
        "order o10 of c2: product p1, price 100, placed day 200, zip 10000, delivered 12 days ago, "
        "0 days after the promised day."
    )
    assert last(env, "get_product(product=p2)").observation == "product p2: lamp, home, price 80, 1 in stock."
    assert last(env, "quote(order=o10, fee=15)").observation == "refund 85."
    assert env.desk.tables == before
    last(env, "exchange_order(order=o10, product=p2)", "give_voucher(order=o10, amount=4)")
    assert last(env, "get_product(product=p2)").observation.endswith("price 80, not in stock.")
    assert last(env, "get_order(order=o10)").observation.endswith("0 days after the promised day, voucher 4.")


@pytest.mark.parametrize(
    ("changes", "when"),
    [
        ({"promised": 233}, "delivered 12 days ago, 5 days after the promised day."),
        ({"status": "pending", "delivered": None}, "pending."),
        ({"status": "cancelled", "delivered": None, "refund": 100}, "cancelled, refund 100."),
    ],
)
def test_an_order_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], when: str) -> None:
    given = case()
    given.tables["orders"]["o10"].update(changes)
    assert last(at(monkeypatch, given), "get_order(order=o10)").observation.endswith(f"zip 10000, {when}")


def test_a_state_has_the_database_and_does_not_follow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    env = at(monkeypatch, case(), reward="dense")
    last(env, FIND, TAKE, "which one?")
    state = env.get_state()
    kept = copy.deepcopy(state)
    last(env, "give_voucher(order=o12, amount=5)", "and now?")
    assert state == kept
    env.set_state(state)
    last(env, "which one?")
    assert state == kept
    env.set_state(state)
    assert last(env, "done: 90.").reward == pytest.approx(1 / 3)


def test_the_expert_asks_and_looks_only_where_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(env: PolicyDesk) -> list[str]:
        expert, said, over = env.expert(), [], False
        while not over:
            said.append(str(expert(None)))  # type: ignore[arg-type]
            over = env.step(said[-1])[2]
        return said

    hidden = case(withheld=("order", "reason"))
    assert steps(at(monkeypatch, hidden, level="p3")) == [
        "find_customer(name=ada berg, zip=10000)",
        "which order is it?",
        "get_order(order=o10)",
        "is it broken?",
        "get_product(product=p1)",
        "quote(order=o10, fee=10)",
        "return_order(order=o10, refund=90)",
        "done: 90.",
    ]
    assert steps(at(monkeypatch, case(), Decision(rules=(1,)), level="p3"))[1:] == [
        "get_order(order=o10)",
        "refused by rule 1.",
    ]
    assert len(steps(at(monkeypatch, case(zip="90000"), Decision(rules=(1,)), level="p3"))) == 2


# -- customers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "wish"),
    [
        ("cancel", "please cancel order o10."),
        ("address", "please send order o10 to zip 30000."),
        ("return", "please take back order o10, it is not what i wanted."),
        ("exchange", "please exchange order o10 for 30000, it is not what i wanted."),
        ("late", "order o10 came late and i want a voucher."),
    ],
)
def test_what_the_customer_comes_with(request_: str, wish: str) -> None:
    assert opening(case(request_, target="30000")) == f"i am ada berg, zip 10000. {wish}"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("WHICH one?", "it is order o10."),
        ("is it broken?", "it is not what i wanted."),
        ("where do you live?", "zip 10000."),
        ("who are you?", "i am ada berg."),
        ("your name and order?", "it is order o10. i am ada berg."),
        ("?", "i do not know."),
        ("which order", None),
    ],
)
def test_the_script_answers_what_is_asked(words: str, answer: str | None) -> None:
    assert scripted(case(), words) == answer


def test_a_brief_says_what_to_keep_back() -> None:
    assert "Unless you are asked, do not say: order, reason. Accept" in brief(case(withheld=("order", "reason")))
    assert "Unless" not in brief(case())
    assert "your order is o10; it is not what i wanted." in brief(case())


def test_a_user_of_the_callers_gets_a_conversation_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[list[Any]] = []

    def user(brief: str, conversation: Any) -> str:
        heard.append(conversation)
        conversation.append("scribbled")
        return "yes."

    env = at(monkeypatch, case(), user=user)
    assert last(env, "is it o10").observation == "customer: yes."
    last(env, "sure")
    assert [[one["content"] for one in talk[:-1]] for talk in heard] == [
        [opening(case()), "is it o10"],
        [opening(case()), "is it o10", "yes.", "sure"],
    ]


def test_six_tenths_of_the_topics_are_for_training_and_two_each_for_the_others() -> None:
    splits = [split_of("cancel", f"name {number}", "o10", "lamp") for number in range(2000)]
    shares = [splits.count(split) / 2000 for split in ("train", "validation", "test")]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.03)
