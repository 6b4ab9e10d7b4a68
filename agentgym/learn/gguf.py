"""Models in one GGUF file: read by transformers' own reader, once, into a directory in its own format.

That directory lies in the user's cache (``XDG_CACHE_HOME``), under a name that follows from the file's content. What
the reader leaves out or takes otherwise than the file says (how text is split, scaled rotary positions, the width of
heads) is put right before anything is loaded, or refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentgym import sealed
from agentgym.errors import MissingExtraError, UserError
from agentgym.extras import require
from agentgym.learn.gguf_header import Header, read_header
from agentgym.learn.gguf_text import refuse_unknown_splits, split_as_trained
from agentgym.scratch import scratch

__all__ = ["content_hash", "default_cache", "gguf_in", "unpacked"]

_RECIPE = 1
"""Part of the name of every directory in the cache; to be raised when files are unpacked in another way."""

_F32 = 0
_WEIGHTS = (".safetensors", ".bin")
_FILE_NAMES = {"qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe", "gpt_oss": "gpt-oss", "minimax_m2": "minimax-m2"}
"""Names of architectures in files, where the reader lists them by other ones."""
_NO_LANGUAGE_MODELS = {"general", "tokenizer", "t5", "umt5"}
_PLAIN_ROPE = {"llama", "mistral", "qwen2", "qwen3", "qwen2moe", "qwen3moe", "stablelm", "starcoder2"}
"""Architectures whose configuration takes scaled rotary positions as one setting for all layers."""
_LARGEST = {"gemma2": 46, "gemma3": 62}
"""Layers of the one size whose queries are scaled by the share of a head, which no file says, and not by its width."""


def gguf_in(source: str | Path) -> Path | None:
    """The file that ``source`` means: itself, or the one GGUF file of a directory that has no other model.

    Raises UserError where a directory has several.
    """
    place = Path(source)
    if place.is_file():
        return place
    files = [path for path in place.iterdir() if path.is_file()] if place.is_dir() else []
    found = sorted(path for path in files if path.suffix.lower() == ".gguf")
    others = [path for path in files if path.suffix in _WEIGHTS or path.name == "adapter_config.json"]
    if not found or others:
        return None
    if len(found) > 1:
        raise UserError(
            f'cannot load the model "{source}": it has {len(found)} GGUF files ({", ".join(p.name for p in found)}); '
            f"say which: --model {found[0]}"
        )
    return found[0]


def default_cache() -> Path:
    """The folder of unpacked files in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentgym" / "gguf"


def content_hash(file: Path) -> str:
    """SHA-256 of the file, computed once as long as it does not change."""
    found = file.stat()
    return _hashed(file.resolve(), found.st_size, found.st_mtime_ns)


@functools.lru_cache
def _hashed(file: Path, size: int, changed: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unpacked(file: Path) -> Path:
    """The directory of the model in ``file``, in the format of transformers; made if the cache has none.

    Raises UserError for a file that is damaged or of an architecture that cannot be read, before anything is loaded,
    and where the cache cannot be written or has no room.
    """
    header = read_header(file)
    _refuse_unreadable(header)
    import transformers

    name = f"{content_hash(file)[:32]}-{_RECIPE}-{transformers.__version__}"
    directory = default_cache() / name
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _alone(directory.with_name(f"{name}.lock")):
            if not _is_whole(directory):
                _refuse_full_disk(header, directory)
                if directory.exists():
                    sealed.discard(directory)
                _say(f"unpacking {file}, once, into {directory} ({4 * _numbers(header) / 1e9:.1f} GB)")
                sealed.seal(directory, lambda new: _fill(new, header))
    except OSError as error:
        if error.errno is None:  # no disk's: transformers says so of what it cannot read
            raise
        raise UserError(
            f'cannot load the model "{file}": it cannot be unpacked into {directory.parent}: {error}; choose another '
            "folder for caches: XDG_CACHE_HOME=DIR"
        ) from error
    return directory


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Holds the lock file; it is another file description for every caller, so threads wait as processes do."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_whole(directory: Path) -> bool:
    """Whether ``directory`` has all files in the sizes in which they were written."""
    try:
        files = json.loads((directory / "manifest.json").read_text())["files"]
        return all((directory / name).stat().st_size == file["size"] for name, file in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _refuse_full_disk(header: Header, directory: Path) -> None:
    needed, free = 4 * _numbers(header), shutil.disk_usage(directory.parent).free
    if needed > free:
        raise UserError(
            f'cannot load the model "{header.file}": unpacked it takes {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are '
            f"free in {directory.parent}; choose another folder for caches: XDG_CACHE_HOME=DIR"
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -- what can be read --------------------------------------------------------------------------------------


def _refuse_unreadable(header: Header) -> None:
    require("accelerate", extra="gguf")  # transformers' reader asks for it
    from transformers import __version__
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    if importlib.util.find_spec("transformers.integrations.gguf") is None:
        raise MissingExtraError(
            f"this needs transformers 5.19 or newer, found {__version__}; type: pip install 'agentgym-lab[gguf]'"
        )
    from transformers.integrations.gguf.gguf_config_mapping import GGUF_CONFIG_ARCHS

    listed = {*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_CONFIG_ARCHS} - _NO_LANGUAGE_MODELS
    readable = {_FILE_NAMES.get(name, name) for name in listed}
    if header.architecture not in readable:
        raise UserError(
            f'cannot load the model "{header.file}": its architecture is "{header.architecture}", which transformers '
            f"{__version__} does not read as a language model from GGUF; it reads {', '.join(sorted(readable))}; "
            "choose one of these, or the model's directory in the form of transformers"
        )
    refuse_unknown_splits(header)
    _rope(header)


def _rope(header: Header) -> dict[str, Any] | None:
    """How rotary positions are scaled, which the reader leaves out; None where they are not, or it takes care itself.

    Raises UserError for ways that cannot be told to transformers.
    """
    kind, factor = header.own("rope.scaling.type"), header.own("rope.scaling.factor")
    told = {key.rpartition(".")[2] for key in header.metadata if ".rope.scaling." in key}
    tables = {name for name in header.tensors if name.startswith(("rope_freqs", "rope_factors"))}
    if header.architecture == "gpt-oss" or not (tables or kind not in (None, "none")):
        return None
    limit = header.own("rope.scaling.original_context_length")
    is_plain = header.architecture in _PLAIN_ROPE and told <= {"type", "factor", "original_context_length", "finetuned"}
    if is_plain and factor and not tables:
        if kind == "linear":
            return {"rope_type": "linear", "factor": factor}
        if kind == "yarn" and limit:
            return {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": limit}
    if is_plain and tables == {"rope_freqs.weight"} and kind in (None, "none"):
        return _as_llama3(header)
    raise _unscaled(header, f'"{kind}"' if kind else ", ".join(sorted(tables)))


def _as_llama3(header: Header) -> dict[str, Any]:
    """Llama 3's way, of which the file has the divisors of frequencies and not the settings that they follow from."""
    import numpy as np

    tensor = header.tensors["rope_freqs.weight"]
    if tensor.type != _F32:
        raise _unscaled(header, f"rope_freqs.weight of type {tensor.type}")
    with header.file.open("rb") as stream:
        stream.seek(tensor.start)
        found = np.frombuffer(stream.read(tensor.end - tensor.start), np.float32)
    factor, low, high, limit = float(found.max(initial=1.0)), 1.0, 4.0, 8192
    theta, num = float(header.own("rope.freq_base") or 10000.0), len(found)
    turns = np.clip((limit * theta ** (-np.arange(num) / num) / (2 * math.pi) - low) / (high - low), 0.0, 1.0)
    if not np.allclose(found, 1 / ((1 - turns) / factor + turns), rtol=1e-3):
        raise _unscaled(header, "rope_freqs.weight, other than Llama 3's")
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": limit,
    }


def _unscaled(header: Header, way: str) -> UserError:
    return UserError(
        f'cannot load the model "{header.file}": its rotary positions are scaled in a way that transformers does not '
        f"read from GGUF ({header.architecture}: {way}): what it says would be another model's; choose the model's "
        "directory in the form of transformers, or its Hugging Face id"
    )


# -- unpacking ---------------------------------------------------------------------------------------------


def _fill(directory: Path, header: Header) -> None:
    """Write what transformers reads from the file: configuration, tokenizer with its template, weights in float32."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    with scratch() as place, _quiet():  # beside it may lie what is taken for a part of the model
        os.symlink(header.file.resolve(), place / "model.gguf")
        alone = str(place)
        config = AutoConfig.from_pretrained(alone, gguf_file="model.gguf", trust_remote_code=False)
        _correct(config, header)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(alone, gguf_file="model.gguf")
        split_as_trained(tokenizer, header)
        kind: Any = AutoModelForCausalLM
        module, found = kind.from_pretrained(
            alone,
            gguf_file="model.gguf",
            config=config,
            dtype=torch.float32,
            trust_remote_code=False,
            output_loading_info=True,
        )
        _refuse_losses(module, sorted(found["missing_keys"]), header)
        _as_unquantized(module)
        _put_ends(module, header)
        module.save_pretrained(directory)
        tokenizer.save_pretrained(directory)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's bars and its advice to install more."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(before)


def _correct(config: Any, header: Header) -> None:
    """Put into ``config`` what the reader leaves out."""
    width = header.own("attention.key_length")
    if width and header.architecture in ("llama", "mistral", "qwen3"):
        config.head_dim = width
    if header.architecture in _LARGEST and header.own("attention.head_count"):
        is_largest = header.own("block_count") == _LARGEST[header.architecture]
        share = header.own("embedding_length") // header.own("attention.head_count")
        config.query_pre_attn_scalar = share if is_largest else width or config.query_pre_attn_scalar
    if header.architecture == "gpt2" and header.own("context_length"):
        config.n_positions = header.own("context_length")
    if config.pad_token_id is not None and config.pad_token_id >= config.vocab_size:
        config.pad_token_id = None  # the default of a type, of another vocabulary
    if scaled := _rope(header):
        config.rope_parameters = {**config.rope_parameters, **scaled}


def _refuse_losses(module: Any, missing: list[str], header: Header) -> None:
    """Raise UserError where the file's numbers are not those of ``module``: too few, too many or not finite."""
    if missing:
        raise UserError(
            f'cannot load the model "{header.file}": it has no weights for {", ".join(missing[:3])}, which would be '
            "random; download it again, or choose another file of this model"
        )
    taken = sum(parameter.numel() for parameter in module.parameters())
    over = _numbers(header) - taken
    if over > 0 and not header.own("nextn_predict_layers"):
        raise UserError(
            f'cannot load the model "{header.file}": it holds {_numbers(header):,} numbers, a '
            f"{type(module).__name__} of its settings takes {taken:,}: the others would be left out; choose the "
            "model's directory in the form of transformers, or its Hugging Face id"
        )
    wrong = next((name for name, tensor in module.named_parameters() if not tensor.isfinite().all()), None)
    if wrong:
        raise UserError(
            f'cannot load the model "{header.file}": it is damaged: "{wrong}" is not finite; download it again'
        )


def _numbers(header: Header) -> int:
    """Of the model: tables of rotary positions are computed, and a head that is the embedding is held once."""
    tied = header.architecture in ("falcon", "bloom")
    return sum(
        tensor.numbers
        for name, tensor in header.tensors.items()
        if not name.startswith("rope_") and not (tied and name == "output.weight")
    )


def _as_unquantized(module: Any) -> None:
    """Forget that ``module`` came from blocks: otherwise it can be neither saved nor trained."""
    for holder, name in ((module.config, "quantization_config"), (module, "quantization_method")):
        if hasattr(holder, name):
            delattr(holder, name)
    module.hf_quantizer, module.is_quantized = None, False
    if hasattr(module.config, "_model_name_or_path"):
        del module.config._model_name_or_path  # the model's title, which is no place


def _put_ends(module: Any, header: Header) -> None:
    """All tokens that end a reply: a file has them under several names, the reader takes the first."""
    keys = ("eos", "eot", "eom")
    ends = [header.metadata.get(f"tokenizer.ggml.{key}_token_id") for key in keys]
    known = list(dict.fromkeys(int(end) for end in ends if end is not None))
    if len(known) > 1:
        module.generation_config.eos_token_id = known
