"""A client of the API, with the few shorthands that most tests need."""

import hashlib
import json
import re
import time

import requests

import document

EVERYWHERE_BYTES = 98304
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


class Session(requests.Session):
    """Never asks on a connection that has been idle for long: its server may close it in the
    very moment at which a request comes, which is nobody's fault and has no answer. The
    shortest time that a server of these tests keeps one is Apache's usual 5 s."""

    IDLE_SECONDS = 2.0

    def __init__(self):
        super().__init__()
        self.trust_env = False
        self.used = time.monotonic()

    def send(self, request, **options):
        if time.monotonic() - self.used > self.IDLE_SECONDS:
            self.close()  # what it has kept; it goes on with new ones
        try:
            return super().send(request, **options)
        finally:
            self.used = time.monotonic()


class Client:
    """Speaks as one user. Paths are below /api/v1 ("/campaigns")."""

    def __init__(self, stack, token=None, timeout=60):
        self.stack = stack
        self.timeout = timeout
        self.limits = None
        self.session = Session()
        self.session.verify = stack.ca
        self.strangers = Session()
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def url(self, path):
        return f"{self.stack.base_url}/api/v1{path}" if path.startswith("/") else path

    def request(self, method, path, follow=True, **options):
        """The answer; of a redirection to another server what that answers, unless
        follow is False. Nobody else sees our token."""
        options.setdefault("timeout", self.timeout)
        url = self.url(path)
        if not url.startswith(self.stack.base_url + "/"):
            return self.strangers.request(method, url, **options)
        answer = self.session.request(method, url, allow_redirects=False, **options)
        if not options.get("stream"):
            document.check(answer)
        if follow and answer.status_code == 302:
            answer.close()
            return self.strangers.request(method, answer.headers["Location"], **options)
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def head(self, path, **options):
        return self.request("HEAD", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def put(self, path, **options):
        return self.request("PUT", path, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def close(self):
        self.session.close()
        self.strangers.close()

    # ---- uploads, as the limits ask for them ----

    def fits(self, body):
        """Whether it goes in one request; asked for at first need, since so much goes
        everywhere."""
        if not isinstance(body, bytes) or len(body) <= EVERYWHERE_BYTES:
            return True
        if self.limits is None:
            self.limits = self.get("/limits").json()
        return len(body) <= self.limits["body_bytes"]

    def upload(self, campaign_id, target, content, content_type=None):
        """In parts; the answer to the last request of it."""
        begun = self.post(f"/campaigns/{campaign_id}/uploads", json={
            "target": target, "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **({"content_type": content_type} if content_type else {})})
        if begun.status_code not in (200, 201):
            return begun
        upload = begun.json()
        path = f"/campaigns/{campaign_id}/uploads/{upload['upload_id']}"
        for number in range(upload["parts"]):
            part = content[number * upload["part_bytes"]:][:upload["part_bytes"]]
            sent = self.put(f"{path}/parts/{number + 1}", data=part)
            if sent.status_code != 200:
                return sent
        return self.post(f"{path}/complete")

    def put_artifact(self, campaign_id, target, content, content_type):
        """Whole where that is let through, else in parts."""
        if self.fits(content):
            return self.put(f"/campaigns/{campaign_id}/{target}", data=content,
                            headers={"Content-Type": content_type})
        return self.upload(campaign_id, target, content, content_type)

    # ---- the usual ways ----

    def create(self, name="Spring launch", brief=None, **members):
        """Creates a campaign and returns its id."""
        body = {
            "campaign_name": name,
            "campaign_brief": brief or {"campaign_name": name, "product": "Tea",
                                        "client": "Example Tea House"},
            **members,
        }
        answer = self.post("/campaigns", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["campaign_id"]

    def complete(self, campaign_id, final_state=b'{"artifacts":{"copy":"# Hello"}}', **members):
        """Completes it with these very bytes as its final state."""
        if not isinstance(final_state, bytes):
            final_state = json.dumps(final_state).encode()
        extra = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in members.items())
        body = b'{"final_state":' + final_state + extra.encode() + b"}"
        if not self.fits(body):
            upload = self.upload(campaign_id, "final_state", final_state)
            if upload.status_code != 200:
                return upload
            return self.post(f"/campaigns/{campaign_id}/complete", json={
                "final_state_upload": upload.json()["upload_id"], **members})
        return self.post(f"/campaigns/{campaign_id}/complete", data=body,
                         headers={"Content-Type": "application/json"})

    def completed(self, **members):
        """A fresh completed campaign's id."""
        campaign_id = self.create(**members)
        answer = self.complete(campaign_id)
        assert answer.status_code == 200, answer.text
        return campaign_id


def assert_problem(answer, status, code=None):
    """The answer is a whole problem of this status (and code); returns it."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    problem = answer.json()
    assert PROBLEM_MEMBERS <= problem.keys(), problem
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", problem["request_id"])
    assert problem["detail"] and problem["title"]
    if code is not None:
        assert problem["code"] == code, problem
    return problem
