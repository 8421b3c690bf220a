"""Completion and everything made of bytes: the examples from end to end, what a
client brings, uploads in parts, downloads and signed links."""

import base64
import hashlib
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse
from html.parser import HTMLParser

import pytest

from client import Client, assert_problem
from support import wait_for
from test_edge import tls_socket

JSON = {"Content-Type": "application/json"}
NAMES = ("website", "pdf", "artifacts", "metadata")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def digest(data):
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"}


# ---- the examples ----

def example_folders():
    return ["maple-transit", "brasserie-du-fleuve", "solar-coop"]


@pytest.fixture(scope="module")
def completed(request, stack, examples):
    """Each example completed once: name to (id, state's bytes, answer)."""
    client = Client(stack, stack.token("examples"))
    made = {}
    for name in example_folders():
        folder = examples / name
        brief = json.loads((folder / "brief.json").read_text())
        campaign_id = client.create(name=brief["campaign_name"], brief=brief)
        for part in ("progress", "interactions"):
            file = folder / f"{part}.json"
            if file.exists():
                answer = client.post(f"/campaigns/{campaign_id}/{part}", data=file.read_bytes(),
                                     headers=JSON)
                assert answer.status_code in (200, 201), answer.text
        state = (folder / "final_state.json").read_bytes().strip()
        answer = client.complete(campaign_id, state)
        assert answer.status_code == 200, answer.text
        made[name] = (campaign_id, state, answer.json())
    yield made
    for campaign_id, _, _ in made.values():
        client.delete(f"/campaigns/{campaign_id}/aws")
    client.close()


@pytest.fixture
def reader(stack):
    client = Client(stack, stack.token("examples"))
    yield client
    client.close()


@pytest.mark.parametrize("name", example_folders())
def test_the_state_comes_back_byte_for_byte(completed, reader, name):
    campaign_id, state, answer = completed[name]
    assert reader.get(f"/campaigns/{campaign_id}/artifacts").content == state
    assert reader.get(answer["s3_artifacts_url"]).content == state
    record = reader.get(f"/campaigns/{campaign_id}").content
    assert record.endswith(b'"final_state":' + state + b"}")
    assert answer["files"]["artifacts"] == {
        "size": len(state), "sha256": sha256(state), "content_type": "application/json",
        "supplied": False}


@pytest.mark.parametrize("name", example_folders())
def test_the_answer_names_what_is_stored(completed, reader, name):
    campaign_id, _, answer = completed[name]
    assert answer["status"] == "completed" and set(answer["s3_urls"]) == set(NAMES)
    for part in NAMES:
        assert answer[f"s3_{part}_url"] == answer["s3_urls"][part]
        bytes_ = reader.get(f"/campaigns/{campaign_id}/{part}").content
        assert (len(bytes_), sha256(bytes_)) \
            == (answer["files"][part]["size"], answer["files"][part]["sha256"])
        assert reader.get(answer["s3_urls"][part]).content == bytes_


@pytest.mark.parametrize("name", example_folders())
def test_the_aws_endpoint_is_as_in_the_seed_document(stack, completed, reader, name):
    campaign_id, _, _ = completed[name]
    info = reader.get(f"/campaigns/{campaign_id}/aws").json()
    assert info["campaign_id"] == campaign_id
    s3, table = info["aws_services"]["s3"], info["aws_services"]["dynamodb"]
    assert s3.keys() == {"bucket_name", "region", "files"}
    assert table.keys() == {"table_name", "region", "data"}
    assert (s3["bucket_name"], table["table_name"]) == (stack.store.bucket, stack.store.table)
    assert list(s3["files"]) == list(NAMES)
    assert all(reader.get(url).status_code == 200 for url in s3["files"].values())
    assert table["data"]["status"] == "completed"
    assert {f"s3_{part}_url" for part in NAMES} <= table["data"].keys()


def test_the_metadata_holds_brief_progress_and_interactions(completed, reader, examples):
    campaign_id, _, _ = completed["maple-transit"]
    metadata = reader.get(f"/campaigns/{campaign_id}/metadata").json()
    folder = examples / "maple-transit"
    assert metadata["campaign_brief"] == json.loads((folder / "brief.json").read_text())
    assert metadata["agent_interactions"] == json.loads((folder / "interactions.json").read_text())
    assert metadata["progress_log"]["current_step"] == 16
    assert metadata["agent_interactions_truncated"] is False


class Text(HTMLParser):
    """The words of a page, without style and head."""

    def __init__(self):
        super().__init__()
        self.parts, self.skip = [], 0

    def handle_starttag(self, tag, attrs):
        self.skip += tag in ("style", "script", "title")

    def handle_endtag(self, tag):
        self.skip -= tag in ("style", "script", "title")

    def handle_data(self, data):
        if not self.skip:
            self.parts.append(data)


def letters(text):
    """Only what is compared: letters and digits, as layout and marks differ."""
    return re.sub(r"[\W_]+", "", text).casefold()


def markdown_marks(text):
    """Headings and table cells of a Markdown text, as a reader sees them."""
    fence = re.compile(r"```(?!markdown|md\b).*?(```|\Z)", re.S)
    text = fence.sub("", text.replace("\r\n", "\n"))
    for line in text.split("\n"):
        line = line.strip()
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            yield heading[1]
        elif line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            yield from re.split(r"(?<!\\)\|", line.strip("|"))


def plain(mark):
    mark = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", mark)
    mark = re.sub(r"<[^>]+>|[*_`~\\]", "", mark)
    return letters(mark)


def marks_of(value):
    if isinstance(value, str):
        yield from markdown_marks(value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from marks_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from marks_of(part)


def expected_marks(state):
    artifacts = {name: value for name, value in json.loads(state)["artifacts"].items()
                 if name not in ("web_developer", "html_validation")}
    marks = {plain(mark) for mark in marks_of(artifacts)} - {""}
    assert marks
    return marks


def pdf_text(data, tmp_path):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    file = tmp_path / "report.pdf"
    file.write_bytes(data)
    return subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, check=True,
                          text=True).stdout


@pytest.mark.parametrize("name", ["maple-transit", "brasserie-du-fleuve"])
def test_every_heading_and_cell_is_in_the_website(completed, reader, name):
    campaign_id, state, _ = completed[name]
    page = Text()
    page.feed(reader.get(f"/campaigns/{campaign_id}/website").content.decode())
    shown = letters("".join(page.parts))
    assert sorted(mark for mark in expected_marks(state) if mark not in shown) == []


def test_the_generators_own_page_is_the_website(completed, reader):
    """solar-coop brings a ready page, wrapped in fences and small talk."""
    campaign_id, state, answer = completed["solar-coop"]
    assert answer["render"]["website_supplied"] is True
    ready = json.loads(state)["artifacts"]["web_developer"]["campaign_website"]
    page, wanted = Text(), Text()
    page.feed(reader.get(f"/campaigns/{campaign_id}/website").content.decode())
    wanted.feed(re.search(r"```html\s*(.*?)```", ready, re.S)[1])
    shown = letters("".join(page.parts))
    assert [part for part in wanted.parts if letters(part) and letters(part) not in shown] == []


@pytest.mark.parametrize("name", example_folders())
def test_every_heading_and_cell_is_in_the_report(completed, reader, tmp_path, name):
    campaign_id, state, _ = completed[name]
    pdf = reader.get(f"/campaigns/{campaign_id}/pdf").content
    # cells are set side by side, so their words are looked for
    shown = letters(pdf_text(pdf, tmp_path))
    lost = []
    for mark in marks_of({key: value for key, value in json.loads(state)["artifacts"].items()
                          if key not in ("web_developer", "html_validation")}):
        clean = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", mark)
        clean = re.sub(r"<[^>]+>|[*_`~\\]", "", clean)
        lost += [word for word in map(letters, clean.split()) if word and word not in shown]
    assert lost == []


# ---- completion ----

@pytest.mark.parametrize("state", [
    b'{"n":9007199254740993,"big":1e308,"tenth":0.1,"trail":1.500,"neg":-0.0,"exp":1E+2}',
    b'{"wide":123456789012345678901234567890,"tiny":4.9e-324}',
    b'{ "b" : 1 ,\n\t"a" : [ 1 , 2 ] , "z" : { } }',
    b'{"e":"\\u00e9\\/\\ud83d\\ude00\\ud836\\udc00","r":"\xc3\xa9"}',
    b"{}",
])
def test_a_state_is_kept_as_it_is(user, state):
    campaign_id = user.create()
    assert user.complete(campaign_id, state).status_code == 200
    assert user.get(f"/campaigns/{campaign_id}/artifacts").content == state
    assert b'"final_state":' + state + b"}" in user.get(f"/campaigns/{campaign_id}").content


@pytest.mark.parametrize("text", ["two\nlines", "two  \nlines", "a\r\nb", "c\\\nd"])
def test_a_brief_of_two_lines_is_rendered(user, text):
    campaign_id = user.create(brief={"product": text, "inner": {"note": text}, "n": [{"a": text}]})
    assert user.complete(campaign_id, {"x": {"y": text}}).status_code == 200


def test_characters_without_a_font_are_counted(stack, user):
    """In the answer and in the log; the report shows a mark for each of them."""
    campaign_id = user.create()
    state = {"artifacts": {"copy": "One \U000f1234 and two \U000f1235\U000f1236."}}
    answer = user.complete(campaign_id, state)
    assert answer.status_code == 200, answer.text
    counted = answer.json()["render"]["missing_glyphs"]
    assert counted >= 3
    lines = [line for line in stack.log_text().splitlines()
             if "characters without a font" in line and campaign_id in line]
    assert len(lines) == 1 and f"count={counted}" in lines[0], lines
    plain = user.create()
    answer = user.complete(plain, {"artifacts": {"copy": "One and two."}})
    assert answer.json()["render"]["missing_glyphs"] == 0
    for made in (campaign_id, plain):
        user.delete(f"/campaigns/{made}/aws")


def test_completing_again_gives_the_same_once(user, admin):
    before = admin.get("/campaigns/aws/stats").json()["aws_stats"]["completed_campaigns"]
    campaign_id = user.create()
    first = user.complete(campaign_id, b'{"a":1}').json()
    again = user.complete(campaign_id, b'{"a":1}')
    assert again.status_code == 200 and "render" not in again.json()
    assert again.json()["files"] == first["files"]
    assert again.json()["completed_at"] == first["completed_at"]
    assert admin.get("/campaigns/aws/stats").json()["aws_stats"]["completed_campaigns"] \
        == before + 1
    assert_problem(user.complete(campaign_id, b'{"a":2}'), 409, "campaign_completed")
    assert_problem(user.complete(campaign_id, b'{"a": 1}'), 409, "campaign_completed")


def test_completing_at_the_same_moment(stack, user):
    campaign_id = user.create()
    answers = []

    def complete():
        client = Client(stack, stack.token("alice"))
        answers.append(client.complete(campaign_id, b'{"a":1}'))
        client.close()

    threads = [threading.Thread(target=complete) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({json.dumps(answer.json()["files"], sort_keys=True) for answer in answers}) == 1
    receipt = user.delete(f"/campaigns/{campaign_id}/aws").json()["deletion_results"]["s3"]
    assert receipt["success"] and receipt["left"] == 0


@pytest.mark.parametrize("body,expected", [
    ({}, {"/final_state": "required"}),
    ({"final_state": []}, {"/final_state": "wrong_type"}),
    ({"final_state": {}, "final_state_upload": "x"}, {"/final_state_upload": "ambiguous"}),
    ({"final_state": {}, "execution_time": -1}, {"/execution_time": "out_of_range"}),
    ({"final_state": {}, "execution_time": "1", "quality_score": 1e7},
     {"/execution_time": "wrong_type", "/quality_score": "out_of_range"}),
])
def test_completion_refuses(user, body, expected):
    campaign_id = user.create()
    problem = assert_problem(user.post(f"/campaigns/{campaign_id}/complete", json=body), 422)
    assert {fault["pointer"]: fault["code"] for fault in problem["errors"]} == expected
    assert user.get(f"/campaigns/{campaign_id}/status").json()["status"] == "running"


# ---- what a client brings ----

def test_ones_own_website_pdf_and_files(user):
    campaign_id = user.create()
    page, pdf, logo = b"<!doctype html><h1>Mine</h1>", b"%PDF-1.4 mine", bytes(range(256))
    for name, data, media in (("website", page, "text/html; charset=utf-8"),
                              ("pdf", pdf, "application/pdf"), ("files/logo.png", logo, "image/png")):
        answer = user.put(f"/campaigns/{campaign_id}/{name}", data=data, headers=digest(data))
        assert answer.status_code == 200
        told = answer.json()
        assert (told["name"], told["size"], told["sha256"], told["content_type"]) \
            == (name, len(data), sha256(data), media)
        assert user.get(told["url"]).content == data
    done = user.complete(campaign_id).json()
    assert done["render"]["website_supplied"] is True and done["render"]["pdf_pages"] == 0
    assert user.get(f"/campaigns/{campaign_id}/website").content == page
    assert user.get(f"/campaigns/{campaign_id}/pdf").content == pdf
    for name in ("website", "pdf"):
        assert_problem(user.put(f"/campaigns/{campaign_id}/{name}", data=b"x"), 409,
                       "campaign_not_running")
    assert user.put(f"/campaigns/{campaign_id}/files/late.txt", data=b"x").status_code == 200


def test_a_file_is_replaced(user):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/files/a.txt"
    for data in (b"one", b"two two"):
        assert user.put(path, data=data).status_code == 200
    assert user.get(path).content == b"two two"
    receipt = user.delete(f"/campaigns/{campaign_id}/aws").json()["deletion_results"]["s3"]
    assert receipt["bytes_deleted"] == 7


def test_wrong_digests_store_nothing(user):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/files/a.txt"
    assert_problem(user.put(path, data=b"x", headers=digest(b"y")), 400, "checksum_mismatch")
    for value in ("md5=:AAAA:", "sha-256=:AAAA:", "sha-256=x", "x"):
        assert_problem(user.put(path, data=b"x", headers={"Content-Digest": value}), 400,
                       "digest_invalid")
    assert_problem(user.get(path), 404, "artifact_not_found")
    assert user.get(f"/campaigns/{campaign_id}").json()["files"] == {}


@pytest.mark.parametrize("method,path", [
    ("PUT", "/campaigns/{}/website"), ("PUT", "/campaigns/{}/files/a.bin"),
    ("POST", "/campaigns/{}/complete"), ("POST", "/campaigns/{}/progress"), ("POST", "/campaigns"),
])
def test_a_short_body_stores_nothing(stack, user, method, path):
    campaign_id = user.create()
    before = user.get("/campaigns?limit=1&total=true").json()["total"]
    head = "\r\n".join([f"{method} /api/v1{path.format(campaign_id)} HTTP/1.1", "Host: localhost",
                        f"Authorization: Bearer {stack.token('alice')}",
                        "Content-Type: application/json", "Content-Length: 1000", "", ""])
    line = f"{method} /api/v1{path.format(campaign_id)} HTTP/1.1"
    ended = stack.server.requests_ended(line)
    with tls_socket(stack) as connection:
        connection.sendall(head.encode() + b'{"final_state":{}}')
        # an end that lets what was sent arrive
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    wait_for(lambda: stack.server.requests_ended(line) > ended, "the end of the request")
    record = user.get(f"/campaigns/{campaign_id}").json()
    assert (record["status"], record["files"], record["progress_log"]) == ("running", {}, None)
    assert user.get("/campaigns?limit=1&total=true").json()["total"] == before


def test_limits_hold(make_stack):
    stack = make_stack(settings={"LIMIT_FILE_BYTES": "65536", "LIMIT_FILES_PER_CAMPAIGN": "2",
                                 "LIMIT_JSON_BYTES": "65536"})
    client = Client(stack, stack.token("alice"))
    campaign_id = client.create()
    path = f"/campaigns/{campaign_id}/files"
    assert_problem(client.put(f"{path}/big", data=b"x" * 65537), 413, "file_too_big")
    assert client.put(f"{path}/a", data=b"x" * 65536).status_code == 200
    assert client.put(f"{path}/b", data=b"x").status_code == 200
    assert_problem(client.put(f"{path}/c", data=b"x"), 413, "too_many_files")
    assert client.put(f"{path}/b", data=b"y").status_code == 200
    assert_problem(client.complete(campaign_id, b'{"a":"' + b"x" * 65536 + b'"}'), 413,
                   "body_too_large")
    if stack.server.takes_chunks:
        # of unknown length: found while it arrives
        chunks = (b"x" * 8192 for _ in range(20))
        assert_problem(client.put(f"{path}/b", data=chunks), 413, "file_too_big")
    assert client.get(f"{path}/b").content == b"y"
    client.close()


# ---- large ones, whole or in parts as the limits say ----

def test_a_large_state_and_report_arrive(user, admin):
    """2 MB and 5 MiB, by whatever way the web server leaves."""
    state = json.dumps({"artifacts": {"copy": "# Hello\n" * 250000}}).encode()
    report = b"%PDF-1.4\n" + bytes(range(256)) * 20480 + b"\n%%EOF\n"
    assert len(state) > 2000000 and len(report) > 5 << 20
    campaign_id = user.create()
    answer = user.put_artifact(campaign_id, "pdf", report, "application/pdf")
    assert answer.status_code == 200, answer.text
    answer = user.complete(campaign_id, state)
    assert answer.status_code == 200, answer.text
    for part, content in (("artifacts", state), ("pdf", report)):
        got = user.get(f"/campaigns/{campaign_id}/{part}").content
        assert hashlib.sha256(got).digest() == hashlib.sha256(content).digest(), part
    admin.delete(f"/campaigns/{campaign_id}/aws")


# ---- uploads in parts ----

def begin(client, campaign_id, data, target="pdf", **more):
    answer = client.post(f"/campaigns/{campaign_id}/uploads",
                         json={"target": target, "size": len(data), **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def parts_of(upload, data):
    size = upload["part_bytes"]
    return {number + 1: data[number * size:(number + 1) * size]
            for number in range(upload["parts"])}


def part_path(campaign_id, upload, number):
    return f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}/parts/{number}"


def test_an_upload_is_resumed_and_put_together(user):
    data = bytes(i * 7 % 251 for i in range(250000))
    campaign_id = user.create()
    upload = begin(user, campaign_id, data, sha256=sha256(data))
    path = f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}"
    parts = parts_of(upload, data)
    assert (upload["parts"], upload["part_bytes"], upload["finished"]) == (3, 98304, False)
    # the last first, one of them twice, first with other bytes
    assert user.put(part_path(campaign_id, upload, 3), data=parts[3]).status_code == 200
    assert user.put(part_path(campaign_id, upload, 1), data=b"z" * 98304).status_code == 200
    assert user.put(part_path(campaign_id, upload, 1), data=parts[1]).status_code == 200
    received = user.get(path).json()["received"]
    assert received == [{"part": n, "bytes": len(parts[n]), "sha256": sha256(parts[n])}
                        for n in (1, 3)]
    problem = assert_problem(user.post(path + "/complete"), 409, "upload_incomplete")
    assert "part 2 of 3" in problem["detail"]
    assert_problem(user.put(part_path(campaign_id, upload, 2), data=parts[2],
                            headers=digest(b"x")), 400, "checksum_mismatch")
    assert user.put(part_path(campaign_id, upload, 2), data=parts[2],
                    headers=digest(parts[2])).status_code == 200
    done = user.post(path + "/complete").json()
    assert done["finished"] is True and done["sha256"] == sha256(data)
    assert user.post(path + "/complete").json() == done
    assert user.get(f"/campaigns/{campaign_id}/pdf").content == data
    assert_problem(user.put(part_path(campaign_id, upload, 1), data=parts[1]), 409,
                   "upload_finished")


def test_what_an_upload_refuses(user, other):
    campaign_id = user.create()
    upload = begin(user, campaign_id, b"x" * 100000)
    path = f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}"
    assert_problem(user.put(part_path(campaign_id, upload, 1), data=b"short"), 400,
                   "part_size_wrong")
    assert_problem(user.put(part_path(campaign_id, upload, 1), data=b"x" * 98305), 413,
                   "body_too_large")
    for number, status in ((0, 400), (3, 400), (100000, 404), ("x", 404), ("-1", 404)):
        assert_problem(user.put(part_path(campaign_id, upload, number), data=b"x"), status,
                       "part_number_out_of_range")
    assert_problem(other.get(path), 404, "campaign_not_found")
    for unknown in ("0" * 24, "x", "..."):
        assert_problem(user.get(f"/campaigns/{campaign_id}/uploads/{unknown}"), 404,
                       "upload_not_found")
    for number, data in parts_of(upload, b"x" * 100000).items():
        user.put(part_path(campaign_id, upload, number), data=data)
    answer = user.post(path + "/complete", json={"sha256": sha256(b"other")})
    assert answer.status_code in (400, 422) and answer.json()["code"] == "checksum_mismatch"
    assert_problem(user.get(f"/campaigns/{campaign_id}/pdf"), 404, "artifact_not_found")
    assert user.delete(path).status_code == 204
    assert_problem(user.get(path), 404, "upload_not_found")


@pytest.mark.parametrize("body,expected", [
    ({}, {"/target": "required", "/size": "required"}),
    ({"target": "metadata", "size": 1}, {"/target": "unknown_target"}),
    ({"target": "files/../x", "size": 1}, {"/target": "unknown_target"}),
    ({"target": "pdf", "size": -1}, {"/size": "out_of_range"}),
    ({"target": "pdf", "size": 3 << 30}, {"/size": "out_of_range"}),
    ({"target": "final_state", "size": 33554433}, {"/size": "out_of_range"}),
    ({"target": "pdf", "size": 1, "sha256": "zz"}, {"/sha256": "pattern"}),
    ({"target": "files/a", "size": 1, "content_type": 'a"b'}, {"/content_type": "pattern"}),
])
def test_an_upload_that_can_not_begin(user, body, expected):
    campaign_id = user.create()
    problem = assert_problem(user.post(f"/campaigns/{campaign_id}/uploads", json=body), 422)
    assert {fault["pointer"]: fault["code"] for fault in problem["errors"]} == expected


def test_an_upload_stands_in_for_the_state(user):
    state = json.dumps({"artifacts": {"copy": "# Hello\n" * 20000}}).encode()
    campaign_id = user.create()
    upload = begin(user, campaign_id, state, target="final_state")
    body = {"final_state_upload": upload["upload_id"]}
    complete = f"/campaigns/{campaign_id}/complete"
    assert_problem(user.post(complete, json=body), 422, "upload_unusable")
    for number, data in parts_of(upload, state).items():
        assert user.put(part_path(campaign_id, upload, number), data=data).status_code == 200
    path = f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}"
    assert user.post(path + "/complete").status_code == 200
    first = user.post(complete, json=body)
    assert first.status_code == 200, first.text
    assert user.get(f"/campaigns/{campaign_id}/artifacts").content == state
    # its parts are gone, and the repeat is known all the same; so is the state itself
    assert user.get(path).json()["received"] == []
    assert user.post(complete, json=body).json()["files"] == first.json()["files"]
    assert user.complete(campaign_id, state).status_code == 200


@pytest.mark.parametrize("state,code", [(b'{"a":1', "json_invalid"), (b"[1]", "wrong_type")])
def test_an_upload_that_is_no_state(user, state, code):
    campaign_id = user.create()
    upload = begin(user, campaign_id, state, target="final_state")
    user.put(part_path(campaign_id, upload, 1), data=state)
    user.post(f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}/complete")
    assert_problem(user.post(f"/campaigns/{campaign_id}/complete",
                             json={"final_state_upload": upload["upload_id"]}), 422, code)


# ---- downloads ----

@pytest.mark.parametrize("part,media,file_name", [
    ("website", "text/html; charset=utf-8", "index.html"),
    ("pdf", "application/pdf", "campaign_report.pdf"),
    ("artifacts", "application/json", "workflow_state.json"),
    ("metadata", "application/json", "campaign_metadata.json"),
])
def test_downloads(stack, user, part, media, file_name):
    campaign_id = user.completed()
    path = f"/campaigns/{campaign_id}/{part}"
    whole = user.get(path)
    assert whole.headers["Content-Type"] == media
    saved = user.get(path + "?download=1")
    if stack.store.links_rename:
        assert whole.headers["Content-Disposition"] == f'inline; filename="{file_name}"'
        assert saved.headers["Content-Disposition"] == f'attachment; filename="{file_name}"'
    # conditions, and what has no bytes, are for the service itself on every store
    head = user.head(path)
    assert head.content == b"" and head.headers["Content-Length"] == str(len(whole.content))
    assert head.headers["Content-Disposition"] == f'inline; filename="{file_name}"'
    tag = head.headers["ETag"]
    assert tag == f'"{sha256(whole.content)}"'
    if stack.store.links_are_ours:
        assert whole.headers["ETag"] == tag
    assert user.get(path, headers={"If-None-Match": tag}).status_code == 304
    for span, expected in (("0-4", whole.content[:5]), ("5-", whole.content[5:]),
                           ("-3", whole.content[-3:]), ("2-99999999", whole.content[2:])):
        answer = user.get(path, headers={"Range": f"bytes={span}"})
        assert answer.status_code == 206 and answer.content == expected, span
        with_tag = user.get(path, headers={"Range": f"bytes={span}",
                                           "If-Range": tag})
        assert with_tag.status_code == 206 and with_tag.content == expected, span
        assert with_tag.headers["Content-Range"] == answer.headers["Content-Range"]
        assert with_tag.headers["Content-Range"].endswith(f"/{len(whole.content)}")
    assert user.get(path, headers={"Range": "bytes=0-4", "If-Range": '"old"'}).status_code == 200
    assert_problem(user.get(path, headers={"Range": "bytes=99999999-"}), 416,
                   "range_not_satisfiable")


def test_what_is_shown_can_do_nothing(stack, user):
    campaign_id = user.create()
    user.put(f"/campaigns/{campaign_id}/website", data=b"<script>alert(1)</script>")
    files = {"a.html": b"<script>", "a.svg": b"<svg onload='x'/>", "a.js": b"x", "a.txt": b"x"}
    for name, data in files.items():
        user.put(f"/campaigns/{campaign_id}/files/{name}", data=data)
    for path in ("website", *(f"files/{name}" for name in files)):
        address = f"/campaigns/{campaign_id}/{path}"
        # the bytes are shown under our policy, or by another origin than the API's
        if not stack.store.links_are_ours:
            assert user.get(address).url.startswith(stack.store.links_start)
        headers = user.head(address).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("sandbox") and "default-src 'none'" in policy, path
        assert "allow-scripts" not in policy and "allow-same-origin" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers
    script = user.head(f"/campaigns/{campaign_id}/files/a.js").headers
    assert script["Content-Disposition"].startswith("attachment")


# ---- signed links ----

def test_links_need_no_token_and_can_not_be_altered(stack, user, anonymous):
    campaign_id = user.completed()
    other_id = user.completed()
    link = user.get(f"/campaigns/{campaign_id}").json()["s3_website_url"]
    answer = anonymous.get(link)
    assert answer.status_code == 200
    assert answer.content == user.get(f"/campaigns/{campaign_id}/website").content
    if stack.store.links_are_ours:
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        saved = anonymous.get(link + "&download=1")
        assert saved.headers["Content-Disposition"].startswith("attach")
    address = urllib.parse.urlsplit(link)
    query = dict(urllib.parse.parse_qsl(address.query))
    altered = [link.replace(campaign_id, other_id), link.replace("index.html", "index.htm"),
               link.replace("website/index.html", "pdf/campaign_report.pdf"), link.split("?")[0]]
    for name, value in query.items():
        flipped = ("0" if value[-1] != "0" else "1")
        for bad in (value[:-1] + flipped, value[:-1], value + "0", ""):
            changed = urllib.parse.urlencode({**query, name: bad})
            altered.append(address._replace(query=changed).geturl())
    for url in altered:
        refused = anonymous.get(url)
        if stack.store.links_are_ours:
            assert_problem(refused, 403, "link_invalid")
        assert refused.status_code in (400, 403) and b"<!" not in refused.content, url


def test_links_end(make_stack):
    stack = make_stack(settings={"CAMPAIGN_URL_TTL": "2"})
    client, anonymous = Client(stack, stack.token("alice")), Client(stack)
    campaign_id = client.completed()
    link = client.get(f"/campaigns/{campaign_id}").json()["s3_pdf_url"]
    wait_for(lambda: anonymous.get(link).status_code != 200, "the link's end")
    if stack.store.links_are_ours:
        assert_problem(anonymous.get(link), 403, "link_expired")
    assert anonymous.get(link).status_code == 403
    assert client.get(f"/campaigns/{campaign_id}").json()["s3_pdf_url"] != link
    # where that is a link again, the way there may take longer than its life
    wait_for(lambda: client.get(f"/campaigns/{campaign_id}/pdf").status_code == 200, "the PDF")
    client.close()
    anonymous.close()
