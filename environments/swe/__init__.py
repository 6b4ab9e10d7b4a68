"""Software tasks: repair a generated repository in a sandbox, until hidden tests pass.

After the pattern of SWE-Gym (arXiv 2412.21139: repository, issue, tests that fail) and of what was learned there and
elsewhere about rewards that can be had without the repair; repositories and bugs are our own.

- ``env`` is the environment, ``checkout`` the agent's copy of the repository, ``hints`` what may be said of errors;
- ``library`` has modules, ``cases`` what they are tried with; ``mutators`` finds places for bugs, ``table`` knows which
  of these are noticed, ``bugs`` reads it, ``slicing`` cuts a module down, ``tasks`` draws a repository with its issue,
  ``written`` writes cases out;
- ``artifact`` takes what is to be judged, ``judge`` has it tried, ``driver`` runs beside it, ``grading`` compares.
"""

from agentgym.environments.swe.env import SWE

__all__ = ["SWE"]
