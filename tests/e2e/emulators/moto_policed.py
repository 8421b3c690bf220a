#!/usr/bin/env python3
"""moto's server behind an IAM policy: what the policy does not allow is refused in the
words that AWS uses, and every permission that was needed is written down.

moto's own check of policies has no resources for DynamoDB and other names for some
actions. What a request needs is told here by what it looks like on the wire, after the
Service Authorization Reference; moto's reader of policies decides.

  PUT /policed/policy   the policy (JSON); without one everything is allowed
  GET /policed/needed   [action, resource] of every request since the policy was put
  GET /policed/seen     [method, operation or path, signature] of every request since then

usage: moto_policed.py PORT"""

import io
import json
import re
import signal
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as tree

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

from moto_lean import forget_instances

ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/campaignstore"
OWN_PATH = "/policed/"

# by method and the first of these parameters that the query has ("": none)
BUCKET_ACTIONS = {
    "HEAD": {"": "ListBucket"},
    "GET": {"versions": "ListBucketVersions", "uploads": "ListBucketMultipartUploads",
            "versioning": "GetBucketVersioning", "encryption": "GetEncryptionConfiguration",
            "publicAccessBlock": "GetBucketPublicAccessBlock", "": "ListBucket"},
    "PUT": {"versioning": "PutBucketVersioning", "encryption": "PutEncryptionConfiguration",
            "publicAccessBlock": "PutBucketPublicAccessBlock", "tagging": "PutBucketTagging",
            "": "CreateBucket"},
}
OBJECT_ACTIONS = {
    "HEAD": {"versionId": "GetObjectVersion", "": "GetObject"},
    "GET": {"versionId": "GetObjectVersion", "": "GetObject"},
    "PUT": {"": "PutObject"},
    "POST": {"": "PutObject"},
    "DELETE": {"uploadId": "AbortMultipartUpload", "versionId": "DeleteObjectVersion",
               "": "DeleteObject"},
}
TRANSACTION_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem",
                       "ConditionCheck": "ConditionCheckItem"}


def pick(actions, query):
    return next(action for name, action in actions.items() if not name or name in query)


def s3_needs(method, target, body):
    """(action, resource) pairs of a request with the bucket in its path."""
    address = urllib.parse.urlsplit(target)
    query = urllib.parse.parse_qs(address.query, keep_blank_values=True)
    bucket, _, key = urllib.parse.unquote(address.path).lstrip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    if key:
        return [(f"s3:{pick(OBJECT_ACTIONS[method], query)}", f"{arn}/{key}")]
    if method == "POST" and "delete" in query:
        objects = [element for element in tree.fromstring(body)
                   if element.tag.rpartition("}")[2] == "Object"]
        return [("s3:DeleteObject" + ("Version" if len(names) > 1 else ""),
                 f"{arn}/{names[0].text}") for names in map(list, objects)]
    return [(f"s3:{pick(BUCKET_ACTIONS[method], query)}", arn)]


def dynamodb_needs(operation, region, request):
    def arn(table):
        return f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{table}"

    if operation == "TransactWriteItems":
        return [(f"dynamodb:{TRANSACTION_ACTIONS[kind]}", arn(part["TableName"]))
                for item in request["TransactItems"] for kind, part in item.items()]
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return [(f"dynamodb:{operation}", arn(table)) for table in request["RequestItems"]]
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    return [(f"dynamodb:{operation}", arn(request["TableName"]) + index)]


def needs(environ, body):
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", authorization)
    if scope is None:
        return []  # a presigned URL: who made it was asked when it was made
    region, service = scope.groups()
    if service == "s3":
        return s3_needs(environ["REQUEST_METHOD"], environ["RAW_URI"], body)
    if service == "dynamodb":
        operation = environ["HTTP_X_AMZ_TARGET"].partition(".")[2]
        return dynamodb_needs(operation, region, json.loads(body))
    return []  # GetCallerIdentity, which needs none


def what(environ):
    signature = re.search(r"Signature=([0-9a-f]+)", environ.get("HTTP_AUTHORIZATION", "")
                          + environ["RAW_URI"])
    return (environ["REQUEST_METHOD"], environ.get("HTTP_X_AMZ_TARGET", environ["PATH_INFO"]),
            signature[1] if signature else "")


class Policed:
    """WSGI middleware."""

    def __init__(self, application):
        self.application = application
        self.policy = None
        self.needed = set()
        self.seen = []
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        with self.lock:
            if environ["PATH_INFO"].startswith(OWN_PATH):
                return self.own(environ, start_response, body)
            self.seen.append(what(environ))
            if self.policy is not None:
                for action, resource in needs(environ, body):
                    self.needed.add((action, resource))
                    if self.policy.is_action_permitted(action, resource) \
                            != PermissionResult.PERMITTED:
                        return self.refuse(environ, start_response, action, resource)
            return self.application(environ, start_response)

    def own(self, environ, start_response, body):
        if environ["REQUEST_METHOD"] == "PUT":
            self.policy = IAMPolicy(body.decode()) if body else None
            self.needed = set()
            self.seen = []
        found = self.seen if environ["PATH_INFO"].endswith("/seen") else sorted(self.needed)
        answer = json.dumps(found).encode()
        start_response("200 OK", [("Content-Type", "application/json"),
                                  ("Content-Length", str(len(answer)))])
        return [answer]

    def refuse(self, environ, start_response, action, resource):
        text = (f"User: {USER} is not authorized to perform: {action} on resource: {resource} "
                f"because no identity-based policy allows the {action} action")
        if "HTTP_X_AMZ_TARGET" in environ:
            status, media = "400 Bad Request", "application/x-amz-json-1.0"
            answer = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException",
                                 "Message": text})
        else:
            status, media = "403 Forbidden", "application/xml"
            answer = (f"<Error><Code>AccessDenied</Code><Message>{text}</Message>"
                      "<RequestId>policed</RequestId></Error>")
        if environ["REQUEST_METHOD"] == "HEAD":
            answer = ""
        start_response(status, [("Content-Type", media), ("Content-Length", str(len(answer)))])
        return [answer.encode()]


class Handler(WSGIRequestHandler):
    """Keeps connections, and writes no line for each request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_):
        pass


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    forget_instances()
    run_simple("127.0.0.1", int(sys.argv[1]),
               Policed(DomainDispatcherApplication(create_backend_app)), threaded=True,
               request_handler=Handler)


if __name__ == "__main__":
    main()
