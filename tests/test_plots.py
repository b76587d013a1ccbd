import io
import os
import subprocess
import sys
import warnings
from typing import NamedTuple

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from attnlib import plots

SOURCE, TARGET = "eighty - one thousand".split(), "quatre - vingt - un mille".split()


@pytest.fixture
def ax():
    with matplotlib.rc_context():
        plots.use_style()
        figure = matplotlib.figure.Figure()
        yield figure.add_subplot()


def png(ax):
    """The figure as PNG bytes, saved as a notebook saves it; a warning, such as for a
    missing letter, is an error.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.savefig(buffer, bbox_inches="tight")
    return buffer.getvalue()


def test_plots_import_leaves_backend_and_tensorflow_alone():
    code = (
        "import sys, matplotlib; from attnlib import plots; plots.use_style();"
        " print('tensorflow' in sys.modules, 'keras' in sys.modules,"
        " 'matplotlib.pyplot' in sys.modules)"
    )
    environment = {
        name: value for name, value in os.environ.items() if name != "MPLBACKEND"
    }
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert run.stdout.split() == ["False", "False", "False"]


SHOWN_IN_A_NOTEBOOK = """
import base64, io
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from PIL import Image
from attnlib import plots
shell = InteractiveShell.instance()
shell.kernel = None
plots.use_style()
figure = Figure()
figure.subplots()
data, metadata = shell.display_formatter.format(figure, include=["image/png"])
image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
print(image.width, metadata["image/png"]["width"])
"""


def test_figure_in_a_notebook_has_two_pixels_per_pixel_of_its_width():
    run = subprocess.run(
        [sys.executable, "-c", SHOWN_IN_A_NOTEBOOK],
        capture_output=True,
        text=True,
        check=True,
    )
    pixels, width = map(int, run.stdout.split())
    assert pixels // 2 == width
    assert 500 < width <= 620


def test_style_keeps_tick_labels_legible_at_the_width_of_a_phone(ax):
    png(ax)
    points = ax.get_xticklabels()[0].get_size()
    pixels = points / 72 * matplotlib.rcParams["figure.dpi"]
    assert pixels * 328 / (100 * ax.figure.get_figwidth()) >= 9


def test_alignment_has_a_row_per_target_token_and_a_column_per_source_token(ax):
    weights = np.zeros((6, 4))
    weights[5, 3] = 0.5
    assert plots.alignment(ax, weights, SOURCE, TARGET) is ax
    assert [label.get_text() for label in ax.get_xticklabels()] == SOURCE
    assert [label.get_text() for label in ax.get_yticklabels()] == TARGET
    assert ax.images[0].get_array().argmax() == 5 * 4 + 3
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first output word stands on top


def test_alignment_outlines_gold_links_at_target_row_and_source_column(ax):
    plots.alignment(ax, np.zeros((6, 4)), SOURCE, TARGET, gold={(5, 3)})
    for patch in ax.patches:
        x, y = patch.get_center()
        assert (x, y) == pytest.approx((3, 5)) and not patch.get_fill()
    assert len(ax.patches) == 2


@pytest.mark.parametrize("shape", [(4, 6), (6, 5), (6,), (1, 6, 4)])
def test_alignment_refuses_weights_of_another_shape(ax, shape):
    with pytest.raises(
        ValueError, match=r"weights should have shape \(6, 4\), got \(" + str(shape[0])
    ):
        plots.alignment(ax, np.zeros(shape), SOURCE, TARGET)


def test_alignment_draws_tokens_that_look_like_mathematics(ax):
    plots.alignment(
        ax, np.eye(4), ["$x^$", r"$\frac$", " ", "$"], ["_", "^", "{}", "a" * 40]
    )
    assert png(ax)
    assert ax.get_xticklabels()[2].get_text() == "␣"
    assert ax.get_yticklabels()[3].get_text() == "a" * 15 + "…"


def test_alignment_thins_labels_that_would_overlap(ax):
    plots.alignment(ax, np.eye(200), ["a"] * 200, ["b"] * 200)
    assert len(ax.get_yticks()) <= 100
    assert min(label.get_size() for label in ax.get_yticklabels()) >= 5


def test_weight_colors_darken_without_a_break_in_gray():
    red, green, blue, _ = plots.WEIGHT_COLORS(np.linspace(0, 1, 101)).T
    gray = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(gray) < 0).all()


def test_length_curve_draws_every_seed_and_their_mean(ax):
    curves = {
        "without": [[1, 0.5, 0], [0.8, 0.3, np.nan]],
        "with": [[1, 1, 1], [1, 1, 0.9]],
    }
    assert plots.length_curve(ax, [5, 15, 25], curves) is ax
    thin = [line for line in ax.lines if line.get_linewidth() < 1]
    without, with_ = (line for line in ax.lines if line.get_linewidth() > 1)
    assert len(thin) == 4
    assert without.get_ydata() == pytest.approx([0.9, 0.4, 0])
    assert with_.get_ydata() == pytest.approx([1, 1, 0.95])
    looks = [
        (line.get_color(), line.get_marker(), line.get_linestyle())
        for line in (without, with_)
    ]
    assert all(
        one != other for one, other in zip(*looks, strict=True)
    )  # marker and dash differ, not color alone
    assert png(ax)


def test_length_curve_labels_stand_apart_at_their_lines_ends(ax):
    curves = {
        name: [1, height]
        for name, height in [("a", 0.5), ("b", 0.5), ("c", 0.51), ("d", 0.0)]
    }
    plots.length_curve(ax, [5, 15], curves)
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["d"] == 0 and heights["a"] == 0.5
    assert min(np.diff(sorted(heights.values()))) >= 0.084
    assert ax.get_legend() is None


def test_length_curve_draws_no_line_through_a_label(ax):
    curves = {f"a long label, number {i}": [0.5, i / 100] for i in range(3)}
    plots.length_curve(ax, [5, 15], curves)
    ax.figure.draw_without_rendering()
    boxes = [matplotlib.text.Text.get_window_extent(label) for label in ax.texts]
    assert len(boxes) == 3
    for label in ax.texts:
        points = label.arrow_patch.get_path().interpolated(100).vertices
        assert [box.count_contains(points) for box in boxes] == [0] * 3


def test_length_curve_has_a_legend_where_many_lines_end_at_one_point(ax):
    curves = {f"${i} and": [0.5, i / 100] for i in range(4)}
    plots.length_curve(ax, [5, 15], curves)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == list(curves) and not ax.texts
    assert png(ax)  # a dollar sign is no formula


def test_length_curve_gives_a_single_run_wilsons_interval(ax):
    plots.length_curve(ax, [5, 15, 25], {"run": [1, 0.5, np.nan]}, counts=[4, 4, 0])
    (low, _), (_, high) = (
        ax.collections[0].get_segments()[1],
        ax.collections[0].get_segments()[1],
    )
    # 2 of 4 at z = 1.96: 0.1500 and 0.8500 (any table of Wilson intervals)
    assert (low[1], high[1]) == pytest.approx((0.15, 0.85), abs=1e-3)
    assert len(ax.collections[0].get_segments()) == 2


def test_length_curve_refuses_bins_that_do_not_match(ax):
    with pytest.raises(
        ValueError,
        match=r"curves\['with'\] should have shape \(seeds, 3\), got \(1, 2\)",
    ):
        plots.length_curve(ax, [5, 15, 25], {"with": [1, 1]})
    with pytest.raises(
        ValueError,
        match=(
            r"curves\['with'\] should hold a number in at least one bin, got only NaN"
        ),
    ):
        plots.length_curve(ax, [5, 15], {"with": [np.nan, np.nan]})


def test_strip_plot_draws_every_seed_as_a_point_in_its_row(ax):
    rows = {"one": [0.1, 0.2, 0.3], "none": None, "single": 0.5}
    assert plots.strip_plot(ax, rows, label="ours", offset=0.1) is ax
    points = [line.get_xydata().tolist() for line in ax.lines]
    assert points == [[[0.1, 0.1], [0.2, 0.1], [0.3, 0.1]], [], [[0.5, 2.1]]]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "one",
        "none",
        "single",
    ]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row at the top
    assert [text.get_text() for text in ax.legend().get_texts()] == ["ours"]
    png(ax)


def test_token_accuracy_map_puts_the_first_position_at_one_and_keeps_nan_empty(ax):
    accuracy = [[1, np.nan, np.nan], [1, 0.5, 0.25]]
    assert plots.token_accuracy_map(ax, accuracy, ["1–4", "5–9"]) is ax
    assert (
        ax.images[0].get_extent() == [0.5, 3.5, -0.5, 1.5]
        and ax.images[0].origin == "lower"
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1–4", "5–9"]
    image = Image.open(io.BytesIO(png(ax))).convert("RGB")
    assert matplotlib.colors.to_hex(np.array(image)[0, 0] / 255) == plots.CARD
    with pytest.raises(
        ValueError, match=r"accuracy should have shape \(3, positions\), got \(2, 3\)"
    ):
        plots.token_accuracy_map(ax, accuracy, ["a", "b", "c"])


def test_token_accuracy_map_spends_its_colors_on_the_values_from_the_lowest_on(ax):
    plots.token_accuracy_map(ax, [[1, 0.9]], ["1–4"], lowest=0.8)
    assert ax.images[0].get_clim() == (0.8, 1)
    assert ax.images[0].colorbar.get_ticks() == pytest.approx([0.8, 0.9, 1])


def test_plain_ticks_label_a_logarithmic_axis_with_plain_numbers(ax):
    ax.plot([1, 2], [0.25, 3000])
    ax.set_yscale("log")
    assert plots.plain_ticks(ax.yaxis, [0.3, 1, 2000]) is ax.yaxis
    png(ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0.3", "1", "2,000"]
    assert [text.get_text() for text in ax.get_yticklabels(minor=True)] == []


def test_words_shade_and_underline_by_weight_and_wrap(ax):
    plots.words(ax, ["not", "bad", "$at$", "all"], [0.5, 0.25, 0, 0.25], columns=12)
    assert [line.get_linewidth() for line in ax.lines] == pytest.approx([4, 2, 0, 2])
    shades = [sum(patch.get_facecolor()[:3]) for patch in ax.patches]
    assert shades[0] < shades[1] == shades[3] < shades[2]
    assert [tuple(text.get_position()) for text in ax.texts] == [
        (0, 0),
        (4, 0),
        (8, 0),
        (0, 1),
    ]
    assert png(ax)
    with pytest.raises(
        ValueError, match=r"weights should have shape \(2,?\), got \(3,\)"
    ):
        plots.words(ax, ["a", "b"], [1, 2, 3])


def test_length_curve_of_four_models_and_three_seeds_stays_small(ax):
    noise = 0.03 * np.random.default_rng(0).standard_normal((4, 3, 7))
    falls = 1 / (
        1 + np.exp(np.arange(7) - np.array([[2], [4], [20], [20]]))
    )  # (models, bins)
    plots.length_curve(
        ax, np.arange(7), dict(zip("abcd", falls[:, None] + noise, strict=True))
    )
    assert len(png(ax)) <= 160_000


def warned(draw):
    """The messages of all warnings while something is drawn, saved twice."""
    figure = matplotlib.figure.Figure()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        draw(figure.add_subplot())
        for _ in range(2):
            figure.savefig(io.BytesIO())
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        (["漢字", "字"], "漢 字: install"),
        (["केतली", "अच्छी"], "and 4 more: install"),
        (["good", "🙂"], "🙂: install"),
        (["\U0001f916\U0001f917" * 9, "a"], "\U0001f916 \U0001f917: install"),
    ],
)
def test_tokens_that_the_font_lacks_are_told_in_one_line(tokens, named):
    for draw in (
        lambda ax: plots.words(ax, tokens, [1, 0.5]),
        lambda ax: plots.alignment(ax, np.eye(2), tokens, ["a", "b"]),
        lambda ax: plots.alignment(ax, np.eye(2), ["a", "b"], tokens),
    ):
        messages = warned(draw)
        assert len(messages) == 1
        assert "the font should have every character of the tokens" in messages[0]
        assert named in messages[0]
        assert "plt.rcParams['font.family'] = ['DejaVu Sans', " in messages[0]


def test_tokens_that_a_second_family_has_are_not_told():
    def draw(ax):
        plots.alignment(ax, [[1]], ["שלום"], ["a"])

    with matplotlib.rc_context({"font.family": ["DejaVu Sans Mono"]}):
        assert len(warned(draw)) == 1
    with matplotlib.rc_context({"font.family": ["DejaVu Sans Mono", "DejaVu Sans"]}):
        assert warned(draw) == []
    assert warned(lambda ax: plots.words(ax, [" ", "\t", "", "é"], [1] * 4)) == []


RIGHT_TO_LEFT = {
    "Arabic": ["هذا", "الفيلم", "جيد", "!"],
    "Hebrew": ["הסרט", "הזה", "טוב", "!"],
    "Persian, after a number": ["2", "فیلم", "خوب", "بود"],
}


@pytest.mark.parametrize("tokens", RIGHT_TO_LEFT.values(), ids=RIGHT_TO_LEFT)
def test_words_of_arabic_and_hebrew_run_from_right_to_left(ax, tokens):
    plots.words(ax, tokens, [4, 3, 2, 1], columns=12)
    assert [patch.get_x() + patch.get_width() for patch in ax.patches][0] == 12
    rows = {}
    for patch in ax.patches:
        rows.setdefault(patch.get_y(), []).append(patch.get_x())
    assert len(rows) == 2
    for xs in rows.values():
        assert xs == sorted(xs, reverse=True) and min(xs) >= 0
    assert [text.get_text() for text in ax.texts] == tokens
    assert png(ax)


def test_words_of_other_scripts_run_from_left_to_right(ax):
    plots.words(ax, ["says", "שלום", "2024"], [1, 1, 1])
    assert [patch.get_x() for patch in ax.patches] == [0, 5, 10]


def test_tokens_are_turned_for_a_matplotlib_that_does_not(monkeypatch):
    monkeypatch.setattr(plots, "SETS_DIRECTION", False)
    assert plots._in_drawing_order("abc") == "abc"
    assert plots._in_drawing_order("שלום") == "םולש"
    assert plots._in_drawing_order("דָּג") == "ג" + "דָּ"
    monkeypatch.setattr(plots, "SETS_DIRECTION", True)
    assert plots._in_drawing_order("שלום") == "שלום"


def test_words_take_the_width_of_their_characters(ax):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the font
        plots.words(ax, ["漢字", "के", "e\u0301", "a\u200db", "x"], [1] * 5)
    assert [patch.get_width() for patch in ax.patches] == [4, 1, 1, 2, 1]
    assert [patch.get_x() for patch in ax.patches] == [0, 5, 7, 9, 12]


def test_words_show_white_space_and_cut_what_is_too_long(ax):
    plots.words(ax, ["\n", "\t", "", "\xa0", " b", "x" * 99], [1] * 6, columns=20)
    assert [text.get_text() for text in ax.texts] == [
        "↵",
        "⇥",
        "∅",
        "⍽",
        "␣b",
        "x" * 19 + "…",
    ]
    assert max(patch.get_x() + patch.get_width() for patch in ax.patches) == 20
    assert png(ax)


def test_alignment_shows_white_space(ax):
    plots.alignment(ax, np.eye(3), ["\n", "", "\u200b"], ["a\tb", " a", "a"])
    assert [x.get_text() for x in ax.get_xticklabels()] == ["↵", "∅", "U+200B"]
    assert [x.get_text() for x in ax.get_yticklabels()] == ["a⇥b", "␣a", "a"]
    assert png(ax)


class Translation(NamedTuple):
    tokens: list
    weights: np.ndarray | None


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (
            np.ones((7, 4)) / 4,
            ValueError,
            r"got \(7, 4\): if the last row is that of <end>, call"
            r" plots.alignment\(ax, weights\[:-1\], source, target\) or"
            r" plots.alignment\(ax, weights, source, \[\*target, '<end>'\]\)$",
        ),
        (
            np.ones((4, 6)),
            ValueError,
            r"call plots.alignment\(ax, weights.T, source, target\)$",
        ),
        (np.ones((2, 6, 4)), ValueError, r"weights\[0\], source, target\)$"),
        (
            Translation(TARGET, np.ones((7, 4))),
            TypeError,
            r"got Translation: call"
            r" plots.alignment\(ax, t.weights\[:len\(t.tokens\)\], source, t.tokens\)$",
        ),
        (None, ValueError, "got None: a model without attention"),
        (np.full((6, 4), np.nan), ValueError, "weights should be finite, got NaN"),
        (
            np.full((6, 4), 3.0),
            ValueError,
            "between 0 and 1, got 3 to 3: are these sco",
        ),
        (-np.eye(6, 4), ValueError, "between 0 and 1, got -1 to 0: are these scores"),
        ([[1, 2], [3]], ValueError, "got rows of different lengths"),
        ([["1"] * 4] * 6, TypeError, "weights should hold numbers, got <U1"),
    ],
)
def test_alignment_says_what_to_do_with_other_weights(ax, weights, error, message):
    with pytest.raises(error, match=message):
        plots.alignment(ax, weights, SOURCE, TARGET)
    assert not ax.images


def test_alignment_takes_the_calls_of_its_message(ax):
    source, target, weights = SOURCE, TARGET, np.ones((7, 4)) / 4
    with pytest.raises(ValueError, match="<end>") as refusal:
        plots.alignment(ax, weights, source, target)
    calls = str(refusal.value).split(" call ")[1].split(" or ")
    assert len(calls) == 2
    for call in calls:
        eval(call)
    assert [image.get_array().shape for image in ax.images] == [(6, 4), (7, 4)]


@pytest.mark.parametrize(
    ("tokens", "weights", "error", "message"),
    [
        (
            ["a", "b"],
            [0.5, 0.5, 0],
            ValueError,
            r"got \(3,\): if the rest is padding, call"
            r" plots.words\(ax, tokens, weights\[:len\(tokens\)\]\)$",
        ),
        (["a", "b"], [[0.5, 0.5]], ValueError, r"\(ax, tokens, weights\[0\]\)$"),
        (["a", "b"], [-1, 1], ValueError, "finite and 0 or more, got -1$"),
        (["a", "b"], [1, np.nan], ValueError, "finite and 0 or more, got nan$"),
        (["a", "b"], [1, np.inf], ValueError, "finite and 0 or more, got inf$"),
        (["a", "b"], None, ValueError, "got None: a model without attention"),
        (["a", "b"], [[1], [1, 2]], ValueError, "got rows of different lengths"),
        ("ab", [1, 2], TypeError, "tokens should be a list of tokens, got the text"),
        ([1, 2], [1, 2], TypeError, "tokens should hold str, got int: 1"),
        ([], [], ValueError, "tokens should have at least one token, got none"),
    ],
)
def test_words_say_what_to_do_with_other_weights(ax, tokens, weights, error, message):
    with pytest.raises(error, match=message):
        plots.words(ax, tokens, weights)
