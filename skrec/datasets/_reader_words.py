"""What the profiles of the simulated readers are written with, in each language of the bookshop."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReaderWords:
    """Words and punctuation of one language.

    Attributes
    ----------
    themes : dict of str to str
        Name of each theme, by its column in the data file.
    phrases : dict of str to tuple of three str
        What a reader looks for whose taste a theme is.
    trades, countries, habits : tuples of str
    retired : str
        Beginning of the trades that only people of 58 and older have.
    book_forms : frozenset of str
        Genres that say what form a book has, and nothing of its content.
    separator : str
        Between the genres of one book.
    joins : tuple of two str
        Between the phrases of a biography: all but the last, and before the last.
    biography : str
        Template with ``trade``, ``phrases`` and ``habit``.
    """

    themes: dict[str, str]
    phrases: dict[str, tuple[str, str, str]]
    trades: tuple[str, ...]
    countries: tuple[str, ...]
    habits: tuple[str, ...]
    retired: str
    book_forms: frozenset[str]
    separator: str
    joins: tuple[str, str]
    biography: str

    def list_phrases(self, phrases: list[str]) -> str:
        """Return the phrases as one enumeration."""
        *first, last = phrases
        return f"{self.joins[0].join(first)}{self.joins[1]}{last}" if first else last


_PHRASES = {
    "adventure": ("narrow escapes", "stories of daring", "long chases and hidden treasure"),
    "childhood": ("books to read aloud to children", "stories of growing up", "tales remembered from the nursery"),
    "crime": ("detective stories", "murders in locked rooms", "puzzles with a culprit"),
    "faith": ("books about faith and doubt", "saints and sinners", "religious writing of every kind"),
    "family": ("family sagas", "stories of parents and children", "novels about brothers and sisters"),
    "humour": ("anything that makes you laugh", "comic novels", "satire with a straight face"),
    "ideas": ("philosophy", "books that argue", "big questions about how to live"),
    "justice": ("books about injustice and those who fought it", "novels with a conscience", "tales of the oppressed"),
    "loss": ("quiet books about grief", "elegies", "melancholy endings"),
    "love": ("love stories", "novels about marriage", "tales of longing"),
    "nature": ("nature writing", "landscapes and animals", "books that smell of woods and fields"),
    "past": ("history", "historical novels", "chronicles of old wars and kings"),
    "science": ("science and inventions", "scientific romances", "books that explain how the world works"),
    "sea": ("sea voyages", "anything with a ship in it", "storms, islands and sailors"),
    "society": ("novels of manners", "money, class and gossip", "portraits of a whole city"),
    "solitude": ("solitary narrators", "books for being alone with", "outsiders and hermits"),
    "terror": ("ghost stories", "gothic horror", "books that keep you awake at night"),
    "travel": ("travel books", "journeys to far countries", "road stories"),
    "war": ("war novels", "battles and soldiers", "books about what war does to people"),
    "wonder": ("fairy tales", "myths and magic", "fantastic journeys"),
}

ENGLISH = ReaderWords(
    themes={name: name for name in _PHRASES},
    phrases=_PHRASES,
    trades=(
        "Teacher", "Nurse", "Bookbinder", "Engineer", "Retired clerk", "Translator", "Student", "Gardener",
        "Bus driver", "Accountant", "Carpenter", "Doctor", "Baker", "Musician", "Journalist", "Librarian",
        "Farmer", "Electrician",
    ),
    countries=(
        "United Kingdom", "United States", "Ireland", "India", "France", "Germany", "Spain", "Italy", "Poland",
        "Brazil", "Mexico", "Japan", "Nigeria", "South Africa", "Canada", "Australia", "Norway", "Egypt",
        "Argentina", "Turkey",
    ),
    habits=(
        "Reads on the train.", "Reads in bed, always too late.", "Reads slowly and underlines.",
        "Belongs to a book club.", "Buys more than can be read.", "Rereads old favourites.",
        "Reads on long winter evenings.", "Reads over lunch.",
    ),
    retired="Retired",
    book_forms=frozenset({"novel", "novella", "short stories", "short story"}),
    separator=", ",
    joins=(", ", " and "),
    biography="{trade}. Looks for {phrases}. {habit}",
)  # fmt: skip

_CHINESE_PHRASES = {
    "adventure": ("死里逃生的故事", "胆大的冒险", "追逐与宝藏"),
    "childhood": ("能念给孩子听的书", "成长的故事", "小时候听过的童话"),
    "crime": ("侦探小说", "密室里的凶案", "要猜凶手的谜题"),
    "faith": ("谈信仰与怀疑的书", "圣徒与罪人", "各种宗教书"),
    "family": ("家族的兴衰", "父母与儿女的故事", "写兄弟姐妹的小说"),
    "humour": ("能让人笑出来的书", "滑稽小说", "板着脸的讽刺"),
    "ideas": ("哲学", "爱争论的书", "怎样生活这样的大问题"),
    "justice": ("写不公与反抗的书", "有良心的小说", "受压迫者的故事"),
    "loss": ("安静地写哀伤的书", "悼亡的诗文", "伤感的结局"),
    "love": ("爱情故事", "写婚姻的小说", "写思念的书"),
    "nature": ("写自然的散文", "山水与动物", "有树林和田野气味的书"),
    "past": ("历史", "历史小说", "旧日帝王与战争的记载"),
    "science": ("科学与发明", "科学幻想小说", "讲世界怎样运行的书"),
    "sea": ("航海故事", "有船就好", "风暴、海岛与水手"),
    "society": ("世情小说", "写金钱、门第与闲话的书", "一座城市的众生相"),
    "solitude": ("孤独的叙述者", "适合独处时读的书", "隐士与局外人"),
    "terror": ("鬼故事", "阴森的恐怖小说", "让人夜里睡不着的书"),
    "travel": ("游记", "去远方的旅程", "路上的故事"),
    "war": ("战争小说", "战役与士兵", "写战争如何改变人的书"),
    "wonder": ("童话", "神话与法术", "奇幻的旅程"),
}

CHINESE = ReaderWords(
    themes={
        "adventure": "冒险", "childhood": "童年", "crime": "罪案", "faith": "信仰", "family": "家庭",
        "humour": "幽默", "ideas": "思想", "justice": "正义", "loss": "哀伤", "love": "爱情", "nature": "自然",
        "past": "历史", "science": "科学", "sea": "海洋", "society": "社会", "solitude": "孤独",
        "terror": "恐怖", "travel": "旅行", "war": "战争", "wonder": "奇幻",
    },
    phrases=_CHINESE_PHRASES,
    trades=(
        "教师", "护士", "装订工", "工程师", "退休职员", "翻译", "学生", "园丁", "公交司机", "会计", "木匠",
        "医生", "面包师", "乐手", "记者", "图书管理员", "农民", "电工",
    ),
    countries=(
        "中国", "新加坡", "马来西亚", "美国", "加拿大", "澳大利亚", "英国", "法国", "德国", "日本", "韩国",
        "泰国", "越南", "印度", "意大利", "西班牙", "巴西", "埃及", "新西兰", "荷兰",
    ),
    habits=(
        "在地铁上读书。", "睡前读书，总是读得太晚。", "读得很慢，爱划线。", "参加了读书会。",
        "买得多，读不完。", "常常重读旧爱。", "冬天的长夜里读书。", "午饭时读书。",
    ),
    retired="退休",
    book_forms=frozenset({"小说", "中篇小说", "短篇小说"}),
    separator="、",
    joins=("、", "和"),
    biography="{trade}。爱读{phrases}。{habit}",
)  # fmt: skip
