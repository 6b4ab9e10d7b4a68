"""What runs inside a sandbox: it starts commands, reads and writes files, and keeps nothing to itself.

The modules here are given to the image's own Python (3.10 or later) as one text; they need the standard library alone,
and of agentgym nothing but each other. The server answers one request at a time over its standard input and output;
each is a frame (see ``frames``) whose head has a number and the channel's secret word, and so has the answer.

In a container it is process 1, runs as root and keeps a few capabilities; commands run as another user, in a session of
their own, with pipes of their own and no other descriptor. They can therefore neither signal nor trace it, nor open its
descriptors, nor learn the word; and as process 1 it gets what they leave behind, and reaps it. Its end is the
container's, and the end of its input is its own: when the owner dies nothing is left.

Started without a user (``uid`` None) it is a plain process with plain children: the local backend, which holds nobody.
There it ends what runs, and removes the directory, when its input ends.
"""

from __future__ import annotations

import functools
from pathlib import Path

__all__ = ["LOADER", "source"]

LOADER = "import os,sys\ns=b''\nwhile len(s)<int(sys.argv[1]):s+=os.read(0,int(sys.argv[1])-len(s))\nexec(s)"
"""What Python is started with: it runs the text that comes first, of the length that is its argument."""

_ORDER = ("frames", "capped", "marks", "processes", "rights", "trees", "commands", "server")
_OURS = ("from agentgym", "from __future__")


@functools.cache
def source() -> bytes:
    """All modules as one text: each begins with what the others have defined, so imports of theirs are left out."""
    texts = [Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8") for name in _ORDER]
    lines = [line for text in texts for line in text.splitlines() if not line.startswith(_OURS)]
    return "\n".join(["from __future__ import annotations", *lines, "main()"]).encode()
