"""Home-steps per second of a whole simulation, and the time of a cold command.

    python benchmarks/community.py

Figures depend on the machine; compare ratios within one run.
"""

import os
import subprocess
import sys
import tempfile
import time
from functools import partial

import jax
import jax.numpy as jnp

import prosumax
import timing
from prosumax.control.rules import assemble_policy
from prosumax.simulation.rollout import rollout_policy


def cold_command(*arguments: str) -> float:
    """Time the command in a fresh process with empty caches."""
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "prosumax", "run", *arguments, "--out", f"{cache}/out"],
            check=True,
            capture_output=True,
            env={**os.environ, "PROSUMAX_CACHE_DIR": cache},
        )
        return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    options = timing.parser(__doc__).parse_args()
    print(timing.machine())
    short = ("--set", "period.steps=96") if options.toy else ()
    print(f"cold command `prosumax run street`: {cold_command('street', *short):.1f} s")
    scenario = prosumax.load_scenario("street", {"period.steps": 96} if options.toy else {})
    community = prosumax.build(scenario)
    policy = assemble_policy([scenario.policy] * len(scenario.homes))
    steps, homes = community.series.load_kwh.shape
    print(f"\nstreet, {steps} steps x {homes} homes, mid-market rate, whole record kept")
    print(f"{'communities':>12} {'compile s':>10} {'run s':>8} {'million home-steps/s':>21}")
    for batch in (1, 2) if options.toy else (1, 8, 64):
        # Many communities run a tenth of the year each, which bounds the memory.
        length = steps if batch == 1 else steps // 10
        part = community._replace(
            series=jax.tree.map(lambda leaf, n=length: leaf[:n], community.series)
        )
        keys = jax.random.split(jax.random.key(0), batch)
        start = time.perf_counter()
        if batch == 1:
            compiled = jax.jit(rollout_policy).lower(part, policy, keys[0]).compile()
            run = partial(compiled, part, policy, keys[0])
        else:
            many = jax.tree.map(
                lambda leaf, b=batch: jnp.broadcast_to(leaf, (b, *leaf.shape)), part
            )
            mapped = jax.vmap(lambda one, key: rollout_policy(one, policy, key))
            compiled = jax.jit(mapped).lower(many, keys).compile()
            run = partial(compiled, many, keys)
        compile_s = time.perf_counter() - start
        seconds = min(timing.alternate({"run": run}, 1 if options.toy else 5)["run"])
        rate = batch * length * homes / seconds / 1e6
        print(f"{batch:>12} {compile_s:>10.2f} {seconds:>8.3f} {rate:>21.1f}")


if __name__ == "__main__":
    main()
