"""Where a run runs: what of the machine and of the packages may change what comes out, or how fast."""

from __future__ import annotations

import os
import platform
import resource
import sys
from importlib import metadata

import numpy as np
import torch
import transformers

__all__ = ["machine", "peak_memory"]


def machine() -> dict[str, str]:
    """Names and values, for a report."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "agentgym": _version(),
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "GPU": device,
    }


def _version() -> str:
    try:
        return metadata.version("agentgym-lab")
    except metadata.PackageNotFoundError:  # run from its source
        return "not installed"


def peak_memory() -> int:
    """The most that this process has held so far, in bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
