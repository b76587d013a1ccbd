"""Sentences of reviews, each with a feeling: 1 for a good word, 0 for a bad one.

Two sets. "uci" is the Sentiment Labelled Sentences of Kotzias et al. (2015), UCI id
331, CC BY 4.0: 3,000 sentences of Amazon, IMDb and Yelp, downloaded once and checked
against its hashes. "builtin" was written for this book; its words that carry the
feeling are marked.

    sentences, labels, origins = reviews.load()
    train, test = reviews.split(labels, origins)

ATTNLIB_DATA names a folder where the archive lies already; ATTNLIB_OFFLINE=1 forbids
every download.
"""

import hashlib
import io
import logging
import os
import re
import tempfile
import zipfile
from collections import Counter
from importlib import resources
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from attnlib.arguments import integer

URL = "https://archive.ics.uci.edu/static/public/331/sentiment+labelled+sentences.zip"
ARCHIVE = "sentiment+labelled+sentences.zip"
ARCHIVE_HASH = "afc26626d710899948693e1a61405dce197f57ffa719fa1130d346b4cc095343"
FOLDER = "sentiment labelled sentences/"
MEMBERS = {  # where from: the file's name in the archive, and its SHA-256
    "amazon": (
        "amazon_cells_labelled.txt",
        "47003fc0a0d4840b00e96e715b6189bad09e7443a3da41c4cbe12ffc79f86ae3",
    ),
    "imdb": (
        "imdb_labelled.txt",
        "aef2e49e3da25714d61175e3a6e68eeef74a20a2f914318dc3be9947ea86512d",
    ),
    "yelp": (
        "yelp_labelled.txt",
        "c76468b7b5c6e56a0804d728345c5f84aa2142ddb214420f61cc9cfd4c00d2ea",
    ),
}
CP1252 = {
    0x85: "…",
    0x96: "–",
    0x97: "—",
}  # read as Latin-1 once, by whoever wrote the files
TIMEOUT = 20  # seconds without an answer
SOURCES = ("auto", "uci", "builtin")


class ChecksumError(ValueError):
    """An archive that is not the one we know; the message gives the hash that was
    expected and the one found.
    """


class _Reviews(NamedTuple):
    sentences: list
    labels: list
    origins: list


class Reviews(_Reviews):
    """(sentences, labels, origins): texts; 1 for good and 0 for bad; and where each
    came from.

    Also rationales: for the built-in sentences, a set of places in
    ``tokens(sentence)``, one a sentence: the words that carry the feeling. None for
    other data.
    """

    rationales = None

    def __new__(cls, rows, rationales=None):
        made = super().__new__(cls, *map(list, zip(*rows, strict=True)))
        made.rationales = rationales
        return made


def tokens(sentence):
    """The words of a text in lower case, and its marks: "Don't go!" → ["don't", "go",
    "!"].
    """
    return re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", sentence.lower())


def key(sentence):
    """What two sentences share that differ in case, marks and spaces alone."""
    return " ".join(re.findall(r"\w+", sentence.casefold()))


def load(source="auto", duplicates=False):
    """The sentences as `Reviews`: (sentences, labels, origins).

    source: "uci"; "builtin"; or "auto", which takes UCI's where they can be had, else
    the built-in ones, and says in
    one line which. duplicates: whether to keep sentences whose `key` came before (28 of
    UCI's 3,000).
    Raises ChecksumError for an archive that is not the one known; OSError where "uci"
    cannot be had at all; ValueError for another source. "auto" raises none of these.
    """
    if source not in SOURCES:
        raise ValueError(
            f"source should be one of {', '.join(SOURCES)}, got {source!r}"
        )
    if source == "builtin":
        return builtin()
    try:
        found = uci(archive(), duplicates)
    except (ChecksumError, OSError) as error:
        if source == "uci":
            raise
        reason = str(error).splitlines()[0]
        print(
            "Reviews: the built-in sentences of this book. (UCI's cannot be had:"
            f" {reason})"
        )
        return builtin()
    if source == "auto":
        print(
            "Reviews: UCI's Sentiment Labelled Sentences (Kotzias et al. 2015, CC BY"
            " 4.0)."
        )
    return found


def uci(archive, duplicates=False):
    """The rows of UCI's archive, given as bytes that `check` let pass."""
    rows, seen = [], set()
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for origin, (name, _) in MEMBERS.items():
            text = opened.read(FOLDER + name).decode("utf-8").translate(CP1252)
            for line in text.removesuffix("\n").split(
                "\n"
            ):  # not splitlines: a sentence may hold other line ends
                sentence, label = line.rsplit("\t", 1)
                if duplicates or key(sentence) not in seen:
                    rows.append((sentence.strip(), int(label), origin))
                seen.add(key(sentence))
    return Reviews(rows)


def check(content):
    """Raises ChecksumError unless `content`, bytes, is UCI's archive, or one made anew
    of the same files.
    """
    found = hashlib.sha256(content).hexdigest()
    if found == ARCHIVE_HASH:
        return
    whole = f"expected SHA-256 {ARCHIVE_HASH}, found {found} ({len(content)} bytes)"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            outside = [
                n
                for n in opened.namelist()
                if n.startswith("/") or ".." in n.split("/")
            ]
            if outside:
                raise ChecksumError(
                    f"the archive holds a name that leads outside, {outside[0]!r}:"
                    f" {whole}"
                )
            for name, expected in MEMBERS.values():
                if FOLDER + name not in opened.namelist():
                    raise ChecksumError(f"the archive has no {FOLDER}{name}: {whole}")
                member = hashlib.sha256(opened.read(FOLDER + name)).hexdigest()
                if member != expected:
                    raise ChecksumError(
                        f"{name} is not the file we know: expected SHA-256 {expected},"
                        f" found {member}"
                    )
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ChecksumError(f"not a whole zip archive ({error}): {whole}") from None


def cache_folder():
    """Where a downloaded archive is kept."""
    import pooch

    return Path(os.environ.get("ATTNLIB_CACHE") or pooch.os_cache("attnlib"))


def archive(url=URL, attempts=3):
    """UCI's archive as bytes, checked: from ATTNLIB_DATA, else the cache, else
    downloaded and kept in the cache.

    Raises ChecksumError for one that is not right, wherever it lies (it is left there);
    OSError where none can be had.
    """
    places = (
        [Path(os.environ["ATTNLIB_DATA"]) / ARCHIVE]
        if os.environ.get("ATTNLIB_DATA")
        else []
    )
    for place in (*places, cache_folder() / ARCHIVE):
        try:
            content = place.read_bytes()
        except OSError:
            continue
        try:
            check(content)
        except ChecksumError as error:
            raise ChecksumError(
                f"{error}\nIt was read from {place}; remove it to have it downloaded"
                " again."
            ) from None
        return content
    if os.environ.get("ATTNLIB_OFFLINE", "0") not in ("", "0"):
        raise FileNotFoundError(
            "ATTNLIB_OFFLINE is set, and neither ATTNLIB_DATA nor the cache holds the"
            " archive"
        )
    content = _download(url, attempts)
    check(content)
    _keep(content, cache_folder() / ARCHIVE)
    return content


def _download(url, attempts):
    """The bytes at `url`; tried again where the connection fails. ConnectionError after
    the last attempt.
    """
    import pooch

    logging.getLogger("pooch").setLevel(logging.WARNING)
    for attempt in range(attempts):
        with tempfile.TemporaryDirectory() as folder:
            try:
                downloader = pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=False)
                kept = pooch.retrieve(
                    url, None, fname=ARCHIVE, path=folder, downloader=downloader
                )
                return Path(kept).read_bytes()
            except (
                Exception
            ) as error:  # requests, urllib3 and the system each have their own
                if attempt == attempts - 1:
                    message = (
                        f"the download failed {attempts} times, at last with"
                        f" {type(error).__name__}"
                    )
                    raise ConnectionError(f"{message}\n{url}\n{error}") from error


def _keep(content, place):
    """Into the cache, whole or not at all, also when two processes do it at once. No
    cache is no error.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=place.parent
        ) as folder:  # which goes again, whatever happens
            partial = Path(folder) / place.name
            partial.write_bytes(content)
            os.replace(partial, place)
    except OSError:
        return


def builtin():
    """The sentences written for this book, as `Reviews` with rationales.

    Each line of the files is ``label<TAB>sentence``, the words that carry the feeling
    in [brackets].
    """
    rows, rationales = [], []
    for origin in ("goods", "meals", "films"):
        text = (
            resources.files("attnlib.tasks") / "builtin_reviews" / f"{origin}.tsv"
        ).read_text(encoding="utf-8")
        for line in text.splitlines():
            label, marked = line.split("\t")
            sentence, places = _unmark(marked)
            rows.append((sentence, int(label), origin))
            rationales.append(places)
    return Reviews(rows, rationales)


def _unmark(marked):
    """ "It was [not good]." → ("It was not good.", {2, 3}): the text, and the places of
    the marked tokens.
    """
    places, before = set(), []
    for number, part in enumerate(re.split(r"[\[\]]", marked)):
        found = tokens(part)
        if number % 2:  # between brackets
            places |= set(range(len(before), len(before) + len(found)))
        before += found
    return re.sub(r"[\[\]]", "", marked), places


def vocabulary(sentences, fewest=2):
    """{token: number} of the tokens that come `fewest` times or more, from 2 on: 0 is
    padding, 1 any other token.
    """
    counts = Counter(token for sentence in sentences for token in tokens(sentence))
    return {
        token: number
        for number, token in enumerate(
            sorted(t for t in counts if counts[t] >= fewest), start=2
        )
    }


def encode(sentences, numbers):
    """Sentences as numbers, (sentences, longest), padded with 0 at the end. numbers: as
    `vocabulary` gives them.

    Raises ValueError for a sentence without tokens.
    """
    rows = [
        [numbers.get(token, 1) for token in tokens(sentence)] for sentence in sentences
    ]
    for sentence, row in zip(sentences, rows, strict=True):
        if not row:
            raise ValueError(
                f"expected sentences with a word or mark each, got {sentence!r}"
            )
    encoded = np.zeros((len(rows), max(map(len, rows), default=0)), "int32")
    for place, row in enumerate(rows):
        encoded[place, : len(row)] = row
    return encoded


def split(labels, origins, test_share=0.2, seed=0):
    """Shuffled places of sentences for training and for testing: the same shares of
    each label and origin in both.

    labels, origins: lists, one entry a sentence. test_share: between 0 and 1. Returns
    two lists of places.
    Take duplicates out before (as `load` does): else a sentence may be in both.
    """
    if len(labels) != len(origins):
        raise ValueError(
            f"expected a label and an origin for each sentence, got {len(labels)} and"
            f" {len(origins)}"
        )
    if not 0 < test_share < 1:
        raise ValueError(f"test_share should lie between 0 and 1, got {test_share}")
    random = Random(f"reviews {integer('seed', seed, 0)}")
    groups = {}
    for place, group in enumerate(zip(labels, origins, strict=True)):
        groups.setdefault(group, []).append(place)
    train, test = [], []
    for group in sorted(groups):
        places = groups[group]
        random.shuffle(places)
        kept = round(len(places) * test_share)
        test += places[:kept]
        train += places[kept:]
    random.shuffle(train)
    random.shuffle(test)
    return train, test


def own(data, fewest=20):
    """Your own sentences as `Reviews`, from a file or a list, with every fault named by
    its line.

    data: path of a UTF-8 file with a line ``sentence<TAB>label`` a sentence, or a list
    of (sentence, label); labels are
    0 and 1. fewest: sentences there should be at least.
    Raises ValueError for a line without label, another label, an empty sentence, one
    label alone, too few sentences, or a file that is not UTF-8, naming the line and
    what was expected.
    """
    if isinstance(data, (str, os.PathLike)):
        try:
            lines = (
                Path(data)
                .read_bytes()
                .decode("utf-8-sig")
                .replace("\r\n", "\n")
                .removesuffix("\n")
                .split("\n")
            )
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ValueError(
                f"line {line}: expected UTF-8 text, got the byte"
                f" {error.object[error.start]:#x}"
            ) from None
        found = [
            (number, *_fields(number, line))
            for number, line in enumerate(lines, start=1)
        ]
    else:
        found = []
        for number, row in enumerate(data, start=1):
            if not isinstance(row, (tuple, list)) or len(row) != 2:
                raise ValueError(
                    f"line {number}: expected (sentence, label), got {row!r}"
                )
            found.append((number, *row))
    rows = []
    for number, sentence, label in found:
        if not isinstance(sentence, str) or not sentence.strip():
            raise ValueError(f"line {number}: expected a sentence, got {sentence!r}")
        if str(label).strip() not in ("0", "1"):
            raise ValueError(f"line {number}: expected the label 0 or 1, got {label!r}")
        rows.append((sentence.strip(), int(label), "own"))
    if len(rows) < fewest:
        raise ValueError(f"expected {fewest} sentences or more, got {len(rows)}")
    if len({label for _, label, _ in rows}) == 1:
        raise ValueError(
            f"expected sentences of both labels, 0 and 1, got {rows[0][1]} alone in"
            f" {len(rows)} lines"
        )
    return Reviews(rows)


def _fields(number, line):
    if "\t" not in line:
        raise ValueError(
            f"line {number}: expected a sentence, a tab and a label, got no label in"
            f" {line[:60]!r}"
        )
    return line.rsplit("\t", 1)
