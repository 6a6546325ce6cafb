"""How fast the environment steps: bid style, partner stage, auction, fees, path flows, reputation, KPIs, 30 observations.

    python benchmarks/environment.py            # all sizes
    python benchmarks/environment.py 7 100      # some

Episodes of 24 steps in a scan, many at once, fixed actions; agent-steps per second, best and median of several runs.
"""

import sys
import time

import jax
import numpy as np

import prosumax
from prosumax.env import CommunityEnv

REPEATS = 7
BATCHES = {7: 256, 100: 64, 1000: 8, 10_000: 1}  # homes: environments at once; some thousand homes fit the cache
TARGETS = {7: 10.0, 100: 9.0, 1000: 5.0, 10_000: 2.5}  # million agent-steps per second on two cores
STEPS = 24


def environment(homes: int, kind: str = "tree") -> CommunityEnv:
    """A market of MARLEM's make with so many homes."""
    rng = np.random.default_rng(homes)

    def values(high: float, hours: np.ndarray) -> dict:
        return {"source": "values", "values": np.round(high * hours * rng.uniform(0.7, 1.3, STEPS), 4).tolist()}

    hour = np.arange(STEPS)
    sun, use = np.exp(-(((hour - 12) / 4) ** 2)), 0.5 + 0.5 * np.exp(-(((hour - 19) / 3) ** 2))
    return prosumax.make(
        {
            "name": "market",
            "period": {"start": "2023-06-01T00:00", "steps": STEPS, "step_minutes": 60},
            "homes": [
                {
                    "name": f"home {number}",
                    "load": values(rng.uniform(20, 60), use),
                    "solar": values(rng.uniform(20, 80), sun),
                    "battery": {"capacity_kwh": 40.0, "charge_kw": 20.0, "initial_soc": 0.5},
                }
                for number in range(homes)
            ],
            "tariff": {"energy": 0.25, "feed_in": 0.05},
            "market": {"mechanism": "mutual_partners", "energy_tick_kwh": 0.01},
            "network": {
                "kind": kind,
                "flow": "path",
                "section_km": 1,
                "capacity_kw": 170 * homes,
                "operator": {"fees": True, "intervention": "penalise"},
            },
            "environment": {
                "control": "bid",
                "observations": "marlem",
                "rewards": dict.fromkeys(
                    ("marlem_base", "marlem_cooperation", "marlem_grid_penalty", "marlem_unmet_penalty"), 1.0
                ),
                "starts": "first",
            },
        }
    )


def episodes(env: CommunityEnv, batch: int):
    """Compiled: keys and actions of a batch -> mean reward and the last observations."""

    def one(key, actions):
        obs, state = env.reset(key)

        def advance(carry, action):
            state, _ = carry
            ts = env.step(key, state, action)
            return (ts.state, ts.obs), ts.reward.mean()

        (state, obs), reward = jax.lax.scan(advance, (state, obs), actions)
        return reward.mean(), obs

    keys = jax.random.split(jax.random.key(0), batch)
    actions = jax.random.uniform(jax.random.key(1), (batch, STEPS, env.num_agents, 4))
    begin = time.perf_counter()
    compiled = jax.jit(jax.vmap(one)).lower(keys, actions).compile()
    return compiled, (keys, actions), time.perf_counter() - begin


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or list(BATCHES)
    print("Environment, million agent-steps per second on one device")
    for homes in sizes:
        env = environment(homes)
        for batch in (1, BATCHES[homes]) if homes == 7 else (BATCHES[homes],):
            run, arguments, compile_s = episodes(env, batch)
            jax.block_until_ready(run(*arguments))
            taken = []
            for _ in range(REPEATS):
                begin = time.perf_counter()
                jax.block_until_ready(run(*arguments))
                taken.append(time.perf_counter() - begin)
            steps = batch * STEPS * homes / 1e6
            memory = run.memory_analysis()
            bytes_each = memory.temp_size_in_bytes / (batch * homes) if memory else float("nan")
            print(
                f"  {homes:6} homes x {batch:4}: best {steps / min(taken):6.2f}  median {steps / np.median(taken):6.2f}"
                f"  (target {TARGETS[homes]}, {1e-3 * batch * STEPS / min(taken):8.1f} k env-steps/s)"
                f"  compile {compile_s:4.1f} s  {bytes_each:6.0f} B per agent and environment"
            )


if __name__ == "__main__":
    main()
