"""An HTTP proxy on a loopback port between campaignd and a server that speaks S3
and DynamoDB, which does what such servers do not do when asked: throttle, lose
answers, cut bodies short, reset connections, answer slowly.

    with Proxy(upstream) as proxy:
        proxy.decide = lambda request: SLOW_DOWN if request.operation == "PutObject" else None

`decide` gets every request, whole, and returns a Fault or None. It runs in the
proxy's thread, one call at a time. Requests pass with their Host header as it is,
since it is signed. A repeated transaction is answered as DynamoDB does it, from
its ClientRequestToken, whether or not the server behind knows about tokens."""

import asyncio
import dataclasses
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import urllib.parse

PAUSE_CHUNK = 1 << 16


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict  # lower-case names
    head: bytes
    body: bytes = b""

    @property
    def service(self):
        return "dynamodb" if "x-amz-target" in self.headers else "s3"

    @property
    def path(self):
        return urllib.parse.unquote(self.target.partition("?")[0])

    @property
    def operation(self):
        """Its name in the service's API, as far as the tests tell them apart."""
        if self.service == "dynamodb":
            return self.headers["x-amz-target"].partition(".")[2]
        query = urllib.parse.parse_qs(self.target.partition("?")[2], keep_blank_values=True)
        is_object = self.path.strip("/").count("/") > 0
        if "uploads" in query:
            return "CreateMultipartUpload" if self.method == "POST" else "ListMultipartUploads"
        if "uploadId" in query:
            return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload",
                    "DELETE": "AbortMultipartUpload"}.get(self.method, self.method)
        if "delete" in query:
            return "DeleteObjects"
        if "versions" in query:
            return "ListObjectVersions"
        return self.method.capitalize() + ("Object" if is_object else "Bucket")

    @property
    def identity(self):
        """The same for each attempt of one call, and for no other call at that time."""
        if "uploadId" in self.target or self.operation == "PutObject":
            return f"{self.method} {self.target}"
        return f"{self.operation} {self.target} {hashlib.sha256(self.body).hexdigest()}"

    @property
    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Answer:
    status: int
    headers: list  # of (name, value), as they came
    body: bytes

    def bytes(self, method="GET"):
        lines = [f"HTTP/1.1 {self.status} Answer"]
        lines += [f"{name}: {value}" for name, value in self.headers
                  if name.lower() not in ("connection", "transfer-encoding", "content-length")]
        lengths = [value for name, value in self.headers if name.lower() == "content-length"]
        length = lengths[0] if method == "HEAD" and lengths else len(self.body)
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {length}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == "HEAD" else self.body)


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to one exchange. With `answer` the request never reaches the
    server; otherwise it does, and what comes back is changed."""

    name: str
    answer: Answer = None
    reset_request: bool = False   # the connection is reset before the server sees it all
    lose: bool = False            # the server did it, and the answer is lost by a reset
    cut: float = None             # this share of the answer's body comes, then the end
    cut_by_reset: bool = False
    hang: bool = False            # no answer, and the connection stays
    delay: float = 0
    split: object = None          # changes the request; see partly() below
    change: object = None         # changes the answer: change(request, answer)
    once: bool = False            # the client overcomes it once a call, not twice


def json_error(name, status, code, message="injected", **members):
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **members}
    return Fault(name, Answer(status, [("Content-Type", "application/x-amz-json-1.0"),
                                       ("x-amzn-RequestId", "INJECTED")],
                              json.dumps(body).encode()),
                 once=code == "ExpiredTokenException")


def xml_error(name, status, code, headers=(), inner="", once=False, message="injected"):
    body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
            f"<Message>{message}</Message>{inner}<RequestId>INJECTED</RequestId></Error>")
    return Fault(name, Answer(status, [("Content-Type", "application/xml"), *headers],
                              body.encode()), once=once)


def cancelled(*reasons):
    """A transaction cancelled because of its first writes; "None" is no reason."""
    listed = ", ".join(reasons)
    return json_error(f"cancelled: {listed}", 400, "TransactionCanceledException",
                      f"Transaction cancelled, please refer cancellation reasons for specific "
                      f"reasons [{listed}]",
                      CancellationReasons=[{"Code": reason, "Message": "injected"}
                                           for reason in reasons])


# ---- what passes, for both services ----

RESET_REQUEST = Fault("reset on request", reset_request=True)
LOST_ANSWER = Fault("answer lost", lose=True)
CUT_SHORT = Fault("body cut short", cut=0.5)
CUT_BY_RESET = Fault("reset in body", cut=0.5, cut_by_reset=True)
STRANGER = Fault("a page of a stranger's", Answer(200, [("Content-Type", "text/html")],
                                                  b"<html><p>Please log in</p></html>"))
HANG = Fault("no answer", hang=True)

# ---- of DynamoDB ----

THROUGHPUT = json_error("throughput exceeded", 400, "ProvisionedThroughputExceededException")
THROTTLED = json_error("throttled", 400, "ThrottlingException")
INTERNAL = json_error("internal error", 500, "InternalServerError")
IN_PROGRESS = json_error("transaction in progress", 400, "TransactionInProgressException")
CONFLICT = cancelled("TransactionConflict")
PLAIN_CONFLICT = json_error("conflict with a transaction", 400, "TransactionConflictException")
CANCEL_THROTTLED = cancelled("ThrottlingError")
CANCEL_THROUGHPUT = cancelled("ProvisionedThroughputExceeded")
EXPIRED_DB = json_error("token expired", 400, "ExpiredTokenException")

# ---- of S3 ----

SLOW_DOWN = xml_error("slow down", 503, "SlowDown")
UNAVAILABLE = xml_error("unavailable", 503, "ServiceUnavailable")
S3_INTERNAL = xml_error("S3 internal error", 500, "InternalError")
S3_TIMEOUT = xml_error("request timeout", 400, "RequestTimeout")
EXPIRED_S3 = xml_error("token expired", 400, "ExpiredToken", once=True)
NO_CHECKSUMS = xml_error("no checksum headers", 501, "NotImplemented")
NO_CHECKSUMS_400 = xml_error("checksum headers refused", 400, "InvalidArgument",
                             message="Unsupported header 'x-amz-checksum-sha256' received")

PASSING_ANY = [RESET_REQUEST, LOST_ANSWER, CUT_SHORT, CUT_BY_RESET]
PASSING_DB = [THROUGHPUT, THROTTLED, INTERNAL]
PASSING_TRANSACTION = [IN_PROGRESS, CONFLICT, CANCEL_THROTTLED, CANCEL_THROUGHPUT]
PASSING_S3 = [SLOW_DOWN, UNAVAILABLE, S3_INTERNAL, S3_TIMEOUT]


def passing_faults(request):
    """All that this request can meet and overcome by itself."""
    if request.service == "s3":
        return PASSING_ANY + PASSING_S3 + [EXPIRED_S3]
    faults = PASSING_ANY + PASSING_DB + [EXPIRED_DB]
    if request.operation == "TransactWriteItems":
        faults = faults + PASSING_TRANSACTION
    if request.operation in ("PutItem", "UpdateItem"):
        faults = faults + [PLAIN_CONFLICT]
    if request.operation == "BatchGetItem":
        faults = faults + [UNPROCESSED_KEYS]
    if request.operation == "BatchWriteItem":
        faults = faults + [UNPROCESSED_ITEMS]
    if request.operation == "Query":
        faults = faults + [EMPTY_LAST_PAGE]
    return faults


# ---- answers that DynamoDB gives where others do not ----

def leave_keys(request, answer):
    """Half of a BatchGetItem, rounded down, was not processed."""
    asked = request.json["RequestItems"]
    body = json.loads(answer.body)
    for table, wanted in asked.items():
        left = wanted["Keys"][: len(wanted["Keys"]) // 2 or 1]
        if not left:
            continue
        names = list(left[0])
        body["Responses"][table] = [
            item for item in body["Responses"].get(table, [])
            if {name: item[name] for name in names} not in left]
        body.setdefault("UnprocessedKeys", {})[table] = {**wanted, "Keys": left}
    return Answer(answer.status, answer.headers, json.dumps(body).encode())


def split_items(request):
    """Half of a BatchWriteItem alone is done; returns what is done and what is left."""
    body = request.json
    left = {}
    for table, writes in body["RequestItems"].items():
        left[table] = writes[: len(writes) // 2 or 1]
        body["RequestItems"][table] = writes[len(left[table]):]
    body["RequestItems"] = {table: writes for table, writes in body["RequestItems"].items() if writes}
    return body, left


def empty_last_page(_request, answer):
    """The last page ends in a key, behind which there is nothing: what a page of
    exactly 1 MB, or a filter, leads to."""
    body = json.loads(answer.body)
    if "LastEvaluatedKey" in body or not body.get("Items"):
        return answer
    last = body["Items"][-1]
    body["LastEvaluatedKey"] = {name: last[name]
                                for name in ("campaign_id", "user_id", "status", "created_at")
                                if name in last}
    return Answer(answer.status, answer.headers, json.dumps(body).encode())


UNPROCESSED_KEYS = Fault("unprocessed keys", change=leave_keys)
UNPROCESSED_ITEMS = Fault("unprocessed items", split=split_items)
EMPTY_LAST_PAGE = Fault("an empty last page", change=empty_last_page)


# ---- rules ----

class Script:
    """Gives each matching request the fault, `times` times in a row (None: always)."""

    def __init__(self, fault, times=1, operation=None, service=None):
        self.fault = fault
        self.times = times
        self.operation = operation
        self.service = service
        self.given = 0

    def __call__(self, request):
        if self.operation not in (None, request.operation):
            return None
        if self.service not in (None, request.service):
            return None
        if self.times is not None and self.given >= self.times:
            return None
        self.given += 1
        return self.fault


class Chance:
    """A share of all requests meets a fault of any kind. One call meets at most
    `in_a_row` of them, and of those that can be overcome once at most one, so that
    every call can succeed within its attempts; None: as it comes."""

    def __init__(self, rng, share, in_a_row=None):
        self.rng = rng
        self.share = share
        self.in_a_row = in_a_row
        self.rows = {}  # identity -> faults met on end

    def __call__(self, request):
        if "X-Amz-Signature=" in request.target:  # somebody who follows a link
            return None
        row = self.rows.setdefault(request.identity, [])
        fault = self.rng.choice(passing_faults(request)) if self.rng.random() < self.share else None
        if fault is not None and self.in_a_row is not None:
            if len(row) >= self.in_a_row or (fault.once and any(met.once for met in row)):
                fault = None
        if fault is None or fault.change or fault.split:  # the call itself succeeds
            self.rows.pop(request.identity, None)
        else:
            row.append(fault)
        return fault


# ---- the proxy ----

class Proxy:
    def __init__(self, upstream, decide=None, certificate=None):
        """certificate: (certificate, key) files, for https."""
        parts = urllib.parse.urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port)
        self.decide = decide or (lambda request: None)
        self.seen = []        # (operation, fault name or None)
        self.requests = []    # kept while `keep` is set
        self.keep = False
        self.accepted = 0
        self.done = {}        # ClientRequestToken -> Answer
        self.knows_tokens = True  # as DynamoDB does; not every server that speaks its language
        self.one_at_a_time = asyncio.Lock()
        self.loop = asyncio.new_event_loop()
        self.tasks = set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.tls = None
        if certificate:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(*certificate)
        scheme = "https://localhost" if certificate else "http://127.0.0.1"
        self.url = f"{scheme}:{self.listener.getsockname()[1]}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_failure):
        self.loop.call_soon_threadsafe(self._stop)
        self.thread.join(10)

    def counts(self):
        """How often each fault was given."""
        counts = {}
        for _operation, fault in list(self.seen):
            if fault:
                counts[fault] = counts.get(fault, 0) + 1
        return counts

    def reset(self, decide=None):
        self.decide = decide or (lambda request: None)
        self.seen = []
        self.requests = []

    def _run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self.listener, limit=1 << 20, ssl=self.tls))
        try:
            self.loop.run_forever()
        finally:
            server.close()
            for task in list(self.tasks):
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*self.tasks, return_exceptions=True))
            self.loop.close()

    def _stop(self):
        self.loop.stop()

    async def _serve(self, reader, writer):
        self.accepted += 1
        task = asyncio.current_task()
        self.tasks.add(task)
        link = Link(self.upstream)
        try:
            while await self._exchange(reader, writer, link):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side went away, or the proxy is stopped
        finally:
            self.tasks.discard(task)
            link.close()
            writer.close()

    async def _exchange(self, reader, writer, link):
        request = await read_request(reader)
        if request is None:
            return False
        fault = self.decide(request)
        self.seen.append((request.operation, fault.name if fault else None))
        if self.keep:
            self.requests.append(request)
        if fault is None:
            writer.write((await self._forward(request, link)).bytes(request.method))
            await writer.drain()
            return True
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.reset_request:
            return reset(writer)
        if fault.hang:
            await reader.read()
            return False
        if fault.answer is not None:
            writer.write(fault.answer.bytes(request.method))
            await writer.drain()
            return True
        return await self._changed(request, fault, writer, link)

    async def _changed(self, request, fault, writer, link):
        if fault.split:
            answer = await self._split(request, fault, link)
        else:
            answer = await self._forward(request, link)
        if fault.lose:
            return reset(writer)
        if fault.change and answer.status == 200:
            answer = fault.change(request, answer)
        data = answer.bytes(request.method)
        if fault.cut is None:
            writer.write(data)
            await writer.drain()
            return True
        if request.method == "HEAD" or not answer.body:
            return reset(writer)  # there is no body to cut
        writer.write(data[: len(data) - len(answer.body) + int(len(answer.body) * fault.cut)])
        await writer.drain()
        return reset(writer) if fault.cut_by_reset else False

    async def _split(self, request, fault, link):
        done, left = fault.split(request)
        if done["RequestItems"]:
            answer = await self._forward(with_body(request, json.dumps(done).encode()), link)
            reply = json.loads(answer.body)
        else:
            reply = {}
        reply["UnprocessedItems"] = left
        return Answer(200, [("Content-Type", "application/x-amz-json-1.0")],
                      json.dumps(reply).encode())

    async def _forward(self, request, link):
        token = None
        if request.operation == "TransactWriteItems" and self.knows_tokens:
            token = request.json.get("ClientRequestToken")
        if request.service != "dynamodb":
            return await link.exchange(request)
        # moto keeps transactions apart from nothing that runs beside them
        async with self.one_at_a_time:
            if token in self.done:
                return self.done[token]
            answer = await link.exchange(request)
            if token and answer.status == 200:
                self.done[token] = answer
        return answer


class Link:
    """One connection to the server behind, opened again where the server closed it."""

    def __init__(self, address):
        self.address = address
        self.reader = self.writer = None

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.reader = self.writer = None

    async def exchange(self, request):
        for fresh in (False, True):
            if fresh or self.writer is None:
                self.close()
                self.reader, self.writer = await asyncio.open_connection(*self.address)
            try:
                self.writer.write(request.head + request.body)
                await self.writer.drain()
                answer, keep = await read_answer(self.reader, request.method)
                break
            except (ConnectionError, asyncio.IncompleteReadError):
                if fresh:
                    raise
        if not keep:
            self.close()
        return answer


def with_body(request, body):
    """The same request with another body; for servers that check no signature."""
    head = re.sub(rb"(?im)^content-length:.*\r\n", b"Content-Length: %d\r\n" % len(body),
                  request.head)
    return dataclasses.replace(request, head=head, body=body)


def reset(writer):
    """Closes it with a reset instead of an orderly end."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
    return lines[0], headers


async def read_head(reader):
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None


async def read_request(reader):
    head = await read_head(reader)
    if head is None:
        return None
    first, headers = parse_head(head)
    method, target, _version = first.split(" ")
    request = Request(method, target, {name.lower(): value for name, value in headers}, head)
    request.body = await reader.readexactly(int(request.headers.get("content-length", 0)))
    return request


async def read_chunks(reader):
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        piece = await reader.readexactly(size + 2)
        if size == 0:
            return body
        body += piece[:-2]


async def read_answer(reader, method):
    head = await read_head(reader)
    if head is None:
        raise ConnectionResetError("the server closed a kept connection")
    first, headers = parse_head(head)
    status = int(first.split(" ")[1])
    named = {name.lower(): value for name, value in headers}
    keep = first.startswith("HTTP/1.1") and named.get("connection", "").lower() != "close"
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif "chunked" in named.get("transfer-encoding", ""):
        body = await read_chunks(reader)
    elif "content-length" in named:
        body = await reader.readexactly(int(named["content-length"]))
    else:
        body, keep = await reader.read(), False
    return Answer(status, headers, body), keep
