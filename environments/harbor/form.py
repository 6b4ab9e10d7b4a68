"""A task directory as Harbor has them (``task.toml`` of schema 1.0 and 1.1, and what later ones keep of these).

What a task needs and cannot have here is refused by its name: servers of MCP, a GPU, another system than Linux, several
steps, a network in one of its phases. That a task leaves the internet on, as the format does by itself, does not say
that it needs it: ``wants_internet`` tells, and the environment decides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentgym.errors import DataError

__all__ = ["HarborTask", "read_dataset", "read_task"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Phase(_Part):
    timeout_sec: float = Field(default=600.0, gt=0)
    user: str | int | None = None
    env: dict[str, str] = Field(default_factory=dict)
    network_mode: Literal["public", "no-network", "allowlist"] | None = None


class _Verifier(_Phase):
    environment_mode: Literal["shared", "separate"] | None = None
    environment: dict[str, Any] | None = None
    collect: list[dict[str, Any]] = Field(default_factory=list)


class _Environment(_Part):
    build_timeout_sec: float = Field(default=600.0, gt=0)
    docker_image: str | None = None
    os: str = "linux"
    cpus: float | None = None
    memory_mb: int | None = None
    storage_mb: int | None = None
    gpus: int | None = None
    allow_internet: bool | None = None
    network_mode: Literal["public", "no-network", "allowlist"] | None = None
    mcp_servers: list[dict[str, Any]] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    workdir: str | None = None
    healthcheck: dict[str, Any] | None = None


class _Solution(_Part):
    env: dict[str, str] = Field(default_factory=dict)


class _Config(_Part):
    agent: _Phase = _Phase()
    verifier: _Verifier = _Verifier()
    environment: _Environment = _Environment()
    solution: _Solution = _Solution()
    steps: list[dict[str, Any]] = Field(default_factory=list)


class HarborTask(BaseModel):
    """One directory."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    folder: Path
    instruction: str
    config: _Config

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def has_solution(self) -> bool:
        """Whether it brings one."""
        return (self.folder / "solution" / "solve.sh").is_file()

    @property
    def refusals(self) -> list[str]:
        """What it needs that there is not here."""
        return list(_refusals(self.folder, self.config))

    @property
    def wants_internet(self) -> bool:
        """Whether its author left the internet on, as the format does by itself."""
        setting = self.config.environment
        return setting.network_mode in (None, "public", "allowlist") and setting.allow_internet is not False

    def files(self, part: str) -> dict[str, Path]:
        """The regular files of a folder of it, by their paths there."""
        folder = self.folder / part
        return {
            file.relative_to(folder).as_posix(): file
            for file in sorted(folder.rglob("*"))
            if file.is_file() and not file.is_symlink()
        }


def read_dataset(folder: Path) -> tuple[HarborTask, ...]:
    """The task in a folder, or those in the folders within, by name. Raises DataError."""
    if (folder / "task.toml").is_file():
        return (read_task(folder),)
    tasks = tuple(read_task(file.parent) for file in sorted(folder.glob("*/task.toml")))
    if not tasks:
        raise DataError(f"{folder} holds no task: expected task.toml in it, or in the folders in it")
    return tasks


def read_task(folder: Path) -> HarborTask:
    """One task. Raises DataError, which names the file and what is wrong in it."""
    for name in ("task.toml", "instruction.md", "tests/test.sh"):
        if not (folder / name).is_file():
            raise DataError(f"{folder} is no task of Harbor's: it has no {name}")
    try:
        values = tomllib.loads((folder / "task.toml").read_text(encoding="utf-8"))
        instruction = (folder / "instruction.md").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{folder}: {error}") from None
    try:
        config = _Config.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise DataError(f"{folder / 'task.toml'}: {place}: {problem['msg']}, found {problem['input']!r:.80}") from None
    return HarborTask(folder=folder.resolve(), instruction=instruction, config=config)


def _refusals(folder: Path, config: _Config) -> Iterator[str]:
    environment, verifier = config.environment, config.verifier
    needs = {
        "mcp_servers": bool(environment.mcp_servers),
        f"gpus = {environment.gpus}": bool(environment.gpus),
        f'os = "{environment.os}"': environment.os != "linux",
        "steps": bool(config.steps),
        "verifier.environment": verifier.environment is not None,
        "verifier.collect": bool(verifier.collect),
        f'verifier.network_mode = "{verifier.network_mode}"': verifier.network_mode in ("public", "allowlist"),
        f'agent.network_mode = "{config.agent.network_mode}"': config.agent.network_mode in ("public", "allowlist"),
        "tests/Dockerfile": (folder / "tests" / "Dockerfile").is_file(),
        "environment.healthcheck": environment.healthcheck is not None,
    }
    yield from (name for name, is_needed in needs.items() if is_needed)
