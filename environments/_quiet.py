"""Packages that print: what they say on the standard output would stand between the lines of ours.

Capturing the standard output would capture that of every other thread as well. So each module of such a package is
given a ``print`` of its own, which says nothing unless it is told where.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any

__all__ = ["hush"]


def hush(package: str) -> None:
    """Have the modules of ``package`` that are imported so far print nothing; call it again after more of them."""
    for name, module in list(sys.modules.items()):
        if module is not None and (name == package or name.startswith(package + ".")):
            module.print = _print  # type: ignore[attr-defined]


def _print(*told: Any, file: Any = None, **how: Any) -> None:
    if file is not None:
        builtins.print(*told, file=file, **how)
