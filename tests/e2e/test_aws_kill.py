"""SIGKILL at every step of what writes to AWS, before the step is done and after: no
record ever names an object that is not there, fsck brings both stores to agreement, and
who asks again is served. test_durability.py kills at random moments, on every store."""

import signal

import pytest
import requests

import faults
from faulty import Emulator, World, fetched
from support import signal_if_there, wait_for

pytestmark = pytest.mark.plain_build  # what is killed reports nothing

STATE = b'{"artifacts":{"copy":"# Hello"},"number":1e-7}'
DATA = bytes(range(256)) * (9 << 12)  # goes in parts
SMALL = DATA[:5000]
BRIEF = {"product": "Tea", "notes": "x" * 30000}  # an object of its own


@pytest.fixture(scope="module")
def world(request, tls):
    with Emulator() as emulator:
        made = World(request.config.getoption("--build-dir"), tls, emulator.url, "killed",
                     WORKERS="1")
        yield made
        made.close()


class Kill:
    """The worker, at the n-th call to AWS; `done`: the call reached AWS all the same."""

    def __init__(self, world, step, done):
        self.world, self.left, self.done = world, step, done
        self.met = None

    def __call__(self, request):
        self.left -= 1
        if self.left != 0:
            return None
        self.met = request.operation
        for pid in self.world.stack.workers():
            signal_if_there(pid, signal.SIGKILL)
        return faults.LOST_ANSWER if self.done else faults.RESET_REQUEST


def fsck(world, *options):
    return world.stack.campaignctl("--json", "fsck", "--age", "0", *options, check=False)


def make(world, campaign_id):
    return world.client.post("/campaigns", json={
        "campaign_id": campaign_id, "campaign_name": "Killed", "campaign_brief": BRIEF})


def put(world, campaign_id):
    return world.client.put(f"/campaigns/{campaign_id}/files/data.bin", data=DATA)


def put_small(world, campaign_id):
    return world.client.put(f"/campaigns/{campaign_id}/files/small.bin", data=SMALL)


def append(world, campaign_id):
    return world.client.post(f"/campaigns/{campaign_id}/interactions", json={"agent": "copy"})


def complete(world, campaign_id):
    return world.client.complete(campaign_id, STATE)


def delete(world, campaign_id):
    return world.client.delete(f"/campaigns/{campaign_id}/aws")


def is_deleted(world, campaign_id):
    assert world.client.get(f"/campaigns/{campaign_id}").status_code == 404


def counted(world):
    """How many campaigns there are, which is what counting them anew says, too."""
    def stats():
        return world.admin.get("/campaigns/aws/stats").json()["aws_stats"]

    before = stats()
    world.stack.campaignctl("recount")
    assert stats() == before, "the counters differ from the records"
    return before["total_campaigns"]


def is_whole(world, campaign_id):
    """What the acts before were told is there, byte for byte."""
    campaign = world.client.get(f"/campaigns/{campaign_id}").json()
    assert campaign["campaign_brief"] == BRIEF
    for name, file in campaign.get("files", {}).items():
        if name.startswith("files/"):
            data = DATA if name == "files/data.bin" else SMALL
            assert fetched(world.client, campaign_id, name) == data, file
    if campaign["status"] == "completed":
        assert fetched(world.client, campaign_id, "artifacts") == STATE
        assert fetched(world.client, campaign_id, "pdf").startswith(b"%PDF-")


# what is done before it, what it is, what the repetition may be answered, and what holds then
ACTS = {
    "create": ([], make, (201, 409), is_whole),
    "put": ([make], put, (200,), is_whole),
    "append": ([make], append, (201,), is_whole),
    "complete": ([make, put_small], complete, (200,), is_whole),
    "delete": ([make, put_small, append, complete], delete, (200, 404), is_deleted),
}


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", ACTS)
def test_killed_at_each_step(world, name, done):
    before, act, answers, holds = ACTS[name]
    steps = []
    while True:
        world.proxy.reset()
        campaign_id = f"killed-{name}-{done}-{len(steps)}".lower()
        for earlier in before:
            assert earlier(world, campaign_id).status_code in (200, 201)
        kill = Kill(world, len(steps) + 1, done)
        world.proxy.decide = kill
        try:
            answer = act(world, campaign_id)
        except requests.RequestException:
            answer = None
        world.proxy.reset()
        if kill.met is None:
            assert answer.status_code == answers[0], answer.text
            assert delete(world, campaign_id).status_code in (200, 404)
            break
        steps.append(kill.met)
        assert answer is None or answer.status_code >= 500, f"{steps}: it was not killed"
        world.client.close()  # has connections to the proxy, too, by links
        wait_for(lambda: not world.proxy.tasks, "the end of the killed worker's calls")
        world.stack.wait_workers()
        assert counted(world) in (0, 1), steps
        # the repetition first for one, the repair first for the other
        if done:
            fsck(world, "--repair")
        again = act(world, campaign_id)
        assert again.status_code in answers, f"{steps}: {again.status_code} {again.text[:500]}"
        holds(world, campaign_id)
        fsck(world, "--repair")
        clean = fsck(world, "--bytes")
        assert clean.returncode == 0, f"{steps}: {clean.stdout}{clean.stderr}"
        holds(world, campaign_id)
        assert delete(world, campaign_id).status_code in (200, 404)
        assert counted(world) == 0, steps
    print(f"{name}: {steps}")
    assert {"create": 2, "put": 7, "append": 2, "complete": 5, "delete": 4}[name] <= len(steps)
