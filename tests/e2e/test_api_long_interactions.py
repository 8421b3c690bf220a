"""Interactions that are longer than a log takes: kept as objects, and nobody sees it."""

import hashlib
import json

import boto3
import pytest

import emulators
from client import Client
from support import wait_for

JSON = {"Content-Type": "application/json"}

pytestmark = pytest.mark.server(whole_bodies=True)


def entry(number, size):
    """One with its time, as raw JSON that no parser gives back unchanged."""
    head = b'{"agent":"writer","n":%d,"price":1.10,"timestamp":"2024-12-01T12:00:00Z",' % number
    text = b"words of a sentence. " * (size // 21 + 1)
    return head + b'"text":"' + text[:size - len(head) - 10] + b'"}'


SIZES = [300, 70_000, 1_000_000, 65_536, 65_537, 200_000, 400]


@pytest.fixture
def told(user):
    """A campaign, and its interactions as they were sent."""
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/interactions"
    sent = [entry(number, size) for number, size in enumerate(SIZES)]
    assert [len(each) for each in sent] == SIZES
    for body in (sent[0], sent[1], sent[2], b"[" + b",".join(sent[3:]) + b"]"):
        answer = user.post(path, data=body, headers=JSON)
        assert answer.status_code == 201, answer.text
    return campaign_id, sent


def pages(user, path, **query):
    """The raw answers, up to the last."""
    after, more = None, True
    while more:
        answer = user.get(path, params={"after": after, **query})
        assert answer.status_code == 200, answer.text
        yield answer
        after, more = answer.json()["after"], answer.json()["more"]


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_pages_show_them_as_they_were_sent(user, told, limit):
    campaign_id, sent = told
    found, raw = [], b""
    for page in pages(user, f"/campaigns/{campaign_id}/interactions", limit=limit):
        assert 1 <= page.json()["count"] == len(page.json()["interactions"]) <= limit
        assert len(page.content) < 2_200_000
        found += page.json()["interactions"]
        raw += page.content
    assert [each["n"] for each in found] == list(range(len(sent)))
    for each in sent:
        assert raw.count(each) == 1


def test_they_come_with_the_campaign(user, told):
    campaign_id, sent = told
    shown = user.get(f"/campaigns/{campaign_id}")
    assert not shown.json()["agent_interactions_truncated"]
    assert b"[" + b",".join(sent) + b"]" in shown.content
    assert user.complete(campaign_id).status_code == 200
    metadata = user.get(f"/campaigns/{campaign_id}/metadata")
    assert metadata.json()["agent_interactions"] == [json.loads(each) for each in sent]
    # the report lists the long ones by what they are, not by their text
    website = user.get(f"/campaigns/{campaign_id}/website").text
    assert website.count("words of a sentence.") < 2 * 65_536 // 21


def test_nobody_forges_one(user, told):
    """What stands in their place is an array; a client's array is many interactions."""
    campaign_id, _sent = told
    forged = ["campaigns/another/interactions/x.json", "", 10, "0" * 64]
    for body in (forged, [forged], {"interactions": [forged]}):
        answer = user.post(f"/campaigns/{campaign_id}/interactions", json=body)
        assert answer.status_code == 422, answer.text


def lose(stack, key):
    """All versions of that object."""
    if stack.store.objects_are_files:
        for path in sorted((stack.store.folder / "objects").rglob("*"), reverse=True):
            if path.is_file() and all(part in str(path) for part in key.split("/")):
                path.unlink()
        return
    s3 = boto3.client("s3", endpoint_url=stack.store.s3.url, region_name=emulators.REGION,
                      aws_access_key_id=emulators.ACCESS_KEY,
                      aws_secret_access_key=emulators.SECRET_KEY)
    for version in s3.list_object_versions(Bucket=stack.store.bucket, Prefix=key)["Versions"]:
        s3.delete_object(Bucket=stack.store.bucket, Key=key, VersionId=version["VersionId"])


@pytest.mark.server(supervised=True)
def test_fsck_knows_which_the_log_names(make_stack):
    stack = make_stack(settings={"CAMPAIGN_INLINE_INTERACTION_BYTES": "1024"})

    def fsck(*arguments):
        done = stack.campaignctl("--json", "fsck", "--age", "0", *arguments, check=False)
        assert done.returncode in (0, 2), done.stderr
        return [(found["kind"], found["key"], found["repaired"])
                for found in json.loads(done.stdout)["list"]]

    user = Client(stack, stack.token("alice"))
    campaigns = [user.create() for _ in range(2)]
    for campaign_id in campaigns:
        for number in range(6):  # repeated, the put is in vain: as of an append that broke off
            for _ in range(2 if number == 3 else 1):
                answer = user.post(f"/campaigns/{campaign_id}/interactions",
                                   data=entry(number, 2000),
                                   headers={**JSON, "Idempotency-Key": str(number)})
                assert answer.status_code in (200, 201), answer.text
    keys = [f"campaigns/{campaign_id}/interactions/"
            f"{hashlib.sha256(entry(3, 2000)).hexdigest()}.json" for campaign_id in campaigns]
    # younger ones may belong to an append that is under way
    assert json.loads(stack.campaignctl("--json", "fsck").stdout)["list"] == []
    assert sorted(fsck()) == [("orphan_object", key, False) for key in sorted(keys)]
    assert sorted(fsck("--repair")) == [("orphan_object", key, True) for key in sorted(keys)]
    assert fsck("--bytes") == []
    for campaign_id in campaigns:
        shown = user.get(f"/campaigns/{campaign_id}/interactions").json()["interactions"]
        assert [each["n"] for each in shown] == list(range(6))

    lose(stack, keys[1])
    assert fsck("--repair") == [("missing_object", keys[1], False)]
    for campaign_id in campaigns:
        assert user.delete(f"/campaigns/{campaign_id}/aws").status_code == 200
    wait_for(lambda: fsck() == [], "nothing is left")


@pytest.mark.server(supervised=True)
def test_they_belong_to_the_campaign(make_stack):
    stack = make_stack(settings={"CAMPAIGN_INLINE_INTERACTION_BYTES": "1024", "S3_GZIP": "true"})
    user = Client(stack, stack.token("alice"))
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/interactions"
    for number in range(20):  # they are fetched in rounds
        answer = user.post(path, data=entry(number, 2000), headers=JSON)
        assert answer.status_code == 201, answer.text
    assert user.complete(campaign_id).status_code == 200
    checked = stack.campaignctl("--json", "fsck", "--bytes", "--repair", check=False)
    assert checked.returncode == 0, checked.stdout
    assert [each["n"] for each in user.get(path).json()["interactions"]] == list(range(20))
    # four objects, and those
    assert json.loads(checked.stdout)["objects"] == 24
    receipt = user.delete(f"/campaigns/{campaign_id}/aws").json()
    assert receipt["deletion_results"]["s3"]["success"], receipt
    wait_for(lambda: json.loads(stack.campaignctl("--json", "fsck").stdout)["objects"] == 0,
             "no object left")
