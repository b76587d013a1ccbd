"""Leave the fields of named tuples out of the API page.

Python documents them by their numbers alone. The docstring of the class names them.
"""


def skip_field(app, what, name, obj, skip, options):
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("autodoc-skip-member", skip_field)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
