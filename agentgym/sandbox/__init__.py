"""Sandboxes: commands of a policy in a container of their own, with everything else out of their reach.

``claim(spec)`` gives one that is ready, warmed up in advance where the same was asked for before::

    spec = Spec(image=ensure())  # of agentgym.sandbox.images: Debian with Python, pytest and git
    with claim(spec) as sandbox:
        result = sandbox.run("echo hello > a; cat a", timeout=10)  # Result(exit_code=0, stdout=b"hello\n", …)
        sandbox.write("/work/b", b"data")
        data = sandbox.read("/work/b")
        files = sandbox.snapshot()                                 # everything that commands can change on disk
        sandbox.halt()                                             # ends what commands have left running
        sandbox.restore(files)                                     # of this sandbox, or of another one

- ``Sandbox`` is the contract: ``run``, ``read``, ``write``, ``halt``, ``snapshot``, ``restore``, ``close``;
- ``Spec`` says what a sandbox is made of, ``Limits`` what it may use, ``Result`` what a command came to;
- ``Files`` is a tree of files as data: what ``snapshot`` gives, what ``restore`` takes, and what ``Files.of`` makes of
  paths and contents.

A command that fails is a ``Result``; a file that cannot be read or written raises OSError, as ``open`` does; both are
the policy's doing, and for an environment to show. A sandbox that is lost (the engine is gone, the container was
killed, the channel broke or does not answer) raises EnvError: the episode is void and played again. Where there is no
engine at all, making a sandbox raises MissingExtraError, which says what to type.

What is held, and what is not, is said in docs/sandbox.md. Each backend is a file here: ``docker`` (Docker, and Podman
by DOCKER_HOST) and ``local``, plain processes without any isolation, taken only where ``unsafe_local`` says so.
"""

from agentgym.sandbox.files import Entry, Files
from agentgym.sandbox.pool import claim
from agentgym.sandbox.sandbox import Result, Sandbox
from agentgym.sandbox.spec import Limits, Spec

__all__ = ["Entry", "Files", "Limits", "Result", "Sandbox", "Spec", "claim"]
