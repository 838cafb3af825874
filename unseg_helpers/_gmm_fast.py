"""What makes `unseg_helpers.gmm` fast without changing its result. Private: read `gmm.py` first.

`Points` holds the data and answers the questions of the EM loop: for a mixture, the log-likelihood together with the
sums that the next M step needs (`step`), the labels, and the point that is explained worst. The shortcuts:

1.  The logarithm of a Gaussian is a polynomial of degree 2 in the features. With the monomials phi(x) = (x_i x_j for
    i <= j, x_i, 1) in one column for each point, the log-densities of all components are one matrix product C phi,
    where C (k, p) is made from the Cholesky factors; and all sums of the M step are one product back, R phi^T.
    "diag" needs x_i^2 only, "spherical" |x|^2 only. "tied" needs no squares at all: its quadratic term is the same for
    all components, cancels out of the responsibilities, and its sum over all points follows from their covariance.
2.  E and M step are one pass over blocks of points that stay in the cache, so that neither the monomials nor the
    responsibilities of all points are ever stored. Components are rows, so that maxima and sums over them run along
    long rows. Threads share the blocks.
3.  Equal rows are merged into one row with a weight (`_kmeans_fast.merge_equal_rows`).

Polynomials lose digits where a component is very narrow compared with the spread of the data. The points are
centered and scaled once, and the loss is bounded from the mixture (`digits_lost`): beyond `TOLERATED` each point is
instead centered and whitened component by component (`careful`), which is the plain way in blocks.

Everything is computed in float64, also for float32 points: the exponentials in float32 made a step not a bit faster
(4.0 ms for 3.9 ms, 154,401 points, d = 3, k = 5), as NumPy computes both with vector instructions.

`TorchPoints` answers the same questions with PyTorch, for a GPU.

Notation: n points, m rows after merging, d features, k components, p monomials, b rows of a block; z = (x - shift) /
scale.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from unseg_helpers import _kmeans_fast as fast

BLOCK_BYTES = 1 << 19  # monomials and responsibilities of a block: half of a usual L2 cache
LEAST_ROWS = 128  # a block holds at least so many points: each of its products costs some microseconds to start
STRANDS = 4  # sums that are kept apart, and threads that can work at once
FEW_FEATURES = 16  # up to here z is stored, feature by feature
TORCH_NUMBERS = 1 << 24  # numbers in one array of a block there: 128 MB
TOLERATED = 1e-7  # nats by which rounding may change one log-density, at most
LOG_2_PI = float(np.log(2 * np.pi))


class Step(NamedTuple):
    """What one pass over the points tells."""

    log_likelihood: float  # weighted mean
    mass: NDArray  # (k,) sum of the responsibilities, times the weights
    means: NDArray  # (k, d)
    covariances: NDArray  # shaped as those of the mixture, nothing added


class Base:
    """What NumPy and PyTorch share: coefficients of a mixture, and the way from sums to moments."""

    n: int
    m: int
    d: int
    total: float  # sum of the weights
    shift: NDArray  # (d,)
    scale: float
    reach: NDArray  # (d,) largest |z|
    center: NDArray  # (d,) mean of z, zero up to rounding
    spread: NDArray  # (d, d) covariance of z

    def step(self, mixture, *, careful: bool = False) -> Step:
        """E step and the sums of the M step, for a mixture of checked float64 arrays."""
        careful = careful or self.digits_lost(mixture) > TOLERATED
        if careful:
            log_sum, mass, means, covariances = self._careful_moments(self._white(mixture))
        else:
            coefficients, constant = self._coefficients(mixture)
            log_sum, sums = self._sums(mixture.kind, coefficients)
            log_sum += self.total * constant
            mass, means, covariances = self._moments(mixture.kind, sums)
        means = means * self.scale + self.shift
        return Step(log_sum / self.total, mass, means, covariances * self.scale**2)

    def whole(self, kind: str) -> tuple[NDArray, NDArray]:
        """Mean and covariance of all points: (d,), and (d, d), (d,) or a number."""
        mean = self.center * self.scale + self.shift
        return mean, _reduced(self.spread, kind) * self.scale**2

    def mean_variance(self) -> float:
        """Variance of the points, mean over the features; 0 where all are equal."""
        return self.varies * self.scale**2

    def digits_lost(self, mixture) -> float:
        """How many nats rounding may add to a log-density, at most, where polynomials are used."""
        means = (mixture.means - self.shift) / self.scale
        far = np.maximum(self.reach, np.abs(means).max(axis=0))  # (d,)
        if mixture.kind in ("full", "tied"):
            size = np.einsum("jab,a,b->j", np.abs(self._precisions(mixture)[0]), far, far, optimize=True).max()
        else:
            size = (far**2 / (mixture.covariances.reshape(mixture.k, -1) / self.scale**2)).sum(axis=1).max()
        return float(size * self.epsilon)

    def _factors(self, mixture) -> NDArray:
        """Inverse Cholesky factors of the covariances of z: (k, d, d), or (1, d, d) when tied."""
        covariances = mixture.covariances if mixture.kind == "full" else mixture.covariances[None]
        lower = np.linalg.cholesky(covariances / self.scale**2)
        return np.stack([solve_triangular(one, np.eye(self.d), lower=True, check_finite=False) for one in lower])

    def _precisions(self, mixture) -> tuple[NDArray, NDArray]:
        """Inverse covariances, and the sums of the logarithms of the diagonals of their factors."""
        if getattr(self, "_known", (None,))[0] is not mixture.covariances:
            inverse = self._factors(mixture)
            logs = np.log(np.diagonal(inverse, axis1=1, axis2=2)).sum(axis=1)
            self._known = mixture.covariances, np.swapaxes(inverse, 1, 2) @ inverse, logs
        return self._known[1:]

    def _coefficients(self, mixture) -> tuple[NDArray, float]:
        """C (k, p) such that C phi(z) is the log of weight times density, up to the constant that is also returned."""
        kind, k, d = mixture.kind, mixture.k, self.d
        means = (mixture.means - self.shift) / self.scale  # (k, d)
        constant = 0.0
        if kind in ("full", "tied"):
            precisions, log_roots = self._precisions(mixture)
            linear = (precisions @ means[:, :, None])[:, :, 0]  # (k, d)
            quadratic = []
            if kind == "full":
                upper = np.triu_indices(d)
                quadratic = [precisions[:, *upper] * np.where(upper[0] == upper[1], -0.5, -1.0)]
            else:
                seen = self.spread + np.outer(self.center, self.center)
                constant = -0.5 * float((precisions[0] * seen).sum())
        else:
            precisions = self.scale**2 / mixture.covariances.reshape(k, -1)  # (k, d) or (k, 1)
            log_roots = 0.5 * np.log(precisions).sum(axis=1) * (d / precisions.shape[1])
            linear = precisions * means
            quadratic = [-0.5 * precisions]
        offset = np.log(mixture.weights) + log_roots - 0.5 * (linear * means).sum(axis=1)
        constant -= d * (0.5 * LOG_2_PI + np.log(self.scale))
        return np.ascontiguousarray(np.concatenate([*quadratic, linear, offset[:, None]], axis=1)), constant

    def _moments(self, kind: str, sums: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """From R phi^T (k, p) to mass, means and covariances of z."""
        k, d = len(sums), self.d
        mass = sums[:, -1]
        held = np.maximum(mass, np.finfo(float).tiny)
        means = sums[:, -1 - d : -1] / held[:, None]
        squares = sums[:, : -1 - d] / held[:, None]
        if kind == "full":
            covariances = np.empty((k, d, d))
            upper = np.triu_indices(d)
            covariances[:, *upper] = covariances[:, upper[1], upper[0]] = squares
            covariances -= means[:, :, None] * means[:, None, :]
        elif kind == "diag":
            covariances = squares - means**2
        elif kind == "spherical":
            covariances = (squares[:, 0] - (means**2).sum(axis=1)) / d
        else:  # within the components = of all points - between the components
            seen = self.spread + np.outer(self.center, self.center)
            covariances = seen - (mass / mass.sum() * means.T) @ means
        if kind in ("diag", "spherical"):
            covariances = np.maximum(covariances, 0)  # rounding may leave -1e-17 for a zero
        return mass, means, covariances

    def _white(self, mixture) -> tuple:
        """What the careful way needs: kind, means of z, factors, and the log of weight times density at the mean."""
        means = (mixture.means - self.shift) / self.scale
        if mixture.kind in ("full", "tied"):
            factors = self._factors(mixture)
            log_roots = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        else:
            roots = self.scale / np.sqrt(mixture.covariances.reshape(mixture.k, -1))
            log_roots = np.log(roots).sum(axis=1) * (self.d / roots.shape[1])
            factors = np.repeat(roots, self.d // roots.shape[1], axis=1)  # (k, d)
        peak = np.log(mixture.weights) + log_roots - self.d * (0.5 * LOG_2_PI + np.log(self.scale))
        return mixture.kind, means, factors, peak

    def _careful_finish(self, kind, old, mass, first, second):
        """Moments from sums of y = z - old mean and of its squares: nothing but the way of the mean cancels out."""
        held = np.maximum(mass, np.finfo(float).tiny)
        way = first / held[:, None]  # (k, d)
        if kind in ("full", "tied"):
            covariances = second / held[:, None, None] - way[:, :, None] * way[:, None, :]
            if kind == "tied":
                covariances = np.tensordot(mass / mass.sum(), covariances, axes=1)
        else:
            covariances = np.maximum(second / held[:, None] - way**2, 0)
            if kind == "spherical":
                covariances = covariances.mean(axis=1)
        return mass, old + way, covariances


class Points(Base):
    """The points of one mixture problem.

    Parameters
    ----------
    x : array of shape (n, d), finite
    weights : array of shape (n,), positive, or None
    k : int
        Number of components that will be asked for.
    """

    epsilon = np.finfo(np.float64).eps

    def __init__(self, x: NDArray, weights: NDArray | None, k: int):
        self.n, self.d = x.shape
        self.x, self.weights, self.row = x, weights, None
        merged = fast.merge_equal_rows(x)
        if merged is not None:
            self.order, first, self.counts = merged
            self.row = self.order[first]
            self.weights = self.counts.astype(np.float64)
            if weights is not None:
                self.weights = np.add.reduceat(weights[self.order], first)
        self.m = self.n if self.row is None else len(self.row)
        self.total = float(self.n if weights is None else weights.sum())
        self.buffers = local()
        self.workers = fast._blas_threads()
        self.pool = ThreadPoolExecutor(min(self.workers, STRANDS)) if self.workers > 1 else None
        self.stored = None
        self._measure()
        if self.d <= min(FEW_FEATURES, 2 * k):
            stored = np.empty((self.d, self.m))
            for block in fast._blocks(self.m, 1 << 14):
                stored[:, block] = self._z(block)
            self.stored = stored

    def _measure(self) -> None:
        """Shift, scale, and the moments of all points."""
        self.shift, self.scale = np.zeros(self.d), 1.0
        blocks = list(fast._blocks(self.m, max(1, (1 << 16) // self.d)))

        def weighted(block):
            z = self._z(block)
            return z, z if self.weights is None else z * self.weights[block]

        self.shift = sum(weighted(block)[1].sum(axis=1) for block in blocks) / self.total
        largest = np.abs(self.shift).max()
        first, spread, reach = np.zeros(self.d), np.zeros((self.d, self.d)), np.zeros(self.d)
        for block in blocks:
            z, w = weighted(block)
            first += w.sum(axis=1)
            spread += w @ z.T
            np.maximum(reach, np.abs(z).max(axis=1), out=reach)
        first /= self.total
        spread = spread / self.total - np.outer(first, first)
        variance = float(np.trace(spread)) / self.d
        fast.check_overflow(float((reach**2).max()), np.dtype(np.float64))
        self.varies = float(variance > (1e-14 * max(largest, reach.max())) ** 2)  # 0 where all points are equal
        self.scale = (
            float(np.sqrt(variance)) if self.varies else max(float(reach.max()), 1e-150) if reach.any() else 1.0
        )
        self.reach, self.center, self.spread = reach / self.scale, first / self.scale, spread / self.scale**2

    # ---- the questions of the loop ----------------------------------------------------------------------------

    def labels(self, mixture) -> NDArray[np.int32]:
        """The component with the largest responsibility: (n,)."""
        label = np.empty(self.m, np.int32)
        for block, joint in self._joint_blocks(mixture):
            label[block] = joint.argmax(axis=0)
        if self.row is None:
            return label
        labels = np.empty(self.n, np.int32)
        labels[self.order] = np.repeat(label, self.counts)
        return labels

    def worst(self, mixture) -> NDArray:
        """The point with the smallest density, (d,)."""
        smallest, place = np.inf, 0
        for block, joint in self._joint_blocks(mixture):
            largest = joint.max(axis=0)
            density = largest + np.log(np.exp(joint - largest).sum(axis=0))
            at = int(density.argmin())
            if density[at] < smallest:
                smallest, place = density[at], block.start + at
        return self.x[place if self.row is None else self.row[place]].astype(np.float64)

    def _joint_blocks(self, mixture):
        """Block by block: log of weight times density, (k, b)."""
        white = self._white(mixture)
        with fast._one_blas_thread():
            for block in fast._blocks(self.m, self._size(mixture.k + 2 * self.d)):
                yield block, self._white_joint(self._z(block), white)

    # ---- blocks -----------------------------------------------------------------------------------------------

    def _size(self, rows: int) -> int:
        """Points in a block, of which `rows` numbers are kept for each."""
        return max(LEAST_ROWS, BLOCK_BYTES // 8 // rows // 64 * 64)

    def _z(self, block: slice) -> NDArray:
        """Points less the shift, scaled: (d, b)."""
        if self.stored is not None:
            return self.stored[:, block]
        rows = self.x[block] if self.row is None else self.x[self.row[block]]
        z = np.empty((self.d, len(rows)))
        np.subtract(rows.T, self.shift[:, None], out=z)
        if self.scale != 1:
            z *= 1 / self.scale
        return z

    def _buffer(self, name: str, shape: tuple[int, int]) -> NDArray:
        """An array that this thread uses again and again."""
        kept = getattr(self.buffers, name, None)
        if kept is None or kept.shape[0] != shape[0] or kept.shape[1] < shape[1]:
            kept = np.empty(shape)
            setattr(self.buffers, name, kept)
        return kept[:, : shape[1]]

    def _over_blocks(self, work, size: int) -> list:
        """The sums of what work(slice) returns for each block, a tuple of numbers and arrays.

        Strands of blocks, each of them summed by one thread: as many as there are, whatever the number of threads, so
        that this number changes no bit, and few, so that their sums take little memory.
        """

        def strand(part):
            sums = None
            for block in fast._parts(part, size):
                new = work(block)
                if sums is None:
                    sums = list(new)
                else:
                    for i, value in enumerate(new):
                        sums[i] += value
            return sums

        n_blocks = -(-self.m // size)
        strands = list(fast._blocks(self.m, -(-n_blocks // STRANDS) * size))
        with fast._one_blas_thread():
            parts = list(map(strand, strands) if self.pool is None else self.pool.map(strand, strands))
        return [sum(values[1:], start=values[0]) for values in zip(*parts, strict=True)]

    def _phi(self, kind: str, block: slice, size: int) -> NDArray:
        """Monomials of a block: (p, b)."""
        z = self._z(block)
        d, b = z.shape
        p = {"full": d * (d + 1) // 2, "diag": d, "spherical": 1, "tied": 0}[kind] + d + 1
        phi = self._buffer("phi", (p, size))[:, :b]
        if kind == "full":
            row = 0
            for i in range(d):
                np.multiply(z[i], z[i:], out=phi[row : row + d - i])
                row += d - i
        elif kind == "diag":
            np.multiply(z, z, out=phi[:d])
        elif kind == "spherical":
            np.einsum("ij,ij->j", z, z, out=phi[0])
        phi[-1 - d : -1] = z
        phi[-1] = 1
        return phi

    def _responsible(self, joint: NDArray, block: slice) -> float:
        """In place, from log of weight times density (k, b) to responsibilities times weights; returns sum w log p."""
        largest = joint.max(axis=0)
        joint -= largest
        np.exp(joint, out=joint)
        total = joint.sum(axis=0)
        largest += np.log(total)
        if self.weights is None:
            np.divide(1.0, total, out=total)
            value = largest.sum()
        else:
            np.divide(self.weights[block], total, out=total)
            value = self.weights[block] @ largest
        joint *= total
        return float(value)

    def _sums(self, kind: str, coefficients: NDArray) -> list:
        """Sum of w log p (without the constant), and R phi^T: (k, p)."""
        k, p = coefficients.shape
        size = min(self._size(k + p), self.m)

        def work(block):
            phi = self._phi(kind, block, size)
            joint = self._buffer("joint", (k, size))[:, : phi.shape[1]]
            np.matmul(coefficients, phi, out=joint)
            value = self._responsible(joint, block)
            return value, joint @ phi.T

        return self._over_blocks(work, size)

    def _white_joint(self, z: NDArray, white: tuple) -> NDArray:
        """Log of weight times density of a block, component by component: (k, b)."""
        kind, means, factors, peak = white
        joint = np.empty((len(means), z.shape[1]))
        for j, mean in enumerate(means):
            y = z - mean[:, None]
            y = factors[j % len(factors)] @ y if kind in ("full", "tied") else y * factors[j][:, None]
            np.einsum("ij,ij->j", y, y, out=joint[j])
            joint[j] *= -0.5
            joint[j] += peak[j % len(peak)]
        return joint

    def _careful_moments(self, white: tuple) -> tuple[float, NDArray, NDArray, NDArray]:
        """Sum of w log p, mass, means and covariances of z, by differences from the old means."""
        kind, means, _, _ = white
        k, d = means.shape
        matrices = kind in ("full", "tied")

        def work(block):
            z = self._z(block)
            r = self._white_joint(z, white)
            value = self._responsible(r, block)
            first, second = np.empty((k, d)), np.empty((k, d, d) if matrices else (k, d))
            for j, mean in enumerate(means):
                y = z - mean[:, None]
                ry = r[j] * y
                first[j] = ry.sum(axis=1)
                second[j] = ry @ y.T if matrices else np.einsum("ij,ij->i", ry, y)
            return value, r.sum(axis=1), first, second

        log_sum, mass, first, second = self._over_blocks(work, self._size(k + 3 * d))
        return log_sum, *self._careful_finish(kind, means, mass, first, second)


class TorchPoints(Base):
    """The same with PyTorch, block by block; a GPU takes large ones.

    The points move to the device as a whole where they fit into half of its free memory, else block by block. float64
    but on Apple's MPS, which has none: there float32, and so the careful way sooner.
    """

    def __init__(self, x: NDArray, weights: NDArray | None, k: int, device: str):
        import torch

        self.torch = torch
        self.device = torch.device(device)
        self.n = self.m = len(x)
        self.d = x.shape[1]
        self.float = torch.float32 if self.device.type == "mps" else torch.float64
        self.epsilon = torch.finfo(self.float).eps
        with fast._one_blas_thread():
            plain = Points(x, weights, 0)  # for the moments of all points; k = 0: stores nothing
        for name in ("total", "shift", "scale", "reach", "center", "spread", "varies"):
            setattr(self, name, getattr(plain, name))
        self.x = np.ascontiguousarray(x)
        self.weights = None if weights is None else torch.from_numpy(weights)
        points = torch.from_numpy(self.x if self.x.dtype != np.uint16 else self.x.astype(np.int32))
        if self.device.type != "cuda" or 2 * self.n * self.d * 8 < torch.cuda.mem_get_info(self.device)[0]:
            points = self._there(points)
        self.points = points
        self.shift_there, self.upper = self._there(self.shift), np.triu_indices(self.d)

    def _there(self, array):
        """On the device, as floating point numbers."""
        if isinstance(array, np.ndarray):
            array = self.torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "mps":
            return array.to(self.float).to(self.device)
        return array.to(self.device, self.float)

    def _blocks(self, width: int):
        """Points at a time whose arrays of `width` columns have at most TORCH_NUMBERS numbers: (slice, z (b, d))."""
        for block in fast._blocks(self.m, max(1, TORCH_NUMBERS // width)):
            yield block, (self._there(self.points[block]) - self.shift_there) / self.scale

    def _phi(self, kind: str, z):
        """Monomials: (b, p)."""
        ones = self.torch.ones_like(z[:, :1])
        if kind == "full":
            squares = [z[:, self.upper[0]] * z[:, self.upper[1]]]
        else:
            squares = {"diag": [z**2], "spherical": [(z**2).sum(dim=1, keepdim=True)], "tied": []}[kind]
        return self.torch.cat([*squares, z, ones], dim=1)

    def _responsible(self, joint, block: slice):
        """Sum of w log p, and responsibilities times weights (b, k)."""
        density = joint.logsumexp(dim=1)  # (b,)
        r = (joint - density[:, None]).exp()
        if self.weights is None:
            return float(density.sum()), r
        w = self._there(self.weights[block])
        return float(w @ density), r * w[:, None]

    def _sums(self, kind: str, coefficients: NDArray) -> tuple[float, NDArray]:
        c = self._there(coefficients)
        log_sum, sums = 0.0, np.zeros(coefficients.shape)
        for block, z in self._blocks(sum(coefficients.shape)):
            phi = self._phi(kind, z)
            value, r = self._responsible(phi @ c.T, block)
            log_sum += value
            sums += (r.T @ phi).cpu().numpy()
        return log_sum, sums

    def _white_there(self, mixture) -> tuple:
        kind, means, factors, peak = self._white(mixture)
        return kind, self._there(means), self._there(factors), self._there(peak)

    def _white_joint(self, z, white: tuple):
        """Log of weight times density of a block: (b, k)."""
        kind, means, factors, peak = white
        distances = []
        for j, mean in enumerate(means):
            y = z - mean
            y = y @ factors[j % len(factors)].T if kind in ("full", "tied") else y * factors[j]
            distances.append((y**2).sum(dim=1))
        return peak - 0.5 * self.torch.stack(distances, dim=1)

    def _careful_moments(self, white: tuple) -> tuple[float, NDArray, NDArray, NDArray]:
        """As in `Points`."""
        kind, means, factors, peak = white
        k, d = means.shape
        matrices = kind in ("full", "tied")
        there = kind, self._there(means), self._there(factors), self._there(peak)
        log_sum, mass, first = 0.0, np.zeros(k), np.zeros((k, d))
        second = np.zeros((k, d, d) if matrices else (k, d))
        for block, z in self._blocks(k + 3 * d):
            value, r = self._responsible(self._white_joint(z, there), block)
            log_sum += value
            mass += r.sum(dim=0).cpu().numpy()
            for j in range(k):
                y = z - there[1][j]
                ry = y * r[:, j : j + 1]
                first[j] += ry.sum(dim=0).cpu().numpy()
                second[j] += (ry.T @ y if matrices else (ry * y).sum(dim=0)).cpu().numpy()
        return log_sum, *self._careful_finish(kind, means, mass, first, second)

    def labels(self, mixture) -> NDArray[np.int32]:
        """The component with the largest responsibility: (n,)."""
        labels = np.empty(self.n, np.int32)
        white = self._white_there(mixture)
        for block, z in self._blocks(mixture.k + 2 * self.d):
            labels[block] = self._white_joint(z, white).argmax(dim=1).cpu().numpy()
        return labels

    def worst(self, mixture) -> NDArray:
        """The point with the smallest density, (d,)."""
        smallest, place = np.inf, 0
        white = self._white_there(mixture)
        for block, z in self._blocks(mixture.k + 2 * self.d):
            density = self._white_joint(z, white).logsumexp(dim=1)
            at = int(density.argmin())
            if float(density[at]) < smallest:
                smallest, place = float(density[at]), block.start + at
        return self.x[place].astype(np.float64)


def _reduced(covariance: NDArray, kind: str) -> NDArray:
    """A covariance matrix (d, d) as one component of that kind holds it."""
    if kind in ("full", "tied"):
        return covariance
    variances = np.diagonal(covariance)
    return variances if kind == "diag" else variances.mean()
