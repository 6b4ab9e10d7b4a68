"""An unknown key is told with the place where there is one: in a group, in a chosen plug-in, or of another command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from agentgym.config import settings_in
from agentgym.errors import ConfigError, UserError
from agentgym.launch.settings import BY_ID, KINDS, EnvSettings, MeasureSettings, TrainSettings, chosen_id
from agentgym.learn.model_settings import model_settings
from agentgym.registry import plugins

__all__ = ["pointing"]


@contextlib.contextmanager
def pointing(kind: type[EnvSettings], given: Mapping[str, Any]) -> Iterator[None]:
    """An error within about an unknown key says where there is such a key, if there is one."""
    try:
        yield
    except ConfigError as error:
        raise _of_others(kind, error).pointed(_keys_beside(kind, given)) from None


def _of_others(kind: type[EnvSettings], error: ConfigError) -> ConfigError:
    """The same error, but of a key that another command has it says which."""
    message, unknown = str(error), dict(error.unknown)
    for key, told in error.unknown.items():
        group = key.partition(".")[0]
        if group in TrainSettings.model_fields and group not in kind.model_fields:
            is_train = group not in MeasureSettings.model_fields
            whose = "training: agentgym train" if is_train else "a policy: agentgym train, eval or play --model RUN"
            message = message.replace(told, f'"{key}" has no effect here, it is of {whose}')
            del unknown[key]
    return ConfigError(message, unknown=unknown)


def _keys_beside(kind: type[EnvSettings], given: Mapping[str, Any]) -> Iterator[str]:
    """Every key in full that settings of that kind have, those of the chosen plug-ins among them."""
    yield from _keys(kind)
    for key in ("model", *KINDS):
        if key in kind.model_fields and (id := chosen_id(given, key)):
            with contextlib.suppress(UserError):  # that there is no such plug-in is another error
                yield from _keys(model_settings(id) if key == "model" else plugins(KINDS[key]).settings(id), f"{key}.")
    for key, of in BY_ID.items():
        named = given.get(key) if key in kind.model_fields else None
        for id in named if isinstance(named, Mapping) else ():
            with contextlib.suppress(UserError):
                yield from _keys(plugins(of).settings(id), f"{key}.{id}.")


def _keys(settings: type[Any], prefix: str = "") -> Iterator[str]:
    for name, field in settings.model_fields.items():
        if (group := settings_in(field)) is not None:
            yield from _keys(group, f"{prefix}{name}.")
        else:
            yield prefix + name
