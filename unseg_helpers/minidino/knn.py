"""k-nearest-neighbor evaluation: how well do features that saw no label tell classes apart?"""

from __future__ import annotations

import torch
from torch import Tensor


def knn_accuracy(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, *, k: int = 20, temp: float = 0.07
) -> float:
    """Share of test points whose weighted vote is right: features (n, d) and (m, d), integer classes (n,) and (m,).

    A neighbor's vote weighs exp(cosine / temp) (Wu et al. 2018, as in DINO's evaluation).
    """
    train, test = (torch.nn.functional.normalize(x.float(), dim=1) for x in (train, test))
    cosine, index = (test @ train.T).topk(k, dim=1)
    votes = torch.zeros(len(test), int(train_labels.max()) + 1, device=test.device)
    votes.scatter_add_(1, train_labels[index], torch.exp((cosine - 1) / temp))
    return float((votes.argmax(dim=1) == test_labels).float().mean())
