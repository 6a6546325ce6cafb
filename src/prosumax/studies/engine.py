"""Studies: variants of a community, each run over many seeds; means, spread, and which differences are more than noise.

A study is data: its variants, how to draw a community for a variant and a seed, and the figures to report. All seeds
of a variant run at once (`vmap`). Variants share their seeds, so they are compared pair by pair.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from prosumax.control.rules import assemble_policy
from prosumax.errors import InputError
from prosumax.files import write_text
from prosumax.grid.paths import TablePaths
from prosumax.optimization.gap import summarize_with_optimality
from prosumax.registry import Registry
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import Community, assemble
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.result import Result
from prosumax.simulation.results.series import Trace
from prosumax.simulation.rollout import Trajectory, rollout, use_compilation_cache

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
"""Highest p-value, corrected for the number of comparisons in a study, of a difference that counts."""

ROUNDING = 1e-5  # relative: single precision leaves less, a real difference more


Tell = Callable[[float], None]
"""Called with the share done of something, between 0 and 1."""


class Drawn(NamedTuple):
    """One community of a study: what it is, and its time series and network."""

    scenario: Scenario
    profiles: Profiles


class Variant(NamedTuple):
    """One column of a study's tables.

    Attributes:
        group: title of the table it is in.
        name: title of its column.
        settings: changes to the study's scenario, path -> value, as in `load_scenario`.
    """

    group: str
    name: str
    settings: Mapping[str, Any]


class Figure(NamedTuple):
    """One row of a study's tables.

    Attributes:
        title: with its unit.
        read: takes it from a run (a `Result`, or what the study's `batch` makes); NaN where it means nothing.
        digits: behind the point.
    """

    title: str
    read: Callable[[Any], float]
    digits: int = 1


def number(name: str, factor: float = 1.0) -> Callable[[Mapping[str, float]], float]:
    """What reads a figure of a run that is a mapping; NaN where there is none."""
    return lambda run: factor * run.get(name, float("nan"))


def kpi(name: str, factor: float = 1.0) -> Callable[[Result], float]:
    """What reads a KPI of a run; NaN where there is none."""

    def read(run: Result) -> float:
        value = run.kpis.get(name)
        return factor * value if value is not None else float("nan")

    return read


class Study(NamedTuple):
    """What is compared.

    Attributes:
        variants: in the order of the tables. Each is compared with the first of its group, and the first of each group
            with the first of all.
        draw: settings and seed -> community; shapes may not depend on the seed. None where there is a `batch`.
        figures: what is reported, by a short name.
        notes: what a reader must know about the set-up.
        batch: runs a variant by itself: settings, seeds and what to call with the share done -> one run per seed, for
            `figures` to read; runs with a `trace` are drawn too.
    """

    variants: tuple[Variant, ...]
    draw: Callable[[Mapping[str, Any], int], Drawn] | None
    figures: Mapping[str, Figure]
    notes: tuple[str, ...] = ()
    batch: Callable[[Mapping[str, Any], Sequence[int], Tell], Sequence[Any]] | None = None


studies: Registry[Study] = Registry("study")
"""Every study by name; `prosumax study NAME` runs one."""


class Estimate(NamedTuple):
    """A figure of a variant over the seeds.

    Attributes:
        seeds: in how many it means something; all that follows is of these.
        mean, deviation: over the seeds; the deviation is the sample's, NaN of a single one.
        low, high: 95 % interval of the mean (Student's t).
        difference: mean difference from the variant it is compared with, over the seeds in which both mean something;
            None for the very first.
        p: of that difference, Wilcoxon signed-rank test, two-sided; 1 where all pairs are equal.
        p_corrected: after Holm 1979, for all comparisons of the study.
    """

    seeds: int
    mean: float
    deviation: float
    low: float
    high: float
    difference: float | None
    p: float | None
    p_corrected: float | None

    @property
    def differs(self) -> bool:
        """Whether the difference is more than noise."""
        return self.p_corrected is not None and self.p_corrected < SIGNIFICANT


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes:
        name: of the study.
        study: what was run.
        seeds: of the communities.
        values: figure of every variant and seed [variant, figure, seed].
        traces: what analytics look at, of every variant and seed [variant][seed].
    """

    name: str
    study: Study
    seeds: tuple[int, ...]
    values: NDArray[np.float64]
    traces: tuple[tuple[Trace, ...], ...] = ()

    @cached_property
    def estimates(self) -> list[dict[str, Estimate]]:
        """For every variant, each figure by name."""
        return _estimates(self.values, list(self.study.figures), references(self.study.variants))


def run_study(
    name: str,
    seeds: int = 20,
    on_stage: Callable[[str, float], None] = lambda stage, done: None,
    keep: Path | None = None,
) -> StudyResult:
    """Run all variants of a study over the same seeds.

    Arguments:
        name: as `prosumax study` lists them.
        seeds: how many, at least 2; the seeds are 0, 1, and so on.
        on_stage: called with a line and the share done, whenever the next variant begins and while one is run.
        keep: folder for the figures of every variant as it ends. Those that are there already, of the same settings and
            seeds, are not run again; runs with a trace are never kept.

    Raises:
        InputError: there is no such study, or too few seeds.
    """
    study = studies.get(name, "study")
    if seeds < 2:
        raise InputError(
            "--seeds", f"is {seeds}", "A spread needs at least 2; 20 or more say something."
        )
    numbers = tuple(range(seeds))
    values, traces = [], []
    for position, variant in enumerate(study.variants):
        said = {
            **variant._asdict(),
            "figures": list(study.figures),
            "seeds": seeds,
            "of": metadata.version("prosumax"),
        }
        place = None if keep is None else keep / f"{position + 1:02}.json"
        if (kept := _kept(place, said)) is not None:
            values.append(kept)
            traces.append(())
            continue
        line = f"{variant.group}: {variant.name}, {seeds} seeds"

        def tell(share: float, line: str = line, position: int = position) -> None:
            on_stage(line, (position + share) / len(study.variants))

        tell(0.0)
        runs = _runs(study, variant, numbers, tell)
        values.append(
            [[float(figure.read(run)) for run in runs] for figure in study.figures.values()]
        )
        traces.append(tuple(run.trace for run in runs if hasattr(run, "trace")))
        if place is not None and not traces[-1]:
            write_text(place, json.dumps({"variant": said, "values": values[-1]}, default=str))
    return StudyResult(name, study, numbers, np.array(values), tuple(traces))


def _kept(place: Path | None, said: Mapping[str, Any]) -> list[list[float]] | None:
    """Figures of a variant that was run before; None when it was not, or with something else in it."""
    if place is None or not place.is_file():
        return None
    content = json.loads(place.read_text(encoding="utf-8"))
    same = content["variant"] == json.loads(json.dumps(said, default=str))
    return content["values"] if same else None


def _runs(study: Study, variant: Variant, seeds: Sequence[int], tell: Tell) -> Sequence[Any]:
    if study.batch is not None:
        return study.batch(variant.settings, seeds, tell)
    assert study.draw is not None
    return run_seeds([study.draw(variant.settings, seed) for seed in seeds])


def run_seeds(drawn: Sequence[Drawn]) -> list[Result]:
    """Run communities of one shape at once, each with the seed of its scenario.

    Arguments:
        drawn: with the same homes, policies and kind of network.
    """
    use_compilation_cache()
    communities = [assemble(*one) for one in drawn]
    first = drawn[0].scenario
    policy = assemble_policy([home.policy or first.policy for home in first.homes])
    keys = jax.vmap(jax.random.key)(jnp.array([one.scenario.seed for one in drawn]))
    together: Trajectory = jax.tree.map(np.asarray, _rollouts(stacked(communities), policy, keys))
    return [
        summarize_with_optimality(
            *one, community, jax.tree.map(lambda leaf, at=at: leaf[at], together), {}
        )
        for at, (one, community) in enumerate(zip(drawn, communities, strict=True))
    ]


_rollouts = jax.jit(jax.vmap(rollout, in_axes=(0, None, 0)))


def stacked(communities: Sequence[Community]) -> Community:
    """Communities of one shape as one, with a leading axis."""
    longest = max((_longest(community) for community in communities), default=0)
    return jax.tree.map(
        lambda *leaves: jnp.stack(leaves),
        *(_padded(community, longest) for community in communities),
    )


def _longest(community: Community) -> int:
    """How far the tables of a network's paths reach, which depends on the lengths of lines and the places of homes."""
    wires = community.network
    if wires is None:
        return 0
    return (
        wires.paths.listed.shape[-1]
        if isinstance(wires.paths, TablePaths)
        else wires.paths.jump.shape[0]
    )


def _padded(community: Community, longest: int) -> Community:
    """The same paths in tables of the same length; what is filled up is never looked at."""
    wires = community.network
    if wires is None:
        return community
    paths, missing = wires.paths, longest - _longest(community)
    if isinstance(paths, TablePaths):
        none = paths.branches.shape[0]
        listed = jnp.pad(paths.listed, ((0, 0), (0, 0), (0, missing)), constant_values=none)
        return community._replace(network=wires._replace(paths=paths._replace(listed=listed)))
    jump = jnp.pad(paths.jump, ((0, missing), (0, 0)))
    return community._replace(network=wires._replace(paths=paths._replace(jump=jump)))


def references(variants: Sequence[Variant]) -> list[int | None]:
    """Position of the variant that each is compared with: the first of its group, or of all; None for the first."""
    groups = [variant.group for variant in variants]
    first = [groups.index(group) for group in groups]
    return [
        None if at == 0 else (0 if first[at] == at else first[at]) for at in range(len(variants))
    ]


def _estimates(
    values: NDArray[np.float64], names: Sequence[str], against: Sequence[int | None]
) -> list[dict[str, Estimate]]:
    """Means and comparisons; `values` is [variant, figure, seed], NaN where a figure means nothing."""
    p = np.full(values.shape[:2], np.nan)
    for at, reference in enumerate(against):
        if reference is not None:
            p[at] = [
                paired_p(new, old) for new, old in zip(values[at], values[reference], strict=True)
            ]
    corrected = holm(p)

    def one(at: int, row: int) -> Estimate:
        reference = against[at]
        compared: tuple[float | None, float | None, float | None] = (None, None, None)
        if reference is not None:
            difference = values[at, row] - values[reference, row]
            compared = (_spread(difference)[1], float(p[at, row]), float(corrected[at, row]))
        return Estimate(*_spread(values[at, row]), *compared)

    return [{name: one(at, row) for row, name in enumerate(names)} for at in range(len(values))]


def _spread(values: NDArray[np.float64]) -> tuple[int, float, float, float, float]:
    """Number, mean, deviation and interval of what is finite."""
    from scipy import stats

    known = values[np.isfinite(values)]
    count, nan = len(known), float("nan")
    if count < 2:
        return count, float(known[0]) if count else nan, nan, nan, nan
    mean, deviation = float(known.mean()), float(known.std(ddof=1))
    half = deviation / np.sqrt(count) * float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return count, mean, deviation, mean - half, mean + half


def paired_p(new: NDArray[np.float64], old: NDArray[np.float64]) -> float:
    """How likely differences at least this one-sided are by chance: Wilcoxon signed-rank test, two-sided.

    Differences that single precision explains count as none; without any other the answer is 1. Seeds in which either
    means nothing are left out; NaN without any other.

    Arguments:
        new, old: a figure of two variants over the same seeds [seed].
    """
    from scipy import stats

    both = np.isfinite(new) & np.isfinite(old)
    if not both.any():
        return float("nan")
    new, old = new[both], old[both]
    difference = new - old
    size = np.maximum(np.abs(new), np.abs(old)).max()
    difference = np.where(np.abs(difference) <= ROUNDING * size, 0.0, difference)
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference).pvalue)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values corrected for how many there are, any shape; NaN stays and is not counted.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2):65.
    """
    corrected = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    order = np.argsort(p[tested])
    scaled = np.maximum.accumulate(p[tested][order] * np.arange(len(order), 0, -1))
    back = np.empty(len(order))
    back[order] = np.minimum(scaled, 1.0)
    corrected[tested] = back
    return corrected
