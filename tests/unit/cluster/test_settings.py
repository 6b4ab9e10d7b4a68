"""What may be asked of a cluster."""

from __future__ import annotations

import pytest

from agentgym.cluster.settings import ClusterSettings
from agentgym.config import validated
from agentgym.errors import ConfigError
from agentgym.flags import parse_flags
from agentgym.launch.resolving import resolve


@pytest.mark.parametrize(
    ("id", "address"), [("ray", None), ("ray:auto", "auto"), ("ray:10.0.0.1:6379", "10.0.0.1:6379")]
)
def test_a_cluster_is_started_or_joined(id: str, address: str | None) -> None:
    assert validated(ClusterSettings, {"id": id}).address == address


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"id": "slurm"}, 'found "slurm", expected "ray"'),
        ({"id": "ray:"}, 'found "ray:", expected "ray"'),
        ({"id": "ray", "engines": 0, "engine_cpus": 2}, "engine_cpus has no effect without engines"),
        ({"id": "ray", "engines": 0, "engine_gpus": 1}, "engine_gpus has no effect without engines"),
        ({"id": "ray", "engine": 1}, 'Did you mean "engines"?'),
    ],
)
def test_what_is_no_cluster_is_told(given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        validated(ClusterSettings, given)
    assert told in str(error.value)


def test_it_is_chosen_in_a_word() -> None:
    settings = resolve(parse_flags(["--env", "countdown", "--cluster", "ray:h:1", "--cluster.engines", "2"]))
    assert settings.cluster is not None
    assert (settings.cluster.address, settings.cluster.engines) == ("h:1", 2)
    with pytest.raises(ConfigError, match=r"rollout\.hosts has no effect on a cluster"):
        resolve(parse_flags(["--env", "countdown", "--cluster", "ray", "--rollout.hosts", "threads"]))
