"""How sure a measured share is."""

from __future__ import annotations

import math


def wilson(hits: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953); (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    share = hits / of
    centre = share + z * z / (2 * of)
    margin = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)
