"""Training speed: PPO on a market in the manner of MARLEM, one shared network of two layers of 64.

    python benchmarks/training.py           # all sizes
    python benchmarks/training.py 7         # one
    python benchmarks/training.py --paper 5 # the work of MAHTM's A2C with 5 seeds

Agent-steps per second of training (rollout and 4 epochs of 4 minibatches), of the rollout alone,
and of the environment alone with fixed actions in the same number of copies; best and median of
several runs. With 7 homes also a mixed community (rules, independent and shared learners).

MAHTM's A2C made 2000 updates from 32 days of 6 houses each. `--paper` times that work once, from
the start of the process to the last update, imports and compilation included, with empty caches and
without validation, as in the paper.
"""
# ruff: noqa: E402 (the clock starts before the imports)

import time

START = time.perf_counter()

import jax
import numpy as np

import prosumax
import timing
from environment import episode, inputs, market
from prosumax.rl.engine.compilation import jit_program
from prosumax.rl.engine.multi_agent import GroupSpec, make_homogeneous_setup, make_setup
from prosumax.rl.engine.parallel_seeds import group_seeds, iterate_parallel, map_parallel, map_seeds
from prosumax.rl.engine.rollout import collect_rollout
from prosumax.rl.engine.scripted import make_scripted_policy
from prosumax.rl.engine.trainer import Trainer, constant_schedule
from prosumax.studies.mahtm.settings import PAPER_OBSERVATIONS, PAPER_SETTINGS

REPEATS = 20
STEPS = 24
SEEDS = 4  # side by side
BATCHES = {7: 256, 100: 32}  # homes: environments at once
TARGETS = {7: (0.2, 1.5)}  # million agent-steps per second on two cores: training, rollout alone


def timed(run, *arguments, rounds: int, seeds: int = 1) -> list[float]:
    """Return the seconds per call of several parallel calls."""

    def call(_):
        return jax.block_until_ready(run(*arguments))

    taken = timing.alternate({"run": lambda: map_parallel(call, range(seeds))}, rounds)["run"]
    return [seconds / seeds for seconds in taken]


def measure(setup, env, batch: int, rounds: int, seeds: int = 1) -> tuple[list[float], list[float]]:
    """Return the seconds of an iteration, and of its rollout alone."""
    trainer = Trainer(setup, batch, STEPS)
    schedule = constant_schedule([group.config for group in setup.groups])
    state = jax.jit(trainer.init)(jax.random.key(0), schedule, env.params)

    def play(state, params):
        steps = collect_rollout(
            setup,
            state.learner_states,
            schedule.initial,
            state.rollout_state,
            params,
            state.key,
            STEPS,
        )[1]
        return steps.reward.mean(), steps.obs, steps.actor_outputs

    iteration = jax.jit(trainer.train_iteration)
    train = timed(iteration, state, schedule, env.params, rounds=rounds, seeds=seeds)
    return train, timed(jax.jit(play), state, env.params, rounds=rounds, seeds=seeds)


def show(name: str, homes: int, batch: int, seconds: list[float], target: float | None) -> None:
    """Print one row of the table."""
    steps = batch * STEPS * homes / 1e6
    best, median = steps / min(seconds), steps / np.median(seconds)
    goal = f"  (target {target})" if target else ""
    print(f"  {name:34} best {best:6.3f}  median {median:6.3f}{goal}")


def paper(seeds: int, updates: int) -> None:
    """Time the work of MAHTM's A2C from the start of the process, seeds in parallel."""
    jax.config.update("jax_enable_compilation_cache", False)
    env = prosumax.make("mahtm-train", {"environment.observations": PAPER_OBSERVATIONS})
    setup = make_homogeneous_setup(env, "a2c", "dtde-shared", PAPER_SETTINGS)
    trainer = Trainer(setup, 32, STEPS, bootstrap_on_truncation=False)
    given = (constant_schedule([group.config for group in setup.groups]), env.params)
    init = jit_program(trainer.init)
    chunk = min(updates, 100)
    learn = jit_program(
        lambda states, *given: map_seeds(
            lambda state: trainer.train_iterations(state, *given, chunk), states
        )
    )
    rewards = []

    def advance(states):
        states, metrics = zip(*learn(states, *given), strict=True)
        rewards.append([one.reward[-1].mean() * STEPS for one in metrics])
        return jax.block_until_ready(states)

    states = group_seeds([init(jax.random.key(seed), *given) for seed in range(seeds)])
    learn.lower(states[0], *given).compile()
    ready_s = time.perf_counter() - START
    for _ in iterate_parallel(advance, states, updates // chunk):
        pass
    total_s = time.perf_counter() - START
    print(
        f"The work of MAHTM's A2C, {seeds} seeds: {total_s:.1f} s,"
        f" {ready_s:.1f} s of them until the first update"
    )
    reward = np.concatenate(rewards[-len(states) :]).mean()
    print(f"reward in the last update {reward:.3f} (the paper's own, in 10 minutes: -0.993)")


def main() -> None:
    """Print the table."""
    parser = timing.parser(__doc__)
    parser.add_argument("sizes", nargs="*", type=int, help="numbers of homes")
    parser.add_argument("--paper", type=int, metavar="SEEDS", help="time the work of MAHTM's A2C")
    options = parser.parse_args()
    rounds = 1 if options.toy else REPEATS
    if options.paper:
        paper(options.paper, 2 if options.toy else 2000)
        return
    print(timing.machine())
    print("Training, million agent-steps per second on one device")
    for homes in options.sizes or ([7] if options.toy else list(BATCHES)):
        env = prosumax.make(market(homes))
        batch = 2 if options.toy else BATCHES[homes]
        setup = make_homogeneous_setup(env, "ppo", "dtde-shared")
        train, play = measure(setup, env, batch, rounds)
        alone = timed(jax.jit(prosumax.vmap(episode(env))), *inputs(env, batch), rounds=rounds)
        training, rollout = TARGETS.get(homes, (None, None))
        print(f" {homes} homes x {batch}")
        show("PPO, 4 epochs x 4 minibatches", homes, batch, train, training)
        show("rollout alone", homes, batch, play, rollout)
        show("environment alone", homes, batch, alone, None)
        print(f"  share of the environment in training: {100 * min(alone) / min(train):.0f} %")
        if options.toy:
            continue
        train, play = measure(setup, env, batch, rounds, SEEDS)
        show(f"{SEEDS} seeds in parallel: PPO", homes, batch, train, training)
        show("  rollout alone", homes, batch, play, rollout)
        if homes == 7:
            groups = [
                GroupSpec("ppo", (0, 1, 2), "ppo"),
                GroupSpec("a2c", (3, 4), "a2c", "dtde-shared", {"action_bins": 5}),
            ]
            scripted = make_scripted_policy(env, (5, 6), "truthful", "benchmark")
            train, _ = measure(make_setup(env, groups, [scripted]), env, batch, rounds)
            show("3 PPO, 2 A2C, 2 rules", homes, batch, train, None)


if __name__ == "__main__":
    main()
