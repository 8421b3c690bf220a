"""A process that sees a kernel of 2013: Linux 3.10 has no system call from number
314 on (sched_setattr; x86-64), so a seccomp filter answers ENOSYS for those."""

import ctypes
import platform
import struct

FIRST_MISSING = 314
AVAILABLE = platform.machine() == "x86_64"

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x35, 0x06
ALLOW, ENOSYS = 0x7FFF0000, 0x00050000 | 38


def pretend():
    """In the child, right before it becomes the program (preexec_fn)."""
    program = b"".join(struct.pack("HBBI", *step) for step in (
        (LOAD_NUMBER, 0, 0, 0),
        (JUMP_IF_AT_LEAST, 0, 1, FIRST_MISSING),
        (RETURN, 0, 0, ENOSYS),
        (RETURN, 0, 0, ALLOW),
    ))
    steps = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
                          ctypes.create_string_buffer(header), 0, 0) != 0):
        raise OSError(ctypes.get_errno(), "no system call filter")
