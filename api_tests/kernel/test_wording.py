"""What msgspec says, in words."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from app.kernel.wording import in_words


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (int, "x", "a whole number is wanted"),
        (int | None, "x", "a whole number is wanted"),
        (float, "x", "a number is wanted"),
        (bool, "x", "true or false is wanted"),
        (Annotated[int, Meta(ge=1)], "0", "a whole number of at least 1 is wanted"),
        (Annotated[int, Meta(le=200)] | None, "201", "a whole number of at most 200 is wanted"),
        (Annotated[float, Meta(gt=0)], "0", "a number above 0 is wanted"),
        (Annotated[float, Meta(lt=0.5)], "0.5", "a number below 0.5 is wanted"),
        (Annotated[str, Meta(min_length=1)], "", "at least 1 character may stand here"),
        (Annotated[str, Meta(max_length=3)], "four", "at most 3 characters may stand here"),
        (Annotated[str, Meta(pattern="^a$")], "b", "it holds characters that are not allowed"),
        (Literal["a", "b"], "c", "Invalid enum value 'c'"),
    ],
)
def test_a_value_that_is_refused_is_told_what_is_wanted(kind: object, text: str, words: str):
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(text, kind, strict=False)
    assert words == in_words(str(refused.value))


def test_a_word_that_is_not_among_the_choices_is_told_them():
    assert "one of a, b is wanted" == in_words("Invalid enum value 'c'", ["a", "b"])
    assert "a number is wanted" == in_words("Expected `float`, got `str`", ["a", "b"])
