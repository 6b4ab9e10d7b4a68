"""What a run of many actors would do, without running it: a model of its events, and the closed form of its staleness.

- ``durations``: how long something takes: counted, lognormal, or always the same;
- ``workload``: what episodes, engines and the learner take, as measured in a run or as given;
- ``plan``: how many actors, engines and learners there are, and how far is played ahead;
- ``engine``: sequences that are decoded together, each the slower the more there are;
- ``admission``: which groups make an update, by the functions that the scheduler itself uses;
- ``model``: the events, one after the other;
- ``outcome``: episodes a second, who was busy, what waited, how stale it was;
- ``staleness``: the mean staleness in closed form;
- ``choice``: many plans side by side, and which to take.

What a run has measured is made a workload by ``agentgym.launch.workload``.
"""

from agentgym.simulation.choice import Row, chosen, compared, plans, table
from agentgym.simulation.durations import Constant, Counted, Durations, Lognormal
from agentgym.simulation.model import Simulation, simulate
from agentgym.simulation.outcome import Outcome
from agentgym.simulation.plan import Plan
from agentgym.simulation.staleness import Cycle, cycle
from agentgym.simulation.workload import Speed, Workload

__all__ = [
    "Constant",
    "Counted",
    "Cycle",
    "Durations",
    "Lognormal",
    "Outcome",
    "Plan",
    "Row",
    "Simulation",
    "Speed",
    "Workload",
    "chosen",
    "compared",
    "cycle",
    "plans",
    "simulate",
    "table",
]
