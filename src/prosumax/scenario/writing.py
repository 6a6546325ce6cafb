"""Scenarios as commented YAML text for editing by hand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import get_args

from prosumax.data.sources.synthetic_load import SyntheticLoad
from prosumax.scenario.schema.devices import device_kinds

_LOCATIONS = {
    "brussels": (50.85, 4.35, 60),
    "flanders": (51.22, 4.40, 10),
    "wallonia": (50.47, 4.87, 100),
}
"""Latitude, longitude and altitude by the first word of a tariff's name."""

_PV_SYSTEMS = (
    (4.5, 35, 180),
    (3, 35, 200),
    (6, 20, 90),
    (5, 40, 225),
    (3.5, 30, 270),
)
"""Peak power in kW, tilt and azimuth in degrees of generated homes in turn."""

LIFESTYLES: tuple[str, ...] = get_args(SyntheticLoad.model_fields["lifestyle"].annotation)

_YAML_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}


@dataclass(frozen=True)
class ScenarioDraft:
    """The choices behind a new scenario file.

    Attributes:
        name: Name of the scenario.
        tariff: Name of a tariff preset, or a tariff file.
        mechanism: Name of the market mechanism.
        policy: Name of the policy.
        start: Start of the period in local time, ISO format.
        steps: Number of steps.
        step_minutes: Length of a step.
        time_zone: IANA name, or None.
        homes: Lines of YAML, each home a list entry.
        file: Name of the scenario file.
        comments: Comments at the top of the file.
        hints: Comments above the homes.
        seed: Seed of generated data.
        location: Whether the homes need a location.
    """

    name: str
    tariff: str
    mechanism: str
    policy: str
    start: str
    steps: int
    step_minutes: int
    time_zone: str | None
    homes: list[str]
    file: str
    comments: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    seed: int = 1
    location: bool = False


def draft_to_yaml(draft: ScenarioDraft) -> str:
    """Return the commented scenario file of a draft."""
    mechanisms = "none,mid_market_rate,key_equal"
    lines = [
        *(f"# {comment}" for comment in draft.comments),
        f"# Run it:              prosumax run {draft.file}",
        f"# Bill of a home:      prosumax bill results/{draft.name} --home HOME",
        f"# Compare mechanisms:  prosumax compare {draft.file} --mechanisms {mechanisms}",
        "# All fields:          docs/reference/scenarios.md",
        f"name: {_quote(draft.name)}",
        f"seed: {draft.seed}                     # of all generated data",
        "period:",
        f"  start: {draft.start}     # local time",
        f"  steps: {draft.steps}",
        f"  step_minutes: {draft.step_minutes}            "
        "# 1, 5, 15, 30 or 60; Belgian meters record quarter-hours",
        f"  time_zone: {draft.time_zone or 'null'}",
    ]
    if draft.location:
        region = draft.tariff.split("-")[0]
        latitude, longitude, altitude = _LOCATIONS.get(region, _LOCATIONS["brussels"])
        lines += [
            "location:                     # for solar radiation",
            f"  latitude_deg: {latitude}",
            f"  longitude_deg: {longitude}",
            f"  altitude_m: {altitude}",
        ]
    lines += [
        "# Control of the homes; `prosumax policies` lists all policies.",
        "# self-consumption charges batteries with PV surplus only.",
        f"policy: {draft.policy}",
        "# Market mechanism; `prosumax mechanisms` lists all, docs/reference/mechanisms.md",
        "# explains them.",
        "market:",
        f"  mechanism: {draft.mechanism}",
        "# Charges of supplier, network operator and government. `prosumax tariffs` lists the",
        "# presets, docs/reference/tariffs.md explains the fields. To change one, copy it with",
        "# `prosumax tariffs NAME > my-tariff.yaml`, and write `tariff: my-tariff.yaml` here.",
        f"tariff: {_quote(draft.tariff)}",
        "homes:",
        *(f"  # {hint}" for hint in draft.hints),
        *draft.homes,
    ]
    return "\n".join(lines) + "\n"


def generated_homes_yaml(count: int, pv_systems: int, batteries: int) -> list[str]:
    """Return lines of YAML for generated homes.

    Args:
        count: Number of homes; their lifestyles take turns.
        pv_systems: Number of homes with PV, the first ones.
        batteries: Number of homes with a battery, the first ones.
    """
    others = [f"`{kind}`" for kind in device_kinds if kind != "battery"]
    lines = [
        f"  # lifestyle: {', '.join(LIFESTYLES)}",
        "  # Add `annual_kwh: 3500` to a load to set its annual energy; without it homes differ",
        "  # around the mean of their lifestyle.",
        "  # azimuth_deg: 180 is south, 90 east. Remove `solar` or `battery`, or add them to other",
        f"  # homes. Further devices: {', '.join(others)};",
        "  # set `policy: solar-first` above for them, and see docs/explanation/devices.md.",
    ]
    homes = zip(range(1, count + 1), cycle(LIFESTYLES), cycle(_PV_SYSTEMS), strict=False)
    for number, lifestyle, (peak_kw, tilt_deg, azimuth_deg) in homes:
        label = lifestyle.replace("_", " ").capitalize()
        lines.append(f"  - name: {_quote(f'{number} {label}')}")
        lines.append(f"    load: {{source: synthetic, lifestyle: {lifestyle}}}")
        if number <= pv_systems:
            plane = f"tilt_deg: {tilt_deg}, azimuth_deg: {azimuth_deg}"
            lines.append(f"    solar: {{source: synthetic, peak_kw: {peak_kw}, {plane}}}")
        if number <= batteries:
            lines.append(
                "    battery: {capacity_kwh: 10, charge_kw: 5, soc_min: 0.1, soc_max: 0.95}"
            )
    return lines


def metered_home_yaml(
    name: str, file: str, load: str | None, solar: str | None, fill: str
) -> list[str]:
    """Return lines of YAML for a home with meter data in a table.

    Args:
        name: Name of the home.
        file: Path of the table.
        load: Column of the load; None for a home without load.
        solar: Column of the PV generation; None for a home without PV.
        fill: Treatment of gaps.
    """
    lines = [f"  - name: {_quote(name)}"]
    if load is None:
        lines.append("    load: {source: values, values: [0]}")
    else:
        lines.append(f"    load: {_table_source(file, load, fill)}")
    if solar is not None:
        lines.append(f"    solar: {_table_source(file, solar, fill)}")
    return lines


def _table_source(file: str, column: str, fill: str) -> str:
    source = {"source": "table", "file": file, "column": column}
    if fill != "none":
        source["fill"] = fill
    return _flow_mapping(source)


def _flow_mapping(content: Mapping[str, object]) -> str:
    """Return a mapping in YAML's flow style."""
    return "{" + ", ".join(f"{key}: {_quote(str(value))}" for key, value in content.items()) + "}"


def _quote(text: str) -> str:
    """Return a YAML string, in double quotes unless a plain one is safe."""
    bare = text.replace("-", "").replace("_", "").replace(".", "")
    is_plain = bare.isalnum() and bare[0].isalpha() and bare.isascii()
    return text if is_plain and text.lower() not in _YAML_WORDS else json.dumps(text)
