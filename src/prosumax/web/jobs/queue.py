"""Work that takes longer than a blink: bounded queues in front of spawned processes, and what became of each job.

A lane is a queue and one process. Runs of a moment and training stand in different lanes, so that nobody waits for
somebody else's training to see a bill. Nothing here knows the web framework: pages ask `Jobs.see` whenever they like.
"""

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prosumax.web.jobs.worker_pool import Job, Lane, Line, State


class Refused(Exception):
    """A job is not taken.

    Arguments:
        reason: `full` (the queue), `own` (this visitor has one already) or `address` (too many from one address).
    """

    def __init__(self, reason: Literal["full", "own", "address"]) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Seen:
    """How a job stands.

    Attributes:
        id: by which it is found again.
        state: waiting, running, done, failed or stopped.
        ahead: how many jobs come before it.
        done: share of the work, 0 to 1; never falls.
        stage: key of a text.
        left_s: seconds left, about; None while nobody knows.
        more: numbers of that text, and what is to be drawn meanwhile.
        result: what the job answered.
        error: key of a text when it failed: `refused` (the input), `broke`, `died` or `late`.
        said: where, what and the cure, of an input that was refused.
        code: by which the server's log knows the failure.
        seconds: it has run.
    """

    id: str
    state: State
    ahead: int = 0
    done: float = 0.0
    stage: str = "waiting"
    left_s: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    error: str | None = None
    said: tuple[str, str, str] | None = None
    code: str | None = None
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "stopped")


def fingerprint(kind: str, spec: Any) -> str:
    """The same for the same question, whatever the order of its fields.

    Arguments:
        kind: of the job.
        spec: plain data.
    """
    return hashlib.sha256(json.dumps([kind, spec], sort_keys=True).encode()).hexdigest()


class Jobs:
    """All lanes, the jobs of the last hour, and answers that were given already.

    Arguments:
        perform: `module:function` that does a job, imported in the processes only (see `worker.Perform`).
        lanes: queues.
        per_owner: jobs that a visitor may have in a lane.
        per_address: the same for an address; None (a visitor on this machine) is not counted.
        kept: answers that are remembered.
    """

    def __init__(
        self,
        perform: str,
        lanes: tuple[Lane, ...],
        per_owner: int = 1,
        per_address: int = 3,
        kept: int = 128,
    ) -> None:
        self._per_owner, self._per_address, self._kept = per_owner, per_address, kept
        self._lock = threading.Condition()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._answers: OrderedDict[str, Any] = OrderedDict()
        self._lines: dict[str, Line] = {
            lane.name: Line(lane, perform, self._lock, self._answered) for lane in lanes
        }

    def start(self) -> None:
        """Start the processes; returns at once."""
        for line in self._lines.values():
            line.thread.start()

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            for line in self._lines.values():
                line.closing = True
            self._lock.notify_all()
        for line in self._lines.values():
            line.thread.join(5)

    def ready(self, lane: str) -> bool:
        """Whether a lane's process is warm."""
        return self._lines[lane].warm

    def idle(self, lane: str) -> bool:
        """Whether nobody waits in a lane."""
        line = self._lines[lane]
        return line.running is None and not line.waiting

    def process(self, lane: str) -> int | None:
        """Number of a lane's process."""
        return self._lines[lane].pid

    def submit(
        self,
        lane: str,
        kind: str,
        spec: Any,
        *,
        owner: str,
        address: str | None = None,
        private: bool = False,
    ) -> str:
        """Ask for a job.

        Arguments:
            lane: where it stands.
            kind, spec: what is to be done; plain data.
            owner: the visitor's session.
            address: the visitor's address; None where it is this machine's own.
            private: whether it rests on somebody's own data: only the owner sees it, and no answer is remembered.

        Returns:
            The job's id. Where the same was answered before, that job is done already.

        Raises:
            Refused: the queue is full, or the visitor or the address has enough.
        """
        key = None if private else fingerprint(kind, spec)
        job = Job(secrets.token_urlsafe(9), kind, spec, key, owner, address, private)
        line = self._lines[lane]
        with self._lock:
            if key is not None and key in self._answers:
                self._answers.move_to_end(key)
                job.state, job.done, job.result = "done", 1.0, self._answers[key]
                self._remember(job)
                return job.id
            active = [*line.waiting, *([] if line.running is None else [line.running])]
            if sum(other.owner == owner and not other.stop for other in active) >= self._per_owner:
                raise Refused("own")
            alike = sum(other.address == address for other in active)
            if address is not None and alike >= self._per_address:
                raise Refused("address")
            if len(line.waiting) >= line.lane.room:
                raise Refused("full")
            self._remember(job)
            line.waiting.append(job)
            self._lock.notify_all()
        return job.id

    def answer(self, kind: str, spec: Any) -> Any:
        """What was answered to the same question; None when it was not asked yet."""
        with self._lock:
            return self._answers.get(fingerprint(kind, spec))

    def see(self, job_id: str, owner: str | None = None) -> Seen | None:
        """How a job stands; None where there is none by that id, or it is somebody else's private one."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or (job.private and job.owner != owner):
                return None
            ahead = 0
            if job.state == "waiting":
                line = next(line for line in self._lines.values() if job in line.waiting)
                ahead = line.waiting.index(job) + (line.running is not None)
            end = job.ended or time.monotonic()
            return Seen(
                id=job.id,
                state=job.state,
                ahead=ahead,
                done=job.done,
                stage=job.stage,
                left_s=job.left_s,
                more=dict(job.more),
                result=job.result,
                error=job.error,
                said=job.said,
                code=job.code,
                seconds=end - job.began if job.began else 0.0,
            )

    def question(self, job_id: str) -> tuple[str, Any] | None:
        """Kind and content of a job that anybody may see; None for a private one, or none."""
        with self._lock:
            job = self._jobs.get(job_id)
            return None if job is None or job.private else (job.kind, job.spec)

    def owner(self, job_id: str) -> str | None:
        """Whose job it is."""
        with self._lock:
            job = self._jobs.get(job_id)
            return None if job is None else job.owner

    def adopt(self, job_id: str, owner: str) -> None:
        """Make a job another session's: of a visitor who left the page and came back to it."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None and not job.private:
                job.owner = owner

    def stop(self, job_id: str, owner: str) -> None:
        """End a job of this visitor's; nothing happens if it is over or somebody else's."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.owner != owner or job.over:
                return
            job.stop = True
            for line in self._lines.values():
                if job in line.waiting:
                    line.waiting.remove(job)
                    line.end(job, "stopped")
            self._lock.notify_all()

    def forget(self, owner: str) -> None:
        """End a visitor's jobs on own data and forget their answers."""
        with self._lock:
            own = [job.id for job in self._jobs.values() if job.owner == owner and job.private]
        for job_id in own:
            self.stop(job_id, owner)
            with self._lock:
                if (job := self._jobs.get(job_id)) is not None:
                    job.result = None

    def _remember(self, job: Job) -> None:
        self._jobs[job.id] = job
        while len(self._jobs) > self._kept and (old := next(iter(self._jobs.values()))).over:
            del self._jobs[old.id]

    def _answered(self, job: Job) -> None:
        """Remember an answer; called under the lock."""
        if job.key is not None:
            self._answers[job.key] = job.result
            while len(self._answers) > self._kept:
                self._answers.popitem(last=False)
