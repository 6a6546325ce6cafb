"""Savings by mechanism: a row per group of mechanisms with a point per home."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.mechanisms.groups import MechanismGroup, highest, listed, scale_reach
from prosumax.viz.parts import joins, points, round_axis
from prosumax.viz.primitives import point_rows
from prosumax.viz.text import CENT
from prosumax.viz.theme import INK, MUTED, Option, Theme


def data(groups: Sequence[MechanismGroup]) -> pd.DataFrame:
    """Return `mechanism`, `label`, `home`, `has_pv` and `saving`."""
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "mechanism": group.label,
                    "label": group.axis_label,
                    "home": [home["name"] for home in group.result.households],
                    "has_pv": [home.solar is not None for home in group.result.scenario.homes],
                    "saving": group.savings,
                }
            )
            for group in groups
        ],
        ignore_index=True,
    )
    table.attrs |= {"currency": groups[0].currency, "sentence": _sentence_parts(groups)}
    return table


def _sentence_parts(groups: Sequence[MechanismGroup]) -> dict[str, tuple[float, str] | None]:
    """Return the best lowest saving and who gives it, of all and of unsubsidized groups."""
    best, named = highest(groups, lambda group: group.lowest_saving)
    parts: dict[str, tuple[float, str] | None] = {"all": (best, listed(named)), "inside": None}
    inside = [group for group in groups if group.outside_money < CENT]
    if inside and named[0] not in inside:
        value, named = highest(inside, lambda group: group.lowest_saving)
        parts["inside"] = (value, listed(named))
    return parts


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe under which mechanism the lowest saving of a home is highest."""
    currency = table.attrs["currency"]
    best, named = table.attrs["sentence"]["all"]
    if best < CENT:
        return "Under each of these mechanisms there is a home that saves nothing or is worse off."
    text = f"The home that saves least is best off under {named}: {language.money(best, currency)}."
    inside = table.attrs["sentence"]["inside"]
    if inside is not None:
        amount = language.money(inside[0], currency)
        text += f" Without external subsidy: under {inside[1]}, {amount}."
    return text


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a point per home and a bar from the lowest to the highest saving."""
    currency = table.attrs["currency"]
    rows = [group for _, group in table.groupby("mechanism", sort=False)]
    reach = scale_reach([float(row["saving"].abs().max()) for row in rows])
    inside = table.loc[table["saving"].abs() <= reach, "saving"].to_numpy().round(2)
    axis = round_axis(float(inside.min(initial=0)), float(inside.max(initial=0)))
    low = axis["min"]
    high = axis["max"]
    dots: dict[bool, list[Option]] = {True: [], False: []}
    bars = []
    beyond: list[Option] = []
    for row, part in enumerate(rows):
        savings = part["saving"].to_numpy().round(2) + 0.0
        ends = float(savings.min()), float(savings.max())
        bars.append([[float(np.clip(end, low, high)), row] for end in ends])
        beyond += _beyond(ends, (low, high), row, currency, language)
        for home, has_pv, exact, saving in zip(
            part["home"], part["has_pv"], part["saving"], savings.tolist(), strict=True
        ):
            if low <= saving <= high:
                dots[bool(has_pv)].append(
                    _dot(str(home), saving, row, exact <= -CENT, currency, language)
                )
    option = point_rows(
        [str(part["label"].iloc[0]) for part in rows],
        _series(bars, dots, beyond, theme),
        axis,
        theme,
        narrow_series=[{}, {"symbolSize": 10}, {"symbolSize": 9}, {}],
    )
    entries = ((True, "home-pv", "a home with panels"), (False, "home-plain", "a home without"))
    legend = [LegendEntry(swatch, label) for has_pv, swatch, label in entries if dots[has_pv]]
    if (table["saving"] <= -CENT).any():
        legend.append(LegendEntry("worse", "worse off than without exchange"))
    return Figure(
        id="savings",
        title=f"What each home saves under each mechanism ({currency})",
        summary=sentence(table, language),
        option=option,
        unit=currency,
        height_px=mechanism_rows_height(len(rows)),
        legend=legend,
        table=_table(rows, currency, language),
        note="Saving: the home's bill without exchange less its bill under the mechanism. The bar"
        " joins the home that saves least to the one that saves most."
        + (" An arrow: off the scale." if beyond else ""),
    )


def _dot(
    home: str, saving: float, row: int, loses: bool, currency: str, language: Language
) -> Option:
    amount = language.money(abs(saving), currency)
    name = f"{home}: {amount} {'worse' if loses else 'better'} off"
    dot: Option = {"value": [saving, row], "name": name}
    return dot | ({"symbol": "triangle", "symbolSize": 15} if loses else {})


def _beyond(
    ends: tuple[float, float],
    bounds: tuple[float, float],
    row: int,
    currency: str,
    language: Language,
) -> list[Option]:
    """Return arrows at the edges of the scale for savings that are off it."""
    arrows = []
    if ends[1] > bounds[1]:
        start = "up" if ends[0] <= bounds[1] else language.money(ends[0], currency)
        text = f"{start} to {language.money(ends[1], currency)}"
        arrows.append(_arrow(bounds[1], row, -90, "left", text))
    if ends[0] < bounds[0]:
        text = f"down to {language.money(ends[0], currency)}"
        arrows.append(_arrow(bounds[0], row, 90, "right", text))
    return arrows


def _arrow(value: float, row: int, rotation: int, side: str, text: str) -> Option:
    return {
        "value": [value, row],
        "symbolRotate": rotation,
        "name": text,
        "label": {"position": side, "offset": [0, -12]},
    }


def _series(
    bars: list[list[list[float]]],
    dots: dict[bool, list[Option]],
    beyond: list[Option],
    theme: Theme,
) -> list[Option]:
    zero_line: Option = {
        "data": [{"xAxis": 0}],
        "symbol": "none",
        "silent": True,
        "label": {"show": False},
        "lineStyle": {"color": MUTED, "width": 1, "type": "solid"},
    }
    label: Option = {
        "show": True,
        "color": INK,
        "fontSize": theme.font_size,
        "formatter": "{b}",
    }
    return [
        joins(bars) | {"markLine": zero_line},
        points("with panels", dots[True], 13, theme.meanings["pv"]),
        points("without panels", dots[False], 12, theme.meanings["load"]) | {"symbol": "rect"},
        {
            "type": "scatter",
            "name": "off the scale",
            "data": beyond,
            "symbol": "arrow",
            "symbolSize": 13,
            "itemStyle": {"color": INK},
            "label": label,
        },
    ]


def _table(rows: Sequence[pd.DataFrame], currency: str, language: Language) -> Table:
    homes = [str(home) for home in rows[0]["home"]]
    return Table(
        f"Saving of each home, {currency}",
        ["Mechanism", *homes],
        [
            [
                str(row["mechanism"].iloc[0]),
                *(language.number(float(saving), 2) for saving in row["saving"]),
            ]
            for row in rows
        ],
    )


def mechanism_rows_height(rows: int) -> int:
    """Return the height of a drawing with a row per mechanism, in pixels."""
    return 64 + 50 * rows


savings = Chart(
    "savings",
    "What each home saves under each mechanism",
    data,
    sentence,
    figure,
    source="comparison",
    section="comparison",
)
"""Saving of every home under every mechanism of a comparison."""
