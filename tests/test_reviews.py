"""The reviews: UCI's archive in every state it may be found in, the sentences of this
book, and the reader's own.
"""

import codecs
import collections
import csv
import gzip
import hashlib
import http.server
import io
import lzma
import os
import re
import subprocess
import sys
import threading
import time
import unicodedata
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from attnlib.tasks import reviews

DATA = os.environ.get("ATTNLIB_DATA")
real = pytest.mark.skipif(
    not (DATA and (Path(DATA) / reviews.ARCHIVE).exists()),
    reason="ATTNLIB_DATA does not hold UCI's archive",
)


def content_of(rows=10, end="\n"):
    """The text of one member: `rows` sentences of each label, all different."""
    return "".join(
        f"Sentence {number} is fine.\t{number % 2}{end}" for number in range(2 * rows)
    ).encode()


def zipped(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


TEXTS = {
    name: content_of() + name.encode() + b" ends it.\t1\n"
    for name, _ in reviews.MEMBERS.values()
}
GOOD = zipped({reviews.FOLDER + name: text for name, text in TEXTS.items()})


@pytest.fixture
def known(monkeypatch, tmp_path):
    """A small archive takes the place of UCI's: the code knows its hashes. The cache
    and the data folder are empty.
    """
    monkeypatch.setattr(reviews, "ARCHIVE_HASH", hashlib.sha256(GOOD).hexdigest())
    members = {
        origin: (name, hashlib.sha256(TEXTS[name]).hexdigest())
        for origin, (name, _) in reviews.MEMBERS.items()
    }
    monkeypatch.setattr(reviews, "MEMBERS", members)
    monkeypatch.setenv("ATTNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ATTNLIB_DATA", raising=False)
    monkeypatch.delenv("ATTNLIB_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server():
    """A web server of its own: serves what `server.answers` holds, one after the other,
    the last again and again.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = (
                self.server.answers.pop(0)
                if len(self.server.answers) > 1
                else self.server.answers[0]
            )
            self.server.asked += 1
            time.sleep(self.server.slow)
            self.send_response(status)
            self.send_header("Content-Length", str(len(GOOD)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.answers, made.asked, made.slow = [(200, GOOD)], 0, 0
    made.url = f"http://127.0.0.1:{made.server_port}/{reviews.ARCHIVE}"
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


# The real archive


@real
def test_uci_with_any_byte_changed_is_refused():
    content = (Path(DATA) / reviews.ARCHIVE).read_bytes()
    assert len(content) == reviews.ARCHIVE_SIZE
    # The last bytes are the directory, with dates that no reader looks at.
    for at in (*range(0, len(content), 4999), *range(len(content) - 99, len(content))):
        for changed in (flipped(content, at), flipped(content, at, 255)):
            found = hashlib.sha256(changed).hexdigest()
            with pytest.raises(
                reviews.ChecksumError, match=f"{reviews.ARCHIVE_HASH}, got {found}"
            ):
                reviews.check(changed)


@real
def test_uci_loses_no_row():
    sentences, labels, origins = reviews.load("uci", duplicates=True)
    assert len(sentences) == 3000
    counts = collections.Counter(zip(origins, labels, strict=True))
    assert counts == {
        (origin, label): 500
        for origin in ("amazon", "imdb", "yelp")
        for label in (0, 1)
    }
    assert all(
        sentence == sentence.strip() and "\t" not in sentence for sentence in sentences
    )


@real
def test_uci_duplicates_are_removed_and_stray_bytes_fixed():
    found = reviews.load("uci")
    assert (
        len(found.sentences)
        == len({reviews.key(sentence) for sentence in found.sentences})
        == 2972
    )
    marks = {letter for sentence in found.sentences for letter in sentence}
    assert not marks & {"\x85", "\x96", "\x97"} and {"…", "–", "—"} & marks
    assert found.rationales is None


@real
def test_uci_is_not_in_the_sentences_of_this_book():
    uci = {reviews.key(sentence) for sentence in reviews.load("uci").sentences}
    assert not uci & {
        reviews.key(sentence) for sentence in reviews.load("builtin").sentences
    }


# Where it comes from


def test_archive_is_downloaded_once_and_kept(known, server):
    assert reviews.archive(server.url) == reviews.archive(server.url) == GOOD
    assert server.asked == 1 and [path.name for path in known.iterdir()] == [
        reviews.ARCHIVE
    ]


def test_archive_download_is_tried_again(known, server):
    server.answers = [
        (500, b"busy"),
        (200, GOOD[: len(GOOD) // 2]),
        (200, GOOD),
    ]  # the second breaks off
    assert reviews.archive(server.url) == GOOD
    assert server.asked == 3


@pytest.mark.parametrize("status", [404, 503])
def test_archive_download_gives_up(known, server, status):
    server.answers = [(status, b"")]
    with pytest.raises(
        ConnectionError, match="failed 2 times, the last time with HTTPError"
    ):
        reviews.archive(server.url, attempts=2)
    assert not known.exists() and server.asked == 2


def test_archive_download_is_waited_for(known, server):
    server.slow = 1.5
    assert reviews.archive(server.url) == GOOD and server.asked == 1


def test_archive_download_that_hangs_is_given_up(known, server, monkeypatch):
    monkeypatch.setattr(reviews, "TIMEOUT", 0.2)
    server.slow = 2
    with pytest.raises(
        ConnectionError, match="failed 2 times, the last time with ReadTimeout"
    ):
        reviews.archive(server.url, attempts=2)
    assert not known.exists()


@pytest.mark.parametrize("bad", [b"<html>not here</html>", GOOD[:-30] + b"?" * 30])
def test_archive_that_is_not_the_known_one_is_never_kept(known, server, bad):
    server.answers = [(200, bad + b"\0" * (len(GOOD) - len(bad)))]
    with pytest.raises(
        reviews.ChecksumError,
        match=f"it should have SHA-256 {reviews.ARCHIVE_HASH}, got [0-9a-f]{{64}} ",
    ):
        reviews.archive(server.url)
    assert not known.exists()


def test_archive_with_a_cache_that_cannot_be_written(known, server):
    known.write_text("a file where the folder should be")
    assert reviews.archive(server.url) == GOOD
    assert known.read_text() == "a file where the folder should be"


def test_archive_downloaded_by_many_at_once(known, server):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(reviews.archive(server.url)))
        for _ in range(6)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert found == [GOOD] * 6 and [path.name for path in known.iterdir()] == [
        reviews.ARCHIVE
    ]


def test_archive_downloaded_by_two_processes_at_once(known, server):
    server.slow = 0.3
    code = (
        "import sys; from attnlib.tasks import reviews; reviews.ARCHIVE_HASH ="
        " sys.argv[2]; print(len(reviews.archive(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, server.url, reviews.ARCHIVE_HASH]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in running] == [
        str(len(GOOD))
    ] * 2
    assert [path.name for path in known.iterdir()] == [reviews.ARCHIVE]
    assert (known / reviews.ARCHIVE).read_bytes() == GOOD


def test_archive_offline_never_asks(known, server, monkeypatch):
    monkeypatch.setenv("ATTNLIB_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match="ATTNLIB_OFFLINE is set"):
        reviews.archive(server.url)
    assert server.asked == 0


def test_archive_from_the_data_folder(known, server, monkeypatch, tmp_path):
    (tmp_path / reviews.ARCHIVE).write_bytes(GOOD)
    monkeypatch.setenv("ATTNLIB_DATA", str(tmp_path))
    assert reviews.archive(server.url) == GOOD
    assert server.asked == 0 and not known.exists()


def member(name="yelp_labelled.txt", change=lambda text: text):
    return zipped(
        {reviews.FOLDER + n: change(t) if n == name else t for n, t in TEXTS.items()}
    )


BAD = {
    "cut short": (
        GOOD[:200],
        "not a whole zip file .*: it should have SHA-256 .*, got ",
    ),
    "other line ends": (
        member(change=lambda t: t.replace(b"\n", b"\r\n")),
        "yelp_labelled.txt should have SHA-256 .*, got ",
    ),
    "an older one, with more lines": (
        member(change=lambda t: t + b"More.\t1\n"),
        "yelp_labelled.txt should have SHA-256 .*, got ",
    ),
    "a member too few": (
        zipped({reviews.FOLDER + "imdb_labelled.txt": b""}),
        "the archive has no .*amazon",
    ),
    "a name that leads outside": (
        zipped(
            {
                "../evil.txt": b"",
                **{reviews.FOLDER + name: text for name, text in TEXTS.items()},
            }
        ),
        r"leads outside, '\.\./evil.txt': it should have SHA-256 .*, got ",
    ),
}


@pytest.mark.parametrize("content, message", BAD.values(), ids=BAD)
def test_archive_that_is_wrong_is_refused_and_left_where_it_lies(
    known, server, content, message
):
    known.mkdir()
    (known / reviews.ARCHIVE).write_bytes(content)
    with pytest.raises(reviews.ChecksumError, match=message):
        reviews.archive(server.url)
    with pytest.raises(
        reviews.ChecksumError, match="remove it to have it downloaded again"
    ):
        reviews.load("uci")
    assert (known / reviews.ARCHIVE).read_bytes() == content and server.asked == 0


def flipped(content, at, bits=1):
    return content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]


DAMAGES = {
    "one bit flipped": flipped,
    "all bits flipped": lambda content, at: flipped(content, at, 255),
    "cut off": lambda content, at: content[:at],
    "a byte lost": lambda content, at: content[:at] + content[at + 1 :],
    "the beginning lost": lambda content, at: content[at + 1 :],
    "zeroed": lambda content, at: content[:at] + bytes(8) + content[at + 8 :],
    "zeroed to the end": lambda content, at: content[:at].ljust(len(content), b"\0"),
    "a byte inserted": lambda content, at: content[:at] + b"x" + content[at:],
    "zeros inserted": lambda content, at: content[:at] + bytes(512) + content[at:],
}


def is_refused(content, whole, expected):
    """Whether `check` refuses the archive. If not, it has to have the length and the
    rows of the whole one: some bytes, such as those of a date, are no part of a file.
    """
    try:
        reviews.check(content)
    except reviews.ChecksumError as error:
        found = re.search(
            "should have SHA-256 ([0-9a-f]{64}), got ([0-9a-f]{64})", str(error)
        )
        assert found and found[1] != found[2]
        return True
    assert len(content) == len(whole) and reviews.load_uci(content) == expected
    return False


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_archive_damaged_anywhere_is_refused(known, damage):
    expected = reviews.load_uci(GOOD)
    refused = [
        is_refused(damaged, GOOD, expected)
        for damaged in (damage(GOOD, at) for at in range(len(GOOD)))
        if damaged != GOOD
    ]
    assert sum(refused) > len(refused) / 2


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_archive_damaged_in_another_compression_is_refused(known, method):
    names = {reviews.FOLDER + name: text for name, text in TEXTS.items()}
    content = zipped(names, method)
    expected = reviews.load_uci(content)
    refused = [
        is_refused(flipped(content, at), content, expected)
        for at in range(len(content))
    ]
    assert sum(refused) > len(refused) / 2


def test_archive_with_a_damaged_stream_names_both_hashes(known):
    errors = []
    for at in range(len(GOOD)):
        content = flipped(GOOD, at)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as opened:
                [opened.read(name) for name in opened.namelist()]
        except zlib.error:
            found = hashlib.sha256(content).hexdigest()
            with pytest.raises(
                reviews.ChecksumError,
                match=r"not a whole zip file \(Error -3 .*\): it should have SHA-256"
                f" {reviews.ARCHIVE_HASH}, got {found}",
            ) as refusal:
                reviews.check(content)
            errors.append(refusal)
        except Exception:
            continue
    assert len(errors) > 20


def test_archive_of_the_known_size_is_refused_before_it_is_read(known, monkeypatch):
    monkeypatch.setattr(reviews, "ARCHIVE_SIZE", len(GOOD))
    reviews.check(GOOD)
    for at in range(len(GOOD)):
        with pytest.raises(reviews.ChecksumError, match="bytes that were changed: it"):
            reviews.check(flipped(GOOD, at))


def test_archive_that_unpacks_to_too_much_is_refused_before_it_does(known, monkeypatch):
    monkeypatch.setattr(reviews, "MAX_UNPACKED", 10_000)
    bomb = member(change=lambda text: bytes(10_001))
    assert len(bomb) < 3000
    with pytest.raises(reviews.ChecksumError, match=r"unpacks to 1\d{4} bytes, too ma"):
        reviews.check(bomb)


@pytest.mark.parametrize("content", [None, "PK", 5, ["PK"]])
def test_check_refuses_what_is_not_bytes(content):
    message = f"content should be bytes, got {type(content).__name__}"
    with pytest.raises(TypeError, match=message):
        reviews.check(content)


def test_check_takes_bytes_of_any_kind(known):
    reviews.check(bytearray(GOOD)), reviews.check(memoryview(GOOD))
    with pytest.raises(reviews.ChecksumError):
        reviews.check(bytearray(GOOD[:-1]))


@real
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_uci_damaged_is_refused(damage):
    content = (Path(DATA) / reviews.ARCHIVE).read_bytes()
    expected = reviews.load_uci(content)
    refused = [
        is_refused(damage(content, at), content, expected)
        for at in (0, 1067, len(content) // 3, len(content) // 2, len(content) - 9)
    ]
    assert all(refused)


def test_auto_falls_back_from_a_damaged_stream(known, capsys):
    known.mkdir()
    (known / reviews.ARCHIVE).write_bytes(flipped(GOOD, GOOD.index(b"amazon") + 60))
    assert reviews.load() == reviews.load("builtin")
    assert capsys.readouterr().out.startswith("Reviews: the built-in sentences")


def test_archive_zipped_anew_from_the_same_files_is_taken(known):
    again = zipped(
        {
            "readme.txt": b"mine",
            **{reviews.FOLDER + name: text for name, text in TEXTS.items()},
        }
    )
    assert hashlib.sha256(again).hexdigest() != reviews.ARCHIVE_HASH
    reviews.check(again)
    with_comment = io.BytesIO(again)
    with zipfile.ZipFile(with_comment, "a") as opened:
        opened.comment = b"mine"
    reviews.check(with_comment.getvalue())
    for added in (b"x" + again, again + b"x", again + bytes(512)):
        with pytest.raises(reviews.ChecksumError, match="bytes were added or lost"):
            reviews.check(added)
    stored = zipped(
        {reviews.FOLDER + name: text for name, text in TEXTS.items()}
        | {"readme.txt": b"mine"},
        zipfile.ZIP_STORED,
    )
    reviews.check(stored)
    damaged = stored.replace(b"mine", b"mind")
    with pytest.raises(reviews.ChecksumError, match="'readme.txt' is damaged"):
        reviews.check(damaged)
    assert reviews.load_uci(again) == reviews.load_uci(GOOD)


def test_uci_reads_lines_by_their_ends_alone(known):
    text = 'Wait\x85 "what"\u2028is this.\t0\nIt has a, comma.  \t1\n'.encode()
    made = reviews.load_uci(
        zipped({reviews.FOLDER + name: text for name in TEXTS}), duplicates=True
    )
    assert made.sentences[:2] == [
        'Wait… "what"\u2028is this.',
        "It has a, comma.",
    ] and made.labels[:2] == [0, 1]
    assert made.origins == ["amazon"] * 2 + ["imdb"] * 2 + ["yelp"] * 2


# auto


def test_auto_falls_back_and_says_so_in_one_line(known, monkeypatch, capsys):
    monkeypatch.setenv("ATTNLIB_OFFLINE", "1")
    assert reviews.load() == reviews.load("builtin")
    said = capsys.readouterr().out
    assert (
        said.count("\n") == 1
        and said.startswith("Reviews: the built-in sentences")
        and "ATTNLIB_OFFLINE" in said
    )


def test_auto_falls_back_from_a_bad_archive(known, capsys):
    known.mkdir()
    (known / reviews.ARCHIVE).write_bytes(b"half")
    assert reviews.load() == reviews.load("builtin")
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "not a whole zip file" in said


def test_auto_takes_uci_where_it_is(known, capsys):
    known.mkdir()
    (known / reviews.ARCHIVE).write_bytes(GOOD)
    assert set(reviews.load().origins) == {"amazon", "imdb", "yelp"}
    assert (
        capsys.readouterr().out
        == "Reviews: UCI's Sentiment Labelled Sentences (Kotzias et al. 2015, CC BY"
        " 4.0).\n"
    )


def test_load_refuses_other_sources():
    with pytest.raises(
        ValueError,
        match="source should be one of 'auto', 'uci', 'builtin', got 'amazon'",
    ):
        reviews.load("amazon")


# The sentences of this book


def test_builtin_is_large_balanced_and_without_duplicates():
    sentences, labels, origins = found = reviews.load("builtin")
    assert len(sentences) >= 600 and sum(labels) == len(labels) / 2
    assert len({reviews.key(sentence) for sentence in sentences}) == len(sentences)
    assert min(collections.Counter(origins).values()) >= 200
    assert all(found.rationales), "every sentence has an annotated word"
    for sentence, positions in zip(sentences, found.rationales, strict=True):
        assert "[" not in sentence and max(positions) < len(reviews.tokens(sentence)), (
            sentence
        )


def test_builtin_sentences_are_no_templates():
    shared = collections.Counter()
    for sentence in reviews.load("builtin").sentences:
        words = [token for token in reviews.tokens(sentence) if token[0].isalnum()]
        shared.update({tuple(words[i : i + 4]) for i in range(len(words) - 3)})
    assert max(shared.values()) <= 4


def test_builtin_annotations_are_read_as_positions():
    assert reviews._split_annotation("It was [not good], at [all].") == (
        "It was not good, at all.",
        {2, 3, 6},
    )


def test_tokens_keep_apostrophes_and_marks():
    assert reviews.tokens("Don't go, it’s BAD!") == [
        "don't",
        "go",
        ",",
        "it’s",
        "bad",
        "!",
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("केतली", ["केतली"]),
        ("यह केतली अच्छी है।", ["यह", "केतली", "अच्छी", "है", "।"]),
        ("हिन्\u200dदी", ["हिन्\u200dदी"]),
        ("நல்லது!", ["நல்லது", "!"]),
        ("น้ำดี", ["น้ำดี"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("مُمتاز جدًا", ["مُمتاز", "جدًا"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("می\u200c خواهم", ["می", "\u200c", "خواهم"]),
        ("İyi", ["i\u0307yi"]),
        ("q\u0307's x̂", ["q\u0307's", "x̂"]),
        ("Love ❤\ufe0f!", ["love", "❤\ufe0f", "!"]),
        ("Cafe\u0301", ["caf\u00e9"]),
        ("J\u030cemi", ["\u01f0emi"]),
        ("\u1100\u1161", ["가"]),
        # An emoji of several characters is one token.
        ("\U0001f469\u200d\U0001f692 great", ["\U0001f469\u200d\U0001f692", "great"]),
        ("\u2764\ufe0f\u200d\U0001f525!", ["\u2764\ufe0f\u200d\U0001f525", "!"]),
        ("\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea", ["🇫🇷", "🇩🇪"]),
        ("\U0001f44d\U0001f3fd\U0001f44e", ["\U0001f44d\U0001f3fd", "\U0001f44e"]),
        # Nothing without a shape takes a word apart.
        ("co\u00adoperate", ["cooperate"]),
        ("\ufeffgood", ["good"]),
        ("go\u2060od \u200eand\u200f", ["good", "and"]),
        ("สินค้า\u200bดี", ["สินค้า", "ดี"]),
    ],
)
def test_tokens_keep_marks_with_their_letter(text, expected):
    expected = [unicodedata.normalize("NFC", token) for token in expected]
    assert reviews.tokens(text) == expected
    words = [token for token in expected if token[0].isalnum()]
    assert reviews.key(text) == " ".join(words).replace("'", " ")


def test_tokens_keep_marks_inside_a_word():
    text = "צה\u05f4ל col\u00b7lecció l’été"
    assert reviews.tokens(text) == ["צה\u05f4ל", "col\u00b7lecció", "l’été"]


@pytest.mark.parametrize("function", [reviews.tokens, reviews.key])
@pytest.mark.parametrize("sentence", [None, 5, b"good", ["good"]])
def test_tokens_and_key_refuse_what_is_no_text(function, sentence):
    message = f"sentence should be a str, got {type(sentence).__name__}"
    with pytest.raises(TypeError, match=message):
        function(sentence)


@pytest.mark.parametrize(
    "text",
    ["Café olé", "Ärger, Öl!", "Phở Việt Nam", "ǰ ΐ ᾳ", "Ὀδυσσεύς", "한국어", "İ"],
)
def test_tokens_and_key_of_every_unicode_form_are_equal(text):
    for function in (reviews.tokens, reviews.key):
        forms = [function(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")]
        assert forms[0] == forms[1]
    assert len(reviews.tokens(text)) == len(re.findall(r"\w+|[,!]", text))


# Splitting

# SHA-256 of the parts of seeds 0 to 20, as text.
BUILTIN_SPLITS = "17246ccd5b558a4cd6ec581ecaf0b69488145664ead257d546a324c0a342c14b"


def test_split_keeps_shares_and_parts():
    _, labels, origins = reviews.load("builtin")
    train, test = reviews.split(labels, origins, seed=3)
    assert sorted(train + test) == list(range(len(labels)))
    groups = collections.Counter(zip(labels, origins, strict=True))
    for group, count in collections.Counter(
        (labels[i], origins[i]) for i in test
    ).items():
        assert count == round(groups[group] * 0.2)
    assert reviews.split(labels, origins, seed=3) == (train, test)
    assert set(test) != set(reviews.split(labels, origins, seed=4)[1])


@pytest.mark.parametrize(
    "labels, origins, test_share",
    [
        ([1] * 38 + [0] * 2, ["own"] * 40, 0.2),
        ([1] * 2 + [0] * 38, ["own"] * 40, 0.2),
        ([1] * 38 + [0] * 2, ["own"] * 40, 0.8),
        ([0, 0, 1, 1], ["own"] * 4, 0.5),
        ([0, 0, 1, 1], ["own"] * 4, 0.01),
        ([0, 0, 1, 1], ["own"] * 4, 0.99),
        ([1] * 38 + [0] * 2, ["a", "b"] * 20, 0.2),
        ([1] * 30 + [0] * 10, list("abcdefghij") * 4, 0.2),
        ([0, 1, 2] * 2, ["own"] * 6, 0.1),
        (["good"] * 9 + ["bad"] * 2, ["own"] * 11, 0.2),
    ],
)
def test_split_leaves_no_class_out(labels, origins, test_share):
    for seed in range(5):
        with warnings.catch_warnings():  # of origins with too few sentences
            warnings.simplefilter("ignore")
            train, test = reviews.split(labels, origins, test_share, seed)
        assert sorted(train + test) == list(range(len(labels)))
        for part in (train, test):
            assert {labels[i] for i in part} == set(labels)


@pytest.mark.filterwarnings("ignore:each label should have enough sentences")
def test_split_of_many_small_groups_keeps_the_share_of_a_class():
    labels = [1] * 30 + [0] * 20
    origins = ["a"] * 30 + [f"site {number}" for number in range(10)] * 2
    train, test = reviews.split(labels, origins, seed=2)
    assert sum(labels[i] == 0 for i in test) == 4
    assert sum(labels[i] == 1 for i in test) == 6
    # round(2 * 0.8) is 2: without the rule, no 0 would be left for training.
    train, test = reviews.split(labels, origins, test_share=0.8, seed=2)
    assert sum(labels[i] == 0 for i in train) == 4


def test_split_of_the_builtin_sentences_is_what_it_was():
    _, labels, origins = reviews.load("builtin")
    parts = [reviews.split(labels, origins, seed=seed) for seed in range(21)]
    assert hashlib.sha256(str(parts).encode()).hexdigest() == BUILTIN_SPLITS


def test_split_refuses_a_class_of_one_sentence():
    message = "labels should have two sentences or more of each label, .*, got one of "
    with pytest.raises(ValueError, match=f"{message}0$"):
        reviews.split([1] * 38 + [0], ["own"] * 39)
    with pytest.raises(ValueError, match=f"{message}'bad'$"):
        reviews.split(["good"] * 38 + ["bad"], ["own"] * 39, test_share=0.7)
    with pytest.raises(ValueError, match=f"{message}1$"):
        reviews.split([0, 0, 1], ["a", "b", "b"])
    with pytest.raises(ValueError, match=f"{message}1$"):
        reviews.split([1], ["a"])


@pytest.mark.parametrize(
    "labels, got", [([1] * 40, "1 alone"), (["good"] * 5, "'good' alone"), ([], "none")]
)
def test_split_refuses_one_class_alone(labels, got):
    message = f"labels should be two or more, such as 0 and 1, got {got}: on one label"
    with pytest.raises(ValueError, match=message):
        reviews.split(labels, ["own"] * len(labels))


@pytest.mark.parametrize(
    "labels, origins, message",
    [
        (
            [0, 1, float("nan")] * 4,
            ["a"] * 12,
            "labels should be all texts or all .*nan",
        ),
        ([0, 1, "1"] * 4, ["a"] * 12, "labels should be all texts or all numbers"),
        ([0, 1, None] * 4, ["a"] * 12, "labels should be all .*, got None"),
        ([[0, 1], [1, 0]] * 6, ["a"] * 12, r"labels should be all .*, got \[0, 1\]"),
        (np.zeros((12, 2)), ["a"] * 12, r"labels should be all .*, got array\("),
        ([0, 1] * 6, ["a", None] * 6, "origins should be all .*, got "),
    ],
)
def test_split_refuses_labels_and_origins_that_cannot_be_grouped(
    labels, origins, message
):
    with pytest.raises(TypeError, match=message):
        reviews.split(labels, origins)


def test_split_takes_arrays_and_generators():
    labels, origins = [0, 1, 1] * 20, ["a"] * 60
    expected = reviews.split(labels, origins, seed=1)
    assert reviews.split(np.array(labels), np.array(origins), seed=1) == expected
    assert reviews.split(iter(labels), iter(origins), seed=1) == expected
    assert reviews.split([x == 1 for x in labels], origins, seed=1) == expected


@pytest.mark.parametrize(
    "labels, origins, message",
    [
        (
            [0] * 20 + [1] * 21,
            ["a"] * 40 + ["b"],
            "got 1 of 3 groups in one part alone, such as 1 of label 1 and origin 'b'",
        ),
        (
            [0, 1] * 20,
            list(range(40)),
            "got 40 of 40 groups in one part alone, such as",
        ),
        (
            [0, 1] * 20,
            ["a"] * 36 + ["b"] * 4,
            "got 2 of 4 groups .* 2 of label 0 and or",
        ),
    ],
)
def test_split_says_so_where_an_origin_cannot_be_in_both_parts(
    labels, origins, message
):
    with pytest.warns(UserWarning, match=message) as caught:
        reviews.split(labels, origins)
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reviews.split(labels, [""] * len(labels))  # what the message says to do


def test_split_refuses_what_does_not_fit():
    with pytest.raises(TypeError, match="test_share should be a number, got '0.2'"):
        reviews.split([0, 1], ["a", "a"], test_share="0.2")

    with pytest.raises(ValueError, match="got 2 and 1"):
        reviews.split([0, 1], ["a"])
    with pytest.raises(
        ValueError, match="test_share should lie between 0 and 1, got 2"
    ):
        reviews.split([0, 1], ["a", "a"], test_share=2)


# The reader's own


def lines(n=20):
    return [f"Sentence {number}.\t{number % 2}" for number in range(n)]


def test_read_takes_a_file_and_a_list(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join([*lines(), "No tab, café.\t1", ""]).encode()
    )
    found = reviews.read(path)
    assert (
        found.sentences[-1] == "No tab, café."
        and found.labels[:2] == [0, 1]
        and len(found.origins) == 21
    )
    rows = [
        (sentence, label)
        for sentence, label in zip(found.sentences, found.labels, strict=True)
    ]
    assert reviews.read(rows) == found


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda t: t[:4] + ["no label here"] + t[5:],
            "line 5 should be a sentence, a tab, and a label, got no label in 'no",
        ),
        (
            lambda t: [f"The kettle is fine.\t{5 * int(x[-1])}\t{x[-1]}" for x in t],
            "line 1 should have one tab, got 2: keep two columns, the sentence and",
        ),
        (
            lambda t: [f"{number}\t{x}" for number, x in enumerate(t)],
            "line 1 should have one tab, got 2",
        ),
        (
            lambda t: t[:4] + ["7\tAnn\tGood.\t1"] + t[5:],
            "line 5 should have one tab, got 3",
        ),
        (
            lambda t: [*t, "\tGood.\t1"],
            "line 21 should have one tab, got 2",
        ),
        (
            lambda t: t[:6] + ["Good.\t1\t1"] + t[7:],
            "line 7 should have one tab, got 2",
        ),
        (
            lambda t: t[:6] + ['"Tab\tinside."\t1'] + t[7:],
            "line 7 should have one tab, got 2",
        ),
        (
            lambda t: t[:4] + ["Good.\tpositive"] + t[5:],
            "line 5 should have the label 0 or 1, got 'positive'",
        ),
        (
            lambda t: t[:4] + ["Good.\t2"] + t[5:],
            "line 5 should have the label 0 or 1, got '2'",
        ),
        (
            lambda t: t[:4] + ["  \t1"] + t[5:],
            "line 5 should have a sentence, got '  '",
        ),
        (lambda t: t[:19], "there should be 20 sentences or more, got 19"),
        (
            lambda t: [line[:-1] + "1" for line in t],
            "the labels should be both 0 and 1, got 1 alone in 20 lines",
        ),
    ],
)
def test_read_names_the_line_and_what_was_expected(tmp_path, change, message):
    path = tmp_path / "mine.tsv"
    path.write_text("\n".join(change(lines())), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        reviews.read(str(path))


def test_read_names_the_line_of_another_encoding(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_bytes("\n".join([*lines(), "café\t1"]).encode("latin-1"))
    with pytest.raises(
        ValueError, match="line 21 should be UTF-8 text, got the byte 0xe9"
    ):
        reviews.read(path)


@pytest.mark.parametrize(
    "row, message",
    [
        ("text", "line 1 should be .sentence, label., got 'text'"),
        (("a", True), "line 1 should have the label 0 or 1, got True"),
    ],
)
def test_read_refuses_rows_of_another_form(row, message):
    with pytest.raises(ValueError, match=message):
        reviews.read([row] * 30)


def test_read_leaves_duplicates_out_and_says_so_in_one_sentence(tmp_path):
    text = "\n".join([*lines(), "sentence 3\t1", "👍\t1", "👎\t0", "SENTENCE 4!\t0"])
    path = tmp_path / "mine.tsv"
    path.write_text(text, encoding="utf-8")
    message = "got 2 that came before, the first in line 21: a model that is tested on"
    with pytest.warns(UserWarning, match=message) as caught:
        found = reviews.read(path)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert "left out" in str(caught[0].message)
    assert len(found.sentences) == len({reviews.key(x) or x for x in found.sentences})
    assert len(found.sentences) == 22 and found.sentences[-2:] == ["👍", "👎"]
    with pytest.warns(UserWarning, match=message) as caught:
        assert len(reviews.read(path, duplicates=True).sentences) == 24
    assert "were left out" not in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reviews.read(list(zip(found.sentences, found.labels, strict=True))[:20])


def test_read_refuses_duplicates_alone():
    rows = [("Good, really.", 1), ("Bad!", 0)] * 30
    message = "should be 20 sentences or more, got 2 and 58 that came before: add more"
    with pytest.raises(ValueError, match=message):
        reviews.read(rows)
    with pytest.warns(UserWarning, match="got 58 that came before"):
        assert len(reviews.read(rows, min_sentences=2).sentences) == 2


def test_read_keeps_what_differs_in_more_than_punctuation():
    rows = [("Love it 👍", 1), ("Love it 👎", 0), ("Love it!", 1), ("Love it ❤", 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reviews.read(rows, min_sentences=4).sentences == [row[0] for row in rows]


def test_read_reports_sentences_with_both_labels():
    rows = [(f"Sentence {number}.", number % 2) for number in range(20)]
    message = "got 1 that came before with the other label, the first in line 21: no mo"
    with pytest.warns(UserWarning, match=message) as caught:
        found = reviews.read([*rows, ("sentence 4", 1)])
    assert len(caught) == 1 and len(found.sentences) == 21


TOPICS = "kettle lamp soup pizza film plot actor sound phone strap".split()
OWN_ROWS = [
    (f"{topic.title()} and {other}, {word} of {times}", (n + len(word)) % 2)
    for n, topic in enumerate(TOPICS)
    for other, word in zip(
        TOPICS[n:], "fine odd loud slow poor big".split(), strict=False
    )
    for times in ("old", "late")
]


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda s, k: f"{s},{5 * k}",
            "line 1 ends with '0', and the last word of every",
        ),
        (lambda s, k: f"{s} | {k}", "line 1 ends with '0', and the last word of every"),
        (lambda s, k: f"{5 * k}; {s}", "line 1 begins with '0', and the first word of"),
        (lambda s, k: f"#{7 + k} {s}", "line 1 begins with '7', and the first word of"),
    ],
)
def test_read_refuses_a_column_of_numbers_inside_the_sentences(change, message):
    message = "should not hold a column of numbers that tells the label.*" + message
    with pytest.raises(ValueError, match=message):
        reviews.read([(change(*row), row[1]) for row in OWN_ROWS])


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda n, s, k: f"{s} __label__{k}",
            "line 1 ends with '__label__0', and the la",
        ),
        (
            lambda n, s, k: f"{'PN'[k]}: {s}",
            "line 1 begins with 'p', and the first word",
        ),
        (
            lambda n, s, k: f"{'!' * k}{s}.",
            "'!' stands in every sentence with the label 1 and",
        ),
        (
            lambda n, s, k: f"{n}, {s}",
            "every sentence begins with a number, such as '0'",
        ),
        (
            lambda n, s, k: f"{n % 9} {s}",
            "every sentence begins with a number, such as",
        ),
        (lambda n, s, k: s + " xyz" * (1 - k) + ".", "'xyz' stands in .* the label 0"),
    ],
)
def test_read_reports_what_may_be_a_column_inside_the_sentences(change, message):
    rows = [(change(n, *row), row[1]) for n, row in enumerate(OWN_ROWS)]
    with pytest.warns(UserWarning, match=message) as caught:
        reviews.read(rows)
    assert len(caught) == 1 and caught[0].filename == __file__


@pytest.mark.parametrize("data", [OWN_ROWS, [(f"So {s}.", k) for s, k in OWN_ROWS]])
def test_read_reports_no_column_where_there_is_none(data):
    book = reviews.load("builtin")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reviews.read(data)
        for start in range(0, 800, 20):
            some = slice(start, start + 40)
            reviews.read(
                list(zip(book.sentences[some], book.labels[some], strict=True))
            )


@pytest.mark.parametrize(
    "data, error, message",
    [
        (None, TypeError, "a path or a list of .sentence, label., got NoneType: None"),
        (5, TypeError, "a path or a list of .sentence, label., got int: 5"),
        ({"Good.": 1}, TypeError, "a path or a list of .*, got dict: {'Good.': 1}"),
        (b"Good.\t1", TypeError, "a path or a list of .*, got bytes"),
        ("Good.\t1\nBad.\t0\n", TypeError, "got a text: .*; write it to a file, and"),
        (reviews.load("builtin"), TypeError, r"got Reviews: give list\(zip\(data.sent"),
        ([("Good.\t5", 1), ("Bad.", 0)], ValueError, "line 1 .* without tabs, got 'Go"),
        (
            [("\u200b", 1), ("Bad.", 0)],
            ValueError,
            r"line 1 .* no word or mark in '\\u",
        ),
        (
            [("Don\x92t.", 1), ("B", 0)],
            ValueError,
            r"line 1 .* got '\\x92' in .*: read th",
        ),
        (
            [("Don\ufffdt.", 1), ("B", 0)],
            ValueError,
            "line 1 .*: read the file anew in",
        ),
        (
            [("a\x1cb", 1), ("B", 0)],
            ValueError,
            r"line 1 .* got '\\x1c' in .*: remove it",
        ),
    ],
)
def test_read_says_what_to_do_with_other_data(data, error, message):
    with pytest.raises(error, match=message):
        reviews.read(data, min_sentences=2)


@pytest.mark.parametrize("value", ["20", None, 2.5, True])
def test_read_refuses_a_number_of_sentences_that_is_none(value):
    with pytest.raises(
        TypeError, match="min_sentences should be an integer of 0 or mo"
    ):
        reviews.read(OWN_ROWS, value)


@pytest.mark.parametrize(
    "labels, message",
    [
        (
            ["neg", "pos"] * 20,
            "got 'neg': .* with names = {'neg': 0, 'pos': 1}, or the o",
        ),
        (["False", "True"] * 20, "names = {'False': 0, 'True': 1}"),
        ([-1, 1] * 20, "line 1 .* got -1: write 0 for negative and 1 for positive"),
        (
            ["label", *[0, 1] * 20],
            "got 'label': if this line names the columns, remove",
        ),
        (
            [1, 2, 3, 4, 5] * 8,
            "line 2 .* got 2: if these are ratings, write 1 for the h",
        ),
    ],
)
def test_read_says_how_to_change_labels(labels, message):
    rows = [(f"Sentence {n}.", label) for n, label in enumerate(labels)]
    with pytest.raises(ValueError, match=message):
        reviews.read(rows)


def test_read_says_how_to_change_the_order_of_columns(tmp_path):
    path = written(tmp_path / "mine.tsv", b"0\tBad.\n1\tGood.\n")
    message = r"line 1 should have the label 0 or 1, got 'Bad.': if the label stands fi"
    with pytest.raises(ValueError, match=message):
        reviews.read(path, 2)


def written(path, content):
    path.write_bytes(content)
    return path


def read_after_advice(path):
    """What is read after the code in the message was run."""
    with pytest.raises(ValueError, match="should be UTF-8 text, got") as refusal:
        reviews.read(path)
    advice = re.search("(import gzip|from pathlib).*", str(refusal.value))[0]
    exec(advice, {})
    return reviews.read(path.with_suffix("") if path.suffix == ".gz" else path)


def read_columns_after_advice(path, **expected):
    """What is read by the code in the message about columns."""
    with pytest.raises(ValueError, match=r"line 1 should") as refusal:
        reviews.read(path)
    code = re.search("(import csv;.*; )(reviews.read.*)", str(refusal.value))
    space = {"reviews": reviews}
    exec(code[1], space)
    return eval(code[2], space)


@pytest.mark.parametrize(
    "separator, quoting",
    [
        (",", csv.QUOTE_MINIMAL),
        (",", csv.QUOTE_ALL),
        (";", csv.QUOTE_MINIMAL),
        ("|", csv.QUOTE_MINIMAL),
    ],
)
def test_read_says_how_to_read_other_separators(tmp_path, separator, quoting):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting).writerows(OWN_ROWS)
    path = written(tmp_path / "mine.csv", text.getvalue().encode())
    assert read_columns_after_advice(path) == reviews.read(OWN_ROWS)


def test_read_says_how_to_read_two_of_three_columns(tmp_path):
    text = "".join(f"{sentence}\t{label}\tAnn\r\n" for sentence, label in OWN_ROWS)
    path = written(tmp_path / "mine.tsv", text.encode())
    assert read_columns_after_advice(path) == reviews.read(OWN_ROWS)


def test_read_says_how_to_read_a_sentence_of_two_lines(tmp_path):
    text = '"Two\nlines."\t1\n' + "".join(f"{s}\t{k}\n" for s, k in OWN_ROWS)
    path = written(tmp_path / "mine.tsv", text.encode())
    assert read_columns_after_advice(path).sentences[0] == "Two\nlines."


OWN = "\n".join([*lines(), "Café “à la carte”.\t1", ""])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["last end", "no last end"])
def test_read_takes_every_line_end(tmp_path, end, last):
    text = OWN.replace("\n", end) if last else OWN[:-1].replace("\n", end)
    found = reviews.read(written(tmp_path / "mine.tsv", text.encode()))
    assert found.sentences[0] == "Sentence 0." and len(found.sentences) == 21
    assert found.sentences[-1] == "Café “à la carte”."


def test_read_ignores_what_is_left_of_byte_order_marks_and_empty_lines(tmp_path):
    half = len(OWN_ROWS) // 2
    first, second = (
        "".join(f"{s}\t{k}\n" for s, k in part)
        for part in (OWN_ROWS[:half], OWN_ROWS[half:])
    )
    text = f"\ufeff\ufeff{first}\ufeff{second}\n\n"
    path = written(tmp_path / "mine.tsv", text.encode())
    assert reviews.read(path) == reviews.read(OWN_ROWS)


def test_read_keeps_a_stray_line_end_in_a_sentence(tmp_path):
    path = written(tmp_path / "mine.tsv", (OWN + "Two\rparts.\t0\n").encode())
    assert reviews.read(path).sentences[-1] == "Two\rparts."


@pytest.mark.parametrize(
    "encoding, message",
    [
        ("cp1252", "line 21 should be UTF-8 text, got the byte 0xe9: if it is Windows"),
        ("utf-16", "mine.tsv should be UTF-8 text, got UTF-16: from pathlib import"),
        ("utf-32", "mine.tsv should be UTF-8 text, got UTF-32: from pathlib import"),
        ("utf-16-le", "mine.tsv should be UTF-8 text, got many zero bytes: if it is"),
        ("utf-16-be", "mine.tsv should be UTF-8 text, got many zero bytes: if it is"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_read_says_how_to_convert_another_encoding(tmp_path, encoding, message, end):
    content = OWN.replace("\n", end if encoding != "cp1252" else "\n").encode(encoding)
    path = written(tmp_path / "mine.tsv", content)
    with pytest.raises(ValueError, match=message):
        reviews.read(path)
    assert read_after_advice(path).sentences[-1] == "Café “à la carte”."


def test_read_says_how_to_convert_utf16_with_a_byte_order_mark_of_big_endian(tmp_path):
    content = codecs.BOM_UTF16_BE + OWN.encode("utf-16-be")
    found = read_after_advice(written(tmp_path / "mine.tsv", content))
    assert found.sentences[-1] == "Café “à la carte”."


@pytest.mark.parametrize("name", ["mine.tsv.gz", "mine.gz", "mine.tsv"])
def test_read_says_how_to_unpack_a_gzip_file(tmp_path, name):
    path = written(tmp_path / name, gzip.compress(OWN.encode()))
    assert len(read_after_advice(path).sentences) == 21


@pytest.mark.parametrize(
    "content, message",
    [
        (
            GOOD,
            "mine.tsv should be UTF-8 text, got a zip file: save its table as UTF-8",
        ),
        (b"\xd0\xcf\x11\xe0 and more", "got a binary spreadsheet: save its table as"),
        (lzma.compress(b"Good.\t1"), "line 1 should .*0xfd: it may be no text at all"),
        (b"", "data should hold sentences, got none: give pairs"),
        (b"\xef\xbb\xbf", "data should hold sentences, got none: give pairs"),
        (b"\r\n", "data should hold sentences, got none: give pairs"),
        (b"Good.\t1\n\nBad.\t0\n", "line 2 should be .*, got an empty line: remove it"),
        (b"Good.\t1\nB\0d one.\t0\n", r"line 2 .*, got '\\x00' in 'B\\x00d one.': rem"),
        (
            b"Good.\t1\0\nBad one.\t0\n",
            r"line 1 should have the label 0 or 1, got '1\\x",
        ),
        (b"Good.\t1\nBad\x1a.\t0\n", r"line 2 .*, got '\\x1a' in .*: remove it, such"),
    ],
    ids=[
        "zip",
        "spreadsheet",
        "xz",
        "empty",
        "byte-order mark alone",
        "line end alone",
        "empty line",
        "NUL in a sentence",
        "NUL in a label",
        "end of a DOS file",
    ],
)
def test_read_says_what_to_do_with_other_files(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        reviews.read(written(tmp_path / "mine.tsv", content), min_sentences=0)


@pytest.mark.parametrize("data", [[], (), iter([])])
@pytest.mark.parametrize("min_sentences", [0, 1, 20])
def test_read_refuses_no_sentences(data, min_sentences):
    with pytest.raises(ValueError, match="data should hold sentences, got none: give"):
        reviews.read(data, min_sentences)


@pytest.mark.parametrize("control", ["\0", "\x01", "\x08", "\x1b", "\x7f"])
def test_read_refuses_control_characters_in_a_list(control):
    rows = [("Good.", 1), (f"Bad{control}.", 0)]
    with pytest.raises(ValueError, match="line 2 should have a sentence without contr"):
        reviews.read(rows, min_sentences=2)


@pytest.mark.parametrize(
    "field, sentence",
    [
        ('"Good, but slow."', "Good, but slow."),
        ('"He said ""good"" twice."', 'He said "good" twice.'),
        ('"""Good,"" he said."', '"Good," he said.'),
        ('"""Good."""', '"Good."'),
        ('"5"" wide, at most"', '5" wide, at most'),
        # Quotes of the sentence itself.
        ('"Good."', '"Good."'),
        ('"Good" and "cheap, too"', '"Good" and "cheap, too"'),
        ('"Good," he said.', '"Good," he said.'),
        ('So "good", so cheap.', 'So "good", so cheap.'),
        ('5" wide, at most', '5" wide, at most'),
        ('"', '"'),
    ],
)
def test_read_removes_quotes_of_a_spreadsheet_alone(tmp_path, field, sentence):
    text = "\r\n".join([*lines(), f"{field}\t1", ""])
    found = reviews.read(written(tmp_path / "mine.tsv", text.encode()))
    assert found.sentences[-1] == sentence and found.sentences[0] == "Sentence 0."


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_read_takes_a_file_with_quotes_around_every_field(tmp_path, quoting):
    rows = [("Good, really.", 1), ('"Bad", he said.', 0), ("Fine.", 1), ('"No."', 0)]
    text = io.StringIO()
    csv.writer(text, "excel-tab", quoting=quoting).writerows(rows)
    path = written(tmp_path / "mine.tsv", text.getvalue().encode())
    assert reviews.read(path, 4) == reviews.read(rows, 4)


# Token IDs


def test_encode_replaces_known_tokens_and_pads():
    token_ids = reviews.vocabulary(["A good, good film.", "A bad film."])
    assert token_ids == {".": 2, "a": 3, "film": 4, "good": 5}
    assert reviews.encode(["A good dog.", "Film"], token_ids).tolist() == [
        [3, 5, 1, 2],
        [4, 0, 0, 0],
    ]
    with pytest.raises(ValueError, match="a word or punctuation mark each, got ' '"):
        reviews.encode([" "], token_ids)


@pytest.mark.parametrize(
    "sentences, known, total",
    [
        ([f"第{n}个水壶很好用，我{n}很喜欢。" for n in range(20)], 0, 40),
        ([f"word{n} other{n}, third{n}." for n in range(10)], 0, 30),
        ([f"a word{n} other{n}x third{n}y b{n} c{n}!" for n in range(9)], 9, 54),
        (["Good."], 0, 1),
    ],
)
def test_vocabulary_reports_that_it_covers_too_little(sentences, known, total):
    message = f"got IDs for {known} of {total} words: give more sentences or a smaller"
    with pytest.warns(UserWarning, match=message) as caught:
        reviews.vocabulary(sentences)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_encode_reports_that_the_vocabulary_covers_too_little():
    token_ids = reviews.vocabulary(reviews.load("builtin").sentences)
    message = "got IDs for 0 of 4 words: build the vocabulary from sentences of the"
    with pytest.warns(UserWarning, match=message) as caught:
        encoded = reviews.encode(["केतली अच्छी है।", "Шумно!"], token_ids)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert encoded.shape == (2, 4)


@pytest.mark.parametrize("n", [16, 20, 100])
def test_coverage_of_few_or_other_sentences_is_not_reported(n):
    sentences = reviews.load("builtin").sentences
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        token_ids = reviews.vocabulary(sentences[::-7][:n])
        reviews.encode(sentences[:100], token_ids)
        reviews.vocabulary([]), reviews.vocabulary(["!", "?"])
        reviews.encode([], token_ids), reviews.encode(["!", "?!"], {})


@pytest.mark.parametrize("call", [reviews.vocabulary, lambda x: reviews.encode(x, {})])
@pytest.mark.parametrize(
    "sentences, message",
    [
        ("Good.", r"got one text alone, 'Good.': put it in a list, \[sentence\]"),
        (reviews.load("builtin"), "got Reviews: give its .sentences"),
        ([["good", "."]], r"got list: \['good', '.'\]"),
        (["Good.", None], "got NoneType: None"),
    ],
)
def test_vocabulary_and_encode_refuse_what_is_no_list_of_texts(
    call, sentences, message
):
    message = "sentences should be a list of str, " + message
    with pytest.raises(TypeError, match=message):
        call(sentences)


@pytest.mark.parametrize("token_ids", [["good"], None, "good", {"good"}])
def test_encode_refuses_another_vocabulary(token_ids):
    message = r"token_ids should be a dict, as reviews.vocabulary\(sentences\) returns"
    with pytest.raises(TypeError, match=message):
        reviews.encode(["Good."], token_ids)


def test_vocabulary_and_encode_take_generators():
    sentences = ["A good, good film.", "A bad film."]
    token_ids = reviews.vocabulary(iter(sentences))
    assert token_ids == reviews.vocabulary(sentences)
    encoded = reviews.encode(iter(sentences), token_ids)
    assert (encoded == reviews.encode(sentences, token_ids)).all()


UNSPACED = [
    "这个水壶非常好用很喜欢",
    "これはとても良いです",
    "สินค้าดีมากชอบมากค่ะ",
    "សៀវភៅនេះល្អណាស់",
]


@pytest.mark.parametrize("text", UNSPACED)
def test_vocabulary_reports_a_text_without_spaces(text):
    sentences = [text + "。"] * 4
    message = f"a space between each two words, got '{text[:20]}' as one word: split"
    for call in (reviews.vocabulary, lambda x: reviews.encode(x, {text: 2})):
        with pytest.warns(UserWarning, match=message) as caught:
            call(sentences)
        assert len(caught) == 1 and caught[0].filename == __file__


def test_vocabulary_does_not_report_words_with_spaces():
    spaced = [
        "这个 水壶 非常 好用 ， 我 很 喜欢 。",
        "これ は とても 良い です 。",
        "สินค้า ดี มาก ชอบ มาก ค่ะ",
        "이 주전자는 정말 마음에 들어요.",
        "A film by 黒澤明監督作品集 is good.",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sentence in spaced:
            reviews.encode([sentence] * 2, reviews.vocabulary([sentence] * 2))


# Long sentences

SHORT = "A good film ."


def encoded(sentences, max_length=None):
    return reviews.encode(sentences, {"a": 2, "good": 3, "film": 4, ".": 5}, max_length)


@pytest.mark.parametrize(
    "count, longest",
    [(20_000, 5000), (200, 3000), (2000, 100), (1, 1000), (5, 20_000)],
)
def test_encode_reports_a_sentence_that_makes_all_others_expensive(count, longest):
    sentences = [SHORT] * count
    sentences[count // 2] = "a " * longest
    message = (
        f"got {longest} tokens for sentence {count // 2}: all {count} are padded to"
        f" that, {count * longest:,} numbers,"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        found = encoded(sentences)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert found.shape == (count, longest)  # nothing is cut that was not said to be
    if count > 1:
        assert "max_length=4)" in str(caught[0].message)


def test_encode_says_which_of_several_sentences_are_long():
    sentences = [SHORT] * 1000
    for place in (3, 5):
        sentences[place] = "good " * 900
    with pytest.warns(
        UserWarning, match="got 900 tokens for sentences 3 and 5: all 10"
    ):
        encoded(sentences)
    for place in (8, 13, 21, 34, 55):
        sentences[place] = "good " * 900
    message = "got 900 tokens for sentences 3, 5, 8, 13, 21, and 2 more: all 1000 are"
    with pytest.warns(UserWarning, match=message):
        encoded(sentences)


def test_encode_of_sentences_of_like_length_reports_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoded([SHORT] * 30_000)
        encoded(["a " * 900] * 200)
        encoded([SHORT] * 500 + ["a " * 60])
        encoded([SHORT] * 200 + ["a " * 3000], max_length=3000)


@pytest.mark.parametrize(
    "places, named",
    [
        ([7], "1 that were cut: sentence 7$"),
        ([0, 9], "2 that were cut: sentences 0 and 9$"),
        ([1, 2, 3], "3 that were cut: sentences 1, 2, and 3$"),
        (range(8), "8 that were cut: sentences 0, 1, 2, 3, 4, and 3 more$"),
    ],
)
def test_encode_cuts_to_a_limit_and_says_which(places, named):
    sentences = [SHORT] * 10
    for place in places:
        sentences[place] = "good film " * 500
    message = "at most max_length=6 tokens, got " + named
    with pytest.warns(UserWarning, match=message) as caught:
        found = encoded(sentences, max_length=6)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert found.shape == (10, 6)
    assert found[places[0]].tolist() == [3, 4] * 3
    assert found[8 if 9 in places else 9].tolist() == [2, 3, 4, 5, 0, 0]


def test_encode_with_a_limit_that_no_sentence_reaches_changes_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoded([SHORT], max_length=4).tolist() == encoded([SHORT]).tolist()
        assert encoded([], max_length=4).shape == (0, 0)


@pytest.mark.parametrize(
    "limit, error", [(0, ValueError), ("9", TypeError), (1.5, TypeError)]
)
def test_encode_refuses_a_limit_that_is_none(limit, error):
    with pytest.raises(
        error, match="max_length should be an integer of 1 or more, got"
    ):
        encoded([SHORT], max_length=limit)
