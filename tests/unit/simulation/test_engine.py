"""An engine whose sequences slow each other down, by numbers worked out by hand."""

from __future__ import annotations

import random

import pytest

from agentgym.simulation.engine import Decoder
from agentgym.simulation.workload import Speed


def test_two_sequences_share_steps() -> None:
    engine = Decoder(Speed(alone=0.0, each=1.0))  # a token takes one of them 1 s, each of two 2 s
    engine.add(0.0, 4, 1, "a")
    assert engine.next_end() == 4.0
    engine.add(2.0, 1, 2, "b")  # a has 2 left
    assert engine.next_end() == 4.0
    assert engine.ended(4.0) == ["b"]
    assert engine.next_end() == 5.0  # a had one more in those two seconds
    assert engine.ended(5.0) == ["a"]
    assert engine.next_end() == float("inf")
    assert (engine.sequence_seconds, engine.busy) == (2 * 1 + 2 * 2 + 1, 5.0)


def test_an_engine_that_reads_its_weights_alone_is_not_slowed_down() -> None:
    engine = Decoder(Speed(alone=0.5, each=0.0))
    for number in range(3):
        engine.add(0.0, 2, number, number)
    assert engine.next_end() == 1.0
    assert engine.ended(1.0) == [0, 1, 2]
    assert engine.busy == 0.0, "more engines would save nothing"


def test_nothing_is_decoded_while_weights_are_published() -> None:
    engine = Decoder(Speed(alone=1.0, each=0.0))
    engine.add(0.0, 4, 1, "a")
    engine.stall(1.0, 3.0)
    assert engine.next_end() == 7.0
    assert engine.ended(5.0) == []
    assert engine.next_end() == 7.0
    assert engine.ended(7.0) == ["a"]
    assert engine.sequence_seconds == 4.0


def test_whatever_arrives_all_tokens_are_decoded() -> None:
    """Against steps of a millisecond."""
    draw, speed = random.Random(0), Speed(0.01, 0.003)
    arrivals = sorted((draw.random() * 3, draw.randrange(1, 40), number) for number in range(30))
    engine, ends, coming = Decoder(speed), dict[int, float](), list(arrivals)
    while coming or engine.num_sequences:
        if coming and coming[0][0] <= engine.next_end():
            at, tokens, number = coming.pop(0)
            engine.add(at, tokens, number, number)
        else:
            now = engine.next_end()
            ends.update(dict.fromkeys(engine.ended(now), now))
    left, expected, now, coming = dict[int, float](), dict[int, float](), 0.0, list(arrivals)
    while coming or left:
        while coming and coming[0][0] <= now:
            _, tokens, number = coming.pop(0)
            left[number] = tokens
        left = {number: tokens - 1e-3 / speed.step(len(left)) for number, tokens in left.items()}
        now += 1e-3
        expected.update({number: now for number, tokens in left.items() if tokens <= 0})
        left = {number: tokens for number, tokens in left.items() if tokens > 0}
    assert ends.keys() == expected.keys()
    assert all(ends[number] == pytest.approx(expected[number], abs=0.02) for number in ends)
