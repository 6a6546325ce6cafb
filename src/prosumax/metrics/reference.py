"""Reference pages of the KPIs and of each kind of device, generated from their declarations.

`python -m prosumax.metrics.reference docs/reference/kpis.md docs/reference/devices` writes the page
of KPIs, and one page for each kind of device that ships.
"""

import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, cast

from prosumax.metrics import catalog
from prosumax.registry import Registry
from prosumax.scenario.reference import model_tables
from prosumax.scenario.schema.devices import DeviceKind, device_kinds

_INTRODUCTION = """\
# KPI reference

<!-- Generated from src/prosumax/metrics/catalog.py by `make reference`: edit the catalog. -->

Key performance indicators (KPIs) of prosumax; those of a kind of device are on
[its page](devices). Tables of the command line, reports, studies,
sweeps and the demo take their labels, units and decimals from the same catalog.

For every home `i` and step `t`: `n` is the net energy at its meter (positive imports),
`imp = max(n, 0)`, `exp = max(-n, 0)`, `l` the load, `g` the PV generation, `b` the retail price,
`c` the emission factor of grid electricity. In fairness formulas `n` is the number of homes.
"Locally" means traded within the community.

An undefined value (self-consumption without PV) is `null`, never 0. Values in % are stored as
fractions. Sums are taken in double precision; the simulation runs in single precision, which leaves
about 1e-7 relative.

From Python, `result.kpis` and `result.households` hold the values, and
`prosumax.metrics.catalog.get("self_consumption")` returns the entry of a KPI:

```python
import prosumax
from prosumax.metrics import catalog

result = prosumax.run("street", {"period.steps": 96})
catalog.get("self_consumption").text(result.kpis["self_consumption"])  # such as '62.1 %'
```
"""

_COLUMNS = ("KPI", "label", "unit", "better", "definition", "notes")


def reference_page() -> str:
    """Return the reference page of every KPI as Markdown."""
    parts = [_INTRODUCTION]
    for section in catalog.SECTIONS:
        table = _table(_COLUMNS, [_row(catalog.get(key)) for key in section.keys])
        parts.append(f"## {section.title}\n\n{section.introduction}\n\n{table}\n")
    return "\n".join(parts)


class _DocumentedDevice(DeviceKind, Protocol):
    """Part of a kind of device that its page needs; see `prosumax.devices.Device`."""

    kpis: ClassVar[Sequence[catalog.KPI]]

    @property
    def title(self) -> str:
        """Name for readers."""

    @property
    def observation_summaries(self) -> Mapping[str, str]:
        """Observation terms and their summaries."""


def device_page(kind: str) -> str:
    """Return the reference page of a kind of device as Markdown.

    Args:
        kind: Kind of device.
    """
    registry = cast("Registry[_DocumentedDevice]", device_kinds)
    device = registry.get(kind, "devices")
    path = f"shared_devices.{kind}" if device.shared else f"homes.*.{kind}"
    path += ".*" if device.max_per_home > 1 else ""
    module = inspect.getmodule(type(device))
    assert module is not None
    parts = [
        f"# {device.title[0].upper()}{device.title[1:]}\n",
        f"<!-- Generated from `{module.__name__}` by `make reference`: edit that file. -->\n",
        f"{inspect.getdoc(module)}\n",
        f"## Fields\n\nSection `{path}` of a scenario.\n\n{model_tables(device.config, path)}",
    ]
    if device.kpis:
        rows = [_row(kpi) for kpi in device.kpis]
        parts.append(f"## KPIs\n\n{_table(_COLUMNS, rows)}\n")
    if device.observation_summaries:
        rows = [[f"`{name}`", text] for name, text in device.observation_summaries.items()]
        parts.append(f"## Observations\n\n{_table(('term', 'meaning'), rows)}\n")
    return "\n".join(parts)


def device_pages() -> dict[str, str]:
    """Return the reference page of every kind of device that ships, by file name."""
    ships = [kind for kind in device_kinds if device_kinds.origin(kind) is None]
    return {f"{kind}.md": device_page(kind) for kind in ships}


def _row(kpi: catalog.KPI) -> list[str]:
    notes = "; ".join(part for part in (kpi.notes, kpi.reference) if part)
    unit = kpi.unit.replace("{currency}", "currency")
    return [f"`{kpi.key}`", kpi.label, unit, kpi.better or "", kpi.definition, notes]


def _table(columns: Sequence[str], rows: Sequence[list[str]]) -> str:
    header = [_line(list(columns)), _line(["---"] * len(columns))]
    return "\n".join([*header, *map(_line, rows)])


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main(arguments: list[str]) -> None:
    """Write the page of KPIs to the first argument and those of devices to the second."""
    page, folder = map(Path, arguments)
    page.write_text(reference_page(), encoding="utf-8")
    folder.mkdir(exist_ok=True)
    for name, text in device_pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
