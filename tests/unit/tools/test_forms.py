"""Calls of tools as families of models write them: recorded kinds of replies, and what is almost one."""

# ruff: noqa: RUF001

from __future__ import annotations

import typing
from typing import Any

import pytest

from agentgym.engine import Completion
from agentgym.errors import ConfigError, ParseError
from agentgym.protocols.tools import FormName, Tools
from agentgym.registry import plugins
from agentgym.rollout.runner import Rollout
from agentgym.stream import TokenStream
from agentgym.tools import ToolEnv, tool
from agentgym.tools.calls import Untyped
from agentgym.tools.forms import FORMS, form_for
from agentgym.types import Action, Observation, ToolCall, Turn
from tests.kit import CHATML, chat

NESTED = {"name": "Zoë 日本", "more": {"list": [1, "2", None, True], "at": {"x": -0.5}}}

READ: list[tuple[str, str, list[tuple[str, dict[str, Any]]]]] = [
    ("hermes", '<tool_call>\n{"name": "get", "arguments": {"n": "1"}}\n</tool_call>', [("get", {"n": "1"})]),
    (
        "hermes",
        'Both.\n<tool_call>\n{"name": "a", "arguments": {"x": {"y": [1, 2]}}}\n</tool_call>\n<tool_call>\n{"name": "b"}'
        "\n</tool_call> So.",
        [("a", {"x": {"y": [1, 2]}}), ("b", {})],
    ),
    (
        "hermes",
        '<tool_call>{"name": "a", "arguments": {"t": "x</tool_call>y"}}</tool_call>',
        [("a", {"t": "x</tool_call>y"})],
    ),
    ("hermes", '<tool_call>{"name": "a", "parameters": {"x": 1}}</tool_call>', [("a", {"x": 1})]),
    ("llama", '{"name": "get", "parameters": {"n": "1", "city": "Zürich"}}', [("get", {"n": "1", "city": "Zürich"})]),
    ("llama", '<|python_tag|>{"name": "get", "parameters": {"n": 1}}<|eom_id|>', [("get", {"n": 1})]),
    ("llama", 'I look.\n<|python_tag|>{"name": "get", "parameters": {}}', [("get", {})]),
    ("llama", '{"type": "function", "name": "get", "parameters": {"q": {"a": [1]}}}', [("get", {"q": {"a": [1]}})]),
    ("llama", '{"name": "a", "parameters": {"x": 1}}; {"name": "b", "parameters": {}}', [("a", {"x": 1}), ("b", {})]),
    ("llama", '[{"name": "a", "parameters": {}},\n{"name": "b", "arguments": {}}]', [("a", {}), ("b", {})]),
    ("llama", 'First this: {"name": "a", "parameters": {"x": "}"}} and then we see.', [("a", {"x": "}"})]),
    ("llama", '{"name": "leave"}', [("leave", {})]),
    ("llama", '{"arguments": {"x": 1}, "name": "a"}', [("a", {"x": 1})]),
    ("llama", '<|python_tag|>brave_search.call(query="who, (now)?")', [("brave_search", {"query": "who, (now)?"})]),
    (
        "pythonic",
        "[get(n=1, t='it\\'s ]', b=True), leave()]",
        [("get", {"n": 1, "t": "it's ]", "b": True}), ("leave", {})],
    ),
    ("pythonic", '<|python_start|>[a.b(x={"y": [1.5, null]})]<|python_end|>', [("a.b", {"x": {"y": [1.5, None]}})]),
    ("pythonic", 'I look.\n[get(n="1", c="日本")]\nThen I say.', [("get", {"n": "1", "c": "日本"})]),
    (
        "xml",
        "<tool_call>\n<function=get>\n<parameter=n>\n1\n</parameter>\n<parameter=text>\none\n\ntwo </function> 日本\n"
        "</parameter>\n</function>\n</tool_call>",
        [("get", {"n": "1", "text": "one\n\ntwo </function> 日本"})],
    ),
    (
        "xml",
        "Both.\n<tool_call>\n<function=a>\n</function>\n</tool_call>\n<tool_call>\n<function=b>\n<parameter=x>\n"
        '{"y": [1]}\n</parameter>\n</function>\n</tool_call>',
        [("a", {}), ("b", {"x": '{"y": [1]}'})],
    ),
    ("xml", "<function=a><parameter=x> 1</parameter></function>", [("a", {"x": " 1"})]),
    ("mistral", '[TOOL_CALLS] [{"name": "a", "arguments": {"x": "1"}, "id": "aB3dE6gH9"}]', [("a", {"x": "1"})]),
    (
        "mistral",
        'I look.[TOOL_CALLS][{"name": "a", "arguments": {"x": {"y": "[TOOL_CALLS]"}}}, {"name": "b", "arguments": {}}]',
        [("a", {"x": {"y": "[TOOL_CALLS]"}}), ("b", {})],
    ),
    ("mistral-args", '[TOOL_CALLS]get_it[ARGS]{"n": 1, "c": "é"}', [("get_it", {"n": 1, "c": "é"})]),
    ("mistral-args", '[TOOL_CALLS]a[CALL_ID]x1[ARGS]{"n": {}}[TOOL_CALLS]b{}', [("a", {"n": {}}), ("b", {})]),
    (
        "deepseek",
        "I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get\n```json\n"
        '{"n": "1", "c": {"at": ["北京"]}}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>b\n'
        "```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        [("get", {"n": "1", "c": {"at": ["北京"]}}), ("b", {})],
    ),
    (
        "deepseek-v31",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get<｜tool▁sep｜>{"n": 1}<｜tool▁call▁end｜><｜tool▁call▁begin｜>'
        'function<｜tool▁sep｜>{"c": "```"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        [("get", {"n": 1}), ("function", {"c": "```"})],
    ),
    (
        "functionary",
        'I look. <function=get>{"n": "1", "c": {"é": []}}</function>',
        [("get", {"n": "1", "c": {"é": []}})],
    ),
    (
        "functionary",
        '<function=a>{"t": "</function>"}</function><function=b>{}',
        [("a", {"t": "</function>"}), ("b", {})],
    ),
    ("functionary-v32", 'get\n{"n": {"m": "1"}}', [("get", {"n": {"m": "1"}})]),
    ("functionary-v32", 'get {"n": 1}', [("get", {"n": 1})]),
    ("pythonic", "leave()", [("leave", {})]),
    ("functionary-v32", '>>>all\nI look.\n>>>a\n{"n": "é"}\n>>>b\n{}', [("a", {"n": "é"}), ("b", {})]),
    ("functionary-v32", 'all\nI look.\n>>>a\n{"n": ">>>"}<|eot_id|>', [("a", {"n": ">>>"})]),
]
"""(form, reply, calls)"""

ONLY_THERE = {"get", "all\nI look.", '{"name": "leave"}', "leave()"}
"""How replies begin whose calls can only be told by who knows the form."""


@pytest.mark.parametrize(("form", "reply", "calls"), READ)
def test_calls_are_read_as_the_family_writes_them(
    form: FormName, reply: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    action = Tools(form).parse(reply)
    assert [(call.name, call.arguments) for call in action.tool_calls] == calls
    assert Tools(form).parse(f"<think>\nmaybe {reply}\n</think>\n\n{reply}") == action
    if not reply.startswith(tuple(ONLY_THERE)):
        assert Tools().parse(reply) == action


@pytest.mark.parametrize(("form", "reply", "calls"), READ)
def test_a_call_in_the_form_of_another_family_is_no_answer(form: str, reply: str, calls: Any) -> None:
    if reply.startswith(tuple(ONLY_THERE)):
        return
    own = Tools("mistral" if not form.startswith("mistral") else "hermes")
    with pytest.raises(ParseError) as error:
        own.parse(reply)
    assert str(error.value).endswith(own.rules)


@pytest.mark.parametrize(
    ("form", "reply", "told"),
    [
        ("hermes", '<tool_call>{"name": "a", "args": {"x": 1}}</tool_call>', 'found the keys "name", "args"'),
        ("hermes", '<tool_call>{"name": "a", "arguments": {}}} </tool_call>', "Extra data"),
        ("hermes", '<tool_call>{"name": "a", "name": "b"}</tool_call>', 'the name "name" is there twice'),
        ("hermes", '{"name": "a"}</tool_call>', "There is a </tool_call> without a <tool_call>"),
        ("llama", '{"name": "a", "args": {"x": 1}}', 'found the keys "name", "args"'),
        ("llama", '{"name": "a", "parameters": {"x": ', "not valid JSON"),
        ("llama", "{'name': 'a', 'parameters': {}}", "not valid JSON"),
        ("llama", '{"name": "a", "parameters": "{}"}', 'found the arguments "{}"'),
        ("llama", '{"name": "a", "parameters": {}}; {"name": ', "not valid JSON"),
        ("llama", '{"name": "a", "parameters": {}, "arguments": {}}', "found the keys"),
        ("llama", "<|python_tag|>print(1)", "There is no call in this"),
        ("pythonic", "[a(1)]", "a: every argument is given by its name"),
        ("pythonic", "[a(x=1, x=2)]", "a: every argument is given once, by its name"),
        ("pythonic", "[a(x=b())]", "An argument is text, a number"),
        ("pythonic", "[a(x=(1, 2))]", "An argument is text, a number"),
        ("pythonic", "[a(x=1e999)]", "An argument is text, a number"),
        ("pythonic", "[a(x='1'", "The calls cannot be read"),
        ("pythonic", "[a(x=1), b]", "Each item of the list must be a call"),
        ("pythonic", "[a(**{'x': 1})]", "every argument is given once, by its name"),
        ("pythonic", "[a(x=" + "(" * 1000, "The calls cannot be read"),
        ("xml", "<tool_call>\n<function=a>\n<parameter=x>\n1\n", 'The call of "a" has no </function>'),
        ("xml", "<tool_call>\n<function=a>\n{}\n</function>\n</tool_call>", 'The call of "a" has no </function>'),
        ("xml", '<tool_call>{"name": "a"}</tool_call>', 'There is a "<tool_call>" that belongs to no whole call'),
        (
            "xml",
            "<function=a><parameter=x>1</parameter><parameter=x>2</parameter></function>",
            'The parameter "x" is there twice',
        ),
        (
            "xml",
            "<function=a><parameter=x>1\n<parameter=y>2</parameter></function>",
            'The parameter "x" has no </parameter> before the next one',
        ),
        ("xml", "<function=><parameter=x>1</parameter></function>", "The tool call has no name"),
        ("mistral", '[TOOL_CALLS][{"name": "a", "arguments": {}}', "not valid JSON"),
        ("mistral", "[TOOL_CALLS]", "not valid JSON"),
        ("mistral", "[TOOL_CALLS][]", "The list of calls is empty"),
        ("mistral", '[TOOL_CALLS][{"name": "a", "arguments": {}}]]', "Extra data"),
        ("mistral-args", "[TOOL_CALLS]a[ARGS][1]", "not valid JSON"),
        ("mistral-args", "a[ARGS]{}", "There are arguments without the token"),
        ("deepseek", "<｜tool▁calls▁begin｜>", "belongs to no whole call"),
        ("deepseek", "<｜tool▁call▁begin｜>function<｜tool▁sep｜>a\n```json\n{}\n", 'The call of "a" has no end'),
        ("deepseek", '<｜tool▁call▁begin｜>function<｜tool▁sep｜>a\n```json\n{"x": ', "not valid JSON"),
        ("deepseek", "<｜tool▁call▁begin｜>tool<｜tool▁sep｜>a\n```json\n{}\n```<｜tool▁call▁end｜>", 'found "tool"'),
        ("deepseek-v31", "<｜tool▁call▁begin｜>a<｜tool▁sep｜>[]<｜tool▁call▁end｜>", "found the arguments []"),
        ("functionary", "<function=a>{}</tool>", 'The call of "a" has no </function>'),
        ("functionary", "{}</function>", "There is a tag that belongs to no whole call"),
        ("functionary-v32", ">>>a\nnow", "not valid JSON"),
        ("functionary-v32", ">>>a\n{} now", 'After the arguments of "a" there is more than JSON'),
    ],
)
def test_a_call_that_is_wrong_is_told_with_the_form_and_is_neither_run_nor_an_answer(
    form: FormName, reply: str, told: str
) -> None:
    with pytest.raises(ParseError) as error:
        Tools(form).parse(reply)
    assert told in str(error.value)
    assert str(error.value).endswith(FORMS[form].rules)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "reply",
    [
        "It is 5.",
        "See [the list](http://x.y/z), f(x) and search[red mug].",
        '{"answer": {"total": 5}}',
        '{"person": "Zoë", "age": 36}',
        "[1, 2]",
        "a < b > c, and >>> is a prompt",
    ],
)
def test_words_are_words_in_every_form(form: FormName, reply: str) -> None:
    assert (Tools(form).parse(reply), Tools(form).parse(reply).tool_calls) == (reply, ())
    assert Tools(form).format(Action(reply)) == reply


def test_words_to_all_are_words() -> None:
    assert Tools("functionary-v32").parse("all\nIt is 5.") == "It is 5."
    assert Tools("functionary-v32").parse(">>>all\nIt is 5.\n") == "It is 5."
    with pytest.raises(ParseError, match=r"^Your reply was empty"):
        Tools("functionary-v32").parse(">>>all\n")
    opened = Tools().suited(TEMPLATES["functionary-v32"], "assistant\n\n>>>")
    assert opened.parse("all\nIt is\n5.") == "It is\n5."
    with pytest.raises(ParseError, match=r"^The tool call is not valid JSON"):
        opened.parse("python\nprint(1)")


@pytest.mark.parametrize("form", FORMS)
def test_what_an_expert_calls_is_what_is_read(form: FormName) -> None:
    calls = [
        ToolCall(name="get", arguments={**NESTED, "end": "</think>[/THINK]"} if form != "xml" else NESTED),
        ToolCall(name="leave", arguments={}),
    ]
    read = Tools(form).parse(Tools(form).format(Action("x", tool_calls=calls))).tool_calls
    if form == "xml":
        told = {"name": "Zoë 日本", "more": '{"list": [1, "2", null, true], "at": {"x": -0.5}}'}
        assert read[0].arguments == told
        assert {type(value) for value in read[0].arguments.values()} == {Untyped}
        return
    assert list(read) == calls


def test_what_a_form_cannot_write_is_refused() -> None:
    for form, arguments in (("xml", {"x": "</parameter>"}), ("pythonic", {"not a name": 1})):
        with pytest.raises(ConfigError, match="the protocol tools cannot say the action"):
            Tools(typing.cast(FormName, form)).format(Action(tool_calls=[ToolCall(name="a", arguments=arguments)]))


WRITTEN = {
    "hermes": '<tool_call>{"name": "a", "arguments": {"x": "1"}}</tool_call>',
    "llama": '{"name": "a", "parameters": {"x": "1"}}',
    "pythonic": "[a(x='1')]",
    "xml": "<tool_call>\n<function=a>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>",
    "mistral": '[TOOL_CALLS][{"name": "a", "arguments": {"x": "1"}}]',
    "mistral-args": '[TOOL_CALLS]a[ARGS]{"x": "1"}',
    "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>a\n```json\n"
    '{"x": "1"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "deepseek-v31": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>a<｜tool▁sep｜>"
    '{"x": "1"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "functionary": '<function=a>{"x": "1"}</function>',
    "functionary-v32": '>>>a\n{"x": "1"}',
}


def test_how_an_expert_writes_a_call() -> None:
    action = Action(tool_calls=[ToolCall(name="a", arguments={"x": "1"})])
    assert {form: Tools(typing.cast(FormName, form)).format(action) for form in FORMS} == WRITTEN


TEMPLATES = {
    "hermes": '{{- "within <tool_call></tool_call> XML tags:" }}{{ message }}',
    "xml": "{{ '<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>' }}",
    "mistral": "{{- '[TOOL_CALLS][' }}{{ call }}",
    "mistral-args": "{{- '[TOOL_CALLS]' + name + '[ARGS]' + arguments }}",
    "deepseek": "{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + tool['type'] + '<｜tool▁sep｜>```json'}}",
    "deepseek-v31": "{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>' + arguments}}",
    "functionary": "{{ '<function=example_function_name>{{example_name: example_value}}</function>' }}<|python_tag|>",
    "functionary-v32": "{{ '>>>all\\n' + message['content'] }}",
    "pythonic": "{{ '[func_name1(params_name1=params_value1, ...), func_name2(params)]' }}",
    "llama": '{{ \'{"name": function name, "parameters": dictionary of argument name and its value}\' }}',
}


def test_the_form_is_read_off_the_chat_template() -> None:
    found = {name: form_for(template) for name, template in TEMPLATES.items()}
    assert {name: form and form.name for name, form in found.items()} == {name: name for name in FORMS}
    assert form_for("{{ message['content'] }}") is None


def test_a_protocol_is_suited_to_the_chat_template_unless_the_form_is_named() -> None:
    call = Action(tool_calls=[ToolCall(name="a", arguments={"x": "1"})])
    suited = Tools().suited(TEMPLATES["llama"], "")
    assert (suited.format(call), suited.rules) == (WRITTEN["llama"], FORMS["llama"].rules)
    assert Tools().format(call) == WRITTEN["hermes"]
    assert Tools("hermes").suited(TEMPLATES["llama"], "").format(call) == WRITTEN["hermes"]
    assert Tools().suited("{{ m }}", "").parse(WRITTEN["llama"]) == call
    assert Tools().suited(TEMPLATES["functionary-v32"], "assistant\n\n>>>").format(call) == 'a\n{"x": "1"}'


def test_every_form_can_be_named_and_no_other() -> None:
    assert set(typing.get_args(FormName)) == {"auto", *FORMS}
    assert plugins("protocols").build("tools", {"form": "xml"}).form is FORMS["xml"]
    with pytest.raises(ConfigError, match="form"):
        plugins("protocols").build("tools", {"form": "hremes"})


SPECIAL_TOKENS = ["[TOOL_CALLS]", "[ARGS]", "<|python_tag|>", "<|python_start|>", "<｜tool▁", "</think>"]


def test_rules_name_no_special_token_which_a_message_would_show_defused() -> None:
    assert [form for form in FORMS for token in SPECIAL_TOKENS if token in FORMS[form].rules] == []


def test_marks_that_are_special_tokens_are_seen_in_what_a_policy_sampled() -> None:
    tokenizer = chat()
    tokenizer.hf.add_special_tokens({"additional_special_tokens": ["[TOOL_CALLS]", "[ARGS]"]})
    ids = tokenizer.encode_reply('[TOOL_CALLS]a[ARGS]{"x": "1"}')
    assert len(ids) < 15  # one for each mark
    reply = tokenizer.decode_reply([*ids, tokenizer.stop_token_ids[0]])
    assert Tools().parse(reply).tool_calls == (ToolCall(name="a", arguments={"x": "1"}),)


class Counter(ToolEnv):
    """Counts."""

    def start(self, task: Any) -> str:
        return "Count."

    @tool
    def count(self, by: int, word: str) -> str:
        """Count on."""
        return f"{by + 1} {word}"


def test_values_between_tags_get_their_types_from_the_tool_and_are_recorded_as_texts() -> None:
    reply = (
        "<tool_call>\n<function=count>\n<parameter=by>\n4\n</parameter>\n<parameter=word>\n5\n</parameter>\n</function>"
    )
    action = Tools("xml").parse(reply)
    env = Counter()
    env.reset(seed=0)
    assert env.step(action)[0] == "5 5"
    turn = Turn(observation="Count.", reply=reply, tool_calls=list(action.tool_calls))
    assert Turn.model_validate_json(turn.model_dump_json()) == turn


def test_the_reply_that_made_a_call_stays_in_the_stream_as_it_was_sampled() -> None:
    tokenizer = chat()
    tokenizer.hf.add_special_tokens({"additional_special_tokens": ["[TOOL_CALLS]", "[ARGS]"]})
    stream, protocol = TokenStream(tokenizer), Tools("mistral-args")
    messages = [{"role": "user", "content": "Count."}]
    stream.extend(messages)
    before = list(stream.token_ids)
    ids = [*tokenizer.encode_reply('So.[TOOL_CALLS]count[ARGS]{"by":  1}'), tokenizer.stop_token_ids[0]]
    nothing = [0.0] * len(ids)
    stream.append(Completion(token_ids=ids, logprobs=nothing, policy_versions=[0] * len(ids), finish_reason="stop"))
    reply = tokenizer.decode_reply(ids)
    assert protocol.parse(reply).tool_calls == (ToolCall(name="count", arguments={"by": 1}),)
    stream.extend([*messages, protocol.said(reply), protocol.show(Observation("2"))])
    assert stream.num_forks == 0
    assert stream.token_ids[: len(before) + len(ids)] == [*before, *ids]


def test_a_rollout_suits_its_protocol_to_the_policy_s_chat_template() -> None:
    rollout = Rollout(Counter, chat(CHATML + "{# [TOOL_CALLS] #}<think>\n"), Tools(), max_context=64)
    assert rollout.protocol.rules == FORMS["mistral"].rules
    assert rollout.protocol.thought_end == "</think>"
    assert Rollout(Counter, chat(), Tools(), max_context=64).protocol.rules == FORMS["hermes"].rules
