"""Whether this machine is fit: Python and its packages, containers, a browser, room on disks and in memory.

Everything is looked at from outside, in processes of its own where it has to be imported: what is broken there breaks
nothing here.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from agentgym.browser.chromium import VARIABLE, executable
from agentgym.doctor.cures import Ill, Note, examined
from agentgym.doctor.engines import containers_run
from agentgym.doctor.packages import Packages, extras, packages_fit, side_packages, torch_works, vllm_fits
from agentgym.doctor.report import Finding
from agentgym.errors import AgentGymError

__all__ = ["Machine", "machine_findings"]

_GIB = 2**30
_LEAST_DISK, _LITTLE_DISK = 1 * _GIB, 10 * _GIB
_LEAST_MEMORY, _LITTLE_MEMORY = 1 * _GIB, 4 * _GIB
_LITTLE_SHARED = 256 * 2**20
_LITTLE_FILES = 1024
_OLDEST_PYTHON = (3, 11)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where is looked; by default here."""

    python: str = sys.executable
    environ: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(os.environ))
    places: tuple[Path, ...] = dataclasses.field(default_factory=lambda: (Path.cwd(), Path(tempfile.gettempdir())))
    """Directories that are written to: runs, and temporary files."""
    memory: Path = Path("/proc/meminfo")
    limits: Path = Path("/sys/fs/cgroup")
    shared: Path = Path("/dev/shm")
    has_gpu: bool = dataclasses.field(default_factory=lambda: Path("/dev/nvidiactl").exists())


def machine_findings(
    machine: Machine | None = None, *, on_check: Callable[[str], None] = lambda name: None
) -> list[Finding]:
    """Look at everything; ``on_check`` is told the name of each check before it."""
    machine = machine or Machine()
    found: list[Finding] = []

    def look(name: str, check: Callable[[], str]) -> None:
        on_check(name)
        found.append(examined(name, check))

    on_check("packages")
    try:
        packages = Packages.of(machine.python, machine.environ)
    except Ill as ill:
        found.append(Finding(name="python", status="FAIL", detail=str(ill), cure=ill.cure))
    else:
        look("python", lambda: _python(packages))
        look("packages", lambda: packages_fit(packages))
        look("torch", lambda: torch_works(packages, has_gpu=machine.has_gpu))
        look("beside_torch", lambda: side_packages(packages))
        look("vllm", lambda: vllm_fits(packages, has_gpu=machine.has_gpu))
        found += _extras(packages)
    look("containers", lambda: containers_run(machine.environ))
    look("chromium", lambda: _chromium(machine))
    for place in dict.fromkeys(machine.places):
        look(f"disk at {place}", lambda place=place: _disk(place))  # type: ignore[misc]
    look("memory", lambda: _memory(machine))
    look("shared_memory", lambda: _shared(machine.shared))
    look("open_files", _files)
    return found


def _python(packages: Packages) -> str:
    version = ".".join(map(str, packages.python))
    if packages.python[:2] < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        raise Ill(
            f"Python {version}, and {oldest} or newer is needed",
            f"uv venv --python {oldest}   (or pyenv install {oldest})",
        )
    return f"Python {version}"


def _extras(packages: Packages) -> list[Finding]:
    """A finding for each extra that is not whole, and one for all that are."""
    whole, found = [], []
    for extra, missing in extras(packages):
        if not missing:
            whole.append(extra)
        elif extra != "test":
            detail = f"the extra {extra} is not installed: {', '.join(missing)}"
            cure = f"pip install 'agentgym-lab[{extra}]'"
            found.append(Finding(name=f"extra_{extra}", status="info", detail=detail, cure=cure))
    return [Finding(name="extras", status="pass", detail=f"whole: {', '.join(whole) or 'none'}"), *found]


def _chromium(machine: Machine) -> str:
    named = machine.environ.get(VARIABLE)
    try:
        program = executable(machine.environ)
    except AgentGymError as error:
        cure = f"unset {VARIABLE}" if named else "sudo apt-get install -y chromium"
        if named:
            raise Ill(str(error), cure) from None
        return Note("there is no Chromium, which browser tasks need", cure)
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, env=dict(machine.environ)
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Ill(f"{program} does not run: {error}", "sudo apt-get install -y --reinstall chromium") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Ill(
            f"{program} ends with {done.returncode}: {said[-1] if said else 'it says nothing'}",
            "sudo apt-get install -y --reinstall chromium",
        )
    return f"{done.stdout.strip()} ({program})"


def _disk(place: Path) -> str:
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise Ill(
            f"{place} cannot be used: {error.strerror}", "export TMPDIR=…   (and train with --output …)"
        ) from None
    told = f"{free / _GIB:.1f} GiB are free"
    files = os.statvfs(place)
    if files.f_files and not files.f_favail:
        raise Ill(f"{told}, but no file can be made: it is out of inodes", f"du --inodes -d 2 {place} | sort -n | tail")
    cure = f"du -xh -d 2 {place} | sort -h | tail   (then delete; or train elsewhere with --output, and set TMPDIR)"
    if free < _LEAST_DISK:
        raise Ill(f"{told}: a checkpoint may not fit", cure)
    return Note(f"{told}: little for models and checkpoints", cure) if free < _LITTLE_DISK else told


def _memory(machine: Machine) -> str:
    """What is free of the machine's memory, or of what a control group leaves of it."""
    lines = (line.split() for line in machine.memory.read_text().splitlines())
    free = next((int(line[1]) * 1024 for line in lines if line and line[0] == "MemAvailable:"), 0)
    where = "of the machine"
    limit, used = (_number(machine.limits / name) for name in ("memory.max", "memory.current"))
    if limit is not None and used is not None and limit - used < free:
        free, where = max(0, limit - used), f"of the {limit / _GIB:.1f} GiB that this container may use"
    told = f"{free / _GIB:.1f} GiB are free {where}"
    cure = "ps -eo rss,pid,comm --sort=-rss | head   (end what is not needed, or play fewer: --rollout.concurrency 8)"
    if free < _LEAST_MEMORY:
        raise Ill(f"{told}: a model hardly fits", cure)
    return Note(f"{told}: enough for nano, little for a pretrained model", cure) if free < _LITTLE_MEMORY else told


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _shared(place: Path) -> str:
    if not place.is_dir():
        return Note(f"there is no {place}", "mount -t tmpfs -o size=2g tmpfs /dev/shm")
    size = shutil.disk_usage(place).total
    told = f"{size / 2**20:.0f} MiB at {place}"
    if size < _LITTLE_SHARED:
        return Note(
            f"{told}: little for a browser or for vLLM",
            "docker run --shm-size=2g …   (or mount -o remount,size=2g /dev/shm)",
        )
    return told


def _files() -> str:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= limit < _LITTLE_FILES:
        return Note(f"{limit} files may be open at once: little for many episodes", "ulimit -n 8192")
    return f"{limit} may be open at once"
