"""Bills before and after: every home's bill without exchange and with it."""

import numpy as np
import pandas as pd

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.parts import rows_height
from prosumax.viz.primitives import Pair, dumbbell
from prosumax.viz.text import CENT
from prosumax.viz.theme import Theme

_NAMED = 3  # homes that pay more are named up to here


def data(result: Result) -> pd.DataFrame:
    """Return `home`, `bill_without_exchange`, `bill` and `saving`, highest bill first."""
    table = pd.DataFrame(
        {
            name: [home[name] for home in result.households]
            for name in ("name", "bill_without_exchange", "bill", "saving")
        }
    )
    return arranged(table.rename(columns={"name": "home"}), result.scenario.tariff.currency)


def arranged(table: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Sort a table of bills for the chart.

    Args:
        table: Columns `home`, `bill_without_exchange`, `bill` and `saving`.
        currency: Currency of the amounts.
    """
    ordered = table.sort_values(
        "bill_without_exchange", ascending=False, kind="stable", ignore_index=True
    )
    ordered.attrs["currency"] = currency
    return ordered


def sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe how many homes pay more and less than without exchange, losing homes first."""
    currency = table.attrs["currency"]
    ranked = table.sort_values("saving", kind="stable", ignore_index=True)
    saving = ranked["saving"].to_numpy()
    losers = ranked[saving <= -CENT]
    winners = ranked[saving >= CENT]
    homes = language("common.homes", n=len(ranked))
    sentences = []
    if len(losers):
        earns = bool((losers["bill"] < -CENT).any())
        sentences.append(_losers_sentence(losers, earns, homes, currency, language))
    if len(winners) or not len(losers):
        earns = bool((winners["bill"] < -CENT).any())
        key = "bills.pay_less_earn_more" if earns else "bills.pay_less"
        sentences.append(language(key, n=len(winners), homes=homes))
    unchanged = len(ranked) - len(losers) - len(winners)
    if unchanged:
        sentences.append(language("bills.unchanged", n=unchanged))
    if len(winners) > 1:
        best = winners.iloc[-1]
        low = winners.iloc[0]
        sentences.append(
            language(
                "bills.highest_lowest" if len(winners) == len(ranked) else "bills.highest",
                amount=language.money(best["saving"], currency),
                home=best["home"],
                low=language.money(low["saving"], currency),
                low_home=low["home"],
            )
        )
    return " ".join(sentences)


def _losers_sentence(
    losers: pd.DataFrame, earns: bool, homes: str, currency: str, language: Language
) -> str:
    named = []
    for home, saving in zip(losers["home"][:_NAMED], losers["saving"][:_NAMED], strict=True):
        amount = language.money(-saving, currency)
        named.append(f"{home} ({amount if earns else language('bills.more', amount=amount)})")
    others = len(losers) - _NAMED
    return language(
        "bills.pay_more_earn_less" if earns else "bills.pay_more",
        n=len(losers),
        homes=homes,
        named=", ".join(named) + (language("common.others", n=others) if others > 0 else ""),
    )


def figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a row per home with a hollow point before and a filled point after."""
    currency = table.attrs["currency"]
    pairs = [
        _pair(str(home), before, after, saving, currency, language)
        for home, before, after, saving in zip(
            table["home"],
            table["bill_without_exchange"],
            table["bill"],
            table["saving"],
            strict=True,
        )
    ]
    names = (language("bills.before"), language("bills.after"))
    legend = [LegendEntry("before", names[0]), LegendEntry("after", names[1])]
    if any(pair.worse for pair in pairs):
        legend.append(LegendEntry("loser", language("bills.after_more")))
    return Figure(
        id="bills",
        wide=True,
        title=language("bills.title", currency=currency),
        summary=sentence(table, language),
        option=dumbbell(pairs, names, theme.meanings["load"], theme),
        unit=currency,
        height_px=rows_height(len(pairs)),
        legend=legend,
        table=Table(
            language("bills.caption", currency=currency),
            [language("common.home"), *names, language("bills.change")],
            [
                [str(home), *(language.number(float(amount), 2) for amount in amounts)]
                for home, *amounts in np.column_stack(
                    [
                        table["home"].to_numpy(object),
                        table["bill_without_exchange"],
                        table["bill"],
                        -table["saving"],
                    ]
                ).tolist()
            ],
        ),
        note=language("bills.note"),
    )


def _pair(
    home: str, before: float, after: float, saving: float, currency: str, language: Language
) -> Pair:
    amount = language.money(abs(saving), currency)
    change = language("bills.less", amount=amount)
    if abs(saving) < CENT:
        change = language("bills.same")
    elif saving < 0:
        change = language("bills.more", amount=amount)
    tooltip = language(
        "bills.tooltip",
        home=home,
        bill=language.money(after, currency),
        before=language.money(before, currency),
        change=change,
    )
    return Pair(home, round(before, 2), round(after, 2), tooltip, change, saving <= -CENT)


bills = Chart(
    "bills", "Each home's bill, before and after", data, sentence, figure, section="bills"
)
"""Every home's bill without exchange and with it."""
