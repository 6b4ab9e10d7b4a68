"""Every recipe can be typed as it stands, without and with each of its presets, and what is small of it runs."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.config import merged, read_toml
from agentgym.errors import MissingExtraError
from agentgym.flags import parse_flags
from agentgym.launch import train
from agentgym.launch.resolving import resolve
from agentgym.registry import plugins
from tests.kit import ROOT

RECIPES = sorted((ROOT / "examples" / "recipes").glob("*.toml"))


def presets(file: Path) -> list[str]:
    return list(tomllib.loads(file.read_text()).get("presets", {}))


@pytest.mark.parametrize(
    ("file", "preset"),
    [
        pytest.param(file, preset, id=f"{file.stem}-{preset}" if preset else file.stem)
        for file in RECIPES
        for preset in (None, *presets(file))
    ],
)
def test_a_recipe_resolves(file: Path, preset: str | None) -> None:
    given = read_toml(file, preset=preset)
    resolve(given)
    if preset == "nano":
        assert given["model"] == {"id": "nano"}
        return
    settings = resolve({**given, "model": {"id": "somebody/model"}})  # a name, as its head tells one to type
    for id, reward in settings.rewards.items():
        plugins("rewards").build(id, reward.options)
    warm = settings.warm_start
    assert warm.enabled or not warm.model_fields_set, "a loaded model has a warm start only where it is enabled"


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_names_its_paper_and_how_it_is_typed(file: Path) -> None:
    head = file.read_text().split("\n\n", 1)[0]
    assert re.search(r"arXiv \d{4}\.\d{5}", head)
    typed = set(re.findall(r"--config (\S+)", file.read_text()))
    assert typed == {f"examples/recipes/{file.name}"}


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_what_may_be_typed_behind_a_recipe_resolves(file: Path) -> None:
    for typed in re.findall(r"^#     … (--.*?)(?: {2}.*)?$", file.read_text(), re.MULTILINE):
        flags = parse_flags(shlex.split(typed))
        resolve(merged(read_toml(file), {"model": {"id": "somebody/model"}}, flags))


def test_every_recipe_is_in_the_table() -> None:
    table = (ROOT / "examples" / "recipes" / "README.md").read_text()
    assert re.findall(r"^\| \[([\w-]+)\]\(\1\.toml\) \|", table, re.MULTILINE) == [file.stem for file in RECIPES]


SMALL: dict[str, Any] = {
    "updates": 2,
    "warm_start": {"max_updates": 2, "check_every": 2, "batch_size": 2},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 2},
}
SPLIT: dict[str, Any] = {"recipe": {"budget": 2 * 10 + 2 * 8, "demonstrations": 2, "passes": 2}, "eval": SMALL["eval"]}
"""For a budget, which decides the updates: 2 demonstrations at 10, and 2 updates of 8 episodes."""


AT_EACH_CHANGE = ("environment-tuning-bfcl", "stream-of-search-countdown")
"""The others run every night."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=[] if file.stem in AT_EACH_CHANGE else pytest.mark.nightly, id=file.stem)
        for file in RECIPES
        if "nano" in presets(file)
    ],
)
def test_what_is_nano_of_a_recipe_runs(file: Path, tmp_path: Path) -> None:
    given = read_toml(file, preset="nano")
    try:
        agentgym.make(given["env"]["id"]).close()
    except MissingExtraError as error:
        pytest.skip(str(error))
    size = {"episodes": 8} if given["trainer"]["id"] == "ppo" else {"groups": 2, "group_size": 4}
    cut = merged(SPLIT if "recipe" in given else SMALL, {"trainer": size, "output": tmp_path / "run"})
    run = train(merged(given, cut))
    report = json.loads((run / "report.json").read_text())
    assert report["stages"]["train"]["updates"] == 2
    assert report["eval"]["after"]["greedy"]
