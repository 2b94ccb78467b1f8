"""What shops write: words that say of the number after them that it is a code, a price or a version."""

import re

from skrec.utils._privacy._folded_text import LETTER

_CODE_BEFORE = re.compile(
    rf"""(?:
      (?<!{LETTER})(?:
        isbn|issn|ean|upc|gtin|asin|sku|imei|order|model|part|item|article|art|ref|reference|serial|lot|id|batch|invoice
        |tracking|barcode
        |bestell(?:ung|nummer|nr)?|artikel(?:nummer|nr)?|rechnung(?:snummer|snr)?|modell|sendung(?:snummer)?|kundennummer|serien(?:nummer|nr)
        |commande|article|réf|référence|facture|modèle|colis|lot
        |pedido|art[íi]culo|referencia|factura|modelo|lote|c[óo]digo
      )
      |订单|单号|货号|型号|编号|条码|书号|批号|编码|序列号|商品|产品|统一书号|代码|發票|訂單|貨號|型號|編號
      |[\#№$€£¥￥]
    )
    (?:[-\s](?:10|13))?[\s.:\#-]{{0,3}}(?:number|nummer|numéro|número|no|nr|núm|num|n°|nº|号码|号|碼|號)?[\s.:\#-]{{0,3}}$""",
    re.IGNORECASE | re.VERBOSE,
)
_UNIT_AFTER = re.compile(
    r"\s?(?:[€$£¥%元块円圆萬万亿个個次人册冊本页頁年字]|eur\b|usd\b|gbp\b|cny\b|rmb\b|pages?\b|seiten\b|páginas\b|views\b|readers\b|"
    r"leser\b|lecteurs\b|lectores\b|copies\b|stück\b|km\b|kg\b|mb\b|gb\b)",
    re.IGNORECASE,
)
DATE = re.compile(r"(?:\d{1,2}[ .\-/]){2}(?:19|20)\d\d(?!\d)|(?:19|20)\d\d[ .\-/]\d{1,2}[ .\-/]\d{1,2}(?!\d)")


def is_code(match: re.Match) -> bool:
    """Whether a word or sign before the number says that it is a code or a price."""
    return _CODE_BEFORE.search(match.string[max(0, match.start() - 32) : match.start()]) is not None


def is_amount(match: re.Match) -> bool:
    """Whether a unit or a currency follows the number."""
    return _UNIT_AFTER.match(match.string, match.end()) is not None


def digits_of(text: str) -> str:
    """Return the decimal digits of a text."""
    return "".join(character for character in text if character.isdecimal())
