"""`check_mechanism` accepts correct mechanisms and names what is wrong with broken ones."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from prosumax.errors import InputError
from prosumax.market.mechanism import Mechanism, cascade, remaining_orders
from prosumax.numerics import safe_divide
from prosumax.testing import CheckError, check_mechanism, random_books
from prosumax.testing.books import permute_orders
from prosumax.types import Fills, Trades


def pool(orders, prices, price=None, share=1.0):
    """Pool that shares pro rata at the middle of the price band: correct by default."""
    demand, supply = orders.buy_kwh, orders.sell_kwh
    traded = share * jnp.minimum(demand.sum(), supply.sum())
    bought = demand * safe_divide(traded, demand.sum())
    sold = supply * safe_divide(traded, supply.sum())
    middle = (prices.reservation_price + prices.feed_in) / 2
    price = middle if price is None else price
    fills = Fills(bought, sold, bought * price, sold * price)
    return fills, remaining_orders(orders, fills)


def creates_money(orders, prices):
    fills, remaining = pool(orders, prices)
    return fills._replace(earned=1.01 * fills.earned), remaining


def fills_more_than_ordered(orders, prices):
    return pool(orders, prices, share=1.2)


def creates_energy(orders, prices):
    fills, _ = pool(orders, prices)
    fills = fills._replace(bought_kwh=0.9 * fills.bought_kwh)
    return fills, remaining_orders(orders, fills)


def leaves_orders_open(orders, prices):
    fills, _ = pool(orders, prices)
    return fills, orders


def serves_the_first_home_listed(orders, prices):
    fills, _ = pool(orders, prices)
    first = jnp.cumsum(orders.buy_kwh) - orders.buy_kwh
    bought = jnp.clip(fills.bought_kwh.sum() - first, 0.0, orders.buy_kwh)
    price = (prices.reservation_price + prices.feed_in) / 2
    fills = fills._replace(bought_kwh=bought, paid=bought * price)
    return fills, remaining_orders(orders, fills)


def divides_by_zero(orders, prices):
    demand = orders.buy_kwh
    traded = jnp.minimum(demand.sum(), orders.sell_kwh.sum())
    fills, _ = pool(orders, prices)
    fills = fills._replace(bought_kwh=demand * traded / demand.sum())
    return fills, remaining_orders(orders, fills)


def has_no_gradient(orders, prices):
    """The value is guarded, but the gradient of the division is not."""
    demand, supply = orders.buy_kwh, orders.sell_kwh
    traded = jnp.minimum(demand.sum(), supply.sum())
    share = jnp.where(demand.sum() > 0, traded / demand.sum(), 0.0)
    bought = demand * share
    sold = supply * safe_divide(bought.sum(), supply.sum())
    price = prices.retail[0]
    fills = Fills(bought, sold, bought * price, sold * price)
    return fills, remaining_orders(orders, fills)


def sells_above_the_retail_price(orders, prices):
    return pool(orders, prices, price=prices.retail + 0.01)


def branches_on_values(orders, prices):
    return pool(orders, prices, share=1.0 if orders.buy_kwh.sum() > 1 else 0.0)


def forgets_a_trade(orders, prices):
    """Books one pair of homes as a bilateral trade, and all homes in the fills."""
    fills, remaining = pool(orders, prices)
    home = jnp.zeros(1, jnp.int32)
    price = ((prices.reservation_price + prices.feed_in) / 2)[:1]
    trades = Trades(home, home + 1, fills.bought_kwh[:1], price, price)
    return fills._replace(trades=trades), remaining


def returns_fills_only(orders, prices):
    return pool(orders, prices)[0]


def returns_totals(orders, prices):
    fills, remaining = pool(orders, prices)
    return fills._replace(paid=fills.paid.sum()), remaining


@pytest.mark.parametrize(
    ("stage", "declared", "message"),
    [
        (creates_money, {}, r"homes pay \S+ and earn \S+ in book .*'balanced'. Pay out"),
        (creates_money, {"budget_balance": "surplus"}, "budget_balance is 'surplus'"),
        (fills_more_than_ordered, {}, "more than it ordered"),
        (creates_energy, {}, "homes buy .* kWh and sell .* kWh to each other"),
        (leaves_orders_open, {}, "kWh from homes and .* kWh from the grid with an order to"),
        (serves_the_first_home_listed, {}, "when the homes are listed in another order"),
        (divides_by_zero, {}, "bought_kwh is nan for book .*safe_divide"),
        (has_no_gradient, {"individually_rational": False}, "gradient of the total cost .* is nan"),
        (sells_above_the_retail_price, {}, "a truthful home with an order to buy .* pays"),
        (
            pool,
            {"uses_bids": True},
            r"a home (buys|sells) at \S+ per kWh with a limit price of",
        ),
        (branches_on_values, {}, "it cannot be traced by jax.jit: TracerBoolConversionError"),
        (forgets_a_trade, {}, "kWh in its fills, but .* kWh in its bilateral trades"),
        (returns_fills_only, {}, "stage 1: it does not return a pair of Fills and Orders"),
        (returns_totals, {}, r"stage 1: fills.paid has shape \(\), not \(7,\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_mechanism_fails_with_what_is_wrong(stage, declared, message):
    with pytest.raises(CheckError, match=message):
        check_mechanism(cascade(stage, **declared))


def test_a_correct_mechanism_passes():
    assert check_mechanism(cascade(pool)) is None


def test_options_must_be_bound_as_arrays():
    def build(options):
        return (lambda orders, prices: pool(orders, prices, share=float(options.k)),)

    with pytest.raises(CheckError, match="returns a new function in every call.*Partial"):
        check_mechanism(Mechanism(build))
    bound = Mechanism(lambda options: (Partial(pool, share=jnp.float32(options.k)),))
    assert check_mechanism(bound) is None


def test_redistribution_must_balance_as_declared():
    def tax(accounts, options):
        return 0.1 * accounts.standalone_bill

    build = cascade(pool).build
    with pytest.raises(CheckError, match="redistribute: the amounts add up to .* 'balanced'"):
        check_mechanism(Mechanism(build, redistribute=tax))


def test_an_unknown_declaration_or_name_is_reported():
    with pytest.raises(CheckError, match="budget_balance is 'even'. Declare one of 'balanced'"):
        check_mechanism(cascade(pool)._replace(budget_balance="even"))
    with pytest.raises(InputError, match="there is no mechanism 'mid_market'"):
        check_mechanism("mid_market")


def test_books_hold_the_corner_cases_of_markets():
    books = random_books(homes=5, num_books=400, seed=3)
    quantity = np.asarray(books.orders.quantity_kwh)
    assert (~quantity.any(1)).any()
    assert ((quantity >= 0).all(1) & quantity.any(1)).any()
    assert ((quantity <= 0).all(1) & quantity.any(1)).any()
    size = np.abs(quantity[quantity != 0])
    assert size.min() < 1e-3 and size.max() > 20
    retail, feed_in = np.asarray(books.prices.retail), np.asarray(books.prices.feed_in)
    assert (retail == 0).any() and (retail < 0).any() and (feed_in < 0).any()
    reservation = np.asarray(books.prices.reservation_price)
    np.testing.assert_array_equal((reservation < feed_in - 1e-6).any(1), books.is_crossed)
    distinct = np.array([len(np.unique(row)) for row in np.asarray(books.orders.price)])
    assert (distinct[~books.has_ties] == 5).all()
    again = random_books(homes=5, num_books=400, seed=3)
    jax.tree.map(np.testing.assert_array_equal, books.orders, again.orders)


def test_partners_follow_the_homes_to_their_new_positions():
    books = random_books(homes=4, num_books=30)
    order = np.array([2, 0, 3, 1])
    moved = permute_orders(books.orders, order)
    partner = np.asarray(books.orders.partner)
    moved_partner = np.asarray(moved.partner)
    for position, home in enumerate(order):
        for book in range(30):
            before, after = partner[book, home], moved_partner[book, position]
            assert before == (order[after] if after >= 0 else after)


def test_the_message_of_the_guide_is_that_of_the_program(capsys):
    """The second Python block of the guide prints the text block that follows it."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "test-your-extension.md"
    text = page.read_text("utf-8")
    program = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1]
    (message,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    exec(compile(program, page.name, "exec"), {})
    assert capsys.readouterr().out.split() == message.split()
