"""Harbor's directories as they are read: what is in them, what is refused, what is graded; without an engine."""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, strategies

from agentgym.environments.harbor.cheats import cheats_at
from agentgym.environments.harbor.contents import entries_in
from agentgym.environments.harbor.env import _must_fit, _solving, splits_of
from agentgym.environments.harbor.form import HarborTask, read_dataset, read_task
from agentgym.environments.harbor.images import bases_of, service_of
from agentgym.environments.harbor.verifier import carried, reward_in
from agentgym.errors import ConfigError, DataError, UserError
from agentgym.sandbox import Entry, Files

TASKS = Path(__file__).with_name("harbor_tasks")
NAMES, COUNTS = TASKS / "sorted-names", TASKS / "two-counts"


def copied(folder: Path, to: Path, toml: str | None = None) -> Path:
    made = to / folder.name
    shutil.copytree(folder, made)
    if toml is not None:
        (made / "task.toml").write_text(toml)
    return made


def test_both_forms_are_read() -> None:
    old, new = read_dataset(TASKS)
    assert (old.id, new.id) == ("sorted-names", "two-counts")
    assert old.instruction == "Sort the lines of /app/names.txt into /app/sorted.txt, without repeated ones."
    assert (old.config.verifier.timeout_sec, old.config.agent.timeout_sec) == (120.0, 120.0)
    assert (old.wants_internet, new.wants_internet) == (True, False)
    assert new.config.environment.env == {"TEXT": "poem.txt"}
    assert (new.config.environment.memory_mb, new.config.environment.workdir) == (256, "/data")
    assert (new.config.verifier.env, new.config.solution.env) == ({"LINES": "3"}, {"OUT": "/data"})
    assert [*old.files("tests")] == ["test.sh", "test_outputs.py"]
    assert [*new.files("solution")] == ["count.sh", "solve.sh"]
    assert old.refusals == new.refusals == []
    assert old.has_solution


def test_a_directory_is_a_dataset_of_one() -> None:
    assert [task.id for task in read_dataset(COUNTS)] == ["two-counts"]


def test_a_folder_without_tasks_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no task: expected task\.toml in it"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("name", ["task.toml", "instruction.md", "tests/test.sh"])
def test_what_a_task_must_have_is_named(name: str, tmp_path: Path) -> None:
    folder = copied(NAMES, tmp_path)
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"it has no {name}"):
        read_task(folder)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[agent", "Expected ']'"),
        ("[agent]\ntimeout_sec = 'long'", r"task\.toml: agent\.timeout_sec: .* found 'long'"),
        ("[verifier]\ntimeout_sec = 0", r"verifier\.timeout_sec: .* found 0"),
        ("[environment]\nnetwork_mode = 'wifi'", r"environment\.network_mode: .* found 'wifi'"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(toml: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        read_task(copied(NAMES, tmp_path, toml))


@pytest.mark.parametrize(
    ("toml", "name"),
    [
        ("[[environment.mcp_servers]]\nname = 'a'", "mcp_servers"),
        ("[environment]\ngpus = 1", "gpus = 1"),
        ("[environment]\nos = 'windows'", 'os = "windows"'),
        ("[[steps]]\nname = 'one'", "steps"),
        ("[verifier.environment]\ncpus = 1", "verifier.environment"),
        ("[[verifier.collect]]\ncommand = 'x'", "verifier.collect"),
        ("[verifier]\nnetwork_mode = 'public'", 'verifier.network_mode = "public"'),
        ("[agent]\nnetwork_mode = 'allowlist'", 'agent.network_mode = "allowlist"'),
        ("[environment.healthcheck]\ncommand = 'x'", "environment.healthcheck"),
    ],
)
def test_what_is_not_here_is_refused_by_name(toml: str, name: str, tmp_path: Path) -> None:
    task = read_task(copied(NAMES, tmp_path, toml))
    assert task.refusals == [name]
    with pytest.raises(ConfigError) as caught:
        _must_fit([task], offline=True)
    assert str(caught.value).startswith(f"task sorted-names needs {name}, which there is not here")


def test_tests_with_an_image_of_their_own_are_refused(tmp_path: Path) -> None:
    folder = copied(NAMES, tmp_path)
    (folder / "tests" / "Dockerfile").write_text("FROM scratch\n")
    assert read_task(folder).refusals == ["tests/Dockerfile"]


def test_an_internet_that_is_left_on_is_no_need_of_one() -> None:
    both = read_dataset(TASKS)
    _must_fit(both, offline=True)
    _must_fit(both[1:], offline=False)
    with pytest.raises(ConfigError, match="task sorted-names needs the internet"):
        _must_fit(both, offline=False)


# -- splits ---------------------------------------------------------------------------------------------


def many(count: int) -> list[HarborTask]:
    one = read_task(NAMES)
    return [one.model_copy(update={"folder": Path(f"/tasks/t{number}")}) for number in range(count)]


@pytest.mark.parametrize(("count", "sizes"), [(3, [1, 1, 1]), (9, [7, 1, 1]), (10, [8, 1, 1]), (40, [32, 4, 4])])
def test_every_task_is_in_one_split(count: int, sizes: list[int]) -> None:
    splits = splits_of(many(count))
    assert [len(splits[name]) for name in ("train", "validation", "test")] == sizes
    assert {task.id for split in splits.values() for task in split.values()} == {f"t{n}" for n in range(count)}
    assert splits == splits_of(many(count)[::-1])


def test_few_tasks_are_in_every_split_by_other_names() -> None:
    splits = splits_of(read_dataset(TASKS))
    assert [*splits["train"]] == ["sorted-names", "two-counts"]
    assert [*splits["test"]] == ["sorted-names@test", "two-counts@test"]
    assert [*splits_of(many(1))["validation"]] == ["t0@validation"]
    assert splits["validation"]["two-counts@validation"] == splits["train"]["two-counts"]


# -- images and solutions -------------------------------------------------------------------------------


def test_the_images_that_a_dockerfile_begins_from() -> None:
    assert bases_of((NAMES / "environment" / "Dockerfile").read_text()) == ["agentgym-tests:harbor"]
    assert bases_of((COUNTS / "environment" / "Dockerfile").read_text()) == ["agentgym-tests:harbor"]
    assert bases_of("from scratch\nFROM a AS one\nFROM b as two\nFROM one\nFROM a") == ["a", "b"]
    assert bases_of("ARG V\nFROM c:${V:-2}") == ["c:2"]


def test_a_compose_file_has_one_service(tmp_path: Path) -> None:
    assert service_of(COUNTS / "environment" / "docker-compose.yaml")["build"]["context"] == "."
    file = tmp_path / "docker-compose.yaml"
    file.write_text("services:\n  main: {image: a}\n  database: {image: b}\n")
    with pytest.raises(UserError, match="has the services database beside main"):
        service_of(file)
    file.write_text("")
    assert service_of(file) == {}


def test_a_solution_of_one_file_is_one_command() -> None:
    assert _solving(read_task(NAMES)).startswith("bash -c '#!/bin/bash\nsort -u names.txt")


def test_a_solution_of_more_lays_them_where_they_belong() -> None:
    command = _solving(read_task(COUNTS))
    assert command.endswith(" && OUT=/data bash /solution/solve.sh")
    assert "base64 -d > /solution/count.sh" in command


def test_an_archive_is_the_files_of_a_folder() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind, link, mode in (
            ("app", tarfile.DIRTYPE, "", 0o755),
            ("app/run", tarfile.REGTYPE, "", 0o4755),
            ("app/same", tarfile.LNKTYPE, "app/run", 0o755),
            ("app/away", tarfile.SYMTYPE, "/etc/passwd", 0o777),
            ("app/pipe", tarfile.FIFOTYPE, "", 0o600),
            ("app/null", tarfile.CHRTYPE, "", 0o666),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode, member.mtime, member.uid = kind, link, mode, 7, 0
            member.size = 2 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"hi"))
    what, time = Files.of({"/x": b"hi"}).entries[-1].what, 7 * 10**9
    assert [*entries_in(made.getvalue(), "/opt")] == [
        (Entry("/opt/app", "d", 0o755, time, False, ""), b""),
        (Entry("/opt/app/run", "f", 0o4755, time, False, what), b"hi"),
        (Entry("/opt/app/same", "f", 0o755, time, False, what), b"hi"),
        (Entry("/opt/app/away", "l", 0o777, time, False, "/etc/passwd"), b""),
        (Entry("/opt/app/pipe", "p", 0o600, time, False, ""), b""),
    ]
    assert [*entries_in(b"", "/")] == []


# -- rewards --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "reward"),
    [
        ({"reward.txt": "1\n"}, 1.0),
        ({"reward.txt": "0.25"}, 0.25),
        ({"reward.json": '{"reward": 0.5, "speed": 9}'}, 0.5),
        ({"reward.json": '{"lines": 1, "words": 0}', "reward.txt": "1"}, 0.5),
        ({"reward.json": "1"}, 1.0),
    ],
)
def test_rewards_are_read(found: dict[str, str], reward: float) -> None:
    assert reward_in(found)[0] == reward


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, "neither reward.json nor reward.txt"),
        ({"reward.txt": ""}, "expected a finite number"),
        ({"reward.txt": "true"}, "reward is True"),
        ({"reward.txt": "NaN"}, "reward is nan"),
        ({"reward.txt": "9" * 400}, "reward is 999"),
        ({"reward.json": "{}"}, "no number in it"),
        ({"reward.json": '{"a": "1"}'}, "a is '1'"),
        ({"reward.json": "[" * 100_000}, "expected a finite number"),
        ({"reward.json": '{"reward": Infinity}', "reward.txt": "1"}, "reward is inf"),
    ],
)
def test_what_is_no_reward_is_told(found: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        reward_in(found)


@given(strategies.text() | strategies.integers().map(str) | strategies.floats().map(str))
def test_any_text_is_a_finite_number_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert math.isfinite(reward_in({"reward.txt": text})[0])


def test_what_is_carried_to_the_grading() -> None:
    image = Files.of({"/app/conftest.py": b"theirs", "/app/pytest.ini": b"old"})
    kept = {"/app/out.txt": b"1", "/app/conftest.py": b"theirs", "/tmp/json.py": b"x", "/app/opt/tool": b"x"}
    left_out = (
        *("/logs/verifier/reward.txt", "/logs", "/tests/test.sh", "/solution/solve.sh", "/app/pytest.ini"),
        *("/app/deep/conftest.py", "/app/json.py", "/app/pytest", "/app/a.pth", "/tmp/conftest.py"),
        *("/root/.local/bin/python3", "/root/.bashrc", "/opt/bin/ls"),
    )
    agent = Files.of({**kept, **dict.fromkeys(left_out, b"x")})
    found = carried(agent, image, "/opt/bin:/usr/bin")
    assert {entry.path for entry in found.entries if entry.kind == "f"} == set(kept)


def test_a_link_in_place_of_what_runs_unasked_is_left_out() -> None:
    image = Files.of({"/app/conftest.py": b"theirs"})
    link = Entry("/app/conftest.py", "l", 0o777, 0, False, "/app/mine.py")
    assert carried(Files((link,), {}), image).entries == ()


def test_there_are_cheats_and_each_submits() -> None:
    cheats = cheats_at()
    assert len(cheats) >= 7
    assert all(str(actions[-1]) == "submit()" for actions in cheats.values())
