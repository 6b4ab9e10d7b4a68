"""What the command line's commands have in common: options given once, numbers that are some, an end that is clean."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import click

from agentgym.errors import UserError

__all__ = ["Group", "Once", "Real", "hang_up", "write_json"]


class Once(click.Command):
    """A command whose options are given once: which of two would count?"""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for parameter, num in Counter(given).items():
            if num > 1 and not parameter.multiple:
                raise click.UsageError(f"{'/'.join(parameter.opts)} is given {num} times; leave all but one out", ctx)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """Its commands are of that kind."""

    command_class = Once


class Real(click.FloatRange):
    """A number in a range, which nan is in none of."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number.", param, ctx)
        return found


def hang_up(*_: object) -> None:
    """As clean an end as Ctrl-C; what would be told to a terminal that is gone is told to nobody."""
    for descriptor in range(3):
        with contextlib.suppress(OSError):  # it may be closed
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
    signal.raise_signal(signal.SIGINT)


def write_json(file: Path, text: str) -> None:
    """Raises UserError where the disk refuses."""
    try:
        file.write_text(text + "\n")
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; choose another --json") from None
