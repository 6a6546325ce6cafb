"""Check of environments under random actions."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree
from numpy.typing import NDArray

from prosumax.rl.env import CommunityEnv
from prosumax.rl.spaces import Box, MultiDiscrete, Product, Space
from prosumax.rl.types import TimeStep
from prosumax.simulation.dynamics import StepRecord
from prosumax.tariff.bill import receipts
from prosumax.testing.errors import CheckError, run_traced, same_structure, worst_index
from prosumax.types import Flows

Amounts = NDArray[np.float64]

_NUM_KEYS = 3
_MAX_STEPS = 400
_UNKNOWN_LENGTH = 24

# Rounding of single precision on some ten kWh or euros per step, relative to the amounts.
_RELATIVE_ROUNDING = 1e-5
_ABSOLUTE_ROUNDING = 3e-5

# Compiled programs of different shapes round differently, and auctions trade whole ticks.
_COMPARISON_TOLERANCE = 2e-3
_BOUND_TOLERANCE = 1e-4

_TRACE_FIX = (
    "Make it a pure function of its arguments on arrays: jax.numpy instead of NumPy, jnp.where "
    "instead of `if`, keys instead of random states."
)


class Environment(Protocol):
    """Multi-agent environment with the functional interface of `CommunityEnv`."""

    @property
    def agents(self) -> list[str]:
        """Names of the agents."""

    @property
    def num_agents(self) -> int:
        """Number of agents."""

    @property
    def params(self) -> PyTree:
        """Default parameters, which may vary over a batch."""

    @property
    def observation_space(self) -> Box:
        """Space of the observations of all agents, [agent, feature]."""

    @property
    def action_space(self) -> Space:
        """Space of the actions of all agents, [agent, ...]."""

    def reset(self, key: PRNGKeyArray, params: PyTree = None) -> tuple[Array, PyTree]:
        """Start an episode."""

    def step(
        self, key: PRNGKeyArray, state: PyTree, action: PyTree, params: PyTree = None
    ) -> TimeStep:
        """Simulate one step."""


class _Rollout(NamedTuple):
    """Episodes under random actions, with axes [key, step, ...] in `timesteps` and below.

    Attributes:
        obs: First observation of each episode.
        state: First state of each episode.
        keys: Key of each step.
        actions: Actions of each step.
        timesteps: Result of each step.
    """

    obs: Array
    state: PyTree
    keys: PRNGKeyArray
    actions: PyTree
    timesteps: TimeStep


def check_env(env: Environment, *, episode_steps: int | None = None, seed: int = 0) -> None:
    """Check that an environment keeps the interface and the balances of `CommunityEnv`.

    Under random actions, the following holds. Names, shapes, dtypes and bounds are those of
    `agents`, `observation_space` and `action_space`. All values are finite. `reset` and `step` are
    pure: the same key gives the same episode, a batch over keys and parameters gives the results of
    single calls, and a step compiles once per shape. An episode is truncated in its last step and
    not before. Masks allow at least one choice. Where `info` has a `record`, energy balances in
    each home and step, homes sell to each other what they buy, and the bills are the receipts.

    Args:
        env: Environment; its wrappers for other libraries have their own checkers.
        episode_steps: Length of an episode; that of `env.config` if None. Episodes of more than
            400 steps are not run to their end.
        seed: Seed of keys and actions.

    Raises:
        CheckError: If a property does not hold; the message names it with the numbers.
    """
    where = "environment"
    if episode_steps is None:
        config = getattr(env, "config", None)
        episode_steps = getattr(config, "episode_steps", None)
    length = min(_UNKNOWN_LENGTH if episode_steps is None else episode_steps, _MAX_STEPS)
    _check_agents(env, where)
    _check_action_space(env, where, seed)
    _check_signatures(env, where)
    rollout = _run_episodes(env, length, where, seed)
    _check_values(env, rollout, where)
    _check_truncation(rollout, episode_steps, where)
    _check_keys_and_parameters(rollout, env, where)
    _check_single_steps(env, rollout, where)
    _check_masks(env, rollout, where)
    record = rollout.timesteps.info.get("record")
    if isinstance(record, StepRecord):
        record = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), record)
        place = f"{where}.step, info['record']"
        _check_energy(record, place)
        _check_bills(record, place)
        # A home that bids may sell more than its surplus and buy its own load from the grid.
        if getattr(getattr(env, "config", None), "action_mode", None) == "dispatch":
            _check_local_trade(record, place)
    _check_reward_terms(env, rollout, where)


def _check_agents(env: Environment, where: str) -> None:
    agents = env.agents
    place = f"{where}.agents"
    if not isinstance(agents, list) or not all(isinstance(name, str) for name in agents):
        raise CheckError(place, f"it is {agents!r:.80}", "Return a list of names.")
    if len(set(agents)) != len(agents) or len(agents) != env.num_agents:
        problem = f"it has {len(agents)} names, {len(set(agents))} of them different, but "
        problem += f"num_agents is {env.num_agents}"
        raise CheckError(place, problem, "Give every agent a name of its own.")


def _check_action_space(env: Environment, where: str, seed: int) -> None:
    place = f"{where}.action_space"
    for draw in range(_NUM_KEYS):
        action = env.action_space.sample(jax.random.fold_in(jax.random.key(seed), draw))
        if not bool(env.action_space.contains(action)):
            problem = f"its own sample is outside: {jax.tree.map(np.asarray, action)!r:.120}"
            raise CheckError(place, problem, "Let `contains` accept what `sample` draws.")


def _check_signatures(env: Environment, where: str) -> None:
    """Check structure, shapes and dtypes of the results of `reset` and `step`."""
    key = jax.random.key(0)
    result = run_traced(
        partial(jax.eval_shape, env.reset, key, env.params),
        f"{where}.reset",
        "traced by jax.jit",
        _TRACE_FIX,
    )
    if not isinstance(result, tuple) or len(result) != 2:
        problem = f"it returns {type(result).__name__}"
        raise CheckError(f"{where}.reset", problem, "Return (obs, state).")
    obs, state = result
    _check_array(obs, f"{where}.reset, obs", env.observation_space.shape, jnp.float32)
    action = env.action_space.sample(key)
    timestep = run_traced(
        partial(jax.eval_shape, env.step, key, state, action, env.params),
        f"{where}.step",
        "traced by jax.jit",
        _TRACE_FIX,
    )
    if not isinstance(timestep, TimeStep):
        problem = f"it returns {type(timestep).__name__}"
        raise CheckError(f"{where}.step", problem, "Return a prosumax.rl.TimeStep.")
    agents = (env.num_agents,)
    for name, value, shape, dtype in (
        ("obs", timestep.obs, env.observation_space.shape, jnp.float32),
        ("final_obs", timestep.final_obs, env.observation_space.shape, jnp.float32),
        ("reward", timestep.reward, agents, jnp.float32),
        ("terminated", timestep.terminated, agents, jnp.bool_),
        ("truncated", timestep.truncated, (), jnp.bool_),
    ):
        _check_array(value, f"{where}.step, {name}", shape, dtype)
    _check_state(state, timestep.state, where)


def _check_array(
    value: Array | jax.ShapeDtypeStruct, place: str, shape: tuple[int, ...], dtype: type[object]
) -> None:
    found = (getattr(value, "shape", None), getattr(value, "dtype", None))
    if found[0] != shape:
        fix = "Stack the agents in the order of `agents`, with the shape of the space."
        raise CheckError(place, f"it has shape {found[0]}, not {shape}", fix)
    if found[1] != dtype:
        problem = f"it has dtype {found[1]}, not {jnp.dtype(dtype)}"
        raise CheckError(place, problem, f"Convert it with .astype({jnp.dtype(dtype)}).")


def _check_state(before: PyTree, after: PyTree, where: str) -> None:
    """Check that a step keeps structure, shapes and dtypes of the state, so that it can scan."""
    place = f"{where}.step, state"
    fix = "Return a state with the structure, shapes and dtypes of the one from `reset`."
    if not same_structure(before, after):
        raise CheckError(place, "its structure differs from that of the state of `reset`", fix)
    leaves = zip(jax.tree.leaves_with_path(before), jax.tree.leaves_with_path(after), strict=True)
    for (path, old), (_, new) in leaves:
        one = (old.shape, old.dtype, getattr(old, "weak_type", False))
        other = (new.shape, new.dtype, getattr(new, "weak_type", False))
        if one[:2] != other[:2]:
            problem = f"state{jax.tree_util.keystr(path)} changes from {old} to {new}"
            raise CheckError(place, problem, fix)
        if one != other:
            problem = f"state{jax.tree_util.keystr(path)} changes its weak type"
            fix = "Create it with an explicit dtype, jnp.float32(0.0), or a step compiles twice."
            raise CheckError(place, problem, fix)


def _run_episodes(env: Environment, length: int, where: str, seed: int) -> _Rollout:
    """Run episodes in a batch over keys and parameters.

    The last episode has the key of the first, with doubled reward weights where parameters have
    any.
    """
    keys = jax.random.split(jax.random.key(seed), _NUM_KEYS)
    keys = jnp.concatenate([keys, keys[:1]])
    params = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (_NUM_KEYS + 1, *jnp.shape(leaf))), env.params
    )
    if hasattr(params, "reward_weights"):
        params = params._replace(reward_weights=params.reward_weights.at[-1].multiply(2.0))

    def run(key: PRNGKeyArray, params: PyTree) -> _Rollout:
        obs, state = env.reset(key, params)

        def advance(state: PyTree, key: PRNGKeyArray) -> tuple[PyTree, tuple[PyTree, TimeStep]]:
            action = env.action_space.sample(jax.random.fold_in(key, 1))
            timestep = env.step(key, state, action, params)
            return timestep.state, (action, timestep)

        step_keys = jax.random.split(jax.random.fold_in(key, 1), length)
        _, (actions, timesteps) = jax.lax.scan(advance, state, step_keys)
        return _Rollout(obs, state, step_keys, actions, timesteps)

    rollout: _Rollout = run_traced(
        partial(jax.jit(jax.vmap(run)), keys, params),
        where,
        "run in a batch by jax.jit(jax.vmap(...)) over keys and parameters",
        _TRACE_FIX,
    )
    return rollout


def _check_values(env: Environment, rollout: _Rollout, where: str) -> None:
    """Check that observations are finite and in their space, and rewards finite."""
    space = env.observation_space
    timesteps = rollout.timesteps
    for name, value in (("reset", rollout.obs), ("step", timesteps.obs)):
        obs = np.asarray(value, np.float64)
        if (worst := worst_index(~np.isfinite(obs))) is not None:
            problem = f"the observation {_column(env, worst)} is {obs[worst]}{_time(worst)}"
            fix = "Guard divisions with prosumax.numerics.safe_divide, and replace missing values."
            raise CheckError(f"{where}.{name}", problem, fix)
        for excess, bound, side in (
            (space.low - obs, space.low, "below its lower bound"),
            (obs - space.high, space.high, "above its upper bound"),
        ):
            tolerance = _BOUND_TOLERANCE * np.maximum(
                1.0, np.abs(np.where(np.isfinite(bound), bound, 0))
            )
            if (worst := worst_index(excess, tolerance)) is not None:
                problem = (
                    f"the observation {_column(env, worst)} is {obs[worst]:.6g}{_time(worst)}, "
                    f"{side} {bound[worst[-2:]]:.6g}"
                )
                fix = "Scale or clip it, or widen observation_space."
                raise CheckError(f"{where}.{name}", problem, fix)
    reward = np.asarray(timesteps.reward, np.float64)
    if (worst := worst_index(~np.isfinite(reward))) is not None:
        problem = f"the reward of {env.agents[worst[-1]]!r} is {reward[worst]} in step {worst[1]}"
        raise CheckError(f"{where}.step", problem, "Return finite rewards.")
    if np.abs(np.asarray(timesteps.obs) - np.asarray(timesteps.final_obs)).max() > 0:
        problem = "final_obs differs from obs"
        fix = "Reset nothing in `step`; prosumax.rl.auto_reset starts new episodes."
        raise CheckError(f"{where}.step", problem, fix)


def _check_truncation(rollout: _Rollout, episode_steps: int | None, where: str) -> None:
    truncated = np.asarray(rollout.timesteps.truncated)
    if episode_steps is None:
        return
    expected = np.arange(1, truncated.shape[1] + 1) >= episode_steps
    if (worst := worst_index(truncated != expected)) is not None:
        state = "truncated" if truncated[worst] else "not truncated"
        problem = f"it is {state} after {worst[1] + 1} steps of an episode of {episode_steps} steps"
        fix = "Set truncated in the last step of an episode only."
        raise CheckError(f"{where}.step", problem, fix)


def _check_keys_and_parameters(rollout: _Rollout, env: Environment, where: str) -> None:
    """Check that episodes with the same key are the same, with rewards in proportion to weights."""
    obs = np.asarray(rollout.timesteps.obs, np.float64)
    if (worst := worst_index(np.abs(obs[-1] - obs[0]), _BOUND_TOLERANCE)) is not None:
        problem = (
            f"the observation {_column(env, worst)} is {obs[0][worst]:.6g} in one episode and "
            f"{obs[-1][worst]:.6g} in another with the same keys and actions (step {worst[0]})"
        )
        raise CheckError(where, problem, "Draw random numbers from the key only.")
    if not isinstance(env, CommunityEnv):
        return
    reward = np.asarray(rollout.timesteps.reward, np.float64)[..., : env.num_homes]
    tolerance = _COMPARISON_TOLERANCE * (1 + np.abs(reward[0]))
    if (worst := worst_index(np.abs(reward[-1] - 2 * reward[0]), tolerance)) is not None:
        problem = (
            f"the reward is {reward[0][worst]:.6g}, and {reward[-1][worst]:.6g} with doubled "
            f"reward weights in `params`"
        )
        raise CheckError(where, problem, "Read parameters from the argument `params`.")


def _check_single_steps(env: Environment, rollout: _Rollout, where: str) -> None:
    """Check that single steps give the results of the batch, with one compilation."""
    traces = 0

    def step(key: PRNGKeyArray, state: PyTree, action: PyTree, params: PyTree) -> TimeStep:
        nonlocal traces
        traces += 1
        return env.step(key, state, action, params)

    jitted = jax.jit(step)
    length = rollout.timesteps.reward.shape[1]
    _, state = jax.jit(env.reset)(jax.random.key(0), env.params)
    for number in range(3):
        action = env.action_space.sample(jax.random.key(number))
        state = jitted(jax.random.key(number), state, action, env.params).state
    for number in sorted({0, length // 2, length - 1}):
        key, action, after = jax.tree.map(
            lambda leaf, number=number: leaf[0, number],
            (rollout.keys, rollout.actions, rollout.timesteps),
        )
        before = jax.tree.map(lambda leaf: leaf[0], rollout.state)
        if number:
            before = jax.tree.map(
                lambda leaf, number=number: leaf[0, number - 1], rollout.timesteps.state
            )
        single = jitted(key, before, action, env.params)
        for name in ("obs", "reward"):
            one = np.asarray(getattr(single, name), np.float64)
            many = np.asarray(getattr(after, name), np.float64)
            tolerance = _COMPARISON_TOLERANCE * (1 + np.abs(one).max())
            if (worst := worst_index(np.abs(one - many), tolerance)) is not None:
                problem = (
                    f"{name} of {env.agents[worst[0]]!r} is {one[worst]:.6g} in a single step and "
                    f"{many[worst]:.6g} in a batch (step {number})"
                )
                fix = (
                    "Reduce over the axes of one community only, and draw random numbers from the "
                    "key only."
                )
                raise CheckError(where, problem, fix)
    if traces != 1:
        problem = f"`step` was compiled {traces} times for arguments of the same shapes"
        fix = "Keep shapes, dtypes and weak types of the state, and no Python state in `step`."
        raise CheckError(where, problem, fix)


def _check_masks(env: Environment, rollout: _Rollout, where: str) -> None:
    """Check shapes and dtypes of action masks, and that a choice is left."""
    action_mask: Callable[[PyTree], PyTree] | None = getattr(env, "action_mask", None)
    if action_mask is None:
        return
    place = f"{where}.action_mask"
    masks = jax.vmap(action_mask)(rollout.state)
    space = env.action_space
    if isinstance(space, Product) and not isinstance(masks, tuple):
        space = space.spaces[0]
    is_choice = isinstance(masks, tuple) or isinstance(space, MultiDiscrete)
    for mask in jax.tree.leaves(masks):
        if mask.dtype != jnp.bool_:
            problem = f"it has dtype {mask.dtype}"
            raise CheckError(place, problem, "Return True where a choice is allowed.")
        allowed = np.asarray(mask).any(-1)
        if is_choice and (worst := worst_index(~allowed)) is not None:
            problem = f"agent {env.agents[worst[1]]!r} has no allowed choice"
            raise CheckError(place, problem, "Allow at least one choice, such as doing nothing.")


def _check_energy(record: StepRecord, place: str) -> None:
    """Check that flows are finite and balance in every home and step."""
    flows: Flows = record.flows
    if (name := _first_invalid(record)) is not None:
        raise CheckError(place, f"{name} has values that are not finite", "Return finite values.")
    sources = flows.solar_kwh + flows.storage_discharge_kwh + flows.import_kwh
    uses = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    if (worst := worst_index(np.abs(sources - uses), _rounding(flows))) is not None:
        problem = (
            f"home {worst[2]} has {sources[worst]:.6g} kWh from PV, storage and import, but uses "
            f"{uses[worst]:.6g} kWh in load, charge, export and curtailment in step {worst[1]}"
        )
        raise CheckError(place, problem, "Let the meter close the balance of every home.")
    both = np.minimum(flows.import_kwh, flows.export_kwh)
    if (worst := worst_index(both, _rounding(flows))) is not None:
        problem = f"home {worst[2]} imports and exports {both[worst]:.6g} kWh in step {worst[1]}"
        raise CheckError(place, problem, "Net the meter in every step.")


def _check_bills(record: StepRecord, place: str) -> None:
    """Check that local trades balance and that every euro of a bill has a receiver."""
    local = record.local
    tolerance = _rounding(record.flows).sum(-1)
    bought = local.bought_kwh.sum(-1)
    sold = local.sold_kwh.sum(-1)
    if (worst := worst_index(np.abs(bought - sold), tolerance)) is not None:
        problem = (
            f"homes buy {bought[worst]:.6g} kWh and sell {sold[worst]:.6g} kWh to each other in "
            f"step {worst[1]}"
        )
        raise CheckError(place, problem, "Check the mechanism with check_mechanism.")
    billed = np.asarray(record.bill.total).sum(-1)
    amounts = [np.asarray(amount, np.float64) for amount in receipts(record.bill).values()]
    received = np.sum(amounts, axis=0)
    if (worst := worst_index(np.abs(billed - received), tolerance)) is not None:
        problem = (
            f"the bills of all homes are {billed[worst]:.6g}, but their receivers get "
            f"{received[worst]:.6g} in step {worst[1]}"
        )
        raise CheckError(place, problem, "Give every item of a bill a receiver.")


def _check_local_trade(record: StepRecord, place: str) -> None:
    """Check that homes trade at most what flows at their meters."""
    flows: Flows = record.flows
    local = record.local
    for name, traded, limit in (
        ("buys", local.bought_kwh, flows.import_kwh),
        ("sells", local.sold_kwh, flows.export_kwh),
    ):
        if (worst := worst_index(np.asarray(traded - limit), _rounding(flows))) is not None:
            problem = (
                f"home {worst[2]} {name} {traded[worst]:.6g} kWh from other homes, but its meter "
                f"shows {limit[worst]:.6g} kWh in step {worst[1]}"
            )
            raise CheckError(place, problem, "Trade only what flows at the meter.")


def _rounding(flows: Flows) -> Amounts:
    """Return the rounding of single precision in the balance of each home and step."""
    throughput = np.asarray(flows.solar_kwh + flows.load_kwh + flows.import_kwh + flows.export_kwh)
    return _ABSOLUTE_ROUNDING + _RELATIVE_ROUNDING * throughput


def _check_reward_terms(env: Environment, rollout: _Rollout, where: str) -> None:
    terms = rollout.timesteps.info.get("reward_terms")
    if terms is None:
        return
    total = np.asarray(terms, np.float64).sum(-2)
    reward = np.asarray(rollout.timesteps.reward, np.float64)[..., : total.shape[-1]]
    tolerance = _BOUND_TOLERANCE * (1 + np.abs(total))
    if (worst := worst_index(np.abs(total - reward), tolerance)) is not None:
        problem = (
            f"the reward of {env.agents[worst[-1]]!r} is {reward[worst]:.6g}, but its terms add "
            f"up to {total[worst]:.6g} in step {worst[1]}"
        )
        raise CheckError(f"{where}.step", problem, "Report weighted terms in info['reward_terms'].")


def _first_invalid(record: StepRecord) -> str | None:
    """Return the name of a field of flows, trades or bills that is not finite."""
    for part in ("flows", "local", "bill"):
        for path, leaf in jax.tree.leaves_with_path(getattr(record, part)):
            if not np.isfinite(leaf).all():
                return f"{part}{jax.tree_util.keystr(path)}"
    return None


def _column(env: Environment, index: Sequence[int]) -> str:
    """Return the names of agent and column of an entry [..., agent, feature]."""
    agent, column = index[-2:]
    names: list[str] = list(getattr(env, "observation_names", []))
    is_home = agent < getattr(env, "num_homes", env.num_agents)
    name = repr(names[column]) if is_home and column < len(names) else f"in column {column}"
    return f"{name} of {env.agents[agent]!r}"


def _time(index: Sequence[int]) -> str:
    return "" if len(index) == 3 else f" after step {index[1]}"
