"""``agentgym view``: runs and their episodes on a page of this machine, and the same as JSON.

- ``sources``: what is looked at: runs, archives, JSONL files;
- ``views``: what there is to see, each a pure function of the sources, by name: of the page, and of ``--json``;
- ``runs``, ``episodes``, ``episode``, ``tokens``, ``groups``, ``tasks``, ``trees``: those functions;
- ``guard``: who may ask the server;
- ``server``: the page and its JSON at a port of this machine;
- ``export``: the page as one file;
- ``static``: the page itself. It is plain JavaScript, and shows what an episode says as text and as nothing else.
"""

from agentgym.viewer.sources import Source, Sources
from agentgym.viewer.views import answer

__all__ = ["Source", "Sources", "answer"]
