"""The service desk: the policy's bounds, what counts as success, the order of things, the database."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

_TESTS = "tests/unit/environments/test_policydesk_"

MODULES = (
    Module(
        "environments/policydesk/policy.py",
        (f"{_TESTS}policy.py",),
        (
            Mutation(
                "the last day is too late",
                'case.today - order["delivered"] > self._window',
                'case.today - order["delivered"] >= self._window',
            ),
            Mutation("late by the last day", "if days <= self.late:", "if days < self.late:"),
            Mutation(
                "the largest refund without finance", "and refund > self.large else", "and refund >= self.large else"
            ),
            Mutation("small is not too small", 'order["price"] < self.small', 'order["price"] <= self.small'),
            Mutation("one return fewer", 'owner["returns"] > self.max_returns', 'owner["returns"] >= self.max_returns'),
            Mutation("the last in stock", 'new["stock"] < 1', 'new["stock"] < 2'),
            Mutation("equally dear", 'new["price"] > order["price"]', 'new["price"] >= order["price"]'),
            Mutation("no cap", "min(days * self.per_day, self.cap", "max(days * self.per_day, self.cap"),
            Mutation("broken pays a fee", 'self.level == "p1" or case.broken else', 'self.level == "p1" else'),
            Mutation("custom goods", 'in ("food", "custom") and', 'in ("food",) and'),
            Mutation(
                "the customer is not asked for", 'owner is None or order["customer"] != owner["id"]', "owner is None"
            ),
            Mutation("watched at every level", 'self.level >= "p4" and owner["watched"]', 'owner["watched"]'),
            Mutation("basic on holidays", ' and tier != "basic" else 0', " else 0"),
            Mutation("a fee is paid", "(100 - fee) // 100", "(100 + fee) // 100"),
        ),
    ),
    Module(
        "environments/policydesk/env.py",
        (f"{_TESTS}desk.py", f"{_TESTS}env.py"),
        (
            Mutation(
                "looked up or not",
                "in_order = self.has_looked_up and not self.has_acted_blindly",
                "in_order = not self.has_acted_blindly",
            ),
            Mutation(
                "acted blindly",
                "in_order = self.has_looked_up and not self.has_acted_blindly",
                "in_order = self.has_looked_up",
            ),
            Mutation("nothing need be told", "float(in_order and self._is_told() and not", "float(in_order and not"),
            Mutation(
                "nothing need be done", "self._is_told() and not self.wanted.changes(self.desk))", "self._is_told())"
            ),
            Mutation("dense pays all each time", "return self.paid - before", "return self.paid"),
            Mutation("one right rule among others", "bool(named) and named <= set", "bool(named) and named & set"),
            Mutation("refused and granted", ' and "refused" not in words', ""),
            Mutation(
                "part of a number",
                "Decimal(self.decision.told) in told",
                "any(self.decision.told in str(number) for number in told)",
            ),
            Mutation("all numbers there are", "len(told) <= _MOST_TOLD and", ""),
            Mutation("anybody who is found", "(self.case.name, self.case.zip)\n", "(self.case.name, zip.strip())\n"),
            Mutation(
                "what is done is forgotten", 'self.desk, self.log = Desk(state["tables"]), list', "self.log = list"
            ),
            Mutation(
                "another change is forgiven",
                "if self.has_acted_blindly or touched - must:",
                "if self.has_acted_blindly:",
            ),
            Mutation("told is nothing", ", self._is_told()]", "]"),
            Mutation(
                "the last word of before",
                '        self.paid, self.last_word = 0.0, ""\n',
                '        self.last_word = ""\n        self.paid = getattr(self, "paid", 0.0)\n',
            ),
            Mutation(
                "blind acts of before",
                "self.has_looked_up, self.has_acted_blindly = False, False",
                "self.has_looked_up, self.has_acted_blindly = False, vars(self).get('has_acted_blindly')",
            ),
            Mutation(
                "days since the order",
                "{self.case.today - record['delivered']} days ago",
                "{self.case.today - record['placed']} days ago",
            ),
            Mutation("early is late", "{max(late, 0)} days after", "{abs(late)} days after"),
        ),
    ),
    Module(
        "environments/policydesk/desk.py",
        (f"{_TESTS}desk.py",),
        (
            Mutation("nothing is refunded", 'status="cancelled", refund=record["price"]', 'status="cancelled"'),
            Mutation("the stock stays", '        new["stock"] -= 1\n', ""),
            Mutation("tables are shared", "self.tables = copied(tables)", "self.tables = tables"),
            Mutation("records are shared", "id: dict(record) for id, record", "id: record for id, record"),
            Mutation("what is new is not seen", "in records.keys() | other.tables[table].keys()", "in records.keys()"),
            Mutation(
                "the last who fits", '(customer["name"], customer["zip"]) == wanted', 'customer["name"] == wanted[0]'
            ),
            Mutation("one ticket an order", '[f"{id}-{team}"]', "[id]"),
        ),
    ),
    Module(
        "environments/policydesk/cases.py",
        (f"{_TESTS}desk.py", f"{_TESTS}env.py"),
        (
            Mutation("a split more", '"train" if share < 6 else', '"train" if share < 7 else'),
            Mutation("one seed for all", "[seed, int(level[1:]), task]", "[0, int(level[1:]), task]"),
        ),
    ),
)
