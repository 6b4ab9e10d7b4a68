"""What each command does, and what is said to what is none."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from rich.console import Console

import agentgym
import agentgym.repl
from agentgym.errors import EnvError, UserError
from agentgym.protocols.plain import Plain
from agentgym.repl.game import Game
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell, usage
from agentgym.types import Observation
from tests.unit.repl.kit import Doors, Scripted, Stairs, transcript


class Played:
    """A shell whose lines are given one by one."""

    def __init__(self, env: agentgym.Env | None = None, policy: Any = None, **options: Any) -> None:
        self.out = io.StringIO()
        self.game = Game(env or Stairs(), **options)
        self.shell = Shell(self.game, Screen(Console(file=self.out, width=100, highlight=False)), policy)
        asyncio.run(self.game.start())

    def __call__(self, *lines: str) -> str:
        """What is shown for these lines."""
        before = len(self.out.getvalue())

        async def obey() -> None:
            for line in lines:
                await self.shell.obey(line)

        asyncio.run(obey())
        return self.out.getvalue()[before:]

    @property
    def actions(self) -> list[Any]:
        return [moment.action for moment in self.game.moments[1:]]


def test_a_line_is_an_action_as_it_was_typed_without_blanks_around_it() -> None:
    played = Played()
    assert "reward 0.25, total 0.25" in played("  go up ", "", "   ")
    assert played.actions == ["go up"]
    played("::undo", "::x")
    assert played.actions == ["go up", ":undo", ":x"]


def test_the_number_of_an_action_is_that_action() -> None:
    played = Played(Doors())
    played("2", "1")
    assert played.actions == ["right", "left"]
    assert "there is no action 4, they are numbered 1 to 3" in played("4")
    assert "there is no action 0, they are numbered 1 to 3" in played("0")
    assert "type walk <where> with your own words in place of <where>" in played("3")
    assert "no effect: no such door" in played("-1")
    assert played.actions == ["right", "left", "-1"]


def test_a_number_is_an_action_where_it_is_one_or_nothing_is_listed() -> None:
    played = Played()
    played("2")
    assert played.actions == ["2"]

    def reset(self: Any, **_: Any) -> Any:
        self.stair = 0
        return Observation("how many?", admissible=["7", "2"]), {}

    played = Played(type("Counts", (Stairs,), {"reset": reset})())
    played("7")
    assert played.actions == ["7"]
    played(":restart", "1")
    assert played.actions == ["7"]


def test_undo_takes_one_turn_back_or_so_many() -> None:
    played = Played()
    played("a", "b", "c")
    assert "reward 0.5, total 0.75" in played(":undo")
    assert "first observation" in played(":undo 2")
    assert played.actions == []
    played("a", "b", ":undo 0")
    assert played.actions == ["a"]
    assert 'expected a number, found "x"' in played(":undo x")
    assert 'expected a number, found "-1"' in played(":undo -1")
    assert played.actions == ["a"]


def test_episodes_are_begun_again_with_what_was_changed() -> None:
    played = Played(seed=2)
    assert "Stairs: seed 2" in played("a", ":restart")
    assert played.actions == []
    assert "Stairs: seed 5" in played(":seed 5")
    assert "Stairs: task 7, seed 5" in played(":task 7")
    assert "Stairs: task 7, seed 5" in played(":restart")
    assert "Stairs: task 1001" in played(":split test")
    assert played.game.task is None
    assert "Stairs: task 8, seed 5" in played(":task 8")
    assert played.game.split == "test"
    assert 'expected a number, found "five"' in played(":seed five")
    assert played.game.seed == 5


def test_tasks_of_the_split_are_listed_up_to_twenty() -> None:
    def tasks(self: Any, split: str) -> list[str]:
        return [f"{split[:2]}{i}" for i in range({"train": 20, "test": 21, "validation": 3}[split])]

    played = Played(type("Tasked", (Stairs,), {"tasks": tasks})())
    assert played(":tasks").replace("\n", " ").split() == [
        "train:",
        "20",
        "tasks:",
        *[f"tr{i}," for i in range(19)],
        "tr19",
    ]
    played(":split test")
    assert played(":tasks").replace("\n", " ").split()[:3] == ["test:", "21", "tasks:"]
    assert played(":tasks").rstrip().endswith("te19, …")


def test_moments_are_kept_and_gone_back_to() -> None:
    played = Played()
    assert "kept turn 1 as here; :goto here comes back to it" in played("a", ":branch here")
    assert 'no branch "ther". Did you mean "here"? Kept: here' in played(":goto ther")
    assert "reward 0.25, total 0.25" in played("b", "c", ":goto here")
    assert played.actions == ["a"]
    assert Played()(":goto x").strip() == 'no branch "x". Kept: none; :branch NAME keeps this moment'


def test_the_expert_plays_a_turn() -> None:
    played = Played()
    text = played(":expert")
    assert text.startswith("expert: climb from stair 0 of seed 0")
    assert "reward 0.25, total 0.25" in text
    assert played.actions == ["climb from stair 0 of seed 0"]


def test_the_policy_plays_a_turn_by_its_protocol() -> None:
    policy = Scripted("up", protocol=Plain())
    played = Played(policy=policy)
    text = played("a", ":step")
    assert policy.shown == [["Climb.", "stair 0 of seed 0", "a", "stair 1"]]
    assert "policy: up   log-prob -0.50, 1 tokens" in text
    assert "reward 0.5, total 0.75" in text
    assert played.game.now.reply == "up"
    for command in (":step", ":odds", ":auto policy"):
        assert "no policy is loaded; start with --model RUN_OR_MODEL, or type :policy RUN_OR_MODEL" in Played()(command)


class Tower(Stairs):
    """Never ends."""

    max_turns = 6

    def step(self, action: str) -> Any:
        self.stair += 1
        return f"stair {self.stair}", 0.0, False, False, {}


def test_playing_on_its_own_ends_with_the_episode_or_where_a_rollout_would() -> None:
    played = Played()
    played(":auto")
    assert len(played.actions) == 4
    doors = Played(Doors())  # which ends before a rollout would
    assert doors(":auto").rstrip().endswith("terminated: success, total reward 1.5")
    assert len(doors.actions) == 3
    played = Played(Tower())
    played("a", ":auto expert")
    assert len(played.actions) == 6
    played(":auto")  # one turn at least
    assert len(played.actions) == 7


def test_the_policy_plays_on_its_own_where_there_is_one_and_the_expert_where_it_is_asked_for() -> None:
    policy = Scripted("up", "up", "up", "up", protocol=Plain())
    played = Played(policy=policy)
    played(":auto")
    assert [moment.reply for moment in played.game.moments[1:]] == ["up"] * 4
    played(":restart", ":auto expert")
    assert [moment.reply for moment in played.game.moments[1:]] == [None] * 4
    assert '"nobody" cannot play. Known: policy, expert' in played(":auto nobody")


def test_odds_are_of_complete_actions_in_the_words_of_the_protocol() -> None:
    policy = Scripted()
    text = Played(Doors(), policy)(":odds")
    assert policy.scored == [("Action: left", "Action: right")]
    assert [line.split()[-1] for line in text.splitlines()] == ["action", "left", "right"]
    assert "no complete action is listed here, so there is nothing to compare" in Played(policy=policy)(":odds")


def test_looking_around() -> None:
    played = Played()
    assert "this environment does not list its actions" in played(":actions")
    played("a")
    assert played(":info").strip() == "stair: 1"
    assert "turn 1" in played(":look")
    assert played(":history").split()[-4:] == ["1", "a", "0.25", "0.25"]

    def reset(self: Any, **_: Any) -> Any:
        return Observation("here", admissible=[f"go-{i}" for i in range(50)]), {}

    played = Played(type("Many", (Stairs,), {"reset": reset})())
    assert "go-49" in played(":actions")
    assert "go-49" not in played(":look")


def test_help_has_every_command_with_its_usage() -> None:
    text = Played()(":help")
    for line in (
        ":undo [n] take back the last turn, or the last n",
        ":auto [who] let the policy, or else the expert, play to the end; Ctrl-C stops it",
        ":branch NAME keep this moment under a name",
        ":quit leave",
        ":task ID play another task",
    ):
        assert line.split() in [shown.split() for shown in text.splitlines()]
    assert text.rstrip().endswith('an action that begins with ":" is typed with one more: "::"')
    named = [line.split()[0] for line in text.splitlines() if line.startswith(":")]
    assert named == sorted(set(named))
    assert len(named) == 30


def test_a_command_may_be_cut_short_where_that_is_no_other_ones() -> None:
    played = Played()
    assert "turn 1" in played("a", ":loo")
    assert 'unknown command ":s".' in played(":s")  # split, seed or step
    assert 'unknown command ":". :help lists all' in played(":")
    assert 'unknown command ":undoo". Did you mean ":undo"? :help lists all' in played(":undoo")
    played(":undo")
    assert played.actions == []


def test_what_a_command_takes_is_told() -> None:
    played = Played()
    assert "usage: :task ID" in played(":task")
    assert "usage: :undo [n]" in played(":undo 1 2")
    assert "usage: :look" in played(":look x")

    def command(self: Any, first: str, second: str = "") -> None:
        """Take two."""

    assert usage("both", command) == ":both FIRST [second]"


def test_completion_offers_actions_commands_and_what_a_command_may_take() -> None:
    shell = Played(Doors()).shell
    assert tuple(shell.candidates("")) == tuple(shell.candidates("le")) == ("left", "right", "walk <where>")
    assert tuple(Played().shell.candidates("le")) == ()
    assert ":undo" in shell.candidates(":un")
    assert list(shell.candidates(":split t")) == [":split train", ":split validation", ":split test"]
    assert list(shell.candidates(":auto")) == [":auto policy", ":auto expert"]
    assert ":goto" in shell.candidates(":goto")
    shell.game.keep("here")
    assert list(shell.candidates(":goto ")) == [":goto here"]


def test_whatever_goes_wrong_is_shown_and_the_game_goes_on() -> None:
    played = Played(policy=Scripted())
    assert "that failed: IndexError: pop from empty list (tests/unit/repl/kit.py:" in played(":step")
    assert "LookupError: no stair there (tests/unit/repl/kit.py:" in played("a", "fall")
    assert "interrupted" in played("hang")
    assert 'unknown split "tets"' in played(":split tets")
    played("b")
    assert played.actions == ["a", "b"]


def test_the_prompt_tells_the_turn_or_that_it_is_over() -> None:
    prompts = [
        line.partition(">")[0]
        for line in transcript("a", "b", "c", "d", ":undo", env=Stairs()).splitlines()
        if "> " in line
    ]
    assert prompts == ["turn 1", "turn 2", "turn 3", "turn 4", "over"]


def test_a_game_begins_with_how_to_play_and_ends_when_it_is_told_to() -> None:
    text = transcript(":quit", "a", env=Stairs(), seed=3).splitlines()
    assert text[:3] == ["type an action, its number, or :help", "Stairs: seed 3", "Climb."]
    assert text[-1] == "turn 1> :quit"


def test_a_line_that_is_cancelled_is_no_end() -> None:
    lines: Any = iter(["a", KeyboardInterrupt, "b"])

    class Lines(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
            line = next(lines, "")
            if isinstance(line, type):
                raise line
            return f"{line}\n" if line else ""

    out = io.StringIO()
    agentgym.repl.play(Stairs(), stdin=Lines(), console=Console(file=out, width=100, highlight=False))
    shown = [line.split(",")[0] for line in out.getvalue().splitlines() if line.startswith(("cancelled", "reward"))]
    assert shown == ["reward 0.25", "cancelled; :quit or Ctrl-D leaves", "reward 0.5"]


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (UserError("no such floor"), UserError, "^no such floor$"),
        (EnvError("it jams"), EnvError, "^it jams$"),
        (RuntimeError("no doors"), EnvError, r"^RuntimeError: no doors \(\S+test_shell\.py:\d+\)$"),
    ],
)
def test_a_first_episode_that_cannot_begin_is_an_error_of_the_command(
    error: Exception, kind: type[Exception], words: str
) -> None:
    def reset(self: Any, **_: Any) -> Any:
        raise error

    with pytest.raises(kind, match=words):
        transcript(env=type("Walled", (Stairs,), {"reset": reset})())
