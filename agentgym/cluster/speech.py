"""What is asked of an engine elsewhere and what it answers, as packets. Images travel raw beside the JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from agentgym.engine import Completion, Prompt, Sampling
from agentgym.hosts.processes.frames import Packet
from agentgym.types import Media

__all__ = [
    "ABOUT",
    "pack_completion",
    "pack_prompt",
    "pack_request",
    "unpack_completion",
    "unpack_prompt",
    "unpack_request",
]

ABOUT = ("max_context", "supports_seeds", "supports_images", "why_untrainable")
"""What an engine says of itself once it has started."""


def pack_prompt(prompt: Prompt, **head: Any) -> Packet:
    """A prompt, and ``head`` beside it."""
    head["token_ids"] = list(map(int, prompt.token_ids))
    if not prompt.media:
        return Packet(head)
    head["media"] = [(media.digest, len(media.data)) for media in prompt.media]
    return Packet(head, b"".join(media.data for media in prompt.media))


def unpack_prompt(packet: Packet) -> Prompt:
    """The inverse of ``pack_prompt``."""
    head, attached = packet
    media = []
    for digest, size in head.get("media", ()):
        media.append(Media(digest=digest, data=bytes(attached[:size])))
        attached = attached[size:]
    return Prompt(head["token_ids"], media)


def pack_request(prompt: Prompt, sampling: Sampling, session: str) -> Packet:
    """What ``generate`` is asked."""
    return pack_prompt(prompt, sampling=dataclasses.asdict(sampling), session=session)


def unpack_request(packet: Packet) -> tuple[Prompt, Sampling, str]:
    """The inverse of ``pack_request``."""
    given = packet.head["sampling"]
    sampling = Sampling(**{**given, "stop_token_ids": tuple(given["stop_token_ids"])})
    return unpack_prompt(packet), sampling, packet.head["session"]


def pack_completion(completion: Completion) -> Packet:
    """What ``generate`` answers."""
    return Packet(dataclasses.asdict(completion))


def unpack_completion(packet: Packet) -> Completion:
    """The inverse of ``pack_completion``."""
    return Completion(**packet.head)
