"""End the worker in every call: null pointers, abort, signals to itself, exit, a broken stack, an illegal instruction.

Success: the grader stumbles over it, starts workers without end, or a neighbor's grade changes.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 0.5, "total_seconds": 3}
BODIES = r"""
ctypes.string_at(0)

os.abort()

os.kill(os.getpid(), signal.SIGKILL)

os._exit(0)

os.killpg(0, signal.SIGKILL)

os.kill(-1, signal.SIGKILL)
os.kill(1, signal.SIGKILL)
os._exit(1)

ctypes.memset(id(x), 0, 200)
return x

ctypes.memset(id(None), 0, 16)

signal.signal(signal.SIGSEGV, lambda *_: None)
ctypes.string_at(1)

page = mmap.mmap(-1, 4096, prot=7)
page.write(b'\x0f\x0b')
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()

resource.setrlimit(resource.RLIMIT_STACK, (4096, 4096))
resource.setrlimit(resource.RLIMIT_AS, (1, 1))
return [x] * 10**6

os.closerange(0, 1000)
return 2 * x
"""
HEAD = """
import ctypes
import mmap
import os
import resource
import signal
"""


def build(folder):
    return submissions(folder, BODIES, head=HEAD)
