"""Grade many submissions on the workers of a Dask cluster: of our own on this machine, or one that is there.

Each submission is sent to one free thread of one worker, so that a lost worker takes along only what it was working
on. What it took along is graded once more, alone on its worker; if that ends a worker again, it gets no score.
"""

from __future__ import annotations

import logging
import queue
import signal
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .batch import Job, Order, Task, get_ready, grade_there, prepare, ungraded
from .course import CourseError
from .report import Report
from .sandbox import SandboxUnavailable

ATTEMPTS = 2  # of one submission: the first, and one more when its worker was lost
CONNECT_SECONDS = 8
POLL_SECONDS = 0.25  # between two looks at which workers are there
QUIET_SECONDS = 5  # without workers, before that is said
REVIVE_SECONDS = 5  # between two looks at whether workers were given up
RESULT_SECONDS = 10  # to fetch a report that is done
LARGE = {"distributed.admin.large-graph-warning-threshold": "1GB"}  # a file may be large, and that is all right
CONFIG = LARGE | {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.deploy.lost-worker-timeout": "1 hour",  # a busy machine may take a while to replace one
}
STILLBORN = 3  # workers that end at once, before that is taken for what they all do
SAME = "install the same version of unseg on the scheduler and on all workers"


class ClusterError(RuntimeError):
    """The cluster cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class _Running:
    task: Task
    worker: str
    attempt: int


@contextmanager
def local(workers: int) -> Iterator[Cluster]:
    """A cluster of processes on this machine, gone when the context is left.

    Its connections are encrypted with keys that only it knows, and it has no web pages: on a shared machine other users
    could otherwise give it orders.
    """
    distributed = _distributed()
    import dask

    with tempfile.TemporaryDirectory(prefix="unseg-", ignore_cleanup_errors=True) as folder, dask.config.set(CONFIG):
        try:
            own = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=None,  # submissions have their own limits
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                local_directory=folder,
                preload=[__name__],  # for dask_setup
                security=distributed.Security.temporary(),
                silence_logs=logging.CRITICAL + 1,
            )
        except (OSError, RuntimeError, ImportError) as error:
            raise ClusterError(f"the worker processes could not be started ({error})") from None
        with own, distributed.Client(own, set_as_default=False) as client:
            yield Cluster(client, revive=_Reviver(own))


def dask_setup(worker) -> None:
    """Called by Dask in each new process of `local`: Ctrl-C is for the process that prints the results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def remote(address: str) -> Iterator[Cluster]:
    """The cluster of the scheduler at an address such as ``tcp://host:8786``."""
    distributed = _distributed()
    import dask

    with dask.config.set(LARGE):
        try:
            client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError, ImportError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {address} ({error}). Is it running (`dask scheduler`), and is this the "
                "address that it prints?"
            ) from None
        with client:
            yield Cluster(client)


class Cluster:
    """Grades jobs on the workers that a Dask client sees."""

    def __init__(self, client, revive: Callable[[], None] = lambda: None):
        self._client = client
        self._revive = revive
        self._running: dict = {}  # Future -> _Running
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        self._again: deque[tuple[Task, int]] = deque()  # with the number of the attempt
        self._greeted: set[str] = set()
        self._greetings: dict = {}  # Future -> address of the worker
        self._ready: set[str] = set()
        self._stillborn = 0  # workers that ended while they got ready
        self._seen = time.monotonic()  # when there was a worker

    def grade(self, jobs: Iterable[Job], order: Order, tell: Callable[[str], None]) -> Iterator[tuple[int, Report]]:
        """Places and reports in the order in which they are done.

        Parameters
        ----------
        tell : gets what an instructor should know meanwhile, such as that there are no workers yet

        Raises
        ------
        ClusterError
            If the scheduler is gone, or workers cannot run the grader.
        SandboxUnavailable, CourseError
            If a worker cannot grade anything.
        """
        jobs = iter(jobs)
        upcoming: Task | None = None  # read, and not sent yet: only one, for files may be large
        while True:
            if upcoming is None and (job := next(jobs, None)) is not None:
                read = prepare(job, order)
                if isinstance(read, Report):
                    yield job.place, read
                    continue
                upcoming = read
            if upcoming is None and not self._again and not self._running:
                return
            workers = self._workers(tell)
            for future in [f for f, r in self._running.items() if r.worker not in workers and f.status != "finished"]:
                yield from self._lost(future)
            workers = self._greet(workers, order, tell)
            if self._again and self._send(*self._again[0], order, workers):
                self._again.popleft()
            elif upcoming is not None and self._send(upcoming, 1, order, workers):
                upcoming = None
            else:
                yield from self._wait()

    def _workers(self, tell: Callable[[str], None]) -> dict[str, int]:
        """Threads of each worker that is there now."""
        self._revive()
        try:
            workers = self._client.nthreads()
        except (OSError, TimeoutError) as error:
            raise ClusterError(f"the Dask scheduler is gone ({error})") from None
        now = time.monotonic()
        if workers:
            self._seen = now
        elif now - self._seen > QUIET_SECONDS:
            tell(
                f"No worker is there yet: waiting for one (`dask worker {self._client.scheduler.address} --nthreads 1`)"
            )
            self._seen = float("inf")  # said once
        return workers

    def _greet(self, workers: dict[str, int], order: Order, tell: Callable[[str], None]) -> dict[str, int]:
        """Have new workers get ready; those that are, with their threads."""
        for future in [f for f, worker in self._greetings.items() if worker not in workers]:
            if not self._ready:  # none has ever been: a worker without our package ends at the first task
                self._stillborn += 1
                tell(
                    f"The worker {self._greetings[future]} ended before it graded anything: {SAME}; its log says more."
                )
            del self._greetings[future]
        if self._stillborn >= STILLBORN:
            raise ClusterError("no worker of the cluster can run the grader")
        for worker in workers.keys() - self._greeted:
            future = self._client.submit(get_ready, order, workers=[worker], allow_other_workers=False, pure=False)
            self._greetings[future] = worker
            self._greeted.add(worker)
            future.add_done_callback(self._done.put)
        return {worker: threads for worker, threads in workers.items() if worker in self._ready}

    def _send(self, task: Task, attempt: int, order: Order, workers: dict[str, int]) -> bool:
        """Start a task where there is room for it; False where there is none."""
        busy = Counter(r.worker for r in self._running.values())
        alone = {r.worker for r in self._running.values() if r.attempt > 1}
        room = [w for w, n in workers.items() if w not in alone and busy[w] < (n if attempt == 1 else 1)]
        resources = {"GPU": 1} if task.gpu and (gpus := self._with_gpu()) else None
        if resources:
            room = [w for w in room if w in gpus]
        if not room:
            return False
        worker = min(room, key=lambda w: busy[w])
        future = self._client.submit(
            grade_there, task, order, workers=[worker], allow_other_workers=False, pure=False, resources=resources
        )
        self._running[future] = _Running(task, worker, attempt)
        future.add_done_callback(self._done.put)
        return True

    def _with_gpu(self) -> set[str]:
        """Workers that were started with ``--resources GPU=1``."""
        info = self._client.scheduler_info(n_workers=-1)["workers"]
        return {address for address, worker in info.items() if worker.get("resources", {}).get("GPU", 0) >= 1}

    def _wait(self) -> Iterator[tuple[int, Report]]:
        """What is done, or nothing after a while."""
        try:
            future = self._done.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return
        if future in self._greetings:
            self._is_ready(self._greetings.pop(future), future)
        elif future in self._running:  # not given up before
            try:
                report = future.result(timeout=RESULT_SECONDS)
            except (SandboxUnavailable, CourseError):
                raise
            except TimeoutError:  # its worker ended before handing it over; the next look at the workers tells
                self._done.put(future)
            except Exception:
                yield from self._lost(future)
            else:
                yield self._running.pop(future).task.place, report

    def _is_ready(self, worker: str, future) -> None:
        """Take the answer of a worker that was greeted."""
        try:
            future.result(timeout=RESULT_SECONDS)
        except SandboxUnavailable:
            raise
        except TimeoutError:  # it is gone
            return
        except Exception as error:
            if worker in self._client.nthreads():
                raise ClusterError(f"the worker {worker} cannot run the grader ({error}): {SAME}") from None
        else:
            self._ready.add(worker)

    def _lost(self, future) -> Iterator[tuple[int, Report]]:
        """Try once more what a lost worker was working on, or give it up."""
        running = self._running.pop(future)
        future.cancel()
        if running.attempt < ATTEMPTS:
            self._again.append((running.task, running.attempt + 1))
        else:
            yield running.task.place, ungraded(running.task, f"its worker process ended {ATTEMPTS} times")


class _Reviver:
    """Keeps up the number of workers of a local cluster: Dask may give one up that ends while it starts."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._count = len(cluster.worker_spec)
        self._next = time.monotonic() + REVIVE_SECONDS

    def __call__(self) -> None:
        from distributed import Status

        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + REVIVE_SECONDS
        workers = list(self._cluster.workers.values())
        gone = sum(w.status in (Status.closed, Status.closing, Status.failed) for w in workers)
        if len(workers) - gone < self._count:
            self._cluster.scale(self._count + gone)  # those gone stay in its list; others may be missing there


def _distributed():
    try:
        import distributed
    except ImportError:
        raise ClusterError("grading with more than one process needs Dask: pip install 'unseg[cluster]'") from None
    return distributed
