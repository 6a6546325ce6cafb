"""What runs in a spawned process: takes jobs from a pipe, reports how far they are, and answers.

Importing this file loads neither JAX nor the web framework, so that a process is there at once.
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
from typing import Any, Protocol

from prosumax.errors import InputError


class Stopped(Exception):
    """Whoever asked for a job wants it no more."""


class Report(Protocol):
    """Tells the visitor how far a job is."""

    def __call__(self, done: float, stage: str, left_s: float | None = None, **more: Any) -> None:
        """Say it; raises `Stopped` when the job is wanted no more.

        Arguments:
            done: share of the whole, 0 to 1.
            stage: key of a text, such as `training`.
            left_s: seconds left, about.
            more: numbers of that text, and what is to be drawn meanwhile.
        """


Perform = Callable[[str, Any, Report], Any]
"""Does a job: its kind, what was asked for (plain data), and where to report. Answers plain data."""


def serve(
    link: Connection, stop: Event, perform: str, lane: str, nice: int, environ: Mapping[str, str]
) -> None:
    """Do jobs until the other end of the pipe is closed.

    Arguments:
        link: sends `(kind, spec)`, receives `(word, ...)`.
        stop: set when the running job is to end.
        perform: `module:function` of type `Perform`; before the first job it is called with the kind `warm` and the
            lane's name.
        lane: which jobs come here.
        nice: how far behind other processes this one stands.
        environ: settings of this process.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C ends the server, which then closes the pipe
    os.environ.update(environ)
    if hasattr(os, "nice"):
        os.nice(nice)

    one_at_a_time = threading.Lock()

    def report(done: float, stage: str, left_s: float | None = None, **more: Any) -> None:
        if stop.is_set():
            raise Stopped
        with one_at_a_time:
            link.send(("progress", done, stage, left_s, more))

    def silent(done: float, stage: str, left_s: float | None = None, **more: Any) -> None:
        """Nobody asked for the warming up."""

    try:
        module, _, name = perform.partition(":")
        act: Perform = getattr(import_module(module), name)
        act("warm", lane, silent)
        link.send(("ready",))
        while True:
            kind, spec = link.recv()
            link.send(_answer(act, kind, spec, report))
    except (EOFError, BrokenPipeError):
        sys.exit(0)


def _answer(act: Perform, kind: str, spec: Any, report: Report) -> tuple[Any, ...]:
    try:
        return "done", act(kind, spec, report)
    except Stopped:
        return ("stopped",)
    except InputError as error:
        return "refused", error.where, error.what, error.cure
    except Exception:
        return "broke", traceback.format_exc()
