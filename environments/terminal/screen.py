"""What a command looks like to whoever typed it."""

from __future__ import annotations

from agentgym.sandbox import Result

__all__ = ["shown"]


def shown(result: Result, timeout: float) -> str:
    """Its output and errors as text, and how it ended where that was not well."""
    told = [result.text.rstrip("\n")]
    if result.timed_out:
        told.append(f"(killed after {timeout:g} seconds)")
    elif result.exit_code != 0:
        told.append(f"(exit code {result.exit_code})")
    return "\n".join(filter(None, told)) or "(no output)"
