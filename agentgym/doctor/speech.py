"""What a model's tokenizer and chat template do with a conversation, and what that means for training."""

from __future__ import annotations

from agentgym.doctor.cures import Ill, Note, examined
from agentgym.doctor.report import Finding
from agentgym.template import findings
from agentgym.tokenizer import ChatTokenizer

__all__ = ["speech_findings"]

_TEXTS = (
    "Search for a red mug, size 12.5, under $30.00!",
    "  two blanks before,\ttabs,\n\nlines\n",
    '{"name": "add", "arguments": {"a": -1, "b": [true, null]}}',
    "def f(x):\n    return x ** 2  # naïve — déjà vu",
    "日本語 русский العربية 🙂",
)
"""What replies and observations are made of."""

_ANOTHER = "tokenizer.chat_template = …; tokenizer.save_pretrained('DIR')   (in Python; then --model DIR)"


def speech_findings(tokenizer: ChatTokenizer, *, form: str = "") -> list[Finding]:
    """Look at the prefix, the round trip, the ends of replies and the tools; ``form`` is how calls are written."""
    return [
        examined("keeps_the_prefix", lambda: _prefix(tokenizer)),
        examined("comes_back_token_by_token", lambda: _round_trip(tokenizer)),
        examined("ends_replies", lambda: _ends(tokenizer)),
        examined("shows_tools", lambda: _tools(tokenizer, form)),
        examined("takes_roles", lambda: _roles(tokenizer)),
    ]


def _prefix(tokenizer: ChatTokenizer) -> str:
    """A conversation that goes on begins with what was prompted and said."""
    rewritten = tokenizer.facts.rewritten
    if "all" in rewritten:
        raise Ill(
            "the chat template changes every earlier reply, so that a conversation that goes on does not begin with "
            "what was sampled: each turn becomes a sample of its own, with the whole conversation before it",
            _ANOTHER,
        )
    if rewritten:
        return Note(
            f"the chat template changes earlier replies {', '.join(rewritten)}: after each of them the next turn "
            "begins a sample of its own",
            _ANOTHER,
        )
    return "a conversation that goes on begins with what was prompted and said"


def _round_trip(tokenizer: ChatTokenizer) -> str:
    """Text comes back from its tokens as it was, and none of them stands for what is not known."""
    unknown = getattr(tokenizer.hf, "unk_token_id", None)
    for text in _TEXTS:
        ids = tokenizer.encode(text)
        again = tokenizer.decode_reply(ids)
        if unknown is not None and unknown in ids:
            raise Ill(
                f"{ids.count(unknown)} of the tokens of {text!r} stand for what the tokenizer does not know",
                "agentgym train --model ID   (of a model whose vocabulary has all bytes, as most of today's have)",
            )
        if again != text:
            raise Ill(
                f"{text!r} comes back from its tokens as {again!r}: what a policy says is not what it is taken to say",
                "agentgym train --model ID   (of a model whose tokenizer changes no text)",
            )
    return f"{len(_TEXTS)} texts of several kinds come back as they were"


def _ends(tokenizer: ChatTokenizer) -> str:
    ends = [str(each) for each in tokenizer.hf.convert_ids_to_tokens(list(tokenizer.stop_token_ids))]
    told = f"a reply ends with {' or '.join(ends)}"
    closing = tokenizer.facts.after_reply[1]
    if not any(end in closing for end in ends):
        return Note(
            f"{told}; the chat template writes none of them after a reply that is followed by another", _ANOTHER
        )
    return told


def _tools(tokenizer: ChatTokenizer, form: str) -> str:
    calls = f"; calls are written as {form} does" if form else ""
    if not tokenizer.facts.writes_tools:
        return Note(
            f"the chat template has no place for tools: their schemas stand in the instructions{calls}", _ANOTHER
        )
    return f"the chat template writes the schemas of tools{calls}"


def _roles(tokenizer: ChatTokenizer) -> str:
    about = ("tools", "earlier replies")
    told = [line for line in findings(tokenizer.facts) if not any(word in line for word in about)]
    return Note("; ".join(told)) if told else "instructions, users and replies are written as they are"
