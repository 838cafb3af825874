"""Ensembles: two stages, and the vote: by hand, laws, a plain version, the errors."""

import numpy as np
import pytest
from scipy.ndimage import label as components

from unseg_helpers import datasets, ensembles, gmm, metrics
from unseg_helpers import kmeans as km


def scene(seed):
    return datasets.scene(seed=seed).image


@pytest.fixture
def image(seed):
    rng = np.random.default_rng(seed)
    image = np.zeros((24, 30, 3))
    image[:, 15:] = (0.8, 0.4, 0.2)
    image[12:] += 0.15
    return (255 * (image + rng.normal(0, 0.02, image.shape))).clip(0, 255).astype(np.uint8)


# ---- two stages --------------------------------------------------------------------------------------------------


def test_recluster_by_hand():
    """Segments of gray 0 (mean of 0 and 20), 40, 200 and 220: two dark, two light."""
    image = np.repeat(np.array([[0, 20, 40, 200, 220]], np.uint8)[:, :, None], 3, axis=2)
    new = ensembles.recluster(image, [[3, 3, 7, 9, -1]], 2, rng=0)
    assert metrics.matched_accuracy([[0, 0, 0, 1, 1]], new) == 1


def test_recluster_is_kmeans_on_the_painted_image(image, seed):
    """The areas count: equal to painting every pixel and clustering all of them."""
    labels = np.random.default_rng(seed).integers(0, 3, image.shape[:2]) + 10 * (np.indices((24, 30))[1] // 6)
    new = ensembles.recluster(image, labels, 3, n_init=20, rng=seed)
    painted = np.empty(image.shape)
    for one in np.unique(labels):
        painted[labels == one] = image[labels == one].mean(axis=0) / 255
    x = painted.reshape(-1, 3)
    best = km.kmeans(x, 3, n_init=20, rng=seed)
    centers = km.update(x, new.ravel(), 3)
    assert km.inertia(x, centers, new.ravel()) == pytest.approx(best.inertia, rel=1e-6)


def test_recluster_only_merges_segments(image, seed):
    labels = np.random.default_rng(seed).integers(0, 9, image.shape[:2])
    new = ensembles.recluster(image, labels, 4, space="lab", position=0.5, rng=seed)
    assert new.dtype == np.int32 and new.shape == labels.shape
    assert all(len(np.unique(new[labels == one])) == 1 for one in range(9))
    assert len(np.unique(new)) == 4


def test_recluster_with_few_segments_changes_nothing(image):
    labels = np.arange(720).reshape(24, 30) % 3 * 5
    new = ensembles.recluster(image, labels, 8, rng=0)
    np.testing.assert_array_equal(new, labels // 5)


def test_gmm_kmeans_is_its_two_stages(image, seed):
    rng = np.random.default_rng(seed)
    first = gmm.segment(image, 6, space="lab", position=0.2, rng=rng)
    expected = ensembles.recluster(image, first, 3, space="lab", position=0.2, rng=rng)
    new = ensembles.gmm_kmeans(image, 3, space="lab", position=0.2, rng=seed)
    np.testing.assert_array_equal(new, expected)


def test_another_first_stage_takes_the_place_of_the_mixture(image, seed):
    stripes = np.indices((24, 30))[1] // 5
    by_function = ensembles.gmm_kmeans(image, 2, first=lambda given: stripes, rng=seed)
    np.testing.assert_array_equal(by_function, ensembles.gmm_kmeans(image, 2, first=stripes, rng=seed))
    np.testing.assert_array_equal(by_function, ensembles.recluster(image, stripes, 2, rng=np.random.default_rng(seed)))


def test_cnn_kmeans_is_its_two_stages(image):
    pytest.importorskip("torch")
    from unseg_helpers import kanezaki

    recipe = kanezaki.Recipe(channels=8, layers=1)
    rng = np.random.default_rng(3)
    first = kanezaki.segment(image, recipe, size=20, max_iter=3, seed=int(rng.integers(2**31)), device="cpu")
    assert len(np.unique(first)) > 3
    expected = ensembles.recluster(image, first, 3, space="lab", rng=rng)
    options = {"recipe": recipe, "size": 20, "train_iter": 3, "device": "cpu", "space": "lab"}
    new = ensembles.cnn_kmeans(image, 3, **options, rng=3)
    np.testing.assert_array_equal(new, expected)
    np.testing.assert_array_equal(new, ensembles.cnn_kmeans(image, 3, **options, rng=3))


# ---- the vote ----------------------------------------------------------------------------------------------------


def plain_merging(label_maps, superpixels, k):
    """Average link by its definition: the mean over all pairs of pixels, computed anew for each pair of regions."""
    region = superpixels.copy()

    def touch(a, b):
        padded = np.pad(region, 1, constant_values=-1)
        mask = padded == a
        grown = np.roll(mask, 1, 0) | np.roll(mask, -1, 0) | np.roll(mask, 1, 1) | np.roll(mask, -1, 1)
        return (grown & (padded == b)).any()

    def vote(a, b):
        shares = [(m[region == a][:, None] == m[region == b][None]).mean() for m in label_maps]
        return np.mean(shares)

    while len(numbers := np.unique(region)) > k:
        pairs = [(round(1 - vote(a, b), 12), a, b) for a in numbers for b in numbers if a < b and touch(a, b)]
        if not pairs:
            break
        _, a, b = min(pairs)
        region[region == b] = a
    return region


def test_vote_matches_the_plain_version(seed):
    rng = np.random.default_rng(seed)
    maps = [rng.integers(0, 3, (9, 12)) for _ in range(3)]
    superpixels = np.indices((9, 12))[0] // 3 * 4 + np.indices((9, 12))[1] // 3
    for k in (2, 4, 7):
        new = ensembles.co_association(maps, k, superpixels=superpixels, color=0)
        assert metrics.matched_accuracy(plain_merging(maps, superpixels, k), new) == 1


def test_equal_label_maps_win_unanimously():
    labels = np.repeat(np.arange(4), 6).reshape(4, 6)
    superpixels = np.arange(24).reshape(4, 6)
    new = ensembles.co_association([labels, labels + 7], 4, superpixels=superpixels, color=0)
    assert metrics.matched_accuracy(labels, new) == 1


def test_names_of_labels_do_not_matter(image, seed):
    rng = np.random.default_rng(seed)
    maps = ensembles.members(image, rng=seed)
    renamed = [rng.permutation(10)[m] * 3 - 4 for m in maps]
    one, other = (ensembles.co_association(m, 4, image=image, n_superpixels=40) for m in (maps, renamed))
    np.testing.assert_array_equal(one, other)


def test_regions_are_in_one_piece_and_sorted_by_area(seed):
    image = scene(seed)
    superpixels = np.indices(image.shape[:2])[0] // 8 * 1000 + np.indices(image.shape[:2])[1] // 8
    maps = [km.segment(image, 4, rng=seed), gmm.segment(image, 4, rng=seed)]
    new = ensembles.co_association(maps, 6, image=image, superpixels=superpixels)
    area = np.bincount(new.ravel())
    assert len(area) == 6 and (np.diff(area) <= 0).all() and new.dtype == np.int32
    assert all(components(new == region)[1] == 1 for region in range(6))


def test_regions_that_do_not_touch_are_not_merged():
    superpixels = np.array([[0, 1], [0, 1]])
    assert len(np.unique(ensembles.co_association([superpixels], 5, superpixels=superpixels, color=0))) == 2


def test_members_differ_and_repeat(image, seed):
    one, two = ensembles.members(image, rng=seed), ensembles.members(image, rng=seed)
    assert len(one) == len(ensembles.MEMBERS) == 8
    for a, b, (_, k, _) in zip(one, two, ensembles.MEMBERS, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.shape == image.shape[:2] and a.max() < k


def test_inputs_are_left_alone(image):
    maps = [np.arange(720).reshape(24, 30) % 5]
    kept, kept_image = maps[0].copy(), image.copy()
    ensembles.co_association(maps, 3, image=image, n_superpixels=30)
    ensembles.recluster(image, maps[0], 3, rng=0)
    np.testing.assert_array_equal(maps[0], kept)
    np.testing.assert_array_equal(image, kept_image)


# ---- errors ------------------------------------------------------------------------------------------------------

BLACK, ZEROS = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), int)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ensembles.recluster(BLACK, ZEROS.T, 2), ValueError, r"labels must have shape \(h, w\) = \(4, 5\)"),
        (lambda: ensembles.recluster(BLACK, ZEROS * 1.0, 2), TypeError, "labels must be integers, got float64"),
        (lambda: ensembles.recluster(BLACK, ZEROS, 0), ValueError, "k must be at least 1"),
        (lambda: ensembles.recluster(ZEROS, ZEROS, 2), ValueError, "gray image"),
        (lambda: ensembles.gmm_kmeans(BLACK, 2, first=ZEROS, k_first=3), ValueError, "k_first belongs to the mixture"),
        (lambda: ensembles.co_association([], 2, image=BLACK), ValueError, "at least one label map"),
        (lambda: ensembles.co_association([ZEROS.T], 2, image=BLACK), ValueError, r"each of label_maps .*got \(5, 4\)"),
        (lambda: ensembles.co_association([ZEROS], 2), ValueError, "superpixels needs the image"),
        (lambda: ensembles.co_association([ZEROS], 2, superpixels=ZEROS), ValueError, "color above 0 needs the image"),
        (lambda: ensembles.co_association([ZEROS], 2, image=BLACK, color=-1), ValueError, "color must be a finite"),
    ],
)
def test_errors_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
