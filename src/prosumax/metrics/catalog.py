"""Catalog of key performance indicators (KPIs): each one is declared here once.

The tables of the command line, the report, studies, sweeps, the demo and the reference page
`docs/reference/kpis.md` take labels, units, digits and definitions from this catalog. Kinds of
devices declare their own KPIs, which the catalog adds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple, Protocol, cast

from prosumax.errors import did_you_mean
from prosumax.registry import Registry
from prosumax.scenario.schema.devices import device_kinds

Direction = Literal["higher", "lower"]

_MISSING = "-"
_HOME = "home."


@dataclass(frozen=True)
class KPI:
    """One key performance indicator.

    Attributes:
        key: Name in `kpis.json` and in `Result.kpis`. A prefix names the record that holds it:
            `network.loss_kwh` is `result.kpis["network"]["loss_kwh"]`, `home.bill` is `bill` of
            every entry of `result.households`.
        label: Name for readers, without its unit.
        unit: Displayed unit; `{currency}` stands for the currency of the tariff. Values with a
            unit that begins with `%` are stored as fractions.
        digits: Decimals of the displayed value.
        definition: Formula or calculation, in the notation of `docs/reference/kpis.md`.
        explanation: One sentence for readers who do not know the term.
        notes: Range, exceptions and pitfalls.
        reference: Publication or standard that defines it.
        better: Direction of improvement; None where neither direction is better as such.
        short: Heading of a narrow column; the label when empty.
        scale: Factor from the stored to the displayed value; None for 100 where the unit begins
            with `%`, else 1.
        source: Dotted name of the function that computes it.
        summed: For a KPI of a device: whether the community has it too, as the sum over its homes.
        beside: For a KPI of a device: key of another one that short summaries show beside it.
    """

    key: str
    label: str
    unit: str = ""
    digits: int = 0
    definition: str = ""
    explanation: str = ""
    notes: str = ""
    reference: str = ""
    better: Direction | None = None
    short: str = ""
    scale: float | None = None
    source: str = ""
    summed: bool = True
    beside: str = ""

    @property
    def name(self) -> str:
        """Key without the prefix of its record."""
        return self.key.rpartition(".")[2]

    @property
    def heading(self) -> str:
        """Heading of a narrow column, without the unit."""
        return self.short or self.label

    @property
    def factor(self) -> float:
        """Factor from the stored to the displayed value."""
        if self.scale is not None:
            return self.scale
        return 100.0 if self.unit.startswith("%") else 1.0

    def unit_in(self, currency: str = "") -> str:
        """Return the displayed unit; without a currency the name of the currency is left out."""
        if not currency and self.unit.startswith("{currency}"):
            return self.unit.removeprefix("{currency}").replace("/", "per ")
        return self.unit.replace("{currency}", currency)

    def title(self, currency: str = "") -> str:
        """Return the label and the unit: `Self-consumption, %`."""
        unit = self.unit_in(currency)
        return f"{self.label}, {unit}" if unit else self.label

    def number(self, value: float | None, digits: int | None = None) -> str:
        """Format a stored value without its unit; a hyphen stands for an undefined one.

        Args:
            value: As stored in `kpis.json`.
            digits: Decimals; those of the catalog when absent.
        """
        if value is None:
            return _MISSING
        decimals = self.digits if digits is None else digits
        displayed = round(self.factor * value, decimals) + 0.0  # Adding zero turns -0.0 into 0.0.
        return f"{displayed:,.{decimals}f}"

    def text(self, value: float | None, currency: str = "") -> str:
        """Format a stored value with its unit: `62.1 %`."""
        unit = self.unit_in(currency)
        number = self.number(value)
        return f"{number} {unit}" if unit and value is not None else number


class Section(NamedTuple):
    """A section of the catalog and of its reference page.

    Attributes:
        title: Heading of the section.
        introduction: Paragraph below the heading.
        keys: KPIs of the section, in the order of the page.
    """

    title: str
    introduction: str
    keys: tuple[str, ...]


SECTIONS: list[Section] = []
"""Sections of the KPIs that are declared here, in the order of the reference page."""

CATALOG: dict[str, KPI] = {}
"""KPIs that are declared here or registered, by key; `entries` adds those of devices."""


class _DeviceKind(Protocol):
    """Part of a kind of device that the catalog needs; see `prosumax.devices.base.Device`."""

    kind: ClassVar[str]
    order: ClassVar[int]
    kpis: ClassVar[Sequence[KPI]]


def get(key: str) -> KPI:
    """Return a KPI by its key.

    Raises:
        KeyError: There is no such KPI; the message names the nearest key.
    """
    if key in CATALOG:
        return CATALOG[key]
    known = entries()
    if key not in known:
        raise KeyError(f"there is no KPI {key!r}. {did_you_mean(key, known)}")
    return known[key]


def entries() -> dict[str, KPI]:
    """Return every KPI by its key, those of all registered kinds of devices included."""
    return {**_device_entries(), **CATALOG}


def register(kpi: KPI) -> KPI:
    """Add a KPI to the catalog, so that studies and reports can show it.

    Raises:
        ValueError: The key is taken.
    """
    if kpi.key in CATALOG:
        raise ValueError(f"KPI {kpi.key!r} is registered twice")
    CATALOG[kpi.key] = kpi
    return kpi


def value(kpis: Mapping[str, object], key: str) -> float | None:
    """Read a KPI from the record of a run; None where it is missing or undefined.

    Args:
        kpis: `Result.kpis`, or the same read from `kpis.json`.
        key: Key of the catalog; a prefix names a nested record.
    """
    node: object = kpis
    for part in key.split("."):
        if not isinstance(node, Mapping):
            return None
        node = node.get(part)
    return float(node) if isinstance(node, int | float) else None


def _device_kpis() -> list[KPI]:
    """Return the KPIs of every kind of device, in the order of the kinds."""
    registry = cast("Registry[_DeviceKind]", device_kinds)
    kinds = [registry.get(kind, "devices") for kind in registry]
    kinds.sort(key=lambda kind: (kind.order, kind.kind))
    return [
        kpi if kpi.source else replace(kpi, source=f"{type(kind).__module__}.{type(kind).__name__}")
        for kind in kinds
        for kpi in kind.kpis
    ]


def _device_entries() -> dict[str, KPI]:
    """Return the KPIs of devices, of the community and of homes, by key."""
    kpis = _device_kpis()
    of_homes = {_HOME + kpi.key: replace(kpi, key=_HOME + kpi.key) for kpi in kpis}
    return {kpi.key: kpi for kpi in kpis if kpi.summed} | of_homes


def _declare(title: str, introduction: str, source: str, *kpis: KPI) -> None:
    """Add a section; `source` is the dotted name of the function that computes its KPIs."""
    for kpi in kpis:
        register(kpi if kpi.source else replace(kpi, source=source))
    SECTIONS.append(Section(title, introduction, tuple(kpi.key for kpi in kpis)))


MONEY = "{currency}"
PRICE = "{currency}/kWh"
CO2 = "kg CO\u2082"

# The declarations are tables: the formatter would give every argument a line of its own.
# fmt: off

_declare(
    "Bills and revenues",
    (
        "Bills of all homes over the period, in the currency of the tariff, and the revenues that "
        "they are made of. The five revenues add up to `cost`."
    ),
    "prosumax.simulation.results.summary.summarize",
    KPI("cost", "All bills", MONEY, 2, "sum over i of the bill", better="lower",
        explanation="What all homes pay over the period."),
    KPI("cost_without_exchange", "All bills without exchange", MONEY, 2,
        "sum over i of the bill with the same meter readings, without local exchange",
        better="lower"),
    KPI("saving", "Saved by exchange", MONEY, 2, "`cost_without_exchange` - `cost`",
        better="higher", explanation="Bills without exchange less bills with it, all homes.",
        short="Saving", notes="same meter readings, only the mechanism differs"),
    KPI("supplier_revenue", "Revenue of the supplier", MONEY, 2,
        "energy and fixed fees of the supplier, less the feed-in payments"),
    KPI("network_operator_revenue", "Revenue of the network operator", MONEY, 2,
        "network charges of the tariff + `network.fees` - `network.loss_cost`"),
    KPI("government_revenue", "Revenue of the government", MONEY, 2, "levies and value added tax"),
    KPI("mechanism_revenue", "Revenue of the mechanism", MONEY, 2,
        "paid by local buyers - earned by local sellers", short="Operator",
        explanation=(
            "What the operator of the exchange keeps; negative where money is added from outside."
        ), notes="negative where the mechanism needs a subsidy"),
    KPI("community_revenue", "Revenue of the community", MONEY, 2,
        "fees that the community charges its members"),
)

_declare(
    "Energy and power",
    (
        "Self-consumption and self-sufficiency are in the grid-interface form, which keeps battery "
        "losses inside (Luthander et al. 2015, Applied Energy 142:80)."
    ),
    "prosumax.metrics.energy.community_kpis",
    KPI("load_kwh", "Load", "kWh", 0, "sum of l", explanation="Electricity used by all homes."),
    KPI("solar_kwh", "PV generation", "kWh", 0, "sum of g"),
    KPI("import_kwh", "Community import", "kWh", 0, "sum over t of max(sum over i of n, 0)",
        better="lower", explanation="Import at one meter around the community.",
        notes="one meter around the community"),
    KPI("export_kwh", "Community export", "kWh", 0, "sum over t of max(-sum over i of n, 0)",
        explanation="Export at one meter around the community.",
        notes="one meter around the community"),
    KPI("home_import_kwh", "Import of all homes", "kWh", 0, "sum of imp"),
    KPI("home_export_kwh", "Export of all homes", "kWh", 0, "sum of exp"),
    KPI("grid_import_kwh", "Bought from the grid", "kWh", 0, "sum of imp - bought locally",
        better="lower", explanation="Import of all homes that no local trade covers."),
    KPI("grid_export_kwh", "Sold to the grid", "kWh", 0, "sum of exp - sold locally",
        explanation="Export of all homes that no local trade takes."),
    KPI("traded_kwh", "Traded locally", "kWh", 0, "sum of energy bought locally",
        explanation="Energy exchanged between homes of the community."),
    KPI("self_consumption", "Self-consumption", "%", 1, "1 - (exp - sold locally + curtailed) / g",
        better="higher", short="Self-cons.",
        explanation="Share of the PV generation used in the community.",
        notes="share of PV generation not sent to the grid under the mechanism in force"),
    KPI("self_sufficiency", "Self-sufficiency", "%", 1, "1 - (imp - bought locally) / l",
        better="higher", explanation="Share of the load covered by the community.",
        notes="share of the load not taken from the grid under the mechanism in force"),
    KPI("self_consumption_physical", "Physical self-consumption", "%", 1,
        "1 - (`export_kwh` + curtailed) / g", better="higher",
        notes="at the meter of the community, whatever the mechanism"),
    KPI("self_sufficiency_physical", "Physical self-sufficiency", "%", 1, "1 - `import_kwh` / l",
        better="higher", notes="at the meter of the community, whatever the mechanism"),
    KPI("peak_kw", "Peak import", "kW", 1, "max over t of the mean power of a step, at least 0",
        better="lower", explanation="Highest power that all homes together take from the grid.",
        notes="a 15-min step shows peaks that an hour hides"),
    KPI("peak_export_kw", "Peak export", "kW", 1,
        "max over t of the mean exported power of a step, at least 0", better="lower"),
    KPI("load_factor", "Load factor", "", 3, "mean / peak of the community's power",
        better="higher"),
    KPI("peak_to_average", "Peak-to-average ratio", "", 2, "peak / mean of the community's power",
        better="lower"),
    KPI("ramping_kw", "Ramping", "kW", 0,
        "sum over t of the absolute change of the community's power", better="lower"),
    KPI("reverse_flow_hours", "Reverse-flow hours", "h", 0, "hours in which the community exports"),
    KPI("emissions_kg", "Emissions", CO2, 1, "sum of (imp - bought locally) c", better="lower",
        explanation="CO₂ of the electricity bought from the grid.",
        notes="exports earn no credit; locally traded energy carries no emissions"),
    KPI("emissions_with_export_credit_kg", "Emissions with export credit", CO2, 1, "sum of n c",
        better="lower", notes="consequential view"),
    KPI("battery_loss_kwh", "Battery losses", "kWh", 0, "energy lost in all batteries",
        better="lower"),
)

_declare(
    "Devices",
    (
        "Sum over all homes; it exists only where there are devices other than batteries, and "
        "homes have it as well. What such devices consume is part of l. Each kind of device has "
        "further KPIs; see [devices](../explanation/devices.md)."
    ),
    "prosumax.simulation.results.summary.device_kpis",
    KPI("unserved_kwh", "Energy not served", "kWh", 0,
        "requested energy that devices did not deliver", better="lower",
        explanation="Energy that was requested from devices and not delivered."),
)

_declare(
    "Events",
    (
        "Sum over all homes; it exists only where an [event](../how-to/events.md) limits the "
        "supply, and homes have it as well."
    ),
    "prosumax.simulation.results.summary.device_kpis",
    KPI("shed_kwh", "Load shed", "kWh", 1,
        "sum over t and homes of max(net load - import limit, 0)", better="lower",
        explanation="Load that a limit of the supply did not permit and no device could cover."),
)

_declare(
    "Optimality",
    (
        "Gap between a run and the optimum with perfect foresight; null where the optimum was not "
        "computed. See [optimality](../explanation/optimality.md)."
    ),
    "prosumax.optimization.gap.optimality_kpis",
    KPI("objective", "Objective", MONEY, 2,
        (
            "`cost` + carbon price x `emissions_kg`, without a ceiling on network costs, which no "
            "linear program can express"
        ), better="lower"),
    KPI("baseline_objective", "Baseline objective", MONEY, 2,
        "objective with idle batteries and without exchange", better="lower"),
    KPI("individual_optimum", "Individual optimum", MONEY, 2,
        "objective where each home alone follows its optimal plan", better="lower"),
    KPI("individual_optimum_bound", "Bound of the individual optimum", MONEY, 2,
        "lower bound of the solver on `individual_optimum`"),
    KPI("community_optimum", "Community optimum", MONEY, 2,
        "objective where the community as one follows its optimal plan", better="lower"),
    KPI("community_optimum_bound", "Bound of the community optimum", MONEY, 2,
        "lower bound of the solver on `community_optimum`"),
    KPI("share_of_individual_gain", "Share of individual optimal gain", "%", 1,
        (
            "(`baseline_objective` - objective of the same meter readings without exchange) / "
            "(`baseline_objective` - `individual_optimum`)"
        ), better="higher", short="Individual gain"),
    KPI("share_of_optimal_gain", "Share of optimal gain", "%", 1,
        "(`baseline_objective` - `objective`) / (`baseline_objective` - `community_optimum`)",
        better="higher", short="Optimal gain",
        explanation="Share of what perfect foresight could gain together."),
    KPI("price_of_anarchy", "Price of anarchy", "", 3,
        (
            "objective where homes follow their individual optima and then share surplus / "
            "`community_optimum`"
        ), better="lower", reference="Koutsoupias, Papadimitriou 1999, STACS"),
)

_declare(
    "Scores of MAHTM",
    (
        "Means over homes. With carbon price w, `price_score` + w `emission_score` = "
        "`baseline_reward` - `reward`."
    ),
    "prosumax.optimization.gap.mahtm_scores",
    KPI("price_score", "Price score", MONEY, 4, "mean change of the bill against idle batteries",
        better="lower", reference="MAHTM, section 3.2 and table 2"),
    KPI("emission_score", "Emission score", CO2, 4,
        "mean change of emissions against idle batteries", better="lower",
        reference="MAHTM, section 3.2 and table 2"),
    KPI("reward", "Reward", "", 4, "-(mean bill + carbon price x mean emissions)", better="higher",
        reference="MAHTM, section 3.2 and table 2"),
    KPI("baseline_reward", "Baseline reward", "", 4,
        "reward with idle batteries and without exchange", better="higher",
        reference="MAHTM, section 3.2 and table 2"),
)

_declare(
    "Local market",
    (
        "In every step v is the value of a kWh to a buyer (retail price less the charges due on "
        "local energy), k the cost of a seller (feed-in price) and q the energy exchanged locally. "
        "Value and cost are true ones, not bids."
    ),
    "prosumax.metrics.market.market_kpis",
    KPI("welfare", "Gains from trade", MONEY, 2, "sum of v q bought - k q sold", better="higher",
        explanation="Value of local energy to its buyers beyond what the grid pays for it.",
        notes=(
            "social welfare; where loads do not react, mechanisms that match the same kWh have the "
            "same welfare"
        )),
    KPI("consumer_surplus", "Consumer surplus", MONEY, 2, "sum of v q - paid", better="higher",
        explanation="Value of what buyers bought, less what they paid.",
        notes="may be negative under a mechanism that forces a price"),
    KPI("producer_surplus", "Producer surplus", MONEY, 2, "sum of earned - k q", better="higher",
        explanation="What sellers earned beyond the feed-in price."),
    KPI("budget_balance", "Budget balance", MONEY, 2, "paid - earned",
        explanation="Paid by buyers, less earned by sellers; negative where money is added.",
        notes="kept by the mechanism; the three add up to `welfare`"),
    KPI("max_welfare", "Possible gains from trade", MONEY, 2,
        "area between the demand and the supply curve, step by step",
        explanation="The most that trade within each step could give.",
        notes="the best without shifting energy in time"),
    KPI("allocative_efficiency", "Allocative efficiency", "%", 1, "`welfare` / `max_welfare`",
        better="higher", short="Efficiency",
        explanation="Gains from trade as a share of the possible ones.",
        notes="at most 1; negative where trade destroys value"),
    KPI("turnover", "Turnover", MONEY, 2, "sum of paid",
        explanation="What buyers pay for local energy.",
        notes="MARLEM calls it social welfare; it is no gain", reference="MARLEM, equation 17"),
    KPI("liquidity_kwh", "Liquidity", "kWh", 0, "sum of q", reference="MARLEM, equation 18"),
    KPI("mean_price", "Mean local price", PRICE, 3, "(paid + earned) / (q bought + q sold)",
        explanation="Price of local energy, weighted by energy.",
        notes="midway where buyers and sellers have two prices"),
    KPI("price_volatility", "Price volatility", PRICE, 3,
        "standard deviation of the price over steps with trade", better="lower",
        explanation="Standard deviation of the local price over the steps with trade.",
        notes="each step with trade counts once"),
    KPI("bid_ask_gap", "Bid-ask gap", PRICE, 3, "mean of highest v - lowest k",
        explanation="Mean gap between the best bid and the best ask.",
        notes="steps with both sides; positive where there are gains from trade"),
    KPI("p2p_share", "Local share of purchases", "%", 1, "q / (q + bought from the grid)",
        better="higher", short="Local share",
        explanation="Share of the energy bought that comes from the community."),
    KPI("individual_rationality_violations", "Irrational trades", "", 0,
        "homes and steps with paid > v q or earned < k q", better="lower",
        explanation=(
            "Times that a home would have done better with the grid, counted per home and step."
        ), notes="by more than a thousandth of a cent"),
    KPI("seller_hhi", "Concentration of sellers (HHI)", "", 2, "sum of squared shares of q sold",
        better="lower", explanation="Herfindahl-Hirschman index; 1: one home sells all.",
        notes="1 / n to 1"),
    KPI("buyer_hhi", "Concentration of buyers (HHI)", "", 2, "sum of squared shares of q bought",
        better="lower", explanation="Herfindahl-Hirschman index; 1: one home buys all.",
        notes="1 / n to 1"),
)

_declare(
    "Fairness",
    (
        "x is the saving of a home in money against no exchange. Read the first two first: the "
        "five below them are null where a home loses or no home gains, because they would hide it. "
        "For the weaknesses of each see Dynge, Anfinnsen, Cali, \"Evaluating fairness indicators "
        "for local electricity markets\"."
    ),
    "prosumax.metrics.fairness.fairness_kpis",
    KPI("lowest_saving", "Lowest saving", MONEY, 2, "min over i of x", better="higher",
        short="Lowest", explanation="Saving of the home that gains least; negative: it loses.",
        notes="negative: a home pays more than without exchange"),
    KPI("losing_homes", "Homes that lose", "", 0, "number of homes with x < -0.005", better="lower",
        short="Losers", explanation="Homes that pay more than without exchange.",
        notes="half a cent does not show on a bill"),
    KPI("gini", "Gini index of savings", "", 3, "sum over pairs of abs(x_i - x_j) / (2 n² mean x)",
        better="lower", short="Gini",
        explanation="0: all save the same; near 1: one home has it all.",
        notes="0 all equal, 1 - 1/n one has all", reference="Gini 1912"),
    KPI("jain", "Jain's index of savings", "", 2, "(sum x)² / (n sum x²)", better="higher",
        short="Jain", explanation="1: all save the same; 1 / number of homes: one has it all.",
        notes="1 all equal, 1/n one has all", reference="Jain, Chiu, Hawe 1984, DEC-TR-301"),
    KPI("min_max_ratio", "Lowest to highest saving", "", 2, "min x / max x", better="higher",
        explanation="1: all save the same; 0: one home saves nothing.",
        notes="depends on two homes only"),
    KPI("relative_saving_gini", "Gini index of relative savings", "", 2,
        "Gini index of x in % of the bill without exchange", better="lower",
        explanation="The Gini index of savings as a share of each home's own bill.",
        notes="null where a home earns without exchange"),
    KPI("nash_welfare", "Nash welfare", "", 2, "sum of log x", better="higher",
        explanation="Sum of the logarithms of savings; only for comparing mechanisms.",
        notes="to compare mechanisms in one community; null where a home gains nothing",
        reference="Nash 1950"),
    KPI("quality_of_service", "Quality of service", "", 2,
        "Jain's index of traded / tradable energy", better="higher",
        explanation="Evenness of the share of its energy that a home could trade.",
        notes="homes with nothing to trade are left out"),
    KPI("quality_of_experience", "Quality of experience", "", 2,
        "1 - standard deviation of prices paid / (half the price range)", better="higher",
        explanation="1: all buyers pay the same price on average.",
        notes="homes that bought nothing are left out",
        reference="Hossfeld et al. 2017, IEEE Communications Letters 21(1)"),
    KPI("price_of_fairness", "Price of fairness", "%", 1,
        "(`max_welfare` - `saving`) / `max_welfare`", better="lower",
        notes="what a fairer mechanism costs all together",
        source="prosumax.metrics.fairness.price_of_fairness",
        reference="Bertsimas, Farias, Trichakis 2011, Operations Research 59(1)"),
    KPI("distance_to_shapley", "Distance to Shapley", MONEY, 2,
        "mean over i of abs(x - Shapley value)", better="lower",
        explanation="Mean difference between a home's saving and what it brings to the community.",
        notes="communities small enough for exact Shapley values",
        source="prosumax.metrics.fairness.distance_to_reference"),
)

_declare(
    "Network",
    (
        "In `kpis.network`; null as a whole without a network. I_k is the loading of line or "
        "transformer k (1 is its rating), V_j the voltage of bus j per unit. A step whose power "
        "flow has no solution (its last iteration moved a voltage by more than 1e-4 pu) counts in "
        "`not_converged_steps` and in no physical KPI."
    ),
    "prosumax.metrics.network.network_kpis",
    KPI("network.loss_kwh", "Network losses", "kWh", 1, "energy lost in all lines and transformers",
        better="lower",
        notes=(
            "under flow `path`: distance x `loss_per_km` x each trade, those with the grid "
            "included"
        )),
    KPI("network.loss_share", "Loss share", "% of infeed", 1,
        "`loss_kwh` / (infeed of the source + net export of the homes)", better="lower"),
    KPI("network.loss_cost", "Cost of losses", MONEY, 2, "sum over t of losses x energy price",
        better="lower", explanation="What the network operator pays the supplier for lost energy."),
    KPI("network.max_line_loading", "Peak line loading", "%", 0, "max over t and lines of I_k",
        better="lower", explanation="Highest loading of any line, in % of its rating.",
        notes="null without lines; without a rating a loading is 0"),
    KPI("network.max_transformer_loading", "Peak transformer loading", "%", 0,
        "max over t and transformers of I_k", better="lower",
        explanation="Highest loading of any transformer, in % of its rating.",
        notes="null without transformers; without a rating a loading is 0"),
    KPI("network.overload_hours", "Overload hours", "h", 1, "hours with some I_k > 1",
        better="lower", explanation="Hours in which a line or transformer is above its rating."),
    KPI("network.mean_congestion", "Mean congestion", "%", 0, "mean over t of max over k of I_k",
        better="lower", explanation="Loading of the most loaded branch, mean over all steps."),
    KPI("network.reverse_flow_hours", "Reverse-flow hours", "h", 0,
        "hours with power from the network into the grid above"),
    KPI("network.mean_imbalance_kwh", "Mean imbalance", "kWh", 2,
        "mean over t of abs(sum over i of n)", better="lower",
        explanation="Mean absolute export less import of all homes in a step.",
        reference="MARLEM, equation 16"),
    KPI("network.min_voltage_pu", "Lowest voltage", "% of nominal", 1, "min over t and j of V_j",
        better="higher", notes="not under flow `path`, which has no voltages"),
    KPI("network.max_voltage_pu", "Highest voltage", "% of nominal", 1, "max over t and j of V_j",
        better="lower", notes="not under flow `path`, which has no voltages"),
    KPI("network.voltage_violation_hours", "Voltage violations", "h", 1,
        "hours with some V_j outside 0.90 to 1.10", better="lower",
        reference="EN 50160, section 4.2.2",
        explanation="Hours in which the voltage of a bus is off by more than 10 %."),
    KPI("network.voltage_band_compliance", "Voltage band compliance", "% of steps", 1,
        "share of steps with every V_j within 0.90 to 1.10", better="higher",
        explanation="Steps with every voltage within ±10 %; EN 50160 requires 95 % of each week.",
        reference="EN 50160, section 4.2.2"),
    KPI("network.interventions", "Interventions", "steps", 0,
        "steps in which the operator curtailed an export or penalized a trade", better="lower",
        explanation="Steps in which the operator penalized a trade or curtailed an export."),
    KPI("network.curtailed_kwh", "Curtailed export", "kWh", 1, "export curtailed by the operator",
        better="lower", explanation="PV generation that the network operator curtailed.",
        notes="PV generation only"),
    KPI("network.penalized_kwh", "Penalized trade", "kWh", 1,
        "local trade on a path above the threshold in such steps", better="lower",
        explanation="Trade above the threshold in such steps.",
        notes="it costs more; it still takes place"),
    KPI("network.fees", "Network fees on trades", MONEY, 2, "sum of the six fee terms",
        explanation="Paid by the parties of local trades.", reference="MARLEM, equation 4"),
    KPI("network.fee_congestion", "Congestion fee", MONEY, 2,
        "congestion above the threshold x value of the trade, with penalty and surcharge",
        reference="MARLEM, equation 4a"),
    KPI("network.fee_usage", "Usage fee", MONEY, 2, "share of the value of a trade's losses",
        notes="no equation in the paper"),
    KPI("network.fee_imbalance", "Imbalance fee", MONEY, 2,
        "share of the value of a grid trade x its share of the imbalance",
        reference="MARLEM, equations 4b and 4h"),
    KPI("network.fee_voltage", "Voltage fee", MONEY, 2,
        "voltage drop along the path x value of the trade",
        reference="MARLEM, equations 4c and 4f"),
    KPI("network.fee_thermal", "Thermal fee", MONEY, 2,
        "congestion above the thermal threshold x value of the trade",
        reference="MARLEM, equations 4d and 4g"),
    KPI("network.fee_zone", "Zone fee", MONEY, 2,
        "bonus on trades inside a zone, charge on those between zones",
        notes="a bonus is negative", reference="MARLEM, equation 4e"),
    KPI("network.not_converged_steps", "Steps without a solution", "", 0,
        "steps whose power flow did not converge", better="lower",
        explanation="Left out of all other network KPIs."),
)

_declare(
    "Homes",
    (
        "One record per home in `households`, beside `name`, `kind`, `policy`, `end_use_kwh` "
        "(energy by end use) and `bill_items`, whose lines [tariffs](tariffs.md) explains."
    ),
    "prosumax.metrics.energy.home_kpis",
    KPI("home.bill", "Bill", MONEY, 2, "bill of the home over the period", better="lower",
        source="prosumax.simulation.results.summary.summarize"),
    KPI("home.bill_without_exchange", "Bill without exchange", MONEY, 2,
        "bill with the same meter readings, without local exchange", better="lower",
        short="without exchange", source="prosumax.simulation.results.summary.summarize"),
    KPI("home.saving", "Saving", MONEY, 2, "`bill_without_exchange` - `bill`", better="higher",
        source="prosumax.simulation.results.summary.summarize"),
    KPI("home.load_kwh", "Load", "kWh", 0, "sum over t of l"),
    KPI("home.solar_kwh", "PV generation", "kWh", 0, "sum over t of g"),
    KPI("home.import_kwh", "Import", "kWh", 0, "sum over t of imp", better="lower"),
    KPI("home.export_kwh", "Export", "kWh", 0, "sum over t of exp"),
    KPI("home.bought_locally_kwh", "Bought locally", "kWh", 0, "energy bought from the community"),
    KPI("home.sold_locally_kwh", "Sold locally", "kWh", 0, "energy sold to the community"),
    KPI("home.grid_import_kwh", "Bought from the grid", "kWh", 0, "imp - bought locally",
        better="lower", short="from grid"),
    KPI("home.grid_export_kwh", "Sold to the grid", "kWh", 0, "exp - sold locally",
        short="to grid"),
    KPI("home.self_consumption", "Self-consumption", "%", 0,
        "1 - (exp - sold locally + curtailed) / g", better="higher", short="Self-cons.",
        notes="null without PV"),
    KPI("home.self_sufficiency", "Self-sufficiency", "%", 0, "1 - (imp - bought locally) / l",
        better="higher", notes="null without load"),
    KPI("home.peak_kw", "Peak import", "kW", 1, "max over t of the mean imported power of a step",
        better="lower"),
    KPI("home.peak_export_kw", "Peak export", "kW", 1,
        "max over t of the mean exported power of a step"),
    KPI("home.emissions_kg", "Emissions", CO2, 1, "sum over t of (imp - bought locally) c",
        better="lower"),
    KPI("home.battery_loss_kwh", "Battery losses", "kWh", 0, "energy lost in the battery",
        better="lower"),
    KPI("home.curtailed_kwh", "Curtailed PV generation", "kWh", 0, "PV generation curtailed",
        better="lower"),
    KPI("home.shed_kwh", "Load shed", "kWh", 1, "sum over t of max(net load - import limit, 0)",
        better="lower", notes="missing without limits of the supply"),
    KPI("home.battery_cycles", "Battery cycles", "", 0, "(charge + discharge) / (2 capacity)",
        notes="equivalent full cycles, at the AC side"),
    KPI("home.mean_monthly_peak_kw", "Mean monthly peak", "kW", 2,
        "mean of the monthly quarter-hour peaks, each at least `min_billed_peak_kw`",
        better="lower", source="prosumax.simulation.results.annual.settle_period"),
    KPI("home.reputation", "Reputation", "", 2, "reputation at the end of the period",
        better="higher", reference="MARLEM, equation 8",
        source="prosumax.market.reputation.update_reputation"),
)

_declare(
    "CityLearn",
    (
        "In `kpis.citylearn`: the cost functions of CityLearn 3.0.2 by its own formulas, as ratios "
        "of the run to the same run without storage (1 is equal, lower is better). They differ "
        "from the KPIs above on purpose: exports earn nothing, only upward ramps count, and the "
        "value of a community is the mean of the ratios of its homes. "
        "`tests/simulation/test_citylearn_parity.py` compares them with a run of CityLearn itself."
    ),
    "prosumax.metrics.citylearn.citylearn_kpis",
    KPI("citylearn.electricity_consumption_total", "Electricity consumption", "", 3,
        "sum over t of max(n, 0)", better="lower"),
    KPI("citylearn.zero_net_energy", "Zero net energy", "", 3, "sum over t of n", better="lower",
        notes="can change sign"),
    KPI("citylearn.carbon_emissions_total", "Carbon emissions", "", 3, "sum over t of max(n c, 0)",
        better="lower"),
    KPI("citylearn.cost_total", "Cost", "", 3, "sum over t of max(n b, 0)", better="lower"),
    KPI("citylearn.ramping_average", "Ramping", "", 3,
        "sum over t of max(change of the district's n, 0)", better="lower"),
    KPI("citylearn.daily_one_minus_load_factor_average", "Daily 1 - load factor", "", 3,
        "mean over days of 1 - mean n / max n of the district", better="lower"),
    KPI("citylearn.monthly_one_minus_load_factor_average", "Monthly 1 - load factor", "", 3,
        "mean over windows of 730 h of 1 - mean n / max n of the district", better="lower"),
    KPI("citylearn.daily_peak_average", "Daily peak", "", 3,
        "mean over days of max n of the district", better="lower"),
    KPI("citylearn.all_time_peak_average", "Peak", "", 3, "max over t of n of the district",
        better="lower"),
    KPI("citylearn.equity_gini", "Gini index of relative benefits", "", 3,
        "Gini index of max(relative benefit, 0)", better="lower"),
    KPI("citylearn.equity_top_20_percent_share", "Benefit share of the top 20 %", "%", 1,
        "share of the benefits of the ceil(n / 5) homes that gain most"),
    KPI("citylearn.equity_losers_percent", "Losing homes", "%", 1,
        "homes with a negative relative benefit", better="lower", scale=1.0),
)

_declare(
    "Evaluation of learners",
    (
        "Test episodes of `prosumax train`: means per episode, of the whole community unless the "
        "label says home."
    ),
    "prosumax.rl.training.comparison.community_metrics",
    KPI("episode.reward", "Reward per home", "", 3, "mean over homes of the return of an episode",
        better="higher", short="Reward"),
    KPI("episode.objective", "Bills and priced emissions", MONEY, 2,
        "bills + carbon price x emissions", better="lower", short="Objective"),
    KPI("episode.cost", "All bills", MONEY, 2, "sum over i of the bill", better="lower",
        short="Bills"),
    KPI("episode.emissions_kg", "Emissions", CO2, 1, "emissions of grid purchases", better="lower",
        short="Emissions"),
    KPI("episode.welfare", "Gains from trade", MONEY, 2, "sum of v q bought - k q sold",
        better="higher", short="Gains"),
    KPI("episode.p2p_share", "Local share of all trade", "%", 1,
        "local trade / (local trade + grid purchases + grid sales)", better="higher",
        short="Local share"),
    KPI("episode.imbalance", "Imbalance of orders", "% of capacity", 1,
        "abs(ordered purchases - ordered sales) / network capacity", better="lower",
        short="Imbalance", reference="MARLEM, equation 20"),
    KPI("episode.grid_import_kwh", "Bought from the grid", "kWh", 0, "grid purchases of all homes",
        better="lower", short="Grid import"),
    KPI("episode.gap_closed", "Share of the gap to the optimum closed", "%", 1,
        "(objective of random homes - objective) / (objective of random homes - community optimum)",
        better="higher", source="prosumax.studies.learning.learning_runs"),
)

_declare(
    "Indicators by hour of the day",
    (
        "Ratios of sums, over everything or by local hour; dashboards of the report, of MARLEM's "
        "section 3.8. See [plots](../how-to/plots.md)."
    ),
    "prosumax.viz.indicators.indicators.INDICATORS",
    KPI("hourly.balance", "Net export of all homes", "kW", 2,
        "exported less imported by all homes; negative values are drawn from the grid", scale=1.0,
        reference="MARLEM, equation 16"),
    KPI("hourly.imbalance", "Absolute imbalance", "kW", 2,
        "mean absolute balance, which the grid above supplies or absorbs", better="lower"),
    KPI("hourly.loading", "Mean line loading", "%", 2,
        "loading in % of the rating, mean over all lines", better="lower",
        reference="MARLEM, equation 15"),
    KPI("hourly.max_loading", "Loading of the most loaded line", "%", 2,
        "loading in % of the rating, mean over the steps", better="lower"),
    KPI("hourly.losses", "Network losses", "%", 2, "share of what source and homes feed in",
        better="lower", reference="MARLEM, equation 14"),
    KPI("hourly.min_voltage", "Lowest voltage", "% of nominal", 2,
        "over all buses, mean over the steps", better="higher"),
    KPI("hourly.price", "Local price", PRICE, 4,
        "weighted by energy; midway where buyers and sellers have two prices"),
    KPI("hourly.traded", "Traded locally", "kW", 2, "traded energy as mean power", better="higher",
        reference="MARLEM, equation 18"),
    KPI("hourly.gains", "Gains from trade", "{currency}/h", 3,
        (
            "value of the energy to its buyers less the cost of its sellers, at the prices of the "
            "grid; not the turnover that MARLEM's equation 17 calls welfare"
        ), better="higher"),
    KPI("hourly.p2p_ratio", "P2P ratio", "%", 2,
        "local trade / (local trade + grid purchases + grid sales)", better="higher",
        reference="MARLEM, equation 21"),
    KPI("hourly.solar", "PV generation", "kW", 2, "mean power"),
    KPI("hourly.battery", "Battery charging less discharging", "kW", 2, "mean power at the homes"),
    KPI("hourly.stored", "State of charge of all batteries", "%", 2,
        "stored energy in % of the capacity"),
    KPI("hourly.matched", "Matched surplus", "%", 2,
        (
            "local trade in % of the most that the meters allow in the step, the lesser of all "
            "deficits and all surpluses; above 100 % where homes sell what they then buy from the "
            "grid"
        ), better="higher"),
    KPI("hourly.grid_import", "Bought from the grid", "kW", 2, "as mean power", better="lower"),
    KPI("hourly.grid_export", "Sold to the grid", "kW", 2, "as mean power"),
    KPI("hourly.fees", "Network fees on trades", "{currency}/h", 3, "paid to the network operator",
        reference="MARLEM, equation 4"),
    KPI("hourly.interventions", "Interventions", "% of steps", 2,
        "steps in which the network operator curtailed an export or penalized a trade",
        better="lower"),
)

_declare(
    "Daily episodes of MARLEM",
    "Rows of the studies of bidding: one day of 24 hours per seed. See "
    "[studies](../how-to/studies.md).",
    "prosumax.studies.daily_episodes",
    KPI("day.mean_price", "Mean local price", "{currency}/MWh", 1,
        "mean over hours with local trade", scale=1000.0),
    KPI("day.median_price", "Median local price", "{currency}/MWh", 1,
        "median over hours with local trade", scale=1000.0),
    KPI("day.price_std", "Standard deviation of the local price", "{currency}/MWh", 1,
        "over hours with local trade", scale=1000.0, better="lower"),
    KPI("day.mean_step_price", "Mean step price", "{currency}/MWh", 1,
        "mean over hours of the price of all trades, those with the grid included", scale=1000.0),
    KPI("day.median_step_price", "Median step price", "{currency}/MWh", 1,
        "median over hours of the price of all trades, those with the grid included", scale=1000.0),
    KPI("day.step_price_std", "Standard deviation of the step price", "{currency}/MWh", 1,
        "over hours, of the price of all trades, those with the grid included", scale=1000.0,
        better="lower"),
    KPI("day.traded_kwh", "Traded locally", "kWh", 0, "sum of q", better="higher",
        reference="MARLEM, equation 18"),
    KPI("day.p2p_ratio", "P2P ratio", "%", 1,
        "local trade / (local trade + grid purchases + grid sales)", better="higher",
        reference="MARLEM, equation 21"),
    KPI("day.grid_import_kwh", "Bought from the grid", "kWh", 0, "grid purchases of all homes",
        better="lower"),
    KPI("day.grid_export_kwh", "Sold to the grid", "kWh", 0, "grid sales of all homes"),
    KPI("day.imbalance_kwh", "Imbalance of the meters", "kWh", 1,
        "mean over hours of abs(sum over i of n)", better="lower", reference="MARLEM, equation 16"),
    KPI("day.loss_kwh", "Network losses", "kWh", 0, "energy lost on the paths of all trades",
        better="lower", reference="MARLEM, equation 14"),
    KPI("day.coordination", "Coordination score", "%", 1,
        "mean over hours of 1 - abs(ordered purchases - ordered sales) / network capacity",
        better="higher", reference="MARLEM, equations 20 and 23"),
    KPI("day.flexibility", "Flexibility used", "%", 1,
        "mean over hours of local trade / tradable energy", better="higher",
        reference="MARLEM, equation 22"),
    KPI("day.reward", "Reward of all homes per hour", "", 2, "sum over homes, mean over hours",
        better="higher", reference="MARLEM, equation 2"),
    KPI("day.cost", "All bills", MONEY, 1, "sum over i of the bill", better="lower"),
    KPI("day.welfare", "Gains from trade", MONEY, 2,
        "saving of local trades against the prices of the grid", better="higher"),
    KPI("day.producer_surplus", "Producer surplus", MONEY, 2, "sum of earned - k q",
        better="higher"),
    KPI("day.consumer_surplus", "Consumer surplus", MONEY, 2,
        "`day.welfare` - `day.producer_surplus`", better="higher"),
    KPI("day.seller_hhi", "Concentration of sellers (HHI)", "", 2,
        "sum of squared shares of q sold", better="lower"),
    KPI("day.largest_share", "Sales share of the largest home", "%", 1,
        "share of q sold by the home with the most PV generation", better="lower"),
    KPI("day.run_time", "Run time per day", "ms", 2, "wall time of one episode, all seeds at once",
        better="lower", scale=1000.0),
    KPI("day.throughput", "Home-steps per second", "thousand", 0, "homes x steps / wall time",
        better="higher", scale=0.001),
    KPI("day.line_loading", "Mean line loading", "%", 1, "mean over lines and hours of I_k",
        better="lower", reference="MARLEM, equation 15",
        source="prosumax.studies.marlem.operator_and_topology"),
    KPI("day.local_price", "Mean local price", "{currency}/MWh", 1, "`mean_price`", scale=1000.0,
        source="prosumax.studies.marlem.operator_and_topology"),
)

_declare(
    "Studies of MAHTM",
    (
        "Rows of `mahtm-table2`, per house and day in normalized units, and of `mahtm-layers` and "
        "`mahtm-district`, per home and day."
    ),
    "prosumax.studies.mahtm",
    KPI("table2.reward", "Training reward", "", 4, "-(bill + emissions) on the houses of table 4",
        better="higher", reference="MAHTM, table 2"),
    KPI("table2.price", "Training price score", "", 4, "bill less that of idle batteries, table 4",
        better="lower", reference="MAHTM, table 2"),
    KPI("table2.emission", "Training emission score", "", 4,
        "emissions less those of idle batteries, table 4", better="lower",
        reference="MAHTM, table 2"),
    KPI("table2.seconds", "Training time", "s", 1, "wall time of one seed", better="lower",
        reference="MAHTM, table 2"),
    KPI("table2.eval_reward", "Reward, table 5 houses", "", 4,
        "-(bill + emissions) on the houses of table 5", better="higher"),
    KPI("table2.test_reward", "Reward, table 6 houses", "", 4,
        "-(bill + emissions) on the houses of table 6", better="higher"),
    KPI("table2.test_price", "Test price score", "", 4, "bill less that of idle batteries, table 6",
        better="lower", reference="MAHTM, table 2"),
    KPI("table2.test_emission", "Test emission score", "", 4,
        "emissions less those of idle batteries, table 6", better="lower",
        reference="MAHTM, table 2"),
    KPI("table2.residual", "Residual of price + emission = base - reward", "", 4,
        "price score + emission score - (baseline reward - reward)", notes="0 but for rounding"),
    KPI("layers.reward", "Reward per home and day", "", 4, "-(bill + emissions)", better="higher"),
    KPI("layers.gap_closed", "Share of the gap from one pool to the optimum closed", "%", 1,
        "(objective of one pool with idle batteries - objective) / (the same - community optimum)",
        better="higher"),
    KPI("layers.cost", "Bill per home and day", "", 4, "mean bill", better="lower"),
    KPI("layers.emissions_kg", "Emissions per home and day", "", 4, "mean emissions",
        better="lower"),
    KPI("layers.p2p_share", "Local share of all trade", "%", 1,
        "local trade / (local trade + grid purchases + grid sales)", better="higher"),
)
# fmt: on
