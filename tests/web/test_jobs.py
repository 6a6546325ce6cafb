"""Queues in front of the worker processes."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from prosumax.web.jobs.queue import JobQueue, JobRejectedError, JobStatus, fingerprint
from prosumax.web.jobs.worker_pool import QueueConfig


@pytest.fixture(scope="module")
def jobs() -> Iterator[JobQueue]:
    configs = (QueueConfig("quick", capacity=8, timeout_s=3), QueueConfig("long", capacity=2))
    queue = JobQueue("tests.web.fake_tasks:run_fake_task", configs)
    queue.start()
    yield queue
    queue.close()


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.01)


def wait_for_state(jobs: JobQueue, job: str, state: str) -> None:
    def in_state() -> bool:
        status = jobs.status(job)
        assert status is not None
        return status.state == state

    wait_until(in_state)


def wait_for_end(jobs: JobQueue, job: str, owner: str | None = None) -> JobStatus:
    def has_ended() -> bool:
        status = jobs.status(job, owner)
        return status is not None and status.finished

    wait_until(has_ended)
    status = jobs.status(job, owner)
    assert status is not None
    return status


def test_result_of_equal_specification_is_cached(jobs: JobQueue) -> None:
    first = wait_for_end(jobs, jobs.submit("quick", "echo", {"a": 1, "b": 2}, owner="ada"))
    assert first.state == "done" and first.result == {"echo": {"a": 1, "b": 2}}
    again = jobs.status(jobs.submit("quick", "echo", {"b": 2, "a": 1}, owner="ben"))
    assert again is not None and again.state == "done" and again.result == first.result


def test_progress_rises_with_every_report(jobs: JobQueue) -> None:
    job = jobs.submit("quick", "falling_progress", None, owner="ada")
    shown: list[float] = []
    while (status := jobs.status(job)) is not None and not status.finished:
        if status.stage == "training" and (not shown or status.progress != shown[-1]):
            shown.append(status.progress)
        time.sleep(0.01)
    assert len(shown) == 4 and shown == sorted(set(shown)) and shown[-1] < 1


def test_cancel_ends_a_job_within_a_second_even_if_it_does_not_report(jobs: JobQueue) -> None:
    for kind, spec in (("steps", {"steps": 100, "seconds": 0.1}), ("ignore_cancel", 30)):
        job = jobs.submit("long", kind, spec, owner="ada")
        wait_for_state(jobs, job, "running")
        before = time.monotonic()
        jobs.cancel(job, "another owner")
        jobs.cancel(job, "ada")
        assert wait_for_end(jobs, job).state == "cancelled"
        assert time.monotonic() - before < 1.0
    assert wait_for_end(jobs, jobs.submit("long", "echo", "after", owner="ada")).state == "done"


def test_queue_is_bounded_and_reports_jobs_ahead(jobs: JobQueue) -> None:
    slow = {"steps": 50, "seconds": 0.05}
    ids = [jobs.submit("long", "steps", slow, owner="o0")]
    wait_for_state(jobs, ids[0], "running")
    ids += [jobs.submit("long", "steps", slow, owner=f"o{number}") for number in (1, 2)]
    with pytest.raises(JobRejectedError, match="queue_full"):
        jobs.submit("long", "steps", slow, owner="o3")
    with pytest.raises(JobRejectedError, match="owner_limit"):
        jobs.submit("long", "steps", slow, owner="o1")
    statuses = [jobs.status(job) for job in ids]
    assert [status and status.jobs_ahead for status in statuses] == [0, 1, 2]
    # Jobs of another queue do not wait.
    meanwhile = jobs.submit("quick", "echo", "meanwhile", owner="o1")
    assert wait_for_end(jobs, meanwhile).state == "done"
    for number, job in enumerate(ids):
        jobs.cancel(job, f"o{number}")
    assert all(wait_for_end(jobs, job).state == "cancelled" for job in ids)


def test_jobs_of_an_address_are_limited_except_for_this_machine(jobs: JobQueue) -> None:
    slow = {"steps": 50, "seconds": 0.05}
    ids = [
        jobs.submit("quick", "steps", slow, owner=f"a{n}", address="192.0.2.7") for n in range(3)
    ]
    with pytest.raises(JobRejectedError, match="address_limit"):
        jobs.submit("quick", "steps", slow, owner="a3", address="192.0.2.7")
    ids += [jobs.submit("quick", "steps", slow, owner=f"a{n}") for n in range(4, 8)]
    for number, job in zip((0, 1, 2, 4, 5, 6, 7), ids, strict=True):
        jobs.cancel(job, f"a{number}")
        wait_for_end(jobs, job)


def test_killed_worker_is_reported_with_a_code_and_replaced(
    jobs: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        job = jobs.submit("quick", "ignore_cancel", 30, owner="ada")
        wait_for_state(jobs, job, "running")
        pid = jobs.worker_pid("quick")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        status = wait_for_end(jobs, job)
    assert (status.state, status.error) == ("failed", "worker_died")
    assert status.code is not None and len(status.code) == 4 and status.code in caplog.text
    assert wait_for_end(jobs, jobs.submit("quick", "echo", "next", owner="ada")).state == "done"
    assert jobs.worker_pid("quick") != pid


def test_failure_hides_the_stack_trace_and_logs_it(
    jobs: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        failed = wait_for_end(jobs, jobs.submit("quick", "raise", None, owner="ada"))
    assert failed.error == "exception" and "secret" not in repr(failed)
    assert "secret path" in caplog.text
    assert failed.code is not None and failed.code in caplog.text
    rejected = wait_for_end(jobs, jobs.submit("quick", "invalid_input", None, owner="ada"))
    assert rejected.input_error == ("homes", "there are no homes", "Add one.")


def test_job_that_exceeds_the_time_limit_is_ended(jobs: JobQueue) -> None:
    job = jobs.submit("quick", "ignore_cancel", 60, owner="ada")
    assert wait_for_end(jobs, job).error == "timeout"


def test_private_job_is_visible_to_its_owner_only_and_not_cached(jobs: JobQueue) -> None:
    job = jobs.submit("quick", "echo", "mine", owner="ada", private=True)
    assert wait_for_end(jobs, job, "ada").result == {"echo": "mine"}
    assert jobs.status(job) is None and jobs.status(job, "ben") is None
    assert jobs.cached_result("echo", "mine") is None
    jobs.forget_owner("ada")
    status = jobs.status(job, "ada")
    assert status is not None and status.result is None


def test_fingerprint_does_not_depend_on_the_order_of_fields() -> None:
    assert fingerprint("run", {"a": 1, "b": [1, 2]}) == fingerprint("run", {"b": [1, 2], "a": 1})
    assert (
        fingerprint("run", {"a": 1})
        != fingerprint("run", {"a": 2})
        != fingerprint("train", {"a": 2})
    )
