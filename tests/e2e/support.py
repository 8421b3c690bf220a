"""Processes, ports and waiting: what the parts of an instance are run with."""

import contextlib
import ctypes
import itertools
import os
import pathlib
import random
import signal
import socket
import time

TOP = pathlib.Path(__file__).resolve().parents[2]


class StackError(Exception):
    """The instance did not do what it must to be tested at all."""


def wait_for(condition, what, seconds=120.0):
    """Waits until condition() is true and returns its value. `seconds` is how long nobody
    waits however slow and busy his machine is, and no measure of anything."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise StackError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


# Chromium takes no address with one of 10080 and some below it.
LOWEST_PORT = 10081


def ports_of_nobody():
    """Ports in a random order that the kernel gives to no connection of its own choice: one
    of those may be gone before the server that is to have it has started."""
    try:
        text = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
        first, last = map(int, text.split())
    except (OSError, ValueError):
        first, last = 32768, 65535
    ports = [*range(LOWEST_PORT, first), *range(max(last + 1, LOWEST_PORT), 65536)]
    random.SystemRandom().shuffle(ports)
    return iter(ports)


PORTS = itertools.chain(ports_of_nobody(), itertools.repeat(0))


def free_port():
    """One that is free, and that this run gives to nobody else."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", next(PORTS)))
            except OSError:
                continue
            return probe.getsockname()[1]


# Found before any fork: a child of a process with threads must not look for it.
PRCTL = ctypes.CDLL(None).prctl


def end_with_parent():
    """In the child: ends it when the test run dies without cleaning up."""
    PRCTL(1, signal.SIGTERM)


def signal_if_there(pid, number):
    """To a process that may end by itself at any moment."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


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
