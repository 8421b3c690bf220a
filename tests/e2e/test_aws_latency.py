"""How often a request waits for AWS: every call takes a while, and the request is
held to the number of whiles that its calls must take one after the other. And how
seldom it waits for a connection."""

import json
import math
import os
import pathlib
import subprocess
import sys
import time

import pytest
import requests

from client import Client
from faulty import aws_settings
from stack import Stack
from support import TOP, end_with_parent, free_port, wait_for

pytestmark = pytest.mark.plain_build

DELAY = 0.5  # seconds: many times what the machine itself needs
ROUNDS = 4, 30  # of completions that are timed: always, and until the machine is quiet enough
EXAMPLES = pathlib.Path(os.environ.get("CS_EXAMPLES", TOP / "share/example"))


class Canned:
    """canned_aws.py in a process of its own; with `tls`, the folder of a certificate, by
    https."""

    def __init__(self, tls=None):
        port = free_port()
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        self.verify = tls / "ca.pem" if tls else None
        certificate = [tls / "server.pem", tls / "server.key"] if tls else []
        self.process = subprocess.Popen(
            [sys.executable, TOP / "tests/e2e/canned_aws.py", str(port), "0", *certificate], preexec_fn=end_with_parent)
        wait_for(self.answers, "the server")

    def ask(self, what):
        return requests.get(f"{self.url}/-/{what}", verify=self.verify, timeout=60).json()

    def answers(self):
        try:
            return self.ask("calls") is not None
        except requests.RequestException:
            return False

    def calls(self):
        """Operations since the last time, and the connections that they ever came by."""
        told = self.ask("calls")
        return told["calls"], told["connections"]

    def answer_after(self, seconds):
        self.ask(f"delay/{seconds * 1000}")

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def world(request, tls):
    canned = Canned()
    stack = Stack(request.config.getoption("--build-dir"), tls,
                  settings=aws_settings(canned.url, "slow", WORKERS="1"))
    try:
        stack.start()
        yield canned, stack
    finally:
        stack.stop()
        canned.close()


def maple_transit():
    """Brief and state of the largest example, or of the one that is shipped."""
    folder = EXAMPLES / "maple-transit"
    folder = folder if folder.is_dir() else TOP / "share/example"
    return (json.loads((folder / "brief.json").read_text()),
            (folder / "final_state.json").read_bytes())


def test_a_completion_waits_twice(world):
    """Beside what it takes without delays, measured in turn: what else runs on the machine
    only adds, to either, so that of each the least says most."""
    canned, stack = world
    brief, state = maple_transit()
    client = Client(stack, stack.token("alice"))
    client.completed(brief=brief)  # connections, fonts
    took = {0.0: math.inf, DELAY: math.inf}
    for number in range(1, ROUNDS[1] + 1):
        for delay in took:
            campaign_id = client.create(brief=brief)
            canned.calls()
            canned.answer_after(delay)
            started = time.monotonic()
            assert client.complete(campaign_id, state).status_code == 200
            took[delay] = min(took[delay], time.monotonic() - started)
            canned.answer_after(0)
            calls, _connections = canned.calls()
            assert calls.count("PutObject") == 4 and calls.count("TransactWriteItems") == 1
            assert len(calls) == 5, calls
        waits = (took[DELAY] - took[0.0]) / DELAY
        if number >= ROUNDS[0] and waits <= 2.3:
            break
    print(f"rendering {took[0.0]:.3f} s, with delays {took[DELAY]:.3f} s: {waits:.2f} delays")
    assert 1 < waits <= 2.3
    client.close()


@pytest.mark.parametrize("delay", [0.0, DELAY], ids=["at once", "after a while"])
def test_one_connection_for_all_requests(world, delay):
    """Of a worker to a host, where one runs at a time: over 1,000 requests at once,
    over a few slow ones."""
    canned, stack = world
    canned.answer_after(delay)
    client = Client(stack, stack.token("bob"))
    campaign_id = client.create()
    _calls, before = canned.calls()
    for _ in range(3 if delay else 1000):
        assert client.get(f"/campaigns/{campaign_id}/status").status_code == 200
    calls, connections = canned.calls()
    assert len(calls) == (3 if delay else 1000)
    assert connections == before  # the one that the create was made by
    canned.answer_after(0)


def test_tls_sessions_are_kept(request, tls):
    """One handshake for 1,000 requests of a worker; and where the server ends each
    connection, each new one goes on with the session of the one before."""
    canned = Canned(tls=tls)
    stack = Stack(request.config.getoption("--build-dir"), tls, settings=aws_settings(
        canned.url, "warm", WORKERS="1", AWS_CA_BUNDLE=tls / "ca.pem"))
    try:
        stack.start()
        client = Client(stack, stack.token("carol"))
        campaign_id = client.create()
        before = canned.ask("calls")
        for _ in range(1000):
            assert client.get(f"/campaigns/{campaign_id}/status").status_code == 200
        after = canned.ask("calls")
        assert len(after["calls"]) == 1000
        assert after["connections"] == before["connections"]
        canned.ask("close")
        for _ in range(20):
            assert client.get(f"/campaigns/{campaign_id}/status").status_code == 200
        last = canned.ask("calls")
        assert len(last["calls"]) == 20
        # the first came by the connection that stood
        assert last["connections"] - after["connections"] == 19
        assert last["resumed"] - after["resumed"] == 19
    finally:
        stack.stop()
        canned.close()
