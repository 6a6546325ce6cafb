"""Scenarios with a network: results, error messages, and power flows without a solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError


@pytest.fixture
def networked(tiny, tmp_path):
    """Return the tiny scenario with its two homes on a table of two lines."""
    table = tmp_path / "lines.csv"
    table.write_text(
        "from,to,length_km,r_ohm_per_km,x_ohm_per_km,max_a\nstation,a,0.1,0.2,0.08,270\na,b,0.1,0.2,0.08,270\n"
    )
    return tiny | {
        "network": {"kind": "edges", "file": str(table), "placement": {"sunny": "a", "shady": "b"}}
    }


def edited(scenario, **network):
    return scenario | {"network": scenario["network"] | network}


def lines(scenario, tmp_path, text):
    (tmp_path / "lines.csv").write_text(text)
    return scenario


@pytest.mark.parametrize("flow", ["path", "linear", "ac"])
def test_losses_of_a_table_of_lines_change_no_bill(networked, flow):
    result = prosumax.run(edited(networked, flow=flow))
    wires = result.kpis["network"]
    assert wires["loss_kwh"] > 0 and wires["max_line_loading"] > 0
    assert ("min_voltage_pu" in wires) == (flow != "path")
    assert ("network_voltage_pu" in result.timeseries) == (flow != "path")
    assert "network_loading" in result.timeseries
    # The table has one row per home and step, and none per bus.
    assert len(result.to_frame()) == result.timeseries.sizes["time"] * 2
    received = sum(result.kpis[f"{party}_revenue"] for party in PARTIES)
    assert received == pytest.approx(result.kpis["cost"], abs=1e-6)
    copper = prosumax.run(edited(networked, flow="copper_plate"))
    assert copper.kpis["network"] is None
    # Without fees no bill changes; the operator buys the losses from the supplier.
    assert result.kpis["cost"] == pytest.approx(copper.kpis["cost"], abs=1e-6)
    given = copper.kpis["network_operator_revenue"] - result.kpis["network_operator_revenue"]
    assert given == pytest.approx(wires["loss_cost"], abs=1e-5)


PARTIES = ("supplier", "network_operator", "government", "mechanism")


def test_fees_are_billed_and_are_the_operators_revenue(networked):
    free = prosumax.run(networked)
    charged = prosumax.run(edited(networked, operator={"fees": True, "congestion_threshold": 0}))
    fees = charged.kpis["network"]["fees"]
    assert fees != 0
    assert sum(home["bill_items"]["network_fees"] for home in charged.households) == pytest.approx(
        fees, abs=1e-6
    )
    assert charged.kpis["cost"] - free.kpis["cost"] == pytest.approx(fees, abs=1e-5)
    income = charged.kpis["network_operator_revenue"] - free.kpis["network_operator_revenue"]
    assert income == pytest.approx(fees, abs=1e-5)


def test_a_network_without_capacity_stops_trade_and_export(networked):
    tight = edited(
        networked,
        capacity_kw=0.02,
        trade_limit="pro_rata",
        operator={"intervention": "curtail", "congestion_threshold": 1},
    )
    result = prosumax.run(tight | {"market": {"mechanism": "double_auction"}})
    free = prosumax.run(networked | {"market": {"mechanism": "double_auction"}})
    assert result.kpis["traded_kwh"] < 0.05 * free.kpis["traded_kwh"]
    assert result.kpis["network"]["curtailed_kwh"] > 0
    assert result.kpis["home_export_kwh"] == pytest.approx(
        free.kpis["home_export_kwh"] - result.kpis["network"]["curtailed_kwh"], abs=1e-4
    )


def test_steps_without_a_solution_are_counted_and_change_no_bill(networked):
    """At a thousand times the load the power flow has no solution."""
    loads = [{"source": "values", "values": [1000.0, 0.5]}] * 2
    raw = networked | {
        "homes": [
            home | {"load": load} for home, load in zip(networked["homes"], loads, strict=True)
        ]
    }
    result = prosumax.run(edited(raw, operator={"fees": True}))
    assert 0 < result.kpis["network"]["not_converged_steps"] < result.timing["steps"]
    assert any("did not converge" in note for note in result.notes)
    assert all(np.isfinite(home["bill"]) for home in result.households)
    assert np.isfinite(result.kpis["cost"]) and 0.5 < result.kpis["network"]["min_voltage_pu"] < 1.2


def test_a_run_without_any_solution_has_no_loss_cost(networked):
    home = {"name": "sunny", "load": {"source": "values", "values": [1000.0]}}
    result = prosumax.run(edited(networked | {"homes": [home]}, placement={"sunny": "b"}))
    assert result.kpis["network"]["not_converged_steps"] == 4
    assert result.kpis["network"]["min_voltage_pu"] is None and np.isfinite(result.kpis["cost"])
    # Without a solution the losses are unknown and not charged.
    assert result.kpis["network"]["loss_kwh"] == result.kpis["network"]["loss_cost"] == 0


HEAD = "from,to,length_km,r_ohm_per_km,x_ohm_per_km\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "station,a,0.1,0.2,0.1\nb,c,0.1,0.2,0.1\n",
            "is not connected: 2 of 4 buses cannot be reached",
        ),
        (HEAD + "station,a,0,0.2,0.1\na,b,0.1,0.2,0.1\n", "line 2 column 'length_km'"),
        (HEAD + "station,a,0.1,0.2,0.1\na,a,0.1,0.2,0.1\n", "starts and ends at 'a'"),
    ],
)
def test_invalid_networks_raise_an_error(networked, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        prosumax.run(lines(networked, tmp_path, text))


def test_homes_on_missing_buses_raise_an_error(networked):
    with pytest.raises(
        InputError, match=r"network\.placement\.shady: network 'lines' has no bus called 'z'"
    ):
        prosumax.run(edited(networked, placement={"sunny": "a", "shady": "z"}))
    with pytest.raises(InputError, match="has no bus for 'shady'"):
        prosumax.run(edited(networked, placement={"sunny": "a"}))


def test_inconsistent_fields_raise_an_error(tiny):
    with pytest.raises(InputError, match="kind edges requires `file`"):
        prosumax.load_scenario(tiny | {"network": {"kind": "edges"}})
    with pytest.raises(InputError, match="set network.kind"):
        prosumax.load_scenario(tiny | {"network": {"trade_limit": "price"}})
    with pytest.raises(InputError, match="requires `fees: true`"):
        prosumax.load_scenario(
            tiny | {"network": {"kind": "tree", "operator": {"intervention": "penalize"}}}
        )
    with pytest.raises(InputError, match="cigre_lv"):
        prosumax.load_scenario(tiny | {"network": {"kind": "cigre-lv"}})


def test_the_operator_inspects_at_the_given_frequency(networked):
    # Every trade is penalized in an inspected step. Orders arrive at fixed times, so that only
    # the inspections are random.
    operator = {"fees": True, "intervention": "penalize", "congestion_threshold": 0}
    fixed = {"environment": {"random_arrival": False, "episode_steps": 4}}
    env = prosumax.make(
        edited(networked, operator=operator) | {"market": {"mechanism": "double_auction"}}, fixed
    )
    _, state = env.reset(jax.random.key(0))
    community = env.params.community
    rules = community.network.operator

    @jax.jit
    def inspect(frequency, keys):
        wires = community.network._replace(
            operator=rules._replace(inspection_probability=frequency)
        )
        params = env.params._replace(community=community._replace(network=wires))
        idle = jnp.zeros((2, len(env.config.action_slots)))
        record = jax.vmap(lambda key: env.step(key, state, idle, params).info["record"])(keys)
        return record.local.bought_kwh.sum(-1), record.grid.intervened

    for frequency in (0.0, 0.3, 1.0):
        bought, intervened = inspect(frequency, jax.random.split(jax.random.key(1), 1000))
        # The tolerance is four standard errors of a share estimated from 1000 samples.
        error = 4 * (frequency * (1 - frequency) / 1000) ** 0.5
        assert (bought > 0).all() and np.mean(intervened) == pytest.approx(frequency, abs=error)
