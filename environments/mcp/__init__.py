"""MCP: the tools of any server that speaks the Model Context Protocol, as an environment.

- ``env`` is the environment, ``tasks`` what is asked and how it is judged;
- ``link`` is the connection, ``remote`` one tool at the other end of it;
- ``demo`` and ``demo_server`` are what there is without options: a desk with notes and a calculator.
"""

from agentgym.environments.mcp.env import MCP

__all__ = ["MCP"]
