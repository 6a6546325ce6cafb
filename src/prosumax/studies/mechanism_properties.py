"""Properties of mechanisms on random order books: budget, rationality, efficiency, truthfulness.

A book is one step of a small community. Where homes bid, the value of a kWh differs between homes;
elsewhere it is the price of the grid side, the same for all. Rules that settle after the period
settle every book.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import NDArray

from prosumax import metrics
from prosumax.market.mechanism import (
    MarketOptions,
    Mechanism,
    SettlementAccounts,
    clear,
    grid_stage,
    mechanisms,
    truthful_orders,
)
from prosumax.types import Fills, Orders, Prices

NUM_HOMES = 6
NUM_BOOKS = 100

_RETAIL = 0.35
_FEED_IN = 0.05

# Factors by which a home misreports its limit price.
_MISREPORTS = np.concatenate([np.linspace(0.5, 0.95, 10), np.linspace(1.05, 1.5, 10)])

# Gain below which a home counts as worse off, beyond single-precision rounding.
_GAIN_TOLERANCE = 1e-5


class MechanismProperties(NamedTuple):
    """Properties measured on random order books; all are fractions.

    Attributes:
        operator_surplus: Money that the operator keeps (+) or that is added from outside (-), over
            the maximum gains from trade.
        worse_off_share: Share of truthful homes that lose compared with not participating.
        efficiency: Realized over maximum gains from trade.
        misreport_gain: Mean over homes of the largest gain from one misreported price, over the
            mean gain of a truthful home; None if the mechanism ignores prices.
    """

    operator_surplus: float
    worse_off_share: float
    efficiency: float
    misreport_gain: float | None


def measure_mechanisms(
    seed: int = 0, on_progress: Callable[[str, float], None] | None = None
) -> dict[str, MechanismProperties]:
    """Measure all registered mechanisms on the same random books.

    Args:
        seed: Seed of the books.
        on_progress: Called with a message and the completed share of the work before each
            mechanism.

    Returns:
        Properties by mechanism name.
    """
    names = list(mechanisms)
    measured = {}
    for number, name in enumerate(names):
        if on_progress is not None:
            on_progress(f"Measuring {name}", number / len(names))
        measured[name] = measure_mechanism(mechanisms.get(name, "mechanism"), seed)
    return measured


def _grid_prices() -> Prices:
    return Prices(
        retail=jnp.full(NUM_HOMES, _RETAIL),
        feed_in=jnp.full(NUM_HOMES, _FEED_IN),
        local_grid_fee=jnp.zeros(NUM_HOMES),
    )


def measure_mechanism(mechanism: Mechanism, seed: int = 0) -> MechanismProperties:
    """Measure the properties of one mechanism.

    Args:
        mechanism: The mechanism.
        seed: Seed of the books.
    """
    options = MarketOptions.default(NUM_HOMES)
    stages = (*mechanism.build(options), grid_stage)
    keys = jax.random.split(jax.random.key(seed), NUM_BOOKS)
    books = jax.vmap(lambda key: _random_book(key, mechanism.uses_bids))(keys)

    def gains(orders: Orders, value: Float[Array, " home"]) -> tuple[Float[Array, " home"], Fills]:
        local = clear(stages, orders, _grid_prices()).local
        gain = value * (local.bought_kwh - local.sold_kwh) - local.paid + local.earned
        return gain, local._replace(trades=None)

    def misreported_gain(
        orders: Orders, value: Float[Array, " home"], home: Array, factor: Array
    ) -> Float[Array, ""]:
        misreported = orders._replace(price=orders.price.at[home].multiply(factor))
        return gains(misreported, value)[0][home]

    truthful, local = jax.jit(jax.vmap(gains))(books, books.price)
    gain, fills, orders = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), (truthful, local, books)
    )
    settled = np.zeros_like(gain)
    if mechanism.redistribute is not None:
        settled = np.stack(
            [
                mechanism.redistribute(_book_accounts(net_kwh, book_fills), options)
                for net_kwh, book_fills in _split_books(orders, fills)
            ]
        )
        gain = gain - settled
    kpis = metrics.market_kpis(
        orders.quantity_kwh,
        fills.bought_kwh,
        fills.sold_kwh,
        fills.paid,
        fills.earned,
        orders.price,
        orders.price,
    )
    misreport_gain = None
    if mechanism.uses_bids:
        by_factor = jax.vmap(misreported_gain, (None, None, None, 0))
        by_home = jax.vmap(by_factor, (None, None, 0, None))
        homes = jnp.arange(NUM_HOMES)
        factors = jnp.asarray(_MISREPORTS)
        by_book = jax.jit(jax.vmap(lambda book: by_home(book, book.price, homes, factors)))
        best = np.asarray(by_book(books), np.float64).max(-1)
        excess = np.maximum(best - gain, 0).mean()
        misreport_gain = float(excess / gain.mean()) if gain.mean() > 0 else 0.0
    return MechanismProperties(
        operator_surplus=float((kpis["budget_balance"] + settled.sum()) / kpis["max_welfare"]),
        worse_off_share=float((gain < -_GAIN_TOLERANCE).mean()),
        efficiency=float(kpis["allocative_efficiency"]),
        misreport_gain=misreport_gain,
    )


def _random_book(key: PRNGKeyArray, private_values: bool) -> Orders:
    """Draw a book: half the homes buy, half sell, between 0.2 and 3 kWh.

    Private values lie between the feed-in and the retail price.
    """
    side_key, size_key, value_key, arrival_key = jax.random.split(key, 4)
    alternating = jnp.where(jnp.arange(NUM_HOMES) % 2 == 0, 1.0, -1.0)
    side = jax.random.permutation(side_key, alternating)
    net = side * jax.random.uniform(size_key, (NUM_HOMES,), minval=0.2, maxval=3.0)
    arrival = jax.random.uniform(arrival_key, (NUM_HOMES,))
    orders = truthful_orders(net, _grid_prices(), arrival=arrival)
    value = jax.random.uniform(value_key, (NUM_HOMES,), minval=_FEED_IN, maxval=_RETAIL)
    return orders._replace(price=value) if private_values else orders


def _split_books(orders: Orders, fills: Fills) -> list[tuple[NDArray[np.float64], Fills]]:
    """Return net energy and fills of each book."""
    without_trades: Fills = fills._replace(trades=None)
    return [
        (
            np.asarray(orders.quantity_kwh[book]),
            jax.tree.map(lambda part, b=book: part[b], without_trades),
        )
        for book in range(NUM_BOOKS)
    ]


def _book_accounts(net_kwh: NDArray[np.float64], fills: Fills) -> SettlementAccounts:
    """Return the accounts of a book as a period of one hour under a flat tariff."""
    bought, sold, paid, earned = (np.asarray(part) for part in fills[:4])
    deficit = np.maximum(net_kwh, 0)
    surplus = np.maximum(-net_kwh, 0)
    charges = (deficit - bought) * _RETAIL
    feed_in = (surplus - sold) * _FEED_IN
    return SettlementAccounts(
        net_kwh=net_kwh[None],
        grid_charges=charges[None],
        feed_in_revenue=feed_in[None],
        traded_kwh=(bought + sold)[None],
        bill=charges - feed_in + paid - earned,
        standalone_bill=deficit * _RETAIL - surplus * _FEED_IN,
        retail_price=np.array([_RETAIL]),
        reservation_price=np.array([_RETAIL]),
        feed_in_price=np.array([_FEED_IN]),
        step_hours=1.0,
    )
