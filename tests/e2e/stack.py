"""A private instance of the whole service: nginx with the site file as it is
shipped, campaignd with its pool, a store of its own, all in one temporary folder
and on a free port; stopped by process id."""

import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import jwt
import requests

from servers import SERVERS
from stores import STORES
from support import (StackError, TOP, children_of, end_with_parent, free_port, process_alive,
                     process_state, signal_if_there, wait_for)

# a whole signature of AWS's, a bearer token
SIGNATURE = re.compile(r"Signature=[0-9a-f]{64}|Bearer ey[\w-]+|ey[\w-]{20,}\.ey[\w-]{20,}\.")
SANITIZER_REPORT = re.compile(
    r"(ERROR: (Address|Leak|Undefined\w*)Sanitizer|runtime error:|AddressSanitizer:DEADLYSIGNAL)"
)


def make_certificate(folder):
    """A test CA and a certificate for localhost under it."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "7",
            "-subj", "/CN=campaignstore test CA")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "7", "-extfile", "server.ext", "-out", "server.pem")


class Stack:
    """One running instance. `settings` are settings of campaignd beyond the usual
    ones; rate None keeps the request rate limit of the shipped site file."""

    def __init__(self, build, tls, store="local", server="nginx", settings=None, rate=100000):
        self.build = pathlib.Path(build).resolve()
        self.tls = tls
        self.rate = rate
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cs-e2e-"))
        self.port = free_port()
        self.base_url = f"https://localhost:{self.port}"
        self.ca = str(tls / "ca.pem")
        self.socket = self.folder / "campaignd.sock"
        self.pid_file = self.folder / "campaignd.pid"
        self.log = self.folder / "campaignd.log"
        self.secret = secrets.token_hex(32)
        self.bin = self.build
        self.store = STORES[store](self)
        self.store.start()
        self.server = SERVERS[server](self)
        self.settings = {
            **self.store.settings(),
            "JWT_SECRET": self.secret,
            "WORKERS": "4",
            "CAMPAIGND_PID_FILE": str(self.pid_file),
            "CAMPAIGN_SHARE_DIR": str(TOP / "share"),
            **self.server.settings(),
            **(settings or {}),
        }
        self.supervisor = None

    # ---- the parts ----

    def environment(self):
        """Nothing of the machine's own settings gets in."""
        keep = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
        return {
            **keep,
            "HOME": str(self.folder),  # not where the tester's profiles of AWS are
            "LC_ALL": "C.UTF-8",
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        }

    @property
    def env_file(self):
        return self.folder / "settings.env"

    def write_settings(self, **changes):
        self.settings.update(changes)
        lines = [f"{name}={value}\n" for name, value in self.settings.items()]
        self.env_file.write_text("".join(lines))
        self.env_file.chmod(0o600)
        if self.server.account:
            os.chown(self.env_file, *self.server.account)

    def identity(self):
        """What makes subprocess run a program as the service's own account."""
        if not self.server.account:
            return {}
        uid, gid = self.server.account
        return {"user": uid, "group": gid, "extra_groups": []}

    def start_campaignd(self):
        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [self.bin / "campaignd", "--listen", self.socket, "--env", self.env_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env=self.environment(), preexec_fn=end_with_parent)

    def start(self):
        self.write_settings()
        self.store.prepare(self)
        self.server.start()
        if self.server.supervised:
            self.start_campaignd()
        self.wait_ready()

    def health(self):
        try:
            return requests.get(f"{self.base_url}/api/v1/health", verify=self.ca, timeout=30)
        except requests.RequestException:
            return None

    def wait_ready(self):
        def ready():
            main = self.supervisor or self.server.process
            if main.poll() is not None:
                raise StackError(f"the service ended with {main.returncode}:\n"
                                 + self.log_text()[-4000:] + self.server.said())
            answer = self.health()
            return answer is not None and answer.status_code == 200

        try:
            wait_for(ready, "a healthy service")
        except StackError:
            print(self.log_text()[-4000:] + self.server.said(), file=sys.stderr)
            raise

    def workers(self):
        return children_of(self.supervisor.pid) if self.supervisor else self.server.workers()

    def wait_workers(self, count=None):
        """Waits until the pool is whole, and returns its process ids."""
        count = count or int(self.settings["WORKERS"])
        return wait_for(lambda: (pids := self.workers()) and len(pids) == count and pids,
                        f"{count} workers")

    def stop_campaignd(self):
        """SIGTERM, and the exit status; -9 where that did not end it."""
        if self.supervisor is None:
            return None
        workers = []
        if self.supervisor.poll() is None:  # else its number may be another's by now
            workers = self.workers()
            self.supervisor.terminate()
        try:
            status = self.supervisor.wait(120)
        except subprocess.TimeoutExpired:
            self.supervisor.kill()
            status = self.supervisor.wait()
        if status != 0:  # else it has seen the end of all of them
            for pid in workers:
                signal_if_there(pid, signal.SIGKILL)
        self.supervisor = None
        return status

    def kill_campaignd(self, workers_too=True):
        """SIGKILL to supervisor and workers, as a crash of the machine would; or to
        the supervisor alone, whose workers then end by themselves."""
        # stopped, it starts no worker that would not be among these
        self.supervisor.send_signal(signal.SIGSTOP)
        wait_for(lambda: process_state(self.supervisor.pid) in ("T", "Z", None),
                 "the supervisor's stop")
        workers = self.workers()
        self.supervisor.kill()
        self.supervisor.wait()
        for pid in workers if workers_too else []:
            signal_if_there(pid, signal.SIGKILL)
        # one may be in the middle of a request, whose budget it has
        wait_for(lambda: not any(map(process_alive, workers)), "the workers' end")
        self.supervisor = None

    def stop(self):
        """Ends everything, and returns what is wrong with how it went."""
        faults = []
        try:
            status = self.stop_campaignd()
            if status not in (0, None):
                faults.append(f"campaignd ended with {status}")
        finally:
            self.server.stop()
        text = self.log_text()
        faults += self.secrets_in(text)
        report = SANITIZER_REPORT.search(text)
        if report:
            faults.append("campaignd's log has a sanitizer report:\n"
                          + text[max(0, report.start() - 200):report.start() + 6000])
        shutil.rmtree(self.folder, ignore_errors=True)
        return faults

    def secrets_in(self, text):
        """A sentence for each secret that a log or a message has."""
        values = [self.settings.get(name) for name in
                  ("JWT_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
        shown = [value for value in values if value and value in text]
        return [f"a secret is in the log: {found[:12]}..."
                for found in shown + SIGNATURE.findall(text)]

    def log_text(self):
        try:
            return self.log.read_text(errors="replace")
        except OSError:
            return ""

    # ---- who asks ----

    def token(self, user="alice", ttl=3600, **claims):
        now = int(time.time())
        return jwt.encode({"sub": user, "iat": now, "exp": now + ttl, **claims}, self.secret,
                          algorithm="HS256")

    def admin_token(self, user="root-admin"):
        return self.token(user, role="admin")

    def campaignctl(self, *arguments, check=True):
        """Runs campaignctl with this instance's settings."""
        return subprocess.run(
            [self.bin / "campaignctl", "--env", self.env_file, *map(str, arguments)],
            capture_output=True, text=True, cwd=self.folder, env=self.environment(),
            check=check, timeout=600, **self.identity())
