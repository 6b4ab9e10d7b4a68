"""The desk's database: customers, products, orders and tickets, and the changes that can be made to them.

Nothing here knows the policy: a change is made when its ids exist, allowed or not.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

from agentgym.tools import ToolError

__all__ = ["Desk", "Tables", "Write", "copied"]

Tables: TypeAlias = dict[str, dict[str, dict[str, Any]]]
"""Table → id → record, plain JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """One change: a tool and its arguments."""

    name: str
    arguments: dict[str, Any]


def copied(tables: Tables) -> Tables:
    """The same tables anew; records are flat."""
    return {table: {id: dict(record) for id, record in records.items()} for table, records in tables.items()}


class Desk:
    """The tables. Lookups raise ToolError for ids that do not exist."""

    def __init__(self, tables: Tables) -> None:
        self.tables = copied(tables)

    def find_customer(self, name: str, zip: str) -> str | None:
        """Id of the customer of that name and zip code."""
        wanted = (" ".join(name.lower().split()), zip.strip())
        for id, customer in self.tables["customers"].items():
            if (customer["name"], customer["zip"]) == wanted:
                return id
        return None

    def record(self, table: str, id: str) -> dict[str, Any]:
        """One record of a table."""
        found = self.tables[table].get(id.strip().lower())
        if found is None:
            raise ToolError(f"There is no {table[:-1]} {id[:20]}.")
        return found

    def apply(self, write: Write) -> None:
        """Make a change."""
        getattr(self, f"_{write.name}")(**write.arguments)

    def _cancel_order(self, order: str) -> None:
        record = self.record("orders", order)
        record.update(status="cancelled", refund=record["price"])

    def _change_zip(self, order: str, zip: str) -> None:
        self.record("orders", order)["zip"] = zip

    def _return_order(self, order: str, refund: int) -> None:
        self.record("orders", order).update(status="returned", refund=refund)

    def _exchange_order(self, order: str, product: str) -> None:
        new = self.record("products", product)
        self.record("orders", order).update(status="exchanged", product=new["id"])
        new["stock"] -= 1

    def _give_voucher(self, order: str, amount: int) -> None:
        self.record("orders", order)["voucher"] = amount

    def _open_ticket(self, order: str, team: str) -> None:
        id = self.record("orders", order)["id"]
        self.tables["tickets"][f"{id}-{team}"] = {"order": id, "team": team}

    def changes(self, other: Desk) -> set[tuple[str, str]]:
        """(table, id) of the records that are different in ``other``."""
        return {
            (table, id)
            for table, records in self.tables.items()
            for id in records.keys() | other.tables[table].keys()
            if records.get(id) != other.tables[table].get(id)
        }
