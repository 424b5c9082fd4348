"""Tiny data sets on disk in the layouts of the real ones."""

from __future__ import annotations

import hashlib
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from orchestrator.datasets import cifar

CIFAR10_NAMES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]


def random_split(images, classes, side=32, seed=0):
    rng = np.random.default_rng(seed)
    labels_N = rng.permutation(np.arange(images) % classes).astype(np.uint16)
    return rng.integers(0, 256, (images, side, side, 3), dtype=np.uint8), labels_N


def planar(images_NHWC):
    return images_NHWC.transpose(0, 3, 1, 2).reshape(len(images_NHWC), -1)


def write_class_folders(folder: Path, names, splits, suffix=".png"):
    for split, (images_NHWC, labels_N) in splits.items():
        for name in names:
            (folder / split / name).mkdir(parents=True)
        for number, (image, label) in enumerate(zip(images_NHWC, labels_N, strict=True)):
            Image.fromarray(image).save(folder / split / names[label] / f"{number}{suffix}")


def write_cifar10_binary(folder: Path, names, splits):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    for file_name, (images_NHWC, labels_N) in cifar10_batches(splits).items():
        records = np.concatenate([labels_N.astype(np.uint8)[:, None], planar(images_NHWC)], axis=1)
        (folder / f"{file_name}.bin").write_bytes(records.tobytes())


def write_cifar100_binary(folder: Path, names, splits):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fine_label_names.txt").write_text("\n".join(names) + "\n")
    for split, (images_NHWC, labels_N) in splits.items():
        fine = labels_N.astype(np.uint8)[:, None]
        records = np.concatenate([fine // 5, fine, planar(images_NHWC)], axis=1)
        (folder / f"{split}.bin").write_bytes(records.tobytes())


def write_cifar10_pickles(folder: Path, names, splits, monkeypatch):
    folder.mkdir(parents=True, exist_ok=True)
    _write_pickle(folder / "batches.meta", {"label_names": names}, monkeypatch)
    for file_name, (images_NHWC, labels_N) in cifar10_batches(splits).items():
        content = {"data": planar(images_NHWC), "labels": labels_N.tolist()}
        _write_pickle(folder / file_name, content, monkeypatch)


def write_cifar100_pickles(folder: Path, names, splits, monkeypatch):
    folder.mkdir(parents=True, exist_ok=True)
    _write_pickle(folder / "meta", {"fine_label_names": names}, monkeypatch)
    for split, (images_NHWC, labels_N) in splits.items():
        fine = labels_N.tolist()
        content = {
            "data": planar(images_NHWC),
            "fine_labels": fine,
            "coarse_labels": [label // 5 for label in fine],
        }
        _write_pickle(folder / split, content, monkeypatch)


def cifar10_batches(splits):
    images_NHWC, labels_N = splits["train"]
    parts = np.array_split(np.arange(len(labels_N)), 5)
    batches = {
        f"data_batch_{number}": (images_NHWC[part], labels_N[part])
        for number, part in enumerate(parts, start=1)
    }
    return {**batches, "test_batch": splits["test"]}


def write_tiny_imagenet(folder: Path, ids, splits):
    """JPEG files in the official layout; every third image is greyscale."""
    (folder / "val" / "images").mkdir(parents=True)
    (folder / "test" / "images").mkdir(parents=True)
    (folder / "wnids.txt").write_text("\n".join(reversed(ids)) + "\n")
    words = [f"{name}\tthing {number}, synonym" for number, name in enumerate(ids)]
    (folder / "words.txt").write_text("\n".join(words) + "\n")
    for name in ids:
        (folder / "train" / name / "images").mkdir(parents=True)
        (folder / "train" / name / f"{name}_boxes.txt").write_text("x\t0\t0\t1\t1\n")
    for number, (image, label) in enumerate(zip(*splits["train"], strict=True)):
        name = ids[label]
        _save_jpeg(folder / "train" / name / "images" / f"{name}_{number}.JPEG", image, number)
    lines = []
    for number, (image, label) in enumerate(zip(*splits["test"], strict=True)):
        _save_jpeg(folder / "val" / "images" / f"val_{number}.JPEG", image, number)
        lines.append(f"val_{number}.JPEG\t{ids[label]}\t0\t32\t44\t62")
    (folder / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")


def accept_pickle(path: Path, monkeypatch):
    """Let the file that lies there count as the official one."""
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setitem(cifar.OFFICIAL_MD5, path.name, md5)


def _save_jpeg(path: Path, image, number: int):
    picture = Image.fromarray(image)
    (picture.convert("L") if number % 3 == 0 else picture).save(path, "JPEG", quality=90)


class _Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings: so the official files hold their pixels."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def _save_bytes(self, value):
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = _save_bytes


def _write_pickle(path: Path, content, monkeypatch):
    with path.open("wb") as file:
        _Python2Pickler(file, protocol=2).dump(content)
    old_name = path.read_bytes().replace(b"numpy._core.", b"numpy.core.")
    path.write_bytes(old_name)
    accept_pickle(path, monkeypatch)
