"""What all visitors share: the job queue and the store of uploads; and what the server answers besides pages."""

import asyncio
import json
from dataclasses import asdict
from functools import cache
from typing import Any, NamedTuple

from fastapi import HTTPException, Response

from prosumax.scenario.loading import dump_scenario
from prosumax.web.jobs.queue import Jobs, Refused
from prosumax.web.jobs.worker_pool import Lane
from prosumax.web.model.communities import asked, community_of, scenario_of
from prosumax.web.model.state import RULES, Community
from prosumax.web.server.security import SecureHeaders
from prosumax.web.server.uploads import Uploads

_FIRST: tuple[Community, ...] = (
    *(
        Community(rule=rule)
        for rule in ("use", *(rule for rule in RULES if rule not in ("use", "learned")))
    ),
    *(Community(preset=preset) for preset in ("block", "school", "village")),
)
"""What is answered before anybody asks: opening the page and trying the rules shows results at once."""


# A training program is compiled for one use: half the time goes into making it a few percent faster otherwise.
_HASTY = "--xla_llvm_disable_expensive_passes=true --xla_backend_optimization_level=1"
_LANES = (
    Lane("quick", most_s=60),
    Lane("long", most_s=600, nice=10, environ={"JAX_PLATFORMS": "cpu", "XLA_FLAGS": _HASTY}),
)


class Services(NamedTuple):
    """See `services`."""

    jobs: Jobs
    uploads: Uploads


@cache
def services() -> Services:
    """The server's own; made, not started, on first use."""
    jobs = Jobs("prosumax.web.jobs.tasks:perform", _LANES)
    return Services(jobs, Uploads(jobs))


def attach(app: Any) -> None:
    """Give a server its queue, its routes and its headers.

    Arguments:
        app: NiceGUI's.
    """
    jobs, uploads = services()
    app.add_middleware(SecureHeaders)
    app.include_router(uploads.router)
    app.add_api_route("/api/run/{name}", download, methods=["GET"])
    app.on_startup(_start)
    app.on_shutdown(jobs.close)
    app.on_shutdown(uploads.close)


async def _start() -> None:
    jobs = services().jobs
    jobs.start()
    tasks.add(asyncio.create_task(_answer_first(jobs)))


tasks: set[Any] = set()
"""Held, or the loop would let them go."""


async def _answer_first(jobs: Jobs) -> None:
    for community in _FIRST:
        # Visitors come first: only while nobody waits.
        while not jobs.idle("quick"):
            await asyncio.sleep(0.2)
        try:
            job = jobs.submit("quick", "run", asked(community), owner="server")
        except Refused:
            continue
        while (seen := jobs.see(job)) is not None and not seen.over:
            await asyncio.sleep(0.1)


async def download(name: str) -> Response:
    """A run's numbers (`JOB.json`), or the scenario that `prosumax run` takes to make them again (`JOB.yaml`)."""
    job, _, kind = name.rpartition(".")
    jobs = services().jobs
    question, seen = jobs.question(job), jobs.see(job)
    if question is None or seen is None or seen.state != "done" or kind not in ("json", "yaml"):
        raise HTTPException(404)
    scenario = await asyncio.to_thread(scenario_of, *community_of(question[1]))
    if kind == "yaml":
        return Response(dump_scenario(scenario), media_type="application/yaml")
    content = {
        "asked": question[1],
        "result": asdict(seen.result),
        "scenario": scenario.model_dump(mode="json"),
    }
    return Response(json.dumps(content), media_type="application/json")
