"""What a person writes about who learns, and how, in a community."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.scenario.schema.base import StrictModel


class AgentGroupConfig(StrictModel):
    """Homes, or price agents, that decide alike in training (`prosumax train`); see docs/learning.md."""

    homes: Annotated[list[str], Field(min_length=1)] | Literal["others"] | None = None
    """Their names, or all that no other entry names."""
    prices: Annotated[list[str], Field(min_length=1)] | Literal["all"] | None = None
    """Names of price agents, or all of them, instead of homes; they learn, or follow `market.price_policy`."""
    policy: str
    """A learning algorithm (`prosumax algorithms`) or a rule (`prosumax policies`)."""
    paradigm: Literal["dtde", "dtde-shared", "ctde", "ctde-shared", "ctce"] = "dtde"
    """Who shares parameters, and what critics and actors see."""
    rewards: str | dict[str, float] | None = None
    """A reward term, or weights of several; what the environment or the home says when absent. Price agents have goals
    of their own (`environment.price_goal`)."""
    settings: dict[str, float | int | bool | str | list[int]] = {}
    """Hyper-parameters and options of the algorithm."""

    @model_validator(mode="after")
    def _one_kind(self) -> "AgentGroupConfig":
        if (self.homes is None) == (self.prices is None):
            raise ValueError("an entry of a population names `homes` or `prices`, one of the two")
        return self
