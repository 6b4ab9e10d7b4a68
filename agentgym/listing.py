"""What there is: the environments of this installation, for ``agentgym envs``.

Each is opened once to count its tasks, and none is played unless it is to be measured. An environment whose extra is
missing, or that cannot be opened here, is listed with the reason, and hides no other.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, metadata, version

from rich.table import Table
from rich.text import Text

from agentgym.blame import place
from agentgym.doctor import success_of
from agentgym.env import SPLITS, Env
from agentgym.errors import AgentGymError, MissingExtraError, UnknownIdError, did_you_mean
from agentgym.registry import EnvFactory, plugins
from agentgym.snapshot import Rung
from agentgym.visit import Player

__all__ = ["Listed", "Rate", "as_json", "environments", "environments_table", "measured"]

DISTRIBUTION = "agentgym-lab"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something succeeded."""

    won: int
    episodes: int
    ci95: tuple[float, float]
    """Wilson's interval."""

    def __str__(self) -> str:
        return f"{self.won / self.episodes:.2f} [{self.ci95[0]:.2f}, {self.ci95[1]:.2f}]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One environment."""

    id: str
    about: str = ""
    """First line of its docstring."""
    kind: str = ""
    extra: str = ""
    """The optional extra that it needs."""
    is_installed: bool = True
    """Whether what its extra brings is here."""
    tasks: dict[str, int] | None = None
    """Number of tasks of each split; None where they are seeds."""
    has_expert: bool = False
    restored_by: Rung = "replay"
    """How it comes back to a moment of an episode."""
    problem: str = ""
    """Why it cannot be used here, and what to type."""
    expert_success: Rate | None = None
    """On test tasks, where it was measured."""
    random_success: Rate | None = None


def environments(ids: Sequence[str] = ()) -> list[Listed]:
    """The registered environments, or those of ``ids``. Raises UnknownIdError for an id that none has."""
    known = plugins("environments").ids()
    for id in ids:
        if id not in known:
            raise UnknownIdError(f'unknown environment "{id}".{did_you_mean(id, known)} Known: {", ".join(known)}')
    return [_listed(id) for id in ids or known]


def measured(
    env: Listed, episodes: int, *, on_episode: Callable[[int, float], None] = lambda done, rate: None
) -> Listed:
    """``env`` with the success of its expert and of random actions on its first test tasks, one episode of each.

    An environment that breaks while it is played is listed with what it raised. ``on_episode`` is told how many
    episodes were played and the share that succeeded.
    """
    if env.problem:
        return env
    try:
        with Player(EnvFactory(env.id)()) as player:
            rates = {
                by_expert: _rate(player, episodes, by_expert, on_episode)
                for by_expert in ((True, False) if env.has_expert else (False,))
            }
    except Exception as error:
        return dataclasses.replace(env, problem=_reason(error))
    return dataclasses.replace(env, expert_success=rates.get(True), random_success=rates[False])


def _rate(player: Player, episodes: int, by_expert: bool, on_episode: Callable[[int, float], None]) -> Rate:
    from scipy.stats import binomtest

    won = 0
    tasks = player.env.tasks("test")[:episodes]
    for number, task in enumerate(tasks, 1):
        won += success_of(player, (task, number), by_expert=by_expert)
        on_episode(number, won / number)
    interval = binomtest(won, len(tasks)).proportion_ci(0.95, method="wilson")
    return Rate(won=won, episodes=len(tasks), ci95=(round(float(interval.low), 4), round(float(interval.high), 4)))


# -- shown -----------------------------------------------------------------------------------------------


def environments_table(envs: Iterable[Listed] | None = None) -> Table:
    """The same for people; with what was measured in place of whether there is an expert."""
    envs = environments() if envs is None else list(envs)
    was_measured = any(env.random_success for env in envs)
    table = Table(box=None, pad_edge=False)
    rates = ("expert", "random") if was_measured else ("expert",)
    for column in ("environment", "kind", "/".join(SPLITS), "extra", *rates, "snapshot"):
        table.add_column(column, no_wrap=True)
    table.add_column("what it is", min_width=24)
    for env in envs:
        played = (env.expert_success, env.random_success) if was_measured else (env.has_expert,)
        about = Text(env.problem, "yellow") if env.problem else Text(env.about)
        seen = ["?"] * (len(played) + 1) if env.problem else [*map(_shown, played), env.restored_by]
        table.add_row(Text(env.id, "cyan"), env.kind or "?", _counts(env), _extra(env), *seen, about)
    return table


def _counts(env: Listed) -> str:
    if env.problem and not env.tasks:
        return "?"
    return "/".join(map(str, env.tasks.values())) if env.tasks else "seeds"


def _extra(env: Listed) -> Text:
    if not env.extra:
        return Text("none", "dim")
    return Text(env.extra, "green") if env.is_installed else Text(f"{env.extra} (missing)", "yellow")


def _shown(value: Rate | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def as_json(envs: Iterable[Listed]) -> str:
    """A list of objects with the fields of ``Listed``."""
    return json.dumps([dataclasses.asdict(env) for env in envs], indent=2)


# -- found out -------------------------------------------------------------------------------------------


def _listed(id: str) -> Listed:
    try:
        cls = plugins("environments").get(id)
    except Exception as error:  # one broken plug-in must not hide the others
        return _with_problem(Listed(id=id), error)
    if not (isinstance(cls, type) and issubclass(cls, Env)):
        return Listed(id=id, problem="not a subclass of agentgym.Env")
    listed = Listed(
        id=id,
        about=(cls.__doc__ or "").strip().partition("\n")[0],
        kind=cls.kind,
        extra=cls.extra,
        is_installed=not _lacking(cls.extra),
        has_expert=cls.expert is not Env.expert,
        restored_by="native" if cls.get_state is not Env.get_state else cls.restored_by,
    )
    try:
        return dataclasses.replace(listed, tasks=_count_tasks(cls))
    except Exception as error:
        return _with_problem(listed, error)


def _count_tasks(cls: type[Env]) -> dict[str, int] | None:
    env = cls()
    try:
        return {split: len(env.tasks(split)) for split in SPLITS} if env.has_own_tasks else None
    finally:
        env.close()


def _with_problem(env: Listed, error: Exception) -> Listed:
    is_missing = isinstance(error, ImportError | MissingExtraError)
    problem = _missing(env.id, error) if isinstance(error, ImportError) else _reason(error)
    return dataclasses.replace(env, problem=problem, is_installed=env.is_installed and not is_missing)


def _reason(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return first if isinstance(error, AgentGymError) else f"{type(error).__name__}: {first} ({place(error)})"


def _lacking(extra: str) -> list[str]:
    """Names of the extra's packages that are not installed."""
    lacking = []
    for name, its_extra in _requirements():
        if extra and its_extra == extra:
            try:
                version(name)
            except PackageNotFoundError:
                lacking.append(name)
    return lacking


def _requirements() -> list[tuple[str, str]]:
    """Packages that extras bring, with the extra's name; none where the package is not installed."""
    try:
        about = metadata(DISTRIBUTION)
    except PackageNotFoundError:
        return []
    found = []
    for requirement in about.get_all("Requires-Dist") or []:
        wanted = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if wanted and extra:
            found.append((wanted[0], extra[1]))
    return found


def _missing(id: str, error: ImportError) -> str:
    """What to install for an import that failed: the extra that brings the module, or that is named like the id."""
    module = (error.name or "").partition(".")[0]
    for wanted, extra in _requirements():
        if _same(wanted, module):
            return _install(module, extra)
    extras = {extra for _, extra in _requirements()}
    return _install(module, id) if id in extras else f"needs {module}: pip install {module}"


def _install(module: str, extra: str) -> str:
    return f"needs {module}: pip install '{DISTRIBUTION}[{extra}]'"


def _same(requirement: str, module: str) -> bool:
    return requirement.lower().replace("-", "_") == module.lower().replace("-", "_")
