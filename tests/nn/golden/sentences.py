"""Texts for the goldens of real models: short and long, plain and hard, none of them from a data set."""

SENTENCES = [
    "",
    "good",
    "no",
    "A joy from first to last.",
    "Two hours that I will not get back.",
    "The plot is thin, yet the actors make you forget it.",
    "I expected little and got less.",
    "Not bad at all, in fact rather good.",
    "It is not that the film fails; it never even tries.",
    "Funny, warm and a little sad.",
    "The camera loves her, and so will you.",
    "Loud, long and empty.",
    "He plays the villain with such relish that the hero fades.",
    "If you liked the book, stay at home.",
    "Every joke lands, some of them twice.",
    "The ending ruins what the first hour built with care.",
    "I laughed, I cried, I checked my watch.",
    "What a mess!",
    "A small film with a large heart.",
    "The dialogue sounds as if it had been translated, badly, from a language nobody speaks.",
    "Worth seeing once for the music; worth hearing many times.",
    "My children loved it, and I slept well.",
    "Brilliant? Hardly. Watchable? Just about.",
    "Seldom has so much money bought so little wonder.",
    "The waiter was rude, the soup was cold, and the bill was wrong.",
    "Delivery took three weeks, but the shoes fit perfectly.",
    "The battery lasts two days and the screen is sharp.",
    "It broke on the first day; support never answered.",
    "Caf\u00e9 culture, na\u00efve heroes and a fa\u00e7ade of irony.",
    "\u6620\u753b\u306f\u3068\u3066\u3082\u826f\u304b\u3063\u305f\u3002",
    "10/10 would watch again!!! \U0001f600",
    "http://example.org/review?id=42 says it all",
    "UNDERRATED. UNDERSTATED. UNFORGETTABLE.",
    "antidisestablishmentarianism meets slapstick",
    "\"Trust me,\" says the trailer. Do not.",
    "The [MASK] of the film is its [MASK].",
]

# by number of sentences joined: some 30, 70, 130, 250 tokens, and more than 512
LONG = [" ".join(SENTENCES[first : first + count]) for first, count in ((3, 3), (6, 6), (1, 12), (3, 22))]
LONG.append(" ".join((SENTENCES * 2)[3:65]))

ALL = SENTENCES + LONG
