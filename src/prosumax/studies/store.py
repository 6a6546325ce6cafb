"""Study results on disk."""

import json
from pathlib import Path

from prosumax.simulation.results.store import Extras, whole_folder
from prosumax.studies.engine import StudyResult
from prosumax.studies.tables import csv_text, markdown, study_to_json


def save_study(result: StudyResult, folder: Path, extras: Extras | None = None) -> Path:
    """Write `study.json` (single seeds included), `table.csv` (a row per variant and figure), `table.md`, extras."""
    with whole_folder(folder, "study") as fresh:
        (fresh / "study.json").write_text(
            json.dumps(study_to_json(result), indent=1), encoding="utf-8"
        )
        (fresh / "table.csv").write_text(csv_text(result), encoding="utf-8")
        (fresh / "table.md").write_text(markdown(result), encoding="utf-8")
        for name, write in (extras or {}).items():
            write(fresh / name)
    return folder
