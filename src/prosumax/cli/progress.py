"""Progress bars of the commands, shown on stderr and removed when the work is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from prosumax.optimization.program import ProgressCallback
    from prosumax.rl.training.training import ProgressCallback as TrainingCallback
    from prosumax.rl.training.training import TrainingProgress

_console = Console(stderr=True)


@contextmanager
def stage_progress() -> "Iterator[ProgressCallback]":
    """Show the current stage of a run and its remaining time.

    Yields:
        Callback that takes the name of a stage and the completed share of the work.
    """
    started_at = time.perf_counter()
    with _progress_bar("Starting") as (progress, task):

        def on_progress(stage: str, done: float) -> None:
            description = stage
            if done > 0:
                remaining_s = (time.perf_counter() - started_at) * (1 - done) / done
                if remaining_s:
                    description += f", about {remaining_s:.0f} s left"
            progress.update(task, description=description, completed=done)

        yield on_progress


@contextmanager
def training_progress() -> "Iterator[TrainingCallback]":
    """Show iterations and metrics of a training.

    Yields:
        Callback that takes a `TrainingProgress`.
    """
    with _progress_bar("Reading, compiling") as (progress, task):

        def on_progress(training: "TrainingProgress") -> None:
            completed = training.iteration / training.iterations
            progress.update(task, description=_describe(training), completed=completed)

        yield on_progress


def _describe(training: "TrainingProgress") -> str:
    metrics = training.metrics
    parts = [
        f"{training.iteration}/{training.iterations}",
        f"reward {metrics['reward']:.3f}",
        f"validation {metrics['validation']:.3f}",
        f"cost {metrics['cost']:.2f}",
    ]
    entropy = metrics["entropy"]
    if entropy == entropy:  # NaN for algorithms without entropy
        parts.append(f"entropy {entropy:.2f}")
    parts.append(f"{training.steps_per_second / 1000:,.0f} k steps/s")
    if training.iteration < training.iterations:
        parts.append(f"about {training.seconds_left:.0f} s left")
    else:
        parts.append("evaluating on test days")
    return ", ".join(parts)


@contextmanager
def _progress_bar(description: str) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    disable = not _console.is_terminal
    with Progress(*columns, console=_console, transient=True, disable=disable) as progress:
        yield progress, progress.add_task(description, total=1.0)
