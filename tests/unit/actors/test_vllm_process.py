"""How vLLM's processes are started, in place of which another program is. vLLM itself is not run."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.actors.vllm_kit import without_vllm

SHOW = "import json, os; print(json.dumps([os.getsid(0) == os.getpid(), dict(os.environ)]))"


def test_they_have_a_session_of_their_own_and_are_no_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "h",
        "MASTER_PORT": "1",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    for name, value in {**told, "OMP_NUM_THREADS": "3"}.items():
        monkeypatch.setenv(name, value)
    with without_vllm():
        process: Any = importlib.import_module("agentgym.actors.vllm.process")
        monkeypatch.setattr(process.utils, "get_mp_context", None, raising=False)
        with process._own_session(tmp_path, None):
            shown = subprocess.run([tmp_path / "python", "-c", SHOW], capture_output=True, text=True, check=True)
    leads, environment = json.loads(shown.stdout)
    assert leads
    assert not told.keys() & environment.keys()
    assert environment["OMP_NUM_THREADS"] == "3"
    assert os.environ["WORLD_SIZE"] == "2", "this process is one still"
