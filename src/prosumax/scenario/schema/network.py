"""What a person writes about the wires between the homes and about who runs them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.scenario.schema.base import Fraction, StrictModel, NonNegative, PositiveFraction

GENERATED_NETWORKS = ("line", "ring", "star", "tree", "mesh")
"""Networks that are drawn from the scenario's seed."""


class OperatorConfig(StrictModel):
    """The network operator (DSO): what it charges for trades between neighbours and what it does about overloads.

    The six fee terms are those of equation 4 of the MARLEM paper, each a share of the value of a trade.
    """

    fees: bool = False
    """Whether the parties of a trade pay the fees; half each."""
    congestion: NonNegative = 0.5
    """f_cong: share of the value per unit of congestion over the threshold (4a)."""
    usage: NonNegative = 1.0
    """How much of the value of what a trade loses on its way is charged (F_trans; the paper gives no equation)."""
    imbalance: NonNegative = 0.15
    """f_imb: share of the value of a trade with the grid side, times its share of the community's imbalance (4b)."""
    voltage: NonNegative = 0.15
    """f_volt: voltage drop per km (4f)."""
    zone: NonNegative = 0.15
    """f_zone: bonus on trades inside a zone (4e)."""
    cross_zone: NonNegative = 0.0
    """Charge on trades between zones; the paper's "cross-zone penalty", which its default leaves at zero."""
    congestion_threshold: Fraction = 0.8
    voltage_threshold: Fraction = 0.05
    """The highest voltage-drop share that is charged (4c)."""
    thermal_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Congestion from which the thermal charge begins, and its highest share of the value (4d, 4g)."""
    intervention: Literal["none", "penalise", "curtail"] = "none"
    """When lines are loaded over `congestion_threshold`: charge more, or cut exports until they are not."""
    curtail_by: Literal["pro_rata", "price"] = "pro_rata"
    """Whose export is cut: everybody's who causes it, by the same share, or the dearest offers first."""
    penalty: Annotated[float, Field(ge=1)] = 1.5
    """Multiplies the congestion charge in a step with intervention."""
    surcharge: Fraction = 0.2
    """Further share of the value of a trade over the threshold in a step with intervention."""
    inspection_probability: Fraction = 1.0
    """Probability that the operator looks at a step."""
    adaptive: bool = False
    """Frequency and threshold follow how often lines were overloaded lately."""

    @model_validator(mode="after")
    def _penalises_by_fees(self) -> "OperatorConfig":
        if self.intervention == "penalize" and not self.fees:
            raise ValueError("intervention penalise raises the fees; it needs `fees: true`")
        return self


class NetworkConfig(StrictModel):
    """The wires between the homes; without a `kind` there are none (copper plate)."""

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
    """Where the network comes from; docs/networks.md describes each."""
    flow: Literal["copper_plate", "path", "linear", "ac"] = "ac"
    """How flows are computed: not at all, along the shortest path of each trade, LinDistFlow, or AC power flow."""
    file: Path | None = None
    """Of kind `pandapower` (JSON) or `edges` (CSV), relative to the scenario file."""
    simbench_code: str = "1-LV-rural1--0-no_sw"
    """Of kind `simbench`."""
    num_buses: Annotated[int, Field(ge=2, le=20_000)] | None = None
    """Of a generated network, source included; one per home and one for the source when absent."""
    mean_line_km: Annotated[float, Field(gt=0)] = 0.04
    """Mean length of a generated line."""
    placement: dict[str, str] | Literal["one_per_load", "random"] = "one_per_load"
    """Bus of each home by name, or how homes are put on the buses that have a load."""
    capacity_kw: Annotated[float, Field(gt=0)] | None = None
    """Of the whole network, shared out over its lines by inverse length (MARLEM); their own ratings when absent."""
    power_factor: PositiveFraction = 0.95
    """Of what homes use; what panels and batteries give has none to speak of."""
    background_load_share: NonNegative = 0.0
    """Share of the network's own nominal loads that are drawn beside the homes, at all times."""
    loss_per_km: NonNegative = 0.03
    """Share of a trade that is lost on a km under flow `path` (MARLEM's loss factor)."""
    trade_limit: Literal["none", "pro_rata", "price"] = "none"
    """Scale trades between neighbours back to what the lines can carry; what is cut goes to the grid stage."""
    operator: OperatorConfig = OperatorConfig()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "NetworkConfig":
        changed = [
            name
            for name, field in type(self).model_fields.items()
            if getattr(self, name) != field.default
        ]
        if self.kind is None and changed:
            raise ValueError(
                f"`{changed[0]}` says something about a network, but there is none; set network.kind"
            )
        if self.kind in ("pandapower", "edges") and self.file is None:
            raise ValueError(f"kind {self.kind} needs `file`")
        if self.kind not in ("pandapower", "edges") and self.file is not None:
            raise ValueError(f"`file` belongs to kind pandapower or edges, not {self.kind}")
        if self.num_buses is not None and self.kind not in GENERATED_NETWORKS:
            raise ValueError(
                f"`buses` belongs to a generated network ({', '.join(GENERATED_NETWORKS)}), not {self.kind}"
            )
        if self.flow == "path" and self.background_load_share > 0:
            raise ValueError(
                "`background` needs flow linear or ac: on paths there is nothing but trades"
            )
        if self.flow == "copper_plate" and (
            self.trade_limit != "none" or self.operator != OperatorConfig()
        ):
            raise ValueError(
                "flow copper_plate has no lines that an operator could charge for or limit"
            )
        return self
