"""The bundle in an older Debian and in the newest, without any of our libraries,
behind that release's own Apache as hosts have it: suexec, mod_fcgid or plain CGI,
FcgidMaxRequestLen at its default, nothing but the account's folder to write to."""

import base64
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest
import requests

from chroots import Chroot, TOP
import process_limits
import system_calls
from client import Session
from support import descendants_of, free_port, wait_for

PACKAGES = ["apache2", "apache2-suexec-custom", "libapache2-mod-fcgid"]
ACCOUNT = "tenant"
HOME = f"/home/{ACCOUNT}"

# As a host sets up an account; nothing in it is for us.
SITE = """
ServerName localhost
Listen 127.0.0.1:{port}
PidFile /run/apache2-test.pid
ErrorLog /var/log/apache2/test-error.log
LogLevel info
User www-data
Group www-data
{modules}
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<VirtualHost 127.0.0.1:{port}>
    ServerName localhost
    DocumentRoot {home}/public_html
    SuexecUserGroup {account} {account}
    CustomLog /var/log/apache2/test-access.log "%>s %r"
    <Directory {home}/public_html>
        AllowOverride All
        Require all granted
    </Directory>
</VirtualHost>
"""
# So that few of them are all that there are.
FEW = "FcgidMaxProcesses {processes}\n"
MODULES = ["mpm_event", "authz_core", "authz_host", "rewrite", "headers", "suexec", "mime", "dir",
           "setenvif", "alias", "env"]
WAYS = {"fastcgi": ["fcgid"], "cgi": ["cgid"]}


class Host:
    """A running Apache of a release with the bundle installed in an account."""

    processes = 4
    ca = None  # no TLS

    def __init__(self, chroot, way):
        self.chroot, self.way = chroot, way
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.base_url}/api/v1"
        self.process = None

    def start(self):
        available = self.chroot.root / "etc/apache2/mods-available"
        names = MODULES + WAYS[self.way]
        lines = [f"Include /etc/apache2/mods-available/{name}.{kind}" for kind in ("load", "conf")
                 for name in names if (available / f"{name}.{kind}").exists()]
        (self.chroot.root / "etc/apache2/test.conf").write_text(
            SITE.format(port=self.port, home=HOME, account=ACCOUNT, modules="\n".join(lines))
            + (FEW.format(processes=self.processes) if self.way == "fastcgi" else ""))
        self.chroot.run("mkdir", "-p", "/run/apache2/socks",
                        "/var/lib/apache2/fcgid/sock")
        self.process = self.chroot.start(
            "env", "APACHE_RUN_DIR=/run/apache2", "APACHE_RUN_USER=www-data",
            "APACHE_RUN_GROUP=www-data", "APACHE_LOG_DIR=/var/log/apache2",
            "APACHE_PID_FILE=/run/apache2-test.pid",
            "apache2", "-d", "/etc/apache2", "-f", "test.conf", "-D", "FOREGROUND")
        wait_for(self.answers, f"an answer of {self.chroot.root.name}'s Apache")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Apache ended:\n{self.chroot.log.read_text()[-2000:]}{self.errors()}")
        try:
            return requests.get(f"{self.url}/health", timeout=60).status_code == 200
        except requests.RequestException:
            return False

    def stop(self):
        if self.process is not None:
            self.chroot.stop(self.process)
            self.process = None

    def workers(self):
        """Process ids of campaignd that Apache has started."""
        return descendants_of(self.process.pid, "campaignd")

    def commands(self):
        return [pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
                for pid in self.workers()]

    def errors(self):
        log = self.chroot.root / "var/log/apache2/test-error.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def token(self, user="alice"):
        return self.ctl("token", "--sub", user).stdout.strip()

    def session(self, user="alice"):
        session = Session()
        session.headers["Authorization"] = f"Bearer {self.token(user)}"
        return session

    def ctl(self, *words, check=True):
        return self.chroot.run_as(ACCOUNT, f"{HOME}/campaignstore/bin/campaignctl", *words,
                                  check=check)


def installed(release, bundle):
    """A release with an account that has unpacked and installed the bundle."""
    chroot = Chroot(release, release, PACKAGES).make()
    listed = chroot.run("dpkg-query", "-W", "-f", "${Package}\\n").stdout.split()
    ours = {"libfcgi0ldbl", "libfcgi0t64", "libhpdf-2.3.0", "libhpdf2.4.5", "libjson-c5",
            "libcjose0", "libcmark-gfm0.29.0.gfm.13"}
    assert not ours & set(listed), "the release has libraries of ours"
    chroot.run("useradd", "--create-home", "--shell", "/bin/sh", ACCOUNT)
    chroot.run("chmod", "711", HOME)
    (chroot.root / "etc/apache2/suexec/www-data").write_text("/home\npublic_html/cgi-bin\n")
    shutil.copy(bundle, chroot.root / f"home/{ACCOUNT}/bundle.tar.gz")
    chroot.run_as(ACCOUNT, "sh", "-c", f"cd {HOME} && mkdir public_html && chmod 755 public_html && "
                  "tar xzf bundle.tar.gz && mv campaignstore-* unpacked && unpacked/install")
    return chroot


@pytest.fixture(scope="module", params=["bullseye", "trixie"])
def release(request, machine, bundle):
    return installed(request.param, bundle)


@pytest.fixture(params=list(WAYS))
def host(request, release):
    host = Host(release, request.param)
    try:
        host.start()
        yield host
    finally:
        host.stop()


def test_account_is_private(release):
    modes = release.run_as(ACCOUNT, "sh", "-c", f"cd {HOME} && stat -c '%a %n' campaignstore "
                           "campaignstore/.env campaignstore/data public_html/api "
                           "public_html/api/dispatch.fcgi public_html/api/.htaccess").stdout
    assert dict(reversed(line.split()) for line in modes.splitlines()) == {
        "campaignstore": "700", "campaignstore/.env": "600", "campaignstore/data": "700",
        "public_html/api": "755", "public_html/api/dispatch.fcgi": "755",
        "public_html/api/.htaccess": "644"}


def test_both_programs_find_their_settings(release):
    said = release.run_as(ACCOUNT, f"{HOME}/campaignstore/bin/campaignd", "--check")
    assert said.stdout == "The settings are good.\n"
    said = release.run_as(ACCOUNT, f"{HOME}/campaignstore/bin/campaignctl", "list")
    assert said.stderr == ""


def test_nothing_of_the_release_is_loaded(release):
    """Each file that the program maps lies in the bundle."""
    said = release.run_as(ACCOUNT, "sh", "-c",
                          f"LD_DEBUG=files {HOME}/campaignstore/bin/campaignctl --version 2>&1 | "
                          "sed -n 's/.*calling init: //p'").stdout.split()
    folder = f"{HOME}/campaignstore/releases/"
    while said and not said[0].startswith(folder):
        del said[0]  # those of the shell that became the program
    assert len(said) > 10
    assert all(path.startswith(folder) for path in said), said


def send_in_parts(session, base, target, data, part_bytes):
    upload = session.post(f"{base}/uploads", json={
        "target": target, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}).json()
    for number, at in enumerate(range(0, len(data), part_bytes), 1):
        part = data[at:at + part_bytes]
        digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
        answer = session.put(f"{base}/uploads/{upload['upload_id']}/parts/{number}", data=part,
                             headers={"Content-Digest": f"sha-256=:{digest}:"})
        assert answer.status_code == 200, answer.text
    answer = session.post(f"{base}/uploads/{upload['upload_id']}/complete", json={})
    assert answer.status_code == 200, answer.text
    return upload["upload_id"]


def test_whole_life(host):
    """Create, upload in parts, complete, fetch, delete, doctor."""
    health = requests.get(f"{host.url}/health", timeout=60).json()
    assert health["started_as"] == {"fastcgi": "fastcgi", "cgi": "cgi"}[host.way]
    assert requests.get(f"{host.url}/campaigns", timeout=60).json()["code"] == \
        "authorization_header_not_received"
    limits = requests.get(f"{host.url}/limits", timeout=60).json()
    assert limits["body_bytes"] <= 131072 and limits["part_bytes"] <= 98304

    noise = random.Random(host.way)
    pdf = b"%PDF-1.7\n" + noise.randbytes(5 << 20)
    state = json.dumps({"artifacts": {"copy": "# Grüße"}, "log": "".join(
        noise.choices("abc déf", k=1_900_000))}, ensure_ascii=False).encode()
    assert len(state) > 2_000_000
    with host.session() as session:
        answer = session.post(f"{host.url}/campaigns", json={
            "campaign_name": "Shared", "campaign_brief": {"product": "Tea"}})
        assert answer.status_code == 201, f"{answer.text}\n{host.errors()}"
        base = f"{host.url}/campaigns/{answer.json()['campaign_id']}"
        send_in_parts(session, base, "pdf", pdf, limits["part_bytes"])
        upload_id = send_in_parts(session, base, "final_state", state, limits["part_bytes"])
        answer = session.post(f"{base}/complete", json={"final_state_upload": upload_id})
        assert answer.status_code == 200, f"{answer.text}\n{host.errors()}"
        for name, data in (("pdf", pdf), ("artifacts", state)):
            got = session.get(f"{base}/{name}").content
            assert hashlib.sha256(got).hexdigest() == hashlib.sha256(data).hexdigest()
        assert "Grüße" in session.get(f"{base}/website").text
        with host.session("bob") as other:
            assert other.get(base).status_code == 404
        assert session.delete(f"{base}/aws").status_code == 200
        assert session.get(base).status_code == 404
    doctor = host.ctl("doctor")
    assert "All is well." in doctor.stdout


def test_too_big_a_body_is_no_plain_500(host):
    with host.session() as session:
        answer = session.post(f"{host.url}/campaigns", data=b"x" * 200_000,
                              headers={"Content-Type": "application/json"})
    assert answer.status_code == 413, f"{answer.text}\n{host.errors()}"
    assert answer.json()["code"] == "body_too_large"


def test_nothing_else_is_served(host):
    for path in ("/api/.htaccess", "/api/dispatch.fcgi", "/campaignstore/.env", "/api/../.env"):
        answer = requests.get(f"http://127.0.0.1:{host.port}{path}", timeout=60)
        assert answer.status_code in (403, 404), path
        assert "CAMPAIGNSTORE" not in answer.text.upper() or answer.headers[
            "Content-Type"].startswith("application/problem+json")


def test_put_from_elsewhere(host, bundle, tmp_path):
    """campaignctl of the bundle on this machine sends a campaign to the host."""
    subprocess.run(["tar", "xzf", bundle, "-C", tmp_path, "--strip-components=1"], check=True)
    folder = tmp_path / "campaign"
    shutil.copytree(TOP / "share/example", folder)
    pdf = b"%PDF-1.7\n" + random.Random(1).randbytes(1 << 20)
    (folder / "report.pdf").write_bytes(pdf)
    with host.session() as session:
        token = session.headers["Authorization"].split()[1]
        done = subprocess.run(
            [tmp_path / "bin/campaignctl", "--json", "put", "--url", host.url, folder],
            capture_output=True, text=True, check=False, timeout=3600,
            env={"PATH": os.environ["PATH"], "CAMPAIGNCTL_TOKEN": token})
        assert done.returncode == 0, done.stderr
        campaign_id = json.loads(done.stdout)["campaign_id"]
        got = session.get(f"{host.url}/campaigns/{campaign_id}/pdf").content
    assert hashlib.sha256(got).hexdigest() == hashlib.sha256(pdf).hexdigest()


@pytest.mark.skipif(not system_calls.AVAILABLE, reason="numbers of x86-64")
def test_kernel_of_2013(bundle, tmp_path):
    """install, with init and doctor, where the kernel is Linux 3.10."""
    (tmp_path / "public_html").mkdir()
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "xzf", bundle, "-C", tmp_path / "unpacked", "--strip-components=1",
                    "--no-same-owner"], check=True)
    done = subprocess.run([tmp_path / "unpacked/install"], capture_output=True, text=True,
                          check=False, timeout=3600, preexec_fn=system_calls.old_kernel,
                          env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All is well." in (tmp_path / "campaignstore/doctor.txt").read_text()


def test_its_processes_keep_the_limits(release):
    """Those that a build's keep behind mod_fcgid, too."""
    host = Host(release, "fastcgi")
    try:
        host.start()
        process_limits.stays_small(host)
        process_limits.ends_when_idle(host)
        process_limits.ends_when_busy(host)
        process_limits.answers_overload(host, host.processes)
    finally:
        host.stop()


@pytest.mark.skipif(not system_calls.AVAILABLE, reason="numbers of x86-64")
@pytest.mark.parametrize("settings", [{}, process_limits.REMOTE], ids=["as set up", "on AWS"])
def test_it_starts_in_no_time_and_calls_nobody(bundle, tmp_path, settings):
    subprocess.run(["tar", "xzf", bundle, "-C", tmp_path, "--strip-components=1"], check=True)
    process_limits.starts_at_once(tmp_path / "bin/campaignd", tmp_path, env={
        "PATH": os.environ["PATH"], "JWT_SECRET": "of-a-test-" * 8,
        "CAMPAIGN_LOCAL_ROOT": str(tmp_path / "data"), **settings})


def test_upgrade_keeps_data(release):
    """Installed again from the archive: settings, data and secret stay."""
    home = release.root / f"home/{ACCOUNT}"
    settings = (home / "campaignstore/.env").read_bytes()
    host = Host(release, "fastcgi")
    try:
        host.start()
        with host.session() as session:
            session.post(f"{host.url}/campaigns", json={
                "campaign_id": "kept", "campaign_name": "Kept", "campaign_brief": {}})
            (home / "unpacked/VERSION").write_text("9.9.9\n")
            release.run_as(ACCOUNT, f"{HOME}/unpacked/install")
            assert (home / "campaignstore/.env").read_bytes() == settings
            assert os.readlink(home / "campaignstore/current") == "releases/9.9.9"
            answer = session.get(f"{host.url}/campaigns/kept")
            assert answer.status_code == 200, f"{answer.text}\n{host.errors()}"
        assert any("/releases/9.9.9/libexec/campaignd" in line for line in host.commands())
        left = {path.name for path in (home / "campaignstore/releases").iterdir()}
        assert "9.9.9" in left and len(left) == 2, left
    finally:
        host.stop()


def test_install_refuses(release):
    unpacked = f"{HOME}/unpacked/install"
    inside = release.run_as(ACCOUNT, unpacked, "--home", f"{HOME}/public_html/store", check=False)
    assert inside.returncode == 1 and "document root" in inside.stderr
    root = release.run("env", f"HOME={HOME}", unpacked, check=False)
    assert root.returncode == 1 and "as its owner" in root.stderr
    nowhere = release.run_as(ACCOUNT, unpacked, "--docroot", f"{HOME}/nowhere", check=False)
    assert nowhere.returncode == 1 and "--docroot" in nowhere.stderr


def test_world_readable_settings_stop_the_start(release):
    env = release.root / f"home/{ACCOUNT}/campaignstore/.env"
    env.chmod(0o644)
    try:
        said = release.run_as(ACCOUNT, f"{HOME}/campaignstore/bin/campaignctl", "list", check=False)
        assert said.returncode == 78 and "chmod o-rwx" in said.stderr
    finally:
        env.chmod(0o600)
