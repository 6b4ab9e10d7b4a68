"""The environment as a whole: episodes by hand, rewards, limits, snapshots, and no surprise under any action."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import agentgym
from agentgym.env import Snapshot
from agentgym.environments.bfcl import BFCL
from agentgym.environments.bfcl.env import Level
from agentgym.errors import UserError
from agentgym.types import Action, Observation, StepResult, ToolCall
from tests.kit import answered

pytest.importorskip("bfcl_eval", reason="needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23")

TASK = "multi_turn_base_0"
"""Four turns: move a report to a new folder, search it, sort it, compare it with another one."""
TURNS = (
    "[cd(folder='document'), mkdir(dir_name='temp'), mv(source='final_report.pdf', destination='temp')]",
    "[cd(folder='temp'), grep(file_name='final_report.pdf', pattern='budget analysis')]",
    "[sort('final_report.pdf')]",
    "[cd(folder='..'), mv(source='previous_report.pdf', destination='temp'), cd(folder='temp'), "
    "diff(file_name1='final_report.pdf', file_name2='previous_report.pdf')]",
)


def begun(task: str = TASK, **options: Any) -> BFCL:
    env = BFCL(level="all", **options)
    env.reset(seed=0, options={"task": task})
    return env


def played(env: BFCL, *actions: str) -> list[StepResult]:
    return [stepped(env, action) for action in actions]


def stepped(env: BFCL, action: str) -> StepResult:
    return StepResult(*env.step(action))  # type: ignore[arg-type]


def verdict(**changes: bool) -> dict[str, bool]:
    """That of a turn in which all went well, with changes."""
    return {"expects_calls": True, "called": True, "state": True, "results": True, "forced": False, **changes}


def test_an_episode_by_hand() -> None:
    env = BFCL()
    seen, info = env.reset(options={"task": TASK})
    tools, user = seen.split("\n")
    assert tools.startswith("Tools: authenticate_twitter(username, password), ")
    assert tools.endswith("sort(file_name), tail(file_name, lines=10), touch(file_name), wc(file_name, mode='l')")
    assert user == (
        "User: Move 'final_report.pdf' within document directory to 'temp' directory in document. "
        "Make sure to create the directory"
    )
    assert info == {"turn": 0, "steps": 0, "channels": {"user_turns": 4.0}}
    step, answer = played(env, TURNS[0], "Done.")
    assert step.observation == (
        'cd: {"current_working_directory": "document"}\nmkdir: None\n'
        "mv: {\"result\": \"'final_report.pdf' moved to 'temp/final_report.pdf'\"}"
    )
    assert step[1:] == (0, False, False, {"turn": 0, "steps": 1, **answered(3)})
    assert answer.observation.startswith("User: Perform a detailed search using grep")
    same = {"made_calls": 3.0, "expected_calls": 3.0, "matched_calls": 3.0, "exact_calls": 3.0}
    channels = {**answered()["channels"], "turn_success": 1.0, **same}
    assert answer[1:] == (0.25, False, False, {"turn": 1, "steps": 0, "verdict": verdict(), "channels": channels})
    *_, last = played(env, TURNS[1], "ok", TURNS[2], "ok", TURNS[3], "ok")
    assert last.observation == "The conversation is over: 4 of 4 turns are right."
    assert last[1:4] == (0.25, True, False)
    assert last.info["success"] is True


def test_schemas_and_tool_calls() -> None:
    env = begun()
    seen, _ = env.reset(options={"task": TASK})
    assert isinstance(seen, Observation)
    assert [tool["function"]["name"] for tool in seen.tools] == list(env.episode.tools)
    calls = [ToolCall(name="cd", arguments={"folder": "document"}), ToolCall(name="pwd", arguments={})]
    (step,) = played(env, Action(tool_calls=calls))
    assert step.observation == (
        'cd: {"current_working_directory": "document"}\npwd: {"current_working_directory": "/workspace/document"}'
    )
    assert step.observation.tools == seen.tools
    short, _ = BFCL(schemas="names").reset(options={"task": TASK})
    assert isinstance(short, Observation)
    assert (short, short.tools) == (seen, ())


def test_a_held_out_tool_is_offered_at_its_turn() -> None:
    env = begun("multi_turn_miss_func_0")
    *_, asked, offered = played(env, TURNS[0], "ok", TURNS[1], "ok", "No tool sorts.")
    assert asked.observation.startswith("User: Upon identifying")
    assert offered.observation == (
        "New tools: sort(file_name)\nUser: I have updated some more functions you can choose from. What about now?"
    )
    assert offered.reward == 0.2  # silence was right
    names = [[tool["function"]["name"] for tool in seen.tools] for seen in (asked.observation, offered.observation)]
    assert ["sort" in name for name in names] == [False, True]


def test_a_call_where_none_is_wanted_is_right_for_bfcl_but_no_progress() -> None:
    env = begun("multi_turn_miss_func_0")
    actions = (TURNS[0], "ok", TURNS[1], "ok", "[pwd()]", "ok", TURNS[2], "ok", TURNS[3], "ok")
    *_, last = results = played(env, *actions)
    assert [result.reward for result in results[1::2]] == [0.2, 0.2, 0, 0.2, 0.2]
    assert last.info["success"] is True


def test_a_turn_is_right_by_state_results_and_having_called() -> None:
    env = begun()
    first, _, second, third, _, fourth = played(env, "Done.", TURNS[0], "late", "no", TURNS[2], "")
    assert first.info["verdict"] == verdict(called=False, state=False, results=False)
    assert second.info["verdict"] == verdict(results=False)
    assert third.info["verdict"]["called"] is False
    assert fourth.terminated
    assert fourth.info["verdict"]["state"] is False
    assert fourth.info["success"] is False


def test_a_result_seen_earlier_counts_but_once() -> None:
    """BFCL takes a turn's results from all results so far, as a multiset, yet something must be called."""
    grep = "grep(file_name='final_report.pdf', pattern='budget analysis')"
    early = TURNS[0][:-1] + f", cd(folder='temp'), {grep}, cd(folder='..')]"
    rewards = [r.reward for r in played(begun(), early, "ok", "[cd(folder='temp')]", "ok")]
    assert rewards == [0, 0.25, 0, 0.25]
    assert [r.reward for r in played(begun(), early, "ok", "already seen")] == [0, 0.25, 0]


def test_sparse_reward_comes_at_the_end_for_a_conversation_that_is_right_throughout() -> None:
    whole = [action for turn in TURNS for action in (turn, "ok")]
    assert [r.reward for r in played(begun(reward="sparse"), *whole)] == [0] * 7 + [1]
    assert [r.reward for r in played(begun(reward="sparse"), *whole[:6], "ok")] == [0] * 7
    assert [r.reward for r in played(begun(), *whole[:6], "ok")] == [0, 0.25] * 3 + [0]


def test_rewards_learn_how_each_turn_ended_whatever_is_paid() -> None:
    actions = (TURNS[0], "ok", TURNS[1], "ok", "[pwd()]", "ok", TURNS[2], "ok", TURNS[3], "ok")
    env = begun("multi_turn_miss_func_0", reward="sparse")
    assert env.reset(options={"task": "multi_turn_miss_func_0"})[1]["channels"] == {"user_turns": 5.0}
    results = played(env, *actions)
    assert [r.info["channels"].get("turn_success") for r in results] == [None, 1, None, 1, None, 0, None, 1, None, 1]
    assert [r.reward for r in results] == [0] * 9 + [1]


@pytest.mark.parametrize(
    ("call", "failed"),
    [
        ("pwd()", 0),
        ("lss()", 1),
        ("cd(path='a')", 1),
        ("cd(folder='nowhere')", 1),  # the tool says so itself
        ("touch(file_name='a|b')", 1),
        ("echo(content='{\"error\": 1}')", 0),  # what a tool repeats is no error of its own
        ("tail('x', lines=10000000000000000000)", 1),
    ],
)
def test_calls_that_fail_are_counted(call: str, failed: int) -> None:
    (step,) = played(begun(), f"[{call}, {call}]")
    assert step.info["channels"] == answered(2, failed=2 * failed)["channels"], step.observation


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ("cd('document'), mkdir('temp'), mv('final_report.pdf', destination='temp')", (3, 3, 3, 3)),
        ("cd('document'), mkdir('Temp'), mv(source='final_report.pdf', destination='temp')", (3, 3, 3, 1)),
        ("pwd(), cd('document'), mkdir('temp'), mv('final_report.pdf', 'temp')", (4, 3, 3, 0)),
        ("mkdir('temp'), cd('document')", (2, 3, 2, 0)),
        ("cd('document'), cd('document')", (2, 3, 1, 1)),
        ("cd(folder='document', x=1), mkdir('a', 'b'), nothing()", (3, 3, 0, 0)),
        ("cd('x', folder='document'), mkdir('temp', 'temp')", (2, 3, 0, 0)),
    ],
)
def test_calls_are_compared_with_those_of_the_truth(calls: str, expected: tuple[int, ...]) -> None:
    """Made, expected, matched in any order, exact from the first on."""
    names = ("made_calls", "expected_calls", "matched_calls", "exact_calls")
    env, other = begun(), begun()
    played(env, f"[{calls}]")
    other.restore(env.snapshot())
    closed, after = played(env, "ok", "ok")
    assert tuple(closed.info["channels"][name] for name in names) == expected
    assert after.info["channels"]["made_calls"] == 0  # each turn has its own
    assert stepped(other, "ok") == closed


def test_a_turn_ends_after_its_steps() -> None:
    env = begun(max_steps=2)
    *_, closed = played(env, TURNS[0], "[pwd()]", "[rm(file_name='temp')]")
    assert closed.observation.startswith("The turn is closed: it had its 2 steps.\nUser: Perform a detailed search")
    assert closed.info["verdict"] == verdict(forced=True)
    assert closed.reward == 0
    *_, last = played(env, TURNS[1], "ok", TURNS[2], "ok", TURNS[3], "ok")
    assert last.terminated  # what was not executed changed nothing: the other turns are right
    assert last.observation == "The conversation is over: 3 of 4 turns are right."
    assert last.info["success"] is False
    *_, answered = played(begun(max_steps=2), TURNS[0], "[pwd()]", "ok")
    assert answered.reward == 0.25


def test_unreadable_calls_are_steps_too() -> None:
    env = begun(max_steps=2)
    first, second, third = played(env, "[cd(", '{"name": 7}', "[pwd()]")
    assert first.observation.startswith("Error: The call cannot be read: SyntaxError. Calls are written [tool(name=")
    assert first.info["invalid_action"] in first.observation
    assert second.info["steps"] == 2
    assert third.info["verdict"]["called"] is False
    assert third.info["turn"] == 1
    *_, closed = played(begun(max_steps=1), "[pwd()]", "[cd(")
    assert closed.info["verdict"]["forced"] is True


@pytest.mark.parametrize(
    ("call", "reply"),
    [
        ("lss()", 'lss: Error: there is no tool "lss". Did you mean "ls"? Known: authenticate_twitter, '),
        ("lockDoors(unlock=True, door=[])", 'lockDoors: Error: there is no tool "lockDoors".'),
        ("_load_scenario(scenario={})", '_load_scenario: Error: there is no tool "_load_scenario".'),
        ("__class__()", '__class__: Error: there is no tool "__class__".'),
        ("cd()", "cd: Error during execution: cd() missing a required argument: 'folder'; it is called as cd(folder)"),
        ("cd(path='a')", "cd: Error during execution: cd() missing a required argument"),
        ("cd('a', self=1)", "cd: Error during execution: cd() got an unexpected keyword argument 'self'"),
        ("pwd(1)", "pwd: Error during execution: pwd() too many positional arguments"),
    ],
)
def test_a_call_that_fits_no_tool(call: str, reply: str) -> None:
    alone, among = (stepped(begun(), f"[{calls}]") for calls in (call, f"{call}, pwd()"))
    assert alone.observation.startswith(reply)
    assert alone.info["invalid_action"] in alone.observation
    assert among.observation.startswith(reply)
    assert among.observation.endswith('\npwd: {"current_working_directory": "/workspace"}')
    assert "invalid_action" not in among.info


@pytest.mark.parametrize(
    "call", ["cd(folder=7)", "tail(file_name='x', lines='many')", "mkdir(dir_name=[])", "echo(content={'a': 1})"]
)
def test_arguments_of_the_wrong_type_are_answered(call: str) -> None:
    (step,) = played(begun(), f"[{call}]")
    name = call.partition("(")[0]
    assert step.observation.startswith((f"{name}: Error", f'{name}: {{"'))
    assert step[1:4] == (0, False, False)


@pytest.mark.parametrize("level", ["base", "miss_func", "miss_param", "long_context"])
@pytest.mark.parametrize("expert_calls", ["python", "tools"])
def test_the_expert_is_right(level: Level, expert_calls: Any) -> None:
    env = BFCL(level=level, expert_calls=expert_calls)
    for task in env.tasks("validation")[::4]:
        observation, _ = env.reset(options={"task": task})
        expert, total, terminated = env.expert(), 0.0, False
        while not terminated:
            action = expert(observation)  # type: ignore[arg-type]
            assert bool(getattr(action, "tool_calls", ())) <= (expert_calls == "tools")
            observation, reward, terminated, _, info = env.step(action)
            total += reward
        assert info["success"]
        assert total == pytest.approx(1)


def test_both_protocols_say_what_the_expert_says() -> None:
    for expert_calls, protocols in (("python", ("plain", "react")), ("tools", ("tools", "plain"))):
        env = begun(expert_calls=expert_calls)
        action = env.expert()(Observation(""))
        for name in protocols:
            protocol = agentgym.plugins("protocols").get(name)()
            said = protocol.parse(protocol.format(Action(action) if type(action) is str else action))
            assert env.step(said)[0].startswith("cd: ")
            env.reset(options={"task": TASK})


@pytest.mark.parametrize("task", ["multi_turn_long_context_154", "multi_turn_miss_func_0", "multi_turn_base_120"])
def test_snapshots_are_json_and_come_back_on_another_instance(task: str) -> None:
    env, other = begun(task), BFCL(level="all")
    expert = env.expert()
    moments: list[Snapshot] = []
    actions: list[str] = []
    results: list[StepResult] = []
    while not (results and results[-1].terminated):
        moments.append(env.snapshot())
        assert json.loads(json.dumps(moments[-1].state)) == moments[-1].state
        actions.append("[cd(" if len(moments) % 4 == 0 else str(expert(Observation(""))))
        results += played(env, actions[-1])
    for number in reversed(range(len(moments))):
        assert other.restore(moments[number])[0] == moments[number].observation
        assert other.get_state() == moments[number].state
        assert played(other, *actions[number:]) == results[number:]
    assert results[-1].info["success"]


def fuzzed(rng: random.Random, tools: list[str]) -> str:
    """Something that a policy might say: calls with odd names and values, code, broken JSON, control characters."""
    odd = ["\x00", "\x1b[2J", "\u202e", "\ufeff", "'", '"', "\\", "\n", "{", "[", "(", ")", "]", "}", "<|im_end|>", "é"]
    noise = "".join(rng.choices(odd, k=rng.randint(1, 6)))
    value = rng.choice(["1e999", "-1", "[]", "{}", "None", "[[1]]", "10**9", "().__class__", repr(noise), "open('x')"])
    name = rng.choice([*tools, "__init__", "__class__", "_load_scenario", "eval", "exit", "os.system", "kill"])
    shapes = [
        f"[{name}({value})]",
        f"[{name}(folder={value}, file_name={value})]",
        f"{name}.__class__({value})",
        f"[{name}.__globals__['os'].system('touch leaked')]",
        "__import__('os').system('touch leaked')",
        f"[{name}(), __import__('os').system('touch leaked')]",
        f'{{"name": "{name}", "arguments": {rng.choice(["[]", "7", "null", "{}", "NaN"])}}}',
        f'[{{"name": {rng.choice(["7", "null", "[]"])}}}, {noise}',
        json.dumps([{"name": name, "arguments": {rng.choice(["folder", "self", "content", noise]): noise}}]),
        noise,
        f'exec(\'open("leaked", "w")\'){noise}',
    ]
    return rng.choice(shapes)


def test_200_odd_actions_execute_nothing_and_leak_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng, env = random.Random(5), begun(max_steps=40)

    def whole() -> list[StepResult]:
        env.reset(options={"task": TASK})
        return played(env, *(action for turn in TURNS for action in (turn, "ok")))

    untouched = whole()
    assert untouched[-1].info["success"]
    tools = list(env.episode.tools)
    env.reset(options={"task": TASK})
    for number in range(200):
        result = stepped(env, fuzzed(rng, tools))
        json.dumps(result.info)
        json.loads(json.dumps(env.get_state()))
        result.observation.encode()
        if result.terminated or number % 20 == 19:
            assert whole() == untouched
            env.reset(options={"task": TASK})
    assert list(tmp_path.iterdir()) == []


def test_a_reset_without_a_task_draws_one_of_the_train_split() -> None:
    env = BFCL(level="all")
    drawn = []
    for seed in range(20):
        env.reset(seed=seed)
        drawn.append(env.episode.task.id)
    assert set(drawn) <= set(env.tasks("train"))
    assert len(set(drawn)) > 15


def test_the_limit_of_steps_holds_after_a_restore() -> None:
    env, other = begun(max_steps=2), begun(max_steps=2)
    played(env, "[pwd()]")
    other.restore(env.snapshot())
    second, closed = played(other, "[pwd()]", "[pwd()]")
    assert second.info["steps"] == 2
    assert closed.info["verdict"]["forced"] is True


def test_what_cannot_be_reached_can_be_left_out() -> None:
    """Half of a scenario's truth comes out of no tool: its own calls show no such text before it is posted."""
    env, whole = BFCL(level="all", leave_out_wrong=True), BFCL(level="all")
    out = [id for split in ("train", "validation", "test") for id in whole.tasks(split) if id not in env.tasks(split)]
    assert sorted(out) == sorted(
        f"multi_turn_{category}_{number}"
        for category in ("base", "miss_func", "miss_param", "long_context")
        for number in (4, 18)
    )
    for number, text in ((4, "More unsorted data Unsorted data"), (18, "civilizations.+ Advanced")):
        seen, _ = whole.reset(options={"task": f"multi_turn_base_{number}"})
        told, over, expert = [str(seen)], False, whole.expert()
        while not over:
            said = expert(Observation.of(seen))
            if text in str(said):
                break
            seen, _, over, *_ = whole.step(str(said))
            told.append(str(seen))
        assert text in str(said)
        assert text not in "".join(told)
    with pytest.raises(UserError, match="task 'multi_turn_base_4' does not exist"):
        env.reset(options={"task": "multi_turn_base_4"})
