"""Batched community stepped from Python, the common base of the NumPy wrappers."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams


class BatchedStep(NamedTuple):
    """Result of a step as NumPy arrays with a leading environment axis.

    Attributes:
        obs: Observations [env, home, feature]; at the end of an episode its last ones.
        reward: Rewards [env, home].
        truncated: True at the end of the episode, which all environments reach together.
        mask: `CommunityEnv.action_mask` of the coming step; None unless requested.
        info: `reward_terms` {name: [env, home]}, `infeasible_kwh` [env, home] and `indicators`
            {name: [env]}.
    """

    obs: Float[NDArray[np.float32], "env home feature"]
    reward: Float[NDArray[np.float32], "env home"]
    truncated: bool
    mask: PyTree
    info: dict[str, PyTree]


class BatchedEnv:
    """Copies of an environment that are stepped together and compiled once.

    Each copy has a chain of PRNG keys that starts at its seed. Every `reset` and `step` uses the
    next key, `chain, key = jax.random.split(chain)`, so the core environment can repeat a
    trajectory. Nothing is compiled before the first `reset`.

    Args:
        env: Environment.
        num_envs: Number of copies.
        params: Parameters; the environment's own if None.
        batched_params: True if every leaf of `params` has a leading environment axis.
        with_masks: True to compute `BatchedStep.mask`.

    Raises:
        InputError: If there are no copies or the parameters do not fit their number.
    """

    def __init__(
        self,
        env: CommunityEnv,
        num_envs: int = 1,
        params: EnvParams | None = None,
        *,
        batched_params: bool = False,
        with_masks: bool = False,
    ) -> None:
        if num_envs < 1:
            raise InputError("num_envs", f"must be >= 1, got {num_envs}", "Request at least one.")
        self._params = env.params if params is None else params
        if batched_params:
            sizes = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(self._params)}
            if sizes != {(num_envs,)}:
                problem = f"have leading axes {sorted(sizes)} for {num_envs} environments"
                fix = "Stack one set per environment: jax.tree.map(lambda *x: jnp.stack(x), *sets)."
                raise InputError("params", problem, fix)
        self.env = env
        self.num_envs = num_envs
        self._static = {"env": env, "with_masks": with_masks, "batched_params": batched_params}
        self._chains: PyTree = None
        self._state: PyTree = None

    def reset(
        self, seed: int | list[int] | None = None
    ) -> tuple[Float[NDArray[np.float32], "env home feature"], PyTree]:
        """Start an episode in every copy.

        Args:
            seed: Seed of each copy, or one seed, of which copy i gets `seed + i`. None continues
                the chains of keys, which start at a random seed.

        Returns:
            Observations [env, home, feature], and masks or None.

        Raises:
            InputError: If the number of seeds differs from the number of copies.
        """
        if seed is None and self._chains is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        if isinstance(seed, list | tuple):
            if len(seed) != self.num_envs:
                problem = f"the sequence has {len(seed)} entries for {self.num_envs} environments"
                raise InputError("seed", problem, "Pass one seed per environment, or a single one.")
            self._chains = _key_chains(seed)
        elif seed is not None:
            self._chains = _key_chains([int(seed) + copy for copy in range(self.num_envs)])
        self._chains, self._state, obs, mask = _reset(self._chains, self._params, **self._static)
        return np.array(obs), jax.device_get(mask)

    def step(self, action: PyTree) -> BatchedStep:
        """Step every copy; a new episode starts with `reset` only.

        Args:
            action: Actions of `CommunityEnv.step` with a leading environment axis.

        Raises:
            InputError: If no episode has started, or it has ended.
        """
        if self._state is None:
            raise InputError("step", "there is no episode in progress", "Call reset first.")
        self._chains, self._state, result = _step(
            self._chains, self._state, action, self._params, **self._static
        )
        obs, reward, truncated, mask, info = jax.device_get(result)
        is_truncated = bool(truncated.any())
        if is_truncated:
            self._state = None
        # Learners write into observations and rewards, and JAX's own buffers are read-only.
        return BatchedStep(np.array(obs), np.array(reward), is_truncated, mask, info)


def _key_chains(seeds: Sequence[int]) -> jax.Array:
    return jnp.stack([jax.random.key(seed % 2**32) for seed in seeds])


# The environment is a static argument, so that all wrappers of one share the compiled programs.


@partial(jax.jit, static_argnames=("env", "with_masks", "batched_params"))
def _reset(
    chains: PyTree, params: EnvParams, *, env: CommunityEnv, with_masks: bool, batched_params: bool
) -> PyTree:
    """Reset all copies and return their chains, states, observations and masks."""

    def reset_one(chain: PyTree, params: EnvParams) -> PyTree:
        chain, key = jax.random.split(chain)
        obs, state = env.reset(key, params)
        return chain, state, obs, env.action_mask(state, params) if with_masks else None

    return jax.vmap(reset_one, in_axes=(0, 0 if batched_params else None))(chains, params)


@partial(jax.jit, static_argnames=("env", "with_masks", "batched_params"))
def _step(
    chains: PyTree,
    state: PyTree,
    action: PyTree,
    params: EnvParams,
    *,
    env: CommunityEnv,
    with_masks: bool,
    batched_params: bool,
) -> PyTree:
    """Step all copies and return their chains, states and the parts of a `BatchedStep`."""

    def step_one(chain: PyTree, state: PyTree, action: PyTree, params: EnvParams) -> PyTree:
        chain, key = jax.random.split(chain)
        timestep = env.step(key, state, action, params)
        info = {
            "reward_terms": dict(zip(env.reward_names, timestep.info["reward_terms"], strict=True)),
            "infeasible_kwh": timestep.info["infeasible_kwh"],
            "indicators": timestep.info["indicators"]._asdict(),
        }
        mask = env.action_mask(timestep.state, params) if with_masks else None
        result = (timestep.obs, timestep.reward, timestep.truncated, mask, info)
        return chain, timestep.state, result

    in_axes = (0, 0, 0, 0 if batched_params else None)
    return jax.vmap(step_one, in_axes=in_axes)(chains, state, action, params)
