"""What can be told to every plug-in of every kind, and what stands in help for it."""

from __future__ import annotations

import pytest

import agentgym
from agentgym.config import Settings, validated
from agentgym.errors import ConfigError
from agentgym.manual import describe
from agentgym.registry import KINDS

PLUGINS = [(kind, id) for kind in KINDS for id in agentgym.plugins(kind).ids()]


@pytest.mark.parametrize(("kind", "id"), PLUGINS)
def test_every_setting_is_explained(kind: str, id: str) -> None:
    settings = agentgym.plugins(kind).settings(id)
    assert issubclass(settings, Settings)
    assert [name for name, field in settings.model_fields.items() if not (field.description or "").strip()] == []


@pytest.mark.parametrize(("kind", "id"), PLUGINS)
def test_a_setting_has_a_default_that_fits_it_or_is_required(kind: str, id: str) -> None:
    settings = agentgym.plugins(kind).settings(id)
    for name, field in settings.model_fields.items():
        if not field.is_required():
            default = field.get_default(call_default_factory=True)
            alone = settings.model_construct(**{name: default})
            assert settings.__pydantic_validator__.validate_assignment(alone, name, default) is not None


@pytest.mark.parametrize(("kind", "id"), PLUGINS)
def test_an_unknown_key_is_refused(kind: str, id: str) -> None:
    settings = agentgym.plugins(kind).settings(id)
    with pytest.raises(ConfigError, match=r'unknown key "plugin\.no_such_key"'):
        validated(settings, {"no_such_key": 1}, where="plugin")


@pytest.mark.parametrize(("kind", "id"), PLUGINS)
def test_help_has_every_setting_that_can_be_typed(kind: str, id: str) -> None:
    settings = agentgym.plugins(kind).settings(id)
    shown = {line.split()[0] for line in describe(settings, "x.").splitlines() if line.startswith("  --x.")}
    only_from_python = {"--x.reply", "--x.ranker", "--x.nouns", "--x.reasoner"}
    assert {f"--x.{name}" for name in settings.model_fields} - shown <= only_from_python
