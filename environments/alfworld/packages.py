"""What the optional extra brings, imported on use, and the one lock around it.

Two things in these packages belong to the whole process. The parsers of TextWorld, which read every grammar and every
query of a text, are one per module and lose their place when two threads parse. Fast-downward's translator puts a
stand-in for ``sys.stdout`` and leaves ``sys.argv`` changed: of two at once, one can put back the other's stand-in, and
the process is silent from then on. So whatever reads, translates or renders does it under ``LOCK``.

Importing ``alfworld`` sets ``ALFWORLD_DATA`` to a folder of its own where nothing has set it; that is taken back here,
for it would look as if somebody had asked for the official games.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from agentgym.errors import UserError
from agentgym.extras import require

__all__ = ["DATA_VARIABLE", "LOCK", "alfworld", "downward", "package_folder", "translating"]

DATA_VARIABLE = "ALFWORLD_DATA"
LOCK = threading.RLock()


def alfworld(module: str = "") -> Any:
    """A module of the package ``alfworld``, or the package. Raises MissingExtraError."""
    with LOCK:
        given = os.environ.get(DATA_VARIABLE)
        try:
            return require(f"alfworld.{module}".rstrip("."), extra="alfworld")
        except OSError as error:
            raise UserError(
                f"alfworld cannot make its data folder ({error}); name one: export {DATA_VARIABLE}=DIR"
            ) from error
        finally:
            if given is None:
                os.environ.pop(DATA_VARIABLE, None)


def downward(module: str = "fast_downward") -> Any:
    """The planner, or a module of TextWorld. Raises MissingExtraError."""
    return require(module, extra="alfworld")


def package_folder() -> Path:
    """Where the package ``alfworld`` lies. Raises MissingExtraError."""
    package: ModuleType = alfworld()
    return Path(package.__path__[0])


@contextmanager
def translating() -> Iterator[None]:
    """Around anything that translates or plans: the lock is held, and stdout and argv are the same afterwards."""
    with LOCK:
        stdout, argv = sys.stdout, sys.argv
        try:
            yield
        finally:
            sys.stdout, sys.argv = stdout, argv
