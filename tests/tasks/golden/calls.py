"""The calls whose answers are goldens: of transformers.pipeline and of sentence-transformers. Texts are our own."""

import dataclasses


@dataclasses.dataclass
class Call:
    """pipeline(task, model, **init)(*args, **kwargs)"""

    model: str
    task: str
    init: dict
    args: tuple
    kwargs: dict


def call(model, task, *args, init=None, **kwargs):
    return Call(model, task, init or {}, args, kwargs)


SENTENCES = [
    "The film is slow at first, but its last hour is a quiet wonder.",
    "Dull, loud and far too long.",
    "",
    "   ",
    "?!... --",
    "I don't know why we'd ever watch it twice; she's right, isn't she?",
    "Caf\u00e9 culture, na\u00efve heroes and a fa\u00e7ade of irony.",
    "\u6620\u753b\u306f\u3068\u3066\u3082\u826f\u304b\u3063\u305f\u3002",
    "10/10 would watch again!!! \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Price: $1,250.99 (about 20% less than in 2009)",
    "antidisestablishmentarianism meets slapstick",
    "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u041c\u043e\u0441\u043a\u0432\u0430, "
    "\u0645\u0631\u062d\u0628\u0627",
]

LONG = (
    "The old museum by the river was built in 1952 by two brothers from Germany. Its first hall shows maps and small "
    "ships of wood. In the second hall stands a clock that has not stopped since the day it came from Paris. Every "
    "morning Maria opens the doors, counts the chairs and feeds the grey cat that sleeps under the stairs. Visitors "
    "ask her about the storm of 1978, when the water reached the third step and the letters of the king were carried "
    "to the roof. She tells them that John Smith, a young engineer from London, dried each page with warm sand. Some "
    "of the letters can still be read, others are only blue shadows. The city wanted to move the collection to a new "
    "house of glass and steel, but the people said no. So the museum stayed, with its narrow windows, its smell of "
    "oil and dust, and its garden where children play between white stones. On Sundays a band plays until six, and "
    "then the doors are closed, the lights go out one after another, and the cat walks home."
)

PEOPLE = [
    "Maria Smith met Dr. John O'Neil at the University of Oxford in London on May 3, 1999.",
    "Angela's brother works for IBM in New York, and his wife for Deutsche Telekom in Berlin.",
    "\u00c9douard M\u00fcller and Zo\u00eb left S\u00e3o Paulo for Z\u00fcrich \U0001f6eb\ufe0f.",
    "\u6771\u4eac is Tokyo; \u5317\u4eac is Beijing.",
    "microsoft bought github, didn't it?",
    "A state-of-the-art lab (run by J. K. Rowland) opened in St. Petersburg...",
    "Ame\u0301lie, Jose\u0301 E\u0301mile and \u0130smail met "
    "A\u030angstro\u0308m\u2019s niece from Vie\u0323\u0302t Nam \ufb01rst.",
]

STRATEGIES = ["none", "simple", "first", "average", "max"]

CASTLE = (
    "The castle was built in 1342 by King Charles on a hill above the river. After the great fire of 1561 only the "
    "north tower and a part of the kitchen were left. A rich merchant from Paris bought the ruins for two hundred "
    "gold coins and gave them to his daughter Anna."
)
UNICODE_CONTEXTS = [
    ("Where does Zo\u00eb live?",
     "Zo\u00eb M\u00fcller lives in S\u00e3o Paulo \U0001f1e7\U0001f1f7, not in Z\u00fcrich; "
     "her caf\u00e9 is called \u00ab D\u00e9j\u00e0 Vu \u00bb."),
    ("\u4f55\u51e6?",
     "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002"
     "\u5317\u4eac\u306f\u4e2d\u56fd\u306e\u9996\u90fd\u3067\u3059\u3002"),
    ("What did she send?",
     "She sent \U0001f600\U0001f600 and then \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \u2764\ufe0f "
     "to cafe\u0301 owners\u2026 twice!"),
]


def text_classification():
    film, dull = SENTENCES[:2]
    task = "text-classification"
    for text in SENTENCES:
        yield call("distilbert_sentiment", task, text)
    yield call("distilbert_sentiment", "sentiment-analysis", film)
    yield call("distilbert_sentiment", "sentiment-analysis", SENTENCES[:6])
    yield call("distilbert_sentiment", "sentiment-analysis", [film])
    yield call("distilbert_sentiment", task, [])
    yield call("distilbert_sentiment", task, film, top_k=None)
    yield call("distilbert_sentiment", task, film, top_k=1)
    yield call("distilbert_sentiment", task, [film, dull], top_k=2)
    yield call("distilbert_sentiment", task, [film, dull], init={"top_k": None})
    yield call("distilbert_sentiment", task, film, init={"top_k": 1})
    for function in ("none", "sigmoid", "softmax"):
        yield call("distilbert_sentiment", task, [film, dull], top_k=None, function_to_apply=function)
        yield call("distilbert_topics", task, film, function_to_apply=function)
    yield call("distilbert_sentiment", task, film, init={"function_to_apply": "none"})
    yield call("distilbert_topics", task, SENTENCES[:3], top_k=None)
    yield call("distilbert_topics", task, SENTENCES[6:9], top_k=3)
    yield call("distilbert_topics", task, film, top_k=10)
    yield call("distilbert_topics", task, film)
    yield call("distilbert_rating", task, [film, dull])
    yield call("distilbert_rating", task, film, top_k=None)
    yield call("distilbert_rating", task, film, function_to_apply="sigmoid")
    yield call("distilbert_rating", task, film, function_to_apply="softmax")
    yield call("distilbert_sentiment", task, LONG, truncation=True)
    yield call("distilbert_sentiment", task, [film, LONG], init={"truncation": True, "max_length": 20})
    yield call("distilbert_sentiment", task, [film, LONG, dull], truncation=True, padding=True, batch_size=3)
    yield call("distilbert_topics", task, film, padding="max_length", max_length=40, truncation=True)
    pair = {"text": "The band plays until six.", "text_pair": "Nobody makes music on Sundays."}
    for key in ("distilbert_nli", "bert_pairs", "bert_nli"):
        yield call(key, task, pair)
        yield call(key, task, pair, top_k=None)
        yield call(key, task, [pair, {"text": film, "text_pair": dull}, {"text": dull, "text_pair": film}])
        yield call(key, task, {"text": LONG, "text_pair": film}, truncation=True, top_k=None)
    yield call("bert_pairs", task, {"text": film, "text_pair": LONG}, truncation="only_second", max_length=64)
    yield call("bert_pairs", task, {"text": LONG, "text_pair": LONG[100:]}, truncation="longest_first", max_length=50)
    yield call("bert_pairs", task, {"text": film})
    yield call("bert_pairs", task, [film, dull], top_k=None)
    yield call("bert_pairs", task, [[[film, dull]]])


def feature_extraction():
    task = "feature-extraction"
    for key in ("distilbert_encoder", "bert_encoder"):
        yield call(key, task, SENTENCES[1])
        yield call(key, task, [SENTENCES[2], SENTENCES[4], SENTENCES[6]])
        yield call(key, task, LONG, tokenize_kwargs={"truncation": True, "max_length": 12})
    yield call("distilbert_encoder", task, LONG, truncation=True, tokenize_kwargs={"max_length": 9})
    yield call("distilbert_encoder", task, SENTENCES[8],
               init={"tokenize_kwargs": {"truncation": True, "max_length": 7}})
    yield call("distilbert_encoder", task, [SENTENCES[1]])
    yield call("distilbert_encoder", task, [])


def token_classification():
    task = "token-classification"
    for key in ("distilbert_ner", "bert_cased_ner"):
        for strategy in STRATEGIES:
            yield call(key, task, PEOPLE, init={"aggregation_strategy": strategy})
    for strategy in STRATEGIES:
        yield call("distilbert_ner", "ner", SENTENCES[5], aggregation_strategy=strategy)
        yield call("distilbert_ner", task, SENTENCES[10], aggregation_strategy=strategy, ignore_labels=[])
    yield call("distilbert_ner", "ner", PEOPLE[0])
    yield call("distilbert_ner", "ner", [PEOPLE[0]])
    yield call("distilbert_ner", "ner", "")
    yield call("distilbert_ner", "ner", ["", "   ", PEOPLE[3]], aggregation_strategy="simple")
    yield call("distilbert_ner", task, PEOPLE[1], ignore_labels=["B-PER", "I-LOC"])
    yield call("distilbert_ner", task, PEOPLE[1], aggregation_strategy="simple", ignore_labels=["PER", "O"])
    yield call("distilbert_ner", task, PEOPLE[1], aggregation_strategy="first", ignore_labels=["B-PER"])
    yield call("bert_cased_ner", task, PEOPLE[5], init={"aggregation_strategy": "simple", "ignore_labels": ["LOC"]})
    yield call("distilbert_ner", task, LONG, aggregation_strategy="average")
    yield call("distilbert_window_ner", task, LONG[:400], aggregation_strategy="simple")
    for strategy in STRATEGIES[1:]:
        yield call("distilbert_window_ner", task, LONG[:400], init={"aggregation_strategy": strategy, "stride": 6})
    yield call("distilbert_window_ner", task, LONG[:200], init={"stride": 6})
    yield call("distilbert_window_ner", task, LONG[:300], init={"aggregation_strategy": "simple", "stride": 0})
    yield call("distilbert_window_ner", task, [PEOPLE[4], LONG[100:350], PEOPLE[2] * 3],
               init={"aggregation_strategy": "first", "stride": 10})
    yield call("distilbert_ner", task, ["Maria", "Smith's", "cat", "sleeps", "in", "S\u00e3o", "Paulo."],
               is_split_into_words=True, aggregation_strategy="simple")


def question_answering():
    task = "question-answering"
    who = "Who bought the ruins?"
    for key in ("distilbert_qa", "bert_qa"):
        yield call(key, task, question=who, context=CASTLE)
        yield call(key, task, question=who, context=CASTLE, top_k=5)
        yield call(key, task, question=who, context=CASTLE, top_k=4, align_to_words=False)
        yield call(key, task, question=who, context=CASTLE, top_k=3, max_answer_len=2)
        yield call(key, task, question=who, context=CASTLE, handle_impossible_answer=True, top_k=3)
        yield call(key, task, question="When did the storm come?", context=LONG)
        yield call(key, task, question="When did the storm come?", context=LONG, top_k=6)
        yield call(key, task, question="When did the storm come?", context=LONG, max_seq_len=40, doc_stride=10, top_k=3)
        for question, context in UNICODE_CONTEXTS:
            yield call(key, task, question=question, context=context)
            yield call(key, task, question=question, context=context, top_k=3, align_to_words=False)
    qa = "distilbert_qa"
    yield call(qa, task, {"question": who, "context": CASTLE})
    yield call(qa, task, [{"question": who, "context": CASTLE}, {"question": "Who is Anna?", "context": LONG}])
    yield call(qa, task, question=[who, "What was left?"], context=CASTLE)
    yield call(qa, task, question=[who, "Who feeds the cat?"], context=[CASTLE, LONG], top_k=2)
    yield call(qa, task, question=who, context=CASTLE, max_answer_len=1)
    yield call(qa, task, question=who, context=CASTLE, max_answer_len=40)
    yield call(qa, task, question=who, context=CASTLE, init={"handle_impossible_answer": True})
    yield call(qa, task, question=who, context=CASTLE, init={"top_k": 2, "max_answer_len": 4})
    for question in ("Who is Anna?", "Was it cold?"):
        yield call(qa, task, question=question, context=CASTLE, handle_impossible_answer=True, top_k=3)
        yield call("bert_qa", task, question=question, context=LONG, handle_impossible_answer=True, top_k=2)
    yield call(qa, task, question="Was it cold?", context=CASTLE, handle_impossible_answer=True)
    yield call(qa, task, question="Who feeds the cat?", context=LONG, handle_impossible_answer=True, top_k=8)
    yield call(qa, task, question="Who feeds the cat?", context=LONG, max_seq_len=64, doc_stride=0)
    yield call(qa, task, question="Who feeds the cat?", context=LONG, max_seq_len=64, doc_stride=40, top_k=2)
    yield call(qa, task, question="Who feeds the cat?", context=LONG, max_seq_len=50, padding="max_length")
    yield call(qa, task, question=LONG[:150], context=CASTLE, max_question_len=10, max_seq_len=80)
    yield call(qa, task, question="Who?", context="Anna.")
    yield call(qa, task, question="Who?", context="The cat, the Cat and THE CAT sleep under the cat.", top_k=4)


def fill_mask():
    task = "fill-mask"
    river = "The museum stands by the [MASK]."
    for key in ("distilbert_mlm", "bert_mlm"):
        yield call(key, task, river)
        yield call(key, task, river, top_k=2)
        yield call(key, task, river, targets=["river", "house", "cat", "sea"])
        yield call(key, task, "[MASK] opens the [MASK] every morning.", top_k=3)
        yield call(key, task, [river, "She walks [MASK] after six."], top_k=2)
    mlm = "distilbert_mlm"
    yield call(mlm, task, "[MASK]")
    yield call(mlm, task, [river], top_k=1)
    yield call(mlm, task, [river, "[MASK] and [MASK]"], top_k=2)
    yield call(mlm, task, river, init={"top_k": 4})
    yield call(mlm, task, river, init={"targets": ["river", "house"]})
    yield call(mlm, task, river, targets="river")
    yield call(mlm, task, river, targets=["river", "river", "house"], top_k=2)
    yield call(mlm, task, river, targets=["slapstick", "Museum", "##ing"])
    yield call(mlm, task, "The [MASK] of the [MASK]", targets=["end", "king", "city"], top_k=2)
    yield call(mlm, task, "Caf\u00e9 na\u00efve: don't [MASK]!!! \U0001f600 \u6620\u753b", top_k=3)
    yield call(mlm, task, "She's [MASK], isn't she? (20% of $3.50)", top_k=2)
    yield call(mlm, task, river + " " + LONG, tokenizer_kwargs={"truncation": True}, top_k=1)
    yield call(mlm, task, river + " " + LONG, tokenizer_kwargs={"truncation": True, "max_length": 12}, top_k=3)
    yield call(mlm, task, "the ##[MASK] slap[MASK]s", top_k=2)


def zero_shot_classification():
    task = "zero-shot-classification"
    film, dull = SENTENCES[:2]
    topics = ["film", "politics", "science", "food and drink"]
    for key in ("distilbert_nli", "bert_nli"):
        yield call(key, task, film, candidate_labels=topics)
        yield call(key, task, film, candidate_labels="film, politics,science")
        yield call(key, task, film, candidate_labels=topics, multi_label=True)
        yield call(key, task, [film, dull, SENTENCES[7]], candidate_labels=topics)
        yield call(key, task, dull, candidate_labels=topics, hypothesis_template="It is about {}, they say.")
        yield call(key, task, LONG, candidate_labels=topics)
    nli = "distilbert_nli"
    yield call(nli, task, film, topics)
    yield call(nli, task, [film], topics)
    yield call(nli, task, [], topics)
    yield call(nli, task, film, candidate_labels="film")
    yield call(nli, task, film, candidate_labels=["film"], multi_label=True)
    yield call(nli, task, film, candidate_labels=[" film ", "", "caf\u00e9"])
    yield call(nli, task, [film, dull], candidate_labels=topics, multi_label=True,
               hypothesis_template="{}: na\u00efve or not?")
    yield call(nli, task, film, init={"candidate_labels": topics, "multi_label": True})


CALLS = [one for group in (text_classification, feature_extraction, token_classification, question_answering,
                           fill_mask, zero_shot_classification) for one in group()]

RAISING = [
    call("distilbert_sentiment", "text-classification", None),
    call("distilbert_sentiment", "text-classification", 3),
    call("distilbert_sentiment", "text-classification", [None]),
    call("distilbert_sentiment", "text-classification", ["fine", 7]),
    call("distilbert_sentiment", "text-classification", [["a", "b"], ["c", "d"]]),
    call("distilbert_sentiment", "text-classification", {"words": "a"}),
    call("distilbert_sentiment", "text-classification", "\ud800"),
    call("distilbert_sentiment", "text-classification", LONG),
    call("distilbert_sentiment", "text-classification", "a", function_to_apply="tanh"),
    call("distilbert_encoder", "feature-extraction", None),
    call("distilbert_encoder", "feature-extraction", "a", truncation=True, tokenize_kwargs={"truncation": True}),
    call("distilbert_ner", "token-classification", None),
    call("distilbert_ner", "token-classification", []),
    call("distilbert_ner", "token-classification", 3),
    call("distilbert_ner", "token-classification", "a", aggregation_strategy="median"),
    call("distilbert_window_ner", "token-classification", "a",
         init={"aggregation_strategy": "simple", "stride": 24}),
    call("distilbert_window_ner", "token-classification", LONG, init={"aggregation_strategy": "simple", "stride": 22}),
    call("distilbert_window_ner", "token-classification", "a", init={"aggregation_strategy": "none", "stride": 6}),
    call("distilbert_qa", "question-answering", question="", context=CASTLE),
    call("distilbert_qa", "question-answering", question="Who?", context=""),
    call("distilbert_qa", "question-answering", question=None, context=CASTLE),
    call("distilbert_qa", "question-answering", question="Who?"),
    call("distilbert_qa", "question-answering", {"question": "Who?"}),
    call("distilbert_qa", "question-answering", {"question": "Who?", "context": None}),
    call("distilbert_qa", "question-answering", question=["Who?", "What?"], context=[CASTLE]),
    call("distilbert_qa", "question-answering", question="Who?", context=CASTLE, top_k=0),
    call("distilbert_qa", "question-answering", question="Who?", context=CASTLE, max_answer_len=0),
    call("distilbert_qa", "question-answering", question="Who?", context=CASTLE, max_seq_len=20, doc_stride=30),
    call("distilbert_qa", "question-answering", question=LONG, context=CASTLE),
    call("distilbert_qa", "question-answering", "Who?"),
    call("distilbert_mlm", "fill-mask", "no mask here"),
    call("distilbert_mlm", "fill-mask", ["a [MASK]", "none"]),
    call("distilbert_mlm", "fill-mask", None),
    call("distilbert_mlm", "fill-mask", "a [MASK]", targets=[]),
    call("distilbert_mlm", "fill-mask", "a [MASK]", targets=[""]),
    call("distilbert_mlm", "fill-mask", "a [MASK]", top_k=4001),
    call("distilbert_mlm", "fill-mask", LONG + "[MASK]", tokenizer_kwargs={"truncation": True}),
    call("distilbert_nli", "zero-shot-classification", "a"),
    call("distilbert_nli", "zero-shot-classification", "a", candidate_labels=[]),
    call("distilbert_nli", "zero-shot-classification", "", candidate_labels=["b"]),
    call("distilbert_nli", "zero-shot-classification", None, candidate_labels=["b"]),
    call("distilbert_nli", "zero-shot-classification", "a", candidate_labels=["b"], hypothesis_template="no place"),
    call("distilbert_sentiment", "no-such-task", "a"),
]

CHOICES = [  # of a multiple-choice question
    ("The cat sleeps because", ["it is tired.", "the museum is made of wood."]),
    ("She opens the umbrella, for", ["it rains", "", "the sun shines on Paris", "caf\u00e9s close at six \U0001f600"]),
    ("", ["yes", "no", "?"]),
    (LONG, ["He walks home.", LONG[:300], "\u6771\u4eac"]),
]

EMBEDDED = [text for text in SENTENCES if text.strip()] + ["", LONG, LONG[:120]]
