"""Findings for people and for machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

__all__ = ["Finding", "as_json", "findings_table", "told_json"]

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
    cure: str = ""
    """What to type, where there is something to mend."""

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
        if finding.cure:
            detail.append(f"\ntype: {finding.cure}", "bold")
        table.add_row(status, Text(name), Text(f"{finding.seconds:.1f}", justify="right"), detail)
    return table


def as_json(id: str, options: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    """``{"env": ..., "options": ..., "passed": ..., "findings": [{"name", "status", "detail", "seconds"}, ...]}``."""
    return told_json({"env": id, "options": dict(options)}, findings)


def told_json(subject: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    """``subject`` and whether it passed, with the findings; a finding has its "cure" where there is one."""
    passed = all(finding.passed for finding in findings)
    fields = [dataclasses.asdict(finding) for finding in findings]
    shown = [{key: value for key, value in each.items() if key != "cure" or value} for each in fields]
    return json.dumps({**subject, "passed": passed, "findings": shown}, indent=2)
