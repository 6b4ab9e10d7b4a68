"""Reading a folder with the original's three files.

``items_shuffle*.json`` holds the products, ``items_ins_v2*.json`` their attributes and synthetic instructions,
``items_human_ins.json`` the instructions that people wrote. Files are read once per process, and again when
they have changed. What does not fit is refused as a whole, with file and record named; only the products that
the original skips are skipped: those named "nan" or with an id of more than ten characters, and repetitions.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

from agentgym.environments.webshop.goals import Instruction
from agentgym.environments.webshop.products import Product, product_from_record
from agentgym.environments.webshop.records import Record, read_json
from agentgym.environments.webshop.search import BM25Ranker
from agentgym.errors import DataError

__all__ = ["Catalogue", "Instructions", "read_catalogue"]

MAX_ASIN_LENGTH = 10
NO_ATTRIBUTES = ("DUMMY_ATTR",)

Instructions: TypeAlias = Literal["human", "synthetic", "none"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Catalogue:
    """Products by id, in file order, and what people or the files ask for, by product id."""

    products: dict[str, Product]
    human: dict[str, list[Instruction]] = dataclasses.field(default_factory=dict)
    synthetic: dict[str, Instruction] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def ranker(self) -> BM25Ranker:
        """The search engine over these products."""
        return BM25Ranker(list(self.products.values()))


def read_catalogue(folder: Path, instructions: Instructions, num_products: int | None = None) -> Catalogue:
    """The catalogue in ``folder``, only its first ``num_products`` records if given. Raises DataError."""
    patterns = ["items_shuffle*.json", "items_ins_v2*.json"]
    files = [_find(folder, pattern) for pattern in patterns]
    files += [_find(folder, "items_human_ins.json")] if instructions == "human" else []
    stamps = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _read(stamps, instructions, num_products)


@functools.lru_cache(maxsize=2)
def _read(stamps: tuple[tuple[Path, int, int], ...], instructions: Instructions, num_products: int | None) -> Catalogue:
    items, details, *rest = (file for file, *_ in stamps)
    attributes: dict[str, Any] = read_json(details, dict)
    products = {
        record.text("asin"): product_from_record(record, _attributes(details, attributes, record.text("asin")))
        for record in _records(items, num_products)
    }
    if not products:
        raise DataError(
            f"{items}: found no product that counts; expected records with an asin of at most ten characters"
        )
    return Catalogue(
        products=products,
        human=_human(rest[0], products) if rest else {},
        synthetic=_synthetic(details, attributes, products) if instructions == "synthetic" else {},
    )


def _find(folder: Path, pattern: str) -> Path:
    """The file of that pattern; where there are several, the one with the shortest name, which is the whole."""
    files = sorted(folder.glob(pattern), key=lambda file: (len(file.name), file.name))
    if not files:
        raise DataError(
            f"{folder}: found no {pattern}; expected a folder with WebShop's files, or leave out the catalogue"
        )
    return files[0]


def _records(file: Path, num_products: int | None) -> Iterator[Record]:
    """The records that count as products."""
    seen = {"nan"}
    for i, fields in enumerate(read_json(file, list)[:num_products]):
        record = Record(file, f"record {i}", fields)
        asin = record.text("asin")
        if asin not in seen and len(asin) <= MAX_ASIN_LENGTH:
            seen.add(asin)
            yield Record(file, f'record {i} (asin "{asin}")', fields)


def _attributes(file: Path, attributes: dict[str, Any], asin: str) -> tuple[str, ...]:
    if asin not in attributes:
        return NO_ATTRIBUTES
    record = Record(file, f'"{asin}"', attributes[asin])
    return record.texts("attributes") if record.get("attributes") is not None else NO_ATTRIBUTES


def _human(file: Path, products: dict[str, Product]) -> dict[str, list[Instruction]]:
    written = read_json(file, dict)
    found = {}
    for asin in (asin for asin in products if asin in written):
        if not isinstance(written[asin], list):
            raise Record(file, "the file", written).error(asin, written[asin], "a list of instructions")
        records = (Record(file, f'"{asin}", instruction {i}', fields) for i, fields in enumerate(written[asin]))
        found[asin] = [
            Instruction(r.text("instruction"), r.texts("instruction_attributes"), r.texts("instruction_options"))
            for r in records
        ]
    return found


def _synthetic(file: Path, attributes: dict[str, Any], products: dict[str, Product]) -> dict[str, Instruction]:
    found = {}
    for asin in products:
        record = Record(file, f'"{asin}"', attributes.get(asin))
        if record.get("instruction") is not None:
            wanted = record.texts("instruction_attributes")
            if not wanted:
                raise record.error("instruction_attributes", [], "at least one attribute beside an instruction")
            found[asin] = Instruction(record.text("instruction"), wanted)
    return found
