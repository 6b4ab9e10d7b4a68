"""What is shown of moments, replies and odds."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from rich.console import Console

from agentgym.protocols.react import React
from agentgym.repl.game import Game
from agentgym.repl.policy import Reply
from agentgym.repl.screen import Screen
from agentgym.types import Action, Observation
from tests.unit.repl.kit import Stairs


def shown(show: Any, *, width: int = 100, color: bool = False) -> str:
    """What ``show`` does with a screen."""
    out = io.StringIO()
    show(
        Screen(
            Console(
                file=out, width=width, highlight=False, force_terminal=color, color_system="standard" if color else None
            )
        )
    )
    return out.getvalue()


def played(*actions: str, env: Any = None, hear: str | None = None, **options: Any) -> Game:
    async def go() -> Game:
        game = Game(env or Stairs(), **options)
        await game.start()
        for action in actions:
            await game.act(Action(action))
        if hear is not None:
            await game.hear(hear, React())
        return game

    return asyncio.run(go())


def lines(game: Game) -> list[str]:
    return [line.strip() for line in shown(lambda screen: screen.moment(game)).splitlines()]


def test_the_first_moment_has_no_reward() -> None:
    first, seen, last = lines(played())
    assert first.startswith("╭─ first observation ─")
    assert seen.startswith("│ stair 0 of seed 0 ")
    assert last.startswith("╰")


def test_a_moment_shows_the_reward_of_its_turn_and_the_sum_of_all() -> None:
    first, seen, _, reward = lines(played("a", "b"))
    assert first.startswith("╭─ turn 2 ─")
    assert seen.startswith("│ stair 2 ")
    assert reward == "reward 0.5, total 0.75"


def test_what_had_no_effect_says_why_first() -> None:
    first, *_, reward = lines(played("a", "stumble"))
    assert first == "no effect: you stumble"
    assert reward == "reward -1, total -0.75"
    first, *_, reward = lines(played("a", hear="hm"))
    assert first.startswith("no effect: No action found.")
    assert reward == "reward 0, total 0.25"


def stairs(step: Any = None, **attributes: Any) -> Stairs:
    made: Stairs = type("Stairs", (Stairs,), attributes | ({"step": step} if step else {}))()
    return made


def returning(reward: float, *, end: str = "", **info: Any) -> Stairs:
    """Stairs of which the next step comes to this."""
    return stairs(lambda self, action: ("there", reward, "terminated" in end, "truncated" in end, info))


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (returning(1.0, end="terminated"), "terminated: success, total reward 1"),
        (returning(0.5, end="terminated"), "terminated: no success, total reward 0.5"),
        (returning(0.25, end="truncated", success=True), "truncated: success, total reward 0.25"),
        (
            returning(2.0, end="terminated truncated", success=False),
            "terminated and truncated: no success, total reward 2",
        ),
    ],
)
def test_the_end_is_told_with_its_outcome_and_offers_no_actions(env: Stairs, told: str) -> None:
    assert lines(played("a", env=env))[-1] == told


def test_the_end_tells_the_sum_and_not_the_last_reward() -> None:
    *_, reward, end = lines(played("a", "b", "c", "d"))
    assert (reward, end) == ("reward 1, total 2.5", "terminated: success, total reward 2.5")


def test_what_a_reward_is_made_of_is_shown() -> None:
    env = returning(0.75, breakdown={"doors": 0.5, "keys": 0.25})
    assert lines(played("a", env=env))[-1] == "reward 0.75 (doors 0.5, keys 0.25), total 0.75"
    assert lines(played("a", env=returning(0.75, breakdown="odd")))[-1] == "reward 0.75, total 0.75"


def test_where_a_rollout_would_end_is_told_at_that_turn_alone() -> None:
    told = "a rollout ends here, after 2 turns; you may go on"
    assert [lines(played(*["a"] * n, env=stairs(max_turns=2)))[-1] == told for n in (1, 2, 3)] == [False, True, False]


def test_tools_are_named() -> None:
    tools: list[dict[str, Any]] = [{"type": "function", "function": {"name": "look"}}, {"name": "leave"}]

    def reset(self: Any, **_: Any) -> Any:
        return Observation("here", tools=tools), {}

    assert lines(played(env=stairs(reset=reset)))[-1] == "tools: look, leave"


@pytest.mark.parametrize(
    ("number", "shown_in_full", "more"), [(40, 40, ""), (41, 40, "… and 1 more: :actions shows all"), (0, 0, "")]
)
def test_forty_actions_are_shown_without_being_asked_for(number: int, shown_in_full: int, more: str) -> None:
    actions = [f"go-{i}" for i in range(1, number + 1)]

    def reset(self: Any, **_: Any) -> Any:
        return Observation("here", admissible=actions), {}

    game = played(env=stairs(reset=reset))
    text = "\n".join(lines(game)[3:])
    assert text.split()[: 2 * shown_in_full] == [x for i in range(1, shown_in_full + 1) for x in (f"{i}", f"go-{i}")]
    assert text.endswith(more)
    whole = shown(lambda screen: screen.actions(actions))
    assert whole.split() == [x for i in range(1, number + 1) for x in (f"{i}", f"go-{i}")]


def test_numbers_of_actions_stand_below_each_other() -> None:
    text = shown(lambda screen: screen.actions([f"go-{i}" * 9 for i in range(10)]), width=50)
    assert text.splitlines()[0].startswith(" 1 go-0")
    assert text.splitlines()[-1].startswith("10 go-9")
    assert shown(lambda screen: screen.actions(["a"] * 12, limit=9)).startswith("1 a")
    assert shown(lambda screen: screen.actions(None)) == ""


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"seed": 3}, "Stairs: seed 3"),
        ({"seed": 3, "task": 0}, "Stairs: task 0, seed 3"),
        ({"seed": 3, "task": "7"}, "Stairs: task 7, seed 3"),
    ],
)
def test_an_episode_begins_with_its_task_its_seed_and_the_instructions(options: Any, first: str) -> None:
    game = played(**options)
    told = shown(lambda screen: screen.episode(game)).splitlines()
    assert told[:2] == [first, "Climb."]
    assert "first observation" in told[2]
    game.env.instructions = ""
    assert "first observation" in shown(lambda screen: screen.episode(game)).splitlines()[1]


def test_a_reply_is_shown_with_its_log_probability_and_number_of_tokens() -> None:
    reply = Reply("go up", (("go", -0.25), (" up", -1.0), ("<end>", -0.5)))
    assert shown(lambda screen: screen.reply(reply)) == "policy: go up<end>   log-prob -1.75, 3 tokens\n"
    assert shown(lambda screen: screen.reply(Reply("go"))) == "policy: go   no log-probs\n"


@pytest.mark.parametrize(
    ("logprob", "color"),
    [(0.0, "32"), (-0.1, "32"), (-0.11, ""), (-0.69, ""), (-0.7, "33"), (-2.3, "33"), (-2.31, "31"), (0.5, "32")],
)
def test_the_less_likely_a_token_was_the_redder_it_is(logprob: float, color: str) -> None:
    """Above 0.9 green, above a half plain, above a tenth yellow."""
    text = shown(lambda screen: screen.reply(Reply("go", (("go", logprob),))), color=True)
    assert text.partition("go")[0] == "\x1b[1mpolicy: " + (f"\x1b[0m\x1b[1;{color}m" if color else "")


def test_odds_are_shown_likeliest_first() -> None:
    text = shown(lambda screen: screen.odds(["a", "b", "c", "d"], [-2.0, -0.5, -3.0, 0.01]))
    assert [line.split() for line in text.splitlines()] == [
        ["probability", "log-prob", "action"],
        ["100.0%", "0.01", "d"],
        ["60.7%", "-0.50", "b"],
        ["13.5%", "-2.00", "a"],
        ["5.0%", "-3.00", "c"],
    ]


def test_the_history_has_a_line_a_turn() -> None:
    game = played("a", "stumble", hear="hm")
    assert [line.split() for line in shown(lambda screen: screen.history(game.moments)).splitlines()] == [
        ["turn", "action", "reward", "total"],
        ["1", "a", "0.25", "0.25"],
        ["2", "stumble", "-1", "-0.75"],
        ["3", "hm", "(not", "understood)", "0", "-0.75"],
    ]


def test_commands_are_shown_with_what_they_do() -> None:
    assert shown(lambda screen: screen.commands([(":undo [n]", "take [back]")])).split() == [
        ":undo",
        "[n]",
        "take",
        "[back]",
    ]


def test_what_comes_from_outside_is_no_markup_and_holds_no_escape_codes() -> None:
    text = shown(lambda screen: screen.say("a\x1b[2Jb\x07c\x9dd[red]e\r\nf\tg\rh"))
    assert text == "a�[2Jb�c�d[red]e\nf       g�h\n"


def test_what_the_terminal_cannot_show_is_replaced() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Screen(Console(file=out, width=40)).say("naïve")
    out.flush()
    assert raw.getvalue() == b"na?ve\n"


def test_colors_tell_what_went_wrong_and_what_was_worth_something() -> None:
    assert shown(lambda screen: screen.complain("no"), color=True).startswith("\x1b[31mno")
    good, none = (in_color(played("a", env=returning(paid))) for paid in (0.5, 0.0))
    assert "\x1b[32mreward 0.5" in good
    assert "\x1b[32mreward" not in none
    won, lost = (in_color(played("a", env=returning(paid, end="terminated"))) for paid in (1.0, 0.0))
    assert "\x1b[1;32mterminated" in won
    assert "\x1b[1;31mterminated" in lost


def in_color(game: Game) -> str:
    return shown(lambda screen: screen.moment(game), color=True)


def test_long_lines_are_not_broken() -> None:
    assert shown(lambda screen: screen.say("word " * 30)).count("\n") == 1
    assert shown(lambda screen: screen.reply(Reply("word " * 30))).count("\n") == 1
