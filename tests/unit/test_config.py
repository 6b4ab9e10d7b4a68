"""Settings from flags and TOML: what they mean, and how a mistake is told."""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, model_validator

from agentgym.config import Choice, Reward, Settings, flattened, long_form, merged, read_toml, validated
from agentgym.errors import ConfigError
from agentgym.flags import parse_flags


class Optim(Settings):
    learning_rate: float = Field(default=0.1, gt=0)
    """Step size."""


class Run(Settings):
    env: Choice = Choice(id="webshop")
    optim: Optim = Optim()
    extra: Optim | None = None
    stages: list[Optim] = Field(default_factory=list)
    updates: int = 3
    output: Path = Path("runs")
    name: str = ""
    mode: Literal["sync", "async"] = "sync"
    rewards: dict[str, Reward] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1)] | Literal["none"] = "none"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"updats": 3}, 'unknown key "updats". Did you mean "updates"? Known here: env, optim, '),
        (
            {"optim": {"learning_rat": 1}},
            'unknown key "optim.learning_rat". Did you mean "learning_rate"? Known here: learning_rate',
        ),
        ({"extra": {"lr": 1}}, 'unknown key "extra.lr". Known here: learning_rate'),
        ({"stages": [{}, {"lr": 1}]}, 'unknown key "stages.1.lr". Known here: learning_rate'),
        ({"updates": "many"}, "updates: Input should be a valid integer"),
        ({"updates": "many"}, "found 'many'"),
        ({"optim": {"learning_rate": 0}}, "optim.learning_rate: Input should be greater than 0, found 0"),
        ({"env": {}}, "env.id: Field required"),
        ({"mode": "asinc"}, 'mode is "asinc". Did you mean "async"? Known: sync, async'),
        ({"limit": 0}, "limit: Input should be greater than or equal to 1, or 'none', found 0"),
        ({"rewards": {"cost": {"weight": "x"}}}, "rewards.cost.weight: Input should be a valid number"),
        ({"extra": {"learning_rate": 0}}, "extra.learning_rate: Input should be greater than 0, found 0"),
        ({"stages": [{}, {"learning_rate": -1}]}, "stages.1.learning_rate: Input should be greater than 0, found -1"),
        ({"limit": "all"}, "limit: Input should be a valid integer"),
        ({"updates": True}, "updates is true, as is a flag without a value; expected a whole number"),
        ({"updates": False}, "updates is false; expected a whole number"),
        (
            {"optim": {"learning_rate": True}},
            "optim.learning_rate is true, as is a flag without a value; expected a nu",
        ),
        ({"output": True}, "output is true, as is a flag without a value; expected a path"),
        ({"name": True}, "name is true, as is a flag without a value; expected text"),
        ({"mode": True}, "mode is true, as is a flag without a value; expected sync, async"),
        ({"limit": True}, "limit is true, as is a flag without a value; expected a whole number or none"),
        ({"stages": True}, "stages is true, as is a flag without a value; expected a list"),
        ({"rewards": {"cost": True}}, "rewards.cost.weight is true, as is a flag without a value; expected a number"),
        ({"env": True}, "env.id is true, as is a flag without a value; expected text"),
        ({"env": 7}, "env.id: Input should be a valid string, found 7"),
        ({"env": {"id": "x"}, "optim": 3}, "optim: Input should be a valid dictionary or instance of Optim, found 3"),
        ({"rewards": {"cost": "x"}}, "rewards.cost.weight: Input should be a valid number"),
    ],
)
def test_a_wrong_setting_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        validated(Run, values)
    assert message in str(error.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        validated(Run, {"updats": 3, "optim": {"learning_rate": -1}}, where="run")
    assert len(str(error.value).splitlines()) == 2
    assert '"run.updats"' in str(error.value)
    assert "run.optim.learning_rate" in str(error.value)


def test_every_problem_of_a_key_is_told_with_the_others() -> None:
    with pytest.raises(ConfigError) as error:
        validated(Run, {"updates": "x", "mode": "asinc", "optim": {"learning_rate": "y"}})
    assert [line.partition(" ")[0] for line in str(error.value).splitlines()] == [
        "optim.learning_rate:",
        "updates:",
        "mode",
    ]


class Halves(Settings):
    left: float = 0.5
    right: float = 0.5

    @model_validator(mode="after")
    def _whole(self) -> Halves:
        if self.left + self.right != 1:
            raise ValueError(f"left and right add up to {self.left + self.right}, expected 1")
        return self


class Outer(Settings):
    halves: Halves = Halves()


def test_what_a_validator_says_is_told_in_its_own_words() -> None:
    said = "left and right add up to 0.75, expected 1"
    for model, values, where, key in (
        (Halves, {"left": 0.25}, "", "settings"),
        (Halves, {"left": 0.25}, "trainer", "trainer"),
        (Outer, {"halves": {"left": 0.25}}, "", "halves"),
    ):
        with pytest.raises(ConfigError) as error:
            validated(model, values, where=where)
        assert str(error.value) == f"{key}: {said}"


def test_the_nearest_key_is_that_of_its_own_part() -> None:
    with pytest.raises(ConfigError) as error:
        validated(Halves, {"lef": 1}, where="a.long.way.from.home")
    assert str(error.value) == 'unknown key "a.long.way.from.home.lef". Did you mean "left"? Known here: left, right'


def test_a_default_is_checked_as_what_is_given_is() -> None:
    class Wrong(Settings):
        size: int = Field(0, ge=1)

    with pytest.raises(ConfigError, match=r"^size: Input should be greater than or equal to 1, found 0$"):
        validated(Wrong, {})


def test_what_is_known_to_have_changed() -> None:
    """So that a key without effect is an error only where somebody asked for something else."""
    assert not validated(Run, {}).changed("updates")
    assert not validated(Run, {"updates": 3}).changed("updates")
    assert validated(Run, {"updates": 4}).changed("updates")
    assert not validated(Run, {"stages": []}).changed("stages")
    assert validated(Run, {"stages": [{}]}).changed("stages")
    assert not validated(Run, {"env": "webshop"}).changed("env")
    assert validated(Run, {"env": {"id": "webshop", "n": 1}}).changed("env")


def test_text_that_is_a_number_is_that_number() -> None:
    run = validated(Run, {"updates": "7", "optim": {"learning_rate": "1e-3"}, "output": "x/y", "limit": "4"})
    assert (run.updates, run.optim.learning_rate, run.output, run.limit) == (7, 1e-3, Path("x/y"), 4)
    assert isinstance(run.updates, int)


def test_a_docstring_under_a_field_is_its_meaning() -> None:
    assert Optim.model_fields["learning_rate"].description == "Step size."


def test_a_choice_said_short_and_long_is_the_same() -> None:
    short = validated(Run, {"env": "webshop"})
    long = validated(Run, {"env": {"id": "webshop"}})
    assert short == long
    assert validated(Run, {"env": {"id": "webshop", "catalogue": "D"}}).env.options == {"catalogue": "D"}


def test_a_rewards_weight_said_short_and_long_is_the_same() -> None:
    short = validated(Run, {"rewards": {"cost": 0.5}}).rewards
    assert short == validated(Run, {"rewards": {"cost": {"weight": 0.5}}}).rewards
    assert short["cost"].weight == 0.5
    cost = validated(Run, {"rewards": {"cost": {"free_turns": 2}}}).rewards["cost"]
    assert (cost.weight, cost.options) == (1.0, {"free_turns": 2})
    whole = validated(Run, {"rewards": {"cost": 2}}).rewards["cost"]
    assert (whole.weight, whole.options) == (2.0, {})
    written = {"env": {"id": "x"}, "rewards": {"a": {"weight": 1}, "b": {"weight": 2, "c": 3}}}
    assert long_form({"env": "x", "rewards": {"a": 1, "b": {"weight": 2, "c": 3}}}) == written


def test_a_number_where_text_is_expected_is_that_text() -> None:
    assert validated(Run, {"name": 7}).name == "7"
    assert validated(Run, {"output": 7, "name": 0.5}).output == Path("7")
    typed = parse_flags(["--output", "007", "--name", "1e5", "--updates", "0x10", "--optim.learning_rate", "1e-1"])
    run = validated(Run, pickle.loads(pickle.dumps(typed)))
    assert (run.output, run.name, run.updates, run.optim.learning_rate) == (Path("007"), "1e5", 16, 0.1)
    assert validated(Run, parse_flags(["--output", "0x10"])).output == Path("0x10")


class Switches(Settings):
    on: bool = False
    either: int | bool = 0
    literal: Literal["no", False] = "no"
    anything: Any = None


def test_true_is_taken_where_it_may_stand() -> None:
    taken = validated(Switches, {"on": True, "either": True, "anything": True})
    assert (taken.on, taken.either, taken.anything) == (True, True, True)
    assert validated(Switches, {"literal": False}).literal is False


def test_an_unknown_key_is_pointed_to_where_there_is_one() -> None:
    with pytest.raises(ConfigError) as caught:
        validated(Run, {"learning_rate": 1, "updats": 2, "zzz": 3, "env": "x"})
    known = ["updates", "name", "optim.learning_rate", "extra.learning_rate"]
    assert str(caught.value.pointed(known)).splitlines() == [
        'unknown key "learning_rate". Did you mean --optim.learning_rate or --extra.learning_rate?',
        'unknown key "updats". Did you mean "updates"? Known here: env, optim, extra, stages, updates, output, name, '
        "mode, rewards, limit",
        'unknown key "zzz". Known here: env, optim, extra, stages, updates, output, name, mode, rewards, limit',
    ]
    with pytest.raises(ConfigError) as caught:
        validated(Run, {"learningrate": 1})
    assert str(caught.value.pointed(["optim.learning-rate"])) == (
        'unknown key "learningrate". Did you mean --optim.learning-rate?'
    )


def test_only_choices_have_a_long_form() -> None:
    given = {"env": "a", "trainer": "b", "curriculum": "c", "model": "d", "engine": "e", "protocol": "f", "mode": "g"}
    long = long_form(given)
    assert long.pop("mode") == "g"
    assert long == {
        "env": {"id": "a"},
        "trainer": {"id": "b"},
        "curriculum": {"id": "c"},
        "model": {"id": "d"},
        "engine": {"id": "e"},
        "protocol": {"id": "f"},
    }
    assert given["env"] == "a"
    assert long_form({"env": {"id": "x"}, "rewards": 7}) == {"env": {"id": "x"}, "rewards": 7}


def test_a_reward_by_its_id_alone_has_the_usual_weight() -> None:
    assert long_form({"rewards": "./mine.py"}) == {"rewards": {"./mine.py": {"weight": 1}}}
    assert long_form({"rewards": ["a", "b"]}) == {"rewards": {"a": {"weight": 1}, "b": {"weight": 1}}}
    assert long_form({"rewards": ["a", 2]}) == {"rewards": ["a", 2]}


def test_settings_come_back_from_their_own_json() -> None:
    run = validated(Run, {"env": {"id": "x", "deep": {"a": [1]}}, "optim": {"learning_rate": 1 / 3}})
    assert Run.model_validate_json(run.model_dump_json()) == run


def test_toml(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('env = "webshop"\nupdates = 7\n[optim]\nlearning_rate = 0.5\n')
    assert read_toml(file) == {"env": {"id": "webshop"}, "updates": 7, "optim": {"learning_rate": 0.5}}
    assert validated(Run, read_toml(file)).optim.learning_rate == 0.5


def test_a_preset_of_a_file_goes_over_the_rest_of_it(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'env = "webshop"\nupdates = 7\n[optim]\nlearning_rate = 0.5\n'
        '[presets.nano]\nupdates = 2\n[presets.small]\nenv = {id = "webshop", n = 3}\noptim = {learning_rate = 0.1}\n'
    )
    assert read_toml(file) == {"env": {"id": "webshop"}, "updates": 7, "optim": {"learning_rate": 0.5}}
    assert read_toml(file, preset="nano") == {**read_toml(file), "updates": 2}
    small = {"env": {"id": "webshop", "n": 3}, "updates": 7, "optim": {"learning_rate": 0.1}}
    assert read_toml(file, preset="small") == small
    with pytest.raises(
        ConfigError, match=r'run.toml has no preset "nan". Did you mean "nano"\? Found: nano, small; write'
    ):
        read_toml(file, preset="nan")
    file.write_text("presets = 3\n")
    with pytest.raises(ConfigError, match=r"presets is 3, expected tables such as \[presets.nano\]"):
        read_toml(file)


def test_toml_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.toml: No such file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="is not a plain file; expected settings in TOML"):
        read_toml(tmp_path)
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML: .*line 1"):
        read_toml(tmp_path / "bad.toml")
    (tmp_path / "binary.toml").write_bytes(b"a = '\xff\xfe'")
    with pytest.raises(ConfigError, match=r"binary\.toml is not valid TOML: .*utf-8"):
        read_toml(tmp_path / "binary.toml")


def test_later_layers_win_and_a_new_choice_drops_the_old_ones_options() -> None:
    old = {"env": {"id": "webshop", "catalogue": "D"}, "optim": {"learning_rate": 1}, "updates": 1}
    assert merged(old, {"updates": 2})["updates"] == 2
    assert merged(old, {"env": {"id": "webshop", "n": 2}})["env"] == {"id": "webshop", "catalogue": "D", "n": 2}
    assert merged(old, {"env": {"id": "other"}})["env"] == {"id": "other"}
    assert merged(old, {"env": {"n": 2}})["env"] == {"id": "webshop", "catalogue": "D", "n": 2}
    assert merged(old, {"env": {"id": "webshop"}})["env"] == {"id": "webshop", "catalogue": "D"}
    assert old["env"] == {"id": "webshop", "catalogue": "D"}


def test_layers_are_merged_at_every_depth() -> None:
    layers = {"a": {"b": {"c": 1, "d": 1}}}, {"a": {"b": {"c": 2}, "e": 2}}, {"a": {"b": {"f": 3}}, "g": 3}
    assert merged(*layers) == {"a": {"b": {"c": 2, "d": 1, "f": 3}, "e": 2}, "g": 3}
    assert layers == ({"a": {"b": {"c": 1, "d": 1}}}, {"a": {"b": {"c": 2}, "e": 2}}, {"a": {"b": {"f": 3}}, "g": 3})
    assert merged({"a": {"b": 1}}, {"a": 2}) == {"a": 2}
    assert merged({"a": 2}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert merged({"env": {"n": 1}}, {"env": {"id": "x"}}) == {"env": {"n": 1, "id": "x"}}
    assert merged({"e": {"id": "x", "n": 1}}, {"e": {"id": "y"}}, {"e": {"m": 2}}) == {"e": {"id": "y", "m": 2}}
    assert merged() == {}


def test_flattened() -> None:
    assert dict(flattened({"a": {"b": 1, "c": {"d": "x"}}, "e": None})) == {"a.b": "1", "a.c.d": '"x"', "e": "null"}


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_settings_are_read_from_plain_files_alone(make: Callable[[Path], None], tmp_path: Path) -> None:
    """The one would be waited for, the other never ends."""
    make(tmp_path / "run.toml")
    with pytest.raises(ConfigError, match=r"run\.toml is not a plain file; expected settings in TOML"):
        read_toml(tmp_path / "run.toml")


def test_a_file_that_is_too_long_or_too_deep_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.toml"
    file.write_text("a = " + "[" * 100_000)
    with pytest.raises(ConfigError, match=r"run\.toml is not valid TOML: "):
        read_toml(file)
    assert parse_flags(["--name", "[" * 100_000]) == {"name": "[" * 100_000}
    with file.open("wb") as stream:
        stream.truncate(2**22 + 1)
    with pytest.raises(ConfigError, match=r"run\.toml has 4194305 bytes; expected settings in TOML, at most 4194304"):
        read_toml(file)


class Numbers(Settings):
    real: float = 1.0
    maybe: float | None = Field(None, le=9)
    least: float = Field(0.5, gt=0)
    several: list[float] = Field(default_factory=list)
    named: dict[str, float] = Field(default_factory=dict)
    endless: float = math.inf
    text: str = ""
    reward: Reward = Reward()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"real": math.nan}, "real: expected a finite number, found nan"),
        ({"real": "NaN"}, "real: expected a finite number, found nan"),
        ({"real": -math.inf}, "real: expected a finite number, found -inf"),
        ({"maybe": math.nan}, "maybe: "),
        ({"least": math.inf}, "least: expected a finite number, found inf"),
        ({"several": [1.0, math.nan]}, "several: expected a finite number, found nan"),
        ({"named": {"a": math.inf}}, r"named\.a: expected a finite number, found inf"),
        ({"endless": math.nan}, "endless: expected a finite number, found nan"),
        ({"reward": math.nan}, r"reward\.weight: expected a finite number, found nan"),
        ({"reward": {"weight": "inf"}}, r"reward\.weight: expected a finite number, found inf"),
    ],
)
def test_a_number_that_is_none_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=f"^{told}"):
        validated(Numbers, given)


def test_a_default_without_end_may_be_said_and_nan_may_be_a_name() -> None:
    assert validated(Numbers, {}).endless == validated(Numbers, {"endless": math.inf}).endless == math.inf
    assert validated(Numbers, parse_flags(["--text", "nan"])).text == "nan"
    assert validated(Numbers, {"reward": {"weight": 1, "name": math.nan}}).reward.options.keys() == {"name"}
