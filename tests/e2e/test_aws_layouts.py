"""Tables and items as earlier versions of this service made them: they are read, listed,
changed, completed and deleted, also while those versions still write beside this one."""

import gzip
import json

import boto3
import pytest

import emulators
from client import Client
from support import no_name_twice

# the same behind every web server; here processes are started anew with the other table
pytestmark = [pytest.mark.store(links_are_ours=False), pytest.mark.server(supervised=True)]

CREATED = "2026-01-02T03:04:05.000006Z"
BRIEF = {"product": "Tea", "goals": ["more of it"] * 60}
DETAIL = json.dumps({"campaign_brief": BRIEF, "house": 7,
                     "progress_log": {"current_step": 1, "last_update": CREATED}})
ENTRY = {"agent": "writer", "timestamp": CREATED}
LINKS = {"s3_website_url": "website/index.html", "s3_pdf_url": "pdf/campaign_report.pdf",
         "s3_artifacts_url": "artifacts/workflow_state.json",
         "s3_metadata_url": "metadata/campaign_metadata.json"}


def summary(campaign_id, **more):
    return json.dumps({"campaign_id": campaign_id, "user_id": "old", "status": "running",
                       "created_at": CREATED, "updated_at": CREATED, "campaign_name": "Old one",
                       **more}, separators=(",", ":"))


def first_layout(campaign_id):
    """Texts as they are; a log with a head of its own."""
    yield {"campaign_id": campaign_id, "user_id": "old", "status": "running", "revision": 3,
           "created_at": CREATED, "campaign_name": "Old one", "summary": summary(campaign_id),
           "detail": DETAIL}
    yield {"campaign_id": f"#store/log/{campaign_id}", "next": 1}
    yield {"campaign_id": f"#store/log-{0:010d}/{campaign_id}", "count": 1,
           "entries": json.dumps([ENTRY])}


def second_layout(campaign_id):
    """What is long is compressed, and the record says where its log ends."""
    whole = summary(campaign_id)
    yield {"campaign_id": campaign_id, "user_id": "old", "status": "running", "revision": 3,
           "created_at": CREATED, "campaign_name": "Old one", "log_end": 5,
           "summary": whole[whole.index(',"updated_at"'):],
           "detail": gzip.compress(DETAIL.encode())}
    yield {"campaign_id": f"#store/log-{0:010d}/{campaign_id}", "count": 1, "of": CREATED,
           "token": "0123456789abcdef", "entries": json.dumps([ENTRY])}


LAYOUTS = {"first": first_layout, "second": second_layout}


class Old:
    """An instance at a table that an earlier version made."""

    def __init__(self, stack):
        self.stack = stack
        name = stack.store.table + "-old"
        stack.stop_campaignd()
        stack.write_settings(DYNAMODB_TABLE_NAME=name)
        database = boto3.resource("dynamodb", endpoint_url=stack.store.dynamodb.url,
                                  region_name=emulators.REGION,
                                  aws_access_key_id=emulators.ACCESS_KEY,
                                  aws_secret_access_key=emulators.SECRET_KEY)
        self.table = database.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}
                                  for key in ("campaign_id", "user_id", "status", "created_at")],
            KeySchema=[{"AttributeName": "campaign_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {"IndexName": index, "KeySchema": [
                    {"AttributeName": key, "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"}],
                 "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": [
                     other, "summary", "revision", "expires_at_us"]}}
                for index, key, other in (("user_campaigns_index", "user_id", "status"),
                                          ("status_created_index", "status", "user_id"))])
        self.table.wait_until_exists()
        for layout, make in LAYOUTS.items():
            for item in make(layout):
                self.table.put_item(Item=item)
        stack.campaignctl("init")
        stack.campaignctl("recount")
        stack.start_campaignd()
        stack.wait_ready()
        self.client = Client(stack, stack.token("old"))
        self.admin = Client(stack, stack.admin_token())

    def item(self, campaign_id):
        return self.table.get_item(Key={"campaign_id": campaign_id}, ConsistentRead=True)["Item"]

    def get(self, path):
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text + self.stack.log_text()[-2000:]
        return json.loads(answer.text, object_pairs_hook=no_name_twice)


@pytest.fixture
def old(make_stack):
    return Old(make_stack())


def write_as_before(old, campaign_id, **attributes):
    """A commit of an earlier version: its condition is the revision, and its summary says
    when; attributes that it does not know stay."""
    item = old.item(campaign_id)
    revision, item["revision"] = item["revision"], item["revision"] + 1
    old.table.put_item(Item={**item, **attributes}, ConditionExpression="revision = :r",
                       ExpressionAttributeValues={":r": revision})


def test_items_of_before(old):
    for campaign_id in LAYOUTS:
        path = f"/campaigns/{campaign_id}"
        record = old.get(path)
        assert record["campaign_brief"] == BRIEF and record["house"] == 7
        assert record["updated_at"] == CREATED and record["agent_interactions"] == [ENTRY]
        for listing in (old.get("/campaigns"),
                        old.admin.get("/campaigns?status=running&user_id=old").json()):
            listed, = (entry for entry in listing["campaigns"]
                       if entry["campaign_id"] == campaign_id)
            assert listed["campaign_name"] == "Old one" and listed["updated_at"] == CREATED
        assert campaign_id in old.stack.campaignctl("list", "--status", "running").stdout

        assert old.client.post(f"{path}/progress", json={"current_step": 2}).status_code == 200
        record = old.get(path)
        assert record["updated_at"] == record["progress_log"]["last_update"] > CREATED
        assert old.client.post(f"{path}/interactions", json={"agent": "two"}).status_code == 201
        assert old.client.complete(campaign_id).status_code == 200
        record = old.get(path)
        assert record["status"] == "completed" and record["campaign_brief"] == BRIEF
        assert [entry["agent"] for entry in record["agent_interactions"]] == ["writer", "two"]
        item = old.item(campaign_id)
        for name, place in LINKS.items():
            assert item[name].endswith(f"/campaigns/{campaign_id}/{place}"), item
        receipt = old.client.delete(f"{path}/aws")
        assert receipt.status_code == 200, receipt.text
    left = {item["campaign_id"] for item in old.table.scan()["Items"]}
    assert not any(layout in key for layout in LAYOUTS for key in left), left
    assert old.get("/campaigns")["total"] == 0
    assert old.admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_campaigns"] == 0


def test_an_earlier_version_writes_in_between(old):
    """During an upgrade both serve: neither loses what the other wrote."""
    campaign_id, path = "second", "/campaigns/second"
    assert old.client.post(f"{path}/progress", json={"current_step": 2}).status_code == 200
    # its progress: the time stands in the summary, later than what the record says
    later = "2999-01-01T00:00:00.000000Z"
    whole = summary(campaign_id, updated_at=later)
    detail = json.loads(DETAIL) | {"progress_log": {"current_step": 3, "last_update": CREATED}}
    write_as_before(old, campaign_id, summary=whole[whole.index(',"updated_at"'):],
                    detail=gzip.compress(json.dumps(detail).encode()))
    record = old.get(path)
    assert record["updated_at"] == later and record["progress_log"]["current_step"] == 3
    assert old.client.complete(campaign_id).status_code == 200
    metadata = old.get(f"{path}/metadata")
    assert metadata["progress_log"]["current_step"] == 3
    assert metadata["agent_interactions"] == [ENTRY]

    # it keeps the addresses as attributes of somebody else, and the rest as plain text
    item = old.item(campaign_id)
    plain = gzip.decompress(item["detail"].value).decode()
    write_as_before(old, campaign_id, detail=plain)
    record = old.get(path)
    assert record["files"].keys() == {"website", "pdf", "artifacts", "metadata"}
    assert all("X-Amz-Signature=" in record[name] for name in LINKS)
    assert old.client.put(f"{path}/files/note.txt", data=b"note").status_code in (200, 201)
    assert {name: old.item(campaign_id)[name] for name in LINKS} == {
        name: item[name] for name in LINKS}
    data = old.get(f"{path}/aws")["aws_services"]["dynamodb"]["data"]
    assert "X-Amz-Signature=" in data["s3_pdf_url"]
    assert old.client.delete(f"{path}/aws").status_code == 200


def test_deletions_that_were_interrupted(old):
    """One by an earlier version, which counted the campaign out when it began, and one that
    began with a withdrawal, after which the campaign counts until it is gone."""
    def total():
        return old.admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_campaigns"]

    assert total() == 2
    tombstone = old.item("first") | {"status": "deleting", "revision": 4,
                                     "summary": summary("first", status="deleting")}
    del tombstone["user_id"]
    old.table.put_item(Item=tombstone)
    old.stack.campaignctl("recount")
    assert total() == 1
    withdrawn = old.item("second") | {"status": "deleting", "revision": 4,
                                      "withdrawn_user_id": "old", "withdrawn_status": "running"}
    del withdrawn["user_id"]
    old.table.put_item(Item=withdrawn)
    old.stack.campaignctl("recount")
    assert total() == 1
    other = Client(old.stack, old.stack.token("other"))
    for campaign_id, left in (("first", 1), ("second", 0)):
        path = f"/campaigns/{campaign_id}"
        assert old.client.get(path).status_code == 404
        assert other.delete(f"{path}/aws").status_code == 404
        assert campaign_id not in old.client.get("/campaigns").text
        receipt = old.client.delete(f"{path}/aws")
        assert receipt.status_code == 200, receipt.text
        assert total() == left
    keys = {item["campaign_id"] for item in old.table.scan()["Items"]}
    assert all(key.startswith("#store/counters/") for key in keys), keys
    other.close()
