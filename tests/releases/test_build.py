"""The sources in the newest Debian: newer fcgi2, libharu, json-c, curl, OpenSSL and
compiler; without a warning, and the unit tests pass."""

import os
import re
import subprocess

import pytest

from chroots import Chroot, TOP

RELEASE = "trixie"
SOURCES = "/source"


def packages():
    """Those that nginx/packages names, and what the unit tests need."""
    text = (TOP / "nginx/packages").read_text()
    listed = re.search(r"^packages=\((.*?)\)", text, re.MULTILINE | re.DOTALL)[1].split()
    return [name for name in listed if re.fullmatch(r"[a-z0-9.+-]+", name)] + [
        "libcmocka-dev", "poppler-utils"]


@pytest.fixture(scope="module")
def chroot(machine):
    data = [(os.environ[name], f"/{name.lower()}") for name in ("CS_VECTORS", "CS_EXAMPLES")
            if os.environ.get(name)]
    chroot = Chroot(f"{RELEASE}-build", RELEASE, packages(), binds=data).make()
    target = chroot.root / SOURCES.lstrip("/")
    target.mkdir()
    copy = subprocess.Popen(["tar", "-C", TOP, "--exclude=./build", "--exclude=./.git",
                             "--exclude=./run", "-cf", "-", "."], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-C", target, "--no-same-owner", "-xf", "-"], stdin=copy.stdout,
                   check=True)
    assert copy.wait() == 0
    return chroot


def build(chroot, words):
    environment = " ".join(f"{a}=/{a.lower()}" for a in ("CS_VECTORS", "CS_EXAMPLES")
                           if os.environ.get(a))
    return chroot.run("bash", "-c", f"mkdir -p {SOURCES}/b && cd {SOURCES}/b && {environment} {words}",
                      check=False)


def test_builds_without_a_warning(chroot):
    done = build(chroot, "true; (cd .. && autoreconf -fi) && ../configure --enable-werror "
                         "CFLAGS='-O1 -g' && make -j2 && make -j2 check TESTS=")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "warning:" not in done.stdout + done.stderr


def test_units_pass(chroot):
    done = build(chroot, "make -k -j2 check")
    totals = dict(re.findall(r"^# (TOTAL|PASS|SKIP|FAIL|ERROR): +(\d+)$", done.stdout, re.MULTILINE))
    failed = re.findall(r"^FAIL: .*", done.stdout, re.MULTILINE)
    assert done.returncode == 0, "\n".join(failed) + done.stdout[-2000:]
    assert int(totals["PASS"]) >= 30 and totals["FAIL"] == totals["ERROR"] == "0", totals
