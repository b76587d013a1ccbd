"""Every exercise of the built pages in both browsers: its stub, its solution, and all
of its known wrong answers get the native messages. Minutes, not in `make test`.
"""

import json

import pytest
import test_run_in_firefox
import test_run_in_page
from exercises_in_page import chapters, exercise_named, native_message, solution


@pytest.fixture(params=["Chromium", "Firefox"])
def find(request, site, engine_folder):
    """A function of a chapter and an exercise: the cell, and its first code."""
    if request.param == "Chromium":
        tab = request.getfixturevalue("browser").new_context(base_url=site).new_page()

        def find(*names):
            cell = test_run_in_page.Cell(tab, *names)
            return cell, cell.element.locator(".cell_input pre").text_content()

        yield find
        tab.context.close()
    else:
        tab = test_run_in_firefox.Tab(request.getfixturevalue("firefox"))
        tab.site = site

        def find(*names):
            cell = test_run_in_firefox.Cell(tab, *names)
            return cell, cell.code()

        yield find
        tab.close()


def code_for_all(name):
    """The solution, and the messages for all known wrong answers, as lines of JSON."""
    exercise = f"ex.{exercise_named(name).name}"
    return (
        f"{solution(name)}\nimport json\n"
        f"for _, wrong in {exercise}.known_mistakes:\n"
        f"    print(json.dumps({exercise}.check(wrong).message))\n"
    )


def test_every_answer_to_every_exercise_gets_the_native_message(find, html):
    differ, count = [], 0
    for chapter, names in chapters(html).items():
        for name in names:
            cell, stub = find(chapter, name)
            assert cell.run() == native_message(name, stub)
            state, text = cell.run(code_for_all(name))
            exercise = exercise_named(name)
            expected = [exercise.check(f).message for _, f in exercise.known_mistakes]
            *printed, verdict = filter(None, text.splitlines())
            found = [json.loads(line) for line in printed]
            assert (state, verdict) == native_message(name, solution(name))
            pairs = zip(found, expected, strict=True)
            differ += [(name, *pair) for pair in pairs if pair[0] != pair[1]]
            count += len(found) + 2
    print(f"{count} answers, {len(differ)} of which get another message")
    assert differ == [] and count > 1500
