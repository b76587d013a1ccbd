"""Options that a kind of attention does not take are refused, not ignored."""

import pytest
import toy_task

from attnlib.decoders import DECODERS, TAKERS
from attnlib.seq2seq import Options, Seq2Seq

VALUES = {
    "context": "first_state",
    "input_feeding": True,
    "half_width": 3,
    "score": "general",  # the default of those that have one
    "gaussian": False,
    "max_source_len": 9,
    "concat_identity": True,
}
VOCABULARIES = [["<pad>", "<start>", "<end>", "a"]] * 2


def needed(attention):
    return {"max_source_len": 9} if attention == "location" else {}


def test_takers_are_kinds_of_attention():
    assert set(TAKERS) == set(VALUES)
    for takers in TAKERS.values():
        assert takers and set(takers) < set(DECODERS)


@pytest.mark.parametrize("attention", DECODERS)
@pytest.mark.parametrize("name", VALUES)
def test_option_is_taken_or_refused(name, attention):
    options = {**needed(attention), name: VALUES[name]}
    if name == "concat_identity" and attention.startswith("local"):
        options["score"] = "concat"
    if attention in TAKERS[name]:
        chosen = Options(attention, **options)
        assert getattr(chosen, name) == VALUES[name]
        return
    wanted = ", ".join(TAKERS[name])
    if len(TAKERS[name]) > 1:
        wanted = f"one of {wanted}"
    with pytest.raises(ValueError) as raised:
        Options(attention, **options)
    expected = f"{name} should go with {wanted}, got attention={attention!r}"
    assert str(raised.value) == expected


def test_first_state_has_to_come_from_the_encoder():
    message = "initial_state should be 'encoder' with context='first_state', got"
    with pytest.raises(ValueError, match=message):
        Options("none", context="first_state", initial_state="zeros")
    assert Options("none", initial_state="zeros").context == "every_step"


@pytest.mark.parametrize("score", [None, "dot", "general"])
def test_concat_identity_goes_with_the_concat_score(score):
    with pytest.raises(ValueError, match="concat_identity should go with the score"):
        Options("local-p", score=score, concat_identity=True)


def test_model_refuses_an_option_as_its_options_do():
    message = (
        "half_width should go with one of local-m, local-p, got attention='additive'"
    )
    with pytest.raises(ValueError, match=message):
        Seq2Seq.for_pairs(toy_task.PAIRS, half_width=3)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments .*halfwidth"):
        Seq2Seq.for_pairs(toy_task.PAIRS, attention="local-p", halfwidth=3)


def test_local_attention_has_values_where_none_are_given():
    local, other = Options("local-m"), Options("additive")
    assert (local.half_width, local.score) == (10, "general")
    assert (other.half_width, other.score) == (None, None)


@pytest.mark.parametrize("attention", DECODERS)
def test_config_of_an_earlier_version_makes_the_model(attention):
    """It held the values of options that the attention does not take."""
    config = {
        "name": "mine",
        "source_vocabulary": VOCABULARIES[0],
        "target_vocabulary": VOCABULARIES[1],
        "attention": attention,
        "units": 4,
        "input_feeding": False,
        "half_width": 10,
        "score": "general",
        "gaussian": None,
        "max_source_len": 6,
        "concat_identity": False,
    }
    model = Seq2Seq.from_config(config)
    assert model.name == "mine"
    assert model.options.attention == attention
    assert model.max_source_len == (6 if attention == "location" else None)
