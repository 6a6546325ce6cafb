"""Main loop of a worker process: receives jobs from a pipe, reports progress and returns results.

Importing this module loads neither JAX nor the web framework, so that a process starts quickly.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Protocol

from prosumax.errors import InputError


class JobCancelledError(Exception):
    """Raised inside a job whose cancellation was requested."""


class JobProgressCallback(Protocol):
    """Callback that reports the progress of a job."""

    def __call__(
        self, progress: float, stage: str, remaining_s: float | None = None, **details: object
    ) -> None:
        """Report the progress.

        Args:
            progress: Completed share of the work, 0 to 1.
            stage: Key of a text, such as `training`.
            remaining_s: Estimated remaining time, seconds.
            **details: Values for that text, and data to plot while the job runs.

        Raises:
            JobCancelledError: The job was cancelled.
        """


JobSpec = str | Mapping[str, object]
"""Specification of a job: a text, or settings as plain data."""

Task = Callable[[str, JobSpec, JobProgressCallback], object]
"""Function that executes a job: its kind, its specification (plain data) and a progress callback.

The result is plain data.
"""


def run_worker(
    pipe: "Connection[object, tuple[str, JobSpec]]",
    cancel: Event,
    task: str,
    queue: str,
    nice: int,
    env: Mapping[str, str],
) -> None:
    """Execute jobs until the other end of the pipe is closed.

    Args:
        pipe: Connection from which `(kind, spec)` is received and to which `(message, ...)` is
            sent.
        cancel: Event that is set to cancel the running job.
        task: `module:function` of type `Task`; it is called once with the kind `warm_up` and the
            name of the queue before the first job.
        queue: Name of the queue.
        nice: Increment of the niceness of this process.
        env: Environment variables of this process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which closes the pipe.
    os.environ.update(env)
    if hasattr(os, "nice"):
        os.nice(nice)

    send_lock = threading.Lock()

    def report(
        progress: float, stage: str, remaining_s: float | None = None, **details: object
    ) -> None:
        if cancel.is_set():
            raise JobCancelledError
        with send_lock:
            pipe.send(("progress", progress, stage, remaining_s, details))

    def ignore(
        progress: float, stage: str, remaining_s: float | None = None, **details: object
    ) -> None:
        """Discard the progress of the warm-up, which no visitor requested."""

    try:
        module, _, name = task.partition(":")
        function: Task = getattr(import_module(module), name)
        function("warm_up", queue, ignore)
        pipe.send(("ready",))
        while True:
            kind, spec = pipe.recv()
            pipe.send(_execute(function, kind, spec, report))
    except (EOFError, BrokenPipeError):
        sys.exit(0)


def _execute(
    function: Task, kind: str, spec: JobSpec, report: JobProgressCallback
) -> tuple[object, ...]:
    try:
        return "done", function(kind, spec, report)
    except JobCancelledError:
        return ("cancelled",)
    except InputError as error:
        return "invalid_input", error.where, error.problem, error.fix
    except Exception:
        return "exception", traceback.format_exc()
