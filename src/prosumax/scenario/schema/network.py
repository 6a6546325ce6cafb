"""Schema of the distribution network and its operator."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.config import (
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    StrictModel,
)

GENERATED_NETWORKS = ("line", "ring", "star", "tree", "mesh")
"""Network kinds that are generated from the scenario's seed."""


class OperatorConfig(StrictModel):
    """Fees and interventions of the distribution system operator (DSO).

    The six fee terms are those of MARLEM, equation 4; each is a fraction of the value
    of a trade.
    """

    fees: bool = False
    """Whether buyer and seller pay fees on their trades, half each."""
    congestion: NonNegative = 0.5
    """f_cong: fraction of the value per unit of congestion above the threshold (4a)."""
    usage: NonNegative = 1.0
    """F_trans: charged fraction of the value of the trade's losses (no equation in the paper)."""
    imbalance: NonNegative = 0.15
    """f_imb: fraction of a grid trade's value, times its share of the imbalance (4b)."""
    voltage: NonNegative = 0.15
    """f_volt: voltage drop per km (4f)."""
    zone: NonNegative = 0.15
    """f_zone: bonus on trades inside a zone (4e)."""
    cross_zone: NonNegative = 0.0
    """Charge on trades between zones ("cross-zone penalty"), zero by default in the paper."""
    congestion_threshold: Fraction = 0.8
    """Loading above which a line or transformer is congested."""
    voltage_threshold: Fraction = 0.05
    """Highest relative voltage drop that is charged (4c)."""
    thermal_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Congestion above which the thermal charge applies, and its highest fraction (4d, 4g)."""
    intervention: Literal["none", "penalize", "curtail"] = "none"
    """Action on lines loaded above `congestion_threshold`: higher fees, or curtailed exports."""
    curtail_by: Literal["pro_rata", "price"] = "pro_rata"
    """Order of curtailment: all contributing exports alike, or the highest asks first."""
    penalty: Annotated[float, Field(ge=1)] = 1.5
    """Factor on the congestion fee in a step with intervention."""
    surcharge: Fraction = 0.2
    """Further fraction of the value of a congesting trade in a step with intervention."""
    inspection_probability: Fraction = 1.0
    """Probability that the operator inspects a step."""
    adaptive: bool = False
    """Whether probability and threshold follow the recent frequency of overloads."""

    @model_validator(mode="after")
    def _check_penalty_has_fees(self) -> "OperatorConfig":
        if self.intervention == "penalize" and not self.fees:
            raise ValueError("intervention penalize raises the fees; it requires `fees: true`")
        return self


class NetworkConfig(StrictModel):
    """The network between the homes; a copper plate without `kind`."""

    kind: (
        Literal[
            "line",
            "ring",
            "star",
            "tree",
            "mesh",
            "ieee13",
            "ieee34",
            "cigre_lv",
            "case33bw",
            "kerber_landnetz_freileitung_1",
            "kerber_landnetz_freileitung_2",
            "kerber_landnetz_kabel_1",
            "kerber_landnetz_kabel_2",
            "kerber_dorfnetz",
            "kerber_vorstadtnetz_kabel_1",
            "kerber_vorstadtnetz_kabel_2",
            "simbench",
            "pandapower",
            "edges",
        ]
        | None
    ) = None
    """Test feeder, generated topology or file format; see the documentation on networks."""
    flow: Literal["copper_plate", "path", "linear", "ac"] = "ac"
    """Power flow: none, shortest path of each trade, LinDistFlow, or AC power flow."""
    file: Path | None = None
    """For kind `pandapower` (JSON) or `edges` (CSV); relative to the scenario file."""
    simbench_code: str = "1-LV-rural1--0-no_sw"
    """For kind `simbench`."""
    num_buses: Annotated[int, Field(ge=2, le=20_000)] | None = None
    """Buses of a generated network with its source; defaults to one per home plus one."""
    mean_line_km: Positive = 0.04
    """Mean length of a generated line."""
    placement: dict[str, str] | Literal["one_per_load", "random"] = "one_per_load"
    """Bus of each home by name, or the rule that assigns homes to buses with a load."""
    capacity_kw: Positive | None = None
    """Capacity shared among lines by inverse length (MARLEM); own ratings when absent."""
    power_factor: PositiveFraction = 0.95
    """Power factor of the load; PV systems and batteries operate at 1."""
    background_load_share: NonNegative = 0.0
    """Fraction of the network's own nominal loads that is added at all times."""
    loss_per_km: NonNegative = 0.03
    """Fraction of a trade lost per km with flow `path` (MARLEM's loss factor)."""
    trade_limit: Literal["none", "pro_rata", "price"] = "none"
    """How local trades are curtailed to line capacity; the rest goes to the grid stage."""
    operator: OperatorConfig = OperatorConfig()

    @model_validator(mode="after")
    def _check_fields_of_kind(self) -> "NetworkConfig":
        fields = type(self).model_fields.items()
        changed = [name for name, field in fields if getattr(self, name) != field.default]
        if self.kind is None and changed:
            raise ValueError(f"`{changed[0]}` requires a network; set network.kind")
        if self.kind in ("pandapower", "edges") and self.file is None:
            raise ValueError(f"kind {self.kind} requires `file`")
        if self.kind not in ("pandapower", "edges") and self.file is not None:
            raise ValueError(f"`file` requires kind pandapower or edges, not {self.kind}")
        if self.num_buses is not None and self.kind not in GENERATED_NETWORKS:
            generated = ", ".join(GENERATED_NETWORKS)
            raise ValueError(
                f"`num_buses` requires a generated network ({generated}), not {self.kind}"
            )
        if self.flow == "path" and self.background_load_share > 0:
            raise ValueError(
                "`background_load_share` requires flow linear or ac; flow path has trades only"
            )
        has_rules = self.trade_limit != "none" or self.operator != OperatorConfig()
        if self.flow == "copper_plate" and has_rules:
            raise ValueError("flow copper_plate has no lines for `trade_limit` or `operator`")
        return self
