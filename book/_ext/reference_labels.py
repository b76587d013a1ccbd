"""Label the entries of the bibliography as the text cites them: [Cho et al., 2014]."""

from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.unsrt import Style as Unsorted
from pybtex.style.labels import BaseLabelStyle


def surname(person):
    """A person's last name, with what belongs to it, such as "de"."""
    return str(Text(" ").join(person.rich_prelast_names + person.rich_last_names))


def label(entry):
    """One or two names, or the first of more, and the year."""
    people = entry.persons.get("author") or entry.persons["editor"]
    names = [surname(person) for person in people]
    if len(names) > 2:
        names = [f"{names[0]} et al."]
    return f"{' and '.join(names)}, {entry.fields['year']}"


class AuthorYearLabels(BaseLabelStyle):
    """Raises ValueError if two entries would have the same label."""

    def format_labels(self, sorted_entries):
        labels = [label(entry) for entry in sorted_entries]
        if doubled := {each for each in labels if labels.count(each) > 1}:
            raise ValueError(f"Two references have the same label: {sorted(doubled)}")
        return labels


class AuthorYear(Unsorted):
    default_sorting_style = "author_year_title"
    default_label_style = AuthorYearLabels


def setup(app):
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
