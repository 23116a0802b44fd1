import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.whitening import Moments, Whitening, whitening

# Two channels, mean (1, 2), variances 4 and 1, not correlated.
TOY = np.array([[3, 3], [3, 1], [-1, 3], [-1, 1]], dtype=np.float32)


def gathered(rows: np.ndarray) -> Moments:
    moments = Moments(rows.shape[1])
    moments.add(rows)
    return moments


def test_moments_are_number_sum_and_uncentred_second_moment() -> None:
    moments = gathered(TOY)
    assert moments.n == 4
    assert moments.sum.tolist() == [4, 8]
    assert moments.second.tolist() == [[20, 8], [8, 20]]


def test_merged_moments_equal_those_of_all_rows() -> None:
    left, right = gathered(TOY[:1]), gathered(TOY[1:].astype(np.float16))
    left.merge(right)
    assert left.n == 4
    assert left.second.tolist() == gathered(TOY).second.tolist()


def test_moments_survive_their_tables() -> None:
    again = Moments.from_tables(gathered(TOY).to_tables())
    again.merge(gathered(TOY))
    assert (again.n, again.sum.tolist()) == (8, [8, 16])


def test_matrix_is_the_inverse_square_root_of_the_shrunk_covariance() -> None:
    # mean variance 2.5, so .02 adds .05 to 4 and to 1
    white = whitening(gathered(TOY))
    np.testing.assert_allclose(white.matrix, [[1 / np.sqrt(4.05), 0], [0, 1 / np.sqrt(1.05)]], atol=1e-6)
    assert white.mean.tolist() == [1, 2]
    assert white.condition == pytest.approx(4.05 / 1.05)


def test_whitening_gives_nearly_the_identity_on_mixed_channels() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(4000, 3)) @ [[2.0, 1, 0], [0, 1, 0.5], [0, 0, 1]] + 5).astype(np.float32)
    white = whitening(gathered(rows), shrinkage=1e-6)
    np.testing.assert_allclose(np.cov(white.whiten(rows).T, bias=True), np.eye(3), atol=1e-3)


def test_a_dead_channel_stays_zero_and_finite() -> None:
    rows = np.concatenate([TOY, np.zeros((4, 1), dtype=np.float32)], axis=1)
    white = whitening(gathered(rows))
    whitened = white.whiten(rows)
    assert np.isfinite(whitened).all()
    np.testing.assert_allclose(whitened[:, 2], 0, atol=1e-6)


def test_directions_have_unit_length() -> None:
    white = Whitening(np.zeros(2, np.float32), np.diag([1, 2]).astype(np.float32), 4.0)
    np.testing.assert_allclose(white.directions(np.array([[3.0, 2.0]])), [[0.6, 0.8]], atol=1e-7)
    again = Whitening.from_tables(white.to_tables())
    assert again.condition == 4.0
    np.testing.assert_array_equal(again.matrix, white.matrix)


@pytest.mark.parametrize(
    ("rows", "words"),
    [(np.full((5, 2), 3.0, np.float32), "equal"), (TOY[:1], "2 activations")],
)
def test_nothing_to_whiten_is_refused(rows: np.ndarray, words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        whitening(gathered(rows))


def test_batches_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LayoutError, match="not finite"):
        Moments(2).add(np.array([[np.nan, 1.0]]))
    with pytest.raises(LayoutError, match="shape"):
        Moments(2).add(np.ones((1, 3)))
    with pytest.raises(LayoutError, match="channels"):
        Moments(2).merge(Moments(3))
