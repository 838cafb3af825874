"""Pictures of graphs and eigenvectors: colors that can be read back, boxes on the right pixels, and clear errors."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from unseg_helpers import plots_spectral


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_sign_can_be_read_off_the_color(seed):
    v = np.random.default_rng(seed).normal(size=(5, 7))
    red, _, blue = np.moveaxis(plots_spectral.signed_colors(v).astype(int), -1, 0)
    big = abs(v) > 0.02 * abs(v).max()
    np.testing.assert_array_equal((red > blue)[big], (v > 0)[big])


def test_opposite_vectors_have_opposite_colors_and_zero_is_white(seed):
    v = np.random.default_rng(seed).normal(size=9)
    v[0] = 0
    both = plots_spectral.signed_colors(np.stack([v, -v]))
    assert both[:, 0].tolist() == [[255] * 3] * 2
    assert plots_spectral.signed_colors(np.zeros((2, 2))).min() == 255
    np.testing.assert_array_equal(both, plots_spectral.signed_colors(np.stack([3 * v, -3 * v])))
    np.testing.assert_array_equal(plots_spectral.signed_colors([9.0], limit=1.0), [plots_spectral.POSITIVE])


def test_heat_grows_lighter_with_the_value(seed):
    v = np.sort(np.random.default_rng(seed).random(50))
    light = plots_spectral.heat_colors(v) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(light) >= -0.5).all()
    assert plots_spectral.heat_colors([-3.0, 0.0]).tolist() == [[0, 0, 0]] * 2
    assert plots_spectral.heat_colors([2.0, 5.0], high=2.0).tolist() == [[255, 245, 200]] * 2


@pytest.mark.parametrize(("h", "w", "height", "width"), [(2, 3, 2, 3), (3, 4, 24, 32), (3, 4, 25, 31), (7, 5, 40, 41)])
def test_enlarged_patches_and_their_boxes_are_the_same_pixels(h, w, height, width):
    index = np.arange(h * w).reshape(h, w)
    large = plots_spectral.enlarge(index, (height, width))
    assert large.shape == (height, width) and large.dtype == index.dtype
    for row in range(h):
        for col in range(w):
            x0, y0, x1, y1 = plots_spectral.patch_box((row, col), (h, w), (height, width))
            expected = np.zeros((height, width), bool)
            expected[y0:y1, x0:x1] = True
            np.testing.assert_array_equal(large == index[row, col], expected)
    colored = plots_spectral.enlarge(np.dstack([index] * 3), (height, width))
    np.testing.assert_array_equal(colored[..., 1], large)


def test_a_box_is_drawn_inside_its_pixels_and_leaves_the_photo_alone():
    photo = np.full((20, 30, 3), 77, np.uint8)
    drawn = plots_spectral.draw_box(photo, (5, 4, 15, 14), color=(255, 0, 0), width=2)
    assert (photo == 77).all()
    line = (drawn == (255, 0, 0)).all(axis=2)
    expected = np.zeros((20, 30), bool)
    expected[4:14, 5:15] = True
    expected[6:12, 7:13] = False
    np.testing.assert_array_equal(line, expected)
    assert (drawn[8, 10] == 77).all() and (drawn[3, 4] == 0).all()  # the middle is the photo, the rim is dark


def test_a_box_beyond_the_image_is_cut():
    drawn = plots_spectral.draw_box(np.zeros((8, 8, 3), np.uint8), (-5, 2, 20, 30), width=1)
    assert drawn[2].min() == 255 and drawn[7, 0].tolist() == [0, 0, 0]


def test_what_is_cut_out_keeps_its_colors(seed):
    rng = np.random.default_rng(seed)
    photo, mask = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), rng.random((6, 8)) < 0.5
    shown = plots_spectral.cut_out(photo, mask, keep=0.0)
    np.testing.assert_array_equal(shown[mask], photo[mask])
    assert (shown[~mask] == plots_spectral.GROUND).all()
    np.testing.assert_array_equal(plots_spectral.cut_out(photo, mask, keep=1.0), photo)


def test_cut_edges_are_dashed_and_others_are_not():
    w = np.zeros((4, 4))
    w[0, 1] = w[1, 0] = w[2, 3] = w[3, 2] = 1
    w[1, 2] = w[2, 1] = 0.25
    places = [[0, 0], [1, 0], [2, 0], [3, 0]]
    ax = plots_spectral.draw_graph(w, places, values=[1, 1, -1, -1], sides=[True, True, False, False], weights=True)
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--", "-"]
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths[0] == widths[2] > widths[1]
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["1", "0.25", "1", "1", "2", "3", "4"]


def test_the_gap_of_a_spectrum_is_shaded():
    ax = plots_spectral.draw_spectrum([0.0, 0.1, 0.7, 0.8], chosen=2, title="gap")
    assert [text.get_text() for text in ax.texts] == ["gap after 2"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.0, 0.1, 0.7, 0.8])
    plots_spectral.draw_spectrum([0.0, 0.1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots_spectral.signed_colors([np.nan]), "must be finite"),
        (lambda: plots_spectral.signed_colors([1.0], limit=0), "limit must be above 0"),
        (lambda: plots_spectral.heat_colors([1.0], low=2.0, high=1.0), "high must be above low"),
        (lambda: plots_spectral.enlarge(np.zeros(6), (4, 6)), r"reshape\(h, w\)"),
        (lambda: plots_spectral.enlarge(np.zeros((4, 4)), (2, 8)), "at least"),
        (lambda: plots_spectral.patch_box((2, 0), (2, 4), (16, 32)), "row below 2"),
        (lambda: plots_spectral.draw_box(np.zeros((4, 4, 3)), (0, 0, 2, 2)), "uint8"),
        (lambda: plots_spectral.draw_box(np.zeros((4, 4, 3), np.uint8), (2, 0, 2, 2)), "x0 < x1"),
        (lambda: plots_spectral.draw_box(np.zeros((4, 4, 3), np.uint8), (0, 0, 2, 2), width=0), "width must be"),
        (lambda: plots_spectral.cut_out(np.zeros((4, 4, 3), np.uint8), np.ones((2, 2))), "enlarge"),
        (lambda: plots_spectral.cut_out(np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 2.0)), r"0\.\.1"),
        (lambda: plots_spectral.draw_graph([[0, 1], [0, 0]], np.zeros((2, 2))), "symmetric"),
        (lambda: plots_spectral.draw_graph(np.zeros((2, 2)), np.zeros((3, 2))), "places"),
        (lambda: plots_spectral.draw_graph(np.zeros((2, 2)), np.zeros((2, 2)), values=[1.0]), "values must have one"),
        (lambda: plots_spectral.draw_spectrum([1.0, 0.0]), "ascending"),
        (lambda: plots_spectral.draw_spectrum([0.0, 1.0], chosen=2), "chosen must be between 1 and 1"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()
