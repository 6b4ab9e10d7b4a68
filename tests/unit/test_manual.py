"""Help from settings: keys, what a value may be, defaults, meanings, and which plug-ins are shown."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agentgym.config import Choice, Settings
from agentgym.errors import ConfigError, UnknownIdError
from agentgym.launch.settings import EnvSettings, SpeechSettings, TrainSettings
from agentgym.manual import describe, page


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int = 0


class Named(TypedDict):
    name: str


class Inner(Settings):
    """A group."""

    depth: int = 3
    """how deep."""
    secret: bytes = b""
    """nobody can type this."""


class Kinds(Settings):
    """One of each."""

    must: int
    """a number that is needed."""
    ratio: float = 0.5
    """a ``ratio``
    on two lines."""
    word: str = "a"
    empty: str = ""
    on: bool = True
    path: Path | None = None
    color: Color = Color.BLUE
    level: Literal["low", "high", 3] = "low"
    either: int | str | None = None
    bounded: Annotated[int, Field(ge=0)] = 7
    table: Mapping[str, int] = Field(default_factory=dict)
    many: Sequence[int] = Field(default_factory=lambda: [1, 2])
    none: list[int] = Field(default_factory=list)
    point: Point | None = None
    named: Named | None = None
    model: BaseModel | None = None
    env: Choice = Choice(id="deck")
    anything: Any = None
    twice: int | Annotated[int, Field(ge=0)] = 1
    hidden: bytes = b"x"
    inner: Inner = Inner()
    """The group of ``depths``."""


def rows(text: str) -> dict[str, list[str]]:
    """Section → its lines, each without blanks around it."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith(" "):
            found[line.rstrip(":")] = []
        elif line:
            found[list(found)[-1]].append(" ".join(line.split()))
    return found


def test_every_key_has_what_it_may_be_its_meaning_and_its_default() -> None:
    sections = rows(describe(Kinds))
    assert sections == {
        "Settings": [
            "--must INTEGER a number that is needed. [required]",
            "--ratio NUMBER a ratio on two lines. [0.5]",
            "--word TEXT [a]",
            "--empty TEXT",
            "--on true|false [true]",
            "--path PATH",
            "--color red|blue [blue]",
            "--level low|high|3 [low]",
            "--either INTEGER|TEXT",
            "--bounded INTEGER [7]",
            "--table TABLE",
            "--many LIST [[1, 2]]",
            "--none LIST",
            "--point TABLE",
            "--named TABLE",
            "--model TABLE",
            "--env ID [deck]",
            "--anything VALUE",
            "--twice INTEGER [1]",
        ],
        "The group of depths": ["--inner.depth INTEGER how deep. [3]"],
    }


def test_other_defaults_stand_in_for_those_of_the_fields_also_in_groups() -> None:
    defaults = {
        "ratio": 2.0,
        "on": False,
        "must": 5,
        "env": {"id": "shop", "level": 3},
        "inner": {"depth": 9},
        "word": "",
    }
    sections = rows(describe(Kinds, defaults=defaults))
    assert sections["Settings"][:3] == [
        "--must INTEGER a number that is needed. [5]",
        "--ratio NUMBER a ratio on two lines. [2.0]",
        "--word TEXT",
    ]
    assert "--on true|false [false]" in sections["Settings"]
    assert "--env ID [shop]" in sections["Settings"]
    assert sections["The group of depths"] == ["--inner.depth INTEGER how deep. [9]"]


def test_a_part_has_a_title_and_a_prefix_and_keys_that_are_given_elsewhere_are_left_out() -> None:
    sections = rows(describe(Inner, "inner.", "With it"))
    assert sections == {"With it": ["--inner.depth INTEGER how deep. [3]"]}
    assert describe(Inner, "inner.", "With it", without=["inner.depth"]) == ""
    left = rows(describe(Kinds, without=["must", "inner.depth", "on"]))
    assert list(left) == ["Settings"]
    assert not [row for row in left["Settings"] if row.startswith(("--must", "--on"))]
    assert "--ratio NUMBER a ratio on two lines. [0.5]" in left["Settings"]


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (28, "--word {} A word. [x]"),  # with the other and the bar, sixty characters
        (29, "--word CHOICE A word: {}. [x]"),
    ],
)
def test_choices_of_more_than_sixty_characters_stand_in_the_meaning(length: int, shown: str) -> None:
    words = ("a" * length, "b" * (60 - 28 - 1))
    kind = type(
        "Long",
        (Settings,),
        {
            "__annotations__": {"word": Literal[words]},
            "word": Field("x", description="A word.", validate_default=False),
        },
    )
    text = " ".join(describe(kind).replace("Settings:", "").split())
    assert text == shown.format(("|" if length == 28 else ", ").join(words))


def test_no_line_is_longer_than_a_terminal_is_wide() -> None:
    assert max(map(len, page(TrainSettings, {}).splitlines())) <= 116


# -- pages ----------------------------------------------------------------------------------------------------


def test_a_page_has_the_keys_the_ids_and_the_options_of_what_is_chosen_in_that_order() -> None:
    text = page(SpeechSettings, {"env": {"id": "blocksworld"}, "protocol": {"id": "plain"}})
    sections = rows(text)
    assert list(sections) == [
        "Settings",
        "Ids (name one beside --help, and its settings are shown)",
        "With --protocol plain",
        "With --env blocksworld",
    ]
    assert [line.split()[0] for line in sections["With --protocol plain"] if line.startswith("--")] == [
        f"--protocol.{name}" for name in ("system", "example", "actions", "shots", "shots_from", "kept")
    ]
    assert sections["Settings"][0].endswith("[blocksworld]")
    assert "[plain]" in " ".join(sections["Settings"])
    ids = " ".join(sections["Ids (name one beside --help, and its settings are shown)"])
    # Other tests register some, too.
    assert re.search(r"--env alfworld, ([\w-]+, )*bfcl, ([\w-]+, )*blocksworld, ", ids)
    assert ids.endswith("--protocol composite, plain, react, tools")
    assert sections["With --env blocksworld"][0] == '--env.level b3|b4|b5|b6|b7|b8 number of blocks, "b3" to "b8". [b4]'


def test_short_forms_are_understood() -> None:
    assert "With --env blocksworld" in rows(page(EnvSettings, {"env": "blocksworld"}))


def test_what_a_command_takes_beside_is_not_listed_and_named_without_dashes() -> None:
    sections = rows(page(EnvSettings, {"env": {"id": "blocksworld"}}, beside=["env"]))
    assert list(sections) == ["Ids (name one beside --help, and its settings are shown)", "With blocksworld"]
    assert "With --env" not in page(SpeechSettings, {}, beside=["env"])
    assert "With --model nano:" in page(TrainSettings, {})
    assert "With nano:" not in page(TrainSettings, {}, beside=["model"])  # which is the default, and not asked for


def test_what_a_small_model_made_from_nothing_wants_is_the_default() -> None:
    sections = rows(page(TrainSettings, {"model": {"id": "nano"}}))
    assert any(title.startswith("With --model nano") for title in sections)
    protocol = " ".join(" ".join(lines) for lines in sections.values()).partition("--protocol ID")[2].partition("--")[0]
    rest = " ".join(" ".join(lines) for lines in sections.values()).partition("none given")[2].partition("]")[0]
    assert rest.endswith("[plain") or "[plain]" in protocol
    own = rows(page(TrainSettings, {"model": {"id": "nano"}, "protocol": {"id": "tools"}}))
    rest = " ".join(" ".join(lines) for lines in own.values()).partition("none given")[2].partition("]")[0]
    assert rest.endswith("[tools")
    other = rows(page(TrainSettings, {"model": {"id": "some/where"}}))
    rest = " ".join(" ".join(lines) for lines in other.values()).partition("none given")[2].partition("]")[0]
    assert rest.endswith("[react")


def test_a_reward_is_told_with_whether_it_changes_what_is_optimal() -> None:
    sections = rows(page(TrainSettings, {"rewards": {"turn-cost": 1.0, "potential": 1.0}}))
    assert "With --rewards.turn-cost, which changes what is optimal" in sections
    assert "With --rewards.potential, which is policy-invariant" in sections


def test_a_reward_without_options_is_its_title_alone(tmp_path: Path) -> None:
    file = tmp_path / "praise.py"
    file.write_text(
        "import agentgym\n\n@agentgym.register\ndef praise(trajectory):\n    return [1.0] * len(trajectory.turns)\n"
    )
    text = page(TrainSettings, {"rewards": {str(file): 1.0}})
    assert f"With --rewards.{file}, which changes what is optimal" in text


def test_one_part_is_shown_alone() -> None:
    assert rows(page(TrainSettings, {}, topic="archive")).keys() == {"Which episodes are kept"}
    assert page(TrainSettings, {}, topic="trainer.clip_low") == page(TrainSettings, {}, topic="--trainer.clip-low")
    sections = rows(page(TrainSettings, {}, topic="frontier"))
    assert list(sections) == [
        "Settings",
        "Ids (name one beside --help, and its settings are shown)",
        "With --curriculum frontier",
    ]
    assert " ".join(sections["Settings"]).endswith("[frontier]")
    assert rows(page(TrainSettings, {}, topic="updates"))["Settings"] == [
        "--updates INTEGER Updates of the trainer. [130]"
    ]
    assert rows(page(TrainSettings, {}, topic="eval.every")).keys() == {"Measuring"}
    with pytest.raises(
        ConfigError, match=r'--help knows no "archiv"\. Did you mean "archive"\? Known: env, protocol, '
    ):
        page(TrainSettings, {}, topic="archiv")


def test_what_was_typed_wrong_is_shown_as_it_was() -> None:
    """Whoever asks for help may have got a key wrong."""
    text = page(TrainSettings, {"trainer": {"group_sise": 3}, "updates": "x", "updats": 3})
    assert "--trainer.group_size INTEGER" in text
    assert "[x]" in text


@pytest.mark.parametrize("key", ["env", "protocol", "trainer", "engine", "curriculum"])
def test_a_plugin_that_there_is_not_is_told(key: str) -> None:
    with pytest.raises(UnknownIdError, match="nowhere"):
        page(TrainSettings, {key: {"id": "nowhere"}})
