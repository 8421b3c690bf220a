"""The OpenAPI document as a judge: every answer that a Client gets is held to it,
so each end-to-end test is one of the document as well."""

import copy
import functools
import json
import pathlib
import re

import jsonschema_rs

TOP = pathlib.Path(__file__).resolve().parents[2]
SERVED = TOP / "share/openapi.json"

# Shapes in which a client's own members stand. In all others, one that is not
# documented is a fault.
OPEN = {"Campaign", "AwsData", "Interaction",
        "CampaignCreate", "ProgressGiven", "InteractionGiven", "InteractionsGiven",
        "Completion", "Failure", "UploadBegin", "UploadFinish"}


@functools.lru_cache(maxsize=None)
def document():
    return json.loads(SERVED.read_text(encoding="utf-8"))


def close(schema):
    """Forbids, in place, the members that the schema does not name."""
    if isinstance(schema, list):
        for part in schema:
            close(part)
    elif isinstance(schema, dict):
        if "properties" in schema and "last_update" not in schema["properties"]:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            close(part)


@functools.lru_cache(maxsize=None)
def components():
    schemas = copy.deepcopy(document()["components"]["schemas"])
    for name, schema in schemas.items():
        if name not in OPEN:
            close(schema)
    return {"schemas": schemas, "headers": document()["components"]["headers"]}


@functools.lru_cache(maxsize=None)
def validator(schema_text):
    schema = {**json.loads(schema_text), "components": components()}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def faults_of(schema, value):
    return [f"{'/'.join(map(str, fault.instance_path))}: {fault.message[:300]}"
            for fault in validator(json.dumps(schema)).iter_errors(value)]


def resolved(part):
    while "$ref" in part:
        target = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


@functools.lru_cache(maxsize=None)
def routes():
    """(pattern, path) of every path, those without parameters first."""
    def pattern(path):
        text = re.sub(r"\\{key\\}", ".+", re.escape(path))
        return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", text) + "$")

    return [(pattern(path), path) for path in sorted(document()["paths"], key=lambda p: p.count("{"))]


def operation(method, path):
    """The operation that answers this request, or None; HEAD is as GET."""
    for pattern, template in routes():
        if pattern.match(path):
            return document()["paths"][template].get({"HEAD": "get"}.get(method, method.lower()))
    return None


def header_faults(name, header, answer):
    header = resolved(header)
    value = answer.headers.get(name)
    if value is None:
        return [f"the header {name} is missing"] if header.get("required") else []
    return [f"header {name}: {fault}" for fault in faults_of(header["schema"], value)]


def check(answer):
    """Asserts that the document describes this answer of requests to the full."""
    request = answer.request
    path = request.path_url.split("?")[0].removeprefix("/api/v1")
    described = operation(request.method, path)
    if described is None:
        return
    place = f"{request.method} {path[:200]} -> {answer.status_code}"
    assert str(answer.status_code) in described["responses"], \
        f"{place} is not documented: {answer.text[:500]}"
    response = resolved(described["responses"][str(answer.status_code)])
    faults = [fault for name, header in response.get("headers", {}).items()
              for fault in header_faults(name, header, answer)]
    content = response.get("content", {})
    media = answer.headers.get("Content-Type", "").split(";")[0]
    if request.method != "HEAD" and content:
        if media in content:
            schema = content[media].get("schema", {})
            if schema and (media.endswith("json")) and "binary" not in schema.values():
                faults += faults_of(schema, answer.json())
        elif "application/octet-stream" not in content:
            faults.append(f"the media type {media} is not documented")
    elif request.method != "HEAD" and answer.content:
        faults.append("a body is not documented")
    assert not faults, f"{place}:\n" + "\n".join(faults) + f"\n{answer.text[:500]}"
