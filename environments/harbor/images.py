"""The image of a task, made of what the engine has: nothing is fetched.

A task names an image, or brings a Dockerfile, or a compose file whose one service is ``main``. A Dockerfile is built
without a network, from images that are there; what is not there is named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.environments.harbor.form import HarborTask
from agentgym.errors import UserError
from agentgym.extras import require
from agentgym.sandbox.daemon import daemon

__all__ = ["Made", "bases_of", "made_from", "service_of"]

_INSTRUCTION = re.compile(r"^\s*(FROM|ARG)\s+(.*)$", re.IGNORECASE | re.MULTILINE)


class Made:
    """An image that the engine has."""

    def __init__(self, name: str, found: Mapping[str, Any]) -> None:
        self.name = name
        self.id = str(found["Id"])
        settings = found["Config"]
        self.workdir = str(settings.get("WorkingDir") or "/")
        self.env = dict(pair.partition("=")[::2] for pair in settings.get("Env") or ())


def made_from(task: HarborTask) -> Made:
    """The image of a task, built unless it was before. Raises UserError, which says what is missing."""
    engine, image = daemon(), task.config.environment.docker_image
    if image is None or not engine.has_image(image):
        image = _built(task, image)
    return Made(image, engine.client.inspect_image(image))


def _built(task: HarborTask, named: str | None) -> str:
    folder = task.folder / "environment"
    compose = next((file for file in map(folder.joinpath, _COMPOSE) if file.is_file()), None)
    context, dockerfile = folder, folder / "Dockerfile"
    if compose is not None:
        service = service_of(compose)
        if image := service.get("image"):
            _must_have(task, [str(image)])
            return str(image)
        context, dockerfile = _build_of(service, folder)
    if not dockerfile.is_file():
        wanted = f"the image {named}, which the engine has not" if named else "an image"
        raise UserError(f"task {task.id} needs {wanted}, and brings no Dockerfile; {_HOW}")
    text = dockerfile.read_text(encoding="utf-8")
    _must_have(task, bases_of(text))
    return _build(task, context, dockerfile)


_COMPOSE = ("docker-compose.yaml", "docker-compose.yml", "compose.yaml")
_HOW = "nothing is fetched here; type for instance: docker load -i FILE"


def _must_have(task: HarborTask, images: list[str]) -> None:
    missing = [image for image in images if not daemon().has_image(image)]
    if missing:
        raise UserError(f"task {task.id} is made from {', '.join(missing)}, which the engine has not; {_HOW}")


def _build(task: HarborTask, context: Path, dockerfile: Path) -> str:
    """Build it under a name that tells its content."""
    engine, docker = daemon(), require("docker", extra="docker")
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(context.rglob("*")):
        if file.is_file() and not file.is_symlink():
            digest.update(repr((file.relative_to(context).as_posix(), file.stat().st_mode & 0o777)).encode())
            digest.update(hashlib.blake2b(file.read_bytes()).digest())
    name = re.sub(r"[^a-z0-9]+", "-", task.id.lower()).strip("-") or "task"
    tag = f"agentgym-harbor-{name}:{digest.hexdigest()}"
    if engine.has_image(tag):
        return tag
    try:
        lines = list(
            engine.client.build(
                path=str(context),
                dockerfile=str(dockerfile.relative_to(context)),
                tag=tag,
                network_mode="none",
                rm=True,
                forcerm=True,
                pull=False,
                decode=True,
                timeout=int(task.config.environment.build_timeout_sec),
            )
        )
    except docker.errors.DockerException as error:
        raise UserError(f"task {task.id} cannot be built: {error}") from None
    if failed := next((line["error"] for line in lines if "error" in line), None):
        said = "".join(line.get("stream", "") for line in lines)[-600:]
        raise UserError(f"task {task.id} cannot be built without a network: {failed.strip()}\n{said}")
    return tag


def bases_of(dockerfile: str) -> list[str]:
    """The images that a Dockerfile begins from, its own stages and ``scratch`` left out.

    >>> bases_of("ARG V=3\\nFROM python:$V AS one\\nFROM one\\nFROM --platform=linux/amd64 debian")
    ['python:3', 'debian']
    """
    values: dict[str, str] = {}
    stages, found = {"scratch"}, list[str]()
    for kind, rest in _INSTRUCTION.findall(dockerfile):
        words = [word for word in rest.split() if not word.startswith("--")]
        if kind.upper() == "ARG":
            name, _, value = words[0].partition("=")
            values[name] = value.strip("\"'")
            continue
        image = re.sub(r"\$\{?(\w+)(?::-([^}]*))?\}?", lambda match: values.get(match[1]) or match[2] or "", words[0])
        if image not in stages and image not in found:
            found.append(image)
        if len(words) == 3 and words[1].lower() == "as":
            stages.add(words[2])
    return found


def service_of(compose: Path) -> dict[str, Any]:
    """The service ``main`` of a compose file. Raises UserError where there are others, or none."""
    values = require("yaml", extra="docker").safe_load(compose.read_text(encoding="utf-8"))
    services = (values or {}).get("services") or {}
    if others := sorted(set(services) - {"main"}):
        raise UserError(
            f"{compose} has the services {', '.join(others)} beside main; one container is what there is here"
        )
    return dict(services.get("main") or {})


def _build_of(service: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    build = service.get("build") or "."
    context = build if isinstance(build, str) else build.get("context", ".")
    dockerfile = "Dockerfile" if isinstance(build, str) else build.get("dockerfile", "Dockerfile")
    return (folder / context).resolve(), (folder / context / dockerfile).resolve()
