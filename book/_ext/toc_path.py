"""Find _toc.yml in the folder where the build was started.

Jupyter Book would look for the relative path of ``--toc _toc.yml`` in book/.
"""

from pathlib import Path


def make_absolute(app, config):
    path = Path(config.external_toc_path)
    if path.exists():
        config.external_toc_path = path.resolve().as_posix()


def setup(app):
    # Before sphinx-external-toc reads it.
    app.connect("config-inited", make_absolute, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
