"""An instance whose calls to AWS pass the proxy of faults.py on their way to an
emulator that takes whatever signature and date come: the proxy changes requests."""

import subprocess
import sys

import pytest
import requests

import emulators
from client import Client
from faults import Proxy
from stack import Stack
from support import end_with_parent, free_port, wait_for

REGION = "eu-central-1"


def emulator_answers(url):
    try:
        return requests.get(f"{url}/moto-api/", timeout=30).status_code == 200
    except requests.RequestException:
        return False


class Emulator:
    """S3 and DynamoDB in memory."""

    def __enter__(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, emulators.HERE / "moto_lean.py", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
        try:
            wait_for(lambda: emulator_answers(self.url), "the emulator")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_failure):
        self.process.kill()  # it has nothing to save
        self.process.wait()


def aws_settings(url, name, **changes):
    return {
        "CAMPAIGN_STORE": "aws",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "test-secret-key-of-no-account",
        "S3_BUCKET_NAME": f"outputs-{name}",
        "DYNAMODB_TABLE_NAME": f"campaigns-{name}",
        "WORKER_MAX_MEMORY_MIB": "0",  # a new worker learns anew what AWS is like
        **changes,
    }


def start_on_aws(build, tls, settings):
    """An instance whose bucket and table stand."""
    stack = Stack(build, tls, settings=settings)
    try:
        stack.write_settings()
        stack.campaignctl("init")
        stack.start()
    except BaseException:
        stack.stop()
        raise
    return stack


class World:
    """An instance whose calls to the emulator pass a proxy."""

    def __init__(self, build, tls, upstream, name, **settings):
        self.proxy = Proxy(upstream).__enter__()
        try:
            self.stack = start_on_aws(build, tls, aws_settings(self.proxy.url, name, **settings))
        except BaseException:
            self.proxy.__exit__()
            raise
        self.client = Client(self.stack, self.stack.token("alice"))
        self.admin = Client(self.stack, self.stack.admin_token())

    def close(self):
        wrong = self.stack.stop()
        self.proxy.__exit__()
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)


def fetched(client, campaign_id, name):
    """The artifact's bytes, by the link that the service gives."""
    answer = client.get(f"/campaigns/{campaign_id}/{name}")
    assert answer.status_code == 200, answer.text[:500]
    return answer.content
