"""Charts of page two: one home on one day."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.web.charts.clock import clock, clock_marks
from prosumax.web.charts.common import (
    BOUGHT,
    DECALS,
    FORMATTERS,
    INK,
    QUIET,
    SENT,
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
from prosumax.web.model.translations import Words

Series = NDArray[np.float64]

_STEPS_PER_HOUR = 4
SUN_EDGE = {"color": SUN, "borderColor": INK}
"""Production as a bar: orange alone is too pale on white."""
_LABEL_SHARE = 0.1  # of a bar: narrower parts do not carry their number


class Power(NamedTuple):
    """The day in kW per quarter-hour [96], and the battery's charge as a share; None where there is no battery."""

    use: Series
    solar: Series
    stored: Series | None


class Energy(NamedTuple):
    """The day in kWh: where the power of the home comes from and goes."""

    direct: float
    from_battery: float
    bought: float
    to_battery: float
    sent: float

    @property
    def used(self) -> float:
        """All that the home used."""
        return self.direct + self.from_battery + self.bought

    @property
    def made(self) -> float:
        """All that its panels made."""
        return self.direct + self.to_battery + self.sent


def when(
    words: Words, now: Power, top_kw: float, before: Power | None = None, at: int | None = None
) -> Chart:
    """Chart A: when the home uses and makes power.

    Arguments:
        words: of the page's language.
        now: what is set.
        top_kw: end of the axis; the caller keeps it while a slider is held, so that shapes can be compared.
        before: the setting before the last change, drawn in grey.
        at: quarter-hour that is read out, marked by a line.
    """
    has_panels, has_battery = bool(now.solar.any()), now.stored is not None
    marks = (
        Mark(words("home.you_use"), "line", USE),
        Mark(words("home.panels_make"), "dash", SUN),
        Mark(words("home.used_directly"), "area", "#7f9c92"),
    )
    battery = words("home.battery_charge")
    grids = [
        {"left": 46, "right": 14, "top": 28, "bottom": 92 if has_battery else 30},
        {"left": 46, "right": 14, "height": 26 if has_battery else 0, "bottom": 30},
    ]
    mark = {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"color": INK, "width": 1.5, "type": "solid"},
        "data": [] if at is None else [{"xAxis": at}],
    }
    overlap = np.minimum(now.use, now.solar)
    option = base(
        tooltip=tooltip(words.lang, "kW"),
        grid=grids,
        xAxis=[
            clock_axis(0, show=not has_battery),
            {**clock_axis(1, show=has_battery), "show": has_battery},
        ],
        yAxis=[
            value_axis(
                "kW",
                axisLabel=amount_text(words.lang),
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
                words("home.panels_make"),
                now.solar if has_panels else None,
                SUN,
                width=3,
                dash=True,
                fill=0.25,
            ),
            _line(
                words("home.used_directly"),
                overlap if has_panels else None,
                USE,
                width=0,
                fill=0.35,
            ),
            {**_line(words("home.you_use"), now.use, USE, width=2.5), "markLine": mark, "z": 4},
            _line(
                words("home.before_use"), None if before is None else before.use, QUIET, width=1.5
            ),
            _line(
                words("home.before_solar"),
                None if before is None else before.solar,
                QUIET,
                width=1.5,
                dash=True,
            ),
            {
                **_line(
                    battery,
                    None if now.stored is None else 100 * now.stored,
                    STORE,
                    width=2,
                    fill=0.45,
                ),
                "xAxisIndex": 1,
                "yAxisIndex": 1,
                "tooltip": {"show": False},
            },
        ],
    )
    return Chart(
        option,
        _when_sentence(words, now),
        _when_table(words, now),
        marks if has_panels else marks[:1],
    )


def _line(
    name: str,
    kw: Series | None,
    colour: str,
    width: float,
    dash: bool = False,
    fill: float | None = None,
) -> Option:
    return {
        "type": "line",
        "name": name,
        "data": [] if kw is None else kw.round(3).tolist(),
        "symbol": "none",
        "lineStyle": {"color": colour, "width": width, "type": [7, 4] if dash else "solid"},
        "itemStyle": {"color": colour},
        "areaStyle": {"color": colour, "opacity": fill or 0.0},
        "silent": True,
    }


def reading(words: Words, now: Power, at: int) -> str:
    """What the home does at one quarter-hour, as a sentence."""
    return words(
        "home.reading" if now.solar.any() else "home.reading_no_panels",
        time=words.time(at / _STEPS_PER_HOUR),
        use=words.kw(float(now.use[at])),
        solar=words.kw(float(now.solar[at])),
    )


def _when_sentence(words: Words, now: Power) -> str:
    peak = int(np.argmax(now.use))
    values = {"use": words.kw(float(now.use[peak])), "use_time": words.time(peak / _STEPS_PER_HOUR)}
    if not now.solar.any():
        return words("home.when_no_panels", **values)
    noon = int(np.argmax(now.solar))
    return words(
        "home.when",
        solar=words.kw(float(now.solar[noon])),
        solar_time=words.time(noon / _STEPS_PER_HOUR),
        **values,
    )


def _when_table(words: Words, now: Power) -> Table:
    hourly = [part.reshape(24, _STEPS_PER_HOUR).mean(axis=1) for part in (now.use, now.solar)]
    stored = None if now.stored is None else now.stored[_STEPS_PER_HOUR - 1 :: _STEPS_PER_HOUR]
    rows = tuple(
        (
            f"{words.time(hour)}–{words.time(hour + 1)}",
            words.number(use, 2),
            words.number(solar, 2),
            *(() if stored is None else (words.percent(float(stored[hour])),)),
        )
        for hour, (use, solar) in enumerate(zip(*hourly, strict=True))
    )
    head = [
        words("home.hour"),
        f"{words('home.you_use')} (kW)",
        f"{words('home.panels_make')} (kW)",
    ]
    if stored is not None:
        head.append(words("home.battery_charge"))
    return Table(words("home.when_caption"), tuple(head), rows)


def balance(words: Words, now: Energy) -> Chart:
    """Chart B: where the power comes from and where it goes."""
    used = {"direct": now.direct, "battery": now.from_battery, "bought": now.bought}
    made = {"direct": now.direct, "battery": now.to_battery, "sent": now.sent}
    total = max(now.used, now.made, 0.1)
    look = {
        "direct": (SUN, "none", INK),
        "battery": (STORE, "store", "#ffffff"),
        "bought": (BOUGHT, "bought", "#ffffff"),
        "sent": (SENT, "sent", "#ffffff"),
    }
    series = []
    for key, (colour, decal, ink) in look.items():
        data = [
            {"value": round(kwh, 3), "label": {"show": kwh > _LABEL_SHARE * total}}
            for kwh in (used.get(key, 0.0), made.get(key, 0.0))
        ]
        series.append(
            {
                "type": "bar",
                "stack": "all",
                "name": words(f"home.{key}"),
                "data": data,
                "barWidth": 46,
                "itemStyle": {
                    "color": colour,
                    "decal": DECALS[decal],
                    "borderColor": "#ffffff",
                    "borderWidth": 1,
                },
                "label": {
                    "color": ink,
                    "fontSize": 14,
                    "fontWeight": 650,
                    ":formatter": FORMATTERS[words.lang, "1"],
                    **(
                        {}
                        if ink == INK
                        else {"backgroundColor": colour, "padding": [2, 4], "borderRadius": 4}
                    ),
                },
            }
        )
    names = [words("home.you_use"), words("home.panels_make")]
    marks = tuple(
        Mark(words(f"home.{key}"), "bar", colour, decal)
        for key, (colour, decal, _) in look.items()
        if used.get(key, 0.0) + made.get(key, 0.0) > 0.005
    )
    option = base(
        tooltip=tooltip(words.lang, "kWh"),
        grid={"left": 8, "right": 20, "top": 4, "bottom": 8, "containLabel": True},
        xAxis={**value_axis("", splitNumber=3), "max": round(total * 1.02, 2), "nameGap": 0},
        yAxis={
            "type": "category",
            "inverse": True,
            "data": names,
            "axisTick": {"show": False},
            "axisLabel": axis_text(width=92, overflow="break", fontSize=14, hideOverlap=False),
        },
        series=series,
    )
    option["xAxis"]["axisLabel"] = {**amount_text(words.lang, "kWh"), "showMaxLabel": False}
    return Chart(option, _balance_sentence(words, now), _balance_table(words, now), marks)


def _balance_sentence(words: Words, now: Energy) -> str:
    if now.made <= 0:
        return words("home.balance_no_panels", used=words.kwh(now.used))
    return words(
        "home.balance",
        made=words.kwh(now.made),
        kept=words.kwh(now.direct + now.to_battery),
        sent=words.kwh(now.sent),
        bought=words.kwh(now.bought),
    )


def _balance_table(words: Words, now: Energy) -> Table:
    # One decimal more than on the chart, so that the sums can be checked.
    rows = (
        ("you_use", now.used, now.direct, now.from_battery, now.bought, None),
        ("panels_make", now.made, now.direct, now.to_battery, None, now.sent),
    )
    head = (
        "",
        *(words(f"home.{key}") for key in ("in_all", "direct", "battery", "bought", "sent")),
    )
    return Table(
        words("home.balance_caption"),
        head,
        tuple(
            (
                words(f"home.{name}"),
                *("–" if kwh is None else words.number(kwh, 2) for kwh in parts),
            )
            for name, *parts in rows
        ),
    )


def months(words: Words, names: list[str], use_kwh: Series, solar_kwh: Series) -> Chart:
    """Chart C: use and production of the twelve months of a year.

    Arguments:
        names: of the months, short.
        use_kwh, solar_kwh: [12].
    """
    option = base(
        tooltip=tooltip(words.lang, "kWh"),
        grid={"left": 8, "right": 8, "top": 28, "bottom": 8, "containLabel": True},
        xAxis={
            "type": "category",
            "data": names,
            "axisTick": {"show": False},
            "axisLabel": axis_text(interval=0, hideOverlap=True),
        },
        yAxis=value_axis("kWh", axisLabel=amount_text(words.lang), splitNumber=4, nameGap=10),
        series=[
            _months_bar(words("home.you_use"), use_kwh, {"color": USE}),
            _months_bar(
                words("home.panels_make"),
                solar_kwh,
                {"color": SUN, "borderColor": INK, "borderType": "dashed"},
            ),
        ],
    )
    more = int((solar_kwh > use_kwh).sum())
    text = words(
        "home.months" if solar_kwh.any() else "home.months_no_panels",
        n=more,
        used=words.kwh(float(use_kwh.sum())),
        made=words.kwh(float(solar_kwh.sum())),
    )
    head = (
        words("home.month"),
        f"{words('home.you_use')} (kWh)",
        f"{words('home.panels_make')} (kWh)",
    )
    rows = tuple(
        (name, words.number(use), words.number(solar))
        for name, use, solar in zip(names, use_kwh, solar_kwh, strict=True)
    )
    marks = (Mark(words("home.you_use"), "bar", USE), Mark(words("home.panels_make"), "bar", SUN))
    return Chart(option, text, Table(words("home.months_caption"), head, rows), marks)


def _months_bar(name: str, kwh: Series, style: Option) -> Option:
    return {
        "type": "bar",
        "name": name,
        "data": kwh.round(1).tolist(),
        "barGap": "8%",
        "itemStyle": style,
    }


def bill(words: Words, before: float, after: float) -> Chart:
    """Chart D: the day's bill without panels and battery, and with what is set.

    Arguments:
        before, after: EUR.
    """
    names = [words("home.bill_before"), words("home.bill_after")]
    lowest, highest = min(0.0, before, after), max(before, after, 0.5)
    option = base(
        tooltip=tooltip(words.lang, "€"),
        grid={"left": 8, "right": 70, "top": 8, "bottom": 8, "containLabel": True},
        xAxis={
            **value_axis("", splitNumber=3),
            "min": round(1.15 * lowest, 2),
            "max": round(1.1 * highest, 2),
            "axisLabel": {
                **amount_text(words.lang, "€"),
                "showMaxLabel": False,
                "showMinLabel": False,
            },
        },
        yAxis={
            "type": "category",
            "inverse": True,
            "data": names,
            "axisTick": {"show": False},
            "axisLabel": axis_text(width=110, overflow="break", fontSize=14, hideOverlap=False),
        },
        series=[
            {
                "type": "bar",
                "name": words("home.bill"),
                "barWidth": 30,
                "data": [
                    {
                        "value": round(before, 4),
                        "itemStyle": {"color": "#ffffff", "borderColor": INK, "borderWidth": 2},
                    },
                    {
                        "value": round(after, 4),
                        "itemStyle": {"color": USE, "borderColor": USE, "borderWidth": 2},
                    },
                ],
                "label": {
                    "show": True,
                    "position": "right",
                    "color": INK,
                    "fontSize": 15,
                    "fontWeight": 650,
                    ":formatter": FORMATTERS[words.lang, "€"],
                },
            }
        ],
    )
    rows = tuple(
        (name, words.euro(amount)) for name, amount in zip(names, (before, after), strict=True)
    )
    return Chart(
        option,
        bill_sentence(words, before, after),
        Table(words("home.bill_caption"), ("", "EUR"), rows),
    )


def bill_sentence(words: Words, before: float, after: float) -> str:
    """What the difference is, in words."""
    saving = round(before, 2) - round(after, 2)
    if abs(saving) < 0.005:
        return words("home.bill_same")
    return words(
        "home.bill_less" if saving > 0 else "home.bill_more", amount=words.euro(abs(saving))
    )


def around_the_clock(words: Words, now: Power) -> Chart:
    """Chart E: the day as a clock."""
    use, solar = (part.reshape(24, _STEPS_PER_HOUR).mean(axis=1) for part in (now.use, now.solar))
    return Chart(
        clock(words, use, solar),
        _when_sentence(words, now),
        _when_table(words, now),
        clock_marks(words),
    )


def headline(
    words: Words, own_share: float, used: float, made: float, after: float, before: float
) -> str:
    """The page's sentence.

    Arguments:
        own_share: self-sufficiency, 0 to 1.
        used, made: kWh of the day.
        after, before: bill with what is set, and without panels and battery, EUR.
    """
    if made <= 0:
        return words("home.headline_no_panels", used=words.kwh(used), bill=words.euro(after))
    key = "home.headline" if round(after, 2) >= 0 else "home.headline_earns"
    return words(
        key, share=words.percent(own_share), bill=words.euro(abs(after)), before=words.euro(before)
    )
