"""Plug-ins are found by id, path, entry point or registration, and what is not found is told apart."""

from __future__ import annotations

import asyncio
import importlib
import pickle
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import agentgym
from agentgym import config, registry
from agentgym.errors import ConfigError, EnvError, UnknownIdError, UserError
from agentgym.manual import describe
from agentgym.registry import EnvFactory
from agentgym.types import StopReason, Trajectory, Turn
from tests.kit import BELL

ENV = """
    @agentgym.register
    class {name}(agentgym.Env):
        def reset(self, *, seed=None, options=None):
            return "{name}", {{}}

        def step(self, action):
            return "", 0.0, True, False, {{}}
"""


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path) -> Iterator[None]:
    """Whatever a test registers and imports is forgotten after it, but for what belongs to the package."""
    before, modules, gym = entered(), dict(sys.modules), dict(gymnasium.registry)
    yield
    for table, name, plugins in tables():
        kept = before[id(table), name]
        own = {id: plugin for id, plugin in plugins.items() if plugin.__module__.startswith("agentgym.")}
        setattr(table, name, {**kept, **own})  # a module that stays imported registers once
    for name in set(sys.modules) - set(modules):
        if name.startswith("agentgym_file") or str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    gymnasium.registry.clear()
    gymnasium.registry.update(gym)


def tables() -> Iterator[tuple[registry.Registry, str, dict[str, Any]]]:
    """What the registries hold, whatever they call it."""
    for kind in registry.KINDS:
        table = agentgym.plugins(kind)
        yield from ((table, name, value) for name, value in list(vars(table).items()) if isinstance(value, dict))


def entered() -> dict[tuple[int, str], dict[str, Any]]:
    return {(id(table), name): dict(plugins) for table, name, plugins in tables()}


def write(folder: Path, file: str, *names: str, header: str = "import agentgym\n") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / file
    path.write_text(header + "".join(textwrap.dedent(ENV.format(name=name)) for name in names))
    return path


def test_a_typo_is_answered_with_the_nearest_id() -> None:
    with pytest.raises(
        UnknownIdError, match=r'unknown environment "webshp"\. Did you mean "webshop"\? Known: .*webshop'
    ):
        agentgym.make("webshp")


def test_an_unknown_id_is_a_lookup_error_and_the_users() -> None:
    with pytest.raises(LookupError) as error:
        agentgym.make("no such thing at all")
    assert isinstance(error.value, UserError)
    assert "./mine.py" in str(error.value)


def test_by_path(tmp_path: Path) -> None:
    file = write(tmp_path, "maze_by_path.py", "Maze")
    env = agentgym.make(str(file))
    assert env.reset(seed=0)[0] == "Maze"
    assert type(agentgym.make(str(file))) is type(env)
    assert type(agentgym.make("maze_by_path")) is type(env)
    assert env.name == "maze_by_path"
    assert gymnasium.make("agentgym/maze_by_path-v0").reset()[0] == "Maze"


def test_by_path_and_class(tmp_path: Path) -> None:
    file = write(tmp_path, "two_mazes.py", "Big", "Small")
    assert agentgym.make(f"{file}:Small").reset()[0] == "Small"
    assert agentgym.make(f"{file}:Big").reset()[0] == "Big"
    assert {"two_mazes", "two_mazes-Small"} <= set(agentgym.plugins("environments").ids())


def test_a_class_that_is_not_registered_is_found_by_path_and_class(tmp_path: Path) -> None:
    file = write(tmp_path, "bare_maze.py", "Maze")
    file.write_text(file.read_text().replace("@agentgym.register\n", ""))
    assert agentgym.make(f"{file}:Maze").reset()[0] == "Maze"
    with pytest.raises(UserError, match="must register exactly one of environments, found none; add"):
        agentgym.make(str(write(tmp_path, "empty_maze.py")))


def test_what_is_not_registered_is_found_where_it_is_the_only_one_of_its_kind(tmp_path: Path) -> None:
    file = write(tmp_path, "plain_maze.py", "Maze")
    file.write_text(file.read_text().replace("@agentgym.register\n", "") + "\nclass Wall: ...\n")
    assert agentgym.make(str(file)).reset()[0] == "Maze"
    praise = tmp_path / "plain_praise.py"
    praise.write_text("from json import dumps\ndef praise(trajectory): return []\ndef _part(turn): return 0\n")
    assert agentgym.plugins("rewards").get(str(praise)).__name__ == "praise"
    both = tmp_path / "praise_and_blame.py"
    both.write_text("def praise(trajectory): return []\ndef blame(trajectory): return []\n")
    with pytest.raises(UserError, match=r"found praise, blame; .*praise_and_blame\.py:praise or blame$"):
        agentgym.plugins("rewards").get(str(both))


def test_a_path_to_a_file_of_two_classes_asks_which(tmp_path: Path) -> None:
    file = write(tmp_path, "which_maze.py", "Big", "Small")
    with pytest.raises(UserError, match=r"found Big, Small.*which_maze\.py:Big or Small$"):
        agentgym.make(str(file))


def test_a_class_that_the_file_lacks(tmp_path: Path) -> None:
    file = write(tmp_path, "lacking_maze.py", "Maze")
    with pytest.raises(UnknownIdError, match=r'has no "Mase"\. Did you mean "Maze"\?'):
        agentgym.make(f"{file}:Mase")


def test_something_of_the_file_that_is_no_environment(tmp_path: Path) -> None:
    file = write(tmp_path, "odd_maze.py", "Maze")
    file.write_text(file.read_text() + "\ndef helper():\n    return 7\nclass Other: ...\n")
    with pytest.raises(UserError, match=r"found int 7, expected an agentgym\.Env"):
        agentgym.make(f"{file}:helper")
    with pytest.raises(UserError, match=r"Other.* is no environment"):
        agentgym.make(f"{file}:Other")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file: .*nowhere\.py$"):
        agentgym.make(str(tmp_path / "nowhere.py"))
    (tmp_path / "knowhere.py").touch()
    with pytest.raises(UserError, match=r'no such file: .*nowhere\.py\. Did you mean "knowhere\.py"\?'):
        agentgym.make(str(tmp_path / "nowhere.py"))


@pytest.mark.parametrize("kind", ["environments", "rewards", "trainers", "protocols"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ndef f(:\n", ":2: SyntaxError: invalid syntax"),
        (
            "\nimport not_to_be_had\n",
            ":2: ModuleNotFoundError: No module named 'not_to_be_had'; type: pip install",
        ),
        ("import beside_it\n", "No module named 'beside_it'; type: PYTHONPATH={} agentgym …"),
        (
            "from math import no_such_thing\n",
            ":1: ImportError: cannot import name 'no_such_thing' from 'math'",
        ),
        ("def f():\n    raise RuntimeError('not me')\n\nf()\n", ":2: RuntimeError: not me"),
        ("import json\njson.loads('x')\n", ":2: JSONDecodeError: Expecting value"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_with_the_line(kind: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").touch()
    file = tmp_path / "broken_plugin.py"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        agentgym.plugins(kind).get(str(file))
    assert str(caught.value).startswith("cannot import ")
    assert told.format(tmp_path) in str(caught.value)
    assert "broken_plugin" not in sys.modules


def test_what_an_error_of_ours_says_in_a_file_is_told_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "lacking.py"
    file.write_text("from agentgym.errors import MissingExtraError\nraise MissingExtraError('type: pip install it')\n")
    with pytest.raises(agentgym.errors.MissingExtraError, match=r"^type: pip install it$"):
        agentgym.make(str(file))


def test_an_id_that_is_a_file_or_a_folder_here_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mazes", "deep_maze.py", "Maze")
    write(tmp_path, "top_maze.py", "Maze")
    monkeypatch.chdir(tmp_path)
    for id, told in (
        ("top_maze", 'Did you mean "./top_maze.py"?'),
        ("mazes/deep_maze", 'Did you mean "./mazes/deep_maze.py"?'),
        ("./mazes", "That is a folder, with ./mazes/deep_maze.py."),
        (".", "That is a folder, with ./top_maze.py."),
    ):
        with pytest.raises(UnknownIdError) as caught:
            agentgym.make(id)
        assert f'unknown environment "{id}". {told} Known: ' in str(caught.value)


def test_a_name_behind_a_colon_is_for_those_that_take_one() -> None:
    with pytest.raises(ConfigError) as caught:
        agentgym.make("glimpse:hard")
    assert str(caught.value).startswith(
        'the environment "glimpse" takes no name behind a colon, found "glimpse:hard"; its options are --env.'
    )


def test_a_file_that_fails_to_import_is_not_half_loaded(tmp_path: Path) -> None:
    file = tmp_path / "failing_maze.py"
    file.write_text("import agentgym\nraise ZeroDivisionError('on import')\n")
    for _ in range(2):
        with pytest.raises(UserError, match=r"failing_maze\.py:2: ZeroDivisionError: on import$"):
            agentgym.make(str(file))
    file.write_text(write(tmp_path, "good.py", "Maze").read_text())
    assert agentgym.make(str(file)).reset()[0] == "Maze"


def test_a_file_that_ends_the_program_is_told(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(UserError, match=r'script\.py" calls sys\.exit\(0\) when it is imported; .*__main__'):
        agentgym.make(str(file))
    file = tmp_path / "leaving_maze.py"
    file.write_text(
        "import sys\nimport agentgym\n@agentgym.register\nclass Leaves(agentgym.Env):\n"
        "    def __init__(self):\n        sys.exit('no display')\n"
    )
    with pytest.raises(EnvError, match=r'leaving_maze\.py" raised SystemExit: no display when it was made'):
        agentgym.make(str(file))


def test_two_files_of_one_name_clash_and_say_so(tmp_path: Path) -> None:
    agentgym.make(str(write(tmp_path / "a", "clashing.py", "Maze")))
    with pytest.raises(ConfigError, match=r'the id "clashing" in environments is taken by .*@agentgym\.register\(id='):
        agentgym.make(str(write(tmp_path / "b", "clashing.py", "Maze")))


def test_a_file_named_like_a_built_in_one_does_not_take_its_place(tmp_path: Path) -> None:
    file = write(tmp_path, "webshop.py", "Mine")
    program = f"import agentgym; agentgym.make({str(file)!r})"  # in a process where webshop was not imported yet
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 'the id "webshop" in environments is taken' in done.stderr


def test_a_file_named_like_an_installed_module_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "installed", "installed_but_not_imported.py")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    file = write(tmp_path / "mine", "installed_but_not_imported.py", "Maze")
    assert agentgym.make(str(file)).name == "installed_but_not_imported"
    assert not hasattr(importlib.import_module("installed_but_not_imported"), "Maze")


def test_registering_the_same_class_again_is_no_clash() -> None:
    cls = agentgym.plugins("environments").get("webshop")
    assert agentgym.register(cls) is cls


def test_an_id_of_ones_own() -> None:
    class Named(agentgym.Env):
        pass

    assert agentgym.register(id="chosen-name")(Named) is Named
    assert agentgym.plugins("environments").get("chosen-name") is Named
    assert Named().name == "chosen-name"


def test_an_entry_point_of_another_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "other_package_maze.py", "Maze")
    info = tmp_path / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentgym.environments]\ntheir-maze = other_package_maze:Maze\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "their-maze" in agentgym.plugins("environments").ids()
    assert "other_package_maze" not in sys.modules
    assert agentgym.make("their-maze").reset()[0] == "Maze"


def test_listing_imports_nothing() -> None:
    program = (
        "import sys, agentgym; ids = agentgym.plugins('environments').ids(); assert 'webshop' in ids, ids;"
        "assert not [m for m in sys.modules if m.startswith('agentgym.environments.')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_option_that_the_environment_lacks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'unknown key "env.catalog"\. Did you mean "catalogue"\?'):
        agentgym.make("webshop", catalog="x")
    with pytest.raises(ConfigError, match=r'unknown key "env.size"\. Known here: none'):
        agentgym.make(str(write(tmp_path, "no_options.py", "Maze")), size=3)


LEVELED = """
    import agentgym
    from typing import Annotated, Literal
    from pydantic import Field

    @agentgym.register
    class Maze(agentgym.Env):
        \"\"\"A maze.\"\"\"

        def __init__(self, size: Annotated[int, Field(ge=2)] = 3, *, level: Literal["easy", "hard"] = "easy"):
            self.made_with = (size, level)
"""


def test_options_are_checked_by_the_constructors_signature(tmp_path: Path) -> None:
    file = tmp_path / "leveled_maze.py"
    file.write_text(textwrap.dedent(LEVELED))
    assert agentgym.make(str(file), size=5).made_with == (5, "easy")
    assert gymnasium.make("agentgym/leveled_maze-v0", level="hard").unwrapped.made_with == (3, "hard")  # type: ignore[attr-defined]
    assert EnvFactory(str(file), {"size": "4"})().made_with == (4, "easy")
    for make in (agentgym.make, gymnasium.make):
        with pytest.raises(ConfigError, match=r"env\.size: Input should be greater than or equal to 2, found 1"):
            make(str(file) if make is agentgym.make else "agentgym/leveled_maze-v0", size=1)


def test_a_plugin_with_settings_of_its_own_is_given_them() -> None:
    trainer = agentgym.plugins("trainers").build("sft", {"batch_size": "3"})
    assert trainer.settings.batch_size == 3
    with pytest.raises(ConfigError, match=r'unknown key "trainer\.batch_sise"\. Did you mean "batch_size"'):
        agentgym.plugins("trainers").build("sft", {"batch_sise": 3})


def test_what_an_engine_is_given_is_no_setting_of_it() -> None:
    assert "module" not in agentgym.plugins("engines").settings("embedded").model_fields
    engine = agentgym.plugins("engines").build("scripted", {"reply": list, "max_context": 9})
    assert (engine.reply, engine.max_context) == (list, 9)


def test_a_reward_is_a_function_or_a_class_with_settings(tmp_path: Path) -> None:
    rewards = agentgym.plugins("rewards")
    turn = Turn(observation="o", reply="r", reward=0.0)
    turns = Trajectory(env="e", task=0, seed=0, episode_id="e0", turns=[turn] * 3, stop_reason=StopReason.TERMINATED)
    assert rewards.build("turn-cost", {"free_turns": 2})(turns) == [0.0, 0.0, -1.0]
    assert rewards.build("success")(turns) == [0.0, 0.0, 0.0]
    with pytest.raises(ConfigError, match=r"rewards\.turn-cost\.free_turns: .*found -1"):
        rewards.build("turn-cost", {"free_turns": -1})
    with pytest.raises(ConfigError, match=r'unknown key "rewards\.success\.x"'):
        rewards.build("success", {"x": 1})
    file = tmp_path / "shapers.py"
    file.write_text("def half(trajectory):\n    return [0.5 for _ in trajectory.turns]\n")
    assert rewards.build(f"{file}:half")(turns) == [0.5] * 3


def test_a_reward_may_see_whole_groups(tmp_path: Path) -> None:
    file = tmp_path / "group_reward.py"
    file.write_text(
        "import agentgym\n@agentgym.register\nclass Apart(agentgym.Shaper):\n"
        "    def __init__(self, scale: float = 1.0):\n        self.scale = scale\n"
        "    async def shape(self, group):\n        return [[self.scale * len(group)] * len(t.turns) for t in group]\n"
    )
    made = agentgym.plugins("rewards").build(str(file), {"scale": 2})
    turn = Turn(observation="o", reply="r")
    group = [Trajectory(env="e", task=0, seed=0, episode_id=f"e{n}", turns=[turn] * n) for n in (1, 2)]
    assert asyncio.run(made.shape(group)) == [[4.0], [4.0, 4.0]]
    with pytest.raises(UserError, match=r"Apart .* is no environment"):
        agentgym.make(f"{file}:Apart")


def test_an_adapters_name_may_stand_in_the_id() -> None:
    table = agentgym.plugins("environments")
    assert table.get("gymnasium:Taxi-v3") is table.get("gymnasium")
    assert table.checked("gymnasium:Taxi-v3", {}) == table.checked("gymnasium", {"name": "Taxi-v3"})


def test_every_kind_lists_what_lies_in_its_package() -> None:
    """Files and folders, sorted, and none that begins with an underscore."""
    assert {kind: inside(kind) for kind in registry.KINDS if kind != "environments"} == {
        "rewards": [
            "call-format",
            "call-match",
            "conciseness",
            "diversity",
            "overlong-penalty",
            "plan-cost",
            "potential",
            "progress",
            "rank",
            "repetition",
            "strict-schedule",
            "success",
            "turn-cost",
        ],
        "protocols": ["plain", "react", "tools"],
        "curricula": ["frontier", "success-band", "uniform"],
        "engines": ["embedded", "openai", "scripted", "vllm"],
        "trainers": ["cory", "dpo", "grpo", "mixed", "ppo", "rloo", "sft"],
    }
    environments = inside("environments")
    assert environments == sorted(environments)
    assert {"glimpse", "webshop", "reasoning-gym", "thought-graph"} <= set(environments)
    assert {"-options", "_options", "init"}.isdisjoint(environments)


def inside(kind: str) -> list[str]:
    table = agentgym.plugins(kind)
    return [id for id in table.ids() if table.get(id).__module__.startswith(f"{table.package}.")]


def test_an_option_of_several_fields_is_checked_and_made(tmp_path: Path) -> None:
    """A hint that pydantic has a form of its own for: a dataclass, a model, a typed dict."""
    file = tmp_path / "several_fields.py"
    file.write_text(
        "import dataclasses\nimport enum\nimport agentgym\n"
        "@dataclasses.dataclass\nclass Size:\n    rows: int = 1\n"
        "class Color(enum.Enum):\n    RED = 'red'\n    BLUE = 'blue'\n"
        "@agentgym.register\nclass Board(agentgym.Env):\n"
        "    def __init__(self, size: Size = Size(2), color: Color = Color.RED):\n"
        "        super().__init__()\n        self.size, self.color = size, color\n"
        "    def reset(self, *, seed=None, options=None): return '', {}\n"
        "    def step(self, action): return '', 0.0, True, False, {}\n"
    )
    env = agentgym.make(str(file), size={"rows": 3}, color="blue")
    assert (env.size.rows, env.color.name) == (3, "BLUE")
    with pytest.raises(ConfigError, match=r"env\.size\.rows: Input should be a valid integer"):
        agentgym.make(str(file), size={"rows": "many"})
    shown = describe(agentgym.plugins("environments").settings(str(file)), "env.")
    assert "--env.size TABLE" in shown
    assert "--env.color red|blue    [red]" in shown


# -- from other distributions ------------------------------------------------------------------------------


class Point:
    """An entry point that counts how often it is loaded."""

    def __init__(self, name: str, plugin: Any) -> None:
        self.name, self.value, self.plugin = name, f"other_package:{plugin.__name__}", plugin
        self.loaded = 0

    def load(self) -> Any:
        self.loaded += 1
        return self.plugin


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Point]]:
    """Entry points by kind."""
    known: dict[str, list[Point]] = {kind: [] for kind in registry.KINDS}
    monkeypatch.setattr(registry, "entry_points", lambda *, group: known[group.removeprefix("agentgym.")])
    return known


class Foreign(agentgym.Env):
    """An environment of another distribution."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "Foreign", {}


class Another(Foreign):
    """One more."""


def test_an_entry_point_is_loaded_once_and_only_when_it_is_asked_for(points: dict[str, list[Point]]) -> None:
    point = Point("foreign", Foreign)
    points["environments"] += [Point("another", Another), point]
    table = agentgym.plugins("environments")
    assert {"another", "foreign"} <= set(table.ids())
    assert point.loaded == 0
    assert [agentgym.make("foreign").name, agentgym.make("foreign").name] == ["foreign", "foreign"]
    assert table.get("foreign") is Foreign
    assert [each.loaded for each in points["environments"]] == [0, 1]
    assert table.ids().count("foreign") == 1
    assert "foreign" not in agentgym.plugins("trainers").ids()


def test_an_entry_point_does_not_take_the_place_of_what_lies_here(points: dict[str, list[Point]]) -> None:
    points["environments"].append(Point("webshop", Foreign))
    assert agentgym.plugins("environments").get("webshop").__module__.startswith("agentgym.environments.webshop")
    assert agentgym.plugins("environments").ids().count("webshop") == 1
    assert points["environments"][0].loaded == 0


def test_of_two_entry_points_of_one_name_the_first_is_taken(points: dict[str, list[Point]]) -> None:
    points["environments"] += [Point("foreign", Foreign), Point("foreign", Another)]
    assert agentgym.plugins("environments").get("foreign") is Foreign
    assert [point.loaded for point in points["environments"]] == [1, 0]


@pytest.mark.parametrize(
    ("kind", "plugin", "told"),
    [
        ("trainers", Foreign, "Foreign in other_package:Foreign is no trainer: it derives from none"),
        ("curricula", Foreign, "Foreign in other_package:Foreign is no curriculum: it derives from none"),
        ("rewards", Foreign, "Foreign in other_package:Foreign is no reward: it derives from none"),
        ("environments", Point, "Point in other_package:Point is no environment: it derives from none"),
        ("protocols", entered, "entered in other_package:entered is no protocol: it derives from none"),
    ],
)
def test_an_entry_point_of_another_kind_is_told_and_not_entered(
    kind: str, plugin: Any, told: str, points: dict[str, list[Point]]
) -> None:
    points[kind].append(Point("from_elsewhere", plugin))
    for _ in range(2):
        with pytest.raises(UserError) as error:
            agentgym.plugins(kind).get("from_elsewhere")
        assert str(error.value) == told


def test_a_function_of_another_distribution_makes_an_environment_or_is_a_reward(
    points: dict[str, list[Point]],
) -> None:
    def made(size: int = 2) -> Foreign:
        env = Foreign()
        env.instructions = f"of size {size}"
        return env

    points["environments"].append(Point("made", made))
    points["rewards"].append(Point("judged", made))
    assert agentgym.make("made", size=3).instructions == "of size 3"
    assert agentgym.plugins("rewards").get("judged") is made


# -- the same thing twice ----------------------------------------------------------------------------------


COUNTED = "import agentgym\nopen('count', 'a').write('.')\n"


def test_a_file_is_imported_once_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(
        tmp_path / "there", "counted_maze.py", "Maze", header="import agentgym\nopen('count', 'a').write('.')\n"
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.py").symlink_to(file)
    table = agentgym.plugins("environments")
    names = (
        str(file),
        "./there/counted_maze.py",
        "there/../there/counted_maze.py",
        f"{file}:Maze",
        "link.py",
        "link.py:Maze",
    )
    assert len({table.get(name) for name in names}) == 1
    assert (tmp_path / "count").read_text() == "."
    assert [id for id in table.ids() if "counted" in id or "link" in id] == ["counted_maze"]


def test_a_file_that_was_imported_as_a_module_is_that_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By way of a link as well, as the environments here are."""
    file = write(tmp_path / "there", "importable_maze.py", "Maze")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    monkeypatch.syspath_prepend(str(tmp_path / "link"))
    module = importlib.import_module("importable_maze")
    assert agentgym.plugins("environments").get(str(file)) is module.Maze
    glimpse = Path(__file__).parents[2] / "environments" / "glimpse.py"
    assert agentgym.plugins("environments").get(str(glimpse)) is agentgym.plugins("environments").get("glimpse")


def test_a_file_that_can_be_imported_is_imported_under_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what it makes can be sent to another process."""
    file = write(tmp_path, "sendable_maze.py", "Maze")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = agentgym.plugins("environments").get(str(file))
    assert importlib.import_module("sendable_maze").Maze is made
    assert made.__module__ == "sendable_maze"


def test_files_whose_names_are_no_names_of_modules_are_kept_apart(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", "my-maze.py", "One"), write(tmp_path / "b", "my-maze.py", "Other")
    assert agentgym.make(str(one)).reset()[0] == "One"
    with pytest.raises(ConfigError, match='the id "my-maze" in environments is taken'):
        agentgym.make(str(other))
    assert agentgym.plugins("environments").get("my-maze").__name__ == "One"


def test_a_file_named_like_a_module_that_is_loaded_does_not_replace_it(tmp_path: Path) -> None:
    loaded = sys.modules["textwrap"]
    assert agentgym.make(str(write(tmp_path, "textwrap.py", "Maze"))).name == "textwrap"
    assert sys.modules["textwrap"] is loaded


def test_what_is_refused_leaves_the_first_in_its_place(tmp_path: Path) -> None:
    first, second = type("First", (Foreign,), {}), type("Second", (Foreign,), {})
    table = agentgym.plugins("environments")
    agentgym.register(id="one-name")(first)
    with pytest.raises(
        ConfigError, match=r'the id "one-name" in environments is taken by .*First.* again for .*Second'
    ):
        agentgym.register(id="one-name")(second)
    assert table.get("one-name") is first
    assert first.plugin_id == "one-name"  # type: ignore[attr-defined]
    assert "plugin_id" not in vars(second)
    with pytest.raises(ConfigError, match=r'"grpo" in trainers is taken by .*GRPO.*, found it again'):
        agentgym.plugins("trainers").add(second, "grpo")
    assert agentgym.plugins("trainers").get("grpo").__module__ == "agentgym.trainers.grpo"


def test_a_module_that_is_loaded_anew_brings_its_new_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "reloaded_maze.py", "Maze")
    monkeypatch.syspath_prepend(str(tmp_path))
    old = importlib.import_module("reloaded_maze")
    first = old.Maze
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Gymnasium warns where it is told of an environment twice
        again = importlib.reload(old).Maze
    assert again is not first
    assert agentgym.plugins("environments").get("reloaded_maze") is again


def test_a_file_may_hold_one_of_each_kind(tmp_path: Path) -> None:
    file = write(tmp_path, "both.py", "Maze")
    with file.open("a") as out:
        out.write("\n@agentgym.register\ndef half(trajectory):\n    return [0.5 for _ in trajectory.turns]\n")
    assert agentgym.make(str(file)).reset()[0] == "Maze"
    assert agentgym.plugins("rewards").get(str(file)).__name__ == "half"
    for kind, one in (("rewards", "reward"), ("curricula", "curriculum"), ("engines", "engine")):
        with pytest.raises(UserError, match=rf"Maze in .*both\.py is no {one}: it derives from none"):
            agentgym.plugins(kind).get(f"{file}:Maze")
    with pytest.raises(UserError, match=r"one of trainers, found none \(Maze, half: no trainer\); add @agentgym"):
        agentgym.plugins("trainers").get(str(file))


# -- what is asked for -------------------------------------------------------------------------------------


def test_what_is_given_wins_over_the_name_in_the_id() -> None:
    table = agentgym.plugins("environments")
    assert table.checked("gymnasium:Taxi-v3", {}).model_dump()["name"] == "Taxi-v3"
    assert table.checked("gymnasium:Taxi-v3", {"name": "CliffWalking-v1"}).model_dump()["name"] == "CliffWalking-v1"
    assert table.settings("gymnasium:Taxi-v3") is table.settings("gymnasium")


def test_a_curriculum_is_given_its_tasks_and_seed_besides_its_settings() -> None:
    table = agentgym.plugins("curricula")
    assert "tasks" not in table.settings("frontier").model_fields
    assert "seed" not in table.settings("frontier").model_fields
    with pytest.raises(ConfigError, match=r"curriculum\.replay: Input should be less than or equal to 1, found 2"):
        table.build("frontier", {"replay": 2}, [1, 2, 3], seed=5)


class Picky:
    """A curriculum by its signature."""

    plugin_kind = "curricula"

    def __init__(self, tasks: list[int], *, seed: int, level: int = 1) -> None:
        self.made_with = (tasks, seed, level)


class Strict:
    """A trainer that brings its settings."""

    plugin_kind = "trainers"

    class Settings(config.Settings):
        """Its settings."""

        size: int = 2

    def __init__(self, policy: str, settings: Settings, *, engine: str) -> None:
        self.made_with = (policy, settings.size, engine)


def test_what_a_plugin_is_given_besides_its_settings_arrives() -> None:
    for plugin in (Picky, Strict):
        agentgym.register(id=plugin.__name__.lower())(plugin)
    picky = agentgym.plugins("curricula").build("picky", {"level": "3"}, [1, 2], seed=7)
    assert picky.made_with == ([1, 2], 7, 3)
    assert agentgym.plugins("curricula").build("picky", None, tasks=[], seed=0).made_with == ([], 0, 1)
    strict = agentgym.plugins("trainers").build("strict", {"size": 4}, "policy", engine="engine")
    assert strict.made_with == ("policy", 4, "engine")
    with pytest.raises(ConfigError, match=r'unknown key "curriculum\.tasks"\. Known here: level'):
        agentgym.plugins("curricula").checked("picky", {"tasks": [1]})


def test_every_environment_here_is_known_to_gymnasium_by_its_id() -> None:
    mine = {registry.gymnasium_id(id) for id in inside("environments")}
    assert "agentgym/webshop-v0" in mine
    for name in mine:
        gymnasium.registry.pop(name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.tell_gymnasium_of_all()
        registry.tell_gymnasium_of_all()
    assert mine <= set(gymnasium.registry)
    assert gymnasium.make("agentgym/blocksworld-v0", level="b3").unwrapped.name == "blocksworld"  # type: ignore[attr-defined]


def test_gymnasium_knows_a_file_s_environment_whatever_the_file_s_name(tmp_path: Path) -> None:
    file = tmp_path / "my bell (1).py"
    file.write_text(Path(BELL).read_text())
    assert agentgym.plugins("environments").get(str(file)).__name__ == "Bell"
    assert registry.gymnasium_id("my bell (1)") == "agentgym/my-bell--1--v0"
    assert "agentgym/my-bell--1--v0" in gymnasium.registry
    gymnasium.registry.pop("agentgym/my-bell--1--v0")


def test_a_reward_is_not_told_to_gymnasium() -> None:
    def third(trajectory: Trajectory) -> list[float]:
        return []

    assert agentgym.register(id="third")(third) is third
    assert agentgym.plugins("rewards").get("third") is third
    assert "agentgym/third-v0" not in gymnasium.registry


def test_a_factory_makes_another_each_time_and_can_be_sent() -> None:
    factory = pickle.loads(pickle.dumps(EnvFactory("blocksworld", {"level": "b3"})))
    one, other = factory(), factory()
    assert one is not other
    assert type(one) is type(other) is agentgym.plugins("environments").get("blocksworld")
    assert EnvFactory("blocksworld").options == {}
    assert EnvFactory("blocksworld").options is not EnvFactory("blocksworld").options
