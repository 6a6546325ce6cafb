"""Connection to Ray: processes of this machine or of a cluster."""

import os
import warnings
from pathlib import Path
from typing import Any

from prosumax.errors import InputError

ATTEMPTS = 3
"""How often a trial is begun before it counts as failed: what kills three workers will kill the fourth."""


_OBJECT_STORE = 128 * 2**20  # trials are small; Ray would otherwise set aside a third of the memory


def load_ray() -> Any:
    """Ray itself.

    Raises:
        InputError: it is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError(
            "sweep", "Ray is not installed", "Run: pip install 'prosumax[ray]'"
        ) from error
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
        package = str(Path(__file__).parent)
        settings |= {
            "address": address,
            "runtime_env": {"env_vars": variables, "py_modules": [package]},
        }
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
