"""The OpenAPI document: served as it is written, complete, right in its own
examples, and kept by the running service (schemathesis)."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import document
from support import TOP

CONFIG = pathlib.Path(__file__).with_name("schemathesis.toml")


def operations():
    for path, item in document.document()["paths"].items():
        for method, described in item.items():
            yield method, path, described


def test_it_is_served(anonymous):
    answer = anonymous.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content == document.SERVED.read_bytes()


def test_it_describes_every_route_and_no_other():
    router = (TOP / "src/api/router.c").read_text()
    table = set(re.findall(r'^\s*\{"([A-Z]+)", "([^"]+)", [A-Z]+, cs_api_', router, re.M))
    assert len(table) > 25
    written = {(method.upper(), re.sub(r"\{key\}", "*", path)) for method, path, _ in operations()}
    assert {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in written} == table


def test_every_code_is_one_that_is_answered():
    sources = "".join(path.read_text() for folder in ("src", "nginx")
                      for path in (TOP / folder).rglob("*") if path.is_file())
    codes = document.document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    rules = document.document()["components"]["schemas"]["Fault"]["properties"]["code"]["enum"]
    assert [code for code in codes + rules
            if not re.search(rf'["\s]{code}["\s;]', sources)] == []


def test_every_operation_is_explained_and_has_examples():
    lacking = []
    for method, path, described in operations():
        place = f"{method.upper()} {path}"
        if not (described["summary"] and described["description"]):
            lacking.append(f"{place}: no words")
        for media, content in described.get("requestBody", {}).get("content", {}).items():
            if media == "application/json" and not content.get("examples"):
                lacking.append(f"{place}: no example of a body")
        for status, response in described["responses"].items():
            for media, content in document.resolved(response).get("content", {}).items():
                bytes_ = media not in ("application/json", "application/problem+json") \
                    or "schema" not in content or not content["schema"]
                if not bytes_ and not (content.get("examples") or "example" in content):
                    lacking.append(f"{place}: no example of {status} {media}")
    assert lacking == []


def examples_of(content):
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        yield document.resolved(example)["value"]


def test_the_examples_are_right():
    wrong = []
    for method, path, described in operations():
        contents = list(described.get("requestBody", {}).get("content", {}).values())
        for response in described["responses"].values():
            contents += document.resolved(response).get("content", {}).values()
        for parameter in map(document.resolved, described.get("parameters", [])):
            contents.append(parameter)
        for content in contents:
            for example in examples_of(content):
                wrong += [f"{method.upper()} {path}: {fault}"
                          for fault in document.faults_of(content.get("schema", {}), example)]
    assert wrong == []


@pytest.mark.plain_build
@pytest.mark.server(answers_alone=True)
def test_the_service_keeps_it(make_stack, tmp_path, full):
    """Examples, edge cases, random requests and chains of them, the same each time:
    no 5xx, no undocumented status, media type, header or shape, nothing wrong taken."""
    stack = make_stack()
    run = subprocess.run(
        [pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run",
         document.SERVED, "--url", f"{stack.base_url}/api/v1", "--tls-verify", stack.ca,
         "--header", f"Authorization: Bearer {stack.admin_token()}",
         "--max-examples", "100" if full else "20"],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True,
        timeout=3600, check=False)
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", run.stdout)
    assert tested and int(tested[1]) == len(list(operations())), run.stdout[-3000:]
    if stack.server.supervised:
        assert len(stack.wait_workers()) == 4
