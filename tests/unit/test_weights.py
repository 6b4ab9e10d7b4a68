"""Weights as named tensors: each once, put where they fit, and further modules made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from agentgym.weights import blank, clone, put, tensors_of, weights_of
from tests.kit import tiny_model


def adapted(*adapters: str, **changes: Any) -> Any:
    peft = pytest.importorskip("peft", reason="needs the extra lora")
    config = peft.LoraConfig(**{"r": 4, "target_modules": ["q_proj", "down_proj"], "task_type": "CAUSAL_LM", **changes})
    module = peft.get_peft_model(tiny_model(tie_word_embeddings=False), config)
    for name in adapters:
        module.add_adapter(name, peft.LoraConfig(r=2, target_modules=["k_proj"], task_type="CAUSAL_LM"))
    if adapters:
        module.base_model.set_adapter(["default", *adapters])
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    return module.eval()


MODULES: dict[str, Callable[[], Any]] = {
    "tied": tiny_model,
    "untied": lambda: tiny_model(tie_word_embeddings=False),
    "bfloat16": lambda: tiny_model().bfloat16(),
    "float64": lambda: tiny_model().double(),
    "of two kinds": lambda: _with_one_wide_norm(tiny_model().bfloat16()),
    "being trained": lambda: tiny_model().train(),
    "lora": adapted,
    "lora, two adapters": lambda: adapted("second"),
    "lora, a whole head": lambda: adapted(modules_to_save=["lm_head"]),
}


def _with_one_wide_norm(module: Any) -> Any:
    module.model.norm.float()
    return module


def described(module: Any) -> list[Any]:
    return [(name, p.dtype, p.device, p.shape, p.requires_grad) for name, p in module.named_parameters()]


@pytest.mark.parametrize("kind", MODULES)
def test_a_clone_is_the_same_and_goes_on_alone(kind: str) -> None:
    module, ids = MODULES[kind](), torch.arange(9)[None]
    generator = torch.get_rng_state()
    made = clone(module)
    assert torch.equal(torch.get_rng_state(), generator)
    assert type(made) is type(module)
    assert described(made) == described(module)
    assert made.training == module.training
    assert list(made.state_dict()) == list(module.state_dict())
    for (name, one), (other_name, other) in zip(made.named_buffers(), module.named_buffers(), strict=True):
        assert (name, one.dtype) == (other_name, other.dtype)
        assert torch.equal(one, other)
    if kind != "of two kinds":
        assert torch.equal(made(ids).logits, module(ids).logits)
    before = {name: tensor.clone() for name, tensor in weights_of(module)}
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights_of(module))


@pytest.mark.parametrize(
    ("kind", "dtype"), [("tied", torch.bfloat16), ("of two kinds", torch.float32), ("lora", torch.bfloat16)]
)
def test_a_clone_may_be_of_another_kind(kind: str, dtype: torch.dtype) -> None:
    """What had the module's own becomes that; constants, which are rounded in no model that is loaded so, do not."""
    module = MODULES[kind]()
    before, own = described(module), module.dtype
    made = clone(module, dtype=dtype)
    for (_, old), (name, new) in zip(module.named_parameters(), made.named_parameters(), strict=True):
        assert new.dtype == (dtype if old.dtype == own else old.dtype), name
        assert torch.equal(new, old.to(new.dtype)), name
    assert [b.dtype for b in made.buffers()] == [b.dtype for b in module.buffers()]
    assert list(tensors_of(made)) == list(tensors_of(module))  # what is tied is
    assert described(module) == before


def test_weights_are_rounded_only_where_that_is_meant() -> None:
    target = tiny_model(0).bfloat16()
    put(target, weights_of(tiny_model(1)), rounds=True)
    assert all(
        torch.equal(p, q.bfloat16()) for p, q in zip(target.parameters(), tiny_model(1).parameters(), strict=True)
    )
    with pytest.raises(ValueError, match=r"is torch.float32 .* has torch.bfloat16"):
        put(target, weights_of(tiny_model(1)))


@pytest.mark.parametrize("kind", MODULES)
def test_a_shape_takes_no_memory(kind: str) -> None:
    module = MODULES[kind]()
    shape = blank(module, device="meta")
    assert all(tensor.is_meta for tensor in [*shape.parameters(), *shape.buffers()])
    assert [(name, t.shape, t.dtype) for name, t in weights_of(shape)] == [
        (name, t.shape, t.dtype) for name, t in weights_of(module)
    ]


def test_a_shared_tensor_comes_once_and_is_no_copy() -> None:
    module = tiny_model()
    names = [name for name, _ in weights_of(module)]
    assert len(names) == len(set(names)) == len(list(module.parameters()))
    assert ("model.embed_tokens.weight" in names, "lm_head.weight" in names) == (True, False)
    assert not any(tensor.requires_grad for _, tensor in weights_of(module))
    pointers = {tensor.data_ptr() for _, tensor in weights_of(module)}
    assert pointers == {parameter.data_ptr() for parameter in module.parameters()}


def test_weights_are_read_one_at_a_time() -> None:
    """What comes from elsewhere need not all be in memory at once."""
    target, source = tiny_model(0), tiny_model(1)
    alive = 0

    def stream() -> Any:
        nonlocal alive
        for name, tensor in weights_of(source):
            alive += 1
            yield name, tensor
            assert torch.equal(tensors_of(target)[name], tensor)

    put(target, stream())
    assert alive == len(tensors_of(source))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda weights: weights[1:], "no weights came for model.embed_tokens.weight"),
        (lambda weights: [*weights, weights[0]], 'tokens.weight" is .*, the Qwen2ForCausalLM has no such weights'),
        (lambda weights: [("else", weights[0][1]), *weights], 'else" is torch.float32 .* has no such weights'),
        (lambda weights: [(n, t.double()) for n, t in weights], r"is torch.float64 .* has torch.float32 \[37, 32\]"),
        (lambda weights: [(n, t[:1]) for n, t in weights], r"\[1, 32\], .* has torch.float32 \[37, 32\]"),
    ],
)
def test_what_does_not_fit_is_told(change: Callable[[list[Any]], list[Any]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        put(tiny_model(0), change(list(weights_of(tiny_model(1)))))
