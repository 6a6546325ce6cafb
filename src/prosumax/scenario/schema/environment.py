"""What a person writes about a community as an environment for agents: what they do, see and are paid."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.scenario.schema.base import StrictModel, NonNegative


class EnvironmentConfig(StrictModel):
    """Actions, observations, rewards and episodes; see docs/environment.md."""

    action_mode: Literal["dispatch", "bid"] = "dispatch"
    """Whether an agent steers its battery, or names price, quantity, side and partner of its order."""
    power_levels: Annotated[int, Field(ge=2, le=1001)] | None = None
    """Style dispatch with so many powers to choose from instead of a continuous one; an odd number has a true zero."""
    max_power_fraction: Annotated[float, Field(ge=1, le=10)] = 1.0
    """The outermost level, as a share of the battery's power; more than 1 asks for what it cannot do."""
    episode_steps: Annotated[int, Field(ge=1)] = 24
    episode_start: Literal["first", "days", "any"] = "days"
    """Where episodes begin: at the first step, at a random day's first step, or anywhere."""
    observations: str | list[str] = "minimal"
    """A preset (minimal, citylearn, mahtm, marlem) or a list of terms."""
    rewards: dict[str, float] = {"profit": 1.0}
    """Weight of each reward term; a home may have its own."""
    price_observations: Annotated[list[str], Field(min_length=1)] = [
        *(
            "hour",
            "hour_of_day",
            "retail",
            "feed_in",
            "carbon",
            "need",
            "spare",
            "demand",
            "supply",
            "last_price",
        )
    ]
    """What price agents see."""
    price_rewards: dict[str, float] = {"community_cost": 1.0}
    """Weight of each goal of price agents: community_cost, exchange, margin, carbon, peak, self_consumption or
    fairness."""
    price_agent_rewards: dict[str, dict[str, float]] = {}
    """Of single price agents by name, where theirs differ."""
    forecast: Literal["perfect", "persistence", "noisy"] = "perfect"
    forecast_steps: Annotated[int, Field(ge=1, le=96)] = 1
    forecast_noise: NonNegative = 0.1
    """Relative standard deviation of noisy forecasts."""
    profile_noise: NonNegative = 0.0
    """Relative standard deviation of every home's load and sun around its series, drawn anew in each step."""
    random_arrival: bool = True
    """Whether orders arrive in random order, for rules in which that matters."""
    min_price: float | None = None
    max_price: float | None = None
    """Bounds of bids per kWh; the lowest feed-in and the highest retail price of the period when absent."""
    max_order_kwh: Annotated[float, Field(gt=0)] | None = None
    """Bound of an order's quantity; the most that any home could ever want when absent."""
    indicator_window: Annotated[int, Field(ge=2, le=1000)] = 6
    """Steps over which volatility and convergence are measured."""

    @model_validator(mode="after")
    def _consistent(self) -> "EnvironmentConfig":
        if self.action_mode == "bid" and self.power_levels is not None:
            raise ValueError("`levels` belongs to control dispatch")
        if (
            self.min_price is not None
            and self.max_price is not None
            and self.min_price >= self.max_price
        ):
            raise ValueError(f"lowest_price ({self.min_price:g}) must be below highest_price")
        return self
