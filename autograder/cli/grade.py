"""``unseg grade``."""

from __future__ import annotations

import hashlib
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..batch import Job, Order
    from ..report import Report
    from ..report.results import Results
    from ..submission import Source

STDOUT = "-"
MANY = 20  # submissions from which several processes are worth a word
SHOWN = 10  # names in a line of the summary


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--lesson", help="Lesson of all submissions; found from each one's content otherwise.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False), help="Write all reports as JSON ('-': to stdout)."
)
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), help="Write a table with one row a submission.")
@click.option(
    "--html", "html_folder", type=click.Path(file_okay=False, path_type=Path), help="Write pages with figures."
)
@click.option("--seed", type=click.IntRange(0, 2**53), help="Seed of the hidden inputs; fresh and secret otherwise.")
@click.option("--workers", type=click.IntRange(1, 1000), help="Grade so many at once, on processes of this machine.")
@click.option("--scheduler", metavar="ADDRESS", help="Grade on a Dask cluster, such as tcp://host:8786.")
@click.option("--resume", is_flag=True, help="Keep what the --json file and its .part hold already; grade the rest.")
@click.option(
    "--replay",
    "replayed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Repeat the grade of one notebook from this JSON report, and say what differs.",
)
@click.option("--trust-submissions", is_flag=True, help="Run them without the sandbox, with all your rights.")
def grade(
    paths, lesson, json_file, csv_file, html_folder, seed, workers, scheduler, resume, replayed, trust_submissions
) -> None:
    """Grade files, folders, or zips of folders.

    The exit status is 0 when grading worked, whatever the scores. With --replay it is 0 if the report is the same, 1
    if it differs, and 2 if there is nothing to repeat.
    """
    _one_thread()
    from ..apart import COUNT_STATEMENTS

    if workers in (None, 1) and scheduler is None:
        COUNT_STATEMENTS.get_ready()  # while this process imports what it needs
    from .. import course as courses
    from ..batch import Order
    from ..course import CourseError
    from ..sandbox import harden

    harden()
    if json_file == csv_file == STDOUT:
        raise click.UsageError("only one of --json and --csv can go to standard output")
    if workers and scheduler:
        raise click.UsageError("--workers is for this machine; the cluster behind --scheduler has its own")
    if resume and json_file in (None, STDOUT):
        raise click.UsageError("--resume needs --json FILE: there the earlier results are")
    if replayed and (csv_file or seed is not None or workers or scheduler or resume or len(paths) > 1):
        raise click.UsageError("--replay takes one notebook, and only --json, --html and --lesson besides")
    for target in (json_file, csv_file, html_folder and html_folder / "index.html"):
        _refuse_unwritable(target)  # now, not after an hour of grading
    try:
        course = courses.load(courses.find_root())
        order = Order(course, lesson and course[lesson].id, isolated=not trust_submissions)
    except CourseError as error:
        raise click.ClickException(str(error)) from None
    files = {"json_file": json_file, "csv_file": csv_file, "html_folder": html_folder}
    if replayed:
        _replay(replayed, paths[0], order, files)
    else:
        _grade(_find(paths), order, files, seed, resume, workers or 1, scheduler)


def _grade(
    sources: Sequence[Source],
    order: Order,
    files: dict[str, Any],
    seed: int | None,
    resume: bool,
    workers: int,
    scheduler: str | None,
) -> None:
    """Grade all sources that have no result yet, and write the files."""
    from ..batch import Job
    from ..cluster import ClusterError
    from ..course import CourseError
    from ..grading import new_seed
    from ..report import terminal
    from ..sandbox import SandboxUnavailable

    output, kept = _take_up(sources, order, files, seed, resume)
    jobs = [Job(i, s, new_seed() if seed is None else seed) for i, s in enumerate(sources) if i not in kept]
    is_quiet = STDOUT in (files["json_file"], files["csv_file"])
    failure, started = None, time.monotonic()
    try:
        with (
            _interruptible() as whole,
            _progress(len(sources), len(kept)) as (advance, echo),
            closing(_graded(jobs, order, workers, scheduler)) as graded,
        ):
            for place, report in graded:
                is_alone = len(sources) == 1
                text = terminal.render(report, color=sys.stdout.isatty()) if is_alone else _line(report)
                with whole():
                    output.add(place, report)
                    if not is_quiet:
                        echo(text)
                    advance()
    except KeyboardInterrupt:
        failure = "interrupted"
    except (CourseError, ClusterError) as error:
        failure = str(error)
    except SandboxUnavailable as error:
        failure = (
            f"{error}. Submissions are not graded without isolation; --trust-submissions runs them with all your rights"
        )
    except OSError as error:
        failure = f"the results cannot be written: {error}"
    if output.reports:  # also those before a failure
        _finish(output, failure)
    left = sum(i not in output.reports for i in range(len(sources)))
    if failure:
        raise click.ClickException(failure + (_left(left, len(sources), files) if output.reports else ""))
    reports = [output.reports[i] for i in range(len(sources))]
    if len(sources) > 1:
        for text in _summary(reports, time.monotonic() - started):
            click.echo(text, err=True)
    if not all(r.graded for r in reports):
        raise click.ClickException(f"not all could be graded{_again(files)}")


def _graded(jobs: Sequence[Job], order: Order, workers: int, scheduler: str | None) -> Iterator[tuple[int, Report]]:
    """Places and reports as they come: from here, from processes of this machine, or from a cluster."""
    from .. import batch, cluster

    if not jobs or (workers == 1 and scheduler is None):
        cores = os.cpu_count() or 1
        if len(jobs) >= MANY and cores > 1:
            _tell(f"One after another; --workers {cores} would grade {cores} at once.")
        yield from batch.grade_here(jobs, order)
        return
    with cluster.remote(scheduler) if scheduler else cluster.local(min(workers, len(jobs))) as there:
        yield from there.grade(jobs, order, _tell)


def _take_up(
    sources: Sequence[Source], order: Order, files: dict[str, Any], seed: int | None, resume: bool
) -> tuple[Results, set[int]]:
    """The results to fill, with what an earlier run has done, and the places that are done."""
    from ..report import plain
    from ..report.results import Journal, Results, read

    names = [plain(s.name) for s in sources]
    earlier: list[Report] = []
    if files["json_file"] not in (None, STDOUT):
        file = Path(files["json_file"])
        part = Journal(file).path
        if part.exists() and not resume:
            raise click.ClickException(
                f"{part} holds results of a run that was broken off: --resume goes on with it; delete it to begin anew"
            )
        try:
            earlier = read(file) if resume else []
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    others = [r for r in earlier if r.submission not in names]  # of files that are elsewhere now: never thrown away
    output = Results([*names, *(r.submission for r in others)], **files)
    kept = dict(enumerate(others, len(sources)))
    for place, source in enumerate(sources):
        own = [r for r in earlier if r.submission == names[place]]
        if own and (report := _still_valid(source, own, order, seed)):
            kept[place] = report
    for place, report in kept.items():
        report.title = plan.title if (plan := order.course.lessons.get(report.lesson)) else ""
        output.keep(place, report)
    if resume:
        too = f"; {len(others)} of files that are not there now are kept, too" if others else ""
        _tell(f"{len(kept) - len(others)} of {len(sources)} are graded already{too}.")
    return output, kept.keys() & set(range(len(sources)))


def _still_valid(source: Source, earlier: Sequence[Report], order: Order, seed: int | None) -> Report | None:
    """The earlier report of just this file, lesson and version of the checks."""
    from ..provenance import checks_version
    from ..submission import BadSubmission

    try:
        sha256 = hashlib.sha256(source.load()).hexdigest()
    except BadSubmission:
        return None
    for report in earlier:
        version = checks_version(order.course.lessons.get(report.lesson))
        if (
            report.graded
            and report.sha256 == sha256
            and report.provenance.get("checks") == version
            and order.lesson in (None, report.lesson)
            and seed in (None, report.seed)
        ):
            return report
    return None


def _replay(file: Path, notebook: Path, order: Order, files: dict[str, Any]) -> None:
    from ..course import CourseError
    from ..replay import ReplayError, replay
    from ..report import html, line, results
    from ..sandbox import SandboxUnavailable
    from ..submission import BadSubmission

    try:
        done = replay(file, notebook, order.course, lesson=order.lesson, isolated=order.isolated)
    except (ReplayError, BadSubmission, CourseError, SandboxUnavailable) as error:
        failure = click.ClickException(line(str(error)))
        failure.exit_code = 2
        raise failure from None
    to_stderr = files["json_file"] == STDOUT
    if done.surroundings:
        click.echo("The judge or the machine is another one, which may explain differences:", err=to_stderr)
        for text in done.surroundings:
            click.echo(f"  {text}", err=to_stderr)
    if files["json_file"]:
        results.write(files["json_file"], results.dumps(done.written))
    if files["html_folder"]:
        click.echo(f"open {html.write([done.report], files['html_folder'])}", err=True)
    if not done.differences:
        click.echo(f"the same report: {done.report.points}, seed {done.report.seed}", err=to_stderr)
        return
    click.echo(f"{len(done.differences)} differences:", err=to_stderr)
    for text in done.differences:
        click.echo(f"  {text}", err=to_stderr)
    if done.timeouts:
        click.echo(
            f"Time ran out in {done.timeouts} checks: how long something takes depends on the machine and on what else "
            "runs there.",
            err=to_stderr,
        )
    sys.exit(1)


def _find(paths: Sequence[Path]) -> list[Source]:
    """The submissions, some at least."""
    from ..submission import BadSubmission, find

    skipped: list[str] = []
    try:
        sources = find(paths, skipped)
    except BadSubmission as error:
        raise click.ClickException(str(error)) from None
    if skipped:
        _tell(f"Skipped, neither a notebook nor a script: {_names(skipped, 5)}")
    if not sources:
        raise click.ClickException("no notebook (.ipynb) or script (.py) there")
    return sources


def _one_thread() -> None:
    """Have linear algebra use one thread: sums in another order would differ in the last digit of a replay.

    Must come before NumPy is imported, as all imports of this module do.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


@contextmanager
def _interruptible() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """A context for what must not be done by halves: Ctrl-C is heard at its end, a second one at once.

    A result that is noted in the journal, but not among those of this run, would be lost with the journal. And Python
    throws an exception away that strikes while an object is being deleted, and a cluster deletes many: so each end
    also looks whether there was one.
    """
    count, is_held = 0, False

    def note(*_) -> None:
        nonlocal count
        count += 1
        if not is_held or count > 1:
            raise KeyboardInterrupt

    @contextmanager
    def whole() -> Iterator[None]:
        nonlocal is_held
        is_held = True
        try:
            yield
        finally:
            is_held = False
        if count:
            raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # only the main thread may
        yield whole
        return
    try:
        yield whole
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(count: int, done: int) -> Iterator[tuple[Callable[[], object], Callable[[str], object]]]:
    """What to call after each submission, and to print a line: above the bar where there is one."""
    if count < 3 or not sys.stderr.isatty():
        yield lambda: None, click.echo
        return
    from tqdm import tqdm

    with tqdm(total=count, initial=done, unit="submission", leave=False) as bar:
        yield bar.update, bar.write


def _finish(output: Results, failure: str | None) -> None:
    try:
        page = output.finish()
    except OSError as error:
        raise click.ClickException(f"{failure or 'the results cannot be written'}: {error}") from None
    if page:
        click.echo(f"open {page}", err=True)


def _line(report: Report) -> str:
    """One line for one of many."""
    from ..report import line

    points, most = report.points.split("/")
    return f"{points:>5} / {most}  {line(report.submission)}" + (f"  {line(report.error)}" if report.error else "")


def _left(count: int, total: int, files: dict[str, Any]) -> str:
    return f" ({count} of {total} not graded{_again(files)})"


def _again(files: dict[str, Any]) -> str:
    if files["json_file"] in (None, STDOUT):
        return "; with --json FILE, --resume could grade only those"
    return "; the same command with --resume grades only those"


def _summary(reports: Sequence[Report], seconds: float) -> Iterator[str]:
    """What an instructor should know after many reports, and look at next."""
    from ..report import number

    took = f"{seconds:.0f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    yield f"{len(reports)} submissions in {took}."
    by_lesson: dict[str, list[Report]] = {}
    for report in reports:
        if report.lesson and report.graded:
            by_lesson.setdefault(report.lesson, []).append(report)
    for lesson, own in by_lesson.items():
        scores = [r.score for r in own]
        mean, middle, most = statistics.fmean(scores), statistics.median(scores), own[0].max_score
        yield f"{lesson}: {len(own)}, mean {number(mean)}, median {number(middle)} of {number(most)} points."
        if len({r.provenance.get("checks") for r in own}) > 1:
            yield f"{lesson} was graded with different versions of the checks: bring unseg up to date on all workers."
    if bad := [r.submission for r in reports if r.error and r.graded]:
        yield f"{len(bad)} with an error in the file (0 points; the report says what): {_names(bad)}"
    if ours := [r.submission for r in reports if not r.graded]:
        yield f"{len(ours)} could not be graded (no score, costs nobody anything): {_names(ours)}"


def _names(names: Sequence[str], most: int = SHOWN) -> str:
    from ..report import line

    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(line(n) for n in names[:most]) + more


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _refuse_unwritable(target: str | Path | None) -> None:
    if target is None or str(target) == STDOUT:
        return
    path = Path(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
