"""A client of the API, with the few shorthands that most tests need."""

import json
import re

import requests

import document

PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


class Client:
    """Speaks as one user. Paths are below /api/v1 ("/campaigns")."""

    def __init__(self, stack, token=None, timeout=60):
        self.stack = stack
        self.timeout = timeout
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = stack.ca
        self.strangers = requests.Session()
        self.strangers.trust_env = False
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
