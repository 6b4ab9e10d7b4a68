"""What mkdocs does beside reading the pages: those that come from the program are made while the site is built.

A plug-in that has no page by hand gets one, the others get their options below what is written; ``api`` has what is
imported from Python, by mkdocstrings. Nothing of it is kept, so that nothing of it grows old.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from agentgym.reference import PARTS, options, own, pages, reference

__all__ = ["API", "on_config", "on_files", "on_page_markdown"]

API = {
    "Environments and episodes": ("agentgym.env", "agentgym.types", "agentgym.wrapper", "agentgym.tools"),
    "Training, measuring, playing": ("agentgym.launch", "agentgym.archive", "agentgym.repl"),
    "Rewards, curricula, searches": (
        "agentgym.reward",
        "agentgym.curriculum",
        "agentgym.augmentation",
        "agentgym.search",
        "agentgym.critic",
    ),
    "Advantages": tuple(
        f"agentgym.learn.advantages.{name}"
        for name in ("group", "temporal", "anchors", "sets", "shaping", "merged", "whitening")
    ),
    "Objectives": tuple(
        f"agentgym.learn.objectives.{name}"
        for name in (
            "estimator",
            "policy_gradient",
            "preference",
            "imitation",
            "mixers",
            "nft",
            "balance",
            "kl",
            "corrections",
        )
    ),
    "Trainers and engines": ("agentgym.learn.trainer", "agentgym.engine", "agentgym.protocol", "agentgym.registry"),
    "For trainers of others": ("agentgym.interop",),
}
"""Page → modules whose public names it shows."""


def on_config(config: Any) -> Any:
    """Add what is generated to the navigation."""
    written = Path(config.docs_dir)
    plugged = [
        {part.title: [f"{kind}/{id}.md" for id in own(kind) if not (written / kind / f"{id}.md").is_file()]}
        for kind, part in PARTS.items()
        if kind != "environments"
    ]
    others = [f"environments/{id}.md" for id in own("environments")]
    config.nav = [
        *config.nav,
        {"Each environment": ["environments/README.md", *others, "environments/adapters.md"]},
        {"Reference": ["reference.md", *plugged, {"Python": [_api_page(title) for title in API]}]},
    ]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add pages that are made, and put the reference as it is now in the place of the one that is kept."""
    made = {**pages(), "reference.md": reference()}
    for title, modules in API.items():
        made[_api_page(title)] = f"# {title}\n\n" + "\n".join(f"::: {module}\n" for module in modules)
    for path, text in made.items():
        there = files.get_file_from_path(path)
        if there is not None and path != "reference.md":
            continue
        if there is not None:
            files.remove(there)
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Below a page by hand, what the environment can be told."""
    kind, _, name = page.file.src_uri.partition("/")
    id = name.removesuffix(".md")
    if kind != "environments" or page.file.generated_by or id not in own(kind):
        return markdown
    return f"{markdown}\n\n## Options\n\n{PARTS[kind].note}\n\n{options(kind, id)}\n"


def _api_page(title: str) -> str:
    return f"api/{title.lower().replace(',', '').replace(' ', '-')}.md"
