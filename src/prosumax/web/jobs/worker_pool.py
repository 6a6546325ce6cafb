"""A queue, the spawned process in front of which it stands, and the thread that talks to it."""

import logging
import multiprocessing
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any, Literal

from prosumax.web.jobs.worker import serve

_LOG = logging.getLogger("prosumax.web")
_SPAWN = multiprocessing.get_context("spawn")  # a process that JAX runs in must not be forked
_GRACE_S = 0.4  # for a job that is stopped to end by itself; then its process is killed
_POLL_S = 0.05
_START_S = 180.0
_LEAST_STEP = 1e-4

State = Literal["waiting", "running", "done", "failed", "stopped"]


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


@dataclass
class Job:
    """A job and what became of it; attributes as in `jobs.Seen`, which visitors get."""

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
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "stopped")


class Line:
    """A lane's queue, its process, and the thread that talks to it.

    Arguments:
        lane: its settings.
        perform: `module:function` that does a job.
        lock: under which jobs and queues are changed; notified when there is something to do.
        ended: called under the lock with a job that is done.
    """

    def __init__(
        self, lane: Lane, perform: str, lock: threading.Condition, ended: Callable[[Job], None]
    ) -> None:
        self.lane, self._perform, self._lock, self._ended = lane, perform, lock, ended
        self.waiting: list[Job] = []
        self.running: Job | None = None
        self.closing = False
        self.warm = False
        self.thread = threading.Thread(target=self._talk, name=f"jobs-{lane.name}", daemon=True)
        self._worker: Any = None
        self._link: Any = None
        self._stop: Any = None

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return None if self._worker is None else self._worker.pid

    def end(self, job: Job, state: State, **changes: Any) -> None:
        """Note that a job is over; called under the lock."""
        job.state, job.ended = state, time.monotonic()
        for name, value in changes.items():
            setattr(job, name, value)
        if state == "done":
            job.done = 1.0
            self._ended(job)

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
                with self._lock:
                    self.end(job, "failed", error="broke", code=_code())
            finally:
                with self._lock:
                    self.running = None
        self._kill()

    def _spawn(self) -> None:
        self._kill()
        self._link, theirs = _SPAWN.Pipe()
        self._stop = _SPAWN.Event()
        lane = self.lane
        arguments = (theirs, self._stop, self._perform, lane.name, lane.nice, dict(lane.environ))
        self._worker = _SPAWN.Process(
            target=serve, args=arguments, name=f"prosumax-{self.lane.name}", daemon=True
        )
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

    def _next(self) -> Job | None:
        """The next job, once there is one and the process is warm; None after a moment without."""
        with self._lock:
            if not self.waiting or not self.warm:
                self._lock.wait(_POLL_S)
            if not self.waiting or not self.warm or self.closing:
                return None
            job = self.waiting.pop(0)
            job.state, job.stage, job.began = "running", "starting", time.monotonic()
            self.running = job
            return job

    def _do(self, job: Job) -> None:
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
                with self._lock:
                    if late and not job.stop:
                        self.end(job, "failed", error="late", code=_code())
                    else:
                        self.end(job, "stopped")
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

    def _heard(self, job: Job, message: tuple[Any, ...]) -> bool:
        """Note what the process says; whether the job is over."""
        word, *content = message
        with self._lock:
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
                    self.end(job, "done", result=content[0])
                case "done" | "stopped":
                    self.end(job, "stopped")
                case "refused":
                    self.end(job, "failed", error="refused", said=tuple(content))
                case _:
                    code = _code()
                    _LOG.error("job %s (%s) broke, code %s\n%s", job.id, job.kind, code, content[0])
                    self.end(job, "failed", error="broke", code=code)
        return True

    def _lost(self, job: Job) -> None:
        """The process died under a job."""
        code = _code()
        _LOG.error(
            "the process of lane %s died under job %s (%s), code %s",
            self.lane.name,
            job.id,
            job.kind,
            code,
        )
        self._spawn()
        with self._lock:
            self.end(job, "stopped") if job.stop else self.end(
                job, "failed", error="died", code=code
            )


def _code() -> str:
    return secrets.token_hex(2).upper()
