"""What must have come of it."""

from pathlib import Path


def test_the_names_are_sorted_and_stand_there_once() -> None:
    assert Path("/app/sorted.txt").read_text().split() == ["Ada", "Ian", "Mia", "Zoe"]


def test_what_was_given_is_as_it_was() -> None:
    assert Path("/app/names.txt").read_text() == "Mia\nAda\nZoe\nAda\nIan\n"
