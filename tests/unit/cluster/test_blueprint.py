"""A model like another one, whose weights are still to come."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agentgym.cluster.blueprint import blueprint, built
from agentgym.hosts.processes.frames import Packet, framed, unframed
from agentgym.weights import put, weights_of
from tests.kit import one_thread, tiny_model

__all__ = ["one_thread"]

IDS = torch.tensor([[1, 2, 3, 4, 5]])


def rebuilt(module: Any) -> Any:
    made = built(blueprint(module))
    put(made, weights_of(module))
    return made


@pytest.mark.parametrize("tied", [False, True])
def test_it_says_what_the_other_one_says(tied: bool) -> None:
    model = tiny_model(tie_word_embeddings=tied)
    made = rebuilt(model)
    assert not made.training
    with torch.inference_mode():
        assert torch.equal(made(IDS).logits, model(IDS).logits)


def test_so_does_one_with_an_adapter() -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(tiny_model(), LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    made = rebuilt(model)
    with torch.inference_mode():
        assert torch.equal(made(IDS).logits, model(IDS).logits)
        with made.disable_adapter():
            assert not torch.equal(made(IDS).logits, model(IDS).logits)  # it is the adapter's doing


def test_number_formats_stay() -> None:
    made = built(blueprint(tiny_model().to(torch.bfloat16)))
    assert made.dtype is torch.bfloat16


def test_a_file_that_leads_elsewhere_is_refused() -> None:
    head, _ = unframed(blueprint(tiny_model()))
    evil = framed(Packet({**head, "files": [["../../evil", 1]]}, b"x"))
    with pytest.raises(ValueError, match="leads out"):
        built(evil)
