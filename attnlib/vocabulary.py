"""Tokens to token IDs and back, with the three special tokens every model needs."""

import numpy as np

PAD, START, END = "<pad>", "<start>", "<end>"
SPECIAL = (PAD, START, END)  # their IDs are 0, 1, and 2


class Vocabulary:
    """A list of tokens, whose index in it is their ID.

    The first three are <pad>, <start>, and <end>.

    Parameters
    ----------
    tokens : iterable of str

    Raises
    ------
    ValueError
        If the special tokens are missing, or a token occurs twice.
    TypeError
        If a token is not a string.
    """

    pad, start, end = range(3)

    def __init__(self, tokens):
        self.tokens = list(tokens)
        wrong = [token for token in self.tokens if not isinstance(token, str)]
        if wrong:
            kind = type(wrong[0]).__name__
            raise TypeError(
                f"tokens should be strings, got {shorten(wrong[0])} of type {kind}"
            )
        if tuple(self.tokens[:3]) != SPECIAL:
            raise ValueError(
                f"tokens should start with {', '.join(SPECIAL)}, got "
                f"{self.tokens[:3]}; Vocabulary.of(sentences) puts them there"
            )
        self.index = {token: token_id for token_id, token in enumerate(self.tokens)}
        if len(self.index) != len(self.tokens):
            twice = sorted(t for t in self.index if self.tokens.count(t) > 1)
            raise ValueError(
                f"tokens should hold each token once, got {twice[:5]} more than once"
            )

    @classmethod
    def of(cls, sentences):
        """The special tokens and, sorted, every token that occurs in ``sentences``.

        Parameters
        ----------
        sentences : iterable of lists of str

        Returns
        -------
        Vocabulary
        """
        tokens = set()
        for index, sentence in enumerate(sentences):
            tokens.update(check_sentence(sentence, index))
        return cls([*SPECIAL, *sorted(tokens)])

    def __len__(self):
        return len(self.tokens)

    def encode(self, sentences, start=False, end=False):
        """Token lists as one array of token IDs, padded at the end with 0.

        Parameters
        ----------
        sentences : list of lists of str
        start, end : bool
            Whether to put <start> before, and <end> after each sentence.

        Returns
        -------
        array of int32, shape (batch, longest)

        Raises
        ------
        ValueError
            If a sentence is empty, or holds a special token or one that is not in the
            vocabulary.
        TypeError
            If a sentence is a text instead of a list of tokens.
        """
        rows = []
        for index, sentence in enumerate(sentences):
            check_sentence(sentence, index)
            unknown = [token for token in sentence if token not in self.index]
            if unknown:
                raise ValueError(
                    f"sentence {index} should hold tokens of the vocabulary, got "
                    f"{shorten(unknown[0])}, which is not among its {len(self)} tokens "
                    f"(such as {self.tokens[3:8]})"
                )
            token_ids = [self.index[token] for token in sentence]
            rows.append([self.start] * start + token_ids + [self.end] * end)
        longest = max(map(len, rows), default=0)
        array = np.full((len(rows), longest), self.pad, np.int32)
        for row, token_ids in zip(array, rows, strict=True):
            row[: len(token_ids)] = token_ids
        return array

    def decode(self, token_ids):
        """One row of token IDs as tokens: up to the first <end>, none of them special.

        Parameters
        ----------
        token_ids : sequence of int

        Returns
        -------
        list of str
        """
        tokens = []
        for token_id in token_ids:
            if token_id == self.end:
                break
            if token_id >= len(SPECIAL):
                tokens.append(self.tokens[token_id])
        return tokens


def check_sentence(sentence, index=0):
    """``sentence``, if it is a non-empty list of strings without special tokens."""
    name = f"sentence {index}"
    if isinstance(sentence, str):
        raise TypeError(
            f"{name} should be a list of tokens such as ['two', 'words'], got the text "
            f"{shorten(sentence)}; split it, and put a single sentence into a list"
        )
    is_list = isinstance(sentence, (list, tuple))
    if not is_list or not all(isinstance(token, str) for token in sentence):
        raise TypeError(f"{name} should be a list of strings, got {shorten(sentence)}")
    if not sentence:
        raise ValueError(f"{name} should have at least one token, got none")
    special = [token for token in sentence if token in SPECIAL]
    if special:
        raise ValueError(
            f"{name} should hold words alone, got {special[0]!r}: special tokens are "
            "added later"
        )
    return sentence


def shorten(value):
    """The value as a message shows it: its ``repr``, cut after 60 characters."""
    text = repr(value).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:60]}..."
