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

# Names that are read as a role only where no column has one of those above.
_WEAK_SUFFIXES = ("code", "name", "title", "email", "mail", "nr", "num", "ref", "uuid", "hash")
_WEAK_SUFFIXES_ZH = ("代码", "名称", "名", "昵称", "姓名", "账号", "邮箱", "手机号", "卡号", "标识")
_EVENTS = (
    "order ordered purchase purchased bought buy sale sold payment paid transaction checkout event review reviewed "
    "rating rated click clicked view viewed visit visited play played watch watched listen listened read borrow "
    "borrowed loan loaned rental rented booking booked download downloaded feedback interaction activity created"
)
_EVENTS_ZH = (
    "下单 订单 订购 购买 付款 支付 交易 成交 消费 浏览 点击 访问 观看 播放 收听 阅读 借阅 收藏 评价 评论 评分 打分 "
    "反馈 预订 选课 行为 操作 发生 创建 下單 訂單 購買 交易 瀏覽 點擊 評價 評分 觀看"
)

WEAK_NAMES: dict[str, frozenset[str]] = {
    "user": frozenset({word + suffix for word in (*_PEOPLE.split(), "person", "patron") for suffix in _WEAK_SUFFIXES})
    | {word + suffix for word in _PEOPLE_ZH.split() for suffix in _WEAK_SUFFIXES_ZH}
    | {"email", "person", "personid", "patron", "patronid", "学生", "学号", "借阅者", "昵称", "账号"},
    "item": frozenset({word + suffix for word in (*_THINGS.split(), "film") for suffix in _WEAK_SUFFIXES})
    | {word + suffix for word in _THINGS_ZH.split() for suffix in _WEAK_SUFFIXES_ZH}
    | {"film", "filmid", "title", "书名", "片名", "歌名", "货号", "视频", "视频id", "文章", "文章id", "菜品", "店铺"},
    "timestamp": frozenset(
        {word + suffix for word in _EVENTS.split() for suffix in ("at", "on", "date", "time", "datetime", "timestamp")}
    )
    | {word + suffix for word in _EVENTS_ZH.split() for suffix in ("时间", "日期", "时间戳", "時間")},
    "rating": frozenset(
        {"星级", "打分", "得分", "评价分数", "购买数量", "件数", "次数", "播放次数", "点击次数", "評分", "數量"}
    )
    | {word + suffix for word in ("user", "review", "item", "star") for suffix in ("rating", "score", "stars")},
}

_WHAT = {
    "user": "the user ids",
    "item": "the item ids",
    "timestamp": "the time of the event",
    "rating": "the rating or strength",
}


def normalized_name(name: object) -> str:
    """A column name without case, spaces, punctuation and brackets: ``"Created_At (UTC)"`` is ``"createdat"``."""
    whole = str(name).casefold()
    outside = re.sub(r"\(.*?\)|（.*?）|\[.*?\]", "", whole)
    return re.sub(r"[\W_]+", "", outside) or re.sub(r"[\W_]+", "", whole)


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
    free = [name for name in names if name not in set(taken)]
    found = [name for name in free if normalized_name(name) in ROLE_NAMES[role]]
    found = found or [name for name in free if normalized_name(name) in WEAK_NAMES[role]]
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
