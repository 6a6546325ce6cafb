"""Check of market mechanisms on random order books."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float
from numpy.typing import ArrayLike, NDArray

from prosumax.market.mechanism import (
    BudgetBalance,
    ClearingResult,
    MarketOptions,
    Mechanism,
    SettlementAccounts,
    Stage,
    clear,
    grid_stage,
    mechanisms,
)
from prosumax.testing.books import (
    OrderBooks,
    permute_options,
    permute_orders,
    post_random_prices,
    random_books,
    random_options,
)
from prosumax.testing.errors import CheckError, run_traced, same_structure, worst_index
from prosumax.types import Fills, Orders, Prices

Amounts = NDArray[np.float64]

# Rounding of single precision, relative to the kWh and euros of a book, and its absolute minimum.
_RELATIVE_ROUNDING = 4e-6
_ABSOLUTE_ROUNDING = 3e-5

# Books that are cleared one by one: an ordinary one, a one-sided one, an empty one, one with ties.
_SINGLE_BOOKS = (0, 3, 7, 12)

_SETTLEMENT_STEPS = 8

_TRACE_FIX = "Compute on arrays with jax.numpy (jnp.where, not `if`), and make no NumPy calls."


# Compiled once per structure and shape, so that a second check with other books is fast.
_clear_books = jax.jit(jax.vmap(clear, in_axes=(None, 0, 0)))
_clear_one = jax.jit(clear)


class _Cleared(NamedTuple):
    """Cleared books on the host in double precision [book, home].

    Attributes:
        orders: Orders of the books.
        prices: Prices of the grid side.
        local: Trades between homes.
        grid: Trades with the grid.
        tolerance: Rounding of the sums of each book [book].
    """

    orders: Orders
    prices: Prices
    local: Fills
    grid: Fills
    tolerance: Amounts

    @property
    def demand(self) -> Amounts:
        """Energy that homes want to buy."""
        return _array(self.orders.buy_kwh)

    @property
    def supply(self) -> Amounts:
        """Energy that homes want to sell."""
        return _array(self.orders.sell_kwh)


def check_mechanism(
    mechanism: Mechanism | str, *, homes: int = 7, num_books: int = 210, seed: int = 0
) -> None:
    """Check that a market mechanism has the properties that the simulation relies on.

    On random order books, the following holds. Homes trade at most what they ordered, and what a
    stage trades is no longer open for the next one. Energy bought equals energy sold. Payments and
    receipts balance as `budget_balance` declares. Bilateral trades add up to the fills. With
    `uses_bids`, each home trades within its limit price. With `individually_rational`, truthful
    homes do not lose against trading with the grid alone. Results follow the homes when the homes
    and their options are listed in another order, and do not depend on batching; all of them, and
    the gradients with respect to the orders, are finite. A redistribution after the period balances
    as declared.

    The books include empty and one-sided ones, equal limit prices, tiny and large orders, and hours
    with zero and negative prices.

    Args:
        mechanism: Mechanism, or the name of a registered one.
        homes: Number of homes in a book.
        num_books: Number of random books.
        seed: Seed of the random books.

    Raises:
        CheckError: If a property does not hold; the message names it with the numbers.
        InputError: If there is no mechanism of that name.
    """
    where = "mechanism"
    if isinstance(mechanism, str):
        where = f"mechanism {mechanism!r}"
        mechanism = mechanisms.get(mechanism, "mechanism")
    options = random_options(homes, seed)
    books = _draw_books(mechanism, options, num_books, seed)
    stages = _build_stages(mechanism, options, where)
    _check_signatures(stages, books, where)
    cleared = _clear(stages, books, where)
    _check_fills(cleared, where)
    _check_trades(cleared, where)
    _check_money(cleared, mechanism, where)
    if mechanism.uses_bids:
        _check_limit_prices(cleared, where)
    if mechanism.individually_rational:
        truthful = books._replace(orders=books.truthful_orders)
        _check_rationality(_clear(stages, truthful, where), books.is_crossed, where)
    _check_order_of_homes(mechanism, options, books, cleared, where, seed)
    _check_batching(stages, books, cleared, where)
    _check_gradients(stages, books, where)
    _check_single_home(mechanism, where, seed)
    if mechanism.redistribute is not None:
        _check_redistribution(mechanism, options, where, seed)


def _draw_books(
    mechanism: Mechanism, options: MarketOptions, num_books: int, seed: int
) -> OrderBooks:
    books = random_books(len(options.shares), num_books, seed)
    if not mechanism.levels:
        return books
    prices = post_random_prices(books.prices, mechanism.levels, options, seed)
    return books._replace(prices=prices)


def _clear(stages: tuple[Partial, ...], books: OrderBooks, where: str) -> _Cleared:
    """Clear all books in one batch and copy the results to the host."""
    result: ClearingResult = run_traced(
        partial(_clear_books, stages, books.orders, books.prices),
        where,
        "compiled by jax.jit and jax.vmap",
        _TRACE_FIX,
    )
    orders, prices, local, grid = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), (books.orders, books.prices, *result)
    )
    energy = np.abs(orders.quantity_kwh).sum(1)
    highest = np.maximum(np.abs(prices.retail), np.abs(orders.price)).max(1)
    tolerance = _ABSOLUTE_ROUNDING + _RELATIVE_ROUNDING * energy * np.maximum(highest, 1.0)
    return _Cleared(orders, prices, local, grid, tolerance)


def _build_stages(mechanism: Mechanism, options: MarketOptions, where: str) -> tuple[Partial, ...]:
    if mechanism.budget_balance not in get_args(BudgetBalance):
        problem = f"budget_balance is {mechanism.budget_balance!r}"
        allowed = ", ".join(repr(name) for name in get_args(BudgetBalance))
        raise CheckError(where, problem, f"Declare one of {allowed}.")
    stages = []
    for build_options in (options, options):
        built = run_traced(
            partial(mechanism.build, build_options),
            where,
            "built",
            "`build` takes `MarketOptions` and returns the stages as a tuple.",
        )
        if not isinstance(built, tuple) or not all(callable(stage) for stage in built):
            problem = f"`build` returns {type(built).__name__} {built!r:.60}"
            raise CheckError(where, problem, "Return a tuple of stages, without the grid stage.")
        local = (stage if isinstance(stage, Partial) else Partial(stage) for stage in built)
        stages.append((*local, Partial(grid_stage)))
    first, second = stages
    if not same_structure(first, second):
        problem = "`build` returns a new function in every call, so that communities cannot batch"
        fix = (
            "Define stages at module level and bind their options with jax.tree_util.Partial, "
            "which traces the bound arrays."
        )
        raise CheckError(where, problem, fix)
    return first


def _check_signatures(stages: Sequence[Stage], books: OrderBooks, where: str) -> None:
    """Check structure, shapes and types of what every local stage returns."""
    orders, prices = jax.tree.map(lambda leaf: leaf[0], (books.orders, books.prices))
    shape = orders.quantity_kwh.shape
    for number, stage in enumerate(stages[:-1], 1):
        place = f"{where}, stage {number}"
        result = run_traced(
            partial(jax.eval_shape, stage, orders, prices),
            place,
            "traced by jax.jit",
            _TRACE_FIX,
        )
        fix = "Return (fills, remaining_orders(orders, fills))."
        is_pair = isinstance(result, tuple) and len(result) == 2
        if not is_pair or not isinstance(result[0], Fills) or not isinstance(result[1], Orders):
            raise CheckError(place, "it does not return a pair of Fills and Orders", fix)
        fills, remaining = result
        amounts = [(f"fills.{name}", getattr(fills, name)) for name in Fills._fields[:4]]
        amounts += [(f"orders.{name}", getattr(remaining, name)) for name in Orders._fields]
        for name, value in amounts:
            if getattr(value, "shape", None) != shape:
                problem = f"{name} has shape {getattr(value, 'shape', None)}, not {shape}"
                raise CheckError(place, problem, "Return one entry per home.")
        for name, value in amounts[:4]:
            if value.dtype != jnp.float32:
                problem = f"{name} has dtype {value.dtype}, not float32"
                raise CheckError(place, problem, "Compute in the dtype of the orders.")


def _check_fills(cleared: _Cleared, where: str) -> None:
    """Check that fills are finite, at most the orders, and equal on both sides."""
    local, grid = cleared.local, cleared.grid
    tolerance = cleared.tolerance[:, None]
    for name in Fills._fields[:4]:
        value = getattr(local, name)
        if (worst := worst_index(~np.isfinite(value))) is not None:
            problem = f"{name} is {value[worst]} for {_at(worst)}, {_order(cleared, worst)}"
            fix = (
                "Divide with prosumax.numerics.safe_divide, which returns a default for a "
                "denominator of zero."
            )
            raise CheckError(where, problem, fix)
    for name in ("bought_kwh", "sold_kwh"):
        value = getattr(local, name)
        if (worst := worst_index(-value, tolerance)) is not None:
            problem = f"{name} is {value[worst]:.6g} for {_at(worst)}"
            raise CheckError(where, problem, "Return energy >= 0 on both sides.")
    for verb, filled, ordered, total in (
        ("buys", local.bought_kwh, cleared.demand, local.bought_kwh + grid.bought_kwh),
        ("sells", local.sold_kwh, cleared.supply, local.sold_kwh + grid.sold_kwh),
    ):
        if (worst := worst_index(filled - ordered, tolerance)) is not None:
            problem = (
                f"a home {verb} {filled[worst]:.6g} kWh with {_order(cleared, worst)}: more than "
                f"it ordered ({_at(worst)})"
            )
            raise CheckError(where, problem, "Limit fills by orders.buy_kwh and orders.sell_kwh.")
        if (worst := worst_index(np.abs(total - ordered), tolerance)) is not None:
            problem = (
                f"a home {verb} {filled[worst]:.6g} kWh from homes and "
                f"{total[worst] - filled[worst]:.6g} kWh from the grid with "
                f"{_order(cleared, worst)} ({_at(worst)})"
            )
            fix = "Return remaining_orders(orders, fills) as the orders that stay open."
            raise CheckError(where, problem, fix)
    bought = local.bought_kwh.sum(1)
    sold = local.sold_kwh.sum(1)
    if (worst := worst_index(np.abs(bought - sold), cleared.tolerance)) is not None:
        problem = (
            f"homes buy {bought[worst]:.6g} kWh and sell {sold[worst]:.6g} kWh to each other in "
            f"{_at(worst)}"
        )
        raise CheckError(where, problem, "Trade the same energy on both sides.")


def _check_trades(cleared: _Cleared, where: str) -> None:
    """Check that bilateral trades, where a mechanism without a pool lists them, are the fills."""
    local = cleared.local
    trades = local.trades
    assert trades is not None  # `clear` always sets them.
    if not trades.kwh.shape[1]:
        return
    if (worst := worst_index(-np.asarray(trades.kwh), cleared.tolerance[:, None])) is not None:
        problem = f"a trade has {trades.kwh[worst]:.6g} kWh in {_at(worst[:1])}"
        raise CheckError(where, problem, "Return trades with kwh >= 0.")
    homes = local.bought_kwh.shape[1]
    pooled = 0.0 if local.pooled is None else _array(local.pooled.kwh)
    buyer = np.asarray(trades.buyer, int)
    seller = np.asarray(trades.seller, int)
    for name, index in (("buyer", buyer), ("seller", seller)):
        traded = np.asarray(trades.kwh) > 0
        outside = traded & ((index < 0) | (index >= homes))
        if (worst := worst_index(outside)) is not None:
            problem = f"a trade has {name} {index[worst]}, but there are {homes} homes"
            raise CheckError(where, problem, f"Return home indices from 0 to {homes - 1}.")
    amount = _array(trades.kwh)
    kwh = _sum_per_home(buyer, amount, homes) + _sum_per_home(seller, amount, homes)
    money = _sum_per_home(buyer, amount * _array(trades.buyer_price), homes)
    receipts = _sum_per_home(seller, amount * _array(trades.seller_price), homes)
    tolerance = cleared.tolerance[:, None]
    total = _array(local.bought_kwh + local.sold_kwh)
    if (worst := worst_index(np.abs(kwh + pooled - total), tolerance)) is not None:
        problem = (
            f"a home trades {total[worst]:.6g} kWh in its fills, but {kwh[worst]:.6g} kWh in its "
            f"bilateral trades ({_at(worst)})"
        )
        raise CheckError(where, problem, "Build both from the same trades.")
    if local.pooled is not None:
        return
    for name, listed, filled in (
        ("pays", money, local.paid),
        ("earns", receipts, local.earned),
    ):
        if (worst := worst_index(np.abs(listed - filled), tolerance)) is not None:
            problem = (
                f"a home {name} {filled[worst]:.6g} in its fills, but {listed[worst]:.6g} in its "
                f"bilateral trades ({_at(worst)})"
            )
            raise CheckError(where, problem, "Build both from the same trades.")


def _check_money(cleared: _Cleared, mechanism: Mechanism, where: str) -> None:
    """Check that payments and receipts balance as declared, and that empty books move no money."""
    paid = cleared.local.paid.sum(1)
    earned = cleared.local.earned.sum(1)
    kept = _array(paid - earned)
    excess: dict[str, Amounts] = {"balanced": np.abs(kept), "surplus": -kept, "deficit": kept}
    worst = worst_index(excess[mechanism.budget_balance], cleared.tolerance)
    if worst is not None:
        problem = (
            f"homes pay {paid[worst]:.6g} and earn {earned[worst]:.6g} in {_at(worst)}, but "
            f"budget_balance is {mechanism.budget_balance!r}"
        )
        fix = (
            "Pay out what is paid in, or declare budget_balance='surplus' (an operator keeps the "
            "difference) or 'deficit' (it comes from outside)."
        )
        raise CheckError(where, problem, fix)
    is_empty = ~np.asarray(cleared.orders.quantity_kwh).any(1)
    moved = (np.abs(cleared.local.paid) + np.abs(cleared.local.earned)).sum(1) * is_empty
    if (worst := worst_index(moved, cleared.tolerance)) is not None:
        problem = f"{moved[worst]:.6g} are paid in {_at(worst)}, which has no orders"
        raise CheckError(where, problem, "Charge for traded energy only.")


def _check_limit_prices(cleared: _Cleared, where: str) -> None:
    """Check that no home pays more than its bid or earns less than its ask per kWh."""
    local = cleared.local
    limit = np.asarray(cleared.orders.price)
    tolerance = cleared.tolerance[:, None]
    for verb, kwh, money, sign in (
        ("buys", local.bought_kwh, local.paid, 1.0),
        ("sells", local.sold_kwh, local.earned, -1.0),
    ):
        if (worst := worst_index(sign * (money - limit * kwh), tolerance)) is not None:
            price = money[worst] / max(float(kwh[worst]), 1e-12)
            problem = (
                f"a home {verb} at {price:.6g} per kWh with a limit price of {limit[worst]:.6g} "
                f"({_at(worst)})"
            )
            fix = "Match only bids above asks at prices between both, or set uses_bids=False."
            raise CheckError(where, problem, fix)


def _check_rationality(cleared: _Cleared, is_crossed: NDArray[np.bool_], where: str) -> None:
    """Check that no truthful home loses against trading with the grid alone."""
    local, grid, prices = cleared.local, cleared.grid, cleared.prices
    fee = np.asarray(prices.local_grid_fee)
    cost = local.paid - local.earned + local.bought_kwh * fee + grid.paid - grid.earned
    alone = cleared.demand * np.asarray(prices.retail) - cleared.supply * np.asarray(prices.feed_in)
    excess = (cost - alone) * ~is_crossed[:, None]
    if (worst := worst_index(excess, cleared.tolerance[:, None])) is not None:
        book = worst[0]
        problem = (
            f"a truthful home with {_order(cleared, worst)} pays {cost[worst]:.6g} in total, but "
            f"{alone[worst]:.6g} with the grid alone ({_at(worst)}; retail price "
            f"{prices.retail[book, 0]:.4g}, feed-in price {prices.feed_in[book, 0]:.4g}, local fee "
            f"{fee[book, 0]:.4g})"
        )
        fix = (
            "Keep local prices between feed_in and reservation_price of the prices, or declare "
            "individually_rational=False."
        )
        raise CheckError(where, problem, fix)


def _check_order_of_homes(
    mechanism: Mechanism,
    options: MarketOptions,
    books: OrderBooks,
    cleared: _Cleared,
    where: str,
    seed: int,
) -> None:
    """Check that fills follow the homes when everything about them is listed in another order."""
    order = np.random.default_rng(seed).permutation(len(options.shares))
    moved_options = permute_options(options, order)
    prices = books.prices
    if prices.posted is not None:
        posted = jax.tree.map(lambda part: part[..., order], prices.posted)
        prices = prices._replace(posted=posted)
    moved_books = books._replace(orders=permute_orders(books.orders, order), prices=prices)
    stages = _build_stages(mechanism, moved_options, where)
    moved = _clear(stages, moved_books, where)
    # Auctions divide whole ticks, and the last ones go to the homes that are listed first.
    ticks = options.energy_tick_kwh if mechanism.uses_bids else 0.0
    tolerance = cleared.tolerance[:, None] + 1.01 * ticks
    for name in Fills._fields[:4]:
        one = getattr(cleared.local, name)[:, order]
        other = getattr(moved.local, name)
        # Homes with equal limit prices may be served in order of listing.
        excess = np.abs(one - other) * ~books.has_ties[:, None]
        if (worst := worst_index(excess, tolerance)) is not None:
            home = int(order[worst[1]])
            problem = (
                f"{name} of home {home} is {one[worst]:.6g}, but {other[worst]:.6g} when the homes "
                f"are listed in another order (book {worst[0]})"
            )
            fix = (
                "Decide by orders and options (quantity, price, arrival, priority, shares, rank, "
                "distance), not by the index of a home."
            )
            raise CheckError(where, problem, fix)


def _check_batching(
    stages: tuple[Partial, ...], books: OrderBooks, cleared: _Cleared, where: str
) -> None:
    """Check that a book clears alone as it does in a batch."""
    for book, orders, prices in _single_books(books):
        single = _clear_one(stages, orders, prices)
        for name in Fills._fields[:4]:
            one = np.asarray(getattr(single.local, name), np.float64)
            many = getattr(cleared.local, name)[book]
            if (worst := worst_index(np.abs(one - many), cleared.tolerance[book])) is not None:
                problem = (
                    f"{name} is {one[worst]:.6g} without jax.vmap and {many[worst]:.6g} with it "
                    f"(book {book}, home {worst[0]})"
                )
                fix = "Reduce over the last axis only, and keep no state between calls."
                raise CheckError(where, problem, fix)


def _single_books(books: OrderBooks) -> Iterator[tuple[int, Orders, Prices]]:
    for book in _SINGLE_BOOKS:
        if book < len(books.is_crossed):
            orders, prices = jax.tree.map(
                lambda leaf, book=book: leaf[book], (books.orders, books.prices)
            )
            yield book, orders, prices


def _cost(
    quantity: Float[Array, " home"], stages: tuple[Partial, ...], orders: Orders, prices: Prices
) -> Float[Array, ""]:
    """Compute the cost of all homes, in which payments between homes cancel."""
    local, grid = clear(stages, orders._replace(quantity_kwh=quantity), prices)
    return (local.paid - local.earned + grid.paid - grid.earned).sum()


_cost_gradient = jax.jit(jax.grad(_cost))


def _check_gradients(stages: tuple[Partial, ...], books: OrderBooks, where: str) -> None:
    """Check that the cost of all homes has finite gradients, also for homes without an order."""
    for book, orders, prices in _single_books(books):
        value = run_traced(
            partial(_cost_gradient, orders.quantity_kwh, stages, orders, prices),
            where,
            "differentiated by jax.grad",
            "Use functions of jax.numpy, or jax.lax.stop_gradient where none is meant.",
        )
        if (worst := worst_index(~np.isfinite(np.asarray(value)))) is not None:
            quantity = float(orders.quantity_kwh[worst[0]])
            problem = (
                f"the gradient of the total cost with respect to an order of {quantity:.6g} kWh is "
                f"{float(value[worst[0]])} (book {book}, home {worst[0]})"
            )
            fix = (
                "Guard divisions with prosumax.numerics.safe_divide, which replaces the "
                "denominator before it divides."
            )
            raise CheckError(where, problem, fix)


def _check_single_home(mechanism: Mechanism, where: str, seed: int) -> None:
    """Check that a community of one home clears and trades with the grid only."""
    place = f"{where}, community of one home"
    options = random_options(1, seed)
    books = _draw_books(mechanism, options, len(_SINGLE_BOOKS), seed)
    _check_fills(_clear(_build_stages(mechanism, options, place), books, place), place)


def _check_redistribution(
    mechanism: Mechanism, options: MarketOptions, where: str, seed: int
) -> None:
    """Check shape, balance and order of homes of the settlement after the period."""
    assert mechanism.redistribute is not None
    accounts = _random_accounts(len(options.shares), seed)
    amounts = mechanism.redistribute(accounts, options)
    homes = len(options.shares)
    place = f"{where}, redistribute"
    if np.shape(amounts) != (homes,):
        problem = f"the result has shape {np.shape(amounts)}, not {(homes,)}"
        raise CheckError(place, problem, "Return one amount per home.")
    if not np.isfinite(amounts).all():
        raise CheckError(place, f"the amounts are {amounts}", "Return finite amounts.")
    total = float(amounts.sum())
    excess = {"balanced": abs(total), "surplus": -total, "deficit": total}
    if excess[mechanism.budget_balance] > _ABSOLUTE_ROUNDING:
        problem = (
            f"the amounts add up to {total:.6g}, but budget_balance is {mechanism.budget_balance!r}"
        )
        fix = "Return amounts that add up to zero, or declare 'surplus' or 'deficit'."
        raise CheckError(place, problem, fix)
    order = np.random.default_rng(seed).permutation(homes)
    moved = mechanism.redistribute(
        _permute_accounts(accounts, order), permute_options(options, order)
    )
    if (worst := worst_index(np.abs(amounts[order] - moved), _ABSOLUTE_ROUNDING)) is not None:
        problem = (
            f"the amount of home {int(order[worst])} is {amounts[order][worst]:.6g}, but "
            f"{moved[worst]:.6g} when the homes are listed in another order"
        )
        raise CheckError(place, problem, "Decide by accounts and options, not by the index.")


def _random_accounts(homes: int, seed: int) -> SettlementAccounts:
    """Draw the accounts of a community that shares its surplus pro rata at the middle price."""
    rng = np.random.default_rng(seed)
    shape = (_SETTLEMENT_STEPS, homes)
    net = rng.normal(0, 2, shape) * (rng.random(shape) < 0.9)
    retail = rng.uniform(0.2, 0.4, _SETTLEMENT_STEPS)
    reservation = retail - 0.05
    feed_in = rng.uniform(0.0, 0.1, _SETTLEMENT_STEPS)
    demand = np.maximum(net, 0.0)
    supply = np.maximum(-net, 0.0)
    traded = np.minimum(demand.sum(1), supply.sum(1))[:, None]
    bought = demand * traded / np.maximum(demand.sum(1, keepdims=True), 1e-12)
    sold = supply * traded / np.maximum(supply.sum(1, keepdims=True), 1e-12)
    charges = demand * retail[:, None]
    revenue = supply * feed_in[:, None]
    standalone = (charges - revenue).sum(0)
    saving = (bought + sold) * (reservation - feed_in)[:, None] / 2
    return SettlementAccounts(
        net_kwh=net,
        grid_charges=charges,
        feed_in_revenue=revenue,
        traded_kwh=bought + sold,
        bill=standalone - saving.sum(0),
        standalone_bill=standalone,
        retail_price=retail,
        reservation_price=reservation,
        feed_in_price=feed_in,
        step_hours=0.25,
    )


def _permute_accounts(accounts: SettlementAccounts, order: NDArray[np.int64]) -> SettlementAccounts:
    return accounts._replace(
        net_kwh=accounts.net_kwh[:, order],
        grid_charges=accounts.grid_charges[:, order],
        feed_in_revenue=accounts.feed_in_revenue[:, order],
        traded_kwh=accounts.traded_kwh[:, order],
        bill=accounts.bill[order],
        standalone_bill=accounts.standalone_bill[order],
    )


def _sum_per_home(index: NDArray[np.int64], amount: Amounts, homes: int) -> Amounts:
    """Sum the amounts of slots [book, slot] per home [book, home]."""
    total = np.zeros((len(index), homes))
    valid = np.clip(index, 0, homes - 1)
    np.add.at(total, (np.arange(len(index))[:, None], valid), amount)
    return total


def _array(values: ArrayLike) -> Amounts:
    return np.asarray(values, np.float64)


def _at(index: tuple[int, ...]) -> str:
    book = f"book {index[0]}"
    return book if len(index) == 1 else f"{book}, home {index[1]}"


def _order(cleared: _Cleared, index: tuple[int, ...]) -> str:
    quantity = float(cleared.orders.quantity_kwh[index])
    if quantity == 0:
        return "no order"
    side = "buy" if quantity > 0 else "sell"
    return f"an order to {side} {abs(quantity):.6g} kWh"
