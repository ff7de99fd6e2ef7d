"""What an OpenSky feed says of its source: how often it speaks, and what a person has to see to."""

import pytest
from pydantic import SecretStr

from streaming.sources.http import Answer
from streaming.sources.opensky import OpenSky, concerns_of


@pytest.mark.parametrize(
    ("answer", "left", "kind"),
    [
        (Answer(code="200"), 399.0, None),
        (Answer(code="200"), None, None),
        (Answer(code="500", problem="down"), None, None),
        (Answer(code="200"), 0.0, "credits"),
        (Answer(code="429", problem="too many"), None, "credits"),
        (Answer(code="401", problem="no"), None, "credentials"),
        (Answer(code="403", problem="no"), None, "credentials"),
        (Answer(code="token_400", problem="no such client"), None, "credentials"),
        (Answer(code="token_500", problem="down"), None, None),
    ],
)
def test_spent_credits_and_a_refused_account_are_a_persons_matter(
    answer: Answer, left: float | None, kind: str | None
) -> None:
    assert list(concerns_of(answer, left, 7200.0)) == ([] if kind is None else [kind])


def test_it_says_when_new_credits_come() -> None:
    assert "in 2.0 h" in concerns_of(Answer(code="429"), 0.0, 7200.0)["credits"]


def test_without_an_account_it_speaks_seldom_and_is_given_the_time() -> None:
    alone = OpenSky("sky").facts()
    known = OpenSky("sky", credentials=("me", SecretStr("x"))).facts()
    assert (alone.repeatable, alone.concerns) == (False, {})
    assert alone.period_s is not None
    assert known.period_s is not None
    assert alone.period_s > known.period_s >= 5
