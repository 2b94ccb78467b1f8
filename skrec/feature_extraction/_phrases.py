"""Candidates for key phrases: runs of words of a text."""

from itertools import pairwise

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from skrec.utils import FUNCTION_WORDS, WordPattern, WordSplitter, is_spaceless

_WORD_OR_BREAK = WordPattern(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")


class Phrases:
    """Runs of words within a sentence that neither begin nor end with a stop word."""

    def __init__(
        self,
        ngram_range: tuple[int, int],
        stop_words: str | list[str] | None,
        splitter: WordSplitter | None = None,
    ) -> None:
        self.ngram_range = ngram_range
        self.stop_words = set(ENGLISH_STOP_WORDS | FUNCTION_WORDS if stop_words == "english" else stop_words or ())
        self.splitter = WordSplitter() if splitter is None else splitter

    def __call__(self, text: str) -> list[str]:
        shortest, longest = self.ngram_range
        phrases = []
        text = text.lower()
        words, spans = self._read(text)
        ends = [bool(word[0].isalnum()) and word not in self.stop_words for word in words]
        breaks = [not word[0].isalnum() for word in words]
        for start in range(len(words)):
            for stop in range(start + 1, min(start + longest, len(words)) + 1):
                if breaks[stop - 1]:
                    break
                if stop - start >= shortest and ends[start] and ends[stop - 1]:
                    if spans is not None and _touch(spans[start:stop]):
                        phrases.append(text[spans[start][0] : spans[stop - 1][1]])
                    else:
                        phrases.append(" ".join(words[start:stop]))
        return phrases

    def _read(self, text: str) -> tuple[list[str], list[tuple[int, int]] | None]:
        """Words and marks of a text, and where they stand, if it has words without spaces between them."""
        if not is_spaceless(text):
            return self.splitter.words(text, _WORD_OR_BREAK), None
        spans = self.splitter.spans(text, _WORD_OR_BREAK)
        return [text[start:stop] for start, stop in spans], spans


def _touch(spans: list[tuple[int, int]]) -> bool:
    """Whether words follow each other without a space; pairs of signs overlap."""
    return all(first[1] >= second[0] for first, second in pairwise(spans))
