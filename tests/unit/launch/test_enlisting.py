"""Further ranks on a cluster: asked for where they have an effect, spoken to over the network that leads there."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from agentgym.errors import ConfigError
from agentgym.flags import parse_flags
from agentgym.launch import enlisting
from agentgym.launch.enlisting import enlisted
from agentgym.launch.ranks import meeting
from agentgym.launch.resolving import resolve


async def work() -> Path:
    return Path("done")


@pytest.mark.parametrize("flags", [[], ["--cluster", "ray:nowhere:1"]])
def test_a_run_of_one_learner_asks_for_none(flags: list[str]) -> None:
    settings = resolve(parse_flags(["--env", "countdown", *flags]))
    assert asyncio.run(enlisted(settings, work)) == Path("done")


def test_torchrun_and_the_cluster_are_not_asked_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    settings = resolve(parse_flags(["--env", "countdown", "--cluster", "ray:nowhere:1", "--cluster.learners", "2"]))
    with pytest.raises(
        ConfigError, match=r"cluster\.learners has no effect under torchrun.*type --cluster\.learners 1"
    ):
        asyncio.run(enlisted(settings, work))


def test_gloo_is_told_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    enlisting._speak_from("127.0.0.1")
    assert os.environ["GLOO_SOCKET_IFNAME"] == "lo"
    enlisting._speak_from("127.0.0.2")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "mine")
    enlisting._speak_from("127.0.0.1")
    assert os.environ["GLOO_SOCKET_IFNAME"] == "mine"


def test_where_ranks_meet_is_theirs_from_the_beginning() -> None:
    with meeting("127.0.0.1", 3) as variables:
        assert (variables["MASTER_ADDR"], variables["WORLD_SIZE"]) == ("127.0.0.1", "3")
        place = "127.0.0.1", int(variables["MASTER_PORT"])
        with pytest.raises(OSError, match="in use"), socket.create_server(place):
            pass
    with socket.create_server(place):
        pass
