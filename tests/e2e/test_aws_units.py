"""What a campaign consumes of DynamoDB in its whole life, by the rules of AWS."""

import json
from collections import Counter

import pytest

from client import Client
from faulty import Emulator, World
from units import Units, item_size, kilobytes

JSON = {"Content-Type": "application/json"}
INDEXES = ("user_campaigns_index", "status_created_index")


@pytest.fixture(scope="module")
def world(request, tls):
    with Emulator() as emulator:
        made = World(request.config.getoption("--build-dir"), tls, emulator.url, "units")
        yield made
        made.close()


def test_the_rules():
    assert item_size({"n": {"N": "12"}, "text": {"S": "é"}}) == 1 + 2 + 4 + 2
    assert item_size({"b": {"B": b"123"}, "m": {"M": {"x": {"BOOL": True}}}}) == 4 + 1 + 3 + 3
    assert kilobytes({"a": {"S": "x" * 1023}}) == 1 and kilobytes({"a": {"S": "x" * 1024}}) == 2
    assert kilobytes(None, {"a": {"S": "x" * 2048}}) == 3 and kilobytes(None) == 1


def test_what_was_stored_is_there_at_once(world):
    """Reads of a campaign are consistent, whoever wrote it."""
    world.proxy.reset()
    world.proxy.keep = True
    campaign_id = world.client.create()
    for path in ("", "/status", "/aws", "/interactions"):
        assert world.client.get(f"/campaigns/{campaign_id}{path}").status_code == 200
    reads = [request.json for request in world.proxy.requests if request.operation == "GetItem"]
    assert len(reads) >= 4 and all(read["ConsistentRead"] is True for read in reads)
    assert campaign_id in {campaign["campaign_id"] for campaign in
                           world.client.get("/campaigns").json()["campaigns"]}


@pytest.mark.parametrize("user", ["alice", "3f2b8c1e-9d4a-4f6b-8e57-0a1b2c3d4e5f"])
def test_the_life_of_a_campaign(world, examples, user):
    """The example maple-transit: at most 25 write units and 5 PUTs."""
    def example(name):
        return (examples / "maple-transit" / f"{name}.json").read_bytes().strip()

    client, brief = Client(world.stack, world.stack.token(user)), json.loads(example("brief"))
    spent, calls = {}, Counter()

    def meter(step, act):
        with Units(world) as units:
            answer = act()
        spent[step] = dict(units.parts)
        calls.update(units.calls)
        return answer

    def post(part):
        answer = client.post(f"/campaigns/{campaign_id}/{part}", data=example(part), headers=JSON)
        assert answer.status_code in (200, 201), answer.text

    campaign_id = meter("create", lambda: client.create(name=brief["campaign_name"], brief=brief))
    meter("progress", lambda: post("progress"))
    meter("interactions", lambda: post("interactions"))
    state = example("final_state")
    assert meter("complete", lambda: client.complete(campaign_id, state)).status_code == 200
    for path in ("", "/status", "/aws", "/interactions", "/artifacts"):
        assert meter(f"get {path}", lambda path=path: client.get(
            f"/campaigns/{campaign_id}{path}")).status_code == 200
    total = sum(sum(parts.values()) for parts in spent.values())
    print(f"{total} units: {spent}")
    assert total <= 25, spent
    # doc/architecture.md says so
    assert {step: sum(parts.values()) for step, parts in spent.items() if parts} == {
        "create": 8, "progress": 2, "interactions": 4, "complete": 11}, spent
    # of an index, only what lists show is paid for: not each step on the way
    for step in ("progress", "interactions"):
        assert not any(spent[step].get(index) for index in INDEXES), spent
    assert calls["PutObject"] <= 5 and calls["CreateMultipartUpload"] == 0, calls
    # and it is all there
    whole = client.get(f"/campaigns/{campaign_id}").json()
    assert whole["campaign_brief"] == brief and whole["progress_log"]["current_step"] == 16
    assert client.get(f"/campaigns/{campaign_id}/artifacts").content == state
    told = client.get(f"/campaigns/{campaign_id}/interactions").json()["interactions"]
    assert told == json.loads(example("interactions"))
    # and goes in two writes of the record: out of the lists, then with its log for good
    calls.clear()
    assert meter("delete", lambda: client.delete(f"/campaigns/{campaign_id}/aws")).ok
    assert sum(spent["delete"].values()) == 19, spent["delete"]  # so says doc/architecture.md
    assert spent["delete"][campaign_id] == 3 + 2 * 2, spent["delete"]
    assert [spent["delete"][index] for index in INDEXES] == [1, 2 + 1], spent["delete"]
    assert calls["UpdateItem"] == calls["TransactWriteItems"] == 1, calls
    client.close()
