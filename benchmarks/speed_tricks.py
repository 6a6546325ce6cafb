"""Every speed trick against its plain form, in turns, as one table.

    python benchmarks/speed_tricks.py               # prints the table
    python benchmarks/speed_tricks.py --write       # and writes docs/results/speed-tricks.md

A trick stays in the code only where its ratio (time of the plain form over time of the trick) is
at least 1.2 in the case that it is meant for. Tricks that are compiled into the step are measured
in processes of their own, in turns too.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import timing

PAGE = Path(__file__).parents[1] / "docs" / "results" / "speed-tricks.md"
STEPS = 24
BATCHES = {7: 256, 100: 64}  # homes: communities at once
NEEDED = 1.2


class Row(NamedTuple):
    """One comparison.

    Attributes:
        trick: Name of the trick and its place.
        plain: Form that it replaces.
        case: Size at which both are timed.
        ratio: Time of the plain form over time of the trick.
    """

    trick: str
    plain: str
    case: str
    ratio: float


# ---------------------------------------------------------------- tricks compiled into the step

VARIANTS = {
    "plain barrier": "no conditional barrier",
    "no barrier": "no barrier between the stages of a step",
    "scatter": "scatter-add per home",
}


def _patch(variant: str) -> None:
    """Replace one trick by its plain form, before anything that uses it is imported."""
    import jax
    import jax.numpy as jnp

    from prosumax import batching

    if variant in ("plain barrier", "no barrier"):
        batching.with_fusion_barrier = lambda function: function
    if variant == "no barrier":
        jax.lax.optimization_barrier = lambda values: values
    if variant == "scatter":
        batching.sum_per_home = lambda index, amount, homes: (
            jnp.zeros(homes, amount.dtype).at[index].add(amount)
        )


def time_variant(variant: str, homes: int, batch: int, rounds: int) -> None:
    """Print the seconds of episodes under one variant; runs in a process of its own."""
    _patch(variant)
    import jax

    import prosumax
    from environment import episode, inputs, market

    env = prosumax.make(market(homes))
    run = jax.jit(prosumax.vmap(episode(env)))
    arguments = inputs(env, batch)
    seconds = timing.alternate({"run": partial(run, *arguments)}, rounds)["run"]
    print(json.dumps(seconds))


def _variant_rows(sizes: dict[int, int], rounds: int, turns: int) -> list[Row]:
    rows = []
    for homes, batch in sizes.items():
        best: dict[str, list[float]] = {name: [] for name in ("tricks", *VARIANTS)}
        for _ in range(turns):
            for name in best:
                command = [sys.executable, __file__, "--variant", name]
                command += [str(homes), str(batch), str(rounds)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                best[name].append(min(json.loads(done.stdout.splitlines()[-1])))
        case = f"{homes} homes x {batch} communities"
        names = {
            "plain barrier": "conditional fusion barrier (`batching.with_fusion_barrier`)",
            "no barrier": "fusion barriers between stages (`simulation.dynamics`), both kinds",
            "scatter": "sum per home by comparison (`batching.sum_per_home`)",
        }
        for variant, plain in VARIANTS.items():
            ratio = timing.median_ratio(best[variant], best["tricks"])
            rows.append(Row(names[variant], plain, case, ratio))
    return rows


# ---------------------------------------------------------------- tricks that are functions


def _batch_last(sizes: dict[int, int], rounds: int) -> list[Row]:
    import jax

    import prosumax
    from environment import episode, inputs, market

    rows = []
    for homes, batch in sizes.items():
        env = prosumax.make(market(homes))
        arguments = inputs(env, batch)
        runs = {
            "plain": partial(jax.jit(jax.vmap(episode(env))), *arguments),
            "trick": partial(jax.jit(prosumax.vmap(episode(env))), *arguments),
        }
        seconds = timing.alternate(runs, rounds)
        ratio = timing.median_ratio(seconds["plain"], seconds["trick"])
        case = f"{homes} homes x {batch} communities"
        rows.append(Row("batch on the last axis (`prosumax.vmap`)", "`jax.vmap`", case, ratio))
    return rows


def _training(batch: int, rounds: int) -> list[Row]:
    """Seeds side by side, and the optimization level of training programs."""
    import jax
    import jax.numpy as jnp

    import prosumax
    from environment import market
    from prosumax.rl.engine.compilation import jit_program
    from prosumax.rl.engine.multi_agent import make_homogeneous_setup
    from prosumax.rl.engine.parallel_seeds import map_parallel
    from prosumax.rl.engine.trainer import Trainer, constant_schedule

    env = prosumax.make(market(7))
    setup = make_homogeneous_setup(env, "ppo", "dtde-shared")
    trainer = Trainer(setup, batch, STEPS)
    schedule = constant_schedule([group.config for group in setup.groups])
    init = jax.jit(trainer.init)
    seeds = [init(jax.random.key(seed), schedule, env.params) for seed in range(4)]
    step = jit_program(trainer.train_iteration)
    together = jax.jit(jax.vmap(trainer.train_iteration, in_axes=(0, None, None)))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
    runs = {
        "one after another": lambda: [
            jax.block_until_ready(step(state, schedule, env.params)) for state in seeds
        ],
        "one program": lambda: together(stacked, schedule, env.params),
        "trick": lambda: map_parallel(
            lambda state: jax.block_until_ready(step(state, schedule, env.params)), seeds
        ),
    }
    seconds = timing.alternate(runs, rounds)
    case = f"4 seeds of PPO, 7 homes x {batch}"
    name = "parallel seeds as threaded calls (`rl.engine.parallel_seeds`)"
    rows = [
        Row(name, plain, case, timing.median_ratio(seconds[plain], seconds["trick"]))
        for plain in ("one after another", "one program")
    ]
    jax.config.update("jax_enable_compilation_cache", False)
    arguments = (seeds[0], schedule, env.params)

    def compile_s(jit) -> float:
        # A new function object each time, so that nothing is taken from JAX's own caches.
        lowered = jit(lambda *given: trainer.train_iterations(*given, 100)).lower(*arguments)
        return timing.seconds_of(lambda: lowered.compile() and None)

    seconds = {"plain": [], "trick": []}
    for _ in range(max(1, rounds // 2)):
        seconds["plain"].append(compile_s(jax.jit))
        seconds["trick"].append(compile_s(jit_program))
    rows.append(
        Row(
            "LLVM level 1 for training programs (`rl.engine.compilation`)",
            "level 3; time to compile",
            f"PPO, 7 homes x {batch}",
            timing.median_ratio(seconds["plain"], seconds["trick"]),
        )
    )
    return rows


def _distributions(size: int, rounds: int) -> list[Row]:
    """Derivatives written by hand, and sampling with rows last."""
    import jax
    import jax.numpy as jnp

    from prosumax.rl.components import distributions
    from prosumax.rl.components.spaces import Action, ActionMask, ActionSpace

    rows = []
    for num_actions in (2, 9, 102):
        space = ActionSpace(continuous=2, discrete=2, num_actions=num_actions)
        count = max(1, size // num_actions)
        keys = jax.random.split(jax.random.key(0), 4)
        out = jax.random.normal(keys[0], (count, distributions.num_outputs(space)))
        mask = ActionMask(
            jnp.ones((count, space.continuous), bool),
            jnp.ones((count, space.discrete, num_actions), bool),
        )
        action = Action(
            jax.random.normal(keys[1], (count, space.continuous)),
            jax.random.randint(keys[2], (count, space.discrete), 0, num_actions),
        )
        noise = distributions.sample_noise(space, keys[3], (count,))

        def by_hand(out, mask=mask, action=action, space=space):
            log_prob, entropy = distributions.log_prob_and_entropy(out, mask, action, space)
            return (log_prob + 0.01 * entropy).sum()

        def by_jax(out, mask=mask, action=action, space=space):
            distribution = distributions.action_distribution(out, mask, space)
            entropy = distributions.entropy(distribution)
            return (distributions.log_prob(distribution, action) + 0.01 * entropy).sum()

        def gumbel(out, mask=mask, space=space, key=keys[3]):
            distribution = distributions.action_distribution(out, mask, space)
            std = jnp.exp(distribution.log_std)
            drawn = distribution.mean + std * jax.random.normal(key, std.shape)
            action = Action(drawn, jax.random.categorical(key, distribution.log_probs))
            return action, distributions.log_prob(distribution, action)

        def inverted(out, mask=mask, space=space, noise=noise):
            return distributions.sample(out, mask, space, noise)

        runs = {
            "by hand": partial(jax.jit(jax.grad(by_hand)), out),
            "by jax": partial(jax.jit(jax.grad(by_jax)), out),
            "inverted": partial(jax.jit(inverted), out),
            "gumbel": partial(jax.jit(gumbel), out),
        }
        seconds = timing.alternate(runs, rounds)
        case = f"{count} agents, 2 continuous, 2 discrete of {num_actions}"
        rows.append(
            Row(
                "derivative by hand (`distributions.log_prob_and_entropy`)",
                "`jax.grad` of the plain formulas",
                case,
                timing.median_ratio(seconds["by jax"], seconds["by hand"]),
            )
        )
        rows.append(
            Row(
                "sampling by inversion, rows last (`distributions.sample`)",
                "`jax.random.categorical`",
                case,
                timing.median_ratio(seconds["gumbel"], seconds["inverted"]),
            )
        )
    return rows


def _sum_per_home(books, compared, rounds: int) -> Row:
    """Time the settlement of small order books with scatter-adds in place of comparisons."""
    import jax.numpy as jnp

    import clearing

    def scatter_add(index, amount, homes):
        return jnp.zeros(homes, amount.dtype).at[index].add(amount)

    comparison = clearing.sum_per_home
    clearing.sum_per_home = scatter_add
    scattered, _ = clearing.compiled(partial(clearing.settle, uniform=False), books, -1)
    clearing.sum_per_home = comparison
    seconds = timing.alternate({"plain": scattered, "trick": compared}, rounds)
    return Row(
        "sum per home by comparison (`batching.sum_per_home`)",
        "scatter-add per home",
        f"settlement of 7 orders x {books[0].shape[-1]} books",
        timing.median_ratio(seconds["plain"], seconds["trick"]),
    )


def _matching(sizes: dict[int, int], rounds: int) -> list[Row]:
    import clearing

    rows = []
    for homes, batch in sizes.items():
        books = clearing.random_books(homes, batch)
        ours, _ = clearing.compiled(partial(clearing.settle, uniform=False), books, -1)
        leading = [part.T for part in books]
        naive, _ = clearing.compiled(partial(clearing.naive, uniform=False), leading, 0)
        seconds = timing.alternate({"ours": ours, "naive": naive}, rounds)
        ratio = timing.median_ratio(seconds["naive"], seconds["ours"])
        if homes == 7:
            rows.append(_sum_per_home(books, ours, rounds))
        rows.append(
            Row(
                "packed integer keys and sorting network (`market.auctions.matching`)",
                "sort of float prices, cumulative sums",
                f"{homes} orders x {batch} books",
                ratio,
            )
        )
    return rows


def markdown(rows: list[Row], machine: str) -> str:
    """Lay the rows out as a page."""
    lines = [
        "# Speed tricks against their plain forms",
        "",
        "Output of `python benchmarks/speed_tricks.py --write`. The ratio is the time of the plain",
        f"form over the time of the trick, timed in turns: {machine}.",
        f"A trick that stays below {NEEDED} in the case that it is meant for is to be removed;",
        "figures near that limit move by a tenth between runs.",
        "",
        "| trick | plain form | case | ratio |",
        "|---|---|---|---|",
        *(f"| {row.trick} | {row.plain} | {row.case} | {row.ratio:.2f} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure all tricks and print the table."""
    if sys.argv[1:2] == ["--variant"]:
        time_variant(sys.argv[2], *(int(text) for text in sys.argv[3:]))
        return
    parser: argparse.ArgumentParser = timing.parser(__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    sizes, rounds, turns = (BATCHES, 10, 2) if not options.toy else ({7: 2}, 1, 1)
    machine = timing.machine()
    rows = _batch_last(sizes, rounds)
    rows += _variant_rows(sizes, rounds, turns)
    rows += _training(2 if options.toy else 64, 1 if options.toy else 5)
    rows += _distributions(200 if options.toy else 50_000, rounds)
    rows += _matching({7: 2} if options.toy else {7: 8192, 100: 512}, rounds)
    page = markdown(rows, machine)
    print(page)
    if options.write:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    # Training programs are compared at the level that XLA takes by itself.
    os.environ.setdefault("XLA_FLAGS", "")
    main()
