"""What only the word before it marks as personal: accounts, passports, number plates."""

import re

from skrec.utils._privacy._folded_text import LETTER, Rule

_BREAK = (
    r"(?:\s?(?:号码|帐号|账号|帳號|账户|号|號碼|號|account|id|number|nummer|num[ée]ro|no|nr|n\.?[°ºo]|is|ist|est|es|是|为|為)){0,2}"
    r"[\s.:#]{0,3}"
)
_ACCOUNT = re.compile(
    rf"(?:(?<!{LETTER})(?:wechat|weixin|wx|vx)|微信|威信|薇信){_BREAK}"
    r"(?<![a-zA-Z])([a-zA-Z][a-zA-Z\d_-]{5,19}|\d{6,11})"
    rf"(?!{LETTER}|-)",
    re.IGNORECASE,
)
_QQ = re.compile(rf"(?:(?<!{LETTER})qq|扣扣){_BREAK}(?<!\d)([1-9]\d{{4,10}})(?!{LETTER})", re.IGNORECASE)
_PASSPORT = re.compile(
    rf"(?:(?<!{LETTER})(?:passport|reisepass|pass|passeport|pasaporte)(?:nummer|nr)?|护照|護照){_BREAK}"
    rf"(?=(?:[A-Za-z]*\d){{2}})([A-Za-z\d]{{7,10}})(?!{LETTER})",
    re.IGNORECASE,
)
_CHINESE_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ ·.-]?"
    rf"(?=[A-Z]*\d)[A-HJ-NP-Z\d]{{5,6}}(?!{LETTER})"
)
_PLATE = re.compile(
    rf"(?:(?<!{LETTER})(?i:(?:number|licen[cs]e) ?plate|registration|reg|plates?|kennzeichen|nummernschild"
    rf"|plaque(?: d'immatriculation)?|immatriculation|matr[íi]cula)|车牌|車牌){_BREAK}"
    rf"(?=[A-ZÄÖÜ -]{{0,8}}\d)(?=[\d -]{{0,8}}[A-ZÄÖÜ])(?=(?:[ -]?[A-ZÄÖÜ\d]){{4}})"
    rf"([A-ZÄÖÜ\d]{{1,4}}(?:[ -]?[A-ZÄÖÜ\d]{{1,4}}){{1,3}})(?!{LETTER}|-)"
)

LABELLED = [
    Rule("account", _ACCOUNT, group=1),
    Rule("account", _QQ, group=1),
    Rule("passport", _PASSPORT, group=1),
    Rule("plate", _CHINESE_PLATE),
    Rule("plate", _PLATE, group=1),
]
