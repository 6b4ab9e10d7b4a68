"""What is particular to environments in processes: how they are found, and what they print."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ConfigError, EnvError, UnknownIdError, UserError
from agentgym.hosts.processes.host import ProcessHosts
from agentgym.registry import plugins
from agentgym.types import Action
from tests.unit.hosts.kit import ODD, hosted
from tests.unit.hosts.odd import Plain


async def first_observation(id: str, **options: Any) -> str:
    hosts = ProcessHosts(id, options)
    try:
        host = await hosts.open()
        seen, _ = await host.reset(0, None)
        await host.close()
        return str(seen)
    finally:
        await hosts.close()


SOURCE = """
import agentgym
import {helper}

@agentgym.register
class Mine(agentgym.Env):
    loaded = 0

    def __init__(self, *, word="none"):
        self.word = word

    @classmethod
    def preload(cls, **options):
        cls.loaded += 1
        cls.options = options

    def reset(self, *, seed=None, options=None):
        return f"{{self.word}} {{self.loaded}} {{self.options}} {{{helper}.VALUE}}", {{}}

    def step(self, action):
        return "", 0.0, True, False, {{}}
"""


def test_a_file_of_ones_own_with_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_by_path.py").write_text(SOURCE.format(helper="beside_it"))
    (tmp_path / "beside_it.py").write_text("VALUE = 42")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for id in ("./mine_by_path.py", "mine_by_path.py:Mine", str(tmp_path / "mine_by_path.py")):
        assert asyncio.run(first_observation(id, word="w")) == "w 1 {'word': 'w'} 42"


def test_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packaged_env.py").write_text(SOURCE.format(helper="math").replace("math.VALUE", "math.pi"))
    (tmp_path / "packaged-1.0.dist-info").mkdir()
    (tmp_path / "packaged-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: packaged\nVersion: 1.0\n"
    )
    points = "[agentgym.environments]\npackaged = packaged_env:Mine\n"
    (tmp_path / "packaged-1.0.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    assert asyncio.run(first_observation("packaged")).startswith("none 1 {} 3.14")


def test_files_in_the_working_directory_do_not_hide_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('not the one that is meant')")
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(first_observation(f"{ODD}:Plain")) == ""


def test_one_that_only_this_program_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins("environments")._plugins, "only-here", Plain)
    with pytest.raises(UserError, match=rf"registered in this program only.*{ODD}:Plain"):
        asyncio.run(first_observation("only-here"))
    written_at_a_prompt = type("Prompted", (Plain,), {"__module__": "a_prompt"})
    monkeypatch.setitem(plugins("environments")._plugins, "only-here", written_at_a_prompt)
    with pytest.raises(UserError, match='"only-here" is in no file'):
        asyncio.run(first_observation("only-here"))


def test_what_does_not_exist_or_does_not_fit() -> None:
    with pytest.raises(UnknownIdError, match='Did you mean "webshop"'):
        asyncio.run(first_observation("webshp"))
    with pytest.raises(UserError, match="no such file"):
        asyncio.run(first_observation("./nowhere.py"))
    with pytest.raises(ConfigError, match=r'unknown key "env\.colour"'):
        asyncio.run(first_observation("blocksworld", colour=1))
    with pytest.raises(ConfigError, match=r'options of "blocksworld": options\[\'level\'\] is object'):
        ProcessHosts("blocksworld", {"level": object()})


def test_a_module_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "broken_module.py").write_text("import agentgym\nboom = 1 / 0\n")
    with pytest.raises(UserError, match=r"broken_module\.py:2: ZeroDivisionError: division by zero$"):
        asyncio.run(first_observation(str(tmp_path / "broken_module.py")))
    (tmp_path / "ending_module.py").write_text("import os\nos._exit(5)\n")
    with pytest.raises(UserError, match=r"ending_module.py\" calls os\._exit\(5\) when it is imported"):
        asyncio.run(first_observation(str(tmp_path / "ending_module.py")))
    (tmp_path / "deadly_module.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    with pytest.raises(EnvError, match=r"the process that imports .*deadly_module.py died"):
        asyncio.run(first_observation(str(tmp_path / "deadly_module.py")))


def test_a_module_that_starts_threads_is_warned_of(tmp_path: Path) -> None:
    """They are no daemons, and yet the nursery ends when it is told to."""
    (tmp_path / "threaded_module.py").write_text(
        SOURCE.format(helper="threading").replace("threading.VALUE", "1")
        + "\nthreading.Thread(target=threading.Event().wait, name='pump').start()\n"
    )
    with pytest.warns(RuntimeWarning, match=r"starts threads \(pump\)"):
        asyncio.run(first_observation(str(tmp_path / "threaded_module.py")))


def test_a_module_whose_import_hangs_can_be_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.processes.nurse.CLOSE_SECONDS", 0.1)
    (tmp_path / "hanging_module.py").write_text("import time\ntime.sleep(1000)\n")

    async def go() -> None:
        hosts = ProcessHosts(str(tmp_path / "hanging_module.py"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await hosts.open()
        await hosts.close()

    asyncio.run(go())


def test_what_is_printed_corrupts_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    async def go() -> None:
        async with hosted("processes", "Trouble") as host:
            await host.reset(0, None)
            for _ in range(2):
                assert (await host.step(Action("babble 20"))).observation == "done"
            with pytest.raises(EnvError, match=r"from another program\ngoodbye, said with code 3$") as error:
                await host.step(Action("leave 3"))
            assert len(str(error.value)) < 5000

    asyncio.run(go())
    assert capfd.readouterr() == ("", "")


def test_the_nursery_keeps_little_of_what_is_printed() -> None:
    async def go() -> None:
        async with hosted("processes", "Trouble") as host:
            await host.reset(0, None)
            nursery: int = host._nurse._process.pid  # type: ignore[attr-defined]
            before = resident_bytes(nursery)
            await host.step(Action("babble 100"))
            assert resident_bytes(nursery) - before < 10_000_000

    asyncio.run(go())


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_loop_goes_on_while_long_messages_come() -> None:
    """No turn of the event loop takes long, though an observation of 50 MB arrives."""

    async def longest_turn() -> float:
        loop, longest = asyncio.get_running_loop(), 0.0
        before = loop.time()
        while True:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                return longest
            longest, before = max(longest, loop.time() - before), loop.time()

    async def go() -> list[float]:
        found = []
        async with hosted("processes", "Plain", text="x", times=50_000_000) as host:
            await host.reset(0, None)
            for _ in range(3):
                watch = asyncio.create_task(longest_turn())
                await asyncio.sleep(0)
                await host.step(Action("x"))
                watch.cancel()
                found.append(await watch)
        return found

    assert min(asyncio.run(go())) < 0.2
