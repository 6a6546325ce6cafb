from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.errors import InputError
from prosumax.grid.catalog.loading import load_feeder
from prosumax.grid.catalog.placement import place_homes
from prosumax.grid.feeder import Feeder
from prosumax.scenario.schema.network import NetworkConfig
from tests.grid.catalog.ac_reference import solve

Loader = Callable[..., Feeder]


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    def load_text(text: str, name: str = "street.csv") -> Feeder:
        path = tmp_path / name
        path.write_text(text)
        return load_feeder(NetworkConfig(kind="edges", file=path), homes=2, seed=0)

    return load_text


def test_length_alone_implies_the_default_cable(load: Loader) -> None:
    feeder = load("from,to,length_km\nstation,a,0.1\na,b,0.05\na,c,0.2\n")
    assert feeder.name == "street"
    assert feeder.buses == ("station", "a", "b", "c")
    assert feeder.source_bus == 0
    base_ohm = 0.4**2
    np.testing.assert_allclose(
        feeder.branches.series_pu * base_ohm, np.array([0.1, 0.05, 0.2]) * (0.208 + 0.08j)
    )
    np.testing.assert_allclose(feeder.branches.rating_to_pu * 1000, np.sqrt(3) * 0.4 * 270)
    assert feeder.branches.name == ("station - a", "a - b", "a - c")
    assert feeder.zone == ("substation", "substation", "feeder 1", "feeder 2")
    assert "NAYY 4x150" in feeder.notes[0]
    assert place_homes(feeder, ["x", "y", "z"], "one_per_load", 0).tolist() == [1, 2, 3]


def test_impedances_per_km_and_optional_columns(load: Loader) -> None:
    feeder = load(
        "name;from;to;length_km;r_ohm_per_km;x_ohm_per_km;max_a;zone;kv;source\n"
        "first;a;b;0,5;0,3;0,1;200;north;10;\n"
        ";c;a;0,25;0,6;0;100;south;10;1\n"
    )
    assert feeder.buses[feeder.source_bus] == "c"
    np.testing.assert_allclose(feeder.branches.series_pu * 100, [0.15 + 0.05j, 0.15])
    np.testing.assert_allclose(
        feeder.branches.rating_from_pu, np.sqrt(3) * 10 * np.array([0.2, 0.1])
    )
    assert feeder.branches.name == ("first", "c - a")
    assert dict(zip(feeder.buses, feeder.zone, strict=True)) == {
        "a": "south",
        "b": "north",
        "c": "substation",
    }
    assert feeder.base_kv.tolist() == [10.0] * 3


def test_total_impedances(load: Loader) -> None:
    feeder = load("from,to,r_ohm,x_ohm\n0,1,0.0208,0.01\n1,2,0.0416,0\n")
    assert feeder.buses == ("0", "1", "2")
    np.testing.assert_allclose(feeder.branches.series_pu * 0.16, [0.0208 + 0.01j, 0.0416])
    np.testing.assert_allclose(feeder.branches.length_km, [0.1, 0.2])
    assert "Lengths are missing" in feeder.notes[0]
    assert np.isinf(feeder.branches.rating_to_pu).all()
    exact = load("from,to,r_ohm,x_ohm,length_km\n0,1,0.0208,0.01,0.3\n")
    assert exact.branches.length_km.tolist() == [0.3]
    assert exact.notes == ()


def test_parquet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "street.parquet"
    pd.DataFrame({"from": [1, 2], "to": [2, 3], "length_km": [0.1, 0.2]}).to_parquet(path)
    feeder = load_feeder(NetworkConfig(kind="edges", file=path), homes=1, seed=0)
    assert feeder.buses == ("1", "2", "3")


def test_currents_of_a_symmetric_loop_are_equal(load: Loader) -> None:
    """Both halves of the loop are equal."""
    feeder = load("from,to,length_km\ns,a,0.1\ns,b,0.1\na,c,0.1\nb,c,0.1\n")
    object.__setattr__(feeder, "load_kw", np.array([0.0, 0.0, 0.0, 20.0]))
    current = np.abs(solve(feeder).to_pu)
    assert current[0] == pytest.approx(current[1], rel=1e-9)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (
            "from,length_km\na,1\n",
            r"street\.csv: the table has no column 'to'.*Found: from, length_km",
        ),
        ("from,to\na,b\n", r"does not specify the impedance of the lines.*length_km alone"),
        ("from,to,r_ohm\na,b,1\n", "does not specify the impedance of the lines"),
        (
            "from,to,lenght_km\na,b,1\n",
            "column 'lenght_km': the column is not known.*mean 'length_km'",
        ),
        (
            "from,to,length_km\na,b,0\n",
            r"line 2 column 'length_km': the value must be above zero, got 0\."
            r" Give a number above zero\. Merge",
        ),
        (
            "from,to,length_km\na,b,1\nb,c,-2\n",
            "line 3 column 'length_km': the value must be above zero, got -2",
        ),
        ("from,to,length_km\na,b,long\n", "line 2 column 'length_km': 'long' is not a number"),
        ("from,to,length_km\na,b,\n", "line 2 column 'length_km': '' is not a number"),
        ("from,to,length_km\na,b,inf\n", "'inf' is not a number"),
        (
            "from,to,r_ohm,x_ohm\na,b,0,1\n",
            "line 2 column 'r_ohm': the value must be above zero, got 0",
        ),
        (
            "from,to,r_ohm,x_ohm\na,b,1,-1\n",
            "column 'x_ohm': the value must be at least zero, got -1. Give a number",
        ),
        (
            "from,to,length_km,max_a\na,b,1,0\n",
            "column 'max_a': the value must be above zero, got 0",
        ),
        ("from,to,length_km\na,a,1\n", "line 2 column 'to': the line starts and ends at 'a'"),
        (
            "from,to,length_km\na,b,1\nb,a,1\n",
            "line 3: the line connects 'b' and 'a', which line 2 does already",
        ),
        ("from,to,length_km\na,,1\n", "line 2 column 'to': the cell is empty"),
        (
            "from,to,length_km,kv\na,b,1,10\nb,c,1,0.4\n",
            "line 3 column 'kv': the voltage is 0.4 after 10",
        ),
        (
            "from,to,length_km,source\na,b,1,1\nb,c,1,1\n",
            "column 'source': the column marks 2 buses",
        ),
        (
            "from,to,length_km,source\na,b,1,maybe\n",
            "line 2 column 'source': the cell must be 1 or 0, got 'maybe'",
        ),
        (
            "from,to,length_km,zone\na,b,1,x\nc,b,1,y\n",
            "line 3 column 'zone': the line puts 'b' in 'y' after 'x'",
        ),
        ("from,to,length_km\na,b,1\nc,d,1\n", r"is not connected: 2 of 4 buses.*\(c, d\)"),
        ("from,to,length_km\n", "has no rows"),
    ],
)
def test_invalid_tables_raise_an_error(load: Loader, text: str, pattern: str) -> None:
    with pytest.raises(InputError, match=pattern) as caught:
        load(text)
    assert caught.value.fix


def test_a_missing_file_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"network\.file lines\.csv: there is no such file"):
        load_feeder(NetworkConfig(kind="edges", file=tmp_path / "lines.csv"), homes=1, seed=0)
