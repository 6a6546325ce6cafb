"""Page 3: a community, its sharing rule and a period, and the results."""

import asyncio
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from nicegui import Client, ui

from prosumax.web import kit
from prosumax.web.jobs.queue import JobRejectedError, JobStatus
from prosumax.web.model import state
from prosumax.web.model.communities import (
    MIN_HOMES,
    community_homes,
    needs_training,
    to_job_spec,
)
from prosumax.web.model.outcome import CommunityOutcome, CurveDetails, Exploration
from prosumax.web.model.translations import Translator
from prosumax.web.model.view import PageView
from prosumax.web.pages.community_controls import CommunityControls
from prosumax.web.pages.community_results import CommunityResults
from prosumax.web.server.services import get_services
from prosumax.web.server.uploads import rate_limit_address

_POLL_S = 0.1
_MAX_SAVED_RUNS = 4
TRAINING_S = 45
"""Approximate duration of a training, which is displayed before it starts."""
_YEAR_S = 3


def build(view: PageView[state.CommunityPageState], banner: kit.Banner) -> None:
    """Build the page.

    Args:
        view: View of the page.
        banner: Banner above the content.
    """
    _Page(view, banner)


class _Page:
    """Controls and results of one tab, and the job that runs for it."""

    def __init__(self, view: PageView[state.CommunityPageState], banner: kit.Banner) -> None:
        self.view = view
        self.banner = banner
        self.tr = view.tr
        self.owner = view.client.id
        self.token: str | None = None
        self.job: str | None = None
        self.running_spec: dict[str, object] | None = None
        self.run_again = False
        self.shown: tuple[dict[str, object], CommunityOutcome] | None = None
        tr = view.tr
        kit.Text("h1", tr("community.title"))
        kit.Sentence(tr("community.lead"), classes="x-lead")
        with kit.tag("div", "x-page x-community"):
            with kit.tag("div", "x-stack x-controls"):
                self.controls = CommunityControls(view, self.on_change, self.on_file)
                with kit.tag("section", "x-card", aria_label=tr("community.run")):
                    self._add_run_controls()
            self.results = CommunityResults(view, self.explore)
        self.timer = ui.timer(_POLL_S, self.poll, active=False)
        self.set_busy(False)
        view.client.on_delete(self.on_close)
        self.open()
        ui.timer(0.2, self.restore_saved_runs, once=True)

    def _add_run_controls(self) -> None:
        tr = self.tr
        self.run_button = kit.button(tr("community.run"), self.run, "primary", data_testid="run")
        self.keep_button = kit.button(tr("community.keep"), self.save_run, data_testid="keep")
        self.stop_button = kit.button(tr("community.stop"), self.cancel, data_testid="stop")
        self.hint = kit.set_attributes(kit.Text("p", "", "x-hint"), data_testid="run-hint")
        self.progress = kit.ProgressBar(tr("community.run"), "progress")
        self.error = kit.Text("p", "", "x-error")
        kit.set_attributes(self.error, role="alert", data_testid="run-error")
        self.error.set_visibility(False)

    def open(self) -> None:
        """Show results that exist already: those of a job in the URL, or a cached result."""
        jobs = get_services().jobs
        job = self.view.client.request.query_params.get("job", "")
        status = jobs.status(job, self.owner) if job else None
        if status is not None and self.view.state.preset != "file":
            public_spec = jobs.public_spec(job)
            spec = to_job_spec(self.view.state)
            if public_spec is not None and public_spec[1] == spec:
                if jobs.owner_of(job) not in Client.instances:
                    jobs.reassign(job, self.owner)
                self.job = job
                self.running_spec = spec
                self.set_busy(True)
                self.poll()
                return
        self.on_change()

    async def restore_saved_runs(self) -> None:
        """Restore the saved runs of this tab whose results are still cached."""
        script = "JSON.parse(sessionStorage.getItem('kept') ?? '[]')"
        try:
            urls = await ui.run_javascript(script, timeout=3)
        except TimeoutError:
            return
        for url in urls[:_MAX_SAVED_RUNS] if isinstance(urls, list) else []:
            query = dict(parse_qsl(urlsplit(str(url)[:2000]).query))
            community, _ = state.parse_query(state.CommunityPageState, query)
            if community.preset == "file":
                continue
            spec = to_job_spec(community)
            kind = "train" if needs_training(community) else "run"
            outcome = get_services().jobs.cached_result(kind, spec)
            if outcome is not None:
                self.results.add_saved_run(spec, cast(CommunityOutcome, outcome))

    def on_change(self) -> None:
        """Handle a changed setting: short runs start immediately."""
        problem = self.find_problem()
        self.update_run_button(problem)
        if problem is not None:
            self.results.show_empty(problem)
            return
        outcome = get_services().jobs.cached_result(self.kind, self.spec)
        if outcome is not None and not self.private:
            self.show(self.spec, cast(CommunityOutcome, outcome))
        elif not needs_training(self.view.state) and self.view.state.period != "year":
            self.run()
        elif self.shown is None:
            self.results.show_empty(self.tr("community.press_run"))
        else:
            self.results.set_outdated(True)

    @property
    def private(self) -> bool:
        """True if the run uses data of the visitor."""
        return self.view.state.preset == "file"

    @property
    def kind(self) -> str:
        """Kind of the job."""
        return "train" if needs_training(self.view.state) else "run"

    @property
    def spec(self) -> dict[str, object]:
        """Specification of the job."""
        folder = get_services().uploads.folder(self.token) if self.token else None
        return to_job_spec(self.view.state, folder)

    @property
    def address(self) -> str | None:
        """Address by which the visitor's jobs are counted."""
        request = self.view.client.request
        return rate_limit_address(request.client.host if request.client else None)

    def find_problem(self) -> str | None:
        """Return why this community cannot be run, or None if it can."""
        community = self.view.state
        if community.preset == "own" and len(community_homes(community)) < MIN_HOMES:
            return self.tr("community.add_two")
        if community.preset == "file":
            data = get_services().uploads.get(self.token) if self.token else None
            if data is None:
                return self.tr("community.file_gone" if self.token else "upload.title")
            if len(data.names) < MIN_HOMES:
                return self.tr("community.file_one")
        return None

    def update_run_button(self, problem: str | None) -> None:
        """Update the label of the run button and the hint under it.

        Args:
            problem: Why the community cannot be run; None if it can.
        """
        training = needs_training(self.view.state)
        if training:
            label = self.tr("community.run_about", seconds=TRAINING_S)
            hint = self.tr("community.trains", seconds=TRAINING_S)
        else:
            is_year = self.view.state.period == "year"
            label = self.tr("community.run")
            if is_year:
                label = self.tr("community.run_about", seconds=_YEAR_S)
            hint = self.tr("community.quick")
        self.run_button.set_text(label)
        disabled = problem is not None or self.job is not None
        kit.set_attributes(self.run_button, disabled=disabled)
        self.hint.set_text(problem or hint)

    def run(self) -> None:
        """Submit a run of the current settings."""
        if self.find_problem() is not None:
            return
        if self.job is not None:
            self.run_again = True  # The current settings run after the running job.
            return
        self.error.set_visibility(False)
        spec = self.spec
        queue = "long" if self.kind == "train" else "quick"
        try:
            self.job = get_services().jobs.submit(
                queue,
                self.kind,
                spec,
                owner=self.owner,
                address=self.address,
                private=self.private,
            )
        except JobRejectedError as rejected:
            key: str = rejected.reason
            if key == "queue_full" and queue == "quick":
                key = "queue_full_quick"
            self.show_error(self.tr(f"community.{key}"))
            return
        self.running_spec = spec
        self.set_busy(True)
        if queue == "long" and not self.private:
            ui.navigate.history.replace(f"{self.view.url}&job={self.job}")
        self.poll()

    def poll(self) -> None:
        """Show the progress of the job, or its result."""
        if self.job is None:
            return
        status = get_services().jobs.status(self.job, self.owner)
        if status is not None and not status.finished:
            self.progress.show(status.progress, stage_text(self.tr, status))
            if "curve" in status.details:
                details = cast(CurveDetails, status.details)
                self.results.show_learning_curve(
                    details["curve_rounds"],
                    details["curve"],
                    int(details["rounds"]),
                    details["curve_metric"],
                )
            return
        spec = self.running_spec
        self.job = None
        self.set_busy(False)
        if status is None or status.state == "cancelled":
            self.show_error(self.tr("community.stopped"))
        elif status.state == "done" and spec is not None:
            self.show(spec, cast(CommunityOutcome, status.result), status.id)
        else:
            self.show_error(failure_text(self.tr, status))
        if self.run_again:
            self.run_again = False
            self.on_change()

    def set_busy(self, busy: bool) -> None:
        """Show or hide the controls of a running job.

        Args:
            busy: Whether a job is running.
        """
        self.timer.active = busy
        self.progress.box.set_visibility(busy)
        self.stop_button.set_visibility(busy)
        if busy:
            self.progress.show(0.0, self.tr("community.waiting"))
        self.update_run_button(self.find_problem())
        self.results.set_outdated(busy)

    def show(
        self, spec: dict[str, object], outcome: CommunityOutcome, job: str | None = None
    ) -> None:
        """Show the outcome of a run.

        Args:
            spec: Specification of the job.
            outcome: Outcome of the run.
            job: Id of the job, for downloads.
        """
        self.error.set_visibility(False)
        self.shown = (spec, outcome)
        self.results.show(outcome, spec, None if self.private else job)

    def show_error(self, text: str) -> None:
        """Show an error; earlier results stay visible.

        Args:
            text: Translated message.
        """
        self.error.set_text(text)
        self.error.set_visibility(True)
        self.results.set_outdated(False)

    def cancel(self) -> None:
        """Cancel the running job."""
        if self.job is not None:
            self.run_again = False
            get_services().jobs.cancel(self.job, self.owner)

    def save_run(self) -> None:
        """Save the shown run for comparison."""
        if self.shown is not None:
            self.results.save_run(*self.shown)

    async def explore(self) -> None:
        """Search for a home that would gain by another policy."""
        if self.shown is None or self.job is not None:
            return
        jobs = get_services().jobs
        spec = self.shown[0]
        try:
            job = jobs.submit(
                "quick",
                "explore",
                spec,
                owner=self.owner,
                address=self.address,
                private=self.private,
            )
        except JobRejectedError:
            self.show_error(self.tr("community.queue_full_quick"))
            return
        while (status := jobs.status(job, self.owner)) is not None and not status.finished:
            self.results.show_exploration_status(stage_text(self.tr, status))
            await asyncio.sleep(_POLL_S)
        if status is None:
            return
        if status.state == "done" and self.shown is not None and self.shown[0] == spec:
            self.results.show_exploration(cast(Exploration, status.result))
        elif status.state == "failed":
            self.results.show_exploration_status(failure_text(self.tr, status))

    def on_close(self) -> None:
        """Delete the visitor's file when the tab is closed."""
        if self.token is not None:
            get_services().uploads.delete(self.token)
            get_services().jobs.forget_owner(self.owner)

    def on_file(self, token: str | None) -> None:
        """Handle an uploaded or deleted file.

        Args:
            token: Token of the new file; None when the file was deleted.
        """
        self.on_close()
        self.token = token
        self.view.own_data = token is not None
        self.banner.show(self.tr("community.own_file") if token is not None else "")
        self.on_change()


def stage_text(tr: Translator, status: JobStatus) -> str:
    """Describe the current stage of a job and its remaining time.

    Args:
        tr: Translator of the page's language.
        status: Status of the job.
    """
    if status.state == "waiting":
        if status.jobs_ahead:
            return tr("community.stage_waiting", n=status.jobs_ahead)
        return tr("community.stage_next")
    values = {
        name: value
        for name, value in status.details.items()
        if isinstance(value, int | float | str)
    }
    text = tr(f"community.stage_{status.stage}", **values)
    if status.remaining_s is None or status.remaining_s < 2:
        return text
    left = tr("community.left", seconds=tr.number(status.remaining_s))
    return f"{text.removesuffix('…')}, {left}"


def failure_text(tr: Translator, status: JobStatus) -> str:
    """Describe why a job failed, without a stack trace.

    Args:
        tr: Translator of the page's language.
        status: Status of the job.
    """
    if status.error == "invalid_input" and status.input_error is not None:
        where, problem, fix = status.input_error
        return tr("community.invalid_input", what=f"{where}: {problem.rstrip('.')}. {fix}")
    key = "community.timeout" if status.error == "timeout" else "community.failed"
    return tr(key, code=status.code or "")
