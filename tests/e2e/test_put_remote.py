"""campaignctl with --url. put: the way is chosen by what the servers between let through,
what is lost on the way is sent again, and what has arrived is not."""

import hashlib
import http.server
import itertools
import json
import random
import re
import signal
import subprocess
import threading
import time

import pytest
import requests

from client import Client, Session
from support import children_of, wait_for

PDF_BYTES = 5 << 20
STATE_BYTES = 2_000_000
FRONT_LIMIT = 131072  # FcgidMaxRequestLen where nobody has set it


@pytest.fixture
def folder(tmp_path):
    """A campaign with a PDF of 5 MiB and a final state of 2 MB, as files."""
    noise = random.Random(5)
    path = tmp_path / "campaign"
    (path / "files").mkdir(parents=True)
    (path / "brief.json").write_text('{"campaign_name":"Thé vert","product":"Tea"}\n')
    (path / "interactions.json").write_text(json.dumps(
        [{"agent": f"agent {i}", "action": "wrote", "message": "x" * 900} for i in range(300)]))
    (path / "progress.json").write_text('{"current_step":3,"completed_steps":3,"total_steps":3}')
    filler = "".join(noise.choices("abcdefghijklmnop \\u00e9", k=STATE_BYTES)).replace("\\", "")
    state = json.dumps({"artifacts": {"copy": "# Hello"}, "log": filler, "exact": 0})
    (path / "final_state.json").write_text(state.replace('"exact": 0', '"exact": 1.50e+3'))
    (path / "report.pdf").write_bytes(b"%PDF-1.7\n" + noise.randbytes(PDF_BYTES))
    (path / "files" / "logo.png").write_bytes(b"\x89PNG" + noise.randbytes(200_000))
    (path / "files" / "note.txt").write_text("short")
    return path


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def remote(stack, command, *options, url=None, ca=True, token=None, as_json=True, **more):
    """campaignctl of nobody in particular, at the service's address."""
    arguments = ["--json"] * as_json + [command, "--url", url or f"{stack.base_url}/api/v1"]
    if ca:
        arguments += ["--ca-file", stack.ca]
    command = [stack.build / "campaignctl", *arguments, *options]
    environment = {**stack.environment(), "CAMPAIGNCTL_TOKEN": token or stack.token("alice")}
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, cwd=stack.folder,
                            env=environment, **more)


def put(stack, folder, *options, **more):
    return remote(stack, "put", *options, folder, **more)


def put_ok(*arguments, **options):
    process = put(*arguments, **options)
    out, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return json.loads(out)


def assert_whole(user, campaign_id, folder):
    """Every byte of the folder is there."""
    state = (folder / "final_state.json").read_bytes().strip()
    base = f"/campaigns/{campaign_id}"
    assert sha256(user.get(f"{base}/artifacts").content) == sha256(state)
    assert sha256(user.get(f"{base}/pdf").content) == sha256((folder / "report.pdf").read_bytes())
    for path in (folder / "files").iterdir():
        answer = user.get(f"{base}/files/{path.name}")
        assert answer.status_code == 200, answer.text
        assert sha256(answer.content) == sha256(path.read_bytes())
    seen, after = [], ""
    while True:
        page = user.get(f"{base}/interactions", params={"limit": 1000, "after": after}).json()
        seen += [entry["agent"] for entry in page["interactions"]]
        after = page["after"]
        if not page["more"]:
            break
    assert seen == [f"agent {i}" for i in range(300)]
    record = user.get(base).json()
    assert record["campaign_name"] == "Thé vert"
    assert record["progress_log"]["completed_steps"] == 3


def test_everything_arrives(stack, user, folder):
    answer = put_ok(stack, folder, "--execution-time", "12.5")
    assert answer["status"] == "completed" and not answer["replayed"]
    assert_whole(user, answer["campaign_id"], folder)
    assert user.get(f"/campaigns/{answer['campaign_id']}").json()["execution_time"] == 12.5


def test_repeat_changes_nothing(stack, user, folder):
    campaign_id = put_ok(stack, folder, "--id", "put-twice")["campaign_id"]
    record = user.get(f"/campaigns/{campaign_id}").json()
    again = put_ok(stack, folder, "--id", "put-twice")
    assert again["replayed"]
    same = user.get(f"/campaigns/{campaign_id}").json()
    assert same["files"] == record["files"] and same["updated_at"] == record["updated_at"]


def test_token_file(stack, user, folder, tmp_path):
    token = tmp_path / "token"
    token.write_text(stack.token("alice") + "\n")
    token.chmod(0o600)
    answer = put_ok(stack, folder, "--token-file", token, token="no-token")
    assert user.get(f"/campaigns/{answer['campaign_id']}/status").status_code == 200


@pytest.mark.server(supervised=True)
@pytest.mark.parametrize("told", [False, True], ids=["found out", "told by limits"])
def test_front_that_limits_bodies(make_stack, folder, told):
    """What LIMIT_BODY_BYTES says is never tried; without it, one refusal teaches."""
    stack = make_stack(settings={"LIMIT_BODY_BYTES": "98304"} if told else None)
    site = stack.server.folder / "campaignstore.conf"
    text, count = re.subn(r"client_max_body_size \w+;", f"client_max_body_size {FRONT_LIMIT};",
                          site.read_text())
    assert count > 0
    site.write_text(text)
    before = set(children_of(stack.server.process.pid))
    stack.server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not before & set(children_of(stack.server.process.pid)), "nginx's new workers")

    answer = put_ok(stack, folder)
    user = Client(stack, stack.token("alice"))
    assert_whole(user, answer["campaign_id"], folder)
    user.close()
    statuses = re.findall(r'" (\d{3}) ', (stack.server.folder / "access.log").read_text())
    assert statuses.count("413") == (0 if told else 1)


# ---- a front that misbehaves ----

class Front(http.server.ThreadingHTTPServer):
    """Passes requests on to the service; `fault(number, handler)` may answer first."""

    daemon_threads = True

    def __init__(self, stack, fault):
        self.stack, self.fault = stack, fault
        self.count = itertools.count(1)
        self.log = []
        super().__init__(("127.0.0.1", 0), FrontHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/api/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class FrontHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.session = Session()

    def finish(self):
        self.session.close()
        super().finish()

    def log_message(self, *_):
        pass

    def plain(self, status, **headers):
        """An answer of the front's own, which is no problem document."""
        body = b"<h1>Sorry</h1>"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def drop(self):
        self.close_connection = True
        return True

    def handle_any(self):
        number = next(self.server.count)
        self.server.log.append(f"{self.command} {self.path}")
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        if self.server.fault(number, self):
            return
        answer = self.session.request(
            self.command, self.server.stack.base_url + self.path, data=self.body,
            headers={k: v for k, v in self.headers.items() if k.lower() != "host"},
            verify=self.server.stack.ca, timeout=60, allow_redirects=False)
        if self.server.fault(-number, self):
            return
        self.send_response(answer.status_code)
        for name in ("Content-Type", "Retry-After"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_PUT = do_POST = do_DELETE = handle_any


def test_plain_500_for_big_bodies(stack, user, folder):
    """As mod_fcgid answers what is over FcgidMaxRequestLen."""
    def fault(number, handler):
        return number > 0 and len(handler.body) > FRONT_LIMIT and handler.plain(500)

    with Front(stack, fault) as front:
        answer = put_ok(stack, folder, url=front.url, ca=False)
    assert_whole(user, answer["campaign_id"], folder)


def test_faults_on_the_way(stack, user, folder):
    """Lost requests, lost answers, 503 with and without Retry-After: all arrives once."""
    def fault(number, handler):
        if number > 0 and len(handler.body) > FRONT_LIMIT:
            return handler.plain(413)
        if number > 0:
            return ((number % 11 == 3 and handler.drop())
                    or (number % 13 == 5 and handler.plain(503, Retry_After="0"))
                    or (number % 29 == 7 and handler.plain(502)))
        return -number % 9 == 4 and handler.drop()

    with Front(stack, fault) as front:
        answer = put_ok(stack, folder, url=front.url, ca=False)
    assert_whole(user, answer["campaign_id"], folder)


def test_retry_after_is_kept(stack, folder):
    times = []

    def fault(number, handler):
        if number > 0 and handler.path.endswith("/limits"):
            times.append(time.monotonic())
            return len(times) == 1 and handler.plain(503, Retry_After="2")
        return False

    with Front(stack, fault) as front:
        put_ok(stack, folder, url=front.url, ca=False)
    assert times[1] - times[0] >= 2


def test_goes_on_after_an_interruption(stack, user, folder):
    """A run that is killed between two parts; the next one sends only what lacks."""
    killed = threading.Event()

    def fault(number, handler):
        if number > 0 and len(handler.body) > FRONT_LIMIT:
            return handler.plain(413)
        if number > 0 and re.search(r"/parts/30$", handler.path) and not killed.is_set():
            process.kill()
            killed.set()
            return handler.drop()
        return False

    with Front(stack, fault) as front:
        process = put(stack, folder, "--id", "interrupted", url=front.url, ca=False)
        process.communicate(timeout=600)
        assert killed.is_set() and process.returncode == -signal.SIGKILL
        front.log.clear()
        put_ok(stack, folder, "--id", "interrupted", url=front.url, ca=False)
        pdf_parts = [line for line in front.log if "/parts/" in line]
    assert_whole(user, "interrupted", folder)
    expected = -(-(PDF_BYTES + 9) // 98304)
    state = -(-len((folder / "final_state.json").read_bytes().strip()) // 98304)
    others = 3  # the logo of 200 kB
    assert len(pdf_parts) == expected - 29 + state + others


# ---- list, show, delete ----

def remote_ok(stack, *words, status=0, **options):
    process = remote(stack, *words, **options)
    out, errors = process.communicate(timeout=600)
    assert process.returncode == status, errors
    return out


def test_list_show_delete(stack, admin):
    with_name = {"campaign_brief": {"product": "Tea"}}
    token = stack.token("lister é")
    for number in range(105):  # two pages
        answer = requests.post(f"{stack.base_url}/api/v1/campaigns", verify=stack.ca, timeout=60,
                               headers={"Authorization": f"Bearer {token}"},
                               json={"campaign_id": f"listed-{number}",
                                     "campaign_name": f"Número {number}", **with_name})
        assert answer.status_code == 201
    ids = [f"listed-{number}" for number in reversed(range(105))]
    listed = json.loads(remote_ok(stack, "list", token=token))
    assert [entry["campaign_id"] for entry in listed] == ids
    listed = json.loads(remote_ok(stack, "list", "--limit", "101", token=token))
    assert [entry["campaign_id"] for entry in listed] == ids[:101]
    listed = json.loads(remote_ok(stack, "list", "--user", "lister é", "--status", "running",
                                  token=stack.admin_token()))
    assert len(listed) == 105
    lines = remote_ok(stack, "list", "--limit", "2", token=token, as_json=False).splitlines()
    assert len(lines) == 2 and "Número 104" in lines[0] and "running" in lines[0]

    # on the machine itself all users' campaigns of any status are in one order
    answer = requests.post(f"{stack.base_url}/api/v1/campaigns/{ids[50]}/fail", verify=stack.ca,
                           headers={"Authorization": f"Bearer {token}"}, timeout=60,
                           json={"error": {"message": "a test"}})
    assert answer.status_code == 200, answer.text
    listed = json.loads(stack.campaignctl("--json", "list", "--limit", "120").stdout)
    assert [entry["campaign_id"] for entry in listed][:105] == ids
    assert listed[50]["status"] == "failed"
    listed = json.loads(stack.campaignctl("--json", "list", "--limit", "3").stdout)
    assert [entry["campaign_id"] for entry in listed] == ids[:3]

    shown = json.loads(remote_ok(stack, "show", ids[0], token=token))
    assert shown["campaign_brief"] == with_name["campaign_brief"]
    assert "Número 104" in remote_ok(stack, "show", ids[0], token=token, as_json=False)
    for stranger in (stack.token("bob"), token):
        remote_ok(stack, "show", "nothing" if stranger == token else ids[0], token=stranger,
                  status=66)
    remote_ok(stack, "show", "../limits", token=token, status=66)

    receipts = json.loads(remote_ok(stack, "delete", *ids, token=token))
    assert len(receipts) == 105 and all(
        part["success"] for receipt in receipts for part in receipt["deletion_results"].values())
    assert remote_ok(stack, "list", token=token, as_json=False).strip() == "no campaigns"
    remote_ok(stack, "delete", ids[0], token=token, status=66)


# ---- what is refused ----

def refused(*arguments, status=1, **options):
    process = put(*arguments, **options)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == status, errors
    return errors


def test_unknown_certificate(stack, folder):
    assert "certificate" in refused(stack, folder, ca=False).lower()


def test_token_goes_to_safe_addresses_alone(stack, folder):
    errors = refused(stack, folder, url="http://campaigns.example.com/api/v1")
    assert "https" in errors


def test_wrong_address_is_told(stack, folder):
    errors = refused(stack, folder, url=f"{stack.base_url}/somewhere", status=66)
    assert "/api/v1" in errors
    with Front(stack, lambda number, handler: handler.plain(200)) as front:
        assert "https://host/api/v1" in refused(stack, folder, url=front.url, ca=False)


def test_service_says_why(stack, folder):
    assert "expired" in refused(stack, folder, token=stack.token("alice", ttl=-1000))
    (folder / "files/no good.txt").write_text("x")
    assert "files/no good.txt" in refused(stack, folder)
    (folder / "brief.json").write_text('{"campaign_name":""}')
    assert "/campaign_name" in refused(stack, folder)
