"""An environment that an OpenEnv server runs, over the package's own client.

A server of ours tells its tasks, instructions and limits, so that an episode here is the one that it would be there.
Of any other server the tasks are seeds, which it may or may not heed; what it shows is told as the one text that it
has, or else as JSON, and an action fills the one text field of its action, or else is a JSON object of all its fields.

Without a name, a server of blocksworld with three blocks is started in this process, for as long as it is used.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from agentgym.env import Env
from agentgym.environments.openenv.link import Link
from agentgym.environments.openenv.server import Server
from agentgym.errors import ConfigError, EnvError, UserError, did_you_mean
from agentgym.registry import EnvFactory, register
from agentgym.types import Observation, TaskId

__all__ = ["OpenEnv"]

_MAX_TURNS = 30
_DEMO = EnvFactory("blocksworld", {"level": "b3"})


@register
class OpenEnv(Env):
    """Play an environment of an OpenEnv server.

    Example::

        env = OpenEnv(name="http://127.0.0.1:8000")
        observation, info = env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step("pick up a")
    """

    kind = "remote"
    extra = "openenv"
    max_turns = 10

    def __init__(
        self,
        *,
        name: str | None = None,
        text_field: str | None = None,
        action_field: str | None = None,
        max_turns: Annotated[int, Field(ge=1)] | None = None,
        timeout: Annotated[float, Field(gt=0)] = 60.0,
        token_env: Annotated[str, Field(min_length=1)] | None = None,
    ) -> None:
        """Connect to the server.

        Args:
            name: its URL; none given: a demonstration in this process. The id ``openenv:http://127.0.0.1:8000`` is
                short for it.
            text_field: field of an observation that is shown; none given: "text" or the only text there is, otherwise
                all of it as JSON.
            action_field: field of an action that gets what the policy said; none given: the only text that it must
                have, otherwise the policy must say the whole action in JSON.
            max_turns: turns that an episode may have; none given: the server's, or 30.
            timeout: seconds to wait for each answer.
            token_env: environment variable that holds the token which the server asks for.

        Raises UserError where no server answers, ConfigError for a field that an action does not have,
        MissingExtraError.
        """
        self.url, self.text_field, self.timeout = name or "", text_field, timeout
        self._token = None if token_env is None else _token(token_env)
        self._demo = None if name else _Demo.join()
        self._link: Link | None = None
        try:
            about = self._linked().state().get("agentgym") or {}
            self.action_field = self._field_of_actions(action_field)
        except BaseException:
            self.close()
            raise
        self._splits = {split: _tasks(one) for split, one in about.get("splits", {}).items()} or None
        self.max_turns = self._turns(max_turns, about)
        self.instructions = str(about.get("instructions", "")) or self._usage()

    def _turns(self, given: int | None, about: Mapping[str, Any]) -> int:
        if given and given > (most := about.get("max_turns", given)):
            self.close()
            raise ConfigError(f"max_turns is {given}; the server at {self.url} ends its episodes after {most}")
        return given or int(about.get("max_turns", _MAX_TURNS))

    def tasks(self, split: str) -> Sequence[TaskId]:
        """The server's own tasks of a split, or seeds. Raises UserError."""
        seeds = Env.tasks(self, split)
        return self._splits[split] if self._splits else seeds

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode at the server, with a new connection where the last one was lost."""
        given = (options or {}).get("task")
        if self._splits and given is not None and not any(given in tasks for tasks in self._splits.values()):
            raise UserError(f"task {given!r} does not exist at {self._address}")
        asked = {"seed": self.seed} if given is None or self._splits else {"seed": int(given)}
        if self._splits and given is not None:
            asked["task"] = given
        result = self._asked(lambda link: link.reset(**asked))
        said = result.observation if isinstance(result.observation, Mapping) else {}
        return self._observe(result), _told(said)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn at the server."""
        try:
            message = self._message(action)
        except ValueError as error:
            return self._last, 0.0, False, False, {"invalid_action": str(error)}
        result = self._asked(lambda link: link.step(message))
        said = result.observation if isinstance(result.observation, Mapping) else {}
        truncated = bool(said.get("truncated", False)) and not said.get("terminated", False)
        over = bool(result.done)
        reward = float(result.reward or 0.0)
        return self._observe(result), reward, over and not truncated, over and truncated, _told(said)

    def close(self) -> None:
        """End the connection, and the demonstration where nobody else uses it."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._demo is not None:
            self._demo.part()
            self._demo = None

    # -- the connection ----------------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        return self._demo.url if self._demo else self.url

    def _linked(self) -> Link:
        if self._link is None:
            if not self._address:
                self._demo = _Demo.join()  # closed, and used again
            self._link = Link(self._address, timeout=self.timeout, token=self._token)
        return self._link

    def _asked(self, question: Any) -> Any:
        """The answer to a question. One that is lost voids the episode; the next has a connection of its own."""
        try:
            return question(self._linked())
        except UserError as error:
            raise EnvError(str(error)) from None
        except EnvError:
            if self._link is not None:
                self._link.close()
                self._link = None
            raise

    # -- words -------------------------------------------------------------------------------------------

    def _field_of_actions(self, given: str | None) -> str:
        schema = self._linked().schema().get("action") or {}
        fields = {name: about for name, about in schema.get("properties", {}).items() if name != "metadata"}
        if given is not None:
            if fields and given not in fields:
                raise ConfigError(
                    f'action_field is "{given}".{did_you_mean(given, fields)} Actions at {self._address} have: '
                    f"{', '.join(fields)}"
                )
            return given
        needed = [name for name in fields if name in schema.get("required", [])] or list(fields)
        is_text = len(needed) == 1 and fields[needed[0]].get("type") == "string"
        self._fields = list(fields)
        return needed[0] if is_text else ""

    def _usage(self) -> str:
        if self.action_field:
            return ""
        return f"Say an action as a JSON object with the fields {', '.join(self._fields) or 'of the server'}."

    def _message(self, action: str) -> dict[str, Any]:
        """The action as the server wants it. Raises ValueError for what cannot be sent."""
        try:
            action.encode()
        except UnicodeEncodeError:
            raise ValueError("this is not text: it has half of a character") from None
        if self.action_field:
            return {self.action_field: str(action)}
        found = json.loads(action)  # its error is a ValueError that says where
        if not isinstance(found, dict):
            raise ValueError("an action is a JSON object here")
        return found

    def _observe(self, result: Any) -> Observation:
        said = result.observation if isinstance(result.observation, Mapping) else {}
        self._last = Observation(
            self._text(result.observation),
            admissible=said.get("admissible"),
            tools=said.get("tools") or (),
            images=[base64.b64decode(image) for image in said.get("png_images") or ()],
        )
        return self._last

    def _text(self, said: Any) -> str:
        if not isinstance(said, Mapping):
            return str(said)
        texts = [name for name, value in said.items() if isinstance(value, str)]
        field = self.text_field or ("text" if "text" in texts else texts[0] if len(texts) == 1 else "")
        return str(said.get(field, "")) if field else json.dumps(said, ensure_ascii=False, default=str)


def _told(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a server says beside the observation, where it is one of agentgym's."""
    return {key: said[key] for key in ("success", "invalid_action", "channels") if said.get(key) not in (None, {})}


def _token(variable: str) -> str:
    token = os.environ.get(variable)
    if not token:
        raise ConfigError(f"token_env is {variable}, which is not set; type: export {variable}=TOKEN")
    return token


class _Demo:
    """The server of this process that all environments without a name share, from the first of them to the last."""

    _lock = threading.Lock()
    _running: _Demo | None = None

    def __init__(self) -> None:
        self.server, self.users = Server(_DEMO), 0
        self.url: str = self.server.url

    @classmethod
    def join(cls) -> _Demo:
        """The server that runs, or a new one."""
        with cls._lock:
            cls._running = cls._running or cls()
            cls._running.users += 1
            return cls._running

    def part(self) -> None:
        """Be done with it."""
        with self._lock:
            self.users -= 1
            if self.users == 0:
                _Demo._running = None
                self.server.close()


def _tasks(told: Mapping[str, Any]) -> Sequence[TaskId]:
    return range(*told["range"]) if "range" in told else list(told["ids"])
