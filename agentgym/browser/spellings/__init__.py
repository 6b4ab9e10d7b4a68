"""Three ways to write what is to be done in a browser, each a file with ``parse`` and ``format``.

- "calls": BrowserGym's, ``click('12')``;
- "tools": those of Playwright's MCP server, ``browser_click(ref=12)``, with schemas;
- "commands": Agent Q's, ``CLICK[12]``.
"""

from typing import Literal, TypeAlias

from agentgym.browser.spellings.calls import CALLS
from agentgym.browser.spellings.commands import COMMANDS
from agentgym.browser.spellings.spelling import Spelling
from agentgym.browser.spellings.tools import TOOLS

__all__ = ["SPELLINGS", "Spelling", "SpellingName"]

SpellingName: TypeAlias = Literal["calls", "tools", "commands"]

SPELLINGS: dict[SpellingName, Spelling] = {"calls": CALLS, "tools": TOOLS, "commands": COMMANDS}
