"""What requests cost at AWS: calls, by the service's own log, and the capacity units
that DynamoDB says it consumed."""

import base64
import gzip
import json
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

import emulators
from client import Client, assert_problem
from support import wait_for

# the same behind every web server; here it is known how many workers there are
pytestmark = [pytest.mark.store(links_are_ours=False), pytest.mark.server(supervised=True)]

CALL = re.compile(r" (S3|DynamoDB) ([A-Za-z]+) .* attempts=(\d+) .* units=\"?([0-9.]*)")
JSON = {"Content-Type": "application/json"}


class Meter:
    """`with Meter(stack) as meter: ...` reads what the log says of the calls inside. Where
    requests get into each other's way (crowded), calls may have been sent again."""

    def __init__(self, stack, crowded=False):
        self.stack, self.crowded = stack, crowded

    def __enter__(self):
        self.start = len(self.stack.log_text())
        return self

    def __exit__(self, *failure):
        lines = self.stack.log_text()[self.start:].splitlines()
        found = [match for match in map(CALL.search, lines) if match]
        self.calls = Counter(match[2] for match in found)
        self.by_service = Counter(match[1] for match in found)
        self.units = sum(float(match[4] or 0) for match in found)
        self.retries = sum(int(match[3]) - 1 for match in found)
        assert self.crowded or self.retries == 0, lines
        self.written = sum(float(match[4] or 0) for match in found
                           if match[2] in ("TransactWriteItems", "PutItem", "UpdateItem",
                                           "BatchWriteItem", "DeleteItem"))
        self.read = sum(float(match[4] or 0) for match in found
                        if match[2] in ("GetItem", "BatchGetItem", "Query", "Scan"))


@pytest.fixture(scope="module")
def instance(stack):
    """Every worker has its credentials and connections."""
    clients = [Client(stack, stack.token("warm")) for _ in range(2 * len(stack.wait_workers()))]

    def every_worker_called():
        # side by side: of requests one after another, one worker may get all
        assert all(pool.map(lambda client: client.get("/campaigns?limit=1").ok, clients))
        return all(f" {pid} DynamoDB" in stack.log_text() for pid in stack.wait_workers())

    with ThreadPoolExecutor(len(clients)) as pool:
        wait_for(every_worker_called, "calls by every worker")
    for client in clients:
        client.close()
    return stack


def example(examples, name):
    file = examples / "maple-transit" / f"{name}.json"
    return file.read_bytes().strip()


# ---- calls ----

# the tombstone, which tells what was there; the objects; a list that finds nothing; record
# with log and counters
DELETION = {"UpdateItem": 1, "DeleteObjects": 1, "ListObjectVersions": 1, "TransactWriteItems": 1}


def test_calls_of_a_campaigns_life(instance, user, examples):
    brief = json.loads(example(examples, "brief"))
    with Meter(instance) as create:
        campaign_id = user.create(name=brief["campaign_name"], brief=brief)
    assert create.calls == {"TransactWriteItems": 1}
    with Meter(instance) as status:
        assert user.get(f"/campaigns/{campaign_id}/status").status_code == 200
    assert status.calls == {"GetItem": 1}
    for part in ("progress", "interactions"):
        with Meter(instance) as step:
            answer = user.post(f"/campaigns/{campaign_id}/{part}", data=example(examples, part),
                               headers=JSON)
            assert answer.status_code in (200, 201)
        # an append takes a number in the record and puts its entries under it
        assert step.calls == {"GetItem": 1, "PutItem": 1,
                              **({"UpdateItem": 1} if part == "interactions" else {})}
    # whichever worker it comes to: what the others wrote a moment ago is remembered
    with Meter(instance) as complete:
        assert user.complete(campaign_id, example(examples, "final_state")).status_code == 200
    assert complete.calls == {"PutObject": 4, "TransactWriteItems": 1}
    with Meter(instance) as info:
        assert user.get(f"/campaigns/{campaign_id}/aws").status_code == 200
    assert info.calls == {"GetItem": 1}
    assert not [item for item in items_of(instance, campaign_id) if "X-Amz-" in text_of(item)]
    # and what is remembered is not what was there before the progress was told
    metadata = user.get(f"/campaigns/{campaign_id}/metadata").json()
    assert metadata["agent_interactions"] == json.loads(example(examples, "interactions"))
    assert metadata["progress_log"]["current_step"] == 16
    with Meter(instance) as delete:
        receipt = user.delete(f"/campaigns/{campaign_id}/aws").json()
    assert delete.calls == DELETION
    assert all(part["success"] for part in receipt["deletion_results"].values()), receipt
    assert user.get(f"/campaigns/{campaign_id}").status_code == 404
    assert not items_of(instance, campaign_id)


@pytest.mark.parametrize("appends,read", [(0, False), (1, False), (3, False), (0, True), (2, True)])
def test_a_delete_by_workers_that_remember_little(make_stack, appends, read):
    """Nothing, or the record alone, which one of them has just read."""
    stack = make_stack()
    user = Client(stack, stack.token("alice"))
    campaign_id = user.create()
    for number in range(appends):
        answer = user.post(f"/campaigns/{campaign_id}/interactions", json={"agent": f"a{number}"})
        assert answer.status_code == 201, answer.text
    assert user.complete(campaign_id).status_code == 200
    stack.stop_campaignd()
    stack.start_campaignd()
    stack.wait_ready()
    if read:
        assert user.get(f"/campaigns/{campaign_id}/aws").status_code == 200
    totals = totals_of(stack)
    with Meter(stack) as delete:
        receipt = user.delete(f"/campaigns/{campaign_id}/aws").json()
    assert delete.calls == DELETION and sum(DELETION.values()) == 4
    assert receipt["deletion_results"]["dynamodb"]["items_deleted"] == 1 + appends, receipt
    assert not items_of(stack, campaign_id)
    assert totals_of(stack) == {name: 0 for name in totals} != totals
    user.close()


def test_a_delete_of_what_is_somebody_elses(make_stack):
    """By another user, who changes nothing; by an administrator; and once more."""
    stack = make_stack()
    user, admin = Client(stack, stack.token("alice")), Client(stack, stack.admin_token())
    other = Client(stack, stack.token("bob"))
    campaign_id = user.create()
    stack.stop_campaignd()
    stack.start_campaignd()
    stack.wait_ready()
    before = items_of(stack, campaign_id)
    with Meter(stack) as refused:
        assert_problem(other.delete(f"/campaigns/{campaign_id}/aws"), 404, "campaign_not_found")
    assert refused.calls == {"UpdateItem": 1, "GetItem": 1}
    assert items_of(stack, campaign_id) == before
    with Meter(stack) as delete:
        assert admin.delete(f"/campaigns/{campaign_id}/aws").status_code == 200
    assert delete.calls == Counter(DELETION) - Counter(["DeleteObjects"]), "it had no objects"
    assert not items_of(stack, campaign_id)
    assert user.get("/campaigns").json()["total"] == 0
    for client in (admin, user):
        assert_problem(client.delete(f"/campaigns/{campaign_id}/aws"), 404, "campaign_not_found")
    for client in (user, admin, other):
        client.close()


def totals_of(stack):
    admin = Client(stack, stack.admin_token())
    stats = admin.get("/campaigns/aws/stats").json()["aws_stats"]
    admin.close()
    return {name: stats[name] for name in (
        "total_campaigns", "completed_campaigns", "total_execution_time")}


def items_of(instance, campaign_id):
    table = boto3.resource("dynamodb", region_name=emulators.REGION,
                           endpoint_url=instance.store.dynamodb.url,
                           aws_access_key_id=emulators.ACCESS_KEY,
                           aws_secret_access_key=emulators.SECRET_KEY).Table(instance.store.table)
    found, page = [], {}
    while not found or page.get("LastEvaluatedKey"):
        page = table.scan(**({"ExclusiveStartKey": page["LastEvaluatedKey"]} if found else {}))
        found += page["Items"] or [{"campaign_id": ""}]
    return [item for item in found if campaign_id in item["campaign_id"]]


def text_of(item):
    """All of it, with what is kept compressed."""
    return "".join(gzip.decompress(value.value).decode() if hasattr(value, "value") else str(value)
                   for value in item.values())


def objects_of(instance, campaign_id):
    s3 = boto3.client("s3", region_name=emulators.REGION, endpoint_url=instance.store.s3.url,
                      aws_access_key_id=emulators.ACCESS_KEY,
                      aws_secret_access_key=emulators.SECRET_KEY)
    prefix = f"campaigns/{campaign_id}/"
    return [*s3.list_object_versions(Bucket=instance.store.bucket, Prefix=prefix)
            .get("Versions", []),
            *s3.list_multipart_uploads(Bucket=instance.store.bucket, Prefix=prefix)
            .get("Uploads", [])]


def test_a_deletion_finds_what_no_record_names(instance):
    """An older version of a file, an upload that nobody finished, and entries with keys."""
    client = Client(instance, instance.token("odd"))
    campaign_id = client.create()
    s3 = boto3.client("s3", region_name=emulators.REGION, endpoint_url=instance.store.s3.url,
                      aws_access_key_id=emulators.ACCESS_KEY,
                      aws_secret_access_key=emulators.SECRET_KEY)
    bucket, folder = instance.store.bucket, f"campaigns/{campaign_id}"
    for key in ("a", "b"):
        client.post(f"/campaigns/{campaign_id}/interactions", json={"agent": key},
                    headers={"Idempotency-Key": key})
    assert client.complete(campaign_id).status_code == 200
    s3.put_object(Bucket=bucket, Key=f"{folder}/files/lost.bin", Body=b"lost")
    s3.put_object(Bucket=bucket, Key=f"{folder}/files/large.bin~parts", Body=b"")
    s3.create_multipart_upload(Bucket=bucket, Key=f"{folder}/files/large.bin")
    assert len(objects_of(instance, campaign_id)) >= 7
    receipt = client.delete(f"/campaigns/{campaign_id}/aws").json()
    assert all(part["success"] for part in receipt["deletion_results"].values()), receipt
    assert not objects_of(instance, campaign_id)
    assert not items_of(instance, campaign_id)
    client.close()


def test_a_page_of_a_list_is_one_query(instance):
    client = Client(instance, instance.token("pages"))
    for _ in range(6):
        client.create()
    def pages(first_calls, totals, **query):
        cursor, seen = None, []
        for number, total in enumerate(totals):
            with Meter(instance) as page:
                answer = client.get("/campaigns", params={**query, "cursor": cursor}).json()
            assert page.calls == (first_calls if number == 0 else {"Query": 1})
            assert answer["total"] == total
            seen += answer["campaigns"]
            cursor = answer["next_cursor"]
        assert (len(seen), cursor) == (6, None)

    pages({"Query": 1}, [None, None, 6], limit=2)
    pages({"Query": 1}, [6])
    # asked for the total, the first of several pages looks, and the cursor carries it on
    pages({"Query": 1, "BatchGetItem": 1}, [6, 6, 6], limit=2, total="true")
    pages({"Query": 1}, [6], total="true")
    client.close()


def test_what_others_wrote_is_not_forgotten(instance):
    """A completion whose ground was remembered, and changed by somebody else since."""
    client = Client(instance, instance.token("alice"))
    campaign_id = client.create()
    client.post(f"/campaigns/{campaign_id}/interactions", json={"agent": "one"})
    resource = boto3.resource("dynamodb", region_name=emulators.REGION,
                              endpoint_url=instance.store.dynamodb.url,
                              aws_access_key_id=emulators.ACCESS_KEY,
                              aws_secret_access_key=emulators.SECRET_KEY)
    table = resource.Table(instance.store.table)
    # another program's append: a piece behind the first, and the log's end moved on
    piece = {"campaign_id": f"#store/log-{1:010d}/{campaign_id}", "count": 1,
             "entries": '[{"agent":"two"}]'}
    table.put_item(Item=piece)
    table.update_item(Key={"campaign_id": campaign_id},
                      UpdateExpression="SET log_end = log_end + :two",
                      ExpressionAttributeValues={":two": 2})
    assert client.complete(campaign_id).status_code == 200
    metadata = client.get(f"/campaigns/{campaign_id}/metadata").json()
    assert [entry["agent"] for entry in metadata["agent_interactions"]] == ["one", "two"]
    client.delete(f"/campaigns/{campaign_id}/aws")
    client.close()


# ---- sizes ----

def noise(size):
    """Text that gzip makes no smaller than three quarters."""
    return base64.b64encode(random.Random(size).randbytes(size))[:size]


@pytest.mark.parametrize("size", [
    399 * 1000, 401 * 1000, 5000 * 1000, 399 << 10, 401 << 10, 5000 << 10])
def test_states_beyond_an_items_limit(user, size):
    """Below and above 400 KB, by either count; nothing in them can be compressed away."""
    head, tail = b'{"artifacts":{"copy":"', b'"},"n":9007199254740993}'
    state = head + noise(size - len(head) - len(tail)) + tail
    assert len(state) == size
    campaign_id = user.create()
    assert user.complete(campaign_id, state).status_code == 200
    assert user.get(f"/campaigns/{campaign_id}/artifacts").content == state
    assert user.get(f"/campaigns/{campaign_id}").content.endswith(
        b'"final_state":' + state + b"}")


@pytest.mark.parametrize("size", [399 << 10, 401 << 10, 5000 << 10])
def test_briefs_beyond_an_items_limit(user, size):
    brief = {"product": "Tea", "notes": noise(size).decode()}
    with Meter(user.stack) as create:
        campaign_id = user.create(brief=brief)
    assert create.calls == {"PutObject": 1, "TransactWriteItems": 1}
    assert user.get(f"/campaigns/{campaign_id}").json()["campaign_brief"] == brief


def test_what_no_item_can_hold_is_refused_before_the_first_write(user):
    """Beside a brief, or a state, that is an object of its own."""
    large = {"note_of_the_client": noise(400 << 10).decode()}
    with Meter(user.stack) as create:
        answer = user.post("/campaigns", json={
            "campaign_name": "Large", "campaign_brief": {"notes": "x" * 20000}, **large})
    assert_problem(answer, 413, "record_too_big")
    assert not create.calls
    campaign_id = user.create(brief={"product": "Tea"}, note_of_ours=noise(10 << 10).decode())
    before = user.get(f"/campaigns/{campaign_id}").json()
    large["note_of_the_client"] = large["note_of_the_client"][: 345 << 10]
    with Meter(user.stack) as complete:
        answer = user.post(f"/campaigns/{campaign_id}/complete",
                           json={"final_state": {"artifacts": {"copy": "# Hello"}}, **large})
    assert_problem(answer, 413, "record_too_big")
    assert not set(complete.calls) - {"GetItem", "Query", "BatchGetItem"}, complete.calls
    assert user.get(f"/campaigns/{campaign_id}").json() == before
    assert not objects_of(user.stack, campaign_id)


# ---- units ----

@pytest.mark.store(meters=True)
def metrics(client):
    """The counters that monitoring sees, by name and label."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_are_what_the_log_says(instance, admin):
    """Of all workers together, whichever answers."""
    before = metrics(admin)
    clients = [Client(instance, instance.token(f"metered-{number}")) for number in range(4)]

    def live(client):
        campaign_id = client.create()
        assert client.complete(campaign_id).ok
        assert client.get(f"/campaigns/{campaign_id}").ok
        assert client.delete(f"/campaigns/{campaign_id}/aws").ok

    with Meter(instance, crowded=True) as meter, ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(live, clients))
    for client in clients:
        client.close()
    after = metrics(admin)
    moved = {name.removeprefix("campaignstore_"): value - before[name]
             for name, value in after.items()}
    assert moved.pop("dynamodb_capacity_units_total") == pytest.approx(meter.units)
    assert meter.units > 0
    del moved["aws_throttled_total"], moved["aws_failures_total"]
    assert moved == {
        'info{version="%s",store="aws"}' % admin.get("/health").json()["version"]: 0,
        'aws_calls_total{service="s3"}': meter.by_service["S3"],
        'aws_calls_total{service="dynamodb"}': meter.by_service["DynamoDB"],
        "aws_retries_total": meter.retries}
    assert min(meter.by_service.values()) > 0


def test_metrics_are_for_administrators(user, anonymous):
    assert_problem(user.get("/metrics"), 403, "admin_required")
    assert anonymous.get("/metrics").status_code == 401


def test_the_thousandth_interaction_costs_as_the_first(instance):
    client = Client(instance, instance.token("alice"))
    campaign_id = client.create()
    path = f"/campaigns/{campaign_id}/interactions"
    entry = {"agent": "copywriter", "message": "word " * 20, "timestamp": "2024-12-01T12:00:00Z"}

    def append():
        with Meter(instance) as meter:
            assert client.post(path, json=entry).status_code == 201
        return meter.written, meter.read, meter.calls

    first = append()
    for _ in range(499):
        client.post(path, json=[entry])
    middle = append()
    for _ in range(498):
        client.post(path, json=[entry])
    assert first[0] > 0 and (middle, append()) == (first, first)
    assert client.get(path + "?limit=1000").json()["count"] > 0
    client.close()


@pytest.mark.store(meters=True)
@pytest.mark.server(supervised=True)
def test_statistics_cost_the_same_among_many_campaigns(make_stack):
    """100,000, written past the service, and counted."""
    instance = make_stack()
    admin = Client(instance, instance.admin_token())
    admin.create()
    with Meter(instance) as before:
        assert admin.get("/campaigns/aws/stats").status_code == 200
    count = 100000
    fill_table(instance.store, count)
    instance.campaignctl("recount")
    with Meter(instance) as after:
        stats = admin.get("/campaigns/aws/stats").json()["aws_stats"]
    assert stats["total_campaigns"] == count + 1
    assert stats["status_counts"]["completed"] == count
    assert after.calls == before.calls and after.calls.total() == 1
    assert 0 < after.read == before.read <= 10
    admin.close()


def fill_table(store, count):
    database = boto3.client("dynamodb", region_name=emulators.REGION,
                            endpoint_url=store.dynamodb.url,
                            aws_access_key_id=emulators.ACCESS_KEY,
                            aws_secret_access_key=emulators.SECRET_KEY)
    text = json.dumps({"campaign_name": "many"})

    def fill(first):
        items = [{"PutRequest": {"Item": {
            "campaign_id": {"S": f"many-{number}"}, "user_id": {"S": "many"},
            "status": {"S": "completed"}, "created_at": {"S": "2024-12-01T12:00:00.000000Z"},
            "revision": {"N": "1"}, "summary": {"S": text}, "detail": {"S": "{}"}}}}
            for number in range(first, first + 25)]
        answer = database.batch_write_item(RequestItems={store.table: items})
        assert not answer["UnprocessedItems"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, range(0, count, 25)))
