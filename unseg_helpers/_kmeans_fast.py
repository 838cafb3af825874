"""What makes `unseg_helpers.kmeans` fast without changing its result. Private: read `kmeans.py` first.

`Points` holds the data and answers the questions of Lloyd's loop (who is nearest, what are the means, what is the
inertia). Its labels are those that `assign` and `update` of `kmeans.py` give in float64: where float32 cannot tell
which of two centers is nearer, the point is looked at once more in float64. The shortcuts:

1.  Equal rows are merged into one row with a weight. An 8-bit photo has half as many colors as pixels, or fewer.
2.  A point is looked at again only when the centers moved so far that its label could have changed (`margin`, after
    Hamerly [1]_): the triangle inequality proves for all others that nothing happens.
3.  The sums of the clusters are corrected by the points that changed sides, instead of summed again. They are kept
    in float64.
4.  The inertia follows from these sums: sum w |x|^2 - 2 sum c_j . S_j + sum W_j |c_j|^2 costs O(k d), not O(n d).
5.  Points are handled in blocks that stay in the cache. Few features are stored feature by feature, so that each step
    runs along long rows; many features are read where they lie, without a copy.

`TorchPoints` answers the same questions with PyTorch, for a GPU.

Notation: n points, m rows after merging, d features, k clusters; c_j center, S_j sum and W_j weight of cluster j.

References
----------
.. [1] G. Hamerly, "Making k-means even faster", SIAM International Conference on Data Mining, 2010.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

FEW_FEATURES = 16  # up to here the points are copied feature by feature, (d, m)
BLOCK_ROWS = 16384  # points looked at together
BLOCK_SCORES = 1 << 18  # numbers in one (k, block) array of scores: 1 MB of float32, about one L2 cache
CACHED_ROWS = 512  # rows of many features that stay in the cache between two steps
MERGE_FEATURES = 4  # with more features than this, equal rows are too rare to look for
SAME = 1e-12  # closer than this part of its length, a point counts as being at its center


def float_type(x: NDArray) -> np.dtype:
    """The type to compute in: float32 for float32 and small integers (uint8 images), float64 for the rest."""
    return np.result_type(x.dtype, np.float32)


def merge_equal_rows(x: NDArray) -> tuple[NDArray, NDArray, NDArray] | None:
    """Sort the rows so that equal ones are neighbors: (n, d) -> order (n,), first (m,), counts (m,).

    ``x[order]`` is sorted by a 64-bit key of the row; ``order[first]`` are the m different rows, each of which occurs
    `counts` times. Key and row number share one integer, so that a single sort of integers does it all. A row of up
    to four bytes is its own key; for floating point rows the key is a hash, and rows are compared before they are
    called equal: two different rows with one key at worst hide an equality. None where merging does not pay.
    """
    n, d = x.shape
    size = x.dtype.itemsize
    if n < 1024 or d > MERGE_FEATURES or size not in (1, 4, 8):
        return None
    bits = x.view(f"u{size}")
    index_bits = n.bit_length()
    exact = size == 1 and 8 * d + index_bits <= 64
    mask = np.uint64((1 << index_bits) - 1)
    key = np.zeros(n, np.uint64)
    for block in _blocks(n, BLOCK_ROWS):
        part = key[block]
        for j in range(d):
            column = bits[block, j]
            if size == 8:
                column = column ^ (column >> np.uint64(32))  # round numbers differ in their upper bits only
            factor = 1 << (64 - 8 * (j + 1)) if exact else _HASH_FACTORS[j]
            part += column * np.uint64(factor)  # wraps around, as it should
        part &= ~mask
        part |= np.arange(block.start, block.stop, dtype=np.uint64)
    key.sort()

    order = (key & mask).astype(np.int32 if n < 1 << 31 else np.int64)
    is_first = np.ones(n, bool)
    key >>= np.uint64(index_bits)
    np.not_equal(key[1:], key[:-1], out=is_first[1:])
    del key
    if not exact and np.count_nonzero(is_first) <= 0.8 * n:
        for j in range(d):
            column = x[:, j][order]
            is_first[1:] |= column[1:] != column[:-1]
    if np.count_nonzero(is_first) > 0.8 * n:
        return None
    first = np.flatnonzero(is_first)
    return order, first, np.diff(first, append=n).astype(order.dtype)


_HASH_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)  # odd, well mixed


class Statistics:
    """What follows from the sums S_j, the weights W_j and the number of rows of each cluster."""

    def means(self, centers: NDArray) -> NDArray:
        """The mean of each cluster, (k, d) float64; an empty one takes the point farthest from its center.

        Where every point already lies at its center (fewer different points than k), it stays where it is.
        """
        empty = self.members == 0
        means = np.array(centers, dtype=np.float64)
        means[~empty] = self.sums[~empty] / self.mass[~empty, None]
        if empty.any():
            distance = self._own_distances(means)
            distance[distance <= SAME**2 * self.squared_norms()] = 0
            for j in np.flatnonzero(empty):
                far = int(distance.argmax())
                if distance[far] == 0:
                    break
                means[j] = self.rows(np.array([far]))[0]
                np.minimum(distance, self._distances_to(means[j]), out=distance)
        return means

    def inertia(self, centers: NDArray) -> float:
        """Weighted sum of the squared distances to the own centers."""
        c = np.asarray(centers, dtype=np.float64) - self.shift
        sums = self.sums - self.mass[:, None] * self.shift
        value = self.total - 2 * (c * sums).sum() + self.mass @ (c**2).sum(axis=1)
        if value <= 1e-3 * self.total:  # too few digits are left of the difference: sum point by point
            distance = self._own_distances(np.asarray(centers, dtype=np.float64))
            value = distance.sum() if self.weights is None else self.weights @ distance
        return float(value)

    def squared_distances_to(self, index: int) -> NDArray:
        """From one row to all: (m,)."""
        distance = np.empty(self.m, self.dtype)
        for block, part in self._distance_blocks(np.array([index])):
            distance[block] = part[0]
        distance[index] = 0
        return distance

    def potentials(self, index: NDArray, closest: NDArray) -> NDArray[np.float64]:
        """For each of the rows `index`: the inertia that would be left if it became one more center, (l,)."""
        left = np.zeros(len(index))
        for block, part in self._distance_blocks(index):
            np.minimum(part, closest[block], out=part)
            left += part.sum(axis=1) if self.weights is None else part @ self.weights[block].astype(part.dtype)
        return left


class Points(Statistics):
    """The points of one k-means problem, with what is known about their labels.

    Parameters
    ----------
    x : array of shape (n, d), finite
        Not copied when d > 16.
    weights : array of shape (n,), positive, or None
    """

    def __init__(self, x: NDArray, weights: NDArray | None = None):
        self.n, self.d = x.shape
        self.dtype = float_type(x)
        self.x = x
        self.weights = weights
        self.row = None  # number of each row in x, where equal ones are merged
        merged = merge_equal_rows(x)
        if merged is not None:
            self.order, first, self.counts = merged
            self.row = self.order[first]
            self.weights = self.counts if weights is None else np.add.reduceat(weights[self.order], first)
            del merged, first
        self.m = self.n if self.row is None else len(self.row)
        self.shift = middle(x, self.dtype)

        self.few = self.d <= FEW_FEATURES
        self.shift_in_scores = False
        self.sq = np.empty(self.m, self.dtype)  # |x - shift|^2
        if self.few:
            self.columns = np.empty((self.d, self.m), self.dtype)
            for j in range(self.d):
                np.subtract(x[:, j] if self.row is None else x[self.row, j], self.shift[j], out=self.columns[j])
            with np.errstate(over="ignore"):
                np.einsum("ij,ij->j", self.columns, self.columns, out=self.sq)
        else:
            self.pool = ThreadPoolExecutor(_blas_threads())
            list(self.pool.map(self._measure, _blocks(self.m, CACHED_ROWS * 8)))
            # Where the shift is small, (x - shift).c = x.c - shift.c loses nothing, and x is used as it lies there.
            self.shift_in_scores = x.dtype == self.dtype and self.shift @ self.shift <= self.sq.mean()
        self.total = self._total()
        check_overflow(self.sq.max(), self.dtype)
        self.forget()

    def forget(self) -> None:
        """Start again, without labels."""
        self.label_of_row = None

    # ---- the questions of Lloyd's loop ------------------------------------------------------------------------

    def assign(self, centers: NDArray) -> int:
        """Give each point the label of its nearest center; returns how many rows changed their label."""
        centers = np.asarray(centers, dtype=np.float64)
        k = len(centers)
        self.first_time = self.label_of_row is None
        if self.first_time:
            self.label_of_row = np.empty(self.m, np.uint8 if k <= 256 else np.uint16 if k <= 65536 else np.uint32)
            self.margin = np.empty(self.m, self.dtype)
            self.drift = 0.0  # how much nearer one center may have come than another since the first time
            self.sums, self.mass, self.members = np.zeros((k, self.d)), np.zeros(k), np.zeros(k, np.int64)
            size = min(int(np.clip(BLOCK_SCORES // k, 256, BLOCK_ROWS)), self.m)
            self.scores = np.empty((k, size), self.dtype)
            self.floats = np.empty((4, size), self.dtype)
            self.integers = np.empty((2, size), self.label_of_row.dtype)
            look = slice(0, self.m)
        else:
            # The own center went away by at most the largest step, another one came nearer by at most that.
            step = np.sqrt(((centers - self.last_centers) ** 2).sum(axis=1).max())
            self.drift += 2 * step * (1 + 1e-6)
            look = np.flatnonzero(self.margin <= self.dtype.type(self.drift))
            if len(look) > self.m // 2:
                look = slice(0, self.m)  # reading on is cheaper than jumping
        self.last_centers = centers

        c = centers - self.shift
        c_sq = (c**2).sum(axis=1)
        # Rounding of |x|^2 - 2 x.c + |c|^2: a few units in the last place of its largest term, more for long sums.
        self.unit = (8 + np.sqrt(self.d)) * np.finfo(self.dtype).eps
        self.reach = c_sq.max()
        if self.shift_in_scores:
            self.reach += self.shift @ self.shift
            c_sq += 2 * (c @ self.shift)
        self.factor = (-2 * c).astype(self.dtype)
        self.constant = c_sq.astype(self.dtype)
        with _one_blas_thread():  # a product of a few features is over before a second thread wakes up
            return sum(self._look_at(at) for at in _parts(look, self.scores.shape[1]))

    def _look_at(self, at: NDArray | slice) -> int:
        """Assign a block of rows, and bring the sums up to date; returns how many changed their label."""
        scores = self._scores(at)  # (k, b): squared distances without |x|^2
        b = scores.shape[1]
        best, second, third, error = self.floats[:, :b]
        label, winner = self.integers[:, :b]
        closer = winner.view(bool)[:b] if winner.itemsize == 1 else np.empty(b, bool)
        np.add(scores[0], self.constant[0], out=best)
        second.fill(np.inf)
        label.fill(0)
        for j in range(1, len(scores)):  # k steps along long rows: faster than argmin and partition across them
            score = np.add(scores[j], self.constant[j], out=scores[j])
            np.less(score, best, out=closer)
            np.multiply(closer.view(np.uint8), label.dtype.type(j), out=winner)
            np.maximum(label, winner, out=label)
            np.minimum(second, np.maximum(best, score, out=third), out=second)
            np.minimum(best, score, out=best)

        # margin = distance to the second center - distance to the nearest, each rounded to the safe side
        sq = _take(self.sq, at)
        np.multiply(sq, self.dtype.type(self.unit), out=error)
        error += self.dtype.type(self.unit * self.reach)
        best += sq
        best += error
        second += sq
        second -= error
        np.sqrt(np.maximum(best, 0, out=best), out=best)
        np.sqrt(np.maximum(second, 0, out=second), out=second)
        margin = np.subtract(second, best, out=second)
        unsure = np.flatnonzero(margin <= 0)  # rounding could have decided: once more, exactly
        margin += self.dtype.type(self.drift)
        self.margin[at] = margin
        if len(unsure):
            label[unsure] = nearest_exactly(self._original(_within(at, unsure)), self.last_centers)

        if self.first_time:
            self.label_of_row[at] = label
            self._change_sums(at, label, None)
            return len(label)
        old = self.label_of_row[at]
        changed = np.flatnonzero(old != label)
        if len(changed):
            at, label, old = _within(at, changed), label[changed], old[changed]
            self.label_of_row[at] = label
            self._change_sums(at, label, old)
        return len(changed)

    def labels(self) -> NDArray[np.int32]:
        """Labels of the n points, (n,)."""
        if self.row is None:
            return self.label_of_row.astype(np.int32)
        labels = np.empty(self.n, np.int32)
        labels[self.order] = np.repeat(self.label_of_row, self.counts)
        return labels

    # ---- for the seeding --------------------------------------------------------------------------------------

    def rows(self, index: NDArray) -> NDArray:
        """The points themselves, (len(index), d)."""
        return self._original(index).astype(self.dtype)

    def _distance_blocks(self, index: NDArray):
        """Block by block, squared distances from the rows `index`: (l, b). What is zero up to rounding is zero."""
        y = self._shifted(index)  # (d, l)
        y_sq = self.sq[index]
        zero = 8 * np.finfo(self.dtype).eps
        factor = np.ascontiguousarray(-2 * y.T)
        with _one_blas_thread():
            for block in _blocks(self.m, BLOCK_ROWS if self.few else CACHED_ROWS):
                part = factor @ self._shifted(block)
                sq = self.sq[block]
                part += sq
                part += y_sq[:, None]
                part *= part > zero * (sq + y_sq.max())
                yield block, part

    # ---- steps ------------------------------------------------------------------------------------------------

    def _original(self, at: NDArray | slice) -> NDArray:
        """Rows as they came, (b, d)."""
        return _take(self.x, at if self.row is None else self.row[at])

    def _shifted(self, at: NDArray | slice) -> NDArray:
        """Points less the shift, (d, b)."""
        if self.few:
            return self.columns[:, at] if isinstance(at, slice) else np.take(self.columns, at, axis=1)
        return np.subtract(_take(self.x, at), self.shift, dtype=self.dtype).T

    def _measure(self, block: slice) -> None:
        """|x - shift|^2 of many features."""
        for part in _parts(block, CACHED_ROWS):
            y = self._shifted(part)
            np.einsum("ij,ij->j", y, y, out=self.sq[part])

    def _total(self) -> float:
        """Sum of w |x - shift|^2 in float64; among many numbers the roundings of `sq` cancel out."""
        if not self.few and self.m * self.d > 1 << 18:
            return float(self.sq.sum(dtype=np.float64) if self.weights is None else self.weights @ self.sq)
        total = 0.0
        for block in _blocks(self.m, BLOCK_ROWS):
            for column in self._shifted(block):
                column = column.astype(np.float64)
                total += column @ (column if self.weights is None else column * self.weights[block])
        return float(total)

    def _scores(self, at: NDArray | slice) -> NDArray:
        """-2 x.c for a block of points: (k, b), valid until the next call."""
        size = _length(at)
        scores = self.scores[:, :size]
        if self.few:
            return np.matmul(self.factor, self._shifted(at), out=scores)

        def product(part):
            for piece in _parts(part, CACHED_ROWS):
                here = _within(at, piece)
                y = _take(self.x, here).T if self.shift_in_scores else self._shifted(here)
                np.matmul(self.factor, y, out=scores[:, piece])

        list(self.pool.map(product, _blocks(size, -(-size // self.pool._max_workers))))
        return scores

    def _change_sums(self, at: NDArray | slice, new: NDArray, old: NDArray | None) -> None:
        """Rows move from the clusters `old` to `new`: one product with a matrix of ones and minus ones."""
        k = len(self.members)
        numbers = np.arange(k, dtype=self.label_of_row.dtype)[:, None]
        self.members += np.bincount(new, minlength=k)
        if old is not None:
            self.members -= np.bincount(old, minlength=k)

        def part_of_sums(part):
            here = _within(at, part)
            change = (numbers == new[part]).astype(np.float64)  # (k, b)
            if old is not None:
                change -= numbers == old[part]
            if self.weights is not None:
                change *= self.weights[here]
            return change @ self._original(here).astype(np.float64), change.sum(axis=1)

        parts = _blocks(len(new), 8 * CACHED_ROWS if self.few else CACHED_ROWS)
        for sums, mass in map(part_of_sums, parts) if self.few else self.pool.map(part_of_sums, parts):
            self.sums += sums
            self.mass += mass
        gone = self.members == 0
        self.sums[gone] = 0  # exactly, whatever rounding has left
        self.mass[gone] = 0

    def squared_norms(self) -> NDArray:
        """|x - shift|^2, (m,)."""
        return self.sq

    def _own_distances(self, centers: NDArray) -> NDArray[np.float64]:
        """Squared distance of each row to its own center, by differences: (m,)."""
        distance = np.empty(self.m)
        for block in _blocks(self.m, CACHED_ROWS):
            gap = self._original(block) - centers[self.label_of_row[block]]
            np.einsum("ij,ij->i", gap, gap, out=distance[block])
        return distance

    def _distances_to(self, center: NDArray) -> NDArray[np.float64]:
        """Squared distance of each row to one center, by differences: (m,)."""
        distance = np.empty(self.m)
        for block in _blocks(self.m, CACHED_ROWS):
            gap = self._original(block) - center
            np.einsum("ij,ij->i", gap, gap, out=distance[block])
        return distance


class TorchPoints(Statistics):
    """The same with PyTorch: each step looks at all points again, which a GPU does quickly.

    The points move to the device as a whole where they fit into half of its free memory, else block by block.
    Labels that float32 cannot decide are decided in float64 as above, and the sums are float64 (on Apple's MPS,
    which has no float64, float32 over at most 4,096 rows at a time).
    """

    def __init__(self, x: NDArray, weights: NDArray | None, device: str):
        import torch

        self.torch = torch
        self.device = torch.device(device)
        self.m, self.d = x.shape
        self.x = np.ascontiguousarray(x)
        self.weights = weights
        mps = self.device.type == "mps"
        self.dtype = np.dtype(np.float32) if mps else float_type(x)
        self.float = torch.float32 if self.dtype == np.float32 else torch.float64
        self.precise = torch.float32 if mps else torch.float64
        self.sum_rows = 4096 if mps else 1 << 30
        self.shift = middle(x, self.dtype)
        self.shift_there = torch.from_numpy(self.shift).to(self.device)
        self.points = torch.from_numpy(self.x)
        if self.device.type != "cuda" or self.x.nbytes < torch.cuda.mem_get_info(self.device)[0] / 2:
            self.points = self.points.to(self.device)
        self.sq = np.empty(self.m)
        for block in _blocks(self.m, self._size(self.d)):
            self.sq[block] = (self._shifted(block) ** 2).sum(dim=1).cpu().numpy()
        self.total = float(self.sq.sum() if weights is None else weights @ self.sq)
        check_overflow(self.sq.max(), self.dtype)
        self.forget()

    def forget(self) -> None:
        """Start again, without labels."""
        self.label_of_row = None

    def assign(self, centers: NDArray) -> int:
        """Give each point the label of its nearest center; returns how many changed their label."""
        torch = self.torch
        k = len(centers)
        centers = np.asarray(centers, dtype=np.float64)
        c = centers - self.shift
        reach = (c**2).sum(axis=1).max()
        unit = (8 + np.sqrt(self.d)) * np.finfo(self.dtype).eps
        c_sq = torch.from_numpy((c**2).sum(axis=1).astype(self.dtype)).to(self.device)
        factor = torch.from_numpy(c.T.astype(self.dtype)).to(self.device)
        self.sums, self.mass, self.members = np.zeros((k, self.d)), np.zeros(k), np.zeros(k, np.int64)
        labels = np.empty(self.m, np.int32)
        for block in _blocks(self.m, self._size(max(k, self.d))):
            y = self._shifted(block)  # (b, d)
            scores = torch.addmm(c_sq, y, factor, alpha=-2)  # (b, k)
            if k > 1:
                two, place = scores.topk(2, dim=1, largest=False)
                gap = (two[:, 1] - two[:, 0]).cpu().numpy()
                label = place[:, 0]
                unsure = np.flatnonzero(gap <= 2 * unit * (self.sq[block] + reach))
                if len(unsure):
                    exact = nearest_exactly(self.x[block][unsure], centers)
                    label[torch.from_numpy(unsure).to(self.device)] = torch.from_numpy(exact).to(self.device)
            else:
                label = torch.zeros(len(y), dtype=torch.int64, device=self.device)
            labels[block] = label.cpu().numpy()
            self.members += np.bincount(labels[block], minlength=k)
            for part in _blocks(len(y), self.sum_rows):
                ones = torch.nn.functional.one_hot(label[part], k).to(self.precise)
                if self.weights is not None:
                    weights = torch.from_numpy(self.weights[_within(block, part)])
                    ones *= weights.to(self.device, self.precise)[:, None]
                self.sums += (ones.T @ y[part].to(self.precise)).cpu().numpy()
                self.mass += ones.sum(dim=0).cpu().numpy()
        self.sums += self.mass[:, None] * self.shift
        changed = self.m if self.label_of_row is None else np.count_nonzero(labels != self.label_of_row)
        self.label_of_row = labels
        return changed

    def labels(self) -> NDArray[np.int32]:
        """Labels of the points, (n,)."""
        return self.label_of_row.copy()

    def rows(self, index: NDArray) -> NDArray:
        """The points themselves, (len(index), d)."""
        return self.x[index].astype(self.dtype)

    def _distance_blocks(self, index: NDArray):
        """Block by block, squared distances from the rows `index`: (l, b). What is zero up to rounding is zero."""
        rows = self.torch.from_numpy(self.x[index]).to(self.device, self.float) - self.shift_there
        zero = 8 * np.finfo(self.dtype).eps
        y_sq = self.sq[index].astype(self.dtype)
        for block in _blocks(self.m, self._size(max(len(index), self.d))):
            part = (-2 * rows @ self._shifted(block).T).cpu().numpy()
            sq = self.sq[block].astype(self.dtype)
            part += sq
            part += y_sq[:, None]
            part *= part > zero * (sq + y_sq.max())
            yield block, part

    def squared_norms(self) -> NDArray:
        """|x - shift|^2, (m,)."""
        return self.sq

    def _size(self, width: int) -> int:
        """Rows of a block whose arrays of `width` columns have at most 2^24 numbers (64 MB of float32)."""
        return max(1, (1 << 24) // width)

    def _shifted(self, block: slice):
        """Points less the shift on the device, (b, d)."""
        return self.points[block].to(self.device, self.float) - self.shift_there

    def _own_distances(self, centers: NDArray) -> NDArray[np.float64]:
        """Squared distance of each point to its own center, by differences: (m,)."""
        c = self.torch.from_numpy(centers - self.shift).to(self.device, self.precise)
        labels = self.torch.from_numpy(self.label_of_row)
        distance = np.empty(self.m)
        for block in _blocks(self.m, self._size(self.d)):
            gap = self._shifted(block).to(self.precise) - c[labels[block].to(self.device)]
            distance[block] = (gap**2).sum(dim=1).cpu().numpy()
        return distance

    def _distances_to(self, center: NDArray) -> NDArray[np.float64]:
        """Squared distance of each point to one center, by differences: (m,)."""
        c = self.torch.from_numpy(center - self.shift).to(self.device, self.precise)
        distance = np.empty(self.m)
        for block in _blocks(self.m, self._size(self.d)):
            gap = self._shifted(block).to(self.precise) - c
            distance[block] = (gap**2).sum(dim=1).cpu().numpy()
        return distance


def middle(x: NDArray, dtype: np.dtype) -> NDArray:
    """A point near the middle, (d,).

    |x|^2 - 2 x.c + |c|^2 loses digits when the points are far from the origin, so they are shifted by it. Any point
    near the middle will do: a sample is enough, and whole numbers stay whole.
    """
    shift = x[:: max(1, len(x) // 1024)].mean(axis=0, dtype=np.float64)
    return (np.round(shift) if np.issubdtype(x.dtype, np.integer) else shift).astype(dtype)


def nearest_exactly(x: NDArray, centers: NDArray) -> NDArray[np.intp]:
    """Labels by differences in float64; of equally near centers the first wins: (b, d), (k, d) -> (b,)."""
    labels = np.empty(len(x), np.intp)
    for part in _blocks(len(x), CACHED_ROWS):
        rows = x[part].astype(np.float64)
        distance = np.empty((len(centers), len(rows)))
        for j, center in enumerate(centers):
            gap = rows - center
            np.einsum("ij,ij->i", gap, gap, out=distance[j])
        labels[part] = distance.argmin(axis=0)
    return labels


def check_overflow(largest_square: float, dtype: np.dtype) -> None:
    """Squares of finite numbers may still be too large for their type."""
    if not largest_square < np.finfo(dtype).max / 64:
        raise ValueError(
            f"x holds numbers so large that their squares overflow {dtype}; scale x, for example by x / abs(x).max()"
        )


# ---- blocks of rows: a slice or an array of row numbers ---------------------------------------------------------


def _blocks(n: int, size: int):
    """slice(0, size), slice(size, 2 * size), ... up to n."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _parts(at: NDArray | slice, size: int):
    """Cut a block into blocks of at most `size` rows."""
    return (_within(at, part) for part in _blocks(_length(at), size))


def _within(at: NDArray | slice, part: NDArray | slice) -> NDArray | slice:
    """The rows `part` of the block `at`, counted from the first row of all."""
    if not isinstance(at, slice):
        return at[part]
    if isinstance(part, slice):
        return slice(at.start + part.start, at.start + part.stop)
    return at.start + part


def _length(at: NDArray | slice) -> int:
    return at.stop - at.start if isinstance(at, slice) else len(at)


def _take(x: NDArray, at: NDArray | slice) -> NDArray:
    return x[at] if isinstance(at, slice) else np.take(x, at, axis=0)


# ---- threads ----------------------------------------------------------------------------------------------------


@cache
def _blas():
    """The linear algebra libraries of this process (scikit-learn brings threadpoolctl)."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _one_blas_thread():
    return _blas().limit(limits=1)


def _blas_threads() -> int:
    """How many threads the user grants to linear algebra (OMP_NUM_THREADS and its like are obeyed)."""
    return max([1, *(library["num_threads"] for library in _blas().info())])
