"""What synthetic items and users talk about: sixteen topics with words of their own."""

from typing import NamedTuple


class Topic(NamedTuple):
    """Words of one topic."""

    name: str
    subjects: tuple[str, ...]
    manners: tuple[str, ...]
    pursuits: tuple[str, ...]


TOPICS = (
    Topic(
        "sailing",
        ("a storm at sea", "an old lighthouse", "a lost schooner", "harbour pilots", "the tides", "a becalmed crew"),
        ("salty", "windswept", "seafaring"),
        ("mends nets", "sails a dinghy at weekends", "collects nautical charts"),
    ),
    Topic(
        "gardening",
        ("rose beds", "an orchard in blossom", "seeds and compost", "a walled garden", "herbs", "slow-growing trees"),
        ("leafy", "earthy", "green-fingered"),
        ("prunes apple trees", "keeps an allotment", "grows tomatoes from seed"),
    ),
    Topic(
        "astronomy",
        ("distant galaxies", "a comet's return", "the rings of Saturn", "telescopes", "black holes", "a lunar eclipse"),
        ("starry", "cosmic", "celestial"),
        ("watches meteor showers", "grinds telescope mirrors", "maps the night sky"),
    ),
    Topic(
        "cooking",
        ("bread and sourdough", "a grandmother's recipes", "spices", "a restaurant kitchen", "soup", "fermented food"),
        ("savoury", "mouth-watering", "buttery"),
        ("bakes on Sundays", "cooks for twelve", "writes down family recipes"),
    ),
    Topic(
        "crime",
        ("a murder in a locked room", "a tired detective", "stolen diamonds", "an alibi", "forged letters", "a jury"),
        ("twisting", "suspenseful", "hard-boiled"),
        ("solves puzzles", "reads trial reports", "guesses every culprit"),
    ),
    Topic(
        "music",
        ("a string quartet", "a jazz pianist", "opera singers", "a symphony", "an old violin", "folk songs"),
        ("lyrical", "melodious", "rhythmic"),
        ("plays the cello", "sings in a choir", "collects jazz records"),
    ),
    Topic(
        "mountains",
        ("a climb without oxygen", "glaciers", "an alpine hut", "an avalanche", "a narrow ridge", "a summit at dawn"),
        ("vertiginous", "rugged", "high-altitude"),
        ("climbs in summer", "skis off the marked runs", "hikes from hut to hut"),
    ),
    Topic(
        "war",
        ("soldiers in a trench", "a siege", "letters from the front", "a field hospital", "spies", "an armistice"),
        ("harrowing", "martial", "battle-scarred"),
        ("visits battlefields", "paints model regiments", "reads campaign histories"),
    ),
    Topic(
        "robots",
        ("thinking machines", "an android's memory", "a runaway algorithm", "circuits", "automata", "drones"),
        ("futuristic", "mechanical", "electronic"),
        ("solders circuit boards", "programs small robots", "takes clocks apart"),
    ),
    Topic(
        "ghosts",
        ("a haunted house", "a pale apparition", "footsteps in the attic", "a séance", "a cursed portrait", "graves"),
        ("eerie", "chilling", "spectral"),
        ("collects ghost stories", "walks through graveyards", "sleeps badly after horror films"),
    ),
    Topic(
        "romance",
        ("a secret engagement", "love letters", "a wedding", "a second chance at love", "a kiss in the rain", "rivals"),
        ("tender", "romantic", "heartfelt"),
        ("cries at weddings", "keeps old love letters", "believes in second chances"),
    ),
    Topic(
        "football",
        ("a penalty shoot-out", "a small-town club", "the goalkeeper", "a cup final", "a young striker", "terraces"),
        ("sporting", "energetic", "competitive"),
        ("plays five-a-side", "coaches an under-tens team", "never misses a home match"),
    ),
    Topic(
        "painting",
        ("a painter's studio", "stolen canvases", "watercolour", "a fresco", "the colour blue", "a portrait sitter"),
        ("painterly", "luminous", "colourful"),
        ("sketches strangers on trains", "mixes pigments", "spends days in galleries"),
    ),
    Topic(
        "finance",
        ("a stock market crash", "a family bank", "bonds and interest", "a pyramid scheme", "inflation", "a merger"),
        ("shrewd", "economical", "high-stakes"),
        ("follows the markets", "keeps careful accounts", "advises small investors"),
    ),
    Topic(
        "animals",
        ("a loyal dog", "migrating geese", "a wolf pack", "an elephant's memory", "a stray cat", "honey bees"),
        ("wild", "furry", "feathered"),
        ("fosters stray cats", "counts birds", "keeps bees"),
    ),
    Topic(
        "philosophy",
        ("free will", "the good life", "an argument about truth", "scepticism", "conscience", "what the mind is"),
        ("thoughtful", "contemplative", "searching"),
        ("argues about ethics", "keeps a notebook of questions", "rereads Plato"),
    ),
)

KINDS = ("novel", "film", "podcast series", "documentary", "handbook", "collection of essays", "graphic novel")
TRADES = ("teacher", "nurse", "engineer", "student", "baker", "accountant", "translator", "carpenter", "retired clerk")
AGE_BANDS = ("under 18", "18-24", "25-34", "35-49", "50-64", "65 and over")
