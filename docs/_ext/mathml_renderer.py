"""Formulas as MathML, written by docutils at the build: the browser needs no script for them and fetches nothing."""

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def render(writer: Any, node: nodes.math | nodes.math_block) -> None:
    """Write one formula; what cannot be converted is a warning, and so an error under ``-W``."""
    is_block = isinstance(node, nodes.math_block)
    try:
        formula = tex2mathml(node.astext(), as_block=is_block)
    except MathError as error:
        logger.warning("formula %r cannot be written as MathML: %s", node.astext(), error, location=node)
        formula = f"<code>{writer.encode(node.astext())}</code>"
    writer.body.append(f'<div class="math">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", (render, None), (render, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
