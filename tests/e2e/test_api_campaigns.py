"""Campaigns from beginning to end through the web server: create, progress,
interactions, fail, lists; who may see them; what is refused, and how it is said."""

import datetime
import json
import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Client, assert_problem
from support import wait_for

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
JSON = {"Content-Type": "application/json"}


def utc(**ahead):
    """A time from now, as the API writes it."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**ahead)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def faults(problem):
    """{pointer: code} of a refused body."""
    return {fault["pointer"]: fault["code"] for fault in problem["errors"]}


# ---- create ----

def test_create_answers_with_the_campaign(user):
    answer = user.post("/campaigns", json={
        "campaign_name": "Spring ☕ launch", "campaign_brief": {"product": "Tea"},
        "tags": ["a", "b c"], "expires_at": "2999-12-31T23:59:59+02:00"})
    assert answer.status_code == 201
    made = answer.json()
    assert re.fullmatch(r"campaign_\d{8}_\d{6}_\d{6}", made["campaign_id"])
    assert answer.headers["Location"] == f"/api/v1/campaigns/{made['campaign_id']}"
    assert TIME.fullmatch(made["created_at"]) and made["updated_at"] == made["created_at"]
    assert made["campaign_id"][9:24] == re.sub(r"\D", "", made["created_at"])[:8] + "_" + \
        re.sub(r"\D", "", made["created_at"])[8:14]
    assert made == {**made, "user_id": "alice", "campaign_name": "Spring ☕ launch",
                    "status": "running", "tags": ["a", "b c"],
                    "expires_at": "2999-12-31T21:59:59.000000Z"}
    assert user.get(answer.headers["Location"].removeprefix("/api/v1")).status_code == 200


@pytest.mark.parametrize("tags", [["x"], [f"{n:02}" * 32 for n in range(20)]],
                         ids=["in lists, too", "too long for lists"])
def test_tags_are_shown_once(user, tags):
    campaign_id = user.create(tags=tags)
    for path in "", "/aws":
        answer = user.get(f"/campaigns/{campaign_id}{path}")
        record = answer.json()
        if path:
            record = record["aws_services"]["dynamodb"]["data"]
        assert record["tags"] == tags and answer.text.count('"tags"') == 1


def test_the_record_holds_everything(user):
    campaign_id = user.create(brief={"z": 1, "a": {"deep": [1.50, "\u00e9"]}}, mine={"kept": [1]},
                              other=None, tags=["x"])
    record = user.get(f"/campaigns/{campaign_id}").json()
    assert record["campaign_brief"] == {"z": 1, "a": {"deep": [1.50, "é"]}}
    assert list(record["campaign_brief"]) == ["z", "a"]
    assert record["mine"] == {"kept": [1]} and record["other"] is None
    assert record["tags"] == ["x"] and record["status"] == "running"
    assert [record[f"s3_{name}_url"] for name in ("website", "pdf", "artifacts", "metadata")] \
        == [None] * 4
    assert (record["files"], record["progress_log"], record["agent_interactions"],
            record["agent_interactions_truncated"], record["final_state"]) \
        == ({}, None, [], False, None)


@pytest.mark.server(whole_bodies=True)
def test_a_long_brief_comes_back(user):
    brief = {"text": "lorem ipsum " * 20000, "n": 1}
    campaign_id = user.create(brief=brief)
    assert user.get(f"/campaigns/{campaign_id}").json()["campaign_brief"] == brief


def test_an_id_of_ones_own(user, other, admin):
    wanted = f"spring-{utc()[-7:-1]}_x"
    assert user.create(campaign_id=wanted) == wanted
    problem = assert_problem(user.post("/campaigns", json={
        "campaign_name": "x", "campaign_brief": {}, "campaign_id": wanted}), 409, "campaign_exists")
    assert faults(problem) == {"/campaign_id": "campaign_exists"}
    # whose it is is not told, but it is taken
    assert_problem(other.post("/campaigns", json={
        "campaign_name": "x", "campaign_brief": {}, "campaign_id": wanted}), 409, "campaign_exists")
    admin.delete(f"/campaigns/{wanted}/aws")
    assert user.create(campaign_id=wanted) == wanted


@pytest.mark.parametrize("members,expected", [
    ({"campaign_name": None}, {"/campaign_name": "required"}),
    ({"campaign_name": 7}, {"/campaign_name": "wrong_type"}),
    ({"campaign_name": ""}, {"/campaign_name": "too_short"}),
    ({"campaign_name": "x" * 257}, {"/campaign_name": "too_long"}),
    ({"campaign_name": "é" * 129}, {"/campaign_name": "too_long"}),
    ({"campaign_name": "x" * 100000}, {"/campaign_name": "too_long"}),
    ({"campaign_name": "a\nb"}, {"/campaign_name": "control_character"}),
    ({"campaign_name": "a\x00b"}, {"/campaign_name": "control_character"}),
    ({"campaign_brief": None}, {"/campaign_brief": "required"}),
    ({"campaign_brief": []}, {"/campaign_brief": "wrong_type"}),
    ({"campaign_brief": "x"}, {"/campaign_brief": "wrong_type"}),
    ({"campaign_id": "-a"}, {"/campaign_id": "pattern"}),
    ({"campaign_id": "a/b"}, {"/campaign_id": "pattern"}),
    ({"campaign_id": "a" * 129}, {"/campaign_id": "too_long"}),
    ({"campaign_id": ""}, {"/campaign_id": "too_short"}),
    ({"tags": "x"}, {"/tags": "wrong_type"}),
    ({"tags": ["x"] * 21}, {"/tags": "too_many"}),
    ({"tags": ["a", 2]}, {"/tags/1": "wrong_type"}),
    ({"tags": ["x" * 65]}, {"/tags/0": "too_long"}),
    ({"tags": [None]}, {"/tags/0": "required"}),
    ({"expires_at": "tomorrow"}, {"/expires_at": "not_a_time"}),
    ({"expires_at": "2024-02-30T00:00:00Z"}, {"/expires_at": "not_a_time"}),
    ({"expires_at": "2020-01-01T00:00:00Z"}, {"/expires_at": "in_the_past"}),
    ({"expires_at": 5}, {"/expires_at": "wrong_type"}),
    *(({name: "x"}, {f"/{name}": "reserved"}) for name in (
        "user_id", "status", "created_at", "updated_at", "completed_at", "s3_website_url",
        "s3_pdf_url", "s3_artifacts_url", "s3_metadata_url", "progress_log", "agent_interactions",
        "agent_interactions_truncated", "final_state", "files", "error", "execution_time",
        "quality_score", "urls_expire_at", "versions")),
    # several at once: all of them are told
    ({"campaign_name": "", "campaign_brief": 1, "tags": [1, "", "ok"], "status": "completed"},
     {"/campaign_name": "too_short", "/campaign_brief": "wrong_type", "/tags/0": "wrong_type",
      "/tags/1": "too_short", "/status": "reserved"}),
])
def test_create_refuses(user, members, expected):
    body = {"campaign_name": "x", "campaign_brief": {}, **members}
    problem = assert_problem(user.post("/campaigns", json=body), 422, "validation_failed")
    assert faults(problem) == expected
    assert all(fault["detail"] for fault in problem["errors"])


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
@pytest.mark.parametrize("path", ["", "/{}/progress", "/{}/complete", "/{}/fail", "/{}/uploads"])
def test_a_body_must_be_an_object(user, path, body):
    campaign_id = user.create()
    assert_problem(user.post("/campaigns" + path.format(campaign_id), data=body, headers=JSON), 422,
                   "validation_failed")


# Names that are written with escapes are the same names.
def test_escaped_names_do_not_get_past_the_checks(user):
    problem = assert_problem(user.post(
        "/campaigns", headers=JSON,
        data=b'{"campaign_name":"x","campaign_brief":{},"st\\u0061tus":"completed"}'), 422)
    assert faults(problem) == {"/status": "reserved"}
    answer = user.post("/campaigns", headers=JSON,
                       data=b'{"campaign\\u005fname":"x","campaign_brief":{"a":1}}')
    assert answer.status_code == 201 and answer.json()["campaign_name"] == "x"
    text = user.get(f"/campaigns/{answer.json()['campaign_id']}").text
    names = [name for name, _ in json.loads(text, object_pairs_hook=list)]
    assert len(names) == len(set(names)), names


def test_full_lengths_can_be_completed(stack):
    client = Client(stack, stack.token('"' * 128))
    campaign_id = client.create(name='"' * 256, campaign_id="x" * 128, tags=["t" * 64] * 20,
                                expires_at="2999-01-01T00:00:00Z")
    answer = client.complete(campaign_id, execution_time=123456789.123456,
                             quality_score=-0.12345678901234567)
    assert answer.status_code == 200 and answer.json()["campaign_name"] == '"' * 256
    assert client.get("/campaigns").json()["campaigns"][0]["campaign_id"] == campaign_id
    assert client.delete(f"/campaigns/{campaign_id}/aws").status_code == 200
    client.close()


# ---- bodies that are no JSON, or no JSON that can be kept ----

@pytest.mark.parametrize("body", [
    b"{", b"{}}", b"{'a':1}", b'{"campaign_name":"a","campaign_name":"b","campaign_brief":{}}',
    b'{"campaign_name":"x","campaign_brief":{"a":1,"a":1}}',
    b'{"campaign_name":"x","campaign_brief":{"a":1,"\\u0061":2}}',
    b'{"campaign_name":"x","campaign_brief":{"a":[{"b":1,"b":2}]}}',
    b'{"campaign_name":"\xff","campaign_brief":{}}',
    b'{"campaign_name":"\xc0\xaf","campaign_brief":{}}',
    b'{"campaign_name":"\xed\xa0\x80","campaign_brief":{}}',
    b'{"campaign_name":"\\ud800","campaign_brief":{}}',
    b'{"campaign_name":"\\udc00\\ud800","campaign_brief":{}}',
    b'\xef\xbb\xbf{"campaign_name":"x","campaign_brief":{}}',
    b'{"campaign_name":"x","campaign_brief":{"n":01}}',
    b'{"campaign_name":"x","campaign_brief":{"n":NaN}}',
    b'{"campaign_name":"x","campaign_brief":{"n":1e99999}}',
    b'{"campaign_name":"x","campaign_brief":{},}',
    b'{"campaign_name":"x","campaign_brief":{}} x',
    b'{"campaign_name":"x\x01","campaign_brief":{}}',
    b'{"campaign_name":"x","campaign_brief":{"\\u0000":1}}',
    b'{"campaign_name":"x","campaign_brief":' + b"[" * 129 + b"]" * 129 + b"}",
    b'{"campaign_name":"x","campaign_brief":{"a":' + b"[" * 60000 + b"]" * 60000 + b"}}",
])
def test_what_is_no_json_is_400(user, body):
    problem = assert_problem(user.post("/campaigns", data=body, headers=JSON), 400, "json_invalid")
    assert "line" in problem["detail"] and "errors" not in problem


def test_nesting_up_to_the_limit_is_kept(anonymous, user):
    depth = anonymous.get("/limits").json()["json_depth"]
    levels = depth - 2
    brief = b'{"a":' + b"[" * levels + b"]" * levels + b"}"
    answer = user.post("/campaigns", headers=JSON,
                       data=b'{"campaign_name":"x","campaign_brief":' + brief + b"}")
    assert answer.status_code == 201, answer.text
    assert brief in user.get(f"/campaigns/{answer.json()['campaign_id']}").content


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded",
                                   "multipart/form-data", "application/jsonx", "text/json"])
def test_another_media_type_is_415(user, media):
    assert_problem(user.post("/campaigns", data=b"{}", headers={"Content-Type": media}), 415,
                   "media_type_not_supported")


@pytest.mark.parametrize("media", ["application/json", "Application/JSON; charset=utf-8",
                                   "application/vnd.example+json", None])
def test_these_media_types_are_json(user, media):
    headers = {"Content-Type": media} if media else {}
    answer = user.post("/campaigns", data=b'{"campaign_name":"x","campaign_brief":{}}',
                       headers=headers)
    assert answer.status_code == 201


def test_no_body_is_400(user):
    assert_problem(user.post("/campaigns"), 400, "body_missing")
    assert_problem(user.post("/campaigns", data=b"", headers=JSON), 400, "body_missing")


# ---- idempotency ----

def test_the_same_key_makes_one_campaign(user, other):
    headers = {"Idempotency-Key": f"key {utc()}"}
    body = {"campaign_name": "once", "campaign_brief": {"a": 1}}
    first = user.post("/campaigns", json=body, headers=headers)
    again = user.post("/campaigns", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    problem = assert_problem(user.post("/campaigns", json={**body, "more": 1}, headers=headers), 409,
                             "idempotency_key_reused")
    assert "errors" not in problem
    # another user's key is another key
    theirs = other.post("/campaigns", json=body, headers=headers)
    assert theirs.status_code == 201 and theirs.json()["campaign_id"] != first.json()["campaign_id"]
    user.delete(f"/campaigns/{first.json()['campaign_id']}/aws")
    assert_problem(user.post("/campaigns", json=body, headers=headers), 409,
                   "idempotency_key_spent")


def test_the_same_key_at_the_same_moment(stack, user):
    headers = {"Idempotency-Key": f"race {utc()}"}
    before = user.get("/campaigns?limit=1&total=true").json()["total"]
    answers = []

    def ask():
        client = Client(stack, stack.token("alice"))
        answers.append(client.post("/campaigns", headers=headers,
                                   json={"campaign_name": "race", "campaign_brief": {}}))
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 12
    assert len({answer.json()["campaign_id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 11
    assert user.get("/campaigns?limit=1&total=true").json()["total"] == before + 1


def test_a_key_that_is_none(user):
    for key in ("k" * 256, "caf\u00e9".encode()):
        assert_problem(user.post("/campaigns", json={"campaign_name": "x", "campaign_brief": {}},
                                 headers={"Idempotency-Key": key}), 400, "header_invalid")


# ---- whose it is ----

READS = ["", "/status", "/interactions", "/website", "/pdf", "/artifacts", "/metadata",
         "/files/a.txt", "/aws"]
WRITES = [("POST", "/progress"), ("POST", "/interactions"), ("POST", "/complete"),
          ("POST", "/fail"), ("PUT", "/website"), ("PUT", "/pdf"), ("PUT", "/files/b.txt"),
          ("POST", "/uploads")]
BODIES = {"/progress": {}, "/interactions": {"agent": "x"}, "/complete": {"final_state": {}},
          "/fail": {"error": "x"}, "/uploads": {"target": "pdf", "size": 1}}


@pytest.fixture
def mine(user):
    campaign_id = user.create()
    assert user.put(f"/campaigns/{campaign_id}/files/a.txt", data=b"a").status_code == 200
    assert user.complete(campaign_id).status_code == 200
    return campaign_id


def write(client, method, campaign_id, path):
    body = BODIES.get(path)
    return client.request(method, f"/campaigns/{campaign_id}{path}", json=body,
                          data=None if body is not None else b"x")


def test_somebody_elses_is_not_found(user, other, mine):
    unknown = other.get("/campaigns/no-such-campaign").json()
    for path in READS:
        assert user.get(f"/campaigns/{mine}{path}").status_code == 200, path
        problem = assert_problem(other.get(f"/campaigns/{mine}{path}"), 404, "campaign_not_found")
        assert problem.keys() == unknown.keys()
    for method, path in WRITES:
        assert_problem(write(other, method, mine, path), 404, "campaign_not_found")
    assert_problem(other.delete(f"/campaigns/{mine}/aws"), 404, "campaign_not_found")
    assert mine not in other.get("/campaigns").text


def test_an_administrator_reads_and_deletes_but_does_not_change(admin, user, mine):
    running = user.create()
    for path in READS:
        assert admin.get(f"/campaigns/{mine}{path}").status_code == 200, path
    for method, path in WRITES:
        assert_problem(write(admin, method, running, path), 404, "campaign_not_found")
    assert user.get(f"/campaigns/{running}/status").json()["status"] == "running"
    assert admin.delete(f"/campaigns/{mine}/aws").status_code == 200


@pytest.mark.parametrize("claims,expected", [
    ({"role": "admin"}, 200), ({"role": ["user", "admin"]}, 200), ({"role": "Admin"}, 403),
    ({"role": "administrator"}, 403), ({"roles": "admin"}, 403), ({"admin": True}, 403), ({}, 403),
    ({"role": {"admin": True}}, 403), ({"role": True}, 403),
])
def test_who_is_an_administrator(stack, claims, expected):
    client = Client(stack, stack.token("carol", **claims))
    answer = client.get("/campaigns/aws/stats")
    assert answer.status_code == expected
    if expected == 403:
        assert_problem(answer, 403, "admin_required")
        assert_problem(client.get("/campaigns?user_id=alice"), 403, "admin_required")
        assert client.get("/campaigns?user_id=carol").status_code == 200
    client.close()


# ---- progress ----

def test_progress_replaces_what_was_there(user):
    campaign_id = user.create()
    body = {"current_step": 3, "step_name": "copy", "step_description": "Writing",
            "completed_steps": 2, "total_steps": 16.0, "mine": {"kept": [1.50]}}
    answer = user.post(f"/campaigns/{campaign_id}/progress", json=body)
    assert answer.status_code == 200
    told = answer.json()["progress_log"]
    assert TIME.fullmatch(told.pop("last_update")) and told == body
    status = user.get(f"/campaigns/{campaign_id}/status").json()
    assert status["progress_log"]["mine"] == {"kept": [1.5]} and status["error"] is None
    user.post(f"/campaigns/{campaign_id}/progress", json={"current_step": 4})
    record = user.get(f"/campaigns/{campaign_id}").json()
    assert record["progress_log"].keys() == {"current_step", "last_update"}


def test_the_time_of_the_last_change(stack):
    """A list shows that of what it shows: a progress does not change it."""
    client = Client(stack, stack.token("steady"))
    campaign_id = client.create()
    path = f"/campaigns/{campaign_id}"
    created = client.get(path).json()
    assert client.post(f"{path}/progress", json={"current_step": 1}).status_code == 200
    record, status = client.get(path).json(), client.get(f"{path}/status").json()
    told = record["progress_log"]["last_update"]
    assert record["updated_at"] == status["updated_at"] == told > created["updated_at"]
    assert list(record) == list(created)
    data = client.get(f"{path}/aws").json()["aws_services"]["dynamodb"]["data"]
    assert data["updated_at"] == told
    listed, = client.get("/campaigns").json()["campaigns"]
    assert listed["updated_at"] == created["updated_at"]
    assert client.complete(campaign_id).status_code == 200
    done = client.get(path).json()
    listed, = client.get("/campaigns").json()["campaigns"]
    assert done["updated_at"] == listed["updated_at"] == done["completed_at"] > told
    client.close()


@pytest.mark.parametrize("body,expected", [
    ({"current_step": -1}, {"/current_step": "out_of_range"}),
    ({"current_step": "3"}, {"/current_step": "wrong_type"}),
    ({"total_steps": 1.5, "completed_steps": 1e9},
     {"/total_steps": "out_of_range", "/completed_steps": "out_of_range"}),
    ({"step_name": 3}, {"/step_name": "wrong_type"}),
    ({"step_description": "x" * 2001}, {"/step_description": "too_long"}),
])
def test_progress_refuses(user, body, expected):
    campaign_id = user.create()
    problem = assert_problem(user.post(f"/campaigns/{campaign_id}/progress", json=body), 422,
                             "validation_failed")
    assert faults(problem) == expected


@pytest.mark.server(whole_bodies=True)
def test_too_large_a_progress(user):
    campaign_id = user.create()
    path, limit = f"/campaigns/{campaign_id}/progress", user.get("/limits").json()["progress_bytes"]
    text = secrets.token_hex(limit // 2)[:limit - len('{"x":""}')]
    headers = {"Content-Type": "application/json"}
    answer = user.post(path, data=f'{{"x":"{text}"}}', headers=headers)
    assert answer.status_code == 200, answer.text
    told = assert_problem(user.post(path, data=f'{{"x":"{text}z"}}', headers=headers), 413,
                          "progress_too_big")
    assert "1024 KiB" in told["detail"] and "interactions" in told["detail"]
    assert user.get(f"/campaigns/{campaign_id}").json()["progress_log"]["x"] == text


def test_status_is_told_by_its_tag(user):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/status"
    first = user.get(path)
    tag = first.headers["ETag"]
    for value in (tag, f'W/{tag}', f'"x", {tag}', "*"):
        again = user.get(path, headers={"If-None-Match": value})
        assert again.status_code == 304 and again.content == b""
        assert again.headers["ETag"] == tag
    user.post(f"/campaigns/{campaign_id}/progress", json={"current_step": 1})
    changed = user.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["ETag"] != tag


# ---- interactions ----

def test_interactions_come_back_in_their_order(user):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/interactions"
    one = {"agent": "copywriter", "action": "completed", "message": "Copy ☕", "status": "success",
           "timestamp": "2024-12-01T12:00:21+01:00", "tokens": {"in": 10, "out": 2.50}}
    assert user.post(path, json=one).json() == {"campaign_id": campaign_id, "appended": 1}
    assert user.post(path, json=[{"agent": f"a{i}"} for i in range(3)]).json()["appended"] == 3
    assert user.post(path, json={"interactions": [{"agent": "b"}]}).json()["appended"] == 1
    assert user.post(path, json=[]).json()["appended"] == 0
    page = user.get(path).json()
    assert page["interactions"][0] == one
    assert [entry["agent"] for entry in page["interactions"]] \
        == ["copywriter", "a0", "a1", "a2", "b"]
    assert all(TIME.fullmatch(entry["timestamp"]) for entry in page["interactions"][1:])
    assert (page["count"], page["more"], page["campaign_id"]) == (5, False, campaign_id)
    assert user.get(f"/campaigns/{campaign_id}").json()["agent_interactions"] \
        == page["interactions"]


def test_interactions_in_pages(user):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/interactions"
    empty = user.get(path).json()
    assert (empty["interactions"], empty["count"], empty["after"], empty["more"]) \
        == ([], 0, None, False)
    user.post(path, json=[{"agent": str(i)} for i in range(250)])
    seen, after = [], None
    for expected in (100, 100, 50):
        page = user.get(path, params={"after": after} if after else {}).json()
        assert page["count"] == len(page["interactions"]) == expected
        seen += [entry["agent"] for entry in page["interactions"]]
        after = page["after"]
    assert seen == [str(i) for i in range(250)] and not page["more"]
    # later, what came after that
    none = user.get(path, params={"after": after}).json()
    assert (none["count"], none["after"], none["more"]) == (0, after, False)
    user.post(path, json={"agent": "late"})
    late = user.get(path, params={"after": after, "limit": 1}).json()
    assert [entry["agent"] for entry in late["interactions"]] == ["late"]


def test_interactions_are_appended_once(user):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/interactions"
    headers = {"Idempotency-Key": "step-7"}
    for _ in range(3):
        answer = user.post(path, json=[{"agent": "a"}, {"agent": "b"}], headers=headers)
        assert answer.status_code == 201 and answer.json()["appended"] == 2
    assert user.get(path).json()["count"] == 2
    assert_problem(user.post(path, json={"agent": "a"}, headers={"Idempotency-Key": "k" * 256}),
                   400, "header_invalid")


@pytest.mark.parametrize("body,expected", [
    ({}, {"/agent": "required"}),
    ({"agent": ""}, {"/agent": "too_short"}),
    ({"agent": "x", "timestamp": "noon"}, {"/timestamp": "not_a_time"}),
    (1, {"": "wrong_type"}),
    ([{"agent": "x"}, 1, {"agent": 2}], {"/1": "wrong_type", "/2/agent": "wrong_type"}),
    ({"interactions": [{"status": 1}]},
     {"/interactions/0/agent": "required", "/interactions/0/status": "wrong_type"}),
    pytest.param([{"agent": "x", "y": "z" * (1 << 20)}], {"/0": "too_long"},
                 marks=pytest.mark.server(whole_bodies=True)),
])
def test_interactions_refuse(user, body, expected):
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/interactions"
    problem = assert_problem(user.post(path, json=body), 422, "validation_failed")
    assert faults(problem) == expected
    assert user.get(path).json()["count"] == 0


@pytest.mark.server(whole_bodies=True)
def test_too_many_interactions(user, anonymous):
    limits = anonymous.get("/limits").json()
    campaign_id = user.create()
    path = f"/campaigns/{campaign_id}/interactions"
    many = [{"agent": "a"}] * limits["interactions_per_request"]
    assert user.post(path, json=many).json()["appended"] == len(many)
    assert_problem(user.post(path, json=many + [{"agent": "a"}]), 413, "too_many_interactions")
    heavy = [{"agent": "a", "m": "x" * 60000}] * (limits["interactions_bytes_per_request"] // 60000)
    assert user.post(path, json=heavy).status_code == 201
    assert_problem(user.post(path, json=heavy * 2), 413, "too_many_interactions")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2",
                                   "after=zz", "after=%ff", "after=" + "1" * 2000, "limit=-1"])
def test_interactions_with_a_bad_query(user, query):
    campaign_id = user.create()
    assert_problem(user.get(f"/campaigns/{campaign_id}/interactions?{query}"), 400,
                   "query_invalid")


# ---- fail ----

@pytest.mark.parametrize("error", ["the model gave no answer", {"agent": "x", "code": 1.50}])
def test_fail_keeps_what_was_there(user, error):
    campaign_id = user.create(mine="kept")
    user.post(f"/campaigns/{campaign_id}/progress", json={"current_step": 1})
    user.post(f"/campaigns/{campaign_id}/interactions", json={"agent": "x"})
    answer = user.post(f"/campaigns/{campaign_id}/fail", json={"error": error})
    assert answer.json() == {"campaign_id": campaign_id, "status": "failed"}
    record = user.get(f"/campaigns/{campaign_id}").json()
    assert (record["status"], record["error"], record["mine"], record["final_state"]) \
        == ("failed", error, "kept", None)
    assert record["progress_log"]["current_step"] == 1 and record["agent_interactions"]
    assert TIME.fullmatch(record["completed_at"])
    # the same again is done; anything else is too late
    assert user.post(f"/campaigns/{campaign_id}/fail", json={"error": error}).status_code == 200
    for path, body in (("fail", {"error": "other"}), ("progress", {}),
                       ("interactions", {"agent": "x"}), ("complete", {"final_state": {}})):
        assert_problem(user.post(f"/campaigns/{campaign_id}/{path}", json=body), 409,
                       "campaign_not_running")
    again = user.get(f"/campaigns/{campaign_id}").json()
    assert again["updated_at"] == record["updated_at"]


@pytest.mark.parametrize("body,code", [({}, "required"), ({"error": None}, "required"),
                                       ({"error": 3}, "wrong_type"), ({"error": ["x"]}, "wrong_type"),
                                       ({"error": "x" * 65536}, "too_long")])
def test_fail_refuses(user, body, code):
    campaign_id = user.create()
    problem = assert_problem(user.post(f"/campaigns/{campaign_id}/fail", json=body), 422,
                             "validation_failed")
    assert faults(problem) == {"/error": code}


# ---- lists ----

@pytest.fixture
def lister(stack):
    """A user with campaigns of their own alone."""
    client = Client(stack, stack.token(f"lister-{utc()}"))
    yield client
    client.close()


def test_lists_in_the_seed_documents_shape(stack, lister, admin):
    done = lister.create(name="Done deal")
    assert lister.complete(done, execution_time=200.5).status_code == 200
    running = lister.create(name="Still running")
    for path in ("/campaigns?urls=true", "/campaigns/aws/list"):
        page = lister.get(path).json()
        assert [entry["campaign_id"] for entry in page["campaigns"]] == [running, done]
        assert (page["total"], page["next_cursor"]) == (2, None)
        assert page["user_id"] == page["campaigns"][0]["user_id"]
        assert TIME.fullmatch(page["urls_expire_at"])
        first, last = page["campaigns"]
        assert first["s3_urls"] == dict.fromkeys(("website", "pdf", "artifacts", "metadata"))
        assert last["campaign_name"] == "Done deal" and last["status"] == "completed"
        assert last["execution_time"] == 200.5
        for url in last["s3_urls"].values():
            assert url.startswith(stack.store.links_start)
    for path in ("/campaigns", "/campaigns/aws/list?urls=false"):
        plain = lister.get(path).json()
        assert "urls_expire_at" not in plain
        assert plain["campaigns"] == [
            {name: value for name, value in entry.items() if name != "s3_urls"}
            for entry in page["campaigns"]]
    assert lister.get("/campaigns?urls=1").status_code == 400
    theirs = admin.get("/campaigns", params={"user_id": page["user_id"]}).json()
    assert [entry["campaign_id"] for entry in theirs["campaigns"]] == [running, done]


def test_lists_in_pages_with_filters(lister):
    ids = [lister.create(name=f"{'Launch' if i % 3 else 'Other'} {i}") for i in range(25)]
    for failed in ids[::5]:
        lister.post(f"/campaigns/{failed}/fail", json={"error": "x"})

    def all_of(**query):
        seen, cursor = [], None
        for _ in range(40):
            page = lister.get("/campaigns",
                              params={**query, **({"cursor": cursor} if cursor else {})}).json()
            assert len(page["campaigns"]) <= query.get("limit", 50)
            seen += [entry["campaign_id"] for entry in page["campaigns"]]
            cursor = page["next_cursor"]
            assert cursor is None or re.fullmatch(r"[\w.~-]+", cursor), "not for an URL as it is"
            ended = cursor is None and not {"status", "q"} & set(query)
            assert page["total"] == (25 if ended or query.get("total") == "true" else None)
            if cursor is None:
                return seen
        raise AssertionError("the list does not end")

    newest_first = ids[::-1]
    assert all_of() == newest_first
    assert all_of(limit=7) == newest_first
    assert all_of(limit=1) == newest_first
    assert all_of(limit=25) == newest_first
    assert all_of(limit=7, total="true") == newest_first
    assert all_of(limit=7, total="false") == newest_first
    failed = set(ids[::5])
    assert all_of(status="failed", limit=2) == [i for i in newest_first if i in failed]
    assert all_of(status="running", limit=3) == [i for i in newest_first if i not in failed]
    assert all_of(status="completed") == []
    launches = [i for n, i in enumerate(ids) if n % 3]
    assert all_of(q="lAUNCH", limit=4) == launches[::-1]
    assert all_of(q="launch", status="failed") == [i for i in newest_first
                                                   if i in failed and i in launches]
    assert all_of(q="no such name") == []
    assert all_of(q="no such name", total="true") == []


def test_a_campaign_is_listed_and_found_at_once(lister):
    for _ in range(5):
        campaign_id = lister.create()
        assert lister.get(f"/campaigns/{campaign_id}").status_code == 200
        assert lister.get("/campaigns?limit=1").json()["campaigns"][0]["campaign_id"] == campaign_id


@pytest.mark.parametrize("query", [
    "limit=0", "limit=101", "limit=ten", "limit=1.5", "status=done", "status=deleting", "cursor=x",
    "cursor=" + "A" * 5000, "q=" + "a" * 300, "q=a&q=b", "user_id=" + "a" * 200, "total=1",
    "cursor=%2B.x", "cursor=%2B-1.x", "cursor=%2B99999999999999999999.x", "cursor=.",
])
def test_lists_with_a_bad_query(admin, query):
    assert_problem(admin.get(f"/campaigns?{query}"), 400, "query_invalid")


def test_a_cursor_of_another_user_shows_nothing_of_theirs(lister, other):
    for _ in range(3):
        lister.create()
    cursor = lister.get("/campaigns?limit=1").json()["next_cursor"]
    answer = other.get("/campaigns", params={"cursor": cursor})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert all(entry["user_id"] == "bob" for entry in answer.json()["campaigns"])


# ---- statistics ----

def test_statistics_follow_every_change(stack, admin, user):
    def stats():
        return admin.get("/campaigns/aws/stats").json()["aws_stats"]

    before = stats()
    assert list(before) == ["total_campaigns", "status_counts", "completed_campaigns",
                            "average_execution_time", "total_execution_time"]
    done, failed, running = (user.create() for _ in range(3))
    user.complete(done, execution_time=198.5)
    user.post(f"/campaigns/{failed}/fail", json={"error": "x"})
    after = stats()
    counts = {name: after["status_counts"][name] - before["status_counts"][name]
              for name in ("completed", "running", "failed")}
    assert counts == {"completed": 1, "running": 1, "failed": 1}
    assert after["total_campaigns"] - before["total_campaigns"] == 3
    assert after["completed_campaigns"] == after["status_counts"]["completed"]
    assert after["total_execution_time"] - before["total_execution_time"] == pytest.approx(198.5)
    assert after["average_execution_time"] == pytest.approx(
        after["total_execution_time"] / after["completed_campaigns"], abs=1e-5)
    for campaign_id in (done, failed, running):
        admin.delete(f"/campaigns/{campaign_id}/aws")
    assert stats() == before


def test_deletes_at_once_count_once(stack, admin):
    """Each says that it is gone, or that there is none, whoever did it, while others change it."""
    def stats():
        return admin.get("/campaigns/aws/stats").json()["aws_stats"]

    def do(method, path, **body):
        client = Client(stack, stack.token("hasty"))
        status = client.request(method, path, **body).status_code
        client.close()
        return status

    hasty = Client(stack, stack.token("hasty"))
    before = stats()
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            campaign_id = hasty.create()
            path = f"/campaigns/{campaign_id}"
            changes = [pool.submit(do, "POST", f"{path}/progress", json={"current_step": 1}),
                       pool.submit(do, "POST", f"{path}/fail", json={"error": "x"})]
            deletes = [pool.submit(do, "DELETE", f"{path}/aws") for _ in range(4)]
            assert {change.result() for change in changes} <= {200, 404, 409}
            done = [delete.result() for delete in deletes]
            assert 200 in done and set(done) <= {200, 404}, done
            assert_problem(hasty.delete(f"{path}/aws"), 404, "campaign_not_found")
    assert stats() == before
    hasty.close()


def test_an_execution_time_with_an_exponent_counts(admin, user):
    before = admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_execution_time"]
    campaign_id = user.create()
    answer = user.post(f"/campaigns/{campaign_id}/complete", headers=JSON,
                       data=b'{"final_state":{},"execution_time":2.5e2}')
    assert answer.status_code == 200 and b'"execution_time":2.5e2' in answer.content
    after = admin.get("/campaigns/aws/stats").json()["aws_stats"]["total_execution_time"]
    assert after - before == pytest.approx(250)


# ---- the end of a campaign ----

def test_an_expired_campaign_vanishes_at_the_second(user):
    for seconds in (2, 8, 32):  # enough for its life, however long that takes here
        end = utc(seconds=seconds)
        answers = [user.post("/campaigns", json={
            "campaign_name": "Short", "campaign_brief": {"product": "Tea"}, "expires_at": end})]
        campaign_id = answers[0].json().get("campaign_id")
        answers += [user.complete(campaign_id), user.get(f"/campaigns/{campaign_id}")]
        record = answers[-1].json()
        answers.append(user.get(record.get("s3_pdf_url", "/limits")))
        if utc() < end:
            break
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    wait_for(lambda: utc() >= record["expires_at"], "the end of the campaign")
    assert_problem(user.get(f"/campaigns/{campaign_id}"), 404, "campaign_not_found")
    for path in READS[1:]:
        assert_problem(user.get(f"/campaigns/{campaign_id}{path}"), 404)
    assert campaign_id not in user.get("/campaigns").text
    assert_problem(user.post(f"/campaigns/{campaign_id}/progress", json={}), 404)
    assert_problem(user.delete(f"/campaigns/{campaign_id}/aws"), 404)


def test_delete_gives_a_receipt(stack, user, admin):
    campaign_id = user.create()
    user.post(f"/campaigns/{campaign_id}/interactions", json=[{"agent": "a"}, {"agent": "b"}])
    user.put(f"/campaigns/{campaign_id}/files/a.txt", data=b"a" * 1000)
    answer = user.complete(campaign_id)
    sizes = sum(file["size"] for file in answer.json()["files"].values())
    receipt = user.delete(f"/campaigns/{campaign_id}/aws")
    assert receipt.status_code == 200
    # on AWS a process that remembers nothing counts the two as the one item that they are
    forgetful = stack.server.name == "cgi" and not stack.store.links_are_ours
    assert receipt.json() == {
        "campaign_id": campaign_id,
        "deletion_results": {
            "s3": {"success": True, "objects_deleted": 5, "versions_deleted": 5,
                   "bytes_deleted": sizes, "left": 0},
            "dynamodb": {"success": True, "items_deleted": 2 if forgetful else 3},
        },
        "message": "Campaign deletion completed",
    }
    for client in (user, admin):
        assert_problem(client.delete(f"/campaigns/{campaign_id}/aws"), 404, "campaign_not_found")
        assert_problem(client.get(f"/campaigns/{campaign_id}"), 404, "campaign_not_found")
    gone = user.get(answer.json()["s3_pdf_url"])
    if stack.store.links_are_ours:
        assert_problem(gone, 404)
    assert gone.status_code in (403, 404) and b"%PDF" not in gone.content
    assert_problem(user.delete("/campaigns/never-was/aws"), 404, "campaign_not_found")


def test_a_running_campaign_can_be_deleted(user):
    campaign_id = user.create()
    upload = user.post(f"/campaigns/{campaign_id}/uploads",
                       json={"target": "pdf", "size": 10}).json()["upload_id"]
    user.put(f"/campaigns/{campaign_id}/uploads/{upload}/parts/1", data=b"0123456789")
    receipt = user.delete(f"/campaigns/{campaign_id}/aws").json()
    assert receipt["deletion_results"]["s3"]["success"]
    assert receipt["deletion_results"]["s3"]["objects_deleted"] == 1
    assert_problem(user.complete(campaign_id), 404, "campaign_not_found")
