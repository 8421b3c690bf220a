"""Others at the same bucket and table: the AWS CLI, boto3 and curl read what the service
wrote, and the service reads a table that a Python service made."""

import decimal
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import time

import boto3
import pytest
import requests
from boto3.dynamodb.conditions import Key

import emulators
from client import Client
from support import no_name_twice, wait_for

pytestmark = pytest.mark.store(links_are_ours=False)

NAMES = {"website": "website/index.html", "pdf": "pdf/campaign_report.pdf",
         "artifacts": "artifacts/workflow_state.json",
         "metadata": "metadata/campaign_metadata.json"}
STATE = b'{"artifacts": {"copy": "# Hello, w\xc3\xb6rld"}, "amount": 1.10, "nested": [1, {"a": null}]}'


class Aws:
    """The AWS CLI, on the servers of an instance."""

    def __init__(self, stack):
        self.stack = stack
        self.program = shutil.which("aws", path=str(pathlib.Path(sys.executable).parent))
        if self.program is None:
            if os.environ.get("CI") == "true":
                pytest.fail("the AWS CLI is not installed")
            pytest.skip("the AWS CLI is not installed")

    def __call__(self, service, *arguments):
        endpoint = self.stack.store.s3.url if service == "s3" else self.stack.store.dynamodb.url
        return subprocess.run(
            [self.program, service, *map(str, arguments), "--endpoint-url", endpoint],
            check=True, capture_output=True, text=True, timeout=600,
            env={"PATH": os.environ["PATH"], "HOME": str(self.stack.folder),
                 "AWS_REGION": emulators.REGION, "AWS_DEFAULT_REGION": emulators.REGION,
                 "AWS_ACCESS_KEY_ID": emulators.ACCESS_KEY, "AWS_EC2_METADATA_DISABLED": "true",
                 "AWS_SECRET_ACCESS_KEY": emulators.SECRET_KEY, "AWS_PAGER": ""}).stdout

    def query(self, index, attribute, value):
        answer = self("dynamodb", "query", "--table-name", self.stack.store.table,
                      "--index-name", index, "--key-condition-expression", "#k = :v",
                      "--expression-attribute-names", json.dumps({"#k": attribute}),
                      "--expression-attribute-values", json.dumps({":v": {"S": value}}),
                      "--no-scan-index-forward")
        return json.loads(answer)["Items"]


@pytest.fixture
def aws(stack):
    return Aws(stack)


def boto(stack, kind, service):
    server = stack.store.s3 if service == "s3" else stack.store.dynamodb
    return getattr(boto3, kind)(service, endpoint_url=server.url, region_name=emulators.REGION,
                                aws_access_key_id=emulators.ACCESS_KEY,
                                aws_secret_access_key=emulators.SECRET_KEY)


@pytest.fixture
def carol(stack):
    """A user whom no other test knows."""
    client = Client(stack, stack.token("carol"))
    yield client
    client.close()


@pytest.fixture
def campaign(carol):
    """A completed campaign."""
    campaign_id = carol.create(name="Interop")
    answer = carol.complete(campaign_id, STATE)
    assert answer.status_code == 200, answer.text
    yield campaign_id
    assert carol.delete(f"/campaigns/{campaign_id}/aws").status_code == 200


# ---- what others read ----

def test_the_cli_lists_and_copies_objects(aws, stack, carol, campaign):
    folder = f"s3://{stack.store.bucket}/campaigns/{campaign}/"
    listed = aws("s3", "ls", folder, "--recursive")
    assert sorted(line.split()[-1] for line in listed.splitlines()) == sorted(
        f"campaigns/{campaign}/{name}" for name in NAMES.values())
    for name, path in NAMES.items():
        copy = stack.folder / "copy"
        aws("s3", "cp", folder + path, copy)
        assert copy.read_bytes() == carol.get(f"/campaigns/{campaign}/{name}").content
    aws("s3", "cp", folder + NAMES["artifacts"], copy)
    assert copy.read_bytes() == STATE


def test_boto3_reads_objects_and_what_they_are(stack, carol, campaign):
    s3 = boto(stack, "client", "s3")
    for name, path in NAMES.items():
        found = s3.get_object(Bucket=stack.store.bucket, Key=f"campaigns/{campaign}/{path}",
                              ChecksumMode="ENABLED")
        body = found["Body"].read()
        assert found["ContentLength"] == len(body)
        assert found["Metadata"]["sha256"] == hashlib.sha256(body).hexdigest()
        served = carol.get(f"/campaigns/{campaign}/{name}")
        assert found["ContentType"] == served.headers["Content-Type"]
        assert body == served.content


def test_the_cli_queries_both_indexes(aws, campaign):
    for index, attribute, value in (("user_campaigns_index", "user_id", "carol"),
                                    ("status_created_index", "status", "completed")):
        items = aws.query(index, attribute, value)
        item = next(item for item in items if item["campaign_id"] == {"S": campaign})
        assert item[attribute] == {"S": value}
        assert "created_at" in item
        created = [item["created_at"]["S"] for item in items]
        assert created == sorted(created, reverse=True)
        assert "final_state" not in item and "s3_website_url" not in item


def test_attributes_have_the_names_and_types_of_the_document(aws, stack, carol, campaign):
    item = json.loads(aws("dynamodb", "get-item", "--table-name", stack.store.table, "--key",
                          json.dumps({"campaign_id": {"S": campaign}})))["Item"]
    record = carol.get(f"/campaigns/{campaign}").json()
    for name in ("campaign_id", "user_id", "campaign_name", "status", "created_at",
                 "completed_at"):
        assert item[name] == {"S": record[name]}, name
    assert decimal.Decimal(item["execution_time"]["N"]) == decimal.Decimal(
        str(record["execution_time"]))
    for name, path in NAMES.items():  # plain: what signs them is not kept
        assert item[f"s3_{name}_url"] == {
            "S": f"{stack.store.s3.url}/{stack.store.bucket}/campaigns/{campaign}/{path}"}
        assert record[f"s3_{name}_url"].startswith(item[f"s3_{name}_url"]["S"] + "?")
    table = boto(stack, "resource", "dynamodb").Table(stack.store.table)
    found = table.get_item(Key={"campaign_id": campaign}, ConsistentRead=True)["Item"]
    assert isinstance(found["execution_time"], decimal.Decimal)
    assert found["campaign_name"] == "Interop"
    by_user = table.query(IndexName="user_campaigns_index",
                          KeyConditionExpression=Key("user_id").eq("carol"))
    assert campaign in [entry["campaign_id"] for entry in by_user["Items"]]


def test_dynamodb_drops_what_nothing_hangs_on(stack, carol):
    """The table's TTL is on. Of what expires, the mark of an Idempotency-Key may vanish by
    itself; a campaign, whose objects would stay, may not."""
    client = boto(stack, "client", "dynamodb")
    described = client.describe_time_to_live(TableName=stack.store.table)
    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED",
                                                  "AttributeName": "vanishes_at"}
    stack.campaignctl("init")  # once more does no harm
    name = f"expiry-{secrets.token_hex(4)}"
    now = time.time()
    tomorrow = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 86400))
    answer = carol.post("/campaigns", headers={"Idempotency-Key": name}, json={
        "campaign_name": name, "campaign_brief": {"product": "Tea"}, "expires_at": tomorrow})
    assert answer.status_code == 201, answer.text
    table = boto(stack, "resource", "dynamodb").Table(stack.store.table)
    made = table.get_item(Key={"campaign_id": answer.json()["campaign_id"]})["Item"]
    assert made["expires_at_us"] > 0 and "vanishes_at" not in made
    marks = [item for item in table.scan(ConsistentRead=True)["Items"]
             if name in str(item) or answer.json()["campaign_id"] in item.get("summary", "")]
    (mark,) = [item for item in marks if item["campaign_id"].startswith("#")]
    # in seconds, and a day behind its end
    assert abs(mark["vanishes_at"] - mark["expires_at_us"] / 10**6 - 86400) <= 1
    assert now + 86400 < mark["vanishes_at"] < now + 3 * 86400


def test_curl_fetches_presigned_links(stack, carol, campaign):
    files = carol.get(f"/campaigns/{campaign}/aws").json()["aws_services"]["s3"]["files"]
    assert files.keys() == NAMES.keys()
    for name, url in files.items():
        assert "X-Amz-Signature=" in url
        done = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--compressed", url],
                              capture_output=True, check=True, timeout=60)
        assert done.stdout == carol.get(f"/campaigns/{campaign}/{name}").content, name
    bad = files["website"].replace("X-Amz-Signature=", "X-Amz-Signature=0")
    assert subprocess.run(["curl", "--silent", "--fail", bad], check=False, timeout=60,
                          capture_output=True).returncode == 22


# ---- what the operator is told ----

def test_doctor_is_content(stack):
    done = stack.campaignctl("--json", "doctor", check=False)
    checks = json.loads(done.stdout)["checks"]
    failed = [check for check in checks if not check["ok"] and not check.get("skipped")]
    assert failed == [] and done.returncode == 0
    passed = {check["check"] for check in checks if check["ok"]}
    assert {"credentials", "bucket", "clock against AWS", "object: put", "object: put in parts",
            "object: delete versions", "table", "table: index user_campaigns_index",
            "table: index status_created_index", "item: put", "item: update",
            "query: status_created_index", "scan"} <= passed
    versions = boto(stack, "client", "s3").list_object_versions(Bucket=stack.store.bucket,
                                                                Prefix="doctor/")
    assert not versions.get("Versions") and not versions.get("DeleteMarkers")


# ---- a bucket that keeps no versions ----

@pytest.mark.server(supervised=True)
def test_fsck_in_a_bucket_without_versions(make_stack):
    stack = make_stack(settings={"S3_VERSIONING": "false",
                                 "CAMPAIGN_INLINE_INTERACTION_BYTES": "1024"})
    alice = Client(stack, stack.token("alice"))
    campaign_id = alice.create()
    answer = alice.post(f"/campaigns/{campaign_id}/interactions", json={"agent": "a", "note": "n" * 2000})
    assert answer.status_code == 201, answer.text
    assert alice.put(f"/campaigns/{campaign_id}/files/a", data=b"a").status_code in (200, 201)
    assert alice.complete(campaign_id).status_code == 200
    s3 = boto(stack, "client", "s3")
    orphan = f"campaigns/{campaign_id}/files/b"
    s3.put_object(Bucket=stack.store.bucket, Key=orphan, Body=b"b")

    def fsck(*arguments):
        done = stack.campaignctl("--json", "fsck", "--age", "0", *arguments, check=False)
        return [(found["key"], found["repaired"]) for found in json.loads(done.stdout)["list"]]

    # what may belong to a completion that runs is left alone, and said to be
    young = json.loads(stack.campaignctl("--json", "fsck").stdout)
    assert young["list"] == [] and young["young"] == young["objects"] == 7
    assert "7 objects are too young" in stack.campaignctl("fsck").stdout
    wait_for(lambda: fsck() == [(orphan, False)], "its time has passed")
    assert fsck("--repair") == [(orphan, True)]
    assert fsck("--repair", "--bytes") == []
    kept = {each["Key"] for each in s3.list_objects_v2(Bucket=stack.store.bucket)["Contents"]}
    assert len(kept) == 6 and orphan not in kept
    assert alice.get(f"/campaigns/{campaign_id}/files/a").content == b"a"
    assert alice.delete(f"/campaigns/{campaign_id}/aws").status_code == 200
    assert s3.list_objects_v2(Bucket=stack.store.bucket)["KeyCount"] == 0
    alice.close()


# ---- what came too late ----

@pytest.mark.server(supervised=True)
def test_fsck_removes_pieces_of_logs_without_a_record(make_stack):
    stack = make_stack()
    alice = Client(stack, stack.token("alice"))
    alive, dead = alice.create(), alice.create()
    for campaign_id in (alive, dead):
        answer = alice.post(f"/campaigns/{campaign_id}/interactions", json={"agent": "a"})
        assert answer.status_code == 201, answer.text
    table = boto(stack, "resource", "dynamodb").Table(stack.store.table)
    created_at = alice.get(f"/campaigns/{dead}").json()["created_at"]
    assert alice.delete(f"/campaigns/{dead}/aws").status_code == 200
    late = f"#store/log-0000000001/{dead}"  # by an append that stood still meanwhile
    table.put_item(Item={"campaign_id": late, "of": created_at, "count": 1, "entries": "[{}]"})
    before = table.scan()["Count"]

    def fsck(*arguments):
        done = stack.campaignctl("--json", "fsck", *arguments, check=False)
        return [(found["kind"], found["key"], found["repaired"])
                for found in json.loads(done.stdout)["list"]]

    for mended in (False, True):
        assert fsck(*["--repair"] * mended) == [
            ("orphan_entry", late, mended)]
    assert fsck() == [] and table.scan()["Count"] == before - 1
    shown = alice.get(f"/campaigns/{alive}/interactions").json()["interactions"]
    assert len(shown) == 1 and shown[0]["agent"] == "a"
    alice.close()


# ---- a table that a Python service made ----

OLD = {
    "campaign_id": "campaign_20241201_120000_123456",
    "user_id": "dora",
    "campaign_name": "Product Launch Campaign",
    "status": "completed",
    "created_at": "2024-12-01T12:00:00",
    "completed_at": "2024-12-01T12:03:20",
    "execution_time": decimal.Decimal("200.5"),
    "campaign_brief": {"product": "Tea", "budget": decimal.Decimal("1200.75"),
                       "channels": ["print", "web"], "urgent": True, "notes": None},
    "final_state": {"artifacts": {"copy": "# Hello"}, "steps": [decimal.Decimal(1)]},
    "progress_log": {"planning": {"status": "done"}},
    "agent_interactions": [{"agent": "writer", "input": "brief", "output": "copy"}],
}
OLD_RUNNING = {
    "campaign_id": "campaign_20241202_090000_000001",
    "user_id": "dora",
    "campaign_name": "Still on its way",
    "status": "running",
    "created_at": "2024-12-02T09:00:00",
    "campaign_brief": {"product": "Tea"},
    "agent_interactions": [{"agent": "planner"}],
    "house_number": decimal.Decimal(7),  # an attribute of nobody's
}


def make_old_table(stack):
    """As a boto3 script does it: both indexes show everything."""
    database = boto(stack, "client", "dynamodb")
    database.create_table(
        TableName=stack.settings["DYNAMODB_TABLE_NAME"], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"}
                              for name in ("campaign_id", "user_id", "status", "created_at")],
        KeySchema=[{"AttributeName": "campaign_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {"IndexName": name, "Projection": {"ProjectionType": "ALL"},
             "KeySchema": [{"AttributeName": key, "KeyType": "HASH"},
                           {"AttributeName": "created_at", "KeyType": "RANGE"}]}
            for name, key in (("user_campaigns_index", "user_id"),
                              ("status_created_index", "status"))])
    database.get_waiter("table_exists").wait(TableName=stack.settings["DYNAMODB_TABLE_NAME"])
    table = boto(stack, "resource", "dynamodb").Table(stack.settings["DYNAMODB_TABLE_NAME"])
    for item in (OLD, OLD_RUNNING):
        table.put_item(Item={**item, **{
            f"s3_{name}_url": f"https://campaign-outputs.s3.ca-central-1.amazonaws.com/campaigns/"
                              f"{item['campaign_id']}/{path}" for name, path in NAMES.items()}})
    return table


def check_links_to_its_objects(stack, dora, table):
    """What it stored in our bucket gets links; addresses elsewhere stay what they are."""
    path, bucket = f"/campaigns/{OLD['campaign_id']}", stack.store.bucket
    website = f"campaigns/{OLD['campaign_id']}/{NAMES['website']}"
    boto(stack, "client", "s3").put_object(Bucket=bucket, Key=website, Body=b"<html>of before")
    elsewhere = dora.get(path).json()["s3_pdf_url"]
    assert "X-Amz-" not in elsewhere

    def tell(address):
        table.update_item(Key={"campaign_id": OLD["campaign_id"]},
                          UpdateExpression="SET s3_website_url = :address",
                          ExpressionAttributeValues={":address": address})
        shown = dora.get(path).json()
        files = dora.get(f"{path}/aws").json()["aws_services"]["s3"]["files"]
        assert shown["s3_pdf_url"] == elsewhere and files["pdf"] is None
        assert dora.get(f"{path}/pdf").status_code == 404
        return shown["s3_website_url"], files["website"], dora.get(f"{path}/website")

    for address in (f"https://{bucket}.s3.ca-central-1.amazonaws.com/{website}",
                    f"https://s3.ca-central-1.amazonaws.com/{bucket}/{website}"):
        told, link, got = tell(address)
        assert "X-Amz-Signature=" in told and "X-Amz-Signature=" in link
        assert got.content == requests.get(link, timeout=60).content == b"<html>of before"
        assert dora.head(f"{path}/website").headers["Content-Length"] == "15"
    for address in ("", f"https://{bucket}x.s3.ca-central-1.amazonaws.com/{website}",
                    f"https://s3.ca-central-1.amazonaws.com/x{bucket}/{website}",
                    f"https://{bucket}.s3.ca-central-1.amazonaws.com/{website}.bak",
                    f"https://{bucket}.s3.ca-central-1.amazonaws.com/x", f"s3://{bucket}/{website}"):
        told, link, got = tell(address)
        assert (told, link, got.status_code) == (address or None, None, 404), address


@pytest.mark.server(supervised=True)
def test_a_table_of_a_python_service(make_stack):
    stack = make_stack()
    stack.stop_campaignd()
    stack.write_settings(DYNAMODB_TABLE_NAME=stack.store.table + "-old")
    table = make_old_table(stack)
    made = stack.campaignctl("init")
    assert "is there" in made.stdout, made.stdout
    stack.start_campaignd()
    stack.wait_ready()
    dora, admin = Client(stack, stack.token("dora")), Client(stack, stack.admin_token())

    answer = dora.get(f"/campaigns/{OLD['campaign_id']}")
    assert answer.status_code == 200, answer.text + stack.log_text()[-3000:]
    record = json.loads(answer.text, object_pairs_hook=no_name_twice)
    for name in ("campaign_id", "user_id", "campaign_name", "status", "final_state",
                 "agent_interactions", "progress_log"):
        assert record[name] == OLD[name], name
    assert record["s3_pdf_url"].endswith(NAMES["pdf"])
    data = json.loads(dora.get(f"/campaigns/{OLD['campaign_id']}/aws").text,
                      object_pairs_hook=no_name_twice)["aws_services"]["dynamodb"]["data"]
    assert (data["s3_pdf_url"], data["final_state"]) == (record["s3_pdf_url"],
                                                         record["final_state"])
    assert record["execution_time"] == 200.5
    assert record["campaign_brief"] == {**OLD["campaign_brief"], "budget": 1200.75}
    listed = dora.get("/campaigns/aws/list").json()
    assert {entry["campaign_id"] for entry in listed["campaigns"]} == {
        OLD["campaign_id"], OLD_RUNNING["campaign_id"]}
    assert OLD["campaign_id"] in stack.campaignctl("list", "--status", "completed").stdout
    assert OLD["campaign_name"] in stack.campaignctl("show", OLD["campaign_id"]).stdout
    # what was never counted leaves no number below zero behind
    table.put_item(Item={**OLD, "campaign_id": "uncounted"})
    assert dora.delete("/campaigns/uncounted/aws").status_code == 200
    stats = admin.get("/campaigns/aws/stats").json()["aws_stats"]
    assert stats["total_campaigns"] == stats["status_counts"]["completed"] == 0
    assert stats["total_execution_time"] == 0
    stack.campaignctl("recount")
    assert admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_campaigns"] == 2

    check_links_to_its_objects(stack, dora, table)

    # written by us, and still there for the other
    path = f"/campaigns/{OLD_RUNNING['campaign_id']}"
    assert dora.post(f"{path}/interactions", json={"agent": "writer"}).status_code in (200, 201)
    answer = dora.complete(OLD_RUNNING["campaign_id"])
    assert answer.status_code == 200, answer.text
    found = table.get_item(Key={"campaign_id": OLD_RUNNING["campaign_id"]},
                           ConsistentRead=True)["Item"]
    assert found["status"] == "completed" and found["campaign_name"] == "Still on its way"
    assert found["campaign_brief"] == OLD_RUNNING["campaign_brief"]
    assert found["house_number"] == OLD_RUNNING["house_number"]
    assert found["s3_pdf_url"].startswith(stack.store.links_start), "no longer the other's"
    record = json.loads(dora.get(path).text, object_pairs_hook=no_name_twice)
    assert record["status"] == "completed" and "X-Amz-Signature=" in record["s3_pdf_url"]
    assert [entry["agent"] for entry in record["agent_interactions"]] == ["planner", "writer"]
    metadata = dora.get(f"{path}/metadata").json()
    assert metadata["agent_interactions"] == record["agent_interactions"]
    paged, page = [], {"after": None, "more": True}
    while page["more"]:
        page = dora.get(f"{path}/interactions", params={"limit": 1, "after": page["after"]}).json()
        paged += page["interactions"]
    assert paged == record["agent_interactions"]
    assert dora.get(f"{path}/interactions?after=kept.x").status_code == 400
    # the old one's objects are named by their addresses alone
    s3 = boto(stack, "client", "s3")
    old = [f"campaigns/{OLD['campaign_id']}/{path}" for path in NAMES.values()]
    for key in (*old, f"campaigns/{OLD['campaign_id']}/files/nobodys"):
        s3.put_object(Bucket=stack.store.bucket, Key=key, Body=b"old")

    def kept():
        stack.campaignctl("fsck", "--repair", "--age", "0")
        return [each["Key"] for each in s3.list_objects_v2(
            Bucket=stack.store.bucket, Prefix=f"campaigns/{OLD['campaign_id']}/")["Contents"]]

    wait_for(lambda: kept() == sorted(old), "nobody's object is gone")
    untouched = table.get_item(Key={"campaign_id": OLD["campaign_id"]})["Item"]
    assert untouched["final_state"] == OLD["final_state"]
    assert dora.delete(f"{path}/aws").status_code == 200
    assert "Item" not in table.get_item(Key={"campaign_id": OLD_RUNNING["campaign_id"]})
    dora.close()
    admin.close()
