"""Schema of the learning agents of a community."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.config import StrictModel


class AgentGroupConfig(StrictModel):
    """Homes or price agents that share a policy or learning algorithm in training."""

    homes: Annotated[list[str], Field(min_length=1)] | Literal["others"] | None = None
    """Names of homes, or `others` for all homes that no other group names."""
    price_agents: Annotated[list[str], Field(min_length=1)] | Literal["all"] | None = None
    """Names of price agents, or `all`; an alternative to `homes`."""
    policy: str
    """A learning algorithm, a rule, or for price agents `market.price_policy`."""
    paradigm: Literal["dtde", "dtde-shared", "ctde", "ctde-shared", "ctce"] = "dtde"
    """Sharing of parameters, and inputs of critics and actors."""
    rewards: str | dict[str, float] | None = None
    """A reward term or weights of several; defaults to those of home or environment.

    Price agents have reward terms of their own (`environment.price_rewards`)."""
    settings: dict[str, float | int | bool | str | list[int]] = {}
    """Hyperparameters and options of the algorithm."""

    @model_validator(mode="after")
    def _check_one_kind(self) -> "AgentGroupConfig":
        if (self.homes is None) == (self.price_agents is None):
            raise ValueError("an entry of a population needs either `homes` or `price_agents`")
        return self
