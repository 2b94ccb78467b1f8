"""``NDCG@10`` is a metric and no mail address: reStructuredText would link it as one."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class NoMailAddresses(SphinxTransform):
    """Links to mail addresses become text; the documentation has none that are meant."""

    default_priority = 1

    def apply(self, **kwargs: object) -> None:
        """Replace each of them."""
        for node in list(self.document.findall(nodes.reference)):
            if node.get("refuri", "").startswith("mailto:"):
                node.replace_self(nodes.Text(node.astext()))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_transform(NoMailAddresses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
