"""Files of measurements: whole, readable by machines, and no longer than they need be."""

import json

import pytest

from benchmarks import record


def test_a_file_holds_what_was_measured_with_one_line_for_each_image(tmp_path):
    values = {
        "images": "a b",
        "scores": [[0.1, 0.25], [1.0]],
        "none": [],
        "words": ["a [1,\n 2]", "b"],
        "more": [{"x": 1}],
    }
    record.write_json(values, tmp_path / "new" / "file.json")
    text = (tmp_path / "new" / "file.json").read_text()
    assert json.loads(text) == values
    assert "[0.1, 0.25]" in text
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file.json"]


def test_what_json_does_not_know_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        record.write_json({"score": float("nan")}, tmp_path / "file.json")
    assert not list(tmp_path.iterdir())
