"""Search: episodes that branch, over any environment that there is a way back in.

- ``search``: the contract of a search; those that there are live in ``agentgym/searches``;
- ``tree``: the tree of one task: proposals, moments, lines; ``node``: one moment of it;
- ``lanes``: one environment for all lines of a tree;
- ``budget``: what a search may cost and what it has cost.
"""

from agentgym.search.budget import Budget, Spent
from agentgym.search.node import Node
from agentgym.search.search import Found, Search, best, joined, last_judgment, places
from agentgym.search.tree import BrokenError, Table, Tree

__all__ = [
    "BrokenError",
    "Budget",
    "Found",
    "Node",
    "Search",
    "Spent",
    "Table",
    "Tree",
    "best",
    "joined",
    "last_judgment",
    "places",
]
