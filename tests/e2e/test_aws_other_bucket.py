"""The bucket's name in the settings changes; what records name stays where it is."""

import boto3
import pytest
import requests

from faulty import REGION, Emulator, World, fetched

STATE = b'{"artifacts":{"copy":"# Hello"},"number":1e-7}'
BRIEF = {"product": "Tea", "notes": "x" * 30000}  # an object of its own
LONG = {"agent": "copy", "text": "word " * 30000}  # and so is this
DATA = bytes(range(256)) * 100


@pytest.fixture
def world(request, tls):
    with Emulator() as emulator:
        made = World(request.config.getoption("--build-dir"), tls, emulator.url, "before")
        yield made
        made.close()


def keys_in(world, bucket):
    s3 = boto3.client("s3", region_name=REGION, endpoint_url="http://%s:%d" % world.proxy.upstream,
                      aws_access_key_id="test", aws_secret_access_key="test")
    listed = s3.list_object_versions(Bucket=bucket)
    assert not listed.get("DeleteMarkers")
    return [version["Key"] for version in listed.get("Versions", [])]


def move(world, name):
    """The service goes on with another bucket."""
    world.stack.stop_campaignd()
    world.stack.write_settings(S3_BUCKET_NAME=name)
    world.stack.campaignctl("init")
    world.stack.start_campaignd()
    world.stack.wait_workers()
    world.client.close()


def live(world):
    client = world.client
    campaign_id = client.create(brief=BRIEF)
    assert client.post(f"/campaigns/{campaign_id}/interactions", json=[LONG]).status_code == 201
    assert client.put(f"/campaigns/{campaign_id}/files/data.bin", data=DATA).status_code == 200
    return campaign_id


def assert_whole(world, campaign_id):
    client = world.client
    whole = client.get(f"/campaigns/{campaign_id}")
    assert whole.status_code == 200, whole.text[:300]
    assert whole.content.endswith(b'"final_state":' + STATE + b"}")
    assert whole.json()["campaign_brief"] == BRIEF
    assert fetched(client, campaign_id, "artifacts") == STATE
    assert fetched(client, campaign_id, "pdf").startswith(b"%PDF-")
    assert fetched(client, campaign_id, "files/data.bin") == DATA
    told = client.get(f"/campaigns/{campaign_id}/interactions").json()["interactions"]
    assert [entry["text"] for entry in told] == [LONG["text"]]
    for name in ("s3_website_url", "s3_artifacts_url"):
        link = whole.json()[name]
        assert "X-Amz-Signature=" in link
        assert requests.get(link, timeout=60).status_code == 200, link


def test_records_find_their_objects_in_the_bucket_before(world):
    first, second, running = live(world), live(world), live(world)
    for campaign_id in (first, second):
        assert world.client.complete(campaign_id, STATE).status_code == 200
    before = keys_in(world, "outputs-before")
    move(world, "outputs-after")
    for campaign_id in (first, second):
        assert_whole(world, campaign_id)
    # what was begun there is ended here
    assert world.client.complete(running, STATE).status_code == 200
    assert_whole(world, running)
    fresh = live(world)
    assert world.client.complete(fresh, STATE).status_code == 200
    assert_whole(world, fresh)
    assert keys_in(world, "outputs-before") == before
    assert any(fresh in key for key in keys_in(world, "outputs-after"))
    assert world.stack.campaignctl("fsck", "--bytes", "--age", "0", check=False).returncode == 0
    for campaign_id in (first, running):
        receipt = world.client.delete(f"/campaigns/{campaign_id}/aws").json()
        assert all(part["success"] for part in receipt["deletion_results"].values()), receipt
    for bucket in ("outputs-before", "outputs-after"):
        assert not any(first in key or running in key for key in keys_in(world, bucket))
    # what takes another's place takes it away there, too
    assert world.client.put(f"/campaigns/{second}/files/data.bin", data=DATA).status_code == 200
    assert not any(second in key and "data.bin" in key for key in keys_in(world, "outputs-before"))
    move(world, "outputs-before")
    for campaign_id in (second, fresh):
        assert_whole(world, campaign_id)
