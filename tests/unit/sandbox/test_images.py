"""Where the packages of an image come from."""

from __future__ import annotations

import shutil

import pytest

from agentgym.sandbox import images

LISTED = """\
http://one.example/debian/ bookworm-updates main
http://three.example/debian/ bookworm contrib
http://one.example/debian/ bookworm main
http://two.example/debian/ bookworm main
"""


@pytest.mark.parametrize(
    ("suite", "has_apt", "mirror"),
    [("bookworm", True, ["http://one.example/debian/"]), ("sid", True, []), ("bookworm", False, [])],
)
def test_the_machines_own_source_of_the_release_is_taken(
    suite: str, has_apt: bool, mirror: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get" if has_apt else None)
    monkeypatch.setattr(images, "_run", lambda *command: LISTED)
    assert images._mirror(suite) == mirror
