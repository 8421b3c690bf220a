"""Processes, ports and waiting: what the parts of an instance are run with."""

import ctypes
import pathlib
import signal
import socket
import time

TOP = pathlib.Path(__file__).resolve().parents[2]


class StackError(Exception):
    """The instance did not do what it must to be tested at all."""


def wait_for(condition, what, seconds=10.0):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise StackError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_parent():
    """In the child: ends it when the test run dies without cleaning up."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def process_state(pid):
    """The letter of proc(5); None where there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def process_alive(pid):
    return process_state(pid) not in (None, "Z")


def process_sleeps(pid):
    return process_state(pid) == "S"


def descendants_of(pid, program):
    """Living processes below a process that run a program of this name."""
    found, generation = [], [pid]
    while generation:
        generation = [child for parent in generation for child in children_of(parent)]
        found += [child for child in generation if program_of(child) == program]
    return found


def program_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def children_of(pid):
    """Process ids of the living children, oldest first."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append((int(fields[19]), int(entry.name)))
    return [child for _, child in sorted(found)]


def no_name_twice(pairs):
    """Of json.loads(): no member of an object stands there twice."""
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)
