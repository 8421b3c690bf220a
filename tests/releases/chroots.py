"""Small Debian systems in a folder each, of another release than this machine's,
and processes in them.

Whatever is started in one has mount and process namespaces of its own: its /proc
is nobody else's, what it mounts is gone when it ends, and all of its processes end
with the first. So a folder that is removed never has anything mounted in it."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/e2e"))

from support import children_of, process_alive, signal_if_there, wait_for  # noqa: E402

CACHE = TOP / "build/chroots"
TOOLS = ("debootstrap", "unshare", "tar", "chroot")
ENTER = ('mount -t proc proc "$0/proc" && '
         'for pair in $CS_BINDS; do mkdir -p "$0${pair#*=}" && '
         'mount --bind -o ro "${pair%%=*}" "$0${pair#*=}" || exit 1; done && '
         'exec chroot "$0" "$@"')


class Missing(Exception):
    """What keeps this machine from having such systems."""


def check_machine():
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if os.geteuid() != 0:
        raise Missing("only root can make a chroot")
    for tool in TOOLS:
        if shutil.which(tool, path=path) is None:
            raise Missing(f"{tool} is not installed")
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True,
                           text=True)
    if probe.returncode != 0:
        raise Missing(f"no namespaces of one's own here: {probe.stderr.strip()}")


def mirror():
    """Where this machine has its own packages from."""
    folder = pathlib.Path("/etc/apt")
    lists = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.sources")),
             *sorted(folder.glob("sources.list.d/*.list"))]
    named = [address for path in lists if path.is_file() for address in re.findall(
        r"^(?:deb (?:\[[^]]*\] )?|URIs: *)(https?://\S+)", path.read_text(errors="replace"),
        re.MULTILINE) if "security" not in address]
    named.sort(key=lambda address: "debian" not in address)  # stable: the first of those
    if not named:
        raise Missing("the machine's package sources name no Debian mirror")
    return named[0]


def run(command, log, **options):
    with log.open("ab") as out:
        status = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                                stdout=out, stderr=out, check=False, **options).returncode
    if status != 0:
        tail = log.read_text(errors="replace")[-3000:]
        raise AssertionError(f"{command[0]} ended with {status}:\n{tail}")


def remove(folder):
    """Removes it, and refuses where anything is mounted in it."""
    inside = f" {folder}/"
    if inside in pathlib.Path("/proc/self/mounts").read_text():
        raise AssertionError(f"something is mounted in {folder}")
    run(["rm", "-rf", "--one-file-system", "--", folder], CACHE / "remove.log")


class Chroot:
    """A fresh system of a release with these packages and no others."""

    def __init__(self, name, release, packages, binds=()):
        self.root = CACHE / name
        self.log = CACHE / f"{name}.log"
        self.binds = [(str(a), b) for a, b in binds]
        self.release, self.packages = release, sorted(packages)

    # ---- making ----

    def make(self):
        """Unpacks the system as it was made once; makes it where it never was."""
        check_machine()
        CACHE.mkdir(parents=True, exist_ok=True)
        key = hashlib.sha256(" ".join(self.packages).encode()).hexdigest()[:12]
        bare, whole = (CACHE / f"{self.release}-{what}.tar" for what in ("bare", key))
        self.log.unlink(missing_ok=True)
        if self.root.exists():
            remove(self.root)
        if whole.exists():
            self.unpack(whole)
            return self
        if bare.exists():
            self.unpack(bare)
        else:
            self.debootstrap()
            self.pack(bare)
        again = ("-o", "Acquire::Retries=5")
        self.run("apt-get", "-q", *again, "update")
        self.run("apt-get", "-q", "-y", *again, "--no-install-recommends", "install",
                 *self.packages)
        self.run("apt-get", "clean")
        self.pack(whole)
        return self

    def debootstrap(self):
        for left in reversed(range(4)):
            try:
                run(["unshare", "--mount", "--propagation", "private", "debootstrap",
                     "--variant=minbase", self.release, self.root, mirror()], self.log,
                    env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
                break
            except AssertionError:  # of all that it downloads, something may not come at once
                if not left:
                    raise
                time.sleep(10)
                remove(self.root)
        # nothing that is installed starts by itself
        policy = self.root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        # the way to the mirror, where this machine needs to be told one
        for settings in pathlib.Path("/etc/apt/apt.conf.d").glob("*"):
            if re.search(r"Acquire::(https?::|Check-)", settings.read_text(errors="replace")):
                shutil.copy(settings, self.root / "etc/apt/apt.conf.d")

    def unpack(self, archive):
        self.root.mkdir()
        run(["tar", "-xpf", archive, "-C", self.root, "--numeric-owner"], self.log)

    def pack(self, archive):
        run(["tar", "--one-file-system", "--numeric-owner", "-C", self.root, "-cf",
             f"{archive}.tmp", "."], self.log)
        os.rename(f"{archive}.tmp", archive)

    def remove(self):
        remove(self.root)

    # ---- running ----

    def command(self, *words):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation",
                "private", "bash", "-c", ENTER, str(self.root), *map(str, words)]

    def environment(self):
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
                "CS_BINDS": " ".join(f"{a}={b}" for a, b in self.binds)}

    def run(self, *words, check=True, timeout=7200, **options):
        """Runs it to its end as root; returns what subprocess.run does."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL,
                              env=self.environment(), capture_output=True, text=True,
                              errors="replace", timeout=timeout, check=False, **options)
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
        if check and done.returncode != 0:
            raise AssertionError(f"{words[0]} ended with {done.returncode} in {self.root.name}:\n"
                                 f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    def run_as(self, account, *words, **options):
        home = f"HOME=/home/{account}"
        return self.run("setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups",
                        "env", home, *words, **options)

    def start(self, *words):
        """Starts what stays; stop() ends it and all that it started."""
        log = self.log.open("ab")
        with log:
            return subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env=self.environment())

    @staticmethod
    def stop(process):
        """SIGTERM to the first process of the namespace; SIGKILL to all in the end."""
        for pid in children_of(process.pid):
            signal_if_there(pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            inner = children_of(process.pid)
            process.kill()
            process.wait()
            wait_for(lambda: not any(map(process_alive, inner)), "the end of the namespace")
