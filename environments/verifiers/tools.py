"""The tools of a taskset, called in this process.

The package starts a program for each toolset and speaks MCP with it over a socket. Here the same server answers
directly: schemas, conversions and errors are its own, and the state that tools share with rewards is the trace's
itself, where the package sends copies to and fro.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.environments.mcp.remote import RemoteTool, text_of
from agentgym.errors import UserError
from agentgym.extras import require
from agentgym.tools import ToolError

__all__ = ["TasksetTool", "bind", "elsewhere", "list_tools"]


class TasksetTool(RemoteTool):
    """A tool of a toolset, by the name that the package gives it: that of its server before its own."""

    def __init__(self, listed: Any, server: Any, prefix: str) -> None:
        name = f"{prefix}_{listed.name}" if prefix else listed.name
        super().__init__(listed.model_copy(update={"name": name}))
        self._server, self._listed_as = server, listed.name

    async def answer(self, arguments: Mapping[str, Any]) -> str:
        """What the tool returns, as text. Raises ToolError with what it raises, as the package shows it."""
        failed = require("mcp.server.mcpserver.exceptions", extra="verifiers").ToolError
        try:
            result = await self._server.call_tool(self._listed_as, dict(arguments))
        except failed as error:
            raise ToolError(str(error)) from None
        return text_of(result, self.name)


async def list_tools(toolsets: Sequence[Any]) -> dict[str, TasksetTool]:
    """The tools by name. It waits for nothing. Raises UserError for two of one name."""
    make_server = require("mcp.server.mcpserver", extra="verifiers").MCPServer
    tools = {}
    for toolset in toolsets:
        server = make_server(toolset.server_name or type(toolset).__name__)
        toolset.register(server)
        for listed in await server.list_tools():
            tool = TasksetTool(listed, server, toolset.server_name)
            if tool.name in tools:
                raise UserError(
                    f'two tools of the taskset are called "{tool.name}"; give their toolsets a server_name each'
                )
            tools[tool.name] = tool
    return tools


def bind(toolset: Any, trace: Any) -> None:
    """Let the toolset's state be that of ``trace``."""

    async def pull() -> Any:
        return trace.state

    async def push(before: bytes) -> None:
        """There is no copy to send."""

    toolset._pull_state, toolset._push_state = pull, push


def elsewhere(toolset: Any) -> bool:
    """Whether the toolset wants a server at an address, a container, or the sandbox of the package's agent."""
    config = toolset.config
    return bool(config.url or getattr(config, "colocated", False) or config.runtime.type != "subprocess")
