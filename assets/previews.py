"""Dagster features that it calls beta or preview and that we use on purpose: partitioned checks, single-run backfills.

Dagster is pinned to one release, so they cannot change under us; the warning is for those who do not pin.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def accepted() -> Iterator[None]:
    """Silences these two warnings, and no others, while definitions are made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield
