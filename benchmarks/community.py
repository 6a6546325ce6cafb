"""Home-steps per second of the whole step, one community and many, and what a cold command costs.

Run: `python benchmarks/community.py`. Figures depend on the machine; compare ratios within one run.
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
from prosumax.control.rules import assemble_policy
from prosumax.simulation.rollout import rollout


def best_of(function, repeats=5):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def cold_command(*arguments):
    """Seconds of the command in a fresh process with empty caches."""
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "prosumax.cli", "run", *arguments, "--out", f"{cache}/out"],
            check=True,
            capture_output=True,
            env={**os.environ, "PROSUMAX_CACHE_DIR": cache},
        )
        return time.perf_counter() - start


def main() -> None:
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, {os.cpu_count()} cores")
    print(f"cold command `prosumax run street`: {cold_command('street'):.1f} s")
    scenario = prosumax.load_scenario("street")
    community = prosumax.build(scenario)
    policy = assemble_policy([scenario.policy] * len(scenario.homes))
    steps, homes = community.series.load_kwh.shape
    print(f"\nstreet, {steps} steps x {homes} homes, mid-market rate, whole record kept")
    print(f"{'communities':>12} {'compile s':>10} {'run s':>8} {'million home-steps/s':>21}")
    for batch in (1, 8, 64):
        # Many communities over a tenth of the year each: the same work as one for longer, in bounded memory.
        length = steps if batch == 1 else steps // 10
        part = community._replace(
            series=jax.tree.map(lambda leaf, n=length: leaf[:n], community.series)
        )
        many = jax.tree.map(lambda leaf, b=batch: jnp.broadcast_to(leaf, (b, *leaf.shape)), part)
        keys = jax.random.split(jax.random.key(0), batch)
        start = time.perf_counter()
        if batch == 1:
            compiled = jax.jit(rollout).lower(part, policy, keys[0]).compile()
            run = partial(compiled, part, policy, keys[0])
        else:
            compiled = (
                jax.jit(jax.vmap(lambda c, k: rollout(c, policy, k))).lower(many, keys).compile()
            )
            run = partial(compiled, many, keys)
        seconds_to_compile = time.perf_counter() - start
        seconds = best_of(run)
        rate = batch * length * homes / seconds / 1e6
        print(f"{batch:>12} {seconds_to_compile:>10.2f} {seconds:>8.3f} {rate:>21.1f}")


if __name__ == "__main__":
    main()
