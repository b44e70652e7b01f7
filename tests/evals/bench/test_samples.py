"""A chat subject asked several times: the most frequent answer counts, agreement is support and no confidence."""

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel

from secondread.evals.bench.item import Item
from secondread.evals.bench.subjects import ChatSubject

ITEM = Item(id="1", kind="yes_no", question="Is it?", answer=("yes",), group="1")


def test_the_most_frequent_of_three_replies_counts() -> None:
    model = FakeListChatModel(responses=["No.", "Yes, it is.", "yes"])
    made = ChatSubject(model, "chat:x", samples=3).ask(ITEM, ())
    assert made.answer == "yes" and made.calls == 3 and made.confidence is None
    assert made.meta["witnesses"] == {"sample_agreement": pytest.approx(2 / 3)}


def test_one_reply_has_no_agreement() -> None:
    made = ChatSubject(FakeListChatModel(responses=["perhaps"]), "chat:x").ask(ITEM, ())
    assert made.unparsed and made.meta == {}
