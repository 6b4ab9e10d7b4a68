"""What a run has and has not taught, in sentences, and what to try next: as a referee would judge it.

Sampled and greedy success are judged apart, by their paired intervals alone: what may be chance is no gain. Advice is
given on what the run itself shows, each with the setting that would change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["verdict", "what_next"]

_SHARE_EQUAL = 0.8
"""Of the groups rejected for equal rewards: from there on, episodes go to waste."""
_ENTROPY_LEFT = 0.3
"""Of the sampled entropy of the first update: below it, there is little left to choose from."""
_SHARE_INVALID = 0.3
_FAR_BEHIND = 0.3
"""Success by which the expert is ahead: to imitate it for longer is the cheaper way."""
_LEAST_RISE = 0.05
"""Of a reward between 0 and 1, by which it is said to have risen while success has not."""


def verdict(report: Mapping[str, Any]) -> list[str]:
    """Sentences on what was and was not learned, from ``report``; none where nothing was compared."""
    gains, teacher = report.get("gain", {}), report.get("gain_over_teacher", {})
    said = [_on_gains(gains, report["eval"]["before"], report["eval"]["after"])] if gains else []
    if teacher:
        said.append(
            f"The expert that it imitated succeeds in {report['teacher']['success']:.3f}: {_on_teacher(teacher)}."
        )
    return said


def what_next(
    config: Mapping[str, Any], report: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], directory: Path
) -> list[str]:
    """What to try in the next run, or in this one, the most promising first."""
    updates = [line for line in metrics if line["stage"] == "train"]
    looks = [line for line in metrics if line["stage"] == "validation"]
    return list(_advice(config, report, updates, looks, directory))


def _on_gains(gains: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    rose = [name for name, gain in gains.items() if gain["ci95"][0] > 0]
    fell = [name for name, gain in gains.items() if gain["ci95"][1] < 0]
    if fell:
        return f"Training made the policy worse: {' and '.join(fell)} success fell." + (
            f" Its {rose[0]} success rose." if rose else ""
        )
    if len(rose) == len(gains):
        return f"Training made the policy better: {' and '.join(rose)} success rose."
    if rose == ["sampled"]:
        return "Sampled success rose and greedy success did not: it errs less when it samples, and knows no more."
    if rose:
        return f"{rose[0].capitalize()} success rose, the other is not shown to have."
    if after["reward"] > before["reward"] + _LEAST_RISE:
        return (
            f"Success is not shown to have risen; the reward went from {before['reward']:.3f} to {after['reward']:.3f}."
        )
    return "Nothing is shown to have been learned: neither success nor reward rose."


def _on_teacher(gains: Mapping[str, Any]) -> str:
    said = (f"{name} {_more(gain['success'])}{_whether(*gain['ci95'])}" for name, gain in gains.items())
    return f"against it, the policy succeeds {', '.join(said)}"


def _more(change: float) -> str:
    return f"in {change:.3f} more" if change >= 0 else f"in {-change:.3f} less"


def _whether(low: float, high: float) -> str:
    interval = f"({low:+.3f} to {high:+.3f})"
    return f" {interval}" if low > 0 or high < 0 else f" {interval}, which may be chance"


def _advice(
    config: Mapping[str, Any],
    report: Mapping[str, Any],
    updates: Sequence[Mapping[str, Any]],
    looks: Sequence[Mapping[str, Any]],
    directory: Path,
) -> Iterator[str]:
    before, after, best = report["eval"]["before"], report["eval"]["after"], report.get("best_update")
    if updates and best == updates[-1]["update"] and len(looks) > 1 and looks[-1]["success"] > looks[0]["success"]:
        yield (
            "It was still getting better at the end; go on from its policy: "
            f"agentgym train --env {config['env']['id']} --model {directory} --output NEW, with the options that it had"
        )
    equal = report.get("ledger", {}).get("rejected: equal rewards", 0)
    num = sum(count for name, count in report.get("ledger", {}).items() if name != "problem")
    if num and equal / num >= _SHARE_EQUAL:
        yield (
            f"In {equal} of {num} groups all rewards were equal, which teaches nothing: easier tasks (--curriculum "
            "frontier), larger groups (--trainer.group_size), or a longer warm start (--warm_start.until)"
        )
    if after["reward"] > before["reward"] + _LEAST_RISE and after["success"] <= before["success"]:
        yield "The reward rose and success did not: let success count for more (--rewards.success)"
    entropies = [line["sampled_entropy"] for line in updates if "sampled_entropy" in line]
    if entropies and entropies[-1] < _ENTROPY_LEFT * entropies[0]:
        yield (
            f"The policy hardly varies any more (entropy {entropies[0]:.3f}, at the end {entropies[-1]:.3f}): "
            "--trainer.entropy_coefficient 0.003, more tasks an update, or a smaller --trainer.learning_rate"
        )
    behind = report.get("teacher", {}).get("success", 0.0) - after["success"]
    if behind > _FAR_BEHIND and config["warm_start"]["enabled"]:
        yield (
            f"The expert succeeds in {behind:.2f} more: imitate it for longer (--warm_start.until, now "
            f"{config['warm_start']['until']:g})"
        )
    if not (before["success"] or after["success"]) and "teacher" not in report:
        yield (
            "Nothing ever succeeded, so that there was nothing to reinforce: an expert() to imitate, easier tasks to "
            "begin with, or actions that are listed (Observation(..., admissible=...) with --protocol.actions shown)"
        )
    if after.get("invalid_turns", 0.0) > _SHARE_INVALID:
        told = f"{after['invalid_turns']:.0%} of its actions have no effect"
        yield f"{told}: a longer warm start (--warm_start.until), or name what can be done (--protocol.actions shown)"
