"""The notebook runs from top to bottom, and is kept without what it printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit import ROOT

NOTEBOOK: dict[str, Any] = json.loads((ROOT / "examples" / "start.ipynb").read_text(encoding="utf-8"))
CELLS = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_it_is_a_plain_notebook_without_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])
    for cell in NOTEBOOK["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.slow
def test_its_cells_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "notebook"}
    for number, cell in enumerate(CELLS):
        assert cell.count("UPDATES = 20") == cell.startswith("UPDATES")
        exec(compile(cell.replace("UPDATES = 20", "UPDATES = 2"), f"<cell {number}>", "exec"), names)
    printed = capsys.readouterr().out
    assert "A bell rings in the" in printed
    assert "after: success" in printed
