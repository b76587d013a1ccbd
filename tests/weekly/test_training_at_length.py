"""Training twice with one seed gives equal weights on one machine.

Not part of ``make test``.
"""

import pytest
import toy_task
from numpy.testing import assert_array_equal

from attnlib.decoders import DECODERS
from attnlib.seq2seq import Seq2Seq

CASES = [
    (attention, input_feeding)
    for attention, decoder in DECODERS.items()
    for input_feeding in (False, True)
    if not input_feeding or "input_feeding" in decoder.OPTIONS
]


@pytest.mark.parametrize("attention, input_feeding", CASES)
def test_training_twice_with_a_seed_gives_equal_weights(
    attention, input_feeding, tmp_path
):
    options = {
        "attention": attention,
        "input_feeding": input_feeding,
        "half_width": 2,
        "dropout": 0.2,
    }
    models = [toy_task.model(**options) for _ in range(2)]
    losses = [
        model.fit(toy_task.PAIRS, epochs=3, batch_size=16, verbose=0).history["loss"]
        for model in models
    ]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]
    models[0].save(tmp_path / "model.keras")
    again = Seq2Seq.load(tmp_path / "model.keras")
    for other in (models[1], again):
        for a, b in zip(models[0].get_weights(), other.get_weights(), strict=True):
            assert_array_equal(a, b)
    translations = [
        [t.tokens for t in model.translate(toy_task.SOURCES, verbose=0)]
        for model in (*models, again)
    ]
    assert translations[0] == translations[1] == translations[2]
