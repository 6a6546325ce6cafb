"""The map of the network with trading activity to begin with."""

from prosumax.report import text
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart
from prosumax.viz.network.feeder_activity import traded_at
from prosumax.viz.network.feeder_map import TRADE, feeder_map
from prosumax.viz.network.feeder_text import bus_name
from prosumax.viz.series import wires


def activity_map(result: Result) -> Chart | None:
    """The map of the network with trading activity to begin with: the more traded at a bus, the darker.

    None without a network, without local trade, or where the power flow found no solution.

    Source: MARLEM, section 3.8.
    """
    wired = wires(result)
    if wired is None or not len(wired.steps):
        return None
    chart = feeder_map(result, wired)
    if chart.choices[-1].name != TRADE:
        return None
    *rest, trade = chart.choices
    series = [
        part | change
        for part, change in zip(
            chart.option["baseOption"]["series"], trade.patch["series"], strict=True
        )
    ]
    option = {**chart.option, "baseOption": {**chart.option["baseOption"], "series": series}}
    kwh = traded_at(result, wired)
    most, names = int(kwh.argmax()), [home["name"] for home in result.households]
    said = f"Most is traded at {bus_name(wired, most, names)}: {text.energy(float(kwh[most]))} of what homes buy from"
    said += f" and sell to neighbours, {text.energy(float(kwh.sum()))} in all, each kWh counted at both its ends."
    return chart._replace(
        summary=said,
        id="activity",
        title="Where trade happens",
        option=option,
        choices=[trade, *rest],
        key=trade.key,
    )
