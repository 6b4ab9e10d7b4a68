"""Environments of tools: a method with type hints and a docstring is a tool that a policy can call.

- ``env`` has the base class of such environments, ``ToolEnv``;
- ``tool`` turns a method into a tool with a JSON schema, and checks what a tool is called with;
- ``calls`` reads calls out of text, so that every protocol can make them;
- ``matching`` says how calls are to those that would have been right.
"""

from agentgym.tools.calls import call, parse_calls
from agentgym.tools.env import ToolEnv
from agentgym.tools.matching import compared
from agentgym.tools.tool import FunctionTool, Tool, ToolError, tool

__all__ = ["FunctionTool", "Tool", "ToolEnv", "ToolError", "call", "compared", "parse_calls", "tool"]
