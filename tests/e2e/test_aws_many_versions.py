"""Campaigns with more objects, versions, delete markers and unfinished uploads than one
answer of S3 holds: a delete leaves nothing, says what it could not do, and never says
that it is done when it is not."""

import pytest

from faulty import Emulator, World
from versioned_bucket import PAGE, Version, VersionedBucket

OBJECTS, VERSIONS, UPLOADS = 2500, 3, 1010
BYTES = 7


@pytest.fixture(scope="module")
def world(request, tls):
    with Emulator() as emulator:
        made = World(request.config.getoption("--build-dir"), tls, emulator.url, "versions",
                     WORKERS="1")
        yield made
        made.close()


@pytest.fixture
def crowded(world):
    """A campaign and what is below its prefix: the newest of every fifth object is a delete
    marker, and names need every kind of escape."""
    world.proxy.reset()
    campaign_id = world.client.create()
    prefix = f"campaigns/{campaign_id}/"
    bucket = VersionedBucket(prefix)
    for number in range(OBJECTS):
        key = f"{prefix}files/{number:04d} a+b&<é>%20.txt"
        if number % 5 == 0:
            bucket.versions.append(Version(key, f"marker-{number}", marker=True))
        bucket.versions += [Version(key, f"v{number}-{age}", BYTES) for age in range(VERSIONS)]
    bucket.uploads = [(f"{prefix}files/{number % 300:04d} +&.bin", f"u{number:04d}")
                      for number in range(UPLOADS)]
    bucket.sort()
    world.proxy.decide = bucket.decide
    yield campaign_id, bucket
    world.proxy.reset()


TOTAL = OBJECTS * VERSIONS + OBJECTS // 5


def receipt_of(answer):
    return answer.json()["deletion_results"]["s3"]


def sizes_of(bucket, operation):
    return [count for name, count in bucket.calls if name == operation]


def test_all_pages_and_versions_go(world, crowded):
    campaign_id, bucket = crowded
    answer = world.client.delete(f"/campaigns/{campaign_id}/aws")
    assert answer.status_code == 200, answer.text
    assert receipt_of(answer) == {
        "success": True, "objects_deleted": OBJECTS, "versions_deleted": TOTAL + UPLOADS,
        "bytes_deleted": OBJECTS * VERSIONS * BYTES, "left": 0}
    assert not bucket.versions and not bucket.uploads
    deletes = sizes_of(bucket, "DeleteObjects")
    assert sum(deletes) == TOTAL and len(deletes) == -(-TOTAL // PAGE), "whole batches"
    # every page, and then once more what is left
    assert sum(sizes_of(bucket, "ListObjectVersions")) == TOTAL
    assert bucket.calls.index(("ListMultipartUploads", PAGE)) > 0
    assert sum(sizes_of(bucket, "ListMultipartUploads")) == UPLOADS
    assert bucket.calls[-2:] == [("ListObjectVersions", 0), ("ListMultipartUploads", 0)]
    assert world.client.get(f"/campaigns/{campaign_id}").status_code == 404


def test_errors_within_an_answer_are_told(world, crowded):
    """One name of thousands is refused in an answer with status 200."""
    campaign_id, bucket = crowded
    locked = bucket.versions[TOTAL // 2].key
    bucket.locked.add(locked)
    answer = world.client.delete(f"/campaigns/{campaign_id}/aws")
    assert answer.status_code == 503, answer.text
    assert not receipt_of(answer)["success"]
    assert "listing" not in receipt_of(answer)["error"], "it was not seen in the answer itself"
    assert any(version.key == locked for version in bucket.versions)
    assert world.client.get(f"/campaigns/{campaign_id}").status_code == 404, "it is being deleted"
    bucket.locked.clear()
    answer = world.client.delete(f"/campaigns/{campaign_id}/aws")
    assert answer.status_code == 200 and receipt_of(answer)["success"], answer.text
    assert not bucket.versions and not bucket.uploads


def test_what_is_still_there_is_counted(world, crowded):
    """A server that says it deleted all, and did not."""
    campaign_id, bucket = crowded
    bucket.forgotten = {bucket.versions[0].key, bucket.versions[-1].key}
    there = sum(version.key in bucket.forgotten for version in bucket.versions)
    answer = world.client.delete(f"/campaigns/{campaign_id}/aws")
    assert answer.status_code == 503, answer.text
    assert not receipt_of(answer)["success"] and receipt_of(answer)["left"] == there
    bucket.forgotten = set()
    answer = world.client.delete(f"/campaigns/{campaign_id}/aws")
    assert answer.status_code == 200 and receipt_of(answer)["left"] == 0, answer.text
    assert not bucket.versions


def test_orphans_beyond_a_page_are_repaired_at_once(world, crowded):
    """fsck deletes among the versions that it lists, the last of each page too."""
    _, bucket = crowded
    bucket.prefix, bucket.page = "campaigns/", 40
    bucket.versions = bucket.versions[:bucket.page * 4]
    done = world.stack.campaignctl("--json", "fsck", "--repair", "--age", "0")
    left = [version for version in bucket.versions if not version.marker]
    assert not left, f"{len(left)} are left: {done.stdout[-500:]}"
    assert len(sizes_of(bucket, "ListObjectVersions")) == 4
