"""Tables of the book, written from the measurements under ``benchmarks/results``: no number is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

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
    body = []
    for method in methods:
        cells = [of.get((case, method)) for case in cases]
        body.append([method, *(f"{1000 * r['seconds']:.1f} ({r['ratio_to_ours']:.1f})" if r else "" for r in cells)])
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


def _provenance(*records: dict) -> str:
    first = records[0]
    machine = f"{first['machine']['cores']} cores ({first['machine']['processor']})"
    commands = " and ".join(f"`{r['command'].split(' --json')[0]}`" for r in records)
    return f"Measured on {first['date'][:10]} with {machine} by {commands}."
