"""A program that owns sandboxes until it is told to end, for tests that kill it. Prints the ids of its containers.

Each line that it reads is a request: "sweep" answers how many containers it has removed, "echo" whether its sandboxes
still answer.
"""

from __future__ import annotations

import sys

from agentgym.sandbox import Spec, claim
from agentgym.sandbox.docker import DockerSandbox
from agentgym.sandbox.images import ensure
from agentgym.sandbox.sweep import sweep


def main() -> None:
    """Serve standard input."""
    sandboxes = [claim(Spec(image=ensure())) for _ in range(2)]
    print(*(sandbox.id for sandbox in sandboxes if isinstance(sandbox, DockerSandbox)), flush=True)
    for line in sys.stdin:
        if line.strip() == "sweep":
            print(len(sweep()), flush=True)
        else:
            print(*(sandbox.run("echo here").stdout.decode().strip() for sandbox in sandboxes), flush=True)


if __name__ == "__main__":
    main()
