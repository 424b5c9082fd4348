"""A classifier of torchvision cut in two: its first half sends, its second half answers.

python classifier.py
"""

import torch
from torch import nn
from torchvision.models import squeezenet1_1

import rkd_sc

torch.manual_seed(0)
network = squeezenet1_1(num_classes=10)
first = nn.Sequential(nn.Upsample(64), network.features[:6], nn.Conv2d(128, 4, 1), nn.Flatten())
second = nn.Sequential(
    nn.Unflatten(1, (4, 7, 7)), nn.Conv2d(4, 128, 1), network.features[6:], network.classifier,
    nn.AdaptiveAvgPool2d(1), nn.Flatten(),
)  # fmt: skip

rkd_sc.prepare("shapes10")
codec = rkd_sc.export_codec(
    "squeezenet-cut", transmitter=first, receiver=second,
    task=rkd_sc.Classification(classes=10), image=(32, 32, 3),
)  # fmt: skip
print(f"{codec.manifest.symbols} symbols an image, digest {codec.digest[:12]}")
run = rkd_sc.sweep(
    {
        "name": "squeezenet",
        "links": {"cut": {"dataset": "shapes10", "codec": "squeezenet-cut"}},
        "snr_db": [10],
        "images": 50,
        "frame_images": 25,
    }
)
for result in run:
    print(f"{result.snr_db:g} dB: accuracy {100 * result.values['accuracy']:.1f} %, not trained")
