"""What the worker processes do: run communities, let them learn, read visitors' files.

Only imported there: it loads JAX, and keeps compiled programs warm from one job to the next.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prosumax.runner import run
from prosumax.simulation.rollout import use_compilation_cache
from prosumax.web.jobs.worker import Report
from prosumax.web.model.communities import asked, community_of, scenario_of
from prosumax.web.model.outcome import Outcome, outcome_of
from prosumax.web.model.own_data import OwnData, Refusal, read_own
from prosumax.web.model.state import Community

SIMPLE = ("none", "citylearn-basic-battery-rbc", "self-consumption")
"""Ways of deciding that take no training: leaving the battery alone, by the clock, with the own sun."""

_WARM: tuple[str, ...] = ("use", "none")
"""Rules of the preset street that are compiled before the first visitor is served; the others follow in the queue."""


def perform(kind: str, spec: Any, report: Report) -> Any:
    """A job of any kind; see `worker.Perform`."""
    return _KINDS[kind](spec, report)


def simulate(spec: Mapping[str, Any], report: Report) -> Outcome:
    """Run a community in which nobody has to learn.

    Arguments:
        spec: from `communities.asked`.
        report: of stages.
    """
    report(0.1, "running")
    return outcome_of(run(scenario_of(*community_of(spec)), optimum=False))


def _warm(lane: str, report: Report) -> None:
    use_compilation_cache()
    if lane == "quick":
        for rule in _WARM:
            simulate(asked(Community(rule=rule)), report)


def _upload(folder: str, report: Report) -> OwnData | Refusal:
    report(0.1, "reading")
    return read_own(Path(folder) / "sent.csv", Path(folder))


def explore(spec: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """What more there is: by one home alone that decides in another of the simple ways, and by perfect foresight.

    Arguments:
        spec: from `communities.asked`.
        report: of tries.

    Returns:
        `homes` with a battery; of the best change, if any gains a cent, all others as they are: `name`, `policy` and
        `gain` in money; and where the optimum takes no more than seconds, its solver being there: `best`, the bills of
        all in it, and `share`, how far towards it the community comes.
    """
    report(0.01, "running")
    scenario = scenario_of(*community_of(spec))
    base = run(scenario)
    bills = {home["name"]: home["bill"] for home in base.households}
    able = [(at, home) for at, home in enumerate(scenario.homes) if home.battery is not None]
    tries = [
        (at, home, policy)
        for at, home in able
        for policy in SIMPLE
        if policy != (home.policy or scenario.policy)
    ]
    best: dict[str, Any] = {"gain": 0.005}
    for number, (at, home, policy) in enumerate(tries):
        report(number / len(tries), "exploring", round=number + 1, rounds=len(tries))
        tried = run(scenario, {f"homes.{at}.policy": policy}, optimum=False)
        gain = bills[home.name] - tried.households[at]["bill"]
        if gain > best["gain"]:
            best = {"name": home.name, "policy": policy, "gain": gain}
    known = base.kpis["share_of_gain"] is not None
    optimum = (
        {"best": base.kpis["community_optimum"], "share": base.kpis["share_of_gain"]}
        if known
        else {}
    )
    return {"homes": len(able), **(best if "name" in best else {}), **optimum}


def _learn(spec: Mapping[str, Any], report: Report) -> Outcome:
    from prosumax.web.model.learning import learn

    return learn(spec, report)


_KINDS: dict[str, Callable[[Any, Report], Any]] = {
    "warm": _warm,
    "run": simulate,
    "upload": _upload,
    "explore": explore,
    "train": _learn,
}
