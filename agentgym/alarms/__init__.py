"""Alarms: what a run is warned by, as pure functions of its metrics.

- ``bounds``: where the bounds lie;
- ``conditions``: what is watched;
- ``rules``: what is advised, a condition and advice for each alarm;
- ``settings``: the bounds, and which alarms are not to go off;
- ``watch``: the rules, evaluated line by line.

``[alarms]`` in the settings changes bounds.
"""

from agentgym.alarms.rules import RULES
from agentgym.alarms.settings import AlarmSettings
from agentgym.alarms.watch import Alarm, Watch, alarms_of, played, ranges

__all__ = ["RULES", "Alarm", "AlarmSettings", "Watch", "alarms_of", "played", "ranges"]
