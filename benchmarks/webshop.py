"""WebShop: turns per second, memory over 10,000 episodes, load of 50,000 products, what the expert solves.

    python benchmarks/webshop.py [--json FILE]

The original text environment made 62 turns per second on one core; ours must make twenty times as many, with
the real search engine. Turns are the expert's, planned beforehand, so that only ``reset`` and ``step`` count.
Each measurement runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop.expert import plan_purchase

ORIGINAL_TURNS_PER_SECOND = 62
T = TypeVar("T")
Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    rows: Rows = {}
    arguments = parser.parse_args()
    for measure in (measure_speed, measure_growth, measure_expert):
        rows |= in_own_process(measure)
    with tempfile.TemporaryDirectory() as folder:
        in_own_process(write_catalogue, Path(folder), 50_000)
        rows |= in_own_process(measure_load, Path(folder))
    for name, row in rows.items():
        print(f"{name:32} {row['value']:>10,.4g} {row['unit']:10} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def in_own_process(work: Callable[..., T], *arguments: Any) -> T:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def measure_speed(num_tasks: int = 2000) -> Rows:
    env = WebShop(shopper="careful")
    episodes = recorded(env, num_tasks)
    start = time.perf_counter()
    turns = sum(replay(env, task, actions) for task, actions in episodes)
    rate = turns / (time.perf_counter() - start)
    return row("turns per second", rate, f">= {20 * ORIGINAL_TURNS_PER_SECOND}", "1/s")


def measure_growth(num_episodes: int = 10_000) -> Rows:
    env = WebShop(shopper="careful")
    episodes = recorded(env, 1000)
    megabytes, rates = [], []
    for _ in range(1 + num_episodes // len(episodes)):
        start = time.perf_counter()
        turns = sum(replay(env, task, actions) for task, actions in episodes)
        rates.append(turns / (time.perf_counter() - start))
        megabytes.append(resident_megabytes())
    return {
        **row("memory growth, 10,000 episodes", megabytes[-1] - megabytes[0], "<= 5", "MB"),
        **row("last / first thousand, speed", rates[-1] / rates[1], ">= 0.8", "ratio"),
    }


def measure_load(folder: Path) -> Rows:
    """A catalogue of 50,000 products, with its search engine and goals."""
    before, start = resident_megabytes(), time.perf_counter()
    env = WebShop(catalogue=folder)
    seconds = time.perf_counter() - start
    held = resident_megabytes() - before
    start = time.perf_counter()
    for task in (tasks := env.tasks("test")[:200]):
        env.reset(options={"task": task})
        env.step(f"search[{env.shop.goals[task]['name']}]")
    rate = len(tasks) / (time.perf_counter() - start)
    return {
        **row("load of 50,000 products", seconds, "<= 30", "s"),
        **row("memory held by 50,000 products", held, "<= 1000", "MB"),
        **row("peak memory of the load", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, "<= 2000", "MB"),
        **row("searches among 50,000 products", rate, ">= 62", "1/s"),
    }


def measure_expert() -> Rows:
    env = WebShop(shopper="careful")
    tasks = [*env.tasks("test"), *env.tasks("train")[:1000]]
    rewards = [recorded_episode(env, task)[1] for task in tasks]
    first_hits = [is_first_hit_right(env, task) for task in tasks]
    return {
        **row("expert solves", sum(reward == 1.0 for reward in rewards) / len(tasks), ">= 0.97", "of goals"),
        **row("first hit solves", sum(first_hits) / len(tasks), "0.6 to 0.8", "of goals"),
    }


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


def recorded(env: WebShop, num_tasks: int) -> list[tuple[int, list[str]]]:
    """Tasks with the actions of the expert."""
    return [(task, recorded_episode(env, task)[0]) for task in env.tasks("train")[:num_tasks]]


def recorded_episode(env: WebShop, task: int) -> tuple[list[str], float]:
    observation, _ = env.reset(options={"task": task})
    expert, reward, done = env.expert(), 0.0, False
    actions: list[str] = []
    while not done and len(actions) < env.max_turns:
        actions.append(str(expert(observation)))  # type: ignore[arg-type]
        observation, reward, done, _, _ = env.step(actions[-1])
    return actions, reward


def replay(env: WebShop, task: int, actions: list[str]) -> int:
    env.reset(seed=task, options={"task": task})
    for action in actions:
        env.step(action)
    return len(actions)


def is_first_hit_right(env: WebShop, task: int) -> bool:
    """Whether a good query, the first hit and the wanted options would do."""
    plan = plan_purchase(env.shop, task)
    first = env.shop.ranker(plan.query, 1)[0]
    return env.shop.score(first, plan.options, task).reward == 1.0


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def write_catalogue(folder: Path, num_products: int) -> None:
    """Invented products in the original's format and of about its size, with words that are rare and common."""
    rng = random.Random(0)
    words = [f"{a}{b}{c}" for a in ("ba", "ko", "ti", "re", "mu") for b in ("lan", "sto", "vir") for c in range(800)]
    common = words[:500]

    def text(length: int) -> str:
        return " ".join(rng.choices(common, k=length // 2) + rng.choices(words, k=length - length // 2))

    def product(i: int) -> dict[str, Any]:
        colors = [{"value": text(2), "image": "https://images.example/I/0123456789._AC_.jpg"} for _ in range(6)]
        return {
            "asin": f"B{i:09d}",
            "name": text(16),
            "category": "garden",
            "query": text(2),
            "product_category": "Home \u203a Garden",
            "full_description": text(90),
            "small_description": [text(20) for _ in range(5)],
            "pricing": f"${rng.randint(5, 90)}.99",
            "customization_options": {"color": colors, "size": [{"value": size} for size in "SML"]},
            "images": ["https://images.example/I/0123456789._AC_.jpg"],
        }

    products = [product(i) for i in range(num_products)]
    attributes = {p["asin"]: {"attributes": [text(2) for _ in range(4)]} for p in products}
    human = {
        p["asin"]: [{"instruction": text(12), "instruction_attributes": [text(2)], "instruction_options": []}]
        for p in products[:12_000]
    }
    for name, content in (("shuffle", products), ("ins_v2", attributes), ("human_ins", human)):
        (folder / f"items_{name}.json").write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
