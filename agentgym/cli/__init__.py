"""The command line: ``agentgym train``, ``eval``, ``play`` and the others, which ``agentgym --help`` lists.

Errors that a person can mend, those in a file of their own among them, end with exit code 2 and a message on standard
error; everything else is a traceback.
Flags are the dotted keys of the settings: ``--trainer.group_size 16`` sets what the TOML table ``[trainer]`` would.
Each command takes those that have an effect there, and its help shows them.

- ``group``: what the commands are gathered in;
- ``learning``: train, eval, record;
- ``runs``: what is made of finished runs;
- ``trees``: what episodes that branch have in common;
- ``viewing``: runs on a page;
- ``playing``: an environment by hand, checked and served;
- ``scaling``: what more of everything would bring;
- ``files``: what is written to begin from.
"""

import signal
import sys

import click

from agentgym.blame import blamed
from agentgym.cli import files, learning, playing, runs, scaling, trees, viewing  # noqa: F401  # each adds its commands
from agentgym.cli.group import cli
from agentgym.commands import hang_up
from agentgym.errors import AgentGymError, UserError

__all__ = ["cli", "main"]


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with Ctrl-C ignored
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # as clean an end as Ctrl-C
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which nohup asks for
        signal.signal(signal.SIGHUP, hang_up)
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except AgentGymError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except Exception as error:
        if not (told := blamed(error)):
            raise
        click.echo(f"error: {told}", err=True)
        sys.exit(2)
