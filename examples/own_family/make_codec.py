"""Write codecs/thumbnail-8 for the drawn images: blocks of 4 x 4 pixels, 96 symbols an image."""

from pathlib import Path

from thumbnail import make_codec

import rkd_sc
from semcom.shards import Shard

rkd_sc.prepare("shapes10")
print(
    make_codec(
        Path("codecs/thumbnail-8"), Shard(Path("data/shapes10"), "test").images_NHWC, block=4
    )
)
