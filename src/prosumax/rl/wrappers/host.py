"""A community stepped from Python: compiled once, keys and state kept, NumPy out. What the non-JAX faces share."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams


class Turn(NamedTuple):
    """What came of a step, as NumPy arrays with the copies first.

    Attributes:
        obs: of each home [copy, home, feature]; at the end of an episode its last.
        reward: of each home [copy, home].
        truncated: whether the episode is over; of all copies, since they begin together and are equally long.
        mask: `CommunityEnv.action_mask` of the coming step, or None where it was not asked for.
        info: `reward_terms` {name: [copy, home]}, `limited_kwh` [copy, home] and `kpis` {name: [copy]}.
    """

    obs: np.ndarray
    reward: np.ndarray
    truncated: bool
    mask: Any
    info: dict[str, Any]


class Host:
    """Copies of a community, stepped together.

    Each copy has a chain of keys that begins at its seed; every `reset` and every `step` takes the next:
    `chain, key = jax.random.split(chain)`. So a trajectory can be repeated with the core alone.
    """

    def __init__(
        self,
        env: CommunityEnv,
        copies: int = 1,
        params: EnvParams | None = None,
        *,
        own_params: bool = False,
        masks: bool = False,
    ) -> None:
        """Nothing is compiled before the first `reset`.

        Arguments:
            env: the community.
            copies: how many.
            params: instead of the environment's own.
            own_params: every leaf of `params` has the copies first.
            masks: whether `Turn.mask` is wanted.

        Raises:
            InputError: no copies, or parameters of another number of them.
        """
        if copies < 1:
            raise InputError("copies", f"is {copies}", "Ask for one or more.")
        self._params = env.params if params is None else params
        shapes = (
            {np.shape(leaf)[:1] for leaf in jax.tree.leaves(self._params)}
            if own_params
            else {(copies,)}
        )
        if shapes != {(copies,)}:
            what = f"have leading axes {sorted(shapes)} for {copies} copies"
            raise InputError(
                "params",
                what,
                "Stack one set for each copy: jax.tree.map(lambda *x: jnp.stack(x), *sets).",
            )
        self.env, self.copies = env, copies
        self._static = {"env": env, "masks": masks, "own_params": own_params}
        self._chains: Any = None
        self._state: Any = None

    def reset(self, seed: int | list[int] | None = None) -> tuple[np.ndarray, Any]:
        """Begin an episode in every copy.

        Arguments:
            seed: of the chains of keys: one for each copy, or one for all, of which copy i gets `seed + i`. Without any
                the chains go on; the first time they begin at random.

        Returns:
            Observations [copy, home, feature], and masks or None.

        Raises:
            InputError: seeds of another number than copies.
        """
        if seed is None and self._chains is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        if seed is not None:
            seeds = (
                list(seed)
                if isinstance(seed, list | tuple)
                else [int(seed) + copy for copy in range(self.copies)]
            )
            if len(seeds) != self.copies:
                raise InputError(
                    "seed",
                    f"has {len(seeds)} entries for {self.copies} copies",
                    "Give one each, or one.",
                )
            self._chains = jnp.stack([jax.random.key(each % 2**32) for each in seeds])
        self._chains, self._state, obs, mask = _begin(self._chains, self._params, **self._static)
        return np.array(obs), jax.device_get(mask)

    def step(self, action: Any) -> Turn:
        """Let all homes of all copies act; `reset` begins a new episode, nothing else does.

        Arguments:
            action: as `CommunityEnv.step` takes it, with the copies first.

        Raises:
            InputError: no episode has begun, or it is over.
        """
        if self._state is None:
            raise InputError("step", "no episode is under way", "Call reset first.")
        self._chains, self._state, out = _advance(
            self._chains, self._state, action, self._params, **self._static
        )
        obs, reward, truncated, mask, info = jax.device_get(out)
        over = bool(truncated.any())
        if over:
            self._state = None
        # Learners write into these two, and JAX's own buffers are read-only.
        return Turn(np.array(obs), np.array(reward), over, mask, info)


# The environment is static, so that all faces of one environment share what is compiled.


@partial(jax.jit, static_argnames=("env", "masks", "own_params"))
def _begin(
    chains: Any, params: EnvParams, *, env: CommunityEnv, masks: bool, own_params: bool
) -> Any:
    """New chains, states, observations and masks of all copies."""

    def one(chain: Any, params: EnvParams) -> Any:
        chain, key = jax.random.split(chain)
        obs, state = env.reset(key, params)
        return chain, state, obs, env.action_mask(state, params) if masks else None

    return jax.vmap(one, in_axes=(0, 0 if own_params else None))(chains, params)


@partial(jax.jit, static_argnames=("env", "masks", "own_params"))
def _advance(
    chains: Any,
    state: Any,
    action: Any,
    params: EnvParams,
    *,
    env: CommunityEnv,
    masks: bool,
    own_params: bool,
) -> Any:
    """New chains and states, and what makes a `Turn`, of all copies."""

    def one(chain: Any, state: Any, action: Any, params: EnvParams) -> Any:
        chain, key = jax.random.split(chain)
        ts = env.step(key, state, action, params)
        info = {
            "reward_terms": dict(zip(env.reward_names, ts.info["reward_terms"], strict=True)),
            "limited_kwh": ts.info["limited_kwh"],
            "kpis": ts.info["kpis"]._asdict(),
        }
        mask = env.action_mask(ts.state, params) if masks else None
        return chain, ts.state, (ts.obs, ts.reward, ts.truncated, mask, info)

    return jax.vmap(one, in_axes=(0, 0, 0, 0 if own_params else None))(
        chains, state, action, params
    )
