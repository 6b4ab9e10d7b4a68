"""A host of a process, between a nurse and a process that are made by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from agentgym.errors import EnvError
from agentgym.hosts.processes import wire
from agentgym.hosts.processes.channel import connected_pair
from agentgym.hosts.processes.frames import Frames, Packet, framed
from agentgym.hosts.processes.host import ProcessHost, ProcessHosts
from agentgym.hosts.processes.nurse import Death, Nurse, NurseryLost
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation
from tests.kit import until
from tests.unit.hosts.kit import finishes

KILLED = Death(-9, "was killed by signal 9 (SIGKILL)", "its last words")
MARK = Mark(id="m", rung="native", seed=8, options={"task": 2}, actions=("a", "b"), digests=("0", "1", "2"))


class Hand:
    """A nurse, and the process behind each host's socket."""

    is_alive = True

    def __init__(self) -> None:
        self.killed: list[int] = []
        self.others: list[socket.socket] = []
        self.told: list[Callable[[Death], None]] = []
        self.unknown: set[int] = set()
        self.frames = Frames()

    # what a host asks of a nurse

    def fork(self, on_death: Callable[[Death], None]) -> tuple[int, socket.socket]:
        ours, theirs = connected_pair()
        theirs.setblocking(False)
        self.others.append(theirs)
        self.told.append(on_death)
        return len(self.told) - 1, ours

    def kill(self, number: int) -> None:
        self.killed.append(number)

    def knows(self, number: int) -> bool:
        return number not in self.unknown

    # what the process does

    async def asked(self) -> dict[str, Any]:
        """The next call."""
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(self.others[0], 1 << 16):
            if packets := list(self.frames.feed(data)):
                return packets[0].head
        raise EOFError("the host has let go of the socket")

    def answer(self, packet: Packet | dict[str, Any]) -> None:
        self.others[0].sendall(framed(packet if isinstance(packet, Packet) else Packet(packet)))

    def die(self, death: Death = KILLED, number: int = 0) -> None:
        self.unknown.add(number)
        self.told[number](death)


def shown(text: str, **head: Any) -> Packet:
    return wire.pack_observation(Observation(text), **head)


@contextlib.asynccontextmanager
async def made() -> AsyncIterator[tuple[ProcessHost, Hand]]:
    """A host whose environment has been made."""
    hand = Hand()
    host = ProcessHost(cast(Nurse, hand), "the-id")
    begin = asyncio.create_task(host.begin())
    assert await hand.asked() == {"call": "make"}
    hand.answer({"name": "shop", "instructions": "Buy.", "max_turns": 5, "corpus_episodes": 2})
    await begin
    try:
        yield host, hand
    finally:
        host.kill()
        hand.others[0].close()


async def begun(host: ProcessHost, hand: Hand, seen: str = "first") -> Observation:
    reset = asyncio.create_task(host.reset(3, {"task": 1}))
    assert await hand.asked() == {"call": "reset", "seed": 3, "options": {"task": 1}}
    hand.answer(shown(seen, info={"n": 1}, instructions="Buy two.", max_turns=9))
    observation, info = await reset
    assert info == {"n": 1}
    return observation


def test_what_an_environment_says_of_itself_is_that_of_the_last_reset_or_load() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            assert (host.name, host.instructions, host.max_turns) == ("shop", "Buy.", 5)
            assert await begun(host, hand) == "first"
            assert (host.instructions, host.max_turns) == ("Buy two.", 9)
            load = asyncio.create_task(host.load(MARK))
            asked = await hand.asked()
            assert (asked["call"], wire.unpack_mark(asked["mark"])) == ("load", MARK)
            hand.answer(shown("there", info={"m": 2}, instructions="Buy three.", max_turns=4))
            assert await load == ("there", {"m": 2})
            assert (host.instructions, host.max_turns) == ("Buy three.", 4)

    finishes(go())


def test_an_observation_that_the_process_has_is_not_sent_back_and_any_other_is() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            seen = await begun(host, hand)
            for observation, sent in (
                (seen, {"call": "expert"}),
                (Observation("first"), {"call": "expert", "text": 5}),  # equal, but perhaps with other images
                (Observation("other"), {"call": "expert", "text": 5}),
            ):
                said = asyncio.create_task(host.expert(observation))
                assert await hand.asked() == sent
                hand.answer({"action": "go"})
                assert await said == "go"
            step = asyncio.create_task(host.step(Action("x")))
            assert await hand.asked() == {"call": "step", "action": "x"}
            hand.answer(shown("second", reward=0.5, terminated=False, truncated=True, info={}))
            result: Any = await step
            assert result == ("second", 0.5, False, True, {})
            for observation, sent in ((result.observation, {"call": "expert"}), (seen, {"call": "expert", "text": 5})):
                said = asyncio.create_task(host.expert(observation))
                assert await hand.asked() == sent
                hand.answer({})
                assert await said is None

    finishes(go())


def test_moments_are_forgotten_by_their_ids() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            save = asyncio.create_task(host.save())
            assert await hand.asked() == {"call": "save"}
            hand.answer(wire.pack_mark(MARK))
            assert await save == MARK
            forget = asyncio.create_task(host.forget(MARK, MARK))
            assert await hand.asked() == {"call": "forget", "ids": ["m", "m"]}
            hand.answer({})
            await forget

    finishes(go())


def test_answers_go_to_their_calls_in_order_and_those_of_nobody_to_nobody() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            complaints: list[Any] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            hand.answer({"action": "asked for by nobody"})
            for _ in range(3):
                await asyncio.sleep(0)
            assert complaints == []
            await begun(host, hand)
            lost = asyncio.create_task(host.step(Action("lost")))
            await hand.asked()
            lost.cancel()
            await asyncio.wait([lost])
            step = asyncio.create_task(host.step(Action("next")))
            await hand.asked()
            for text in ("of lost", "of next"):
                hand.answer(shown(text, reward=0.0, terminated=False, truncated=False, info={}))
            assert (await step).observation == "of next"

    finishes(go())


def test_what_failed_there_is_raised_here_with_its_circumstances() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            await begun(host, hand)
            step = asyncio.create_task(host.step(Action("x")))
            await hand.asked()
            hand.answer({"failed": ["EnvError", "raised KeyError: 'k'", "  File x"]})
            with pytest.raises(
                EnvError, match=r"^shop raised KeyError: 'k' \(task 1, seed 3, last action 'x'\)\n  File"
            ):
                await step
            load = asyncio.create_task(host.load(MARK))
            await hand.asked()
            hand.answer({"failed": ["EnvError", "raised KeyError: 'k'", "  File x"]})
            with pytest.raises(EnvError, match=r"\(task 2, seed 8, last action 'b'\)"):
                await load

    finishes(go())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "KeyError: 'text'"),
        (
            shown("s", reward="1", terminated=False, truncated=False, info={}),
            "ValueError: step gave the reward str",
        ),
        (shown("s", reward=0.0, terminated=1, truncated=False, info={}), "ValueError: step gave terminated=int 1"),
        (shown("s", reward=0.0, terminated=True, truncated=False, info={"success": "no"}), "ValueError: info"),
        (shown("s", reward=0.0, terminated=True, truncated=False, info=[]), "ValueError: info is a dict, found list"),
        (shown("s", reward=0.0, terminated=True, truncated=False, info={}, tools=[1]), "TypeError: its tools are no"),
        (
            shown("s", reward=0.0, terminated=True, truncated=False, info={}, admissible=[1]),
            "ValueError: admissi",
        ),
        ({"failed": 7}, "TypeError"),
    ],
)
def test_what_is_no_answer_is_told_whoever_wrote_it(said: Packet | dict[str, Any], told: str) -> None:
    async def go() -> None:
        async with made() as (host, hand):
            await begun(host, hand)
            step = asyncio.create_task(host.step(Action("x")))
            await hand.asked()
            hand.answer(said)
            with pytest.raises(
                EnvError, match=rf"^what came from the process of shop is no answer \(task 1, seed 3, .*\): {told}"
            ):
                await step

    finishes(go())


def test_tasks_and_whether_there_is_an_expert_are_asked_there() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            assert host.corpus_episodes == 2
            for answer, expected in (({"range": [0, 9, 3]}, range(0, 9, 3)), ({"tasks": ["a", 1]}, ["a", 1])):
                tasks = asyncio.create_task(host.tasks("test"))
                assert await hand.asked() == {"call": "tasks", "split": "test"}
                hand.answer(answer)
                assert await tasks == expected
            for said in (True, False):
                has = asyncio.create_task(host.has_expert())
                assert await hand.asked() == {"call": "has_expert"}
                hand.answer({"has_expert": said})
                assert await has is said
            tasks = asyncio.create_task(host.tasks("test"))
            await hand.asked()
            hand.answer({"tasks": [None]})
            with pytest.raises(EnvError, match=r'is no answer .*tasks\("test"\)\[0\] is NoneType'):
                await tasks

    finishes(go())


# -- its end --------------------------------------------------------------------------------------------------


def test_a_death_is_told_to_every_call_that_waits_and_to_all_that_come() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            await begun(host, hand)
            steps = [asyncio.create_task(host.step(Action(said))) for said in "xy"]
            await hand.asked()
            hand.die()
            expected = (
                r"^the process of shop was killed by signal 9 \(SIGKILL\) \(task 1, seed 3, last action 'y'\); it "
                r"printed last:\nits last words$"
            )
            for call in (*steps, host.step(Action("y"))):
                with pytest.raises(EnvError, match=expected) as told:
                    await call
                assert not isinstance(told.value, NurseryLost)

    finishes(go())


def test_what_it_answered_before_it_died_counts() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            await begun(host, hand)
            step = asyncio.create_task(host.step(Action("x")))
            await hand.asked()
            hand.answer(shown("last", reward=0.0, terminated=True, truncated=False, info={}))
            hand.die()
            assert (await step).observation == "last"
            with pytest.raises(EnvError, match="signal 9"):
                await host.reset(4, None)

    finishes(go())


def test_a_closed_socket_is_an_end_when_the_nursery_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.processes.host._STATUS_SECONDS", 0.0)

    async def go() -> None:
        async with made() as (host, hand):
            await begun(host, hand)
            step = asyncio.create_task(host.step(Action("x")))
            await hand.asked()
            hand.others[0].close()
            with pytest.raises(EnvError, match=r"^the process of shop closed its socket \(task 1, seed 3, "):
                await step
            assert hand.killed == [0]  # what is left of it

    finishes(go())


def test_the_nurserys_word_on_a_closed_socket_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.processes.host._STATUS_SECONDS", 1000.0)

    async def go() -> None:
        async with made() as (host, hand):
            await begun(host, hand)
            step = asyncio.create_task(host.step(Action("x")))
            await hand.asked()
            hand.others[0].close()
            for _ in range(5):
                await asyncio.sleep(0)
            assert not step.done()
            hand.die()
            with pytest.raises(EnvError, match="signal 9"):
                await step

    finishes(go())


def test_who_is_killed_says_so_to_who_waits_and_lets_go_of_the_socket() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            await begun(host, hand)
            step = asyncio.create_task(host.step(Action("x")))
            await hand.asked()
            host.kill()
            with pytest.raises(EnvError, match="was given up"):
                await step
            assert hand.killed == [0]
            assert hand.others[0].recv(10) == b""
            hand.die()  # that it was given up stays what is told
            with pytest.raises(EnvError, match="was given up"):
                await host.step(Action("y"))

    finishes(go())


def test_closing_asks_it_to_close_kills_it_and_waits_until_it_is_reaped() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            close = asyncio.create_task(host.close())
            assert await hand.asked() == {"call": "close"}
            assert hand.killed == []
            hand.answer({})
            await until(lambda: hand.killed == [0])
            for _ in range(5):
                await asyncio.sleep(0)
            assert not close.done()
            hand.die()
            await close
            await host.close()  # again: nobody is asked
            assert hand.killed == [0]

    finishes(go())


def test_one_that_hangs_or_fails_while_it_closes_is_told_of_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.processes.host._STATUS_SECONDS", 0.0)

    async def go() -> None:
        async with made() as (host, hand):
            hand.unknown.add(0)
            close = asyncio.create_task(host.close())
            await hand.asked()
            hand.answer({"failed": ["EnvError", "raised KeyError: 'k'", "  File x"]})
            with pytest.warns(RuntimeWarning, match=r"^shop did not close: shop raised KeyError: 'k'"):
                await close
            assert hand.killed == [0]
        monkeypatch.setattr("agentgym.hosts.processes.host.CLOSE_SECONDS", 0.0)
        async with made() as (host, hand):
            with pytest.warns(RuntimeWarning, match=r"^shop did not close: it hangs$"):
                await host.close()  # though the nursery says nothing of its end either
            assert hand.killed == [0]

    finishes(go())


def test_closing_a_dead_one_is_silent_and_kills_nobody() -> None:
    async def go() -> None:
        async with made() as (host, hand):
            hand.die()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await host.close()
            assert hand.killed == []

    finishes(go())


# -- their maker ----------------------------------------------------------------------------------------------


class Nurses:
    """Nurseries that are begun, one after the other; the environment of the first ones comes to ``fates``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *fates: Exception | None) -> None:
        self.fates = list(fates)
        self.begun: list[str] = []
        self.alive = True
        self.killed: list[int] = []
        monkeypatch.setattr("agentgym.hosts.processes.host.Nurse", lambda *_: self.nurse())
        monkeypatch.setattr("agentgym.hosts.processes.host.ProcessHost", lambda nurse, id: self.host(nurse))

    def nurse(self) -> Any:
        nurses, number = self, sum("begun" in each for each in self.begun)
        self.begun.append(f"begun {number}")

        class Begun:
            @property
            def is_alive(self) -> bool:
                return nurses.alive

            async def start(self) -> None:
                await asyncio.sleep(0)

            async def close(self) -> None:
                nurses.begun.append(f"closed {number}")

            def end(self) -> None:
                nurses.begun.append(f"ended {number}")

        return Begun()

    def host(self, nurse: Any) -> Any:
        nurses = self

        class Made:
            async def begin(self) -> None:
                fate = nurses.fates.pop(0) if nurses.fates else None
                if fate is not None:
                    nurses.alive = not isinstance(fate, NurseryLost)
                    raise fate
                nurses.alive = True

            def kill(self) -> None:
                nurses.begun.append("killed")

        nurses.alive = True
        return Made()


def test_many_that_open_at_once_share_a_nursery(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        nurses = Nurses(monkeypatch)
        hosts = ProcessHosts("the-id")
        await asyncio.gather(*(hosts.open() for _ in range(5)))
        await hosts.close()
        await hosts.close()
        assert nurses.begun == ["begun 0", "closed 0"]
        await hosts.open()
        await hosts.close()
        assert nurses.begun == ["begun 0", "closed 0", "begun 1", "closed 1"]

    finishes(go())


def test_a_nursery_that_is_lost_is_replaced_once_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        nurses = Nurses(monkeypatch, NurseryLost("gone"))
        hosts = ProcessHosts("the-id")
        await hosts.open()
        assert nurses.begun == ["begun 0", "killed", "ended 0", "begun 1"]
        nurses = Nurses(monkeypatch, NurseryLost("gone"), NurseryLost("gone again"))
        with pytest.raises(NurseryLost, match="gone again"):
            await ProcessHosts("the-id").open()
        assert nurses.begun == ["begun 0", "killed", "ended 0", "begun 1", "killed"]

    finishes(go())


def test_one_that_cannot_be_made_is_killed_and_its_nursery_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        nurses = Nurses(monkeypatch, EnvError("broken"))
        hosts = ProcessHosts("the-id")
        with pytest.raises(EnvError, match="broken"):
            await hosts.open()
        await hosts.open()
        assert nurses.begun == ["begun 0", "killed"]

    finishes(go())
