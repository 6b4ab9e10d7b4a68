"""Which Chromium is run, and how it is told to behave.

It is the system's: Playwright's own build is not downloaded. AGENTGYM_CHROMIUM names another executable.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from agentgym.errors import MissingExtraError, UserError
from agentgym.extras import installed

__all__ = ["FLAGS", "VARIABLE", "check_installed", "executable"]

VARIABLE = "AGENTGYM_CHROMIUM"
"""The environment variable with the path of an executable."""

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Looked for in this order. The first is the same engine without the windows that nobody sees, and lighter."""

FLAGS = (
    "--disable-gpu",
    "--disable-lcd-text",  # the same pixels everywhere
    "--disable-extensions",
    "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication,LensOverlay,GlicActorUi",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--deny-permission-prompts",
)
"""Beside those that Playwright gives."""


def executable(environ: Mapping[str, str] = os.environ) -> str:
    """Path of the browser. Raises MissingExtraError where there is none, UserError where the variable names none."""
    if named := environ.get(VARIABLE):
        found = shutil.which(named, path=environ.get("PATH"))
        if found is None:
            raise UserError(f'{VARIABLE} is "{named}", which is no program that can be run')
        return found
    for name in _NAMES:
        if found := shutil.which(name, path=environ.get("PATH")):
            return found
    raise MissingExtraError(
        f"this needs Chromium, and none of {', '.join(_NAMES)} is on the PATH; type: apt-get install chromium "
        f"(or set {VARIABLE} to the path of one)"
    )


def check_installed() -> None:
    """Raises MissingExtraError where Playwright or Chromium is missing; neither is started."""
    installed("playwright", extra="gui")
    executable()
