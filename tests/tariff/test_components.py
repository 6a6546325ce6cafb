"""Components by hand, and a component that a program registers itself."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.report import write_report
from prosumax.scenario.schema.tariff import TariffConfig, tariff_components, tariff_model
from prosumax.tariff.component import EnergyCharge, PlanTerms, TariffComponent, tariff_parts
from prosumax.tariff.components.levies import Levies
from prosumax.tariff.statement import RECEIVERS, fixed_line
from tests.tariff.communities import items_of, lines_of, street_of_two

FLANDERS_CEILING = 0.3276168


def test_every_field_of_the_schema_belongs_to_one_component():
    own = {"currency", "description", "emission_factor_kg_per_kwh"}
    fields = [
        name
        for entry in tariff_components.entries().values()
        for name in entry.component.model_fields
    ]
    assert len(fields) == len(set(fields))
    assert set(tariff_model().model_fields) == own.union(fields)
    for name, entry in tariff_components.entries().items():
        assert issubclass(entry.component, TariffComponent), name
        assert entry.component.receiver in RECEIVERS and entry.summary


def test_ceiling_of_a_month_by_hand():
    """A home takes 0.5 kW on the first day of a month only: 12 kWh, a peak of 0.5 kW.

    In January it pays 12 x 0.05 for the network and a twelfth of 48 x 2.5 for the peak, 10.60 in
    all; the ceiling is 12 x 0.30 = 3.60. In February it takes 0.5 kW all month, 336 kWh: 26.80,
    below the ceiling of 100.80.
    """
    january = np.r_[np.full(24, 0.5), np.zeros(30 * 24)]
    february = np.full(28 * 24, 0.5)
    result = street_of_two(
        np.r_[january, february],
        start="2023-01-01T00:00",
        energy=0.2,
        network=0.05,
        vat=0.06,
        capacity_charge_per_kw_year=48,
        min_billed_peak_kw=2.5,
        network_ceiling_per_kwh=0.30,
        network_fee_per_year=365,
    )
    items = items_of(result, "consumer")
    assert items["capacity_charge"] == pytest.approx(20, abs=1e-6)
    assert items["network"] == pytest.approx(0.05 * (12 + 336), abs=1e-4)
    assert items["network_ceiling"] == pytest.approx(3.60 - 10.60, abs=1e-4)
    assert items["network_fee"] == pytest.approx(59, abs=1e-4)  # not part of the limited costs
    (line,) = lines_of(result, "consumer", "Maximum tariff, 1 month")
    assert (line.receiver, line.unit) == ("network_operator", "")
    assert line.vat == pytest.approx(0.06 * line.amount)
    # The other home takes nothing and pays nothing but the fixed fee.
    other = items_of(result, "producer")
    assert other["network_ceiling"] == pytest.approx(-other["capacity_charge"])


def test_ceiling_counts_shared_energy_at_its_part_of_the_network_charge():
    """The consumer buys 24 of 48 kWh from the neighbor, at half of the network charge."""
    result = street_of_two(
        np.full(24, 2.0),
        solar=np.full(24, 1.0),
        mechanism="key_equal",
        energy=0.2,
        network=0.10,
        local_network=0.5,
        capacity_charge_per_kw_year=12 * 31,
        network_ceiling_per_kwh=0.08,
    )
    # A day of January costs 2 kW x 31 / 31; the network 24 x 0.10 + 24 x 0.05.
    assert items_of(result, "consumer")["network_ceiling"] == pytest.approx(
        48 * 0.08 - (2 + 3.6), abs=1e-4
    )


def test_optimum_leaves_the_ceiling_out():
    """The lower of two costs is not convex: objective and optimum are without the ceiling."""
    terms = {"energy": 0.3, "capacity_charge_per_kw_year": 50, "min_billed_peak_kw": 2.5}
    load = np.tile([0.1, 0.3], 12)
    battery = {"capacity_kwh": 2, "charge_kw": 1}
    plain = street_of_two(load, battery=battery, policy="optimal", optimum=True, **terms)
    capped = street_of_two(
        load, battery=battery, policy="optimal", optimum=True, network_ceiling_per_kwh=0.01, **terms
    )
    assert capped.kpis["cost"] < plain.kpis["cost"] - 0.1
    for name in ("objective", "baseline_objective", "individual_optimum", "community_optimum"):
        assert capped.kpis[name] == pytest.approx(plain.kpis[name], abs=1e-5), name
    assert any("leave out the ceiling on network costs" in note for note in capped.notes)
    assert not any("leave out" in note for note in plain.notes)


def test_injection_fees_by_hand():
    """24 kWh are exported, half of them to the neighbor; the fee is due on all of them."""
    result = street_of_two(
        np.full(24, 0.5),
        solar=np.full(24, 1.0),
        mechanism="key_equal",
        energy=0.2,
        feed_in=0.05,
        vat=0.21,
        injection_fee_per_kwh={"Injection": 0.01},
        injection_fee_per_year={"Second meter": 365},
    )
    items = items_of(result, "producer")
    assert items["injection_fee"] == pytest.approx(24 * 0.01 + 1, abs=1e-6)
    assert items["feed_in"] == pytest.approx(12 * 0.05, abs=1e-5)
    assert items["network"] == pytest.approx(0, abs=1e-5)
    assert items["vat"] == pytest.approx(0.21 * 1.24, abs=1e-5)
    assert items_of(result, "consumer")["injection_fee"] == 0  # it has no PV system
    lines = {line.item: line for line in result.bills[1].lines}
    assert lines["Injection"].quantity == pytest.approx(24, abs=1e-5)
    assert lines["Injection"].price == pytest.approx(0.01)
    assert lines["Second meter"].unit == "year" and lines["Second meter"].vat > 0
    assert result.kpis["network_operator_revenue"] == pytest.approx(1.24, abs=1e-5)
    # Without exchange the same energy leaves the home, and the same fee is due.
    assert result.households[1]["bill_without_exchange"] == pytest.approx(
        1.24 * 1.21 - 24 * 0.05, abs=1e-5
    )


def test_community_fees_by_hand():
    """Half of a February with 12 shared kWh a day: half a membership, and 0.02 per shared kWh."""
    days = 14
    result = street_of_two(
        np.full(24 * days, 0.5),
        solar=np.full(24 * days, 1.0),
        start="2023-02-01T00:00",
        mechanism="key_equal",
        energy=0.2,
        vat=0.21,
        community_fee_per_month={"Membership": 3.0},
        community_fee_per_kwh=0.02,
    )
    shared = 12.0 * days
    assert items_of(result, "consumer")["community_fee"] == pytest.approx(
        1.5 + 0.02 * shared, abs=1e-4
    )
    assert items_of(result, "producer")["community_fee"] == pytest.approx(1.5, abs=1e-6)
    assert result.kpis["community_revenue"] == pytest.approx(3 + 0.02 * shared, abs=1e-4)
    fee, shared_fee = (line for line in result.bills[0].lines if line.receiver == "community")
    assert (fee.item, fee.unit, fee.vat) == ("Membership", "month", 0)
    assert (fee.quantity, fee.price) == (pytest.approx(0.5), 3.0)
    assert (shared_fee.item, shared_fee.quantity) == (
        "Fee on shared energy",
        pytest.approx(shared, abs=1e-3),
    )
    # A home alone is no member.
    alone = street_of_two(
        np.full(24 * days, 0.5), start="2023-02-01T00:00", energy=0.2, community_fee_per_month=3.0
    )
    assert items_of(alone, "consumer")["community_fee"] == 0
    assert alone.kpis["saving"] == pytest.approx(0, abs=1e-5)


def test_community_fee_lowers_the_value_of_local_energy():
    """A buyer bids the retail price less all charges on local energy, the fee included."""
    prices = {"energy": 0.2, "network": 0.1, "local_network": 0.5}
    loads = {"solar": np.full(24, 1.0), "mechanism": "mid_market_rate", "feed_in": 0.05, **prices}
    free = street_of_two(np.full(24, 0.5), **loads)
    paid = street_of_two(np.full(24, 0.5), **loads, community_fee_per_kwh=0.04)
    middle, lower = (sum(result.trajectory.record.local.paid[:, 0]) / 12 for result in (free, paid))
    assert middle == pytest.approx((0.25 + 0.05) / 2, abs=1e-5)
    assert lower == pytest.approx((0.21 + 0.05) / 2, abs=1e-5)


def test_home_that_leaves_pays_for_its_time():
    """The producer leaves after one of two days of January, and the consumer stays."""
    result = street_of_two(
        np.full(48, 0.5),
        solar=np.full(48, 1.0),
        mechanism="key_equal",
        events=[{"event": "home_leaves", "home": "producer", "at": "2023-01-02T00:00"}],
        energy=0.2,
        capacity_charge_per_kw_year=12 * 31,
        min_billed_peak_kw=2.0,
        network_ceiling_per_kwh=0.05,
        injection_fee_per_year=365,
        community_fee_per_month=31,
    )
    producer, consumer = (items_of(result, name) for name in ("producer", "consumer"))
    assert producer["injection_fee"] == pytest.approx(1)
    assert producer["community_fee"] == pytest.approx(1)
    assert consumer["community_fee"] == pytest.approx(2)
    # A day costs 2 kW x 1, which the ceiling cancels where nothing is imported.
    assert producer["capacity_charge"] == pytest.approx(2)
    assert producer["network_ceiling"] == pytest.approx(-2)
    assert consumer["network_ceiling"] == pytest.approx(24 * 0.05 - 4, abs=1e-5)
    for statement, home in zip(result.bills, result.households, strict=True):
        assert statement.total == pytest.approx(home["bill"], abs=1e-5)


@pytest.fixture
def solidarity():
    """Component that a plugin could have: a contribution per imported kWh and per day."""

    @tariff_components.register("solidarity", "Contribution to a solidarity fund.")
    class SolidarityFund(TariffComponent):
        item = "solidarity"
        title = "solidarity fund"
        receiver = "community"
        bears_vat = True

        solidarity: dict[str, float] | None = None
        """Contribution `per_kwh` imported and `per_day`."""

        def energy_charges(self, prices):
            if self.solidarity is not None:
                price = prices.constant(self.solidarity["per_kwh"])
                yield EnergyCharge("Solidarity", price, "imported")

        def amount(self, period, energy):
            return super().amount(period, energy) + self._daily(period)

        def lines(self, period, energy, home):
            yield from super().lines(period, energy, home)
            days = 365 * period.years
            yield from fixed_line(
                self.receiver, "Daily", days, "day", self._daily(period) / days, period.vat
            )

        def plan_terms(self, period):
            return PlanTerms(fixed_fee=self._daily(period))

        def _daily(self, period):
            return (
                0.0 if self.solidarity is None else self.solidarity["per_day"] * 365 * period.years
            )

    yield SolidarityFund
    tariff_components._entries.pop("solidarity")


def test_component_of_a_plugin_needs_no_other_file(solidarity, tmp_path):
    load, solar = np.tile([0.2, 0.8, 1.0, 0.4], 6), np.tile([0.5, 0.0, 0.0, 1.5], 6)
    common = {
        "solar": solar,
        "battery": {"capacity_kwh": 3, "charge_kw": 2},
        "policy": "optimal",
        "optimum": True,
        "energy": 0.25,
        "feed_in": 0.05,
        "vat": 0.06,
    }
    result = street_of_two(load, **common, solidarity={"per_kwh": 0.10, "per_day": 0.5})
    scenario = result.scenario
    assert scenario.tariff.component(solidarity).solidarity == {"per_kwh": 0.10, "per_day": 0.5}
    assert prosumax.load_scenario(scenario) == scenario
    # Bill, receipts and statement.
    imported = result.trajectory.record.flows.import_kwh.sum(0)
    for home, kwh, statement in zip(result.households, imported, result.bills, strict=True):
        assert home["bill_items"]["solidarity"] == pytest.approx(0.10 * kwh + 0.5, abs=1e-5)
        assert statement.total == pytest.approx(home["bill"], abs=1e-5)
        lines = {line.item: line for line in statement.lines if line.receiver == "community"}
        assert lines["Daily"].amount == pytest.approx(0.5)
        assert lines["Daily"].vat == pytest.approx(0.03)
        if kwh > 0:
            assert lines["Solidarity"].quantity == pytest.approx(kwh, abs=1e-5)
    assert result.kpis["community_revenue"] == pytest.approx(0.10 * imported.sum() + 1.0, abs=1e-5)
    received = sum(result.kpis[f"{receiver}_revenue"] for receiver in RECEIVERS)
    assert received == pytest.approx(result.kpis["cost"], abs=1e-6)
    # Optimum: it knows both parts.
    assert result.kpis["individual_optimum"] == pytest.approx(result.kpis["cost"], abs=1e-4)
    cheaper = street_of_two(load, **common)
    assert result.kpis["individual_optimum"] > cheaper.kpis["individual_optimum"] + 1.0
    # Report and stored bills.
    write_report(result, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "solidarity fund" in page and "Daily" in page
    result.save(tmp_path / "run")
    assert "Solidarity" in json.dumps(json.loads((tmp_path / "run" / "bills.json").read_text()))


def test_unregistered_component_is_no_field():
    with pytest.raises(InputError, match=r"tariff.solidarity: there is no such field"):
        street_of_two(np.ones(4), energy=0.2, solidarity={"per_kwh": 0.1, "per_day": 1})


def test_components_state_receiver_and_own_fields():
    with pytest.raises(TypeError, match="must define the class attribute `title`"):

        class Untitled(TariffComponent):
            item = "untitled"

    with pytest.raises(TypeError, match="receiver is 'me'; it must be one of supplier"):

        class Mine(TariffComponent):
            item = "mine"
            title = "mine"
            receiver = "me"

    class Second(TariffComponent):
        item = "second"
        title = "second"
        receiver = "supplier"
        energy: float = 0.0

    with pytest.raises(ValueError, match="Second has the field 'energy' of another component"):
        tariff_components.register("second", "Another price of energy.")(Second)
    assert "second" not in tariff_components

    class Third(TariffComponent):
        item = "capacity_charge"
        title = "third"
        receiver = "supplier"
        third: float = 0.0

    with pytest.raises(ValueError, match="Third has the item 'capacity_charge' of another"):
        tariff_components.register("third", "Another charge on peaks.")(Third)


def test_tariff_without_any_price_is_free():
    result = street_of_two(np.ones(4), energy=0.0)
    assert result.kpis["cost"] == 0
    assert [statement.lines for statement in result.bills] == [[], []]


def test_tariff_can_be_pickled_and_copied(tiny):
    tariff = prosumax.load_scenario(tiny, {"tariff": "brussels-2026"}).tariff
    assert pickle.loads(pickle.dumps(tariff)) == tariff
    changed = tariff.model_copy(update={"local_levies": 0.5})
    assert changed.component(Levies).local_levies == 0.5
    assert tariff.component(Levies).local_levies == 1.0


def test_tariff_has_the_components_in_the_order_of_the_bill(tiny):
    tariff = prosumax.load_scenario(tiny).tariff
    assert isinstance(tariff, TariffConfig)
    orders = [part.order for part in tariff_parts(tariff)]
    assert orders == sorted(orders)
    with pytest.raises((dataclasses.FrozenInstanceError, ValueError)):
        tariff.currency = "USD"
