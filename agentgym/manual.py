"""Help that comes from the settings themselves: one line a key, from the docstring under its field."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

__all__ = ["describe"]


def describe(settings: type[BaseModel], prefix: str = "") -> str:
    """Every key of ``settings`` with its default and meaning, nested ones dotted."""
    return "\n".join(_lines(settings, prefix))


def _lines(settings: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.model_config.get("extra") == "forbid":
            yield from _lines(kind, f"{prefix}{name}.")
            continue
        default = "" if field.is_required() else f" [{_shown(field.get_default(call_default_factory=True))}]"
        yield f"  --{prefix}{name}{default}\n      {' '.join((field.description or '').split())}"


def _shown(value: object) -> str:
    return str(getattr(value, "id", value))
