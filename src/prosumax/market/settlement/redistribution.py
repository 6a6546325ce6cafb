"""Settlement after the period: net metering, bill sharing, and sharing of the community's savings.

The rules run on the host, once per run, on NumPy arrays in double precision. Each returns what
every home still pays (positive) or receives (negative). The amounts add up to zero, except where a
mechanism declares a deficit.
"""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from numpy.typing import NDArray

from prosumax.market.allocation.keys import pro_rata
from prosumax.market.allocation.pool import clear_pool, fixed_price, mid_market_rate
from prosumax.market.mechanism import (
    MarketOptions,
    Mechanism,
    Redistribution,
    SettlementAccounts,
    Stage,
    mechanisms,
)

Amounts = NDArray[np.float64]

MAX_EXACT_SHAPLEY_HOMES = 12
"""Largest number of homes for which Shapley values are computed exactly."""

_SAMPLED_ORDERS = 200

# Entries of the largest matrix that is built at once when coalitions are valued.
_CHUNK_SIZE = 4_000_000


def net_metering(accounts: SettlementAccounts, options: MarketOptions) -> Amounts:
    """Settle as if meters ran backwards: exports cancel imports over the period.

    Imports are priced at their mean price, and a net surplus over the period is not paid. The
    supplier and the public purse bear the difference: a declared deficit.

    Args:
        accounts: Energy and money of the period.
        options: Market settings; not used.

    References:
        Belgium's former "compensation" for prosumers.
    """
    imported: Amounts = np.maximum(accounts.net_kwh, 0).sum(0)
    price = accounts.grid_charges.sum(0) / np.where(imported > 0, imported, 1)
    due: Amounts = price * np.maximum(accounts.net_kwh.sum(0), 0)
    paid: Amounts = accounts.grid_charges.sum(0) - accounts.feed_in_revenue.sum(0)
    return due - paid


def bill_sharing(accounts: SettlementAccounts, options: MarketOptions) -> Amounts:
    """Share one community bill: its cost by imports, its feed-in revenue by exports.

    Local energy is free, so that homes which export much lose: not individually rational.

    Args:
        accounts: Energy and money of the period.
        options: Market settings; not used.

    References:
        Long et al. 2017 (as for the mid-market rate).
    """
    imported = np.maximum(accounts.net_kwh, 0).sum(0)
    exported = np.maximum(-accounts.net_kwh, 0).sum(0)
    cost: Amounts = accounts.grid_charges.sum() * _shares_of_total(imported)
    revenue: Amounts = accounts.feed_in_revenue.sum() * _shares_of_total(exported)
    paid: Amounts = accounts.grid_charges.sum(0) - accounts.feed_in_revenue.sum(0)
    return (cost - revenue) - paid


def share_equally(accounts: SettlementAccounts, options: MarketOptions) -> Amounts:
    """Give every home the same saving.

    Args:
        accounts: Energy and money of the period.
        options: Market settings; not used.
    """
    saving: Amounts = accounts.standalone_bill - accounts.bill
    change: Amounts = saving - saving.mean()
    return change


def share_by_traded_energy(accounts: SettlementAccounts, options: MarketOptions) -> Amounts:
    """Share the savings of the community in proportion to the energy each home traded.

    Args:
        accounts: Energy and money of the period.
        options: Market settings; not used.
    """
    saving: Amounts = accounts.standalone_bill - accounts.bill
    share: Amounts = saving.sum() * _shares_of_total(accounts.traded_kwh.sum(0))
    return saving - share


def share_by_shapley(accounts: SettlementAccounts, options: MarketOptions) -> Amounts:
    """Give every home its Shapley value: its mean marginal contribution to the savings.

    Args:
        accounts: Energy and money of the period.
        options: Market settings; not used.
    """
    saving: Amounts = accounts.standalone_bill - accounts.bill
    return saving - shapley_savings(accounts)


def italian_shared_energy_incentive(
    accounts: SettlementAccounts, options: MarketOptions
) -> Amounts:
    """Pay a premium on energy shared within the hour, half to injection, half to withdrawal.

    The shared energy of an hour is the smaller of total injection and total withdrawal. Bills stay
    as they are; the premium comes from outside (a declared deficit).

    Args:
        accounts: Energy and money of the period.
        options: Market settings, with the premium.

    References:
        Italian decree 414 of 7 December 2023: 80 to 120 EUR/MWh below 200 kW. The statutes of the
        community decide on the split.
    """
    steps_per_hour = max(round(1 / accounts.step_hours), 1)
    hours = -(-len(accounts.net_kwh) // steps_per_hour)
    padded = np.zeros((hours * steps_per_hour, accounts.net_kwh.shape[1]))
    padded[: len(accounts.net_kwh)] = accounts.net_kwh
    imports, exports = (
        np.maximum(sign * padded, 0).reshape(hours, steps_per_hour, -1).sum(1) for sign in (1, -1)
    )
    shared = np.minimum(imports.sum(1), exports.sum(1))

    def share_of_hour(flows: Amounts) -> Amounts:
        total = flows.sum(1, keepdims=True)
        return np.asarray(flows / np.where(total > 0, total, 1))

    shares = share_of_hour(imports) + share_of_hour(exports)
    kwh: Amounts = (shared[:, None] * shares / 2).sum(0)
    return -options.incentive_per_kwh * kwh


def shapley_savings(accounts: SettlementAccounts) -> Amounts:
    """Compute the Shapley value of the saving that homes make by netting their meters.

    A coalition saves what its members would pay alone, minus what it pays in each step for its net
    deficit, plus what it earns on its net surplus. The game is superadditive, so that every value
    is >= 0. Values are exact up to 12 homes; beyond, 200 random orders and their reverses are
    averaged with a fixed seed.

    Args:
        accounts: Energy and money of the period.

    Returns:
        Saving of each home [home].

    References:
        Shapley 1953, A Value for n-Person Games.
    """
    homes = accounts.net_kwh.shape[1]
    if homes <= MAX_EXACT_SHAPLEY_HOMES:
        return _exact_shapley(accounts)
    rng = np.random.default_rng(0)
    total = np.zeros(homes)
    for _ in range(_SAMPLED_ORDERS):
        order = rng.permutation(homes)
        for sequence in (order, order[::-1]):
            # Row k is the coalition of the first k + 1 homes.
            coalitions = np.tril(np.ones((homes, homes)))[:, np.argsort(sequence)]
            values = np.concatenate([[0.0], coalition_savings(accounts, coalitions)])
            total[sequence] += [after - before for before, after in pairwise(values)]
    return total / (2 * _SAMPLED_ORDERS)


def coalition_savings(accounts: SettlementAccounts, members: Amounts) -> Amounts:
    """Compute the saving that each coalition makes by netting its meters.

    Args:
        accounts: Energy and money of the period.
        members: 1 for members and 0 for other homes [coalition, home].

    Returns:
        Saving of each coalition [coalition].
    """
    deficit = np.maximum(accounts.net_kwh, 0)
    surplus = np.maximum(-accounts.net_kwh, 0)
    gain = accounts.reservation_price - accounts.feed_in_price
    saved = np.zeros(len(members))
    chunks = -(-len(deficit) * len(members) // _CHUNK_SIZE)
    for chunk in np.array_split(np.arange(len(deficit)), chunks):
        shared = np.minimum(deficit[chunk] @ members.T, surplus[chunk] @ members.T)
        saved += gain[chunk] @ shared
    return saved


def _exact_shapley(accounts: SettlementAccounts) -> Amounts:
    homes = accounts.net_kwh.shape[1]
    coalitions = np.arange(2**homes)
    members = ((coalitions[:, None] >> np.arange(homes)) & 1).astype(float)
    value = coalition_savings(accounts, members)
    sizes = members.sum(1).astype(int)
    factorial = np.cumprod([1.0, *range(1, homes + 1)])
    shares = np.zeros(homes)
    for home in range(homes):
        without = coalitions[members[:, home] == 0]
        others = homes - 1 - sizes[without]
        weight = factorial[sizes[without]] * factorial[others] / factorial[homes]
        shares[home] = weight @ (value[without | (1 << home)] - value[without])
    return shares


def _shares_of_total(amounts: Amounts) -> Amounts:
    """Return each home's share of the total; equal shares where the total is zero."""
    total = amounts.sum()
    if total > 0:
        return np.asarray(amounts / total)
    return np.full(len(amounts), 1 / len(amounts))


def _build_mid_market_pool(options: MarketOptions) -> tuple[Stage, ...]:
    return (Partial(clear_pool, key=Partial(pro_rata), price=Partial(mid_market_rate)),)


def _build_free_pool(options: MarketOptions) -> tuple[Stage, ...]:
    price = Partial(fixed_price, value=jnp.float32(0.0))
    return (Partial(clear_pool, key=Partial(pro_rata), price=price),)


mechanisms.register(
    "net_metering",
    "Legacy: the meter runs backwards over the period; the grid side bears the cost.",
)(
    Mechanism(
        lambda options: (),
        budget_balance="deficit",
        individually_rational=False,
        redistribute=net_metering,
    )
)
mechanisms.register(
    "bill_sharing",
    "Pool: one community bill, shared by consumption and by injection over the period.",
)(Mechanism(_build_free_pool, individually_rational=False, redistribute=bill_sharing))
_SAVINGS_RULES: tuple[tuple[str, str, Redistribution], ...] = (
    (
        "share_equal",
        "Ex post: the community's savings are divided equally.",
        share_equally,
    ),
    (
        "share_proportional",
        "Ex post: the community's savings are divided by traded energy.",
        share_by_traded_energy,
    ),
    (
        "share_shapley",
        "Ex post: every home saves its mean marginal contribution (Shapley).",
        share_by_shapley,
    ),
)
for _name, _summary, _rule in _SAVINGS_RULES:
    mechanisms.register(_name, _summary)(
        Mechanism(_build_mid_market_pool, individually_rational=False, redistribute=_rule)
    )
mechanisms.register(
    "italy_virtual",
    "Italy: homes keep their bills; a premium rewards energy shared in the same hour.",
)(
    Mechanism(
        lambda options: (),
        budget_balance="deficit",
        redistribute=italian_shared_energy_incentive,
    )
)
