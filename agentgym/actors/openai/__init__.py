"""Servers of the OpenAI kind as an engine.

- ``engine``: the engine contract over such a server;
- ``probe``: what it can do; ``client``: requests to it; ``capped``: how long an answer may be; ``wire``: its answers;
- ``weights``: how it follows a learner, where it can.
"""

from agentgym.actors.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
