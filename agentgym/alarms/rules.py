"""What is advised: small named rules over a run's metrics, each a condition and what to change when it holds."""

from __future__ import annotations

import dataclasses
from typing import Literal

from agentgym.alarms.conditions import (
    Condition,
    above,
    disagrees,
    engine_is_stale,
    entropy_collapsed,
    equal_groups,
    forgets,
    gradient_explodes,
    kl_runs_away,
    refused,
    replies_explode,
    replies_shrink,
    reward_collapsed,
    risen,
    stands_still,
    success_collapsed,
)

__all__ = ["RULES", "Rule"]


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


RULES: tuple[Rule, ...] = (
    Rule(
        name="entropy_collapse",
        metric="sampled_entropy",
        needs=("success",),
        condition=entropy_collapsed,
        advice="the policy hardly tries anything else any more: raise --trainer.clip_high or "
        "--trainer.entropy_coefficient, or lower --trainer.learning_rate",
    ),
    Rule(
        name="steps_too_large",
        metric="old_kl",
        condition=above("old_kl", lambda settings: settings.old_kl),
        advice="an update moves the policy too far from the one that played: lower --trainer.learning_rate, "
        "--trainer.epochs or --trainer.minibatches",
    ),
    Rule(
        name="far_from_reference",
        metric="reference_kl",
        condition=above("reference_kl", lambda settings: settings.reference_kl),
        advice="raise --trainer.kl_coefficient or lower --trainer.learning_rate",
    ),
    Rule(
        name="kl_runs_away",
        metric="reference_kl",
        condition=kl_runs_away,
        advice="the divergence from the reference accelerates: raise --trainer.kl_coefficient or lower "
        "--trainer.learning_rate",
    ),
    Rule(
        name="clipped_too_often",
        metric="clip_fraction",
        condition=above("clip_fraction", lambda settings: settings.clip_fraction),
        advice="lower --trainer.learning_rate, --trainer.epochs or --trainer.minibatches, or widen "
        "--trainer.clip_low and --trainer.clip_high",
    ),
    Rule(
        name="tasks_too_easy",
        metric="informative_groups",
        needs=("success", "reward"),
        condition=equal_groups("solved"),
        advice="nearly all episodes of a group succeed: stop here, choose harder tasks, or raise --trainer.group_size",
    ),
    Rule(
        name="tasks_too_hard",
        metric="informative_groups",
        needs=("success", "reward"),
        condition=equal_groups("hard"),
        advice="nearly all episodes of a group fail alike: choose easier tasks, raise --warm_start.until or "
        "--trainer.group_size, or add --rewards that tell failures apart",
    ),
    Rule(
        name="policy_is_lost",
        metric="informative_groups",
        needs=("success", "reward"),
        condition=equal_groups("lost"),
        advice="all episodes of a group fail alike, which they did not at first: nothing can be learned any more; "
        "begin again with a lower --trainer.learning_rate",
    ),
    Rule(
        name="replies_are_cut",
        metric="reply_fill",
        condition=above("reply_fill", lambda settings: settings.reply_fill),
        advice="replies use up all the tokens they may have: raise --rollout.max_reply_tokens",
    ),
    Rule(
        name="replies_explode",
        metric="tokens_per_reply",
        condition=replies_explode,
        advice="read episodes (agentgym export RUN); the loss may favor length: choose another --trainer.aggregation, "
        "or lower --rollout.max_reply_tokens",
    ),
    Rule(
        name="replies_shrink",
        metric="tokens_per_reply",
        condition=replies_shrink,
        advice="read episodes (agentgym export RUN); if reasoning is lost, lower --trainer.learning_rate or raise "
        "--trainer.kl_coefficient",
    ),
    Rule(
        name="truncated_more_often",
        metric="truncated",
        condition=risen("truncated"),
        advice="episodes run into a limit: raise --rollout.max_turns, or add --rewards that make turns cost",
    ),
    Rule(
        name="invalid_more_often",
        metric="invalid",
        condition=risen("invalid"),
        advice="the policy unlearns the form of its replies: lower --trainer.learning_rate, or limit invalid actions "
        "with --rollout.max_invalid_actions",
    ),
    Rule(
        name="gradient_explodes",
        metric="grad_norm",
        condition=gradient_explodes,
        advice="lower --trainer.learning_rate or --trainer.max_grad_norm; a collapse often begins so",
    ),
    Rule(
        name="weights_did_not_move",
        metric="moved",
        needs=("learning_rate",),
        condition=stands_still,
        advice="optimizer steps change hardly a weight: the gradient is 0, or steps are too small for the weights' "
        "precision; raise --trainer.learning_rate, or see that advantages differ",
    ),
    Rule(
        name="refused_update",
        metric="refused",
        condition=refused,
        advice="loss or gradient was not finite and nothing was changed: lower --trainer.learning_rate, and look at "
        "the refused-update file",
    ),
    Rule(
        name="sampler_disagrees",
        metric="mismatch",
        needs=("staleness",),
        condition=disagrees,
        advice="sampler and learner give the same tokens other probabilities: check the engine's precision, or add "
        "--trainer.correction truncate",
    ),
    Rule(
        name="engine_is_stale",
        metric="engine_gap",
        condition=engine_is_stale,
        advice="the engine does not sample from the learner's weights: its weights or its cache are of an older "
        "version; restart the run",
    ),
    Rule(
        name="samples_too_old",
        metric="staleness",
        condition=above("staleness", lambda settings: settings.staleness),
        advice="learning outruns playing: lower --max_staleness, or add --trainer.correction truncate",
    ),
    Rule(
        name="void_episodes",
        metric="void_share",
        condition=above("void_share", lambda settings: settings.void),
        advice="the environment breaks: type agentgym doctor with it, and read their errors (agentgym export RUN)",
    ),
    Rule(
        name="judges_fail",
        metric="unshaped_share",
        condition=above("unshaped_share", lambda settings: settings.unshaped),
        advice="rewards cannot be judged, and their episodes teach nothing: see that what they ask answers, or raise "
        "--rollout.shaping_seconds; shaping_error in the episodes says what failed",
    ),
    Rule(
        name="success_collapse",
        metric="success",
        needs=("success_low", "success_high"),
        stage="validation",
        condition=success_collapsed,
        advice="worse than the best policy, which is kept: unless it recovers, begin again with a lower "
        "--trainer.learning_rate or a higher --trainer.kl_coefficient",
    ),
    Rule(
        name="reward_collapse",
        metric="reward",
        needs=("reward_error", "success", "success_low", "success_high"),
        stage="validation",
        condition=reward_collapsed,
        advice="worse than the best policy, though success does not show it: unless it recovers, begin again with a "
        "lower --trainer.learning_rate or a higher --trainer.kl_coefficient",
    ),
    Rule(
        name="forgetting",
        metric="forward_kl",
        needs=("forward_kl_error",),
        stage="validation",
        condition=forgets,
        advice="so far from the base policy its other abilities suffer (arXiv 2509.04259): raise "
        "--trainer.kl_coefficient, lower --trainer.learning_rate, or train fewer --updates",
    ),
)
