"""Scenarios of the communities that visitors compose; independent of the web framework and JAX."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import cast

import numpy as np

from prosumax.data.datasets import DATASETS
from prosumax.errors import InputError
from prosumax.files import cache_dir
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.tariff.components.levies import Levies
from prosumax.tariff.components.network import NetworkCharge
from prosumax.tariff.prices import vat_rate
from prosumax.web.model.state import FIRST_NAMES, ROUTINES, CommunityPageState, CustomHome
from prosumax.web.model.state import replace as replace_fields

TARIFF = "brussels-2026"
LEARNING_STYLES = ("q", "ppo")
PERIOD_STEPS = {"day": 96, "week": 7 * 96, "month": 30 * 96, "year": 365 * 96}
"""Quarter-hours of each period; every month has 30 days, so that all months share one program."""
MIN_HOMES = 2
LEARNED_PRICE_MECHANISM = "learned_price"
"""Mechanism in which an agent sets the price."""

_PERIOD_STARTS = {
    "month": {"winter": "01-01", "spring": "04-01", "summer": "07-01", "autumn": "10-01"},
    "week": {"winter": "01-16", "spring": "04-17", "summer": "07-17", "autumn": "10-16"},
    "day": {"winter": "01-18", "spring": "04-19", "summer": "07-19", "autumn": "10-18"},
}
_YEAR = 2023
_LOCATION = {"latitude_deg": 50.85, "longitude_deg": 4.35, "altitude_m": 60}
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
    ("learned", "one"): LEARNED_PRICE_MECHANISM,
}
_PRICE_COMPONENTS = ("energy", "network", "levies")
_POLICIES = {"habits": "citylearn-basic-battery-rbc", "rules": "self-consumption"}
_AZIMUTHS_DEG = (180, 200, 160, 225, 135, 180, 250, 110)  # PV orientations along a street


def _make_homes(*homes: tuple[int, str, float, float]) -> tuple[CustomHome, ...]:
    return tuple(CustomHome(number, *home) for number, home in enumerate(homes))


PRESETS: Mapping[str, tuple[CustomHome, ...]] = {
    "street": _make_homes(
        (4, "office", 5.0, 0.0),
        (2, "retired", 0.0, 0.0),
        (3, "home", 4.0, 5.0),
        (1, "office", 0.0, 0.0),
        (5, "office", 0.0, 0.0),
        (4, "remote", 6.0, 0.0),
        (2, "retired", 0.0, 0.0),
        (2, "nights", 0.0, 0.0),
    ),
    "village": _make_homes(
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
"""Preset communities that visitors can copy and change (people, routine, PV kWp, battery kWh)."""


def community_homes(state: CommunityPageState) -> tuple[CustomHome, ...]:
    """Return the homes of a community that consists of custom homes, otherwise an empty tuple.

    Args:
        state: Settings of the community page.
    """
    return state.homes if state.preset == "own" else PRESETS.get(state.preset, ())


def random_homes(count: int, seed: int) -> tuple[CustomHome, ...]:
    """Draw random homes; the same seed gives the same homes.

    Args:
        count: Number of homes, at most 24.
        seed: Seed of the random number generator.
    """
    rng = np.random.default_rng(seed)
    names = rng.permutation(len(FIRST_NAMES))
    homes = []
    for index in range(count):
        panels = float(rng.integers(4, 17)) / 2 if rng.random() < 0.4 else 0.0
        battery = float(rng.integers(6, 21)) / 2 if panels and rng.random() < 0.4 else 0.0
        people = int(rng.choice(6, p=(0.3, 0.32, 0.15, 0.14, 0.07, 0.02))) + 1
        routine = str(rng.choice(ROUTINES))
        homes.append(CustomHome(int(names[index]), people, routine, panels, battery))
    return tuple(homes)


def _learns(home: CustomHome) -> bool:
    """Return whether a home learns; without a battery it has nothing to decide."""
    return home.style in LEARNING_STYLES and home.battery_kwh > 0


def needs_training(state: CommunityPageState) -> bool:
    """Return whether a result requires training, of the price agent or of a home.

    Args:
        state: Settings of the community page.
    """
    return state.rule == "learned" or any(_learns(home) for home in community_homes(state))


def to_job_spec(state: CommunityPageState, file: str | None = None) -> dict[str, object]:
    """Return the specification of a simulation job, as plain data.

    Settings that do not change the result are left out, so that equal simulations have equal
    specifications.

    Args:
        state: Settings of the community page.
        file: Folder of the visitor's data, for preset `file`.
    """
    spec = asdict(state)
    del spec["hour"]
    if state.preset != "own":
        del spec["homes"]
    if state.rule in ("none", "auction", "learned"):
        del spec["price"]
    if state.rule != "equal":
        del spec["rounds"]
    if state.period == "year":
        del spec["season"]
    return spec | ({"file": file} if state.preset == "file" else {})


def from_job_spec(spec: Mapping[str, object]) -> tuple[CommunityPageState, str | None]:
    """Return the settings and the folder of uploaded data behind a job specification.

    Args:
        spec: Result of `to_job_spec`.
    """
    settings = {name: value for name, value in spec.items() if name not in ("file", "homes")}
    entries = cast(Sequence[Mapping[str, object]], spec.get("homes", ()))
    homes = tuple(replace_fields(CustomHome(), **entry) for entry in entries)
    state = replace_fields(CommunityPageState(homes=homes), **settings)
    return state, cast(str | None, spec.get("file"))


def community_scenario(state: CommunityPageState, file: str | None = None) -> Scenario:
    """Build the scenario of a community, as `prosumax run` takes it.

    Homes that learn follow simple rules in it; `build_population` lists the learners.

    Args:
        state: Settings of the community page.
        file: Folder of the visitor's data, for preset `file`.

    Raises:
        InputError: There are too few homes, or the data was deleted.
    """
    match state.preset:
        case "file":
            content = _own_data_content(state, file)
        case "block" | "school" | "citylearn":
            packaged = load_scenario(_PACKAGED[state.preset]).model_dump(mode="json")
            if state.preset == "citylearn":
                packaged["period"]["steps"] = PERIOD_STEPS[state.period] // 4
            else:
                packaged["period"] = _period_spec(state)
            content = packaged | {"seed": state.seed}
        case _:
            homes = community_homes(state)
            if len(homes) < MIN_HOMES:
                raise InputError(
                    "homes",
                    f"a community needs at least two homes, got {len(homes)}",
                    "Add two homes to start.",
                )
            content = {"period": _period_spec(state), "location": _LOCATION, "seed": state.seed}
            content["homes"] = [
                _home_spec(number, name, home)
                for number, (name, home) in enumerate(zip(_home_names(homes), homes, strict=True))
            ]
    content |= {
        "name": f"demo-{state.preset}",
        "description": "",
        "policy": "self-consumption",
        "tariff": {"preset": TARIFF, "locality": state.category},
        "market": _market_spec(state),
        "population": [],
    }
    return load_scenario(content)


def build_population(
    state: CommunityPageState,
) -> tuple[list[dict[str, object]], dict[str, dict[str, float]]]:
    """List the learning agents of a community and their rewards.

    Args:
        state: Settings of the community page.

    Returns:
        A scenario's `population`, one entry per algorithm, and the reward weights of each home
        that learns.
    """
    algorithms = {"q": "qlearning", "ppo": "ppo"}
    terms = {"bill": "cost", "self_consumption": "self_consumption", "community": "community_cost"}
    homes = community_homes(state)
    named = zip(_home_names(homes), homes, strict=True)
    learning = [(name, home) for name, home in named if _learns(home)]
    population: list[dict[str, object]] = []
    for style, policy in algorithms.items():
        names = [name for name, home in learning if home.style == style]
        if names:
            population.append({"homes": names, "policy": policy})
    if state.rule == "learned":
        population.append({"price_agents": "all", "policy": "ppo"})
    return population, {name: {terms[home.goal]: 1.0} for name, home in learning}


def _period_spec(state: CommunityPageState) -> dict[str, object]:
    first = "01-01" if state.period == "year" else _PERIOD_STARTS[state.period][state.season]
    return {
        "start": f"{_YEAR}-{first}T00:00",
        "steps": PERIOD_STEPS[state.period],
        "step_minutes": 15,
        "time_zone": "Europe/Brussels",
    }


def _market_spec(state: CommunityPageState) -> dict[str, object]:
    rounds = state.rounds if state.rule == "equal" else "one"
    market: dict[str, object] = {"mechanism": _MECHANISMS[state.rule, rounds]}
    if state.rule in ("equal", "use", "hybrid"):
        market |= {"price_rule": "fixed", "price": state.price}
    return market


def _home_names(homes: tuple[CustomHome, ...]) -> list[str]:
    """Return unique names; repeated first names are numbered."""
    names: list[str] = []
    for home in homes:
        base = FIRST_NAMES[home.name]
        count = sum(name == base or name.startswith(f"{base} ") for name in names)
        names.append(base if not count else f"{base} {count + 1}")
    return names


def _home_spec(number: int, name: str, home: CustomHome) -> dict[str, object]:
    spec: dict[str, object] = {
        "name": name,
        "load": {
            "source": "synthetic",
            "lifestyle": select_lifestyle(home.people, home.routine),
            "occupants": home.people,
        },
    }
    if home.panels_kwp > 0:
        spec["solar"] = {
            "source": "synthetic",
            "peak_kw": home.panels_kwp,
            "tilt_deg": 35,
            "azimuth_deg": _AZIMUTHS_DEG[number % len(_AZIMUTHS_DEG)],
        }
    if home.battery_kwh > 0:
        spec["battery"] = {
            "capacity_kwh": home.battery_kwh,
            "charge_kw": home.battery_kwh / 2,
            "soc_min": 0.1,
            "soc_max": 0.95,
            "self_discharge_per_month": 0.03,
        }
    spec["policy"] = _POLICIES.get(home.style, "self-consumption")
    return spec


def select_lifestyle(people: int, routine: str) -> str:
    """Select the lifestyle of the load generator for a household.

    Args:
        people: Number of residents.
        routine: One of `state.ROUTINES`.
    """
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
            by_size = ("single", "couple", "family", "family", "family_with_teenagers")
            return by_size[min(people, len(by_size)) - 1]


def _own_data_content(state: CommunityPageState, file: str | None) -> dict[str, object]:
    from prosumax.web.model.own_data import own_data_scenario

    if file is None:
        raise InputError("file", "no file was uploaded", "Choose your file again.")
    return own_data_scenario(file, PERIOD_STEPS[state.period])


@cache
def category_prices(category: str) -> tuple[float, float]:
    """Compute the prices of one kWh, EUR/kWh with taxes.

    Args:
        category: Proximity category of the neighbors, A to D.

    Returns:
        The supplier's retail price, and the network fees and levies due on a neighbor's kWh.
    """
    state = CommunityPageState(category=category, rule="none", period="day")
    tariff = community_scenario(state).tariff
    gross = 1 + vat_rate(tariff)
    sums = {
        name: sum(
            price
            for field, _, price in tariff.price_entries
            if field == name and isinstance(price, float)
        )
        for name in _PRICE_COMPONENTS
    }
    local_network = tariff.component(NetworkCharge).local_share * sums["network"]
    local_levies = tariff.component(Levies).local_levies * sums["levies"]
    return sum(sums.values()) * gross, (local_network + local_levies) * gross


@cache
def citylearn_available() -> bool:
    """Return whether the CityLearn data set is on this machine; the demo does not download it."""
    return (cache_dir() / DATASETS["citylearn-2022"] / "schema.json").is_file()
