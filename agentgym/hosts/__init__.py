"""Where environments run: in the event loop, in threads, or in processes, behind one asynchronous face.

The runner talks to a ``Host`` and never to the environment itself, so that one setting moves all environments from
the event loop to threads or to processes. Each way is one file or folder here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from agentgym.env import Env
from agentgym.errors import ConfigError, did_you_mean
from agentgym.hosts.host import Host, Hosts
from agentgym.hosts.loop import LoopHosts
from agentgym.hosts.processes.host import ProcessHosts
from agentgym.hosts.threads import ThreadHosts
from agentgym.registry import EnvFactory

__all__ = ["Host", "Hosts", "Where", "make_hosts"]

Where: TypeAlias = Literal["loop", "threads", "processes"]
"""Where environments run."""


def make_hosts(where: Where, make_env: Callable[[], Env]) -> Hosts:
    """Hosts of the environments that ``make_env`` makes.

    Raises ConfigError for processes unless it is an ``EnvFactory``: another process cannot call a function of this one.
    """
    match where:
        case "loop":
            return LoopHosts(make_env)
        case "threads":
            return ThreadHosts(make_env)
        case "processes" if isinstance(make_env, EnvFactory):
            return ProcessHosts(make_env.id, make_env.options, make_env.augment)
        case "processes":
            raise ConfigError(
                f"environments in processes are made there, from an id or path and options, found {make_env!r:.200}; "
                'give agentgym.registry.EnvFactory("./mine.py:Mine", {"option": 1}), or let them run in threads'
            )
    raise ConfigError(f'no place "{where}".{did_you_mean(where, get_args(Where))} Known: {", ".join(get_args(Where))}')
