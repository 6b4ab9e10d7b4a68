"""What there is: the environments of this installation, for ``agentgym envs``.

An environment whose extra is missing, or that cannot be opened here, is listed with the reason instead of its tasks.
"""

from __future__ import annotations

import dataclasses
import re
from importlib.metadata import PackageNotFoundError, metadata

from rich.table import Table
from rich.text import Text

from agentgym.env import SPLITS, Env
from agentgym.errors import AgentGymError
from agentgym.registry import plugins

__all__ = ["Listed", "environments", "environments_table"]

DISTRIBUTION = "agentgym-lab"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One environment."""

    id: str
    about: str = ""
    """First line of its docstring."""
    tasks: dict[str, int] | None = None
    """Number of tasks of each split; None where they are seeds."""
    has_expert: bool = False
    has_native_snapshot: bool = False
    """Comes back to a moment without replaying the episode."""
    problem: str = ""
    """Why it cannot be used here, and what to type."""


def environments() -> list[Listed]:
    """Every registered environment, opened once to count its tasks."""
    return [_listed(id) for id in plugins("environments").ids()]


def environments_table() -> Table:
    """The same for people."""
    table = Table("environment", *SPLITS, "expert", "snapshot", "what it is", box=None, pad_edge=False)
    for env in environments():
        counts = [str(env.tasks.get(split, "")) if env.tasks else "seeds" for split in SPLITS]
        if env.problem:
            counts = ["?"] * len(SPLITS)
        expert, snapshot = "yes" if env.has_expert else "no", "native" if env.has_native_snapshot else "replay"
        about = Text(env.problem, "yellow") if env.problem else Text(env.about)
        table.add_row(Text(env.id, "cyan"), *counts, *(("?", "?") if env.problem else (expert, snapshot)), about)
    return table


def _listed(id: str) -> Listed:
    try:
        cls = plugins("environments").get(id)
    except ImportError as error:
        return Listed(id=id, problem=_missing(id, error))
    except Exception as error:  # one broken plug-in must not hide the others
        return Listed(id=id, problem=_reason(error))
    if not (isinstance(cls, type) and issubclass(cls, Env)):
        return Listed(id=id, problem="not a subclass of agentgym.Env")
    listed = Listed(
        id=id,
        about=(cls.__doc__ or "").strip().partition("\n")[0],
        has_expert=cls.expert is not Env.expert,
        has_native_snapshot=cls.get_state is not Env.get_state,
    )
    try:
        return dataclasses.replace(listed, tasks=_count_tasks(cls))
    except ImportError as error:
        return dataclasses.replace(listed, problem=_missing(id, error))
    except Exception as error:
        return dataclasses.replace(listed, problem=_reason(error))


def _count_tasks(cls: type[Env]) -> dict[str, int] | None:
    if cls.tasks is Env.tasks:
        return None
    env = cls()
    try:
        return {split: len(env.tasks(split)) for split in SPLITS}
    finally:
        env.close()


def _reason(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return first if isinstance(error, AgentGymError) else f"{type(error).__name__}: {first}"


def _missing(id: str, error: ImportError) -> str:
    """What to install for an import that failed: the extra that brings the module, or that is named like the id."""
    module = (error.name or "").partition(".")[0]
    try:
        about = metadata(DISTRIBUTION)
    except PackageNotFoundError:
        return f"needs {module}: pip install {module}"
    for requirement in about.get_all("Requires-Dist") or []:
        wanted = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if wanted and extra and _same(wanted[0], module):
            return _install(module, extra[1])
    extras = about.get_all("Provides-Extra") or []
    return _install(module, id) if id in extras else f"needs {module}: pip install {module}"


def _install(module: str, extra: str) -> str:
    return f"needs {module}: pip install '{DISTRIBUTION}[{extra}]'"


def _same(requirement: str, module: str) -> bool:
    return requirement.lower().replace("-", "_") == module.lower().replace("-", "_")
