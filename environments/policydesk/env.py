"""The desk as an environment: read and change the database by tools, speak with the customer, keep to the policy.

A turn calls tools or says something to the customer. The episode ends when the customer has the last word of the desk;
it is a success when three things hold:

- the database is what the policy's decision makes of it, record by record;
- the last word has what the customer must be told: the number of a rule that forbids it, or the amount, zip code or
  product;
- the customer's name and zip code were looked up, and nothing was changed before that (rule 1).

The tools do not enforce the policy. What a model says can do nothing but call them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from agentgym.env import Env, Expert
from agentgym.environments._options import task_and_split
from agentgym.environments.policydesk.cases import Case, case_of_task
from agentgym.environments.policydesk.desk import Desk, Write, copied
from agentgym.environments.policydesk.hints import HINTS
from agentgym.environments.policydesk.policy import Policy
from agentgym.environments.policydesk.user import User, brief, opening, scripted
from agentgym.registry import register
from agentgym.tools import ToolEnv, call, tool
from agentgym.tools.answers import numbers_in
from agentgym.types import Action, Message, TaskId

__all__ = ["LEVELS", "PolicyDesk"]

Level: TypeAlias = Literal["p1", "p2", "p3", "p4"]
LEVELS: dict[Level, int] = {"p1": 8, "p2": 14, "p3": 18, "p4": 20}
"""Level → turns that an episode may have: about twice what the expert takes at most."""

Reward: TypeAlias = Literal["sparse", "dense"]

_MOST_TOLD = 3
"""Numbers, or products, that the last word may have: one that lists them all tells the customer none."""


@register
class PolicyDesk(ToolEnv):
    """Serve a customer of a shop as its policy says, with the tools of the desk.

    Example::

        env = PolicyDesk(level="p2")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("find_customer(name=ada moss, zip=10115)")
    """

    max_turns = 8
    hints = HINTS

    def __init__(
        self,
        *,
        level: Level = "p1",
        reward: Reward = "sparse",
        user: Literal["scripted"] | User = "scripted",
        show_policy: bool = True,
        policy_seed: int = 0,
        case_seed: int = 0,
    ) -> None:
        """Choose the policy and who speaks for the customers.

        Args:
            level: complexity of the policy, "p1" to "p4".
            reward: "sparse" is 1 for a success; "dense" pays, as they come, shares that add up to 1 for a success.
            user: "scripted", or from Python a function of a brief and the conversation (see ``user.User``).
            show_policy: put the policy into the instructions; without it, it has to be known.
            policy_seed: seed of the numbers in the policy.
            case_seed: seed of the cases that tasks stand for.
        """
        self.level, self.reward = level, reward
        self.user, self.case_seed, self.max_turns = user, case_seed, LEVELS[level]
        self.policy = Policy(level, policy_seed)
        document = f"Policy:\n{self.policy.text}\n" if show_policy else ""
        self.instructions = f"You serve customers at the desk of a shop.\n{document}{self.usage}\n{_MANNERS}"

    # -- the episode ---------------------------------------------------------------------------------

    def start(self, task: TaskId) -> str:
        """Let the customer of a task come in. Raises UserError."""
        self._begin(int(task))
        self.desk = Desk(self.case.tables)
        self.log: list[str] = []
        self.has_looked_up, self.has_acted_blindly = False, False
        self.paid, self.last_word = 0.0, ""
        self.conversation: list[Message] = [{"role": "assistant", "content": opening(self.case)}]
        return f"day {self.case.today}. customer: {opening(self.case)}"

    def _begin(self, task: int) -> None:
        self.task, split = task_and_split(task, self.np_random)
        self.case: Case = case_of_task(self.task, split, self.level, self.case_seed)
        self.decision = self.policy.decide(self.case)
        self.before, self.wanted = Desk(self.case.tables), Desk(self.case.tables)
        for write in self.decision.writes:
            self.wanted.apply(write)

    def heard(self, words: str) -> str | None:
        """Tell the customer something, and return the answer; None once the customer has left."""
        self.log.append(words)
        self.conversation.append({"role": "user", "content": words})
        answer = scripted(self.case, words) if isinstance(self.user, str) else self._asked_elsewhere()
        if answer is None:
            self.last_word = words
            return None
        self.conversation.append({"role": "assistant", "content": answer})
        return f"customer: {answer}"

    def _asked_elsewhere(self) -> str | None:
        assert not isinstance(self.user, str)
        return self.user(brief(self.case), list(self.conversation))

    def verdict(self) -> float:
        """1 where the database, the last word and the order of things are right."""
        in_order = self.has_looked_up and not self.has_acted_blindly
        return float(in_order and self._is_told() and not self.wanted.changes(self.desk))

    def reward_of(self, verdict: float | None) -> float:
        """The verdict; or what the potential of dense rewards has gained, which is the verdict's in the end.

        The potential is the share reached of: the customer looked up, each record changed as it must be, the last word
        right; and 0 once something else was changed, or anything too early. A turn pays Φ(s') - Φ(s) (Ng, Harada &
        Russell 1999 with γ = 1).
        """
        if self.reward == "sparse":
            return verdict or 0.0
        before, self.paid = self.paid, self._progress()
        return self.paid - before

    def _progress(self) -> float:
        touched, must = self.before.changes(self.desk), self.before.changes(self.wanted)
        if self.has_acted_blindly or touched - must:
            return 0.0
        reached = len(must) - len(self.wanted.changes(self.desk))
        parts = [self.has_looked_up, *(number < reached for number in range(len(must))), self._is_told()]
        return sum(parts) / len(parts)

    def _is_told(self) -> bool:
        """Whether the last word, once there is one, has what the customer must be told."""
        words = self.last_word.lower()
        if self.decision.is_refusal:
            named = {int(number) for number in re.findall(r"\brule\s*(\d{1,4})\b", words)}
            return bool(named) and named <= set(self.decision.rules)
        if self.decision.told.isdecimal():
            told: set[object] = set(numbers_in(words))
            is_told = Decimal(self.decision.told) in told
        else:
            told = set(re.findall(r"\w+", words)) & self.case.tables["products"].keys()
            is_told = self.decision.told in told
        return is_told and len(told) <= _MOST_TOLD and "refused" not in words

    # -- tools that read -----------------------------------------------------------------------------

    @tool
    def find_customer(self, name: str, zip: str) -> str:
        """Find a customer by full name and zip code."""
        self._note("find_customer", name=name, zip=zip)
        id = self.desk.find_customer(name, zip)
        self.has_looked_up |= (" ".join(name.lower().split()), zip.strip()) == (self.case.name, self.case.zip)
        if id is None:
            return "nobody of that name and zip code."
        customer = self.desk.record("customers", id)
        orders = " ".join(order["id"] for order in self.desk.tables["orders"].values() if order["customer"] == id)
        watched = "watched" if customer["watched"] else "not watched"
        return f"customer {id}, tier {customer['tier']}, {customer['returns']} returns, {watched}, orders {orders}."

    @tool
    def get_order(self, order: str) -> str:
        """Everything about an order."""
        record = self.desk.record("orders", order)
        self._note("get_order", order=record["id"])
        when = ""
        if record["delivered"] is not None:
            late = record["delivered"] - record["promised"]
            when = f" {self.case.today - record['delivered']} days ago, {max(late, 0)} days after the promised day"
        money = "".join(f", {what} {record[what]}" for what in ("refund", "voucher") if record[what])
        return (
            f"order {record['id']} of {record['customer']}: product {record['product']}, price {record['price']}, "
            f"placed day {record['placed']}, zip {record['zip']}, {record['status']}{when}{money}."
        )

    @tool
    def get_product(self, product: str) -> str:
        """Everything about a product."""
        record = self.desk.record("products", product)
        self._note("get_product", product=record["id"])
        stock = f"{record['stock']} in stock" if record["stock"] > 0 else "not in stock"
        return f"product {record['id']}: {record['name']}, {record['category']}, price {record['price']}, {stock}."

    @tool
    def quote(self, order: str, fee: int) -> str:
        """The refund of an order at a fee of so many percent."""
        record = self.desk.record("orders", order)
        self._note("quote", order=record["id"], fee=fee)
        return f"refund {record['price'] * (100 - fee) // 100}."

    # -- tools that change something -----------------------------------------------------------------

    @tool
    def cancel_order(self, order: str) -> str:
        """Cancel an order and refund its price."""
        return self._write("cancel_order", order=order)

    @tool
    def change_zip(self, order: str, zip: str) -> str:
        """Send an order to another zip code."""
        return self._write("change_zip", order=order, zip=zip.strip())

    @tool
    def return_order(self, order: str, refund: int) -> str:
        """Take an order back and pay the refund."""
        return self._write("return_order", order=order, refund=refund)

    @tool
    def exchange_order(self, order: str, product: str) -> str:
        """Exchange an order for another product."""
        return self._write("exchange_order", order=order, product=product)

    @tool
    def give_voucher(self, order: str, amount: int) -> str:
        """Give a voucher for an order that came late."""
        return self._write("give_voucher", order=order, amount=amount)

    @tool
    def open_ticket(self, order: str, team: Literal["finance", "fraud"]) -> str:
        """Leave an order to another team to look at."""
        return self._write("open_ticket", order=order, team=team)

    def _write(self, name: str, /, **arguments: Any) -> str:
        self.desk.apply(Write(name, arguments))
        self.has_acted_blindly |= not self.has_looked_up
        self._note(name, **arguments)
        return "done."

    def _note(self, name: str, /, **arguments: Any) -> None:
        self.log.append(str(call(name, **arguments)))

    def admissible(self) -> list[str]:
        """A call of each tool, a question, and the two ends."""
        return [tool.template for tool in self.toolbox.values()] + [
            "<what>?",
            "refused by rule <number>.",
            "done: <what>.",
        ]

    # -- the contract --------------------------------------------------------------------------------

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": each stands for a case of its split. Raises UserError.

        Tasks are draws, so two of one split may be about the same; two of different splits never are.
        """
        found = Env.tasks(self, split)
        assert isinstance(found, range)
        return found

    def expert(self) -> Expert:
        """A clerk who knows the decision: the first step of its plan that was not made yet."""
        return lambda observation: next(step for step in self._plan() if str(step) not in self.log)

    def _plan(self) -> list[Action | str]:
        """Look the customer up, ask for what is held back, look at what the decision depends on, act, and say it."""
        case, decision = self.case, self.decision
        steps: list[Action | str] = [call("find_customer", name=case.name, zip=case.zip)]
        if self.desk.find_customer(case.name, case.zip) is not None:
            if "order" in case.withheld:
                steps.append("which order is it?")
            steps.append(call("get_order", order=case.order))
            if decision.rules != (1,):
                steps += self._looks()
        steps += [call(write.name, **write.arguments) for write in decision.writes]
        return [*steps, decision.answer]

    def _looks(self) -> list[Action | str]:
        """What else a return or an exchange depends on."""
        case, order = self.case, self.case.tables["orders"][self.case.order]
        if case.request not in ("return", "exchange") or self.level == "p1":
            return []
        steps: list[Action | str] = ["is it broken?"] if "reason" in case.withheld else []
        steps.append(call("get_product", product=order["product"]))
        if case.request == "exchange":
            steps.append(call("get_product", product=case.target))
        if self.decision.fee is not None:
            steps.append(call("quote", order=case.order, fee=self.decision.fee))
        return steps

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return {
            "task": self.task,
            "tables": copied(self.desk.tables),
            "log": list(self.log),
            "conversation": [dict(message) for message in self.conversation],
            **{name: getattr(self, name) for name in _FLAGS},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self._begin(state["task"])
        self.desk, self.log = Desk(state["tables"]), list(state["log"])
        self.conversation = [dict(message) for message in state["conversation"]]
        for name in _FLAGS:
            setattr(self, name, state[name])


_FLAGS = ("has_looked_up", "has_acted_blindly", "paid", "last_word")

_MANNERS = (
    "Anything else that you say goes to the customer. "
    "End a question with a question mark; any other message is your last."
)
