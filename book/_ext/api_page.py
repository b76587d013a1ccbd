"""What autodoc shows on the API page, where Python does not tell it well.

A long name may break after a dot or an underscore, so that no word is torn apart on a
narrow page.
"""

import inspect
import re

NAME = re.compile(r'(?<=<span class="pre">)[^<]+|(?<=<h3>)[^<]+')


def skip_field(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples, which Python documents by their numbers.

    The docstring of the class names them.
    """
    return True if type(obj).__name__ == "_tuplegetter" else None


def show_init(app, what, name, obj, options, signature, returns):
    """Show what a class takes where Keras's ``__new__`` takes anything."""
    if what == "class" and signature == "(*args, **kwargs)":
        _, *parameters = inspect.signature(obj.__init__).parameters.values()
        return str(inspect.Signature(parameters)), returns


def let_names_break(app, pagename, templatename, context, doctree):
    if pagename == "api":
        context["body"] = NAME.sub(
            lambda name: re.sub(r"(?<=\w)[._](?=\w)", r"\g<0><wbr>", name[0]),
            context["body"],
        )


def setup(app):
    app.connect("html-page-context", let_names_break)
    app.connect("autodoc-skip-member", skip_field)
    app.connect("autodoc-process-signature", show_init)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
