"""Runs and models that ``agentgym doctor`` looks at: whole ones, and damage that was planted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agentgym.doctor import Finding
from agentgym.launch.examining import is_run, model_findings, run_findings
from tests.typed import Typed, agentgym

__all__ = ["agentgym"]


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    there = tmp_path / "copy"
    shutil.copytree(finished, there, symlinks=True)
    return there


def found(run: Path) -> dict[str, Finding]:
    return {each.name: each for each in run_findings(run)}


def ills(run: Path) -> list[Finding]:
    return [each for each in run_findings(run) if not each.passed]


def test_a_whole_run_passes(run: Path) -> None:
    seen = found(run)
    assert not ills(run)
    assert seen["outcome"].detail.startswith("it came to its end, test success ")
    num = len((run / "metrics.jsonl").read_text().splitlines())
    assert seen["metrics"].detail == f"{num} lines, all of them whole"
    assert any(name.startswith("checkpoint ") for name in seen)
    assert any(name.startswith("policy ") for name in seen)
    assert int(seen["episodes"].detail.split()[0]) > 0


def test_damaged_files_are_named_with_what_mends_them(run: Path) -> None:
    weights = next((run / "checkpoints").rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-8])
    with (run / "metrics.jsonl").open("a") as lines:
        lines.write('{"stage": "train", "upd')
        lines.write("\n{}\n")
    (run / "episodes.sqlite").write_bytes(b"SQLite format 3\0" + b"\1" * 4000)
    told = {each.name.partition(" ")[0]: each for each in ills(run)}
    assert set(told) == {"checkpoint", "metrics", "episodes", "alarms"}
    assert str(weights) in told["checkpoint"].detail
    assert told["checkpoint"].cure.startswith(f"agentgym train --resume {run}")
    assert "metrics.jsonl" in told["metrics"].detail
    assert told["episodes"].cure.startswith("mv ")


def test_a_run_without_settings_or_with_a_link_to_nowhere_is_named(run: Path) -> None:
    (run / "policy").unlink()
    (run / "policy").symlink_to("policies/gone")
    (told,) = ills(run)
    assert "leads to policies/gone, which is not there" in told.detail
    (run / "config.json").write_text("{")
    assert [each.name for each in ills(run)] == ["settings", "outcome"]
    assert is_run(str(run))
    assert not is_run(str(run / "checkpoints"))
    (run / "config.json").unlink()
    assert "it has no config.json" in found(run)["settings"].detail
    assert is_run(str(run))


def test_a_run_that_was_interrupted_is_gone_on_with(run: Path) -> None:
    (run / "report.json").unlink()
    seen = found(run)["outcome"]
    assert (seen.status, seen.detail) == ("info", "it did not come to its end")
    assert seen.cure.startswith(f"agentgym train --resume {run}")


def test_what_an_alarm_means_is_told_with_what_to_change(run: Path) -> None:
    lines = [{"stage": "train", "update": i, "time": 0.0, "old_kl": 9.0} for i in range(1, 30)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    seen = found(run)["alarm steps too large"]
    assert seen.status == "info"
    assert seen.detail.startswith("an update moves the policy too far from the one that played (old_kl 9, bound ")
    assert seen.cure == "lower --trainer.learning_rate, --trainer.epochs or --trainer.minibatches"


def test_a_model_is_looked_at_without_its_weights(run: Path, agentgym: Typed) -> None:
    policy = (run / "policy").resolve()
    for weights in policy.glob("*.safetensors"):
        weights.unlink()
    seen = {each.name: each.status for each in model_findings(str(policy))}
    assert seen["loads_the_tokenizer"] == "pass"
    assert seen["keeps_the_prefix"] == "pass"
    (policy / "tokenizer.json").write_text("{")
    (broken,) = model_findings(str(policy))
    assert (broken.status, "tokenizer.json" in broken.detail) == ("FAIL", True)
    assert broken.cure.startswith("ls -l ")
    assert agentgym("doctor", "--model", policy)[0] == 1
    assert agentgym("doctor", "--model", "./nothing")[0] == 2


def test_doctor_takes_a_run_a_model_or_the_machine(run: Path, agentgym: Typed) -> None:
    code, printed, errors = agentgym("doctor", run, "--json", "run.json")
    assert code == 0, errors
    assert "it came to its end" in printed
    written = json.loads(Path("run.json").read_text())
    assert (written["run"], written["passed"]) == (str(run), True)
    code, printed, _ = agentgym("doctor", "--machine", "--json", "machine.json")
    assert {"python", "torch", "memory", "containers", "chromium"} <= {
        each["name"] for each in json.loads(Path("machine.json").read_text())["findings"]
    }
    for typed, told in (
        (["doctor"], "nothing to check; type: agentgym doctor ENV, doctor RUN, doctor --model M, or doctor --machine"),
        (["doctor", run, "--machine"], "RUN and --machine are checked one at a time"),
        (["doctor", "--machine", "--model", "x"], "--model and --machine are checked one at a time"),
        (["doctor", run, "--protocol=plain"], "--protocol has no effect with RUN"),
        (["doctor", run, "--quick"], "--quick has no effect with RUN"),
        (
            ["doctor", "--machine", "--protocol=plain"],
            "--protocol=plain has no effect without an environment; type: agentgym doctor ENV",
        ),
        (["doctor", "--model", "nano"], "nano is made anew for each environment; type: agentgym doctor ENV --model"),
        (["doctor", "--model", "openai:http://localhost:1/v1"], "what a server has cannot be looked at from here"),
    ):
        code, _, errors = agentgym(*typed)
        assert code == 2
        assert told in errors
