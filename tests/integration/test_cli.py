"""The commands as they are typed: what they print, and how bad input ends (code 2, a clear message, no files)."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym import store
from agentgym.archive import Archive
from agentgym.reports import told_gain
from agentgym.types import SamplingRecord
from tests.kit import BELL, CHATML, ROOT, byte_tokenizer, report, tiny_model
from tests.typed import Typed, agentgym

__all__ = ["agentgym"]

RECORDED = "recorded/new_environment-0"
NO_EXPERT = str(ROOT / "tests" / "contract" / "examples" / "guess_color.py")


def test_a_malformed_catalogue_names_file_and_record(agentgym: Typed, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    for name in ("items_shuffle.json", "items_ins_v2.json", "items_human_ins.json"):
        (catalogue / name).write_text('[{"asin": "B1", "name": 7}]' if "shuffle" in name else "{}")
    code, _, errors = agentgym("train", "--env", "webshop", "--env.catalogue", catalogue)
    assert code == 2
    assert re.search(r"items_\w+\.json.*(record|product|item|B1)", errors), errors
    (catalogue / "items_shuffle.json").write_text("[{")
    code, _, errors = agentgym("train", "--env", "webshop", "--env.catalogue", catalogue)
    assert code == 2
    assert "items_shuffle.json" in errors
    assert list(Path().rglob("*")) == []


def save_model(directory: Path, template: str | None) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(directory)
    tiny_model(vocab_size=len(tokenizer), initializer_range=0.02).save_pretrained(directory)
    return directory


def test_a_model_without_a_chat_template(agentgym: Typed, tmp_path: Path) -> None:
    code, _, errors = agentgym("train", "--env", BELL, "--model", save_model(tmp_path / "model", None))
    assert code == 2
    assert "has no chat template" in errors
    assert list(Path().rglob("*")) == []


@pytest.mark.slow
def test_lora_has_two_spellings_and_its_rank_needs_it(agentgym: Typed, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    model = save_model(tmp_path / "model", CHATML)
    bell = ["train", "--env", BELL, "--model", model, "--protocol", "plain", "--updates", 0, "--eval.episodes", 1]
    bell += ["--eval.validation_episodes", 1, "--rollout.max_reply_tokens", 2]
    code, _, errors = agentgym(*bell, "--model.lora_rank", 8)
    assert code == 2
    assert "model: lora_rank has no effect without LoRA; add --lora" in errors
    assert list(Path().rglob("*")) == []
    for name, spelled in (("short", ["--lora"]), ("long", ["--model.lora", "true"])):
        code, _, errors = agentgym(*bell, *spelled, "--model.lora_rank", 4, "--output", name)
        assert code == 0, errors
        assert json.loads((Path(name) / "policy" / "adapter_config.json").read_text())["r"] == 4


def test_a_run_is_never_overwritten(agentgym: Typed, finished: Path) -> None:
    before = {file: file.read_bytes() for file in finished.rglob("*") if file.is_file()}
    code, _, errors = agentgym("train", "--env", BELL, "--output", finished)
    assert code == 2
    assert f"{finished} already holds a run; type: agentgym train --resume {finished}" in errors
    code, _, errors = agentgym("train", "--resume", finished, "--updates", 9, "--seed", 1)
    assert code == 2
    assert f"--resume goes on with the settings of {finished}; leave out updates, seed" in errors
    assert {file: file.read_bytes() for file in finished.rglob("*") if file.is_file()} == before


def test_flags_win_over_the_file(agentgym: Typed, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        f'env = "{NO_EXPERT}"\nupdates = 3\n[model]\nid = "nano"\nwidth = 16\nfeed_forward = 8\n'
        "[trainer]\ngroups = 2\ngroup_size = 2\n[eval]\nepisodes = 3\nvalidation_episodes = 2\n"
    )
    code, printed, errors = agentgym("train", "--config", file, "--updates", 1, "--trainer.groups", 1)
    assert code == 0, errors
    output = Path("runs/guess_color-grpo-0")
    assert f"report: {output}/report.json" in printed
    config = json.loads((output / "config.json").read_text())
    assert (config["updates"], config["trainer"]["groups"], config["trainer"]["group_size"]) == (1, 1, 2)
    assert [config["model"][key] for key in ("id", "width", "feed_forward", "layers")] == ["nano", 16, 8, 2]
    report = json.loads((output / "report.json").read_text())
    assert report["wall_seconds"] > 0
    page = (output / "report.html").read_text()
    assert "--trainer.group_size 2" in page  # the command that begins it again
    assert page.count("<details>") > 1  # its settings, and episodes to read
    for when in ("before", "after"):
        low, high = report["eval"][when]["ci95"]
        assert low <= report["eval"][when]["success"] <= high
        assert report["eval"][when]["episodes"] == report["eval"][when]["tasks"] == 3
    gains = report["gain"]
    assert gains["sampled"]["tasks"] == gains["greedy"]["tasks"] == 3
    assert gains["sampled"]["success"] == report["eval"]["after"]["success"] - report["eval"]["before"]["success"]
    for name, gained in gains.items():
        assert f"{name} test success {told_gain(gained)}" in errors
    assert "solved_before" not in report
    assert (output / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_envs_and_init_and_doctor(agentgym: Typed) -> None:
    code, printed, _ = agentgym("envs", "webshop")
    assert code == 0
    assert "webshop" in printed
    code, printed, errors = agentgym("init", "env", "ringer")
    assert code == 0, errors
    assert "agentgym play ./ringer.py" in printed
    code, printed, _ = agentgym("doctor", "./ringer.py", "--quick")
    assert code == 0
    assert "FAIL" not in printed
    assert printed.count("pass") >= 5


def test_doctor_ends_with_1_for_a_broken_environment(agentgym: Typed) -> None:
    Path("broken.py").write_text(
        "import agentgym\n\n\n@agentgym.register\nclass Broken(agentgym.Env):\n"
        "    def reset(self, *, seed=None, options=None):\n        return 'Go.', {}\n\n"
        "    def step(self, action):\n        return 'Done.', float('nan'), True, False, {}\n"
    )
    code, printed, _ = agentgym("doctor", "./broken.py", "--quick")
    assert code == 1
    assert "FAIL" in printed


def test_play_reads_what_is_piped(agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("north\n:quit\n"))
    code, printed, errors = agentgym("play", BELL, "--seed", 3)
    assert code == 0, errors
    assert printed.count("A bell rings in the") == 2


def test_eval_repeats_what_the_report_says(agentgym: Typed, finished: Path) -> None:
    expected = report(finished)["eval"]["after"]["greedy"]
    given = ["--model", finished, "--episodes", 6, "--temperature", 0]
    code, printed, errors = agentgym("eval", *given, "--json", "score.json", "--trajectories", "played.jsonl")
    assert code == 0, errors
    score = json.loads(printed)
    assert json.loads(Path("score.json").read_text()) == score
    assert (score["success"], score["reward"], score["episodes"]) == (expected["success"], expected["reward"], 6)
    played = list(store.read(Path("played.jsonl")))
    assert sum(trajectory.success for trajectory in played) == round(6 * score["success"])
    assert {trajectory.split for trajectory in played} == {"test"}
    assert expected["reward"] > 0


def test_what_is_recorded_can_be_trained_on_and_what_is_evaluated_cannot(agentgym: Typed, finished: Path) -> None:
    code, printed, errors = agentgym("record", "--model", finished, "--episodes", 2, "--samples", 3)
    assert code == 0, errors
    assert "6 episodes of 2 tasks, success " in printed
    assert f"are in {RECORDED}; type: agentgym train --trainer dpo (or sft) --trainer.data {RECORDED}" in printed
    with Archive.open(Path(RECORDED)) as archive:
        played = list(archive.episodes())
    assert {episode.split for episode in played} == {"train"}
    assert {episode.sampling for episode in played} == {SamplingRecord(temperature=1.0)}
    assert len({episode.task for episode in played}) == 2
    assert len({(episode.task, *episode.samples[0].token_ids.tolist()) for episode in played}) > 2
    trained = ("train", "--env", BELL, "--model.width", 32, "--updates", 0, "--trainer", "dpo", "--trainer.data")
    code, _, errors = agentgym("record", "--model", finished)
    assert (code, "exists already, and episodes are not mixed; choose another --output" in errors) == (2, True)
    agentgym(
        "eval", "--model", finished, "--samples", 2, "--temperature", 0.5, "--episodes", 2, "--trajectories", "tests"
    )
    code, _, errors = agentgym(*trained, "tests")
    assert code == 2
    assert "tests has 4 episodes of held-out tasks (episode evaluate-0, " in errors
    with Archive.open(Path("tests")) as archive:
        store.append(Path("older.jsonl"), [each.model_copy(update={"split": ""}) for each in archive.episodes()])
    code, _, errors = agentgym(*trained, "older.jsonl", "--trainer.reference", "model")
    assert code == 2
    assert "older.jsonl has 4 episodes of held-out tasks (episode evaluate-0, " in errors
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "typed", ["train --env webshp", "train --env webshop --trainer.foo 3", "train --env webshop --help", "play --help"]
)
def test_a_mistake_and_help_are_answered_without_anything_large(typed: str) -> None:
    program = (
        f"import sys; sys.argv = ['agentgym', *{typed.split()!r}]\n"
        "from agentgym import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "large = {'torch', 'transformers', 'vllm', 'scipy', 'matplotlib'} & sys.modules.keys()\n"
        "assert not large, large"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_the_console_script_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agentgym.cli", "train", "--env", "webshp"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=60, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 2
    assert done.stderr.startswith('error: unknown environment "webshp". Did you mean "webshop"?')
    assert list(tmp_path.iterdir()) == []
