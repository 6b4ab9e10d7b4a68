"""Every link in the pages leads somewhere: to a file that is there, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kit import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "AGENTS.md", "llms.txt")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^)>\s]+)>?[^)]*\)")


def links_of(text: str) -> list[str]:
    """Targets of links and pictures, outside of code."""
    return _LINK.findall(_CODE.sub("", text))


def anchors_of(text: str) -> set[str]:
    """What headings are called in an address."""
    headings = re.findall(r"^#+ (.*?)\s*$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Links of ``page`` that lead nowhere."""
    found = []
    for link in links_of(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_no_page_of_the_site_leads_out_of_it(page: Path) -> None:
    """What is beside docs is not on the site: its name is written as code."""
    links = [link for link in links_of(page.read_text(encoding="utf-8")) if not re.match(r"[a-z]+:", link)]
    targets = {link: (page.parent / link.partition("#")[0]).resolve() for link in links}
    assert [link for link, target in targets.items() if not target.is_relative_to(ROOT / "docs")] == []


def test_what_is_broken_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A `b` C\n\n```\n# no heading\n```\n")
    text = (
        "[a](there.md) [b](there.md#a-b-c) ![c](no.png) [d](there.md#no-heading) [e](https://x.example) `[f](no.md)`\n"
    )
    (tmp_path / "page.md").write_text(f"{text}```\n[g](no.md)\n```\n[h](#here)\n# Here\n[i](#away)\n")
    assert broken(tmp_path / "page.md") == ["no.png", "there.md#no-heading", "#away"]


def test_every_page_is_reached_from_the_site() -> None:
    listed = set(re.findall(r"([\w./-]+\.md)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    written = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    others = {name for name in written if name.startswith("environments/")} | {
        "reference.md"
    }  # docs/hooks.py adds them
    assert written - listed - others == set()
