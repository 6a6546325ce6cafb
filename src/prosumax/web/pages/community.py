"""Page 3: a community, its rule, a period; and what comes of it."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nicegui import Client, ui

from prosumax.web import kit
from prosumax.web.jobs.queue import Refused, Seen
from prosumax.web.model import state
from prosumax.web.model.communities import FEWEST_HOMES, asked, homes_of, needs_training
from prosumax.web.model.outcome import Outcome
from prosumax.web.model.translations import Words
from prosumax.web.model.view import View
from prosumax.web.pages.community_controls import Controls
from prosumax.web.pages.community_results import Results
from prosumax.web.server.services import services
from prosumax.web.server.uploads import counted_address

_LOOK_S = 0.1
TRAINING_S = 45
"""What a training takes, about; told before it is begun."""
_YEAR_S = 3


def build(view: View[state.Community], banner: kit.Banner) -> None:
    """Lay the page out."""
    _Page(view, banner)


class _Page:
    """What is open in one tab: what was set, the job that runs for it, and what is shown."""

    def __init__(self, view: View[state.Community], banner: kit.Banner) -> None:
        self.view, self.banner, self.words = view, banner, view.words
        self.owner = view.client.id
        self.token: str | None = None
        self.job: str | None = None
        self.running: dict[str, Any] | None = None
        self.again = False
        self.shown: tuple[dict[str, Any], Outcome] | None = None
        words = view.words
        kit.Text("h1", words("community.title"))
        kit.Sentence(words("community.lead"), classes="x-lead")
        with kit.tag("div", "x-page x-community"):
            with kit.tag("div", "x-stack x-controls"):
                self.controls = Controls(view, self.changed, self.took)
                with kit.tag("section", "x-card", aria_label=words("community.run")):
                    self.run_button = kit.button(
                        words("community.run"), self.run, "primary", data_testid="run"
                    )
                    self.keep_button = kit.button(
                        words("community.keep"), self.keep, data_testid="keep"
                    )
                    self.stop_button = kit.button(
                        words("community.stop"), self.stop, data_testid="stop"
                    )
                    self.hint = kit.attributes(kit.Text("p", "", "x-hint"), data_testid="run-hint")
                    self.progress = kit.Progress(words("community.run"), "progress")
                    self.error = kit.attributes(
                        kit.Text("p", "", "x-error"), role="alert", data_testid="run-error"
                    )
            self.results = Results(view, self.explore)
        self.error.set_visibility(False)
        self.timer = ui.timer(_LOOK_S, self.look, active=False)
        self.busy(False)
        view.client.on_delete(self.gone)
        self.open()
        ui.timer(0.2, self.recall, once=True)

    def open(self) -> None:
        """Show what is known at once: a job by its id, or the answer to what is set."""
        job = self.view.client.request.query_params.get("job", "")
        seen = services().jobs.see(job, self.owner) if job else None
        if seen is not None and self.view.state.preset != "file":
            question = services().jobs.question(job)
            if question is not None and question[1] == asked(self.view.state):
                if services().jobs.owner(job) not in Client.instances:
                    services().jobs.adopt(job, self.owner)
                self.job, self.running = job, question[1]
                self.busy(True)
                self.look()
                return
        self.changed()

    async def recall(self) -> None:
        """Kept runs of this tab, as far as their answers are still known."""
        try:
            queries = await ui.run_javascript(
                "JSON.parse(sessionStorage.getItem('kept') ?? '[]')", timeout=3
            )
        except TimeoutError:
            return
        for query in queries[:4] if isinstance(queries, list) else []:
            kept, _ = state.read(
                state.Community, dict(parse_qsl(urlsplit(str(query)[:2000]).query))
            )
            if kept.preset == "file":
                continue
            spec = asked(kept)
            answer = services().jobs.answer("train" if needs_training(kept) else "run", spec)
            if answer is not None:
                self.results.take(spec, answer)

    def changed(self) -> None:
        """Something was set: run it if that is a matter of a moment."""
        problem = self.problem()
        self.say_run(problem)
        if problem is not None:
            self.results.nothing(problem)
            return
        answer = services().jobs.answer(self.kind, self.spec)
        if answer is not None and not self.private:
            self.show(self.spec, answer)
        elif not needs_training(self.view.state) and self.view.state.period != "year":
            self.run()
        elif self.shown is None:
            self.results.nothing(self.words("community.press_run"))
        else:
            self.results.stale(True)

    @property
    def private(self) -> bool:
        """Whether the run rests on the visitor's own data."""
        return self.view.state.preset == "file"

    @property
    def kind(self) -> str:
        """Of the job."""
        return "train" if needs_training(self.view.state) else "run"

    @property
    def spec(self) -> dict[str, Any]:
        """What a worker must know."""
        folder = services().uploads.folder(self.token) if self.token else None
        return asked(self.view.state, folder)

    @property
    def address(self) -> str | None:
        """By which the visitor's jobs are counted."""
        request = self.view.client.request
        return counted_address(request.client.host if request.client else None)

    def problem(self) -> str | None:
        """Why this community cannot be run, in words; None if it can."""
        now = self.view.state
        if now.preset == "own" and len(homes_of(now)) < FEWEST_HOMES:
            return self.words("community.add_two")
        if now.preset == "file":
            found = services().uploads.get(self.token) if self.token else None
            if found is None:
                return (
                    self.words("community.file_gone") if self.token else self.words("upload.title")
                )
            if len(found.names) < FEWEST_HOMES:
                return self.words("community.file_one")
        return None

    def say_run(self, problem: str | None) -> None:
        """Label of the button, and the line under it."""
        now = self.view.state
        seconds = TRAINING_S if needs_training(now) else _YEAR_S if now.period == "year" else 0
        text = (
            self.words("community.run_about", seconds=seconds)
            if seconds
            else self.words("community.run")
        )
        self.run_button.set_text(text)
        kit.attributes(self.run_button, disabled=problem is not None or self.job is not None)
        self.hint.set_text(
            problem
            or (
                self.words("community.trains", seconds=seconds)
                if needs_training(now)
                else self.words("community.quick")
            )
        )

    def run(self) -> None:
        """Ask for a run of what is set."""
        if self.problem() is not None:
            return
        if self.job is not None:
            self.again = True  # what is set now comes after what runs
            return
        self.error.set_visibility(False)
        spec, lane = self.spec, "long" if self.kind == "train" else "quick"
        try:
            self.job = services().jobs.submit(
                lane, self.kind, spec, owner=self.owner, address=self.address, private=self.private
            )
        except Refused as refused:
            reason = {
                "full": "full" if lane == "long" else "full_quick",
                "own": "own_job",
                "address": "address",
            }
            self.fail(self.words(f"community.{reason[refused.reason]}"))
            return
        self.running = spec
        self.busy(True)
        if lane == "long" and not self.private:
            ui.navigate.history.replace(f"{self.view.url}&job={self.job}")
        self.look()

    def look(self) -> None:
        """How the job stands."""
        if self.job is None:
            return
        seen = services().jobs.see(self.job, self.owner)
        if seen is not None and not seen.over:
            share, text = seen.done, stage_text(self.words, seen)
            self.progress.show(share, text)
            if "curve" in seen.more:
                more = seen.more
                self.results.learning(
                    more["curve_rounds"], more["curve"], int(more["rounds"]), more["curve_of"]
                )
            return
        spec, self.job = self.running, None
        self.busy(False)
        if seen is None:
            self.fail(self.words("community.stopped"))
        elif seen.state == "done" and spec is not None:
            self.show(spec, seen.result, seen.id)
        elif seen.state == "stopped":
            self.fail(self.words("community.stopped"))
        else:
            self.fail(failure_text(self.words, seen))
        if self.again:
            self.again = False
            self.changed()

    def busy(self, on: bool) -> None:
        """Show or hide what belongs to a running job."""
        self.timer.active = on
        self.progress.box.set_visibility(on)
        self.stop_button.set_visibility(on)
        if on:
            self.progress.show(0.0, self.words("community.waiting"))
        self.say_run(self.problem())
        self.results.stale(on)

    def show(self, spec: dict[str, Any], outcome: Outcome, job: str | None = None) -> None:
        """A run is there."""
        self.error.set_visibility(False)
        self.shown = (spec, outcome)
        self.results.show(outcome, spec, None if self.private else job)

    def fail(self, text: str) -> None:
        """Say what went wrong; what was shown stays."""
        self.error.set_text(text)
        self.error.set_visibility(True)
        self.results.stale(False)

    def stop(self) -> None:
        """End the job."""
        if self.job is not None:
            self.again = False
            services().jobs.stop(self.job, self.owner)

    def keep(self) -> None:
        """Put what is shown beside others."""
        if self.shown is not None:
            self.results.keep(*self.shown)

    async def explore(self) -> None:
        """Find out whether a home would gain by deciding in another way."""
        if self.shown is None or self.job is not None:
            return
        jobs, spec = services().jobs, self.shown[0]
        try:
            job = jobs.submit(
                "quick",
                "explore",
                spec,
                owner=self.owner,
                address=self.address,
                private=self.private,
            )
        except Refused:
            self.fail(self.words("community.full_quick"))
            return
        while (seen := jobs.see(job, self.owner)) is not None and not seen.over:
            self.results.exploring(stage_text(self.words, seen))
            await asyncio.sleep(_LOOK_S)
        if (
            seen is not None
            and seen.state == "done"
            and self.shown is not None
            and self.shown[0] == spec
        ):
            self.results.explored(seen.result)
        elif seen is not None and seen.state == "failed":
            self.results.exploring(failure_text(self.words, seen))

    def gone(self) -> None:
        """The tab is closed: nobody can come back to its file."""
        if self.token is not None:
            services().uploads.delete(self.token)
            services().jobs.forget(self.owner)

    def took(self, token: str | None) -> None:
        """The visitor's file was taken, or deleted."""
        if self.token is not None:
            services().uploads.delete(self.token)
            services().jobs.forget(self.owner)
        self.token = token
        self.view.own_data = token is not None
        self.banner.show(self.words("community.own_file") if token is not None else "")
        self.changed()


def stage_text(words: Words, seen: Seen) -> str:
    """What a job is at, and how long it still takes."""
    if seen.state == "waiting":
        return (
            words("community.stage_waiting", n=seen.ahead)
            if seen.ahead
            else words("community.stage_next")
        )
    numbers = {
        name: value for name, value in seen.more.items() if isinstance(value, int | float | str)
    }
    text = words(f"community.stage_{seen.stage}", **numbers)
    if seen.left_s is None or seen.left_s < 2:
        return text
    left = words("community.left", seconds=words.number(seen.left_s))
    return f"{text.removesuffix('…')}, {left}"


def failure_text(words: Words, seen: Seen) -> str:
    """Why a job failed, without a trace."""
    if seen.error == "refused" and seen.said is not None:
        return words("community.refused", what=f"{seen.said[1]} ({seen.said[0]}). {seen.said[2]}")
    return words(
        "community.late" if seen.error == "late" else "community.failed", code=seen.code or ""
    )
