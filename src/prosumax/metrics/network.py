"""What happened on the wires: losses, loading, voltages, and what the operator did."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

VOLTAGE_BAND = (0.90, 1.10)
"""Supply voltage in per unit (EN 50160, section 4.2.2: +-10 % of nominal; 95 % of each week's 10-min means)."""

CONVERGENCE_TOLERANCE_PU = 1e-4
"""A power flow whose last iteration moved a voltage by more has not converged; its step counts in no other figure."""


def network_kpis(
    record: Any,
    fee_terms: Sequence[str],
    is_transformer: NDArray[np.bool_],
    energy_price: NDArray[np.float64],
    power_flow: str,
    step_hours: float,
) -> dict[str, Any]:
    """Key figures of the network over a period.

    Arguments:
        record: `network.GridRecord` with a leading axis of steps, NumPy.
        terms: names of its fee terms.
        is_transformer: which branches are transformers [branch].
        energy_price: what the operator pays the supplier for a lost kWh [step].
        flow: `path`, `linear` or `ac`; `path` knows no voltages.
        step_hours: length of a step.

    Returns:
        Name -> number; NaN where it means nothing. Losses in kWh and as a share of what the source and the exports feed
        in; highest loading of any line and of any transformer (1 is 100 %), hours in which some branch is over 100 %;
        hours in which the network feeds back through its source; hours with some voltage outside +-10 %, and the share
        of steps inside; mean of the fullest branch (congestion); the mean size of the imbalance in kWh per step (MARLEM
        equation 16); what the operator cut, punished and charged, by fee term; and steps without a solution.
    """
    solved = record.residual <= CONVERGENCE_TOLERANCE_PU
    steps = max(int(solved.sum()), 1)
    loading, loss, source = (
        record.loading[solved],
        record.loss_kwh[solved],
        record.source_kwh[solved],
    )
    fullest = loading.max(1) if loading.size else np.full(steps, np.nan)
    fed_in = np.maximum(source, 0).sum() + np.maximum(record.balance_kwh[solved], 0).sum()
    figures: dict[str, Any] = {
        "loss_kwh": loss.sum(),
        "loss_share": loss.sum() / fed_in if fed_in > 0 else np.nan,
        "loss_cost": (loss * energy_price[solved]).sum(),
        "max_line_loading": _highest(loading[:, ~is_transformer]),
        "max_transformer_loading": _highest(loading[:, is_transformer]),
        "overload_hours": (fullest > 1).sum() * step_hours,
        "mean_congestion": fullest.mean(),
        "reverse_flow_hours": (source < 0).sum() * step_hours,
        "mean_imbalance_kwh": np.abs(record.balance_kwh).mean(),
        "not_converged_steps": int((~solved).sum()),
        "interventions": int(record.intervened.sum()),
        "curtailed_kwh": record.curtailed_kwh.sum(),
        "penalized_kwh": record.penalised_kwh.sum(),
        "fees": record.fees.sum(),
        **{
            f"fee_{name}": amount
            for name, amount in zip(fee_terms, record.fee_terms.sum(0), strict=True)
        },
    }
    if power_flow != "path":
        voltage = record.voltage[solved]
        outside = ((voltage < VOLTAGE_BAND[0]) | (voltage > VOLTAGE_BAND[1])).any(1)
        figures |= {
            "min_voltage_pu": voltage.min() if voltage.size else np.nan,
            "max_voltage_pu": voltage.max() if voltage.size else np.nan,
            "voltage_violation_hours": outside.sum() * step_hours,
            "voltage_band_compliance": 1 - outside.mean() if outside.size else np.nan,
        }
    return figures


def _highest(loading: NDArray[np.float64]) -> float:
    return float(loading.max()) if loading.size else float("nan")
