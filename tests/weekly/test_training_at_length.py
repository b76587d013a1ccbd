"""Training twice with a seed gives equal weights on one machine, whichever the
attention. (Not in `make test`.)
"""

import pytest
import toy_task
from numpy.testing import assert_array_equal

from attnlib.seq2seq import ATTENTIONS, Seq2Seq

BOTH = [
    (attention, feeding)
    for attention in ATTENTIONS
    for feeding in (False, attention not in ATTENTIONS[:2])
]


@pytest.mark.parametrize("attention, feeding", dict.fromkeys(BOTH))
def test_training_twice_with_a_seed_gives_equal_weights(attention, feeding, tmp_path):
    options = {
        "attention": attention,
        "input_feeding": feeding,
        "half_width": 2,
        "dropout": 0.2,
    }
    models = [toy_task.model(**options) for _ in range(2)]
    losses = [
        model.fit(toy_task.PAIRS, epochs=3, batch_size=16, verbose=0).history["loss"]
        for model in models
    ]
    assert losses[0] == losses[1] and losses[0][-1] < losses[0][0]
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
