"""``unseg bench``: what is asked for is measured, shown and written."""

import json

import pytest
from click.testing import CliRunner

from autograder.cli import main
from autograder.cli.bench import bench


@pytest.fixture
def unseg():
    return lambda *arguments: CliRunner().invoke(main, ["bench", *map(str, arguments)])


def test_quality_writes_scores_per_image(unseg, tmp_path):
    target = tmp_path / "quality.json"
    result = unseg("quality", "--dataset", "photos", "--limit", 1, "--json", target)
    assert result.exit_code == 0, result.output
    assert "covering" in result.stdout and "scikit-learn" in result.stdout
    record = json.loads(target.read_text())
    assert {"date", "versions", "machine", "seed", "command", "means", "per_image"} <= set(record)
    assert len(record["per_image"]["unseg"]["covering"]) == record["n_images"] == 1


def test_json_to_standard_output_is_nothing_but_json(unseg):
    result = unseg("quality", "--dataset", "scenes", "--limit", 1, "--json", "-")
    assert json.loads(result.stdout)["dataset"] == "scenes"
    assert "covering" in result.stderr


def test_seeds_keep_their_parts(unseg, monkeypatch, tmp_path):
    from benchmarks import quality, seeds

    monkeypatch.setitem(quality.DATASETS, "bsds300-all", quality.DATASETS["photos"])
    monkeypatch.setitem(seeds.STUDIES, "cnn", seeds.Study("kmeans-color", {seeds.BASE: {}}, 9, "for this test"))
    options = ("--study", "cnn", "--limit", 1, "--seeds", 2, "--parts", tmp_path / "parts", "--json", "-")
    record = json.loads(unseg("seeds", *options).stdout)
    assert record["seeds"] == [0, 1] and record["n_images"] == 1
    assert len(list((tmp_path / "parts").iterdir())) == 2
    assert json.loads(unseg("seeds", *options).stdout)["rows"] == record["rows"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("seeds", "--study", "magic"), "'magic'; there are cnn, cnn-published"),
        (("quality", "--dataset", "imagenet"), "'imagenet'; there are bsds300, bsds300-all"),
        (("quality", "--method", "magic"), "'magic'; there are one-segment, people, kmeans"),
        (("kmeans", "--case", "moon"), "moon; there are 3096-rgb"),
        (("grading", "--case", "moon"), "moon; there are 1 from nothing, 1 cold"),
        (("--json", "folder", "quality"), "give --json after the subcommand"),
    ],
)
def test_what_is_not_there_is_named(unseg, arguments, message):
    result = unseg(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_missing_data_is_one_sentence_with_the_command(unseg, monkeypatch, tmp_path):
    monkeypatch.setenv("UNSEG_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    result = unseg("quality", "--dataset", "bsds300", "--limit", 1)
    assert result.exit_code == 1
    assert "unseg data fetch" in result.stderr
    assert "Traceback" not in result.output


def test_without_a_subcommand_all_speed_benchmarks_run(unseg, monkeypatch, tmp_path):
    from benchmarks import (
        gmm_speed,
        grading_speed,
        kanezaki_speed,
        kmeans_speed,
        metrics_speed,
        spectral_speed,
        wire_fuzz,
    )

    def kmeans_run(**options):
        assert options["names"] == tuple(kmeans_speed.CASES) and options["memory"]
        return {"benchmark": "kmeans"}

    def gmm_run(**options):
        assert options["names"] == tuple(gmm_speed.CASES) and options["memory"]
        return {"benchmark": "gmm"}

    def spectral_run(**options):
        assert options["names"] == tuple(spectral_speed.SIZES) and options["memory"]
        return {"benchmark": "spectral"}

    def kanezaki_run(**options):
        assert options["names"] == ("full",) and options["memory"]
        return {"benchmark": "kanezaki"}

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # as if torch were installed
    monkeypatch.setattr(kanezaki_speed, "run", kanezaki_run)
    monkeypatch.setattr(kmeans_speed, "run", kmeans_run)
    monkeypatch.setattr(spectral_speed, "run", spectral_run)
    monkeypatch.setattr(gmm_speed, "run", gmm_run)
    monkeypatch.setattr(
        metrics_speed,
        "run",
        lambda: [{"metric": "covering", "loop_seconds": 1.0, "our_seconds": 0.01, "ratio": 100.0}],
    )
    monkeypatch.setattr("autograder.sandbox.why_not", lambda: None)
    monkeypatch.setattr(grading_speed, "run", lambda **options: {"benchmark": "grading", "cases": options["names"]})
    monkeypatch.setattr(wire_fuzz, "run", lambda *, seconds: FUZZED | {"seconds": seconds})
    result = unseg("--json", tmp_path)
    assert result.exit_code == 0, result.output
    records = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    names = ("gmm", "grading", "kanezaki", "kmeans", "metrics", "spectral", "wire")
    assert sorted(records) == [f"{name}.json" for name in names]
    assert "100 times faster: reached" in result.output
    assert records["grading.json"]["cases"] == list(grading_speed.available())
    assert records["wire.json"]["seconds"] == 60


FUZZED = {"executions": 1_000_000, "kept": 12, "peak_mb": 60}


def test_where_the_sandbox_is_missing_grading_is_not_measured(unseg, monkeypatch):
    monkeypatch.setattr("autograder.sandbox.why_not", lambda: "bubblewrap is missing: apt-get install bubblewrap")
    result = unseg("grading")
    assert result.exit_code == 0
    assert "not measured here: bubblewrap is missing" in result.stdout


def test_where_the_fuzzer_is_missing_that_is_said(unseg, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = unseg("wire")
    assert result.exit_code == 0
    assert "pip install atheris" in result.stdout


def test_an_input_that_breaks_the_decoder_is_shown_and_fails(unseg, monkeypatch):
    from benchmarks import wire_fuzz

    def run(*, seconds):
        raise wire_fuzz.FuzzFound("crash-1: b'{}'")

    monkeypatch.setattr(wire_fuzz, "run", run)
    result = unseg("wire", "--seconds", 1)
    assert result.exit_code == 1
    assert "b'{}'" in result.stderr


def test_subcommands():
    assert set(bench.commands) == {
        *("faults", "foreground", "gmm", "grading", "kanezaki", "kmeans", "metrics", "quality"),
        *("seeds", "semantic", "spectral", "wire"),
    }


def test_a_size_that_is_not_measured(unseg, monkeypatch):
    result = unseg("spectral", "--case", "901")
    assert result.exit_code == 2 and "784, 900, 3600" in result.stderr
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    result = unseg("kanezaki", "--case", "quarter")
    assert result.exit_code == 2 and "full, half, third" in result.stderr


def test_without_torch_the_network_is_not_measured(unseg, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = unseg("kanezaki")
    assert result.exit_code == 0 and "torch is not installed" in result.stdout


def test_faults_tell_what_was_lost_and_fail_then(unseg, monkeypatch):
    from benchmarks import grading_faults

    fine = {"kills": 3, "seconds": 9.0, "lost": 0, "twice": 0, "ungraded": 0, "wrong": 0, "exit_status": 0}
    monkeypatch.setattr(grading_faults, "run", lambda *_, **__: fine)
    result = unseg("faults", "--count", "5")
    assert result.exit_code == 0 and "5 submissions, 3 workers killed, 9 s: 0 lost" in result.output
    monkeypatch.setattr(grading_faults, "run", lambda *_, **__: fine | {"lost": 1})
    result = unseg("faults")
    assert result.exit_code == 1 and "not all were graded once and right" in result.output
