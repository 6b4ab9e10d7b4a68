"""A command whose further flags are settings, its help, and what is said where one of them is not typed right."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agentgym.commands import Once
from agentgym.errors import ConfigError

__all__ = ["SettingsCommand", "flags_of"]


class SettingsCommand(Once):
    """A command whose further flags are settings, checked against the settings' own fields.

    Its help shows all of them, and those of the plug-ins that are named beside ``--help``; of one part alone where that
    is named behind it: ``--help trainer``.
    """

    def __init__(self, *args: Any, takes: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.takes = takes
        """Name of the class of settings, which is imported when it is needed."""
        self.context_settings = {"ignore_unknown_options": True, "allow_extra_args": True}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["topic"], args = self._topic(list(args))
        args = self._env_first(args)
        ctx.meta["typed"] = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:
            wanted = error.param.opts if isinstance(error.param, click.Option) else []
            flags = [word.partition("=")[0] for word in ctx.meta["typed"] if word.startswith("--")]
            close = [flag for name in wanted for flag in difflib.get_close_matches(name, flags, n=1)]
            raise click.MissingParameter(f'Found "{close[0]}".' if close else "", ctx, error.param) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            options = [name.removeprefix("--") for param in self.params for name in param.opts if name[:2] == "--"]
            raise error.pointed(options) from None

    # -- the environment may be named by --env too ------------------------------------------------------

    def _env_first(self, args: list[str]) -> list[str]:
        """Where the environment is an argument, as it is of play, ``--env NAME`` is that argument."""
        if not self._has_env_argument():
            return args
        for place, word in enumerate(args):
            name, equals, value = word.partition("=")
            if name == "--env" and (equals or place + 1 < len(args)):
                rest = args[:place] + args[place + (1 if equals else 2) :]
                if rest and not rest[0].startswith("-"):  # it is given already
                    return args
                return [value if equals else args[place + 1], *rest]
        return args

    def _has_env_argument(self) -> bool:
        return any(isinstance(param, click.Argument) and param.name == "env" for param in self.params)

    # -- help ------------------------------------------------------------------------------------------

    def _topic(self, args: list[str]) -> tuple[str, list[str]]:
        """What stands behind --help, and the rest; where the environment is an argument, it may be that."""
        for place, word in enumerate(args[:-1]):
            behind = args[place + 1]
            if word not in ("-h", "--help") or (behind.startswith("-") and not behind.startswith("--")):
                continue
            if not behind.startswith("--") and (not self._has_env_argument() or self._is_key(behind)):
                return behind, [*args[: place + 1], *args[place + 2 :]]
        return "", args

    def _is_key(self, word: str) -> bool:
        from agentgym.launch import settings

        return word.partition(".")[0].replace("-", "_") in getattr(settings, self.takes).model_fields

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[--SETTING VALUE]..."]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if ctx.meta.get("topic"):
            formatter.write(self._page(ctx))
        else:
            super().format_help(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if "typed" in ctx.meta:
            formatter.write(f"\n{self._page(ctx)}\n")

    def _page(self, ctx: click.Context) -> str:
        from agentgym.launch import settings
        from agentgym.manual import page

        beside = {str(parameter.name) for parameter in self.params}
        kind, topic = getattr(settings, self.takes), ctx.meta["topic"]
        return page(kind, self._chosen(ctx), beside=beside, topic=topic, type_in=ctx.command_path)

    def _chosen(self, ctx: click.Context) -> dict[str, Any]:
        """The settings that were typed; those of them that are arguments or options of the command too."""
        from agentgym.config import merged, read_toml
        from agentgym.flags import parse_flags

        options, rest, _ = self.make_parser(ctx).parse_args(list(ctx.meta["typed"]))
        named = {key: {"id": options[key]} for key in ("env", "model") if isinstance(options.get(key), str)}
        file, preset = options.get("config_file"), options.get("preset")
        return merged(read_toml(Path(file), preset=preset) if isinstance(file, str) else {}, parse_flags(rest), named)


def flags_of(ctx: click.Context) -> dict[str, Any]:
    """The settings that were typed as flags. Raises ConfigError, which says how what is no flag could be typed."""
    from agentgym.flags import parse_flags

    _refuse_bare(ctx.args[:1])
    return parse_flags(ctx.args)


def _refuse_bare(first: Sequence[str]) -> None:
    """Raise ConfigError where an environment or a run stands alone, as play takes it."""
    from agentgym.registry import plugins

    for word in first:
        is_env = ".py" in word or word.partition(":")[0] in plugins("environments").ids()
        is_run = (Path(word) / "config.json").is_file()
        if not word.startswith("-") and (is_env or is_run):
            raise ConfigError(
                f'expected a flag such as --seed or --env.catalogue, found "{word}"; type: '
                f"--{'model' if is_run else 'env'} {word}"
            )
