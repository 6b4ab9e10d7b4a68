"""What is asked of an engine elsewhere comes there as it was."""

from __future__ import annotations

from agentgym.cluster.speech import pack_completion, pack_request, unpack_completion, unpack_request
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.hosts.processes.frames import framed, unframed
from agentgym.types import Media


def test_a_request() -> None:
    media = [Media(digest="a" * 8, data=b"one"), Media(digest="b" * 8, data=b"\0two\xff")]
    sampling = Sampling(temperature=0.5, top_k=3, max_tokens=7, stop_token_ids=(1, 2), seed=2**62)
    asked = Prompt([1, 2, 3], media), sampling, "session"
    prompt, found, session = unpack_request(unframed(framed(pack_request(*asked))))
    assert (Prompt(list(prompt.token_ids), list(prompt.media)), found, session) == asked


def test_a_completion() -> None:
    said = Completion(token_ids=[1, 2], logprobs=[-0.1, -1e-7], policy_versions=[3, 4], finish_reason="stop")
    assert unpack_completion(unframed(framed(pack_completion(said)))) == said
