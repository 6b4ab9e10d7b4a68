"""Environments in processes of their own, each forked from a nursery.

- ``host``: the host contract over such a process;
- ``nurse``, ``nursery``: the process that they are forked from, seen from here and from inside;
- ``child``: the process of one environment;
- ``channel``, ``frames``, ``wire``: sockets, packets, and what is in them.
"""

from agentgym.hosts.processes.host import ProcessHosts

__all__ = ["ProcessHosts"]
