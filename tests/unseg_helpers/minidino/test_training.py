import csv
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from unseg_helpers.minidino import augment, knn, photos, train  # noqa: E402
from unseg_helpers.minidino.loss import dino_loss, patch_loss, update_center, update_teacher  # noqa: E402


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Twelve small photos: halves of two colors."""
    path, rng = tmp_path_factory.mktemp("photos") / "photos.tar", np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for i in range(12):
            image = np.zeros((112, 120 + i, 3), np.uint8)
            image[:, :60], image[:, 60:] = rng.integers(0, 256, (2, 3))
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "JPEG")
            info = tarfile.TarInfo(f"class/{i}.jpg")
            info.size = stream.tell()
            stream.seek(0)
            tar.addfile(info, stream)
    return path


def loss_by_loops(student, teacher, center, student_temp, teacher_temp):
    """Cross-entropies of all pairs of different views, one after the other."""
    terms = []
    for t, target in enumerate(teacher):
        for s, output in enumerate(student):
            if s == t:
                continue
            for i in range(len(target)):
                p = np.exp((target[i] - center) / teacher_temp)
                q = np.exp(output[i] / student_temp)
                terms.append(-np.sum(p / p.sum() * np.log(q / q.sum())))
    return np.mean(terms)


def test_loss_is_the_mean_over_pairs_of_different_views(seed):
    rng = np.random.default_rng(seed)
    student, teacher, center = rng.normal(size=(5, 3, 7)), rng.normal(size=(2, 3, 7)), rng.normal(size=7)
    expected = loss_by_loops(student, teacher, center, 0.1, 0.04)
    found = dino_loss(*(torch.from_numpy(a).float() for a in (student, teacher, center)), teacher_temp=0.04)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_no_gradient_flows_into_the_teacher():
    student, teacher = torch.randn(3, 2, 5, requires_grad=True), torch.randn(2, 2, 5, requires_grad=True)
    dino_loss(student, teacher, torch.zeros(5), teacher_temp=0.04).backward()
    assert student.grad.abs().sum() > 0 and teacher.grad is None


def test_center_and_teacher_move_by_what_is_left_of_the_momentum():
    teacher = torch.arange(12.0).reshape(2, 3, 2)
    assert update_center(torch.tensor([1.0, 1.0]), teacher, 0.9).tolist() == pytest.approx([1.4, 1.5])
    old, new = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    expected = 0.75 * old.weight + 0.25 * new.weight
    update_teacher(old, new, 0.75)
    torch.testing.assert_close(old.weight, expected)


def test_only_patches_that_both_views_show_count():
    student, teacher = torch.randn(1, 2, 2, 5), torch.randn(1, 2, 2, 5)
    inside = torch.tensor([[[True, False], [False, True]]])
    options = {"teacher_temp": 0.04}
    expected = [  # a photo with one patch in two views: the loss of a photo
        dino_loss(
            torch.stack([teacher[0, i, i], student[0, i, i]])[:, None], teacher[0, i, i][None, None], zeros, **options
        )
        for zeros in [torch.zeros(5)]
        for i in range(2)
    ]
    found = patch_loss(student, teacher, inside, torch.zeros(5), **options)
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-5)
    assert patch_loss(student, teacher, torch.zeros_like(inside), torch.zeros(5), **options).item() == 0


def views(images, **options):
    sizes = torch.tensor([image.shape[1:] for image in images])
    generator = torch.Generator().manual_seed(3)
    return augment.crops(images, sizes, 16, (0.2, 1.0), generator=generator, **options)[0]


def test_the_same_place_looks_the_same_in_both_views(seed):
    """A photo whose colors are its coordinates: patches of the same place have nearly the same mean color."""
    at = torch.arange(80, dtype=torch.uint8)
    photo = torch.stack(
        [at[:, None].expand(80, 80), at[None, :].expand(80, 80), torch.zeros(80, 80, dtype=torch.uint8)]
    )
    photo, sizes = photo[None].repeat(8, 1, 1, 1), torch.tensor([[80, 80]] * 8)
    generator = torch.Generator().manual_seed(seed)

    def look(_view, _draw):
        return _view

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augment, "_recolor", look)
        options = {"blur": 0.0, "generator": generator}
        first, here = augment.crops(photo, sizes, 48, (0.3, 1.0), **options)
        second, there = augment.crops(photo, sizes, 24, (0.2, 0.6), **options)
    first, second = (torch.nn.functional.avg_pool2d(view, 8) * 255 for view in (first, second))  # (8, 3, patches)
    index, inside = augment.same_place(here, 6, 6, there, (3, 3))
    matched = second.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, 3, -1)).view(8, 3, 6, 6)
    patch_size = 80 * there[:, [1, 0], [1, 0]].abs() / 3  # pixels of the photo, down and across
    off = (matched - first)[:, :2].abs() / patch_size[:, :, None, None]
    assert inside.any()
    assert off.amax(dim=1)[inside].max() < 0.7  # at most half a patch, and what is interpolated at the border


def test_crops_are_repeatable_and_stay_in_range():
    images = torch.randint(0, 256, (6, 3, 40, 50), dtype=torch.uint8)
    first = views(images, solarize=0.5)
    assert first.shape == (6, 3, 16, 16) and 0 <= first.min() and first.max() <= 1
    torch.testing.assert_close(first, views(images, solarize=0.5))


def test_crops_keep_to_the_valid_part():
    image = torch.zeros(40, 3, 60, 60, dtype=torch.uint8)
    image[:, :, :20, :30] = 255  # white where it is valid
    sizes = torch.tensor([[20, 30]] * 40)
    generator = torch.Generator().manual_seed(0)
    found, _ = augment.crops(image, sizes, 8, (0.1, 0.5), blur=0.0, generator=generator)
    assert (found.std(dim=(2, 3)) < 0.2).all()  # no crop shows the black beyond, but for a row at the border
    assert found[:, :, 2:6, 2:6].min() > 0.5


def test_turning_the_hue_keeps_grays():
    turn = augment._turn_hue(torch.tensor([0.3, -2.0]))
    torch.testing.assert_close(turn @ torch.ones(3), torch.ones(2, 3))
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(2))


def test_gray_photos_stay_gray():
    image = torch.randint(0, 256, (8, 1, 40, 40), dtype=torch.uint8).expand(-1, 3, -1, -1)
    found = views(image.contiguous())
    torch.testing.assert_close(found, found.mean(dim=1, keepdim=True).expand_as(found), atol=1e-5, rtol=0)


def test_neighbors_vote():
    points, labels = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]), torch.tensor([0, 0, 1, 1])
    test = torch.tensor([[2.0, 0.3], [0.3, 2.0], [1.0, 0.2]])
    assert knn.knn_accuracy(points, labels, test, torch.tensor([0, 1, 1]), k=2) == pytest.approx(2 / 3)


def test_reads_photos_and_their_sizes(archive):
    images, sizes = photos.read_tar(archive)
    assert images.shape == (12, 3, 168, 168) and images.dtype == np.uint8
    assert sizes[5].tolist() == [112, 125]
    assert not images[5][:, :, 125:].any()
    empty = archive.with_name("empty.tar")
    tarfile.open(empty, "w").close()
    with pytest.raises(ValueError, match="holds no .jpg file"):
        photos.read_tar(empty)


def test_schedules_rise_fall_and_change_the_crops():
    recipe = train.Recipe()
    at = [train.Settings.at(share, recipe) for share in np.linspace(0, 1, 101)]
    rates = [a.lr for a in at]
    assert rates.index(max(rates)) == 5 and rates[-1] == pytest.approx(recipe.final_lr)
    assert [a.momentum for a in at] == sorted(a.momentum for a in at) and at[-1].momentum == 1
    assert at[0].frozen and not at[50].frozen
    assert [at[i].sides for i in (0, 70, 95, 100)] == [[48, 24], [64, 32], [96, 48], [96, 48]]


def test_a_run_stops_goes_on_and_ships_its_weights(archive, tmp_path):
    said = []
    options = {"recipe": train.Recipe(batch=4, n_local=2), "every": 0.0, "device": "cpu", "say": said.append}
    first = train.train(archive, tmp_path, minutes=0.005, **options)
    assert first.steps >= 1
    second = train.train(archive, tmp_path, minutes=0.01 + first.seconds / 60, **options)
    assert second.steps > first.steps and "go on after" in said[-second.steps + first.steps - 2]
    rows = list(csv.DictReader(open(tmp_path / "log.csv")))
    assert [int(row["steps"]) for row in rows] == list(range(1, second.steps + 1))
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    third = train.Trainer(train.Recipe(), "cpu", seed=1)
    train.load_weights(third.student.backbone, tmp_path / "weights.safetensors")
    for mine, other in zip(third.student.backbone.parameters(), second.teacher.backbone.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-3, rtol=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run(archive):
    trainer = train.Trainer(train.Recipe(batch=2, n_local=1), "cpu", seed=0)
    with torch.no_grad():
        trainer.student.head.directions[0, 0] = torch.nan
    images, sizes = (torch.from_numpy(a) for a in photos.read_tar(archive, limit=2))
    with pytest.raises(FloatingPointError, match="the loss is nan at step 0"):
        trainer.step(images, sizes, 0.5)
