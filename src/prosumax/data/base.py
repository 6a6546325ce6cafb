"""Interface of a data source: its fields in a scenario, and the reading of its series."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import ConfigDict

from prosumax.config import StrictModel
from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.data.seeds import derive_seed
from prosumax.errors import InputError

Array = NDArray[np.float64]
T = TypeVar("T")
S = TypeVar("S", bound=StrictModel)

SourceUse = Literal["load", "solar", "price", "emission_factor", "power_limit"]
"""Quantity of a source: energy in kWh per step, a price or kg CO2 per kWh, or a limit in kW."""

_SEED_PURPOSES = {"load": 1, "weather": 2, "days": 3, "prices": 4, "pv": 5, "market": 6}
"""Numbers of the purposes of seeds; another purpose takes its number from its name."""


class Site(NamedTuple):
    """Geographic location of a community.

    Attributes:
        latitude_deg: Latitude, degrees north.
        longitude_deg: Longitude, degrees east.
        altitude_m: Altitude above sea level, m.
    """

    latitude_deg: float
    longitude_deg: float
    altitude_m: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SourceContext:
    """Period, site, seeds and settings that a source is read for.

    The fields from `use` on differ between the series of a scenario; the others are shared.

    Attributes:
        scenario_name: Name of the scenario, for messages.
        index: Step starts, UTC.
        local_index: Step starts in the time zone of the scenario.
        step_hours: Length of a step, h.
        time_zone: IANA name of the time zone of the scenario.
        scenario_seed: Seed of the scenario; sources use `seed` and `community_seed`.
        location: Location of the community; sources use `site`, which reports a missing one.
        sky: Source of the weather; other sources use `weather`.
        sections: Sections of the scenario by name, such as `generation`.
        data_dir: Folder to search for data sets before the cache.
        notes: Remarks on the data for the user, see `note`.
        use: Quantity that the source is read as.
        where: Scenario field of the source, for messages.
        home: Number of the home; 0 for a price.
        excluded_uses: End uses of the home that its flexible appliances replace.
        end_use_kwh: Energy of the home over the period by end use, see `record_end_uses`.
    """

    scenario_name: str
    index: pd.DatetimeIndex
    local_index: pd.DatetimeIndex
    step_hours: float
    time_zone: str
    scenario_seed: int
    location: Site | None
    sky: "WeatherSource"
    sections: Mapping[str, StrictModel]
    data_dir: Path | None
    notes: list[str] = field(default_factory=list)
    use: SourceUse = "load"
    where: str = ""
    home: int = 0
    excluded_uses: tuple[str, ...] = ()
    end_use_kwh: dict[str, float] = field(default_factory=dict)
    _shared: dict[str, object] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Number of steps of the period."""
        return len(self.index)

    @property
    def quantity(self) -> Literal["energy", "rate"]:
        """Energy, which is summed over time, or a rate per kWh, which is averaged."""
        return "energy" if self.use in ("load", "solar") else "rate"

    @property
    def site(self) -> Site:
        """Location of the community.

        Raises:
            InputError: The scenario has no location.
        """
        if self.location is None:
            raise InputError(
                self.where,
                "the source needs a location",
                "Add `location` with latitude_deg and longitude_deg to the scenario.",
            )
        return self.location

    def section(self, name: str, kind: type[S]) -> S:
        """Return a section of the scenario.

        Args:
            name: Field of the scenario.
            kind: Model of the section.

        Raises:
            InputError: The scenario does not have the section.
        """
        section = self.sections.get(name)
        if not isinstance(section, kind):
            raise InputError(self.where, f"the source requires section `{name}`", "Add it.")
        return section

    def note(self, *texts: str) -> None:
        """Add remarks on the data for the user, such as filled gaps."""
        self.notes.extend(texts)

    def record_end_uses(self, end_use_kwh: Mapping[str, float]) -> None:
        """Record the energy of the home over the period by end use, kWh."""
        self.end_use_kwh.update(end_use_kwh)

    def seed(self, purpose: str) -> int:
        """Return the seed of the home for a purpose.

        Args:
            purpose: Name that tells independent random numbers of a home apart, such as `load`.
        """
        return self.community_seed(purpose, self.home)

    def community_seed(self, purpose: str, number: int = 0) -> int:
        """Return a seed that all homes share.

        Args:
            purpose: Name that tells independent random numbers apart, such as `weather`.
            number: Number of the seed, such as one per day.
        """
        known = _SEED_PURPOSES.get(purpose)
        if known is None:
            known = int.from_bytes(sha256(purpose.encode()).digest()[:8], "big")
        return derive_seed(self.scenario_seed, number, known)

    def weather(self, *, at_home: bool = False) -> WeatherSeries:
        """Return the weather of the scenario.

        Args:
            at_home: Whether to return the weather of the home, whose clouds differ from those of
                the other homes if the weather is random.

        Raises:
            InputError: The scenario has no location, or the weather cannot be read.
        """
        return self.sky.read(self, self.seed("pv") if at_home else None)

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """Return a value that all sources of the scenario share.

        Args:
            name: Name of the value.
            compute: Function that computes it; called once for a scenario.
        """
        if name not in self._shared:
            self._shared[name] = compute()
        return cast("T", self._shared[name])


class Source(StrictModel):
    """Source of a load, PV generation or a price; the fields of a subclass are its settings.

    Attributes:
        needs_location: Whether the scenario must have a location.
        step_minutes: Step length that the source generates, min; None for any.
        required_section: Section that the scenario must have; None for no section.
        has_registers: Whether a price is constant within each register of a meter, as net metering
            requires.
    """

    # The schema of a source has no open parts, and an error in it belongs to its file.
    model_config = ConfigDict(defer_build=False)

    needs_location: ClassVar[bool] = False
    step_minutes: ClassVar[int | None] = None
    required_section: ClassVar[str | None] = None
    has_registers: ClassVar[bool] = False

    source: str

    @abstractmethod
    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Read or generate the series.

        Args:
            context: Period, site, seeds and settings.

        Returns:
            The quantity `context.use`: energy in kWh per step, a price per kWh, or an emission
            factor in kg CO2 per kWh.

        Raises:
            InputError: The data cannot be read or does not match the period.
        """


class WeatherSource(StrictModel):
    """Source of the weather that PV systems and heat pumps depend on.

    Attributes:
        is_random: Whether the weather depends on the seed of the scenario and differs between
            homes.
    """

    model_config = ConfigDict(defer_build=False)

    is_random: ClassVar[bool] = False

    source: str

    @abstractmethod
    def read(self, context: SourceContext, site_seed: int | None) -> WeatherSeries:
        """Read or generate the weather.

        Args:
            context: Period, site and seeds.
            site_seed: Seed of the cloud variability of one site; None for the shared weather.

        Raises:
            InputError: The data cannot be read.
        """

    def cache_key(self, context: SourceContext) -> dict[str, object]:
        """Return everything but period and site that the weather depends on, as JSON values.

        Args:
            context: Period, site and seeds.

        Raises:
            InputError: The data cannot be read.
        """
        return self.model_dump(mode="json")

    def remarks(self, context: SourceContext) -> list[str]:
        """Return remarks on the weather for the user.

        Args:
            context: Period, site and seeds.
        """
        return []
