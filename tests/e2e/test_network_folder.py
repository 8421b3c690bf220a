"""The local store on a file system that others may share, as home folders on NFS are: here
one of FUSE, which is treated the same and has no exclusive rename either."""

import os
import shutil
import subprocess

import pytest

from client import Client
from load import Load
from support import end_with_parent, wait_for

pytestmark = [pytest.mark.store(objects_are_files=True), pytest.mark.server(supervised=True)]

FUSE_TYPE = "65735546"
ROLLBACK = b"\x01\x01"  # read and write version in the header of a database


def type_of(folder):
    return subprocess.run(["stat", "-f", "-c", "%t", folder], capture_output=True, text=True,
                          check=True).stdout.strip()


@pytest.fixture
def network_folder(tmp_path):
    """A folder of another type than the one below it."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed")
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("file systems of FUSE need root and /dev/fuse")
    below, folder, log = (tmp_path / name for name in ("below", "network", "log"))
    below.mkdir()
    folder.mkdir()
    with log.open("wb") as out:
        process = subprocess.Popen(["bindfs", "-f", below, folder], stdout=out, stderr=out,
                                   preexec_fn=end_with_parent)
    try:
        wait_for(lambda: type_of(folder) == FUSE_TYPE or process.poll() is not None, "the mount")
        if process.poll() is not None:
            pytest.skip(f"no file system of FUSE can be mounted here: {log.read_text().strip()}")
        yield folder
    finally:
        process.terminate()  # which unmounts it
        process.wait(120)
        assert not os.path.ismount(folder)


def test_writers_lives_and_a_crash(network_folder, make_stack):
    root = network_folder / "data"
    stack = make_stack(settings={"CAMPAIGN_LOCAL_ROOT": str(root), "CAMPAIGN_ACCEL_PREFIX": ""})

    def create(client, number):
        answer = client.post("/campaigns", json={
            "campaign_name": f"from {number}", "campaign_brief": {"product": "Tea"}})
        return "ok" if answer.status_code == 201 else f"{answer.status_code} {answer.text}"

    with Load(stack, 8, create) as load:
        wait_for(lambda: load.answered() >= 100 or load.failed(), "100 campaigns")
    assert load.failed() == {}
    client = Client(stack, stack.token())
    assert client.get("/campaigns?limit=1&total=true").json()["total"] == load.answered()
    databases = [path for path in root.rglob("*") if path.is_file()
                 and path.read_bytes()[:15] == b"SQLite format 3"]
    assert len(databases) == 1
    assert databases[0].read_bytes()[18:20] == ROLLBACK
    assert not list(root.rglob("*-wal")) and not list(root.rglob("*-shm"))

    kept, gone = client.completed(), client.completed()
    assert client.delete(f"/campaigns/{gone}/aws").status_code == 200
    stack.kill_campaignd()
    stack.start_campaignd()
    stack.wait_ready()
    assert "Hello" in client.get(f"/campaigns/{kept}/website").text
    assert client.get(f"/campaigns/{kept}/pdf").content.startswith(b"%PDF-")
    assert client.get(f"/campaigns/{gone}").status_code == 404
    found = stack.campaignctl("fsck", check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    client.close()
