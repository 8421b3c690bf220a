"""Write units as DynamoDB counts them, from the requests that pass a proxy and the items
that they change. The emulators can't tell: DynamoDB Local rounds a transaction's items
up together and then takes four times as much; moto counts nothing.

    with Units(world) as units: ...one request to the API...
    units.total, units.parts

Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats", "Capacity unit
consumption for write operations" (a write counts the larger of the item before and
after, in KB; in a transaction twice, a ConditionCheck included) and "Write capacity units"
of global secondary indexes (where a projected attribute changes; twice when the key does).
A transaction does not double what it costs an index."""

import json
from collections import Counter

import boto3

from faulty import REGION


def size_of(value):
    (kind, inner), = value.items()
    if kind == "S":
        return len(inner.encode())
    if kind == "N":
        return (len(inner.strip("-").replace(".", "").strip("0")) + 1) // 2 + 1 + ("-" in inner)
    if kind == "B":
        return len(inner)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "L":
        return 3 + sum(size_of(element) + 1 for element in inner)
    if kind == "M":
        return 3 + sum(len(name.encode()) + size_of(member) + 1 for name, member in inner.items())
    return sum(size_of({kind[0]: element}) for element in inner)


def item_size(item):
    return sum(len(name.encode()) + size_of(value) for name, value in (item or {}).items())


def kilobytes(*items):
    return max(1, *(-(-item_size(item) // 1024) for item in items))


class Index:
    def __init__(self, described):
        self.name = described["IndexName"]
        self.keys = [key["AttributeName"] for key in described["KeySchema"]]
        projection = described["Projection"]
        assert projection["ProjectionType"] == "INCLUDE", projection
        self.shown = {"campaign_id", *self.keys, *projection["NonKeyAttributes"]}

    def row(self, item):
        if item is None or not all(key in item for key in self.keys):
            return None
        return {name: value for name, value in item.items() if name in self.shown}

    def units(self, before, after):
        before, after = self.row(before), self.row(after)
        if before == after:
            return 0
        if before and after and all(before[key] == after[key] for key in self.keys):
            return kilobytes(before, after)
        return sum(kilobytes(row) for row in (before, after) if row)


def written_keys(request):
    """[(key, is_write)] of one request that costs write units."""
    body = request.json if request.service == "dynamodb" else {}
    if request.operation in ("PutItem", "UpdateItem", "DeleteItem"):
        return [((body.get("Item") or body["Key"])["campaign_id"]["S"], True)]
    if request.operation == "BatchWriteItem":
        return [((write.get("PutRequest", {}).get("Item") or write["DeleteRequest"]["Key"])
                 ["campaign_id"]["S"], True)
                for writes in body["RequestItems"].values() for write in writes]
    if request.operation == "TransactWriteItems":
        actions = [next(iter(action.items())) for action in body["TransactItems"]]
        return [((action.get("Item") or action["Key"])["campaign_id"]["S"],
                 kind != "ConditionCheck") for kind, action in actions]
    return []


class Units:
    def __init__(self, world):
        self.proxy = world.proxy
        settings = world.stack.settings
        self.table = settings["DYNAMODB_TABLE_NAME"]
        # past the proxy, which waits while a request is noted
        self.client = boto3.client(
            "dynamodb", region_name=REGION,
            endpoint_url="http://{}:{}".format(*world.proxy.upstream),
            aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="test-secret")
        table = self.client.describe_table(TableName=self.table)["Table"]
        self.indexes = [Index(index) for index in table["GlobalSecondaryIndexes"]]

    def items(self):
        pages = self.client.get_paginator("scan").paginate(TableName=self.table)
        return {item["campaign_id"]["S"]: item for page in pages for item in page["Items"]}

    def note(self, request):
        """Each request, with the items as they are before it, where it writes some."""
        keys = written_keys(request)
        self.noted.append((request.operation, keys, self.items() if keys else None))

    def __enter__(self):
        self.before = self.items()
        self.noted = []
        self.proxy.reset(self.note)
        return self

    def __exit__(self, *_failure):
        self.proxy.reset()
        after = self.items()
        self.calls = Counter(operation for operation, _keys, _before in self.noted)
        self.parts = Counter()
        items = dict(after)  # as the writes that follow found them: from the last one back
        for operation, keys, before in reversed(self.noted):
            factor = 2 if operation == "TransactWriteItems" else 1
            for key, is_write in keys:
                old, new = before.get(key), items.get(key)
                self.parts[key] += factor * kilobytes(old, new)
                for index in self.indexes if is_write else []:
                    self.parts[index.name] += index.units(old, new)
            items.update((key, before.get(key)) for key, _is_write in keys)
        changed = {key for key in self.before.keys() | items.keys()
                   if self.before.get(key) != items.get(key)}
        assert not changed, "items changed without a request that was seen"
        self.total = sum(self.parts.values())
