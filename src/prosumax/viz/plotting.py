"""Charts of a result as methods: `result.plot.bills()`."""

from typing import Protocol

from prosumax.errors import InputError, did_you_mean
from prosumax.plugins import explain_missing
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, charts
from prosumax.viz.indicators.indicators import analysis_runs
from prosumax.viz.language import ENGLISH, Language
from prosumax.viz.theme import THEME, Theme


class ChartMethod(Protocol):
    """Method of a chart."""

    def __call__(
        self, *, theme: Theme = THEME, language: Language | str = ENGLISH, **options: object
    ) -> Figure:
        """Draw the chart."""


class ResultPlots:
    """Charts of one run.

    Each chart of a run is a method, such as `result.plot.bills()` or
    `result.plot.mean_day(season="winter")`; `dir(result.plot)` lists them. A method returns a
    `Figure`, which a notebook shows and `.save("bills.svg")` writes.

    Args:
        result: The run.
    """

    def __init__(self, result: Result) -> None:
        self._result = result

    def __call__(
        self,
        chart: str,
        *,
        theme: Theme = THEME,
        language: Language | str = ENGLISH,
        **options: object,
    ) -> Figure:
        """Draw a chart by its name.

        Args:
            chart: Name of the chart.
            theme: Colors, dashes and fonts.
            language: Language of texts and numbers, or its code.
            **options: Options of the chart.

        Raises:
            InputError: There is no such chart, or the run has nothing for it to draw.
        """
        definition = _run_charts().get(chart)
        if definition is None:
            raise InputError(
                "plot", f"there is no chart {chart!r} of a run", did_you_mean(chart, _run_charts())
            )
        source = analysis_runs(self._result) if definition.source == "runs" else self._result
        figure = definition.draw(source, theme=theme, language=language, **options)
        if figure is None:
            raise InputError(
                f"plot.{chart}",
                f"the run {self._result.scenario.name!r} has nothing to draw",
                f"The chart shows: {definition.title.lower()}.",
            )
        return figure

    def __getattr__(self, name: str) -> ChartMethod:
        """Return the method of a chart."""
        definition = _run_charts().get(name)
        if definition is None:
            removed, fix = explain_missing(name, ("prosumax.charts",), "chart")
            cause = f"; {removed}" if removed else ""
            suggestion = fix if removed else f"{did_you_mean(name, _run_charts())} {fix}".strip()
            raise AttributeError(f"a run has no chart {name!r}{cause}. {suggestion}")

        def plot(
            *, theme: Theme = THEME, language: Language | str = ENGLISH, **options: object
        ) -> Figure:
            return self(name, theme=theme, language=language, **options)

        plot.__name__ = name
        plot.__doc__ = f"{definition.title}.\n\n{definition.data.__doc__ or ''}"
        return plot

    def __dir__(self) -> list[str]:
        """Return the names of all charts of a run."""
        return sorted({*super().__dir__(), *_run_charts()})


def _run_charts() -> dict[str, Chart]:
    """Return the charts that take a run, by name."""
    available = {name: charts.get(name, "plot") for name in charts}
    return {name: chart for name, chart in available.items() if chart.source in ("result", "runs")}
