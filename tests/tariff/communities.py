"""Small communities whose bills can be computed by hand."""

import prosumax


def street_of_two(
    load,
    solar=None,
    *,
    start="2023-01-01T00:00",
    mechanism="none",
    battery=None,
    policy="none",
    optimum=False,
    feed_in=0.0,
    events=(),
    **tariff,
):
    """Simulate a consumer with an hourly load and a producer with hourly PV generation.

    The consumer has the battery. Energy is exchanged at the price 0 under an allocation key.
    """
    consumer = {"name": "consumer", "load": _values(load), "policy": policy}
    if battery is not None:
        consumer["battery"] = battery
    producer = {"name": "producer", "load": _values([0.0])}
    if solar is not None:
        producer["solar"] = _values(solar)
    scenario = {
        "name": "two",
        "period": {"start": start, "steps": len(load), "step_minutes": 60},
        "homes": [consumer, producer],
        "tariff": {"feed_in": feed_in, **tariff},
        "market": {"mechanism": mechanism, "price_rule": "fixed", "price": 0.0},
        "events": list(events),
    }
    return prosumax.run(scenario, optimum=optimum)


def items_of(result, name):
    """Return the items of the bill of a home."""
    (home,) = (home for home in result.households if home["name"] == name)
    return home["bill_items"]


def lines_of(result, name, item):
    """Return the lines of the statement of a home with a label."""
    (statement,) = (statement for statement in result.bills if statement.home == name)
    return [line for line in statement.lines if line.item == item]


def _values(values):
    return {"source": "values", "values": [float(value) for value in values]}
