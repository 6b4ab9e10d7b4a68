"""What a chat template does with a conversation, found out by rendering small ones, and conversations as it wants them.

Templates differ: some take a content only as a list of parts, some know no role "system" or no tools, some rewrite
earlier replies, some write today's date, some begin the reply themselves. ``probe`` finds out; ``fitted`` gives a
template what it takes, so that nothing of a conversation is left out. What no form of the content gets through is
refused. The tokenizer is handed in, so nothing here imports transformers.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.errors import UserError
from agentgym.types import Message

__all__ = ["TemplateFacts", "apply", "findings", "fitted", "probe", "source_of"]

_RULE, _ASK, _SAY, _NEXT, _TOOL = "Qzrule", "Qzask", "Qzsaid", "Qznext", "Qztool"
_ROLES = frozenset({"system", "user", "assistant", "tool"})
_FORMS = (frozenset[str](), _ROLES, _ROLES - {"assistant"}, frozenset({"assistant"}))
"""Roles whose contents are lists of parts, in the order in which they are tried."""

_TODAY, _ANOTHER_DAY = datetime.datetime(2024, 7, 26), datetime.datetime(1987, 11, 3)
"""The day on which every prompt is written, or the same conversation would be another one tomorrow."""

_TOOLS = "Tools that can be called, one JSON schema a line:"
_TRIED_TOOL: dict[str, Any] = {
    "type": "function",
    "name": _TOOL,
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {}},
    "function": {"name": _TOOL, "description": "Adds.", "parameters": {"type": "object", "properties": {}}},
}
_NAMED = {
    "plain": _SAY,
    "with a thought": f"<think>\nQzthought\n</think>\n\n{_SAY}",
    "with blanks around them": f" {_SAY} \n",
}
"""Replies that are tried, by what the user is told of them."""


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What a chat template does."""

    parts: frozenset[str] = frozenset()
    """Roles whose content it takes only as a list of parts."""
    takes_system: bool = True
    """Whether it writes what role "system" says. If not, the next user message begins with that."""
    takes_runs: bool = True
    """Whether two user messages may follow each other. If not, they become one."""
    writes_tools: bool = True
    """Whether it writes the schemas of tools. If not, they are text at the end of the instructions."""
    reads_clock: bool = False
    """Whether it writes a date: always the same one here."""
    opened: str = ""
    """What its prompt begins the reply with, such as "<think>": in a conversation the reply has it."""
    lead: str = ""
    """What it writes before each reply and not in the prompt, such as Mistral's blank: the policy has to say it."""
    rewritten: tuple[str, ...] = ()
    """Which earlier replies it changes; after each of them the token stream forks."""
    after_reply: tuple[str, str] = ("", "")
    """What it writes after the last reply, and after one that a user message follows."""
    around: str = ""
    """What it writes around the messages of a conversation."""


def apply(hf: Any, messages: Sequence[Message], *, day: datetime.datetime = _TODAY, **options: Any) -> str:
    """``messages`` as the template of ``hf`` writes them. Raises whatever the template does."""
    return str(hf.apply_chat_template(list(messages), tokenize=False, strftime_now=day.strftime, **options))


def source_of(hf: Any) -> str:
    """The template's own text; where it is several, of all."""
    template = hf.chat_template
    return "\n".join(map(str, template.values())) if isinstance(template, Mapping) else str(template)


# -- a conversation as a template wants it -----------------------------------------------------------------


def fitted(messages: Sequence[Message], facts: TemplateFacts, tools: Sequence[Any] = ()) -> list[Message]:
    """``messages``, and the schemas of ``tools`` that the template would leave out, in a form that it writes."""
    told = list(messages)
    if tools and not facts.writes_tools:
        told = _with_tools(told, tools)
    if not facts.takes_system:
        told = _without_system(told)
    if not facts.takes_runs:
        told = _joined(told)
    return [_formed(_begun(message, facts), facts) for message in told]


def _with_tools(messages: list[Message], tools: Sequence[Any]) -> list[Message]:
    schemas = "\n".join([_TOOLS, *(json.dumps(tool, ensure_ascii=False) for tool in tools)])
    if messages and messages[0]["role"] == "system":
        return [_merged(messages[0], {"role": "system", "content": schemas}), *messages[1:]]
    return [{"role": "system", "content": schemas}, *messages]


def _without_system(messages: list[Message]) -> list[Message]:
    """What role "system" says as the beginning of the user message that follows, or as one where none does."""
    told: list[Message] = []
    pending: Message | None = None
    for message in [*messages, None]:
        if message is not None and message["role"] == "system":
            system = {**message, "role": "user"}
            pending = system if pending is None else _merged(pending, system)
            continue
        if pending is not None and (message is None or message["role"] != "user"):
            told.append(pending)
        elif pending is not None and message is not None:
            message = _merged(pending, message)
        pending = None
        if message is not None:
            told.append(message)
    return told


def _joined(messages: list[Message]) -> list[Message]:
    told: list[Message] = []
    for message in messages:
        if told and message["role"] == told[-1]["role"] == "user":
            told[-1] = _merged(told[-1], message)
        else:
            told.append(message)
    return told


def _merged(one: Message, other: Message) -> Message:
    """Both contents in one message, an empty line between them."""
    first, second = one["content"], other["content"]
    if isinstance(first, str) and isinstance(second, str):
        return {**other, "content": f"{first}\n\n{second}"}
    gap = {"type": "text", "text": "\n\n"}
    return {**other, "content": [*_as_parts(first), gap, *_as_parts(second)]}


def _as_parts(content: Any) -> list[Any]:
    return list(content) if isinstance(content, list) else [{"type": "text", "text": content}]


def _begun(message: Message, facts: TemplateFacts) -> Message:
    """A reply with what its prompt began it with, and without what the template writes before it."""
    content = message.get("content")
    if message["role"] != "assistant" or not isinstance(content, str):
        return message
    if not facts.opened:
        return {**message, "content": content.removeprefix(facts.lead)}
    has_it = content.startswith(facts.opened.strip() or facts.opened)
    return message if has_it else {**message, "content": facts.opened + content}


def _formed(message: Message, facts: TemplateFacts) -> Message:
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [{"type": "image"} if part["type"] == "image" else part for part in content]}
    if isinstance(content, str) and message["role"] in facts.parts:
        return {**message, "content": [{"type": "text", "text": content}]}
    return message


# -- finding out -------------------------------------------------------------------------------------------


def probe(hf: Any) -> TemplateFacts:
    """What the template of the tokenizer ``hf`` does.

    Raises UserError for one that writes no content in any form, or breaks with every one, and what jinja raises for one
    that it cannot read.
    """
    facts = TemplateFacts(parts=_parts(hf))
    ruled = [_rule, _ask]
    if not (takes_system := _shows(hf, ruled, facts, _RULE, _ASK)):
        other = dataclasses.replace(facts, parts=facts.parts ^ {"system"})
        facts = other if (takes_system := _shows(hf, ruled, other, _RULE, _ASK)) else facts
    asked = [[_ask], ruled] if takes_system else [[_ask]]
    facts = dataclasses.replace(
        facts,
        takes_system=takes_system,
        takes_runs=_shows(hf, [_ask, _next], facts, _ASK, _NEXT),
        writes_tools=all(_TOOL in _tried(hf, talk, facts, tools=[_TRIED_TOOL]) for talk in asked),
        reads_clock=_tried(hf, [_ask], facts) != _tried(hf, [_ask], facts, day=_ANOTHER_DAY),
    )
    closed, followed = _tried(hf, [_ask, _say], facts), _tried(hf, [_ask, _say, _next], facts)
    before, _, rest = followed.partition(_SAY)
    prompt = _tried(hf, [_ask], facts, add_generation_prompt=True)
    facts = dataclasses.replace(
        facts,
        opened=prompt[len(before) :] if rest and prompt.startswith(before) else "",
        lead=before[len(prompt) :] if rest and prompt and before.startswith(prompt) else "",
        after_reply=(closed.rpartition(_SAY)[2], rest.partition(_NEXT)[0]),
        around=_around(hf, facts),
    )
    return dataclasses.replace(facts, rewritten=_rewritten(hf, facts))


_rule, _ask = {"role": "system", "content": _RULE}, {"role": "user", "content": _ASK}
_say, _next = {"role": "assistant", "content": _SAY}, {"role": "user", "content": _NEXT}


def _tried(hf: Any, messages: Sequence[Message], facts: TemplateFacts, **options: Any) -> str:
    """The rendering, or nothing: templates raise what they like for roles and forms that they do not know."""
    try:
        return apply(hf, [_formed(_begun(message, facts), facts) for message in messages], **options)
    except Exception:
        return ""


def _shows(hf: Any, messages: Sequence[Message], facts: TemplateFacts, *texts: str) -> bool:
    """Whether each of ``texts`` is written, and not as a list that was printed."""
    rendered = _tried(hf, messages, facts)
    return all(text in rendered for text in texts) and "'type': 'text'" not in rendered


def _parts(hf: Any) -> frozenset[str]:
    """Roles whose content the template takes only as parts."""
    for parts in _FORMS:
        facts = TemplateFacts(parts=parts)
        said = _shows(hf, [_ask, _say], facts, _SAY) or _shows(hf, [_ask, _say, _next], facts, _SAY)
        if said and _shows(hf, [_ask], facts, _ASK):
            return parts
    try:
        apply(hf, [_ask])
        apply(hf, [_ask, _say])
        why = "it leaves out what the user or the assistant says, as text and as parts {'type': 'text', 'text': ...}"
    except Exception as error:
        if hasattr(error, "lineno"):  # it cannot be read: whoever loads the model names the file
            raise
        why = f"it breaks: {type(error).__name__}: {error}"
    raise UserError(
        f'the chat template of "{getattr(hf, "name_or_path", "?")}" cannot write a conversation: {why}; expected one '
        "that writes messages of the roles user and assistant; choose an instruct/chat model, or save another template "
        "(tokenizer.chat_template = ...; tokenizer.save_pretrained(DIR)) and pass --model DIR"
    )


def _around(hf: Any, facts: TemplateFacts) -> str:
    """What is written around messages, those of tools among them where it takes these."""
    tool = {"role": "tool", "content": _NEXT}
    texts = [
        _tried(hf, [*([_rule] if facts.takes_system else []), _ask, _say, _next], facts),
        _tried(hf, [_ask, _say], facts),
        _tried(hf, [_ask, _say, tool], facts),
    ]
    return "".join(texts)


def _rewritten(hf: Any, facts: TemplateFacts) -> tuple[str, ...]:
    """The replies after which a conversation that goes on does not begin with what was prompted and said."""
    found = [name for name, reply in _NAMED.items() if not _is_kept(hf, facts, reply)]
    if facts.writes_tools and "plain" not in found and not _is_kept(hf, facts, _SAY, tools=[_TRIED_TOOL]):
        found.append("with tools")
    return ("all",) if "plain" in found else tuple(found)


def _is_kept(hf: Any, facts: TemplateFacts, reply: str, **options: Any) -> bool:
    said = facts.lead + (reply.removeprefix(facts.opened) if facts.opened.strip() else reply)
    talk: list[Message] = [_ask, {"role": "assistant", "content": said}, _next]
    prompted = _tried(hf, talk[:1], facts, add_generation_prompt=True, **options)
    return _tried(hf, talk, facts, add_generation_prompt=True, **options).startswith(prompted + said)


def findings(facts: TemplateFacts) -> list[str]:
    """What is out of the ordinary, a line each."""
    of = " and ".join(sorted(facts.parts & {"user", "assistant", "system"}))
    lines = {
        f"contents of {of} are given as lists of parts": bool(facts.parts),
        'no role "system": the instructions open the first user message': not facts.takes_system,
        "no two user messages in a row: they become one": not facts.takes_runs,
        "no tools: their schemas are written at the end of the instructions": not facts.writes_tools,
        f"a date is written: it is always {_TODAY:%d %b %Y}": facts.reads_clock,
        f"the prompt begins the reply with {facts.opened!r}": bool(facts.opened),
        f"a reply begins with {facts.lead!r}, which the prompt lacks": bool(facts.lead),
        f"earlier replies are rewritten ({', '.join(facts.rewritten)}): each time a new sample begins": bool(
            facts.rewritten
        ),
    }
    return [line for line, holds in lines.items() if holds]
