"""What a worker costs: its private memory when idle, and after large transfers."""

import hashlib
import pathlib

import pytest

from client import Client
from load import Load, get_outcome
from support import wait_for

pytestmark = [pytest.mark.plain_build, pytest.mark.server(supervised=True)]

MIB = 1 << 20


def private_bytes(pid):
    """Memory that nobody shares with this process."""
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_"):
            total += int(line.split()[1]) * 1024
    return total


def test_an_idle_worker_is_small(make_stack):
    stack = make_stack()
    workers = stack.wait_workers()
    for pid in workers:
        assert private_bytes(pid) <= 3 * MIB
    # each works, and opens its database: what comes one by one may always come to the same
    with Load(stack, 8, get_outcome("/campaigns?limit=1")) as load:
        wait_for(lambda: load.answered() >= 200 and all(
            f" {pid} request " in stack.log_text() for pid in workers), "work for every worker")
    assert load.failed() == {} and stack.wait_workers() == workers
    for pid in workers:
        assert private_bytes(pid) <= 3 * MIB, pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()


class Bytes:
    """A stream of `size` bytes, the same each time, that is never held whole."""

    def __init__(self, size):
        self.left = size
        self.len = size
        self.digest = hashlib.sha256()
        self.block = bytes(range(256)) * 4096

    def read(self, room=-1):
        room = self.left if room < 0 else min(room, self.left)
        block = self.block[:min(room, len(self.block))]
        self.left -= len(block)
        self.digest.update(block)
        return block


@pytest.mark.parametrize("by_nginx", [True, False], ids=["sent by nginx", "sent by the worker"])
def test_large_files_raise_it_by_at_most_a_mebibyte(make_stack, full, by_nginx):
    settings = {"WORKERS": "1", **({} if by_nginx else {"CAMPAIGN_ACCEL_PREFIX": ""})}
    stack = make_stack(settings=settings)
    client = Client(stack, stack.token(), timeout=300)
    campaign_id = client.create()
    path = f"/campaigns/{campaign_id}/files/large.bin"
    worker = stack.wait_workers()[0]
    # what the first upload and download take once belongs to the idle worker
    assert client.put(path, data=b"x" * MIB).status_code in (200, 201)
    assert client.get(path).status_code == 200
    before = private_bytes(worker)

    size = (1024 if full else 128) * MIB
    stream = Bytes(size)
    answer = client.put(path, data=stream, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code in (200, 201), answer.text
    assert private_bytes(worker) <= before + MIB

    digest = hashlib.sha256()
    peak = 0
    with client.get(path, stream=True) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Length"] == str(size)
        for number, block in enumerate(answer.iter_content(MIB)):
            digest.update(block)
            if number % 64 == 0:
                peak = max(peak, private_bytes(worker))
    assert digest.digest() == stream.digest.digest()
    assert max(peak, private_bytes(worker)) <= before + MIB
    # all of it was the work of this one worker
    assert stack.wait_workers() == [worker]
    assert client.delete(f"/campaigns/{campaign_id}/aws").status_code == 200
    client.close()
