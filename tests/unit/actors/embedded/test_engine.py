"""Requests and slots of the embedded engine: who runs, who waits, what is freed, and what is computed anew."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.actors.embedded.slots import SlotCache
from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Completion, Prompt
from agentgym.errors import EngineError
from tests.kit import one_thread, sampling, tiny_model, until
from tests.unit.actors.kit import one_loop, run

__all__ = ["one_loop", "one_thread"]

PLAIN = tiny_model()
PROMPT = [3, 1, 4, 1, 5]


def asked(
    engine: EmbeddedEngine, session: str, ids: Sequence[int] = PROMPT, **changes: Any
) -> asyncio.Task[Completion]:
    return asyncio.create_task(engine.generate(Prompt(ids), sampling(**changes), session=session))


async def one_waits(task: asyncio.Task[Completion], before: set[asyncio.Task[Any]]) -> None:
    """The engine has nothing more to do, and ``task`` is still waiting: nothing else runs that did not ``before``."""
    await asyncio.sleep(0)  # let it ask
    await until(lambda: asyncio.all_tasks() - before <= {task}, 20)
    assert not task.done()


def test_who_finds_no_slot_waits_without_work_until_one_is_released() -> None:
    async def main() -> None:
        engine, before = EmbeddedEngine(PLAIN, max_sessions=2), asyncio.all_tasks()
        await asyncio.gather(asked(engine, "a"), asked(engine, "b"))
        third = asked(engine, "c")
        await one_waits(third, before)
        engine.release("nobody")
        await one_waits(third, before)
        engine.release("a")
        assert len((await third).token_ids) == 8

    run(main, 30)


def test_a_request_that_was_cancelled_while_it_waited_takes_no_slot() -> None:
    async def main() -> None:
        engine, before = EmbeddedEngine(PLAIN, max_sessions=1), asyncio.all_tasks()
        await asked(engine, "a")
        dropped = asked(engine, "b")
        await one_waits(dropped, before)
        last = asked(engine, "c")
        dropped.cancel()
        await one_waits(last, before)
        engine.release("a")
        assert len((await last).token_ids) == 8

    run(main, 30)


def test_a_request_that_was_cancelled_while_it_ran_samples_no_more() -> None:
    async def main() -> None:
        engine, before = EmbeddedEngine(PLAIN), asyncio.all_tasks()
        dropped = asked(engine, "a", max_tokens=200)
        await until(lambda: engine.sampled_tokens >= 3)
        dropped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dropped
        await until(lambda: asyncio.all_tasks() <= before, 20)
        assert engine.sampled_tokens < 200

    run(main, 30)


def test_a_session_has_one_request_at_a_time_waiting_or_not() -> None:
    async def main() -> None:
        engine, before = EmbeddedEngine(PLAIN, max_sessions=1), asyncio.all_tasks()
        await asked(engine, "a")
        waiting = asked(engine, "b")
        await one_waits(waiting, before)
        with pytest.raises(EngineError, match='session "b" is still generating'):
            await asked(engine, "b")
        waiting.cancel()
        again = asked(engine, "b")  # that one is over, and the engine has not looked since
        await one_waits(again, before)
        engine.release("a")
        await again

    run(main, 30)


def test_a_failing_forward_is_told_to_those_who_wait_as_well() -> None:
    model = tiny_model()

    async def main() -> None:
        engine, forward = EmbeddedEngine(model, max_sessions=1), model.forward
        model.forward = lambda *_, **__: (_ for _ in ()).throw(MemoryError("full"))
        both = await asyncio.gather(asked(engine, "a"), asked(engine, "b"), return_exceptions=True)
        assert [str(error) for error in both] == ["the engine stopped: MemoryError: full"] * 2
        model.forward = forward
        engine.release("a")
        assert len((await asked(engine, "c")).token_ids) == 8

    run(main, 30)


def test_closing_cancels_who_runs_and_who_waits_and_frees_the_slots() -> None:
    def held() -> list[int]:
        """Lengths of this engine's memory, which is known by its context, rounded up."""
        caches = [found for found in gc.get_objects() if type(found) is SlotCache and found.max_length == 128]
        return [cache.length for cache in caches]

    async def main() -> None:
        engine, before = EmbeddedEngine(PLAIN, max_sessions=1, max_context=127), asyncio.all_tasks()
        both = [asked(engine, name, max_tokens=120) for name in "ab"]
        await until(lambda: engine.sampled_tokens > 2)
        assert held() == [128]
        await engine.close()
        results = await asyncio.gather(*both, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        assert asyncio.all_tasks() <= before
        assert held() == []

    run(main, 30)


def test_a_context_may_be_all_that_the_model_was_made_for() -> None:
    assert EmbeddedEngine(PLAIN, max_context=256).max_context == 256


@pytest.mark.parametrize(("prompt", "new"), [(31, 1), (1, 31)])
def test_a_completion_may_take_all_the_room_that_is_left(prompt: int, new: int) -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN, max_context=32)
        assert len((await asked(engine, "a", [1] * prompt, max_tokens=new)).token_ids) == new
        with pytest.raises(EngineError, match=rf"{prompt} prompt tokens and {new + 1} new ones .* context of 32"):
            await asked(engine, "b", [1] * prompt, max_tokens=new + 1)

    run(main)


def test_new_weights_between_requests_stamp_their_version_and_have_all_computed_anew() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN)
        first = await asked(engine, "a", max_tokens=3)
        ids = [*PROMPT, *first.token_ids, 2, 2]
        second = await asked(engine, "a", ids, max_tokens=3)
        assert engine.prefill_tokens == 8 + 8  # 4, in eights; the last token that was said, and two that were heard
        await engine.update_weights(6, [])
        ids += [*second.token_ids, 2]
        third = await asked(engine, "a", ids, max_tokens=3)
        assert (len(ids), engine.prefill_tokens) == (14, 8 + 8 + 16)
        versions = [one.policy_versions for one in (first, second, third)]
        assert (versions, engine.policy_version) == ([[0] * 3, [0] * 3, [6] * 3], 6)

    run(main)


def test_stop_tokens_end_a_completion_where_they_come_first_be_it_the_last_place() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN)
        free = (await asked(engine, "free", max_tokens=6)).token_ids
        end = next(i for i in range(1, 6) if free[i] not in free[:i])
        unsaid = [token for token in range(37) if token not in free]
        for max_tokens, reason in ((end + 1, "stop"), (end, "length")):
            said = await asked(
                engine, f"{max_tokens}", max_tokens=max_tokens, stop_token_ids=(unsaid[0], free[end], unsaid[1])
            )
            assert (said.token_ids, said.finish_reason) == (free[:max_tokens], reason)

    run(main)


def test_the_same_prompt_twice_has_the_same_reply() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN)
        first, again = [await asked(engine, "a", max_tokens=1) for _ in range(2)]
        assert again.token_ids == first.token_ids
        assert again.logprobs == pytest.approx(first.logprobs, abs=1e-5)

    run(main)


def test_requests_without_a_seed_go_on_in_the_engine_s_own_numbers() -> None:
    async def main() -> list[list[int]]:
        engine = EmbeddedEngine(PLAIN)
        return [(await asked(engine, name, seed=None, max_tokens=20)).token_ids for name in "ab"]

    first, second = run(main)
    assert first != second


def test_a_fork_that_was_asked_gives_its_slot_to_nobody() -> None:
    async def main() -> None:
        engine, before = EmbeddedEngine(PLAIN, max_sessions=2), asyncio.all_tasks()
        ids = [*PROMPT, *(await asked(engine, "trunk")).token_ids, 1]
        await engine.fork("trunk", "branch")
        await asked(engine, "branch", ids)
        waiting = asked(engine, "other")
        await one_waits(waiting, before)
        engine.release("branch")
        await waiting

    run(main, 30)


def test_a_fork_takes_the_slot_neither_of_what_it_forks_nor_of_another_fork() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN, max_sessions=2)
        ids = [*PROMPT * 4, *(await asked(engine, "trunk", PROMPT * 4)).token_ids, 1]
        engine.park("trunk")
        await engine.fork("trunk", "branch")
        await engine.fork("trunk", "no room")
        before = engine.prefill_tokens
        for name in ("trunk", "branch"):
            await asked(engine, name, ids)
        assert engine.prefill_tokens - before == 8 + 8  # what was said last and 1 more, in eights

    run(main)


def test_what_was_forked_last_is_the_last_to_lose_its_slot() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN, max_sessions=3)
        ids = [*PROMPT * 4, *(await asked(engine, "trunk", PROMPT * 4)).token_ids, 1]
        await asked(engine, "parked later", [2, 2])
        engine.park("trunk")
        engine.park("parked later")
        await engine.fork("trunk", "branch")
        await asked(engine, "new", [7, 7])
        before = engine.prefill_tokens
        await asked(engine, "trunk", ids)
        assert engine.prefill_tokens - before == 8

    run(main)


def test_tokens_are_told_as_they_are_drawn_and_are_those_of_generate() -> None:
    async def main() -> None:
        engine, told, at = EmbeddedEngine(PLAIN), list[tuple[int, float]](), list[int]()

        def tell(token: int, logprob: float) -> None:
            told.append((token, logprob))
            at.append(engine.sampled_tokens)

        how = sampling(seed=3)
        said = await engine.stream(Prompt(PROMPT), how, session="a", tell=tell)
        assert told == list(zip(said.token_ids, said.logprobs, strict=True))
        assert at == list(range(1, len(told) + 1))  # each before the next was drawn
        assert await engine.generate(Prompt(PROMPT), how, session="b") == said

    run(main)


def test_an_engine_that_says_nothing_meanwhile_tells_all_at_the_end() -> None:
    async def main() -> None:
        told: list[tuple[int, float]] = []
        engine = ScriptedEngine(lambda ids: [5, 6])
        said = await engine.stream(Prompt([1]), sampling(), session="a", tell=lambda *token: told.append(token))
        assert (said.token_ids, told) == ([5, 6], [(5, 0.0), (6, 0.0)])
        with pytest.raises(EngineError, match=r"ScriptedEngine tells no tokens beside those .*--engine embedded does"):
            await engine.outlooks(Prompt([1, 2]), 1)

    run(main)


def test_outlooks_are_the_likeliest_tokens_and_the_entropy_at_each_place() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN)
        found = await engine.outlooks(Prompt([*PROMPT, 9, 2]), 2, most=3)
        with torch.inference_mode():
            logprobs = PLAIN(torch.tensor([[*PROMPT, 9]])).logits[0].float().log_softmax(-1)
        assert len(found) == 2
        for outlook, expected in zip(found, logprobs[len(PROMPT) - 1 :], strict=True):
            top = expected.topk(3)
            assert [token for token, _ in outlook.likeliest] == top.indices.tolist()
            assert [logprob for _, logprob in outlook.likeliest] == pytest.approx(top.values.tolist(), abs=1e-5)
            assert outlook.entropy == pytest.approx(float(-(expected.exp() * expected).sum()), abs=1e-5)
        (last,) = await engine.outlooks(Prompt([*PROMPT, 9, 2]), 1, most=99)
        assert len(last.likeliest) == PLAIN.config.vocab_size
        assert last.likeliest[:3] == found[1].likeliest

    run(main)
