"""The phone by hand: what taps, words and the bar's buttons do in each app."""

from __future__ import annotations

import json

import pytest

from agentgym.environments.android_like.apps import APPS
from agentgym.environments.android_like.phone import LONGEST, Command, Phone
from agentgym.environments.android_like.state import State, facts, same
from tests.unit.environments.android_kit import contents, fresh, tapped


def filled(phone: Phone, /, **fields: str) -> None:
    for id, text in fields.items():
        assert phone.obey(Command("fill", id, text)) is None


def told(phone: Phone) -> list[str]:
    return [node.text for node in phone.screen.nodes]


def test_the_home_screen_has_every_app_and_back_and_home_lead_there() -> None:
    phone = fresh()
    assert told(phone) == [*APPS] == ["clock", "contacts", "messages", "notes", "to-do", "settings"]
    tapped(phone, "contacts", "contact-1")
    assert phone.screen.title == "mia moss"
    phone.obey(Command("back"))
    assert phone.screen.title == "contacts"
    tapped(phone, "contact-1", "edit")
    phone.obey(Command("home"))
    assert (phone.screen.title, phone.state.stack) == ("home", [])
    assert phone.obey(Command("back")) is None, "there is nothing behind the home screen"
    assert phone.state.seen == ["contacts/list/", "contacts/page/1", "contacts/edit/1"]


def test_an_alarm_is_switched_added_changed_and_deleted() -> None:
    phone = fresh()
    tapped(phone, "clock")
    assert [node.text for node in phone.screen.nodes] == ["07:30", "09:00", "new alarm"], "by their times"
    tapped(phone, "on-2")
    assert phone.records("alarms")["2"] == {"time": "07:30", "label": "gym", "on": False}
    tapped(phone, "new")
    filled(phone, time="6.05", label=" long  walk ")
    tapped(phone, "save")
    assert phone.records("alarms")["3"] == {"time": "06:05", "label": "long walk", "on": True}
    tapped(phone, "alarm-1")
    filled(phone, time="09:10")
    tapped(phone, "save")
    assert phone.records("alarms")["1"] == {"time": "09:10", "label": "bus", "on": True}
    tapped(phone, "alarm-2", "delete")
    assert phone.screens[-1].is_dialog
    assert phone.screens[0].title == "edit alarm"
    tapped(phone, "no")
    assert phone.screen.title == "edit alarm"
    tapped(phone, "delete", "yes")
    assert [*phone.records("alarms")] == ["1", "3"]
    assert phone.screen.title == "alarms"


@pytest.mark.parametrize("time", ["", "24:00", "7:60", "730", "7:30 am", "\uff11\uff12:00"])
def test_a_time_that_is_none_is_not_saved(time: str) -> None:
    phone = fresh()
    tapped(phone, "clock", "new")
    filled(phone, time=time)
    assert tapped(phone, "save") == "a time is written as 07:30"
    assert phone.state.contents == contents()
    assert phone.screen.title == "new alarm"


def test_a_contact_is_added_changed_marked_and_deleted() -> None:
    phone = fresh()
    tapped(phone, "contacts")
    assert told(phone) == ["ben reed", "mia moss", "new contact"]
    assert [node.detail for node in phone.screen.nodes] == ["favorite", "", ""]
    tapped(phone, "new")
    assert tapped(phone, "save") == "a contact needs a name"
    filled(phone, name="Mia Moss", phone="123")
    assert tapped(phone, "save") == "there is a contact of that name already"
    filled(phone, name="ada vale")
    assert tapped(phone, "save") == "a phone number has digits"
    filled(phone, phone="+49 30 1234")
    assert tapped(phone, "save") is None
    assert phone.records("contacts")["3"] == {"name": "ada vale", "phone": "+49 30 1234", "favorite": False}
    tapped(phone, "contact-1", "favorite", "edit")
    filled(phone, phone="0400 000 000")
    assert tapped(phone, "save") is None, "its own name is no other's"
    assert phone.records("contacts")["1"] == {"name": "mia moss", "phone": "0400 000 000", "favorite": True}
    tapped(phone, "delete", "yes")
    assert [*phone.records("contacts")] == ["2", "3"]
    assert phone.screen.title == "contacts"


def test_messages_are_read_and_sent_to_old_and_new_people() -> None:
    phone = fresh()
    tapped(phone, "messages")
    assert next((node.text, node.detail) for node in phone.screen.nodes) == ("mia moss", "sure")
    tapped(phone, "thread-mia moss")
    assert [node.kind for node in phone.screen.nodes] == ["theirs", "mine", "field", "main"]
    assert tapped(phone, "send") == "there is nothing to send"
    filled(phone, text=" on  my way ")
    tapped(phone, "send")
    assert phone.records("messages")["3"] == {"with": "mia moss", "mine": True, "text": "on my way"}
    assert phone.screen.nodes[-2].value == "", "what was sent is not in the field any more"
    phone.obey(Command("back"))
    tapped(phone, "new", "thread-ben reed")
    filled(phone, text="hello")
    tapped(phone, "send")
    assert phone.records("messages")["4"]["with"] == "ben reed"
    phone.obey(Command("home"))
    tapped(phone, "contacts", "contact-2", "message")
    assert told(phone) == ["hello", "message", "send"]


def test_notes_are_read_added_changed_and_deleted() -> None:
    phone = fresh()
    tapped(phone, "notes", "note-1")
    assert told(phone) == ["edit", "delete", "the code is 77"]
    tapped(phone, "edit")
    filled(phone, text="the code is 78")
    tapped(phone, "save")
    assert told(phone)[-1] == "the code is 78"
    phone.obey(Command("back"))
    tapped(phone, "new")
    assert tapped(phone, "save") == "a note needs a title"
    filled(phone, title="hotel")
    tapped(phone, "save")
    assert phone.records("notes")["2"] == {"title": "hotel", "text": ""}
    tapped(phone, "note-1", "delete", "yes")
    assert [*phone.records("notes")] == ["2"]


def test_the_to_do_list_takes_more_and_what_is_done_is_checked() -> None:
    phone = fresh()
    tapped(phone, "to-do", "todo-1")
    assert phone.records("todos")["1"]["done"] is True
    tapped(phone, "todo-1")
    assert phone.records("todos")["1"]["done"] is False
    assert tapped(phone, "add") == "there is nothing to add"
    filled(phone, more="pay rent")
    tapped(phone, "add", "remove-1")
    assert phone.records("todos") == {"2": {"text": "pay rent", "done": False}}


def test_settings_are_switched_and_chosen() -> None:
    phone = fresh()
    tapped(phone, "settings", "network", "wi-fi")
    assert phone.records("settings")["wi-fi"]["value"] is True
    phone.obey(Command("back"))
    tapped(phone, "sound", "ringtone")
    assert [(node.text, node.is_on) for node in phone.screen.nodes][:2] == [("bells", True), ("birds", False)]
    tapped(phone, "birds")
    assert phone.records("settings")["ringtone"]["value"] == "birds"
    assert phone.screen.title == "sound", "the choice closes the dialog"


def test_what_does_not_fit_changes_nothing_and_is_told() -> None:
    phone = fresh()
    tapped(phone, "clock", "new")
    before = phone.state.as_json()
    assert tapped(phone, "nosuch") == tapped(phone, "") == "there is no such thing on this screen"
    assert phone.obey(Command("fill", "save", "x")) == "there is no such field on this screen"
    assert phone.obey(Command("fill", "label", "x" * (LONGEST + 1))) == "a field takes 60 characters"
    assert phone.state.as_json() == before
    assert phone.obey(Command("fill", "label", "x" * LONGEST)) is None
    assert tapped(phone, "label") is None, "a tap on a field does nothing"


def test_what_is_under_a_dialog_cannot_be_reached() -> None:
    phone = fresh()
    tapped(phone, "notes", "note-1", "delete")
    assert tapped(phone, "edit") == "there is no such thing on this screen"
    phone.obey(Command("back"))
    assert tapped(phone, "edit") is None


def test_after_the_end_nothing_is_done() -> None:
    phone = fresh()
    assert phone.obey(Command("end", text=" 0411  222 333 ")) is None
    assert (phone.is_over, phone.state.answer) == (True, "0411 222 333")
    before = phone.state.as_json()
    assert phone.obey(Command("tap", "clock")) == phone.obey(Command("end")) == "the episode is over"
    assert phone.state.as_json() == before


def test_a_state_comes_back_from_json_whatever_the_order_of_its_keys() -> None:
    phone = fresh()
    tapped(phone, "to-do")
    for number in range(12):
        filled(phone, more=f"task {number}")
        tapped(phone, "add")
    assert told(phone)[:4] == ["buy milk", "task 0", "task 1", "task 2"], "the oldest first, also of more than nine"
    filled(phone, more="half")
    other = Phone(State.of(json.loads(json.dumps(phone.state.as_json(), sort_keys=True))))
    assert told(other) == told(phone)
    assert other.state.as_json() == phone.state.as_json()
    kept = phone.state.as_json()
    one, two = Phone(State.of(kept)), Phone(State.of(kept))
    tapped(one, "todo-1", "add")
    assert two.state.as_json() == phone.state.as_json(), "two states share nothing"


def test_facts_have_no_ids_and_count() -> None:
    one, two = contents(), contents()
    two["alarms"] = {"5": one["alarms"]["2"], "9": {**one["alarms"]["1"], "label": " BUS "}}
    assert facts(one) == facts(two)
    two["alarms"]["10"] = one["alarms"]["1"]
    assert sum((facts(two) - facts(one)).values()) == 1
    assert not same("14:30", "14:31")
    assert not same("", "x")
