"""Post-processing: interpolation by hand, filters against plain versions, laws, the errors."""

import numpy as np
import pytest

from unseg_helpers import postprocess as post

needs_crf = pytest.mark.skipif(not post.has_crf(), reason="pydensecrf2 is not installed")


def photo(rng, h=40, w=56):
    """A dark surrounding and a bright disk, with noise; and where the disk is."""
    y, x = np.mgrid[:h, :w]
    disk = (y - 20) ** 2 + (x - 26) ** 2 < 12**2
    image = np.where(disk[..., None], [0.9, 0.6, 0.3], [0.1, 0.3, 0.2]) + 0.03 * rng.normal(size=(h, w, 3))
    return np.clip(image, 0, 1), disk


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def coarse(disk, patch=8):
    h, w = disk.shape
    return disk.reshape(h // patch, patch, w // patch, patch).mean(axis=(1, 3)) > 0.5


# ---- upsampling and the common entrance --------------------------------------------------------------------------


def test_upsample_is_linear_between_centers(seed):
    score = np.random.default_rng(seed).normal(size=(3, 4))
    up = post.upsample(score, (15, 20))
    assert up.shape == (15, 20)
    np.testing.assert_allclose(up[2::5, 2::5], score)  # the centers
    np.testing.assert_allclose(np.diff(up[2, 2:8]), (score[0, 1] - score[0, 0]) / 5)
    np.testing.assert_allclose(up[:3, :3], score[0, 0])  # the corner is repeated
    assert up.min() >= score.min() and up.max() <= score.max()


def test_upsample_to_a_size_that_no_patch_divides():
    assert post.upsample(np.ones((3, 4)), (25, 31)).tolist() == np.ones((25, 31)).tolist()


@pytest.mark.parametrize("method", ["guided", "bilateral", pytest.param("crf", marks=needs_crf)])
def test_filters_bring_a_mask_of_patches_to_the_edge(method, seed):
    image, disk = photo(np.random.default_rng(seed))
    rough = coarse(disk)
    plain = post.refine(rough, image, None) > 0.5
    refined = post.refine(rough, image, method)
    assert refined.min() >= 0 and refined.max() <= 1 and refined.shape == disk.shape
    assert iou(refined > 0.5, disk) > max(0.93, iou(plain, disk))


@pytest.mark.parametrize("method", ["guided", "bilateral", None])
def test_bytes_and_floats_give_the_same(method, seed):
    image, disk = photo(np.random.default_rng(seed))
    image = (255 * image).astype(np.uint8)
    one, other = (post.refine(coarse(disk), x, method) for x in (image, image / 255))
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_an_eigenvector_keeps_its_sign_and_other_numbers_their_share():
    image = np.zeros((1, 3, 3))
    assert post.refine([[-2.0, 0.0, 1.0]], image, None).tolist() == [[0, 0.5, 0.75]]
    assert post.refine([[0.0, 2.0, 4.0]], image, None).tolist() == [[0, 0.5, 1]]
    assert post.refine([[0.0, 0.2, 0.4]], image, None).tolist() == [[0, 0.2, 0.4]]
    assert post.refine([[False, True, False]], image, None).tolist() == [[0, 1, 0]]


def test_refine_errors():
    image = np.zeros((8, 8, 3))
    with pytest.raises(ValueError, match='method must be "guided"'):
        post.refine(np.ones((2, 2)), image, "median")
    with pytest.raises(ValueError, match=r"score must have shape \(h, w\)"):
        post.refine(np.ones(4), image)
    with pytest.raises(ValueError, match="NaN"):
        post.refine(np.full((2, 2), np.nan), image)
    with pytest.raises(TypeError, match="no option radius"):
        post.refine(np.ones((2, 2)), image, None, radius=3)
    with pytest.raises(ValueError, match="same size"):
        post.guided_filter(np.ones((2, 2)), image)


# ---- the guided filter -------------------------------------------------------------------------------------------


def plain_guided(p, image, radius, eps):
    """One window after the other, by least squares with the penalty."""
    h, w = p.shape
    pad = [(2 * radius, 2 * radius)] * 2
    p, image = np.pad(p, pad, mode="edge"), np.pad(image, [*pad, (0, 0)], mode="edge")
    a, b = np.zeros(image.shape), np.zeros(p.shape)
    for y in range(radius, p.shape[0] - radius):
        for x in range(radius, p.shape[1] - radius):
            window = np.s_[y - radius : y + radius + 1, x - radius : x + radius + 1]
            color, level = image[window].reshape(-1, 3), p[window].ravel()
            centered = color - color.mean(axis=0)
            square = centered.T @ centered / len(color) + eps * np.eye(3)
            a[y, x] = np.linalg.solve(square, centered.T @ level / len(color))
            b[y, x] = level.mean() - a[y, x] @ color.mean(axis=0)
    q = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            window = np.s_[y + radius : y + 3 * radius + 1, x + radius : x + 3 * radius + 1]
            q[y, x] = a[window].mean(axis=(0, 1)) @ image[y + 2 * radius, x + 2 * radius] + b[window].mean()
    return q


def test_guided_filter_is_the_formula(seed):
    rng = np.random.default_rng(seed)
    p, image = rng.random((11, 13)), rng.random((11, 13, 3))
    inner = np.s_[2:-2, 2:-2]  # at the border the two continue the image differently
    found, expected = post.guided_filter(p, image, radius=1, eps=0.01), plain_guided(p, image, 1, 0.01)
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-9)


def test_guided_filter_keeps_what_is_constant_and_what_is_the_color(seed):
    image = np.random.default_rng(seed).random((12, 15, 3))
    np.testing.assert_allclose(post.guided_filter(np.full((12, 15), 0.3), image), 0.3)
    p = image @ [0.2, 0.3, 0.4] + 0.1
    np.testing.assert_allclose(post.guided_filter(p, image, radius=3, eps=1e-9), p, atol=1e-5)


def test_guided_filter_on_a_flat_image_is_a_mean_of_means():
    p = np.zeros((9, 9))
    p[4, 4] = 1
    q = post.guided_filter(p, np.full((9, 9, 3), 0.5), radius=1)
    assert q[4, 4] == pytest.approx(9 / 81) and q[2, 2] == pytest.approx(1 / 81) and q.sum() == pytest.approx(1)


def test_guided_filter_errors():
    image = np.zeros((4, 4, 3))
    with pytest.raises(ValueError, match="radius must be"):
        post.guided_filter(np.ones((4, 4)), image, radius=0)
    with pytest.raises(ValueError, match="eps must be"):
        post.guided_filter(np.ones((4, 4)), image, eps=0)


# ---- the bilateral solver ----------------------------------------------------------------------------------------


def plain_solver(target, image, sigma, smoothness, confidence):
    """The same system, dense and solved exactly; vertices in a dictionary."""
    h, w = target.shape
    luma = 255 * image @ post.LUMA
    axes = [*np.mgrid[:h, :w][::-1], luma]
    axes += [(255 * image[..., 2] - luma) * 0.564 + 128, (255 * image[..., 0] - luma) * 0.713 + 128]
    cells = [
        tuple(c) for c in np.stack([np.floor(a / s).astype(int).ravel() for a, s in zip(axes, sigma, strict=True)], 1)
    ]
    vertices = {c: i for i, c in enumerate(sorted(set(cells)))}
    n = len(vertices)
    S = np.zeros((n, h * w))
    S[[vertices[c] for c in cells], range(h * w)] = 1
    B = 10 * np.eye(n)
    for c, i in vertices.items():
        for axis in range(5):
            for step in (-1, 1):
                j = vertices.get(tuple(v + step * (a == axis) for a, v in enumerate(c)))
                if j is not None:
                    B[i, j] += 1
    mass, d_n = S.sum(axis=1), np.ones(n)
    for _ in range(10):
        d_n = np.sqrt(d_n * mass / (B @ d_n))
    A = smoothness * (np.diag(d_n * (B @ d_n)) - d_n[:, None] * B * d_n) + np.diag(S @ confidence.ravel())
    return (S.T @ np.linalg.solve(A, S @ (confidence * target).ravel())).reshape(h, w)


def test_bilateral_solver_is_the_formula(seed):
    rng = np.random.default_rng(seed)
    image, disk = photo(rng, 24, 32)
    target, confidence = disk + 0.2 * rng.normal(size=disk.shape), rng.random(disk.shape)
    found = post.bilateral_solver(
        target, image, confidence=confidence, sigma_xy=8, sigma_luma=32, sigma_chroma=16, smoothness=4, max_iter=400
    )
    expected = plain_solver(target, image, (8, 8, 32, 16, 16), 4, confidence)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_bilateral_solver_keeps_constants_and_without_smoothness_takes_means(seed):
    image = np.random.default_rng(seed).random((12, 15, 3))
    np.testing.assert_allclose(post.bilateral_solver(np.full((12, 15), 0.3), image), 0.3, atol=1e-4)
    flat, target = np.full((6, 6, 3), 0.5), np.random.default_rng(seed).random((6, 6))
    np.testing.assert_allclose(post.bilateral_solver(target, flat, smoothness=0), target.mean())


def test_what_has_no_confidence_is_filled_in():
    image = np.full((20, 40, 3), 0.5)
    target, confidence = np.full((20, 40), 0.8), np.ones((20, 40))
    target[:, 20:], confidence[:, 20:] = 0, 0
    filled = post.bilateral_solver(target, image, confidence=confidence, max_iter=200)
    np.testing.assert_allclose(filled, 0.8, atol=0.02)


def test_bilateral_solver_errors():
    image = np.zeros((4, 4, 3))
    with pytest.raises(ValueError, match="sigma_xy must be"):
        post.bilateral_solver(np.ones((4, 4)), image, sigma_xy=0)
    with pytest.raises(ValueError, match="confidence must be"):
        post.bilateral_solver(np.ones((4, 4)), image, confidence=0)
    with pytest.raises(ValueError, match="smoothness must be"):
        post.bilateral_solver(np.ones((4, 4)), image, smoothness=-1)
    with pytest.raises(ValueError, match="larger sigmas"):
        post.bilateral_solver(np.ones((4, 4)), image + 1, sigma_luma=0.01)


# ---- the dense CRF -----------------------------------------------------------------------------------------------


@needs_crf
def test_crf_without_steps_gives_back_what_came():
    p = np.random.default_rng(0).random((9, 12))
    found = post.dense_crf(p, np.zeros((9, 12, 3)), n_iter=0, certainty=0.75)
    np.testing.assert_allclose(found, 0.25 + p / 2, atol=1e-5)
    with pytest.raises(ValueError, match="probability must lie between 0 and 1"):
        post.dense_crf(p + 1, np.zeros((9, 12, 3)))
    with pytest.raises(ValueError, match="certainty"):
        post.dense_crf(p, np.zeros((9, 12, 3)), certainty=1)


def test_without_the_package_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(post, "has_crf", lambda: False)
    with pytest.raises(ModuleNotFoundError, match="pip install pydensecrf2"):
        post.refine(np.ones((2, 2)), np.zeros((4, 4, 3)), "crf")
