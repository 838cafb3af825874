"""Procedural scenes with exact ground truth at four levels: class, object, part and foreground.

A scene is made in two steps. First it is composed: which background, which objects, where, in which colors and
textures, lit from where. This step knows no pixels, so a seed gives the same composition at any size. Then it is
rendered back to front: each part of each object is a signed distance, negative inside, that gives the soft edge of
the color and the hard edge of the labels.

Notation: h, w size in pixels; lengths are in units of the shorter side of the image, so that the image is W x H units
with min(W, H) = 1; px is the number of pixels of one unit; an object is described in its own frame, x to the right,
y down, both about from -1 to 1; sd is a signed distance. Coordinates are open grids, x of shape (1, w) and y of
shape (h, 1), wherever possible: most of the drawing is then products of rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]  # broadcasts to (h, w)
Color = NDArray[np.float32]  # (3,), RGB, 0..1

CLASS_NAMES = ("background", "ball", "balloon", "bird", "car", "cat", "flower", "house", "mushroom", "tree")


# --------------------------------------------------------------------------------------------------------------------
# What comes out


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and its exact labels.

    The four levels agree: a part lies in one object, an object has one class, and the foreground is where there is
    an object.

    Attributes
    ----------
    image : uint8 array of shape (h, w, 3)
        RGB.
    classes : uint8 array of shape (h, w)
        Index into `class_names`, 0 = background.
    instances : int32 array of shape (h, w)
        0 = background, 1..n = objects from back to front.
    parts : int32 array of shape (h, w)
        0 = background, 1..m = a number of its own for each part of each object.
    foreground : bool array of shape (h, w)
        True on objects.
    class_names : tuple of str
        Name of each value of `classes`; the same for every scene.
    part_names : tuple of str
        Name of each value of `parts`, such as "car wheels".
    """

    image: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    instances: NDArray[np.int32]
    parts: NDArray[np.int32]
    foreground: NDArray[np.bool_]
    class_names: tuple[str, ...] = CLASS_NAMES
    part_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        h, w = self.foreground.shape
        return f"Scene({h}x{w}, {self.instances.max()} objects, {self.parts.max()} parts)"


@dataclass(frozen=True, eq=False)
class Video:
    """Frames and their exact labels; an object and a part keep their numbers in all frames.

    Attributes
    ----------
    frames : uint8 array of shape (t, h, w, 3)
        RGB.
    classes, instances, parts, foreground : arrays of shape (t, h, w)
        As in `Scene`. A number is missing in the frames in which nothing of its object can be seen.
    class_names, part_names : tuples of str
        As in `Scene`.
    """

    frames: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    instances: NDArray[np.int32]
    parts: NDArray[np.int32]
    foreground: NDArray[np.bool_]
    class_names: tuple[str, ...] = CLASS_NAMES
    part_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        t, h, w = self.foreground.shape
        return f"Video({t} frames of {h}x{w}, {self.instances.max()} objects)"


def scene(
    seed: int | Sequence[int] = 0,
    *,
    size: tuple[int, int] = (256, 256),
    n_objects: int | None = None,
    background: str | None = None,
    camouflage: float = 0.25,
    noise: float = 0.02,
) -> Scene:
    """Draw one procedural scene.

    Textured and shaded objects of several parts stand, fly or lie in front of a structured background. Light falls
    from one side, objects cast shadows and hide one another, and the sensor adds noise.

    Parameters
    ----------
    seed : int or sequence of ints
        The same seed gives the same scene, and the same composition at any other size.
    size : (int, int)
        Height and width in pixels, each at least 8.
    n_objects : int or None
        Number of objects, 0 to 40. None draws 3 to 7.
    background : str or None
        "meadow", "shore", "street", "planks", "grass", "tiles" or "studio". None draws one.
    camouflage : float
        Probability, for each object, that its main color is on average the color of the background behind it, so
        that only texture, shading and shape tell it apart.
    noise : float
        Standard deviation of the sensor noise at medium brightness; 1 is the full range.

    Returns
    -------
    Scene
        An object or a part that no pixel shows, because it is hidden or the image is tiny, gets no number.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> s = scene(3, size=(48, 64))
    >>> s.image.shape, s.classes.shape
    ((48, 64, 3), (48, 64))
    >>> bool((s.foreground == (s.instances > 0)).all())
    True
    """
    _check(size, n_objects, background, camouflage, noise)
    plan = _compose(seed, n_objects, background, camouflage)
    image, parts = _render(plan, size, frame=0, noise=noise)
    seen = np.flatnonzero(np.bincount(parts.ravel(), minlength=2)[1:]) + 1
    # Hidden parts and objects leave gaps in the numbers of the plan: close them.
    part_number, instance_number = np.zeros(len(plan.owner), np.int32), np.zeros(len(plan.things) + 1, np.int32)
    part_number[seen] = np.arange(1, len(seen) + 1)
    seen_things = np.unique(plan.owner[seen])
    instance_number[seen_things] = np.arange(1, len(seen_things) + 1)
    return Scene(
        image=image,
        classes=plan.kind[plan.owner[parts]],
        instances=instance_number[plan.owner[parts]],
        parts=part_number[parts],
        foreground=parts > 0,
        part_names=("background", *(plan.part_names[number] for number in seen)),
    )


def scenes(n: int, *, seed: int = 0, **options) -> list[Scene]:
    """Draw n scenes; scene i is ``scene((seed, i), **options)`` and so does not depend on n.

    Parameters
    ----------
    n : int
        How many, 0 or more.
    seed : int
        Seed of the whole series.
    **options
        Passed on to `scene`: size, n_objects, background, camouflage, noise.

    Returns
    -------
    list of Scene

    Examples
    --------
    >>> a, b = scenes(2, seed=5, size=(32, 32)), scenes(1, seed=5, size=(32, 32))
    >>> bool((a[0].image == b[0].image).all())
    True
    """
    if n < 0:
        raise ValueError(f"n must be 0 or more, got {n}")
    return [scene((seed, i), **options) for i in range(n)]


def video(
    seed: int | Sequence[int] = 0,
    *,
    n_frames: int = 16,
    size: tuple[int, int] = (256, 256),
    n_objects: int | None = None,
    background: str | None = None,
    camouflage: float = 0.25,
    noise: float = 0.02,
) -> Video:
    """Draw a short video: objects move and turn back at the edges, and the camera sways.

    Frame 0 is the image of ``scene(seed)`` with the same options, and frame t does not depend on `n_frames`. Houses,
    trees, flowers and mushrooms stand still unless there is nothing else to move.

    Parameters
    ----------
    seed, size, n_objects, background, camouflage, noise
        As in `scene`.
    n_frames : int
        How many frames, at least 1.

    Returns
    -------
    Video

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> video(1, n_frames=3, size=(32, 48)).frames.shape
    (3, 32, 48, 3)
    """
    _check(size, n_objects, background, camouflage, noise)
    if n_frames < 1:
        raise ValueError(f"n_frames must be at least 1, got {n_frames}")
    plan = _compose(seed, n_objects, background, camouflage)
    frames = np.empty((n_frames, *size, 3), np.uint8)
    parts = np.empty((n_frames, *size), np.int32)
    for t in range(n_frames):
        frames[t], parts[t] = _render(plan, size, frame=t, noise=noise)
    instances = plan.owner[parts]
    return Video(frames, plan.kind[instances], instances, parts, parts > 0, part_names=plan.part_names)


def _check(size, n_objects, background, camouflage, noise) -> None:
    if len(size) != 2 or min(size) < 8:
        raise ValueError(f"size must be (height, width), each at least 8, got {size}")
    if n_objects is not None and not 0 <= n_objects <= 40:
        raise ValueError(f"n_objects must be between 0 and 40 or None, got {n_objects}")
    if background is not None and background not in BACKGROUNDS:
        raise ValueError(f"background must be one of {', '.join(BACKGROUNDS)}, got {background!r}")
    if not 0 <= camouflage <= 1:
        raise ValueError(f"camouflage is a probability, between 0 and 1, got {camouflage}")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must be between 0 and 1, got {noise}; it is a fraction of the full range, not of 255")


# --------------------------------------------------------------------------------------------------------------------
# Composition: everything that is random except the sensor noise


class _Thing(NamedTuple):
    """One object in the scene."""

    kind: int  # index into CLASS_NAMES
    parts: list[_Part]  # back to front
    at: tuple[float, float]  # (x, y) of its frame's origin along the ground or sky, fractions of the image's sides
    lift: float  # from there up to the origin of its frame, in units
    size: float  # units of length of its own frame's 1
    flip: int  # 1, or -1: mirrored
    tilt: float  # radians
    speed: tuple[float, float]  # fractions of the image's sides for each frame
    shadow: str  # "ground", "behind" or "none"

    def part_names(self) -> list[str]:
        """Each name once: a wheel and its hub are one part, drawn in two steps."""
        return list(dict.fromkeys(part.name for part in self.parts))


@dataclass(frozen=True, eq=False)
class _Plan:
    """A composed scene, ready to be rendered at any size."""

    background: _Background
    things: list[_Thing]  # back to front
    light: _Light
    bank: _NoiseBank
    sway: tuple[float, float, float, float]  # amplitudes in x and y, period in frames, phase
    seeds: np.random.SeedSequence  # of the sensor noise
    owner: NDArray[np.int32]  # part number -> object number
    kind: NDArray[np.uint8]  # object number -> class
    part_names: tuple[str, ...]  # part number -> name


def _compose(seed, n_objects, background, camouflage) -> _Plan:
    sequence = np.random.SeedSequence(seed)
    plan_seed, noise_seed = sequence.spawn(2)
    rng = np.random.default_rng(plan_seed)
    name = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    count = int(rng.integers(3, 8))
    count = count if n_objects is None else n_objects
    back = _PAINTERS[background or name](rng)

    # Few classes in a scene, so that several objects share one: classes and objects are different truths.
    pool = rng.choice(np.arange(1, len(CLASS_NAMES)), size=int(rng.integers(2, 5)), replace=False)
    crowd = min(1.0, (5 / max(count, 1)) ** 0.5)
    things, boxes = [], []
    for _ in range(count):
        kind = int(rng.choice(pool))
        if back.horizon and CLASS_NAMES[kind] in ("bird", "balloon") and rng.random() < 0.3:
            kind = int(rng.choice([1, 4, 5]))  # not only flyers: something stands on the ground as well
        thing, box = _place(rng, kind, back, crowd, boxes, camouflage)
        things.append(thing)
        boxes.append(box)
    # Far things first: on the ground the one whose foot is lower in the image is nearer.
    things.sort(key=lambda thing: (thing.shadow != "none", thing.at[1] if back.horizon else 0.0))
    if not any(thing.speed != (0.0, 0.0) for thing in things):
        things = [thing._replace(speed=(float(rng.uniform(-0.015, 0.015)), 0.0)) for thing in things]

    owner, kinds, names = [0], [0], ["background"]
    for number, thing in enumerate(things, 1):
        kinds.append(thing.kind)
        for part in thing.part_names():
            owner.append(number)
            names.append(f"{CLASS_NAMES[thing.kind]} {part}")
    sway = (
        float(rng.uniform(0.03, 0.09) * rng.choice([-1, 1])),
        float(rng.uniform(0.0, 0.03)),
        float(rng.uniform(24, 48)),
        float(rng.uniform(-0.6, 0.6)),
    )
    return _Plan(
        background=back,
        things=things,
        light=_light(rng),
        bank=_NoiseBank(rng),
        sway=sway,
        seeds=noise_seed,
        owner=np.array(owner, np.int32),
        kind=np.array(kinds, np.uint8),
        part_names=tuple(names),
    )


def _place(rng, kind, back, crowd, boxes, camouflage):
    """Find room for one object and build it: its place may hide others, and be hidden, in part."""
    name = CLASS_NAMES[kind]
    flies = bool(back.horizon) and name in ("bird", "balloon")
    base = _SIZES[name] * rng.uniform(0.15, 0.23) * crowd
    for attempt in range(60):
        base *= 0.97 if attempt > 20 else 1.0  # no room: smaller
        size = base
        if flies:
            x, y = rng.uniform(0.1, 0.9), rng.uniform(0.12, max(back.horizon - 0.08, 0.16))
        elif back.horizon:
            x, y = rng.uniform(0.08, 0.92), back.horizon + (1 - back.horizon) * rng.uniform(0.12, 0.95)
            size = base * (0.7 + 0.65 * (y - back.horizon) / (1 - back.horizon))
        else:
            x, y = rng.uniform(0.12, 0.88, size=2)
        if boxes and rng.random() < 0.5:  # near another one, so that objects overlap
            x0, _, x1, _ = boxes[rng.integers(len(boxes))]
            x = float(np.clip(rng.normal((x0 + x1) / 2, 0.9 * (x1 - x0)), 0.08, 0.92))
        middle = y - size if back.horizon and not flies else y
        box = (x - size, middle - size, x + size, middle + size)
        if all(_overlap(box, other) < 0.35 for other in boxes):
            break

    texture = _texture(rng)
    hue_ranges = _HUES[name]
    low, high = hue_ranges[rng.integers(len(hue_ranges))]
    main = _hsv(rng.uniform(low, high), rng.uniform(0.35, 0.8), rng.uniform(0.45, 0.9))
    accent = _mix(main, _hsv(rng.random(), 0.5, rng.uniform(0.2, 0.95)), rng.uniform(0.3, 0.8))
    if rng.random() < camouflage:
        around = back.color_at(x, middle)
        step = np.float32(rng.uniform(0.06, 0.13)) * np.array([1.0, 1.0, 0.8], np.float32)
        main, accent = np.clip(around - step, 0, 1), np.clip(around + step, 0, 1)
        texture = _texture(rng, plain=False)
    parts = _BUILDERS[name](rng, _Coat(main, accent, texture))
    foot = max(part.shape.box[3] for part in parts)
    stands = bool(back.horizon) and not flies
    moves = name not in ("house", "tree", "flower", "mushroom")
    speed = (0.0, 0.0)
    if moves:
        vertical = 0.0 if stands else float(rng.uniform(-0.008, 0.008))
        speed = (float(rng.uniform(0.006, 0.018) * rng.choice([-1, 1])), vertical)
    flip = 1 if (speed[0] > 0 or not moves) else -1  # cats, cars and birds look where they go
    tilt = float(rng.normal(0, 0.04 if back.horizon else 0.16))
    shadow = "none" if flies else ("ground" if stands else "behind")
    lift = size * foot if stands else 0.0
    return _Thing(kind, parts, (float(x), float(y)), float(lift), float(size), flip, tilt, speed, shadow), box


def _overlap(a, b) -> float:
    """Area that two boxes share, as a fraction of the smaller one."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return max(width, 0.0) * max(height, 0.0) / smaller


# --------------------------------------------------------------------------------------------------------------------
# Rendering


def _render(plan: _Plan, size: tuple[int, int], *, frame: int, noise: float):
    """Draw one frame: image (h, w, 3) uint8 and part numbers (h, w) int32."""
    h, w = size
    px = min(h, w)
    x = ((np.arange(w, dtype=np.float32) + 0.5) / px)[None, :]
    y = ((np.arange(h, dtype=np.float32) + 0.5) / px)[:, None]
    across, down, period, phase = plan.sway
    swing = np.sin(2 * np.pi * frame / period + phase) - np.sin(phase)
    x, y = x + np.float32(across * swing), y + np.float32(down * swing)  # the camera looks at this piece of the world
    world = _Canvas(x, y, w / px, h / px, px, plan.bank)

    image = np.empty((3, h, w), np.float32)  # planes: faster than (h, w, 3) to multiply with (h, w)
    plan.background.paint(image, world)
    labels = np.zeros((h, w), np.int32)
    first = 1
    for thing in plan.things:
        _draw(image, labels, thing, first, frame, world, plan.light)
        first += len(thing.part_names())
    _illuminate(image, plan.light, world, w, h)

    image *= 255
    if noise:
        key = (*plan.seeds.spawn_key, frame)
        rng = np.random.default_rng(np.random.SeedSequence(plan.seeds.entropy, spawn_key=key))
        grain = rng.standard_normal(image.shape, dtype=np.float32)
        grain *= np.float32(255 * noise) * np.sqrt(
            0.3 + np.clip(image[1], 0, 255) * np.float32(1.4 / 255)
        )  # shot noise
        image += grain
    image += 0.5
    np.clip(image, 0, 255, out=image)
    pixels = np.empty((h, w, 3), np.uint8)
    for channel in range(3):
        pixels[..., channel] = image[channel]
    return pixels, labels


class _Canvas(NamedTuple):
    """Where the pixels are in the world, and how many of them a unit has."""

    x: Plane  # (1, w)
    y: Plane  # (h, 1)
    width: float
    height: float
    px: float
    noise: _NoiseBank

    def crop(self, rows: slice, cols: slice) -> _Canvas:
        return self._replace(x=self.x[:, cols], y=self.y[rows])


def _draw(image, labels, thing: _Thing, first: int, frame: int, world: _Canvas, light: _Light) -> None:
    """Put one object, with its shadow, over what is already there."""
    cx, cy = (_bounce(at, speed, frame) for at, speed in zip(thing.at, thing.speed, strict=True))
    cx, cy = cx * world.width, cy * world.height - thing.lift
    s, px = thing.size, thing.size * world.px
    cos, sin = np.float32(np.cos(thing.tilt)), np.float32(np.sin(thing.tilt))
    x, y = (world.x - cx) * (thing.flip / s), (world.y - cy) / s  # in the frame of the object, but for its tilt
    if thing.shadow != "none":
        _cast(image, thing, x, y, light)
    direction = (light.x * thing.flip, light.y)
    number = {name: first + i for i, name in enumerate(thing.part_names())}
    for part in thing.parts:
        x0, y0, x1, y1 = part.shape.box
        mx, my = (x0 + x1) / 2, (y0 + y1) / 2
        rx = (x1 - x0) / 2 * abs(cos) + (y1 - y0) / 2 * abs(sin)
        ry = (x1 - x0) / 2 * abs(sin) + (y1 - y0) / 2 * abs(cos)
        tx, ty = mx * cos - my * sin, mx * sin + my * cos
        rows, cols = _inside(y[:, 0], ty, ry + 1 / px), _inside(x[0], tx, rx + 1 / px)
        if rows is None or cols is None:
            continue
        u, v = x[:, cols], y[rows]
        sd = part.shape.sd(u * cos + v * sin, v * cos - u * sin)
        alpha = np.clip(0.5 - sd * np.float32(px), 0, 1)

        color = part.coat.color(u, v, px, world.noise)  # (3, m, n)
        radius = max(min(x1 - x0, y1 - y0) / 2, 1e-3)
        lit = (u - tx) * np.float32(direction[0] / max(rx, 1e-3)) + (v - ty) * np.float32(direction[1] / max(ry, 1e-3))
        rim = 1 - np.clip(sd * np.float32(-2.5 / radius), 0, 1)
        shade = 1 + np.float32(part.round) * (np.float32(0.42) * lit - np.float32(0.3) * rim * rim)
        color *= shade
        below = image[:, rows, cols]
        color -= below
        color *= alpha
        below += color
        labels[rows, cols][sd < 0] = number[part.name]


def _inside(coordinates: NDArray, middle: float, radius: float) -> slice | None:
    """Which of the (sorted, evenly spaced) coordinates are within radius of the middle."""
    hit = np.flatnonzero(np.abs(coordinates - np.float32(middle)) <= radius)
    return slice(hit[0], hit[-1] + 1) if len(hit) else None


def _cast(image, thing: _Thing, x: Plane, y: Plane, light: _Light) -> None:
    """Darken what lies in the shadow of an object, on the ground at its foot or on the surface behind it."""
    foot = max(part.shape.box[3] for part in thing.parts)
    left = min(part.shape.box[0] for part in thing.parts)
    right = max(part.shape.box[2] for part in thing.parts)
    lx = light.x * thing.flip
    if thing.shadow == "ground":  # a flat ellipse away from the light
        cx, rx, ry = (left + right) / 2 - 0.45 * lx, 0.75 * (right - left), 0.2
        rows, cols = _inside(y[:, 0], foot, ry), _inside(x[0], cx, rx)
        if rows is None or cols is None:
            return
        dark = np.clip(1 - ((x[:, cols] - cx) / rx) ** 2 - ((y[rows] - foot) / ry) ** 2, 0, 1)
    else:  # the outline itself, coarse and soft, shifted away from the light
        n = 24
        grid = np.linspace(-1.6, 1.6, n, dtype=np.float32)
        sd = np.minimum.reduce(
            [np.broadcast_to(part.shape.sd(grid[None, :], grid[:, None]), (n, n)) for part in thing.parts]
        )
        outline = np.clip(0.6 - sd / 0.25, 0, 1)
        shift_x, shift_y = -0.22 * lx, -0.22 * light.y
        rows, cols = _inside(y[:, 0], shift_y, 1.55), _inside(x[0], shift_x, 1.55)
        if rows is None or cols is None:
            return
        step = grid[1] - grid[0]
        dark = _splines((y[rows, 0] - shift_y + 1.6) / step, n) @ outline
        dark = dark @ _splines((x[0, cols] - shift_x + 1.6) / step, n).T
    image[:, rows, cols] *= 1 - np.float32(light.shadow) * dark


def _bounce(start: float, speed: float, frame: int) -> float:
    """Position after some frames of even motion that turns back near the edges of the image."""
    low, high = min(0.08, start), max(0.92, start)
    way = (start + speed * frame - low) % (2 * (high - low))
    return low + min(way, 2 * (high - low) - way)


class _Light(NamedTuple):
    """Where light comes from, and what it does to the whole image."""

    x: float  # unit vector towards the light, y up is negative
    y: float
    fall: float  # how much brighter the lit side of the image is
    vignette: float
    shadow: float  # darkness of cast shadows
    edge: tuple[float, float, float, float] | None  # a large shadow: normal x, y, offset, softness
    warm: float


def _light(rng) -> _Light:
    angle = np.deg2rad(rng.uniform(-155, -25))
    edge = None
    if rng.random() < 0.35:  # a house outside the image stands in the light
        turn = rng.uniform(0, 2 * np.pi)
        edge = (np.cos(turn), np.sin(turn), rng.uniform(-0.25, 0.25), rng.uniform(0.01, 0.12))
    fall, vignette, shadow = rng.uniform(0.1, 0.7), rng.uniform(0.0, 0.45), rng.uniform(0.3, 0.6)
    return _Light(np.cos(angle), np.sin(angle), fall, vignette, shadow, edge, rng.uniform(-0.12, 0.12))


def _illuminate(image, light: _Light, world: _Canvas, w: int, h: int) -> None:
    """Multiply the image by the uneven illumination: a gradient, a vignette, perhaps one large shadow."""
    x, y = world.x / world.width - 0.5, world.y / world.height - 0.5
    bright = (
        np.float32(1.08 + light.vignette / 5)
        + np.float32(light.fall * light.x) * x
        + np.float32(light.fall * light.y) * y
    )
    u = np.linspace(-1, 1, w, dtype=np.float32)[None, :]
    v = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    bright *= 1 - np.float32(light.vignette / 2) * (u * u + v * v)
    if light.edge:
        nx, ny, offset, softness = (np.float32(value) for value in light.edge)
        ramp = np.clip((nx * x + ny * y - offset) / max(softness, 1 / world.px), 0, 1)
        bright *= 1 - np.float32(0.45) * ramp
    image *= bright
    image[0] *= 1 + light.warm
    image[2] *= 1 - light.warm


# --------------------------------------------------------------------------------------------------------------------
# Noise, colors and textures


class _NoiseBank:
    """Smooth random functions: cubic B-splines over one lattice of random numbers that repeats.

    On an open grid the function is (rows of weights) @ lattice @ (columns of weights): two small matrix products,
    at any resolution.
    """

    cells = 64

    def __init__(self, rng):
        self.lattice = rng.standard_normal((self.cells, self.cells)).astype(np.float32)

    def __call__(self, x: Plane, y: Plane, cell, px: float, shift: int = 0) -> Plane:
        """Noise of about unit variance that changes over `cell` units (a pair: along x, along y)."""
        cell_x, cell_y = cell if isinstance(cell, tuple) else (cell, cell)
        rows = _splines(y[:, 0] / np.float32(cell_y) + 7.3 * shift, self.cells)
        cols = _splines(x[0] / np.float32(cell_x) + 3.7 * shift, self.cells)
        # A spline smooths its lattice to a standard deviation of .48; details finer than the pixels fade out.
        gain = np.clip(min(cell_x, cell_y) * px, 0, 1) / 0.48
        return (rows * np.float32(gain)) @ (self.lattice @ cols.T)

    def cell_value(self, rows: NDArray, cols: NDArray) -> Plane:
        """One random number for each brick, board or tile."""
        return self.lattice[rows.astype(np.intp) % self.cells, cols.astype(np.intp) % self.cells]

    def octaves(self, x: Plane, y: Plane, cell, px: float, shift: int = 0, n: int = 3) -> Plane:
        """Sum of n noises, each half as large and twice as fine as the one before; about unit variance."""
        cell_x, cell_y = cell if isinstance(cell, tuple) else (cell, cell)
        total = self(x, y, (cell_x, cell_y), px, shift)
        for i in range(1, n):
            total += np.float32(0.5**i) * self(x, y, (cell_x / 2**i, cell_y / 2**i), px, shift + 5 * i)
        return total * np.float32(0.87)


def _splines(t: NDArray, n: int) -> NDArray[np.float32]:
    """Weights (len(t), n) of the cubic B-splines at positions t on a lattice of n points that repeats."""
    low = np.floor(t)
    f = (t - low).astype(np.float32)
    low = low.astype(np.intp)
    weights = np.zeros((len(t), n), np.float32)
    at, g = np.arange(len(t)), 1 - f
    weights[at, (low - 1) % n] = g * g * g / 6
    weights[at, low % n] = (4 - 6 * f * f + 3 * f * f * f) / 6
    weights[at, (low + 1) % n] = (4 - 6 * g * g + 3 * g * g * g) / 6
    weights[at, (low + 2) % n] = f * f * f / 6
    return weights


def _hsv(hue: float, saturation: float, value: float) -> Color:
    """RGB of a hue (0 and 1 red, 1/3 green, 2/3 blue), saturation and value, all 0..1."""
    corners = ((corner + 6 * hue) % 6 for corner in (5, 3, 1))
    return np.array([value * (1 - saturation * min(max(min(k, 4 - k), 0), 1)) for k in corners], np.float32)


def _rgb(code: str) -> Color:
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def _mix(a: Color, b: Color, share: float) -> Color:
    return (a + (b - a) * np.float32(share)).astype(np.float32)


def _jitter(rng, color: Color, by: float = 0.05) -> Color:
    return np.clip(color + rng.normal(0, by, 3) + rng.normal(0, by), 0.02, 0.98).astype(np.float32)


def _fill(image, low: Color, high: Color, share: Plane) -> None:
    """image (3, h, w) = low where share is 0, high where it is 1."""
    for plane, a, b in zip(image, low, high, strict=True):
        plane[...] = a + (b - a) * share


def _blend(image, color: Color, share: Plane) -> None:
    """Cover the image by a color, as far as share (0..1) says."""
    for plane, value in zip(image, color, strict=True):
        plane += (value - plane) * share


Texture = Callable[[Plane, Plane, float, _NoiseBank], Plane]  # (x, y, px, noise) -> about -1..1


class _Coat(NamedTuple):
    """Two colors and the texture that mixes them."""

    main: Color
    accent: Color
    texture: Texture

    def color(self, x: Plane, y: Plane, px: float, noise: _NoiseBank) -> NDArray[np.float32]:
        share = np.clip(0.5 + 0.5 * self.texture(x, y, px, noise), 0, 1)
        image = np.empty((3, y.shape[0], x.shape[1]), np.float32)
        _fill(image, self.main, self.accent, share)
        return image


def _texture(rng, plain: bool = True) -> Texture:
    """Draw one texture with its scale and direction."""
    kind = rng.choice(["plain", "stripes", "spots", "checks", "mottled", "grain", "waves"][0 if plain else 1 :])
    period, turn, shift = rng.uniform(0.22, 0.5), rng.uniform(0, np.pi), int(rng.integers(50))
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    wobble = np.float32(rng.uniform(0.0, 1.2))

    def texture(x, y, px, noise):
        fine = np.float32(0.22) * noise(x, y, 0.07, px, shift + 1)
        # A pattern finer than about three pixels would only flicker: fade it out.
        fade = np.float32(np.clip((period * px - 2) / 3, 0, 1))
        if kind == "plain":
            return np.float32(0.35) * noise(x, y, 0.4, px, shift) + fine - np.float32(0.3)
        if kind == "mottled":
            return noise.octaves(x, y, 0.6 * period, px, shift, n=2) + fine
        if kind == "grain":
            return np.float32(0.8) * noise(x, y, (1.6 * period, 0.2 * period), px, shift) + fine
        wave = np.float32(2 * np.pi / period)
        a, b = wave * (x * cos + y * sin), wave * (y * cos - x * sin)
        if kind == "stripes":
            pattern = 2 * np.sin(a + wobble * noise(x, y, 0.5, px, shift))
        elif kind == "waves":
            pattern = 2 * np.sin(a + 1.5 * np.sin(b * np.float32(0.6)))
        elif kind == "spots":
            pattern = 5 * (np.cos(a) * np.cos(b) - np.float32(0.25))
        else:
            pattern = 6 * np.sin(a * np.float32(0.7)) * np.sin(b * np.float32(0.7))
        return fade * np.clip(pattern, -1, 1) + fine

    return texture


def _flat(strength: float = 0.4) -> Texture:
    return lambda x, y, px, noise: np.float32(strength) * noise(x, y, 0.1, px, 11)


def _gleam(x, y, px, noise):
    """A window: slanted reflections."""
    return np.clip(2 * np.sin(5 * x + 7 * y), -1, 1) * np.float32(0.7) + np.float32(0.1) * noise(x, y, 0.2, px, 5)


def _brick_texture(width: float, height: float) -> Texture:
    def texture(x, y, px, noise):
        tone, mortar = _bricks(x, y, width, height, px, noise)
        return np.clip(np.float32(0.35) * tone - np.float32(0.4), -1, 0.6) * (1 - mortar) + mortar

    return texture


def _bricks(x, y, width, height, px, noise, ragged=False, joint=0.1):
    """Rows of bricks: a random number for each, and how much of each pixel is mortar (0..1).

    Every other row starts half a brick later; ragged rows start anywhere, like floor boards.
    """
    row = np.floor(y / np.float32(height))
    start = np.float32(0.7) * noise.cell_value(row, np.zeros_like(row)) if ragged else np.float32(0.5) * (row % 2)
    along = x / np.float32(width) + start
    col = np.floor(along)
    fx, fy = along - col, y / np.float32(height) - row
    gap = np.float32(joint * min(width, height))
    from_edge = np.minimum(np.minimum(fx, 1 - fx) * np.float32(width), np.minimum(fy, 1 - fy) * np.float32(height))
    mortar = np.clip(np.float32(0.5) + (gap / 2 - from_edge) * np.float32(px), 0, 1) * np.clip(gap * px, 0, 1)
    return noise.cell_value(row, col), mortar


# --------------------------------------------------------------------------------------------------------------------
# Shapes


class _Shape(NamedTuple):
    sd: Callable[[Plane, Plane], Plane]  # signed distance, negative inside
    box: tuple[float, float, float, float]  # x0, y0, x1, y1


def _ellipse(cx, cy, rx, ry, turn=0.0) -> _Shape:
    """The distance is that to first order: |p| (|p| - 1) / |grad|, exact on the outline."""
    cx, cy, rx, ry, cos, sin = (np.float32(value) for value in (cx, cy, rx, ry, np.cos(turn), np.sin(turn)))

    def sd(x, y):
        u, v = x - cx, y - cy
        if turn:
            u, v = u * cos + v * sin, v * cos - u * sin
        u, v = (u / rx) ** 2, (v / ry) ** 2
        k0 = np.sqrt(u + v)
        k1 = np.sqrt(u / rx**2 + v / ry**2)
        return (k0 + np.float32(1e-6)) * (k0 - 1) / (k1 + np.float32(1e-6))

    wx, wy = np.hypot(rx * cos, ry * sin), np.hypot(rx * sin, ry * cos)
    return _Shape(sd, (float(cx - wx), float(cy - wy), float(cx + wx), float(cy + wy)))


def _circle(cx, cy, r) -> _Shape:
    cx, cy, r = np.float32(cx), np.float32(cy), np.float32(r)

    def sd(x, y):
        return np.sqrt((x - cx) ** 2 + (y - cy) ** 2) - r

    return _Shape(sd, (float(cx - r), float(cy - r), float(cx + r), float(cy + r)))


def _box(x0, y0, x1, y1, r=0.0) -> _Shape:
    """Rectangle with corners rounded by r."""
    cx, cy, hx, hy, r = (np.float32(v) for v in ((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2, r))

    def sd(x, y):
        qx, qy = np.abs(x - cx) - (hx - r), np.abs(y - cy) - (hy - r)
        outside = np.sqrt(np.maximum(qx, 0) ** 2 + np.maximum(qy, 0) ** 2)
        return outside + np.minimum(np.maximum(qx, qy), 0) - r

    return _Shape(sd, (x0, y0, x1, y1))


def _line(x0, y0, x1, y1, r0, r1=None) -> _Shape:
    """Thick line with round ends; its radius goes from r0 to r1."""
    r1 = r0 if r1 is None else r1
    dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
    scale = np.float32(1 / max(dx * dx + dy * dy, 1e-9))

    def sd(x, y):
        u, v = x - np.float32(x0), y - np.float32(y0)
        t = np.clip((u * dx + v * dy) * scale, 0, 1)
        return np.sqrt((u - t * dx) ** 2 + (v - t * dy) ** 2) - (np.float32(r0) + t * np.float32(r1 - r0))

    r = max(r0, r1)
    return _Shape(sd, (min(x0, x1) - r, min(y0, y1) - r, max(x0, x1) + r, max(y0, y1) + r))


def _polygon(*points) -> _Shape:
    """Convex polygon, its corners in clockwise order as seen (y points down)."""
    p = np.array(points, np.float32)
    edge = np.roll(p, -1, axis=0) - p
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.hypot(*edge.T)[:, None]
    offset = (normal * p).sum(axis=1)

    def sd(x, y):
        total = None
        for (nx, ny), c in zip(normal, offset, strict=True):
            d = x * nx + (y * ny - c)
            total = d if total is None else np.maximum(total, d)
        return total

    return _Shape(sd, (*p.min(axis=0).tolist(), *p.max(axis=0).tolist()))


def _union(*shapes: _Shape) -> _Shape:
    def sd(x, y):
        total = shapes[0].sd(x, y)
        for shape in shapes[1:]:
            total = np.minimum(total, shape.sd(x, y))
        return total

    b = np.array([shape.box for shape in shapes])
    return _Shape(sd, (*b[:, :2].min(axis=0).tolist(), *b[:, 2:].max(axis=0).tolist()))


def _common(a: _Shape, b: _Shape) -> _Shape:
    """What lies in both shapes."""
    box = tuple(f(p, q) for f, p, q in zip((max, max, min, min), a.box, b.box, strict=True))
    return _Shape(lambda x, y: np.maximum(a.sd(x, y), b.sd(x, y)), box)


class _Part(NamedTuple):
    name: str
    shape: _Shape
    coat: _Coat
    round: float = 1.0  # 0 = flat, 1 = shaded like something round


# --------------------------------------------------------------------------------------------------------------------
# Objects: each builder takes the coat of the main part and gives the parts from back to front


def _plain_coat(hue, saturation, value, spread=0.25) -> _Coat:
    main = _hsv(hue, saturation, value)
    return _Coat(main, np.clip(main * np.float32(1 + spread) + np.float32(0.02), 0, 1), _flat())


def _darker(coat: _Coat, by: float) -> _Coat:
    return coat._replace(main=coat.main * np.float32(by), accent=coat.accent * np.float32(by))


def _ball(rng, coat):
    body = _circle(0, 0, 1)
    turn, wide = rng.uniform(0, np.pi), rng.uniform(0.18, 0.34)
    dx, dy = 1.5 * np.cos(turn), 1.5 * np.sin(turn)
    band = _common(body, _line(-dx, -dy, dx, dy, wide))
    other = _plain_coat(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.3, 0.95))
    parts = [_Part("ball", body, coat), _Part("band", band, other, 0.9)]
    if rng.random() < 0.5:
        parts.append(_Part("dot", _circle(0, 0, wide + 0.12), _darker(coat, 0.85), 0.7))
    return parts


def _balloon(rng, coat):
    wide = rng.uniform(0.66, 0.8)
    top = _union(
        _ellipse(0, -0.35, wide, 0.65), _polygon((-0.84 * wide, -0.02), (0.84 * wide, -0.02), (0.2, 0.58), (-0.2, 0.58))
    )
    ropes = _union(_line(-0.17, 0.55, -0.14, 0.8, 0.025), _line(0.17, 0.55, 0.14, 0.8, 0.025))
    basket = _box(-0.18, 0.74, 0.18, 1.0, 0.04)
    wood = _plain_coat(rng.uniform(0.06, 0.11), 0.5, rng.uniform(0.35, 0.6))
    band = _common(top, _box(-1, 0.05, 1, rng.uniform(0.18, 0.3)))
    trim = _plain_coat(rng.random(), 0.6, rng.uniform(0.4, 0.9))
    return [
        _Part("ropes", ropes, _darker(wood, 0.6), 0.0),
        _Part("envelope", top, coat),
        _Part("band", band, trim, 0.8),
        _Part("basket", basket, wood, 0.5),
    ]


def _bird(rng, coat):
    tail = _polygon((-0.98, -0.12), (-0.45, -0.06), (-0.4, 0.22), (-1.0, 0.16))
    body = _union(_ellipse(0, 0.1, 0.66, 0.4, 0.12), tail)
    wing_up = rng.random() < 0.4
    if wing_up:
        wing = _polygon((-0.5, -0.75), (-0.15, -0.85), (0.25, 0.08), (-0.25, 0.12))
    else:
        wing = _ellipse(-0.16, 0.06, 0.48, 0.22, 0.3)
    head = _circle(0.58, -0.24, 0.29)
    beak = _polygon((0.8, -0.3), (1.12, -0.18), (0.8, -0.1))
    face = rng.random()
    head_coat = coat if face < 0.35 else _plain_coat(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.15, 0.9))
    wing_coat = _Coat(_mix(coat.main, coat.accent, 0.8), coat.main * np.float32(0.6), _texture(rng))
    eye = _circle(0.66, -0.3, 0.055)
    dark = _plain_coat(0.6, 0.2, 0.08)
    return [
        _Part("beak", beak, _plain_coat(rng.uniform(0.05, 0.13), 0.85, 0.85), 0.4),
        _Part("body", body, coat),
        _Part("head", head, head_coat),
        _Part("head", eye, dark, 0.0),
        _Part("wing", wing, wing_coat, 0.8),
    ]


def _car(rng, coat):
    high = rng.uniform(0.5, 0.66)
    back, front = rng.uniform(-0.75, -0.5), rng.uniform(0.3, 0.55)
    cabin = _polygon((back + 0.16, -high), (front - 0.2, -high), (front + 0.1, 0.0), (back - 0.08, 0.0))
    body = _union(_box(-1.0, -0.08, 1.0, 0.42, 0.15), cabin)
    middle = (back + front) / 2 - 0.02
    glass = _union(
        _polygon(
            (back + 0.22, -high + 0.1), (middle - 0.04, -high + 0.1), (middle - 0.04, -0.06), (back + 0.08, -0.06)
        ),
        _polygon(
            (middle + 0.04, -high + 0.1), (front - 0.25, -high + 0.1), (front - 0.05, -0.06), (middle + 0.04, -0.06)
        ),
    )
    wheel = rng.uniform(0.2, 0.26)
    tires = _union(_circle(-0.55, 0.4, wheel), _circle(0.55, 0.4, wheel))
    hubs = _union(_circle(-0.55, 0.4, wheel / 2), _circle(0.55, 0.4, wheel / 2))
    lamp = _ellipse(0.93, 0.08, 0.07, 0.09)
    return [
        _Part("body", body, coat, 0.8),
        _Part("windows", glass, _Coat(_rgb("3a5061"), _rgb("a9c4cf"), _gleam), 0.3),
        _Part("wheels", tires, _plain_coat(0.6, 0.1, 0.13), 0.6),
        _Part("wheels", hubs, _plain_coat(0.6, 0.05, 0.65), 0.8),
        _Part("lamp", lamp, _plain_coat(0.14, 0.4, 0.95), 0.3),
    ]


def _cat(rng, coat):
    curl = rng.uniform(-0.5, 0.1)
    tail = _union(_line(-0.6, 0.15, -0.95, curl + 0.1, 0.1), _line(-0.95, curl + 0.1, -0.85, curl - 0.25, 0.1, 0.06))
    body = _ellipse(-0.08, 0.2, 0.66, rng.uniform(0.34, 0.42))
    legs = _union(*(_line(x, 0.3, x + rng.uniform(-0.06, 0.06), 0.92, 0.13, 0.09) for x in (-0.55, -0.3, 0.2, 0.44)))
    hx, hy = 0.62, rng.uniform(-0.34, -0.22)
    head = _union(
        _ellipse(hx, hy, 0.34, 0.3),
        _polygon((hx - 0.3, hy - 0.5), (hx - 0.04, hy - 0.24), (hx - 0.31, hy - 0.05)),
        _polygon((hx + 0.3, hy - 0.5), (hx + 0.31, hy - 0.05), (hx + 0.04, hy - 0.24)),
    )
    face = _union(_ellipse(hx + 0.02, hy + 0.02, 0.05, 0.065), _ellipse(hx + 0.22, hy + 0.02, 0.05, 0.065))
    muzzle = _ellipse(hx + 0.13, hy + 0.16, 0.13, 0.09)
    legs_coat = _darker(coat, 0.8) if rng.random() < 0.6 else _plain_coat(0.1, 0.08, 0.85)
    return [
        _Part("tail", tail, coat, 0.7),
        _Part("legs", legs, legs_coat, 0.5),
        _Part("body", body, coat),
        _Part("head", head, coat._replace(main=_mix(coat.main, coat.accent, 0.25))),
        _Part("head", muzzle, _plain_coat(0.08, 0.15, 0.9), 0.3),
        _Part("head", face, _plain_coat(0.25, 0.6, 0.12), 0.0),
    ]


def _flower(rng, coat):
    bend = rng.uniform(-0.2, 0.2)
    green = _plain_coat(rng.uniform(0.24, 0.36), 0.6, rng.uniform(0.35, 0.6))
    stem = _union(_line(0, -0.4, bend, 0.3, 0.055), _line(bend, 0.3, bend * 0.4, 1.0, 0.055, 0.07))
    leaves = _union(
        _ellipse(bend - 0.27, 0.52, 0.3, 0.1, 0.5), _ellipse(bend + 0.25, 0.36, 0.28, 0.095, -rng.uniform(0.3, 0.8))
    )
    n = int(rng.integers(5, 9))
    long, wide = 0.3, rng.uniform(0.95, 1.25) / n
    turns = rng.uniform(0, 1) + 2 * np.pi * np.arange(n) / n
    petals = _union(
        *(_ellipse(0.34 * np.cos(t), -0.42 + 0.34 * np.sin(t), long, wide, float(t) or 1e-6) for t in turns)
    )
    center = _circle(0, -0.42, rng.uniform(0.17, 0.24))
    seeds = _Coat(_hsv(rng.uniform(0.08, 0.15), 0.8, 0.85), _hsv(0.07, 0.8, 0.35), _texture(rng, plain=False))
    return [
        _Part("stem", stem, green, 0.5),
        _Part("leaves", leaves, _darker(green, 0.9), 0.8),
        _Part("petals", petals, coat, 0.7),
        _Part("center", center, seeds, 1.0),
    ]


def _house(rng, coat):
    half, eaves = rng.uniform(0.66, 0.85), rng.uniform(-0.3, -0.1)
    wall = _box(-half, eaves - 0.02, half, 1.0)
    if rng.random() < 0.5:
        roof = _polygon((0, -1.0), (half + 0.14, eaves), (-half - 0.14, eaves))
    else:
        roof = _polygon((-half * 0.7, -0.8), (half * 0.7, -0.8), (half + 0.14, eaves), (-half - 0.14, eaves))
    side = rng.choice([-1, 1])
    door = _box(side * 0.34 - 0.15, 0.36, side * 0.34 + 0.15, 1.0)
    panes = [_box(-side * 0.36 - 0.17, 0.2, -side * 0.36 + 0.17, 0.56)]
    if rng.random() < 0.6:
        panes.append(_box(side * 0.34 - 0.13, eaves + 0.1, side * 0.34 + 0.13, 0.24))
    wall_coat = coat if rng.random() < 0.5 else coat._replace(texture=_brick_texture(0.3, 0.14))
    roof_hue = rng.choice([0.02, 0.05, 0.6])
    shingles = _plain_coat(roof_hue, rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6), spread=0.7)
    chimney = _box(-side * half * 0.5 - 0.1, -0.95, -side * half * 0.5 + 0.1, eaves)
    parts = [
        _Part("roof", chimney, _darker(shingles, 0.8), 0.3),
        _Part("wall", wall, wall_coat, 0.35),
        _Part("roof", roof, shingles._replace(texture=_brick_texture(0.18, 0.1)), 0.4),
        _Part("door", door, _plain_coat(rng.random(), 0.5, rng.uniform(0.25, 0.6)), 0.3),
        _Part("window", _union(*panes), _Coat(_rgb("3a4a58"), _rgb("d9dcc0"), _gleam), 0.2),
    ]
    return parts if rng.random() < 0.5 else parts[1:]


def _mushroom(rng, coat):
    stem = _line(0, -0.05, rng.uniform(-0.08, 0.08), 0.82, rng.uniform(0.2, 0.26), rng.uniform(0.26, 0.34))
    stem = _common(stem, _box(-1, -1, 1, 1.0))
    wide, low = rng.uniform(0.8, 1.0), rng.uniform(0.0, 0.16)
    cap = _common(_ellipse(0, low, wide, low + 0.95), _box(-1, -1, 1, low + 0.02))
    gills = _ellipse(0, low, wide * 0.96, 0.13)
    pale = _plain_coat(rng.uniform(0.08, 0.14), rng.uniform(0.08, 0.3), rng.uniform(0.6, 0.9))
    return [
        _Part("gills", gills, _darker(pale, 0.62), 0.5),
        _Part("stem", stem, pale, 0.9),
        _Part("cap", cap, coat, 1.0),
    ]


def _tree(rng, coat):
    bark = _Coat(_hsv(0.07, 0.45, 0.2), _hsv(0.08, 0.4, rng.uniform(0.35, 0.6)), _texture(rng))
    if rng.random() < 0.4:  # a fir: three tiers
        wide = rng.uniform(0.6, 0.75)
        crown = _union(
            _polygon((0, -1.05), (wide * 0.6, -0.35), (-wide * 0.6, -0.35)),
            _polygon((0, -0.75), (wide * 0.8, 0.1), (-wide * 0.8, 0.1)),
            _polygon((0, -0.4), (wide, 0.55), (-wide, 0.55)),
        )
        trunk = _box(-0.1, 0.4, 0.1, 1.0)
        return [_Part("trunk", trunk, bark, 0.7), _Part("crown", crown, coat, 1.0)]
    turns = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(6) / 6
    far = rng.uniform(0.34, 0.44, size=6)
    crown = _union(
        _circle(0, -0.4, 0.42),
        *(
            _circle(1.15 * r * np.cos(t), -0.4 + 0.85 * r * np.sin(t), rng.uniform(0.24, 0.34))
            for t, r in zip(turns, far, strict=True)
        ),
    )
    trunk = _union(
        _polygon((-0.09, -0.2), (0.09, -0.2), (0.16, 1.0), (-0.16, 1.0)),
        _line(0, 0.25, rng.choice([-1, 1]) * 0.34, -0.15, 0.06, 0.04),
    )
    parts = [_Part("trunk", trunk, bark, 0.7), _Part("crown", crown, coat, 1.0)]
    if rng.random() < 0.4:
        spots = [_circle(*(rng.uniform(-0.4, 0.4, 2) + (0, -0.4)), 0.075) for _ in range(6)]
        parts.append(_Part("fruit", _union(*spots), _plain_coat(rng.uniform(-0.03, 0.1), 0.85, 0.8), 1.0))
    return parts


_BUILDERS = {
    "ball": _ball,
    "balloon": _balloon,
    "bird": _bird,
    "car": _car,
    "cat": _cat,
    "flower": _flower,
    "house": _house,
    "mushroom": _mushroom,
    "tree": _tree,
}
_SIZES = dict(ball=0.75, balloon=1.05, bird=0.85, car=1.1, cat=1.0, flower=1.0, house=1.25, mushroom=0.85, tree=1.35)
_HUES = {  # ranges of the main color
    "ball": [(0.0, 1.0)],
    "balloon": [(0.0, 1.0)],
    "bird": [(0.5, 0.7), (0.0, 0.14)],
    "car": [(0.0, 1.0)],
    "cat": [(0.04, 0.11), (0.04, 0.11), (0.55, 0.65)],
    "flower": [(0.75, 1.05), (0.1, 0.16)],
    "house": [(0.02, 0.15), (0.5, 0.6)],
    "mushroom": [(-0.03, 0.1)],
    "tree": [(0.2, 0.4), (0.2, 0.4), (0.03, 0.12)],
}


# --------------------------------------------------------------------------------------------------------------------
# Backgrounds: each draws its random choices and gives back what paints them


class _Background(NamedTuple):
    paint: Callable[[NDArray, _Canvas], None]  # fills the (3, h, w) image
    color_at: Callable[[float, float], Color]  # typical color at a place, in fractions of the image's sides
    horizon: float = 0.0  # where the ground begins, from the top; 0: we look down on a surface, or at a wall


def _rows_below(world: _Canvas, level: float) -> slice:
    return slice(int(np.searchsorted(world.y[:, 0], level)), None)


def _sky(rng):
    top, low = (
        ("4f83bf", "b9d3e6"),
        ("7fa3bd", "e3dccb"),
        ("8d99a5", "cfd2d2"),
        ("3d4f7d", "e8a679"),
        ("6f9fd0", "dbe8ee"),
    )[rng.integers(5)]
    top, low, cover, shift = _jitter(rng, _rgb(top)), _jitter(rng, _rgb(low)), rng.uniform(-0.2, 1.0), rng.integers(50)
    cloud = _mix(low, _rgb("ffffff"), 0.6)

    def paint(image, sky, horizon):
        _fill(image, top, low, np.clip(sky.y / np.float32(horizon * sky.height), 0, 1))
        amount = sky.noise.octaves(sky.x, sky.y, (0.34, 0.13), sky.px, shift)
        _blend(image, cloud, np.float32(0.8) * np.clip((amount - cover) * np.float32(0.9), 0, 1))

    return paint, lambda depth: _mix(top, low, depth)


def _meadow(rng):
    horizon = rng.uniform(0.34, 0.58)
    sky, sky_color = _sky(rng)
    near, far, hill = (("4d6b2c", "93a45a", "5d7466"), ("86783a", "c5b26e", "7a7d78"), ("5d7a3f", "a9b86f", "4a6a5a"),
                       ("c3cad2", "eef0f2", "8796a3"), ("6d5a35", "a58d55", "6b5d5a"))[rng.integers(5)]  # fmt: skip
    near, far, hill = (_jitter(rng, _rgb(code), 0.03) for code in (near, far, hill))
    shift, blades = int(rng.integers(50)), rng.uniform(0.05, 0.13)

    def paint(image, world):
        level = horizon * world.height
        sky(image, world, horizon)
        for depth, height in ((0.35, 0.1), (0.0, 0.05)):  # two lines of hills, the farther one paler
            line = world.noise(world.x, np.full((1, 1), depth, np.float32), 0.3, world.px, shift)
            ridge = level - height * world.height * np.clip(0.55 + 0.4 * line, 0, 1.5)
            rows = slice(
                _rows_below(world, float(ridge.min()) - 2 / world.px).start, _rows_below(world, level).start + 1
            )
            tone = _mix(hill, sky_color(0.9), depth + 0.1)
            cover = np.clip(0.5 + (world.y[rows] - ridge) * world.px, 0, 1)
            rough = world.noise(world.x, world.y[rows], 0.03, world.px, shift + 3)
            _blend(image[:, rows], tone, cover)
            image[:, rows] += np.float32(0.02) * rough * cover
        rows = _rows_below(world, level)
        ground = world.crop(rows, slice(None))
        if not len(ground.y):
            return
        depth = np.clip((ground.y - level) / (world.height - level), 0, 1)
        patches = ground.noise.octaves(ground.x, np.sqrt(depth) * 0.9, (0.22, 0.1), ground.px, shift + 9)
        # Blades stand in rows that crowd towards the horizon; a bent sine wave has no lattice that shows.
        recede = np.log(depth + np.float32(0.2))
        bend = ground.noise(ground.x, recede, (0.03, 0.05), ground.px, shift + 17)
        fine = np.sin(np.float32(330) * ground.x + 4 * bend + 60 * recede) * np.float32(min(1.0, world.px / 120)) + bend
        _fill(image[:, rows], far, near, np.clip(depth + np.float32(0.28) * patches, -0.2, 1.2))
        image[:, rows] *= 1 + np.float32(blades) * fine * (np.float32(0.4) + depth)

    def color_at(x, y):
        return sky_color(y / horizon) if y < horizon else _mix(far, near, (y - horizon) / (1 - horizon))

    return _Background(paint, color_at, horizon)


def _shore(rng):
    horizon = rng.uniform(0.28, 0.42)
    beach = horizon + rng.uniform(0.18, 0.3)
    sky, sky_color = _sky(rng)
    deep, shallow = (("2f5f77", "6fa3a5"), ("3a5560", "8b9c94"), ("2b4a7a", "7fb0b8"))[rng.integers(3)]
    deep, shallow = _jitter(rng, _rgb(deep), 0.03), _jitter(rng, _rgb(shallow), 0.03)
    sand, wet = _jitter(rng, _rgb("d9c39a"), 0.03), _jitter(rng, _rgb("a08a66"), 0.03)
    shift = int(rng.integers(50))

    def paint(image, world):
        level = horizon * world.height
        sky(image, world, horizon)
        rows = _rows_below(world, level)
        ground = world.crop(rows, slice(None))
        if not len(ground.y):
            return
        image = image[:, rows]
        depth = np.clip((ground.y - level) / (world.height - level), 1e-3, 1)
        wobble = ground.noise(ground.x, ground.y, (0.16, 0.05), ground.px, shift)
        # Waves are evenly spaced on the water, so their lines crowd towards the horizon.
        waves = np.sin(np.float32(26) * np.log(depth + np.float32(0.1)) + 2 * wobble)
        _fill(image, deep, shallow, np.clip(depth * np.float32(1.6) + np.float32(0.14) * waves, 0, 1))
        edge = (beach + 0.02 * ground.noise(ground.x, np.zeros((1, 1), np.float32), 0.15, ground.px, shift + 7)) * (
            world.height
        )
        away = ground.y - edge
        grains = ground.noise(ground.x, ground.y, 0.012, ground.px, shift + 9)
        dunes = ground.noise.octaves(ground.x, ground.y, (0.3, 0.07), ground.px, shift + 11, n=2)
        cover = np.clip(0.5 + away * world.px, 0, 1)
        dry = np.clip(away * 9 + np.float32(0.1) * dunes, 0, 1)
        bright = 1 + np.float32(0.05) * grains + np.float32(0.06) * dunes
        for plane, a, b in zip(image, wet, sand, strict=True):
            plane += ((a + (b - a) * dry) * bright - plane) * cover
        foam = np.clip(1 - np.abs(away + np.float32(0.012)) / 0.014 + np.float32(0.35) * grains, 0, 1)
        _blend(image, _rgb("eef3f2"), np.float32(0.8) * foam * (away < 0.02))

    def color_at(x, y):
        return sky_color(y / horizon) if y < horizon else (_mix(deep, shallow, 0.6) if y < beach else sand)

    return _Background(paint, color_at, horizon)


def _street(rng):
    floor = rng.uniform(0.6, 0.76)
    brick = _jitter(rng, (_rgb("9a5540"), _rgb("b58a66"), _rgb("8d8478"), _rgb("c9bfae"))[rng.integers(4)], 0.04)
    mortar, pave = _mix(brick, _rgb("d8d0c4"), 0.65), _jitter(rng, _rgb("8a8780"), 0.05)
    width = rng.uniform(0.1, 0.16)
    shift, spread = int(rng.integers(50)), rng.uniform(0.08, 0.2)

    def paint(image, world):
        level = floor * world.height
        tone, joint = _bricks(world.x, world.y, width, width * 0.42, world.px, world.noise)
        dirt = world.noise.octaves(world.x, world.y, 0.3, world.px, shift, n=2)
        fine = world.noise(world.x, world.y, 0.012, world.px, shift + 5)
        bright = 1 + np.float32(spread) * np.clip(tone, -2, 2) + np.float32(0.05) * fine
        bright *= 1 + np.float32(0.08) * dirt
        for plane, a, b in zip(image, brick, mortar, strict=True):
            plane[...] = a * bright
            plane += (b - plane) * joint
        rows = _rows_below(world, level)
        ground = world.crop(rows, slice(None))
        if not len(ground.y):
            return
        depth = np.clip((ground.y - level) / (world.height - level), 0, 1)
        # Slabs in perspective: rows thin out towards the wall, their joints run to one vanishing point.
        toward = (ground.x - world.width / 2) / (np.float32(0.35) + depth)
        tone, joint = _bricks(toward, np.sqrt(depth + np.float32(0.02)), 0.42, 0.2, ground.px, ground.noise, joint=0.05)
        fine = ground.noise(ground.x, ground.y, 0.011, ground.px, shift + 13)
        bright = (np.float32(0.75) + np.float32(0.3) * depth) * (1 + np.float32(0.05) * tone + np.float32(0.07) * fine)
        bright *= 1 - np.float32(0.35) * joint
        bright *= 1 - np.float32(0.4) * np.exp(-depth * 14)  # little light reaches the foot of the wall
        image[:, rows] = pave[:, None, None] * bright

    return _Background(paint, lambda x, y: brick if y < floor else pave, floor)


def _planks(rng):
    wide = rng.uniform(0.12, 0.22)
    wood = _jitter(rng, (_rgb("a9794a"), _rgb("7a5a3c"), _rgb("c6a77d"), _rgb("8c8a84"))[rng.integers(4)], 0.03)
    dark = wood * np.float32(rng.uniform(0.55, 0.75))
    shift, upright, rings = int(rng.integers(50)), rng.random() < 0.4, rng.uniform(26, 44)

    def paint(image, world):
        x, y = (world.y.T, world.x.T) if upright else (world.x, world.y)
        image = image.transpose(0, 2, 1) if upright else image
        tone, joint = _bricks(x, y, 1.1, wide, world.px, world.noise, ragged=True, joint=0.05)
        swirl = world.noise(x, y, (0.5, 0.06), world.px, shift)
        grain = np.sin(np.float32(rings) * y + 9 * tone + np.float32(1.7) * swirl)
        fine = world.noise(x, y, (0.12, 0.008), world.px, shift + 4)
        share = np.clip(np.float32(0.4) + np.float32(0.22) * grain + np.float32(0.16) * fine, 0, 1)
        _fill(image, wood, dark, share)
        image *= (1 + np.float32(0.13) * np.clip(tone, -2, 2)) * (1 - np.float32(0.65) * joint)

    return _Background(paint, lambda x, y: _mix(wood, dark, 0.4))


def _grass(rng):
    green, pale = (("4c6a2a", "8fa24e"), ("3f6a3a", "7fa56a"), ("75703a", "b5a765"))[rng.integers(3)]
    green, pale = _jitter(rng, _rgb(green), 0.03), _jitter(rng, _rgb(pale), 0.03)
    soil, bare = _jitter(rng, _rgb("7b6247"), 0.03), rng.uniform(0.6, 1.8)
    dots, shift = (_rgb("f2f0e6"), _rgb("e9c84a"))[rng.integers(2)], int(rng.integers(50))
    sown = rng.uniform(1.6, 3.0)

    def paint(image, world):
        x, y, px, noise = world.x, world.y, world.px, world.noise
        # Two families of bent waves: blades in all directions, and no lattice that shows.
        bend = noise(x, y, 0.05, px, shift)
        blades = np.sin(190 * x + 110 * y + 5 * bend) * np.sin(90 * y - 200 * x + 6 * noise(x, y, 0.04, px, shift + 3))
        blades = np.float32(1.3 * min(1.0, px / 120)) * blades + np.float32(0.7) * noise(x, y, 0.013, px, shift + 5)
        patches = noise.octaves(x, y, 0.26, px, shift + 7)
        _fill(
            image,
            green,
            pale,
            np.clip(np.float32(0.45) + np.float32(0.2) * blades + np.float32(0.22) * patches, 0, 1.2),
        )
        _blend(image, soil, np.float32(0.85) * np.clip(3 * (noise.octaves(x, y, 0.3, px, shift + 21) - bare), 0, 1))
        flowers = noise(x, y, 0.016, px, shift + 29)
        _blend(image, dots, np.clip(4 * (flowers + np.float32(0.5) * patches - sown), 0, 1))

    return _Background(paint, lambda x, y: _mix(green, pale, 0.5))


def _tiles(rng):
    side, diagonal = rng.uniform(0.14, 0.26), rng.random() < 0.5
    light = _jitter(rng, _hsv(rng.random(), rng.uniform(0.05, 0.3), rng.uniform(0.65, 0.9)), 0.02)
    dark = _mix(light, _hsv(rng.random(), rng.uniform(0.2, 0.5), rng.uniform(0.3, 0.6)), rng.uniform(0.3, 1.0))
    grout, shift = _mix(light, _rgb("6a6660"), 0.6), int(rng.integers(50))

    def paint(image, world):
        x, y = world.x, world.y
        a, b = ((x + y) / np.sqrt(2), (y - x) / np.sqrt(2)) if diagonal else (x, y)
        a, b = (a / np.float32(side)).astype(np.float32), (b / np.float32(side)).astype(np.float32)
        row, col = np.floor(b), np.floor(a)
        fa, fb = a - col, b - row
        gap = np.float32(0.035)
        from_edge = np.minimum(np.minimum(fa, 1 - fa), np.minimum(fb, 1 - fb)) * np.float32(side)
        joint = np.clip(0.5 + (gap * side / 2 - from_edge) * world.px, 0, 1) * min(1.0, float(gap) * side * world.px)
        warp = world.noise.octaves(x, y, 0.2, world.px, shift)
        veins = np.clip(1 - 5 * np.abs(np.sin(np.float32(3) * warp + 7 * (x + np.float32(0.6) * y))), 0, 1)
        fine = world.noise(x, y, 0.015, world.px, shift + 7)
        _fill(image, light, dark, (row + col) % 2)
        image *= 1 + np.float32(0.05) * warp + np.float32(0.03) * fine - np.float32(0.12) * veins
        _blend(image, grout, joint)

    return _Background(paint, lambda x, y: _mix(light, dark, 0.5))


def _studio(rng):
    hue = rng.random()
    bright = _hsv(hue, rng.uniform(0.1, 0.45), rng.uniform(0.75, 0.95))
    dim = _hsv(hue + rng.uniform(-0.12, 0.12), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.55))
    cx, cy, folds = rng.uniform(0.25, 0.75), rng.uniform(0.2, 0.6), rng.random() < 0.6
    pleats, shift, curtain = rng.uniform(7, 16), int(rng.integers(50)), rng.uniform(0.06, 0.16)

    def paint(image, world):
        x, y = world.x / world.width - cx, world.y / world.height - cy
        share = np.clip(np.sqrt(x * x + y * y) * np.float32(1.35), 0, 1)
        _fill(image, bright, dim, share)
        weave = world.noise(world.x, world.y, (0.006, 0.02), world.px, shift)
        light = 1 + np.float32(0.03) * weave
        if folds:
            bend = world.noise(world.x, world.y, (0.3, 0.8), world.px, shift + 5)
            light = light + np.float32(curtain) * np.sin(np.float32(2 * pleats) * world.x + 2 * bend)
        image *= light

    return _Background(paint, lambda x, y: _mix(bright, dim, min(1.0, 1.35 * float(np.hypot(x - cx, y - cy)))))


_PAINTERS = {
    "meadow": _meadow,
    "shore": _shore,
    "street": _street,
    "planks": _planks,
    "grass": _grass,
    "tiles": _tiles,
    "studio": _studio,
}
BACKGROUNDS = tuple(_PAINTERS)
