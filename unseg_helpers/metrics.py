"""Scores for segmentations without class names.

A method without labels may call the sky 0 or 7. So every score here starts from the same small table: how many pixels
each true segment shares with each predicted cluster. From it follow intersection over union, matchings, coverings and
entropies; only the boundary scores look at the image plane again.

Notation: S true segments (or classes), K predicted clusters, N scored pixels; n[s, k] pixels that carry both labels.

Conventions that hold for every function:

* Arguments come in the order (true, pred): integer or bool label maps of equal shape, any number of axes.
* Labels are 0, 1, 2, ...; gaps are fine. A label that no scored pixel carries is absent: it takes no part in any score.
* Pixels whose *true* label is ``ignore`` are left out first. When no pixel is left there is nothing to score, and the
  score is NaN (average over images with ``np.nanmean``).
* The pixels of a data set can be pooled into one score by stacking the maps; that is not the mean over images.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_TABLE_CELLS = 2**26  # 512 MB of counts; label maps that need more hold ids, not labels


# --- From two label maps to one table --------------------------------------------------------------------------------


def confusion(
    true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None, shape: tuple[int, int] | None = None
) -> NDArray[np.int64]:
    """Count the pixels of every pair (true label, predicted label).

    One pass over the pixels: the pair (s, k) becomes the key ``s * K + k``, and ``np.bincount`` counts keys.

    Parameters
    ----------
    true, pred : integer or bool arrays of equal shape
        Label maps, labels from 0.
    ignore : int or None
        Pixels with this true label are not counted. It may be negative, and then it is no row of the table.
    shape : (S, K) or None
        Size of the table; None takes the largest labels plus one. Give it to add up the tables of several images.

    Returns
    -------
    array of shape (S, K), int64
        Entry (s, k): pixels with true label s and predicted label k. Rows of absent labels are zero.

    Raises
    ------
    ValueError
        If the shapes differ, a label is negative or does not fit into ``shape``, or the table would be huge.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> confusion([0, 0, 1, 1], [2, 2, 2, 0])
    array([[0, 0, 2],
           [1, 0, 1]])
    """
    true, pred = _label_maps(true, pred, ignore)
    if shape is None:
        n_true, n_pred = (int(labels.max()) + 1 if labels.size else 0 for labels in (true, pred))
    else:
        n_true, n_pred = (operator.index(n) for n in shape)
        for name, labels, n in (("true", true, n_true), ("pred", pred, n_pred)):
            if labels.size and labels.max() >= n:
                raise ValueError(f"{name} holds label {labels.max()}, but shape={tuple(shape)} has room for 0..{n - 1}")
    if n_true * n_pred > MAX_TABLE_CELLS:
        raise ValueError(
            f"labels up to {n_true - 1} (true) and {n_pred - 1} (pred) need a table of {n_true} x {n_pred} counts; "
            "number them from 0 first: labels = np.unique(labels, return_inverse=True)[1]"
        )
    # Widen before multiplying: 20 * 21 + 20 does not fit into uint8 and would wrap around silently.
    key = np.multiply(true, n_pred, dtype=np.intp, casting="unsafe")
    key += pred.astype(np.intp, copy=False)
    return np.bincount(key, minlength=n_true * n_pred).reshape(n_true, n_pred).astype(np.int64, copy=False)


def iou_matrix(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> NDArray[np.float64]:
    """Intersection over union of every true segment with every cluster.

    ``IoU[s, k] = n[s, k] / (n[s, :] + n[:, k] - n[s, k])``: from 0 (disjoint) to 1 (the same pixels).

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    Returns
    -------
    array of shape (S, K), float64
        Rows and columns are label values, as in `confusion`; a pair of absent labels gets 0.

    Examples
    --------
    >>> iou_matrix([0, 0, 1, 1], [1, 1, 1, 0])
    array([[0.        , 0.66666667],
           [0.5       , 0.25      ]])
    """
    return _iou(confusion(true, pred, ignore=ignore))


def _iou(table: NDArray) -> NDArray[np.float64]:
    """(S, K) counts -> (S, K) intersection over union."""
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table  # (S, K)
    return table / np.maximum(union, 1)  # an empty union has an empty intersection: 0 / 1


def _present(true: ArrayLike, pred: ArrayLike, ignore: int | None) -> tuple[NDArray, NDArray, NDArray]:
    """Confusion table without its empty rows and columns, and the labels of what is left: (S, K), (S,), (K,)."""
    table = confusion(true, pred, ignore=ignore)
    segments, clusters = np.flatnonzero(table.any(axis=1)), np.flatnonzero(table.any(axis=0))
    return table[np.ix_(segments, clusters)], segments, clusters


# --- Matchings: one cluster for one class ----------------------------------------------------------------------------


def match(
    true: ArrayLike, pred: ArrayLike, *, by: Literal["iou", "count"] = "iou", ignore: int | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair true labels with clusters, one to one, so that the summed overlap is largest (Hungarian method).

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.
    by : {"iou", "count"}
        What is summed: intersection over union, or shared pixels. The two can disagree: counts let a large class
        decide, IoU gives every class the same say.

    Returns
    -------
    rows, cols : arrays of shape (min(S, K),)
        Cluster ``cols[i]`` belongs to true label ``rows[i]``; rows ascend. Only labels that occur are paired. Pairs
        without a common pixel can be among them: the matching is as long as possible.

    References
    ----------
    .. [1] H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly, 1955.

    Examples
    --------
    >>> rows, cols = match([0, 0, 1, 1, 2], [5, 5, 3, 3, 3])
    >>> rows, cols
    (array([0, 1]), array([5, 3]))
    """
    table, segments, clusters = _present(true, pred, ignore)
    rows, cols = _assign(table, by)
    return segments[rows], clusters[cols]


def _assign(table: NDArray, by: str) -> tuple[NDArray, NDArray]:
    from scipy.optimize import linear_sum_assignment

    if by not in ("iou", "count"):
        raise ValueError(f'by must be "iou" or "count", got {by!r}')
    return linear_sum_assignment(_iou(table) if by == "iou" else table, maximize=True)


def relabel(true: ArrayLike, pred: ArrayLike, *, by: Literal["iou", "count"] = "iou") -> NDArray[np.int64]:
    """Rename the clusters after the true labels that they match, so that pictures of both share their colors.

    Clusters without a partner get new labels above every true label. The partition itself stays as it is.

    Parameters
    ----------
    true, pred, by
        See `match`.

    Returns
    -------
    array of the shape of ``pred``, int64

    Examples
    --------
    >>> relabel([0, 0, 1, 1], [7, 7, 2, 4])
    array([0, 0, 1, 2])
    """
    true, pred = np.asarray(true), np.asarray(pred)
    rows, cols = match(true, pred, by=by)
    new = np.full(int(pred.max()) + 1, -1, dtype=np.int64)
    new[cols] = rows
    left = np.setdiff1d(pred, cols)  # sorted
    new[left] = int(true.max()) + 1 + np.arange(len(left))
    return new[pred.astype(np.intp, copy=False)]


def matched_accuracy(
    true: ArrayLike, pred: ArrayLike, *, by: Literal["iou", "count"] = "count", ignore: int | None = None
) -> float:
    """Share of pixels that are right after the best one-to-one renaming of the clusters, in [0, 1].

    With ``by="count"`` no other renaming gives more ("clustering accuracy"). Pixels of clusters without a partner are
    wrong, they are not left out.

    Parameters
    ----------
    true, pred, by, ignore
        See `match`.

    Examples
    --------
    >>> matched_accuracy([0, 0, 1, 1, 1], [1, 1, 0, 0, 1])
    0.8
    """
    table, _, _ = _present(true, pred, ignore)
    return float(table[_assign(table, by)].sum() / table.sum()) if table.size else float("nan")


def matched_miou(
    true: ArrayLike, pred: ArrayLike, *, by: Literal["iou", "count"] = "iou", ignore: int | None = None
) -> float:
    """Mean IoU of the true classes, each with the cluster matched to it, in [0, 1].

    The mean runs over the S classes that occur in ``true``. A class without a partner (K < S) counts as 0. A cluster
    without a partner (K > S) counts nothing by itself, but the pixels that it took are missing in their classes.

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.
    by : {"iou", "count"}
        What the matching maximizes. Many papers match by counts, then report IoU: pass ``by="count"`` to compare.

    Examples
    --------
    >>> matched_miou([0, 0, 1, 1], [4, 4, 4, 4])  # the one cluster is half right for one class, nothing for the other
    0.25
    """
    table, segments, _ = _present(true, pred, ignore)
    return float(_iou(table)[_assign(table, by)].sum() / len(segments)) if table.size else float("nan")


# --- Best matches: every region takes the partner it likes most ------------------------------------------------------


@dataclass(frozen=True)
class BestMatches:
    """For each of the K clusters that occur: its label, its pixels, its best true segment, and their IoU; all (K,)."""

    cluster: NDArray[np.intp]
    size: NDArray[np.int64]
    segment: NDArray[np.intp]
    iou: NDArray[np.float64]

    @property
    def best(self) -> float:
        """Largest entry of ``iou``; NaN without clusters."""
        return float(self.iou.max()) if self.iou.size else float("nan")

    @property
    def mean(self) -> float:
        """Mean of ``iou``, all clusters alike; NaN without clusters."""
        return float(self.iou.mean()) if self.iou.size else float("nan")

    def __str__(self) -> str:
        rows = zip(self.cluster, self.size, self.segment, self.iou, strict=True)
        lines = [f"{c:7d} {n:8d} {s:7d} {value:5.2f}" for c, n, s, value in rows]
        return "\n".join(["cluster   pixels segment   IoU", *lines])


def best_match_table(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> BestMatches:
    """For each cluster, the true segment with the largest IoU: the table behind the scene-segmentation paper [1]_.

    Several clusters may choose the same segment, and a segment may be chosen by none. The lower label wins a tie.

    The paper condenses this table into one number per image, and its text admits two readings. Its GMM and CNN columns
    follow `best_cluster_iou` (the best row), its k-means column follows `mean_cluster_iou` (the mean of the rows), as
    far as numbers alone can show. So its columns do not compare with each other; see `covering` for a score to trust.

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    Returns
    -------
    BestMatches
        Arrays of shape (K,); clusters ascend.

    References
    ----------
    .. [1] Shukla, Mehta and Boinpally, "Scene segmentation using unsupervised learning".

    Examples
    --------
    >>> print(best_match_table([1, 1, 1, 2], [0, 0, 3, 3]))
    cluster   pixels segment   IoU
          0        2       1  0.67
          3        2       2  0.50
    """
    table, segments, clusters = _present(true, pred, ignore)
    if not table.size:
        return BestMatches(clusters, np.zeros(0, np.int64), segments, np.zeros(0))
    iou = _iou(table)
    return BestMatches(clusters, table.sum(axis=0), segments[iou.argmax(axis=0)], iou.max(axis=0))


def best_cluster_iou(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """Best row of `best_match_table`: how well the one luckiest cluster fits, in [0, 1].

    All other clusters could be noise. An image cut into very many pieces scores high as soon as one large
    segment (the sky) survives whole.

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    Examples
    --------
    >>> best_cluster_iou([0, 0, 1, 1, 1, 1], [0, 0, 1, 2, 3, 4])  # four of five clusters are crumbs
    1.0
    """
    return best_match_table(true, pred, ignore=ignore).best


def mean_cluster_iou(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """Mean row of `best_match_table`, large and small clusters alike, in [0, 1].

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    Examples
    --------
    >>> mean_cluster_iou([0, 0, 1, 1, 1, 1], [0, 0, 1, 2, 3, 4])  # (1 + 4 * 1/4) / 5
    0.4
    """
    return best_match_table(true, pred, ignore=ignore).mean


def covering(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """How well the clusters cover the true segments, weighted by area, in (0, 1] [1]_.

    ``sum over s of |s| / N * max over k of IoU[s, k]``. It is not symmetric: here the *true* segments are covered.
    On BSDS300 people who cover each other's drawings reach about .7.

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    References
    ----------
    .. [1] P. Arbelaez, M. Maire, C. Fowlkes and J. Malik, "Contour detection and hierarchical image segmentation",
       IEEE TPAMI 33(5), 2011.

    Examples
    --------
    >>> covering([0, 0, 0, 1], [5, 5, 5, 5])  # 3/4 * 3/4 + 1/4 * 1/4
    0.625
    """
    table, _, _ = _present(true, pred, ignore)
    return float(table.sum(axis=1) @ _iou(table).max(axis=1) / table.sum()) if table.size else float("nan")


# --- Scores from information and from pairs --------------------------------------------------------------------------


def variation_of_information(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """Variation of information ``H(true | pred) + H(pred | true)`` in bits; 0 is perfect, smaller is better [1]_.

    The first term grows when clusters merge true segments, the second when they split them. It is a metric on
    partitions: symmetric, 0 only for equal partitions, with the triangle inequality; at most ``log2 N``.

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    References
    ----------
    .. [1] M. Meila, "Comparing clusterings: an information based distance", J. Multivariate Analysis 98, 2007.

    Examples
    --------
    >>> variation_of_information([0, 0, 1, 1], [0, 1, 2, 3])  # each segment split in two halves: one bit
    1.0
    """
    table, _, _ = _present(true, pred, ignore)
    if not table.size:
        return float("nan")
    s, k = np.nonzero(table)
    joint = table[s, k]  # counts of the pairs that occur
    # -sum p(s, k) log p(s | k) - sum p(s, k) log p(k | s); each term is >= 0, so nothing cancels.
    bits = np.log2(table.sum(axis=0)[k] / joint) + np.log2(table.sum(axis=1)[s] / joint)
    return float(joint @ bits / joint.sum())


def ari(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """Adjusted Rand index (scikit-learn): agreement on pairs of pixels; 1 is perfect, about 0 is chance.

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    Examples
    --------
    >>> ari([0, 0, 1, 1], [1, 1, 0, 0])
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    true, pred = _label_maps(true, pred, ignore)
    return float(adjusted_rand_score(true, pred)) if true.size else float("nan")


def nmi(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """Mutual information over the arithmetic mean of the two entropies (scikit-learn), in [0, 1].

    Not adjusted for chance: random clusters score higher the more there are.

    Parameters
    ----------
    true, pred, ignore
        See `confusion`.

    Examples
    --------
    >>> round(nmi([0, 0, 1, 1], [0, 1, 2, 3]), 6)  # 1 bit shared, entropies 1 and 2
    0.666667
    """
    from sklearn.metrics import normalized_mutual_info_score

    true, pred = _label_maps(true, pred, ignore)
    return float(normalized_mutual_info_score(true, pred)) if true.size else float("nan")


# --- Boundaries ------------------------------------------------------------------------------------------------------


def boundary_map(labels: ArrayLike, *, thin: bool = True) -> NDArray[np.bool_]:
    """Mark the pixels whose label differs from the pixel to the right, below, or diagonally below right.

    Parameters
    ----------
    labels : integer or bool array of shape (h, w)
    thin : bool
        Reduce the lines to a width of one pixel, which gives exactly the boundaries that BSDS500 ships.

    Returns
    -------
    bool array of shape (h, w)

    Examples
    --------
    >>> boundary_map([[0, 0, 1], [0, 0, 1]]).astype(int)
    array([[0, 1, 0],
           [0, 1, 0]])
    """
    labels = _integers("labels", labels)
    if labels.ndim != 2:
        raise ValueError(f"labels must have shape (h, w), got {labels.shape}")
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:-1, :-1] |= labels[:-1, :-1] != labels[1:, 1:]
    if not thin:
        return edge
    from skimage import morphology

    return morphology.thin(edge)


class BoundaryScores(NamedTuple):
    """F-measure, precision and recall of predicted boundary pixels, each in [0, 1]."""

    f: float
    precision: float
    recall: float


def boundary_scores(
    true: ArrayLike, pred: ArrayLike, *, tolerance: float = 0.0075, one_to_one: bool = True
) -> BoundaryScores:
    """Compare the boundaries of two label maps, a few pixels of displacement allowed [1]_.

    Precision: the share of predicted boundary pixels with a true partner no further than the tolerance. Recall: the
    share of true boundary pixels with a predicted partner. F: their harmonic mean.

    Partners are one to one: a largest matching in the graph of all pairs within the tolerance (a maximum flow, from
    scipy), so that a thick or doubled line cannot count twice. The BSDS benchmark also pairs one to one; among the
    largest matchings it prefers short distances, which does not change the counts.

    Parameters
    ----------
    true : integer or bool array of shape (h, w) or (a, h, w)
        Label map, not a boundary map. With several annotators as in the BSDS benchmark: precision counts a pixel that
        any annotator confirms, recall pools the boundary pixels of all annotators.
    pred : integer or bool array of shape (h, w)
    tolerance : float
        Largest distance of partners as a fraction of the image diagonal; 0.0075 is 4.3 pixels on 481 x 321.
    one_to_one : bool
        False pairs each pixel with its nearest neighbor, however often that one is chosen (a distance transform):
        simpler, faster, never a lower score. Exercise 01 asks for this one.

    Returns
    -------
    BoundaryScores
        Named tuple (f, precision, recall). Without boundaries on either side all are 1; with boundaries on one side
        only all are 0.

    References
    ----------
    .. [1] D. Martin, C. Fowlkes and J. Malik, "Learning to detect natural image boundaries using local brightness,
       color, and texture cues", IEEE TPAMI 26(5), 2004.

    Examples
    --------
    >>> true, pred = np.zeros((2, 40, 40), int)
    >>> true[:, 20:], pred[:, 21:], pred[30:] = 1, 1, 2
    >>> scores = boundary_scores(true, pred, tolerance=0.02)
    >>> round(scores.precision, 2), round(scores.recall, 2)
    (0.45, 0.78)
    """
    if not (np.isscalar(tolerance) and 0 <= tolerance < 1):
        raise ValueError(f"tolerance must be a fraction of the image diagonal in [0, 1), got {tolerance}; not pixels")
    true, pred = _integers("true", true), _integers("pred", pred)
    truths = true if true.ndim == 3 and pred.ndim == 2 else true[None]
    if pred.ndim != 2 or truths.shape[1:] != pred.shape or not truths.size:
        raise ValueError(f"true must be (h, w) or (a, h, w) and pred (h, w), got {true.shape} and {pred.shape}")

    pixels = tolerance * float(np.hypot(*pred.shape))
    partners = _largest_matching if one_to_one else _nearest
    edges = np.argwhere(boundary_map(pred))  # (p, 2)
    confirmed = np.zeros(len(edges), dtype=bool)
    found = wanted = 0
    for one in truths:
        true_edges = np.argwhere(boundary_map(one))  # (t, 2)
        hit_true, hit_pred = partners(true_edges, edges, pixels)
        confirmed |= hit_pred
        found, wanted = found + int(hit_true.sum()), wanted + len(true_edges)
    if not wanted and not len(edges):
        return BoundaryScores(1.0, 1.0, 1.0)
    precision = float(confirmed.mean()) if len(edges) else 0.0
    recall = found / wanted if wanted else 0.0
    total = precision + recall
    return BoundaryScores(2 * precision * recall / total if total else 0.0, precision, recall)


def boundary_f(true: ArrayLike, pred: ArrayLike, *, tolerance: float = 0.0075, one_to_one: bool = True) -> float:
    """F-measure of the boundaries in [0, 1]: the first number of `boundary_scores`.

    Parameters
    ----------
    true, pred, tolerance, one_to_one
        See `boundary_scores`.

    Examples
    --------
    >>> boundary_f([[0, 0, 1], [0, 0, 1]], [[5, 5, 2], [5, 5, 2]])
    1.0
    """
    return boundary_scores(true, pred, tolerance=tolerance, one_to_one=one_to_one).f


def _largest_matching(a: NDArray, b: NDArray, radius: float) -> tuple[NDArray, NDArray]:
    """Which of the points a (m, 2) and b (n, 2) have a partner in a largest one-to-one matching within the radius."""
    m, n = len(a), len(b)
    if not (m and n):
        return np.zeros(m, dtype=bool), np.zeros(n, dtype=bool)
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow
    from scipy.spatial import cKDTree

    pairs = cKDTree(a).sparse_distance_matrix(cKDTree(b), radius, output_type="coo_matrix")
    # A matching is a flow of ones: source 0 -> points of a (1..m) -> points of b (m+1..m+n) -> sink. Measured on BSDS:
    # 1 to 6 ms, where scipy's maximum_bipartite_matching took up to 0.5 s and on some images did not end in minutes.
    start = np.concatenate([np.zeros(m, dtype=int), 1 + pairs.row, 1 + m + np.arange(n)])
    end = np.concatenate([1 + np.arange(m), 1 + m + pairs.col, np.full(n, 1 + m + n)])
    graph = csr_array((np.ones(len(start), dtype=np.int32), (start, end)), shape=(m + n + 2, m + n + 2))
    flow = maximum_flow(graph, 0, 1 + m + n).flow
    used = np.zeros(m + n + 2, dtype=bool)  # points that the flow enters or leaves
    used[flow[[0]].indices[flow[[0]].data > 0]] = True
    used[flow[[1 + m + n]].indices[flow[[1 + m + n]].data < 0]] = True
    return used[1 : 1 + m], used[1 + m : 1 + m + n]


def _nearest(a: NDArray, b: NDArray, radius: float) -> tuple[NDArray, NDArray]:
    """Which of the points a (m, 2) and b (n, 2) have any point of the other set within the radius."""
    if not (len(a) and len(b)):
        return np.zeros(len(a), dtype=bool), np.zeros(len(b), dtype=bool)
    from scipy.spatial import cKDTree

    return cKDTree(b).query(a)[0] <= radius, cKDTree(a).query(b)[0] <= radius


# --- Foreground, and several annotators ------------------------------------------------------------------------------


def foreground_iou(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """IoU of two foreground masks, in [0, 1]; 1 when both are empty.

    Parameters
    ----------
    true, pred : bool or integer arrays of equal shape
        Foreground is True, or any label other than 0 (so masks of 0 and 255 work).
    ignore : int or None
        See `confusion`.

    Examples
    --------
    >>> foreground_iou([0, 255, 255, 0], [False, True, False, False])
    0.5
    """
    true, pred = (labels != 0 for labels in _label_maps(true, pred, ignore))
    if not true.size:
        return float("nan")
    union = np.count_nonzero(true | pred)
    return float(np.count_nonzero(true & pred) / union) if union else 1.0


def foreground_accuracy(true: ArrayLike, pred: ArrayLike, *, ignore: int | None = None) -> float:
    """Share of pixels on which two foreground masks agree, in [0, 1].

    It flatters: a mask without any foreground is right on all of the background, most of a photo.

    Parameters
    ----------
    true, pred, ignore
        See `foreground_iou`.

    Examples
    --------
    >>> foreground_accuracy([0, 255, 255, 0], [False, True, False, False])
    0.75
    """
    true, pred = (labels != 0 for labels in _label_maps(true, pred, ignore))
    return float((true == pred).mean()) if true.size else float("nan")


def f_curve(true: ArrayLike, score: ArrayLike, *, beta2: float = 0.3, levels: int = 255) -> NDArray[np.float64]:
    """F-measure of a soft foreground map, cut at each of many thresholds.

    ``F = (1 + beta2) P R / (beta2 P + R)`` of precision P and recall R. With ``beta2 = 0.3``, usual in salient object
    detection [1]_, precision counts more than recall. F is 0 where no true pixel is found.

    Parameters
    ----------
    true : bool or integer array
        Foreground is True, or any label other than 0.
    score : array of the same shape
        How sure the foreground is, 0 to 1; a bool mask gives the same F at each threshold.
    beta2 : float
        Weight of recall, above 0.
    levels : int
        Number of thresholds.

    Returns
    -------
    array of shape (levels,), float64
        Entry i: F of the mask ``score > i / levels``.

    Raises
    ------
    ValueError
        If the shapes differ, there is no pixel, the score leaves 0..1, or an option is out of range.

    References
    ----------
    .. [1] R. Achanta, S. Hemami, F. Estrada and S. Suesstrunk, "Frequency-tuned salient region detection", CVPR 2009.

    Examples
    --------
    >>> f_curve([1, 1, 0, 0], [0.9, 0.3, 0.3, 0.1], levels=4).round(2)
    array([0.57, 0.72, 0.81, 0.81])
    """
    true, score = _integers("true", true) != 0, np.asarray(score)
    if true.shape != score.shape or not true.size:
        raise ValueError(
            f"true and score must have the same shape and a pixel, got {true.shape} and {score.shape}; "
            "bring the score to the size of the image first"
        )
    if not (score.min() >= 0 and score.max() <= 1):  # also true for NaN
        raise ValueError(
            f"score must lie between 0 and 1, got values from {score.min():g} to {score.max():g}; "
            "shift and scale it first: score - score.min(), then divided by its maximum"
        )
    if not beta2 > 0 or operator.index(levels) < 1:
        raise ValueError(f"beta2 must be above 0 and levels at least 1, got {beta2} and {levels}")
    # score > i / levels holds for i < ceil(score * levels): so one count of these ceilings answers all thresholds
    top = np.ceil(score.ravel() * float(levels)).astype(np.intp)  # (n,), 0..levels
    chosen = np.bincount(top, minlength=levels + 1)[::-1].cumsum()[::-1][1:]  # (levels,)
    hit = np.bincount(top[true.ravel()], minlength=levels + 1)[::-1].cumsum()[::-1][1:]
    # (1 + b) P R / (b P + R) with P = hit / chosen and R = hit / true
    return (1 + beta2) * hit / np.maximum(beta2 * np.count_nonzero(true) + chosen, np.finfo(float).tiny)


def max_f(truths: Sequence[ArrayLike], scores: Sequence[ArrayLike], *, beta2: float = 0.3, levels: int = 255) -> float:
    """Largest mean F-measure over the images of a set, all cut at one threshold, in [0, 1].

    F is averaged over the images at each threshold, and the best threshold counts: no image has a threshold of its own.
    Other evaluations average precision and recall first; the two differ a little.

    Parameters
    ----------
    truths, scores : sequences of equal length
        One pair for each image; see `f_curve`.
    beta2, levels
        See `f_curve`.

    Raises
    ------
    ValueError
        As `f_curve`; or if there is no image, or a truth without a score.

    Examples
    --------
    >>> round(max_f([[1, 1, 0, 0]], [[0.9, 0.3, 0.3, 0.1]]), 2)
    0.81
    """
    if not 0 < len(truths) == len(scores):
        raise ValueError(
            f"truths and scores must hold one pair for each image, got {len(truths)} and {len(scores)}; "
            "for a single image write [true], [score]"
        )
    pairs = zip(truths, scores, strict=True)
    return float(np.mean([f_curve(true, one, beta2=beta2, levels=levels) for true, one in pairs], axis=0).max())


def against_annotators(
    metric: Callable[..., Any],
    truths: ArrayLike | Sequence[ArrayLike],
    pred: ArrayLike,
    *,
    reduce: Literal["mean", "best"] | None = "mean",
    **options: Any,
) -> float | NDArray[np.float64]:
    """Score one prediction against each annotator, then average or take the kindest annotator.

    Parameters
    ----------
    metric : function (true, pred, ...) -> float
        Any score of this module, or your own.
    truths : integer array of shape (a, h, w), or sequence of (h, w) arrays
        One label map for each annotator; the labels of different annotators need not agree.
    pred : integer array of shape (h, w)
    reduce : {"mean", "best"} or None
        "best" is the largest score, and the smallest for `variation_of_information`. None gives all a scores.
    **options
        Passed on to ``metric``.

    Returns
    -------
    float, or array of shape (a,) with ``reduce=None``

    Examples
    --------
    >>> truths, pred = [[[0, 0, 1, 1]], [[0, 0, 0, 0]]], [[0, 0, 1, 1]]
    >>> against_annotators(covering, truths, pred), against_annotators(covering, truths, pred, reduce="best")
    (0.75, 1.0)
    """
    if reduce not in ("mean", "best", None):
        raise ValueError(f'reduce must be "mean", "best" or None, got {reduce!r}')
    truths, pred = [np.asarray(one) for one in truths], np.asarray(pred)
    if not truths:
        raise ValueError("truths is empty: there must be at least one annotator")
    if truths[0].ndim != pred.ndim:
        raise ValueError(
            f"truths must be (a, h, w), one label map for each annotator, got {len(truths)} arrays of shape "
            f"{truths[0].shape} for pred of shape {pred.shape}; for a single annotator write truths[None]"
        )
    scores = np.array([metric(one, pred, **options) for one in truths], dtype=np.float64)  # (a,)
    if reduce is None:
        return scores
    if reduce == "mean":
        return float(scores.mean())
    plain = metric.func if isinstance(metric, functools.partial) else metric
    return float(scores.min() if plain is variation_of_information else scores.max())


# --- What may come in ------------------------------------------------------------------------------------------------


def _integers(name: str, labels: ArrayLike) -> NDArray:
    labels = np.asarray(labels)
    if labels.dtype != bool and not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"{name} must hold integer labels, got dtype {labels.dtype}; "
            "use .argmax(axis=-1) on class scores, .astype(int) on labels that became floats"
        )
    return labels


def _label_maps(true: ArrayLike, pred: ArrayLike, ignore: int | None) -> tuple[NDArray, NDArray]:
    """Check two label maps and give back their scored pixels: (n,), (n,)."""
    true, pred = _integers("true", true), _integers("pred", pred)
    if true.shape != pred.shape:
        if true.ndim == pred.ndim + 1 and true.shape[1:] == pred.shape:
            fix = "for several annotators use against_annotators(metric, truths, pred)"
        elif pred.ndim == true.ndim + 1 and pred.shape[:-1] == true.shape:
            fix = "pred has one axis too many: is it a color image, or scores that lack .argmax(axis=-1)?"
        elif true.shape == pred.shape[::-1]:
            fix = "one of them is transposed: label maps are (height, width)"
        elif true.size == pred.size:
            fix = "give the flat one its shape back: labels.reshape(h, w)"
        else:
            fix = "resize label maps with nearest-neighbor interpolation (order=0)"
        raise ValueError(f"true and pred must have the same shape, got {true.shape} and {pred.shape}; {fix}")
    if not true.size:
        raise ValueError(f"true and pred are empty (shape {true.shape}): there is no pixel to score")
    true, pred = true.reshape(-1), pred.reshape(-1)
    if ignore is not None:
        keep = true != operator.index(ignore)
        true, pred = true[keep], pred[keep]
    for name, labels in (("true", true), ("pred", pred)):
        if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
            fix = f"if it marks pixels to leave out, pass ignore={labels.min()}" if name == "true" else "add an offset"
            raise ValueError(f"{name} holds the negative label {labels.min()}; labels start at 0; {fix}")
    return true, pred
