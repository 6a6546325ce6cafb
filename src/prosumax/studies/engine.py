"""Study engine: runs variants of a community over many seeds and compares them pair by pair.

A study is data: its variants, a function that samples a community for a variant and a seed, and the
metrics to report. All seeds of a variant run at once (`vmap`). Variants share their seeds, so they
are compared in pairs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module, metadata
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree
from numpy.typing import NDArray

from prosumax.control.rules import assemble_policy
from prosumax.errors import InputError
from prosumax.files import write_text
from prosumax.grid.paths import TablePaths
from prosumax.metrics import catalog
from prosumax.optimization.gap import summarize_with_optimality
from prosumax.registry import Registry
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, assemble
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.result import Result
from prosumax.simulation.results.series import SummarySeries
from prosumax.simulation.rollout import Trajectory, enable_compilation_cache, rollout_policy
from prosumax.studies.statistics import Estimate, make_estimates

StudyProgress = Callable[[float], None]
"""Called with the completed share of a variant, between 0 and 1."""


class CommunitySample(NamedTuple):
    """One community of a study.

    Attributes:
        scenario: Scenario with the seed of the sample.
        profiles: Time series and network.
    """

    scenario: Scenario
    profiles: Profiles


class Variant(NamedTuple):
    """One column of the tables of a study.

    Attributes:
        group: Title of the table that holds the column.
        name: Title of the column.
        settings: Changes to the scenario of the study, path -> value, as in `load_scenario`.
    """

    group: str
    name: str
    settings: Mapping[str, object]


class StudyMetric(NamedTuple):
    """One row of the tables of a study.

    Attributes:
        key: Key of the KPI catalog, which has its label, unit and definition.
        read: Reads the stored value from a run (a `Result`, or what `run_batch` of the study
            returns); NaN where it is undefined.
        digits: Decimals in tables; those of the catalog when absent.
    """

    key: str
    read: Callable[[PyTree], float]
    digits: int | None = None

    @property
    def kpi(self) -> catalog.KPI:
        """Entry of the KPI catalog."""
        return catalog.get(self.key)

    @property
    def decimals(self) -> int:
        """Decimals in tables."""
        return self.kpi.digits if self.digits is None else self.digits

    def evaluate(self, run: PyTree) -> float:
        """Return the value of a run in the displayed unit."""
        return self.kpi.factor * float(self.read(run))


def kpi_metric(key: str, digits: int | None = None) -> StudyMetric:
    """Make a metric that reads a KPI of a `Result`.

    Args:
        key: Key of the KPI catalog, such as `cost` or `network.loss_share`.
        digits: Decimals in tables; those of the catalog when absent.
    """

    def read(run: Result) -> float:
        value = catalog.value(run.kpis, key)
        return float("nan") if value is None else value

    return StudyMetric(key, read, digits)


def mapping_metric(key: str, digits: int | None = None) -> StudyMetric:
    """Make a metric that reads the last part of its key from a run that is a mapping.

    Args:
        key: Key of the KPI catalog, such as `episode.cost`.
        digits: Decimals in tables; those of the catalog when absent.
    """
    name = key.rpartition(".")[2]
    return StudyMetric(key, lambda run: run.get(name, float("nan")), digits)


class Study(NamedTuple):
    """Variants to compare and metrics to report.

    Attributes:
        variants: Variants in the order of the tables. Each is compared with the first of its
            group, and the first of each group with the first of all.
        sample_community: Settings and seed -> community; shapes may not depend on the seed. None
            where there is `run_batch`.
        metrics: Reported metrics in the order of the rows.
        notes: Facts about the setup that a reader of the tables needs.
        run_batch: Runs a variant by itself: settings, seeds and a progress callback -> one run per
            seed, for `metrics` to read; runs with `summary_series` get charts too.
        currency: Currency of all amounts of money.
    """

    variants: tuple[Variant, ...]
    sample_community: Callable[[Mapping[str, object], int], CommunitySample] | None
    metrics: tuple[StudyMetric, ...]
    notes: tuple[str, ...] = ()
    run_batch: (
        Callable[[Mapping[str, object], Sequence[int], StudyProgress], Sequence[PyTree]] | None
    ) = None
    currency: str = ""


studies: Registry[Study] = Registry("study")
"""Registered studies by name; `load_studies` adds those of prosumax."""

_BUILTIN_MODULES = (
    "prosumax.studies.marlem.operator_and_topology",
    "prosumax.studies.marlem.bidding",
    "prosumax.studies.marlem.learning",
    "prosumax.studies.mahtm.table2",
    "prosumax.studies.mahtm.hierarchy",
    "prosumax.studies.citylearn.learning",
    "prosumax.studies.learned_prices",
)


def load_studies() -> Registry[Study]:
    """Import the studies of prosumax, so that they register, and return all registered studies."""
    for module in _BUILTIN_MODULES:
        import_module(module)
    return studies


@dataclass(frozen=True)
class StudyResult:
    """Values of every metric, variant and seed of a study.

    Attributes:
        name: Name of the study.
        study: Study that was run.
        seeds: Seeds of the communities.
        values: Metrics of every variant and seed, in displayed units; NaN where undefined.
        series: Summary series of every variant and seed [variant][seed], where there are any.
    """

    name: str
    study: Study
    seeds: tuple[int, ...]
    values: Float[NDArray[np.float64], "variant metric seed"]
    series: tuple[tuple[SummarySeries, ...], ...] = ()

    @cached_property
    def estimates(self) -> list[dict[str, Estimate]]:
        """Estimates of every variant by key of the metric."""
        keys = [metric.key for metric in self.study.metrics]
        return make_estimates(self.values, keys, reference_positions(self.study.variants))


def _ignore_progress(stage: str, done: float) -> None:
    """Discard progress reports."""


def run_study(
    name: str,
    seeds: int = 20,
    on_progress: Callable[[str, float], None] = _ignore_progress,
    checkpoint_dir: Path | None = None,
) -> StudyResult:
    """Run all variants of a study over the same seeds.

    Args:
        name: Name as `prosumax study` lists it.
        seeds: Number of seeds, at least 2; the seeds are 0, 1, and so on.
        on_progress: Called with a line and the completed share, whenever the next variant begins
            and while one is running.
        checkpoint_dir: Folder for the metrics of every finished variant. Variants found there with
            the same settings and seeds are not run again; runs with summary series are not kept.

    Raises:
        InputError: There is no such study, or there are too few seeds.
    """
    study = load_studies().get(name, "study")
    if seeds < 2:
        raise InputError(
            "--seeds",
            f"must be at least 2, got {seeds}",
            "Statistics need two seeds or more; 20 give useful intervals.",
        )
    numbers = tuple(range(seeds))
    values = []
    series = []
    for position, variant in enumerate(study.variants):
        identity = {
            **variant._asdict(),
            "metrics": [metric.key for metric in study.metrics],
            "seeds": seeds,
            "version": metadata.version("prosumax"),
        }
        file = None if checkpoint_dir is None else checkpoint_dir / f"{position + 1:02}.json"
        kept = _read_checkpoint(file, identity)
        if kept is not None:
            values.append(kept)
            series.append(())
            continue
        stage = f"{variant.group}: {variant.name}, {seeds} seeds"

        def report(share: float, stage: str = stage, position: int = position) -> None:
            on_progress(stage, (position + share) / len(study.variants))

        report(0.0)
        runs = _run_variant(study, variant, numbers, report)
        values.append([[metric.evaluate(run) for run in runs] for metric in study.metrics])
        series.append(tuple(run.summary_series for run in runs if hasattr(run, "summary_series")))
        if file is not None and not series[-1]:
            content = {"variant": identity, "values": values[-1]}
            write_text(file, json.dumps(content, default=str))
    return StudyResult(name, study, numbers, np.array(values), tuple(series))


def _read_checkpoint(file: Path | None, identity: Mapping[str, object]) -> list[list[float]] | None:
    """Read the metrics of a finished variant; None where there are none of the same settings."""
    if file is None or not file.is_file():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    same = content["variant"] == json.loads(json.dumps(identity, default=str))
    return content["values"] if same else None


def _run_variant(
    study: Study, variant: Variant, seeds: Sequence[int], on_progress: StudyProgress
) -> Sequence[PyTree]:
    if study.run_batch is not None:
        return study.run_batch(variant.settings, seeds, on_progress)
    assert study.sample_community is not None
    return run_seeds([study.sample_community(variant.settings, seed) for seed in seeds])


def run_seeds(samples: Sequence[CommunitySample]) -> list[Result]:
    """Run communities of one shape at once, each with the seed of its scenario.

    Args:
        samples: Communities with the same homes, policies and kind of network.
    """
    enable_compilation_cache()
    communities = [assemble(*sample) for sample in samples]
    first = samples[0].scenario
    policy = assemble_policy([home.policy or first.policy for home in first.homes])
    keys = jax.vmap(jax.random.key)(jnp.array([sample.scenario.seed for sample in samples]))
    batch = _rollouts(stack_communities(communities), policy, keys)
    trajectories: Trajectory = jax.tree.map(np.asarray, batch)

    def summarize_seed(at: int) -> Result:
        trajectory = jax.tree.map(lambda leaf: leaf[at], trajectories)
        return summarize_with_optimality(*samples[at], communities[at], trajectory, {})

    return [summarize_seed(at) for at in range(len(samples))]


_rollouts = jax.jit(jax.vmap(rollout_policy, in_axes=(0, None, 0)))


def stack_communities(communities: Sequence[Community]) -> Community:
    """Stack communities of one shape along a leading axis.

    Args:
        communities: Communities whose arrays have the same shapes, but for the tables of network
            paths, which are padded to the longest.
    """
    longest = max((_path_length(community) for community in communities), default=0)
    padded = [_pad_paths(community, longest) for community in communities]
    stacked: Community = jax.tree.map(lambda *leaves: jnp.stack(leaves), *padded)
    return stacked


def _path_length(community: Community) -> int:
    """Return the length of the path tables, which depends on line lengths and placement."""
    network = community.network
    if network is None:
        return 0
    if isinstance(network.paths, TablePaths):
        return network.paths.path_branches.shape[-1]
    return network.paths.ancestor.shape[0]


def _pad_paths(community: Community, length: int) -> Community:
    """Pad the path tables to a length; padded entries are never read."""
    network = community.network
    if network is None:
        return community
    paths = network.paths
    missing = length - _path_length(community)
    if isinstance(paths, TablePaths):
        no_branch = paths.zero_flow.shape[0]
        widths = ((0, 0), (0, 0), (0, missing))
        branches = jnp.pad(paths.path_branches, widths, constant_values=no_branch)
        return community._replace(
            network=network._replace(paths=paths._replace(path_branches=branches))
        )
    ancestor = jnp.pad(paths.ancestor, ((0, missing), (0, 0)))
    return community._replace(network=network._replace(paths=paths._replace(ancestor=ancestor)))


def reference_positions(variants: Sequence[Variant]) -> list[int | None]:
    """Return the position of the reference variant of each variant.

    It is the first of the group of the variant, for the first of a group the first of all, and None
    for the first of all.
    """
    groups = [variant.group for variant in variants]
    positions: list[int | None] = []
    for position, group in enumerate(groups):
        first = groups.index(group)
        if position == 0:
            positions.append(None)
        elif position == first:
            positions.append(0)
        else:
            positions.append(first)
    return positions
