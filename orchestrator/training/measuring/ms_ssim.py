"""MS-SSIM of Wang, Simoncelli and Bovik (2003): contrast over five scales, luminance at the last.

Window and constants are those of `semcom.tasks.reconstruction`. From scale to scale, 2 x 2 pixels
are averaged; the last row of an odd side counts twice. A negative contrast counts as 0, as usual.
The value is the mean over channels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from semcom.tasks.reconstruction import Images, Values, ssim_maps

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ms_ssim(sent_NHWC: Images, received_NHWC: Images) -> npt.NDArray[np.float64]:
    """Return the MS-SSIM of each image, float64 (N,); sides of at least 161 pixels."""
    x, y = sent_NHWC.astype(np.float64), received_NHWC.astype(np.float64)
    product = np.ones((len(x), x.shape[3]))
    for scale, exponent in enumerate(EXPONENTS):
        luminance, contrast = ssim_maps(x, y)
        last = scale == len(EXPONENTS) - 1
        term = (luminance * contrast if last else contrast).mean(axis=(1, 2))
        product *= term.clip(0.0) ** exponent
        if not last:
            x, y = _halved(x), _halved(y)
    values: Values = product.mean(axis=1)
    return values


def _halved(images_NHWC: Values) -> Values:
    """Return the means of 2 x 2 pixels."""
    _, height, width, _ = images_NHWC.shape
    even = np.pad(images_NHWC, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rows: Values = (even[:, 0::2] + even[:, 1::2]) / 2
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) / 2
