"""The queue in front of the worker processes."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prosumax.web.jobs.queue import Jobs, Refused, Seen, fingerprint
from prosumax.web.jobs.worker_pool import Lane


@pytest.fixture(scope="module")
def jobs() -> Iterator[Jobs]:
    sys.path.insert(
        0, here := str(Path(__file__).parent)
    )  # a spawned process looks where this one does
    made = Jobs("stand_in:perform", (Lane("quick", room=8, most_s=3), Lane("long", room=2)))
    made.start()
    yield made
    made.close()
    sys.path.remove(here)


def until(look: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def finished(jobs: Jobs, job: str, owner: str | None = None) -> Seen:
    until(lambda: (seen := jobs.see(job, owner)) is not None and seen.over)
    seen = jobs.see(job, owner)
    assert seen is not None
    return seen


def test_a_job_is_answered_and_the_same_question_at_once(jobs: Jobs) -> None:
    first = finished(jobs, jobs.submit("quick", "echo", {"a": 1, "b": 2}, owner="ada"))
    assert first.state == "done" and first.result == {"said": {"a": 1, "b": 2}}
    again = jobs.see(jobs.submit("quick", "echo", {"b": 2, "a": 1}, owner="ben"))
    assert again is not None and again.state == "done" and again.result == first.result


def test_progress_rises_strictly_and_says_what_is_done(jobs: Jobs) -> None:
    job = jobs.submit("quick", "falls", None, owner="ada")
    shown = []
    while (seen := jobs.see(job)) is not None and not seen.over:
        if seen.stage == "training" and (not shown or seen.done != shown[-1]):
            shown.append(seen.done)
        time.sleep(0.01)
    assert len(shown) == 4 and shown == sorted(set(shown)) and shown[-1] < 1


def test_stop_ends_a_job_within_a_second_whether_it_listens_or_not(jobs: Jobs) -> None:
    for kind, spec in (("steps", {"steps": 100, "seconds": 0.1}), ("deaf", 30)):
        job = jobs.submit("long", kind, spec, owner="ada")
        until(lambda job=job: jobs.see(job).state == "running")  # type: ignore[union-attr]
        before = time.monotonic()
        jobs.stop(job, "somebody else")
        jobs.stop(job, "ada")
        assert finished(jobs, job).state == "stopped"
        assert time.monotonic() - before < 1.0
    assert finished(jobs, jobs.submit("long", "echo", "after", owner="ada")).state == "done"


def test_the_queue_has_an_end_and_says_how_many_come_first(jobs: Jobs) -> None:
    slow = {"steps": 50, "seconds": 0.05}
    names = [jobs.submit("long", "steps", slow, owner="o0")]
    until(lambda: jobs.see(names[0]).state == "running")  # type: ignore[union-attr]
    names += [jobs.submit("long", "steps", slow, owner=f"o{number}") for number in (1, 2)]
    with pytest.raises(Refused, match="full"):
        jobs.submit("long", "steps", slow, owner="o3")
    with pytest.raises(Refused, match="own"):
        jobs.submit("long", "steps", slow, owner="o1")
    assert [jobs.see(name).ahead for name in names] == [0, 1, 2]  # type: ignore[union-attr]
    # Another lane does not wait.
    assert finished(jobs, jobs.submit("quick", "echo", "meanwhile", owner="o1")).state == "done"
    for number, name in enumerate(names):
        jobs.stop(name, f"o{number}")
    assert all(finished(jobs, name).state == "stopped" for name in names)


def test_an_address_has_three_jobs_and_this_machine_is_not_counted(jobs: Jobs) -> None:
    slow = {"steps": 50, "seconds": 0.05}
    names = [
        jobs.submit("quick", "steps", slow, owner=f"a{n}", address="192.0.2.7") for n in range(3)
    ]
    with pytest.raises(Refused, match="address"):
        jobs.submit("quick", "steps", slow, owner="a3", address="192.0.2.7")
    names += [jobs.submit("quick", "steps", slow, owner=f"a{n}") for n in range(4, 8)]
    for number, name in zip((0, 1, 2, 4, 5, 6, 7), names, strict=True):
        jobs.stop(name, f"a{number}")
        finished(jobs, name)


def test_a_killed_process_is_told_with_a_code_and_the_next_job_runs(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        job = jobs.submit("quick", "deaf", 30, owner="ada")
        until(lambda: jobs.see(job).state == "running")  # type: ignore[union-attr]
        pid = jobs.process("quick")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        seen = finished(jobs, job)
    assert (seen.state, seen.error) == ("failed", "died")
    assert seen.code is not None and len(seen.code) == 4 and seen.code in caplog.text
    assert finished(jobs, jobs.submit("quick", "echo", "next", owner="ada")).state == "done"
    assert jobs.process("quick") != pid


def test_a_failure_shows_no_trace_but_the_log_has_it(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        broken = finished(jobs, jobs.submit("quick", "break", None, owner="ada"))
    assert broken.error == "broke" and "secret" not in repr(broken)
    assert "secret path" in caplog.text and broken.code is not None and broken.code in caplog.text
    refused = finished(jobs, jobs.submit("quick", "refuse", None, owner="ada"))
    assert refused.said == ("homes", "there are none", "Add one.")


def test_a_job_without_end_is_ended(jobs: Jobs) -> None:
    assert finished(jobs, jobs.submit("quick", "deaf", 60, owner="ada")).error == "late"


def test_own_data_is_seen_by_its_owner_only_and_not_remembered(jobs: Jobs) -> None:
    job = jobs.submit("quick", "echo", "mine", owner="ada", private=True)
    assert finished(jobs, job, "ada").result == {"said": "mine"}
    assert jobs.see(job) is None and jobs.see(job, "ben") is None
    assert jobs.answer("echo", "mine") is None
    jobs.forget("ada")
    assert jobs.see(job, "ada").result is None  # type: ignore[union-attr]


def test_the_same_question_has_one_fingerprint() -> None:
    assert fingerprint("run", {"a": 1, "b": [1, 2]}) == fingerprint("run", {"b": [1, 2], "a": 1})
    assert (
        fingerprint("run", {"a": 1})
        != fingerprint("run", {"a": 2})
        != fingerprint("train", {"a": 2})
    )
