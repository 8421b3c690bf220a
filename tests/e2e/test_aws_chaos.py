"""Whole lives of campaigns, by several clients at once, while 30 of 100 calls to AWS
meet a fault of any kind.

What a client may rely on: nothing is wrong or lost, whatever he was told; and a
request fails only when one of its calls met faults at every one of its attempts
(AWS_MAX_ATTEMPTS, 6), or twice one that is put right once a call."""

import collections
import hashlib
import json
import os
import random
import re
import threading

import pytest
import requests

from client import Client, assert_problem
from faults import Chance
from faulty import Emulator, World, fetched

SHARE = 0.3
ATTEMPTS = 6
TRIES = 12  # of a client whose request failed
# A worker's attempts take tokens (aws/retry.h), which a call gives back when it succeeds. With
# this share of faults they would run out in some thousands of calls, so it serves fewer.
REQUESTS = 100


class Life:
    """One client with the campaigns that he made, and what must be true of them."""

    def __init__(self, world, seed, campaigns, patient):
        self.rng = random.Random(seed)
        self.seed = seed
        self.user = f"chaos-{seed}"
        self.client = Client(world.stack, world.stack.token(self.user), timeout=60)
        self.patient = patient    # asks again where a request failed
        self.campaigns = campaigns
        self.states = {}          # of completed campaigns: id -> final_state
        self.interactions = {}    # id -> numbers, in order
        self.files = {}           # id -> bytes
        self.deleted = set()
        self.failures = collections.Counter()
        self.error = None

    def ask(self, method, path, want=(200, 201), **options):
        for _ in range(TRIES):
            answer = self.client.request(method, path, **options)
            if answer.status_code in want:
                return answer
            assert answer.status_code in (502, 503, 504), \
                f"{method} {path}: {answer.status_code} {answer.text[:300]}"
            if method != "DELETE":  # that answers with what is done and what is not
                assert_problem(answer, answer.status_code)
            self.failures[answer.status_code] += 1
            assert self.patient, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        raise AssertionError(f"{method} {path}: {TRIES} times in vain")

    def run(self):
        try:
            for number in range(self.campaigns):
                self.live(number)
        except (AssertionError, requests.RequestException) as failure:
            self.error = failure

    def live(self, number):
        rng = self.rng
        brief = {"campaign_name": "Chaos", "product": "Tea", "notes": "x" * rng.choice((10, 30000))}
        campaign_id = self.ask(
            "POST", "/campaigns", json={"campaign_name": f"Chaos {number}", "campaign_brief": brief},
            headers={"Idempotency-Key": f"{self.user}-{number}"}).json()["campaign_id"]
        self.interactions[campaign_id] = []
        for step in range(2):
            self.ask("POST", f"/campaigns/{campaign_id}/progress",
                     json={"current_step": step, "total_steps": 2})
            told = [{"agent": "chaos", "number": f"{step}.{i}"} for i in range(rng.randrange(1, 4))]
            self.ask("POST", f"/campaigns/{campaign_id}/interactions", json=told,
                     headers={"Idempotency-Key": f"{self.user}-{number}-{step}"})
            self.interactions[campaign_id] += [entry["number"] for entry in told]
        data = rng.randbytes(rng.choice((7, 200_000)))
        self.ask("PUT", f"/campaigns/{campaign_id}/files/data.bin", data=data,
                 headers={"Content-Type": "application/octet-stream"})
        self.files[campaign_id] = data
        state = json.dumps({"artifacts": {"copy": "# Tea\n\n" + "Fresh leaves. " * rng.randrange(900)},
                            "number": rng.random()}).encode()
        self.ask("POST", f"/campaigns/{campaign_id}/complete", data=b'{"final_state":' + state + b"}",
                 headers={"Content-Type": "application/json"})
        self.states[campaign_id] = state
        whole = self.ask("GET", f"/campaigns/{campaign_id}")
        assert b'"final_state":' + state in whole.content
        listed = self.ask("GET", "/campaigns?limit=100").json()["campaigns"]
        assert campaign_id in {campaign["campaign_id"] for campaign in listed}
        self.ask("GET", f"/campaigns/{campaign_id}/aws")
        if rng.random() < 0.3:
            self.ask("DELETE", f"/campaigns/{campaign_id}/aws", want=(200, 404))
            self.deleted.add(campaign_id)

    # ---- afterwards, without faults ----

    def check(self):
        for campaign_id, state in self.states.items():
            whole = self.client.get(f"/campaigns/{campaign_id}")
            if campaign_id in self.deleted:
                assert whole.status_code == 404
                continue
            record = whole.json()
            assert record["status"] == "completed"
            assert fetched(self.client, campaign_id, "artifacts") == state
            assert fetched(self.client, campaign_id, "files/data.bin") == self.files[campaign_id]
            for name in ("website", "pdf", "metadata"):
                digest = hashlib.sha256(fetched(self.client, campaign_id, name)).hexdigest()
                assert digest == record["files"][name]["sha256"], f"{campaign_id} {name}"
            told = self.client.get(f"/campaigns/{campaign_id}/interactions").json()["interactions"]
            assert [entry["number"] for entry in told] == self.interactions[campaign_id]
        kept = [c for c in self.states if c not in self.deleted]
        listed = self.client.get("/campaigns?limit=100").json()["campaigns"]
        assert sorted(c["campaign_id"] for c in listed) == sorted(kept), self.user


def run_lives(world, seed, clients, campaigns, patient):
    lives = [Life(world, seed + number, campaigns, patient) for number in range(clients)]
    threads = [threading.Thread(target=life.run, daemon=True) for life in lives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1800)
        assert not thread.is_alive(), "a request hangs"
    return lives


CALL = re.compile(r"(?:warn|info) \d+ (?:S3|DynamoDB) (\w+) .* status=(\d+) .* attempts=(\d+) .*"
                  r'error=("[^"]*"|\S*)$')
ONCE = ("ExpiredToken", "ExpiredTokenException")
# what was written by a call whose answer was lost lets the repeated one's condition fail
EXPECTED = ("ConditionalCheckFailedException", "NoSuchKey", "TransactionCanceledException")


def unexplained(log_text):
    """Calls that failed though they might have gone on."""
    wrong = []
    for line in log_text.splitlines():
        call = CALL.search(line)
        if call is None:
            continue
        operation, status, attempts, error = call.groups()
        error = error.strip('"')
        if status.startswith("2") and not error or error in EXPECTED and status == "400":
            continue
        if int(attempts) < ATTEMPTS and error not in ONCE:
            wrong.append(line)
    return wrong


def stats(world):
    return world.admin.get("/campaigns/aws/stats").json()


def check_all(world, lives):
    for life in lives:
        life.check()
    counted = stats(world)
    world.stack.campaignctl("recount")
    assert stats(world) == counted, "the counters differ from the records"
    first = world.stack.campaignctl("--json", "fsck", "--repair", "--age", "0", check=False)
    again = world.stack.campaignctl("--json", "fsck", "--bytes", "--age", "0", check=False)
    assert again.returncode == 0, f"{first.stdout}{first.stderr}\n{again.stdout}{again.stderr}"
    for life in lives:
        life.check()


def test_lives_under_faults(request, tls, full):
    seed = int(os.environ.get("CS_TESTS_SEED") or 20241201)
    print(f"CS_TESTS_SEED={seed}")
    rng = random.Random(seed)
    with Emulator() as emulator:
        world = World(request.config.getoption("--build-dir"), tls, emulator.url, "chaos",
                      WORKER_MAX_REQUESTS=str(REQUESTS))
        try:
            # every call can succeed: none may fail
            bounded = Chance(rng, SHARE, in_a_row=ATTEMPTS - 1)
            world.proxy.reset(bounded)
            lives = run_lives(world, seed, 4, 40 if full else 3, patient=False)
            wrong = [f"{life.user}: {life.error}" for life in lives if life.error]
            assert not wrong, "\n".join(wrong)
            counts = world.proxy.counts()
            # as it comes: what fails had no attempt left
            world.proxy.decide = Chance(rng, SHARE)
            more = run_lives(world, seed + 1000, 4, 20 if full else 2, patient=True)
            wrong = [f"{life.user}: {life.error}" for life in more if life.error]
            assert not wrong, "\n".join(wrong)
            calls, given = len(world.proxy.seen), sum(world.proxy.counts().values())
            world.proxy.reset()
            log = world.stack.log_text()
            assert not unexplained(log), "\n".join(unexplained(log)[:20])
            check_all(world, lives + more)
        finally:
            world.close()
    print(f"{given} faults in {calls} calls; failures told: "
          f"{sum((life.failures for life in more), collections.Counter())}; {counts}")
    assert given > calls * SHARE * 0.7
