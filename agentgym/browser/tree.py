"""A page as text: one line for each element, indented as they are nested, the ref first where it can be acted on::

heading "Find a table"
[1] textbox "Place" value="rome" (focused)
[2] button "Find"
"""

from __future__ import annotations

from agentgym.browser.seen import Node, Seen

__all__ = ["as_text", "line_of"]


def as_text(seen: Seen) -> str:
    """All that there is."""
    return "\n".join(f"{'  ' * node.depth}{line_of(node)}" for node in seen.nodes)


def line_of(node: Node) -> str:
    """One element in words."""
    if not node.role:
        return node.text
    told = [f"[{node.ref}]"] if node.ref else []
    told += [node.role if node.role != "heading" or not node.level else f"heading {node.level}"]
    told += [f'"{node.name}"'] if node.name else []
    told += [f"color={node.color}"] if node.color else []
    told += [f'value="{node.value}"'] if node.value is not None else []
    told += [f"({', '.join(node.states)})"] if node.states else []
    return " ".join(told)
