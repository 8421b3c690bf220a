"""Faults between campaignd and AWS, one kind at a time: what can be overcome is,
unnoticed by the client; what can't is told in a problem, in time; nothing is ever
wrong or lost. test_aws_chaos.py has them all at once."""

import calendar
import dataclasses
import email.utils
import hashlib
import time

import pytest

import faults
from client import Client, assert_problem
from faults import Proxy, Script
from faulty import Emulator, World, aws_settings, fetched, start_on_aws
from stack import make_certificate
from support import wait_for

ATTEMPTS = 3
STATE = b'{"artifacts":{"copy":"# Hello"},"number":1e-7}'


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as running:
        yield running.url


@pytest.fixture(scope="module")
def make_world(request, tls, emulator):
    made = []

    def make(name, **settings):
        made.append(World(request.config.getoption("--build-dir"), tls, emulator, name, **settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture(scope="module")
def world(make_world):
    return make_world("faults", AWS_MAX_ATTEMPTS=str(ATTEMPTS), WORKERS="2")


@pytest.fixture(autouse=True)
def quiet(request):
    """Every test starts with a proxy that only passes things on."""
    if "world" in request.fixturenames:
        request.getfixturevalue("world").proxy.reset()


# ---- what each operation is asked for, and how it is seen to be right ----

def act_get(world):
    campaign_id = world.client.create()
    yield
    answer = world.client.get(f"/campaigns/{campaign_id}/status")
    assert answer.status_code == 200, answer.text
    assert answer.json()["campaign_id"] == campaign_id
    yield answer


def act_commit(world):
    campaign_id = world.client.create()
    yield
    answer = world.client.post(f"/campaigns/{campaign_id}/fail", json={"error": "out of words"})
    assert answer.status_code == 200, answer.text
    yield answer
    world.proxy.reset()
    campaign = world.client.get(f"/campaigns/{campaign_id}").json()
    assert (campaign["status"], campaign["error"]) == ("failed", "out of words")


def act_write(world):
    campaign_id = world.client.create()
    yield
    answer = world.client.post(f"/campaigns/{campaign_id}/progress",
                               json={"current_step": 3, "step_name": "copy"})
    assert answer.status_code == 200, answer.text
    yield answer
    world.proxy.reset()
    assert world.client.get(f"/campaigns/{campaign_id}").json()["progress_log"]["current_step"] == 3


def act_append(world):
    campaign_id = world.client.create()
    yield
    answer = world.client.post(f"/campaigns/{campaign_id}/interactions", json={"agent": "copy"})
    assert answer.status_code == 201, answer.text
    yield answer
    world.proxy.reset()
    told = world.client.get(f"/campaigns/{campaign_id}/interactions").json()["interactions"]
    assert [entry["agent"] for entry in told] == ["copy"]


def act_complete(world):
    campaign_id = world.client.create()
    before = world.admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_campaigns"]
    yield
    answer = world.client.complete(campaign_id, STATE)
    assert answer.status_code == 200, answer.text
    yield answer
    world.proxy.reset()
    assert fetched(world.client, campaign_id, "artifacts") == STATE
    assert fetched(world.client, campaign_id, "pdf").startswith(b"%PDF-")
    stats = world.admin.get("/campaigns/aws/stats").json()["aws_stats"]
    assert stats["total_campaigns"] == before


def act_read_object(world):
    campaign_id = world.client.create()
    state = b'{"artifacts":{"copy":"%s"}}' % (b"0123456789abcdef" * 40000)
    assert world.client.complete(campaign_id, state).status_code == 200
    yield
    answer = world.client.get(f"/campaigns/{campaign_id}")  # copies the state from S3
    assert answer.status_code == 200, answer.text[:500]
    assert b'"final_state":' + state in answer.content
    yield answer


def act_list(world):
    user = Client(world.stack, world.stack.token(f"lister-{time.monotonic_ns()}"))
    made = {user.create() for _ in range(5)}
    yield
    seen, cursor = [], ""
    while cursor is not None:
        answer = user.get(f"/campaigns?limit=2{'&cursor=' + cursor if cursor else ''}")
        assert answer.status_code == 200, answer.text
        seen += [campaign["campaign_id"] for campaign in answer.json()["campaigns"]]
        cursor = answer.json().get("next_cursor")
    assert sorted(seen) == sorted(made)
    yield answer


def act_stats(world):
    wanted = world.admin.get("/campaigns/aws/stats").json()
    yield
    answer = world.admin.get("/campaigns/aws/stats")
    assert answer.status_code == 200, answer.text
    assert answer.json() == wanted
    yield answer


def act_delete(world):
    campaign_id = world.client.create()
    assert world.client.put(f"/campaigns/{campaign_id}/files/notes.txt", data=b"notes",
                            headers={"Content-Type": "text/plain"}).status_code == 200
    yield
    answer = world.client.delete(f"/campaigns/{campaign_id}/aws")
    assert answer.status_code == 200, answer.text
    assert all(part["success"] for part in answer.json()["deletion_results"].values()), answer.text
    yield answer
    world.proxy.reset()
    assert world.client.get(f"/campaigns/{campaign_id}").status_code == 404


def act_delete_log(world):
    """Entries that came with keys take more than the one transaction to delete."""
    campaign_id = world.client.create()
    for number in range(3):
        answer = world.client.post(f"/campaigns/{campaign_id}/interactions",
                                   json=[{"agent": f"a{number}"}],
                                   headers={"Idempotency-Key": f"{campaign_id}-{number}"})
        assert answer.status_code < 300, answer.text
    yield
    answer = world.client.delete(f"/campaigns/{campaign_id}/aws")
    assert answer.status_code == 200, answer.text
    assert all(part["success"] for part in answer.json()["deletion_results"].values()), answer.text
    yield answer
    world.proxy.reset()
    assert world.client.get(f"/campaigns/{campaign_id}").status_code == 404


ACTS = {
    "GetItem": act_get,
    "TransactWriteItems": act_commit,
    "PutItem": act_write,
    "UpdateItem": act_append,
    "PutObject": act_complete,
    "GetObject": act_read_object,
    "Query": act_list,
    "BatchGetItem": act_stats,
    "BatchWriteItem": act_delete_log,
    "ListObjectVersions": act_delete,
    "DeleteObjects": act_delete,
}


def faults_of(operation):
    dynamodb = operation.endswith(("Item", "Items")) or operation == "Query"
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"} if dynamodb else {}
    return faults.passing_faults(faults.Request("POST", "/", headers, b""))


CASES = [(operation, fault) for operation in ACTS for fault in faults_of(operation)]
# whatever something on the way answers with 200; an object is known by its SHA-256 alone
CASES += [(operation, faults.STRANGER) for operation in ACTS if operation != "GetObject"]


@pytest.mark.parametrize("operation,fault", CASES, ids=lambda value: getattr(value, "name", value))
def test_a_passing_fault_is_overcome(world, operation, fault):
    act = ACTS[operation](world)
    next(act)
    script = Script(fault, 1 if fault.once else 2, operation)
    world.proxy.reset(script)
    next(act)
    assert script.given == script.times, "the fault was never met"
    for _ in act:
        pass


# ---- what lasts ----

PASSING = faults.PASSING_ANY + faults.PASSING_DB + faults.PASSING_S3

LASTING = [
    ("GetItem", faults.THROUGHPUT, 503),
    ("GetItem", faults.THROTTLED, 503),
    ("GetItem", faults.INTERNAL, 502),
    ("GetItem", faults.RESET_REQUEST, 502),
    ("GetItem", faults.CUT_SHORT, 502),
    ("GetItem", faults.EXPIRED_DB, 502),
    ("GetItem", faults.STRANGER, 502),
    ("PutItem", faults.STRANGER, 502),
    ("TransactWriteItems", faults.STRANGER, 502),
    ("PutObject", faults.STRANGER, 502),
    ("GetItem", faults.json_error("denied", 400, "AccessDeniedException"), 502),
    ("GetItem", faults.json_error("no table", 400, "ResourceNotFoundException"), 502),
    ("TransactWriteItems", faults.THROUGHPUT, 503),
    ("TransactWriteItems", faults.IN_PROGRESS, 503),
    ("PutItem", faults.THROUGHPUT, 503),
    ("PutItem", faults.PLAIN_CONFLICT, 503),
    ("PutItem", faults.INTERNAL, 502),
    ("PutItem", faults.json_error("refused", 400, "ValidationException"), 502),
    ("PutObject", faults.SLOW_DOWN, 503),
    ("PutObject", faults.S3_INTERNAL, 502),
    ("PutObject", faults.RESET_REQUEST, 502),
    ("PutObject", faults.EXPIRED_S3, 502),
    ("PutObject", faults.NO_CHECKSUMS, 502),
    ("PutObject", faults.xml_error("denied", 403, "AccessDenied"), 502),
    ("PutObject", faults.xml_error("no bucket", 404, "NoSuchBucket"), 502),
    ("PutObject", faults.xml_error("moved for ever", 301, "PermanentRedirect"), 502),
]


def ask_for(client, campaign_id, operation):
    """A request that needs this operation."""
    if operation == "PutObject":
        return client.complete(campaign_id, STATE)
    if operation == "TransactWriteItems":
        return client.post(f"/campaigns/{campaign_id}/fail", json={"error": "out of words"})
    return client.post(f"/campaigns/{campaign_id}/progress", json={"current_step": 7})


@pytest.mark.parametrize("operation,fault,status", LASTING,
                         ids=lambda value: getattr(value, "name", str(value)))
def test_a_lasting_fault_is_told_and_leaves_all_as_it_was(world, operation, fault, status):
    client = world.client
    campaign_id = client.create()
    before = client.get(f"/campaigns/{campaign_id}").json()
    world.proxy.reset(Script(fault, None, operation))
    started = time.monotonic()
    answer = ask_for(client, campaign_id, operation)
    spent = time.monotonic() - started
    world.proxy.reset()
    problem = assert_problem(answer, status, "busy" if status == 503 else "upstream")
    assert spent < 28, "beyond the request's budget"
    if status == 503 or fault in PASSING:
        assert int(answer.headers["Retry-After"]) >= 1
    # the causes are for the operator's log, not for the client
    assert "injected" not in problem["detail"] and "AKID" not in answer.text
    assert client.get(f"/campaigns/{campaign_id}").json() == before
    assert ask_for(client, campaign_id, operation).status_code == 200


CANCELLATIONS = [  # what the client is told, and how often the transaction was sent
    (["None"], 502, "upstream", 1),
    (["ItemCollectionSizeLimitExceeded"], 502, "upstream", 1),
    (["ValidationError"], 502, "upstream", 1),
    (["AccessDenied"], 502, "upstream", 1),
    (["None", "ThrottlingError", "ValidationError"], 502, "upstream", 1),
    (["TransactionConflict"], 503, "busy", ATTEMPTS),
    (["ProvisionedThroughputExceeded"], 503, "busy", ATTEMPTS),
    (["ThrottlingError"], 503, "busy", ATTEMPTS),
    (["None", "TransactionConflict", "ThrottlingError"], 503, "busy", ATTEMPTS),
    # somebody else's change: read anew, and done again as often as the campaign's room has it
    (["ConditionalCheckFailed"], 503, "campaign_contended", 8),
    (["ConditionalCheckFailed", "ThrottlingError"], 503, "campaign_contended", 8),
]


@pytest.mark.parametrize("reasons,status,code,sent", CANCELLATIONS,
                         ids=lambda value: "+".join(value) if isinstance(value, list) else None)
def test_a_cancelled_transaction_is_told_by_its_reasons(world, reasons, status, code, sent):
    client = world.client
    campaign_id = client.create()
    before = client.get(f"/campaigns/{campaign_id}").json()
    script = Script(faults.cancelled(*reasons), None, "TransactWriteItems")
    world.proxy.reset(script)
    answer = ask_for(client, campaign_id, "TransactWriteItems")
    world.proxy.reset()
    assert_problem(answer, status, code)
    assert script.given == sent
    assert client.get(f"/campaigns/{campaign_id}").json() == before
    assert ask_for(client, campaign_id, "TransactWriteItems").status_code == 200


@pytest.mark.parametrize("operation,failed", [
    ("PutItem", faults.json_error("changed", 400, "ConditionalCheckFailedException")),
    ("TransactWriteItems", faults.cancelled("ConditionalCheckFailed")),
], ids=["alone", "in a transaction"])
def test_a_condition_that_failed_is_a_conflict_and_no_fault(world, operation, failed):
    """Another wrote in between: the change is made again on what is there now."""
    campaign_id = world.client.create()
    world.proxy.reset(Script(failed, None, operation))
    assert_problem(ask_for(world.client, campaign_id, operation), 503, "campaign_contended")
    world.proxy.reset()
    assert world.client.get(f"/campaigns/{campaign_id}/status").json()["status"] == "running"
    script = Script(failed, 2, operation)
    world.proxy.reset(script)
    answer = ask_for(world.client, campaign_id, operation)
    assert answer.status_code == 200, answer.text
    assert script.given == 2


@pytest.mark.parametrize("operation", ["UpdateItem", "PutItem"])
@pytest.mark.parametrize("fault", [faults.THROTTLED, faults.LOST_ANSWER, faults.INTERNAL],
                         ids=lambda fault: fault.name)
def test_an_append_that_fails_leaves_a_log_that_goes_on(world, operation, fault):
    """Between its two writes, or with them done and the answer lost."""
    client = world.client
    campaign_id = client.create()

    def append(agent):
        return client.post(f"/campaigns/{campaign_id}/interactions", json={"agent": agent})

    def told():
        answer = client.get(f"/campaigns/{campaign_id}/interactions").json()
        return [entry["agent"] for entry in answer["interactions"]]

    assert append("first").status_code == 201
    world.proxy.reset(Script(fault, None, operation))
    assert append("failed").status_code in (502, 503)
    world.proxy.reset()
    seen = told()
    # what was not acknowledged may be there only where its last answer was lost
    assert seen == ["first"] or (seen == ["first", "failed"] and fault.lose)
    assert append("next").status_code == 201
    assert told() == [*seen, "next"]
    assert client.complete(campaign_id, STATE).status_code == 200
    metadata = client.get(f"/campaigns/{campaign_id}/metadata").json()
    assert [entry["agent"] for entry in metadata["agent_interactions"]] == [*seen, "next"]
    assert client.delete(f"/campaigns/{campaign_id}/aws").status_code == 200


def test_a_commit_whose_answer_is_lost_counts_once(world):
    """Where the client is told of a failure and asks again, he is answered as at first."""
    client = world.client
    body = {"campaign_name": "Once", "campaign_brief": {"product": "Tea"}}
    key = {"Idempotency-Key": f"once-{time.monotonic_ns()}"}
    before = world.admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_campaigns"]
    world.proxy.reset(Script(faults.LOST_ANSWER, None, "TransactWriteItems"))
    first = client.post("/campaigns", json=body, headers=key)
    world.proxy.reset()
    again = client.post("/campaigns", json=body, headers=key)
    assert first.status_code in (200, 201) and again.json() == first.json()
    campaign_id = first.json()["campaign_id"]
    world.proxy.reset(Script(faults.LOST_ANSWER, None, "TransactWriteItems"))
    assert_problem(client.complete(campaign_id, STATE), 502, "upstream")
    world.proxy.reset()
    assert client.get(f"/campaigns/{campaign_id}/status").json()["status"] == "completed"
    assert client.complete(campaign_id, STATE).status_code == 200
    assert fetched(client, campaign_id, "artifacts") == STATE
    after = world.admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_campaigns"]
    assert after == before + 1


@pytest.mark.parametrize("body", [{"campaign_id": "lost-and-found"}, {}], ids=["own id", "no id"])
def test_a_creation_whose_answer_is_lost_is_made_once(world, body):
    """Also on a server that knows no tokens: what it finds there is its own."""
    user = Client(world.stack, world.stack.token(f"creator-{time.monotonic_ns()}"))
    named = {"campaign_name": "Once", "campaign_brief": {"product": "Tea"}, **body}
    world.proxy.knows_tokens = False
    try:
        world.proxy.reset(Script(faults.LOST_ANSWER, 1, "TransactWriteItems"))
        answer = user.post("/campaigns", json=named)
        world.proxy.reset()
        again = user.post("/campaigns", json={**named, "campaign_id": answer.json()["campaign_id"]})
    finally:
        world.proxy.knows_tokens = True
    assert answer.status_code == 201, answer.text
    assert_problem(again, 409, "campaign_exists")
    made = user.get("/campaigns").json()["campaigns"]
    assert [campaign["campaign_id"] for campaign in made] == [answer.json()["campaign_id"]]


def test_uploads_beside_each_other_keep_their_keys(make_world):
    """Each connection that was kept dies with the next upload on it, again and again:
    libcurl replaces some of them by itself, and leaves the others to us."""
    world = make_world("keys", WORKERS="1")
    world.client.completed()  # opens the four connections
    for _ in range(8):
        campaign_id = world.client.create()
        met = set()

        def die_once(request, met=met):
            if request.operation != "PutObject" or len(met) == 4 or request.path in met:
                return None
            met.add(request.path)
            return faults.RESET_REQUEST

        world.proxy.reset(die_once)
        assert world.client.complete(campaign_id, STATE).status_code == 200
        world.proxy.reset()
        assert len(met) == 4
        files = world.client.get(f"/campaigns/{campaign_id}").json()["files"]
        for name in ("website", "pdf", "artifacts", "metadata"):
            data = fetched(world.client, campaign_id, name)
            assert hashlib.sha256(data).hexdigest() == files[name]["sha256"], name


# ---- states of the world that are put right once, and stay right ----

@pytest.mark.parametrize("fault", [faults.NO_CHECKSUMS, faults.NO_CHECKSUMS_400],
                         ids=lambda fault: fault.name)
@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "UploadPart"])
def test_a_server_without_checksum_headers_is_served_without(make_world, operation, fault):
    world = make_world(f"plain-{operation.lower()}-{fault.answer.status}", WORKERS="1")
    data = b"0123456789abcdef" * (9 << 16)  # goes in parts
    refused = []

    def decide(request):
        if request.operation == operation and any(
                name.startswith("x-amz-checksum-") for name in request.headers):
            refused.append(request.path)
            return fault
        return None

    def live():
        campaign_id = world.client.create()
        answer = world.client.put(f"/campaigns/{campaign_id}/files/data.bin", data=data)
        assert answer.status_code == 200, answer.text
        assert world.client.complete(campaign_id, STATE).status_code == 200
        return campaign_id

    world.proxy.reset(decide)
    first = live()
    assert refused
    refused.clear()
    second = live()
    assert not refused, "it was not remembered"
    for campaign_id in (first, second):
        assert fetched(world.client, campaign_id, "website")
        assert fetched(world.client, campaign_id, "files/data.bin") == data


def scope_of(request):
    """Date, region and service that the request was signed for."""
    return request.headers["authorization"].partition("Credential=")[2].split("/")[1:4]


@pytest.mark.parametrize("how", [
    lambda region: faults.xml_error("301", 301, "PermanentRedirect",
                                    [("x-amz-bucket-region", region)]),
    lambda region: faults.xml_error("400", 400, "AuthorizationHeaderMalformed",
                                    inner=f"<Region>{region}</Region>"),
    lambda region: faults.xml_error("307", 307, "TemporaryRedirect",
                                    [("x-amz-bucket-region", region),
                                     ("Location", "http://127.0.0.1:9/elsewhere")]),
], ids=["301", "400", "307"])
def test_the_bucket_is_found_in_its_region(make_world, how):
    world = make_world(f"region-{how('x').name}", WORKERS="1")
    refused = []

    def decide(request):
        if request.service == "s3" and scope_of(request)[1] != "ap-southeast-2":
            refused.append(request.operation)
            return how("ap-southeast-2")
        return None

    world.proxy.reset(decide)
    campaign_id = world.client.completed()
    assert 1 <= len(refused) <= 4, "each of the four uploads at most once"
    refused.clear()
    second = world.client.completed()
    assert not refused, "it was not remembered"
    for made in (campaign_id, second):
        assert world.client.get(f"/campaigns/{made}").json()["final_state"]


def clock_of(request):
    return time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")


@pytest.mark.plain_build  # it waits for what is asked of AWS every few seconds alone
@pytest.mark.parametrize("hours", [-3, 3])
def test_a_wrong_clock_is_corrected_by_the_answer(make_world, hours):
    """Servers three hours away refuse us, and say what time it is."""
    world = make_world(f"skew{hours}", WORKERS="1")
    refused = []

    def decide(request):
        now = time.time() + 3600 * hours
        if abs(calendar.timegm(clock_of(request)) - now) < 300:
            return None
        refused.append(request.operation)
        date = ("Date", email.utils.formatdate(now, usegmt=True))
        if request.service == "s3":
            fault = faults.xml_error("skew", 403, "RequestTimeTooSkewed", [date])
        else:
            fault = faults.json_error("skew", 400, "InvalidSignatureException",
                                      "Signature not yet current: 1 is still later than 2")
            answer = faults.Answer(400, [*fault.answer.headers, date], fault.answer.body)
            fault = dataclasses.replace(fault, answer=answer)
        return fault

    world.proxy.reset(decide)
    campaign_id = world.client.completed()
    assert 1 <= len(refused) <= 4
    refused.clear()
    assert world.client.get(f"/campaigns/{campaign_id}").json()["final_state"]
    assert not refused, "it was not remembered"
    # asked every few seconds at most
    offset = wait_for(lambda: world.client.get("/health").json().get("clock_offset_seconds"),
                      "the offset in /health")
    assert abs(offset - 3600 * hours) < 300


def test_expired_credentials_are_fetched_anew(make_world, tmp_path):
    shared = tmp_path / "credentials"

    def write(key):
        shared.write_text(f"[default]\naws_access_key_id = {key}\n"
                          "aws_secret_access_key = test-secret-key-of-no-account\n"
                          "aws_session_token = test-token\n")

    write("AKIDFIRST")
    world = make_world("expired", WORKERS="1", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
                       AWS_SHARED_CREDENTIALS_FILE=str(shared))
    campaign_id = world.client.create()
    refused = []

    def decide(request):
        if "AKIDFIRST" not in request.headers["authorization"]:
            return None
        refused.append(request.operation)
        return faults.EXPIRED_S3 if request.service == "s3" else faults.EXPIRED_DB

    world.proxy.reset(decide)
    answer = world.client.get(f"/campaigns/{campaign_id}/status")
    assert_problem(answer, 502, "upstream")  # nobody has better ones yet
    write("AKIDSECOND")
    refused.clear()
    assert world.client.get(f"/campaigns/{campaign_id}/status").status_code == 200
    assert len(refused) <= 1
    assert world.client.complete(campaign_id, STATE).status_code == 200


@pytest.mark.plain_build  # the time limits are of a build without sanitizers
def test_silence_ends_in_time(make_world):
    world = make_world("silent", WORKERS="2", LIMIT_REQUEST_SECONDS="5")
    campaign_id = world.client.create()
    for operation in ("GetItem", "TransactWriteItems", "PutObject"):
        world.proxy.reset(Script(faults.HANG, None, operation))
        started = time.monotonic()
        if operation == "GetItem":
            answer = world.client.get(f"/campaigns/{campaign_id}/status")
        else:
            answer = world.client.complete(campaign_id, STATE)
        assert_problem(answer, 504, "timeout")
        assert int(answer.headers["Retry-After"]) >= 1
        # generous: the machine may be busy, but it is this limit, not that of 28 s
        assert time.monotonic() - started < 25
    world.proxy.reset()
    # a busy machine may need more than this limit, too: then it is told so, and it goes on
    wait_for(lambda: world.client.complete(campaign_id, STATE).status_code == 200, "its end")


def test_connections_are_kept(make_world):
    """One connection for each of what runs at the same time, over many requests."""
    world = make_world("kept", WORKERS="1")
    campaign_id = world.client.completed()  # opens the four that it uploads by
    before = world.proxy.accepted
    for _ in range(60):
        assert world.client.get(f"/campaigns/{campaign_id}/status").status_code == 200
    assert world.client.get(f"/campaigns/{campaign_id}/aws").status_code == 200
    world.client.completed()
    assert world.proxy.accepted == before


def test_a_server_must_show_a_certificate_that_is_trusted(request, tls, emulator, tmp_path):
    """AWS_CA_BUNDLE names who is; without it the system's roots do, and nothing
    switches the check off."""
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    make_certificate(stranger)
    with Proxy(emulator, certificate=(tls / "server.pem", tls / "server.key")) as proxy:
        settings = aws_settings(proxy.url, "tls", WORKERS="1", AWS_MAX_ATTEMPTS="2",
                                AWS_CA_BUNDLE=tls / "ca.pem")
        stack = start_on_aws(request.config.getoption("--build-dir"), tls, settings)
        try:
            client = Client(stack, stack.token("alice"))
            campaign_id = client.create()
            handshakes = proxy.accepted
            for _ in range(20):
                assert client.get(f"/campaigns/{campaign_id}/status").status_code == 200
            assert proxy.accepted == handshakes, "the session was not kept"
            for bundle in (stranger / "ca.pem", ""):
                stack.stop_campaignd()
                stack.write_settings(AWS_CA_BUNDLE=bundle)
                seen = len(proxy.seen)
                stack.start_campaignd()
                stack.wait_workers()
                answer = client.get(f"/campaigns/{campaign_id}/status")
                assert_problem(answer, 502, "upstream")
                assert len(proxy.seen) == seen, "a request was sent all the same"
        finally:
            stack.stop()
