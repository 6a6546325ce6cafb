"""KPIs of the distribution network: losses, loading, voltages and the operator's interventions."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prosumax.numerics import AnyArray

VOLTAGE_BAND = (0.90, 1.10)
"""Supply voltage in per unit (EN 50160, section 4.2.2: +-10 % of nominal; 95 % of each week's
10-min means)."""

CONVERGENCE_TOLERANCE_PU = 1e-4
"""A power flow whose last iteration moved a voltage by more has not converged; its step counts in
no other KPI."""


class NetworkRecord(Protocol):
    """Fields of `grid.GridRecord` with a leading axis of steps, NumPy."""

    @property
    def voltage_pu(self) -> AnyArray:
        """Voltage magnitude [step, bus]."""

    @property
    def loading(self) -> AnyArray:
        """Loading of each branch; 1 is 100 % [step, branch]."""

    @property
    def loss_kwh(self) -> AnyArray:
        """Losses of all branches [step]."""

    @property
    def source_kwh(self) -> AnyArray:
        """Energy through the source, positive into the network [step]."""

    @property
    def residual_pu(self) -> AnyArray:
        """Residual of the power flow [step]."""

    @property
    def balance_kwh(self) -> AnyArray:
        """Exports minus imports of all homes [step]."""

    @property
    def intervened(self) -> AnyArray:
        """True where the operator curtailed an export or penalized a trade [step]."""

    @property
    def curtailed_kwh(self) -> AnyArray:
        """Curtailed export [step, home]."""

    @property
    def penalized_kwh(self) -> AnyArray:
        """Local trade above the threshold in a step with intervention [step]."""

    @property
    def fees(self) -> AnyArray:
        """Fees paid by each home, negative for a bonus [step, home]."""

    @property
    def fee_terms(self) -> AnyArray:
        """Sum of the fees by term [step, term]."""


def network_kpis(
    record: NetworkRecord,
    fee_terms: Sequence[str],
    is_transformer: NDArray[np.bool_],
    energy_price: NDArray[np.float64],
    power_flow: str,
    step_hours: float,
) -> dict[str, AnyArray | float]:
    """Compute the KPIs of the distribution network over a period.

    Args:
        record: Record of the network and its operator.
        fee_terms: Names of its fee terms.
        is_transformer: True for branches that are transformers [branch].
        energy_price: Price that the operator pays the supplier for a lost kWh [step].
        power_flow: `path`, `linear` or `ac`; `path` has no voltages.
        step_hours: Length of a step.

    Returns:
        KPI -> number; NaN where it is undefined. Losses in kWh and as a share of what the source
        and the exports feed in; highest loading of any line and of any transformer (1 is 100 %),
        hours with a branch above 100 %; hours of reverse flow through the source; hours with a
        voltage outside +-10 %, and the share of steps inside; mean loading of the most loaded
        branch (congestion); mean absolute imbalance in kWh per step (MARLEM, equation 16); energy
        that the operator curtailed and penalized, and its fees in all and by term (MARLEM,
        equation 4); and steps without a solution.
    """
    solved = record.residual_pu <= CONVERGENCE_TOLERANCE_PU
    num_solved = max(int(solved.sum()), 1)
    loading = record.loading[solved]
    loss = record.loss_kwh[solved]
    source = record.source_kwh[solved]
    max_loading = loading.max(1) if loading.size else np.full(num_solved, np.nan)
    infeed = np.maximum(source, 0).sum() + np.maximum(record.balance_kwh[solved], 0).sum()
    kpis: dict[str, AnyArray | float] = {
        "loss_kwh": loss.sum(),
        "loss_share": loss.sum() / infeed if infeed > 0 else np.nan,
        "loss_cost": (loss * energy_price[solved]).sum(),
        "max_line_loading": _max_loading(loading[:, ~is_transformer]),
        "max_transformer_loading": _max_loading(loading[:, is_transformer]),
        "overload_hours": (max_loading > 1).sum() * step_hours,
        "mean_congestion": max_loading.mean(),
        "reverse_flow_hours": (source < 0).sum() * step_hours,
        "mean_imbalance_kwh": np.abs(record.balance_kwh).mean(),
        "not_converged_steps": int((~solved).sum()),
        "interventions": int(record.intervened.sum()),
        "curtailed_kwh": record.curtailed_kwh.sum(),
        "penalized_kwh": record.penalized_kwh.sum(),
        "fees": record.fees.sum(),
    }
    fees = zip(fee_terms, record.fee_terms.sum(0), strict=True)
    kpis |= {f"fee_{name}": amount for name, amount in fees}
    if power_flow != "path":
        voltage = record.voltage_pu[solved]
        outside = ((voltage < VOLTAGE_BAND[0]) | (voltage > VOLTAGE_BAND[1])).any(1)
        kpis |= {
            "min_voltage_pu": voltage.min() if voltage.size else np.nan,
            "max_voltage_pu": voltage.max() if voltage.size else np.nan,
            "voltage_violation_hours": outside.sum() * step_hours,
            "voltage_band_compliance": 1 - outside.mean() if outside.size else np.nan,
        }
    return kpis


def _max_loading(loading: AnyArray) -> float:
    return float(loading.max()) if loading.size else float("nan")
