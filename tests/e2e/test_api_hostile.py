"""What nobody should send: hostile ids in every place where one goes, tokens that
are none, methods and addresses that are not there."""

import base64
import hashlib
import hmac
import json
import random
import time

import jwt
import pytest

from client import Client, assert_problem
from test_edge import tls_socket

SEEDS = [
    "..", ".", "...", "../..", "../../etc/passwd", "..\\..\\etc\\passwd", "%2e", "%2e%2e", "%2E%2e",
    "%252e%252e", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "..%5c", "%c0%ae%c0%ae", "%c0%af",
    "%e0%80%af", "%f0%80%80%af", "..%c0%af", "%u002e", "a%00", "%00", "a%00.html", "%0a", "%0d%0a",
    "a%23b", "a%3fb", "%3f", "%23", "a;b", ";", "a b", "%20", "+", "a+b", "~", "~root", "$HOME",
    "${IFS}", "`id`", "$(id)", "|id", "&", "a&b", "*", "?", "a:b", "C:", "file:%2f%2f%2fetc",
    "-", "_", "-rf", "--help", "_a", ".htaccess", ".git", ".env", "a.b",
    "'", "\"", "' OR 1=1--", "%27%20OR%201%3D1", "\"; DROP TABLE record;--", "{}", "{id}", "[]",
    "<script>", "%3Cscript%3E", "\u202e", "%ef%bb%bf", "%ed%a0%80", "%ff", "%80", "é", "%C3%A9",
    "a" * 129, "a" * 1000, "%61" * 10, "#idempotency/x", "%23idempotency%2fx", "%23upload%2fa",
    "campaigns/x", "x/", "/x", "//", "x//y", "/etc/passwd", "%2fetc%2fpasswd", "\x7f", "%7f",
]
PLACES = ["/campaigns/{}", "/campaigns/{}/status", "/campaigns/{}/pdf", "/campaigns/{}/aws",
          "/campaigns/{}/interactions", "/campaigns/{}/files/a.txt", "/campaigns/x/files/{}",
          "/campaigns/{}/uploads/0123456789abcdef01234567", "/campaigns/x/uploads/{}",
          "/signed/campaigns/{}/pdf/campaign_report.pdf?version=1&expires=1&signature=1",
          "/signed/{}"]


def corpus(count):
    """Ids that no campaign can have, always the same."""
    generator = random.Random(20241201)
    alphabet = ["..", "/", "%2e", "%2f", "%5c", "%00", "%c0%ae", "#", "?", "\\", "a", "1", "%", "%zz",
                "%252f", ";", " ", "\t", "\u202e", "\u00e9", "%ff", "~", "*", "\"", "'"]
    ids = list(SEEDS)
    while len(ids) < count:
        base = generator.choice(SEEDS)
        cut = generator.randrange(len(base) + 1)
        ids.append(base[:cut] + "".join(generator.choices(alphabet, k=generator.randint(1, 6)))
                   + base[cut:])
    return ids


def file_tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")
            if not path.name.endswith(("-wal", "-shm"))}


def test_ten_thousand_hostile_ids(stack, user):
    """As they are, on one connection: 400 or 404, whatever nginx makes of them first,
    and nothing outside of the store is shown or made."""
    campaign_id = user.completed()
    secret = stack.folder / "outside.txt"
    secret.write_text("SECRET OUTSIDE")
    before = file_tree(stack.folder / "data")
    token = stack.token("alice")
    wrong, statuses, connection, stream = [], set(), None, None
    for number, hostile in enumerate(corpus(10000)):
        place = PLACES[number % len(PLACES)]
        target = "/api/v1" + place.replace("{}", hostile)
        head = (f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
        if connection is None:
            connection = tls_socket(stack)
            stream = connection.makefile("rb")
        connection.sendall(head.encode("utf-8", "surrogateescape"))
        status, closes, body = read_answer(stream)
        statuses.add(status)
        # what nginx decodes and cuts at a "?" may become a public address
        if status not in (400, 403, 404, 414) or b"SECRET" in body or b"root:" in body:
            wrong.append((target[:120], status, body[:80]))
        if closes:
            connection.close()
            connection = None
    if connection:
        connection.close()
    # 403 is a signed link without its signature; a list is what a cut id leaves
    assert [row for row in wrong if not is_a_real_address(row, campaign_id)] == []
    assert {400, 404} <= statuses
    assert file_tree(stack.folder / "data") == before
    assert user.get(f"/campaigns/{campaign_id}/pdf").status_code == 200
    secret.unlink()


def is_a_real_address(row, campaign_id):
    """GET /campaigns?... and the like, where a hostile id ended the path."""
    target, status, body = row
    path = target.removeprefix("/api/v1").split("?")[0].split("#")[0]
    return status == 200 and path.rstrip("/") == "/campaigns" and b'"campaigns":[' in body


def read_answer(stream):
    status = int(stream.readline().split()[1])
    length, closes = 0, False
    while (line := stream.readline().strip()):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        closes = closes or (name.lower() == b"connection" and b"close" in value.lower())
    return status, closes, stream.read(length)


@pytest.mark.parametrize("hostile", [seed for seed in SEEDS if len(seed) < 200 and seed])
def test_hostile_ids_are_not_taken(user, hostile):
    problem = assert_problem(user.post("/campaigns", json={
        "campaign_name": "x", "campaign_brief": {}, "campaign_id": hostile}), 422)
    assert problem["errors"][0]["pointer"] == "/campaign_id"


def test_what_is_no_id_is_told_without_it(user):
    problem = assert_problem(user.get("/campaigns/_x"), 404, "campaign_not_found")
    assert problem["detail"] == "there is no campaign of that name among yours"


# ---- methods and addresses ----

@pytest.mark.parametrize("method,path,allow", [
    ("PATCH", "/campaigns", "POST, GET, HEAD, OPTIONS"), ("DELETE", "/campaigns/x", "GET, HEAD, OPTIONS"),
    ("PUT", "/campaigns/x/aws", "GET, HEAD, DELETE, OPTIONS"), ("POST", "/health", "GET, HEAD, OPTIONS"),
    ("GET", "/campaigns/x/complete", "POST, OPTIONS"), ("POST", "/campaigns/x/website", "PUT, GET, HEAD, OPTIONS"),
    ("BREW", "/limits", "GET, HEAD, OPTIONS"),
])
def test_another_method_is_405_with_allow(user, method, path, allow):
    answer = user.request(method, path)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow
    options = user.request("OPTIONS", path)
    assert (options.status_code, options.headers["Allow"], options.content) == (204, allow, b"")


@pytest.mark.parametrize("path", ["/", "/nothing", "/campaigns/", "/campaigns/x/", "/campaigns/x/nothing",
                                  "/campaigns//status", "/health/x", "/campaigns/x/files/",
                                  "/campaigns/x/uploads/", "/campaigns/x/files/a/b"])
def test_another_address_is_404(user, path):
    for method in ("GET", "POST", "OPTIONS"):
        assert_problem(user.request(method, path), 404, "route_not_found")


def test_head_is_get_without_a_body(user, anonymous):
    campaign_id = user.create()
    for client, path in ((anonymous, "/health"), (anonymous, "/limits"), (user, "/campaigns"),
                         (user, f"/campaigns/{campaign_id}"), (user, f"/campaigns/{campaign_id}/status")):
        answer = client.head(path)
        assert answer.status_code == 200 and answer.content == b""
        assert int(answer.headers["Content-Length"]) > 0
    missing = user.head("/campaigns/none")
    assert missing.status_code == 404 and missing.content == b""


# ---- tokens ----

def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_of(secret, header=None, **claims):
    """A token with any header, rightly signed by HS256."""
    body = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    return f"{body}.{part(hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest())}"


def tokens(secret):
    now = int(time.time())
    good = {"sub": "alice", "exp": now + 600}
    return {
        "token_malformed": ["xyz", "a.b", "a.b.c", "..", "a.b.c.d", token_of(secret, **good) + "x."],
        "token_signature_invalid": [token_of("x" * 64, **good), jwt.encode(good, "y" * 64)],
        "token_algorithm_refused": [
            f"{part({'alg': 'none'})}.{part(good)}.", jwt.encode(good, secret, algorithm="HS384"),
            token_of(secret, {"alg": "RS256"}, **good), token_of(secret, {"alg": "hs256"}, **good)],
        "token_header_refused": [
            token_of(secret, {"alg": "HS256", "jku": "https://localhost/x"}, **good),
            token_of(secret, {"alg": "HS256", "jwk": {}}, **good),
            token_of(secret, {"alg": "HS256", "typ": "dpop+jwt"}, **good)],
        "token_expired": [token_of(secret, sub="alice", exp=now - 60)],
        "token_not_yet_valid": [token_of(secret, **good, nbf=now + 600)],
        "token_claim_missing": [
            token_of(secret, sub="alice"), token_of(secret, exp=now + 600),
            token_of(secret, sub="", exp=now + 600), token_of(secret, sub="x" * 129, exp=now + 600),
            token_of(secret, sub="alice", exp="soon"), token_of(secret, sub=7, exp=now + 600)],
    }


CODES = sorted(tokens("x" * 64))


@pytest.mark.parametrize("code", CODES)
def test_bad_tokens_are_told_apart(stack, code):
    for token in tokens(stack.secret)[code]:
        client = Client(stack, token)
        answer = client.get("/campaigns")
        problem = assert_problem(answer, 401)
        # what is no token at all is nginx's to refuse
        allowed = {code, "authorization_header_malformed"} if code == "token_malformed" else {code}
        assert problem["code"] in allowed, (token, problem)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert token not in answer.text and stack.secret not in answer.text
        client.close()
    assert stack.secret not in stack.log_text()


def test_a_good_token_of_that_making_is_taken(stack):
    client = Client(stack, token_of(stack.secret, sub="alice", exp=int(time.time()) + 60))
    assert client.get("/campaigns").status_code == 200
    client.close()


def test_issuer_and_audience(make_stack):
    stack = make_stack(settings={"JWT_ISSUER": "https://issuer.example.com", "JWT_AUDIENCE": "campaigns"})
    right = {"iss": "https://issuer.example.com", "aud": ["other", "campaigns"]}
    for claims, code in ((right, None), ({**right, "iss": "x"}, "token_issuer_refused"),
                         ({"aud": "campaigns"}, "token_issuer_refused"),
                         ({**right, "aud": "other"}, "token_audience_refused"),
                         ({"iss": right["iss"]}, "token_audience_refused")):
        client = Client(stack, stack.token("alice", **claims))
        answer = client.get("/campaigns")
        if code is None:
            assert answer.status_code == 200
        else:
            assert_problem(answer, 401, code)
        client.close()


def test_no_secret_and_no_path_gets_out(stack, user, anonymous):
    campaign_id = user.completed()
    answers = [anonymous.get("/health"), anonymous.get("/limits"), user.get("/campaigns"),
               user.get(f"/campaigns/{campaign_id}"), user.get(f"/campaigns/{campaign_id}/aws"),
               user.get("/campaigns/nothing"), user.post("/campaigns", data=b"{")]
    for answer in answers:
        assert stack.secret not in answer.text and str(stack.folder) not in answer.text
    log = stack.log_text()
    assert stack.secret not in log and "signature=" not in log
    assert user.session.headers["Authorization"].split()[1] not in log
