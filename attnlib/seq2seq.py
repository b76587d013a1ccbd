"""The recurrent translator: a GRU encoder, and a GRU decoder with or without attention.

How it is read: ``Options`` lists all it can be told, ``Seq2Seq.encode`` is the encoder,
``attnlib.decoders`` has the decoders' steps, and ``attnlib.translator`` what every
translator shares, from pairs to translations.
"""

from dataclasses import asdict, dataclass, fields

from attnlib import fast, saving
from attnlib.arguments import integer, one_of
from attnlib.backend import keras, tf
from attnlib.decoders import DECODERS, TAKERS
from attnlib.translator import Translation, Translator
from attnlib.vocabulary import Vocabulary

__all__ = ["Options", "Seq2Seq", "Translation"]

ops = keras.ops


@dataclass
class Options:
    """What a ``Seq2Seq`` can be told."""

    # In these comments a colon would end a type, to Sphinx.
    #: "none", where the encoder's final state is all that the decoder gets;
    #: "additive", as Bahdanau et al. have it; or as Luong et al. have it, "dot",
    #: "general", "concat", or "location" over the whole source, "local-m" or "local-p"
    #: over a window.
    attention: str = "additive"
    #: With "none" alone, whether the encoder's final state enters "every_step" of the
    #: decoder, or makes its "first_state" and nothing else.
    context: str = "every_step"
    #: Size of the decoder's state, and of the encoder's annotations, both directions
    #: together.
    units: int = 128
    #: Size of a token's vector.
    embedding_dim: int = 32
    #: Whether the encoder also reads backward.
    bidirectional: bool = True
    #: With Luong's attention alone, whether a step also gets the attentional state
    #: before it (section 3.3).
    input_feeding: bool = False
    #: The decoder's initial state, from the "encoder" or "zeros".
    initial_state: str = "encoder"
    #: Fraction of the embedded tokens, and of what the next token is predicted from,
    #: that is dropped in training.
    dropout: float = 0.0
    #: Whether the encoder reads each sentence from its last token to its first. Its
    #: annotations are put back in the sentence's own order, so positions count from
    #: the first token.
    reverse_source: bool = False
    #: With local attention alone, D, the half-width of its window; 10 if not given.
    half_width: int | None = None
    #: With local attention alone, its score, "dot", "general", or "concat"; "general"
    #: if not given.
    score: str | None = None
    #: With local attention alone, as in ``attnlib.layers.LocalAttention``.
    gaussian: bool | None = None
    #: With "location" alone, the longest source it can have.
    max_source_len: int | None = None
    #: With the concat score alone, as in ``attnlib.layers.LuongAttention``.
    concat_identity: bool = False

    def __post_init__(self):
        one_of("attention", self.attention, DECODERS)
        one_of("context", self.context, ("every_step", "first_state"))
        one_of("initial_state", self.initial_state, ("encoder", "zeros"))
        self.units = integer("units", self.units)
        self.embedding_dim = integer("embedding_dim", self.embedding_dim)
        if self.bidirectional and self.units % 2:
            raise ValueError(
                "units should be even, half for each direction of the encoder, got "
                f"{self.units}"
            )
        for field in fields(self):
            value, takers = getattr(self, field.name), TAKERS.get(field.name)
            if takers and value != field.default and self.attention not in takers:
                listed = f"one of {', '.join(takers)}" if takers[1:] else takers[0]
                raise ValueError(
                    f"{field.name} should go with {listed}, got "
                    f"attention={self.attention!r}"
                )
        if self.attention in TAKERS["half_width"]:
            self.half_width = 10 if self.half_width is None else self.half_width
            self.score = "general" if self.score is None else self.score
        if self.context == "first_state" and self.initial_state == "zeros":
            raise ValueError(
                "initial_state should be 'encoder' with context='first_state', got "
                "'zeros': nothing of the source would enter the decoder"
            )
        if self.concat_identity and "concat" not in (self.attention, self.score):
            raise ValueError(
                "concat_identity should go with the score 'concat', got "
                f"attention={self.attention!r} with score={self.score!r}"
            )

    @property
    def decoder_class(self):
        return DECODERS[self.attention]


@keras.saving.register_keras_serializable("attnlib")
class EncoderGRU(keras.layers.GRU):
    """``keras.layers.GRU``, whose loop may run in a faster form."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        (state,) = tf.nest.flatten(initial_state)
        result = fast.run_gru(self, sequences, state, mask)
        if result is not None:
            return result
        return super().inner_loop(sequences, initial_state, mask, training)


@keras.saving.register_keras_serializable("attnlib")
class Seq2Seq(Translator):
    """A GRU encoder and a GRU decoder, with or without attention between them.

    ``Seq2Seq.for_pairs(pairs, …)`` takes the vocabularies from the data and compiles.

    Parameters
    ----------
    source_vocabulary, target_vocabulary : Vocabulary, or the list of its tokens
    **options
        The fields of ``Options``; and of ``keras.Model``, ``name``, ``dtype``, and
        ``trainable``.
    """

    def __init__(self, source_vocabulary, target_vocabulary, **options):
        names = {field.name for field in fields(Options)}
        of_keras = {name: options.pop(name) for name in {*options} - names}
        super().__init__(source_vocabulary, target_vocabulary, **of_keras)
        self.options = options = Options(**options)
        self.units = options.units
        with saving.precision(self.dtype_policy):
            self._make_parts(options)
        self.build()

    def _make_parts(self, options):
        embedding_dim, target_size = options.embedding_dim, len(self.target_vocabulary)
        self.source_embedding = keras.layers.Embedding(
            len(self.source_vocabulary), embedding_dim
        )
        self.target_embedding = keras.layers.Embedding(target_size, embedding_dim)
        directions = 2 if options.bidirectional else 1
        self.final_dims = [options.units // directions] * directions
        gru = EncoderGRU(
            self.final_dims[0], return_sequences=True, return_state=True, name="gru"
        )
        self.encoder = keras.layers.Bidirectional(gru) if directions == 2 else gru
        self.decoder = options.decoder_class.from_options(options)
        self.output_layer = keras.layers.Dense(target_size)
        self.dropout_layer = keras.layers.Dropout(options.dropout)

    def build(self, input_shape=None):
        if self.built:
            return
        embedding_dim, units = self.options.embedding_dim, self.options.units
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build((None, None, embedding_dim))
        self.decoder.build(embedding_dim, units, self.final_dims)
        self.output_layer.build((None, self.decoder.feature_dim))
        self.built = True

    @property
    def has_attention(self):
        return self.decoder.has_attention

    @property
    def max_source_len(self):
        return self.decoder.max_source_len

    def encode(self, source):
        """The decoder's initial state, and its memory of the source.

        source: (batch, source_len), token IDs.
        """
        mask = ops.not_equal(source, Vocabulary.pad)  # (batch, source_len)
        words = self.dropout_layer(self.source_embedding(source))
        if self.options.reverse_source:
            words = reverse_sentences(words, mask)
        # (batch, source_len, units), and each direction's final state
        annotations, *finals = self.encoder(words, mask=mask)
        if self.options.reverse_source:
            annotations = reverse_sentences(annotations, mask)
        state = self.decoder.get_initial_state(finals)
        return state, self.decoder.prepare_memory(annotations, finals, mask)

    def call(self, inputs, return_weights=False, training=None):
        """All steps of the decoder, with the true tokens given.

        Parameters
        ----------
        inputs : (source, decoder_inputs)
            Token IDs (batch, source_len) and (batch, target_len), <start> first.
        return_weights : bool

        Returns
        -------
        logits : shape (batch, target_len, target vocabulary)
        weights : shape (batch, target_len, source_len)
            Only with ``return_weights``; None without attention.
        """
        source, decoder_inputs = inputs
        state, memory = self.encode(source)
        words = self.dropout_layer(self.target_embedding(decoder_inputs))
        features, weights = self.decoder.unroll(state, words, memory, return_weights)
        logits = self.output_layer(self.dropout_layer(features))
        return (logits, weights) if return_weights else logits

    def decode_step(self, state, token_ids, memory):
        """One step of generation.

        token_ids: (batch,), those of the step before. Returns the new state, logits
        (batch, target vocabulary), and weights (batch, source_len), with source_len 0
        without attention.
        """
        word = self.target_embedding(token_ids)  # (batch, embedding_dim)
        state, features, weights = self.decoder.step(state, word, memory)
        if weights is None:
            weights = tf.zeros((tf.shape(token_ids)[0], 0))
        return state, self.output_layer(features), tf.cast(weights, tf.float32)

    @classmethod
    def needs_max_source_len(cls, options):
        return options.get("attention") in TAKERS["max_source_len"]

    def get_config(self):
        return {
            **super().get_config(),
            "source_vocabulary": self.source_vocabulary.tokens,
            "target_vocabulary": self.target_vocabulary.tokens,
            **asdict(self.options),
            "dropout": self.dropout_layer.rate,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        attention = config.get("attention", Options.attention)
        # Earlier versions saved options that the attention does not take.
        left_out = {name for name, takers in TAKERS.items() if attention not in takers}
        config = {name: config[name] for name in config if name not in left_out}
        return super().from_config(config, custom_objects)


# Keras looks for the class by this name where an .h5 file is loaded.
keras.saving.get_custom_objects()["Seq2Seq"] = Seq2Seq


def reverse_sentences(array, mask):
    """Each sentence of (batch, source_len, dim) in reverse, its padding in place."""
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), 1)
    return tf.reverse_sequence(array, lengths, seq_axis=1)
