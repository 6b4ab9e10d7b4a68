"""The tables of docs/measured, from the JSON that the benchmarks wrote.

    python docs/figures.py            writes the tables into the pages
    python docs/figures.py --check    exits with 1 where a page is not what this would write

A page is prose by hand. Between ``<!-- figures: NAME -->`` and ``<!-- end -->`` stands the table of
docs/measured/data/NAME.json, as ``benchmarks/… --json`` writes it: name → value, target, unit, and the ends of an
interval where there is one. Without a layout a line of the table is a name; with one, names that differ in a part are
one line.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["LAYOUTS", "PAGES", "Layout", "filled", "table"]

PAGES = Path(__file__).parent / "measured"
_BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NO_TARGET = (None, "", "-", "none")


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Names of figures that make one line: each column's have ``{}`` where the name of the line stands."""

    what: str
    """Heading of the first column."""
    columns: Mapping[str, str]
    """Heading → name of a figure. Those that begin with "gain" are shown with a sign."""
    lines: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name of a line → what is shown for it."""


def _learned(how: str) -> dict[str, str]:
    return {
        f"{how}, before": f"success_before_{how}_seed_{{}}",
        "after": f"success_after_{how}_seed_{{}}",
        "gain": f"gain_over_before_{how}_seed_{{}}",
        "over the teacher": f"gain_over_teacher_{how}_seed_{{}}",
    }


LAYOUTS = {
    "learning-sampled": Layout("seed", _learned("sampled")),
    "learning-greedy": Layout("seed", _learned("greedy")),
    "decode": Layout("what", {"float32": "float32 {}", "bfloat16": "bfloat16 {}"}),
    "trainers": Layout(
        "trainer",
        {"blocksworld": "blocksworld_0_{}", "greedily": "blocksworld_0_{}_greedy"},
        {
            "start": "the warm start itself",
            "sft": "`sft` (goes on imitating)",
            "grpo": "`grpo` (its advantages divided by the deviation, which is no longer nano's default)",
            **{name: f"`{name}`" for name in ("rloo", "ppo", "dpo")},
            "mixed": "`mixed` (CHORD)",
        },
    ),
    "soak": Layout(
        "what was played",
        {
            "episodes": "{}: episodes",
            "memory grows by": "{}: memory",
            "descriptors": "{}: descriptors",
            "threads": "{}: threads",
            "tasks": "{}: tasks",
        },
    ),
    "recipe": Layout(
        "share of the budget in demonstrations",
        {
            "demonstrations": "seed_0_share_{}_demonstrations",
            "updates": "seed_0_share_{}_updates",
            "four blocks, as trained": "seed_0_share_{}_b4",
            "five blocks, never seen": "seed_0_share_{}_b5",
        },
    ),
    "time-to-success": Layout(
        "seed",
        {
            "ours, seconds to 0.7": "small, seed {}, ours, seconds to 0.7",
            "TRL's": "small, seed {}, TRL, seconds to 0.7",
            "ours / TRL's": "small, seed {}, time to 0.7, ours / TRL's",
            "an episode, ours / TRL's": "small, seed {}, time of an episode, ours / TRL's",
        },
    ),
}
"""By the name in the page. The file is that of the same name, or of its part before the first "-"."""


def filled(text: str, data: Path) -> str:
    """A page with its tables written anew. Raises FileNotFoundError for figures that there are not."""

    def block(match: re.Match[str]) -> str:
        name = match[2]
        file = next((data / f"{each}.json" for each in _files(name) if (data / f"{each}.json").is_file()), None)
        if file is None:
            raise FileNotFoundError(f"{data / name}.json is not there; write it with the benchmark's --json")
        return f"{match[1]}\n{table(json.loads(file.read_text(encoding='utf-8')), LAYOUTS.get(name))}\n{match[3]}"

    return _BLOCK.sub(block, text)


def _files(name: str) -> Iterable[str]:
    return name, name.replace("-", "_"), name.partition("-")[0]


def table(figures: Mapping[str, Any], layout: Layout | None = None) -> str:
    """Figures as a table of Markdown. Raises ValueError where no figure has a name of the layout."""
    rows = {name: row if isinstance(row, dict) else {"value": row} for name, row in figures.items()}
    if layout is None:
        shown = [[_named(name), _cell(name, row), str(row.get("target"))] for name, row in rows.items()]
        if all(row.get("target") in _NO_TARGET for row in rows.values()):
            return _markdown(["what", "value"], [line[:2] for line in shown])
        for line in shown:
            line[2] = "" if line[2] in map(str, _NO_TARGET) else line[2]
        return _markdown(["what", "value", "target"], shown)
    lines = dict.fromkeys(line for pattern in layout.columns.values() for line in _lines(pattern, rows))
    lines = dict.fromkeys(
        line for line in lines if all(pattern.format(line) in rows for pattern in layout.columns.values())
    )
    if not lines:
        raise ValueError(f"no figure is called {next(iter(layout.columns.values()))!r}, found {list(rows)[:3]}")
    shown = [
        [
            layout.lines.get(line, line),
            *(_cell(name, rows[name]) for pattern in layout.columns.values() for name in [pattern.format(line)]),
        ]
        for line in lines
    ]
    return _markdown([layout.what, *layout.columns], shown)


def _lines(pattern: str, rows: Mapping[str, Any]) -> list[str]:
    before, _, after = pattern.partition("{}")
    found = (re.fullmatch(f"{re.escape(before)}(.+?){re.escape(after)}", name) for name in rows)
    return [match[1] for match in found if match]


def _named(name: str) -> str:
    return name if " " in name else name.replace("_", " ")


def _cell(name: str, row: Mapping[str, Any]) -> str:
    unit, sign = row.get("unit") or "", "+" if name.startswith("gain") else ""
    spec = f"{sign}.2f" if unit == "success" else f"{sign},.4g"
    told = format(row["value"], spec)
    if "low" in row:
        told += f" [{format(row['low'], spec)}, {format(row['high'], spec)}]"
    return told if unit in ("", "success", "ratio", "episodes", "updates") else f"{told} {unit}"


def _markdown(heads: list[str], lines: list[list[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are not as they would be written."""
    stale = []
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (new := filled(text, PAGES / "data")) != text:
            stale.append(page.name)
            if arguments != ["--check"]:
                page.write_text(new, encoding="utf-8")
    if stale and arguments == ["--check"]:
        print(f"{', '.join(stale)}: not as docs/figures.py writes it; type: python docs/figures.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
