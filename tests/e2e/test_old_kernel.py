"""The whole life of a campaign on a kernel of 2013, as hosts still have it."""

import subprocess

import pytest

import system_calls
from client import Client
from stack import Stack
from support import end_with_parent

pytestmark = [pytest.mark.plain_build,
              pytest.mark.skipif(not system_calls.AVAILABLE, reason="numbers of x86-64")]


class OldStack(Stack):
    """campaignd and campaignctl under the filter; nginx as ever."""

    def start_campaignd(self):
        def before():
            end_with_parent()
            system_calls.old_kernel()

        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [self.build / "campaignd", "--listen", self.socket, "--env", self.env_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env=self.environment(), preexec_fn=before)

    def old_campaignctl(self, *arguments):
        return subprocess.run([self.build / "campaignctl", "--env", self.env_file, *arguments],
                              capture_output=True, text=True, cwd=self.folder,
                              env=self.environment(), preexec_fn=system_calls.old_kernel, timeout=600)


def test_filter_answers_as_that_kernel():
    code = ("import ctypes; c = ctypes.CDLL(None, use_errno=True);"
            "print(c.syscall(319, b'x', 0), ctypes.get_errno(), c.syscall(39) > 0)")
    said = subprocess.run(["python3", "-c", code], capture_output=True, text=True, check=True,
                          preexec_fn=system_calls.old_kernel)
    assert said.stdout.split() == ["-1", "38", "True"]


def test_whole_life(request, tls):
    stack = OldStack(request.config.getoption("--build-dir"), tls)
    try:
        stack.start()
        user = Client(stack, stack.token("alice"))
        campaign_id = user.create(campaign_id="old")
        body = b"x" * 150_000
        upload = user.post(f"/campaigns/{campaign_id}/uploads",
                           json={"target": "files/big.bin", "size": len(body)}).json()
        for number, at in enumerate(range(0, len(body), upload["part_bytes"]), 1):
            part = body[at:at + upload["part_bytes"]]
            answer = user.put(f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}"
                              f"/parts/{number}", data=part)
            assert answer.status_code == 200, answer.text
        assert user.post(f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}/complete",
                         json={}).status_code == 200
        answer = user.complete(campaign_id)
        assert answer.status_code == 200, answer.text
        assert answer.json()["render"]["pdf_pages"] >= 1
        assert user.get(f"/campaigns/{campaign_id}/files/big.bin").content == body
        assert user.get(f"/campaigns/{campaign_id}/pdf").content.startswith(b"%PDF")
        doctor = stack.old_campaignctl("doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        assert user.delete(f"/campaigns/{campaign_id}/aws").status_code == 200
        user.close()
    finally:
        faults = stack.stop()
    assert not faults
