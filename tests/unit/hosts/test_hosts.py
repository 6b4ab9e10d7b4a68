"""The contract of hosts, in every place that environments run in."""

from __future__ import annotations

import asyncio
import random
import warnings
from typing import Any

import pytest

import agentgym
from agentgym import errors
from agentgym.errors import AgentGymError, ConfigError, EnvError, UserError
from agentgym.hosts import Host, Where, make_hosts
from agentgym.media import as_media
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec
from agentgym.types import Action, Observation, StepResult, ToolCall
from tests.unit.hosts.kit import EVERYWHERE, factory, hosted, opened
from tests.unit.hosts.odd import GARBAGE, RAISED, SAID, TOOLS, UNSENDABLE, pictures

STRINGS = ["", "\x00\x1b[2J", "<|im_start|>system\n<|im_end|>", "é漢🙂\u202e", '"\\\n\r\u2028', "[1, 2]", "\x7f\xff"]


async def shown(host: Host) -> None:
    assert (host.name, host.instructions, host.max_turns)[1:] == ("Say something. <|im_end|>", 7)
    observation, info = await host.reset(11, {"task": 3})
    assert info["options"] == {"task": 3}
    assert_shown(observation)
    call = ToolCall(name="add", arguments={"a": [1, None, "é"]}, id="c1")
    result = await host.step(Action(tool_calls=[call]))
    assert type(result) is StepResult
    assert_shown(result.observation)
    assert result.observation == 'heard [{"name": "add", "arguments": {"a": [1, null, "\\u00e9"]}}]'
    assert (result.reward, result.terminated, result.truncated) == (0.1, False, False)
    assert result.info["calls"] == [["add", {"a": [1, None, "é"]}, "c1"]]
    assert result.info["flag"] == True  # noqa: E712  # a bool of NumPy's, or of Python's after a journey
    assert (result.info["count"], result.info["share"], result.info["lone"]) == (3, 0.5, "\ud800")
    assert result.info["nested"] == {"list": [None, 1.5, "x"]}
    last = await host.step(Action("end"))
    assert (last.observation, last.reward, last.terminated) == ("heard end", 0.2, True)


def assert_shown(observation: Observation) -> None:
    assert observation.admissible == ("look", "end")
    assert observation.tools == TOOLS
    assert observation.images == tuple(map(as_media, pictures()))


@EVERYWHERE
@pytest.mark.parametrize("name", ["Show", "AsyncShow"])
def test_an_episode_with_all_that_it_can_carry(where: Where, name: str) -> None:
    async def go() -> None:
        async with hosted(where, name) as host:
            await shown(host)

    asyncio.run(go())


@EVERYWHERE
@pytest.mark.parametrize("name", ["Show", "AsyncShow"])
def test_options_of_a_draw_reach_reset_beside_the_task(where: Where, name: str) -> None:
    async def go() -> None:
        options = {"rung": 2, "sizes": [1, 2.5], "by": {"a": None}, "said": "é"}
        async with hosted(where, name) as host:
            for spec in (
                EpisodeSpec(task=3, seed=11, options=options),
                EpisodeSpec(task=4, seed=11),
                EpisodeSpec(task=None, seed=11, options={"rung": 0}),
            ):
                _, info = await host.reset(spec.seed, spec.reset_options)
                assert info["options"] == {**spec.options, **({} if spec.task is None else {"task": spec.task})}
            assert EpisodeSpec(task=None, seed=11).reset_options is None

    asyncio.run(go())


@EVERYWHERE
@pytest.mark.parametrize("name", ["Show", "AsyncShow"])
def test_one_expert_serves_an_episode(where: Where, name: str) -> None:
    async def go() -> list[Action | None]:
        said = []
        async with hosted(where, name) as host:
            seen, _ = await host.reset(1, None)
            for _ in range(2):
                said.append(await host.expert(seen))
                seen = (await host.step(Action("x"))).observation
            await host.reset(2, None)
            await host.step(Action("y"))
            said.append(await host.expert(Observation("something else")))
        return said

    first, second, third = asyncio.run(go())
    assert (type(first), str(first)[:30]) == (Action, "made at 0, asked at 0, shown d")
    assert second == "made at 0, asked at 1, shown heard x"
    assert third == "made at 1, asked at 1, shown something else"


@EVERYWHERE
def test_no_expert_is_none(where: Where) -> None:
    async def go() -> Action | None:
        async with hosted(where, "Plain") as host:
            seen, _ = await host.reset(1, None)
            return await host.expert(seen)

    assert asyncio.run(go()) is None


async def raised(host: Host, when: str, what: str) -> AgentGymError:
    async def episode() -> None:
        seen, _ = await host.reset(5, {"task": 8, "what": what, "when": when})
        await host.step(Action("look"))
        await host.expert(seen)

    with pytest.raises((EnvError, UserError)) as error:
        await episode()
    return error.value


def assert_told(error: AgentGymError, what: str) -> None:
    """The type is right, and the text is short and names what was raised."""
    kind = errors.DataError if what == "Mistaken" else getattr(errors, what, EnvError)
    assert isinstance(error, kind)
    assert len(str(error)) < 6000
    said = {
        "long": "ValueError: beginx",
        "lone": r"ValueError: \ud800",
        "group": "KeyError: 'inner'",
        "Mistaken": "record",
    }
    assert said.get(what, str(RAISED[what]()) if hasattr(errors, what) else f"raised {what}: ") in str(error)


@EVERYWHERE
@pytest.mark.parametrize(
    ("when", "situation"),
    [("reset", "task 8, seed 5)"), ("step", "task 8, seed 5, last action 'look')"), ("expert", "last action 'look')")],
)
def test_whatever_is_raised_is_told(where: Where, when: str, situation: str) -> None:
    async def go() -> None:
        async with hosted(where, "Raise") as host:
            for what in RAISED:
                error = await raised(host, when, what)
                assert_told(error, what)
                if type(error) is EnvError:
                    assert situation in str(error)
                    assert f'self.at("{when}")' in str(error)
            await host.reset(1, {"what": "", "when": ""})

    asyncio.run(go())


@EVERYWHERE
@pytest.mark.parametrize("what", ["KeyError", "SystemExit", "Private", "ConfigError"])
def test_whatever_is_raised_when_it_is_made_is_told(where: Where, what: str) -> None:
    async def go() -> None:
        async with opened(where, "Raise", what=what) as hosts:
            with pytest.raises((EnvError, UserError)) as error:
                await hosts.open()
        assert_told(error.value, what)

    asyncio.run(go())


@EVERYWHERE
def test_garbage_is_refused_at_the_boundary(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Give") as host:
            for what in GARBAGE:
                await host.reset(5, None)
                with pytest.raises(EnvError, match=r"^Give: .*\(seed 5, after 1 actions\)$"):
                    await host.step(Action(what))

    asyncio.run(go())


@EVERYWHERE
def test_what_goes_past_the_checks_of_the_class_is_checked_all_the_same(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Past") as host:
            await host.reset(5, None)
            with pytest.raises(EnvError, match=r'info\["success"\] is str \'no\', expected True or False; this passed'):
                await host.step(Action("x"))
        async with hosted(where, "Past", reward=2e12) as host:
            await host.reset(5, None)
            with pytest.raises(
                EnvError, match=r"step gave the reward float 2000000000000.0, expected no more than 1e\+12"
            ):
                await host.step(Action("x"))

    asyncio.run(go())


@EVERYWHERE
def test_what_an_expert_says_is_checked_where_it_says_it(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Past") as host:
            for what, (_, told) in SAID.items():
                seen, _ = await host.reset(5, {"said": what})
                with pytest.raises(EnvError, match=told):
                    await host.expert(seen)
            seen, _ = await host.reset(5, None)
            said = await host.expert(seen)
            assert (type(said), str(said)) == (Action, "go")

    asyncio.run(go())


def test_what_cannot_leave_a_process_is_named() -> None:
    async def go() -> None:
        async with hosted("processes", "Give") as host:
            for what, (_, named) in UNSENDABLE.items():
                await host.reset(5, None)
                with pytest.raises(EnvError, match=named):
                    await host.step(Action(what))

    asyncio.run(go())


@EVERYWHERE
def test_a_step_after_the_end_is_an_error(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Show") as host:
            await host.reset(5, None)
            await host.step(Action("end"))
            with pytest.raises(EnvError, match="step was called on an episode that is over"):
                await host.step(Action("end"))

    asyncio.run(go())


@EVERYWHERE
def test_strange_texts_come_back(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Plain") as host:
            await host.reset(0, None)
            for text in STRINGS:
                assert (await host.step(Action(text))).observation == text
            with pytest.raises(EnvError, match="UTF-8"):
                await host.step(Action("\udcff"))

    asyncio.run(go())


@EVERYWHERE
@pytest.mark.parametrize("megabytes", [1, 50])
def test_long_observations_and_actions(where: Where, megabytes: int) -> None:
    async def go() -> None:
        async with hosted(where, "Plain", text='é"\n\x00', times=megabytes * 200_000) as host:
            await host.reset(0, None)
            assert (await host.step(Action("x"))).observation == 'é"\n\x00' * (megabytes * 200_000)
        async with hosted(where, "Plain") as host:
            await host.reset(0, None)
            long = "x" * 3_000_000  # more than the system holds on the way
            assert (await host.step(Action(long))).observation == long

    asyncio.run(go())


async def random_episodes(where: Where, id: str) -> list[Any]:
    """Three episodes of random admissible actions."""
    hosts = make_hosts(where, EnvFactory(id))
    host = await hosts.open()
    played: list[Any] = []
    for seed in range(3):
        rng, (observation, info) = random.Random(seed), await host.reset(seed, None)
        played.append((observation, observation.admissible, info, await host.expert(observation)))
        for _ in range(host.max_turns):
            action = Action(rng.choice(observation.admissible or ["look"]).replace("<query>", "red mug"))
            result = await host.step(action)
            observation = result.observation
            played.append((action, result, observation.admissible))
            if result.terminated or result.truncated:
                break
    await host.close()
    await hosts.close()
    return played


@pytest.mark.parametrize("id", ["blocksworld", "webshop"])
def test_episodes_are_the_same_everywhere(id: str) -> None:
    first, *others = (asyncio.run(random_episodes(where, id)) for where in ("loop", "threads", "processes"))
    assert len(first) > 9
    assert others == [first, first]


@EVERYWHERE
def test_hosts_that_were_closed_open_again(where: Where) -> None:
    async def go() -> None:
        hosts = make_hosts(where, factory("Show"))
        for _ in range(2):
            host = await hosts.open()
            await host.reset(1, None)
            assert (await host.step(Action("x"))).observation == "heard x"
            await host.close()
            await hosts.close()

    asyncio.run(go())


@EVERYWHERE
def test_a_call_that_nobody_waits_for_does_not_shift_the_answers(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "AsyncShow") as host:
            await host.reset(0, None)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await host.step(Action("lost"))
            assert (await host.step(Action("next"))).observation == "heard next"

    asyncio.run(go())


@EVERYWHERE
def test_many_at_once(where: Where) -> None:
    async def one(host: Host, number: int) -> str:
        seen, _ = await host.reset(number, None)
        for turn in range(5):
            assert (await host.step(Action(f"{number} {turn}"))).observation == f"heard {number} {turn}"
        await host.close()
        return str(seen)

    async def go() -> list[str]:
        async with opened(where, "Show") as hosts:
            all_hosts = await asyncio.gather(*(hosts.open() for _ in range(64)))
            return list(await asyncio.gather(*map(one, all_hosts, range(64))))

    seen = asyncio.run(go())
    assert len(set(seen)) == 64
    assert seen[3] == agentgym.make(factory("Show").id).reset(seed=3)[0]


@EVERYWHERE
def test_an_environment_that_raises_while_closing_is_told_of(where: Where) -> None:
    async def go() -> None:
        async with opened(where, "Raise") as hosts:
            host = await hosts.open()
            await host.reset(0, {"what": "KeyError", "when": "close"})
            with pytest.warns(RuntimeWarning, match="did not close: .*KeyError: 'shelf'"):
                await host.close()

    asyncio.run(go())


@EVERYWHERE
def test_closing_and_killing_twice_is_fine_and_nothing_can_be_called_after(where: Where) -> None:
    async def go() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async with opened(where, "Show") as hosts:
                host = await hosts.open()
                await host.close()
                await host.close()
                host.kill()
                other = await hosts.open()
                other.kill()
                other.kill()
                await other.close()
                if where != "loop":
                    for dead in (host, other):
                        with pytest.raises(EnvError, match="was given up"):
                            await dead.reset(0, None)

    asyncio.run(go())


def test_places_and_makers_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match=r'no place "thread"\. Did you mean "threads"\?'):
        make_hosts("thread", factory("Show"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="EnvFactory"):
        make_hosts("processes", lambda: agentgym.make("blocksworld"))
    assert type(make_hosts("threads", lambda: agentgym.make("blocksworld"))).__name__ == "ThreadHosts"


# -- what it says of itself, and how it may not leave ------------------------------------------------------


@EVERYWHERE
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("instructions", "nothing", "its instructions is text, found NoneType None"),
        ("max_turns", "x", "max_turns is str 'x', expected a whole number from 1 on"),
        ("corpus_episodes", "list", r"corpus_episodes is list \[\], expected a whole number from 0 on"),
    ],
)
def test_what_it_says_of_itself_is_looked_at_when_it_is_made_and_reset(
    where: Where, key: str, value: str, told: str
) -> None:
    async def go() -> None:
        async with opened(where, "Says", key=key, value=value) as hosts:
            with pytest.raises(EnvError, match=told):
                await hosts.open()
        async with hosted(where, "Says", key=key, value=value, late=True) as host:
            with pytest.raises(EnvError, match=told):
                await host.reset(0, None)

    asyncio.run(go())


@EVERYWHERE
def test_a_step_that_is_put_on_the_instance_is_told(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Instance") as host:
            await host.reset(0, None)
            with pytest.raises(EnvError, match=r"step returned tuple .*define the method in the class"):
                await host.step(Action("x"))

    asyncio.run(go())


@EVERYWHERE
def test_leaving_the_process_is_an_error_of_the_environment(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Says", key="x", value="x") as host:
            await host.reset(0, None)
            said = r"left with exit code 0" if where == "processes" else r"raised SystemExit: os\._exit\(0\)"
            with pytest.raises(EnvError, match=said) as caught:
                await host.step(Action("leave"))
            assert where == "processes" or str(caught.value).endswith("os._exit(0)")  # the author's line is the last

    asyncio.run(go())


@EVERYWHERE
def test_tasks_and_whether_there_is_an_expert(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Show") as host:
            assert await host.tasks("validation") == range(1_000_000, 1_001_000)
            with pytest.raises(UserError, match='unknown split "tset"'):
                await host.tasks("tset")
            await host.reset(0, None)
            assert await host.has_expert() is True
            assert host.corpus_episodes == 200
        async with hosted(where, "Plain") as host:
            await host.reset(0, None)
            assert await host.has_expert() is False
        async with hosted(where, "Says", key="tasks", value="list") as host:
            with pytest.raises(EnvError, match="not callable"):
                await host.tasks("train")

    asyncio.run(go())
