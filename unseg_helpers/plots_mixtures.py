"""Pictures of Gaussian mixtures: ellipses, points in mixed colors, soft masks, and sentences that describe them.

Notation: n points, d features, k components, h x w pixels; *responsibilities* are probabilities, the last axis has one
for each component and sums to 1. Component j has the color that `plots.colorize` gives to label j. ``ellipse``,
``mixed_colors`` and ``soft_masks`` need NumPy only; matplotlib is imported by the functions that draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from unseg_helpers.gmm import Mixture


def ellipse(mean: ArrayLike, covariance: ArrayLike, *, radius: float = 2.0, n: int = 73) -> NDArray[np.float64]:
    """Outline of a Gaussian in the plane: the points at one Mahalanobis distance from the mean.

    With L L^T = covariance (Cholesky), the outline is the circle of that radius, mapped by L. Of a Gaussian in the
    plane, radius 1 encloses 39 %, radius 2 86 % and radius 3 99 %: 1 - exp(-radius^2 / 2).

    Parameters
    ----------
    mean : array of shape (2,)
    covariance : array of shape (2, 2)
        Symmetric and positive definite.
    radius : float
        In standard deviations, above 0.
    n : int
        Points on the outline; the last is the first again.

    Returns
    -------
    array of shape (n, 2)

    Raises
    ------
    ValueError
        If a shape is wrong, ``radius`` is not positive, or the covariance is not positive definite.

    Examples
    --------
    >>> ellipse([1.0, 0.0], [[4.0, 0.0], [0.0, 1.0]], radius=1.0, n=5).round(2).tolist()
    [[3.0, 0.0], [1.0, 1.0], [-1.0, 0.0], [1.0, -1.0], [3.0, -0.0]]
    """
    mean, covariance = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if mean.shape != (2,) or covariance.shape != (2, 2):
        raise ValueError(
            f"mean and covariance must have shapes (2,) and (2, 2), got {mean.shape} and {covariance.shape}; "
            "for two of d features take mean[axes] and covariance[np.ix_(axes, axes)]"
        )
    if not radius > 0:
        raise ValueError(f"radius must be above 0, got {radius}")
    try:
        lower = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError(f"covariance is not positive definite: {covariance.tolist()}") from None
    angle = np.linspace(0, 2 * np.pi, n)
    return mean + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ lower.T


def mixed_colors(responsibilities: ArrayLike, colors: ArrayLike | None = None) -> NDArray[np.uint8]:
    """Mix the colors of the components in the proportion of the responsibilities.

    Parameters
    ----------
    responsibilities : array of shape (..., k)
        At least 0, each row sums to 1.
    colors : uint8 array of shape (k, 3), optional
        Color of each component, such as its mean color in a photo; the palette when None.

    Returns
    -------
    array of shape (..., 3), uint8

    Raises
    ------
    ValueError
        If the responsibilities are no probabilities, or ``colors`` has another number of rows.

    Examples
    --------
    >>> mixed_colors([[1.0, 0.0], [0.5, 0.5]], colors=[[200, 0, 0], [0, 100, 0]]).tolist()
    [[200, 0, 0], [100, 50, 0]]
    """
    r = _responsibilities(responsibilities)
    colors = plots.palette(r.shape[-1]) if colors is None else np.asarray(colors)
    if colors.shape != (r.shape[-1], 3):
        raise ValueError(f"colors must have shape (k, 3) = ({r.shape[-1]}, 3), got {colors.shape}")
    return np.rint(r @ colors.astype(np.float64)).astype(np.uint8)


def soft_masks(responsibilities: ArrayLike, image: ArrayLike | None = None) -> list[NDArray[np.uint8]]:
    """One picture for each component, for `plots.panels`: black where its responsibility is 0.

    Unlike a gray image in `plots.panels`, the masks are not stretched: 0 is black and 1 is white (or the photo)
    in each, so that they can be compared.

    Parameters
    ----------
    responsibilities : array of shape (h, w, k)
        At least 0, each pixel sums to 1.
    image : uint8 array of shape (h, w, 3), optional
        With it, a mask shows the photo where the component is responsible, and fades to black elsewhere.

    Returns
    -------
    list of k arrays of shape (h, w, 3), uint8

    Raises
    ------
    ValueError
        If the shapes are wrong or the responsibilities are no probabilities.

    Examples
    --------
    >>> [mask[0, 0].tolist() for mask in soft_masks([[[0.2, 0.8]]])]
    [[51, 51, 51], [204, 204, 204]]
    """
    r = _responsibilities(responsibilities)
    if r.ndim != 3:
        raise ValueError(
            f"responsibilities must have shape (h, w, k), got {r.shape}; those of pixels need .reshape(h, w, -1)"
        )
    if image is None:
        light = np.full((*r.shape[:2], 3), 255)
    else:
        light = np.asarray(image)
        if light.dtype != np.uint8 or light.shape != (*r.shape[:2], 3):
            raise ValueError(f"image must be uint8 of shape {(*r.shape[:2], 3)}, got {light.dtype} of {light.shape}")
    return [np.rint(r[..., j, None] * light).astype(np.uint8) for j in range(r.shape[-1])]


def doubt(responsibilities: ArrayLike) -> NDArray[np.float64]:
    """Entropy of the responsibilities in bits: 0 where one component has all, log2(k) where all have the same.

    Parameters
    ----------
    responsibilities : array of shape (..., k)

    Returns
    -------
    array of shape (...)

    Raises
    ------
    ValueError
        If the responsibilities are no probabilities.

    Examples
    --------
    >>> doubt([[1.0, 0.0], [0.5, 0.5]]).tolist()
    [0.0, 1.0]
    """
    r = _responsibilities(responsibilities)
    return np.abs((r * np.log2(np.where(r > 0, r, 1.0))).sum(axis=-1))  # 0 log 0 = 0; abs turns -0 into 0


def draw_mixture(
    mixture: Mixture,
    *,
    x: ArrayLike | None = None,
    responsibilities: ArrayLike | None = None,
    point_colors: ArrayLike | None = None,
    axes: tuple[int, int] = (0, 1),
    radii: Sequence[float] = (1.0, 2.0),
    colors: ArrayLike | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    size: float = 4.0,
) -> Axes:
    """Draw the components as ellipses over two of the features, and points below them.

    Two features of a Gaussian are Gaussian themselves; their covariance is the part of the matrix that belongs to
    them. So the ellipses are those of the marginal, not a cut.

    Parameters
    ----------
    mixture : Mixture
        Of any kind, with d >= 2 features.
    x : array of shape (n, d), optional
        Points to scatter.
    responsibilities : array of shape (n, k), optional
        Paint the points in mixed colors.
    point_colors : uint8 array of shape (n, 3), optional
        Paint the points in these colors instead, such as those of their pixels.
    axes : (int, int)
        The two features.
    radii : sequence of floats
        One outline for each, in standard deviations; the widest is drawn thickest.
    colors : uint8 array of shape (k, 3), optional
        Color of each component; the palette when None.
    ax : matplotlib Axes, optional
    title : str, optional
    size : float
        Area of a point in square points.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If shapes do not fit the mixture.
    """
    means, covariances = np.asarray(mixture.means), mixture.full_covariances()
    k, d = means.shape
    pair = list(axes)
    if len(pair) != 2 or not all(0 <= axis < d for axis in pair):
        raise ValueError(f"axes must be two features between 0 and d-1={d - 1}, got {tuple(axes)}")
    colors = plots.palette(k) if colors is None else np.asarray(colors)
    if colors.shape != (k, 3):
        raise ValueError(f"colors must have shape (k, 3) = ({k}, 3), got {colors.shape}")
    if x is not None:
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != d:
            raise ValueError(f"x must have shape (n, d) with d={d} as the mixture, got {x.shape}")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(5.0, 4.0), layout="constrained")
    if x is not None:
        painted = np.full((len(x), 3), 150, np.uint8)
        if responsibilities is not None:
            painted = mixed_colors(responsibilities, colors)
        if point_colors is not None:
            painted = np.asarray(point_colors)
        if painted.shape != (len(x), 3):
            raise ValueError(f"colors of the points must be one for each of {len(x)} points, got {painted.shape}")
        ax.scatter(*x[:, pair].T, c=painted / 255, s=size, linewidths=0)
    for j in range(k):
        for radius in sorted(radii):
            outline = ellipse(means[j, pair], covariances[j][np.ix_(pair, pair)], radius=radius)
            width = 2.0 if radius == max(radii) else 1.0
            ax.plot(*outline.T, color="black", linewidth=width + 1.2, zorder=3)  # a rim: pale colors stay visible
            ax.plot(*outline.T, color=colors[j] / 255, linewidth=width, zorder=4)
    ax.scatter(
        *means[:, pair].T, c=colors / 255, s=60, marker="X", edgecolors="black", linewidths=1, zorder=5, label="means"
    )
    ax.tick_params(labelsize=7)
    if title:
        ax.set_title(title, fontsize=10)
    return ax


def alt_mixture(mixture: Mixture, names: Sequence[str] | None = None) -> str:
    """Describe a mixture in one sentence: weights and how stretched each component is.

    Parameters
    ----------
    mixture : Mixture
    names : list of str, optional
        Names of the components; those of their colors in the palette when None.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is not one name for each component.

    Examples
    --------
    >>> from unseg_helpers.gmm import Mixture
    >>> two = Mixture(np.array([0.25, 0.75]), np.zeros((2, 2)), np.array([[4.0, 1.0], [1.0, 1.0]]), "diag")
    >>> alt_mixture(two)
    'Mixture of 2 components: orange 25 %, 2 times as long as wide; sky blue 75 %, round.'
    """
    k = len(mixture.weights)
    if names is None:
        names = [plots.color_name(color) for color in plots.palette(k)]
    if len(names) != k:
        raise ValueError(f"names has {len(names)} entries for {k} components; expected one for each")
    parts = []
    for name, weight, covariance in zip(names, mixture.weights, mixture.full_covariances(), strict=True):
        spread = np.sqrt(np.linalg.eigvalsh(covariance))
        ratio = spread[-1] / spread[0]
        shape = "round" if ratio < 1.05 else f"{ratio:.2g} times as long as wide"
        parts.append(f"{name} {100 * weight:.0f} %, {shape}")
    return f"Mixture of {k} component{'s' if k != 1 else ''}: {'; '.join(parts)}."


def _responsibilities(responsibilities: ArrayLike) -> NDArray[np.float64]:
    r = np.asarray(responsibilities, dtype=np.float64)
    if r.ndim < 1 or r.size == 0:
        raise ValueError(f"responsibilities must have shape (..., k), got {r.shape}")
    total = r.sum(axis=-1)
    if not ((r >= -1e-6).all() and np.allclose(total, 1, atol=1e-4)):
        raise ValueError(
            f"responsibilities must be at least 0 and sum to 1 over the last axis, got values from {r.min():.4g} "
            f"and sums from {total.min():.4g} to {total.max():.4g}"
        )
    return np.maximum(r, 0)
