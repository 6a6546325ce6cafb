"""Local price by hour of the day, between the feed-in price and the retail price."""

import math

import numpy as np
import pandas as pd

from prosumax.simulation.results.result import Result
from prosumax.tariff.prices import local_grid_fee_series, retail_price_series
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.compact import Curve, Margins, axis_unit, hour_axis, lines, number_axis
from prosumax.viz.language import MISSING, Language
from prosumax.viz.parts import optional_numbers
from prosumax.viz.theme import MUTED, Option, Theme

_HOURS = 24
_MIN_TRADE_KWH = 0.01  # Below it the price of an hour is left out.
_MIN_DIFFERENCE = 0.005  # Half a cent.

_LEVELS = {
    "retail_price": ("grid_import", "dashed"),
    "reservation_price": ("reference", "dotted"),
    "feed_in_price": ("grid_export", "dashed"),
}
"""Meaning and dash of the prices that are the same at every hour."""


def data(result: Result) -> pd.DataFrame:
    """Return `hour` and `price`, the energy-weighted mean price of local energy in each hour.

    Hours without trade have NaN. The mean prices of the grid are attributes: `retail_price`,
    `feed_in_price`, and `reservation_price`, the retail price less fees and levies on local energy.
    """
    local = result.trajectory.record.local
    hour = np.asarray(result.profiles.local_index.hour)
    paid, earned, bought, sold = (
        np.asarray(values, np.float64).sum(1)
        for values in (local.paid, local.earned, local.bought_kwh, local.sold_kwh)
    )
    money = np.bincount(hour, paid + earned, _HOURS)
    kwh = np.bincount(hour, bought + sold, _HOURS)
    price = np.full(_HOURS, np.nan)
    np.divide(money, kwh, out=price, where=kwh > _MIN_TRADE_KWH)
    prices = result.profiles.prices
    tariff = result.scenario.tariff
    retail = float(retail_price_series(prices, tariff).mean())
    table = pd.DataFrame({"hour": range(_HOURS), "price": price.round(4)})
    table.attrs |= {
        "currency": tariff.currency,
        "retail_price": retail,
        "reservation_price": retail - float(local_grid_fee_series(prices, tariff).mean()),
        "feed_in_price": float(prices["feed_in"].mean()),
    }
    return table


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the range of the local price."""
    prices = table["price"].dropna()
    if prices.empty:
        return language("price_profile.none")
    low, high = (
        f"{language.money(float(price), table.attrs['currency'], 2)}/kWh"
        for price in (prices.min(), prices.max())
    )
    if prices.max() - prices.min() < _MIN_DIFFERENCE:
        return language("price_profile.same", price=low)
    return language("price_profile.sentence", low=low, high=high)


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw the local price as steps, and the prices of the grid as lines."""
    currency = table.attrs["currency"]
    name = language("price_profile.price")
    hours = [f"{hour:02d}:00" for hour in table["hour"]]
    levels = {level: language(f"price_profile.{level}") for level in _LEVELS}
    return Figure(
        id="price-profile",
        title=language("price_profile.title"),
        summary=sentence(table, language),
        option=_option(table, theme, name, levels, hours),
        unit=f"{currency}/kWh",
        line_swatches=True,
        legend=[
            LegendEntry("line-load", name),
            *(LegendEntry(f"dash-{_LEVELS[level][0]}", label) for level, label in levels.items()),
        ],
        table=Table(
            language("price_profile.caption", currency=currency),
            [language("common.hour"), name],
            [
                [hour, MISSING if math.isnan(price) else language.money(price, currency, 3)]
                for hour, price in zip(hours, table["price"].tolist(), strict=True)
            ],
        ),
    )


def _option(
    table: pd.DataFrame, theme: Theme, name: str, levels: dict[str, str], hours: list[str]
) -> Option:
    currency = table.attrs["currency"]
    colors = {meaning: style.color for meaning, style in theme.meanings.items()}
    curves = []
    for level, label in levels.items():
        meaning, dash = _LEVELS[level]
        values = [round(table.attrs[level], 4)] * _HOURS
        curves.append(Curve(label, values, colors.get(meaning, MUTED), 2, dash))
    prices = optional_numbers(table["price"].to_numpy(), 4)
    curves.append(Curve(name, prices, colors["load"], 3, step="middle"))
    return lines(
        curves,
        x=hour_axis(theme, hours),
        y=number_axis(theme, axis_unit(theme, currency, f"{currency}/kWh"), currency, low=0),
        margins=Margins(8, 16, 34, 8),
        theme=theme,
        unit=currency,
    )


price_profile = Chart(
    "price_profile",
    "Local price by hour of the day",
    data,
    sentence,
    figure,
)
"""Local price by hour of the day, between the feed-in price and the retail price."""
