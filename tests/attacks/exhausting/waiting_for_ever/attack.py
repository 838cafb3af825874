"""Wait in the kernel for what never comes: a pipe without a reader, its own lock, its own child, its own answer.

Success: grading does not end in time, or a process is left.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 0.25, "total_seconds": 1.5}
BODIES = r"""
os.mkfifo('/tmp/pipe')
open('/tmp/pipe')

reads, _ = os.pipe()
os.read(reads, 1)

_, writes = os.pipe()
while True:
    os.write(writes, bytes(10**6))

lock = threading.Lock()
lock.acquire()
lock.acquire()

futex = ctypes.c_int(0)
ctypes.CDLL(None).syscall(202, ctypes.byref(futex), 0, 0, None)

ctypes.PyDLL(None).sleep(3600)

signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
signal.sigwait(signal.valid_signals())

vfork = ctypes.CDLL(None).vfork
return vfork()

os.kill(os.getpid(), signal.SIGTSTP)
signal.pause()
"""
HEAD = "import ctypes\nimport os\nimport signal\nimport threading\nimport time\n"


def build(folder):
    return submissions(folder, BODIES, head=HEAD)
