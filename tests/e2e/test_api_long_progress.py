"""A progress that is longer than a record takes: kept as an object, and nobody sees it."""

import json

import boto3
import pytest

import emulators
from client import Client

pytestmark = pytest.mark.server(whole_bodies=True)


def progress(step, size):
    """Raw JSON that no parser gives back unchanged."""
    head = b'{"current_step":%d,"total_steps":9,"price":1.10,"text":"' % step
    text = b"words of a sentence. " * (size // 21 + 1)
    return head + text[:size - len(head) - 2] + b'"}'


def tell(user, campaign_id, step, size):
    """What was told, with the time that was added."""
    sent = progress(step, size)
    answer = user.post(f"/campaigns/{campaign_id}/progress", data=sent,
                       headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    told = answer.json()["progress_log"]
    return sent[:-1] + b',"last_update":"%s"}' % told["last_update"].encode()


def test_a_long_progress_is_seen_as_it_was_sent(user):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}"
    for step, size in enumerate([200_000, 16_300, 1_000_000, 400_000, 100, 500_000], 1):
        told = tell(user, campaign_id, step, size)
        for part in ("", "/status", "/aws"):
            answer = user.get(path + part)
            assert answer.status_code == 200 and b'"progress_log":' + told in answer.content
        record = user.get(path).json()
        assert record["files"] == {}
        assert record["updated_at"] == record["progress_log"]["last_update"]
    assert user.complete(campaign_id).status_code == 200
    for part in ("", "/status", "/metadata"):
        assert b'"progress_log":' + told in user.get(path + part).content
    assert set(user.get(path).json()["files"]) == {"website", "pdf", "artifacts", "metadata"}
    assert user.get(f"{path}/progress").status_code in (404, 405)


def test_a_failed_campaign_keeps_it(user):
    campaign_id = user.create()
    told = tell(user, campaign_id, 3, 300_000)
    assert user.post(f"/campaigns/{campaign_id}/fail", json={"error": "x"}).status_code == 200
    assert told in user.get(f"/campaigns/{campaign_id}").content


def objects_of(stack, campaign_id):
    if stack.store.objects_are_files:
        return [path for path in (stack.store.folder / "objects").rglob("*")
                if path.is_file() and campaign_id in str(path)]
    s3 = boto3.client("s3", endpoint_url=stack.store.s3.url, region_name=emulators.REGION,
                      aws_access_key_id=emulators.ACCESS_KEY,
                      aws_secret_access_key=emulators.SECRET_KEY)
    found = s3.list_object_versions(Bucket=stack.store.bucket, Prefix=f"campaigns/{campaign_id}/")
    return [*found.get("Versions", []), *found.get("DeleteMarkers", [])]


@pytest.mark.server(supervised=True)
def test_one_object_at_a_time_and_none_in_the_end(make_stack):
    stack = make_stack(settings={"CAMPAIGN_INLINE_PROGRESS_BYTES": "1000"})
    user = Client(stack, stack.token("alice"))
    campaign_id = user.create()
    for step, (size, objects) in enumerate([(950, 0), (5000, 1), (5000, 1), (70_000, 1), (500, 0),
                                            (2000, 1)]):
        tell(user, campaign_id, step, size)
        assert len(objects_of(stack, campaign_id)) == objects
    done = stack.campaignctl("--json", "fsck", "--age", "0", "--bytes", check=False)
    assert json.loads(done.stdout)["list"] == [], done.stderr
    assert user.delete(f"/campaigns/{campaign_id}/aws").status_code == 200
    assert objects_of(stack, campaign_id) == []
    user.close()
