"""What a run needs and is not to be had: a model, and packages; found out without torch, and within a second."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from agentgym.errors import UserError, did_you_mean
from agentgym.extras import installed
from agentgym.launch.settings import TrainSettings
from agentgym.learn.gguf import gguf_in
from agentgym.learn.gguf_header import read_header
from agentgym.learn.sources import EXPECTED
from agentgym.registry import plugins

__all__ = ["refuse_missing_model", "refuse_unloadable"]

_CONFIGS = ("config.json", "adapter_config.json")
_ANSWER_SECONDS = 10.0
"""That Hugging Face may take to say whether it has a model."""


def refuse_missing_model(settings: TrainSettings) -> None:
    """Raise UserError where the model is a path that leads nowhere; a name may be one of Hugging Face or a server."""
    id, path = settings.model.id, Path(settings.model.id)
    looks_like_one = path.is_absolute() or id.startswith((".", "~")) or len(path.parts) > 2 or path.suffix == ".gguf"
    if (looks_like_one or path.parts[:1] == ("runs",)) and not (path.exists() or _is_served(settings)):
        kind = "file" if path.suffix == ".gguf" else "directory"
        beside = [*(each.parent for each in path.parent.glob("*/config.json")), *path.parent.glob("*.gguf")]
        raise UserError(
            f'cannot load the model "{id}": there is no such {kind}.'
            f"{did_you_mean(str(path), list(map(str, beside)))} Expected {EXPECTED}"
        )


def refuse_unloadable(settings: TrainSettings) -> None:
    """Raise UserError where the engine or LoRA lacks a package, or the model is none, here or at Hugging Face.

    It is asked there only for what is in no directory and in no cache.
    """
    refuse_missing = getattr(plugins("engines").get(settings.engine.id), "refuse_missing", None)
    if refuse_missing is not None:
        refuse_missing()
    id, path = settings.model.id, Path(settings.model.id)
    if settings.model.options.get("lora"):
        installed("peft", extra="lora")
    if id == "nano":
        return
    if path.exists():
        _refuse_other_place(path)
    elif not (_is_served(settings) or _is_cached(id)) and (reason := _why_not_there(id)):
        raise UserError(f'cannot load the model "{id}": {reason};{_run_meant(id)} expected {EXPECTED}')


def _is_served(settings: TrainSettings) -> bool:
    return bool(getattr(plugins("engines").get(settings.engine.id), "has_own_model", False))


def _refuse_other_place(path: Path) -> None:
    """Raise UserError for a file or directory of something else, and for a GGUF file whose header is damaged."""
    if not path.is_dir() and path.suffix != ".gguf":
        raise UserError(f'cannot load the model "{path}": it is a file; expected {EXPECTED}')
    if (path / "policy").is_dir() or any((path / name).is_file() for name in _CONFIGS):
        return
    file = gguf_in(path)
    if file is not None:
        read_header(file)
        return
    inside = sorted(str(each.parent) for name in _CONFIGS for each in path.glob(f"*/{name}"))
    hint = f' did you mean "{inside[0]}"?' if inside else ""
    raise UserError(f'cannot load the model "{path}": that directory has no config.json;{hint} expected {EXPECTED}')


def _run_meant(id: str) -> str:
    """The run here whose name that is, or nearly so."""
    runs = {each.parent.name: each.parent for each in Path("runs").glob("*/config.json")}
    close = difflib.get_close_matches(Path(id).name, runs, n=1, cutoff=0.7)
    return f' did you mean "{runs[close[0]]}"?' if close else ""


def _is_cached(id: str) -> bool:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return any(isinstance(try_to_load_from_cache(id, name), str) for name in _CONFIGS)
    except HFValidationError:
        return False


def _why_not_there(id: str) -> str:
    """Why Hugging Face does not give the model of that id; "" where it does, or may do so later."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    api: Any = HfApi()
    try:
        api.model_info(id, timeout=_ANSWER_SECONDS)
    except HFValidationError:
        return "there is no such directory, and it is no Hugging Face id, which is NAME or OWNER/NAME"
    except GatedRepoError:
        return "Hugging Face gives it to those alone who asked for it there; do, then type: hf auth login"
    except RepositoryNotFoundError:
        return "there is no such directory, and Hugging Face has no such model (a private one wants: hf auth login)"
    except HfHubHTTPError:  # it is busy: whoever loads it tries more than once
        return ""
    except Exception as error:  # of whichever HTTP package there is
        if "Timeout" in type(error).__name__:
            return ""
        return (
            "there is no such directory, it is not in the cache of Hugging Face, and Hugging Face cannot be reached "
            f"({error})"
        )
    return ""
