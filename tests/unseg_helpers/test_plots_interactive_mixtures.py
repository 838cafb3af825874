"""The EM stepper: what each frame says and draws is what the library computes, and the page stays light."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("plotly", reason="interactive figures need plotly: pip install unseg[book]")

from unseg_helpers import features, gmm, plots_interactive
from unseg_helpers.plots_interactive_mixtures import bound, em_stepper
from unseg_helpers.plots_mixtures import ellipse, mixed_colors

MAX_BYTES = 900_000  # of the figure of a photo


def three_blobs(seed, n=90):
    rng = np.random.default_rng(seed)
    means = np.array([[0, 0], [4, 0], [1, 4.0]])
    return means[rng.integers(0, 3, n)] + rng.normal(scale=(1.0, 0.5), size=(n, 2))


def photo(seed, h=60, w=90):
    """Left red, right blue, with noise."""
    image = np.full((h, w, 3), 30.0)
    image[:, : w // 2, 0], image[:, w // 2 :, 2] = 200, 180
    return np.clip(image + np.random.default_rng(seed).normal(scale=12, size=image.shape), 0, 255).astype(np.uint8)


def start(x, k):
    return gmm.Mixture(np.full(k, 1 / k), x[:k].copy(), np.stack([np.eye(x.shape[1])] * k))


def curve(frame, name):
    return next(np.array(trace.y) for trace in frame.data if trace.name == name)


def test_bound_and_gap_make_the_log_likelihood(seed):
    rng = np.random.default_rng(seed)
    x = three_blobs(seed)
    mixture = start(x, 3)
    r, log_likelihood = gmm.e_step(x, mixture)
    assert bound(x, r, mixture) == pytest.approx(log_likelihood)
    q = rng.dirichlet(np.ones(3), len(x))
    gap = (q * np.log(q / r)).sum(axis=1).mean()
    assert bound(x, q, mixture) + gap == pytest.approx(log_likelihood)
    assert bound(x, q, mixture) < log_likelihood


def test_bound_of_a_hard_guess_needs_no_logarithm_of_zero(seed):
    x = three_blobs(seed)
    mixture = start(x, 3)
    joint = gmm.log_densities(x, mixture) + np.log(mixture.weights)
    labels = joint.argmax(axis=1)
    assert bound(x, np.eye(3)[labels], mixture) == pytest.approx(joint.max(axis=1).mean())


def test_the_steps_are_those_of_the_library(seed):
    x = three_blobs(seed)
    mixture = start(x, 3)
    fig = em_stepper(x, 3, init=mixture, iterations=(1, 2, 4))
    assert [frame.name for frame in fig.frames] == ["start", "1 E", "1 M", "2 E", "2 M", "4 E", "4 M"]
    for _ in range(4):
        r, before = gmm.e_step(x, mixture)
        mixture = gmm.m_step(x, r)
    e_frame, m_frame = fig.frames[-2:]
    order = np.random.default_rng(0).permutation(len(x))
    assert list(e_frame.data[0].marker.color) == [plots_interactive._hex(color) for color in mixed_colors(r[order])]
    assert curve(e_frame, "bound")[-1] == curve(e_frame, "log-likelihood")[-1] == pytest.approx(before, rel=1e-5)
    assert curve(m_frame, "bound")[-1] == pytest.approx(bound(x, r, mixture), rel=1e-5)
    assert curve(m_frame, "log-likelihood")[-1] == pytest.approx(gmm.score(x, mixture), rel=1e-5)
    lines = m_frame.data[2]  # after the points and the rim: the first component
    expected = ellipse(mixture.means[0], mixture.covariances[0], radius=1.0, n=49)
    np.testing.assert_allclose(np.array(lines.x[:49], float), expected[:, 0], rtol=1e-3, atol=1e-4)
    means = np.c_[m_frame.data[-3].x, m_frame.data[-3].y]
    np.testing.assert_allclose(means, mixture.means, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])
def test_neither_curve_falls_and_the_bound_stays_below(kind, seed):
    fig = em_stepper(three_blobs(seed), 3, kind=kind, rng=seed, iterations=range(1, 9))
    likelihood, lower = (curve(fig.frames[-1], name) for name in ("log-likelihood", "bound"))
    assert (np.diff(likelihood) >= -1e-4).all() and (np.diff(lower) >= -1e-4).all()  # six digits, and the floor
    assert (lower <= likelihood[1:] + 1e-4).all()
    np.testing.assert_array_equal(lower[::2], likelihood[1::2])  # they touch after each E step


def test_photo_is_drawn_in_mixed_colors(seed):
    image = photo(seed)
    fig = em_stepper(image, 2, rng=seed, iterations=(1, 5, 15), max_side=45)
    assert "2 full components on the 1350 pixels" in fig.layout.meta["alt"]
    source = fig.frames[-1].data[0].source
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB")).astype(int)
    assert drawn.shape == (30, 45, 3)
    left, right = drawn[:, :20].reshape(-1, 3), drawn[:, 25:].reshape(-1, 3)
    assert np.abs(np.median(left, axis=0) - np.median(right, axis=0)).max() > 50
    x = features.pixel_features(plots_interactive._shrunk(image, 45), space="lab", dtype=np.float64)
    assert fig.layout.meta["steps"][0].startswith("Start: 2 components") and len(x) == 1350


def test_figure_of_a_photo_is_light_and_needs_nothing_from_elsewhere():
    image = np.random.default_rng(0).integers(0, 256, (100, 150, 3)).astype(np.uint8)  # noise: the worst case
    html = plots_interactive.embed(em_stepper(image, 4, rng=0))._repr_html_()
    assert len(html.encode()) < 1.5 * MAX_BYTES
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", html)


def test_every_frame_has_its_words():
    fig = em_stepper(three_blobs(0), 3, rng=0)
    assert len(fig.layout.meta["steps"]) == len(fig.frames) == len(fig.layout.sliders[0].steps)
    assert fig.layout.meta["alt"].startswith("Interactive figure: EM with 3 full components on 90 points")


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=re.escape("(n, 2) or be an (h, w, 3) image, got (5, 3)")):
        em_stepper(np.zeros((5, 3)), 1)
    with pytest.raises(ValueError, match=re.escape("iterations must rise from 1 or more, got (0, 1)")):
        em_stepper(three_blobs(0), 2, iterations=(0, 1))
    with pytest.raises(ValueError, match="k must be between 1 and n=90"):
        em_stepper(three_blobs(0), 91)
    with pytest.raises(ValueError, match=re.escape("init must have means of shape (k, d) = (3, 2), got (2, 2)")):
        em_stepper(three_blobs(0), 3, init=start(three_blobs(0), 2))
    with pytest.raises(ValueError, match="kind must be"):
        em_stepper(three_blobs(0), 2, kind="round")
