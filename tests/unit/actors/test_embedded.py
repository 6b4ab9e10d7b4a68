"""The embedded engine against the model itself: the same numbers, whatever else is running."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.actors.embedded.forward import Forward
from agentgym.actors.embedded.rows import Row
from agentgym.engine import Completion, Prompt
from agentgym.errors import ConfigError, EngineError
from agentgym.weights import clone, weights_of
from tests.kit import one_thread, sampling, tiny_model
from tests.unit.actors.kit import one_loop, run

__all__ = ["one_loop", "one_thread"]

PLAIN = tiny_model()
WINDOW = 7


def mixed_window_model() -> Any:
    """One layer with a sliding window, one without, as Qwen2 and Gemma mix them."""
    return tiny_model(
        layer_types=["full_attention", "sliding_attention"],
        use_sliding_window=True,
        sliding_window=WINDOW,
        max_window_layers=1,
    )


def all_window_model() -> Any:
    """Every layer with a sliding window and no list of layer types, as Mistral."""
    plain = PLAIN.config
    config = MistralConfig(
        vocab_size=37,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=plain.max_position_embeddings,
        sliding_window=WINDOW,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MistralForCausalLM(config).eval()


def generated(engine: EmbeddedEngine, prompt: Sequence[int], session: str = "s", **changes: Any) -> Completion:
    completion: Completion = run(lambda: engine.generate(Prompt(prompt), sampling(**changes), session=session))
    return completion


@torch.inference_mode()
def logprobs_of(model: Any, ids: Sequence[int], temperature: float = 1.0) -> list[float]:
    """Straight from the model: log-probability of every token but the first."""
    table = (model(input_ids=torch.tensor([list(ids)])).logits[0, :-1] / temperature).log_softmax(-1)
    return [float(table[i, token]) for i, token in enumerate(ids[1:])]


def prompt_of(length: int, salt: int = 0) -> list[int]:
    return [(7 * i + 3 * i * i + salt) % 37 for i in range(length)]


async def conversation(
    engine: EmbeddedEngine, name: str, lengths: Sequence[int], temperature: float = 1.0, salt: int = 0
) -> tuple[list[int], list[tuple[int, Completion]]]:
    """Several turns: new text of the given lengths, a reply after each; (all ids, [(where, reply)])."""
    ids: list[int] = []
    replies = []
    for turn, length in enumerate(lengths):
        ids += prompt_of(length, salt + turn)
        asked = sampling(temperature=temperature, seed=100 * salt + turn, max_tokens=4 + turn)
        completion = await engine.generate(Prompt(ids), asked, session=name)
        replies.append((len(ids), completion))
        ids = ids + completion.token_ids
        for _ in range(salt % 3):
            await asyncio.sleep(0)  # so that turns do not begin at the same moment
    return ids, replies


SESSIONS = [[5, 3, 9], [30, 1, 2, 2], [1, 1, 1], [12], [2, 40, 3], [9, 9, 9, 9, 9]]


async def conversations(engine: EmbeddedEngine, temperature: float = 1.0) -> list[Any]:
    together = (conversation(engine, f"s{i}", lengths, temperature, i) for i, lengths in enumerate(SESSIONS))
    return await asyncio.gather(*together)


@pytest.mark.parametrize(
    "make", [lambda: PLAIN, mixed_window_model, all_window_model], ids=["plain", "mixed", "sliding"]
)
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_logprobs_are_the_model_s_over_turns_and_sessions(make: Callable[[], Any], temperature: float) -> None:
    model = make()
    for ids, replies in run(lambda: conversations(EmbeddedEngine(model), temperature)):
        expected = logprobs_of(model, ids, temperature)
        for where, completion in replies:
            assert completion.token_ids == ids[where : where + len(completion.token_ids)]
            slice_ = expected[where - 1 : where - 1 + len(completion.token_ids)]
            assert completion.logprobs == pytest.approx(slice_, abs=1e-5 / temperature)


def test_the_window_matters_in_these_models() -> None:
    """Otherwise the parity above would say nothing about windows."""
    for model in (mixed_window_model(), all_window_model()):
        ids = prompt_of(40)
        inside = logprobs_of(model, ids)[-1]
        outside = logprobs_of(model, [1, *ids[1:]])[-1]
        assert model.config.sliding_window == WINDOW
        if isinstance(model, MistralForCausalLM):  # 2 layers reach back 2 * (WINDOW - 1) tokens
            assert inside == pytest.approx(outside, abs=1e-6)


@pytest.mark.parametrize("slots", [1, 2, 6])
def test_a_completion_depends_on_its_seed_and_not_on_what_else_runs(slots: int) -> None:
    async def alone() -> list[Any]:
        return [
            await conversation(EmbeddedEngine(PLAIN), f"s{i}", lengths, 1.0, i) for i, lengths in enumerate(SESSIONS)
        ]

    async def crowded() -> list[Any]:
        engine = EmbeddedEngine(PLAIN, max_sessions=slots)

        async def one(i: int, lengths: Sequence[int]) -> Any:
            try:
                return await conversation(engine, f"s{i}", lengths, 1.0, i)
            finally:
                engine.release(f"s{i}")

        return await asyncio.gather(*(one(i, lengths) for i, lengths in enumerate(SESSIONS)))

    assert [ids for ids, _ in run(crowded)] == [ids for ids, _ in run(alone)]


LONG = tiny_model(max_position_embeddings=2048, intermediate_size=45)
"""With activations that no vector fills: what is left over of them is computed in another way."""


@pytest.mark.parametrize("one_size", [False, True])
@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("slots", [1, 3, 7, 40])
def test_not_one_bit_depends_on_what_else_runs(
    slots: int, share: bool, one_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a library's sums depend on the number of rows as well, which is what ``one_size`` is for."""
    monkeypatch.setattr("agentgym.actors.embedded.forward.is_alone", lambda _: not one_size)
    turns = [[5, 3, 9], [130, 1, 2], [1, 1, 1], [12], [2, 40, 300], [60, 9, 9], [12], [530]]

    async def one(engine: EmbeddedEngine, i: int) -> Any:
        try:
            return await conversation(engine, f"s{i}", turns[i], 1.0, i // 2)  # two and two begin with the same text
        finally:
            engine.release(f"s{i}")

    async def alone() -> list[Any]:
        return [await one(EmbeddedEngine(LONG, share_openings=share), i) for i in range(len(turns))]

    async def crowded() -> list[Any]:
        engine = EmbeddedEngine(LONG, max_sessions=slots, share_openings=share)
        return await asyncio.gather(*(one(engine, i) for i in range(len(turns))))

    assert run(crowded) == run(alone)


def test_a_fork_that_lost_its_slot_is_computed_in_the_same_pieces() -> None:
    async def branch(slots: int) -> Completion:
        engine, ids = EmbeddedEngine(LONG, max_sessions=slots), prompt_of(70)
        ids += (await engine.generate(Prompt(ids), sampling(), session="trunk")).token_ids
        ids += prompt_of(9)
        ids += (await engine.generate(Prompt(ids), sampling(), session="trunk")).token_ids
        await engine.fork("trunk", "branch")
        await engine.fork("branch", "twig")  # of two slots none is left
        engine.release("branch")
        await engine.generate(Prompt(prompt_of(5)), sampling(), session="other")
        engine.release("trunk")
        return await engine.generate(Prompt(ids + prompt_of(4)), sampling(), session="twig")

    assert run(lambda: branch(2)) == run(lambda: branch(9))


def test_a_module_computes_as_before_once_a_pass_is_over() -> None:
    engine = EmbeddedEngine(LONG)
    generated(engine, prompt_of(6))
    assert LONG.config._attn_implementation == "sdpa"
    assert not any("forward" in part.__dict__ for part in LONG.modules())


def test_seeds_matter_and_no_seed_draws_from_the_engine_s_own() -> None:
    prompt = prompt_of(6)
    one = generated(EmbeddedEngine(PLAIN), prompt, seed=1, max_tokens=20)
    assert generated(EmbeddedEngine(PLAIN), prompt, seed=1, max_tokens=20).token_ids == one.token_ids
    assert generated(EmbeddedEngine(PLAIN), prompt, seed=2, max_tokens=20).token_ids != one.token_ids
    unseeded = [generated(EmbeddedEngine(PLAIN, seed=s), prompt, seed=None, max_tokens=20).token_ids for s in (0, 0, 1)]
    assert unseeded[0] == unseeded[1] != unseeded[2]


@torch.inference_mode()
def test_greedy_is_the_greedy_of_transformers() -> None:
    for salt in range(3):
        prompt = prompt_of(5 + salt, salt)
        expected = PLAIN.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=20)[0, len(prompt) :].tolist()
        assert generated(EmbeddedEngine(PLAIN), prompt, temperature=0.0, max_tokens=20).token_ids == expected


def test_sampling_follows_the_distribution() -> None:
    """4,000 draws of one token; the total variation distance to the model's distribution is below its 5-sigma bound."""
    prompt, count = prompt_of(6), 4000

    async def draw() -> list[int]:
        engine = EmbeddedEngine(PLAIN, max_sessions=500)
        tokens: list[int] = []
        for part in range(0, count, 500):
            asked = [
                engine.generate(Prompt(prompt), sampling(max_tokens=1, seed=part + i), session=f"{i}")
                for i in range(500)
            ]
            tokens += [completion.token_ids[0] for completion in await asyncio.gather(*asked)]
            for i in range(500):
                engine.release(f"{i}")
        return tokens

    with torch.inference_mode():
        expected = PLAIN(input_ids=torch.tensor([prompt])).logits[0, -1].softmax(-1)
    found = torch.bincount(torch.tensor(run(draw)), minlength=37) / count
    bound = 0.5 * (expected * (1 - expected) / count).sqrt().sum() * 2
    assert float((found - expected).abs().sum() / 2) < float(bound)


def test_a_stop_token_ends_a_completion_and_is_part_of_it() -> None:
    prompt = prompt_of(6)
    free = generated(EmbeddedEngine(PLAIN), prompt, max_tokens=20)
    stop = free.token_ids[3]
    first = free.token_ids.index(stop)
    stopped = generated(EmbeddedEngine(PLAIN), prompt, max_tokens=20, stop_token_ids=(stop,))
    assert stopped.token_ids == free.token_ids[: first + 1]
    assert (free.finish_reason, stopped.finish_reason) == ("length", "stop")
    assert len(stopped.logprobs) == len(stopped.policy_versions) == len(stopped.token_ids)


def test_a_turn_pays_for_its_new_tokens_only() -> None:
    engine = EmbeddedEngine(PLAIN)
    ids, replies = run(lambda: conversation(engine, "s", [20, 10, 10, 10]))
    # A reply's last token was sampled but not yet computed: it is prefilled with the text after it.
    assert engine.new_tokens == 20 + 3 * 11
    assert engine.prefill_tokens == 24 + 3 * 16  # in eights; the prompt's last token is computed by itself
    assert engine.sampled_tokens == sum(len(completion.token_ids) for _, completion in replies)
    assert len(ids) == 50 + engine.sampled_tokens


def test_padding_beyond_eights_costs_at_most_a_tenth() -> None:
    engine = EmbeddedEngine(PLAIN)

    async def crowd() -> None:
        lengths = [[3 + (i * 7) % 60, 2 + (i * 5) % 20, 4] for i in range(40)]
        await asyncio.gather(*(conversation(engine, f"s{i}", turns, 1.0, i) for i, turns in enumerate(lengths)))

    run(crowd)
    assert engine.new_tokens > 1000
    in_eights = sum(-(-new // 8) * 8 for i in range(40) for new in (2 + i * 7 % 60, 3 + i * 5 % 20, 5))
    assert 1 <= engine.prefill_tokens / in_eights <= 1.1


def test_cancelling_frees_the_request_and_leaves_the_others_alone() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN, max_sessions=2)
        kept = asyncio.ensure_future(engine.generate(Prompt(prompt_of(5)), sampling(max_tokens=60), session="kept"))
        dropped = asyncio.ensure_future(
            engine.generate(Prompt(prompt_of(9)), sampling(max_tokens=200), session="dropped")
        )
        waiting = asyncio.ensure_future(engine.generate(Prompt(prompt_of(3)), sampling(), session="waiting"))
        while engine.sampled_tokens < 10:
            await asyncio.sleep(0)
        dropped.cancel()
        await asyncio.sleep(0)
        engine.release("dropped")
        assert (await waiting).token_ids == generated_alone(prompt_of(3))
        completion = await kept
        assert completion.logprobs == pytest.approx(
            logprobs_of(PLAIN, prompt_of(5) + completion.token_ids)[4:], abs=1e-5
        )
        assert engine.sampled_tokens < 200
        with pytest.raises(asyncio.CancelledError):
            await dropped

    alone = generated(EmbeddedEngine(PLAIN), prompt_of(3)).token_ids

    def generated_alone(_: Sequence[int]) -> list[int]:
        return alone

    run(main)


def test_new_weights_drop_what_was_computed_and_stamp_their_version() -> None:
    model = tiny_model(seed=1)

    async def main() -> tuple[list[int], list[tuple[int, Completion]]]:
        engine = EmbeddedEngine(model)
        ids, first = await conversation(engine, "s", [10])
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.9)
        await engine.update_weights(5, weights_of(model))
        ids = ids + prompt_of(4)
        again = await engine.generate(Prompt(ids), sampling(), session="s")
        return ids + again.token_ids, [*first, (len(ids), again)]

    ids, ((_, before), (where, after)) = run(main)
    assert set(before.policy_versions) == {0}
    assert set(after.policy_versions) == {5}
    assert after.logprobs == pytest.approx(logprobs_of(model, ids)[where - 1 :], abs=1e-5)


def test_weights_that_change_in_flight() -> None:
    """Tokens before the change are the old policy's, those after it the new one's on a recomputed context."""
    model, old = tiny_model(seed=1), tiny_model(seed=1)

    async def main() -> Completion:
        engine = EmbeddedEngine(model)
        pending = asyncio.ensure_future(engine.generate(Prompt(prompt_of(6)), sampling(max_tokens=30), session="s"))
        while engine.sampled_tokens < 10:
            await asyncio.sleep(0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.9)
        await engine.update_weights(1, weights_of(model))
        return await pending

    completion: Completion = run(main)
    versions = completion.policy_versions
    assert versions == sorted(versions)
    assert set(versions) == {0, 1}
    cut, ids = versions.index(1), prompt_of(6) + completion.token_ids
    assert completion.logprobs[:cut] == pytest.approx(logprobs_of(old, ids)[5 : 5 + cut], abs=1e-5)
    assert completion.logprobs[cut:] == pytest.approx(logprobs_of(model, ids)[5 + cut :], abs=1e-5)


def test_score_is_the_model_s() -> None:
    engine, ids = EmbeddedEngine(PLAIN), prompt_of(12)
    assert run(lambda: engine.score(Prompt(ids))) == pytest.approx([0.0, *logprobs_of(PLAIN, ids)], abs=1e-5)


def test_asking_twice_for_the_same_prompt() -> None:
    """As a search does that samples several replies to one observation in one session."""
    engine = EmbeddedEngine(PLAIN)
    first = generated(engine, prompt_of(6), max_tokens=1)
    again = generated(engine, prompt_of(6), max_tokens=1)
    assert again.token_ids == first.token_ids
    assert again.logprobs == pytest.approx(first.logprobs, abs=1e-5)


def test_two_requests_of_one_session_at_once_are_refused() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN)
        one = asyncio.ensure_future(engine.generate(Prompt(prompt_of(6)), sampling(), session="s"))
        await asyncio.sleep(0)
        with pytest.raises(EngineError, match='session "s" is still generating'):
            await engine.generate(Prompt(prompt_of(6)), sampling(), session="s")
        assert len((await one).token_ids) == 8

    run(main)


def test_tokens_that_do_not_extend_their_session_are_refused() -> None:
    engine = EmbeddedEngine(PLAIN)
    generated(engine, prompt_of(6))
    with pytest.raises(EngineError, match='do not extend those of session "s"'):
        generated(engine, [9, *prompt_of(8)[1:]])
    engine.release("s")
    assert generated(engine, [9, *prompt_of(8)[1:]]).token_ids


@pytest.mark.parametrize(("length", "new", "fits"), [(24, 8, True), (25, 8, False), (0, 8, False), (5, 0, False)])
def test_the_context_is_kept(length: int, new: int, fits: bool) -> None:
    engine = EmbeddedEngine(PLAIN, max_context=32)
    if fits:
        completion = generated(engine, prompt_of(length), max_tokens=new)
        ids = prompt_of(length) + completion.token_ids
        assert completion.logprobs == pytest.approx(logprobs_of(PLAIN, ids)[length - 1 :], abs=1e-5)
    else:
        with pytest.raises(EngineError, match=rf"{length} prompt tokens and {new} new ones .* context of 32"):
            generated(engine, prompt_of(length), max_tokens=new)


def test_sessions_at_the_end_of_the_context_beside_short_ones() -> None:
    async def main() -> list[Completion]:
        engine = EmbeddedEngine(PLAIN, max_context=32)
        lengths = [24, 3, 24, 11]
        asked = [engine.generate(Prompt(prompt_of(n, n)), sampling(), session=f"{i}") for i, n in enumerate(lengths)]
        return await asyncio.gather(*asked)

    for n, completion in zip([24, 3, 24, 11], run(main), strict=True):
        expected = logprobs_of(PLAIN, prompt_of(n, n) + completion.token_ids)[n - 1 :]
        assert completion.logprobs == pytest.approx(expected, abs=1e-5)


def test_a_context_longer_than_the_model_s_is_refused() -> None:
    assert EmbeddedEngine(PLAIN).max_context == 256
    with pytest.raises(ConfigError, match=r"engine\.max_context is 300, the model was made for 256 at most"):
        EmbeddedEngine(PLAIN, max_context=300)


def test_layers_with_other_state_are_refused() -> None:
    model = tiny_model()
    model.config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(ConfigError, match="found layers of linear_attention; use --engine vllm"):
        EmbeddedEngine(model)


def test_a_stateful_model_is_refused_whatever_its_layers_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    monkeypatch.setattr(type(model), "_is_stateful", True)
    with pytest.raises(ConfigError, match="found a Qwen2ForCausalLM, which keeps other state"):
        EmbeddedEngine(model)


def test_a_kernel_that_takes_no_mask_is_refused() -> None:
    model = tiny_model()
    model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ConfigError, match='needs the attention kernel "sdpa" or "eager", found "flash_attention_2"'):
        EmbeddedEngine(model)


def test_a_failing_forward_reaches_every_request_and_the_engine_lives_on() -> None:
    model = tiny_model()

    async def main() -> None:
        engine = EmbeddedEngine(model)
        forward = model.forward
        model.forward = lambda *_, **__: (_ for _ in ()).throw(MemoryError("full"))
        both = [engine.generate(Prompt(prompt_of(4)), sampling(), session=s) for s in "ab"]
        results = await asyncio.gather(*both, return_exceptions=True)
        assert [type(result) for result in results] == [EngineError, EngineError]
        assert "MemoryError: full" in str(results[0])
        model.forward = forward
        assert (await engine.generate(Prompt(prompt_of(4)), sampling(), session="c")).token_ids

    run(main)


def test_weights_that_are_not_numbers_are_told() -> None:
    model = tiny_model()
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(EngineError, match="not finite"):
        generated(EmbeddedEngine(model), prompt_of(4))


def test_tied_and_untied_heads_and_grouped_keys() -> None:
    for changes in ({"tie_word_embeddings": False}, {"num_key_value_heads": 4}, {"num_key_value_heads": 1}):
        model = tiny_model(**changes)
        completion = generated(EmbeddedEngine(model), prompt_of(9))
        assert completion.logprobs == pytest.approx(
            logprobs_of(model, prompt_of(9) + completion.token_ids)[8:], abs=1e-5
        )


def test_the_config_classes_are_the_ones_meant() -> None:
    assert isinstance(PLAIN, Qwen2ForCausalLM)
    assert isinstance(mixed_window_model().config, Qwen2Config)
    assert mixed_window_model().config.layer_types == ["full_attention", "sliding_attention"]


def test_a_lonely_session_among_many_idle_ones_and_slots_that_grow() -> None:
    """Reads scattered slots, and goes past the 128 tokens that a slot has at first."""

    async def main() -> list[tuple[list[int], list[tuple[int, Completion]]]]:
        engine = EmbeddedEngine(PLAIN)
        for i in range(11):
            await conversation(engine, f"idle{i}", [5], salt=i)
        lonely = await conversation(engine, "lonely", [100, 60, 40])
        ids = prompt_of(5, 3) + (await conversation(EmbeddedEngine(PLAIN), "other", [5], salt=3))[0][5:]
        again = await engine.generate(Prompt([*ids, 1, 2]), sampling(), session="idle3")
        return [lonely, ([*ids, 1, 2, *again.token_ids], [(len(ids) + 2, again)])]

    for ids, replies in run(main):
        expected = logprobs_of(PLAIN, ids)
        for where, completion in replies:
            found = expected[where - 1 : where - 1 + len(completion.token_ids)]
            assert completion.logprobs == pytest.approx(found, abs=1e-5)


def test_a_copy_follows_what_it_is_given_and_nothing_else() -> None:
    model, ids = tiny_model(seed=1), prompt_of(12)

    async def main() -> list[list[float]]:
        engine = EmbeddedEngine(model, own_copy=True)
        found = [await engine.score(Prompt(ids))]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.9)
        found.append(await engine.score(Prompt(ids)))
        await engine.update_weights(1, weights_of(model))
        found.append(await engine.score(Prompt(ids)))
        return found

    first, unchanged, last = run(main)
    assert unchanged == first
    assert last == pytest.approx([0.0, *logprobs_of(model, ids)], abs=1e-5)
    assert last != pytest.approx(first, abs=1e-2)


@pytest.mark.parametrize(("own", "other"), [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)])
def test_it_may_compute_in_another_type_than_its_model(own: torch.dtype, other: torch.dtype) -> None:
    """Its log-probabilities differ from the model's by what bfloat16 rounds, before and after an update."""
    model, ids = clone(tiny_model(seed=1, initializer_range=0.1), dtype=own), prompt_of(12)

    async def main() -> list[list[float]]:
        engine = EmbeddedEngine(model, dtype=str(other).removeprefix("torch."))  # type: ignore[arg-type]
        found = [await engine.score(Prompt(ids))]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.5)
        await engine.update_weights(1, weights_of(model))
        said = await engine.generate(Prompt(ids), sampling(), session="s")
        return [*found, await engine.score(Prompt([*ids, *said.token_ids])), [*ids, *said.token_ids], said.logprobs]

    whole = tiny_model(seed=1, initializer_range=0.1)
    before, after, said, logprobs = run(main)
    assert model.dtype == own
    assert 1e-5 < max(map(abs, np.subtract(before[1:], logprobs_of(whole, ids)))) < 0.05
    assert 1e-5 < max(map(abs, np.subtract(after[1:], logprobs_of(model, said)))) < 0.2
    assert logprobs == pytest.approx(after[12:], abs=0.2)
    assert np.abs(np.subtract(before, after[:12])).max() > 0.3


def test_its_own_type_is_no_reason_for_a_copy() -> None:
    assert EmbeddedEngine(PLAIN, dtype="float32")._forward.module is PLAIN
    assert EmbeddedEngine(PLAIN, dtype="bfloat16")._forward.module is not PLAIN


def test_a_fork_goes_on_from_what_was_computed() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN, max_sessions=3)
        ids = prompt_of(20)
        first = await engine.generate(Prompt(ids), sampling(), session="trunk")
        ids = [*ids, *first.token_ids, 1, 2]
        await engine.fork("trunk", "branch")
        computed = engine.prefill_tokens
        await engine.generate(Prompt([*ids, 3]), sampling(max_tokens=30, seed=5), session="trunk")
        said = await engine.generate(Prompt(ids), sampling(seed=6), session="branch")
        assert engine.prefill_tokens - computed == 8 + 8  # 1 + 2 + 1 and 1 + 2, in eights
        alone = await EmbeddedEngine(PLAIN).generate(Prompt(ids), sampling(seed=6), session="s")
        assert said.token_ids == alone.token_ids
        assert said.logprobs == pytest.approx(alone.logprobs, abs=1e-5)
        await engine.fork("nobody", "new")
        await engine.fork("branch", "leaf")
        with pytest.raises(EngineError, match='session "trunk" is there already; fork into a new one'):
            await engine.fork("branch", "trunk")
        engine.release("new")
        await engine.update_weights(1, [])  # what was copied was computed with older weights
        computed = engine.prefill_tokens
        await engine.generate(Prompt(ids), sampling(), session="leaf")
        assert len(ids) == 30
        assert engine.prefill_tokens - computed == 32

    run(main)


@pytest.mark.parametrize("one_size", [False, True])
@pytest.mark.parametrize("slots", [9, 3])
def test_forks_that_are_asked_the_same_compute_it_once_and_draw_each_for_itself(
    slots: int, one_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit what each of them says alone, also where there is a slot for two of them only."""
    monkeypatch.setattr("agentgym.actors.embedded.forward.is_alone", lambda _: not one_size)
    seeds: list[dict[str, Any]] = [
        {"seed": 1},
        {"seed": 2},
        {"seed": 3, "temperature": 0.7},
        {"seed": 1},
        {"seed": 4, "top_k": 3},
    ]

    async def said(slots: int, some: Sequence[int]) -> tuple[dict[int, Completion], int]:
        engine, ids = EmbeddedEngine(LONG, max_sessions=slots), prompt_of(70)
        ids += (await engine.generate(Prompt(ids), sampling(), session="trunk")).token_ids
        ids += prompt_of(13)
        for i in some:
            await engine.fork("trunk", f"{i}")
        before = engine.prefill_tokens

        async def one(i: int) -> Completion:
            found = await engine.generate(Prompt(ids), sampling(**seeds[i]), session=f"{i}")
            engine.release(f"{i}")
            return found

        found = await asyncio.gather(*map(one, some))
        return dict(zip(some, found, strict=True)), engine.prefill_tokens - before

    together, computed = run(lambda: said(slots, range(5)))
    if slots == 9:
        assert computed == 16  # what was said last and 13 more, in eights, and not five times
    assert together == {i: run(functools.partial(said, 9, [i]))[0][i] for i in range(5)}
    assert together[0] == together[3]
    assert len({tuple(one.token_ids) for one in together.values()}) > 2


@pytest.mark.parametrize("one_size", [False, True])
def test_a_fork_that_is_asked_later_what_another_was_asked_computes_nothing(
    one_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says to the bit what it says alone, while the other is kept and the weights are the same."""
    monkeypatch.setattr("agentgym.actors.embedded.forward.is_alone", lambda _: not one_size)

    async def said(*steps: str) -> tuple[list[Completion], list[int]]:
        engine, ids, found = EmbeddedEngine(LONG, max_sessions=9), prompt_of(70), list[Completion]()
        opening = list(ids)
        ids += (await engine.generate(Prompt(ids), sampling(), session="trunk")).token_ids
        ids += prompt_of(13)
        computed = [engine.prefill_tokens]
        for step in steps:
            if step == "new weights":
                await engine.update_weights(1, ())
                engine.release("trunk")
                await engine.generate(Prompt(opening), sampling(), session="trunk")  # in the same pieces
            elif step == "first is gone":
                engine.release("1")
            else:
                await engine.fork("trunk", step)
                found.append(await engine.generate(Prompt(ids), sampling(seed=int(step)), session=step))
                engine.park(step)
            computed.append(engine.prefill_tokens)
        return found, [after - before for before, after in itertools.pairwise(computed)]

    alone = {step: run(functools.partial(said, step)) for step in "123"}
    assert alone["1"][1] == [16]
    found, computed = run(lambda: said("1", "2", "3"))
    assert computed == [16, 0, 0]
    assert found == [alone[step][0][0] for step in "123"]
    assert len({tuple(one.token_ids) for one in found}) == 3
    assert run(lambda: said("1", "first is gone", "2")) == ([alone["1"][0][0], alone["2"][0][0]], [16, 0, 16])
    assert run(lambda: said("1", "new weights", "2"))[1] == [16, 72, 16]


def test_forks_whose_past_was_computed_in_other_pieces_are_no_twins() -> None:
    """Each says to the bit what it says alone: sums are rounded as they were split."""

    async def said(*trunks: str) -> tuple[list[Completion], int]:
        engine, ids = EmbeddedEngine(LONG, max_sessions=9), prompt_of(70)
        reply = (await engine.generate(Prompt(ids), sampling(), session="token by token")).token_ids
        await engine.generate(Prompt(ids + reply[:-1]), sampling(max_tokens=1), session="at once")
        for trunk in trunks:
            await engine.fork(trunk, f"after {trunk}")
        before, ids = engine.prefill_tokens, ids + reply + prompt_of(13)
        asked = (engine.generate(Prompt(ids), sampling(), session=f"after {trunk}") for trunk in trunks)
        return await asyncio.gather(*asked), engine.prefill_tokens - before

    found, computed = run(lambda: said("token by token", "at once"))
    assert computed == 16 + 16
    assert found == [run(functools.partial(said, trunk))[0][0] for trunk in ("token by token", "at once")]


def test_forks_that_are_asked_something_else_are_no_twins() -> None:
    async def said(names: Sequence[str]) -> list[Completion]:
        engine, ids = EmbeddedEngine(LONG, max_sessions=9), prompt_of(30)
        ids += (await engine.generate(Prompt(ids), sampling(), session="trunk")).token_ids
        for name in names:
            await engine.fork("trunk", name)
        asked = (engine.generate(Prompt(ids + prompt_of(9, int(name))), sampling(), session=name) for name in names)
        return await asyncio.gather(*asked)

    assert run(lambda: said("456")) == [run(functools.partial(said, name))[0] for name in "456"]


def test_a_fork_takes_the_slot_of_what_is_parked_for_the_longest_time() -> None:
    """Whoever loses it is computed anew in the pieces that it was computed in."""

    async def go(slots: int) -> tuple[list[Completion], int]:
        engine, texts = (
            EmbeddedEngine(LONG, max_sessions=slots),
            {name: prompt_of(20, i) for i, name in enumerate("abc")},
        )
        for name, ids in texts.items():
            ids += (await engine.generate(Prompt(ids), sampling(seed=len(name)), session=name)).token_ids
            engine.park(name)
        await engine.fork("a", "a too")
        engine.release("a too")
        await engine.fork("c", "d")  # of three slots that of b
        before = engine.prefill_tokens
        found = [await engine.generate(Prompt([*texts["c"], 5]), sampling(), session="d")]
        found.append(await engine.generate(Prompt([*texts["a"], 5]), sampling(), session="a"))
        computed = engine.prefill_tokens - before
        engine.release("a")
        await engine.fork("b", "e")
        for name in "be":
            found.append(await engine.generate(Prompt([*texts["b"], 5]), sampling(seed=9), session=name))
        return found, computed

    few, many = run(lambda: go(3)), run(lambda: go(9))
    assert few == many
    assert many[1] == 8 + 8


def test_a_fork_that_nobody_asked_yet_keeps_no_slot_from_others() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(PLAIN, max_sessions=2)
        ids = prompt_of(6)
        first = await engine.generate(Prompt(ids), sampling(), session="trunk")
        await engine.fork("trunk", "branch")
        await engine.fork("trunk", "no room")
        await engine.generate(Prompt(prompt_of(4)), sampling(), session="other")
        engine.release("other")
        ids = [*ids, *first.token_ids, 1]
        said = await engine.generate(Prompt(ids), sampling(seed=6), session="branch")
        assert (
            said.token_ids
            == (await EmbeddedEngine(PLAIN).generate(Prompt(ids), sampling(seed=6), session="s")).token_ids
        )

    run(main)


def test_an_opening_that_several_sessions_have_is_computed_once() -> None:
    async def completions(engine: EmbeddedEngine, prompts: Sequence[Sequence[int]], part: str) -> list[Completion]:
        asked = (engine.generate(Prompt(ids), sampling(seed=i), session=f"{part}{i}") for i, ids in enumerate(prompts))
        return await asyncio.gather(*asked)

    async def main() -> None:
        prompts = [*[prompt_of(30)] * 5, *[prompt_of(20, 7)] * 3, [4], [4]]
        alone = await completions(EmbeddedEngine(PLAIN), prompts, "")
        engine = EmbeddedEngine(PLAIN, share_openings=True)
        for part in "ab":  # those who come later find it too
            found = await completions(engine, prompts, part)
            assert [one.token_ids for one in found] == [one.token_ids for one in alone]
            for one, other in zip(found, alone, strict=True):
                assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
        assert engine.prefill_tokens == 32 + 24  # 29 and 19, in eights: the last is computed by itself

    run(main)


def test_rows_that_advance_together_have_each_their_own_number_of_keys() -> None:
    """Slots 0 to 4 hold 10, 100, nobody's, 101 and 600 tokens after the pass: 64, 128 and 1,024 keys."""
    forward = Forward(LONG, max_context=None, num_slots=5, own_copy=False)
    rows = [Row(slot, end - 1, [3], sampling(), 0.5) for slot, end in ((0, 10), (1, 100), (3, 101), (4, 600))]
    assert forward._parts(rows, range(5)) == [(slice(0, 1), 64), (slice(1, 4), 128), (slice(4, 5), 1024)]
    assert forward._parts(rows[1:2], [2, 1, 1]) == [(slice(0, 3), 128)]
