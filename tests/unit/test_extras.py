"""Packages that only some plug-ins need."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agentgym.errors import MissingExtraError
from agentgym.extras import installed, require


def test_what_is_there_is_imported() -> None:
    assert require("json", extra="any") is json


@pytest.mark.parametrize(
    ("install", "command"),
    [(None, "pip install 'agentgym-lab[zoo]'"), ("make zoo", "make zoo")],
)
def test_what_is_missing_is_asked_for_by_what_to_type(install: str | None, command: str) -> None:
    with pytest.raises(MissingExtraError) as error:
        require("package_that_nobody_has.part", extra="zoo", install=install)
    assert str(error.value) == f"this needs package_that_nobody_has, which is not installed; type: {command}"
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


def test_whether_something_is_there_is_found_out_without_its_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_slow_zoo_of_tests.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    installed("a_slow_zoo_of_tests", extra="zoo")
    assert "a_slow_zoo_of_tests" not in sys.modules
    with pytest.raises(MissingExtraError, match=r"^this needs nobody_has_it, which is not installed; type: pip"):
        installed("nobody_has_it", extra="zoo")


def test_what_is_missing_further_down_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_zoo_of_tests.py").write_text("import keepers_that_nobody_has.cage\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"^this needs keepers_that_nobody_has, which"):
        require("a_zoo_of_tests", extra="zoo")
    assert "a_zoo_of_tests" not in sys.modules


def test_what_is_broken_otherwise_is_no_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_broken_zoo_of_tests.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        require("a_broken_zoo_of_tests", extra="zoo")
