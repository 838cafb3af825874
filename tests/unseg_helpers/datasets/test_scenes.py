"""Procedural scenes: exact labels that agree with one another, and the same picture from the same seed."""

import numpy as np
import pytest

from unseg_helpers import datasets
from unseg_helpers.datasets.scenes import BACKGROUNDS, CLASS_NAMES, scene, scenes, video


def covers(labels):
    """Largest label, after checking that all of 0..largest occur."""
    values = np.unique(labels)
    assert (values == np.arange(len(values)) + values[0]).all() and values[0] in (0, 1)
    return values[-1]


def assert_levels_agree(classes, instances, parts, foreground):
    """A part lies in one object, an object has one class, and the foreground is where there is an object."""
    np.testing.assert_array_equal(foreground, instances > 0)
    np.testing.assert_array_equal(foreground, parts > 0)
    np.testing.assert_array_equal(foreground, classes > 0)
    for fine, coarse in ((parts, instances), (instances, classes)):
        pairs = np.unique(np.stack([fine.ravel(), coarse.ravel()]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]  # one coarse value for each fine one


def test_shapes_and_types(seed):
    s = scene(seed, size=(40, 56))
    assert s.image.shape == (40, 56, 3) and s.image.dtype == np.uint8
    for labels, dtype in (
        (s.classes, np.uint8),
        (s.instances, np.int32),
        (s.parts, np.int32),
        (s.foreground, np.bool_),
    ):
        assert labels.shape == (40, 56) and labels.dtype == dtype
    assert s.class_names == CLASS_NAMES and s.class_names[0] == "background"


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_levels_agree_on_every_background(background, seed):
    s = scene(seed, size=(96, 128), background=background)
    assert_levels_agree(s.classes, s.instances, s.parts, s.foreground)
    assert covers(s.instances) <= covers(s.parts)
    assert len(s.part_names) == s.parts.max() + 1


def test_part_names_begin_with_the_class_of_their_object(seed):
    s = scene(seed, size=(96, 96))
    for number, name in enumerate(s.part_names):
        kinds = np.unique(s.classes[s.parts == number])
        assert len(kinds) == 1 and name.split()[0] == CLASS_NAMES[kinds[0]]


def test_same_seed_same_scene_and_another_seed_another(seed):
    first, again, other = scene(seed), scene(seed), scene(seed + 1000)
    for name in ("image", "classes", "instances", "parts", "foreground"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.image != other.image).mean() > 0.5


def test_global_random_state_is_neither_read_nor_changed():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one = scene(7, size=(32, 32)).image
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(scene(7, size=(32, 32)).image, one)


@pytest.mark.parametrize("factor", [2, 3])
def test_same_composition_at_another_size(factor, seed):
    # Pixel (r, c) of the small image has its center at that of the middle pixel (factor odd) or at a corner between
    # four pixels of the large one: labels can differ only along outlines.
    small, large = scene(seed, size=(128, 160)), scene(seed, size=(128 * factor, 160 * factor))
    sampled = large.classes[factor // 2 :: factor, factor // 2 :: factor]
    agree = (sampled == small.classes).mean()
    assert agree == 1 if factor == 3 else agree > 0.95
    mean_small = small.image.reshape(8, 16, 8, 20, 3).mean(axis=(1, 3))
    mean_large = large.image.reshape(8, 16 * factor, 8, 20 * factor, 3).mean(axis=(1, 3))
    # Textures finer than a pixel fade out, so means over 16 x 20 pixels agree to a few of 255 levels.
    assert np.abs(mean_small - mean_large).mean() < 3


@pytest.mark.parametrize("size", [(16, 24), (8, 8), (8, 200), (300, 20), (31, 517)])
def test_any_size(size, seed):
    s = scene(seed, size=size)
    assert s.image.shape == (*size, 3)
    assert_levels_agree(s.classes, s.instances, s.parts, s.foreground)


@pytest.mark.parametrize("n", [0, 1, 12, 40])
def test_number_of_objects(n, seed):
    s = scene(seed, size=(256, 256), n_objects=n)
    # At most a third of an object's box may be hidden by any one other: nearly all remain visible.
    assert 0.9 * n <= s.instances.max() <= n
    assert len(np.unique(s.instances[s.foreground])) == s.instances.max()


def test_default_scenes_have_several_objects_that_do_not_fill_the_image():
    many = scenes(40, seed=11, size=(96, 96))
    counts = [s.instances.max() for s in many]
    shares = [s.foreground.mean() for s in many]
    assert min(counts) >= 2 and max(counts) <= 7
    assert 0.1 < np.mean(shares) < 0.5 and max(shares) < 0.8


def test_every_class_occurs_and_objects_share_classes():
    many = scenes(60, seed=3, size=(64, 64))
    seen = set().union(*(np.unique(s.classes).tolist() for s in many))
    assert seen == set(range(len(CLASS_NAMES)))
    shared = [len(np.unique(s.classes)) - 1 < s.instances.max() for s in many]
    assert np.mean(shared) > 0.5


def test_series_does_not_depend_on_its_length():
    for a, b in zip(scenes(2, seed=9, size=(32, 32)), scenes(4, seed=9, size=(32, 32)), strict=False):
        np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(scenes(3, seed=9, size=(32, 32))[2].image, scene((9, 2), size=(32, 32)).image)
    assert scenes(0) == []


def test_color_alone_does_not_find_the_objects():
    # Nearest true mean color, told which color each object has: the best that any grouping by color alone could hope
    # for. It gets many pixels wrong, on scenes and on camouflaged ones still more.
    def error(camouflage):
        wrong = []
        for s in scenes(12, seed=1, size=(64, 64), camouflage=camouflage):
            means = np.stack([s.image[s.instances == i].mean(axis=0) for i in range(s.instances.max() + 1)])
            nearest = ((s.image[:, :, None, :].astype(float) - means) ** 2).sum(axis=3).argmin(axis=2)
            wrong.append((nearest != s.instances)[s.foreground].mean())
        return np.mean(wrong)

    plain, hidden = error(0.0), error(1.0)
    assert plain > 0.3
    assert hidden > plain


def test_camouflaged_objects_are_close_to_the_background_in_mean_color():
    def distance(camouflage):
        found = []
        for s in scenes(25, seed=2, size=(64, 64), n_objects=1, camouflage=camouflage, background="studio"):
            found.append(np.linalg.norm(s.image[s.foreground].mean(axis=0) - s.image[~s.foreground].mean(axis=0)))
        return np.median(found)

    assert distance(1.0) < 0.7 * distance(0.0)


def test_noise_is_only_on_the_image(seed):
    clean, noisy = (scene(seed, size=(64, 64), noise=level) for level in (0.0, 0.05))
    np.testing.assert_array_equal(clean.parts, noisy.parts)
    difference = noisy.image.astype(float) - clean.image
    assert 0.02 * 255 < difference.std() < 0.08 * 255


def test_video_keeps_numbers_and_starts_as_the_scene(seed):
    v, s = video(seed, n_frames=6, size=(64, 80)), scene(seed, size=(64, 80))
    assert len(v) == 6 and v.frames.shape == (6, 64, 80, 3) and v.frames.dtype == np.uint8
    np.testing.assert_array_equal(v.frames[0], s.image)
    np.testing.assert_array_equal(v.classes[0], s.classes)
    assert_levels_agree(v.classes, v.instances, v.parts, v.foreground)  # over all frames: numbers are constant


def test_video_objects_and_camera_move(seed):
    v = video(seed, n_frames=8, size=(64, 64), noise=0.0)
    assert (v.instances[0] != v.instances[-1]).mean() > 0.01
    both = ~v.foreground[0] & ~v.foreground[-1]
    assert (v.frames[0] != v.frames[-1])[both].any()
    # Slowly enough to follow: most pixels keep their object from frame to frame.
    assert (v.instances[1:] == v.instances[:-1]).mean() > 0.85


def test_video_frames_do_not_depend_on_their_number():
    np.testing.assert_array_equal(
        video(5, n_frames=2, size=(32, 32)).frames, video(5, n_frames=4, size=(32, 32)).frames[:2]
    )


def test_objects_come_back_in_a_long_video():
    v = video(8, n_frames=90, size=(32, 32), n_objects=3)
    assert v.foreground.any(axis=(1, 2)).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(size=(4, 64)), r"size must be \(height, width\), each at least 8, got \(4, 64\)"),
        (dict(size=(64, 64, 3)), "size must be"),
        (dict(n_objects=-1), "n_objects must be between 0 and 40 or None, got -1"),
        (dict(background="moon"), "background must be one of meadow, shore, .*, got 'moon'"),
        (dict(camouflage=2), "camouflage is a probability"),
        (dict(noise=10), "a fraction of the full range, not of 255"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(ValueError, match=message):
        scene(**options)
    with pytest.raises(ValueError, match=message):
        video(**options)


def test_counts_below_their_least_value():
    with pytest.raises(ValueError, match="n_frames must be at least 1, got 0"):
        video(n_frames=0)
    with pytest.raises(ValueError, match="n must be 0 or more, got -1"):
        scenes(-1)


def test_package_gives_the_functions_not_the_modules():
    for name in ("scene", "scenes", "video", "photos", "photo", "bsds500", "davis16"):
        assert callable(getattr(datasets, name)), name
    assert set(datasets.__all__) == set(dir(datasets))
    with pytest.raises(AttributeError, match="no attribute 'bsds501'"):
        _ = datasets.bsds501
