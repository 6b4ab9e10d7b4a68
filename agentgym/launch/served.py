"""``openai:URL`` for a model: the one that an OpenAI-compatible server has, ``openai:URL#NAME`` where it has several.

It is short for ``--engine openai --engine.base_url URL --model NAME``. Which name that is, the server is asked.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from agentgym.config import merged
from agentgym.errors import ConfigError, did_you_mean

__all__ = ["PREFIX", "in_full"]

PREFIX = "openai:"
_SECONDS = 10.0
_MAX_NAMES = 8
_KEY = "OPENAI_API_KEY"


def in_full(given: Mapping[str, Any], model: str) -> tuple[dict[str, Any], str]:
    """The settings in full form and the name of the model; another model, and its settings, stay as they are.

    Raises ConfigError where the address is none, the server does not answer, or it is not said which model is meant.
    """
    if not model.startswith(PREFIX):
        return dict(given), model
    url, _, name = model.removeprefix(PREFIX).partition("#")
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f'"{model}" names no server; expected openai:URL, such as openai:http://localhost:8000/v1')
    engine = given.get("engine")
    options = {key: value for key, value in engine.items() if key != "id"} if isinstance(engine, Mapping) else {}
    id = engine.get("id", "openai") if isinstance(engine, Mapping) else "openai"
    if id != "openai":
        raise ConfigError(f'the model is one of a server, and the engine "{id}"; leave --engine out')
    if options.get("base_url", url) != url:
        raise ConfigError(f"the server is given twice: {url} and {options['base_url']}; leave engine.base_url out")
    key = os.environ.get(str(options.get("api_key_env", _KEY)), "")
    chosen = _chosen(url, name, _served(url, key))
    return merged({**given, "engine": {"id": "openai", **options}}, {"engine": {"base_url": url}}), chosen


def _served(url: str, key: str) -> list[str]:
    """The names of the models that the server has."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(f"{url.rstrip('/')}/models", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return [str(model["id"]) for model in json.load(answer)["data"]]
    except urllib.error.HTTPError as error:
        advice = f"set its key: export {_KEY}=..." if error.code in (401, 403) else "the address usually ends in /v1"
        raise ConfigError(f"{url} answered /models with {error.code}; {advice}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "reason", error)
        raise ConfigError(
            f"{url} is no OpenAI-compatible server that answers: {reason}; start one, such as: vllm serve MODEL"
        ) from None


def _chosen(url: str, name: str, served: list[str]) -> str:
    shown = ", ".join(served[:_MAX_NAMES]) + (", …" if len(served) > _MAX_NAMES else "")
    if name:
        if name not in served:
            raise ConfigError(
                f'{url} does not serve "{name}".{did_you_mean(name, served)} It serves {shown or "nothing"}'
            )
        return name
    if len(served) != 1:
        raise ConfigError(f"{url} serves {shown or 'no model'}; choose one: {PREFIX}{url}#NAME")
    return served[0]
