"""
The directive ``executed``: Python code, run when the site is built, and what it gives.

The blocks of a page share their names, and run in the folder of plots. Below the code stands what was printed, and the
value of the last line, a frame as a table. ``:hide-code:`` shows the result alone. An error stops the build.
"""

import ast
import contextlib
import io
import linecache
from typing import Any, ClassVar

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Executed(SphinxDirective):
    """Run the content, show it and its result."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"hide-code": directives.flag, "class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        """The code as a block, then the output."""
        code = "\n".join(self.content)
        names = self.env.temp_data.setdefault("executed_names", {"__name__": "__main__"})
        with contextlib.chdir(self.config.plot_working_directory or "."):
            printed, value = run_code(code, names, f"{self.env.docname}:{self.lineno}")
        shown: list[nodes.Node] = []
        if "hide-code" not in self.options:
            shown.append(nodes.literal_block(code, code, language="python"))
        if printed:
            shown.append(nodes.literal_block(printed, printed, language="text", classes=["output"]))
        if isinstance(value, pd.DataFrame):
            shown.append(table_of(value, self.options.get("class", [])))
        elif value is not None:
            shown.append(nodes.literal_block(repr(value), repr(value), language="text", classes=["output"]))
        return shown


def run_code(code: str, names: dict[str, Any], where: str) -> tuple[str, Any]:
    """What the code prints, and the value of its last line where that is an expression."""
    linecache.cache[where] = (len(code), None, code.splitlines(keepends=True), where)
    tree = ast.parse(code, filename=where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, where, "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), where, "eval"), names)
    return printed.getvalue().rstrip(), value


def table_of(frame: pd.DataFrame, classes: list[str]) -> nodes.table:
    """The rows of a frame, without its index."""
    group = nodes.tgroup(cols=len(frame.columns))
    group += [nodes.colspec(colwidth=1) for _ in frame.columns]
    group += nodes.thead("", row_of(frame.columns))
    group += nodes.tbody("", *(row_of(row) for row in frame.itertuples(index=False)))
    return nodes.table("", group, classes=["output", *classes])


def row_of(cells: Any) -> nodes.row:
    """One row of text."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", str(cell))) for cell in cells))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("executed", Executed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
