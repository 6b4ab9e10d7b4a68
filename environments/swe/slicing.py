"""What of a module one of its functions needs, and the module without the rest."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterator

__all__ = ["needed_by", "sliced"]


@functools.cache
def needed_by(text: str, name: str) -> frozenset[str]:
    """Names at the top of the module that the function or class ``name`` is made with, its own among them.

    A method's name stands for its class.
    """
    defined = {named: node for node in ast.parse(text).body for named in _names(node)}
    top = name if name in defined else next(named for named, node in defined.items() if _has(node, name))
    needed, waiting = {top}, [top]
    while waiting:
        used = {node.id for node in ast.walk(defined[waiting.pop()]) if isinstance(node, ast.Name)}
        new = (used & defined.keys()) - needed
        needed |= new
        waiting += sorted(new)
    return frozenset(needed)


def sliced(text: str, names: Collection[str]) -> str:
    """The module with these names alone, and what it says of itself."""
    tree, lines = ast.parse(text), text.split("\n")
    head = [node for node in tree.body[:1] if isinstance(node, ast.Expr)]
    kept = [node for node in tree.body if set(_names(node)) & {*names, "annotations"}]
    blocks = ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in [*head, *kept]]
    imports = 1 + sum(isinstance(node, ast.ImportFrom | ast.Import) for node in kept)
    return "\n\n".join(blocks[:imports]) + "\n\n\n" + "\n\n\n".join(blocks[imports:]) + "\n"


def _names(node: ast.stmt) -> Iterator[str]:
    """What a statement at the top defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.ImportFrom | ast.Import):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _has(node: ast.stmt, method: str) -> bool:
    return isinstance(node, ast.ClassDef) and any(getattr(one, "name", "") == method for one in node.body)
