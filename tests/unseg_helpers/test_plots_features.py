"""Pictures of patch features: what is painted follows from the arrays, and every error names its argument."""

import re

import numpy as np
import pytest

from unseg_helpers import plots_features as pf


def photo(seed, h=40, w=60):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3)).astype(np.uint8)


def luminance(colors):
    return np.asarray(colors) @ np.array([0.2126, 0.7152, 0.0722])


def test_a_higher_value_is_always_lighter():
    assert (np.diff(luminance(pf.heat_colors(64))) > 0).all()


def test_heat_keeps_order_and_clips_at_its_ends(seed):
    values = np.random.default_rng(seed).normal(size=(5, 7))
    light = luminance(pf.heat(values))
    order = np.argsort(values, axis=None)
    assert (np.diff(light.ravel()[order]) >= 0).all()
    scaled = pf.heat([[-3.0, 0.5, 9.0]], low=0, high=1)[0]
    np.testing.assert_array_equal(scaled[[0, 2]], pf.heat_colors()[[0, 255]])
    assert (pf.heat(np.full((2, 2), 7.0)) == 0).all()  # nothing differs


@pytest.mark.parametrize(("height", "width", "h", "w"), [(40, 60, 5, 6), (41, 59, 5, 7), (9, 9, 9, 9)])
def test_grid_lines_and_labels_and_enlarged_patches_agree(height, width, h, w):
    cell = pf.enlarge(np.arange(h * w).reshape(h, w), (height, width))
    np.testing.assert_array_equal(pf.patch_labels(cell, (h, w)).ravel(), np.arange(h * w))
    marked = pf.patch_lines(np.zeros((height, width, 3), np.uint8), (h, w), chosen=[(2, 3)], lines=False)
    inside = cell == 2 * w + 3
    assert (marked[inside] == 0).all()  # the frame is around the patch, not in it
    framed = (marked == pf.MARK).all(axis=2)
    rows, columns = np.nonzero(inside)
    assert framed[rows.min() - 1, columns.min()] and framed[rows.max() + 1, columns.max()]
    lined = (pf.patch_lines(np.zeros((height, width, 3), np.uint8), (h, w)) == 255).all(axis=2)
    assert not lined[0].all() and lined.all(axis=1).sum() == h - 1 and lined.all(axis=0).sum() == w - 1


def test_input_stays_as_it_was(seed):
    image = photo(seed)
    before = image.copy()
    pf.patch_lines(image, (5, 6), chosen=[(0, 0), (4, 5)])
    pf.lay_over(image, np.eye(4))
    np.testing.assert_array_equal(image, before)


def test_overlay_ends_are_gray_photo_and_heat(seed):
    image, values = photo(seed), np.random.default_rng(seed).random((4, 6))
    none, full = (pf.lay_over(image, values, alpha=alpha) for alpha in (0.0, 1.0))
    assert (none[..., 0] == none[..., 1]).all() and (none[..., 0] == none[..., 2]).all()
    np.testing.assert_array_equal(full, pf.enlarge(pf.heat(values), image.shape[:2]))


def test_self_similarity_is_the_plain_cosine(seed):
    x = np.random.default_rng(seed).normal(size=(3, 4, 5))
    got = pf.self_similarity(x, (1, 2))
    for r in range(3):
        for c in range(4):
            expected = x[r, c] @ x[1, 2] / np.linalg.norm(x[r, c]) / np.linalg.norm(x[1, 2])
            assert got[r, c] == pytest.approx(expected)
    np.testing.assert_allclose(pf.self_similarity(7 * x, (1, 2)), got)
    x[0, 0] = 0
    assert pf.self_similarity(x, (1, 2))[0, 0] == 0  # no direction, no similarity, no NaN


def test_patch_labels_by_counting(seed):
    labels = np.random.default_rng(seed).integers(0, 4, (30, 40))
    got = pf.patch_labels(labels, (5, 8))
    for r in range(5):
        for c in range(8):
            counts = np.bincount(labels[6 * r : 6 * r + 6, 5 * c : 5 * c + 5].ravel(), minlength=4)
            assert got[r, c] == counts.argmax()


def test_crops_lie_inside_and_have_their_share(seed):
    crops = pf.random_crops((200, 300), n_global=30, n_local=60, scale=(0.05, 0.4, 1.0), rng=seed)
    assert [crop.kind for crop in crops] == ["global"] * 30 + ["local"] * 60
    for crop in crops:
        h, w = crop.y1 - crop.y0, crop.x1 - crop.x0
        assert 0 <= crop.y0 < crop.y1 <= 200 and 0 <= crop.x0 < crop.x1 <= 300
        low, high = (0.4, 1.0) if crop.kind == "global" else (0.05, 0.4)
        assert low - 0.02 < h * w / 60_000 < high + 0.02
        assert 0.72 < w / h < 1.38
    assert crops == pf.random_crops((200, 300), n_global=30, n_local=60, scale=(0.05, 0.4, 1.0), rng=seed)


def test_a_ribbon_of_an_image_still_gives_crops():
    crops = pf.random_crops((4, 400), n_local=1, rng=0)
    assert all(crop.y1 <= 4 and crop.x1 <= 400 for crop in crops)


def test_log_is_read_and_drawn(tmp_path):
    import matplotlib.pyplot as plt

    path = tmp_path / "log.csv"
    path.write_text("minutes,epochs,loss,teacher_entropy,used_entropy,knn\n1,2,7.5,6,7,0.3\n2,4,7.0,3,6.5,nan\n")
    log = pf.training_log(path)
    assert log["loss"].tolist() == [7.5, 7.0] and np.isnan(log["knn"][1])
    fig = pf.draw_training(log, n_outputs=2048)
    lines = [line for ax in fig.axes for line in ax.lines]
    assert lines[-1].get_xdata().tolist() == [2]  # what was not measured is not drawn
    plt.close(fig)
    path.write_text("minutes,epochs\n")
    with pytest.raises(ValueError, match="below it rows of 2 numbers"):
        pf.training_log(path)
    with pytest.raises(ValueError, match=re.escape("log has no column 'loss'; it has 'epochs'")):
        pf.draw_training({"epochs": [1.0]}, n_outputs=8)


def test_diagrams_are_drawn(seed):
    import matplotlib.pyplot as plt

    image = photo(0)
    for fig in (
        pf.draw_vit(image, (3, 4)),
        pf.draw_dino(),
        pf.draw_crops(image, pf.random_crops(image.shape[:2], n_local=3, rng=seed)),
    ):
        fig.canvas.draw()
        plt.close(fig)


def test_words_say_where_a_map_is_high():
    values = np.zeros((6, 9))
    values[5, 0] = 2.0
    assert pf.alt_heat(values, "Similarity") == (
        "Similarity, 9 x 6 patches, from 0 to 2: highest at the left of the bottom; "
        "2 % of the patches are in the upper half of the range."
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pf.heat(np.zeros((2, 2, 3))), "values must have shape (h, w), got (2, 2, 3)"),
        (lambda: pf.heat([[np.nan]]), "values must be finite"),
        (lambda: pf.heat([[0.0]], low=1, high=1), "high must be above low"),
        (lambda: pf.heat_colors(1), "n must be 2 or more"),
        (lambda: pf.enlarge(np.zeros((4, 4)), (2, 8)), "size must be at least that of the grid, (4, 4), got (2, 8)"),
        (lambda: pf.enlarge(np.zeros(4), (2, 8)), "grid must have shape"),
        (lambda: pf.lay_over(np.zeros((4, 4)), [[1.0]]), "image must be uint8 of shape (H, W, 3)"),
        (lambda: pf.lay_over(photo(0), [[1.0]], alpha=2), "alpha must be between 0 and 1, got 2"),
        (lambda: pf.patch_lines(photo(0), (5, 6), chosen=[(5, 0)]), "(5, 0) is outside the grid of 5 x 6"),
        (lambda: pf.patch_lines(photo(0), (50, 6)), "grid must have 1 to 40 rows"),
        (lambda: pf.self_similarity(np.zeros((2, 2, 3)), (0, 2)), "patch must be (row, column) in a grid of 2 x 2"),
        (lambda: pf.self_similarity(np.zeros((4, 3)), (0, 0)), "features must have shape (h, w, d), got (4, 3)"),
        (lambda: pf.unit_rows(np.full((1, 1, 2), np.inf)), "features must be finite"),
        (lambda: pf.patch_labels([[-1]], (1, 1)), "labels must be integers from 0"),
        (lambda: pf.patch_labels([[1]], (2, 1)), "grid must have 1 to 1 rows"),
        (lambda: pf.random_crops((9, 9), scale=(0.5, 0.4, 1.0)), "scale must rise"),
        (lambda: pf.draw_crops(photo(0), []), "crops is empty"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
