"""Every exercise of the built pages in both browsers: its stub, its solution, and all
of its known wrong answers get the native messages. Minutes, not in `make test`.
"""

import pytest
import test_run_in_firefox
import test_run_in_page
from exercises_in_page import chapters, native_message, solution, wrong_answers


@pytest.fixture(params=["Chromium", "Firefox"])
def cell_of(request, site, engine_folder):
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


def test_every_answer_to_every_exercise_gets_the_native_message(cell_of, html):
    differ, count = [], 0
    for chapter, names in chapters(html).items():
        for name in names:
            cell, stub = cell_of(chapter, name)
            for code in [None, *wrong_answers(name), solution(name)]:
                found = cell.run(code)
                expected = native_message(name, stub if code is None else code)
                count += 1
                if found != expected:
                    differ.append((name, code, found, expected))
            assert found[0] == "passed", name
    print(f"{count} answers to {sum(map(len, chapters(html).values()))} exercises")
    assert differ == []
    assert count > 1500
