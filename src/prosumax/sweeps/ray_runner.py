"""Trials on Ray: on this machine or on a cluster; a worker that dies costs its trial another attempt, nothing else."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from prosumax.errors import InputError
from prosumax.ray_cluster import ATTEMPTS, connect, load_ray
from prosumax.sweeps.sweep import Doing, Outcome, Trial, do


def on_ray(
    *, workers: int | None = None, address: str | None = None, data_dir: str | Path | None = None
) -> Doing:
    """Who does a sweep's trials: processes of this machine, or of a Ray cluster.

    Arguments:
        workers: trials at once, one core each; as many as there are cores when absent.
        address: of a running cluster (`host:port`, `ray://host:port` or `auto`); this machine when absent.
        data_dir: folder with data sets, on the machines that do the work.

    Raises:
        InputError: Ray is not installed, fewer than 1 worker, or there is no cluster at the address.
    """
    load_ray()
    if workers is not None and workers < 1:
        raise InputError("--workers", f"is {workers}", "It must be at least 1.")
    where = None if data_dir is None else str(data_dir)
    return lambda trials: _through(trials, where, workers, address)


def _through(
    trials: Sequence[Trial], data_dir: str | None, workers: int | None, address: str | None
) -> Iterator[Outcome]:
    ray = connect(workers, address)
    try:
        remote = ray.remote(max_retries=0, num_cpus=1)(do)
        # On a cluster enough wait in line for every core to have its next one, and for an autoscaler to see.
        most = workers or max(2 * int(ray.cluster_resources().get("CPU", 1)), 8)
        yield from _all(ray, trials, lambda job: remote.remote(job, data_dir), most)
    finally:
        ray.shutdown()


def _all(
    ray: Any, trials: Iterable[Trial], submit: Callable[[Any], Any], most: int
) -> Iterator[Outcome]:
    waiting = deque((trial, 1) for trial in trials)
    running: dict[Any, tuple[Trial, int]] = {}
    while waiting or running:
        while waiting and len(running) < most:
            trial, attempt = waiting.popleft()
            running[submit(dict(trial.job))] = (trial, attempt)
        ended, _ = ray.wait(list(running), num_returns=1)
        for reference in ended:
            trial, attempt = running.pop(reference)
            try:
                yield Outcome(trial, ray.get(reference), attempt)
            except ray.exceptions.RayTaskError as error:
                yield Outcome(
                    trial,
                    {"error": str(error).strip().splitlines()[-1], "traceback": str(error)},
                    attempt,
                )
            except ray.exceptions.RayError as error:  # the worker, its machine, or its memory
                what = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                if attempt < ATTEMPTS:
                    waiting.append((trial, attempt + 1))
                    yield Outcome(trial, None, attempt)
                else:
                    reason = f"its worker died {attempt} times ({what})"
                    yield Outcome(trial, {"error": reason, "traceback": str(error)}, attempt)
