"""The package ``textworld``, brought in when it is first needed and made safe in threads.

It keeps its parsers (TatSu) in modules and classes, one for all threads, and they hold state while they parse: two
threads that parse at once break both. Here those that its own games use get a lock.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from agentgym.extras import require

__all__ = ["be_quiet", "check_installed", "textworld"]

_LOCK = threading.RLock()
_MODULES: dict[str, ModuleType] = {}


def check_installed() -> None:
    """Raises MissingExtraError where the package is not installed; does not import it, which takes a second."""
    if importlib.util.find_spec("textworld") is None:
        require("textworld", extra="textworld")


def textworld(name: str = "textworld") -> Any:
    """The package, or one of its modules by full name. Raises MissingExtraError where it is not installed."""
    with _LOCK:
        if name not in _MODULES:
            module = require(name, extra="textworld")
            if not _MODULES:
                _lock_parser(require("textworld.logic", extra="textworld")._PARSER)
                _lock_parser(require("textworld.textgen", extra="textworld").TextGrammar._PARSER)
            _MODULES[name] = module
        return _MODULES[name]


def be_quiet() -> None:
    """No warning for games that the interpreter does not know by name, which is every game made here.

    To be said again and again: a ``catch_warnings`` around the first import undoes what TextWorld said itself.
    """
    warnings.simplefilter("ignore", require("jericho", extra="textworld").UnsupportedGameWarning)


def _lock_parser(parser: Any) -> None:
    parse: Callable[..., Any] = parser.parse

    def parse_alone(*arguments: Any, **keywords: Any) -> Any:
        with _LOCK:
            return parse(*arguments, **keywords)

    parser.parse = parse_alone
