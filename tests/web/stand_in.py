"""A stand-in for the engine: jobs that sleep, fail or end their process, for tests of the queue."""

import os
import signal
import time
from typing import Any

from prosumax.errors import InputError
from prosumax.web.jobs.worker import Report


def perform(kind: str, spec: Any, report: Report) -> Any:
    match kind:
        case "warm":
            return None
        case "echo":
            return {"said": spec}
        case "steps":
            for step in range(spec["steps"]):
                report(step / spec["steps"], "training", left_s=1.0, round=step)
                time.sleep(spec["seconds"])
            return {"steps": spec["steps"]}
        case "falls":
            for done in (0.5, 0.2, 0.2, 0.6):
                report(done, "training")
                time.sleep(0.15)
            return {}
        case "deaf":
            time.sleep(spec)
        case "refuse":
            raise InputError("homes", "there are none", "Add one.")
        case "break":
            raise RuntimeError("secret path /etc/somewhere")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
    return {}
