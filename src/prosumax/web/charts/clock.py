"""Day clock: the 24 hours of one home around a circle, with noon at the top."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.viz.chart import Figure, LegendEntry, Table
from prosumax.viz.compact import clock
from prosumax.viz.theme import MUTED, Theme
from prosumax.web.charts.common import LOAD_COLOR, SOLAR_COLOR
from prosumax.web.model.translations import Translator


def clock_data(load_kw: NDArray[np.float64], solar_kw: NDArray[np.float64]) -> pd.DataFrame:
    """Return `hour`, `load_kw` and `solar_kw`: mean power of each hour of a day.

    Args:
        load_kw: Load, kW [96].
        solar_kw: PV generation, kW [96].
    """
    return pd.DataFrame(
        {
            "hour": range(24),
            "load_kw": load_kw.reshape(24, -1).mean(axis=1),
            "solar_kw": solar_kw.reshape(24, -1).mean(axis=1),
        }
    )


def clock_figure(
    table: pd.DataFrame, theme: Theme, tr: Translator, sentence: str, numbers: Table
) -> Figure:
    """Draw a day clock: PV generation as wedges, load as a stepped ring.

    Args:
        table: Table of `clock_data`.
        theme: Fonts and number formats.
        tr: Translator of the page's language.
        sentence: Main message.
        numbers: Numbers of the drawing as text.
    """
    load_name = tr("home.you_use")
    solar_name = tr("home.panels_make")
    return Figure(
        id="day-clock",
        title=tr("home.when_caption"),
        summary=sentence,
        option=clock(
            (solar_name, table["solar_kw"].to_numpy(), theme.meanings["pv"].color),
            (load_name, table["load_kw"].to_numpy(), theme.meanings["load"].color),
            unit="kW",
            theme=theme,
        ),
        unit="kW",
        legend=[LegendEntry("bar-pv", solar_name), LegendEntry("line-load", load_name)],
        table=numbers,
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
