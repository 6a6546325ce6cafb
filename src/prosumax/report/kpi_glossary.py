"""Figures of the market, of fairness and of the network, each with a line that says what it tells."""

from typing import NamedTuple

from prosumax.report import text
from prosumax.simulation.results.result import Result


class Fact(NamedTuple):
    """A figure: what it is called, its value, and what it tells."""

    label: str
    value: str
    meaning: str


def market_facts(result: Result) -> list[Fact]:
    """How well neighbours trade."""
    kpis, currency = result.kpis, result.scenario.tariff.currency

    def money(name: str) -> str:
        return f"{text.number(kpis[name], 2)}\u00a0{currency}"

    def price(name: str) -> str:
        return "–" if kpis[name] is None else f"{text.number(kpis[name], 3)}\u00a0{currency}/kWh"

    return [
        Fact(
            "Gains from trade",
            money("welfare"),
            "What local power is worth to its buyers beyond what the grid pays.",
        ),
        Fact(
            "… of it to buyers",
            money("consumer_surplus"),
            "Worth of what they bought, less what they paid.",
        ),
        Fact(
            "… of it to sellers",
            money("producer_surplus"),
            "What they earned beyond what the grid pays.",
        ),
        Fact(
            "… of it to the operator",
            money("budget_balance"),
            "Paid by buyers, less earned by sellers; negative: added.",
        ),
        Fact(
            "Possible gains",
            money("max_welfare"),
            "The most that trade within each step could give.",
        ),
        Fact(
            "Efficiency",
            text.percent(kpis["allocative_efficiency"]),
            "Gains as a part of the possible gains.",
        ),
        Fact("Turnover", money("turnover"), "What buyers pay neighbours."),
        Fact("Mean price", price("mean_price"), "Of a kWh between neighbours, weighted by energy."),
        Fact(
            "Price swing",
            price("price_volatility"),
            "Standard deviation of the price over the steps with trade.",
        ),
        Fact(
            "Room for a price",
            price("best_spread"),
            "Mean gap between the best bid and the best ask.",
        ),
        Fact(
            "Local share",
            text.percent(kpis["p2p_share"]),
            "Of the energy bought, the part that comes from neighbours.",
        ),
        Fact(
            "Unwilling trades",
            text.number(kpis["individual_rationality_violations"]),
            "Times a home would have done better with the grid, counted per home and step.",
        ),
        Fact(
            "Sellers, concentration",
            text.number(kpis["seller_hhi"], 2),
            "Herfindahl index; 1: one home sells all.",
        ),
        Fact(
            "Buyers, concentration",
            text.number(kpis["buyer_hhi"], 2),
            "Herfindahl index; 1: one home buys all.",
        ),
    ]


def fairness_facts(result: Result) -> list[Fact]:
    """How evenly gains are shared. No index says what is fair."""
    kpis, currency = result.kpis, result.scenario.tariff.currency

    def say(name: str) -> str:
        return text.number(kpis[name], 2)

    facts = [
        Fact(
            "Homes that lose",
            text.number(kpis["homes_that_lose"]),
            "Worse off than without exchange.",
        ),
        Fact(
            "Lowest saving",
            f"{say('lowest_saving')}\u00a0{currency}",
            "Of the home that gains least; negative: it loses.",
        ),
        Fact("Gini of savings", say("gini"), "0: all save the same; near 1: one home has it all."),
        Fact(
            "Gini of savings in %",
            say("relative_saving_gini"),
            "The same, of savings as a part of the own bill.",
        ),
        Fact(
            "Jain's index",
            say("jain"),
            "1: all save the same; 1 / number of homes: one has it all.",
        ),
        Fact(
            "Lowest by highest saving",
            say("min_max"),
            "1: all save the same; 0: one saves nothing.",
        ),
        Fact(
            "Evenness of trade",
            say("quality_of_service"),
            "Jain's index of the share of its power a home could trade.",
        ),
        Fact(
            "Evenness of prices",
            say("quality_of_experience"),
            "1: all buyers pay the same price on average.",
        ),
        Fact(
            "Nash welfare",
            say("nash_welfare"),
            "Sum of the logarithms of savings; only to compare rules.",
        ),
    ]
    if "distance_to_shapley" in kpis:
        meaning = "Mean difference between a home's saving and what it brings to the community."
        facts.append(
            Fact("Distance to Shapley", f"{say('distance_to_shapley')}\u00a0{currency}", meaning)
        )
    return facts


def network_facts(result: Result) -> list[Fact]:
    """Figures of the network, beside those of its tiles."""
    wires, currency = result.kpis["network"], result.scenario.tariff.currency

    def money(name: str) -> str:
        return f"{text.number(wires[name], 2)}\u00a0{currency}"

    facts = [
        Fact(
            "Congestion",
            text.percent(wires["mean_congestion"]),
            "Loading of the fullest branch, mean of all steps.",
        ),
        Fact(
            "Imbalance",
            f"{text.number(wires['mean_imbalance_kwh'], 2)}\u00a0kWh",
            "Mean size of export less import of all homes in a step.",
        ),
        Fact(
            "Cost of losses",
            money("loss_cost"),
            "What the operator pays the supplier for what is lost.",
        ),
        Fact("Fees", money("fees"), "Paid by the parties of trades."),
        Fact(
            "Interventions",
            text.number(wires["interventions"]),
            "Steps in which the operator punished a trade or cut an export.",
        ),
        Fact(
            "Punished trade",
            text.energy(wires["penalised_kwh"]),
            "Traded over the threshold in such steps.",
        ),
        Fact(
            "Cut export",
            text.energy(wires["curtailed_kwh"]),
            "Solar power that could not leave the homes.",
        ),
        Fact(
            "Steps without a solution",
            text.number(wires["not_converged_steps"]),
            "Left out of all other figures of the network.",
        ),
    ]
    if "steps_in_voltage_band" in wires:
        meaning = "Steps with every voltage within ±10 %; EN 50160 asks for 95 % of each week."
        facts.insert(
            2,
            Fact(
                "Steps in the voltage band", text.percent(wires["steps_in_voltage_band"]), meaning
            ),
        )
    return facts
