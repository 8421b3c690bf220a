"""nginx/quickstart and apache/quickstart, run as a newcomer does: in a copy of the tree, with nothing
built and no settings."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
import requests

from process_limits import in_time
from support import TOP, free_port, process_alive, wait_for

pytestmark = pytest.mark.plain_build

NOBODY = pwd.getpwnam("nobody")


class Tree:
    """A copy of the project in a folder of its own, and who runs it."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="cs-quick-"))
        self.folder = self.home / "campaignstore"
        self.port = free_port()
        self.user = None
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=TOP,
            capture_output=True, check=False)
        if listed.returncode == 0:
            names = [name for name in listed.stdout.decode().split("\0") if name]
        else:
            names = [str(path.relative_to(TOP)) for path in TOP.rglob("*") if path.is_file()
                     and path.relative_to(TOP).parts[0] not in ("build", "run")]
        for name in names:
            if (TOP / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(TOP / name, self.folder / name)

    def give_to(self, user):
        self.user = user
        subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", self.home], check=True)

    def quickstart(self, *options, check=True, server="nginx", **environment):
        identity = {}
        if self.user:
            identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        result = subprocess.run(
            [f"./{server}/quickstart", *options], cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=3600, check=False, **identity,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8",
                 **environment})
        if check:
            assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
        return result

    def env(self):
        text = (self.folder / "run/quickstart.env").read_text()
        return dict(line.split("=", 1) for line in text.splitlines())

    def pids(self):
        env = self.env()
        return [int(pathlib.Path(env[name]).read_text()) for name in ("PIDFILE", "NGINX_PIDFILE")]

    def get(self, path, token=None):
        env = self.env()
        headers = {"Authorization": f"Bearer {env[token]}"} if token else {}
        url = path if path.startswith("https:") else env["BASE_URL"] + "/api/v1" + path
        return requests.get(url, headers=headers, verify=env["CA_FILE"], timeout=60)


@pytest.fixture(scope="module")
def tree():
    made = Tree()
    yield made
    made.quickstart("--stop", check=False)
    shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture(scope="module")
def first(tree):
    return tree.quickstart("--port", str(tree.port))


def check_example(tree):
    env = tree.env()
    files = tree.get(f"/campaigns/{env['CAMPAIGN_ID']}/aws", "USER_TOKEN").json()[
        "aws_services"]["s3"]["files"]
    # the links need no token
    assert "<html" in tree.get(files["website"]).text.lower()
    assert tree.get(files["pdf"]).content.startswith(b"%PDF-")
    assert tree.get(files["artifacts"]).content == (
        tree.folder / "share/example/final_state.json").read_bytes().rstrip(b"\n")


def test_it_completes_the_example(tree, first):
    env = tree.env()
    assert env["BASE_URL"] == f"https://localhost:{tree.port}"
    check_example(tree)
    assert tree.get("/campaigns/aws/stats", "ADMIN_TOKEN").json()[
        "aws_stats"]["completed_campaigns"] == 1
    assert tree.get("/campaigns/aws/stats", "USER_TOKEN").status_code == 403


def test_it_says_where_everything_is(tree, first):
    env = tree.env()
    said = [word.rstrip(",") for word in first.stdout.split() if word.startswith("https://")]
    assert len(said) >= 4
    for url in said:
        if url in (env["BASE_URL"], env["BASE_URL"] + "/api/v1/"):
            continue
        assert tree.get(url).status_code == 200, url
    # the curl line that it proposes works as it stands
    lines = first.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip().startswith(". "))
    script = "\n".join(lines[start:start + 2])
    done = subprocess.run(["bash", "-c", script], cwd=tree.folder, capture_output=True, text=True,
                          check=True)
    assert env["CAMPAIGN_ID"] in done.stdout


def test_its_secrets_are_its_own(tree, first):
    run = tree.folder / "run"
    assert run.stat().st_mode & 0o777 == 0o700
    for name in ("quickstart.env", "jwt.secret", "settings.env", "tls/server.key"):
        assert (run / name).stat().st_mode & 0o077 == 0, name
    assert not (run / "tls/ca.key").exists()


def test_a_second_run_is_fast_and_changes_nothing(tree, first):
    before = tree.pids(), tree.env()

    def attempt():
        start = time.monotonic()
        # no port given: it keeps the one it has
        tree.quickstart()
        return time.monotonic() - start

    in_time(10, attempt)
    assert (tree.pids(), tree.env()) == before
    check_example(tree)


def test_a_run_repairs_what_died(tree, first):
    campaignd, nginx = tree.pids()
    # nginx's workers would outlive a killed master
    for victim, number in ((campaignd, signal.SIGKILL), (nginx, signal.SIGTERM)):
        os.kill(victim, number)
        wait_for(lambda: not process_alive(victim), "the end of a process")
        tree.quickstart()
        check_example(tree)
    assert tree.env()["BASE_URL"] == f"https://localhost:{tree.port}"


def test_changed_settings_are_taken(tree, first):
    campaignd, nginx = tree.pids()
    tree.quickstart(WORKERS="2")
    assert tree.pids()[0] != campaignd and tree.pids()[1] == nginx
    tree.quickstart()


def test_a_bad_setting_is_told(tree, first):
    result = tree.quickstart(WORKERS="many", check=False)
    assert result.returncode != 0
    assert "WORKERS" in result.stderr
    tree.quickstart()


def test_a_taken_port_is_told(tree, first):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = tree.quickstart("--port", str(port), check=False)
    assert result.returncode != 0
    assert str(port) in result.stderr and "--port" in result.stderr
    tree.quickstart("--port", str(tree.port))


@pytest.mark.parametrize("options", [["--port"], ["--port", "0"], ["--port", "x"], ["--what"]])
def test_wrong_options_are_told(tree, options):
    result = tree.quickstart(*options, check=False)
    assert result.returncode != 0 and result.stderr


def test_help(tree):
    assert "--fresh" in tree.quickstart("--help").stdout


def test_stop_ends_all_and_keeps_the_data(tree, first):
    pids = tree.pids()
    tree.quickstart("--stop")
    assert not any(process_alive(pid) for pid in pids)
    tree.quickstart("--stop")
    tree.quickstart("--port", str(tree.port))
    check_example(tree)


def test_fresh_forgets(tree, first):
    before = tree.env()
    tree.quickstart("--fresh", "--port", str(tree.port))
    check_example(tree)
    assert tree.env()["USER_TOKEN"] != before["USER_TOKEN"]


def test_apache_takes_the_place_of_nginx(tree, first):
    if shutil.which("apache2", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("apache2 is not installed")
    pids = tree.pids()
    # which runs as another user where root starts it
    tree.home.chmod(0o755)
    tree.quickstart("--port", str(tree.port), server="apache")
    try:
        assert not any(process_alive(pid) for pid in pids)
        check_example(tree)
        assert tree.get("/health").json()["started_as"] == "fastcgi"
    finally:
        tree.quickstart("--stop", server="apache")
        tree.home.chmod(0o700)
    tree.quickstart("--fresh", "--port", str(tree.port))
    check_example(tree)


def test_a_normal_user_can_run_it(tree, first):
    """The packages are there by now; nothing else needs an administrator."""
    if os.geteuid() != 0:
        pytest.skip("the other tests ran as a normal user")
    tree.quickstart("--stop")
    tree.give_to(NOBODY)
    tree.quickstart("--port", str(tree.port))
    check_example(tree)
    assert pathlib.Path(f"/proc/{tree.pids()[1]}").stat().st_uid == NOBODY.pw_uid


def test_a_failed_build_is_shown():
    made = Tree()
    configure = made.folder / "configure"
    configure.write_text("#!/bin/sh\necho 'configure: error: no such compiler' >&2\nexit 1\n")
    configure.chmod(0o755)
    try:
        failed = made.quickstart(check=False)
        assert failed.returncode == 1
        assert "configure: error: no such compiler" in failed.stderr
        assert "the build failed; all of it is in" in failed.stderr
        assert "must not happen" not in failed.stderr
    finally:
        made.quickstart("--stop", check=False)
        shutil.rmtree(made.home, ignore_errors=True)
