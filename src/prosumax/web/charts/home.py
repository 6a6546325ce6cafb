"""Charts of page two, which shows one home on one day."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.web.charts.clock import clock_legend, clock_option
from prosumax.web.charts.common import (
    DECALS,
    EXPORT_COLOR,
    FORMATTERS,
    IMPORT_COLOR,
    INK,
    LOAD_COLOR,
    MUTED,
    PAPER,
    SOLAR_COLOR,
    STORAGE_COLOR,
    ChartTable,
    LegendItem,
    Option,
    RenderedChart,
    axis_label,
    base_option,
    time_axis,
    tooltip,
    value_axis,
    value_label,
)
from prosumax.web.model.translations import Translator

Series = NDArray[np.float64]

_STEPS_PER_HOUR = 4
_LABEL_SHARE = 0.1  # smallest share of a bar whose part is labeled with its number
_OVERLAP_COLOR = "#7f9c92"  # load color over solar color, as drawn for self-consumption


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
    has_panels = bool(power.solar.any())
    has_battery = power.soc is not None
    legend = (
        LegendItem(tr("home.you_use"), "line", LOAD_COLOR),
        LegendItem(tr("home.panels_make"), "dash", SOLAR_COLOR),
        LegendItem(tr("home.used_directly"), "area", _OVERLAP_COLOR),
    )
    battery = tr("home.battery_charge")
    grids = [
        {"left": 46, "right": 14, "top": 28, "bottom": 92 if has_battery else 30},
        {"left": 46, "right": 14, "height": 26 if has_battery else 0, "bottom": 30},
    ]
    mark = {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"color": INK, "width": 1.5, "type": "solid"},
        "data": [] if marked_step is None else [{"xAxis": marked_step}],
    }
    overlap = np.minimum(power.load, power.solar)
    option = base_option(
        tooltip=tooltip(tr.lang, "kW"),
        grid=grids,
        xAxis=[
            time_axis(0, show=not has_battery),
            {**time_axis(1, show=has_battery), "show": has_battery},
        ],
        yAxis=[
            value_axis(
                "kW",
                axisLabel=value_label(tr.lang),
                min=0,
                max=top_kw,
                splitNumber=4,
                nameGap=10,
            ),
            {
                "type": "value",
                "gridIndex": 1,
                "min": 0,
                "max": 100,
                "name": battery if has_battery else "",
                "nameGap": 6,
                "nameTextStyle": {"color": INK, "align": "left", "fontSize": 13},
                "axisLabel": {"show": False},
                "splitLine": {"show": False},
                "axisTick": {"show": False},
            },
        ],
        series=[
            _line(
                tr("home.panels_make"),
                power.solar if has_panels else None,
                SOLAR_COLOR,
                width=3,
                dash=True,
                fill=0.25,
            ),
            _line(
                tr("home.used_directly"),
                overlap if has_panels else None,
                LOAD_COLOR,
                width=0,
                fill=0.35,
            ),
            {
                **_line(tr("home.you_use"), power.load, LOAD_COLOR, width=2.5),
                "markLine": mark,
                "z": 4,
            },
            _line(
                tr("home.before_use"),
                None if previous is None else previous.load,
                MUTED,
                width=1.5,
            ),
            _line(
                tr("home.before_solar"),
                None if previous is None else previous.solar,
                MUTED,
                width=1.5,
                dash=True,
            ),
            {
                **_line(
                    battery,
                    None if power.soc is None else 100 * power.soc,
                    STORAGE_COLOR,
                    width=2,
                    fill=0.45,
                ),
                "xAxisIndex": 1,
                "yAxisIndex": 1,
                "tooltip": {"show": False},
            },
        ],
    )
    return RenderedChart(
        option,
        _profile_sentence(tr, power),
        _profile_table(tr, power),
        legend if has_panels else legend[:1],
    )


def _line(
    name: str,
    kw: Series | None,
    color: str,
    width: float,
    dash: bool = False,
    fill: float | None = None,
) -> Option:
    return {
        "type": "line",
        "name": name,
        "data": [] if kw is None else kw.round(3).tolist(),
        "symbol": "none",
        "lineStyle": {"color": color, "width": width, "type": [7, 4] if dash else "solid"},
        "itemStyle": {"color": color},
        "areaStyle": {"color": color, "opacity": fill or 0.0},
        "silent": True,
    }


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


def _profile_sentence(tr: Translator, power: HomePower) -> str:
    peak = int(np.argmax(power.load))
    values = {"use": tr.kw(float(power.load[peak])), "use_time": tr.time(peak / _STEPS_PER_HOUR)}
    if not power.solar.any():
        return tr("home.when_no_panels", **values)
    solar_peak = int(np.argmax(power.solar))
    return tr(
        "home.when",
        solar=tr.kw(float(power.solar[solar_peak])),
        solar_time=tr.time(solar_peak / _STEPS_PER_HOUR),
        **values,
    )


def _hourly_means(power: HomePower) -> tuple[Series, Series]:
    """Compute mean load and PV generation of each hour, kW [24]."""
    return (
        power.load.reshape(24, _STEPS_PER_HOUR).mean(axis=1),
        power.solar.reshape(24, _STEPS_PER_HOUR).mean(axis=1),
    )


def _profile_table(tr: Translator, power: HomePower) -> ChartTable:
    soc = None if power.soc is None else power.soc[_STEPS_PER_HOUR - 1 :: _STEPS_PER_HOUR]
    rows = tuple(
        (
            f"{tr.time(hour)}–{tr.time(hour + 1)}",
            tr.number(load, 2),
            tr.number(solar, 2),
            *(() if soc is None else (tr.percent(float(soc[hour])),)),
        )
        for hour, (load, solar) in enumerate(zip(*_hourly_means(power), strict=True))
    )
    header = [
        tr("home.hour"),
        f"{tr('home.you_use')} (kW)",
        f"{tr('home.panels_make')} (kW)",
    ]
    if soc is not None:
        header.append(tr("home.battery_charge"))
    return ChartTable(tr("home.when_caption"), tuple(header), rows)


def energy_balance(tr: Translator, energy: HomeEnergy) -> RenderedChart:
    """Draw origin and destination of the day's energy as stacked bars (chart B).

    Args:
        tr: Translator of the page's language.
        energy: Energy of the day.
    """
    origins = {
        "direct": energy.direct,
        "battery": energy.from_battery,
        "bought": energy.imported,
    }
    destinations = {
        "direct": energy.direct,
        "battery": energy.to_battery,
        "sent": energy.exported,
    }
    total = max(energy.load, energy.generation, 0.1)
    styles = {
        "direct": (SOLAR_COLOR, "none", INK),
        "battery": (STORAGE_COLOR, "storage", PAPER),
        "bought": (IMPORT_COLOR, "import", PAPER),
        "sent": (EXPORT_COLOR, "export", PAPER),
    }
    series = []
    for key, (color, decal, ink) in styles.items():
        data = [
            {"value": round(kwh, 3), "label": {"show": kwh > _LABEL_SHARE * total}}
            for kwh in (origins.get(key, 0.0), destinations.get(key, 0.0))
        ]
        background = {"backgroundColor": color, "padding": [2, 4], "borderRadius": 4}
        series.append(
            {
                "type": "bar",
                "stack": "all",
                "name": tr(f"home.{key}"),
                "data": data,
                "barWidth": 46,
                "itemStyle": {
                    "color": color,
                    "decal": DECALS[decal],
                    "borderColor": PAPER,
                    "borderWidth": 1,
                },
                "label": {
                    "color": ink,
                    "fontSize": 14,
                    "fontWeight": 650,
                    ":formatter": FORMATTERS[tr.lang, "1"],
                    **({} if ink == INK else background),
                },
            }
        )
    names = [tr("home.you_use"), tr("home.panels_make")]
    legend = tuple(
        LegendItem(tr(f"home.{key}"), "bar", color, decal)
        for key, (color, decal, _) in styles.items()
        if origins.get(key, 0.0) + destinations.get(key, 0.0) > 0.005
    )
    option = base_option(
        tooltip=tooltip(tr.lang, "kWh"),
        grid={"left": 8, "right": 20, "top": 4, "bottom": 8, "containLabel": True},
        xAxis={**value_axis("", splitNumber=3), "max": round(total * 1.02, 2), "nameGap": 0},
        yAxis={
            "type": "category",
            "inverse": True,
            "data": names,
            "axisTick": {"show": False},
            "axisLabel": axis_label(width=92, overflow="break", fontSize=14, hideOverlap=False),
        },
        series=series,
    )
    option["xAxis"]["axisLabel"] = {**value_label(tr.lang, "kWh"), "showMaxLabel": False}
    return RenderedChart(option, _balance_sentence(tr, energy), _balance_table(tr, energy), legend)


def _balance_sentence(tr: Translator, energy: HomeEnergy) -> str:
    if energy.generation <= 0:
        return tr("home.balance_no_panels", used=tr.kwh(energy.load))
    return tr(
        "home.balance",
        made=tr.kwh(energy.generation),
        kept=tr.kwh(energy.direct + energy.to_battery),
        sent=tr.kwh(energy.exported),
        bought=tr.kwh(energy.imported),
    )


def _balance_table(tr: Translator, energy: HomeEnergy) -> ChartTable:
    # One decimal more than in the chart, so that the sums can be checked.
    rows = (
        ("you_use", energy.load, energy.direct, energy.from_battery, energy.imported, None),
        ("panels_make", energy.generation, energy.direct, energy.to_battery, None, energy.exported),
    )
    header = (
        "",
        *(tr(f"home.{key}") for key in ("in_all", "direct", "battery", "bought", "sent")),
    )
    return ChartTable(
        tr("home.balance_caption"),
        header,
        tuple(
            (
                tr(f"home.{name}"),
                *("–" if kwh is None else tr.number(kwh, 2) for kwh in parts),
            )
            for name, *parts in rows
        ),
    )


def monthly_energy(
    tr: Translator, names: list[str], load_kwh: Series, solar_kwh: Series
) -> RenderedChart:
    """Draw load and PV generation of the months of a year (chart C).

    Args:
        tr: Translator of the page's language.
        names: Abbreviated names of the months.
        load_kwh: Load of each month [12].
        solar_kwh: PV generation of each month [12].
    """
    option = base_option(
        tooltip=tooltip(tr.lang, "kWh"),
        grid={"left": 8, "right": 8, "top": 28, "bottom": 8, "containLabel": True},
        xAxis={
            "type": "category",
            "data": names,
            "axisTick": {"show": False},
            "axisLabel": axis_label(interval=0, hideOverlap=True),
        },
        yAxis=value_axis("kWh", axisLabel=value_label(tr.lang), splitNumber=4, nameGap=10),
        series=[
            _months_bar(tr("home.you_use"), load_kwh, {"color": LOAD_COLOR}),
            _months_bar(
                tr("home.panels_make"),
                solar_kwh,
                {"color": SOLAR_COLOR, "borderColor": INK, "borderType": "dashed"},
            ),
        ],
    )
    text = tr(
        "home.months" if solar_kwh.any() else "home.months_no_panels",
        n=int((solar_kwh > load_kwh).sum()),
        used=tr.kwh(float(load_kwh.sum())),
        made=tr.kwh(float(solar_kwh.sum())),
    )
    header = (
        tr("home.month"),
        f"{tr('home.you_use')} (kWh)",
        f"{tr('home.panels_make')} (kWh)",
    )
    rows = tuple(
        (name, tr.number(load), tr.number(solar))
        for name, load, solar in zip(names, load_kwh, solar_kwh, strict=True)
    )
    legend = (
        LegendItem(tr("home.you_use"), "bar", LOAD_COLOR),
        LegendItem(tr("home.panels_make"), "bar", SOLAR_COLOR),
    )
    return RenderedChart(option, text, ChartTable(tr("home.months_caption"), header, rows), legend)


def _months_bar(name: str, kwh: Series, style: Option) -> Option:
    return {
        "type": "bar",
        "name": name,
        "data": kwh.round(1).tolist(),
        "barGap": "8%",
        "itemStyle": style,
    }


def daily_bill(tr: Translator, baseline: float, bill: float) -> RenderedChart:
    """Draw the day's bill against the bill without PV and battery (chart D).

    Args:
        tr: Translator of the page's language.
        baseline: Bill without PV and battery, EUR.
        bill: Bill of the home, EUR.
    """
    names = [tr("home.bill_before"), tr("home.bill_after")]
    lowest = min(0.0, baseline, bill)
    highest = max(baseline, bill, 0.5)
    option = base_option(
        tooltip=tooltip(tr.lang, "€"),
        grid={"left": 8, "right": 70, "top": 8, "bottom": 8, "containLabel": True},
        xAxis={
            **value_axis("", splitNumber=3),
            "min": round(1.15 * lowest, 2),
            "max": round(1.1 * highest, 2),
            "axisLabel": {
                **value_label(tr.lang, "€"),
                "showMaxLabel": False,
                "showMinLabel": False,
            },
        },
        yAxis={
            "type": "category",
            "inverse": True,
            "data": names,
            "axisTick": {"show": False},
            "axisLabel": axis_label(width=110, overflow="break", fontSize=14, hideOverlap=False),
        },
        series=[
            {
                "type": "bar",
                "name": tr("home.bill"),
                "barWidth": 30,
                "data": [
                    {
                        "value": round(baseline, 4),
                        "itemStyle": {"color": PAPER, "borderColor": INK, "borderWidth": 2},
                    },
                    {
                        "value": round(bill, 4),
                        "itemStyle": {
                            "color": LOAD_COLOR,
                            "borderColor": LOAD_COLOR,
                            "borderWidth": 2,
                        },
                    },
                ],
                "label": {
                    "show": True,
                    "position": "right",
                    "color": INK,
                    "fontSize": 15,
                    "fontWeight": 650,
                    ":formatter": FORMATTERS[tr.lang, "€"],
                },
            }
        ],
    )
    rows = tuple(
        (name, tr.euro(amount)) for name, amount in zip(names, (baseline, bill), strict=True)
    )
    return RenderedChart(
        option,
        bill_sentence(tr, baseline, bill),
        ChartTable(tr("home.bill_caption"), ("", "EUR"), rows),
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
    return RenderedChart(
        clock_option(tr, *_hourly_means(power)),
        _profile_sentence(tr, power),
        _profile_table(tr, power),
        clock_legend(tr),
    )


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
