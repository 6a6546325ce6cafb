"""Sentences of reports."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from prosumax.report import text
from prosumax.scenario.schema.community import Period


def result(
    bills: dict[str, tuple[float, float]], traded: float = 1.0, mechanism: str = "some_rule"
) -> Any:
    """What `verdict` looks at, from each home's bill without exchange and with it."""
    homes = [
        {"name": n, "bill": paid, "saving": alone - paid} for n, (alone, paid) in bills.items()
    ]
    alone, cost = (sum(pair[i] for pair in bills.values()) for i in (0, 1))
    return SimpleNamespace(
        scenario=SimpleNamespace(
            name="street",
            tariff=SimpleNamespace(currency="EUR"),
            market=SimpleNamespace(mechanism=mechanism),
            period=Period(start="2023-01-01T00:00", steps=8760, step_minutes=60),
        ),
        kpis={
            "cost": cost,
            "cost_without_exchange": alone,
            "saving": alone - cost,
            "traded_kwh": traded,
        },
        households=homes,
    )


def say(*args: Any, **more: Any) -> str:
    """The verdict with ordinary spaces."""
    return text.verdict(result(*args, **more)).replace("\u00a0", " ")


def test_a_run_in_which_all_homes_pay_less() -> None:
    assert say({"A": (600, 500), "B": (400, 390)}) == (
        "In this simulated year the 2 homes of street pay 890 EUR together, 110 EUR (11.0 %) less"
        " than without exchange. 2 of 2 homes pay less. Highest saving 100 EUR (A), lowest"
        " 10.00 EUR (B)."
    )


def test_losers_are_named_first() -> None:
    said = say({"A": (600, 500), "B": (400, 412), "C": (100, 100)})
    assert (
        "1 of 3 homes pays more: B (12.00 EUR more). 1 of 3 homes pays less."
        " For 1 home nothing changes." in said
    )


def test_many_losers_are_counted() -> None:
    said = say(dict.fromkeys("ABCDE", (100, 110)))
    assert (
        "5 of 5 homes pay more: A (10.00 EUR more), B (10.00 EUR more), C (10.00 EUR more)"
        " and 2 others." in said
    )
    assert "less" not in said and "50.00 EUR (10.0 %) more than without exchange" in said


def test_without_a_mechanism_no_home_gains_or_loses() -> None:
    said = say({"A": (600, 600)}, traded=0, mechanism="none")
    assert said.startswith(
        "In this simulated year the one home of street pays 600 EUR. No electricity is exchanged"
    )
    assert "nothing" not in said and "less" not in said


def test_a_mechanism_that_trades_nothing() -> None:
    assert "No electricity was exchanged" in say({"A": (600, 600), "B": (1, 1)}, traded=0)


def test_homes_that_earn() -> None:
    assert "earn 150 EUR together, 50.00 EUR (50.0 %) more than" in say(
        {"A": (-50, -80), "B": (-50, -70)}
    )
    assert "earn 5.00 EUR together, 10.00 EUR better than" in say({"A": (5, -5), "B": (0, 0)})
    assert "2 of 2 homes pay less or earn more." in say({"A": (5, -5), "B": (9, 7)})


@pytest.mark.parametrize(
    ("steps", "minutes", "expected"),
    [
        (35040, 15, "this simulated year"),
        (8784, 60, "this simulated year"),
        (720, 60, "this simulated month"),
        (168, 60, "this simulated week"),
        (96, 15, "this simulated day"),
        (288, 60, "these 12 simulated days"),
        (5, 60, "these 5 simulated hours"),
        (1, 60, "this simulated hour"),
        (1, 15, "these 15 simulated minutes"),
        (1, 1, "this simulated minute"),
    ],
)
def test_simulated_time(steps: int, minutes: Any, expected: str) -> None:
    assert (
        text.simulated_time(Period(start="2023-01-01T00:00", steps=steps, step_minutes=minutes))
        == expected
    )


def test_numbers() -> None:
    assert text.number(-1234.5, 1) == "\u22121,234.5"
    assert text.number(-0.001, 2) == "0.00"
    assert text.number(None) == "–"
    assert text.energy(3.14159).replace("\u00a0", " ") == "3.1 kWh"
    assert text.money(-12.3, "EUR").replace("\u00a0", " ") == "\u221212.30 EUR"


@pytest.mark.parametrize("parts", [[1, 1, 1], [0.2, 0.3, 99.5], [5], [1e-9, 3, 7, 2]])
def test_round_percentages_adds_up(parts: list[float]) -> None:
    counts = text.round_percentages(parts)
    assert sum(counts) == 100
    assert all(
        abs(count - 100 * part / sum(parts)) < 1 for count, part in zip(counts, parts, strict=True)
    )


def test_round_percentages_of_nothing() -> None:
    assert text.round_percentages([0, 0]) == [0, 0]


def test_dates() -> None:
    june = pd.Timestamp("2023-06-05")
    assert text.days(june, pd.Timestamp("2023-06-11")) == "5 to 11 June 2023"
    assert text.days(june, pd.Timestamp("2023-07-01")) == "5 June to 1 July 2023"
    assert text.days(june, pd.Timestamp("2024-01-01")) == "5 June 2023 to 1 January 2024"
    assert text.days(june, june) == "5 June 2023"


def test_homes_that_earn_less() -> None:
    assert "2 of 2 homes pay more or earn less: A (2.00 EUR), B (1.00 EUR)." in say(
        {"A": (-5, -3), "B": (0, 1)}
    )
