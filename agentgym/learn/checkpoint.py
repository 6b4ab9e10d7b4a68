"""Checkpoints: everything that the next update depends on, in a directory that is complete or not there.

    policy/                        weights, configuration and tokenizer, as transformers writes them
    learners/NAME/                 what a learner goes on from (``saved``): "policy", whose weights are above, and the
                                   trainer's further learners
    modules/NAME.safetensors       weights that the trainer does not train, a reference for instance (``tensors``)
    state.json                     random number generators, the trainer's state, the caller's
    manifest.json                  size and SHA-256 of each file (``sealed``)

None is ever overwritten. Tensors are safetensors, everything else is JSON. Loading checks every hash, name and shape
before it changes anything. Of several processes that learn together the first writes, and each its own part of what is
spread over them; all read, as many as there are then.
"""

from __future__ import annotations

import functools
import json
import os
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentgym import sealed
from agentgym.errors import DataError, UserError
from agentgym.learn import lead, saved, tensors
from agentgym.learn.distributed import World
from agentgym.learn.learner import Learner
from agentgym.learn.policy import Policy
from agentgym.learn.trainer import Trainer

__all__ = ["clean", "finished", "latest", "load", "prune", "read_state", "save"]


def save(
    directory: Path,
    policy: Policy,
    learner: Learner | None,
    state: Mapping[str, Any],
    *,
    trainer: Trainer[Any] | None = None,
) -> Path:
    """Write ``directory`` and return it; a name that is taken gets a ``+``, which sorts behind it.

    The parent then holds either the complete checkpoint or none of that name. ``state`` is the caller's, JSON;
    without a ``learner`` nothing learns at the moment. Raises OSError when it cannot be written, whichever process the
    disk refused; every other checkpoint is as it was. All processes call it; it is there when they go on.
    """
    with lead.telling("save", lambda: {"learns": learner is not None}):
        world, device = World.here(), policy.module.device
        while world.is_first and directory.exists():
            directory = directory.with_name(directory.name + "+")
        directory = Path(world.gathered(str(directory), device)[0])
        fill = functools.partial(_fill, policy, learner, trainer, state)
        if world.size == 1:
            return sealed.seal(directory, fill)
        filling = _Together(world, device, fill)
        if not world.is_first:
            filling(sealed.aside_of(directory))
            world.agreed(lambda: None, device)
            return directory
        return filling.sealed(directory)


class _Together:
    """A directory that several processes fill, and the first seals; where one cannot, all hear of it."""

    def __init__(self, world: World, device: torch.device, fill: Callable[[Path], None]) -> None:
        self.world, self.device, self.fill = world, device, fill
        self.is_open = True
        """Whether the others wait to hear how it went."""

    def __call__(self, aside: Path) -> None:
        self.is_open = False
        self.fill(aside)
        self.is_open = True

    def sealed(self, directory: Path) -> Path:
        """Of the first process. Raises OSError."""
        try:
            sealed.seal(directory, self)
        except OSError as error:
            refused = error
            if self.is_open:
                self.world.agreed(lambda: _raise(refused), self.device)
            raise
        self.world.agreed(lambda: None, self.device)
        return directory


def _raise(error: OSError) -> None:
    raise error


def _fill(
    policy: Policy, learner: Learner | None, trainer: Trainer[Any] | None, state: Mapping[str, Any], directory: Path
) -> None:
    world, device = World.here(), policy.module.device
    world.agreed(lambda: _begin(directory) if world.is_first else None, device)
    policy.save(directory / "policy")
    world.agreed(lambda: _write(learner, trainer, state, directory), device)


def _begin(directory: Path) -> None:
    for kind in ("learners", "modules"):
        (directory / kind).mkdir()


def _write(learner: Learner | None, trainer: Trainer[Any] | None, state: Mapping[str, Any], directory: Path) -> None:
    learners, modules = _learners(learner, trainer), trainer.modules() if trainer else {}
    for name, each in learners.items():
        each.save(_place(directory, "learners", name), weights=name != "policy")
    for name, module in modules.items():
        tensors.write_weights(_place(directory, "modules", name, ".safetensors"), module)
    if not World.here().is_first:
        return
    own = {
        "learners": list(learners),
        "modules": list(modules),
        "rng": _rng_state(),
        "trainer": trainer.state() if trainer else {},
    }
    (directory / "state.json").write_text(json.dumps({**state, "checkpoint": own}))


def _learners(learner: Learner | None, trainer: Trainer[Any] | None) -> dict[str, Learner]:
    further = trainer.learners() if trainer else {}
    if "policy" in further:
        raise ValueError("a trainer's further learner is named \"policy\", which is the policy's own; rename it")
    return {"policy": learner, **further} if learner else further


def _place(directory: Path, kind: str, name: str, suffix: str = "") -> Path:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f'"{name}" cannot name a file; name learners and modules with letters, digits, "_", "-", "."')
    return directory / kind / f"{name}{suffix}"


# -- reading -----------------------------------------------------------------------------------------


def load(directory: Path, learner: Learner | None, *, trainer: Trainer[Any] | None = None) -> dict[str, Any]:
    """Put everything but the policy's weights back; returns the state that was saved with it.

    The policy's weights are the caller's to load, from ``directory / "policy"``. Raises DataError, and then has
    changed nothing, when a file is not what was written or does not fit learners and modules as they are. All processes
    call it.
    """
    if World.here().is_first:
        sealed.check(directory)
    with lead.telling("load", lambda: {"from": str(directory.resolve()), "learns": learner is not None}):
        return _load(directory, learner, trainer)


def _load(directory: Path, learner: Learner | None, trainer: Trainer[Any] | None) -> dict[str, Any]:
    state = read_state(directory)
    own = state.pop("checkpoint")
    learners, modules = _learners(learner, trainer), trainer.modules() if trainer else {}
    _check_names(directory, "learners", own["learners"], learners)
    _check_names(directory, "modules", own["modules"], modules)
    puts = [
        saved.reader(_place(directory, "learners", name), each, weights=name != "policy")
        for name, each in learners.items()
    ]
    puts += [
        tensors.read_weights(_place(directory, "modules", name, ".safetensors"), module)
        for name, module in modules.items()
    ]
    if trainer:
        trainer.load_state(own["trainer"])
    for put in puts:
        put()
    _set_rng_state(own["rng"])
    return state


def read_state(directory: Path) -> dict[str, Any]:
    """What state.json holds."""
    return sealed.read_json(directory / "state.json")


def _check_names(directory: Path, kind: str, saved: Any, present: Mapping[str, Any]) -> None:
    if set(saved) != set(present):
        raise DataError(
            f"{directory} holds the {kind} {sorted(saved)}, the trainer has {sorted(present)}; go on with the trainer "
            "and the settings that wrote it"
        )


# -- random number generators ----------------------------------------------------------------------------


def _rng_state() -> dict[str, Any]:
    """Of every generator that a process has without asking for one."""
    name, keys, *rest = np.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": _hex(torch.get_rng_state()),
        "cuda": [_hex(state) for state in cuda],
    }


def _set_rng_state(state: Mapping[str, Any]) -> None:
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(_bytes(state["torch"]))
    for device, each in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(_bytes(each), device)


def _hex(state: torch.Tensor) -> str:
    return bytes(state.tolist()).hex()


def _bytes(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)


# -- the directory of checkpoints ------------------------------------------------------------------------


def finished(parent: Path) -> list[Path]:
    """What has its final name, oldest first."""
    return sorted(path for path in parent.glob("*") if path.is_dir() and not path.name.startswith("."))


def latest(
    parent: Path, *, note: Callable[[str], None] | None = None, check: Callable[[Path], None] = sealed.check
) -> Path | None:
    """The newest complete checkpoint under ``parent``, or None; ``note`` is told of each that is passed over.

    ``check`` raises DataError for one that is not. Raises UserError when there is none, but one of another layout.
    """
    of_other_layout: UserError | None = None
    for path in reversed(finished(parent)):
        try:
            check(path)
        except UserError as error:
            if not isinstance(error, DataError):
                of_other_layout = error
            if note:
                note(f"checkpoint {path.name} is corrupt, the one before it is tried: {error}")
        else:
            return path
    if of_other_layout:
        raise of_other_layout
    return None


def clean(parent: Path, used: Path | None, *, corrupt: Path) -> list[Path]:
    """Before going on from ``used`` (None: from the beginning): no newer ones, nothing half-written.

    Half-written ones are deleted. Those newer than ``used`` are corrupt, or they would be used: they are moved to the
    directory ``corrupt``; where to is returned.
    """
    moved = []
    for path in sorted(parent.glob("*")):
        if path.name.startswith("."):
            _delete_half_written(path)
        elif path.is_dir() and (used is None or path.name > used.name):
            target = corrupt / path.name
            while target.exists():
                target = target.with_name(target.name + "+")
            corrupt.mkdir(exist_ok=True)
            os.rename(path, target)
            moved.append(target)
    return moved


def _delete_half_written(path: Path) -> None:
    if path.name.endswith(".partial"):
        sealed.remove(path)


def prune(parent: Path, *, keep: int) -> None:
    """Delete all but the newest ``keep`` checkpoints."""
    for path in finished(parent)[:-keep]:
        sealed.discard(path)
