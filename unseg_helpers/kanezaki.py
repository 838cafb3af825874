"""A convolutional network that is trained on one image, to segment it: differentiable feature clustering.

The file reads in the order in which the algorithm is built: the published recipes, the network, its own labels as
targets, the losses, the loop, the model that is left, the clean-up of labels, and the segmentation of an image. The
functions of the losses are written to be read; the loop asks `_kanezaki_fast`, which gives the same numbers sooner.

The network gives each pixel a row of q numbers, its *response*. The largest names the pixel's label. These labels are
then what the network is trained to predict: a pixel becomes surer of its label, and pixels that look alike pull one
another to the same one. Batch normalization of the responses keeps many labels alive; a loss for changes between
neighbors, or superpixels, makes regions smooth.

Notation: b images of h rows and w columns; q channels, as many as there may be labels.

References
----------
.. [1] A. Kanezaki, "Unsupervised image segmentation by backpropagation", ICASSP 2018.
.. [2] W. Kim, A. Kanezaki, M. Tanaka, "Unsupervised learning of image segmentation based on differentiable feature
   clustering", IEEE Transactions on Image Processing 29, 2020.
.. [3] S. Shukla, S. Mehta, S. Boinpally, "Scene segmentation using unsupervised learning", a course project.
"""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import _regions
from unseg_helpers.features import _as_rgb
from unseg_helpers.kmeans import _as_count

if TYPE_CHECKING:
    import torch

__all__ = [
    "Recipe",
    "RECIPES",
    "KanezakiResult",
    "Model",
    "build",
    "targets",
    "superpixel_targets",
    "similarity_loss",
    "continuity_loss",
    "scribble_loss",
    "fit",
    "merge_small",
    "segment",
]

Row = tuple[int, float, float]
MAX_SIDE = 512  # pixels: training on a photo of 512 x 341 with 100 channels and 2 layers takes about one GiB


# ---- recipes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained.

    Attributes
    ----------
    channels : int
        Of every convolution, and so the largest number of labels; at least 2.
    layers : int
        Number of 3 x 3 convolutions, at least 1. One of 1 x 1 comes on top, so 2 makes three convolutions.
    optimizer : "sgd" or "adam"
    lr : float
        Learning rate of the first step, above 0.
    momentum : float
        0 to 1, excluded; for Adam its first beta.
    lr_step : int or None
        The learning rate is divided by 10 after every so many steps.
    continuity : float
        Weight of `continuity_loss` (the papers' mu), at least 0.
    similarity : float
        Weight of `similarity_loss`, at least 0.
    scribble : float
        Weight of `scribble_loss`, at least 0; counts where there are scribbles.
    init : "default" or "xavier"
        First weights: as torch has them, or uniform as by Glorot and Bengio with biases 0.
    min_labels : int
        Training stops when so many labels are left, or fewer.
    max_iter : int
        Training stops after so many steps.
    superpixels : int or None
        About how many SLIC makes; each takes the label that most of its pixels have. None is without.
    """

    channels: int = 100
    layers: int = 2
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    lr_step: int | None = None
    continuity: float = 5.0
    similarity: float = 1.0
    scribble: float = 0.5
    init: Literal["default", "xavier"] = "default"
    min_labels: int = 3
    max_iter: int = 1000
    superpixels: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("channels", 2), ("layers", 1), ("min_labels", 1), ("max_iter", 1)):
            if _as_count(getattr(self, name), name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("lr_step", "superpixels"):
            if getattr(self, name) is not None:
                _as_count(getattr(self, name), name)
        for name in ("lr", "momentum", "continuity", "similarity", "scribble"):
            value = getattr(self, name)
            if not (np.ndim(value) == 0 and np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
        if self.lr == 0:
            raise ValueError("lr must be above 0, got 0")
        if self.momentum >= 1:
            raise ValueError(f"momentum must be below 1, got {self.momentum!r}")
        for name, known in (("optimizer", ("sgd", "adam")), ("init", ("default", "xavier"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")


RECIPES: dict[str, Recipe] = {
    "kim2020": Recipe(),
    "shukla": Recipe(optimizer="adam", lr=0.05, lr_step=50, continuity=0.5, init="xavier", max_iter=200),
    "kanezaki2018": Recipe(continuity=0.0, superpixels=10_000),
}


class KanezakiResult(NamedTuple):
    """What `fit` found.

    Attributes
    ----------
    labels : array of shape (h, w), or (b, h, w) for a stack, int32
        0 to n_labels - 1, by area: 0 is the largest. Of the size of the image, whatever size it was trained at.
    n_labels : int
        How many labels there are; over all images of a stack.
    history : tuple of (int, float, float)
        For each step: the number of labels, the similarity loss and the continuity loss, unweighted, all before the
        step's update.
    n_iter : int
        Number of steps.
    stopped : "min_labels" or "max_iter"
        Why training stopped.
    messages : tuple of str
        What was done beside the recipe, such as training at a smaller size; mostly empty.
    """

    labels: NDArray[np.int32]
    n_labels: int
    history: tuple[Row, ...]
    n_iter: int
    stopped: Literal["min_labels", "max_iter"]
    messages: tuple[str, ...]


# ---- the network ------------------------------------------------------------------------------------------------


def build(recipe: str | Recipe = "kim2020", *, seed: int = 0) -> torch.nn.Sequential:
    """The network with its first weights: an image (b, 3, h, w) becomes responses (b, q, h, w).

    3 x 3 convolution, ReLU and batch normalization, ``recipe.layers`` times; then a 1 x 1 convolution and batch
    normalization, without ReLU. So each channel of the response has mean 0 and variance 1 over the pixels, and no
    channel is larger than the others everywhere.

    Parameters
    ----------
    recipe : str or Recipe
        A name of ``RECIPES``, or your own.
    seed : int
        Draws the weights; torch's global generator is left alone.

    Returns
    -------
    torch.nn.Sequential
        On the CPU, in float32. Its batch norms always use the statistics of what they are given, in ``eval()`` too:
        the authors' code never leaves training mode, so running means would have no use.

    Examples
    --------
    >>> [type(layer).__name__ for layer in build(Recipe(channels=8, layers=1))]
    ['Conv2d', 'ReLU', 'BatchNorm2d', 'Conv2d', 'BatchNorm2d']
    """
    torch = _torch()
    nn, recipe = torch.nn, _as_recipe(recipe)
    q = recipe.channels
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        parts = []
        for i in range(recipe.layers):
            parts += [nn.Conv2d(q if i else 3, q, 3, padding=1), nn.ReLU(inplace=True), _batch_norm(q)]
        network = nn.Sequential(*parts, nn.Conv2d(q, q, 1), _batch_norm(q))
        if recipe.init == "xavier":
            for part in network:
                if isinstance(part, nn.Conv2d):
                    nn.init.xavier_uniform_(part.weight)
                    nn.init.zeros_(part.bias)
    return network


def _batch_norm(q: int) -> torch.nn.BatchNorm2d:
    return _torch().nn.BatchNorm2d(q, track_running_stats=False)


# ---- targets ----------------------------------------------------------------------------------------------------


def targets(response: torch.Tensor) -> torch.Tensor:
    """The label of each pixel: the channel with the largest response.

    A label is a number, so no gradient comes back through it.

    Parameters
    ----------
    response : tensor of shape (b, q, h, w)

    Returns
    -------
    tensor of shape (h, w) for one image, otherwise (b, h, w), int64
        0 to q - 1; of equally large ones the first.

    Examples
    --------
    >>> import torch
    >>> targets(torch.tensor([[[[0.1, 2.0]], [[0.7, -1.0]]]]))
    tensor([[1, 0]])
    """
    label = _as_response(response).detach().argmax(dim=1)
    return label[0] if len(label) == 1 else label


def superpixel_targets(target: torch.Tensor, superpixels: torch.Tensor | ArrayLike) -> torch.Tensor:
    """Give all pixels of a superpixel the label that most of them have [1]_.

    Parameters
    ----------
    target : tensor of shape (h, w) or (b, h, w), integer
        At least 0.
    superpixels : tensor or array of the same shape, integer
        Numbers from 0 on; a stack's images share no number.

    Returns
    -------
    tensor of the shape of target, int64
        Of equally frequent labels the smallest.

    Examples
    --------
    >>> import torch
    >>> superpixel_targets(torch.tensor([[4, 4, 1], [1, 2, 1]]), [[0, 0, 1], [0, 1, 1]])
    tensor([[4, 4, 1],
            [4, 1, 1]])
    """
    torch = _torch()
    place = torch.as_tensor(superpixels, device=target.device)
    if place.shape != target.shape:
        raise ValueError(f"superpixels must have the shape of target, {tuple(target.shape)}, got {tuple(place.shape)}")
    for name, numbers in (("target", target), ("superpixels", place)):
        if numbers.is_floating_point():
            raise TypeError(f"{name} must be integers, got {numbers.dtype}")
        if numbers.numel() and int(numbers.min()) < 0:
            raise ValueError(f"{name} must be at least 0, got {int(numbers.min())}")
    place = place.long()
    q = int(target.max()) + 1
    votes = torch.bincount((place * q + target).flatten(), minlength=q * (int(place.max()) + 1)).view(-1, q)
    return votes.argmax(dim=1)[place]


# ---- losses -----------------------------------------------------------------------------------------------------


def similarity_loss(response: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the responses to the targets: pixels of a label become surer of it, and more alike.

    The mean over the pixels of :math:`\\log \\sum_c \\exp r_c - r_t`, with t the pixel's target.

    Parameters
    ----------
    response : tensor of shape (b, q, h, w)
    target : tensor of shape (h, w) or (b, h, w), integer
        0 to q - 1. Pixels with a negative target are left out.

    Returns
    -------
    tensor of shape ()
        In nats, at least 0; 0 if all pixels are left out.

    Examples
    --------
    >>> import torch
    >>> similarity_loss(torch.zeros(1, 4, 2, 2), torch.zeros(2, 2, dtype=torch.long))  # log 4
    tensor(1.3863)
    """
    torch = _torch()
    response = _as_response(response)
    target = _as_target(target, response)
    if not bool((target >= 0).any()):
        return 0 * response.sum()
    return torch.nn.functional.cross_entropy(response, target.clamp_min(-1), ignore_index=-1)


def continuity_loss(response: torch.Tensor) -> torch.Tensor:
    """How much the responses change between neighbors [2]_: the mean absolute difference down plus that across.

    Each direction has its own mean, over pairs of pixels and channels.

    Parameters
    ----------
    response : tensor of shape (b, q, h, w)

    Returns
    -------
    tensor of shape ()
        At least 0; a direction without pairs counts as 0.

    Examples
    --------
    >>> import torch
    >>> continuity_loss(torch.tensor([[[[0.0, 1.0], [0.0, 5.0]]]]))  # down 0 and 4, across 1 and 5
    tensor(5.)
    """
    response = _as_response(response)
    down = (response[:, :, 1:] - response[:, :, :-1]).abs()
    across = (response[:, :, :, 1:] - response[:, :, :, :-1]).abs()
    return sum((part.mean() for part in (down, across) if part.numel()), start=response.new_zeros(()))


def scribble_loss(response: torch.Tensor, scribbles: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the responses to what somebody has drawn [2]_, mean over the drawn pixels.

    Parameters
    ----------
    response : tensor of shape (b, q, h, w)
    scribbles : tensor of shape (h, w) or (b, h, w), integer
        The label of each drawn pixel, 0 to q - 1; negative, or 255 as in the authors' images, elsewhere.

    Returns
    -------
    tensor of shape ()
        In nats; 0 if nothing is drawn.

    Examples
    --------
    >>> import torch
    >>> scribble_loss(torch.zeros(1, 2, 1, 3), torch.tensor([[0, 255, 255]]))  # log 2
    tensor(0.6931)
    """
    scribbles = scribbles.long()
    return similarity_loss(response, scribbles.where(scribbles != NOT_DRAWN, -1))


NOT_DRAWN = 255  # in the authors' images of scribbles


# ---- the loop ---------------------------------------------------------------------------------------------------


def fit(
    image: ArrayLike | Sequence[ArrayLike],
    recipe: str | Recipe = "kim2020",
    *,
    start_labels: ArrayLike | None = None,
    start_iter: int = 30,
    scribbles: ArrayLike | None = None,
    max_iter: int | None = None,
    seed: int = 0,
    device: str = "auto",
    dtype: Literal["float32", "bfloat16"] = "float32",
    max_side: int = MAX_SIDE,
    callback: Callable[[int, NDArray[np.int32], Row], object] | None = None,
) -> tuple[KanezakiResult, Model]:
    """Train a network on one image, or on a stack of images together.

    Each step asks the network for the responses, takes the largest as targets, and moves the weights against the
    gradient of similarity * `similarity_loss` + continuity * `continuity_loss` (+ scribble * `scribble_loss`). Then it
    stops if the targets had no more than ``min_labels`` labels. The number of labels falls from about ``channels``;
    nothing in the similarity loss holds it up but the normalization, so in the end it is the stopping that counts.

    The final labels come from the network after the last update. They are repeated exactly by the same seed on the
    same device with the same number of threads.

    Parameters
    ----------
    image : array of shape (h, w, 3), or sequence of such, or array of shape (b, h, w, 3)
        RGB, uint8 or floating point between 0 and 1. Images of a stack have one size. They are given to the network
        together, so batch normalization mixes them and a label means the same in all.
    recipe : str or Recipe
        A name of ``RECIPES``: "kim2020" [2]_ has mu = 5, with which the authors' code trains reference images (its
        default for a single image is 1); "shukla" [3]_; "kanezaki2018" [1]_ with superpixels. Or your own, such as
        ``Recipe(continuity=1)``.
    start_labels : array of shape (h, w) or (b, h, w), integer, optional
        Targets of the first steps, such as those of k-means; 0 to channels - 1.
    start_iter : int
        How many steps these are. Training does not stop within them.
    scribbles : array of shape (h, w) or (b, h, w), integer, optional
        As in `scribble_loss`. The similarity loss then leaves out what is drawn, and training stops when no more
        labels are left than were drawn.
    max_iter : int, optional
        In place of the recipe's.
    seed : int
        Draws the first weights.
    device : "auto", "cpu", "cuda" or "mps"
        "auto" takes CUDA where it is, then MPS, then the CPU.
    dtype : "float32" or "bfloat16"
        Of the convolutions but the first. bfloat16 is faster where the processor has instructions for it; the first
        layer, the responses, the losses and the weights stay in float32.
    max_side : int
        Longer images are trained at this size, which bounds the memory; ``messages`` tells. The responses then go
        back to the full size by bilinear interpolation. Memory is about 30 bytes for each pixel, channel and layer.
    callback : function, optional
        Called as ``callback(step, labels, row)`` after each step, with step = 1, 2, ..., the labels the network gave
        in it, and the step's row of the history. Labels are int32, of the size of training, and numbers of channels:
        a label keeps its number from step to step.

    Returns
    -------
    result : KanezakiResult
    model : Model
        For frames that were not in training.

    Raises
    ------
    ValueError
        If the images, labels or another argument do not fit.
    TypeError
        If labels or scribbles are not integers.
    ModuleNotFoundError
        If torch is not installed.

    Examples
    --------
    >>> image = np.zeros((8, 12, 3), np.uint8)
    >>> image[:, 6:] = (255, 128, 0)
    >>> result, model = fit(image, Recipe(channels=8, layers=1), max_iter=4, device="cpu")
    >>> result.labels.shape, len(result.history) == result.n_iter
    ((8, 12), True)
    """
    torch = _torch()
    from unseg_helpers import _kanezaki_fast as fast
    from unseg_helpers.backbones import choose_device

    recipe = _as_recipe(recipe)
    if max_iter is not None:
        recipe = replace(recipe, max_iter=max_iter)
    if dtype not in ("float32", "bfloat16"):
        raise ValueError(f"dtype must be float32 or bfloat16, got {dtype!r}")
    max_side, start_iter = _as_count(max_side, "max_side"), _as_count(start_iter, "start_iter")
    images, single = _as_stack(image)
    full = images.shape[1:3]
    device = choose_device(device)
    network = build(recipe, seed=seed).to(device, memory_format=torch.channels_last)
    model = Model(network, recipe, np.arange(recipe.channels, dtype=np.int32), max_side, dtype)
    x = model._input(images)
    size = tuple(x.shape[2:])
    messages = []
    if size != full:
        messages.append(
            f"trained at {size[0]} x {size[1]} pixels, because the image has {full[0]} x {full[1]} and "
            f"max_side is {max_side}; a larger max_side needs more memory"
        )
    drawn = None if scribbles is None else _as_map(scribbles, full, len(images), size, recipe.channels, "scribbles")
    first = None
    if start_labels is not None:
        first = _as_map(start_labels, full, len(images), size, recipe.channels, "start_labels")
        if int(first.min()) < 0:
            raise ValueError(f"start_labels must be at least 0, got {int(first.min())}")
    min_labels = recipe.min_labels if drawn is None else max(1, len(np.unique(drawn[drawn >= 0])))
    place = None if recipe.superpixels is None else _slic(x, recipe.superpixels)

    drawn, first, place = (None if m is None else torch.from_numpy(m).to(device) for m in (drawn, first, place))
    optimizer = _optimizer(network, recipe)
    history, stopped = [], "max_iter"
    with fast.kept_memory(device), fast.repeatable(device):
        losses = fast.Losses(x.shape[0], recipe.channels, size, device)
        for step in range(1, recipe.max_iter + 1):
            if recipe.lr_step is not None and step > 1 and (step - 1) % recipe.lr_step == 0:
                for group in optimizer.param_groups:
                    group["lr"] /= 10
            optimizer.zero_grad(set_to_none=True)
            response = model._response(x)
            given = None  # the targets, where they are not the channels with the largest response
            if first is not None and step <= start_iter:
                given = first
            elif place is not None:
                given = superpixel_targets(fast.largest(response), place)
            found = losses(response.detach(), recipe, given, drawn)
            response.backward(found.gradient)
            found = found._replace(gradient=None)  # or it would live beside the next response
            del response
            optimizer.step()
            row = found.row()
            history.append(row)
            if callback is not None:
                labels = found.labels.cpu().numpy().astype(np.int32)
                callback(step, labels[0] if single else labels, row)
            if row[0] <= min_labels and not (first is not None and step <= start_iter):
                stopped = "min_labels"
                break
        del losses, found
        channels = model._channels(x, full)
    counts = np.bincount(channels.ravel(), minlength=recipe.channels)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(recipe.channels, np.int32)
    rank[order] = np.arange(recipe.channels, dtype=np.int32)
    model = replace(model, rank=rank)
    labels = rank[channels]
    result = KanezakiResult(
        labels=labels[0] if single else labels,
        n_labels=int((counts > 0).sum()),
        history=tuple(history),
        n_iter=len(history),
        stopped=stopped,
        messages=tuple(messages),
    )
    return result, model


def _optimizer(network: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    torch = _torch()
    if recipe.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=recipe.lr, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=recipe.momentum)


def _slic(x: torch.Tensor, n: int) -> NDArray[np.int64]:
    """SLIC of each image (compactness 100 as in the authors' code, 0 to 255), numbered on through the stack."""
    from skimage.segmentation import slic

    maps, total = [], 0
    for image in x.permute(0, 2, 3, 1).cpu().numpy():
        count = min(n, image.shape[0] * image.shape[1])
        # A compactness of 100 is large, so regions are nearly squares: colors are in Lab, 0 to 100.
        found = slic(image.astype(np.float64), n_segments=count, compactness=100, start_label=0)
        _, place = np.unique(found, return_inverse=True)
        maps.append(place.reshape(found.shape) + total)
        total += int(place.max()) + 1
    return np.stack(maps)


# ---- the model that is left -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """A trained network, fixed, for images that it has not seen ("reference images" in [2]_).

    As in the authors' code, its batch norms use the statistics of the image at hand, not those of training. So an
    image of another kind is spread over the labels as well, and a frame of one color gets arbitrary ones.

    Attributes
    ----------
    network : torch.nn.Sequential
    recipe : Recipe
    rank : array of shape (channels,), int32
        The label of each channel. The labels of training come first, by area.
    max_side : int
        Longer images are seen at this size.
    dtype : "float32" or "bfloat16"
    """

    network: torch.nn.Sequential = field(repr=False)
    recipe: Recipe
    rank: NDArray[np.int32] = field(repr=False)
    max_side: int = MAX_SIDE
    dtype: str = "float32"

    def predict(self, images: ArrayLike | Sequence[ArrayLike]) -> NDArray[np.int32] | list[NDArray[np.int32]]:
        """Label maps of images, each by itself.

        Parameters
        ----------
        images : array of shape (h, w, 3), or sequence of such, or array of shape (b, h, w, 3)
            RGB; the images may have different sizes.

        Returns
        -------
        array of shape (h, w), int32, or a list of such
            The same number means the same channel in all images, and in the labels of training, where 0 is the
            largest. For the one image of training they are its labels; of a stack's images they differ a little,
            because there they were normalized together.

        Raises
        ------
        ValueError, TypeError
            If an image is not as described.
        """
        single = not isinstance(images, list | tuple) and np.ndim(images) != 4
        found = []
        for image in [images] if single else images:
            stack, _ = _as_stack([image])
            found.append(self.rank[self._channels(self._input(stack), stack.shape[1:3])[0]])
        return found[0] if single else found

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def _input(self, images: NDArray[np.float32]) -> torch.Tensor:
        """(b, h, w, 3) -> (b, 3, h, w) on the device, channels last, no side longer than ``max_side``."""
        torch = _torch()
        x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        long = max(x.shape[2:])
        if long > self.max_side:
            size = tuple(max(1, round(side * self.max_side / long)) for side in x.shape[2:])
            x = torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True).clamp(0, 1)
        return x.to(self.device, memory_format=torch.channels_last)

    def _response(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) -> (b, q, h, w) in float32."""
        if self.dtype == "float32":
            return self.network(x)
        torch = _torch()
        # The pixels of a dull image hardly differ from their mean: bfloat16 would round that away, and the batch norm
        # would blow up what is left. Responses that are rounded tie, and of two labels that tie the first would win.
        x = self.network[:3](x)
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            x = self.network[3:-1](x)
        return self.network[-1](x.float())

    def _channels(self, x: torch.Tensor, full: tuple[int, int]) -> NDArray[np.int64]:
        """The channel with the largest response at full size: (b, 3, h, w) -> (b, H, W)."""
        torch = _torch()
        with torch.no_grad():
            response = self._response(x)
            label = response.argmax(dim=1)
            if tuple(x.shape[2:]) == tuple(full):
                return label.cpu().numpy()
            found = []
            for one, seen in zip(response, label, strict=True):
                present = torch.unique(seen)  # the others need not be enlarged
                large = torch.nn.functional.interpolate(one[present][None], tuple(full), mode="bilinear")
                found.append(present[large[0].argmax(dim=0)].cpu().numpy())
            return np.stack(found)


# ---- from labels to segments ------------------------------------------------------------------------------------


def merge_small(labels: ArrayLike, image: ArrayLike, least: int | float, *, pieces: bool = False) -> NDArray[np.int32]:
    """Merge what is small into what it touches and looks like.

    The smallest label with fewer than ``least`` pixels joins, of the labels it shares an edge of a pixel with, the one
    with the nearest mean color; and again, until no label is too small. A label without a neighbor stays.

    Parameters
    ----------
    labels : array of shape (h, w), integer
        Any integers.
    image : array of shape (h, w, 3)
        RGB, uint8 or floating point between 0 and 1.
    least : int or float
        Pixels; below 1 it is a part of the image's area. 0 merges nothing.
    pieces : bool
        Whether each connected piece of a label (4 neighbors) is looked at by itself; it takes the label it joins.

    Returns
    -------
    array of shape (h, w), int32
        Consecutive from 0, by area: 0 is the largest.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Examples
    --------
    >>> image = np.array([[[0, 0, 0]] * 3 + [[20, 20, 20]] + [[250, 250, 250]] * 2], dtype=np.uint8)
    >>> merge_small([[7, 7, 7, 2, 5, 5]], image, 2)
    array([[0, 0, 0, 0, 1, 1]], dtype=int32)
    """
    image = _as_rgb(image, np.dtype(np.float64))
    labels = np.asarray(labels)
    if labels.shape != image.shape[:2]:
        raise ValueError(f"labels must have shape (h, w) = {image.shape[:2]}, as the image, got {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels must be integers, got {labels.dtype}; use labels.astype(int)")
    if not (np.ndim(least) == 0 and np.isfinite(least) and least >= 0):
        raise ValueError(f"least must be a finite number of at least 0, got {least!r}")
    if least < 1:
        least = least * labels.size
    _, label = np.unique(labels, return_inverse=True)
    label = label.reshape(labels.shape)
    region = _pieces(label) if pieces else label
    n = int(region.max()) + 1
    label_of = np.empty(n, np.intp)
    label_of[region.ravel()] = label.ravel()
    root = _absorb(region, image, n, least)
    new = label_of[root][region]
    present, counts = np.unique(new, return_counts=True)
    number = np.zeros(int(label.max()) + 1, np.int32)
    number[present[np.argsort(-counts, kind="stable")]] = np.arange(len(present))
    return number[new]


def _pieces(label: NDArray[np.intp]) -> NDArray[np.intp]:
    """A number for each connected piece of each label."""
    from scipy.ndimage import label as components

    piece, total = np.zeros(label.shape, np.intp), 0
    for one in range(int(label.max()) + 1):
        found, n = components(label == one)
        piece[found > 0] = found[found > 0] + (total - 1)
        total += n
    return piece


def _absorb(region: NDArray[np.intp], image: NDArray[np.float64], n: int, least: float) -> NDArray[np.intp]:
    """The region that each region ends up in."""
    area = np.bincount(region.ravel(), minlength=n).astype(np.float64)
    total = np.stack([np.bincount(region.ravel(), image[..., c].ravel(), minlength=n) for c in range(3)], axis=1)
    neighbors = _regions.neighbors_of(_regions.touching(region), n)
    parent = np.arange(n)
    heap = [(area[a], a) for a in range(n) if area[a] < least]
    heapq.heapify(heap)
    while heap:
        size, a = heapq.heappop(heap)
        if parent[a] != a or size != area[a] or not neighbors[a]:
            continue  # it was merged, or has grown since
        near = sorted(neighbors[a])
        gaps = ((total[near] / area[near, None] - total[a] / area[a]) ** 2).sum(axis=1)
        b = near[int(gaps.round(12).argmin())]  # rounded: ties go by number on any machine
        parent[a] = b
        area[b] += area[a]
        total[b] += total[a]
        for c in neighbors[a]:
            neighbors[c].discard(a)
            if c != b:
                neighbors[c].add(b)
                neighbors[b].add(c)
        if area[b] < least:
            heapq.heappush(heap, (area[b], b))
    return _regions.roots(parent)


def segment(
    image: ArrayLike | Sequence[ArrayLike],
    recipe: str | Recipe = "kim2020",
    *,
    size: int | None = None,
    least: int | float = 0,
    start_labels: ArrayLike | None = None,
    scribbles: ArrayLike | None = None,
    max_iter: int | None = None,
    seed: int = 0,
    device: str = "auto",
    dtype: Literal["float32", "bfloat16"] = "float32",
    callback: Callable[[int, NDArray[np.int32], Row], object] | None = None,
) -> NDArray[np.int32]:
    """Segment an image, or a stack of images together, by a network that is trained on it.

    Parameters
    ----------
    image, recipe, start_labels, scribbles, max_iter, seed, device, dtype, callback
        As in `fit`.
    size : int, optional
        Long side in pixels at which it trains; time goes with its square. By default the image's own, but no more
        than 512, and a warning tells of that.
    least : int or float
        What is smaller is merged into what it touches, as in `merge_small`; 0 leaves all.

    Returns
    -------
    array of shape (h, w), or (b, h, w) for a stack, int32
        Consecutive from 0, of the size of the image.

    Examples
    --------
    >>> image = np.zeros((8, 12, 3), np.uint8)
    >>> image[:, 6:] = (255, 128, 0)
    >>> labels = segment(image, Recipe(channels=8, layers=1), max_iter=30, device="cpu")
    >>> labels.shape, labels.dtype
    ((8, 12), dtype('int32'))
    """
    result, _ = fit(
        image,
        recipe,
        start_labels=start_labels,
        scribbles=scribbles,
        max_iter=max_iter,
        seed=seed,
        device=device,
        dtype=dtype,
        max_side=MAX_SIDE if size is None else _as_count(size, "size"),
        callback=callback,
    )
    if size is None:
        for message in result.messages:
            warnings.warn(f"segment: {message.replace('max_side', 'size')}", stacklevel=2)
    if not least:
        return result.labels
    if result.labels.ndim == 2:
        return merge_small(result.labels, image, least)
    return np.stack([merge_small(one, photo, least) for one, photo in zip(result.labels, image, strict=True)])


# ---- what the caller may get wrong ------------------------------------------------------------------------------


def _torch():
    try:
        import torch
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'kanezaki trains a network and needs torch, which is not installed: pip install "unseg[deep]"'
        ) from None
    return torch


def _as_recipe(recipe: str | Recipe) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(f"recipe must be a Recipe or one of {', '.join(RECIPES)}, got {recipe!r}")
    return RECIPES[recipe]


def _as_stack(image: ArrayLike | Sequence[ArrayLike]) -> tuple[NDArray[np.float32], bool]:
    """(b, h, w, 3) between 0 and 1, and whether it was a single image."""
    stacked = isinstance(image, list | tuple) and len(image) > 0 and np.ndim(image[0]) >= 2
    stacked = stacked and not (np.ndim(image[0]) == 2 and np.shape(image[0])[-1] == 3)  # the rows of one image
    single = not stacked and np.ndim(image) != 4
    images = [_as_rgb(one, np.dtype(np.float32)) for one in ([image] if single else image)]
    if not images:
        raise ValueError("image must be an image or at least one of a stack, got none")
    shapes = {one.shape for one in images}
    if len(shapes) > 1:
        listed = ", ".join(str(shape[:2]) for shape in sorted(shapes))
        raise ValueError(f"images of a stack must have one size, got {listed}; resize them, or fit each by itself")
    return np.stack(images), single


def _as_map(
    labels: ArrayLike, full: tuple[int, int], b: int, size: tuple[int, int], q: int, name: str
) -> NDArray[np.int64]:
    """Labels (b, h, w) at the size of training; what is not drawn is -1."""
    labels = np.asarray(labels)
    wanted = (b, *full)
    if labels.shape != wanted and not (b == 1 and labels.shape == wanted[1:]):
        raise ValueError(f"{name} must have shape {wanted[1:] if b == 1 else wanted}, got {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{name} must be integers, got {labels.dtype}; use {name}.astype(int)")
    labels = labels.astype(np.int64).reshape(wanted)
    if name == "scribbles":
        labels = np.where((labels < 0) | (labels == NOT_DRAWN), -1, labels)
        if not (labels >= 0).any():
            raise ValueError("scribbles must hold at least one drawn pixel, from 0 on; got none")
    if labels.max() >= q:
        raise ValueError(f"{name} must be below channels={q}, got {labels.max()}")
    if size == full:
        return labels
    rows, columns = (np.floor((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, full, strict=True))
    small = labels[:, rows[:, None], columns]
    if name == "scribbles":  # thin lines would get lost: every drawn pixel goes to where it falls
        image, y, x = np.nonzero(labels >= 0)
        small[image, y * size[0] // full[0], x * size[1] // full[1]] = labels[image, y, x]
    return small


def _as_response(response: torch.Tensor) -> torch.Tensor:
    if not isinstance(response, _torch().Tensor):
        raise TypeError(f"response must be a torch tensor, got {type(response).__name__}")
    if response.ndim != 4:
        hint = "; for one image use response[None]" if response.ndim == 3 else ""
        raise ValueError(f"response must have shape (b, q, h, w), got {tuple(response.shape)}{hint}")
    return response


def _as_target(target: torch.Tensor, response: torch.Tensor) -> torch.Tensor:
    b, q, h, w = response.shape
    if not isinstance(target, _torch().Tensor):
        raise TypeError(f"target must be a torch tensor, got {type(target).__name__}")
    if tuple(target.shape) != (b, h, w) and not (b == 1 and tuple(target.shape) == (h, w)):
        wanted = "(h, w)" if b == 1 else "(b, h, w)"
        raise ValueError(f"target must have shape {wanted}, one label for each pixel, got {tuple(target.shape)}")
    if target.is_floating_point():
        raise TypeError(f"target must be integers, got {target.dtype}; take the argmax over the channels")
    if target.numel() and int(target.max()) >= q:
        raise ValueError(f"target must be below q={q}, the number of channels, got {int(target.max())}")
    return target.long().reshape(b, h, w)
