"""The policy: its document, and the decisions it comes to, each worked out by hand from the document of seed 0."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.environments.policydesk.cases import Case
from agentgym.environments.policydesk.desk import Write
from agentgym.environments.policydesk.policy import Policy

TODAY = 250


def case(request: str, *, target: str = "", broken: bool = False, zip: str = "10000", **changes: Any) -> Case:
    """Ada Berg's order o10 of a lamp for 100, delivered 10 days ago and one day late; ``changes`` to its records."""
    customer = {"id": "c1", "name": "ada berg", "zip": "10000", "tier": "basic", "returns": 0, "watched": False}
    order = {
        "id": "o10",
        "customer": "c1",
        "product": "p1",
        "price": 100,
        "status": "delivered",
        "placed": 100,
        "promised": TODAY - 11,
        "delivered": TODAY - 10,
        "zip": "10000",
        "refund": 0,
        "voucher": 0,
    }
    lamp = {"id": "p1", "name": "lamp", "category": "home", "price": 100, "stock": 1}
    other = {**lamp, "id": "p2", "name": "rug"}
    records = {"customer": customer, "order": order, "lamp": lamp, "other": other}
    for key, value in changes.items():
        what, _, field = key.partition("_")
        assert field in records[what]
        records[what][field] = value
    tables = {
        "customers": {"c1": customer},
        "products": {"p1": lamp, "p2": other},
        "orders": {"o10": order},
        "tickets": {},
    }
    return Case(request, "ada berg", zip, "o10", target, broken, (), TODAY, tables)


FRAUD = Write("open_ticket", {"order": "o10", "team": "fraud"})
FINANCE = Write("open_ticket", {"order": "o10", "team": "finance"})


def returned(refund: int) -> Write:
    return Write("return_order", {"order": "o10", "refund": refund})


def decided(level: str, given: Case) -> tuple[tuple[Write, ...], tuple[int, ...], str]:
    decision = Policy(level, 0).decide(given)
    return decision.writes, decision.rules, decision.told


def test_the_numbers_that_the_decisions_below_are_worked_out_with() -> None:
    policy = Policy("p4", 0)
    assert policy.windows == {"basic": 22, "silver": 37, "gold": 52}
    assert policy.fees == {"basic": 10, "silver": 5, "gold": 0}
    assert (policy.late, policy.per_day, policy.cap, policy.large, policy.small) == (3, 1, 18, 180, 80)
    assert (policy.holidays, policy.extra, policy.max_returns) == (range(175, 235), 17, 3)


@pytest.mark.parametrize(("level", "num_rules"), [("p1", 5), ("p2", 7), ("p3", 10), ("p4", 14)])
def test_a_level_has_all_the_rules_of_the_one_before(level: str, num_rules: int) -> None:
    lines = Policy(level, 0).text.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"rule {number}" for number in range(1, num_rules + 1)]
    assert Policy("p4", 0).text.startswith(Policy("p3", 0).text)
    assert Policy("p3", 0).text.startswith(Policy("p2", 0).text)


def test_another_seed_is_another_policy_and_its_text_says_its_numbers() -> None:
    texts = {seed: Policy("p4", seed).text for seed in range(5)}
    assert len(set(texts.values())) == 5
    for seed, text in texts.items():
        policy = Policy("p4", seed)
        numbers = (*policy.windows.values(), *policy.fees.values(), policy.late, policy.cap, policy.large, policy.small)
        assert all(str(number) in text for number in (*numbers, policy.extra, policy.max_returns))


@pytest.mark.parametrize("level", ["p1", "p4"])
@pytest.mark.parametrize("request_", ["cancel", "address", "return", "exchange", "late"])
def test_nobody_is_served_who_is_not_found_or_does_not_own_the_order(level: str, request_: str) -> None:
    assert decided(level, case(request_, zip="99999", target="p2")) == ((), (1,), "")
    assert decided(level, case(request_, order_customer="c2", target="p2")) == ((), (1,), "")


@pytest.mark.parametrize(
    ("level", "given", "outcome"),
    [
        ("p1", case("cancel"), ((), (2,), "")),
        (
            "p1",
            case("cancel", order_status="pending"),
            ((Write("cancel_order", {"order": "o10"}),), (), "100"),
        ),
        (
            "p3",
            case("cancel", order_status="pending", order_price=200),
            ((Write("cancel_order", {"order": "o10"}), FINANCE), (), "200"),
        ),
        ("p1", case("address", target="20000"), ((), (3,), "")),
        (
            "p1",
            case("address", target="20000", order_status="pending"),
            ((Write("change_zip", {"order": "o10", "zip": "20000"}),), (), "20000"),
        ),
        # returns: rule 4 at p1 knows one window and no fee
        ("p1", case("return", order_delivered=TODAY - 22), ((returned(100),), (), "100")),
        ("p1", case("return", order_delivered=TODAY - 23, customer_tier="gold"), ((), (4,), "")),
        ("p1", case("return", order_status="pending", order_delivered=None), ((), (4,), "")),
        ("p1", case("return", lamp_category="food"), ((returned(100),), (), "100")),
        # p2: window and fee by tier, food and custom goods only when broken, then without a fee
        ("p2", case("return"), ((returned(90),), (), "90")),
        ("p2", case("return", customer_tier="silver", order_delivered=TODAY - 37), ((returned(95),), (), "95")),
        ("p2", case("return", customer_tier="silver", order_delivered=TODAY - 38), ((), (4,), "")),
        ("p2", case("return", customer_tier="gold", order_delivered=TODAY - 52), ((returned(100),), (), "100")),
        ("p2", case("return", broken=True), ((returned(100),), (), "100")),
        ("p2", case("return", lamp_category="food"), ((), (7,), "")),
        ("p2", case("return", lamp_category="custom", order_delivered=TODAY - 30), ((), (4, 7), "")),
        ("p2", case("return", lamp_category="custom", broken=True), ((returned(100),), (), "100")),
        ("p2", case("return", order_price=300), ((returned(270),), (), "270")),
        # p3: large refunds, exchanges, vouchers
        ("p3", case("return", order_price=200), ((returned(180),), (), "180")),
        ("p3", case("return", order_price=220), ((returned(198), FINANCE), (), "198")),
        (
            "p3",
            case("exchange", target="p2"),
            ((Write("exchange_order", {"order": "o10", "product": "p2"}),), (), "p2"),
        ),
        ("p3", case("exchange", target="p2", other_stock=0), ((), (8,), "")),
        ("p3", case("exchange", target="p2", other_category="food"), ((), (8,), "")),
        ("p3", case("exchange", target="p2", other_price=120, customer_tier="silver"), ((), (8,), "")),
        (
            "p3",
            case("exchange", target="p2", other_price=120, customer_tier="gold"),
            ((Write("exchange_order", {"order": "o10", "product": "p2"}),), (), "p2"),
        ),
        ("p3", case("exchange", target="p2", order_delivered=TODAY - 23), ((), (4,), "")),
        ("p3", case("late", order_promised=TODAY - 13), ((), (9,), "")),
        (
            "p3",
            case("late", order_promised=TODAY - 14),
            ((Write("give_voucher", {"order": "o10", "amount": 4}),), (), "4"),
        ),
        (
            "p3",
            case("late", order_promised=TODAY - 40),
            ((Write("give_voucher", {"order": "o10", "amount": 18}),), (), "18"),
        ),
        (
            "p3",
            case("late", order_promised=TODAY - 40, customer_tier="gold"),
            ((Write("give_voucher", {"order": "o10", "amount": 30}),), (), "30"),
        ),
        # p4: exceptions
        ("p3", case("return", customer_watched=True), ((returned(90),), (), "90")),
        ("p4", case("return", customer_watched=True), ((FRAUD,), (11,), "")),
        ("p4", case("return", customer_watched=True, broken=True, order_price=80), ((FRAUD,), (11,), "")),
        ("p4", case("return", customer_watched=True, broken=True, order_price=60), ((returned(60),), (), "60")),
        ("p4", case("exchange", target="p2", customer_watched=True, other_stock=0), ((FRAUD,), (11,), "")),
        ("p4", case("return", customer_watched=True, order_delivered=TODAY - 23), ((FRAUD,), (11, 4), "")),
        (
            "p4",
            case("cancel", customer_watched=True, order_status="pending"),
            ((Write("cancel_order", {"order": "o10"}),), (), "100"),
        ),
        ("p4", case("return", order_placed=175, order_delivered=TODAY - 23), ((), (4,), "")),
        (
            "p4",
            case("return", order_placed=175, order_delivered=TODAY - 54, customer_tier="silver"),
            ((returned(95),), (), "95"),
        ),
        ("p4", case("return", order_placed=175, order_delivered=TODAY - 55, customer_tier="silver"), ((), (4,), "")),
        ("p4", case("return", order_placed=174, order_delivered=TODAY - 54, customer_tier="silver"), ((), (4,), "")),
        ("p4", case("return", customer_tier="gold", customer_returns=3), ((returned(100),), (), "100")),
        ("p4", case("return", customer_tier="gold", customer_returns=4), ((returned(90),), (), "90")),
        (
            "p4",
            case("late", order_promised=TODAY - 40, customer_tier="gold", customer_returns=4),
            ((Write("give_voucher", {"order": "o10", "amount": 18}),), (), "18"),
        ),
    ],
)
def test_decisions_by_hand(level: str, given: Case, outcome: tuple[Any, ...]) -> None:
    assert decided(level, given) == outcome
