"""Attention as Keras 3 layers, over the pure functions of ``attnlib.scores``.

Every layer is called as ``layer(query, values, mask=mask)``. If there is no `mask`, the
source's mask is the one that Keras carries along with `values`. The context keeps the
query's mask. The forms in which Keras's own attention layers are called work as well
(``attnlib.call_forms``).

Scores and softmax are computed in float32 at least, also where the layer's dtype is
float16 or bfloat16, so finite inputs whose scores float32 can hold give no NaN. NaN or
inf in a query, or in a value that may be attended to, can make the results of that
sentence NaN, and changes no other sentence. At a masked position it changes no weight,
but it makes the context NaN, because 0 * NaN is NaN: pad with any finite number.
"""

from attnlib.arguments import (
    check_keys,
    check_last_axis,
    check_values,
    integer,
    one_of,
)
from attnlib.backend import keras, tf
from attnlib.call_forms import AttentionLayer, BaseAttention, as_tensor, two_shapes
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


@keras.saving.register_keras_serializable("attnlib")
class AdditiveAttention(BaseAttention):
    r"""Bahdanau's additive attention.

    .. math::

        e_{ij} = v^\top \tanh(W_a s_{i-1} + U_a h_j) \qquad
        \alpha_{ij} = \operatorname{softmax}_j(e_{ij}) \qquad
        c_i = \sum_j \alpha_{ij} h_j

    ``context, weights = AdditiveAttention(units)(query, values, mask=mask)``

    Parameters
    ----------
    units : int
        Size of the hidden layer of the score, :math:`n'` in the paper.
    **kwargs
        Passed on to ``keras.layers.Layer``.

    Raises
    ------
    TypeError
        If `units` is not an integer.
    ValueError
        If `units` is below 1.

    Notes
    -----
    Bahdanau, Cho, and Bengio (2015), eq. 5, 6, and appendix A.1.2. The ``w_query``,
    ``w_keys``, and ``v`` of the layer are :math:`W_a`, :math:`U_a` (both transposed),
    and :math:`v`. Keras's own ``AdditiveAttention`` has :math:`v` (its ``scale``) but
    neither :math:`W_a` nor :math:`U_a`.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = integer("units", units)

    def build(self, query_shape, values_shape=None):
        """Create the weights; Keras calls this with the shapes of the first inputs."""
        query_shape, values_shape = two_shapes(query_shape, values_shape)
        query_dim = query_shape[-1]
        key_dim = values_shape[-1]
        self.w_query = self.add_weight(shape=(query_dim, self.units), name="w_query")
        self.w_keys = self.add_weight(shape=(key_dim, self.units), name="w_keys")
        self.v = self.add_weight(shape=(self.units,), name="v")
        self.built = True

    def project(self, values):
        r"""Project the keys, which depends on the source alone: :math:`U_a h_j`.

        Parameters
        ----------
        values : tensor, shape (batch, source_len, value_dim)

        Returns
        -------
        keys : tensor, shape (batch, source_len, units)

        Raises
        ------
        ValueError
            If the layer does not have its weights yet, or the last axis of `values` has
            another size than when it got them.
        """
        self._check_built()
        check_last_axis("values", values, self.w_keys.shape[0])
        return ops.matmul(at_least_float32(values), at_least_float32(self.w_keys))

    def call(self, query, values, query_mask=None, values_mask=None, keys=None):
        r"""Attend to `values`.

        Parameters
        ----------
        query : tensor, shape (batch, target_len, query_dim)
            The decoder's *previous* states :math:`s_{i-1}`.
        values : tensor, shape (batch, source_len, value_dim)
            The annotations :math:`h_j`, which are the keys too.
        query_mask : optional
            Not used; Keras carries it on to the context.
        values_mask : boolean tensor, shape (batch, source_len), optional
            True = may be attended to. Call the layer with it as ``mask``.
        keys : tensor, shape (batch, source_len, units), optional
            ``project(values)``, for a decoder that calls the layer at every step.

        Returns
        -------
        context : tensor, shape (batch, target_len, value_dim)
        weights : tensor, shape (batch, target_len, source_len)
            A row with nothing to attend to is all zeros.

        Raises
        ------
        TypeError
            If `query` or `values` is not a tensor of floats, or the mask not boolean.
        ValueError
            If a shape does not fit; the message gives both shapes.
        """
        check_last_axis("query", query, self.w_query.shape[0])
        if keys is None:
            keys = self.project(values)
        else:
            check_keys(keys, values, self.units)
        scores = additive_scores(query, keys, self.w_query, None, self.v)
        return attend(scores, values, values_mask)

    def get_config(self):
        """Return the arguments that make the layer anew."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("attnlib")
class LuongAttention(BaseAttention):
    r"""Luong's global attention, with one of four scores.

    .. math:: a_t(s) = \operatorname{softmax}_s(\operatorname{score}(h_t, \bar h_s))

    ``context, weights = LuongAttention("general")(query, values, mask=mask)``

    Parameters
    ----------
    score : {"dot", "general", "concat", "location"}, optional
        "dot" is :math:`h_t^\top \bar h_s`, "general" is :math:`h_t^\top W_a \bar h_s`,
        and "concat" is :math:`v_a^\top \tanh(W_a [h_t; \bar h_s])`. "location" is
        :math:`W_a h_t`, which does not depend on the source words; it alone has a
        maximum source length.
    units : int, optional
        Of "concat": the size of its hidden layer. By default, the dimension of
        `values`.
    max_source_len : int, optional
        Of "location", which needs it: the maximum source length, in positions.
    concat_identity : bool, optional
        Of "concat": the half of :math:`W_a` that acts on :math:`\bar h_s` is fixed to
        the identity, as in the paper's experiments (footnote 15). Then `units` is the
        dimension of `values`.
    **kwargs
        Passed on to ``keras.layers.Layer``.

    Raises
    ------
    TypeError
        If `units` or `max_source_len` is not an integer.
    ValueError
        If `score` is another one, or `units` or `max_source_len` is below 1.

    Notes
    -----
    Luong, Pham, and Manning (2015), section 3.1, eq. 7 and 8. Keras's ``Attention`` is
    "dot", and behind one ``Dense`` layer without a bias on the query it is "general".
    Its "concat" is another score.
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
        self.score = one_of("score", score, self.SCORES)
        self.concat_identity = bool(concat_identity)
        self.units = None if units is None else integer("units", units)
        self.max_source_len = max_source_len
        if score == "location":
            self.max_source_len = integer(
                "max_source_len, which score='location' needs,", max_source_len
            )

    def build(self, query_shape, values_shape=None):
        """Create the weights; Keras calls this with the shapes of the first inputs."""
        query_shape, values_shape = two_shapes(query_shape, values_shape)
        self.query_dim = query_shape[-1]
        self.value_dim = values_shape[-1]
        self.key_dim = self.value_dim  # of the keys as they are scored
        if self.score == "dot" and self.query_dim != self.value_dim:
            raise ValueError(
                "query and values should have one dimension for score='dot', got"
                f" {self.query_dim} and {self.value_dim}; score='general' takes any"
            )
        if self.score == "general":
            self.w = self.add_weight(shape=(self.query_dim, self.value_dim), name="w")
        elif self.score == "location":
            shape = (self.query_dim, self.max_source_len)
            self.w = self.add_weight(shape=shape, name="w")
        elif self.score == "concat":
            self._build_concat()
        self.built = True

    def _build_concat(self):
        self.key_dim = self.units or self.value_dim
        if self.concat_identity and self.key_dim != self.value_dim:
            raise ValueError(
                "units should be the dimension of values with concat_identity,"
                f" {self.value_dim}, got {self.units}"
            )
        rows = self.query_dim
        if not self.concat_identity:
            rows += self.value_dim
        self.w = self.add_weight(shape=(rows, self.key_dim), name="w")
        self.v = self.add_weight(shape=(self.key_dim,), name="v")

    def project(self, values):
        r"""Compute what of the score depends on the source alone.

        Parameters
        ----------
        values : tensor, shape (batch, source_len, value_dim)

        Returns
        -------
        keys : tensor, shape (batch, source_len, units)
            For "concat", `values` times the half of :math:`W_a` that acts on them. For
            the other scores, `values` themselves.

        Raises
        ------
        ValueError
            If the layer does not have its weights yet, or the last axis of `values` has
            another size than when it got them.
        """
        self._check_built()
        check_last_axis("values", values, self.value_dim)
        if self.score != "concat" or self.concat_identity:
            return values
        w_keys = self.w[self.query_dim :]  # (value_dim, units)
        return ops.matmul(at_least_float32(values), at_least_float32(w_keys))

    def call(self, query, values, query_mask=None, values_mask=None, keys=None):
        r"""Attend to `values`.

        Parameters
        ----------
        query : tensor, shape (batch, target_len, query_dim)
            The decoder's *current* states :math:`h_t`.
        values : tensor, shape (batch, source_len, value_dim)
            The encoder's states :math:`\bar h_s`, which are the keys too.
        query_mask : optional
            Not used; Keras carries it on to the context.
        values_mask : boolean tensor, shape (batch, source_len), optional
            True = may be attended to. Call the layer with it as ``mask``.
        keys : tensor, shape (batch, source_len, units), optional
            ``project(values)``, for a decoder that calls the layer at every step.

        Returns
        -------
        context : tensor, shape (batch, target_len, value_dim)
        weights : tensor, shape (batch, target_len, source_len)
            A row with nothing to attend to is all zeros.

        Raises
        ------
        TypeError
            If `query` or `values` is not a tensor of floats, or the mask not boolean.
        ValueError
            If a shape does not fit; the message gives both shapes.
        """
        check_last_axis("query", query, self.query_dim)
        if keys is None:
            keys = self.project(values)
        else:
            check_keys(keys, values, self.key_dim)
        return attend(self._calculate_scores(query, keys), values, values_mask)

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
        source_len = self._checked_source_len(keys)
        return location_scores(query, self.w[:, :source_len])

    def _checked_source_len(self, keys):
        """The source length, an int or a tensor, of max_source_len or less."""
        longest = self.max_source_len
        source_len = keys.shape[1]
        message = f"source_len should be at most max_source_len, {longest}, got"
        if source_len is None:  # known only when the graph runs
            source_len = ops.shape(keys)[1]
            message = f"{message} a longer source"
            check = tf.debugging.assert_less_equal(source_len, longest, message)
            with tf.control_dependencies([check]):  # else a product may fail first
                source_len = tf.identity(source_len)
        elif source_len > longest:
            raise ValueError(f"{message} {source_len}")
        return source_len

    def get_config(self):
        """Return the arguments that make the layer anew."""
        names = ("score", "units", "max_source_len", "concat_identity")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("attnlib")
class LocalAttention(LuongAttention):
    r"""Luong's local attention: a window of 2D + 1 positions around a center.

    .. math::

        a_t(s) = \operatorname{softmax}_s(\operatorname{score}(h_t, \bar h_s)) \,
        \exp\left(-\frac{(s - p_t)^2}{2 \sigma^2}\right), \qquad \sigma = D / 2,

    for :math:`s` from :math:`\lfloor p_t \rfloor - D` to
    :math:`\lfloor p_t \rfloor + D`. The Gaussian is centered on :math:`p_t` itself. It
    comes after the softmax, and the product is not renormalized, so a row sums to 1 or
    less. Only the window is gathered and scored.

    ``context, weights, positions = LocalAttention("general", center="predictive",
    half_width=10)(query, values)``

    Parameters
    ----------
    score : {"dot", "general", "concat"}, optional
        As for ``LuongAttention``. "location" has no window.
    center : {"monotonic", "predictive"}, optional
        "monotonic" (local-m) is :math:`p_t = t`, clamped to the last word. "predictive"
        (local-p) is :math:`p_t = S \operatorname{sigmoid}(v_p^\top \tanh(W_p h_t))`.
    half_width : int, optional
        :math:`D`, in positions, 1 or more.
    gaussian : bool, optional
        Whether the Gaussian multiplies the weights. By default it does for "predictive"
        alone, as in the paper. Without it, :math:`W_p` and :math:`v_p` get no gradient.
    units, concat_identity : optional
        As for ``LuongAttention``.
    **kwargs
        Passed on to ``keras.layers.Layer``.

    Raises
    ------
    TypeError
        If `half_width` or `units` is not an integer.
    ValueError
        If `score` or `center` is another one, or `half_width` or `units` is below 1.

    Notes
    -----
    Luong, Pham, and Manning (2015), section 3.2, eq. 9 for the predicted center and
    eq. 10 for the weights. Positions count from 0, and :math:`S` is the length of the
    sentence: one past the last True of its mask. (The authors count from 1 and have
    :math:`S - 1` words and an end token. The positions are the same.)
    """

    SCORES = ("dot", "general", "concat")
    CENTERS = ("monotonic", "predictive")
    RETURNS = "context, weights, positions"

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
        self.center = one_of("center", center, self.CENTERS)
        self.half_width = integer("half_width", half_width)
        self.gaussian = center == "predictive" if gaussian is None else bool(gaussian)

    def build(self, query_shape, values_shape=None):
        """Create the weights; Keras calls this with the shapes of the first inputs."""
        super().build(query_shape, values_shape)
        if self.center == "predictive":
            shape = (self.query_dim, self.query_dim)
            self.w_p = self.add_weight(shape=shape, name="w_p")
            self.v_p = self.add_weight(shape=(self.query_dim,), name="v_p")

    def centers(self, query, lengths, start=0):
        r"""Compute the center of each window.

        Parameters
        ----------
        query : tensor, shape (batch, target_len, query_dim)
        lengths : tensor, shape (batch,)
            :math:`S`, in positions.
        start : int or tensor, shape () or (batch,), optional
            The position :math:`t` of the first query, from 0.

        Returns
        -------
        centers : tensor, shape (batch, target_len)
            :math:`p_t`, in source positions from 0, in float32 at least.
        """
        dtype = keras.backend.result_type(query.dtype, "float32")
        lengths = ops.cast(lengths, dtype)[:, None]  # (batch, 1)
        if self.center == "monotonic":
            start = ops.reshape(ops.cast(start, "int32"), (-1, 1))  # (1 or batch, 1)
            times = start + ops.arange(ops.shape(query)[1])  # (1 or batch, target_len)
            return ops.minimum(ops.cast(times, dtype), ops.maximum(lengths - 1, 0))
        hidden = ops.tanh(ops.matmul(query, self.w_p))  # (batch, target_len, query_dim)
        logits = ops.tensordot(hidden, self.v_p, axes=1)  # (batch, target_len)
        return lengths * ops.sigmoid(ops.cast(logits, dtype))

    def call(
        self, query, values, query_mask=None, values_mask=None, keys=None, start=0
    ):
        r"""Attend to a window of `values`.

        Parameters
        ----------
        query : tensor, shape (batch, target_len, query_dim)
            The decoder's *current* states :math:`h_t`.
        values : tensor, shape (batch, source_len, value_dim)
            The encoder's states :math:`\bar h_s`, which are the keys too.
        query_mask : optional
            Not used; Keras carries it on to the context.
        values_mask : boolean tensor, shape (batch, source_len), optional
            True = may be attended to. Call the layer with it as ``mask``.
        keys : tensor, shape (batch, source_len, units), optional
            ``project(values)``, for a decoder that calls the layer at every step.
        start : int or tensor, shape () or (batch,), optional
            The position :math:`t` of the first query, from 0: for local-m in a decoder
            that calls the layer at every step.

        Returns
        -------
        context : tensor, shape (batch, target_len, value_dim)
        weights : tensor, shape (batch, target_len, 2D + 1)
        positions : int tensor, shape (batch, target_len, 2D + 1)
            The source position of each weight. It may lie outside the sentence; there
            the weight is 0.

        Raises
        ------
        TypeError
            If `query` or `values` is not a tensor of floats, or the mask not boolean.
        ValueError
            If a shape does not fit; the message gives both shapes.
        """
        check_last_axis("query", query, self.query_dim)
        check_last_axis("values", values, self.value_dim)
        if keys is not None:
            check_keys(keys, values, self.key_dim)
        mask = values_mask
        if values.shape[1] == 0:  # an empty source: one position, masked
            values = ops.pad(values, ((0, 0), (0, 1), (0, 0)))
            mask = ops.zeros_like(values[:, :, 0], "bool")
            keys = None

        centers = self.centers(query, _lengths(values, mask), start)
        centers = centers[:, :, None]  # (batch, target_len, 1)
        positions = self._window_positions(centers)  # (batch, target_len, 2D + 1)
        indices = ops.clip(positions, 0, ops.shape(values)[1] - 1)  # that can be read
        inside = ops.equal(positions, indices)
        if mask is not None:
            inside = inside & _gather(mask, indices)

        window = _gather(values, indices)  # (batch, target_len, 2D + 1, value_dim)
        keys = self.project(window) if keys is None else _gather(keys, indices)
        scores = self._calculate_scores(query, keys)  # (batch, target_len, 2D + 1)
        distance = None
        if self.gaussian:
            distance = ops.cast(positions, centers.dtype) - centers
        context, weights = windowed_attend(
            scores, window, inside, distance, self.half_width
        )
        return context, weights, positions

    def _window_positions(self, centers):
        """floor(p_t) - D … floor(p_t) + D, for centers (batch, target_len, 1)."""
        offsets = ops.arange(-self.half_width, self.half_width + 1)  # (2D + 1,)
        return ops.cast(ops.floor(centers), "int32") + offsets

    def compute_output_shape(self, query_shape, values_shape=None):
        """Return the shapes of context, weights, and positions; the last two are
        (batch, target_len, 2D + 1).
        """
        context, weights = super().compute_output_shape(query_shape, values_shape)
        window = (*weights[:2], 2 * self.half_width + 1)
        return context, window, window

    def compute_mask(self, inputs, previous_mask=None):
        """Return the query's mask for the context, None for weights and positions."""
        return previous_mask, None, None

    def get_config(self):
        """Return the arguments that make the layer anew."""
        names = ("center", "half_width", "gaussian")
        config = super().get_config()
        del config["max_source_len"]  # of "location" alone
        return {**config, **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("attnlib")
class AttentionPooling(AttentionLayer):
    r"""Attention pooling: one vector per sentence.

    .. math::

        e_s = v^\top \tanh(W h_s + b) \qquad
        \alpha = \operatorname{softmax}(e) \qquad
        c = \sum_s \alpha_s h_s

    ``context, weights = AttentionPooling(units)(values, mask=mask)``

    Parameters
    ----------
    units : int
        Size of the hidden layer of the score.
    **kwargs
        Passed on to ``keras.layers.Layer``.

    Raises
    ------
    TypeError
        If `units` is not an integer.
    ValueError
        If `units` is below 1.

    Notes
    -----
    Yang et al. (2016), eq. 5 to 7. The query is :math:`v`, their :math:`u_w`: it is
    learned, and the same for every sentence. The states :math:`h_s` are both keys and
    values.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = integer("units", units)

    def __call__(self, values, mask=None, return_attention_scores=True, **kwargs):
        if mask is not None:
            kwargs["mask"] = mask = as_tensor(mask)
        check_values(values, mask)  # here, before weights are made from a wrong shape
        kwargs["return_attention_scores"] = return_attention_scores
        return super().__call__(values, **kwargs)

    def build(self, values_shape):
        """Create the weights; Keras calls this with the shape of the first input."""
        self.w = self.add_weight(shape=(values_shape[-1], self.units), name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
        self.v = self.add_weight(shape=(self.units,), name="v")
        self.built = True

    def call(self, values, mask=None, return_attention_scores=False):
        r"""Attend to `values` with the learned query.

        Parameters
        ----------
        values : tensor, shape (batch, source_len, value_dim)
            The encoder's states :math:`h_s`.
        mask : boolean tensor, shape (batch, source_len), optional
            True = may be attended to. Without it, the mask that Keras carries along
            with `values`.
        return_attention_scores : bool, optional
            True, where the layer is called as ``layer(values)``; with False, the
            context alone is returned. ``call`` itself has the default False, because
            wrappers such as ``keras.layers.TimeDistributed`` take one output from it.

        Returns
        -------
        context : tensor, shape (batch, value_dim)
        weights : tensor, shape (batch, source_len)
            Those of a sentence with nothing to attend to are all zeros.

        Raises
        ------
        TypeError
            If `values` is not a tensor of floats, or the mask not boolean.
        ValueError
            If a shape does not fit; the message gives both shapes.
        """
        check_last_axis("values", values, self.w.shape[0])
        scores = pooling_scores(values, self.w, self.b, self.v)  # (batch, source_len)
        weights = ops.cast(softmax(scores, mask), values.dtype)
        context = ops.einsum("bs,bsd->bd", weights, values)  # (batch, value_dim)
        return (context, weights) if return_attention_scores else context

    def compute_output_shape(self, values_shape):
        """Return the context's shape, (batch, value_dim), as wrappers need it."""
        return (values_shape[0], values_shape[2])

    def compute_mask(self, inputs, previous_mask=None):
        """Return None and None: context and weights have no source axis to mask."""
        return None, None

    def get_config(self):
        """Return the arguments that make the layer anew."""
        return {**super().get_config(), "units": self.units}


def _lengths(values, mask):
    """The length of each sentence, (batch,): one past the last True of its mask."""
    batch, source_len = ops.shape(values)[:2]
    if mask is None:
        return ops.full((batch,), source_len)
    ends = ops.where(mask, ops.arange(1, source_len + 1), 0)  # (batch, source_len)
    return ops.max(ends, axis=1, initial=0)


def _gather(tensor, indices):
    """``tensor[b, indices[b]]`` for each b: (batch, target_len, 2D + 1, …)."""
    return tf.gather(tensor, indices, batch_dims=1)
