"""Services shared by all visitors (job queue, upload store) and the routes that are not pages."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast

import pandas as pd
from fastapi import HTTPException, Response

from prosumax.scenario.loading import dump_scenario
from prosumax.web.jobs.queue import JobQueue, JobRejectedError
from prosumax.web.jobs.worker_pool import QueueConfig
from prosumax.web.model.communities import community_scenario, from_job_spec, to_job_spec
from prosumax.web.model.outcome import CommunityOutcome
from prosumax.web.model.state import RULES, CommunityPageState
from prosumax.web.server.security import SecureHeaders
from prosumax.web.server.uploads import UploadStore

if TYPE_CHECKING:
    from nicegui import App

_PRECOMPUTED: tuple[CommunityPageState, ...] = (
    CommunityPageState(rule="use"),
    *(CommunityPageState(rule=rule) for rule in RULES if rule not in ("use", "learned")),
    *(CommunityPageState(preset=preset) for preset in ("block", "school", "village")),
)
"""Communities simulated after the start, so that first visits find cached results."""


# A training program is compiled for a single use: without expensive passes the compilation takes
# half the time, and the program is only a few percent slower.
_FAST_COMPILE_FLAGS = "--xla_llvm_disable_expensive_passes=true --xla_backend_optimization_level=1"
_QUEUES = (
    QueueConfig("quick", timeout_s=60),
    QueueConfig(
        "long",
        timeout_s=600,
        nice=10,
        env={"JAX_PLATFORMS": "cpu", "XLA_FLAGS": _FAST_COMPILE_FLAGS},
    ),
)


class Services(NamedTuple):
    """Services shared by all visitors.

    Attributes:
        jobs: Job queue.
        uploads: Store of uploaded meter files.
    """

    jobs: JobQueue
    uploads: UploadStore


@cache
def get_services() -> Services:
    """Return the services of this server; they are created, but not started, on first use."""
    jobs = JobQueue("prosumax.web.jobs.tasks:run_task", _QUEUES)
    return Services(jobs, UploadStore(jobs))


def attach_services(app: "App") -> None:
    """Add the services, their routes and the security headers to a server.

    Args:
        app: NiceGUI application.
    """
    jobs, uploads = get_services()
    app.add_middleware(SecureHeaders)
    app.include_router(uploads.router)
    app.add_api_route("/api/run/{name}", download_run, methods=["GET"])
    app.on_startup(_start)
    app.on_shutdown(jobs.close)
    app.on_shutdown(uploads.close)


async def _start() -> None:
    jobs = get_services().jobs
    jobs.start()
    background_tasks.add(asyncio.create_task(_precompute(jobs)))


background_tasks: set[asyncio.Task[None]] = set()
"""References to running tasks, which the event loop holds only weakly."""


async def _precompute(jobs: JobQueue) -> None:
    for community in _PRECOMPUTED:
        # Requests of visitors have priority.
        while not jobs.is_idle("quick"):
            await asyncio.sleep(0.2)
        try:
            job = jobs.submit("quick", "run", to_job_spec(community), owner="server")
        except JobRejectedError:
            continue
        while (status := jobs.status(job)) is not None and not status.finished:
            await asyncio.sleep(0.1)


async def download_run(name: str) -> Response:
    """Return the results of a run (`JOB.json`) or its scenario for `prosumax run` (`JOB.yaml`).

    Args:
        name: Id of the job and file extension.

    Raises:
        HTTPException: 404 when there is no such finished public run.
    """
    job, _, kind = name.rpartition(".")
    jobs = get_services().jobs
    public_spec = jobs.public_spec(job)
    status = jobs.status(job)
    done = status is not None and status.state == "done"
    if public_spec is None or status is None or not done or kind not in ("json", "yaml"):
        raise HTTPException(404)
    spec = cast(Mapping[str, object], public_spec[1])
    scenario = await asyncio.to_thread(community_scenario, *from_job_spec(spec))
    if kind == "yaml":
        return Response(dump_scenario(scenario), media_type="application/yaml")
    content = {
        "spec": spec,
        "result": asdict(cast(CommunityOutcome, status.result)),
        "scenario": scenario.model_dump(mode="json"),
    }
    return Response(json.dumps(content, default=_records), media_type="application/json")


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a table as plain JSON values."""
    rows: list[dict[str, object]] = json.loads(table.to_json(orient="records"))
    return rows
