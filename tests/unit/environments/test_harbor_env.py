"""Harbor's directories as they are played, in real containers: the solution is paid, nothing else is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.environments.harbor import Harbor
from agentgym.environments.harbor.cheats import cheats_at
from agentgym.environments.harbor.contents import contents_of
from agentgym.environments.harbor.demo import demo_dataset
from agentgym.errors import UserError
from agentgym.sandbox.daemon import daemon
from agentgym.sandbox.images import ensure
from agentgym.tools import call
from agentgym.types import Action, Observation

pytestmark = [pytest.mark.docker, pytest.mark.filterwarnings("ignore:.* has 2 of the 3 tasks")]

TASKS = Path(__file__).with_name("harbor_tasks")
IDS = ("sorted-names", "two-counts")
SUBMIT = call("submit")


@pytest.fixture(scope="module", autouse=True)
def base() -> None:
    """The image that the tasks' Dockerfiles begin from."""
    assert daemon().client.tag(ensure(), "agentgym-tests", "harbor")


@pytest.fixture(scope="module")
def env() -> Iterator[Harbor]:
    made = Harbor(name=str(TASKS))
    yield made
    made.close()


def played(env: Harbor, task: str, *actions: Action) -> tuple[float, dict[str, Any], list[str]]:
    env.reset(seed=0, options={"task": task})
    steps = [env.step(action) for action in actions]
    return sum(float(step[1]) for step in steps), steps[-1][4], [str(step[0]) for step in steps]


@pytest.mark.parametrize("task", IDS)
def test_the_solution_is_paid(env: Harbor, task: str) -> None:
    begun, _ = env.reset(seed=0, options={"task": task})
    seen, expert = Observation.of(begun), env.expert()
    assert expert is not None
    solved, *_ = env.step(expert(seen))
    assert str(solved) == "exit code 0"
    _, reward, ended, _, info = env.step(expert(Observation.of(solved)))
    assert (reward, ended, info["success"]) == (1.0, True, True)


@pytest.mark.parametrize("task", IDS)
def test_nothing_is_paid_for_nothing(env: Harbor, task: str) -> None:
    reward, info, seen = played(env, task, SUBMIT)
    assert (reward, info["success"], seen) == (0.0, False, ["reward 0."])


@pytest.mark.parametrize("name", cheats_at())
def test_no_cheat_pays(env: Harbor, name: str) -> None:
    """Where pytest runs in the very directory that the agent wrote in; the trick itself was done."""
    reward, info, seen = played(env, "sorted-names", *cheats_at()[name])
    assert (reward, info["success"]) == (0.0, False), seen
    assert "verifier" not in info, info
    if len(seen) > 1:
        assert "exit code 0" in seen[0]


def test_half_of_two_numbers_is_a_half(env: Harbor) -> None:
    reward, info, _ = played(env, "two-counts", call("shell", command="echo 6 > words.txt"), SUBMIT)
    assert (reward, info["success"], info["rewards"]) == (0.5, False, {"lines": 0.0, "words": 1.0})


def test_what_was_planted_takes_nothing_from_the_work(env: Harbor) -> None:
    planted = "mkdir -p /logs/verifier; echo 0 > /logs/verifier/reward.txt; echo '{}' > /logs/verifier/reward.json"
    work = call("shell", command=f"{planted}; sort -u names.txt > sorted.txt")
    assert played(env, "sorted-names", work, SUBMIT)[0] == 1.0


def test_the_agent_is_nobody_and_has_what_the_task_gives(env: Harbor) -> None:
    asked = "pwd; echo $TEXT; id -u; ls /tests /solution; touch /usr/x 2>/dev/null || echo held"
    _, _, [seen] = played(env, "two-counts", call("shell", command=asked))
    place, text, user, *rest = seen.split("\n")
    assert (place, text) == ("/data", "poem.txt")
    assert int(user) != 0
    assert "test.sh" not in rest
    assert "solve.sh" not in rest
    assert "held" in rest


def test_it_begins_with_what_the_image_holds(env: Harbor) -> None:
    _, _, [seen] = played(env, "sorted-names", call("shell", command="stat -c '%n %a %U' names.txt /tmp; wc -l *"))
    assert seen.split("\n") == ["names.txt 644 agent", "/tmp 1777 agent", "5 names.txt", "exit code 0"]


def test_more_than_there_is_room_for_is_told(env: Harbor) -> None:
    env.reset(seed=0, options={"task": "sorted-names"})
    with pytest.raises(UserError, match=r"the image has more than 100 bytes in /app, which is kept in memory"):
        contents_of(env.image.id, ("/app",), 100)
    with pytest.raises(UserError, match=r"/bin of the image leads to /?usr/bin"):
        contents_of(env.image.id, ("/bin",), 100)


def test_a_moment_is_come_back_to_on_another_instance(env: Harbor) -> None:
    played(env, "sorted-names", call("shell", command="sort -u names.txt > sorted.txt"))
    state = env.get_state()
    env.step(call("shell", command="rm sorted.txt"))
    other = Harbor(name=str(TASKS))
    other.reset(seed=0, options={"task": "two-counts"})
    other.set_state(state or {})
    assert other.step(SUBMIT)[1] == 1.0
    other.close()


def test_tests_that_say_nothing_pay_nothing_and_are_told(tmp_path: Path) -> None:
    shutil.copytree(TASKS / "sorted-names", tmp_path / "mute")
    (tmp_path / "mute" / "tests" / "test.sh").write_text("echo not today\n")
    with pytest.warns(UserWarning, match="has 1 of the 3 tasks that splits need"):
        env = Harbor(name=str(tmp_path / "mute"))
    reward, info, _ = played(env, "mute@test", SUBMIT)
    env.close()
    assert reward == 0.0
    assert info["verifier"] == "the tests wrote neither reward.json nor reward.txt: not today\n"


def test_an_image_that_is_not_there_is_named(tmp_path: Path) -> None:
    shutil.copytree(demo_dataset(), tmp_path / "tasks")
    (tmp_path / "tasks" / "seven" / "environment" / "Dockerfile").write_text("FROM no-such/image:7\n")
    env = Harbor(name=str(tmp_path / "tasks"))
    env.reset(seed=0, options={"task": "seven"})
    with pytest.raises(UserError, match=r"task seven is made from no-such/image:7, .*docker load"):
        env.step(call("shell", command="ls"))
    env.close()


def test_a_dockerfile_that_needs_a_network_is_told_so(tmp_path: Path) -> None:
    shutil.copytree(demo_dataset(), tmp_path / "tasks")
    dockerfile = tmp_path / "tasks" / "seven" / "environment" / "Dockerfile"
    dockerfile.write_text("FROM agentgym-tests:harbor\nRUN grep -q eth0 /proc/net/dev\n")
    env = Harbor(name=str(tmp_path / "tasks"))
    env.reset(seed=0, options={"task": "seven"})
    with pytest.raises(UserError, match="task seven cannot be built without a network"):
        env.step(call("shell", command="ls"))
    env.close()
