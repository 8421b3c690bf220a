"""The log lines of the calls of AWS: one for each, with all that is to be in it, and
nothing secret."""

import datetime
import hashlib
import hmac
import re
import sys

import pytest
import requests

import emulators
from client import Client
from stack import Stack

pytestmark = pytest.mark.plain_build

TOKEN = "test-session-token/of+no=account"
LINE = re.compile(
    r"^\S+Z (?P<level>info|warn) \d+ (?P<service>S3|DynamoDB|AWS STS) (?P<operation>[A-Z]\w+) "
    r"(?P<kind>key|bucket|table|region)=(?P<subject>\S+) status=(?P<status>\d+) bytes=(?P<bytes>\d+) "
    r"ms=(?P<ms>\d+) attempts=(?P<attempts>\d+) request_id=(?P<request_id>\S+) "
    r'units=(?P<units>""|[\d.]+) error=(?P<error>""|\w+)$', re.M)
GREP = re.compile("(S3|DynamoDB|AWS)")
QUOTES = '""'
KINDS = {"S3": ("key", "bucket"), "DynamoDB": ("table",), "AWS STS": ("region",)}


@pytest.fixture
def server():
    made = emulators.Server("moto-policed", lambda port, _: [
        sys.executable, emulators.HERE / "moto_policed.py", port])
    yield made
    made.stop()


@pytest.fixture
def start(request, tls, server):
    """start(**settings) starts an instance on the server, which has forgotten what it saw."""
    made = []

    def make(**settings):
        stack = Stack(request.config.getoption("--build-dir"), tls, "moto", settings={
            "AWS_ENDPOINT_URL_S3": server.url, "AWS_ENDPOINT_URL_DYNAMODB": server.url,
            "AWS_ENDPOINT_URL_STS": server.url, "WORKERS": "1", **settings})
        made.append(stack)
        stack.write_settings()
        stack.campaignctl("init")
        requests.put(f"{server.url}/policed/policy", timeout=60).raise_for_status()
        stack.start()
        return stack

    yield make
    faults = [fault for stack in made for fault in stack.stop()]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def seen(server):
    return requests.get(f"{server.url}/policed/seen", timeout=60).json()


def live(stack):
    """A campaign's life; returns what the answers said."""
    alice, admin = Client(stack, stack.token("alice")), Client(stack, stack.admin_token())
    campaign = alice.create()
    alice.post(f"/campaigns/{campaign}/interactions", json={"agent": "writer"})
    assert alice.put(f"/campaigns/{campaign}/files/notes.bin", data=b"x" * (9 << 20)).ok
    assert alice.complete(campaign).ok
    said = alice.get(f"/campaigns/{campaign}/aws").text
    for path in (f"/campaigns/{campaign}", "/campaigns/aws/list"):
        assert alice.get(path).ok
    assert admin.get("/campaigns/aws/stats").ok
    assert alice.get("/campaigns/campaign_20200101_000000_000000").status_code == 404
    assert alice.delete(f"/campaigns/{campaign}/aws").ok
    alice.close()
    admin.close()
    return said


def test_every_call_is_one_line(start, server):
    stack = start()
    before = len(seen(server))
    skip = len(stack.log_text())
    live(stack)
    lines = [line for line in stack.log_text()[skip:].splitlines() if GREP.search(line)]
    calls = [LINE.match(line) for line in lines if "AWS credentials" not in line]
    assert None not in calls, lines[calls.index(None)]
    assert sum(int(call["attempts"]) for call in calls) == len(seen(server)) - before
    assert len({call["request_id"] for call in calls}) == len(calls)
    for call in calls:
        assert call["kind"] in KINDS[call["service"]]
        if call["service"] == "DynamoDB":
            assert call["subject"] == stack.store.table
            assert int(call["bytes"]) > 0
            if call["operation"] in ("GetItem", "Query"):  # moto tells of no others
                assert call["units"] != QUOTES and float(call["units"]) > 0, call[0]
        elif call["kind"] == "bucket":
            assert call["subject"] == stack.store.bucket
            assert call["operation"] in ("HeadBucket", "DeleteObjects", "ListObjectVersions",
                                         "ListMultipartUploads")
        else:
            assert call["subject"].startswith("campaigns/")
    operations = {call["operation"] for call in calls}
    assert {"TransactWriteItems", "GetItem", "Query", "PutObject", "UploadPart",
            "CompleteMultipartUpload", "ListObjectVersions", "DeleteObjects"} <= operations
    parts = [int(call["bytes"]) for call in calls if call["operation"] == "UploadPart"]
    assert sum(parts) >= 9 << 20


def test_failures_are_lines_too(start, server):
    stack = start()
    requests.put(f"{server.url}/policed/policy", timeout=60,
                 data=b'{"Version":"2012-10-17","Statement":[]}').raise_for_status()
    skip = len(stack.log_text())
    alice = Client(stack, stack.token("alice"))
    assert alice.get("/campaigns/campaign_20200101_000000_000000").status_code >= 500
    alice.close()
    calls = list(LINE.finditer(stack.log_text()[skip:]))
    assert [(call["operation"], call["level"], call["error"]) for call in calls] == [
        ("GetItem", "warn", "AccessDeniedException")]
    requests.put(f"{server.url}/policed/policy", timeout=60).raise_for_status()


def signing_keys(secret):
    """Every key that AWS's rule derives from a secret around now."""
    today = datetime.datetime.now(datetime.timezone.utc)
    for day in (today, today - datetime.timedelta(days=1)):
        for service in ("s3", "dynamodb", "sts"):
            key = b"AWS4" + secret.encode()
            for part in (day.strftime("%Y%m%d"), emulators.REGION, service, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
                yield key


def test_nothing_secret_is_written(start, server):
    """At the most talkative level, with temporary keys, of calls that succeed and fail."""
    stack = start(LOG_LEVEL="debug", AWS_SESSION_TOKEN=TOKEN)
    said = live(stack)
    shown = [stack.campaignctl("doctor", check=False), stack.campaignctl("fsck", check=False)]
    requests.put(f"{server.url}/policed/policy", timeout=60,
                 data=b'{"Version":"2012-10-17","Statement":[]}').raise_for_status()
    shown += [stack.campaignctl(command, check=False) for command in ("doctor", "list", "fsck")]
    signatures = {signature for _, _, signature in seen(server) if signature}
    signatures |= set(re.findall(r"X-Amz-Signature=([0-9a-f]{64})", said))
    requests.put(f"{server.url}/policed/policy", timeout=60).raise_for_status()
    text = stack.log_text() + "".join(run.stdout + run.stderr for run in shown)
    assert len(signatures) > 5 and len(text) > 2000
    secret = emulators.SECRET_KEY
    forbidden = {secret, TOKEN, stack.secret, *signatures}
    for key in signing_keys(secret):
        forbidden |= {key.hex(), key.decode("latin-1")}
    assert [value[:12] for value in forbidden if value in text] == []
    assert stack.secrets_in(text) == []


def test_an_assumed_role_is_one_line(start, server):
    stack = start()
    stack.stop_campaignd()
    config = stack.folder / "aws-config"
    config.write_text("[profile store]\n"
                      "role_arn = arn:aws:iam::123456789012:role/store\n"
                      "source_profile = base\n"
                      "[profile base]\n"
                      f"aws_access_key_id = {emulators.ACCESS_KEY}\n"
                      f"aws_secret_access_key = {emulators.SECRET_KEY}\n")
    stack.write_settings(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_PROFILE="store",
                         AWS_CONFIG_FILE=str(config))
    requests.put(f"{server.url}/policed/policy", timeout=60).raise_for_status()
    skip = len(stack.log_text())
    stack.start_campaignd()
    stack.wait_ready()
    live(stack)
    calls = list(LINE.finditer(stack.log_text()[skip:]))
    assert [(call["operation"], call["status"], call["subject"])
            for call in calls if call["service"] == "AWS STS"] == [
        ("AssumeRole", "200", emulators.REGION)]
    assert sum(int(call["attempts"]) for call in calls) == len(seen(server))
    assert emulators.SECRET_KEY not in stack.log_text()
