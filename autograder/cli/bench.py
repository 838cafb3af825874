"""``unseg bench``: speed and quality, measured against peers in one run, and what the grader costs and withstands."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import click


@click.group(invoke_without_command=True)
@click.option("--json", "target", type=click.Path(path_type=Path), help="Folder for the results of all benchmarks.")
@click.pass_context
def bench(ctx: click.Context, target: Path | None) -> None:
    """Measure speed, quality and the grader.

    Without a subcommand: all but quality, ten minutes or so.
    """
    if ctx.invoked_subcommand is not None:
        if target is not None:
            raise click.UsageError("give --json after the subcommand")
        return
    ctx.invoke(kmeans, target=target / "kmeans.json" if target else None)
    ctx.invoke(gmm, target=target / "gmm.json" if target else None)
    ctx.invoke(spectral, target=target / "spectral.json" if target else None)
    ctx.invoke(kanezaki, target=target / "kanezaki.json" if target else None)
    ctx.invoke(metrics, target=target / "metrics.json" if target else None)
    ctx.invoke(grading, target=target / "grading.json" if target else None)
    ctx.invoke(wire, target=target / "wire.json" if target else None)


def _write(result: dict, target: Path | None) -> None:
    if target is None:
        return
    from benchmarks import record

    record.write_json(result, target)
    if str(target) != "-":
        click.echo(f"Written: {target}", err=True)


@bench.command()
@click.option("--case", "names", multiple=True, help="Only this case; may be given several times.")
@click.option(
    "--rounds", type=click.IntRange(1), default=15, show_default=True, help="Runs of each; the fastest counts."
)
@click.option("--seed", type=int, default=0, show_default=True, help="For the first centers.")
@click.option("--memory/--no-memory", default=True, show_default=True, help="Peak memory, each in a fresh process.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def kmeans(
    names: tuple[str, ...] = (), rounds: int = 15, seed: int = 0, memory: bool = True, target: Path | None = None
) -> None:
    """K-means against scikit-learn, faiss and OpenCV: time, inertia, memory."""
    from benchmarks import kmeans_speed

    unknown = set(names) - set(kmeans_speed.CASES)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(kmeans_speed.CASES)}")
    result = kmeans_speed.run(
        names=names or tuple(kmeans_speed.CASES),
        seed=seed,
        rounds=rounds,
        memory=memory,
        echo=lambda text: click.echo(text, err=str(target) == "-"),
    )
    _write(result, target)


@bench.command()
@click.option("--case", "names", multiple=True, help="Only this case; may be given several times.")
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Runs of each; the fastest counts."
)
@click.option("--seed", type=int, default=0, show_default=True, help="For the first mixture.")
@click.option("--memory/--no-memory", default=True, show_default=True, help="Peak memory, each in a fresh process.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def gmm(
    names: tuple[str, ...] = (), rounds: int = 5, seed: int = 0, memory: bool = True, target: Path | None = None
) -> None:
    """Gaussian mixtures against scikit-learn: time, likelihood, memory."""
    from benchmarks import gmm_speed

    unknown = set(names) - set(gmm_speed.CASES)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(gmm_speed.CASES)}")
    result = gmm_speed.run(
        names=names or tuple(gmm_speed.CASES),
        seed=seed,
        rounds=rounds,
        memory=memory,
        echo=lambda text: click.echo(text, err=str(target) == "-"),
    )
    _write(result, target)


@bench.command()
@click.option("--case", "names", multiple=True, help="Only so many patches; may be given several times.")
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Runs of each; the fastest counts."
)
@click.option("--memory/--no-memory", default=True, show_default=True, help="Peak memory, each in a fresh process.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def spectral(names: tuple[str, ...] = (), rounds: int = 5, memory: bool = True, target: Path | None = None) -> None:
    """Eigenvectors of the patch graph against TokenCut's and Deep Spectral's calls: time, likeness, memory."""
    from benchmarks import spectral_speed

    unknown = set(names) - set(spectral_speed.SIZES)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(spectral_speed.SIZES)}")
    result = spectral_speed.run(
        names=names or tuple(spectral_speed.SIZES),
        rounds=rounds,
        memory=memory,
        echo=lambda text: click.echo(text, err=str(target) == "-"),
    )
    _write(result, target)


@bench.command()
@click.option("--case", "names", multiple=True, help="Size: full, half or third; may be given several times.")
@click.option("--steps", type=click.IntRange(2), default=8, show_default=True, help="Steps of training in each run.")
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="Runs of each; the fastest counts."
)
@click.option("--seed", type=int, default=0, show_default=True, help="For the first weights.")
@click.option("--memory/--no-memory", default=True, show_default=True, help="Peak memory, each in a fresh process.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def kanezaki(
    names: tuple[str, ...] = (),
    steps: int = 8,
    rounds: int = 3,
    seed: int = 0,
    memory: bool = True,
    target: Path | None = None,
) -> None:
    """A training step of the CNN of one image against the published one written plainly: time, loss, memory."""
    err = str(target) == "-"
    if importlib.util.find_spec("torch") is None:
        click.echo('kanezaki: not measured here: torch is not installed; pip install "unseg[deep]"', err=err)
        return
    from benchmarks import kanezaki_speed

    unknown = set(names) - set(kanezaki_speed.SIDES)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(kanezaki_speed.SIDES)}")
    result = kanezaki_speed.run(
        names=names or ("full",),
        steps=steps,
        rounds=rounds,
        seed=seed,
        memory=memory,
        echo=lambda text: click.echo(text, err=err),
    )
    _write(result, target)


@bench.command()
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def metrics(target: Path | None = None) -> None:
    """Metrics against the plain loop over pairs of masks."""
    from benchmarks import metrics_speed, record

    rows = metrics_speed.run()
    err = str(target) == "-"
    click.echo(f"metrics: 481 x 321 pixels; goal: {metrics_speed.GOAL} times faster than the loop over masks", err=err)
    for row in rows:
        loop, ours, ratio = row["loop_seconds"] * 1e3, row["our_seconds"] * 1e3, row["ratio"]
        reached = "reached" if ratio >= metrics_speed.GOAL else "MISSED"
        text = (
            f"  {row['metric']:<26} loop {loop:>8.1f} ms   ours {ours:>6.2f} ms   {ratio:>5.0f} times faster: {reached}"
        )
        click.echo(text, err=err)
    if target is not None:
        packages = ("unseg", "numpy", "scipy")
        _write(
            {"benchmark": "metrics", **record.environment(packages), "goal": metrics_speed.GOAL, "rows": rows}, target
        )


@bench.command()
@click.option("--dataset", default="bsds300", show_default=True, help="Data set, such as bsds300, photos or scenes.")
@click.option("--method", default="kmeans", show_default=True, help="Method, such as kmeans, gmm or ensemble.")
@click.option("--limit", type=click.IntRange(1), help="Only so many images; the goals of bsds300 refer to 30.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def quality(dataset: str, method: str, limit: int | None, seed: int, target: Path | None) -> None:
    """How well a method segments a data set, against every annotator.

    A second run gives the same numbers. BSDS300 is read from the folder that UNSEG_DATA names, or where `unseg data
    fetch bsds500` put it.
    """
    from tqdm import tqdm

    from benchmarks import quality as benchmark
    from unseg_helpers.datasets import MissingDataset

    if dataset not in benchmark.DATASETS:
        raise click.BadParameter(f"{dataset!r}; there are {', '.join(benchmark.DATASETS)}", param_hint="--dataset")
    if method not in benchmark.METHODS:
        raise click.BadParameter(f"{method!r}; there are {', '.join(benchmark.METHODS)}", param_hint="--method")
    try:
        result = benchmark.run(
            dataset,
            method,
            limit=limit,
            seed=seed,
            progress=lambda samples: tqdm(samples, desc=f"{method} on {dataset}", unit="image", leave=False),
        )
    except MissingDataset as missing:
        raise click.ClickException(str(missing)) from None
    click.echo(benchmark.table(result), err=str(target) == "-")
    _write(result, target)


@bench.command()
@click.option("--study", "name", default="cnn", show_default=True, help="Study: cnn, cnn-published or cnn-fifty.")
@click.option("--limit", type=click.IntRange(1), help="Only so many images, in place of the study's.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="How many seeds, from 0 on.")
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that measure at a time."
)
@click.option(
    "--parts", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps what is done, to go on later."
)
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def seeds(name: str, limit: int | None, seeds: int, workers: int, parts: Path | None, target: Path | None) -> None:
    """How much a method's scores depend on its seed, and on one setting at a time.

    Set OMP_NUM_THREADS=1 when several processes measure.
    """
    from tqdm import tqdm

    from benchmarks import seeds as benchmark
    from unseg_helpers.datasets import MissingDataset

    if name not in benchmark.STUDIES:
        raise click.BadParameter(f"{name!r}; there are {', '.join(benchmark.STUDIES)}", param_hint="--study")
    try:
        result = benchmark.run(
            name,
            limit=limit,
            seeds=seeds,
            workers=workers,
            parts=parts,
            progress=lambda done, total: tqdm(done, desc=name, total=total, unit="run", leave=False),
        )
    except MissingDataset as missing:
        raise click.ClickException(str(missing)) from None
    click.echo(benchmark.table(result), err=str(target) == "-")
    _write(result, target)


@bench.command()
@click.option("--dataset", default="camvid", show_default=True, help="Data set: camvid or camvid-tune.")
@click.option("--features", default="minidino", show_default=True, help="none, color+position, or a network's name.")
@click.option("--method", "methods", multiple=True, help="Only this method; may be given several times.")
@click.option("--weights", type=click.Path(exists=True, dir_okay=False), help="File of the network's weights.")
@click.option("--limit", type=click.IntRange(1), help="Only so many frames.")
@click.option("--seed", type=int, default=0, show_default=True, help="The first of three.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def semantic(
    dataset: str,
    features: str,
    methods: tuple[str, ...],
    weights: str | None,
    limit: int | None,
    seed: int,
    target: Path | None,
) -> None:
    """How well frames of a driving video are divided into classes without labels."""
    from benchmarks import semantic as benchmark

    _measure_features(benchmark, dataset, features, target, methods=methods, weights=weights, limit=limit, seed=seed)


@bench.command()
@click.option("--dataset", default="ecssd", show_default=True, help="Data set: ecssd, ecssd-tune, davis16 or photos.")
@click.option("--features", default="minidino", show_default=True, help="none, color+position, or a network's name.")
@click.option("--method", "methods", multiple=True, help="Only this method; may be given several times.")
@click.option("--weights", type=click.Path(exists=True, dir_okay=False), help="File of the network's weights.")
@click.option("--limit", type=click.IntRange(1), help="Only so many images.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def foreground(
    dataset: str,
    features: str,
    methods: tuple[str, ...],
    weights: str | None,
    limit: int | None,
    seed: int,
    target: Path | None,
) -> None:
    """How well each method finds the one object of a photo, with and without post-processing.

    A second run gives the same numbers, and finds the features of networks in the cache.
    """
    from benchmarks import foreground as benchmark

    _measure_features(benchmark, dataset, features, target, methods=methods, weights=weights, limit=limit, seed=seed)


def _measure_features(benchmark, dataset: str, features: str, target: Path | None, **options) -> None:
    from tqdm import tqdm

    from unseg_helpers.backbones import BackboneUnavailable
    from unseg_helpers.datasets import MissingDataset

    bar = functools.partial(tqdm, desc=f"{features} on {dataset}", unit="image", leave=False)
    try:
        result = benchmark.run(dataset, features, progress=bar, **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except (MissingDataset, BackboneUnavailable) as missing:
        raise click.ClickException(str(missing)) from None
    click.echo(benchmark.table(result), err=str(target) == "-")
    _write(result, target)


@bench.command()
@click.option("--case", "names", multiple=True, help="Only this case; may be given several times.")
@click.option("--rounds", type=click.IntRange(1), default=6, show_default=True, help="Runs of each; the median counts.")
@click.option("--memory/--no-memory", default=True, show_default=True, help="Peak memory, each in a run of its own.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def grading(names: tuple[str, ...] = (), rounds: int = 6, memory: bool = True, target: Path | None = None) -> None:
    """The grader: time and memory of 1 and of 20 submissions, cold and warm."""
    from autograder.sandbox import why_not
    from benchmarks import grading_speed

    err = str(target) == "-"
    if missing := why_not():
        click.echo(f"grading: not measured here: {missing}", err=err)
        return
    cases = grading_speed.available()
    unknown = set(names) - set(cases)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(cases)}", param_hint="--case")
    result = grading_speed.run(
        names=names or tuple(cases), rounds=rounds, memory=memory, echo=lambda text: click.echo(text, err=err)
    )
    _write(result, target)


@bench.command()
@click.option("--seconds", type=click.IntRange(1), default=60, show_default=True, help="How long to look for inputs.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def wire(seconds: int = 60, target: Path | None = None) -> None:
    """Fuzz the decoder that reads what comes out of the sandbox.

    An input that it does not withstand is shown, and the exit status is 1.
    """
    from benchmarks import record, wire_fuzz

    err = str(target) == "-"
    click.echo(f"wire: fuzzing the decoder for {seconds} s", err=err)
    try:
        result = wire_fuzz.run(seconds=seconds)
    except wire_fuzz.AtherisMissing as missing:
        click.echo(f"  not done: {missing}", err=err)
        return
    except wire_fuzz.FuzzFound as found:
        raise click.ClickException(str(found)) from None
    click.echo(
        f"  {result['executions']:,} inputs, {result['kept']:,} of them kept for reaching something new; "
        f"nothing but values and refusals; peak {result['peak_mb']} MB",
        err=err,
    )
    _write({"benchmark": "wire", **record.environment(("unseg", "numpy", "safetensors", "atheris")), **result}, target)


@bench.command()
@click.option("--count", type=click.IntRange(1), default=200, show_default=True, help="How many submissions.")
@click.option("--workers", type=click.IntRange(2), default=2, show_default=True)
@click.option("--every", type=click.FloatRange(0.5), default=5.0, show_default=True, help="Seconds between two kills.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the results to this file; - for stdout.")
def faults(count: int, workers: int, every: float, target: Path | None) -> None:
    """Grade while workers are killed: is anything lost or graded twice?

    The exit status is 1 if so.
    """
    from benchmarks import grading_faults, record

    err = str(target) == "-"
    result = grading_faults.run(count, workers, every, echo=lambda text: click.echo(f"  {text}", err=True))
    click.echo(
        f"faults: {count} submissions, {result['kills']} workers killed, {result['seconds']:.0f} s: "
        f"{result['lost']} lost, {result['twice']} graded twice, {result['ungraded']} without a score, "
        f"{result['wrong']} with a wrong one",
        err=err,
    )
    _write({"benchmark": "faults", **record.environment(("unseg", "numpy")), **result}, target)
    if not grading_faults.is_perfect(result):
        raise click.ClickException("not all were graded once and right")
