"""Crashes in the middle of completions and deletes: what was acknowledged is
there afterwards, whole, and nothing names what is not there."""

import hashlib
import json
import random
import signal
import threading
import time

import pytest
import requests

from client import Client
from support import signal_if_there, wait_for


pytestmark = pytest.mark.server(supervised=True)


class Ledger:
    """What the clients were told: acknowledged completions with their bytes, and
    deletes that were asked for (done or perhaps done)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.completed = {}
        self.doubtful = set()
        self.deleted = set()
        self.wrong = []


def final_state(rng):
    """A state with a text that shows whether its bytes are still the same."""
    return json.dumps({
        "artifacts": {"copy": f"# Tea {rng.random()!r}\n\n" + "Fresh leaves. " * rng.randrange(1, 400)},
        "revision_count": rng.randrange(9), "number": 0.1 + rng.random(),
    }).encode()


def worker_of_campaigns(stack, ledger, stop, seed):
    """Creates, completes, and now and then deletes, until told to stop."""
    rng = random.Random(seed)
    client = Client(stack, stack.token())
    number = 0
    while not stop.is_set():
        number += 1
        campaign_id = f"crash-{seed}-{number}"
        state = final_state(rng)
        try:
            if client.post("/campaigns", json={
                    "campaign_id": campaign_id, "campaign_name": campaign_id,
                    "campaign_brief": {"campaign_name": campaign_id, "product": "Tea",
                                       "client": "Example"}}).status_code != 201:
                continue
            answer = client.complete(campaign_id, state)
            if answer.status_code != 200:
                continue
            with ledger.lock:
                ledger.completed[campaign_id] = state
            if rng.random() < 0.4:
                with ledger.lock:
                    ledger.doubtful.add(campaign_id)
                answer = client.delete(f"/campaigns/{campaign_id}/aws")
                if answer.status_code == 200 and all(
                        part["success"] for part in answer.json()["deletion_results"].values()):
                    with ledger.lock:
                        ledger.deleted.add(campaign_id)
        except requests.RequestException:
            continue
    client.close()


def check_all(stack, ledger):
    """Every acknowledged campaign, by its bytes and its checksums."""
    client = Client(stack, stack.token(), timeout=60)
    for campaign_id, state in ledger.completed.items():
        answer = client.get(f"/campaigns/{campaign_id}")
        if campaign_id in ledger.deleted:
            assert answer.status_code == 404, f"{campaign_id} came back"
            continue
        if campaign_id in ledger.doubtful:
            # the delete was not answered: gone, half gone, or not begun
            if answer.status_code == 404 or answer.json().get("status") != "completed":
                continue
        assert answer.status_code == 200, f"{campaign_id} is lost: {answer.text[:300]}"
        assert answer.json()["status"] == "completed"
        stored = client.get(f"/campaigns/{campaign_id}/artifacts")
        assert stored.status_code == 200, f"{campaign_id}: {stored.text[:300]}"
        assert stored.content == state, f"{campaign_id}: bytes differ"
        for part, start in (("website", b"<!"), ("pdf", b"%PDF-"), ("metadata", b"{")):
            whole = client.get(f"/campaigns/{campaign_id}/{part}")
            assert whole.status_code == 200, f"{campaign_id} {part}: {whole.text[:300]}"
            assert whole.content.lstrip().startswith(start), f"{campaign_id} {part}"
            assert len(whole.content) == int(whole.headers["Content-Length"])
    client.close()


def fsck(stack):
    """Repairs, and then finds nothing left to repair. Returns what was found."""
    first = stack.campaignctl("--json", "fsck", "--repair", "--age", "0", check=False)
    again = stack.campaignctl("--json", "fsck", "--bytes", "--age", "0", check=False)
    assert again.returncode == 0, f"{first.stdout}{first.stderr}\n{again.stdout}{again.stderr}"
    return first.stdout


def test_kill_at_random_moments_loses_nothing(make_stack, full):
    stack = make_stack()
    rng = random.Random(20241201)
    ledger = Ledger()
    kills = 200 if full else 40
    done = 0
    pause = 0.12  # at most, between two kills
    # as many as it takes for the completions to mean something, on a slow store too
    while done < kills or (len(ledger.completed) <= kills / 4 and done < 20 * kills):
        stop = threading.Event()
        threads = [
            threading.Thread(target=worker_of_campaigns, daemon=True,
                             args=(stack, ledger, stop, done * 10 + number))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        # nine workers, then the whole pool at once or its supervisor alone, in turn
        for number in range(10):
            moment = time.monotonic() + rng.random() * pause
            wait_for(lambda until=moment: time.monotonic() >= until, "a random moment")
            if number < 9:
                victims = stack.workers()
                if victims:
                    signal_if_there(rng.choice(victims), signal.SIGKILL)
            else:
                stack.kill_campaignd(workers_too=done // 10 % 2 == 0)
            done += 1
        stop.set()
        stack.start_campaignd()
        stack.wait_ready()
        for thread in threads:
            thread.join(300)
            assert not thread.is_alive(), "a request hangs"
        if len(ledger.completed) <= done / 4:
            pause = min(pause * 1.5, 5)  # time to complete something in
    assert len(ledger.completed) > kills / 4, "too little was completed to say anything"
    found = fsck(stack)
    check_all(stack, ledger)
    print(f"{len(ledger.completed)} completed, {len(ledger.deleted)} deleted; fsck: "
          f"{hashlib.sha256(found.encode()).hexdigest()[:8]} {found[:500]}")
