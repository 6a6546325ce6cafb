"""What a run gives back: key figures, a row per home, the time series and the trades."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from prosumax import metrics
from prosumax.metrics.records import CommunityKPIs, HouseholdKPIs
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.hierarchy import HierarchyResult, hierarchy_variables, make_hierarchy
from prosumax.simulation.results.series import SummarySeries, make_summary_series
from prosumax.simulation.rollout import Trajectory
from prosumax.tariff.statement import BillStatement

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

POOL_NAME = "pool"
"""The other side of a trade that went through a common pool."""

_POOL_DUST_KWH = (
    1e-5  # what single precision leaves between a home's total and its bilateral trades
)


@dataclass(frozen=True)
class Result:
    """One run of a scenario.

    Attributes:
        scenario: as it was run, overrides included.
        kpis: key figures of the community by name; `kpis["citylearn"]` holds CityLearn's own set.
        households: one mapping per home, in the scenario's order.
        timing: seconds for reading data, compiling and simulating, and the number of steps.
        notes: what the data reader filled in or changed.
        trajectory: the raw series, NumPy [step, home].
        profiles: the input series and the clock.
        bills: what each home pays, line by line, in the scenario's order.
    """

    scenario: Scenario
    kpis: CommunityKPIs
    households: list[HouseholdKPIs]
    timing: dict[str, Any]
    notes: list[str]
    trajectory: Trajectory
    profiles: Profiles
    bills: list[BillStatement]

    @cached_property
    def timeseries(self) -> "xr.Dataset":
        """Every series of the run, dimensions `time` (UTC, with `local_time` beside it) and `home`."""
        import xarray as xr

        record = self.trajectory.record
        series: dict[str, Any] = {}
        flows = _per_home(record.flows)
        local = {
            "bought_locally_kwh": record.local.bought_kwh,
            "sold_locally_kwh": record.local.sold_kwh,
        }
        for name, values in {**flows, **local}.items():
            text = name.removesuffix("_kwh").replace("_", " ")
            units = {"kh": "K h", "c": "degC", "used": "1", "waiting": "1"}.get(
                name.rsplit("_", 1)[-1], "kWh"
            )
            series[name] = (
                ("time", "home"),
                values.astype(np.float32),
                {"units": units, "long_name": text},
            )
        currency = self.scenario.tariff.currency
        money = {"bill": record.bill.total, "bill_without_exchange": self.trajectory.standalone_bill}
        for name, values in money.items():
            series[name] = (("time", "home"), values.astype(np.float32), {"units": currency})
        for name, price in self.profiles.prices.items():
            units = "kg/kWh" if name == "emission_factor_kg_per_kwh" else f"{currency}/kWh"
            series[f"tariff_{name}"] = (("time",), price.astype(np.float32), {"units": units})
        coordinates: dict[str, Any] = {}
        uses = self.end_use_kwh
        if len(uses.columns):
            series["use_kwh"] = (
                ("home", "use"),
                uses.to_numpy(),
                {"units": "kWh", "long_name": "energy by use"},
            )
            coordinates["use"] = list(uses.columns)
        if record.grid is not None and self.profiles.feeder is not None:
            series |= _network_series(record.grid, self.scenario.network.flow)
            feeder = self.profiles.feeder
            coordinates |= {"bus": list(feeder.buses), "branch": list(feeder.branches.name)}
        if self.hierarchy is not None:
            by_level, microgrids = hierarchy_variables(self.hierarchy, currency)
            series, coordinates = series | by_level, coordinates | microgrids
        clock = {
            "time": self.profiles.index.tz_localize(None).to_numpy(),
            "local_time": (("time",), self.profiles.local_index.tz_localize(None).to_numpy()),
            "home": [home.name for home in self.scenario.homes],
            **coordinates,
        }
        zone = self.scenario.period.time_zone or "none (fixed clock)"
        return xr.Dataset(series, clock, {"scenario": self.scenario.name, "time_zone": zone})

    def to_frame(self) -> "pd.DataFrame":
        """The per-home time series as one long pandas table with `time`, `local_time` and `home` columns."""
        # Without buses, branches and uses, or the table would have a row for every combination.
        others = [
            dim for dim in ("bus", "branch", "use", "microgrid") if dim in self.timeseries.dims
        ]
        series = self.timeseries.drop_dims(others)
        per_home = series.drop_vars([name for name in series if "home" not in series[name].dims])
        return per_home.to_dataframe().reset_index()

    @cached_property
    def end_use_kwh(self) -> "pd.DataFrame":
        """What each home used electricity for, kWh over the period: a row per home, a column per use, largest first.

        Homes whose load comes from a meter or a table have no uses; their rows are empty (NaN).
        """
        import pandas as pd

        names = [home.name for home in self.scenario.homes]
        table = pd.DataFrame(
            [home["uses_kwh"] for home in self.households], index=names, dtype=np.float64
        )
        known = table.notna().any(axis=1)
        table.loc[known] = table.loc[known].fillna(0.0)
        return table[table.sum().sort_values(ascending=False, kind="stable").index]

    @cached_property
    def summary_series(self) -> SummarySeries:
        """What analytics look at."""
        return make_summary_series(self.scenario, self.profiles, self.trajectory.record)

    @cached_property
    def hierarchy(self) -> HierarchyResult | None:
        """The run level by level, in the symbols of MAHTM's table 1; None where no prices are announced."""
        return make_hierarchy(self.scenario, self.profiles, self.trajectory.record)

    @cached_property
    def trades(self) -> "pd.DataFrame":
        """Every local trade: `step`, `time` (UTC), `buyer`, `seller`, `kwh`, `buyer_price`, `seller_price`.

        Energy that went through a common pool has `pool` on the other side: one row for each home that bought from it
        or sold to it.
        """
        import pandas as pd

        local: Any = self.trajectory.record.local
        names = np.array([*(home.name for home in self.scenario.homes), POOL_NAME], dtype=object)
        pool = len(names) - 1
        bilateral, pooled = local.trades, self._pooled()
        steps, slots = np.nonzero(bilateral.kwh > 0)
        picked = [np.asarray(field)[steps, slots] for field in bilateral]
        columns = [(steps, picked[0].astype(int), picked[1].astype(int), *picked[2:])]
        for is_buyer, kwh, money in ((True, pooled[0], pooled[2]), (False, pooled[1], pooled[3])):
            steps, homes = np.nonzero(kwh > _POOL_DUST_KWH)
            amount = kwh[steps, homes]
            price, other = money[steps, homes] / amount, np.full(len(homes), pool)
            columns.append(
                (steps, *((homes, other) if is_buyer else (other, homes)), amount, price, price)
            )
        step, buyer, seller, kwh, buyer_price, seller_price = (
            np.concatenate(parts) for parts in zip(*columns, strict=True)
        )
        table = pd.DataFrame(
            {
                "step": step,
                "time": self.profiles.index[step],
                "buyer": names[buyer],
                "seller": names[seller],
                # Beyond the sixth decimal there is only what single precision leaves.
                "kwh": np.round(np.asarray(kwh, np.float64), 6),
                "buyer_price": np.round(np.asarray(buyer_price, np.float64), 6),
                "seller_price": np.round(np.asarray(seller_price, np.float64), 6),
            }
        )
        return table.sort_values("step", kind="stable", ignore_index=True)

    @cached_property
    def payments(self) -> np.ndarray:
        """Who pays whom for local energy over the period, money [buyer, seller]; pools are attributed pro rata."""
        trades: Any = self.trajectory.record.local.trades
        homes = len(self.scenario.homes)
        money = np.asarray(trades.kwh * trades.buyer_price, dtype=np.float64)
        _, _, paid, earned = self._pooled()
        bilateral = metrics.trade_matrix(
            trades.buyer.astype(int), trades.seller.astype(int), money, homes
        )
        return bilateral + metrics.payment_matrix(paid, earned)

    def _pooled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What went through pools: bought and sold kWh, paid and earned money, [step, home]."""
        local: Any = self.trajectory.record.local
        totals = [np.array(part, dtype=np.float64) for part in local[:4]]
        trades = local.trades
        if trades.kwh.shape[1]:
            steps = np.arange(len(trades.kwh))[:, None]
            amounts = (
                trades.kwh,
                trades.kwh,
                trades.kwh * trades.buyer_price,
                trades.kwh * trades.seller_price,
            )
            for total, home, amount in zip(
                totals, (trades.buyer, trades.seller) * 2, amounts, strict=True
            ):
                np.subtract.at(total, (steps, home.astype(int)), amount)
            pooled_kwh = totals[0] > _POOL_DUST_KWH, totals[1] > _POOL_DUST_KWH
            totals = [
                np.where(pooled_kwh[side % 2], total, 0.0) for side, total in enumerate(totals)
            ]
        return totals[0], totals[1], totals[2], totals[3]


def _per_home(flows: Any) -> dict[str, Any]:
    """Every series of the meters and devices, [step, home]: those of devices under the device's name."""
    series = {
        name: values
        for name, values in flows._asdict().items()
        if name != "devices" and values is not None
    }
    for device, part in () if flows.devices is None else flows.devices._asdict().items():
        for name, values in () if part is None else part._asdict().items():
            # Of appliances all of a home together: they have no names of their own.
            series[f"{device}_{name}"] = values if values.ndim == 2 else values.sum(-1)
    return series


def _network_series(grid: Any, flow: str) -> dict[str, Any]:
    """Series of the network, each with its dimensions and unit; flow `path` knows no voltages."""
    described = {
        "voltage": (("time", "bus"), "pu"),
        "loading": (("time", "branch"), "1"),
        "loss_kwh": (("time",), "kWh"),
        "source_kwh": (("time",), "kWh"),
        "residual": (("time",), "pu"),
    }
    return {
        f"network_{name}": (dims, np.asarray(getattr(grid, name), np.float32), {"units": units})
        for name, (dims, units) in described.items()
        if flow != "path" or name != "voltage"
    }
