"""Keeping a network inside its limits: what exports or trades must be scaled back, by linear sensitivities."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.feeder import BASE_KVA, Feeder
from prosumax.grid.power_flow.wires import matrices

HIGHEST_PU = 1.10
"""Exports may lift the voltage to 10 % over nominal (EN 50160, section 4.2.2)."""

_ROUNDS = 4
_MOST_BUSES = 3000
_UNLIMITED_KW = 1e9


class Limits(NamedTuple):
    """Linear limits: `use @ (kW exported minus imported by each home) + fixed <= most`, row by row.

    The rows are the branches in their own direction, the branches in the other one, and the voltages at the homes.

    Attributes:
        use: effect of a kW from each home; kW for branches, per unit for voltages.
        fixed: what the network's own loads use already.
        most: rating, or voltage.
        is_line: rows of branches; a share of their rating may be asked for.
    """

    use: Float[Array, "row home"]
    fixed: Float[Array, " row"]
    most: Float[Array, " row"]
    is_line: Float[Array, " row"]


def limits_of(
    feeder: Feeder,
    home_bus: NDArray[np.int64],
    capacity_kw: NDArray[np.float64],
    background_kw: NDArray[np.float64],
    background_kvar: NDArray[np.float64],
    knows_voltages: bool = True,
) -> Limits:
    """Sensitivities around the unloaded network (LinDistFlow, and its branch flows).

    Arguments:
        feeder: the network.
        home_bus: bus of each home.
        capacity_kw: of each branch.
        background_kw, background_kvar: what the network's own loads draw [bus].
        knows_voltages: whether voltages limit exports too; not under flow `path`.

    Raises:
        InputError: the network is too large for a matrix.
    """
    if len(feeder.buses) > _MOST_BUSES:
        what = f"has {len(feeder.buses):,} buses; limits are kept for at most {_MOST_BUSES:,}"
        raise InputError(
            f"network {feeder.name}", what, "Set trade_limit and operator.intervention to none."
        )
    found, b = matrices(feeder), feeder.branches
    flat = found.no_load_voltage
    # Power into each branch per power drawn at each bus: a load of s draws the current conj(s / v).
    inside = flat[b.from_bus] / b.ratio
    per_drawn = -inside[:, None] * np.conj(found.series / np.conj(flat)[None, :])
    drop = (
        found.impedance * (np.conj(flat)[:, None] / np.conj(flat)[None, :]) / np.abs(flat)[:, None]
    )
    lines = -per_drawn.real
    own = (background_kw + 1j * background_kvar) / BASE_KVA
    line_fixed = (per_drawn @ own).real * BASE_KVA
    voltage_fixed = np.abs(flat) - (drop @ np.conj(own)).real
    buses = np.unique(home_bus)
    capacity = np.minimum(capacity_kw, _UNLIMITED_KW)
    kept = {
        "use": np.concatenate(
            [lines[:, home_bus], -lines[:, home_bus], drop.real[np.ix_(buses, home_bus)] / BASE_KVA]
        ),
        "fixed": np.concatenate([line_fixed, -line_fixed, voltage_fixed[buses]]),
        "most": np.concatenate(
            [capacity, capacity, np.full(len(buses), HIGHEST_PU if knows_voltages else np.inf)]
        ),
        "is_line": np.concatenate([np.ones(2 * len(capacity)), np.zeros(len(buses))]),
    }
    return Limits(**{name: jnp.asarray(part, jnp.float32) for name, part in kept.items()})


def cut_pro_rata(
    export_kw: Float[Array, " home"],
    import_kw: Float[Array, " home"],
    ask: Float[Array, " home"],
    threshold: Float[Array, ""],
    *,
    limits: Limits,
) -> Float[Array, " home"]:
    """Export that must not happen so that no branch is loaded over a share of its rating and no voltage is too high.

    Arguments:
        export_kw, import_kw: of each home's meter, >= 0.
        ask: what each home wants for its energy; does not count here.
        threshold: share of the branches' ratings.
        limits: of the network.

    Returns:
        kW between 0 and `export_kw`. What loads alone overload stays overloaded: no home is switched off.
    """
    return _cut(limits, export_kw, import_kw, None, threshold)


def cut_dearest(
    export_kw: Float[Array, " home"],
    import_kw: Float[Array, " home"],
    ask: Float[Array, " home"],
    threshold: Float[Array, ""],
    *,
    limits: Limits,
) -> Float[Array, " home"]:
    """The same, with the exports of those who ask most cut first."""
    return _cut(limits, export_kw, import_kw, -ask, threshold)


def _cut(
    limits: Limits,
    export_kw: Float[Array, " home"],
    import_kw: Float[Array, " home"],
    worth: Float[Array, " home"] | None,
    threshold: Float[Array, ""],
) -> Float[Array, " home"]:
    most = limits.most * jnp.where(limits.is_line > 0, threshold, 1.0)
    margin = most - limits.fixed + limits.use @ import_kw
    kept = scale_back(limits.use * export_kw, margin, worth)
    return export_kw * (1.0 - kept)


def trades_pro_rata(
    buyer: Array,
    seller: Array,
    kwh: Float[Array, " slot"],
    worth: Float[Array, " slot"],
    *,
    limits: Limits,
    threshold: Float[Array, ""],
    step_hours: Float[Array, ""],
) -> Float[Array, " slot"]:
    """Share of each trade that fits when trades alone use the branches, up to `threshold` of their ratings.

    Arguments:
        buyer, seller: homes [slot].
        kwh: of each trade, >= 0.
        worth: per kWh; does not count here.
        limits: of the network.
        threshold: share of the ratings.
        step_hours: length of the step.
    """
    return scale_back(
        _use_of_trades(limits, buyer, seller, kwh / step_hours), _for_trades(limits, threshold)
    )


def trades_by_worth(
    buyer: Array,
    seller: Array,
    kwh: Float[Array, " slot"],
    worth: Float[Array, " slot"],
    *,
    limits: Limits,
    threshold: Float[Array, ""],
    step_hours: Float[Array, ""],
) -> Float[Array, " slot"]:
    """The same, with trades that are worth most kept first."""
    return scale_back(
        _use_of_trades(limits, buyer, seller, kwh / step_hours),
        _for_trades(limits, threshold),
        worth,
    )


def pools_pro_rata(
    net_kwh: Float[Array, " home"],
    *,
    limits: Limits,
    threshold: Float[Array, ""],
    step_hours: Float[Array, ""],
) -> Float[Array, ""]:
    """Share of an exchange without pairs that fits; `net_kwh` is sold minus bought by each home."""
    used, most = limits.use @ (net_kwh / step_hours), _for_trades(limits, threshold)
    over = used > most
    return jnp.where(over, most / jnp.where(over, used, 1.0), 1.0).min()


def _use_of_trades(
    limits: Limits, buyer: Array, seller: Array, kw: Float[Array, " slot"]
) -> Float[Array, "row slot"]:
    return (limits.use[:, seller] - limits.use[:, buyer]) * kw


def _for_trades(limits: Limits, threshold: Float[Array, ""]) -> Float[Array, " row"]:
    """Trades count against the branches only: a voltage has no share that is theirs."""
    return jnp.where(limits.is_line > 0, limits.most * threshold, _UNLIMITED_KW)


def scale_back(
    use: Float[Array, "row item"],
    most: Float[Array, " row"],
    worth: Float[Array, " item"] | None = None,
) -> Float[Array, " item"]:
    """Largest shares of the items, found row by row, such that no row uses more than it may.

    An item is cut as far as the row that is tightest for it demands. Items that relieve a row make room in it; as
    cutting others may take that relief away, rounds follow, and if rows are still over at the end nothing is counted
    on to relieve them.

    Arguments:
        use: what each whole item adds to each row; negative where it relieves.
        most: limit of each row; where it is below zero nothing may add to the row.
        worth: items worth most are kept first; None cuts all that add to a row by the same share.

    Returns:
        Shares between 0 and 1; afterwards the positive part of every row is within its limit (or its relief).
    """
    adds, relieves = jnp.maximum(use, 0.0), jnp.maximum(-use, 0.0)
    order = None if worth is None else jnp.argsort(-worth)

    def cut(share: Float[Array, " item"], relief: Float[Array, " row"]) -> Float[Array, " item"]:
        room, now = jnp.maximum(most + relief, 0.0), adds * share
        if order is None:
            total = now.sum(1)
            over = total > room
            fits = jnp.broadcast_to(
                jnp.where(over, room / jnp.where(over, total, 1.0), 1.0)[:, None], now.shape
            )
        else:
            ranked = now[:, order]
            before = jnp.cumsum(ranked, axis=1) - ranked
            left = jnp.clip(room[:, None] - before, 0.0, ranked)
            whole = jnp.where(ranked > 0, left / jnp.where(ranked > 0, ranked, 1.0), 1.0)
            fits = jnp.zeros_like(now).at[:, order].set(whole)
        return share * jnp.where(adds > 0, fits, 1.0).min(0, initial=1.0)

    share = jnp.ones(use.shape[1], use.dtype)
    for _ in range(_ROUNDS):
        share = cut(share, (relieves * share).sum(1))
    over = ((adds - relieves) * share).sum(1) > jnp.maximum(most, 0.0) * (1 + 1e-4) + 1e-6
    return jnp.where(over.any(), cut(share, jnp.zeros_like(most)), share)
