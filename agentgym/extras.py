"""Packages that only some plug-ins need: imported when they are used, and asked for by name when they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from agentgym.errors import MissingExtraError

__all__ = ["require"]


def require(module: str, *, extra: str, install: str | None = None) -> ModuleType:
    """The module of that name. Raises MissingExtraError, which says what to type, when it cannot be imported.

    ``install`` replaces the command that installs the extra, for packages that need another one.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = (error.name or module).partition(".")[0]
        command = install or f"pip install 'agentgym-lab[{extra}]'"
        raise MissingExtraError(f"this needs {missing}, which is not installed; type: {command}") from error
