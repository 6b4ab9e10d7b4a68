"""The policy: its rules as the document a clerk reads, and as the decision they come to in a case.

Four levels, each with all the rules of the one before. At p1 a rule states a fact; at p2 it depends on the customer and
the goods; at p3 conditions nest, and one request can take two changes; at p4 rules make exceptions to rules. The
numbers in them are drawn by a seed: with another seed it is another policy, to be read anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from agentgym.environments.policydesk.cases import Case
from agentgym.environments.policydesk.desk import Write

__all__ = ["Decision", "Policy"]


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What the policy comes to: the changes to make and what the customer must be told at the end."""

    writes: tuple[Write, ...] = ()
    rules: tuple[int, ...] = ()
    """Of a refusal: the rules that forbid it, any one of which may be named."""
    told: str = ""
    """Otherwise: the amount, zip code or product that must be said."""
    fee: int | None = None
    """Of a return: percent that are kept."""

    @property
    def is_refusal(self) -> bool:
        """Whether the customer does not get what was asked for."""
        return bool(self.rules)

    @property
    def answer(self) -> str:
        """What an expert says at the end."""
        return f"refused by rule {self.rules[0]}." if self.rules else f"done: {self.told}."


class Policy:
    """The rules of a level."""

    def __init__(self, level: str, seed: int) -> None:
        self.level = level
        rng = np.random.default_rng([seed, 94])
        basic = int(rng.integers(20, 31))
        self.windows = {"basic": basic, "silver": basic + 15, "gold": basic + 30}
        fee = 5 * int(rng.integers(2, 5))
        self.fees = {"basic": fee, "silver": fee - 5, "gold": 0}
        self.late, self.per_day, self.cap = int(rng.integers(2, 5)), int(rng.integers(1, 4)), int(rng.integers(10, 21))
        self.large = 20 * int(rng.integers(8, 13))
        self.small = 20 * int(rng.integers(3, 6))
        first = int(rng.integers(140, 180))
        self.holidays = range(first, first + 60)
        self.extra = int(rng.integers(10, 21))
        self.max_returns = int(rng.integers(3, 5))

    @property
    def text(self) -> str:
        """The document."""
        return "\n".join(f"rule {number}: {rule}" for number, rule in enumerate(self._rules(), 1))

    def _rules(self) -> Iterator[str]:
        days, fees = self.windows, self.fees
        yield "first find the customer by name and zip code. serve nobody who is not found, and only on own orders."
        yield "cancel an order only while it is pending. say the refund, which is the price."
        yield "change the zip code of an order only while it is pending. say the new zip code."
        if self.level == "p1":
            window, refund = f"at most {days['basic']} days ago", "say the refund, which is the price."
        else:
            window = (
                f"at most {days['basic']} days ago for basic customers, {days['silver']} for silver, {days['gold']} "
            )
            window, refund = window + "for gold", "say the refund."
        yield f"take back only what was delivered, {window}. {refund}"
        yield "to refuse, change nothing and say the number of the rule, for instance: refused by rule 2."
        if self.level >= "p2":
            yield (
                f"the refund of a return is the price less a fee: {fees['basic']} percent for basic customers, "
                f"{fees['silver']} for silver, {fees['gold']} for gold. there is no fee for what arrived broken."
            )
            yield "food and custom goods are not taken back, unless they arrived broken."
        if self.level >= "p3":
            yield from self._nested_rules()
        if self.level >= "p4":
            yield from self._exceptions()

    def _nested_rules(self) -> Iterator[str]:
        yield (
            "exchange what could be taken back (rules 4 and 7), only for a product of the same category that is in "
            "stock; for a dearer one only if the customer is gold. no money moves. say the id of the product."
        )
        yield (
            f"who complains of an order delivered more than {self.late} days after the promised day gets a voucher of "
            f"{self.per_day} for each day after it, at most {self.cap}, or {2 * self.cap} for gold. say the amount."
        )
        yield f"with a refund of more than {self.large} also open a ticket for finance."

    def _exceptions(self) -> Iterator[str]:
        yield (
            "from customers who are watched nothing is taken back or exchanged, and a ticket for fraud is opened; but "
            f"broken goods of a price under {self.small} are treated as anybody's."
        )
        yield (
            f"orders placed from day {self.holidays[0]} to day {self.holidays[-1]} have {self.extra} more days to be "
            "taken back or exchanged, but not those of customers who count as basic."
        )
        yield f"a customer with more than {self.max_returns} returns counts as basic."
        yield "where two rules disagree the one with the higher number holds; rule 1 comes before all."

    def decide(self, case: Case) -> Decision:
        """What to do in a case."""
        owner = _found(case)
        order = case.tables["orders"][case.order]
        if owner is None or order["customer"] != owner["id"]:
            return Decision(rules=(1,))
        decided: Decision = getattr(self, f"_{case.request}")(case, order, owner)
        return decided

    def _cancel(self, case: Case, order: dict[str, Any], owner: dict[str, Any]) -> Decision:
        if order["status"] != "pending":
            return Decision(rules=(2,))
        writes = (Write("cancel_order", {"order": case.order}), *self._for_finance(case, order["price"]))
        return Decision(writes, told=str(order["price"]))

    def _address(self, case: Case, order: dict[str, Any], owner: dict[str, Any]) -> Decision:
        if order["status"] != "pending":
            return Decision(rules=(3,))
        return Decision((Write("change_zip", {"order": case.order, "zip": case.target}),), told=case.target)

    def _return(self, case: Case, order: dict[str, Any], owner: dict[str, Any]) -> Decision:
        if refusal := self._not_taken_back(case, order, owner):
            return refusal
        fee = 0 if self.level == "p1" or case.broken else self.fees[self.tier_of(owner)]
        refund = order["price"] * (100 - fee) // 100
        writes = (Write("return_order", {"order": case.order, "refund": refund}), *self._for_finance(case, refund))
        return Decision(writes, told=str(refund), fee=None if self.level == "p1" else fee)

    def _exchange(self, case: Case, order: dict[str, Any], owner: dict[str, Any]) -> Decision:
        if refusal := self._not_taken_back(case, order, owner):
            return refusal
        old, new = case.tables["products"][order["product"]], case.tables["products"][case.target]
        dearer = new["price"] > order["price"] and self.tier_of(owner) != "gold"
        if new["category"] != old["category"] or new["stock"] < 1 or dearer:
            return Decision(rules=(8,))
        return Decision((Write("exchange_order", {"order": case.order, "product": case.target}),), told=case.target)

    def _late(self, case: Case, order: dict[str, Any], owner: dict[str, Any]) -> Decision:
        days = order["delivered"] - order["promised"] if order["status"] == "delivered" else 0
        if days <= self.late:
            return Decision(rules=(9,))
        amount = min(days * self.per_day, self.cap * (2 if self.tier_of(owner) == "gold" else 1))
        return Decision((Write("give_voucher", {"order": case.order, "amount": amount}),), told=str(amount))

    def _for_finance(self, case: Case, refund: int) -> tuple[Write, ...]:
        return (_ticket(case, "finance"),) if self.level >= "p3" and refund > self.large else ()

    def _not_taken_back(self, case: Case, order: dict[str, Any], owner: dict[str, Any]) -> Decision | None:
        """The refusal of a return or an exchange, if it is one."""
        product = case.tables["products"][order["product"]]
        exempt = case.broken and order["price"] < self.small
        if self.level >= "p4" and owner["watched"] and not exempt:
            rules = (11, *self._broken_rules(case, order, owner, product))
            return Decision((_ticket(case, "fraud"),), rules=rules)
        rules = (*self._broken_rules(case, order, owner, product),)
        return Decision(rules=rules) if rules else None

    def _broken_rules(
        self, case: Case, order: dict[str, Any], owner: dict[str, Any], product: dict[str, Any]
    ) -> Iterator[int]:
        """Rules 4 and 7, where they forbid to take something back."""
        if order["status"] != "delivered" or case.today - order["delivered"] > self._window(order, owner):
            yield 4
        if self.level >= "p2" and product["category"] in ("food", "custom") and not case.broken:
            yield 7

    def _window(self, order: dict[str, Any], owner: dict[str, Any]) -> int:
        tier = self.tier_of(owner)
        extra = self.extra if self.level >= "p4" and order["placed"] in self.holidays and tier != "basic" else 0
        return self.windows[tier] + extra

    def tier_of(self, owner: dict[str, Any]) -> str:
        """The tier that a customer counts as."""
        lowered = self.level >= "p4" and owner["returns"] > self.max_returns
        return "basic" if self.level == "p1" or lowered else str(owner["tier"])


def _found(case: Case) -> dict[str, Any] | None:
    """The customer of the name and zip code that are given."""
    for customer in case.tables["customers"].values():
        if (customer["name"], customer["zip"]) == (case.name, case.zip):
            return customer
    return None


def _ticket(case: Case, team: str) -> Write:
    return Write("open_ticket", {"order": case.order, "team": team})
