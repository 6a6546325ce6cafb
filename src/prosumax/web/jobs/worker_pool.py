"""Queues of jobs, each with one spawned worker process and the thread that communicates with it."""

import logging
import multiprocessing
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING, Literal, cast

from prosumax.web.jobs.worker import JobSpec, run_worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_LOG = logging.getLogger("prosumax.web")
_SPAWN = multiprocessing.get_context("spawn")  # A process that runs JAX must not be forked.
_CANCEL_GRACE_S = 0.4  # Time for a cancelled job to end before its process is killed.
_POLL_S = 0.05
_STARTUP_TIMEOUT_S = 180.0
_MIN_PROGRESS_STEP = 1e-4

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
FINISHED_STATES: tuple[JobState, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class QueueConfig:
    """Settings of one queue and its worker process.

    Attributes:
        name: Name of the queue.
        capacity: Largest number of waiting jobs.
        timeout_s: Running time after which a job is ended, seconds.
        nice: Increment of the niceness of the process.
        env: Environment variables of the process.
    """

    name: str
    capacity: int = 8
    timeout_s: float = 120.0
    nice: int = 0
    env: Mapping[str, str] = field(default_factory=lambda: {"JAX_PLATFORMS": "cpu"})


@dataclass
class Job:
    """A job and its outcome.

    The attributes not listed here are those of `queue.JobStatus`, the copy given to visitors.

    Attributes:
        kind: Kind of the job.
        spec: Specification, plain data.
        cache_key: Key of the cached result; None for private jobs.
        owner: Session of the visitor.
        address: Network address of the visitor; None for this machine.
        private: Whether the job uses data that only its owner may see.
        cancel_requested: Whether the job is to be cancelled.
        started_at: Monotonic time of the start, seconds; 0 before.
        ended_at: Monotonic time of the end, seconds; 0 before.
    """

    id: str
    kind: str
    spec: JobSpec
    cache_key: str | None
    owner: str
    address: str | None
    private: bool
    state: JobState = "waiting"
    progress: float = 0.0
    stage: str = "waiting"
    remaining_s: float | None = None
    details: dict[str, object] = field(default_factory=dict)
    result: object = None
    error: str | None = None
    input_error: tuple[str, str, str] | None = None
    code: str | None = None
    cancel_requested: bool = False
    started_at: float = 0.0
    ended_at: float = 0.0

    @property
    def finished(self) -> bool:
        """True once the job has ended."""
        return self.state in FINISHED_STATES


class QueueWorker:
    """A queue, its worker process, and the thread that communicates with the process.

    Args:
        config: Settings of the queue.
        task: `module:function` that executes a job; see `worker.Task`.
        lock: Lock of jobs and queues; notified when there is something to do.
        on_done: Called under the lock with each job that is done.
    """

    def __init__(
        self,
        config: QueueConfig,
        task: str,
        lock: threading.Condition,
        on_done: Callable[[Job], None],
    ) -> None:
        self.config = config
        self.waiting: list[Job] = []
        self.running: Job | None = None
        self.closing = False
        self.ready = False
        self.thread = threading.Thread(target=self._loop, name=f"jobs-{config.name}", daemon=True)
        self._task = task
        self._lock = lock
        self._on_done = on_done
        self._worker: BaseProcess | None = None
        # Both are set together with the worker.
        self._pipe: Connection[object, tuple[object, ...]]
        self._cancel: Event

    @property
    def pid(self) -> int | None:
        """Process id of the worker."""
        return None if self._worker is None else self._worker.pid

    def finish(self, job: Job, state: JobState, **changes: object) -> None:
        """Mark a job as finished; must be called under the lock.

        Args:
            job: Job that ended.
            state: Final state.
            **changes: Other attributes of the job to set.
        """
        job.state = state
        job.ended_at = time.monotonic()
        for name, value in changes.items():
            setattr(job, name, value)
        if state == "done":
            job.progress = 1.0
            self._on_done(job)

    def _loop(self) -> None:
        self._spawn_worker()
        while not self.closing:
            if not self._is_alive():
                self._spawn_worker()
            if not self.ready:
                self._check_ready()
            job = self._next_job()
            if job is None:
                continue
            try:
                self._run_job(job)
            except Exception:
                _LOG.exception("job %s", job.id)
                self._kill_worker()
                with self._lock:
                    self.finish(job, "failed", error="exception", code=_new_error_code())
            finally:
                with self._lock:
                    self.running = None
        self._kill_worker()

    def _is_alive(self) -> bool:
        return self._worker is not None and self._worker.is_alive()

    def _spawn_worker(self) -> None:
        self._kill_worker()
        self._pipe, worker_end = _SPAWN.Pipe()
        self._cancel = _SPAWN.Event()
        config = self.config
        self._worker = _SPAWN.Process(
            target=run_worker,
            args=(
                worker_end, self._cancel, self._task, config.name, config.nice, dict(config.env)
            ),
            name=f"prosumax-{config.name}",
            daemon=True,
        )  # fmt: skip
        self._worker.start()
        worker_end.close()  # Otherwise the end of the process would not close the pipe.
        self._spawned_at = time.monotonic()

    def _kill_worker(self) -> None:
        self.ready = False
        if self._worker is not None:
            self._worker.kill()
            self._worker.join(5)
            self._pipe.close()
            self._worker = None

    def _check_ready(self) -> None:
        """Receive the message that the process is ready, if it was sent."""
        if self._pipe.poll(0):
            try:
                self.ready = self._pipe.recv()[0] == "ready"
            except (EOFError, OSError):
                time.sleep(1)  # Limits the rate at which a process that cannot start is respawned.
        elif time.monotonic() - self._spawned_at > _STARTUP_TIMEOUT_S:
            _LOG.error("the worker of queue %s does not start", self.config.name)
            self._spawn_worker()

    def _next_job(self) -> Job | None:
        """Return the next job once the worker is ready, or None after a short wait."""
        with self._lock:
            if not self.waiting or not self.ready:
                self._lock.wait(_POLL_S)
            if not self.waiting or not self.ready or self.closing:
                return None
            job = self.waiting.pop(0)
            job.state = "running"
            job.stage = "starting"
            job.started_at = time.monotonic()
            self.running = job
            return job

    def _run_job(self, job: Job) -> None:
        self._cancel.clear()
        try:
            self._pipe.send((job.kind, job.spec))
        except (BrokenPipeError, OSError):
            self._handle_worker_death(job)
            return
        cancelled_at: float | None = None
        while True:
            now = time.monotonic()
            if job.cancel_requested and cancelled_at is None:
                cancelled_at = now
                self._cancel.set()
            timed_out = now - job.started_at > self.config.timeout_s
            grace_over = cancelled_at is not None and now - cancelled_at > _CANCEL_GRACE_S
            if self.closing or timed_out or grace_over:
                self._spawn_worker()
                with self._lock:
                    if timed_out and not job.cancel_requested:
                        self.finish(job, "failed", error="timeout", code=_new_error_code())
                    else:
                        self.finish(job, "cancelled")
                return
            assert self._worker is not None, "a job runs in a worker"
            connection.wait([self._pipe, self._worker.sentinel], _POLL_S)
            try:
                while self._pipe.poll(0):
                    if self._handle_message(job, self._pipe.recv()):
                        return
            except (EOFError, OSError):
                self._handle_worker_death(job)
                return
            if not self._is_alive():
                self._handle_worker_death(job)
                return

    def _handle_message(self, job: Job, message: tuple[object, ...]) -> bool:
        """Process a message of the worker and return whether the job has ended."""
        kind, *content = message
        with self._lock:
            match kind:
                case "progress":
                    if not job.cancel_requested:
                        values = cast(tuple[float, str, float | None, dict[str, object]], content)
                        self._update_progress(job, *values)
                    return False
                case "done" if not job.cancel_requested:
                    self.finish(job, "done", result=content[0])
                case "done" | "cancelled":
                    self.finish(job, "cancelled")
                case "invalid_input":
                    self.finish(job, "failed", error="invalid_input", input_error=tuple(content))
                case _:
                    code = _new_error_code()
                    _LOG.error(
                        "job %s (%s) failed, code %s\n%s", job.id, job.kind, code, content[0]
                    )
                    self.finish(job, "failed", error="exception", code=code)
        return True

    @staticmethod
    def _update_progress(
        job: Job,
        progress: float,
        stage: str,
        remaining_s: float | None,
        details: dict[str, object],
    ) -> None:
        # The displayed progress rises with every report and stays below 1 until the job is done.
        risen = max(float(progress), job.progress + _MIN_PROGRESS_STEP)
        job.progress = min(risen, 1 - _MIN_PROGRESS_STEP)
        job.stage = stage
        job.remaining_s = remaining_s
        job.details = details

    def _handle_worker_death(self, job: Job) -> None:
        """Restart the worker after it died while it executed a job."""
        code = _new_error_code()
        _LOG.error(
            "the worker of queue %s died during job %s (%s), code %s",
            self.config.name,
            job.id,
            job.kind,
            code,
        )
        self._spawn_worker()
        with self._lock:
            if job.cancel_requested:
                self.finish(job, "cancelled")
            else:
                self.finish(job, "failed", error="worker_died", code=code)


def _new_error_code() -> str:
    """Return a short random code that identifies a failure in the log."""
    return secrets.token_hex(2).upper()
