"""Scenarios as text that a person goes on editing: YAML with a comment wherever a choice was made."""

import json
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, get_args

from prosumax.scenario.schema.community import SyntheticLoad

_PLACES = {
    "brussels": (50.85, 4.35, 60),
    "flanders": (51.22, 4.40, 10),
    "wallonia": (50.47, 4.87, 100),
}
_ROOFS = (
    (4.5, 35, 180),
    (3, 35, 200),
    (6, 20, 90),
    (5, 40, 225),
    (3.5, 30, 270),
)  # kWp, tilt, compass direction
LIFESTYLES: tuple[str, ...] = get_args(SyntheticLoad.model_fields["lifestyle"].annotation)


@dataclass(frozen=True)
class ScenarioDraft:
    """What is asked of a person who begins.

    Attributes:
        name: of the scenario.
        tariff: preset or file.
        mechanism, policy: names.
        start: first moment, local time, ISO.
        steps, step_minutes: of the period.
        time_zone: IANA name, or None.
        homes: lines of YAML, each home a list entry.
        file: its own name.
        comments: said at the top.
        hints: said above the homes.
        seed: of what is drawn.
        location: whether there are roofs that need a place.
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
    """The draft as a commented scenario file."""
    lines = [
        *(f"# {comment}" for comment in draft.comments),
        f"# Run it:           prosumax run {draft.file}",
        f"# One home's bill:  prosumax bill results/{draft.name} --home HOME",
        f"# Compare rules:    prosumax compare {draft.file} --mechanisms none,mid_market_rate,key_equal",
        "# All fields:       docs/scenarios.md",
        f"name: {_quoted(draft.name)}",
        f"seed: {draft.seed}                     # of all that is generated",
        "period:",
        f"  start: {draft.start}     # local time",
        f"  steps: {draft.steps}",
        f"  step_minutes: {draft.step_minutes}            # 1, 5, 15, 30 or 60; Belgium bills by quarter-hours",
        f"  time_zone: {draft.time_zone or 'null'}",
    ]
    if draft.location:
        latitude, longitude, altitude = _PLACES.get(draft.tariff.split("-")[0], _PLACES["brussels"])
        lines += [
            "location:                     # for the sun",
            f"  latitude_deg: {latitude}",
            f"  longitude_deg: {longitude}",
            f"  altitude_m: {altitude}",
        ]
    lines += [
        "# How homes decide: `prosumax policies` lists all. self-consumption charges batteries with surplus only.",
        f"policy: {draft.policy}",
        "# The rule for sharing: `prosumax mechanisms` lists all, docs/mechanisms.md explains them.",
        "market:",
        f"  mechanism: {draft.mechanism}",
        "# What supplier, network and state charge: `prosumax tariffs` lists the presets, docs/bills.md explains them.",
        "# `prosumax tariffs NAME > my-tariff.yaml` copies one; then write `tariff: my-tariff.yaml` here.",
        f"tariff: {_quoted(draft.tariff)}",
        "homes:",
        *(f"  # {hint}" for hint in draft.hints),
        *draft.homes,
    ]
    return "\n".join(lines) + "\n"


def generated_homes_yaml(count: int, solar: int, batteries: int) -> list[str]:
    """Lines of YAML for homes that are generated; roofs and batteries go to the first ones.

    Arguments:
        count: homes, with the lifestyles in turn.
        solar, batteries: how many have a roof, and a battery.
    """
    lines = [
        f"  # lifestyle: {', '.join(LIFESTYLES)}",
        "  # Add `annual_kwh: 3500` to a load to fix its year; without it the lifestyle's mean, spread between homes.",
        "  # azimuth_deg: 180 is south, 90 east. Remove `solar` or `battery`, or add them to other homes.",
        "  # Add `car: {power_kw: 7.4}` or `heat_pump: {}` to a home, and `policy: solar-first` above: docs/devices.md",
    ]
    for number, lifestyle, roof in zip(
        range(1, count + 1), cycle(LIFESTYLES), cycle(_ROOFS), strict=False
    ):
        said = lifestyle.replace("_", " ").capitalize()
        lines.append(f"  - name: {_quoted(f'{number} {said}')}")
        lines.append(f"    load: {{source: synthetic, lifestyle: {lifestyle}}}")
        if number <= solar:
            peak, tilt, azimuth = roof
            place = f"tilt_deg: {tilt}, azimuth_deg: {azimuth}"
            lines.append(f"    solar: {{source: synthetic, peak_kw: {peak}, {place}}}")
        if number <= batteries:
            lines.append(
                "    battery: {capacity_kwh: 10, charge_kw: 5, soc_min: 0.1, soc_max: 0.95}"
            )
    return lines


def metered_home_yaml(name: str, file: str, load: str | None, solar: str | None, fill: str) -> list[str]:
    """Lines of YAML for a home whose meter data stand in a table; columns are None where there is nothing."""
    fields = {"file": file, "fill": fill} if fill != "none" else {"file": file}

    def table(column: str) -> str:
        return _flow({"source": "table", "file": file, "column": column} | fields)

    lines = [f"  - name: {_quoted(name)}"]
    lines.append(f"    load: {table(load) if load else '{source: values, values: [0]}'}")
    if solar:
        lines.append(f"    solar: {table(solar)}")
    return lines


def _flow(content: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_quoted(str(value))}" for key, value in content.items()) + "}"


def _quoted(text: str) -> str:
    """Plain where YAML takes it as the same text, in double quotes otherwise."""
    plain = text.replace("-", "").replace("_", "").replace(".", "")
    return (
        text
        if plain.isalnum() and plain[0].isalpha() and plain.isascii() and not _is_word(text)
        else json.dumps(text)
    )


def _is_word(text: str) -> bool:
    return text.lower() in {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
