from __future__ import annotations

from atlas_core.cards import ReceptiveField
from atlas_core.models.receptive_field import Axis, Field, union


def test_an_untouched_input_sees_its_own_pixel() -> None:
    seen = Field().card()
    assert (seen.size, seen.jump, seen.start) == ((1, 1), (1, 1), (0.5, 0.5))


def test_windows_add_up() -> None:
    # SqueezeNet v1.0's first three: 7 × 7 by 2, pool 3 × 3 by 2, 3 × 3 padded by 1
    axis = Axis().window(7, 2, 0, 1).window(3, 2, 0, 1)
    assert axis == Axis(0, 11, 4)
    assert axis.window(3, 1, 1, 1) == Axis(-4, 15, 4)


def test_dilation_widens_without_moving_the_jump() -> None:
    assert Axis(0, 3, 2).window(3, 1, 2, 2) == Axis(-4, 7, 2)


def test_axes_are_kept_apart() -> None:
    seen = Field().window((3, 1), (2, 1), (1, 0), (1, 1)).card()
    assert (seen.size, seen.jump, seen.start) == ((3, 1), (2, 1), (0.5, 0.5))


def test_a_union_covers_its_parts() -> None:
    one, other = Field(Axis(0, 3, 2), Axis(0, 3, 2)), Field(Axis(-1, 2, 2), Axis(1, 6, 2))
    assert union([one, other]) == Field(Axis(-1, 3, 2), Axis(0, 6, 2))


def test_nothing_is_claimed_of_unknown_parts_or_other_jumps() -> None:
    assert union([]) is None
    assert union([Field(), None]) is None
    assert union([Field(), Field(Axis(0, 1, 2), Axis())]) is None


def test_what_sees_everything_stays_where_it_was() -> None:
    field = Field().window((4, 4), (4, 4), (0, 0), (1, 1)).everywhere(24, 32)
    assert field.card() == ReceptiveField(size=(24, 32), jump=(4, 4), start=(2, 2))
    assert field.window((3, 3), (2, 2), (1, 1), (1, 1)).card().size == (24, 32)
    assert union([field, Field().window((4, 4), (4, 4), (0, 0), (1, 1))]) == field
