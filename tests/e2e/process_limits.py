"""What is asked of each process that a web server starts and ends: of the program of a build
and of that of the bundle. `stack` is an instance, or what has its base_url, ca, token() and
workers() (Host of tests/releases)."""

import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import system_calls
from client import Client
from support import children_of, process_alive, process_state, signal_if_there, wait_for

MIB = 1 << 20
RESIDENT_MAX = 24 * MIB
START_SECONDS = 0.1
IDLE_END_SECONDS = 1.0
BUSY_END_SECONDS = 3.0
TRIES = 50  # to meet what lasts for a moment
QUEUED_SECONDS = 10  # after which campaignd answers 503 to what has waited

# Settings, as an environment, that would need the network, were any of it used at the start.
REMOTE = {
    "CAMPAIGN_STORE": "aws",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL_S3": "https://s3.invalid",
    "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.invalid",
    "JWT_SECRET": "",
    "JWT_JWKS_URL": "https://keys.invalid/jwks.json",
}


def resident_bytes(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def answered(answer):
    """What may be answered under load: the result, or "later" with when."""
    if answer.status_code == 503 and int(answer.headers.get("Retry-After", 0)) >= 1:
        return "later"
    return "ok" if answer.status_code in (200, 201) else f"{answer.status_code} {answer.text[:200]}"


def in_time(seconds, attempt, tries=10):
    """attempt() returns how long it took. One of several must keep the limit: on a busy
    machine a process that has nothing to wait for may wait for the processor."""
    took = []
    while len(took) < tries:
        took.append(attempt())
        if took[-1] < seconds:
            return
    raise AssertionError(f"it took {took} s each time, {seconds} s are allowed")


def asked_to_end(pid):
    """Seconds from SIGTERM to its end."""
    start = time.monotonic()
    signal_if_there(pid, signal.SIGTERM)
    wait_for(lambda: not process_alive(pid), "the process's end")
    return time.monotonic() - start


def stays_small(stack):
    """Idle again, after a large upload and the rendering of a large state, and alone: all that
    it forks is the child that renders."""
    client = Client(stack, stack.token(), timeout=90)
    client.completed()
    campaign_id = client.create()
    pdf = b"%PDF-1.7\n" + os.urandom(5 * MIB)
    answer = client.put_artifact(campaign_id, "pdf", pdf, "application/pdf")
    assert answer.status_code in (200, 201), answer.text
    state = json.dumps({"artifacts": {"copy": "One word and the next. " * 100000}}).encode()
    answer = client.complete(campaign_id, state)
    assert answer.status_code == 200, answer.text
    assert client.get(f"/campaigns/{campaign_id}/pdf").content == pdf
    for _ in range(50):
        assert client.get("/campaigns?limit=1").status_code == 200
    client.close()
    sizes = {}
    for pid in stack.workers():
        with contextlib.suppress(OSError):  # ended by its web server just now
            sizes[pid] = resident_bytes(pid)
    assert sizes and max(sizes.values()) < RESIDENT_MAX, sizes
    assert not [child for pid in sizes for child in children_of(pid)]


def stop(pid):
    """SIGSTOP; False where the process had ended before."""
    signal_if_there(pid, signal.SIGSTOP)
    return wait_for(lambda: process_state(pid) in ("T", "Z", None) and (process_state(pid),),
                    "the stop of a process") == ("T",)


def ends_when_idle(stack):
    """And is replaced where one is wanted."""
    client = Client(stack, stack.token())

    def attempt():
        wait_for(lambda: client.get("/campaigns?limit=1").status_code == 200, "an answer")
        return asked_to_end(wait_for(stack.workers, "a process")[0])

    in_time(IDLE_END_SECONDS, attempt)
    assert wait_for(lambda: client.get("/campaigns?limit=1").status_code == 200, "an answer")
    client.close()


def ends_when_busy(stack):
    """In the middle of a completion whose rendering, being stopped, would never end."""
    client = Client(stack, stack.token(), timeout=90)
    state = json.dumps({"artifacts": {"copy": "One word and the next. " * 100000}}).encode()

    def rendering():
        return next(((pid, child) for pid in stack.workers() for child in children_of(pid)), None)

    def attempt():
        with ThreadPoolExecutor(1) as pool:
            for _ in range(TRIES):
                campaign_id = client.create()
                completion = pool.submit(client.complete, campaign_id, state)
                found = wait_for(lambda: rendering() or completion.done(), "a rendering")
                if found is not True and stop(found[1]):
                    break
                # over before it was seen or stopped: this one says nothing
                assert completion.result().status_code == 200, completion.result().text
            else:
                raise AssertionError("no rendering was met in its middle")
            busy, child = found
            took = asked_to_end(busy)
            answer = completion.result()
        assert answered(answer) == "later", answer.text
        assert answer.json()["code"] == "service_unavailable"
        wait_for(lambda: not process_alive(child), "the rendering's end")
        # the same request, sent again, goes on
        answer = client.complete(campaign_id, state)
        assert answer.status_code == 200, answer.text
        assert client.get(f"/campaigns/{campaign_id}/artifacts").content == state
        return took

    in_time(BUSY_END_SECONDS, attempt)
    client.close()


def answers_overload(stack, processes):
    """No process is free for longer than a client should wait: each request that has waited
    is told so by campaignd."""
    token, stopped = stack.token(), set()

    def ask():
        client = Client(stack, token, timeout=90)
        answer = client.get("/campaigns?limit=1")
        client.close()
        return answer

    with ThreadPoolExecutor(4 * processes) as pool:
        fillers = []  # that find no process, so that the web server starts more

        def all_stopped():
            for pid in set(stack.workers()) - stopped:
                if stop(pid):
                    stopped.add(pid)
            fillers[:] = [request for request in fillers if not request.done()]
            while len(fillers) < 2 * processes and len(stopped) < processes:
                fillers.append(pool.submit(ask))
            return len(stopped) == processes

        try:
            wait_for(all_stopped, "all processes")
            waiting = [pool.submit(ask) for _ in range(2 * processes)]
            # twice as long as it takes, since they are not all sent at once
            end = time.monotonic() + 2 * QUEUED_SECONDS
            wait_for(lambda: time.monotonic() > end, "a long queue")
        finally:
            for pid in stopped:
                signal_if_there(pid, signal.SIGCONT)
        answers = [request.result() for request in waiting]
        others = {answered(request.result()) for request in fillers}
    assert {answered(answer) for answer in answers} == {"later"}, \
        [f"{answer.status_code} {answer.text}" for answer in answers]
    assert {answer.json()["code"] for answer in answers} == {"overloaded"}
    assert others <= {"ok", "later"}, others
    assert ask().status_code == 200


def starts_at_once(program, folder, *arguments, **how):
    """From its start to the first connection that it takes, without a network."""
    path = folder / "start.sock"

    def attempt():
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as asking:
            listening.bind(str(path))
            listening.listen()
            asking.connect(str(path))
            asking.settimeout(120)
            start = time.monotonic()
            process = subprocess.Popen([program, *arguments], stdin=listening, cwd=folder,
                                       stderr=subprocess.PIPE, text=True,
                                       preexec_fn=system_calls.forbid_network, **how)
            listening.close()
            try:
                # it closes a connection that ends before it has begun
                asking.shutdown(socket.SHUT_WR)
                answer, fault = asking.recv(1), ""
            except OSError as failure:
                answer, fault = b"", str(failure)
            took = time.monotonic() - start
            process.terminate()
            said = process.communicate(timeout=120)[1]
            path.unlink()
        assert (answer, fault, process.returncode) == (b"", "", 0), (fault, process.returncode, said)
        return took

    in_time(START_SECONDS, attempt, 20)
