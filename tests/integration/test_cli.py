"""The commands as they are typed: what they print, and how bad input ends (code 2, a clear message, no files)."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentgym import cli, store
from agentgym.archive import Archive
from agentgym.launch import train
from agentgym.launch.settings import TrainSettings
from agentgym.reports import told_gain
from agentgym.types import SamplingRecord
from tests.kit import byte_tokenizer, tiny_model

ROOT = Path(__file__).parents[2]
BELL = str(ROOT / "examples" / "new_environment.py")
NO_EXPERT = str(ROOT / "tests" / "contract" / "examples" / "guess_color.py")

RECORDED = "recorded/new_environment-0"
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def agentgym(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Typed]:
    """Types a command in an empty folder; gives back exit code, output and errors."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    handler = signal.getsignal(signal.SIGTERM)

    def typed(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["agentgym", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
        except SystemExit as left:
            code = int(left.code or 0)
        else:
            code = 0
        return code, *capsys.readouterr()

    yield typed
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    return train(
        {
            "env": BELL,
            "model": {"id": "nano", "width": 32, "feed_forward": 32},
            "trainer": {"id": "grpo", "groups": 2, "group_size": 4},
            "rollout": {"max_reply_tokens": 3},
            "warm_start": {"max_updates": 20, "check_every": 20, "learning_rate": 0.01, "warmup_updates": 0},
            "eval": {"episodes": 20, "validation_episodes": 4},
            "updates": 1,
            "output": tmp_path_factory.mktemp("cli") / "run",
        }
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("train", "nothing to train on; type: agentgym train --env webshop"),
        ("train --env webshp", 'unknown environment "webshp". Did you mean "webshop"?'),
        ("train --env ./nowhere.py", "no such file"),
        ("train --env BELL --trainer.group_sise 4", 'unknown key "trainer.group_sise". Did you mean "group_size"?'),
        ("train --env BELL --updates 3 --udpates 3", 'unknown key "udpates". Did you mean "updates"?'),
        ("train --env BELL --env.size 3", 'unknown key "env.size". Known here: none'),
        ("train --env BELL --trainer grop", 'unknown trainer "grop". Did you mean "grpo"?'),
        ("train --env BELL --protocol.style x --protocol plain", 'unknown key "protocol.style"'),
        ("train --env BELL --engine.max_contxt 64", 'Did you mean "max_context"?'),
        ("train --env BELL --rewards.nothing 1", 'unknown reward "nothing"'),
        ("train --env BELL --rewards.turn-cost.free_turns -1", "rewards.turn-cost.free_turns: Input should be greater"),
        ("train --env blocksworld --env.level b33", 'env.level is "b33". Did you mean "b3"? Known: b3, b4'),
        ("eval --model ./nowhere --env BELL --updates 3", 'unknown key "updates"'),
        ("eval --model ./nowhere --env BELL --rewards.success 1", 'unknown key "rewards"'),
        ("train --env BELL --rewards./nowhere.py:judge 1", "no such file: /nowhere.py"),
        ("train --env BELL --model ./nowhere --rollout.shaping_seconds 3", "has no effect without rewards"),
        ("eval --model ./nowhere --env BELL --rollout.temperature 1", 'unknown key "rollout.temperature"'),
        ("play BELL --model ./nowhere --rewards.success 1", 'unknown key "rewards"'),
        ("serve BELL --protocol plain", 'unknown key "protocol"'),
        ("doctor BELL --engine embedded", 'unknown key "engine"'),
        ("train --env NO_EXPERT --warm_start.until 0.5", "warm_start.until has no effect"),
        ("train --env NO_EXPERT --warm_start.enabled true", "has no expert() to imitate"),
        ("train --env NO_EXPERT --trainer sft", "has no expert() to imitate"),
        ("train --env BELL --trainer sft --warm_start.max_updates 5", "warm_start.max_updates has no effect"),
        ("train --env BELL --model.lora_rank 8", "model.lora_rank"),
        ("train --env BELL --lora", 'unknown key "model.lora"'),
        ("train --env BELL --engine.max_context 8", "the first observation takes"),
        ("train --env BELL --updates many", "updates: Input should be a valid integer"),
        ("train --env BELL --seed -1", "seed: Input should be greater than or equal to 0"),
        ("train --env BELL --warm_start.until 2", "warm_start.until: Input should be less than or equal to 1"),
        ("train --env BELL --model.width 30 --model.heads 4", "width 30 must be a multiple"),
        ("train --env BELL --model ./nowhere", 'cannot load the model "./nowhere"'),
        ("train --env BELL updates 3", 'expected a flag such as --seed or --env.catalogue, found "updates"'),
        ("train --resume ./nowhere", "nowhere is not a run directory"),
        ("train --config ./nowhere.toml", "nowhere.toml: No such file or directory"),
        ("eval --model nano --env BELL", "pass the run directory"),
        ("eval --env BELL", "Missing option '--model'"),
        ("eval --env BELL --model ./nowhere --episodes 0", "0 is not in the range"),
        ("eval --env BELL --model ./nowhere --samples 8", "8 equal episodes of each task; add --temperature 1"),
        ("record --env BELL --model ./nowhere --temperature 0", "8 equal episodes of each task; add --temperature 1"),
        ("record --env BELL --model ./nowhere --rollout.temperature 1", 'unknown key "rollout.temperature"'),
        ("record --env BELL --model ./nowhere -o .", ". exists already"),
        ("train --env BELL --trainer dpo --trainer.data gone", "what agentgym record --output gone writes"),
        ("play webshp", 'Did you mean "webshop"?'),
        ("play BELL --updates 3", "updates"),
        ("doctor webshp", 'Did you mean "webshop"?'),
        ("init env webshop", "agentgym init env my_webshop"),
        ("trian --env BELL", "No such command 'trian'"),
    ],
)
def test_bad_input_is_told_and_leaves_nothing_behind(typed: str, told: str, agentgym: Typed) -> None:
    code, _, errors = agentgym(*typed.replace("BELL", BELL).replace("NO_EXPERT", NO_EXPERT).split())
    assert code == 2, errors
    assert told in errors
    assert "Traceback" not in errors
    assert list(Path().rglob("*")) == []


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


def test_an_unwritable_run_directory(agentgym: Typed, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("dear to me")  # root may write anywhere but below a file
    code, _, errors = agentgym("train", "--env", BELL, "--output", tmp_path / "file" / "run")
    assert code == 2
    assert f"cannot write the run directory {tmp_path}/file/run" in errors
    assert (tmp_path / "file").read_text() == "dear to me"


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


def test_lora_has_two_spellings_and_its_rank_needs_it(agentgym: Typed, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    from tests.kit import CHATML

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


def test_a_run_is_never_overwritten(agentgym: Typed, run: Path) -> None:
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    code, _, errors = agentgym("train", "--env", BELL, "--output", run)
    assert code == 2
    assert f"{run} already holds a run; type: agentgym train --resume {run}" in errors
    code, _, errors = agentgym("train", "--resume", run, "--updates", 9, "--seed", 1)
    assert code == 2
    assert f"--resume goes on with the settings of {run}; leave out updates, seed" in errors
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_bad_toml_and_unknown_keys_in_it(agentgym: Typed, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    for text, told in [
        ("updates = = 3", f"{file} is not valid TOML"),
        (f'env = "{BELL}"\n[eval]\nepisode = 3', 'unknown key "eval.episode". Did you mean "episodes"?'),
        (f'env = "{BELL}"\nupdates = "x"', "updates: Input should be a valid integer"),
        ("updates = 3", "env: Field required"),
    ]:
        file.write_text(text)
        code, _, errors = agentgym("train", "--config", file)
        assert (code, told in errors) == (2, True), errors
    assert list(Path().rglob("*")) == []


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
    assert config["model"] == {"id": "nano", "width": 16, "feed_forward": 8}
    report = json.loads((output / "report.json").read_text())
    assert report["wall_seconds"] > 0
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


def keys(settings: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in settings.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.model_config.get("extra") == "forbid":
            yield from keys(kind, f"{prefix}{name}.")
        else:
            yield f"--{prefix}{name}"


def test_help_lists_every_setting_with_its_meaning(agentgym: Typed) -> None:
    code, printed, _ = agentgym("train", "--help")
    assert code == 0
    wanted = {*keys(TrainSettings), "--trainer.group_size", "--model.width", "--engine.max_context"}
    assert wanted - shown_in(printed) == set()


def test_help_shows_the_defaults_of_the_chosen_model(agentgym: Typed) -> None:
    """Zero among them, which is a number like others."""
    _, of_nano, _ = agentgym("train", "--help")
    _, of_another, _ = agentgym("train", "--model", "HF", "--help")
    meaning = "End a training episode at the first invalid action beyond so many."
    assert f"{meaning} [0]" in " ".join(of_nano.split())
    assert f"{meaning} [" not in " ".join(of_another.split())


@pytest.mark.parametrize(
    ("typed", "wanted", "unwanted"),
    [
        ("train --env webshop --help", {"--env.catalogue", "--env.observation_mode"}, {"--env.level"}),
        ("train --help --trainer sft --model HF", {"--trainer.batch_size", "--model.lora"}, {"--model.width"}),
        ("train --env BELL --rewards.turn-cost 1 --help", {"--rewards.turn-cost.free_turns"}, {"--env.level"}),
        ("eval --env blocksworld --help", {"--env", "--env.level", "--rollout.top_k", "--threads"}, {"--updates"}),
        ("record --env webshop --help", {"--env.catalogue", "--rollout.top_p"}, {"--updates", "--trainer"}),
        ("play webshop --help", {"--env.catalogue", "--protocol", "--rollout.max_reply_tokens"}, {"--rewards"}),
        ("play --help", {"--task", "--engine"}, {"--env.catalogue"}),
        ("serve blocksworld -h", {"--port", "--env.level"}, {"--protocol"}),
        ("doctor gymnasium:FrozenLake-v1 --help", {"--env.make", "--protocol"}, {"--engine", "--rollout"}),
    ],
)
def test_help_shows_what_the_command_and_what_is_named_take(
    typed: str, wanted: set[str], unwanted: set[str], agentgym: Typed
) -> None:
    code, printed, errors = agentgym(*typed.replace("BELL", BELL).split())
    assert code == 0, errors
    assert wanted - shown_in(printed) == set()
    assert unwanted & shown_in(printed) == set()


def shown_in(printed: str) -> set[str]:
    """The keys that have a line of their own."""
    return {line.split()[0] for line in printed.split("Ids (")[0].splitlines() if line.startswith("  --")} | {
        line.split()[0] for line in printed.partition("Ids (")[2].splitlines() if re.match(r"  --\w[\w-]*\.", line)
    }


def test_help_for_what_there_is_not(agentgym: Typed) -> None:
    code, _, errors = agentgym("train", "--env", "webshp", "--help")
    assert code == 2
    assert 'Did you mean "webshop"?' in errors


def test_envs_and_init_and_doctor(agentgym: Typed) -> None:
    code, printed, _ = agentgym("envs")
    assert code == 0
    assert "webshop" in printed
    code, printed, errors = agentgym("init", "env", "ringer")
    assert code == 0, errors
    assert "agentgym play ./ringer.py" in printed
    code, printed, _ = agentgym("doctor", "./ringer.py")
    assert code == 0
    assert "FAIL" not in printed
    assert printed.count("pass") >= 5


def test_doctor_ends_with_1_for_a_broken_environment(agentgym: Typed) -> None:
    Path("broken.py").write_text(
        "import agentgym\n\n\n@agentgym.register\nclass Broken(agentgym.Env):\n"
        "    def reset(self, *, seed=None, options=None):\n        return 'Go.', {}\n\n"
        "    def step(self, action):\n        return 'Done.', float('nan'), True, False, {}\n"
    )
    code, printed, _ = agentgym("doctor", "./broken.py")
    assert code == 1
    assert "FAIL" in printed


def test_play_reads_what_is_piped(agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("north\n:quit\n"))
    code, printed, errors = agentgym("play", BELL, "--seed", 3)
    assert code == 0, errors
    assert printed.count("A bell rings in the") == 2


def test_eval_repeats_what_the_report_says(agentgym: Typed, run: Path) -> None:
    report = json.loads((run / "report.json").read_text())["eval"]["after"]["greedy"]
    code, printed, errors = agentgym(
        "eval",
        "--model",
        run,
        "--episodes",
        20,
        "--temperature",
        0,
        "--json",
        "score.json",
        "--trajectories",
        "played.jsonl",
    )
    assert code == 0, errors
    score = json.loads(printed)
    assert json.loads(Path("score.json").read_text()) == score
    assert (score["success"], score["reward"], score["episodes"]) == (report["success"], report["reward"], 20)
    played = list(store.read(Path("played.jsonl")))
    assert sum(trajectory.success for trajectory in played) == round(20 * score["success"])
    assert {trajectory.split for trajectory in played} == {"test"}
    assert report["reward"] > 0


def test_what_is_recorded_can_be_trained_on_and_what_is_evaluated_cannot(agentgym: Typed, run: Path) -> None:
    code, printed, errors = agentgym("record", "--model", run, "--episodes", 2, "--samples", 3)
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
    code, _, errors = agentgym("record", "--model", run)
    assert (code, "exists already, and episodes are not mixed; choose another --output" in errors) == (2, True)
    agentgym("eval", "--model", run, "--samples", 2, "--temperature", 0.5, "--episodes", 2, "--trajectories", "tests")
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
