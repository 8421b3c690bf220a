"""S3 and DynamoDB as far as a campaign's life needs them, in a few lines that answer
at once: for measuring what calls cost this side, and what waiting for them costs.

    canned_aws.py PORT [DELAY-MS [CERTIFICATE KEY]]

DELAY-MS passes before each answer (GET /-/delay/MS changes it); with a certificate it
speaks https. It checks no signatures, no conditions and no expressions; items are those of
the last Put of a key."""

import asyncio
import json
import ssl
import sys

from faults import read_request

OWN = "/-/"  # addresses of the measurements
JSON = "application/x-amz-json-1.0"
SHOWN_IN_LISTS = ("campaign_id", "user_id", "created_at", "status", "summary", "expires_at_us")


class Canned:
    def __init__(self, delay_s=0.0):
        self.delay_s = delay_s
        self.items = {}
        self.objects = {}
        self.connections = 0  # that calls came by
        self.resumed = 0      # of them, with a TLS session of an earlier one
        self.closing = False  # each connection after one answer
        self.calls = []  # operations, since they were last asked for
        self.last_get = None

    # ---- DynamoDB ----

    def operate(self, name, body):
        if name == "GetItem":
            item = self.items.get(body["Key"]["campaign_id"]["S"])
            answer = {"Item": item} if item else {}
            return {"ConsumedCapacity": {"TableName": body["TableName"], "CapacityUnits": 1.0},
                    **answer}
        if name == "TransactWriteItems":
            for write in body["TransactItems"]:
                if "Put" in write:
                    self.items[write["Put"]["Item"]["campaign_id"]["S"]] = write["Put"]["Item"]
                if "Delete" in write:
                    self.items.pop(write["Delete"]["Key"]["campaign_id"]["S"], None)
            return {}
        if name == "Query":
            value = body["ExpressionAttributeValues"][":v"]["S"]
            rows = sorted((item for item in self.items.values()
                           if value in (item.get("user_id", {}).get("S"),
                                        item.get("status", {}).get("S"))),
                          key=lambda item: item["created_at"]["S"], reverse=True)
            page = [{key: row[key] for key in SHOWN_IN_LISTS if key in row}
                    for row in rows[:body["Limit"]]]
            answer = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
            if len(rows) > len(page):
                answer["LastEvaluatedKey"] = {
                    key: page[-1][key] for key in ("campaign_id", "user_id", "created_at")}
            return answer
        if name == "BatchGetItem":
            return {"Responses": {table: [self.items[key["campaign_id"]["S"]]
                                          for key in wanted["Keys"]
                                          if key["campaign_id"]["S"] in self.items]
                                  for table, wanted in body["RequestItems"].items()},
                    "UnprocessedKeys": {}}
        return {}

    # ---- HTTP ----

    def answer(self, request):
        """Status, headers and body."""
        if request.target == OWN + "calls":
            calls, self.calls = self.calls, []
            return 200, "", json.dumps({"calls": calls, "connections": self.connections,
                                        "resumed": self.resumed}).encode()
        if request.target.startswith(OWN + "delay/"):
            self.delay_s = float(request.target.rpartition("/")[2]) / 1000
            return 200, "", b"{}"
        if request.target in (OWN + "close", OWN + "keep"):
            self.closing = request.target == OWN + "close"
            return 200, "", b"{}"
        if request.target == OWN + "last-get":
            return 200, "", json.dumps({"head": self.last_get.head.decode(),
                                        "body": self.last_get.body.decode()}).encode()
        self.calls.append(request.operation)
        if request.service == "dynamodb":
            if request.operation == "GetItem":
                self.last_get = request
            body = json.dumps(self.operate(request.operation, request.json),
                              separators=(",", ":")).encode()
            return 200, f"Content-Type: {JSON}\r\nx-amzn-RequestId: CANNED\r\n", body
        if request.method == "PUT":
            self.objects[request.path] = request.body
            return 200, f"x-amz-version-id: v{len(self.objects)}\r\nETag: \"canned\"\r\n", b""
        if request.method == "GET" and request.path in self.objects:
            return 200, "ETag: \"canned\"\r\n", self.objects[request.path]
        return 200, "", b""

    def count_connection(self, writer):
        session = writer.get_extra_info("ssl_object")
        self.connections += 1
        self.resumed += session is not None and session.session_reused

    async def serve(self, reader, writer):
        counted = False
        try:
            while (request := await read_request(reader)) is not None:
                own = request.target.startswith(OWN)
                if not own and not counted:
                    counted = True
                    self.count_connection(writer)
                status, headers, body = self.answer(request)
                if self.delay_s and not own:
                    await asyncio.sleep(self.delay_s)
                writer.write(f"HTTP/1.1 {status} Canned\r\n{headers}"
                             f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
                if self.closing and not own:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def main(port, delay_ms=0.0, *certificate):
    canned = Canned(float(delay_ms) / 1000)
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    server = await asyncio.start_server(canned.serve, "127.0.0.1", int(port), limit=1 << 20,
                                        ssl=tls)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
