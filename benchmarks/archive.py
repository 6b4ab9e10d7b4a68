"""What it takes to keep episodes, and to find them again, against JSON lines.

    python benchmarks/archive.py [--episodes N] [--directory DIR] [--json FILE]

Episodes have 4,000 tokens in 8 turns, a quarter of them sampled. Token ids are drawn by a law of Zipf over a
vocabulary of 49,152 (9.7 bits each), log-probabilities of the sampled ones from a gamma distribution in float32, whose
low bits do not compress, and the texts are words of the same ids, so that they have no less entropy than the tokens.
So many as an update has are drawn, and come again under other names: each is compressed by itself. Times are medians
where a thing is done more than once; pages are asked for by another filter each time. Opening is measured in this
process, with the file in the page cache where it fits.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from agentgym import store
from agentgym.archive import Archive
from agentgym.types import Sample, StopReason, Trajectory, Turn

TOKENS, TURNS, VOCABULARY, SHARE = 4000, 8, 49_152, 4
UPDATE = 128
"""Episodes that are appended at once, as an update does."""
COMPARED = 256
"""Episodes for the comparison with JSON lines, and those that are read."""

_CHANCE = 1 / np.arange(1, VOCABULARY + 1)
_CUMULATED = np.cumsum(_CHANCE / _CHANCE.sum())
_RNG = np.random.default_rng(0)
_WORDS = np.array(["".join(_RNG.choice(list("etaoinshrdlu"), 1 + i.bit_length() // 4)) for i in range(VOCABULARY)])
_WORDS = np.char.add(_WORDS, " ")


def drawn() -> Trajectory:
    """What is said in an episode."""
    ids = np.searchsorted(_CUMULATED, _RNG.random(TOKENS))
    turn = np.arange(TOKENS) * TURNS // TOKENS
    mask = np.arange(TOKENS) % (TOKENS // TURNS) >= TOKENS // TURNS * (SHARE - 1) // SHARE
    logprobs = np.where(mask, -_RNG.gamma(0.4, 1.0, TOKENS).astype(np.float32), 0)
    return Trajectory(
        env="shop",
        task=0,
        seed=int(_RNG.integers(2**62)),
        episode_id="",
        stage="train",
        tokenizer="0123456789abcdef",
        turns=[
            Turn(
                observation="".join(_WORDS[ids[(turn == t) & ~mask]]),
                reply="".join(_WORDS[ids[(turn == t) & mask]]),
                action=str(_WORDS[ids[t]]),
                breakdown={"environment": 0.0},
            )
            for t in range(TURNS)
        ],
        samples=[
            Sample(
                token_ids=ids.tolist(),
                loss_mask=mask.tolist(),
                logprobs=logprobs.tolist(),
                turn_index=turn.tolist(),
                policy_versions=np.where(mask, 3, -1).tolist(),
            )
        ],
    )


def episode(number: int, said: Trajectory) -> Trajectory:
    """One of many of a run."""
    (update, place), success = divmod(number, UPDATE), bool(_RNG.random() < 0.3)
    names = {
        "task": int(_RNG.integers(2000)),
        "episode_id": f"{update}-{place // 8}-{place % 8}",
        "group_id": f"{update}-{place // 8}",
        "ordinal": number // 8,
        "split": "validation" if number % 10 == 0 else "train",
        "update": update + 1,
        "stop_reason": StopReason.TERMINATED if success else StopReason.TURN_LIMIT,
        "truncated": not success,
        "success": success,
    }
    return said.model_copy(update=names)


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def batches(num: int) -> Iterator[list[Trajectory]]:
    said = [drawn() for _ in range(UPDATE)]
    for first in range(0, num, UPDATE):
        yield [episode(first + place, each) for place, each in enumerate(said[: num - first])]


def written(directory: Path, num: int) -> dict[str, float]:
    """Milliseconds an episode: in the thread that writes, and what the caller waits, who has other things to do."""
    archive, held, wrote = Archive(directory), [], []
    for batch in batches(num):
        began = time.perf_counter()
        archive.append(batch)
        held.append(time.perf_counter() - began)
        archive.flush()
        wrote.append(time.perf_counter() - began)
    synced = timed(archive.position)
    archive.close()
    num_tokens, size = num * TOKENS, archive.file.stat().st_size
    return {
        "episodes": num,
        "tokens_an_episode": TOKENS,
        "bytes_a_token": size / num_tokens,
        "write_ms_an_episode": 1e3 * statistics.median(wrote) / UPDATE,
        "append_holds_up_ms_an_update": 1e3 * statistics.median(held),
        "position_ms": 1e3 * synced,
    }


def asked(directory: Path) -> dict[str, float]:
    """Opening, pages, reading."""
    began = time.perf_counter()
    archive = Archive.open(directory)
    num = archive.count()
    opened = time.perf_counter() - began
    last = archive.query(after=max(0, num - 1))[-1].number
    filters = [
        {"split": "validation", "success": True},
        {"task": 7},
        {"stage": "train", "update": 1 + num // UPDATE // 2},
        {"stop_reason": StopReason.TURN_LIMIT, "split": "validation"},
        {"group_id": "0-3"},
        {"success": True},
        {"success": True, "task": 11},
        {"stop_reason": StopReason.DEADLINE},
        {"split": "test"},
        {"env": "elsewhere"},
    ]
    pages = [
        timed(lambda after=after, one=one: archive.query(after=after, limit=50, **one))  # type: ignore[misc]
        for one, after in itertools.product(filters, (0, last // 2, last - 200))
    ]
    numbers = np.random.default_rng(1).integers(1, last + 1, COMPARED)
    read = timed(lambda: [archive.get(int(number)) for number in numbers])
    cards = timed(archive.query)
    archive.close()
    return {
        "open_and_count_seconds": opened,
        "page_of_50_ms_median": 1e3 * statistics.median(pages),
        "page_of_50_ms_worst": 1e3 * max(pages),
        "read_ms_an_episode": 1e3 * read / COMPARED,
        "all_cards_seconds": cards,
    }


def compared(file: Path) -> dict[str, float]:
    """The same of JSON lines."""
    played = [episode(number, drawn()) for number in range(COMPARED)]
    wrote = timed(lambda: store.append(file, played))
    read = timed(lambda: list(store.read(file)))
    return {
        "jsonl_bytes_a_token": file.stat().st_size / COMPARED / TOKENS,
        "jsonl_write_ms_an_episode": 1e3 * wrote / COMPARED,
        "jsonl_read_ms_an_episode": 1e3 * read / COMPARED,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=20_000, help="episodes in the archive; 100000 take 2 GB")
    parser.add_argument("--directory", type=Path, help="where to write; none given: a temporary directory")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as made:
        directory = Path(made)
        rows = written(directory, arguments.episodes) | asked(directory) | compared(directory / "episodes.jsonl")
    for name, value in rows.items():
        print(f"{name:32} {value:12.4g}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
