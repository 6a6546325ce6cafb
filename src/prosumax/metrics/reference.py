"""Reference page of the KPIs, generated from the catalog.

`python -m prosumax.metrics.reference docs/reference/kpis.md` writes the page.
"""

import sys
from pathlib import Path

from prosumax.metrics import catalog

_INTRODUCTION = """\
# KPI reference

<!-- Generated from src/prosumax/metrics/catalog.py and the devices by `make reference`: edit these. -->

Every key performance indicator (KPI) of prosumax. Tables of the command line, reports, studies,
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
    for section in catalog.sections():
        rows = [_row(catalog.get(key)) for key in section.keys]
        header = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
        table = "\n".join([*header, *map(_line, rows)])
        parts.append(f"## {section.title}\n\n{section.introduction}\n\n{table}\n")
    return "\n".join(parts)


def _row(kpi: catalog.KPI) -> list[str]:
    notes = "; ".join(part for part in (kpi.notes, kpi.reference) if part)
    unit = kpi.unit.replace("{currency}", "currency")
    return [f"`{kpi.key}`", kpi.label, unit, kpi.better or "", kpi.definition, notes]


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main(arguments: list[str]) -> None:
    """Write the reference page to the file named by the first argument."""
    Path(arguments[0]).write_text(reference_page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
