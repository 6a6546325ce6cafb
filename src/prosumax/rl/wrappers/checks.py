"""Checks of environments that all wrappers share."""

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv


def check_homes_only(env: CommunityEnv) -> None:
    """Raise `InputError` for price agents, which the other libraries' interfaces cannot express.

    Args:
        env: Environment to wrap.
    """
    if env.config.price_agents:
        names = ", ".join(env.config.price_agents)
        problem = (
            f"the environment has price agents ({names}), whose actions differ from those of homes"
        )
        fix = (
            "Train them with `prosumax train`, or choose a mechanism whose prices follow a rule, "
            "such as price_mid_market."
        )
        raise InputError("market.mechanism", problem, fix)


def agent_names(env: CommunityEnv) -> list[str]:
    """Return the names of the homes for use as dictionary keys.

    Args:
        env: Environment to wrap.

    Raises:
        InputError: If a home has the name that JaxMARL and RLlib reserve for all agents.
    """
    if "__all__" in env.agents:
        problem = "one has the name '__all__', which JaxMARL and RLlib reserve for all agents"
        raise InputError("homes", problem, "Give it another name.")
    return env.agents
