"""The server and the contract, by plain processes in a directory. Nothing here is an attack: they would not be held."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgym.errors import EnvError
from agentgym.sandbox import Files, Limits, Sandbox, Spec, claim
from agentgym.sandbox.inside import LOADER, source
from agentgym.sandbox.inside.processes import Processes
from tests.kit import ROOT, eventually


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with claim(Spec(image="", limits=Limits(output=1000, file=5000, disk=100_000)), unsafe_local=True) as sandbox:
        yield sandbox


def test_a_command_comes_to_what_it_says(sandbox: Sandbox) -> None:
    result = sandbox.run('cat; echo "$A" >&2; exit 3', stdin=b"in", env={"A": "b"})
    assert result[:5] == (3, b"in", b"b\n", False, False)
    assert sandbox.run(["echo", "a b"]).text == "a b\n"
    assert sandbox.run("pwd", cwd="/tmp").stdout.endswith(b"/tmp\n")


@pytest.mark.parametrize(
    ("command", "code"), [("kill -9 $$", 137), ("exit 300", 44), (["no-such"], 127), (["/etc"], 126), ("a\0b", 126)]
)
def test_exit_codes_are_a_shell_s(sandbox: Sandbox, command: str | list[str], code: int) -> None:
    assert sandbox.run(command).exit_code == code


def test_a_long_output_and_a_long_input_pass_each_other(sandbox: Sandbox) -> None:
    result = sandbox.run("cat", stdin=b"x" * 3_000_000)
    assert (result.truncated, len(result.stdout)) == (True, 1000 + len("\n[... 2999000 bytes left out ...]\n"))


def test_a_command_is_killed_at_its_deadline(sandbox: Sandbox) -> None:
    result = sandbox.run("echo a; sleep 100 | sleep 100", timeout=0.3)
    assert (result.exit_code, result.timed_out, result.stdout) == (137, True, b"a\n")


def test_what_is_left_running_ends_with_the_halt(sandbox: Sandbox) -> None:
    sandbox.run("for i in 1 2 3; do (setsid sh -c 'while :; do date +%N > n; sleep 0.01; done' &) ; done")
    assert eventually(lambda: sandbox.run("test -s n").exit_code == 0)
    sandbox.halt()
    before = sandbox.read("/work/n")
    assert sandbox.run("cat n").stdout == before


def test_files_are_read_and_written(sandbox: Sandbox) -> None:
    sandbox.write("/work/a/b", b"\0\xff", mode=0o750)
    assert (sandbox.read("/work/a/b"), sandbox.run("stat -c %a a/b").stdout) == (b"\0\xff", b"750\n")
    sandbox.write("/work/a/b", b"")
    assert sandbox.read("/work/a/b") == b""
    sandbox.run("mkfifo f; head -c 6000 /dev/zero > large")
    for path, number in (("f", errno.EINVAL), ("a", errno.EISDIR), ("x", errno.ENOENT), ("large", errno.EFBIG)):
        with pytest.raises(OSError) as caught:  # noqa: PT011  # its number is looked at
            sandbox.read(f"/work/{path}")
        assert caught.value.errno == number


def test_a_snapshot_is_come_back_to(sandbox: Sandbox) -> None:
    sandbox.run("mkdir -p a/b ' '; echo 1 > a/b/c; echo 1 > d; ln -s d l; mkfifo p; chmod 700 a; touch -d @5 d")
    files = sandbox.snapshot()
    assert sandbox.snapshot() is files
    sandbox.run("rm -r a l p; mkdir l p d2; echo 2 > d; ln d e; mkdir -p $(seq -s / 300)")
    sandbox.restore(files)
    assert sandbox.snapshot().entries == files.entries
    with claim(sandbox.spec, unsafe_local=True) as other:
        other.restore(files)
        assert other.snapshot().digest == files.digest
        assert other.run("cat a/b/c l").stdout == b"1\n1\n"


def test_files_that_were_made_one_are_two_again(sandbox: Sandbox) -> None:
    files = Files.of({"/work/a": b"same", "/work/b": b"same"})
    sandbox.restore(files)
    sandbox.run("ln -f a b; touch -d @1700000000 a")
    sandbox.restore(files)
    assert sandbox.run("echo other > a; cat b").stdout == b"same"


def test_only_what_is_new_is_sent(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.restore(Files.of({"/work/a": b"a", "/work/b": b"b"}))
    sandbox.run("echo c > c")
    sent: list[object] = []
    more = sandbox._more  # type: ignore[attr-defined]

    def counted() -> object:
        sent.append(more())
        return sent[-1]

    monkeypatch.setattr(sandbox, "_more", counted)
    assert sandbox.snapshot().read("/work/a") == b"a"
    assert len(sent) == 2  # c, and the end of the answer
    sandbox.restore(Files.of({"/work/a": b"a"}))
    assert len(sent) == 3  # nothing, and the end
    assert sandbox.run("ls").stdout == b"a\n"


@pytest.mark.parametrize("way", ["{}/x", "/work/../x", "/work/..{}/x"])
def test_nothing_outside_is_restored(way: str, tmp_path: Path) -> None:
    with claim(Spec(image="", writable=("/work",)), unsafe_local=True) as sandbox:
        sandbox.write("/work/kept", b"")
        with pytest.raises(OSError, match="Invalid argument"):
            sandbox.restore(Files.of({way.format(tmp_path): b"x"}))
        assert sandbox.run("ls; ls ..").stdout == b"kept\nwork\n"
        assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_told_and_the_sandbox_goes_on(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="File too large"):
        sandbox.restore(Files.of({"/work/large": b"x" * 200_000, "/work/small": b"y"}))
    sandbox.restore(Files.of({"/work/small": b"y"}))
    assert (sandbox.run("ls").stdout, sandbox.read("/work/small")) == (b"small\n", b"y")


def test_an_end_leaves_nothing(sandbox: Sandbox) -> None:
    directory = sandbox.run("pwd; setsid sleep 300 >/dev/null 2>&1 &").stdout.decode().strip()
    sandbox.close()
    sandbox.close()
    assert not os.path.exists(directory)
    assert not sandbox.is_open
    with pytest.raises(EnvError, match="the sandbox is closed"):
        sandbox.run("true")


OWNER = """
import sys
from agentgym.sandbox import Spec, claim
with claim(Spec(image=""), unsafe_local=True) as sandbox:
    print(sandbox.run("pwd").text.strip(), flush=True)
    sandbox.run(sys.argv[1] + "sleep 300")
    sys.stdin.read()
"""


@pytest.mark.parametrize("command", ["", "setsid -f "], ids=["runs", "was started and left"])
def test_a_killed_owner_leaves_nothing(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", OWNER, command], cwd=ROOT, **pipes, text=True) as owner:  # type: ignore[call-overload]
        directory = Path(owner.stdout.readline().strip())

        def here() -> list[str]:
            return [name for name in os.listdir("/proc") if name.isdigit() and _works_below(name, tmp_path)]

        assert directory.is_relative_to(tmp_path)
        assert eventually(lambda: len(here()) > 0)
        owner.kill()
    assert eventually(lambda: not here(), seconds=20)
    assert eventually(lambda: not list(tmp_path.iterdir()), seconds=20)


def _works_below(pid: str, directory: Path) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(directory)
    except OSError:
        return False


def test_a_killed_server_is_a_lost_sandbox(sandbox: Sandbox) -> None:
    sandbox._process.kill()  # type: ignore[attr-defined]
    with pytest.raises(EnvError, match="the sandbox is lost: it has ended"):
        sandbox.run("true")
    assert not sandbox.is_open


def test_nobody_but_process_1_signals_all_others() -> None:
    """What a container's server does to everybody there would end everything on a machine."""
    with pytest.raises(PermissionError, match="only process 1"):
        Processes().signal(0)


def test_the_server_needs_nothing_of_ours() -> None:
    """It runs where agentgym is not installed, and ends with its input."""
    text = source()
    assert b"agentgym.sandbox" not in text
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOADER, str(len(text))],
        input=text,
        capture_output=True,
        cwd="/",
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
