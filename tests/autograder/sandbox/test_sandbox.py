"""What a submission cannot do, and how each limit ends it. `tests/attacks` will try harder."""

import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from autograder import sandbox as sandbox_module
from autograder import submission
from autograder.sandbox import Ended, Limits, Sandbox, SandboxUnavailable, View, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")

VIEW = View(packages=("scipy",), hidden=("scipy.cluster",))
LIMITS = Limits(call_seconds=2.0, total_seconds=20.0, memory_mb=512)


def start(source, *, view=VIEW, limits=LIMITS, isolated=True):
    source = textwrap.dedent(source)
    names = [line[4:].split("(")[0] for line in source.splitlines() if line.startswith("def ")]
    definitions = submission.definitions(submission.read(source.encode(), "a.py"), names)
    return Sandbox(definitions, view=view, limits=limits, isolated=isolated)


def run(body, **options):
    """Result or error of a function with this body."""
    source = "import numpy as np\ndef f():\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ")
    with start(source, **options) as sandbox:
        answer = sandbox.call("f", [], {})
    return answer.get("result", answer.get("error"))


def test_arrays_go_in_and_come_out():
    with start("def f(x, scale):\n    return x * scale, x.shape") as sandbox:
        answer = sandbox.call("f", [np.arange(3.0)], {"scale": 2})
    assert answer["result"][0].tolist() == [0.0, 2.0, 4.0]
    assert answer["mutated"] == []


def test_changing_an_argument_is_noticed_and_harms_nobody():
    x = np.zeros(3)
    with start("def f(x):\n    x[0] = 1") as sandbox:
        assert sandbox.call("f", [x], {})["mutated"] == ["0"]
    assert x[0] == 0


@pytest.mark.parametrize(
    "body",
    [
        "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import os; os.fork()",
        "import subprocess; subprocess.run(['/python/bin/python3', '-c', ''])",
        "open('/box/inside/wire.py', 'a')",
        "open('/new', 'w')",
        "open('/dev/new', 'w')",
        "import os; os.setuid(0)",
        "import os; os.chroot('/tmp')",
        "import os; os.unshare(os.CLONE_NEWUSER) if hasattr(os, 'unshare') else os.fork()",
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True); assert libc.ptrace(0, 0, 0, 0) == 0",
        "import ctypes; libc = ctypes.CDLL(None); assert libc.mount(b'a', b'/tmp', b'tmpfs', 0, 0) == 0",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
    ],
)
def test_it_cannot(body):
    error = run(body)
    assert isinstance(error, dict) and error["type"] in ("PermissionError", "OSError", "AssertionError", "ValueError")


def test_it_sees_nothing_of_this_machine(root, monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    seen = run(
        f"""
        import os
        places = [{str(root)!r}, '/root', '/home', '/etc', '/proc', '/sys', '/var', '/usr/bin']
        return [p for p in places if os.path.exists(p)] + [k for k in os.environ if k == 'SECRET'] + os.listdir('/tmp')
        """
    )
    assert seen == []


@pytest.mark.parametrize("module", ["unseg_helpers", "autograder", "sklearn", "scipy.cluster.vq", "pip", "skimage"])
def test_it_cannot_import(module):
    error = run(f"import {module}")
    assert error["type"] == "ModuleNotFoundError"


def test_a_hidden_module_is_explained_kindly():
    with start("from scipy.cluster.vq import kmeans2\ndef f():\n    return kmeans2(1, 2)") as sandbox:
        error = sandbox.call("f", [], {})["error"]
    assert "left out on purpose" in error["message"] and "write that part yourself" in error["message"]


def test_the_helpers_of_a_lesson_can_be_imported_and_no_others():
    view = View(packages=(), helpers=("features",))
    assert run("from unseg_helpers import features; return 1", view=view) == 1
    assert run("import unseg_helpers.kmeans", view=view)["type"] == "ModuleNotFoundError"


def test_prints_and_input_lead_nowhere():
    assert run("print('{' * 10_000_000); import sys; sys.stdout.flush(); return 3") == 3
    assert run("input()")["type"] == "EOFError"


def test_memory_is_limited():
    assert run("return np.ones(20 * 2**20).sum()") == 20 * 2**20  # 160 MiB of 512
    assert run("return np.ones(80 * 2**20).sum()")["type"] == "MemoryError"


def test_files_are_limited():
    assert run("open('/tmp/a', 'wb').write(bytes(10 * 2**20)); return 1") == 1
    error = run(
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); open('/tmp/a', 'wb').write(bytes(20 * 2**20))"
    )
    assert error["type"] == "OSError"


def test_open_files_are_limited():
    assert run("f = [open('/dev/null') for _ in range(40)]; return 1") == 1
    assert run("f = [open('/dev/null') for _ in range(80)]; return 1")["type"] == "OSError"


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import signal; signal.pause()",
        "import os; os.kill(os.getpid(), 19)",
    ],
)
def test_a_call_that_does_not_end_is_ended(body):
    with pytest.raises(Ended) as ended:
        run(body, limits=Limits(call_seconds=0.5))
    assert ended.value.kind == "timeout"


def test_a_call_within_the_time_is_left_alone():
    assert run("import time; time.sleep(0.3); return 1", limits=Limits(call_seconds=3)) == 1


def test_a_slow_start_is_not_the_students_fault(monkeypatch):
    limits = Limits(call_seconds=0.2, total_seconds=2)  # importing NumPy inside takes about as long
    monkeypatch.setattr(sandbox_module, "why_not", lambda: time.sleep(0.5))
    with start("def f():\n    return 1", limits=limits) as sandbox:
        assert sandbox.call("f", [], {})["result"] == 1
        assert sandbox.seconds_left > 1
    monkeypatch.setattr(sandbox_module, "START_SECONDS", 0.001)
    with pytest.raises(SandboxUnavailable, match="did not start"):
        start("def f():\n    return 1")


def test_the_whole_submission_has_a_limit():
    with start(
        "import time\ndef f():\n    time.sleep(0.4)", limits=Limits(call_seconds=5, total_seconds=1.5)
    ) as sandbox:
        with pytest.raises(Ended, match="whole submission"):
            for _ in range(10):
                sandbox.call("f", [], {})


@pytest.mark.parametrize(
    "body", ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "import ctypes; ctypes.string_at(0)"]
)
def test_a_process_that_ends_is_a_crash_with_a_reason(body):
    with pytest.raises(Ended, match="process") as ended:
        run(body)
    assert ended.value.kind == "crash"


def test_exit_is_an_error_like_any_other():
    assert run("raise SystemExit('100 points')")["type"] == "SystemExit"


def test_writing_to_the_channel_forges_nothing():
    flood = """
        import os
        for fd in range(3, 64):
            try:
                os.write(fd, b'{"result": 100}' * 100)
            except OSError:
                pass
        return 1
    """
    with pytest.raises(Ended) as ended:
        run(flood)
    assert ended.value.kind == "refused"


def test_a_second_answer_is_refused():
    source = """
        import os, struct, json
        def f(fd):
            text = json.dumps({"id": 2, "result": 100, "mutated": []}).encode()
            os.write(fd, struct.pack("<IQ", len(text), 0) + text) if fd else None
            return 1
    """
    for fd in range(3, 12):
        with start(source) as sandbox:
            try:
                sandbox.call("f", [fd], {})
                second = sandbox.call("f", [0], {})["result"]
            except Ended:
                continue
            assert second == 1


def test_a_huge_answer_is_an_error_not_a_crash():
    error = run("return np.zeros(40 * 2**20)", limits=Limits(memory_mb=2048))  # 320 MiB
    assert error["type"] == "WireError"


def test_definitions_that_fail_leave_the_others_alone():
    with start("x = 1 / 0\ndef f():\n    return 1\ndef g():\n    return x + 1") as sandbox:
        assert sandbox.call("f", [], {})["result"] == 1
        assert "division by zero" in sandbox.call("g", [], {})["error"]["message"]
        assert list(sandbox.failed) == ["x"]


def test_definitions_that_do_not_end_are_ended():
    with pytest.raises(Ended):
        start("while True:\n    x = 1\ndef f():\n    return x", limits=Limits(call_seconds=0.3, total_seconds=2))


def test_the_same_worker_without_isolation():
    with start("def f(x):\n    return x + 1", isolated=False) as sandbox:
        assert sandbox.call("f", [np.ones(2)], {})["result"].tolist() == [2.0, 2.0]


def test_nothing_is_left_when_the_call_ends(tmp_path):
    sandbox = start(
        "import threading, time\ndef f():\n    threading.Thread(target=time.sleep, args=(99,)).start()\n    return 1"
    )
    assert sandbox.call("f", [], {})["result"] == 1
    sandbox.close()
    assert not sandbox.open


FORGE = """
import os, struct, json, sys, time
def send(answer):
    frame = sys._getframe()
    while "answers" not in frame.f_locals:
        frame = frame.f_back
    text = json.dumps(answer).encode()
    os.write(frame.f_locals["answers"].fileno(), struct.pack("<IQ", len(text), 0) + text)
def f():
    send({})
    time.sleep(9)
"""


@pytest.mark.parametrize(
    "answer",
    [
        {"id": True, "result": 1, "mutated": []},
        {"id": 1.0, "result": 1, "mutated": []},
        {"id": [1], "result": 1, "mutated": []},
        {"id": 1, "result": 1, "mutated": [], "score": 100},
        {"id": 1, "result": 1, "error": {"type": "", "message": "", "where": {}}},
        {"id": 1, "result": 1},
    ],
)
def test_a_forged_answer_of_another_form_is_refused(answer):
    with start(FORGE.replace("{}", repr(answer))) as sandbox:
        with pytest.raises(Ended) as ended:
            sandbox.call("f", [], {})
    assert ended.value.kind == "refused"


@pytest.mark.parametrize("failed", [{"f": "x"}, {"f": {}}, {"f": {"reason": 3}}, [1]])
def test_forged_failures_of_definitions_are_refused(failed):
    with pytest.raises(Ended) as ended:
        start(FORGE.replace("    send({})\n", "    pass\n") + f"X = send({{'failed': {failed!r}}})\ndef g(x=X): pass")
    assert ended.value.kind == "refused"


def children_of(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_no_process_and_no_zombie_stays():
    sandbox = start("def f():\n    return 1")
    inside = children_of(sandbox._process.pid)
    assert inside
    sandbox.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in inside)


def test_nothing_stays_when_it_ends_while_it_starts(monkeypatch):
    seen = []

    def fail(self, *_):
        seen.append(self._process.pid)
        raise Ended("refused", "at once")

    monkeypatch.setattr(Sandbox, "_exchange", fail)
    before = set(children_of(1))
    for _ in range(5):
        with pytest.raises(Ended):
            start("def f():\n    return 1")
    orphans = [p for p in set(children_of(1)) - before if "bwrap" in Path(f"/proc/{p}/comm").read_text()]
    assert seen and not orphans


def test_definitions_that_cannot_be_sent_start_nothing(monkeypatch):
    monkeypatch.setattr(Sandbox, "_start", lambda *_: pytest.fail("a process was started"))
    with pytest.raises(ValueError, match="may cross"):
        Sandbox({"cells": {"a": "é" * 1_000_000}, "statements": []}, view=VIEW, limits=LIMITS)


def test_asynchronous_input_and_output_is_refused():
    assert run("import ctypes; return ctypes.CDLL(None).syscall(206, 8, ctypes.byref(ctypes.c_ulong(0)))") == -1
