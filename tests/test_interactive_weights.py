"""Scores, temperature, and mask → weights: what the figure takes, and how it reacts."""

import numpy as np
import pytest
from figures import SCORES, SET, exact, focused, open_figures, party, said, texts

from attnlib import reference as ref
from attnlib.interactive import weights

page_of = pytest.fixture(open_figures)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ("friend", [0]),
            TypeError,
            "words should be a list of tokens, got the text 'friend': split it",
        ),
        (([1], [0]), TypeError, "words should hold str, got int: 1"),
        (([], []), ValueError, "words should have at least one token, got none"),
        (
            (["a"] * 13, [0] * 13),
            ValueError,
            "words should have at most 12 tokens, .* got 13",
        ),
        ((["a", "b"], [0]), ValueError, r"scores should have shape \(2,\), got \(1,\)"),
        ((["a"], ["high"]), TypeError, "scores should hold numbers, got <U4"),
        (
            (["a"], [float("nan")]),
            ValueError,
            "scores should lie between -10 and 10, got nan",
        ),
        ((["a"], [10.5]), ValueError, "scores should lie between -10 and 10, got 10.5"),
        (
            (["a"], [0], 0),
            ValueError,
            "temperature should lie between 0.05 and 20, got 0",
        ),
        ((["a"], [0], "hot"), TypeError, "temperature should be a number, got 'hot'"),
        (
            (["a"], [0], 1, [1]),
            TypeError,
            "mask should be boolean, True = may be attended to, got int64",
        ),
        (
            (["a"], [0], 1, [True, False]),
            ValueError,
            r"mask should have shape \(1,\), got \(2,\)",
        ),
    ],
)
def test_weights_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        weights(*arguments)


def test_weights_work_with_the_keyboard_alone(page_of):
    page = page_of(party(), clock=True)
    press = page.keyboard.press
    assert (
        said(page)
        == "The largest weight is 0.489, for friend. Entropy 1.26 of at most 1.61 nats."
    )
    press("Tab")
    assert focused(page).startswith("temperature T = 1")
    press("Home")
    assert exact(page, "weights") == pytest.approx(
        ref.softmax(np.array(SCORES) / 0.05), abs=1e-12
    )
    assert (
        said(page)
        == "The largest weight is 1.000, for friend. Entropy 0.00 of at most 1.61 nats."
    )
    press("End")
    assert exact(page, "weights") == pytest.approx(
        ref.softmax(np.array(SCORES) / 20), abs=1e-12
    )
    press("Tab")  # Reset
    press("Enter")
    for name in (
        "friend: may be attended to",
        "score of friend",
        "neighbor: may be attended to",
        "score of neighbor",
    ):
        press("Tab")
        assert focused(page) == name
    press("ArrowRight")
    assert exact(page, "weights") == pytest.approx(
        ref.softmax(np.array([2, 0.6, 1.5, 0, -0.5])), abs=1e-12
    )
    press("Shift+Tab")
    press("Space")  # the neighbor is masked
    mask = np.array([True, False, True, True, True])
    assert exact(page, "weights") == pytest.approx(
        ref.softmax(np.array(SCORES), mask), abs=1e-12
    )
    assert (
        said(page)
        == "The largest weight is 0.548, for friend. Entropy 1.03 of at most 1.39 nats."
    )
    assert texts(page, "tfoot td")[1:3] == ["1.000", "at most ln 4 = 1.39"]


def test_weights_show_the_rounded_numbers_in_their_rows(page_of):
    page = page_of(weights(["a", "b"], [0, np.log(3)]))  # by hand: 1/4 and 3/4
    assert texts(page, "tbody td:nth-child(3)") == ["0.250", "0.750"]
    widths = page.locator("tbody .wt-fill").evaluate_all(
        "all => all.map(e => e.style.width)"
    )
    assert [float(width.strip("%")) for width in widths] == pytest.approx([25, 75])
    evens = page.locator("tbody .wt-track").evaluate_all(
        "all => all.map(e => e.style.getPropertyValue('--even'))"
    )
    assert evens == ["0.5", "0.5"]


def test_weights_equal_the_reference_for_many_settings(page_of):
    page, rng = page_of(party()), np.random.default_rng(0)
    steps = [-60, 60, 0, *rng.integers(-60, 61, size=297).tolist()]
    scores, masks = (
        rng.integers(-50, 51, size=(300, 5)) / 10,
        rng.random((300, 5)) < 0.7,
    )
    masks[2] = False
    settings = [
        (
            [
                step,
                *(
                    value
                    for pair in zip(mask.tolist(), row.tolist(), strict=True)
                    for value in pair
                ),
            ],
            [],
        )
        for step, row, mask in zip(steps, scores, masks, strict=True)
    ]
    found = [each["weights"] for each in page.evaluate(SET, ["weights", settings])]
    temperatures = np.array([float(f"{20 ** (step / 60):.1e}") for step in steps])[
        :, None
    ]  # two digits, as shown
    assert temperatures.min() == 0.05 and temperatures.max() == 20
    assert np.array(found) == pytest.approx(
        ref.softmax(scores / temperatures, masks), abs=1e-12
    )


def test_weights_say_what_is_special(page_of):
    figure = weights(["a", "b"], [1, 1])
    page = page_of(figure, clock=True)
    assert (
        said(page)
        == "The 2 weights are equal, 0.500 each. Entropy 0.69 of at most 0.69 nats."
    )
    page.get_by_role("checkbox", name="a: may be attended to").uncheck()
    assert (
        said(page)
        == "Only b may be attended to, and gets all the weight. Entropy 0.00 of at most"
        " 0.00 nats."
    )
    page.get_by_role("checkbox", name="b: may be attended to").uncheck()
    assert (
        said(page)
        == "Nothing may be attended to: every weight is zero, and so is their sum."
    )
    assert texts(page, "tfoot td")[1:] == ["0.000", "nothing to attend to", "0.000"]
    assert exact(page, "weights").tolist() == [0, 0]
    page.get_by_role("button", name="Reset").click()
    assert exact(page, "weights").tolist() == [0.5, 0.5]


def test_weights_start_from_exactly_what_was_given(page_of):
    figure = weights(
        ["a", "b", "c"],
        [0.25, -7.123, 1 / 3],
        temperature=1 / 3,
        mask=[True, True, False],
    )
    page = page_of(figure)
    expected = ref.softmax(
        np.array([0.25, -7.123, 1 / 3]) * 3, np.array([True, True, False])
    )
    assert exact(page, "weights") == pytest.approx(expected, abs=1e-15)
    assert texts(page, ".af-value") == ["= 0.333"]
    assert page.get_by_role("checkbox", checked=True).count() == 2


def test_static_weights_are_those_of_the_reference(page_of):
    page = page_of(
        weights(["a", "b", "c"], [0, 1, 2], temperature=0.5, mask=[True, True, False]),
        java_script_enabled=False,
    )
    # By hand: scores 0 and 2 over two words are 1 / (1 + e^2) = 0.119 and 0.881; their
    # entropy is 0.365.
    assert texts(page, "tbody td:nth-child(3)") == ["0.119", "0.881", "0.000"]
    assert texts(page, "tbody th") == ["a", "b", "c (masked)"]
    assert texts(page, "tfoot td")[1:] == ["1.000", "at most ln 2 = 0.69", "0.365"]
    assert page.get_by_text("Temperature T = 0.5").is_visible()


def test_static_weights_of_nothing(page_of):
    page = page_of(weights(["a"], [0], mask=[False]), java_script_enabled=False)
    assert texts(page, "tfoot td")[1:] == ["0.000", "nothing to attend to", "0.000"]
