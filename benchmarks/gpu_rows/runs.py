"""Whole runs on the device, as they are typed: one that is killed and goes on, and a short training."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from agentgym.learn import checkpoint
from agentgym.learn.policy import load_policy
from benchmarks.gpu_rows import models
from benchmarks.gpu_rows.bench import Bench, Rows, row

__all__ = ["measure_resume", "measure_train"]

ROOT = Path(__file__).parents[2]
BELL = str(ROOT / "examples" / "new_environment.py")
"""Three turns, four answers; it has an expert, so that a policy from nothing learns something."""

COMMON = {
    "env": BELL,
    "threads": 1,
    "protocol": "plain",
    "rollout.max_reply_tokens": 8,
    "eval.episodes": 4,
    "eval.validation_episodes": 4,
    "eval.every": 100,
}

UPDATES, KILLED_AT = 5, 3


def measure_resume(bench: Bench) -> Rows:
    """A run of imitation that gets SIGKILL after some updates and goes on, beside one that does not.

    That both end the same to the bit is promised on a CPU; on a GPU the difference is only told. What a checkpoint
    holds must come back to the bit everywhere.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = models.write(bench, "135M", Path(folder) / "model", num_hidden_layers=2)
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        settings = {**COMMON, "model": str(model), "model.device": str(bench.device), "trainer": "sft"}
        settings |= {"updates": UPDATES, "checkpoint_seconds": 0, "keep_checkpoints": UPDATES + 4}
        finish(train({**settings, "output": str(whole)}, folder), folder)
        kill(train({**settings, "output": str(killed)}, folder), killed, folder)
        back = returned(bench, checkpoint.finished(killed / "checkpoints")[-1])
        began = time.perf_counter()
        finish(agentgym(["train", "--resume", str(killed)], folder), folder)
        seconds = time.perf_counter() - began
        expected, found = (last_weights(run) for run in (whole, killed))
        learned = apart(expected, load_file(model / "model.safetensors"))
    if not learned:
        raise AssertionError("the run that was not killed has learned nothing: there is nothing to compare")
    target = "= 0" if bench.device.type == "cpu" else "-"
    rows = row("resume, weights back from the checkpoint, largest difference", back, "weight", "= 0")
    rows |= row("resume, killed against whole, largest difference", apart(expected, found), "weight", target)
    rows |= row("resume, largest change by training", learned, "weight", "> 0")
    return rows | row("resume, from the command to the end", seconds, "s")


def measure_train(bench: Bench) -> Rows:
    """``agentgym train``: imitation, then PPO, which learns from every episode; its critic is on the device too.

    The pretrained model where it is, else random weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        run, place = Path(folder) / "run", models.written(bench)
        model = place or models.write(bench, "135M", Path(folder) / "model")
        updates, learning_rate = (2, 1e-3) if bench.is_tiny else (4, 3e-4)
        settings = {**COMMON, "model": str(model), "model.device": str(bench.device), "output": str(run)}
        settings |= {"warm_start.enabled": "true", "warm_start.max_updates": 10 * updates, "updates": updates}
        settings |= {"warm_start.learning_rate": learning_rate, "warm_start.check_every": 10}
        settings |= {"trainer": "ppo", "trainer.episodes": 8 * updates}
        began = time.perf_counter()
        finish(train(settings, folder), folder)
        seconds = time.perf_counter() - began
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    imitated, reinforced = ([line for line in lines if line["stage"] == stage] for stage in ("warm_start", "train"))
    if len(reinforced) != updates:
        raise AssertionError(f"{updates} updates were asked for, {len(reinforced)} are in metrics.jsonl")
    gaps = [line["engine_gap"] for line in lines if "engine_gap" in line]
    rows = row("train, from the command to the end", seconds, "s")
    rows |= row("train, imitation, an update learns", _middle(imitated, "learn_seconds"), "s")
    rows |= row("train, PPO, an update plays", _middle(reinforced, "play_seconds"), "s")
    rows |= row("train, PPO, an update learns", _middle(reinforced, "learn_seconds"), "s")
    return rows | row("train, engine against learner, largest difference", max(gaps), "nats", "<= 1e-3")


def _middle(lines: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(line[key] for line in lines))


# -- processes -------------------------------------------------------------------------------------------


def train(settings: dict[str, Any], folder: str) -> subprocess.Popen[bytes]:
    """``agentgym train`` with ``settings``, begun."""
    return agentgym(["train", *(word for key, value in settings.items() for word in (f"--{key}", str(value)))], folder)


def agentgym(arguments: list[str], folder: str) -> subprocess.Popen[bytes]:
    """The command, begun; what it says goes to a file in ``folder``."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with _log(folder).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "agentgym.cli", *arguments],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )


def finish(process: subprocess.Popen[bytes], folder: str) -> None:
    """Wait for it. Raises RuntimeError where it fails, with the end of what it said."""
    if code := process.wait():
        raise RuntimeError(f"agentgym ended with exit code {code}: {_log(folder).read_text()[-600:].strip()}")


def kill(process: subprocess.Popen[bytes], run: Path, folder: str) -> None:
    """Send SIGKILL once ``run`` has some checkpoints. Raises RuntimeError where it is over before that."""
    while len(list((run / "checkpoints").glob("[!.]*-train-*"))) < KILLED_AT:
        if process.poll() is not None:
            raise RuntimeError(f"the run was over before it was killed: {_log(folder).read_text()[-600:].strip()}")
        time.sleep(0.005)
    process.kill()
    if process.wait() != -signal.SIGKILL:
        raise RuntimeError("the run was over before it was killed")


def _log(folder: str) -> Path:
    return Path(folder) / "log.txt"


# -- weights ---------------------------------------------------------------------------------------------


def returned(bench: Bench, place: Path) -> float:
    """The largest difference between what the checkpoint ``place`` holds and the policy that is loaded from it."""
    policy = load_policy(place / "policy", device=str(bench.device))
    weights = {name: weight.cpu() for name, weight in policy.weights()}
    return apart(load_file(place / "policy" / "model.safetensors"), weights)


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    """After the last update; what stands behind it is the best policy, which may be that of the beginning."""
    trained = [place for place in checkpoint.finished(run / "checkpoints") if "-train-" in place.name]
    return load_file(trained[-1] / "policy" / "model.safetensors")


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of a weight. Raises ValueError where they are not of one model."""
    if one.keys() != other.keys():
        raise ValueError(f"weights of two models: {', '.join(sorted(one.keys() ^ other.keys())[:3])}")
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)
