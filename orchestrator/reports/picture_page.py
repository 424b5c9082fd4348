"""`pictures.html`: sent and received images as one page without scripts, in light and dark mode."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from html import escape

from PIL import Image

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.markup import count, document
from orchestrator.reports.picture_source import Images, Received
from orchestrator.reports.received_pictures import Gallery, Row, Snapshot
from semcom.tasks.reconstruction import PSNR

PAGE = "pictures.html"
SHOWN_SIDE = 320  # pixels; larger images are shown smaller
SMOOTH_SIDE = 96  # images of fewer pixels per side are shown pixel by pixel
CSS = """
:root { --good: #00795a; } @media (prefers-color-scheme: dark) { :root { --good: #35c79b; } }
body { max-width: 1360px; }
.snrs { display: flex; flex-wrap: wrap; gap: 1.2rem; margin: 0 0 1.2rem; align-items: flex-start; }
.snr { border: 1px solid var(--line); border-radius: 12px; overflow: hidden; max-width: 100%; }
.snr > h3 { margin: 0; padding: .55rem 1rem; background: var(--soft); font-size: 1.05rem; }
.snr > h3 small { color: var(--muted); font-weight: 400; margin-left: .5rem; font-size: .8rem; }
.rail { overflow-x: auto; padding: .9rem 1rem 1rem; }
.grid { display: grid; gap: .9rem 1rem; justify-content: start; align-items: start; }
.grid .name { font-weight: 600; font-size: .88rem; align-self: end; overflow-wrap: anywhere; }
.grid .name small { display: block; color: var(--muted); font-weight: 400; }
.grid .rank { font-weight: 600; align-self: start; padding-top: .2rem; }
.grid .rank small { display: block; white-space: nowrap; color: var(--muted); font-weight: 400;
  font-size: .78rem; }
.grid figure { margin: 0; } .grid img { width: 100%; aspect-ratio: var(--ratio, 1);
  display: block; border-radius: 8px; background: var(--soft); }
.grid img.px { image-rendering: pixelated; }
.grid .sent img { box-shadow: 0 0 0 2px var(--paper), 0 0 0 3.5px rgba(var(--tint), .8); }
.grid figcaption { font-size: .8rem; margin: .35rem 0 0; line-height: 1.35;
  font-variant-numeric: tabular-nums; } .grid figcaption b { color: var(--ink); }
.grid figcaption.first b { color: var(--good); }
.dataset { color: var(--muted); font-weight: 400; }
.grid { grid-template-columns: 78px repeat(var(--columns), var(--side)); }
@media (max-width: 600px) { .grid { gap: .7rem; } .rail { padding: .7rem; }
  .grid { grid-template-columns: 66px repeat(var(--columns), calc(.75 * var(--side))); } }
""".strip()
IMAGE_PX, LADDER_PX = 112, 96
LARGE_IMAGE_PX, LARGE_LADDER_PX = 230, 170  # of images from SMOOTH_SIDE pixels on


def picture_page(galleries: Sequence[Gallery]) -> str:
    """Return the self-contained page."""
    runs = list(dict.fromkeys(each.run for each in galleries))
    parts = [f"<style>\n{CSS}\n</style>", f"<p>{escape(_note(galleries))}</p>"]
    for each in galleries:
        parts += _gallery(each, len(runs) > 1)
    return document(f"Pictures: {', '.join(runs)}", parts)


def _note(galleries: Sequence[Gallery]) -> str:
    metrics = list(dict.fromkeys(m for each in galleries for m in _first(each).values))
    lower = [metric.title for metric in metrics if metric.better == "lower"]
    better = f" ({', '.join(lower)}: lower is better)" if lower else ""
    slots = "Links of a group send the same images in different slots."
    others = sorted({link for each in galleries for link in each.left_out})
    if others:
        slots += f" Of a group only its first link is shown, without {', '.join(others)}."
    text = (
        "Images sent (framed) and received. At each SNR, images are ranked by their PSNR, the "
        "mean over all columns: the worst, the median and the best one are shown. Below each "
        f"image are its own metrics{better}; the highest PSNR of a row is green."
    )
    return f"{text} {slots}" if any(each.grouped for each in galleries) else text


def _first(gallery: Gallery) -> Received:
    return gallery.snapshots[0].rows[0].received[0]


def _gallery(gallery: Gallery, several: bool) -> Iterator[str]:
    run = f"{gallery.run}: " if several else ""
    side = gallery.tile_side
    tiles = f" sent in tiles of {side} x {side} pixels" if side else ""
    seed = f"{tiles}, channel seed {gallery.seed}"
    yield (
        f"<h2>{escape(run + gallery.dataset)}, {escape(channel_title(gallery.channel))} "
        f'<span class="dataset">{count(gallery.images)} images{seed}</span></h2>'
    )
    yield '<div class="snrs">'
    for snapshot in gallery.snapshots:
        yield _snapshot(gallery, snapshot)
    if len(gallery.ladder.snrs_db) > 1:
        yield _ladder(gallery)
    yield "</div>"


def _snapshot(gallery: Gallery, snapshot: Snapshot) -> str:
    heads = ['<div class="name">sent</div>']
    for name, mean in zip(gallery.series, snapshot.means, strict=True):
        heads.append(
            f'<div class="name">{escape(name)}<small>mean {PSNR.number(mean)} dB</small></div>'
        )
    cells = ["<div></div>", *heads]
    for row in snapshot.rows:
        cells += _row(row)
    title = f"{snapshot.snr_db:g} dB<small>Es/N0</small>"
    width = LARGE_IMAGE_PX if _is_large(snapshot.rows[0].sent) else IMAGE_PX
    return _card(title, cells, columns=1 + len(gallery.series), width=width)


def _row(row: Row) -> Iterator[str]:
    yield f'<div class="rank">{escape(row.rank)}<small>image {row.index}</small></div>'
    yield _figure(row.sent, f"image {row.index} as sent", kind="sent")
    best = max(each.values[PSNR] for each in row.received)
    for each in row.received:
        first = len(row.received) > 1 and each.values[PSNR] == best
        yield _figure(each.image, f"image {row.index} as received", caption=_caption(each, first))


def _ladder(gallery: Gallery) -> str:
    ladder = gallery.ladder
    cells = ["<div></div>", '<div class="name">sent</div>']
    cells += [f'<div class="name">{snr_db:g} dB</div>' for snr_db in ladder.snrs_db]
    for name, received in zip(gallery.series, ladder.received, strict=True):
        cells.append(f'<div class="name" style="align-self: start">{escape(name)}</div>')
        cells.append(_figure(ladder.sent, f"image {ladder.index} as sent", kind="sent"))
        for snr_db, each in zip(ladder.snrs_db, received, strict=True):
            if each is None:
                cells.append("<div></div>")
                continue
            text = f"image {ladder.index} at {snr_db:g} dB"
            caption = f"<figcaption><b>{PSNR.number(each.values[PSNR])}</b> dB</figcaption>"
            cells.append(_figure(each.image, text, caption=caption))
    width = LARGE_LADDER_PX if _is_large(ladder.sent) else LADDER_PX
    title = f"One image over all SNRs<small>image {ladder.index}</small>"
    return _card(title, cells, columns=1 + len(ladder.snrs_db), width=width)


def _card(title: str, cells: Sequence[str], *, columns: int, width: int) -> str:
    template = f"--columns: {columns}; --side: {width}px"
    return (
        f'<section class="snr"><h3>{title}</h3><div class="rail">'
        f'<div class="grid" style="{template}">{"".join(cells)}</div></div></section>'
    )


def _caption(received: Received, first: bool) -> str:
    rest = "".join(
        f"<br>{escape(metric.title)} {metric.number(value, short=True)}"
        for metric, value in received.values.items()
        if metric is not PSNR
    )
    kind = ' class="first"' if first else ""
    return f"<figcaption{kind}><b>{PSNR.number(received.values[PSNR])}</b> dB{rest}</figcaption>"


def _figure(image: Images, text: str, *, kind: str = "", caption: str = "") -> str:
    height, width = image.shape[:2]
    pixels = "" if _is_large(image) else ' class="px"'
    ratio = "" if height == width else f' style="--ratio: {width}/{height}"'
    return (
        f'<figure class="{kind}"{ratio}><img{pixels} alt="{escape(text)}" src="{_source(image)}">'
        f"{caption}</figure>"
    )


def _is_large(image: Images) -> bool:
    return bool(max(image.shape[:2]) >= SMOOTH_SIDE)


def _source(image: Images) -> str:
    """Return an image as a data URL, reduced to the size at which it is shown."""
    shown = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    content = io.BytesIO()
    shown.save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
