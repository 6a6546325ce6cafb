"""Tasks of the worker processes: run communities, train agents, read uploaded files.

This module is imported only there: it loads JAX and keeps compiled programs between jobs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from prosumax.devices.home import BATTERY
from prosumax.runner import run
from prosumax.simulation.rollout import enable_compilation_cache
from prosumax.web.jobs.worker import JobProgressCallback, JobSpec
from prosumax.web.model.communities import community_scenario, from_job_spec, to_job_spec
from prosumax.web.model.outcome import CommunityOutcome, Exploration, summarize_outcome
from prosumax.web.model.own_data import OwnData, Rejection, read_own_data
from prosumax.web.model.state import CommunityPageState

BASELINE_POLICIES = ("none", "citylearn-basic-battery-rbc", "self-consumption")
"""Policies without training: an idle battery, a schedule by hour, and self-consumption."""

_WARM_UP_RULES: tuple[str, ...] = ("use", "none")
"""Rules of the preset street that are compiled before the first visitor is served."""

_MIN_GAIN = 0.005  # half a cent


def run_task(kind: str, spec: JobSpec, report: JobProgressCallback) -> object:
    """Execute a job; the function has the type `worker.Task`.

    Args:
        kind: Kind of the job, a key of `_TEXT_TASKS` or `_TASKS`.
        spec: Specification of the job.
        report: Progress callback.
    """
    if isinstance(spec, str):
        return _TEXT_TASKS[kind](spec, report)
    return _TASKS[kind](spec, report)


def run_community(spec: Mapping[str, object], report: JobProgressCallback) -> CommunityOutcome:
    """Simulate a community without learning agents.

    Args:
        spec: Result of `communities.to_job_spec`.
        report: Progress callback.
    """
    report(0.1, "running")
    return summarize_outcome(run(community_scenario(*from_job_spec(spec)), optimum=False))


def _warm_up(queue: str, report: JobProgressCallback) -> None:
    enable_compilation_cache()
    if queue == "quick":
        for rule in _WARM_UP_RULES:
            run_community(to_job_spec(CommunityPageState(rule=rule)), report)


def _read_upload(folder: str, report: JobProgressCallback) -> OwnData | Rejection:
    report(0.1, "reading")
    return read_own_data(Path(folder) / "sent.csv", Path(folder))


def explore_policies(spec: Mapping[str, object], report: JobProgressCallback) -> Exploration:
    """Search for a home that would gain by another baseline policy, and compare with the optimum.

    One home changes its policy at a time; all others keep theirs.

    Args:
        spec: Result of `communities.to_job_spec`.
        report: Progress callback.

    Returns:
        `homes`, the number of homes with a battery. If a change gains at least a cent, the best
        one as `name`, `policy` and `gain`. If the optimum was computed, the sum of its bills as
        `best` and the community's share of the optimal gain as `share`.
    """
    report(0.01, "running")
    scenario = community_scenario(*from_job_spec(spec))
    base = run(scenario)
    bills = {home["name"]: home["bill"] for home in base.households}
    with_battery = [
        (index, home)
        for index, home in enumerate(scenario.homes)
        if home.device(BATTERY) is not None
    ]
    changes = [
        (index, home, policy)
        for index, home in with_battery
        for policy in BASELINE_POLICIES
        if policy != (home.policy or scenario.policy)
    ]
    exploration: Exploration = {"homes": len(with_battery)}
    best_gain = _MIN_GAIN
    for number, (index, home, policy) in enumerate(changes):
        report(number / len(changes), "exploring", round=number + 1, rounds=len(changes))
        changed = run(scenario, {f"homes.{index}.policy": policy}, optimum=False)
        gain = bills[home.name] - changed.households[index]["bill"]
        if gain > best_gain:
            exploration |= {"name": home.name, "policy": policy, "gain": gain}
            best_gain = gain
    share = base.kpis["share_of_optimal_gain"]
    optimum = base.kpis["community_optimum"]
    if share is not None and optimum is not None:
        exploration |= {"best": optimum, "share": share}
    return exploration


def _train(spec: Mapping[str, object], report: JobProgressCallback) -> CommunityOutcome:
    from prosumax.web.model.learning import train_community

    return train_community(spec, report)


_TEXT_TASKS: dict[str, Callable[[str, JobProgressCallback], object]] = {
    "warm_up": _warm_up,
    "upload": _read_upload,
}
_TASKS: dict[str, Callable[[Mapping[str, object], JobProgressCallback], object]] = {
    "run": run_community,
    "explore": explore_policies,
    "train": _train,
}
