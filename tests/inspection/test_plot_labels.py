"""Labels of plots: a font that has their characters, else another spelling; never boxes."""

import io
import sys
import warnings

import numpy as np
import pytest

from skrec.datasets import load_bookshop
from skrec.exceptions import MissingGlyphWarning
from skrec.inspection import plot_labels

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import font_manager  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

CHINESE = ["红楼梦", "Émile 爱弥儿", "《监狱》，上"]


@pytest.fixture
def own_fonts(monkeypatch):
    """Only the fonts that matplotlib brings along: none of them has Chinese characters."""
    own = str(matplotlib.get_data_path())
    fonts = [font for font in font_manager.fontManager.ttflist if str(font.fname).startswith(own)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])


def drawn(labels):
    """The picture of labels; matplotlib warns of each character that it draws as a box, and warnings are errors."""
    figure = Figure(figsize=(3, 2))
    for place, text in enumerate(labels.texts):
        figure.text(0.1, place / len(labels.texts), text, family=labels.family)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def chinese_font_is_missing():
    with warnings.catch_warnings(action="ignore"):
        return len(plot_labels(CHINESE).family) == 1


def test_texts_that_the_default_font_has_stay():
    labels = plot_labels(["Emma", "Война и мир", "Ὀδύσσεια", 1984, None, np.nan])
    assert labels.texts == ["Emma", "Война и мир", "Ὀδύσσεια", "1984", "", ""]
    assert labels.family == matplotlib.rcParams["font.family"]
    drawn(labels)


def test_no_dollar_begins_a_formula():
    labels = plot_labels(["from $1 to $2^", "$x^2$"])
    assert labels.texts == [r"from \$1 to \$2^", r"\$x^2\$"]
    drawn(labels)


def test_a_font_is_found_by_its_characters():
    with matplotlib.rc_context({"font.family": ["cmr10"]}):  # of Computer Modern, which has no Cyrillic
        labels = plot_labels(["Война и мир", "Emma"])
        assert labels.texts == ["Война и мир", "Emma"]
        assert labels.family[0] == "cmr10"
        assert len(labels.family) == 2
        drawn(labels)


def test_chinese_titles_are_drawn_in_a_chinese_font():
    if chinese_font_is_missing():
        pytest.skip("no installed font has Chinese characters")
    titles = load_bookshop(language="zh").item_features["title"]
    labels = plot_labels([*titles, *CHINESE])
    assert labels.texts == [*titles, *CHINESE]
    assert len(labels.family) >= 2
    assert drawn(plot_labels(titles[:3])) != drawn(plot_labels(titles[3:6]))


def test_without_a_font_chinese_is_spelt_in_latin_letters_with_one_warning(own_fonts):
    pytest.importorskip("pypinyin")
    with pytest.warns(MissingGlyphWarning, match=r"No installed font has 1\d of.*Pinyin.*fonts-noto-cjk") as caught:
        labels = plot_labels(CHINESE)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert labels.texts == ["hong lou meng", "Émile ai mi er", '"jian yu", shang']
    assert labels.family == matplotlib.rcParams["font.family"]
    drawn(labels)


def test_without_a_font_and_pypinyin_code_points_are_written(own_fonts, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    with pytest.warns(MissingGlyphWarning, match=r"code points.*pip install 'skrec-text\[cjk\]'"):
        labels = plot_labels(["Émile 爱弥儿", "Emma"])
    assert labels.texts == ["Émile [7231 5F25 513F]", "Emma"]
    drawn(labels)


def test_invisible_and_control_characters_are_no_boxes(own_fonts):
    signs = [
        chr(code)
        for code in [
            *range(32),
            0x7F,
            0x85,
            0xAD,
            *range(0x2028, 0x202F),
            *range(0x2060, 0x2065),
            *range(0x2066, 0x2070),
            0xFEFF,
        ]
    ]
    labels = plot_labels([f"a{sign}b" for sign in signs])
    assert {text.replace(sign, "") for sign, text in zip(signs, labels.texts, strict=True)} <= {"ab", "a b"}
    assert labels.texts[7] == "a b"
    assert labels.texts[10] == "a\nb"
    drawn(labels)


def test_a_script_that_no_font_has_is_written_by_code_points(own_fonts):
    with pytest.warns(MissingGlyphWarning, match=r"such as 'কি': they are written as code points\. Install a font"):
        labels = plot_labels(["Bengali কি", "a\u200bb"])
    assert labels.texts == ["Bengali [995 9BF]", "a\u200bb"]
    drawn(labels)


def test_a_font_file_that_is_damaged_is_passed_over(own_fonts, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.ttf"
    damaged.write_bytes(b"no font")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(damaged), str(tmp_path / "gone.ttf")])
    with pytest.warns(MissingGlyphWarning):
        assert "ক" not in plot_labels(["ক"]).texts[0]
