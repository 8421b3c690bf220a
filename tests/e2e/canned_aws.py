"""S3 and DynamoDB as far as a campaign's life needs them, in a few lines that answer
at once: for measuring what calls cost this side, and what waiting for them costs.

    canned_aws.py PORT [DELAY-MS]     (DELAY-MS passes before each answer)

It checks no signatures, no conditions and no expressions; items are those of the
last Put of a key."""

import asyncio
import json
import sys

from faults import read_request

OWN = "/-/"  # addresses of the measurements
JSON = "application/x-amz-json-1.0"
SHOWN_IN_LISTS = ("campaign_id", "user_id", "created_at", "status", "summary", "revision",
                  "expires_at_us")


class Canned:
    def __init__(self, delay_s=0.0):
        self.delay_s = delay_s
        self.items = {}
        self.objects = {}
        self.connections = 0
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
            return 200, "", json.dumps({"calls": calls, "connections": self.connections}).encode()
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

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while (request := await read_request(reader)) is not None:
                status, headers, body = self.answer(request)
                if self.delay_s and not request.target.startswith(OWN):
                    await asyncio.sleep(self.delay_s)
                writer.write(f"HTTP/1.1 {status} Canned\r\n{headers}"
                             f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def main(port, delay_ms=0.0):
    canned = Canned(float(delay_ms) / 1000)
    server = await asyncio.start_server(canned.serve, "127.0.0.1", int(port), limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
