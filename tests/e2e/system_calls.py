"""Processes with system calls of our choice, by a seccomp filter: as a kernel of 2013 has
them, or without any that reaches beyond this machine."""

import ctypes
import platform
import struct

FIRST_MISSING = 314  # Linux 3.10 has none from sched_setattr on (x86-64)
SOCKET = 41
AVAILABLE = platform.machine() == "x86_64"

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16  # places in struct seccomp_data
ALLOW, ENOSYS, KILL_PROCESS = 0x7FFF0000, 0x00050000 | 38, 0x80000000
AF_UNIX = 1


def install(*steps):
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
                          ctypes.create_string_buffer(header), 0, 0) != 0):
        raise OSError(ctypes.get_errno(), "no system call filter")


def old_kernel():
    """In the child, right before it becomes the program (preexec_fn): what came after Linux
    3.10 is answered with ENOSYS."""
    install((LOAD, 0, 0, NUMBER),
            (JUMP_IF_AT_LEAST, 0, 1, FIRST_MISSING),
            (RETURN, 0, 0, ENOSYS),
            (RETURN, 0, 0, ALLOW))


def forbid_network():
    """The same place: a socket of any family but AF_UNIX is the program's end, by SIGSYS."""
    install((LOAD, 0, 0, NUMBER),
            (JUMP_IF_EQUAL, 0, 3, SOCKET),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (JUMP_IF_EQUAL, 1, 0, AF_UNIX),
            (RETURN, 0, 0, KILL_PROCESS),
            (RETURN, 0, 0, ALLOW))
