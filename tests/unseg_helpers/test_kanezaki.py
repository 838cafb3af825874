"""The CNN of one image: losses by hand, the fast loop against a plain one, stopping, stacks, clean-up, the errors."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from unseg_helpers import _kanezaki_fast as fast  # noqa: E402
from unseg_helpers import datasets, kanezaki, metrics  # noqa: E402
from unseg_helpers.kanezaki import RECIPES, Recipe  # noqa: E402

SMALL = Recipe(channels=12, layers=2, max_iter=6, min_labels=1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def image():
    return np.ascontiguousarray(datasets.scene(seed=3).image[20:44, 30:62])


def random_response(seed, shape=(1, 5, 6, 7)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ---- the network --------------------------------------------------------------------------------------------------


def test_network_has_the_published_form():
    network = kanezaki.build()
    sizes = [tuple(p.weight.shape) for p in network if isinstance(p, torch.nn.Conv2d)]
    assert sizes == [(100, 3, 3, 3), (100, 100, 3, 3), (100, 100, 1, 1)]
    assert [type(p).__name__ for p in network[-2:]] == ["Conv2d", "BatchNorm2d"]  # no ReLU after the last norm


@pytest.mark.parametrize("training", [True, False])
def test_each_channel_of_the_response_has_mean_0_and_variance_1(training):
    network = kanezaki.build(SMALL, seed=1).train(training)
    response = network(torch.rand(1, 3, 9, 11))
    assert response.shape == (1, 12, 9, 11)
    np.testing.assert_allclose(response.mean(dim=(0, 2, 3)).detach(), 0, atol=1e-5)
    np.testing.assert_allclose(response.var(dim=(0, 2, 3), correction=0).detach(), 1, atol=0.01)


def test_weights_come_from_the_seed_and_nothing_else_is_touched():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, two, other = (kanezaki.build(SMALL, seed=s) for s in (3, 3, 4))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(one[0].weight, two[0].weight) and not torch.equal(one[0].weight, other[0].weight)


def test_xavier_keeps_its_bound():
    first = kanezaki.build("shukla")[0]
    bound = np.sqrt(6 / (9 * 3 + 9 * 100))
    assert 0.95 * bound < first.weight.abs().max() <= bound and not first.bias.any()


# ---- targets and losses ---------------------------------------------------------------------------------------------


def test_targets_by_hand_and_without_gradient():
    response = torch.tensor([[[[1.0, 0.0, 2.0]], [[0.0, 3.0, 2.0]]]], requires_grad=True)
    found = kanezaki.targets(response)
    assert found.tolist() == [[0, 1, 0]] and not found.requires_grad  # of equal ones the first
    assert kanezaki.targets(torch.cat([response, response])).shape == (2, 1, 3)


def test_similarity_by_hand():
    response = torch.tensor([[[[0.0, 2.0]], [[np.log(3.0), 2.0]]]])
    found = kanezaki.similarity_loss(response, torch.tensor([[1, 0]]))
    assert found.item() == pytest.approx((np.log(4 / 3) + np.log(2)) / 2)
    assert kanezaki.similarity_loss(response, torch.tensor([[0, -1]])).item() == pytest.approx(np.log(4))
    assert kanezaki.similarity_loss(response, torch.tensor([[-1, -1]])).item() == 0


def test_each_direction_of_continuity_has_its_own_mean():
    response = torch.zeros(1, 1, 3, 2)
    response[0, 0, 0] = 6.0  # down: 2 of 4 pairs differ by 6; across: none
    assert kanezaki.continuity_loss(response).item() == 3
    assert kanezaki.continuity_loss(response.transpose(2, 3)).item() == 3
    assert kanezaki.continuity_loss(response[:, :, :1, :1]).item() == 0


def test_scribbles_count_where_they_are(seed):
    response = random_response(seed)
    scribbles = torch.full((6, 7), 255)
    scribbles[2, 3], scribbles[4, 4] = 1, 0
    expected = -torch.log_softmax(response, dim=1)[0][[1, 0], [2, 4], [3, 4]].mean()
    assert kanezaki.scribble_loss(response, scribbles).item() == pytest.approx(expected.item(), rel=1e-5)
    assert kanezaki.scribble_loss(response, torch.full((6, 7), -1)).item() == 0


def test_superpixels_take_the_majority(seed):
    rng = np.random.default_rng(seed)
    target, superpixels = rng.integers(0, 4, (8, 9)), rng.integers(0, 7, (8, 9))
    found = kanezaki.superpixel_targets(torch.from_numpy(target), superpixels).numpy()
    for one in range(7):
        mine = superpixels == one
        assert (found[mine] == np.bincount(target[mine]).argmax()).all()


# ---- the fast losses are the readable ones --------------------------------------------------------------------------


def readable(response, recipe, given, drawn):
    """The losses by autograd: similarity, continuity and the gradient."""
    response = response.clone().requires_grad_()
    target = response.detach().argmax(dim=1) if given is None else given
    marks = torch.full_like(target, -1) if drawn is None else drawn
    similarity = kanezaki.similarity_loss(response, target.where(marks < 0, -1))
    continuity = kanezaki.continuity_loss(response)
    loss = recipe.similarity * similarity + recipe.continuity * continuity
    if drawn is not None:
        loss = loss + recipe.scribble * kanezaki.scribble_loss(response, marks)
    loss.backward()
    return similarity.item(), continuity.item(), response.grad


@pytest.mark.parametrize("block", [1, 150, 2**20])
@pytest.mark.parametrize("shape", [(1, 5, 6, 7), (3, 4, 5, 6), (1, 4, 1, 5), (1, 4, 5, 1), (2, 3, 1, 1)])
@pytest.mark.parametrize("kind", ["largest", "given", "drawn", "both"])
def test_fast_losses_and_gradient(shape, block, kind, monkeypatch):
    monkeypatch.setitem(fast.BLOCK, "cpu", block)
    b, q, h, w = shape
    rng = torch.Generator().manual_seed(sum(shape))
    response = 3 * torch.randn(shape, generator=rng)
    given = torch.randint(q, (b, h, w), generator=rng) if kind in ("given", "both") else None
    drawn = torch.randint(-2, q, (b, h, w), generator=rng).clamp_min(-1) if kind in ("drawn", "both") else None
    recipe = replace(SMALL, similarity=0.7, continuity=1.3, scribble=0.4)
    losses = fast.Losses(b, q, (h, w), CPU)
    losses(response.flip(2), recipe, given, drawn)  # arrays are used again: nothing of it may be left
    found = losses(response.to(memory_format=torch.channels_last, copy=True), recipe, given, drawn)
    similarity, continuity, gradient = readable(response, recipe, given, drawn)
    n_labels, fast_similarity, fast_continuity = found.row()
    assert n_labels == len(torch.unique(response.argmax(dim=1)))
    assert torch.equal(found.labels, response.argmax(dim=1)) and torch.equal(fast.largest(response), found.labels)
    assert fast_similarity == pytest.approx(similarity, rel=1e-5, abs=1e-6)
    assert fast_continuity == pytest.approx(continuity, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(found.gradient, gradient, atol=1e-6)


# ---- the loop -------------------------------------------------------------------------------------------------------


def plain_loop(image, recipe, seed=0, first=None, start_iter=0, drawn=None):
    """The published loop: losses by autograd, labels counted by NumPy."""
    network = kanezaki.build(recipe, seed=seed)
    x = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
    place = kanezaki._slic(x, recipe.superpixels)[0] if recipe.superpixels else None
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=recipe.lr, betas=(recipe.momentum, 0.999))
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, recipe.lr_step or 10**9, 0.1)
    rows = []
    for step in range(recipe.max_iter):
        optimizer.zero_grad()
        response = network(x)
        target = kanezaki.targets(response)
        n_labels = len(np.unique(target.numpy()))
        if step < start_iter:
            target = torch.from_numpy(first)
        elif place is not None:
            target = kanezaki.superpixel_targets(target, place)
        if drawn is not None:
            target = target.where(torch.from_numpy(drawn) < 0, -1)
        similarity, continuity = kanezaki.similarity_loss(response, target), kanezaki.continuity_loss(response)
        loss = similarity + recipe.continuity * continuity
        if drawn is not None:
            loss = loss + recipe.scribble * kanezaki.scribble_loss(response, torch.from_numpy(drawn))
        loss.backward()
        optimizer.step()
        schedule.step()
        rows.append((n_labels, similarity.item(), continuity.item()))
    return rows


STARTS = np.indices((24, 32))[1] // 8
DRAWN = np.where(np.indices((24, 32))[0] == 5, STARTS // 2, -1)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (SMALL, {}),
        (replace(RECIPES["shukla"], channels=12, max_iter=6, lr_step=2, min_labels=1), {}),
        (replace(RECIPES["kanezaki2018"], channels=12, max_iter=6, superpixels=60, min_labels=1), {}),
        (SMALL, {"start_labels": STARTS, "start_iter": 3}),
        (SMALL, {"scribbles": DRAWN}),
    ],
    ids=["kim2020", "shukla", "kanezaki2018", "start", "scribbles"],
)
def test_loop_is_the_published_one(image, recipe, options):
    result, _ = kanezaki.fit(image, recipe, seed=2, device="cpu", **options)
    plain = plain_loop(
        image, recipe, 2, options.get("start_labels"), options.get("start_iter", 0), options.get("scribbles")
    )
    assert result.n_iter == len(result.history) <= len(plain)
    for (n, similar, change), (n_plain, similar_plain, change_plain) in zip(result.history, plain, strict=False):
        assert abs(n - n_plain) <= 1  # a single pixel may tip over by rounding
        assert similar == pytest.approx(similar_plain, rel=5e-3) and change == pytest.approx(change_plain, rel=5e-3)


def test_again_is_the_same_and_the_image_is_left_alone(image):
    kept = image.copy()
    one, _ = kanezaki.fit(image, SMALL, seed=4, device="cpu")
    two, _ = kanezaki.fit(image.astype(np.float32) / 255, SMALL, seed=4, device="cpu")
    assert one.history == two.history and (one.labels == two.labels).all() and (image == kept).all()
    assert one.labels.dtype == np.int32 and one.labels.shape == (24, 32) and one.messages == ()
    area = np.bincount(one.labels.ravel())
    assert one.n_labels == len(area) and (area > 0).all() and (np.diff(area) <= 0).all()


def test_it_stops_at_the_fewest_labels_or_the_last_step(image):
    result, _ = kanezaki.fit(image, replace(SMALL, min_labels=11), device="cpu")
    assert result.stopped == "min_labels" and result.history[-1][0] <= 11
    assert all(row[0] > 11 for row in result.history[:-1])
    result, _ = kanezaki.fit(image, SMALL, max_iter=2, device="cpu")
    assert result.stopped == "max_iter" and result.n_iter == 2


def test_labels_fall_and_regions_are_found():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 15:] = (230, 120, 10)
    result, _ = kanezaki.fit(image, Recipe(channels=16, continuity=1.0, min_labels=2, max_iter=80), device="cpu")
    assert result.history[-1][0] < result.history[0][0]
    truth = np.indices((20, 30))[1] // 15
    assert metrics.matched_accuracy(truth, kanezaki.merge_small(result.labels, image, 150)) > 0.9


def test_callback_sees_every_step(image):
    seen = []
    result, _ = kanezaki.fit(
        image, SMALL, device="cpu", callback=lambda step, labels, row: seen.append((step, labels, row))
    )
    assert [step for step, _, _ in seen] == [1, 2, 3, 4, 5, 6] and tuple(row for *_, row in seen) == result.history
    for _, labels, row in seen:
        assert labels.shape == (24, 32) and labels.dtype == np.int32 and len(np.unique(labels)) == row[0]


def test_start_labels_are_learned(image):
    """Trained towards three stripes for long enough, the network gives stripes."""
    recipe = Recipe(channels=12, continuity=0.0, max_iter=40, min_labels=3)
    stripes = (image.mean(axis=2) > 110).astype(int)
    result, _ = kanezaki.fit(image, recipe, start_labels=stripes, start_iter=40, device="cpu")
    assert result.n_iter == 40 and metrics.matched_accuracy(stripes, result.labels) > 0.9


def test_scribbles_say_which_label_and_how_few():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 15:] = (230, 120, 10)
    drawn = np.full((20, 30), 255, np.uint8)
    drawn[8, 3:10], drawn[12, 20:27] = 4, 1
    recipe = Recipe(channels=12, continuity=0.5, scribble=2.0, min_labels=12, max_iter=40)
    result, model = kanezaki.fit(image, recipe, scribbles=drawn, device="cpu")
    assert result.n_iter > 1  # the recipe's number would have stopped it at once
    channel = np.argsort(model.rank)[result.labels]
    assert (channel[8, 3:10] == 4).all() and (channel[12, 20:27] == 1).all()


def test_long_images_are_trained_smaller_and_told(image):
    seen = []
    result, _ = kanezaki.fit(
        image, SMALL, max_iter=2, max_side=16, device="cpu", callback=lambda _, labels, __: seen.append(labels.shape)
    )
    assert seen == [(12, 16)] * 2 and result.labels.shape == (24, 32)
    assert "12 x 16" in result.messages[0] and "max_side is 16" in result.messages[0]


def test_half_precision_goes_the_same_way(image):
    full, half = (kanezaki.fit(image, SMALL, device="cpu", dtype=d)[0] for d in ("float32", "bfloat16"))
    for one, other in zip(full.history, half.history, strict=True):
        np.testing.assert_allclose(other[1:], one[1:], rtol=0.03)


# ---- stacks and the model that is left ------------------------------------------------------------------------------


def test_stack_is_one_batch(image):
    stack = np.stack([image, image[::-1]])
    result, model = kanezaki.fit(stack, SMALL, device="cpu")
    assert result.labels.shape == (2, 24, 32) and result.n_labels == len(np.unique(result.labels))
    assert [m.shape for m in model.predict([image, image[:10, :12]])] == [(24, 32), (10, 12)]
    network = kanezaki.build(SMALL)
    x = torch.from_numpy(stack.astype(np.float32) / 255).permute(0, 3, 1, 2)
    assert result.history[0][1] == pytest.approx(
        kanezaki.similarity_loss(network(x), kanezaki.targets(network(x))).item(), rel=1e-4
    )


@pytest.mark.parametrize("max_side", [512, 20])
def test_model_gives_the_training_image_its_labels(image, max_side):
    result, model = kanezaki.fit(image, SMALL, device="cpu", max_side=max_side)
    np.testing.assert_array_equal(model.predict(image), result.labels)
    before = [p.clone() for p in model.network.parameters()]
    model.predict(255 - image)
    assert all(torch.equal(a, b) for a, b in zip(before, model.network.parameters(), strict=True))
    assert sorted(model.rank) == list(range(12)) and model.device == CPU


# ---- memory ---------------------------------------------------------------------------------------------------------


def test_memory_is_kept_within_only(monkeypatch):
    calls = []

    class Libc:
        def mallopt(self, what, value):
            calls.append((what, value))

        def malloc_trim(self, pad):
            calls.append("trim")

    monkeypatch.setattr(fast, "_glibc", Libc)
    with fast.kept_memory(CPU) as kept:
        assert kept and (fast.M_MMAP_MAX, 0) in calls
        n = len(calls)
        with fast.kept_memory(CPU):
            pass
        assert len(calls) == n  # the inner one changes nothing
    assert (fast.M_MMAP_MAX, fast.USUAL_MMAP_MAX) in calls and calls[-1] == "trim"
    with fast.kept_memory(torch.device("meta")) as kept:
        assert not kept


def test_memory_of_users_with_settings_is_left_alone(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000")
    assert fast._glibc() is None


# ---- clean-up and segment -------------------------------------------------------------------------------------------


def test_merge_by_hand():
    """Label 3 is nearer in color to 9, but does not touch it."""
    gray = np.array([[0, 0, 0, 60, 40, 40, 40, 90, 90]], np.uint8)
    labels = [[5, 5, 5, 3, 7, 7, 7, 9, 9]]
    image = np.repeat(gray[:, :, None], 3, axis=2)
    assert kanezaki.merge_small(labels, image, 2).tolist() == [[1, 1, 1, 0, 0, 0, 0, 2, 2]]
    assert kanezaki.merge_small(labels, image, 3).tolist() == [[1, 1, 1, 0, 0, 0, 0, 0, 0]]
    assert kanezaki.merge_small(labels, image, 0).max() == 3
    assert kanezaki.merge_small(labels, image, 0.3).tolist() == kanezaki.merge_small(labels, image, 2.7).tolist()
    assert kanezaki.merge_small(labels, image, 100).max() == 0  # all in one


def test_pieces_join_what_is_around_them():
    labels = np.zeros((5, 8), int)
    labels[:, 4:] = 1
    labels[2, 1] = 1  # a spot of the label 1 within 0
    image = np.zeros((5, 8, 3))
    assert kanezaki.merge_small(labels, image, 3)[2, 1] != kanezaki.merge_small(labels, image, 3)[2, 0]
    clean = kanezaki.merge_small(labels, image, 3, pieces=True)
    assert metrics.matched_accuracy(np.indices((5, 8))[1] // 4, clean) == 1


def test_merging_only_merges_and_leaves_nothing_small(image, seed):
    labels = np.random.default_rng(seed).integers(0, 6, (4, 8)).repeat(6, axis=0).repeat(4, axis=1)
    for pieces in (False, True):
        new = kanezaki.merge_small(labels, image, 100, pieces=pieces)
        area = np.bincount(new.ravel())
        assert (area >= 100).all() and (np.diff(area) <= 0).all() and new.dtype == np.int32
        if not pieces:
            assert all(len(np.unique(new[labels == one])) == 1 for one in np.unique(labels))


def test_segment_trains_at_a_size_and_cleans_up(image):
    labels = kanezaki.segment(image, SMALL, size=16, least=40, device="cpu")
    assert labels.shape == (24, 32) and np.bincount(labels.ravel()).min() >= 40
    assert kanezaki.segment([image, image], SMALL, size=16, least=40, max_iter=1, device="cpu").shape == (2, 24, 32)


def test_segment_warns_where_it_had_to_train_smaller(image, monkeypatch):
    monkeypatch.setattr(kanezaki, "MAX_SIDE", 16)
    with pytest.warns(UserWarning, match="trained at 12 x 16 pixels, .* and size is 16"):
        kanezaki.segment(image, SMALL, max_iter=1, device="cpu")


def test_recipes_are_the_published_ones():
    kim, shukla, first = RECIPES["kim2020"], RECIPES["shukla"], RECIPES["kanezaki2018"]
    assert (kim.optimizer, kim.lr, kim.momentum, kim.channels, kim.continuity) == ("sgd", 0.1, 0.9, 100, 5)
    assert (shukla.optimizer, shukla.lr, shukla.lr_step, shukla.continuity, shukla.init) == (
        "adam", 0.05, 50, 0.5, "xavier",
    )  # fmt: skip
    assert (first.superpixels, first.continuity) == (10_000, 0)


# ---- errors ---------------------------------------------------------------------------------------------------------

BLACK, ZEROS = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), int)
R = torch.zeros(1, 3, 4, 5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Recipe(channels=1), ValueError, "channels must be at least 2, got 1"),
        (lambda: Recipe(lr=0), ValueError, "lr must be above 0"),
        (lambda: Recipe(momentum=1), ValueError, "momentum must be below 1"),
        (lambda: Recipe(continuity=-1), ValueError, "continuity must be a finite number of at least 0, got -1"),
        (lambda: Recipe(optimizer="lbfgs"), ValueError, "optimizer must be one of sgd, adam, got 'lbfgs'"),
        (lambda: Recipe(lr_step=0), ValueError, "lr_step must be at least 1"),
        (lambda: kanezaki.build("kim"), ValueError, "recipe must be a Recipe or one of kim2020, .*got 'kim'"),
        (lambda: kanezaki.targets(R[0]), ValueError, r"\(b, q, h, w\), got \(3, 4, 5\); for one image"),
        (lambda: kanezaki.targets(R.numpy()), TypeError, "response must be a torch tensor, got ndarray"),
        (lambda: kanezaki.similarity_loss(R, R[0, 0].T), ValueError, r"target must have shape \(h, w\)"),
        (lambda: kanezaki.similarity_loss(R, R[0, 0]), TypeError, "target must be integers, got torch.float32"),
        (lambda: kanezaki.similarity_loss(R, R[0, 0].long() + 3), ValueError, "target must be below q=3"),
        (lambda: kanezaki.superpixel_targets(R[0, 0].long(), ZEROS.T), ValueError, "the shape of target"),
        (lambda: kanezaki.superpixel_targets(R[0, 0].long(), ZEROS - 1), ValueError, "superpixels must be at least 0"),
        (lambda: kanezaki.fit(ZEROS), ValueError, "gray image"),
        (lambda: kanezaki.fit([BLACK, BLACK[1:]]), ValueError, r"one size, got \(3, 5\), \(4, 5\)"),
        (lambda: kanezaki.fit([]), ValueError, "image must"),
        (lambda: kanezaki.fit(BLACK, dtype="float16"), ValueError, "dtype must be float32 or bfloat16"),
        (lambda: kanezaki.fit(BLACK, max_side=0), ValueError, "max_side must be at least 1"),
        (lambda: kanezaki.fit(BLACK, start_labels=ZEROS.T), ValueError, r"start_labels must have shape \(4, 5\)"),
        (lambda: kanezaki.fit(BLACK, start_labels=ZEROS - 1), ValueError, "start_labels must be at least 0"),
        (lambda: kanezaki.fit(BLACK, SMALL, start_labels=ZEROS + 12), ValueError, "must be below channels=12, got 12"),
        (lambda: kanezaki.fit(BLACK, scribbles=ZEROS * 1.0), TypeError, "scribbles must be integers, got float64"),
        (lambda: kanezaki.fit(BLACK, scribbles=ZEROS + 255), ValueError, "at least one drawn pixel"),
        (lambda: kanezaki.merge_small(ZEROS.T, BLACK, 1), ValueError, r"labels must have shape \(h, w\) = \(4, 5\)"),
        (lambda: kanezaki.merge_small(ZEROS * 1.0, BLACK, 1), TypeError, "labels must be integers"),
        (lambda: kanezaki.merge_small(ZEROS, BLACK, -1), ValueError, "least must be a finite number of at least 0"),
    ],
)
def test_errors_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.gpu
def test_cuda_makes_the_same_loss_curve(image):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    here, _ = kanezaki.fit(image, SMALL, device="cpu")
    there, again = (kanezaki.fit(image, SMALL, device="cuda")[0] for _ in range(2))
    assert there.history == again.history
    for one, other in zip(here.history, there.history, strict=False):
        np.testing.assert_allclose(other[1:], one[1:], rtol=0.05)
