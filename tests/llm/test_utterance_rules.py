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
    "ranges, centuries and numbers in words": [
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
