"""Sweeps: runs the trials of a grid and keeps each as a file of its own.

A sweep is a folder with a file for every finished trial. The name of a trial depends on its
content, so running a sweep again, or a larger one in the same folder, only runs missing trials.
"""

import json
import math
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from prosumax.errors import InputError
from prosumax.files import write_text
from prosumax.optimization.program import ProgressCallback
from prosumax.rl.training.training import train
from prosumax.runner import run
from prosumax.simulation.results.store import result_to_json
from prosumax.sweeps.grid import SweepPlan, TrainingJob, Trial, TrialJob


def run_trial(job: TrialJob, data_dir: str | None = None) -> dict[str, object]:
    """Run one trial; errors are returned, not raised, since not every exception can be pickled.

    Args:
        job: Job of a `Trial`.
        data_dir: Folder with data sets on the machine of the worker.

    Returns:
        Content of `kpis.json` of `prosumax run`; of training `kpis` of the test episodes, and the
        test metrics of all controllers under `test_metrics`; or `error` in one line and its
        `traceback`.
    """
    try:
        if "train" in job:
            return _train_trial(job["scenario"], job["train"], data_dir)
        result = run(job["scenario"], optimum=job["optimum"], data_dir=data_dir)
        return result_to_json(result)
    except InputError as error:
        return {"error": str(error), "traceback": ""}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}


def _train_trial(
    scenario: Mapping[str, object], job: TrainingJob, data_dir: str | None
) -> dict[str, object]:
    result = train(scenario, data_dir=data_dir, **job)
    test_metrics = {
        controller: {
            name: float(values[0]) for name, values in metrics.items() if math.isfinite(values[0])
        }
        for controller, metrics in result.test_metrics.items()
    }
    timing = {"train_s": result.seconds, "iterations": result.iteration}
    return {"kpis": test_metrics["learned"], "test_metrics": test_metrics, "timing": timing}


class TrialOutcome(NamedTuple):
    """Outcome of an attempt at a trial.

    Attributes:
        trial: Trial that was run.
        result: Result of `run_trial`; None where its worker died and the trial is repeated.
        attempts: Number of attempts so far.
    """

    trial: Trial
    result: Mapping[str, object] | None
    attempts: int


TrialRunner = Callable[[Sequence[Trial]], Iterable[TrialOutcome]]
"""Runs trials in any order and yields the outcome of each as it ends."""


class SweepResult(NamedTuple):
    """State of a sweep.

    Attributes:
        plan: Planned trials.
        folder: Folder of the sweep.
        num_finished: Number of trials in the folder.
        num_existing: Number of these that were there before.
        failed: Name of a trial -> error.
        num_lost_workers: Number of workers that died and cost their trial another attempt.
        interrupted: True where the user stopped the sweep.
    """

    plan: SweepPlan
    folder: Path
    num_finished: int
    num_existing: int
    failed: Mapping[str, str]
    num_lost_workers: int
    interrupted: bool


def _ignore_progress(stage: str, done: float) -> None:
    """Discard progress reports."""


def run_sweep(
    plan: SweepPlan,
    folder: Path,
    run_trials: TrialRunner,
    on_progress: ProgressCallback = _ignore_progress,
    clock: Callable[[], float] = time.perf_counter,
) -> SweepResult:
    """Run the missing trials of a sweep and keep each as it ends.

    Args:
        plan: Planned trials.
        folder: Folder of this sweep, or a new or empty one.
        run_trials: Runner of the trials, such as that of `make_ray_runner`.
        on_progress: Called with a line and the completed share whenever a trial ends.
        clock: Seconds, for the rate in the progress lines.

    Raises:
        InputError: The folder holds something else.
    """
    trials_dir = _open_folder(plan, folder)
    missing = [trial for trial in plan.trials if not (trials_dir / trial.name).is_file()]
    total = len(plan.trials)
    num_existing = total - len(missing)
    num_finished = num_existing
    num_lost_workers = 0
    failed: dict[str, str] = {}
    interrupted = False
    start = clock()
    stage = f"{num_existing} of {total} trials exist" if num_existing else f"{total} trials"
    on_progress(stage, 0.0)
    try:
        for outcome in run_trials(missing) if missing else ():
            error_file = folder / "failed" / Path(outcome.trial.name).with_suffix(".txt")
            if outcome.result is None:
                num_lost_workers += 1
            elif "error" in outcome.result:
                failed[outcome.trial.name] = str(outcome.result["error"])
                write_text(error_file, _error_text(outcome.result))
            else:
                record = json.dumps(_make_record(plan, outcome))
                write_text(trials_dir / outcome.trial.name, record)
                error_file.unlink(missing_ok=True)
                num_finished += 1
            num_ended = num_finished - num_existing + len(failed)
            rate = 60 * num_ended / max(clock() - start, 1e-9)
            stage = f"{num_finished} of {total} trials, {rate:.1f} per minute"
            if failed:
                stage += f", {len(failed)} failed"
            if num_lost_workers:
                stage += f", {num_lost_workers} restarted"
            on_progress(stage, num_ended / len(missing))
    except KeyboardInterrupt:
        interrupted = True
    return SweepResult(
        plan, folder, num_finished, num_existing, failed, num_lost_workers, interrupted
    )


def load_records(plan: SweepPlan, folder: Path) -> dict[str, dict[str, object]]:
    """Load every finished trial of a sweep by name.

    Args:
        plan: Planned trials.
        folder: Folder of the sweep.

    Raises:
        InputError: A file is damaged.
    """
    records = {}
    for trial in plan.trials:
        path = folder / "trials" / trial.name
        if not path.is_file():
            continue
        try:
            records[trial.name] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            cure = "Delete it and run the sweep again."
            raise InputError(str(path), "the file is damaged", cure) from error
    return records


def _open_folder(plan: SweepPlan, folder: Path) -> Path:
    """Create or reopen the folder of a sweep; return the folder of its trials."""
    where = f"--out {folder}"
    if folder.exists() and not folder.is_dir():
        raise InputError(where, "the path is a file", "Name a folder.")
    description = folder / "sweep.json"
    if folder.is_dir() and not description.is_file() and any(folder.iterdir()):
        what = "the folder holds files, but no sweep"
        raise InputError(where, what, "It was not changed; name a new folder.")
    content = asdict(plan.grid) | {
        "trials": len(plan.trials),
        "prosumax": metadata.version("prosumax"),
    }
    trials_dir = folder / "trials"
    try:
        trials_dir.mkdir(parents=True, exist_ok=True)
        write_text(description, json.dumps(content, indent=1))
    except OSError as error:
        what = f"the folder cannot be written ({error.strerror})"
        raise InputError(where, what, "Name a folder that you may write to.") from error
    return trials_dir


def _make_record(plan: SweepPlan, outcome: TrialOutcome) -> dict[str, object]:
    """Return the content of the file of a finished trial."""
    axes = plan.cells[outcome.trial.cell].axes
    return {
        "axes": dict(axes),
        "seed": outcome.trial.seed,
        "attempts": outcome.attempts,
        **(outcome.result or {}),
    }


def _error_text(result: Mapping[str, object]) -> str:
    return f"{result['error']}\n\n{result.get('traceback', '')}".strip() + "\n"
