"""The client over connections that only write down what they are asked: what is sent, told, opened and closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("openenv.core", reason="the extra openenv is not installed")

from agentgym.environments.openenv import OpenEnv
from agentgym.environments.openenv import env as module
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.types import Observation

TEXT = {"action": {"properties": {"text": {"type": "string"}, "metadata": {}}, "required": ["text"]}}
RANGES = {
    "train": {"range": [0, 10, 1]},
    "validation": {"range": [10, 12, 1]},
    "test": {"ids": ["x", "y"]},
}


def result(done: bool = False, reward: float | None = None, **said: Any) -> Any:
    return SimpleNamespace(observation=said, done=done, reward=reward)


class Link:
    """One connection: answers come from the server's list, and an exception among them is raised."""

    def __init__(self, server: Server, url: str, timeout: float, token: str | None) -> None:
        self.server, self.url, self.timeout, self.token = server, url, timeout, token
        self.is_closed = False

    def state(self) -> dict[str, Any]:
        return self.server.about

    def schema(self) -> dict[str, Any]:
        return self.server.said_of_actions

    def reset(self, **options: Any) -> Any:
        return self.server.answer(("reset", options))

    def step(self, action: dict[str, Any]) -> Any:
        return self.server.answer(("step", action))

    def close(self) -> None:
        self.is_closed = True


class Server:
    """What is at the other end."""

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}
        self.said_of_actions: dict[str, Any] = TEXT
        self.links: list[Link] = []
        self.asked: list[Any] = []
        self.answers: list[Any] = []

    def connect(self, url: str, *, timeout: float, token: str | None = None) -> Link:
        self.links.append(Link(self, url, timeout, token))
        return self.links[-1]

    def answer(self, question: Any) -> Any:
        self.asked.append(question)
        found = self.answers.pop(0) if self.answers else result(text="seen")
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    monkeypatch.setattr(module, "Link", found.connect)
    return found


def test_what_a_server_of_ours_says_of_itself_is_so_here(server: Server) -> None:
    server.about = {"agentgym": {"splits": RANGES, "max_turns": 7, "instructions": "Do it."}}
    env = OpenEnv(name="http://there")
    assert (env.max_turns, env.instructions) == (7, "Do it.")
    assert [env.tasks(split) for split in RANGES] == [range(10), range(10, 12), ["x", "y"]]
    assert OpenEnv(name="http://there", max_turns=3).max_turns == 3
    with pytest.raises(UserError, match='unknown split "tests"'):
        env.tasks("tests")


def test_of_another_server_tasks_are_seeds_and_turns_are_thirty(server: Server) -> None:
    env = OpenEnv(name="http://there")
    assert (env.max_turns, env.instructions) == (30, "")
    assert env.tasks("test") == range(1_001_000, 1_002_000)
    env.reset(options={"task": 5}, seed=3)
    env.reset(seed=4)
    assert server.asked == [("reset", {"seed": 5}), ("reset", {"seed": 4})]


def test_tasks_of_a_server_of_ours_are_sent_with_the_seed(server: Server) -> None:
    server.about = {"agentgym": {"splits": RANGES}}
    env = OpenEnv(name="http://there")
    env.reset(options={"task": "y"}, seed=3)
    env.reset(options={"task": 11}, seed=4)
    env.reset(seed=5)
    assert server.asked == [
        ("reset", {"seed": 3, "task": "y"}),
        ("reset", {"seed": 4, "task": 11}),
        ("reset", {"seed": 5}),
    ]
    for task in (12, -1, "z"):
        with pytest.raises(UserError, match=f"task {task!r} does not exist at http://there"):
            env.reset(options={"task": task})


@pytest.mark.parametrize(
    ("done", "said", "ends"),
    [
        (False, {}, (False, False)),
        (True, {}, (True, False)),
        (True, {"terminated": True}, (True, False)),
        (True, {"truncated": True}, (False, True)),
        (True, {"truncated": True, "terminated": True}, (True, False)),
        (False, {"truncated": True}, (False, False)),
    ],
)
def test_ends(server: Server, done: bool, said: dict[str, Any], ends: tuple[bool, bool]) -> None:
    env = OpenEnv(name="http://there")
    server.answers = [result(text="go"), result(done, 0.5, text="gone", **said)]
    env.reset(seed=0)
    assert env.step("on") == ("gone", 0.5, *ends, {})
    assert server.asked[-1] == ("step", {"text": "on"})


def test_what_is_said_beside_the_observation_is_told_where_there_is_something(server: Server) -> None:
    env = OpenEnv(name="http://there")
    said: dict[str, Any] = {"success": False, "invalid_action": "no", "channels": {"progress": 0.5}, "other": 1}
    nothing: dict[str, Any] = {"success": None, "invalid_action": None, "channels": {}}
    server.answers = [result(text="go", **nothing), result(text="a", **said), result(text="b", **nothing)]
    assert env.reset(seed=0) == ("go", {})
    assert env.step("x")[1:] == (
        0.0,
        False,
        False,
        {"success": False, "invalid_action": "no", "channels": {"progress": 0.5}},
    )
    assert env.step("x")[4] == {}


def test_what_may_be_said_tools_and_pictures_come_over(server: Server) -> None:
    env = OpenEnv(name="http://there")
    tool = {"name": "look"}
    server.answers = [result(text="go", admissible=["a", "b"], tools=[tool]), result(text="c")]
    seen = Observation.of(env.reset(seed=0)[0])
    assert (seen.admissible, list(seen.tools)) == (("a", "b"), [tool])
    seen = Observation.of(env.step("a")[0])
    assert (seen.admissible, list(seen.tools)) == (None, [])


@pytest.mark.parametrize(
    ("said", "field", "shown"),
    [
        ({"text": "a", "other": "b"}, None, "a"),
        ({"message": "a", "x": 1}, None, "a"),
        ({"one": "a", "two": "b"}, None, '{"one": "a", "two": "b"}'),
        ({"one": "a", "two": "b"}, "two", "b"),
        ({"one": "a"}, "x", ""),
        ({"x": 1}, "x", "1"),
    ],
)
def test_the_field_that_is_shown(server: Server, said: dict[str, Any], field: str | None, shown: str) -> None:
    env = OpenEnv(name="http://there", text_field=field)
    server.answers = [result(**said)]
    assert env.reset(seed=0)[0] == shown


def fields(required: Sequence[str], **types: str) -> dict[str, Any]:
    return {"action": {"properties": {name: {"type": kind} for name, kind in types.items()}, "required": required}}


@pytest.mark.parametrize(
    ("schema", "given", "field"),
    [
        (fields(["say"], say="string", loud="boolean"), None, "say"),
        (fields([], say="string"), None, "say"),
        (fields(["x"], x="integer"), None, ""),
        (fields(["x", "y"], x="string", y="string"), None, ""),
        (fields(["x", "y"], x="string", y="string"), "y", "y"),
        (fields([], say="string", metadata="object"), None, "say"),
        ({}, "anything", "anything"),
        ({}, None, ""),
    ],
)
def test_the_field_that_an_action_fills(server: Server, schema: dict[str, Any], given: str | None, field: str) -> None:
    server.said_of_actions = schema
    env = OpenEnv(name="http://there", action_field=given)
    env.reset(seed=0)
    if field:
        env.step("{}")
        assert server.asked[-1] == ("step", {field: "{}"})
        assert env.instructions == ""
        return
    assert env.instructions.startswith("Say an action as a JSON object with the fields ")
    env.step('{"x": 1}')
    assert server.asked[-1] == ("step", {"x": 1})
    before = len(server.asked)
    assert env.step("[]")[4] == {"invalid_action": "an action is a JSON object here"}
    assert len(server.asked) == before, "it is not sent"


def test_half_of_a_character_is_not_sent_and_changes_nothing(server: Server) -> None:
    env = OpenEnv(name="http://there")
    seen = env.reset(seed=0)[0]
    told = {"invalid_action": "this is not text: it has half of a character"}
    assert env.step("\ud800") == (seen, 0.0, False, False, told)
    assert len(server.asked) == 1


# -- connections -------------------------------------------------------------------------------------------


def test_one_connection_serves_until_it_is_closed_and_another_begins_anew(server: Server) -> None:
    env = OpenEnv(name="http://there", timeout=3.5)
    env.reset(seed=0)
    env.step("a")
    [link] = server.links
    assert (link.url, link.timeout, link.is_closed) == ("http://there", 3.5, False)
    env.close()
    assert link.is_closed
    env.close()
    env.reset(seed=0)
    assert [one.is_closed for one in server.links] == [True, False]


def test_a_lost_connection_is_closed_and_the_next_episode_has_one_of_its_own(server: Server) -> None:
    env = OpenEnv(name="http://there")
    server.answers = [result(text="go"), EnvError("the line is dead"), result(text="again")]
    env.reset(seed=0)
    with pytest.raises(EnvError, match="the line is dead"):
        env.step("a")
    [link] = server.links
    assert link.is_closed
    assert env.reset(seed=0)[0] == "again"
    assert [one.is_closed for one in server.links] == [True, False]


def test_a_server_that_is_gone_voids_the_episode(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    env = OpenEnv(name="http://there")
    env.close()

    def gone(url: str, **options: Any) -> Any:
        raise UserError("no server answers")

    monkeypatch.setattr(module, "Link", gone)
    with pytest.raises(EnvError, match="no server answers"):
        env.reset(seed=0)


def test_what_is_opened_for_an_environment_that_cannot_be_made_is_closed(server: Server) -> None:
    server.said_of_actions = fields([], say="string")
    with pytest.raises(
        ConfigError, match=r'action_field is "sy"\. Did you mean "say"\? Actions at http://there have: say'
    ):
        OpenEnv(name="http://there", action_field="sy")
    assert [link.is_closed for link in server.links] == [True]


# -- the demonstration -------------------------------------------------------------------------------------


class Demonstrations:
    """The servers that were started in this process, and which of them are closed."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.closed: list[Any] = []

    def start(self, make_env: Callable[[], Any]) -> Any:
        started = SimpleNamespace(url=f"http://demo-{len(self.started)}", make_env=make_env)
        started.close = lambda: self.closed.append(started.url)
        self.started.append(started)
        return started


@pytest.fixture
def demos(server: Server, monkeypatch: pytest.MonkeyPatch) -> Demonstrations:
    found = Demonstrations()
    monkeypatch.setattr(module, "Server", found.start)
    monkeypatch.setattr(module._Demo, "_running", None)
    return found


def test_the_demonstration_is_shared_and_goes_with_its_last_user(demos: Demonstrations, server: Server) -> None:
    one, other, third = OpenEnv(), OpenEnv(), OpenEnv()
    assert len(demos.started) == 1
    assert {link.url for link in server.links} == {"http://demo-0"}
    one.close()
    one.close()
    other.close()
    assert demos.closed == [], "closing twice is not two users less"
    third.close()
    assert demos.closed == ["http://demo-0"]
    last = OpenEnv()
    assert [demo.url for demo in demos.started] == ["http://demo-0", "http://demo-1"]
    last.close()


def test_a_closed_environment_that_is_used_again_joins_a_demonstration(demos: Demonstrations, server: Server) -> None:
    env = OpenEnv()
    env.close()
    env.reset(seed=0)
    assert server.links[-1].url == "http://demo-1"
    env.close()
    assert demos.closed == ["http://demo-0", "http://demo-1"]


def test_a_demonstration_that_fails_leaves_no_user_behind(demos: Demonstrations, server: Server) -> None:
    with pytest.raises(ConfigError, match="action_field"):
        OpenEnv(action_field="nothing like it")
    assert demos.closed == ["http://demo-0"]


def test_a_named_server_needs_no_demonstration(demos: Demonstrations) -> None:
    OpenEnv(name="http://there").close()
    assert demos.started == []


def test_a_token_comes_from_the_named_variable(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIRS", "secret")
    OpenEnv(name="http://there", token_env="THEIRS")
    OpenEnv(name="http://there")
    assert [link.token for link in server.links] == ["secret", None]
