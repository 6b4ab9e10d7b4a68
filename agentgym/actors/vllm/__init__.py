"""The vLLM engine, in the parts that its name is made of.

- ``engine``: the engine contract over the server;
- ``settings``: its options, and what vLLM is told of them;
- ``server``: ``AsyncLLM`` in a thread of its own; ``process``, ``guard``: its processes, and their certain end;
- ``update``, ``weights``, ``worker``: how new weights get there; ``gpu``: the same between GPUs;
- ``probe``: whether vLLM is here, and fits.
"""

from agentgym.actors.vllm.engine import VLLMEngine

__all__ = ["VLLMEngine"]
