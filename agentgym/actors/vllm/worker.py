"""What vLLM's worker process can be told to do with its weights, and what it may never sample.

vLLM mixes ``Weights`` into its worker class: the methods are reached by ``collective_rpc`` with their names. The worker
alone imports this module.
"""

from __future__ import annotations

import threading
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped]

from agentgym.vision import forbid

__all__ = ["Weights"]

tqdm.set_lock(threading.RLock())  # its own is a semaphore in /dev/shm, which a worker that is killed would leave


class Weights:
    """Methods that a worker gets besides its own; the names must not be vLLM's."""

    model_runner: Any
    device: Any

    def agentgym_load(self, path: str) -> None:
        """Take the weights of the Hugging Face directory ``path`` in place of the present ones.

        When it raises, some layers have the new ones; the old ones can then be loaded like any others.
        """
        model = self.model_runner.get_model()
        try:
            self.model_runner.reload_weights(weights_path=path)
        except Exception:
            _drop_half_loaded(model, self.model_runner.model_config)
            raise
        finally:
            if self.device.type == "cpu":
                _pack_heads(model)

    def agentgym_forbid(self, tokens: list[int]) -> None:
        """Have ``tokens``, which stand for what is seen, a probability of 0: sampled, and in what is scored."""
        model = self.model_runner.get_model()
        logits_of, forbidden = model.compute_logits, list(tokens)

        def allowed(*args: Any, **kwargs: Any) -> Any:
            logits = logits_of(*args, **kwargs)
            return None if logits is None else forbid(logits, forbidden)  # other ranks have none

        model.compute_logits = allowed


def _drop_half_loaded(model: Any, config: Any) -> None:
    """Give layers that wait for the rest of their weights the old ones back.

    vLLM would count what it has buffered for them towards the next load, and mix the two.
    """
    from vllm.model_executor.model_loader.reload.layerwise import finalize_layerwise_processing, get_layerwise_info

    for layer in model.modules():
        waiting = get_layerwise_info(layer)
        if waiting.can_load():
            waiting.loaded_weights.clear()
            waiting.load_numel = 0
    finalize_layerwise_processing(model, config)


def _pack_heads(model: Any) -> None:
    """Pack embeddings for the CPU's matrix kernels again.

    Reloading forgets the packed copy that a tied output head multiplies with: it would keep the old weights.
    """
    from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm
    from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding

    for module in model.modules():
        if isinstance(module, VocabParallelEmbedding):
            dispatch_cpu_unquantized_gemm(module, remove_weight=False)
