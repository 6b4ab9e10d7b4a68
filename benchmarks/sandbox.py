"""What a sandbox costs: a command over its channel and by docker exec, a claim, a snapshot, a way back.

    python benchmarks/sandbox.py [--json FILE]

Needs a Docker engine. The two ways to run a command take turns (A B A B …), and the ratio is of their medians; every
other figure is a median. On a machine that does other work all of them are larger, the ratio least.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from agentgym.sandbox import Files, Sandbox, Spec, claim
from agentgym.sandbox.daemon import daemon
from agentgym.sandbox.docker import DockerSandbox
from agentgym.sandbox.images import ensure

STEPS, EXECS, CLAIMS, RESTORES = 400, 40, 8, 40
FILES = Files.of({f"/work/{i % 20}/{i}.txt": f"{i}\n".encode() * 500 for i in range(300)})

Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    spec = Spec(image=ensure())
    rows = claims(spec)
    with claim(spec) as sandbox:
        assert isinstance(sandbox, DockerSandbox)
        rows |= steps(sandbox) | moments(sandbox)
    for name, row in rows.items():
        print(f"{name:52} {row['value']:>10,.4g} {row['unit']:8} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def milliseconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return 1000 * (time.perf_counter() - began)


def row(value: float, unit: str, target: str) -> dict[str, float | str]:
    return {"value": round(value, 3), "unit": unit, "target": target}


def claims(spec: Spec) -> Rows:
    """The first is made while it is waited for; for the others one stands ready."""
    cold, warm = [], []
    for _ in range(CLAIMS):
        cold.append(milliseconds(lambda: DockerSandbox(spec).close()))
        with claim(spec, warm=1):
            time.sleep(max(3.0, 4 * cold[-1] / 1000))  # as a policy's episode takes
        taken: list[Sandbox] = []
        warm.append(milliseconds(lambda taken=taken: taken.append(claim(spec))))  # type: ignore[misc]
        taken[0].close()
    return {
        "sandbox: one made and ended": row(statistics.median(cold), "ms", "-"),
        "sandbox: a claim where one is warm": row(statistics.median(warm), "ms", "<= 10"),
    }


def steps(sandbox: DockerSandbox) -> Rows:
    """``true`` by the shell."""
    client = daemon().client

    def executed() -> None:
        made = client.exec_create(sandbox.id, ["/bin/sh", "-c", "true"], user=str(sandbox.uid))
        client.exec_start(made["Id"])
        assert client.exec_inspect(made["Id"])["ExitCode"] == 0

    ours, theirs = [], []
    for _ in range(EXECS):
        ours += [milliseconds(lambda: sandbox.run("true")) for _ in range(STEPS // EXECS)]
        theirs.append(milliseconds(executed))
    alone = statistics.median(milliseconds(sandbox.ping) for _ in range(STEPS))
    step, other = statistics.median(ours), statistics.median(theirs)
    return {
        "sandbox: a command over the channel": row(step, "ms", "<= 2"),
        "sandbox: the fastest tenth of them": row(statistics.quantiles(ours, n=10)[0], "ms", "<= 2"),
        "sandbox: docker exec": row(other, "ms", "-"),
        "sandbox: docker exec / the channel": row(other / step, "times", ">= 25"),
        "sandbox: the channel alone": row(alone, "ms", "-"),
    }


def moments(sandbox: Sandbox) -> Rows:
    """Of 300 files in 20 directories, 700 KB."""
    rows: Rows = {}
    for name, spoil in (("all files", "rm -rf /work/*"), ("one file", "rm /work/7/7.txt"), ("nothing", "true")):
        saved, restored = [], []
        for _ in range(RESTORES):
            sandbox.restore(FILES)
            saved.append(milliseconds(sandbox.snapshot))
            sandbox.run(spoil)
            restored.append(milliseconds(lambda: sandbox.restore(FILES)))
        rows[f"sandbox: back, {name} to be brought"] = row(statistics.median(restored), "ms", "<= 50")
    rows["sandbox: a snapshot where nothing changed"] = row(statistics.median(saved), "ms", "-")
    return rows


if __name__ == "__main__":
    main()
