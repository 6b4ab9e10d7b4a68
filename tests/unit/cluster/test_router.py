"""Where sessions go: to what they have left, unless too many are there."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.cluster.router import Router

A, B = list(range(100)), list(range(1000, 1100))


def made(*engines: str, slack: int = 8) -> Router[str]:
    router: Router[str] = Router(slack=slack)
    for engine in engines:
        router.add(engine)
    return router


def test_a_session_stays_where_it_began() -> None:
    router = made("x", "y")
    first = router.place("s", A)
    router.place("t", B)
    assert router.place("s", B) == first  # whatever it goes on with
    assert router.where("s") == first


def test_sessions_that_begin_alike_go_together_and_others_to_the_least_busy() -> None:
    router = made("x", "y")
    first = router.place("1", [*A, 1])
    other = router.place("2", B)
    assert {first, other} == {"x", "y"}
    assert router.place("3", [*A, 2]) == first
    assert router.place("4", [*B, 3]) == other


def test_the_longer_beginning_wins() -> None:
    router = made("x", "y")
    short, long = router.place("1", A[:32]), router.place("2", B)
    assert router.place("3", [*A[:32], *B]) == short
    assert router.place("4", [*B[:64], 7]) == long


def test_less_than_a_block_is_no_beginning() -> None:
    router = made("x", "y")
    assert {router.place("1", A[:15]), router.place("2", A[:15])} == {"x", "y"}


def test_too_many_are_sent_on() -> None:
    router = made("x", "y", slack=2)
    placed = [router.place(str(number), A) for number in range(8)]
    assert placed == ["x"] * 3 + ["y"] * 3 + placed[6:]  # y knows the beginning too, once it had to take one
    assert sorted(placed[6:]) == ["x", "y"]


def test_a_lost_engine_has_nobody_and_its_sessions_go_elsewhere() -> None:
    router = made("x", "y")
    lost = router.place("s", A)
    router.drop(lost)
    router.drop(lost)
    assert router.where("s") is None
    (left,) = router.sessions
    assert router.place("s", A) == left
    router.drop(left)
    with pytest.raises(LookupError):
        router.place("s", A)


def test_forks_stand_beside_and_releases_make_room() -> None:
    router = made("x", "y")
    where = router.place("s", A)
    assert router.fork("s", "f") == where
    assert router.fork("nobody", "g") is None
    assert router.release("s") == where
    assert router.release("s") is None
    assert router.sessions[where] == {"f"}


def test_with_new_weights_nothing_is_known() -> None:
    router = made("x", "y")
    first = router.place("s", A)
    router.forget()
    assert router.place("t", A) != first


@given(st.lists(st.tuples(st.sampled_from("pdrfa"), st.integers(0, 5), st.integers(0, 3)), max_size=60))
def test_every_session_is_in_one_place(moves: list[tuple[str, int, int]]) -> None:
    router = made("0", "1")
    for kind, number, other in moves:
        match kind:
            case "p" if router.sessions:
                router.place(str(number), [other] * 40)
            case "d":
                router.drop(str(other))
            case "a" if str(other) not in router.sessions:
                router.add(str(other))
            case "r":
                router.release(str(number))
            case "f":
                router.fork(str(number), str(number + 1))
    placed = [session for sessions in router.sessions.values() for session in sessions]
    assert len(placed) == len(set(placed))
    assert all(router.where(session) in router.sessions for session in placed)


@pytest.mark.parametrize("num_engines", [2, 4, 8])
def test_nearly_all_prefix_hits_are_kept(num_engines: int) -> None:
    """Against one engine with a cache without end: 64 groups of 8 episodes with 6 turns, 48 under way at once."""
    rng = random.Random(num_engines)
    rules = [rng.randrange(1000) for _ in range(64)]
    router = made(*map(str, range(num_engines)))
    caches: dict[str, set[tuple[int, ...]]] = {engine: set() for engine in router.sessions}
    alone: set[tuple[int, ...]] = set()
    waiting = [(f"{group}-{member}", [*rules, *([group] * 64)]) for group in range(64) for member in range(8)]
    waiting.reverse()
    running: list[tuple[str, list[int], list[int]]] = []
    hits = attainable = 0

    def hit(cache: set[tuple[int, ...]], tokens: list[int]) -> int:
        """Tokens in whole blocks that were computed before, the slow way."""
        ends = range(16, len(tokens) + 1, 16)
        found = max((end for end in ends if tuple(tokens[:end]) in cache), default=0)
        cache.update(tuple(tokens[:end]) for end in ends)
        return found

    while waiting or running:
        while waiting and len(running) < 48:
            session, tokens = waiting.pop()
            running.append((session, list(tokens), [6]))
        episode = rng.choice(running)
        session, tokens, left = episode
        hits += hit(caches[router.place(session, tokens)], tokens)
        attainable += hit(alone, tokens)
        tokens.extend(rng.randrange(1000) for _ in range(rng.randrange(20, 80)))
        left[0] -= 1
        if not left[0]:
            router.release(session)
            running.remove(episode)
    assert hits >= 0.97 * attainable
