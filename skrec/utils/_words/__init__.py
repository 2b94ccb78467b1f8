"""Text into words, in every language: one splitter for keywords, roles, suggestions, shared words, conversations."""

from skrec.utils._words._marks import list_members, quoted_texts
from skrec.utils._words._patterns import WordPattern
from skrec.utils._words._scripts import (
    DIRECTIONS,
    HAN,
    HANGUL,
    INVISIBLE,
    JOINERS,
    SPACELESS,
    is_spaceless,
    main_script,
)
from skrec.utils._words._splitter import (
    Tokenizer,
    WordSplitter,
    check_splitter,
    content_words,
    count_words,
    installed_splitters,
)
from skrec.utils._words._stop_words import FUNCTION_WORDS
from skrec.utils._words._traditional import simplified
