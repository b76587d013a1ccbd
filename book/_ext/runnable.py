"""Which code cells of a chapter can run in the page, and on which cells each builds.

A cell can run there if all that it imports is in the page's Python, and if the cells
that it builds on can run there, too: those that define what it uses, and those that
change it afterward. Everything is read from the source; nothing is run.

Of a cell that only imports, such as the first one of a chapter, the part that can run
counts as the cell.
"""

import ast
import builtins
import fnmatch
import importlib
import json
import re
import sys
from dataclasses import dataclass, field
from functools import cache

from tools import engine_recipe, pack_attnlib

# What reading a name needs.
NEEDS = {"results": "results", "Translator": "weights", "Classifier": "weights"}
GIVEN = {"np", "ref", "display"}  # what every cell of the page has (running.js)
CHECK = re.compile(r"ex\.(\w+)\.check\(\1\)")
MODULE = re.compile(r"from attnlib\.exercises import (\w+) as ex\b")
SHOWS = re.compile(r"ex\.\w+\.(hint|solution)\(")
NAME = re.compile(r"`+(\w+)(?:\([^`]*\))?`+")
PACKAGES = ("numpy", "matplotlib", "mpl_toolkits")


@dataclass
class Cell:
    """A code cell, and what is known about it.

    ``setup`` are the numbers of the cells that run before it, ``uses`` the exercises of
    other cells and chapters, such as those that its tags ``uses-psychology.softmax``
    name, and ``needs`` what Python loads for it.
    """

    number: int  # among the code cells, from 1
    source: str
    tags: list
    text: str = ""  # the Markdown right before it
    exercise: str | None = None  # "module.name"
    can_run: bool = False
    part: str | None = None  # of a cell of imports: what of it can run
    setup: tuple = ()
    uses: tuple = ()
    needs: tuple = ()
    facts: object = None

    @property
    def counts(self):
        """Whether other cells may build on it."""
        return self.can_run or self.part is not None

    @property
    def is_marked(self):
        """Whether it gets buttons, as a cell that is no exercise."""
        shown = "remove-input" not in self.tags and "remove-cell" not in self.tags
        is_ours = CHECK.fullmatch(self.source) or SHOWS.search(self.source)
        return self.can_run and self.exercise is None and shown and not is_ours


# What one piece of source does


class Facts(ast.NodeVisitor):
    """What the source of a cell binds, needs, and changes.

    ``needs`` are the names that it reads before it has bound them, ``later`` those that
    each of its functions reads when it is called, ``changes`` those whose objects it
    changes, and ``generators`` those that it binds to random generators, each use of
    which is a change.
    """

    def __init__(self, source):
        self.tree = ast.parse(source)
        self.bound, self.needs, self.changes = set(), set(), set()
        self.imported, self.attributes, self.modules = set(), set(), set()
        self.later, self.generators = {}, set()
        self.loaded = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self.modules |= modules_of(node)
        self.visit(self.tree)

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            self.loaded.add(node.id)
            if node.id not in self.bound:
                self.needs.add(node.id)
        else:
            self.bound.add(node.id)

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self._assign(target)
            if isinstance(target, ast.Name) and "default_rng" in ast.dump(node.value):
                self.generators.add(target.id)

    def visit_AugAssign(self, node):
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.visit_Name(ast.Name(node.target.id, ast.Load()))
        self._assign(node.target)

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)
            self._assign(node.target)

    def _assign(self, target):
        self.visit(target)
        base = base_of(target)
        if base and base is not target:
            self.changes.add(base.id)

    def visit_Expr(self, node):
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            base = base_of(call.func)
            if base:
                self.changes.add(base.id)
        self.visit(call)

    def visit_For(self, node):
        self.visit(node.iter)
        self.visit(node.target)
        for each in [*node.body, *node.orelse]:
            self.visit(each)

    def _visit_comprehension(self, node):
        bound = set(self.bound)
        for part in node.generators:
            self.visit(part.iter)
            self.visit(part.target)
            for test in part.ifs:
                self.visit(test)
        for name in ("key", "value", "elt"):
            if hasattr(node, name):
                self.visit(getattr(node, name))
        self.bound = bound

    visit_ListComp = visit_SetComp = visit_DictComp = _visit_comprehension
    visit_GeneratorExp = _visit_comprehension

    def visit_Lambda(self, node):
        bound = set(self.bound)
        self.bound |= arguments_of(node.args)
        self.visit(node.body)
        self.bound = bound

    def _visit_definition(self, node):
        inner = Facts.__new__(Facts)
        inner.__init__("")
        if isinstance(node, ast.ClassDef):
            outside = [*node.decorator_list, *node.bases]
        else:
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            outside = [*node.decorator_list, *defaults]
            inner.bound |= arguments_of(node.args)
        for each in outside:
            self.visit(each)
        for each in node.body:
            inner.visit(each)
        called = set().union(*inner.later.values()) - inner.bound
        self.bound.add(node.name)
        self.later[node.name] = (inner.needs | called) - {node.name}

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _visit_definition

    def visit_Import(self, node):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.bound.add(name)
            self.imported.add(name)

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node):
        if node.name:
            self.bound.add(node.name)
        self.generic_visit(node)


def arguments_of(arguments):
    """The names of a function's arguments."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += filter(None, [arguments.vararg, arguments.kwarg])
    return {each.arg for each in every}


def base_of(node):
    """The name at the bottom of ``name.attribute[index]``, or None."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def modules_of(node):
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if node.module in ("attnlib", "attnlib.exercises", "attnlib.tasks"):
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return {node.module}


# What the page's Python has


@cache
def packed_paths():
    """{name: path} of the part of attnlib that is in the page."""
    return pack_attnlib.packed_modules()


@cache
def packed():
    """{name: (modules it imports when it is imported, functions that miss something)}
    of the part of attnlib that is in the page.
    """
    found = {}
    for name, path in packed_paths().items():
        tree = ast.parse(path.read_text("utf-8"))
        top = set()
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                top |= modules_of(node)
        found[name] = top, functions_that_miss(tree)
    return found


def functions_that_miss(tree):
    """The functions of a module that import what the page lacks, and their callers."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    missing = {
        function.name
        for function in functions
        for node in function.body  # deeper, an import waits for a condition
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and not all(map(is_there, modules_of(node)))
    }
    while True:
        callers = {
            function.name
            for function in functions
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and node.id in missing
        }
        if callers <= missing:
            return missing
        missing |= callers


@cache
def is_there(module):
    """Whether the page's Python has a module."""
    top = module.partition(".")[0]
    if top == "attnlib":
        return module == top or module in packed_paths()
    file = module.replace(".", "/")
    trimmed = engine_recipe.LEFT_OUT["python_stdlib"]
    if any(
        fnmatch.fnmatchcase(name, pattern)
        for pattern in trimmed
        for name in (f"{file}/", f"{file}.py")
    ):
        return False
    return top in sys.stdlib_module_names or top in PACKAGES


@cache
def draws(module):
    """Whether importing a module imports Matplotlib."""
    seen, ahead = set(), {module}
    while ahead:
        name = ahead.pop()
        if name.partition(".")[0] in ("matplotlib", "mpl_toolkits"):
            return True
        seen.add(name)
        ahead |= packed().get(name, (set(), ()))[0] - seen
    return False


# The cells of a chapter


@cache
def cells_of(path):
    """{index in the notebook: Cell} of a chapter's code cells.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.

    Returns
    -------
    dict
        The cells, analyzed, in order.
    """
    found, text, number = {}, "", 0
    for index, raw in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
        source = "".join(raw["source"])
        if raw["cell_type"] == "code":
            number += 1
            tags = raw["metadata"].get("tags", [])
            found[index] = Cell(number, source.strip(), tags, text)
        text = source if raw["cell_type"] == "markdown" else ""
    analyze(list(found.values()))
    return found


def analyze(cells):
    """Find out what each cell of a chapter needs, and whether it can run."""
    name_exercises(cells)
    for cell in cells:
        try:
            cell.facts = Facts(cell.source)
        except SyntaxError:  # a magic command, for instance
            cell.facts = Facts("import nothing_that_is_there")
    for position, cell in enumerate(cells):
        bound = [each.facts.bound for each in cells[position:]]
        Analysis(cells[:position], cell, set().union(*bound)).decide()


def name_exercises(cells):
    """Give the cells of exercises their names; in Keras, an exercise has none."""
    module = None
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if found := MODULE.search(cell.source):
            module = found[1]
        found = following and CHECK.fullmatch(following.source)
        if found and not is_in_keras(module, found[1]):
            cell.exercise = f"{module}.{found[1]}"


def is_in_keras(module, name):
    exercise = getattr(importlib.import_module(f"attnlib.exercises.{module}"), name)
    return isinstance(exercise.reference_solution, type)


@dataclass
class Analysis:
    """Of one cell, after those before it."""

    before: list
    cell: Cell
    after: set  # the names that this cell and those below bind
    setup: set = field(default_factory=set)
    uses: set = field(default_factory=set)
    is_possible: bool = True

    def decide(self):
        cell, facts = self.cell, self.cell.facts
        self.uses |= set(tagged(cell, "uses-"))
        if cell.exercise:
            self.use(self.names_of_exercise())
            cell.can_run = True  # with a stub alone, too
        elif not all(map(is_there, facts.modules)) or self.calls_what_misses():
            cell.part = self.part()
        else:
            self.use(self.reached(facts))
            cell.can_run = self.is_possible and self.can_be_called()
        if cell.counts:
            cell.setup = tuple(sorted(self.setup))
            cell.uses = tuple(sorted(self.uses))
            self.find_needs()

    def can_be_called(self):
        """Whether the functions that the cell defines can run once they are called."""
        names = set().union(*self.cell.facts.later.values()) - set(dir(builtins))
        for name in names - GIVEN - self.cell.facts.bound:
            binders = [each for each in self.before if name in each.facts.bound]
            if not (binders[-1].counts if binders else name in self.after):
                return False
        return True

    def calls_what_misses(self):
        modules = {m for each in [*self.before, self.cell] for m in each.facts.modules}
        missing = {
            function
            for module in modules & set(packed())
            for function in packed()[module][1]
        }
        imported = {name for each in self.before for name in each.facts.imported}
        facts = self.cell.facts
        return bool(missing & (facts.attributes | (facts.loaded & imported)))

    def part(self):
        """What can run of a cell of imports and calls; None for any other cell."""
        kept, bound = [], set()
        for node in self.cell.facts.tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [each for each in node.names if can_import(node, each)]
                bound |= {each.asname or each.name for each in names}
                if names:
                    node.names = names
                    kept.append(ast.unparse(node))
            elif isinstance(node, ast.Expr):
                if Facts(ast.unparse(node)).needs <= bound | GIVEN:
                    kept.append(ast.unparse(node))
            else:
                return None
        source = "\n".join(kept)
        self.cell.facts = Facts(source)
        return source

    def names_of_exercise(self):
        """What the stub, the solution, and the text of an exercise refer to."""
        module, name = self.cell.exercise.split(".")
        exercises = importlib.import_module(f"attnlib.exercises.{module}")
        solution = Facts(getattr(exercises, name).source)
        stub = self.cell.facts
        arguments = {
            each.arg
            for node in ast.walk(stub.tree)
            if isinstance(node, ast.arguments)
            for each in ast.walk(node)
            if isinstance(each, ast.arg)
        }
        functions = {f for each in self.before for f in each.facts.later}
        named = set(NAME.findall(self.cell.text)) & functions
        names = named | self.reached(stub) | self.reached(solution)
        for own in (stub, solution):
            names |= set().union(*own.later.values())
        return names - {name, "ex", "plt"} - arguments

    def reached(self, facts):
        """The names that code reads when it runs, in the functions it calls, too."""
        later = {}
        for each in self.before:
            later |= each.facts.later if each.counts else {}
        later |= facts.later
        names, ahead = set(facts.needs), facts.loaded & set(later)
        seen = set()
        while ahead:
            function = ahead.pop()
            seen.add(function)
            names |= later[function] - facts.bound
            ahead |= (later[function] & set(later)) - seen
        return names

    def use(self, names):
        """Add the cells that define names, and those that change them."""
        for name in sorted(names - GIVEN - set(dir(builtins))):
            binders = [each for each in self.before if name in each.facts.bound]
            if not binders:
                self.use_exercise(name)
                continue
            last = binders[-1]
            if last.exercise and self.cell.exercise:
                self.uses.add(last.exercise)  # the reader's code, or the solution
                continue
            self.add(last)
            is_generator = name in last.facts.generators
            for each in self.before:
                if each.number > last.number and (
                    (name in each.facts.changes and name not in last.facts.imported)
                    or (is_generator and name in self.reached(each.facts))
                ):
                    self.add(each)

    def add(self, other):
        if not other.counts:
            self.is_possible = False
            return
        self.setup |= {*other.setup, other.number}
        self.uses |= set(other.uses)

    def use_exercise(self, name):
        """A name that no cell defines: that of an exercise of another chapter?"""
        found = exercises_named(name)
        if len(found) == 1 and self.cell.exercise:
            self.uses.add(found[0])
        elif not self.cell.exercise:
            self.is_possible = False

    def find_needs(self):
        needs = set()
        for each in self.before:
            if each.number in self.setup:
                needs |= set(each.needs)
        if any(map(draws, self.cell.facts.modules)):
            needs.add("matplotlib")
        needs |= set(tagged(self.cell, "needs-"))
        facts = self.cell.facts
        named = facts.loaded | set().union(*facts.later.values())
        for name, need in NEEDS.items():
            if name in named:
                needs.add(need)
        self.cell.needs = tuple(sorted(needs))


def tagged(cell, prefix):
    """What the tags of a cell name after a prefix."""
    found = [tag for tag in cell.tags if tag.startswith(prefix)]
    return [tag.removeprefix(prefix) for tag in found]


def can_import(node, alias):
    part = ast.Import([alias])
    if isinstance(node, ast.ImportFrom):
        part = ast.ImportFrom(node.module, [alias], node.level)
    return all(map(is_there, modules_of(part)))


@cache
def exercises_named(name):
    """The exercises of this name, as "module.name"."""
    modules = {
        module.removeprefix("attnlib.exercises.")
        for module in packed_paths()
        if module.startswith("attnlib.exercises.") and "._" not in module
    }
    return sorted(
        f"{module}.{name}"
        for module in modules
        if hasattr(importlib.import_module(f"attnlib.exercises.{module}"), name)
    )
