"""Where a run stood when a checkpoint was made: what of state.json is the run's own, checked before it is believed.

A manifest is no signature, so that what it seals may still be anything: a name in it is a name and no path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, ValidationError

from agentgym import sealed
from agentgym.errors import DataError
from agentgym.learn import checkpoint

__all__ = ["Standing", "check", "standing_of"]


class _Saved(BaseModel):
    """What the checkpoint itself is put together from."""

    learners: list[str]
    modules: list[str]
    rng: dict[str, Any]
    trainer: dict[str, Any]


class Standing(BaseModel):
    """What ``Training`` saves."""

    stage: str
    state: dict[str, Any]
    report: dict[str, Any]
    kept: Annotated[str, Field(pattern="^[0-9]{6,12}$")] | None
    """Name of the best policy so far, below ``policies``."""
    begun: NonNegativeInt
    pending: list[NonNegativeInt]
    seconds: FiniteFloat = Field(ge=0)
    position: dict[str, NonNegativeInt]
    checkpoint: _Saved


def standing_of(at: Path) -> Standing:
    """What the state.json of checkpoint ``at`` says. Raises DataError, naming it, for what no run has written."""
    try:
        return Standing.model_validate(checkpoint.read_state(at), strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise DataError(
            f"{at / 'state.json'}: {key}: {problem['msg']}, found {problem['input']!r:.60}; no run of this version "
            "wrote it"
        ) from None


def check(at: Path) -> None:
    """Raise DataError unless checkpoint ``at`` is what was written, and says where a run stood; UserError as sealed."""
    sealed.check(at)
    standing_of(at)
