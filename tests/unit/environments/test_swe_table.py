"""What the table says of bugs, against the bugs: a few of each module, and with ``slow`` all of them.

``AGENTGYM_GOLDEN=write`` writes it anew.
"""

from __future__ import annotations

import os
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentgym.environments.swe import table
from agentgym.environments.swe.bugs import known_bugs, source_of, split_of
from agentgym.environments.swe.cases import CASES_OF_ALL, cases_of
from agentgym.environments.swe.mutators import KINDS, Bug, bugs_in
from tests.unit.environments.swe_kit import failing

ALL = {(known.module, known.bug.key): known for split in ("train", "validation", "test") for known in known_bugs(split)}


@pytest.mark.parametrize("module", CASES_OF_ALL)
def test_bugs_make_just_those_cases_fail(module: str, tmp_path: Path) -> None:
    """The first and the last of a module, and the module itself none."""
    assert failing(source_of(module), module, tmp_path) == []
    known = [found for (of, _), found in ALL.items() if of == module]
    for found in (known[0], known[-1]):
        text = found.bug.put_into(source_of(module))
        assert failing(text, module, tmp_path) == list(found.failing), found.bug.key


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("module", CASES_OF_ALL)
def test_the_table_is_what_comes_of_all_bugs(module: str, tmp_path: Path) -> None:
    listed = " ".join(_noticed(module, tmp_path))
    if os.environ.get("AGENTGYM_GOLDEN") == "write":
        _write(module, listed)
        return
    assert " ".join(table.TABLE[module].split()) == listed


def _noticed(module: str, folder: Path) -> list[str]:
    text, found, seen = source_of(module), [], set()

    def tried(bug: Bug) -> list[int] | None:
        place = folder / bug.key
        place.mkdir()
        return failing(bug.put_into(text), module, place, seconds=3.0)

    bugs = bugs_in(text)
    with ThreadPoolExecutor(2) as workers:
        for bug, numbers in zip(bugs, workers.map(tried, bugs), strict=True):
            if numbers and 2 <= len(numbers) < len(cases_of(module)) and bug.put_into(text) not in seen:
                seen.add(bug.put_into(text))
                found.append(f"{bug.key}:{','.join(map(str, numbers))}")
    return found


def _write(module: str, listed: str) -> None:
    file = Path(table.__file__)
    head, _, rest = file.read_text().partition(f'    "{module}": """\n')
    _, _, tail = rest.partition('    """,\n')
    lines = "".join(f"        {line}\n" for line in textwrap.wrap(listed, 108, break_on_hyphens=False))
    file.write_text(f'{head}    "{module}": """\n{lines}    """,\n{tail}')


def test_there_are_hundreds_of_bugs_of_many_kinds_in_every_split() -> None:
    assert len(ALL) >= 500
    assert {module for module, _ in ALL} == set(CASES_OF_ALL)
    assert len(CASES_OF_ALL) >= 12
    kinds = {key.rpartition("-")[0] for _, key in ALL}
    assert kinds == set(KINDS)
    for split in ("train", "validation", "test"):
        assert len(known_bugs(split)) >= 80
        assert len({known.module for known in known_bugs(split, plain=True)}) >= 10


def test_a_bug_is_in_one_split_and_leaves_some_cases_right() -> None:
    for (module, key), known in ALL.items():
        assert split_of(module, key) in ("train", "validation", "test")
        assert 2 <= len(known.failing) < len(cases_of(module))
    texts = [known.bug.put_into(source_of(known.module)) for known in ALL.values()]
    assert len(set(texts)) == len(texts)
