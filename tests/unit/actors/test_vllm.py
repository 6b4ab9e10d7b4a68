"""The vLLM engine against the module itself: the same numbers, whatever changes under way."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Literal

import pytest
import torch

from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import EngineError
from agentgym.weights import weights_of
from tests.kit import one_thread as one_thread
from tests.kit import tiny_model

pytestmark = pytest.mark.vllm

CLOSE = 1e-5
"""Largest difference of two log-probabilities that are the same but for rounding in float32."""

TOKENS = 37


def model(**changes: Any) -> Any:
    """The tiny model with heads of a size that vLLM's CPU kernels have."""
    return tiny_model(
        **{
            "hidden_size": 64,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "initializer_range": 0.1,
            "max_position_embeddings": 512,
            "num_hidden_layers": 4,
            **changes,
        }
    )


def adapted() -> Any:
    """The tiny model with a LoRA adapter on its linear layers, which does something from the start."""
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    module = get_peft_model(model(), lora).eval()
    perturb(module, 0)
    return module


@torch.no_grad()
def perturb(module: Any, seed: int, size: float = 0.02) -> None:
    """Move every trainable parameter, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter += size * torch.randn(parameter.shape, generator=generator)


@torch.inference_mode()
def logprobs_of(module: Any, ids: Sequence[int], temperature: float = 1.0) -> list[float]:
    """Straight from the module: log-probability of every token but the first."""
    table = (module(input_ids=torch.tensor([list(ids)])).logits[0, :-1] / temperature).log_softmax(-1)
    return [float(table[i, token]) for i, token in enumerate(ids[1:])]


def prompt_of(length: int, salt: int = 0) -> list[int]:
    return [(7 * i + 3 * i * i + salt) % TOKENS for i in range(length)]


def sampling(**changes: Any) -> Sampling:
    return Sampling(**{"max_tokens": 8, **changes})


def run(main: Callable[[], Awaitable[Any]], timeout: float = 300.0) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(main(), timeout)

    return asyncio.run(limited())


def generated(engine: Any, prompt: Sequence[int], session: str | None = None, **changes: Any) -> Completion:
    name = session or f"lonely {next(NAMES)}"
    completion: Completion = run(lambda: engine.generate(Prompt(prompt), sampling(**changes), session=name))
    if session is None:
        engine.release(name)
    return completion


NAMES = iter(range(10**9))


async def under_way(
    engine: Any, num_tokens: int, asked: Sequence[asyncio.Future[Any]], at_least: int | None = None
) -> None:
    """Stop the engine when all completions, or ``at_least`` some, have so many tokens: speed then has no say."""
    server, num = engine._server, len(asked) if at_least is None else at_least
    while server.num_running < len(asked) or sum(sampled >= num_tokens for sampled in server.num_sampled) < num:
        assert not any(task.done() for task in asked), "one was over before it was looked at"
        await asyncio.sleep(0.001)
    await engine._server.call(engine._server._core.llm.pause_generation(mode="keep", clear_cache=False))
    assert not any(task.done() for task in asked), "one was over before the engine stopped"


async def begun(
    engine: Any, num_tokens: int, ask: Callable[[], list[asyncio.Future[Completion]]], at_least: int | None = None
) -> list[asyncio.Future[Completion]]:
    """What ``ask`` asks for, ``under_way``; asked again where a small model is done before a busy machine looks."""
    for left in reversed(range(10)):
        asked = ask()
        try:
            await under_way(engine, num_tokens, asked, at_least)
            break
        except AssertionError:
            if not left:
                raise
            await go_on(engine)
            await asyncio.gather(*asked)
            for session in list(engine._sessions):
                engine.release(session)
    return asked


async def go_on(engine: Any) -> None:
    """After ``under_way``; an update lets the engine go on by itself, except that of an adapter."""
    await engine._server.call(engine._server._core.llm.resume_generation())


def assert_parity(engine: Any, salt: int = 0, version: int | None = None) -> None:
    """What is sampled and what is scored now has the module's log-probabilities, and the version's name."""
    prompt = prompt_of(40, salt)
    completion = generated(engine, prompt, max_tokens=12)
    ids = prompt + completion.token_ids
    expected = logprobs_of(engine.module, ids)
    assert completion.logprobs == pytest.approx(expected[len(prompt) - 1 :], abs=CLOSE)
    assert run(lambda: engine.score(Prompt(ids))) == pytest.approx([0.0, *expected], abs=CLOSE)
    assert set(completion.policy_versions) == {engine.policy_version if version is None else version}


async def publish(engine: Any, version: int) -> None:
    """Make the module's weights live."""
    await engine.update_weights(version, weights_of(engine.module))


def started(module: Any, **options: Any) -> Iterator[Any]:
    from agentgym.actors.vllm.engine import VLLMEngine

    engine: Any = VLLMEngine(module, **options)
    run(engine.start)
    engine.module = module
    yield engine
    run(engine.close)


@pytest.fixture(scope="module")
def tied() -> Iterator[Any]:
    yield from started(model())


@pytest.fixture(scope="module")
def untied() -> Iterator[Any]:
    yield from started(model(tie_word_embeddings=False), kv_cache_gib=0.1, max_context=128, max_sessions=2)


@pytest.fixture(scope="module")
def lora() -> Iterator[Any]:
    yield from started(adapted())


@pytest.fixture
def set_mode() -> Iterator[Callable[[Any, Literal["keep", "wait", "abort"]], None]]:
    """Changes how an engine updates, for one test: starting another engine takes half a minute."""
    changed: list[tuple[Any, Any]] = []

    def change(engine: Any, mode: Literal["keep", "wait", "abort"]) -> None:
        changed.append((engine, engine._updater.mode))
        engine._updater.mode = mode

    yield change
    for engine, mode in reversed(changed):
        engine._updater.mode = mode


@pytest.mark.parametrize("kind", ["tied", pytest.param("untied", marks=pytest.mark.nightly), "lora"])
def test_parity_with_the_module_after_each_of_20_updates(kind: str, request: pytest.FixtureRequest) -> None:
    engine = request.getfixturevalue(kind)
    assert_parity(engine)
    first = engine.policy_version
    for version in range(first + 1, first + 21):
        perturb(engine.module, version)
        run(functools.partial(publish, engine, version))
        assert engine.policy_version == version
        assert_parity(engine, salt=version % 3)


def test_weights_that_were_not_published_are_found_out(tied: Any) -> None:
    """The oracle of the tests above can fail: an engine one version behind differs by far more than rounding."""
    ids = prompt_of(40)
    before = logprobs_of(tied.module, ids)
    perturb(tied.module, 7, size=0.01)
    scored, now = run(lambda: tied.score(Prompt(ids)))[1:], logprobs_of(tied.module, ids)
    assert scored == pytest.approx(before, abs=CLOSE)
    assert max(abs(a - b) for a, b in zip(scored, now, strict=True)) > 100 * CLOSE
    run(lambda: publish(tied, tied.policy_version + 1))
    assert_parity(tied)


def test_a_temperature_is_in_the_logprobs_and_not_in_the_score(tied: Any) -> None:
    prompt = prompt_of(9)
    completion = generated(tied, prompt, temperature=0.5, max_tokens=20)
    ids = prompt + completion.token_ids
    assert completion.logprobs == pytest.approx(logprobs_of(tied.module, ids, 0.5)[8:], abs=CLOSE)
    assert run(lambda: tied.score(Prompt(ids)))[9:] == pytest.approx(logprobs_of(tied.module, ids)[8:], abs=CLOSE)


@torch.inference_mode()
def test_temperature_0_is_the_greedy_of_transformers(tied: Any) -> None:
    prompt = prompt_of(7)
    expected = tied.module.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=20)[0, 7:].tolist()
    completion = generated(tied, prompt, temperature=0.0, max_tokens=20)
    assert completion.token_ids == expected
    assert completion.logprobs == pytest.approx(logprobs_of(tied.module, prompt + expected)[6:], abs=CLOSE)


@pytest.mark.parametrize("kept", [{"top_k": 3}, {"top_p": 0.3}, {"min_p": 0.5}])
def test_what_is_not_kept_is_not_sampled(tied: Any, kept: dict[str, Any]) -> None:
    from agentgym.actors.embedded.sampling import truncated

    prompt = prompt_of(6)
    with torch.inference_mode():
        table = tied.module(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
    expected = truncated(table, sampling(**kept))
    for _ in range(10):
        completion = generated(tied, prompt, max_tokens=1, **kept)
        assert completion.logprobs == pytest.approx([float(expected[completion.token_ids[0]])], abs=CLOSE)


def test_a_stop_token_ends_a_completion_and_is_part_of_it(tied: Any) -> None:
    stops = tuple(range(0, TOKENS, 4))
    completion = generated(tied, prompt_of(6), max_tokens=100, stop_token_ids=stops)
    assert completion.finish_reason == "stop"
    assert completion.token_ids[-1] in stops
    assert not set(completion.token_ids[:-1]) & set(stops)
    assert len(completion.token_ids) == len(completion.logprobs) == len(completion.policy_versions)
    assert generated(tied, prompt_of(6), max_tokens=5).finish_reason == "length"


def test_sampling_follows_the_distribution(tied: Any) -> None:
    """2,000 draws of one token; the total variation distance to the model's distribution is below its 5-sigma bound."""
    prompt, count = prompt_of(6), 2000

    async def draw() -> list[int]:
        asked = [tied.generate(Prompt(prompt), sampling(max_tokens=1), session=f"{i}") for i in range(count)]
        return [completion.token_ids[0] for completion in await asyncio.gather(*asked)]

    with torch.inference_mode():
        expected = tied.module(input_ids=torch.tensor([prompt])).logits[0, -1].softmax(-1)
    found = torch.bincount(torch.tensor(run(draw)), minlength=TOKENS) / count
    bound = 0.5 * (expected * (1 - expected) / count).sqrt().sum() * 2
    assert float((found - expected).abs().sum() / 2) < float(bound)
    for i in range(count):
        tied.release(f"{i}")


def test_a_turn_computes_its_new_tokens_and_the_rest_of_a_block(tied: Any) -> None:
    """The prefix cache knows whole blocks of 32: a turn computes at most 31 known tokens again."""
    before = tied.prefill_tokens, tied.new_tokens
    ids, turns = [3, 1, 4], 5
    for turn in range(turns):
        ids += prompt_of(40, turn)
        ids += generated(tied, ids, "conversation", max_tokens=4).token_ids
    prefilled, new = tied.prefill_tokens - before[0], tied.new_tokens - before[1]
    assert new == 3 + 40 + (turns - 1) * 41
    assert new <= prefilled <= new + 31 * turns
    tied.release("conversation")


def test_nothing_computed_with_old_weights_is_found_again(tied: Any) -> None:
    prompt = prompt_of(100)
    generated(tied, prompt, "cached")
    perturb(tied.module, 11)
    run(lambda: publish(tied, tied.policy_version + 1))
    before = tied.prefill_tokens
    completion = generated(tied, prompt, "cached")
    assert tied.prefill_tokens - before == 100
    assert completion.logprobs == pytest.approx(logprobs_of(tied.module, prompt + completion.token_ids)[99:], abs=CLOSE)
    tied.release("cached")


async def crossing(engine: Any, seed: int, num: int = 3) -> tuple[list[Completion], Any, int]:
    """Completions that are under way while weights change; (they, the module's state before, the old version)."""
    old = engine.policy_version
    state = {name: tensor.clone() for name, tensor in engine.module.state_dict().items()}
    perturb(engine.module, seed)
    asked = await begun(
        engine,
        10,
        lambda: [
            asyncio.ensure_future(engine.generate(Prompt(prompt_of(33, i)), sampling(max_tokens=450), session=f"x{i}"))
            for i in range(num)
        ],
    )
    await publish(engine, old + 1)
    await go_on(engine)
    completions = await asyncio.gather(*asked)
    for i in range(num):
        engine.release(f"x{i}")
    return completions, state, old


def before_and_after(engine: Any, state: Any, ids: list[int]) -> tuple[list[float], list[float]]:
    """Log-probabilities by the module as it was and as it is."""
    after = logprobs_of(engine.module, ids)
    now = {name: tensor.clone() for name, tensor in engine.module.state_dict().items()}
    engine.module.load_state_dict(state)
    before = logprobs_of(engine.module, ids)
    engine.module.load_state_dict(now)
    return before, after


@pytest.mark.parametrize("mode", ["keep", "abort"])
def test_completions_that_cross_an_update_keep_their_tokens(
    tied: Any, mode: Literal["keep", "abort"], set_mode: Any
) -> None:
    """Tokens before it are the old policy's, those after it the new one's on a recomputed context, each by its name."""
    set_mode(tied, mode)
    completions, state, old = run(lambda: crossing(tied, seed=21))
    for i, completion in enumerate(completions):
        versions = completion.policy_versions
        assert versions == sorted(versions)
        assert set(versions) == {old, old + 1}
        assert len(versions) == len(completion.token_ids) == len(completion.logprobs) == 450
        assert completion.finish_reason == "length"
        cut = versions.index(old + 1)
        before, after = before_and_after(tied, state, prompt_of(33, i) + completion.token_ids)
        assert completion.logprobs[:cut] == pytest.approx(before[32 : 32 + cut], abs=CLOSE)
        assert completion.logprobs[cut:] == pytest.approx(after[32 + cut :], abs=CLOSE)
    assert_parity(tied)


def test_completions_that_are_waited_for_end_on_the_old_weights(tied: Any, set_mode: Any) -> None:
    set_mode(tied, "wait")
    completions, state, old = run(lambda: crossing(tied, seed=22))
    for i, completion in enumerate(completions):
        assert set(completion.policy_versions) == {old}
        before, _ = before_and_after(tied, state, prompt_of(33, i) + completion.token_ids)
        assert completion.logprobs == pytest.approx(before[32:], abs=CLOSE)
    assert_parity(tied)


def test_an_adapter_serves_those_that_began_with_it_beside_the_new_one(lora: Any) -> None:
    completions, state, old = run(lambda: crossing(lora, seed=23))
    for i, completion in enumerate(completions):
        assert set(completion.policy_versions) == {old}
        before, _ = before_and_after(lora, state, prompt_of(33, i) + completion.token_ids)
        assert completion.logprobs == pytest.approx(before[32:], abs=CLOSE)
    assert_parity(lora)
    server = lora._server

    async def forgotten() -> None:
        while await server.call(server._core.llm.list_loras()) != [server.live.number]:
            await asyncio.sleep(0.01)
        while len(list(server._directory.glob("adapter-*"))) > 1:
            await asyncio.sleep(0.01)

    run(forgotten, 10)


def test_completions_cut_off_go_on_with_the_new_adapter(lora: Any, set_mode: Any) -> None:
    set_mode(lora, "abort")
    completions, state, old = run(lambda: crossing(lora, seed=24))
    for i, completion in enumerate(completions):
        versions = completion.policy_versions
        assert set(versions) == {old, old + 1}
        cut = versions.index(old + 1)
        before, after = before_and_after(lora, state, prompt_of(33, i) + completion.token_ids)
        assert completion.logprobs[:cut] == pytest.approx(before[32 : 32 + cut], abs=CLOSE)
        assert completion.logprobs[cut:] == pytest.approx(after[32 + cut :], abs=CLOSE)


def test_cancelling_ends_the_request_and_leaves_the_others_alone(tied: Any) -> None:
    async def main() -> None:
        asked = await begun(
            tied,
            20,
            lambda: [
                asyncio.ensure_future(tied.generate(Prompt(prompt_of(5, i)), sampling(max_tokens=400), session=f"c{i}"))
                for i in range(4)
            ],
        )
        for task in asked[1:]:
            task.cancel()
        await go_on(tied)
        kept = await asked[0]
        assert len(kept.token_ids) == 400
        for task in asked[1:]:
            with pytest.raises(asyncio.CancelledError):
                await task
        assert tied._server.num_running == 0
        assert (await tied.generate(Prompt(prompt_of(5, 1)), sampling(), session="c1")).finish_reason == "length"

    run(main)
    for i in range(4):
        tied.release(f"c{i}")


def test_an_update_whose_caller_is_cancelled_is_whole(tied: Any) -> None:
    """Ctrl-C while weights are on their way."""

    async def main() -> None:
        updating = asyncio.ensure_future(publish(tied, tied.policy_version + 1))
        await asyncio.sleep(0.01)
        updating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await updating
        while tied.policy_version == version:
            await asyncio.sleep(0.001)

    version = tied.policy_version
    perturb(tied.module, 31)
    run(main)
    assert_parity(tied, version=version + 1)
    assert tied.policy_version == version + 1


@pytest.mark.parametrize(
    ("prompt", "changes", "message"),
    [
        ([], {}, "0 prompt tokens and 8 new ones were asked for; both must be at least 1 and together fit .* 512"),
        ([1] * 505, {}, "505 prompt tokens and 8 new ones"),
        ([1], {"max_tokens": 0}, "1 prompt tokens and 0 new ones"),
        ([1, TOKENS], {}, f"there is no token {TOKENS}: the model has {TOKENS}"),
        ([-1], {}, "there is no token -1"),
        ([1], {"temperature": -1.0}, "vLLM refuses to sample so: temperature must be non-negative, got -1.0"),
        ([1], {"top_p": 2.0}, "vLLM refuses to sample so: top_p"),
    ],
)
def test_what_cannot_be_asked_is_refused(tied: Any, prompt: list[int], changes: Any, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        generated(tied, prompt, **changes)


def test_what_cannot_be_scored_is_refused(tied: Any) -> None:
    assert run(lambda: tied.score(Prompt([5]))) == [0.0]
    assert len(run(lambda: tied.score(Prompt(prompt_of(512))))) == 512
    for ids, message in (([], "0 tokens"), ([1] * 513, "513 tokens .* expected 1 to 512"), ([99], "no token 99")):
        with pytest.raises(EngineError, match=message):
            run(functools.partial(tied.score, Prompt(ids)))


def test_the_whole_context_can_be_used(untied: Any) -> None:
    completion = generated(untied, prompt_of(120))
    ids = prompt_of(120) + completion.token_ids
    assert len(ids) == untied.max_context == 128
    assert completion.logprobs == pytest.approx(logprobs_of(untied.module, ids)[119:], abs=CLOSE)


def test_more_sessions_than_run_at_once_wait(untied: Any) -> None:
    async def main() -> None:
        asked = [untied.generate(Prompt(prompt_of(4, i)), sampling(), session=f"w{i}") for i in range(7)]
        assert [len(completion.token_ids) for completion in await asyncio.gather(*asked)] == [8] * 7

    run(main)


def test_sessions_are_kept_apart_and_in_order(tied: Any) -> None:
    async def main() -> None:
        one = asyncio.ensure_future(tied.generate(Prompt(prompt_of(6)), sampling(), session="s"))
        await asyncio.sleep(0)
        with pytest.raises(EngineError, match='session "s" is still generating'):
            await tied.generate(Prompt(prompt_of(6)), sampling(), session="s")
        ids = prompt_of(6) + (await one).token_ids
        with pytest.raises(EngineError, match='do not extend those of session "s"'):
            await tied.generate(Prompt([9, *ids[1:]]), sampling(), session="s")
        assert (await tied.generate(Prompt([*ids, 1, 2]), sampling(), session="s")).token_ids

    run(main)
    tied.release("s")
    tied.release("nobody")


def test_a_load_that_fails_half_way_leaves_the_old_version(tied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM has taken half of the new file when the other half does not fit: it must not be left with both."""
    from safetensors.torch import load_file, save_file

    write = tied._updater.weights.write
    prompt = prompt_of(64)
    ids = prompt + generated(tied, prompt).token_ids
    old, before = tied.policy_version, run(lambda: tied.score(Prompt(ids)))

    def broken(*given: Any, **named: Any) -> Any:
        published = write(*given, **named)
        file = published.model / "model.safetensors"
        tensors = load_file(file)
        name = sorted(tensors)[-2]
        tensors[name] = torch.zeros(3, 3)
        save_file(tensors, file, metadata={"format": "pt"})
        return published

    async def main() -> Completion:
        (asked,) = await begun(
            tied,
            10,
            lambda: [asyncio.ensure_future(tied.generate(Prompt(prompt), sampling(max_tokens=400), session="f"))],
        )
        with pytest.raises(EngineError, match=rf"version {old + 1}: .*; version {old} keeps serving"):
            await publish(tied, old + 1)
        completion: Completion = await asked
        return completion

    monkeypatch.setattr(tied._updater.weights, "write", broken)
    perturb(tied.module, 41)
    completion = run(main)
    tied.release("f")
    assert tied.policy_version == old
    assert set(completion.policy_versions) == {old}
    assert run(lambda: tied.score(Prompt(ids))) == pytest.approx(before, abs=1e-6)
    assert set(generated(tied, prompt).policy_versions) == {old}
    assert tied._server.num_restarts == 0
    monkeypatch.undo()
    run(lambda: publish(tied, old + 1))
    assert_parity(tied)


def test_seeds_and_versions_are_told(tied: Any) -> None:
    assert not tied.supports_seeds
    assert len(generated(tied, prompt_of(4), seed=3).token_ids) == 8


def test_a_second_engine_beside_the_first(tied: Any, untied: Any) -> None:
    async def both() -> list[Completion]:
        asked = [engine.generate(Prompt(prompt_of(9)), sampling(), session="b") for engine in (tied, untied)]
        return list(await asyncio.gather(*asked))

    for engine, completion in zip((tied, untied), run(both), strict=True):
        engine.release("b")
        expected = logprobs_of(engine.module, prompt_of(9) + completion.token_ids)[8:]
        assert completion.logprobs == pytest.approx(expected, abs=CLOSE)
