"""Tables of the book, written from the measurements under ``benchmarks/results``: no number is typed by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import quality as benchmark
from benchmarks import seeds as seed_benchmark
from benchmarks.quality import is_behind
from unseg_helpers.datasets.packs import BSDS300_TEST

RESULTS = Path(__file__).parent / "results"

SCORES = {  # name in the files -> heading, digits
    "best_cluster": "best cluster",
    "mean_cluster": "mean over clusters",
    "covering": "covering",
    "matched_miou": "matched mIoU",
    "variation_of_information": "VI (bits, less is better)",
    "boundary_f": "boundary F",
}


class Table:
    """Markdown that a notebook shows as a table."""

    def __init__(self, head: Iterable[str], rows: Iterable[Iterable[str]], note: str):
        lines = [head := list(head), ["---", *["---:"] * (len(head) - 1)], *rows]
        self.text = "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}\n"

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def read(name: str) -> dict:
    """One file of results.

    Raises
    ------
    FileNotFoundError
        If it was not measured yet; the message says how to.
    """
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"benchmarks/results/{name}.json is not there: measure it with `unseg bench`")
    return json.loads(path.read_text(encoding="utf-8"))


def speed(name: str = "kmeans") -> Table:
    """Milliseconds of every method on every problem, and how many times ours it took."""
    record = read(name)
    rows = record["rows"]
    methods = list(dict.fromkeys(r["method"] for r in rows))
    of = {(r["case"], r["method"]): r for r in rows}
    cases = list(dict.fromkeys(r["case"] for r in rows))
    ours = {case: next(r["seconds"] for r in rows if r["case"] == case) for case in cases}  # ours come first
    body = []
    for method in methods:
        cells = [of.get((case, method)) for case in cases]
        times = [(1000 * r["seconds"], r["seconds"] / ours[r["case"]]) if r else None for r in cells]
        body.append([method, *(f"{time[0]:.1f} ({time[1]:.1f})" if time else "" for time in times)])
    note = f"Milliseconds, and in brackets how many times our time. {_provenance(record)}"
    return Table(["", *cases], body, note)


def quality(*names: str) -> Table:
    """Mean scores of ours and of scikit-learn, one pair of rows for each file."""
    records = [read(name) for name in names]
    body = [
        [f"{record['method']}, {who}", *(f"{means[s]['mean_annotator']:.3f}" for s in SCORES)]
        for record in records
        for who, means in record["means"].items()
    ]
    first = records[0]
    note = f"Mean over annotators and {first['n_images']} images of {first['dataset']}. {_provenance(*records)}"
    return Table(["", *SCORES.values()], body, note)


# ---- all images of BSDS300, of which the others are parts -----------------------------------------------------------

IMAGES = {  # name -> ids; None: all 300
    "all": None,
    "test": BSDS300_TEST,
    "goals": benchmark.GOALS_30,
    "fifty": benchmark.FIFTY,
    "five": benchmark.PAPER_FIVE,
}
ABOUT = {"test": "test images", "goals": "of the test images", "five": "images of the paper"}  # others: images
COMPLETE = {  # name -> how many there are, and what they are called together
    "all": (300, "all 300 images"),
    "test": (100, "the 100 test images"),
    "goals": (30, "30 of the test images"),
    "fifty": (50, "50 images"),
    "five": (5, "the five images of the paper"),
}


def measured(method: str, images: str | Sequence[str] = "all") -> tuple[dict, dict[str, benchmark.Columns]]:
    """The record of a method on BSDS300, and the scores of each segmenter on some of its images.

    An image has the same scores in every run, whatever else is measured: so one run on all images holds every part.
    `images` is a name of IMAGES or ids; those that the run did not reach are left out.

    Raises
    ------
    ValueError
        If the run reached none of them.
    """
    record = read(f"quality-bsds300-all-{method}")
    names = record["images"].split()
    wanted = (IMAGES[images] if isinstance(images, str) else images) or names
    chosen = [names.index(name) for name in wanted if name in names]
    if not chosen:
        raise ValueError(f"none of the images {images!r} is in the results of {method}: measure it again")
    return record, {
        who: {metric: [rows[i] for i in chosen] for metric, rows in columns.items()}
        for who, columns in record["per_image"].items()
    }


def paired(first: str, second: str, images: str = "all") -> tuple[benchmark.Columns, benchmark.Columns]:
    """Our scores of two methods on the same images."""
    both = [read(f"quality-bsds300-all-{name}")["images"].split() for name in (first, second)]
    common = [name for name in IMAGES[images] or both[0] if name in both[0] and name in both[1]]
    return tuple(measured(name, common)[1]["unseg"] for name in (first, second))


def _about(images: str, n: int) -> str:
    """Which images, in words."""
    whole, together = COMPLETE[images]
    part = ABOUT.get(images, "images")
    return f"{together if n == whole else f'{n} {part}'} of BSDS300"


def _count(columns: benchmark.Columns) -> int:
    return len(columns["covering"])


def methods(*names: str, images: str = "all", peers: bool = False, seconds: bool = False) -> Table:
    """Mean and standard error of each metric, one row for each method and, if wanted, each peer and the time."""
    body, records, n = [], [], 300
    for name in names:
        record, columns = measured(name, images)
        records.append(record)
        n = min(n, *map(_count, columns.values()))
        for who, scores in list(columns.items())[: None if peers else 1]:
            means = benchmark.means(scores)
            cells = [benchmark.plus_minus(means[s]["mean_annotator"], means[s]["standard_error"]) for s in SCORES]
            if seconds:
                cells.append(_seconds(record["seconds_per_image"][who]) if who != "people" else "")
            body.append([name if who in ("unseg", "people") else f"{name}, {who}", *cells])
    note = f"Mean over annotators, then over {_about(images, n)}; behind ± its standard error over images."
    head = ["", *SCORES.values(), *(["seconds an image"] if seconds else [])]
    return Table(head, body, f"{note} {_runs(records)}")


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def against_peers(*names: str, images: str = "all") -> Table:
    """How much better ours is than each peer on the same images; a star where it is behind by more than an error."""
    body, records, behind, n = [], [], 0, 300
    for name in names:
        record, columns = measured(name, images)
        records.append(record)
        n = min(n, *map(_count, columns.values()))
        ours, *others = columns
        for peer in others:
            found = benchmark.gains(columns[ours], columns[peer])
            behind += sum(is_behind(found[s]) for s in SCORES)
            body.append([f"{name} over {peer}", *(_gain(found[s]) for s in SCORES)])
    note = (
        f"Mean over {_about(images, n)} of ours minus theirs, each image with itself; positive is better, for "
        f"VI too. A star marks where ours is behind by more than one standard error: {behind} of "
        f"{len(body) * len(SCORES)}."
    )
    return Table(["", *SCORES.values()], body, f"{note} {_runs(records)}")


def effects(*pairs: tuple[str, str, str], images: str = "all") -> Table:
    """What a change does: (words, method before, method after), image by image."""
    body, records, n = [], [], 300
    for words, before, after in pairs:
        old, new = paired(before, after, images)
        records += [measured(before)[0], measured(after)[0]]
        n = min(n, _count(old))
        found = benchmark.gains(new, old)
        body.append([words, *(_gain(found[s]) for s in SCORES)])
    note = (
        f"Mean over {_about(images, n)} of after minus before, each image with itself; positive is better, for "
        "VI too. A star marks what is worse by more than one standard error."
    )
    return Table(["", *SCORES.values()], body, f"{note} {_runs(records)}")


def goals(*names: str) -> Table:
    """The course's goals on the 30 images they refer to, and whether they are reached."""
    body, records, n = [], [], 30
    for name in names:
        record, columns = measured(name, "goals")
        records.append(record)
        n = min(n, _count(columns["unseg"]))
        means = benchmark.means(columns["unseg"])
        for kind, wanted in benchmark.METHODS[name].goals["bsds300"].items():
            for metric, value in wanted.items():
                got = means[metric]
                reached = "yes" if got["mean_annotator"] >= value else "no"
                cell = benchmark.plus_minus(got["mean_annotator"], got["standard_error"])
                body.append([name, kind, SCORES[metric], f"{value:.2f}", cell, reached])
    note = f"Mean over annotators and {_about('goals', n)}. {_runs(records)}"
    return Table(["", "goal", "score", "at least", "measured", "reached"], body, note)


# ---- beside the published numbers ----------------------------------------------------------------------------------

PAPER_ROWS = {  # row of the paper -> the method of ours that comes nearest to its description
    "GMM": "gmm-paper",
    "CNN": "cnn-paper",
    "KMEANS": "kmeans-paper",
    "CNN+KMEANS": "cnn+kmeans-paper",
    "GMM+KMEANS": "gmm+kmeans-paper",
}


def published() -> dict:
    """What the scene-segmentation paper claims: "images" -> id -> row -> value, "average" -> row -> value."""
    return read("published-bsds300")


def claimed() -> Table:
    """All that the paper claims, and below it what ours reaches in the reading that we take."""
    claims = published()
    rows = list(claims["average"])
    body = [[name, *(f"*{values[row]:.2f}*" for row in rows)] for name, values in claims["images"].items()]
    body.append(["average", *(f"*{claims['average'][row]:.2f}*" for row in rows)])
    ours, records, n = ["ours, best cluster"], [], 300
    for row in rows:
        record, columns = measured(PAPER_ROWS[row])
        records.append(record)
        n = min(n, _count(columns["unseg"]))
        found = benchmark.means(columns["unseg"])["best_cluster"]
        ours.append(benchmark.plus_minus(found["mean_annotator"], found["standard_error"]))
    note = (
        f"In italics: {claims['status']} ({claims['source']}). Last row: at least {n} images of BSDS300. "
        f"{_runs(records)}"
    )
    return Table(["image", *rows], [*body, ours], note)


def beside_the_paper(row: str, method: str | None = None) -> Table:
    """The five images and the average: the paper's claim, beside ours and its peers' in both readings.

    `method` is by default the one that comes nearest to the paper's description.
    """
    claims, method = published(), method or PAPER_ROWS[row]
    record, all_images = measured(method)
    _, five = measured(method, "five")
    peers = [who for who in five if who != "unseg"]
    body = []
    for i, name in enumerate(benchmark.PAPER_FIVE):
        cells = [f"*{claims['images'][name][row]:.2f}*"]
        cells += [f"{np.mean(five[who][s][i]):.2f}" for s in ("best_cluster", "mean_cluster") for who in five]
        body.append([name, *cells])
    means = {who: benchmark.means(columns) for who, columns in all_images.items()}
    cells = [f"*{claims['average'][row]:.2f}*"]
    cells += [
        benchmark.plus_minus(means[who][s]["mean_annotator"], means[who][s]["standard_error"])
        for s in ("best_cluster", "mean_cluster")
        for who in means
    ]
    body.append(["all", *cells])
    head = [
        "image",
        f"{row}, paper's claim",
        *(f"{SCORES[s]}, {who}" for s in ("best_cluster", "mean_cluster") for who in ("ours", *peers)),
    ]
    settings = ", ".join(f"{key} {value}" for key, value in record["settings"].items())
    note = (
        f"In italics: {claims['status']} ({claims['source']}). All: {_about('all', _count(all_images['unseg']))}. "
        f"Ours is `{method}`: {settings}. {_runs([record])}"
    )
    return Table(head, body, note)


ANNOTATORS = {  # how several annotators become one number
    "mean over annotators": np.mean,
    "kindest annotator": np.max,
    "first annotator": lambda values: values[0],
}


def readings(metrics: Sequence[str] = ("best_cluster", "mean_cluster", "covering", "matched_miou")) -> Table:
    """How far ours is from the paper's five values under each reading of its metric."""
    claims, found, records = published()["images"], {}, []
    for row, method in PAPER_ROWS.items():
        record, columns = measured(method, "five")
        records.append(record)
        printed = [claims[name][row] for name in benchmark.PAPER_FIVE]
        for metric in metrics:
            for words, reduce in ANNOTATORS.items():
                ours = [reduce(values) for values in columns["unseg"][metric]]
                found[metric, words, row] = distance(ours, printed)
    least = {row: min(value for (_, _, r), value in found.items() if r == row) for row in PAPER_ROWS}
    body = [
        [
            f"{SCORES[metric]}, {words}",
            *(f"**{v:.2f}**" if (v := found[metric, words, row]) == least[row] else f"{v:.2f}" for row in PAPER_ROWS),
        ]
        for metric in metrics
        for words in ANNOTATORS
    ]
    note = (
        "Root of the mean squared difference between our score and the value that the paper prints, over its five "
        f"images; the least of each column in bold. {_runs(records)}"
    )
    return Table(["reading", *(f"{row} ({method})" for row, method in PAPER_ROWS.items())], body, note)


def distance(ours: Sequence[float], printed: Sequence[float]) -> float:
    """Root of the mean squared difference."""
    return float(np.sqrt(np.mean((np.asarray(ours) - np.asarray(printed)) ** 2)))


# ---- what a seed and a setting change ------------------------------------------------------------------------------


def seeds(study: str, metrics: Sequence[str] = tuple(SCORES)) -> Table:
    """For each variant of a study: mean over images and seeds, and the standard deviation over seeds."""
    record = read(f"seeds-{study}")
    body = []
    for row in record["rows"]:
        values = [seed_benchmark.over_seeds(row, metric) for metric in metrics]
        name = row["variant"] if row["who"] == "unseg" else f"{row['variant']}, {row['who']}"
        cells = [benchmark.plus_minus(float(v.mean()), seed_benchmark.spread(v)) for v in values]
        body.append([name, *cells, _seconds(row["seconds_per_image"])])
    note = (
        f"Mean over annotators, over {record['n_images']} images of BSDS300 and over {len(record['seeds'])} seeds; "
        f"behind ± the standard deviation over seeds. {_runs([record])}"
    )
    return Table(["", *(SCORES[metric] for metric in metrics), "seconds an image"], body, note)


def seeds_against_peers(study: str, *more: str, images: Sequence[str] = ("fifty", "five")) -> Table:
    """Methods of ours and the peers of the first over the same seeds, on parts of the images, and the differences.

    `more` are studies of other methods of ours with the same images and seeds.
    """
    records = [read(f"seeds-{name}") for name in (study, *more)]
    names, numbers = records[0]["images"].split(), records[0]["seeds"]
    ours, peers = [], []
    for record in records:
        if record["images"].split() != names or record["seeds"] != numbers:
            raise ValueError(f"{record['study']} has other images or seeds than {study}: measure it again")
        first, *others = [row for row in record["rows"] if row["variant"] == seed_benchmark.BASE]
        ours.append((record["method"], first))
        peers += [(row["who"], row) for row in others]
    body = []
    for part in images:
        chosen = [names.index(name) for name in IMAGES[part] if name in names]
        about = f"{len(chosen)} {ABOUT.get(part, 'images')}"

        def over(row, metric, chosen=chosen):
            return seed_benchmark.over_seeds(row, metric, chosen)

        for who, row in (*ours, *peers):
            values = [over(row, metric) for metric in SCORES]
            cells = [benchmark.plus_minus(float(v.mean()), benchmark.standard_error(v)) for v in values]
            body.append([f"{about}: {who}", *cells])
        for method, row in ours:
            for who, peer in peers:
                found = [seed_benchmark.difference(over(row, m), over(peer, m), m) for m in SCORES]
                body.append([f"{about}: {method} over {who}", *map(_gain, found)])
    note = (
        f"Mean over annotators, images and {len(numbers)} seeds; behind ± its standard error over seeds. Differences "
        "are taken seed by seed; positive is better, for VI too. A star marks where ours is behind by more than one "
        f"standard error. {_runs(records)}"
    )
    return Table(["", *SCORES.values()], body, note)


# ---- the one object of a photo --------------------------------------------------------------------------------------

FOREGROUND_SCORES = {"iou": "foreground IoU", "max_f": "maximal F", "accuracy": "accuracy"}
NOT_HERE = "not measured here"


def foreground_rows(dataset: str, features: str) -> dict[tuple[str, bool], dict] | None:
    """(method, with post-processing) -> row of a record; None when these features were not measured."""
    try:
        record = read(f"foreground-{dataset}-{features}")
    except FileNotFoundError:
        return None
    return {(row["method"], row["refined"]): row for row in record["rows"]}


def foreground(score: str = "iou", dataset: str = "ecssd") -> Table:
    """One score of every method on every kind of features, without / with post-processing, and what was published."""
    from benchmarks import foreground as found

    claims = read("published-foreground")
    measured_rows = {name: foreground_rows(dataset, name) for name in found.FEATURES}
    columns = [name for name in found.FEATURES if name != found.NONE]
    body = []
    for method, row in found.METHODS.items():
        if row.needs_features:
            cells = [_foreground_cell(measured_rows[name], method, score) for name in columns]
        else:
            own = _foreground_cell(measured_rows[found.NONE], method, score)
            cells = [own if measured_rows[name] else "" for name in columns]
        if any(cells):
            body.append([method, *cells, _claimed_cell(claims[dataset].get(method, {}), score)])
    for i, name in enumerate(columns, 1):  # say it once a column
        if measured_rows[name] is None:
            body[0][i] = NOT_HERE
    records = [read(f"foreground-{dataset}-{name}") for name, rows in measured_rows.items() if rows]
    first = records[0]
    spread = ", behind ± its standard error" if score != "max_f" else ""
    images = f"{first['n_images']} images ({first['about']})"
    note = f"Mean {FOREGROUND_SCORES[score]} over {images}{spread}; behind the stroke with post-processing."
    head = ["", *columns]
    if claims[dataset]:
        head.append("published")
        note += f" In italics: {claims['status']}, on {claims['images']} ({claims['source']})."
    else:
        body = [row[:-1] for row in body]
    return Table(head, body, f"{note} {_runs(records)}")


def _foreground_cell(rows: dict | None, method: str, score: str) -> str:
    if rows is None or (method, False) not in rows:
        return ""
    plain, smooth = rows[method, False][score], rows.get((method, True), {}).get(score)
    text = benchmark.plus_minus(plain["mean"], plain.get("standard_error"))
    return f"{text} / {smooth['mean']:.3f}" if smooth else text


def _claimed_cell(claim: dict, score: str) -> str:
    texts = [f"{claim[step][score]:.3f}" for step in ("plain", "refined") if score in claim.get(step, {})]
    return f"*{' / '.join(texts)}*" if texts else ""


def foreground_gain(
    after: tuple[str, str, bool], before: tuple[str, str, bool], dataset: str = "ecssd"
) -> dict[str, float]:
    """Foreground IoU of one row minus that of another, image by image: mean and standard error of the differences.

    A row is (features, method, with post-processing).
    """
    values = [
        np.array(foreground_rows(dataset, name)[method, smooth]["per_image"])
        for name, method, smooth in (after, before)
    ]
    gain = values[0] - values[1]
    return {"mean": float(gain.mean()), "standard_error": benchmark.standard_error(gain)}


def foreground_gains(features: str = "minidino", base: str = "color+position", dataset: str = "ecssd") -> Table:
    """What features of a network add to color and position: the same method on both, photo by photo."""
    from benchmarks import foreground as found

    pairs = [(name, name, name) for name in found.methods_for(features)]
    pairs.append(("spectral-tuned over spectral-gaussian on color", "spectral-tuned", "spectral-gaussian"))
    ours, theirs = foreground_rows(dataset, features), foreground_rows(dataset, base)
    body = []
    for words, after, before in pairs:
        if ours is None or theirs is None:
            body.append([words, NOT_HERE, ""])
            continue
        gains = [foreground_gain((features, after, step), (base, before, step), dataset) for step in (False, True)]
        body.append([words, *(_gain(gain) for gain in gains)])
    goal = found.GOAL
    note = (
        f"Foreground IoU on {features} minus that on {base}, each photo with itself; a star marks what is worse by "
        f"more than one standard error. The goal of the course is a gain of {goal['gain']:.2f} for `{goal['method']}`."
    )
    return Table(["", "without post-processing", "with"], body, note)


# ---- classes over many frames ---------------------------------------------------------------------------------------


def semantic(dataset: str = "camvid") -> Table:
    """Mean IoU and accuracy after matching, for each method on each kind of features."""
    from benchmarks import foreground as found

    body, records = [], []
    for name in found.FEATURES:
        try:
            record = read(f"semantic-{dataset}-{name}")
        except FileNotFoundError:
            body.append([name, NOT_HERE, "", ""])
            continue
        records.append(record)
        about = "position alone" if name == found.NONE else name
        body += [[about, row["method"], *(_range(row[s]) for s in ("miou", "accuracy"))] for row in record["rows"]]
    first = records[0]
    note = (
        f"{first['n_images']} frames of CamVid, {first['n_classes']} clusters matched to the classes; mean, and in "
        f"brackets least to most, over {len(first['seeds'])} seeds. {_runs(records)}"
    )
    return Table(["features", "method", "matched mIoU", "accuracy"], body, note)


def _range(found: dict) -> str:
    return f"{found['mean']:.3f} ({found['least']:.3f} to {found['most']:.3f})"


# ---- what all tables share -----------------------------------------------------------------------------------------


def _gain(gain: dict) -> str:
    text = f"{gain['mean']:+.3f}".replace("-", "−")
    error = f" ±{gain['standard_error']:.3f}".replace("±0.", "±.") if gain["standard_error"] is not None else ""
    return text + error + (" *" if is_behind(gain) else "").replace("*", "\\*")


COMMON = (  # what commands of one table may differ in, and what stands for it
    (r"--method \S+", "--method METHOD"),
    (r"--features \S+", "--features FEATURES"),
    (r" --limit \S+", ""),  # on as many images as the table says
    (r"--study \S+", "--study STUDY"),
)


def _runs(records: Sequence[dict]) -> str:
    """When, on what and by which commands; one command where only the method differs."""
    first = records[0]
    dates = sorted({r["date"][:10] for r in records})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    commands = {re.sub(r" --(json|parts) \S+", "", r["command"]) for r in records}
    for part, common in COMMON:
        if len(commands) > 1:
            commands = {re.sub(part, common, command) for command in commands}
    machine = f"{first['machine']['cores']} cores ({first['machine']['processor']})"
    return f"Measured on {when} with {machine} by {' and '.join(f'`{c}`' for c in sorted(commands))}."


def _provenance(*records: dict) -> str:
    first = records[0]
    machine = f"{first['machine']['cores']} cores ({first['machine']['processor']})"
    commands = " and ".join(f"`{r['command'].split(' --json')[0]}`" for r in records)
    return f"Measured on {first['date'][:10]} with {machine} by {commands}."
