"""The page as one file: what is in it, and what cannot break out of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from agentgym.viewer.bundle import as_data, bundled, one_page
from agentgym.viewer.export import chosen, exported
from agentgym.viewer.server import STATIC
from tests.kit import episode
from tests.unit.viewer.kit import made, opened, spoken

HOSTILE = "</script><script>alert(1)</script><!-- & <img src=x onerror=alert(2)>"


def content_of(page: str) -> dict[str, object]:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    found: dict[str, object] = json.loads(data)
    return found


def test_data_cannot_end_the_element_it_stands_in() -> None:
    text = as_data({HOSTILE: HOSTILE})
    assert not set(text) & set("<>&")
    assert json.loads(text) == {HOSTILE: HOSTILE}


def test_a_hostile_episode_is_data_and_nothing_else(tmp_path: Path) -> None:
    with opened(made(tmp_path, [spoken(HOSTILE, episode_id="h")])) as sources:
        page = exported(sources)
    assert page.count("</script>") == 2
    assert "alert(1)</script>" not in page
    assert HOSTILE in json.dumps(content_of(page), ensure_ascii=False).replace('\\"', '"')


def test_only_the_page_s_own_script_and_style_are_allowed() -> None:
    page = one_page({})
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    for kind, pattern in (("script", r'<script type="module">(.*?)</script>'), ("style", r"<style>(.*?)</style>")):
        (text,) = re.findall(pattern, page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not re.findall(r'(?:src|href)="(?!#)', page)


def test_every_module_is_in_the_script_once_after_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { b, c } from "./b.js";\nexport const a = b + c;\n')
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\nexport const b = c;\n')
    (tmp_path / "c.js").write_text("export async function c() {}\nconst d = 1;\n")
    script = bundled(tmp_path, "a")
    assert re.findall(r"const from_(\w) = ", script) == ["c", "b", "a"]
    assert "return { c };" in script
    assert "import" not in script
    assert "const { b, c } = from_b;" in script
    real = bundled()
    assert not re.findall(r"^(?:import|export) ", real, re.MULTILINE)


def test_no_more_episodes_are_chosen_than_may_be_and_the_odd_ones_are_among_them(tmp_path: Path) -> None:
    many = [episode(0.5, episode_id=f"m{n}", group_id="") for n in range(40)]
    with opened(made(tmp_path, many)) as sources, sources.at(0).asking() as archive:
        found = [card.number for card in chosen(archive, 10)]
    assert len(found) == 10
    assert found == sorted(found)
    assert {3, 4, 5, 46} <= set(found)  # the best, one that branched, one that is void, the last


def test_what_is_in_it_is_what_the_views_say(tmp_path: Path) -> None:
    from agentgym.viewer import answer
    from tests.unit.viewer.kit import plain

    with opened(made(tmp_path)) as sources:
        answers = content_of(exported(sources))["answers"]
        assert isinstance(answers, dict)
        assert answers["episode/0/3"] == plain(answer(sources, "episode", {"number": "3", "num": "60"}))
        assert answers["curves/0"] == plain(answer(sources, "curves", {}))
        assert [row["number"] for row in answers["groups/0"]["rows"]] == [1, 3, 5]
        assert answers["trees/0"]["rows"][0]["lines"] == 2


@pytest.mark.parametrize("missing", ["icon.svg", "style.css"])
def test_a_page_without_what_is_replaced_is_told(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from agentgym.viewer import bundle

    for name in ("app.js", "style.css"):
        (tmp_path / name).write_text("")
    page = (STATIC / "index.html").read_text().replace(missing, "other")
    (tmp_path / "index.html").write_text(page)
    monkeypatch.setattr(bundle, "STATIC", tmp_path)
    monkeypatch.setattr(bundle, "bundled", lambda: "")
    with pytest.raises(RuntimeError, match=f"index.html has no .*{missing}"):
        bundle.one_page({})
