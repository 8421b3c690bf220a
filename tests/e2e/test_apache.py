"""campaignd as mod_fcgid runs it: one worker a process, started and ended by Apache."""

import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time
from collections import Counter

import pytest

from client import Client
from load import Load
from support import children_of, process_alive, process_sleeps, wait_for

pytestmark = pytest.mark.server(started_as="fastcgi")

MIB = 1 << 20


def resident_bytes(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def answered(answer):
    """What may be answered under load: the result, or "later" with when."""
    if answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1:
        return "later"
    return "ok" if answer.status_code in (200, 201) else f"{answer.status_code} {answer.text[:200]}"


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
            assert time.monotonic() < end + 120, load.outcomes
            wait_for(lambda until=time.monotonic() + 0.2: time.monotonic() >= until, "a moment")
    failed = Counter(load.failed())
    failed.pop("later", None)
    assert not failed, failed
    assert 1 < most <= stack.server.processes


def test_an_idle_process_is_small_and_ends_at_once(make_stack):
    stack = make_stack()
    client = Client(stack, stack.token())
    client.completed()
    for _ in range(50):
        assert client.get("/campaigns?limit=1").status_code == 200
    for pid in stack.workers():
        assert resident_bytes(pid) < 24 * MIB
        start = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda pid=pid: not process_alive(pid), "the process's end", 5)
        assert time.monotonic() - start < 1.0
    # and Apache starts another where one is wanted
    assert wait_for(lambda: client.get("/campaigns?limit=1").status_code == 200, "an answer", 20)
    client.close()


def test_a_busy_process_ends_in_time_and_the_work_is_resumable(make_stack):
    stack = make_stack()
    client = Client(stack, stack.token(), timeout=90)
    campaign_id = client.create()
    state = b'{"artifacts":{"copy":"' + b"word " * 400000 + b'"}}'
    outcomes = []

    def complete(client, _number):
        if not outcomes:
            outcomes.append(answered(client.complete(campaign_id, state)))
        return "ok"

    with Load(stack, 1, complete) as load:
        busy = wait_for(lambda: [pid for pid in stack.workers() if children_of(pid)] or outcomes,
                        "a process that renders", 60)
        load.stop.set()
        assert not outcomes, "the rendering was over too soon to say anything"
        start = time.monotonic()
        os.kill(busy[0], signal.SIGTERM)
        wait_for(lambda: not process_alive(busy[0]), "the process's end", 10)
        assert time.monotonic() - start < 3.0
    assert outcomes[0] in ("ok", "later")
    answer = client.complete(campaign_id, state)
    assert answer.status_code == 200, answer.text
    assert client.get(f"/campaigns/{campaign_id}/artifacts").content == state
    client.close()


@pytest.mark.plain_build
def test_it_starts_in_no_time_and_calls_nobody(stack):
    """Processor time, so that other work on the machine says nothing."""
    with socket.socket(socket.AF_UNIX) as listening:
        path = stack.folder / "start.sock"
        listening.bind(str(path))
        listening.listen()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen([stack.bin / "campaignd", "--env", stack.env_file],
                                   stdin=listening, cwd=stack.folder, env=stack.environment(),
                                   **stack.identity())
        try:
            # it waits with its signals let in only when it is ready for requests
            wait_for(lambda: "poll" in pathlib.Path(f"/proc/{process.pid}/wchan").read_text(),
                     "a worker that waits", 20)
            targets = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{process.pid}/fd")]
            sockets = [target for target in targets if target.startswith("socket:")]
            assert len(sockets) == 1, targets
        finally:
            process.terminate()
            assert process.wait(10) == 0
            path.unlink()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.1


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


def test_a_soak_without_growth(make_stack, request):
    """Whole lives of campaigns. Like is compared with like: at the first look every process
    has done some of everything; one that mod_fcgid has started meanwhile, in the place of
    another, may be as large as the largest of them was, and grow as much."""
    seconds = request.config.getoption("--soak-seconds")
    stack = make_stack()
    served = Served(stack.log)

    def work(client, _number):
        campaign_id = client.create()
        steps = (client.complete(campaign_id), client.get(f"/campaigns/{campaign_id}/pdf"),
                 client.get("/campaigns?limit=5"), client.delete(f"/campaigns/{campaign_id}/aws"))
        wrong = [answered(step) for step in steps if step.status_code != 200]
        return wrong[0] if wrong else "ok"

    def measure():
        # the last request's memory is given back after its answer
        wait_for(lambda: all(map(process_sleeps, stack.workers())), "processes without work", 60)
        found = {}
        for pid in stack.workers():
            with contextlib.suppress(FileNotFoundError):  # replaced just now
                found[pid] = (resident_bytes(pid), len(os.listdir(f"/proc/{pid}/fd")))
        return found

    with Load(stack, 6, work) as load:
        wait_for(lambda: len(served.warm(stack.workers())) == stack.server.processes,
                 "a warm-up of all processes", 300)
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
        assert resident < 24 * MIB and descriptors <= most + 4, (before, after)
