"""A game being played: its states, the commands of each, and what they lead to.

Plays through the parts of TextWorld's PDDL environment: fast-downward's library holds the state and knows the
applicable operators, the grammar tells what is seen. Departs from that environment in what is done again and again:

- it translates a game at every reset, twice; here once, and a reset is a state that is already there;
- it renders every command of every turn by parsing its template; here a template is filled in, once per operator;
- what a command leads to is kept. An episode is then a place in a graph of states that all episodes of the game share,
  so going back costs nothing and playing the same again next to nothing; only a step that nobody took before asks the
  library, which is brought to that state by the operators that lead there.

The graph is forgotten when it has ``_MAX_STATES`` states. Everything that is not yet known is done under the packages'
lock (see ``packages``).
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple, TypeAlias

from agentgym.environments.alfworld.game import UNKNOWN, Game
from agentgym.environments.alfworld.packages import LOCK, alfworld, downward, translating
from agentgym.errors import DataError

__all__ = ["NOTHING", "Fact", "State", "World", "open_world"]

NOTHING = "Nothing happens."
_MAX_STATES = 2000
_MAX_WORLDS = 64
_GO = "go to ["
"""Beginning of the one template that asks the state: for the receptacle at the end, which is a parameter as well."""

Fact: TypeAlias = tuple[str, ...]
"""Predicate and the ids of its arguments, in lower case."""


class Operator(NamedTuple):
    """What the library does at a command."""

    id: int
    num_effects: int
    action: str
    values: dict[str, str]
    """Parameter → id of a thing."""


@dataclasses.dataclass(slots=True, eq=False)
class State:
    """One state of a game."""

    commands: dict[str, Operator]
    """Admissible command → operator, in alphabetical order."""
    won: bool
    changes: frozenset[Any]
    """Facts that differ from those at the beginning, with their signs."""
    came_by: tuple[State, str] | None = None
    """The state before on the first way that was found here, and the command."""
    known: dict[str, tuple[str, State]] = dataclasses.field(default_factory=dict)
    """Command → what is told, and the state it leads to; what has been tried so far."""

    @property
    def path(self) -> tuple[str, ...]:
        """Commands that lead here from the beginning."""
        return tuple(command for _, command in self.steps())[::-1]

    def steps(self) -> Iterator[tuple[State, str]]:
        """States and commands that lead here, backwards."""
        state = self
        while state.came_by is not None:
            yield state.came_by
            state = state.came_by[0]


@functools.cache
def _library() -> Any:
    """Fast-downward's library, one for all games: a process that has closed one crashes when it ends."""
    return downward().load_lib()


@functools.lru_cache(maxsize=8)
def _grammar(text: str) -> Any:
    """A grammar, parsed; kept, because games share few and each takes a tenth of a second."""
    return downward("textworld.envs.pddl.logic").GameLogic(domain="", grammar=text)


class World:
    """One game, ready to be played by any number of episodes and threads."""

    _loaded: ClassVar[World | None] = None
    """The world that the library holds."""

    def __init__(self, game: Game) -> None:
        """Translate ``game``. Raises DataError, which names it, when that cannot be done."""
        self.game = game
        with translating():
            try:
                self._translate(game)
                self.start = self._state_now(frozenset(), None)
                self.intro = self._told("#intro#", {}).replace(UNKNOWN, game.sentence)
            except (Exception, SystemExit) as error:  # the translator raises whatever it stumbles over, and exits
                problem = f"{type(error).__name__}: {error}"
                raise DataError(f"{game.origin} cannot be played ({problem:.300}); get it anew") from error
        if self.start.won:
            raise DataError(f"{game.origin} is won before it begins; get it anew")
        self._states = {self.start.changes: self.start}
        self._here = self.start

    def step(self, state: State, command: str) -> tuple[str, State]:
        """What is told, and the state that ``command`` leads to; nothing happens where it is not admissible."""
        if command not in state.commands:
            return NOTHING, state
        if (found := state.known.get(command)) is None:
            with LOCK, self._unbroken():
                if (found := state.known.get(command)) is None:
                    found = state.known[command] = self._tried(state, command)
        return found

    def follow(self, path: tuple[str, ...] | list[str]) -> State:
        """The state that commands lead to from the beginning."""
        state = self.start
        for command in path:
            _, state = self.step(state, command)
        return state

    def facts(self, state: State) -> set[Fact]:
        """What holds in a state."""
        with LOCK, self._unbroken():
            self._go(state)
            return {(fact.name, *(argument.name for argument in fact.arguments)) for fact in self._facts.facts}

    def names(self) -> dict[str, str]:
        """Id of a thing → what it is called in commands."""
        return {id: info.name for id, info in self._entities.items()}

    def planned(self, state: State) -> list[str]:
        """Fast-downward's plan from a state, as commands; empty where it finds none. May take minutes.

        The lock is held meanwhile.
        """
        with translating(), self._unbroken():
            _, optimized = downward().pddl2sas(self.game.domain, self.game.problem, optimize=True)
            self._go(state)
            self._library.load_sas_replan(optimized.encode())
            if not self._library.replan(False):
                return []
            operators = (downward().Operator * self._library.get_last_plan_length())()
            self._library.get_last_plan(operators)
            return [self._command(*self._read(operator.name)) for operator in operators]

    # -- the library: everything below is done under the lock --------------------------------------------

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        """Whatever interrupts the block, the library and the facts are found at the beginning afterwards."""
        try:
            yield
        except BaseException:
            World._loaded, self._here, self._facts = None, self.start, self._new_facts(self._at_start)
            raise

    def _translate(self, game: Game) -> None:
        planner, logic = downward(), downward("textworld.logic")
        self._task, sas = planner.pddl2sas(game.domain, game.problem)
        self._sas: bytes = sas.encode()
        self._grammar = _grammar(game.grammar)
        self._library = _library()
        self._load()
        self._parameters = {
            action.name: [
                parameter.name.strip("?") for parameter in action.parameters[: action.num_external_parameters]
            ]
            for action in self._task.actions
        }
        self._type_of = {thing.name: thing.type_name for thing in self._task.objects}
        self._at_start = frozenset(self._facts_at_start(logic))
        self._facts = self._new_facts(self._at_start)
        self._entities = self._named()
        self._operators: dict[int, tuple[str, Operator]] = {}

    def _facts_at_start(self, logic: Any) -> list[Any]:
        atoms = [atom for atom in self._task.init if hasattr(atom, "predicate") and atom.predicate != "="]
        return [
            logic.Proposition(atom.predicate, [logic.Variable(name, self._type_of[name]) for name in atom.args])
            for atom in atoms
        ]

    def _new_facts(self, facts: frozenset[Any]) -> Any:
        logic = downward("textworld.logic")
        types = logic.GameLogic()
        for kind in {kind.name: kind for kind in reversed(self._task.types)}.values():  # "object" is there twice
            types.types.add(logic.Type(kind.name, kind.supertype_names))
        return logic.State(types, facts)

    def _named(self) -> dict[str, Any]:
        info = downward("textworld.generator.game").EntityInfo
        things = {variable.name: variable for fact in self._at_start for variable in fact.arguments}
        entities = {name: info(name, variable.type) for name, variable in sorted(things.items())}
        names = alfworld("agents.utils.misc").Demangler(game_infos=entities)
        for entity in entities.values():
            entity.name, entity.definite, entity.indefinite = names.demangle_alfred_name(entity.id), "the", "a"
        return entities

    def _tried(self, state: State, command: str) -> tuple[str, State]:
        self._go(state)
        operator = state.commands[command]
        changes = state.changes
        for effect in self._apply(operator):
            changes = changes - {effect.negate()} | {effect}
            self._make_true(effect)
        changes -= self._at_start
        told = self._told(self._grammar.actions[operator.action].feedback_rule, operator.values)
        reached = self._states.get(changes) or self._new_state(changes, (state, command))
        self._here = reached
        return told, reached

    def _new_state(self, changes: frozenset[Any], came_by: tuple[State, str]) -> State:
        if len(self._states) >= _MAX_STATES:
            for state in self._states.values():
                state.known.clear()
            self._states = {self.start.changes: self.start}
        state = self._states[changes] = self._state_now(changes, came_by)
        return state

    def _state_now(self, changes: frozenset[Any], came_by: tuple[State, str] | None) -> State:
        """The state that the library is in."""
        operators = (downward().Operator * self._library.get_applicable_operators_count())()
        self._library.get_applicable_operators(operators)
        commands: dict[str, Operator] = {}
        for operator in operators:
            if operator.id not in self._operators:
                action, values = self._read(operator.name)
                known = Operator(operator.id, operator.nb_effect_atoms, action, values)
                self._operators[operator.id] = (self._command(action, values), known)
            command, known = self._operators[operator.id]
            commands.setdefault(command, known)
        return State(dict(sorted(commands.items())), bool(self._library.check_goal()), changes, came_by)

    def _go(self, state: State) -> None:
        """Bring the library and the facts to a state."""
        if World._loaded is not self or self._here is not state:
            self._load()
            for before, command in [*state.steps()][::-1]:
                self._apply(before.commands[command])
        for fact in self._here.changes - state.changes:
            self._make_true(fact.negate(), only=self._at_start)
        for fact in state.changes - self._here.changes:
            self._make_true(fact)
        self._here = state

    def _load(self) -> None:
        """Bring the library to the beginning of this game."""
        World._loaded = None
        self._library.load_sas(self._sas)
        World._loaded = self

    def _apply(self, operator: Operator) -> list[Any]:
        atoms = (downward("textworld.envs.pddl.logic").Atom * operator.num_effects)()
        self._library.apply_operator(operator.id, atoms)
        return [atom.get_fact(self._type_of) for atom in atoms]

    def _make_true(self, fact: Any, only: frozenset[Any] | None = None) -> None:
        """Take back what contradicts ``fact``, and add it, or only if it is among those."""
        if self._facts.is_fact(fact.negate()):
            self._facts.remove_fact(fact.negate())
        if (only is None or fact in only) and not self._facts.is_fact(fact):
            self._facts.add_fact(fact)

    # -- text --------------------------------------------------------------------------------------------

    def _command(self, action: str, values: dict[str, str]) -> str:
        template = str(self._grammar.actions[action].template)
        template = "go to {r}" if template.startswith(_GO) else template
        return template.format(**{parameter: self._entities[value].name for parameter, value in values.items()})

    def _read(self, operator: str) -> tuple[str, dict[str, str]]:
        """Action, and parameter → id, of an operator's name."""
        action, *values = operator.split()
        return action, dict(zip(self._parameters[action], values, strict=True))

    def _told(self, rule: str, values: dict[str, str]) -> str:
        logic = downward("textworld.logic")
        mapping = {
            logic.Placeholder(name, self._type_of[value]): logic.Variable(value, self._type_of[value])
            for name, value in values.items()
        }
        context = {
            "state": self._facts,
            "facts": list(self._facts.facts),
            "variables": {name: self._entities[value] for name, value in values.items()},
            "mapping": mapping,
            "entity_infos": self._entities,
        }
        return str(self._grammar.grammar.derive(rule, context))


_WORLDS: collections.OrderedDict[str, World] = collections.OrderedDict()


def open_world(key: str, make: Callable[[], World]) -> World:
    """The world under ``key``, made by ``make`` if it is not among the last ones opened in this process."""
    if (world := _WORLDS.get(key)) is None:
        with LOCK:
            if (world := _WORLDS.get(key)) is None:
                world = _WORLDS[key] = make()
    with LOCK:
        if key in _WORLDS:
            _WORLDS.move_to_end(key)
        while len(_WORLDS) > _MAX_WORLDS:
            _WORLDS.popitem(last=False)
    return world
