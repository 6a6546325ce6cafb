"""Typed records of KPIs: keys as in `prosumax.metrics.catalog`, values as plain floats.

An undefined value, such as self-consumption without PV, is None (null in JSON). The records of
communities and homes also hold the KPIs that their kinds of devices declare, which
`prosumax.metrics.catalog.value` reads.
"""

from typing import NotRequired, TypedDict


class CityLearnKPIs(TypedDict):
    """KPIs of CityLearn by its own formulas."""

    electricity_consumption_total: float | None
    zero_net_energy: float | None
    carbon_emissions_total: float | None
    cost_total: float | None
    ramping_average: float | None
    daily_one_minus_load_factor_average: float | None
    monthly_one_minus_load_factor_average: float | None
    daily_peak_average: float | None
    all_time_peak_average: float | None
    equity_gini: float | None
    equity_top_20_percent_share: float | None
    equity_losers_percent: float | None


class NetworkKPIs(TypedDict):
    """KPIs of the distribution network; voltages only where the power flow has them."""

    loss_kwh: float
    loss_share: float | None
    loss_cost: float
    max_line_loading: float | None
    max_transformer_loading: float | None
    overload_hours: float
    mean_congestion: float | None
    reverse_flow_hours: float
    mean_imbalance_kwh: float
    min_voltage_pu: NotRequired[float | None]
    max_voltage_pu: NotRequired[float | None]
    voltage_violation_hours: NotRequired[float]
    voltage_band_compliance: NotRequired[float | None]
    interventions: float
    curtailed_kwh: float
    penalized_kwh: float
    fees: float
    fee_congestion: float
    fee_usage: float
    fee_imbalance: float
    fee_voltage: float
    fee_thermal: float
    fee_zone: float
    not_converged_steps: float


class _OptimalityKPIs(TypedDict, total=False):
    """KPIs of the optimality gap and scores of MAHTM; missing where they were not requested."""

    objective: float
    baseline_objective: float
    individual_optimum: float | None
    individual_optimum_bound: float | None
    community_optimum: float | None
    community_optimum_bound: float | None
    share_of_individual_gain: float | None
    share_of_optimal_gain: float | None
    price_of_anarchy: float | None
    price_score: float | None
    emission_score: float | None
    reward: float | None
    baseline_reward: float | None
    price_of_fairness: float | None


class CommunityKPIs(_OptimalityKPIs):
    """KPIs of a community over the period of a run, beside those of its devices.

    Attributes:
        unserved_kwh: Energy that devices did not deliver; missing without flexible devices.
        shed_kwh: Load that a limit of the supply did not permit; missing without limits.
        citylearn: KPIs of CityLearn.
        network: KPIs of the network; None without one.
    """

    cost: float
    cost_without_exchange: float
    saving: float
    supplier_revenue: float
    network_operator_revenue: float
    government_revenue: float
    mechanism_revenue: float
    community_revenue: float
    load_kwh: float
    solar_kwh: float
    import_kwh: float
    export_kwh: float
    home_import_kwh: float
    home_export_kwh: float
    grid_import_kwh: float
    grid_export_kwh: float
    traded_kwh: float
    self_consumption: float | None
    self_sufficiency: float | None
    self_consumption_physical: float | None
    self_sufficiency_physical: float | None
    peak_kw: float
    peak_export_kw: float
    load_factor: float | None
    peak_to_average: float | None
    ramping_kw: float
    reverse_flow_hours: float
    emissions_kg: float | None
    emissions_with_export_credit_kg: float | None
    battery_loss_kwh: float
    unserved_kwh: NotRequired[float]
    shed_kwh: NotRequired[float]
    welfare: float
    consumer_surplus: float
    producer_surplus: float
    budget_balance: float
    max_welfare: float
    allocative_efficiency: float | None
    turnover: float
    liquidity_kwh: float
    mean_price: float | None
    price_volatility: float | None
    bid_ask_gap: float | None
    p2p_share: float | None
    individual_rationality_violations: float
    seller_hhi: float | None
    buyer_hhi: float | None
    lowest_saving: float
    losing_homes: float
    gini: float | None
    jain: float | None
    min_max_ratio: float | None
    relative_saving_gini: float | None
    nash_welfare: float | None
    quality_of_service: float | None
    quality_of_experience: float | None
    distance_to_shapley: NotRequired[float]
    citylearn: CityLearnKPIs
    network: NetworkKPIs | None


class HouseholdKPIs(TypedDict):
    """KPIs of a home over the period of a run, beside those of its devices.

    Attributes:
        name: Name of the home.
        kind: Type of household, such as `active prosumer`.
        policy: Policy that controls its devices.
        end_use_kwh: Energy by end use; empty where the load comes from a meter.
        bill_items: Items of the bill by name, in the currency of the tariff.
        unserved_kwh: Energy that devices did not deliver; missing without flexible devices.
        shed_kwh: Load that a limit of the supply did not permit; missing without limits.
    """

    name: str
    kind: str
    policy: str
    bill: float
    bill_without_exchange: float
    saving: float
    load_kwh: float
    solar_kwh: float
    import_kwh: float
    export_kwh: float
    bought_locally_kwh: float
    sold_locally_kwh: float
    grid_import_kwh: float
    grid_export_kwh: float
    self_consumption: float | None
    self_sufficiency: float | None
    peak_kw: float
    peak_export_kw: float
    emissions_kg: float | None
    battery_loss_kwh: float
    curtailed_kwh: float
    battery_cycles: float
    unserved_kwh: NotRequired[float]
    shed_kwh: NotRequired[float]
    mean_monthly_peak_kw: float
    reputation: float
    end_use_kwh: dict[str, float]
    bill_items: dict[str, float]
