"""The charts and the words about the network: over the day, over distance, and what its operator did."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax import metrics
from prosumax.grid.operator import FEE_TERMS
from prosumax.report import text
from prosumax.metrics import catalog
from prosumax.report.kpi_glossary import KPIEntry, network_entries
from prosumax.report.tables import network_tiles, operator_table
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Choice, Table
from prosumax.viz.network.feeder_map import feeder_map
from prosumax.viz.series import Values, Wires, distances_km, plain, wires
from prosumax.viz.theme import (
    CURVES,
    FAINT,
    INK,
    Option,
    bar,
    base,
    category_axis,
    home_axis,
    nice_axis,
    value_axis,
)

BINS = 8
_NEAR = 80.0  # from this loading on, %, the line at 100 % is drawn
_MOST_ROWS = 40
_TERM_NAMES = {
    "congestion": "full lines, penalties",
    "usage": "use of lines",
    "imbalance": "imbalance",
    "voltage": "voltage drop",
    "thermal": "heat in lines",
    "zone": "zones",
}


class Section(NamedTuple):
    """What is said about the network beside the charts.

    Attributes:
        lead: which network it is and how flows were found.
        warning: of steps without a solution; empty when there are none.
        tiles, facts: figures.
        homes: where each home is.
        operator: sentences about what the operator did.
        income: the operator's money.
    """

    lead: str
    warning: str
    tiles: list[KPIEntry]
    facts: list[KPIEntry]
    homes: Table
    operator: list[str]
    income: Table


def feeder_section(result: Result) -> Section | None:
    """What is said about the network; None where there is none."""
    wired, kpis = wires(result), result.kpis["network"]
    if wired is None or kpis is None:
        return None
    return Section(
        lead=text.network(result),
        warning=text.not_converged(result),
        tiles=network_tiles(result),
        facts=network_entries(result),
        homes=_homes_table(result, wired),
        operator=text.operator(result),
        income=operator_table(result),
    )


def feeder_charts(result: Result) -> list[Chart]:
    """The charts of the network, in the order they are shown; none where there is no network."""
    wired = wires(result)
    if wired is None:
        return []
    charts: list[Chart | None] = []
    if len(wired.steps):
        charts = [feeder_map(result, wired), loading_chart(wired), voltage_chart(wired)]
    charts += [distance_chart(result, wired), fees_chart(result), cut_chart(result)]
    return [chart for chart in charts if chart is not None]


def loading_chart(wired: Wires) -> Chart | None:
    """By local hour: how full the fullest line is, and the fullest transformer, on average and at most."""
    is_transformer = wired.feeder.branches.is_transformer
    kinds = {"line": ~is_transformer & wired.rated, "transformer": is_transformer & wired.rated}
    hours, groups = _by_hour(wired)
    columns: dict[str, Values] = {}
    for name, branches in kinds.items():
        if branches.any():
            fullest = 100 * wired.loading[:, branches].max(1).astype(np.float64)
            columns[f"fullest {name}, mean"] = np.array([fullest[steps].mean() for steps in groups])
            columns[f"fullest {name}, highest"] = np.array(
                [fullest[steps].max() for steps in groups]
            )
    if not columns:
        return None
    labels = [f"{hour:02}:00" for hour in hours]
    looks = dict(
        zip(columns, (0, 1, 4, 3) if "fullest line, mean" in columns else (4, 3), strict=False)
    )
    option = _over_the_day(labels, hours, columns, looks)
    highest = max(float(values.max()) for values in columns.values())
    option["yAxis"] = value_axis(
        "%", **nice_axis(0, max(highest, 100.0 if highest >= _NEAR else 0.0))
    )
    if highest >= _NEAR:
        option["series"][0]["markLine"] = _limits({100: "100 %"})
    told = []
    for name in kinds:
        if (mean := columns.get(f"fullest {name}, mean")) is not None:
            most = columns[f"fullest {name}, highest"]
            at, peak = int(mean.argmax()), int(most.argmax())
            told.append(
                f"The fullest {name} is fullest at {labels[at]}, {_percent(mean[at])} on average; the highest is"
                f" {_percent(most[peak])}, at {labels[peak]}."
            )
    return Chart(
        id="feeder-day",
        title="How full the network is over the day",
        summary=" ".join(told),
        option=option,
        unit="%",
        drawn_as="lines",
        key=[(f"curve-{looks[name]}", name) for name in columns],
        table=Table(
            "Loading by local hour, %",
            ["Hour", *columns],
            [
                [label, *(text.number(v[i], 1) for v in columns.values())]
                for i, label in enumerate(labels)
            ],
        ),
        note="In every step the fullest one counts, wherever it is. 100 %: the most it may carry for long. Local time.",
    )


def voltage_chart(wired: Wires) -> Chart | None:
    """By local hour: lowest, median and highest voltage of all buses; None where there are no voltages."""
    if wired.voltage is None:
        return None
    hours, groups = _by_hour(wired)
    found = 100 * np.array(
        [np.quantile(wired.voltage[steps], [1, 0.5, 0]) for steps in groups], np.float64
    )
    columns = dict(zip(("highest", "median", "lowest"), found.T, strict=True))
    labels = [f"{hour:02}:00" for hour in hours]
    looks = {"highest": 3, "median": 0, "lowest": 1}
    option = _over_the_day(labels, hours, columns, looks)
    low, high = float(columns["lowest"].min()), float(columns["highest"].max())
    close = _around(low, high)
    limits = _around(min(low, 90.0), max(high, 110.0))
    option["yAxis"] = value_axis("% of nominal", **limits)
    option["yAxis"]["nameTextStyle"] |= {"align": "left"}
    option["series"][0]["markLine"] = _limits({90: "90 %", 110: "110 %"})
    said = f"Voltages are between {_percent(low)} (at {labels[int(columns['lowest'].argmin())]}) and {_percent(high)}"
    said += f" (at {labels[int(columns['highest'].argmax())]}) of nominal"
    said += (
        ", inside the band of ±10 %."
        if low >= 90 and high <= 110
        else "; the band of ±10 % is left."
    )
    return Chart(
        id="feeder-voltage",
        title="Voltages over the day",
        summary=said,
        option=option,
        unit="%",
        drawn_as="lines",
        key=[(f"curve-{looks[name]}", name) for name in columns],
        table=Table(
            "Voltage of all buses by local hour, % of nominal",
            ["Hour", *columns],
            [
                [label, *(text.number(v[i], 2) for v in columns.values())]
                for i, label in enumerate(labels)
            ],
        ),
        choices=[
            Choice("the whole band of EN 50160, ±10 %", {"yAxis": limits}),
            Choice("close up", {"yAxis": close}),
        ],
        note="Over all buses and all steps of the hour, local time. EN 50160: within ±10 %, 95 % of each week.",
    )


def distance_chart(result: Result, wired: Wires) -> Chart | None:
    """Energy traded between two homes, by the length of the way between them; None where no trade has a pair."""
    trades: Any = result.trajectory.record.local.trades
    homes = len(result.households)
    kwh = metrics.trade_matrix(
        trades.buyer.astype(int), trades.seller.astype(int), trades.kwh, homes
    )
    traded = float(kwh.sum())
    if traded <= 0:
        return None
    away = distances_km(wired)[:, :homes]
    unit, scale = ("km", 1.0) if away.max() >= 2 else ("m", 1000.0)
    distance, energy = scale * away[kwh > 0], kwh[kwh > 0]
    edges = bins(float(scale * away.max()))
    shares = np.histogram(distance, edges, weights=energy)[0]
    labels = [f"{a:g}–{b:g}" for a, b in zip(edges[:-1], edges[1:], strict=True)]
    option = base("axis") | {
        "xAxis": category_axis(labels),
        "yAxis": value_axis("kWh"),
        "series": [bar("shared", "traded", plain(shares), "energy")],
    }
    option["xAxis"] |= {
        "name": unit,
        "nameLocation": "middle",
        "nameGap": 30,
        "nameTextStyle": {"color": FAINT},
    }
    option["grid"] |= {"bottom": 30}
    option["tooltip"]["axisPointer"] = {"type": "shadow"}
    order = np.argsort(distance)
    half = float(distance[order][np.searchsorted(np.cumsum(energy[order]), traded / 2)])
    said = (
        f"Half of the {text.energy(traded)} that homes trade with each other goes no further than"
    )
    said += f" {text.length(half / scale)}; the mean is {text.length(float(distance @ energy) / traded / scale)}"
    said += f" and the longest way between any two homes {text.length(float(away.max()))}."
    pooled = result.kpis["traded_kwh"] - traded
    note = "Along the lines, by the shortest way; homes on one bus are 0 m apart."
    if pooled > 0.01 * traded:
        note += f" A further {text.energy(pooled)} went through a pool, which has no pairs."
    return Chart(
        id="feeder-distance",
        title=f"How far trades go ({unit})",
        summary=said,
        option=option,
        unit="kWh",
        table=Table(
            "Energy traded between two homes, by distance",
            [f"Distance, {unit}", "kWh"],
            [[label, text.number(share, 1)] for label, share in zip(labels, shares, strict=True)],
            ["All", text.number(traded, 1)],
        ),
        note=note,
    )


def _homes_table(result: Result, wired: Wires) -> Table:
    """Where each home is, and its voltage."""
    away, buses, zones = distances_km(wired)[:, -1], wired.feeder.buses, wired.feeder.zone
    head = ["Home", "bus", "part of the network", "way to the grid above"]
    columns = [
        [buses[bus] for bus in wired.home_bus],
        [zones[bus] for bus in wired.home_bus],
        [text.length(float(km)) for km in away],
    ]
    if wired.voltage is not None and len(wired.steps):
        head += ["lowest voltage", "highest voltage"]
        at_homes = wired.voltage[:, wired.home_bus]
        columns += [
            [text.percent(float(v)) for v in end] for end in (at_homes.min(0), at_homes.max(0))
        ]
    rows = [[home["name"], *(c[i] for c in columns)] for i, home in enumerate(result.households)]
    return Table("Where the homes are", head, rows)


def bins(longest: float) -> NDArray[np.float64]:
    """About eight bins of a round width, from 0 to at least the longest distance."""
    longest = max(longest, 1e-3)
    power = 10.0 ** math.floor(math.log10(longest / BINS))
    width = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power * BINS >= longest * (1 - 1e-9))
    return np.round(np.arange(max(math.ceil(longest / width - 1e-9), 1) + 1) * width, 9)


def fees_chart(result: Result) -> Chart | None:
    """What the operator charged on trades, by term; None where it charges nothing."""
    kpis, currency = result.kpis["network"], result.scenario.tariff.currency
    if not result.scenario.network.operator.fees or kpis is None:
        return None
    fees = {term: catalog.value(kpis, f"fee_{term}") or 0.0 for term in FEE_TERMS}
    # Adding zero turns -0.0 into 0.0.
    amounts = {_TERM_NAMES[term]: round(fee, 2) + 0.0 for term, fee in fees.items()}
    option = base("axis") | {
        "xAxis": value_axis(currency, nameLocation="end", splitNumber=4),
        "yAxis": home_axis(list(amounts), 140),
        "series": [bar("bought", "fees", list(amounts.values()), "fees")],
    }
    option["tooltip"]["axisPointer"] = {"type": "shadow"}
    option["grid"] |= {"right": 44, "top": 10}
    largest = max(amounts, key=lambda name: amounts[name])
    said = f"Homes pay the network operator {text.money(kpis['fees'], currency)} in fees on their trades"
    said += (
        f", most for {largest} ({text.money(amounts[largest], currency)})."
        if amounts[largest] > 0
        else "."
    )
    if (bonus := -min(amounts.values())) >= text.CENT:
        said += f" {text.money(bonus, currency)} come back as a bonus for trades inside a zone."
    rows = [[name, text.number(amount, 2)] for name, amount in amounts.items()]
    foot = ["All", text.number(kpis["fees"], 2)]
    return Chart(
        id="feeder-fees",
        title=f"Fees on trades, by reason ({currency})",
        summary=said,
        option=option,
        unit=currency,
        height_px=300,
        table=Table(f"Fees on trades, {currency}", ["Reason", currency], rows, foot),
        note="The six terms of equation 4 of MARLEM. Imbalance is charged on what is bought from and sold to the grid, "
        "all others on trades between neighbours. Negative: a bonus.",
    )


def cut_chart(result: Result) -> Chart | None:
    """Export that the operator cut, home by home; None where it cut none."""
    grid: Any = result.trajectory.record.grid
    cut = np.asarray(grid.curtailed_kwh, np.float64).sum(0)
    if cut.sum() < 0.05:
        return None
    exported = np.array(
        [home["grid_export_kwh"] + home["sold_locally_kwh"] for home in result.households]
    )
    order = [i for i in np.argsort(-cut, kind="stable").tolist() if cut[i] > 0 or exported[i] > 0][
        :_MOST_ROWS
    ]
    names = [result.households[i]["name"] for i in order]
    option = base("axis", narrow={"yAxis": {"axisLabel": {"width": 84}}})
    option["baseOption"] |= {
        "xAxis": value_axis("kWh", nameLocation="end", splitNumber=4),
        "yAxis": home_axis(names),
        "series": [
            bar("sent", "exported", plain(exported[order]), "e"),
            bar("bought", "cut", plain(cut[order]), "e"),
        ],
    }
    option["baseOption"]["tooltip"]["axisPointer"] = {"type": "shadow"}
    option["baseOption"]["grid"] |= {"right": 44, "top": 10}
    said = f"The operator cuts {text.energy(float(cut.sum()))}, {text.number(100 * cut.sum() / (cut + exported).sum())}"
    said += f" of every 100 kWh that homes would export; most at {names[0]}, {text.energy(float(cut[order[0]]))}."
    rows = [
        [n, text.number(exported[i], 1), text.number(cut[i], 1)]
        for n, i in zip(names, order, strict=True)
    ]
    return Chart(
        id="feeder-cut",
        title="Export that was cut",
        summary=said,
        option=option,
        unit="kWh",
        height_px=64 + 34 * len(names),
        key=[("sent", "exported, to neighbours or the grid"), ("bought", "cut")],
        table=Table("Export of each home, kWh", ["Home", "exported", "cut"], rows),
        note="Only panels can be turned down, not batteries. What was cut is lost.",
    )


def _by_hour(wired: Wires) -> tuple[list[int], list[NDArray[np.int64]]]:
    """The local hours that occur, and the steps of each."""
    hour = np.asarray(wired.local.hour)
    hours = np.unique(hour)
    return hours.tolist(), [np.flatnonzero(hour == each) for each in hours]


def _over_the_day(
    labels: list[str], hours: list[int], columns: dict[str, Values], looks: dict[str, int]
) -> Option:
    ticks = [i for i, hour in enumerate(hours) if hour % 3 == 0] or [0]
    return base("axis") | {
        "xAxis": category_axis(labels, ticks, boundaryGap=False),
        "series": [
            {
                "type": "line",
                "name": name,
                "data": plain(values),
                "symbol": CURVES[looks[name]].symbol,
                "symbolSize": 7,
                "lineStyle": {
                    "color": CURVES[looks[name]].colour,
                    "width": 2,
                    "type": CURVES[looks[name]].dash or "solid",
                },
                "itemStyle": {"color": CURVES[looks[name]].colour},
            }
            for name, values in columns.items()
        ],
    }


def _limits(at: dict[int, str]) -> Option:
    return {
        "symbol": "none",
        "silent": True,
        "data": [{"yAxis": value, "label": {"formatter": label}} for value, label in at.items()],
        "label": {"position": "insideEndTop", "color": INK, "fontSize": 13},
        "lineStyle": {"color": INK, "width": 1.5, "type": [6, 5]},
    }


def _around(low: float, high: float) -> dict[str, float]:
    """An axis around a range that does not include zero."""
    span = nice_axis(0, max(high - low, 0.05))["interval"]
    return {
        "min": round(math.floor(low / span + 1e-9) * span, 6),
        "max": round(math.ceil(high / span - 1e-9) * span, 6),
        "interval": round(span, 6),
    }


def _percent(value: float) -> str:
    return text.percent(float(value) / 100)
