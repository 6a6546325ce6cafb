"""Bounded queues in front of worker processes, and the status of each job.

Each queue has one worker process. Short runs and training use different queues, so that a visitor
who requests a bill does not wait for a training of another visitor. This module is independent of
the web framework: pages poll `JobQueue.status`.
"""

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from prosumax.web.jobs.worker import JobSpec
from prosumax.web.jobs.worker_pool import (
    FINISHED_STATES,
    Job,
    JobState,
    QueueConfig,
    QueueWorker,
)


class JobRejectedError(Exception):
    """Raised when a job is not accepted.

    Args:
        reason: `queue_full`; `owner_limit` (the visitor has too many jobs); or `address_limit`
            (there are too many jobs from one address).
    """

    def __init__(self, reason: Literal["queue_full", "owner_limit", "address_limit"]) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class JobStatus:
    """Status of a job.

    Attributes:
        id: Identifier of the job.
        state: Waiting, running, done, failed or cancelled.
        jobs_ahead: Number of jobs that are executed before this one.
        progress: Completed share of the work, 0 to 1; never decreases.
        stage: Key of the text that names the current stage.
        remaining_s: Estimated remaining time, seconds; None while it is unknown.
        details: Values for the text of the stage, and data to plot while the job runs.
        result: Result of the job.
        error: Cause of a failure: `invalid_input`, `exception`, `worker_died` or `timeout`.
        input_error: Place, cause and cure of an invalid input.
        code: Code that identifies the failure in the server's log.
        elapsed_s: Running time, seconds.
    """

    id: str
    state: JobState
    jobs_ahead: int = 0
    progress: float = 0.0
    stage: str = "waiting"
    remaining_s: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    result: object = None
    error: str | None = None
    input_error: tuple[str, str, str] | None = None
    code: str | None = None
    elapsed_s: float = 0.0

    @property
    def finished(self) -> bool:
        """True once the job has ended."""
        return self.state in FINISHED_STATES


def fingerprint(kind: str, spec: JobSpec) -> str:
    """Return a hash of a job's specification that does not depend on the order of its fields.

    Args:
        kind: Kind of the job.
        spec: Specification, plain data.
    """
    return hashlib.sha256(json.dumps([kind, spec], sort_keys=True).encode()).hexdigest()


class JobQueue:
    """All queues, the recent jobs, and a cache of their results.

    Args:
        task: `module:function` that executes a job; it is imported only in the worker processes
            (see `worker.Task`).
        configs: Settings of each queue.
        max_per_owner: Largest number of jobs of a visitor in one queue.
        max_per_address: Largest number of jobs of a network address in one queue; jobs without an
            address (of visitors on this machine) are not counted.
        cache_size: Number of cached results.
    """

    def __init__(
        self,
        task: str,
        configs: tuple[QueueConfig, ...],
        max_per_owner: int = 1,
        max_per_address: int = 3,
        cache_size: int = 128,
    ) -> None:
        self._max_per_owner = max_per_owner
        self._max_per_address = max_per_address
        self._cache_size = cache_size
        self._lock = threading.Condition()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._results: OrderedDict[str, object] = OrderedDict()
        self._workers: dict[str, QueueWorker] = {
            config.name: QueueWorker(config, task, self._lock, self._cache_result)
            for config in configs
        }

    def start(self) -> None:
        """Start the worker processes without waiting for them."""
        for worker in self._workers.values():
            worker.thread.start()

    def close(self) -> None:
        """Stop the worker processes."""
        with self._lock:
            for worker in self._workers.values():
                worker.closing = True
            self._lock.notify_all()
        for worker in self._workers.values():
            worker.thread.join(5)

    def is_ready(self, queue: str) -> bool:
        """Return whether the worker of a queue has finished its warm-up."""
        return self._workers[queue].ready

    def is_idle(self, queue: str) -> bool:
        """Return whether a queue has neither running nor waiting jobs."""
        worker = self._workers[queue]
        return worker.running is None and not worker.waiting

    def worker_pid(self, queue: str) -> int | None:
        """Return the process id of a queue's worker."""
        return self._workers[queue].pid

    def submit(
        self,
        queue: str,
        kind: str,
        spec: JobSpec,
        *,
        owner: str,
        address: str | None = None,
        private: bool = False,
    ) -> str:
        """Submit a job.

        Args:
            queue: Name of the queue.
            kind: Kind of the job.
            spec: Specification of the job, plain data.
            owner: Session of the visitor.
            address: Network address of the visitor; None for this machine.
            private: Whether the job uses data that only the owner may see; its result is not
                cached.

        Returns:
            The job's id. A job whose result is cached is done immediately.

        Raises:
            JobRejectedError: The queue is full, or the visitor or the address has too many jobs.
        """
        key = None if private else fingerprint(kind, spec)
        job = Job(secrets.token_urlsafe(9), kind, spec, key, owner, address, private)
        worker = self._workers[queue]
        with self._lock:
            if key is not None and key in self._results:
                self._results.move_to_end(key)
                job.state = "done"
                job.progress = 1.0
                job.result = self._results[key]
                self._remember(job)
                return job.id
            self._check_limits(worker, owner, address)
            self._remember(job)
            worker.waiting.append(job)
            self._lock.notify_all()
        return job.id

    def _check_limits(self, worker: QueueWorker, owner: str, address: str | None) -> None:
        active = [*worker.waiting, *([] if worker.running is None else [worker.running])]
        of_owner = sum(job.owner == owner and not job.cancel_requested for job in active)
        if of_owner >= self._max_per_owner:
            raise JobRejectedError("owner_limit")
        of_address = sum(job.address == address for job in active)
        if address is not None and of_address >= self._max_per_address:
            raise JobRejectedError("address_limit")
        if len(worker.waiting) >= worker.config.capacity:
            raise JobRejectedError("queue_full")

    def cached_result(self, kind: str, spec: JobSpec) -> object:
        """Return the cached result of a job with the same specification, or None.

        Args:
            kind: Kind of the job.
            spec: Specification of the job.
        """
        with self._lock:
            return self._results.get(fingerprint(kind, spec))

    def status(self, job_id: str, owner: str | None = None) -> JobStatus | None:
        """Return the status of a job.

        Args:
            job_id: Id of the job.
            owner: Session that asks.

        Returns:
            The status, or None if the job does not exist or is private to another session.
        """
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or (job.private and job.owner != owner):
                return None
            jobs_ahead = 0
            if job.state == "waiting":
                worker = next(w for w in self._workers.values() if job in w.waiting)
                jobs_ahead = worker.waiting.index(job) + (worker.running is not None)
            end = job.ended_at or time.monotonic()
            return JobStatus(
                id=job.id,
                state=job.state,
                jobs_ahead=jobs_ahead,
                progress=job.progress,
                stage=job.stage,
                remaining_s=job.remaining_s,
                details=dict(job.details),
                result=job.result,
                error=job.error,
                input_error=job.input_error,
                code=job.code,
                elapsed_s=end - job.started_at if job.started_at else 0.0,
            )

    def public_spec(self, job_id: str) -> tuple[str, JobSpec] | None:
        """Return kind and specification of a job, or None if it is private or does not exist."""
        with self._lock:
            job = self._jobs.get(job_id)
            return None if job is None or job.private else (job.kind, job.spec)

    def owner_of(self, job_id: str) -> str | None:
        """Return the session that owns a job, or None if the job does not exist."""
        with self._lock:
            job = self._jobs.get(job_id)
            return None if job is None else job.owner

    def reassign(self, job_id: str, owner: str) -> None:
        """Transfer a job to the new session of a visitor who left the page and came back.

        Args:
            job_id: Id of the job; private jobs are not transferred.
            owner: The new session.
        """
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None and not job.private:
                job.owner = owner

    def cancel(self, job_id: str, owner: str) -> None:
        """Cancel a job; jobs that have ended or belong to another session are left alone.

        Args:
            job_id: Id of the job.
            owner: Session that cancels it.
        """
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.owner != owner or job.finished:
                return
            job.cancel_requested = True
            for worker in self._workers.values():
                if job in worker.waiting:
                    worker.waiting.remove(job)
                    worker.finish(job, "cancelled")
            self._lock.notify_all()

    def forget_owner(self, owner: str) -> None:
        """Cancel the private jobs of a session and delete their results.

        Args:
            owner: The session.
        """
        with self._lock:
            private = [job.id for job in self._jobs.values() if job.owner == owner and job.private]
        for job_id in private:
            self.cancel(job_id, owner)
            with self._lock:
                if (job := self._jobs.get(job_id)) is not None:
                    job.result = None

    def _remember(self, job: Job) -> None:
        self._jobs[job.id] = job
        while len(self._jobs) > self._cache_size:
            oldest = next(iter(self._jobs.values()))
            if not oldest.finished:
                return
            del self._jobs[oldest.id]

    def _cache_result(self, job: Job) -> None:
        """Cache the result of a job; must be called under the lock."""
        if job.cache_key is not None:
            self._results[job.cache_key] = job.result
            while len(self._results) > self._cache_size:
                self._results.popitem(last=False)
