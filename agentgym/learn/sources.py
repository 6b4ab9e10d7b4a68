"""Where a model's files are, and which of them is broken.

An adapter needs the model that it was trained on. Beside an adapter that is saved here stands where that is, by its
absolute path and from the adapter: a run that is moved together with its model still finds it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentgym.errors import AgentGymError, ConfigError, DataError, UserError
from agentgym.learn.gguf import gguf_in, unpacked

__all__ = [
    "EXPECTED",
    "base_of",
    "directory_of",
    "is_adapter",
    "is_here",
    "loading",
    "note_base",
    "policy_source",
    "refuse_no_tokenizer",
    "refuse_other_rank",
]

EXPECTED = (
    "a run directory, a directory with config.json and model.safetensors, a .gguf file, or a Hugging Face id such as "
    "Qwen/Qwen3-0.6B"
)

_BASE = "base_model.json"
_POINTER = b"version https://git-lfs"
_LARGEST_POINTER = 1024
_LEFT_OUT = ("generation_config.json", "tokenizer_config.json")
"""Files that transformers does without where they cannot be read: replies would end elsewhere."""
_OBJECTS = ("config.json", "adapter_config.json", "special_tokens_map.json", *_LEFT_OUT)
_TOKENIZERS = ("tokenizer.json", "*.model", "vocab*", "*.tiktoken", "tekken.json")


def is_here(source: str | Path) -> bool:
    """Whether ``source`` is on this machine: a directory, or a file (of GGUF)."""
    return Path(source).is_dir() or Path(source).is_file()


def policy_source(model: str | Path) -> str:
    """Where a policy is loaded from: a run directory means its trained policy.

    Raises DataError where that is a link out of the run.
    """
    trained = Path(model) / "policy"
    there = os.path.realpath(trained)
    if trained.is_symlink() and not Path(there).is_relative_to(os.path.realpath(model)):
        raise DataError(
            f"{trained} is a link to {os.readlink(trained)}, out of the run; to use what is there, type: "
            f"--model {there}"
        )
    return str(trained) if trained.is_dir() else str(model)


def directory_of(base: str) -> str:
    """Where transformers reads the model ``base``: for a GGUF file, where it is unpacked, now if it never was."""
    file = gguf_in(base)
    return base if file is None else str(unpacked(file))


def is_adapter(source: str | Path) -> bool:
    """Whether ``source`` is the directory of an adapter."""
    return (Path(source) / "adapter_config.json").is_file()


def base_of(source: str | Path) -> str:
    """The model to load for ``source``: itself, or what its adapter was trained on. Paths are absolute.

    Raises DataError where an adapter's model is not to be found.
    """
    if not is_adapter(source):
        return str(Path(source).resolve()) if is_here(source) else str(source)
    here = Path(source).resolve()
    stored = str(_read(here / "adapter_config.json").get("base_model_name_or_path"))
    for place in _candidates(here, stored):
        if is_here(place):
            return str(place.resolve())
    if Path(stored).is_absolute() or stored.startswith(".") or stored.count("/") > 1 or stored == "None":
        raise DataError(
            f'the adapter in {source} was trained on the model "{stored}", which is not there; put it back, or write '
            f'where it is as "base_model_name_or_path" into {Path(source) / "adapter_config.json"}'
        )
    return stored


def _candidates(here: Path, stored: str) -> list[Path]:
    """As stored; from the adapter, as it was when it was saved, or was copied from one folder deeper; beside it."""
    noted = _read(here / _BASE).get("relative") if (here / _BASE).is_file() else None
    relative = [Path(os.path.normpath(place / noted)) for place in (here, here / "_")] if noted else []
    return [Path(stored), *relative, here / stored, here.parent / stored]


def note_base(directory: Path, base: str) -> None:
    """Write into the adapter's ``directory`` where its model is, if that is on this machine."""
    if is_here(base):
        relative = os.path.relpath(Path(base).resolve(), directory.resolve())
        (directory / _BASE).write_text(json.dumps({"relative": relative}))


def refuse_other_rank(source: str | Path, rank: int) -> None:
    """Raise ConfigError where the adapter ``source`` has another rank than ``rank``."""
    own = _read(Path(source) / "adapter_config.json").get("r")
    if own != rank:
        raise ConfigError(
            f'model.lora_rank is {rank}, but the adapter "{source}" has rank {own} and keeps it; leave lora_rank out, '
            f"or train a new adapter of the model itself: --model {base_of(source)} --lora --model.lora_rank {rank}"
        )


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise DataError(f"{file} is not a JSON object")
    return content


# -- what is broken --------------------------------------------------------------------------------------


@contextlib.contextmanager
def loading(source: str | Path, *places: str | Path) -> Iterator[None]:
    """While entered, whatever a library raises about a file becomes a UserError that names ``source`` and the file.

    ``places`` are the directories that are read. Raises it first where one has pointers of git-lfs in place of files,
    and for broken files that a library would do without and say nothing.
    ``places`` are what is read. Raises it first where one has pointers of git-lfs in place of files.
    """
    for place in dict.fromkeys(map(Path, (source, *places))):
        _refuse_pointers(source, place)
        _refuse_left_out(source, place)
    try:
        yield
    except (AgentGymError, MemoryError):
        raise
    except Exception as error:
        if not Path(source).exists() and str(source).startswith((".", "/", "~")):
            raise UserError(
                f'there is no directory "{source}" to load a model from, seen from {os.getcwd()}; expected {EXPECTED}'
            ) from None
        broken = (told for place in map(Path, places or (source,)) if (told := _broken(place, error)))
        reason = next(broken, None) or _reason(error)
        raise UserError(f'cannot load the model "{source}": {reason}; expected {EXPECTED}') from None


def _refuse_pointers(source: str | Path, place: Path) -> None:
    for file in _files(place):
        if file.stat().st_size <= _LARGEST_POINTER and file.read_bytes().startswith(_POINTER):
            raise UserError(
                f'cannot load the model "{source}": {file} is a pointer of git-lfs, not the file itself; type: '
                f"git -C {file.parent} lfs pull"
            )


def _refuse_left_out(source: str | Path, place: Path) -> None:
    for name in _LEFT_OUT:
        if (place / name).exists() and (told := _told(place / name)):
            raise UserError(f'cannot load the model "{source}": {told}; download it again, or delete it')


def _reason(error: Exception) -> str:
    if "trust_remote_code" in str(error):
        return (
            "it brings Python code of its own (auto_map in its config.json), which is not run here; choose a model of "
            "a type that transformers has itself"
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = lines[0] if lines else "no reason given"
    # "Error(s) in loading state_dict for X:" alone says nothing.
    told = f"{told} {lines[1]}" if told.endswith(":") and len(lines) > 1 else told
    return told if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {told}"


def _broken(place: Path, error: Exception) -> str | None:
    """The file in ``place`` that ``error`` must be about, and what is wrong with it; None if none is found."""
    import jinja2

    if isinstance(error, jinja2.TemplateError):
        file = place / "chat_template.jinja"
        name = file if file.is_file() else place / "tokenizer_config.json"
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        return f"{name}{line}: the chat template does not work: {error.message}" if place.is_dir() else None
    for file in sorted(place.iterdir()) if place.is_dir() else ():
        if told := _told(file):
            return told
    return _no_tokenizer(place) if "tokenizer" in str(error) else None


def refuse_no_tokenizer(place: Path) -> None:
    """Raise ValueError for a model's directory that has none: an empty one would be made, which says nothing."""
    if not (place / "tokenizer_config.json").exists() and (told := _no_tokenizer(place)):
        raise ValueError(told)


def _no_tokenizer(place: Path) -> str | None:
    if not place.is_dir() or any(any(place.glob(name)) for name in _TOKENIZERS):
        return None
    return f"{place} has no tokenizer: none of {', '.join(_TOKENIZERS)}"


def _told(file: Path) -> str | None:
    """What is wrong with ``file``, if anything is found."""
    if not file.is_file():
        return None if file.is_dir() and not file.suffix else f"{file} is not a plain file"
    try:
        _try_to_read(file)
    except Exception as found:
        return f"{file} is broken, or was not copied in whole: {_reason(found)}"
    return None


def _try_to_read(file: Path) -> None:
    if file.name == "tokenizer.json":
        from tokenizers import Tokenizer

        json.loads(file.read_bytes())  # which tells where it is broken
        Tokenizer.from_file(str(file))
    elif file.suffix == ".json":
        if file.name in _OBJECTS and not isinstance(json.loads(file.read_bytes()), dict):
            raise ValueError("it is not a JSON object")
        json.loads(file.read_bytes())
    elif file.suffix in (".jinja", ".txt"):
        file.read_text(encoding="utf-8")
    elif file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, framework="pt"):
            pass


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else []
