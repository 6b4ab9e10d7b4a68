"""Owners, containers and engines that are killed: the sandbox says so, and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.environments.terminal import Terminal
from agentgym.errors import EnvError, MissingExtraError
from agentgym.sandbox import Spec, claim, daemon, owner
from agentgym.sandbox.docker import DockerSandbox
from agentgym.sandbox.images import ensure
from agentgym.sandbox.sweep import sweep
from tests.kit import ROOT, eventually

pytestmark = pytest.mark.docker


def containers() -> set[str]:
    return {found["Id"] for found in daemon.daemon().containers(owner.LABEL)}


@contextlib.contextmanager
def owning() -> Iterator[tuple[subprocess.Popen[str], set[str]]]:
    """A process that has two sandboxes, and their containers."""
    program = [sys.executable, str(ROOT / "tests" / "faults" / "sandbox_owner.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        yield process, set(process.stdout.readline().split())
    finally:
        process.kill()
        process.communicate()


def asked(process: subprocess.Popen[str], what: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_a_killed_owner_leaves_nothing() -> None:
    with owning() as (process, ids):
        assert len(ids) == 2
        assert ids <= containers()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert eventually(lambda: not ids & containers(), seconds=20)


def test_owners_leave_each_other_alone() -> None:
    with owning() as (first, firsts), owning() as (second, seconds):
        assert (asked(first, "sweep"), asked(second, "sweep")) == ("0", "0")
        assert not sweep()
        assert firsts | seconds <= containers()
        assert (asked(first, "echo"), asked(second, "echo")) == ("here here", "here here")


@pytest.mark.parametrize(
    ("changes", "is_swept"),
    [
        ({}, False),
        ({"start": 1}, True),  # the number is another process's by now
        ({"pid": 2**22 + 1}, True),
        ({"pid": 2**22 + 1, "boot": "another"}, False),
        ({"pid": 2**22 + 1, "namespace": "pid:[1]"}, False),
        ({"pid": "x"}, False),
        (None, False),
    ],
)
def test_only_what_is_known_to_be_dead_is_swept(changes: dict[str, Any] | None, is_swept: bool) -> None:
    """A container that was made and never started is no trouble either."""
    label = json.loads(owner.labels()[owner.LABEL])
    value = "no JSON" if changes is None else json.dumps({**label, **changes})
    api = daemon.daemon().client
    made = api.create_container(ensure(), "true", labels={owner.LABEL: value})["Id"]
    try:
        assert (made in sweep()) == is_swept
        assert (made in containers()) == (not is_swept)
    finally:
        daemon.daemon().remove(made)


def test_a_killed_container_is_a_lost_sandbox() -> None:
    with claim(Spec(image=ensure())) as sandbox:
        assert isinstance(sandbox, DockerSandbox)
        daemon.daemon().client.kill(sandbox.id)
        for _ in range(2):
            with pytest.raises(EnvError, match=r"the sandbox is (lost|closed)"):
                sandbox.run("true")


def test_a_command_in_a_container_that_is_killed_is_told_at_once() -> None:
    with claim(Spec(image=ensure())) as sandbox:
        assert isinstance(sandbox, DockerSandbox)
        killer = threading.Timer(0.5, daemon.daemon().client.kill, args=(sandbox.id,))
        killer.start()
        began = time.monotonic()
        with pytest.raises(EnvError, match="the sandbox is lost: it "):
            sandbox.run("sleep 60", timeout=60)
        assert time.monotonic() - began < 20
        killer.join()


def test_an_environment_has_another_container_for_its_next_episode() -> None:
    env = Terminal()
    try:
        env.reset(options={"task": 0})
        assert isinstance(env.sandbox, DockerSandbox)
        daemon.daemon().client.kill(env.sandbox.id)
        with pytest.raises(EnvError, match="the sandbox is lost"):
            env.step("ls")
        env.reset(options={"task": 0})
        expert = env.expert()
        env.step(expert(""))  # type: ignore[arg-type]
        assert env.step("done")[1] == 1.0
    finally:
        env.close()


# -- the engine ------------------------------------------------------------------------------------------


class Engine:
    """A Docker engine of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.address = f"unix://{directory}/sock"
        self._command = [
            *("dockerd", "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec"),
            *("--pidfile", f"{directory}/pid", "--host", self.address),
            *("--bridge=none", "--iptables=false", "--ip6tables=false"),
        ]
        self._directory = directory
        self._containerd = directory / "exec" / "containerd" / "containerd.pid"
        self._log = (directory / "log").open("wb")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log, start_new_session=True)

    def wait(self) -> None:
        def answers() -> bool:
            command = ["docker", "-H", self.address, "version"]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        assert eventually(answers, seconds=60), self._log.name

    def kill(self) -> None:
        """It alone, as when it crashes: its containers are another program's."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        # Its containerd dies with it; where nobody reaps that its number would be taken for one that runs.
        self._containerd.unlink()

    def close(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)
        self._log.close()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((mount for mount in mounts if mount.startswith(str(self._directory))), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=True)
        shutil.rmtree(self._directory)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    engine = Engine(Path(tempfile.mkdtemp(prefix="agentgym-engine-")))
    engine.start()
    engine.wait()
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setattr(daemon, "_HELD", [])
    try:
        yield engine
    finally:
        engine.close()


def test_an_engine_that_is_killed_is_waited_for(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Spec(image=ensure())
    sandbox = DockerSandbox(spec)
    engine.kill()
    with pytest.raises(EnvError, match="the sandbox is lost"):
        sandbox.run("true")
    again = threading.Timer(1.0, engine.start)
    again.start()
    with DockerSandbox(spec) as another:
        assert another.run("echo back").stdout == b"back\n"
        assert len(containers()) == 1  # the lost one went with the restart
    assert eventually(lambda: not containers())
    engine.kill()
    monkeypatch.setattr(daemon, "_PATIENCE_SECONDS", 0.5)
    with pytest.raises(
        EnvError, match=r"^the engine at unix://.* does not answer \(.*\), for 0.5 seconds; start it"
    ) as told:
        DockerSandbox(spec)
    assert "\n" not in str(told.value)
    monkeypatch.setattr(daemon, "_HELD", [])
    with pytest.raises(MissingExtraError, match=r"^no container engine answers at unix://.*apt-get install"):
        DockerSandbox(spec)
    engine.start()
    engine.wait()
