"""Reads the text of one PDF in a process of its own, which can do nothing else. Refuses to know where it comes from.

`python -m freehold.assist.extract_child MEMORY SECONDS CHARACTERS` takes the PDF on standard input and answers with one
JSON object: `{"pages": [text, ...], "total": n}`, or `{"error": "password" | "damaged" | "memory"}`. Memory, CPU time
and files are bounded, and once the PDF is in memory the kernel refuses it every file, connection and program: what a
hostile PDF may make of this process cannot read the house.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_FILTER, _ALLOW, _DENY = 2, 0x7FFF0000, 0x00050001  # SECCOMP_MODE_FILTER, SECCOMP_RET_ALLOW, RET_ERRNO | EPERM

_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    # read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn mremap madvise
    # getpid exit futex clock_gettime exit_group gettid getrandom
    "x86_64": (
        0xC000003E,
        (0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 25, 28, 39, 60, 202, 228, 231, 186, 318),
    ),
    "aarch64": (
        0xC00000B7,
        (63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 216, 233, 172, 93, 98, 113, 94, 178, 278),
    ),
}


def main() -> NoReturn:
    """Read, answer, end. Leaves by os._exit: there is nothing to clean up."""
    memory, seconds, characters = (int(given) for given in sys.argv[1:4])
    _bound(memory, seconds)
    try:
        import pypdfium2  # noqa: PLC0415 (heavy, and wanted in this process alone)

        data = sys.stdin.buffer.read()
        pypdfium2.PdfDocument.new().close()  # whatever is loaded at first use is loaded now
        "".encode("utf-16-le").decode("utf-16-le")
        _shut()
        answer = _read(pypdfium2, data, characters)
    except MemoryError:
        answer = {"error": "memory"}
    out = json.dumps(answer).encode()
    while out:
        out = out[os.write(1, out) :]
    os._exit(0)


def _read(pypdfium2: object, data: bytes, characters: int) -> dict[str, object]:
    try:
        document = pypdfium2.PdfDocument(data)  # type: ignore[attr-defined]
        total = len(document)
    except pypdfium2.PdfiumError as e:  # type: ignore[attr-defined]
        return {"error": "password" if "assword" in str(e) else "damaged"}
    pages: list[str] = []
    for number in range(total):
        text = ""
        with contextlib.suppress(pypdfium2.PdfiumError):  # type: ignore[attr-defined] # one bad page is an empty page
            page = document[number]
            inside = page.get_textpage()
            text = inside.get_text_bounded().encode("utf-8", "replace").decode()
            inside.close()
            page.close()
        pages.append(text[:characters])
        characters -= len(text)
        if characters <= 0:
            break
    return {"pages": pages, "total": total}


def _bound(memory: int, seconds: int) -> None:
    """Bound memory (bytes), CPU time (seconds), files and processes; end when the parent does."""
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))
    with contextlib.suppress(OSError):
        os.nice(10)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _shut() -> None:
    """Have the kernel refuse all calls but those that compute and answer. Where this kind of machine or kernel has no
    such filter, the bounds alone hold."""
    known = _CALLS.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return
    machine, allowed = known
    steps = [(0x20, 0, 0, 4), (0x15, 0, len(allowed) + 1, machine), (0x20, 0, 0, 0)]  # load, compare, load the number
    steps += [(0x15, len(allowed) - i, 0, number) for i, number in enumerate(allowed)]
    steps += [(0x06, 0, 0, _DENY), (0x06, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.c_ulong(ctypes.addressof(program)), 0, 0)


if __name__ == "__main__":
    main()
