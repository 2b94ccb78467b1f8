"""The words of a description of texts, in the languages of the templates."""

_COLUMNS = {
    "en": ("column", "texts", "missing", "duplicates", "characters", "longest", "HTML", "unreadable", "scripts"),
    "de": ("Spalte", "Texte", "fehlend", "doppelt", "Zeichen", "längster", "HTML", "unlesbar", "Schriften"),
    "fr": ("colonne", "textes", "manquants", "doublons", "caractères", "plus long", "HTML", "illisible", "écritures"),
    "es": ("columna", "textos", "faltan", "repetidos", "caracteres", "más largo", "HTML", "ilegible", "escrituras"),
    "zh": ("列", "文本数", "缺失", "重复", "字数", "最长", "HTML", "无法识别", "文字"),
}
_SCRIPTS = {
    "Chinese": ("Chinesisch", "chinois", "chino", "中文"),
    "Japanese": ("Japanisch", "japonais", "japonés", "日文"),
    "Korean": ("Koreanisch", "coréen", "coreano", "韩文"),
    "Latin": ("Lateinisch", "latin", "latino", "拉丁文"),
    "Cyrillic": ("Kyrillisch", "cyrillique", "cirílico", "西里尔文"),
    "Greek": ("Griechisch", "grec", "griego", "希腊文"),
    "Arabic": ("Arabisch", "arabe", "árabe", "阿拉伯文"),
    "Hebrew": ("Hebräisch", "hébreu", "hebreo", "希伯来文"),
    "Devanagari": ("Devanagari", "devanagari", "devanagari", "天城文"),
    "Bengali": ("Bengalisch", "bengali", "bengalí", "孟加拉文"),
    "Tamil": ("Tamilisch", "tamoul", "tamil", "泰米尔文"),
    "Thai": ("Thailändisch", "thaï", "tailandés", "泰文"),
    "Armenian": ("Armenisch", "arménien", "armenio", "亚美尼亚文"),
    "Georgian": ("Georgisch", "géorgien", "georgiano", "格鲁吉亚文"),
    "Ethiopic": ("Äthiopisch", "éthiopien", "etíope", "埃塞俄比亚文"),
    "Tibetan": ("Tibetisch", "tibétain", "tibetano", "藏文"),
    "Mongolian": ("Mongolisch", "mongol", "mongol", "蒙古文"),
    "none": ("keine", "aucune", "ninguna", "无"),
}
_ORDER = ("de", "fr", "es", "zh")


def column_names(language: str) -> tuple[str, ...]:
    """Names of the columns of a description; ``language`` is one of those with templates."""
    return _COLUMNS[language]


def script_name(script: str, language: str) -> str:
    """Name of a script; that of Unicode, which is English, where it is not a common one."""
    names = _SCRIPTS.get(script)
    return script if names is None or language == "en" else names[_ORDER.index(language)]


def listed(parts: list[str], language: str) -> str:
    """Parts of a list, with the comma of the language between them."""
    return ("、" if language == "zh" else ", ").join(parts)
