"""Appliance signatures in the AMBAL format, as ANTgen ships them: XML files of parametric load segments.

A file holds one mode of an appliance: `<profile duration=s type=...>` with `<load type=...>` segments one after the
other, each with a `duration` as a fraction of the profile.

Source:
    Buneeva & Reinhardt, "AMBAL: Realistic load signature generation for load disaggregation performance evaluation",
    IEEE SmartGridComm 2017.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.data.generators.household.appliances import APPLIANCES, Appliance, Phases
from prosumax.errors import InputError

Series = NDArray[np.float64]

APPLIANCE_OF_TYPE: Mapping[str, str] = {
    "COFFEEMAKER": "coffee machine",
    "COOKINGSTOVE": "hob",
    "DISHWASHER": "dishwasher",
    "DRYER": "tumble dryer",
    "HAIRDRYER": "hair dryer",
    "IRON": "iron",
    "KETTLE": "kettle",
    "MICROWAVE": "microwave",
    "OVEN": "oven",
    "PC": "computer",
    "TOASTER": "toaster",
    "TV": "television",
    "VACUUM": "vacuum cleaner",
    "VACUUMCLEANER": "vacuum cleaner",
    "WASHINGMACHINE": "washing machine",
}
"""AMBAL's appliance type -> our name. Others, refrigerators among them, are not cycles that people start."""

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "ON_OFF": ("onPower",),
    "LINEAR": ("startPower", "endPower"),
    "ON_OFF_DECAY": ("activePower", "peakPower", "decayRate"),
    "ON_OFF_GROWTH": ("basePower", "growthRate", "stretchFactor"),
    "NOISE": ("lower", "mean", "stdev", "upper"),
}
_OPTIONAL = {"stretchFactor": 1.0}  # not part of the original format


class Segment(NamedTuple):
    """A stretch of a signature: its kind, share of the duration, and parameters in the order of the format."""

    kind: str
    share: float
    parameters: tuple[float, ...]


class Signature(NamedTuple):
    """One mode of an appliance.

    kind: its type, upper case, such as KETTLE.
    duration_s: usual length.
    segments: one after the other.
    """

    kind: str
    duration_s: int
    segments: tuple[Segment, ...]

    def watts(
        self, duration_s: int | None = None, rng: np.random.Generator | None = None
    ) -> Series:
        """Power in every second [about duration_s].

        Arguments:
            duration_s: length; the usual one when absent.
            rng: of the noise; without it noise is at its mean.
        """
        length = self.duration_s if duration_s is None else duration_s
        parts = [_segment_watts(one, round(one.share * length), rng) for one in self.segments]
        return np.concatenate(parts) if parts else np.zeros(0)

    def phases(self) -> Phases:
        """(minutes, mean W) of each segment that lasts a second or more."""
        told = [(round(one.share * self.duration_s), one) for one in self.segments]
        return tuple(
            (seconds / 60, float(_segment_watts(one, seconds, None).mean()))
            for seconds, one in told
            if seconds
        )


def read_signature(path: str | Path) -> Signature:
    """One AMBAL file.

    Raises:
        InputError: it is not XML, not a profile, or a segment or number is not as the format says.
    """
    path = Path(path)
    cure = "Give an AMBAL profile, as in ANTgen's folder `appliances`."
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is not readable XML ({error})", cure) from error
    if root.tag != "profile" or not (root.get("duration") or "").isdigit():
        raise InputError(str(path), "is no <profile> with a duration in seconds", cure)
    segments = []
    for number, load in enumerate(root.findall("load"), start=1):
        kind = load.get("type", "")
        if kind not in _FIELDS:
            raise InputError(
                f"{path}: load {number}",
                f"has the unknown type {kind!r}",
                f"AMBAL knows {', '.join(_FIELDS)}.",
            )
        values = [
            _value(load, name, f"{path}: load {number}") for name in ("duration", *_FIELDS[kind])
        ]
        segments.append(Segment(kind, values[0], tuple(values[1:])))
    if not segments:
        raise InputError(str(path), "holds no <load>", cure)
    return Signature(
        str(root.get("type", "")).upper(), int(root.get("duration", "0")), tuple(segments)
    )


def read_appliances(folder: str | Path) -> dict[str, Appliance]:
    """Our appliances with the cycles of an AMBAL folder (TYPE/device/mode) in place of their own.

    Of several modes that of middle energy is taken. How often and when an appliance runs stays as it is.

    Raises:
        InputError: no such folder, nothing in it that fits, or a damaged file.
    """
    folder = Path(folder)
    found: dict[str, list[Signature]] = {}
    for path in sorted(
        path for path in folder.glob("*/*/*") if path.is_file() and path.name[0] != "."
    ):
        name = APPLIANCE_OF_TYPE.get(path.parts[-3].upper())
        if name is not None:
            found.setdefault(name, []).append(read_signature(path))
    if not found:
        cure = f"It needs folders TYPE/device/mode, TYPE one of {', '.join(APPLIANCE_OF_TYPE)}."
        raise InputError(f"signatures: {folder}", "holds no appliance that is known", cure)
    chosen = {}
    for name, modes in found.items():
        modes.sort(key=lambda one: sum(minutes * watts for minutes, watts in one.phases()))
        chosen[name] = replace(APPLIANCES[name], phases=modes[len(modes) // 2].phases())
    return {**APPLIANCES, **chosen}


def _value(load: ET.Element, name: str, where: str) -> float:
    entry = load.find(name)
    if entry is None and name in _OPTIONAL:
        return _OPTIONAL[name]
    try:
        value = float(entry.get("value", "") if entry is not None else "")
    except ValueError:
        raise InputError(
            where, f"has no number for {name}", "Give the file as AMBAL wrote it."
        ) from None
    if name == "duration" and not 0.0 <= value <= 1.0:
        raise InputError(
            where, f"has the duration {value:g}", "It is a share of the profile's, between 0 and 1."
        )
    return value


def _segment_watts(segment: Segment, seconds: int, rng: np.random.Generator | None) -> Series:
    """Power in each second of a segment; formulas of the AMBAL paper, x counted in seconds."""
    at = np.arange(seconds, dtype=np.float64)
    match segment.kind, segment.parameters:
        case "ON_OFF", (power,):
            return np.full(seconds, power)
        case "LINEAR", (start, end):
            return np.linspace(start, end, seconds)
        case "ON_OFF_DECAY", (active, peak, decay):
            return np.asarray(active + (peak - active) * np.exp(-decay * at))
        case "ON_OFF_GROWTH", (base, growth, stretch):
            return np.asarray(base + growth * np.log(stretch * (at + 1)))
        case _, (lower, mean, deviation, upper):
            noise = np.full(seconds, mean) if rng is None else rng.normal(mean, deviation, seconds)
            return np.clip(noise, lower, upper)
        case _:
            raise ValueError(f"a segment {segment.kind} has {len(segment.parameters)} parameters")
