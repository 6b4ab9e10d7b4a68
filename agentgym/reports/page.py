"""report.html: a finished run on one page that needs nothing beside it, and no script.

What an episode printed is escaped; the page loads nothing and runs nothing, and tells the browser so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from agentgym.reports.curve_svg import curve_of, panel
from agentgym.reports.notable import Notable
from agentgym.reports.summary import told_gain
from agentgym.reports.verdict import verdict, what_next

__all__ = ["report_page"]

_PANELS = (
    ("success", "Success", True),
    ("reward", "Reward", False),
    ("sampled_entropy", "Entropy of what was sampled, nats", False),
    ("forward_kl", "KL(base ‖ policy), nats a token", False),
    ("informative_groups", "Groups that teach something, share", True),
    ("clip_fraction", "Clipped tokens, share", False),
    ("grad_norm", "Norm of the gradient", False),
    ("turns", "Turns an episode", False),
    ("reply_tokens", "Reply tokens an episode", False),
    ("invalid", "Actions without effect, share", True),
    ("level", "Level of the curriculum", False),
    ("strength", "Strength of the augmentations", True),
)
_TURNS, _LETTERS = 12, 700
"""Of an episode that are shown, and of a message of it."""


def report_page(
    config: Mapping[str, Any],
    report: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    directory: Path,
    *,
    command: str,
    episodes: Iterable[Notable] = (),
    machine: Mapping[str, str] | None = None,
) -> str:
    """HTML of what was asked for, what happened, what came out and what it cost.

    ``config`` are the run's settings, ``report`` and ``metrics`` what it wrote, ``command`` what begins it again,
    ``episodes`` those to read, ``machine`` names and values of where it ran.
    """
    title = f"{config['env']['id']}: {config['trainer']['id']}, seed {config['seed']}"
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    sections = (
        ("", _cards(report)),
        ("Verdict", _verdict(config, report, metrics, directory)),
        ("Command", f"<pre>{escape(command)}</pre>{_machine(machine or {})}{_settings(config)}"),
        ("On the test tasks", _measured(report)),
        ("Curves", _curves(metrics, report)),
        ("Alarms", _alarms(report)),
        ("Tasks of training", _ledger(report, metrics)),
        ("Curriculum", _curriculum(config, metrics)),
        ("Cost", _cost(report, metrics)),
        ("Episodes to read", "".join(map(_episode, episodes))),
        ("To look further", _further(config, directory)),
    )
    body = "".join(f"{f'<h2>{name}</h2>' if name else ''}{content}" for name, content in sections if content)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><main><h1>{escape(title)}</h1>"
        f'<p class="quiet"><code>{escape(str(directory))}</code></p>{body}</main></body></html>\n'
    )


# -- parts -----------------------------------------------------------------------------------------------


def _cards(report: Mapping[str, Any]) -> str:
    tests, train = report["eval"], report["stages"].get("train", {})
    facts = {
        "test success, before": f"{tests['before']['success']:.3f}" if "before" in tests else None,
        "test success, after": f"{tests['after']['success']:.3f}" if "after" in tests else None,
        "updates": train.get("updates"),
        "parameters": f"{report['num_parameters']:,}",
        "seconds": f"{report['wall_seconds']:,}",
        "alarms": len(report["alarms"]),
    }
    shown = (f"<div><b>{value}</b><span>{name}</span></div>" for name, value in facts.items() if value is not None)
    return f'<div class="cards">{"".join(shown)}</div>'


def _verdict(
    config: Mapping[str, Any], report: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], directory: Path
) -> str:
    said = verdict(report)
    advice = what_next(config, report, metrics, directory) if said else []
    tried = f"<p>To try next:</p><ul>{''.join(f'<li>{escape(each)}</li>' for each in advice)}</ul>" if advice else ""
    return "".join(f"<p>{escape(line)}</p>" for line in said) + tried


def _machine(machine: Mapping[str, str]) -> str:
    return _table((), [[name, value] for name, value in machine.items()]) if machine else ""


def _settings(config: Mapping[str, Any]) -> str:
    text = escape(json.dumps(config, indent=2, ensure_ascii=False))
    return f"<details><summary>Every setting</summary><pre>{text}</pre></details>"


def _measured(report: Mapping[str, Any]) -> str:
    if "after" not in report["eval"]:
        return "<p>The policy was not trained, and so not measured again.</p>"
    before, after, teacher = report["eval"]["before"], report["eval"]["after"], report.get("teacher")
    gains = report.get("gain", {})
    rows = [
        [
            name,
            _share(was),
            _share(now),
            told_gain(gains[name]) if name in gains else "",
            *([_share(teacher)] if teacher else []),
        ]
        for name, was, now in (("sampled", before, after), ("greedy", before["greedy"], after["greedy"]))
    ]
    heads = ["replies", "before", "after", "success", *(["expert that was imitated"] if teacher else [])]
    ends = "".join(
        f'<p class="quiet">{when}: reward {seen["reward"]:.3f}; ended '
        f"{escape(', '.join(f'{name} {num}' for name, num in seen['stop_reasons'].items()))}.</p>"
        for when, seen in (("Before", before), ("After", after))
        if "stop_reasons" in seen
    )
    return f"{_table(heads, rows)}<p class='quiet'>95 % intervals over {after['tasks']} tasks.</p>{ends}"


def _share(score: Mapping[str, Any]) -> str:
    low, high = score["ci95"]
    return f"{score['success']:.3f} ({low:.3f} to {high:.3f})"


def _curves(metrics: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    alarms = [alarm["update"] for alarm in report["alarms"]]
    shown = [
        panel(title, [curve_of(metrics, stage, key) for stage in ("train", "validation")], alarms=alarms, unit=unit)
        for key, title, unit in _PANELS
    ]
    warm = [
        panel(f"{title}, warm start", [curve_of(metrics, f"warm_start{part}", key) for part in ("", "_validation")])
        for key, title in (("loss", "Loss"), ("success", "Success"))
    ]
    return f'<div class="figures">{"".join([*shown, *warm])}</div>'


def _alarms(report: Mapping[str, Any]) -> str:
    if not report["alarms"]:
        return "<p>None went off.</p>"
    rows = [
        [
            alarm["name"].replace("_", " "),
            f"{alarm['update']} {'to the end' if alarm['until'] is None else 'to ' + str(alarm['until'])}",
            f"{alarm['metric']} {alarm['value']:.4g}, bound {alarm['threshold']:.4g}",
            alarm["advice"],
        ]
        for alarm in report["alarms"]
    ]
    return _table(("alarm", "updates", "seen", "what to do"), rows)


def _ledger(report: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> str:
    ledger = report.get("ledger", {})
    if "problem" in ledger:
        return f'<p class="bad">{escape(str(ledger["problem"]))}</p>'
    total = sum(ledger.values())
    rows = [[name, f"{num}", f"{num / total:.0%}"] for name, num in ledger.items()]
    void = sum(line.get("void", 0) for line in metrics if line["stage"] == "train")
    told = f"<p class='quiet'>Void episodes in training: {void:g}.</p>"
    return _table(("fate", "tasks", "share"), rows) + told if rows else ""


def _curriculum(config: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> str:
    chosen = config.get("curriculum", {"id": "uniform"})
    options = ", ".join(f"{key} {value}" for key, value in chosen.items() if key != "id")
    trained = [line for line in metrics if line["stage"] == "train"]
    last: Mapping[str, Any] = trained[-1] if trained else {}
    marks = [key for key in last if key.startswith("success_at_level_")]
    rows = [[key.removeprefix("success_at_level_"), f"{last[key]:.3f}"] for key in marks]
    told = f"<p>{escape(chosen['id'])}{escape(f' ({options})' if options else '')}</p>"
    return told + (_table(("level", "success in the last update"), rows) if rows else "")


def _cost(report: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for stage in ("warm_start", "train"):
        lines = [line for line in metrics if line["stage"] == stage]
        if lines:
            play, learn = (sum(line.get(key, 0) for line in lines) for key in ("play_seconds", "learn_seconds"))
            seconds = report["stages"].get(stage, {}).get("seconds", 0.0)
            times = (seconds, play, learn, max(0.0, seconds - play - learn))
            counts = [sum(_counted(line, key) for line in lines) for key in _COUNTS]
            name = stage.replace("_", " ")
            rows.append([name, *(f"{each:,.1f}" for each in times), *(f"{each:,.0f}" for each in counts)])
    heads = ("stage", "seconds", "playing", "learning", "rest", *(key.replace("_", " ") for key in _COUNTS))
    peak = report.get("peak_memory_bytes")
    memory = f"<p>Peak memory of the process: {peak / 2**20:,.0f} MiB.</p>" if peak else ""
    return (_table(heads, rows) if rows else "") + f"<p>All of it: {report['wall_seconds']:,} seconds.</p>{memory}"


_COUNTS = ("episodes", "tokens", "reply_tokens", "trained_tokens", "environment_steps")
_MEANS = ("tokens", "reply_tokens")
"""Logged as means over the episodes of an update."""


def _counted(line: Mapping[str, Any], key: str) -> float:
    return float(line.get(key, 0) * (line.get("episodes", 0) if key in _MEANS else 1))


def _episode(found: Notable) -> str:
    card, episode = found.card, found.episode
    outcome = "void" if card.stop_reason.is_void else "success" if card.success else "no success"
    head = (
        f"{found.why}: episode {card.number}, task {card.task}, update {card.update}, reward {card.reward:.3f}, "
        f"{outcome}, {card.num_turns} turns, {card.stop_reason.value.replace('_', ' ')}"
    )
    more = len(episode.turns) - _TURNS
    tail = f'<p class="quiet">… {more} more turns</p>' if more > 0 else ""
    error = f'<p class="bad">{escape(episode.error)}</p>' if episode.error else ""
    turns = "".join(_turn(turn) for turn in episode.turns[:_TURNS])
    return f"<details><summary>{escape(head)}</summary>{error}{turns}{tail}</details>"


def _turn(turn: Any) -> str:
    trouble = f'<p class="trouble">{escape(_clipped(turn.error))}</p>' if turn.error is not None else ""
    parts = {name: value for name, value in turn.breakdown.items() if value}
    earned = ", ".join(f"{name} {value:+.3g}" for name, value in parts.items())
    told = f'<span class="quiet">reward {turn.reward:+.3g}: {escape(earned)}</span>' if turn.reward else ""
    return (
        f'<div class="turn"><p>{escape(_clipped(turn.observation))}</p>'
        f'<p class="said">{escape(_clipped(turn.reply))}</p>{trouble}{told}</div>'
    )


def _clipped(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]} … ({len(text) - _LETTERS:,} letters more)"


def _further(config: Mapping[str, Any], directory: Path) -> str:
    typed = (
        (f"agentgym view {directory}", "all episodes, live and token by token"),
        (f"agentgym play {config['env']['id']} --model {directory}", "the policy at play"),
        (f"agentgym compare OTHER {directory}", "beside another run"),
    )
    return _table((), [[f"{command}", what] for command, what in typed])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> Iterator[str]:
        return (f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)

    head = f"<thead><tr>{''.join(line(heads, 'th'))}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{''.join(line(row, 'td'))}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'
