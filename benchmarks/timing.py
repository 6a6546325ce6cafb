"""Shared pieces of the benchmarks: command line, machine, and fair timing."""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a command line with the option that all benchmarks share.

    Args:
        description: Docstring of the benchmark.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--toy", action="store_true", help="smallest size, one repetition: checks that it runs"
    )
    return made


def machine() -> str:
    """Describe the machine and the versions in one line."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    return (
        f"jax {jax.__version__}, Python {platform.python_version()},"
        f" {jax.devices()[0].device_kind}, {cores} cores, load {os.getloadavg()[0]:.1f}"
    )


def seconds_of(run: Callable[[], Any]) -> float:
    """Time one call, results included."""
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def alternate(runs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Time several calls in turns, so that a change of the machine's speed affects all alike.

    Args:
        runs: Calls by name; each is called once before the clock starts.
        rounds: Number of times that each is timed.

    Returns:
        Seconds of every round by name.
    """
    for run in runs.values():
        jax.block_until_ready(run())
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(seconds_of(run))
    return seconds


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Return the median over rounds of the ratio of two calls that were timed in turns."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))
