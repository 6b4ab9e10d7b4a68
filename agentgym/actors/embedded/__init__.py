"""The embedded engine: a transformers model in this process, with a key/value slot for each live episode."""

from agentgym.actors.embedded.engine import EmbeddedEngine, truncated

__all__ = ["EmbeddedEngine", "truncated"]
