"""Trials on Ray: on this machine or on a cluster; a worker that dies costs its trial another attempt, nothing else."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import prosumax
from prosumax.errors import InputError
from prosumax.experiments.sweep import Doing, Outcome, Trial, do

ATTEMPTS = 3
"""How often a trial is begun before it counts as failed: what kills three workers will kill the fourth."""

_OBJECT_STORE = 128 * 2**20  # trials are small; Ray would otherwise set aside a third of the memory


def on_ray(*, workers: int | None = None, address: str | None = None, data_dir: str | Path | None = None) -> Doing:
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


def load_ray() -> Any:
    """Ray itself.

    Raises:
        InputError: it is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError("sweep", "Ray is not installed", "Run: pip install 'prosumax[ray]'") from error
    return ray


def connect(workers: int | None, address: str | None) -> Any:
    """Start Ray here, or join a cluster; the caller shuts it down.

    Raises:
        InputError: there is no cluster at the address.
    """
    ray = load_ray()
    settings: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    # A trial has one core; without a word each would start a thread per core.
    variables = {"NPROC": "1"}
    if address is None:
        settings |= {
            "address": "local",
            "num_cpus": workers or os.cpu_count(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE,
            "runtime_env": {"env_vars": variables},
        }
    else:
        # The cluster's machines need what prosumax needs; prosumax itself goes along, so that all run this version.
        package = str(Path(prosumax.__file__).parent)
        settings |= {"address": address, "runtime_env": {"env_vars": variables, "py_modules": [package]}}
    try:
        with warnings.catch_warnings():
            # Its processes are started by fork and exec at once, which JAX's threads do not mind.
            warnings.filterwarnings("ignore", message="os.fork", category=RuntimeWarning)
            ray.init(**settings)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is None:
            raise
        line = str(error).strip().splitlines()[0]
        what = f"no Ray cluster answers ({line})"
        raise InputError(f"--address {address}", what, "Check it with `ray status`.") from error
    return ray


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


def _all(ray: Any, trials: Iterable[Trial], submit: Callable[[Any], Any], most: int) -> Iterator[Outcome]:
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
                yield Outcome(trial, {"error": str(error).strip().splitlines()[-1], "traceback": str(error)}, attempt)
            except ray.exceptions.RayError as error:  # the worker, its machine, or its memory
                what = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                if attempt < ATTEMPTS:
                    waiting.append((trial, attempt + 1))
                    yield Outcome(trial, None, attempt)
                else:
                    reason = f"its worker died {attempt} times ({what})"
                    yield Outcome(trial, {"error": reason, "traceback": str(error)}, attempt)
