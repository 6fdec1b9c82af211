"""Every sentence a reason can say, in every language: the one place to translate.

A template is keyed by the reason's code. ``{name:form}`` stands for a value of the reason: ``form`` is one of ``whole``
(a rounded number), ``percent``, ``date``, ``every`` (an interval), ``text``, ``stated`` (what a contact said of why it
stopped), or a noun of the language, which is counted ("1 day", "12 days").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter


@dataclass(frozen=True, slots=True)
class Language:
    """How one language says it.

    Attributes
    ----------
    months : tuple of str
        January to December, short.
    nouns : mapping of str to (str, str)
        One and many of each thing counted.
    every_day, every_days : str
        An interval of a day, and of ``{}`` days.
    below_one_percent : str
    stated : mapping of str to str
        Each of ``STATED_REASONS`` in words.
    reasons : mapping of str to str
        A template for each code.
    """

    months: tuple[str, ...]
    nouns: Mapping[str, tuple[str, str]]
    every_day: str
    every_days: str
    below_one_percent: str
    stated: Mapping[str, str]
    reasons: Mapping[str, str]


ENGLISH = Language(
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    nouns={
        "day": ("day", "days"),
        "purchase_day": ("purchase day", "purchase days"),
        "return": ("return", "returns"),
        "order": ("order", "orders"),
    },
    every_day="every day",
    every_days="every {} days",
    below_one_percent="less than 1 %",
    stated={
        "moved_away": "moved away",
        "no_need": "no need any more",
        "price": "too expensive",
        "delivery": "not content with the delivery",
        "service": "not content with the service",
        "quality": "not content with the quality",
        "assortment": "does not find what is looked for",
        "too_many_messages": "too many messages",
        "competitor": "buys elsewhere",
        "other": "something else",
    },
    reasons={
        "stated": "said on {on:date}: {why:stated}",
        "rhythm": "buys {gap:every} on average, now {silence:day} silent",
        "longest_silence": "the longest silence so far: {silence:day}, before at most {longest:whole}",
        "overdue": "expected back by {due:date}, {late:day} ago",
        "due_today": "expected back by {due:date}, today",
        "due_soon": "expected back by {due:date}, in {left:day}",
        "buys_less": "buys less: {now:purchase_day} in the last 90, {before:whole} in the 90 before",
        "few_purchases": "only {count:purchase_day} so far",
        "small_last_order": "spent {last:whole} {currency:text} the last time, {usual:whole} on average before",
        "returns": "sent goods back: {returns:return} beside {orders:order}",
        "ignored_email": "ignored the last {count:whole} e-mails",
        "ignored_sms": "ignored the last {count:whole} text messages",
        "ignored_push": "ignored the last {count:whole} push messages",
        "ignored_post": "ignored the last {count:whole} mailings",
        "no_visit": "no visit for {days:day}",
        "service": "contacted service {days:day} ago",
        "chance": "{p:percent} likely to buy within {horizon:day}",
        "value": "about {value:whole} {currency:text} at risk",
        "last_purchase": "{count:purchase_day} so far, the last on {last:date}",
    },
)

DUTCH = Language(
    months=("jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"),
    nouns={
        "day": ("dag", "dagen"),
        "purchase_day": ("aankoopdag", "aankoopdagen"),
        "return": ("retour", "retouren"),
        "order": ("bestelling", "bestellingen"),
    },
    every_day="elke dag",
    every_days="elke {} dagen",
    below_one_percent="minder dan 1 %",
    stated={
        "moved_away": "verhuisd",
        "no_need": "heeft het niet meer nodig",
        "price": "te duur",
        "delivery": "ontevreden over de bezorging",
        "service": "ontevreden over de service",
        "quality": "ontevreden over de kwaliteit",
        "assortment": "vindt niet wat gezocht wordt",
        "too_many_messages": "te veel berichten",
        "competitor": "koopt elders",
        "other": "iets anders",
    },
    reasons={
        "stated": "zei op {on:date}: {why:stated}",
        "rhythm": "koopt gemiddeld {gap:every}, nu {silence:day} stil",
        "longest_silence": "de langste stilte tot nu toe: {silence:day}, eerder hooguit {longest:whole}",
        "overdue": "terug verwacht uiterlijk {due:date}, {late:day} geleden",
        "due_today": "terug verwacht uiterlijk {due:date}, vandaag",
        "due_soon": "terug verwacht uiterlijk {due:date}, over {left:day}",
        "buys_less": "koopt minder: {now:purchase_day} in de laatste 90, {before:whole} in de 90 daarvoor",
        "few_purchases": "nog maar {count:purchase_day}",
        "small_last_order": "besteedde de laatste keer {last:whole} {currency:text}, daarvoor gemiddeld {usual:whole}",
        "returns": "stuurde terug: {returns:return} naast {orders:order}",
        "ignored_email": "negeerde de laatste {count:whole} e-mails",
        "ignored_sms": "negeerde de laatste {count:whole} sms'en",
        "ignored_push": "negeerde de laatste {count:whole} pushberichten",
        "ignored_post": "negeerde de laatste {count:whole} poststukken",
        "no_visit": "al {days:day} geen bezoek",
        "service": "had {days:day} geleden contact met de klantenservice",
        "chance": "{p:percent} kans op een aankoop binnen {horizon:day}",
        "value": "ongeveer {value:whole} {currency:text} op het spel",
        "last_purchase": "{count:purchase_day} tot nu toe, de laatste op {last:date}",
    },
)

LANGUAGES: Mapping[str, Language] = {"en": ENGLISH, "nl": DUTCH}
"""Every language there is, by its ISO 639-1 code: what ``policy.language`` may say."""


def pieces(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """Return a template's parts in order: (text, name of the value that follows it or None, its form).

    Examples
    --------
    >>> pieces("no visit for {days:day}!")
    (('no visit for ', 'days', 'day'), ('!', None, ''))
    """
    return tuple((text, name, form or "") for text, name, form, _ in Formatter().parse(template))
