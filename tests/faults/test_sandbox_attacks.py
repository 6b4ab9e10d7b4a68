"""What a policy may try in its container: nothing of it comes to anything, and the sandbox is there afterwards."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator

import pytest

from agentgym.sandbox import Files, Sandbox, Spec, claim
from agentgym.sandbox.images import ensure
from tests.faults.attacks import ATTACKS, Attack

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def spec() -> Spec:
    return Spec(image=ensure())


@pytest.fixture(scope="module")
def bystander(spec: Spec) -> Iterator[Sandbox]:
    with claim(spec) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(spec: Spec) -> Iterator[Sandbox]:
    with claim(spec, warm=1) as sandbox:
        yield sandbox


@pytest.fixture
def port() -> Iterator[int]:
    """Of somebody on this machine who would answer."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield int(server.getsockname()[1])


def alive(sandbox: Sandbox) -> list[str]:
    """Who runs in it beside process 1 and the question."""
    told = sandbox.run("ps -A -o pid=,comm=", user="root").stdout.decode().split("\n")
    return [line for line in told if line and not line.split()[1].startswith(("ps", "sh")) and line.split()[0] != "1"]


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_attack_fails(attack: Attack, sandbox: Sandbox, bystander: Sandbox, port: int) -> None:
    program = attack.python.replace("PORT", str(port)).encode()
    result = sandbox.run(attack.command, stdin=program, timeout=attack.seconds)
    assert b"BROKEN" not in result.stdout
    assert len(result.stdout) < 70_000
    assert len(result.stderr) < 70_000
    began = time.monotonic()
    assert bystander.run("echo fine").stdout == b"fine\n"
    assert time.monotonic() - began < 5
    sandbox.halt()
    assert alive(sandbox) == []
    sandbox.restore(Files.of({"/work/a": b"a"}))
    assert sandbox.run("ls -A /work /tmp /dev/shm; cat a").stdout == b"/dev/shm:\n\n/tmp:\n\n/work:\na\na"
    began = time.monotonic()
    sandbox.close()
    assert time.monotonic() - began < 5


def test_there_are_25_of_them() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 25


def test_a_storm_is_bounded_and_ends(sandbox: Sandbox, spec: Spec) -> None:
    sandbox.run("bash -c 'f() { f | f & }; f'", timeout=2)
    count = len(sandbox.run("ls -d /proc/[0-9]*", user="root").stdout.split())
    assert count <= spec.limits.processes + 20
    sandbox.halt()
    assert alive(sandbox) == []


def test_output_is_cut_and_a_command_that_never_ends_is_killed(sandbox: Sandbox, spec: Spec) -> None:
    result = sandbox.run("yes", timeout=1)
    assert (result.timed_out, result.truncated, result.exit_code) == (True, True, 137)
    assert len(result.stdout) < spec.limits.output + 100
    assert b"bytes left out ...]\ny\ny\n" in result.stdout.replace(b"]\n\ny", b"]\ny")


def test_a_link_leads_nowhere_that_the_agent_may_not_go(sandbox: Sandbox) -> None:
    sandbox.run("ln -s /etc/shadow s; ln -s /etc/passwd p; ln -s /etc d; ln -s /proc/1/environ e; mkfifo f; ln -s . l")
    for path in ("/work/s", "/work/e"):
        with pytest.raises(PermissionError):
            sandbox.read(path)
    for path in ("/work/p", "/work/d/x", "/etc/x", "/proc/1/oom_score_adj"):
        with pytest.raises(OSError, match=r"Read-only|Permission"):
            sandbox.write(path, b"x")
    for path, number in (("/work/f", errno.EINVAL), ("/dev/zero", errno.EINVAL), ("/work", errno.EISDIR)):
        with pytest.raises(OSError) as caught:  # noqa: PT011  # its number is looked at
            sandbox.read(path)
        assert caught.value.errno == number


def test_a_snapshot_never_follows_a_link(sandbox: Sandbox) -> None:
    before = sandbox.snapshot()
    sandbox.write("/work/a/b", b"mine")
    first = sandbox.snapshot()
    sandbox.run("rm -r a; ln -s /etc a; ln -s / root")
    kinds = {entry.path: (entry.kind, entry.what) for entry in sandbox.snapshot().entries}
    assert kinds["/work/a"] == ("l", "/etc")
    assert not any(path.startswith(("/work/a/", "/work/root/")) for path in kinds)
    sandbox.restore(first)
    assert (sandbox.read("/work/a/b"), sandbox.snapshot().digest) == (b"mine", first.digest)
    sandbox.restore(before)
    assert sandbox.run("ls -A").stdout == b""


@pytest.mark.parametrize(
    "trap",
    [
        "truncate -s 1T huge",
        'python3 -c \'import os\nfor _ in range(3000):\n    os.mkdir("d"); os.chdir("d")\'',
        'python3 -c \'for i in range(15000): open(f"{i}", "w")\'; mkdir /tmp/x; cd /tmp/x; '
        'python3 -c \'for i in range(15000): open(f"{i}", "w")\'',
        "head -c 60000000 /dev/zero > x; head -c 60000000 /dev/urandom > /tmp/y",
    ],
)
def test_what_is_too_much_to_keep_is_told_and_can_be_removed(sandbox: Sandbox, trap: str) -> None:
    sandbox.run(trap)
    with pytest.raises(OSError) as caught:  # noqa: PT011  # its number is looked at
        sandbox.snapshot()
    assert caught.value.errno == errno.EFBIG
    sandbox.restore(Files.of({}))
    assert sandbox.run("ls -A /work /tmp").stdout == b"/tmp:\n\n/work:\n"


def test_names_and_contents_may_be_any_bytes(sandbox: Sandbox) -> None:
    sandbox.run("printf 'a\\0b\\377' > \"$(printf 'new\\nline\\377')\"; mkdir ' '; ln -s 'x y' '-l'; chmod 000 ' '")
    files = sandbox.snapshot()
    sandbox.run("chmod 700 ' '; rm -rf /work/*")
    sandbox.restore(files)
    assert sandbox.snapshot().entries == files.entries
    assert sandbox.run("cat new*; stat -c %a ' '").stdout == b"a\0b\xff0\n"


def test_a_writer_in_the_background_ends_with_the_halt(sandbox: Sandbox) -> None:
    started = "(setsid sh -c 'trap \"\" TERM HUP INT; while :; do date +%N > out; done' >/dev/null 2>&1 &)"
    began = time.monotonic()
    sandbox.run(started, timeout=30)
    assert time.monotonic() - began < 20  # nobody waits for it
    sandbox.run("until [ -s out ]; do :; done")
    sandbox.halt()
    first = sandbox.read("/work/out")
    assert alive(sandbox) == []
    assert sandbox.run("cat out").stdout == first


def test_commands_are_given_what_they_are_given(sandbox: Sandbox) -> None:
    result = sandbox.run(
        ["sh", "-c", 'cat; echo "$0 $A $PWD" >&2; exit 7', "x y"], stdin=b"in", env={"A": "b"}, cwd="/tmp"
    )
    assert (result.stdout, result.stderr, result.exit_code) == (b"in", b"x y b /tmp\n", 7)
    assert sandbox.run("no-such").exit_code == 127
    for odd in (["no-such"], ["/etc"], "a\0b", "x" * 200_000, "\udc00\ud800"):
        assert sandbox.run(odd).exit_code in (126, 127)
    with pytest.raises(OSError, match="Invalid"):
        sandbox.read("/work/a\0b")
    assert sandbox.run("sleep 0.01 & sleep 100 & echo started", timeout=50).seconds < 20
