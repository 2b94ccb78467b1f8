"""Sphinx configuration of the documentation."""

import inspect
import os
import sys
import warnings
from importlib import import_module
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

import skrec

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE), str(HERE / "user_guide")]
from guide_links import guide_links  # noqa: E402

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

project = "skrec"
author = "the skrec developers"
copyright = author
version = release = skrec.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosectionlabel",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "numpydoc",
    "sphinx_design",
    "executed_code",
    "mathml_renderer",
    "no_mail_addresses",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/README.rst", "_ext", "_inventories"]
nitpicky = False
default_role = "literal"

html_theme = "pydata_sphinx_theme"
html_title = f"skrec {version}"
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_align": "left",
}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["skrec.css"]

autosummary_generate = True
# The pages list what a package names in __all__, wherever it is defined.
autosummary_ignore_module_all = False
autosummary_imported_members = True
# Each page of a name links to the sections of the guide that speak of it, by the labels that sections have so.
autosectionlabel_prefix_document = True
autosummary_context = {"guide_links": guide_links(HERE / "user_guide", Path(skrec.__file__).parent)}
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Nothing is fetched when the site is built, nor when it is read: see make_inventories.py, and _ext for the formulas.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", str(HERE / "_inventories" / "python.inv")),
    "numpy": ("https://numpy.org/doc/stable/", str(HERE / "_inventories" / "numpy.inv")),
    "sklearn": ("https://scikit-learn.org/stable/", str(HERE / "_inventories" / "sklearn.inv")),
}
html_math_renderer = "mathml"
# Attributes inherited from scikit-learn name terms of its glossary, and several classes have n_features_in_.
# The gallery has cells of one title.
suppress_warnings = ["ref.term", "ref.python", "autosectionlabel.*"]

# Pictures of the user guide: drawn by its own code when the site is built, dark on white. The theme keeps that ground
# in dark mode, so that there is one version of each.
plot_html_show_formats = plot_html_show_source_link = False
plot_include_source = True
plot_formats = [("png", 110)]
plot_working_directory = str(HERE / "user_guide" / "shop")  # its code reads files as the reader of a page would

# Examples in the order of the gallery; all of them are run when the site is built with ``-D plot_gallery=1``.
gallery_order = [
    "quickstart.py",
    "own_csv.py",
    "plot_evaluation.py",
    "plot_tuning.py",
    "plot_text_search.py",
    "plot_requests.py",
    "plot_cold_items.py",
    "plot_cold_start.py",
    "plot_context.py",
    "plot_next_item.py",
    "plot_two_tower.py",
    "plot_advertisements.py",
    "plot_fusion_cascade.py",
    "composites.py",
    "plot_diversity.py",
    "plot_friends.py",
    "plot_graph.py",
    "explain_recommendations.py",
    "plot_counterfactual.py",
    "plot_item_questions.py",
    "plot_llm_rerank.py",
    "conversation.py",
    "plot_serving.py",
    "plot_tutorial_tasks.py",
    "plot_tutorial_tasks_zh.py",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "within_subsection_order": ExplicitOrder(gallery_order),
    "ignore_pattern": r"(__init__\.py|/benchmarks/)",
    "doc_module": ("skrec",),
    "reference_url": {"skrec": None},
    "backreferences_dir": "generated/backreferences",
    "write_computation_times": False,
    "download_all_examples": False,
    "remove_config_comments": True,
}

# A page is read without the chatter of the libraries below.
warnings.filterwarnings("ignore", category=FutureWarning)


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Lines of an object in the repository, where ``SKREC_SOURCE_URL`` names it."""
    root = os.environ.get("SKREC_SOURCE_URL")
    if domain != "py" or root is None:
        return None
    try:
        found = import_module(info["module"])
        for part in info["fullname"].split("."):
            found = getattr(found, part)
        path = Path(inspect.getsourcefile(inspect.unwrap(found)) or "")
        lines, start = inspect.getsourcelines(inspect.unwrap(found))
        relative = path.relative_to(Path(skrec.__file__).parent.parent)
    except (AttributeError, ImportError, OSError, TypeError, ValueError):
        return None
    return f"{root}/{relative.as_posix()}#L{start}-L{start + len(lines) - 1}"
