"""Rollouts of learning and scripted policies in many parallel copies of a community."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar, TypeVarTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree
from numpy.typing import NDArray

from prosumax import batching
from prosumax.rl.components.distributions import ActionNoise, sample_noise
from prosumax.rl.components.spaces import (
    Action,
    ActionMask,
    action_mask,
    pad_action,
    padded_action_space,
    to_env_action,
)
from prosumax.rl.components.types import ActorOutput, Batch
from prosumax.rl.engine.agent_groups import AgentGroup
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams, EnvState, TimeStep

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class ScriptedPolicy(Protocol):
    """Agents that follow a rule; they observe the whole state and do not learn."""

    @property
    def agent_indices(self) -> tuple[int, ...]:
        """Indices of the agents in the community."""

    def init(self, params: EnvParams, key: PRNGKeyArray) -> PyTree:
        """Return the policy's state at the start of an episode of one community."""

    def act(
        self, params: EnvParams, state: PyTree, policy_state: PyTree, key: PRNGKeyArray
    ) -> tuple[Action, PyTree]:
        """Return the squashed actions in one community, and an action to pass on to `update`.

        Args:
            params: Parameters of the environment.
            state: State of the environment.
            policy_state: State of the policy.
            key: Random key.
        """

    def update(
        self,
        params: EnvParams,
        state: PyTree,
        policy_state: PyTree,
        raw_action: PyTree,
        step: TimeStep,
    ) -> PyTree:
        """Return the policy's state after a step.

        Args:
            params: Parameters of the environment.
            state: State of the environment before the step.
            policy_state: State of the policy before the step.
            raw_action: Second result of `act`.
            step: Result of the environment's step.
        """


class RolloutState(NamedTuple):
    """State between two steps, and between two rollouts.

    Attributes:
        env_state: States of the environments [env].
        obs: Observations of all agents.
        mask: Valid actions of all agents.
        hidden_states: Hidden states of every group's actors [policy, env, agent, hidden].
        policy_states: States of every scripted policy [env].
        done: Whether the episode is over, so that the next step starts a new one.
    """

    env_state: EnvState
    obs: Float[Array, "env agent feature"]
    mask: ActionMask
    hidden_states: tuple[Array, ...]
    policy_states: tuple[PyTree, ...]
    done: Bool[Array, " env"]


class RolloutSteps(NamedTuple):
    """Steps of a rollout, [time, env, ..], or [time, policy, env, agent, ..] for actors.

    Attributes:
        obs: Observations of all agents before the step.
        last_obs: Observations after the last step of every segment [segment, env, ..], within
            which no episode ends.
        mask: Valid actions before the step.
        last_mask: Valid actions after the last step of every segment.
        actor_outputs: Outputs of every group's actors.
        joint_action: Squashed actions of all agents.
        reward: Reward of each agent.
        terminated: Whether the step ended in a terminal state, for each agent.
        is_first: Whether an episode started before the step.
        done: Whether an episode ended with the step.
        metrics: Results of the rollout's `metrics_fn`.
    """

    obs: Array
    last_obs: Array
    mask: ActionMask
    last_mask: ActionMask
    actor_outputs: tuple[ActorOutput, ...]
    joint_action: Action
    reward: Array
    terminated: Array
    is_first: Array
    done: Array
    metrics: PyTree


MetricsFn = Callable[[PyTree], PyTree]
"""Function from the result of an environment's step to metrics."""


class MultiAgentSetup(NamedTuple):
    """A community and the policies of all its agents.

    Attributes:
        env: Environment: `CommunityEnv` or anything with its `reset`, `step`, `action_mask` and
            `config`.
        groups: Groups of learning agents.
        scripted: Scripted policies.
        action_order: Position of each agent's action among those of all groups and scripted
            policies.
    """

    env: CommunityEnv
    groups: tuple[AgentGroup, ...]
    scripted: tuple[ScriptedPolicy, ...]
    action_order: NDArray[np.int64]


def combine_policies(
    env: CommunityEnv, groups: Sequence[AgentGroup], scripted: Sequence[ScriptedPolicy] = ()
) -> MultiAgentSetup:
    """Combine groups and scripted policies that together control every agent exactly once.

    Args:
        env: Environment of the community.
        groups: Groups of learning agents.
        scripted: Scripted policies.

    Raises:
        ValueError: An agent has no policy, or more than one.
    """
    controlled = [agent for group in groups for agent in group.agent_indices]
    controlled += [agent for policy in scripted for agent in policy.agent_indices]
    if sorted(controlled) != list(range(env.num_agents)):
        raise ValueError(
            f"groups and scripted policies must control each of the {env.num_agents} agents once, "
            f"got agents {sorted(controlled)}."
        )
    return MultiAgentSetup(env, tuple(groups), tuple(scripted), np.argsort(np.array(controlled)))


def init_rollout(
    agents: MultiAgentSetup, params: EnvParams, key: PRNGKeyArray, num_envs: int
) -> RolloutState:
    """Return a state in which all episodes are over, so that the first rollout starts new ones.

    Args:
        agents: Community and policies.
        params: Parameters of the environment.
        key: Random key.
        num_envs: Number of parallel environments.
    """
    # These values are never read, so they are not computed, which would take seconds to compile.
    shapes = jax.eval_shape(partial(_reset_envs, agents), jax.random.split(key, num_envs), params)
    env_state, obs, mask = jax.tree.map(_zeros, shapes)
    hidden_states = tuple(
        jnp.zeros(
            (
                group.agent_ids.shape[0],
                num_envs,
                group.agent_ids.shape[1],
                group.learner.hidden_state_size,
            )
        )
        for group in agents.groups
    )
    policy_states = tuple(
        jax.vmap(policy.init, in_axes=(None, 0))(params, jax.random.split(key, num_envs))
        for policy in agents.scripted
    )
    done = jnp.ones(num_envs, bool)
    return RolloutState(env_state, obs, mask, hidden_states, policy_states, done)


def collect_rollout(
    agents: MultiAgentSetup,
    states: Sequence[PyTree],
    configs: Sequence[PyTree],
    rollout_state: RolloutState,
    params: EnvParams,
    key: PRNGKeyArray,
    num_steps: int,
    *,
    deterministic: bool = False,
    metrics_fn: MetricsFn = lambda step: (),
) -> tuple[RolloutState, RolloutSteps]:
    """Collect the steps of all policies in all environments.

    All environments are at the same step of their episodes, which all have the same length, so
    episodes start at known steps and no reset is computed in the steps between.

    Args:
        agents: Community and policies.
        states: State of every group's learner, with a leading axis of policies.
        configs: Hyperparameters of every group's learner.
        rollout_state: State from `init_rollout` or the previous rollout.
        params: Parameters of the environment, shared by all copies.
        key: Random key of the rollout.
        num_steps: Number of steps: whole episodes, or a part that divides an episode.
        deterministic: Whether learners select their best known actions instead of exploring.
        metrics_fn: Function of the environment's step whose results are kept for every step.

    Returns:
        The state after the rollout, and its steps.

    Raises:
        ValueError: `num_steps` is neither whole episodes nor divides one.
    """
    episode_steps = agents.env.config.episode_steps
    segment_steps = min(num_steps, episode_steps)
    if num_steps % segment_steps or episode_steps % segment_steps:
        raise ValueError(
            f"num_steps must be a multiple or a divisor of the {episode_steps} steps of an "
            f"episode, got {num_steps}."
        )
    num_envs = rollout_state.done.shape[0]

    def play_segment(
        rollout_state: RolloutState, key: PRNGKeyArray
    ) -> tuple[RolloutState, tuple[RolloutSteps, Array, ActionMask]]:
        reset_key, policy_key, noise_key = jax.random.split(key, 3)
        rollout_state = _reset_done(agents, rollout_state, params, reset_key, policy_key)
        noise = jax.vmap(lambda key: _sample_step_noise(agents, key, num_envs, deterministic))(
            jax.random.split(noise_key, segment_steps)
        )
        rollout_state, steps = jax.lax.scan(
            lambda rollout_state, noise: _env_step(
                agents, states, configs, rollout_state, params, noise, metrics_fn
            ),
            rollout_state,
            noise,
        )
        return rollout_state, (steps, rollout_state.obs, rollout_state.mask)

    keys = jax.random.split(key, num_steps // segment_steps)
    rollout_state, (steps, last_obs, last_mask) = jax.lax.scan(play_segment, rollout_state, keys)
    steps = jax.tree.map(lambda leaf: leaf.reshape(num_steps, *leaf.shape[2:]), steps)
    return rollout_state, steps._replace(last_obs=last_obs, last_mask=last_mask)


def _reset_envs(
    agents: MultiAgentSetup, keys: PRNGKeyArray, params: EnvParams
) -> tuple[PyTree, Array, ActionMask]:
    """Start new episodes [env]; returns their states, observations and masks."""

    def reset(key: PRNGKeyArray) -> tuple[PyTree, Array, ActionMask]:
        obs, env_state = agents.env.reset(key, params)
        return env_state, obs, action_mask(agents.env, env_state, params)

    return jax.vmap(reset)(keys)


def _reset_done(
    agents: MultiAgentSetup,
    rollout_state: RolloutState,
    params: EnvParams,
    reset_key: PRNGKeyArray,
    policy_key: PRNGKeyArray,
) -> RolloutState:
    """Start new episodes in the environments whose episodes are over."""
    done = rollout_state.done
    num_envs = done.shape[0]
    new = _reset_envs(agents, jax.random.split(reset_key, num_envs), params)
    new_policy_states = tuple(
        jax.vmap(policy.init, in_axes=(None, 0))(params, jax.random.split(policy_key, num_envs))
        for policy in agents.scripted
    )
    old = (rollout_state.env_state, rollout_state.obs, rollout_state.mask)
    (env_state, obs, mask), policy_states = _select_envs(
        done, (new, new_policy_states), (old, rollout_state.policy_states)
    )
    return rollout_state._replace(
        env_state=env_state,
        obs=obs,
        mask=mask,
        hidden_states=tuple(
            jnp.where(done[:, None, None], 0.0, hidden) for hidden in rollout_state.hidden_states
        ),
        policy_states=policy_states,
    )


class _StepNoise(NamedTuple):
    """Random keys and noise of one step.

    Attributes:
        env_keys: Key of every environment.
        policy_keys: Keys of every scripted policy and environment.
        action_noise: Noise of every group's actions [policy, ..]; None if deterministic.
    """

    env_keys: PRNGKeyArray
    policy_keys: tuple[PRNGKeyArray, ...]
    action_noise: tuple[ActionNoise | None, ...]


def _sample_step_noise(
    agents: MultiAgentSetup, key: PRNGKeyArray, num_envs: int, deterministic: bool
) -> _StepNoise:
    env_key, policy_key, key = jax.random.split(key, 3)
    policy_keys = tuple(
        jax.random.split(jax.random.fold_in(policy_key, index), num_envs)
        for index in range(len(agents.scripted))
    )
    action_noise: list[ActionNoise | None] = []
    for group in agents.groups:
        key, group_key = jax.random.split(key)
        if deterministic:
            action_noise.append(None)
            continue
        batch = (num_envs, group.agent_ids.shape[1])
        sample = partial(sample_noise, group.spec.action_space, batch=batch)
        action_noise.append(jax.vmap(sample)(jax.random.split(group_key, group.num_policies)))
    return _StepNoise(jax.random.split(env_key, num_envs), policy_keys, tuple(action_noise))


def _env_step(
    agents: MultiAgentSetup,
    states: Sequence[PyTree],
    configs: Sequence[PyTree],
    rollout_state: RolloutState,
    params: EnvParams,
    noise: _StepNoise,
    metrics_fn: MetricsFn,
) -> tuple[RolloutState, RolloutSteps]:
    """Select all actions, and advance all environments by one step."""
    env = agents.env
    space = padded_action_space(env)
    actor_outputs: list[ActorOutput] = []
    actions: list[Action] = []
    for group, state, config, hidden_state, action_noise in zip(
        agents.groups,
        states,
        configs,
        rollout_state.hidden_states,
        noise.action_noise,
        strict=True,
    ):
        output = act_in_group(
            group,
            state,
            group.observations(rollout_state.obs),
            group.masks(rollout_state.mask),
            hidden_state,
            config,
            action_noise,
        )
        actor_outputs.append(output)
        actions.append(pad_action(group.to_agent_actions(output.action), space))
    raw_actions: list[PyTree] = []
    for policy, policy_state, keys in zip(
        agents.scripted, rollout_state.policy_states, noise.policy_keys, strict=True
    ):
        action, raw_action = jax.vmap(policy.act, in_axes=(None, 0, 0, 0))(
            params, rollout_state.env_state, policy_state, keys
        )
        actions.append(pad_action(action, space))
        raw_actions.append(raw_action)
    joint_action: Action = jax.tree.map(
        lambda *parts: jnp.concatenate(parts, axis=1)[:, agents.action_order], *actions
    )

    def step_env(key: PRNGKeyArray, env_state: EnvState, action: Action) -> PyTree:
        step = env.step(key, env_state, to_env_action(env, action), params)
        return step, action_mask(env, step.state, params)

    step, mask = batching.vmap(step_env)(noise.env_keys, rollout_state.env_state, joint_action)
    policy_states = tuple(
        jax.vmap(policy.update, in_axes=(None, 0, 0, 0, 0))(
            params, rollout_state.env_state, policy_state, raw_action, step
        )
        for policy, policy_state, raw_action in zip(
            agents.scripted, rollout_state.policy_states, raw_actions, strict=True
        )
    )
    # Hidden states inside a rollout are not kept, and the caller fills in the ends of segments.
    omitted: PyTree = ()
    steps = RolloutSteps(
        obs=rollout_state.obs,
        last_obs=omitted,
        mask=rollout_state.mask,
        last_mask=omitted,
        actor_outputs=tuple(output._replace(hidden_state=omitted) for output in actor_outputs),
        joint_action=joint_action,
        reward=step.reward,
        terminated=step.terminated,
        is_first=rollout_state.done,
        done=step.truncated | step.terminated.all(-1),
        metrics=metrics_fn(step),
    )
    hidden_states = tuple(output.hidden_state for output in actor_outputs)
    next_state = RolloutState(
        step.state, step.final_obs, mask, hidden_states, policy_states, steps.done
    )
    return next_state, steps


def act_in_group(
    group: AgentGroup,
    state: PyTree,
    obs: Float[Array, "policy env agent feature"],
    mask: ActionMask,
    hidden_state: Float[Array, "policy env agent hidden"],
    config: PyTree,
    noise: ActionNoise | None,
) -> ActorOutput:
    """Select the actions of all policies of a group.

    Args:
        group: Group of agents.
        state: State of its learner with a leading axis of policies.
        obs: Observations.
        mask: Valid actions.
        hidden_state: Hidden states of the actors.
        config: Hyperparameters of its learner.
        noise: Noise of the actions; None selects deterministic actions.
    """

    act = vmap_policies(group.learner.with_config(config).act, (0, 0, 0, 0, 0), group.num_policies)
    output: ActorOutput = act(state, obs, mask, hidden_state, noise)
    return output


def vmap_policies(
    function: Callable[[*Ts], R], in_axes: tuple[PyTree, ...], num_policies: int
) -> Callable[[*Ts], R]:
    """Map a function over policies as `jax.vmap` does, but without a batch axis for a single one.

    XLA is slower at products with a batch axis of length 1.

    Args:
        function: Function of one policy.
        in_axes: Axes as `jax.vmap` takes them: 0 and None, or trees of them.
        num_policies: Number of policies.
    """
    if num_policies > 1:
        return jax.vmap(function, in_axes=in_axes)

    def first(argument: PyTree, axes: PyTree) -> PyTree:
        if axes is None:
            return argument
        if axes == 0:
            return jax.tree.map(lambda leaf: leaf[0], argument)
        return type(argument)(
            *(first(part, axis) for part, axis in zip(argument, axes, strict=True))
        )

    def call_first(*parts: *Ts) -> R:
        arguments: tuple[PyTree, ...] = parts
        single: PyTree = (
            first(argument, axes) for argument, axes in zip(arguments, in_axes, strict=True)
        )
        result: R = jax.tree.map(lambda leaf: leaf[None], function(*single))
        return result

    return call_first


def make_batch(
    group: AgentGroup, steps: RolloutSteps, output: ActorOutput, hidden_state: Array
) -> Batch:
    """Arrange a rollout as the experience of a group's policies [policy, time, env, agent, ..].

    `BATCH_AXES` lists the fields that have an axis of policies.

    Args:
        group: Group of agents.
        steps: Steps of the rollout.
        output: The group's part of `steps.actor_outputs`.
        hidden_state: Hidden states of its actors before the first step.
    """
    is_centralized = group.paradigm.centralized_critic

    def side_by_side(obs: Array) -> Array:
        flat = obs.reshape(*obs.shape[:2], -1)
        return flat if is_centralized else flat[..., :0]

    def policies_first(tree: PyTree) -> PyTree:
        return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), tree)

    joint_action = steps.joint_action
    if not is_centralized:
        joint_action = Action(*(part[:, :, :0] for part in joint_action))
    mask = group.masks(steps.mask)
    return Batch(
        obs=group.observations(steps.obs),
        last_obs=group.observations(steps.last_obs),
        mask=mask,
        last_mask=group.masks(steps.last_mask),
        action=policies_first(output.action),
        extras=policies_first(output.extras),
        reward=group.rewards(steps.reward),
        terminated=group.rewards(steps.terminated.astype(jnp.float32)) >= 1.0,
        weight=group.weights(mask),
        hidden_state=hidden_state,
        agent_id=jnp.asarray(group.agent_ids),
        is_first=steps.is_first,
        done=steps.done,
        global_obs=side_by_side(steps.obs),
        last_global_obs=side_by_side(steps.last_obs),
        joint_action=joint_action,
    )


def _zeros(shape: jax.ShapeDtypeStruct) -> Array:
    """Return zeros, or random keys made of a zero seed."""
    if jnp.issubdtype(shape.dtype, jax.dtypes.prng_key):
        return jnp.broadcast_to(jax.random.key(0), shape.shape)
    return jnp.zeros(shape.shape, shape.dtype)


def _select_envs(condition: Bool[Array, " env"], new: PyTree, old: PyTree) -> PyTree:
    return jax.tree.map(
        lambda a, b: jnp.where(condition.reshape(-1, *([1] * (a.ndim - 1))), a, b), new, old
    )
