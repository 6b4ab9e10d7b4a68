"""What there is to see, by name: what the page asks its server for, and what ``agentgym view --json`` prints.

A question is a name with values behind it, as in an address: ``episodes?success=false&limit=20``. Values are checked
against the function's signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ConfigDict, ValidationError, validate_call

from agentgym.errors import UserError, did_you_mean
from agentgym.viewer import episode, episodes, groups, runs, tasks, tokens, trees
from agentgym.viewer.sources import Sources

__all__ = ["VIEWS", "answer", "asked"]

VIEWS: dict[str, Callable[..., Any]] = {
    view.__name__: validate_call(config=ConfigDict(arbitrary_types_allowed=True))(view)
    for view in (
        runs.runs,
        runs.pulse,
        runs.curves,
        runs.report,
        episodes.episodes,
        episodes.facets,
        episodes.search,
        episode.episode,
        episode.text,
        tokens.tokens,
        groups.groups,
        groups.group,
        groups.gradient,
        tasks.task,
        tasks.compare,
        trees.trees,
        trees.tree,
    )
}
"""By name; the first argument is the sources."""


def answer(sources: Sources, name: str, values: Mapping[str, str]) -> Any:
    """What view ``name`` has to say, as JSON. Raises UserError for another name, and for what it does not take."""
    if name not in VIEWS:
        raise UserError(f'there is no view "{name}".{did_you_mean(name, VIEWS)} Known: {", ".join(VIEWS)}')
    try:
        return VIEWS[name](sources, **values)
    except ValidationError as error:
        raise UserError(f"{name}: {_told(error)}") from None


def asked(sources: Sources, question: str) -> Any:
    """The answer to a question as it is typed, or as it stands in an address."""
    name, _, values = question.partition("?")
    return answer(sources, name, dict(parse_qsl(values, keep_blank_values=True)))


def _told(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = ".".join(map(str, problem["loc"]))
    if problem["type"].startswith("missing"):
        return f"{name} is missing; type it behind the name of the view: ?{name}=…"
    return f"{name} is {problem['input']!r}: {problem['msg']}"
