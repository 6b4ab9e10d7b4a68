"""Every block of code that a page shows is run, in order, as a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

import agentgym
from tests.docs.blocks import BRIEF, Block, blocks_of, brief, run_page
from tests.kit import ROOT

SLOW, VLLM, BROWSER, PRETRAINED = pytest.mark.slow, pytest.mark.vllm, pytest.mark.browser, pytest.mark.pretrained
MARKS = {
    "docs/start.md": SLOW,
    "docs/using.md": SLOW,
    "docs/lessons/environment.md": SLOW,
    "docs/lessons/tools.md": SLOW,
    "docs/lessons/reward.md": SLOW,
    "docs/lessons/curriculum.md": SLOW,
    "docs/lessons/reading.md": SLOW,
    "docs/lessons/agent-q.md": SLOW,
    "docs/lessons/vllm.md": VLLM,
    "docs/lessons/browser.md": BROWSER,
    "docs/lessons/pretrained.md": PRETRAINED,
}
"""What a page needs; the others are run at each change."""

PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "start.md",
    ROOT / "docs" / "coming-from.md",
    *sorted((ROOT / "docs" / "lessons").glob("*.md")),
]


def marked(page: Path) -> ParameterSet:
    name = str(page.relative_to(ROOT))
    return pytest.param(page, id=name, marks=MARKS.get(name, ()))


@pytest.mark.parametrize("page", [marked(page) for page in PAGES])
def test_what_a_page_shows_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.syspath_prepend(str(tmp_path))  # where a reader's files are
    assert run_page(page) > 0


def test_every_mark_is_of_a_page() -> None:
    assert {name for name in MARKS if not (ROOT / name).is_file()} == set()


# -- what a block is -------------------------------------------------------------------------------------------


PAGE = """# A page

```python
x = 1
```

Words.

```toml title="a.toml"
x = 1
```

```
read
```
"""


def test_blocks_say_what_they_are_and_where() -> None:
    assert blocks_of(PAGE) == [
        Block("python", "x = 1\n", 3),
        Block("toml", "x = 1\n", 9, "a.toml"),
        Block("", "read\n", 13),
    ]
    assert [block.is_run for block in blocks_of(PAGE)] == [True, True, False]


def page(folder: Path, text: str) -> Path:
    file = folder / "page.md"
    file.write_text(text)
    return file


def test_blocks_share_names_and_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = '```python title="a.py"\nprint("heard")\n```\n```python\nx = 1\n```\n```python\nassert x == 1\n```\n'
    text += "```console\n$ python a.py\nheard\n$ echo a; echo b\na\n…\n```\n```text\nnothing\n```\n"
    assert run_page(page(tmp_path, text)) == 4


def test_a_page_and_a_test_may_have_a_plug_in_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import agentgym\n\n\n@agentgym.register\ndef same_name(trajectory):\n    return []\n"
    other = tmp_path / "other" / "same_name.py"
    other.parent.mkdir()
    other.write_text(text)
    agentgym.plugins("rewards").get(str(other))
    monkeypatch.chdir(tmp_path)
    use = "import agentgym\n\nassert agentgym.plugins('rewards').get('./same_name.py')([1]) == []\n"
    assert run_page(page(tmp_path, f'```python title="same_name.py"\n{text}```\n```python\n{use}```\n')) == 2
    assert agentgym.plugins("rewards").get("same_name") is agentgym.plugins("rewards").get(str(other))


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("```python\nraise KeyError(1)\n```", "1"),
        ("```sh\nfalse\n```", "false"),
        ("```sh\nagentgym doctor nothing-of-that-name\n```", "nothing-of-that-name"),
        ("```sh\npip install something\n```", "nothing is installed"),
        ("```console\n$ echo a\nb\n```", "and prints\na"),
    ],
)
def test_what_goes_wrong_is_told_with_its_place(
    block: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=told) as caught:
        run_page(page(tmp_path, f"# Title\n\n{block}\n"))
    assert caught.value.__notes__ == ["in page.md, the block at line 3"]


def test_training_is_brief_where_a_page_says_nothing() -> None:
    said = brief(["train", "--env", "blocksworld", "--updates", "9"])
    assert said[:5] == ["train", "--env", "blocksworld", "--updates", "2"]
    assert brief(["train", "--env", "blocksworld", "--updates", "1"])[4] == "1"
    assert {word.removeprefix("--") for word in said[5::2]} == set(BRIEF) - {"updates", "trainer.batch_size"}
    assert "--trainer.groups" not in brief(["train", "--env", "blocksworld", "--trainer", "sft"])
    for left in (["train", "--resume", "runs/a"], ["eval", "--model", "runs/a"], []):
        assert brief(left) == left
