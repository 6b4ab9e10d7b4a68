"""MCP servers as environments: the demonstration by hand, servers of the SDK, faulty ones, and their processes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")

import agentgym
from agentgym.environments.mcp import MCP
from agentgym.environments.mcp.demo import demo_command, demo_tasks
from agentgym.environments.mcp.tasks import CallSpec, Task
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.types import Action, Observation, StepResult, ToolCall
from tests.kit import answered, eventually

OVER = "The episode is over. A reply without a call is the last."
FAULTY = Path(__file__).with_name("mcp_faulty_server.py")

SDK_SERVER = '''
import os, sys
from mcp.server import MCPServer

server, notes = MCPServer("notes"), {}

@server.tool()
def put(title: str, text: str) -> str:
    """Put a note."""
    notes[title] = text
    return "ok"

@server.tool(annotations={"readOnlyHint": True})
def get(title: str, times: int = 1) -> str:
    """Get a note."""
    return notes[title] * times

@server.tool()
def leave() -> str:
    """Die."""
    os._exit(1)

@server.tool()
def mean(numbers: list[float]) -> dict:
    """The mean."""
    return {"mean": sum(numbers) / len(numbers)}

server.run() if len(sys.argv) == 1 else server.run("streamable-http", port=int(sys.argv[1]))
'''


@pytest.fixture
def demo() -> Iterator[MCP]:
    env = MCP()
    yield env
    env.close()


def faulty(fault: str, **options: Any) -> MCP:
    return MCP(command=[sys.executable, "-I", "-S", str(FAULTY), fault], **options)


def step(env: MCP, action: str) -> StepResult:
    return StepResult(*env.step(action))  # type: ignore[arg-type]


def server_ids(command: str) -> list[int]:
    """Processes whose command line has ``command`` in it."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:  # it ended in the meantime
            continue
        if command.encode() in words:
            found.append(int(file.parent.name))
    return found


# -- the demonstration -----------------------------------------------------------------------------------


def test_an_episode_by_hand(demo: MCP) -> None:
    task = next(task for task in demo_tasks() if "plus" in task.instruction and task.check is not None)
    notes = dict(task.setup[0].arguments["notes"])
    first, second = task.instruction.partition(":")[0].split(" plus ")
    total = int(notes[first]) + int(notes[second])
    seen = Observation.of(demo.reset(options={"task": task.id})[0])
    assert seen == f"{first} plus {second}: write it to note total, then say done."
    assert [tool["function"]["name"] for tool in seen.tools] == [
        "list_notes",
        "read_note",
        "write_note",
        "add",
        "subtract",
    ]
    assert step(demo, "list_notes()").observation == ", ".join(sorted(notes))
    assert step(demo, f"read_note(title={first})").observation == notes[first]
    both = [ToolCall(name="read_note", arguments={"title": title}) for title in (first, second)]
    assert step(demo, Action(tool_calls=both)).observation == f"read_note: {notes[first]}\nread_note: {notes[second]}"
    assert step(demo, f"add(a={notes[first]}, b={notes[second]})").observation == str(total)
    assert step(demo, f"write_note(title=total, text={total})")[:4] == ("written", 0.0, False, False)
    assert step(demo, "done") == (OVER, 1.0, True, False, {**answered(), "success": True})


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("set_notes(notes={})", 'There is no tool "set_notes"'),
        ("add(a=1)", 'add: the argument "b" is missing. Usage: add(a: integer, b: integer)'),
        ("add(a=1, b=x)", "add: the argument \"b\": 'x' is not of type 'integer'. Usage"),
        ("read_note(tilte=x)", 'read_note: there is no argument "tilte". Did you mean "title"? Usage: read_note(title'),
        ("add(a=1, b=2, c=3)", 'add: there is no argument "c". Usage'),
        (
            '{"name": "read_note", "arguments": {"title": 7}}',
            "read_note: the argument \"title\": 7 is not of type 'string'",
        ),
        ("read_note(title=nothing)", "there is no note nothing"),
    ],
)
def test_a_mistake_is_told_and_marked(demo: MCP, action: str, message: str) -> None:
    demo.reset(options={"task": 0})
    seen, reward, terminated, truncated, info = step(demo, action)
    assert seen.startswith(message)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info == {**answered(1, failed=1), "invalid_action": seen}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_expert_solves_every_kind_of_task(demo: MCP, split: str) -> None:
    for task in list(demo.tasks(split))[:15]:
        observation: str = demo.reset(options={"task": task})[0]
        expert = demo.expert()
        assert expert is not None
        for _ in range(demo.max_turns):
            observation, reward, over, _, info = demo.step(expert(Observation.of(observation)))
            assert "invalid_action" not in info
            if over:
                break
        assert (reward, info["success"]) == (1.0, True)


def test_a_wrong_note_or_a_wrong_answer_is_worth_nothing(demo: MCP) -> None:
    by_check = {task.check is not None: task for task in demo_tasks()}
    demo.reset(options={"task": by_check[True].id})
    step(demo, "write_note(title=total, text=0)")
    assert step(demo, "done")[1:3] == (0.0, True)
    demo.reset(options={"task": by_check[False].id})
    assert step(demo, "It is 1000.")[1:3] == (0.0, True)
    demo.reset(options={"task": by_check[False].id})
    assert step(demo, f"It is {by_check[False].expected}.")[1:3] == (1.0, True)


def test_no_task_of_the_demonstration_is_won_by_listing_numbers(demo: MCP) -> None:
    asked = [task for task in demo_tasks() if task.split == "test" and task.check is None]
    assert len(asked) > 40
    for order in (range(200), range(199, -1, -1)):
        for task in asked:
            demo.reset(options={"task": task.id})
            assert step(demo, " ".join(map(str, order)))[1:3] == (0.0, True)


def test_demonstration_tasks_differ_in_their_notes() -> None:
    tasks = demo_tasks()
    assert len({json.dumps(task.setup[0].arguments) for task in tasks}) == len(tasks) == 1000
    assert [sum(task.split == split for task in tasks) for split in ("train", "validation", "test")] == [800, 100, 100]


# -- options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"command": "python x.py", "url": "http://x"}, "command and url are two servers"),
        ({"url": "http://x", "restart": True}, "restart has no effect with a url"),
        ({"timeout": 0}, "env.timeout: Input should be greater than 0, found 0"),
        ({"command": " "}, "command and url are empty"),
        ({"tools": ["ad"]}, 'has no tool "ad". Did you mean "add"? It has: list_notes, '),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        agentgym.make("mcp", **options)
    assert message in str(error.value)


def test_a_list_of_tools_leaves_the_others_out() -> None:
    env = MCP(tools=["add", "read_note"])
    assert list(env.toolbox) == ["read_note", "add"]
    env.close()


def test_tasks_that_do_not_exist_and_a_server_without_tasks(demo: MCP) -> None:
    with pytest.raises(UserError, match="task 1000 does not exist"):
        demo.reset(options={"task": 1000})
    with pytest.raises(UserError, match="unknown split"):
        demo.tasks("tset")
    free = MCP(command=shlex.join(demo_command()))
    assert free.reset(seed=1) == ("Use the tools.", {})
    assert free.tasks("test") == range(1_001_000, 1_002_000)
    assert (free.expert(), step(free, "bye")[1:3]) == (None, (0.0, True))
    free.close()


def test_a_file_of_tasks_with_a_check(tmp_path: Path) -> None:
    check = {"name": "has_note", "arguments": {"title": "a", "text": "b"}}
    lines = [
        {"id": split, "instruction": "Write b to a.", "split": split, "check": check} for split in ("train", "test")
    ]
    (tmp_path / "tasks.jsonl").write_text("\n".join(map(json.dumps, lines)))
    env = MCP(command=demo_command(), tasks=tmp_path / "tasks.jsonl", restart=True)
    assert (env.tasks("train"), env.tasks("validation"), env.max_turns) == (["train"], [], 15)
    for writes in (True, False):  # the second episode must not find the first one's note
        env.reset(options={"task": "test"})
        assert step(env, f"write_note(title={'a' if writes else 'c'}, text=b)").observation == "written"
        assert step(env, "done").reward == float(writes)
    env.close()


def test_calls_of_ours_that_fail_are_the_environments_failure(demo: MCP) -> None:
    demo.task = Task(id=0, instruction="x", check=CallSpec(name="read_note", arguments={"title": "none"}))
    demo._by_id = {0: demo.task}
    demo.reset(options={"task": 0})
    with pytest.raises(EnvError, match=r"refused the call read_note of task 0: there is no note none"):
        step(demo, "done")


# -- faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("crashes", r"does not start: it ended the connection; it wrote: .*ValueError: no database"),
        ("has no list", r"has no tool that can be used: 7 \(inputSchema: Field required\)"),
    ],
)
def test_a_server_that_cannot_be_used_is_a_user_error_with_the_cause(fault: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        faulty(fault)
    assert "ExceptionGroup" not in str(error.value)
    assert server_ids(fault) == []


def test_a_server_that_never_answers_is_given_up_and_ended() -> None:
    with pytest.raises(UserError, match=r"does not start: no answer within 0\.1 s"):
        faulty("is silent", timeout=0.1)
    assert server_ids("is silent") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"command": "nosuchserver --port 1"},
            r'"nosuchserver --port 1" does not start: FileNotFoundError: .*nosuchserver',
        ),
        ({"url": "http://127.0.0.1:9/mcp"}, r'"http://127.0.0.1:9/mcp" cannot be reached: ConnectError'),
        ({"url": "no url"}, r'"no url" cannot be reached: UnsupportedProtocol'),
    ],
)
def test_a_server_that_is_not_there_is_a_user_error_with_the_cause(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MCP(**options)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("dies", "ended during list_notes: it ended the connection; it wrote: out of memory"),
        ("mumbles", "ended during list_notes: it ended the connection; it sent what is no message: .*Invalid JSON"),
        ("lies", "gave a bad answer to list_notes: ValidationError: 1 validation error for CallToolResult"),
    ],
)
def test_a_server_that_breaks_voids_the_episode_and_the_next_one_goes_well(fault: str, message: str) -> None:
    env = faulty(fault)
    env.reset(seed=0)
    with pytest.raises(EnvError, match=message):
        step(env, "list_notes()")
    env.reset(seed=1)
    assert step(env, "add(a=1, b=2)").observation == "3"
    env.close()


@pytest.mark.slow
def test_an_answer_is_waited_for_as_long_as_was_said() -> None:
    """Long enough for the server to start on a busy machine."""
    env = faulty("hangs", timeout=5)
    env.reset(seed=0)
    with pytest.raises(EnvError, match="gave no answer within 5 s to list_notes"):
        step(env, "list_notes()")
    env.close()


@pytest.mark.parametrize(
    ("fault", "told", "invalid"),
    [
        ("refuses", "not today", True),
        ("draws", "[image]", False),
        ("structures", '{"notes": ["ä"]}', False),
        ("embeds", "[note://1]\nthe secret is 42", False),
        ("links", "[resource file:///a.txt, a.txt]", False),
        ("sends a zip", "[zip application/zip]", False),
        ("promises more", "21 degrees", False),
        ("greets", "no notes", False),
    ],
)
def test_answers_become_text(fault: str, told: str, invalid: bool) -> None:
    env = faulty(fault)
    env.reset(seed=0)
    seen, *_, info = step(env, "list_notes()")
    assert (seen, "invalid_action" in info) == (told, invalid)
    env.close()


def test_one_bad_tool_of_a_server_is_left_out() -> None:
    with pytest.warns(UserWarning, match=r"is left out: add \(no valid JSON schema: 'nummer' is not valid"):
        env = faulty("has no schema")
    env.reset(seed=0)
    assert step(env, "subtract(a=3, b=2)").observation == "1"
    assert step(env, "add(a=3, b=2)").observation.startswith('There is no tool "add".')
    env.close()


def test_a_schema_that_leads_to_itself_can_be_called() -> None:
    env = faulty("loops")
    env.reset(seed=0)
    step(env, "write_note(title=12, text=a)")
    assert step(env, "read_note(title=12)").observation == "a"
    env.close()


def test_tools_that_appear_are_told_and_can_be_called() -> None:
    env = faulty("grows")
    env.reset(seed=0)
    assert step(env, "list_notes()").observation == "no notes\nNew tools:\n- shrink(): Shrink."
    assert step(env, "shrink()").info["invalid_action"] == "'Desk' object has no attribute 'shrink'"
    env.close()


def test_variables_of_the_environment_are_those_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "ours")
    for given, seen in (({"MY_KEY": "sk-1"}, "sk-1 None"), (["OTHER"], "None ours")):
        env = faulty("has variables", env=given)
        env.reset(seed=0)
        assert step(env, "list_notes()").observation == seen
        env.close()


def test_of_a_great_noise_the_end_is_told() -> None:
    env = faulty("shouts")
    env.reset(seed=0)
    with pytest.raises(EnvError, match=r"it wrote: x+ at last") as error:
        step(env, "list_notes()")
    assert len(str(error.value)) < 3000
    env.close()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="programs are found through /proc")
@pytest.mark.parametrize("dies", [False, True])
def test_what_a_server_started_ends_with_it(dies: bool) -> None:
    env = faulty("has children")
    link = env._link
    assert link is not None
    mark = f"AGENTGYM_MCP_SERVER={link._mark}".encode()

    def marked() -> list[int]:
        found = []
        for file in Path("/proc").glob("[0-9]*/environ"):
            try:
                found += [int(file.parent.name)] * (mark in file.read_bytes().split(b"\0"))
            except OSError:  # it ended in the meantime
                continue
        return found

    assert eventually(lambda: len(marked()) == 3)
    if dies:
        os.kill(min(marked()), signal.SIGKILL)
        assert eventually(lambda: len(marked()) == 2)
    env.close()
    assert marked() == []


def test_no_process_is_left_by_close_nor_by_the_end_of_the_program() -> None:
    mark = f"greets-{time.time_ns()}"
    env = faulty(mark)
    assert len(server_ids(mark)) == 1
    env.close()
    env.close()
    assert server_ids(mark) == []
    program = (
        "from agentgym.environments.mcp import MCP\n"
        f"env = MCP(command={[sys.executable, '-I', '-S', str(FAULTY), mark]!r})\n"
        "print(env.reset(seed=0)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("Use the tools.\n", "", 0)
    assert server_ids(mark) == []


# -- servers made with the SDK ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sdk_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("mcp") / "notes_server.py"
    file.write_text(SDK_SERVER)
    return file


def test_a_server_made_with_the_sdk_over_stdio(sdk_server: Path) -> None:
    env = MCP(command=f"{sys.executable} {sdk_server}")
    env.reset(seed=0)
    assert step(env, "put(title=a, text=b)").observation == "ok"
    assert step(env, "get(title=a, times=2)").observation == "bb"
    assert json.loads(step(env, "mean(numbers=[1, 2])").observation) == {"mean": 1.5}
    assert step(env, 'mean(numbers=["x"])').info["invalid_action"].startswith('mean: the argument "numbers.0"')
    assert "invalid_action" in step(env, "get(title=zz)").info
    with pytest.raises(EnvError, match="ended during leave: it ended the connection"):
        step(env, "leave()")
    env.close()


def serve(file: Path, port: int) -> subprocess.Popen[bytes]:
    """The server at a port, when it answers."""
    process = subprocess.Popen(
        [sys.executable, str(file), str(port)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )

    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    assert eventually(listens)
    return process


def test_a_server_over_http_that_goes_away_and_comes_back(sdk_server: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = serve(sdk_server, port)
    try:
        env = MCP(url=f"http://127.0.0.1:{port}/mcp")
        env.reset(seed=0)
        assert step(env, "put(title=a, text=b)").observation == "ok"
        with pytest.raises(EnvError, match="ended during leave"):  # it may have been carried out: not called again
            step(env, "leave()")
        process.wait()
        with pytest.raises(EnvError, match="cannot be reached again: ConnectError"):
            env.reset(seed=1)
        process = serve(sdk_server, port)
        env.reset(seed=2)
        assert step(env, "put(title=a, text=c)").observation == "ok"
        process.kill()
        process.wait()
        process = serve(sdk_server, port)
        assert step(env, "put(title=a, text=d)").observation == "ok"  # was not sent before, so it may be made again
        assert step(env, "get(title=a)").observation == "d"
        env.close()
    finally:
        process.kill()
        process.wait()
