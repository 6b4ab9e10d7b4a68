"""Directed graphs as mappings: node to the nodes that it leads to."""

from __future__ import annotations

from collections import deque


def reachable(graph: dict[str, list[str]], start: str, seen: list[str] | None = None) -> list[str]:
    """All nodes that can be reached from the start, itself among them, in the order of a depth-first walk."""
    if seen is None:
        seen = []
    if start in seen:
        return seen
    seen.append(start)
    for node in graph.get(start, []):
        reachable(graph, node, seen)
    return seen


def shortest(graph: dict[str, list[str]], start: str, goal: str) -> list[str]:
    """A path of the fewest steps, both ends included; empty where there is none."""
    paths = deque([[start]])
    seen = {start}
    while paths:
        path = paths.popleft()
        if path[-1] == goal:
            return path
        for node in graph.get(path[-1], []):
            if node not in seen:
                seen.add(node)
                paths.append([*path, node])
    return []


def ordered(graph: dict[str, list[str]]) -> list[str]:
    """All nodes, each before those that it leads to, the first by name where several may come."""
    waiting = dict.fromkeys(graph, 0)
    for nodes in graph.values():
        for node in nodes:
            waiting[node] = waiting.get(node, 0) + 1
    order: list[str] = []
    while ready := sorted(node for node, count in waiting.items() if count == 0):
        node = ready[0]
        order.append(node)
        del waiting[node]
        for later in graph.get(node, []):
            waiting[later] -= 1
    if waiting:
        raise ValueError("the graph has a cycle")
    return order


def degrees(graph: dict[str, list[str]]) -> dict[str, int]:
    """For each node how many edges end or begin there."""
    found = {node: len(nodes) for node, nodes in graph.items()}
    for nodes in graph.values():
        for node in nodes:
            found[node] = found.get(node, 0) + 1
    return found
