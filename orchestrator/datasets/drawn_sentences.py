"""Sentences from a small grammar, for demos and tests without a corpus.

    sentence   noun phrase, verb, noun phrase, then up to two of: place, time, second clause
    words      about 500; every choice but the shape of the sentence is even

Sentence i depends only on (seed, i) and DRAWING_VERSION.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from orchestrator.datasets.sentence_cleaning import is_sentence
from orchestrator.datasets.word_counts import vocabulary_of
from semcom.errors import ConfigurationError
from semcom.shards import DRAWN_TEXTS, DatasetManifest
from semcom.text_shards import sentence_key, write_sentences

(NAME,) = DRAWN_TEXTS
DRAWING_VERSION = 1
TRAIN, VALIDATION, TEST = 8_000, 500, 1_000


def _words(text: str) -> list[str]:
    return text.split()


_PEOPLE = _words("""
teacher doctor farmer sailor painter singer baker driver nurse pilot judge captain lawyer miner
tailor gardener waiter clerk guard poet student hunter banker actor dancer builder butcher chemist
cook editor engineer fisher mayor minister monk officer porter potter priest queen king prince
ranger scholar soldier surgeon trader weaver witness writer neighbour stranger child woman man
aunt uncle brother sister cousin daughter son friend guest host artist critic expert leader member
voter
""")
_THINGS = _words("""
letter book lamp table chair bottle window basket hammer ladder mirror blanket candle clock coin
crown drum engine flute garden glass hat kettle key knife map medal needle paper pencil picture
pillow plate ribbon rope sail shirt shoe spoon stone sword ticket tool toy wagon wheel whistle
apple bread butter cheese egg honey lemon melon onion orange pear pepper potato rice salad soup
sugar bridge boat house car bicycle train camera radio piano violin parcel report treaty budget
law badge bell belt boot bowl box brush button card carpet chain cloak collar compass cup curtain
desk dish door envelope feather fence flag fork gift glove handle helmet jacket jar
""")
_PLACES = _words("""
village harbour forest market station school church castle island valley mountain river lake beach
tower theatre museum library hospital factory office kitchen cellar street square palace prison
meadow desert cave camp farm mill airport hotel garage chapel temple stadium parliament border
canal cottage court field fountain gate gallery hall hill orchard port road shop shore
""")
_ADJECTIVES = _words("""
old young tall short quiet loud happy sad angry gentle clever brave lazy busy rich poor strange
famous honest proud tired hungry small large heavy light dark bright red green blue yellow white
black brown grey golden silver wooden broken empty full clean dirty warm cold dry wet new ancient
cheap precious round square narrow wide soft hard sharp smooth sweet bitter fresh
""")
_VERBS = _words("""
carried found lost sold bought painted repaired watched opened closed hid stole built broke moved
lifted dropped washed cleaned counted drew described examined followed forgot gave guarded held
kept kicked knew left liked loved made measured needed noticed offered ordered packed praised
promised pulled pushed read received remembered rented returned saved sent shared showed signed
studied took touched used wanted wrapped admired burned chose collected cut defended delivered
divided earned filled finished fixed gathered hated imagined improved joined labelled loaded mixed
""")
_SPEECH = _words("""
said thought believed hoped feared knew wrote claimed denied dreamed
""")
_ADVERBS = _words("""
slowly quickly quietly carefully happily sadly often never always rarely suddenly finally gladly
proudly calmly secretly bravely politely
""")
_WHERE = _words("""
in near behind beside above below outside inside under opposite
""")
_ARTICLES = _words("""
the a the a the this that every one another my your our their
""")
_JOINS = _words("""
and but because while although so
""")
_WHEN = (
    """
yesterday, today, on monday, on tuesday, on wednesday, on thursday, on friday, on saturday,
on sunday, in january, in february, in march, in april, in june, in july, in august, in october,
in winter, in summer, in spring, in autumn, at noon, at midnight, before breakfast, after lunch,
after dinner, last week, last year, this morning, in the evening, during the storm,
during the debate, every day
""".strip()
    .replace("\n", " ")
    .split(", ")
)
_ENDS = (".", ".", ".", ".", "!")


def drawing_source(seed: int) -> str:
    """The `source` text in the manifest of a set drawn from this seed by this code."""
    return f"drawn by orchestrator.datasets.drawn_sentences, version {DRAWING_VERSION}, seed {seed}"


def draw_sentences(count: int, seed: int) -> list[str]:
    """Generate a number of different sentences."""
    dice = Random(f"{NAME}/{DRAWING_VERSION}/{seed}")
    found: dict[str, None] = {}
    while len(found) < count:
        text = _sentence(dice)
        if is_sentence(text):
            found[text] = None
    return list(found)


def prepare_sentences(
    root: Path, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> DatasetManifest:
    """Generate the set, by default with its own sizes, and write it to `root` as shards.

    Raises:
        ConfigurationError: no sentences were requested.
        StorageError: the disk is full or cannot be written.
    """
    train, test = TRAIN if train is None else train, TEST if test is None else test
    if min(train, test) < 1:
        raise ConfigurationError(f"{NAME}: each split needs at least 1 sentence")
    validation = min(VALIDATION, test)
    texts = draw_sentences(train + validation + test, seed)
    ordered = sorted(texts, key=sentence_key)
    return write_sentences(
        root,
        name=NAME,
        source=drawing_source(seed),
        vocabulary=vocabulary_of(texts),
        splits={
            "train": ordered[test + validation :],
            "validation": ordered[test : test + validation],
            "test": ordered[:test],
        },
    )


def _one(dice: Random, words: Sequence[str]) -> str:
    """Return a uniform choice; Random.choice may change with Python, Random.random may not."""
    return words[int(dice.random() * len(words))]


def _phrase(dice: Random, nouns: Sequence[str]) -> list[str]:
    adjectives = [_one(dice, _ADJECTIVES)] if dice.random() < 0.5 else []
    return [_one(dice, _ARTICLES), *adjectives, _one(dice, nouns)]


def _clause(dice: Random) -> list[str]:
    words = _phrase(dice, _PEOPLE)
    if dice.random() < 0.2:
        words += [_one(dice, _SPEECH), "that", *_phrase(dice, _PEOPLE)]
    if dice.random() < 0.3:
        words.append(_one(dice, _ADVERBS))
    words += [_one(dice, _VERBS), *_phrase(dice, _THINGS)]
    if dice.random() < 0.4:
        words += [_one(dice, _WHERE), *_phrase(dice, _PLACES)]
    return words


def _sentence(dice: Random) -> str:
    words = _one(dice, _WHEN).split() if dice.random() < 0.2 else []
    words += _clause(dice)
    if dice.random() < 0.3:
        words += [_one(dice, _JOINS), *_clause(dice)]
    elif dice.random() < 0.5:
        words += _one(dice, _WHEN).split()
    return " ".join([*words, _one(dice, _ENDS)])
