"""Rules that settle after the period: net metering, bill sharing, and sharing the community's saving.

They run on the host, once per run, on NumPy arrays in double precision. Each says what every home still pays (positive)
or receives; except where a mechanism declares a deficit, these add up to zero.
"""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from numpy.typing import NDArray

from prosumax.market.allocation.keys import pro_rata
from prosumax.market.allocation.pool import fixed, mid_market, pool
from prosumax.market.mechanism import (
    Accounts,
    MarketOptions,
    Mechanism,
    Redistribution,
    Stage,
    mechanisms,
)

Money = NDArray[np.float64]

EXACT_SHAPLEY_HOMES = 12
_SAMPLED_ORDERS = 200


def net_metering(accounts: Accounts, options: MarketOptions) -> Money:
    """The meter runs backwards: exports cancel imports over the period, what is left over is given away.

    Imports are priced at their mean price. The supplier and the public purse pay the difference: a declared deficit.
    Source: Belgium's former "compensation" for prosumers.
    """
    imported = np.maximum(accounts.net_kwh, 0).sum(0)
    price = accounts.charges.sum(0) / np.where(imported > 0, imported, 1)
    owed = price * np.maximum(accounts.net_kwh.sum(0), 0)
    return owed - (accounts.charges.sum(0) - accounts.feed_in.sum(0))


def bill_sharing(accounts: Accounts, options: MarketOptions) -> Money:
    """One community bill: its cost is shared by imports, its feed-in income by exports.

    Local energy is free, so those who export much give it away: not individually rational.
    Source: Long et al. 2017 (as for the mid-market rate).
    """
    imported, exported = (
        np.maximum(accounts.net_kwh, 0).sum(0),
        np.maximum(-accounts.net_kwh, 0).sum(0),
    )
    cost = accounts.charges.sum() * _part(imported)
    income = accounts.feed_in.sum() * _part(exported)
    return (cost - income) - (accounts.charges.sum(0) - accounts.feed_in.sum(0))


def share_equally(accounts: Accounts, options: MarketOptions) -> Money:
    """Everybody saves the same amount."""
    saving = accounts.bill_alone - accounts.bill
    return saving - saving.mean()


def share_by_trade(accounts: Accounts, options: MarketOptions) -> Money:
    """The community's saving is shared in proportion to the energy each home traded."""
    saving = accounts.bill_alone - accounts.bill
    return saving - saving.sum() * _part(accounts.traded_kwh.sum(0))


def share_by_shapley(accounts: Accounts, options: MarketOptions) -> Money:
    """Everybody saves what it brings to the community, averaged over all orders in which homes could join."""
    saving = accounts.bill_alone - accounts.bill
    return saving - shapley_savings(accounts)


def italian_incentive(accounts: Accounts, options: MarketOptions) -> Money:
    """A premium on energy shared in the same hour, half to those who injected, half to those who withdrew.

    Shared energy of an hour is the smaller of what all inject and all withdraw. Bills stay as they are; the premium
    comes from outside (a declared deficit). Source: Italian decree 414 of 7 December 2023: 80 to 120 EUR/MWh below
    200 kW; the split is up to the community's statute.
    """
    hours = max(round(1 / accounts.step_hours), 1)
    count = -(-len(accounts.net_kwh) // hours)
    padded = np.zeros((count * hours, accounts.net_kwh.shape[1]))
    padded[: len(accounts.net_kwh)] = accounts.net_kwh
    imports, exports = (np.maximum(s * padded, 0).reshape(count, hours, -1).sum(1) for s in (1, -1))
    shared = np.minimum(imports.sum(1), exports.sum(1))

    def part_of(flows: Money) -> Money:
        total = flows.sum(1, keepdims=True)
        return flows / np.where(total > 0, total, 1)

    return -options.incentive * (shared[:, None] * (part_of(imports) + part_of(exports)) / 2).sum(0)


def shapley_savings(accounts: Accounts) -> Money:
    """Shapley value of the saving that homes make by netting their meters, [home]; exact up to 12 homes.

    A coalition C pays in each step for what it cannot cover itself and earns on what it cannot use; its saving is what
    its members pay alone less that. Beyond 12 homes 200 random orders (and their reverses) are averaged, with a fixed
    seed. Source: Shapley 1953; superadditive here, so every value is >= 0.
    """
    homes = accounts.net_kwh.shape[1]
    if homes <= EXACT_SHAPLEY_HOMES:
        return _exact_shapley(accounts)
    generator = np.random.default_rng(0)
    total = np.zeros(homes)
    for _ in range(_SAMPLED_ORDERS):
        order = generator.permutation(homes)
        for sequence in (order, order[::-1]):
            joined = np.tril(np.ones((homes, homes)))[
                :, np.argsort(sequence)
            ]  # row k: the first k + 1 homes
            values = np.concatenate([[0.0], coalition_savings(accounts, joined)])
            total[sequence] += [after - before for before, after in pairwise(values)]
    return total / (2 * _SAMPLED_ORDERS)


def coalition_savings(accounts: Accounts, members: Money) -> Money:
    """Saving of each coalition by netting, [coalition]; `members` is 0 or 1, [coalition, home]."""
    need, surplus = np.maximum(accounts.net_kwh, 0), np.maximum(-accounts.net_kwh, 0)
    gain = accounts.worth_buying - accounts.feed_in_price
    saved = np.zeros(len(members))
    for chunk in np.array_split(np.arange(len(need)), -(-len(need) * len(members) // 4_000_000)):
        shared = np.minimum(need[chunk] @ members.T, surplus[chunk] @ members.T)
        saved += gain[chunk] @ shared
    return saved


def _exact_shapley(accounts: Accounts) -> Money:
    homes = accounts.net_kwh.shape[1]
    coalitions = np.arange(2**homes)
    members = ((coalitions[:, None] >> np.arange(homes)) & 1).astype(float)
    value = coalition_savings(accounts, members)
    sizes = members.sum(1).astype(int)
    factorial = np.cumprod([1.0, *range(1, homes + 1)])
    shares = np.zeros(homes)
    for home in range(homes):
        without = coalitions[members[:, home] == 0]
        weight = (
            factorial[sizes[without]] * factorial[homes - 1 - sizes[without]] / factorial[homes]
        )
        shares[home] = weight @ (value[without | (1 << home)] - value[without])
    return shares


def _part(amounts: Money) -> Money:
    """Each home's part of the total; equal parts of nothing."""
    total = amounts.sum()
    return amounts / total if total > 0 else np.full(len(amounts), 1 / len(amounts))


def _pooled(price: Partial) -> tuple[Stage, ...]:
    return (Partial(pool, key=Partial(pro_rata), price=price),)


mechanisms.register(
    "net_metering",
    "Legacy: the meter runs backwards over the period; the grid side bears the cost.",
)(Mechanism(lambda options: (), "deficit", individually_rational=False, redistribute=net_metering))
mechanisms.register(
    "bill_sharing", "Pool: one community bill, shared by use and by injection over the period."
)(
    Mechanism(
        lambda options: _pooled(Partial(fixed, value=jnp.float32(0.0))),
        individually_rational=False,
        redistribute=bill_sharing,
    )
)
_SHARING: tuple[tuple[str, str, Redistribution], ...] = (
    ("share_equal", "After the fact: the community's saving is divided equally.", share_equally),
    (
        "share_proportional",
        "After the fact: the community's saving is divided by traded energy.",
        share_by_trade,
    ),
    (
        "share_shapley",
        "After the fact: everybody saves what it brings to the community (Shapley).",
        share_by_shapley,
    ),
)
for _name, _summary, _rule in _SHARING:
    mechanisms.register(_name, _summary)(
        Mechanism(
            lambda options: _pooled(Partial(mid_market)),
            individually_rational=False,
            redistribute=_rule,
        )
    )
mechanisms.register(
    "italy_virtual",
    "Italy: homes keep their bills; a premium rewards energy shared in the same hour.",
)(Mechanism(lambda options: (), balance="deficit", redistribute=italian_incentive))
