"""Checkpoints that are either complete or not there.

A checkpoint is written aside, every file is flushed to disk and hashed, the manifest comes last, and one rename
puts the directory in its place. None is ever overwritten. Reading verifies the hashes before anything is loaded and
falls back to the newest complete one. Tensors are safetensors, everything else is JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from agentgym.learn.learner import Learner
from agentgym.learn.policy import Policy

__all__ = ["latest", "load", "save"]

_MANIFEST = "manifest.json"


def save(directory: Path, policy: Policy, learner: Learner, state: Mapping[str, Any]) -> Path:
    """Write ``directory`` and return it; a name that is taken gets a ``+``, which sorts behind it.

    The parent then holds either the complete checkpoint or none of that name.
    """
    while directory.exists():
        directory = directory.with_name(directory.name + "+")
    aside = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    policy.save(aside / "policy")
    tensors, groups = _flat_optimizer(learner.optimizer)
    save_file(tensors, aside / "optimizer.safetensors")
    own = {"num_updates": learner.num_updates, "groups": groups, "torch_rng": torch.get_rng_state().tolist()}
    (aside / "state.json").write_text(json.dumps({"learner": own, **state}))
    hashes = {str(file.relative_to(aside)): _synced_hash(file) for file in sorted(aside.rglob("*")) if file.is_file()}
    (aside / _MANIFEST).write_text(json.dumps(hashes, indent=1))
    _synced_hash(aside / _MANIFEST)
    _sync_directory(aside)
    os.rename(aside, directory)
    _sync_directory(directory.parent)
    return directory


def latest(parent: Path) -> Path | None:
    """The newest complete checkpoint under ``parent``, or None."""
    return next((path for path in reversed(_finished(parent)) if _is_complete(path)), None)


def discard_after(parent: Path, kept: Path | None) -> None:
    """Delete every checkpoint newer than ``kept`` (None: all of them) and what was left half-written."""
    for path in parent.glob("*"):
        if path.is_dir() and (path.name.startswith(".") or kept is None or path.name > kept.name):
            shutil.rmtree(path)


def _finished(parent: Path) -> list[Path]:
    """What has its final name, oldest first."""
    return sorted(path for path in parent.glob("*") if path.is_dir() and not path.name.startswith("."))


def _is_complete(directory: Path) -> bool:
    """Whether every file is there with the hash that the manifest says."""
    try:
        hashes = json.loads((directory / _MANIFEST).read_text())
        return all(_hash(directory / name) == expected for name, expected in hashes.items())
    except (OSError, ValueError):
        return False


def load(directory: Path, learner: Learner) -> dict[str, Any]:
    """Put the optimizer and RNG of a complete checkpoint back; returns the state that was saved with it.

    The policy's weights are the caller's to load, from ``directory / "policy"``.
    """
    state: dict[str, Any] = json.loads((directory / "state.json").read_text())
    own = state.pop("learner")
    _fill_optimizer(learner.optimizer, load_file(directory / "optimizer.safetensors"), own["groups"])
    learner.num_updates = own["num_updates"]
    torch.set_rng_state(torch.tensor(own["torch_rng"], dtype=torch.uint8))
    return state


def prune(parent: Path, *, keep: int) -> None:
    """Delete all but the newest ``keep`` checkpoints."""
    for path in _finished(parent)[:-keep]:
        shutil.rmtree(path)


def _flat_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    packed = optimizer.state_dict()
    tensors = {f"{index}.{name}": value for index, entry in packed["state"].items() for name, value in entry.items()}
    return tensors, packed["param_groups"]


def _fill_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], groups: list[dict[str, Any]]
) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _synced_hash(file: Path) -> str:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
    return _hash(file)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
