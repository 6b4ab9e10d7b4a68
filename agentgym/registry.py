"""Everything that is chosen by name: environments and what is around them, rewards, critics, protocols, engines, …

A plug-in's id is the name of its file (or folder). Listing reads file names only; a module is
imported when its plug-in is asked for. From outside the package a plug-in comes in by an entry point
in the group ``agentgym.<kind>``, by ``@register`` in any imported module, or by a path
``path/to/file.py[:Name]``. Adding one touches one file.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, overload

from pydantic import BaseModel

from agentgym.config import validated
from agentgym.errors import ConfigError, EnvError, UnknownIdError, UserError, did_you_mean
from agentgym.exits import contained
from agentgym.gymnasium_specs import gymnasium_id, tell_gymnasium
from agentgym.own_files import load_file
from agentgym.signature import Signature, arguments, both, settings_of

__all__ = ["KINDS", "EnvFactory", "Registry", "gymnasium_id", "make", "plugins", "register"]

P = TypeVar("P", bound=Callable[..., Any])

KINDS = {
    "environments": "agentgym.environments",
    "augmentations": "agentgym.augmentations",
    "rewards": "agentgym.rewards",
    "protocols": "agentgym.protocols",
    "curricula": "agentgym.curricula",
    "searches": "agentgym.searches",
    "critics": "agentgym.critics",
    "engines": "agentgym.actors",
    "trainers": "agentgym.trainers",
}
"""Kind of plug-in → package whose files are its ids."""

_GIVEN = {"engines": ("module",), "curricula": ("tasks", "seed"), "augmentations": ("env",)}
"""Parameters of constructors that are no settings: what they get is made here."""


class Registry:
    """The plug-ins of one kind."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package
        self.one = {"curricula": "curriculum", "searches": "search"}.get(kind, kind[:-1])
        """What one of them is called."""
        self._plugins: dict[str, Callable[..., Any]] = {}

    def ids(self) -> list[str]:
        """Every id that can be asked for, without importing one of them."""
        return sorted({*self._file_names(), *(point.name for point in self._entry_points()), *self._plugins})

    def add(self, plugin: Callable[..., Any], id: str) -> None:
        """Enter ``plugin`` under ``id``. Raises ConfigError when another one has that id."""
        known = self._plugins.get(id, plugin)
        if known is not plugin and _origin(known) != _origin(plugin):
            raise self._clash(id, _origin(known), plugin)
        if id in self._file_names() and not plugin.__module__.startswith(self.package + "."):
            raise self._clash(id, f"{self.package}.{id.replace('-', '_')}", plugin)
        self._plugins[id] = plugin
        if inspect.isclass(plugin):
            plugin.plugin_id = id  # type: ignore[attr-defined]

    def _clash(self, id: str, taken_by: object, plugin: Callable[..., Any]) -> ConfigError:
        return ConfigError(
            f'the id "{id}" in {self.kind} is taken by {taken_by}, found it again for {_origin(plugin)}; '
            'rename the file, or name the plug-in: @agentgym.register(id="...")'
        )

    def get(self, id: str) -> Callable[..., Any]:
        """The plug-in of that id or path; imports it if need be. Raises UnknownIdError.

        ``adapter:NAME`` is short for the id ``adapter`` with the option ``name``.
        """
        try:
            with contained():
                return self._got(id)
        except SystemExit as error:
            call = error.code if str(error.code).startswith("os._exit(") else f"sys.exit({error.code!r})"
            raise UserError(
                f'the {self.one} "{id}" calls {call} when it is imported; what its file does beside defining goes '
                'under if __name__ == "__main__"'
            ) from error

    def _got(self, id: str) -> Callable[..., Any]:
        if ".py" in id:
            return self._from_path(id)
        id, _ = _with_name(id)
        if id not in self._plugins and "_" in id and (hyphened := id.replace("_", "-")) in self.ids():
            id = hyphened  # as the file is named
        if id not in self._plugins:
            self._import(id)
        return self._plugins[id]

    def settings(self, id: str) -> type[BaseModel]:
        """What the plug-in of that id or path can be told. Raises UnknownIdError."""
        plugin = self.get(id)
        if self._is_product(plugin):
            return Signature
        own, shared = self._own_settings(plugin), getattr(plugin, "shared_settings", None)
        return own if shared is None else both(own, shared)

    def build(self, id: str, options: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        """The plug-in of that id with these options; ``args`` and ``kwargs`` are what it is given besides.

        Raises UnknownIdError, or ConfigError for options that it does not take, under the keys of the command line.
        """
        plugin, settings = self.get(id), self.checked(id, options or {})
        if self._is_product(plugin):
            return plugin
        shared = getattr(plugin, "shared_settings", None)
        others = set(shared.model_fields) - set(self._own_settings(plugin).model_fields) if shared else set()
        if isinstance(settings, Signature):
            own = {name: value for name, value in arguments(settings).items() if name not in others}
            made = plugin(*args, **kwargs, **own)
        else:
            made = plugin(*args, settings, **kwargs)
        if shared is not None:
            made.take(shared.model_validate({name: getattr(settings, name) for name in others}))
        return made

    def _own_settings(self, plugin: Callable[..., Any]) -> type[BaseModel]:
        return settings_of(plugin, _GIVEN.get(self.kind, ()))

    def checked(self, id: str, options: Mapping[str, Any], *, where: str = "") -> BaseModel:
        """The settings of that plug-in with these options, which are typed ``where`` that is said.

        Raises UnknownIdError or ConfigError.
        """
        keys = {"environments": "env", "rewards": f"rewards.{id}", "augmentations": f"augment.{id}"}
        key = where or keys.get(self.kind, self.one)
        settings, (short, named) = self.settings(id), _with_name(id)
        if named and "name" not in settings.model_fields and settings.model_config.get("extra") != "allow":
            raise ConfigError(
                f'the {self.one} "{short}" takes no name behind a colon, found "{id}"; its options are '
                f"{', '.join(f'--{key}.{name}' for name in settings.model_fields) or 'none'}"
            )
        return validated(settings, {**named, **options}, where=key)

    def _is_product(self, plugin: Callable[..., Any]) -> bool:
        """Whether the plug-in is itself what others make: a reward that is a plain function."""
        return self.kind == "rewards" and inspect.isroutine(plugin)

    def _import(self, id: str) -> None:
        if id in self._file_names():
            importlib.import_module(f"{self.package}.{id.replace('-', '_')}")
        for point in self._entry_points():
            if point.name == id and id not in self._plugins:
                plugin = point.load()
                self._check_kind(plugin, point.value)
                self.add(plugin, id)
        if id not in self._plugins:
            hint = _file_meant(id) or did_you_mean(id, self.ids())
            raise UnknownIdError(
                f'unknown {self.one} "{id}".{hint} Known: {", ".join(self.ids())}. '
                "A file of your own is given by its path: ./mine.py or ./mine.py:Name"
            )

    def _from_path(self, spec: str) -> Callable[..., Any]:
        path, _, name = spec.partition(".py:")
        file = Path(path if path.endswith(".py") else path + ".py").resolve()
        module = load_file(file)
        if name:
            if not callable(plugin := getattr(module, name, None)):
                known = [plugin.__name__ for plugin in self._found_in(module)]
                hint = did_you_mean(name, vars(module)) or (f" It has: {', '.join(known)}" if known else "")
                raise UnknownIdError(f'{file} has no "{name}".{hint}')
        else:
            plugin = self._only_plugin(module, file)
        self._check_kind(plugin, file)
        if plugin not in self._plugins.values():
            _enter(plugin, kind=self.kind)
        return plugin

    def _check_kind(self, plugin: Callable[..., Any], home: object) -> None:
        """Raises UserError. A function makes an environment where one is asked for; elsewhere it is a reward."""
        default = self.kind if self.kind == "environments" and inspect.isroutine(plugin) else "rewards"
        if getattr(plugin, "plugin_kind", default) != self.kind:
            raise UserError(f"{plugin.__name__} in {home} is no {self.one}: it derives from none")

    def _only_plugin(self, module: ModuleType, file: Path) -> Callable[..., Any]:
        registered = [plugin for plugin in self._plugins.values() if plugin.__module__ == module.__name__]
        found = registered or self._found_in(module)
        if len(found) != 1:
            names = [plugin.__name__ for plugin in found]
            others = ", ".join(plugin.__name__ for plugin in _entered_from(module))
            raise UserError(
                f"{file} must register exactly one of {self.kind}, found {', '.join(names) or 'none'}"
                f"{f' ({others}: no {self.one})' if others and not names else ''}; add @agentgym.register above it, "
                f"or name it: {file.name}:{' or '.join(names) or 'Name'}"
            )
        return found[0]

    def _found_in(self, module: ModuleType) -> list[Callable[..., Any]]:
        """What could be a plug-in of this kind among what ``module`` itself defines, registered or not."""
        return [
            value
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__
            and not name.startswith("_")
            and not inspect.isabstract(value)
            and (inspect.isclass(value) or (self.kind == "rewards" and inspect.isroutine(value)))
            and getattr(value, "plugin_kind", "rewards" if inspect.isroutine(value) else "") == self.kind
        ]

    def _file_names(self) -> list[str]:
        spec = importlib.util.find_spec(self.package)
        paths = spec.submodule_search_locations if spec else None
        names = [module.name for module in pkgutil.iter_modules(paths or [])]
        return [name.replace("_", "-") for name in names if not name.startswith("_")]

    def _entry_points(self) -> Iterable[Any]:
        return entry_points(group=f"agentgym.{self.kind}")


def _with_name(id: str) -> tuple[str, dict[str, str]]:
    """An id without the name that it may have behind a colon, and the option that the name is."""
    if ".py" in id or ":" not in id:
        return id, {}
    id, _, name = id.partition(":")
    return id, {"name": name}


def _file_meant(id: str) -> str:
    """What to say where an id looks like a file, or is the name of one."""
    if Path(f"{id}.py").is_file():
        return f' Did you mean "{_from_here(Path(f"{id}.py"))}"?'
    if Path(id).is_dir():
        inside = [_from_here(file) for file in sorted(Path(id).glob("*.py")) if not file.stem.startswith("_")]
        return f" That is a folder{', with ' + ', '.join(inside[:5]) if inside else ''}."
    return ""


def _from_here(file: Path) -> str:
    """``file`` as it can be typed for a plug-in."""
    return str(file) if file.is_absolute() or str(file).startswith("..") else f"./{file}"


_REGISTRIES = {kind: Registry(kind, package) for kind, package in KINDS.items()}


def plugins(kind: str) -> Registry:
    """The registry of one kind, a key of ``KINDS``."""
    return _REGISTRIES[kind]


@overload
def register(plugin: P) -> P: ...
@overload
def register(*, id: str | None = None) -> Callable[[P], P]: ...
def register(plugin: P | None = None, *, id: str | None = None) -> P | Callable[[P], P]:
    """Enter a class or function into the registry of its kind; its id is the file's name.

    The kind of a class is its base's (``agentgym.Env``, ``Trainer``, …); a function is a reward.
    A second class of the same file gets the id ``file-Class``.
    """
    if plugin is None:
        return lambda plugin: _enter(plugin, id)
    return _enter(plugin, id)


def _enter(plugin: P, id: str | None = None, kind: str | None = None) -> P:
    kind = kind or str(getattr(plugin, "plugin_kind", "rewards"))
    table = plugins(kind)
    id = id or _id_from_file(plugin, table)
    table.add(plugin, id)
    if kind == "environments":
        tell_gymnasium(id)
    return plugin


def _id_from_file(plugin: Callable[..., Any], table: Registry) -> str:
    module = plugin.__module__
    if module.startswith(table.package + "."):
        return module.removeprefix(table.package + ".").partition(".")[0].replace("_", "-")
    file = getattr(sys.modules.get(module), "__file__", None)
    stem = Path(file).stem if file else module.rpartition(".")[2]
    other = table._plugins.get(stem)
    same_file = other is not None and other.__module__ == module and other.__name__ != plugin.__name__
    return f"{stem}-{plugin.__name__}" if same_file else stem


def _origin(plugin: Callable[..., Any]) -> tuple[str | None, str]:
    code = sys.modules.get(plugin.__module__)
    return getattr(code, "__file__", plugin.__module__), plugin.__qualname__


def _entered_from(module: ModuleType) -> list[Callable[..., Any]]:
    """The plug-ins of every kind that a module has registered."""
    tables = _REGISTRIES.values()
    return [plugin for table in tables for plugin in table._plugins.values() if plugin.__module__ == module.__name__]


def tell_gymnasium_of_all() -> None:
    """Make every environment that lies in the package known to ``gymnasium.make``, unimported."""
    for id in plugins("environments").ids():
        tell_gymnasium(id)


@dataclasses.dataclass(frozen=True, slots=True)
class EnvFactory:
    """Makes one environment again and again, also in another process: it is data."""

    id: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    augment: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    """Augmentations around it and their options, the innermost first."""

    def __call__(self) -> Any:
        env = make(self.id, **self.options)
        for id, options in self.augment.items():
            env = plugins("augmentations").build(id, options, env)
        return env


def make(id: str, **options: Any) -> Any:
    """An environment by id or path. Raises UnknownIdError, or ConfigError for an option that it does not take.

    One that calls ``sys.exit`` raises EnvError, as it would when it plays.
    """
    from agentgym.wrapper import adopted  # Gymnasium's wrappers are imported only with an environment

    try:
        return adopted(plugins("environments").build(id, options))
    except SystemExit as error:
        raise EnvError(f'the environment "{id}" raised SystemExit: {error.code} when it was made') from error
