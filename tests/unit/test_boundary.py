"""The boundary is crossed once a call, whatever the author's method calls, returns or raises."""

from __future__ import annotations

import asyncio
import fractions
import math
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym.boundary import checked_about, checked_action, checked_reset, checked_step, checked_tasks, guarded
from agentgym.errors import EnvError
from agentgym.types import Action, Observation, ToolCall


class Base:
    """Notes each crossing."""

    _inside = False

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before(self, said: str) -> dict[str, Any]:
        self.seen.append(f"before {said}")
        return {"said": said.strip()}

    def after(self, result: Any) -> Any:
        self.seen.append(f"after {result}")
        return f"checked {result}"


def plain(self: Any, said: str) -> Any:
    if said == "fail":
        raise KeyError(said)
    return f"{self.deeper('again')} and {said}" if said == "deep" else said


async def later(self: Any, said: str) -> Any:
    await asyncio.sleep(0)
    if said == "fail":
        raise KeyError(said)
    return f"{await self.deeper('again')} and {said}" if said == "deep" else said


def returns_later(self: Any, said: str) -> Any:
    return later(self, said)


class Plain(Base):
    go = deeper = guarded(plain, Base.before, Base.after)


class Later(Base):
    go = deeper = guarded(later, Base.before, Base.after)


class ReturnsLater(Base):
    go = deeper = guarded(returns_later, Base.before, Base.after)


async def result_of(call: Any) -> Any:
    return await call if isinstance(call, Awaitable) else call


@pytest.mark.parametrize("make", [Plain, Later, ReturnsLater])
def test_one_call_is_one_crossing_also_when_it_calls_itself_and_after_it_raised(make: Callable[[], Any]) -> None:
    async def go() -> None:
        one = make()
        assert await result_of(one.go(" a ")) == "checked a"
        assert one.seen == ["before  a ", "after a"]
        one.seen.clear()
        assert await result_of(one.go("deep")) == "checked again and deep"
        assert one.seen == ["before deep", "after again and deep"]
        for _ in range(2):
            one.seen.clear()
            with pytest.raises(KeyError, match="fail"):
                await result_of(one.go("fail"))
            assert one.seen == ["before fail"]
        assert await result_of(one.go("b")) == "checked b"
        assert one.seen == ["before fail", "before b", "after b"]

    asyncio.run(go())


def test_what_is_refused_before_it_is_called_leaves_it_as_it_was() -> None:
    class Refuses(Base):
        def before(self, said: str) -> dict[str, Any]:
            raise ValueError(said)

        go = guarded(plain, before, Base.after)

    one = Refuses()
    for _ in range(2):
        with pytest.raises(ValueError, match="a"):
            one.go("a")
    assert one.seen == []


def test_a_guarded_method_has_its_authors_name_and_is_async_where_that_is() -> None:
    assert (Plain.go.__name__, Later.go.__name__) == ("plain", "later")
    assert asyncio.iscoroutinefunction(Later.go)
    assert not asyncio.iscoroutinefunction(ReturnsLater.go)


# -- what comes back -------------------------------------------------------------------------------------


class Unshown:
    """Cannot be shown, compared or told from True and False."""

    def __repr__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError


class Louder(str):
    """Says something else than it is."""

    def __str__(self) -> str:
        return "louder"

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b""

    def __len__(self) -> int:
        return 10**9


def step(seen: Any = "s", reward: Any = 0.0, info: Any = None, total: float = 0.0) -> Any:
    return checked_step((seen, reward, False, False, {} if info is None else info), total)


def tool(**about: Any) -> Any:
    """An observation with one tool that can be called."""
    return Observation("s", tools=[about])


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ({"success": np.array([1, 0])}, r"info\[\"success\"\] is ndarray array\(\[1, 0\]\), expected True or False"),
        ({"success": "False"}, r"info\[\"success\"\] is str 'False', expected True or False"),
        ({"success": math.nan}, r"info\[\"success\"\] is float nan"),
        ({"success": 0.5}, r"info\[\"success\"\] is float 0.5"),
        ({"success": [True]}, r"info\[\"success\"\] is list"),
        ({"success": Unshown()}, r"is Unshown \[which cannot be shown: __repr__ raised RuntimeError\], expected True"),
        ({"invalid_action": "\ud800"}, r"info\[\"invalid_action\"\] is text that UTF-8 can carry, found str"),
        ({"invalid_action": True}, r"info\[\"invalid_action\"\] is bool True, expected text that says what was wrong"),
        ({"invalid_action": Unshown()}, r"info\[\"invalid_action\"\] is Unshown"),
        ({"channels": {"far": fractions.Fraction(10**400)}}, r"info\[\"channels\"\]\[\"far\"\] is Fraction"),
    ],
)
def test_what_info_cannot_mean_is_told(info: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        step(info=info)
    with pytest.raises(ValueError, match=told):
        checked_reset(("s", info))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"success": np.bool_(True)}, {"success": True}),
        ({"success": 1}, {"success": True}),
        ({"success": np.float32(0)}, {"success": False}),
        ({"success": None, "x": 1}, {"x": 1}),
        ({"invalid_action": None}, {}),
        ({"invalid_action": False}, {}),
        ({"invalid_action": ""}, {}),
        ({"invalid_action": Louder("no")}, {"invalid_action": "no"}),
    ],
)
def test_info_is_told_as_callers_may_rely_on_it(given: dict[str, Any], meant: dict[str, Any]) -> None:
    info = step(info=given).info
    assert info == meant
    assert [type(value) for value in info.values()] == [type(value) for value in meant.values()]


def test_info_of_a_class_of_its_own_becomes_a_plain_dict() -> None:
    class Odd(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise RuntimeError("get")

        __iter__ = items = get

    _, info = checked_reset(("", Odd(success=True, page=7)))
    assert (type(info), info) == (dict, {"success": True, "page": 7})
    assert type(checked_reset(("", Odd(page=7)))[1]) is dict


@pytest.mark.parametrize("nothing", [False, np.False_, "", None, np.str_("")])
def test_an_action_with_which_nothing_was_wrong(nothing: Any) -> None:
    assert checked_reset(("", {"invalid_action": nothing, "page": 7}))[1] == {"page": 7}


def test_info_that_means_nothing_here_is_the_authors_own() -> None:
    info = {"pixels": np.ones(3), "f": print}
    assert step(info=info).info is info


@pytest.mark.parametrize(
    ("reward", "total", "told"),
    [
        (
            1e308,
            0.0,
            r"step gave the reward float 1e\+308, expected no more than 1e\+12 either way; pay in larger units",
        ),
        (-2e12, 0.0, r"step gave the reward float -2000000000000.0, expected no more than 1e\+12"),
        (6e11, 6e11, r"the rewards of the episode add up to 1200000000000.0, expected no more than 1e\+12 either way"),
        (-6e11, -6e11, r"the rewards of the episode add up to -1200000000000.0"),
        (10**400, 0.0, "step gave the reward int 1000.*, expected a finite number"),
        (fractions.Fraction(10**400), 0.0, "step gave the reward Fraction .*, expected a finite number"),
    ],
)
def test_rewards_and_sums_of_them_that_nothing_can_learn_from_are_told(reward: Any, total: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        step(reward=reward, total=total)


def test_the_largest_reward_is_paid() -> None:
    assert step(reward=1e12).reward == 1e12
    assert step(reward=-5e11, total=-5e11).reward == -5e11


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (Observation("s", admissible=["go", 1]), r"admissible\[1\] is text, found int 1"),  # type: ignore[list-item]
        (Observation("s", admissible=["\ud800"]), r"admissible\[0\] is text that UTF-8 can carry"),
        (Observation("s", tools={"name": "add"}), r"tools\[0\] is str 'name', expected a dict with a \"name\""),  # type: ignore[arg-type]
        (tool(name=object()), r"tools\[0\]\['name'\] is object .*, which JSON cannot say"),
        (tool(name="add", parameters={"x": {1, 2}}), r"tools\[0\]\['parameters'\]\['x'\] is set"),
        (
            tool(name="add", parameters={"x": math.inf}),
            r"tools\[0\]\['parameters'\]\['x'\] is float inf, expected a finite",
        ),
        (tool(name="add", parameters={1: 2}), r"a key in tools\[0\]\['parameters'\] is text, found int 1"),
        (tool(name="add", parameters=[10**400]), r"tools\[0\]\['parameters'\]\[0\] is int 1000"),
        (tool(parameters={}), r"tools\[0\] has the name NoneType None, expected text"),
        (tool(type="function", function={"name": ""}), r"tools\[0\] has the name str ''"),
    ],
)
def test_what_can_be_done_is_text_and_tools_are_json(seen: Observation, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        step(seen)
    with pytest.raises(ValueError, match=told):
        checked_reset((seen, {}))


def test_a_tool_that_holds_itself_is_told() -> None:
    endless: dict[str, Any] = {"name": "add"}
    endless["more"] = endless
    with pytest.raises(ValueError, match=r"which JSON cannot say"):
        step(tool(**endless))


def test_attributes_that_were_written_over_are_told() -> None:
    for name in ("admissible", "tools"):
        seen = Observation("s")
        setattr(seen, name, 7)
        with pytest.raises(ValueError, match=f"{name} is int 7, expected a list"):
            step(seen)


def test_text_of_any_class_becomes_plain_text() -> None:
    seen = step(Louder("hi")).observation
    assert (type(seen), str(seen), len(seen)) == (Observation, "hi", 2)
    (action,) = step(Observation("s", admissible=[np.str_("go")])).observation.admissible
    assert (type(action), action) == (str, "go")


def test_tools_become_plain_json_and_are_looked_at_once() -> None:
    plain = {"name": "add", "parameters": {"type": "object", "required": ["a"]}}
    first = step(Observation("s", tools=[plain])).observation
    assert first.tools[0] is plain
    plain["parameters"] = {1}  # not what an author does: it shows that nobody looks
    again = checked_step((Observation("s", tools=[plain]), 0.0, False, False, {}), known=first).observation
    assert again.tools[0] is plain
    odd = MappingProxyType({"name": np.str_("add"), "default": np.int64(3), "of": ("a", None, True, 0.5)})
    (made,) = step(Observation("s", tools=[odd])).observation.tools
    assert made == {"name": "add", "default": 3, "of": ["a", None, True, 0.5]}
    assert (type(made), type(made["default"]), type(made["of"])) == (dict, int, list)


def test_an_observation_as_it_should_be_is_the_authors_own() -> None:
    seen = Observation("s", admissible=("go",), tools=[{"name": "add"}])
    assert step(seen).observation is seen


def test_a_text_as_the_list_of_actions_is_told_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"admissible is text 'look', expected a list of actions: \['look'\]"):
        Observation("s", admissible="look")


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ((5, "", 1, 1), "its name is text, found int 5"),
        (("a", None, 1, 1), "its instructions is text, found NoneType"),
        (("a", "", "x", 1), "max_turns is str 'x', expected a whole number from 1 on"),
        (("a", "", 0, 1), "max_turns is int 0"),
        (("a", "", True, 1), "max_turns is bool True"),
        (("a", "", 2.5, 1), "max_turns is float 2.5"),
        (("a", "", 1, -1), "corpus_episodes is int -1, expected a whole number from 0 on"),
    ],
)
def test_what_an_environment_says_of_itself_is_looked_at(about: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        checked_about(*about)
    assert checked_about("a", "Go.", np.int64(3), 0) == ("a", "Go.", 3, 0)


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ({"a": 1}, r'tasks\("test"\) is dict \{\'a\': 1\}, expected a list of ids'),
        ("abc", r'tasks\("test"\) is str'),
        (None, r'tasks\("test"\) is NoneType'),
        (iter([1]), r'tasks\("test"\) is list_iterator'),
        ([1, None], r'tasks\("test"\)\[1\] is NoneType None, expected a whole number or text'),
        ([0.5], r'tasks\("test"\)\[0\] is float 0.5'),
        ([{"id": 1}], r'tasks\("test"\)\[0\] is dict'),
        (["\ud800"], r'tasks\("test"\)\[0\] is text that UTF-8 can carry'),
    ],
)
def test_tasks_are_a_list_of_ids(tasks: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        checked_tasks("test", tasks)


def test_ids_of_tasks_become_plain_and_a_range_stays_one() -> None:
    found = checked_tasks("test", (np.int64(3), np.str_("a")))
    assert (found, [type(task) for task in found]) == ([3, "a"], [int, str])
    assert checked_tasks("test", np.arange(2)) == [0, 1]
    assert checked_tasks("test", range(10**12)) == range(10**12)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (7, "an expert says text, found int 7"),
        ("\ud800", "what an expert says is text that UTF-8 can carry"),
        (Action("x", tool_calls=[{"name": "add"}]), r"tool_calls\[0\] is dict .*, expected a ToolCall"),  # type: ignore[list-item]
        (Action(tool_calls=[ToolCall(name="add", arguments={"a": 1})]).text, ""),
        (Action("x", tool_calls=[ToolCall(name="add", arguments={"a": {1}})]), r"arguments\['a'\] is set \{1\}"),
        (Action("x", tool_calls=[ToolCall(name="add", arguments=[1])]), r"expected a ToolCall with a dict"),  # type: ignore[arg-type]
    ],
)
def test_what_an_expert_says_is_looked_at(said: Any, told: str) -> None:
    if not told:
        assert checked_action(said) == said
        return
    with pytest.raises(ValueError, match=told):
        checked_action(said)


def test_a_call_of_a_class_of_its_own_becomes_a_plain_one() -> None:
    class Odd(ToolCall):
        pass

    made = checked_action(Action("x", tool_calls=[Odd(name="add", arguments={"a": np.int64(1)}, id="c")]))
    assert (type(made.tool_calls[0]), made.tool_calls[0]) == (
        ToolCall,
        ToolCall(name="add", arguments={"a": 1}, id="c"),
    )


def test_methods_of_a_class_beside_the_environment_are_looked_at_too() -> None:
    class Game:
        def step(self, action: str) -> Any:
            return "seen", "much", False, False, {}

    class Played(Game, agentgym.Env):
        def reset(self, **_: Any) -> Any:
            return "seen", {}

    env = Played()
    assert type(env.reset(seed=1)[0]) is Observation
    with pytest.raises(EnvError, match="Played: step gave the reward str 'much'"):
        env.step("go")
