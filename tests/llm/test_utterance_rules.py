"""What the rules of the parser make of unknown words around known ones, one case a rule and language."""

import pytest
from utterances import books, misread

RULES = {
    "what tells of the user is no wish": [
        ("en", "something short, my flight is only two hours", "pages<"),
        ("de", "bloß keinen Horror, sonst kann ich nachts nicht schlafen", "not:Horror"),
        ("fr", "rien sur la guerre, ça me déprime", "not:guerre"),
        ("es", "nada de terror, que luego no duermo", "not:terror"),
    ],
    "small talk is none": [
        ("en", "hang on, someone's at the door", "none"),
        ("de", "Guten Tag, na, viel los heute?", "none"),
        ("es", "¿a qué hora cierran hoy?", "none"),
    ],
    "a negated verb turns down": [
        ("en", "I wasn't impressed by Don Quixote", "dislike:b14"),
        ("de", "mit Emma bin ich nicht warm geworden", "dislike:b03"),
        ("fr", "la dernière proposition ne me convainc pas", "dislike:b11"),
        ("es", "no conecté con Emma", "dislike:b03"),
    ],
    "but not the theme that a relative clause is about": [
        ("de", "habt ihr einen Krimi, der mich nicht einen Monat kostet?", "want:Krimi"),
        ("fr", "vous auriez un polar qui ne me prendra pas un mois ?", "want:polar"),
    ],
    "a shown item by what is said of it": [
        ("en", "the Austen one looks tempting", "like:b04"),
        ("de", "den Austen-Roman find ich verlockend", "like:b04"),
        ("fr", "celui d'Austen me tente bien", "like:b04"),
        ("es", "el de Austen me tienta", "like:b04"),
    ],
    "joined numbers are places": [
        ("en", "numbers one and four, please", "like:b01 like:b07"),
        ("de", "eins und vier bitte", "like:b01 like:b07"),
        ("es", "el uno y el cuatro, por favor", "like:b01 like:b07"),
    ],
    "a negation reverses an adjective of its clause": [
        ("en", "I can never get through long books", "pages<"),
        ("de", "lange Bücher schaffe ich nie", "pages<"),
        ("fr", "les longs livres, je n'y arrive jamais", "pages<"),
    ],
    "two verdicts in a clause": [
        ("fr", "j'ai déjà lu le cinquième et je n'aime pas le troisième", "known:b11 dislike:b05"),
        ("es", "el quinto ya lo leí y el tercero no me gusta", "known:b11 dislike:b05"),
    ],
    "who is named is no title": [
        ("en", "my daughter's called Emma, by the way", "none"),
        ("de", "meine Tochter heißt übrigens Emma", "none"),
    ],
    "the place named before": [
        ("es", "nos vamos a París en mayo y me gustaría un libro que transcurra allí", "want:París"),
        ("en", "we're off to Paris in May, a story set there would be lovely", "want:Paris"),
    ],
    "a bound in what is told of an item is none": [
        ("en", "War and Peace? God, I gave up after a hundred pages, so dull", "dislike:b09"),
        ("es", "guerra y paz lo dejé a las cien páginas, qué aburrimiento", "dislike:b09"),
    ],
    "words that are written as one": [
        ("fr", "cest trop long", "pages<"),
        ("de", "gibts noch andere Vorschläge?", "reject"),
    ],
    "an answer inside a text": [
        ("en", "um, not really, no", "no"),
        ("de", "das spielt für mich keine Rolle", "any"),
        ("fr", "non, plutôt quelque chose avec un chevalier", "no want:chevalier"),
    ],
    "a question about an item judges nothing": [
        ("en", "how long is the third one?", "none"),
        ("de", "wie lang ist das dritte?", "none"),
        ("es", "¿cuántas páginas tiene el tercero?", "none"),
    ],
    "what is said of a topic with a verb of dislike is no wish": [
        ("en", "war stories bore me rigid", "not:war"),
        ("de", "Kriegsgeschichten langweilen mich zu Tode", "not:Krieg"),
        ("fr", "les histoires de guerre m'ennuient à mourir", "not:guerre"),
        ("es", "las historias de guerra me aburren mortalmente", "not:guerra"),
        ("en", "I can't be bothered with anything over 400 pages", "pages<=400"),
        ("de", "alles über 400 Seiten ist mir zu viel", "pages<=400"),
    ],
    "too much of a theme asks for less": [
        ("en", "too much murder in these", "not:murder"),
        ("de", "zu viel Mord dabei", "not:Mord"),
        ("fr", "trop de meurtres là-dedans", "not:meurtre"),
        ("es", "demasiados asesinatos", "not:asesinato"),
    ],
    "more of this and less of that, in either order": [
        ("fr", "moins de romance, plus de pirates", "not:romance want:pirates"),
        ("fr", "je veux plus d'aventure et moins de romance", "want:aventure not:romance"),
    ],
    "an experience with an item is no theme": [
        ("en", "The Metamorphosis made me laugh, something in that vein please", "like:b16"),
        ("de", "bei Emma hab ich geheult, sowas nochmal", "like:b03"),
        ("fr", "j'ai pleuré sur Emma, j'en veux un autre comme ça", "like:b03"),
        ("es", "La metamorfosis me hizo reír, algo por el estilo", "like:b16"),
        ("es", "leí La isla del tesoro de niño", "known:b07"),
    ],
    "a label in another form is what the items call it": [
        ("en", "comedies, ideally short ones", "want:comedy pages<"),
        ("en", "sci-fi pls", "want:science fiction"),
    ],
    "what is chosen and no item has tells of the user": [
        ("en", "I'll take the ferry, so at least 700 pages", "pages>=700"),
        ("fr", "Je prends le Transsibérien, il me faut au moins 700 pages", "pages>=700"),
    ],
    "a time named before": [
        ("en", "I collect 19th-century books, so one from that period please", "year>=1800 year<=1900"),
        ("es", "colecciono libros del siglo XIX, uno de esa época por favor", "year>=1800 year<=1900"),
    ],
    "a place by a number word after a verb": [
        ("en", "number two please, and drop number five", "like:b04 dislike:b11"),
        ("fr", "le numéro deux s'il vous plaît, et virez le cinq", "like:b04 dislike:b11"),
        ("es", "el número dos, por favor, y quita el cinco", "like:b04 dislike:b11"),
        ("en", "I've read numbers one to three", "known:b01 known:b04 known:b05"),
        ("de", "Nummer eins bis drei hab ich gelesen", "known:b01 known:b04 known:b05"),
    ],
    "a pronoun after a theme": [
        ("en", "any monsters? my lad is mad about them", "want:monster"),
        ("de", "Monster? mein Sohn ist verrückt danach", "want:Monster"),
    ],
    "why always this": [
        ("en", "why do you keep showing me romance?", "not:romance"),
        ("de", "warum zeigst du mir dauernd Liebesromane?", "not:Liebesroman"),
        ("fr", "pourquoi tu me montres toujours de la romance ?", "not:romance"),
        ("es", "¿por qué me enseñas siempre romance?", "not:romance"),
    ],
    "a fresh start rejects nothing else": [
        ("en", "this is hopeless, start over", "restart"),
        ("fr", "ça ne mène à rien, recommençons", "restart"),
        ("es", "esto no lleva a nada, empecemos de nuevo", "restart"),
    ],
    "a fault found with an item": [
        ("en", "the second one is too long", "dislike:b04 pages<"),
        ("de", "das zweite ist zu lang", "dislike:b04 pages<"),
        ("fr", "le Dostoïevski est trop long", "dislike:b05 pages<"),
        ("es", "el de Dostoyevski es demasiado largo", "dislike:b05 pages<"),
        ("en", "Don Quixote just isn't funny", "dislike:b14"),
        ("fr", "Don Quichotte ne me fait pas rire", "dislike:b14"),
    ],
    "what is granted is no wish": [
        ("en", "I know it's a classic but Don Quixote just isn't funny", "dislike:b14"),
        ("es", "sé que es un clásico, pero Don Quijote me aburrió", "dislike:b14"),
        ("es", "no me importa que sea largo", "none"),
    ],
    "one more verb about an item that is turned down": [
        ("en", "Moby-Dick was a slog, gave up halfway", "dislike:b08"),
        ("de", "Den Don Quijote habe ich längst durch.", "known:b14"),
        ("fr", "La Métamorphose, on l'a déjà étudiée au lycée l'an dernier", "known:b16"),
    ],
    "a no to what was said before": [
        ("en", "Poe? no, more like Wells", "want:Wells"),
        ("es", "no sé, elige tú", "none"),
    ],
    "a name in full": [
        ("de", "dick darf es ruhig sein", "pages>"),
        ("fr", "notre chien s'appelle Dracula", "none"),
        ("es", "nuestro perro se llama Drácula", "none"),
    ],
    "a bound joined with a word that no item has": [
        ("en", "at least 800 pages and Russian if possible", "pages>=800 want:Russian"),
        ("es", "al menos 800 páginas y ruso, por favor", "pages>=800 want:ruso"),
    ],
    "ranges, centuries and numbers in words": [
        ("fr", "après 1800 s'il vous plaît", "year>=1801"),
        ("de", "zwischen 150 und 250 Seiten, mehr nicht", "pages>=150 pages<=250"),
        ("de", "nur neunzehntes Jahrhundert", "year>=1800 year<=1900"),
        ("en", "200-300 pages would be ideal", "pages>=200 pages<=300"),
        ("en", "it should be from the 1800s", "year>=1800 year<=1899"),
        ("en", "shorter than three hundred pages", "pages<=299"),
        ("fr", "150 pages maxi", "pages<=150"),
    ],
}
CASES = [(rule, *case) for rule, cases in RULES.items() for case in cases]


@pytest.mark.parametrize(("rule", "language", "text", "label"), CASES, ids=[f"{c[1]} {c[2]}" for c in CASES])
def test_rules(rule, language, text, label):
    ids, facts = books(language)
    assert misread(text, label, language, ids, facts) == [], rule
