"""The book's tables say what the files of results say."""

import json
import re

import numpy as np
import pytest

from benchmarks import quality, seeds, tables


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


# ---- tables on all of BSDS300, from files made here ----------------------------------------------------------------

IDS = [*quality.PAPER_FIVE, *quality.GOALS_30, "100075"]


def record(method, values, peers=None, command="unseg bench quality --dataset bsds300-all --method {} --json x.json"):
    """A record of scores that are the same for every metric: {who: one number, or annotators' numbers, an image}."""
    who = {"unseg": values, **(peers or {})}
    rows = {name: [np.atleast_1d(v).tolist() for v in given] for name, given in who.items()}
    return {
        "method": method,
        "dataset": "bsds300-all",
        "n_images": len(IDS),
        "settings": {"k": 4},
        "images": " ".join(IDS),
        "seconds_per_image": dict(zip(rows, (0.25, 1.5, 13.2), strict=False)),
        "per_image": {name: {metric: given for metric in tables.SCORES} for name, given in rows.items()},
        "date": "2026-01-02T03:04:05",
        "machine": {"cores": 2, "processor": "P"},
        "command": command.format(method),
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where results are read from, with the published numbers in it and a way to add a method's."""
    (tmp_path / "published-bsds300.json").write_text(json.dumps(tables.published()))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)

    def add(method, values, **options):
        path = tmp_path / f"quality-bsds300-all-{method}.json"
        path.write_text(json.dumps(record(method, values, **options)))

    return add


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.text.split("\n\n")[0].split("\n")]


def test_methods_by_hand_and_parts_of_all_images(folder):
    folder("a", [[0.0, 0.5]] * 6 + [0.5] * (len(IDS) - 6))
    rows = cells(tables.methods("a", images="five"))
    assert rows[0][1:] == list(tables.SCORES.values())
    assert rows[2] == ["a", *["0.250 ±.000"] * 6]
    # of the 30, the first has a mean of .25 and 29 have .5: standard deviation .25 / sqrt(30), error .25 / 30
    assert cells(tables.methods("a", images="goals"))[2][1] == f"{0.5 - 0.25 / 30:.3f} ±.008"


def test_all_images_are_as_many_as_were_measured(folder):
    folder("a", [0.5] * len(IDS))
    assert f"then over {len(IDS)} images of BSDS300" in tables.methods("a").text


def test_pairs_are_of_images_that_both_have(folder):
    folder("a", np.arange(len(IDS)) / 100)
    folder("b", np.arange(len(IDS)) / 50)
    path = tables.RESULTS / "quality-bsds300-all-b.json"
    part = json.loads(path.read_text())
    part["images"] = " ".join(IDS[2:4])
    part["per_image"] = {"unseg": {metric: rows[2:4] for metric, rows in part["per_image"]["unseg"].items()}}
    path.write_text(json.dumps(part))
    a, b = tables.paired("a", "b")
    assert a["covering"] == [[0.02], [0.03]] and b["covering"] == [[0.04], [0.06]]
    assert "Mean over 2 images of BSDS300 of after" in tables.effects(("words", "a", "b")).text


def test_images_that_no_run_reached_are_named(folder):
    folder("a", [0.5] * len(IDS))
    with pytest.raises(ValueError, match="none of the images .* is in the results of a"):
        tables.measured("a", ["1"])


def test_peers_are_shown_when_wanted(folder):
    folder("a", [0.5] * len(IDS), peers={"scikit-learn": [0.4] * len(IDS)})
    assert [row[0] for row in cells(tables.methods("a"))[2:]] == ["a"]
    assert [row[0] for row in cells(tables.methods("a", peers=True))[2:]] == ["a", "a, scikit-learn"]


def test_time_has_two_digits_and_people_none(folder):
    folder("a", [0.5] * len(IDS), peers={"slow": [0.5] * len(IDS), "slower": [0.5] * len(IDS)})
    rows = cells(tables.methods("a", peers=True, seconds=True))
    assert rows[0][-1] == "seconds an image" and [row[-1] for row in rows[2:]] == ["0.25", "1.5", "13"]


def test_fifty_images_hold_those_of_the_paper_and_of_the_goals():
    assert len(quality.FIFTY) == len(set(quality.FIFTY)) == 50
    assert set(quality.FIFTY) > {*quality.PAPER_FIVE, *quality.GOALS_30}


def test_claims_are_complete(folder):
    for method in tables.PAPER_ROWS.values():
        folder(method, [0.5] * len(IDS))
    rows = cells(tables.claimed())
    assert rows[0] == ["image", "GMM", "CNN", "KMEANS", "CNN+KMEANS", "GMM+KMEANS"]
    assert rows[2] == ["25098", "*0.63*", "*0.74*", "*0.81*", "*0.47*", "*0.60*"]
    assert rows[-2] == ["average", "*0.62*", "*0.67*", "*0.39*", "*0.48*", "*0.51*"]
    assert rows[-1] == ["ours, best cluster", *["0.500 ±.000"] * 5]


def test_gains_have_a_sign_an_error_and_a_star(folder):
    folder("a", [0.5] * len(IDS), peers={"better": [0.6] * len(IDS), "same": [0.5] * len(IDS)})
    better, same = cells(tables.against_peers("a"))[2:]
    assert better[:2] == ["a over better", "−0.100 ±.000 \\*"]
    assert better[list(tables.SCORES).index("variation_of_information") + 1] == "+0.100 ±.000"  # less is better
    assert same[1:] == ["+0.000 ±.000"] * 6
    assert "standard error: 5 of 12." in tables.against_peers("a").text


def test_noise_within_an_error_gets_no_star():
    assert not tables.is_behind({"mean": -0.01, "standard_error": 0.02})
    assert tables.is_behind({"mean": -0.03, "standard_error": 0.02})


def test_effects_are_after_minus_before(folder):
    folder("before", [0.5] * len(IDS))
    folder("after", [0.6] * len(IDS))
    row = cells(tables.effects(("words", "before", "after")))[2]
    assert row[:2] == ["words", "+0.100 ±.000"]
    assert row[list(tables.SCORES).index("variation_of_information") + 1] == "−0.100 ±.000 \\*"


def test_goals_say_yes_and_no(folder):
    folder("gmm", [0.65] * len(IDS))
    assert [row[-3:] for row in cells(tables.goals("gmm"))[2:]] == [
        ["0.62", "0.650 ±.000", "yes"],
        ["0.41", "0.650 ±.000", "yes"],
        ["0.69", "0.650 ±.000", "no"],
        ["0.46", "0.650 ±.000", "yes"],
    ]


def test_beside_the_paper_marks_its_claims(folder):
    folder("gmm-paper", [[0.2, 0.4]] * len(IDS), peers={"scikit-learn": [0.35] * len(IDS)})
    table = tables.beside_the_paper("GMM")
    rows = cells(table)
    assert rows[2] == ["25098", "*0.63*", "0.30", "0.35", "0.30", "0.35"]
    assert rows[-1][:3] == ["all", "*0.62*", "0.300 ±.000"]
    assert "claimed by its authors; not measured here" in table.text


def test_readings_find_the_one_that_fits(folder):
    for row, method in tables.PAPER_ROWS.items():
        printed = [tables.published()["images"][name][row] for name in quality.PAPER_FIVE]
        folder(method, [[v - 0.1, v + 0.1, v] for v in printed] + [0.0] * (len(IDS) - 5))
    for row in cells(tables.readings())[2:]:
        wanted = {"mean": "**0.00**", "kindest": "0.10", "first": "0.10"}[row[0].split(", ")[1].split()[0]]
        assert row[1:] == [wanted] * len(tables.PAPER_ROWS)


def test_distance_by_hand():
    assert tables.distance([0.1, 0.5], [0.4, 0.9]) == pytest.approx((0.25 / 2) ** 0.5)


def test_one_command_for_many_methods(folder):
    folder("a", [0.5] * len(IDS))
    assert tables.methods("a").text.rstrip().endswith("by `unseg bench quality --dataset bsds300-all --method a`.")
    folder("b", [0.5] * len(IDS))
    assert "by `unseg bench quality --dataset bsds300-all --method METHOD`." in tables.methods("a", "b").text


# ---- seeds ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def study(folder):
    """Two variants on the images; ours is .02, .04 and .06 better than the other in its three seeds."""
    worse = np.full((3, len(IDS)), 0.4)
    better = worse + np.array([[0.02], [0.04], [0.06]])
    rows = [
        {
            "variant": variant,
            "who": who,
            "seconds_per_image": 7.0,
            "scores": {metric: scores.tolist() for metric in tables.SCORES},
        }
        for variant in (seeds.BASE, "mu 1")
        for who, scores in (("unseg", better), ("as published", worse))
    ]
    about = {key: record("a", [0])[key] for key in ("date", "machine", "images", "n_images")}
    about |= {"command": "unseg bench seeds --study s --parts p", "seeds": [0, 1, 2]}
    made = about | {"study": "s", "method": "a", "rows": rows}
    (tables.RESULTS / "seeds-s.json").write_text(json.dumps(made))
    other = about | {"study": "t", "method": "b", "rows": rows[1:2]}
    other["rows"] = [rows[1] | {"who": "unseg"}]  # as good as the peer
    (tables.RESULTS / "seeds-t.json").write_text(json.dumps(other))


def test_spread_is_that_of_the_seeds(study):
    rows = cells(tables.seeds("s"))
    assert [row[0] for row in rows[2:4]] == [seeds.BASE, f"{seeds.BASE}, as published"]
    assert rows[2][1] == "0.440 ±.020" and rows[3][1] == "0.400 ±.000" and rows[2][-1] == "7.0"


def test_peers_are_compared_seed_by_seed(study):
    rows = cells(tables.seeds_against_peers("s", "t", images=("goals", "five")))
    error = f"±{0.02 / 3**0.5:.3f}".replace("±0", "±")
    assert rows[2][:2] == ["30 of the test images: a", f"0.440 {error}"]
    assert [row[0].split(": ")[1] for row in rows[2:7]] == [
        *("a", "b", "as published", "a over as published", "b over as published")
    ]
    assert rows[5][1] == f"+0.040 {error}" and rows[6][1] == "+0.000 ±.000"
    vi = list(tables.SCORES).index("variation_of_information") + 1
    assert rows[5][vi] == f"−0.040 {error} \\*" and rows[7][0] == "5 images of the paper: a"
    assert "by `unseg bench seeds --study s`." in tables.seeds_against_peers("s", "t").text


def test_studies_of_other_seeds_are_not_compared(study):
    path = tables.RESULTS / "seeds-t.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seeds": [0, 1]}))
    with pytest.raises(ValueError, match="t has other images or seeds than s"):
        tables.seeds_against_peers("s", "t")


# ---- the files that are there ---------------------------------------------------------------------------------------


def results():
    return sorted(tables.RESULTS.glob("quality-*.json"))


def test_there_are_results():
    assert results()


@pytest.mark.parametrize("path", results(), ids=lambda path: path.stem)
def test_means_follow_from_the_images(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["method"] in path.stem and found["dataset"] in path.stem
    assert found["settings"] == quality.METHODS[found["method"]].settings, "the setting has changed: measure again"
    assert path.stat().st_size < 320_000
    assert len(found["images"].split()) == found["n_images"]
    for who, columns in found["per_image"].items():
        again = quality.means(columns)
        for metric, mean in found["means"][who].items():
            assert len(columns[metric]) == found["n_images"]
            assert all(len(row) == len(other) for row, other in zip(columns[metric], columns["covering"], strict=True))
            assert mean == pytest.approx(again[metric], abs=1e-4)


def test_published_numbers_name_their_source():
    claims = tables.published()
    assert claims["source"] and claims["status"].startswith("claimed")
    assert list(claims["images"]) == list(quality.PAPER_FIVE)
    assert all(0 < value < 1 for row in [*claims["images"].values(), claims["average"]] for value in row.values())
