"""Tasks of the phone: drawn by number, parted by split, done by the expert, and judged by what the phone holds."""

from __future__ import annotations

import random
import re
import shlex
from typing import get_args

import pytest

from agentgym.env import SPLITS
from agentgym.environments._options import Split
from agentgym.environments.android_like import parts
from agentgym.environments.android_like.expert import next_command
from agentgym.environments.android_like.levels import LEVELS, Level
from agentgym.environments.android_like.phone import Command, Phone
from agentgym.environments.android_like.sorts import SORTS, Wanted
from agentgym.environments.android_like.tasks import Task, draw_task, split_of
from agentgym.flags import parse_flags
from agentgym.launch.resolving import resolve
from agentgym.registry import plugins
from tests.kit import ROOT
from tests.unit.environments.android_kit import contents, drawn, fresh, phone_of, tapped

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


def played(phone: Phone, task: Task) -> int:
    """Have the expert do it; the turns that it took."""
    for turn in range(1, 100):
        assert phone.obey(next_command(phone, task)) is None
        if phone.is_over:
            return turn
    raise AssertionError("the expert comes to no end")


@EVERY_LEVEL
def test_the_expert_does_every_sort_in_half_of_the_turns(level: Level) -> None:
    sorts = set[str]()
    for number in range(150):
        task, phone = drawn(number, level)
        before = task.progress(phone)
        assert before == 0
        while not phone.is_over:
            phone.obey(next_command(phone, task))
            assert task.progress(phone) >= before, "it never takes anything back"
            before = task.progress(phone)
        assert task.is_success(phone), task.wanted.text
        sorts.add(task.sort)
        assert played(phone_of(task, number, level), task) <= LEVELS[level].max_turns / 1.9
    assert sorts == {*SORTS[level]}


@EVERY_LEVEL
def test_the_expert_goes_on_from_wherever_the_phone_stands(level: Level) -> None:
    rng = random.Random(level)
    for number in range(30):
        task, phone = drawn(number, level)
        for _ in range(8):  # whatever changes nothing
            ids = [node.id for node in phone.screen.every if node.id and node.kind in ("tile", "row", "add", "field")]
            if ids and rng.random() < 0.8:
                id = rng.choice(ids)
                node = phone.screen.find(id)
                assert node is not None
                phone.obey(Command("fill", id, "x") if node.kind == "field" else Command("tap", id))
            else:
                phone.obey(Command("back"))
        played(phone, task)
        assert task.is_success(phone), task.wanted.text


def test_the_expert_says_the_end_where_nothing_helps_any_more() -> None:
    task = next(task for task, _ in map(drawn, range(100)) if task.sort == "check")
    phone = phone_of(task, 0, "a1")
    for id in phone.ids("todos"):
        phone.drop("todos", id)
    assert played(phone, task) == 2
    assert not task.is_success(phone)


@EVERY_LEVEL
def test_no_two_splits_ask_for_the_same_and_each_has_every_sort(level: Level) -> None:
    asked: dict[str, set[str]] = {}
    for split in get_args(Split):
        tasks = [draw_task(number, split, level, 0) for number in SPLITS[split][:200]]
        asked[split] = {task.wanted.text for task in tasks}
        assert {task.sort for task in tasks} == {*SORTS[level]}
        assert all(split_of(text) == split for text in asked[split])
    assert not (asked["train"] & asked["test"])
    assert not (asked["train"] & asked["validation"])
    assert not asked["validation"] & asked["test"]


def test_a_task_is_a_function_of_number_level_and_seed() -> None:
    draw_task.cache_clear()
    one = draw_task(7, "train", "a2", 0)
    draw_task.cache_clear()
    assert draw_task(7, "train", "a2", 0) == one
    others = (draw_task(8, "train", "a2", 0), draw_task(7, "train", "a3", 0), draw_task(7, "train", "a2", 1))
    assert all(other.contents != one.contents for other in others)
    for number in range(10):
        first = [drawn(number, level)[0].contents["contacts"]["1"]["name"] for level in LEVELS]
        assert len(set(first)) > 1, "levels have draws of their own"


@EVERY_LEVEL
def test_a_phone_has_as_much_as_its_level_says_and_nothing_twice(level: Level) -> None:
    level_of, unique = LEVELS[level], {"alarms": "time", "contacts": "name", "notes": "title", "todos": "text"}
    for number in range(40):
        held = drawn(number, level)[0].contents
        for sort, field in unique.items():
            assert len({record[field] for record in held[sort].values()}) == len(held[sort])
            assert len(held[sort]) == getattr(level_of, sort)
        assert len({record["with"] for record in held["messages"].values()}) == level_of.threads
        assert all(re.fullmatch(r"\d\d:\d[05]", str(alarm["time"])) for alarm in held["alarms"].values())


def test_the_command_that_the_docs_show_can_be_typed() -> None:
    page = (ROOT / "docs" / "environments" / "android-like.md").read_text()
    typed = next(block for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) if "rubric-judge" in block)
    _, _, *flags = shlex.split(typed.replace("\\\n", " "))
    settings = resolve(parse_flags(flags))
    assert settings.curriculum.id == "buckets"
    assert set(settings.rewards) == {"success", "rubric-judge"}
    plugins("rewards").build("rubric-judge", settings.rewards["rubric-judge"].options)


# -- judged by hand --------------------------------------------------------------------------------------


def judged(wanted: Wanted, phone: Phone) -> tuple[dict[str, float], float, bool]:
    task = Task(sort="by hand", wanted=wanted, contents=contents())
    return task.conditions(phone), task.progress(phone), task.is_success(phone)


def test_a_change_counts_once_the_phone_has_it_and_the_end_once_it_is_said() -> None:
    wanted = Wanted("", (parts.flipped(contents(), "alarms", "1"), parts.added_todo("pay rent")))
    phone = fresh()
    assert judged(wanted, phone) == ({"seen": 1, "changed": 0, "untouched": 1, "said": 0}, 0, False)
    tapped(phone, "clock", "on-1")
    conditions, progress, success = judged(wanted, phone)
    assert (conditions, success) == ({"seen": 1, "changed": 0.5, "untouched": 1, "said": 0}, False)
    assert progress == pytest.approx(1 / 3)
    tapped(phone, "on-1")
    assert judged(wanted, phone)[1] == 0, "what is undone is taken back"
    tapped(phone, "on-1")
    phone.obey(Command("home"))
    tapped(phone, "to-do")
    phone.obey(Command("fill", "more", "Pay  RENT"))
    tapped(phone, "add")
    _, progress, success = judged(wanted, phone)
    assert progress == pytest.approx(2 / 3)
    assert not success
    phone.obey(Command("end"))
    assert judged(wanted, phone) == ({"seen": 1, "changed": 1, "untouched": 1, "said": 1}, 1, True)


def test_anything_else_that_is_changed_spoils_it_until_it_is_changed_back() -> None:
    wanted = Wanted("", (parts.flipped(contents(), "alarms", "1"),))
    phone = fresh()
    tapped(phone, "clock", "on-1", "on-2")
    assert judged(wanted, phone) == ({"seen": 1, "changed": 1, "untouched": 0, "said": 0}, 0, False)
    tapped(phone, "on-2")
    assert judged(wanted, phone)[1] == 0.5
    phone.obey(Command("home"))
    tapped(phone, "notes", "note-1", "delete", "yes")
    phone.obey(Command("end"))
    assert judged(wanted, phone) == ({"seen": 1, "changed": 1, "untouched": 0, "said": 1}, 0, False)


def test_a_message_that_is_sent_twice_is_one_too_many() -> None:
    wanted = Wanted("", (parts.sent(contents(), "mia moss", "on my way"),))
    phone = fresh()
    tapped(phone, "messages", "thread-mia moss")
    for is_untouched in (1, 0):
        phone.obey(Command("fill", "text", "on my way"))
        tapped(phone, "send")
        assert judged(wanted, phone)[0] == {"seen": 1, "changed": 1, "untouched": is_untouched, "said": 0}


def test_a_question_is_answered_in_words_and_reading_is_paid_for_by_dense_rewards() -> None:
    wanted = Wanted("", (parts.read("contacts", "contact-1", "page", "1"),), "0411 222 333")
    phone = fresh()
    tapped(phone, "contacts")
    assert judged(wanted, phone)[1] == 0
    tapped(phone, "contact-1")
    assert judged(wanted, phone) == ({"seen": 1, "changed": 1, "untouched": 1, "said": 0}, 0.5, False)
    for said, is_right in (("0411222333.", True), ("0411 222 334", False), ("", False), ("0411 222 333 0455", False)):
        phone.state.answer = said
        assert judged(wanted, phone)[1:] == ((1, True) if is_right else (0.5, False))
    guess = fresh()
    guess.obey(Command("end", text="0411 222 333"))
    assert judged(wanted, guess)[1:] == (1, True), "how one came to know it does not matter"


@pytest.mark.parametrize(
    "part",
    [
        parts.set_to(contents(), "wi-fi", True),
        parts.set_to(contents(), "screen lock", "pin"),
        parts.flipped(contents(), "contacts", "2"),
        parts.flipped(contents(), "todos", "1"),
        parts.deleted(contents(), "alarms", "1"),
        parts.deleted(contents(), "contacts", "1"),
        parts.deleted(contents(), "notes", "1"),
        parts.added_alarm("10:00", "walk"),
        parts.added_contact("ada vale", "0400 111 222"),
        parts.added_note("hotel", "the room is 12"),
        parts.changed_alarm(contents(), "1", "10:00"),
        parts.changed_phone(contents(), "1", "0400 111 222"),
        parts.sent(contents(), "ben reed", "hello"),
    ],
    ids=lambda part: part.stops[-1].key + part.tap,
)
def test_every_part_is_what_its_way_does_and_nothing_else(part: parts.Part) -> None:
    phone = fresh()
    for stop in part.stops:
        assert tapped(phone, stop.tap) is None
        assert phone.state.stack[-1].key == stop.key
    assert not part.is_done(phone)
    for id, text in part.fills:
        assert phone.obey(Command("fill", id, text)) is None
    assert tapped(phone, part.tap) is None
    assert part.is_done(phone)
    assert judged(Wanted("", (part,)), phone)[0] == {"seen": 1, "changed": 1, "untouched": 1, "said": 0}
