"""How fast homes learn: PPO on a market of MARLEM's make, shared network of two layers of 64, one device.

    python benchmarks/training.py           # all sizes
    python benchmarks/training.py 7         # one
    python benchmarks/training.py paper 5   # the work of MAHTM's A2C, so many seeds (1)

Agent-steps per second of training (rollout and 4 epochs of 4 minibatches), of the rollout alone, and of the environment
alone with fixed actions in the same number of copies; best and median of several runs. With 7 homes a mixed community
(rules, independent and shared learners) too.

The paper's A2C made 2000 updates from 32 days of 6 houses each: that is timed once, from the start of the process to
the last update, with importing and compiling, nothing taken from a cache, and no validation, as in the paper.
"""
# ruff: noqa: E402 (the clock starts before anything heavy is imported)

import sys
import time

BEGAN = time.perf_counter()

import jax
import numpy as np

import prosumax
from environment import episode, inputs, market
from prosumax.rl.engine.compilation import compiled
from prosumax.rl.engine.multi_agent import Part, everyone, make_game
from prosumax.rl.engine.parallel_seeds import each, lanes, rounds, side_by_side
from prosumax.rl.engine.rollout import rollout as rollout_rollout
from prosumax.rl.engine.scripted import script
from prosumax.rl.engine.trainer import Trainer, constant
from prosumax.rl.observations.mahtm import BARE, PAPER

REPEATS = 20
STEPS = 24
SEEDS = 4  # side by side
BATCHES = {7: 256, 100: 32}  # homes: environments at once
TARGETS = {7: (0.2, 1.5)}  # million agent-steps per second on two cores: training, rollout alone


def timed(run, *arguments, seeds: int = 1) -> list[float]:
    """Seconds of a call; of several calls side by side, seconds per call."""
    call = lambda _: jax.block_until_ready(run(*arguments))  # noqa: E731
    call(0)
    taken = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        side_by_side(call, range(seeds))
        taken.append((time.perf_counter() - begin) / seeds)
    return taken


def measure(game, env, batch: int, seeds: int = 1) -> tuple[list[float], list[float]]:
    """Seconds of one iteration, and of its rollout alone."""
    trainer = Trainer(game, batch, STEPS)
    schedule = constant([team.hp for team in game.teams])
    state = jax.jit(trainer.init)(jax.random.key(0), schedule, env.params)

    def play(state, params):
        found = rollout_rollout(
            game, state.learners, schedule.first, state.carry, params, state.key, STEPS
        )[1]
        return found.reward.mean(), found.obs, found.decisions

    train = timed(jax.jit(trainer.iterate), state, schedule, env.params, seeds=seeds)
    return train, timed(jax.jit(play), state, env.params, seeds=seeds)


def show(name: str, homes: int, batch: int, seconds: list[float], target: float | None) -> None:
    steps = batch * STEPS * homes / 1e6
    goal = f"  (target {target})" if target else ""
    print(
        f"  {name:34} best {steps / min(seconds):6.3f}  median {steps / np.median(seconds):6.3f}{goal}"
    )


def paper(seeds: int) -> None:
    """The work of the paper's A2C from nothing, seeds side by side as in `prosumax train`."""
    jax.config.update("jax_enable_compilation_cache", False)
    env = prosumax.make("mahtm-train", {"environment.observations": BARE})
    trainer = Trainer(everyone(env, "a2c", "dtde-shared", PAPER), 32, STEPS, finite=True)
    given = (constant([team.hp for team in trainer.game.teams]), env.params)
    begin = compiled(trainer.init)
    learn = compiled(
        lambda lane, *given: each(lambda state: trainer.chunk(state, *given, 100), lane)
    )
    rewards = []

    def advance(lane):
        states, figures = zip(*learn(lane, *given), strict=True)
        rewards.append([one.reward[-1].mean() * STEPS for one in figures])
        return jax.block_until_ready(states)

    states = lanes([begin(jax.random.key(seed), *given) for seed in range(seeds)])
    learn.lower(states[0], *given).compile()
    ready = time.perf_counter() - BEGAN
    for _ in rounds(advance, states, 20):
        pass
    took = time.perf_counter() - BEGAN
    print(
        f"The work of the paper's A2C, {seeds} seeds: {took:.1f} s, {ready:.1f} of them until the first update"
    )
    reward = np.concatenate(rewards[-len(states) :]).mean()
    print(f"reward in the last update {reward:.3f} (the paper's own, in 10 minutes: -0.993)")


def main() -> None:
    if sys.argv[1:2] == ["paper"]:
        paper(int(sys.argv[2]) if sys.argv[2:] else 1)
        return
    sizes = [int(text) for text in sys.argv[1:]] or list(BATCHES)
    print("Training, million agent-steps per second on one device")
    for homes in sizes:
        env, batch = prosumax.make(market(homes)), BATCHES[homes]
        game = everyone(env, "ppo", "dtde-shared")
        train, play = measure(game, env, batch)
        alone = timed(jax.jit(prosumax.vmap(episode(env))), *inputs(env, batch))
        training, rollout = TARGETS.get(homes, (None, None))
        print(f" {homes} homes x {batch}")
        show("PPO, 4 epochs x 4 minibatches", homes, batch, train, training)
        show("rollout alone", homes, batch, play, rollout)
        show("environment alone", homes, batch, alone, None)
        print(f"  share of the environment in training: {100 * min(alone) / min(train):.0f} %")
        train, play = measure(game, env, batch, SEEDS)
        show(f"{SEEDS} seeds side by side: PPO", homes, batch, train, training)
        show("  rollout alone", homes, batch, play, rollout)
        if homes == 7:
            parts = [
                Part("ppo", (0, 1, 2), "ppo"),
                Part("a2c", (3, 4), "a2c", "dtde-shared", {"bins": 5}),
            ]
            mixed = make_game(env, parts, [script(env, (5, 6), "truthful", "benchmark")])
            train, _ = measure(mixed, env, batch)
            show("3 PPO, 2 A2C, 2 rules", homes, batch, train, None)


if __name__ == "__main__":
    main()
