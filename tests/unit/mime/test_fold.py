"""
Folding of text for comparison.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trekd.mime.fold import fold, folded_pieces

_CHARACTERS = st.sampled_from("aßéＡ\u0301\u0327\u0345\u0f73\ufdfa\ufb01힣\u1100\u1161 \n😀")


@given(st.lists(st.text(st.one_of(_CHARACTERS, st.characters(exclude_categories=["Cs"])), max_size=6), max_size=8))
def test_pieces_fold_to_what_the_whole_folds_to(pieces: list[str]) -> None:
    assert "".join(folded_pieces(pieces)) == fold("".join(pieces))


def test_marks_without_end_are_cut_somewhere() -> None:
    """Nothing waits for a base character that never comes."""
    pieces = list(folded_pieces(["\u0301" * 8192] * 10))
    assert max(map(len, pieces)) <= 8192 + 64
    assert sum(map(len, pieces)) == 81920
