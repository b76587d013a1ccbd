"""What every attention layer guarantees at any shape, mask, dtype, and size of its
numbers, whichever its score.

ATTNLIB_EXAMPLES sets how many examples each property is tried on (12 by default).
"""

import os

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layer_oracles import outputs, reference_outputs, reference_scores
from numpy.testing import assert_allclose, assert_array_equal

from attnlib.backend import keras, tf
from attnlib.layers import (
    AdditiveAttention,
    AttentionPooling,
    LocalAttention,
    LuongAttention,
)

KINDS = {
    "additive": lambda **options: AdditiveAttention(3, **options),
    "dot": lambda **options: LuongAttention("dot", **options),
    "general": lambda **options: LuongAttention("general", **options),
    "concat": lambda **options: LuongAttention("concat", units=3, **options),
    "concat-identity": lambda **options: LuongAttention(
        "concat", concat_identity=True, **options
    ),
    "location": lambda **options: LuongAttention(
        "location", max_source_len=20_000, **options
    ),
    "local-m": lambda **options: LocalAttention("dot", "monotonic", 2, **options),
    "local-m-gaussian": lambda **options: LocalAttention(
        "concat", "monotonic", 2, gaussian=True, **options
    ),
    "local-p": lambda **options: LocalAttention("general", "predictive", 2, **options),
    "local-p-flat": lambda **options: LocalAttention(
        "concat", "predictive", 1, gaussian=False, **options
    ),
    "pooling": lambda **options: AttentionPooling(3, **options),
}
LOCAL = {kind for kind in KINDS if kind.startswith("local")}
every_kind = pytest.mark.parametrize("kind", KINDS)
# dtype of the layer: half a unit in the last place of its weights and context, relative
DTYPES = {
    "float16": 5e-4,
    "bfloat16": 4e-3,
    "float32": 1e-5,
    "float64": 1e-5,
    "mixed_float16": 5e-4,
    "mixed_bfloat16": 4e-3,
}
HALF = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
DIM = 4
EXAMPLES = int(os.environ.get("ATTNLIB_EXAMPLES", 12))
examples = settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
twice_as_many = settings(examples, max_examples=2 * EXAMPLES)


class Case:
    """A layer with random weights, and a query, values and mask for it, all of one
    dtype.
    """

    def __init__(
        self,
        kind,
        batch,
        target_len,
        source_len,
        dtype="float32",
        seed=0,
        scale=1.0,
        mask=None,
    ):
        rng = np.random.default_rng(seed)
        self.kind, self.mask = kind, mask
        self.layer = KINDS[kind](dtype=dtype)
        self.layer.build(*[(None, None, DIM)] * (1 if kind == "pooling" else 2))
        half = tf.dtypes.as_dtype(dtype.removeprefix("mixed_"))
        # Weights that the dtype can hold.
        weights = [tf.cast(rng.normal(size=w.shape), half) for w in self.layer.weights]
        self.layer.set_weights([tf.cast(w, "float64").numpy() for w in weights])
        self.query, self.values = (
            tf.cast(scale * rng.normal(size=(batch, n, DIM)), half).numpy()
            for n in (target_len, source_len)
        )

    def attend(self, query=None, values=None, mask=None):
        """Context and weights over the whole source, in float64; pooling's as those of
        one query.
        """
        query = self.query if query is None else query
        values = self.values if values is None else values
        mask = self.mask if mask is None else mask
        context, weights = outputs(self.layer, query, values, mask)
        return tf.cast(context, "float64").numpy(), tf.cast(weights, "float64").numpy()

    def scores(self, dtype):
        """The reference's, over the whole source."""
        query, keys = (np.asarray(tf.cast(x, dtype)) for x in (self.query, self.values))
        weights = [np.asarray(tf.cast(w, dtype)) for w in self.layer.get_weights()]
        return reference_scores(self.layer, query, keys, weights)

    def expected(self):
        """The reference's context and weights."""
        return reference_outputs(self.layer, self.query, self.values, self.mask)


def drawn(data, kind, dtypes=("float32",), shortest=0, masks=True, scale=1.0):
    """A case of any small shape. (Not a strategy: Keras draws initial weights with
    `random`, which those must not.)
    """
    batch, target_len, source_len = (
        data.draw(st.integers(*ends)) for ends in ((1, 3), (1, 4), (shortest, 7))
    )
    mask = data.draw(st.none() | arrays(bool, (batch, source_len))) if masks else None
    dtype, seed = data.draw(st.sampled_from(dtypes)), data.draw(st.integers(0, 99))
    return Case(kind, batch, target_len, source_len, dtype, seed, scale, mask)


def assert_equal(got, expected, **tolerance):
    for one, other in zip(got, expected, strict=True):
        assert_allclose(one, other, **{"rtol": 1e-5, "atol": 1e-5, **tolerance})


@every_kind
@examples
@given(st.data())
def test_layer_equals_the_reference_in_every_dtype(kind, data):
    case = drawn(data, kind, tuple(DTYPES))
    dtype = case.layer.dtype_policy.name
    # A rounded center may lie in another window.
    assume(not (kind.startswith("local-p") and dtype in HALF))
    assert_equal(case.attend(), case.expected(), rtol=0, atol=8 * DTYPES[dtype])


@every_kind
@examples
@given(st.data())
def test_layer_weights_sum_to_one_and_are_zero_under_the_mask(kind, data):
    case = drawn(data, kind, tuple(DTYPES))
    context, weights = case.attend()
    mask = np.ones(case.values.shape[:2], bool) if case.mask is None else case.mask
    allowed = np.broadcast_to(mask[:, None], weights.shape)
    assert (weights >= 0).all() and (weights[~allowed] == 0).all()
    sums, tolerance = weights.sum(-1), 4 * DTYPES[case.layer.dtype_policy.name]
    assert (sums <= 1 + tolerance).all()
    if kind not in LOCAL:
        assert_allclose(
            sums, np.broadcast_to(mask.any(1)[:, None], sums.shape), atol=tolerance
        )
    if kind == "local-m":
        assert (sums[:, 0] > 0).tolist() == mask[:, :3].any(1).tolist()
    nothing = ~mask.any(1)
    assert (context[nothing] == 0).all() and np.isfinite(context).all()
    values = np.asarray(case.values, float)
    bound = np.abs(values).max(axis=(1, 2), initial=0) * (1 + tolerance) + 1e-6
    assert (np.abs(context).max(axis=(1, 2)) <= bound).all()


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in LOCAL | {"location"}]
)
@examples
@given(st.data())
def test_layer_permuting_the_source_permutes_the_weights(kind, data):
    case = drawn(data, kind, ("float32", "mixed_float16"), shortest=1)
    order = data.draw(st.permutations(range(case.values.shape[1])))
    context, weights = case.attend()
    mask = None if case.mask is None else case.mask[:, order]
    tolerance = 2 * DTYPES[case.layer.dtype_policy.name]
    assert_equal(
        case.attend(values=case.values[:, order], mask=mask),
        (context, weights[:, :, order]),
        atol=tolerance,
    )


@every_kind
@examples
@given(st.data())
def test_layer_more_padding_changes_nothing(kind, data):
    case = drawn(data, kind, ("float32", "float64", "mixed_bfloat16"))
    garbage = data.draw(st.sampled_from([0.0, 1.0, -1e4, 1e30, np.nan, np.inf]))
    more = data.draw(st.integers(1, 5))
    mask = np.ones(case.values.shape[:2], bool) if case.mask is None else case.mask
    longer = np.pad(case.values, ((0, 0), (0, more), (0, 0)), constant_values=garbage)
    context, weights = case.attend(mask=mask)
    padded, longer_weights = case.attend(
        values=longer, mask=np.pad(mask, ((0, 0), (0, more)))
    )
    assert_allclose(longer_weights[:, :, : weights.shape[2]], weights, atol=1e-6)
    assert not longer_weights[:, :, weights.shape[2] :].any()
    if np.isfinite(garbage):
        assert_allclose(padded, context, atol=2 * DTYPES[case.layer.dtype_policy.name])
    elif kind not in LOCAL:  # whose window may not contain the padding
        assert np.isnan(padded).all(), "0 * NaN is NaN, as the module says"


@every_kind
@examples
@given(st.data())
def test_layer_batch_equals_its_sentences_one_by_one(kind, data):
    case = drawn(data, kind, ("float32", "float64", "mixed_float16"))
    whole = case.attend()
    for i in range(len(case.query)):
        rows = slice(i, i + 1)
        mask = None if case.mask is None else case.mask[rows]
        one = Case.attend(case, case.query[rows], case.values[rows], mask)
        assert_equal(
            one,
            [part[rows] for part in whole],
            atol=2 * DTYPES[case.layer.dtype_policy.name],
        )


SIZES = {
    "float16": 4.2,
    "mixed_float16": 4.2,
    "bfloat16": 17,
    "mixed_bfloat16": 17,
    "float32": 17,
    "float64": 17,
}


@every_kind
@twice_as_many
@given(st.data())
def test_layer_finite_scores_give_no_nan(kind, data):
    dtype = data.draw(st.sampled_from(list(SIZES)))
    size = data.draw(st.floats(-SIZES[dtype], SIZES[dtype]))
    case = drawn(data, kind, (dtype,), scale=10.0**size)
    with np.errstate(over="ignore", invalid="ignore"):
        assume(
            np.isfinite(case.scores("float32")).all()
            and np.isfinite(np.asarray(case.values, float)).all()
        )
    context, weights = case.attend()
    assert np.isfinite(weights).all()
    assert not np.isnan(context).any()
    if kind not in LOCAL:
        allowed = (
            np.ones(weights.shape, bool)
            if case.mask is None
            else np.broadcast_to(case.mask[:, None], weights.shape)
        )
        assert_allclose(weights.sum(-1), allowed.any(-1), atol=4 * DTYPES[dtype])


@every_kind
@examples
@given(st.data())
def test_layer_nan_and_inf_stay_in_their_sentence(kind, data):
    wrong = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    case = drawn(data, kind, ("float32", "float64"), shortest=1, masks=False)
    case.mask = np.ones(case.values.shape[:2], bool)
    where = data.draw(st.sampled_from(["values", "query"]))
    changed = {"values": case.values.copy(), "query": case.query.copy()}
    changed[where][0, 0, 0] = wrong
    before, after = case.attend(), case.attend(**changed)
    for one, other in zip(before, after, strict=True):
        assert_allclose(other[1:], one[1:], atol=1e-6)  # the other sentences
        if where == "query" and kind != "pooling":
            assert_allclose(other[:, 1:], one[:, 1:], atol=1e-6)  # the other queries
    if where == "values" and np.isnan(wrong) and kind not in LOCAL:
        assert np.isnan(after[0][0, :, 0]).all()


@every_kind
@pytest.mark.parametrize(
    "batch, target_len, source_len",
    [(0, 3, 5), (2, 0, 5), (0, 3, 0), (2, 3, 0), (1, 1, 1)],
)
def test_layer_shapes_of_nothing(kind, batch, target_len, source_len):
    case = Case(kind, batch, target_len, source_len)
    for mask in (None, np.ones((batch, source_len), bool)):
        context, weights = case.attend(mask=mask)
        queries = 1 if kind == "pooling" else target_len
        assert context.shape == (batch, queries, DIM) and weights.shape == (
            batch,
            queries,
            source_len,
        )
        assert np.isfinite(context).all()


@every_kind
def test_layer_long_sources(kind):
    # At 19,000, centers in float32 are a thousandth off.
    dtype = "float64" if kind.startswith("local-p") else "float32"
    case = Case(kind, 1, 2, 20_000, dtype, mask=np.arange(20_000)[None] < 19_000)
    context, weights = case.attend()
    assert_equal((context, weights), case.expected(), atol=1e-4)
    assert not weights[:, :, 19_000:].any()


@every_kind
@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "mixed_float16", "mixed_bfloat16"]
)
def test_layer_saved_and_loaded_gives_equal_outputs(kind, dtype, tmp_path):
    keras.utils.set_random_seed(0)
    layer = KINDS[kind](dtype=dtype)
    query, values = keras.Input((None, DIM)), keras.Input((None, DIM))
    outputs = layer(values) if kind == "pooling" else layer(query, values)
    model = keras.Model([query, values], list(outputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(2, n, DIM)).astype("float32") for n in (3, 6)]
    for one, other in zip(model(inputs), again(inputs), strict=True):
        assert one.dtype == other.dtype
        assert_array_equal(tf.cast(one, "float64"), tf.cast(other, "float64"))


@every_kind
@pytest.mark.parametrize("dtype", ["float16", "mixed_float16"])
def test_layer_numbers_as_large_as_float16_has_them(kind, dtype):
    """The products of these are infinite in float16, and one less the other is NaN."""
    case = Case(kind, 1, 2, 3, dtype)
    case.layer.set_weights([np.ones(w.shape) for w in case.layer.weights])
    query, values = (
        np.full((1, 2, DIM), 6e4, "float16"),
        np.full((1, 3, DIM), -6e4, "float16"),
    )
    context, weights = case.attend(query, values)
    assert np.isfinite(weights).all() and not np.isnan(context).any()
    if kind not in LOCAL:
        assert_allclose(weights, 1 / 3, rtol=1e-3)
        assert_allclose(context, -6e4, rtol=1e-3)
