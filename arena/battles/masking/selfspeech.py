"""Whether words around a name say "this is who I am" or "this is who made me", in Russian and English.

A small grammar over folded words: a cue ("my name is", "меня создала"), filler words that describe
an assistant ("a large language model from the company"), then the name; or the name, then a cue.
It knows neither the names nor the stream, only the words on both sides of one name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from arena.battles.masking.folding import fold_word

MAX_FILLERS = 18
MAX_AGENT_WORDS = 10  # between "trained by" and the maker's name

_Pattern = tuple[Callable[[str], bool], ...]


def _word(source: str) -> Callable[[str], bool]:
    """One word of a pattern: alternatives by `|`, a trailing `*` for any ending, `?` for any word."""
    if source == "?":
        return lambda word: True
    parts = source.split("|")
    exact = frozenset(fold_word(part) for part in parts if not part.endswith("*"))
    stems = tuple(fold_word(part) for part in parts if part.endswith("*"))
    return lambda word: word in exact or word.startswith(stems)


def _patterns(text: str) -> tuple[_Pattern, ...]:
    """Patterns separated by `;` or lines."""
    lines = text.replace("\n", ";").split(";")
    return tuple(tuple(_word(source) for source in line.split()) for line in lines if line.strip())


def _vocabulary(text: str) -> Callable[[str], bool]:
    """Any one word of a list, remembered: the same words come again and again."""
    return cache(_word("|".join(text.split())))


_SELF = """
    model* llm* lm assistant* chatbot* bot bots ai intelligence chat network* helper companion
    модел* ассистент* помощни* бот* чатбот* ии интеллект* нейросет* нейронк* нейромодел* собеседни* gpt гпт машин* робот*
"""
_MADE = """
    created developed trained made built designed produced tuned finetuned pretrained pre fine released born engineered
    crafted programmed brought distilled derived constructed maintained provided offered powered taught
    создан создана создано созданн* созданы разработан* обучен* натренирован* сделан* выпущен* построен* основан*
    дообучен* придуман* спроектирован* написан* рожд* родил* произвед* запущен* доработан* переобучен* тренирован*
    разработк* творени* детищ* продукт* изобретени* проект* появил* происхо* представлен* предоставлен* обучал* выращен*
"""
_LOOSE = "в на с со по при и а у как под за at on in with for under and or to в во that which который которая которую"
_PLAIN = """
    a an the large language artificial virtual digital based by from of called named known as version team company
    research lab laboratory laboratories chinese russian french american european indian open source free small new latest
    just simply actually really indeed basically essentially proudly fact helpful friendly conversational
    instruction instruct generative neural text transformer multilingual bilingual family series member part lineup
    researchers engineers developers scientists people guys folks specialists experts group corporation giant tech
    technology startup bank firm organisation organization division product project s your own personal also
    name parameter parameters billion b advanced powerful state art smart humble still only it is short full one
    proud currently none other than yours truly well hi hello kind sort variant edition checkpoint derivative fork child
    brainchild offspring foundation base backbone architecture weights entirely originally primarily jointly today
    языков* больш* искусственн* виртуальн* цифров* голосов* умн* российск* русскоязычн* русск* китайск* французск*
    американск* отечественн* открыт* верси* семейств* сери* линейк* компани* корпораци* команд* лаборатори* групп*
    исследователями исследователей специалистами специалистов инженерами инженеров разработчиками разработчиков учеными
    программистами создателями создателей банк* фирм* сообществ* организаци* гигант* стартап* подразделени* от из базе
    основе именем названием имени это есть просто всего лишь действительно вообще конечно же ведь раз именно ваш* тво*
    личн* персональн* дружелюбн* полезн* был была было были является являюсь называ* известн* тот самый та самая то
    представител* экземпляр* вариант* маленьк* нов* программ* систем* алгоритм* текстов* генеративн* типа класс*
    открытым исходным кодом параметр* миллиард* млрд инструктивн* поддержк* совместн* один одна одним крупн* мощн*
    наш* современн* универсальн* многоязычн* последн* обычн* скромн* всегда тоже также кстати честно собственно
    ребят* людьми сотрудниками умельц* экосистем* холдинг* студи* отдел* не not русско китайско кодов* имя зовут
    зовусь архитектур* технологи* ядр* веса трансформер* обработ* естественн* языка языке
    интеллектуальн* молод* старш* младш* лучш* перв* собой свои* ниже выше всем более менее самим самой
"""
_self_noun = _vocabulary(_SELF)
_made = _vocabulary(_MADE)
_loose = _vocabulary(_LOOSE)
_plain = _vocabulary(_PLAIN)
_negation = _vocabulary("не not никак ни nor neither isn ain")
_contrast = _vocabulary("а но but rather instead")
_first_person = _vocabulary("i me my mine myself im я меня мне мной мною мой моя мое мои моего моей моих моим моем")
_first_person_verb = _vocabulary(
    "отвечу отвечаю скажу говорю могу работаю стараюсь постараюсь помогу помогаю считаю думаю советую рекомендую готов"
    " готова рад рада умею являюсь подскажу замечу напомню признаюсь общаюсь не обязан обязана должен должна"
)
_self_kinds = _vocabulary(_SELF + _MADE)

_CREATOR = "creator*|developer*|maker*|inventor*|trainer*|parent|parents|author|authors|designer*|manufacturer*|vendor"
_CREATOR_RU = "создател*|разработчик*|автор*|родител*|производител*|изобретател*|хозя*|владел*|тренер*|папа|мама|отец"
_MADE_ME = "created|developed|trained|built|made|designed|tuned|finetuned|released|programmed|invented|pretrained"
_MADE_ME_RU = (
    "созда*|разработа*|разрабат*|обучи*|обуча*|сдела*|выпусти*|придума*|натренир*|тренир*|дообуч*|спроектир*|написа*"
    "|построи*|породи*|запусти*|собра*|выпуска*|дотренир*|назва*|назыв*|нарек*|зов*|звать|кличут|величают|окрести*|прозва*"
    "|настрои*|родил*"
)
_DIRECT = _patterns(f"""
    i am; i m; im; i was; i ve been; i have been; i remain; am i; me is; me was; like me; such as me; people like me
    my name; my name is|was; my name s; my ? name is|s|was; my name happens to be; name given to me is|was; name i was given is
    call me; called me; calling me; named me; know me as; introduce myself as; myself; myself as; identify as
    i go by; i go by the name; refer to me as; i answer to; i respond to; i respond to the name; address me as
    my {_CREATOR}; my {_CREATOR} is|are|at|from|s|were|was; my {_CREATOR} ? is|are|at; {_MADE_ME} me; {_MADE_ME} me is|at|was|are
    my base|core|architecture|backbone|foundation|origin*|engine|roots|identity|weights is|are|lies|lie|come|comes|in
    my base|underlying|foundation|actual|real|full|official model|name|identity|version is; my home is; my company is
    my organization|organisation|family|lineage is; the model behind me is; the company behind me is; under my hood is
    under the hood i am|m; you are|re talking|speaking|chatting|interacting|conversing|texting|dealing to|with
    you are|re currently|now|actually talking|speaking|chatting|interacting|conversing to|with; talking to me
    i come; i come from; i hail from; i originate from; i originated at|in|from; i belong to; i represent; i run on
    i descend from; i stem from; i owe my existence to; my existence to; greetings from; hello from; hi from; i exist thanks to
    я; я это; это я; {_MADE_ME_RU} меня; меня {_MADE_ME_RU}; меня ? {_MADE_ME_RU}
    звать|называть|величать|называй*|зовите|зови|считайте меня; мое имя; имя мне; имя мое; имя у меня; мое ? имя; мое названи*
    можете|можешь|можно обращаться ко мне; называюсь; именуюсь; зовусь; являюсь; представляюсь; отзываюсь на; откликаюсь на
    откликаюсь на имя; {_CREATOR_RU} мо*; мо* {_CREATOR_RU}; мо* ? {_CREATOR_RU}; мо* компани*; мо* команд*; мо* лаборатори*
    мо* базов*; мо* архитектур*; мо* ядр*; мо* основ*; мо* прототип*; мо* предок; мо* семейств*; моя модель; меня то есть
    мо* родин*; мо* дом; мо* происхождени*; в основе меня; основе меня лежит; моей основе; моей основе лежит; меня лежит
    внутри меня; под капотом у меня; у меня под капотом; моим капотом; надо мной работа*; мной занима*; за мной стоит|стоят
    вы|ты общае*; общаетесь|общаешься с|со; говорите|говоришь с|со; разговарива* с|со
    беседу* с|со; переписыва* с|со; с вами|тобой; с вами|тобой говорит|общается|беседует|разговаривает
    с вами|тобой на связи; на связи; вас|тебя приветствует; приветствует вас|тебя; вам|тебе отвечает|пишет
    отвечает вам|тебе; привет от; мне как; меня как; вроде меня; такие как я; такой как я; как я
    моя модель это; меня можно|принято называть; ко мне обращаются; подписываюсь
""")
_LABELS = _patterns(f"""
    name; model; model name; developer; developers; creator; created by; developed by; made by; company; organization
    organisation; maker; family; architecture; base model; version; vendor; имя; название; модель; разработчик*; создател*
    компания; организация; семейство; архитектура; версия; базовая модель; название модели; производитель; {_MADE_ME_RU}
    developed; created; trained; built; made; разработан*; создан*; обучен*; by; from; от; courtesy of; thanks to
    trained at; trained by; разработка; продукт; детище; творение; кто меня создал; who made me; who created me
""")
_QUESTIONS = _patterns("""
    кто я; как меня зовут; мое имя; кто меня создал; кто меня разработал; кто мой создатель; кто я такой; кто я такая; who am i
    my name; what is my name; what s my name; who made me; who created me; who built me; who trained me; who developed me
    my creator; my creators; my developer; my maker; какая я модель; что я за модель; which model am i; what model am i
    кто мои создатели; кто мой разработчик; мой создатель; мой разработчик
""")
_AFTER = _patterns(f"""
    is|s|was|are|were my|our name|{_CREATOR}|alias|handle|identity|origin|home|base|core|backbone|architecture|family
    is|s|are|were my full|real|model|official|proud|sole|actual|base|original|given name|{_CREATOR}|model
    my {_CREATOR}; is|s|was|are|were who i am|m; is|s what i am|m called|named; is behind me; is how i am|m called|named|known
    that s|is me; that s|is my name; that s|is what|who i am|m; it s|is me; me that s; is me; at your service
    {_MADE_ME} me; company|team|lab|organization|organisation|ones|one|people|group behind me; they|people|users call me
    i am|m|was called|named; brought me to|into; gave birth to me; gave me life; gave me my name; gave me this name; powers me
    is the name i; is the name given to me; is the model i am|m; is the model answering; is what powers me
    is what|who you are|re talking|speaking|chatting; is the one|model|assistant|ai you are|re; and i am its|their; call me that
    меня {_MADE_ME_RU}; {_MADE_ME_RU} меня; это я; так меня зов*; и есть я; то есть я; это мое имя; мое имя; меня и {_MADE_ME_RU}
    мо* создател*|разработчик*|автор*|родител*; мо* родн*|гордое|настоящее|полное|официальное имя|название|дом; мое название
    к вашим|твоим услугам; на связи; вас|тебя приветствует; приветствует вас|тебя; лежит в моей основе; в моей основе
    стоит|стоят за мной; дал* мне имя; подарил* мне жизнь|имя; вот как меня; вот кто я; мне дал* имя; моя базовая модель
    работал* надо мной; надо мной работал*; моя основа; слушает вас|тебя; меня ? {_MADE_ME_RU}; занимал* моим
""")
_STRONG_AFTER = 12
_HUMAN_AFTER = _patterns("""
    certified; engineer*; employee*; developer*; fan; fans; user; users; partner*; intern*; recruiter*; expert*; specialist*
    customer*; manager*; fanboy; shareholder*; investor*; alumni; alumnus; consultant*; trainer; enthusiast*; scholar; veteran
    lover; account; maps; scholarship; fellow; contractor; shop; farmer; herder; owner; breeder; pilot; hunter
    использую; не использую; пользуюсь; люблю; обожаю; знаю; не знаю; не люблю; не пользуюсь; ищу; открываю; читаю
    everything; it; my symptoms; the symptoms; things; этим; этого; translate
""")
_PERSON_NEARBY = _patterns("""
    years old; i live; live in; i work as; work as; was born; my wife; my husband; my mother; my father; my brother; my sister
    мне ? лет; мне ? год; мне ? года; родил*; живу; учусь; работаю в|на|учител*|инженер*|врач*; замужем; женат; мой муж
    моя жена; моя мама; мама; сестра; брат; школ*; класс*; said; replied; asked; whispered; shouted; answered; thought
    сказал*; ответил*; спросил*; прошепт*; произнес*; воскликну*; крикну*; подума*; подруг*; мой муж; студент*; дочь; сын
    painter; teacher; student; ветр*; пусты*; буря; леса; степ*; травы; зодиак*; horoscope; astrolog*; aries; taurus; leo
    гороскоп*; kingdom; knight; sailor; princess; dragon; принцесс*; рыцар*; wool; шерст*
""")
_AGENT = _vocabulary(
    "by командой компанией группой разработчиками инженерами специалистами исследователями учеными силами"
)
_BREAK = _vocabulary("""
    to about using that which who when because while like such whether if on over чтобы для о об обо про котор* что когда умею
    отвеча* помога* помочь рассказ* говорить уме* через использу* на данных текстах
""")
_AS_REFUSED = _vocabulary(
    "such known well same soon far much long just serve* work* use* так* известн* например используе*"
)
_AS = (_word("as|being|как|будучи|являясь"),)
_made_me_ru = _vocabulary(_MADE_ME_RU.replace("|", " "))
_MADE_ME_LAUGH = _patterns("made me ?; makes me")
_MADE_ME_THEN = _patterns("and; in; to; with; as; so; but; using; i; for; on")
_COMPACT = tuple(
    fold_word(cue)
    for cue in ("iam", "im", "mynameis", "mynameiss", "callme", "createdby", "madeby", "trainedby", "developedby", "я",
                "яэто", "менязовут", "моёимя", "меняcоздал", "меня создала", "создан", "от")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Around:
    """The folded words about one name: of its sentence on both sides, and of the sentence before."""

    before: Sequence[str]
    after: Sequence[str]
    previous: Sequence[str] = ()
    introduced: bool = False  # the answer has spoken of itself, in the sentence before or as a masked name
    set_off: bool = False  # a comma, dash, colon or bracket stands right before the name
    label: bool = False  # the line begins with a label and a colon: "Model: …"
    everyday: bool = False  # the name is also an everyday word
    capital: bool = True
    surname: bool = False  # a capitalised word follows at once
    organisation: bool = False


def identifies(around: Around) -> bool:
    """Whether the words around a name make it a self-identification."""
    if around.everyday and not _can_be_a_name(around):
        return False
    if _starts(around.after, _HUMAN_AFTER) and not any(_made(word) for word in around.before):
        return False
    return (
        _direct(around)
        or _agent(around.before)
        or _as_what(around)
        or _follows(around.after)
        or _fragment(around)
        or _spelled_out(around.before)
    )


def introduces(sentence: Sequence[str]) -> bool:
    """Whether a sentence speaks of its speaker as of a model: "I am an AI assistant", "Я — нейросеть"."""
    return any(map(_first_person, sentence)) and any(map(_self_kinds, sentence))


def all_filler(between: Sequence[str]) -> bool:
    """Whether nothing but a description stands between a masked name and the next one."""
    if any(map(_contrast, between)):
        return False
    return len(between) <= MAX_FILLERS and all(map(_filler, between))


def _filler(word: str) -> bool:
    return word.isdigit() or _plain(word) or _self_noun(word) or _made(word) or _loose(word)


def _ends(words: Sequence[str], end: int, patterns: Iterable[_Pattern]) -> int | None:
    """Where the longest pattern that ends before `end` begins."""
    lengths = [len(pattern) for pattern in patterns if _fits(words, end - len(pattern), pattern)]
    return end - max(lengths) if lengths else None


def _fits(words: Sequence[str], start: int, pattern: _Pattern) -> bool:
    if start < 0 or start + len(pattern) > len(words):
        return False
    return all(fits(word) for fits, word in zip(pattern, words[start:], strict=False))


def _starts(words: Sequence[str], patterns: Iterable[_Pattern]) -> bool:
    return any(_fits(words, 0, pattern) for pattern in patterns)


def _contains(words: Sequence[str], patterns: Sequence[_Pattern], first: int) -> bool:
    return any(_fits(words, start, pattern) for start in range(min(first, len(words))) for pattern in patterns)


def _direct(around: Around) -> bool:
    """A cue, filler words, then the name."""
    words = around.before
    for end in range(len(words), max(len(words) - MAX_FILLERS, 0), -1):
        crossed = words[end:]
        if _ends(words, end, _DIRECT) is not None and _credible(crossed, around):
            return True
        if not _filler(words[end - 1]):
            return words[end - 1] == "i" and end == len(words) and around.set_off and not around.organisation
    return False


def _credible(crossed: Sequence[str], around: Around) -> bool:
    """Fillers that lead from the cue to the name, not past it."""
    described = any(_self_noun(word) or _made(word) for word in crossed)
    if any(map(_negation, crossed)) and not any(map(_contrast, crossed)):
        return False
    if any(map(_loose, crossed)) and not described:
        return False
    article = bool(crossed) and crossed[-1] in ("a", "an")
    return not (around.everyday and article and not around.capital and not any(map(_self_noun, around.after[:2])))


def _agent(words: Sequence[str]) -> bool:
    """I was trained by … NAME; меня обучили … NAME: any few words between, but no change of subject."""
    for at in range(len(words) - 1, max(len(words) - MAX_AGENT_WORDS - 2, -1), -1):
        if _BREAK(words[at]):
            return False
        made = _made(words[at]) or _made_me_ru(words[at])
        near = words[max(at - 8, 0) : at + 2]
        if made and any(map(_first_person, near)):
            agent = any(map(_AGENT, words[at:])) or _made_me_ru(words[at])
            return agent
    return False


def _as_what(around: Around) -> bool:
    """As a model by NAME, I …; как модель NAME, …"""
    words = around.before
    for end in range(len(words), max(len(words) - MAX_FILLERS, 0), -1):
        if _fits(words, end - 1, _AS):
            return _as_credible(around, end)
        if not _filler(words[end - 1]):
            return False
    return False


def _as_credible(around: Around, end: int) -> bool:
    lead, crossed, after = around.before[: end - 1], around.before[end:], around.after
    if lead and _AS_REFUSED(lead[-1]):
        return False
    speaker = any(map(_first_person, after[:_STRONG_AFTER])) or any(map(_first_person, lead))
    if not any(map(_self_noun, (*crossed, *after[:1]))):
        return not lead and bool(after) and _first_person(after[0])
    verbs = any(map(_first_person_verb, (*lead, *after[:4])))
    russian = around.before[end - 1] != "as"
    return speaker or verbs or (not lead and (russian or not after))


def _follows(after: Sequence[str]) -> bool:
    """The name, then a cue: NAME is my creator; NAME — так меня зовут."""
    return _contains(after, _AFTER, 7) and not (
        _starts(after, _MADE_ME_LAUGH) and not _starts(after[2:], _MADE_ME_THEN)
    )


def _fragment(around: Around) -> bool:
    """A piece of an introduction without its subject: "Made by NAME.", "Model: NAME", "Кто я? NAME."."""
    asked = bool(around.previous) and _contains(around.previous, _QUESTIONS, 3) and len(around.previous) <= 6
    if asked and all(map(_filler, around.before)):
        return True
    if not around.introduced:
        return False
    for end in range(len(around.before), -1, -1):
        start = _ends(around.before, end, _LABELS) if end else None
        if start == 0:
            return True
        if end == 0 or not _filler(around.before[end - 1]):
            break
    return False


def _spelled_out(words: Sequence[str]) -> bool:
    """The cue itself is written letter by letter."""
    letters: list[str] = []
    for word in reversed(words):
        if len(word) > 1:
            break
        letters.append(word)
    return len(letters) >= 2 and "".join(reversed(letters)).endswith(_COMPACT)


def _can_be_a_name(around: Around) -> bool:
    """An everyday word counts as a name when it is written as one and no person is spoken of."""
    near = (*around.before, *around.after)
    described = any(map(_self_noun, near)) or any(map(_made, near))
    if described and not around.surname:
        return True
    return around.capital and not around.surname and not _contains(around.after, _PERSON_NEARBY, 14)
