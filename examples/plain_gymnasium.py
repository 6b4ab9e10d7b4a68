"""Every environment is a Gymnasium environment: no trainer, no model, just the loop.

python examples/plain_gymnasium.py
"""

import gymnasium
import numpy as np

import agentgym  # makes gymnasium.make know the environments

env = gymnasium.make("agentgym/webshop-v0", shopper="careful")
rng = np.random.default_rng(0)


def random_action(observation: agentgym.Observation) -> str:
    """One of the admissible actions; "<query>" stands for any words, here a product's name."""
    action = str(rng.choice(list(observation.admissible or ())))
    return action.replace("<query>", str(rng.choice(["mug", "lamp", "shoes"])))


def play(seed: int, *, by_expert: bool) -> float:
    """The reward of one episode."""
    observation, _ = env.reset(seed=seed)
    expert = env.get_wrapper_attr("expert")()
    total = 0.0
    for _ in range(15):
        action = expert(observation) if by_expert else random_action(observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        if terminated or truncated:
            break
    return total


if __name__ == "__main__":
    for name, by_expert in (("at random", False), ("the expert", True)):
        rewards = [play(seed, by_expert=by_expert) for seed in range(20)]
        print(f"{name}: mean reward {np.mean(rewards):.2f} over {len(rewards)} episodes")
    env.close()
