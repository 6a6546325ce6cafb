"""Day clock: the 24 hours of one home around a circle, with noon at the top."""

import numpy as np
from numpy.typing import NDArray

from prosumax.web.charts.common import (
    GRID_LINE,
    LOAD_COLOR,
    MUTED,
    SOLAR_COLOR,
    LegendItem,
    Option,
    axis_label,
    base_option,
    tooltip,
)
from prosumax.web.model.translations import Translator

_POINTS_PER_HOUR = 12  # of the load line, so that its steps follow the circle


def clock_option(
    tr: Translator, load_kw: NDArray[np.float64], solar_kw: NDArray[np.float64]
) -> Option:
    """Return the option of a day clock: PV generation as wedges, load as a stepped ring.

    Args:
        tr: Translator of the page's language.
        load_kw: Mean load of each hour, kW [24].
        solar_kw: Mean PV generation of each hour, kW [24].
    """
    highest = max(float(load_kw.max()), float(solar_kw.max()), 0.5)
    top = float(np.ceil(2 * highest) / 2)
    hours = [f"{hour:02d}" for hour in range(24)]
    points = []
    for hour in hours:
        minutes = [60 // _POINTS_PER_HOUR * part for part in range(1, _POINTS_PER_HOUR)]
        points += [hour, *(f"{hour}:{minute:02d}" for minute in minutes)]
    ring = np.repeat(load_kw, _POINTS_PER_HOUR).round(3).tolist()
    radius = {"min": 0, "max": top, "axisLine": {"show": False}, "axisTick": {"show": False}}
    return base_option(
        tooltip=tooltip(tr.lang, "kW"),
        polar=[{"center": ["50%", "50%"], "radius": ["24%", "82%"]}] * 2,
        angleAxis=[
            {
                "type": "category",
                "data": hours,
                "startAngle": 270,
                "axisLabel": {"show": False},
                "axisTick": {"show": False},
                "axisLine": {"lineStyle": {"color": MUTED}},
            },
            {
                "type": "category",
                "data": points,
                "polarIndex": 1,
                "startAngle": 270,
                "boundaryGap": False,
                "axisLabel": axis_label(interval=3 * _POINTS_PER_HOUR - 1, hideOverlap=False),
                "axisTick": {"show": False},
                "axisLine": {"show": False},
            },
        ],
        radiusAxis=[
            {
                "type": "value",
                "interval": max(top / 2, 0.5),
                "axisLabel": {"show": False},
                "splitLine": {"lineStyle": {"color": GRID_LINE}},
                **radius,
            },
            {
                "type": "value",
                "polarIndex": 1,
                "axisLabel": {"show": False},
                "splitLine": {"show": False},
                **radius,
            },
        ],
        series=[
            {
                "type": "bar",
                "name": tr("home.panels_make"),
                "coordinateSystem": "polar",
                "data": solar_kw.round(3).tolist(),
                "barCategoryGap": "8%",
                "itemStyle": {"color": SOLAR_COLOR},
            },
            {
                "type": "line",
                "name": tr("home.you_use"),
                "coordinateSystem": "polar",
                "polarIndex": 1,
                "data": [*ring, ring[0]],
                "symbol": "none",
                "lineStyle": {"color": LOAD_COLOR, "width": 3},
                "itemStyle": {"color": LOAD_COLOR},
                "z": 5,
            },
        ],
    )


def clock_legend(tr: Translator) -> tuple[LegendItem, ...]:
    """Return the legend of a day clock.

    Args:
        tr: Translator of the page's language.
    """
    return (
        LegendItem(tr("home.panels_make"), "bar", SOLAR_COLOR),
        LegendItem(tr("home.you_use"), "line", LOAD_COLOR),
    )


def static_svg(load_kw: NDArray[np.float64], solar_kw: NDArray[np.float64]) -> str:
    """Draw load and PV generation of a day as an SVG for browsers without scripts.

    Args:
        load_kw: Load, kW [step].
        solar_kw: PV generation, kW [step].
    """
    top = max(float(load_kw.max()), float(solar_kw.max()), 0.5)

    def points(kw: NDArray[np.float64]) -> str:
        return " ".join(
            f"{720 * step / len(kw):.1f},{200 - 190 * value / top:.1f}"
            for step, value in enumerate(kw)
        )

    return (
        '<svg viewBox="0 0 720 204" width="100%" role="img" aria-hidden="true">'
        f'<polygon points="0,200 {points(solar_kw)} 720,200" '
        f'fill="{SOLAR_COLOR}" fill-opacity=".3"/>'
        f'<polyline points="{points(load_kw)}" '
        f'fill="none" stroke="{LOAD_COLOR}" stroke-width="2.5"/>'
        f'<path d="M0 200H720" stroke="{MUTED}"/></svg>'
    )
