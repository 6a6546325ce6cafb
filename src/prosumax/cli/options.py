"""Arguments and options shared by several commands."""

from pathlib import Path
from typing import Annotated

import typer

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="NAME|PATH", help="Preset, YAML file, or CityLearn folder.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=VALUE", help="Override a scenario field; repeatable."),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, help="Seed; default: that of the scenario.")
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder with data sets, searched before the cache."),
]
OptimumOption = Annotated[
    bool | None,
    typer.Option(
        "--optimum/--no-optimum",
        help="Compute the optimum as reference; default: only if it takes seconds.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="Result folder; default: results/NAME, or NAME-2, .."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object; write files only with --out.")
]

RESULTS_FOLDER = Path("results")
"""Folder of results that are written without `--out`."""


def split_names(text: str) -> tuple[str, ...]:
    """Split a comma-separated list into unique names.

    Args:
        text: Value of an option such as `--mechanisms`.
    """
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
