"""Alarms: small named rules over a run's metrics, each with advice on what to change.

A rule looks at the lines of metrics.jsonl that have the metrics it watches, one after the other. The bounds are ours
where no source is named; ``[alarms]`` in the settings changes them.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import Field, field_validator

from agentgym.config import Settings
from agentgym.errors import did_you_mean

__all__ = ["RULES", "AlarmSettings", "Breach", "Line", "Rule"]

Line: TypeAlias = Mapping[str, Any]
"""One line of metrics.jsonl: "stage", "update" and numbers by name."""


class AlarmSettings(Settings):
    """When an alarm goes off."""

    window: int = Field(5, ge=1)
    """Updates that an alarm looks at together, where one alone would be noise."""
    entropy: float = Field(0.1, ge=0, le=1)
    """The entropy of what is said has collapsed below this share of that in the first update, unless the tasks are
    solved."""
    solved: float = Field(0.8, ge=0, le=1)
    """From this success on a policy may be certain of what it does."""
    old_kl: float = Field(0.1, gt=0)
    """KL of a token from the policy that began the update; 0.1 is a typical ratio of exp(±0.45), beyond any usual
    clip, since the divergence is about half the square of the log-ratio."""
    reference_kl: float = Field(1.0, gt=0)
    """KL of a token from the reference policy, which then gives what is sampled a probability e times lower."""
    kl_growth: float = Field(3.0, gt=1)
    """That KL runs away when it grows by this factor from one window to the next, above a tenth of its bound."""
    clip_fraction: float = Field(0.3, ge=0, le=1)
    """Share of tokens without a gradient because of the clip."""
    informative_groups: float = Field(0.1, ge=0, le=1)
    """Share of groups with differing rewards; the others teach nothing, and at 0.1 they cost nine tenths of the time
    spent on playing."""
    reply_fill: float = Field(0.9, gt=0, le=1)
    """Tokens of a reply, on average, over those it may have; so near to 1 most are cut off."""
    reply_growth: float = Field(3.0, gt=1)
    """Replies explode at so many times their length in the first update, and shrink at that length over this."""
    rise: float = Field(0.25, gt=0, le=1)
    """How far the share of truncated or of invalid episodes may rise above that of the first update."""
    grad_norm: float = Field(5.0, gt=1)
    """The gradient's norm over its running median. A published collapse went from 0.3 to 2.9 (arXiv 2510.10197)."""
    mismatch: float | None = Field(None, gt=0)
    """Difference of a token's log-probability between sampler and learner with the same weights. None: 1e-3 in
    float32, where the embedded engine differs by 1e-5 or less, and 5e-2 in bfloat16, which has three digits."""
    staleness: float = Field(8.0, ge=0)
    """Mean age, in versions of the weights, of what is trained on."""
    forward_kl: float | None = Field(None, gt=0)
    """KL(base ‖ policy) of a token beyond two standard errors. None: 0.5 for a pretrained model, of whose tokens the
    policy has then given up 40 %; no bound for a model made from nothing, which has nothing to forget."""
    void: float = Field(0.05, ge=0, le=1)
    """Share of episodes that are void because their environment broke."""
    ignore: list[str] = Field(default_factory=list)
    """Names of alarms that are not to go off."""

    @field_validator("ignore")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        known = [rule.name for rule in RULES]
        for name in names:
            if name not in known:
                raise ValueError(f'no alarm "{name}".{did_you_mean(name, known)} Known: {", ".join(known)}')
        return names


class Breach(NamedTuple):
    """What is wrong."""

    value: float
    bound: float


Condition: TypeAlias = Callable[[Sequence[Line], AlarmSettings], Breach | None]
Bound: TypeAlias = Callable[[AlarmSettings], float | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When to raise an alarm, and what to do about it."""

    name: str
    metric: str
    """What the alarm's value is a value of."""
    condition: Condition
    """Of the lines so far that have the metrics, oldest first."""
    advice: str
    needs: tuple[str, ...] = ()
    """Further metrics that a line must have for the rule to see it."""
    stage: Literal["train", "validation"] = "train"


def _recent(lines: Sequence[Line], metric: str, settings: AlarmSettings) -> list[float]:
    """The metric in the last window; empty when there are fewer lines."""
    num = settings.window
    return [line[metric] for line in lines[-num:]] if len(lines) >= num else []


def _since_first(lines: Sequence[Line], metric: str, settings: AlarmSettings) -> tuple[float, float] | None:
    """The metric in the first update, when the stage's own policy played, and its mean over the last window."""
    recent = _recent(lines[1:], metric, settings)
    return (lines[0][metric], statistics.fmean(recent)) if recent else None


# -- conditions --------------------------------------------------------------------------------------


def _above(metric: str, bound_of: Bound) -> Condition:
    """The mean over a window is above a bound."""

    def condition(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
        recent, bound = _recent(lines, metric, settings), bound_of(settings)
        if not recent or bound is None or not statistics.fmean(recent) > bound:
            return None
        return Breach(statistics.fmean(recent), bound)

    return condition


def _risen(metric: str) -> Condition:
    """A share has risen since the first update."""

    def condition(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
        seen = _since_first(lines, metric, settings)
        if seen is None or not seen[1] > seen[0] + settings.rise:
            return None
        return Breach(seen[1], seen[0] + settings.rise)

    return condition


def _equal_groups(cause: Literal["solved", "lost", "hard"]) -> Condition:
    """Hardly a group is informative in any update of a window, for that cause.

    Solved: the episodes succeed. Lost: groups were informative in the first update, and the reward has fallen since.
    """

    def condition(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
        recent = _recent(lines, "informative_groups", settings)
        if not recent or max(recent) > settings.informative_groups or _cause(lines, settings) != cause:
            return None
        return Breach(statistics.fmean(recent), settings.informative_groups)

    return condition


def _cause(lines: Sequence[Line], settings: AlarmSettings) -> str:
    if statistics.fmean(_recent(lines, "success", settings)) >= 0.5:
        return "solved"
    was_informative = lines[0]["informative_groups"] > settings.informative_groups
    has_fallen = statistics.fmean(_recent(lines, "reward", settings)) < lines[0]["reward"]
    return "lost" if was_informative and has_fallen else "hard"


def _entropy_collapsed(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    seen = _since_first(lines, "sampled_entropy", settings)
    if seen is None or not seen[1] < seen[0] * settings.entropy:
        return None
    is_solved = statistics.fmean(_recent(lines, "success", settings)) >= settings.solved
    return None if is_solved else Breach(seen[1], seen[0] * settings.entropy)


def _kl_runs_away(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    recent = _recent(lines, "reference_kl", settings)
    before = _recent(lines[: -settings.window], "reference_kl", settings)
    if not (recent and before):
        return None
    bound = max(settings.kl_growth * statistics.fmean(before), 0.1 * settings.reference_kl)
    return Breach(statistics.fmean(recent), bound) if statistics.fmean(recent) > bound else None


def _gradient_explodes(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    """The median of a window against that of the four windows before it; one outlier is what clipping is for."""
    recent = _recent(lines, "grad_norm", settings)
    before = [line["grad_norm"] for line in lines[-5 * settings.window : -settings.window]]
    if len(before) < settings.window:
        return None
    bound = settings.grad_norm * statistics.median(before)
    return Breach(statistics.median(recent), bound) if statistics.median(recent) > bound else None


def _replies_explode(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    seen = _since_first(lines, "tokens_per_reply", settings)
    if seen is None or not seen[1] > seen[0] * settings.reply_growth:
        return None
    return Breach(seen[1], seen[0] * settings.reply_growth)


def _replies_shrink(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    seen = _since_first(lines, "tokens_per_reply", settings)
    if seen is None or not seen[1] < seen[0] / settings.reply_growth:
        return None
    return Breach(seen[1], seen[0] / settings.reply_growth)


def _disagrees(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    """Only in updates whose tokens were all sampled by the weights that are trained: others differ on purpose."""
    fresh = [line for line in lines[-settings.window :] if line["staleness"] == 0]
    return _above("mismatch", lambda settings: settings.mismatch)(fresh, settings)


def _engine_is_stale(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    """At once: weights that are behind do not catch up by themselves."""
    gap, bound = lines[-1]["engine_gap"], settings.mismatch
    return Breach(gap, bound) if bound is not None and gap > bound else None


def _refused(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    refused = lines[-1]["refused"]
    return Breach(refused, 0.0) if refused else None


def _success_collapsed(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    """The interval of the last look lies below that of the best one.

    A mere fall below the best look would not do: the best of many looks is a lucky one.
    """
    best, now = max(lines, key=lambda line: line["success"]), lines[-1]
    return Breach(now["success"], best["success_low"]) if now["success_high"] < best["success_low"] else None


def _reward_collapsed(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    """The same for the mean reward, where success does not say it already."""
    best, now = max(lines, key=lambda line: line["reward"]), lines[-1]
    highest, bound = now["reward"] + 1.96 * now["reward_error"], best["reward"] - 1.96 * best["reward_error"]
    if not highest < bound or _success_collapsed(lines, settings) is not None:
        return None
    return Breach(now["reward"], bound)


def _forgets(lines: Sequence[Line], settings: AlarmSettings) -> Breach | None:
    surely = lines[-1]["forward_kl"] - 2 * lines[-1]["forward_kl_error"]
    if settings.forward_kl is None or not surely > settings.forward_kl:
        return None
    return Breach(lines[-1]["forward_kl"], settings.forward_kl)


# -- rules -------------------------------------------------------------------------------------------

RULES: tuple[Rule, ...] = (
    Rule(
        name="entropy_collapse",
        metric="sampled_entropy",
        needs=("success",),
        condition=_entropy_collapsed,
        advice="the policy hardly tries anything else any more: raise --trainer.clip_high or "
        "--trainer.entropy_coefficient, or lower --trainer.learning_rate",
    ),
    Rule(
        name="steps_too_large",
        metric="old_kl",
        condition=_above("old_kl", lambda settings: settings.old_kl),
        advice="an update moves the policy too far from the one that played: lower --trainer.learning_rate, "
        "--trainer.epochs or --trainer.minibatches",
    ),
    Rule(
        name="far_from_reference",
        metric="reference_kl",
        condition=_above("reference_kl", lambda settings: settings.reference_kl),
        advice="raise --trainer.kl_coefficient or lower --trainer.learning_rate",
    ),
    Rule(
        name="kl_runs_away",
        metric="reference_kl",
        condition=_kl_runs_away,
        advice="the divergence from the reference accelerates: raise --trainer.kl_coefficient or lower "
        "--trainer.learning_rate",
    ),
    Rule(
        name="clipped_too_often",
        metric="clip_fraction",
        condition=_above("clip_fraction", lambda settings: settings.clip_fraction),
        advice="lower --trainer.learning_rate, --trainer.epochs or --trainer.minibatches, or widen "
        "--trainer.clip_low and --trainer.clip_high",
    ),
    Rule(
        name="tasks_too_easy",
        metric="informative_groups",
        needs=("success", "reward"),
        condition=_equal_groups("solved"),
        advice="nearly all episodes of a group succeed: stop here, choose harder tasks, or raise --trainer.group_size",
    ),
    Rule(
        name="tasks_too_hard",
        metric="informative_groups",
        needs=("success", "reward"),
        condition=_equal_groups("hard"),
        advice="nearly all episodes of a group fail alike: choose easier tasks, raise --warm_start.until or "
        "--trainer.group_size, or add --rewards that tell failures apart",
    ),
    Rule(
        name="policy_is_lost",
        metric="informative_groups",
        needs=("success", "reward"),
        condition=_equal_groups("lost"),
        advice="all episodes of a group fail alike, which they did not at first: nothing can be learned any more; "
        "begin again with a lower --trainer.learning_rate",
    ),
    Rule(
        name="replies_are_cut",
        metric="reply_fill",
        condition=_above("reply_fill", lambda settings: settings.reply_fill),
        advice="replies use up all the tokens they may have: raise --rollout.max_reply_tokens",
    ),
    Rule(
        name="replies_explode",
        metric="tokens_per_reply",
        condition=_replies_explode,
        advice="read trajectories.jsonl; the loss may favor length: choose another --trainer.aggregation, or lower "
        "--rollout.max_reply_tokens",
    ),
    Rule(
        name="replies_shrink",
        metric="tokens_per_reply",
        condition=_replies_shrink,
        advice="read trajectories.jsonl; if reasoning is lost, lower --trainer.learning_rate or raise "
        "--trainer.kl_coefficient",
    ),
    Rule(
        name="truncated_more_often",
        metric="truncated",
        condition=_risen("truncated"),
        advice="episodes run into a limit: raise --rollout.max_turns, or add --rewards that make turns cost",
    ),
    Rule(
        name="invalid_more_often",
        metric="invalid",
        condition=_risen("invalid"),
        advice="the policy unlearns the form of its replies: lower --trainer.learning_rate, or limit invalid actions "
        "with --rollout.max_invalid_actions",
    ),
    Rule(
        name="gradient_explodes",
        metric="grad_norm",
        condition=_gradient_explodes,
        advice="lower --trainer.learning_rate or --trainer.max_grad_norm; a collapse often begins so",
    ),
    Rule(
        name="refused_update",
        metric="refused",
        condition=_refused,
        advice="loss or gradient was not finite and nothing was changed: lower --trainer.learning_rate, and look at "
        "the refused-update file",
    ),
    Rule(
        name="sampler_disagrees",
        metric="mismatch",
        needs=("staleness",),
        condition=_disagrees,
        advice="sampler and learner give the same tokens other probabilities: check the engine's precision, or add "
        "--trainer.correction truncate",
    ),
    Rule(
        name="engine_is_stale",
        metric="engine_gap",
        condition=_engine_is_stale,
        advice="the engine does not sample from the learner's weights: its weights or its cache are of an older "
        "version; restart the run",
    ),
    Rule(
        name="samples_too_old",
        metric="staleness",
        condition=_above("staleness", lambda settings: settings.staleness),
        advice="learning outruns playing: lower --max_staleness, or add --trainer.correction truncate",
    ),
    Rule(
        name="void_episodes",
        metric="void_share",
        condition=_above("void_share", lambda settings: settings.void),
        advice="the environment breaks: type agentgym doctor with it, and read the errors in trajectories.jsonl",
    ),
    Rule(
        name="success_collapse",
        metric="success",
        needs=("success_low", "success_high"),
        stage="validation",
        condition=_success_collapsed,
        advice="worse than the best policy, which is kept: unless it recovers, begin again with a lower "
        "--trainer.learning_rate or a higher --trainer.kl_coefficient",
    ),
    Rule(
        name="reward_collapse",
        metric="reward",
        needs=("reward_error", "success", "success_low", "success_high"),
        stage="validation",
        condition=_reward_collapsed,
        advice="worse than the best policy, though success does not show it: unless it recovers, begin again with a "
        "lower --trainer.learning_rate or a higher --trainer.kl_coefficient",
    ),
    Rule(
        name="forgetting",
        metric="forward_kl",
        needs=("forward_kl_error",),
        stage="validation",
        condition=_forgets,
        advice="so far from the base policy its other abilities suffer (arXiv 2509.04259): raise "
        "--trainer.kl_coefficient, lower --trainer.learning_rate, or train fewer --updates",
    ),
)
