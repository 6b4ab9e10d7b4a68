"""Objectives: pure functions of flat tensors over trained tokens to a loss for each token, and metrics.

How they differ, in the four parts of ``estimator`` (the gradient of a token is their product with ∇π):

    objective           stable where             denominator            advantage               in
    ------------------  -----------------------  ---------------------  ----------------------  ----------------
    SFT                 always                   π                      1                       imitation
    DFT                 always                   1                      1                       imitation
    iw-SFT              always                   π                      weight of the sequence  imitation
    PSFT                ρ ≤ 1 + ε                π_old                  1                       imitation
    f-divergence        always                   π                      f*′(−β d)               imitation
    REINFORCE, RLOO     always                   π                      reward − baseline       policy_gradient
    PPO, GRPO, DAPO     ρ within the clip        π_old                  GAE, group z-score      policy_gradient
    dual-clip PPO       and ρ ≤ c where A < 0    π_old                  GAE, group z-score      policy_gradient
    GSPO                ρ within the clip        π_old, the sequence's  group z-score           policy_gradient
    CISPO               always                   π / clip(ρ)            group z-score           policy_gradient
    decoupled PPO       π / π_prox in the clip   π_behavior             as given                corrections
    NFT                 always                   see there              1, −r                   nft
    trajectory balance  always                   π                      A − β Σ d               balance
    KL as a loss        always                   π                      −1, −d, exp(−d) − 1     kl
    CHORD               that of the RL part      and π for the expert   and μ, or μ φ           mixers
    Nash-MD             always                   π                      P − 1/2 − β d           preference
    CoPG                always                   π                      2 β leave-one-out       preference

with ρ = π / π_old and d = log π / π_ref. The losses over pairs (DPO and its relatives, preference) are regressions and
classifications of log-ratios; of them CoPG's alone has such a form. Decoupled PPO is the clip beside the correction.

The modules are imported when one of them is asked for, with torch: ``objectives.preference.dpo``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentgym.learn.objectives import (
        balance,
        corrections,
        estimator,
        imitation,
        kl,
        mixers,
        nft,
        policy_gradient,
        preference,
    )

__all__ = [
    "balance",
    "corrections",
    "estimator",
    "imitation",
    "kl",
    "mixers",
    "nft",
    "policy_gradient",
    "preference",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'agentgym.learn.objectives' has no attribute '{name}'")
    return importlib.import_module(f"agentgym.learn.objectives.{name}")
