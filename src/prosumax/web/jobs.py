"""Work that takes longer than a blink: bounded queues in front of spawned processes, and what became of each job.

A lane is a queue and one process. Runs of a moment and training stand in different lanes, so that nobody waits for
somebody else's training to see a bill. Nothing here knows the web framework: pages ask `Jobs.see` whenever they like.
"""

import hashlib
import json
import logging
import multiprocessing
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any, Literal

from prosumax.web.worker import serve

_LOG = logging.getLogger("prosumax.web")
_SPAWN = multiprocessing.get_context("spawn")  # a process that JAX runs in must not be forked
_GRACE_S = 0.4  # for a job that is stopped to end by itself; then its process is killed
_POLL_S = 0.05
_START_S = 180.0
_LEAST_STEP = 1e-4

State = Literal["waiting", "running", "done", "failed", "stopped"]


class Refused(Exception):
    """A job is not taken.

    Arguments:
        reason: `full` (the queue), `own` (this visitor has one already) or `address` (too many from one address).
    """

    def __init__(self, reason: Literal["full", "own", "address"]) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Lane:
    """One queue and its process.

    Attributes:
        name: which jobs stand here.
        room: how many may wait.
        most_s: a job that takes longer is ended.
        nice: how far its process stands behind others.
        environ: settings of its process.
    """

    name: str
    room: int = 8
    most_s: float = 120.0
    nice: int = 0
    environ: Mapping[str, str] = field(default_factory=lambda: {"JAX_PLATFORMS": "cpu"})


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


@dataclass
class _Job:
    id: str
    kind: str
    spec: Any
    key: str | None
    owner: str
    address: str | None
    private: bool
    state: State = "waiting"
    done: float = 0.0
    stage: str = "waiting"
    left_s: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    error: str | None = None
    said: tuple[str, str, str] | None = None
    code: str | None = None
    stop: bool = False
    began: float = 0.0
    ended: float = 0.0

    @property
    def over(self) -> bool:
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
        self._perform, self._per_owner, self._per_address, self._kept = perform, per_owner, per_address, kept
        self._lock = threading.Condition()
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._answers: OrderedDict[str, Any] = OrderedDict()
        self._lines: dict[str, _Line] = {lane.name: _Line(self, lane) for lane in lanes}

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
        job = _Job(secrets.token_urlsafe(9), kind, spec, key, owner, address, private)
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
                    self._end(job, "stopped")
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

    def _remember(self, job: _Job) -> None:
        self._jobs[job.id] = job
        while len(self._jobs) > self._kept and (old := next(iter(self._jobs.values()))).over:
            del self._jobs[old.id]

    def _end(self, job: _Job, state: State, **changes: Any) -> None:
        """Called under the lock."""
        job.state, job.ended = state, time.monotonic()
        for name, value in changes.items():
            setattr(job, name, value)
        if state == "done":
            job.done = 1.0
            if job.key is not None:
                self._answers[job.key] = job.result
                while len(self._answers) > self._kept:
                    self._answers.popitem(last=False)


class _Line:
    """A lane's queue, its process, and the thread that talks to it."""

    def __init__(self, jobs: Jobs, lane: Lane) -> None:
        self.jobs, self.lane = jobs, lane
        self.waiting: list[_Job] = []
        self.running: _Job | None = None
        self.closing = False
        self.warm = False
        self.thread = threading.Thread(target=self._talk, name=f"jobs-{lane.name}", daemon=True)
        self._worker: Any = None
        self._link: Any = None
        self._stop: Any = None

    @property
    def pid(self) -> int | None:
        return None if self._worker is None else self._worker.pid

    def _talk(self) -> None:
        self._spawn()
        while not self.closing:
            if not self._worker.is_alive():
                self._spawn()
            if not self.warm:
                self._hear_ready()
            job = self._next()
            if job is None:
                continue
            try:
                self._do(job)
            except Exception:
                _LOG.exception("job %s", job.id)
                self._kill()
                with self.jobs._lock:
                    self.jobs._end(job, "failed", error="broke", code=_code())
            finally:
                with self.jobs._lock:
                    self.running = None
        self._kill()

    def _spawn(self) -> None:
        self._kill()
        self._link, theirs = _SPAWN.Pipe()
        self._stop = _SPAWN.Event()
        lane = self.lane
        arguments = (theirs, self._stop, self.jobs._perform, lane.name, lane.nice, dict(lane.environ))
        self._worker = _SPAWN.Process(target=serve, args=arguments, name=f"prosumax-{self.lane.name}", daemon=True)
        self._worker.start()
        theirs.close()  # else the end of the process would not close the pipe
        self._since = time.monotonic()

    def _kill(self) -> None:
        self.warm = False
        if self._worker is not None:
            self._worker.kill()
            self._worker.join(5)
            self._link.close()
            self._worker = None

    def _hear_ready(self) -> None:
        """Take the word that the process is warm, if it is there."""
        if self._link.poll(0):
            try:
                self.warm = self._link.recv()[0] == "ready"
            except (EOFError, OSError):
                time.sleep(1)  # a process that cannot start would otherwise be started without end
        elif time.monotonic() - self._since > _START_S:
            _LOG.error("the process of lane %s does not start", self.lane.name)
            self._spawn()

    def _next(self) -> _Job | None:
        """The next job, once there is one and the process is warm; None after a moment without."""
        with self.jobs._lock:
            if not self.waiting or not self.warm:
                self.jobs._lock.wait(_POLL_S)
            if not self.waiting or not self.warm or self.closing:
                return None
            job = self.waiting.pop(0)
            job.state, job.stage, job.began = "running", "starting", time.monotonic()
            self.running = job
            return job

    def _do(self, job: _Job) -> None:
        self._stop.clear()
        try:
            self._link.send((job.kind, job.spec))
        except (BrokenPipeError, OSError):
            self._lost(job)
            return
        stopped_at: float | None = None
        while True:
            now = time.monotonic()
            if job.stop and stopped_at is None:
                stopped_at = now
                self._stop.set()
            late = now - job.began > self.lane.most_s
            if self.closing or late or (stopped_at is not None and now - stopped_at > _GRACE_S):
                self._spawn()
                with self.jobs._lock:
                    if late and not job.stop:
                        self.jobs._end(job, "failed", error="late", code=_code())
                    else:
                        self.jobs._end(job, "stopped")
                return
            connection.wait([self._link, self._worker.sentinel], _POLL_S)
            try:
                while self._link.poll(0):
                    if self._heard(job, self._link.recv()):
                        return
            except (EOFError, OSError):
                self._lost(job)
                return
            if not self._worker.is_alive():
                self._lost(job)
                return

    def _heard(self, job: _Job, message: tuple[Any, ...]) -> bool:
        """Note what the process says; whether the job is over."""
        word, *content = message
        with self.jobs._lock:
            match word:
                case "progress":
                    done, stage, left_s, more = content
                    if job.stop:
                        return False
                    # What a visitor sees never stands still when something is said, and is never quite whole.
                    job.done = min(max(float(done), job.done + _LEAST_STEP), 1 - _LEAST_STEP)
                    job.stage, job.left_s, job.more = stage, left_s, more
                    return False
                case "done" if not job.stop:
                    self.jobs._end(job, "done", result=content[0])
                case "done" | "stopped":
                    self.jobs._end(job, "stopped")
                case "refused":
                    self.jobs._end(job, "failed", error="refused", said=tuple(content))
                case _:
                    code = _code()
                    _LOG.error("job %s (%s) broke, code %s\n%s", job.id, job.kind, code, content[0])
                    self.jobs._end(job, "failed", error="broke", code=code)
        return True

    def _lost(self, job: _Job) -> None:
        """The process died under a job."""
        code = _code()
        _LOG.error("the process of lane %s died under job %s (%s), code %s", self.lane.name, job.id, job.kind, code)
        self._spawn()
        with self.jobs._lock:
            self.jobs._end(job, "stopped") if job.stop else self.jobs._end(job, "failed", error="died", code=code)


def _code() -> str:
    return secrets.token_hex(2).upper()
