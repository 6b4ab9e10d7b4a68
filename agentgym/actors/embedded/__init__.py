"""The embedded engine: a transformers model in this process, with a key/value slot for each live episode.

- ``engine``: the engine contract: sessions, requests, who is admitted;
- ``rows``: what it asks of ``forward``, the model's passes; ``slots``: their keys and values; ``sampling``: the draw.

All but the first two import torch, and are imported when an engine is made.
"""

from agentgym.actors.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
