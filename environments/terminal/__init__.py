"""Tasks at a shell: files, text, archives, permissions, processes, in a container of their own.

- ``env`` is the environment, ``screen`` what a command looks like to whoever typed it;
- ``tasks`` draws a task of a level and a split, ``task`` says what one is;
- ``filing``, ``writing``, ``packing``, ``running`` and ``combining`` draw tasks of a kind, out of ``words``;
- ``goals`` are what must be true at the end, read off the files after all processes have been stopped.
"""

from agentgym.environments.terminal.env import Terminal

__all__ = ["Terminal"]
