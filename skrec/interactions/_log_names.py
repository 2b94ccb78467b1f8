"""Which column of a log is the user, the item, the time and the rating, by its name."""

import re
from collections.abc import Iterable, Sequence

_PEOPLE = "user customer client member visitor shopper reviewer subscriber account buyer reader listener viewer guest"
_THINGS = "item product article movie book track song game recipe course video song sku asin isbn"
_SUFFIXES = ("", "id", "no", "number", "key")
_PEOPLE_ZH = "用户 客户 顾客 会员 买家 读者"
_THINGS_ZH = "商品 物品 产品 图书 电影 歌曲 课程"
_SUFFIXES_ZH = ("", "id", "号", "编号", "编码")

ROLE_NAMES: dict[str, frozenset[str]] = {
    "user": frozenset({word + suffix for word in _PEOPLE.split() for suffix in _SUFFIXES})
    | {word + suffix for word in _PEOPLE_ZH.split() for suffix in _SUFFIXES_ZH}
    | {"uid"},
    "item": frozenset({word + suffix for word in _THINGS.split() for suffix in _SUFFIXES})
    | {word + suffix for word in _THINGS_ZH.split() for suffix in _SUFFIXES_ZH}
    | {"iid", "parentasin"},
    "timestamp": frozenset(
        [
            "timestamp",
            "time",
            "date",
            "datetime",
            "ts",
            "createdat",
            "created",
            "orderedat",
            "orderdate",
            "ordertime",
            "purchasedat",
            "purchasedate",
            "eventtime",
            "eventdate",
            "unixtime",
            "unixreviewtime",
            "viewedat",
            "clickedat",
            "playedat",
            "ratedat",
            "reviewedat",
            "reviewdate",
            "時間",
            "时间",
            "日期",
            "时间戳",
            "下单时间",
            "订单时间",
            "购买时间",
            "付款时间",
            "支付时间",
            "交易时间",
            "浏览时间",
            "点击时间",
            "创建时间",
        ]
    ),
    "rating": frozenset(
        [
            "rating",
            "ratings",
            "stars",
            "star",
            "score",
            "scores",
            "overall",
            "weight",
            "quantity",
            "qty",
            "count",
            "plays",
            "playcount",
            "strength",
            "amount",
            "评分",
            "评级",
            "数量",
            "分数",
        ]
    ),
}

_WHAT = {
    "user": "the user ids",
    "item": "the item ids",
    "timestamp": "the time of the event",
    "rating": "the rating or strength",
}


def normalized_name(name: object) -> str:
    """A column name without case, spaces and punctuation: ``"Created_At"`` is ``"createdat"``."""
    return re.sub(r"[\W_]+", "", str(name).casefold())


def find_column(role: str, chosen: object, names: Sequence[str], taken: Iterable[str], *, required: bool) -> str | None:
    """The column of a role: the one that the caller names, or the only one whose name says so.

    Parameters
    ----------
    role : {"user", "item", "timestamp", "rating"}
    chosen : str, int, None or False
        A column name or position; None finds it by name; False means that the table has none.
    names : sequence of str
        All columns.
    taken : iterable of str
        Columns that have another role.
    required : bool
        Whether the role must be found.

    Raises
    ------
    ValueError
        If the named column does not exist, or if none or several columns could be meant.
    """
    if chosen is False and not required:
        return None
    if chosen is not None:
        return column_named(chosen, names, role)
    taken = set(taken)
    found = [name for name in names if name not in taken and normalized_name(name) in ROLE_NAMES[role]]
    if len(found) == 1:
        return found[0]
    if found:
        none = "" if required else f", or {role}=False if none of them is"
        raise ValueError(
            f"The columns {found} could all be {_WHAT[role]}. Pass the one that is, as in {role}={found[0]!r}{none}."
        )
    if required:
        raise ValueError(
            f"No column name says which one holds {_WHAT[role]}; the columns are {list(names)}. Pass {role}='...'."
        )
    return None


def column_named(chosen: object, names: Sequence[str], role: str) -> str:
    """A column by its name or position.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if isinstance(chosen, int) and not isinstance(chosen, bool) and -len(names) <= chosen < len(names):
        return names[chosen]
    if isinstance(chosen, str) and chosen in names:
        return chosen
    raise ValueError(f"{role}={chosen!r} is not a column; the columns are {list(names)}.")
