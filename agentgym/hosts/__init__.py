"""Where environments run: in the event loop, in threads, or in processes, behind one asynchronous face.

The runner talks to a ``Host`` and never to the environment itself, so that one setting moves all environments from
the event loop to threads or to processes. Each way is one file here.
"""

from agentgym.hosts.host import Host, Hosts

__all__ = ["Host", "Hosts"]
