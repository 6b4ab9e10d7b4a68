"""What a learner leaves on disk and goes on from: a directory of its weights, its optimizer and how far it is.

    weights.safetensors      the module's, by name
    optimizer.safetensors    the optimizer's state, by the parameter's name and the field's: "NAME/exp_avg"; where what
                             is stepped is not the parameter itself but its master, that too: "NAME/master"
    learner.json             optimizer steps

Where the weights are spread over processes the tensors are in directories, to which each writes its part (``tensors``).
Step sizes and the like are not kept: they come from the settings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from agentgym import sealed
from agentgym.errors import DataError
from agentgym.learn import tensors
from agentgym.learn.distributed import World
from agentgym.learn.masters import Masters
from agentgym.weights import part

__all__ = ["reader", "write"]

_WEIGHTS, _OPTIMIZER, _STEPS = "weights.safetensors", "optimizer.safetensors", "learner.json"
_MASTER = "master"


class _Learner(Protocol):
    """What is looked at."""

    module: Any
    masters: Masters
    optimizer: torch.optim.Optimizer
    num_updates: int


def write(directory: Path, learner: _Learner, *, weights: bool) -> None:
    """Write ``directory``; without ``weights`` they are kept elsewhere. All processes call it."""
    directory.mkdir(exist_ok=True)
    if weights:
        tensors.write_weights(directory / _WEIGHTS, learner.module)
    tensors.write(directory / _OPTIMIZER, _optimizer_state(learner))
    if World.here().is_first:
        (directory / _STEPS).write_text(json.dumps({"num_updates": learner.num_updates}))


def reader(directory: Path, learner: _Learner, *, weights: bool) -> Callable[[], None]:
    """Checks that what ``directory`` has fits ``learner``; what is returned puts it there. Raises DataError."""
    put_weights = tensors.read_weights(directory / _WEIGHTS, learner.module) if weights else None
    state = _read_optimizer(directory / _OPTIMIZER, learner)
    masters = _taken_masters(directory / _OPTIMIZER, learner, state)
    num_updates = _num_updates(directory / _STEPS)

    def put() -> None:
        if put_weights:
            put_weights()
        with torch.no_grad():
            for master, found in masters:
                part(master).copy_(part(found))
        learner.optimizer.load_state_dict({**learner.optimizer.state_dict(), "state": state})
        learner.num_updates = num_updates

    return put


def _num_updates(file: Path) -> int:
    found: Any = sealed.read_json(file)
    if not isinstance(found.get("num_updates"), int):
        raise DataError(f'{file} does not say "num_updates"; go back to an older checkpoint')
    return int(found["num_updates"])


def _read_optimizer(file: Path, learner: _Learner) -> dict[int, dict[str, torch.Tensor]]:
    """Optimizer state by the parameter's place in the optimizer."""
    parameters = _parameters(learner)
    places = {key: place for place, key in enumerate(parameters)}
    state: dict[int, dict[str, torch.Tensor]] = {}
    stored = tensors.Stored(file)
    for key in stored.names:
        parameter, _, field = key.rpartition("/")
        if parameter not in places:
            raise DataError(f'{file} has "{key}", but the model has no trained parameter "{parameter}"')
        wanted = parameters[parameter] if stored.shape(key) else None
        if wanted is not None:
            stored.check(key, wanted)
        state.setdefault(places[parameter], {})[field] = stored.read(key, wanted)
    return state


def _taken_masters(
    file: Path, learner: _Learner, state: dict[int, dict[str, torch.Tensor]]
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Each master and what it is to hold, which is taken out of ``state``."""
    with_master, taken = {id(master) for _, master in learner.masters.rounded}, []
    for place, (name, stepped) in enumerate(_parameters(learner).items()):
        found = state.get(place, {}).pop(_MASTER, None)
        if (found is not None) != (id(stepped) in with_master):
            has = "no" if found is None else "a"
            raise DataError(
                f'{file} has {has} "{name}/{_MASTER}", which goes with weights of two bytes; go on with the '
                "--model.dtype that wrote it"
            )
        if found is not None:
            taken.append((stepped, found))
        if place in state and not state[place]:
            del state[place]  # no step was taken yet
    return taken


def _optimizer_state(learner: _Learner) -> Mapping[str, torch.Tensor]:
    state, names = learner.optimizer.state, _parameters(learner)
    with_master = {id(master) for _, master in learner.masters.rounded}
    kept = {f"{name}/{_MASTER}": stepped.detach() for name, stepped in names.items() if id(stepped) in with_master}
    return kept | {
        f"{name}/{field}": value
        for name, parameter in names.items()
        for field, value in state.get(parameter, {}).items()
    }


def _parameters(learner: _Learner) -> dict[str, torch.Tensor]:
    """What the optimizer steps, by the names of the parameters in the module, in the optimizer's order."""
    of = {id(parameter): name for name, parameter in learner.module.named_parameters()}
    names = {id(stepped): of[id(parameter)] for parameter, stepped in learner.masters.pairs}
    return {names[id(p)]: p for group in learner.optimizer.param_groups for p in group["params"]}
