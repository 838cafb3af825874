"""The book's tables say what the files of results say."""

import json
import re

import pytest

from benchmarks import tables


def test_every_number_of_the_speed_table_is_in_the_file():
    rows = tables.read("kmeans")["rows"]
    text = tables.speed("kmeans").text
    assert text.count("\n| ") >= len({r["method"] for r in rows}) + 1
    for row in rows:
        assert f"{1000 * row['seconds']:.1f} ({row['ratio_to_ours']:.1f})" in text


def test_the_quality_table_has_ours_and_theirs(tmp_path, monkeypatch):
    means = {s: {"mean_annotator": 0.125 * i} for i, s in enumerate(tables.SCORES, 1)}
    record = {
        "method": "m",
        "dataset": "d",
        "n_images": 3,
        "means": {"unseg": means, "scikit-learn": means},
        "date": "2026-01-02T03:04:05",
        "machine": {"cores": 2, "processor": "P"},
        "command": "unseg bench quality --limit 3 --json x/y.json",
    }
    (tmp_path / "q.json").write_text(json.dumps(record))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    text = tables.quality("q").text
    assert re.search(r"\| m, unseg \| 0.125 \| 0.250 \|", text) and "| m, scikit-learn |" in text
    assert text.rstrip().endswith("Measured on 2026-01-02 with 2 cores (P) by `unseg bench quality --limit 3`.")


def test_what_was_not_measured_says_how_to():
    with pytest.raises(FileNotFoundError, match="unseg bench"):
        tables.read("nothing")
