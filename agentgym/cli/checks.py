"""What ``agentgym doctor`` checks beside environments: a run, a model, the machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agentgym.commands import write_json
from agentgym.errors import ConfigError
from agentgym.progress import wide_console

__all__ = ["check", "is_otherwise"]


def is_otherwise(word: str | None, *, machine: bool) -> bool:
    """Whether something else than the environment ``word`` is to be checked. Raises ConfigError for a lone setting."""
    if word is not None and word.startswith("--"):
        raise ConfigError(f"{word} has no effect without an environment; type: agentgym doctor ENV {word}")
    if word is None or machine:
        return True
    if not Path(word).is_dir():
        return False
    from agentgym.launch.examining import is_run

    return is_run(word)


def check(
    run: str | None, model: str | None, *, machine: bool, flags: Mapping[str, Any], quick: bool, json_file: Path | None
) -> None:
    """Check the run, or else the machine, or else the model; exits with 1 where something is wrong.

    Raises ConfigError for what has no effect with that, UsageError where there is nothing to check.
    """
    from rich.console import Console

    from agentgym.doctor import Finding, findings_table, machine_findings, told_json

    named = {"RUN": run, "--model": model, "--machine": machine or None}
    chosen = [name for name, value in named.items() if value is not None]
    if len(chosen) != 1:
        raise click.UsageError(
            f"{' and '.join(chosen)} are checked one at a time"
            if chosen
            else "nothing to check; type: agentgym doctor ENV, doctor RUN, doctor --model M, or doctor --machine"
        )
    if idle := [*flags, *(["quick"] if quick else [])]:
        raise ConfigError(f"--{idle[0]} has no effect with {chosen[0]}, it is of an environment's check; leave it out")
    findings: list[Finding]
    with Console(stderr=True).status("") as status:
        if machine:
            findings = machine_findings(on_check=lambda name: status.update(name.replace("_", " ")))
            subject: dict[str, Any] = {"machine": sys.executable}
        else:
            from agentgym.launch.examining import model_findings, run_findings

            findings = model_findings(str(model)) if run is None else run_findings(Path(run))
            subject = {"model": model} if run is None else {"run": run}
    if json_file is not None:
        write_json(json_file, told_json(subject, findings))
    wide_console().print(findings_table(findings))
    if not all(finding.passed for finding in findings):
        sys.exit(1)
