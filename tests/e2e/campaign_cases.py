"""Campaigns that are hard to lay out, as a brief and a final state each: other
scripts, too much, too little, odd colours, a page that is broken."""

LONG_WORD = "Donaudampfschifffahrtsgesellschaft" * 15


def campaign(brief=None, artifacts=None, **members):
    whole = {"campaign_name": "Corner Bakery Opens", "client": "Corner Bakery",
             "product": "Bread that is still warm", **(brief or {})}
    state = {"artifacts": artifacts if artifacts is not None else dict(PLAIN)}
    return {"brief": {k: v for k, v in whole.items() if v is not None}, "state": {**state, **members}}


MEDIA_TABLE = """| Channel | Budget | Share | Dates | KPI |
|---|--:|--:|---|---|
| Door hangers | $300 | 20% | 1 May – 14 May | 900 doors |
| Local radio | $700 | 47% | 5 May – 25 May | 40 spots |
| Window | $500 | 33% | 1 May – 31 May | 120 visits a day |
"""

PLAIN = {
    "strategy": "# Open the door\n\nLet **the smell** do the work.\n\n> Nobody reads a bread advert. "
                "Everybody turns round.\n\n1. Bake at seven\n2. Open the door at eight\n   - both doors\n",
    "audience_personas": "### Ines, 34, commuter\n\n- Passes at 7:50\n- Buys with her nose\n\n"
                         "### Tom, 71, retired\n\n- Has time\n- Knows everybody\n",
    "copy": "## Variation A\n\n**Follow your nose.**\n\n## Variation B\n\n**Eight o'clock. Still warm.**\n",
    "media_plan": MEDIA_TABLE,
}


def arabic():
    return campaign(
        {"campaign_name": "صيف على الميناء", "client": "مقهى الميناء", "product": "قهوة باردة MarsaBrew 2.0",
         "color_scheme": "أزرق #0B4F6C ورمل #E8C07D", "budget": "12,500 دولار", "timeline": "٣ أشهر",
         "goals": ["بيع 4,000 كوب قبل نهاية الصيف", "زيارة المقهى مرتين في الأسبوع"], "language": "ar"},
        {"strategy": "# الفكرة الأساسية\n\nالميناء مكان **اللقاء** في المساء، والقهوة الباردة سبب للبقاء. "
                     "نستخدم الوسم #MarsaBrew على *Instagram* مرة كل يوم.\n\n> القهوة تجمع الناس.\n\n"
                     "1. افتح الباب\n2. قدّم كوبًا\n   - بارد\n   - أو ساخن\n",
         "audience_personas": "### ليلى، 29 عامًا، مصممة\n\n- تعمل من المقهى\n- تحب الهدوء\n\n"
                              "### سامي، 45 عامًا، بحّار\n\n- يعود في السادسة\n- يشرب القهوة السوداء\n",
         "media_plan": "| القناة | الميزانية | الحصة |\n|---|--:|--:|\n| إذاعة محلية | 5,000 | 40% |\n"
                       "| ملصقات الميناء | 7,500 | 60% |\n",
         "copy": "**هواء البحر مجاني. القهوة بثلاثة دراهم.**\n\n[الموقع](https://marsa.example.com)\n"})


def hebrew():
    return campaign(
        {"campaign_name": "לחם של בוקר", "client": "מאפיית הפינה", "product": "לחם חם (Sourdough)",
         "color_scheme": "warm earth tones", "budget": "5,000 ₪", "timeline": "6 שבועות"},
        {"strategy": "# לפתוח את הדלת\n\nהריח עושה את העבודה. **אף אחד לא קורא מודעה על לחם**, "
                     "אבל כולם מסתובבים (בערך 80%).\n\n- אופים בשבע\n- פותחים בשמונה\n",
         "audience_personas": "### דנה, 34\n\n- עוברת ב-7:50\n\n### משה, 71\n\n- מכיר את כולם\n",
         "media_plan": "| ערוץ | תקציב |\n|---|--:|\n| רדיו | 3,000 |\n| שלטים | 2,000 |\n"})


def japanese():
    return campaign(
        {"campaign_name": "朝の湯気、夜の灯り", "client": "角のパン屋", "product": "焼きたての食パン「あさひ」",
         "color_scheme": "藍色 #1B3A6B、小麦 #D9A441", "budget": "120万円", "timeline": "3か月"},
        {"strategy": "# 香りで街を起こす\n\n広告よりも**香り**が先に届く。開店は八時、焼き上がりは七時五十分。"
                     "通勤の人が足を止める十分間に、すべてを賭ける。\n\n> パンの広告は誰も読まない。でも、みんな振り返る。\n\n"
                     "1. 七時に焼く\n2. 八時に扉を開ける\n",
         "audience_personas": "### 佐和子（34歳・通勤）\n\n- 七時五十分に通る\n- 鼻で買う\n\n### 健一（71歳）\n\n- 時間がある\n",
         "media_plan": "| 媒体 | 予算 | 割合 |\n|---|--:|--:|\n| チラシ | 30万円 | 25% |\n| ラジオ | 90万円 | 75% |\n",
         "copy": "**鼻の向くほうへ。**\n\n八時。まだ温かい。\n"})


def wide_table():
    head = "| " + " | ".join(f"Week {i}" for i in range(1, 41)) + " |\n" + "|---" * 40 + "|\n"
    rows = "".join("| " + " | ".join(f"{r * c} visits" for c in range(1, 41)) + " |\n" for r in range(1, 13))
    long_rows = "".join(f"| {i} | Item number {i} of the long table | {i * 17 % 91} |\n" for i in range(1, 301))
    return campaign({"campaign_name": "Forty Weeks of Bread", "color_scheme": "professional"},
                    {**PLAIN, "calendar": "## Forty columns\n\n" + head + rows,
                     "inventory": "| # | What | Count |\n|--:|---|--:|\n" + long_rows})


def long_words():
    return campaign({"campaign_name": LONG_WORD[:140], "client": LONG_WORD[:200], "product": LONG_WORD,
                     "budget": LONG_WORD[:90], "color_scheme": "#ff0", "goals": [LONG_WORD]},
                    {"strategy": f"# {LONG_WORD}\n\n{LONG_WORD} and **{LONG_WORD}**, `{LONG_WORD}`\n\n- {LONG_WORD}\n\n"
                                 f"| {LONG_WORD} | b |\n|---|---|\n| {LONG_WORD} | {LONG_WORD} |\n\n> {LONG_WORD}\n",
                     "audience_personas": f"### {LONG_WORD}\n\n{LONG_WORD}\n\n### Tom\n\n- short\n",
                     "media_plan": f"| Channel | Budget |\n|---|--:|\n| {LONG_WORD} | $300 |\n| b | $1,000 |\n",
                     LONG_WORD: LONG_WORD,
                     "designer": {LONG_WORD: LONG_WORD, "nested": {LONG_WORD[:300]: [LONG_WORD]}}})


def deep():
    nest = "".join("  " * i + f"- level {i + 1} of the list\n" for i in range(60))
    quotes = "> " * 60 + "sixty quotes deep\n"
    tree = {"leaf": "the innermost value"}
    for level in range(60):
        tree = {f"level {60 - level}": tree}
    return campaign({"campaign_name": "Sixty Levels Down", "color_scheme": "black and white"},
                    {**PLAIN, "outline": nest, "quotes": quotes, "designer": tree})


def many():
    artifacts = {f"artifact {i:03}": f"# Artifact {i}\n\nText number {i} with **bold** words.\n\n- a\n- b\n"
                 for i in range(300)}
    return campaign({"campaign_name": "Three Hundred Artifacts", "color_scheme": "playful"},
                    {**PLAIN, **artifacts})


def empty():
    return {"brief": {}, "state": {}}


def broken_page():
    return campaign({"campaign_name": "A Page That Breaks Off", "color_scheme": "teal and coral"},
                    {**PLAIN, "web_developer": {"campaign_website": "```html\n<!DOCTYPE html>\n<html><head><title>Half"}})


def bare_page():
    """A ready page without doctype, charset, viewport, title or language."""
    return campaign({"campaign_name": "A Bare Page"},
                    {**PLAIN, "web_developer": {"campaign_website":
                     "Sure! Here it is:\n\n~~~html\n<html>\n<body style=\"margin:2rem\"><main>\n"
                     "<h1>Café crème — déjà vu</h1>\n<p>Warm bread, every day from eight.</p>\n"
                     "</main></body>\n~~~\nTell me if you like it!"}})


def colours(scheme):
    return campaign({"color_scheme": scheme, "campaign_name": f"Bread in {scheme}"[:40]}, dict(PLAIN))


SCHEMES = ("warm earth tones", "professional", "#ff0", "black and white", "#fff", "#000",
           "pastel", "neon #39ff14 on #0d0d0d", "dark", "")

HARD = {
    "arabic": arabic, "hebrew": hebrew, "japanese": japanese, "wide-table": wide_table,
    "long-words": long_words, "deep": deep, "many": many, "empty": empty,
    "broken-page": broken_page, "bare-page": bare_page,
    **{f"colours-{number}": (lambda scheme=scheme: colours(scheme)) for number, scheme in enumerate(SCHEMES)},
}
