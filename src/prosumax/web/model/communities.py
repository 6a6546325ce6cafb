"""From what a visitor has set to a scenario that `prosumax run` takes; free of the web framework and of JAX."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from prosumax.data.datasets import DATASETS, cache_folder
from prosumax.errors import InputError
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.web.model.state import FIRST_NAMES, ROUTINES, Community, OwnHome

TARIFF = "brussels-2026"
LEARNERS = ("q", "ppo")
STEPS = {"day": 96, "week": 7 * 96, "month": 30 * 96, "year": 365 * 96}
"""Quarter-hours. A month has 30 days in every season, so that all months are one compiled program."""
FEWEST_HOMES = 2
LEARNED = "learned_price"
"""The mechanism in which an agent sets the price."""

_STARTS = {
    "month": {"winter": "01-01", "spring": "04-01", "summer": "07-01", "autumn": "10-01"},
    "week": {"winter": "01-16", "spring": "04-17", "summer": "07-17", "autumn": "10-16"},
    "day": {"winter": "01-18", "spring": "04-19", "summer": "07-19", "autumn": "10-18"},
}
_YEAR = 2023
_PLACE = {"latitude_deg": 50.85, "longitude_deg": 4.35, "altitude_m": 60}
_PACKAGED = {
    "block": "apartment-block",
    "school": "school-and-homes",
    "citylearn": "citylearn-2022",
}
_MECHANISMS = {
    ("none", "one"): "none",
    ("equal", "one"): "key_static",
    ("equal", "several"): "key_static_rounds",
    ("use", "one"): "key_pro_rata",
    ("hybrid", "one"): "key_hybrid",
    ("auction", "one"): "double_auction",
    ("learned", "one"): LEARNED,
}
_CHARGES = ("energy", "network", "levies")
_POLICIES = {"habits": "citylearn-basic-battery-rbc", "rules": "self-consumption"}
_AZIMUTHS_DEG = (180, 200, 160, 225, 135, 180, 250, 110)  # roofs of a street look different ways


def _street(*homes: tuple[int, str, float, float]) -> tuple[OwnHome, ...]:
    return tuple(OwnHome(number, *home) for number, home in enumerate(homes))


PRESETS: Mapping[str, tuple[OwnHome, ...]] = {
    "street": _street(
        (4, "office", 5.0, 0.0),
        (2, "retired", 0.0, 0.0),
        (3, "home", 4.0, 5.0),
        (1, "office", 0.0, 0.0),
        (5, "office", 0.0, 0.0),
        (4, "remote", 6.0, 0.0),
        (2, "retired", 0.0, 0.0),
        (2, "nights", 0.0, 0.0),
    ),
    "village": _street(
        (4, "office", 5.0, 5.0),
        (2, "retired", 0.0, 0.0),
        (3, "home", 4.0, 0.0),
        (1, "office", 0.0, 0.0),
        (5, "office", 6.0, 0.0),
        (2, "remote", 0.0, 0.0),
        (2, "retired", 3.0, 0.0),
        (2, "nights", 0.0, 0.0),
        (3, "office", 0.0, 0.0),
        (1, "retired", 0.0, 0.0),
        (4, "home", 8.0, 10.0),
        (2, "office", 0.0, 0.0),
        (2, "retired", 0.0, 0.0),
        (3, "remote", 4.0, 0.0),
        (1, "office", 0.0, 0.0),
        (4, "office", 0.0, 0.0),
        (2, "home", 0.0, 0.0),
        (5, "office", 6.0, 8.0),
        (1, "retired", 0.0, 0.0),
        (2, "office", 0.0, 0.0),
    ),
}
"""Communities whose homes can be taken over and changed."""


def homes_of(state: Community) -> tuple[OwnHome, ...]:
    """The homes of a community that is made of homes one can change; none for the others."""
    return state.homes if state.preset == "own" else PRESETS.get(state.preset, ())


def drawn_homes(count: int, seed: int) -> tuple[OwnHome, ...]:
    """Homes at random: the same for the same number.

    Arguments:
        count: how many, at most 24.
        seed: the number.
    """
    dice = np.random.default_rng(seed)
    names = dice.permutation(len(FIRST_NAMES))
    homes = []
    for at in range(count):
        panels = float(dice.integers(4, 17)) / 2 if dice.random() < 0.4 else 0.0
        battery = float(dice.integers(6, 21)) / 2 if panels and dice.random() < 0.4 else 0.0
        people, routine = (
            int(dice.choice(6, p=(0.3, 0.32, 0.15, 0.14, 0.07, 0.02))) + 1,
            str(dice.choice(ROUTINES)),
        )
        homes.append(OwnHome(int(names[at]), people, routine, panels, battery))
    return tuple(homes)


def needs_training(state: Community) -> bool:
    """Whether something must learn before there is a result: the price, or a home that has something to decide."""
    return state.rule == "learned" or any(
        home.style in LEARNERS and home.battery_kwh > 0 for home in homes_of(state)
    )


def asked(state: Community, file: str | None = None) -> dict[str, Any]:
    """What a worker must know, as plain data; the same for the same question.

    Arguments:
        state: of the page.
        file: folder of the visitor's own data, for preset `file`.
    """
    spec = asdict(state)
    for name in ("hour", *(() if state.preset == "own" else ("homes",))):
        del spec[name]
    if state.rule in ("none", "auction", "learned"):
        del spec["price"]
    if state.rule != "equal":
        del spec["rounds"]
    if state.period == "year":
        del spec["season"]
    return spec | ({"file": file} if state.preset == "file" else {})


def community_of(spec: Mapping[str, Any]) -> tuple[Community, str | None]:
    """The other way round: the page's state, and the folder of own data."""
    fields = {name: value for name, value in spec.items() if name != "file"}
    homes = tuple(OwnHome(**home) for home in fields.pop("homes", ()))
    return Community(**fields, homes=homes), spec.get("file")


def scenario_of(state: Community, file: str | None = None) -> Scenario:
    """The scenario of a community: what `prosumax run` would be given.

    Homes that learn follow simple rules in it; who learns is said by `learners_of`.

    Raises:
        InputError: there are too few homes, or the data are not there.
    """
    match state.preset:
        case "file":
            content = _of_file(state, file)
        case "block" | "school" | "citylearn":
            content = load_scenario(_PACKAGED[state.preset]).model_dump(mode="json")
            if state.preset == "citylearn":
                content["period"]["steps"] = STEPS[state.period] // 4
            else:
                content["period"] = _period(state)
            content["seed"] = state.seed
        case _:
            homes = homes_of(state)
            if len(homes) < FEWEST_HOMES:
                raise InputError("homes", f"there are {len(homes)}", "Add two homes to start.")
            content = {"period": _period(state), "location": _PLACE, "seed": state.seed}
            named = enumerate(zip(_names(homes), homes, strict=True))
            content["homes"] = [_home(number, name, home) for number, (name, home) in named]
    content |= {
        "name": f"demo-{state.preset}",
        "description": "",
        "policy": "self-consumption",
        "tariff": {"preset": TARIFF, "locality": state.category},
        "market": _market(state),
        "population": [],
    }
    return load_scenario(content)


def learners_of(state: Community) -> tuple[list[dict[str, Any]], dict[str, dict[str, float]]]:
    """Who learns, and to what end.

    Returns:
        A scenario's `population`, one entry per way of learning, and the weights of the goal of each home that learns.
    """
    algorithms = {"q": "qlearning", "ppo": "ppo"}
    terms = {"bill": "cost", "sun": "self_consumption", "street": "community_cost"}
    named = zip(_names(homes_of(state)), homes_of(state), strict=True)
    learning = [
        (name, home) for name, home in named if home.style in LEARNERS and home.battery_kwh > 0
    ]
    population = [
        {"homes": names, "policy": policy}
        for style, policy in algorithms.items()
        if (names := [name for name, home in learning if home.style == style])
    ]
    population += [{"prices": "all", "policy": "ppo"}] if state.rule == "learned" else []
    return population, {name: {terms[home.goal]: 1.0} for name, home in learning}


def _period(state: Community) -> dict[str, Any]:
    first = "01-01" if state.period == "year" else _STARTS[state.period][state.season]
    start = f"{_YEAR}-{first}T00:00"
    return {
        "start": start,
        "steps": STEPS[state.period],
        "step_minutes": 15,
        "time_zone": "Europe/Brussels",
    }


def _market(state: Community) -> dict[str, Any]:
    rounds = state.rounds if state.rule == "equal" else "one"
    market: dict[str, Any] = {"mechanism": _MECHANISMS[state.rule, rounds]}
    if state.rule in ("equal", "use", "hybrid"):
        market |= {"price_rule": "fixed", "price": state.price}
    return market


def _names(homes: tuple[OwnHome, ...]) -> list[str]:
    """First names; who comes second by the same name gets a number."""
    names: list[str] = []
    for home in homes:
        base = FIRST_NAMES[home.name]
        count = sum(name == base or name.startswith(f"{base} ") for name in names)
        names.append(base if not count else f"{base} {count + 1}")
    return names


def _home(number: int, name: str, home: OwnHome) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "load": {
            "source": "synthetic",
            "lifestyle": lifestyle(home.people, home.routine),
            "people": home.people,
        },
    }
    if home.panels_kwp > 0:
        azimuth = _AZIMUTHS_DEG[number % len(_AZIMUTHS_DEG)]
        made["solar"] = {
            "source": "synthetic",
            "peak_kw": home.panels_kwp,
            "tilt_deg": 35,
            "azimuth_deg": azimuth,
        }
    if home.battery_kwh > 0:
        made["battery"] = {
            "capacity_kwh": home.battery_kwh,
            "charge_kw": home.battery_kwh / 2,
            "soc_min": 0.1,
            "soc_max": 0.95,
            "self_discharge_per_month": 0.03,
        }
    made["policy"] = _POLICIES.get(home.style, "self-consumption")
    return made


def lifestyle(people: int, routine: str) -> str:
    """The kind of generated household that fits who lives there and when they are in."""
    match routine:
        case "retired":
            return "retired"
        case "nights":
            return "night_shifts"
        case "remote":
            return "home_business"
        case "home":
            return "family" if people > 2 else "retired"
        case _:
            return (
                ("single", "couple", "family", "family")[people - 1]
                if people < 5
                else "family_with_teenagers"
            )


def _of_file(state: Community, file: str | None) -> dict[str, Any]:
    from prosumax.web.model.own_data import stored_scenario

    if file is None:
        raise InputError("file", "is not there", "Choose your file again.")
    return stored_scenario(file, STEPS[state.period])


@cache
def category_prices(category: str) -> tuple[float, float]:
    """EUR per kWh, taxes included: the supplier's price, and what is still due on a neighbour's kWh.

    Arguments:
        category: how near the neighbours are, A to D.
    """
    scenario = scenario_of(Community(category=category, rule="none", period="day"))
    tariff, gross = scenario.tariff, 1 + scenario.tariff.vat
    sums = {
        name: sum(float(price) for field, _, price in tariff.prices if field == name)
        for name in _CHARGES
    }
    due = tariff.local_network_share * sums["network"] + tariff.local_levies * sums["levies"]
    return sum(sums.values()) * gross, due * gross


@cache
def citylearn_is_here() -> bool:
    """Whether CityLearn's data set was fetched: the demo itself asks no other server."""
    return (cache_folder() / DATASETS["citylearn-2022"] / "schema.json").is_file()
