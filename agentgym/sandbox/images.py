"""Images made here, of a local root file system, where none can be fetched.

``debian()`` is the one that environments start from unless they are given another: Debian with Python, pytest, git and
what a person at a shell expects. It is made once, from the machine's own package sources, and found again by a label
with the digest of its recipe; the file system is kept in the user's cache, for an engine that has lost the image.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from agentgym.errors import EnvError, MissingExtraError
from agentgym.sandbox.daemon import daemon
from agentgym.sandbox.spec import USERS
from agentgym.scratch import scratch

__all__ = ["DEBIAN", "Recipe", "ensure"]

_LABEL = "agentgym.recipe"
_SECONDS = 1800


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """A Debian of these packages."""

    name: str
    suite: str
    packages: tuple[str, ...]
    edition: int = 2
    """To be raised when it is made in another way."""

    @property
    def digest(self) -> str:
        """By which its image is known."""
        return hashlib.blake2b(repr(self).encode(), digest_size=8).hexdigest()

    @property
    def tag(self) -> str:
        """The name of its image."""
        return f"agentgym-{self.name}:{self.digest}"


DEBIAN = Recipe(
    "debian",
    "bookworm",
    ("bzip2", "file", "git", "procps", "python3", "python3-pytest", "unzip", "xz-utils", "zip"),
)
"""What environments start from unless they are given an image."""


def ensure(recipe: Recipe = DEBIAN) -> str:
    """The name of the recipe's image, which is made where the engine has none; that takes minutes.

    Raises MissingExtraError, which says what to type, where it cannot be made; EnvError where making it fails.
    """
    engine = daemon()
    if not engine.has_image(recipe.tag):
        with _alone(_cache() / f"{recipe.digest}.lock"):
            if not engine.has_image(recipe.tag):
                engine.import_image(_file_system(recipe), recipe.tag, {_LABEL: recipe.digest})
    return recipe.tag


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentgym" / "images"


def _file_system(recipe: Recipe) -> Path:
    """The root file system as a tar file, out of the cache or put there."""
    file = _cache() / f"{recipe.name}-{recipe.digest}.tar"
    if not file.exists():
        _must_be_possible()
        with scratch(file.parent) as directory:
            root, part = directory / "root", directory / "tar"
            include = f"--include={','.join(recipe.packages)}"
            _run("debootstrap", "--variant=minbase", include, recipe.suite, str(root), *_mirror(recipe.suite))
            shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
            shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
            for name, line in (("passwd", "agent:x:{0}:{0}::/work:/bin/sh\n"), ("group", "agent:x:{0}:\n")):
                with (root / "etc" / name).open("a", encoding="utf-8") as listed:
                    listed.writelines(line.format(user) for user in USERS)
            _run("tar", "-C", str(root), "-cf", str(part), ".")
            part.replace(file)
    return file


def _must_be_possible() -> None:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise MissingExtraError(
            "the image for sandboxes is made with debootstrap, by root; type: apt-get install -y debootstrap "
            "(and run this once as root), or name an image that the engine has, which has python3: --env.image NAME"
        )


def _mirror(suite: str) -> list[str]:
    """Where this machine's own apt has that release from; nothing where it does not: debootstrap knows one."""
    if shutil.which("apt-get") is None:
        return []
    targets = ("indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages")
    sources = [line.split() for line in _run("apt-get", *targets).splitlines()]
    return [source[0] for source in sources if source[1:] == [suite, "main"]][:1]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise EnvError(f"{command[0]} failed with {done.returncode}: {said}")
    return done.stdout


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
