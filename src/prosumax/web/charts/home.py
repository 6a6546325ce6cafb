"""Charts of page two, which shows one home on one day."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.viz.chart import Figure, LegendEntry, Table
from prosumax.viz.compact import (
    Bar,
    BarGroup,
    BarSegment,
    Curve,
    grouped_bars,
    labeled_bars,
    labeled_stacks,
    lines_with_strip,
)
from prosumax.viz.theme import INK, MUTED, PAPER, Theme
from prosumax.web.charts.clock import clock_data, clock_figure
from prosumax.web.charts.common import RenderedChart, page_chart, page_theme
from prosumax.web.model.translations import Translator

Series = NDArray[np.float64]

_STEPS_PER_HOUR = 4
_BALANCE_PARTS = {
    "direct": ("pv", INK),
    "battery": ("battery", PAPER),
    "bought": ("grid_import", PAPER),
    "sent": ("grid_export", PAPER),
}
"""Meaning and color of the numbers of each part of the day's energy."""


class HomePower(NamedTuple):
    """Power of one day.

    Attributes:
        load: Load, kW [96].
        solar: PV generation, kW [96].
        soc: State of charge, 0 to 1 [96]; None without a battery.
    """

    load: Series
    solar: Series
    soc: Series | None


class HomeEnergy(NamedTuple):
    """Energy of one day by origin and destination, kWh.

    Attributes:
        direct: PV generation used in the same step.
        from_battery: Load supplied by the battery.
        imported: Load supplied by the grid.
        to_battery: PV generation charged into the battery.
        exported: PV generation sent to the grid.
    """

    direct: float
    from_battery: float
    imported: float
    to_battery: float
    exported: float

    @property
    def load(self) -> float:
        """Load of the home."""
        return self.direct + self.from_battery + self.imported

    @property
    def generation(self) -> float:
        """PV generation of the home."""
        return self.direct + self.to_battery + self.exported


def power_profile(
    tr: Translator,
    power: HomePower,
    top_kw: float,
    previous: HomePower | None = None,
    marked_step: int | None = None,
) -> RenderedChart:
    """Draw load, PV generation and state of charge over the day (chart A).

    Args:
        tr: Translator of the page's language.
        power: Power of the day.
        top_kw: End of the axis; it stays the same while a slider moves, so that shapes can be
            compared.
        previous: Power before the last change of a setting, drawn in gray.
        marked_step: Quarter-hour marked by a line.
    """
    table = profile_data(power, top_kw, previous, marked_step)
    return page_chart(profile_figure(table, page_theme(tr.lang), tr))


def profile_data(
    power: HomePower, top_kw: float, previous: HomePower | None, marked_step: int | None
) -> pd.DataFrame:
    """Return `load_kw` and `solar_kw` by step, and `soc`, `previous_load_kw`, `previous_solar_kw`.

    The last three are columns only where there is a battery or a previous setting.

    Args:
        power: Power of the day.
        top_kw: End of the axis.
        previous: Power before the last change of a setting.
        marked_step: Quarter-hour marked by a line.
    """
    columns = {"step": np.arange(len(power.load)), "load_kw": power.load, "solar_kw": power.solar}
    if power.soc is not None:
        columns["soc"] = power.soc
    if previous is not None:
        columns |= {"previous_load_kw": previous.load, "previous_solar_kw": previous.solar}
    table = pd.DataFrame(columns)
    table.attrs |= {"top_kw": top_kw, "marked_step": marked_step}
    return table


def profile_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw load and PV generation with their overlap, and the state of charge in a strip below.

    Args:
        table: Table of `profile_data`.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    load = theme.meanings["load"].color
    solar = theme.meanings["pv"].color
    has_panels = bool(table["solar_kw"].any())
    overlap = table[["load_kw", "solar_kw"]].min(axis=1).to_numpy()

    def kw(name: str) -> Series | None:
        return table[name].to_numpy() if name in table else None

    curves = [
        _curve(
            tr("home.panels_make"),
            kw("solar_kw") if has_panels else None,
            solar,
            width=3,
            dash=True,
            fill=0.25,
        ),
        _curve(tr("home.used_directly"), overlap if has_panels else None, load, width=0, fill=0.35),
        _curve(tr("home.you_use"), kw("load_kw"), load, width=2.5),
        _curve(tr("home.before_use"), kw("previous_load_kw"), MUTED, width=1.5),
        _curve(tr("home.before_solar"), kw("previous_solar_kw"), MUTED, width=1.5, dash=True),
    ]
    soc = kw("soc")
    strip = _curve(
        tr("home.battery_charge"),
        None if soc is None else 100 * soc,
        theme.meanings["battery"].color,
        width=2,
        fill=0.45,
    )
    legend = [
        LegendEntry("line-load", tr("home.you_use")),
        LegendEntry("dash-pv", tr("home.panels_make")),
        LegendEntry("area-overlap", tr("home.used_directly")),
    ]
    return Figure(
        id="power-profile",
        title=tr("home.when_title"),
        summary=_profile_sentence(table, tr),
        option=lines_with_strip(
            curves,
            strip,
            unit="kW",
            highest=table.attrs["top_kw"],
            marked=(2, table.attrs["marked_step"]),
            theme=theme,
        ),
        unit="kW",
        legend=legend if has_panels else legend[:1],
        table=_profile_numbers(table, tr),
    )


def _curve(
    name: str,
    values: Series | None,
    color: str,
    *,
    width: float,
    dash: bool = False,
    fill: float = 0.0,
) -> Curve:
    return Curve(
        name,
        [] if values is None else values.round(3).tolist(),
        color,
        width,
        [7, 4] if dash else "solid",
        fill=fill,
        interactive=False,
    )


def reading_text(tr: Translator, power: HomePower, step: int) -> str:
    """Describe load and PV generation of one quarter-hour in a sentence.

    Args:
        tr: Translator of the page's language.
        power: Power of the day.
        step: Index of the quarter-hour.
    """
    return tr(
        "home.reading" if power.solar.any() else "home.reading_no_panels",
        time=tr.time(step / _STEPS_PER_HOUR),
        use=tr.kw(float(power.load[step])),
        solar=tr.kw(float(power.solar[step])),
    )


def _profile_sentence(table: pd.DataFrame, tr: Translator) -> str:
    load = table["load_kw"]
    solar = table["solar_kw"]
    peak = int(load.argmax())
    values = {"use": tr.kw(float(load[peak])), "use_time": tr.time(peak / _STEPS_PER_HOUR)}
    if not solar.any():
        return tr("home.when_no_panels", **values)
    solar_peak = int(solar.argmax())
    return tr(
        "home.when",
        solar=tr.kw(float(solar[solar_peak])),
        solar_time=tr.time(solar_peak / _STEPS_PER_HOUR),
        **values,
    )


def _profile_numbers(table: pd.DataFrame, tr: Translator) -> Table:
    """Return the hourly means, and the state of charge at the end of each hour."""
    hourly = clock_data(table["load_kw"].to_numpy(), table["solar_kw"].to_numpy())
    head = [tr("home.hour"), f"{tr('home.you_use')} (kW)", f"{tr('home.panels_make')} (kW)"]
    rows = [
        [f"{tr.time(hour)}–{tr.time(hour + 1)}", tr.number(load, 2), tr.number(solar, 2)]
        for hour, load, solar in zip(
            hourly["hour"], hourly["load_kw"], hourly["solar_kw"], strict=True
        )
    ]
    if "soc" in table:
        head.append(tr("home.battery_charge"))
        ends = table["soc"].iloc[_STEPS_PER_HOUR - 1 :: _STEPS_PER_HOUR]
        for row, soc in zip(rows, ends, strict=True):
            row.append(tr.percent(float(soc)))
    return Table(tr("home.when_caption"), head, rows)


def energy_balance(tr: Translator, energy: HomeEnergy) -> RenderedChart:
    """Draw origin and destination of the day's energy as stacked bars (chart B).

    Args:
        tr: Translator of the page's language.
        energy: Energy of the day.
    """
    return page_chart(balance_figure(balance_data(energy), page_theme(tr.lang), tr))


def balance_data(energy: HomeEnergy) -> pd.DataFrame:
    """Return the kWh of each part of the load (`you_use`) and the generation (`panels_make`).

    Args:
        energy: Energy of the day.
    """
    return pd.DataFrame(
        {
            "part": list(_BALANCE_PARTS),
            "you_use": [energy.direct, energy.from_battery, energy.imported, 0.0],
            "panels_make": [energy.direct, energy.to_battery, 0.0, energy.exported],
        }
    )


def balance_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw a bar for the load and one for the generation.

    Args:
        table: Table of `balance_data`.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    bars = ("you_use", "panels_make")
    parts = []
    legend = []
    for part, *kwh in zip(*(table[column] for column in ("part", *bars)), strict=True):
        meaning, ink = _BALANCE_PARTS[part]
        name = tr(f"home.{part}")
        parts.append(BarSegment(name, kwh, theme.meanings[meaning], ink))
        if sum(kwh) > 0.005:
            legend.append(LegendEntry(f"bar-{meaning}", name))
    return Figure(
        id="energy-balance",
        title=tr("home.balance_title"),
        summary=_balance_sentence(table, tr),
        option=labeled_stacks(
            parts,
            [tr(f"home.{bar}") for bar in bars],
            total=max(*(float(table[bar].sum()) for bar in bars), 0.1),
            unit="kWh",
            theme=theme,
        ),
        unit="kWh",
        legend=legend,
        table=_balance_numbers(table, tr),
    )


def _balance_sentence(table: pd.DataFrame, tr: Translator) -> str:
    used = float(table["you_use"].sum())
    made = float(table["panels_make"].sum())
    if made <= 0:
        return tr("home.balance_no_panels", used=tr.kwh(used))
    direct, to_battery, _, exported = table["panels_make"].tolist()
    return tr(
        "home.balance",
        made=tr.kwh(made),
        kept=tr.kwh(direct + to_battery),
        sent=tr.kwh(exported),
        bought=tr.kwh(float(table["you_use"].iloc[2])),
    )


def _balance_numbers(table: pd.DataFrame, tr: Translator) -> Table:
    # One decimal more than in the chart, so that the sums can be checked.
    impossible = {"you_use": "sent", "panels_make": "bought"}
    rows = []
    for bar, missing in impossible.items():
        cells = [
            "–" if part == missing else tr.number(kwh, 2)
            for part, kwh in zip(table["part"], table[bar], strict=True)
        ]
        rows.append([tr(f"home.{bar}"), tr.number(float(table[bar].sum()), 2), *cells])
    head = ["", tr("home.in_all"), *(tr(f"home.{part}") for part in table["part"])]
    return Table(tr("home.balance_caption"), head, rows)


def monthly_energy(
    tr: Translator, names: Sequence[str], load_kwh: Series, solar_kwh: Series
) -> RenderedChart:
    """Draw load and PV generation of the months of a year (chart C).

    Args:
        tr: Translator of the page's language.
        names: Abbreviated names of the months.
        load_kwh: Load of each month [12].
        solar_kwh: PV generation of each month [12].
    """
    table = pd.DataFrame({"month": list(names), "load_kwh": load_kwh, "solar_kwh": solar_kwh})
    return page_chart(months_figure(table, page_theme(tr.lang), tr))


def months_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw two bars per month.

    Args:
        table: `month`, `load_kwh` and `solar_kwh`.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    load_kwh = table["load_kwh"].to_numpy()
    solar_kwh = table["solar_kwh"].to_numpy()
    load_name = tr("home.you_use")
    solar_name = tr("home.panels_make")
    sentence = tr(
        "home.months" if solar_kwh.any() else "home.months_no_panels",
        n=int((solar_kwh > load_kwh).sum()),
        used=tr.kwh(float(load_kwh.sum())),
        made=tr.kwh(float(solar_kwh.sum())),
    )
    groups = [
        BarGroup(load_name, load_kwh, theme.meanings["load"].color),
        BarGroup(solar_name, solar_kwh, theme.meanings["pv"].color, dashed=True),
    ]
    return Figure(
        id="monthly-energy",
        title=tr("home.months_title"),
        summary=sentence,
        option=grouped_bars(groups, list(table["month"]), unit="kWh", theme=theme),
        unit="kWh",
        legend=[LegendEntry("bar-load", load_name), LegendEntry("bar-pv", solar_name)],
        table=Table(
            tr("home.months_caption"),
            [tr("home.month"), f"{load_name} (kWh)", f"{solar_name} (kWh)"],
            [
                [month, tr.number(load), tr.number(solar)]
                for month, load, solar in zip(table["month"], load_kwh, solar_kwh, strict=True)
            ],
        ),
    )


def daily_bill(tr: Translator, baseline: float, bill: float) -> RenderedChart:
    """Draw the day's bill against the bill without PV and battery (chart D).

    Args:
        tr: Translator of the page's language.
        baseline: Bill without PV and battery, EUR.
        bill: Bill of the home, EUR.
    """
    table = pd.DataFrame({"case": ["bill_before", "bill_after"], "bill": [baseline, bill]})
    return page_chart(bill_figure(table, page_theme(tr.lang), tr))


def bill_figure(table: pd.DataFrame, theme: Theme, tr: Translator) -> Figure:
    """Draw a hollow bar for the bill before and a filled one for the bill after.

    Args:
        table: `case` and `bill`, EUR.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
    """
    before, after = (tr(f"home.{case}") for case in table["case"])
    baseline, bill = table["bill"].tolist()
    load = theme.meanings["load"].color
    return Figure(
        id="daily-bill",
        title=tr("home.bill_title"),
        summary=bill_sentence(tr, baseline, bill),
        option=labeled_bars(
            [Bar(before, baseline, PAPER, INK), Bar(after, bill, load, load)],
            tr("home.bill"),
            low=round(1.15 * min(0.0, baseline, bill), 2),
            high=round(1.1 * max(baseline, bill, 0.5), 2),
            unit="€",
            theme=theme,
        ),
        unit="EUR",
        table=Table(
            tr("home.bill_caption"),
            ["", "EUR"],
            [[before, tr.euro(baseline)], [after, tr.euro(bill)]],
        ),
    )


def bill_sentence(tr: Translator, baseline: float, bill: float) -> str:
    """Describe the difference between two bills in one sentence.

    Args:
        tr: Translator of the page's language.
        baseline: Bill without PV and battery, EUR.
        bill: Bill of the home, EUR.
    """
    saving = round(baseline, 2) - round(bill, 2)
    if abs(saving) < 0.005:
        return tr("home.bill_same")
    return tr("home.bill_less" if saving > 0 else "home.bill_more", amount=tr.euro(abs(saving)))


def day_clock(tr: Translator, power: HomePower) -> RenderedChart:
    """Draw load and PV generation of the day as a clock (chart E).

    Args:
        tr: Translator of the page's language.
        power: Power of the day.
    """
    profile = profile_data(power, 0.0, None, None)
    figure = clock_figure(
        clock_data(power.load, power.solar),
        page_theme(tr.lang),
        tr,
        _profile_sentence(profile, tr),
        _profile_numbers(profile, tr),
    )
    return page_chart(figure)


def headline(
    tr: Translator,
    self_sufficiency: float,
    load_kwh: float,
    solar_kwh: float,
    bill: float,
    baseline: float,
) -> str:
    """Summarize the day in one sentence.

    Args:
        tr: Translator of the page's language.
        self_sufficiency: Share of the load that was not imported, 0 to 1.
        load_kwh: Load of the day.
        solar_kwh: PV generation of the day.
        bill: Bill of the home, EUR.
        baseline: Bill without PV and battery, EUR.
    """
    if solar_kwh <= 0:
        return tr("home.headline_no_panels", used=tr.kwh(load_kwh), bill=tr.euro(bill))
    return tr(
        "home.headline" if round(bill, 2) >= 0 else "home.headline_earns",
        share=tr.percent(self_sufficiency),
        bill=tr.euro(abs(bill)),
        before=tr.euro(baseline),
    )
