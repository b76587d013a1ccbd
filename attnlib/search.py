"""Greedy and beam search: loops over the decoder's steps, until every sentence ends.

Both ask of a model ``encode(source) -> (state, memory)``, its initial state and its
memory of the source, and ``decode_step(state, token_ids, memory) -> (state, logits,
weights)``, with logits (batch, vocabulary) and attention weights (batch, source_len);
a step has any if ``model.has_attention`` and not ``model.state_grows``.
They return token IDs (batch, length), where what follows the end is <end>, and
attention weights (batch, length, source_len), or of source_len 0 without any.

max_lengths: (batch,), how many tokens each translation may have. It ends there, or at
<end>.
"""

from attnlib.backend import tf
from attnlib.vocabulary import Vocabulary

NEG_INF = -1e9  # log-probability of what is impossible
TOKEN_IDS = tf.TensorSpec((None, None), tf.int32)
MAX_LENGTHS = tf.TensorSpec((None,), tf.int32)


def make_search(model, beam_width):
    """The search of that width as one graph, traced once whatever the lengths."""

    def search(source, max_lengths):
        if beam_width == 1:
            return greedy_search(model, source, max_lengths)
        return beam_search(model, source, max_lengths, beam_width)

    return tf.function(
        search, input_signature=[TOKEN_IDS, MAX_LENGTHS], autograph=False
    )


def scored_step(model, state, token_ids, memory):
    """One step for (batch,) token IDs, with log-probabilities in place of logits.

    <pad> and <start> are impossible, however probable an untrained model finds them.
    Returns the state, log-probabilities (batch, vocabulary), and attention weights.
    """
    state, logits, weights = model.decode_step(state, token_ids, memory)
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    possible = tf.range(tf.shape(logits)[1]) >= Vocabulary.end
    return state, tf.where(possible, log_probabilities, NEG_INF), weights


def greedy_search(model, source, max_lengths, size=None):
    """The most probable token at every step.

    size: the length of what is returned, where it has to be known beforehand; steps
    that are not needed are <end>, with weights of 0.
    """
    state, memory = model.encode(source)
    token_ids = tf.fill(tf.shape(source)[:1], Vocabulary.start)
    buffer = {"size": size or 0, "dynamic_size": size is None}
    tokens = tf.TensorArray(tf.int32, **buffer, element_shape=token_ids.shape)
    weights = tf.TensorArray(
        tf.float32, **buffer, element_shape=(token_ids.shape[0], None)
    )

    def body(t, token_ids, state, ended, tokens, weights):
        state, log_probabilities, step_weights = scored_step(
            model, state, token_ids, memory
        )
        token_ids = tf.argmax(log_probabilities, -1, tf.int32)
        token_ids = tf.where(ended, Vocabulary.end, token_ids)
        ended |= (token_ids == Vocabulary.end) | (t + 1 >= max_lengths)
        tokens = tokens.write(t, token_ids)
        weights = weights.write(t, step_weights)
        return t + 1, token_ids, state, ended, tokens, weights

    steps, *_, tokens, weights = tf.while_loop(
        lambda t, token_ids, state, ended, *_: ~tf.reduce_all(ended),
        body,
        (0, token_ids, state, tf.zeros_like(token_ids, tf.bool), tokens, weights),
        maximum_iterations=size,
    )
    tokens = tf.transpose(tokens.stack())  # (batch, length)
    if size is not None:
        tokens = tf.where(tf.range(size) < steps, tokens, Vocabulary.end)
    return tokens, tf.transpose(weights.stack(), (1, 0, 2))


def beam_search(model, source, max_lengths, beam_width):
    """The best hypothesis, by total log-probability, that a beam finds.

    At every step the ``beam_width`` most probable hypotheses of each sentence are kept.
    One that has ended, or has its maximum length, stays as it is.
    """
    state, memory = model.encode(source)
    # The beams of a sentence are adjacent rows: (batch, …) -> (batch * beam_width, …).
    state, memory, max_lengths = tf.nest.map_structure(
        lambda x: tf.repeat(x, beam_width, axis=0), (state, memory, max_lengths)
    )
    batch = tf.shape(source)[0]
    first_beams = tf.range(batch) * beam_width  # each sentence's first row

    def body(t, totals, state, ended, tokens, weights):
        state, log_probabilities, step_weights = scored_step(
            model, state, tokens[:, -1], memory
        )
        totals, parents, token_ids = best_continuations(
            totals, log_probabilities, ended
        )
        parents += tf.repeat(first_beams, beam_width)
        state, ended, tokens, weights, step_weights = tf.nest.map_structure(
            lambda x: tf.gather(x, parents),
            (state, ended, tokens, weights, step_weights),
        )
        tokens = tf.concat([tokens, token_ids[:, None]], 1)
        weights = tf.concat([weights, step_weights[:, None]], 1)
        ended |= (token_ids == Vocabulary.end) | (t + 1 >= max_lengths)
        return t + 1, totals, state, ended, tokens, weights

    # All beams of a sentence begin alike: only the first counts.
    totals = tf.tile([[0.0] + [NEG_INF] * (beam_width - 1)], (batch, 1))
    ended = tf.zeros_like(max_lengths, tf.bool)
    tokens = tf.fill((batch * beam_width, 1), Vocabulary.start)
    has_weights = model.has_attention and not model.state_grows
    source_len = tf.shape(source)[1] if has_weights else 0
    weights = tf.zeros((batch * beam_width, 0, source_len))
    fixed = tf.nest.map_structure(lambda x: x.shape, (totals, state, ended))
    growing = tf.TensorShape((None, None)), tf.TensorShape((None, None, None))
    *_, tokens, weights = tf.while_loop(
        lambda t, totals, state, ended, *_: ~tf.reduce_all(ended),
        body,
        (0, totals, state, ended, tokens, weights),
        shape_invariants=(tf.TensorShape(()), *fixed, *growing),
    )
    # top_k sorts, so the first beam is the most probable. <start> is left out.
    return tf.gather(tokens[:, 1:], first_beams), tf.gather(weights, first_beams)


def best_continuations(totals, log_probabilities, ended):
    """The ``beam_width`` best of all beams, each continued by every token.

    totals: (batch, beam_width), log-probabilities so far. log_probabilities: (batch *
    beam_width, vocabulary). ended: (batch * beam_width,).
    Returns the new totals; the number of the beam, within its sentence, that each new
    one continues; and its token, both (batch * beam_width,).
    """
    vocabulary_size = tf.shape(log_probabilities)[1]
    # A hypothesis that has ended can only end again, at no cost.
    stay = tf.where(tf.range(vocabulary_size) == Vocabulary.end, 0.0, NEG_INF)
    log_probabilities = tf.where(ended[:, None], stay, log_probabilities)
    beam_width = totals.shape[1]
    candidates = tf.reshape(totals, (-1, 1)) + log_probabilities
    candidates = tf.reshape(candidates, (-1, beam_width * vocabulary_size))
    totals, best = tf.math.top_k(candidates, beam_width)
    best = tf.reshape(best, (-1,))  # (batch * beam_width,)
    return totals, best // vocabulary_size, best % vocabulary_size
