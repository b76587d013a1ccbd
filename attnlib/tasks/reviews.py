"""Sentences of reviews, each with its sentiment: 1 for positive, 0 for negative.

There are two sets. "uci" is the Sentiment Labelled Sentences of Kotzias et al. (2015),
UCI ID 331, CC BY 4.0: 3,000 sentences of Amazon, IMDb, and Yelp, downloaded once and
checked against their hashes. "builtin" was written for this book; the words that carry
the sentiment are annotated in it. ::

    sentences, labels, origins = reviews.load()
    train, test = reviews.split(labels, origins)

The environment variable ``ATTNLIB_DATA`` names a folder that already holds the archive.
``ATTNLIB_OFFLINE=1`` forbids every download.
"""

import codecs
import hashlib
import io
import logging
import os
import re
import sys
import tempfile
import unicodedata
import warnings
import zipfile
from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from attnlib.arguments import integer, one_of

URL = "https://archive.ics.uci.edu/static/public/331/sentiment+labelled+sentences.zip"
ARCHIVE = "sentiment+labelled+sentences.zip"
ARCHIVE_HASH = "afc26626d710899948693e1a61405dce197f57ffa719fa1130d346b4cc095343"
FOLDER = "sentiment labelled sentences/"
MEMBERS = {  # origin: the file's name in the archive, and its SHA-256
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
# Bytes of Windows-1252 that whoever wrote the files once read as Latin-1.
CP1252 = {0x85: "…", 0x96: "–", 0x97: "—"}
# Bytes that other files than UTF-8 text begin with, and the encoding or kind.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, which begins with the same bytes
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
TABLES = {b"PK\3\4": "a zip file", b"\xd0\xcf\x11\xe0": "a binary spreadsheet"}
# A field in quotes, with each quote inside doubled, and the characters for which a
# spreadsheet sets them. (A tab or a line end in a sentence is refused.)
QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*')
NEEDS_QUOTES = re.compile('[,"]')
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")  # those that are no white space
TIMEOUT = 20  # seconds without an answer
SOURCES = ("auto", "uci", "builtin")
MIN_COVERAGE = 0.2  # share of words with an ID; short reviews have 0.4 and more
BUILTIN_ORIGINS = ("goods", "meals", "films")


class ChecksumError(ValueError):
    """The archive is not the known one.

    The message gives the hash that it should have and the one that it has.
    """


class _Reviews(NamedTuple):
    sentences: list
    labels: list
    origins: list


class Reviews(_Reviews):
    """(sentences, labels, origins), one entry each per sentence.

    Attributes
    ----------
    sentences : list of str
    labels : list of int
        1 for positive and 0 for negative.
    origins : list of str
        Where each sentence came from.
    rationales : list of sets of int, or None
        For the built-in sentences, the positions in ``tokens(sentence)`` of the words
        that carry the sentiment. None for other data.
    """

    rationales = None

    def __new__(cls, rows, rationales=None):
        reviews = super().__new__(cls, *map(list, zip(*rows, strict=True)))
        reviews.rationales = rationales
        return reviews


def tokens(sentence):
    """Split a text into its words, in lower case, and its punctuation marks.

    ``tokens("Don't go!")`` → ``["don't", "go", "!"]``

    The text is brought to Unicode's composed form (NFC) first, and combining marks stay
    with their letter.

    Parameters
    ----------
    sentence : str

    Returns
    -------
    tokens : list of str
    """
    word, mark = _patterns()
    return re.findall(rf"{word}(?:['’]{word})*|{mark}", _composed(sentence, str.lower))


def key(sentence):
    """Reduce a text to what it shares with its duplicates.

    Duplicates differ in case, punctuation, spaces, and Unicode form alone.

    Parameters
    ----------
    sentence : str

    Returns
    -------
    key : str
    """
    word, _ = _patterns()
    return " ".join(re.findall(word, _composed(sentence, str.casefold)))


def _composed(text, change_case):
    """The text in Unicode's composed form (NFC), before and after its case is changed,
    which may take letters apart.
    """
    text = change_case(unicodedata.normalize("NFC", text))
    return unicodedata.normalize("NFC", text)


@cache
def _patterns():
    """Regular expressions of a word and of a punctuation mark, each with the combining
    marks on it. Two joiners, which are not letters, are part of a word between letters.
    """
    characters = map(chr, range(sys.maxunicode + 1))
    marks = "".join(c for c in characters if unicodedata.category(c).startswith("M"))
    joiners = "\u200c\u200d"
    return rf"\w(?:[\w{marks}]|[{joiners}](?=\w))*", rf"[^\w\s][{marks}]*"


def load(source="auto", duplicates=False):
    """Load the sentences.

    Parameters
    ----------
    source : {"auto", "uci", "builtin"}, optional
        "auto" takes UCI's sentences if they are available, else the built-in ones, and
        says in one line which.
    duplicates : bool, optional
        Whether to keep sentences whose ``key`` came before (28 of UCI's 3,000).

    Returns
    -------
    reviews : Reviews
        (sentences, labels, origins).

    Raises
    ------
    ChecksumError
        For "uci", if the archive is not the known one.
    OSError
        For "uci", if there is no archive.
    ValueError
        If `source` is another one.
    """
    one_of("source", source, SOURCES)
    if source == "builtin":
        return load_builtin()
    try:
        reviews = load_uci(archive(), duplicates)
    except (ChecksumError, OSError) as error:
        if source == "uci":
            raise
        reason = str(error).splitlines()[0]
        print(
            "Reviews: the built-in sentences of this book. (UCI's are not available:"
            f" {reason})"
        )
        return load_builtin()
    if source == "auto":
        print(
            "Reviews: UCI's Sentiment Labelled Sentences (Kotzias et al. 2015, CC BY"
            " 4.0)."
        )
    return reviews


def load_uci(content, duplicates=False):
    """Read the rows of UCI's archive.

    Parameters
    ----------
    content : bytes
        The archive, which ``check`` has accepted.
    duplicates : bool, optional
        Whether to keep sentences whose ``key`` came before.

    Returns
    -------
    reviews : Reviews
    """
    rows = []
    seen = set()
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        for origin, (name, _) in MEMBERS.items():
            text = opened.read(FOLDER + name).decode("utf-8").translate(CP1252)
            # Not splitlines: a sentence may hold other line ends.
            for line in text.removesuffix("\n").split("\n"):
                sentence, label = line.rsplit("\t", 1)
                if duplicates or key(sentence) not in seen:
                    rows.append((sentence.strip(), int(label), origin))
                seen.add(key(sentence))
    return Reviews(rows)


def check(content):
    """Check that an archive is UCI's, or one made anew of the same files.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    ChecksumError
        If it is not.
    """
    archive_hash = hashlib.sha256(content).hexdigest()
    if archive_hash == ARCHIVE_HASH:
        return
    hashes = (
        f"it should have SHA-256 {ARCHIVE_HASH}, got {archive_hash}"
        f" ({len(content)} bytes)"
    )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            _check_members(opened, hashes)
            _check_whole(opened, content)
    except ChecksumError:
        raise
    # Any exception: zipfile and each way to decompress have their own for bad bytes.
    except Exception as error:
        raise ChecksumError(
            f"the archive is not a whole zip file ({error}): {hashes}"
        ) from None


def _check_members(opened, hashes):
    names = opened.namelist()
    for name in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise ChecksumError(
                f"the archive holds a name that leads outside, {name!r}: {hashes}"
            )
    for name, expected in MEMBERS.values():
        if FOLDER + name not in names:
            raise ChecksumError(f"the archive has no {FOLDER}{name}: {hashes}")
        member_hash = hashlib.sha256(opened.read(FOLDER + name)).hexdigest()
        if member_hash != expected:
            raise ChecksumError(
                f"{name} should have SHA-256 {expected}, got {member_hash}"
            )


def _check_whole(opened, content):
    """BadZipFile if bytes were added to an archive or lost, or another file in it is
    damaged. zipfile reads many such archives.
    """
    begins = min(info.header_offset for info in opened.infolist())
    comment = opened.comment
    end = content[-22 - len(comment) :]  # its last two bytes: the comment's length
    length = int.from_bytes(end[20:22], "little")
    if begins != 0 or not end.startswith(b"PK\5\6") or length != len(comment):
        raise zipfile.BadZipFile("bytes were added or lost")
    damaged = opened.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged!r} is damaged")


def cache_folder():
    """Return the folder where a downloaded archive is kept, as a Path."""
    import pooch

    return Path(os.environ.get("ATTNLIB_CACHE") or pooch.os_cache("attnlib"))


def archive(url=URL, attempts=3):
    """Get UCI's archive and check it.

    It is read from ``ATTNLIB_DATA``, else from the cache, else downloaded and kept in
    the cache.

    Parameters
    ----------
    url : str, optional
    attempts : int, optional
        How often a download is tried.

    Returns
    -------
    content : bytes

    Raises
    ------
    ChecksumError
        If it is not the known one. It is left where it is.
    OSError
        If there is none, or the download fails.
    """
    folders = [cache_folder()]
    if os.environ.get("ATTNLIB_DATA"):
        folders.insert(0, Path(os.environ["ATTNLIB_DATA"]))
    for folder in folders:
        content = _read_checked(folder / ARCHIVE)
        if content is not None:
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


def _read_checked(path):
    """The archive at `path`, or None if there is no file to read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        check(content)
    except ChecksumError as error:
        raise ChecksumError(
            f"{error}\nIt was read from {path}; remove it to have it downloaded again."
        ) from None
    return content


def _download(url, attempts):
    """The bytes at `url`, tried again if the connection fails. ConnectionError after
    the last attempt.
    """
    import pooch

    logging.getLogger("pooch").setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=False)
    for attempt in range(attempts):
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = pooch.retrieve(
                    url, None, fname=ARCHIVE, path=folder, downloader=downloader
                )
                return Path(path).read_bytes()
            # Any exception: requests, urllib3, and the system each have their own.
            except Exception as error:
                if attempt == attempts - 1:
                    raise ConnectionError(
                        f"the download failed {attempts} times, the last time with"
                        f" {type(error).__name__}\n{url}\n{error}"
                    ) from error


def _keep(content, path):
    """Write the archive to the cache, whole or not at all, also when two processes do
    it at once. It is no error if there cannot be a cache.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            partial = Path(folder) / path.name
            partial.write_bytes(content)
            os.replace(partial, path)
    except OSError:
        return


def load_builtin():
    """Read the sentences written for this book, with their rationales.

    Each line of the files is ``label<TAB>sentence``, with the words that carry the
    sentiment in [brackets].

    Returns
    -------
    reviews : Reviews
    """
    folder = resources.files("attnlib.tasks") / "builtin_reviews"
    rows = []
    rationales = []
    for origin in BUILTIN_ORIGINS:
        text = (folder / f"{origin}.tsv").read_text(encoding="utf-8")
        for line in text.splitlines():
            label, annotated = line.split("\t")
            sentence, rationale = _split_annotation(annotated)
            rows.append((sentence, int(label), origin))
            rationales.append(rationale)
    return Reviews(rows, rationales)


def _split_annotation(annotated):
    """ "It was [not good]." → ("It was not good.", {2, 3}): the text, and the positions
    of the annotated tokens.
    """
    rationale = set()
    length = 0
    for number, part in enumerate(re.split(r"[\[\]]", annotated)):
        start = length
        length += len(tokens(part))
        if number % 2:  # between brackets
            rationale |= set(range(start, length))
    return re.sub(r"[\[\]]", "", annotated), rationale


def vocabulary(sentences, min_count=2):
    """Assign an ID to each token that is frequent enough.

    Parameters
    ----------
    sentences : list of str
    min_count : int, optional
        How often a token has to occur to get an ID.

    Returns
    -------
    token_ids : dict of str to int
        In alphabetical order from 2 on: 0 is padding, and 1 any other token.

    Warns
    -----
    UserWarning
        If fewer than one in five words of the sentences got an ID.
    """
    counts = Counter(token for sentence in sentences for token in tokens(sentence))
    frequent = sorted(token for token in counts if counts[token] >= min_count)
    token_ids = {token: index for index, token in enumerate(frequent, start=2)}
    _check_coverage(
        counts,
        token_ids,
        "give more sentences or a smaller min_count, and split a text that is written"
        " without spaces into words first",
    )
    return token_ids


def _check_coverage(counts, token_ids, advice):
    """Warn if too few of the counted words have an ID. Punctuation marks are left out:
    they are the same in every text.
    """
    words = {token: n for token, n in counts.items() if token[0].isalnum()}
    total = sum(words.values())
    known = sum(n for token, n in words.items() if token in token_ids)
    if known < MIN_COVERAGE * total:
        warnings.warn(
            "the vocabulary should cover the words of the sentences, got IDs for"
            f" {known} of {total} words: {advice}",
            stacklevel=3,
        )


def encode(sentences, token_ids):
    """Turn sentences into token IDs.

    Parameters
    ----------
    sentences : list of str
    token_ids : dict of str to int
        As ``vocabulary`` returns it.

    Returns
    -------
    encoded : int array, shape (sentences, longest)
        Padded with 0 at the end.

    Raises
    ------
    ValueError
        If a sentence has no token.

    Warns
    -----
    UserWarning
        If fewer than one in five words of the sentences have an ID.
    """
    token_lists = [tokens(sentence) for sentence in sentences]
    rows = [[token_ids.get(token, 1) for token in row] for row in token_lists]
    for sentence, row in zip(sentences, rows, strict=True):
        if not row:
            raise ValueError(
                "sentences should have a word or punctuation mark each, got"
                f" {sentence!r}"
            )
    counts = Counter(token for row in token_lists for token in row)
    _check_coverage(
        counts, token_ids, "build the vocabulary from sentences of the same kind"
    )
    encoded = np.zeros((len(rows), max(map(len, rows), default=0)), "int32")
    for i, row in enumerate(rows):
        encoded[i, : len(row)] = row
    return encoded


def split(labels, origins, test_share=0.2, seed=0):
    """Split sentences into two shuffled parts, one for training and one for testing.

    Both have the same shares of each label and origin, as far as their numbers allow,
    and at least one sentence of each label. Remove duplicates first, as ``load`` does,
    or a sentence may be in both.

    Parameters
    ----------
    labels, origins : list
        One entry per sentence.
    test_share : float, optional
        Between 0 and 1.
    seed : int, optional
        0 or more.

    Returns
    -------
    train, test : list of int
        The indices of the sentences.

    Raises
    ------
    TypeError
        If `seed` is not an integer.
    ValueError
        If the numbers of labels and origins differ, a number is out of range, or there
        is a single sentence of a label, which cannot be in both parts.
    """
    if len(labels) != len(origins):
        raise ValueError(
            "labels and origins should have one entry per sentence, got"
            f" {len(labels)} and {len(origins)}"
        )
    if not 0 < test_share < 1:
        raise ValueError(f"test_share should lie between 0 and 1, got {test_share}")
    random = Random(f"reviews {integer('seed', seed, 0)}")
    groups = {}
    for index, group in enumerate(zip(labels, origins, strict=True)):
        groups.setdefault(group, []).append(index)
    test_sizes = _test_sizes({g: len(groups[g]) for g in sorted(groups)}, test_share)
    train = []
    test = []
    for group, test_size in test_sizes.items():
        indices = groups[group]
        random.shuffle(indices)
        test += indices[:test_size]
        train += indices[test_size:]
    random.shuffle(train)
    random.shuffle(test)
    return train, test


def _test_sizes(sizes, test_share):
    """How many sentences of each group (label, origin) are for testing, given how many
    there are: the share of the group, rounded, but neither none nor all of a label.
    """
    test_sizes = {group: round(size * test_share) for group, size in sizes.items()}
    for label in dict.fromkeys(label for label, _ in sizes):
        groups = [group for group in sizes if group[0] == label]
        size = sum(sizes[group] for group in groups)
        if size == 1:
            raise ValueError(
                "labels should have two sentences or more of each label, one for each"
                f" part, got one of {label!r}"
            )
        test_size = sum(test_sizes[group] for group in groups)
        if 0 < test_size < size:
            continue
        wanted = min(max(round(size * test_share), 1), size - 1)
        for _ in range(test_size, wanted):
            test_sizes[max(groups, key=lambda g: sizes[g] - test_sizes[g])] += 1
        for _ in range(wanted, test_size):
            test_sizes[max(groups, key=test_sizes.get)] -= 1
    return test_sizes


def read(data, min_sentences=20):
    """Read your own sentences, from a file or a list.

    Parameters
    ----------
    data : path or list of (sentence, label)
        A path of a UTF-8 file with one line ``sentence<TAB>label`` per sentence, or the
        sentences themselves. Labels are 0 and 1. Quotes that a spreadsheet set around a
        sentence in a file are removed.
    min_sentences : int, optional
        How many sentences there should be at least.

    Returns
    -------
    reviews : Reviews
        With the origin "own".

    Raises
    ------
    ValueError
        If a line has no label, another label, or further columns, a sentence is empty,
        there is one label alone, there are too few sentences or none, a sentence holds
        a control character, or a file is not UTF-8 text. The message names the line,
        what it should be, and how to convert the file.

    Warns
    -----
    UserWarning
        If a sentence is a duplicate: ``split`` may put it in both parts.
    """
    if isinstance(data, (str, os.PathLike)):
        pairs = _read_lines(Path(data))
    else:
        pairs = data
    rows = [_checked_row(number, pair) for number, pair in enumerate(pairs, start=1)]
    if not rows:
        raise ValueError(
            "data should hold sentences, got none: give pairs (sentence, label), or the"
            " path of a file with a sentence, a tab, and a label per line"
        )
    if len(rows) < min_sentences:
        raise ValueError(
            f"there should be {min_sentences} sentences or more, got {len(rows)}"
        )
    labels = {label for _, label, _ in rows}
    if len(labels) == 1:
        raise ValueError(
            f"the labels should be both 0 and 1, got {labels.pop()} alone in"
            f" {len(rows)} lines"
        )
    _report_duplicates(rows)
    return Reviews(rows)


def _report_duplicates(rows):
    """Warn if a sentence came before. One of emoji alone has an empty key."""
    seen = set()
    lines = []
    for number, (sentence, _, _) in enumerate(rows, start=1):
        same = key(sentence) or sentence
        if same in seen:
            lines.append(number)
        seen.add(same)
    if lines:
        warnings.warn(
            f"sentences should differ from each other, got {len(lines)} that came"
            f" before, the first in line {lines[0]}: a model that is tested on"
            " sentences of its training looks better than it is, so keep one of each",
            stacklevel=3,
        )


def _read_lines(path):
    """The lines of a file, each as [sentence, label]."""
    text = _read_text(path).replace("\r\n", "\n").removesuffix("\n")
    if "\n" not in text:  # lines may end with CR alone
        text = text.removesuffix("\r").replace("\r", "\n")
    lines = text.split("\n") if text else []
    for number, line in enumerate(lines, start=1):
        tabs = line.count("\t")
        if tabs == 0:
            got = f"no label in {line[:60]!r}" if line else "an empty line: remove it"
            raise ValueError(
                f"line {number} should be a sentence, a tab, and a label, got {got}"
            )
        # A column of stars, say, would tell the model the label.
        if tabs > 1:
            raise ValueError(
                f"line {number} should have one tab, got {tabs}: keep two columns, the"
                " sentence and its label, and no tab in a sentence"
            )
    return _without_quotes([line.split("\t") for line in lines])


def _read_text(path):
    """The text of a UTF-8 file. ValueError, with the way to convert it, for another."""
    content = path.read_bytes()
    _check_kind(content, path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        advice = f"if it is Windows-1252, convert it: {_conversion(path, 'cp1252')}"
        if b"\0" in content:
            advice = "it may be no text at all, so save it as UTF-8 text"
        raise ValueError(
            f"line {line} should be UTF-8 text, got the byte"
            f" {content[error.start]:#x}: {advice}"
        ) from None


def _check_kind(content, path):
    """ValueError if the first bytes, or many zeros, show that it is no UTF-8 text."""
    wanted = f"{path.name} should be UTF-8 text, got"
    for signature, encoding in ENCODINGS.items():
        if content.startswith(signature):
            raise ValueError(
                f"{wanted} {encoding.upper()}: {_conversion(path, encoding)}"
            )
    if content.startswith(b"\x1f\x8b"):
        unpacked = path.with_suffix("") if path.suffix == ".gz" else path
        raise ValueError(
            f"{wanted} a gzip file: import gzip; from pathlib import Path;"
            f" Path({str(unpacked)!r}).write_bytes("
            f"gzip.decompress(Path({str(path)!r}).read_bytes()))"
        )
    for signature, kind in TABLES.items():
        if content.startswith(signature):
            raise ValueError(
                f"{wanted} {kind}: save its table as UTF-8 text, with tabs between the"
                " columns"
            )
    if content.count(0) * 4 > len(content):
        encoding = "utf-16-le" if content.index(0) % 2 else "utf-16-be"
        raise ValueError(
            f"{wanted} many zero bytes: if it is UTF-16, convert it:"
            f" {_conversion(path, encoding)}"
        )


def _conversion(path, encoding):
    """Python code that converts a file to UTF-8."""
    return (
        f"from pathlib import Path; path = Path({str(path)!r});"
        f" path.write_text(path.read_text({encoding!r}), 'utf-8')"
    )


def _without_quotes(rows):
    """Remove the quotes that a spreadsheet sets around a sentence with a comma or a
    quote, and other programs around every field. Others belong to the sentence.
    """
    found = [QUOTED.fullmatch(sentence) for sentence, _ in rows]
    everywhere = all(found)
    for row, match in zip(rows, found, strict=True):
        if match and (everywhere or NEEDS_QUOTES.search(match[1])):
            row[0] = match[1].replace('""', '"')
        label = QUOTED.fullmatch(row[1])
        if label and everywhere:
            row[1] = label[1]
    return rows


def _checked_row(number, pair):
    """(sentence, label, origin) of one line."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"line {number} should be (sentence, label), got {pair!r}")
    sentence, label = pair
    if not isinstance(sentence, str) or not sentence.strip():
        raise ValueError(f"line {number} should have a sentence, got {sentence!r}")
    control = CONTROL.search(sentence)
    if control:
        raise ValueError(
            f"line {number} should have a sentence without control characters, got"
            f" {control[0]!r} in {sentence[:60]!r}: remove it, such as with"
            f" replace({control[0]!r}, '')"
        )
    if str(label).strip() not in ("0", "1"):
        raise ValueError(f"line {number} should have the label 0 or 1, got {label!r}")
    return sentence.strip(), int(label), "own"
