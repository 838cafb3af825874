"""Pictures of segmentations: colors that everybody can tell apart, borders, panels, and the sentences about them."""

import subprocess
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from skimage.color import rgb2lab

from unseg_helpers import plots

# Machado, Oliveira, Fernandes 2009, severity 1, for linear RGB: what a viewer without one kind of cone sees.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def lab_as_seen(colors, matrix):
    """(n, 3) uint8 -> (n, 3) CIELAB of what this viewer sees."""
    c = colors / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ matrix.T, 0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]


def random_labels(seed, k=5, shape=(13, 17)):
    return np.random.default_rng(seed).integers(0, k, size=shape)


@pytest.mark.parametrize("viewer", VISION)
def test_any_two_colors_of_the_palette_differ_for_every_viewer(viewer):
    lab = lab_as_seen(plots.PALETTE, VISION[viewer])
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1e9 * np.eye(len(lab))
    assert len(lab) >= 20
    assert distance.min() > 15  # 2.3 is just noticeable; matplotlib's tab20 falls to 3 under deuteranopia


def test_a_usual_palette_would_fail_the_same_check():
    usual = (255 * plt.get_cmap("tab20")(np.arange(20))[:, :3]).astype(np.uint8)
    lab = lab_as_seen(usual, VISION["deuteranopia"])
    assert (np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1e9 * np.eye(20)).min() < 5


def test_palette_begins_with_okabe_and_ito_and_cannot_be_changed():
    assert [bytes(color).hex().upper() for color in plots.PALETTE[:7]] == [
        "E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7",
    ]  # fmt: skip
    assert len(plots.PALETTE_NAMES) == len(plots.PALETTE)
    with pytest.raises(ValueError, match="read-only"):
        plots.PALETTE[0] = 0


def test_palette_of_any_length_keeps_its_beginning_and_repeats_no_color():
    many = plots.palette(72)
    assert np.array_equal(plots.palette(30), many[:30])
    assert np.array_equal(many[:24], plots.PALETTE)
    assert len(np.unique(many, axis=0)) == 72
    assert plots.palette(0).shape == (0, 3)
    with pytest.raises(ValueError, match="0 or more, got -1"):
        plots.palette(-1)


def test_colorize_keeps_the_color_of_a_label_whatever_else_is_there(seed):
    labels = random_labels(seed)
    whole = plots.colorize(labels)
    assert whole.dtype == np.uint8 and whole.shape == (13, 17, 3)
    for label in range(5):
        alone = plots.colorize(np.full((1, 1), label))[0, 0]
        assert (whole[labels == label] == alone).all()


def test_colorize_with_a_photo_gives_the_mean_of_each_segment(seed):
    rng = np.random.default_rng(seed)
    labels = random_labels(seed)
    image = rng.integers(0, 256, size=(13, 17, 3), dtype=np.uint8)
    means = plots.colorize(labels, image)
    for label in np.unique(labels):
        assert np.abs(means[labels == label] - image[labels == label].mean(axis=0)).max() <= 0.5 + 1e-9


def test_colorize_ignored_background_bool_and_large_values():
    assert plots.colorize([[-1]]).tolist() == [[[128, 128, 128]]]
    assert plots.colorize([[0, 1]], background=0)[0].tolist() == [[32, 32, 32], plots.PALETTE[1].tolist()]
    assert np.array_equal(plots.colorize(np.array([[False, True]])), plots.colorize([[0, 1]]))
    assert plots.colorize(np.array([[10**9]])).shape == (1, 1, 3)
    assert np.array_equal(plots.colorize(np.array([[255]], np.uint8)), plots.colorize([[255]]))


def test_colorize_leaves_its_inputs_alone(seed):
    labels = random_labels(seed)
    image = np.full((13, 17, 3), 9, np.uint8)
    before = labels.copy()
    plots.colorize(labels, image, background=0)
    plots.blend(image, labels)
    assert np.array_equal(labels, before) and (image == 9).all()


def borders_by_looking(labels, thick):
    """Every pixel and its four neighbors."""
    h, w = labels.shape
    edge = np.zeros((h, w), bool)
    for i in range(h):
        for j in range(w):
            steps = [(0, 1), (1, 0)] + ([(0, -1), (-1, 0)] if thick else [])
            for di, dj in steps:
                if 0 <= i + di < h and 0 <= j + dj < w and labels[i + di, j + dj] != labels[i, j]:
                    edge[i, j] = True
    return edge


@pytest.mark.parametrize("thick", [False, True])
def test_boundaries_match_looking_at_every_neighbor(seed, thick):
    labels = random_labels(seed, k=3)
    assert np.array_equal(plots.boundaries(labels, thick=thick), borders_by_looking(labels, thick))


def test_boundaries_do_not_depend_on_the_names_of_the_labels(seed):
    labels = random_labels(seed)
    assert np.array_equal(plots.boundaries(labels), plots.boundaries(7 - labels))
    assert not plots.boundaries(np.zeros((4, 4), int)).any()


def test_blend_runs_from_photo_to_colors_and_draws_the_border():
    image = np.full((20, 20, 3), 90, np.uint8)
    labels = np.zeros((20, 20), int)
    labels[:, 10:] = 1
    assert (plots.blend(image, labels, alpha=0, line=None) == image).all()
    assert np.array_equal(plots.blend(image, labels, alpha=1, line=None), plots.colorize(labels))
    drawn = plots.blend(image, labels, alpha=0)
    assert (drawn[:, 9:11] == 255).all() and (drawn[:, :9] == 90).all() and (drawn[:, 11:] == 90).all()


def test_blend_does_not_bury_a_noisy_map_under_borders(seed):
    labels = np.random.default_rng(seed).integers(0, 4, size=(60, 60))
    white = (plots.blend(np.zeros((60, 60, 3), np.uint8), labels) == 255).all(axis=2)
    assert plots.boundaries(labels, thick=True).mean() > 0.8
    assert white.mean() < 0.05


def test_overlay_draws_into_the_axes_given_or_a_new_figure():
    image = np.zeros((8, 6, 3), np.uint8)
    labels = np.eye(8, 6, dtype=int)
    fig, (left, _) = plt.subplots(1, 2)
    assert plots.overlay(image, labels, ax=left, title="one") is left
    assert left.get_title() == "one" and left.images[0].get_array().shape == (8, 6, 3)
    assert plots.overlay(image, labels).figure is not fig


def test_panels_from_a_dict_and_from_a_list_with_titles():
    image, labels = np.zeros((8, 6, 3), np.uint8), np.eye(8, 6, dtype=int)
    fig = plots.panels({"photo": image, "labels": labels})
    assert [ax.get_title() for ax in fig.axes] == ["photo", "labels"]
    assert np.array_equal(fig.axes[1].images[0].get_array(), plots.colorize(labels))
    fig = plots.panels([image] * 5, titles=list("abcde"))
    assert [ax.get_title() for ax in fig.axes] == ["a", "b", "c", "d", "e", ""]
    assert len(plots.panels([image] * 8).axes) == 8
    bordered = plots.panels([labels], borders=True).axes[0].images[0].get_array()
    assert (bordered[plots.boundaries(labels)] == 255).all()


def test_panels_show_gray_and_float_images_as_they_are():
    gray = np.array([[0.0, 5.0], [2.5, 5.0]])
    color = np.array([[[0.0, 0.5, 1.0]]])
    fig = plots.panels([gray, color])
    assert fig.axes[0].images[0].get_array().tolist() == [[0, 255], [128, 255]]
    assert fig.axes[1].images[0].get_array().tolist() == [[[0, 128, 255]]]


def test_legend_lists_the_largest_first_with_names_and_shares():
    labels = np.array([[2, 2, 2, 0], [2, 2, 2, 1]])
    _, ax = plt.subplots()
    texts = [text.get_text() for text in plots.legend(labels, {2: "sky"}, ax=ax).get_texts()]
    assert texts == ["sky · 75 %", "cluster 0 · 12 %", "cluster 1 · 12 %"]
    drawn = plots.legend(labels, ax=ax)
    assert np.allclose(drawn.get_patches()[0].get_facecolor()[:3], plots.PALETTE[2] / 255)
    short = [text.get_text() for text in plots.legend(labels, ax=ax, max_entries=1).get_texts()]
    assert short == ["cluster 2 · 75 %", "2 more · 25 %"]


def test_kmeans_steps_draws_a_panel_for_each_step_with_its_centers(seed):
    x = np.random.default_rng(seed).normal(size=(40, 3))
    steps = [(np.arange(40) % 2, x[:2]), (np.arange(40) % 2, x[2:4])]
    fig = plots.kmeans_steps(x, steps, axes=(0, 2), inertias=[3.0, 2.0])
    assert [ax.get_title() for ax in fig.axes] == ["step 0 · inertia 3", "step 1 · inertia 2"]
    centers = fig.axes[1].collections[-1].get_offsets()
    assert np.allclose(centers, x[2:4][:, [0, 2]])
    assert len(fig.axes[0].texts) == 0 and len(fig.axes[1].texts) == 2  # lines from the step before


def test_kmeans_steps_of_an_image_are_label_maps():
    x = np.zeros((6, 1))
    fig = plots.kmeans_steps(x, [(np.arange(6) % 3, np.zeros((3, 1)))], shape=(2, 3))
    assert np.array_equal(fig.axes[0].images[0].get_array(), plots.colorize([[0, 1, 2], [0, 1, 2]]))


def test_elbow_plot_shows_the_curve_and_marks_the_choice():
    ax = plots.elbow_plot([1, 2, 3, 4], [10.0, 4.0, 3.0, 2.5], 2, title="elbow")
    curves = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert curves["inertia"] == [[1, 10], [2, 4], [3, 3], [4, 2.5]]
    assert curves["chord"] == [[1, 10], [4, 2.5]]
    assert curves["chosen: k = 2"] == [[2, 4]]
    assert ax.get_title() == "elbow"


def test_alt_text_counts_and_sizes_come_from_the_data():
    labels = np.repeat(np.arange(8), [40, 20, 10, 10, 8, 6, 5, 1])[None]
    assert plots.alt_text(labels) == (
        "Label map, 100 x 1 pixels, 8 segments: orange 40 %, sky blue 20 %, bluish green 10 %, yellow 10 %, blue 8 %, "
        "3 more 12 %."
    )
    photo = np.zeros((1, 100, 3), np.uint8)
    photo[:, :40] = (25, 72, 30)
    assert "dark green 40 %, black 20 %" in plots.alt_text(labels, image=photo)
    assert plots.alt_text([[-1, 0]], names=["sky"]).endswith("ignored (gray) 50 %, sky (orange) 50 %.")


def test_alt_elbow_without_a_choice():
    assert plots.alt_elbow([2, 5], [8.0, 2.0]) == "Curve of inertia over k from 2 to 5: it falls from 8 to 2."


@pytest.mark.parametrize("i", range(len(plots.PALETTE)))
def test_each_color_of_the_palette_has_its_own_name(i):
    assert plots.color_name(plots.PALETTE[i]) == plots.PALETTE_NAMES[i]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.colorize(np.zeros(6, int)), r"labels must be a label map .* got \(6,\); .*reshape\(h, w\)"),
        (lambda: plots.colorize(np.zeros((2, 2))), "labels must hold integers, got float64"),
        (lambda: plots.colorize([[0, 1]], np.zeros((2, 2, 3))), "image is 2 x 2, labels 1 x 2"),
        (lambda: plots.blend(np.zeros((1, 2, 3)), [[0, 1]], alpha=2), r"alpha must be between 0 and 1, got 2"),
        (lambda: plots.blend(np.full((1, 1, 3), 200.0), [[0]]), r"must lie in 0..1, got 200..200; .*uint8"),
        (lambda: plots.panels([]), "pictures is empty"),
        (lambda: plots.panels([np.zeros((2, 2, 3))], titles=["a", "b"]), "2 entries for 1 pictures"),
        (lambda: plots.panels([np.zeros((2, 2, 4))]), r"picture 0 must have shape \(h, w, 3\), got \(2, 2, 4\)"),
        (lambda: plots.panels([np.zeros((2, 2, 3))], cols=0), "cols must be 1 or more"),
        (lambda: plots.kmeans_steps(np.zeros(3), []), r"x must have shape \(n, d\), got \(3,\)"),
        (lambda: plots.kmeans_steps(np.zeros((3, 2)), []), "steps is empty"),
        (
            lambda: plots.kmeans_steps(np.zeros((3, 2)), [(np.zeros(2, int), np.zeros((1, 2)))]),
            r"steps\[0\] has labels \(2,\)",
        ),
        (
            lambda: plots.kmeans_steps(np.zeros((3, 2)), [(np.zeros(3, int), np.zeros((1, 2)))], shape=(2, 2)),
            "holds 4 pixels, but x has 3 points",
        ),
        (
            lambda: plots.kmeans_steps(np.zeros((3, 1)), [(np.zeros(3, int), np.zeros((1, 1)))]),
            "x has one feature",
        ),
        (lambda: plots.elbow_plot([1, 2], [1.0]), "one length of 2 or more"),
        (lambda: plots.elbow_plot([1, 2], [1.0, 0.5], 7), "chosen=7 is not among"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = (
        "import sys, numpy as np; from unseg_helpers import plots; plots.colorize([[0]]); plots.boundaries([[0]]);"
        "plots.blend(np.zeros((1, 1, 3), np.uint8), [[0]]); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
