"""Words to numbers and back, with the three special tokens every sequence model needs."""

import numpy as np

PAD, START, END = "<pad>", "<start>", "<end>"
SPECIAL = (PAD, START, END)  # always numbers 0, 1, 2


class Vocabulary:
    """A list of tokens, each known by its place. The first three are <pad>, <start> and
    <end>.

    Raises ValueError where the special tokens are missing or a token stands twice,
    TypeError where a token is not a string.
    """

    pad, start, end = range(3)

    def __init__(self, tokens):
        self.tokens = list(tokens)
        wrong = [token for token in self.tokens if not isinstance(token, str)]
        if wrong:
            raise TypeError(
                f"a vocabulary holds strings, got {wrong[0]!r} of type"
                f" {type(wrong[0]).__name__}"
            )
        if tuple(self.tokens[:3]) != SPECIAL:
            raise ValueError(
                f"a vocabulary starts with its special tokens {', '.join(SPECIAL)}, got"
                f" {self.tokens[:3]}; Vocabulary.of(sentences) puts them there"
            )
        self.index = {token: number for number, token in enumerate(self.tokens)}
        if len(self.index) != len(self.tokens):
            twice = sorted(
                token for token in self.index if self.tokens.count(token) > 1
            )
            raise ValueError(
                f"a vocabulary holds each token once, got {twice[:5]} more than once"
            )

    @classmethod
    def of(cls, sentences):
        """The special tokens and, sorted, every token that occurs in `sentences`, a
        list of token lists.
        """
        found = set()
        for place, sentence in enumerate(sentences):
            found.update(check_tokens(sentence, place))
        return cls([*SPECIAL, *sorted(found)])

    def __len__(self):
        return len(self.tokens)

    def encode(self, sentences, start=False, end=False):
        """Token lists as one array of numbers (batch, longest), padded at the end with
        0.

        start, end: put <start> before, <end> behind each sentence.
        Raises ValueError for an empty sentence, a token outside the vocabulary or a
        special token, TypeError for text in place of tokens.
        """
        rows = []
        for place, sentence in enumerate(sentences):
            unknown = [
                token
                for token in check_tokens(sentence, place)
                if token not in self.index
            ]
            if unknown:
                raise ValueError(
                    f"sentence {place} holds {unknown[0]!r}, which is not among the"
                    f" vocabulary's {len(self)} tokens (such as {self.tokens[3:8]})"
                )
            rows.append(
                [self.start] * start
                + [self.index[token] for token in sentence]
                + [self.end] * end
            )
        numbers = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
        for row, values in zip(numbers, rows, strict=True):
            row[: len(values)] = values
        return numbers

    def decode(self, numbers):
        """One row of numbers as tokens: up to the first <end>, without special tokens."""
        tokens = []
        for number in numbers:
            if number == self.end:
                break
            if number >= len(SPECIAL):
                tokens.append(self.tokens[number])
        return tokens


def check_tokens(sentence, place=0):
    """`sentence` itself, if it is a non-empty sequence of strings without special
    tokens.
    """
    if isinstance(sentence, str):
        raise TypeError(
            f"sentence {place} should be a list of tokens such as ['two', 'words'], got"
            f" the text {sentence!r}; split it, and put a single sentence into a list"
        )
    if not isinstance(sentence, (list, tuple)) or not all(
        isinstance(token, str) for token in sentence
    ):
        raise TypeError(
            f"sentence {place} should be a list of strings, got {sentence!r}"
        )
    if not sentence:
        raise ValueError(f"sentence {place} is empty, expected at least one token")
    special = [token for token in sentence if token in SPECIAL]
    if special:
        raise ValueError(
            f"sentence {place} holds {special[0]!r}, expected words alone: special"
            " tokens are added later"
        )
    return sentence
