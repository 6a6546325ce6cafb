"""The day clock: twenty-four hours of one home around a circle, noon on top."""

import numpy as np
from numpy.typing import NDArray

from prosumax.web.charts.common import QUIET, RULE, SUN, USE, Mark, Option, axis_text, base, tooltip
from prosumax.web.model.translations import Words

_FINE = 12  # points per hour of the ring line, so that its steps follow the circle


def clock(words: Words, use_kw: NDArray[np.float64], solar_kw: NDArray[np.float64]) -> Option:
    """Production as wedges, use as a stepped ring over them; the further out, the more power.

    Arguments:
        use_kw, solar_kw: mean power of the 24 hours.
    """
    highest = max(float(use_kw.max()), float(solar_kw.max()), 0.5)
    top = float(np.ceil(2 * highest) / 2)
    hours = [f"{hour:02d}" for hour in range(24)]
    fine = [
        f"{hour:02d}:{60 // _FINE * part:02d}" if part else f"{hour:02d}"
        for hour in range(24)
        for part in range(_FINE)
    ]
    ring = np.repeat(use_kw, _FINE).round(3).tolist()
    radius = {"min": 0, "max": top, "axisLine": {"show": False}, "axisTick": {"show": False}}
    return base(
        tooltip=tooltip(words.lang, "kW"),
        polar=[{"center": ["50%", "50%"], "radius": ["24%", "82%"]}] * 2,
        angleAxis=[
            {
                "type": "category",
                "data": hours,
                "startAngle": 270,
                "axisLabel": {"show": False},
                "axisTick": {"show": False},
                "axisLine": {"lineStyle": {"color": QUIET}},
            },
            {
                "type": "category",
                "data": fine,
                "polarIndex": 1,
                "startAngle": 270,
                "boundaryGap": False,
                "axisLabel": axis_text(interval=3 * _FINE - 1, hideOverlap=False),
                "axisTick": {"show": False},
                "axisLine": {"show": False},
            },
        ],
        radiusAxis=[
            {
                "type": "value",
                "interval": max(top / 2, 0.5),
                "axisLabel": {"show": False},
                "splitLine": {"lineStyle": {"color": RULE}},
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
                "name": words("home.panels_make"),
                "coordinateSystem": "polar",
                "data": solar_kw.round(3).tolist(),
                "barCategoryGap": "8%",
                "itemStyle": {"color": SUN},
            },
            {
                "type": "line",
                "name": words("home.you_use"),
                "coordinateSystem": "polar",
                "polarIndex": 1,
                "data": [*ring, ring[0]],
                "symbol": "none",
                "lineStyle": {"color": USE, "width": 3},
                "itemStyle": {"color": USE},
                "z": 5,
            },
        ],
    )


def clock_marks(words: Words) -> tuple[Mark, ...]:
    """The key of the clock."""
    return Mark(words("home.panels_make"), "bar", SUN), Mark(words("home.you_use"), "line", USE)


def still(use_kw: NDArray[np.float64], solar_kw: NDArray[np.float64]) -> str:
    """The day from left to right as an SVG, for browsers that run no scripts; kW, any number of steps."""
    top = max(float(use_kw.max()), float(solar_kw.max()), 0.5)

    def points(kw: NDArray[np.float64]) -> str:
        return " ".join(
            f"{720 * at / len(kw):.1f},{200 - 190 * value / top:.1f}" for at, value in enumerate(kw)
        )

    return (
        '<svg viewBox="0 0 720 204" width="100%" role="img" aria-hidden="true">'
        f'<polygon points="0,200 {points(solar_kw)} 720,200" fill="{SUN}" fill-opacity=".3"/>'
        f'<polyline points="{points(use_kw)}" fill="none" stroke="{USE}" stroke-width="2.5"/>'
        f'<path d="M0 200H720" stroke="{QUIET}"/></svg>'
    )
