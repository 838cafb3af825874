"""Pictures of the network that trains on one image: strokes, changes by hand, and parts switched off."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from unseg_helpers import plots, plots_kanezaki


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def image(seed, size=(10, 14)):
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 80, (*size, 3), dtype=np.uint8)
    photo[:, size[1] // 2 :] += 150
    return photo


def test_changes_sum_to_the_continuity_loss(seed):
    torch = pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    response = np.random.default_rng(seed).normal(size=(3, 6, 8))
    found = plots_kanezaki.changes(response)
    down = np.abs(np.diff(response, axis=1)).mean(axis=0)
    across = np.abs(np.diff(response, axis=2)).mean(axis=0)
    np.testing.assert_allclose(found.sum(), down.sum() + across.sum())
    loss = kanezaki.continuity_loss(torch.from_numpy(response)[None])
    assert float(loss) == pytest.approx(down.mean() + across.mean())
    np.testing.assert_array_equal(plots_kanezaki.changes(np.ones((2, 3, 4))), np.zeros((3, 4)))


def test_a_stroke_joins_its_points_and_a_later_one_covers_it():
    drawn = plots_kanezaki.scribbles((5, 9), [(3, [(0.5, 0), (0.5, 1)]), (1, [(0, 0.5), (1, 0.5)])], radius=0.5)
    expected = np.full((5, 9), -1)
    expected[2] = 3
    expected[:, 4] = 1
    np.testing.assert_array_equal(drawn, expected)


def test_a_point_is_a_disk_and_thickness_is_in_pixels():
    drawn = plots_kanezaki.scribbles((9, 9), [(0, [(0.5, 0.5)])], radius=2)
    row, column = np.mgrid[:9, :9]
    np.testing.assert_array_equal(drawn == 0, np.hypot(row - 4, column - 4) <= 2)


def test_strokes_have_the_color_of_their_label_and_the_photo_is_paler(seed):
    photo = image(seed)
    drawn = plots_kanezaki.scribbles(photo.shape[:2], [(4, [(0, 0), (1, 1)])])
    painted = plots_kanezaki.paint_scribbles(photo, drawn)
    assert (painted[drawn == 4] == plots.PALETTE[4]).all()
    assert (painted[drawn < 0] >= photo[drawn < 0]).all()


def test_shrunk_image_is_the_mean_of_blocks(seed):
    photo = image(seed)
    small = plots_kanezaki.shrink(photo, 7)
    blocks = photo.reshape(5, 2, 7, 2, 3).mean(axis=(1, 3))
    assert small.shape == (5, 7, 3) and small.dtype == np.uint8
    assert abs(small - blocks).max() <= 0.5


@pytest.mark.parametrize("norm", plots_kanezaki.NORMS)
def test_counts_are_those_of_the_labels(norm, seed):
    pytest.importorskip("torch")
    from unseg_helpers.kanezaki import Recipe

    recipe = Recipe(channels=6, layers=1, continuity=1.0)
    run = plots_kanezaki.label_counts(image(seed), recipe, norm=norm, steps=4, seed=seed)
    assert run.labels.shape == run.largest.shape == (4,)
    assert run.labels[-1] == len(np.unique(run.last)) and run.last.shape == (10, 14)
    assert run.largest[-1] == pytest.approx(np.bincount(run.last.ravel()).max() / run.last.size)
    again = plots_kanezaki.label_counts(image(seed), recipe, norm=norm, steps=4, seed=seed)
    np.testing.assert_array_equal(run.last, again.last)


def test_as_published_it_counts_what_the_library_counts():
    pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    recipe = kanezaki.Recipe(channels=6, layers=1, continuity=1.0, min_labels=1, max_iter=5)
    result, _ = kanezaki.fit(image(0), recipe, device="cpu")
    run = plots_kanezaki.label_counts(image(0), recipe, steps=5)
    assert run.labels.tolist() == [row[0] for row in result.history]


def test_the_loop_without_parts_is_that_of_the_library(monkeypatch):
    torch = pytest.importorskip("torch")
    from itertools import islice

    from unseg_helpers import kanezaki

    recipe = kanezaki.Recipe(channels=6, layers=1, continuity=1.0, min_labels=1)
    whole = plots_kanezaki.label_counts(image(0), recipe, steps=4)
    loop = list(islice(plots_kanezaki._without(image(0), recipe, "learned", 0), 4))  # with nothing left out
    np.testing.assert_array_equal(loop[-1], whole.last)
    fixed = [torch.nn.Parameter(torch.ones(6)), torch.nn.Parameter(torch.zeros(6))]
    built = kanezaki.build(recipe)
    built[-1].weight, built[-1].bias = fixed
    monkeypatch.setattr(kanezaki, "build", lambda *_, **__: built)
    list(islice(plots_kanezaki._without(image(0), recipe, "shift", 0), 3))
    assert (fixed[0] == 1).all() and (fixed[1] != 0).any()


def test_one_label_that_is_left_counts_to_the_end():
    pytest.importorskip("torch")
    from unseg_helpers.kanezaki import Recipe

    run = plots_kanezaki.label_counts(np.zeros((4, 5, 3), np.uint8), Recipe(channels=2, layers=1), steps=5)
    assert len(run.labels) == 5 and run.last.shape == (4, 5)


def test_network_names_its_parts():
    fig = plots_kanezaki.draw_network(layers=4, channels=7)
    text = " ".join(item.get_text() for item in fig.axes[0].texts)
    assert "4 times" in text and "7 × h × w" in text and "argmax" in text


def test_curves_start_at_step_one_and_the_floor_is_drawn():
    ax = plots_kanezaki.draw_counts({"a": [9, 4, 2], "b": [8]}, least=3, title="falling")
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [9, 4, 2])
    assert ax.lines[2].get_ydata()[0] == 3 and ax.get_yscale() == "log"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots_kanezaki.label_counts(image(0), None, norm="batch"), "norm must be one of learned, shift"),
        (lambda: plots_kanezaki.label_counts(image(0), None, steps=0), "steps must be at least 1"),
        (lambda: plots_kanezaki.label_counts(np.zeros((3, 4)), None), "uint8 of shape"),
        (lambda: plots_kanezaki.changes(np.zeros((1, 2, 3, 4))), r"take \[0\]"),
        (lambda: plots_kanezaki.scribbles((3, 3), [(-1, [(0, 0)])]), "at least 0"),
        (lambda: plots_kanezaki.scribbles((3, 3), [(0, [])]), "no points"),
        (lambda: plots_kanezaki.scribbles((3, 3), [(0, [(0, 2)])]), "between 0 and 1"),
        (lambda: plots_kanezaki.scribbles((3, 3), [], radius=0.1), "radius must be"),
        (lambda: plots_kanezaki.paint_scribbles(image(0), np.zeros((2, 2))), "size of image"),
        (lambda: plots_kanezaki.draw_counts({}), "runs is empty"),
        (lambda: plots_kanezaki.draw_counts({"a": [0]}), "at least 1"),
        (lambda: plots_kanezaki.shrink(image(0), 0), "max_side"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()
