"""A service desk: do for a customer what a policy document allows, and nothing else.

After the pattern of tau-bench (arXiv 2406.12045: tools, a database, a simulated user, judged by the final state) and of
CC-Gen (policy documents of four levels of complexity, as in "Analyzing and Internalizing Complex Policy Documents for
LLM Agents"); texts and data are our own.

- ``env`` is the environment, ``desk`` the database and what can be done to it;
- ``cases`` draws customers with requests and keeps those of the splits apart, ``user`` speaks for them;
- ``policy`` has the rules: as a document, and as the decision they come to in a case.
"""

from agentgym.environments.policydesk.env import PolicyDesk

__all__ = ["PolicyDesk"]
