"""The commands as they are typed: what is passed on to what does the work, what is printed, and how each ends.

What a command begins is stood in for here, so that each option and each ending is seen by itself; that all of it
works together is tried in tests/integration/test_cli.py.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel

import agentgym as package
from agentgym import doctor, launch, listing, repl, store
from agentgym import serve as serving
from agentgym.config import settings_in
from agentgym.doctor import Finding
from agentgym.errors import EngineError, UserError
from agentgym.launch import merging
from agentgym.launch.resolving import resolve
from agentgym.launch.settings import TrainSettings
from tests.apart import apart
from tests.kit import BELL, ROOT, episode
from tests.typed import Typed, agentgym

__all__ = ["agentgym"]

NO_EXPERT = str(ROOT / "tests" / "contract" / "examples" / "guess_color.py")


class Called:
    """Stands in for a function: keeps what it is called with, gives back ``value`` or raises it."""

    def __init__(self, value: Any = None) -> None:
        self.value = value
        self.args: tuple[Any, ...] = ()
        self.options: dict[str, Any] = {}
        self.times = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.args, self.options = args, options
        self.times += 1
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


@pytest.fixture
def stands_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Called]:
    def put(module: Any, name: str, value: Any = None) -> Called:
        called = Called(value)
        monkeypatch.setattr(module, name, called)
        return called

    return put


StandsIn = Callable[..., Called]


# -- how a command ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (UserError("there is no such thing"), 2, "error: there is no such thing\n"),
        (EngineError("the server is gone"), 1, "EngineError: the server is gone\n"),
        (click.UsageError("not so"), 2, "Error: not so\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (click.Abort(), 130, ""),
    ],
)
def test_what_goes_wrong_is_told_by_the_exit_code(
    raised: BaseException, code: int, told: str, agentgym: Typed, stands_in: StandsIn
) -> None:
    stands_in(launch, "train", raised)
    ended, printed, errors = agentgym("train", "--env", BELL)
    assert (ended, printed) == (code, "")
    assert errors.endswith(told)
    assert "Traceback" not in errors


def test_what_nobody_foresaw_is_a_traceback(agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    ours: dict[str, Any] = {}
    exec(compile("def train(*_, **__): raise ZeroDivisionError('a fault of ours')", launch.__file__, "exec"), ours)
    monkeypatch.setattr(launch, "train", ours["train"])
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        agentgym("train", "--env", BELL)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_command_even_where_a_shell_had_them_ignored(
    sent: signal.Signals, agentgym: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []

    def working(*_: Any, **__: Any) -> None:
        try:
            signal.raise_signal(sent)
            ended.append(False)
        except KeyboardInterrupt:
            ended.append(True)  # it can still write what is to be kept
            raise

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: None)
    monkeypatch.setattr(launch, "train", working)
    assert agentgym("train", "--env", BELL)[0] == 130
    assert ended == [True]


def test_what_is_started_with_nohup_outlives_its_terminal(agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def working(*_: Any, **__: Any) -> Path:
        signal.raise_signal(signal.SIGHUP)
        return Path("run")

    monkeypatch.setattr(launch, "train", working)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert agentgym("train", "--env", BELL)[0] == 0


def test_a_terminal_that_is_gone_is_told_nothing_more(tmp_path: Path) -> None:
    """What is written to one that hung up would be an error, in the middle of a clean end."""
    master, terminal = os.openpty()
    program = (
        "import signal, sys, time\nfrom agentgym.commands import hang_up\nsignal.signal(signal.SIGHUP, hang_up)\n"
        "try:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('saved', flush=True)\n    open(sys.argv[1], 'w').write('a clean end')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "end")],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(terminal)
    assert os.read(master, 5) == b"ready"
    os.close(master)  # the window is closed: the kernel sends SIGHUP
    assert process.wait(60) == 0
    assert (tmp_path / "end").read_text() == "a clean end"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("train --env webshop --resume a --resume b", "--resume is given 2 times; leave all but one out"),
        ("train --config a --env webshop --config b", "--config is given 2 times"),
        ("eval --model a --model=b", "--model is given 2 times"),
        ("eval --model a --seed 1 --seed 1", "--seed is given 2 times"),
        ("export here -o a --output b", "-o/--output is given 2 times"),
        ("export here --success --failure", "--success is given 2 times"),
        ("envs --measure 1 --measure 2", "--measure is given 2 times"),
        ("init env mine --directory a --directory b", "--directory is given 2 times"),
        ("train --env webshop --seed 1 --seed 2", '"seed" is given twice, 1 and 2'),
        ("serve webshop --env blocksworld", "\"env\" is given twice, 'webshop' and 'blocksworld'"),
        ("play webshop --env.id blocksworld", '"env" is given twice'),
        ("doctor webshop --env blocksworld", '"env" is given twice'),
        ("eval --model a --env webshop --model.id b", 'the model is given twice: "a" and "b"'),
        ("train --env webshop --lora --model.lora false", '"lora" is short for "model.lora", and both are given'),
    ],
)
def test_what_is_given_twice_is_refused(typed: str, told: str, agentgym: Typed) -> None:
    code, _, errors = agentgym(*typed.split())
    assert code == 2
    assert told in errors


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("eval --env webshop --model a --temperature nan", "nan is no finite number"),
        ("record --env webshop --model a --temperature inf", "inf is no finite number"),
        ("play webshop --temperature nan", "nan is no finite number"),
        ("train --env webshop --trainer.learning_rate nan", "trainer.learning_rate: "),
        ("train --env webshop --trainer.learning_rate NaN", "trainer.learning_rate: "),
        ("train --env webshop --max_seconds inf", "max_seconds: expected a finite number, found inf"),
        ("train --env webshop --rewards.success nan", "rewards.success.weight: expected a finite number, found nan"),
        ("train --env webshop --rollout.temperature nan", "rollout.temperature: "),
        ("train --env webshop --alarms.mismatch nan", "alarms.mismatch: "),
    ],
)
def test_what_is_no_number_is_refused(typed: str, told: str, agentgym: Typed) -> None:
    code, _, errors = agentgym(*typed.split())
    assert code == 2
    assert told in errors


def test_a_file_that_cannot_be_written_is_told(agentgym: Typed, stands_in: StandsIn, tmp_path: Path) -> None:
    stands_in(launch, "evaluate", (Score(), []))
    code, _, errors = agentgym("eval", "--env", BELL, "--model", "m", "--json", str(tmp_path / "none" / "score.json"))
    assert code == 2
    assert errors.endswith(
        f"cannot write {tmp_path}/none/score.json: No such file or directory; choose another --json\n"
    )


def test_version_and_help_end_well(agentgym: Typed) -> None:
    assert agentgym("--version") == (0, "agentgym, version 0.1.0\n", "")
    for flag in ("-h", "--help"):
        code, printed, errors = agentgym(flag)
        assert (code, errors) == (0, "")
        assert "A language model learns to act over many turns." in printed
        listed = re.findall(r"^  (\w+)  ", printed, re.MULTILINE)
        reading, playing = (
            ["compare", "curves", "doctor", "envs", "eval", "export"],
            ["init", "merge", "play", "record", "serve", "simulate"],
        )
        assert listed == [*reading, *playing, "train", "tree", "view"]


# -- train -------------------------------------------------------------------------------------------------


def test_train_is_given_flags_over_the_file(agentgym: Typed, stands_in: StandsIn, tmp_path: Path) -> None:
    train, resume = stands_in(launch, "train", Path("runs/mine")), stands_in(launch, "resume")
    file = tmp_path / "settings.toml"
    file.write_text('env = "webshop"\nupdates = 3\n[trainer]\nid = "sft"\nbatch_size = 2\n')
    code, printed, _ = agentgym("train", "--config", file, "--updates", 7, "--trainer.learning_rate", 0.5)
    assert (code, train.times, resume.times) == (0, 1, 0)
    assert train.args == (
        {
            "env": {"id": "webshop"},
            "updates": 7,
            "trainer": {"id": "sft", "batch_size": 2, "learning_rate": 0.5},
        },
    )
    assert list(train.options) == ["reporter"]
    file.write_text(file.read_text() + "[presets.nano]\nupdates = 1\n")
    agentgym("train", "--config", file, "--preset", "nano")
    assert train.args[0]["updates"] == 1
    code, _, errors = agentgym("train", "--env", "webshop", "--preset", "nano")
    assert (code, errors) == (
        2,
        "error: --preset has no effect without --config FILE, whose table [presets.nano] it chooses\n",
    )
    assert printed == "report: runs/mine/report.json   curves: runs/mine/curves.png   policy: --model runs/mine\n"


def test_a_file_alone_is_enough(agentgym: Typed, stands_in: StandsIn, tmp_path: Path) -> None:
    train = stands_in(launch, "train", Path("r"))
    (tmp_path / "settings.toml").write_text('env = "webshop"\n')
    assert agentgym("train", "--config", tmp_path / "settings.toml")[0] == 0
    assert train.args == ({"env": {"id": "webshop"}},)


@pytest.mark.parametrize(("more", "force"), [([], False), (["--force-config"], True)])
def test_resume_is_given_the_run_and_what_differs(
    more: list[str], force: bool, agentgym: Typed, stands_in: StandsIn, tmp_path: Path
) -> None:
    train, resume = stands_in(launch, "train"), stands_in(launch, "resume", Path("runs/old"))
    (tmp_path / "more.toml").write_text("keep_checkpoints = 5\n")
    code, printed, _ = agentgym(
        "train", "--resume", "runs/old", "--updates", 9, "--config", tmp_path / "more.toml", *more
    )
    assert (code, train.times, resume.times) == (0, 0, 1)
    assert resume.args == (Path("runs/old"), {"keep_checkpoints": 5, "updates": 9})
    reporter = resume.options.pop("reporter")
    assert callable(reporter.begin)
    assert resume.options == {"force": force}
    assert printed.startswith("report: runs/old/report.json ")


def test_resume_needs_no_settings(agentgym: Typed, stands_in: StandsIn) -> None:
    resume = stands_in(launch, "resume", Path("runs/old"))
    assert agentgym("train", "--resume", "runs/old")[0] == 0
    assert resume.args == (Path("runs/old"), {})


def test_force_config_goes_with_resume(agentgym: Typed, stands_in: StandsIn) -> None:
    train = stands_in(launch, "train")
    code, _, errors = agentgym("train", "--env", BELL, "--force-config")
    assert (code, errors) == (2, "error: --force-config has no effect without --resume RUN\n")
    assert train.times == 0


# -- progress ----------------------------------------------------------------------------------------------


def tell(*_: Any, reporter: Any) -> Path:
    """A run of two stages, as its reporter is told of it."""
    reporter.note("first a word")
    reporter.begin("warm start", 4, "updates")
    reporter.advance(1, {"loss": 0.25})
    reporter.begin("training", 9, "episodes")
    reporter.advance(1, {"success": 0.5, "reward": 1.25, "turns": 3.0})
    reporter.advance(2, {"success": 0.25, "reward": 1.0})
    reporter.advance(3, {"success": 0.75, "reward": 1.5, "turns": 3.0})
    reporter.note("alarm: [bold]look[/bold]")
    return Path("run")


def test_where_there_is_no_terminal_lines_are_told_as_they_are(
    agentgym: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "train", tell)
    code, printed, errors = agentgym("train", "--env", BELL)
    assert code == 0
    assert errors == ("first a word\nwarm start: 4 updates\ntraining: 9 episodes\nalarm: [bold]look[/bold]\n")
    assert "alarm" not in printed


def test_a_terminal_shows_the_stage_that_runs(agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "COLUMNS": "160", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TERM", raising=False)
    monkeypatch.setattr(launch, "train", tell)
    code, _, errors = agentgym("train", "--env", BELL)
    assert code == 0
    last = errors.rpartition("warm start")[2] if "warm start" in errors else errors
    shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last).split())
    assert re.search(r"training .*3/9 [\d.]+ episodes/s .* success 0\.750 reward 1\.500$", shown), shown
    assert "turns" not in shown
    assert "loss" not in shown


# -- eval --------------------------------------------------------------------------------------------------


class Score(BaseModel):
    success: float = 0.5
    episodes: int = 4


def test_eval_passes_on_all_that_it_is_told(agentgym: Typed, stands_in: StandsIn) -> None:
    measure = stands_in(launch, "evaluate", (Score(), []))
    options: dict[str, Any] = {
        "episodes": 7,
        "split": "validation",
        "temperature": 0.5,
        "seed": 3,
        "samples": 2,
        "trajectories": "seen.jsonl",
    }
    typed = [word for name, value in options.items() for word in (f"--{name}", value)]
    code, printed, errors = agentgym("eval", "--model", "runs/mine", *typed, "--env", "webshop", "--json", "score.json")
    assert code == 0, errors
    assert measure.args == ({"env": {"id": "webshop"}}, "runs/mine")
    assert callable(measure.options.pop("reporter").advance)
    assert measure.options == {**options, "trajectories": Path("seen.jsonl")}
    assert printed == '{\n  "success": 0.5,\n  "episodes": 4\n}\n'
    assert Path("score.json").read_text() == printed


def test_eval_measures_greedily_on_test_tasks_unless_told_otherwise(agentgym: Typed, stands_in: StandsIn) -> None:
    measure = stands_in(launch, "evaluate", (Score(), []))
    assert agentgym("eval", "--model", "runs/mine")[0] == 0
    measure.options.pop("reporter")
    assert measure.args == ({}, "runs/mine")
    assert measure.options == {
        "episodes": 200,
        "split": "test",
        "temperature": 0.0,
        "seed": 0,
        "samples": 1,
        "trajectories": None,
    }
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("eval --model m --episodes 0", "0 is not in the range x>=1"),
        ("eval --model m --samples 0", "0 is not in the range x>=1"),
        ("eval --model m --temperature -0.1", "-0.1 is not in the range x>=0"),
        ("eval --model m --seed x", "'x' is not a valid integer"),
        ("play BELL --temperature -1", "-1.0 is not in the range x>=0"),
        ("envs --measure 0", "0 is not in the range x>=1"),
        ("serve BELL --port 65536", "65536 is not in the range 0<=x<=65535"),
        ("serve BELL --port -1", "-1 is not in the range 0<=x<=65535"),
        ("serve BELL --max-sessions 0", "0 is not in the range x>=1"),
        ("export run --stop-reason bored", "'bored' is not one of 'terminated', 'truncated',"),
        ("export run --update x", "'x' is not a valid integer"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_begins(
    typed: str, told: str, agentgym: Typed, stands_in: StandsIn
) -> None:
    begun = [stands_in(launch, "evaluate"), stands_in(repl, "play"), stands_in(serving, "serve")]
    begun += [stands_in(listing, "environments"), stands_in(store, "opened")]
    code, _, errors = agentgym(*typed.replace("BELL", BELL).split())
    assert (code, told in " ".join(errors.split())) == (2, True), errors
    assert [each.times for each in begun] == [0] * 5


# -- export ------------------------------------------------------------------------------------------------


class Shelf:
    """Episodes that know what was asked for and whether they were let go of."""

    def __init__(self, raising: Exception | None = None) -> None:
        self.asked: dict[str, Any] = {}
        self.closed = 0
        self.raising = raising

    def episodes(self, **asked: Any) -> Iterator[Any]:
        self.asked = asked
        yield episode(1.0, episode_id="a")
        if self.raising:
            raise self.raising
        yield episode(0.0, episode_id="b")

    def close(self) -> None:
        self.closed += 1


NOTHING_ASKED = {"split": None, "stage": None, "update": None, "success": None, "stop_reason": None}


def test_export_prints_a_line_an_episode(agentgym: Typed, stands_in: StandsIn) -> None:
    shelf = Shelf()
    opened, writable = stands_in(store, "opened", shelf), stands_in(store, "writable")
    code, printed, _ = agentgym("export", "runs/mine")
    assert code == 0
    assert [json.loads(line)["episode_id"] for line in printed.splitlines()] == ["a", "b"]
    assert opened.args == (Path("runs/mine"),)
    assert (shelf.asked, shelf.closed, writable.times) == (NOTHING_ASKED, 1, 0)


def test_export_copies_what_was_asked_for(agentgym: Typed, stands_in: StandsIn) -> None:
    source, target = Shelf(), Shelf()
    stands_in(store, "opened", source)
    writable, copy = stands_in(store, "writable", target), stands_in(store, "copy", 12)
    typed = ["--split", "train", "--stage", "after", "--update", "3", "--failure", "--stop-reason", "turn_limit"]
    assert agentgym("export", "runs/mine", "-o", "out", *typed) == (0, "12 episodes are written to out\n", "")
    assert (writable.args, copy.args) == ((Path("out"),), (source, target))
    assert copy.options == {
        "split": "train",
        "stage": "after",
        "update": 3,
        "success": False,
        "stop_reason": "turn_limit",
    }
    assert (source.closed, target.closed) == (1, 1)
    agentgym("export", "runs/mine", "-o", "out", "--success")
    assert copy.options == {**NOTHING_ASKED, "success": True}


def test_export_lets_go_of_both_when_it_fails(agentgym: Typed, stands_in: StandsIn) -> None:
    source, target = Shelf(UserError("the second is torn")), Shelf()
    stands_in(store, "opened", source)
    stands_in(store, "writable", target)
    code, printed, errors = agentgym("export", "runs/mine")
    assert (code, errors, source.closed) == (2, "error: the second is torn\n", 1)
    assert len(printed.splitlines()) == 1
    stands_in(store, "copy", UserError("no room"))
    assert agentgym("export", "runs/mine", "-o", "out") == (2, "", "error: no room\n")
    assert (source.closed, target.closed) == (2, 1)


def test_export_merges_a_policy(agentgym: Typed, stands_in: StandsIn) -> None:
    merge, opened = stands_in(merging, "merge", "out is a plain model"), stands_in(store, "opened")
    code, printed, errors = agentgym("export", "runs/mine", "--merge", "-o", "out")
    assert (code, errors) == (0, "")
    assert printed == "out is a plain model; type: agentgym eval --env ENV --model out\n"
    assert (merge.args, opened.times) == ((Path("runs/mine"), Path("out")), 0)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "--merge writes a model, and needs a directory for it; type: --merge -o DIR"),
        ("-o out --split test", "--split chooses episodes, and --merge writes none; leave one of them out"),
        ("-o out --update 0", "--update chooses episodes"),
        ("-o out --update 1", "--update chooses episodes"),
        ("-o out --success", "--success chooses episodes"),
        ("-o out --failure", "--failure chooses episodes"),
        ("-o out --stop-reason turn_limit", "--stop-reason chooses episodes"),
    ],
)
def test_merging_takes_nothing_that_is_about_episodes(
    typed: str, told: str, agentgym: Typed, stands_in: StandsIn
) -> None:
    merge = stands_in(merging, "merge")
    code, _, errors = agentgym("export", "runs/mine", "--merge", *typed.split())
    assert (code, told in errors, merge.times) == (2, True, 0), errors


def test_merge_adds_up_models_with_their_weights(agentgym: Typed, stands_in: StandsIn) -> None:
    combine = stands_in(merging, "combine", "out is a plain model")
    code, printed, errors = agentgym("merge", "start", "a", "b", "--weights", "-1,0.5", "-o", "out")
    assert (code, errors) == (0, "")
    assert printed == "out is a plain model; type: agentgym eval --env ENV --model out\n"
    assert combine.args == (Path("start"), (Path("a"), Path("b")), Path("out"))
    assert combine.options == {"weights": [-1.0, 0.5]}
    agentgym("merge", "start", "a", "-o", "out")
    assert combine.options == {"weights": None}


def test_weights_are_numbers(agentgym: Typed, stands_in: StandsIn) -> None:
    combine = stands_in(merging, "combine")
    code, _, errors = agentgym("merge", "start", "a", "--weights", "1;2", "-o", "out")
    told = '--weights is "1;2", expected numbers with commas between them: 1,-1'
    assert (code, told in errors, combine.times) == (2, True, 0), errors


# -- play, envs, serve, init -------------------------------------------------------------------------------


def test_play_passes_on_all_that_it_is_told(agentgym: Typed, stands_in: StandsIn) -> None:
    play = stands_in(repl, "play")
    typed = [
        "--task",
        "5",
        "--split",
        "validation",
        "--seed",
        "4",
        "--model",
        "runs/mine",
        "--temperature",
        "0.5",
        "--env.size",
        "3",
    ]
    assert agentgym("play", "maze", *typed) == (0, "", "")
    assert play.args == ({"env": {"id": "maze", "size": 3}},)
    assert play.options == {
        "task": "5",
        "split": "validation",
        "seed": 4,
        "model": "runs/mine",
        "temperature": 0.5,
    }


def test_play_is_by_hand_unless_told_otherwise(agentgym: Typed, stands_in: StandsIn) -> None:
    play = stands_in(repl, "play")
    assert agentgym("play", "maze")[0] == 0
    assert play.options == {"task": None, "split": None, "seed": 0, "model": None, "temperature": 1.0}


def test_envs_lists_those_asked_for_on_a_line_each(
    agentgym: Typed, stands_in: StandsIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")  # of a terminal, which a pipe has not
    about = "A house of many rooms, in each of which something has to be found and brought to another"
    listed = [listing.Listed(id="house", about=about), listing.Listed(id="maze")]
    environments = stands_in(listing, "environments", listed)
    measured = stands_in(listing, "measured")
    code, printed, _ = agentgym("envs", "house", "maze")
    assert (code, environments.args, measured.times) == (0, (("house", "maze"),), 0)
    assert [line.split()[0] for line in printed.splitlines()] == ["environment", "house", "maze"]
    assert about in printed
    assert agentgym("envs")[0] == 0
    assert environments.args == ((),)
    assert list(Path().iterdir()) == []


def test_envs_measures_each_and_writes_what_it_shows(agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = listing.Rate(won=1, episodes=2, ci95=(0.1, 0.9))
    asked = []

    def measured(env: listing.Listed, episodes: int, *, on_episode: Callable[[int, float], None]) -> listing.Listed:
        asked.append((env.id, episodes))
        on_episode(1, 0.5)
        return listing.Listed(id=env.id, random_success=rate)

    monkeypatch.setattr(listing, "environments", lambda ids: [listing.Listed(id=id) for id in ids])
    monkeypatch.setattr(listing, "measured", measured)
    code, printed, _ = agentgym("envs", "house", "maze", "--measure", 2, "--json", "list.json")
    assert (code, asked) == (0, [("house", 2), ("maze", 2)])
    assert printed.count("0.50 [0.10, 0.90]") == 2
    written = json.loads(Path("list.json").read_text())
    assert [(each["id"], each["random_success"]["won"]) for each in written] == [("house", 1), ("maze", 1)]


def test_serve_passes_on_all_that_it_is_told(
    agentgym: Typed, stands_in: StandsIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = stands_in(serving, "serve")
    typed = ["--host", "0.0.0.0", "--port", "0", "--max-sessions", "3", "--env.level", "b3", "--token", "secret"]
    typed += ["--allow-host", "one.example", "--allow-host", "other.example"]
    assert agentgym("serve", "blocksworld", *typed)[0] == 0
    assert serve.args == ("blocksworld", {"level": "b3"})
    serve.options.pop("tell")("http://here")
    assert serve.options == {
        "host": "0.0.0.0",
        "port": 0,
        "max_sessions": 3,
        "token": "secret",
        "allowed_hosts": ("one.example", "other.example"),
    }
    assert agentgym("serve", "blocksworld")[0] == 0
    serve.options.pop("tell")
    assert serve.options == {
        "host": "127.0.0.1",
        "port": 8000,
        "max_sessions": 256,
        "token": None,
        "allowed_hosts": (),
    }
    monkeypatch.setenv("AGENTGYM_TOKEN", "kept from the list of processes")
    assert agentgym("serve", "blocksworld")[0] == 0
    assert serve.options["token"] == "kept from the list of processes"
    code, _, errors = agentgym("serve", "blocksworld", "--protocol", "plain")
    assert (code, serve.times) == (2, 3)
    assert '"protocol" has no effect here, it is of a policy: agentgym train, eval or play' in errors


def test_init_says_where_the_file_is_and_what_to_type(agentgym: Typed, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    Path("below").mkdir()
    typed = "ringer.py is written; type: agentgym play ./ringer.py\n"
    assert agentgym("init", "env", "ringer") == (0, typed, "")
    _, printed, _ = agentgym("init", "env", "bellhop", "--directory", "below")
    assert printed == "below/bellhop.py is written; type: agentgym play ./below/bellhop.py\n"
    there = tmp_path / "there"
    _, printed, _ = agentgym("init", "env", "caller", "--directory", there)
    assert printed == f"{there}/caller.py is written; type: agentgym play {there}/caller.py\n"
    assert [file.exists() for file in (Path("ringer.py"), Path("below/bellhop.py"), there / "caller.py")] == [True] * 3


# -- doctor ------------------------------------------------------------------------------------------------

WELL, TOLD, ILL = (
    Finding(name=f"check_{status}", status=status, detail=f"seen {status}") for status in ("pass", "info", "FAIL")
)


@pytest.mark.parametrize(
    ("findings", "code"),
    [([WELL, TOLD], 0), ([ILL, WELL], 1), ([WELL, ILL], 1), ([ILL], 1)],
)
def test_doctor_ends_with_1_where_any_check_fails(
    findings: list[Finding], code: int, agentgym: Typed, stands_in: StandsIn
) -> None:
    stands_in(doctor, "diagnose", findings)
    ended, printed, _ = agentgym("doctor", BELL, "--json", "found.json")
    assert ended == code
    assert [line for finding in findings for line in printed.splitlines() if finding.detail in line]
    written = json.loads(Path("found.json").read_text())
    assert (written["env"], written["passed"]) == (BELL, code == 0)
    assert [each["status"] for each in written["findings"]] == [finding.status for finding in findings]


@pytest.mark.parametrize(("typed", "seconds"), [([], 3.0), (["--quick"], 0.6)])
def test_doctor_plays_a_fifth_as_long_where_it_is_to_be_quick(
    typed: list[str], seconds: float, agentgym: Typed, stands_in: StandsIn
) -> None:
    diagnose = stands_in(doctor, "diagnose", [WELL])
    assert agentgym("doctor", "blocksworld", "--env.level", "b3", *typed)[0] == 0
    (make_env,) = diagnose.args
    assert (make_env.id, make_env.options) == ("blocksworld", {"level": "b3"})
    assert diagnose.options["seconds"] == pytest.approx(seconds)
    (tokens,) = diagnose.options["more"]
    assert tokens.__name__ == "keeps_tokens"
    assert diagnose.options["on_check"]("wins_at_random") is None


def test_doctor_opens_the_environment_once_before_it_begins(agentgym: Typed, stands_in: StandsIn) -> None:
    Path("shut.py").write_text(
        "import agentgym\n\n\n@agentgym.register\nclass Shut(agentgym.Env):\n"
        "    def __init__(self):\n        raise agentgym.UserError('the house is shut')\n"
    )
    diagnose = stands_in(doctor, "diagnose", [WELL])
    assert agentgym("doctor", "./shut.py") == (2, "", "error: the house is shut\n")
    assert diagnose.times == 0


@pytest.mark.parametrize(
    ("typed", "protocol", "tokens"),
    [
        ([], "plain", 10),
        (["--model", "nano"], "plain", 2),
        (["--protocol", "react"], "react", 10),
        (["--protocol.actions", "shown"], "plain", 10),
    ],
)
def test_doctor_tries_the_tokens_of_the_model_and_the_protocol_it_speaks(
    typed: list[str], protocol: str, tokens: int, agentgym: Typed, stands_in: StandsIn
) -> None:
    """Single bytes where no model is named, and else its own words."""
    stands_in(doctor, "diagnose", [WELL])
    tokens_check = stands_in(doctor, "tokens_check")
    assert agentgym("doctor", BELL, *typed)[0] == 0
    tokenizer, spoken = tokens_check.args
    assert type(spoken) is package.plugins("protocols").get(protocol)
    assert len(tokenizer.encode("bell rings")) == tokens


def test_init_writes_a_reward_and_a_trainer(agentgym: Typed) -> None:
    for kind, flag in (("reward", "--rewards"), ("trainer", "--trainer")):
        typed = f"my_{kind}.py is written; type: agentgym train --env webshop {flag} ./my_{kind}.py\n"
        assert agentgym("init", kind, f"my_{kind}") == (0, typed, "")
        code, _, errors = agentgym("train", "--env", BELL, flag, f"./my_{kind}.py", "--updates", "x")
        assert (code, errors.startswith("error: updates: Input should be a valid integer")) == (2, True)


# -- bad input, and help -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("train", "nothing to train on; type: agentgym train --env webshop"),
        ("train --env webshp", 'unknown environment "webshp". Did you mean "webshop"?'),
        ("train --env ./nowhere.py", "no such file"),
        ("train --env BELL --trainer.group_sise 4", 'unknown key "trainer.group_sise". Did you mean "group_size"?'),
        ("train --env BELL --updates 3 --udpates 3", 'unknown key "udpates". Did you mean "updates"?'),
        ("train --env BELL --env.size 3", 'unknown key "env.size". Known here: none'),
        ("train --env BELL --trainer grop", 'unknown trainer "grop". Did you mean "grpo"?'),
        ("train --env BELL --protocol.style x --protocol plain", 'unknown key "protocol.style"'),
        ("train --env BELL --engine.max_contxt 64", 'Did you mean "max_context"?'),
        ("train --env BELL --rewards.nothing 1", 'unknown reward "nothing"'),
        ("train --env BELL --rewards.turn-cost.free_turns -1", "rewards.turn-cost.free_turns: Input should be greater"),
        ("train --env blocksworld --env.level b33", 'env.level is "b33". Did you mean "b3"? Known: b3, b4'),
        ("eval --model ./nowhere --env BELL --updates 3", '"updates" has no effect here, it is of training'),
        ("eval --model ./nowhere --env BELL --rewards.success 1", '"rewards" has no effect here, it is of training'),
        ("train --env BELL --rewards./nowhere.py:judge 1", "no such file: /nowhere.py"),
        ("train --env BELL --model ./nowhere --rollout.shaping_seconds 3", "has no effect without rewards"),
        ("eval --model ./nowhere --env BELL --rollout.temperature 1", 'unknown key "rollout.temperature"'),
        ("play BELL --model ./nowhere --rewards.success 1", '"rewards" has no effect here, it is of training'),
        ("serve BELL --protocol plain", '"protocol" has no effect here, it is of a policy'),
        ("doctor BELL --engine embedded", '"engine" has no effect here, it is of a policy'),
        ("train --env NO_EXPERT --warm_start.until 0.5", "warm_start.until has no effect"),
        ("train --env NO_EXPERT --warm_start.enabled true", "has no expert() to imitate"),
        ("train --env NO_EXPERT --trainer sft", "has no expert() to imitate"),
        ("train --env BELL --trainer sft --warm_start.max_updates 5", "warm_start.max_updates has no effect"),
        ("train --env BELL --model.lora_rank 8", "model.lora_rank"),
        ("train --env BELL --lora", 'unknown key "model.lora"'),
        ("train --env BELL --engine.max_context 8", "the first observation takes"),
        ("train --env BELL --updates many", "updates: Input should be a valid integer"),
        ("train --env BELL --seed -1", "seed: Input should be greater than or equal to 0"),
        ("train --env BELL --warm_start.until 2", "warm_start.until: Input should be less than or equal to 1"),
        ("train --env BELL --model.width 30 --model.heads 4", "width 30 must be a multiple"),
        ("train --env BELL --model ./nowhere", 'cannot load the model "./nowhere": there is no such directory'),
        ("train --env BELL updates 3", 'expected a flag such as --seed or --env.catalogue, found "updates"'),
        ("train --resume ./nowhere", "nowhere is not a run directory"),
        ("train --config ./nowhere.toml", "nowhere.toml: No such file or directory"),
        ("eval --model nano --env BELL", "pass the run directory"),
        ("eval --env BELL", "Missing option '--model'"),
        ("eval --env BELL --model ./nowhere --episodes 0", "0 is not in the range"),
        ("eval --env BELL --model nowhere --samples 8", "8 equal episodes of each task; add --temperature 1"),
        ("record --env BELL --model nowhere --temperature 0", "8 equal episodes of each task; add --temperature 1"),
        ("record --env BELL --model ./nowhere --rollout.temperature 1", 'unknown key "rollout.temperature"'),
        ("record --env BELL --model nowhere -o .", ". exists already"),
        ("train --env BELL --trainer dpo --trainer.data gone", "what agentgym record --output gone writes"),
        ("play webshp", 'Did you mean "webshop"?'),
        ("play BELL --updates 3", "updates"),
        ("doctor webshp", 'Did you mean "webshop"?'),
        ("init env webshop", "agentgym init env my_webshop"),
        ("trian --env BELL", "No such command 'trian'"),
        ("train BELL", '.py"; type: --env '),
        ("train -env BELL", 'found "-env"; type: --env'),
        ("play --env webshp", 'unknown environment "webshp". Did you mean "webshop"?'),
        ("play BELL --env webshop", '"env" is given twice'),
        ("eval --modle x --env BELL", "Missing option '--model'. Found \"--modle\"."),
        ("eval --model x --env BELL --episode 3", 'unknown key "episode". Did you mean --episodes?'),
        ("eval --model x --env BELL --split tst", "'tst' is not one of 'train', 'validation', 'test'"),
        ("train --env BELL --group_size 3", 'unknown key "group_size". Did you mean --trainer.group_size?'),
        ("train --env blocksworld --level b3", 'unknown key "level". Did you mean --env.level?'),
        ("train --env BELL --groupsize 3", 'unknown key "groupsize". Did you mean --trainer.group_size?'),
        ("train --env BELL --trainer.temperature 3", "Did you mean --rollout.temperature or --eval.temperature?"),
        ("train --env BELL --lora", 'model.lora is of a model that is loaded, and this is "nano"'),
        ("train --env BELL --updates --seed 1", "updates is true, as is a flag without a value; expected a whole nu"),
        ("train --env BELL --output", "output is true, as is a flag without a value; expected a path"),
        ("train --env", "--env has no value; expected an id or a path"),
        ("train --env BELL --rewards succes", 'unknown reward "succes". Did you mean "success"?'),
        ("train --env BELL --rewards ./nowhere.py", "no such file: "),
        ("train --env BELL --help trainre", '--help knows no "trainre". Did you mean "trainer"?'),
        ("train --updates 3", "no environment is named; type: --env webshop   (agentgym envs lists"),
        ("train --env.level b3", "no environment is named; type: --env webshop"),
        ("eval --model gone/run", "no environment is named; type: --env webshop"),
        ("eval --model x --env BELL --trainer ppo", '"trainer" has no effect here, it is of training: agentgym train'),
        ("eval --model x --env BELL --warm_start.until 1", '"warm_start" has no effect here, it is of training'),
        ("play BELL --protocol.system x", '"protocol" has no effect here, it is of a policy: agentgym train, eval or'),
        ("play BELL --env.lvl 3", 'unknown key "env.lvl"'),
        ("serve BELL --rollout.max_turns 3", '"rollout" has no effect here, it is of a policy: agentgym train, eval'),
        ("doctor BELL --protocol.sytem x", 'unknown key "protocol.sytem". Did you mean "system"?'),
        ("doctor BELL --model ./gone", 'cannot load the model "./gone": there is no such directory.'),
        ("play BELL --model ./gone", 'cannot load the model "./gone": there is no such directory.'),
        ("eval --model runs/gone --env BELL", 'cannot load the model "runs/gone": there is no such directory.'),
        ("train --model gone.gguf --env BELL", 'cannot load the model "gone.gguf": there is no such file. Expected'),
    ],
)
def test_bad_input_is_told_and_leaves_nothing_behind(typed: str, told: str, agentgym: Typed) -> None:
    code, _, errors = agentgym(*typed.replace("BELL", BELL).replace("NO_EXPERT", NO_EXPERT).split())
    assert code == 2, errors
    assert told in errors
    assert "Traceback" not in errors
    assert list(Path().rglob("*")) == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("train --env gymnasium:Nope-v1", "Nope-v1"),
        ("train --env BELL --model ./gone", 'cannot load the model "./gone"'),
        ("train --env BELL --trainer dpo --trainer.data gone", "there is no gone"),
        ("train --env BELL --warm_start.data gone", "there is no gone"),
        ("train --env BELL --updates x", "updates: "),
    ],
)
def test_what_is_wrong_is_told_before_that_there_is_a_run(typed: str, told: str, agentgym: Typed) -> None:
    words = typed.replace("BELL", BELL).split()
    Path("run").mkdir()
    Path("run/config.json").write_text("{}")
    _, _, errors = agentgym(*words, "--output", "run")
    assert told in errors
    assert "already holds a run" not in errors


def test_names_and_keys_are_checked_without_torch(tmp_path: Path) -> None:
    program = (
        "sys.argv[1:] = {}\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print({{'torch', 'transformers'}} & set(sys.modules))"
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    typed = [
        "train --env webshp",
        "train --env gymnasium:Nope-v1",
        "train --env glimpse --trainer.group_sise 3",
        "train --env glimpse --model ./gone",
        "train --env glimpse --output run",
        "train --env glimpse --help trainer",
        "eval --env glimpse --model ./gone",
        "eval --env glimpse --model run/..",
        "train --env glimpse --engine vllm --model nobody/has-this",
        "train --resume gone",
        "play glimpse --model ./gone",
        "doctor glimpse --protocol.sytem x",
        "doctor glimpse --model ./gone",
    ]
    printed = apart("from agentgym import cli", [program.format(line.split()) for line in typed], tmp_path)
    assert [text.splitlines()[-1] for text in printed] == ["set()"] * len(typed)


def test_an_unwritable_run_directory(agentgym: Typed, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("dear to me")  # root may write anywhere but below a file
    code, _, errors = agentgym("train", "--env", BELL, "--output", tmp_path / "file" / "run")
    assert code == 2
    assert f"cannot write the run directory {tmp_path}/file/run" in errors
    assert (tmp_path / "file").read_text() == "dear to me"


def test_bad_toml_and_unknown_keys_in_it(agentgym: Typed, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    for text, told in [
        ("updates = = 3", f"{file} is not valid TOML"),
        (f'env = "{BELL}"\n[eval]\nepisode = 3', 'unknown key "eval.episode". Did you mean "episodes"?'),
        (f'env = "{BELL}"\nupdates = "x"', "updates: Input should be a valid integer"),
        ("updates = 3", "no environment is named; type: --env webshop"),
    ]:
        file.write_text(text)
        code, _, errors = agentgym("train", "--config", file)
        assert (code, told in errors) == (2, True), errors
    assert list(Path().rglob("*")) == []


def keys(settings: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in settings.model_fields.items():
        if (group := settings_in(field)) is not None:
            yield from keys(group, f"{prefix}{name}.")
        else:
            yield f"--{prefix}{name}"


def test_help_lists_every_setting_with_its_meaning(agentgym: Typed) -> None:
    code, printed, _ = agentgym("train", "--help")
    assert code == 0
    wanted = {*keys(TrainSettings), "--trainer.group_size", "--model.width", "--engine.max_context"}
    assert wanted - shown_in(printed) == set()


def test_help_shows_the_defaults_of_the_chosen_model(agentgym: Typed) -> None:
    _, of_nano, _ = agentgym("train", "--help")
    _, of_another, _ = agentgym("train", "--model", "HF", "--help")
    meaning = "End a training episode at the first invalid action beyond so many."
    assert f"{meaning} [3]" in " ".join(of_nano.split())
    assert f"{meaning} [" not in " ".join(of_another.split())


@pytest.mark.parametrize(
    ("typed", "wanted", "unwanted"),
    [
        ("train --env webshop --help", {"--env.catalogue", "--env.observation_mode"}, {"--env.level"}),
        ("train --help --trainer sft --model HF", {"--trainer.batch_size", "--model.lora"}, {"--model.width"}),
        ("train --env BELL --rewards.turn-cost 1 --help", {"--rewards.turn-cost.free_turns"}, {"--env.level"}),
        ("eval --env blocksworld --help", {"--env", "--env.level", "--rollout.top_k", "--threads"}, {"--updates"}),
        ("record --env webshop --help", {"--env.catalogue", "--rollout.top_p"}, {"--updates", "--trainer"}),
        ("play webshop --help", {"--env.catalogue", "--protocol", "--rollout.max_reply_tokens"}, {"--rewards"}),
        ("play --help", {"--task", "--engine"}, {"--env.catalogue"}),
        ("serve blocksworld -h", {"--port", "--env.level"}, {"--protocol"}),
        ("doctor gymnasium:FrozenLake-v1 --help", {"--env.make", "--protocol"}, {"--engine", "--rollout"}),
    ],
)
def test_help_shows_what_the_command_and_what_is_named_take(
    typed: str, wanted: set[str], unwanted: set[str], agentgym: Typed
) -> None:
    code, printed, errors = agentgym(*typed.replace("BELL", BELL).split())
    assert code == 0, errors
    assert wanted - shown_in(printed) == set()
    assert unwanted & shown_in(printed) == set()


def shown_in(printed: str) -> set[str]:
    """The keys that have a line of their own."""
    return {line.split()[0] for line in printed.split("Ids (")[0].splitlines() if line.startswith("  --")} | {
        line.split()[0] for line in printed.partition("Ids (")[2].splitlines() if re.match(r"  --\w[\w-]*\.", line)
    }


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("train --help trainer.clip_low", {"--trainer.clip_low"}),
        ("train --help archive", {"--archive.keep"}),
        ("train --help keep-checkpoints", {"--keep_checkpoints"}),
        ("train --help turn-cost", {"--rewards.turn-cost", "--rewards.turn-cost.free_turns"}),
        ("doctor BELL --help protocol.shots", {"--protocol.shots"}),
        ("train --trainer ppo --help trainer.gamma --env BELL", {"--trainer.gamma"}),
    ],
)
def test_help_of_one_part_shows_that_alone(typed: str, wanted: set[str], agentgym: Typed) -> None:
    code, printed, errors = agentgym(*typed.replace("BELL", BELL).split())
    assert (code, errors) == (0, "")
    assert shown_in(printed) == wanted


def test_help_shows_what_is_in_effect_with_what_is_typed(agentgym: Typed, tmp_path: Path) -> None:
    def told(*typed: str) -> str:
        return " ".join(agentgym(*typed)[1].split())

    assert "[success 2.0]" in told("train", "--help", "rewards")
    assert told("train", "--trainer.preset", "dapo", "--help", "trainer.minibatches").endswith("[4]")
    assert told("train", "--mode", "async", "--help", "trainer.correction").endswith("[truncate]")
    assert told("train", "--mode", "async", "--help", "max_staleness").endswith("[1]")
    assert told("train", "--rollout.concurrency", "7", "--help", "engine.max_sessions").endswith("[7]")
    assert told("eval", "--help", "engine.max_sessions").endswith("[64]")
    assert "[plain]" in told("doctor", BELL, "--help", "protocol")
    assert "--model.device TEXT" in told("eval", "--help", "model")
    file = tmp_path / "settings.toml"
    file.write_text("updates = 7\n")
    assert told("train", "--config", str(file), "--help", "updates").endswith("[7]")
    run = tmp_path / "trained"
    (run / "policy").mkdir(parents=True)
    config = resolve({"env": "blocksworld", "rollout": {"max_turns": 4}}).model_dump(mode="json")
    (run / "config.json").write_text(json.dumps(config))
    assert told("eval", "--model", str(run), "--help", "rollout.max_reply_tokens").endswith("[24]")
    assert told("eval", "--model", str(run), "--help", "rollout.max_turns").endswith("[4]")
    assert "[blocksworld]" in told("eval", "--model", str(run), "--help", "env")


def test_help_for_what_there_is_not(agentgym: Typed) -> None:
    code, _, errors = agentgym("train", "--env", "webshp", "--help")
    assert code == 2
    assert 'Did you mean "webshop"?' in errors
