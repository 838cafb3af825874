"""One object in each photo: the rules by hand, and every method on a case that all must solve."""

import json

import numpy as np
import pytest

from benchmarks import foreground, record, tables
from unseg_helpers import backbones, datasets
from unseg_helpers.features import PatchFeatures


def photo(shape=(64, 96), box=(16, 48, 32, 72), seed=0):
    """A red box on blue, with a little noise, and its mask."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    mask[box[0] : box[1], box[2] : box[3]] = True
    image = np.where(mask[..., None], [200, 40, 40], [30, 60, 190]) + rng.integers(-20, 20, (*shape, 3))
    return image.astype(np.uint8), mask


@pytest.fixture
def small(monkeypatch):
    """A data set of three such photos, and a coarse grid."""
    samples = [datasets.Sample(f"a/{i}", *photo(seed=i), ("background", "object")) for i in range(3)]
    monkeypatch.setitem(foreground.DATASETS, "small", foreground.Dataset(lambda: samples, "three boxes"))
    monkeypatch.setattr(foreground, "COLOR_SIZE", 128)
    return samples


# ---- rules ----------------------------------------------------------------------------------------------------------


def test_share_of_the_border_by_hand():
    mask = np.zeros((3, 4), bool)
    mask[0, :2] = mask[1, 1] = True  # two of the ten outermost patches, and one inside
    assert foreground.border_share(mask) == 0.2
    assert foreground.border_share(~mask) == 0.8


def test_border_rule_keeps_what_is_inside_and_turns_what_is_outside(seed):
    rng = np.random.default_rng(seed)
    inside = rng.uniform(0, 0.4, (6, 7))
    inside[2:4, 2:5] = rng.uniform(0.6, 1, (2, 3))
    np.testing.assert_array_equal(foreground.by_border(inside), inside)
    np.testing.assert_allclose(foreground.by_border(1 - inside), inside)


def test_squashed_by_hand_and_keeps_signs(seed):
    np.testing.assert_allclose(
        foreground.squashed([[0.0, 4.0, 8.0], [-0.1, -0.1, -0.1]]), [[0.5, 5 / 6, 1], [0, 0, 0]], atol=1e-12
    )
    v = np.random.default_rng(seed).normal(size=(4, 5))
    soft = foreground.squashed(v)
    assert 0 <= soft.min() and soft.max() <= 1
    np.testing.assert_array_equal(soft > 0.5, v > 0)
    assert (np.diff(soft.ravel()[v.ravel().argsort()]) >= 0).all()
    assert (foreground.squashed(np.zeros((2, 2))) == 0.5).all()


def test_reduced_has_the_principal_components(seed):
    x = np.random.default_rng(seed).normal(size=(5, 6, 4)) * [5, 1, 0.1, 0.1]
    unit = x.reshape(30, 4) / np.linalg.norm(x.reshape(30, 4), axis=1, keepdims=True)
    z = foreground.reduced(x, 2)
    values = np.linalg.svd(unit - unit.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(z, axis=0), values[:2], rtol=1e-6)
    np.testing.assert_allclose(foreground.reduced(x, None), unit)


def test_middle_by_hand():
    image = np.zeros((4, 8, 3), np.uint8)
    box = foreground.center(None, image, seed=0, shape="box", radius=0.5)
    np.testing.assert_array_equal(box, np.pad(np.ones((2, 4)), ((1, 1), (2, 2))))
    ellipse = foreground.center(None, np.zeros((200, 300, 3)), seed=0, shape="ellipse", radius=0.5)
    assert ellipse.mean() == pytest.approx(np.pi / 16, abs=1e-3)


def test_color_has_mean_zero_and_variance_one():
    image, _ = photo()
    grid = foreground.describe(image, foreground.COLOR)
    assert grid.image_size == (64, 96) and grid.features.shape[2] == 6
    h, w = grid.features.shape[:2]
    assert w / h == pytest.approx(1.5, abs=0.05)
    flat = grid.features.reshape(-1, 6)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(flat.std(axis=0), 1, atol=1e-3)


def test_what_the_grid_does_not_reach_gets_the_nearest_value():
    soft = np.array([[0.0, 1.0]])
    grid = PatchFeatures(np.zeros((1, 2, 3), np.float32), 8, (8, 16))
    whole = foreground.on_image(soft, grid, (11, 19))
    assert whole.shape == (11, 19)
    assert (whole[:, 15:] == whole[0, 15]).all() and (whole[8:] == whole[7]).all()


def test_means_are_over_groups_first():
    curves = np.array([[0.2, 0.4], [0.4, 0.8], [0.9, 0.3]])
    found = foreground.summary([0.1, 0.3, 0.6], [0.5, 0.7, 0.8], curves, ["a", "a", "b"])
    assert found["iou"] == {"mean": pytest.approx(0.4), "standard_error": pytest.approx(0.2)}
    assert found["accuracy"]["mean"] == pytest.approx(0.7)
    # groups: (.3, .6) and (.9, .3); at the first threshold .6, at the second .45
    assert found["max_f"] == {"mean": pytest.approx(0.6), "threshold": 0.0}


# ---- every method ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", foreground.methods_for(foreground.COLOR))
def test_every_method_finds_the_red_box(name):
    image, mask = photo((120, 160), (40, 80, 56, 112))
    rng = np.random.default_rng(0)
    is_object = mask[4::8, 4::8]  # (15, 20)
    patches = np.where(is_object[..., None], [1, 1, 0, -0.3, -0.3, -0.3], [-0.3, -0.3, 0, 1, 1, 1])
    patches = (patches + 0.1 * rng.normal(size=patches.shape)).astype(np.float32)
    grid = PatchFeatures(patches, 8, (120, 160))
    options = foreground.settings(foreground.COLOR, name)
    soft = foreground.METHODS[name].find(grid.features, image, seed=0, **options)
    assert soft.shape == grid.features.shape[:2] and 0 <= soft.min() and soft.max() <= 1
    for whole in (
        foreground.on_image(soft, grid, mask.shape),
        foreground.refined(soft, grid, image, **foreground.REFINE),
    ):
        iou, accuracy, curve = foreground.one_score(mask, whole)
        assert iou > 0.7 and accuracy > 0.9 and curve.max() > 0.8, name


def test_only_color_has_the_gaussian():
    assert "spectral-gaussian" in foreground.methods_for(foreground.COLOR)
    assert "spectral-gaussian" not in foreground.methods_for("minidino")
    assert set(foreground.methods_for(foreground.NONE)) == {"center-ellipse", "center-box"}


def test_settings_of_the_features_come_first(monkeypatch):
    monkeypatch.setitem(foreground.SETTINGS, "minidino", {"tokencut": {"tau": 0.3}})
    assert foreground.settings("minidino", "tokencut") == {"tau": 0.3}
    assert foreground.settings("dino_vits16", "tokencut") == {"tau": 0.2}


# ---- a whole run ----------------------------------------------------------------------------------------------------


def without_times(result):
    text = json.dumps(result)
    found = json.loads(text)
    for key in ("date", "command", "machine", "seconds_per_image_for_features"):
        found.pop(key)
    for row in found["rows"]:
        row.pop("seconds_per_image")
    return found


def test_two_runs_are_equal_and_a_record_is_whole(small, tmp_path):
    runs = [foreground.run("small", foreground.COLOR, methods=["kmeans", "spectral"]) for _ in range(2)]
    assert without_times(runs[0]) == without_times(runs[1])
    result = runs[0]
    assert [(row["method"], row["refined"]) for row in result["rows"]] == [
        ("kmeans", False),
        ("kmeans", True),
        ("spectral", False),
        ("spectral", True),
    ]
    assert result["n_images"] == 3 and result["images"].split() == ["a/0", "a/1", "a/2"]
    for row in result["rows"]:
        assert row["iou"]["mean"] == pytest.approx(np.mean(row["per_image"]), abs=1e-4)
    text = foreground.table(result)
    assert "kmeans + " in text and f"{result['rows'][0]['accuracy']['mean']:.3f}" in text
    record.write_json(result, tmp_path / "foreground.json")


def test_trivial_rows_have_no_post_processing(small):
    result = foreground.run("small", foreground.NONE, limit=2)
    assert [row["refined"] for row in result["rows"]] == [False, False] and result["n_images"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dataset": "imagenet"}, "dataset must be one of ecssd, .* got 'imagenet'"),
        ({"features": "sift"}, "features must be one of none, .* got 'sift'"),
        ({"methods": ["maskcut"]}, "there are kmeans, .* got maskcut"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"weights": "some.pth"}, "weights are for the features of a network, got 'some.pth' for 'color"),
    ],
)
def test_what_is_not_known_is_named(small, options, words):
    with pytest.raises(ValueError, match=words):
        foreground.run(**({"dataset": "small", "features": foreground.COLOR} | options))


def test_folder_of_the_weights_is_not_noted(monkeypatch):
    monkeypatch.setattr("sys.argv", ["bin/unseg", "bench", "--weights", "/home/me/dino.pth"])
    assert foreground.noted("/home/me/dino.pth", ["numpy"])["command"] == "unseg bench --weights dino.pth"


def test_tuning_and_measuring_share_no_image(data_dir):
    tuning, measured = (foreground.DATASETS[name].load() for name in ("ecssd-tune", "ecssd"))
    ids = [{data.pack.ids[i] for i in data.indices} for data in (tuning, measured)]
    assert not ids[0] & ids[1] and len(ids[0] | ids[1]) == len(datasets.ecssd())
    assert len(tuning[:2]) == 2 and tuning[1].truth.dtype == bool


def test_videos_are_groups_of_ten(data_dir):
    data = foreground.DATASETS["davis16"]
    names = [data.load().pack.ids[i] for i in data.load().indices]
    groups = [data.group(name) for name in names]
    assert all(groups.count(name) == 10 for name in set(groups))


# ---- the tables -----------------------------------------------------------------------------------------------------


def made(features, scores, dataset="ecssd"):
    """A record by hand: {method: (scores without, scores with post-processing or None)}."""
    rows = [
        {
            "method": method,
            "refined": bool(step),
            "iou": {"mean": float(np.mean(values)), "standard_error": 0.01},
            "accuracy": {"mean": 0.9, "standard_error": 0.02},
            "max_f": {"mean": 0.75, "threshold": 0.5},
            "per_image": list(values),
        }
        for method, steps in scores.items()
        for step, values in enumerate(steps)
        if values
    ]
    return {
        "dataset": dataset,
        "features": features,
        "about": "some photos",
        "n_images": 2,
        "rows": rows,
        "date": "2026-01-02T03:04:05",
        "machine": {"cores": 2, "processor": "P"},
        "command": f"unseg bench foreground --features {features} --json x.json",
    }


@pytest.fixture
def results(tmp_path, monkeypatch):
    claims = tables.read("published-foreground")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    files = {
        "published-foreground": claims,
        "foreground-ecssd-none": made("none", {"center-box": ([0.3, 0.5], None)}),
        "foreground-ecssd-minidino": made("minidino", {"tokencut": ([0.4, 0.8], [0.5, 0.9])}),
    }
    for name, values in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(values))


def test_table_has_a_column_for_each_kind_of_features(results):
    text = tables.foreground("iou").text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n\n")[0].split("\n")]
    columns = rows[0]
    assert columns[1:-1] == [name for name in foreground.FEATURES if name != "none"]
    box, cut = rows[2:]
    of = columns.index("minidino")
    assert box[0] == "center-box" and box[of] == "0.400 ±.010" and box[-1] == ""
    assert cut[0] == "tokencut" and cut[of] == "0.600 ±.010 / 0.700" and cut[-1] == "*0.712 / 0.772*"
    assert all(box[i] == "not measured here" for i in range(1, len(columns) - 1) if i != of)
    assert "claimed by its authors; not measured here" in text and "2 images (some photos)" in text
    assert "by `unseg bench foreground --features FEATURES`" in text


def test_other_scores_have_tables_too(results):
    assert "| tokencut |  | 0.750 / 0.750 |" in tables.foreground("max_f").text
    assert "| tokencut |  | 0.900 ±.020 / 0.900 |" in tables.foreground("accuracy").text


def test_gain_is_image_by_image(results):
    gain = tables.foreground_gain(("minidino", "tokencut", True), ("none", "center-box", False))
    assert gain == {"mean": pytest.approx(0.3), "standard_error": pytest.approx(0.1)}


def test_what_the_network_adds(results):
    assert "| tokencut | not measured here |  |" in tables.foreground_gains().text  # no color yet
    scores = {name: ([0.5, 0.7], [0.5, 0.7]) for name in foreground.methods_for(foreground.COLOR)}
    for features, add in ((foreground.COLOR, 0.0), ("minidino", 0.2)):
        raised = {name: tuple([v + add for v in step] for step in steps) for name, steps in scores.items()}
        path = tables.RESULTS / f"foreground-ecssd-{features}.json"
        path.write_text(json.dumps(made(features, raised)))
    text = tables.foreground_gains().text
    assert "| kmeans | +0.200 ±.000 | +0.200 ±.000 |" in text
    assert "| spectral-tuned over spectral-gaussian on color | +0.200 ±.000 | +0.200 ±.000 |" in text


# ---- the files that are there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(tables.RESULTS.glob("foreground-*.json")), ids=lambda path: path.stem)
def test_files_are_of_the_settings_that_are_in_force(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == f"foreground-{found['dataset']}-{found['features']}" and path.stat().st_size < 320_000
    assert found["refine"] == foreground.REFINE and found["extract"] == foreground.EXTRACT.get(found["features"], {})
    if found["features"] == "minidino":
        assert found["digest"] == backbones.load("minidino").digest, "the weights have changed: measure again"
    assert {row["method"] for row in found["rows"]} == set(foreground.methods_for(found["features"]))
    for row in found["rows"]:
        assert row["settings"] == foreground.settings(found["features"], row["method"]), "measure again"
        assert len(row["per_image"]) == found["n_images"] == len(found["images"].split())
        if found["n_groups"] == found["n_images"]:
            assert row["iou"]["mean"] == pytest.approx(np.mean(row["per_image"]), abs=1e-4)
