"""New files to begin from: ``agentgym init env NAME`` writes an environment that can be played and trained on.

``init tools`` writes one that is made of tools; ``init reward``, ``init curriculum`` and ``init trainer`` what one can
be trained with; ``init recipe`` the settings of a run. Each works as it is written, and its head says how it is tried.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from agentgym.errors import UserError
from agentgym.own_files import is_importable
from agentgym.registry import plugins
from agentgym.scaffold.templates import TEMPLATES

__all__ = ["TEMPLATES", "write"]


def write(word: str, name: str, directory: Path | str = ".") -> Path:
    """Write what ``agentgym init`` calls ``word``, called ``name``, to a file in ``directory`` and return its path.

    Raises UserError, with nothing written, for a name that is none or is taken, for a file that exists and for a folder
    that cannot be written.
    """
    _check_name(word, name)
    template = TEMPLATES[word]
    file = Path(directory) / f"{name}{template.ending}"
    if template.kind and not file.exists():
        _check_free(word, name)
    title = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    try:
        with file.open("x", encoding="utf-8") as out:  # "x" refuses an existing file, without a race
            out.write(template.text.substitute(name=name, title=title))
    except FileExistsError:
        raise UserError(f"{file} exists already and is left as it is; choose another name") from None
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; choose another folder") from None
    return file


def _check_name(word: str, name: str) -> None:
    if re.fullmatch("[a-z][a-z0-9_]*[a-z0-9]|[a-z]", name) and not keyword.iskeyword(name):
        return
    close = re.sub("[^a-z0-9]+", "_", name.removesuffix(TEMPLATES[word].ending).lower()).strip("_")
    close = f"{word}_{close}" if not close or close[0].isdigit() or keyword.iskeyword(close) else close
    raise UserError(
        f'"{name}" is no name for {_an(TEMPLATES[word].one)}: it becomes a file and an id, so it is lower-case '
        f"letters, digits and underscores and begins with a letter. Type: agentgym init {word} {close.rstrip('_')}"
    )


def _check_free(word: str, name: str) -> None:
    kind = TEMPLATES[word].kind
    taken = _an(plugins(kind).one) if name.replace("_", "-") in plugins(kind).ids() else ""
    if not taken and is_importable(name):
        taken = "a module that Python can import, and the file would hide it"
    if taken:
        raise UserError(
            f'"{name}" is already {taken}. Choose another name, for instance: agentgym init {word} my_{name}'
        )


def _an(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
