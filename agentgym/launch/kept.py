"""The best policies of a run: a directory each under ``policies``, and ``policy``, a link to the best.

The link changes in one step, so at any moment ``policy`` is the old one or the new one, complete; where the file system
has no links it is a copy, and for the moment of a change there may be none. A directory goes when neither the run as it
stands nor any kept checkpoint needs it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from agentgym import sealed
from agentgym.errors import DataError
from agentgym.learn import checkpoint
from agentgym.learn.policy import Policy
from agentgym.run import Run

__all__ = ["Kept"]

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""What a file system without links says."""


class Kept:
    """Keeps policies of ``run``. ``name`` is that of the best one, None before the first."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.name: str | None = None

    def keep(self, policy: Policy, update: int) -> None:
        """``policy``, that of ``update``, is the best. Raises OSError, and then the best is as it was."""
        name = f"{update:06d}"
        directory = self.run.policies / name
        if directory.exists():
            sealed.discard(directory)
        sealed.seal(directory, policy.save)
        self._point_to(name)
        self.discard_unused()

    def restore(self, policy: Policy) -> None:
        """Give ``policy`` the weights of the best one. Raises DataError when it is not what was written."""
        sealed.check(self.run.policies / str(self.name))
        policy.restore(self.run.policies / str(self.name))

    def go_back(self, name: str | None, note: Callable[[str], None]) -> bool:
        """Stand where ``name`` was the best. False where it is corrupt: then there is none, which ``note`` is told."""
        self._point_to(name)
        if name is None:
            return True
        try:
            sealed.check(self.run.policies / name)
        except DataError as error:
            moved = _move(self.run.policies / name, self.run.corrupt / f"policy-{name}")
            self._point_to(None)
            note(f"the best policy so far, of update {int(name)}, is lost: {error}; what is left of it is in {moved}")
            return False
        return True

    def discard_unused(self) -> None:
        """Delete the directories that nothing needs, and what is half-written.

        Where a checkpoint does not say what it needs, none is deleted.
        """
        try:
            states = [checkpoint.read_state(path) for path in checkpoint.finished(self.run.checkpoints)]
        except DataError:  # a damaged one that is older than the newest: it may be put right
            return
        needed = {self.name, *(str(state.get("kept")) for state in states)}
        for path in self.run.policies.glob("*"):
            if path.name not in needed:
                sealed.discard(path)

    def _point_to(self, name: str | None) -> None:
        link, aside = self.run.policy, self.run.directory / ".policy.partial"
        sealed.remove(aside)
        if name is None:
            sealed.remove(link)
        else:
            self._point(aside, name)
            if link.is_dir() and not link.is_symlink():
                shutil.rmtree(link)  # a copy, which nothing can exchange in one step
            os.replace(aside, link)
        self.name = name

    def _point(self, place: Path, name: str) -> None:
        """A link at ``place``, or where the file system has none (exFAT, some shares) a copy."""
        try:
            place.symlink_to(Path(self.run.policies.name) / name)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copytree(self.run.policies / name, place)


def _move(directory: Path, target: Path) -> Path:
    target.parent.mkdir(exist_ok=True)
    while target.exists():
        target = target.with_name(target.name + "+")
    if directory.exists():
        os.rename(directory, target)
    return target
