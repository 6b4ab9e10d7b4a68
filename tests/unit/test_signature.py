"""Settings from constructors: what a signature says, and what is made of one that says little."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field

from agentgym.config import Settings, validated
from agentgym.errors import ConfigError
from agentgym.signature import arguments, described, settings_of

if TYPE_CHECKING:
    from agentgym.types import Trajectory


class Plugin:
    """A plug-in.

    Args:
        level: from the class.
    """

    def __init__(
        self,
        size: Annotated[int, Field(ge=1)] = 4,
        *,
        level: Literal["easy", "hard"] = "easy",
        folder: str | Path | None = None,
        names: Sequence[str] = ("a",),
        judge: Literal["rule"] | Callable[[str], float] = "rule",
        later: Trajectory | None = None,
        copy: bool = False,
        _private: int = 0,
    ) -> None:
        """Make it.

        Args:
            size: how large,
                and a second line: with a colon.
            copy (bool): whether it is copied.

        Raises ConfigError for nothing.
        """


def given(**options: Any) -> dict[str, Any]:
    return arguments(validated(settings_of(Plugin), options, where="env"))


def test_parameters_become_settings() -> None:
    fields = settings_of(Plugin).model_fields
    assert list(fields) == ["size", "level", "folder", "names", "judge", "later", "copy"]
    assert {name: fields[name].description for name in ("size", "level", "copy", "judge")} == {
        "size": "how large, and a second line: with a colon.",
        "level": "from the class.",
        "copy": "whether it is copied.",
        "judge": None,
    }
    assert fields["size"].default == 4
    assert settings_of(Plugin) is settings_of(Plugin)


def test_only_what_is_given_is_passed_on() -> None:
    assert given() == {}
    assert given(size="7", folder=Path("x"), copy=True) == {"size": 7, "folder": Path("x"), "copy": True}
    assert given(folder=5) == {"folder": "5"}, "flags are read as TOML"
    assert given(judge=len)["judge"] is len
    assert given(later=object) == {"later": object}, "a hint that is imported for type checkers only says nothing"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"siz": 3}, 'unknown key "env.siz". Did you mean "size"? Known here: size, level, '),
        ({"size": 0}, "env.size: Input should be greater than or equal to 1, found 0"),
        ({"level": "hrad"}, 'env.level is "hrad". Did you mean "hard"? Known: easy, hard'),
        ({"level": 3}, "env.level: Input should be 'easy' or 'hard', found 3"),
        ({"judge": "rules"}, 'env.judge is "rules". Did you mean "rule"? Known: rule, or callable'),
        ({"names": ["a", []]}, "env.names.1: Input should be a valid string, found []"),
    ],
)
def test_what_does_not_fit_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        given(**options)
    assert str(error.value).startswith(message)


def test_a_parameter_without_a_hint_takes_anything() -> None:
    def make(size=3): ...  # type: ignore[no-untyped-def]

    assert arguments(validated(settings_of(make), {"size": [1]})) == {"size": [1]}


def test_further_keywords_take_any_key() -> None:
    def make(size: int = 3, *args: int, **others: Any) -> None: ...

    settings = settings_of(make)
    assert list(settings.model_fields) == ["size"]
    assert arguments(validated(settings, {"size": 4, "color": "red"})) == {"size": 4, "color": "red"}


def test_a_parameter_without_a_default_is_required() -> None:
    def make(module: Any, size: int) -> None: ...

    with pytest.raises(ConfigError, match=r"^size: Field required$"):
        validated(settings_of(make, ("module",)), {})


def test_a_default_is_the_authors_own() -> None:
    def make(size: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    assert arguments(validated(settings_of(make), {})) == {}


def test_a_class_of_settings_has_the_last_word() -> None:
    class Own:
        class Settings(Settings):
            width: int = 3

        def __init__(self, settings: Settings, other: int = 1) -> None: ...

    assert settings_of(Own) is Own.Settings


def test_nothing_can_be_told_without_a_constructor() -> None:
    class Bare:
        pass

    assert settings_of(Bare).model_fields == {}


def test_a_docstring_without_arguments() -> None:
    def function() -> Mapping[str, str]:
        """One line.

        And: more.
        """
        return {}

    assert described(function) == ("One line. And: more.", {})
    assert described(lambda: None) == ("", {})
