"""Eigenvectors and what is made of them: by hand, LAPACK's generalized problem, laws, odd graphs, the errors."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.sparse import csr_array

from unseg_helpers import _lanczos
from unseg_helpers import affinity as aff
from unseg_helpers import spectral as sp
from unseg_helpers.features import PatchFeatures


def scene(rng, h=18, w=15, d=16, noise=0.4):
    """Features of a surrounding and two objects: (h, w, d), and which is where."""
    where = np.zeros((h, w), int)
    where[3:8, 2:7] = 1
    where[11:16, 8:13] = 2
    middles = rng.normal(size=(3, d)) + 1
    return (middles[where] + noise * rng.normal(size=(h, w, d))).astype(np.float32), where


def generalized(W, k):
    """The published problem, dense, in float64: values, and D-orthonormal vectors."""
    W = np.asarray(W, dtype=np.float64)
    D = np.diag(W.sum(axis=1))
    return eigh(D - W, D, subset_by_index=[0, k - 1])


def assert_solves(W, spectrum, tol=1e-4):
    """Residual, orthonormality, order: true of any answer, whatever the basis."""
    W = np.asarray(W.toarray() if not isinstance(W, np.ndarray) else W, dtype=np.float64)
    d = aff.degrees(W)
    values, v = spectrum
    mu_d_v = d[:, None] * v * values
    residual = d[:, None] * v - W @ v - mu_d_v
    connected = W.sum(axis=1) > 0
    assert np.abs(residual[connected] / np.sqrt(d)[connected, None]).max() < tol
    np.testing.assert_allclose(v.T @ (d[:, None] * v), np.eye(len(values)), atol=tol)
    assert (np.diff(values) > -1e-6).all() and values[0] == 0


def ring(sizes, weak=0.0):
    """Cliques of the given sizes, joined by weak edges to the next one."""
    n = sum(sizes)
    W = np.zeros((n, n))
    start = np.cumsum([0, *sizes])
    for a, b in zip(start[:-1], start[1:], strict=True):
        W[a:b, a:b] = 1
    for a, b in zip(start[1:-1], start[:-2], strict=True):
        W[a, b] = W[b, a] = weak
    return W


# ---- eigenvectors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["lanczos", "lobpcg", "dense"])
@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_solvers_agree_with_the_published_problem(solver, k, seed):
    W = aff.affinity(scene(np.random.default_rng(seed))[0])
    found = sp.eigenvectors(W, k, solver=solver, seed=seed)
    values, vectors = generalized(W, 21)
    np.testing.assert_allclose(found.values, values[:k], atol=2e-6)
    assert_solves(W, found)
    d = W.sum(axis=1, dtype=np.float64)
    gaps = np.diff(values)
    for i in range(k):
        if i == 0 or min(gaps[i - 1], gaps[i]) > 1e-4:
            assert abs(found.vectors[:, i] * d @ vectors[:, i]) > 0.9999


def test_sparse_and_float64_and_strided_give_the_same(seed):
    W = aff.affinity(scene(np.random.default_rng(seed))[0])
    expected = sp.eigenvectors(W, 3)
    wide = np.zeros((len(W), 2 * len(W)))
    wide[:, ::2] = W
    for other in (csr_array(W), W.astype(np.float64), wide[:, ::2], np.asfortranarray(W)):
        np.testing.assert_allclose(sp.eigenvectors(other, 3).vectors, expected.vectors, atol=1e-4)


def test_a_second_run_gives_the_same_and_another_start_but_rounding():
    W = aff.affinity(scene(np.random.default_rng(3))[0])
    one, same, other = (sp.eigenvectors(W, 4, solver="lanczos", seed=s).vectors for s in (0, 0, 5))
    assert (one == same).all()
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_scale_of_the_graph_does_not_matter(seed):
    W = aff.affinity(scene(np.random.default_rng(seed))[0]).astype(np.float64)
    expected = sp.eigenvectors(W, 3)
    for factor in (1e-6, 1e9, 1e40):
        found = sp.eigenvectors(factor * W, 3)
        np.testing.assert_allclose(found.values, expected.values, atol=1e-6)
        np.testing.assert_allclose(found.vectors * np.sqrt(factor), expected.vectors, atol=1e-5)


def test_numbering_of_nodes_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    W = aff.affinity(scene(rng)[0])
    order = rng.permutation(len(W))
    one, other = sp.eigenvectors(W, 3).vectors[order], sp.eigenvectors(W[np.ix_(order, order)], 3).vectors
    np.testing.assert_allclose(np.abs(one), np.abs(other), atol=1e-4)


def test_values_too_near_for_float32_are_found_in_float64():
    """Three cliques, all but apart: two values near 1e-5 that differ by less than float32's rounding of 1."""
    W = ring([90, 100, 110], weak=1e-3)
    found = sp.eigenvectors(W, 3, solver="lanczos")
    values, vectors = generalized(W, 3)
    np.testing.assert_allclose(found.values, values, rtol=1e-4, atol=1e-12)
    for i in range(3):
        assert abs(found.vectors[:, i] * W.sum(axis=1) @ vectors[:, i]) > 0.9999


def test_the_first_one_is_constant_and_the_others_sum_to_nothing(seed):
    W = aff.affinity(scene(np.random.default_rng(seed))[0])
    found = sp.eigenvectors(W, 5)
    np.testing.assert_allclose(found.vectors[:, 0], found.vectors[0, 0])
    assert found.vectors[0, 0] > 0
    assert np.abs(found.vectors[:, 1:].T @ W.sum(axis=1, dtype=np.float64)).max() < 1e-3


# ---- odd graphs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["lanczos", "lobpcg", "dense"])
def test_equal_values_are_all_found(solver):
    """Five cliques of one size: the value 0 five times, then 1. A Krylov space would show only one vector of each."""
    W = ring([60] * 5)
    found = sp.eigenvectors(W, 7, solver=solver)
    np.testing.assert_allclose(found.values, [0] * 5 + [1] * 2, atol=1e-6)
    assert_solves(W, found)
    of_clique = found.vectors[:, :5].reshape(5, 60, 5)
    np.testing.assert_allclose(of_clique, of_clique[:, :1] + 0 * of_clique, atol=1e-5)  # constant on each part


@pytest.mark.parametrize("n", [1, 2, 3, 250])
def test_constant_image(n):
    W = np.ones((n, n), np.float32)
    found = sp.eigenvectors(W, min(n, 4), solver="lanczos")
    np.testing.assert_allclose(found.values, [0, 1, 1, 1][: min(n, 4)], atol=1e-6)
    assert_solves(W, found)


def test_all_vectors_of_a_small_graph(seed):
    rng = np.random.default_rng(seed)
    W = rng.random((9, 9))
    W += W.T
    for solver in ("auto", "lanczos", "lobpcg", "dense"):
        found = sp.eigenvectors(W, 9, solver=solver)
        np.testing.assert_allclose(found.values, generalized(W, 9)[0], atol=1e-6)
        assert_solves(W, found)


@pytest.mark.parametrize("solver", ["lanczos", "dense"])
def test_two_sides_that_only_see_each_other(solver):
    """Bipartite: the largest value is 2."""
    W = np.kron([[0.0, 1.0], [1.0, 0.0]], np.ones((4, 4)))
    found = sp.eigenvectors(W, 8, solver=solver)
    np.testing.assert_allclose(found.values, [0] + [1] * 6 + [2], atol=1e-6)


@pytest.mark.parametrize("solver", ["lanczos", "dense"])
def test_a_patch_without_edges(solver):
    W = np.zeros((260, 260))
    W[1:, 1:] = aff.feature_affinity(np.random.default_rng(0).normal(size=(259, 5)) + 0.5)
    found = sp.eigenvectors(W, 3, solver=solver)
    assert_solves(W, found)
    assert np.abs(found.vectors[0]).max() < 1e-5
    np.testing.assert_allclose(found.values, sp.eigenvectors(W[1:, 1:], 3).values, atol=1e-6)


def test_eigenvector_errors():
    with pytest.raises(ValueError, match="W is all 0"):
        sp.eigenvectors(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="k must be between 1 and the number of nodes, 3, got 4"):
        sp.eigenvectors(np.eye(3), 4)
    with pytest.raises(ValueError, match="solver must be"):
        sp.eigenvectors(np.eye(3), solver="qr")
    with pytest.raises(ValueError, match="NaN"):
        sp.eigenvectors(np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match="symmetric"):
        sp.eigenvectors(np.triu(np.ones((300, 300))))
    with pytest.raises(ValueError, match="device must be"):
        sp.eigenvectors(np.eye(3), device="tpu")
    with pytest.raises(ValueError, match="graph 1: W must have shape"):
        sp.eigenvectors_batch([np.eye(3), np.ones((2, 3))])


def test_what_does_not_converge_is_not_trusted():
    W = aff.affinity(scene(np.random.default_rng(0))[0])
    root, known = sp._roots(aff._sums(W))
    assert not _lanczos.largest(sp._product(W, root), known[None].astype(np.float32), 5, max_steps=7)[2]


def test_input_is_left_alone():
    W = aff.affinity(scene(np.random.default_rng(0))[0]).astype(np.float64)
    for solver in ("lanczos", "lobpcg", "dense"):
        before = W.copy()
        sp.eigenvectors(W, 3, solver=solver)
        assert (W == before).all()


# ---- batches and PyTorch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "cpu:torch"])
@pytest.mark.parametrize("k", [1, 2, 6])
def test_batch_gives_what_one_by_one_gives(device, k):
    if device != "cpu":
        pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    Ws = [aff.affinity(scene(rng, h, 15)[0]) for h in (18, 18, 16, 18)]
    Ws += [ring([60] * 5), np.ones((270, 270), np.float32), csr_array(ring([100, 170], 0.1))]
    for W, found in zip(Ws, sp.eigenvectors_batch(Ws, k, device=device), strict=True):
        expected = sp.eigenvectors(W, k)
        np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
        assert_solves(W, found, tol=2e-4)
    assert sp.eigenvectors_batch([], k, device=device) == []


@pytest.mark.gpu
def test_gpu_gives_the_same():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    W = aff.affinity(scene(np.random.default_rng(0), 30, 30)[0])
    np.testing.assert_allclose(sp.eigenvectors(W, 3, device="cuda").vectors, sp.eigenvectors(W, 3).vectors, atol=1e-4)


def test_all_is_there_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from unseg_helpers import affinity, spectral, tokencut, lost, postprocess\n"
        "x = np.random.default_rng(0).normal(size=(16, 17, 4)) + 0.5\n"
        "for m in ('spectral', 'tokencut', 'lost'): spectral.localize(x, method=m)\n"
        "heavy = [m for m in ('sklearn', 'skimage', 'matplotlib') if m in sys.modules]\n"
        "print(heavy)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


# ---- sign, foreground, box ---------------------------------------------------------------------------------------


def test_sign_does_not_depend_on_the_sign_that_came(seed):
    rng = np.random.default_rng(seed)
    for v in (rng.normal(size=31), rng.integers(-1, 2, size=(4, 5)).astype(float), np.array([1.0, -1.0]), np.ones(3)):
        assert (sp.fix_sign(v) == sp.fix_sign(-v)).all()
        assert (sp.fix_sign(sp.fix_sign(v)) == sp.fix_sign(v)).all()


def test_sign_is_the_published_rule(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        v = rng.normal(size=25) + rng.normal()
        share = (v > 0).mean()
        if 0 < share < 1:
            assert (sp.fix_sign(v) == (-v if 0.5 < share < 1 else v)).all()


def test_foreground_is_the_smaller_side_at_zero_not_at_the_mean():
    v = np.array([[3.0, 0.1, -1.0], [-0.5, -0.5, -0.5]])
    assert sp.foreground(v).tolist() == [[True, True, False], [False, False, False]]
    assert (sp.foreground(-v) == sp.foreground(v)).all()
    assert not sp.foreground(np.zeros((2, 2))).any()


def test_components_are_connected_by_sides():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 1, 1, 0]], bool)
    assert sp.largest_component(mask).tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0]]
    assert sp.component_at(mask, (0, 3)).sum() == 2
    assert not sp.component_at(mask, (0, 1)).any()
    assert not sp.largest_component(np.zeros((2, 2), bool)).any()


def test_box_by_hand():
    mask = np.zeros((4, 6), bool)
    mask[3, 5] = True  # one patch in the corner
    assert sp.object_box(mask, 16) == (80, 48, 96, 64)
    assert sp.object_box(mask, (2.5, 10)) == (50, 8, 60, 10)
    assert sp.object_box(np.zeros((4, 6), bool), 8) == (0, 0, 48, 32)
    with pytest.raises(TypeError, match="mask must be bool"):
        sp.object_box(np.ones((2, 2)))
    with pytest.raises(ValueError, match="patch must be"):
        sp.object_box(mask, 0)


@pytest.mark.parametrize("method", ["spectral", "tokencut", "lost"])
def test_each_method_finds_the_object_on_a_grid_that_is_not_square(method, seed):
    rng = np.random.default_rng(seed)
    features = np.array([1.0, -0.3, 0.0, 0.0]) + 0.05 * rng.normal(size=(9, 14, 4))
    features[2:5, 8:13] = np.array([-0.3, 1.0, 0.0, 0.0]) + 0.05 * rng.normal(size=(3, 5, 4))
    truth = np.zeros((9, 14), bool)
    truth[2:5, 8:13] = True
    found = sp.localize(features, method=method)
    assert (found.mask == truth).all() and found.box == (8, 2, 13, 5)
    assert ((found.score > 0) == truth).all()
    assert (found.seed is None) == (method == "spectral")
    assert found.seed is None or truth[found.seed]
    in_pixels = sp.localize(PatchFeatures(features.astype(np.float32), 8, (90, 112)), method=method)
    assert in_pixels.box == (64, 20, 104, 50)  # 8 wide, 10 high


def test_localize_with_color_sees_what_the_features_do_not():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 20, (96, 96, 3), dtype=np.uint8)
    image[24:56, 32:72] += np.array([200, 0, 100], np.uint8)
    features = PatchFeatures(np.ones((12, 12, 4), np.float32), 8, (96, 96))
    truth = np.zeros((12, 12), bool)
    truth[3:7, 4:9] = True
    found = sp.localize(features, np.pad(image, ((0, 5), (0, 3), (0, 0))), color_weight=10.0)
    assert (found.mask == truth).mean() > 0.9
    fine = sp.localize(features, image, color_weight=10.0, resolution=(24, 24))
    assert fine.mask.shape == (24, 24)


@pytest.mark.parametrize("shape", [(5, 7), (17, 16)])
def test_nothing_stands_out_where_all_is_alike(shape):
    found = sp.localize(np.ones((*shape, 3)))
    assert not found.mask.any() and not found.score.any() and found.box == (0, 0, shape[1], shape[0])


def test_localize_errors():
    x = np.ones((3, 3, 2))
    with pytest.raises(ValueError, match="method must be"):
        sp.localize(x, method="found")
    with pytest.raises(ValueError, match="grid of one patch"):
        sp.localize(x[:1, :1])
    with pytest.raises(ValueError, match="options of method"):
        sp.localize(x, method="lost", color_weight=1.0)
    with pytest.raises(TypeError, match="no option tau"):
        sp.localize(x, tau=0.2)
    with pytest.raises(ValueError, match=r"features must have shape \(h, w, d\)"):
        sp.localize(x.reshape(9, 2))


# ---- several segments --------------------------------------------------------------------------------------------


def test_eigengap_skips_the_first_gap():
    assert sp.eigengap([0, 0.5, 0.6, 0.65]) == 2
    assert sp.eigengap([0, 0.1, 0.2, 0.8, 0.9]) == 3
    W = ring([20, 30, 40, 50], weak=0.01)
    assert sp.eigengap(sp.eigenvectors(W, 7).values) == 4
    with pytest.raises(ValueError, match="at least 3"):
        sp.eigengap([0, 1])
    with pytest.raises(ValueError, match="must grow"):
        sp.eigengap([0, 1, 0.5])


def test_segments_are_the_regions_and_the_border_is_background(seed):
    features, where = scene(np.random.default_rng(seed), noise=0.1)
    vectors = sp.eigenvectors(aff.affinity(features), 3).vectors.reshape(*where.shape, 3)
    labels = sp.segments(vectors, 3, seed=seed)
    assert (labels == 0).sum() == (where == 0).sum() and ((labels == 0) == (where == 0)).all()
    assert len(np.unique(np.stack([labels.ravel(), where.ravel()]), axis=1).T) == 3
    assert labels.dtype == np.int32 and (labels == sp.segments(vectors, 3, seed=seed)).all()


def test_segments_of_a_constant_image_and_errors():
    assert (sp.segments(np.ones((3, 4, 5))) == 0).all()
    with pytest.raises(ValueError, match="with the constant one"):
        sp.segments(np.ones((3, 4, 1)))
    with pytest.raises(ValueError, match="number of patches, 12, got 13"):
        sp.segments(np.ones((3, 4, 2)), 13)


def test_classes_mean_the_same_in_all_images(seed):
    rng = np.random.default_rng(seed)
    middles = 3 * rng.normal(size=(3, 8))
    labels, features = [], []
    for first, second in ((1, 2), (2, 1), (2, 2)):
        kinds = np.array([[0, first], [second, 0]])
        labels.append(np.array([[0, 1], [2, 0]]))
        features.append(middles[kinds] + 0.01 * rng.normal(size=(2, 2, 8)))
    a, b, c = sp.classes_of_segments(features, labels, 3, seed=seed)
    assert a[0, 1] == b[1, 0] != a[1, 0] == b[0, 1] == c[0, 1] == c[1, 0]
    assert a[0, 0] == 0 and {1, 2} == set(a[a > 0].tolist())
    with pytest.raises(ValueError, match="6 segments besides the background, too few for 8"):
        sp.classes_of_segments(features, labels, 8)
    with pytest.raises(ValueError, match="image 0: features"):
        sp.classes_of_segments(features, [x[:1] for x in labels], 2)


def of_color(images, backbone="minidino", *, device="auto", **options):
    """In place of a network: patches of 8 pixels with their mean color."""
    single = not isinstance(images, list)
    found = []
    for image in [images] if single else images:
        h, w = image.shape[0] // 8, image.shape[1] // 8
        x = image[: 8 * h, : 8 * w].reshape(h, 8, w, 8, 3).mean(axis=(1, 3)) / 255 - 0.5
        found.append(PatchFeatures(x.astype(np.float32), 8, (8 * h, 8 * w)))
    return found[0] if single else found


@pytest.fixture
def painted(monkeypatch):
    from unseg_helpers import features

    monkeypatch.setattr(features, "extract", of_color)
    image = np.full((100, 130, 3), 40, np.uint8)
    image[24:56, 32:80] = [250, 60, 60]
    return image


@pytest.mark.parametrize("refine", [None, "guided", "bilateral"])
def test_an_image_becomes_a_mask_and_labels_at_its_own_size(painted, refine):
    truth = painted[..., 0] > 200
    mask = sp.foreground_mask(painted, refine=refine, device="cpu")
    assert mask.shape == truth.shape and mask.dtype == bool
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    labels = sp.segment(painted, 2, k=2, refine=refine, device="cpu")
    assert labels.dtype == np.int32 and ((labels > 0) == mask).mean() > 0.98
    assert sp.segment(painted, k=4, device="cpu").shape == truth.shape


def test_a_set_of_images_gets_classes(painted):
    other = painted.copy()
    other[painted[..., 0] > 200] = [60, 60, 250]
    one, two, three = sp.semantic([painted, other, painted], 3, n=2, k=2, device="cpu")
    assert (one == three).all() and one[40, 50] != two[40, 50] and one[0, 0] == two[0, 0] == 0
    assert one.shape == painted.shape[:2]
    with pytest.raises(ValueError, match="n_classes"):
        sp.semantic([painted], 1)
    with pytest.raises(ValueError, match="at least one image"):
        sp.semantic([], 2)
    with pytest.raises(ValueError, match="k must be a whole number of at least 3"):
        sp.segment(painted, k=2, device="cpu")
    with pytest.raises(ValueError, match="1 x 2 patches"):
        sp.segment(painted[:8, :16], device="cpu")
