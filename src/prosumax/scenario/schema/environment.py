"""Schema of a community as an environment for agents."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.config import NonNegative, StrictModel


class EnvironmentConfig(StrictModel):
    """Actions, observations, rewards and episodes of the environment."""

    action_mode: Literal["dispatch", "bid"] = "dispatch"
    """Agents set the power of their devices, or price, quantity, side and partner of an order."""
    power_levels: Annotated[int, Field(ge=2, le=1001)] | None = None
    """Number of discrete battery powers in mode dispatch; continuous when absent.

    Only an odd number has a level of exactly zero."""
    max_power_fraction: Annotated[float, Field(ge=1, le=10)] = 1.0
    """Outermost level as a fraction of the battery's power; above 1 it exceeds the limit."""
    episode_steps: Annotated[int, Field(ge=1)] = 24
    episode_start: Literal["first", "random_day", "random_step"] = "random_day"
    """First step of the period, first step of a random day, or any random step."""
    observations: str | list[str] = "minimal"
    """A preset (minimal, citylearn, mahtm, marlem) or a list of observation terms."""
    rewards: dict[str, float] = {"profit": 1.0}
    """Weight of each reward term; a home may have its own."""
    price_observations: Annotated[list[str], Field(min_length=1)] = [
        "hour",
        "hour_of_day",
        "retail",
        "feed_in",
        "emission_factor",
        "deficit",
        "surplus",
        "demand",
        "supply",
        "last_price",
    ]
    """Observation terms of price agents."""
    price_rewards: dict[str, float] = {"community_cost": 1.0}
    """Weight of each reward term of price agents.

    Terms: community_cost, exchange_cost, margin, emissions, peak, self_consumption, fairness."""
    price_agent_rewards: dict[str, dict[str, float]] = {}
    """Reward weights of single price agents by name, where they differ."""
    forecast: Literal["perfect", "persistence", "noisy"] = "perfect"
    forecast_steps: Annotated[int, Field(ge=1, le=96)] = 1
    forecast_noise: NonNegative = 0.1
    """Relative standard deviation of noisy forecasts."""
    profile_noise: NonNegative = 0.0
    """Relative standard deviation of each home's load and PV generation in each step."""
    random_arrival: bool = True
    """Whether orders arrive in random order, for mechanisms with time priority."""
    min_price: float | None = None
    """Lower bound of bids per kWh; defaults to the lowest feed-in price of the period."""
    max_price: float | None = None
    """Upper bound of bids per kWh; defaults to the highest retail price of the period."""
    max_order_kwh: Annotated[float, Field(gt=0)] | None = None
    """Upper bound of an order; defaults to the largest quantity that any home can trade."""
    indicator_window: Annotated[int, Field(ge=2, le=1000)] = 6
    """Steps over which volatility and convergence of prices are measured."""

    @model_validator(mode="after")
    def _check_consistency(self) -> "EnvironmentConfig":
        if self.action_mode == "bid" and self.power_levels is not None:
            raise ValueError("`power_levels` requires action_mode dispatch")
        if (
            self.min_price is not None
            and self.max_price is not None
            and self.min_price >= self.max_price
        ):
            raise ValueError(f"min_price ({self.min_price:g}) must be below max_price")
        return self
