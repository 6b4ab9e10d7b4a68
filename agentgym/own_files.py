"""Python files of one's own: imported by path, once, under a name that hides nothing."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from agentgym.blame import own_frames, place
from agentgym.errors import AgentGymError, UnknownIdError, UserError, did_you_mean
from agentgym.exits import contained, own

__all__ = ["function_from", "is_importable", "load_file"]

_LOADED: dict[Path, ModuleType] = {}
"""What was asked for once: a search through all modules takes milliseconds."""


def load_file(file: Path) -> ModuleType:
    """Import ``file`` once, so that a second asking finds the same classes.

    Under its stem, or, where a module of that name can be imported, under one that does not hide it.
    """
    known = _LOADED.get(file)
    if known is not None and sys.modules.get(known.__name__) is known:
        return known
    for module in list(sys.modules.values()):
        loaded = getattr(module, "__file__", None)
        if loaded and loaded.endswith(".py") and _resolved(loaded) == file:
            _LOADED[file] = module
            return module
    if not file.is_file():
        beside = [each.name for each in file.parent.glob("*.py")]
        raise UserError(f"no such file: {file}.{did_you_mean(file.name, beside)}".removesuffix("."))
    name = _module_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    own(str(file))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, AgentGymError) or not isinstance(error, Exception):
            raise  # an end of the program among them: ``get`` says what that is
        raise UserError(_why_not_imported(file, error)) from error
    _LOADED[file] = module
    return module


def function_from(spec: str) -> Callable[..., Any]:
    """A function that is an option: ``path/to/file.py:name``. Raises UnknownIdError where there is none."""
    path, _, name = spec.partition(".py:")
    with contained():
        module = load_file(Path(f"{path.removesuffix('.py')}.py").resolve())
    found = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
    function: Callable[..., Any] | None = getattr(module, name or "", None)
    if not callable(function):
        hint = did_you_mean(name, found) or f" It has: {', '.join(found) or 'no function'}"
        raise UnknownIdError(
            f'{module.__file__} has no "{name}".{hint}' if name else f"{spec} names no function.{hint}"
        )
    return function


def is_importable(name: str) -> bool:
    """Whether a new process would find a module ``name``: one that was loaded here by its path does not count."""
    return any(finder.find_spec(name, None) is not None for finder in sys.meta_path)


def _why_not_imported(file: Path, error: Exception) -> str:
    """What an author's file raised when it was imported, and where."""
    said = error.msg if isinstance(error, SyntaxError) else error
    where = place(error) if own_frames(error) else file  # one that lies among what is installed is nobody's own
    told = f"cannot import {where}: {type(error).__name__}: {said}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        is_beside = (file.parent / f"{package}.py").is_file() or (file.parent / package).is_dir()
        how = f"PYTHONPATH={file.parent} agentgym …" if is_beside else f"pip install {package}"
        return f"{told}; type: {how}"
    return told


@functools.cache
def _resolved(file: str) -> Path:
    """Kept, because every environment that is made by path asks for that of every module."""
    return Path(file).resolve()


def _module_name(file: Path) -> str:
    name = file.stem
    other = importlib.util.find_spec(name) if name.isidentifier() and name not in sys.modules else None
    if name.isidentifier() and name not in sys.modules and (other is None or other.origin == str(file)):
        return name
    return f"agentgym_file_{hashlib.blake2b(str(file).encode(), digest_size=4).hexdigest()}_{name}"
