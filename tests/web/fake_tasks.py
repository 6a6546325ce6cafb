"""Task function with jobs that sleep, fail or end their process, for tests of the queue."""

import os
import signal
import time
from typing import Any

from prosumax.errors import InputError
from prosumax.web.jobs.worker import JobProgressCallback


def run_fake_task(kind: str, spec: Any, report: JobProgressCallback) -> Any:
    """Execute a job; the function has the type `worker.Task`."""
    match kind:
        case "warm_up":
            return None
        case "echo":
            return {"echo": spec}
        case "steps":
            for step in range(spec["steps"]):
                report(step / spec["steps"], "training", remaining_s=1.0, round=step)
                time.sleep(spec["seconds"])
            return {"steps": spec["steps"]}
        case "falling_progress":
            for progress in (0.5, 0.2, 0.2, 0.6):
                report(progress, "training")
                time.sleep(0.15)
            return {}
        case "ignore_cancel":
            time.sleep(spec)
        case "invalid_input":
            raise InputError("homes", "there are no homes", "Add one.")
        case "raise":
            raise RuntimeError("secret path /etc/somewhere")
        case "kill_process":
            os.kill(os.getpid(), signal.SIGKILL)
    return {}
