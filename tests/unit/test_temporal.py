"""Past-time logic: the automaton against what each operator means, and formulas that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import ConfigError
from agentgym.temporal import Atom, Constant, Formula, Monitor, Name, Operator, parse

LETTERS = [Atom("action", "==", letter) for letter in "abc"]
WORDS = st.lists(st.sampled_from("abc"), max_size=7)


def joined(children: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    one: st.SearchStrategy[Name] = st.sampled_from(["not", "once", "historically", "previous"])
    two: st.SearchStrategy[Name] = st.sampled_from(["and", "or", "->", "since"])
    unary = st.tuples(one, st.tuples(children))
    return (unary | st.tuples(two, st.tuples(children, children))).map(lambda made: Operator(made[0], made[1]))


FORMULAS: st.SearchStrategy[Formula] = st.recursive(
    st.sampled_from([*LETTERS, Constant(True), Constant(False)]), joined, max_leaves=8
)


def is_so(formula: Formula, word: Sequence[str], at: int) -> bool:
    """By definition, looking at all turns up to ``at``: nothing is remembered."""
    match formula:
        case Atom(value=value):
            return word[at] == value
        case Constant(value=value):
            return value
        case Operator(name, operands):
            return MEANING[name](*[lambda now, f=each: is_so(f, word, now) for each in operands], at)
    raise AssertionError(formula)


So = Callable[[int], bool]
MEANING: dict[str, Callable[..., bool]] = {
    "not": lambda f, at: not f(at),
    "and": lambda f, g, at: f(at) and g(at),
    "or": lambda f, g, at: f(at) or g(at),
    "->": lambda f, g, at: g(at) or not f(at),
    "once": lambda f, at: any(f(now) for now in range(at + 1)),
    "historically": lambda f, at: all(f(now) for now in range(at + 1)),
    "previous": lambda f, at: at > 0 and f(at - 1),
    "since": lambda f, g, at: any(g(then) and all(f(now) for now in range(then + 1, at + 1)) for then in range(at + 1)),
}


def watched(formula: Formula, word: Sequence[str]) -> list[bool]:
    monitor = Monitor(formula)
    state, seen = monitor.start, []
    for letter in word:
        value, state = monitor.step(state, lambda atom: atom.value == letter)  # noqa: B023
        assert len(state) == len(monitor.start)
        seen.append(value)
    return seen


@given(FORMULAS, WORDS)
def test_the_automaton_says_what_the_operators_mean(formula: Formula, word: list[str]) -> None:
    assert watched(formula, word) == [is_so(formula, word, at) for at in range(len(word))]


@given(FORMULAS, WORDS, WORDS, WORDS)
def test_its_state_is_all_that_counts_of_the_past(
    formula: Formula, one: list[str], other: list[str], rest: list[str]
) -> None:
    monitor = Monitor(formula)

    def after(word: list[str]) -> tuple[bool, ...]:
        state = monitor.start
        for letter in word:
            _, state = monitor.step(state, lambda atom: atom.value == letter)  # noqa: B023
        return state

    if after(one) == after(other):
        assert watched(formula, one + rest)[len(one) :] == watched(formula, other + rest)[len(other) :]


@given(FORMULAS)
def test_what_is_written_is_read_again(formula: Formula) -> None:
    assert parse(str(formula)) == formula


SIGNS = [
    "(",
    ")",
    "not",
    "once",
    "since",
    "and",
    "->",
    "true",
    "action",
    "==",
    "~",
    '"a"',
    '"',
    "channel",
    "x",
    ">",
    "1",
]


@given(st.text(max_size=30) | st.lists(st.sampled_from(SIGNS), max_size=12).map(" ".join))
def test_any_text_is_a_formula_or_an_error_with_a_place(text: str) -> None:
    try:
        read = parse(text)
    except ConfigError as error:
        read, told = None, str(error)
    assert told.startswith("at ") if read is None else parse(str(read)) == read


def test_the_automaton_is_shared_by_equal_parts() -> None:
    same = parse('once action == "a" and not once action == "a"')
    assert len(Monitor(same).start) == 1
    assert Monitor(same).atoms == [Atom("action", "==", "a")]
    assert Monitor(parse("true since false")).start == (False,)
    assert Monitor(parse("historically true -> previous true")).start == (True, False)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('action == "a" or action == "b" and true', '(action == "a") or ((action == "b") and true)'),
        ("true and false since true", "true and (false since true)"),
        ("true since false since true", "(true since false) since true"),
        ("true -> false -> true", "true -> (false -> true)"),
        ("true or false -> false", "(true or false) -> false"),
        ("not once true and false", "(not (once true)) and false"),
        ('tool~"a"', 'tool ~ "a"'),
        ("channel a.b-c_1>=-1.5e-3", 'channel "a.b-c_1" >= -0.0015'),
        ('channel "a b" == 2', 'channel "a b" == 2.0'),
        (r'action ~ "\d\"\\."', r'action ~ "\\d\"\\."'),
        ("  true  ", "true"),
        ('reply == ""', 'reply == ""'),
    ],
)
def test_how_formulas_are_read(text: str, same: str) -> None:
    assert parse(text) == parse(same)
    assert parse(str(parse(text))) == parse(text)


def test_a_text_stands_for_what_is_in_its_quotes() -> None:
    assert parse(r'action == "\d\"\\"') == Atom("action", "==", '\\d"\\')
    assert parse("channel x < .5") == Atom("channel", "<", 0.5, "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "at 1 in '': expected a formula, found the end"),
        ("once", "at 5 in 'once': expected a formula, found the end"),
        ("true and -> true", "at 10 in .*: expected a formula, found ->"),
        ('acton == "a"', r'at 1 in .*: expected a formula, found acton\. Did you mean "action"\?'),
        ('historicaly action == "a"', 'found historicaly.*"historically"'),
        ("(true", r'at 6 in .*: expected "\)" for the "\(" at 1, found the end'),
        ("true)", r'at 5 in .*: expected "and", "or", "since", "->" or the end, found \)'),
        ("true true", "at 6 in .*found true"),
        ('action = "x"', "at 8 in .*: expected one of == != ~, found ="),
        ('action > "x"', "at 8 in .*: expected one of == != ~, found >"),
        ("action == x", "at 11 in .*: expected a text in double quotes, found x"),
        ('action == "x', 'at 11 in .*: expected a text in double quotes, found a " that is not closed'),
        ('action ~ "("', r"at 10 in .*: expected a regular expression \(.*\), found \"\(\""),
        ("channel > 1", "at 9 in .*: expected the name of a channel, found >"),
        ('channel x ~ "a"', "at 11 in .*: expected one of == != < <= > >=, found ~"),
        ('channel x > "1"', "at 13 in .*: expected a number"),
        ("channel x > 1.2.3", r"at 13 in .*: expected a number, found 1\.2\.3"),
        ("channel x > inf", "expected a number, found inf"),
        ("not " * 101 + "true", "at most 100 operators within each other"),
        ("(" * 101, "at most 100 operators within each other"),
        ("true or " * 125 + "true", "expected the end, after 250 words and signs at most"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(text)


def test_the_largest_formula_can_be_watched() -> None:
    assert watched(parse("true since " * 124 + "true"), "ab") == [True, True]
    assert watched(parse("not " * 98 + "true"), "a") == [True]
