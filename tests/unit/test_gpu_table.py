"""The GPU table, tiny and on the CPU: what it counts, its rows, and that parts fail one by one."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu_rows import learner, models
from benchmarks.gpu_rows.bench import Bench, NotHereError, Rows, row
from tests.kit import ROOT

BENCH = Bench(torch.device("cpu"), is_tiny=True)
PARTS = ("learner-135M-float32-full", "parity-135M", "update-135M")
NAMES = {
    *("device", "is tiny", "driver", "python", "torch", "CUDA of torch", "transformers", "peft", "vllm"),
    "learner 135M, float32, full, matrix products",
    *(
        f"learner 135M, float32, full, {kind}, {what}"
        for kind in ("packed", "padded")
        for what in ("step", "tokens", "utilization", "peak memory", "peak memory / estimate")
    ),
    *(
        f"parity 135M, {pair}, {what}"
        for pair in ("float32 against float32", "bfloat16 against bfloat16", "bfloat16 against float32")
        for what in ("largest difference", "mean")
    ),
    "update 135M, embedded",
    "update 135M, embedded, rate",
}


@pytest.mark.slow
def test_tiny_on_the_cpu_every_row_is_there(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--tiny", "--json", str(file), "--rows", *PARTS],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows: Rows = json.loads(file.read_text())
    assert set(rows) == NAMES
    assert rows["is tiny"]["value"] == "True"
    for name, found in rows.items():
        assert set(found) == {"value", "target", "unit"}, name
        assert name in done.stdout
        if found["unit"]:
            assert math.isfinite(found["value"]), name
            assert found["value"] >= 0, name
    assert rows["parity 135M, float32 against float32, largest difference"]["value"] < 1e-4
    assert rows["parity 135M, bfloat16 against float32, mean"]["value"] > 1e-5  # two number formats
    assert rows["learner 135M, float32, full, packed, tokens"]["value"] > 0


def test_operations_by_hand() -> None:
    """Llama, 2 layers, width 96, 3 heads of 32 and 1 of keys, feed-forward 128, vocabulary 512, embeddings tied.

    A layer has 96 × 96 × 2 of query and output, 96 × 32 × 2 of keys and values, 3 × 96 × 128 of feed-forward and two
    normalizations of 96: 61,632; two layers and the last normalization 123,360. Rows of 4 and 8 tokens train 2 and 4:
    2 × 123,360 × 12 + 2 × 512 × 96 × 6 + 4 × 2 × 96 × (16 + 64) / 2 = 3,581,184.
    """
    module = models.make(BENCH, "135M", torch.float32)
    rows = models.rows_of(512, [4, 8])
    assert learner.operations(module, rows, backward=0) == 3_581_184
    assert learner.operations(module, rows, backward=2) == 3 * 3_581_184


def test_every_model_and_kind_has_its_part() -> None:
    assert len([name for name in gpu.table() if name.startswith("learner-")]) == 2 * 2 * 3
    assert sum(name.startswith(("engine-", "parity-", "update-", "vllm-")) for name in gpu.table()) == 2 * (2 + 3)
    assert next(iter(gpu.table())) == "device"


def test_parts_are_chosen_by_the_beginnings_of_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    assert list(gpu.chosen(["parity", "resume"], parser)) == ["device", "parity-135M", "parity-0.6B", "resume"]
    with pytest.raises(SystemExit):
        gpu.chosen(["praity"], parser)
    assert 'begins with "praity"; expected beginnings of device, engine-135M-float32' in capsys.readouterr().err


def fails(bench: Bench) -> Rows:
    raise RuntimeError("out of\nmemory")


def lacks(bench: Bench) -> Rows:
    raise NotHereError("peft is not installed")


def dies(bench: Bench) -> Rows:
    os._exit(7)


def hangs(bench: Bench) -> Rows:
    time.sleep(600)
    return {}


def works(bench: Bench) -> Rows:
    return row("pages", 3.0, "pages")


def test_parts_fail_one_by_one_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = {"device": 60.0, "lacks": 60.0, "fails": 60.0, "dies": 60.0, "hangs": 0.5, "works": 60.0}
    measures = {"device": works, "lacks": lacks, "fails": fails, "dies": dies, "hangs": hangs, "works": works}
    monkeypatch.setattr(gpu, "table", lambda: {name: gpu.Part(measures[name], parts[name]) for name in parts})
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--tiny", "--json", str(tmp_path / "rows.json")])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 1
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert rows["pages"] == {"value": 3.0, "target": "-", "unit": "pages"}
    assert rows["lacks"]["skipped"] == "peft is not installed"
    assert {name: found["error"] for name, found in rows.items() if "error" in found} == {
        "fails": "RuntimeError: out of memory",
        "dies": "its process ended with exit code 7",
        "hangs": "not done after 0 s, and ended",
    }
    assert "3 of 6 parts failed: fails, dies, hangs" in capsys.readouterr().err


def test_what_the_time_does_not_suffice_for_has_failed() -> None:
    (found,) = gpu.measured("train", BENCH, 0.0).values()
    assert found["error"] == "the time was up before it began; give more: --seconds"
