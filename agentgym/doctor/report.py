"""Findings for people and for machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

__all__ = ["Finding", "as_json", "findings_table"]

_STYLES = {"pass": "green", "info": "cyan", "FAIL": "bold red"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check."""

    name: str
    status: Literal["pass", "info", "FAIL"]
    """"info" where there is something to know, but nothing that breaks the contract."""
    detail: str
    """What was seen, or what is wrong."""
    seconds: float = 0.0
    """How long the check took."""

    @property
    def passed(self) -> bool:
        """Whether the contract is kept."""
        return self.status != "FAIL"


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row a check."""
    table = Table("", "check", "s", "what was seen", box=None, pad_edge=False)
    for finding in findings:
        status = Text(finding.status, _STYLES[finding.status])
        name, detail = finding.name.replace("_", " "), Text(finding.detail)
        table.add_row(status, Text(name), Text(f"{finding.seconds:.1f}", justify="right"), detail)
    return table


def as_json(id: str, options: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    """``{"env": ..., "options": ..., "passed": ..., "findings": [{"name", "status", "detail", "seconds"}, ...]}``."""
    passed = all(finding.passed for finding in findings)
    shown = [dataclasses.asdict(finding) for finding in findings]
    return json.dumps({"env": id, "options": dict(options), "passed": passed, "findings": shown}, indent=2)
