"""report.md: what a person wants to know of a finished run, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentgym.reports.verdict import verdict, what_next

__all__ = ["summary_page", "told_gain"]


def summary_page(
    config: Mapping[str, Any], report: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], directory: Path
) -> str:
    """Markdown of what was trained, what it did and did not learn, which alarms went off, and what to try and look at.

    ``config`` are the run's settings, ``report`` and ``metrics`` what it wrote.
    """
    lines = [
        f"# {config['env']['id']}: {config['trainer']['id']}, seed {config['seed']}",
        "",
        *_trained(config, report),
        "",
        *_measured(report),
        *_moved(report, metrics),
        *_tasks(report.get("ledger", {})),
        *_judged(config, report, metrics, directory),
        "## Alarms",
        "",
        *([_told(alarm) for alarm in report["alarms"]] or ["None went off."]),
        "",
        "## To look at",
        "",
        "- `curves.png`: success, reward, entropy, groups; dotted lines are alarms.",
        f"- `agentgym export {directory} -o episodes.jsonl`: the episodes of training and measuring, one a line.",
        f"- `tensorboard --logdir {directory}`: all numbers of `metrics.jsonl`.",
        f"- `agentgym play {config['env']['id']} --model {directory}`: the policy at play.",
        "",
        "## Words",
        "",
        "- reward: the environment's own, summed over an episode; what `--rewards` add for training is not in it.",
        "- void: an episode whose environment broke, also when it was tried anew, or that took too long; it is counted "
        "as void and as nothing else.",
        "- fate, in `ledger.jsonl`: what became of a task of training. It was trained, or rejected for the "
        "reason that is given: with equal rewards, a group of episodes has nothing to tell apart.",
    ]
    return "\n".join(lines) + "\n"


def _judged(
    config: Mapping[str, Any], report: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], directory: Path
) -> list[str]:
    """The verdict and what to try next; nothing where nothing was compared."""
    if not (said := verdict(report)):
        return []
    advice = [f"- {each}" for each in what_next(config, report, metrics, directory)]
    return ["## Verdict", "", *said, "", *(["To try next:", "", *advice, ""] if advice else [])]


def _trained(config: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    stages = report["stages"]
    said = [f"Model: {config['model']['id']}, {report['num_parameters']:,} parameters."]
    if "warm_start" in stages:
        warm = stages["warm_start"]
        ended = f"; {warm['ended']}" if "ended" in warm else ""  # older runs do not say
        said.append(f"Warm start: {warm['updates']} updates, {warm['seconds']} s{ended}.")
    said.append(f"Training: {stages['train']['updates']} updates, {stages['train']['seconds']} s.")
    best = report.get("best_update")
    if best == 0 and stages["train"]["updates"]:
        said.append("No look at the validation tasks was better than the first: training changed nothing that is kept.")
    elif best is not None:
        said.append(f"Kept: the policy after update {best}, the best on the validation tasks.")
    return said


def _measured(report: Mapping[str, Any]) -> list[str]:
    if "after" not in report["eval"]:
        return ["The policy was not trained, and so not measured again.", ""]
    before, after = report["eval"]["before"], report["eval"]["after"]
    teacher = report.get("teacher")
    rows = [
        "| test success | before | after |" + (" expert that was imitated |" if teacher else ""),
        "|---|---|---|" + ("---|" if teacher else ""),
        *(
            f"| {name} | {_success(was)} | {_success(now)} |" + (f" {_success(teacher)} |" if teacher else "")
            for name, was, now in (("sampled", before, after), ("greedy", before["greedy"], after["greedy"]))
        ),
        "",
        f"95 % intervals over {after['episodes']} tasks. Reward, sampled: {before['reward']:.3f} before, "
        f"{after['reward']:.3f} after.",
        *_ended(before, after),
    ]
    return [*rows, *_gained(report.get("gain", {})), ""]


def _ended(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """How the sampled episodes went; nothing in a report that does not say."""
    said = []
    for when, seen in (("before", before), ("after", after)):
        if "stop_reasons" in seen:
            ends = ", ".join(f"{name} {num}" for name, num in seen["stop_reasons"].items())
            said.append(
                f"Sampled, {when}: {seen['unread_turns']:.1%} of the replies could not be read, "
                f"{seen['invalid_turns']:.1%} of the actions had no effect; ended: {ends}."
            )
    return said


def _tasks(ledger: Mapping[str, Any]) -> list[str]:
    """What became of the tasks of training."""
    counts = [f"{num} {name}" for name, num in ledger.items() if name != "problem"]
    return [f"Tasks of training: {', '.join(counts)}.", ""] if counts else []


def _gained(gains: Mapping[str, Any]) -> list[str]:
    """What became of the success, sampled and greedy; nothing in a report without it."""
    if not gains:
        return []
    said = "; ".join(f"{name}, it {told_gain(gain)}" for name, gain in gains.items())
    num = next(iter(gains.values()))["tasks"]
    return [f"Success on the same {num} tasks with the same seeds, compared task by task: {said}."]


def told_gain(gain: Mapping[str, Any]) -> str:
    """In words: that success rose or fell, with the interval, or that this may be chance."""
    change, (low, high) = gain["success"], gain["ci95"]
    if low > 0:
        return f"rose by {change:.3f} ({low:.3f} to {high:.3f})"
    if high < 0:
        return f"fell by {-change:.3f} ({-high:.3f} to {-low:.3f})"
    return f"changed by {change:+.3f} ({low:+.3f} to {high:+.3f}), which may be chance"


def _success(score: Mapping[str, Any]) -> str:
    low, high = score["ci95"]
    return f"{score['success']:.3f} ({low:.3f} to {high:.3f})"


def _moved(report: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """The drift of the policy that is kept, and of the last one."""
    looks = [line for line in metrics if line["stage"] == "validation" and "forward_kl" in line]
    if not looks:
        return []
    kept = [f"kept {_drift(line)}" for line in looks if line["update"] == report.get("best_update")]
    drifts = ", ".join([*kept, f"last {_drift(looks[-1])}"])
    return [f"KL(base ‖ policy), the distance from where training began, in nats a token: {drifts}.", ""]


def _drift(look: Mapping[str, Any]) -> str:
    error = f" ± {look['forward_kl_error']:.3f}" if "forward_kl_error" in look else ""
    return f"{round(look['forward_kl'], 3) + 0.0:.3f}{error}"


def _told(alarm: Mapping[str, Any]) -> str:
    until = "to the end" if alarm["until"] is None else f"to {alarm['until']}"
    name = alarm["name"].replace("_", " ")
    seen = f"{alarm['metric']} {alarm['value']:.4g}, bound {alarm['threshold']:.4g}"
    return f"- {name}, update {alarm['update']} {until}: {seen}. {alarm['advice'][0].upper()}{alarm['advice'][1:]}."
