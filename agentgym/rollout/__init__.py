"""Playing episodes: one policy, many environments at once, every token on record.

- ``specs``: what to play, and when an episode is cut;
- ``actors``: who speaks: an engine, the environment's expert, or one and then the other;
- ``play``: one attempt at one episode;
- ``context``: what happens when an episode outgrows its context;
- ``shaping``: rewards beside the environment's, when the episodes of a group have ended;
- ``runner``: many episodes at once.

Episodes that branch are played by ``agentgym.search``.
"""

from agentgym.rollout.actors import Actor, Episode, engine_actor, expert_actor, led_actor
from agentgym.rollout.runner import Rollout, Seat
from agentgym.rollout.specs import EpisodeSpec, Limits, OnOverflow, seed_of

__all__ = [
    "Actor",
    "Episode",
    "EpisodeSpec",
    "Limits",
    "OnOverflow",
    "Rollout",
    "Seat",
    "engine_actor",
    "expert_actor",
    "led_actor",
    "seed_of",
]
