"""Browsers and pages that are killed, crash, hang, ask, open and navigate without end: told, and nothing is left."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentgym.browser import BrowserLost, Click, PageLost, Window, pages, shared
from tests.kit import ROOT, eventually
from tests.unit.browser.kit import opened, shown
from tests.unit.hosts.kit import processes_marked

pytestmark = pytest.mark.browser

PAGE = "<p>here</p><button onclick='this.textContent = 1'>x</button>"


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Marks every process that a test starts; fails when one is left, and when a file, descriptor or thread is."""
    mark = f"agentgym-test-{uuid.uuid4().hex}"
    temporary = Path(tempfile.mkdtemp(dir=tmp_path.parents[1]))  # of a short name: sockets lie there
    monkeypatch.setenv("AGENTGYM_TEST_MARK", mark)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(shared, "IDLE_SECONDS", 0.0)
    shared.end_idle()
    monkeypatch.setattr(shared, "_SHARED", {})  # one may run for windows that other tests have left open
    gc.collect()
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    yield mark
    assert eventually(lambda: not processes_marked(mark)), processes_marked(mark)
    assert eventually(lambda: not list(temporary.iterdir())), list(temporary.iterdir())
    temporary.rmdir()
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) == descriptors)  # a timer's thread closes the last ones
    assert eventually(lambda: threading.active_count() <= threads)  # one of before may have ended meanwhile


def chromium_of(mark: str) -> int:
    """The browser itself, below the keeper; a child that is about to become something else looks like it."""
    found = {}
    for pid in processes_marked(mark):
        with contextlib.suppress(OSError):  # it has just ended
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            joined = b"".join(command)
            if b"--remote-debugging-pipe" in command and b"--type=" not in joined and b"keeper.py" not in joined:
                found[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for pid, parent in found.items():
        if parent not in found:
            return pid
    raise AssertionError("no Chromium runs")


def test_nothing_is_left_of_a_browser_that_was_closed(mark: str, tmp_path: Path) -> None:
    with opened(tmp_path, PAGE) as window:
        assert shown(window).startswith("here")
        assert processes_marked(mark)


def test_windows_share_one_browser_which_the_last_one_ends(mark: str, tmp_path: Path) -> None:
    with opened(tmp_path, PAGE):
        first = chromium_of(mark)
        with opened(tmp_path, PAGE) as other:
            assert chromium_of(mark) == first
            shown(other)
        assert chromium_of(mark) == first


def test_a_browser_without_windows_is_kept_for_a_while(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "IDLE_SECONDS", 30.0)
    with opened(tmp_path, PAGE):
        first = chromium_of(mark)
    monkeypatch.setattr(shared, "IDLE_SECONDS", 0.2)
    with opened(tmp_path, PAGE):
        assert chromium_of(mark) == first
    assert eventually(lambda: not processes_marked(mark))
    with opened(tmp_path, PAGE):
        assert chromium_of(mark) != first


def test_a_killed_browser_is_told_and_the_next_episode_has_another(mark: str, tmp_path: Path) -> None:
    with opened(tmp_path, PAGE) as window, opened(tmp_path, PAGE) as other:
        window.look()
        killed = chromium_of(mark)
        os.kill(killed, signal.SIGKILL)
        for one in (window, other):
            with pytest.raises(BrowserLost):
                one.look()
        with pytest.raises(BrowserLost):
            window.act(Click("1"))
        url = (tmp_path / "page.html").as_uri()
        for one in (window, other):
            one.open(url)
            assert shown(one).startswith("here")
        assert chromium_of(mark) != killed


def test_a_killed_driver_is_told_and_the_next_episode_has_another(mark: str, tmp_path: Path) -> None:
    with opened(tmp_path, PAGE) as window:
        window.look()
        [driver] = [pid for pid in processes_marked(mark) if b"run-driver" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(driver, signal.SIGKILL)
        with pytest.raises((BrowserLost, PageLost)):
            window.look()
        window.open((tmp_path / "page.html").as_uri())
        assert shown(window).startswith("here")


def test_a_crashed_page_is_told_and_spares_the_others(mark: str, tmp_path: Path) -> None:
    with opened(tmp_path, PAGE) as window, opened(tmp_path, PAGE) as other:
        window.look()
        window._call(crash(window))
        with pytest.raises(PageLost, match="crashed"):
            window.look()
        assert shown(other).startswith("here")
        window.open((tmp_path / "page.html").as_uri())
        assert shown(window).startswith("here")


async def crash(window: Window) -> None:
    pages = window._held
    devtools = await pages._context.new_cdp_session(pages.current)
    with contextlib.suppress(Exception):  # the answer never comes
        await pages.guarded(devtools.send("Page.crash"))


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("while (true) alert('again')", "asks without end: 'again'"),
        ("while (true);", "gave no answer within"),
        (
            "addEventListener('load', () => { location.href = location.pathname + '?' + Math.random() })",
            "",
        ),
    ],
    ids=["asks", "hangs", "navigates"],
)
def test_a_page_without_end_is_told(
    mark: str, tmp_path: Path, script: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_LOST_SECONDS", 4.0)
    page = f'<p>here</p><button onclick="setTimeout(() => {{ {script} }})">x</button>'
    if not told:
        page = f"<p>here</p><script>{script}</script>"
    with opened(tmp_path, page, still_ms=500) as window:
        if told:
            window.look()
            window.act(Click("1"))
            with pytest.raises(PageLost, match=told):
                window.look()
        else:
            with contextlib.suppress(PageLost):  # or it is seen between two of its ways
                assert not window.look().is_still
        (tmp_path / "page.html").write_text(PAGE)
        window.open((tmp_path / "page.html").as_uri())
        assert shown(window).startswith("here")


def test_a_storm_of_pages_is_stopped(mark: str, tmp_path: Path) -> None:
    page = "<button onclick=\"for (let i = 0; i < 7; i++) window.open('page.html?' + i)\">x</button>"
    with opened(tmp_path, page) as window:
        window.look()
        window.act(Click("1"))
        seen = window.look()
        assert "a page that opened was closed: too many are open" in seen.news
        assert len(window._held._pages) <= 5


def test_a_download_is_refused_and_told(mark: str, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"\0" * 10_000_000)
    with opened(tmp_path, "<a download href=big.bin>get</a>", still_ms=1000) as window:
        window.look()
        window.act(Click("1"))
        assert 'the download of "big.bin" was refused' in [*window.look().news, *window.look().news]
        assert window.look().title == "Page"


def test_nothing_outlives_a_killed_owner(mark: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    program = textwrap.dedent(
        f"""
        import pathlib, sys
        from agentgym.browser import Window
        window = Window(folders=[pathlib.Path({str(tmp_path)!r})])
        window.open({(tmp_path / "page.html").as_uri()!r})
        window.look()
        print("ready", flush=True)
        sys.stdin.read()
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    owner = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    assert owner.stdout.readline() == "ready\n"
    assert chromium_of(mark)
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()


def test_a_forked_process_starts_its_own(mark: str, tmp_path: Path) -> None:
    with opened(tmp_path, PAGE) as window:
        window.look()
        ours = chromium_of(mark)
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                window.open((tmp_path / "page.html").as_uri())
                code = 0 if shown(window).startswith("here") else 2
                window.close()
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert shown(window).startswith("here")
        assert chromium_of(mark) == ours


def test_windows_in_threads_act_at_the_same_time(mark: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)

    def play(number: int) -> str:
        window = Window(folders=[tmp_path])
        try:
            for _ in range(3):
                window.open((tmp_path / "page.html").as_uri())
                window.look()
                window.evaluate("number => document.querySelector('p').textContent = number", number)
                window.act(Click("1"))
                assert shown(window) == f'{number}\n[1] button "1" (focused)'
            return shown(window)
        finally:
            window.close()

    with ThreadPoolExecutor(4) as pool:
        assert [text.split("\n")[0] for text in pool.map(play, range(4))] == ["0", "1", "2", "3"]
