"""The result of a run: KPIs, households, bills, time series and trades."""

from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.metrics.records import CommunityKPIs, HouseholdKPIs
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.dataset import dataset_to_frame, make_dataset
from prosumax.simulation.results.events import EventEffect
from prosumax.simulation.results.hierarchy import HierarchyResult, make_hierarchy
from prosumax.simulation.results.series import SummarySeries, make_summary_series
from prosumax.simulation.results.trades import make_payment_matrix, make_trade_table
from prosumax.simulation.rollout import Trajectory
from prosumax.tariff.statement import BillStatement

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from prosumax.viz.plotting import ResultPlots

Array = NDArray[np.float64]


class RunArrays(NamedTuple):
    """Arrays of a run, which are not stored on disk.

    Attributes:
        trajectory: Results of all steps as NumPy arrays.
        profiles: Input series.
    """

    trajectory: Trajectory
    profiles: Profiles


class StoredSeries(NamedTuple):
    """Series of a run that was loaded from disk.

    Attributes:
        dataset: Time series.
        trades: Local trades.
    """

    dataset: "xr.Dataset"
    trades: "pd.DataFrame"


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a run of a scenario.

    Attributes:
        scenario: Scenario of the run, overrides included.
        kpis: KPIs of the community by name; `kpis["citylearn"]` has those of CityLearn.
        households: KPIs of each home, in the order of the scenario.
        timing: Seconds of reading data, compiling and simulating, and the number of steps.
        notes: Remarks on data and results for the user.
        bills: Itemized bill of each home, in the order of the scenario.
        events: Events of the scenario with their effects, in the order of their start.
        arrays: Arrays of the run; None for a result that was loaded from disk.
        stored: Series loaded from disk; None for the result of a run.
    """

    scenario: Scenario
    kpis: CommunityKPIs
    households: list[HouseholdKPIs]
    timing: dict[str, float]
    notes: list[str]
    bills: list[BillStatement]
    events: list[EventEffect] = field(default_factory=list)
    arrays: RunArrays | None = None
    stored: StoredSeries | None = None

    def __repr__(self) -> str:
        scenario = self.scenario
        return (
            f"Result({scenario.name!r}, mechanism={scenario.market.mechanism!r}, "
            f"homes={len(scenario.homes)}, steps={scenario.period.steps}, "
            f"cost={self.kpis['cost']:.2f})"
        )

    @classmethod
    def load(cls, folder: str | Path) -> "Result":
        """Load a result that was stored by `save` or the command line.

        Time series, trades, KPIs, households and bills are restored; `trajectory`, `profiles` and
        what is computed from them (`summary_series`, `hierarchy`, `payments`) are not.

        Args:
            folder: Folder of the result.

        Raises:
            InputError: The folder holds no complete result of a run.
        """
        from prosumax.simulation.results.store import load_result

        return load_result(Path(folder))

    def save(self, folder: str | Path) -> Path:
        """Store the result in a folder.

        Args:
            folder: New or empty folder, or one with an earlier result, which is replaced.

        Returns:
            The folder.

        Raises:
            InputError: The folder cannot be written, or holds something else.
        """
        from prosumax.simulation.results.store import save_result

        return save_result(self, Path(folder))

    def to_xarray(self) -> "xr.Dataset":
        """Return the time series as a data set, with dimensions `time` (UTC) and `home`."""
        return self.timeseries

    def to_frame(self) -> "pd.DataFrame":
        """Return the time series of the homes as a long table.

        The columns are `time` (UTC), `home`, `local_time` and one per series.
        """
        return dataset_to_frame(self.timeseries)

    @property
    def trajectory(self) -> Trajectory:
        """Results of all steps as NumPy arrays [step, home].

        Raises:
            InputError: The result was loaded from disk.
        """
        return self._require_arrays("trajectory").trajectory

    @property
    def profiles(self) -> Profiles:
        """Input series of the run.

        Raises:
            InputError: The result was loaded from disk.
        """
        return self._require_arrays("profiles").profiles

    @cached_property
    def timeseries(self) -> "xr.Dataset":
        """All time series with their units; dimensions `time` (UTC), `home` and others."""
        if self.stored is not None:
            return self.stored.dataset
        return make_dataset(
            self.scenario, self.profiles, self.trajectory, self.end_use_kwh, self.hierarchy
        )

    @cached_property
    def end_use_kwh(self) -> "pd.DataFrame":
        """Energy of each home (rows) by end use (columns, largest first) over the period.

        Rows of homes whose load comes from a meter or a table are NaN.
        """
        import pandas as pd

        names = [home.name for home in self.scenario.homes]
        uses = [home["end_use_kwh"] for home in self.households]
        table = pd.DataFrame(uses, index=names, dtype=np.float64)
        has_uses = table.notna().any(axis=1)
        table.loc[has_uses] = table.loc[has_uses].fillna(0.0)
        return table[table.sum().sort_values(ascending=False, kind="stable").index]

    @cached_property
    def trades(self) -> "pd.DataFrame":
        """Local trades in the order of steps.

        The columns are `step`, `time` (UTC), `buyer`, `seller`, `kwh`, `buyer_price` and
        `seller_price`. A trade with a common pool has `pool` as buyer or seller, with one row per
        home and step.
        """
        if self.stored is not None:
            return self.stored.trades
        homes = [home.name for home in self.scenario.homes]
        return make_trade_table(self.trajectory.record.local, homes, self.profiles.index)

    @cached_property
    def payments(self) -> Float[Array, "buyer seller"]:
        """Payments for local energy over the period, in money; pools are shared pro rata."""
        return make_payment_matrix(self.trajectory.record.local, len(self.scenario.homes))

    @cached_property
    def summary_series(self) -> SummarySeries:
        """Totals of the community in each step, and energy by pair of homes."""
        return make_summary_series(self.scenario, self.profiles, self.trajectory.record)

    @property
    def plot(self) -> "ResultPlots":
        """Charts of the run: `result.plot.bills()`; see `prosumax.viz`."""
        # The charts are in a room above this one, so they are resolved when they are used.
        plots: ResultPlots = import_module("prosumax.viz.plotting").ResultPlots(self)
        return plots

    @cached_property
    def hierarchy(self) -> HierarchyResult | None:
        """Results by layer in the symbols of MAHTM's table 1; None without posted prices."""
        return make_hierarchy(self.scenario, self.profiles, self.trajectory.record)

    def _require_arrays(self, attribute: str) -> RunArrays:
        if self.arrays is None:
            raise InputError(
                f"result.{attribute}",
                "the attribute is not part of a result that was loaded from disk",
                "Run the scenario again: prosumax.run(result.scenario).",
            )
        return self.arrays
