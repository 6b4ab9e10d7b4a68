"""Measure a trained policy on held-out tasks, then read one of its episodes.

python examples/evaluate.py RUN      (RUN as train_on_it.py or ``agentgym train`` left it)
"""

import sys

import agentgym


def main(run: str) -> None:
    """Success when greedy and when sampled, in the run's own environment; then one episode turn by turn."""
    for temperature in (0.0, 1.0):
        score, episodes = agentgym.evaluate({}, run, episodes=50, temperature=temperature)
        low, high = score.ci95
        print(
            f"temperature {temperature}: success {score.success:.2f} [{low:.2f}, {high:.2f}], reward {score.reward:.2f}"
        )
    for turn in episodes[0].turns:
        print(f"{turn.observation}\n  > {turn.reply}   reward {turn.reward:.2f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
