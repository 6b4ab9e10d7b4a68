"""Packages that only some plug-ins need: imported when they are used, and asked for by name when they are missing."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from agentgym.errors import MissingExtraError

__all__ = ["installed", "require"]


def require(module: str, *, extra: str, install: str | None = None) -> ModuleType:
    """The module of that name. Raises MissingExtraError, which says what to type, when it cannot be imported.

    ``install`` replaces the command that installs the extra, for packages that need another one.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise _missing((error.name or module).partition(".")[0], extra, install) from error


def installed(module: str, *, extra: str, install: str | None = None) -> None:
    """Raises the same error where there is no such module, which is not imported: that may take seconds."""
    if importlib.util.find_spec(module) is None:
        raise _missing(module, extra, install)


def _missing(module: str, extra: str, install: str | None) -> MissingExtraError:
    command = install or f"pip install 'agentgym-lab[{extra}]'"
    return MissingExtraError(f"this needs {module}, which is not installed; type: {command}")
