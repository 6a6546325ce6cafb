"""The community page's charts: an outcome as drawing, sentence and table."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from prosumax.web.charts.common import (
    BOUGHT,
    INK,
    QUIET,
    RULE,
    SENT,
    SHARED_EDGE,
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
from prosumax.web.model.outcome import Outcome
from prosumax.web.model.translations import Words

MOST_AROUND = 12
"""Homes that a circle shows well; more are a table of colours."""

_HOME_NUMBER = re.compile(r"(\d+[A-Z]?) .+")


class Verdict(NamedTuple):
    """A figure, what it means, and the figures behind it (name, value)."""

    figure: str
    sentence: str
    details: tuple[tuple[str, str], ...]


def home_name(words: Words, name: str) -> str:
    """A home's name as it is shown: those of packaged communities in the visitor's language."""
    fixed = {"Building": words("community.building"), "School": words("community.school")}
    numbered = _HOME_NUMBER.fullmatch(name)
    return fixed.get(name) or (words("community.number", number=numbered[1]) if numbered else name)


def home_names(words: Words, outcome: Outcome) -> list[str]:
    """Names of all homes as they are shown."""
    return [home_name(words, name) for name in outcome.names]


def cost(words: Words, outcome: Outcome, period: str) -> Verdict:
    """All bills together, and what the rule changes in them."""
    now, before = sum(outcome.bill_cents) / 100, sum(outcome.alone_cents) / 100
    sentence = words(f"community.cost_{period}", now=words.euro(now), before=words.euro(before))
    kpis = outcome.kpis
    details = [
        (words("community.traded"), words.kwh(kpis["traded_kwh"] or 0.0)),
        (words("community.retail"), words.price(outcome.retail)),
        (words("community.feed_in"), words.price(outcome.feed_in)),
        (words("community.charges"), words.price(outcome.local_charges)),
    ]
    change = now - before
    figure = ("+" if change > 0 else "") + words.euro(change)
    return Verdict(figure, sentence, tuple(details))


def efficiency(words: Words, outcome: Outcome) -> Verdict:
    """How much of what homes cannot use themselves stays with neighbours."""
    kpis = outcome.kpis
    details = [
        (words("community.surplus"), words.kwh(outcome.surplus_kwh)),
        (words("community.self_consumption"), _percent(words, kpis["self_consumption"])),
        (words("community.self_sufficiency"), _percent(words, kpis["self_sufficiency"])),
        (words("community.peak"), words.kw(kpis["peak_kw"] or 0.0)),
    ]
    if any(price is not None for price in outcome.price):
        details.append(
            (words("community.possible_gains"), _percent(words, kpis["allocative_efficiency"]))
        )
    share = outcome.shared_share
    if share is None:
        key = "community.no_surplus" if any(outcome.has_sun) else "community.no_panels"
        return Verdict("–", words(key), tuple(details))
    of_100 = words.number(100 * share)
    return Verdict(
        words("community.of_hundred", n=of_100), words("community.stay", n=of_100), tuple(details)
    )


def fairness(words: Words, outcome: Outcome) -> Verdict:
    """Who pays less, in plain counts."""
    gains = outcome.gain_cents
    homes, better, worse = len(gains), sum(gain > 0 for gain in gains), outcome.losers
    low, high = words.euro(min(gains) / 100), words.euro(max(gains) / 100)
    if worse:
        sentence = words(
            "community.some_lose", n=worse, most=words.euro(-min(gains) / 100), high=high
        )
    elif better:
        sentence = words("community.pay_less", low=low, high=high)
    else:
        sentence = words("community.same_bills")
    details = [(words("community.smallest"), low), (words("community.largest"), high)]
    for name, wanted in (("with_panels", True), ("without_panels", False)):
        of = [gain for gain, sun in zip(gains, outcome.has_sun, strict=True) if sun is wanted]
        if of:
            details.append((words(f"community.gain_{name}"), words.euro(sum(of) / len(of) / 100)))
    for style in sorted(set(outcome.styles)):
        of = [
            g
            for g, own, has in zip(gains, outcome.styles, outcome.has_battery, strict=True)
            if own == style and has
        ]
        if of and len(set(outcome.styles)) > 1:
            details.append(
                (words(f"community.gain_{style_key(style)}"), words.euro(sum(of) / len(of) / 100))
            )
    for name in ("gini", "jain"):
        value = outcome.kpis[name]
        details.append(
            (words(f"community.{name}"), "–" if value is None else words.number(value, 2))
        )
    return Verdict(words("community.n_of_m", n=better, m=homes), sentence, tuple(details))


def style_key(policy: str) -> str:
    """The key of a decision style, of the name of a policy."""
    return {"citylearn-basic-battery-rbc": "habits", "qlearning": "q", "ppo": "ppo"}.get(
        policy, "rules"
    )


def bills(words: Words, outcome: Outcome, period: str) -> Chart:
    """Each home's bill before and after, the highest on top."""
    names = home_names(words, outcome)
    order = sorted(range(len(names)), key=lambda home: outcome.alone_cents[home])
    before = [outcome.alone_cents[home] / 100 for home in order]
    after = [outcome.bill_cents[home] / 100 for home in order]
    gains = [outcome.gain_cents[home] for home in order]
    option = base(
        grid={"left": 8, "right": 48, "top": 16, "bottom": 8, "containLabel": True},
        tooltip={"renderMode": "richText", "confine": True, "trigger": "item"},
        xAxis=value_axis("", axisLabel=amount_text(words.lang, "€")),
        yAxis={
            "type": "category",
            "data": [names[home] for home in order],
            "axisLabel": axis_text(interval=0, width=92, overflow="truncate"),
            "axisTick": {"show": False},
            "axisLine": {"show": False},
        },
        series=[
            {
                "type": "lines",
                "coordinateSystem": "cartesian2d",
                "silent": True,
                "lineStyle": {"color": BOUGHT, "width": 5, "opacity": 0.55},
                "data": [
                    {"coords": [[a, at], [b, at]]}
                    for at, (a, b) in enumerate(zip(before, after, strict=True))
                ],
            },
            {
                "type": "scatter",
                "name": words("community.before"),
                "symbolSize": 15,
                "itemStyle": {"color": "#FFFFFF", "borderColor": INK, "borderWidth": 2.5},
                "data": [
                    _point(value, at, words("community.before"), words)
                    for at, value in enumerate(before)
                ],
            },
            {
                "type": "scatter",
                "name": words("community.after"),
                "data": [
                    _point(
                        value, at, words("community.after"), words, loss=-gain if gain < 0 else 0
                    )
                    for at, (value, gain) in enumerate(zip(after, gains, strict=True))
                ],
                "itemStyle": {"color": USE, "borderColor": USE},
            },
        ],
    )
    rows = tuple(
        (
            names[home],
            words.euro(outcome.alone_cents[home] / 100),
            words.euro(outcome.bill_cents[home] / 100),
            words.euro(-outcome.gain_cents[home] / 100),
        )
        for home in reversed(order)
    )
    head = tuple(words(f"community.{name}") for name in ("home", "before", "after", "change"))
    best = max(range(len(names)), key=lambda home: outcome.gain_cents[home])
    if outcome.gain_cents[best] <= 0 and outcome.losers == 0:
        sentence = words("community.bills_same")
    else:
        gain = words.euro(outcome.gain_cents[best] / 100)
        sentence = words(f"community.bills_{period}", name=names[best], gain=gain)
        if outcome.losers:
            sentence += " " + words("community.bills_lose", n=outcome.losers)
    marks = (
        Mark(words("community.before"), "ring", INK),
        Mark(words("community.after"), "dot", USE),
    )
    return Chart(option, sentence, Table(words("community.bills_caption"), head, rows), marks)


def _point(value: float, at: int, what: str, words: Words, loss: int = 0) -> Option:
    point: Option = {"value": [value, at], "name": f"{what}: {words.euro(value)}", "symbolSize": 15}
    point["tooltip"] = {"formatter": "{b}"}
    if loss:
        text = words("community.pays_more", amount=words.euro(loss / 100))
        point |= {"symbol": "triangle", "symbolSize": 16}
        point["label"] = {
            "show": True,
            "position": "top",
            "distance": 2,
            "formatter": text,
            "color": INK,
            "fontSize": 12,
        }
    return point


def street(words: Words, outcome: Outcome) -> Chart:
    """What all homes buy from and send to the grid over the day, before and after."""
    bought, alone = outcome.buys_kw, outcome.buys_alone_kw
    sent, sent_alone = (
        [-value for value in part] for part in (outcome.sends_kw, outcome.sends_alone_kw)
    )
    shared = [a - b for a, b in zip(alone, bought, strict=True)]
    band = {"color": SUN, "opacity": 0.45}
    plain: Option = {"type": "line", "step": "end", "symbol": "none"}
    hidden: Option = {
        **plain,
        "lineStyle": {"opacity": 0},
        "silent": True,
        "tooltip": {"show": False},
    }
    series = [
        {**hidden, "stack": "above", "data": list(bought)},
        {
            **hidden,
            "stack": "above",
            "name": words("community.from_neighbours"),
            "areaStyle": band,
            "data": [round(value, 4) for value in shared],
            "itemStyle": {"color": SUN},
        },
        {**hidden, "stack": "below", "data": sent},
        {
            **hidden,
            "stack": "below",
            "areaStyle": band,
            "data": [round(a - b, 4) for a, b in zip(sent_alone, sent, strict=True)],
        },
        _line(plain, words("community.bought_before"), list(alone), BOUGHT, "dashed"),
        _line(plain, words("community.bought_after"), list(bought), USE, "solid"),
        _line(plain, words("community.sent_before"), sent_alone, BOUGHT, "dotted"),
        _line(plain, words("community.sent_after"), sent, SENT, "solid"),
    ]
    option = base(
        grid={"left": 8, "right": 16, "top": 12, "bottom": 8, "containLabel": True},
        tooltip=tooltip(words.lang, "kW"),
        xAxis=clock_axis(every_h=6)
        | {"axisLine": {"onZero": False, "lineStyle": {"color": QUIET}}},
        yAxis=value_axis("", axisLabel=amount_text(words.lang, "kW")),
        series=series,
    )
    hours = [(hour, 4 * hour, 4 * hour + 4) for hour in range(24)]
    columns = (alone, bought, shared, [-v for v in sent_alone], [-v for v in sent])
    rows = tuple(
        (words.time(hour), *(words.number(sum(column[a:b]) / 4, 2) for column in columns))
        for hour, a, b in hours
    )
    names = (
        "hour_of_day",
        "bought_before",
        "bought_after",
        "from_neighbours",
        "sent_before",
        "sent_after",
    )
    table = Table(
        words("community.street_caption"), tuple(words(f"community.{name}") for name in names), rows
    )
    sentence = words(
        "community.street_sentence", kwh=words.kwh(sum(shared) / 4), total=words.kwh(sum(alone) / 4)
    )
    marks = (
        Mark(words("community.bought_before"), "dash", BOUGHT),
        Mark(words("community.bought_after"), "line", USE),
        Mark(words("community.from_neighbours"), "area", SUN),
        Mark(words("community.sent_before"), "dash", BOUGHT),
        Mark(words("community.sent_after"), "line", SENT),
    )
    return Chart(option, sentence, table, marks)


def _line(plain: Option, name: str, data: Sequence[float], colour: str, kind: str) -> Option:
    return {
        **plain,
        "name": name,
        "data": list(data),
        "lineStyle": {"color": colour, "type": kind, "width": 2.2},
        "itemStyle": {"color": colour},
    }


def hour_sentence(words: Words, outcome: Outcome, hour: int) -> str:
    """Who gives to whom in an hour of the day."""
    now = [flow for flow in outcome.gives_kw if flow[0] == hour]
    if not now:
        return words("community.hour_none", time=words.time(hour))
    names, (_, giver, taker, _) = home_names(words, outcome), max(now, key=lambda flow: flow[3])
    total = words.kw(sum(flow[3] for flow in now))
    return words(
        "community.hour", time=words.time(hour), kw=total, giver=names[giver], taker=names[taker]
    )


def network(words: Words, outcome: Outcome) -> dict[str, Any]:
    """What the drawing of the trade network needs: homes, flows, and the sentence of every hour."""
    return {
        "homes": [
            {"name": name, "sun": sun, "battery": battery}
            for name, sun, battery in zip(
                home_names(words, outcome), outcome.has_sun, outcome.has_battery, strict=True
            )
        ],
        "flows": [list(flow) for flow in outcome.gives_kw],
        "sentences": [hour_sentence(words, outcome, hour) for hour in range(24)],
    }


def given(words: Words, outcome: Outcome) -> Table:
    """Who gives how much to whom on a mean day, kWh; the table of the network."""
    names = home_names(words, outcome)
    sums: dict[tuple[int, int], float] = {}
    for _, giver, taker, kw in outcome.gives_kw:
        sums[giver, taker] = sums.get((giver, taker), 0.0) + kw
    largest = sorted(sums.items(), key=lambda entry: -entry[1])
    rows = tuple(
        (names[giver], names[taker], words.number(kwh, 2)) for (giver, taker), kwh in largest
    )
    head = (words("community.giver"), words("community.taker"), words("community.kwh_a_day"))
    return Table(
        words("community.given_caption"), head, rows or ((words("community.nobody"), "–", "–"),)
    )


def matrix(words: Words, outcome: Outcome, hour: int) -> Chart:
    """Who gives to whom in an hour where a circle has too many homes: rows give, columns take."""
    names = home_names(words, outcome)
    volume = [0.0] * len(names)
    for _, giver, taker, kw in outcome.gives_kw:
        volume[giver] += kw
        volume[taker] += kw
    givers = [
        home
        for home in sorted(range(len(names)), key=lambda h: -volume[h])
        if outcome.has_sun[home]
    ]
    takers = sorted(range(len(names)), key=lambda home: -volume[home])
    cells = [
        [takers.index(taker), givers.index(giver), kw]
        for at, giver, taker, kw in outcome.gives_kw
        if at == hour and giver in givers
    ]
    most = max((kw for _, _, _, kw in outcome.gives_kw), default=0.1)
    label = axis_text(interval=0, fontSize=12, width=70, overflow="truncate", hideOverlap=False)
    option = base(
        grid={"left": 8, "right": 8, "top": 8, "bottom": 48, "containLabel": True},
        tooltip={"renderMode": "richText", "confine": True, "trigger": "item", "formatter": "{c}"},
        xAxis={
            "type": "category",
            "data": [names[h] for h in takers],
            "axisLabel": label | {"rotate": 60},
        },
        yAxis={
            "type": "category",
            "data": [names[h] for h in givers],
            "axisLabel": label,
            "inverse": True,
        },
        visualMap={
            "min": 0,
            "max": round(most, 2),
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "itemHeight": 90,
            "text": [f"{words.number(most, 1)} kW", "0"],
            "textStyle": {"color": INK},
            "inRange": {"color": ["#FFF6DE", SUN, SHARED_EDGE]},
        },
        series=[
            {
                "type": "heatmap",
                "data": cells,
                "itemStyle": {"borderColor": RULE, "borderWidth": 1},
                "emphasis": {"itemStyle": {"borderColor": QUIET, "borderWidth": 2}},
            }
        ],
    )
    return Chart(option, hour_sentence(words, outcome, hour), given(words, outcome))


def _percent(words: Words, share: float | None) -> str:
    return "–" if share is None else words.percent(share)
