"""What the web server does by itself, with its configuration as it is shipped: TLS,
the Authorization header, limits, errors, and the sending of the store's objects."""

import http.client
import json
import os
import pathlib
import socket
import ssl

import pytest

from client import Client, assert_problem

HSTS = "max-age=63072000"


# ---- raw requests, for what no well-behaved client sends ----

def tls_socket(stack, minimum=None, maximum=None, protocols=None):
    context = ssl.create_default_context(cafile=stack.ca)
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
        # OpenSSL offers the versions before 1.2 at its lowest level alone
        context.set_ciphers("ALL:@SECLEVEL=0")
    if protocols:
        context.set_alpn_protocols(protocols)
    plain = socket.create_connection(("127.0.0.1", stack.port), timeout=60)
    return context.wrap_socket(plain, server_hostname="localhost")


class Answer:
    """Status, headers and body of an http.client response, as requests has them."""

    def __init__(self, response):
        self.status_code = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    def json(self):
        return json.loads(self.text)


def raw(stack, head, body=b""):
    """Sends these very bytes ("GET / HTTP/1.1", header lines) and reads the answer."""
    with tls_socket(stack) as connection:
        lines = head if isinstance(head, bytes) else "\r\n".join(head).encode() + b"\r\n\r\n"
        connection.sendall(lines + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response)


def get(stack, path, *headers):
    return raw(stack, [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers])


# ---- TLS ----

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_version_is_offered(stack, version):
    with tls_socket(stack, version, version) as connection:
        assert connection.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(stack, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls_socket(stack, version, version)


def test_http2_is_offered(stack):
    with tls_socket(stack, protocols=["h2", "http/1.1"]) as connection:
        assert connection.selected_alpn_protocol() == "h2"


@pytest.mark.server(tells_plain_http=True)
def test_plain_http_is_told_to_use_https(stack):
    connection = http.client.HTTPConnection("localhost", stack.port, timeout=60)
    connection.request("GET", "/api/v1/health")
    assert_problem(Answer(connection.getresponse()), 400, "tls_required")


@pytest.mark.parametrize("path", [
    "/api/v1/health", "/api/v1/campaigns",
    pytest.param("/nothing", marks=pytest.mark.server(answers_alone=True))])
def test_hsts_and_request_id_are_everywhere(stack, path):
    answer = get(stack, path)
    assert answer.headers.get_all("Strict-Transport-Security") == [HSTS]
    assert len(answer.headers.get_all("X-Request-Id")) == 1


def test_request_ids_differ(anonymous):
    ids = {anonymous.get(path).headers["X-Request-Id"]
           for path in ["/health", "/limits", "/campaigns", "/campaigns/x"] * 5}
    assert len(ids) == 20


def test_the_clients_request_id_is_not_taken(anonymous):
    answer = anonymous.get("/health", headers={"X-Request-Id": "chosen-by-the-client"})
    assert answer.headers["X-Request-Id"] != "chosen-by-the-client"


# ---- the Authorization header ----

PROTECTED = [
    ("GET", "/campaigns"), ("POST", "/campaigns"), ("GET", "/campaigns/x"),
    ("GET", "/campaigns/x/status"), ("POST", "/campaigns/x/progress"),
    ("POST", "/campaigns/x/interactions"), ("GET", "/campaigns/x/interactions"),
    ("PUT", "/campaigns/x/website"), ("GET", "/campaigns/x/website"), ("GET", "/campaigns/x/pdf"),
    ("PUT", "/campaigns/x/files/a.txt"), ("POST", "/campaigns/x/uploads"),
    ("PUT", "/campaigns/x/uploads/u/parts/1"), ("POST", "/campaigns/x/complete"),
    ("POST", "/campaigns/x/fail"), ("GET", "/campaigns/x/aws"), ("DELETE", "/campaigns/x/aws"),
    ("GET", "/campaigns/aws/list"), ("GET", "/campaigns/aws/stats"),
    ("GET", "/no-such-route"), ("GET", "/health/"), ("GET", "/healthy"), ("GET", "/signed"),
]


@pytest.mark.parametrize("method,path", PROTECTED)
def test_without_a_token_it_is_401(anonymous, method, path):
    answer = anonymous.request(method, path)
    assert_problem(answer, 401, "authorization_header_not_received")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/health", "/limits", "/openapi.json"])
def test_open_routes_need_no_token(anonymous, path):
    assert anonymous.get(path).status_code == 200


def test_options_needs_no_token(anonymous):
    assert anonymous.request("OPTIONS", "/campaigns").status_code in (200, 204)


@pytest.mark.parametrize("value", [
    "Bearer", "Bearer ", "Basic YWxpY2U6eA==", "bearer", "Token abc", "Bearer a b",
    "Bearer a,b", "Bearer abc, Bearer def", "Bearer \"abc\"", "Bearerabc", "abc", "Negotiate x",
    "Bearer ab%63", "Bearer a=b", "Bearer a\tb", "Digest username=\"alice\"",
])
def test_what_is_not_a_bearer_token_is_401(stack, value):
    answer = get(stack, "/api/v1/campaigns", f"Authorization: {value}")
    assert_problem(answer, 401, "authorization_header_malformed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_empty_header_counts_as_none(stack):
    answer = get(stack, "/api/v1/campaigns", "Authorization: ")
    assert_problem(answer, 401, "authorization_header_not_received")


def test_two_headers_are_refused(stack, user_token):
    line = f"Authorization: Bearer {user_token}"
    refusal = (400, "request_malformed") if stack.server.refuses_two_tokens else \
        (401, "authorization_header_malformed")
    for second in (line, "Authorization: Bearer x", "authorization: Basic x", "AUTHORIZATION: "):
        assert_problem(get(stack, "/api/v1/campaigns", line, second), *refusal)
        assert_problem(get(stack, "/api/v1/campaigns", second, line), *refusal)


def test_the_scheme_is_read_without_case(stack, user_token):
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = get(stack, "/api/v1/campaigns", f"Authorization: {scheme} {user_token}")
        assert answer.status_code == 200


def test_a_token_that_is_none_gets_as_far_as_the_service(stack):
    answer = get(stack, "/api/v1/campaigns", "Authorization: Bearer abc")
    assert_problem(answer, 401, "token_malformed")


# ---- identities that a client claims ----

CLAIMS = [
    "X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Forwarded-Email", "X-Auth-User",
    "X-Authenticated-User", "X-User", "X-User-Id", "X-Username", "X-Webauth-User",
    "X-Proxy-User", "X-Forwarded-Preferred-Username", "X-Auth-Request-User",
    "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Forwarded-Groups", "X-Remote-Groups",
    "X-Roles", "X-Role", "X-Admin", "X-Is-Admin", "X-Tenant", "X-Tenant-Id", "X-Org",
    "X-Organization", "X-Org-Id", "X-Sub", "X-Subject", "X-Jwt-Claim-Sub", "X-Jwt-Payload",
    "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data", "X-Goog-Authenticated-User-Email",
    "X-Ms-Client-Principal", "X-Ms-Client-Principal-Name", "X-Client-Cert", "X-Ssl-Client-S-Dn",
    "Ssl-Client-Verify", "X-Real-User", "X-Original-User", "X-Token-Sub", "X-Grafana-User",
    "Auth-User", "Auth-Type", "User", "Role", "Org", "Redirect-Remote-User",
    "Redirect-Http-Authorization", "Gateway-User", "Cf-Access-Authenticated-User-Email",
]


def spellings(header):
    return {header, header.replace("-", "_"), header.upper().replace("-", "_"), "HTTP-" + header,
            "http_" + header.lower()}


def test_claimed_identities_change_nothing(stack, user, other, admin):
    assert len(CLAIMS) >= 50
    mine = user.create()
    theirs = other.create()
    try:
        for header in CLAIMS:
            for value in ("bob", "admin"):
                lines = [f"{name}: {value}" for name in spellings(header)]
                # without a token: nobody
                assert_problem(get(stack, "/api/v1/campaigns", *lines), 401,
                               "authorization_header_not_received")
                # with one: still its user and no other
                bearer = f"Authorization: Bearer {stack.token('alice')}"
                assert_problem(get(stack, f"/api/v1/campaigns/{theirs}", bearer, *lines), 404)
                assert_problem(get(stack, "/api/v1/campaigns/aws/stats", bearer, *lines), 403)
                assert get(stack, f"/api/v1/campaigns/{mine}/status", bearer,
                           *lines).status_code == 200
    finally:
        admin.delete(f"/campaigns/{mine}/aws")
        admin.delete(f"/campaigns/{theirs}/aws")


def test_a_proxy_header_does_nothing(user):
    assert user.get("/campaigns", headers={"Proxy": "http://127.0.0.1:1/"}).status_code == 200


# ---- limits ----

@pytest.mark.server(whole_bodies=True)
def test_limits_are_those_of_the_site_file(anonymous):
    limits = json.dumps(anonymous.get("/limits").json())
    assert str(32 << 20) in limits and str(2 << 30) in limits and str(96 << 10) in limits


@pytest.mark.server(body_bytes=131072)
def test_limits_are_those_of_the_host(anonymous, stack, user_token):
    limits = anonymous.get("/limits").json()
    assert limits["body_bytes"] == stack.server.body_bytes
    assert limits["part_bytes"] < limits["body_bytes"]
    head = ["POST /api/v1/campaigns HTTP/1.1", "Host: localhost",
            f"Authorization: Bearer {user_token}"]
    answer = raw(stack, [*head, f"Content-Length: {stack.server.body_bytes + 1}"])
    assert_problem(answer, 413, "body_too_large")
    assert_problem(raw(stack, [*head, "Transfer-Encoding: chunked"], b"0\r\n\r\n"), 411,
                   "length_required")


@pytest.mark.parametrize("path,size", [
    ("/campaigns", (32 << 20) + 1),
    ("/campaigns/x/complete", (32 << 20) + 1),
    ("/campaigns/x/website", (2 << 30) + 1),
    ("/campaigns/x/files/a.bin", (2 << 30) + 1),
])
def test_too_large_a_body_is_413_before_it_is_sent(stack, user_token, path, size):
    method = "PUT" if "website" in path or "files" in path else "POST"
    answer = raw(stack, [f"{method} /api/v1{path} HTTP/1.1", "Host: localhost",
                         f"Authorization: Bearer {user_token}", f"Content-Length: {size}"])
    assert_problem(answer, 413, "body_too_large")


@pytest.mark.server(answers_alone=True)
def test_too_long_an_address_is_414(stack):
    answer = get(stack, "/api/v1/campaigns?q=" + "a" * 20000)
    assert_problem(answer, 414, "uri_too_long")


@pytest.mark.server(answers_alone=True)
def test_too_large_a_header_is_refused(stack):
    answer = get(stack, "/api/v1/health", "X-Large: " + "a" * 20000)
    assert_problem(answer, *stack.server.large_header)


@pytest.mark.server(takes_64k_of_headers=True)
def test_many_headers_are_431(stack):
    answer = get(stack, "/api/v1/health", *(f"X-Many-{i}: {'a' * 1000}" for i in range(100)))
    assert_problem(answer, 431, "headers_too_large")


@pytest.mark.server(answers_alone=True)
@pytest.mark.parametrize("head", [
    b"GET /api/v1/health HTTP/1.1\r\n\r\n",
    b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET api HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api/v1/campaigns HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
])
def test_malformed_http_is_400(stack, head):
    assert_problem(raw(stack, head), 400, "request_malformed")


@pytest.mark.server(answers_alone=True)
def test_a_nul_in_the_address_is_no_address(stack):
    answer = get(stack, "/%00")
    assert answer.status_code in (400, 404) and answer.json()["status"] == answer.status_code


def test_two_lengths_are_not_taken_for_one(stack, user_token):
    """RFC 9112 section 6.3: refused, or read as chunks with the connection closed behind."""
    answer = raw(stack, ["POST /api/v1/campaigns HTTP/1.1", "Host: localhost",
                         f"Authorization: Bearer {user_token}", "Content-Length: 1",
                         "Transfer-Encoding: chunked"], b"0\r\n\r\nGET / HTTP/1.1\r\n")
    assert answer.status_code in (400, 411)
    assert "close" in answer.headers["Connection"]


@pytest.mark.server(answers_alone=True)
def test_elsewhere_is_404(anonymous, stack):
    for path in ("/", "/index.html", "/.env", "/_objects/campaigns/x", "/_problem/404"):
        answer = anonymous.get(f"{stack.base_url}{path}")
        assert_problem(answer, 404, "not_found")


@pytest.mark.server(limits_rate=True)
def test_rate_limit_is_429_and_says_when(make_stack):
    stack = make_stack(rate=1)  # three in a second are too many
    client = Client(stack)
    for _ in range(100):
        answer = client.get("/limits")
        if answer.status_code == 429:
            break
    client.close()
    assert_problem(answer, 429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.server(supervised=True)
def test_without_the_service_it_is_502(make_stack):
    stack = make_stack()
    stack.stop_campaignd()
    client = Client(stack)
    answer = client.get("/health")
    assert_problem(answer, 502, "service_unreachable")
    assert int(answer.headers["Retry-After"]) >= 1
    client.close()


# ---- objects that nginx sends ----

@pytest.fixture
def website(stack, user, admin):
    """Path of a completed campaign's website, followed to where its bytes are."""
    campaign_id = user.completed()
    yield f"/campaigns/{campaign_id}/website"
    admin.delete(f"/campaigns/{campaign_id}/aws")


@pytest.mark.store(objects_are_files=True)
def test_objects_keep_the_headers_of_the_service(stack, user, website):
    answer = user.get(website)
    assert answer.status_code == 200
    headers = answer.raw.headers
    for name in ("Content-Type", "Content-Length", "ETag", "X-Request-Id",
                 "Content-Security-Policy", "X-Content-Type-Options", "Cache-Control",
                 "Strict-Transport-Security", "Accept-Ranges"):
        assert len(headers.getlist(name)) == 1, f"{name}: {headers.getlist(name)}"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["ETag"].startswith('"')
    assert "X-Accel-Redirect" not in answer.headers
    assert str(stack.folder) not in str(answer.headers)


@pytest.mark.store(objects_are_files=True)
def test_objects_honour_ranges_and_validators(user, website):
    whole = user.get(website)
    etag = whole.headers["ETag"]

    def get(**headers):
        return user.get(website,
                        headers={name.replace("_", "-"): value for name, value in headers.items()})

    part = get(Range="bytes=5-14")
    assert part.status_code == 206
    assert part.content == whole.content[5:15]
    assert part.headers["Content-Range"] == f"bytes 5-14/{len(whole.content)}"
    assert get(Range="bytes=5-14", If_Range=etag).status_code == 206
    assert get(Range="bytes=5-14", If_Range='"other"').status_code == 200
    assert get(If_None_Match=etag).status_code == 304
    assert get(If_None_Match='"other"').content == whole.content
    assert get(If_Match=etag).status_code == 200
    assert get(If_Match='"other"').status_code == 412
    beyond = get(Range=f"bytes={len(whole.content)}-")
    assert_problem(beyond, 416)
    assert beyond.headers["Content-Range"] == f"bytes */{len(whole.content)}"
    assert len(beyond.raw.headers.getlist("X-Request-Id")) == 1
    head = user.head(website)
    assert head.headers["Content-Length"] == str(len(whole.content)) and head.content == b""


@pytest.mark.store(objects_are_files=True)
def test_a_link_in_place_of_an_object_is_not_followed(stack, user, website):
    outside = stack.folder / "outside.html"
    outside.write_text("SECRET OUTSIDE")
    content = user.get(website).content
    replaced = 0
    for path in pathlib.Path(stack.folder / "data/objects").rglob("*"):
        if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
            path.unlink()
            os.symlink(outside, path)
            replaced += 1
    assert replaced >= 1
    answer = user.get(website)
    assert answer.status_code >= 400
    assert "SECRET" not in answer.text
