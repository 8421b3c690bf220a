"""Accounts without rights that Apache and suexec need, and suexec's leave to use them: made
by the first test that asks, and gone when the last run on the machine is over that had
asked. What a killed run has left is removed by the next one."""

import fcntl
import os
import pathlib
import pwd
import shutil
import subprocess
import time

MARK = "made by the tests of campaignstore"
IN_USE = 8  # userdel: processes run as it
POLICIES = pathlib.Path("/etc/apache2/suexec")  # of Debian's apache2-suexec-custom


class Accounts:
    """Shared by all runs: each holds a lock on the folder of the accounts."""

    def __init__(self):
        self.lock = None
        self.names = set()

    def hold(self):
        if self.lock is None:
            self.lock = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self.lock, fcntl.LOCK_SH)

    def get(self, name, group=None):
        """Its (uid, gid); of a group of its own where none is named."""
        self.hold()
        self.names.add(name)
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            own = ["--gid", group] if group else ["--user-group"]
            made = run("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin",
                       "--comment", MARK, *own, name)
            # status 9: another run was faster
            if made.returncode not in (0, 9):
                raise OSError(f"useradd {name}: {made.stderr}") from None
            found = pwd.getpwnam(name)
        return found.pw_uid, found.pw_gid

    def allow_suexec(self, name, root):
        """Lets this account's Apache run programs below root; False where suexec is not
        to be had."""
        if not POLICIES.is_dir():
            return False
        own, text = POLICIES / name, f"{root}\npublic_html\n"
        if not own.exists() or own.read_text() != text:
            own.write_text(text)
        return True

    def remove(self):
        """What was made here or was left by a killed run, unless another run needs it;
        returns what could not be removed."""
        if self.lock is None:
            return []
        faults = []
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in self.names:
                faults += self.remove_one(name)
        except BlockingIOError:
            pass  # it will
        os.close(self.lock)
        self.lock = None
        return faults

    @staticmethod
    def remove_one(name):
        try:
            if pwd.getpwnam(name).pw_gecos != MARK:
                return []  # somebody else's
        except KeyError:
            return []
        (POLICIES / name).unlink(missing_ok=True)
        end = time.monotonic() + 120
        gone = run("userdel", name)
        while gone.returncode == IN_USE and time.monotonic() < end:
            # by what an ended Apache had started, and what it has told to end
            time.sleep(0.1)
            gone = run("userdel", name)
        return [f"userdel {name}: {gone.stderr}"] if gone.returncode != 0 else []


def run(program, *arguments):
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return subprocess.run([found or program, *arguments], capture_output=True, text=True,
                          check=False)


ACCOUNTS = Accounts()
