"""Classes over many frames: clusters that mean the same in each of them."""

import json

import numpy as np
import pytest

from benchmarks import foreground, record, semantic, tables
from unseg_helpers import backbones, datasets
from unseg_helpers.features import PatchFeatures


@pytest.fixture
def frames(monkeypatch):
    """Three frames of a gray road below a blue sky; a strip without a class between them."""
    rng = np.random.default_rng(0)
    samples = []
    for i in range(3):
        truth = np.full((48, 64), semantic.UNLABELED, np.uint8)
        truth[: 20 + 2 * i], truth[22 + 2 * i :] = 0, 3
        image = np.where((truth == 0)[..., None], [80, 120, 230], [120, 120, 120]) + rng.integers(0, 9, (48, 64, 3))
        samples.append(datasets.Sample(str(i), image.astype(np.uint8), truth, ()))
    monkeypatch.setitem(semantic.DATASETS, "frames", lambda: samples)
    monkeypatch.setattr(semantic, "N_CLASSES", 2)
    monkeypatch.setattr(foreground, "COLOR_SIZE", 96)
    return samples


@pytest.mark.parametrize("method", ["kmeans", "spectral-all"])
def test_both_find_sky_and_road(frames, method):
    result = semantic.run("frames", foreground.COLOR, methods=[method])
    (row,) = result["rows"]
    assert row["miou"]["mean"] > 0.8 and row["accuracy"]["mean"] > 0.9
    assert row["miou"]["least"] <= row["miou"]["mean"] <= row["miou"]["most"]


def test_two_runs_are_equal_and_a_record_is_whole(frames, tmp_path):
    rows = [semantic.run("frames", foreground.COLOR, limit=2)["rows"] for _ in range(2)]
    assert rows[0] == rows[1]
    result = semantic.run("frames", foreground.NONE)
    assert [row["method"] for row in result["rows"]] == ["kmeans"] and result["n_images"] == 3
    record.write_json(result, tmp_path / "semantic.json")
    assert f"{result['rows'][0]['miou']['mean']:.3f}" in semantic.table(result)


def test_as_published_the_backgrounds_are_one_class(monkeypatch):
    monkeypatch.setattr(semantic, "N_CLASSES", 3)
    segments = [np.array([[0, 1, 2]]), np.array([[2, 0, 1]])]
    unlike = [np.eye(3), [0, 1, 0]]  # the second background has the features of the first one's segment 1
    features = [np.array([unlike[0]]), np.array([[[0, 0, 1], unlike[1], [0, 1, 0]]])]
    grids = [PatchFeatures(x.astype(np.float32), 8, (8, 24)) for x in features]
    first, second = semantic.segments_together(grids, segments, 0)
    assert first[0, 0] == second[0, 1] == 0
    assert first[0, 1] == second[0, 2] != first[0, 2] == second[0, 0]
    again = semantic.all_segments_together(grids, segments, 0)
    assert again[0][0, 1] == again[1][0, 1] == again[1][0, 2] != again[0][0, 0]


def test_labels_go_back_to_their_images():
    labels = np.arange(10)
    first, second = semantic.split(labels, [(2, 2), (2, 3)])
    np.testing.assert_array_equal(first, [[0, 1], [2, 3]])
    np.testing.assert_array_equal(second, [[4, 5, 6], [7, 8, 9]])


def test_pixels_take_the_label_of_their_patch():
    labels = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(semantic.on_image(labels, (4, 4), (5, 4))[:, 0], [1, 1, 3, 3, 3])  # one row is left
    np.testing.assert_array_equal(semantic.on_image(labels, (4, 6), (4, 6))[0], [1, 1, 1, 2, 2, 2])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dataset": "cityscapes"}, "dataset must be one of camvid, .* got 'cityscapes'"),
        ({"features": "sift"}, "features must be one of none, .* got 'sift'"),
        ({"methods": ["picie"]}, "methods must be among kmeans, .* got picie"),
    ],
)
def test_what_is_not_known_is_named(frames, options, words):
    with pytest.raises(ValueError, match=words):
        semantic.run(**({"dataset": "frames", "features": foreground.COLOR} | options))


@pytest.mark.parametrize("path", sorted(tables.RESULTS.glob("semantic-*.json")), ids=lambda path: path.stem)
def test_files_are_of_the_settings_that_are_in_force(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == f"semantic-{found['dataset']}-{found['features']}"
    assert found["extract"] == foreground.EXTRACT.get(found["features"], {})
    if found["features"] == "minidino":
        assert found["digest"] == backbones.load("minidino").digest, "the weights have changed: measure again"
    for row in found["rows"]:
        assert row["settings"] in ({}, semantic.SEGMENTS), "the settings have changed: measure again"
