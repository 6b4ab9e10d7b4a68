"""What becomes of the vLLM engine when its processes are killed, and of its processes when the trainer is.

Nothing may be lost or come twice, and nothing may stay: no process, no shared memory, no file.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.engine import Completion, Prompt
from agentgym.errors import EngineError
from tests.unit.actors.test_vllm import (
    assert_parity,
    begun,
    go_on,
    logprobs_of,
    model,
    perturb,
    prompt_of,
    publish,
    run,
    sampling,
    started,
)

pytestmark = pytest.mark.vllm

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    yield from started(model())


def alive(pid: int) -> bool:
    """Neither gone nor waiting to be reaped."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def processes(engine: Any) -> list[int]:
    """The core, its worker, and whatever else they started."""
    return [int(process.partition(":")[0]) for process in engine._server._core.processes.split()]


def pid_of(engine: Any, title: str) -> int:
    """Of the core or the worker, by what vLLM calls the process."""
    titles = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in processes(engine)}
    found = [pid for pid, name in titles.items() if title in name]
    assert len(found) == 1, titles
    return found[0]


async def many(engine: Any, num: int, kill: Any) -> list[Completion]:
    """So many completions; ``kill`` is called when some are under way and some still wait their turn."""
    asked = await begun(
        engine,
        20,
        lambda: [
            asyncio.ensure_future(engine.generate(Prompt(prompt_of(20, i)), sampling(max_tokens=400), session=f"k{i}"))
            for i in range(num)
        ],
        at_least=1,
    )
    await go_on(engine)
    kill()
    completions = await asyncio.gather(*asked)
    for i in range(num):
        engine.release(f"k{i}")
    return completions


@pytest.mark.parametrize("victim", ["EngineCore", pytest.param("Worker", marks=pytest.mark.nightly)])
def test_a_killed_engine_is_started_again_and_every_completion_comes_once(engine: Any, victim: str) -> None:
    """With the weights that were live, not those that the learner has reached since."""
    engine._server._restarts.clear()
    version, restarts = engine.policy_version + 1, engine._server.num_restarts
    perturb(engine.module, version)
    run(lambda: publish(engine, version))
    pids = processes(engine)
    completions = run(lambda: many(engine, 12, lambda: os.kill(pid_of(engine, victim), signal.SIGKILL)))
    assert engine._server.num_restarts == restarts + 1
    assert [len(completion.token_ids) for completion in completions] == [400] * 12
    for i, completion in enumerate(completions):
        expected = logprobs_of(engine.module, prompt_of(20, i) + completion.token_ids)[19:]
        assert completion.logprobs == pytest.approx(expected, abs=1e-5)
        assert set(completion.policy_versions) == {version}
    assert not any(map(alive, pids))
    perturb(engine.module, version + 1)  # not published: a restart must not pick it up
    ids = prompt_of(30)
    before = run(lambda: engine.score(Prompt(ids)))
    os.kill(processes(engine)[0], signal.SIGKILL)
    assert run(lambda: engine.score(Prompt(ids))) == pytest.approx(before, abs=1e-6)
    run(lambda: publish(engine, version + 1))
    assert_parity(engine)


def test_an_engine_killed_while_weights_are_on_their_way_has_the_new_ones(engine: Any) -> None:
    engine._server._restarts.clear()
    version = engine.policy_version + 1
    perturb(engine.module, version)
    load = engine._updater.transport.load

    async def deadly(core: Any, *weights: Any) -> None:
        os.kill(core.pid, signal.SIGKILL)
        await load(core, *weights)

    engine._updater.transport.load = deadly
    try:
        run(lambda: publish(engine, version))
    finally:
        engine._updater.transport.load = load
    assert engine.policy_version == version
    assert_parity(engine)


def test_an_engine_that_keeps_dying_is_given_up(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = engine._server
    server._restarts.clear()
    server._restarts.extend([time.monotonic()] * 3)
    os.kill(server.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(EngineError, match="vLLM died 4 times within 10 minutes and is given up"):
            run(lambda: engine.generate(Prompt(prompt_of(4)), sampling(), session="s"))
    server._given_up = ""
    server.run(server._start())
    assert_parity(engine)


CHILD = """
import asyncio, json, os, signal, sys, threading
from agentgym.engine import Prompt
from tests.unit.actors.test_vllm import begun, model, prompt_of, sampling

async def main(engine, ending):
    await engine.start()
    await begun(engine, 20, lambda: [
        asyncio.ensure_future(engine.generate(Prompt(prompt_of(9, i)), sampling(max_tokens=400), session=f"{i}"))
        for i in range(4)
    ])
    print(json.dumps({"pids": [int(p.partition(":")[0]) for p in engine._server._core.processes.split()]
                      + [engine._server._guard._process.pid],
                      "directory": str(engine._server._directory),
                      "segments": sorted(engine._server._core.segments)}), flush=True)
    if ending == "close":
        await engine.close()
    if ending == "end":
        return
    await asyncio.sleep(600)

if __name__ == "__main__":
    from agentgym.actors.vllm.engine import VLLMEngine
    asyncio.run(main(VLLMEngine(model()), sys.argv[1]))
"""


@pytest.mark.parametrize(
    "ending", ["SIGTERM", "SIGKILL", *(pytest.param(ending, marks=pytest.mark.nightly) for ending in ("end", "SIGINT"))]
)
def test_nothing_stays_however_the_trainer_ends(tmp_path: Path, ending: str) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    child = subprocess.Popen(
        [sys.executable, str(script), ending],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    assert child.stdout is not None
    told = json.loads(child.stdout.readline())
    assert all(map(alive, told["pids"]))
    assert Path(told["directory"]).is_dir()
    began = time.monotonic()
    if ending != "end":
        os.killpg(child.pid, getattr(signal, ending))  # as a terminal does, to all of the foreground
    child.wait(timeout=30)
    while any(map(alive, told["pids"])) or Path(told["directory"]).exists() or shared(told["segments"]):
        assert time.monotonic() - began < 10, told
        time.sleep(0.02)
    child.communicate()


def shared(segments: list[str]) -> list[str]:
    return [name for name in segments if Path("/dev/shm", name).exists()]


def test_closing_leaves_nothing() -> None:
    from agentgym.actors.vllm.engine import VLLMEngine

    engine = VLLMEngine(model())
    run(engine.start)
    server: Any = engine._server
    pids, directory, segments = processes(engine), server._directory, list(server._core.segments)
    assert segments
    assert shared(segments) == segments

    async def main() -> None:
        asked = await begun(
            engine,
            20,
            lambda: [
                asyncio.ensure_future(
                    engine.generate(Prompt(prompt_of(9, i)), sampling(max_tokens=400), session=f"{i}")
                )
                for i in range(4)
            ],
        )
        began = time.monotonic()
        await engine.close()
        assert time.monotonic() - began < 5
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError | EngineError) for result in results)

    run(main)
    assert not any(map(alive, pids))
    assert not directory.exists()
    assert not shared(segments)
    assert server._guard._process.returncode == 0
    run(engine.close)
    with pytest.raises(EngineError, match="the engine is closed"):
        run(lambda: engine.generate(Prompt(prompt_of(4)), sampling(), session="s"))
