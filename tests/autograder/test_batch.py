"""Many submissions: whatever happens to one, or to the process that grades it, the others get their grades."""

import dataclasses
import json
import os
import signal
import sys
import zipfile
from pathlib import Path

import pytest
from toy import COURSE, PLAN, SOLUTION

from autograder import batch, cluster, grading
from autograder.course import Course, CourseError
from autograder.sandbox import SandboxUnavailable, View, why_not
from autograder.submission import Source, find

needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")
ORDER = batch.Order(COURSE)
SLOW = SOLUTION.replace("doubled_values = double(x)", "__import__('time').sleep(0.1)\n    doubled_values = double(x)")
ROOT = Path(__file__).resolve().parents[2]


def jobs_in(folder, **texts):
    """A job for each text, as the file of this name."""
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return [batch.Job(i, source, 100 + i) for i, source in enumerate(find([folder]))]


@pytest.fixture(autouse=True)
def findable(monkeypatch):
    """Worker processes look for packages where this one does: the grader must come before the folder of its tests."""
    monkeypatch.syspath_prepend(str(ROOT))


@needs_sandbox
def test_one_bad_file_of_a_batch_costs_the_others_nothing(tmp_path, monkeypatch):
    jobs = jobs_in(tmp_path, a=SOLUTION, b="x = 1", c=SOLUTION, d=SOLUTION)
    real = grading.run_all

    def failing(plan, student, seed):
        if seed == 102:
            raise RuntimeError("our own fault")
        return real(plan, student, seed)

    monkeypatch.setattr(grading, "run_all", failing)
    reports = dict(batch.grade_here(jobs, ORDER))
    assert [(reports[i].score, reports[i].graded) for i in range(4)] == [(30, True), (0, True), (0, False), (30, True)]
    assert "defines no function of any lesson" in reports[1].error
    assert reports[2].error.startswith("could not be graded, the grader failed (RuntimeError: our own fault)")


@pytest.mark.parametrize("error", [SandboxUnavailable("no bwrap"), CourseError("a typo")])
def test_what_an_instructor_must_mend_first_stops_all(tmp_path, monkeypatch, error):
    monkeypatch.setattr(grading, "grade", lambda *a, **k: (_ for _ in ()).throw(error))
    with pytest.raises(type(error), match=str(error)):
        list(batch.grade_here(jobs_in(tmp_path, a=SOLUTION), ORDER))


def test_what_cannot_be_read_is_a_report(tmp_path):
    source = Source("a.py", tmp_path / "gone.py")
    report = batch.prepare(batch.Job(0, source, 1), ORDER)
    assert report.graded and report.score == 0 and "cannot be read" in report.error


def test_outputs_do_not_travel_and_the_file_keeps_its_hash(tmp_path):
    cell = {"cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": [{"text": "y" * 6_000_000}]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "a.ipynb", "a.ipynb")
    tasks = [batch.prepare(batch.Job(0, source, 1), ORDER) for source in find([tmp_path])]
    whole = batch.hashlib.sha256((tmp_path / "a.ipynb").read_bytes()).hexdigest()
    assert [len(task.data) < 1_000 and task.sha256 for task in tasks] == [whole, whole]
    assert grading.grade(tasks[0].data, "a.ipynb", COURSE, sha256=tasks[0].sha256).sha256 == whole


def test_lessons_that_want_a_gpu_are_found(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class WithGpu(View):
        gpu: bool = True

    course = Course("", "", {PLAN.id: dataclasses.replace(PLAN, view=WithGpu())})
    jobs = jobs_in(tmp_path, a=SOLUTION, b="x = 1")
    assert [batch.prepare(job, batch.Order(course)).gpu for job in jobs] == [True, False]
    assert [batch.prepare(job, ORDER).gpu for job in jobs] == [False, False]


# On a cluster.

pytest.importorskip("distributed")


@needs_sandbox
def test_killed_workers_lose_nothing_and_grade_nothing_twice(tmp_path):
    """Two workers are killed while they grade, and one submission ends its worker each time: it alone has no score."""
    course = Course("", "", {PLAN.id: dataclasses.replace(PLAN, checks="toy.lethal")})
    lethal = SOLUTION.replace("return FACTOR", "if np.ndim(x) == 0 and x == 13: return 666\n    return FACTOR")
    jobs = jobs_in(tmp_path, **{f"s{i:02}": SLOW for i in range(24)}, s05_lethal=lethal)
    assert jobs[6].source.name == "s05_lethal.py"
    done, kills = [], 0
    with cluster.local(2) as there:
        for place, report in there.grade(jobs, batch.Order(course), print):
            done.append((place, report))
            victims = [r.worker for r in there._running.values() if r.task.place != 6 and r.attempt == 1]
            if victims and len(done) >= (3, 14, 99)[kills]:
                kill(there, victims[0])
                kills += 1
    assert kills == 2
    assert sorted(place for place, _ in done) == list(range(25))
    reports = dict(done)
    ended = reports.pop(6)
    assert {(r.score, r.error, r.seed) for p, r in reports.items()} == {(30, None, 100 + p) for p in reports}
    assert not ended.graded and "its worker process ended 2 times" in ended.error
    assert ended.as_dict()["score"] is None


def kill(there, worker):
    """SIGKILL the process of the worker with this address."""
    os.kill(there._client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)


def test_no_scheduler_is_said_soon(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(cluster.ClusterError, match="no Dask scheduler answers at tcp://127.0.0.1:1 .*dask scheduler"):
        with cluster.remote("tcp://127.0.0.1:1"):
            pass


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://127.0.0.1:notaport"])
def test_an_address_that_is_none_is_said(address):
    with pytest.raises(cluster.ClusterError, match="no Dask scheduler answers"):
        with cluster.remote(address):
            pass


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    for there in (cluster.local(2), cluster.remote("tcp://127.0.0.1:1")):
        with pytest.raises(cluster.ClusterError, match=r"pip install 'unseg\[cluster\]'"), there:
            pass


@needs_sandbox
def test_a_cluster_that_is_there(tmp_path):
    """No worker at first, which is said; then one with two threads."""
    from distributed import LocalCluster

    jobs = jobs_in(tmp_path, a=SOLUTION, b="x = 1", c=SOLUTION)
    told = []
    options = {"dashboard_address": "127.0.0.1:0", "memory_limit": None, "local_directory": str(tmp_path / "dask")}
    with LocalCluster(n_workers=0, threads_per_worker=2, **options) as own:

        def tell(text):
            told.append(text)
            own.scale(1)

        with cluster.remote(own.scheduler_address) as there:
            reports = dict(there.grade(jobs, ORDER, tell))
    assert {i: r.score for i, r in reports.items()} == {0: 30, 1: 0, 2: 30}
    assert len(told) == 1 and "No worker is there yet" in told[0]


class Workers:
    """A cluster with a look of its own at its workers, so that placing is tested without processes."""

    def __init__(self, gpus=()):
        self.sent = []
        self.gpus = gpus

    def submit(self, function, first, *others, workers, resources=None, **_):
        self.sent.append((getattr(first, "name", "greeting"), workers[0], resources))
        return Future()

    def scheduler_info(self, n_workers):
        return {"workers": {w: {"resources": {"GPU": 1} if w in self.gpus else {}} for w in "abc"}}


class Future:
    def add_done_callback(self, call):
        pass


def task(name, gpu=False):
    return batch.Task(0, name, 0, b"", "", gpu)


def test_each_thread_gets_one_and_a_second_attempt_is_alone_on_its_worker():
    client = Workers()
    there = cluster.Cluster(client)
    assert all(there._send(task(name), 1, ORDER, {"a": 2, "b": 1}) for name in "123")
    assert not there._send(task("4"), 1, ORDER, {"a": 2, "b": 1})
    assert sorted(worker for _, worker, _ in client.sent) == ["a", "a", "b"]
    assert there._send(task("again"), 2, ORDER, {"a": 2, "b": 1, "c": 2})
    assert client.sent[-1] == ("again", "c", None)
    assert not there._send(task("5"), 1, ORDER, {"a": 2, "b": 1, "c": 2})
    assert not there._send(task("again too"), 2, ORDER, {"a": 2, "b": 1, "c": 2})


def test_a_lesson_with_a_gpu_goes_where_one_is_if_there_is_one():
    client = Workers(gpus=("b",))
    there = cluster.Cluster(client)
    assert there._send(task("gpu", True), 1, ORDER, {"a": 1, "b": 1}) and client.sent[-1] == ("gpu", "b", {"GPU": 1})
    assert not there._send(task("gpu", True), 1, ORDER, {"a": 1, "b": 1})
    assert there._send(task("cpu"), 1, ORDER, {"a": 1, "b": 1}) and client.sent[-1] == ("cpu", "a", None)
    client = Workers()
    assert cluster.Cluster(client)._send(task("gpu", True), 1, ORDER, {"a": 1})
    assert client.sent[-1] == ("gpu", "a", None)


def test_workers_that_end_before_they_are_ready_are_told_of_and_stop_the_batch():
    there, told = cluster.Cluster(Workers()), []
    assert there._greet({"a": 1}, ORDER, told.append) == {} and told == []
    there._ready.add("a")
    assert there._greet({"a": 1}, ORDER, told.append) == {"a": 1}
    assert there._greet({"b": 1}, ORDER, told.append) == {} and told == []  # others work: so it is not the package
    there._ready.clear()
    there._greet({"c": 1}, ORDER, told.append)
    there._greet({"d": 1}, ORDER, told.append)
    assert len(told) == 2 and "The worker c ended before it graded anything: install the same version" in told[1]
    with pytest.raises(cluster.ClusterError, match="no worker of the cluster can run the grader"):
        there._greet({}, ORDER, told.append)
