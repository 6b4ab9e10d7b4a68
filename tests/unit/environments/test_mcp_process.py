"""The program behind a server: the end of what it writes, and its own end and that of all it started."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentgym.environments.mcp.process import MARK, Tail, end_all
from tests.kit import eventually


def test_only_the_end_of_what_is_written_is_kept_and_nobody_waits_for_room() -> None:
    async def write() -> str:
        tail = Tail()
        tail.watch(asyncio.get_running_loop())
        program = "import sys; sys.stderr.write('x' * 3_000_000 + 'the end ä')"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=tail.file)
        assert await process.wait() == 0
        text = tail.text
        tail.unwatch(asyncio.get_running_loop())
        tail.close()
        tail.close()
        assert tail.file.closed
        return text

    text = asyncio.run(write())
    assert (text[-9:], len(text.encode())) == ("the end ä", 8000)


def test_what_was_just_written_is_told() -> None:
    tail = Tail()
    assert tail.text == ""
    tail.file.write("one\n")
    assert tail.text == "one\n"
    tail.file.write("two")
    assert tail.text == "one\ntwo"
    tail.close()
    assert tail.text == "one\ntwo"


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="programs are found through /proc")
def test_every_program_with_the_mark_is_ended_and_no_other() -> None:
    def start(mark: str, program: str) -> subprocess.Popen[str]:
        environment = {**os.environ, MARK: mark}
        process = subprocess.Popen(
            [sys.executable, "-c", program], env=environment, start_new_session=True, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.stdout.close()
        return process

    mark = f"test-{time.time_ns()}"
    plain = "import time; print('up', flush=True); time.sleep(60)"
    mine, stubborn, other = start(mark, plain), start(mark, STUBBORN), start(f"{mark}0", plain)
    try:
        end_all(mark)
        assert (mine.wait(), stubborn.wait()) == (-15, -9)
        assert other.poll() is None
        end_all(mark)
    finally:
        for process in (mine, stubborn, other):
            process.kill()
            process.wait()
    assert eventually(lambda: not Path(f"/proc/{other.pid}").exists())
