"""Setup of learning agent groups and scripted policies in one community."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prosumax.errors import InputError, did_you_mean
from prosumax.rl.algorithms.registry import configure_algorithm
from prosumax.rl.components.spaces import (
    PRICE_ACTION_SPACE,
    home_action_space,
    padded_action_space,
)
from prosumax.rl.engine.agent_groups import (
    PARADIGMS,
    AgentGroup,
    assign_policies,
    make_agent_spec,
)
from prosumax.rl.engine.rollout import MultiAgentSetup, ScriptedPolicy, combine_policies
from prosumax.rl.env import CommunityEnv


class GroupSpec(NamedTuple):
    """Homes, or price agents, that learn by the same algorithm.

    Attributes:
        name: Name of the group, for metrics and files.
        agent_indices: Indices of the agents; those of price agents follow those of homes.
        algorithm: Registered name of the algorithm.
        paradigm: Name of the paradigm.
        settings: Settings of the algorithm.
    """

    name: str
    agent_indices: tuple[int, ...]
    algorithm: str
    paradigm: str = "dtde"
    settings: Mapping[str, object] = {}


def make_group(env: CommunityEnv, group: GroupSpec) -> AgentGroup:
    """Build an agent group.

    Args:
        env: Environment of the community.
        group: Description of the group.

    Raises:
        InputError: There is no such algorithm, paradigm or setting, or they do not suit the
            agents.
    """
    if group.paradigm not in PARADIGMS:
        raise InputError(
            f"{group.name}: paradigm",
            f"there is no paradigm {group.paradigm!r}",
            did_you_mean(group.paradigm, PARADIGMS),
        )
    paradigm = PARADIGMS[group.paradigm]
    algorithm = configure_algorithm(group.algorithm, group.settings, group.name)
    sets_prices = group.agent_indices[-1] >= env.num_homes
    if sets_prices and group.agent_indices[0] < env.num_homes:
        raise InputError(
            group.name,
            "the group has both homes and price agents, whose actions differ",
            "Define two groups.",
        )
    if not sets_prices and algorithm.ordinal_actions and env.config.power_levels is None:
        raise InputError(
            f"{group.name}: ordinal_actions",
            "ordinal_actions needs discrete power levels, and actions are continuous",
            "Set environment.power_levels, or remove ordinal_actions.",
        )
    home_obs_size = len(env.observation_names)
    price_obs_size = len(env.price_observation_names) if env.config.price_agents else 0
    obs_size = price_obs_size if sets_prices else home_obs_size
    policy_agents, valid = assign_policies(group.agent_indices, paradigm)
    spec = make_agent_spec(
        env_action_space=PRICE_ACTION_SPACE if sets_prices else home_action_space(env),
        agent_obs_size=obs_size,
        num_community_agents=env.num_agents,
        agent_indices=group.agent_indices,
        paradigm=paradigm,
        action_bins=algorithm.action_bins,
        ordinal_actions=algorithm.ordinal_actions and not sets_prices,
        padded_obs_size=max(home_obs_size, price_obs_size),
        padded_space=padded_action_space(env),
    )
    return AgentGroup(
        name=group.name,
        agent_indices=group.agent_indices,
        policy_agents=policy_agents,
        valid=valid,
        paradigm=paradigm,
        learner=algorithm.build(spec),
        agent_obs_size=obs_size,
    )


def make_setup(
    env: CommunityEnv, groups: Sequence[GroupSpec], scripted: Sequence[ScriptedPolicy] = ()
) -> MultiAgentSetup:
    """Build a setup of learning groups and scripted policies.

    Args:
        env: Environment of the community.
        groups: Learning groups.
        scripted: Scripted policies of the remaining agents.

    Raises:
        InputError: A group is invalid, as in `make_group`.
    """
    return combine_policies(env, [make_group(env, group) for group in groups], scripted)


def make_homogeneous_setup(
    env: CommunityEnv,
    algorithm: str,
    paradigm: str = "dtde",
    settings: Mapping[str, object] | None = None,
) -> MultiAgentSetup:
    """Build a setup in which all homes, and all price agents, learn by one algorithm.

    Args:
        env: Environment of the community.
        algorithm: Registered name of the algorithm.
        paradigm: Name of the paradigm.
        settings: Settings of the algorithm.

    Raises:
        InputError: There is no such algorithm, paradigm or setting.
    """
    settings = settings or {}
    homes = tuple(range(env.num_homes))
    groups = [GroupSpec(algorithm, homes, algorithm, paradigm, settings)]
    if env.num_agents > env.num_homes:
        price_agents = tuple(range(env.num_homes, env.num_agents))
        groups.append(GroupSpec(f"{algorithm} prices", price_agents, algorithm, paradigm, settings))
    return make_setup(env, groups)
