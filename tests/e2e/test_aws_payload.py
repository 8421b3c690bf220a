"""S3_PAYLOAD: how uploads are signed. The servers check the signature of each chunk by
code of their own; a proxy in front shows what went over the wire, and damages it."""

import base64
import dataclasses
import hashlib
import os
import re

import boto3
import botocore.config
import pytest

import emulators
from client import Client
from faults import RESET_REQUEST, Proxy
from stores import STORES

# uploads to S3 are the same behind every web server; here bodies reach the service whole
pytestmark = [pytest.mark.store(checks_chunks=True), pytest.mark.server(supervised=True),
              pytest.mark.plain_build]

STATE = b'{"artifacts": {"copy": "' + b"# Hello, chunks " * 20000 + b'"}}'
FILE = os.urandom(9 << 20)  # goes in parts
HEAD_OF_CHUNK = re.compile(rb"10000;chunk-signature=[0-9a-f]{64}\r\n")
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


class Damaging(Proxy):
    """Changes a byte of the body of each request that `damages` picks."""

    damages = staticmethod(lambda request: False)

    async def _forward(self, request, link):
        if self.damages(request):
            at = len(request.body) // 2
            changed = bytes([request.body[at] ^ 1])
            request = dataclasses.replace(
                request, body=request.body[:at] + changed + request.body[at + 1:])
        return await super()._forward(request, link)


class World:
    def __init__(self, make_stack, tls, server, secure, **settings):
        certificate = (tls / "server.pem", tls / "server.key") if secure else None
        self.server = server
        self.proxy = Damaging(server.url, certificate=certificate)
        self.proxy.__enter__()
        self.proxy.keep = True
        self.stack = make_stack(settings={
            "AWS_ENDPOINT_URL_S3": self.proxy.url, "AWS_CA_BUNDLE": tls / "ca.pem",
            "S3_PUBLIC_ENDPOINT_URL": server.url, "WORKERS": "2",
            **settings})
        self.client = Client(self.stack, self.stack.token("alice"))

    def s3(self):
        return boto3.client("s3", region_name=emulators.REGION,
                            endpoint_url=self.server.url,
                            aws_access_key_id=emulators.ACCESS_KEY,
                            aws_secret_access_key=emulators.SECRET_KEY,
                            config=botocore.config.Config(s3={"addressing_style": "path"}))

    def sent(self, operation):
        return [request for request in self.proxy.requests if request.operation == operation]


@pytest.fixture
def make_world(make_stack, tls, place):
    made = []

    def make(secure=False, **settings):
        try:
            server = emulators.server(STORES[place[0]].s3_server)
        except emulators.Missing as missing:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(missing))
        made.append(World(make_stack, tls, server, secure, **settings))
        return made[-1]

    yield make
    for world in made:
        world.client.close()
        world.stack.stop_campaignd()
        world.proxy.__exit__()


def live(world):
    """A campaign with all that is uploaded, read back byte for byte; its id."""
    campaign_id = world.client.create()
    answer = world.client.put(f"/campaigns/{campaign_id}/files/notes.bin", data=FILE)
    assert answer.status_code in (200, 201), answer.text
    answer = world.client.complete(campaign_id, STATE)
    assert answer.status_code == 200, answer.text
    # through the service; not by a link, as the gateway hands "aws-chunked" on, unlike S3
    assert world.client.get(f"/campaigns/{campaign_id}").content.endswith(
        b'"final_state":' + STATE + b"}")
    assert world.client.get(f"/campaigns/{campaign_id}/files/notes.bin").content == FILE
    assert len(world.sent("PutObject")) >= 4 and len(world.sent("UploadPart")) == 2
    return campaign_id


def kinds(world, operation):
    return {request.headers["x-amz-content-sha256"] for request in world.sent(operation)}


PARTS = [FILE[:8 << 20], FILE[8 << 20:]]
DIGESTS = [base64.b64encode(hashlib.sha256(part).digest()).decode() for part in PARTS]


def assert_parts_have_checksums(world, trailing):
    """Announced, sent with each part, and said again at the end; and S3 keeps them."""
    [begun] = world.sent("CreateMultipartUpload")
    assert begun.headers["x-amz-checksum-algorithm"] == "SHA256"
    for request in world.sent("UploadPart"):
        if trailing:
            assert request.headers["x-amz-trailer"] == "x-amz-checksum-sha256"
            digest = re.search(rb"\r\nx-amz-checksum-sha256:([^\r]+)\r\n", request.body)[1].decode()
        else:
            digest = request.headers["x-amz-checksum-sha256"]
        number = int(re.search(r"partNumber=(\d+)", request.target)[1])
        assert digest == DIGESTS[number - 1]
    [made] = world.sent("CompleteMultipartUpload")
    assert re.findall("<ChecksumSHA256>([^<]+)</ChecksumSHA256>", made.body.decode()) == DIGESTS
    found = world.s3().head_object(Bucket=world.stack.store.bucket, Key=made.path.split("/", 2)[2],
                                   ChecksumMode="ENABLED")
    whole = base64.b64encode(hashlib.sha256(b"".join(
        base64.b64decode(digest) for digest in DIGESTS)).digest()).decode()
    assert found["ChecksumSHA256"] in (f"{whole}-2", whole)  # moto leaves out how many


def assert_parts_have_none(world):
    assert not any("x-amz-checksum" in name or name == "x-amz-trailer"
                   for request in world.sent("CreateMultipartUpload") + world.sent("UploadPart")
                   for name in request.headers)
    [made] = world.sent("CompleteMultipartUpload")
    assert b"Checksum" not in made.body


@pytest.mark.parametrize("checksum", ["auto", "sha256", "md5", "none"])
def test_with_a_digest_in_the_head(make_world, checksum):
    world = make_world(S3_CHECKSUM=checksum)
    live(world)
    if checksum in ("auto", "sha256"):
        assert_parts_have_checksums(world, trailing=False)
    else:
        assert_parts_have_none(world)
        assert all(("content-md5" in request.headers) == (checksum == "md5")
                   for request in world.sent("UploadPart"))


@pytest.mark.parametrize("checksum,kind", [
    ("auto", SIGNED + "-TRAILER"), ("sha256", SIGNED + "-TRAILER"), ("md5", SIGNED),
    ("none", SIGNED)])
def test_in_signed_chunks(make_world, checksum, kind):
    world = make_world(S3_PAYLOAD="chunked", S3_CHECKSUM=checksum)
    campaign_id = live(world)
    assert kinds(world, "PutObject") == kinds(world, "UploadPart") == {kind}
    if kind == SIGNED:
        assert_parts_have_none(world)
    else:
        assert_parts_have_checksums(world, trailing=True)
    for request in world.sent("UploadPart"):
        chunks = HEAD_OF_CHUNK.findall(request.body)
        size = int(request.headers["x-amz-decoded-content-length"])
        assert len(chunks) == size // 65536 and len(set(chunks)) == len(chunks)
    for request in world.sent("PutObject"):
        trailed = b"\r\nx-amz-checksum-sha256:" in request.body
        assert trailed == (kind != SIGNED)
        assert (b"\r\nx-amz-trailer-signature:" in request.body) == trailed
    found = world.s3().head_object(Bucket=world.stack.store.bucket,
                                   Key=f"campaigns/{campaign_id}/artifacts/workflow_state.json")
    assert found["ContentLength"] == len(STATE)


def test_compressed_and_in_chunks(make_world):
    world = make_world(S3_PAYLOAD="chunked", S3_GZIP="true")
    campaign_id = live(world)
    sent = {request.path.rsplit("/", 1)[1]: request.headers["content-encoding"]
            for request in world.sent("PutObject")}
    assert sent["workflow_state.json"] == "aws-chunked,gzip"
    assert sent["campaign_report.pdf"] == "aws-chunked"
    found = world.s3().head_object(Bucket=world.stack.store.bucket,
                                   Key=f"campaigns/{campaign_id}/artifacts/workflow_state.json")
    assert found["ContentLength"] < len(STATE) / 10


@pytest.mark.parametrize("checksum,kind", [
    ("auto", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ("none", "UNSIGNED-PAYLOAD")])
def test_unsigned_over_tls(make_world, checksum, kind):
    world = make_world(secure=True, S3_PAYLOAD="unsigned", S3_CHECKSUM=checksum)
    live(world)
    assert kinds(world, "PutObject") == kinds(world, "UploadPart") == {kind}
    if checksum == "none":
        assert_parts_have_none(world)
    else:
        assert_parts_have_checksums(world, trailing=True)


def test_never_unsigned_without_tls(make_world):
    world = make_world(S3_PAYLOAD="unsigned")
    live(world)
    assert kinds(world, "PutObject") == kinds(world, "UploadPart") == {SIGNED + "-TRAILER"}


@pytest.mark.parametrize("secure,settings", [
    (False, {"S3_PAYLOAD": "chunked"}), (True, {"S3_PAYLOAD": "unsigned"})],
    ids=["chunk signatures", "trailing checksum"])
def test_damage_on_the_way_is_noticed(make_world, secure, settings):
    world = make_world(secure, AWS_MAX_ATTEMPTS="2", **settings)
    campaign_id = world.client.create()
    world.proxy.damages = lambda request: request.operation in ("PutObject", "UploadPart")
    assert world.client.complete(campaign_id, STATE).status_code in (502, 503)
    assert world.client.get(f"/campaigns/{campaign_id}/status").json()["status"] == "running"
    world.proxy.damages = lambda request: request.operation == "UploadPart"
    answer = world.client.put(f"/campaigns/{campaign_id}/files/notes.bin", data=FILE)
    assert answer.status_code in (502, 503), answer.text
    world.client.close()  # the web server does, where it was answered before the body's end
    assert world.client.get(f"/campaigns/{campaign_id}/files/notes.bin").status_code == 404
    world.proxy.damages = lambda request: False
    assert world.client.complete(campaign_id, STATE).status_code == 200
    assert world.client.get(f"/campaigns/{campaign_id}/artifacts").content == STATE


def test_a_repetition_starts_anew(make_world):
    """Each attempt has its own signatures, whatever was read of the body before."""
    world = make_world(S3_PAYLOAD="chunked")
    campaign_id = world.client.create()
    met = set()

    def reset_first(request):
        if request.operation not in ("PutObject", "UploadPart") or request.target in met:
            return None
        met.add(request.target)
        return RESET_REQUEST

    world.proxy.decide = reset_first
    answer = world.client.put(f"/campaigns/{campaign_id}/files/notes.bin", data=FILE)
    assert answer.status_code in (200, 201), answer.text
    assert world.client.complete(campaign_id, STATE).status_code == 200
    assert len(met) >= 6
    world.proxy.decide = lambda request: None
    assert world.client.get(f"/campaigns/{campaign_id}/files/notes.bin").content == FILE
    assert world.client.get(f"/campaigns/{campaign_id}/artifacts").content == STATE
