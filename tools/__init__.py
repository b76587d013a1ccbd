"""Scripts that build, run, and check the book."""
