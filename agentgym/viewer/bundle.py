"""The page as one text: its modules in one script, its style, and the data, each allowed by its digest alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentgym.viewer.server import STATIC

__all__ = ["as_data", "bundled", "one_page"]

_IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|const) (\w+))", re.MULTILINE)


def bundled(folder: Path = STATIC, first: str = "app") -> str:
    """The modules that ``first`` imports, and itself, as one script: each a function that returns what it exports."""
    done: dict[str, str] = {}

    def take(name: str) -> None:
        if name in done:
            return
        text = (folder / f"{name}.js").read_text(encoding="utf-8")
        for _, other in _IMPORT.findall(text):
            take(other)
        exports = ", ".join(_EXPORT.findall(text))
        body = _EXPORT.sub("", _IMPORT.sub(r"const { \1 } = from_\2;", text))
        done[name] = f"const from_{name} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"

    take(first)
    return "".join(done.values())


def as_data(content: Any) -> str:
    """JSON that can stand in a page: nothing in it begins or ends an element or a comment."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def one_page(content: Mapping[str, Any]) -> str:
    """index.html with everything in it. The browser runs that script, applies that style and loads nothing."""
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    style, script = (STATIC / "style.css").read_text(encoding="utf-8"), bundled()
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        '<link rel="icon" href="icon.svg">': f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<link rel="stylesheet" href="style.css">': f"<style>{style}</style>",
        '<script type="module" src="app.js"></script>': "",
        "</body>": f'<script type="application/json" id="data">{as_data(content)}</script>\n'
        f'<script type="module">{script}</script>\n</body>',
    }
    for old, new in parts.items():
        before, found, after = page.partition(old)
        if not found:
            raise RuntimeError(f"index.html has no {old}")
        page = before + new + after
    return page


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
