"""TokenCut: against the published steps in dense float64, by hand, its special cases, the errors."""

import numpy as np
import pytest
from scipy.linalg import eigh

from unseg_helpers import spectral
from unseg_helpers.tokencut import binary_affinity, tokencut


def scene(rng, h=14, w=17, d=24, noise=0.9):
    middles = rng.normal(size=(4, d))
    where = np.zeros((h, w), int)
    for kind in (1, 2, 3):
        y, x = rng.integers(0, h - 4), rng.integers(0, w - 5)
        where[y : y + 4, x : x + 5] = kind
    return middles[where] + noise * rng.normal(size=(h, w, d))


def published(features, tau=0.2, eps=1e-5):
    """The published steps, one after the other, in float64."""
    h, w, d = features.shape
    x = features.reshape(-1, d) / np.linalg.norm(features.reshape(-1, d), axis=1, keepdims=True)
    A = np.where(x @ x.T > tau, 1.0, eps)
    D = np.diag(A.sum(axis=1))
    v = eigh(D - A, D, subset_by_index=[1, 1])[1][:, 0]
    seed = np.abs(v).argmax()
    side = v > v.mean()
    if not side[seed]:
        side = ~side
    todo, part = [(seed // w, seed % w)], set()
    side = side.reshape(h, w)
    while todo:  # what hangs together with the seed, by sides
        y, x = todo.pop()
        if 0 <= y < h and 0 <= x < w and side[y, x] and (y, x) not in part:
            part.add((y, x))
            todo += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    mask = np.zeros((h, w), bool)
    mask[tuple(np.array(list(part)).T)] = True
    return mask, (seed // w, seed % w), v


def test_steps_are_those_published(seed):
    rng = np.random.default_rng(seed)
    for noise in (0.5, 1.0, 1.5):
        features = scene(rng, noise=noise)
        found = tokencut(features)
        mask, start, v = published(features)
        size = np.abs(v).reshape(14, 17)
        assert size[found.seed] > (1 - 1e-4) * size[start]  # patches with the same edges have the same entry
        assert (found.mask == mask).all()
        score = found.score.ravel()
        assert abs(np.corrcoef(score, v)[0, 1]) > 0.9999
        assert abs(score.mean()) < 1e-9 and found.score[found.seed] > 0


def test_binary_affinity_by_hand():
    A = binary_affinity([[1, 0], [0.3, 1], [-1, 0], [0, 0]], tau=0.25, eps=0.01)
    expected = [[1, 1, 0.01, 0.01], [1, 1, 0.01, 0.01], [0.01, 0.01, 1, 0.01], [0.01, 0.01, 0.01, 1]]
    np.testing.assert_allclose(A, expected, rtol=1e-6)
    assert A.dtype == np.float32


def test_object_of_one_patch_and_one_in_a_corner():
    features = np.zeros((6, 7, 3)) + [1.0, 0, 0]
    features[3, 4] = [0, 1, 0]
    assert tokencut(features).box == (4, 3, 5, 4)
    features[:] = [1.0, 0, 0]
    features[4:, :2] = [0, 1, 0]
    assert tokencut(features).box == (0, 4, 2, 6)


def test_object_that_covers_more_than_half_is_taken_for_the_background():
    """Known of the method (issues of the published code): the smaller side has the larger entries."""
    features = np.zeros((8, 8, 3)) + [1.0, 0, 0]
    features[1:7, 1:8] = [0, 1, 0]
    assert not tokencut(features).mask[4, 4]


def test_of_two_like_objects_the_one_with_the_seed_is_kept():
    features = np.zeros((6, 9, 3)) + [1.0, 0, 0]
    features[1:3, 1:3] = features[3:5, 6:8] = [0, 1, 0]
    found = tokencut(features)
    assert found.mask.sum() == 4 and (found.score > 0).sum() == 8 and found.mask[found.seed]


def test_only_angles_count(seed):
    rng = np.random.default_rng(seed)
    features = scene(rng)
    stretched = features * rng.uniform(0.1, 10, size=(14, 17, 1))
    assert (tokencut(stretched).mask == tokencut(features).mask).all()


def test_constant_features_and_no_weak_edges_give_an_answer():
    found = tokencut(np.ones((4, 5, 3)))
    assert not found.mask.any() and not found.score.any()
    assert found.box == (0, 0, 5, 4) and found.seed is None
    found = tokencut(np.eye(4).reshape(2, 2, 4), eps=0)  # four parts without edges between them
    assert found.mask.any() and np.isfinite(found.score).all()


def test_zeroed_features_are_far_from_all():
    features = scene(np.random.default_rng(0))
    features[:, :3] = 0
    assert np.isfinite(tokencut(features).score).all()


def test_errors():
    with pytest.raises(ValueError, match="tau is a cosine"):
        tokencut(np.ones((2, 2, 3)), tau=2)
    with pytest.raises(ValueError, match="eps must be between 0 and 1"):
        tokencut(np.ones((2, 2, 3)), eps=-1)
    with pytest.raises(ValueError, match="one patch"):
        tokencut(np.ones((1, 1, 3)))
    with pytest.raises(ValueError, match="NaN"):
        tokencut(np.full((2, 2, 3), np.nan))
    assert spectral.localize(np.ones((2, 2, 3)), method="tokencut", tau=0.5).mask.shape == (2, 2)
