"""Which groups make an update, where it matters in which order they end."""

from __future__ import annotations

import pytest

from agentgym.simulation.admission import Admission
from tests.unit.simulation.kit import plan


def admitted(*, in_order: bool) -> Admission:
    admission = Admission(plan(groups=2, max_staleness=1, in_order=in_order))
    assert admission.admit(0) == range(4)
    return admission


def test_in_order_the_oldest_is_waited_for() -> None:
    admission = admitted(in_order=True)
    for group in (1, 2, 3):
        admission.ended(group)
    assert admission.collect(0) is None
    admission.ended(0)
    assert admission.collect(0) == [0, 1]
    assert admission.admit(1) == range(4, 6)
    assert admission.collect(1) == [2, 3]


def test_out_of_order_those_that_are_due_keep_their_places() -> None:
    admission = admitted(in_order=False)
    admission.ended(3)
    admission.ended(1)
    assert admission.collect(0) == [1, 3]
    admission.admit(1)
    admission.ended(5)
    assert admission.collect(1) is None, "0 and 2 are due in this update, and need both of its places"
    admission.ended(0)
    admission.ended(2)
    assert admission.collect(1) == [0, 2]


def test_nothing_begins_beyond_the_last_update() -> None:
    course = plan(groups=2, max_staleness=1, updates=10)
    admission = Admission(course)
    assert [len(admission.admit(version)) for version in range(10)] == [4, 2, 2, 2, 2, 2, 2, 2, 2, 0]


@pytest.mark.parametrize("in_order", [True, False])
def test_what_is_there_is_taken_at_once(in_order: bool) -> None:
    admission = admitted(in_order=in_order)
    admission.ended(0)
    assert admission.collect(0) is None
    assert admission.taken == [0]
