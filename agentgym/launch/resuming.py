"""Going on with a run: from its newest complete checkpoint, with its own settings.

A setting that differs is refused. With force it may differ if the run stays the same run: how long it goes on, how
it is measured and saved, what it may use of the machine, and of the trainer what every trainer has and any further
real number, which weighs something. A further whole number, switch or name may decide shapes, groups or the order of
tasks, and is refused, as is everything about environment, curriculum, model, seed and conversation. Old settings are
kept as config-until-CHECKPOINT.json.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from agentgym.config import flattened, merged, validated
from agentgym.errors import ConfigError
from agentgym.launch import fingerprint, places, standing
from agentgym.launch.enlisting import enlisted
from agentgym.launch.following import muster
from agentgym.launch.parts import assembled
from agentgym.launch.patience import patient
from agentgym.launch.reporting import Reporter
from agentgym.launch.resolving import in_full
from agentgym.launch.settings import TrainSettings
from agentgym.launch.stage import Workbench
from agentgym.launch.starting import report_to, stages_of, watchdog_of, workbench
from agentgym.launch.training import Training, seed_all
from agentgym.launch.written import as_given, resolved
from agentgym.learn import checkpoint
from agentgym.learn.settings import TrainerSettings
from agentgym.registry import plugins
from agentgym.run import Run
from agentgym.watchdog import LastResort

__all__ = ["changed", "go_on"]

_CHANGEABLE = (
    "updates",
    "max_seconds",
    "max_environment_steps",
    "eval",
    "alarms",
    "archive",
    "checkpoint_seconds",
    "keep_checkpoints",
    "threads",
    "rollout.concurrency",
    "model.device",
    "report_to",
    "shard",
    "cluster",
)
_IMPORT_SECONDS = 600.0
"""That a plug-in may take to be imported; one that takes longer hangs."""
_OF_TRAINING = ("updates", "max_seconds", "max_environment_steps", "trainer", "eval.every", "eval.validation_episodes")
"""Without effect when training is over."""


async def go_on(directory: Path, given: Mapping[str, Any], *, force: bool, reporter: Reporter) -> Path:
    """What ``agentgym.resume`` says."""
    run = Run.open(directory)
    with run.locked():
        config = run.config
        if code := places.code_of(config):
            reporter.note(places.told_code(directory, code))
        with LastResort(_IMPORT_SECONDS):
            has = _settings_of(run, config)
        at = checkpoint.latest(run.checkpoints, note=reporter.note, check=standing.check)
        if at is None:
            run.refuse_erasing()
        stage = standing.standing_of(at).stage if at else ""
        settings = changed(has, given, run=directory, force=force, is_trained=stage in ("after", "done"))
        fingerprint.check(run, settings.model.id, reporter.note)
        return await enlisted(settings, lambda: _go_on(run, has, settings, at, reporter))


async def _go_on(run: Run, has: TrainSettings, settings: TrainSettings, at: Path | None, reporter: Reporter) -> Path:
    """With ``settings`` in place of those that the run ``has``, from the checkpoint ``at``; None: from scratch."""
    seed_all(settings.seed)
    watchdog = watchdog_of(settings, run.directory)
    policy = at / "policy" if at else None
    made = assembled(settings, policy_dir=policy, beat=watchdog.beat)
    async with made as parts, patient(reporter, parts.rollout) as told:
        muster(settings, parts.policy, policy)
        bench = workbench(settings, parts, run, told, watchdog)
        async with contextlib.aclosing(Training(bench, await stages_of(bench))) as training:
            if at:
                training.load(at)
            else:
                told.note("there is no complete checkpoint: the run begins anew")
                training.begin()
            _tidy(bench, at)
            if settings != has:
                _record(run, settings, at)
            report_to(bench)
            await training.go()
    return run.directory


def _settings_of(run: Run, config: Mapping[str, Any]) -> TrainSettings:
    """Raises DataError, naming the file, for a config.json that no run has written."""
    try:
        whole = places.absolute(config)
        validated(TrainSettings, whole)  # what is filled in is asked of plug-ins that are named as they should be
        return validated(TrainSettings, as_given(whole))
    except ConfigError as error:
        raise places.damaged(run.directory, error) from None


def _tidy(bench: Workbench, at: Path | None) -> None:
    for path in checkpoint.clean(bench.run.checkpoints, at, corrupt=bench.run.corrupt):
        bench.reporter.note(
            f"what is left of the corrupt checkpoint is in {path}; delete it when you have no use for it"
        )
    if at:  # a kill may have come between the newest and the end of the oldest, and a finished run writes no more
        checkpoint.prune(bench.run.checkpoints, keep=bench.settings.keep_checkpoints)
    bench.kept.discard_unused()
    bench.run.draw_tensorboard_anew()


def _record(run: Run, settings: TrainSettings, at: Path | None) -> None:
    """Replace config.json; the old one, or what came before it from the same checkpoint on, is kept."""
    old = f"config-until-{at.name if at else 'beginning'}.json"
    if not (run.directory / old).exists():
        run.write_json(old, run.config)
    run.write_json("config.json", resolved(settings))


# -- settings that differ ------------------------------------------------------------------------------


def changed(
    has: TrainSettings, given: Mapping[str, Any], *, run: Path, force: bool = False, is_trained: bool = False
) -> TrainSettings:
    """The settings to go on with. Raises ConfigError, naming what was found and what the run has."""
    settings = validated(TrainSettings, merged(has.model_dump(mode="json"), _normal(given, run)))
    differing = _differing(has, settings)
    if not differing:
        return has
    if not force:
        _refuse(
            differing,
            f"--resume goes on with the settings of {run}",
            f"with --force-config these can change: {', '.join(filter(_may_change(settings), differing)) or 'none'}",
        )
    _refuse(
        {key: told for key, told in differing.items() if not _may_change(settings)(key)},
        "what decides which run it is cannot change",
        "begin a new run with another --output",
    )
    if is_trained:
        _refuse(
            {key: told for key, told in differing.items() if _is_under(key, _OF_TRAINING)},
            f"the training of {run} is over, and with it its optimizer",
            f"to train its policy on, begin a new run: agentgym train --env {has.env.id} --model {run} --output NEW",
        )
    return settings


def _refuse(differing: Mapping[str, str], why: str, advice: str) -> None:
    if differing:
        listed = "".join(f"\n  {key}: {told}" for key, told in differing.items())
        raise ConfigError(f"{why}; leave out {', '.join(differing)}{listed}\n{advice}")


def _normal(given: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """``given`` with its short forms written out, and without the directory of the run itself."""
    normal = places.absolute(in_full(given))
    if "output" in normal and Path(str(normal["output"])).resolve() == run.resolve():
        del normal["output"]
    return normal


def _differing(has: TrainSettings, settings: TrainSettings) -> dict[str, str]:
    """What was found and what the run has, by key."""
    old, new = (dict(flattened(each.complete())) for each in (has, settings))
    keys = [*new, *(key for key in old if key not in new)]
    return {
        key: f"found {new.get(key, 'nothing')}, the run has {old.get(key, 'nothing')}"
        for key in keys
        if old.get(key) != new.get(key)
    }


def _may_change(settings: TrainSettings) -> Any:
    fields = plugins("trainers").settings(settings.trainer.id).model_fields

    def may(key: str) -> bool:
        owner, _, name = key.partition(".")
        if owner != "trainer":
            return _is_under(key, _CHANGEABLE)
        return name in TrainerSettings.model_fields or (name in fields and _is_real(fields[name]))

    return may


def _is_real(field: FieldInfo) -> bool:
    return set(get_args(field.annotation) or [field.annotation]) <= {float, type(None)}


def _is_under(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)
