"""Connection to Ray: processes of this machine or of a cluster."""

import os
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

from prosumax.errors import InputError

MAX_ATTEMPTS = 3
"""Attempts at a task before it counts as failed: a task that killed three workers is at fault."""

_OBJECT_STORE_BYTES = 128 * 2**20
"""Results are small; Ray would otherwise reserve a third of the memory."""


def import_ray() -> ModuleType:
    """Import Ray.

    Returns:
        The module.

    Raises:
        InputError: Ray is not installed.
    """
    try:
        ray = import_module("ray")
    except ModuleNotFoundError as error:
        cure = "Run: pip install 'prosumax[ray]'"
        raise InputError("ray", "Ray is not installed", cure) from error
    return ray


def connect_ray(workers: int | None, address: str | None) -> ModuleType:
    """Start Ray on this machine, or join a cluster; the caller shuts it down.

    Args:
        workers: Processes of this machine; the number of cores when absent.
        address: Address of a running cluster; this machine when absent.

    Returns:
        The module.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """
    ray = import_ray()
    settings: dict[str, object] = {"logging_level": "ERROR", "log_to_driver": False}
    # A task has one core; XLA would otherwise start a thread per core in each worker.
    variables = {"NPROC": "1"}
    if address is None:
        settings |= {
            "address": "local",
            "num_cpus": workers or os.cpu_count(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "runtime_env": {"env_vars": variables},
        }
    else:
        # The cluster's machines have the dependencies of prosumax; the package itself is uploaded,
        # so that all workers run this version.
        package = str(Path(__file__).parent)
        runtime = {"env_vars": variables, "py_modules": [package]}
        settings |= {"address": address, "runtime_env": runtime}
    try:
        with warnings.catch_warnings():
            # Ray starts its processes by fork and exec at once, which is safe with JAX's threads.
            warnings.filterwarnings("ignore", message="os.fork", category=RuntimeWarning)
            ray.init(**settings)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is None:
            raise
        line = str(error).strip().splitlines()[0]
        what = f"no Ray cluster answers ({line})"
        raise InputError(f"--address {address}", what, "Check it with `ray status`.") from error
    return ray
