"""Results of a study on disk."""

import json
from pathlib import Path

from prosumax.simulation.results.store import ExtraFiles, whole_folder
from prosumax.studies.engine import StudyResult
from prosumax.studies.tables import estimates_to_csv, study_to_json, tables_to_markdown


def save_study(result: StudyResult, folder: Path, extras: ExtraFiles | None = None) -> Path:
    """Write the tables of a study; the folder appears whole or not at all.

    The files are `study.json` (single seeds included), `table.csv` (a row per variant and metric),
    `table.md` and the extras.

    Args:
        result: Result of `run_study`.
        folder: New, empty, or an earlier result, which is replaced.
        extras: Further files by name, each with the function that writes it.

    Raises:
        InputError: The folder holds something else.
    """
    with whole_folder(folder, "study") as fresh:
        content = json.dumps(study_to_json(result), indent=1)
        (fresh / "study.json").write_text(content, encoding="utf-8")
        (fresh / "table.csv").write_text(estimates_to_csv(result), encoding="utf-8")
        (fresh / "table.md").write_text(tables_to_markdown(result), encoding="utf-8")
        for name, write in (extras or {}).items():
            write(fresh / name)
    return folder
