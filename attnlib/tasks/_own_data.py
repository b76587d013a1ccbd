"""Your own sentences: reading a file of any kind rightly, or refusing it with the way
to convert it, and finding what would tell a model the label.

``reviews.read`` uses it.
"""

import codecs
import re
from collections import defaultdict

# Bytes that other files than UTF-8 text begin with, and the encoding or kind.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, which begins with the same bytes
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
TABLES = {
    b"PK\3\4": "a zip file",
    b"\xd0\xcf\x11\xe0": "a binary spreadsheet",
    b"%PDF": "a PDF file",
    rb"{\rtf": "an RTF file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite file",
}
# A field in quotes, with each quote inside doubled, and the characters for which a
# spreadsheet sets them. (A tab or a line end in a sentence is refused.)
QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*')
NEEDS_QUOTES = re.compile('[,"]')
# Characters that are no text: all controls but white space, those of Windows-1252 that
# were read as Latin-1, and the mark of a byte that could not be read.
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")
NUMBER = re.compile(r"\d+")
MIN_REPEATS = 4  # so often, on average, a value of a column of ratings comes


def read_lines(path):
    """Read a file with one line ``sentence<TAB>label`` per sentence.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    rows : list of [sentence, label]
        Both as text.

    Raises
    ------
    ValueError
        If it is not UTF-8 text, or a line has no tab or several.
    """
    text = decoded_text(path).replace("\r\n", "\n").rstrip("\n")
    if "\n" not in text:  # lines may end with CR alone
        text = text.rstrip("\r").replace("\r", "\n")
    lines = text.split("\n") if text else []
    for number, line in enumerate(lines, start=1):
        tabs = line.count("\t")
        if tabs == 0:
            _refuse_line(number, line, lines, path)
        # A column of stars, say, would tell the model the label.
        if tabs > 1:
            raise ValueError(
                f"line {number} should have one tab, got {tabs}: keep two columns, the"
                " sentence and its label, and no tab in a sentence. If the columns 0"
                f" and 1 are these: {_columns(path, repr(chr(9)), 'row[0], row[1]')}"
            )
    # A byte-order mark may stand at every place where files were put together.
    return _without_quotes([line.strip("\ufeff").split("\t") for line in lines])


def _refuse_line(number, line, lines, path):
    """ValueError for a line without a tab."""
    wanted = f"line {number} should be a sentence, a tab, and a label, got"
    if not line.strip():
        raise ValueError(f"{wanted} an empty line: remove it")
    message = f"{wanted} no label in {line[:60]!r}"
    if line.count('"') % 2:
        code = _columns(path, repr("\t"), "row[0], row[1]")
        raise ValueError(f"{message}: if it goes on in the next line, {code}")
    if any("\t" in other for other in lines):
        raise ValueError(f"{message}: write a tab and 0 or 1 after it, or remove it")
    for separator in ",;|":
        ends = [other.rpartition(separator)[2] for other in lines if other.strip()]
        if {end.strip(' "') for end in ends} == {"0", "1"}:
            code = _columns(path, repr(separator), "row[0], row[-1]")
            raise ValueError(
                f"{message}: if {separator!r} stands between the columns, and the first"
                f" and the last are the sentence and its label: {code}"
            )
    raise ValueError(f"{message}: write a tab and 0 or 1 after each sentence")


def _columns(path, separator, chosen):
    """Python code that reads two columns of a file."""
    return (
        f"import csv; rows = csv.reader(open({str(path)!r}, encoding='utf-8-sig',"
        f" newline=''), delimiter={separator}); reviews.read([({chosen}) for row in"
        " rows])"
    )


def decoded_text(path):
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


def advice_on_label(number, rows):
    """What to do about a label that is neither 0 nor 1, as the end of a message.

    Empty if there is no rule by which the label could become one.
    """
    labels = [str(label).strip() for _, label in rows]
    sentence, label = (str(field).strip() for field in rows[number - 1])
    if sentence in ("0", "1"):
        return (
            ": if the label stands first, change the order, as in reviews.read("
            "[(sentence, label) for label, sentence in rows])"
        )
    if number == 1 and set(labels[1:]) <= {"0", "1"} and len(labels) > 1:
        return ": if this line names the columns, remove it"
    names = sorted(set(labels))
    if len(names) == 2:
        return (
            ": write 0 for negative and 1 for positive, as in reviews.read("
            "[(sentence, names[label]) for sentence, label in rows]) with names ="
            f" {{{names[0]!r}: 0, {names[1]!r}: 1}}, or the other way around"
        )
    if all(NUMBER.fullmatch(name) for name in names):
        return (
            ": if these are ratings, write 1 for the high ones, 0 for the low ones, and"
            " leave out those between"
        )
    return ""


def check_columns(token_lists, labels):
    """Find what tells a model the label although it is no part of a sentence.

    Parameters
    ----------
    token_lists : list of token lists
        None of them empty.
    labels : list of int

    Returns
    -------
    report : str or None
        A sentence about words that are suspicious and may be right.

    Raises
    ------
    ValueError
        If every sentence begins or ends with a number, and the number tells the label.
    """
    for place, verb, name in ((0, "begins", "first"), (-1, "ends", "last")):
        column = [_at(place, tokens) for tokens in token_lists]
        numbers = all(map(NUMBER.fullmatch, column))
        if _tells(column, labels):
            message = (
                f"line 1 {verb} with {column[0]!r}, and the {name} word of every"
                " sentence tells its label"
            )
            if numbers:
                raise ValueError(
                    "sentences should not hold a column of numbers that tells the"
                    f" label, got one: {message}; remove it from every sentence"
                )
            return f"{message}: if it is no part of the sentences, remove it"
        if place == 0 and numbers:
            return (
                f"every sentence begins with a number, such as {column[0]!r} in line 1:"
                " if they are IDs or ratings, remove them"
            )
    return _telling_word(token_lists, labels)


def _at(place, tokens):
    """The first word, if `place` is 0, or the last token: a number before a full stop
    belongs to its sentence.
    """
    words = (token for token in tokens if token[0].isalnum())
    return next(words, tokens[0]) if place == 0 else tokens[-1]


def _tells(column, labels):
    """Whether each of a few values comes with one label alone."""
    found = defaultdict(set)
    for value, label in zip(column, labels, strict=True):
        found[value].add(label)
    few = len(found) * MIN_REPEATS <= len(column)
    return few and all(len(each) == 1 for each in found.values())


def _telling_word(token_lists, labels):
    """A report of a word in every sentence of one label and in none of the other."""
    with_label = {0: [], 1: []}
    for tokens, label in zip(token_lists, labels, strict=True):
        with_label[label].append(set(tokens))
    if min(map(len, with_label.values())) < MIN_REPEATS:
        return None
    for label, other in ((0, 1), (1, 0)):
        in_every = set.intersection(*with_label[label])
        telling = in_every - set.union(*with_label[other])
        if telling:
            return (
                f"{min(telling)!r} stands in every sentence with the label {label} and"
                " in no other: if it is no part of the sentences, remove it"
            )
    return None
