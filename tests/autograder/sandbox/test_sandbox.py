"""What a submission cannot do, and how each limit ends it, on both paths. `tests/attacks` tries harder."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from autograder import sandbox as sandbox_module
from autograder import submission
from autograder.sandbox import (
    Ended,
    Limits,
    Pool,
    Sandbox,
    SandboxUnavailable,
    View,
    cgroup,
    pool,
    process,
    start_worker,
    why_not,
)
from autograder.sandbox.view import gpu_devices

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}"),
    pytest.mark.usefixtures("path"),
]

VIEW = View(packages=("scipy",), hidden=("scipy.cluster",))
LIMITS = Limits(call_seconds=2.0, total_seconds=20.0, memory_mb=512)
CGROUP = cgroup.group(memory_mb=64, processes=8, cores=1)
if CGROUP is not None:
    CGROUP.remove()
current: dict[str, Pool | None] = {"pool": None}


@pytest.fixture(scope="module")
def warm_pool():
    with Pool() as warm:
        yield warm
        assert warm.why_cold is None


@pytest.fixture(params=["cold", "warm"])
def path(request, warm_pool):
    """Every test holds for workers that start from nothing and for those that are forked."""
    current["pool"] = warm_pool if request.param == "warm" else None
    yield request.param
    current["pool"] = None


def start(source, *, view=VIEW, limits=LIMITS, isolated=True):
    source = textwrap.dedent(source)
    names = [line[4:].split("(")[0] for line in source.splitlines() if line.startswith("def ")]
    definitions = submission.definitions(submission.read(source.encode(), "a.py"), names)
    worker = start_worker(view, isolated=isolated, pool=current["pool"])
    return Sandbox(definitions, view=view, limits=limits, isolated=isolated, worker=worker)


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


@pytest.mark.parametrize(
    "line",
    [
        "import scipy.cluster",
        "from scipy import cluster",
        "import importlib; importlib.import_module('scipy.cluster.vq')",
        "__import__('scipy.cluster')",
    ],
)
def test_a_hidden_module_says_so_whichever_way_it_is_imported(line):
    error = run(line)
    assert error["type"] in ("ModuleNotFoundError", "ImportError") and "left out on purpose" in error["message"]


@pytest.mark.parametrize(
    "source",
    [
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: list[int]\ndef f():\n    return P([1]).a",
        "import pickle\nclass P:\n    a = [1]\ndef f():\n    return pickle.loads(pickle.dumps(P())).a",
        "if __name__ == '__main__':\n    A = [1]\ndef f():\n    return A",
    ],
)
def test_the_notebook_is_the_main_module_as_in_jupyter(source):
    with start(source) as sandbox:
        assert sandbox.call("f", [], {})["result"] == [1]


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("from tqdm import tqdm", "return [i for i in tqdm(range(2))]"),
        ("from tqdm.auto import tqdm, trange", "return [i for i in trange(0, 2, desc='x')]"),
        ("import tqdm", "with tqdm.tqdm([0, 1]) as bar:\n        bar.set_description('x')\n        return list(bar)"),
        ("from IPython.display import display", "display('x')\n    return [0, 1]"),
        ("x = 1", "display(x)\n    return [0, x]"),
        (
            "import matplotlib.pyplot as plt",
            "fig, axes = plt.subplots(1, 2)\n    axes[0].imshow([[x]])\n    plt.show()\n    return [0, 1]",
        ),
    ],
)
def test_what_only_shows_something_does_nothing(line, body):
    with start(f"x = 1\n{line}\ndef f():\n    {body}") as sandbox:
        assert sandbox.call("f", [], {})["result"] == [0, 1]


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
        "import signal; signal.pthread_sigmask(0, range(1, 65)); signal.pause()",
    ],
)
def test_a_call_that_does_not_end_is_ended(body):
    with pytest.raises(Ended) as ended:
        run(body, limits=Limits(call_seconds=0.5))
    assert ended.value.kind == "timeout"


def test_a_call_within_the_time_is_left_alone():
    assert run("import time; time.sleep(0.3); return 1", limits=Limits(call_seconds=3)) == 1


def test_a_slow_start_is_not_the_students_fault(monkeypatch):
    limits = Limits(call_seconds=0.2, total_seconds=2)
    real = Sandbox._exchange

    def slow(self, *args):
        if not self._is_up:
            time.sleep(1.5)
        return real(self, *args)

    monkeypatch.setattr(Sandbox, "_exchange", slow)
    with start("def f():\n    return 1", limits=limits) as sandbox:
        assert sandbox.call("f", [], {})["result"] == 1
        assert sandbox.seconds_left > 1
    monkeypatch.setattr(process, "START_SECONDS", 0.0001)
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
    "body", ["import os; os._exit(0)", "import os; os.abort()", "import ctypes; ctypes.string_at(0)"]
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


def threads_inside(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def test_no_process_stays():
    sandbox = start(
        "import threading, time\ndef f():\n    [threading.Thread(target=time.sleep, args=(99,)).start() for _ in 'abc']"
    )
    sandbox.call("f", [], {})
    pid = sandbox._process.pid
    assert threads_inside(pid) == 4
    sandbox.close()
    assert not Path(f"/proc/{pid}").exists() and not sandbox.open


def test_nothing_stays_when_it_ends_while_it_starts(monkeypatch):
    seen = []

    def fail(self, *_):
        seen.append(self._process.pid)
        raise Ended("refused", "at once")

    monkeypatch.setattr(Sandbox, "_exchange", fail)
    for _ in range(5):
        with pytest.raises(Ended):
            start("def f():\n    return 1")
    assert len(seen) == 5 and not any(Path(f"/proc/{pid}").exists() for pid in seen)


def test_definitions_that_cannot_be_sent_start_nothing(monkeypatch):
    monkeypatch.setattr(sandbox_module, "start_worker", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(ValueError, match="bytes"):
        Sandbox({"cells": {"a": "é" * 5_000_000}, "statements": []}, view=VIEW, limits=LIMITS)


def test_asynchronous_input_and_output_is_refused():
    assert run("import ctypes; return ctypes.CDLL(None).syscall(206, 8, ctypes.byref(ctypes.c_ulong(0)))") == -1


@pytest.mark.parametrize("number", [9, 15, 19])
def test_it_cannot_end_or_stop_itself_by_a_signal_as_the_first_process_of_its_name_space(number):
    assert run(f"import os; os.kill(os.getpid(), {number}); return os.getpid()") == 1


def test_memory_counts_what_is_shared_and_what_threads_take():
    share = "import mmap; m = mmap.mmap(-1, {} * 2**20); m.write(bytes(2**20)); return 1"
    assert run(share.format(200)) == 1
    assert run(share.format(600))["type"] in ("OSError", "ValueError")


def test_files_in_tmp_are_limited_in_size_and_number():
    fill = "written = 0\nfor i in range({}):\n    written += open(f'/tmp/{{i}}', 'wb').write(bytes({}))\nreturn written"
    limits = Limits(memory_mb=512, tmp_mb=8, tmp_files=100)
    assert run(fill.format(7, 2**20), limits=limits) == 7 * 2**20
    assert "No space left" in run(fill.format(9, 2**20), limits=limits)["message"]
    assert run(fill.format(90, 0), limits=limits) == 0
    assert "No space left" in run(fill.format(110, 0), limits=limits)["message"]


def test_no_other_place_is_writable():
    body = """
        import os
        found = []
        for folder, folders, files in os.walk('/'):
            try:
                open(os.path.join(folder, 'new'), 'w')
                found.append(folder)
            except OSError:
                pass
            found += [f for f in files if os.access(os.path.join(folder, f), os.W_OK) and not folder.startswith('/dev')]
        return sorted(set(found))
    """
    assert run(body) == ["/tmp"]


def test_threads_are_limited(path):
    body = """
        import threading, time
        try:
            for count in range({}):
                threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        except RuntimeError:
            return -1
        return count
    """
    limits = Limits(memory_mb=1024, threads=16)
    assert run(body.format(10), limits=limits) == 9
    if os.geteuid() == 0 and not process._owner(VIEW) and CGROUP is None:
        pytest.skip("the limit does not hold for root, and no control group can be made here")
    assert run(body.format(40), limits=limits) == -1


def test_processor_time_is_limited():
    burn = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\nreturn 1"
    limits = Limits(call_seconds=20, total_seconds=20)
    assert run(burn.format(0.5), limits=limits) == 1

    class Hasty(Limits):
        def as_rlimits(self, *, gpu=False):
            return super().as_rlimits(gpu=gpu) | {"CPU": 1}

    with pytest.raises(Ended) as ended:
        run(burn.format(5), limits=Hasty(call_seconds=20, total_seconds=20))
    assert ended.value.kind == "crash"


def test_answers_are_limited_in_size():
    assert run("return np.zeros(7_000_000)", limits=Limits(memory_mb=2048)).nbytes == 56_000_000
    assert run("return np.zeros(9_000_000)", limits=Limits(memory_mb=2048))["type"] == "WireError"
    assert len(run("return 'x' * 3_000_000")) == 3_000_000
    assert run("return 'x' * 5_000_000")["type"] == "WireError"


@pytest.mark.skipif(CGROUP is None, reason="no control group can be made here")
def test_a_control_group_counts_memory_and_files_together():
    body = """
        for i in range({}):
            open(f'/tmp/{{i}}', 'wb').write(bytes(10 * 2**20))
        return np.ones({} * 2**17).sum()
    """
    limits = Limits(memory_mb=400, address_space_mb=2048, tmp_mb=400, call_seconds=10)
    assert run(body.format(5, 100), limits=limits) == 100 * 2**17
    with pytest.raises(Ended, match="out of memory") as ended:
        run(body.format(30, 150), limits=limits)
    assert ended.value.kind == "crash"


@pytest.mark.skipif(CGROUP is None, reason="no control group can be made here")
def test_threads_share_the_time_of_one_core():
    body = """
        import threading, time
        end = time.monotonic() + 0.6
        def spin():
            while time.monotonic() < end:
                np.sort(x)
        x = np.random.rand(100_000)
        spinning = [threading.Thread(target=spin) for _ in range(4)]
        before = time.process_time()
        [t.start() for t in spinning], [t.join() for t in spinning]
        return time.process_time() - before
    """
    assert run(body) < 0.6 + 0.25  # two cores would give 1.2 where there are two


@pytest.mark.skipif(CGROUP is None, reason="no control group can be made here")
def test_control_groups_go_with_their_sandbox():
    sandbox = start("def f():\n    return 1")
    folders = sandbox._group.folders
    assert all(str(sandbox._process.pid) in (f / "cgroup.procs").read_text().split() for f in folders)
    sandbox.close()
    assert folders and not any(f.exists() for f in folders)


def test_what_is_drawn_without_a_seed_can_be_drawn_again():
    body = """
        import random
        words = {'one', 'two', 'three', 'four'}
        return random.random(), np.random.rand(), np.random.default_rng().random(), list(words), hash('x')
    """
    assert run(body) == run(body)


def test_a_worker_leaves_nothing_to_the_next(path):
    leave = """
        import builtins, numpy, os, sys
        builtins.MARK = numpy.MARK = sys.MARK = os.environ['MARK'] = '1'
        numpy.add = None
        open('/tmp/mark', 'w').write('1')
        return 1
    """
    seek = """
        import builtins, numpy, os, sys
        marks = [hasattr(m, 'MARK') for m in (builtins, numpy, sys)] + ['MARK' in os.environ, numpy.add is None]
        return any(marks) or os.listdir('/tmp')
    """
    assert run(leave) == 1 and run(seek) == []


def test_two_workers_at_once_do_not_see_each_other():
    source = "import os\ndef f():\n    open('/tmp/mine', 'w')\n    return os.getpid(), os.listdir('/tmp')"
    with start(source) as one, start(source) as two:
        assert one.call("f", [], {})["result"] == two.call("f", [], {})["result"] == [1, ["mine"]]


def test_a_worker_that_is_killed_from_outside_is_a_crash():
    with start("import time\ndef f():\n    time.sleep(9)") as sandbox:
        threading.Timer(0.3, os.kill, (sandbox._process.pid, 9)).start()
        with pytest.raises(Ended) as ended:
            sandbox.call("f", [], {})
    assert ended.value.kind == "crash"


def test_bytes_that_drip_are_not_waited_for_again_and_again():
    source = FORGE.replace(
        "    send({})\n    time.sleep(9)", "    [(os.write(fd(), b'x'), time.sleep(0.1)) for _ in range(90)]"
    )
    source += """
def fd():
    frame = sys._getframe()
    while "answers" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["answers"].fileno()
"""
    with start(source, limits=Limits(call_seconds=1, total_seconds=9)) as sandbox:
        with pytest.raises(Ended) as ended:
            sandbox.call("f", [], {})
    assert ended.value.kind in ("timeout", "refused")


@pytest.mark.parametrize("path", ["warm"], indirect=True)
def test_where_warm_workers_do_not_work_a_cold_one_does_the_same(monkeypatch):
    def fail(view):
        raise pool.NotWarm("no name spaces inside name spaces")

    monkeypatch.setattr(pool, "Parent", fail)
    with Pool() as own:
        current["pool"] = own
        assert run("return 1") == 1 and own.why_cold == "no name spaces inside name spaces"


@pytest.mark.parametrize("path", ["warm"], indirect=True)
def test_a_parent_that_died_is_replaced():
    with Pool() as own:
        current["pool"] = own
        assert run("return 1") == 1
        own._parents[VIEW]._bwrap.kill()
        own._parents[VIEW]._bwrap.wait()
        assert run("return 2") == 2 and own.why_cold is None


@pytest.mark.parametrize("path", ["warm"], indirect=True)
def test_a_pool_that_closes_ends_its_workers():
    own = Pool()
    current["pool"] = own
    sandbox = start("def f():\n    return 1")
    pid, parent = sandbox._process.pid, own._parents[VIEW]._bwrap.pid
    own.close()
    time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists() and not Path(f"/proc/{parent}/exe").exists()
    sandbox.close()


def test_the_gpu_is_shown_only_where_the_lesson_asks_for_it(tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "nvidia-caps", "sda"):
        (tmp_path / name).touch()
    assert [d.name for d in gpu_devices(tmp_path)] == ["nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1"]
    assert run("import os; return sorted(os.listdir('/dev'))") == ["full", "null", "random", "urandom", "zero"]


@pytest.mark.skipif(not gpu_devices(), reason="no GPU here")
def test_a_gpu_lesson_computes_on_the_gpu():
    view = View(packages=("torch",), gpu=True)
    limits = Limits(call_seconds=60, total_seconds=120, memory_mb=8192)
    assert run("import torch; return float(torch.ones(8, device='cuda').sum())", view=view, limits=limits) == 8.0


def test_a_torch_lesson_has_address_space_beside_its_memory(path):
    pytest.importorskip("torch")
    view = View(packages=("torch",))
    limits = Limits(call_seconds=20, total_seconds=60, memory_mb=1536, address_space_mb=6144)
    assert run("import torch; return float(torch.ones(8).sum())", view=view, limits=limits) == 8.0
    error = run("import torch; return float(torch.ones(600, 2**20).sum())", view=view, limits=limits)
    assert error["type"] == "RuntimeError" and "memory" in error["message"]


def test_a_hardened_judge_cannot_be_read_by_others_of_its_user():
    code = "import ctypes; from autograder.sandbox import harden; harden(); print(ctypes.CDLL(None).prctl(3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"  # PR_GET_DUMPABLE
