"""Charts of page one: the five ideas."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prosumax.web.charts.clock import clock, clock_marks
from prosumax.web.charts.common import (
    BOUGHT,
    INK,
    QUIET,
    SENT,
    SHARED_EDGE,
    STORE,
    SUN,
    USE,
    Chart,
    Mark,
    Option,
    Table,
    amount_text,
    axis_text,
    base,
    clock_axis,
    tooltip,
    value_axis,
)
from prosumax.web.charts.home import Energy, Power
from prosumax.web.model.translations import Words

Series = NDArray[np.float64]

DOT_KWH = 0.1
_HOMES = "ABCD"
_LEAST_KWH = 0.05  # flows below it are not drawn


def hours(words: Words, now: Power) -> Chart:
    """The day clock of one home."""
    use, solar = (part.reshape(24, -1).mean(axis=1) for part in (now.use, now.solar))
    over = solar > use
    text = words(
        "basics.clock",
        n=int(over.sum()),
        top=words.kw(float(solar.max())),
        peak=words.kw(float(use.max())),
    )
    rows = tuple(
        (
            f"{words.time(hour)}–{words.time(hour + 1)}",
            words.number(float(use[hour]), 2),
            words.number(float(sun), 2),
        )
        for hour, sun in enumerate(solar)
    )
    head = (
        words("home.hour"),
        f"{words('home.you_use')} (kW)",
        f"{words('home.panels_make')} (kW)",
    )
    return Chart(
        clock(words, use, solar),
        text,
        Table(words("home.when_caption"), head, rows),
        clock_marks(words),
    )


def where(words: Words, now: Energy, earned: float, paid: float) -> Chart:
    """Where the day's electricity went.

    Arguments:
        earned, paid: for what was sent to the grid and bought from it, EUR.
    """
    flows = [
        ("grid", "home_node", now.bought, BOUGHT),
        ("roof", "home_node", now.direct, SUN),
        ("roof", "battery_node", now.to_battery, SUN),
        ("battery_node", "home_node", now.from_battery, STORE),
        ("roof", "sent_node", now.sent, SENT),
    ]
    shown = [flow for flow in flows if flow[2] > _LEAST_KWH]
    colours = {
        "grid": BOUGHT,
        "roof": SUN,
        "battery_node": STORE,
        "home_node": USE,
        "sent_node": SENT,
    }
    nodes = [name for name in colours if any(name in flow[:2] for flow in shown)]
    named = {name: words(f"basics.{name}") for name in colours}
    option = base(
        tooltip=tooltip(words.lang, "kWh", trigger="item"),
        series=[
            {
                "type": "sankey",
                "left": 2,
                "right": 118,
                "top": 8,
                "bottom": 8,
                "nodeWidth": 20,
                "nodeGap": 26,
                "draggable": False,
                "layoutIterations": 0,
                "emphasis": {"disabled": True},
                "data": [
                    {
                        "name": named[name],
                        "itemStyle": {"color": colours[name], "borderWidth": 0},
                        "label": {"width": 108, "overflow": "break"}
                        if name.endswith("home_node")
                        else {},
                    }
                    for name in nodes
                ],
                "links": [
                    {
                        "source": named[source],
                        "target": named[target],
                        "value": round(kwh, 2),
                        "lineStyle": {"color": colour, "opacity": 0.36},
                    }
                    for source, target, kwh, colour in shown
                ],
                "label": {
                    "color": INK,
                    "fontSize": 14,
                    "lineHeight": 18,
                    "width": 108,
                    "overflow": "break",
                },
            }
        ],
    )
    kept = now.direct + now.to_battery
    text = words(
        "basics.where" if now.to_battery <= _LEAST_KWH else "basics.where_battery",
        made=words.kwh(now.made),
        kept=words.kwh(kept),
        sent=words.kwh(now.sent),
        earned=words.euro(earned),
        bought=words.kwh(now.bought),
        paid=words.euro(paid),
    )
    rows = tuple(
        (f"{named[source]} → {named[target]}", words.number(kwh, 2))
        for source, target, kwh, _ in shown
    )
    return Chart(
        option, text, Table(words("basics.where_caption"), (words("basics.flow"), "kWh"), rows)
    )


def duck(words: Words, net_kw: Series, roofs: int, homes: int) -> Chart:
    """What a street draws and sends over the day, kW [96]."""
    above, below = np.maximum(net_kw, 0.0), np.minimum(net_kw, 0.0)
    sent, bought = -float(below.sum()) / 4, float(above.sum()) / 4
    lowest, highest = float(min(net_kw.min(), -1.0)), float(max(net_kw.max(), 1.0))
    names = [words("basics.all_buy"), words("basics.nobody")]
    option = base(
        tooltip=tooltip(words.lang, "kW"),
        grid={"left": 8, "right": 16, "top": 28, "bottom": 8, "containLabel": True},
        xAxis={**clock_axis(), "axisLine": {"onZero": False, "lineStyle": {"color": QUIET}}},
        yAxis=value_axis(
            "kW",
            axisLabel=amount_text(words.lang),
            min=float(np.floor(lowest / 2) * 2),
            max=float(np.ceil(highest / 2) * 2),
            splitNumber=5,
            nameGap=10,
        ),
        series=[
            _band(names[0], above, BOUGHT, BOUGHT, 0.3),
            _band(names[1], below if sent > 0 else None, SUN, SHARED_EDGE, 0.55),
        ],
    )
    key = "basics.duck" if sent > _LEAST_KWH else "basics.duck_none"
    text = words(key, n=roofs, sent=words.kwh(sent), bought=words.kwh(bought))
    hourly = net_kw.reshape(24, 4).mean(axis=1)
    rows = tuple(
        (f"{words.time(at)}–{words.time(at + 1)}", words.number(float(kw), 1))
        for at, kw in enumerate(hourly)
    )
    caption = words("basics.duck_caption", homes=homes)
    marks = (Mark(names[0], "area", BOUGHT), Mark(names[1], "area", SUN))
    return Chart(option, text, Table(caption, (words("home.hour"), "kW"), rows), marks)


def _band(name: str, kw: Series | None, fill: str, edge: str, opacity: float) -> Option:
    return {
        "type": "line",
        "name": name,
        "data": [] if kw is None else kw.round(2).tolist(),
        "symbol": "none",
        "lineStyle": {"color": edge, "width": 2},
        "itemStyle": {"color": fill, "borderColor": edge, "borderWidth": 1.5},
        "areaStyle": {"color": fill, "opacity": opacity},
    }


def dots(words: Words, rule: str, got_kwh: Sequence[float], wanted_kwh: Sequence[float]) -> Chart:
    """One rule: what each of four homes gets, one dot per tenth of a kWh.

    Arguments:
        rule: "equal", "use", "auction" or "none".
        got_kwh, wanted_kwh: of each home.
    """
    filled: list[list[int]] = []
    hollow: list[list[int]] = []
    for home, (got, wanted) in enumerate(zip(got_kwh, wanted_kwh, strict=True)):
        count = round(got / DOT_KWH)
        for dot in range(round(wanted / DOT_KWH)):
            (filled if dot < count else hollow).append([dot, home])
    names = [words("basics.dot_shared"), words("basics.dot_bought")]
    labels = [
        words("basics.wants", home=_HOMES[at], kwh=words.short(kwh))
        for at, kwh in enumerate(wanted_kwh)
    ]
    option = base(
        tooltip={"show": False},
        grid={"left": 8, "right": 8, "top": 4, "bottom": 4, "containLabel": True},
        xAxis={
            "type": "value",
            "min": -1,
            "max": max(round(max(wanted_kwh) / DOT_KWH), 10),
            "show": False,
        },
        yAxis={
            "type": "category",
            "inverse": True,
            "data": labels,
            "axisLine": {"show": False},
            "axisTick": {"show": False},
            "axisLabel": axis_text(interval=0, hideOverlap=False),
        },
        series=[
            {
                "type": "scatter",
                "name": name,
                "data": data,
                "symbol": symbol,
                "symbolSize": 5.5,
                "silent": True,
                "itemStyle": style,
            }
            for name, data, symbol, style in (
                (
                    names[0],
                    filled,
                    "circle",
                    {"color": SUN, "borderColor": SHARED_EDGE, "borderWidth": 1.5},
                ),
                (
                    names[1],
                    hollow,
                    "circle",
                    {"color": "#ffffff", "borderColor": BOUGHT, "borderWidth": 1},
                ),
            )
        ],
    )
    rows = tuple(
        (
            words("basics.home", home=_HOMES[at]),
            words.short(wanted, 2),
            words.short(got, 2),
            words.short(wanted - got, 2),
        )
        for at, (got, wanted) in enumerate(zip(got_kwh, wanted_kwh, strict=True))
    )
    head = tuple(
        words(f"basics.{key}") for key in ("one_home", "wanted", "dot_shared", "dot_bought")
    )
    return Chart(
        option,
        dots_sentence(words, rule, got_kwh, wanted_kwh),
        Table(_title(words, rule), head, rows),
    )


def _title(words: Words, rule: str) -> str:
    return words(f"basics.rule_{rule}")


def dots_sentence(
    words: Words, rule: str, got_kwh: Sequence[float], wanted_kwh: Sequence[float]
) -> str:
    """What the rule does, in one line."""
    shared = sum(got_kwh)
    if rule == "none" or shared <= 0:
        return words("basics.dots_none")
    if sum(wanted_kwh) - shared < DOT_KWH / 2:
        return words("basics.dots_all")
    most = max(range(len(got_kwh)), key=lambda at: got_kwh[at])
    values: Mapping[str, str] = {
        "home": _HOMES[most],
        "kwh": words.short(got_kwh[most], 2),
        "least": words.short(min(got_kwh), 2),
        "without": ", ".join(_HOMES[at] for at, got in enumerate(got_kwh) if got <= 0),
    }
    key = "auction" if rule == "auction" and values["without"] else f"{rule}_some"
    return words(f"basics.dots_{key}", **values)
