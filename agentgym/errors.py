"""Every error agentgym raises on purpose.

    AgentGymError
    ├── UserError              bad input: the command line prints it and exits with 2
    │   ├── UnknownIdError     no plug-in of that name (also a LookupError)
    │   ├── ConfigError        unknown key, wrong value, or a key without effect (also a ValueError)
    │   ├── MissingExtraError  a package that only some plug-ins need is not installed
    │   └── DataError          a malformed file, with file and record (also a ValueError)
    ├── ParseError             a reply the protocol cannot read: the policy's mistake, shown to it
    ├── EnvError               an environment raised, hung or returned garbage: the episode is void
    │   └── SnapshotError      a restored episode is not the one that was saved
    ├── JudgeError             whoever judges an episode for a reward cannot: it is not learned from
    ├── RankError              another process of a run has ended: the run goes on from its newest checkpoint
    ├── EngineError            the sampling engine failed or was misused
    └── NonFiniteError         a loss or gradient is not finite: the update is refused

A failure has one boundary. A ``ParseError`` is data (the turn is marked), an ``EnvError`` voids the
episode (retried, then excluded and counted, never reward 0), a ``JudgeError`` keeps it out of learning
(counted, never reward 0 either), a ``UserError`` ends the command before anything is written. Messages
say what was found, what was expected and what to type.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

__all__ = [
    "AgentGymError",
    "ConfigError",
    "DataError",
    "EngineError",
    "EnvError",
    "JudgeError",
    "MissingExtraError",
    "NonFiniteError",
    "ParseError",
    "RankError",
    "SnapshotError",
    "UnknownIdError",
    "UserError",
    "did_you_mean",
]


class AgentGymError(Exception):
    """Base of every error raised on purpose."""


class UserError(AgentGymError):
    """Bad input from a person."""


class UnknownIdError(UserError, LookupError):
    """A plug-in was asked for by a name that nothing has."""


class ConfigError(UserError, ValueError):
    """A setting is unknown, has a wrong value, or would have no effect.

    ``unknown`` are keys that nothing has, each with what the message says of it.
    """

    def __init__(self, message: str = "", *, unknown: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.unknown = dict(unknown or {})

    def pointed(self, known: Iterable[str]) -> ConfigError:
        """The same error, but of an unknown key that there is elsewhere, or nearly so, it says where.

        ``known`` are keys in full, such as "trainer.group_size" where somebody typed "group_size".
        """
        places: dict[str, list[str]] = {}
        for place in known:
            places.setdefault(place.rpartition(".")[2].replace("-", "_"), []).append(place)
        message, unknown = str(self), dict(self.unknown)
        for key, told in self.unknown.items():
            group, _, name = key.replace("-", "_").rpartition(".")
            near = difflib.get_close_matches(name, places, n=1, cutoff=0.75)
            found = places.get(name) or [place for close in near for place in places[close]]
            beside = [place.removeprefix(f"{group}.") for place in found if place.rpartition(".")[0] == group]
            is_told = any(f'Did you mean "{place}"' in told for place in beside)
            if found and not is_told:
                flags = " or ".join(f"--{place}" for place in found)
                message = message.replace(told, f'unknown key "{key}". Did you mean {flags}?')
                del unknown[key]
        return ConfigError(message, unknown=unknown)


class DataError(UserError, ValueError):
    """A data file does not hold what it should."""


class MissingExtraError(UserError):
    """A package that only some plug-ins need is not installed."""


class ParseError(AgentGymError):
    """A reply that the protocol cannot turn into an action. Its text is shown to the policy."""


class EnvError(AgentGymError):
    """An environment raised, ran past a deadline or broke its contract."""


class JudgeError(AgentGymError):
    """A reward that asks others (a model, a service) was not answered. Raised by rewards."""


class SnapshotError(EnvError):
    """Restoring a snapshot led to another episode than the saved one, or cannot be done."""


class RankError(AgentGymError):
    """Of the processes that learn together another one has ended, or cannot be reached."""


class EngineError(AgentGymError):
    """An engine failed, or a request does not fit it."""


class NonFiniteError(AgentGymError):
    """A loss or a gradient is NaN or infinite."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A suggestion to append to a message, or an empty string.

    >>> did_you_mean("webshp", ["webshop", "textworld"])
    ' Did you mean "webshop"?'
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f' Did you mean "{close[0]}"?' if close else ""
