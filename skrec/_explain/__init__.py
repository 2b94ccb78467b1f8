"""Explanations: evidence, templates and the names of items."""

from skrec._explain._explanations import Evidence, Explanations
from skrec._explain._item_texts import ItemTexts, check_item_texts
from skrec._explain._languages import check_language, language_name, prompt_language, template_language
from skrec._explain._leave_one_out import LeaveOneOut, popularity_of
from skrec._explain._mixin import ExplainMixin, paired
from skrec._explain._moments import context_words
from skrec._explain._templates import LANGUAGES, by_raw_columns, write_reasons
