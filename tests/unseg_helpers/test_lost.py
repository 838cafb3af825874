"""LOST: against the published steps as loops, by hand, its special cases, the errors."""

import numpy as np
import pytest

from unseg_helpers.lost import lost


def scene(rng, h=9, w=12, d=8):
    features = rng.normal(size=d) + 0.7 * rng.normal(size=(h, w, d))
    features[2:5, 3:8] = -rng.normal(size=d) + 0.7 * rng.normal(size=(3, 5, d))
    return features * rng.uniform(0.5, 2, size=(h, w, 1))


def published(features, k):
    """Degrees, seed, companions, sum of rows, and the part around the seed; patch by patch."""
    h, w, d = features.shape
    rows = features.reshape(-1, d)
    n = len(rows)
    degree = [sum(rows[i] @ rows[j] > 0 for j in range(n) if j != i) for i in range(n)]
    order = sorted(range(n), key=degree.__getitem__)
    seed = order[0]
    companions = [p for p in order[:k] if rows[p] @ rows[seed] > 0]
    total = np.array([sum(rows[c] @ rows[i] for c in companions) for i in range(n)]).reshape(h, w)
    mask, todo = np.zeros((h, w), bool), [(seed // w, seed % w)]
    while todo:
        y, x = todo.pop()
        if 0 <= y < h and 0 <= x < w and total[y, x] > 0 and not mask[y, x]:
            mask[y, x] = True
            todo += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    return mask, total, (seed // w, seed % w)


@pytest.mark.parametrize("k", [1, 20, 500])
def test_steps_are_those_published(k, seed):
    features = scene(np.random.default_rng(seed))
    found = lost(features, k=k)
    mask, total, start = published(features, k)
    assert found.seed == start and (found.mask == mask).all()
    np.testing.assert_allclose(found.score, total, atol=1e-4 * np.abs(total).max())
    y, x = np.nonzero(mask)
    assert found.box == (x.min(), y.min(), x.max() + 1, y.max() + 1)


def test_the_length_of_features_counts():
    """Not normalized: a long companion outvotes short ones."""
    features = np.zeros((1, 4, 2)) + [-1.0, 1.0]
    features[0, 0] = [1.0, 0.0]
    features[0, 1] = [0.1, 0.1]
    long = features.copy()
    long[0, 1] *= 1000
    assert lost(features).score[0, 1] != pytest.approx(lost(long).score[0, 1] / 1000)


def test_scale_and_huge_numbers_do_not_matter(seed):
    features = scene(np.random.default_rng(seed))
    found = lost(features)
    for factor in (1e-15, 1e25):
        again = lost(factor * features)
        assert (again.mask == found.mask).all() and again.seed == found.seed


def test_object_of_one_patch_in_a_corner():
    features = np.zeros((5, 6, 2)) + [1.0, -0.1]
    features[4, 5] = [-0.1, 1.0]
    assert lost(features).box == (5, 4, 6, 5)


def test_features_of_zero_are_no_seed():
    features = np.zeros((4, 4, 2)) + [1.0, -0.1]
    features[0, 0] = 0
    features[2, 2] = [-0.1, 1.0]
    assert lost(features).seed == (2, 2)


def test_constant_features_are_one_object():
    found = lost(np.ones((3, 4, 2)))
    assert found.mask.all() and found.box == (0, 0, 4, 3)
    assert lost(np.ones((1, 1, 2))).box == (0, 0, 1, 1)


def test_errors():
    with pytest.raises(ValueError, match="k must be a whole number of at least 1, got 0"):
        lost(np.ones((2, 2, 2)), k=0)
    with pytest.raises(ValueError, match="features are all 0"):
        lost(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="NaN"):
        lost(np.full((2, 2, 2), np.inf))
