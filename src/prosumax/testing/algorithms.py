"""Check of learning algorithms in a short training."""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.training.training import TrainingResult, train
from prosumax.testing.errors import CheckError, run_traced, worst_index

_ITERATIONS = 3
_NUM_ENVS = 2
_TRACE_FIX = (
    "Make `init`, `act` and `update` pure functions on arrays: jax.numpy instead of NumPy, "
    "jnp.where instead of `if`, keys and pre-sampled noise instead of random states."
)


def check_algorithm(
    name: str,
    *,
    paradigm: str = "dtde",
    settings: Mapping[str, object] | None = None,
    discrete: bool = False,
    seed: int = 0,
) -> None:
    """Check that an algorithm trains the homes of a small community.

    Two homes with batteries train for three iterations, with two seeds in parallel. The training
    compiles, all metrics and parameters are finite, the two seeds
    differ, and a second training with the same seeds gives the same parameters.

    Args:
        name: Name of a registered algorithm.
        paradigm: Multi-agent paradigm, as `prosumax algorithms` lists them.
        settings: Settings of the algorithm.
        discrete: Whether actions are discrete power levels instead of continuous power.
        seed: First seed of the training.

    Raises:
        CheckError: If a property does not hold; the message names it with the numbers.
        InputError: If there is no such algorithm, paradigm or setting.
    """
    algorithms.check(name, "algorithm")
    where = f"algorithm {name!r}"
    run = partial(
        train,
        _scenario(discrete),
        algorithm=name,
        paradigm=paradigm,
        settings=settings,
        iterations=_ITERATIONS,
        seeds=2,
        seed=seed,
        num_envs=_NUM_ENVS,
        evaluation="none",
    )
    first: TrainingResult = run_traced(run, where, "trained", _TRACE_FIX, InputError)
    for curve, values in first.curves.items():
        # A metric that an algorithm does not have, such as the entropy of a greedy policy, is NaN.
        is_stated = not np.isnan(values).all()
        if is_stated and (worst := worst_index(~np.isfinite(values))) is not None:
            problem = f"the metric {curve!r} is {values[worst]} at evaluation {worst[0]}"
            raise CheckError(where, problem, "Clip gradients and guard divisions and logarithms.")
    states = _numbers(first.learners)
    for path, values in states.items():
        if (worst := worst_index(~np.isfinite(values))) is not None:
            problem = f"{path} of its state is {values[worst]} after {_ITERATIONS} iterations"
            raise CheckError(where, problem, "Clip gradients and guard divisions and logarithms.")
    if all(np.array_equal(values[0], values[1]) for values in states.values()):
        problem = "two seeds give the same state"
        raise CheckError(where, problem, "Draw initial parameters from the key of `init`.")
    repeated = _numbers(run().learners)
    for path, values in states.items():
        tolerance = 1e-5 * (1 + np.abs(values))
        if (worst := worst_index(np.abs(values - repeated[path]), tolerance)) is not None:
            problem = (
                f"{path} of its state is {values[worst]:.6g} and then "
                f"{repeated[path][worst]:.6g} with the same seed"
            )
            raise CheckError(where, problem, "Draw random numbers from keys and noise only.")


def _scenario(discrete: bool) -> dict[str, object]:
    """Return two homes with batteries and four days of hours."""

    def values(*numbers: float) -> dict[str, object]:
        return {"source": "values", "values": list(numbers)}

    battery = {"capacity_kwh": 4, "charge_kw": 2}
    return {
        "name": "two-homes",
        "period": {"start": "2023-06-01T00:00", "steps": 96, "step_minutes": 60},
        "homes": [
            {"name": "a", "load": values(0.5, 1.0), "solar": values(0, 2, 3), "battery": battery},
            {"name": "b", "load": values(1.0, 0.2), "battery": battery},
        ],
        "tariff": {"energy": values(0.1, 0.3, 0.2, 0.4), "feed_in": 0.05},
        "market": {"mechanism": "mid_market_rate"},
        "environment": {
            "episode_steps": 8,
            "rewards": {"cost": 1.0},
            **({"power_levels": 5} if discrete else {}),
        },
    }


def _numbers(tree: PyTree) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return the numeric leaves by path; keys of random numbers are left out."""
    return {
        jax.tree_util.keystr(path): np.asarray(leaf, np.float64)
        for path, leaf in jax.tree.leaves_with_path(tree)
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    }
