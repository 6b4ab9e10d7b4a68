"""What is asked of a cluster."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from agentgym.config import Settings

__all__ = ["ClusterSettings"]


class ClusterSettings(Settings):
    """A cluster, and what runs on it beside the environments."""

    id: str
    """In short --cluster ray, which starts Ray on this machine for as long as the command runs, or --cluster
    ray:ADDRESS, which joins one that runs, as ray:10.0.0.1:6379 or ray:auto."""
    engines: int = Field(1, ge=0)
    """Engines, each on its own part of the cluster; 0: the one engine stays beside the learner."""
    engine_cpus: float = Field(1.0, gt=0)
    """Cores of each engine."""
    engine_gpus: float = Field(0.0, ge=0)
    """GPUs of each engine."""

    learners: int = Field(1, ge=1)
    """Ranks that learn together (docs/ranks.md): this process, and the others on the cluster."""
    learner_gpus: float = Field(0.0, ge=0)
    """GPUs of each of those on the cluster."""

    @field_validator("id")
    @classmethod
    def _is_known(cls, id: str) -> str:
        kind, colon, address = id.partition(":")
        if kind != "ray" or (colon and not address):
            raise ValueError(
                f'found "{id}", expected "ray", or "ray:ADDRESS" of a cluster that runs, as ray:10.0.0.1:6379'
            )
        return id

    @model_validator(mode="after")
    def _has_effect(self) -> ClusterSettings:
        for key in ("engine_cpus", "engine_gpus"):
            if not self.engines and self.changed(key):
                raise ValueError(f"{key} has no effect without engines on the cluster")
        if self.learners == 1 and self.changed("learner_gpus"):
            raise ValueError("learner_gpus has no effect without learners on the cluster")
        return self

    @property
    def address(self) -> str | None:
        """Of one that runs; None where it is started here."""
        return self.id.partition(":")[2] or None
