"""Runner of trials on Ray, on this machine or a cluster.

A trial is repeated when its worker process fails.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from prosumax.errors import InputError
from prosumax.ray_cluster import MAX_ATTEMPTS, connect_ray, import_ray
from prosumax.sweeps.grid import Trial, TrialJob
from prosumax.sweeps.sweep import TrialOutcome, TrialRunner, run_trial

if TYPE_CHECKING:
    from ray import ObjectRef

_MIN_QUEUED_TRIALS = 8


def make_ray_runner(
    *, workers: int | None = None, address: str | None = None, data_dir: str | Path | None = None
) -> TrialRunner:
    """Make a runner of trials in processes of this machine or of a Ray cluster.

    Args:
        workers: Trials at once, one core each; the number of cores when absent.
        address: Address of a running cluster (`host:port`, `ray://host:port` or `auto`); this
            machine when absent.
        data_dir: Folder with data sets on the machines of the workers.

    Raises:
        InputError: Ray is not installed, there are fewer than 1 worker, or there is no cluster at
            the address.
    """
    import_ray()
    if workers is not None and workers < 1:
        raise InputError("--workers", f"must be at least 1, got {workers}", "Use 1 or more.")
    folder = None if data_dir is None else str(data_dir)

    def run_trials(trials: Sequence[Trial]) -> Iterator[TrialOutcome]:
        ray = connect_ray(workers, address)
        try:
            remote = ray.remote(max_retries=0, num_cpus=1)(run_trial)
            # On a cluster enough trials are queued for every core to have its next one, and for an
            # autoscaler to react.
            num_cores = int(ray.cluster_resources().get("CPU", 1))
            max_running = workers or max(2 * num_cores, _MIN_QUEUED_TRIALS)
            yield from _run_all(ray, trials, lambda job: remote.remote(job, folder), max_running)
        finally:
            ray.shutdown()

    return run_trials


def _run_all(
    ray: ModuleType,
    trials: Iterable[Trial],
    submit: Callable[[TrialJob], "ObjectRef"],
    max_running: int,
) -> Iterator[TrialOutcome]:
    waiting = deque((trial, 1) for trial in trials)
    running: dict[ObjectRef, tuple[Trial, int]] = {}
    while waiting or running:
        while waiting and len(running) < max_running:
            trial, attempt = waiting.popleft()
            running[submit(trial.job)] = (trial, attempt)
        ended, _ = ray.wait(list(running), num_returns=1)
        for reference in ended:
            trial, attempt = running.pop(reference)
            try:
                yield TrialOutcome(trial, ray.get(reference), attempt)
            except ray.exceptions.RayTaskError as error:
                message = str(error).strip().splitlines()[-1]
                yield TrialOutcome(trial, {"error": message, "traceback": str(error)}, attempt)
            except ray.exceptions.RayError as error:  # The worker process or its machine failed.
                if attempt < MAX_ATTEMPTS:
                    waiting.append((trial, attempt + 1))
                    yield TrialOutcome(trial, None, attempt)
                else:
                    cause = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                    message = f"the worker process failed {attempt} times ({cause})"
                    yield TrialOutcome(trial, {"error": message, "traceback": str(error)}, attempt)
