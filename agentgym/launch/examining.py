"""What ``agentgym doctor`` finds in a model and in a run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentgym import sealed
from agentgym.alarms import Alarm, alarms_of
from agentgym.archive import FILE
from agentgym.doctor.cures import Ill, Note, examined
from agentgym.doctor.report import Finding
from agentgym.errors import AgentGymError, UserError
from agentgym.launch.served import PREFIX
from agentgym.launch.speech import spoken
from agentgym.learn.sources import base_of, directory_of, loading, policy_source
from agentgym.registry import plugins
from agentgym.run import Run
from agentgym.tools.forms import FORMS

__all__ = ["is_run", "model_findings", "run_findings"]


def is_run(word: str) -> bool:
    """Whether that is the directory of a run, a damaged one among them."""
    directory = Path(word)
    parts = ("config.json", "ledger.jsonl", "checkpoints", "policies", "metrics.jsonl")
    return directory.is_dir() and sum((directory / name).exists() for name in parts) >= 2


# -- a model -----------------------------------------------------------------------------------------------


def model_findings(model: str) -> list[Finding]:
    """What the tokenizer and the chat template of a model do; one finding where they cannot be loaded.

    No weights are loaded. Raises UserError where there is no such model.
    """
    if model.startswith(PREFIX):
        raise UserError(
            "what a server has cannot be looked at from here; name the model's directory or Hugging Face id"
        )
    if model == "nano":
        raise UserError("nano is made anew for each environment; type: agentgym doctor ENV --model nano")
    spoken({"env": "blocksworld"}, model, note=lambda text: None)  # which refuses what is no model
    source = base_of(policy_source(model)) if Path(model).exists() else model
    try:
        tokenizer = _tokenizer(source)
    except UserError as error:
        return [Finding(name="loads_the_tokenizer", status="FAIL", detail=str(error), cure=_loading_cure(model))]
    from agentgym.doctor.speech import speech_findings

    tools: Any = plugins("protocols").build("tools", {}).suited(*tokenizer.speech)
    name = next((name for name, form in FORMS.items() if type(form) is type(tools.form)), "")
    return [
        Finding(name="loads_the_tokenizer", status="pass", detail=f"{len(tokenizer.hf)} tokens"),
        *speech_findings(tokenizer, form=name),
    ]


def _tokenizer(source: str) -> Any:
    from agentgym.learn.policy import load_tokenizer, saved_ends
    from agentgym.tokenizer import ChatTokenizer

    place = directory_of(source)
    with loading(source, place):
        return ChatTokenizer(load_tokenizer(place), stops=saved_ends(place))


def _loading_cure(model: str) -> str:
    if Path(model).exists():
        return f"ls -l {model}   (put back what is missing or broken there, or download the model again)"
    return f"hf download {model}"


# -- a run -------------------------------------------------------------------------------------------------


def run_findings(directory: Path) -> list[Finding]:
    """Whether the files of a run are what it wrote, how far it came, and what its alarms mean."""
    run = Run(directory)
    config = examined("settings", lambda: _config(run))
    found = [
        config,
        examined("metrics", lambda: f"{len(_put_back(run.metrics))} lines, all of them whole"),
        examined("ledger", lambda: f"{len(_put_back(run.ledger))} entries, all of them whole"),
        examined("episodes", lambda: _episodes(directory)),
        *_sealed("checkpoint", run.checkpoints, lambda: _resume(directory)),
        *_sealed("policy", run.policies, lambda: _resume(directory)),
        examined("outcome", lambda: _outcome(run)),
    ]
    return [*found, *_alarms(run)] if config.passed else found


def _config(run: Run) -> str:
    try:
        config = Run.open(run.directory).config
    except AgentGymError as error:
        raise Ill(str(error), "agentgym train --output NEW   (or put back config.json as it was written)") from None
    chosen = [config.get(key, {}) for key in ("env", "trainer")]
    return " by ".join(str(each.get("id", "?")) if isinstance(each, dict) else str(each) for each in chosen)


def _put_back(read: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    try:
        return read()
    except AgentGymError as error:
        raise Ill(
            str(error), "put back the file as it was written   (a line that was cut off may be deleted)"
        ) from None


def _episodes(directory: Path) -> str:
    file = directory / FILE
    if not file.is_file():
        return Note("no episodes were kept")
    try:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
        try:
            told = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
            num = connection.execute("SELECT count(*) FROM episodes").fetchone()[0] if told == ["ok"] else 0
        finally:
            connection.close()
    except sqlite3.Error as error:
        told, num = [str(error)], 0
    if told != ["ok"]:
        raise Ill(
            f"{file} is damaged: {'; '.join(told)}",
            f"mv {file} {file}.damaged   (training goes on without: a new archive begins)",
        )
    return f"{num} episodes"


def _sealed(what: str, folder: Path, cure: Callable[[], str]) -> list[Finding]:
    """A finding for each directory in ``folder`` that was sealed."""

    def whole(directory: Path) -> str:
        try:
            sealed.check(directory)
        except AgentGymError as error:
            raise Ill(str(error), cure()) from None
        return f"{directory.name} is what was written"

    there = (
        [each for each in sorted(folder.iterdir()) if each.is_dir() and each.name[:1] != "."] if folder.is_dir() else []
    )
    if not there:
        return [Finding(name=what, status="info", detail=f"{folder} has none")]
    return [examined(f"{what} {each.name}", lambda each=each: whole(each)) for each in there]  # type: ignore[misc]


def _resume(directory: Path) -> str:
    return f"agentgym train --resume {directory}   (it goes on from the newest checkpoint that is whole)"


def _outcome(run: Run) -> str:
    link = run.policy
    if os.path.islink(link) and not link.exists():
        raise Ill(f"{link} leads to {os.readlink(link)}, which is not there", _resume(run.directory))
    if not (run.directory / "report.json").is_file():
        return Note("it did not come to its end", _resume(run.directory))
    try:
        report = sealed.read_json(run.directory / "report.json")
    except AgentGymError as error:
        raise Ill(str(error), _resume(run.directory)) from None
    after = report.get("eval", {}).get("after", {}).get("success")
    return "it came to its end" + ("" if after is None else f", test success {after:.3f}")


def _alarms(run: Run) -> list[Finding]:
    """What went off, by what it means; from the metrics, so that a run that is under way has them too."""
    from agentgym.config import validated
    from agentgym.launch.monitor import bounds
    from agentgym.launch.settings import TrainSettings

    try:
        settings = validated(TrainSettings, run.config)
        limit = settings.rollout.max_reply_tokens
        found = alarms_of(run.metrics(), bounds(settings), max_reply_tokens=limit)
    except AgentGymError as error:
        return [Finding(name="alarms", status="FAIL", detail=f"they cannot be told: {error}")]
    told = [_alarm(alarm) for alarm in found]
    return told or [Finding(name="alarms", status="pass", detail="none went off")]


def _alarm(alarm: Alarm) -> Finding:
    meaning, _, advice = alarm.advice.rpartition(": ") if ": " in alarm.advice else ("", "", alarm.advice)
    meaning = meaning or alarm.name.replace("_", " ")
    until = "" if alarm.until is None else f", until {alarm.until}"
    seen = f"{alarm.metric} {alarm.value:.4g}, bound {alarm.threshold:.4g}, from update {alarm.update}{until}"
    name = f"alarm {alarm.name.replace('_', ' ')}"
    return Finding(name=name, status="info", detail=f"{meaning} ({seen})", cure=advice)
