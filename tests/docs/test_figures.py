"""Tables of what was measured are what the benchmarks' JSON says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit import ROOT


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("docs_figures", ROOT / "docs" / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


figures = loaded()
PAGES = sorted((ROOT / "docs" / "measured").glob("*.md"))
DATA = ROOT / "docs" / "measured" / "data"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_what_comes_of_the_data(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert figures.filled(text, DATA) == text


def test_all_that_was_measured_is_shown() -> None:
    named = {name for page in PAGES for name in figures._BLOCK.findall(page.read_text(encoding="utf-8"))}
    used = {file for _, name, _ in named for file in figures._files(name)}
    assert {file.stem for file in DATA.glob("*.json")} <= used


def test_a_table_without_a_layout_has_a_line_for_each_figure() -> None:
    rows = {
        "speed": {"value": 6701.4, "target": ">= 1240", "unit": "1/s"},
        "part": {"value": 0.3, "target": "-", "unit": "ratio", "low": 0.29, "high": 0.31},
    }
    assert figures.table(rows).splitlines() == [
        "| what | value | target |",
        "| --- | --- | --- |",
        "| speed | 6,701 1/s | >= 1240 |",
        "| part | 0.3 [0.29, 0.31] |  |",
    ]
    assert figures.table({"bytes_a_token": 5.25}).splitlines()[2] == "| bytes a token | 5.25 |"


def test_a_layout_makes_a_line_of_names_that_differ_in_a_part() -> None:
    layout = figures.Layout("seed", {"before": "b_{}", "gain": "gain_{}"}, {"2": "the second"})
    rows = {
        f"{what}_{seed}": {"value": 0.5, "target": None, "unit": "success"} for seed in "12" for what in ("b", "gain")
    }
    rows["b_3"] = rows["b_1"]  # has no gain
    assert figures.table(rows, layout).splitlines()[2:] == ["| 1 | 0.50 | +0.50 |", "| the second | 0.50 | +0.50 |"]
    with pytest.raises(ValueError, match="no figure is called"):
        figures.table({"other": {"value": 1}}, layout)


def test_pages_are_written_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "speed.json").write_text(json.dumps({"speed": {"value": 2, "target": "-", "unit": "s"}}))
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- figures: speed -->\nold\n<!-- end -->\n")
    monkeypatch.setattr(figures, "PAGES", tmp_path)
    assert figures.main(["--check"]) == 1
    assert "old" in page.read_text()
    assert figures.main([]) == 0
    assert "| speed | 2 s |" in page.read_text()
    assert figures.main(["--check"]) == 0
    page.write_text("<!-- figures: other -->\n<!-- end -->\n")
    with pytest.raises(FileNotFoundError, match=r"other\.json is not there"):
        figures.main([])
