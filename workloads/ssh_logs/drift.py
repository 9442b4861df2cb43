"""Drift: how far what is scored has moved from what the model was trained on, feature by feature.

The measure is the population stability index, Σ (a − e) · ln(a / e) over bins, `e` being the share of training rows in
a bin and `a` that of scored rows (N. Siddiqi, Credit Risk Scorecards, 2006). Below 0.1 little has moved, above 0.25
much has. The bins are tenths of the training rows; a value that many share makes one bin of several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

BINS = 10
MUCH = 0.25
# A bin without rows counts as this share, for the logarithm's sake.
LEAST_SHARE = 1e-4


def profile(rows: pd.DataFrame) -> dict[str, Any]:
    """What is kept of training rows: per feature its median, and upper edges and shares of its bins (the last is open).

    A value lies in the first bin whose edge it does not exceed.
    """
    import numpy as np

    features = {}
    for name in rows.columns:
        values = rows[name].to_numpy()
        edges = sorted({float(edge) for edge in np.quantile(values, np.arange(1, BINS) / BINS, method="lower")})
        counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        features[name] = {
            "median": float(np.median(values)),
            "edges": edges,
            "shares": [float(count) / len(values) for count in counts],
        }
    return {"rows": len(rows), "features": features}


def stability(expected: Sequence[float], actual: Sequence[float]) -> float:
    """The population stability index of two lists of shares of the same bins."""
    pairs = [(max(e, LEAST_SHARE), max(a, LEAST_SHARE)) for e, a in zip(expected, actual, strict=True)]
    return sum((a - e) * math.log(a / e) for e, a in pairs)


def measure(windows: DataFrame, kept: Mapping[str, Any]) -> dict[str, float]:
    """The index of each feature of a profile over these windows; nothing where there are none."""
    from pyspark.sql import functions as fn

    below = {
        (name, number): fn.count_if(fn.col(name) <= edge)
        for name, feature in kept["features"].items()
        for number, edge in enumerate(feature["edges"])
    }
    counted = [column.alias(f"{name} {number}") for (name, number), column in below.items()]
    (row,) = windows.agg(fn.count("*").alias("rows"), *counted).collect()
    if not row["rows"]:
        return {}
    found = {}
    for name, feature in kept["features"].items():
        edges = [row[f"{name} {number}"] for number in range(len(feature["edges"]))]
        totals = [0, *edges, row["rows"]]
        shares = [(upper - lower) / row["rows"] for lower, upper in pairwise(totals)]
        found[name] = stability(feature["shares"], shares)
    return found
