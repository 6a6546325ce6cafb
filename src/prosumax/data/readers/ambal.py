"""Appliance load signatures in the AMBAL format, as distributed with ANTgen.

An XML file holds one operation mode of an appliance: a `<profile duration=s type=...>` with
consecutive `<load type=...>` segments, each with a `duration` as a fraction of the profile.

References:
    Buneeva & Reinhardt, "AMBAL: Realistic load signature generation for load disaggregation
    performance evaluation", IEEE SmartGridComm 2017.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.generators.household.appliances import APPLIANCES, ApplianceModel, Phases
from prosumax.errors import InputError

Array = NDArray[np.float64]

APPLIANCE_BY_AMBAL_TYPE: Mapping[str, str] = {
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
"""Key of `APPLIANCES` by AMBAL appliance type; other types are not started by occupants."""

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "ON_OFF": ("onPower",),
    "LINEAR": ("startPower", "endPower"),
    "ON_OFF_DECAY": ("activePower", "peakPower", "decayRate"),
    "ON_OFF_GROWTH": ("basePower", "growthRate", "stretchFactor"),
    "NOISE": ("lower", "mean", "stdev", "upper"),
}
_DEFAULTS = {"stretchFactor": 1.0}  # An extension of the original format.


class LoadSegment(NamedTuple):
    """One segment of a signature.

    Attributes:
        segment_type: Model of the segment, such as `ON_OFF`.
        duration_share: Duration as a fraction of the profile.
        parameters: Parameters of the model, in the order of the format.
    """

    segment_type: str
    duration_share: float
    parameters: tuple[float, ...]


class ApplianceSignature(NamedTuple):
    """One operation mode of an appliance.

    Attributes:
        appliance_type: AMBAL type in upper case, such as `KETTLE`.
        duration_s: Nominal duration, s.
        segments: Consecutive segments.
    """

    appliance_type: str
    duration_s: int
    segments: tuple[LoadSegment, ...]

    def power_w(
        self, duration_s: int | None = None, rng: np.random.Generator | None = None
    ) -> Float[Array, " second"]:
        """Compute the power in every second, W.

        Args:
            duration_s: Duration, s; the nominal one if None.
            rng: Generator of the noise; without one, noise segments are at their mean.
        """
        length = self.duration_s if duration_s is None else duration_s
        parts = [
            _segment_power_w(segment, round(segment.duration_share * length), rng)
            for segment in self.segments
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def phases(self) -> Phases:
        """Return duration (min) and mean power (W) of each segment of at least one second."""
        phases = []
        for segment in self.segments:
            seconds = round(segment.duration_share * self.duration_s)
            if seconds:
                mean_w = float(_segment_power_w(segment, seconds, None).mean())
                phases.append((seconds / 60, mean_w))
        return tuple(phases)


def read_ambal_signature(path: str | Path) -> ApplianceSignature:
    """Read one AMBAL file.

    Args:
        path: XML file.

    Raises:
        InputError: The file is not XML, not an AMBAL profile, or a segment or number is invalid.
    """
    path = Path(path)
    fix = "Provide an AMBAL profile, as in the folder `appliances` of ANTgen."
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"the file is not readable XML ({error})", fix) from error
    if root.tag != "profile" or not (root.get("duration") or "").isdigit():
        problem = "the root is not a <profile> with a duration in seconds"
        raise InputError(str(path), problem, fix)
    segments = []
    for number, load in enumerate(root.findall("load"), start=1):
        where = f"{path}: load {number}"
        segment_type = load.get("type", "")
        if segment_type not in _PARAMETERS:
            raise InputError(
                where,
                f"the type {segment_type!r} is unknown",
                f"Use one of AMBAL's types: {', '.join(_PARAMETERS)}.",
            )
        share = _read_value(load, "duration", where)
        parameters = [_read_value(load, name, where) for name in _PARAMETERS[segment_type]]
        segments.append(LoadSegment(segment_type, share, tuple(parameters)))
    if not segments:
        raise InputError(str(path), "the profile has no <load>", fix)
    appliance_type = str(root.get("type", "")).upper()
    return ApplianceSignature(appliance_type, int(root.get("duration", "0")), tuple(segments))


def read_ambal_appliances(folder: str | Path) -> dict[str, ApplianceModel]:
    """Read the appliance models with the cycles of an AMBAL folder in place of the default ones.

    Of several modes of an appliance, the one with the median energy is used. The number of cycles
    and the usage hours do not change.

    Args:
        folder: Folder with files TYPE/device/mode.

    Returns:
        Models of all appliances, by the keys of `APPLIANCES`.

    Raises:
        InputError: The folder does not exist, contains no known appliance, or a file is damaged.
    """
    folder = Path(folder)
    signatures: dict[str, list[ApplianceSignature]] = {}
    files = sorted(p for p in folder.glob("*/*/*") if p.is_file() and p.name[0] != ".")
    for path in files:
        name = APPLIANCE_BY_AMBAL_TYPE.get(path.parts[-3].upper())
        if name is not None:
            signatures.setdefault(name, []).append(read_ambal_signature(path))
    if not signatures:
        raise InputError(
            f"signatures: {folder}",
            "the folder contains no known appliance",
            f"Provide folders TYPE/device/mode, TYPE one of {', '.join(APPLIANCE_BY_AMBAL_TYPE)}.",
        )
    replaced = {}
    for name, modes in signatures.items():
        modes.sort(key=lambda mode: sum(minutes * watts for minutes, watts in mode.phases()))
        replaced[name] = replace(APPLIANCES[name], phases=modes[len(modes) // 2].phases())
    return {**APPLIANCES, **replaced}


def _read_value(load: ET.Element, name: str, where: str) -> float:
    entry = load.find(name)
    if entry is None and name in _DEFAULTS:
        return _DEFAULTS[name]
    try:
        value = float(entry.get("value", "") if entry is not None else "")
    except ValueError:
        fix = "Provide the file as AMBAL wrote it."
        raise InputError(where, f"{name} is not a number", fix) from None
    if name == "duration" and not 0.0 <= value <= 1.0:
        raise InputError(
            where,
            f"duration must be between 0 and 1, got {value:g}",
            "Write it as a fraction of the duration of the profile.",
        )
    return value


def _segment_power_w(
    segment: LoadSegment, seconds: int, rng: np.random.Generator | None
) -> Float[Array, " second"]:
    """Compute the power in each second of a segment with the formulas of the AMBAL paper."""
    second = np.arange(seconds, dtype=np.float64)
    match segment.segment_type, segment.parameters:
        case "ON_OFF", (power,):
            return np.full(seconds, power)
        case "LINEAR", (start, end):
            return np.linspace(start, end, seconds)
        case "ON_OFF_DECAY", (active, peak, decay):
            return np.asarray(active + (peak - active) * np.exp(-decay * second))
        case "ON_OFF_GROWTH", (base, growth, stretch):
            return np.asarray(base + growth * np.log(stretch * (second + 1)))
        case _, (lower, mean, deviation, upper):
            noise: NDArray[np.float64] = np.full(seconds, mean)
            if rng is not None:
                noise = rng.normal(mean, deviation, seconds)
            return noise.clip(lower, upper)
        case _:
            raise ValueError(
                f"A segment {segment.segment_type} has {len(segment.parameters)} parameters."
            )
