"""Greedy decoding and beam search, compiled: loops over the steps, which end when every
sentence has.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from attnlib.backend import tf
from attnlib.fast import greedy as fast_greedy
from attnlib.vocabulary import Vocabulary

NEVER = -1e9  # log-probability of what must not happen
NUMBERS, LIMITS = (
    tf.TensorSpec((None, None), tf.int32),
    tf.TensorSpec((None,), tf.int32),
)


def compiled(model):
    """decode(source numbers, beam_width, limits) -> (tokens (batch, length), weights
    (batch, length, source_len) or
    None), in NumPy. limits: (batch,), how many tokens each sentence may have; it ends
    there or at <end>, and what follows is <end>. Traced once a beam width, whatever the
    lengths."""
    searches = {1: fast_greedy.Greedy(model)}

    def decode(source, beam_width, limits):
        if beam_width not in searches:
            searches[beam_width] = tf.function(
                lambda s, n: beam(model, s, n, beam_width),
                input_signature=[NUMBERS, LIMITS],
                autograph=False,
            )
        tokens, weights = map(np.asarray, searches[beam_width](source, limits))
        return tokens, None if model.attention == "none" else weights

    return decode


def side_by_side(function, parts):
    """``map(function, parts)``, two at a time, one a core. Those not begun are left
    when it is closed.
    """
    if len(parts) < 2:
        yield from map(function, parts)
        return
    with ThreadPoolExecutor(2) as threads:
        yield from threads.map(function, parts)


def _next(model, state, word, memory):
    """One step for (batch,) words: the new state, log-probabilities (batch,
    vocabulary), weights (batch, source_len).

    <pad> and <start> are never written, however likely an untrained model finds them.
    """
    state, features, weights = model.decoder.step(
        state, model.target_embedding(word), memory
    )
    if weights is None:
        weights = tf.zeros((tf.shape(word)[0], 0))  # nothing looked at
    log_probability = tf.nn.log_softmax(tf.cast(model.readout(features), tf.float32))
    writable = tf.range(tf.shape(log_probability)[1]) >= Vocabulary.end
    return (
        state,
        tf.where(writable, log_probability, NEVER),
        tf.cast(weights, tf.float32),
    )


def greedy(model, source, limits, most=None):
    """The likeliest word at every step. Returns tokens (batch, length) and weights
    (batch, length, source_len).

    most: the length of what is returned, where it has to be known beforehand; steps not
    needed are <end>, and weigh 0.
    """
    state, memory = model.encode(source)
    word = tf.fill(tf.shape(source)[:1], Vocabulary.start)
    words, looked, *_ = steps(model, 0, 0, word, limits, state, memory, most)
    return words, looked


def steps(model, t, enough, word, limits, state, memory, most=None):
    """Steps of greedy decoding from step `t` on, until at most `enough` of the
    sentences have not ended.

    word: (batch,), the words before. limits: (batch,). most: as for `greedy`.
    Returns words (batch, steps), weights (batch, steps, source_len), which have ended
    (batch,), and the last state.
    """
    begun, room = t, {"size": most or 0, "dynamic_size": most is None}
    words = tf.TensorArray(tf.int32, **room, element_shape=word.shape)
    looked = tf.TensorArray(tf.float32, **room, element_shape=(word.shape[0], None))

    def body(t, word, state, ended, words, looked):
        state, log_probability, weights = _next(model, state, word, memory)
        word = tf.argmax(log_probability, -1, tf.int32)
        word = tf.where(ended, Vocabulary.end, word)
        ended |= (word == Vocabulary.end) | (t + 1 >= limits)
        return (
            t + 1,
            word,
            state,
            ended,
            words.write(t - begun, word),
            looked.write(t - begun, weights),
        )

    t, _, state, ended, words, looked = tf.while_loop(
        lambda t, word, state, ended, *_: (
            tf.reduce_sum(tf.cast(~ended, tf.int32)) > enough
        ),
        body,
        (t, word, state, tf.zeros_like(word, tf.bool), words, looked),
        maximum_iterations=most,
    )
    words = tf.transpose(words.stack())
    if most is not None:
        words = tf.where(tf.range(most) < t, words, Vocabulary.end)
    return words, tf.transpose(looked.stack(), (1, 0, 2)), ended, state


def beam(model, source, limits, width):
    """Beam search: at every step the `width` likeliest beginnings are kept, by their
    total log-probability.

    A beginning that has ended stays as it is. Returns tokens (batch, length) and
    weights (batch, length, source_len) of the likeliest at the end.
    """
    state, memory = model.encode(source)
    batch, source_len, vocabulary = (
        tf.shape(source)[0],
        tf.shape(source)[1],
        len(model.target_vocabulary),
    )
    # Beams of one sentence lie side by side: (batch, …) -> (batch * width, …).
    state, memory = tf.nest.map_structure(
        lambda x: tf.repeat(x, width, axis=0), (state, memory)
    )
    limits = tf.repeat(limits, width)
    source_len = 0 if model.attention == "none" else source_len
    total = tf.tile(
        [[0.0] + [NEVER] * (width - 1)], (batch, 1)
    )  # all beams begin alike: count the first alone
    stay = tf.where(
        tf.range(vocabulary) == Vocabulary.end, 0.0, NEVER
    )  # an ended beam can only end again
    words = tf.fill((batch * width, 0), Vocabulary.end)
    looked = tf.zeros((batch * width, 0, source_len))
    word = tf.fill((batch * width,), Vocabulary.start)
    first = tf.repeat(
        tf.range(batch) * width, width
    )  # number of each sentence's first beam

    def body(t, word, state, ended, total, words, looked):
        state, log_probability, weights = _next(model, state, word, memory)
        log_probability = tf.where(ended[:, None], stay, log_probability)
        candidates = (
            tf.reshape(total, (-1, 1)) + log_probability
        )  # (batch * width, vocabulary)
        total, best = tf.math.top_k(tf.reshape(candidates, (batch, -1)), width)
        best = tf.reshape(best, (-1,))
        parent = first + best // vocabulary  # the beam that each new one continues
        word = best % vocabulary
        state, ended, words, looked, weights = tf.nest.map_structure(
            lambda x: tf.gather(x, parent), (state, ended, words, looked, weights)
        )
        words = tf.concat([words, word[:, None]], 1)
        looked = tf.concat([looked, weights[:, None]], 1)
        ended |= (word == Vocabulary.end) | (t + 1 >= limits)
        return t + 1, word, state, ended, total, words, looked

    *_, total, words, looked = tf.while_loop(
        lambda t, word, state, ended, *_: ~tf.reduce_all(ended),
        body,
        (0, word, state, tf.zeros((batch * width,), tf.bool), total, words, looked),
        shape_invariants=(
            tf.TensorShape(()),
            word.shape,
            tf.nest.map_structure(lambda x: x.shape, state),
            tf.TensorShape((None,)),
            tf.TensorShape((None, None)),
            tf.TensorShape((None, None)),
            tf.TensorShape((None, None, None)),
        ),
    )
    best = tf.range(batch) * width  # top_k sorts: the first beam is the likeliest
    return tf.gather(words, best), tf.gather(looked, best)


def forced(model):
    """weights(source numbers, numbers before) -> (batch, target_len, source_len) with
    the true words given, in NumPy. Traced once, as `compiled`."""
    numbers = tf.TensorSpec((None, None), tf.int32)
    graph = tf.function(
        lambda source, before: model((source, before), return_weights=True)[1],
        input_signature=[numbers, numbers],
        autograph=False,
    )
    return lambda source, before: graph(source, before).numpy()
