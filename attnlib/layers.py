"""Attention as Keras 3 layers, over the pure functions of ``attnlib.scores``.

Every layer: ``call(query, values, mask=None, query_mask=None, values_mask=None)``. The
source's mask is `mask` where it is given, else the one that Keras carries along with
`values`. The context keeps the query's mask.

Scores and softmax are computed in float32 at least, also where the layer's dtype is
float16 or bfloat16: finite inputs whose scores float32 can hold give no NaN. NaN or inf
in a query, or in a value that may be attended, can make NaN of that sentence's results,
and changes no other's. At a masked place it changes no weight, but it makes the context
NaN,
for 0 * NaN is NaN: fill padding with any finite number.
"""

from attnlib.arguments import (
    check_keys,
    check_last_axis,
    check_query,
    check_values,
    integer,
)
from attnlib.backend import keras, tf
from attnlib.scores import (
    additive_scores,
    at_least_float32,
    attend,
    concat_scores,
    dot_scores,
    general_scores,
    location_scores,
    pooling_scores,
    softmax,
    windowed_attend,
)

ops = keras.ops


class Attention(keras.layers.Layer):
    """What all attention layers share: which mask counts, and which mask goes on. Not
    used by itself.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def __call__(
        self, query, values, mask=None, query_mask=None, values_mask=None, **kwargs
    ):
        # Keras takes an argument called `mask` for the first input's own; ours is the
        # source's. So it goes on as `values_mask`, and what Keras hands to compute_mask
        # is the query's mask, as it should be.
        if mask is not None:
            values_mask = (
                ops.convert_to_tensor(mask) if not hasattr(mask, "dtype") else mask
            )
        check_query(
            query, values
        )  # here, before the weights are made from wrong shapes
        check_values(values, values_mask)
        given = {"query_mask": query_mask, "values_mask": values_mask}
        return super().__call__(
            query, values, **{k: v for k, v in given.items() if v is not None}, **kwargs
        )

    def compute_mask(self, inputs, previous_mask=None):
        """The query's mask for the context, None for the weights."""
        return previous_mask, None


@keras.saving.register_keras_serializable("attnlib")
class AdditiveAttention(Attention):
    """Additive attention: e_ij = v^T tanh(W_a s_{i-1} + U_a h_j), Bahdanau et al.
    (2015), eq. 5, 6 and A.1.2.

    ``context, weights = AdditiveAttention(units)(query, values, mask=mask)``

    units: width of the hidden layer of the score, n' in the paper.
    query: (batch, target_len, query_dim), the decoder's *previous* states s_{i-1}.
    values: (batch, source_len, value_dim), the annotations h_j, which are the keys too.
    mask: (batch, source_len), boolean, True = may be attended. A row with nothing to
    attend to gets zeros.
    keys: ``project(values)`` computed before, for a decoder that goes step by step.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len).
    Raises ValueError or TypeError, naming both shapes or types, where the arguments do
    not fit.

    Keras' own ``AdditiveAttention`` has v (its `scale`) but neither W_a nor U_a.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = integer("units", units)

    def build(self, query_shape, values_shape):
        self.w_query = self.add_weight(
            shape=(query_shape[-1], self.units), name="w_query"
        )
        self.w_keys = self.add_weight(
            shape=(values_shape[-1], self.units), name="w_keys"
        )
        self.v = self.add_weight(shape=(self.units,), name="v")
        self.built = True

    def project(self, values):
        """U_a h_j for every j, (batch, source_len, units): it depends on the source
        alone.

        Raises ValueError before the layer has its weights, or where values are not as
        wide as they were then.
        """
        if not self.built:
            raise ValueError(
                "project needs the layer's weights: call the layer once, or build it,"
                " before"
            )
        check_last_axis("values", values, self.w_keys.shape[0])
        return ops.matmul(at_least_float32(values), at_least_float32(self.w_keys))

    def call(
        self, query, values, mask=None, query_mask=None, values_mask=None, keys=None
    ):
        mask = mask if mask is not None else values_mask
        check_last_axis("query", query, self.w_query.shape[0])
        if keys is None:
            keys = self.project(values)
        else:
            check_keys(keys, values, self.units)
        return attend(
            additive_scores(query, keys, self.w_query, None, self.v), values, mask
        )

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("attnlib")
class LuongAttention(Attention):
    """Global attention: a_t(s) = softmax_s(score(h_t, h_s)), Luong, Pham and Manning
    (2015), section 3.1, eq. 7 and 8.

    ``context, weights = LuongAttention("general")(query, values, mask=mask)``

    score: "dot" h_t^T h_s; "general" h_t^T W_a h_s; "concat" v_a^T tanh(W_a [h_t;
    h_s]); "location" W_a h_t, which looks at no source word, and alone has a longest
    source.
    units: of concat, its hidden layer; as wide as `values` if not given.
    max_source_len: of location, which needs it.
    concat_identity: of concat, as in the paper's experiments (footnote 15): the half of
    W_a that acts on h_s is fixed to the identity. `units` is then the width of
    `values`.

    query: (batch, target_len, query_dim), the decoder's *current* states h_t. values:
    (batch, source_len, value_dim).
    mask: (batch, source_len), boolean, True = may be attended. A row with nothing to
    attend to gets zeros.
    keys: ``project(values)`` computed before, for a decoder that goes step by step.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len).
    Raises ValueError or TypeError, naming both shapes or types, where the arguments do
    not fit.

    Keras' ``Attention`` is dot; behind one bias-free ``Dense`` on the query it is
    general. Its concat is another score.
    """

    SCORES = ("dot", "general", "concat", "location")

    def __init__(
        self,
        score="general",
        units=None,
        max_source_len=None,
        concat_identity=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if score not in self.SCORES:
            raise ValueError(
                f"score should be one of {', '.join(self.SCORES)}, got {score!r}"
            )
        self.score, self.concat_identity = score, bool(concat_identity)
        self.units = None if units is None else integer("units", units)
        self.max_source_len = max_source_len
        if score == "location":
            self.max_source_len = integer(
                "max_source_len, which score='location' needs,", max_source_len
            )

    def build(self, query_shape, values_shape):
        self.query_dim, self.value_dim = query_shape[-1], values_shape[-1]
        self.key_dim = self.value_dim  # of keys as they are scored
        if self.score == "dot" and self.query_dim != self.value_dim:
            raise ValueError(
                f"score='dot' needs query and values of one width, got {self.query_dim}"
                f" and {self.value_dim}; score='general' takes any"
            )
        if self.score == "general":
            self.w = self.add_weight(shape=(self.query_dim, self.value_dim), name="w")
        elif self.score == "location":
            self.w = self.add_weight(
                shape=(self.query_dim, self.max_source_len), name="w"
            )
        elif self.score == "concat":
            self.key_dim = self.units or self.value_dim
            if self.concat_identity and self.key_dim != self.value_dim:
                raise ValueError(
                    "with concat_identity units should be the width of values,"
                    f" {self.value_dim}, got {self.units}"
                )
            rows = (
                self.query_dim
                if self.concat_identity
                else self.query_dim + self.value_dim
            )
            self.w = self.add_weight(shape=(rows, self.key_dim), name="w")
            self.v = self.add_weight(shape=(self.key_dim,), name="v")
        self.built = True

    def project(self, values):
        """What of the score depends on the source alone, (batch, source_len, units):
        values @ W_a's lower half for concat, else `values` themselves.

        Raises ValueError before the layer has its weights, or where values are not as
        wide as they were then.
        """
        if not self.built:
            raise ValueError(
                "project needs the layer's weights: call the layer once, or build it,"
                " before"
            )
        check_last_axis("values", values, self.value_dim)
        if self.score == "concat" and not self.concat_identity:
            return ops.matmul(
                at_least_float32(values), at_least_float32(self.w[self.query_dim :])
            )
        return values

    def _calculate_scores(self, query, keys):
        """Scores (batch, target_len, source_len) of projected keys, or of a window of
        them for each query.
        """
        if self.score == "dot":
            return dot_scores(query, keys)
        if self.score == "general":
            return general_scores(query, keys, self.w)
        if self.score == "concat":
            return concat_scores(query, keys, self.w[: self.query_dim], self.v)
        longest, source_len = self.max_source_len, keys.shape[1]
        message = (
            f"score='location' was built for sources of {longest} positions at most,"
            " got "
        )
        if source_len is None:  # known only when run
            source_len = ops.shape(keys)[1]
            tf.debugging.assert_less_equal(
                source_len, longest, message + "a longer one"
            )
        elif source_len > longest:
            raise ValueError(f"{message}{source_len}; give a larger max_source_len")
        return location_scores(query, self.w[:, :source_len])

    def call(
        self, query, values, mask=None, query_mask=None, values_mask=None, keys=None
    ):
        mask = mask if mask is not None else values_mask
        check_last_axis("query", query, self.query_dim)
        if keys is None:
            keys = self.project(values)
        else:
            check_keys(keys, values, self.key_dim)
        return attend(self._calculate_scores(query, keys), values, mask)

    def get_config(self):
        names = ("score", "units", "max_source_len", "concat_identity")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("attnlib")
class LocalAttention(LuongAttention):
    """Local attention: a window of 2D + 1 positions around p_t. Luong, Pham and Manning
    (2015), section 3.2.

    ``context, weights, positions = LocalAttention("general", center="predictive",
    half_width=10)(query, values)``

    a_t(s) = softmax over the window of score(h_t, h_s), times exp(-(s - p_t)^2 / (2
    sigma^2)), sigma = D / 2 (eq. 10). The window is floor(p_t) - D … floor(p_t) + D,
    and the Gaussian is taken from p_t itself. It comes after the softmax and is not
    normalised again, so a row sums to 1 or less. Only the window is gathered and
    scored.

    center: "monotonic" (local-m), p_t = t, held at the last word; "predictive"
    (local-p), p_t = S sigmoid(v_p^T tanh(W_p h_t)) (eq. 9). Positions count from 0, and
    S is the sentence's length: one past the last True of its mask. (The authors count
    from 1 and have S - 1 words and an end token: the same places.)
    half_width: D. score, units, concat_identity: as for `LuongAttention`, but
    "location", which has no window.
    gaussian: whether eq. 10's Gaussian counts; if not given, for "predictive" alone, as
    in the paper. Without it W_p and v_p get no gradient.

    query, values, mask, keys: as for `LuongAttention`. start: t of the first query,
    from 0, a number or one a sentence (batch,), for local-m in a decoder that goes step
    by step.
    Returns context (batch, target_len, value_dim), weights and positions (batch,
    target_len, 2D + 1): positions may lie outside the sentence, and weigh 0 there.
    Raises ValueError or TypeError, naming both shapes or types, where the arguments do
    not fit.
    """

    SCORES = ("dot", "general", "concat")
    CENTERS = ("monotonic", "predictive")

    def __init__(
        self,
        score="general",
        center="predictive",
        half_width=10,
        gaussian=None,
        units=None,
        concat_identity=False,
        **kwargs,
    ):
        super().__init__(score, units=units, concat_identity=concat_identity, **kwargs)
        if center not in self.CENTERS:
            raise ValueError(
                f"center should be one of {', '.join(self.CENTERS)}, got {center!r}"
            )
        self.center, self.half_width = center, integer("half_width", half_width)
        self.gaussian = center == "predictive" if gaussian is None else bool(gaussian)

    def build(self, query_shape, values_shape):
        super().build(query_shape, values_shape)
        if self.center == "predictive":
            self.w_p = self.add_weight(
                shape=(self.query_dim, self.query_dim), name="w_p"
            )
            self.v_p = self.add_weight(shape=(self.query_dim,), name="v_p")

    def centers(self, query, lengths, start=0):
        """p_t, (batch, target_len), in float32 at least. lengths: S, (batch,)."""
        dtype = keras.backend.result_type(query.dtype, "float32")
        lengths = ops.cast(lengths, dtype)[:, None]  # (batch, 1)
        if self.center == "monotonic":
            start = ops.reshape(ops.cast(start, "int32"), (-1, 1))
            times = start + ops.arange(ops.shape(query)[1])  # (1 or batch, target_len)
            return ops.minimum(ops.cast(times, dtype), ops.maximum(lengths - 1, 0))
        hidden = ops.tanh(ops.matmul(query, self.w_p))  # (batch, target_len, query_dim)
        return lengths * ops.sigmoid(
            ops.cast(ops.tensordot(hidden, self.v_p, axes=1), dtype)
        )

    def call(
        self,
        query,
        values,
        mask=None,
        query_mask=None,
        values_mask=None,
        keys=None,
        start=0,
    ):
        mask = mask if mask is not None else values_mask
        check_last_axis("query", query, self.query_dim)
        check_last_axis("values", values, self.value_dim)
        if keys is not None:
            check_keys(keys, values, self.key_dim)
        if values.shape[1] == 0:  # an empty source: one position, masked
            values, keys = ops.pad(values, ((0, 0), (0, 1), (0, 0))), None
            mask = ops.zeros_like(values[:, :, 0], "bool")
        source_len = ops.shape(values)[1]
        if mask is None:
            lengths = ops.full(ops.shape(values)[:1], source_len)
        else:
            lengths = ops.max(
                ops.where(mask, ops.arange(1, source_len + 1), 0), axis=1, initial=0
            )
        centers = self.centers(query, lengths, start)[
            :, :, None
        ]  # (batch, target_len, 1)
        slots = ops.arange(-self.half_width, self.half_width + 1)
        positions = (
            ops.cast(ops.floor(centers), "int32") + slots
        )  # (batch, target_len, 2D + 1)
        there = ops.clip(positions, 0, source_len - 1)
        inside = ops.equal(positions, there)
        if mask is not None:
            inside = inside & tf.gather(mask, there, batch_dims=1)
        window = tf.gather(
            values, there, batch_dims=1
        )  # (batch, target_len, 2D + 1, value_dim)
        keys = (
            self.project(window)
            if keys is None
            else tf.gather(keys, there, batch_dims=1)
        )
        distance = (
            ops.cast(positions, centers.dtype) - centers if self.gaussian else None
        )
        context, weights = windowed_attend(
            self._calculate_scores(query, keys),
            window,
            inside,
            distance,
            self.half_width,
        )
        return context, weights, positions

    def compute_mask(self, inputs, previous_mask=None):
        """The query's mask for the context, None for weights and positions."""
        return previous_mask, None, None

    def get_config(self):
        config = {
            name: getattr(self, name) for name in ("center", "half_width", "gaussian")
        }
        config = {**super().get_config(), **config}
        del config["max_source_len"]  # of location alone
        return config


@keras.saving.register_keras_serializable("attnlib")
class AttentionPooling(keras.layers.Layer):
    """One vector of a sentence: sum_s alpha_s h_s, alpha = softmax(v^T tanh(W h_s +
    b)). Yang et al. (2016), eq. 5–7.

    ``context, weights = AttentionPooling(units)(values, mask=mask)``

    The query is v (their u_w): learned, and the same for every sentence. Keys and
    values are the states h_s.
    units: width of the hidden layer of the score.
    values: (batch, source_len, value_dim). mask: (batch, source_len), boolean, True =
    may be attended; where it is not given, the one that Keras carries along with
    `values`. A sentence with nothing to attend to gets zeros.
    Returns context (batch, value_dim) and weights (batch, source_len).
    Raises ValueError or TypeError, naming shapes or types, where the arguments do not
    fit.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = integer("units", units)
        self.supports_masking = True

    def __call__(self, values, mask=None, **kwargs):
        if mask is not None:
            mask = ops.convert_to_tensor(mask) if not hasattr(mask, "dtype") else mask
            kwargs["mask"] = mask
        check_values(
            values, mask
        )  # here, before the weights are made from a wrong shape
        return super().__call__(values, **kwargs)

    def build(self, values_shape):
        self.w = self.add_weight(shape=(values_shape[-1], self.units), name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
        self.v = self.add_weight(shape=(self.units,), name="v")
        self.built = True

    def call(self, values, mask=None):
        check_last_axis("values", values, self.w.shape[0])
        weights = ops.cast(
            softmax(pooling_scores(values, self.w, self.b, self.v), mask), values.dtype
        )
        return ops.einsum("bs,bsd->bd", weights, values), weights

    def compute_mask(self, inputs, previous_mask=None):
        """None and None: neither the context nor the weights have a source axis to
        mask.
        """
        return None, None

    def get_config(self):
        return {**super().get_config(), "units": self.units}
