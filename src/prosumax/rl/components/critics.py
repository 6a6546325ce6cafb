"""Inputs of critics, weighted statistics and target networks, shared by several algorithms."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from prosumax.rl.components.types import AgentSpec

Parameters = TypeVar("Parameters")


def critic_input_size(spec: AgentSpec) -> int:
    """Return the width of a critic's input."""
    if not spec.global_obs_size:
        return spec.obs_size
    return spec.obs_size + spec.global_obs_size + spec.num_agents


def critic_input(
    spec: AgentSpec,
    obs: Float[Array, "*time env agent feature"],
    global_obs: Float[Array, "*time env global"],
    agent_id: Int[Array, "*agent"],
) -> Float[Array, "*time env agent input"]:
    """Return the input of a critic.

    A local critic receives the agent's own observation, a centralized one also the observations of
    all agents and the agent's id as one-hot.

    Args:
        spec: Sizes of the agent.
        obs: Each agent's own observation.
        global_obs: Observations of all agents side by side.
        agent_id: Index of each agent in the community.
    """
    if not spec.global_obs_size:
        return obs
    leading = obs.shape[:-1]
    one_hot = jnp.broadcast_to(
        jax.nn.one_hot(agent_id, spec.num_agents), (*leading, spec.num_agents)
    )
    shared = jnp.broadcast_to(global_obs[..., None, :], (*leading, spec.global_obs_size))
    return jnp.concatenate([obs, shared, one_hot], axis=-1)


def weighted_mean(
    values: Float[Array, "*batch"], weight: Float[Array, "*batch"]
) -> Float[Array, ""]:
    """Return the weighted mean; 0 where all weights are 0."""
    return (values * weight).sum() / jnp.maximum(weight.sum(), 1e-8)


def standardize(
    values: Float[Array, "*batch"], weight: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Shift and scale values to weighted mean 0 and standard deviation 1."""
    centered = values - weighted_mean(values, weight)
    return centered / jnp.sqrt(weighted_mean(centered**2, weight) + 1e-8)


def copy_params(parameters: Parameters) -> Parameters:
    """Copy parameters into arrays of their own, so that a state with both can be donated."""
    copied: Parameters = jax.tree.map(jnp.copy, parameters)
    return copied


def polyak_update(
    target: Parameters, source: Parameters, tau: Float[Array, ""] | float
) -> Parameters:
    """Move the parameters of a target network toward those of its source.

    Args:
        target: Parameters of the target network.
        source: Parameters of the network that it tracks.
        tau: Step size of the moving average; 1 copies the source.
    """
    updated: Parameters = jax.tree.map(lambda old, new: old + tau * (new - old), target, source)
    return updated
