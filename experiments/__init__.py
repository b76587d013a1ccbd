"""The long runs behind the chapters."""
