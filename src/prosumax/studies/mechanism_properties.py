"""What can be promised of a mechanism, measured on random books: budget, rationality, efficiency, and lying.

A book is one step of a small community. Where homes bid, a kWh is worth something else to each of them; where they do
not, it is worth what the grid side offers, the same for all. Rules that settle after the period settle every book.
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
    SettlementAccounts,
    MarketOptions,
    Mechanism,
    clear,
    grid_stage,
    mechanisms,
    truthful_orders,
)
from prosumax.types import Fills, Orders, Prices

NUM_HOMES, NUM_BOOKS = 6, 100
_FACTORS = np.concatenate([np.linspace(0.5, 0.95, 10), np.linspace(1.05, 1.5, 10)])
_RETAIL, _FEED_IN = 0.35, 0.05


class MechanismProperties(NamedTuple):
    """Measured on the random books; all shares are fractions.

    Attributes:
        kept: what the operator keeps (+) or somebody outside adds (-), as a fraction of the greatest gains from trade.
        worse_off: share of truthful homes that lose against staying out.
        efficiency: gains from trade realised, of the most that is possible.
        misreport_gain: mean over homes of the best gain from one misreported price, relative to the mean gain of a
            truthful home; None where the mechanism does not read prices.
    """

    operator_surplus: float
    worse_off_share: float
    efficiency: float
    misreport_gain: float | None


def measure_mechanisms(
    seed: int = 0, on_progress: Callable[[str, float], None] | None = None
) -> dict[str, MechanismProperties]:
    """Measure every registered mechanism on the same random books.

    Arguments:
        seed: of the books.
        on_stage: called with a line and the share done whenever the next mechanism begins.
    """
    names, measured = list(mechanisms), {}
    for number, name in enumerate(names):
        if on_progress is not None:
            on_progress(f"Measuring {name}", number / len(names))
        measured[name] = measure_mechanism(mechanisms.get(name, "mechanism"), seed)
    return measured


def _prices() -> Prices:
    return Prices(jnp.full(NUM_HOMES, _RETAIL), jnp.full(NUM_HOMES, _FEED_IN), jnp.zeros(NUM_HOMES))


def measure_mechanism(mechanism: Mechanism, seed: int = 0) -> MechanismProperties:
    """The properties of one mechanism."""
    options = MarketOptions.default(NUM_HOMES)
    stages = (*mechanism.build(options), grid_stage)
    books = jax.vmap(lambda key: _random_book(key, mechanism.uses_bids))(
        jax.random.split(jax.random.key(seed), NUM_BOOKS)
    )

    def gains(orders: Orders, value: Float[Array, " home"]) -> tuple[Float[Array, " home"], Fills]:
        local = clear(stages, orders, _prices()).local
        return value * (
            local.bought_kwh - local.sold_kwh
        ) - local.paid + local.earned, local._replace(trades=None)

    def lie(
        orders: Orders, value: Float[Array, " home"], home: Array, factor: Array
    ) -> Float[Array, ""]:
        return gains(orders._replace(price=orders.price.at[home].multiply(factor)), value)[0][home]

    truthful, local = jax.jit(jax.vmap(gains))(books, books.price)
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (truthful, local, books))
    gain, fills, orders = exact
    settled = np.zeros_like(gain)
    if mechanism.redistribute is not None:
        settled = np.stack(
            [mechanism.redistribute(_accounts(n, f), options) for n, f in _each(orders, fills)]
        )
        gain = gain - settled
    figures = metrics.market_kpis(
        orders.quantity_kwh,
        fills.bought_kwh,
        fills.sold_kwh,
        fills.paid,
        fills.earned,
        orders.price,
        orders.price,
    )
    best_lie = None
    if mechanism.uses_bids:
        every_lie = jax.vmap(jax.vmap(lie, (None, None, None, 0)), (None, None, 0, None))
        told = jax.jit(
            jax.vmap(
                lambda book: every_lie(
                    book, book.price, jnp.arange(NUM_HOMES), jnp.asarray(_FACTORS)
                )
            )
        )
        gained = np.asarray(told(books), np.float64).max(-1) - gain
        best_lie = float(np.maximum(gained, 0).mean() / gain.mean()) if gain.mean() > 0 else 0.0
    return MechanismProperties(
        operator_surplus=float(
            (figures["budget_balance"] + settled.sum()) / figures["max_welfare"]
        ),
        worse_off_share=float((gain < -1e-5).mean()),
        efficiency=float(figures["allocative_efficiency"]),
        misreport_gain=best_lie,
    )


def _random_book(key: PRNGKeyArray, private_values: bool) -> Orders:
    """Half the homes buy, half sell, up to 3 kWh; worth between feed-in and retail price where homes bargain."""
    side_key, size_key, worth_key, arrival_key = jax.random.split(key, 4)
    side = jax.random.permutation(side_key, jnp.where(jnp.arange(NUM_HOMES) % 2 == 0, 1.0, -1.0))
    net = side * jax.random.uniform(size_key, (NUM_HOMES,), minval=0.2, maxval=3.0)
    orders = truthful_orders(net, _prices(), arrival=jax.random.uniform(arrival_key, (NUM_HOMES,)))
    worth = jax.random.uniform(worth_key, (NUM_HOMES,), minval=_FEED_IN, maxval=_RETAIL)
    return orders._replace(price=worth) if private_values else orders


def _each(orders: Orders, fills: Fills) -> list[tuple[NDArray[np.float64], Fills]]:
    """Net energy and fills of one book after the other."""
    no_trades: Fills = fills._replace(trades=None)
    return [
        (
            np.asarray(orders.quantity_kwh[book]),
            jax.tree.map(lambda part, b=book: part[b], no_trades),
        )
        for book in range(NUM_BOOKS)
    ]


def _accounts(net_kwh: NDArray[np.float64], fills: Fills) -> SettlementAccounts:
    """One book as a period of one hour under a flat tariff."""
    bought, sold, paid, earned = (np.asarray(part) for part in fills[:4])
    need, surplus = np.maximum(net_kwh, 0), np.maximum(-net_kwh, 0)
    charges, feed_in = (need - bought) * _RETAIL, (surplus - sold) * _FEED_IN
    return SettlementAccounts(
        net_kwh=net_kwh[None],
        grid_charges=charges[None],
        feed_in_revenue=feed_in[None],
        traded_kwh=(bought + sold)[None],
        bill=charges - feed_in + paid - earned,
        standalone_bill=need * _RETAIL - surplus * _FEED_IN,
        retail_price=np.array([_RETAIL]),
        reservation_price=np.array([_RETAIL]),
        feed_in_price=np.array([_FEED_IN]),
        step_hours=1.0,
    )
