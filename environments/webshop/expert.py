"""Two shoppers to imitate: one who knows the goal and never errs, and one who is in a hurry.

Both search with words of the instruction in their order, choose options and buy. The careful one takes the first hit
that fits in every way. The hasty one is what people really have as a teacher: takes the first hit whatever it costs,
and forgets an option that is asked for more often than not. From any other place in the shop they find their way back,
so that they can take over an episode midway. What they do follows from the task alone, and what they say is spelled as
on the page: easy to imitate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from agentgym.environments.webshop import pages
from agentgym.environments.webshop.goals import Goal
from agentgym.environments.webshop.products import Product
from agentgym.environments.webshop.reward import similar
from agentgym.environments.webshop.session import RESULTS_PER_PAGE, Session, parse_action
from agentgym.environments.webshop.shop import Shop

__all__ = ["FORGETS", "Plan", "next_action", "plan_hastily", "plan_purchase"]

FORGETS = 0.65
"""Share of the options asked for that the hasty shopper does not choose."""

_NO_DRAWS = np.random.default_rng(0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to buy and how to get there."""

    query: str
    asin: str
    page: int
    """Results page that the product stands on, from 1."""
    options: dict[str, str]
    reward: float


def plan_purchase(shop: Shop, task: int) -> Plan:
    """The first product of the first query that scores 1, on page 1 if there is one; else the best seen."""
    best = Plan(query=shop.goals[task]["name"].lower(), asin="", page=1, options={}, reward=-1.0)
    for query in _queries(shop.goals[task]):
        for plan in _purchases(shop, task, query):
            if (plan.reward, -plan.page) > (best.reward, -best.page):
                best = plan
            if plan.reward == 1.0:
                break
        if best.reward == 1.0 and best.page == 1:
            break
    return best


def plan_hastily(shop: Shop, task: int) -> Plan:
    """The first hit of the first query that has any, with those of the options that are not forgotten."""
    for query in _queries(shop.goals[task]):
        if plan := next(_purchases(shop, task, query), None):
            draws = np.random.default_rng(task).random(len(plan.options))
            kept = [choice for choice, draw in zip(plan.options.items(), draws, strict=True) if draw >= FORGETS]
            reward = shop.score(plan.asin, dict(kept), task).reward
            return dataclasses.replace(plan, options=dict(kept), reward=reward)
    return plan_purchase(shop, task)


def next_action(session: Session, plan: Plan) -> str:
    """What to do now to carry out ``plan``."""
    state = session.state
    match state.place:
        case "search":
            return f"search[{plan.query}]"
        case "results":
            return _on_results(session, plan)
        case "item" if state.asin == plan.asin:
            missing = (value for group, value in plan.options.items() if state.options.get(group) != value)
            return f"click[{next(missing, pages.BUY)}]"
        case _:
            return f"click[{pages.PREVIOUS}]"


def _on_results(session: Session, plan: Plan) -> str:
    state = session.state
    if plan.asin in state.shown:
        return f"click[{plan.asin}]"
    if " ".join(state.keywords) != plan.query or state.page == plan.page:
        return f"click[{pages.BACK}]"
    return f"click[{pages.NEXT if state.page < plan.page else pages.PREVIOUS}]"


def _queries(goal: Goal) -> Iterator[str]:
    """Words of the instruction, in its order: first those that matter, then all of them; at last the title."""
    text = goal["instruction_text"].lower().partition(", and price lower than")[0]
    options = _values(goal)
    for phrases in ((*goal["attributes"], *options, goal["query"]), (*goal["attributes"], goal["query"])):
        places = {text.find(phrase.lower()): phrase.lower() for phrase in phrases}
        if query := " ".join(phrase for place, phrase in sorted(places.items()) if place >= 0):
            yield query
    yield text
    yield goal["name"].lower()


def _purchases(shop: Shop, task: int, query: str) -> Iterator[Plan]:
    """A plan for each hit, in order."""
    if not query.strip() or query.startswith("<") or parse_action(f"search[{query}]") != ("search", query):
        return
    for rank, asin in enumerate(shop.find(query.split(" "), _NO_DRAWS)):
        options = dict(_choices(shop.products[asin], shop.goals[task]))
        reward = shop.score(asin, options, task).reward
        yield Plan(query=query, asin=asin, page=rank // RESULTS_PER_PAGE + 1, options=options, reward=reward)


def _choices(product: Product, goal: Goal) -> Iterator[tuple[str, str]]:
    """For each option that is asked for, the group and value that answer it best."""
    wanted = goal["goal_options"]
    pairs: Iterable[str | tuple[str, str]] = wanted.items() if isinstance(wanted, dict) else wanted
    # A value offered in two groups belongs to the later one: that is where a click goes.
    offered = {value: group for group, values in product.options.items() for value in values if _can_click(value)}
    for option, text in zip(pairs, _values(goal), strict=True):
        if text in offered:
            yield offered[text], text
        elif value := next((value for value in offered if similar(value, option)), None):
            yield offered[value], value


def _can_click(value: str) -> bool:
    buttons = (pages.BACK, pages.PREVIOUS, pages.NEXT, pages.BUY, "search", *pages.SUB_PAGES)
    return parse_action(f"click[{value}]") == ("click", value) and value not in map(str.lower, buttons)


def _values(goal: Goal) -> list[str]:
    wanted = goal["goal_options"]
    return list(wanted.values()) if isinstance(wanted, dict) else list(wanted)
