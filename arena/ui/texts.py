"""Every string of the page in Russian and English, and how numbers are written in each.

One table: a key that misses a language is a failing test. It knows no component and no view.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["ru", "en"]
LANGUAGES: tuple[Language, Language] = ("ru", "en")

TEXTS: Mapping[str, tuple[str, str]] = {
    # the frame of the page
    "brand": ("Арена", "Arena"),
    "tagline": (
        "Два ответа вслепую, один голос — и живой рейтинг",
        "Two blind answers, one vote, a live rating",
    ),
    "tab_battle": ("Бой вслепую", "Blind battle"),
    "tab_named": ("Рядом по именам", "Side by side"),
    "tab_direct": ("Диалог", "Chat"),
    "tab_board": ("Рейтинг", "Leaderboard"),
    "switch_language": ("EN", "RU"),
    "switch_language_label": ("Switch to English", "Переключить на русский"),
    "skip_to_question": ("К полю вопроса", "Skip to the question"),
    # asking
    "ask_first": ("Вопрос двум моделям…", "Ask two models…"),
    "ask_more": ("Спросить ещё…", "Ask a follow-up…"),
    "ask_new": ("Начать новый бой…", "Begin a new battle…"),
    "ask_recorded": ("Вопрос из набора: другим ответы не записаны…", "A recorded question: others have no answers…"),
    "ask_one": ("Сообщение модели…", "Message to the model…"),
    "question": ("Вопрос", "Question"),
    "send": ("Спросить", "Ask"),
    "stop": ("Остановить", "Stop"),
    "again": ("Ещё раз", "Again"),
    "drop": ("К прежним ответам", "Back to the answers before"),
    "new_battle": ("Новый бой", "New battle"),
    "new_chat": ("Новый диалог", "New chat"),
    "you_asked": ("Вы спросили", "You asked"),
    "earlier_turns": ("Прежние реплики: {turns}", "Earlier turns: {turns}"),
    "welcome": ("О чём спросить?", "What to ask?"),
    "welcome_battle": (
        "Имена моделей откроются после голоса. Отвечают обе сразу, в одном темпе.",
        "Names are shown after the vote. Both answer at once, at one pace.",
    ),
    "welcome_named": (
        "Выберите две модели и сравните ответы. Эти бои в рейтинг не идут.",
        "Choose two models and compare. These battles are not rated.",
    ),
    "welcome_direct": ("Выберите модель и поговорите с ней.", "Choose a model and talk to it."),
    "alone_title": ("Для боя нужны две модели", "A battle needs two models"),
    "alone": (
        "Сейчас участвует меньше двух. Чтобы начались бои, добавьте вторую в models.yaml и перезапустите арену. "
        "С той, что есть, можно поговорить.",
        "Fewer than two take part now. For battles, add a second one to models.yaml and restart the arena. "
        "The one that is here can be talked to.",
    ),
    "alone_act": ("Открыть диалог", "Open the chat"),
    "topic": ("Тема", "Topic"),
    "any_topic": ("Любая", "Any"),
    "topic_animals": ("Животные", "Animals"),
    "topic_arithmetic": ("Счёт", "Arithmetic"),
    "topic_capitals": ("Столицы", "Capitals"),
    "topic_code": ("Код", "Code"),
    "topic_history": ("История", "History"),
    "topic_home": ("Дом", "Home"),
    "topic_recipes": ("Рецепты", "Recipes"),
    "topic_science": ("Наука", "Science"),
    "topic_space": ("Космос", "Space"),
    "topic_talk": ("Разговор", "Small talk"),
    "topic_travel": ("Путешествия", "Travel"),
    "topic_weather": ("Погода", "Weather"),
    "topic_words": ("Слова", "Words"),
    "other_suggestions": ("Другие вопросы", "Other questions"),
    "consent": (
        "Вопросы, ответы и голоса сохраняются, чтобы сравнивать модели. Не пишите личного.",
        "Questions, answers and votes are stored to compare models. Write nothing personal.",
    ),
    "not_kept": (
        "Голоса на этой странице хранятся до её следующего перезапуска.",
        "Votes on this page are kept until its next restart.",
    ),
    "my_data": ("Мои данные", "My data"),
    "my_data_stored": (
        "Хранятся ваши вопросы, ответы на них, голоса и их время — под случайным псевдонимом. Тексты зашифрованы "
        "отдельным ключом для каждого человека. Ни имени, ни почты, ни адреса арена не записывает. В выгрузках "
        "телефоны, почта и номера документов скрыты.",
        "Your questions, their answers, your votes and their times are stored under a random pseudonym. Texts are "
        "encrypted under a key of your own. The arena records no name, no e-mail and no address. Exports hide "
        "telephones, e-mails and numbers of documents.",
    ),
    "my_data_sure": (
        "Да, стереть всё мной написанное и полученные ответы. Вернуть их потом не сможет никто.",
        "Yes, erase everything I wrote and was answered. Nobody can bring it back afterwards.",
    ),
    "my_data_erase": ("Стереть мои тексты", "Erase my texts"),
    "my_data_gone": (
        "Стёрто боёв: {battles}. Ключ к копиям уничтожен, результаты голосов остались обезличенными. "
        "Для арены этот браузер теперь новый.",
        "Erased battles: {battles}. The key to copies is destroyed, the outcomes of your votes stay without any tie to "
        "you. To the arena this browser is a new one now.",
    ),
    "my_data_again": (
        "Тексты стёрты, но их следы в журнале базы пока заняты чтением. Нажмите ещё раз через минуту.",
        "The texts are erased, but their traces in the database's log are still being read. Press again in a minute.",
    ),
    "my_data_code": (
        "То же сделает владелец арены, если назвать ему этот код:",
        "The arena's owner does the same when given this code:",
    ),
    "my_data_after": (
        "Результаты голосов останутся обезличенными, если владелец не решит иначе. Код живёт, пока в браузере живёт "
        "cookie: запишите его.",
        "The outcomes of your votes stay without any tie to you unless the owner decides otherwise. The code lives as "
        "long as the cookie in your browser: write it down.",
    ),
    "my_data_none": (
        "О вас здесь ничего нет: в этом браузере нет cookie арены.",
        "There is nothing about you here: this browser has no cookie of the arena.",
    ),
    "model_a_choice": ("Модель A", "Model A"),
    "model_b_choice": ("Модель B", "Model B"),
    "model_choice": ("Модель", "Model"),
    # the two sides
    "side_a": ("Модель A", "Model A"),
    "side_b": ("Модель B", "Model B"),
    "waiting": ("думает…", "thinking…"),
    "warming": ("модели прогреваются, около {seconds} с", "the models are warming up, about {seconds} s"),
    "writing": ("пишет…", "writing…"),
    "stopped": ("остановлено", "stopped"),
    "expired": ("время этого боя вышло", "this battle's time is over"),
    "empty_answer": ("Модель ответила пустым текстом.", "The model answered with an empty text."),
    "failed_answer": (
        "Ответы получить не удалось. Попробуйте ещё раз или начните новый бой.",
        "The answers could not be obtained. Try again or start a new battle.",
    ),
    "failed_answer_direct": (
        "Ответ получить не удалось. Попробуйте ещё раз или начните новый диалог.",
        "The answer could not be obtained. Try again or start a new chat.",
    ),
    "stopped_answer": (
        "Остановлено раньше первого слова. Спросите ещё раз или начните новый бой.",
        "Stopped before the first word. Ask again or start a new battle.",
    ),
    "stopped_answer_direct": (
        "Остановлено раньше первого слова. Спросите ещё раз или начните новый диалог.",
        "Stopped before the first word. Ask again or start a new chat.",
    ),
    "overlong_answer": (
        "Разговор длиннее, чем эти модели могут прочесть. Сократите вопрос или начните новый бой.",
        "The conversation is longer than these models can read. Shorten the question or start a new battle.",
    ),
    "overlong_answer_direct": (
        "Разговор длиннее, чем эта модель может прочесть. Сократите вопрос или начните новый диалог.",
        "The conversation is longer than this model can read. Shorten the question or start a new chat.",
    ),
    "reasoning": ("Рассуждение модели", "The model's reasoning"),
    # voting
    "vote_a": ("A лучше", "A is better"),
    "vote_b": ("B лучше", "B is better"),
    "vote_tie": ("Одинаково", "Tie"),
    "vote_bad": ("Оба плохо", "Both are bad"),
    "vote_bar": ("Какой ответ лучше?", "Which answer is better?"),
    "keys_hint": (
        "Клавиши: ← A, → B, ↑ одинаково, ↓ оба плохо",
        "Keys: ← A, → B, ↑ tie, ↓ both bad",
    ),
    "vote_counted_a": ("Голос учтён · вы выбрали A", "Vote counted · you chose A"),
    "vote_counted_b": ("Голос учтён · вы выбрали B", "Vote counted · you chose B"),
    "vote_counted_tie": ("Голос учтён · ничья", "Vote counted · a tie"),
    "vote_counted_bad": ("Голос учтён · оба плохо", "Vote counted · both are bad"),
    "vote_retracted": (
        "Голос отменён. Имена уже известны, поэтому этот бой больше не оценить.",
        "Vote taken back. The names are known now, so this battle takes no other vote.",
    ),
    "expected": ("Рейтинги ожидали победу A с вероятностью {percent}", "The ratings gave A a {percent} chance to win"),
    "what_changed": ("Что изменил голос", "What the vote changed"),
    "your_choice": ("ваш выбор", "your choice"),
    "undo": ("Отменить", "Undo"),
    "undo_left": ("Отменить · {seconds} с", "Undo · {seconds} s"),
    # facts after the vote
    "fact_quantization": ("Квантизация", "Quantization"),
    "fact_speed": ("Скорость", "Speed"),
    "fact_length": ("Длина", "Length"),
    "fact_licence": ("Лицензия", "Licence"),
    "fact_energy": ("Энергия", "Energy"),
    "energy_value": ("{joules} Дж", "{joules} J"),
    "energy_each": ("{joules} Дж на токен", "{joules} J per token"),
    "speed_value": ("{speed} ток/с, первый через {first} с", "{speed} tok/s, first after {first} s"),
    "length_value": ("токенов: {tokens}, знаков: {characters}", "tokens: {tokens}, characters: {characters}"),
    "length_characters": ("знаков: {characters}", "characters: {characters}"),
    "not_known": ("неизвестно", "not known"),
    "toy": ("игрушечная модель", "toy model"),
    # feedback
    "why": ("Почему? По желанию, одним касанием", "Why? Optional, one tap"),
    "reason_useful": ("полезно", "useful"),
    "reason_complete": ("полно", "complete"),
    "reason_correct": ("верно", "correct"),
    "reason_formatted": ("хорошо оформлено", "well formatted"),
    "reason_language": ("хороший язык", "good language"),
    "reason_wrong": ("ошибка", "wrong"),
    "reason_shallow": ("поверхностно", "shallow"),
    "reason_ignored": ("мимо инструкции", "ignored the instruction"),
    "reason_wrong_language": ("не тот язык", "wrong language"),
    "comment": ("Комментарий", "Comment"),
    "comment_hint": ("Что решило? По желанию", "What decided it? Optional"),
    "send_feedback": ("Отправить", "Send"),
    "close": ("Закрыть", "Close"),
    "feedback_thanks": ("Спасибо, записано.", "Thank you, noted."),
    # leaderboard
    "sort": ("Сортировать", "Sort"),
    "board_rank": ("Место", "Rank"),
    "board_model": ("Модель", "Model"),
    "board_rating": ("Рейтинг", "Rating"),
    "board_interval": ("95 % интервал", "95% interval"),
    "board_scale": ("Шкала", "Scale"),
    "board_battles": ("Боёв", "Battles"),
    "board_acceptable": ("Приемлемо", "Acceptable"),
    "board_rings": ("● люди ○ судья", "● people ○ judge"),
    "board_drawn": ("Выпадает", "Drawn"),
    "board_drawn_title": (
        "В какой доле боёв вслепую участвовала модель: по последним 2 000 законченных боёв",
        "The share of blind battles in which the model took part, over the latest 2,000 finished battles",
    ),
    "board_fitting": ("Считаем по всем голосам, это займёт несколько секунд…", "Fitting all votes, a few seconds…"),
    "board_roll_call": (
        "Моделей: {models}, больше не участвуют: {retired}. Скрытых нет: кто хоть раз выпал, остаётся в таблице.",
        "Models: {models}, no longer taking part: {retired}. None is hidden: whoever was ever drawn stays listed.",
    ),
    "find": ("имя, семейство, лицензия", "name, family, licence"),
    "find_label": ("Найти модель", "Find a model"),
    "find_nothing": ("Ничего не нашлось.", "Nothing found."),
    "copy_link": ("Скопировать ссылку", "Copy the link"),
    "link_copied": ("Ссылка на этот вид скопирована.", "The link to this view is copied."),
    "instead_whole": (
        "Уточнение судьёй считается только по всем боям: показаны все.",
        "Sharpening by a judge is computed over all battles only: all are shown.",
    ),
    "instead_no_judge": (
        "Ни один судья ещё не согласен с людьми настолько, чтобы уточнять их рейтинг: показаны люди.",
        "No judge agrees with people enough yet to sharpen their ratings: people are shown.",
    ),
    "instead_bt": (
        "Эло ведётся только по всем голосам одной дорожки: показан Брэдли — Терри.",
        "Elo is kept for all votes of a track only: Bradley–Terry is shown.",
    ),
    "instead_people": (
        "Этот метод есть только у голосов людей: показан Брэдли — Терри.",
        "This method exists for people's votes only: Bradley–Terry is shown.",
    ),
    "instead_no_texts": (
        "У этих голосов нет ни текстов ответов, ни столбцов о стиле, поправлять не на что: показан Брэдли — Терри.",
        "These votes come with no texts of answers and no columns of style, so there is nothing to control for: "
        "Bradley–Terry is shown.",
    ),
    "instead_no_style": (
        "Голосов пока мало, чтобы отделить стиль от силы: показан Брэдли — Терри.",
        "There are too few votes yet to tell style from strength: Bradley–Terry is shown.",
    ),
    "board_size": ("Размер", "Size"),
    "board_empty": (
        "Голосов ещё нет. Первый же бой вслепую откроет рейтинг.",
        "No votes yet. The first blind battle opens the leaderboard.",
    ),
    "board_empty_view": ("Для этого выбора голосов ещё нет.", "There are no votes for this choice yet."),
    "board_empty_act": ("Начать бой", "Start a battle"),
    "board_votes": ("Голосов: {votes}", "Votes: {votes}"),
    "board_live": ("обновляется сразу", "live"),
    "preliminary": ("предварительно", "preliminary"),
    "retired": ("не участвует", "retired"),
    "imported": ("импорт", "imported"),
    "unrated": ("не определён", "not determined"),
    "filter_track": ("Чьи голоса", "Whose votes"),
    "track_human": ("Люди", "People"),
    "track_judge": ("Судья", "Judge"),
    "filter_slice": ("Срез", "Slice"),
    "slice_all": ("Все бои", "All battles"),
    "slice_language_ru": ("По-русски", "In Russian"),
    "slice_language_en": ("По-английски", "In English"),
    "slice_month": ("Месяц {month}", "Month {month}"),
    "slice_turn_first": ("Первый вопрос", "First question"),
    "slice_turn_later": ("С продолжением", "With follow-ups"),
    "slice_length_short": ("Короткий вопрос", "Short question"),
    "slice_length_long": ("Длинный вопрос", "Long question"),
    "slice_topic": ("Тема: {topic}", "Topic: {topic}"),
    "slice_masked": ("Модель назвала себя", "The model named itself"),
    "slice_unmasked": ("Модель себя не назвала", "The model did not name itself"),
    "slice_hard": ("Сложные вопросы", "Hard questions"),
    "slice_code": ("Вопросы с кодом", "Questions with code"),
    "slice_mathematics": ("Вопросы с математикой", "Questions with mathematics"),
    "slice_note_code": (
        "По признакам в самом вопросе: вставки и строки программ, запросы, операторы.",
        "By signs in the question itself: quoted code, lines of programs, queries, operators.",
    ),
    "slice_note_mathematics": (
        "По признакам в самом вопросе: формулы, вычисления, слова вроде «докажите», «уравнение», «вероятность».",
        "By signs in the question itself: formulas, calculations, words such as prove, equation, probability.",
    ),
    "slice_note_topic": (
        "Тема известна у предложенных вопросов. Код и математика узнаются в любых: для них есть свои срезы.",
        "Suggested questions have a topic. Code and mathematics are recognized in any question: they have slices of "
        "their own.",
    ),
    "slice_note_hard": (
        "Сложный вопрос — где есть хотя бы два признака из четырёх: не короче 300 знаков; три и более "
        "предложения или пункта; код; математика.",
        "A hard question shows at least two of four signs: 300 characters or more; three or more sentences or points; "
        "code; mathematics.",
    ),
    "slice_note_masked": (
        "Бои, где ответ или вопрос выдавал, кто отвечает: до голоса это было скрыто.",
        "Battles in which an answer or the question told who was answering: it was hidden before the vote.",
    ),
    "slice_note_unmasked": (
        "Без боёв, где ответ или вопрос выдавал, кто отвечает.",
        "Without battles in which an answer or the question told who was answering.",
    ),
    "slice_note_length": (
        "Короткий вопрос — меньше 200 знаков в первом сообщении.",
        "A short question has fewer than 200 characters in the first message.",
    ),
    "slice_note_turn": (
        "Первый — голос после единственного вопроса, иначе бой был с продолжением.",
        "First: the vote followed the only question; otherwise there were follow-ups.",
    ),
    "filter_method": ("Метод", "Method"),
    "method_bt": ("Брэдли — Терри", "Bradley–Terry"),
    "method_once": ("Каждый вопрос один раз", "Each question counts once"),
    "method_style": ("С поправкой на стиль", "Style controlled"),
    "method_elo": ("Эло (по порядку голосов)", "Elo (in order of votes)"),
    "plots": ("График", "Plot"),
    "compare_title": ("Сравнить две модели", "Compare two models"),
    "compare_better": (
        "{model} сильнее с вероятностью {percent}.",
        "{model} is the stronger one with probability {percent}.",
    ),
    "compare_difference": (
        "Разница рейтингов: {points} (95 %: {interval}).",
        "Rating difference: {points} (95%: {interval}).",
    ),
    "compare_needed": (
        "Чтобы уверенно различить {a} и {b}, нужно ещё голосов за эту пару: около {votes}.",
        "More votes on this pair to tell {a} from {b}: about {votes}.",
    ),
    "compare_settled": ("Порядок уже ясен.", "Their order is settled."),
    "compare_never": (
        "Они так близки, что голосами их не различить.",
        "They are too close for votes to separate them.",
    ),
    "compare_unknown": (
        "Голосов пока мало, чтобы сравнить их рейтинги.",
        "There are too few votes to compare their ratings.",
    ),
    "export_board": ("Таблица:", "Table:"),
    "export_plot": ("График:", "Plot:"),
    "export_propensity": (
        "В каждой строке есть вероятность, с которой выпала её пара (propensity): python -m arena leaderboard "
        "--inverse-propensity считает так, будто все пары были равновероятны.",
        "Every row holds the probability with which its pair was drawn (propensity): python -m arena leaderboard "
        "--inverse-propensity rates as if all pairs had been equally likely.",
    ),
    "plot_tracks": ("Люди и судья рядом", "People and judge side by side"),
    "plot_style": ("Что даёт стиль", "What style buys"),
    "plot_counted": ("Сколько раз встретились строка и столбец", "How often row and column met"),
    "plot_first": (
        "показаны первые {shown} из {all}, все — в файле",
        "first {shown} of {all}, all are in the file",
    ),
    "plot_order": ("Номер голоса", "Vote number"),
    "plot_elo": ("Эло после каждого голоса", "Elo after each vote"),
    "style_characters": ("Вдвое длиннее", "Twice as long"),
    "style_headers": ("Вдвое больше заголовков", "Twice as many headers"),
    "style_lists": ("Вдвое больше пунктов списков", "Twice as many list items"),
    "style_bold": ("Вдвое больше выделений", "Twice as much bold"),
    "style_axis": ("Очки рейтинга", "Rating points"),
    "style_wins": ("побеждает равного в {percent} боёв", "wins {percent} of battles against an equal"),
    "style_fitting": (
        "Считаем по всем голосам, это займёт несколько секунд…",
        "Fitting all votes, a few seconds…",
    ),
    "style_few": (
        "Голосов с подсчитанным стилем пока мало.",
        "There are too few votes with their style counted yet.",
    ),
    "style_no_texts": (
        "У этих голосов нет ни текстов ответов, ни столбцов о стиле: сравнить стиль не с чем.",
        "These votes come with no texts of answers and no columns of style: there is no style to compare.",
    ),
    "plot_forest": ("Интервалы", "Intervals"),
    "plot_wins": ("Кто кого обыграет", "Who beats whom"),
    "plot_counts": ("Сколько боёв", "Battle counts"),
    "plot_history": ("Рейтинг во времени", "Rating over time"),
    "plot_probability": ("Вероятность победы строки над столбцом", "Probability that the row beats the column"),
    "export_votes": ("Все голоса:", "All votes:"),
    "note_pieces": (
        "Часть моделей ещё не встречалась с остальными даже через третьих: рейтинги сравнимы только внутри группы.",
        "Some models have not met the others, not even through third ones: ratings compare within a group only.",
    ),
    "note_unrated": (
        "Рейтинг не определён: пока только победы или только поражения. Модели: {models}.",
        "Not determined for models that so far only won or only lost: {models}.",
    ),
    "note_once": (
        "Каждый вопрос учтён один раз: если его задали n раз, каждый голос весит 1/n. Предложенные вопросы "
        "повторяются намеренно, поэтому основной рейтинг считает все голоса одинаково.",
        "Each question counts once: asked n times, each of its votes weighs 1/n. Suggested questions are meant to "
        "be asked by many, so the main board weighs all votes alike.",
    ),
    "note_style": (
        "С поправкой на стиль: рейтинг при равной длине и равной разметке ответов — заголовках, списках, выделении.",
        "Style controlled: ratings at equal length and equal Markdown of the answers: headers, lists, bold.",
    ),
    "note_style_age": (
        "Посчитано по {votes} голосам {seconds} с назад; пересчитывается в фоне.",
        "Fitted over {votes} votes {seconds} s ago; refitted in the background.",
    ),
    "note_elo": (
        "Эло зависит от порядка голосов; интервалов у него нет. K = {k}, старт {start}, шкала {scale}.",
        "Elo depends on the order of votes and has no intervals. K = {k}, start {start}, scale {scale}.",
    ),
    "note_bt": (
        "Брэдли — Терри, ничья и «оба плохо» — по половине победы; шкала 400·log₁₀, среднее {start}.",
        "Bradley–Terry, a tie and “both bad” are half a win each; scale 400·log₁₀, mean {start}.",
    ),
    "track_combined": ("Люди, уточнённые судьёй", "People, sharpened by a judge"),
    "combined_note": (
        "Рейтинг людей, уточнённый судьёй {judge}: его вердикты голосами не считаются, "
        "а смещение измерено там, где высказались оба.",
        "People's ratings sharpened by the judge {judge}: its verdicts are not votes, "
        "and its bias is measured where both spoke.",
    ),
    # judges
    "tab_judge": ("Судья", "Judge"),
    "judge_empty": (
        "Судья ещё ничего не оценил. Включите судью в models.yaml или запустите python -m arena judge.",
        "No judge has judged yet. Enable one in models.yaml or run python -m arena judge.",
    ),
    "judge_name": ("Судья", "Judge"),
    "judge_language": ("Язык", "Language"),
    "judge_all": ("все", "all"),
    "judge_judgments": ("Оценок", "Judgments"),
    "judge_unscored": ("Без вердикта", "Unscored"),
    "judge_with_ties": ("Согласие с людьми", "Agreement with people"),
    "judge_without_ties": ("… без ничьих", "… without ties"),
    "judge_kappa": ("κ Коэна", "Cohen's κ"),
    "judge_flips": ("Решает место", "Position decides"),
    "judge_inconsistent": ("Порядки расходятся", "Orders differ"),
    "judge_longer": ("За длинный ответ", "For the longer"),
    "judge_length_preference": ("… чаще людей на", "… more than people by"),
    "judge_self_preference": ("К своим — выше людей на", "To its kin, above people by"),
    "judge_admitted": ("входит в общий рейтинг", "in the combined board"),
    "judge_work": (
        "{judge}: ждут {queued}, в работе {claimed}, оценено {done}, не удалось {failed}",
        "{judge}: {queued} waiting, {claimed} at work, {done} judged, {failed} failed",
    ),
    "judge_retry": ("Причины и ещё одну попытку даёт команда", "For the reasons and another try, run"),
    "judge_gate": (
        "В общий рейтинг судья входит, когда нижняя граница согласия без ничьих "
        "не меньше {share} хотя бы на {battles} боях.",
        "A judge enters the combined board when the lower bound of its agreement without ties "
        "reaches {share} over at least {battles} battles.",
    ),
    "judge_note": (
        "Каждый бой судья читает дважды, поменяв ответы местами. Его вердикты идут отдельной дорожкой "
        "и голоса людей не заменяют. Под цифрой — её 95 % интервал и число боёв.",
        "A judge reads every battle twice, the answers exchanged. Its verdicts are a track of their own "
        "and replace no vote. Below each figure: its 95% interval and the number of battles.",
    ),
    # benchmarks
    "tab_bench": ("Бенчмарки", "Benchmarks"),
    "bench_tasks": ("Задачи", "Tasks"),
    "bench_quotes": ("Опубликованные:", "Published:"),
    "bench_own_only": ("только наши", "ours only"),
    "bench_all_quoted": ("показать все", "show all"),
    "bench_quoted": ("цитата", "quoted"),
    "bench_no_rows": (
        "Своих результатов пока нет. Их даёт команда python -m arena bench run.",
        "No results of our own yet. The command python -m arena bench run makes them.",
    ),
    "bench_note": (
        "Строки с пометкой «цитата» опубликованы другими: источник и дата указаны в строке. "
        "Другие вопросы, судья или перевод дают другие числа.",
        "Rows marked “quoted” were published by others; source and date stand in the row. "
        "Other questions, another judge or translation give other figures.",
    ),
    "bench_interval": (
        "Интервалы «по вопросам» берут вопрос целиком, со всеми его партиями. Те, что «по строкам», как в "
        "опубликованных таблицах, считают партии одного вопроса независимыми и потому слишком узки.",
        "Intervals “over questions” draw a question whole, with all its games. Those “over rows”, as in published "
        "tables, take the games of one question for independent and are therefore too narrow.",
    ),
    "bench_over_questions": ("по вопросам", "over questions"),
    "bench_over_rows": ("по строкам", "over rows"),
    "bench_unscored": (
        "Без оценки осталось: {count}. В средние они не входят.",
        "Left unscored: {count}. No average counts them.",
    ),
    "bench_correlation": ("Ранговая корреляция с рейтингом, ρ", "Rank correlation with the rating, ρ"),
    "bench_samples": ("примеры", "samples"),
    "bench_samples_of": ("Примеры: {model}, {task}", "Samples: {model}, {task}"),
    "bench_no_samples": ("Ответов этого прогона здесь нет.", "The answers of this run are not here."),
    "bench_back": ("К таблице", "Back to the table"),
    "bench_place": ("{first}–{last} из {total}", "{first}–{last} of {total}"),
    "bench_pages": ("Страницы", "Pages"),
    "bench_earlier": ("← Раньше", "← Earlier"),
    "bench_later": ("Дальше →", "Later →"),
    "bench_prompt": ("Вопрос", "Prompt"),
    "bench_answer": ("Ответ модели", "The model's answer"),
    "bench_baseline": ("Ответ для сравнения", "The answer it is compared with"),
    "bench_judge": ("Судья {judge}:", "Judge {judge}:"),
    "bench_baseline_is_a": ("· A — ответ для сравнения", "· A is the answer it is compared with"),
    "bench_model_is_a": ("· A — ответ модели", "· A is the model's answer"),
    "bench_column": ("Показатель", "Figure"),
    "bench_plot_rating": ("Балл и рейтинг", "Score and rating"),
    "bench_plot_length": ("Балл и длина", "Score and length"),
    "bench_plot_categories": ("Категории", "Categories"),
    "bench_ours": ("наши", "ours"),
    "bench_no_rho": ("ρ: мало моделей или они не различаются", "ρ: too few models, or no difference between them"),
    "bench_col_score": ("Балл", "Score"),
    "bench_col_battles": ("Партий", "Games"),
    "bench_col_n": ("Вопросов", "Questions"),
    "bench_col_turn_1": ("Ход 1", "Turn 1"),
    "bench_col_turn_2": ("Ход 2", "Turn 2"),
    "bench_col_avg_tokens": ("Длина, токенов", "Length, tokens"),
    "bench_col_avg_length": ("Длина, знаков", "Length, characters"),
    "bench_col_answer_length": ("Длина ответа, знаков", "Answer length, characters"),
    "bench_col_win_rate": ("Доля побед, %", "Win rate, %"),
    "bench_col_standard_error": ("Стандартная ошибка", "Standard error"),
    "bench_col_length_controlled_winrate": ("С поправкой на длину, %", "Length-controlled, %"),
    "bench_col_prompt_strict": ("Промпты, строго", "Prompts, strict"),
    "bench_col_instruction_strict": ("Инструкции, строго", "Instructions, strict"),
    "bench_col_prompt_loose": ("Промпты, мягко", "Prompts, loose"),
    "bench_col_instruction_loose": ("Инструкции, мягко", "Instructions, loose"),
    "bench_col_judge_correct_percent": ("Верно по судье, %", "Judged correct, %"),
    "bench_col_avg_answer_match_rougeL": ("ROUGE-L к эталону", "ROUGE-L to the reference"),
    "bench_col_avg_abs_indexes_diff": ("Расхождение ссылок", "Difference of citations"),
    "bench_col_weighted_score": ("Взвешенный балл", "Weighted score"),
    "bench_col_language_consistency": ("Тот же язык", "Same language"),
    "bench_col_coding": ("Код", "Coding"),
    "bench_col_extraction": ("Извлечение", "Extraction"),
    "bench_col_humanities": ("Гуманитарное", "Humanities"),
    "bench_col_math": ("Математика", "Math"),
    "bench_col_reasoning": ("Рассуждение", "Reasoning"),
    "bench_col_roleplay": ("Роли", "Roleplay"),
    "bench_col_stem": ("Естественные науки", "STEM"),
    "bench_col_writing": ("Тексты", "Writing"),
    # the operator's page
    "tab_models": ("Модели", "Models"),
    "operator_closed": ("Страница оператора: состояние моделей.", "The operator's page: the state of the models."),
    "operator_token": ("Токен оператора (ARENA_ADMIN_TOKEN)", "The operator's token (ARENA_ADMIN_TOKEN)"),
    "operator_open": ("Открыть", "Open"),
    "operator_leave": ("Выйти", "Leave"),
    "operator_wrong": ("Токен не подошёл.", "The token is not right."),
    "operator_wait": ("Слишком много попыток. Подождите минуту.", "Too many tries. Wait a minute."),
    "operator_stays": ("Модель сейчас отвечает и остаётся.", "The model is answering and stays."),
    "operator_state": ("Состояние", "State"),
    "operator_memory": ("Память", "Memory"),
    "operator_answers": ("Ответов", "Answers"),
    "operator_failures": ("Сбои", "Failures"),
    # what befell answers, loads and workers, by the code of the error
    "failure_engine": ("ответить не удалось", "could not answer"),
    "failure_model_unavailable": ("модель недоступна", "model not available"),
    "failure_endpoint": ("ошибка сервера модели", "the model's server failed"),
    "failure_access_denied": ("доступ закрыт", "access denied"),
    "failure_rate_limited": ("слишком частые запросы", "too many requests"),
    "failure_timeout": ("время вышло", "timed out"),
    "failure_context_overflow": ("разговор слишком длинный", "conversation too long"),
    "failure_spending_cap": ("исчерпан потолок расходов", "spending cap reached"),
    "failure_prompt": ("разговор не подошёл шаблону", "conversation does not fit the template"),
    "failure_load": ("не загрузилась", "did not load"),
    "failure_out_of_memory": ("не хватило памяти", "out of memory"),
    "failure_crash": ("процесс упал", "process crashed"),
    "failure_hang": ("зависла", "hung"),
    "operator_spent": ("Потрачено", "Spent"),
    "operator_acts": ("Действия", "Actions"),
    "operator_load": ("Загрузить", "Load"),
    "operator_evict": ("Выгрузить", "Evict"),
    "operator_enable": ("Включить", "Enable"),
    "operator_disable": ("Выключить", "Disable"),
    "operator_phase_cold": ("не загружена", "not loaded"),
    "operator_phase_loading": ("загружается", "loading"),
    "operator_phase_warm": ("готова", "ready"),
    "operator_phase_failed": ("сбой", "failed"),
    "operator_phase_disabled": ("выключена", "disabled"),
    "operator_endpoint_cold": ("не удалось узнать", "could not tell"),
    "operator_endpoint_warm": ("отвечает", "answers"),
    "operator_endpoint_failed": ("недоступна", "out of reach"),
    "operator_answering": ("отвечает сейчас: {count}", "answering now: {count}"),
    "operator_retry": ("новая попытка через {seconds} с", "next attempt in {seconds} s"),
    "operator_gib": ("{gib} ГиБ", "{gib} GiB"),
    "operator_needs": ("нужно {gib} ГиБ", "needs {gib} GiB"),
    "operator_free": ("свободно", "free"),
    "operator_engine_local": ("на этой машине", "on this machine"),
    "operator_engine_recorded": ("записанные ответы", "recorded answers"),
    "operator_engine_openai": ("по сети", "over the network"),
    "operator_kept": ("Занято моделями: {kept} ГиБ", "Kept for models: {kept} GiB"),
    "operator_kept_of": ("Занято моделями: {kept} из {budget} ГиБ", "Kept for models: {kept} of {budget} GiB"),
    "operator_battles": (
        "Боёв сейчас: {battles}, ответов пишется: {streams}, ждут моделей: {warming}",
        "Battles now: {battles}, answers being written: {streams}, waiting for models: {warming}",
    ),
    "operator_votes": ("С запуска: {time}, голосов {votes}", "Since the start: {time}, votes {votes}"),
    "time_moment": ("меньше минуты", "less than a minute"),
    "time_minutes": ("{minutes} мин", "{minutes} min"),
    "time_hours": ("{hours} ч {minutes} мин", "{hours} h {minutes} min"),
    "time_days": ("{days} сут {hours} ч", "{days} d {hours} h"),
    "operator_database": ("База данных отвечает", "The database answers"),
    "operator_database_down": ("База данных не отвечает", "The database does not answer"),
    "operator_unsaved": (
        "Только на этом диске — голоса за последние {now} с (с запуска бывало до {longest} с)",
        "On this disk only: votes of the last {now} s (up to {longest} s since the start)",
    ),
    "operator_gpu": ("{name}: {used} из {total} ГиБ, {watts} Вт", "{name}: {used} of {total} GiB, {watts} W"),
    # integrity of votes
    "tab_integrity": ("Честность", "Integrity"),
    "integrity_closed": (
        "Страница оператора: подозрительные голоса.",
        "The operator's page: votes that look rigged.",
    ),
    "integrity_read": ("Прочитано голосов: {votes}, голосующих: {voters}", "Votes read: {votes}, voters: {voters}"),
    "integrity_patrol": (
        "Последняя проверка ареной, {at}: голосов {votes}, подозрительных голосующих {voters}, групп {crowds}, "
        "отложено {held}",
        "The arena's own last check, {at}: votes {votes}, suspicious voters {voters}, groups {crowds}, held {held}",
    ),
    "integrity_patrol_none": (
        "Сама арена голоса ещё не проверяла: новых мало",
        "The arena has not checked the votes by itself yet: few are new",
    ),
    "integrity_flip": (
        "Чтобы сменить первое место, хватит голосов за {challenger} против {leader}: {duels} "
        "(или случайных боёв того, кто всегда голосует за {challenger}: около {battles}). "
        "Считаются модели с рейтингом, у которых боёв не меньше {least}",
        "Votes for {challenger} against {leader} that would flip first place: {duels} "
        "(or random battles of somebody who always votes for {challenger}: about {battles}). "
        "Counted among rated models of at least {least} battles",
    ),
    "integrity_prompts": (
        "Повторные вопросы: {share} голосов, больше всего на один вопрос — {most}.",
        "Repeated prompts: {share} of votes, at most {most} on one prompt.",
    ),
    "integrity_moved": (
        "Если считать каждый вопрос один раз, места изменятся: {moved}",
        "If each prompt counted once, places would change: {moved}",
    ),
    "integrity_unmoved": (
        "Если считать каждый вопрос один раз, места не изменятся",
        "If each prompt counted once, no place would change",
    ),
    "integrity_quarantine": ("Отложить подозрительные голоса: {votes}", "Hold back suspicious votes: {votes}"),
    "integrity_clean": ("Подозрительных голосов нет.", "No vote is under suspicion."),
    "integrity_held_now": ("Отложено голосов: {votes}", "Votes held back: {votes}"),
    "integrity_back_now": ("Возвращено голосов: {votes}", "Votes put back: {votes}"),
    "integrity_voter": ("Голосующий", "Voter"),
    "integrity_votes": ("Голосов", "Votes"),
    "integrity_deed": ("Что настораживает", "Least like an honest voter"),
    "integrity_score": ("Набрано", "Score"),
    "integrity_expected": ("Ожидалось", "Expected"),
    "integrity_wealth": ("Улика, ln e", "Evidence, ln e"),
    "integrity_agreement": ("Согласие с другими, σ", "Agreement with others, σ"),
    "integrity_raise": ("поднимает {model}", "raises {model}"),
    "integrity_lower": ("топит {model}", "lowers {model}"),
    "integrity_of": ("{score} из {battles}", "{score} of {battles}"),
    "integrity_flagged": ("под подозрением", "flagged"),
    "integrity_trusted": ("оправдан", "trusted"),
    "integrity_crowds": ("Группы", "Groups"),
    "integrity_crowd": ("Кто", "Who"),
    "integrity_newest": ("новейшая десятая часть голосов", "the newest tenth of votes"),
    "integrity_few": ("голосующие, у кого голосов не больше {votes}", "voters of at most {votes} votes"),
    "integrity_z": ("z", "z"),
    "integrity_held": ("Отложенные голоса", "Votes held back"),
    "integrity_reason": ("Причина", "Reason"),
    "integrity_release": ("Вернуть и доверять", "Put back and trust"),
    "integrity_note": (
        "Улика — логарифм выигрыша в ставках против честности голосующего. Под подозрением — улика выше {threshold} "
        "или согласие с другими ниже {opposed} σ. "
        "Честные вкусы учтены. Отложенные голоса не удалены: вернуть их можно в любой момент.",
        "Evidence is the logarithm of what bets against the voter's honesty won. A voter is flagged by evidence above "
        "{threshold} or by agreement with others below {opposed} σ. "
        "Honest tastes are allowed for. Votes held back are not deleted and can be put back at any time.",
    ),
    # preparation and trouble
    "preparing": ("Готовим модели: {ready} из {total}{eta}", "Preparing the models: {ready} of {total}{eta}"),
    "preparing_eta": (" · ещё около {seconds} с", " · about {seconds} s left"),
    "toys_note": (
        "Это показ: игрушечные модели, обученные здесь на паре сотен вопросов.",
        "This is a demo: toy models, trained here on a few hundred questions.",
    ),
    "error_not_ready": (
        "Модели ещё готовятся. Спросите через несколько секунд.",
        "The models are being prepared. Ask again in a few seconds.",
    ),
    "error_busy": (
        "Сейчас идёт слишком много боёв. Попробуйте через полминуты.",
        "Too many battles are running. Try again in half a minute.",
    ),
    "error_too_few": (
        "Для боя нужны две модели, а сейчас участвует меньше. Загляните позже.",
        "A battle needs two models, and fewer take part now. Come back later.",
    ),
    "error_prompt_empty": ("Сначала напишите вопрос.", "Write a question first."),
    "error_prompt_too_long": (
        "Сообщение слишком длинное: можно не больше {limit} знаков.",
        "The message is too long: {limit} characters at most.",
    ),
    "error_prompt_refused": (
        "В сообщении есть знаки, которые не читаются как текст. Уберите их.",
        "The message holds characters that are not text. Remove them.",
    ),
    "error_too_many_turns": (
        "Больше спрашивать в этом бою нельзя (вопросов: {limit}). Проголосуйте или начните новый.",
        "No more can be asked in this battle (questions: {limit}). Vote or start a new one.",
    ),
    "error_unknown_battle": ("Такого боя нет. Начните новый.", "There is no such battle. Start a new one."),
    "error_not_recorded": (
        "Ответы на это не записаны: эти модели отвечают только на вопросы из набора. Выберите один из предложенных.",
        "No answers to this are recorded: these models answer only the recorded questions. Choose a suggested one.",
    ),
    "error_voting_closed": ("Этот бой сейчас не принимает голос.", "This battle takes no vote now."),
    "error_already_voted": ("В этом бою голос уже есть.", "This battle has its vote already."),
    "error_answers_changed": (
        "Ответы с тех пор другие: их спросили заново в другом окне. Прочитайте их и голосуйте.",
        "The answers are others now: they were asked anew in another window. Read them, then vote.",
    ),
    "error_undo_too_late": ("Время для отмены вышло.", "The time for undoing is over."),
    "error_store_unavailable": (
        "База данных сейчас не принимает запись, голос не учтён. Попробуйте ещё раз.",
        "The database takes no writes now, the vote was not counted. Try again.",
    ),
    "error_battle": ("Так сейчас нельзя. Начните новый бой.", "That is not possible now. Start a new battle."),
    "error_choose": ("Выберите модели из списка.", "Choose models from the list."),
    "error_offline": (
        "Нет связи с сервером: голос не учтён. Попробуйте ещё раз.",
        "No connection to the server: the vote was not counted. Try again.",
    ),
    "error_lost": (
        "Нет связи с сервером. Страница продолжит сама, когда он ответит; написанное не пропадёт.",
        "No connection to the server. The page goes on by itself when it answers; what you wrote stays.",
    ),
    "error_too_fast": (
        "Слишком быстро: попробуйте ещё раз примерно через {seconds} с.",
        "Too fast: try again in about {seconds} s.",
    ),
    "error_too_long": ("Сообщение слишком длинное.", "The message is too long."),
    "error_cookies": (
        "Без cookie арена не узнает, чей это бой: разрешите их и обновите страницу.",
        "Without cookies the arena cannot tell whose battle this is: allow them and reload the page.",
    ),
    "nowhere": ("Здесь ничего нет", "There is nothing here"),
    "too_fast": ("Подождите немного", "One moment, please"),
    "busy_title": ("Арена занята", "The arena is busy"),
    "busy": (
        "Сейчас здесь слишком много людей. Страница откроется сама примерно через {seconds} с.",
        "Too many people are here now. The page will open by itself in about {seconds} s.",
    ),
    "error_sign_in": (
        "Голоса здесь принимают только после входа через Hugging Face: кнопка вверху страницы.",
        "Votes are taken here only from people signed in with Hugging Face: the button is at the top of the page.",
    ),
    "sign_in": ("Войти через Hugging Face", "Sign in"),
    "sign_out": ("Выйти", "Sign out ({})"),
    "error_error": ("Не получилось. Попробуйте ещё раз.", "That did not work. Try again."),
}


def say(language: str, key: str, **values: object) -> str:
    """A string of the page in a language (Russian unless it is `en`)."""
    return TEXTS[key][1 if language == "en" else 0].format(**values) if values else TEXTS[key][language == "en"]


def topic_name(topic: str, language: str) -> str:
    """A topic in the voter's words: the demo's are keys, a catalogue's are words already."""
    return say(language, f"topic_{topic}") if f"topic_{topic}" in TEXTS else topic


def number(value: float, language: str, digits: int = 0, *, signed: bool = False) -> str:
    """A number as the language writes it: 12 408,5 or 12,408.5; what is rounded to nothing has no minus."""
    text = f"{value:{'+' if signed else '-'}z,.{digits}f}".replace("-", "\u2212")
    return text if language == "en" else text.replace(",", "\u202f").replace(".", ",")


def percent(share: float, language: str, digits: int = 0) -> str:
    """A share in percent: 61 % or 61%."""
    return number(share * 100, language, digits) + ("%" if language == "en" else "\u00a0%")
