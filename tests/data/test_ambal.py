"""AMBAL signatures: power per second, replacement of cycles and damaged files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.data.generators.household.appliances import APPLIANCES
from prosumax.data.generators.household.load import synthetic_load
from prosumax.data.readers.ambal import read_ambal_appliances, read_ambal_signature
from prosumax.errors import InputError

SIGNATURE = """<?xml version="1.0"?>
<profile duration="{duration}" type="{appliance_type}">
  <load type="ON_OFF"><onPower value="{watts}"/><duration value="0.5"/></load>
  <load type="LINEAR"><startPower value="100"/><endPower value="300"/>
    <duration value="0.1"/></load>
  <load type="ON_OFF_DECAY"><activePower value="50"/><peakPower value="150"/>
    <decayRate value="0.5"/><duration value="0.2"/></load>
  <load type="ON_OFF_GROWTH"><basePower value="10"/><growthRate value="2"/>
    <duration value="0.1"/></load>
  <load type="NOISE"><lower value="0"/><mean value="20"/><stdev value="5"/><upper value="40"/>
    <duration value="0.1"/></load>
</profile>
"""


def test_ambal_signature_power_per_second(tmp_path: Path) -> None:
    path = tmp_path / "mode0"
    path.write_text(SIGNATURE.format(duration=200, appliance_type="KETTLE", watts=1900))
    signature = read_ambal_signature(path)
    watts = signature.power_w()
    assert (signature.appliance_type, signature.duration_s, len(watts)) == ("KETTLE", 200, 200)
    np.testing.assert_allclose(watts[:100], 1900)
    np.testing.assert_allclose(watts[100:120], np.linspace(100, 300, 20))
    np.testing.assert_allclose(watts[120:160], 50 + 100 * np.exp(-0.5 * np.arange(40)))
    np.testing.assert_allclose(watts[160:180], 10 + 2 * np.log(np.arange(1, 21)))
    np.testing.assert_allclose(watts[180:], 20)
    noisy = signature.power_w(rng=np.random.default_rng(1))[180:]
    assert noisy.std() > 1
    assert (noisy >= 0).all()
    phases = signature.phases()
    assert sum(minutes for minutes, _ in phases) == pytest.approx(200 / 60)
    assert sum(minutes * 60 * mean for minutes, mean in phases) == pytest.approx(watts.sum())


def test_ambal_signatures_replace_cycles(tmp_path: Path) -> None:
    for number, watts in enumerate((500, 1000, 3000)):
        path = tmp_path / "KETTLE" / "dev_1" / f"mode{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SIGNATURE.format(duration=240, appliance_type="KETTLE", watts=watts))
    appliances = read_ambal_appliances(tmp_path)
    assert appliances["kettle"].phases[0] == (2.0, 1000.0)
    assert appliances["oven"] == APPLIANCES["oven"]
    index = pd.date_range("2025-01-01", periods=96 * 28, freq="15min", tz="UTC")
    default, replaced = (
        synthetic_load(index, "couple", None, 4, "Europe/Brussels", appliances=models).end_use_kwh
        for models in (APPLIANCES, appliances)
    )
    assert replaced["kettle"] < 0.7 * default["kettle"]
    assert replaced["oven"] == pytest.approx(default["oven"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ON_OFF_DECAY", "SINE", "load 3: the type 'SINE' is unknown"),
        ('<endPower value="300"/>', "", "load 2: endPower is not a number"),
        ('duration="200"', "", "not a <profile>"),
        ("</profile>", "", "not readable XML"),
        ('<duration value="0.5"/>', '<duration value="5"/>', "between 0 and 1"),
    ],
)
def test_damaged_signature_is_reported(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mode0"
    path.write_text(
        SIGNATURE.format(duration=200, appliance_type="KETTLE", watts=1900).replace(old, new, 1)
    )
    with pytest.raises(InputError, match=message):
        read_ambal_signature(path)


def test_folder_without_appliances_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TYPE one of COFFEEMAKER"):
        read_ambal_appliances(tmp_path)
