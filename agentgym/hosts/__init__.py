"""Where environments run: in the event loop, in threads, or in processes, behind one asynchronous face.

The runner talks to a ``Host`` and never to the environment itself, so that one setting moves all environments from
the event loop to threads or to processes. Each way is one file here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from agentgym.errors import ConfigError
from agentgym.hosts.host import Host, Hosts
from agentgym.hosts.loop import LoopHosts

__all__ = ["Host", "Hosts", "Where", "make_hosts"]

Where: TypeAlias = Literal["loop", "threads", "processes"]


def make_hosts(where: Where, make_env: Callable[[], Any]) -> Hosts:
    """Hosts of the environment that ``make_env`` makes."""
    if where == "loop":
        return LoopHosts(make_env)
    raise ConfigError(f"rollout.hosts {where} is not here yet; type: --rollout.hosts loop")
