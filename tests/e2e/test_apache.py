"""campaignd as mod_fcgid runs it: one worker a process, started and ended by Apache."""

import contextlib
import os
import re
import time
from collections import Counter

import pytest

import process_limits
import system_calls
from load import Load
from process_limits import MIB, RESIDENT_MAX, answered, resident_bytes
from support import process_sleeps, wait_for

pytestmark = pytest.mark.server(started_as="fastcgi")


def test_it_says_how_it_was_started(anonymous, stack):
    assert anonymous.get("/health").json()["started_as"] == stack.server.started_as


def test_64_clients_on_4_processes_are_all_answered(make_stack):
    stack = make_stack()
    most = 0

    def work(client, number):
        if number % 8 == 0:
            return answered(client.post("/campaigns", json={
                "campaign_name": "x", "campaign_brief": {"product": "Tea"}}))
        return answered(client.get("/campaigns?limit=1"))

    with Load(stack, 64, work) as load:
        end = time.monotonic() + 20
        while time.monotonic() < end or load.answered() < 200:
            most = max(most, len(stack.workers()))
            assert time.monotonic() < end + 600, load.outcomes
            wait_for(lambda until=time.monotonic() + 0.2: time.monotonic() >= until, "a moment")
    failed = Counter(load.failed())
    failed.pop("later", None)
    assert not failed, failed
    assert 1 < most <= stack.server.processes


def test_an_idle_process_is_small_whatever_it_did(stack):
    process_limits.stays_small(stack)


def test_an_idle_process_ends_at_once(make_stack):
    process_limits.ends_when_idle(make_stack())


def test_a_busy_process_ends_in_time_and_the_work_is_resumable(make_stack):
    process_limits.ends_when_busy(make_stack())


def test_overload_is_answered_by_the_process(make_stack):
    stack = make_stack()
    process_limits.answers_overload(stack, stack.server.processes)


@pytest.mark.plain_build
@pytest.mark.skipif(not system_calls.AVAILABLE, reason="numbers of x86-64")
@pytest.mark.parametrize("settings", [{}, process_limits.REMOTE], ids=["as set up", "on AWS"])
def test_it_starts_in_no_time_and_calls_nobody(stack, settings):
    process_limits.starts_at_once(stack.bin / "campaignd", stack.folder, "--env", stack.env_file,
                                  env={**stack.environment(), **settings}, **stack.identity())


# What the soak does, by the lines that the log has of it.
LOGGED = re.compile(r"^\S+ info (\d+) request .* method=(\S+) path=(\S+) status=(\d+) ", re.MULTILINE)
KINDS = {("POST", "campaigns"), ("POST", "complete"), ("GET", "pdf"), ("GET", "campaigns"),
         ("DELETE", "aws")}


class Served:
    """How much of each kind each process has answered, as the log tells."""

    def __init__(self, log):
        self.log, self.position = log, 0
        self.answers = {}

    def warm(self, pids, each=20):
        """Those that have answered so many of each kind."""
        with self.log.open("rb") as lines:
            lines.seek(self.position)
            fresh = lines.read()
        fresh = fresh[:fresh.rfind(b"\n") + 1]
        self.position += len(fresh)
        for pid, method, path, status in LOGGED.findall(fresh.decode(errors="replace")):
            if status in ("200", "201"):
                self.answers.setdefault(int(pid), Counter())[method, path.rpartition("/")[2]] += 1
        return [pid for pid in pids if all(
            self.answers.get(pid, {}).get(kind, 0) >= each for kind in KINDS)]

    def all_warm(self, pids):
        """Whether there is one, and none that has answered less than that. How many there
        are is mod_fcgid's choice: it starts one more when a request finds none free, twice
        with a second between."""
        warm = self.warm(pids)
        return warm and len(warm) == sum(pid in self.answers for pid in pids)


def descriptors_of(pid):
    """How many it has open; 0 where only root may know that of a process with secrets."""
    return len(os.listdir(f"/proc/{pid}/fd")) if os.geteuid() == 0 else 0


def test_a_soak_without_growth(make_stack, request):
    """Whole lives of campaigns. Like is compared with like: the first look is at processes
    that have done some of everything; one that mod_fcgid has started later may be as large as
    the largest of them was, and grow as much."""
    seconds = request.config.getoption("--soak-seconds")
    stack = make_stack()
    served = Served(stack.log)

    def work(client, _number):
        made = client.post("/campaigns", json={
            "campaign_name": "Soak", "campaign_brief": {"product": "Tea"}})
        if made.status_code != 201:
            return answered(made)
        campaign_id = made.json()["campaign_id"]
        steps = (client.complete(campaign_id), client.get(f"/campaigns/{campaign_id}/pdf"),
                 client.get("/campaigns?limit=5"), client.delete(f"/campaigns/{campaign_id}/aws"))
        wrong = [answered(step) for step in steps if step.status_code != 200]
        return wrong[0] if wrong else "ok"

    def measure():
        # the last request's memory is given back after its answer
        wait_for(lambda: all(map(process_sleeps, stack.workers())), "processes without work")
        found = {}
        for pid in stack.workers():
            with contextlib.suppress(OSError):  # replaced just now
                found[pid] = (resident_bytes(pid), descriptors_of(pid))
        return found

    with Load(stack, 6, work) as load:
        wait_for(lambda: served.all_warm(stack.workers()), "a warm-up of all processes", 900)
    lives = load.answered()
    before = measure()
    before = {pid: before[pid] for pid in served.warm(before)}
    with Load(stack, 6, work) as load:
        wait_for(lambda until=time.monotonic() + seconds: time.monotonic() >= until,
                 "the end of the soak", seconds + 60)
    after = measure()
    print(f"{lives} lives, then {load.answered()}; (resident, descriptors) before {before}, "
          f"after {after}")
    failed = Counter(load.failed())
    failed.pop("later", None)
    assert not failed, failed
    assert before and after
    largest = max(resident for resident, _ in before.values())
    most = max(descriptors for _, descriptors in before.values())
    for pid, (resident, descriptors) in after.items():
        assert resident < before.get(pid, (largest,))[0] + MIB, (before, after)
        assert resident < RESIDENT_MAX and descriptors <= most + 4, (before, after)
