#!/usr/bin/env python3
"""moto's server behind a check of every request's signature.

moto itself takes any credentials (its own check knows no presigned URLs). Here a
request reaches it only when botocore, which is Amazon's own signer, gets the same
signature for it: by header or by query, over the body that really came, in time.
Of a body in chunks each chunk is checked, and the checksum behind them, as S3's
documentation has it; moto gets it put together.

usage: moto_signed.py PORT ACCESS_KEY_ID SECRET_ACCESS_KEY"""

import base64
import datetime
import hashlib
import hmac
import io
import json
import re
import signal
import sys
import threading
import urllib.parse

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

from moto_lean import forget_instances

SKEW = datetime.timedelta(minutes=15)
HEADER = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),"
                    r"\s*Signature=([0-9a-f]{64})")
OWN_PATH = "/moto-api/"  # moto's own switches, which AWS does not have


class Refused(Exception):
    def __init__(self, status, code, text):
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


class QueryAuth(S3SigV4Auth):
    """Canonical requests of presigned URLs: the body is not signed."""

    def payload(self, request):
        return "UNSIGNED-PAYLOAD"


def time_of(text):
    try:
        moment = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ")
    except ValueError:
        raise Refused(403, "AccessDenied", f"no time: {text!r}") from None
    return moment.replace(tzinfo=datetime.timezone.utc)


class Chunks:
    """A body in aws-chunked encoding; sign(text) is the signature of a text, or None where
    the chunks are not signed."""

    def __init__(self, body, seed, prefix, sign):
        self.stream = io.BytesIO(body)
        self.previous, self.prefix, self.sign = seed, prefix, sign
        self.whole = b""

    def line(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise Refused(400, "IncompleteBody", "the body ends within a chunk")
        return line[:-2].decode("latin-1")

    def expect(self, algorithm, *digests, told):
        text = "\n".join((algorithm, self.prefix, self.previous, *digests))
        self.previous = self.sign(text)
        if not hmac.compare_digest(self.previous, told):
            raise Refused(403, "SignatureDoesNotMatch", "a chunk's signature is another one")

    def read(self, trailer):
        size = -1
        while size != 0:
            size, _, extension = self.line().partition(";")
            size = int(size, 16)
            data = self.stream.read(size)
            if self.sign:
                self.expect("AWS4-HMAC-SHA256-PAYLOAD", hashlib.sha256().hexdigest(),
                            hashlib.sha256(data).hexdigest(),
                            told=extension.removeprefix("chunk-signature="))
            if size and self.line() != "":
                raise Refused(400, "IncompleteBody", "a chunk is longer than it says")
            self.whole += data
        if trailer:
            self.read_trailer(trailer)
        if self.stream.read() != b"\r\n":
            raise Refused(400, "IncompleteBody", "there is more behind the last chunk")
        return self.whole

    def read_trailer(self, name):
        line = self.line()
        digest = base64.b64encode(hashlib.sha256(self.whole).digest()).decode()
        if line != f"{name}:{digest}":
            raise Refused(400, "BadDigest", "the checksum behind the body is another one")
        if self.sign:
            self.expect("AWS4-HMAC-SHA256-TRAILER",
                        hashlib.sha256(f"{line}\n".encode()).hexdigest(),
                        told=self.line().removeprefix("x-amz-trailer-signature:"))


class Check:
    """WSGI middleware: refuses what is not signed by these credentials."""

    def __init__(self, application, access_key, secret_key):
        self.application = application
        self.one_by_one = threading.Lock()
        self.credentials = Credentials(access_key, secret_key)

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO", "").startswith(OWN_PATH):
            return self.application(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            self.check(environ, body)  # which may put another wsgi.input there
        except Refused as refusal:
            return self.refuse(environ, start_response, refusal)
        if "HTTP_X_AMZ_TARGET" not in environ:
            return self.application(environ, start_response)
        # moto undoes a failed transaction by putting whole tables back as they were,
        # with whatever others wrote meanwhile
        with self.one_by_one:
            return self.application(environ, start_response)

    def check(self, environ, body):
        headers = {name[5:].replace("_", "-").lower(): value
                   for name, value in environ.items() if name.startswith("HTTP_")}
        headers |= {name.replace("_", "-").lower(): environ[name]
                    for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
        # a bucket that is its owner's alone, as they are made now, takes none
        if any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in headers):
            raise Refused(400, "AccessControlListNotSupported", "the bucket takes no ACLs")
        target = environ["RAW_URI"]
        query = urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query,
                                       keep_blank_values=True)
        if "authorization" in headers:
            self.check_header(environ, target, headers, body)
        elif "X-Amz-Signature" in dict(query):
            self.check_query(environ["REQUEST_METHOD"], target, headers, query)
        else:
            raise Refused(403, "MissingAuthenticationToken", "the request is not signed")

    def check_header(self, environ, target, headers, body):
        parts = HEADER.fullmatch(headers["authorization"])
        if parts is None:
            raise Refused(400, "IncompleteSignature", "the Authorization header is malformed")
        credential, signed_names, signature = parts.groups()
        moment = time_of(headers.get("x-amz-date", ""))
        if abs(datetime.datetime.now(datetime.timezone.utc) - moment) > SKEW:
            raise Refused(403, "RequestTimeTooSkewed", "the clocks differ too much")
        told = headers.get("x-amz-content-sha256", "")
        chunked = told.startswith("STREAMING-")
        if told not in ("", "UNSIGNED-PAYLOAD") and not chunked \
                and told != hashlib.sha256(body).hexdigest():
            raise Refused(400, "XAmzContentSHA256Mismatch", "the body is another one")
        region, service = self.scope(credential, moment)
        auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(self.credentials, service, region)
        self.compare(auth, environ["REQUEST_METHOD"], target, headers, signed_names, moment,
                     signature, body)
        if chunked:
            self.put_together(environ, headers, body, auth, signature)

    def put_together(self, environ, headers, body, auth, seed):
        """Gives moto what S3 keeps of it."""
        told = headers["x-amz-content-sha256"]
        context = AWSRequest(method="PUT", url="http://chunk/")
        context.context["timestamp"] = headers["x-amz-date"]
        prefix = f"{headers['x-amz-date']}\n{auth.credential_scope(context)}"
        sign = None if "UNSIGNED" in told else lambda text: auth.signature(text, context)
        trailer = headers.get("x-amz-trailer") if told.endswith("-TRAILER") else None
        whole = Chunks(body, seed, prefix, sign).read(trailer)
        encodings = [part.strip() for part in headers.get("content-encoding", "").split(",")]
        if len(whole) != int(headers.get("x-amz-decoded-content-length", -1)) \
                or encodings[0] != "aws-chunked":
            raise Refused(400, "InvalidRequest", "the head does not say how long the body is")
        environ["wsgi.input"] = io.BytesIO(whole)
        environ["CONTENT_LENGTH"] = str(len(whole))
        environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
        for name in ("CONTENT_ENCODING", "X_AMZ_TRAILER", "X_AMZ_DECODED_CONTENT_LENGTH"):
            environ.pop(f"HTTP_{name}", None)
        if encodings[1:]:
            environ["HTTP_CONTENT_ENCODING"] = ",".join(encodings[1:])

    def check_query(self, method, target, headers, query):
        values = dict(query)
        names = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
        if not all(values.get(f"X-Amz-{name}") for name in names) \
                or not values["X-Amz-Expires"].isdigit():
            raise Refused(400, "AuthorizationQueryParametersError", "the query is malformed")
        moment = time_of(values["X-Amz-Date"])
        end = moment + datetime.timedelta(seconds=min(int(values["X-Amz-Expires"]), 604800))
        if datetime.datetime.now(datetime.timezone.utc) >= end:
            raise Refused(403, "AccessDenied", "Request has expired")
        region, service = self.scope(values["X-Amz-Credential"], moment)
        address = urllib.parse.urlsplit(target)
        rest = "&".join(pair for pair in address.query.split("&")
                        if not pair.startswith("X-Amz-Signature="))
        self.compare(QueryAuth(self.credentials, service, region), method,
                     address._replace(query=rest).geturl(), headers,
                     values["X-Amz-SignedHeaders"], moment, values["X-Amz-Signature"], b"")

    def scope(self, credential, moment):
        """Region and service that a credential of ours is for."""
        key, day, region, service, end = (credential.split("/") + [""] * 5)[:5]
        if key != self.credentials.access_key:
            raise Refused(403, "InvalidAccessKeyId", "there is no such access key")
        if end != "aws4_request" or day != moment.strftime("%Y%m%d"):
            raise Refused(403, "SignatureDoesNotMatch", "the scope is malformed")
        return region, service

    def compare(self, auth, method, target, headers, signed_names, moment, signature, body):
        names = signed_names.split(";")
        if "host" not in names or any(name.startswith("x-amz-") and name not in names
                                      for name in headers):
            raise Refused(403, "AccessDenied", "there are headers that were not signed")
        request = AWSRequest(method=method, url=f"http://{headers['host']}{target}", data=body,
                             headers={name: headers.get(name, "") for name in names})
        request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if not hmac.compare_digest(auth.signature(text, request), signature):
            raise Refused(403, "SignatureDoesNotMatch",
                          "The request signature we calculated does not match the signature you "
                          "provided. Check your key and signing method.")

    def refuse(self, environ, start_response, refusal):
        if "HTTP_X_AMZ_TARGET" in environ:
            body = json.dumps({"__type": f"com.amazon.coral.service#{refusal.code}",
                               "message": refusal.text})
            media = "application/x-amz-json-1.0"
        else:
            body = (f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{refusal.code}</Code>'
                    f"<Message>{refusal.text}</Message><RequestId>moto</RequestId></Error>")
            media = "application/xml"
        start_response(f"{refusal.status} Refused", [("Content-Type", media),
                                                     ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body.encode()]


class Handler(WSGIRequestHandler):
    """Keeps connections, and writes no line for each request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_):
        pass


def main():
    port, access_key, secret_key = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    forget_instances()
    application = Check(DomainDispatcherApplication(create_backend_app), access_key, secret_key)
    run_simple("127.0.0.1", int(port), application, threaded=True, request_handler=Handler)


if __name__ == "__main__":
    main()
