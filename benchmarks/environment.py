"""Steps per second of the environment, with bids, auction, fees, path flows and reputation.

    python benchmarks/environment.py            # all sizes
    python benchmarks/environment.py 7 100      # some

Episodes of 24 steps in a scan, batched, with fixed actions; agent-steps per second, best and median
of several runs. Beside them: the same environment in NumPy and Python (`numpy_environment.py`),
which must give the same rewards; the same program on two host devices; and action mode `dispatch`
on the homes of CityLearn.
"""

import argparse
import os
import subprocess
import sys
import time

import jax
import numpy as np

import prosumax
import timing
from numpy_environment import make_numpy_environment
from prosumax.batching import vmap
from prosumax.rl.env import CommunityEnv

REPEATS = 7
BATCHES = {
    7: 256,
    100: 64,
    1000: 8,
    10_000: 1,
}  # homes: environments at once; some thousand homes fit the cache
TARGETS = {7: 10.0, 100: 9.0, 1000: 5.0, 10_000: 2.5}  # million agent-steps per second on two cores
STEPS = 24


def market(homes: int, kind: str = "tree") -> dict:
    """Return a scenario in the manner of MARLEM with this number of homes."""
    rng = np.random.default_rng(homes)

    def values(high: float, hours: np.ndarray) -> dict:
        return {
            "source": "values",
            "values": np.round(high * hours * rng.uniform(0.7, 1.3, STEPS), 4).tolist(),
        }

    hour = np.arange(STEPS)
    solar = np.exp(-(((hour - 12) / 4) ** 2))
    load = 0.5 + 0.5 * np.exp(-(((hour - 19) / 3) ** 2))
    return {
        "name": "market",
        "period": {"start": "2023-06-01T00:00", "steps": STEPS, "step_minutes": 60},
        "homes": [
            {
                "name": f"home {number}",
                "load": values(rng.uniform(20, 60), load),
                "solar": values(rng.uniform(20, 80), solar),
                "battery": {"capacity_kwh": 40.0, "charge_kw": 20.0, "initial_soc": 0.5},
            }
            for number in range(homes)
        ],
        "tariff": {"energy": 0.25, "feed_in": 0.05},
        "market": {"mechanism": "mutual_partners", "energy_tick_kwh": 0.01},
        "network": {
            "kind": kind,
            "flow": "path",
            "mean_line_km": 1,
            "capacity_kw": 170 * homes,
            "operator": {"fees": True, "intervention": "penalize"},
        },
        "environment": {
            "action_mode": "bid",
            "observations": "marlem",
            "rewards": dict.fromkeys(
                (
                    "marlem_base",
                    "marlem_cooperation",
                    "marlem_grid_penalty",
                    "marlem_unmet_penalty",
                ),
                1.0,
            ),
            "episode_start": "first",
        },
    }


def episode(env: CommunityEnv):
    """Return a function from a key and actions [step, home, 4] to rewards and last observations."""

    def run(key, actions):
        obs, state = env.reset(key)

        def advance(carry, action):
            state, _ = carry
            ts = env.step(key, state, action)
            return (ts.state, ts.obs), ts.reward

        (_, obs), reward = jax.lax.scan(advance, (state, obs), actions)
        return reward, obs

    return run


def inputs(env: CommunityEnv, batch: int):
    keys = jax.random.split(jax.random.key(0), batch)
    shape = (batch, env.config.episode_steps, *np.shape(env.action_space.sample(keys[0])))
    return keys, jax.random.uniform(jax.random.key(1), shape)


def timed(run, arguments, rounds: int) -> np.ndarray:
    """Return the seconds of several runs."""
    return np.array(timing.alternate({"run": lambda: run(*arguments)}, rounds)["run"])


def measure(homes: int, full_batch: int, rounds: int) -> None:
    """Time batches and one environment on one device, and the NumPy environment."""
    env = prosumax.make(market(homes))
    seconds = {}
    for batch in (1, full_batch) if homes == 7 else (full_batch,):
        arguments, function = inputs(env, batch), vmap(episode(env))
        begin = time.perf_counter()
        run = jax.jit(function).lower(*arguments).compile()
        compile_s = time.perf_counter() - begin
        taken = timed(run, arguments, rounds)
        steps = batch * STEPS
        seconds[batch] = taken.min() / (steps * homes)
        memory = run.memory_analysis()
        bytes_each = memory.temp_size_in_bytes / (batch * homes) if memory else float("nan")
        print(
            f"  {homes:6} homes x {batch:4}: best {steps * homes / 1e6 / taken.min():6.2f}"
            f"  median {steps * homes / 1e6 / np.median(taken):6.2f}"
            f"  (target {TARGETS[homes]}, {1e-3 * steps / taken.min():8.1f} k env-steps/s)"
            f"  compile {compile_s:4.1f} s  {bytes_each:6.0f} B per agent and environment"
        )
    if homes > 1000:
        return
    reward, obs = run(*arguments)
    other = make_numpy_environment(env, market(homes))
    other.reset()
    begin = time.perf_counter()
    theirs = [other.step(action)[0] for action in np.asarray(arguments[1], np.float64)[0]]
    took = (time.perf_counter() - begin) / (STEPS * homes)
    # Orders below the rounding of single precision exist in one version only.
    same = (abs(np.asarray(reward)[0] - np.stack(theirs)) < 1e-4).mean()
    print(
        f"  {homes:6} homes in NumPy and Python: {1e-3 / took:6.1f} k agent-steps/s, prosumax is"
        f" {took / min(seconds.values()):6.0f} times as fast;"
        f" {100 * same:.1f} % of rewards agree within 1e-4"
    )


def two_devices(sizes: list[int], rounds: int) -> None:
    """Time the same program on one and on two host devices, in a process of its own."""
    mesh = jax.make_mesh((2,), ("batch",))
    part = jax.sharding.PartitionSpec("batch")
    for homes in sizes:
        env = prosumax.make(market(homes))
        batch = 2 if rounds == 1 else 2 * BATCHES[homes]
        arguments = inputs(env, batch)
        mapped = vmap(episode(env))
        one = jax.jit(mapped)
        # Every device runs its own half; nothing passes between them.
        two = jax.jit(
            jax.shard_map(mapped, mesh=mesh, in_specs=part, out_specs=part, check_vma=False)
        )
        spread = jax.device_put(arguments, jax.sharding.NamedSharding(mesh, part))
        same = all(bool((a == b).all()) for a, b in zip(one(*arguments), two(*spread), strict=True))
        seconds = np.array(
            [
                (timed(one, arguments, rounds).min(), timed(two, spread, rounds).min())
                for _ in range(3)
            ]
        ).min(0)
        one_rate, two_rate = batch * STEPS * homes / 1e6 / seconds
        print(
            f"  {homes:6} homes x {batch:4}: one device {one_rate:6.2f}, two {two_rate:6.2f},"
            f" ratio {two_rate / one_rate:.2f}"
            f"  (target 1.5); results {'equal to the last bit' if same else 'NOT equal'}"
        )


def dispatch(batches: tuple[int, ...], rounds: int) -> None:
    """Time action mode `dispatch` on CityLearn's homes, with episodes of 24 hours."""
    env = prosumax.make("citylearn-2022", {"environment.episode_steps": STEPS})
    for batch in batches:
        arguments = inputs(env, batch)
        taken = timed(jax.jit(vmap(episode(env))), arguments, rounds)
        rate = batch * STEPS * env.num_agents / taken.min()
        print(
            f"  citylearn-2022, dispatch, {batch:4} at once:"
            f" {rate / 1e6:.2f} million home-steps per second"
        )


def main() -> None:
    """Print the tables."""
    parser = timing.parser(__doc__)
    parser.add_argument("sizes", nargs="*", type=int, help="numbers of homes")
    parser.add_argument("--two-devices", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    rounds = 1 if options.toy else REPEATS
    sizes = options.sizes or ([7] if options.toy else list(BATCHES))
    if options.two_devices:
        two_devices(sizes, rounds)
        return
    print(timing.machine())
    print("Environment, million agent-steps per second on one device")
    for homes in sizes:
        measure(homes, 2 if options.toy else BATCHES[homes], rounds)
    if not options.toy:  # needs the data set of CityLearn
        dispatch((1, 512), rounds)
    small = [str(homes) for homes in sizes if homes <= 1000]
    if small:
        print("On two host devices (XLA_FLAGS=--xla_force_host_platform_device_count=2)")
        flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
        command = [sys.executable, __file__, "--two-devices", *small]
        command += ["--toy"] if options.toy else []
        subprocess.run(command, env=os.environ | {"XLA_FLAGS": flags}, check=True)


if __name__ == "__main__":
    main()
