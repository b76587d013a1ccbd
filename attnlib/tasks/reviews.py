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

import hashlib
import io
import logging
import os
import re
import tempfile
import unicodedata
import warnings
import zipfile
from collections import Counter
from importlib import resources
from numbers import Real
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from attnlib.arguments import integer, one_of
from attnlib.tasks import _own_data
from attnlib.tokenization import key, tokens

URL = "https://archive.ics.uci.edu/static/public/331/sentiment+labelled+sentences.zip"
ARCHIVE = "sentiment+labelled+sentences.zip"
ARCHIVE_SIZE = 84_188  # bytes
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
TIMEOUT = 20  # seconds without an answer
SOURCES = ("auto", "uci", "builtin")
MAX_UNPACKED = 2**26  # bytes; UCI's files have half a million
MIN_COVERAGE = 0.2  # share of words with an ID; short reviews have 0.4 and more
# Letters of scripts without spaces between words, and the length, in letters, that
# their words do not have on average: those of Thai, Lao, Myanmar, and Khmer, kana, and
# Chinese characters.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
MAX_MEAN_LETTERS = 5
# Where one sentence makes all the others expensive: so many numbers, of which so few
# are tokens, or so many tokens, one step of a recurrent network each.
MIN_COSTLY_SIZE = 100_000
MAX_PADDING = 20  # numbers per token
MIN_COSTLY_LENGTH = 1000  # tokens
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
    TypeError
        If it is not bytes.
    """
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise TypeError(f"content should be bytes, got {type(content).__name__}")
    content = bytes(content)
    archive_hash = hashlib.sha256(content).hexdigest()
    if archive_hash == ARCHIVE_HASH:
        return
    hashes = (
        f"it should have SHA-256 {ARCHIVE_HASH}, got {archive_hash}"
        f" ({len(content)} bytes)"
    )
    # One made anew has other dates and another size. Some bytes of this size, such as
    # those of a date, are read by nobody.
    if len(content) == ARCHIVE_SIZE:
        raise ChecksumError(f"the archive has bytes that were changed: {hashes}")
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
    unpacked = sum(info.file_size for info in opened.infolist())
    if unpacked > MAX_UNPACKED:
        raise ChecksumError(
            f"the archive unpacks to {unpacked} bytes, too many: {hashes}"
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

    Raises
    ------
    TypeError
        If the sentences are not a list of str, or `min_count` is not an integer.
    ValueError
        If `min_count` is below 1.

    Warns
    -----
    UserWarning
        If fewer than one in five words of the sentences got an ID, or there are no
        spaces between the words.
    """
    min_count = integer("min_count", min_count)
    sentences = _sentence_list(sentences)
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


def _sentence_list(sentences):
    """`sentences` as a list of str."""
    if isinstance(sentences, str):
        raise TypeError(
            "sentences should be a list of str, got one text alone,"
            f" {sentences!r:.60}: put it in a list, [sentence]"
        )
    if isinstance(sentences, _Reviews):
        raise TypeError(
            "sentences should be a list of str, got Reviews: give its .sentences"
        )
    sentences = list(sentences)
    for sentence in sentences:
        if not isinstance(sentence, str):
            raise TypeError(
                "sentences should be a list of str, got"
                f" {type(sentence).__name__}: {sentence!r:.60}"
            )
    return sentences


def _check_coverage(counts, token_ids, advice):
    """Warn if too few of the counted words have an ID, or if they are no words.
    Punctuation marks are left out: they are the same in every text.
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
    elif example := _unspaced(words):
        warnings.warn(
            "sentences should have a space between each two words, got"
            f" {example[:20]!r} as one word: split them first, as in"
            " [' '.join(segment(sentence)) for sentence in sentences], with a segment"
            " for their language",
            stacklevel=3,
        )


def _unspaced(words):
    """The longest of the counted words, if most are of scripts without spaces and too
    long for words. Else None.
    """
    lengths = {word: len(UNSPACED.findall(word)) for word in words}
    lengths = {word: length for word, length in lengths.items() if length}
    count = sum(words[word] for word in lengths)
    letters = sum(words[word] * length for word, length in lengths.items())
    if 2 * count <= sum(words.values()) or letters <= MAX_MEAN_LETTERS * count:
        return None
    return max(lengths, key=lengths.get)


def encode(sentences, token_ids, max_length=None):
    """Turn sentences into token IDs.

    Parameters
    ----------
    sentences : list of str
    token_ids : dict of str to int
        As ``vocabulary`` returns it.
    max_length : int, optional
        How many tokens a sentence may have. What is longer is cut at its end, and one
        sentence says which ones were. By default, none is.

    Returns
    -------
    encoded : int array, shape (sentences, longest)
        Padded with 0 at the end.

    Raises
    ------
    TypeError
        If the sentences are not a list of str, the IDs are not a dict, or `max_length`
        is not an integer.
    ValueError
        If a sentence has no token, or `max_length` is below 1.

    Warns
    -----
    UserWarning
        If fewer than one in five words of the sentences have an ID, there are no spaces
        between the words, sentences are cut, or a long sentence makes the others
        expensive: all are padded to its length.
    """
    if not isinstance(token_ids, dict):
        raise TypeError(
            "token_ids should be a dict, as reviews.vocabulary(sentences) returns it,"
            f" got {type(token_ids).__name__}"
        )
    sentences = _sentence_list(sentences)
    token_lists = [tokens(sentence) for sentence in sentences]
    rows = [[token_ids.get(token, 1) for token in row] for row in token_lists]
    for number, (sentence, row) in enumerate(zip(sentences, rows, strict=True)):
        if not row:
            raise ValueError(
                "sentences should have a word or punctuation mark each, got"
                f" {sentence!r} as sentence {number}: leave it out"
            )
    counts = Counter(token for row in token_lists for token in row)
    _check_coverage(
        counts, token_ids, "build the vocabulary from sentences of the same kind"
    )
    rows = _limited(rows, max_length)
    encoded = np.zeros((len(rows), max(map(len, rows), default=0)), "int32")
    for i, row in enumerate(rows):
        encoded[i, : len(row)] = row
    return encoded


def _limited(rows, max_length):
    """The rows, cut to `max_length`. Without one, a warning where it would help."""
    lengths = np.array([len(row) for row in rows], int)
    if max_length is None:
        _report_costly(lengths)
        return rows
    max_length = integer("max_length", max_length)
    cut = np.flatnonzero(lengths > max_length)
    if len(cut):
        warnings.warn(
            f"sentences should have at most max_length={max_length} tokens, got"
            f" {len(cut)} that were cut: {_numbered(cut)}",
            stacklevel=3,
        )
    return [row[:max_length] for row in rows]


def _report_costly(lengths):
    """Warn if the longest sentences make all others expensive."""
    if not len(lengths):
        return
    longest = int(lengths.max())
    size = len(lengths) * longest
    padded = size >= MIN_COSTLY_SIZE and size > MAX_PADDING * lengths.sum()
    if not padded and longest < MIN_COSTLY_LENGTH:
        return
    limit = int(np.quantile(lengths, 0.99, method="lower"))
    long = np.flatnonzero(lengths > max(limit, longest // 2))
    if not len(long):  # many are long
        limit = int(np.median(lengths))
        long = np.flatnonzero(lengths == longest)
    warnings.warn(
        f"sentences should be of like length, got {longest} tokens for"
        f" {_numbered(long)}: all {len(lengths)} are padded to that, {size:,} numbers,"
        " and a recurrent network takes a step for each token; leave such sentences"
        f" out, or cut them with encode(sentences, token_ids, max_length={limit})",
        stacklevel=4,
    )


def _numbered(indices):
    """ "sentence 3", "sentences 3 and 5", or "sentences 3, 5, 8, 9, 12, and 4 more"."""
    numbers = [str(index) for index in indices[:5]]
    if len(indices) > 5:
        numbers.append(f"{len(indices) - 5} more")
    if len(numbers) == 1:
        return f"sentence {numbers[0]}"
    if len(numbers) == 2:
        return f"sentences {numbers[0]} and {numbers[1]}"
    return f"sentences {', '.join(numbers[:-1])}, and {numbers[-1]}"


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
        If `seed` is not an integer, `test_share` is not a number, or the labels or the
        origins are not all texts or all numbers.
    ValueError
        If the numbers of labels and origins differ, a number is out of range, there is
        one label alone, or there is a single sentence of a label, which cannot be in
        both parts.

    Warns
    -----
    UserWarning
        If a label and an origin have too few sentences for both parts.
    """
    labels = _classes("labels", labels)
    origins = _classes("origins", origins)
    if len(labels) != len(origins):
        raise ValueError(
            "labels and origins should have one entry per sentence, got"
            f" {len(labels)} and {len(origins)}"
        )
    if isinstance(test_share, bool) or not isinstance(test_share, Real):
        raise TypeError(f"test_share should be a number, got {test_share!r:.60}")
    if not 0 < test_share < 1:
        raise ValueError(f"test_share should lie between 0 and 1, got {test_share}")
    random = Random(f"reviews {integer('seed', seed, 0)}")
    groups = {}
    for index, group in enumerate(zip(labels, origins, strict=True)):
        groups.setdefault(group, []).append(index)
    test_sizes = _test_sizes({g: len(groups[g]) for g in sorted(groups)}, test_share)
    train = []
    test = []
    if len(set(labels)) < 2:
        raise ValueError(
            "labels should be two or more, such as 0 and 1, got"
            f" {f'{labels[0]!r} alone' if labels else 'none'}: on one label, a model"
            " that has learned nothing is right"
        )
    _report_groups(groups, test_sizes)
    for group, test_size in test_sizes.items():
        indices = groups[group]
        random.shuffle(indices)
        test += indices[:test_size]
        train += indices[test_size:]
    random.shuffle(train)
    random.shuffle(test)
    return train, test


def _classes(name, values):
    """`values` as a list of which each two can be compared."""
    if isinstance(values, np.ndarray) and values.ndim == 1:
        values = values.tolist()
    values = list(values)
    kinds = {isinstance(value, str) for value in values}
    for value in values:
        known = isinstance(value, (str, Real, np.bool_)) and value == value  # not NaN
        if not known or len(kinds) > 1:
            raise TypeError(
                f"{name} should be all texts or all numbers, one per sentence, got"
                f" {value!r:.60}"
            )
    return values


def _report_groups(groups, test_sizes):
    """Warn if sentences of a label and an origin are in one part alone."""
    alone = [g for g, size in test_sizes.items() if not 0 < size < len(groups[g])]
    if alone:
        label, origin = alone[0]
        warnings.warn(
            "each label should have enough sentences of each origin for both parts, got"
            f" {len(alone)} of {len(test_sizes)} groups in one part alone, such as"
            f" {len(groups[alone[0]])} of label {label!r} and origin {origin!r}: to"
            " split by label only, call split(labels, [''] * len(labels))",
            stacklevel=3,
        )


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


def read(data, min_sentences=20, duplicates=False):
    """Read your own sentences, from a file or a list.

    Parameters
    ----------
    data : path or list of (sentence, label)
        A path of a UTF-8 file with one line ``sentence<TAB>label`` per sentence, or the
        sentences themselves. Labels are 0 and 1. Quotes that a spreadsheet set around a
        sentence in a file are removed.
    min_sentences : int, optional
        How many sentences there should be at least.
    duplicates : bool, optional
        Whether to keep sentences whose ``key`` and label came before.

    Returns
    -------
    reviews : Reviews
        With the origin "own".

    Raises
    ------
    TypeError
        If the data are neither a path nor a list, or `min_sentences` is not an integer.
    ValueError
        If a line has no label, another label, or further columns, a sentence has no
        word or mark, there is one label alone, there are too few sentences or none, a
        sentence holds a tab or a character that is no text, every sentence begins or
        ends with a number that tells its label, or a file is not UTF-8 text. The
        message names the line, what it should be, and how to convert the file.

    Warns
    -----
    UserWarning
        If duplicates were left out or kept, or if sentences hold what may be a column,
        such as IDs or a word that tells the label.
    """
    min_sentences = integer("min_sentences", min_sentences, 0)
    pairs = _pairs(data)
    rows = [_checked_row(number, pairs) for number in range(1, len(pairs) + 1)]
    if not rows:
        raise ValueError(
            "data should hold sentences, got none: give pairs (sentence, label), or the"
            " path of a file with a sentence, a tab, and a label per line"
        )
    labels = [label for _, label, _ in rows]
    if len(rows) >= min_sentences and len(set(labels)) == 1:
        raise ValueError(
            f"the labels should be both 0 and 1, got {labels[0]} alone in"
            f" {len(rows)} lines"
        )
    kept, report = _different(rows, duplicates)
    if len(kept) < min_sentences:
        left_out = len(rows) - len(kept)
        without = f" and {left_out} that came before" if left_out else ""
        raise ValueError(
            f"there should be {min_sentences} sentences or more, got {len(kept)}"
            f"{without}: add more, or call read(data, min_sentences={len(kept)}), which"
            " tells little about new sentences"
        )
    if report:
        warnings.warn(report, stacklevel=2)
    token_lists = [tokens(sentence) for sentence, _, _ in kept]
    report = _own_data.check_columns(token_lists, [label for _, label, _ in kept])
    if report:
        warnings.warn(
            f"sentences should be free of labels, got: {report}", stacklevel=2
        )
    return Reviews(kept)


def _pairs(data):
    """The pairs of a file or a list, of any form yet."""
    if isinstance(data, str) and re.search("[\t\n]", data):
        raise TypeError(
            "data should be a path or a list of (sentence, label), got a text:"
            f" {data!r:.60}; write it to a file, and give the file's path"
        )
    if isinstance(data, (str, os.PathLike)):
        return _own_data.read_lines(Path(data))
    if isinstance(data, _Reviews):
        raise TypeError(
            "data should be a path or a list of (sentence, label), got Reviews: give"
            " list(zip(data.sentences, data.labels))"
        )
    if isinstance(data, (dict, bytes)) or not hasattr(data, "__iter__"):
        raise TypeError(
            "data should be a path or a list of (sentence, label), got"
            f" {type(data).__name__}: {data!r:.60}"
        )
    return list(data)


def _different(rows, duplicates):
    """The rows without those that came before, with the same label; and a sentence
    about these and about those with the other label, or None.
    """
    labels_seen = {}
    again, other, kept = [], [], []
    for number, (sentence, label, origin) in enumerate(rows, start=1):
        labels = labels_seen.setdefault(_content(sentence), set())
        if label in labels:
            again.append(number)
        elif labels:
            other.append(number)
        if duplicates or label not in labels:
            kept.append((sentence, label, origin))
        labels.add(label)
    parts = []
    if again:
        done = "" if duplicates else ", so they were left out"
        then = "leaves them out" if duplicates else "keeps them"
        parts.append(
            f"{len(again)} that came before, the first in line {again[0]}: a model that"
            " is tested on sentences of its training looks better than it is"
            f"{done}; read(data, duplicates={not duplicates}) {then}"
        )
    if other:
        parts.append(
            f"{len(other)} that came before with the other label, the first in line"
            f" {other[0]}: no model can be right about both"
        )
    if not parts:
        return kept, None
    return kept, f"sentences should differ from each other, got {'; and '.join(parts)}"


def _content(sentence):
    """What two sentences share if one of them is enough: the key and the emoji, or all
    of it where there are neither.
    """
    emoji = [t for t in tokens(sentence) if unicodedata.category(t[0]) == "So"]
    return " ".join([key(sentence), *emoji]).strip() or sentence


def _checked_row(number, pairs):
    """(sentence, label, origin) of one line."""
    pair = pairs[number - 1]
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"line {number} should be (sentence, label), got {pair!r:.60}")
    sentence, label = pair
    if not isinstance(sentence, str) or not sentence.strip():
        raise ValueError(f"line {number} should have a sentence, got {sentence!r:.60}")
    _check_text(number, sentence)
    if str(label).strip() not in ("0", "1"):
        regular = [pair for pair in pairs if len(pair) == 2]
        advice = _own_data.advice_on_label(number, regular) if regular == pairs else ""
        raise ValueError(
            f"line {number} should have the label 0 or 1, got {label!r:.60}{advice}"
        )
    return sentence.strip(), int(label), "own"


def _check_text(number, sentence):
    """ValueError if a sentence holds what is no part of one, or nothing visible."""
    if "\t" in sentence:
        raise ValueError(
            f"line {number} should have a sentence without tabs, got {sentence!r:.60}:"
            " what follows the tab may be a column of its own; leave it out, or replace"
            " the tab with a space"
        )
    wrong = _own_data.NO_TEXT.search(sentence)
    if not wrong and tokens(sentence):
        return
    if not wrong:
        raise ValueError(
            f"line {number} should have a sentence, got no word or mark in"
            f" {sentence!r:.60}: leave it out"
        )
    remedy = f"remove it, such as with replace({wrong[0]!r}, '')"
    if wrong[0] >= "\x80":
        remedy = "read the file anew in its own encoding, which may be Windows-1252"
    raise ValueError(
        f"line {number} should have a sentence without control characters, got"
        f" {wrong[0]!r} in {sentence[:60]!r}: {remedy}"
    )
