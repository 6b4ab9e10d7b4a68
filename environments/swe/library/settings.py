"""Settings as nested mappings, laid one over another."""

from __future__ import annotations

from typing import Any


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both in one: what lies over wins, mappings are merged key by key, and None takes a key away."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def looked_up(settings: dict[str, Any], path: str, default: Any = None) -> Any:
    """The value at a path such as "server.port", or the default where it leads nowhere."""
    found: Any = settings
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return default
        found = found[part]
    return found


def placed(path: str, value: Any, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The settings with a value at a path, which is made where it is missing."""
    if settings is None:
        settings = {}
    *parents, last = path.split(".")
    inner = settings
    for part in parents:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return settings


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value under its whole path."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and value:
            found.update(flat(value, path))
        else:
            found[path] = value
    return found


def read(text: str, comment: str = "#") -> dict[str, str]:
    """The settings in lines such as "name = value"; blank lines and comments are skipped."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        line = line.partition(comment)[0].strip()
        if not line:
            continue
        if "=" not in line:
            raise ValueError("a line has no equals sign")
        key, _, value = line.partition("=")
        found[key.strip()] = value.strip()
    return found
