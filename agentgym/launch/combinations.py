"""What goes together: settings that decide others, and those that would have no effect or a wrong one.

- A budget (Practitioner's Guide, arXiv 2510.01132, §5.2): a demonstration costs as much as some of the policy's own
  episodes. The recipe turns a budget and a number of demonstrations into a warm start that sees just these, and the
  trainer for as many updates as the rest pays for, the demonstrations that it asks for in them included: all that it
  may ask for, where that turns out only later. Episodes of validation and test cost nothing.
- Playing ahead of learning: episodes that were begun under older weights are off-policy. Whatever trainer corrects for
  that is told to, and one that would not is refused.
- A reward that leaves what is optimal as it is (a potential) does so for a learner that adds up rewards as it does;
  beside another it would shift what is optimal without a sign of it.
- A curriculum: a trainer that learns from a file follows none, and one that plays experts only teaches none.
- Augmentations: of what is not played nothing is augmented, and where nothing is, no group has a clean share.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Curriculum
from agentgym.errors import ConfigError
from agentgym.launch.settings import TrainSettings
from agentgym.registry import plugins
from agentgym.reward import Discount

if TYPE_CHECKING:
    from agentgym.learn.trainer import Trainer

__all__ = [
    "play_ahead",
    "refuse_idle_augmentations",
    "refuse_idle_curriculum",
    "refuse_lone",
    "refuse_shifting",
    "spent",
]

# -- a budget --------------------------------------------------------------------------------------------

_DECIDED = ("updates", "warm_start.enabled", "warm_start.demonstrations", "warm_start.max_updates", "warm_start.until")


def spent(settings: TrainSettings, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that carry out the recipe, if there is one; ``given`` are those that the user gave.

    Raises ConfigError for keys that have no effect without a recipe or beside one, and where the demonstrations cost
    more than the budget.
    """
    recipe = settings.recipe
    if recipe.budget is None:
        if recipe.model_fields_set:
            raise ConfigError(f"recipe.{min(recipe.model_fields_set)} has no effect without recipe.budget")
        return {}
    _refuse_decided(given)
    rest = recipe.budget - recipe.demonstrations * recipe.demonstration_cost
    if rest < 0:
        most = int(recipe.budget // recipe.demonstration_cost)
        raise ConfigError(
            f"{recipe.demonstrations} demonstrations cost {recipe.demonstrations * recipe.demonstration_cost:g}, the "
            f"budget is {recipe.budget:g}; type --recipe.demonstrations {most} or less"
        )
    trainer = _trainer(settings)
    if not (trainer.plays and trainer.plays_policy):
        raise ConfigError(
            f"recipe.budget pays for the trainer's episodes of the policy, and the trainer {settings.trainer.id} plays "
            "none; leave out --recipe, or choose another --trainer"
        )
    own, shown = trainer.num_played(Uniform([0], seed=0))
    warm: dict[str, Any] = {"enabled": recipe.demonstrations > 0}
    if recipe.demonstrations:
        steps = math.ceil(recipe.passes * recipe.demonstrations / settings.warm_start.batch_size)
        warm |= {"demonstrations": recipe.demonstrations, "max_updates": steps, "until": 1.0, "check_every": steps}
    return {"updates": int(rest // (own + shown * recipe.demonstration_cost)), "warm_start": warm}


def _refuse_decided(given: Mapping[str, Any]) -> None:
    """Raise ConfigError for keys beside a recipe that the recipe decides."""
    for key in _DECIDED:
        group, _, name = key.rpartition(".")
        if name in (given.get(group, {}) if group else given):
            raise ConfigError(f"{key} has no effect: recipe.budget decides it")


def _trainer(settings: TrainSettings) -> Trainer[Any]:
    trainer: Trainer[Any] = plugins("trainers").build(settings.trainer.id, settings.trainer.options)
    return trainer


# -- playing ahead ---------------------------------------------------------------------------------------

_STALENESS = {"async": 1, "fully-async": 2}


def play_ahead(settings: TrainSettings) -> None:
    """Fill in what the mode of ``settings`` decides. Raises ConfigError for what does not go with it."""
    if settings.mode == "sync":
        if settings.max_staleness is not None:
            raise ConfigError("max_staleness has no effect with mode sync; add --mode async")
        return
    trainer = _trainer(settings)
    if not trainer.plays_ahead:
        raise ConfigError(
            f"the trainer {settings.trainer.id} plays what depends on what it has just learned, on an expert or on "
            "a file: there is nothing to play ahead; type: --mode sync"
        )
    if settings.max_staleness is None:
        settings.max_staleness = _STALENESS[settings.mode]
    if "correction" not in type(trainer.settings).model_fields:
        return
    options = {"correction": "truncate", **settings.trainer.options}
    if options["correction"] == "none":
        raise ConfigError(
            f"mode {settings.mode} learns from episodes of older weights, which the loss must correct for; "
            "type: --trainer.correction truncate (or mask), or --mode sync"
        )
    settings.trainer = settings.trainer.model_copy(update=options)


# -- what is drawn ---------------------------------------------------------------------------------------


def refuse_idle_curriculum(settings: TrainSettings) -> None:
    """Raise ConfigError for a curriculum that would have no effect on the trainer, or hear nothing from it."""
    chosen, trainer = settings.curriculum, _trainer(settings)
    if settings.changed("curriculum") and not trainer.plays:
        raise ConfigError(
            f"curriculum {chosen.id} has no effect: the trainer {settings.trainer.id} learns from recorded "
            "episodes; leave out --curriculum, or --trainer.data"
        )
    factory: Any = plugins("curricula").get(chosen.id)
    if factory.of_policy and not trainer.plays_policy:
        raise ConfigError(
            f"curriculum {chosen.id} has no effect: it is of the policy's episodes, and the trainer "
            f"{settings.trainer.id} plays none; leave out --curriculum, or choose another --trainer"
        )
    if factory.learn is not Curriculum.learn and not trainer.plays_policy:
        raise ConfigError(
            f"curriculum {chosen.id} learns from the policy's episodes, and the trainer {settings.trainer.id} plays "
            "none; leave out --curriculum, or choose another --trainer"
        )


def refuse_idle_augmentations(settings: TrainSettings) -> None:
    """Raise ConfigError for augmentations without effect, and for settings that are about those that there are not."""
    trainer, ids = _trainer(settings), ", ".join(settings.augment)
    if settings.augment and not trainer.plays:
        raise ConfigError(
            f"augment {ids} has no effect: the trainer {settings.trainer.id} learns from recorded episodes; leave out "
            "--augment, or --trainer.data"
        )
    if settings.augment and not settings.augment_strength and settings.curriculum.id == "uniform":
        raise ConfigError(
            f"augment {ids} has no effect at augment_strength 0, which the curriculum uniform leaves at that; leave it "
            "out, or choose a --curriculum that draws strengths"
        )
    for key in () if settings.augment else ("clean_share", "mix_strengths"):
        if key in type(trainer.settings).model_fields and trainer.settings.changed(key):
            raise ConfigError(f"trainer.{key} has no effect where nothing is augmented; add --augment error-hints")


# -- what is paid beside the environment -----------------------------------------------------------------


def refuse_shifting(settings: TrainSettings) -> None:
    """Raise ConfigError for a reward that is invariant under another discount than the trainer's."""
    for id, reward in settings.rewards.items():
        if not getattr(plugins("rewards").get(id), "is_invariant", False):
            continue
        own: Discount | None = plugins("rewards").build(id, reward.options).discount
        theirs = _trainer(settings).discount
        if own is not None and (theirs is None or not own.fits(theirs)):
            raise ConfigError(f"rewards.{id} would change what is optimal: {_unlike(id, own, theirs, settings)}")


def refuse_lone(settings: TrainSettings) -> None:
    """Raise ConfigError for a reward that compares the members of a group, where each episode is one of its own."""
    trainer = _trainer(settings)
    comparing = [id for id in settings.rewards if getattr(plugins("rewards").get(id), "needs_group", False)]
    if not (comparing and trainer.plays):
        return
    groups = Counter(spec.group_id or spec.episode_id for spec in trainer.specs(0, Uniform([0], seed=0)))
    if max(groups.values(), default=0) < 2:
        raise ConfigError(
            f"rewards.{comparing[0]} has no effect: it compares the episodes of a group, and the trainer "
            f"{settings.trainer.id} plays one of each task; leave it out, or choose another --trainer, such as grpo"
        )


def _unlike(id: str, own: Discount, theirs: Discount | None, settings: TrainSettings) -> str:
    """In what two discounts differ, and what to type."""
    trainer = settings.trainer.id
    if theirs is None:
        return (
            f"with these settings the trainer {trainer} adds up rewards in more than one way, and no reward is "
            "invariant under all of them; leave out the reward, or set_size, or type --trainer.anchor_discount 1"
        )
    if own.continues != theirs.continues:
        does = "goes on by an estimate" if theirs.continues else "ends"
        return (
            f"for the trainer {trainer} an episode that is cut {does}; type: --rewards.{id}.continues "
            f"{str(theirs.continues).lower()}"
        )
    return (
        f"it discounts by {own.gamma:g} for each {own.per}, and the trainer {trainer} by {theirs.gamma:g} for each "
        f"{theirs.per}; type: --rewards.{id}.gamma {theirs.gamma:g} --rewards.{id}.per {theirs.per}"
    )
