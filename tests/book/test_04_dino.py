"""Chapter 04 says things about its figures and outputs: they are still true of the numbers.

What depends on the weights that the course ships is not pinned here: they improve.
"""

import re

import numpy as np
import pytest

from unseg_helpers import datasets, plots_features
from unseg_helpers import plots_interactive_features as pif
from unseg_helpers.minidino import numpy_vit


@pytest.fixture(scope="module")
def chapter(root):
    return (root / "book" / "04_dino.md").read_text(encoding="utf-8")


def info_nce(z, z_other, tau=0.1):
    z, z_other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (z, z_other))
    scores = z @ z_other.T / tau
    top = scores.max(axis=1, keepdims=True)
    return float((top[:, 0] + np.log(np.exp(scores - top).sum(axis=1)) - scores.diagonal()).mean())


def test_the_lazy_answer_costs_log_n_and_the_right_one_next_to_nothing(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(256, 64))
    assert info_nce(np.ones((256, 64)), np.ones((256, 64))) == pytest.approx(np.log(256))
    assert info_nce(x, rng.normal(size=x.shape)) > np.log(256)
    rough = info_nce(x + rng.normal(size=x.shape), x + rng.normal(size=x.shape))
    assert info_nce(x, x) < 0.1 < rough < 0.5 * np.log(256)


def test_what_the_student_feels(seed):
    rng = np.random.default_rng(seed)
    p_t, g, temp = rng.dirichlet(np.ones(5)), rng.normal(size=5), 0.1

    def loss(g):
        return -(p_t * np.log(pif.softmax(g / temp))).sum()

    slope = [(loss(g + h) - loss(g - h)) / 2e-6 for h in 1e-6 * np.eye(5)]
    np.testing.assert_allclose(slope, (pif.softmax(g / temp) - p_t) / temp, atol=1e-5)


def test_cross_entropy_is_entropy_plus_divergence_and_one_output_for_all_costs_nothing(seed):
    p, r = np.random.default_rng(seed).dirichlet(np.ones(6), 2)
    entropy, divergence = -(p * np.log(p)).sum(), (p * np.log(p / r)).sum()
    assert -(p * np.log(r)).sum() == pytest.approx(entropy + divergence)
    assert pif.softmax(np.array([900.0, 0, 0])).tolist() == [1, 0, 0]
    assert -(np.full(6, 1 / 6) * np.log(1 / 6)).sum() == pytest.approx(np.log(6))


def test_softmax_is_nearly_linear_near_zero(seed):
    u = 1e-3 * np.random.default_rng(seed).normal(size=8)
    np.testing.assert_allclose(pif.softmax(u), 1 / 8 + (u - u.mean()) / 8, atol=1e-6)


def test_four_runs_end_where_the_figure_says():
    runs = {name: pif.self_distillation(center=c, sharpen=s) for name, (c, s) in pif.SETTINGS.items()}
    assert [round(run.told_apart, 1) for run in runs.values()] == [0.5, 0, 0, 0]
    assert runs["sharpening only"].entropy[-1] < 0.01  # "falls to zero"
    assert all(runs[name].entropy[-1] > 0.98 * np.log(8) for name in ("centering only", "neither"))
    assert runs["both"].divergence.max() < 1.6 and runs["both"].divergence[-1] > 0.3  # within the axes, above zero
    assert all(run.divergence[-1] < 0.01 for name, run in runs.items() if name != "both")


def test_sharpening_alone_may_leave_two_or_three_outputs():
    used = [(pif.self_distillation(center=False, seed=seed).outputs[-1].mean(axis=0) > 0.05).sum() for seed in range(6)]
    assert 1 in used and {2, 3} & set(used) and max(used) < 4


def test_nothing_is_learned_above_the_predicted_temperature():
    limit = 0.1 * 0.5 / (0.5 + 0.4**2)
    assert limit == pytest.approx(0.0757, abs=1e-4)
    told = {temp: pif.self_distillation(noise=0.4, teacher_temp=temp).told_apart for temp in (0.06, 0.07, 0.08, 0.09)}
    assert min(told[0.06], told[0.07]) > 0.3 and max(told[0.08], told[0.09]) < 0.05


def test_memory_of_the_teacher():
    thetas, m, mean = np.random.default_rng(0).normal(size=30), 0.9, 0.0
    for theta in thetas:
        mean = m * mean + (1 - m) * theta
    assert mean == pytest.approx((1 - m) * sum(m ** (29 - s) * theta for s, theta in enumerate(thetas)))
    assert round(np.log(0.5) / np.log(0.996)) == 173
    assert 2 ** (-1 / 1000) == pytest.approx(0.99931, abs=1e-5)


def test_pairs_and_patches_of_the_quiz():
    assert len([(i, j) for i in range(2) for j in range(10) if i != j]) == 18
    assert len([(i, j) for i in range(2) for j in range(8) if i != j]) == 14
    assert (300 // 8, 451 // 8, 300 // 8 * (451 // 8)) == (37, 56, 2072)
    assert datasets.photo("chelsea").image.shape[:2] == (300, 451)


def test_keys_are_the_middle_third_of_qkv_with_heads_side_by_side():
    n, d, heads = 5, 12, 3
    qkv = np.arange((n + 1) * 3 * d).reshape(n + 1, 3 * d)
    keys = qkv.reshape(n + 1, 3, heads, d // heads)[:, 1]
    np.testing.assert_array_equal(qkv[:, d : 2 * d].reshape(n + 1, heads, d // heads), keys)
    assert (qkv.reshape(n + 1, heads, 3, d // heads)[:, :, 1] != keys).any()


def test_network_is_as_the_tables_say():
    weights = numpy_vit.load_weights()
    assert sum(w.size for w in weights.values()) == 2_734_656
    assert weights["pos_embed"].shape == (1, 145, 192)
    assert sum(name.endswith("attn.qkv.weight") for name in weights) == 6
    facets = numpy_vit.forward(datasets.photo("chelsea").image[:64, :96])
    assert facets.key.shape == (8, 12, 192) and facets.attention.shape == (3, 8, 12)


def test_positions_know_their_neighbors():
    grid = numpy_vit.load_weights()["pos_embed"][0, 1:].reshape(12, 12, -1)
    grid = grid - grid.mean(axis=(0, 1))
    row, column = np.mgrid[:12, :12]
    near, far = [], []
    for place in np.ndindex(12, 12):
        away = np.maximum(abs(row - place[0]), abs(column - place[1]))
        cosine = plots_features.self_similarity(grid, place)
        near.append(cosine[away == 1].mean())
        far.append(cosine[away > 4].mean())
    assert np.mean(near) > np.mean(far) + 0.1


def test_printed_code_is_there(root, chapter):
    """A literalinclude that finds nothing prints nothing."""
    marked = re.findall(r":start-after: \"(.*?)\"\n:end-before: \"(.*?)\"", chapter)
    text = (root / "unseg_helpers" / "plots_interactive_features.py").read_text(encoding="utf-8")
    assert marked and all(text.count(start) == text.count(end) == 1 for start, end in marked)
    recipe = (root / "unseg_helpers" / "minidino" / "train.py").read_text(encoding="utf-8")
    assert "class Recipe:" in recipe
    for line in (
        "n_local: int = 6",
        "patch_weight: float",
        "clip: float",
        "freeze: float",
        "weight_decay: tuple",
        "momentum: tuple",
    ):
        assert line in recipe  # the text speaks of them


def test_every_figure_has_words(chapter):
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", chapter, re.DOTALL)
    drawing = [cell for cell in cells if re.search(r"^(fig = |fig, axes? = )", cell, re.MULTILINE)]
    assert len(drawing) >= 10
    assert all("alt:" in cell and "caption:" in cell for cell in drawing)


def test_curve_of_the_training_is_drawn_for_the_heads_that_were_trained(chapter):
    pytest.importorskip("torch")
    from unseg_helpers.minidino.model import Head

    outputs = len(Head().directions)
    assert f"draw_training(log, n_outputs={outputs})" in chapter
