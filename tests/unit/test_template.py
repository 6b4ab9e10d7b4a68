"""What a chat template is found to do, and conversations in the form in which it leaves nothing out."""

from __future__ import annotations

import dataclasses
from typing import Any

import jinja2
import pytest

from agentgym.engine import Completion
from agentgym.errors import UserError
from agentgym.stream import TokenStream
from agentgym.template import TemplateFacts, apply, findings, fitted, probe
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Message
from tests.kit import CHATML, FORGETFUL, byte_tokenizer, chat
from tests.templates import FAMILIES, chat_of, tokenizer_of

R, U, A, V = (
    {"role": role, "content": content}
    for role, content in [("system", "R"), ("user", "U"), ("assistant", "A"), ("user", "V")]
)
ADD = {"type": "function", "function": {"name": "add"}}
SCHEMAS = 'Tools that can be called, one JSON schema a line:\n{"type": "function", "function": {"name": "add"}}'


def told(facts: TemplateFacts) -> dict[str, Any]:
    """What is out of the ordinary."""
    ordinary = TemplateFacts()
    fields = [field.name for field in dataclasses.fields(facts) if field.name not in ("after_reply", "around")]
    return {name: getattr(facts, name) for name in fields if getattr(facts, name) != getattr(ordinary, name)}


EVERYBODY = frozenset({"system", "user", "assistant", "tool"})


@pytest.mark.parametrize(
    ("family", "facts"),
    [
        ("llama3", {"reads_clock": True, "rewritten": ("with blanks around them",)}),
        ("qwen3", {"rewritten": ("with a thought",)}),
        ("thinking", {"writes_tools": False, "opened": "<think>\n"}),
        ("mistral", {"takes_system": False, "takes_runs": False, "lead": " ", "rewritten": ("with tools",)}),
        (
            "gemma",
            {
                "takes_system": False,
                "takes_runs": False,
                "writes_tools": False,
                "rewritten": ("with blanks around them",),
            },
        ),
        ("glm", {}),
        ("smollm2", {"writes_tools": False}),
        ("parts", {"parts": EVERYBODY, "writes_tools": False}),
    ],
)
def test_what_templates_of_families_do(family: str, facts: dict[str, Any]) -> None:
    assert told(probe(tokenizer_of(family))) == facts


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_nothing_of_a_conversation_is_left_out(family: str) -> None:
    text = chat_of(family).render([R, U, A, V], [ADD])
    assert text.count('"name": "add"') == 1
    assert all(part in text for part in "RUAV")
    assert text.index("U") < text.rindex("A") < text.rindex("V")


def test_without_a_role_system_the_instructions_open_the_first_user_message() -> None:
    text = chat_of("gemma").render([R, U, A, V])
    assert text == (
        "<bos><start_of_turn>user\nR\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n"
        "<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\n"
    )


@pytest.mark.parametrize(
    ("messages", "roles", "contents"),
    [
        ([R, R, U], ["user"], ["R\n\nR\n\nU"]),
        ([R, A, U], ["user", "assistant", "user"], ["R", "A", "U"]),
        ([R], ["user"], ["R"]),
        ([U, A, R, V], ["user", "assistant", "user"], ["U", "A", "R\n\nV"]),
    ],
)
def test_instructions_go_to_the_user_message_that_follows(
    messages: list[Message], roles: list[str], contents: list[str]
) -> None:
    made = fitted(messages, TemplateFacts(takes_system=False))
    assert ([message["role"] for message in made], [message["content"] for message in made]) == (roles, contents)


def test_where_roles_have_to_take_turns_user_messages_in_a_row_become_one() -> None:
    picture = {"role": "user", "content": [{"type": "image", "image": 1}]}
    (one,) = fitted([U, V], TemplateFacts(takes_runs=False))
    assert one == {"role": "user", "content": "U\n\nV"}
    (both,) = fitted([U, picture], TemplateFacts(takes_runs=False))
    texts = [{"type": "text", "text": "U"}, {"type": "text", "text": "\n\n"}]
    assert both == {"role": "user", "content": [*texts, {"type": "image"}]}
    assert len(fitted([U, V], TemplateFacts())) == 2


def test_schemas_that_a_template_ignores_are_written_at_the_end_of_the_instructions() -> None:
    text = chat_of("smollm2").render([R, U], [ADD])
    assert text.startswith(f"<|im_start|>system\nR\n\n{SCHEMAS}<|im_end|>\n<|im_start|>user\nU<|im_end|>")
    alone = chat_of("smollm2").render([U], [ADD])
    assert alone.startswith(f"<|im_start|>system\n{SCHEMAS}<|im_end|>\n<|im_start|>user\nU<|im_end|>")
    assert "Tools that can" not in chat_of("smollm2").render([R, U])
    assert chat_of("qwen3").render([R, U], [ADD]).count('"add"') == 1


def test_a_tokenizer_may_say_that_its_policy_is_shown_no_tools() -> None:
    hf = byte_tokenizer()
    hf.init_kwargs["shows_tools"] = False
    assert ChatTokenizer(hf).render([U], [ADD]) == chat().render([U])


def test_contents_are_parts_where_a_template_takes_nothing_else() -> None:
    chat_of_parts = chat_of("parts")
    assert chat_of_parts.render([R, U]) == chat().render([R, U])
    names = chat_of_parts.hf.convert_ids_to_tokens(list(chat_of_parts.stop_token_ids))
    assert names == ["<|im_end|>"]


def test_a_template_may_want_parts_of_some_roles_only() -> None:
    mixed = CHATML.replace(
        "{{ m['content'] }}",
        "{% if m['role'] == 'assistant' %}{{ m['content'].strip() }}{% else %}{{ m['content'][0]['text'] }}{% endif %}",
    )
    assert probe(byte_tokenizer(mixed)).parts == EVERYBODY - {"assistant"}
    assert chat(mixed).render([R, U, A, V]) == chat().render([R, U, A, V])


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for m in messages %}<|im_start|>{{ m['role'] }}<|im_end|>{% endfor %}", "it leaves out what the user"),
        ("{{ raise_exception('never') }}", "it breaks: TemplateError: never"),
    ],
)
def test_a_template_that_cannot_work_is_refused(template: str, why: str) -> None:
    with pytest.raises(UserError, match=f"cannot write a conversation: {why}.*pass --model DIR"):
        chat(template)


def test_a_template_that_cannot_be_read_is_for_whoever_knows_its_file() -> None:
    with pytest.raises(jinja2.TemplateSyntaxError) as caught:
        chat("\n{% for m in messages %}{{ m['content'] }}")
    assert caught.value.lineno == 2


def test_a_conversation_that_a_template_refuses_is_told_with_its_roles() -> None:
    strict = chat(
        "{% for m in messages %}{% if m['role'] == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{% endfor %}"
        + CHATML
    )
    with pytest.raises(UserError, match="refuses a conversation of the roles user, tool: TemplateError: no tools"):
        strict.render([U, {"role": "tool", "content": "3"}])


def test_every_day_is_the_same_day() -> None:
    assert "Today Date: 26 Jul 2024\n\nR" in chat_of("llama3").render([R, U])
    assert not probe(byte_tokenizer()).reads_clock


def completion(tokenizer: ChatTokenizer, reply: str) -> Completion:
    ids = [*tokenizer.encode_reply(reply), tokenizer.stop_token_ids[0]]
    zeros = [0.0] * len(ids)
    return Completion(token_ids=ids, logprobs=zeros, policy_versions=[0] * len(ids), finish_reason="stop")


@pytest.mark.parametrize(
    ("family", "reply", "forks"),
    [
        ("llama3", "act", 0),
        ("llama3", " act", 1),
        ("qwen3", "act", 0),
        ("qwen3", "<think>\nhm\n</think>\n\nact", 1),
        ("thinking", "hm\n</think>\n\nact", 0),
        ("mistral", "act", 0),
        ("gemma", "act", 0),
        ("glm", "act", 0),
        ("parts", "act", 0),
    ],
)
def test_a_stream_forks_where_its_template_was_found_to_rewrite(family: str, reply: str, forks: int) -> None:
    tokenizer = chat_of(family)
    stream = TokenStream(tokenizer)
    stream.extend([R, U])
    said = completion(tokenizer, reply)
    stream.append(said)
    stream.extend([R, U, {"role": "assistant", "content": tokenizer.decode_reply(said.token_ids)}, V])
    assert stream.num_forks == forks


def test_a_reply_keeps_what_its_prompt_began_it_with() -> None:
    text = chat_of("thinking").render([U, {"role": "assistant", "content": "hm\n</think>\n\nact"}, V])
    assert "assistant\n<think>\nhm\n</think>\n\nact<|im_end|>" in text
    whole = chat_of("thinking").render([U, {"role": "assistant", "content": "<think>hm</think>act"}, V])
    assert whole.count("<think>") == 2


def test_findings_are_lines_for_people() -> None:
    assert findings(probe(byte_tokenizer("{% for t in tools or [] %}{{ t['name'] }}{% endfor %}" + CHATML))) == []
    assert findings(probe(byte_tokenizer(FORGETFUL))) == [
        "no tools: their schemas are written at the end of the instructions",
        "earlier replies are rewritten (with a thought): each time a new sample begins",
    ]
    assert findings(TemplateFacts(parts=frozenset({"user"}), takes_system=False, takes_runs=False, lead=" ")) == [
        "contents of user are given as lists of parts",
        'no role "system": the instructions open the first user message',
        "no two user messages in a row: they become one",
        "a reply begins with ' ', which the prompt lacks",
    ]


def test_options_reach_the_template() -> None:
    assert apply(byte_tokenizer(), [U], add_generation_prompt=True).endswith("<|im_start|>assistant\n")
